//! What is wrong with the host, coded: engine, disk, clock, control groups, memory.
//!
//! Invariants: pure; a problem is named while it lasts and not a moment longer; every code has a page.
//! Not here: measuring (`host_state_task.rs`), and what is wrong with one instance (its observation).

use wharf_proto::v1::HostProblem;

use crate::docker::engine::EngineError;

/// Below this share of the disk it is nearly full.
pub const LEAST_FREE_PERCENT: u64 = 10;
/// More free than this is enough on any disk.
pub const ENOUGH_FREE_BYTES: u64 = 20 << 30;
/// A clock that is off by more is wrong.
pub const MOST_SKEW_MS: i64 = 5_000;

/// What was measured.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// The engine's state.
    pub engine: Option<EngineError>,
    /// Free and whole bytes of the data directory's file system.
    pub disk: Option<(u64, u64)>,
    /// The host's clock minus the director's, when it is known.
    pub skew_ms: Option<i64>,
    /// Whether control groups can be read.
    pub cgroup_readable: bool,
    /// The host's memory.
    pub memory_bytes: u64,
    /// What may be handed out.
    pub capacity_bytes: u64,
    /// Why the collectors stopped, when they did.
    pub collectors: Option<String>,
    /// Why the certificate could not be renewed, when it should have been.
    pub renewal: Option<String>,
}

/// The problems.
#[must_use]
pub fn problems(of: &Measured) -> Vec<HostProblem> {
    let mut found = Vec::new();
    let mut add = |code: &str, message: String, hint: &str| {
        found.push(HostProblem {
            code: code.to_owned(),
            message,
            hint: hint.to_owned(),
        });
    };
    if let Some(error) = &of.engine {
        let text = error.to_string();
        let (message, hint) = text
            .split_once("; ")
            .unwrap_or((&text, "look at the engine's log"));
        add(error.code(), message.to_owned(), hint);
    }
    if let Some((free, total)) = of.disk {
        let short = free < ENOUGH_FREE_BYTES && free < total / 100 * LEAST_FREE_PERCENT;
        if short {
            let message = format!(
                "{} of {} MiB are free on the data directory's disk",
                free >> 20,
                total >> 20
            );
            add(
                "ALL0021",
                message,
                "free or add disk, or move instances to another host",
            );
        }
    }
    if let Some(skew) = of.skew_ms.filter(|skew| skew.abs() > MOST_SKEW_MS) {
        let way = if skew > 0 { "ahead of" } else { "behind" };
        let message = format!("the clock is {} s {way} the director's", skew.abs() / 1000);
        add(
            "ALL0022",
            message,
            "synchronise the clocks of all hosts, with chrony for example",
        );
    }
    if !of.cgroup_readable {
        let message = "the control groups under /sys/fs/cgroup cannot be read".to_owned();
        add(
            "ALL0023",
            message,
            "mount them, or start the allocator with `wharf up`, which does",
        );
    }
    if of.memory_bytes > 0 && of.capacity_bytes > of.memory_bytes {
        let message = format!(
            "{} MiB may be handed out and the host has {} MiB",
            of.capacity_bytes >> 20,
            of.memory_bytes >> 20
        );
        add("ALL0024", message, "lower the capacity in allocator.json");
    }
    if let Some(why) = &of.collectors {
        add(
            "ALL0025",
            format!("the collectors do not run: {why}"),
            "look at the allocator's log",
        );
    }
    if let Some(why) = &of.renewal {
        let message = format!("the allocator's certificate could not be renewed: {why}");
        add(
            "ALL0041",
            message,
            "look at the directors' logs before it expires",
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(of: &Measured) -> Vec<String> {
        problems(of).into_iter().map(|one| one.code).collect()
    }

    fn well() -> Measured {
        Measured {
            cgroup_readable: true,
            memory_bytes: 8 << 30,
            ..Default::default()
        }
    }

    #[test]
    fn a_host_that_is_well_has_no_problem() {
        let disk = Some((50 << 30, 100 << 30));
        assert!(
            codes(&Measured {
                disk,
                skew_ms: Some(-300),
                ..well()
            })
            .is_empty()
        );
        // A tenth of a huge disk is plenty.
        assert!(
            codes(&Measured {
                disk: Some((900 << 30, 10 << 40)),
                ..well()
            })
            .is_empty()
        );
    }

    #[test]
    fn each_problem_has_its_code() {
        let of = Measured {
            engine: Some(EngineError::NoSocket("unix:///x".into())),
            disk: Some((1 << 30, 100 << 30)),
            skew_ms: Some(-90_000),
            cgroup_readable: false,
            memory_bytes: 1 << 30,
            capacity_bytes: 2 << 30,
            collectors: Some("x".into()),
            renewal: Some("x".into()),
        };
        assert_eq!(
            codes(&of),
            [
                "ALL0001", "ALL0021", "ALL0022", "ALL0023", "ALL0024", "ALL0025", "ALL0041"
            ]
        );
        assert!(problems(&of)[0].hint.starts_with("start Docker"));
    }
}
