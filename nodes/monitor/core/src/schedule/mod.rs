//! When a watch runs next.
//!
//! Invariants: runs that were missed are caught up by one run, at the latest of their times; no
//! time is run twice; a clock that was set back does not stop a watch for longer than its
//! interval. Not here: waiting (`wharf-monitor`), what runs.

mod cron;

pub use cron::{Cron, CronError};

use crate::watch::Trigger;

/// The next run of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextRun {
    /// The time that it is the run of, milliseconds since 1970. Not later than now: it is due.
    pub at_ms: u64,
    /// Earlier times were missed and are caught up by this run.
    pub catches_up: bool,
}

/// The next run after the one of `last_ms` (the time it was the run of, not when it ended). A
/// watch that never ran is due at once with an interval, and at the next time of its calendar
/// with cron. `None`: a calendar without further times.
#[must_use]
pub fn next_run(trigger: &Trigger, last_ms: Option<u64>, now_ms: u64) -> Option<NextRun> {
    match trigger {
        Trigger::Interval(every_ms) => Some(next_of_interval(*every_ms, last_ms, now_ms)),
        Trigger::Cron(cron) => next_of_cron(cron, last_ms, now_ms),
    }
}

fn next_of_interval(every_ms: u64, last_ms: Option<u64>, now_ms: u64) -> NextRun {
    let every_ms = every_ms.max(1);
    let Some(last_ms) = last_ms else {
        return NextRun {
            at_ms: now_ms,
            catches_up: false,
        };
    };
    // The clock was set back: the last run lies in the future.
    let last_ms = last_ms.min(now_ms);
    let passed = (now_ms - last_ms) / every_ms;
    NextRun {
        at_ms: last_ms.saturating_add(every_ms.saturating_mul(passed.max(1))),
        catches_up: passed > 1,
    }
}

fn next_of_cron(cron: &Cron, last_ms: Option<u64>, now_ms: u64) -> Option<NextRun> {
    let last_ms = last_ms.unwrap_or(now_ms).min(now_ms);
    let first = cron.next_after(last_ms)?;
    if first > now_ms {
        return Some(NextRun {
            at_ms: first,
            catches_up: false,
        });
    }
    let latest = cron.latest_until(now_ms, first);
    Some(NextRun {
        at_ms: latest,
        catches_up: latest > first,
    })
}

