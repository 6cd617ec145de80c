//! Log lines: the engine's json-file format, partial lines joined, entries of systemd's journal,
//! levels recognised, documents.
//!
//! Invariants: a line that cannot be decoded is shipped as it is, with an error, never dropped;
//! memory for unfinished lines is bounded.
//! Not here: following files over rotation (`wharf-collectors`, `tail`).

pub mod decode;
pub mod document;
pub mod journald;
pub mod level;
pub mod own;

pub use decode::{Joiner, LogLine};
pub use document::{container_line, engine_line};
pub use journald::engine_entry;
