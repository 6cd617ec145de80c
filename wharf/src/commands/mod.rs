//! The operations commands, one file a noun. Each asks the director, prints the result by
//! `print`, and returns a `Failure` that `main` prints once.

pub(crate) mod alert;
pub(crate) mod allocator;
pub(crate) mod api;
pub(crate) mod attention;
pub(crate) mod authority;
mod change;
pub(crate) mod channel;
pub(crate) mod completion;
pub(crate) mod config;
pub(crate) mod container;
pub(crate) mod deployment;
pub(crate) mod director;
pub(crate) mod events;
mod fleet_tables;
mod following;
pub(crate) mod instance;
pub(crate) mod listing;
pub(crate) mod log_level;
pub(crate) mod placement;
pub(crate) mod plan;
mod plan_tables;
pub(crate) mod proxy;
pub(crate) mod repository;
pub(crate) mod services;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod template;
pub(crate) mod token;
pub(crate) mod user;
pub(crate) mod vacate;
pub(crate) mod watch;
mod watch_tables;
pub(crate) mod zone;
