//! Snapshots outside the host, in a bucket or a directory, and the beginning from one.
//!
//! `order` is what the host's allocator says, `repository` the place and `transport` the way to it, `cut` the moment, `take` one
//! snapshot, `snapshot_task` when, `restore_task` the way back, `told` what is known. Invariants: everything that was
//! acknowledged before a snapshot was asked for is in it; writes are held for the moment of the cut alone. Not here: what
//! to upload, delete and restore (core `snapshot`), Elasticsearch's API of it (`http`).

mod cut;
mod error;
mod metrics;
mod order;
mod repository;
pub(crate) mod restore_task;
pub(crate) mod snapshot_task;
mod take;
mod told;
mod transport;

pub(crate) use error::{RepositoryError, SnapshotError};
pub(crate) use metrics::SnapshotMetrics;
pub(crate) use order::restore as restore_order;
pub(crate) use told::{Ask, Opened, RestoreReport, Restoring, Running, Snapshots, Summary, word};
