//! The gate in front of every gRPC method, on both ports: who calls, whether the contract admits
//! that kind of caller, and until when an answer is waited for. Invariants: a method that declares
//! no caller is refused; roles are proven by the platform's certificate alone, people by name and
//! password, by a token or by a browser's session; what passes carries a [`Principal`] in its extensions; a stream ends when
//! its login does; who is not known costs no round of Raft. Not here: passwords (`logins`), tokens
//! (`tokens`), sessions (`browser`), what is done (`api`).

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    future::Future,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response, request::Parts};
use tonic::{Code, Status};
use tower::{Layer, Service, ServiceExt as _};
use wharf_director_core::{
    apply::session::idle_ms,
    command::{Body as CommandBody, NoteSessionUsed},
    refusal::codes as core_codes,
    state::{Role as CoreRole, State},
};
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
    browser, codes,
    credentials::{self, Credentials},
    deadline::deadline,
    director::Director,
    login_body::while_login_stands,
    logins::LoginError,
    monitoring, relay, tokens,
};

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// A user's name, or `allocator/<id>`; what the audit log shows.
    pub name: String,
    /// The kinds of caller that it is.
    pub callers: Vec<Caller>,
    /// The certificate's identity, for roles.
    pub identity: Option<Identity>,
    /// How a person was let in.
    pub login: Option<Login>,
}

/// How a person was let in; what it is worth can be asked again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub username: String,
    /// What the call may do.
    pub roles: BTreeSet<CoreRole>,
    /// Version of the user when the password was checked.
    pub user_version: u64,
    /// The token that was used instead of a password.
    pub token_id: Option<String>,
    /// The session of a browser that was used instead of a password.
    pub session_id: Option<String>,
}

impl Login {
    /// Whether it is still worth what it was.
    #[must_use]
    pub fn stands(&self, state: &State, now_ms: u64) -> bool {
        let Some(user) = state.users.get(&self.username) else {
            return false;
        };
        match (&self.token_id, &self.session_id) {
            (None, None) => !user.disabled && user.version == self.user_version,
            (Some(id), _) => state
                .tokens
                .get(id)
                .is_some_and(|token| token.roles_now(user, now_ms) == self.roles),
            (None, Some(id)) => state.sessions.get(id).is_some_and(|session| {
                session.roles_now(user, now_ms, idle_ms(state)) == self.roles
            }),
        }
    }

    fn principal(self) -> Principal {
        Principal {
            name: self.username.clone(),
            callers: self.roles.iter().map(|role| role.caller()).collect(),
            identity: None,
            login: Some(self),
        }
    }
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

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Answer {
        let inner = self.inner.clone();
        let director = Arc::clone(&self.director);
        let rules = self.rules.clone();
        Box::pin(async move {
            let (mut head, body) = request.into_parts();
            let rule = match rules.of(head.uri.path()) {
                Ok(rule) => rule,
                Err(status) => return Ok(status.into_http()),
            };
            let passed_on = match relay::unwrap(&director, &mut head) {
                Ok(passed_on) => passed_on,
                Err(status) => return Ok(status.into_http()),
            };
            // The director that a call came to first knows under which address.
            if !passed_on && let Err(status) = browser::check_origin(&head) {
                return Ok(status.into_http());
            }
            let limit = deadline(&head.headers);
            let here = |head: Parts, body: Body| {
                answer_here(
                    inner.clone(),
                    Arc::clone(&director),
                    rule,
                    limit,
                    head,
                    body,
                )
            };
            if passed_on || !relay::may_be_passed_on(&director, head.uri.path()) {
                return Ok(here(head, body).await);
            }
            Ok(if rule.streams {
                relay::stream(&director, head, body, here).await
            } else {
                relay::unary(&director, head, body, limit, here).await
            })
        })
    }
}

