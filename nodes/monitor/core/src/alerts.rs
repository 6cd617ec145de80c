//! The alerts of one watch over its runs: an answer in, what changed and what is to be said out.
//!
//! Invariants: what is said is decided by `wharf_proto::alerting` alone; a message's text is made
//! when it is decided and kept with its alert until it is settled, so that a restart sends the
//! same words under the same key; a run in error changes no alert.
//! Not here: keeping the documents, sending, when a run happens.

use std::collections::BTreeMap;

use serde_json::Value;
use wharf_proto::alerting::{Alert, Book, Change, Held, News, Notice, Seen, Settings};

use crate::api::value_text;
use crate::evaluate::{EvaluationError, Group, GroupKey, GroupState, Outcome, evaluate};
use crate::kept::Kept;
use crate::message::{Message, messages};
use crate::signal::{KnownAlert, Signal, signals};
use crate::watch::Watch;

/// Most alerts of one watch.
pub const MAX_ALERTS: usize = 500;
/// How long an alert that is over is remembered.
pub const REMEMBERED_MS: u64 = 7 * 24 * 3_600_000;
/// An alert that only goes on firing is stored again after this time.
const REFRESH_MS: u64 = 60_000;

/// The alerts of one watch.
#[derive(Debug, Clone)]
pub struct WatchAlerts {
    watch: String,
    book: Book,
    faces: BTreeMap<String, Face>,
}

#[derive(Debug, Clone, Default)]
struct Face {
    group: GroupKey,
    value: String,
    summary: String,
    texts: BTreeMap<u64, Vec<Message>>,
}

/// What happened to an alert in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The alert.
    pub alert_id: String,
    /// Its group as the run found it.
    pub group: Group,
    /// What changed.
    pub change: Change,
    /// What is said, with the key that makes it known again.
    pub notice: Option<(String, Notice)>,
    /// Its texts, one per action.
    pub messages: Vec<Message>,
    /// Why nothing is said where something would be.
    pub held: Option<Held>,
}

/// What one run comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// In one word.
    pub outcome: Outcome,
    /// Why nothing can be said.
    pub error: Option<EvaluationError>,
    /// Documents that matched.
    pub hits: u64,
    /// All groups, those that fire first.
    pub groups: Vec<Group>,
    /// Alerts to which something happened.
    pub events: Vec<Event>,
    /// Alerts whose documents must be stored before anything is sent.
    pub changed: Vec<String>,
    /// Alerts whose documents may go.
    pub forgotten: Vec<String>,
    /// Groups that fire and got no alert, because there are too many.
    pub excess: usize,
}

/// The settings of a watch's alerts.
#[must_use]
pub fn settings(watch: &Watch) -> Settings {
    Settings {
        throttle_ms: watch.throttle_ms,
        recover_after: watch.recover_after,
    }
}

impl WatchAlerts {
    /// A watch without alerts.
    #[must_use]
    pub fn new(watch: impl Into<String>) -> Self {
        Self {
            watch: watch.into(),
            book: Book::new(MAX_ALERTS),
            faces: BTreeMap::new(),
        }
    }

    /// Takes in an alert that was kept.
    pub fn restore(&mut self, kept: Kept) {
        let face = Face {
            group: kept.group,
            value: kept.value,
            summary: kept.summary,
            texts: kept.texts,
        };
        self.faces.insert(kept.alert.id.clone(), face);
        self.book.restore(kept.alert);
    }

    /// The form in which an alert is kept.
    #[must_use]
    pub fn kept(&self, alert_id: &str) -> Option<Kept> {
        let alert = self.book.get(alert_id)?;
        let face = self.faces.get(alert_id).cloned().unwrap_or_default();
        Some(Kept {
            watch: self.watch.clone(),
            group: face.group,
            value: face.value,
            summary: face.summary,
            alert: alert.clone(),
            texts: face.texts,
        })
    }

    /// All alerts.
    pub fn all(&self) -> impl Iterator<Item = Kept> {
        self.book.alerts().filter_map(|alert| self.kept(&alert.id))
    }

    /// How many fire.
    #[must_use]
    pub fn firing(&self) -> usize {
        self.book.alerts().filter(|alert| alert.is_firing()).count()
    }

    /// One alert, to acknowledge or silence it.
    pub fn alert_mut(&mut self, alert_id: &str) -> Option<&mut Alert> {
        self.book.get_mut(alert_id)
    }

    /// Messages that were decided and are not settled: key, number and texts.
    #[must_use]
    pub fn waiting(&self) -> Vec<(String, Notice, Vec<Message>)> {
        let mut waiting = Vec::new();
        for alert in self.book.alerts() {
            let face = self.faces.get(&alert.id);
            for notice in &alert.outbox {
                let texts = face.and_then(|face| face.texts.get(&notice.transition));
                let key = alert.key(notice.transition);
                waiting.push((key, notice.clone(), texts.cloned().unwrap_or_default()));
            }
        }
        waiting
    }

