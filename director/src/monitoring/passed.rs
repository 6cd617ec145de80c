//! An answer of a monitoring node on its way back: only what gRPC needs of it passes. Invariants: at most
//! [`MAX_ANSWER`] bytes, until the call's deadline; it holds the call's place until it has ended; when it breaks off it
//! ends with a coded error. Not here: sending the call.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header::CONTENT_TYPE};
use hyper::body::Frame;
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Code, Status};

use super::places::Place;
use crate::{answer::coded_status, codes};

/// Largest answer; a monitoring node gives none over 9 MiB.
const MAX_ANSWER: usize = 10 << 20;
/// Headers and trailers that pass.
const PASSING: [&str; 5] = [
    "content-type",
    "grpc-encoding",
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
];

/// What ends an answer early.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    /// When the deadline passes.
    pub(crate) until: Instant,
    /// The error then.
    pub(crate) late: Status,
    /// The error when the answer breaks off.
    pub(crate) broken: Status,
}

fn passing(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in PASSING {
        if let Some(value) = headers.get(name) {
            kept.insert(name, value.clone());
        }
    }
    kept
}

/// Whether this is the head of an answer of gRPC.
pub(crate) fn is_grpc<B>(answer: &Response<B>) -> bool {
    let kind = answer.headers().get(CONTENT_TYPE);
    answer.status() == StatusCode::OK
        && kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// The answer as the caller gets it.
pub(crate) fn pass_back<B>(answer: Response<B>, ends: Ends, place: Place) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::fmt::Display,
{
    let (head, body) = answer.into_parts();
    let body = Passed {
        body: Some(body),
        left: MAX_ANSWER,
        late: Box::pin(sleep_until(ends.until)),
        ends_late: ends.late,
        broken: ends.broken,
        _place: place,
    };
    let mut back = Response::new(Body::new(body));
    *back.headers_mut() = passing(&head.headers);
    back
}

struct Passed<B> {
    /// None once it has ended.
    body: Option<B>,
    left: usize,
    late: Pin<Box<Sleep>>,
    ends_late: Status,
    broken: Status,
    _place: Place,
}

impl<B> Passed<B> {
    fn end(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.body = None;
        let mut trailers = HeaderMap::new();
        if status.add_header(&mut trailers).is_err() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

impl<B> HttpBody for Passed<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        if this.late.as_mut().poll(context).is_ready() {
            let status = this.ends_late.clone();
            return this.end(&status);
        }
        match Pin::new(body).poll_frame(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                this.body = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                tracing::debug!(%error, "an answer of a monitoring node broke off");
                let status = this.broken.clone();
                this.end(&status)
            }
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if data.len() > this.left => this.end(&too_large()),
                Ok(data) => {
                    this.left -= data.len();
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    this.body = None;
                    Poll::Ready(Some(Ok(Frame::trailers(passing(&trailers)))))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

fn too_large() -> Status {
    coded_status(
        Code::OutOfRange,
        codes::MONITORING_AWAY,
        format!("the monitoring node's answer is over {MAX_ANSWER} bytes"),
        "ask for fewer documents, fields or buckets",
    )
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, time::Duration};

    use http_body_util::BodyExt as _;

    use super::*;
    use crate::monitoring::places::Places;

    /// A body of these frames; without an end it stays open.
    struct Frames {
        frames: VecDeque<Result<Frame<Bytes>, &'static str>>,
        ends: bool,
    }

    impl HttpBody for Frames {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            match self.frames.pop_front() {
                Some(frame) => Poll::Ready(Some(frame)),
                None if self.ends => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    async fn passed(
        frames: Vec<Result<Frame<Bytes>, &'static str>>,
        ends: bool,
    ) -> (usize, HeaderMap) {
        let places = Places::new(1, 1, 2);
        let place = places.take("ada").await.expect("a place");
        let body = Frames {
            frames: frames.into(),
            ends,
        };
        let ends = Ends {
            until: Instant::now() + Duration::from_millis(50),
            late: crate::deadline::late(),
            broken: Status::unavailable("it broke off"),
        };
        let mut answer = Response::new(body);
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, "application/grpc".parse().unwrap());
        headers.insert("set-cookie", "a=b".parse().unwrap());
        let back = pass_back(answer, ends, place);
        assert!(back.headers().contains_key(CONTENT_TYPE));
        assert!(
            !back.headers().contains_key("set-cookie"),
            "it must not pass"
        );
        let all = back.into_body().collect().await.expect("it ends in order");
        let trailers = all.trailers().cloned().unwrap_or_default();
        assert!(
            places.take("ada").await.is_some(),
            "its place is free again"
        );
        (all.to_bytes().len(), trailers)
    }

    fn data(bytes: usize) -> Result<Frame<Bytes>, &'static str> {
        Ok(Frame::data(Bytes::from(vec![7; bytes])))
    }

    fn code(trailers: &HeaderMap) -> Code {
        Status::from_header_map(trailers).map_or(Code::Ok, |status| status.code())
    }

    #[tokio::test]
    async fn a_whole_answer_passes_with_the_trailers_of_grpc_alone() {
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        trailers.insert("x-inside", "1".parse().unwrap());
        let frames = vec![data(3), data(4), Ok(Frame::trailers(trailers))];
        let (bytes, trailers) = passed(frames, true).await;
        assert_eq!((bytes, trailers.len()), (7, 1), "{trailers:?}");
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_grows_or_hangs_ends_with_an_error_that_says_so() {
        let (_, trailers) = passed(vec![data(3), Err("reset")], true).await;
        assert_eq!(code(&trailers), Code::Unavailable);
        let (bytes, trailers) = passed(vec![data(MAX_ANSWER), data(1)], true).await;
        assert_eq!((bytes, code(&trailers)), (MAX_ANSWER, Code::OutOfRange));
        let (_, trailers) = passed(vec![data(3)], false).await;
        assert_eq!(code(&trailers), Code::DeadlineExceeded);
    }
}
