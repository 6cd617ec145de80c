//! What a storage node says of its snapshots and of its beginning from one, within bounds. Not here: what
//! follows from it (`reconcile/snapshots`, `plan/restoring`, `health/snapshots`).

use wharf_proto::{times, v1};

use super::TEXT_BYTES;
use crate::refusal::cut;

/// Bytes kept of a name.
const NAME_BYTES: usize = 64;

/// What was seen of the snapshots that an instance takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SnapshotObservation {
    /// The repository that the last one lies in.
    pub repository: String,
    /// Name of the last one; empty: there is none.
    pub last: String,
    /// When it was taken; zero: never.
    pub taken_ms: u64,
    /// Its size.
    pub bytes: u64,
    /// Documents in it.
    pub documents: u64,
    /// One is being taken.
    pub running: bool,
    /// The number of the last request that was served.
    pub requested_done: u64,
    /// Why the last try failed; empty when it did not.
    pub error: String,
    /// Since when tries fail; zero: they do not.
    pub failing_since_ms: u64,
}

/// How far an instance is with its last snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreObservation {
    /// Its stage.
    pub stage: RestoreStage,
    /// Name of the snapshot.
    pub snapshot: String,
    /// When that was taken.
    pub taken_ms: u64,
    /// Bytes that are there.
    pub bytes_done: u64,
    /// Bytes that there are, as far as is known.
    pub bytes_total: u64,
    /// What it waits for, or why it failed.
    pub reason: String,
}

/// The stage of a restore.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RestoreStage {
    /// Nothing was said that is known.
    #[default]
    Unknown,
    /// The snapshot is being brought here.
    Restoring,
    /// It serves from the snapshot.
    Serving,
    /// It does not get on.
    Failed,
}

impl RestoreStage {
    /// The stable name; empty when it is not known.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Restoring => "restoring",
            Self::Serving => "serving",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Self {
        [Self::Restoring, Self::Serving, Self::Failed]
            .into_iter()
            .find(|stage| stage.as_str() == text)
            .unwrap_or_default()
    }
}

impl From<&v1::SnapshotObservation> for SnapshotObservation {
    fn from(seen: &v1::SnapshotObservation) -> Self {
        Self {
            repository: cut(&seen.repository, NAME_BYTES).to_owned(),
            last: cut(&seen.last, NAME_BYTES).to_owned(),
            taken_ms: seen.taken_at.as_ref().map_or(0, times::millis),
            bytes: seen.bytes,
            documents: seen.documents,
            running: seen.running,
            requested_done: seen.requested_done,
            error: cut(&seen.error, TEXT_BYTES).to_owned(),
            failing_since_ms: seen.failing_since.as_ref().map_or(0, times::millis),
        }
    }
}

impl From<&v1::RestoreObservation> for RestoreObservation {
    fn from(seen: &v1::RestoreObservation) -> Self {
        Self {
            stage: RestoreStage::parse(&seen.stage),
            snapshot: cut(&seen.snapshot, NAME_BYTES).to_owned(),
            taken_ms: seen.taken_at.as_ref().map_or(0, times::millis),
            bytes_done: seen.bytes_done,
            bytes_total: seen.bytes_total,
            reason: cut(&seen.reason, TEXT_BYTES).to_owned(),
        }
    }
}
