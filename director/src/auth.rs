//! The gate in front of every gRPC method, on both ports: who calls, whether the contract admits
//! that kind of caller, and until when an answer is waited for. Invariants: a method that declares
//! no caller is refused; roles are proven by the platform's certificate alone, people by name and
//! password alone; what passes carries a [`Principal`] in its extensions. Not here: passwords
//! (`logins`), what is done (`api`).

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::Future,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use tonic::{Code, Status};
use tower::{Layer, Service};
use wharf_proto::{
    DESCRIPTORS,
    access::{AccessError, access_table},
    v1::Caller,
};
use wharf_runtime::{
    net::{PeerIdentity, PeerInfo},
    tls::{Identity, ROLE_ALLOCATOR, ROLE_DIRECTOR, ROLE_PROXY},
};

use crate::{
    answer::{coded_status, not_leading},
    codes,
    director::Director,
    logins::LoginError,
};

/// A unary call is given up after this even when the client would wait longer.
const LONGEST_CALL: Duration = Duration::from_secs(60);
/// Bytes of an authorization header at most.
const HEADER_BYTES: usize = 4 * 1024;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// A user's name, or `allocator/<id>`; what the audit log shows.
    pub name: String,
    /// The kind of caller.
    pub caller: Caller,
    /// The certificate's identity, for roles.
    pub identity: Option<Identity>,
}

#[derive(Debug, Clone)]
struct Rule {
    callers: Vec<Caller>,
    streams: bool,
}

/// What each method admits.
#[derive(Debug, Clone)]
pub struct Rules {
    methods: Arc<BTreeMap<String, Rule>>,
}

impl Rules {
    /// The rules of the contracts, with those of gRPC's own services.
    ///
    /// # Errors
    /// When the contracts inside the binary are broken.
    pub fn of_contracts() -> Result<Self, AccessError> {
        let table = access_table()?;
        let pool = prost_reflect::DescriptorPool::decode(DESCRIPTORS)?;
        let mut methods = BTreeMap::new();
        for service in pool.services() {
            for method in service.methods() {
                let path = format!("/{}/{}", service.full_name(), method.name());
                let rule = Rule {
                    // Nobody is admitted to a method that declares nobody.
                    callers: table.get(&path).cloned().unwrap_or_default(),
                    streams: method.is_server_streaming() || method.is_client_streaming(),
                };
                methods.insert(path, rule);
            }
        }
        let people = [
            Caller::DeploymentsViewer,
            Caller::DeploymentsManager,
            Caller::PlatformViewer,
            Caller::PlatformAdmin,
        ];
        let others = [
            ("/grpc.health.v1.Health/Check", vec![Caller::Anyone], false),
            ("/grpc.health.v1.Health/Watch", vec![Caller::Anyone], true),
            (
                "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                people.to_vec(),
                true,
            ),
        ];
        for (path, callers, streams) in others {
            methods.insert(path.to_owned(), Rule { callers, streams });
        }
        Ok(Self {
            methods: Arc::new(methods),
        })
    }

    /// Takes a method's declaration away, as if its contract had none.
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        if let Some(rule) = Arc::make_mut(&mut self.methods).get_mut(path) {
            rule.callers.clear();
        }
        self
    }

    fn of(&self, path: &str) -> Result<&Rule, Status> {
        let rule = self.methods.get(path).ok_or_else(|| {
            coded_status(
                Code::Unimplemented,
                codes::NO_METHOD,
                "there is no such method",
                "client and director may be of different versions",
            )
        })?;
        if rule.callers.is_empty() {
            return Err(coded_status(
                Code::PermissionDenied,
                codes::NO_CALLER,
                "the method declares nobody who may call it",
                "this is an error of the contract, report it",
            ));
        }
        Ok(rule)
    }
}

/// Puts the gate in front of services.
#[derive(Clone)]
pub struct GateLayer {
    director: Arc<Director>,
    rules: Rules,
}

impl GateLayer {
    /// A gate with these rules.
    #[must_use]
    pub fn new(director: Arc<Director>, rules: Rules) -> Self {
        Self { director, rules }
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate {
            inner,
            director: Arc::clone(&self.director),
            rules: self.rules.clone(),
        }
    }
}

/// See the module.
#[derive(Clone)]
pub struct Gate<S> {
    inner: S,
    director: Arc<Director>,
    rules: Rules,
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
        let director = Arc::clone(&self.director);
        let rules = self.rules.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let admitted = admit(&director, &rules, &head).await;
            let (principal, streams) = match admitted {
                Ok(admitted) => admitted,
                Err(status) => return Ok(status.into_http()),
            };
            let limit = deadline(&head.headers);
            let mut request = Request::from_parts(head, body);
            request.extensions_mut().insert(principal);
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
                    "retry a change with the same request id",
                )
                .into_http()),
            }
        })
    }
}

