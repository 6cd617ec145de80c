//! Calls of `wharf.monitor.v1` that people make here: passed on to the monitoring node of the deployment that the
//! header `x-wharf-deployment` names (by id, alias or name; `system` without it), and its answer passed back.
//!
//! Invariants: the gate has admitted the caller by the contract, as for every other call; nothing that proves the
//! caller leaves the director: a call goes out with the deployment's own credentials and the caller's name; a change is
//! in the audit log before it is sent and is never sent twice; calls at once, sizes and times are limited.
//! Not here: who may what (`auth`), followers (`relay`), what the methods do (the monitoring node).

mod calls;
mod links;
mod passed;
mod places;

use std::{error::Error, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::State as Shared, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response,
    header::{AUTHORIZATION, CONTENT_TYPE, TE, USER_AGENT},
};
use tokio::time::Instant;
use tonic::{Code, Status, transport::Channel};
use tower::{Service as _, ServiceExt as _};
use wharf_director_core::{
    apply::deployment::credentials_secret,
    command::{Body as Command, NoteAudit},
    reconcile::monitoring::{NoMonitoring, monitoring_node},
    refusal::{Refusal, cut},
    state::State,
};
use wharf_proto::{
    access::{AccessError, services_of},
    coded,
    v1::Caller,
};
use wharf_runtime::{call_id::CALL_ID, metrics::Counter, net::host_port, tls::TrustSlot};

pub(crate) use self::calls::{changes, is_for_monitoring};
use self::{
    calls::{FRAME_BYTES, about, action},
    links::Links,
    passed::{Ends, is_grpc, pass_back},
    places::Places,
};
use crate::{
    answer::{coded_status, internal, refused},
    api::views::View,
    auth::Principal,
    codes,
    deadline::{deadline, late},
    director::Director,
    secrets::DeploymentCredentials,
};

/// Whose monitoring node is asked.
const DEPLOYMENT: HeaderName = HeaderName::from_static("x-wharf-deployment");
/// For whom; a monitoring node takes it from whoever has the deployment's credentials.
const USER: HeaderName = HeaderName::from_static("x-wharf-user");
/// Bytes of a deployment's name that are looked at.
const NAME_BYTES: usize = 256;
/// Largest request; a monitoring node takes none over 512 KiB.
const MAX_REQUEST: usize = 1 << 20;
/// How long a message may take to come in.
const SENDING: Duration = Duration::from_secs(5);
/// Calls under way.
const CALLS: usize = 64;
/// Those of one user: a dashboard and something.
const CALLS_OF_USER: usize = 24;
/// Calls of one user that wait for their turn.
const WAITING_OF_USER: usize = 128;
const AGENT: &str = concat!("wharf-director/", env!("CARGO_PKG_VERSION"));

/// What the calls share.
pub struct MonitoringCalls {
    links: Links,
    places: Places,
    counts: Counts,
}

/// Calls since the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    /// That change nothing.
    pub(crate) reads: Counter,
    /// That change something.
    pub(crate) changes: Counter,
    /// Of both, those that no monitoring node answered.
    pub(crate) unanswered: Counter,
}

impl MonitoringCalls {
    /// None yet.
    #[must_use]
    pub fn new(platform_id: String, trust: Arc<TrustSlot>) -> Self {
        Self {
            links: Links::new(platform_id, trust),
            places: Places::new(CALLS, CALLS_OF_USER, WAITING_OF_USER),
            counts: Counts::default(),
        }
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// The services of monitoring nodes, behind the gate.
pub(crate) fn routes(director: &Arc<Director>) -> Result<Router, AccessError> {
    let mut router = Router::new();
    for service in services_of("wharf.monitor.v1")? {
        router = router.route(&format!("/{service}/{{method}}"), post(pass));
    }
    Ok(router.with_state(Arc::clone(director)))
}

/// The outcome of a change that was sent is not known: it must not be repeated unasked.
pub(crate) fn outcome_unknown() -> Status {
    coded_status(
        Code::Unknown,
        codes::OUTCOME_UNKNOWN,
        "there was no answer in time, or the connection broke, while a change was under way: its outcome is unknown",
        "look whether it is there before you repeat it",
    )
}

/// What a call ends with whose time is over: a change may have been made, and is not to be asked for again unseen.
pub(crate) fn late_for(path: &str) -> Status {
    if changes(path) {
        outcome_unknown()
    } else {
        late()
    }
}

/// Whether a call never left: there was no connection.
pub(crate) fn was_not_sent(error: &tonic::transport::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if cause.is::<tonic::ConnectError>() {
            return true;
        }
        source = cause.source();
    }
    false
}

async fn pass(Shared(director): Shared<Arc<Director>>, request: Request<Body>) -> Response<Body> {
    let counts = director.monitoring.counts();
    if changes(request.uri().path()) {
        counts.changes.inc();
    } else {
        counts.reads.inc();
    }
    let answer = answer(&director, request).await;
    answer.unwrap_or_else(|status| {
        counts.unanswered.inc();
        status.into_http()
    })
}

async fn answer(director: &Director, request: Request<Body>) -> Result<Response<Body>, Status> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let principal = head.extensions.get::<Principal>();
    let principal = principal.ok_or_else(|| internal("a request came past the gate"))?;
    let limit = deadline(&head.headers);
    let until = Instant::now() + limit;
    let asked = deployment(&head.headers);
    // Whom it is not for, and who names what is not there, hears so before anything is waited for.
    let node = Node::find(director, asked.as_deref())?;
    if node.of_system && !sees_platform(principal) {
        return Err(not_of_system(&principal.name));
    }
    let place = director.monitoring.places.take(&principal.name);
    let place = tokio::time::timeout_at(until, place).await;
    let place = place.map_err(|_| late())?.ok_or_else(too_many)?;
    // Short: who sends slowly holds a place.
    let message = axum::body::to_bytes(body, MAX_REQUEST + FRAME_BYTES);
    let message = tokio::time::timeout_at(until.min(Instant::now() + SENDING), message).await;
    let message = message.map_err(|_| late())?.map_err(|_| too_large())?;

