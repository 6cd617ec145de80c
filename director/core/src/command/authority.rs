//! The command about the platform's certificate authorities.

use serde::{Deserialize, Serialize};

use crate::state::CaRecord;

/// Begins a change of the authority, moves it on or takes it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ChangeAuthority {
    /// A new authority is to take the place of the present one.
    Begin {
        /// The one that issues now, as every director has it.
        current: CaRecord,
        /// The new one.
        next: CaRecord,
        /// How long both are trusted before the new one issues, at least.
        trust_for_ms: u64,
    },
    /// Every role was seen to have done its part of this generation.
    Advance {
        /// The generation that it was seen of.
        generation: u64,
    },
    /// Back to the authority that was there before.
    Cancel,
}

impl ChangeAuthority {
    /// The name that the audit log shows.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Begin { .. } => "rotate_authority",
            Self::Advance { .. } => "advance_authority",
            Self::Cancel => "cancel_authority_rotation",
        }
    }

    /// Which authorities, for people.
    #[must_use]
    pub fn detail(&self) -> String {
        match self {
            Self::Begin { current, next, .. } => {
                format!("from {:.16} to {:.16}", current.sha256, next.sha256)
            }
            Self::Advance { generation } => format!("generation {generation} is done everywhere"),
            Self::Cancel => String::new(),
        }
    }
}
