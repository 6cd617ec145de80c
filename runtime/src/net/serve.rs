//! Accepts connections and serves HTTP/1.1 and HTTP/2 on them, with upgrades, until asked to stop.
//!
//! Invariants: no more connections than the limit at a time (the rest wait in the kernel's queue); a
//! handshake and a request head have a time limit; asked to stop, it stops accepting at once, lets
//! running requests finish for the drain time, and returns. Not here: routes.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::{PeerIdentity, PeerInfo};
use crate::task::{self, NamedExecutor, Shutdown};
use crate::tls::Identity;

/// An error of a handler or a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Hear = dyn Fn(SocketAddr, &str) + Send + Sync;

/// Hears of each TLS handshake that was refused: from where, and why. It must not block.
#[derive(Clone)]
pub struct OnRefused(Arc<Hear>);

impl OnRefused {
    /// Tells `hear`.
    pub fn new(hear: impl Fn(SocketAddr, &str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }
}

impl fmt::Debug for OnRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OnRefused")
    }
}

/// Bounds of a listener.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time.
    pub max_connections: usize,
    /// Time for a TLS handshake.
    pub handshake_timeout: Duration,
    /// Time for the head of an HTTP/1.1 request, waiting for it on an idle connection included.
    pub header_timeout: Duration,
    /// Bytes of the head of a request.
    pub max_header_bytes: u32,
    /// Requests at a time on one HTTP/2 connection.
    pub max_streams: u32,
    /// How often an HTTP/2 connection is asked whether it lives.
    pub ping_interval: Duration,
    /// Time for running requests once asked to stop.
    pub drain: Duration,
    /// Who hears of refused handshakes, beside the log.
    pub on_refused: Option<OnRefused>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(75),
            max_header_bytes: 64 * 1024,
            max_streams: 256,
            ping_interval: Duration::from_secs(20),
            drain: Duration::from_secs(10),
            on_refused: None,
        }
    }
}

/// Serves HTTP over TLS on `listener` until `shutdown`, then drains and returns. `factory` makes the
/// service of one connection; wrap a tower service (axum, tonic) in
/// [`TowerToHyperService`](super::TowerToHyperService).
pub async fn serve_tls<F, S, B>(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    factory: F,
    shutdown: Shutdown,
    limits: Limits,
) where
    F: Fn(&PeerInfo) -> S + Send + Sync + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    serve(
        listener,
        Some(TlsAcceptor::from(config)),
        factory,
        shutdown,
        limits,
    )
    .await;
}

/// The same without TLS, for loopback listeners.
pub async fn serve_plain<F, S, B>(
    listener: TcpListener,
    factory: F,
    shutdown: Shutdown,
    limits: Limits,
) where
    F: Fn(&PeerInfo) -> S + Send + Sync + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    serve(listener, None, factory, shutdown, limits).await;
}

async fn serve<F, S, B>(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    factory: F,
    shutdown: Shutdown,
    limits: Limits,
) where
    F: Fn(&PeerInfo) -> S + Send + Sync + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let room = Arc::new(Semaphore::new(
        limits.max_connections.clamp(1, Semaphore::MAX_PERMITS),
    ));
    let http = http_settings(&limits);
    let factory = Arc::new(factory);
    let tracker = TaskTracker::new();
    // Ends connections that outlive the drain time.
    let cut = Shutdown::new();
    while let Some(Some((stream, addr, permit))) =
        shutdown.run_until(accept(&listener, &room)).await
    {
        let connection = Connection {
            http: http.clone(),
            shutdown: shutdown.clone(),
            cut: cut.clone(),
            _permit: permit,
        };
        let factory = Arc::clone(&factory);
        let acceptor = acceptor.clone();
        let timeout = limits.handshake_timeout;
        let on_refused = limits.on_refused.clone();
        let served = async move {
            let Ok(local_addr) = stream.local_addr() else {
                return;
            };
            let mut peer = PeerInfo {
                addr,
                local_addr,
                tls: false,
                server_name: None,
                identity: None,
            };
            let Some(acceptor) = acceptor else {
                let service = factory(&peer);
                connection.serve(stream, service, peer).await;
                return;
            };
            let stream = match tokio::time::timeout(timeout, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    tracing::debug!(%addr, %error, "tls handshake failed");
                    // A connection that only broke was not refused.
                    let refused = error
                        .get_ref()
                        .is_some_and(|inner| inner.is::<rustls::Error>());
                    if let Some(OnRefused(hear)) = on_refused.filter(|_| refused) {
                        hear(addr, &error.to_string());
                    }
                    return;
                }
                Err(_) => return tracing::debug!(%addr, "tls handshake took too long"),
            };
            let session = stream.get_ref().1;
            peer.tls = true;
            peer.server_name = session.server_name().map(str::to_owned);
            peer.identity = session
                .peer_certificates()
                .and_then(|certs| certs.first())
                .and_then(Identity::from_certificate);
            let service = factory(&peer);
            connection.serve(stream, service, peer).await;
        };
        drop(task::spawn("connection", tracker.track_future(served)));
    }
    drop(listener);
    tracker.close();
    if tokio::time::timeout(limits.drain, tracker.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            left = tracker.len(),
            "connections did not drain in time and are cut"
        );
        cut.trigger();
        tracker.wait().await;
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    // The semaphore is never closed, so this only waits.
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, addr)) => {
                // Answers are written whole, so waiting to fill a packet only costs time.
                drop(stream.set_nodelay(true));
                return Some((stream, addr, permit));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Such as no file descriptors left: retrying at once would only burn CPU.
                tracing::warn!(%error, "cannot accept a connection; tried again shortly");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

fn http_settings(limits: &Limits) -> auto::Builder<NamedExecutor> {
    let mut http = auto::Builder::new(NamedExecutor::new("http2"));
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size((limits.max_header_bytes as usize).max(8192));
    http.http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_concurrent_streams(limits.max_streams)
        .max_header_list_size(limits.max_header_bytes)
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_interval);
    http
}

struct Connection {
    http: auto::Builder<NamedExecutor>,
    shutdown: Shutdown,
    cut: Shutdown,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    async fn serve<I, S, B>(self, io: I, service: S, peer: PeerInfo)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let addr = peer.addr;
        let identity = peer.identity.clone().map(PeerIdentity);
        let service = WithPeer {
            inner: service,
            peer,
            identity,
        };
        let mut connection = pin!(
            self.http
                .serve_connection_with_upgrades(TokioIo::new(io), service)
        );
        let mut draining = false;
        let outcome = loop {
            tokio::select! {
                outcome = connection.as_mut() => break outcome,
                () = self.shutdown.triggered(), if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.cut.triggered() => return,
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%addr, error, "connection ended with an error");
        }
    }
}

/// Puts what is known of the peer into every request.
struct WithPeer<S> {
    inner: S,
    peer: PeerInfo,
    identity: Option<PeerIdentity>,
}

impl<S> Service<Request<Incoming>> for WithPeer<S>
where
    S: Service<Request<Incoming>>,
    S::Future: Future,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let extensions = request.extensions_mut();
        extensions.insert(self.peer.clone());
        if let Some(identity) = &self.identity {
            extensions.insert(identity.clone());
        }
        self.inner.call(request)
    }
}