    let node = Node::find(director, asked.as_deref())?;
    if changes(path) {
        note(director, principal, &node, path, about(path, &message)).await?;
    }
    let request = node.request(path, &head.headers, &principal.name, message, until)?;
    let sent = tokio::time::timeout_at(until, node.send(request)).await;
    let answer = match sent.unwrap_or_else(|_| Err(late_for(path))) {
        Ok(answer) => {
            let broken = if changes(path) {
                outcome_unknown()
            } else {
                node.away("its answer broke off")
            };
            let late = late_for(path);
            let ends = Ends {
                until,
                late,
                broken,
            };
            Ok(pass_back(answer, ends, place))
        }
        Err(status) => Err(status),
    };
    let failed = match &answer {
        Ok(answer) => Status::from_header_map(answer.headers()),
        Err(status) => Some(status.clone()),
    };
    if changes(path)
        && let Some(status) = failed.filter(|status| status.code() != Code::Ok)
    {
        let why = coded::decode(status.details())
            .map_or_else(|| format!("{:?}", status.code()), |info| info.code);
        let came = if why == codes::OUTCOME_UNKNOWN {
            format!("outcome unknown: {why}")
        } else {
            format!("not done: {why}")
        };
        // The first line is there; this one is for whoever wonders what came of it.
        if let Err(error) = note(director, principal, &node, path, came).await {
            tracing::warn!(%error, "what came of a change at a monitoring node is not in the audit log");
        }
    }
    answer
}

/// The deployment that a call names; none: the platform's own.
fn deployment(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(DEPLOYMENT)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    let text = text.trim();
    (!text.is_empty()).then(|| cut(text, NAME_BYTES).to_owned())
}

/// The data of `system` is that of every host and container, and its watches are the platform's own: not for
/// those who see deployments alone.
fn sees_platform(principal: &Principal) -> bool {
    let platform = [Caller::PlatformViewer, Caller::PlatformAdmin];
    platform
        .iter()
        .any(|caller| principal.callers.contains(caller))
}

fn not_of_system(name: &str) -> Status {
    coded_status(
        Code::PermissionDenied,
        codes::FORBIDDEN,
        format!("{name} may not see the data of the platform's own deployment"),
        "it is for: platform_viewer, platform_admin; name another deployment in x-wharf-deployment",
    )
}

/// Writes down that somebody changes something there.
async fn note(
    director: &Director,
    principal: &Principal,
    node: &Node,
    path: &str,
    detail: String,
) -> Result<(), Status> {
    let note = Command::NoteAudit(NoteAudit {
        action: action(path),
        subject: format!("deployment/{}", node.deployment_id),
        detail,
        place: None,
    });
    director.proposer.of(&principal.name, note).await?;
    Ok(())
}

/// The monitoring node of a deployment, and what lets the director in.
struct Node {
    deployment_id: String,
    /// The platform's own.
    of_system: bool,
    /// For people: `monitoring-0 of logs on h1 (10.0.0.1:18004)`.
    title: String,
    channel: Channel,
    authorization: HeaderValue,
}

