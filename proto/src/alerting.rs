//! The life of an alert: good, firing, acknowledged or silenced, recovered, and what is said of it.
//!
//! Invariants: two messages that an alert fires are at least a throttle apart; one that says that it
//! is over follows each stretch of firing that was told, once; a message is decided before it is
//! sent, stays in the outbox until it is settled, and has the same key however often a process is
//! started in between: at least once, with one key. Time is an argument, milliseconds since 1970.
//! Whoever keeps an alert stores it (`Alert` is its own document) after each change and sends only
//! what was stored.
//! Not here: what is observed, texts of messages, sending.

mod book;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use book::{Book, Round, Waiting};

/// Most messages of one alert that wait to be settled; further ones that it fires are held.
pub const MAX_OUTBOX: usize = 8;
/// Starts of firing that are looked at to tell whether an alert flaps.
pub const FLAP_STARTS: usize = 5;
/// An alert that started to fire [`FLAP_STARTS`] times within this time flaps.
pub const FLAP_WINDOW_MS: u64 = 3_600_000;
/// A flapping alert must be good this many times longer before it has recovered.
pub const FLAP_FACTOR: u32 = 3;
/// Longest silence.
pub const MAX_SILENCE_MS: u64 = 30 * 24 * 3_600_000;
/// Longest comment, in characters.
pub const MAX_COMMENT: usize = 1_000;

/// What holds for all alerts of one watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// No second message that an alert fires within this time; one after it while it still fires.
    pub throttle_ms: u64,
    /// Observations in a row that must be good before an alert has recovered; zero is one.
    pub recover_after: u32,
}

/// What was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// Over its threshold.
    Firing,
    /// Not over its threshold.
    Good,
    /// Nothing can be said: nothing fires and nothing recovers.
    Unknown,
}

/// Where an alert is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It fires and nobody said that they know.
    Firing,
    /// It fires and somebody knows: no more messages until it has recovered.
    Acknowledged,
    /// It does not fire any more.
    Recovered,
}

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// It fires, or still does after the throttle's time.
    Firing,
    /// It is over.
    Recovered,
}

impl News {
    /// The word in messages and documents.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Recovered => "recovered",
        }
    }
}

/// A message that was decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notice {
    /// Which of the alert's messages it is, from 1 on.
    pub transition: u64,
    /// What it says.
    pub news: News,
    /// When it was decided.
    pub at_ms: u64,
}

/// Why a message was not decided although the alert fires, or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The last one is too short a time ago.
    Throttled {
        /// Until when.
        until_ms: u64,
    },
    /// Somebody silenced it.
    Silenced {
        /// Until when.
        until_ms: u64,
    },
    /// Somebody knows.
    Acknowledged,
    /// [`MAX_OUTBOX`] earlier ones have not been sent yet.
    OutboxFull,
}

impl Held {
    /// The reason, for people.
    #[must_use]
    pub fn reason(self) -> String {
        match self {
            Self::Throttled { until_ms } => {
                format!("throttled until {}", crate::times::rfc3339(until_ms))
            }
            Self::Silenced { until_ms } => {
                format!("silenced until {}", crate::times::rfc3339(until_ms))
            }
            Self::Acknowledged => "acknowledged: no more messages until it has recovered".into(),
            Self::OutboxFull => format!("{MAX_OUTBOX} earlier messages are not sent yet"),
        }
    }
}

/// What an observation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Same,
    /// It started to fire.
    Fired,
    /// It is good, but not for long enough yet.
    Recovering {
        /// Good observations in a row.
        good: u32,
        /// How many it takes.
        needed: u32,
    },
    /// It is over.
    Recovered,
}

/// What follows from one observation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What changed.
    pub change: Change,
    /// A message to send once the alert is stored.
    pub notice: Option<Notice>,
    /// Why there is none, when there would be one.
    pub held: Option<Held>,
    /// It starts to fire so often that it takes longer to recover.
    pub flaps: bool,
}

