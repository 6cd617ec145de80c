//! Snapshots outside the host, decided without taking one: when, what is uploaded, what is deleted, what is restored.
//!
//! Invariants: whatever lies in a repository is judged before it is believed; a manifest that is there is complete; nothing
//! that a kept manifest names is deleted; what a restore left half done is never served. Not here: files, connections,
//! time (the store's `snapshots`).

pub mod manifest;
pub mod name;
pub mod restore;
pub mod retention;
pub mod schedule;
