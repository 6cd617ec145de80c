//! The monitoring instance of a deployment: runs its watches over its storage, keeps their alerts,
//! sends what they say, and serves all of it.
//!
//! - `config`: what it is told when it starts, and the files that may change while it runs
//! - `storage`, `indices`: the deployment's storage through the proxy, and the hidden indices in it
//! - `ledger`, `ledger_task`: what must get into the storage, on disk first
//! - `monitor`, `slot`, `load`: watches with their alerts, and how they come back after a restart
//! - `schedule_task`, `run`, `dispatch`: a watch is due, runs, and what it says is sent
//! - `refresh_task`, `secrets_task`: changes by anyone are taken in without a restart
//! - `server`, `gate`, `api`: gRPC and gRPC-web on one TLS port, and the admin UI of the deployment's data
//! - `versions`: what dashboards were before
//! - `credentials`, `sessions`: who is let in, and stays it in a browser
//!
//! Invariants: nothing is sent that is not on disk; a run is recorded whatever came of it, and what
//! cannot be written to the storage now is written later. Decisions are `wharf-monitor-core`'s.

mod api;
mod codes;
mod config;
mod credentials;
mod dispatch;
mod gate;
mod indices;
mod ledger;
mod ledger_task;
mod load;
mod monitor;
mod refresh_task;
mod run;
mod schedule_task;
mod secrets_task;
mod server;
mod sessions;
mod slot;
mod status;
mod storage;
mod versions;

pub use config::{Config, ConfigError};
pub use server::{StartError, run};