/// Why an alert cannot be handled as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// Only what fires can be acknowledged.
    #[error("the alert has recovered; only one that fires can be acknowledged")]
    NotFiring,
    /// The end of a silence is past or too far.
    #[error("a silence ends later than now and within thirty days")]
    SilenceEnd,
    /// The comment is too long.
    #[error("the comment is longer than {MAX_COMMENT} characters")]
    Comment,
}

/// An alert, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Of the watch and the group.
    pub id: String,
    /// When it was first seen; keeps the keys of an alert that was forgotten apart from these.
    pub born_ms: u64,
    /// Where it is in its life.
    pub phase: Phase,
    /// Since when.
    pub since_ms: u64,
    /// Last observation that saw it firing.
    pub last_firing_ms: u64,
    /// When the last message that it fires was decided.
    pub last_message_ms: Option<u64>,
    /// Until when it is silent.
    pub silenced_until_ms: Option<u64>,
    /// Who acknowledged or silenced it.
    pub handled_by: String,
    /// What they said.
    pub comment: String,
    /// Good observations in a row.
    pub good: u32,
    /// Number of the last message that was decided.
    pub transition: u64,
    /// Messages that were sent since it fires.
    pub messages: u32,
    /// A message said that it fires, and none yet that it is over.
    pub told: bool,
    /// Messages that are not settled, oldest first.
    pub outbox: Vec<Notice>,
    /// Latest starts of firing, oldest first.
    pub starts_ms: Vec<u64>,
}

impl Alert {
    /// An alert that is seen for the first time, before that observation.
    #[must_use]
    pub fn new(id: impl Into<String>, now_ms: u64) -> Self {
        Self {
            id: id.into(),
            born_ms: now_ms,
            phase: Phase::Recovered,
            since_ms: now_ms,
            last_firing_ms: 0,
            last_message_ms: None,
            silenced_until_ms: None,
            handled_by: String::new(),
            comment: String::new(),
            good: 0,
            transition: 0,
            messages: 0,
            told: false,
            outbox: Vec::new(),
            starts_ms: Vec::new(),
        }
    }

