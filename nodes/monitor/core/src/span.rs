//! Spans of time as people write them: `500ms`, `90s`, `5m`, `1h30m`, `2d`.
//!
//! Invariant: what is formatted parses to the same milliseconds.
//! Not here: calendar spans (months), which have no length.

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Milliseconds of a text; `None` when it is no span of time or has no end.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|letter: char| letter.is_ascii_digit())
            .unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..letters])?;
        // From large to small, each once: `1m1h` is a slip.
        if *unit >= last {
            return None;
        }
        last = *unit;
        rest = &rest[letters..];
        total = total.checked_add(count.checked_mul(*unit)?)?;
    }
    (!text.is_empty()).then_some(total)
}

/// The shortest text that means so many milliseconds.
#[must_use]
pub fn format(ms: u64) -> String {
    let mut text = String::new();
    let mut rest = ms;
    for (name, unit) in UNITS {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// Milliseconds of an age as storages read it: `7D`, `1.5d`, `500micros`, `0`, `-1`; `None` when it is none. One below
/// zero has passed already.
#[must_use]
pub fn storage_age(text: &str) -> Option<u64> {
    let text = text.trim();
    if matches!(text, "0" | "-1") {
        return Some(0);
    }
    let (number, unit) = text.split_at(text.find(|letter: char| letter.is_ascii_alphabetic())?);
    let unit = match unit {
        "nanos" => 1e-6,
        "micros" => 1e-3,
        "ms" => 1.0,
        "s" => 1_000.0,
        "m" => 60_000.0,
        "h" | "H" => 3_600_000.0,
        "d" | "D" => 86_400_000.0,
        _ => return None,
    };
    let ms = number.parse::<f64>().ok()? * unit;
    // What is below zero is zero as a whole number without a sign.
    (ms.abs() < 9e15).then_some(ms as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans_are_read_as_people_mean_them() {
        assert_eq!(parse("90s"), Some(90_000));
        assert_eq!(parse("1h30m"), Some(5_400_000));
        assert_eq!(parse("250ms"), Some(250));
        for text in [
            "",
            "5",
            "m",
            "1 h",
            "1m1h",
            "1h1h",
            "-1s",
            "1.5h",
            "1w",
            "99999999999999999d",
        ] {
            assert_eq!(parse(text), None, "`{text}`");
        }
    }

    #[test]
    fn ages_are_read_as_storages_read_them() {
        let hour = 3_600_000;
        for (text, want) in [
            ("7d", 168 * hour),
            ("7D", 168 * hour),
            ("12H", 12 * hour),
            ("1.5d", 36 * hour),
            (" 90s ", 90_000),
            ("0", 0),
            ("0ms", 0),
            ("-1", 0),
            ("-3d", 0),
            ("2500micros", 2),
            ("3000000nanos", 3),
        ] {
            assert_eq!(storage_age(text), Some(want), "`{text}`");
        }
        for text in [
            "",
            "5",
            "d",
            "1w",
            "1S",
            "1d2h",
            "soon",
            "99999999999999999d",
            "1..5d",
        ] {
            assert_eq!(storage_age(text), None, "`{text}`");
        }
    }

    proptest! {
        #[test]
        fn what_is_formatted_parses_to_the_same(ms in any::<u64>()) {
            prop_assert_eq!(parse(&format(ms)), Some(ms));
        }

        #[test]
        fn any_text_is_a_span_or_none(text in ".{0,20}") {
            let _ = (parse(&text), storage_age(&text));
        }
    }
}
