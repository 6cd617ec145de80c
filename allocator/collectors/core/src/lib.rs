//! What collectors think: kernel text → samples → Elastic Common Schema documents, log lines →
//! documents, a `_bulk` answer → what to do next.
//!
//! Invariants: nothing here does I/O, reads a clock or draws random numbers; every parser accepts
//! any text without a panic; a counter that went back never becomes a negative rate.
//! Not here: where the text comes from, the spool and the HTTP client (`wharf-collectors`).

pub mod container;
pub mod counter;
pub mod document;
pub mod envelope;
pub mod exposition;
pub mod journald;
pub mod kernel;
pub mod log;
pub mod metricset;
pub mod record;
pub mod redact;
pub mod ship;

pub use container::{
    ContainerMeta, ContainerState, Health, HealthProbe, NamedId, Owner, PlatformRole,
};
pub use document::Document;
pub use envelope::{AgentFacts, ContainerContext, Envelope, HostFacts};
