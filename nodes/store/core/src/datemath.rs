//! Date expressions: `now-1d/d`, `2024-01-01||+1M/M`, and names of indices such as `<logs-{now/d}>`.
//! Invariants: `now` is an argument; arithmetic follows the calendar of the zone; nothing overflows or panics.
//! Not here: date texts themselves (`dateformat`).

use crate::dateformat::DateFormat;
use crate::dateformat::civil::{local_to_utc, offset_seconds, zone_by_name};
use crate::error::{EsError, EsResult};
use crate::interval::CalendarUnit;
use jiff::{Span, Timestamp, tz::TimeZone};

/// Longest expression.
const LIMIT: usize = 256;

/// What an expression is read with.
#[derive(Debug, Clone, Copy)]
pub struct DateContext<'a> {
    /// The present.
    pub now_ms: i64,
    /// Of dates without offset and of rounding.
    pub zone: &'a TimeZone,
    /// Of the dates.
    pub format: &'a DateFormat,
}

/// Resolves an expression to unix milliseconds. `round_up` is for `gt` and `lte`: `/d` means the last millisecond of
/// the day, absent times are the latest.
///
/// # Errors
/// `parse_exception` or `illegal_argument_exception` in Elasticsearch's words.
pub fn resolve(text: &str, round_up: bool, context: DateContext<'_>) -> EsResult<i64> {
    if text.len() > LIMIT {
        return Err(EsError::new(
            400,
            "parse_exception",
            "date math expression is too long",
        ));
    }
    if let Some(math) = text.strip_prefix("now") {
        return apply(math, context.now_ms, round_up, context.zone);
    }
    match text.split_once("||") {
        None => date_of(text, round_up, context),
        // With arithmetic behind it the date itself is not rounded up.
        Some((date, math)) => {
            let start = date_of(date, false, context)?;
            apply(math, start, round_up, context.zone)
        }
    }
}

/// The date of an expression; that it is none is a fault of the expression.
fn date_of(text: &str, round_up: bool, context: DateContext<'_>) -> EsResult<i64> {
    let read = context.format.parse_in(text, context.zone, round_up);
    read.map_err(|error| {
        let outer = EsError::new(400, "parse_exception", error.reason());
        outer.caused_by(error)
    })
}

fn apply(math: &str, start: i64, round_up: bool, zone: &TimeZone) -> EsResult<i64> {
    let refuse = |why: &str| EsError::new(400, "parse_exception", format!("{why} [{math}]"));
    if !math.is_ascii() {
        return Err(refuse("operator not supported for date math"));
    }
    let bytes = math.as_bytes();
    let mut at = 0;
    let mut time = start;
    while at < bytes.len() {
        let operator = bytes[at];
        at += 1;
        let from = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        let digits = &math[from..at];
        let Some(unit) = bytes.get(at).copied() else {
            return Err(refuse("truncated date math"));
        };
        at += 1;
        match operator {
            b'/' if digits.is_empty() || digits == "1" => {
                let unit = match unit {
                    b'y' => CalendarUnit::Year,
                    b'M' => CalendarUnit::Month,
                    b'w' => CalendarUnit::Week,
                    b'd' => CalendarUnit::Day,
                    b'h' | b'H' => CalendarUnit::Hour,
                    b'm' => CalendarUnit::Minute,
                    b's' => CalendarUnit::Second,
                    _ => {
                        return Err(refuse(&format!(
                            "unit [{}] not supported for date math",
                            char::from(unit)
                        )));
                    }
                };
                time = if round_up {
                    unit.next(time, zone).saturating_sub(1)
                } else {
                    unit.floor(time, zone)
                };
            }
            b'/' => return Err(refuse("rounding `/` can only be used on single unit types")),
            b'+' | b'-' => {
                let count: i64 = if digits.is_empty() {
                    1
                } else {
                    digits
                        .parse()
                        .map_err(|_| refuse("number is too large for date math"))?
                };
                let count = if operator == b'-' { -count } else { count };
                time = moved(time, count, unit, zone).ok_or_else(|| {
                    refuse(&format!(
                        "unit [{}] not supported for date math",
                        char::from(unit)
                    ))
                })?;
            }
            _ => return Err(refuse("operator not supported for date math")),
        }
    }
    Ok(time)
}

