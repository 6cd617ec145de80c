//! The allocator: one host's agent. It runs the instances that the directors assign to the host as
//! containers, keeps the host's director and proxy containers, reports what it sees, and carries the
//! collectors.
//!
//! Not here: the decisions (`wharf-allocator-core`) and where instances go (the director).

pub mod docker;
pub mod host;
