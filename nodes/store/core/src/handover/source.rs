//! The place that has the data: goes on, holds writes for a moment, gives up in writing, passes on from then.
//!
//! Invariants: once it may have given up it never takes a write again, also after a restart; what a target may say refers to
//! one attempt, and an attempt that ended by time or restart never comes back; writes are held for a bounded time and
//! then taken again for a while. Not here: what is written under way (the gate counts), the marker's file.

use serde::{Deserialize, Serialize};

/// How long files are kept still after a target last asked for it.
pub const QUIET_MS: u64 = 60_000;
/// How long writes are held for one attempt, those under way included.
pub const HOLD_MS: u64 = 10_000;
/// How long writes are taken after an attempt that came to nothing.
pub const REST_MS: u64 = 2_000;

/// That the data went elsewhere: durable before it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// The attempt that succeeded.
    pub attempt: String,
    /// `HOST:PORT` of who has the data now.
    pub to: String,
}

/// What becomes of a request that may change something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Writes {
    /// It is done here.
    Take,
    /// It waits until then at most, and is judged again.
    Hold {
        /// On the clock that the decisions are made by.
        until_ms: u64,
    },
    /// It is passed on.
    PassOn(GivenUp),
}

/// Why a target is told to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// An attempt ended a moment ago.
    #[error("the last attempt came to nothing a moment ago; writes are taken until the next")]
    Resting,
    /// Writes that began before did not end in time.
    #[error("writes that were under way did not end in time")]
    StillWriting,
    /// The data went already.
    #[error("this place has given up its data")]
    GivenUp,
    /// Files may change still.
    #[error("the files are not kept still; ask for that first")]
    NotQuiet,
}

/// What is to be done when a target says that it has everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Surrender {
    /// Write this durably, then tell [`Source::marked`].
    Mark(GivenUp),
    /// It was done before.
    Done,
    /// The attempt is over, or never was.
    Conflict,
}

/// The place's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// As if nobody copied.
    Open {
        /// No writes are held before.
        rest_until_ms: u64,
    },
    /// Nothing is sealed, merged or expired by itself; writes are taken.
    Quiet {
        /// Until then.
        until_ms: u64,
        /// No writes are held before.
        rest_until_ms: u64,
    },
    /// New writes wait, those under way end.
    Draining {
        /// Until then.
        until_ms: u64,
    },
    /// Nothing is written.
    Holding {
        /// Whoever says this has everything.
        attempt: String,
        /// Until then.
        until_ms: u64,
    },
    /// The marker may be on disk. Writes wait until that is known.
    Marking(GivenUp),
    /// The data is elsewhere.
    GivenUp(GivenUp),
}

impl Source {
    /// After a start, with what the marker says.
    #[must_use]
    pub fn started(marker: Option<GivenUp>) -> Self {
        marker.map_or(Self::Open { rest_until_ms: 0 }, Self::GivenUp)
    }

    /// Lets time pass; true when something changed.
    pub fn tick(&mut self, now_ms: u64) -> bool {
        let over = match self {
            Self::Quiet { until_ms, .. } => {
                (now_ms >= *until_ms).then_some(Self::Open { rest_until_ms: 0 })
            }
            Self::Draining { until_ms } | Self::Holding { until_ms, .. } => (now_ms >= *until_ms)
                .then_some(Self::Open {
                    rest_until_ms: now_ms.saturating_add(REST_MS),
                }),
            Self::Open { .. } | Self::Marking(_) | Self::GivenUp(_) => None,
        };
        let changed = over.is_some();
        if let Some(next) = over {
            *self = next;
        }
        changed
    }

    /// What becomes of a write that comes now.
    pub fn writes(&mut self, now_ms: u64) -> Writes {
        self.tick(now_ms);
        match self {
            Self::Open { .. } | Self::Quiet { .. } => Writes::Take,
            Self::Draining { until_ms } | Self::Holding { until_ms, .. } => Writes::Hold {
                until_ms: *until_ms,
            },
            Self::Marking(_) => Writes::Hold {
                until_ms: now_ms.saturating_add(HOLD_MS),
            },
            Self::GivenUp(to) => Writes::PassOn(to.clone()),
        }
    }

