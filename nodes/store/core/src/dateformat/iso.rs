//! `strict_date_optional_time`: the format of almost every date, read and written without a pattern.
//! Invariant: `parse(format(ms)) == ms`. Not here: named patterns.

use super::civil::{self, DAY_MS, Fields, civil_from_days, offset_seconds, read_offset};
use jiff::tz::TimeZone;
use std::fmt::Write;

/// Reads `yyyy[-MM[-dd]][THH[:mm[:ss[.fraction]]][offset]]`; lenient ones may have fewer digits.
pub(super) fn parse(text: &str, strict: bool) -> Option<Fields> {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut fields = Fields::default();
    let number = |at: &mut usize, digits: usize| -> Option<u32> {
        let start = *at;
        let mut value = 0u32;
        while *at - start < digits && bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            value = value * 10 + u32::from(bytes[*at] - b'0');
            *at += 1;
        }
        let read = *at - start;
        (read == digits || (!strict && read > 0)).then_some(value)
    };
    let negative = bytes.first() == Some(&b'-');
    at += usize::from(negative);
    let year = i64::from(number(&mut at, 4)?);
    if !strict && bytes.get(at).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    fields.year = Some(if negative { -year } else { year });
    if bytes.get(at) == Some(&b'-') {
        at += 1;
        fields.month = Some(number(&mut at, 2)?);
        if bytes.get(at) == Some(&b'-') {
            at += 1;
            fields.day = Some(number(&mut at, 2)?);
        }
    }
    if bytes.get(at) == Some(&b'T') {
        at += 1;
        if at == bytes.len() {
            return (!strict || fields.day.is_some()).then_some(fields);
        }
        fields.hour = Some(number(&mut at, 2)?);
        if bytes.get(at) == Some(&b':') {
            at += 1;
            fields.minute = Some(number(&mut at, 2)?);
            if bytes.get(at) == Some(&b':') {
                at += 1;
                fields.second = Some(number(&mut at, 2)?);
                if matches!(bytes.get(at), Some(b'.' | b',')) {
                    at += 1;
                    fields.nanos = Some(fraction(bytes, &mut at)?);
                }
            }
        }
        if at < bytes.len() {
            match read_offset(bytes, &mut at) {
                Some(offset) => fields.offset = Some(offset),
                None => {
                    let name = text.get(at..)?;
                    civil::zone_by_name(name)?;
                    fields.zone = Some(name.to_owned());
                    at = bytes.len();
                }
            }
        }
    }
    (at == bytes.len()).then_some(fields)
}

/// One to nine digits after the point, as nanoseconds.
pub(super) fn fraction(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let start = *at;
    let mut nanos = 0u32;
    while bytes.get(*at).is_some_and(u8::is_ascii_digit) {
        if *at - start == 9 {
            return None;
        }
        nanos = nanos * 10 + u32::from(bytes[*at] - b'0');
        *at += 1;
    }
    let digits = *at - start;
    if digits == 0 {
        return None;
    }
    Some(nanos * 10u32.pow(9 - digits as u32))
}

/// Writes `2024-01-31T10:00:00.000Z`, or with `+01:00` in another zone.
pub(super) fn format(ms: i64, zone: &TimeZone) -> String {
    let offset = offset_seconds(zone, ms);
    let local = ms.saturating_add(offset * 1000);
    let (year, month, day) = civil_from_days(local.div_euclid(DAY_MS));
    let time = local.rem_euclid(DAY_MS);
    let (hour, minute, second, milli) = (
        time / 3_600_000,
        time / 60_000 % 60,
        time / 1000 % 60,
        time % 1000,
    );
    let mut text = String::with_capacity(29);
    let sign = if year < 0 { "-" } else { "" };
    let _ = write!(
        text,
        "{sign}{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}",
        year.abs()
    );
    text.push_str(&offset_text(offset, true, true));
    text
}

/// An offset as text: `Z` for zero if asked, with or without a colon.
pub(super) fn offset_text(offset: i64, zulu: bool, colon: bool) -> String {
    if offset == 0 && zulu {
        return "Z".to_owned();
    }
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    let colon = if colon { ":" } else { "" };
    format!("{sign}{hours:02}{colon}{minutes:02}")
}
