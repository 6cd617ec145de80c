//! What a monitoring node thinks. A watch's document becomes a typed watch; a schedule says when
//! it runs; its answer becomes groups that fire or do not; what fires is said once.
//!
//! The walk of a run: `catalog` (shipped watches and documents) → `schedule::next_run` →
//! `input` (the body with its times) → the search, outside → `alerts::WatchAlerts::observe`
//! (`answer`, `evaluate`, `signal`, `wharf_proto::alerting`, `message`) → `kept` for each alert that
//! changed and `history` for the run, stored outside before anything is sent → what waits is sent
//! outside and settled. `preview` walks the same way over the past.
//!
//! Invariants: no clock, no socket, no file: times and answers are arguments, and what cannot be
//! told is an error, never a good state.
//! Not here: searching, storing, sending (`wharf-monitor`), the alert's own life
//! (`wharf_proto::alerting`).

pub mod alerts;
pub mod answer;
pub mod api;
pub mod catalog;
pub mod document;
pub mod evaluate;
pub mod fields;
#[cfg(test)]
mod fixture;
pub mod history;
pub mod input;
pub mod kept;
pub mod message;
pub mod object;
pub mod preview;
pub mod retention;
pub mod schedule;
pub mod search;
pub mod services;
pub mod shipped;
pub mod shipped_dashboards;
pub mod signal;
pub mod span;
pub mod streams;
pub mod template;
pub mod version;
pub mod versions;
pub mod watch;
