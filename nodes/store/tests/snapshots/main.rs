//! Snapshots in a directory and in a bucket, and places that begin from them.
//!
//! Places are storage instances of this process that speak TLS on loopback, as the allocator makes them. Not here: what is
//! decided (core), the platform's side (the director's tests).
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod api;
#[path = "../handover/load.rs"]
mod load;
#[path = "../handover/place.rs"]
#[expect(dead_code, reason = "moves use more of it")]
mod place;
mod repository;
mod restoring;
mod room;
mod s3;
mod taking;
