//! The assignment in force, on disk and in memory. The allocator goes on by it when no director
//! answers and when it is started again.
//!
//! Invariants: an assignment is in force only after it is on disk; the file has mode 0600, because it
//! holds the instances' keys; a damaged file is set aside and said, never guessed at: then nothing is
//! done until a director answers. Not here: what follows from it (`reconcile_task.rs`).

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use prost::Message as _;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wharf_allocator_core::assignment::{self, AssignmentError, AssignmentSpec, Fence, Refusal};
use wharf_proto::v1;
use wharf_runtime::data_dir::{read_limited, write_atomic};

const MAX_LEDGER: u64 = 256 << 20;

/// An assignment that is in force.
#[derive(Debug)]
pub struct Held {
    /// What was decided on.
    pub spec: AssignmentSpec,
    /// What came, secrets included.
    pub message: v1::Assignment,
}

impl Held {
    /// What was assigned for an instance.
    #[must_use]
    pub fn assigned(&self, instance_id: &str) -> Option<&v1::AssignedInstance> {
        self.message
            .instances
            .iter()
            .find(|one| one.instance_id == instance_id)
    }
}

/// Why an assignment that came is not in force.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// ALL0033
    #[error("ALL0033: {0}")]
    Invalid(#[from] AssignmentError),
    /// ALL0030 to ALL0032
    #[error("{code}: {refusal}", code = refusal_code(refusal))]
    Refused {
        /// Why not.
        #[from]
        refusal: Refusal,
    },
    /// ALL0014
    #[error("ALL0014: cannot write {}: {source}; the old assignment stays in force", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

fn refusal_code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Older { .. } => "ALL0030",
        Refusal::Empty { .. } => "ALL0031",
        Refusal::Conflicting(_) => "ALL0032",
    }
}

/// The file's content; the assignment as protobuf in hex.
#[derive(Serialize, Deserialize)]
struct LedgerFile {
    version: u32,
    generation: u64,
    assignment: String,
}

/// Holds the assignment. One per process.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    allocator_id: String,
    held: watch::Sender<Option<Arc<Held>>>,
}

impl Ledger {
    /// Reads what was in force.
    ///
    /// # Errors
    /// When the file cannot be read at all; a damaged one is set aside.
    pub fn open(data_dir: &Path, allocator_id: &str) -> std::io::Result<Self> {
        let path = data_dir.join("allocator/ledger.json");
        let held = match read_limited(&path, MAX_LEDGER)? {
            None => None,
            Some(bytes) => match parse(&bytes, allocator_id) {
                Ok(held) => Some(Arc::new(held)),
                Err(why) => {
                    let aside = path.with_extension("json.damaged");
                    tracing::error!(
                        why,
                        aside = %aside.display(),
                        "ALL0019: the ledger is damaged and set aside; containers stay as they are until a director answers"
                    );
                    std::fs::rename(&path, aside)?;
                    None
                }
            },
        };
        Ok(Self {
            path,
            allocator_id: allocator_id.to_owned(),
            held: watch::channel(held).0,
        })
    }

    /// Follows what is in force.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Held>>> {
        self.held.subscribe()
    }

    /// The generation in force, zero when none is.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.held
            .borrow()
            .as_ref()
            .map_or(0, |held| held.spec.generation)
    }

    /// Takes an assignment that came, or says why not. Blocks for a disk write.
    ///
    /// # Errors
    /// When it is malformed, fenced off, or cannot be written; the old one stays in force.
    pub fn offer(&self, message: v1::Assignment) -> Result<Fence, OfferError> {
        let spec = assignment::read(&message, &self.allocator_id)?;
        let current = self.held.borrow().clone();
        let fence = assignment::fence(current.as_ref().map(|held| &held.spec), &spec)?;
        if fence == Fence::Same && current.is_some_and(|held| held.message == message) {
            return Ok(fence);
        }
        let file = LedgerFile {
            version: 1,
            generation: spec.generation,
            assignment: hex::encode(message.encode_to_vec()),
        };
        let written = serde_json::to_vec(&file)
            .map_err(std::io::Error::other)
            .and_then(|bytes| write_atomic(&self.path, &bytes, 0o600));
        written.map_err(|source| OfferError::Write {
            path: self.path.clone(),
            source,
        })?;
        self.held
            .send_replace(Some(Arc::new(Held { spec, message })));
        Ok(fence)
    }
}

fn parse(bytes: &[u8], allocator_id: &str) -> Result<Held, String> {
    let file: LedgerFile = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if file.version != 1 {
        return Err(format!("its version is {}", file.version));
    }
    let bytes = hex::decode(&file.assignment).map_err(|error| error.to_string())?;
    let message = v1::Assignment::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
    let spec = assignment::read(&message, allocator_id).map_err(|error| error.to_string())?;
    Ok(Held { spec, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn message(generation: u64, remove: &[&str]) -> v1::Assignment {
        v1::Assignment {
            allocator_id: "a".repeat(32),
            generation,
            instances: vec![],
            remove_instance_ids: remove.iter().map(|id| (*id).to_owned()).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn what_is_in_force_survives_a_restart_and_older_ones_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("allocator")).unwrap();
        let id = "1".repeat(32);
        let ledger = Ledger::open(dir.path(), &"a".repeat(32)).unwrap();
        assert_eq!(ledger.generation(), 0);
        ledger.offer(message(4, &[&id])).unwrap();
        let again = Ledger::open(dir.path(), &"a".repeat(32)).unwrap();
        assert_eq!(again.generation(), 4);
        let error = again.offer(message(3, &[])).unwrap_err();
        assert!(error.to_string().starts_with("ALL0030"), "{error}");
        let mode = std::fs::metadata(dir.path().join("allocator/ledger.json")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_ledger_is_set_aside_and_nothing_is_in_force() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("allocator")).unwrap();
        std::fs::write(dir.path().join("allocator/ledger.json"), "{\"version\":1").unwrap();
        let ledger = Ledger::open(dir.path(), &"a".repeat(32)).unwrap();
        assert_eq!(ledger.generation(), 0);
        assert!(dir.path().join("allocator/ledger.json.damaged").exists());
    }
}
