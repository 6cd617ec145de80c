//! What the platform itself tells people, also while its store is dead: problems that last become
//! alerts, alerts become messages by the same state machine as a watch's. Invariants: the state has
//! an alert before anything of it is sent; what cannot be judged (a new leader's first seconds)
//! neither fires nor recovers; bounded. Not here: what a problem is (`health`), sending (the shell).

use std::collections::BTreeMap;

use wharf_proto::alerting::{Book, Change, News, Seen, Settings};

use crate::{
    command::RecordAlerts,
    health::{Graces, Problem},
    observe::Observations,
    refusal::{codes, cut},
    settings,
    state::{ALERTS_KEPT, AlertRecord, State},
};

/// Problems that people are told of.
pub const TOLD: [&str; 7] = [
    codes::DEPLOYMENT_UNHEALTHY,
    codes::ALLOCATOR_SILENT,
    codes::COLLECTOR_SILENT,
    codes::COLLECTOR_DROPS,
    codes::PROXY_SILENT,
    codes::NO_ALLOCATOR,
    codes::NO_PROXY,
];
/// Looks in a row without the problem before it is over; there is one a second.
const RECOVER_AFTER: u32 = 3;
/// Alerts that are over are forgotten after this.
const FORGET_AFTER_MS: u64 = 60 * 60_000;
/// Alerts of one command, so that it stays small.
const PER_COMMAND: usize = 20;
/// Bytes kept of a text.
const TEXT_BYTES: usize = 800;

/// The leader's alerts: those of the state, with what has been observed since.
#[derive(Debug)]
pub struct Watchman {
    book: Book,
    texts: BTreeMap<String, AlertRecord>,
}

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same whenever the same message is sent again.
    pub key: String,
    /// The alert.
    pub id: String,
    /// Which of its messages.
    pub transition: u64,
    /// `firing` or `recovered`.
    pub news: &'static str,
    /// One line.
    pub subject: String,
    /// The rest.
    pub body: String,
    /// What it is about.
    pub record: AlertRecord,
}

fn alert_id(problem: &Problem) -> String {
    format!(
        "{}/{}/{}",
        problem.subject_kind,
        cut(&problem.subject_id, 128),
        cut(&problem.code, 16)
    )
}

/// What the settings say of alerts.
fn rules(state: &State) -> Settings {
    Settings {
        throttle_ms: settings::duration_ms(state, "notifications.repeat_seconds"),
        recover_after: RECOVER_AFTER,
    }
}

/// Whether the leader has led for long enough that what it does not see is not there.
#[must_use]
pub fn judges(state: &State, observed: &Observations, now_ms: u64) -> bool {
    let graces = Graces::of(state);
    let longest = graces
        .allocator_ms
        .max(graces.proxy_ms)
        .max(graces.collector_ms);
    now_ms.saturating_sub(observed.leader_since_ms) > longest
}

impl Watchman {
    /// Takes up what the state has.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let mut book = Book::new(ALERTS_KEPT);
        for record in state.alerts.values() {
            book.restore(record.alert.clone());
        }
        Self {
            book,
            texts: state.alerts.clone(),
        }
    }

    /// Looks at the problems once a second; what the state must keep before anything is sent.
    #[must_use]
    pub fn look(
        &mut self,
        state: &State,
        observed: &Observations,
        problems: &[Problem],
        now_ms: u64,
    ) -> Vec<RecordAlerts> {
        let lasts_ms = settings::duration_ms(state, "notifications.after_seconds");
        let rules = rules(state);
        let mut seen = BTreeMap::new();
        for problem in problems {
            if !TOLD.contains(&problem.code.as_str()) {
                continue;
            }
            let id = alert_id(problem);
            let lasted = now_ms.saturating_sub(problem.since_ms) >= lasts_ms;
            // One that fires already goes on, also when it began anew.
            let fires = self.book.get(&id).is_some_and(|alert| alert.is_firing());
            let what = if lasted || fires {
                Seen::Firing
            } else {
                Seen::Unknown
            };
            let text = self.texts.entry(id.clone()).or_insert_with(|| AlertRecord {
                alert: wharf_proto::alerting::Alert::new(id.clone(), now_ms),
                code: problem.code.clone(),
                subject_kind: problem.subject_kind.to_owned(),
                subject: String::new(),
                message: String::new(),
                hint: String::new(),
            });
            text.subject = cut(&problem.subject, 128).to_owned();
            text.message = cut(&problem.message, TEXT_BYTES).to_owned();
            text.hint = cut(&problem.hint, TEXT_BYTES).to_owned();
            seen.insert(id, what);
        }
        let absent = if judges(state, observed, now_ms) {
            Seen::Good
        } else {
            Seen::Unknown
        };
        let signals = seen.iter().map(|(id, what)| (id.as_str(), *what));
        let round = self.book.observe(signals, absent, rules, now_ms);
        let mut forgotten = round.forgotten;
        forgotten.extend(self.book.forget(FORGET_AFTER_MS, rules, now_ms));
        let changed: Vec<AlertRecord> = round
            .steps
            .iter()
            .filter(|(_, step)| {
                step.notice.is_some() || matches!(step.change, Change::Fired | Change::Recovered)
            })
            .filter_map(|(id, _)| {
                let mut record = self.texts.get(id)?.clone();
                record.alert = self.book.get(id)?.clone();
                Some(record)
            })
            .collect();
        self.texts
            .retain(|id, _| self.book.get(id).is_some() || seen.contains_key(id));
        let mut commands: Vec<RecordAlerts> = forgotten
            .chunks(PER_COMMAND)
            .map(|ids| RecordAlerts {
                alerts: Vec::new(),
                forgotten: ids.to_vec(),
            })
            .collect();
        commands.extend(changed.chunks(PER_COMMAND).map(|records| RecordAlerts {
            alerts: records.to_vec(),
            forgotten: Vec::new(),
        }));
        commands
    }

    /// A message was sent or given up, and the state knows.
    pub fn settle(&mut self, id: &str, transition: u64, sent: bool) {
        if let Some(alert) = self.book.get_mut(id) {
            alert.settle(transition, sent);
        }
    }
}

/// The messages that wait in the state, in their order.
#[must_use]
pub fn waiting(state: &State) -> Vec<Notice> {
    let name = state
        .platform
        .as_ref()
        .map_or("wharf", |platform| platform.name.as_str());
    let mut all = Vec::new();
    for record in state.alerts.values() {
        for notice in &record.alert.outbox {
            let (subject, body) = text(record, notice.news, name);
            all.push((
                notice.at_ms,
                Notice {
                    key: format!("{name}:{}", record.alert.key(notice.transition)),
                    id: record.alert.id.clone(),
                    transition: notice.transition,
                    news: notice.news.word(),
                    subject,
                    body,
                    record: record.clone(),
                },
            ));
        }
    }
    all.sort_by_key(|(at_ms, _)| *at_ms);
    all.into_iter().map(|(_, notice)| notice).collect()
}

fn text(record: &AlertRecord, news: News, platform: &str) -> (String, String) {
    let what = format!("{} {}", record.subject_kind, record.subject);
    match news {
        News::Firing => (
            format!("[{platform}] firing: {what} ({})", record.code),
            format!("{}\n{}", record.message, record.hint),
        ),
        News::Recovered => (
            format!("[{platform}] recovered: {what} ({})", record.code),
            format!("It is over. It was: {}", record.message),
        ),
    }
}

#[cfg(test)]
mod tests;
