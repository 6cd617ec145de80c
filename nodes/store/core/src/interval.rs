//! Intervals of histograms over time, and rounding of instants to them.
//! Invariants: `floor(t) <= t < next(t)`, `floor` of a key is the key, keys ascend with time; days, weeks and months are
//! those of the zone's calendar. Not here: which buckets exist (`aggs`).

use crate::dateformat::civil::{
    DAY_MS, civil_from_days, days_from_civil, local_to_utc, offset_seconds,
};
use crate::error::{EsError, EsResult};
use jiff::tz::TimeZone;

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CalendarUnit {
    /// `1s`.
    Second,
    /// `1m`.
    Minute,
    /// `1h`.
    Hour,
    /// `1d`.
    Day,
    /// `1w`, from Monday.
    Week,
    /// `1M`.
    Month,
    /// `1q`.
    Quarter,
    /// `1y`.
    Year,
}

impl CalendarUnit {
    /// Reads `1d` or `day`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "1s" | "second" => Self::Second,
            "1m" | "minute" => Self::Minute,
            "1h" | "hour" => Self::Hour,
            "1d" | "day" => Self::Day,
            "1w" | "week" => Self::Week,
            "1M" | "month" => Self::Month,
            "1q" | "quarter" => Self::Quarter,
            "1y" | "year" => Self::Year,
            _ => return None,
        })
    }

    /// The beginning of the unit that holds the instant.
    #[must_use]
    pub fn floor(self, ms: i64, zone: &TimeZone) -> i64 {
        let fixed = match self {
            Self::Second => Some(1000),
            Self::Minute => Some(60_000),
            Self::Hour => Some(3_600_000),
            _ => None,
        };
        if let Some(length) = fixed {
            let offset = offset_seconds(zone, ms) * 1000;
            return (ms.saturating_add(offset))
                .div_euclid(length)
                .saturating_mul(length)
                .saturating_sub(offset);
        }
        let local = ms.saturating_add(offset_seconds(zone, ms) * 1000);
        let start = local_to_utc(
            zone,
            self.floor_day(local.div_euclid(DAY_MS))
                .saturating_mul(DAY_MS),
        );
        // A fold at midnight can put the start after the instant; the day then began at the earlier reading.
        start.min(ms)
    }

    /// The beginning of the next unit.
    #[must_use]
    pub fn next(self, ms: i64, zone: &TimeZone) -> i64 {
        let start = self.floor(ms, zone);
        let length = match self {
            Self::Second => 1000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            _ => {
                let local = start.saturating_add(offset_seconds(zone, start) * 1000);
                let day = local.div_euclid(DAY_MS);
                let next = self.next_day(self.floor_day(day));
                let next = local_to_utc(zone, next.saturating_mul(DAY_MS));
                return next.max(start.saturating_add(1));
            }
        };
        start.saturating_add(length)
    }

    fn floor_day(self, day: i64) -> i64 {
        let (year, month, _) = civil_from_days(day);
        match self {
            Self::Week => day - (day + 3).rem_euclid(7),
            Self::Month => days_from_civil(year, month, 1),
            Self::Quarter => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
            Self::Year => days_from_civil(year, 1, 1),
            _ => day,
        }
    }

    fn next_day(self, start: i64) -> i64 {
        let (year, month, _) = civil_from_days(start);
        let months = |count: u32| {
            let month = month + count;
            if month > 12 {
                days_from_civil(year + 1, month - 12, 1)
            } else {
                days_from_civil(year, month, 1)
            }
        };
        match self {
            Self::Week => start + 7,
            Self::Month => months(1),
            Self::Quarter => months(3),
            Self::Year => days_from_civil(year + 1, 1, 1),
            _ => start + 1,
        }
    }

    /// About how long it is.
    #[must_use]
    pub const fn about_ms(self) -> i64 {
        match self {
            Self::Second => 1000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => DAY_MS,
            Self::Week => 7 * DAY_MS,
            Self::Month => 30 * DAY_MS,
            Self::Quarter => 91 * DAY_MS,
            Self::Year => 365 * DAY_MS,
        }
    }
}

/// The interval of a date histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    /// So many milliseconds.
    Fixed(i64),
    /// One unit of the calendar.
    Calendar(CalendarUnit),
}

/// Reads a length of time such as `30s`, `1.5h`, `500ms`, `2d`.
///
/// # Errors
/// `illegal_argument_exception` naming the setting and its text.
pub fn duration_ms(name: &str, text: &str) -> EsResult<i64> {
    let refuse = || {
        EsError::illegal_argument(format!(
            "failed to parse setting [{name}] with value [{}] as a time value: unit is missing or unrecognized",
            text.chars().take(64).collect::<String>()
        ))
    };
    let text = text.trim();
    if matches!(text, "0" | "-1") {
        return text.parse().map_err(|_| refuse());
    }
    let split = text
        .find(|letter: char| letter.is_ascii_alphabetic())
        .ok_or_else(refuse)?;
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "nanos" => 1e-6,
        "micros" => 1e-3,
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        "h" | "H" => 3_600_000.0,
        "d" | "D" => 86_400_000.0,
        _ => return Err(refuse()),
    };
    if let Ok(whole) = number.parse::<i64>() {
        let ms = whole as f64 * unit;
        return if ms.abs() < 9e15 {
            Ok(ms as i64)
        } else {
            Err(refuse())
        };
    }
    let number: f64 = number.parse().map_err(|_| refuse())?;
    let ms = number * unit;
    if ms.is_finite() && ms.abs() < 9e15 {
        Ok(ms as i64)
    } else {
        Err(refuse())
    }
}

