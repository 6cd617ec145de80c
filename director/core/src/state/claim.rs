//! Room that is held for an instance beside what it has, and how far the exchange of the two has
//! come. Invariants: whatever the stage, one place alone takes writes: the berth's until the exchange,
//! which follows what was seen at the claimed place. Not here: who moves it on (`plan/relocation`).

use serde::{Deserialize, Serialize};

use super::InstanceBerth;
use crate::size::Size;

/// How far a claim has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimStage {
    /// Room and nothing else.
    #[default]
    Held,
    /// The claimed place runs a container that brings the data over; the berth's place serves.
    Copying,
    /// The claimed place was told to take over; the berth's place decides when.
    TakingOver,
    /// The claimed place runs a replacement without the data; what lies at the berth is lost, or
    /// comes back before the replacement is ready and wins.
    Replacing,
    /// The exchange is made: the claim is the old place, whose container sends requests on.
    Retiring,
    /// The claimed place was told to remove container and data.
    Leaving,
}

impl ClaimStage {
    /// Whether nothing runs there.
    #[must_use]
    pub fn is_held(&self) -> bool {
        *self == Self::Held
    }

    /// Whether the claimed place has a container of its own beside the berth's.
    #[must_use]
    pub const fn runs(self) -> bool {
        matches!(
            self,
            Self::Copying | Self::TakingOver | Self::Replacing | Self::Retiring
        )
    }

    /// Whether there is no way back: the new place may have taken writes.
    #[must_use]
    pub const fn past_return(self) -> bool {
        matches!(self, Self::TakingOver | Self::Retiring)
    }
}

/// Room that is held for an instance beside what it has: for what it is about to become, and then
/// for what it was, until that is whole. Taking a claim up exchanges the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its size there.
    pub size: Size,
    /// Where, when that is another place than its own.
    pub berth: Option<InstanceBerth>,
    /// How far it has come.
    #[serde(default, skip_serializing_if = "ClaimStage::is_held")]
    pub stage: ClaimStage,
    /// The spec that the container there is to run; empty while nothing is to run there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub spec_hash: String,
    /// A replacement there begins from the instance's last snapshot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub restore: bool,
}

impl Claim {
    /// Room and nothing else.
    #[must_use]
    pub const fn held(size: Size, berth: Option<InstanceBerth>) -> Self {
        Self {
            size,
            berth,
            stage: ClaimStage::Held,
            spec_hash: String::new(),
            restore: false,
        }
    }
}