/// Admits a call and answers it on this director.
async fn answer_here<S>(
    inner: S,
    director: Arc<Director>,
    rule: &Rule,
    limit: Duration,
    head: Parts,
    body: Body,
) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Send,
    S::Future: Send,
{
    let principal = match admit(&director, rule, &head).await {
        Ok(principal) => principal,
        Err(status) => return status.into_http(),
    };
    let login = principal.login.clone();
    let late = monitoring::late_for(head.uri.path());
    let mut request = Request::from_parts(head, body);
    request.extensions_mut().insert(principal);
    // Nothing fails here: the type says so.
    let answer = async {
        inner
            .oneshot(request)
            .await
            .unwrap_or_else(|never| match never {})
    };
    if rule.streams {
        let answer = answer.await;
        return match login {
            Some(login) => answer.map(|body| while_login_stands(director, login, body)),
            None => answer,
        };
    }
    tokio::time::timeout(limit, answer)
        .await
        .unwrap_or_else(|_| late.into_http())
}

async fn admit(director: &Director, rule: &Rule, head: &Parts) -> Result<Principal, Status> {
    let admits = |caller: Caller| rule.callers.contains(&caller);
    if admits(Caller::Anyone) {
        let principal = Principal {
            name: "anyone".to_owned(),
            callers: vec![Caller::Anyone],
            identity: None,
            login: None,
        };
        return Ok(principal);
    }
    let identity = head.extensions.get::<PeerIdentity>();
    let address = address(&head.extensions);
    let principal = match identity {
        Some(PeerIdentity(identity)) => role(director, identity)
            .inspect_err(|status| director.refused_calls.note(identity, status, address))?,
        None => user(director, head, address).await?,
    };
    if principal.callers.iter().any(|caller| admits(*caller)) {
        return Ok(principal);
    }
    let callers: Vec<&str> = rule
        .callers
        .iter()
        .map(|caller| caller.as_str_name().trim_start_matches("CALLER_"))
        .collect();
    let status = coded_status(
        Code::PermissionDenied,
        codes::FORBIDDEN,
        format!("{} may not do this", principal.name),
        &format!("it is for: {}", callers.join(", ").to_lowercase()),
    );
    // What a person may not do is no attack; a role's certificate in other hands is.
    if let Some(identity) = &principal.identity {
        director.refused_calls.note(identity, &status, address);
    }
    Err(status)
}

