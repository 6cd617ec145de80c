//! What the agents of a host cost: memory and processor time of director, allocator (which carries the
//! collectors) and proxy, and of the engine that they ask. Invariant: only what the kernel says. Not here:
//! what the host does meanwhile (`tests/docker_collectors_cost.rs`).

use std::{fmt::Write as _, fs, path::PathBuf, time::Instant};

use crate::testbed::{Host, must};

const MIB: f64 = 1024.0 * 1024.0;
/// Of a tick of `/proc/PID/stat`, seconds.
const TICK: f64 = 0.01;

/// An agent and its processes.
#[derive(Debug, Clone)]
pub struct Agent {
    /// As in the table.
    pub name: &'static str,
    pids: Vec<u32>,
}

/// The agents of a host that `wharf up` has run on, and its engine.
///
/// # Panics
/// When one does not run.
#[must_use]
pub fn agents(host: &Host) -> Vec<Agent> {
    let roles = [
        ("director", "wharf-wharfinger-director"),
        ("allocator", "wharf-wharfinger-allocator"),
        ("proxy", "wharf-wharfinger-proxy"),
    ];
    let role = |(name, container): (&'static str, &str)| {
        let shown = must(&mut host.docker(&["inspect", "-f", "{{.State.Pid}}", container]));
        let pids = vec![shown.trim().parse().expect("a process")];
        Agent { name, pids }
    };
    let engine = host.engine_pid();
    let children = fs::read_to_string(format!("/proc/{engine}/task/{engine}/children"));
    let children = children.unwrap_or_default();
    let children = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    let engine = Agent {
        name: "dockerd and containerd",
        pids: std::iter::once(engine).chain(children).collect(),
    };
    roles.into_iter().map(role).chain([engine]).collect()
}

/// What one agent has used.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// Resident, bytes.
    pub resident: f64,
    /// Charged to its control group without the page cache, bytes; zero for the engine, which has none of its own.
    pub charged: f64,
    /// User and system time since it began, seconds.
    pub cpu: f64,
}

impl Agent {
    /// What it has used until now.
    ///
    /// # Panics
    /// When it ended.
    #[must_use]
    pub fn used(&self) -> Used {
        let mut used = Used::default();
        for pid in &self.pids {
            used.resident += resident(*pid);
            used.cpu += cpu_seconds(*pid);
        }
        if let [pid] = self.pids.as_slice() {
            used.charged = charged(*pid).unwrap_or_default();
        }
        used
    }
}

pub(crate) fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.expect("a resident size") * 1024.0
}

/// User and system time of a process, seconds.
///
/// # Panics
/// When it ended.
#[must_use]
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    ticks(&stat).expect("a line of proc(5)") * TICK
}

/// Fields 14 and 15 of proc(5), counted behind the name, which may have spaces.
fn ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let (user, system) = (fields.next()?, fields.next()?);
    Some(user.parse::<f64>().ok()? + system.parse::<f64>().ok()?)
}

/// Anonymous memory of the control group that a process is in.
fn charged(pid: u32) -> Option<f64> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let (folder, field) = group(&groups)?;
    let stat = fs::read_to_string(folder.join("memory.stat")).ok()?;
    let mut fields = stat.lines().filter_map(|line| line.split_once(' '));
    fields.find(|(name, _)| *name == field)?.1.parse().ok()
}

/// The folder of a process's memory, and the field of its statistics, in either version of control groups.
fn group(groups: &str) -> Option<(PathBuf, &'static str)> {
    let lines = || {
        groups
            .lines()
            .filter_map(|line| line.split_once(':')?.1.split_once(':'))
    };
    let below = |base: &str, path: &str| PathBuf::from(base).join(path.trim_start_matches('/'));
    let first = lines().find(|(controllers, _)| controllers.split(',').any(|one| one == "memory"));
    if let Some((_, path)) = first {
        return Some((below("/sys/fs/cgroup/memory", path), "rss"));
    }
    let second = lines().find(|(controllers, _)| controllers.is_empty());
    second.map(|(_, path)| (below("/sys/fs/cgroup", path), "anon"))
}

/// A span that is measured.
#[derive(Debug)]
pub struct Span {
    began: Instant,
    before: Vec<(Agent, Used)>,
}

impl Span {
    /// Begins now.
    #[must_use]
    pub fn begin(agents: &[Agent]) -> Self {
        let before = agents.iter().map(|one| (one.clone(), one.used()));
        Self {
            before: before.collect(),
            began: Instant::now(),
        }
    }

    /// The table of what was used until now, memory as it is now.
    ///
    /// # Panics
    /// When an agent ended.
    #[must_use]
    pub fn table(&self, what: &str) -> String {
        let seconds = self.began.elapsed().as_secs_f64();
        let mut text = format!(
            "{what}, {seconds:.0} s measured\n{:24} {:>12} {:>16} {:>18}\n",
            "", "RSS, MiB", "anonymous, MiB", "CPU, s per minute"
        );
        for (agent, before) in &self.before {
            let now = agent.used();
            let cpu = (now.cpu - before.cpu) / seconds * 60.0;
            let _ = writeln!(
                text,
                "{:24} {:12.1} {:16.1} {cpu:18.2}",
                agent.name,
                now.resident / MIB,
                now.charged / MIB
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_moves_no_field() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0";
        assert_eq!(ticks(stat), Some(175.0));
        assert_eq!(ticks("12 (a) S 1"), None);
    }

    #[test]
    fn the_memory_of_either_version_is_found() {
        let first = "4:cpu,cpuacct:/x\n3:memory:/docker/abc\n0::/docker/abc\n";
        let found = group(first).expect("version 1");
        assert_eq!(
            found,
            (PathBuf::from("/sys/fs/cgroup/memory/docker/abc"), "rss")
        );
        let found = group("0::/docker/abc\n").expect("version 2");
        assert_eq!(found, (PathBuf::from("/sys/fs/cgroup/docker/abc"), "anon"));
    }

    #[test]
    fn this_process_has_used_something() {
        let own = Agent {
            name: "own",
            pids: vec![std::process::id()],
        };
        let table = Span::begin(std::slice::from_ref(&own)).table("idle");
        assert!(own.used().resident > 0.0, "no memory: {table}");
        assert!(table.contains("own"), "{table}");
    }
}
