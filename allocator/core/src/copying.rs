//! How far the copy of an instance's data has come, as the instance says it, within bounds.
//!
//! Invariants: a stage is one of those that the contract names, otherwise nothing is known; a text is
//! short and of one line; what is done is never more than the whole. Not here: asking, and when to take
//! over (the director).

/// Longest reason, in characters.
pub const MAX_REASON: usize = 300;

/// Where a copy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyStage {
    /// The first pass.
    Copying,
    /// Passes over what changed meanwhile.
    CatchingUp,
    /// What is left can be taken over within the pause of a switch.
    Ready,
    /// The old place holds writes back.
    Switching,
    /// The old place has given up, this one serves.
    Serving,
    /// It goes no further.
    Failed,
}

impl CopyStage {
    /// The stage of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [
            Self::Copying,
            Self::CatchingUp,
            Self::Ready,
            Self::Switching,
            Self::Serving,
            Self::Failed,
        ]
        .into_iter()
        .find(|stage| stage.as_str() == name)
    }

    /// Its name in the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Copying => "copying",
            Self::CatchingUp => "catching_up",
            Self::Ready => "ready",
            Self::Switching => "switching",
            Self::Serving => "serving",
            Self::Failed => "failed",
        }
    }
}

/// How far a copy has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyProgress {
    /// Where it stands.
    pub stage: CopyStage,
    /// Bytes that are here.
    pub bytes_done: u64,
    /// Bytes there are.
    pub bytes_total: u64,
    /// For how long the switch held writes back.
    pub pause_ms: u64,
    /// What it waits for, or why it failed.
    pub reason: String,
}

impl CopyProgress {
    /// Checks what an instance says; nothing when it names no stage of the contract.
    #[must_use]
    pub fn read(
        stage: &str,
        bytes_done: u64,
        bytes_total: u64,
        pause_ms: u64,
        reason: &str,
    ) -> Option<Self> {
        Some(Self {
            stage: CopyStage::named(stage)?,
            bytes_done: bytes_done.min(bytes_total),
            bytes_total,
            pause_ms,
            reason: reason
                .chars()
                .take(MAX_REASON)
                .map(|one| if one.is_control() { ' ' } else { one })
                .collect(),
        })
    }

    /// Whether the instance must not be sent clients yet.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        self.stage != CopyStage::Serving
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_stages_of_the_contract_are_known_and_only_serving_takes_clients() {
        for name in ["copying", "catching_up", "ready", "switching", "failed"] {
            let copy = CopyProgress::read(name, 1, 2, 0, "").unwrap();
            assert_eq!((copy.stage.as_str(), copy.holds_back()), (name, true));
        }
        let serving = CopyProgress::read("serving", 2, 2, 40, "").unwrap();
        assert!(!serving.holds_back());
        for name in ["", "Serving", "done"] {
            assert_eq!(CopyProgress::read(name, 1, 2, 0, ""), None);
        }
    }

    proptest! {
        #[test]
        fn whatever_an_instance_says_is_bounded(
            stage in "(copying|ready|serving|.{0,20})", done: u64, total: u64, pause: u64, reason in "\\PC{0,20}[\\n\\t ]{0,3}.{0,600}",
        ) {
            if let Some(copy) = CopyProgress::read(&stage, done, total, pause, &reason) {
                prop_assert!(copy.bytes_done <= copy.bytes_total);
                prop_assert!(copy.reason.chars().count() <= MAX_REASON);
                prop_assert!(!copy.reason.chars().any(char::is_control));
                prop_assert_eq!(copy.stage.as_str(), stage);
            }
        }
    }
}