async fn admit(
    director: &Director,
    rules: &Rules,
    head: &http::request::Parts,
) -> Result<(Principal, bool), Status> {
    let rule = rules.of(head.uri.path())?;
    let admits = |caller: Caller| rule.callers.contains(&caller);
    if admits(Caller::Anyone) {
        let principal = Principal {
            name: "anyone".to_owned(),
            caller: Caller::Anyone,
            identity: None,
        };
        return Ok((principal, rule.streams));
    }
    let identity = head.extensions.get::<PeerIdentity>();
    let address = head
        .extensions
        .get::<PeerInfo>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.addr.ip());
    let principal = match identity {
        Some(PeerIdentity(identity)) => role(director, identity)?,
        None => {
            // Whoever was overthrown unnoticed must not show an old state.
            if !director.leads() || director.raft.read_index().await.is_err() {
                return Err(not_leading());
            }
            user(director, &head.headers, address).await?
        }
    };
    if admits(principal.caller) {
        return Ok((principal, rule.streams));
    }
    let callers: Vec<&str> = rule
        .callers
        .iter()
        .map(|caller| caller.as_str_name().trim_start_matches("CALLER_"))
        .collect();
    Err(coded_status(
        Code::PermissionDenied,
        codes::FORBIDDEN,
        format!("{} may not do this", principal.name),
        &format!("it is for: {}", callers.join(", ").to_lowercase()),
    ))
}

fn role(director: &Director, identity: &Identity) -> Result<Principal, Status> {
    let caller = match identity.role.as_str() {
        ROLE_ALLOCATOR => Some(Caller::Allocator),
        ROLE_PROXY => Some(Caller::Proxy),
        ROLE_DIRECTOR => Some(Caller::Director),
        _ => None,
    };
    match caller {
        Some(caller) if identity.platform == director.config.platform.platform_id => {
            Ok(Principal {
                name: format!("{}/{}", identity.role, identity.id),
                caller,
                identity: Some(identity.clone()),
            })
        }
        _ => Err(coded_status(
            Code::PermissionDenied,
            codes::FORBIDDEN,
            format!("{identity} is no role of this platform"),
            "use the certificate of a director, an allocator or a proxy",
        )),
    }
}

async fn user(
    director: &Director,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Principal, Status> {
    let hint = "give user name and password";
    let wrong =
        |message: &str| coded_status(Code::Unauthenticated, codes::UNAUTHENTICATED, message, hint);
    let header = headers
        .get(AUTHORIZATION)
        .ok_or_else(|| wrong("there are no credentials"))?;
    let (username, password) =
        basic(header.as_bytes()).ok_or_else(|| wrong("the credentials cannot be read"))?;
    let state = director.published.state();
    let checked = director
        .logins
        .verify(&state, &username, &password, address, director.now_ms())
        .await;
    match checked {
        Ok(role) => Ok(Principal {
            name: username,
            caller: role.caller(),
            identity: None,
        }),
        Err(LoginError::Wrong) => Err(wrong("user name or password is wrong")),
        Err(LoginError::Wait { ms }) => Err(coded_status(
            Code::ResourceExhausted,
            codes::TOO_MANY_GUESSES,
            "too many wrong passwords",
            &format!("wait {} s", ms.div_ceil(1000)),
        )),
        Err(LoginError::Busy) => Err(coded_status(
            Code::ResourceExhausted,
            codes::BUSY,
            "too many logins are being checked",
            "retry in a moment",
        )),
    }
}

fn basic(header: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(header)
        .ok()
        .filter(|text| text.len() <= HEADER_BYTES)?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

/// gRPC's own header: up to eight digits and a unit.
fn deadline(headers: &HeaderMap) -> Duration {
    headers
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| {
            let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
            if number.len() > 8 {
                return None;
            }
            let number: u64 = number.parse().ok()?;
            Some(match unit {
                "H" => Duration::from_secs(number * 3600),
                "M" => Duration::from_secs(number * 60),
                "S" => Duration::from_secs(number),
                "m" => Duration::from_millis(number),
                "u" => Duration::from_micros(number),
                "n" => Duration::from_nanos(number),
                _ => return None,
            })
        })
        .map_or(LONGEST_CALL, |asked| asked.min(LONGEST_CALL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_declared_methods_have_callers() {
        let rules = Rules::of_contracts().unwrap();
        let path = "/wharf.v1.Deployments/GetDeployment";
        assert!(rules.of(path).is_ok());
        let status = rules.clone().without(path).of(path).unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        let status = rules.of("/wharf.v1.Deployments/Dance").unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
    }

    #[test]
    fn credentials_are_read_as_http_writes_them() {
        let header = format!("Basic {}", STANDARD.encode("ada:a:b"));
        let read = basic(header.as_bytes()).unwrap();
        assert_eq!(read, ("ada".to_owned(), "a:b".to_owned()));
        assert!(basic(b"Bearer x").is_none());
    }

    #[test]
    fn a_deadline_is_the_clients_but_bounded() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().unwrap());
            deadline(&headers)
        };
        assert_eq!(of("250m"), Duration::from_millis(250));
        assert_eq!(of("99999999H"), LONGEST_CALL);
        assert_eq!(of("S"), LONGEST_CALL);
        assert_eq!(of("1x"), LONGEST_CALL);
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            let _ = basic(&bytes);
            if let Ok(value) = http::HeaderValue::from_bytes(&bytes) {
                let mut headers = HeaderMap::new();
                headers.insert("grpc-timeout", value);
                let _ = deadline(&headers);
            }
        }
    }
}
