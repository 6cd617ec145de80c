//! The gate in front of every method: whoever proves the deployment's credentials may do what the
//! contract opens to them.
//!
//! Invariants: a method that does not declare `CALLER_DEPLOYMENT` is refused, and so is what a browser sends for the
//! page of another site; what passes carries a [`Principal`]. Whom a call is for may stand in the header
//! `x-wharf-user`: a director puts it there for the person that it has let in. It counts with the deployment's
//! credentials alone, whose holder may write the same into the storage anyway, and proxies drop it. From where a call
//! comes is a proxy's to say, which shows its certificate, and nobody else's.
//! Not here: whether credentials are right (`credentials`), what is done (`api`).

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::request::Parts;
use http::{Extensions, HeaderMap, Request, Response};
use tonic::{Code, Status};
use tower::{Layer, Service};
use wharf_admin_ui::browser::check_origin;
use wharf_proto::access::AccessTable;
use wharf_proto::v1::Caller;
use wharf_runtime::net::{PeerIdentity, PeerInfo};
use wharf_runtime::tls::ROLE_PROXY;

use crate::codes;
use crate::credentials::{Credentials, Principal, Proof, not_the_ui};
use crate::monitor::Monitor;
use crate::status::coded_status;

/// For whom a director calls.
const ON_BEHALF: &str = "x-wharf-user";
/// Bytes of such a name.
const NAME_BYTES: usize = 128;
/// From where a request came to a proxy.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// A call is given up after this even when the client would wait longer.
const LONGEST_CALL: Duration = Duration::from_secs(120);
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const HEALTH: &str = "/grpc.health.v1.Health/";
const LOG_IN: &str = "/wharf.monitor.v1.Sessions/LogIn";

/// Whom a call is for; none when it is for the user of the credentials.
fn on_behalf(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(ON_BEHALF)?;
    let name = std::str::from_utf8(value.as_bytes()).ok()?.trim();
    let is_name = !name.is_empty() && name.len() <= NAME_BYTES && !name.contains(char::is_control);
    is_name.then(|| name.to_owned())
}

/// The address whose wrong passwords a call counts among: that of a log-in, and of whatever comes through a proxy.
/// None for others, which are the platform's own roles and what stands inside with them.
pub(crate) fn counted_at(
    path: &str,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Option<IpAddr> {
    let peer = extensions.get::<PeerInfo>().map(|peer| peer.addr.ip());
    let identity = extensions.get::<PeerIdentity>();
    if identity.is_some_and(|identity| identity.0.role == ROLE_PROXY) {
        let forwarded = headers.get(FORWARDED_FOR);
        let forwarded = forwarded.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        return forwarded.or(peer);
    }
    peer.filter(|_| path == LOG_IN)
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

    async fn admit(&self, head: &Parts) -> Result<Option<Principal>, Status> {
        check_origin(head).map_err(not_the_ui)?;
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
        let headers = &head.headers;
        let from = counted_at(path, headers, &head.extensions);
        let principal = self.credentials.principal(&self.monitor, headers, from);
        let mut principal = principal.await?;
        if let (Proof::Credentials(_), Some(name)) = (&principal.proof, on_behalf(headers)) {
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
    use http::HeaderValue;
    use proptest::prelude::*;
    use wharf_runtime::tls::{Identity, ROLE_ALLOCATOR};

    use super::*;

    fn head(path: &str, from: &str, identity: Option<&str>, forwarded: &str) -> Parts {
        let request = Request::builder()
            .uri(path)
            .header(FORWARDED_FOR, forwarded);
        let mut head = request.body(()).unwrap().into_parts().0;
        let addr = format!("{from}:4444").parse().unwrap();
        head.extensions.insert(PeerInfo {
            addr,
            local_addr: addr,
            tls: true,
            server_name: None,
            identity: None,
        });
        if let Some(role) = identity {
            let identity = Identity::new("platform", role, "id").unwrap();
            head.extensions.insert(PeerIdentity(identity));
        }
        head
    }

    #[test]
    fn a_proxy_alone_says_from_where_a_call_comes() {
        let other = "/wharf.monitor.v1.Search/Search";
        let proxy = Some(ROLE_PROXY);
        for (path, identity, forwarded, counted) in [
            (LOG_IN, None, "10.0.0.9", Some("10.0.0.1")),
            (LOG_IN, Some(ROLE_ALLOCATOR), "10.0.0.9", Some("10.0.0.1")),
            (LOG_IN, proxy, "10.0.0.9", Some("10.0.0.9")),
            (LOG_IN, proxy, "nonsense", Some("10.0.0.1")),
            (other, proxy, "10.0.0.9", Some("10.0.0.9")),
            (other, None, "10.0.0.9", None),
        ] {
            let head = head(path, "10.0.0.1", identity, forwarded);
            let counted = counted.map(|text| text.parse().unwrap());
            let found = counted_at(path, &head.headers, &head.extensions);
            assert_eq!(found, counted, "{path} {identity:?} {forwarded}");
        }
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
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", header.clone());
            headers.insert(ON_BEHALF, header);
            let _ = on_behalf(&headers);
            prop_assert!(deadline(&headers) <= LONGEST_CALL);
        }
    }
}
