//! What a director decides: state, commands and their application, plans, placement, assignments,
//! routes, health. Pure: time, ids and randomness are arguments; the shell (`wharf-director`) has
//! Raft, sessions and the API. Entry points: `command::Command`, `apply::apply`, `state::State`.

pub mod apply;
pub mod authority;
pub mod command;
pub mod deployment;
pub mod events;
pub mod failure;
#[cfg(test)]
pub(crate) mod fixture;
pub mod health;
pub mod messages;
pub mod notify;
pub mod observe;
pub mod outcome;
pub mod placement;
pub mod plan;
pub mod reconcile;
pub mod refusal;
pub mod settings;
pub mod size;
pub mod state;
pub mod template;
pub mod vacate;
