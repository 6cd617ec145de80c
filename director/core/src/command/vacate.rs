//! Commands that empty a host. All need the feature level [`MOVES_LEVEL`](crate::state::MOVES_LEVEL).

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, InstanceId, PlanId};

/// A host is to be emptied, and nothing new is placed on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginVacate {
    /// 32 lower-case hex: that of the request.
    pub vacate_id: String,
    /// Which.
    pub allocator_id: AllocatorId,
    /// Refuse when the allocator has another version; zero does not check.
    pub expected_version: u64,
    /// Where its instances may go; empty: wherever placement puts them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<AllocatorId>,
    /// Moves at a time; zero: as many as the platform's budget has.
    pub parallelism: u32,
    /// The host is not waited for.
    pub host_down: bool,
}

/// Makes the plan that moves one instance of a vacate, or notes why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VacateInstance {
    /// Of which vacate.
    pub vacate_id: String,
    /// Which.
    pub instance_id: InstanceId,
    /// The plan's id.
    pub plan_id: PlanId,
}

/// Takes over into a vacate what has become of its plans and of what lies there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettleVacate {
    /// Which.
    pub vacate_id: String,
    /// How it ends by that, for the audit log; empty when it goes on.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub end: String,
}

/// Ends a vacate: no further moves, those that run are cancelled, what has moved stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelVacate {
    /// Which.
    pub vacate_id: String,
    /// Refuse when it has another version; zero does not check.
    pub expected_version: u64,
}

impl BeginVacate {
    /// What the audit log says of it.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut parts = vec![format!("vacate {}", self.vacate_id)];
        if self.host_down {
            parts.push("its host is said to be down for good".to_owned());
        }
        if self.parallelism > 0 {
            parts.push(format!("{} at a time", self.parallelism));
        }
        if !self.to.is_empty() {
            let to: Vec<&str> = self.to.iter().map(AllocatorId::as_str).collect();
            parts.push(format!("to {}", to.join(", ")));
        }
        parts.join("; ")
    }
}
