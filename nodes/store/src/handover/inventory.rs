//! The files of a data directory with their checksums, each byte hashed once.
//!
//! Invariants: a checksum is of exactly so many bytes as are told; what was hashed is used again only for the same file of the same
//! length and time, or, for one that grows, for its beginning. Not here: which paths are files of the store (core).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File as Handle;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use wharf_store_core::handover::files::{CHUNK_BYTES, File, Kind, kind};

/// Folders below which the store's files lie, at most so deep.
const DEPTH: usize = 3;

struct Hashed {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    state: Sha256,
}

impl Hashed {
    fn file(&self, path: &str) -> File {
        File {
            path: path.to_owned(),
            bytes: self.bytes,
            sha256: hex::encode(self.state.clone().finalize()),
        }
    }
}

/// The files, and what is known of them.
pub(crate) struct Inventory {
    dir: PathBuf,
    known: Mutex<HashMap<String, Hashed>>,
}

impl Inventory {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            known: Mutex::default(),
        }
    }

    /// Forgets what was hashed: somebody else may have written.
    pub(crate) fn forget(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clear();
    }

    /// Forgets what was hashed of one file.
    pub(crate) fn forget_file(&self, path: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(path);
    }

    /// Every file with its length and checksum; one that vanishes meanwhile is left out. Blocks.
    pub(crate) fn list(&self) -> io::Result<BTreeMap<String, File>> {
        let mut paths = Vec::new();
        gather(&self.dir, "", 0, &mut paths)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let there: HashSet<&str> = paths.iter().map(|(path, _)| path.as_str()).collect();
        known.retain(|path, _| there.contains(path.as_str()));
        let mut files = BTreeMap::new();
        for (path, kind) in paths {
            match hash(&self.dir.join(&path), kind, known.remove(&path)) {
                Ok(hashed) => {
                    files.insert(path.clone(), hashed.file(&path));
                    known.insert(path, hashed);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }

    /// One file with its length and checksum, if it is there. Blocks.
    pub(crate) fn checksum(&self, path: &str) -> io::Result<Option<File>> {
        let Some(kind) = kind(path) else {
            return Ok(None);
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match hash(&self.dir.join(path), kind, known.remove(path)) {
            Ok(hashed) => {
                let file = hashed.file(path);
                known.insert(path.to_owned(), hashed);
                Ok(Some(file))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Bytes of a file from `from` to before `to`, a bounded number at a time; fewer at its end. Blocks.
    pub(crate) fn read(&self, path: &str, from: u64, to: u64) -> io::Result<Vec<u8>> {
        match kind(path) {
            None => return Err(io::ErrorKind::NotFound.into()),
            // It is not believed as it was listed: it may have been cut and have grown again since it was hashed.
            Some(Kind::Grows) if from == 0 => self.forget_file(path),
            Some(_) => {}
        }
        let mut file = Handle::open(self.dir.join(path))?;
        file.seek(SeekFrom::Start(from))?;
        let wanted = to.saturating_sub(from).min(CHUNK_BYTES);
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
        file.take(wanted).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Finds every file of the store below a directory. Blocks.
pub(crate) fn gather(
    dir: &Path,
    below: &str,
    depth: usize,
    into: &mut Vec<(String, Kind)>,
) -> io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = if below.is_empty() {
            name.to_owned()
        } else {
            format!("{below}/{name}")
        };
        match entry.file_type() {
            Ok(found) if found.is_dir() && depth < DEPTH => {
                gather(&entry.path(), &path, depth + 1, into)?;
            }
            Ok(found) if found.is_file() => into.extend(kind(&path).map(|kind| (path, kind))),
            // Gone meanwhile, or nothing that is copied.
            _ => {}
        }
    }
    Ok(())
}

fn hash(path: &Path, kind: Kind, known: Option<Hashed>) -> io::Result<Hashed> {
    let mut file = Handle::open(path)?;
    let meta = file.metadata()?;
    let (inode, bytes) = (meta.ino(), meta.len());
    let modified = (meta.mtime(), meta.mtime_nsec());
    let mut hashed = match known {
        Some(known) if known.inode == inode => match kind {
            _ if known.bytes == bytes && known.modified == modified => return Ok(known),
            Kind::Grows if known.bytes <= bytes => known,
            _ => nothing(inode),
        },
        _ => nothing(inode),
    };
    hashed.modified = modified;
    file.seek(SeekFrom::Start(hashed.bytes))?;
    let mut left = file.take(bytes - hashed.bytes);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = left.read(&mut buffer)?;
        if count == 0 {
            return Ok(hashed);
        }
        hashed.state.update(&buffer[..count]);
        hashed.bytes += count as u64;
    }
}

fn nothing(inode: u64) -> Hashed {
    Hashed {
        inode,
        bytes: 0,
        modified: (0, 0),
        state: Sha256::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn sum(bytes: &[u8]) -> String {
        hex::encode(Sha256::digest(bytes))
    }

    #[test]
    fn files_of_the_store_are_listed_with_the_checksum_of_what_they_hold_now() {
        let dir = tempfile::tempdir().unwrap();
        let rows = dir.path().join("indices/a/rows");
        std::fs::create_dir_all(&rows).unwrap();
        std::fs::create_dir_all(dir.path().join("journal")).unwrap();
        std::fs::write(dir.path().join("lock"), "").unwrap();
        std::fs::write(dir.path().join("handed_over.json"), "{}").unwrap();
        std::fs::write(dir.path().join("catalog.json"), "one").unwrap();
        std::fs::write(rows.join("00000000.seg"), "rows").unwrap();
        let journal = dir.path().join("journal/00000000000000000000.wj");
        std::fs::write(&journal, "begin").unwrap();
        let inventory = Inventory::new(dir.path());
        let sums = |inventory: &Inventory| -> Vec<(String, u64, String)> {
            let files = inventory.list().unwrap().into_values();
            files.map(|f| (f.path, f.bytes, f.sha256)).collect()
        };
        let wanted = |catalog: &str, journal: &str| {
            let file =
                |path: &str, held: &str| (path.to_owned(), held.len() as u64, sum(held.as_bytes()));
            vec![
                file("catalog.json", catalog),
                file("indices/a/rows/00000000.seg", "rows"),
                file("journal/00000000000000000000.wj", journal),
            ]
        };
        assert_eq!(sums(&inventory), wanted("one", "begin"));
        let mut end = Handle::options().append(true).open(&journal).unwrap();
        end.write_all(b" and end").unwrap();
        std::fs::write(dir.path().join("next"), "two").unwrap();
        std::fs::rename(dir.path().join("next"), dir.path().join("catalog.json")).unwrap();
        assert_eq!(sums(&inventory), wanted("two", "begin and end"));
        end.set_len(5).unwrap();
        assert_eq!(sums(&inventory), wanted("two", "begin"));
        inventory.forget();
        assert_eq!(sums(&inventory), wanted("two", "begin"));
    }

    #[test]
    fn a_journal_that_was_cut_and_grew_again_is_hashed_anew_once_it_is_fetched_from_its_start() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("journal")).unwrap();
        let path = "journal/00000000000000000000.wj";
        std::fs::write(dir.path().join(path), "begin").unwrap();
        let inventory = Inventory::new(dir.path());
        let listed = || inventory.list().unwrap().remove(path).unwrap().sha256;
        assert_eq!(listed(), sum(b"begin"));
        std::fs::write(dir.path().join(path), "another begin").unwrap();
        listed();
        assert_eq!(inventory.read(path, 0, 7).unwrap(), b"another");
        assert_eq!(listed(), sum(b"another begin"));
    }

    #[test]
    fn a_piece_of_a_file_is_what_was_asked_for_and_other_files_are_not_there() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("catalog.json"), "0123456789").unwrap();
        std::fs::write(dir.path().join("lock"), "secret").unwrap();
        let inventory = Inventory::new(dir.path());
        assert_eq!(inventory.read("catalog.json", 2, 5).unwrap(), b"234");
        assert_eq!(inventory.read("catalog.json", 8, 50).unwrap(), b"89");
        assert_eq!(inventory.read("catalog.json", 5, 2).unwrap(), b"");
        for path in ["lock", "../lock", "api_keys.json"] {
            let error = inventory.read(path, 0, 5).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{path}");
        }
    }
}