fn moved(time: i64, count: i64, unit: u8, zone: &TimeZone) -> Option<i64> {
    let fixed = |ms: i64| time.checked_add(count.checked_mul(ms)?);
    let span = match unit {
        b's' => return fixed(1000),
        b'm' => return fixed(60_000),
        b'h' | b'H' => return fixed(3_600_000),
        b'd' if *zone == TimeZone::UTC => return fixed(86_400_000),
        b'w' if *zone == TimeZone::UTC => return fixed(7 * 86_400_000),
        b'd' => Span::new().try_days(count).ok()?,
        b'w' => Span::new().try_weeks(count).ok()?,
        b'M' => Span::new().try_months(count).ok()?,
        b'y' => Span::new().try_years(count).ok()?,
        _ => return None,
    };
    let at = Timestamp::from_millisecond(time)
        .ok()?
        .to_zoned(zone.clone());
    Some(at.checked_add(span).ok()?.timestamp().as_millisecond())
}

/// Resolves `<logs-{now/d{yyyy.MM.dd|+01:00}}>`; a name without `<` stays as it is.
///
/// # Errors
/// `parse_exception` when the braces or the expression are wrong.
pub fn index_name(name: &str, now_ms: i64) -> EsResult<String> {
    let Some(inner) = name
        .strip_prefix('<')
        .and_then(|rest| rest.strip_suffix('>'))
    else {
        return Ok(name.to_owned());
    };
    let refuse = || {
        EsError::new(
            400,
            "parse_exception",
            format!("invalid dynamic name expression [{inner}]"),
        )
    };
    let mut out = String::new();
    let mut rest = inner;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open + 1..];
        let mut depth = 1;
        let close = rest
            .char_indices()
            .find(|(_, letter)| {
                match letter {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                depth == 0
            })
            .map(|(at, _)| at)
            .ok_or_else(refuse)?;
        let expression = &rest[..close];
        rest = &rest[close + 1..];
        let (math, format, zone) = match expression.split_once('{') {
            None => (expression, "yyyy.MM.dd", "UTC"),
            Some((math, tail)) => {
                let tail = tail.strip_suffix('}').ok_or_else(refuse)?;
                let (format, zone) = tail.split_once('|').unwrap_or((tail, "UTC"));
                (math, format, zone)
            }
        };
        let zone = zone_by_name(zone).ok_or_else(refuse)?;
        let format = DateFormat::new(format)?;
        let at = resolve(
            math,
            false,
            DateContext {
                now_ms,
                zone: &zone,
                format: &format,
            },
        )?;
        out.push_str(&format.format_in(at, &zone));
    }
    if rest.contains('}') {
        return Err(refuse());
    }
    out.push_str(rest);
    Ok(out)
}

/// A zone as a request names it.
///
/// # Errors
/// `illegal_argument_exception` naming it.
pub fn zone(name: &str) -> EsResult<TimeZone> {
    zone_by_name(name).ok_or_else(|| {
        EsError::illegal_argument(format!(
            "Unknown time-zone ID: {}",
            name.chars().take(64).collect::<String>()
        ))
    })
}

/// Wall clock milliseconds of an instant in a zone.
#[must_use]
pub fn to_local(ms: i64, zone: &TimeZone) -> i64 {
    ms.saturating_add(offset_seconds(zone, ms) * 1000)
}