    /// A message was sent, or given up. False when it did not wait.
    pub fn settle(&mut self, alert_id: &str, transition: u64, sent: bool) -> bool {
        if let Some(face) = self.faces.get_mut(alert_id) {
            face.texts.remove(&transition);
        }
        self.book
            .get_mut(alert_id)
            .is_some_and(|alert| alert.settle(transition, sent))
    }

    /// Takes in the answer of the run of `at_ms`, at `now_ms`.
    pub fn observe(&mut self, watch: &Watch, answer: &Value, at_ms: u64, now_ms: u64) -> Run {
        let evaluation = match evaluate(&watch.condition, answer) {
            Ok(evaluation) => evaluation,
            Err(error) => return Run::in_error(error),
        };
        let signals: BTreeMap<String, Signal> = signals(watch, &evaluation, &self.known(), now_ms)
            .into_iter()
            .map(|signal| (signal.alert_id.clone(), signal))
            .collect();
        let before: BTreeMap<String, Alert> = self
            .book
            .alerts()
            .map(|alert| (alert.id.clone(), alert.clone()))
            .collect();
        let seen = signals
            .iter()
            .map(|(alert_id, signal)| (alert_id.as_str(), seen(signal.group.state)));
        let settings = settings(watch);
        // Every alert that fires has a signal; of others, absence says nothing.
        let round = self.book.observe(seen, Seen::Unknown, settings, now_ms);
        let mut run = Run {
            outcome: evaluation.outcome(),
            error: None,
            hits: evaluation.hits,
            groups: evaluation.groups,
            events: Vec::new(),
            changed: Vec::new(),
            forgotten: round.forgotten,
            excess: round.excess,
        };
        for (alert_id, step) in round.steps {
            let group = match signals.get(&alert_id) {
                Some(signal) => signal.group.clone(),
                None => self.absent(&alert_id),
            };
            let face = self.faces.entry(alert_id.clone()).or_default();
            face.group.clone_from(&group.key);
            if group.state == GroupState::Firing {
                face.value = value_text(group.value.as_ref());
            }
            let Some(alert) = self.book.get(&alert_id) else {
                continue;
            };
            let mut texts = Vec::new();
            if let Some(notice) = &step.notice {
                let span = watch.input.span(at_ms);
                texts = messages(watch, &group, run.hits, notice.news, span);
                if let Some(first) = texts.first() {
                    face.summary.clone_from(&first.subject);
                }
                face.texts.insert(notice.transition, texts.clone());
            }
            if before
                .get(&alert_id)
                .is_none_or(|before| differs(before, alert))
            {
                run.changed.push(alert_id.clone());
            }
            if step.notice.is_some() || step.held.is_some() || step.change != Change::Same {
                let notice = step.notice.map(|notice| {
                    let key = alert.key(notice.transition);
                    (key, notice)
                });
                run.events.push(Event {
                    alert_id,
                    group,
                    change: step.change,
                    notice,
                    messages: texts,
                    held: step.held,
                });
            }
        }
        run.forgotten
            .extend(self.book.forget(REMEMBERED_MS, settings, now_ms));
        for alert_id in &run.forgotten {
            self.faces.remove(alert_id);
        }
        run.changed.retain(|id| !run.forgotten.contains(id));
        run.groups.sort_by_key(|group| match group.state {
            GroupState::Firing => 0,
            GroupState::Unknown => 1,
            GroupState::Ok => 2,
        });
        run
    }

    fn known(&self) -> BTreeMap<String, KnownAlert> {
        let firing = self.book.alerts().filter(|alert| alert.is_firing());
        firing
            .map(|alert| {
                let known = KnownAlert {
                    key: self.group_of(&alert.id),
                    last_firing_ms: alert.last_firing_ms,
                };
                (alert.id.clone(), known)
            })
            .collect()
    }

    fn group_of(&self, alert_id: &str) -> GroupKey {
        let face = self.faces.get(alert_id);
        face.map(|face| face.group.clone()).unwrap_or_default()
    }

    fn absent(&self, alert_id: &str) -> Group {
        Group {
            key: self.group_of(alert_id),
            state: GroupState::Unknown,
            value: None,
            ratio: None,
            evidence: Value::Null,
        }
    }
}

impl Run {
    /// A run of which nothing can be said.
    #[must_use]
    pub fn in_error(error: EvaluationError) -> Self {
        Self {
            outcome: Outcome::Error,
            error: Some(error),
            hits: 0,
            groups: Vec::new(),
            events: Vec::new(),
            changed: Vec::new(),
            forgotten: Vec::new(),
            excess: 0,
        }
    }

