//! A storage instance: the Elasticsearch API on one machine, on an engine of its own.
//!
//! `server` listens and stops, `front` answers what the store itself does not, `handover` moves the data elsewhere, `snapshots` keeps it outside the host, `http` speaks Elasticsearch's REST API, `auth` knows callers, `catalog` what exists, `ingest`
//! writes, `engine` holds rows; the `*_task` files keep them bounded. What a mapping, a query or an aggregation is lies
//! in `wharf-store-core`. No clustering, on purpose.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod announce_task;
pub mod auth;
pub(crate) mod catalog;
pub mod config;
pub(crate) mod engine;
pub(crate) mod files;
mod front;
pub(crate) mod handover;
pub(crate) mod http;
mod identity_task;
pub(crate) mod ingest;
mod lifecycle_task;
mod maintenance_task;
mod merge_task;
mod metrics;
pub mod server;
mod snapshots;

pub use config::{Config, Listener};
pub use server::{Running, StartError, run, start};
