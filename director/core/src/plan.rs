//! Plans: laying them out, carrying them out, finding out that one is due. Pure: each looks at the
//! state and at what was observed, and gives the commands to propose. Called again and again until
//! it gives none; a command that was overtaken is refused by apply and does no harm.

pub mod attempt;
pub mod diff;
pub mod layout;
mod password;
pub mod planner;
pub mod preview;
pub mod relocation;
pub mod restoring;
pub mod step;
pub mod upgrade;

use crate::{settings, state::State};

/// How long each part of a plan may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To find room.
    pub place_ms: u64,
    /// To start a container.
    pub start_ms: u64,
    /// For the health probe to answer.
    pub healthy_ms: u64,
    /// For proxies to take a route or drop it.
    pub route_ms: u64,
    /// To stop a container.
    pub stop_ms: u64,
    /// To remove container and data.
    pub remove_ms: u64,
    /// Without progress of a copy.
    pub copy_ms: u64,
}

impl Timeouts {
    /// The timeouts that the settings name.
    #[must_use]
    pub fn of(state: &State) -> Self {
        Self {
            place_ms: settings::duration_ms(state, "plan.place_timeout_seconds"),
            start_ms: settings::duration_ms(state, "plan.start_timeout_seconds"),
            healthy_ms: settings::duration_ms(state, "plan.healthy_timeout_seconds"),
            route_ms: settings::duration_ms(state, "plan.route_timeout_seconds"),
            stop_ms: settings::duration_ms(state, "plan.stop_timeout_seconds"),
            remove_ms: settings::duration_ms(state, "plan.remove_timeout_seconds"),
            copy_ms: settings::duration_ms(state, "plan.copy_timeout_seconds"),
        }
    }
}

#[cfg(test)]
mod cancel_tests;
#[cfg(test)]
mod extend_tests;
#[cfg(test)]
mod hosts_tests;
#[cfg(test)]
mod move_properties;
#[cfg(test)]
mod move_tests;
#[cfg(test)]
mod operation_properties;
#[cfg(test)]
mod operation_tests;
#[cfg(test)]
mod restore_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod torn_tests;
