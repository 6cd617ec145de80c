//! Records of hosts that are emptied: what lies there, which plan moves it, how each went. Invariants:
//! an instance of a vacate has at most one plan at a time, named here; what has ended changes no more.
//! Not here: when a move begins (`vacate`), how it is carried out (`plan`).

use serde::{Deserialize, Serialize};
use wharf_proto::{
    ids::{AllocatorId, DeploymentId, InstanceId, PlanId},
    v1,
};

/// Where a vacate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VacateStatus {
    /// Moves are begun and watched.
    Running,
    /// Nothing lies there any more.
    Done,
    /// What could be moved was.
    Failed,
    /// Ended by request.
    Cancelled,
}

impl VacateStatus {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<VacateStatus> for v1::VacateStatus {
    fn from(status: VacateStatus) -> Self {
        match status {
            VacateStatus::Running => Self::Running,
            VacateStatus::Done => Self::Done,
            VacateStatus::Failed => Self::Failed,
            VacateStatus::Cancelled => Self::Cancelled,
        }
    }
}

/// Where one instance of a vacate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VacateMoveState {
    /// Its move has not begun, or is to be tried again.
    Waiting,
    /// A plan moves it.
    Moving,
    /// It lies there no more.
    Moved,
    /// It stays there.
    Failed,
    /// It stays there by request.
    Cancelled,
}

impl VacateMoveState {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Moving => "moving",
            Self::Moved => "moved",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it may still change.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Moving)
    }
}

/// One instance of a vacate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VacateMoveRecord {
    /// Which.
    pub instance_id: InstanceId,
    /// Its name at that time.
    pub instance_name: String,
    /// Its deployment.
    pub deployment_id: DeploymentId,
    /// The deployment's name at that time.
    pub deployment_name: String,
    /// Where it stands.
    pub state: VacateMoveState,
    /// The plan that moves it, or did last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// Where it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<AllocatorId>,
    /// Plans that failed.
    #[serde(default)]
    pub failures: u32,
    /// Since when there is no room for it; zero: there is, or it was not tried.
    #[serde(default)]
    pub no_room_since_ms: u64,
    /// It is not tried again before.
    #[serde(default)]
    pub retry_ms: u64,
    /// Why it waits or failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// The emptying of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VacateRecord {
    /// 32 lower-case hex.
    pub id: String,
    /// What is emptied.
    pub allocator_id: AllocatorId,
    /// Its host's name at that time.
    pub host: String,
    /// Where it stands.
    pub status: VacateStatus,
    /// When it was asked for.
    pub created_ms: u64,
    /// When it ended; zero before.
    pub ended_ms: u64,
    /// Who asked for it.
    pub actor: String,
    /// Where its instances may go; empty: wherever placement puts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<AllocatorId>,
    /// Moves at a time; zero: as many as the platform's budget has.
    pub parallelism: u32,
    /// The host is not waited for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub host_down: bool,
    /// Its end was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelling: bool,
    /// Why it ended so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// By deployment and name.
    pub moves: Vec<VacateMoveRecord>,
    /// Grows with every change of this record.
    pub version: u64,
}

impl VacateRecord {
    /// How many of its instances stand so.
    #[must_use]
    pub fn count(&self, state: VacateMoveState) -> usize {
        self.moves.iter().filter(|one| one.state == state).count()
    }
}
