//! An HTTP client with a connection pool, over TLS or plain, for whole or streamed requests and bounded answers.
//!
//! Invariants: every request has a time limit and every body that is collected a size limit; the host of
//! the URL is what TLS verifies, wherever the connection goes. Not here: retries, redirects, cookies.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::dial::{DialError, dial, dial_tls};
use super::serve::BoxError;
use crate::task::NamedExecutor;

/// How a client behaves.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Time to connect, and again to agree on TLS.
    pub connect_timeout: Duration,
    /// Time for a whole request: connection, answer, and its body when it is collected.
    pub timeout: Duration,
    /// Connect to this `HOST:PORT` whatever the URL says; the URL's host is still what TLS verifies.
    pub connect_to: Option<String>,
    /// Idle connections that are kept, and for how long.
    pub max_idle: usize,
    /// How long an idle connection is kept; less than servers keep it.
    pub idle_timeout: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            connect_to: None,
            max_idle: 4,
            idle_timeout: Duration::from_secs(30),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The server could not be reached; the request was not sent.
    #[error("{0}")]
    Dial(#[from] DialError),
    /// It took too long. The server may have acted on the request.
    #[error("no answer within {0:?}; try again")]
    Timeout(Duration),
    /// The answer is larger than the caller takes.
    #[error("the answer is larger than {0} bytes; ask for less")]
    TooLarge(usize),
    /// The connection broke or the answer is not HTTP. The server may have acted on the request.
    #[error("the request failed: {0}; try again")]
    Broken(String),
}

impl FetchError {
    /// Whether the request certainly did not reach the server.
    pub fn was_not_sent(&self) -> bool {
        matches!(self, Self::Dial(_))
    }
}

/// A pooled client of requests with bodies of one kind. Cheap to clone; clones share the pool.
#[derive(Clone, Debug)]
pub struct HttpsClient<B = Full<Bytes>> {
    inner: Client<Connector, B>,
    timeout: Duration,
}

impl HttpsClient {
    /// A client that verifies servers with `config`
    /// ([`client_config`](crate::tls::client_config) with `Expect::Name`, usually).
    pub fn new(config: Arc<ClientConfig>, options: ClientOptions) -> Self {
        Self::streaming(config, options)
    }
}

impl<B> HttpsClient<B>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    /// The same for requests whose bodies are made while they are sent.
    pub fn streaming(config: Arc<ClientConfig>, options: ClientOptions) -> Self {
        let timeout = options.timeout;
        let mut builder = Client::builder(NamedExecutor::new("http-client"));
        builder
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(options.idle_timeout)
            .pool_max_idle_per_host(options.max_idle)
            .http2_initial_stream_window_size(1 << 20)
            .http2_initial_connection_window_size(4 << 20)
            .http2_keep_alive_interval(Duration::from_secs(20));
        let inner = builder.build(Connector {
            config,
            options: Arc::new(options),
        });
        Self { inner, timeout }
    }

    /// Sends a request and gives the answer's head; the body is read by the caller, who bounds it. The
    /// time limit is for the head only.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, request: Request<B>) -> Result<Response<Incoming>, FetchError> {
        let answer = tokio::time::timeout(self.timeout, self.inner.request(request)).await;
        match answer {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(from_client(error)),
            Err(_) => Err(FetchError::Timeout(self.timeout)),
        }
    }

    /// Sends a request and collects the whole answer, its body at most `max_body` bytes.
    ///
    /// # Errors
    /// When there is no answer, or it is larger.
    pub async fn fetch(
        &self,
        request: Request<B>,
        max_body: usize,
    ) -> Result<Response<Bytes>, FetchError> {
        let whole = async {
            let (head, body) = self.send(request).await?.into_parts();
            match Limited::new(body, max_body).collect().await {
                Ok(body) => Ok(Response::from_parts(head, body.to_bytes())),
                Err(error) if error.is::<LengthLimitError>() => Err(FetchError::TooLarge(max_body)),
                Err(error) => Err(FetchError::Broken(error.to_string())),
            }
        };
        let limited = tokio::time::timeout(self.timeout, whole).await;
        limited.unwrap_or(Err(FetchError::Timeout(self.timeout)))
    }
}

fn from_client(error: hyper_util::client::legacy::Error) -> FetchError {
    let text = describe(&error);
    let connect = error.is_connect();
    let source = std::error::Error::source(&error);
    // The connector's own error, which says what to do, is worth more than its wrapper.
    match source.and_then(|source| source.downcast_ref::<DialError>()) {
        Some(dial) if connect => FetchError::Dial(copy_of(dial)),
        _ => FetchError::Broken(text),
    }
}

/// `io::Error` cannot be cloned; what people read of it can.
fn copy_of(error: &DialError) -> DialError {
    let copy = |source: &std::io::Error| std::io::Error::new(source.kind(), source.to_string());
    match error {
        DialError::Address(text) => DialError::Address(text.clone()),
        DialError::Resolve { host, source } => DialError::Resolve {
            host: host.clone(),
            source: copy(source),
        },
        DialError::Connect { addr, source } => DialError::Connect {
            addr: *addr,
            source: copy(source),
        },
        DialError::Tls { host, source } => DialError::Tls {
            host: host.clone(),
            source: copy(source),
        },
    }
}

fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[derive(Clone, Debug)]
struct Connector {
    config: Arc<ClientConfig>,
    options: Arc<ClientOptions>,
}

impl Connector {
    async fn connect(self, uri: Uri) -> Result<Stream, DialError> {
        let wrong = || DialError::Address(uri.to_string().chars().take(300).collect());
        let host = uri.host().ok_or_else(wrong)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong()),
        };
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let address = match &self.options.connect_to {
            Some(address) => address.clone(),
            None => format!("{host}:{port}"),
        };
        let timeout = self.options.connect_timeout;
        if tls {
            let stream = dial_tls(&address, host, self.config, timeout).await?;
            Ok(Stream::Tls(Box::new(TokioIo::new(stream))))
        } else {
            Ok(Stream::Plain(TokioIo::new(dial(&address, timeout).await?)))
        }
    }
}

impl tower::Service<Uri> for Connector {
    type Response = Stream;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, DialError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

enum Stream {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        match self {
            Self::Tls(stream) if stream.inner().get_ref().1.alpn_protocol() == Some(b"h2") => {
                connected.negotiated_h2()
            }
            _ => connected,
        }
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, slices),
        }
    }
}