/// Whether an instance lies there by the state.
fn lies_at(state: &State, instance_id: &str, address: &str) -> bool {
    let instance = state.instances.get(instance_id);
    let berth = instance.and_then(|instance| instance.berth.as_ref());
    berth.is_some_and(|berth| {
        let host = state.allocators.get(&berth.allocator_id);
        host.is_some_and(|host| host_port(&host.address, berth.port) == address)
    })
}

impl Node {
    /// Of the deployment with this id, alias or name; of the platform's own without one.
    fn find(director: &Director, asked: Option<&str>) -> Result<Self, Status> {
        let view = View::of(director);
        let state = &view.state;
        let record = match asked {
            Some(text) => state.find_deployment(text),
            None => state.system_deployment(),
        };
        let record = record.ok_or_else(|| {
            let text = asked.unwrap_or("system");
            refused(&Refusal::not_found("deployment", text))
        })?;
        let target = monitoring_node(state, &view.seen, record)
            .map_err(|reason| no_monitoring(&record.name, reason))?;
        let address = host_port(&target.address, target.port);
        let channel = director
            .monitoring
            .links
            .to(&target.instance_id, &address, |id, at| {
                lies_at(state, id, at)
            })
            .map_err(internal)?;

        let secret = credentials_secret(&record.id);
        let sealed = state
            .secrets
            .get(&secret)
            .ok_or_else(|| internal(format!("{secret} is missing")))?;
        let credentials = DeploymentCredentials::open(&director.key, &secret, &sealed.sealed)
            .map_err(|error| {
                coded_status(
                    Code::FailedPrecondition,
                    codes::SEALED,
                    error.to_string(),
                    "restore the platform key that sealed it",
                )
            })?;
        let pair = format!("{}:{}", credentials.username, credentials.password);
        let authorization = format!("Basic {}", STANDARD.encode(pair));
        let mut authorization = HeaderValue::from_str(&authorization).map_err(internal)?;
        authorization.set_sensitive(true);

        let instance = state.instances.get(target.instance_id.as_str());
        let name = instance.map_or(target.instance_id.as_str(), |instance| &instance.name);
        let host = instance
            .and_then(|instance| instance.berth.as_ref())
            .and_then(|berth| state.allocators.get(&berth.allocator_id))
            .map_or(target.address.as_str(), |host| &host.host);
        Ok(Self {
            title: format!("{name} of `{}` on {host} ({address})", record.name),
            deployment_id: record.id.to_string(),
            of_system: record.system_owned,
            channel,
            authorization,
        })
    }

    /// The call as it is sent: nothing of the caller's headers but its id and how the message is written.
    fn request(
        &self,
        path: &str,
        asked: &HeaderMap,
        user: &str,
        message: Bytes,
        until: Instant,
    ) -> Result<Request<tonic::body::Body>, Status> {
        let left = until.saturating_duration_since(Instant::now());
        let mut request = Request::new(tonic::body::Body::new(Body::from(message)));
        *request.method_mut() = http::Method::POST;
        *request.version_mut() = http::Version::HTTP_2;
        *request.uri_mut() = path.parse().map_err(internal)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert("grpc-timeout", timeout(left));
        if let Some(encoding) = asked.get("grpc-encoding") {
            headers.insert("grpc-encoding", encoding.clone());
        }
        if let Some(id) = asked.get(CALL_ID) {
            headers.insert(CALL_ID, id.clone());
        }
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(
            USER,
            HeaderValue::from_bytes(user.as_bytes()).map_err(internal)?,
        );
        Ok(request)
    }

    async fn send(
        &self,
        request: Request<tonic::body::Body>,
    ) -> Result<Response<tonic::body::Body>, Status> {
        let change = changes(request.uri().path());
        let mut channel = self.channel.clone();
        let lost = |error: tonic::transport::Error| {
            let cause = cause(&error);
            tracing::info!(
                node = self.title,
                cause,
                "a monitoring node does not answer"
            );
            if change && !was_not_sent(&error) {
                outcome_unknown()
            } else {
                self.away(&cause)
            }
        };
        let ready = channel.ready().await.map_err(lost)?;
        let answer = ready.call(request).await.map_err(lost)?;
        if !is_grpc(&answer) {
            return Err(self.away(&format!("it answered {} and no gRPC", answer.status())));
        }
        let refused = Status::from_header_map(answer.headers())
            .is_some_and(|status| status.code() == Code::Unauthenticated);
        if refused {
            // The caller's own log-in is good: this must not look like the end of it.
            return Err(coded_status(
                Code::Unavailable,
                codes::MONITORING_REFUSES,
                format!(
                    "the monitoring node {} does not take the deployment's credentials",
                    self.title
                ),
                "retry in a moment when the password was just reset; else reset it: `wharf deployment reset-password`",
            ));
        }
        Ok(answer)
    }

