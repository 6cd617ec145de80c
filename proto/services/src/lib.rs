//! gRPC clients and servers of the contracts in `proto/wharf`. Messages are `wharf-proto`'s;
//! access rules are `wharf_proto::access`'s. Nothing is written by hand here.

/// Services of the package `wharf.v1`.
#[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/wharf.v1.rs"));
}

/// Services of the monitoring node.
pub mod monitor {
    /// Services of the package `wharf.monitor.v1`.
    #[allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic)]
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/wharf.monitor.v1.rs"));
    }
}
