//! Answers that the proxy gives itself: errors in the shape that Elasticsearch clients read, with
//! a code that has a page, and the body that counts what passes.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{Response, StatusCode, header};
use serde_json::json;
use wharf_runtime::net::BoxError;

use crate::upstream::Body;

/// A refusal of the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// With a page in `docs/errors`.
    pub code: &'static str,
    /// Of the answer.
    pub status: StatusCode,
    /// Elasticsearch's word for the kind.
    pub kind: &'static str,
}

/// The request names no cluster.
pub(crate) const NO_NAME: Refusal = Refusal {
    code: "PRX0001",
    status: StatusCode::BAD_REQUEST,
    kind: "illegal_argument_exception",
};
/// No route has this name.
pub(crate) const UNKNOWN: Refusal = Refusal {
    code: "PRX0002",
    status: StatusCode::NOT_FOUND,
    kind: "resource_not_found_exception",
};
/// The deployment has no healthy instance.
pub(crate) const NO_INSTANCE: Refusal = Refusal {
    code: "PRX0003",
    status: StatusCode::SERVICE_UNAVAILABLE,
    kind: "unavailable",
};
/// The instance could not be reached or broke off.
pub(crate) const NO_ANSWER: Refusal = Refusal {
    code: "PRX0004",
    status: StatusCode::BAD_GATEWAY,
    kind: "bad_gateway",
};
/// The instance took too long.
pub(crate) const TOO_LATE: Refusal = Refusal {
    code: "PRX0005",
    status: StatusCode::GATEWAY_TIMEOUT,
    kind: "timeout",
};

impl Refusal {
    /// The answer.
    #[must_use]
    pub(crate) fn response(&self, reason: &str) -> Response<Body> {
        let body = json!({
            "error": {
                "root_cause": [{"type": self.kind, "reason": reason}],
                "type": self.kind,
                "reason": reason,
                "code": self.code,
            },
            "ok": false,
            "status": self.status.as_u16(),
        });
        let mut response = Response::new(full(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/json"),
        );
        headers.insert("x-wharf-error", header::HeaderValue::from_static(self.code));
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
        }
        response
    }
}

/// A body of bytes.
pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// No body.
pub(crate) fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// Told of what passes through a [`Counted`] body, and dropped with it.
pub(crate) trait Passing: Send + Unpin + 'static {
    /// Bytes passed.
    fn passed(&mut self, bytes: u64);
    /// The body came to its end.
    fn ended(&mut self);
}

/// A body that tells what passes through it.
#[derive(Debug)]
pub(crate) struct Counted<B, P> {
    inner: B,
    passing: P,
}

impl<B: HttpBody, P: Passing> Counted<B, P> {
    /// Watches a body. One that is empty has come to its end already, and is never polled.
    pub(crate) fn new(inner: B, mut passing: P) -> Self {
        if inner.is_end_stream() {
            passing.ended();
        }
        Self { inner, passing }
    }
}

impl<B, P> HttpBody for Counted<B, P>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
    P: Passing,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.passing.passed(data.len() as u64);
                }
                if self.inner.is_end_stream() {
                    self.passing.ended();
                }
            }
            Poll::Ready(None) => self.passing.ended(),
            _ => {}
        }
        polled.map(|frame| frame.map(|result| result.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
