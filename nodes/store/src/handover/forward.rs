//! Passes requests on to the place that has the data now.
//!
//! Invariants: method, path, headers (credentials with them), status and bodies go through unchanged, but for what belongs to one
//! connection; bodies are streamed; requests at a time are bounded; one that certainly was not sent is sent again for a
//! while. Not here: which requests.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, Version, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::Semaphore;
use wharf_runtime::backoff::Backoff;
use wharf_runtime::net::{ClientOptions, HttpsClient};
use wharf_runtime::tls::{Expect, ExpectedIdentity, TlsError, following_client_config};
use wharf_store_core::error::{EsError, EsResult};

use super::place::Own;
use crate::metrics::StoreMetrics;

/// Requests that are passed on at a time.
const MAX_UNDER_WAY: usize = 1024;
/// How long a request that was not sent is tried again: the other place may start anew.
const MAX_TRYING: Duration = Duration::from_secs(10);
/// A search may take its time.
const TIMEOUT: Duration = Duration::from_secs(600);
/// Places that one request is passed through at most: two that send to each other would do so for ever.
const MAX_HOPS: u8 = 8;
const HOPS: HeaderName = HeaderName::from_static("x-wharf-hops");

/// A body that can be sent again as long as nothing of it was read.
#[derive(Clone)]
struct Shared(Arc<Mutex<Body>>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        body.size_hint()
    }
}

/// The way to the other place.
pub(crate) struct Forwarder {
    client: HttpsClient<Shared>,
    to: String,
    room: Semaphore,
    metrics: StoreMetrics,
}

impl Forwarder {
    pub(crate) fn new(own: &Own, to: String, metrics: StoreMetrics) -> Result<Self, TlsError> {
        // The very same instance at its other place, and nobody else.
        let expect = Expect::Identity(ExpectedIdentity::exactly(&own.identity));
        let tls = following_client_config(&own.trust, expect, Some(Arc::clone(&own.slot)))?;
        let options = ClientOptions {
            timeout: TIMEOUT,
            ..ClientOptions::default()
        };
        Ok(Self {
            client: HttpsClient::streaming(tls, options),
            to,
            room: Semaphore::new(MAX_UNDER_WAY),
            metrics,
        })
    }

    /// Passes one request on and gives the other place's answer.
    pub(crate) async fn pass_on(&self, parts: &Parts, body: Body) -> Response {
        self.metrics.forwarded.inc();
        match self.send(parts, body).await {
            Ok(response) => response,
            Err(error) => {
                self.metrics.forward_failures.inc();
                tracing::warn!(%error, to = %self.to, "a request could not be passed on");
                crate::front::failed(&error)
            }
        }
    }

    async fn send(&self, parts: &Parts, body: Body) -> EsResult<Response> {
        let unavailable = |why: String| {
            EsError::new(
                503,
                "no_shard_available_action_exception",
                format!(
                    "STO0006: this instance's data was moved and its new place cannot be reached: {why}"
                ),
            )
        };
        let _room = self
            .room
            .try_acquire()
            .map_err(|_| EsError::rejected("rejected execution of request: too many are being passed on to the instance's new place"))?;
        let hops = parts
            .headers
            .get(&HOPS)
            .and_then(|v| v.to_str().ok()?.parse::<u8>().ok());
        let hops = hops.unwrap_or(0);
        if hops >= MAX_HOPS {
            return Err(unavailable("places pass requests to each other".into()));
        }
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri: Uri = format!("https://{}{path}", self.to)
            .parse()
            .map_err(|error: http::uri::InvalidUri| unavailable(error.to_string()))?;
        let mut headers = parts.headers.clone();
        of_one_connection(&mut headers);
        // It names this place.
        headers.remove(header::HOST);
        headers.insert(HOPS, HeaderValue::from(u16::from(hops) + 1));
        let body = Shared(Arc::new(Mutex::new(body)));
        let mut backoff = Backoff::new(50, 500);
        let give_up = tokio::time::Instant::now() + MAX_TRYING;
        loop {
            let mut request = Request::new(body.clone());
            *request.method_mut() = parts.method.clone();
            *request.uri_mut() = uri.clone();
            *request.version_mut() = Version::HTTP_11;
            *request.headers_mut() = headers.clone();
            match self.client.send(request).await {
                Ok(response) => {
                    let (mut parts, body) = response.into_parts();
                    of_one_connection(&mut parts.headers);
                    // The client's own connection decides.
                    parts.version = Version::default();
                    return Ok(Response::from_parts(parts, Body::new(body)));
                }
                Err(error) if error.was_not_sent() && tokio::time::Instant::now() < give_up => {
                    tokio::time::sleep(backoff.next(wharf_runtime::random::next_u64())).await;
                }
                Err(error) => return Err(unavailable(error.to_string())),
            }
        }
    }
}

/// Takes away what belongs to one connection.
fn of_one_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [
        header::CONNECTION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ] {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_connection_is_taken_away_and_the_rest_stays() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "5"),
            ("transfer-encoding", "chunked"),
            ("authorization", "Basic eDp5"),
            ("content-length", "12"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        of_one_connection(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "content-length"]);
    }
}
