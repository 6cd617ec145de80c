//! Calendars of five fields in a time zone: minute, hour, day of the month, month, day of the
//! week, with lists, ranges, steps and English names.
//!
//! Invariants: a calendar has times (30 February is refused); when both days are limited, either
//! is enough, as crontab(5) says. Where clocks are set forward, times of the gap run once, right
//! after it. Where they are set back, a named hour runs once, the first time; with `*` for the
//! hour both passes run, so that a watch of every few minutes does not sleep for an hour.
//! Not here: what was missed (`schedule`).

use jiff::{
    Timestamp,
    civil::Date,
    tz::{AmbiguousOffset, TimeZone},
};

/// Longest expression, in bytes.
const MAX_EXPRESSION: usize = 256;
/// Days in which every calendar has a time: 29 February is eight years away at most.
const HORIZON_DAYS: usize = 9 * 366;

/// A calendar.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    expression: String,
    zone_name: String,
    zone: TimeZone,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Both days are limited: either is enough.
    either_day: bool,
}

/// Why an expression is no calendar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields.
    #[error("must have five fields (minute, hour, day of month, month, day of week), not {0}")]
    Fields(usize),
    /// A part of a field is out of range or no number.
    #[error("`{part}` is no {field}: give {min} to {max}, `*`, a list, a range or a step")]
    Part {
        /// What was given.
        part: String,
        /// Which field.
        field: &'static str,
        /// Smallest number.
        min: u64,
        /// Largest number.
        max: u64,
    },
    /// A date that does not exist.
    #[error("never happens: no month of it has such a day")]
    Never,
    /// Longer than an expression can be.
    #[error("is longer than {MAX_EXPRESSION} characters")]
    Long,
    /// Not in the database.
    #[error("`{0}` is no time zone: give an IANA name like `Europe/Berlin` or `UTC`")]
    Zone(String),
}

struct FieldRule {
    name: &'static str,
    min: u64,
    max: u64,
    names: &'static [&'static str],
}

const RULES: [FieldRule; 5] = [
    FieldRule {
        name: "minute",
        min: 0,
        max: 59,
        names: &[],
    },
    FieldRule {
        name: "hour",
        min: 0,
        max: 23,
        names: &[],
    },
    FieldRule {
        name: "day of the month",
        min: 1,
        max: 31,
        names: &[],
    },
    FieldRule {
        name: "month",
        min: 1,
        max: 12,
        names: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
    },
    FieldRule {
        name: "day of the week",
        min: 0,
        max: 7,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    },
];

impl FieldRule {
    fn bad(&self, part: &str) -> CronError {
        CronError::Part {
            part: part.chars().take(40).collect(),
            field: self.name,
            min: self.min,
            max: self.max,
        }
    }

    fn number(&self, text: &str) -> Option<u64> {
        let named = self
            .names
            .iter()
            .position(|name| text.eq_ignore_ascii_case(name));
        if let Some(at) = named {
            return Some(at as u64 + self.min);
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = if digits {
            text.parse().ok()?
        } else {
            return None;
        };
        (self.min..=self.max).contains(&number).then_some(number)
    }

    /// The numbers of a field as bits.
    fn parse(&self, text: &str) -> Result<u64, CronError> {
        let mut bits = 0_u64;
        for part in text.split(',') {
            let bad = || self.bad(part);
            let (range, step) = match part.split_once('/') {
                None => (part, None),
                Some((range, step)) => {
                    let step: u64 = step.parse().map_err(|_| bad())?;
                    if step == 0 || step > self.max {
                        return Err(bad());
                    }
                    (range, Some(step))
                }
            };
            let (from, to) = if range == "*" {
                (self.min, self.max)
            } else if let Some((from, to)) = range.split_once('-') {
                (
                    self.number(from).ok_or_else(bad)?,
                    self.number(to).ok_or_else(bad)?,
                )
            } else {
                let from = self.number(range).ok_or_else(bad)?;
                // `5/15` means from 5 on.
                (from, if step.is_some() { self.max } else { from })
            };
            if from > to {
                return Err(bad());
            }
            let mut number = from;
            while number <= to {
                bits |= 1 << number;
                number += step.unwrap_or(1);
            }
        }
        Ok(bits)
    }
}

fn has(bits: u64, number: u64) -> bool {
    number < 64 && bits >> number & 1 == 1
}

fn millis(timestamp: Timestamp) -> Option<u64> {
    u64::try_from(timestamp.as_millisecond()).ok()
}

fn at_millis(ms: u64) -> Timestamp {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX)
}

