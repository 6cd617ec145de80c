//! The place that the data comes to: copies, keeps up, has writes held, takes the rest, and serves when the other gave up.
//!
//! Invariants: it serves only after the other place said that it gave up for the attempt whose data is whole here; before it
//! asks for that it has written down that it will, so that a restart asks again before it copies anything. Not here: what is to
//! be fetched (`files`), the requests and files themselves.

use serde::{Deserialize, Serialize};

/// A pass that brought no more than this, in no more time, leaves little for a switch.
pub const SMALL_BYTES: u64 = 8 << 20;
/// See [`SMALL_BYTES`].
pub const SMALL_MS: u64 = 1_000;
/// Passes with still files before a switch is tried although they do not become small.
pub const STILL_PASSES: u32 = 8;

/// What is durable of a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Kept {
    /// Files lie here that are not whole.
    Unfinished,
    /// Everything lies here, if the other place gave up for this attempt.
    Asked {
        /// The attempt.
        attempt: String,
        /// For how long writes were held when it was asked.
        pause_ms: u64,
    },
    /// The data is here.
    Moved {
        /// For how long the switch held writes back.
        pause_ms: u64,
    },
}

/// What the other place answered when it was told that everything is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It has given up.
    GivenUp,
    /// The attempt is over: it goes on.
    Conflict,
    /// There is no answer; it may have given up.
    Unknown,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Bring what is listed; then [`Target::passed`].
    Pass,
    /// Have files kept still and fresh rows sealed, then bring what is listed; then [`Target::passed`].
    StillPass,
    /// Nothing else is asked for: make a pass in a while.
    Rest,
    /// Have writes held and bring the rest, checked, durable and opened; then [`Target::held`] and [`Target::whole`].
    Hold,
    /// Write [`Kept::Asked`] down; then [`Target::recorded`].
    Record(String),
    /// Say that everything is here; then [`Target::told`].
    Tell(String),
    /// Write [`Kept::Moved`] down; then [`Target::moved`].
    Mark,
    /// Serve.
    Serve,
}

impl Step {
    /// Whether it belongs to a switch, in which clients of the other place wait.
    #[must_use]
    pub const fn switches(&self) -> bool {
        matches!(self, Self::Hold | Self::Record(_) | Self::Tell(_))
    }
}

/// The place's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Passes are made.
    Copying {
        /// Complete ones so far.
        passes: u32,
        /// Those of them with still files, since the take-over was asked for.
        still: u32,
        /// The last one brought little.
        small: bool,
    },
    /// The rest is being brought.
    Held {
        /// Writes are held for this.
        attempt: String,
    },
    /// Everything is here.
    Whole {
        /// Writes are held for this.
        attempt: String,
    },
    /// It is written down that the other place is asked.
    Asked {
        /// Writes are held for this, or the other place gave up for it.
        attempt: String,
    },
    /// The other place gave up.
    Won,
    /// It serves.
    Serving,
}

const BEGIN: Target = Target::Copying {
    passes: 0,
    still: 0,
    small: false,
};

impl Target {
    /// After a start, with what is durable.
    #[must_use]
    pub fn started(kept: &Kept) -> Self {
        match kept {
            Kept::Unfinished => BEGIN,
            Kept::Asked { attempt, .. } => Self::Asked {
                attempt: attempt.clone(),
            },
            Kept::Moved { .. } => Self::Serving,
        }
    }

    /// What is next. `take_over`: it is asked for.
    #[must_use]
    pub fn next(&self, take_over: bool) -> Step {
        match self {
            Self::Copying { passes: 0, .. } => Step::Pass,
            Self::Copying { small, still, .. } => match (take_over, *small) {
                (false, true) => Step::Rest,
                (false, false) => Step::Pass,
                (true, small) if *still > 0 && (small || *still >= STILL_PASSES) => Step::Hold,
                (true, _) => Step::StillPass,
            },
            Self::Held { .. } => Step::Hold,
            Self::Whole { attempt } => Step::Record(attempt.clone()),
            Self::Asked { attempt } => Step::Tell(attempt.clone()),
            Self::Won => Step::Mark,
            Self::Serving => Step::Serve,
        }
    }

    /// Everything that was listed is here.
    pub fn passed(&mut self, bytes: u64, took_ms: u64, still_files: bool) {
        if let Self::Copying {
            passes,
            still,
            small,
        } = self
        {
            *passes = passes.saturating_add(1);
            *still = if still_files { *still + 1 } else { 0 };
            *small = bytes <= SMALL_BYTES && took_ms <= SMALL_MS;
        }
    }

    /// Writes are not held, for the other place started anew or waits: files have to be kept still again.
    pub fn refused(&mut self) {
        if let Self::Copying { still, .. } = self {
            *still = 0;
        }
    }

    /// Writes are held.
    pub fn held(&mut self, attempt: &str) {
        if matches!(self, Self::Copying { .. }) {
            *self = Self::Held {
                attempt: attempt.to_owned(),
            };
        }
    }

    /// Everything that there was when writes were held is here, checked and durable.
    pub fn whole(&mut self) {
        if let Self::Held { attempt } = self {
            *self = Self::Whole {
                attempt: std::mem::take(attempt),
            };
        }
    }

    /// That the other place is asked is written down.
    pub fn recorded(&mut self) {
        if let Self::Whole { attempt } = self {
            *self = Self::Asked {
                attempt: std::mem::take(attempt),
            };
        }
    }

    /// The other place answered, or did not.
    pub fn told(&mut self, told: Told) {
        if matches!(self, Self::Asked { .. }) {
            match told {
                Told::GivenUp => *self = Self::Won,
                Told::Conflict => *self = BEGIN,
                Told::Unknown => {}
            }
        }
    }

    /// Something failed before the other place was asked: it goes on, so everything is compared again.
    pub fn failed(&mut self) {
        if matches!(self, Self::Held { .. } | Self::Whole { .. }) {
            *self = BEGIN;
        }
    }

    /// That the data is here is written down.
    pub fn moved(&mut self) {
        if matches!(self, Self::Won) {
            *self = Self::Serving;
        }
    }

    /// Whether it copies, because no switch was tried or the last one came to nothing.
    #[must_use]
    pub const fn copies(&self) -> bool {
        matches!(self, Self::Copying { .. })
    }

    /// The word for it in health answers.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Copying { passes: 0, .. } => "copying",
            Self::Copying { small: true, .. } => "ready",
            Self::Copying { .. } => "catching_up",
            Self::Held { .. } | Self::Whole { .. } | Self::Asked { .. } | Self::Won => "switching",
            Self::Serving => "serving",
        }
    }
}