    /// What is said, in the order in which it was decided.
    pub fn said(&self) -> impl Iterator<Item = (&Event, News)> {
        self.events.iter().filter_map(|event| {
            event
                .notice
                .as_ref()
                .map(|(_, notice)| (event, notice.news))
        })
    }
}

fn seen(state: GroupState) -> Seen {
    match state {
        GroupState::Ok => Seen::Good,
        GroupState::Firing => Seen::Firing,
        GroupState::Unknown => Seen::Unknown,
    }
}

/// Whether an alert must be stored again: its last firing alone may be a little old.
fn differs(before: &Alert, after: &Alert) -> bool {
    let refreshed = before.last_firing_ms / REFRESH_MS != after.last_firing_ms / REFRESH_MS;
    let same = Alert {
        last_firing_ms: before.last_firing_ms,
        ..after.clone()
    };
    refreshed || same != *before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use serde_json::json;

    fn answer(used: &[(&str, f64)]) -> Value {
        let buckets: Vec<Value> = used
            .iter()
            .map(|(host, used)| json!({"key": host, "doc_count": 6, "used": {"value": used}}))
            .collect();
        fixture::answer(json!({"host": {"sum_other_doc_count": 0, "buckets": buckets}}))
    }

    fn news(run: &Run) -> Vec<(String, News)> {
        run.said()
            .map(|(event, news)| (event.group.key[0].1.clone(), news))
            .collect()
    }

    #[test]
    fn one_message_when_it_fires_none_in_the_throttle_one_when_it_is_over() {
        let watch = fixture::watch();
        let mut alerts = WatchAlerts::new("memory");
        let mut said = Vec::new();
        // 30 s apart; the throttle is 30 minutes, two good runs are a recovery.
        let levels = [0.5, 0.95, 0.97, 0.99, 0.5, 0.95, 0.5, 0.5, 0.5];
        for (n, level) in levels.into_iter().enumerate() {
            let at_ms = n as u64 * 30_000;
            let run = alerts.observe(&watch, &answer(&[("a", level), ("b", 0.1)]), at_ms, at_ms);
            said.extend(news(&run).into_iter().map(|(host, news)| (n, host, news)));
        }
        assert_eq!(
            said,
            [
                (1, "a".to_owned(), News::Firing),
                (7, "a".to_owned(), News::Recovered)
            ]
        );
        assert_eq!(alerts.firing(), 0);
    }

    #[test]
    fn a_run_in_error_changes_no_alert() {
        let watch = fixture::watch();
        let mut alerts = WatchAlerts::new("memory");
        alerts.observe(&watch, &answer(&[("a", 0.95)]), 0, 0);
        let before: Vec<Kept> = alerts.all().collect();
        for torn in [json!({"error": {"type": "x"}}), answer(&[])] {
            for n in 1..20 {
                let run = alerts.observe(&watch, &torn, n * 30_000, n * 30_000);
                assert_eq!(run.outcome, Outcome::Error);
                assert!(run.error.is_some());
            }
        }
        assert_eq!(alerts.all().collect::<Vec<_>>(), before);
    }

    #[test]
    fn what_waits_is_said_with_the_same_words_after_a_restart() {
        let watch = fixture::watch();
        let mut alerts = WatchAlerts::new("memory");
        let run = alerts.observe(&watch, &answer(&[("a", 0.95)]), 0, 0);
        assert_eq!(run.changed.len(), 1, "it is stored before it is sent");
        let stored = serde_json::to_string(&alerts.kept(&run.changed[0]).unwrap()).unwrap();

        let mut again = WatchAlerts::new("memory");
        again.restore(serde_json::from_str(&stored).unwrap());
        assert_eq!(again.waiting(), alerts.waiting());
        let (key, notice, texts) = again.waiting().remove(0);
        assert_eq!(texts, run.events[0].messages);
        assert_eq!(run.events[0].notice, Some((key, notice.clone())));
        assert!(again.settle(&run.changed[0], notice.transition, true));
        assert!(!again.settle(&run.changed[0], notice.transition, true));
        assert_eq!(again.waiting(), []);
        let next = again.observe(&watch, &answer(&[("a", 0.95)]), 30_000, 30_000);
        assert_eq!(news(&next), [], "the throttle outlives the restart");
    }

    #[test]
    fn an_alert_that_only_goes_on_is_not_stored_with_each_run() {
        let watch = fixture::watch();
        let mut alerts = WatchAlerts::new("memory");
        let stored: usize = (0..40)
            .map(|n| {
                let at_ms = n * 30_000;
                let run = alerts.observe(&watch, &answer(&[("a", 0.95)]), at_ms, at_ms);
                run.changed.len()
            })
            .sum();
        assert_eq!(stored, 20, "once a minute in twenty minutes");
    }
}
