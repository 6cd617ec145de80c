//! Date formats as mappings, ranges and date histograms name them: `strict_date_optional_time||epoch_millis`,
//! the other named ones, and java.time patterns. Invariants: a format parses to unix milliseconds (UTC) and prints
//! them; alternatives are tried in order when parsing and the first prints; parsing never panics.
//! Not here: `now-1d/d` (`datemath`), intervals (`interval`).

pub mod civil;
mod iso;
mod pattern;

use crate::error::{EsError, EsResult};
use civil::Fields;
use jiff::tz::TimeZone;
use pattern::Pattern;

/// The default of date fields.
pub const DEFAULT_FORMAT: &str = "strict_date_optional_time||epoch_millis";
/// Longest date text that is looked at.
const TEXT_LIMIT: usize = 128;

/// One or several formats, separated by `||`.
#[derive(Debug, Clone, PartialEq)]
pub struct DateFormat {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// `strict_date_optional_time`, `date_optional_time`, `iso8601`, `..._nanos`.
    Iso {
        strict: bool,
        nanos: bool,
    },
    EpochMillis,
    EpochSecond,
    Pattern(Pattern),
}

impl Default for DateFormat {
    fn default() -> Self {
        Self {
            text: DEFAULT_FORMAT.to_owned(),
            parts: vec![
                Part::Iso {
                    strict: true,
                    nanos: false,
                },
                Part::EpochMillis,
            ],
        }
    }
}