    /// Whether it fires, acknowledged or not.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.phase != Phase::Recovered
    }

    /// Until when it is silent, if it is.
    #[must_use]
    pub fn silence(&self, now_ms: u64) -> Option<u64> {
        self.silenced_until_ms.filter(|until| *until > now_ms)
    }

    /// Whether it started to fire so often that it flaps.
    #[must_use]
    pub fn flaps(&self, now_ms: u64) -> bool {
        self.starts_ms.len() >= FLAP_STARTS
            && self
                .starts_ms
                .first()
                .is_some_and(|first| now_ms.saturating_sub(*first) <= FLAP_WINDOW_MS)
    }

    /// The key that makes a message known again to whoever receives it twice.
    #[must_use]
    pub fn key(&self, transition: u64) -> String {
        format!("{}:{:x}:{transition}", self.id, self.born_ms)
    }

    /// Takes an observation in.
    pub fn observe(&mut self, seen: Seen, settings: Settings, now_ms: u64) -> Step {
        // The clock was set back: what lies ahead is held as of now, for one throttle at most.
        self.last_message_ms = self.last_message_ms.map(|at| at.min(now_ms));
        let change = match seen {
            Seen::Unknown => Change::Same,
            Seen::Firing => self.observe_firing(now_ms),
            Seen::Good => self.observe_good(settings, now_ms),
        };
        let (notice, held) = match (seen, self.is_firing()) {
            (Seen::Firing, _) => self.say_firing(settings, now_ms),
            (_, false) => self.say_recovered(now_ms),
            _ => (None, None),
        };
        Step {
            change,
            notice,
            held,
            flaps: self.flaps(now_ms),
        }
    }

    fn observe_firing(&mut self, now_ms: u64) -> Change {
        self.good = 0;
        self.last_firing_ms = now_ms;
        if self.is_firing() {
            return Change::Same;
        }
        self.phase = Phase::Firing;
        self.since_ms = now_ms;
        if !self.told {
            self.messages = 0;
        }
        self.starts_ms.push(now_ms);
        let excess = self.starts_ms.len().saturating_sub(FLAP_STARTS);
        self.starts_ms.drain(..excess);
        Change::Fired
    }

    fn observe_good(&mut self, settings: Settings, now_ms: u64) -> Change {
        if !self.is_firing() {
            return Change::Same;
        }
        let needed = settings.recover_after.max(1);
        let needed = if self.flaps(now_ms) {
            needed.saturating_mul(FLAP_FACTOR)
        } else {
            needed
        };
        self.good = self.good.saturating_add(1);
        if self.good < needed {
            let good = self.good;
            return Change::Recovering { good, needed };
        }
        self.phase = Phase::Recovered;
        self.since_ms = now_ms;
        self.good = 0;
        if self.silence(now_ms).is_none() {
            self.handled_by.clear();
            self.comment.clear();
        }
        Change::Recovered
    }

    fn say_firing(&mut self, settings: Settings, now_ms: u64) -> (Option<Notice>, Option<Held>) {
        if let Some(until_ms) = self.silence(now_ms) {
            return (None, Some(Held::Silenced { until_ms }));
        }
        if self.phase == Phase::Acknowledged {
            return (None, Some(Held::Acknowledged));
        }
        if let Some(last_ms) = self.last_message_ms {
            let until_ms = last_ms.saturating_add(settings.throttle_ms);
            if now_ms < until_ms {
                return (None, Some(Held::Throttled { until_ms }));
            }
        }
        if self.outbox.len() >= MAX_OUTBOX {
            return (None, Some(Held::OutboxFull));
        }
        self.told = true;
        self.last_message_ms = Some(now_ms);
        (Some(self.decide(News::Firing, now_ms)), None)
    }

    fn say_recovered(&mut self, now_ms: u64) -> (Option<Notice>, Option<Held>) {
        if !self.told {
            return (None, None);
        }
        if let Some(until_ms) = self.silence(now_ms) {
            // It is owed, and said when the silence ends unless it fires again by then.
            return (None, Some(Held::Silenced { until_ms }));
        }
        self.told = false;
        (Some(self.decide(News::Recovered, now_ms)), None)
    }

    fn decide(&mut self, news: News, at_ms: u64) -> Notice {
        self.transition += 1;
        let notice = Notice {
            transition: self.transition,
            news,
            at_ms,
        };
        self.outbox.push(notice.clone());
        notice
    }

    /// A message was sent, or was given up: it leaves the outbox. False when it was not in it.
    pub fn settle(&mut self, transition: u64, sent: bool) -> bool {
        let before = self.outbox.len();
        self.outbox.retain(|notice| notice.transition != transition);
        let was_there = self.outbox.len() < before;
        if was_there && sent {
            self.messages = self.messages.saturating_add(1);
        }
        was_there
    }

    /// Somebody knows: no more messages until it has recovered.
    ///
    /// # Errors
    /// When it does not fire, or the comment is too long.
    pub fn acknowledge(&mut self, by: &str, comment: &str, now_ms: u64) -> Result<(), HandleError> {
        if !self.is_firing() {
            return Err(HandleError::NotFiring);
        }
        self.handle(by, comment)?;
        if self.phase == Phase::Firing {
            self.phase = Phase::Acknowledged;
            self.since_ms = now_ms;
        }
        Ok(())
    }

    /// No messages until a time, whatever it does.
    ///
    /// # Errors
    /// When the time is past or too far, or the comment is too long.
    pub fn silence_until(
        &mut self,
        until_ms: u64,
        by: &str,
        comment: &str,
        now_ms: u64,
    ) -> Result<(), HandleError> {
        if until_ms <= now_ms || until_ms - now_ms > MAX_SILENCE_MS {
            return Err(HandleError::SilenceEnd);
        }
        self.handle(by, comment)?;
        self.silenced_until_ms = Some(until_ms);
        Ok(())
    }

    /// Messages again.
    pub fn unsilence(&mut self) {
        self.silenced_until_ms = None;
    }

    fn handle(&mut self, by: &str, comment: &str) -> Result<(), HandleError> {
        if comment.chars().count() > MAX_COMMENT {
            return Err(HandleError::Comment);
        }
        by.clone_into(&mut self.handled_by);
        comment.clone_into(&mut self.comment);
        Ok(())
    }
}
