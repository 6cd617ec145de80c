//! The body of a stream's answer, which ends with an error once the login that it was opened with is
//! worth less: for every stream alike, whatever it carries. Not here: who is let in (`auth`).

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http::HeaderMap;
use hyper::body::Frame;

use crate::{
    auth::{Login, wrong},
    director::Director,
};

/// The body of a stream, which ends with an error once its user may no longer have it.
pub(crate) fn while_login_stands(director: Arc<Director>, login: Login, body: Body) -> Body {
    let lost: Pin<Box<dyn Future<Output = ()> + Send>> =
        Box::pin(async move { director.login_lost(&login).await });
    Body::new(Guarded {
        body: Some(body),
        lost,
    })
}

struct Guarded {
    /// None once it has ended.
    body: Option<Body>,
    lost: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl HttpBody for Guarded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.body.is_some() && self.lost.as_mut().poll(context).is_ready() {
            self.body = None;
            let ended = wrong("the login is no longer worth what it was when the stream began");
            let mut trailers = HeaderMap::new();
            if ended.add_header(&mut trailers).is_err() {
                return Poll::Ready(None);
            }
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}
