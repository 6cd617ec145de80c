//! Waiting for a condition with a deadline. A test never sleeps for a fixed time in the hope that
//! something has happened: it names what it waits for, and fails saying what it saw last.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Looks until `look` gives a value, and fails the test with what it saw last when the time is up.
///
/// # Panics
/// When the deadline passes; the message names the condition and the last reason.
pub fn wait_for<T, E: Debug>(
    what: &str,
    timeout: Duration,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let started = Instant::now();
    loop {
        match look() {
            Ok(value) => return value,
            Err(last) => assert!(
                started.elapsed() < timeout,
                "{what}: not within {} s; last seen: {last:?}",
                timeout.as_secs()
            ),
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Tells threads to stop when it is dropped, also by a panic: a scope waits for its threads, and a test
/// that fails must not wait for ever for load that nobody ends.
#[derive(Debug)]
pub struct StopWhenDropped<'a>(pub &'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_of_the_first_success_is_given() {
        let mut looks = 0;
        let value = wait_for("three looks", Duration::from_secs(10), || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err(looks) }
        });
        assert_eq!(value, 3);
    }

    #[test]
    #[should_panic(expected = "never: not within 0 s; last seen: \"still dark\"")]
    fn a_condition_that_never_comes_is_named_with_what_was_seen() {
        wait_for::<(), _>("never", Duration::ZERO, || Err("still dark"));
    }
}