impl Cron {
    /// Reads an expression; `zone` is an IANA name, `UTC` when it is empty.
    ///
    /// # Errors
    /// When the expression is no calendar, has no times, or the zone is not known.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, CronError> {
        if expression.len() > MAX_EXPRESSION {
            return Err(CronError::Long);
        }
        let parts: Vec<&str> = expression.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = parts[..] else {
            return Err(CronError::Fields(parts.len()));
        };
        let mut weekdays = RULES[4].parse(weekday)?;
        // Seven is Sunday too.
        if has(weekdays, 7) {
            weekdays = weekdays & 0x7f | 1;
        }
        let zone_name = if zone.is_empty() { "UTC" } else { zone };
        let short: String = zone_name.chars().take(64).collect();
        let zone = TimeZone::get(&short).map_err(|_| CronError::Zone(short.clone()))?;
        let cron = Self {
            expression: parts.join(" "),
            zone_name: short,
            zone,
            minutes: RULES[0].parse(minute)?,
            hours: RULES[1].parse(hour)?,
            days: RULES[2].parse(day)?,
            months: RULES[3].parse(month)?,
            weekdays,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        if cron.exists() {
            Ok(cron)
        } else {
            Err(CronError::Never)
        }
    }

    /// The expression, single spaces between its fields.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The name of the zone as it was given.
    #[must_use]
    pub fn time_zone(&self) -> &str {
        &self.zone_name
    }

