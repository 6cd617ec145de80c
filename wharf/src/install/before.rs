//! What was at the platform's folder before a join, which a join in vain leaves as it was. Invariants: files that
//! were there stay; an empty folder that was there stays, too: a disk may be mounted on it. Not here: containers.

use std::{fs, io, path::Path};

/// What was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    EmptyFolder,
    Files,
}

impl Before {
    /// What is there now.
    pub(super) fn of(data_dir: &Path) -> Self {
        match fs::read_dir(data_dir).map(|mut files| files.next().is_none()) {
            Ok(true) => Self::EmptyFolder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::Nothing,
            // What cannot be read is not known to be empty.
            Ok(false) | Err(_) => Self::Files,
        }
    }

    /// Removes what was made since. Where files were before nothing is removed: nobody can tell them apart.
    pub(super) fn restore(self, data_dir: &Path) -> io::Result<()> {
        match self {
            Self::Nothing => fs::remove_dir_all(data_dir),
            Self::EmptyFolder => fs::read_dir(data_dir)?.try_for_each(|entry| {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())
                } else {
                    fs::remove_file(entry.path())
                }
            }),
            Self::Files => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(data_dir: &Path) {
        fs::create_dir_all(data_dir.join("allocator")).unwrap();
        fs::write(data_dir.join("allocator/identity.pem"), "").unwrap();
        fs::write(data_dir.join("ca.pem"), "").unwrap();
    }

    #[test]
    fn what_a_join_in_vain_made_goes_and_what_was_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("wharfinger");
        let before = Before::of(&data_dir);
        assert_eq!(before, Before::Nothing);
        make(&data_dir);
        before.restore(&data_dir).unwrap();
        assert!(!data_dir.exists(), "there was no folder");

        fs::create_dir(&data_dir).unwrap();
        let before = Before::of(&data_dir);
        assert_eq!(before, Before::EmptyFolder);
        make(&data_dir);
        before.restore(&data_dir).unwrap();
        assert!(data_dir.exists(), "a disk may be mounted there");
        assert_eq!(Before::of(&data_dir), Before::EmptyFolder, "and is empty");

        fs::write(data_dir.join("own"), "").unwrap();
        let before = Before::of(&data_dir);
        assert_eq!(before, Before::Files);
        before.restore(&data_dir).unwrap();
        assert!(data_dir.join("own").exists(), "somebody's file");
    }
}
