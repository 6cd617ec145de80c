//! The one impure toolbox: tasks, clock, randomness, journal, TLS, network, configuration, telemetry.

pub mod backoff;
pub mod clock;
pub mod journal;
pub mod platform_file;
pub mod random;
pub mod task;
