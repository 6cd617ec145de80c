//! The gate in front of every method: whoever proves the deployment's credentials may do what the
//! contract opens to them.
//!
//! Invariants: a method that does not declare `CALLER_DEPLOYMENT` is refused; credentials are judged
//! by the storage alone, a good verdict holds for [`KEPT`], kept as a salted hash and compared in
//! constant time; a bad one is not kept, and only [`VERDICTS_AT_ONCE`] are asked for at a time;
//! what passes carries a [`Principal`]. Whom a call is for may stand in the header `x-wharf-user`: a director puts it
//! there for the person that it has let in. It counts with the deployment's credentials alone, whose holder may write
//! the same into the storage anyway, and proxies drop it.
//! Not here: what is done (`api`).

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use base64::Engine as _;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tonic::{Code, Status};
use tower::{Layer, Service};
use wharf_proto::access::AccessTable;
use wharf_proto::v1::Caller;
use wharf_runtime::tls::constant_time_eq;

use crate::codes;
use crate::monitor::Monitor;
use crate::status::{coded_status, of_storage};

/// How long a good verdict holds.
const KEPT: Duration = Duration::from_secs(60);
/// Verdicts that are kept.
const MOST_KEPT: usize = 64;
/// Verdicts that the storage is asked for at a time.
const VERDICTS_AT_ONCE: usize = 4;
const HEADER_BYTES: usize = 4 * 1024;
/// For whom a director calls.
const ON_BEHALF: &str = "x-wharf-user";
/// Bytes of such a name.
const NAME_BYTES: usize = 128;
/// A call is given up after this even when the client would wait longer.
const LONGEST_CALL: Duration = Duration::from_secs(120);
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// The user's name.
    pub(crate) name: String,
}

struct Verdict {
    hash: [u8; 32],
    until: Instant,
}

/// What is known of credentials.
pub(crate) struct Credentials {
    salt: [u8; 32],
    kept: Mutex<Vec<Verdict>>,
    room: Semaphore,
}

impl Credentials {
    pub(crate) fn new() -> Self {
        Self {
            salt: wharf_runtime::random::bytes(),
            kept: Mutex::default(),
            room: Semaphore::new(VERDICTS_AT_ONCE),
        }
    }

    fn hash(&self, header: &HeaderValue) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update(header.as_bytes());
        hash.finalize().into()
    }

    fn is_known(&self, hash: &[u8; 32]) -> bool {
        let now = Instant::now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|verdict| verdict.until > now);
        // All are compared: the time tells nothing of which one it is.
        let mut is_known = false;
        for verdict in kept.iter() {
            is_known |= constant_time_eq(&verdict.hash, hash);
        }
        is_known
    }

    fn keep(&self, hash: [u8; 32]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        let until = Instant::now() + KEPT;
        kept.push(Verdict { hash, until });
    }

    /// Whoever these headers prove.
    pub(crate) async fn principal(
        &self,
        monitor: &Monitor,
        headers: &HeaderMap,
    ) -> Result<Principal, Status> {
        let wrong = || {
            coded_status(
                Code::Unauthenticated,
                codes::UNAUTHENTICATED,
                "no credentials, or not those of the deployment",
                "give user and password of the deployment; `wharf deployment credentials` shows them",
            )
        };
        let header = headers.get(AUTHORIZATION).ok_or_else(wrong)?;
        let name = user(header).ok_or_else(wrong)?;
        let hash = self.hash(header);
        if !self.is_known(&hash) {
            let place = self.room.acquire().await.map_err(|_| wrong())?;
            let verdict = monitor.storage.verify(header).await;
            drop(place);
            if !verdict.map_err(|error| of_storage(&error))? {
                return Err(wrong());
            }
            self.keep(hash);
        }
        Ok(Principal { name })
    }
}

/// Whom a call is for; none when it is for the user of the credentials.
fn on_behalf(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(ON_BEHALF)?;
    let name = std::str::from_utf8(value.as_bytes()).ok()?.trim();
    let is_name = !name.is_empty() && name.len() <= NAME_BYTES && !name.contains(char::is_control);
    is_name.then(|| name.to_owned())
}

/// The user's name of a basic header.
fn user(header: &HeaderValue) -> Option<String> {
    if header.len() > HEADER_BYTES {
        return None;
    }
    let pair = header.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = base64::engine::general_purpose::STANDARD
        .decode(pair)
        .ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (name, _) = pair.split_once(':')?;
    (!name.is_empty()).then(|| name.to_owned())
}

/// Puts the gate in front of services.
#[derive(Clone)]
pub(crate) struct GateLayer {
    monitor: Arc<Monitor>,
    credentials: Arc<Credentials>,
    rules: Arc<AccessTable>,
}

