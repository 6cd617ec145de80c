//! What the leader saw: heartbeats and observations of allocators and proxies. The leader's
//! memory, rebuilt from sessions, never in the log. Here are the types, the mapping from the wire
//! with its limits, and what follows from silence. Not here: what was decided (`state`).

mod snapshot;

use std::collections::BTreeMap;

use wharf_proto::{
    ids::{AllocatorId, InstanceId, ProxyId},
    times, v1,
};

pub use self::snapshot::{RestoreObservation, RestoreStage, SnapshotObservation};
use crate::refusal::cut;

/// Instances of one allocator that are read from a report.
pub const INSTANCES_PER_REPORT: usize = 4_000;
/// Problems of one host that are read from a heartbeat.
pub const PROBLEMS_PER_HOST: usize = 32;
/// Bytes kept of a text from a report.
pub const TEXT_BYTES: usize = 2_000;
/// Log lines kept of an exit.
pub const TAIL_LINES: usize = 20;

/// Everything that the leader saw.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observations {
    /// Since when this member leads: silence counts from then (amnesty after a leader change).
    pub leader_since_ms: u64,
    /// By allocator.
    pub allocators: BTreeMap<AllocatorId, AllocatorObservation>,
    /// By proxy.
    pub proxies: BTreeMap<ProxyId, ProxyObservation>,
}

/// What was seen of an allocator.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AllocatorObservation {
    /// Its session is open.
    pub connected: bool,
    /// Since when it is connected, or nothing was heard of it.
    pub since_ms: u64,
    /// For how long nothing had been heard of it when its session ended, by a steady clock.
    pub unheard_ms: u64,
    /// When it was last heard of; zero: never.
    pub heard_ms: u64,
    /// The generation that it has applied wholly.
    pub applied_generation: u64,
    /// Its instance report has arrived at least once in this session or before.
    pub reported: bool,
    /// The generation that its last instance report speaks of.
    pub reported_generation: u64,
    /// Every instance it knows.
    pub instances: BTreeMap<InstanceId, InstanceObservation>,
    /// What is wrong on the host.
    pub problems: Vec<HostProblem>,
    /// Content id of the platform's image on the host; may be empty.
    pub image_id: String,
    /// When that image was first seen; zero: never.
    pub image_since_ms: u64,
    /// State of its collectors, when they run.
    pub collectors: Option<CollectorObservation>,
    /// Data that replacements left there.
    pub set_aside: Vec<SetAsideData>,
}

/// What was seen of a host's collectors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectorObservation {
    /// Documents written to the spool.
    pub spooled: u64,
    /// Documents acknowledged by the store.
    pub shipped: u64,
    /// Documents dropped because the spool was full or the store refused them.
    pub dropped: u64,
    /// Bytes waiting.
    pub spool_bytes: u64,
    /// The last error; empty when none.
    pub last_error: String,
    /// The version of the credentials that they ship with; zero: they do not say.
    pub credentials_version: u64,
    /// When the number of shipped documents grew last; kept by whoever holds the session.
    pub shipped_grew_ms: u64,
    /// When the number of dropped documents grew last; zero: never.
    pub dropped_grew_ms: u64,
}

/// What is wrong on a host, coded by the allocator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostProblem {
    /// For example `ALL0003`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What the user can do.
    pub hint: String,
}

/// What was seen of a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxyObservation {
    /// Its session is open.
    pub connected: bool,
    /// Since when it is connected or silent.
    pub since_ms: u64,
    /// When it was last heard of; zero: never.
    pub heard_ms: u64,
    /// The generation of the table it serves.
    pub table_generation: u64,
}

/// What an instance's container does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InstanceState {
    /// Nothing was said.
    #[default]
    Unknown,
    /// Not yet created.
    Pending,
    /// Being started, or running and not yet answering.
    Starting,
    /// Running.
    Running,
    /// Stopped as wanted.
    Stopped,
    /// Not running although wanted.
    Failed,
}

/// Health of an instance, a resource or a deployment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Health {
    /// Nothing has been observed, or not for too long.
    #[default]
    Unknown,
    /// All is well.
    Healthy,
    /// Works, with less than it should have.
    Degraded,
    /// Does not work.
    Unhealthy,
}

/// The end of a container's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceExit {
    /// Its code.
    pub code: i64,
    /// The kernel ended it for memory.
    pub out_of_memory: bool,
    /// When.
    pub at_ms: u64,
    /// The end of its log, oldest first.
    pub log_tail: Vec<String>,
}

