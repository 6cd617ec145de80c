//! One request on its way: found a deployment, given an instance, sent, tried once more when that
//! is safe, its answer streamed back, its end counted and logged.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Request, Response, StatusCode, Version,
    body::{Body as _, Incoming},
    header::{self, HeaderValue},
};
use hyper_util::rt::TokioIo;
use wharf_proxy_core::{Choice, NameError, Target, headers, requested_cluster, retry::may_retry};
use wharf_runtime::{clock, net::PeerInfo, random, task};

use crate::{
    access_log::{AccessLog, Entry},
    answer::{self, Counted, NO_ANSWER, NO_INSTANCE, NO_NAME, Passing, Refusal, TOO_LATE, UNKNOWN},
    routes::Routes,
    traffic::{InstanceState, Traffic},
    upstream::{Body, Failed, Upstream},
};

/// Time until the head of an answer. Long, because searches and snapshots may take minutes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// What a request needs on its way.
#[derive(Debug)]
pub(crate) struct Forwarder {
    /// The table.
    pub routes: Arc<Routes>,
    /// Connections to instances.
    pub upstream: Arc<Upstream>,
    /// Counts.
    pub traffic: Arc<Traffic>,
    /// Lines.
    pub access_log: AccessLog,
    /// This host's zone.
    pub zone: String,
}

impl Forwarder {
    /// Answers a request.
    pub(crate) async fn handle(
        self: Arc<Self>,
        peer: PeerInfo,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let host = host_of(&request);
        if request.uri().path() == "/_health" && self.is_for_the_proxy(&request, host.as_deref()) {
            return self.health();
        }
        let mut ending = Ending::new(&self, &peer, &request, host.as_deref());
        let response = self
            .route(&peer, request, host.as_deref(), &mut ending)
            .await;
        ending.answered(response)
    }

    /// A request that names no deployment, by address or as `localhost`.
    fn is_for_the_proxy(&self, request: &Request<Incoming>, host: Option<&str>) -> bool {
        let named = found_cluster(request.headers());
        named.is_none()
            && matches!(
                requested_cluster(host, None, self.routes.table().domain()),
                Err(NameError::Missing { .. })
            )
    }

