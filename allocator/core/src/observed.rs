//! What the engine shows of a container, as far as deciding needs it.
//!
//! Invariants: a value here is what was seen, never what was ordered. Not here: reading it from
//! Docker, and samples of its usage.

use wharf_proto::ids::InstanceId;

/// A container with a platform's label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedContainer {
    /// The engine's id.
    pub id: String,
    /// The platform that its label names.
    pub platform_id: String,
    /// The instance that its label names; nothing for roles and for broken labels.
    pub instance_id: Option<InstanceId>,
    /// The revision that its label names.
    pub spec_hash: String,
    /// Content id of the image that it was made from.
    pub image_id: String,
    /// What it does.
    pub state: RunState,
    /// When it was made, by the engine's clock.
    pub created_ms: i64,
    /// When it was last started, by the engine's clock.
    pub started_ms: Option<i64>,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// Made, never started.
    Created,
    /// Its process runs.
    Running,
    /// Somebody froze it.
    Paused,
    /// The engine is starting or stopping it.
    Changing,
    /// Its process ended.
    Exited(Exit),
    /// The engine failed to remove it.
    Dead,
    /// The engine is removing it.
    Removing,
    /// The engine lists it and does not describe it, for this reason: it may live.
    Unreadable(String),
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Exit code; 137 is a kill.
    pub code: i64,
    /// The kernel killed it for its memory limit.
    pub out_of_memory: bool,
    /// When, by the engine's clock.
    pub at_ms: i64,
    /// What the engine says about a failed start.
    pub error: String,
}

impl RunState {
    /// Whether a process of it exists or may exist.
    #[must_use]
    pub fn alive(&self) -> bool {
        matches!(
            self,
            Self::Running | Self::Paused | Self::Changing | Self::Unreadable(_)
        )
    }
}
