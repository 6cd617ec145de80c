//! Records of plans: immutable ways to a desired state, and what became of their steps. Logs are
//! bounded here. Not here: how steps are chosen and observed (`plan/`).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wharf_proto::{
    ids::{DeploymentId, InstanceId, PlanId},
    v1,
};

use super::MoveWish;
use crate::size::Size;

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
    /// Gives instances other sizes.
    Resize,
    /// Stops and starts instances.
    Restart,
    /// Stops instances and keeps their data and place.
    Terminate,
    /// Starts what was terminated.
    Restore,
    /// Brings a new password to every instance.
    ResetPassword,
    /// Brings instances to other allocators, with their data.
    Move,
    /// Stops one instance and keeps its place.
    Pause,
    /// Starts what was paused.
    Resume,
}

impl From<PlanKind> for v1::PlanKind {
    fn from(kind: PlanKind) -> Self {
        match kind {
            PlanKind::Create => Self::Create,
            PlanKind::Delete => Self::Delete,
            PlanKind::Upgrade => Self::Upgrade,
            PlanKind::Extend => Self::Extend,
            PlanKind::Resize => Self::Resize,
            PlanKind::Restart => Self::Restart,
            PlanKind::Terminate => Self::Terminate,
            PlanKind::Restore => Self::Restore,
            PlanKind::ResetPassword => Self::ResetPassword,
            PlanKind::Move => Self::Move,
            PlanKind::Pause => Self::Pause,
            PlanKind::Resume => Self::Resume,
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
    /// Ended by request before it was done.
    Cancelled,
}

impl PlanStatus {
    /// Whether nothing will change any more.
    #[must_use]
    pub const fn ended(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
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
            PlanStatus::Cancelled => Self::Cancelled,
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
    /// Its container is gone, its data and place are kept, its memory and port are given back.
    Release,
    /// Its container and data are gone.
    Remove,
    /// It has no place any more.
    Unplace,
    /// Its data is at the new place, but for what the old one still takes.
    Copy,
    /// The new place has all of it and serves, the old one has given up.
    TakeOver,
    /// Every storage node takes the new password beside the old one.
    Accept,
    /// Whoever uses the password has the new one.
    Switch,
    /// No storage node takes the old password any more.
    Retire,
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
            Self::Release => "release",
            Self::Remove => "remove",
            Self::Unplace => "unplace",
            Self::Copy => "copy",
            Self::TakeOver => "take_over",
            Self::Accept => "accept",
            Self::Switch => "switch",
            Self::Retire => "retire",
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
    /// Bytes of an instance's data that were there when that was noted last; zero: it brings none.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub bytes_done: u64,
    /// When these were more than before, or an instance was changed; zero: never.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub got_on_ms: u64,
    /// What happened, oldest first, at most [`STEP_LOG_LINES`].
    pub log: Vec<StepLine>,
    /// Lines that were dropped from the log's start.
    pub dropped_lines: u64,
}

/// What a plan wants of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedResource {
    /// `storage` or `monitoring`.
    pub kind: String,
    /// Size of each instance.
    pub size: Size,
    /// Over how many zones.
    pub zone_count: u32,
    /// How many instances in each.
    pub instances_per_zone: u32,
}

/// What a plan wants: enough to want it again, and to tell two plans apart. Bounded by what a
/// deployment may have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The deployment's resources.
    pub resources: Vec<WantedResource>,
    /// Nothing runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminated: bool,
    /// The deployment is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// The password is another one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub password: bool,
    /// Names of the instances that are started again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restarted: Vec<String>,
    /// Instances that lie elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<MoveWish>,
    /// The instance that is stopped, or started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<InstanceId>,
}

impl Wanted {
    /// The size that instances of a kind are to have.
    #[must_use]
    pub fn size(&self, kind: &str) -> Option<Size> {
        self.resources
            .iter()
            .find(|resource| resource.kind == kind)
            .map(|resource| resource.size)
    }
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
    /// Who asked for it: a user's name, or `system`; empty in plans of older versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// What it wants; none in plans of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
    /// Its end was asked for: steps from this one on take back what was begun and is not whole;
    /// those before it are not carried out any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_from: Option<u32>,
    /// Names of the hosts that it acts on: where its instances lie when it is adopted and where they go; empty
    /// before [`HOSTS_NOTED_LEVEL`](super::HOSTS_NOTED_LEVEL).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hosts: BTreeSet<String>,
}

impl PlanRecord {
    /// The steps that are carried out: all of them, or those that take back.
    #[must_use]
    pub fn live_from(&self) -> usize {
        self.undo_from.map_or(0, |from| from as usize)
    }

    /// Whether a step of that kind was begun for the instance before the plan was cancelled.
    #[must_use]
    pub fn begun(&self, instance_id: &InstanceId, kind: StepKind) -> bool {
        self.before_undo(instance_id, kind)
            .is_some_and(|step| step.status != StepStatus::Waiting)
    }

    /// Whether a step of that kind was seen done for the instance before the plan was cancelled.
    #[must_use]
    pub fn done(&self, instance_id: &InstanceId, kind: StepKind) -> bool {
        self.before_undo(instance_id, kind)
            .is_some_and(|step| step.status == StepStatus::Done)
    }

    fn before_undo(&self, instance_id: &InstanceId, kind: StepKind) -> Option<&StepRecord> {
        let end = self
            .undo_from
            .map_or(self.steps.len(), |from| from as usize);
        self.steps
            .iter()
            .take(end)
            .find(|step| step.kind == kind && step.instance_id.as_ref() == Some(instance_id))
    }
}
