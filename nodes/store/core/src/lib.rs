//! What the storage instance knows about documents without touching a disk: mappings, bulk lines, queries,
//! aggregations, templates and lifecycle. Invariants: no clock, no files, no sockets, no randomness; every parser
//! has a limit. Not here: engines, HTTP, journals (`wharf-store`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod aggs;
pub mod analysis;
pub mod announce;
pub mod bulk;
pub mod columns;
pub mod dateformat;
pub mod datemath;
pub mod document;
pub mod error;
pub mod handover;
pub mod interval;
pub mod lease;
pub mod lifecycle;
pub mod mapping;
pub mod query;
pub mod search;
pub mod settings;
pub mod snapshot;
pub mod template;
pub mod wildcard;
