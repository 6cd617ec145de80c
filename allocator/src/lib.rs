//! The allocator: one host's agent. It runs the instances that the directors assign to the host as
//! containers, keeps the host's director and proxy containers, reports what it sees, and carries the
//! collectors.
//!
//! The walk of an assignment: `session_task` → `orders` → `ledger` (disk) → `reconcile_task` →
//! `wharf_allocator_core::reconcile` → `docker/apply` → `docker/observe` → `reports` → `session_task`.
//!
//! Invariants: nothing is done that was not observed to be needed; what carries another platform's
//! label, or none, is never touched; losing the directors, the engine or the allocator itself changes
//! no container that runs. Not here: the decisions (`wharf-allocator-core`) and where instances go
//! (the director).

mod agent;
mod authority;
pub mod config;
pub mod docker;
pub mod engine_link;
pub mod files;
mod health_answer;
pub mod host;
mod host_roles_task;
pub mod host_state_task;
mod image_task;
mod instance_pages;
pub mod inventory_task;
pub mod leases;
pub mod ledger;
mod orders;
mod place;
pub mod probe_task;
pub mod problems;
pub mod reconcile_task;
pub mod reports;
pub mod secrets;
pub mod session_task;
pub mod set_aside;

pub use agent::{RunError, run};
pub use config::{Config, ConfigError};
