//! Records of plans: immutable ways to a desired state, and what became of their steps. Logs are
//! bounded here. Not here: how steps are chosen and observed (`plan/`).

use serde::{Deserialize, Serialize};
use wharf_proto::{
    ids::{DeploymentId, InstanceId, PlanId},
    v1,
};

/// Log lines kept of a step; older ones go.
pub const STEP_LOG_LINES: usize = 40;
/// Bytes kept of a log line or a reason.
pub const LOG_LINE_BYTES: usize = 500;
/// Bytes kept of a plan's reason.
pub const REASON_BYTES: usize = 4_000;

/// What a plan does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// Places and starts every instance.
    Create,
    /// Stops and removes every instance and forgets the deployment.
    Delete,
    /// Replaces containers that run another image or spec.
    Upgrade,
    /// Places and starts instances that do not run yet; the others are left alone.
    Extend,
}

impl From<PlanKind> for v1::PlanKind {
    fn from(kind: PlanKind) -> Self {
        match kind {
            PlanKind::Create => Self::Create,
            PlanKind::Delete => Self::Delete,
            PlanKind::Upgrade => Self::Upgrade,
            PlanKind::Extend => Self::Extend,
        }
    }
}

/// Where a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// Waits to be planned.
    Pending,
    /// Adopted; its steps are carried out.
    Running,
    /// Carried out.
    Done,
    /// Given up, with a code and a reason.
    Failed,
    /// Its parent was no longer current.
    Superseded,
}

impl PlanStatus {
    /// Whether nothing will change any more.
    #[must_use]
    pub const fn ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Superseded)
    }
}

impl From<PlanStatus> for v1::PlanStatus {
    fn from(status: PlanStatus) -> Self {
        match status {
            PlanStatus::Pending => Self::Pending,
            PlanStatus::Running => Self::Running,
            PlanStatus::Done => Self::Done,
            PlanStatus::Failed => Self::Failed,
            PlanStatus::Superseded => Self::Superseded,
        }
    }
}

/// What a step does; its name is stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// The instance has an allocator and a port.
    Place,
    /// Its container runs the wanted spec.
    Start,
    /// Its health probe answers.
    Healthy,
    /// Every connected proxy sends requests to it.
    Route,
    /// No connected proxy sends requests to it.
    Unroute,
    /// Its container is stopped.
    Stop,
    /// Its container and data are gone.
    Remove,
    /// The deployment is gone from the state.
    Forget,
}

impl StepKind {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Start => "start",
            Self::Healthy => "healthy",
            Self::Route => "route",
            Self::Unroute => "unroute",
            Self::Stop => "stop",
            Self::Remove => "remove",
            Self::Forget => "forget",
        }
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not begun.
    Waiting,
    /// Ordered, not yet observed.
    Running,
    /// Observed done.
    Done,
    /// Not observed in time.
    Failed,
}

impl From<StepStatus> for v1::StepStatus {
    fn from(status: StepStatus) -> Self {
        match status {
            StepStatus::Waiting => Self::Waiting,
            StepStatus::Running => Self::Running,
            StepStatus::Done => Self::Done,
            StepStatus::Failed => Self::Failed,
        }
    }
}

/// A log line of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepLine {
    /// When.
    pub at_ms: u64,
    /// What.
    pub text: String,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRecord {
    /// What it does.
    pub kind: StepKind,
    /// On which instance; none for the whole deployment.
    pub instance_id: Option<InstanceId>,
    /// The instance's name, kept so that old plans read well.
    pub subject: String,
    /// Where it stands.
    pub status: StepStatus,
    /// When it was ordered; zero before.
    pub started_ms: u64,
    /// When it ended; zero before.
    pub ended_ms: u64,
    /// What a running step waits for, in words.
    pub waits_for: String,
    /// What happened, oldest first, at most [`STEP_LOG_LINES`].
    pub log: Vec<StepLine>,
    /// Lines that were dropped from the log's start.
    pub dropped_lines: u64,
}

/// One plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRecord {
    /// Its id.
    pub id: PlanId,
    /// Whose plan it is.
    pub deployment_id: DeploymentId,
    /// The name at that time.
    pub deployment_name: String,
    /// What it does.
    pub kind: PlanKind,
    /// Where it stands.
    pub status: PlanStatus,
    /// The plan that was current when it was made.
    pub parent: Option<PlanId>,
    /// When it was made.
    pub created_ms: u64,
    /// When it was adopted; zero before.
    pub adopted_ms: u64,
    /// When it ended; zero before.
    pub ended_ms: u64,
    /// What it waits for, or why it failed.
    pub reason: String,
    /// The code of the failure or of what it waits for.
    pub error_code: String,
    /// How often it was begun: a new leader begins it again.
    pub attempts: u32,
    /// Its steps in order.
    pub steps: Vec<StepRecord>,
    /// Grows with every change of this record.
    pub version: u64,
}