    fn away(&self, cause: &str) -> Status {
        coded_status(
            Code::Unavailable,
            codes::MONITORING_AWAY,
            format!(
                "the monitoring node {} does not answer: {cause}",
                self.title
            ),
            "`wharf deployment show` and the log of the instance say what is wrong with it; \
             check that this director reaches its host and port",
        )
    }
}

/// The last cause of an error, which says most.
fn cause(error: &tonic::transport::Error) -> String {
    let mut last: &dyn Error = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

/// At most eight digits.
fn timeout(left: Duration) -> HeaderValue {
    let ms = left.as_millis().clamp(1, 99_999_999);
    HeaderValue::from_str(&format!("{ms}m")).unwrap_or(HeaderValue::from_static("60S"))
}

fn no_monitoring(deployment: &str, reason: NoMonitoring) -> Status {
    let hint = match reason {
        NoMonitoring::Terminated => "restore it: `wharf deployment restore`",
        NoMonitoring::Absent => {
            "create it from a template that has one: `wharf template list`; its storage answers at its own address"
        }
        NoMonitoring::NotServing => "wait for the plan that runs: `wharf deployment show` shows it",
    };
    coded_status(
        Code::FailedPrecondition,
        codes::NO_MONITORING,
        format!("the deployment `{deployment}` cannot be asked: {reason}"),
        hint,
    )
}

fn too_many() -> Status {
    coded_status(
        Code::ResourceExhausted,
        codes::BUSY,
        format!("{WAITING_OF_USER} calls of yours wait already"),
        "wait for their answers before you ask for more",
    )
}

fn too_large() -> Status {
    coded_status(
        Code::InvalidArgument,
        codes::BUSY,
        format!("the request broke off or is over {MAX_REQUEST} bytes"),
        "send less at once",
    )
}

#[cfg(test)]
mod tests {
    use wharf_runtime::tls::{Authority, install_provider};

    use super::*;

    #[test]
    fn a_call_names_its_deployment_or_asks_the_systems() {
        let of = |value: Option<&[u8]>| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(DEPLOYMENT, HeaderValue::from_bytes(value).unwrap());
            }
            deployment(&headers)
        };
        assert_eq!(of(None), None);
        assert_eq!(of(Some(b" ")), None);
        assert_eq!(of(Some(b"logs")).as_deref(), Some("logs"));
        assert_eq!(of(Some("로그".as_bytes())).as_deref(), Some("로그"));
        assert_eq!(of(Some(&[b'x'; 1_000])).unwrap().len(), NAME_BYTES);
    }

    #[tokio::test]
    async fn nothing_that_proves_the_caller_leaves_the_director() {
        install_provider();
        let authority = Authority::create("p", 1_700_000_000_000).unwrap();
        let trust = TrustSlot::new(&authority.certs()).unwrap();
        let links = Links::new("p".into(), trust);
        let node = Node {
            deployment_id: "d".into(),
            of_system: false,
            title: "monitoring-0".into(),
            channel: links.to("i", "127.0.0.1:1", |_, _| true).unwrap(),
            authorization: HeaderValue::from_static("Basic b3du"),
        };
        let mut asked = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer secret"),
            ("cookie", "__Host-wharf-x=secret"),
            ("x-wharf-session", "1"),
            ("x-wharf-deployment", "logs"),
            ("x-wharf-user", "somebody else"),
            ("x-wharf-relayed", "10.0.0.1"),
            ("origin", "https://h1:12443"),
            ("grpc-encoding", "identity"),
            ("x-wharf-call-id", "abc"),
        ] {
            asked.insert(name, value.parse().unwrap());
        }
        let path = "/wharf.monitor.v1.Search/Search";
        let until = Instant::now() + Duration::from_secs(1);
        let request = node
            .request(path, &asked, "ada", Bytes::new(), until)
            .unwrap();
        let mut names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "authorization",
                "content-type",
                "grpc-encoding",
                "grpc-timeout",
                "te",
                "user-agent",
                "x-wharf-call-id",
                "x-wharf-user"
            ]
        );
        assert_eq!(request.headers()[AUTHORIZATION], "Basic b3du");
        assert_eq!(request.headers()[USER], "ada");
    }

    #[test]
    fn the_time_that_is_left_goes_with_the_call() {
        for (left, expected) in [
            (Duration::from_secs(10), "10000m"),
            (Duration::ZERO, "1m"),
            (Duration::MAX, "99999999m"),
        ] {
            assert_eq!(timeout(left), expected);
        }
    }

    #[test]
    fn a_change_of_unknown_outcome_is_not_asked_for_again() {
        let status = outcome_unknown();
        let info = coded::decode(status.details()).unwrap();
        assert!(!info.retryable, "{info:?}");
    }
}
