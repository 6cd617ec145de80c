//! gRPC channels to platform services, which have several addresses and an identity.
//!
//! Invariants: a channel connects when it is first used and again after every loss; each attempt tries
//! all addresses once, beginning with the one that worked last; whoever answers is verified by the TLS
//! settings before a byte of a call is sent. Not here: waiting between attempts (the caller's backoff).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

use super::dial::{DialError, dial_tls, split_host_port};
use crate::task::NamedExecutor;

/// Time for one address.
const DIAL_TIMEOUT: Duration = Duration::from_secs(3);
/// A dead connection is noticed within twice this.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// Where a service may be found: `HOST:PORT`, several. Clones are the same list.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    list: ArcSwap<Vec<String>>,
    next: AtomicUsize,
}

impl Addresses {
    /// These addresses.
    pub fn new(list: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let addresses = Self::default();
        addresses.replace(list);
        addresses
    }

    /// Other addresses, from the next connection on.
    pub fn replace(&self, list: impl IntoIterator<Item = impl Into<String>>) {
        self.inner
            .list
            .store(Arc::new(list.into_iter().map(Into::into).collect()));
    }

    /// The list now.
    pub fn list(&self) -> Vec<String> {
        self.inner.list.load().to_vec()
    }

    /// Begin with the next address when connecting again.
    pub fn skip_current(&self) {
        self.inner.next.fetch_add(1, Ordering::Relaxed);
    }

    async fn connect(&self, config: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, DialError> {
        let list = self.inner.list.load_full();
        let start = self.inner.next.load(Ordering::Relaxed);
        let mut last = None;
        for offset in 0..list.len() {
            let index = start.wrapping_add(offset) % list.len();
            match connect_one(&list[index], Arc::clone(&config)).await {
                Ok(stream) => {
                    self.inner.next.store(index, Ordering::Relaxed);
                    return Ok(stream);
                }
                Err(error) => {
                    tracing::debug!(address = list[index], %error, "address does not work");
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| DialError::Address("no address is known".to_owned())))
    }
}

async fn connect_one(
    address: &str,
    config: Arc<ClientConfig>,
) -> Result<TlsStream<TcpStream>, DialError> {
    let (host, _) = split_host_port(address)?;
    let stream = dial_tls(address, host, config, DIAL_TIMEOUT).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        let source = std::io::Error::other("it does not speak HTTP/2");
        return Err(DialError::Tls {
            host: host.to_owned(),
            source,
        });
    }
    Ok(stream)
}

/// A channel to the service at `addresses`. Whom to expect there and which certificate to show is in
/// `config` ([`client_config`](crate::tls::client_config)). Connects lazily and reconnects by itself; while
/// nobody answers, calls fail with `Unavailable`.
pub fn channel(addresses: &Addresses, config: Arc<ClientConfig>) -> Channel {
    let addresses = addresses.clone();
    // Only a label: where to connect is up to the connector, and TLS is below it.
    let endpoint = Endpoint::from(Uri::from_static("http://wharf.internal"))
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .executor(NamedExecutor::new("grpc-client"));
    endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
        let addresses = addresses.clone();
        let config = Arc::clone(&config);
        async move { addresses.connect(config).await.map(TokioIo::new) }
    }))
}
