//! The alerts of one watch: at most so many, the rest counted.
//!
//! Invariants: an alert is forgotten only when nothing of it is owed: it does not fire, was not told
//! to fire, is not silent, has nothing in its outbox and no throttle running. Groups beyond the limit
//! get no alert and are counted, so that it can be said.

use std::collections::BTreeMap;

use super::{Alert, Notice, Seen, Settings, Step};

/// The alerts of one watch by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    alerts: BTreeMap<String, Alert>,
    max: usize,
}

/// What follows from one round of observations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// Alerts that were looked at, with what follows for each.
    pub steps: Vec<(String, Step)>,
    /// Alerts that are forgotten: their documents may go.
    pub forgotten: Vec<String>,
    /// Groups that fire and got no alert because there are too many.
    pub excess: usize,
}

/// Messages that wait, with their keys.
pub type Waiting = Vec<(String, Notice)>;

impl Book {
    /// A book for at most `max` alerts.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            alerts: BTreeMap::new(),
            max: max.max(1),
        }
    }

    /// Takes in an alert that was kept.
    pub fn restore(&mut self, alert: Alert) {
        self.alerts.insert(alert.id.clone(), alert);
    }

    /// All alerts, by id.
    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values()
    }

    /// One alert.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Alert> {
        self.alerts.get(id)
    }

    /// One alert, to handle or settle it.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Alert> {
        self.alerts.get_mut(id)
    }

    /// Every message that waits: key and message, those of one alert in their order.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        let of = |alert: &Alert| -> Waiting {
            let keyed = |notice: &Notice| (alert.key(notice.transition), notice.clone());
            alert.outbox.iter().map(keyed).collect()
        };
        self.alerts.values().flat_map(of).collect()
    }

    /// Takes in what one run observed. `absent` is what is thought of alerts whose group was not
    /// there: good when every group was looked at, unknown otherwise.
    pub fn observe<'a>(
        &mut self,
        seen: impl IntoIterator<Item = (&'a str, Seen)>,
        absent: Seen,
        settings: Settings,
        now_ms: u64,
    ) -> Round {
        let mut round = Round::default();
        let mut looked_at = BTreeMap::new();
        for (id, seen) in seen {
            looked_at.insert(id, seen);
        }
        let known: Vec<String> = self.alerts.keys().cloned().collect();
        for id in known {
            let seen = looked_at.get(id.as_str()).copied().unwrap_or(absent);
            if let Some(alert) = self.alerts.get_mut(&id) {
                let step = alert.observe(seen, settings, now_ms);
                round.steps.push((id, step));
            }
        }
        for (id, seen) in looked_at {
            if seen != Seen::Firing || self.alerts.contains_key(id) {
                continue;
            }
            if self.alerts.len() >= self.max && !self.forget_one(settings, now_ms, &mut round) {
                round.excess += 1;
                continue;
            }
            let mut alert = Alert::new(id, now_ms);
            let step = alert.observe(seen, settings, now_ms);
            self.alerts.insert(id.to_owned(), alert);
            round.steps.push((id.to_owned(), step));
        }
        round
    }

    /// Forgets alerts that have been over for `after_ms` and of which nothing is owed; their ids.
    pub fn forget(&mut self, after_ms: u64, settings: Settings, now_ms: u64) -> Vec<String> {
        let old = |alert: &Alert| {
            now_ms.saturating_sub(alert.since_ms) >= after_ms && may_go(alert, settings, now_ms)
        };
        let ids: Vec<String> = self
            .alerts
            .values()
            .filter(|alert| old(alert))
            .map(|alert| alert.id.clone())
            .collect();
        for id in &ids {
            self.alerts.remove(id);
        }
        ids
    }

    /// Makes room by the one that has been over for the longest time.
    fn forget_one(&mut self, settings: Settings, now_ms: u64, round: &mut Round) -> bool {
        let oldest = self
            .alerts
            .values()
            .filter(|alert| may_go(alert, settings, now_ms))
            .min_by_key(|alert| alert.since_ms)
            .map(|alert| alert.id.clone());
        let Some(id) = oldest else { return false };
        self.alerts.remove(&id);
        round.steps.retain(|(of, _)| *of != id);
        round.forgotten.push(id);
        true
    }
}

fn may_go(alert: &Alert, settings: Settings, now_ms: u64) -> bool {
    let throttled = alert
        .last_message_ms
        .is_some_and(|last| now_ms < last.saturating_add(settings.throttle_ms));
    !alert.is_firing()
        && !alert.told
        && alert.outbox.is_empty()
        && alert.silence(now_ms).is_none()
        && !throttled
}
