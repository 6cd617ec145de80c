//! A process that stands still, as one that hangs, and goes on when the test is through with it. Not here:
//! hosts that lose their power (`testbed`).

use std::{fs, process::Command};

use crate::testbed::{must, run};

/// A process that is stopped, and goes on when this is dropped, also by a panic.
#[derive(Debug)]
pub struct Frozen(String);

impl Frozen {
    /// Stops the process with this number.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn stop(pid: String) -> Self {
        must(Command::new("kill").args(["-STOP", &pid]));
        Self(pid)
    }

    /// Whether the kernel says so.
    ///
    /// # Panics
    /// When the process is gone.
    #[must_use]
    pub fn is_still(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0));
        let stat = stat.expect("the process is there");
        let (_, rest) = stat.rsplit_once(") ").expect("a process's line");
        rest.starts_with('T')
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        run(Command::new("kill").args(["-CONT", &self.0]));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::patience::wait_for;

    #[test]
    fn a_process_stands_still_until_it_is_let_go() {
        let mut sleeper = Command::new("sleep").arg("600").spawn().expect("sleep");
        let stands = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", sleeper.id()));
            stat.expect("it lives").contains(") T ")
        };
        let soon = Duration::from_secs(30);
        let frozen = Frozen::stop(sleeper.id().to_string());
        wait_for("it stands", soon, || {
            frozen.is_still().then_some(()).ok_or("it runs")
        });
        drop(frozen);
        wait_for("it goes on", soon, || {
            if stands() { Err("it stands") } else { Ok(()) }
        });
        sleeper.kill().expect("it can be ended");
        sleeper.wait().expect("it ends");
    }
}
