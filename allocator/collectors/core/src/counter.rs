//! Arithmetic over two readings of a counter.
//!
//! Invariants: a counter that went back gives `None`, never a negative rate; no division by zero.
//! Not here: which counters belong together.

/// How much a counter grew; `None` when it went back (it was reset).
pub fn increase(old: u64, new: u64) -> Option<u64> {
    new.checked_sub(old)
}

/// How much a counter grew per second; `None` when it was reset or no time passed.
pub fn per_second(old: u64, new: u64, elapsed_ms: u64) -> Option<f64> {
    let grown = increase(old, new)?;
    (elapsed_ms > 0).then(|| grown as f64 * 1000.0 / elapsed_ms as f64)
}

/// `part / whole`, 0 when there is no whole.
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Rounds to four decimals as Metricbeat does.
pub fn round4(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rates_are_never_negative(old: u64, new: u64, elapsed: u64) {
            match per_second(old, new, elapsed) {
                Some(rate) => prop_assert!(rate >= 0.0 && rate.is_finite()),
                None => prop_assert!(new < old || elapsed == 0),
            }
            prop_assert!(share(old, new) >= 0.0);
        }
    }

    #[test]
    fn four_decimals_are_kept() {
        assert_eq!(round4(0.123_45), 0.1235);
        assert_eq!(round4(2.0), 2.0);
    }
}
