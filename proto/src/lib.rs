//! The contracts of Wharfinger as Rust types: messages generated from `wharf/**/*.proto`
//! and typed ids. No I/O, no clock, no randomness. The gRPC clients and servers made from the
//! same files are in `wharf-services`.

pub mod access;
pub mod alerting;
pub mod coded;
pub mod ids;
pub mod join_token;
pub mod json;
pub mod listing;
pub mod methods;
pub mod times;

/// Messages of the package `wharf.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/wharf.v1.rs"));
}

/// Contracts of the monitoring node.
pub mod monitor {
    /// Messages of the package `wharf.monitor.v1`.
    #[allow(missing_docs, clippy::all, clippy::pedantic)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/wharf.monitor.v1.rs"));
    }
}

/// The encoded `FileDescriptorSet` of every contract, options included.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