/// What was seen of an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceObservation {
    /// Its container; empty when there is none.
    pub container_id: String,
    /// What the container does.
    pub state: InstanceState,
    /// What its probe says.
    pub health: Health,
    /// Why it is not running or not healthy.
    pub reason: String,
    /// A coded error when it cannot be started.
    pub error_code: String,
    /// The host port it is published at.
    pub port: u16,
    /// Restarts so far.
    pub restarts: u32,
    /// When it was started; zero: never.
    pub started_ms: u64,
    /// Its last exit.
    pub last_exit: Option<InstanceExit>,
    /// The spec that the container runs.
    pub spec_hash: String,
    /// The image that the container runs.
    pub image_id: String,
    /// Its data directory exists.
    pub data_present: bool,
    /// Which users a storage node has in force, which version of the credentials a monitoring node
    /// uses; empty: it does not say.
    pub credentials: String,
    /// How far its data has come, while it is brought here from another host.
    pub copy: Option<CopyObservation>,
    /// The snapshots that it takes.
    pub snapshot: Option<SnapshotObservation>,
    /// How far it is with its last snapshot, while it begins from one.
    pub restore: Option<RestoreObservation>,
}

/// How far a copy has come, as the node that makes it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyObservation {
    /// Its stage.
    pub stage: CopyStage,
    /// Bytes that are there.
    pub bytes_done: u64,
    /// Bytes that there are, as far as is known.
    pub bytes_total: u64,
    /// For how long the switch held writes back.
    pub pause_ms: u64,
    /// What it waits for, or why it failed.
    pub reason: String,
}

/// The stage of a copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CopyStage {
    /// Nothing was said that is known.
    #[default]
    Unknown,
    /// The first pass.
    Copying,
    /// What came since.
    CatchingUp,
    /// What is left is taken over within the pause of a switch.
    Ready,
    /// The switch.
    Switching,
    /// The old place has given up.
    Serving,
    /// Given up.
    Failed,
}

impl CopyStage {
    /// The stable name; empty when it is not known.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Copying => "copying",
            Self::CatchingUp => "catching_up",
            Self::Ready => "ready",
            Self::Switching => "switching",
            Self::Serving => "serving",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Self {
        [
            Self::Copying,
            Self::CatchingUp,
            Self::Ready,
            Self::Switching,
            Self::Serving,
            Self::Failed,
        ]
        .into_iter()
        .find(|stage| stage.as_str() == text)
        .unwrap_or_default()
    }
}

impl From<&v1::CopyObservation> for CopyObservation {
    fn from(seen: &v1::CopyObservation) -> Self {
        Self {
            stage: CopyStage::parse(&seen.stage),
            bytes_done: seen.bytes_done,
            bytes_total: seen.bytes_total,
            pause_ms: seen.pause_ms,
            reason: cut(&seen.reason, TEXT_BYTES).to_owned(),
        }
    }
}

/// Data of an instance that a replacement left on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsideData {
    /// Whose.
    pub instance_id: InstanceId,
    /// Folder on the host.
    pub path: String,
    /// Bytes.
    pub bytes: u64,
    /// Since when.
    pub set_aside_ms: u64,
}

impl Observations {
    /// What was seen of an instance on an allocator.
    #[must_use]
    pub fn instance(
        &self,
        allocator_id: &AllocatorId,
        instance_id: &InstanceId,
    ) -> Option<&InstanceObservation> {
        self.allocators
            .get(allocator_id)?
            .instances
            .get(instance_id)
    }

    /// Whether the allocator's session is open.
    #[must_use]
    pub fn connected(&self, allocator_id: &AllocatorId) -> bool {
        self.allocators
            .get(allocator_id)
            .is_some_and(|seen| seen.connected)
    }

    /// For how long an allocator has been silent, counted from the leader's start at the earliest;
    /// none when it is connected.
    #[must_use]
    pub fn allocator_silence_ms(&self, allocator_id: &AllocatorId, now_ms: u64) -> Option<u64> {
        match self.allocators.get(allocator_id) {
            Some(seen) if seen.connected => None,
            Some(seen) => Some(now_ms.saturating_sub(seen.since_ms.max(self.leader_since_ms))),
            None => Some(now_ms.saturating_sub(self.leader_since_ms)),
        }
    }

    /// For how long a proxy has been silent, as for allocators.
    #[must_use]
    pub fn proxy_silence_ms(&self, proxy_id: &ProxyId, now_ms: u64) -> Option<u64> {
        match self.proxies.get(proxy_id) {
            Some(seen) if seen.connected => None,
            Some(seen) => Some(now_ms.saturating_sub(seen.since_ms.max(self.leader_since_ms))),
            None => Some(now_ms.saturating_sub(self.leader_since_ms)),
        }
    }
}

impl AllocatorObservation {
    /// Takes a whole instance report: the old one is forgotten. Instances with ids that are none
    /// are left out.
    pub fn take_instances(&mut self, report: &v1::InstanceObservations) {
        self.reported = true;
        self.reported_generation = report.generation;
        self.instances = report
            .instances
            .iter()
            .take(INSTANCES_PER_REPORT)
            .filter_map(|seen| Some((seen.instance_id.parse().ok()?, seen.into())))
            .collect();
        self.set_aside = report
            .set_aside
            .iter()
            .take(INSTANCES_PER_REPORT)
            .filter_map(|seen| {
                Some(SetAsideData {
                    instance_id: seen.instance_id.parse().ok()?,
                    path: cut(&seen.path, TEXT_BYTES).to_owned(),
                    bytes: seen.bytes,
                    set_aside_ms: seen.set_aside_at.as_ref().map_or(0, times::millis),
                })
            })
            .collect();
    }

