//! What a monitoring node thinks. A watch's document becomes a typed watch; a schedule says when
//! it runs; its answer becomes groups that fire or do not.
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
#[cfg(test)]
mod fixture;
pub mod history;
pub mod input;
pub mod kept;
pub mod message;
pub mod object;
pub mod preview;
pub mod schedule;
pub mod search;
pub mod services;
pub mod shipped;
pub mod signal;
pub mod span;
pub mod template;
pub mod version;
pub mod watch;
