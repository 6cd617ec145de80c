//! Until when an instance may take writes, when it may do so only for a time.
//!
//! Invariants: an instance that was once told of a lease has one until it starts anew; without a file that can be read its
//! lease is over; a write is allowed before the deadline only, never at it. Time is the host's own since it booted,
//! suspension included. Not here: reading the file, the clock, who grants (the director, by way of the host's allocator).

use serde::Deserialize;

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Grant {
    /// Milliseconds since the host booted until which writes may be taken.
    pub boottime_deadline_ms: u64,
}

/// No larger file is looked at.
pub const MAX_GRANT_BYTES: u64 = 4096;

/// What was found where the file should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// No file.
    Nothing,
    /// A file that cannot be read or understood.
    Unreadable,
    /// A grant.
    Grant(Grant),
}

/// Why a write is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "STO0001: the lease of this instance {}; writes are refused until its host hears from a director again, reads go on",
    .over_since_ms.map_or_else(|| "was not granted yet".to_owned(), |ms| format!("ran out {ms} ms ago"))
)]
pub struct LeaseOver {
    /// How long it has been over; nothing when there was none.
    pub over_since_ms: Option<u64>,
}

/// The lease of an instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lease {
    /// It takes writes at any time.
    #[default]
    Unbounded,
    /// It takes writes before the deadline.
    Until(u64),
}

impl Lease {
    /// Takes in what was found in the file's place.
    #[must_use]
    pub fn told(self, found: Found) -> Self {
        match (self, found) {
            (Self::Unbounded, Found::Nothing) => Self::Unbounded,
            (_, Found::Grant(grant)) => Self::Until(grant.boottime_deadline_ms),
            (_, Found::Nothing | Found::Unreadable) => Self::Until(0),
        }
    }

    /// Whether a write may be applied or acknowledged now.
    ///
    /// # Errors
    /// Since when it may not.
    pub fn check(self, boottime_ms: u64) -> Result<(), LeaseOver> {
        match self {
            Self::Unbounded => Ok(()),
            Self::Until(deadline) if boottime_ms < deadline => Ok(()),
            Self::Until(deadline) => Err(LeaseOver {
                over_since_ms: (deadline > 0).then(|| boottime_ms - deadline),
            }),
        }
    }
}

/// Understands the file.
#[must_use]
pub fn read_grant(bytes: &[u8]) -> Found {
    serde_json::from_slice(bytes).map_or(Found::Unreadable, Found::Grant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found() -> impl Strategy<Value = Found> {
        prop_oneof![
            Just(Found::Nothing),
            Just(Found::Unreadable),
            (0..2000u64).prop_map(|boottime_deadline_ms| Found::Grant(Grant {
                boottime_deadline_ms
            })),
        ]
    }

    #[test]
    fn an_instance_without_the_file_takes_writes_at_any_time() {
        assert_eq!(
            Lease::default().told(Found::Nothing).check(u64::MAX),
            Ok(())
        );
    }

    #[test]
    fn a_lease_ends_at_its_deadline_and_says_so() {
        let lease = Lease::default().told(read_grant(br#"{"boottime_deadline_ms": 500}"#));
        assert_eq!(lease.check(499), Ok(()));
        let over = lease.check(500).unwrap_err();
        assert_eq!(over.over_since_ms, Some(0));
        assert!(
            lease
                .check(740)
                .unwrap_err()
                .to_string()
                .contains("240 ms ago")
        );
        let fresh = Lease::default().told(read_grant(br#"{"boottime_deadline_ms": 0}"#));
        let text = fresh.check(1).unwrap_err().to_string();
        assert!(text.contains("was not granted yet"), "{text}");
    }

    proptest! {
        #[test]
        fn whoever_was_told_of_a_lease_writes_before_the_last_deadline_alone(
            told in proptest::collection::vec(found(), 0..12),
            now in 0..2000u64,
        ) {
            let lease = told.iter().fold(Lease::default(), |lease, found| lease.told(*found));
            let leased = told.iter().any(|found| *found != Found::Nothing);
            let allowed = match told.last() {
                _ if !leased => true,
                Some(Found::Grant(grant)) => now < grant.boottime_deadline_ms,
                _ => false,
            };
            prop_assert_eq!(lease.check(now).is_ok(), allowed, "{:?} at {}", told, now);
        }

        #[test]
        fn any_file_is_a_grant_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let lease = Lease::default().told(read_grant(&bytes));
            prop_assert!(lease != Lease::Unbounded, "a file that is there always bounds");
        }
    }
}
