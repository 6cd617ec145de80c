//! The collectors that every allocator embeds: they read the kernel and the containers' logs, keep
//! every document in a disk spool, and ship it with `_bulk`.
//!
//! Invariants: nothing is shipped that was not spooled first; the spool's cursor moves on
//! acknowledgement only; the engine's API is not used at all here: names, labels, health and events
//! come in through [`Inventory`], which the allocator feeds.
//! Not here: field names and arithmetic (`wharf-collectors-core`), Docker (the allocator).
//!
//! The walk: `source` (files of the kernel) → `sampler_task`; `tail` (log files) → `log_task`
//! and, for systemd's journal, `journald_task`;
//! engine events → `event_task`; the roles' loopback listeners → `role_task`; the sockets of storage and
//! monitoring nodes → `instance_task`; all → `spool` → `shipper_task` → the store.

pub mod collectors;
pub mod config;
pub mod counters;
pub mod destination;
mod event_task;
mod instance_task;
pub mod inventory;
mod journald_task;
pub mod latest;
mod log_task;
mod role_task;
pub mod sampler;
mod sampler_task;
pub mod shipper_task;
pub mod source;
pub mod spool;
pub mod tail;

pub use collectors::{CollectorsError, run};
pub use config::{Config, Periods};
pub use counters::{Counters, CountersView};
pub use destination::Destination;
pub use inventory::{Inventory, InventoryPublisher, Snapshot, inventory};
pub use latest::{ContainerSample, LatestSamples};
pub use wharf_collectors_core::metricset::engine::{EngineEvent, EngineFacts, ImageMeta};
pub use wharf_collectors_core::{
    AgentFacts, ContainerMeta, ContainerState, Health, HealthProbe, HostFacts, NamedId, Owner,
    PlatformRole,
};
