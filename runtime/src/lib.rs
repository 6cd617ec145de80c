//! The one impure toolbox: tasks, clock, randomness, journal, TLS, network, configuration, telemetry.

pub mod backoff;
pub mod clock;
pub mod data_dir;
pub mod disk;
pub mod journal;
pub mod net;
pub mod platform_file;
pub mod random;
pub mod role_files;
pub mod task;
pub mod tls;
