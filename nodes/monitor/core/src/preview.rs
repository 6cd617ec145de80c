//! When a watch would have fired: its runs over answers of the past, with the same code and the
//! same throttle as live.
//!
//! Invariants: nothing is kept and nothing is sent; messages count as sent at once; the number of
//! runs and of events is limited and what was left off is said.
//! Not here: searching the past.

use serde_json::Value;
use wharf_proto::alerting::Change;
use wharf_proto::monitor::v1;

use crate::alerts::{Run, WatchAlerts};
use crate::api::{group_parts, value_text};
use crate::evaluate::Outcome;
use crate::message::Message;
use crate::schedule::times_between;
use crate::watch::Watch;

/// Most runs of a preview; when there are more, every n-th is taken.
pub const MAX_RUNS: usize = 1_500;
/// Longest span of the past.
pub const MAX_SPAN_MS: u64 = 7 * 24 * 3_600_000;
/// Most events that are told.
pub const MAX_EVENTS: usize = 1_000;

/// The runs that a preview takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Their times.
    pub times: Vec<u64>,
    /// Runs that there would have been.
    pub runs: u64,
}

/// The runs of a preview after `from_ms` until `to_ms`; a longer span is cut at its begin.
#[must_use]
pub fn plan(watch: &Watch, from_ms: u64, to_ms: u64) -> Plan {
    let from_ms = from_ms.max(to_ms.saturating_sub(MAX_SPAN_MS));
    let (times, runs) = times_between(&watch.trigger, from_ms, to_ms, MAX_RUNS);
    Plan { times, runs }
}

/// A preview that takes one answer after the other.
#[derive(Debug, Clone)]
pub struct Preview {
    alerts: WatchAlerts,
    response: v1::PreviewWatchResponse,
}

impl Preview {
    /// Before the first run of a plan.
    #[must_use]
    pub fn new(watch: &Watch, plan: &Plan) -> Self {
        Self {
            alerts: WatchAlerts::new(watch.name.clone()),
            response: v1::PreviewWatchResponse {
                runs: u32::try_from(plan.runs).unwrap_or(u32::MAX),
                ..v1::PreviewWatchResponse::default()
            },
        }
    }

    /// Takes in the answer of the run of `at_ms`.
    pub fn observe(&mut self, watch: &Watch, answer: &Value, at_ms: u64) {
        let run = self.alerts.observe(watch, answer, at_ms, at_ms);
        for event in &run.events {
            if let Some((_, notice)) = &event.notice {
                self.alerts.settle(&event.alert_id, notice.transition, true);
            }
        }
        self.response.evaluated += 1;
        if run.outcome == Outcome::Error {
            let reason = run
                .error
                .as_ref()
                .map_or_else(|| "a group has no value".to_owned(), ToString::to_string);
            self.fail(&reason);
        }
        for event in events(&run, at_ms) {
            if self.response.events.len() < MAX_EVENTS {
                self.response.events.push(event);
            } else {
                self.response.events_left_off += 1;
            }
        }
    }

    /// Takes in a run whose search failed.
    pub fn failed(&mut self, reason: &str) {
        self.response.evaluated += 1;
        self.fail(reason);
    }

    fn fail(&mut self, reason: &str) {
        self.response.errors += 1;
        if self.response.first_error.is_empty() {
            self.response.first_error = reason.chars().take(500).collect();
        }
    }

    /// What it comes to.
    #[must_use]
    pub fn finish(self) -> v1::PreviewWatchResponse {
        self.response
    }
}

/// What of a run is worth telling: starts, ends, and what is said.
fn events(run: &Run, at_ms: u64) -> Vec<v1::PreviewEvent> {
    let told = run.events.iter().filter(|event| {
        event.notice.is_some() || matches!(event.change, Change::Fired | Change::Recovered)
    });
    told.map(|event| {
        let transition = match (&event.notice, event.change) {
            (_, Change::Fired) => "firing",
            (_, Change::Recovered) => "recovered",
            (Some((_, notice)), _) => match notice.news {
                wharf_proto::alerting::News::Firing => "still firing",
                wharf_proto::alerting::News::Recovered => "recovered",
            },
            (None, _) => "",
        };
        v1::PreviewEvent {
            at: Some(wharf_proto::times::timestamp(at_ms)),
            group: group_parts(&event.group.key),
            transition: transition.to_owned(),
            value: value_text(event.group.value.as_ref()),
            messages: event
                .messages
                .iter()
                .map(|message| would_send(message, at_ms))
                .collect(),
        }
    })
    .collect()
}

