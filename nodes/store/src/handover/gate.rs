//! The gate that every request which may change something goes through, and maintenance too.
//!
//! Invariants: whoever is counted in was judged under the same lock, so that once writes are held and none is under way none
//! begins; requests that wait are bounded in number and time; a snapshot's cut and a move never hold at the same time. Not
//! here: the judgement of a move (core `handover::source`), the cut itself (`snapshots`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use wharf_runtime::clock::Clock;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::handover::source::{GivenUp, HOLD_MS, NotNow, Source, Surrender, Writes};

/// Requests that wait while writes are held.
const MAX_HELD: usize = 4096;
/// How long a request waits at most: two attempts that came to nothing.
const MAX_WAIT: Duration = Duration::from_millis(2 * HOLD_MS);
/// How long a merge or a round of retention is waited for.
const MAX_MAINTENANCE: Duration = Duration::from_secs(60);
/// How long a cut waits for writes under way: nobody notices a shorter pause, and it is tried again.
const CUT_DRAIN: Duration = Duration::from_secs(2);
/// How long a cut holds writes at most.
const CUT_MS: u64 = 5_000;

/// Why files are not kept still for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotStill {
    /// The data is going to another place, or went.
    #[error("the instance is being or was moved")]
    Moving,
    /// A merge or a round of retention goes on.
    #[error("a merge or a round of retention did not end in time")]
    Maintaining,
    /// Writes go on.
    #[error("writes that were under way did not end in time")]
    Writing,
    /// It took too long.
    #[error("the files could not be gathered in time")]
    Slow,
}

struct State {
    source: Source,
    /// Requests under way that may change something.
    writing: usize,
    /// Rounds of maintenance under way.
    maintaining: usize,
    held: usize,
    /// A snapshot keeps files still.
    still: bool,
    /// Until when it holds writes.
    cut_until_ms: Option<u64>,
}

impl State {
    /// What becomes of a write, the cut of a snapshot regarded.
    fn writes(&mut self, now_ms: u64) -> Writes {
        match self.source.writes(now_ms) {
            Writes::Take => match self.cut_until_ms.filter(|until| now_ms < *until) {
                Some(until_ms) => Writes::Hold { until_ms },
                None => Writes::Take,
            },
            other => other,
        }
    }
}

/// The gate.
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Grows with every change that somebody may wait for.
    changed: watch::Sender<u64>,
    clock: Clock,
}

/// Where a request is answered.
pub(crate) enum Entry<T> {
    /// Here.
    Here(T),
    /// At the place that has the data now.
    Elsewhere,
}

enum Counted {
    Write,
    Round,
}

/// Under way until it is dropped.
pub(crate) struct UnderWay {
    gate: Arc<Gate>,
    counted: Counted,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        let count = match self.counted {
            Counted::Write => &mut state.writing,
            Counted::Round => &mut state.maintaining,
        };
        *count -= 1;
        // A snapshot that keeps files still is counted itself.
        let few = *count <= 1;
        drop(state);
        if few {
            self.gate.tell();
        }
    }
}

/// Files are kept still for a snapshot, but for what is written, until this is dropped.
pub(crate) struct Still {
    gate: Arc<Gate>,
    // A move waits for it.
    _round: UnderWay,
}

impl Drop for Still {
    fn drop(&mut self) {
        self.gate.lock().still = false;
    }
}

/// Writes are held for a snapshot until this is dropped, or its time is over.
pub(crate) struct HeldForCut<'a> {
    gate: &'a Gate,
    until_ms: u64,
}

impl Drop for HeldForCut<'_> {
    fn drop(&mut self) {
        self.gate.lock().cut_until_ms = None;
        self.gate.tell();
    }
}

impl HeldForCut<'_> {
    /// Ends it; what was done meanwhile counts only if nothing was written since it began.
    pub(crate) fn release(self) -> Result<(), NotStill> {
        let in_time = self.gate.now_ms() < self.until_ms;
        in_time.then_some(()).ok_or(NotStill::Slow)
    }
}

impl Still {
    /// Holds writes and waits until none is under way.
    pub(crate) async fn hold(&self) -> Result<HeldForCut<'_>, NotStill> {
        let until_ms = self.gate.now_ms() + CUT_MS;
        self.gate.lock().cut_until_ms = Some(until_ms);
        let held = HeldForCut {
            gate: &self.gate,
            until_ms,
        };
        let drained = self.gate.until(CUT_DRAIN, |state| state.writing == 0).await;
        drained.then_some(held).ok_or(NotStill::Writing)
    }
}

struct Waiting<'a>(&'a Gate);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().held -= 1;
    }
}