fn role(director: &Director, identity: &Identity) -> Result<Principal, Status> {
    let caller = match identity.role.as_str() {
        ROLE_ALLOCATOR => Some(Caller::Allocator),
        ROLE_PROXY => Some(Caller::Proxy),
        ROLE_DIRECTOR => Some(Caller::Director),
        _ => None,
    };
    match caller {
        Some(_)
            if identity.role == ROLE_DIRECTOR
                && director
                    .published
                    .state()
                    .removed_directors
                    .contains(identity.id.as_str()) =>
        {
            Err(coded_status(
                Code::PermissionDenied,
                core_codes::DIRECTOR_REMOVED,
                format!("the director {} was removed from the platform", identity.id),
                "install it anew with a token: it gets another id",
            ))
        }
        Some(caller) if identity.platform == director.config.platform.platform_id => {
            Ok(Principal {
                name: format!("{}/{}", identity.role, identity.id),
                callers: vec![caller],
                identity: Some(identity.clone()),
                login: None,
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

/// Where a call comes from.
#[must_use]
pub fn address(extensions: &http::Extensions) -> IpAddr {
    extensions
        .get::<PeerInfo>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.addr.ip())
}

pub(crate) fn wrong(message: &str) -> Status {
    coded_status(
        Code::Unauthenticated,
        codes::UNAUTHENTICATED,
        message,
        "give user name and password, or a token; log in again in a browser",
    )
}

async fn user(director: &Director, head: &Parts, address: IpAddr) -> Result<Principal, Status> {
    if !director.leads() && !relay::reads_state(head.uri.path()) {
        return Err(not_leading());
    }
    let credentials = credentials::shown(&head.headers, director.config.platform_id.as_str())?;
    let login = check(director, &credentials, address).await?;
    // Only who is known costs the others a round: whoever was overthrown unnoticed must not show
    // an old state, nor let in whom the new leader has put out.
    if director.raft.read_index().await.is_err() {
        return Err(not_leading());
    }
    let login = if login.stands(&director.published.state(), director.now_ms()) {
        login
    } else {
        check(director, &credentials, address).await?
    };
    note_used(director, &login).await;
    Ok(login.principal())
}

/// Writes down that a session is used. Followers leave it: what they answer themselves is a small part
/// of what the admin UI asks.
async fn note_used(director: &Director, login: &Login) {
    let now_ms = director.now_ms();
    let state = director.published.state();
    let session = login
        .session_id
        .as_ref()
        .and_then(|id| state.sessions.get(id));
    let Some(session) = session.filter(|session| session.use_is_due(now_ms)) else {
        return;
    };
    if !director.leads() {
        return;
    }
    let body = CommandBody::NoteSessionUsed(NoteSessionUsed {
        id: session.id.clone(),
    });
    // The next use is written down when this one was not.
    if let Err(error) = director.proposer.own(body).await {
        tracing::debug!(%error, "the use of a session was not written down");
    }
}

async fn check(
    director: &Director,
    credentials: &Credentials,
    address: IpAddr,
) -> Result<Login, Status> {
    match credentials {
        Credentials::Password { username, password } => {
            check_password(director, username, password, address).await
        }
        Credentials::Token(text) => {
            let state = director.published.state();
            let Some((token, roles)) = tokens::find(&state, text, director.now_ms()) else {
                note_refused(director, None, address);
                return Err(wrong("the token is wrong, has expired or was taken back"));
            };
            Ok(Login {
                username: token.username.clone(),
                roles,
                user_version: 0,
                token_id: Some(token.id.clone()),
                session_id: None,
            })
        }
        Credentials::Session(cookie) => {
            let state = director.published.state();
            // Not told as a guess: browsers keep cookies of sessions that have ended.
            let (session, roles) = browser::find(&state, cookie, director.now_ms())
                .ok_or_else(|| wrong("the session has ended"))?;
            Ok(Login {
                username: session.username.clone(),
                roles,
                user_version: 0,
                token_id: None,
                session_id: Some(session.id.clone()),
            })
        }
    }
}

/// The leader tells of refused logins; what another director refuses it passes on to the leader.
fn note_refused(director: &Director, username: Option<&str>, address: IpAddr) {
    if director.leads() {
        director.refused_logins.note(username, address);
    }
}

/// Checks a password.
///
/// # Errors
/// When it is wrong, or was guessed at too often.
pub async fn check_password(
    director: &Director,
    username: &str,
    password: &str,
    address: IpAddr,
) -> Result<Login, Status> {
    let state = director.published.state();
    let checked = director
        .logins
        .verify(&state, username, password, address, director.now_ms())
        .await;
    let known = state.users.get(username).map(|user| user.username.as_str());
    match checked {
        Ok(user) => Ok(Login {
            username: user.username.clone(),
            roles: user.roles.clone(),
            user_version: user.version,
            token_id: None,
            session_id: None,
        }),
        Err(LoginError::Wrong) => {
            note_refused(director, known, address);
            Err(wrong("user name or password is wrong"))
        }
        Err(LoginError::Wait { ms }) => {
            note_refused(director, known, address);
            Err(coded_status(
                Code::ResourceExhausted,
                codes::TOO_MANY_GUESSES,
                "too many wrong passwords",
                &format!("wait {} s", ms.div_ceil(1000)),
            ))
        }
        Err(LoginError::Busy) => Err(coded_status(
            Code::ResourceExhausted,
            codes::BUSY,
            "too many logins are being checked",
            "retry in a moment",
        )),
    }
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
}