/// A message that a preview or a test would have sent.
#[must_use]
pub fn would_send(message: &Message, at_ms: u64) -> v1::Delivery {
    v1::Delivery {
        alert_id: message.alert_id.clone(),
        channel: message.channel.clone().unwrap_or_default(),
        transition: message.news.word().to_owned(),
        state: v1::DeliveryState::WouldSend.into(),
        subject: message.subject.clone(),
        body: message.body.clone(),
        at: Some(wharf_proto::times::timestamp(at_ms)),
        ..v1::Delivery::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use proptest::prelude::*;
    use serde_json::json;

    /// An answer per run: the share of each of two hosts, a host that is absent, or a failure.
    #[derive(Debug, Clone)]
    enum Recorded {
        Hosts(Vec<Option<f64>>),
        Cut(f64),
        Torn,
    }

    fn answer(recorded: &Recorded) -> Value {
        let bucket = |n: usize, used: f64| json!({"key": format!("h{n}"), "used": {"value": used}, "doc_count": 6});
        match recorded {
            Recorded::Hosts(hosts) => {
                let buckets: Vec<Value> = hosts
                    .iter()
                    .enumerate()
                    .filter_map(|(n, used)| used.map(|used| bucket(n, used)))
                    .collect();
                fixture::answer(json!({"host": {"buckets": buckets}}))
            }
            Recorded::Cut(used) => fixture::answer(json!({"host": {
                "sum_other_doc_count": 3, "buckets": [bucket(0, *used)],
            }})),
            Recorded::Torn => json!({"error": {"type": "x", "reason": "y"}}),
        }
    }

    fn any_series() -> impl Strategy<Value = Vec<Recorded>> {
        let share = prop_oneof![Just(0.5), Just(0.95), Just(0.91)];
        let one = prop_oneof![
            6 => proptest::collection::vec(proptest::option::weighted(0.9, share.clone()), 2)
                .prop_map(Recorded::Hosts),
            1 => share.prop_map(Recorded::Cut),
            1 => Just(Recorded::Torn),
        ];
        proptest::collection::vec(one, 1..120)
    }

    #[test]
    fn a_plan_is_limited_and_says_how_many_runs_there_would_have_been() {
        let day = 86_400_000;
        let plan = plan(&fixture::watch(), 0, 30 * day);
        assert_eq!(plan.runs, 7 * 2_880, "seven days at 30 s");
        assert!(plan.times.len() <= MAX_RUNS && plan.times.len() > MAX_RUNS / 2);
        assert!(
            plan.times
                .iter()
                .all(|at| *at > 23 * day && *at <= 30 * day)
        );
    }

    #[test]
    fn a_preview_tells_starts_ends_and_messages() {
        let watch = fixture::watch();
        let plan = plan(&watch, 0, 300_000);
        assert_eq!(plan.times.len(), 10);
        let mut preview = Preview::new(&watch, &plan);
        let levels = [0.5, 0.95, 0.95, 0.5, 0.5, 0.95, 0.95, 0.5, 0.5];
        for (at_ms, level) in plan.times.iter().zip(levels) {
            preview.observe(&watch, &answer(&Recorded::Hosts(vec![Some(level)])), *at_ms);
        }
        preview.failed("the storage does not answer");
        let response = preview.finish();
        assert_eq!(
            (response.runs, response.evaluated, response.errors),
            (10, 10, 1)
        );
        assert_eq!(response.first_error, "the storage does not answer");
        let told: Vec<(&str, usize)> = response
            .events
            .iter()
            .map(|event| (event.transition.as_str(), event.messages.len()))
            .collect();
        assert_eq!(
            told,
            [
                ("firing", 1),
                ("recovered", 1),
                ("firing", 0),
                ("recovered", 0)
            ],
            "the second start is within the throttle"
        );
        assert_eq!(
            response.events[0].messages[0].subject,
            "CRITICAL: memory h0"
        );
    }

    proptest! {
        /// Live means: each run on alerts that were stored and read back, messages settled after
        /// they were sent, the process started anew at any time.
        #[test]
        fn a_preview_over_a_recorded_series_is_what_happened_live(
            series in any_series(),
            restarts in proptest::collection::vec(any::<bool>(), 120),
        ) {
            let watch = fixture::watch();
            let times: Vec<u64> = (1..=series.len() as u64).map(|n| n * 30_000).collect();
            let plan = Plan { times: times.clone(), runs: series.len() as u64 };

            let mut live: Vec<v1::PreviewEvent> = Vec::new();
            let mut alerts = WatchAlerts::new("memory");
            for ((recorded, at_ms), restart) in series.iter().zip(&times).zip(&restarts) {
                let run = alerts.observe(&watch, &answer(recorded), *at_ms, *at_ms);
                live.extend(events(&run, *at_ms));
                if *restart {
                    let stored: Vec<String> = alerts
                        .all()
                        .map(|kept| serde_json::to_string(&kept).unwrap())
                        .collect();
                    alerts = WatchAlerts::new("memory");
                    for kept in stored {
                        alerts.restore(serde_json::from_str(&kept).unwrap());
                    }
                }
                for (key, notice, texts) in alerts.waiting() {
                    let said = run.events.iter().find(|event| {
                        event.notice.as_ref().is_some_and(|(own, _)| *own == key)
                    });
                    prop_assert_eq!(said.map(|event| &event.messages), Some(&texts));
                    alerts.settle(&texts[0].alert_id, notice.transition, true);
                }
            }

            let mut preview = Preview::new(&watch, &plan);
            for (recorded, at_ms) in series.iter().zip(&times) {
                preview.observe(&watch, &answer(recorded), *at_ms);
            }
            prop_assert_eq!(preview.finish().events, live);
        }
    }
}
