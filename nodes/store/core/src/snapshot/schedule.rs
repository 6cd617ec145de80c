//! Whether a snapshot is taken now.
//!
//! Invariants: a request is tried at once and once, whatever failed before; a failure is tried again after growing waits, none
//! longer than the interval; time passes on a clock that never goes back. Not here: taking it, clocks.

/// The wait after the first failure.
pub const FIRST_WAIT_MS: u64 = 10_000;
/// The longest wait after a failure.
pub const LONGEST_WAIT_MS: u64 = 15 * 60_000;

/// What was ordered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Between two snapshots; zero: only by request.
    pub interval_ms: u64,
    /// Grows with every request for one now.
    pub requested: u64,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since the last snapshot was taken; nothing when there is none.
    pub since_taken_ms: Option<u64>,
    /// The highest request that was served.
    pub served: u64,
    /// The highest request that was tried.
    pub tried: u64,
    /// Failures since a snapshot succeeded.
    pub failures: u32,
    /// Since the last failure.
    pub since_failure_ms: u64,
}

/// Why a snapshot is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was time.
    #[default]
    Scheduled,
    /// Somebody asked.
    Requested,
}

/// What is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A snapshot.
    Take(Reason),
    /// Nothing before so many milliseconds have passed, or something is ordered; nothing: by request alone.
    Wait {
        /// How long.
        ms: Option<u64>,
    },
}

/// The wait after so many failures.
#[must_use]
pub fn wait_ms(failures: u32, interval_ms: u64) -> u64 {
    let longest = match interval_ms {
        0 => LONGEST_WAIT_MS,
        interval => LONGEST_WAIT_MS.min(interval),
    };
    let grown = FIRST_WAIT_MS.saturating_mul(1 << failures.saturating_sub(1).min(20));
    grown.min(longest)
}

/// Decides.
#[must_use]
pub fn next(policy: Policy, progress: Progress) -> Next {
    if policy.requested > progress.served.max(progress.tried) {
        return Next::Take(Reason::Requested);
    }
    let asked = policy.requested > progress.served;
    let due_ms = match (policy.interval_ms, progress.since_taken_ms) {
        _ if asked => Some(0),
        (0, _) => None,
        (_, None) => Some(0),
        (interval, Some(since)) => Some(interval.saturating_sub(since)),
    };
    let rest_ms = match progress.failures {
        0 => 0,
        failures => wait_ms(failures, policy.interval_ms).saturating_sub(progress.since_failure_ms),
    };
    match due_ms.map(|due| due.max(rest_ms)) {
        Some(0) if asked => Next::Take(Reason::Requested),
        Some(0) => Next::Take(Reason::Scheduled),
        ms => Next::Wait { ms },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HALF_HOUR: u64 = 1_800_000;

    fn policy(requested: u64) -> Policy {
        Policy {
            interval_ms: HALF_HOUR,
            requested,
        }
    }

    #[test]
    fn the_first_is_taken_at_once_and_the_next_when_it_is_time() {
        let mut progress = Progress::default();
        assert_eq!(next(policy(0), progress), Next::Take(Reason::Scheduled));
        progress.since_taken_ms = Some(0);
        assert_eq!(
            next(policy(0), progress),
            Next::Wait {
                ms: Some(HALF_HOUR)
            }
        );
        progress.since_taken_ms = Some(HALF_HOUR - 1);
        assert_eq!(next(policy(0), progress), Next::Wait { ms: Some(1) });
        progress.since_taken_ms = Some(HALF_HOUR);
        assert_eq!(next(policy(0), progress), Next::Take(Reason::Scheduled));
    }

    #[test]
    fn a_request_is_tried_at_once_and_again_after_growing_waits() {
        let mut progress = Progress {
            since_taken_ms: Some(5),
            served: 2,
            tried: 2,
            ..Progress::default()
        };
        assert_eq!(next(policy(3), progress), Next::Take(Reason::Requested));
        progress = Progress {
            tried: 3,
            failures: 1,
            ..progress
        };
        assert_eq!(
            next(policy(3), progress),
            Next::Wait {
                ms: Some(FIRST_WAIT_MS)
            }
        );
        assert_eq!(
            next(policy(4), progress),
            Next::Take(Reason::Requested),
            "another request"
        );
        progress.since_failure_ms = FIRST_WAIT_MS;
        assert_eq!(next(policy(3), progress), Next::Take(Reason::Requested));
        progress = Progress {
            failures: 0,
            served: 3,
            ..progress
        };
        assert!(matches!(next(policy(3), progress), Next::Wait { .. }));
    }

    #[test]
    fn without_an_interval_only_requests_count() {
        let none = Policy {
            interval_ms: 0,
            requested: 0,
        };
        assert_eq!(next(none, Progress::default()), Next::Wait { ms: None });
        let asked = Policy {
            requested: 1,
            ..none
        };
        assert_eq!(
            next(asked, Progress::default()),
            Next::Take(Reason::Requested)
        );
    }

    proptest! {
        #[test]
        fn a_wait_ends_in_a_snapshot_and_is_never_longer_than_the_interval(
            interval_ms in 1..100_000_000u64,
            since_taken_ms in proptest::option::of(0..200_000_000u64),
            (served, tried, requested) in (0..5u64, 0..5u64, 0..5u64),
            (failures, since_failure_ms) in (0..100u32, 0..2_000_000u64),
        ) {
            let policy = Policy { interval_ms, requested };
            let progress = Progress { since_taken_ms, served, tried, failures, since_failure_ms };
            match next(policy, progress) {
                Next::Take(_) => {}
                Next::Wait { ms: None } => prop_assert!(false, "there is an interval"),
                Next::Wait { ms: Some(ms) } => {
                    prop_assert!(ms > 0 && ms <= interval_ms, "{} of {}", ms, interval_ms);
                    let later = Progress {
                        since_taken_ms: since_taken_ms.map(|since| since + ms),
                        since_failure_ms: since_failure_ms + ms,
                        ..progress
                    };
                    prop_assert!(matches!(next(policy, later), Next::Take(_)), "{:?}", later);
                }
            }
        }

        #[test]
        fn waits_grow(failures in 1..60u32, interval_ms in 0..100_000_000u64) {
            prop_assert!(wait_ms(failures, interval_ms) <= wait_ms(failures + 1, interval_ms));
            prop_assert!(wait_ms(failures, interval_ms) <= LONGEST_WAIT_MS);
        }
    }
}
