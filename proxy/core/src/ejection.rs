//! Passive ejection: an instance that fails several times in a row is left out for a while, longer
//! each time, and comes back by itself. Connection failures count; answers of the application,
//! 5xx included, do not: the proxy cannot tell a bad query from a bad instance.

/// Failures in a row until an instance is left out.
pub const FAILURES: u32 = 3;
/// The first time out.
pub const BASE_MS: u64 = 1_000;
/// No time out is longer.
pub const MAX_MS: u64 = 30_000;

/// What is known of one instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ejection {
    failures: u32,
    times: u32,
    until_ms: u64,
}

impl Ejection {
    /// Whether the instance is to be left out now.
    #[must_use]
    pub fn is_out(&self, now_ms: u64) -> bool {
        now_ms < self.until_ms
    }

    /// An answer came, whatever it said.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The instance could not be reached or broke off.
    pub fn failed(&mut self, now_ms: u64) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= FAILURES && !self.is_out(now_ms) {
            let time = BASE_MS.saturating_mul(1 << self.times.min(10)).min(MAX_MS);
            self.times = self.times.saturating_add(1);
            self.until_ms = now_ms.saturating_add(time);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn three_failures_in_a_row_put_an_instance_out_and_time_brings_it_back() {
        let mut ejection = Ejection::default();
        ejection.failed(0);
        ejection.failed(0);
        assert!(!ejection.is_out(0));
        ejection.failed(0);
        assert!(ejection.is_out(BASE_MS - 1));
        assert!(!ejection.is_out(BASE_MS));
        ejection.failed(BASE_MS);
        assert!(
            ejection.is_out(BASE_MS + 2 * BASE_MS - 1),
            "the second time out is longer"
        );
    }

    #[test]
    fn one_answer_forgives_everything() {
        let mut ejection = Ejection::default();
        for _ in 0..10 {
            ejection.failed(5);
        }
        ejection.succeeded();
        assert_eq!(ejection, Ejection::default());
    }

    proptest! {
        #[test]
        fn nobody_is_out_for_longer_than_the_bound(steps in proptest::collection::vec((any::<bool>(), 0_u64..40_000), 0..60)) {
            let mut ejection = Ejection::default();
            let mut now_ms = 0;
            for (ok, pass) in steps {
                now_ms += pass;
                if ok { ejection.succeeded() } else { ejection.failed(now_ms) }
                prop_assert!(!ejection.is_out(now_ms + MAX_MS));
            }
        }
    }
}