impl GateLayer {
    pub(crate) fn new(
        monitor: Arc<Monitor>,
        credentials: Arc<Credentials>,
        rules: AccessTable,
    ) -> Self {
        Self {
            monitor,
            credentials,
            rules: Arc::new(rules),
        }
    }

    async fn admit(&self, head: &http::request::Parts) -> Result<Option<Principal>, Status> {
        let path = head.uri.path();
        if path.starts_with(HEALTH) {
            return Ok(None);
        }
        let callers = self.rules.get(path);
        let is_ours = path.starts_with("/wharf.monitor.v1.");
        if path != REFLECTION {
            let callers = callers.filter(|_| is_ours).ok_or_else(|| {
                coded_status(
                    Code::Unimplemented,
                    codes::NO_METHOD,
                    "there is no such method",
                    "client and monitoring node may be of different versions",
                )
            })?;
            if !callers.contains(&Caller::Deployment) {
                return Err(coded_status(
                    Code::PermissionDenied,
                    codes::FORBIDDEN,
                    "the method is not for the credentials of a deployment",
                    "use the director's API",
                ));
            }
        }
        let principal = self.credentials.principal(&self.monitor, &head.headers);
        let mut principal = principal.await?;
        if let Some(name) = on_behalf(&head.headers) {
            principal.name = name;
        }
        if is_ours && !self.monitor.is_loaded() {
            let trouble = self.monitor.trouble();
            return Err(coded_status(
                Code::Unavailable,
                codes::STARTING,
                format!("the monitoring node has not read the storage yet: {trouble}"),
                "try again in a moment; see to the storage node if it stays so",
            ));
        }
        Ok(Some(principal))
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        let layer = self.clone();
        Gate { inner, layer }
    }
}

/// See the module.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    inner: S,
    layer: GateLayer,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S, B> Service<Request<B>> for Gate<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let layer = self.layer.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let principal = match layer.admit(&head).await {
                Ok(principal) => principal,
                Err(status) => return Ok(status.into_http()),
            };
            let (limit, streams) = (deadline(&head.headers), head.uri.path() == REFLECTION);
            let mut request = Request::from_parts(head, body);
            if let Some(principal) = principal {
                request.extensions_mut().insert(principal);
            }
            let answer = inner.call(request);
            if streams {
                return answer.await;
            }
            match tokio::time::timeout(limit, answer).await {
                Ok(answer) => answer,
                Err(_) => Ok(coded_status(
                    Code::DeadlineExceeded,
                    codes::DEADLINE,
                    "the deadline passed before there was an answer",
                    "ask for less, or allow more time",
                )
                .into_http()),
            }
        })
    }
}

/// `grpc-timeout`: up to eight digits and a unit.
fn deadline(headers: &HeaderMap) -> Duration {
    let asked = headers
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            let number: u64 = number.parse().ok().filter(|_| number.len() <= 8)?;
            Some(match unit {
                "H" => Duration::from_secs(number * 3600),
                "M" => Duration::from_secs(number * 60),
                "S" => Duration::from_secs(number),
                "m" => Duration::from_millis(number),
                "u" => Duration::from_micros(number),
                "n" => Duration::from_nanos(number),
                _ => return None,
            })
        });
    asked.map_or(LONGEST_CALL, |asked| asked.min(LONGEST_CALL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_good_verdict_is_known_again_and_nothing_else_is() {
        let credentials = Credentials::new();
        let header = HeaderValue::from_static("Basic ZWxhc3RpYzp4");
        let hash = credentials.hash(&header);
        assert!(!credentials.is_known(&hash));
        credentials.keep(hash);
        assert!(credentials.is_known(&hash));
        assert_eq!(user(&header).as_deref(), Some("elastic"));
        let other = HeaderValue::from_static("Basic ZWxhc3RpYzp5");
        assert!(!credentials.is_known(&credentials.hash(&other)));
    }

    #[test]
    fn a_call_is_for_whom_the_header_names() {
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(ON_BEHALF, HeaderValue::from_bytes(value).expect("a value"));
            on_behalf(&headers)
        };
        assert_eq!(of(b"ada").as_deref(), Some("ada"));
        for wrong in [&b" "[..], b"\xff", &[b'a'; NAME_BYTES + 1]] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
        assert_eq!(on_behalf(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(text in "[ -~]{0,40}") {
            let header = HeaderValue::from_str(&text).expect("visible letters");
            let _ = user(&header);
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", header.clone());
            headers.insert(ON_BEHALF, header);
            let _ = on_behalf(&headers);
            prop_assert!(deadline(&headers) <= LONGEST_CALL);
        }
    }
}
