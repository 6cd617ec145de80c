//! Events as they are kept: the newest ones, audit lines and observations in the order in which they
//! came. Invariants: bounded; an audit line has the same number on every director, so that a stream
//! that is resumed at another one neither repeats nor loses it. Not here: what happened (`events`).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use wharf_proto::{times, v1};

use super::Seen;
use crate::state::{AuditEntry, AuditPlace};

/// Events kept.
pub const EVENTS_KEPT: usize = 10_000;
/// An observation of one kind about one subject is in the audit list once in this time.
const AUDIT_EVERY_MS: u64 = 10 * 60_000;
/// Observations in the audit list in that time, all together.
const AUDIT_MOST: usize = 200;

/// Commands whose audit lines have another word among events.
pub const KINDS_OF_COMMANDS: [(&str, &str); 2] = [
    ("adopt_plan", "plan_started"),
    ("supersede_plan", "plan_ended"),
];

/// An event.
pub type Event = v1::Event;

/// The newest events.
#[derive(Debug, Default)]
pub struct EventLog {
    events: VecDeque<Arc<Event>>,
    /// Events that came so far; the position of the next.
    taken: u64,
    /// The number of the next audit line to take.
    audit_next: u64,
    observed: u64,
    last_ms: u64,
}

/// The number of an event: its time, whether it is an audit line, and what tells those of one
/// millisecond apart.
fn number(at_ms: u64, audited: bool, count: u64) -> u64 {
    (at_ms << 10) | (u64::from(audited) << 9) | (count & 511)
}

impl EventLog {
    /// Forgets everything: another leader's log begins.
    pub fn clear(&mut self) {
        *self = Self {
            taken: self.taken,
            ..Self::default()
        };
    }

    fn push(&mut self, event: Event) {
        self.events.push_back(Arc::new(event));
        self.taken += 1;
        while self.events.len() > EVENTS_KEPT {
            self.events.pop_front();
        }
    }

    /// Takes the audit lines that are new; whether there were any.
    pub fn take_audit(&mut self, audit: &VecDeque<Arc<AuditEntry>>) -> bool {
        let from = audit.partition_point(|entry| entry.number < self.audit_next);
        for entry in audit.iter().skip(from) {
            self.audit_next = entry.number + 1;
            self.last_ms = self.last_ms.max(entry.at_ms);
            let kind = KINDS_OF_COMMANDS
                .iter()
                .find(|(command, _)| *command == entry.action)
                .map_or(entry.action.as_str(), |(_, kind)| *kind);
            let place = entry.place.clone().unwrap_or_else(|| AuditPlace {
                deployment_id: entry
                    .subject
                    .strip_prefix("deployment/")
                    .unwrap_or_default()
                    .to_owned(),
                ..AuditPlace::default()
            });
            self.push(Event {
                number: number(entry.at_ms, true, entry.number),
                at: Some(times::timestamp(entry.at_ms)),
                kind: kind.to_owned(),
                actor: entry.actor.clone(),
                subject: entry.subject.clone(),
                detail: entry.detail.clone(),
                host: place.host,
                deployment_id: place.deployment_id,
                result: entry.result.clone(),
            });
        }
        from < audit.len()
    }

    /// Takes an observation that the audit list does not keep.
    pub fn take_seen(&mut self, seen: Seen, now_ms: u64) {
        let at_ms = now_ms.max(self.last_ms);
        self.last_ms = at_ms;
        self.observed += 1;
        self.push(Event {
            number: number(at_ms, false, self.observed),
            at: Some(times::timestamp(at_ms)),
            kind: seen.kind.to_owned(),
            actor: "system".to_owned(),
            subject: seen.subject,
            detail: seen.detail,
            host: seen.host,
            deployment_id: seen.deployment_id,
            result: "done".to_owned(),
        });
    }

    /// Every event that is kept, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.iter()
    }

    /// The position of the next event.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.taken
    }

    /// The position of the first event after the numbered one: where a stream is resumed.
    #[must_use]
    pub fn after(&self, number: u64) -> u64 {
        let start = self.taken - self.events.len() as u64;
        let newer = self.events.iter().rposition(|event| event.number <= number);
        start + newer.map_or(0, |index| index as u64 + 1)
    }

    /// Events from a position on, at most so many, and the position after them. What was dropped
    /// since is left out.
    #[must_use]
    pub fn from(&self, position: u64, most: usize) -> (Vec<Arc<Event>>, u64) {
        let start = self.taken - self.events.len() as u64;
        let skipped = usize::try_from(position.saturating_sub(start)).unwrap_or(usize::MAX);
        let events: Vec<_> = self
            .events
            .iter()
            .skip(skipped)
            .take(most)
            .cloned()
            .collect();
        let next = position.max(start) + events.len() as u64;
        (events, next.min(self.taken))
    }
}

/// Keeps observations that repeat from pushing everything else out of the audit list.
#[derive(Debug, Default)]
pub struct Budget {
    last: BTreeMap<(&'static str, String), u64>,
}

impl Budget {
    /// Whether the audit list takes this observation now.
    pub fn admits(&mut self, seen: &Seen, now_ms: u64) -> bool {
        self.last
            .retain(|_, at_ms| now_ms.saturating_sub(*at_ms) < AUDIT_EVERY_MS);
        // A change of health in each direction is news; the same again is not.
        let key = (seen.kind, format!("{} {}", seen.subject, seen.detail));
        let full = self.last.len() >= AUDIT_MOST;
        if !seen.important || full || self.last.contains_key(&key) {
            return false;
        }
        self.last.insert(key, now_ms);
        true
    }
}
