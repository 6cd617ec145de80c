//! What applying a command gave: carried back to the proposer as JSON bytes. The same on every
//! member. Not here: what a command changes (`apply/`).

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{AllocatorId, DeploymentId, PlanId, ProxyId};

use crate::refusal::Refusal;

/// The answer to one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// Done; there is nothing to tell.
    Done,
    /// Nothing had to be changed.
    Unchanged,
    /// A deployment was made or is being deleted, by this plan.
    Deployment {
        /// The deployment.
        deployment_id: DeploymentId,
        /// The plan that carries it out.
        plan_id: PlanId,
    },
    /// A plan was made, adopted or changed.
    Plan {
        /// The plan.
        plan_id: PlanId,
        /// Its version now.
        version: u64,
    },
    /// An allocator was registered or changed.
    Allocator {
        /// The allocator.
        allocator_id: AllocatorId,
        /// Its version now.
        version: u64,
    },
    /// A proxy was registered or changed.
    Proxy {
        /// The proxy.
        proxy_id: ProxyId,
        /// Its version now.
        version: u64,
    },
    /// A user, setting or secret has this version now.
    Version {
        /// The version.
        version: u64,
    },
    /// The routes have this generation now.
    Routes {
        /// The generation.
        generation: u64,
    },
    /// Refused; nothing was changed.
    Refused(Refusal),
}

/// Why bytes are not an outcome.
#[derive(Debug, thiserror::Error)]
#[error("the outcome of a command cannot be read; do all directors run the same version?: {0}")]
pub struct OutcomeError(#[from] serde_json::Error);

impl Outcome {
    /// The bytes that travel back through the log.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an outcome holds only strings and numbers")
    }

    /// Reads bytes that [`Self::encode`] made.
    ///
    /// # Errors
    /// When they are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, OutcomeError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The outcome, or the refusal as an error.
    ///
    /// # Errors
    /// When the command was refused.
    pub fn accepted(self) -> Result<Self, Refusal> {
        match self {
            Self::Refused(refusal) => Err(refusal),
            other => Ok(other),
        }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}
