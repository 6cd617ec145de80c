//! The clock: wall time for what people read, monotonic time for leases and timeouts.
//!
//! Invariants: wall time is UTC in unix milliseconds and may jump with the machine's clock; monotonic
//! time never runs backwards and means nothing outside this process. A manual clock moves only when
//! told. Not here: sleeping (tokio's timers) and calendars.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time. Cheap to clone; clones of a manual clock move together.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    System { start: Instant },
    Manual(Arc<Manual>),
}

#[derive(Debug)]
struct Manual {
    wall_ms: AtomicI64,
    monotonic_ms: AtomicU64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self {
            source: Source::System {
                start: Instant::now(),
            },
        }
    }

    /// A clock that stands at `now_ms` until it is advanced, for tests.
    pub fn manual(now_ms: i64) -> Self {
        let manual = Manual {
            wall_ms: AtomicI64::new(now_ms),
            monotonic_ms: AtomicU64::new(0),
        };
        Self {
            source: Source::Manual(Arc::new(manual)),
        }
    }

    /// Wall time, UTC, unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        match &self.source {
            Source::System { .. } => now_ms(),
            Source::Manual(manual) => manual.wall_ms.load(Ordering::SeqCst),
        }
    }

    /// Milliseconds since this clock was made; never runs backwards.
    pub fn monotonic_ms(&self) -> u64 {
        match &self.source {
            Source::System { start } => millis(start.elapsed()),
            Source::Manual(manual) => manual.monotonic_ms.load(Ordering::SeqCst),
        }
    }

    /// Moves a manual clock on; the machine's clock is left alone.
    pub fn advance_ms(&self, by_ms: u64) {
        if let Source::Manual(manual) = &self.source {
            manual
                .wall_ms
                .fetch_add(i64::try_from(by_ms).unwrap_or(i64::MAX), Ordering::SeqCst);
            manual.monotonic_ms.fetch_add(by_ms, Ordering::SeqCst);
        }
    }
}

/// The machine's wall time, UTC, unix milliseconds.
pub fn now_ms() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(1_000);
        let twin = clock.clone();
        assert_eq!((clock.now_ms(), clock.monotonic_ms()), (1_000, 0));
        twin.advance_ms(250);
        assert_eq!((clock.now_ms(), clock.monotonic_ms()), (1_250, 250));
    }

    #[test]
    fn the_system_clock_is_after_2020_and_monotonic_time_does_not_run_backwards() {
        let clock = Clock::system();
        assert!(clock.now_ms() > 1_577_836_800_000);
        let first = clock.monotonic_ms();
        assert!(clock.monotonic_ms() >= first);
    }
}
