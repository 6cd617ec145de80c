//! How far each log was read, kept in one file.
//!
//! Invariants: replaced as a whole, so it is never half; late by at most a second, which only makes
//! lines be read again with the ids they had.
//! Not here: reading the logs.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wharf_runtime::data_dir::{read_limited, write_atomic};

use super::Identity;

/// The most bytes of the registry that are read: far more than 10,000 containers take.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Where reading goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The file.
    #[serde(flatten)]
    pub file: Identity,
    /// The first byte that was not given out.
    pub offset: u64,
    /// A hash of the file's first bytes, because an inode is given to another file once its own is
    /// gone; 0 when it is not known.
    #[serde(default)]
    pub head: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    version: u32,
    positions: BTreeMap<String, Position>,
}

/// The registry.
#[derive(Debug)]
pub struct Registry {
    path: PathBuf,
    content: Content,
    is_changed: bool,
    is_new: bool,
}

impl Registry {
    /// Reads the registry, or begins one. One that cannot be understood is begun anew, and said so:
    /// lines read again have the ids they had. Blocks.
    ///
    /// # Errors
    /// When the file is there but cannot be read.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let bytes = read_limited(&path, MAX_BYTES)?;
        let is_new = bytes.is_none();
        let content = match bytes.map(|bytes| serde_json::from_slice(&bytes)) {
            Some(Ok(content)) => content,
            Some(Err(error)) => {
                tracing::warn!(%error, path = %path.display(), "log offsets cannot be read; starting anew");
                Content::default()
            }
            None => Content::default(),
        };
        Ok(Self {
            path,
            content,
            is_changed: is_new,
            is_new,
        })
    }

    /// Whether there was none before: the collectors run here for the first time.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Where reading of a container's log goes on.
    pub fn get(&self, container_id: &str) -> Option<Position> {
        self.content.positions.get(container_id).copied()
    }

    /// Remembers where reading goes on.
    pub fn set(&mut self, container_id: &str, position: Position) {
        if self.content.positions.get(container_id) != Some(&position) {
            self.content
                .positions
                .insert(container_id.to_owned(), position);
            self.is_changed = true;
        }
    }

    /// Forgets a container that is gone.
    pub fn remove(&mut self, container_id: &str) {
        self.is_changed |= self.content.positions.remove(container_id).is_some();
    }

    /// The containers that are known.
    pub fn containers(&self) -> impl Iterator<Item = &str> {
        self.content.positions.keys().map(String::as_str)
    }

    /// Writes what changed. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written; it is tried again with the next call.
    pub fn save(&mut self) -> io::Result<()> {
        if self.is_changed {
            self.content.version = 1;
            let bytes = serde_json::to_vec(&self.content).map_err(io::Error::other)?;
            write_atomic(&self.path, &bytes, 0o600)?;
            self.is_changed = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_and_a_broken_file_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log-offsets.json");
        let mut registry = Registry::open(path.clone()).unwrap();
        assert!(registry.is_new());
        let position = Position {
            file: Identity {
                device: 1,
                inode: 2,
            },
            offset: 3,
            head: 4,
        };
        registry.set("a", position);
        registry.save().unwrap();
        let registry = Registry::open(path.clone()).unwrap();
        assert_eq!(registry.get("a"), Some(position));
        assert!(!registry.is_new());
        std::fs::write(&path, "{half").unwrap();
        assert_eq!(Registry::open(path).unwrap().get("a"), None);
    }
}
