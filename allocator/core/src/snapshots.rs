//! What an instance says of its snapshots and of its beginning from one, within bounds.
//!
//! Invariants: a name is one that a snapshot can have, otherwise nothing is known; a stage is one of
//! those that the contract names; a text is short and of one line; what is done is never more than the
//! whole. Not here: asking, and what follows from it (the director).

use crate::copying::MAX_REASON;

/// Longest name of a snapshot or a repository.
pub const MAX_NAME: usize = 64;

fn line(text: &str) -> String {
    text.chars()
        .take(MAX_REASON)
        .map(|one| if one.is_control() { ' ' } else { one })
        .collect()
}

fn is_name(name: &str) -> bool {
    let good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    name.len() <= MAX_NAME && name.bytes().all(good)
}

/// The snapshots that an instance takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshots {
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
    /// Why the last try failed.
    pub error: String,
    /// Since when tries fail; zero: they do not.
    pub failing_since_ms: u64,
}

impl Snapshots {
    /// Checks what an instance says; nothing when a name is none.
    #[must_use]
    pub fn checked(self) -> Option<Self> {
        (is_name(&self.repository) && is_name(&self.last)).then(|| Self {
            error: line(&self.error),
            ..self
        })
    }
}

/// Where a restore stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreStage {
    /// The snapshot is being brought here.
    Restoring,
    /// It serves from the snapshot.
    Serving,
    /// It does not get on.
    Failed,
}

impl RestoreStage {
    /// The stage of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Restoring, Self::Serving, Self::Failed]
            .into_iter()
            .find(|stage| stage.as_str() == name)
    }

    /// Its name in the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restoring => "restoring",
            Self::Serving => "serving",
            Self::Failed => "failed",
        }
    }
}

/// How far an instance is with its last snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreProgress {
    /// Where it stands.
    pub stage: RestoreStage,
    /// Name of the snapshot; empty while it is not known.
    pub snapshot: String,
    /// When that was taken; zero: not known.
    pub taken_ms: u64,
    /// Bytes that are here.
    pub bytes_done: u64,
    /// Bytes there are.
    pub bytes_total: u64,
    /// What it waits for, or why it failed.
    pub reason: String,
}

impl RestoreProgress {
    /// Checks what an instance says; nothing when it names no stage of the contract.
    #[must_use]
    pub fn read(
        stage: &str,
        snapshot: (&str, u64),
        bytes_done: u64,
        bytes_total: u64,
        reason: &str,
    ) -> Option<Self> {
        let stage = RestoreStage::named(stage)?;
        let (name, taken_ms) = snapshot;
        is_name(name).then(|| Self {
            stage,
            snapshot: name.to_owned(),
            taken_ms,
            bytes_done: bytes_done.min(bytes_total),
            bytes_total,
            reason: line(reason),
        })
    }

    /// Whether the instance must not be sent clients yet.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        self.stage != RestoreStage::Serving
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_stages_of_the_contract_are_known_and_only_serving_takes_clients() {
        for (name, holds_back) in [("restoring", true), ("failed", true), ("serving", false)] {
            let seen = RestoreProgress::read(name, ("0-1", 1), 3, 2, "").unwrap();
            assert_eq!((seen.stage.as_str(), seen.holds_back()), (name, holds_back));
            assert_eq!(seen.bytes_done, 2, "never more than there is");
        }
        for name in ["", "Serving", "copying"] {
            assert_eq!(RestoreProgress::read(name, ("0-1", 1), 1, 2, ""), None);
        }
        assert_eq!(
            RestoreProgress::read("serving", ("../x", 1), 1, 2, ""),
            None
        );
        let told = |last: &str| Snapshots {
            last: last.to_owned(),
            ..Snapshots::default()
        };
        assert!(told("0000000001-1700000000000").checked().is_some());
        assert_eq!(told("a b").checked(), None);
    }

    proptest! {
        #[test]
        fn whatever_an_instance_says_is_bounded(
            stage in "(restoring|serving|.{0,20})", name in "([0-9-]{0,30}|.{0,80})",
            done: u64, total: u64, reason in "\\PC{0,20}[\\n\\t ]{0,3}.{0,600}",
        ) {
            if let Some(seen) = RestoreProgress::read(&stage, (&name, 1), done, total, &reason) {
                prop_assert!(seen.bytes_done <= seen.bytes_total);
                prop_assert!(seen.snapshot.len() <= MAX_NAME);
                prop_assert!(seen.reason.chars().count() <= MAX_REASON);
                prop_assert!(!seen.reason.chars().any(char::is_control));
            }
            let told = Snapshots { last: name, error: reason, ..Snapshots::default() };
            if let Some(told) = told.checked() {
                prop_assert!(told.last.len() <= MAX_NAME);
                prop_assert!(told.error.chars().count() <= MAX_REASON);
            }
        }
    }
}
