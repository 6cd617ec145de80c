//! The clock: wall time for what people read, monotonic time for leases and timeouts.
//!
//! Invariants: wall time is UTC in unix milliseconds and may jump with the machine's clock; monotonic
//! time never runs backwards and means nothing outside this process; boot time means the same to every
//! process of the host until it is started anew, and goes on while it sleeps. A manual clock moves only
//! when told. Not here: sleeping (tokio's timers) and calendars.

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

/// Milliseconds since the host booted, time that it was suspended included; the same in all its processes and
/// containers, so that one can say until when another may act.
pub fn boottime_ms() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (time.tv_sec, time.tv_nsec);
    let millis = i128::from(seconds) * 1000 + i128::from(nanos) / 1_000_000;
    u64::try_from(millis).unwrap_or(0)
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
    fn boottime_is_that_of_the_host_and_does_not_run_backwards() {
        let first = boottime_ms();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let second = boottime_ms();
        // The kernel tells hundredths.
        let told = (seconds * 1000.0) as u64;
        assert!(
            first <= told + 10 && told <= second,
            "{first} <= {told} <= {second}"
        );
    }

    #[test]
    fn the_system_clock_is_after_2020_and_monotonic_time_does_not_run_backwards() {
        let clock = Clock::system();
        assert!(clock.now_ms() > 1_577_836_800_000);
        let first = clock.monotonic_ms();
        assert!(clock.monotonic_ms() >= first);
    }
}
