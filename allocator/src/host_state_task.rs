//! Measures the host every few seconds: what it is, how loaded it is, what is wrong with it.
//!
//! Invariants: whatever cannot be read is left at its last or zero value and never an error; the
//! engine is asked for what does not change only until it answered. Not here: what counts as a
//! problem (`problems.rs`), and series for the store (the collectors).

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;
use wharf_proto::v1;
use wharf_runtime::{disk, task::Shutdown};

use crate::{
    docker::engine::EngineFacts,
    engine_link::EngineLink,
    files::Capacity,
    problems::{Measured, problems},
};

const EVERY: Duration = Duration::from_secs(5);

/// What is known of the host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostState {
    /// For the heartbeat.
    pub facts: v1::HostFacts,
    /// For the heartbeat.
    pub problems: Vec<v1::HostProblem>,
}

/// What other tasks found out about the host.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    skew_ms: AtomicI64,
    pub(crate) collectors: watch::Sender<Option<String>>,
    pub(crate) renewal: watch::Sender<Option<String>>,
}

impl Findings {
    /// The host's clock minus a director's.
    pub(crate) fn set_skew(&self, ms: i64) {
        self.skew_ms.store(ms, Ordering::Relaxed);
    }

    /// What was set last; 0 before anything was.
    pub(crate) fn skew_ms(&self) -> i64 {
        self.skew_ms.load(Ordering::Relaxed)
    }
}

pub(crate) struct HostStateTask {
    pub(crate) data_dir: PathBuf,
    pub(crate) host_root: PathBuf,
    pub(crate) capacity: Capacity,
    pub(crate) engine: EngineLink,
    pub(crate) image: watch::Receiver<String>,
    pub(crate) findings: Arc<Findings>,
    pub(crate) state: watch::Sender<HostState>,
    pub(crate) engine_facts: watch::Sender<Option<EngineFacts>>,
}

impl HostStateTask {
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut last_cpu = None;
        loop {
            if self.engine_facts.borrow().is_none() {
                let facts = match self.engine.get().await {
                    Ok(engine) => engine.facts().await,
                    Err(error) => Err(error),
                };
                self.engine.note(facts.as_ref().err());
                if let Ok(facts) = facts {
                    self.engine_facts.send_replace(Some(facts));
                }
            }
            let next = self.measure(&mut last_cpu);
            self.state.send_replace(next);
            if shutdown
                .run_until(tokio::time::sleep(EVERY))
                .await
                .is_none()
            {
                return;
            }
        }
    }

    fn measure(&self, last_cpu: &mut Option<(u64, u64)>) -> HostState {
        let proc = self.host_root.join("proc");
        let read = |name: &str| std::fs::read_to_string(proc.join(name)).unwrap_or_default();
        let engine = self.engine_facts.borrow().clone().unwrap_or_default();
        let disk = disk::space(&self.data_dir).ok();
        let (total, available) = memory(&read("meminfo"));
        let cpu = cpu(&read("stat"));
        let cpu_percent = busy_percent(last_cpu.as_ref(), cpu.as_ref());
        *last_cpu = cpu;
        let cgroup_root = self.host_root.join("sys/fs/cgroup");
        let memory_bytes = if total > 0 {
            total
        } else {
            engine.memory_bytes
        };
        let facts = v1::HostFacts {
            os: engine.os,
            kernel: if engine.kernel.is_empty() {
                read("sys/kernel/osrelease").trim().to_owned()
            } else {
                engine.kernel
            },
            engine_version: engine.version,
            engine_api_version: engine.api_version,
            cgroup: cgroup(&cgroup_root).to_owned(),
            memory_bytes,
            cpus: engine.cpus,
            disk_bytes: disk.map_or(0, |disk| disk.total_bytes),
            disk_free_bytes: disk.map_or(0, |disk| disk.available_bytes),
            wharf_version: env!("CARGO_PKG_VERSION").to_owned(),
            image_id: self.image.borrow().clone(),
            cpu_percent,
            memory_used_bytes: total.saturating_sub(available),
            load_1: read("loadavg")
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
        };
        let skew = self.findings.skew_ms();
        let problems = problems(&Measured {
            engine: self.engine.trouble(),
            disk: disk.map(|disk| (disk.available_bytes, disk.total_bytes)),
            skew_ms: (skew != 0).then_some(skew),
            cgroup_readable: std::fs::read_dir(&cgroup_root)
                .is_ok_and(|mut entries| entries.next().is_some()),
            memory_bytes,
            capacity_bytes: self.capacity.memory_bytes,
            collectors: self.findings.collectors.borrow().clone(),
            renewal: self.findings.renewal.borrow().clone(),
        });
        HostState { facts, problems }
    }
}

fn cgroup(root: &Path) -> &'static str {
    if root.join("cgroup.controllers").exists() {
        "v2"
    } else if root.join("unified").exists() {
        "hybrid"
    } else {
        "v1"
    }
}

/// Whole and available bytes of `/proc/meminfo`.
fn memory(text: &str) -> (u64, u64) {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|kib| kib.parse::<u64>().ok())
            .map_or(0, |kib| kib.saturating_mul(1024))
    };
    (field("MemTotal:"), field("MemAvailable:"))
}

/// Busy and whole ticks of `/proc/stat`.
fn cpu(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .take(8)
        .collect();
    let total: u64 = ticks.iter().sum();
    let idle = ticks.get(3)? + ticks.get(4)?;
    Some((total.saturating_sub(idle), total))
}

fn busy_percent(before: Option<&(u64, u64)>, after: Option<&(u64, u64)>) -> f64 {
    let (Some((busy_0, total_0)), Some((busy_1, total_1))) = (before, after) else {
        return 0.0;
    };
    let total = total_1.saturating_sub(*total_0);
    if total == 0 {
        return 0.0;
    }
    (busy_1.saturating_sub(*busy_0) as f64 / total as f64 * 1000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_numbers_are_read_and_rubbish_is_nothing() {
        assert_eq!(
            memory("MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: 60 kB\n"),
            (102_400, 61_440)
        );
        let before = cpu("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 1 1 1\n");
        let after = cpu("cpu  150 0 150 750 150 0 0 0 0 0\n");
        assert_eq!(busy_percent(before.as_ref(), after.as_ref()), 50.0);
        assert_eq!(busy_percent(after.as_ref(), before.as_ref()), 0.0);
        assert_eq!((cpu("rubbish"), memory("")), (None, (0, 0)));
    }
}