impl Interval {
    /// Reads a `fixed_interval`.
    ///
    /// # Errors
    /// `illegal_argument_exception` when it is not a positive length.
    pub fn fixed(text: &str) -> EsResult<Self> {
        if matches!(text, "1M" | "1q" | "1y" | "1w") || text.ends_with(['M', 'q', 'y', 'w']) {
            return Err(EsError::illegal_argument(format!(
                "failed to parse setting [date_histogram.fixedInterval] with value [{text}] as a time value: unit is missing or unrecognized"
            )));
        }
        let ms = duration_ms("date_histogram.fixedInterval", text)?;
        if ms < 1 {
            return Err(EsError::illegal_argument(
                "[interval] must be 1 or greater for aggregation [date_histogram]",
            ));
        }
        Ok(Self::Fixed(ms))
    }

    /// Reads a `calendar_interval`.
    ///
    /// # Errors
    /// `illegal_argument_exception` when it is not one unit.
    pub fn calendar(text: &str) -> EsResult<Self> {
        CalendarUnit::parse(text)
            .map(Self::Calendar)
            .ok_or_else(|| {
                EsError::illegal_argument(format!(
                    "The supplied interval [{text}] could not be parsed as a calendar interval."
                ))
            })
    }
}

/// Rounds instants to buckets.
#[derive(Debug, Clone)]
pub struct Rounding {
    interval: Interval,
    zone: TimeZone,
    offset_ms: i64,
}

impl Rounding {
    /// A rounding; the offset moves every bucket's beginning.
    #[must_use]
    pub const fn new(interval: Interval, zone: TimeZone, offset_ms: i64) -> Self {
        Self {
            interval,
            zone,
            offset_ms,
        }
    }

    /// Its interval.
    #[must_use]
    pub const fn interval(&self) -> Interval {
        self.interval
    }

    /// Its zone.
    #[must_use]
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The length of every bucket when all are alike and rounding is plain arithmetic: `(length, offset)` with
    /// `floor(t) = (t - offset).div_euclid(length) * length + offset`.
    #[must_use]
    pub fn plain(&self) -> Option<(i64, i64)> {
        let length = match self.interval {
            Interval::Fixed(length) => length,
            Interval::Calendar(
                unit @ (CalendarUnit::Second
                | CalendarUnit::Minute
                | CalendarUnit::Hour
                | CalendarUnit::Day),
            ) => unit.about_ms(),
            Interval::Calendar(_) => return None,
        };
        let shift = if self.zone == TimeZone::UTC {
            0
        } else {
            let fixed = self.zone.to_fixed_offset().ok()?;
            i64::from(fixed.seconds()) * 1000
        };
        Some((length, self.offset_ms - shift))
    }

    /// The key of the bucket that holds the instant.
    #[must_use]
    pub fn floor(&self, ms: i64) -> i64 {
        if let Some((length, offset)) = self.plain() {
            let moved = ms.saturating_sub(offset);
            return moved
                .saturating_sub(moved.rem_euclid(length))
                .saturating_add(offset);
        }
        let ms = ms.saturating_sub(self.offset_ms);
        let start = match self.interval {
            Interval::Calendar(unit) => unit.floor(ms, &self.zone),
            Interval::Fixed(length) => self.floor_fixed(ms, length),
        };
        start.saturating_add(self.offset_ms)
    }

    fn floor_fixed(&self, ms: i64, length: i64) -> i64 {
        let shift = offset_seconds(&self.zone, ms) * 1000;
        let local = ms.saturating_add(shift);
        let start = local.saturating_sub(local.rem_euclid(length));
        let candidate = start.saturating_sub(shift);
        if offset_seconds(&self.zone, candidate) * 1000 == shift {
            return candidate;
        }
        // The clock was changed inside the bucket.
        local_to_utc(&self.zone, start).min(ms)
    }

    /// The key of the bucket after the one that holds the instant.
    #[must_use]
    pub fn next(&self, ms: i64) -> i64 {
        let start = self.floor(ms);
        if let Some((length, _)) = self.plain() {
            return start.saturating_add(length);
        }
        let at = start.saturating_sub(self.offset_ms);
        let next = match self.interval {
            Interval::Calendar(unit) => unit.next(at, &self.zone),
            Interval::Fixed(length) => {
                let local = at.saturating_add(offset_seconds(&self.zone, at) * 1000);
                local_to_utc(&self.zone, local.saturating_add(length)).max(at.saturating_add(1))
            }
        };
        next.saturating_add(self.offset_ms)
    }

