//! A watch: when it runs, what it searches, what of the answer is wrong, what is then said.
//!
//! Invariants: a `Watch` is valid. It is made from a document (`document`) or from the API's
//! message (`api`), both through the same strict reader, and every default is filled in.
//! Not here: reading and writing it, running it.

use std::collections::BTreeMap;

use crate::{input::SearchInput, schedule::Cron, template::Template};

/// Longest name, in characters.
pub const MAX_NAME: usize = 64;
/// Most labels of one watch.
pub const MAX_LABELS: usize = 16;
/// Most actions of one watch.
pub const MAX_ACTIONS: usize = 8;
/// Most indices of one search.
pub const MAX_INDICES: usize = 16;
/// Most nested aggregations that make a group.
pub const MAX_BUCKETS: usize = 4;
/// Shortest interval: a search each second is the most that a deployment is asked for.
pub const MIN_INTERVAL_MS: u64 = 1_000;
/// Longest interval, window, throttle.
pub const MAX_SPAN_MS: u64 = 31 * 24 * 3_600_000;
/// Longest that a run may take.
pub const MAX_TIMEOUT_MS: u64 = 60_000;
/// What a throttle is when none is given.
pub const DEFAULT_THROTTLE_MS: u64 = 3_600_000;
/// What a timeout is when none is given.
pub const DEFAULT_TIMEOUT_MS: u64 = 10_000;
/// What a window is when none is given and the trigger has no interval.
pub const DEFAULT_WINDOW_MS: u64 = 300_000;

/// A scheduled condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// Its id: 1 to 64 of `a-z 0-9 - _ .`, the first a letter or digit.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether its trigger runs it.
    pub enabled: bool,
    /// How bad it is when it fires.
    pub severity: Severity,
    /// For people and filters.
    pub labels: BTreeMap<String, String>,
    /// When it runs.
    pub trigger: Trigger,
    /// What it searches.
    pub input: SearchInput,
    /// What of the answer is wrong.
    pub condition: Condition,
    /// No second message about a group that still fires within this time.
    pub throttle_ms: u64,
    /// Runs in a row that must be good before an alert has recovered, at least one.
    pub recover_after: u32,
    /// What is then said, and where. None: the alert is shown, nothing is sent.
    pub actions: Vec<Action>,
    /// A run that takes longer is cut off.
    pub timeout_ms: u64,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Warning,
    /// Somebody must look now.
    Critical,
}

impl Severity {
    /// All, mildest first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// The word in documents.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// When a watch runs.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// Every so many milliseconds.
    Interval(u64),
    /// At the times of a calendar.
    Cron(Cron),
}

/// What of an answer is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Names of nested aggregations, outermost first, whose buckets are judged one by one; none:
    /// the whole answer is judged.
    pub buckets: Vec<String>,
    /// What is measured, in each bucket or in the answer.
    pub measure: Measure,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what.
    pub threshold: Threshold,
    /// What an absent value means.
    pub missing: Missing,
    /// With fewer documents in the bucket (hits, when there are no buckets), or with a smaller
    /// whole of a ratio, nothing fires.
    pub min_count: u64,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// The value at a path: `hits.total.value`, `used.value`.
    Path(String),
    /// One value divided by another: `errors.doc_count` of `doc_count`.
    Ratio {
        /// Path of the part.
        part: String,
        /// Path of the whole.
        whole: String,
    },
}

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
}

impl Comparison {
    /// All, in the order that messages name them.
    pub const ALL: [Self; 6] = [Self::Gt, Self::Gte, Self::Lt, Self::Lte, Self::Eq, Self::Ne];

    /// The word in documents.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::Eq => "eq",
            Self::Ne => "ne",
        }
    }

    /// The sign in messages.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Gte => "≥",
            Self::Lt => "<",
            Self::Lte => "≤",
            Self::Eq => "=",
            Self::Ne => "≠",
        }
    }
}

/// What a value is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum Threshold {
    /// A finite number.
    Number(f64),
    /// A text, for `eq` and `ne`.
    Text(String),
    /// A truth, for `eq` and `ne`.
    Truth(bool),
}

/// What an absent value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing can be said: nothing fires and nothing recovers.
    Error,
    /// It is good.
    Ok,
    /// It fires.
    Fire,
}

impl Missing {
    /// All, the default first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Ok, Self::Fire];

    /// The word in documents.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Ok => "ok",
            Self::Fire => "fire",
        }
    }
}

/// A message to a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Name of a channel; `None`: every channel of the deployment.
    pub channel: Option<String>,
    /// One line.
    pub subject: Template,
    /// The text.
    pub body: Template,
    /// One line, of the message that says it is over.
    pub recovered_subject: Template,
    /// The text, of the message that says it is over.
    pub recovered_body: Template,
}

/// Whether a text may be the name of a watch, a dashboard, a saved view.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= MAX_NAME
        && text.bytes().next().is_some_and(plain)
        && text
            .bytes()
            .all(|byte| plain(byte) || matches!(byte, b'-' | b'_' | b'.'))
}
