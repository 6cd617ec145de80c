//! The id of a call, by which what a user was shown is found in the logs: the caller's own or a new one, in every
//! log line that is written within the call, in a line for a call that failed, and in the answer. Invariants: a
//! caller's id is short and plain or replaced; a flood of failed calls writes a bounded number of lines of bounded
//! length and says how many it left out. Not here: that a change is made once (a request id does that).

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument as _;

use crate::random;

/// The header of a call and of its answer.
pub const CALL_ID: HeaderName = HeaderName::from_static("x-wharf-call-id");
/// Bytes of an id at most.
const MAX_BYTES: usize = 64;
/// Letters kept of a method and of a reason, which may be the caller's own words.
const METHOD_CHARS: usize = 120;
const REASON_CHARS: usize = 400;
/// Lines about failed calls in each [`WINDOW`].
const LINES: u32 = 50;
const WINDOW: Duration = Duration::from_secs(5);

/// Gives every call of the services behind it its id.
#[derive(Debug, Clone, Default)]
pub struct CallIdLayer {
    lines: Arc<Mutex<Lines>>,
}

impl<S> Layer<S> for CallIdLayer {
    type Service = CallIds<S>;

    fn layer(&self, inner: S) -> CallIds<S> {
        CallIds {
            inner,
            lines: Arc::clone(&self.lines),
        }
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct CallIds<S> {
    inner: S,
    lines: Arc<Mutex<Lines>>,
}

impl<S, B, A> Service<Request<B>> for CallIds<S>
where
    S: Service<Request<B>, Response = Response<A>, Error = Infallible>,
    S::Future: Send + 'static,
    A: 'static,
{
    type Response = Response<A>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<A>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let (id, value) = id_of(request.headers());
        request.headers_mut().insert(CALL_ID, value.clone());
        let method = request.uri().path().to_owned();
        let span = tracing::info_span!("call", call_id = id);
        let answer = {
            let _entered = span.enter();
            self.inner.call(request)
        };
        let lines = Arc::clone(&self.lines);
        let answered = async move {
            let mut answer = answer.await?;
            if let Some(failed) = failure(answer.headers()) {
                write(&lines, &method, &id, &failed);
            }
            answer.headers_mut().insert(CALL_ID, value);
            Ok(answer)
        };
        Box::pin(answered.instrument(span))
    }
}

/// The id that the caller gave, or a new one.
fn id_of(headers: &HeaderMap) -> (String, HeaderValue) {
    let plain = |text: &&str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=MAX_BYTES).contains(&text.len()) && text.bytes().all(letters)
    };
    let given = headers.get(CALL_ID).and_then(|value| value.to_str().ok());
    let id = given
        .filter(plain)
        .map_or_else(random::new_id, ToOwned::to_owned);
    // Either is letters, digits and dashes.
    let value = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("-"));
    (id, value)
}

/// How a call failed that is worth a line. Who could not be known, and what is no method, has its own account or none.
fn failure(headers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(headers).filter(|status| {
        !matches!(
            status.code(),
            Code::Ok | Code::Unauthenticated | Code::Unimplemented
        )
    })
}

fn write(lines: &Mutex<Lines>, method: &str, id: &str, failed: &Status) {
    let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(left_out) = lines.take(Instant::now()) else {
        return;
    };
    drop(lines);
    if left_out > 0 {
        tracing::warn!(left_out, "failed calls were not written down");
    }
    let code = failed.code().description();
    let method = cut(method, METHOD_CHARS);
    let reason = cut(failed.message(), REASON_CHARS);
    tracing::info!(call_id = id, method, code, reason, "a call failed");
}

fn cut(text: &str, chars: usize) -> &str {
    let end = text.char_indices().nth(chars);
    end.map_or(text, |(end, _)| &text[..end])
}

/// How many lines were written lately.
#[derive(Debug, Default)]
struct Lines {
    window: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Lines {
    /// Room for one line, and how many were left out before it; none when there is no room.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let open = self
            .window
            .is_some_and(|began| now.saturating_duration_since(began) < WINDOW);
        if !open {
            self.window = Some(now);
            self.written = 0;
        }
        if self.written >= LINES {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tower::{ServiceExt as _, service_fn};

    async fn answer_of(request: Request<()>, status: Option<Status>) -> Response<()> {
        let service = CallIdLayer::default().layer(service_fn(move |asked: Request<()>| {
            let mut answer = Response::new(());
            let seen = asked.headers()[CALL_ID].clone();
            answer.headers_mut().insert("seen", seen);
            if let Some(status) = &status {
                status.add_header(answer.headers_mut()).unwrap();
            }
            async move { Ok::<_, Infallible>(answer) }
        }));
        service.oneshot(request).await.unwrap()
    }

    #[tokio::test]
    async fn the_callers_id_reaches_the_service_and_comes_back() {
        let request = Request::builder()
            .header(CALL_ID, "abc-1")
            .body(())
            .unwrap();
        let answer = answer_of(request, None).await;
        assert_eq!(answer.headers()["seen"], "abc-1");
        assert_eq!(answer.headers()[CALL_ID], "abc-1");
    }

    #[tokio::test]
    async fn a_call_without_a_plain_id_gets_one() {
        for given in ["", "a b", "x\u{e9}", &"a".repeat(MAX_BYTES + 1)] {
            let value = HeaderValue::from_bytes(given.as_bytes()).unwrap();
            let request = Request::builder().header(CALL_ID, value).body(()).unwrap();
            let answer = answer_of(request, None).await;
            let id = answer.headers()[CALL_ID].to_str().unwrap();
            assert_eq!(id.len(), 32, "`{given}` was replaced by `{id}`");
            assert_eq!(answer.headers()["seen"], id);
        }
    }

    #[test]
    fn a_failure_is_told_unless_nobody_was_known_or_nothing_was_called() {
        let told = |status: Status| {
            let mut headers = HeaderMap::new();
            status.add_header(&mut headers).unwrap();
            failure(&headers).is_some()
        };
        assert!(told(Status::internal("broken")) && told(Status::not_found("gone")));
        assert!(!told(Status::unauthenticated("wrong password")));
        assert!(!told(Status::unimplemented("no method")));
        assert!(failure(&HeaderMap::new()).is_none(), "it has not failed");
    }

    #[test]
    fn what_a_caller_wrote_is_cut_between_letters() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("\u{e9}\u{e9}\u{e9}", 2), "\u{e9}\u{e9}");
    }

    #[test]
    fn a_flood_writes_few_lines_and_says_how_many_it_left_out() {
        let mut lines = Lines::default();
        let begin = Instant::now();
        let written = (0..1_000).filter(|_| lines.take(begin).is_some()).count();
        assert_eq!(written, LINES as usize);
        assert_eq!(lines.take(begin + WINDOW), Some(1_000 - u64::from(LINES)));
        assert_eq!(lines.take(begin + WINDOW), Some(0), "it was told once");
    }

    proptest! {
        #[test]
        fn any_header_gives_an_id_that_is_short_and_plain(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                headers.insert(CALL_ID, value);
            }
            let (id, value) = id_of(&headers);
            prop_assert!((1..=MAX_BYTES).contains(&id.len()));
            prop_assert_eq!(value.to_str().unwrap(), id);
        }
    }
}