impl Gate {
    pub(crate) fn new(marker: Option<GivenUp>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                source: Source::started(marker),
                writing: 0,
                maintaining: 0,
                held: 0,
                still: false,
                cut_until_ms: None,
            }),
            changed: watch::Sender::new(0),
            clock: Clock::system(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
    }

    fn now_ms(&self) -> u64 {
        self.clock.monotonic_ms()
    }

    /// Where the data went.
    pub(crate) fn given_up(&self) -> Option<GivenUp> {
        self.lock().source.given_up().cloned()
    }

    /// Waits while writes are held. `told`: called once when it has to wait.
    async fn pass<T>(
        &self,
        told: impl FnOnce(),
        count: impl Fn(&mut State) -> T,
    ) -> EsResult<Entry<T>> {
        let mut changed = self.changed.subscribe();
        let give_up = tokio::time::Instant::now() + MAX_WAIT;
        let (mut waiting, mut told) = (None, Some(told));
        loop {
            let left = {
                let mut state = self.lock();
                let now = self.now_ms();
                match state.writes(now) {
                    Writes::Take => return Ok(Entry::Here(count(&mut state))),
                    Writes::PassOn(_) => return Ok(Entry::Elsewhere),
                    Writes::Hold { until_ms } => {
                        if waiting.is_none() {
                            if state.held >= MAX_HELD {
                                return Err(EsError::rejected(
                                    "rejected execution of request: too many wait while writes are held for a move or a snapshot",
                                ));
                            }
                            state.held += 1;
                            waiting = Some(Waiting(self));
                        }
                        Duration::from_millis(until_ms.saturating_sub(now).max(1))
                    }
                }
            };
            if let Some(told) = told.take() {
                told();
            }
            let now = tokio::time::Instant::now();
            if now >= give_up {
                return Err(EsError::new(
                    503,
                    "cluster_block_exception",
                    "STO0003: writes were held for too long for a move or a snapshot; try again",
                ));
            }
            let until = (now + left).min(give_up);
            // Whichever comes first: it is judged again.
            drop(tokio::time::timeout_at(until, changed.changed()).await);
        }
    }

    /// Waits while writes are held, without being counted.
    pub(crate) async fn admit(&self, told: impl FnOnce()) -> EsResult<Entry<()>> {
        self.pass(told, |_| ()).await
    }

    /// Waits while writes are held; what is given counts as under way.
    pub(crate) async fn enter(self: &Arc<Self>, told: impl FnOnce()) -> EsResult<Entry<UnderWay>> {
        let counted = |state: &mut State| {
            state.writing += 1;
            UnderWay {
                gate: Arc::clone(self),
                counted: Counted::Write,
            }
        };
        self.pass(told, counted).await
    }

    /// A round of maintenance may begin, and counts as under way.
    pub(crate) fn maintain(self: &Arc<Self>) -> Option<UnderWay> {
        let mut state = self.lock();
        let now = self.now_ms();
        let may = state.source.may_maintain(now) && !state.still;
        may.then(|| self.round(&mut state))
    }

    fn round(self: &Arc<Self>, state: &mut State) -> UnderWay {
        state.maintaining += 1;
        UnderWay {
            gate: Arc::clone(self),
            counted: Counted::Round,
        }
    }

    /// Keeps files still for a snapshot, but for what is written, once the rounds of maintenance under way have ended.
    pub(crate) async fn still(self: &Arc<Self>) -> Result<Still, NotStill> {
        let moving = |state: &mut State| !state.source.may_maintain(self.now_ms());
        let still = {
            let mut state = self.lock();
            if moving(&mut state) {
                return Err(NotStill::Moving);
            }
            state.still = true;
            Still {
                gate: Arc::clone(self),
                _round: self.round(&mut state),
            }
        };
        let ended = self.until(MAX_MAINTENANCE, |state| state.maintaining == 1);
        if !ended.await {
            return Err(NotStill::Maintaining);
        }
        // A move may have been asked for meanwhile: it has precedence.
        if moving(&mut self.lock()) {
            return Err(NotStill::Moving);
        }
        Ok(still)
    }

    /// Resolves when `done` holds; false when the time is over.
    async fn until(&self, within: Duration, done: impl Fn(&State) -> bool) -> bool {
        let mut changed = self.changed.subscribe();
        let wait = async {
            while !done(&self.lock()) {
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(within, wait).await.is_ok()
    }

    /// Keeps files still, but for what is written.
    pub(crate) async fn quiet(&self) -> Result<(), NotNow> {
        self.lock().source.quiet(self.now_ms())?;
        if !self
            .until(MAX_MAINTENANCE, |state| state.maintaining == 0)
            .await
        {
            return Err(NotNow::StillWriting);
        }
        // It may have taken longer than files are kept still for.
        self.lock().source.quiet(self.now_ms())
    }

    /// Holds writes and waits until none is under way.
    pub(crate) async fn hold(&self) -> Result<(), NotNow> {
        self.lock().source.hold(self.now_ms())?;
        self.tell();
        let within = Duration::from_millis(HOLD_MS);
        if self.until(within, |state| state.writing == 0).await {
            Ok(())
        } else {
            self.tell();
            Err(NotNow::StillWriting)
        }
    }

    /// Everything that was written is durable: the attempt has this name.
    pub(crate) fn drained(&self, attempt: &str) -> Result<(), NotNow> {
        self.lock().source.drained(attempt, self.now_ms())
    }

    /// The target gives an attempt up.
    pub(crate) fn release(&self, attempt: &str) {
        self.lock().source.release(attempt, self.now_ms());
        self.tell();
    }

    /// The target says that it has everything.
    pub(crate) fn surrender(&self, attempt: &str, to: &str) -> Surrender {
        self.lock().source.surrender(attempt, to, self.now_ms())
    }

    /// The marker is durable.
    pub(crate) fn marked(&self) {
        self.lock().source.marked();
        self.tell();
    }
}

#[cfg(test)]
mod tests;