    /// Takes what a hello or a heartbeat says of the host.
    pub fn take_facts(&mut self, facts: &v1::HostFacts, now_ms: u64) {
        let image = cut(&facts.image_id, 128);
        if self.image_id != image {
            self.image_id = image.to_owned();
            self.image_since_ms = now_ms;
        }
    }

    /// Takes a heartbeat.
    pub fn take_heartbeat(&mut self, beat: &v1::AllocatorHeartbeat, now_ms: u64) {
        self.heard_ms = now_ms;
        self.applied_generation = beat.applied_generation;
        self.problems = beat
            .problems
            .iter()
            .take(PROBLEMS_PER_HOST)
            .map(|problem| HostProblem {
                code: cut(&problem.code, 16).to_owned(),
                message: cut(&problem.message, TEXT_BYTES).to_owned(),
                hint: cut(&problem.hint, TEXT_BYTES).to_owned(),
            })
            .collect();
        if let Some(facts) = &beat.facts {
            self.take_facts(facts, now_ms);
        }
        if let Some(status) = &beat.collectors {
            let before = self.collectors.take();
            let grew = |now: u64, was: Option<u64>, at: Option<u64>| match (was, at) {
                (Some(was), Some(at)) if now <= was => at,
                _ => now_ms,
            };
            self.collectors = Some(CollectorObservation {
                spooled: status.spooled_documents,
                shipped: status.shipped_documents,
                dropped: status.dropped_documents,
                spool_bytes: status.spool_bytes,
                last_error: cut(&status.last_error, TEXT_BYTES).to_owned(),
                credentials_version: status.credentials_version,
                shipped_grew_ms: grew(
                    status.shipped_documents,
                    before.as_ref().map(|seen| seen.shipped),
                    before.as_ref().map(|seen| seen.shipped_grew_ms),
                ),
                dropped_grew_ms: match &before {
                    Some(seen) if status.dropped_documents > seen.dropped => now_ms,
                    Some(seen) => seen.dropped_grew_ms,
                    None => 0,
                },
            });
        }
    }
}

impl From<&v1::InstanceObservation> for InstanceObservation {
    fn from(seen: &v1::InstanceObservation) -> Self {
        Self {
            container_id: cut(&seen.container_id, 128).to_owned(),
            state: match seen.state() {
                v1::InstanceState::Unspecified | v1::InstanceState::Lost => InstanceState::Unknown,
                v1::InstanceState::Pending => InstanceState::Pending,
                v1::InstanceState::Starting => InstanceState::Starting,
                v1::InstanceState::Running => InstanceState::Running,
                v1::InstanceState::Stopped => InstanceState::Stopped,
                v1::InstanceState::Failed => InstanceState::Failed,
            },
            health: match seen.health() {
                v1::Health::Unspecified | v1::Health::Unknown => Health::Unknown,
                v1::Health::Healthy => Health::Healthy,
                v1::Health::Degraded => Health::Degraded,
                v1::Health::Unhealthy => Health::Unhealthy,
            },
            reason: cut(&seen.reason, TEXT_BYTES).to_owned(),
            error_code: cut(&seen.error_code, 16).to_owned(),
            port: u16::try_from(seen.port).unwrap_or(0),
            restarts: seen.restarts,
            started_ms: seen.started_at.as_ref().map_or(0, times::millis),
            last_exit: seen.last_exit.as_ref().map(|exit| InstanceExit {
                code: exit.exit_code,
                out_of_memory: exit.out_of_memory,
                at_ms: exit.at.as_ref().map_or(0, times::millis),
                log_tail: exit
                    .log_tail
                    .iter()
                    .rev()
                    .take(TAIL_LINES)
                    .rev()
                    .map(|line| cut(line, 500).to_owned())
                    .collect(),
            }),
            spec_hash: cut(&seen.spec_hash, 64).to_owned(),
            image_id: cut(&seen.image_id, 128).to_owned(),
            data_present: seen.data_present,
            credentials: cut(&seen.credentials, 64).to_owned(),
            copy: seen.copy.as_ref().map(Into::into),
            snapshot: seen.snapshot.as_ref().map(Into::into),
            restore: seen.restore.as_ref().map(Into::into),
        }
    }
}

impl From<Health> for v1::Health {
    fn from(health: Health) -> Self {
        match health {
            Health::Unknown => Self::Unknown,
            Health::Healthy => Self::Healthy,
            Health::Degraded => Self::Degraded,
            Health::Unhealthy => Self::Unhealthy,
        }
    }
}
