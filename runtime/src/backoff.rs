//! The one backoff: exponential, bounded, jittered.
//!
//! Invariants: a delay is never under half of what is due nor over the maximum; it doubles until the
//! maximum and starts anew after [`Backoff::reset`]. Pure: randomness is an argument. Not here: sleeping.

use std::time::Duration;

/// Counts failures in a row and says how long to wait before the next try.
#[derive(Clone, Debug)]
pub struct Backoff {
    min_ms: u64,
    max_ms: u64,
    failures: u32,
}

impl Backoff {
    /// Delays from about `min_ms`, doubling up to `max_ms`.
    pub fn new(min_ms: u64, max_ms: u64) -> Self {
        let min_ms = min_ms.max(1);
        Self {
            min_ms,
            max_ms: max_ms.max(min_ms),
            failures: 0,
        }
    }

    /// The next delay, drawn from the upper half of what is due with `random` (any number).
    pub fn next(&mut self, random: u64) -> Duration {
        let due = self
            .min_ms
            .saturating_mul(1 << self.failures.min(32))
            .min(self.max_ms);
        self.failures = self.failures.saturating_add(1);
        let half = due / 2;
        Duration::from_millis(half + random % (due - half + 1))
    }

    /// Failures since the last reset.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// It worked: the next delay is a short one again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn delays_double_until_the_maximum_and_start_anew_after_a_reset() {
        let mut backoff = Backoff::new(100, 1_000);
        // The largest draw of each step.
        let full = |b: &mut Backoff, due: u64| b.next(due - due / 2).as_millis() as u64;
        assert_eq!(full(&mut backoff, 100), 100);
        assert_eq!(full(&mut backoff, 200), 200);
        assert_eq!(full(&mut backoff, 400), 400);
        assert_eq!(full(&mut backoff, 800), 800);
        assert_eq!(full(&mut backoff, 1_000), 1_000);
        assert_eq!(backoff.failures(), 5);
        backoff.reset();
        assert_eq!(full(&mut backoff, 100), 100);
    }

    proptest! {
        #[test]
        fn delays_stay_in_bounds(min in 0u64..10_000, max in 0u64..100_000, draws in prop::collection::vec(any::<u64>(), 1..80)) {
            let mut backoff = Backoff::new(min, max);
            for random in draws {
                let delay = backoff.next(random).as_millis() as u64;
                prop_assert!(delay >= min.max(1) / 2);
                prop_assert!(delay <= max.max(min).max(1));
            }
        }
    }
}