    fn exists(&self) -> bool {
        const LONGEST: [u64; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        self.either_day
            || (1..=12_u64).any(|month| {
                has(self.months, month)
                    && (1..=LONGEST[month as usize - 1]).any(|day| has(self.days, day))
            })
    }

    fn is_day(&self, date: Date) -> bool {
        let day = has(self.days, u64::from(date.day().unsigned_abs()));
        let weekday = date.weekday().to_sunday_zero_offset().unsigned_abs();
        let weekday = has(self.weekdays, u64::from(weekday));
        has(self.months, u64::from(date.month().unsigned_abs()))
            && if self.either_day {
                day || weekday
            } else {
                day && weekday
            }
    }

    /// The times of a date, ascending, each once.
    fn times_on(&self, date: Date) -> Vec<u64> {
        let mut times = Vec::new();
        if !self.is_day(date) {
            return times;
        }
        let every_hour = (0..24).all(|hour| has(self.hours, hour));
        let calm = self.calm_start(date);
        for hour in (0..24_u64).filter(|hour| has(self.hours, *hour)) {
            for minute in (0..60_u64).filter(|minute| has(self.minutes, *minute)) {
                match calm {
                    Some(start) => times.push(start + (hour * 60 + minute) * 60_000),
                    None => self.push_uneven(date, hour, minute, every_hour, &mut times),
                }
            }
        }
        times.sort_unstable();
        times.dedup();
        times
    }

    /// When the date begins, if its clock is not changed on it.
    fn calm_start(&self, date: Date) -> Option<u64> {
        let offset = |date: Date| {
            let ambiguous = self.zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
            match ambiguous.offset() {
                AmbiguousOffset::Unambiguous { offset } => Some(offset),
                _ => None,
            }
        };
        let start = offset(date)?;
        if offset(date.tomorrow().ok()?)? != start {
            return None;
        }
        millis(start.to_timestamp(date.at(0, 0, 0, 0)).ok()?)
    }

    fn push_uneven(
        &self,
        date: Date,
        hour: u64,
        minute: u64,
        every_hour: bool,
        out: &mut Vec<u64>,
    ) {
        let (Ok(hour), Ok(minute)) = (i8::try_from(hour), i8::try_from(minute)) else {
            return;
        };
        let local = date.at(hour, minute, 0, 0);
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                out.extend(offset.to_timestamp(local).ok().and_then(millis));
            }
            AmbiguousOffset::Gap { after, .. } => {
                // With the offset of after the gap it lies before it; the change is what follows.
                let before = after.to_timestamp(local).ok();
                let change = before.and_then(|before| self.zone.following(before).next());
                out.extend(change.and_then(|change| millis(change.timestamp())));
            }
            AmbiguousOffset::Fold { before, after } => {
                out.extend(before.to_timestamp(local).ok().and_then(millis));
                if every_hour {
                    out.extend(after.to_timestamp(local).ok().and_then(millis));
                }
            }
        }
    }

    /// The first time after `ms`; `None` only at the end of the calendar.
    pub(super) fn next_after(&self, ms: u64) -> Option<u64> {
        let mut date = self.zone.to_datetime(at_millis(ms)).date();
        // A change of clocks may carry a time of the day before past midnight.
        date = date.yesterday().unwrap_or(date);
        for _ in 0..HORIZON_DAYS {
            if let Some(found) = self.times_on(date).into_iter().find(|time| *time > ms) {
                return Some(found);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The latest time not after `ms`, given one that is not.
    pub(super) fn latest_until(&self, ms: u64, known: u64) -> u64 {
        let mut date = self.zone.to_datetime(at_millis(ms)).date();
        let first = self.zone.to_datetime(at_millis(known)).date();
        while date >= first {
            let found = self.times_on(date).into_iter().rfind(|time| *time <= ms);
            if let Some(found) = found {
                return found.max(known);
            }
            match date.yesterday() {
                Ok(before) => date = before,
                Err(_) => break,
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits(numbers: &[u64]) -> u64 {
        numbers.iter().fold(0, |bits, number| bits | 1 << number)
    }

    #[test]
    fn lists_ranges_steps_and_names_are_read() {
        let cron = Cron::parse("*/20 8-10,23 5/10 jan,DEC mon-fri", "UTC").unwrap();
        assert_eq!(cron.minutes, bits(&[0, 20, 40]));
        assert_eq!(cron.hours, bits(&[8, 9, 10, 23]));
        assert_eq!(cron.days, bits(&[5, 15, 25]));
        assert_eq!(cron.months, bits(&[1, 12]));
        assert_eq!(cron.weekdays, bits(&[1, 2, 3, 4, 5]));
        let sunday = Cron::parse("0 0 * * 7", "UTC").unwrap();
        assert_eq!(sunday.weekdays, bits(&[0]), "seven is Sunday");
    }

    #[test]
    fn what_is_no_calendar_is_refused_by_name() {
        for (expression, word) in [
            ("* * * *", "five fields"),
            ("60 * * * *", "minute"),
            ("* 24 * * *", "hour"),
            ("* * 0 * *", "day of the month"),
            ("* * * 13 *", "month"),
            ("* * * * 8", "day of the week"),
            ("5-1 * * * *", "minute"),
            ("*/0 * * * *", "minute"),
            ("-1 * * * *", "minute"),
            (", * * * *", "minute"),
            ("0 0 30 feb *", "never happens"),
            ("0 0 31 4,6,9,11 *", "never happens"),
        ] {
            let error = Cron::parse(expression, "")
                .expect_err(expression)
                .to_string();
            assert!(error.contains(word), "`{expression}`: {error}");
        }
        let error = Cron::parse("* * * * *", "Mars/Olympus").unwrap_err();
        assert!(matches!(error, CronError::Zone(_)));
    }

    #[test]
    fn either_day_is_enough_when_both_are_limited() {
        let cron = Cron::parse("0 0 13 * 5", "UTC").unwrap();
        let is_day = |text: &str| cron.is_day(text.parse().unwrap());
        assert!(is_day("2026-03-13") && is_day("2026-03-20") && is_day("2026-04-13"));
        assert!(!is_day("2026-03-14"));
        let cron = Cron::parse("0 0 * * 5", "UTC").unwrap();
        assert!(!cron.is_day("2026-03-14".parse().unwrap()));
    }

    #[test]
    fn the_29th_of_february_is_waited_for() {
        let cron = Cron::parse("0 0 29 2 *", "UTC").unwrap();
        let from: Timestamp = "2097-01-01T00:00:00Z".parse().unwrap();
        let to: Timestamp = "2104-02-29T00:00:00Z".parse().unwrap();
        // 2100 is no leap year.
        assert_eq!(cron.next_after(millis(from).unwrap()), millis(to));
    }

    proptest! {
        #[test]
        fn any_text_is_a_calendar_or_a_named_refusal(text in "[0-9*/,\\- a-z]{0,30}") {
            if let Ok(cron) = Cron::parse(&text, "Europe/Berlin") {
                prop_assert!(cron.next_after(1_700_000_000_000).is_some(), "{} has no time", text);
            }
        }

        #[test]
        fn times_are_those_that_a_look_at_every_minute_finds(
            days in 0_u64..700, expression in prop_oneof![
                Just("*/15 * * * *"), Just("30 2 * * *"), Just("10 1,3 * * 0"), Just("0 0 1 * *"),
            ],
        ) {
            let cron = Cron::parse(expression, "Europe/Berlin").unwrap();
            let from = 1_767_225_600_000 + days * 86_400_000;
            let mut found = Vec::new();
            let mut at = from;
            while let Some(next) = cron.next_after(at).filter(|next| *next < from + 86_400_000) {
                found.push(next);
                at = next;
            }
            // Every minute whose local reading matches is a time, but for the second pass of an
            // hour that is named.
            let matches = |ms: u64| {
                let local = cron.zone.to_datetime(at_millis(ms));
                cron.is_day(local.date())
                    && has(cron.hours, local.hour().unsigned_abs().into())
                    && has(cron.minutes, local.minute().unsigned_abs().into())
            };
            for ms in (from + 60_000..from + 86_400_000).step_by(60_000) {
                if found.contains(&ms) {
                    continue;
                }
                let again = cron.zone.to_ambiguous_timestamp(cron.zone.to_datetime(at_millis(ms)));
                prop_assert!(!matches(ms) || again.is_ambiguous(), "{} was left out", ms);
            }
            for time in found {
                let before = cron.zone.to_datetime(at_millis(time - 60_000));
                let gap = cron.zone.to_datetime(at_millis(time)).hour() - before.hour() == 2;
                prop_assert!(matches(time) || gap, "{} is no time of it", time);
            }
        }
    }
}