/// The times of a watch after `from_ms` until `to_ms`, as if it had run all along, and how many
/// there are. When there are more than `max`, every n-th is given.
#[must_use]
pub fn times_between(trigger: &Trigger, from_ms: u64, to_ms: u64, max: usize) -> (Vec<u64>, u64) {
    let mut all = Vec::new();
    match trigger {
        Trigger::Interval(every_ms) => {
            let every_ms = (*every_ms).max(1);
            let count = to_ms.saturating_sub(from_ms) / every_ms;
            let step = count.div_ceil(max.max(1) as u64).max(1);
            let times = (1..=count / step).map(|n| from_ms + n * step * every_ms);
            return (times.collect(), count);
        }
        Trigger::Cron(cron) => {
            let mut at = from_ms;
            while let Some(next) = cron.next_after(at).filter(|next| *next <= to_ms) {
                all.push(next);
                at = next;
            }
        }
    }
    let count = all.len() as u64;
    let step = all.len().div_ceil(max.max(1)).max(1);
    let times = all.into_iter().skip(step - 1).step_by(step).collect();
    (times, count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: u64 = 60_000;

    fn at(text: &str) -> u64 {
        let timestamp: jiff::Timestamp = text.parse().expect("a time");
        u64::try_from(timestamp.as_millisecond()).expect("after 1970")
    }

    fn cron(expression: &str, zone: &str) -> Trigger {
        Trigger::Cron(Cron::parse(expression, zone).expect("a calendar"))
    }

    /// Times of a calendar between two times, in local notation of their zone.
    fn local(expression: &str, zone: &str, from: &str, to: &str) -> Vec<String> {
        let tz = jiff::tz::TimeZone::get(zone).unwrap();
        let (times, _) = times_between(&cron(expression, zone), at(from), at(to), 1000);
        times
            .into_iter()
            .map(|ms| {
                let timestamp = jiff::Timestamp::from_millisecond(ms as i64).unwrap();
                timestamp
                    .to_zoned(tz.clone())
                    .strftime("%d %H:%M %Z")
                    .to_string()
            })
            .collect()
    }

    #[test]
    fn an_interval_keeps_its_grid() {
        let trigger = Trigger::Interval(MINUTE);
        let next = |last, now| next_run(&trigger, last, now).unwrap();
        assert_eq!(next(None, 500).at_ms, 500, "a new watch is due at once");
        assert_eq!(next(Some(0), 10).at_ms, MINUTE);
        let caught = next(Some(0), 10 * MINUTE + 7);
        assert_eq!(
            caught,
            NextRun {
                at_ms: 10 * MINUTE,
                catches_up: true
            },
            "ten missed runs are one, on the grid"
        );
        assert_eq!(
            next(Some(caught.at_ms), 10 * MINUTE + 7).at_ms,
            11 * MINUTE,
            "and the next is in the future"
        );
        assert_eq!(
            next(Some(1000 * MINUTE), 5 * MINUTE).at_ms,
            6 * MINUTE,
            "a clock that was set back does not stop it"
        );
    }

    #[test]
    fn missed_times_of_a_calendar_are_caught_up_once() {
        let trigger = cron("0 6 * * *", "UTC");
        let last = at("2026-03-01T06:00:00Z");
        let now = at("2026-03-09T12:00:00Z");
        let next = next_run(&trigger, Some(last), now).unwrap();
        assert_eq!(next.at_ms, at("2026-03-09T06:00:00Z"));
        assert!(next.catches_up);
        let after = next_run(&trigger, Some(next.at_ms), now).unwrap();
        assert_eq!(after.at_ms, at("2026-03-10T06:00:00Z"));
        assert!(!after.catches_up);
    }

    #[test]
    fn a_watch_that_never_ran_waits_for_the_next_time_of_its_calendar() {
        let now = at("2026-03-09T12:00:00Z");
        let next = next_run(&cron("0 6 * * *", "UTC"), None, now).unwrap();
        assert_eq!(next.at_ms, at("2026-03-10T06:00:00Z"));
    }

    #[test]
    fn a_run_in_the_gap_happens_once_right_after_it() {
        let (from, to) = ("2026-03-29T00:00:00Z", "2026-03-29T10:00:00Z");
        assert_eq!(
            local("30 2 * * *", "Europe/Berlin", from, to),
            ["29 03:00 CEST"]
        );
        assert_eq!(
            local("0,20,40 2 * * *", "Europe/Berlin", from, to),
            ["29 03:00 CEST"],
            "three runs in the gap are one"
        );
        assert_eq!(
            local("0 2,3,4 * * *", "Europe/Berlin", from, to),
            ["29 03:00 CEST", "29 04:00 CEST"],
            "and one with a run that is due right after"
        );
    }

    #[test]
    fn a_doubled_hour_runs_once_when_the_hour_is_named() {
        let (from, to) = ("2026-10-24T23:30:00Z", "2026-10-25T05:00:00Z");
        assert_eq!(
            local("30 2 * * *", "Europe/Berlin", from, to),
            ["25 02:30 CEST"]
        );
        assert_eq!(
            local("30 1-3 * * *", "Europe/Berlin", from, to),
            ["25 02:30 CEST", "25 03:30 CET"]
        );
    }

    #[test]
    fn a_watch_of_every_hour_does_not_sleep_through_the_doubled_one() {
        let (from, to) = ("2026-10-24T23:59:00Z", "2026-10-25T02:59:00Z");
        assert_eq!(
            local("30 * * * *", "Europe/Berlin", from, to),
            ["25 02:30 CEST", "25 02:30 CET", "25 03:30 CET"]
        );
    }

    #[test]
    fn half_hours_and_midnights_that_do_not_exist_are_no_trouble() {
        assert_eq!(
            local(
                "15 2 * * *",
                "Australia/Lord_Howe",
                "2026-10-03T10:00:00Z",
                "2026-10-04T10:00:00Z"
            ),
            ["04 02:30 +11"]
        );
        assert_eq!(
            local(
                "0 0 * * *",
                "America/Santiago",
                "2026-09-05T12:00:00Z",
                "2026-09-06T12:00:00Z"
            ),
            ["06 01:00 -03"]
        );
    }

    #[test]
    fn a_preview_takes_every_nth_of_too_many() {
        let (times, count) = times_between(&Trigger::Interval(1000), 0, 86_400_000, 100);
        assert_eq!((times.len(), count), (100, 86_400));
        assert_eq!(times.last(), Some(&86_400_000));
        let (times, count) = times_between(&cron("* * * * *", "UTC"), 0, 3_600_000, 7);
        assert_eq!((times.len(), count), (6, 60));
    }

    fn any_trigger() -> impl Strategy<Value = Trigger> {
        let fields = prop_oneof![
            Just("*/7 * * * *"),
            Just("30 2 * * *"),
            Just("0 0 29 2 *"),
            Just("5,55 1-3 * * 0"),
            Just("0 12 1 */3 1-5"),
        ];
        let zones = prop_oneof![
            Just("UTC"),
            Just("Europe/Berlin"),
            Just("America/New_York"),
            Just("Australia/Lord_Howe"),
            Just("America/Santiago"),
        ];
        prop_oneof![
            (1_000_u64..100_000_000).prop_map(Trigger::Interval),
            (fields, zones).prop_map(|(fields, zone)| cron(fields, zone)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_due_is_run_once_and_the_next_is_later(
            trigger in any_trigger(),
            last in 1_700_000_000_000_u64..1_900_000_000_000,
            pause in 0_u64..40 * 86_400_000,
        ) {
            let now = last + pause;
            let next = next_run(&trigger, Some(last), now).unwrap();
            prop_assert!(next.at_ms > last, "never the same time again");
            if next.at_ms <= now {
                let then = next_run(&trigger, Some(next.at_ms), now).unwrap();
                prop_assert!(then.at_ms > now, "one run catches up with everything");
                prop_assert!(!then.catches_up);
            } else {
                prop_assert!(!next.catches_up);
            }
        }

        #[test]
        fn waking_more_often_changes_no_time(
            trigger in any_trigger(),
            last in 1_700_000_000_000_u64..1_900_000_000_000,
            early in 0_u64..86_400_000,
        ) {
            let next = next_run(&trigger, Some(last), last).unwrap();
            let woken = last + early.min(next.at_ms - last - 1);
            prop_assert_eq!(next_run(&trigger, Some(last), woken).unwrap(), next);
        }

        #[test]
        fn no_times_whatever_make_it_panic(
            every in any::<u64>(), last in any::<Option<u64>>(), now in any::<u64>(),
        ) {
            let _ = next_run(&Trigger::Interval(every), last, now);
            let _ = next_run(&cron("1 2 * * *", "Europe/Berlin"), last, now);
        }
    }
}
