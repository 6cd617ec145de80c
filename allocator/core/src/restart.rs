//! How long to wait before an instance is started again after it ended or could not be started, and
//! before the engine is asked again to stop or remove what it could not.
//!
//! Invariants: every exit counts once, a stop that we asked for never counts; the wait doubles from
//! one second to one minute and is forgotten once the instance has run for a minute. Times are
//! monotonic milliseconds of the caller. Not here: the decision to start.

use std::collections::BTreeSet;

use crate::observed::Exit;

/// The first wait.
pub const FIRST_WAIT_MS: u64 = 1_000;
/// The longest wait.
pub const LONGEST_WAIT_MS: u64 = 60_000;
/// Running this long makes the failures before it forgotten.
pub const STABLE_MS: u64 = 60_000;
/// From this many failures in a row on it is called a crash loop.
pub const CRASH_LOOP: u32 = 4;

/// A coded reason why an instance could not be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartFailure {
    /// For example `ALL0012`.
    pub code: String,
    /// What happened and what can be done.
    pub text: String,
}

/// What is remembered of one instance's starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestartMemory {
    failures: u32,
    restarts: u32,
    not_before_ms: u64,
    running_since_ms: Option<u64>,
    counted_exit: Option<(String, i64)>,
    stopped: BTreeSet<String>,
    failure: Option<StartFailure>,
    last_exit: Option<Exit>,
}

impl RestartMemory {
    /// The container was seen running.
    pub fn seen_running(&mut self, now_ms: u64) {
        let since = *self.running_since_ms.get_or_insert(now_ms);
        self.failure = None;
        if now_ms.saturating_sub(since) >= STABLE_MS {
            self.failures = 0;
        }
    }

    /// The container was seen ended. Counts it unless it was counted or we stopped it, and keeps how it
    /// ended: the next start takes that from the engine.
    pub fn seen_exited(&mut self, container: &str, exit: &Exit, now_ms: u64) {
        let key = (container.to_owned(), exit.at_ms);
        if self.counted_exit.as_ref() == Some(&key) {
            return;
        }
        self.running_since_ms = None;
        self.counted_exit = Some(key);
        if !self.stopped.remove(container) {
            self.restarts = self.restarts.saturating_add(1);
            self.last_exit = Some(exit.clone());
            self.fail(now_ms);
        }
    }

    /// We ask the container to stop: its exit is not a failure.
    pub fn stopping(&mut self, container: &str) {
        if self.stopped.len() > 16 {
            self.stopped.clear();
        }
        self.stopped.insert(container.to_owned());
    }

    /// Making or starting the container failed.
    pub fn start_failed(&mut self, failure: StartFailure, now_ms: u64) {
        self.failure = Some(failure);
        self.fail(now_ms);
    }

    /// Forgets the wait, as when a new spec arrives.
    pub fn forgive(&mut self) {
        self.failures = 0;
        self.not_before_ms = 0;
        self.failure = None;
        self.last_exit = None;
    }

    /// Until when a start has to wait; nothing when it is due.
    #[must_use]
    pub fn waits_until(&self, now_ms: u64) -> Option<u64> {
        (self.not_before_ms > now_ms).then_some(self.not_before_ms)
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Exits that nobody asked for since the allocator started.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Why the last start failed, when it did.
    #[must_use]
    pub fn failure(&self) -> Option<&StartFailure> {
        self.failure.as_ref()
    }

    /// How its process last ended without being asked to, of this revision.
    #[must_use]
    pub fn last_exit(&self) -> Option<&Exit> {
        self.last_exit.as_ref()
    }

    fn fail(&mut self, now_ms: u64) {
        self.not_before_ms = now_ms.saturating_add(wait_ms(self.failures));
        self.failures = self.failures.saturating_add(1);
    }
}

/// What is remembered of stopping and removing one instance's containers and data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClearingMemory {
    failures: u32,
    not_before_ms: u64,
    failure: Option<StartFailure>,
}

impl ClearingMemory {
    /// It could not be done.
    pub fn failed(&mut self, failure: StartFailure, now_ms: u64) {
        self.not_before_ms = now_ms.saturating_add(wait_ms(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.failure = Some(failure);
    }

    /// Until when the next try has to wait; nothing when it is due.
    #[must_use]
    pub fn waits_until(&self, now_ms: u64) -> Option<u64> {
        (self.not_before_ms > now_ms).then_some(self.not_before_ms)
    }

    /// Why the last try failed, when it did.
    #[must_use]
    pub fn failure(&self) -> Option<&StartFailure> {
        self.failure.as_ref()
    }
}

/// The wait after so many failures before this one.
fn wait_ms(failures: u32) -> u64 {
    FIRST_WAIT_MS
        .saturating_mul(1 << failures.min(16))
        .min(LONGEST_WAIT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(at_ms: i64) -> Exit {
        Exit {
            code: 1,
            out_of_memory: false,
            at_ms,
            error: String::new(),
        }
    }

    #[test]
    fn an_exit_that_is_seen_twice_counts_once() {
        let mut memory = RestartMemory::default();
        memory.seen_exited("c", &exit(5), 100);
        memory.seen_exited("c", &exit(5), 2_000);
        assert_eq!((memory.failures(), memory.restarts()), (1, 1));
        assert_eq!(memory.waits_until(100), Some(1_100));
    }

    #[test]
    fn a_stop_that_we_asked_for_is_no_failure() {
        let mut memory = RestartMemory::default();
        memory.stopping("c");
        memory.seen_exited("c", &exit(5), 100);
        assert_eq!((memory.failures(), memory.waits_until(100)), (0, None));
    }

    #[test]
    fn the_wait_doubles_up_to_a_minute_and_a_stable_minute_forgets_it() {
        let mut memory = RestartMemory::default();
        let mut waits = vec![];
        for at in 0..8 {
            memory.seen_exited("c", &exit(at), 0);
            waits.push(memory.waits_until(0).unwrap());
        }
        assert_eq!(
            waits,
            [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
        );
        memory.seen_running(100_000);
        memory.seen_running(159_999);
        assert_eq!(memory.failures(), 8);
        memory.seen_running(160_000);
        assert_eq!(memory.failures(), 0);
    }
}
