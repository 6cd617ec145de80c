//! Finds the addresses of a host and connects to one of them, plainly or over TLS.
//!
//! Invariants: `localhost` and every name below it are loopback, never asked of a name server; no more
//! than [`MAX_ADDRESSES`] are tried, each within its share of the time. Not here: pools, reconnecting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Addresses of a host that are tried.
const MAX_ADDRESSES: usize = 8;

/// Why a host could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The text is not `HOST:PORT`.
    #[error("`{0}` is not an address: write HOST:PORT")]
    Address(String),
    /// The name has no address.
    #[error("cannot find the address of `{host}`: {source}; check the name and the name server")]
    Resolve {
        /// The name.
        host: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// No address answered.
    #[error("cannot connect to {addr}: {source}; check that it runs and no firewall is between")]
    Connect {
        /// The last address that was tried.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The other end is not who it should be, or does not speak TLS.
    #[error(
        "cannot agree on tls with `{host}`: {source}; check its certificate and the trusted authority"
    )]
    Tls {
        /// The name.
        host: String,
        /// What rustls said.
        #[source]
        source: io::Error,
    },
}

/// `HOST:PORT`; an IPv6 host stands in brackets.
#[must_use]
pub fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Splits `HOST:PORT`; an IPv6 host stands in brackets.
pub fn split_host_port(address: &str) -> Result<(&str, u16), DialError> {
    let wrong = || DialError::Address(address.chars().take(300).collect());
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = match bare {
        Some(bare) => bare,
        None if host.contains(':') => return Err(wrong()),
        None => host,
    };
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() {
        Err(wrong())
    } else {
        Ok((host, port))
    }
}

/// The addresses of a host: an IP address is itself, `localhost` and names below it are loopback, the
/// rest is asked of the system.
///
/// # Errors
/// When the system knows none.
pub async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    let bare = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return Ok(vec![
            (Ipv4Addr::LOCALHOST, port).into(),
            (Ipv6Addr::LOCALHOST, port).into(),
        ]);
    }
    let failed = |source| DialError::Resolve {
        host: host.to_owned(),
        source,
    };
    let found: Vec<_> = tokio::net::lookup_host((host, port))
        .await
        .map_err(failed)?
        .take(MAX_ADDRESSES)
        .collect();
    if found.is_empty() {
        return Err(failed(io::ErrorKind::NotFound.into()));
    }
    Ok(found)
}

/// Connects to `HOST:PORT` within `timeout`.
///
/// # Errors
/// When the name is unknown or no address answers in time.
pub async fn dial(address: &str, timeout: Duration) -> Result<TcpStream, DialError> {
    let (host, port) = split_host_port(address)?;
    let resolving = tokio::time::timeout(timeout, resolve(host, port));
    let addresses = resolving.await.unwrap_or_else(|_| {
        Err(DialError::Resolve {
            host: host.to_owned(),
            source: io::ErrorKind::TimedOut.into(),
        })
    })?;
    let share = timeout / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut last = None;
    for addr in addresses {
        match tokio::time::timeout(share, TcpStream::connect(addr)).await {
            Ok(Ok(stream)) => {
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
            // Of several failures the first tells most: the others are its fallbacks.
            Ok(Err(source)) => last = last.or(Some(DialError::Connect { addr, source })),
            Err(_) => {
                let source = io::ErrorKind::TimedOut.into();
                last = last.or(Some(DialError::Connect { addr, source }));
            }
        }
    }
    Err(last.unwrap_or_else(|| DialError::Address(address.to_owned())))
}

/// Connects to `HOST:PORT` and agrees on TLS for `server_name`, each within `timeout`.
///
/// # Errors
/// When it cannot be reached or is not who the settings expect.
pub async fn dial_tls(
    address: &str,
    server_name: &str,
    config: Arc<ClientConfig>,
    timeout: Duration,
) -> Result<TlsStream<TcpStream>, DialError> {
    let failed = |source| DialError::Tls {
        host: server_name.to_owned(),
        source,
    };
    let bare = server_name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let name = ServerName::try_from(bare.unwrap_or(server_name).to_owned())
        .map_err(|error| failed(io::Error::other(error)))?;
    let stream = dial(address, timeout).await?;
    tokio::time::timeout(timeout, TlsConnector::from(config).connect(name, stream))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map_err(failed)
}
