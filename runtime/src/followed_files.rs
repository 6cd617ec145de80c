//! Files that somebody else replaces, looked at now and then.
//!
//! Invariants: the first look always takes them in, because what is in use was read who knows when before; what cannot be
//! taken in is tried again at every look and told once for as long as the files stay the same. Not here: when to look,
//! what is in the files.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

/// Inode, length and time of change; nothing for a file that is not there.
type Stamp = Option<(u64, u64, i64, i64)>;

fn stamp(facts: &Metadata) -> (u64, u64, i64, i64) {
    (facts.ino(), facts.len(), facts.mtime(), facts.mtime_nsec())
}

/// Files that are taken in together.
#[derive(Debug)]
pub struct FollowedFiles {
    paths: Vec<PathBuf>,
    taken: Option<Vec<Stamp>>,
    told: Option<Vec<Stamp>>,
}

/// What a look came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Look<T, E> {
    /// They are as they were when they were taken in.
    Same,
    /// They were taken in.
    Taken(T),
    /// They cannot be taken in.
    Broken(E),
    /// They cannot be taken in still, which was told before.
    StillBroken,
}

impl FollowedFiles {
    /// Follows these.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            paths: paths.into_iter().collect(),
            taken: None,
            told: None,
        }
    }

    /// Takes them in by `take` when they are not as they were. Blocks.
    pub fn look<T, E>(&mut self, take: impl FnOnce() -> Result<T, E>) -> Look<T, E> {
        let stamps = self.paths.iter().map(|path| {
            let facts = std::fs::metadata(path).ok()?;
            Some(stamp(&facts))
        });
        // Before they are read: what changes meanwhile is seen at the next look.
        let now = Some(stamps.collect());
        if self.taken == now {
            return Look::Same;
        }
        match take() {
            Ok(taken) => {
                self.taken = now;
                self.told = None;
                Look::Taken(taken)
            }
            Err(_) if self.told == now => Look::StillBroken,
            Err(error) => {
                self.told = now;
                Look::Broken(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Look<String, String>;

    fn look(files: &mut FollowedFiles, path: &PathBuf) -> Seen {
        files.look(|| match std::fs::read_to_string(path) {
            Ok(text) if text.starts_with('!') => Err(text),
            Ok(text) => Ok(text),
            Err(_) => Ok("gone".to_owned()),
        })
    }

    #[test]
    fn the_first_look_and_every_change_take_a_file_in() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "one").unwrap();
        let mut files = FollowedFiles::new([path.clone()]);
        assert_eq!(look(&mut files, &path), Look::Taken("one".into()));
        assert_eq!(look(&mut files, &path), Look::Same);
        // Of the same length and, on a coarse clock, of the same time.
        crate::data_dir::write_atomic(&path, b"two", 0o600).unwrap();
        assert_eq!(look(&mut files, &path), Look::Taken("two".into()));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(look(&mut files, &path), Look::Taken("gone".into()));
        assert_eq!(look(&mut files, &path), Look::Same);
    }

    #[test]
    fn a_file_that_is_not_there_is_looked_at_once_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut files = FollowedFiles::new([path.clone()]);
        assert_eq!(look(&mut files, &path), Look::Taken("gone".into()));
        assert_eq!(look(&mut files, &path), Look::Same);
    }

    #[test]
    fn what_cannot_be_taken_in_is_tried_again_and_told_once_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "!one").unwrap();
        let mut files = FollowedFiles::new([path.clone()]);
        assert_eq!(look(&mut files, &path), Look::Broken("!one".into()));
        assert_eq!(look(&mut files, &path), Look::StillBroken);
        std::fs::write(&path, "!other").unwrap();
        assert_eq!(look(&mut files, &path), Look::Broken("!other".into()));
        // The file is the same, and what hindered is over.
        let again: Look<&str, &str> = files.look(|| Ok("taken"));
        assert_eq!(again, Look::Taken("taken"));
        assert_eq!(look(&mut files, &path), Look::Same);
    }

    #[test]
    fn one_of_several_is_enough_for_all() {
        let dir = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| dir.path().join(name));
        let mut files = FollowedFiles::new(paths.clone());
        let mut looked = || files.look(|| Ok::<_, ()>(()));
        assert_eq!(looked(), Look::Taken(()));
        std::fs::write(&paths[1], "new").unwrap();
        assert_eq!(looked(), Look::Taken(()));
        assert_eq!(looked(), Look::Same);
    }
}
