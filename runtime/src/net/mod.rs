//! Connections: listeners that serve HTTP over TLS, channels to platform services, an HTTPS client.
//!
//! Invariants: what waits is bounded (connections, handshakes, headers, bodies, dial attempts); handlers
//! find out who the peer is from the request's extensions ([`PeerInfo`], [`PeerIdentity`]), set here and
//! only here. Not here: routes, and what a peer may do.

mod connect;
mod dial;
mod https;
mod serve;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

pub use connect::{Addresses, channel};
pub use dial::{DialError, dial, dial_tls, host_port, resolve, split_host_port};
pub use https::{ClientOptions, FetchError, HttpsClient};
pub use hyper_util::service::TowerToHyperService;
pub use serve::{BoxError, Limits, OnRefused, serve_plain, serve_tls};

use crate::tls::Identity;

/// What is known of the other end of a connection; in the extensions of every request.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// Its address.
    pub addr: SocketAddr,
    /// The address that it connected to.
    pub local_addr: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// The host name that it asked for in the handshake.
    pub server_name: Option<String>,
    /// Whom its verified certificate names, when it showed one.
    pub identity: Option<Identity>,
}

/// Whom the peer's verified certificate names; in the extensions of a request when it showed one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity(pub Identity);

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr}: {source}; {hint}")]
pub struct BindError {
    /// The address.
    pub addr: SocketAddr,
    /// What the system said.
    #[source]
    pub source: io::Error,
    /// What to do.
    pub hint: &'static str,
}

/// Listens on `addr`.
///
/// # Errors
/// When the port is taken, or the address is not this host's.
pub async fn bind(addr: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(addr).await.map_err(|source| {
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => "stop what uses the port or choose another port base",
            io::ErrorKind::AddrNotAvailable => "choose an address of this host",
            io::ErrorKind::PermissionDenied => "choose a port above 1023",
            _ => "choose another address",
        };
        BindError { addr, source, hint }
    })
}