/// The instant of wall clock milliseconds in a zone.
#[must_use]
pub fn from_local(local_ms: i64, zone: &TimeZone) -> i64 {
    local_to_utc(zone, local_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dateformat::iso_utc;
    use proptest::prelude::*;

    const NOW: i64 = 1_706_695_200_123; // 2024-01-31T10:00:00.123Z, a Wednesday

    fn at(text: &str, round_up: bool, zone: &TimeZone) -> String {
        let format = DateFormat::default();
        match resolve(
            text,
            round_up,
            DateContext {
                now_ms: NOW,
                zone,
                format: &format,
            },
        ) {
            Ok(ms) => iso_utc(ms),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn expressions_are_worked_out_left_to_right() {
        let utc = TimeZone::UTC;
        for (text, low, high) in [
            (
                "now",
                "2024-01-31T10:00:00.123Z",
                "2024-01-31T10:00:00.123Z",
            ),
            (
                "now-1d/d",
                "2024-01-30T00:00:00.000Z",
                "2024-01-30T23:59:59.999Z",
            ),
            (
                "now/w",
                "2024-01-29T00:00:00.000Z",
                "2024-02-04T23:59:59.999Z",
            ),
            (
                "now+1M",
                "2024-02-29T10:00:00.123Z",
                "2024-02-29T10:00:00.123Z",
            ),
            (
                "now-1y/y",
                "2023-01-01T00:00:00.000Z",
                "2023-12-31T23:59:59.999Z",
            ),
            (
                "2024-01-15||/M",
                "2024-01-01T00:00:00.000Z",
                "2024-01-31T23:59:59.999Z",
            ),
            (
                "2024-01-15||+1M-1d",
                "2024-02-14T00:00:00.000Z",
                "2024-02-14T00:00:00.000Z",
            ),
            (
                "2024-01-15",
                "2024-01-15T00:00:00.000Z",
                "2024-01-15T23:59:59.999Z",
            ),
            (
                "now+2h/h-30m",
                "2024-01-31T11:30:00.000Z",
                "2024-01-31T12:29:59.999Z",
            ),
            (
                "now/m",
                "2024-01-31T10:00:00.000Z",
                "2024-01-31T10:00:59.999Z",
            ),
        ] {
            assert_eq!(at(text, false, &utc), low, "{text}");
            assert_eq!(at(text, true, &utc), high, "{text}");
        }
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let berlin = zone("Europe/Berlin").unwrap();
        assert_eq!(at("now/d", false, &berlin), "2024-01-30T23:00:00.000Z");
        assert_eq!(at("2024-01-15", false, &berlin), "2024-01-14T23:00:00.000Z");
        assert_eq!(
            at("2024-03-31||+1d", false, &berlin),
            "2024-03-31T22:00:00.000Z"
        );
    }

    #[test]
    fn mistakes_are_told() {
        for bad in [
            "now+",
            "now*1d",
            "now/2d",
            "now-1x",
            "nowhere",
            "2024-01-01||+",
            "now+99999999999999999999d",
        ] {
            assert!(
                at(bad, false, &TimeZone::UTC).contains("exception"),
                "{bad}"
            );
        }
        assert!(zone("Mars/Olympus").is_err());
    }

    #[test]
    fn index_names_have_dates() {
        assert_eq!(
            index_name("<logs-{now/d}-000001>", NOW).unwrap(),
            "logs-2024.01.31-000001"
        );
        assert_eq!(
            index_name("<a-{now/M{yyyy.MM|+12:00}}>", NOW).unwrap(),
            "a-2024.01"
        );
        assert_eq!(index_name("plain", NOW).unwrap(), "plain");
        assert!(index_name("<a-{now/d>", NOW).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(now|2024-01-01\\|\\|)?[-+/0-9yMwdhms]{0,20}|.{0,20}", up in any::<bool>()) {
            let _ = at(&text, up, &TimeZone::UTC);
            let _ = at(&text, up, &zone("America/New_York").unwrap());
            let _ = index_name(&format!("<{text}{{now{text}}}>"), NOW);
        }

        #[test]
        fn rounding_up_and_down_enclose_the_time(ms in 0i64..4_000_000_000_000, unit in "[yMwdhms]") {
            let format = DateFormat::default();
            let context = DateContext { now_ms: ms, zone: &TimeZone::UTC, format: &format };
            let low = resolve(&format!("now/{unit}"), false, context).unwrap();
            let high = resolve(&format!("now/{unit}"), true, context).unwrap();
            prop_assert!(low <= ms && ms <= high);
        }
    }
}
