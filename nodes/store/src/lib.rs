//! A storage instance: the Elasticsearch API on one machine, on an engine of its own.
//!
//! `server` listens and stops, `http` speaks Elasticsearch's REST API, `auth` knows callers, `engine` holds rows.
//! What a mapping, a query or an aggregation is lies in `wharf-store-core`. No clustering, on purpose.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod auth;
pub mod config;
pub(crate) mod engine;
pub(crate) mod files;
