//! Everything that speaks to the container engine. The only place that knows `bollard`.
//!
//! Invariants: every call has a deadline; everything made carries the platform's label and everything
//! removed is filtered by it; errors are coded and say what to do. Not here: deciding what to do
//! (`wharf-allocator-core`) and who asks for it (`host.rs`, `reconcile_task.rs`).

pub mod apply;
pub mod engine;
pub mod events;
pub mod image;
pub mod inventory;
pub mod labels;
pub mod observe;
pub mod roles;
