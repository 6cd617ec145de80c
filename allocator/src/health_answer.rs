//! What an instance's health answer says beside its status, as far as it is passed on.
//!
//! Invariant: whatever is not understood says nothing; what is passed on was checked by the core. Not
//! here: asking (`probe_task`), telling the director (`reports`).

use serde::Deserialize;
use wharf_allocator_core::{
    copying::CopyProgress,
    snapshots::{RestoreProgress, Snapshots},
};

/// Characters of what an instance says of its credentials.
pub(crate) const MAX_CREDENTIALS: usize = 64;

/// What was said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Of the credentials that it has in force; empty: nothing.
    pub(crate) credentials: String,
    /// How far the copy of its data is.
    pub(crate) copy: Option<CopyProgress>,
    /// Of the snapshots that it takes.
    pub(crate) snapshots: Option<Snapshots>,
    /// How far it is with its last snapshot.
    pub(crate) restore: Option<RestoreProgress>,
}

impl Said {
    /// Whether it says that it must not be sent clients yet.
    pub(crate) fn holds_back(&self) -> bool {
        let copying = self.copy.as_ref().is_some_and(CopyProgress::holds_back);
        copying
            || self
                .restore
                .as_ref()
                .is_some_and(RestoreProgress::holds_back)
    }
}

/// The part of a health answer that is passed on.
#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    credentials: String,
    #[serde(default)]
    copy: Option<Copy>,
    #[serde(default)]
    snapshot: Option<Snapshot>,
    #[serde(default)]
    restore: Option<Restore>,
}

#[derive(Deserialize)]
struct Copy {
    stage: String,
    #[serde(default)]
    bytes_done: u64,
    #[serde(default)]
    bytes_total: u64,
    #[serde(default)]
    pause_ms: u64,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Snapshot {
    repository: Option<String>,
    last: Option<String>,
    taken_ms: Option<u64>,
    bytes: Option<u64>,
    documents: Option<u64>,
    running: Option<bool>,
    requested_done: Option<u64>,
    error: Option<String>,
    failing_since_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Restore {
    stage: String,
    #[serde(default)]
    snapshot: Option<String>,
    #[serde(default)]
    taken_ms: Option<u64>,
    #[serde(default)]
    bytes_done: Option<u64>,
    #[serde(default)]
    bytes_total: Option<u64>,
    #[serde(default)]
    reason: Option<String>,
}

/// Reads the body of a health answer: that of an older version says nothing, nor does one that is not
/// understood.
pub(crate) fn read(body: &[u8]) -> Said {
    let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
    Said {
        credentials: answer.credentials.chars().take(MAX_CREDENTIALS).collect(),
        copy: answer.copy.and_then(|copy| {
            CopyProgress::read(
                &copy.stage,
                copy.bytes_done,
                copy.bytes_total,
                copy.pause_ms,
                &copy.reason,
            )
        }),
        snapshots: answer.snapshot.and_then(|told| {
            Snapshots {
                repository: told.repository.unwrap_or_default(),
                last: told.last.unwrap_or_default(),
                taken_ms: told.taken_ms.unwrap_or_default(),
                bytes: told.bytes.unwrap_or_default(),
                documents: told.documents.unwrap_or_default(),
                running: told.running.unwrap_or_default(),
                requested_done: told.requested_done.unwrap_or_default(),
                error: told.error.unwrap_or_default(),
                failing_since_ms: told.failing_since_ms.unwrap_or_default(),
            }
            .checked()
        }),
        restore: answer.restore.and_then(|told| {
            RestoreProgress::read(
                &told.stage,
                (
                    told.snapshot.as_deref().unwrap_or_default(),
                    told.taken_ms.unwrap_or_default(),
                ),
                told.bytes_done.unwrap_or_default(),
                told.bytes_total.unwrap_or_default(),
                told.reason.as_deref().unwrap_or_default(),
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_answer_says_of_snapshots_and_restores_is_read_and_what_it_leaves_out_is_not_there() {
        let said = read(
            br#"{"status":"ready","snapshot":{"repository":"backups","last":"0000000001-1700000000000",
                "taken_ms":1700000000000,"bytes":5,"documents":6,"running":false,"requested_done":3,
                "error":null},"restore":null}"#,
        );
        let told = said.snapshots.clone().unwrap();
        assert_eq!(told.repository, "backups");
        assert_eq!(
            (told.taken_ms, told.bytes, told.documents),
            (1_700_000_000_000, 5, 6)
        );
        assert_eq!((told.requested_done, told.error.as_str()), (3, ""));
        assert!(said.restore.is_none() && !said.holds_back());
        let said = read(
            br#"{"restore":{"stage":"restoring","bytes_done":1,"bytes_total":9,"reason":"x"}}"#,
        );
        assert!(said.holds_back(), "{said:?}");
        assert_eq!(said.restore.unwrap().bytes_total, 9);
        assert!(!read(br#"{"restore":{"stage":"serving"}}"#).holds_back());
        assert_eq!(read(b"no answer"), Said::default());
    }

    proptest::proptest! {
        #[test]
        fn any_answer_is_read(body in "[\\[\\]{}\",:a-z0-9_]{0,80}", bytes: Vec<u8>) {
            let _ = (read(body.as_bytes()), read(&bytes));
        }
    }
}
