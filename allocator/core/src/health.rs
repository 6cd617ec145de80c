//! From single probes to the health of an instance.
//!
//! Invariants: one good probe makes it healthy; three bad ones in a row make it unhealthy, so that
//! one lost packet does not move traffic; before its first good probe it is unknown for as long as a
//! start may take; one that says itself that it must not be sent clients is unhealthy at once. Not here: sending the probe.

/// Bad probes in a row that make an instance unhealthy.
pub const BAD_PROBES: u32 = 3;
/// How long after its start an instance may stay silent.
pub const START_GRACE_MS: u64 = 60_000;

/// What an instance's probes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is known yet.
    Unknown,
    /// It answers.
    Healthy,
    /// It does not.
    Unhealthy,
}

/// The memory of one container's probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probes {
    container: String,
    since_ms: u64,
    verdict: Verdict,
    bad: u32,
}

impl Probes {
    /// A container that was first seen running now.
    #[must_use]
    pub fn new(container: &str, now_ms: u64) -> Self {
        Self {
            container: container.to_owned(),
            since_ms: now_ms,
            verdict: Verdict::Unknown,
            bad: 0,
        }
    }

    /// The container that was probed.
    #[must_use]
    pub fn container(&self) -> &str {
        &self.container
    }

    /// A probe's outcome; returns the verdict after it.
    pub fn note(&mut self, good: bool, now_ms: u64) -> Verdict {
        if good {
            self.bad = 0;
            self.verdict = Verdict::Healthy;
            return self.verdict;
        }
        self.bad = self.bad.saturating_add(1);
        let starting = self.verdict == Verdict::Unknown
            && now_ms.saturating_sub(self.since_ms) < START_GRACE_MS;
        if self.bad >= BAD_PROBES && !starting {
            self.verdict = Verdict::Unhealthy;
        }
        self.verdict
    }

    /// It answers that it must not be sent clients yet: its data is still being brought here.
    pub fn holds_back(&mut self) -> Verdict {
        self.bad = self.bad.saturating_add(1);
        self.verdict = Verdict::Unhealthy;
        self.verdict
    }

    /// The verdict so far.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_that_starts_is_unknown_until_it_answers_or_its_grace_ends() {
        let mut probes = Probes::new("c", 0);
        for now in [1_000, 2_000, 3_000, 4_000] {
            assert_eq!(probes.note(false, now), Verdict::Unknown);
        }
        assert_eq!(probes.note(false, START_GRACE_MS), Verdict::Unhealthy);
        assert_eq!(probes.note(true, START_GRACE_MS + 1), Verdict::Healthy);
    }

    #[test]
    fn one_that_holds_back_is_unhealthy_at_once_and_healthy_as_soon_as_it_does_not() {
        let mut probes = Probes::new("c", 0);
        assert_eq!(probes.holds_back(), Verdict::Unhealthy);
        assert_eq!(probes.note(true, 1), Verdict::Healthy);
    }

    #[test]
    fn one_lost_probe_changes_nothing_and_three_do() {
        let mut probes = Probes::new("c", 0);
        probes.note(true, 1);
        assert_eq!(probes.note(false, 2), Verdict::Healthy);
        assert_eq!(probes.note(false, 3), Verdict::Healthy);
        assert_eq!(probes.note(false, 4), Verdict::Unhealthy);
    }
}