    /// Whether files may be changed by the place itself.
    pub fn may_maintain(&mut self, now_ms: u64) -> bool {
        self.tick(now_ms);
        matches!(self, Self::Open { .. })
    }

    /// A target wants files to stay as they are, but for what is written.
    ///
    /// # Errors
    /// Why not.
    pub fn quiet(&mut self, now_ms: u64) -> Result<(), NotNow> {
        self.tick(now_ms);
        let rest_until_ms = match self {
            Self::Open { rest_until_ms } | Self::Quiet { rest_until_ms, .. } => *rest_until_ms,
            // Writes are held already, so that files are still.
            Self::Draining { .. } | Self::Holding { .. } => return Ok(()),
            Self::Marking(_) | Self::GivenUp(_) => return Err(NotNow::GivenUp),
        };
        *self = Self::Quiet {
            until_ms: now_ms.saturating_add(QUIET_MS),
            rest_until_ms,
        };
        Ok(())
    }

    /// A target wants writes held. Those under way are to end, then [`Self::drained`] is told.
    ///
    /// # Errors
    /// Why not.
    pub fn hold(&mut self, now_ms: u64) -> Result<(), NotNow> {
        self.tick(now_ms);
        match self {
            Self::Quiet { rest_until_ms, .. } if now_ms < *rest_until_ms => Err(NotNow::Resting),
            Self::Quiet { .. } => {
                *self = Self::Draining {
                    until_ms: now_ms.saturating_add(HOLD_MS),
                };
                Ok(())
            }
            // A target that starts anew does not make clients wait any longer than one that did not.
            Self::Holding { until_ms, .. } => {
                *self = Self::Draining {
                    until_ms: *until_ms,
                };
                Ok(())
            }
            Self::Draining { .. } => Ok(()),
            Self::Open { rest_until_ms } if now_ms < *rest_until_ms => Err(NotNow::Resting),
            Self::Open { .. } => Err(NotNow::NotQuiet),
            Self::Marking(_) | Self::GivenUp(_) => Err(NotNow::GivenUp),
        }
    }

    /// Nothing is under way any more, and what was written is durable. `attempt`: a name that was never used.
    ///
    /// # Errors
    /// When it took too long.
    pub fn drained(&mut self, attempt: &str, now_ms: u64) -> Result<(), NotNow> {
        self.tick(now_ms);
        match self {
            Self::Draining { until_ms } => {
                *self = Self::Holding {
                    attempt: attempt.to_owned(),
                    until_ms: *until_ms,
                };
                Ok(())
            }
            _ => Err(NotNow::StillWriting),
        }
    }

    /// The target gives an attempt up: clients need not wait for its time to end.
    pub fn release(&mut self, attempt: &str, now_ms: u64) {
        self.tick(now_ms);
        if matches!(self, Self::Holding { attempt: held, .. } if held == attempt) {
            *self = Self::Open {
                rest_until_ms: now_ms.saturating_add(REST_MS),
            };
        }
    }

    /// The target has everything of an attempt and is reached at `to`.
    pub fn surrender(&mut self, attempt: &str, to: &str, now_ms: u64) -> Surrender {
        self.tick(now_ms);
        match self {
            Self::Holding { attempt: held, .. } if held == attempt => {
                let marker = GivenUp {
                    attempt: attempt.to_owned(),
                    to: to.to_owned(),
                };
                *self = Self::Marking(marker.clone());
                Surrender::Mark(marker)
            }
            // It could not be written before, or the answer got lost.
            Self::Marking(marker) if marker.attempt == attempt => Surrender::Mark(marker.clone()),
            Self::GivenUp(marker) if marker.attempt == attempt => Surrender::Done,
            _ => Surrender::Conflict,
        }
    }

    /// The marker is durable.
    pub fn marked(&mut self) {
        if let Self::Marking(marker) = self {
            *self = Self::GivenUp(marker.clone());
        }
    }

    /// Where the data went.
    #[must_use]
    pub fn given_up(&self) -> Option<&GivenUp> {
        match self {
            Self::GivenUp(marker) => Some(marker),
            _ => None,
        }
    }
}
