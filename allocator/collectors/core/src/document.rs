//! One document on its way to a data stream, and where its id comes from.
//!
//! Invariants: the id is a function of what the document is about and where it was read, so the
//! same reading always has the same id; the body is one line of JSON.
//! Not here: what is in the body (`envelope`, `metricset`, `log`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// A document, ready to be spooled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The data stream, as `metrics-docker.cpu-default`.
    pub stream: String,
    /// Its id.
    pub id: String,
    /// One line of JSON without a line end.
    pub body: Vec<u8>,
}

/// 20 characters that stand for a position: what was read, and where in it.
pub fn position_id(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ("ab", "c") and ("a", "bc") apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..15])
}

/// Appends a JSON string.
pub(crate) fn push_json(out: &mut Vec<u8>, text: &str) {
    // Writing a string into memory has no way to fail.
    let _ = serde_json::to_writer(out, text);
}

/// Appends `YYYY-MM-DDThh:mm:ss.mmmZ`, the civil date by Howard Hinnant's algorithm.
pub fn push_time(out: &mut Vec<u8>, ms: i64) {
    use std::io::Write as _;
    // Years 0000 to 9999, so that four digits always do.
    let ms = ms.clamp(-62_167_219_200_000, 253_402_300_799_999);
    let (days, rest) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    let _ = write!(
        out,
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
    );
}

/// A time as documents carry it.
pub fn time_text(ms: i64) -> String {
    let mut out = Vec::with_capacity(24);
    push_time(&mut out, ms);
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_has_twenty_characters_and_tells_parts_apart() {
        assert_eq!(position_id(&[b"ab", b"c"]).len(), 20);
        assert_ne!(position_id(&[b"ab", b"c"]), position_id(&[b"a", b"bc"]));
    }

    proptest! {
        #[test]
        fn times_are_those_of_a_calendar_library(ms in -60_000_000_000_000i64..250_000_000_000_000) {
            let text = time_text(ms);
            let parsed: jiff::Timestamp = text.parse().unwrap();
            prop_assert_eq!(parsed.as_millisecond(), ms);
        }
    }
}
