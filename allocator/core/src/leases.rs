//! Until when leased instances may take writes: from the director's answer to a heartbeat to a deadline.
//!
//! Invariants: a lease is counted from when the heartbeat that it answers was sent, so that what the
//! answer took on its way only shortens it; an answer to a heartbeat that this session did not send, has
//! forgotten, or sent before one that was answered already, is no lease. Times are the caller's, in
//! milliseconds of a clock that goes on while the host sleeps. Not here: writing it down, and what a
//! director may grant.

use std::collections::VecDeque;

/// The longest lease that is taken; a longer one is cut.
pub const LONGEST_LEASE_MS: u64 = 3_600_000;
/// Heartbeats whose times are remembered.
pub const REMEMBERED: usize = 64;

/// Why an answer is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLease {
    /// Nobody knows when it was sent.
    #[error("heartbeat {0} was not sent in this session, or too long ago")]
    Unknown(u64),
    /// A later one was answered.
    #[error("heartbeat {offered} is older than {answered}, which was answered")]
    Older {
        /// The last that was answered.
        answered: u64,
        /// The one that the answer is for.
        offered: u64,
    },
}

/// When the heartbeats of one session were sent.
#[derive(Debug, Clone, Default)]
pub struct SentTimes {
    sent: VecDeque<(u64, u64)>,
    answered: u64,
}

impl SentTimes {
    /// A heartbeat is about to be sent.
    pub fn sending(&mut self, sequence: u64, now_ms: u64) {
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((sequence, now_ms));
    }

    /// Until when a lease lasts that answers the heartbeat of that sequence.
    ///
    /// # Errors
    /// When it is none.
    pub fn deadline(&mut self, sequence: u64, duration_ms: u64) -> Result<u64, NoLease> {
        if sequence < self.answered {
            return Err(NoLease::Older {
                answered: self.answered,
                offered: sequence,
            });
        }
        let sent = self.sent.iter().rev().find(|(of, _)| *of == sequence);
        let (_, at_ms) = sent.ok_or(NoLease::Unknown(sequence))?;
        self.answered = sequence;
        Ok(at_ms.saturating_add(duration_ms.min(LONGEST_LEASE_MS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lease_counts_from_when_the_heartbeat_was_sent() {
        let mut times = SentTimes::default();
        times.sending(1, 5_000);
        times.sending(2, 10_000);
        assert_eq!(times.deadline(1, 3_000), Ok(8_000));
        assert_eq!(times.deadline(2, 3_000), Ok(13_000));
        let older = NoLease::Older {
            answered: 2,
            offered: 1,
        };
        assert_eq!(times.deadline(1, 3_000), Err(older));
        assert_eq!(times.deadline(3, 3_000), Err(NoLease::Unknown(3)));
    }

    #[test]
    fn a_heartbeat_of_another_session_is_no_lease() {
        let mut earlier = SentTimes::default();
        earlier.sending(7, 1_000);
        let mut next = SentTimes::default();
        next.sending(1, 2_000);
        assert_eq!(next.deadline(7, 1_000), Err(NoLease::Unknown(7)));
    }

    proptest! {
        #[test]
        fn no_lease_lasts_longer_than_from_its_sending(
            steps in prop::collection::vec((any::<bool>(), 0_u64..120, any::<u64>(), 0_u64..5_000), 1..300)
        ) {
            let (mut times, mut now, mut sequence) = (SentTimes::default(), 0_u64, 0_u64);
            let mut sent_at = std::collections::BTreeMap::new();
            let mut last_answered = 0;
            for (send, asked, duration, later) in steps {
                now += later;
                if send {
                    sequence += 1;
                    sent_at.insert(sequence, now);
                    times.sending(sequence, now);
                } else if let Ok(deadline) = times.deadline(asked, duration) {
                    let sent = sent_at.get(&asked).expect("only what was sent has a lease");
                    prop_assert!(deadline - sent <= duration.min(LONGEST_LEASE_MS));
                    prop_assert!(asked >= last_answered, "an older answer counted");
                    last_answered = asked;
                }
                prop_assert!(times.sent.len() <= REMEMBERED);
            }
        }
    }
}
