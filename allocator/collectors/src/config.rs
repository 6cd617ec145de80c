//! What the collectors are told when they start.
//!
//! Invariants: all paths are as this process sees them; the defaults are right outside a container.
//! The zone alone follows the directors while they run. Not here: where to ship (`destination`), which can
//! change too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use wharf_collectors_core::{AgentFacts, HostFacts, NamedId, PlatformRole};

/// How often each group of metricsets is read. All are rounded up to multiples of `sample`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    /// cpu, memory, network, diskio, load, process, process_summary, socket_summary.
    pub sample: Duration,
    /// docker container, info, healthcheck; the platform's roles and instances.
    pub describe: Duration,
    /// filesystem, fsstat, docker image, uptime.
    pub slow: Duration,
}

impl Default for Periods {
    fn default() -> Self {
        Self {
            sample: Duration::from_secs(10),
            describe: Duration::from_secs(30),
            slow: Duration::from_secs(60),
        }
    }
}

/// What the collectors are told when they start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where spool, cursor and log offsets are kept; belongs to one process.
    pub data_dir: PathBuf,
    /// The host's `/proc` (`/host/proc` inside a container).
    pub proc_root: PathBuf,
    /// The host's `/sys/fs/cgroup`.
    pub cgroup_root: PathBuf,
    /// The host's `/`.
    pub host_root: PathBuf,
    /// Put in front of the log paths that the engine names; empty where they are the same here.
    pub log_prefix: PathBuf,
    /// The engine's own log file, where it writes one.
    pub engine_log: Option<PathBuf>,
    /// Where systemd keeps its journal; empty where the engine's log is not taken from it.
    pub journal_roots: Vec<PathBuf>,
    /// What is known about the host; see [`crate::source::host::facts`].
    pub host: HostFacts,
    /// Who collects.
    pub agent: AgentFacts,
    /// The platform.
    pub platform: NamedId,
    /// The availability zone, which may change.
    pub zone: watch::Receiver<String>,
    /// The engine's address, as `service.address` of docker metricsets.
    pub engine_address: String,
    /// The platform's roles and their loopback ports; those that nobody listens on are left out.
    pub roles: Vec<(PlatformRole, u16)>,
    /// Where the directories of this host's instances lie, by id; none: they are not asked.
    pub instances_dir: Option<PathBuf>,
    /// How often what is read.
    pub periods: Periods,
    /// The most bytes that the spool keeps; the oldest go first.
    pub spool_bytes: u64,
    /// Also ship the exec events of the engine (three per health probe).
    pub exec_events: bool,
    /// Also ship processor time per core, where the kernel tells (cgroup v1).
    pub per_core_cpu: bool,
    /// Processes that use most processor, and most memory, that have an event each.
    pub top_processes: usize,
    /// Of a log that was there before the collectors first ran on this host, this much of its end
    /// is read.
    pub first_read_bytes: u64,
}

impl Config {
    /// Settings that are right for a process that runs on the host itself.
    pub fn new(data_dir: impl Into<PathBuf>, host: HostFacts, platform: NamedId) -> Self {
        Self {
            data_dir: data_dir.into(),
            proc_root: "/proc".into(),
            cgroup_root: "/sys/fs/cgroup".into(),
            host_root: "/".into(),
            log_prefix: PathBuf::new(),
            engine_log: None,
            journal_roots: Vec::new(),
            agent: AgentFacts {
                id: host.id.clone(),
                ephemeral_id: wharf_runtime::random::new_id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            host,
            platform,
            zone: watch::channel(String::new()).1,
            engine_address: "unix:///var/run/docker.sock".to_owned(),
            roles: Vec::new(),
            instances_dir: None,
            periods: Periods::default(),
            spool_bytes: 512 * 1024 * 1024,
            exec_events: false,
            per_core_cpu: true,
            top_processes: 5,
            first_read_bytes: 1024 * 1024,
        }
    }

    /// The same for a process in a container that has the host's `/` mounted at `root`.
    #[must_use]
    pub fn under(mut self, root: impl AsRef<Path>) -> Self {
        let root = root.as_ref();
        self.proc_root = root.join("proc");
        self.cgroup_root = root.join("sys/fs/cgroup");
        self.host_root = root.to_path_buf();
        self.log_prefix = root.to_path_buf();
        self
    }
}
