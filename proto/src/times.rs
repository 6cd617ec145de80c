//! Between `google.protobuf.Timestamp` and UTC milliseconds since 1970, the form that cores use.
//! Both directions clamp instead of failing: a time from outside is never a reason to panic.

use prost_types::Timestamp;

/// A timestamp from milliseconds since 1970.
#[must_use]
pub fn timestamp(ms: u64) -> Timestamp {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(ms % 1000).unwrap_or(0) * 1_000_000;
    Timestamp { seconds, nanos }
}

/// Milliseconds since 1970; times before it are zero.
#[must_use]
pub fn millis(timestamp: &Timestamp) -> u64 {
    let seconds = u64::try_from(timestamp.seconds).unwrap_or(0);
    let nanos = u64::try_from(timestamp.nanos).unwrap_or(0).min(999_999_999);
    seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn milliseconds_survive_the_way_there_and_back(ms in 0_u64..9_000_000_000_000_000) {
            prop_assert_eq!(millis(&timestamp(ms)), ms);
        }

        #[test]
        fn no_timestamp_panics(seconds in any::<i64>(), nanos in any::<i32>()) {
            let _ = millis(&Timestamp { seconds, nanos });
        }
    }
}
