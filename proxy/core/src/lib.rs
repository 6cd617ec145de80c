//! The proxy's thinking: which deployment a request is for, which instance gets it, when an
//! instance is left out, whether a failed request may be tried again, which headers pass. Pure:
//! time and randomness are arguments. Not here: sockets, TLS, the route stream.

pub mod cluster;
pub mod ejection;
pub mod headers;
pub mod retry;
pub mod table;

pub use cluster::{Cluster, NameError, requested_cluster};
pub use ejection::Ejection;
pub use table::{Choice, Refused, RouteTable, Target};
