//! Calendar arithmetic on plain numbers, and the parts of a date that a text named.
//! Invariants: proleptic Gregorian calendar; days count from 1970-01-01; years -999,999..=999,999 never overflow.
//! Not here: text.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// Days since 1970-01-01 of a date.
#[must_use]
pub const fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (month as i64 + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day number.
#[must_use]
pub const fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = (if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    }) as u32;
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Days of a month.
#[must_use]
pub const fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.rem_euclid(4) == 0
            && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0) =>
        {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// Seconds that a zone is ahead of UTC at an instant.
#[must_use]
pub fn offset_seconds(zone: &TimeZone, ms: i64) -> i64 {
    if *zone == TimeZone::UTC {
        return 0;
    }
    Timestamp::from_millisecond(ms).map_or(0, |at| i64::from(zone.to_offset(at).seconds()))
}

/// The instant of a wall clock reading; in a gap the one after it, in a fold the earlier.
#[must_use]
pub fn local_to_utc(zone: &TimeZone, local_ms: i64) -> i64 {
    if *zone == TimeZone::UTC {
        return local_ms;
    }
    let civil = Timestamp::from_millisecond(local_ms).map(|at| TimeZone::UTC.to_datetime(at));
    civil
        .and_then(|civil| zone.to_timestamp(civil))
        .map_or(local_ms, |at| at.as_millisecond())
}

/// The parts of a date that a text named.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    /// Calendar year.
    pub year: Option<i64>,
    /// 1..=12.
    pub month: Option<u32>,
    /// 1..=31.
    pub day: Option<u32>,
    /// 1..=366, instead of month and day.
    pub day_of_year: Option<u32>,
    /// 0..=23.
    pub hour: Option<u32>,
    /// 1..=12, with `afternoon`.
    pub half_day_hour: Option<u32>,
    /// pm.
    pub afternoon: Option<bool>,
    /// 0..=59.
    pub minute: Option<u32>,
    /// 0..=59.
    pub second: Option<u32>,
    /// 0..=999,999,999.
    pub nanos: Option<u32>,
    /// Seconds ahead of UTC.
    pub offset: Option<i32>,
    /// A named zone.
    pub zone: Option<String>,
}

impl Fields {
    /// The instant. `None` when a part is out of its range.
    #[must_use]
    pub fn resolve(&self, zone: &TimeZone, round_up: bool) -> Option<i64> {
        let year = self.year.unwrap_or(1970);
        let (month, day) = match self.day_of_year {
            Some(number) => {
                let (found, month, day) =
                    civil_from_days(days_from_civil(year, 1, 1) + i64::from(number) - 1);
                if number == 0 || found != year {
                    return None;
                }
                (month, day)
            }
            None => (self.month.unwrap_or(1), self.day.unwrap_or(1)),
        };
        let hour = match (self.hour, self.half_day_hour) {
            (Some(hour), _) => hour,
            (None, Some(hour)) if (1..=12).contains(&hour) => {
                hour % 12
                    + if self.afternoon.unwrap_or(false) {
                        12
                    } else {
                        0
                    }
            }
            (None, Some(_)) => return None,
            (None, None) => {
                if round_up {
                    23
                } else {
                    0
                }
            }
        };
        let fill = |value: Option<u32>, most: u32| value.unwrap_or(if round_up { most } else { 0 });
        let (minute, second, nanos) = (
            fill(self.minute, 59),
            fill(self.second, 59),
            fill(self.nanos, 999_999_999),
        );
        if !(1..=12).contains(&month)
            || day == 0
            || day > days_in_month(year, month)
            || hour > 23
            || minute > 59
            || second > 59
            || !(-999_999..=999_999).contains(&year)
        {
            return None;
        }
        let local = days_from_civil(year, month, day) * DAY_MS
            + i64::from(hour) * 3_600_000
            + i64::from(minute) * 60_000
            + i64::from(second) * 1000
            + i64::from(nanos / 1_000_000);
        if let Some(offset) = self.offset {
            return Some(local - i64::from(offset) * 1000);
        }
        match &self.zone {
            Some(name) => Some(local_to_utc(&zone_by_name(name)?, local)),
            None => Some(local_to_utc(zone, local)),
        }
    }
}

/// A zone as `time_zone` names it: `Europe/Berlin`, `+01:00`, `-0330`, `UTC`, `Z`.
#[must_use]
pub fn zone_by_name(name: &str) -> Option<TimeZone> {
    if matches!(name, "Z" | "UTC" | "GMT" | "z" | "utc") {
        return Some(TimeZone::UTC);
    }
    if name.starts_with(['+', '-']) {
        let mut at = 0;
        let seconds = read_offset(name.as_bytes(), &mut at)?;
        if at != name.len() {
            return None;
        }
        if seconds == 0 {
            return Some(TimeZone::UTC);
        }
        return jiff::tz::Offset::from_seconds(seconds)
            .ok()
            .map(TimeZone::fixed);
    }
    if name.len() > 64 || name.is_empty() {
        return None;
    }
    TimeZone::get(name).ok()
}

/// `Z`, `+01`, `+0100`, `+01:00` at a place in a text, in seconds.
pub(crate) fn read_offset(text: &[u8], at: &mut usize) -> Option<i32> {
    let sign = match text.get(*at)? {
        b'Z' | b'z' => {
            *at += 1;
            return Some(0);
        }
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let two = |from: usize| -> Option<i32> {
        let (high, low) = (text.get(from)?, text.get(from + 1)?);
        (high.is_ascii_digit() && low.is_ascii_digit())
            .then(|| i32::from(high - b'0') * 10 + i32::from(low - b'0'))
    };
    let mut next = *at + 1;
    let hours = two(next)?;
    next += 2;
    let mut minutes = 0;
    let skip = usize::from(text.get(next) == Some(&b':'));
    if let Some(found) = two(next + skip) {
        minutes = found;
        next += skip + 2;
    }
    if hours > 18 || minutes > 59 {
        return None;
    }
    *at = next;
    Some(sign * (hours * 3600 + minutes * 60))
}
