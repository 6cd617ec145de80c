//! Commands about plans: adoption, steps, end. The leader's planner and executor propose them
//! from what they observed; each says what it starts from, so that a stale one is refused.

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, InstanceId, PlanId};

use crate::{
    size::Size,
    state::{PlanStatus, StepKind, StepStatus},
};

/// A berth that the planner chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBerth {
    /// For which instance.
    pub instance_id: InstanceId,
    /// On which allocator.
    pub allocator_id: AllocatorId,
    /// The host port.
    pub port: u16,
}

/// Room that the planner holds for an instance that is to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewClaim {
    /// For which instance.
    pub instance_id: InstanceId,
    /// The size it is to get.
    pub size: Size,
    /// Where, when that is another place than its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub berth: Option<NewBerth>,
}

/// A step that the planner laid out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewStep {
    /// What it does.
    pub kind: StepKind,
    /// On which instance.
    pub instance_id: Option<InstanceId>,
}

/// Adopts a pending plan, if its parent is still current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptPlan {
    /// Which.
    pub plan_id: PlanId,
    /// The plan that was current when the planner looked.
    pub parent: Option<PlanId>,
    /// Berths of instances that have none yet or are terminated.
    pub berths: Vec<NewBerth>,
    /// Room for instances that are to change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<NewClaim>,
    /// Its steps in order.
    pub steps: Vec<NewStep>,
}

/// Ends a pending plan whose parent is no longer current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupersedePlan {
    /// Which.
    pub plan_id: PlanId,
}

/// Says what a pending or running plan waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotePlan {
    /// Which.
    pub plan_id: PlanId,
    /// In words.
    pub reason: String,
    /// The code of what it waits for; may be empty.
    pub code: String,
}

/// A leader takes up a running plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartAttempt {
    /// Which.
    pub plan_id: PlanId,
}

/// What a replacement serves from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// Name of the snapshot.
    pub snapshot: String,
    /// When that was taken.
    pub taken_ms: u64,
    /// When the lost host was heard of last; of one that was lost before this leader led, when that began.
    pub lost_ms: u64,
}

/// A change of an instance that belongs to a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change", deny_unknown_fields)]
pub enum InstanceChange {
    /// Its container is to run.
    Run {
        /// Which.
        instance_id: InstanceId,
    },
    /// Its container is to be replaced by one of the current image and spec.
    Replace {
        /// Which.
        instance_id: InstanceId,
    },
    /// Its container is to be stopped, the data kept.
    Stop {
        /// Which.
        instance_id: InstanceId,
    },
    /// Its container and data are to be removed.
    Remove {
        /// Which.
        instance_id: InstanceId,
    },
    /// Proxies may send requests to it, or may not.
    Route {
        /// Which.
        instance_id: InstanceId,
        /// May they.
        routed: bool,
    },
    /// Its host refused the port: it gets another one.
    Port {
        /// Which.
        instance_id: InstanceId,
        /// The port that somebody else has.
        refused: u16,
        /// The new one.
        port: u16,
    },
    /// It takes up its claim: its container is to be replaced by one of that size, there.
    Resize {
        /// Which.
        instance_id: InstanceId,
    },
    /// Its container is to be removed, data and place are kept, memory and port are given back.
    Release {
        /// Which.
        instance_id: InstanceId,
    },
    /// It gives its place back; its container and data are gone.
    Unplace {
        /// Which.
        instance_id: InstanceId,
    },
    /// Its container is to be stopped by request.
    Pause {
        /// Which.
        instance_id: InstanceId,
    },
    /// The claimed place is to run it and bring its data over.
    Copy {
        /// Which.
        instance_id: InstanceId,
    },
    /// The claimed place is to take over as soon as it has caught up.
    TakeOver {
        /// Which.
        instance_id: InstanceId,
    },
    /// The claimed place is to run a replacement without the data.
    Substitute {
        /// Which.
        instance_id: InstanceId,
    },
    /// The claimed place serves: place and claim are exchanged.
    Arrive {
        /// Which.
        instance_id: InstanceId,
        /// What it serves from, when it began from a snapshot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restored: Option<Restored>,
    },
    /// The claimed place is to remove container and data.
    Vacate {
        /// Which.
        instance_id: InstanceId,
    },
    /// The deployment's instances accept the new password beside the old one.
    AcceptPassword,
    /// The new password is the one that is handed out.
    SwitchPassword,
    /// The deployment's instances accept the newest password alone.
    RetirePassword,
    /// The deployment of the plan is forgotten, with resources, instances and secrets.
    ForgetDeployment,
}

/// Moves a step on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepTransition {
    /// Of which plan.
    pub plan_id: PlanId,
    /// Which step, counted from zero.
    pub step: u32,
    /// The status it starts from; another one refuses the command.
    pub from: StepStatus,
    /// The status it gets.
    pub to: StepStatus,
    /// What it waits for now; may be empty.
    pub waits_for: String,
    /// Bytes of the instance's data that are there, of a step that brings it.
    #[serde(default, skip_serializing_if = "crate::state::is_zero")]
    pub bytes_done: u64,
    /// Lines for its log.
    pub log: Vec<String>,
    /// Changes of instances that belong to it.
    pub changes: Vec<InstanceChange>,
}

/// Ends a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanEnded {
    /// Which.
    pub plan_id: PlanId,
    /// `Done`, `Failed`, or `Cancelled` when what was begun is taken back.
    pub status: PlanStatus,
    /// Why it failed.
    pub reason: String,
    /// The failure's code; empty when it is done.
    pub error_code: String,
}

/// Ends a plan by request: at once, or after steps that take back what was begun and is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelPlan {
    /// Which.
    pub plan_id: PlanId,
    /// Why; empty: by request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}
