//! The one impure toolbox: what every role needs of the machine, once.
//!
//! - [`task`]: named tasks, shutdown, panics that are never lost; the only `tokio::spawn`
//! - [`clock`], [`random`], [`backoff`]: time, ids and secrets, waiting between tries
//! - [`journal`]: append-only, checksummed, group-fsynced; the store's translog, the collectors' spool
//! - [`tls`]: the platform's authority, identities in certificates, settings of listeners and clients
//! - [`net`]: listeners that serve HTTP over TLS, gRPC channels, an HTTPS client
//! - [`call_id`]: by what a failed call is found in the logs
//! - [`delivery`]: messages to webhooks and by e-mail, tried until they arrive
//! - [`data_dir`], [`disk`]: a locked directory, atomic writes, room left
//! - [`systemd`]: telling systemd that a role serves
//! - [`platform_file`], [`role_files`]: the files that `wharf up` writes for a host and its roles
//! - [`known_directors`]: which directors a role may dial, kept on disk
//! - [`telemetry`], [`metrics`], [`health_server`], [`metrics_socket`], [`self_usage`]: the log, numbers, and who is well
//!
//! Invariants: nothing here knows a noun of the platform beyond its certificates' identity. Not here:
//! decisions (the cores), contracts (`wharf-proto`), Docker, Raft.

pub mod backoff;
pub mod call_id;
pub mod clock;
pub mod data_dir;
pub mod delivery;
pub mod disk;
pub mod followed_authority;
pub mod followed_files;
pub mod health_server;
pub mod journal;
pub mod known_directors;
pub mod metrics;
pub mod metrics_socket;
pub mod net;
pub mod platform_file;
pub mod random;
pub mod renewal_task;
pub mod role_files;
pub mod self_usage;
pub mod systemd;
pub mod task;
pub mod telemetry;
pub mod tls;
