//! A storage instance over loopback HTTP, as clients use it.
//!
//! Not here: what queries and aggregations answer in detail (core), TLS (runtime).
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod access;
mod aliases;
mod bad_input;
mod bounds;
mod by_query;
mod client;
mod clients;
mod documents;
mod metrics;
mod restarts;
mod streams;
mod tls;
