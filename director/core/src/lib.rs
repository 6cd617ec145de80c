//! What a director decides: state, commands and their application, plans, placement, assignments,
//! routes, health. Pure: time, ids and randomness are arguments; the shell (`wharf-director`) has
//! Raft, sessions and the API. Entry points: `command::Command`, `apply::apply`, `state::State`.

pub mod command;
pub mod outcome;
pub mod refusal;
pub mod size;
pub mod state;