    fn health(&self) -> Response<Body> {
        let table = self.routes.table();
        let updated_ms = self.routes.updated_ms();
        let valid = updated_ms > 0;
        let body = serde_json::json!({
            "ok": valid,
            "connected": self.routes.is_connected(),
            "table": {
                "generation": table.generation(),
                "age_ms": if valid { (clock::now_ms() - updated_ms).max(0) } else { -1 },
                "routes": table.routes().len(),
            },
        });
        let mut response = Response::new(answer::full(body.to_string()));
        if !valid {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        response
    }

    async fn route(
        self: &Arc<Self>,
        peer: &PeerInfo,
        mut request: Request<Incoming>,
        host: Option<&str>,
        ending: &mut Ending,
    ) -> Result<Response<Incoming>, (Refusal, String)> {
        let table = self.routes.table();
        let named = found_cluster(request.headers());
        let cluster = requested_cluster(host, named.as_deref(), table.domain())
            .map_err(|error| (NO_NAME, error.to_string()))?;
        let choice = table.find(&cluster).ok_or_else(|| {
            (
                UNKNOWN,
                format!(
                    "no cluster is called `{}`; `wharf deployment list` shows the aliases",
                    cluster.name
                ),
            )
        })?;
        ending.deployment(&choice);
        let bodiless = request.body().is_end_stream();
        let upgrade = upgrade_of(&request);
        if upgrade.is_some() {
            ending.client_half = Some(hyper::upgrade::on(&mut request));
        }
        let request = prepared(request, peer, host, upgrade.as_ref(), &ending.request_bytes);
        self.send(&choice, request, bodiless, upgrade.is_some(), ending)
            .await
    }

    async fn send(
        self: &Arc<Self>,
        choice: &Choice,
        request: Request<Body>,
        bodiless: bool,
        upgrade: bool,
        ending: &mut Ending,
    ) -> Result<Response<Incoming>, (Refusal, String)> {
        let head = bodiless.then(|| copy_head(&request));
        let method = request.method().clone();
        let grpc = request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
        let mut request = Some(request);
        let mut tried: Vec<String> = Vec::new();
        for attempt in 1.. {
            let names: Vec<&str> = tried.iter().map(String::as_str).collect();
            let target = self.pick(choice, &names).or_else(|| {
                // One instance alone is tried again over a fresh connection.
                (attempt > 1).then(|| self.pick(choice, &[])).flatten()
            });
            let Some(target) = target else {
                let reason = format!(
                    "the cluster `{}` has no healthy instance; `wharf deployment show {}` says why",
                    choice.deployment_name, choice.deployment_id
                );
                return Err((NO_INSTANCE, reason));
            };
            let Some(sending) = request.take() else { break };
            let state = self.traffic.instance(&target.instance_id);
            ending.instance(&target, &state);
            let sent_at = Instant::now();
            let sent = tokio::time::timeout(ANSWER_TIMEOUT, async {
                if upgrade {
                    self.upstream.send_upgrade(&target, sending).await
                } else if grpc {
                    self.upstream.send_grpc(&target, sending).await
                } else {
                    self.upstream.send(&target, sending, attempt > 1).await
                }
            })
            .await;
            ending.entry.upstream_us = micros(sent_at);
            match sent {
                Ok(Ok(response)) => {
                    state.succeeded();
                    return Ok(response);
                }
                Err(_) => {
                    return Err((
                        TOO_LATE,
                        format!(
                            "the instance gave no answer within {} s",
                            ANSWER_TIMEOUT.as_secs()
                        ),
                    ));
                }
                Ok(Err(failure)) => {
                    let Failed {
                        error,
                        progress,
                        request: back,
                    } = *failure;
                    state.failed(now_ms());
                    let whole = back.or_else(|| head.as_ref().map(copy_head));
                    if !may_retry(method.as_str(), progress, attempt, whole.is_some()) {
                        return Err((NO_ANSWER, format!("the instance did not answer: {error}")));
                    }
                    tracing::debug!(instance = target.instance_id, %error, "trying once more");
                    tried.push(target.instance_id);
                    request = whole;
                }
            }
        }
        Err((NO_ANSWER, "the instance did not answer".to_owned()))
    }

    fn pick(&self, choice: &Choice, tried: &[&str]) -> Option<Target> {
        let now_ms = now_ms();
        choice
            .pick(
                &self.zone,
                tried,
                |id| self.traffic.instance(id).is_out(now_ms),
                |id| self.traffic.instance(id).busy.load(Ordering::Relaxed),
                random::next_u64(),
            )
            .cloned()
    }
}

fn now_ms() -> u64 {
    u64::try_from(clock::now_ms()).unwrap_or(0)
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn found_cluster(headers: &HeaderMap) -> Option<String> {
    headers
        .get("x-found-cluster")
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn host_of<B>(request: &Request<B>) -> Option<String> {
    let header = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    request
        .uri()
        .authority()
        .map(ToString::to_string)
        .or_else(|| header.map(str::to_owned))
}

/// What an upgrade asks for.
struct Upgrade {
    protocol: HeaderValue,
}

fn upgrade_of(request: &Request<Incoming>) -> Option<Upgrade> {
    let headers = request.headers();
    let asked = headers
        .get(header::CONNECTION)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            headers::connection_names(value)
                .iter()
                .any(|name| name == "upgrade")
        });
    let protocol = headers.get(header::UPGRADE)?.clone();
    (asked && request.version() == Version::HTTP_11).then_some(Upgrade { protocol })
}

/// The request as the instance gets it.
fn prepared(
    request: Request<Incoming>,
    peer: &PeerInfo,
    host: Option<&str>,
    upgrade: Option<&Upgrade>,
    request_bytes: &Arc<AtomicU64>,
) -> Request<Body> {
    let named: Vec<String> = request
        .headers()
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(headers::connection_names)
        .collect();
    // gRPC says so with `te: trailers`, which is the one value that may pass.
    let trailers = request
        .headers()
        .get(header::TE)
        .is_some_and(|te| te == "trailers");
    let (mut parts, body) = request.into_parts();
    let mut kept = HeaderMap::with_capacity(parts.headers.len() + 4);
    for (name, value) in &parts.headers {
        if headers::passes(name.as_str(), &named) {
            kept.append(name.clone(), value.clone());
        }
    }
    if let Some(host) = host.and_then(|host| HeaderValue::from_str(host).ok()) {
        kept.insert("x-forwarded-host", host.clone());
        kept.insert(header::HOST, host);
    }
    if let Ok(ip) = HeaderValue::from_str(&peer.addr.ip().to_string()) {
        kept.insert("x-forwarded-for", ip);
    }
    let scheme = if peer.tls { "https" } else { "http" };
    kept.insert("x-forwarded-proto", HeaderValue::from_static(scheme));
    if trailers {
        kept.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if let Some(upgrade) = upgrade {
        kept.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        kept.insert(header::UPGRADE, upgrade.protocol.clone());
    }
    parts.headers = kept;
    let grpc = parts
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    if grpc {
        parts.version = Version::HTTP_2;
        let authority = host.unwrap_or("localhost");
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        if let Ok(uri) = format!("https://{authority}{path}").parse() {
            parts.uri = uri;
        }
    } else {
        parts.version = Version::HTTP_11;
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        if let Ok(uri) = path.parse() {
            parts.uri = uri;
        }
    }
    let counted = Counted::new(body, RequestBytes(Arc::clone(request_bytes)));
    Request::from_parts(parts, counted.boxed_unsync())
}

struct RequestBytes(Arc<AtomicU64>);

impl Passing for RequestBytes {
    fn passed(&mut self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
    fn ended(&mut self) {}
}

/// A request without a body, to be sent once more.
fn copy_head(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(answer::empty());
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    *copy.version_mut() = request.version();
    request.headers().clone_into(copy.headers_mut());
    copy.extensions_mut().extend(request.extensions().clone());
    copy
}

/// Joins both halves of a connection whose protocol changed.
fn tunnel(client: hyper::upgrade::OnUpgrade, instance: hyper::upgrade::OnUpgrade, ending: Ending) {
    task::spawn("tunnel", async move {
        let mut ending = ending;
        match tokio::try_join!(client, instance) {
            Ok((client, instance)) => {
                let (mut client, mut instance) = (TokioIo::new(client), TokioIo::new(instance));
                match tokio::io::copy_bidirectional(&mut client, &mut instance).await {
                    Ok((_, down)) => {
                        ending.passed(down);
                        ending.ended();
                    }
                    Err(error) => tracing::debug!(%error, "a tunnel broke"),
                }
            }
            Err(error) => tracing::debug!(%error, "a connection did not change its protocol"),
        }
    });
}

/// Status of a request whose client left before there was an answer, as nginx has it.
const CLIENT_LEFT: u16 = 499;

/// One request's account, settled once when this is dropped: complete, broken off, or left by its
/// client before there was an answer.
struct Ending {
    forwarder: Arc<Forwarder>,
    entry: Entry,
    started: Instant,
    request_bytes: Arc<AtomicU64>,
    instance: Option<Arc<InstanceState>>,
    silent: bool,
    client_half: Option<hyper::upgrade::OnUpgrade>,
    complete: bool,
    bytes: u64,
}

impl Ending {
    fn new(
        forwarder: &Arc<Forwarder>,
        peer: &PeerInfo,
        request: &Request<Incoming>,
        host: Option<&str>,
    ) -> Self {
        forwarder.traffic.requests.fetch_add(1, Ordering::Relaxed);
        forwarder.traffic.open.fetch_add(1, Ordering::Relaxed);
        let agent = request
            .headers()
            .get(header::USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        let silent = headers::is_own(agent);
        if silent {
            forwarder
                .traffic
                .collector_requests
                .fetch_add(1, Ordering::Relaxed);
        }
        Self {
            forwarder: Arc::clone(forwarder),
            entry: Entry {
                at_ms: clock::now_ms(),
                method: request.method().to_string(),
                path: request.uri().path().to_owned(),
                version: if request.version() == Version::HTTP_2 {
                    "2"
                } else {
                    "1.1"
                },
                source_ip: peer.addr.ip().to_string(),
                host: host.unwrap_or_default().to_owned(),
                user_agent: agent.unwrap_or_default().to_owned(),
                status: CLIENT_LEFT,
                ..Entry::default()
            },
            started: Instant::now(),
            request_bytes: Arc::default(),
            instance: None,
            silent,
            client_half: None,
            complete: false,
            bytes: 0,
        }
    }

    fn deployment(&mut self, choice: &Choice) {
        self.entry.deployment_id.clone_from(&choice.deployment_id);
        self.entry
            .deployment_name
            .clone_from(&choice.deployment_name);
        self.entry.resource_id.clone_from(&choice.resource_id);
        self.entry.resource_kind.clone_from(&choice.resource_kind);
    }

    fn instance(&mut self, target: &Target, state: &Arc<InstanceState>) {
        if let Some(before) = self.instance.replace(Arc::clone(state)) {
            before.busy.fetch_sub(1, Ordering::Relaxed);
        }
        state.busy.fetch_add(1, Ordering::Relaxed);
        self.entry.instance_id.clone_from(&target.instance_id);
    }

    /// The answer to the client, which ends the request when it has been sent.
    fn answered(
        mut self,
        outcome: Result<Response<Incoming>, (Refusal, String)>,
    ) -> Response<Body> {
        match outcome {
            Err((refusal, reason)) => {
                self.entry.status = refusal.status.as_u16();
                self.entry.code = refusal.code;
                let response = refusal.response(&reason);
                self.passed(response.body().size_hint().lower());
                self.ended();
                response
            }
            Ok(mut response) => {
                self.entry.status = response.status().as_u16();
                let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
                let instance_half = upgraded.then(|| hyper::upgrade::on(&mut response));
                let client_half = self.client_half.take();
                let (mut parts, body) = response.into_parts();
                let named: Vec<String> = parts
                    .headers
                    .get_all(header::CONNECTION)
                    .iter()
                    .filter_map(|value| value.to_str().ok())
                    .flat_map(headers::connection_names)
                    .collect();
                let mut kept = HeaderMap::with_capacity(parts.headers.len());
                for (name, value) in &parts.headers {
                    let passes = headers::answer_passes(name.as_str(), &named);
                    if passes || upgraded && (name == header::UPGRADE || name == header::CONNECTION)
                    {
                        kept.append(name.clone(), value.clone());
                    }
                }
                parts.headers = kept;
                parts.version = Version::HTTP_11;
                parts.extensions.clear();
                if let (Some(client), Some(instance)) = (client_half, instance_half) {
                    tunnel(client, instance, self);
                    return Response::from_parts(parts, answer::empty());
                }
                Response::from_parts(parts, Counted::new(body, self).boxed_unsync())
            }
        }
    }
}

impl Passing for Ending {
    fn passed(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    fn ended(&mut self) {
        self.complete = true;
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let traffic = &self.forwarder.traffic;
        traffic.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(state) = &self.instance {
            state.busy.fetch_sub(1, Ordering::Relaxed);
        }
        self.entry.took_us = micros(self.started);
        self.entry.request_bytes = self.request_bytes.load(Ordering::Relaxed);
        self.entry.response_bytes = self.bytes;
        self.entry.aborted = !self.complete;
        if self.entry.status >= 500 {
            traffic.errors.fetch_add(1, Ordering::Relaxed);
        }
        if !self.entry.deployment_id.is_empty() {
            traffic
                .deployment(&self.entry.deployment_id)
                .record(self.entry.status, self.entry.took_us);
        }
        if !self.silent {
            self.forwarder.access_log.write(&self.entry);
        }
    }
}
