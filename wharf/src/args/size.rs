//! Sizes as people type them: `512m`, `4g`, `1.5` cores. Not here: what they are for.

/// Bytes of `512m`, `4g`, `1t`; a bare number is no size, because nobody can tell its unit.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let unit = lower.trim_end_matches("ib").trim_end_matches('b');
    let shift = match unit.chars().last() {
        Some('m') => 20,
        Some('g') => 30,
        Some('t') => 40,
        _ => return Err("write `512m`, `4g` or `1t`".to_owned()),
    };
    unit[..unit.len() - 1]
        .parse::<u64>()
        .ok()
        .filter(|number| *number > 0)
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| "write a whole number above zero: `512m`, `4g` or `1t`".to_owned())
}

/// Thousandths of a core of `2`, `1.5`, `500m`.
pub(super) fn cores(text: &str) -> Result<u32, String> {
    let wrong = || "write `2`, `1.5` or `500m`".to_owned();
    let millis = match text.strip_suffix('m') {
        Some(millis) => millis.parse::<u32>().ok(),
        None => {
            let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
            let digits = part.len();
            let thousandths = (1..=3)
                .contains(&digits)
                .then(|| part.parse::<u32>().ok())
                .flatten()
                .and_then(|part| {
                    10_u32
                        .checked_pow(3 - u32::try_from(digits).ok()?)
                        .map(|by| part * by)
                });
            whole
                .parse::<u32>()
                .ok()
                .and_then(|whole| whole.checked_mul(1000))
                .zip(thousandths)
                .and_then(|(whole, part)| whole.checked_add(part))
        }
    };
    millis.filter(|millis| *millis > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn sizes_have_a_number_and_a_unit() {
        assert_eq!(bytes("512m"), Ok(512 << 20));
        assert_eq!(bytes("4g"), Ok(4 << 30));
        assert_eq!(bytes("4GiB"), Ok(4 << 30));
        assert_eq!(bytes("1tb"), Ok(1 << 40));
        for text in [
            "",
            "4",
            "g",
            "0g",
            "-1g",
            "1.5g",
            "4x",
            "99999999999999t",
            "é",
        ] {
            assert!(bytes(text).is_err(), "`{text}` was taken");
        }
    }

    #[test]
    fn cores_are_whole_or_have_thousandths() {
        for (text, millis) in [
            ("2", 2000),
            ("1.5", 1500),
            ("0.25", 250),
            ("500m", 500),
            ("1.001", 1001),
        ] {
            assert_eq!(cores(text), Ok(millis), "`{text}`");
        }
        for text in [
            "", "0", "0.0", "-1", "1.", "1.2345", ".5", "m", "5000000", "1.x", "é",
        ] {
            assert!(cores(text).is_err(), "`{text}` was taken");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_size_or_refused(text in any::<String>()) {
            let _ = (bytes(&text), cores(&text));
        }

        #[test]
        fn thousandths_are_read_as_they_are_written(millis in 1_u32..4_000_000) {
            let text = format!("{}.{:03}", millis / 1000, millis % 1000);
            prop_assert_eq!(cores(&text), Ok(millis));
        }
    }
}
