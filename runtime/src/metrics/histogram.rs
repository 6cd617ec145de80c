//! How long something took, counted by bounds, as Prometheus reads it.
//!
//! Invariants: the buckets of a text rise to the count, because sum and count are those of the
//! buckets that were read; observing is two atomic additions. Not here: which bounds are right.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds in microseconds that fit what a disk or a search takes: a tenth of a millisecond to ten
/// seconds.
const BOUNDS_US: [u64; 12] = [
    100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000, 2_500_000,
    10_000_000,
];

#[derive(Debug, Default)]
struct Kept {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// Counts durations. Clones are the same histogram.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<Kept>);

impl Histogram {
    /// Counts one.
    pub fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS_US.partition_point(|bound| *bound < us);
        if let Some(bucket) = self.0.buckets.get(at) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.0.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        let each = self.0.buckets.iter();
        each.map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// The sum of what was counted.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.0.sum_us.load(Ordering::Relaxed))
    }

    /// Its samples; `labels` is `{…}` or empty.
    pub(super) fn render(&self, out: &mut String, name: &str, labels: &str) {
        let sum = self.sum();
        let inner = labels.strip_prefix('{').and_then(|l| l.strip_suffix('}'));
        let before = inner.map_or_else(String::new, |inner| format!("{inner},"));
        let mut total = 0;
        for (at, bucket) in self.0.buckets.iter().enumerate() {
            total += bucket.load(Ordering::Relaxed);
            let bound = BOUNDS_US.get(at).map_or_else(
                || "+Inf".to_owned(),
                |us| format!("{}", *us as f64 / 1_000_000.0),
            );
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{name}_bucket{{{before}le=\"{bound}\"}} {total}");
        }
        let _ = writeln!(out, "{name}_sum{labels} {}", sum.as_secs_f64());
        let _ = writeln!(out, "{name}_count{labels} {total}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_by_the_smallest_bound_that_holds_them() {
        let histogram = Histogram::default();
        for us in [0, 100, 101, 2_000_000, 60_000_000] {
            histogram.observe(Duration::from_micros(us));
        }
        let mut text = String::new();
        histogram.render(&mut text, "took_seconds", "{kind=\"search\"}");
        for (bound, count) in [
            ("0.0001", 2),
            ("0.0005", 3),
            ("1", 3),
            ("2.5", 4),
            ("10", 4),
            ("+Inf", 5),
        ] {
            let line = format!("took_seconds_bucket{{kind=\"search\",le=\"{bound}\"}} {count}\n");
            assert!(text.contains(&line), "expected {line} in\n{text}");
        }
        assert!(
            text.contains("took_seconds_sum{kind=\"search\"} 62.000201\n"),
            "{text}"
        );
        assert!(
            text.contains("took_seconds_count{kind=\"search\"} 5\n"),
            "{text}"
        );
        assert_eq!(
            (histogram.count(), histogram.sum().as_micros()),
            (5, 62_000_201)
        );
    }
}
