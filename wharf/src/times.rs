//! Times and ages as people type them.

use prost_types::Timestamp;
use wharf_proto::times::timestamp;

use crate::failure::Failure;

/// Milliseconds of `90s`, `10m`, `2h`, `1d`.
pub(crate) fn age(text: &str) -> Result<u64, Failure> {
    let unit = text.chars().last().unwrap_or(' ');
    let factor = match unit {
        's' => 1000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => 0,
    };
    text.strip_suffix(unit)
        .and_then(|number| number.parse::<u64>().ok())
        .and_then(|number| number.checked_mul(factor))
        .filter(|_| factor > 0)
        .ok_or_else(|| {
            Failure::new(
                "CLI0009",
                format!("`{text}` is no age"),
                "write `90s`, `10m`, `2h` or `1d`",
            )
        })
}

/// A time: RFC 3339, or an age before now.
pub(crate) fn time(text: &str, now_ms: u64) -> Result<Timestamp, Failure> {
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Ok(timestamp(u64::try_from(at.as_millisecond()).unwrap_or(0)));
    }
    age(text)
        .map(|ms| timestamp(now_ms.saturating_sub(ms)))
        .map_err(|_| {
            Failure::new(
                "CLI0009",
                format!("`{text}` is no time"),
                "write `2026-01-31T12:00:00Z`, or an age like `90s`, `10m`, `2h` or `1d`",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_number_and_a_unit() {
        assert_eq!(age("90s").unwrap(), 90_000);
        assert_eq!(age("2h").unwrap(), 7_200_000);
        for text in ["", "s", "10", "10x", "-1m", "99999999999999999999d", "é"] {
            assert_eq!(age(text).unwrap_err().code, "CLI0009", "`{text}`");
        }
    }

    #[test]
    fn a_time_is_a_date_or_an_age_before_now() {
        let at = |text| wharf_proto::times::millis(&time(text, 10_000_000).unwrap());
        assert_eq!(at("1h"), 6_400_000);
        assert_eq!(at("1970-01-01T01:00:00+00:30"), 1_800_000);
        assert_eq!(time("yesterday", 0).unwrap_err().code, "CLI0009");
    }
}