impl DateFormat {
    /// Reads a format.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming the format when a part is neither a known name nor a pattern.
    pub fn new(text: &str) -> EsResult<Self> {
        if text.is_empty() || text.len() > 512 {
            return Err(EsError::illegal_argument("No date pattern provided"));
        }
        let mut parts = Vec::new();
        for name in text.split("||") {
            let name = name.trim();
            let name = name.strip_prefix('8').unwrap_or(name);
            parts.push(Part::new(name)?);
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the first alternative prints epoch milliseconds (clients that ask so expect digits).
    #[must_use]
    pub fn prints_epoch(&self) -> bool {
        matches!(
            self.parts.first(),
            Some(Part::EpochMillis | Part::EpochSecond)
        )
    }

    /// Parses; dates without offset are UTC, absent parts are the smallest.
    ///
    /// # Errors
    /// `illegal_argument_exception` as Elasticsearch words it.
    pub fn parse_ms(&self, text: &str) -> EsResult<i64> {
        self.parse_in(text, &TimeZone::UTC, false)
    }

    /// Parses; dates without offset are in `zone`. With `round_up` absent hours, minutes, seconds and milliseconds are
    /// the largest (`lte: 2024-01-05` means the whole day).
    ///
    /// # Errors
    /// `illegal_argument_exception` as Elasticsearch words it.
    pub fn parse_in(&self, text: &str, zone: &TimeZone, round_up: bool) -> EsResult<i64> {
        if text.len() <= TEXT_LIMIT {
            for part in &self.parts {
                if let Some(ms) = part.parse(text, zone, round_up) {
                    return Ok(ms);
                }
            }
        }
        Err(self.refused(text))
    }

    fn refused(&self, text: &str) -> EsError {
        let shown: String = text.chars().take(TEXT_LIMIT).collect();
        let error = EsError::illegal_argument(format!(
            "failed to parse date field [{shown}] with format [{}]",
            self.text
        ));
        let cause = if self.parts.len() > 1 || self.prints_epoch() {
            "Failed to parse with all enclosed parsers".to_owned()
        } else {
            format!("Text '{shown}' could not be parsed at index 0")
        };
        error.caused_by(EsError::new(400, "date_time_parse_exception", cause))
    }

    /// Prints in UTC.
    #[must_use]
    pub fn format_ms(&self, ms: i64) -> String {
        self.format_in(ms, &TimeZone::UTC)
    }

    /// Prints in a zone.
    #[must_use]
    pub fn format_in(&self, ms: i64, zone: &TimeZone) -> String {
        match self.parts.first() {
            Some(Part::EpochMillis) => ms.to_string(),
            Some(Part::EpochSecond) => epoch_second(ms),
            Some(Part::Pattern(pattern)) => pattern.format(ms, zone),
            Some(Part::Iso { .. }) | None => iso::format(ms, zone),
        }
    }
}

/// Prints as `2024-01-31T10:00:00.000Z`.
#[must_use]
pub fn iso_utc(ms: i64) -> String {
    iso::format(ms, &TimeZone::UTC)
}

/// Parses the text that dynamic mapping takes for a date (`strict_date_optional_time`, at least `yyyy-MM-dd`;
/// or `yyyy/MM/dd` with an optional time).
#[must_use]
pub fn looks_like_date(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes.len() > TEXT_LIMIT || !bytes[0].is_ascii_digit() {
        return None;
    }
    let dashed = bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
    if dashed
        && iso::parse(text, true)
            .is_some_and(|fields| fields.resolve(&TimeZone::UTC, false).is_some())
    {
        return Some(DEFAULT_FORMAT);
    }
    if bytes.get(4) == Some(&b'/') && bytes.get(7) == Some(&b'/') {
        const SLASHED: &str = "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis";
        let known = DateFormat::new("yyyy/MM/dd HH:mm:ss||yyyy/MM/dd").ok()?;
        return known.parse_ms(text).is_ok().then_some(SLASHED);
    }
    None
}

impl Part {
    fn new(name: &str) -> EsResult<Self> {
        let (strict, base) = match name.strip_prefix("strict_") {
            Some(base) => (true, base),
            None => (false, name),
        };
        Ok(match base {
            "date_optional_time" | "dateOptionalTime" => Self::Iso {
                strict,
                nanos: false,
            },
            "date_optional_time_nanos" => Self::Iso {
                strict,
                nanos: true,
            },
            "iso8601" => Self::Iso {
                strict,
                nanos: true,
            },
            "epoch_millis" if !strict => Self::EpochMillis,
            "epoch_second" if !strict => Self::EpochSecond,
            _ => {
                let pattern = match named(base) {
                    Some(pattern) => Pattern::new(pattern),
                    None if strict => None,
                    None => Pattern::new(name),
                };
                Self::Pattern(pattern.ok_or_else(|| {
                    EsError::illegal_argument(format!(
                        "Invalid format: [{name}]: Unknown pattern letter: {}",
                        pattern::unknown_letter(name)
                    ))
                })?)
            }
        })
    }

    fn parse(&self, text: &str, zone: &TimeZone, round_up: bool) -> Option<i64> {
        match self {
            Self::Iso { strict, .. } => iso::parse(text, *strict)?.resolve(zone, round_up),
            // As in Elasticsearch, digits are a reading of the zone's clock too when a request names a zone.
            Self::EpochMillis => decimal(text, 0).map(|ms| civil::local_to_utc(zone, ms)),
            Self::EpochSecond => decimal(text, 3).map(|ms| civil::local_to_utc(zone, ms)),
            Self::Pattern(pattern) => {
                let mut fields = Fields::default();
                pattern.parse(text, &mut fields)?;
                fields.resolve(zone, round_up)
            }
        }
    }
}

/// A decimal number times ten to the `shift`, the rest cut off.
fn decimal(text: &str, shift: u32) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || whole.len() > 18 {
        return None;
    }
    if digits.contains('.') && fraction.is_empty() {
        return None;
    }
    let mut value: i64 = whole.parse().ok()?;
    let mut rest = fraction.bytes();
    for _ in 0..shift {
        let digit = rest.next().map_or(0, |byte| i64::from(byte - b'0'));
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    Some(if negative { -value } else { value })
}

fn epoch_second(ms: i64) -> String {
    let (seconds, rest) = (ms.div_euclid(1000), ms.rem_euclid(1000));
    if rest == 0 {
        return seconds.to_string();
    }
    let text = format!("{seconds}.{rest:03}");
    text.trim_end_matches('0').to_owned()
}

/// Elasticsearch's names that are plain patterns. Strict and lenient ones differ in digits only; patterns here take
/// the digits they show.
fn named(name: &str) -> Option<&'static str> {
    Some(match name {
        "basic_date" => "yyyyMMdd",
        "basic_date_time" => "yyyyMMdd'T'HHmmss.SSSXX",
        "basic_date_time_no_millis" => "yyyyMMdd'T'HHmmssXX",
        "basic_time" => "HHmmss.SSSXX",
        "basic_time_no_millis" => "HHmmssXX",
        "basic_ordinal_date" => "yyyyDDD",
        "date" => "yyyy-MM-dd",
        "date_hour" => "yyyy-MM-dd'T'HH",
        "date_hour_minute" => "yyyy-MM-dd'T'HH:mm",
        "date_hour_minute_second" => "yyyy-MM-dd'T'HH:mm:ss",
        "date_hour_minute_second_fraction" | "date_hour_minute_second_millis" => {
            "yyyy-MM-dd'T'HH:mm:ss.SSS"
        }
        "date_time" => "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
        "date_time_no_millis" => "yyyy-MM-dd'T'HH:mm:ssXXX",
        "hour" => "HH",
        "hour_minute" => "HH:mm",
        "hour_minute_second" => "HH:mm:ss",
        "hour_minute_second_fraction" | "hour_minute_second_millis" => "HH:mm:ss.SSS",
        "ordinal_date" => "yyyy-DDD",
        "time" => "HH:mm:ss.SSSXXX",
        "time_no_millis" => "HH:mm:ssXXX",
        "year" => "yyyy",
        "year_month" => "yyyy-MM",
        "year_month_day" => "yyyy-MM-dd",
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