    /// A rounder that remembers the last bucket: quick for instants near each other.
    #[must_use]
    pub const fn cursor(&self) -> RoundingCursor<'_> {
        RoundingCursor {
            rounding: self,
            start: 0,
            end: 0,
        }
    }
}

/// Rounds many instants.
#[derive(Debug, Clone)]
pub struct RoundingCursor<'a> {
    rounding: &'a Rounding,
    start: i64,
    end: i64,
}

impl RoundingCursor<'_> {
    /// As `Rounding::floor`.
    pub fn floor(&mut self, ms: i64) -> i64 {
        if ms < self.start || ms >= self.end {
            self.start = self.rounding.floor(ms);
            self.end = self.rounding.next(ms);
            // Where the clock was changed inside a bucket, its instants are asked one by one.
            if self.rounding.floor(self.end.saturating_sub(1)) != self.start {
                self.end = self.start;
            }
        }
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dateformat::{DateFormat, iso_utc};
    use crate::datemath::zone;
    use proptest::prelude::*;

    fn ms(text: &str) -> i64 {
        DateFormat::default().parse_ms(text).unwrap()
    }

    fn floor(interval: Interval, name: &str, offset: i64, text: &str) -> String {
        iso_utc(Rounding::new(interval, zone(name).unwrap(), offset).floor(ms(text)))
    }

    #[test]
    fn calendar_units_start_where_the_calendar_says() {
        for (unit, name, want) in [
            ("month", "UTC", "2024-03-01T00:00:00.000Z"),
            ("1q", "UTC", "2024-01-01T00:00:00.000Z"),
            ("week", "UTC", "2024-03-25T00:00:00.000Z"),
            ("year", "UTC", "2024-01-01T00:00:00.000Z"),
            ("day", "Europe/Berlin", "2024-03-30T23:00:00.000Z"),
            ("month", "Europe/Berlin", "2024-02-29T23:00:00.000Z"),
            ("day", "+05:30", "2024-03-30T18:30:00.000Z"),
            ("hour", "+05:30", "2024-03-31T11:30:00.000Z"),
        ] {
            let interval = Interval::calendar(unit).unwrap();
            assert_eq!(
                floor(interval, name, 0, "2024-03-31T12:15:00Z"),
                want,
                "{unit} {name}"
            );
        }
    }

    #[test]
    fn a_day_with_a_changed_clock_has_another_length() {
        let rounding = Rounding::new(
            Interval::calendar("1d").unwrap(),
            zone("Europe/Berlin").unwrap(),
            0,
        );
        let start = rounding.floor(ms("2024-03-31T12:00:00Z"));
        assert_eq!(rounding.next(start) - start, 23 * 3_600_000);
        let start = rounding.floor(ms("2024-10-27T12:00:00Z"));
        assert_eq!(rounding.next(start) - start, 25 * 3_600_000);
    }

    #[test]
    fn offsets_move_the_beginning() {
        let day = Interval::calendar("1d").unwrap();
        assert_eq!(
            floor(day, "UTC", 6 * 3_600_000, "2024-03-31T05:00:00Z"),
            "2024-03-30T06:00:00.000Z"
        );
        assert_eq!(
            floor(
                Interval::Fixed(60_000),
                "UTC",
                15_000,
                "2024-03-31T05:00:14Z"
            ),
            "2024-03-31T04:59:15.000Z"
        );
    }

    #[test]
    fn lengths_are_read() {
        assert_eq!(duration_ms("x", "30s").unwrap(), 30_000);
        assert_eq!(duration_ms("x", "1.5h").unwrap(), 5_400_000);
        assert_eq!(duration_ms("x", "-1").unwrap(), -1);
        assert!(duration_ms("x", "10").is_err() && duration_ms("x", "1y").is_err());
        assert!(Interval::fixed("1M").is_err() && Interval::fixed("0s").is_err());
        assert!(Interval::calendar("2d").is_err());
    }

    proptest! {
        #[test]
        fn floor_and_next_enclose(
            at in -2_000_000_000_000i64..4_000_000_000_000,
            which in 0usize..12,
            name in 0usize..5,
            offset in -90_000_000i64..90_000_000,
        ) {
            let interval = match which {
                0 => Interval::Fixed(1000),
                1 => Interval::Fixed(7_200_000),
                2 => Interval::Fixed(86_400_000),
                3 => Interval::Fixed(1),
                other => Interval::calendar(["1s", "1m", "1h", "1d", "1w", "1M", "1q", "1y"][other - 4]).unwrap(),
            };
            let names = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "-03:30"];
            let rounding = Rounding::new(interval, zone(names[name]).unwrap(), offset);
            let start = rounding.floor(at);
            let next = rounding.next(at);
            prop_assert!(start <= at, "floor {} of {}", iso_utc(start), iso_utc(at));
            prop_assert!(next > start);
            prop_assert_eq!(rounding.floor(start), start);
            prop_assert_eq!(rounding.cursor().floor(at), start);
        }
    }
}
