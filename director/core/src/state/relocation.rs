//! Why and where instances move, and what becomes of one whose host is lost. Not here: the plan that
//! carries a move out (`plan/layout`, `plan/relocation`).

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, InstanceId};

/// What becomes of a storage node whose host is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostLoss {
    /// It waits for its host: its data is there and nowhere else.
    #[default]
    Wait,
    /// Its last snapshot is restored elsewhere.
    Restore,
    /// It starts empty elsewhere.
    Empty,
}

impl HostLoss {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Restore => "restore",
            Self::Empty => "empty",
        }
    }

    /// The policy of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Wait, Self::Restore, Self::Empty]
            .into_iter()
            .find(|policy| policy.as_str() == text)
    }

    /// Whether it is the default.
    #[must_use]
    pub fn is_wait(&self) -> bool {
        *self == Self::Wait
    }

    /// Whether a storage node serves under a lease.
    #[must_use]
    pub const fn leases(self) -> bool {
        !matches!(self, Self::Wait)
    }
}

/// Who or what moves an instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveCause {
    /// Somebody asked for it.
    #[default]
    Request,
    /// Its host is emptied.
    Vacate,
    /// Its host is lost.
    HostLost,
    /// The load is spread better.
    Rebalance,
}

impl MoveCause {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Vacate => "vacate",
            Self::HostLost => "host_lost",
            Self::Rebalance => "rebalance",
        }
    }
}

/// One instance that is to lie elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveWish {
    /// Which.
    pub instance_id: InstanceId,
    /// Where it lay when that was wished; kept by `apply`, whatever the wish says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<AllocatorId>,
    /// Where it may go; empty: wherever placement puts it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<AllocatorId>,
    /// Its host is lost and not waited for: what keeps nothing there is placed anew, a storage node
    /// starts empty when its deployment says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// Who or what moves it.
    pub cause: MoveCause,
    /// Why, in words.
    pub reason: String,
}
