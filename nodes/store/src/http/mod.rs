//! Elasticsearch's REST API: requests are authenticated, bounded, unpacked and handed to the handler of their path.
//!
//! Invariants: every answer carries `X-Elastic-Product: Elasticsearch`; bytes of bodies in flight are bounded for the whole
//! instance (429 beyond); handlers run on blocking threads and never hold a lock over a wait; what is not supported is an error that
//! names it. Not here: what a handler does (one file a noun), listening (`server`).

mod aliases;
mod analyze;
mod bulk;
mod by_query;
mod call;
mod cat;
mod cluster;
mod contexts;
mod documents;
mod indices;
mod nodes;
mod points;
mod policies;
mod reply;
mod route;
mod scope;
mod search;
mod security;
mod snapshots;
mod streams;
mod tables;
mod templates;

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use flate2::read::MultiGzDecoder;
use http::header::{AUTHORIZATION, CONTENT_ENCODING};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wharf_store_core::error::{EsError, EsResult};

use crate::auth::Authenticator;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::handover::{Entry, Place, UnderWay};
use crate::metrics::{Kind, StoreMetrics};
pub(crate) use call::Call;
pub(crate) use contexts::Contexts;
pub(crate) use reply::Reply;

/// Unit in which bytes in flight are counted.
const UNIT: usize = 4096;
/// Requests that are worked on at a time; others wait.
const WORKERS: usize = 16;
/// Requests that wait at most.
const QUEUE: u64 = 2000;

/// A body that stalls for so long is given up: it holds room that others need.
const BODY_IDLE: Duration = Duration::from_secs(30);

fn too_large(limit: usize) -> EsError {
    EsError::new(
        413,
        "content_too_long_exception",
        format!(
            "entity content is too long for the configured buffer limit [{limit}]; split the request"
        ),
    )
}

fn unanswered(error: impl std::fmt::Display) -> EsError {
    EsError::internal(format!("the request could not be answered: {error}"))
}

/// What every handler may use.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) catalog: Catalog,
    pub(crate) auth: Arc<Authenticator>,
    pub(crate) contexts: Contexts,
    pub(crate) metrics: StoreMetrics,
    pub(crate) place: Arc<Place>,
    pub(crate) started_ms: i64,
    in_flight: Arc<Semaphore>,
    workers: Arc<Semaphore>,
    queued: AtomicU64,
    pub(crate) requests: AtomicU64,
}

/// Requests on their way.
pub(crate) struct Load {
    /// They are worked on.
    pub(crate) active: u64,
    /// They wait for a worker.
    pub(crate) queued: u64,
    /// Room that their bodies take.
    pub(crate) inflight_bytes: u64,
}

/// A body that was received.
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    /// The compressed stream ended early or is broken: `bytes` is what came before.
    pub(crate) broken: Option<String>,
    room: Vec<OwnedSemaphorePermit>,
}

impl App {
    pub(crate) fn new(
        config: Config,
        catalog: Catalog,
        auth: Arc<Authenticator>,
        metrics: StoreMetrics,
        place: Arc<Place>,
    ) -> Self {
        let units = config.inflight_bytes() / UNIT;
        let started_ms = catalog.now_ms();
        Self {
            config,
            catalog,
            auth,
            contexts: Contexts::default(),
            metrics,
            place,
            started_ms,
            in_flight: Arc::new(Semaphore::new(units)),
            workers: Arc::new(Semaphore::new(WORKERS)),
            queued: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        }
    }

    /// What waits and what is held now.
    pub(crate) fn load(&self) -> Load {
        let units = self.config.inflight_bytes() / UNIT;
        let free = self.in_flight.available_permits().min(units);
        Load {
            active: WORKERS.saturating_sub(self.workers.available_permits()) as u64,
            queued: self.queued.load(Ordering::Relaxed),
            inflight_bytes: ((units - free) * UNIT) as u64,
        }
    }

    fn room(&self, bytes: usize) -> EsResult<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(UNIT).max(1) as u32;
        Arc::clone(&self.in_flight).try_acquire_many_owned(units).map_err(|_| {
            EsError::rejected(format!(
                "rejected execution of request: more than {} bytes of requests are in flight; send smaller requests or fewer at a time",
                self.config.inflight_bytes()
            ))
        })
    }

    async fn receive(&self, headers: &HeaderMap, body: Body) -> EsResult<Received> {
        let limit = self.config.max_body_bytes();
        let length = headers
            .get(http::header::CONTENT_LENGTH)
            .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|l| l > limit) {
            return Err(too_large(limit));
        }
        let mut room = Vec::new();
        let mut bytes = Vec::new();
        let mut held = 0;
        if let Some(length) = length
            && length > 0
        {
            room.push(self.room(length)?);
            held = length;
            bytes.reserve_exact(length);
        }
        let mut body = body;
        loop {
            let frame = tokio::time::timeout(BODY_IDLE, body.frame())
                .await
                .map_err(|_| {
                    EsError::new(
                        408,
                        "timeout_exception",
                        "request body did not arrive in time",
                    )
                })?;
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|e| {
                EsError::new(
                    400,
                    "illegal_argument_exception",
                    format!("request body ended early: {e}"),
                )
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > limit {
                return Err(too_large(limit));
            }
            if bytes.len() + data.len() > held {
                let more = data.len().max(256 * 1024);
                room.push(self.room(more)?);
                held += more;
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Received {
            bytes,
            broken: None,
            room,
        })
    }

    /// Unpacks a compressed body. Blocks.
    fn unpack(&self, packed: Received, encoding: Option<&str>) -> EsResult<Received> {
        match encoding.map(str::trim) {
            None | Some("" | "identity") => Ok(packed),
            Some("gzip" | "x-gzip") => self.gunzip(packed),
            Some(other) => Err(EsError::new(
                415,
                "illegal_argument_exception",
                format!("Content-Encoding [{other}] is not supported; use gzip or none"),
            )),
        }
    }

    fn gunzip(&self, packed: Received) -> EsResult<Received> {
        let limit = self.config.max_body_bytes();
        let mut room = packed.room;
        let mut unpacked = Vec::new();
        let mut broken = None;
        let mut decoder = MultiGzDecoder::new(packed.bytes.as_slice());
        let mut chunk = vec![0u8; 64 * 1024];
        let mut held = 0;
        loop {
            match decoder.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => {
                    if unpacked.len() + n > limit {
                        return Err(too_large(limit));
                    }
                    if unpacked.len() + n > held {
                        let more = 1024 * 1024;
                        room.push(self.room(more)?);
                        held += more;
                    }
                    unpacked.extend_from_slice(&chunk[..n]);
                }
                Err(error) => {
                    broken = Some(error.to_string());
                    break;
                }
            }
        }
        Ok(Received {
            bytes: unpacked,
            broken,
            room,
        })
    }

    /// Lets a request begin that may change something, once writes are not held.
    async fn enter(&self) -> EsResult<Entry<UnderWay>> {
        let held = || self.metrics.held.inc();
        self.place.gate.enter(held).await
    }

    /// Refuses what must not be changed, or not be called changed, now.
    fn check_lease(&self, under_way: Option<&UnderWay>) -> EsResult<()> {
        if under_way.is_some() {
            self.place
                .lease
                .check()
                .inspect_err(|_| self.metrics.lease_refusals.inc())?;
        }
        Ok(())
    }

    async fn answer(self: &Arc<Self>, request: Request) -> EsResult<Answer> {
        let (parts, body) = request.into_parts();
        // A snapshot that is waited for would wait for itself as for a write.
        let changes = !snapshots::is_own(parts.uri.path())
            && wharf_store_core::handover::changes(parts.method.as_str(), parts.uri.path());
        let target = parts
            .uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let auth = parts
            .headers
            .get(AUTHORIZATION)
            .map(http::HeaderValue::as_bytes);
        let now_ms = self.catalog.now_ms();
        let principal = self
            .auth
            .check(auth, parts.uri.path(), now_ms)
            .await
            .map_err(|e| EsError::new(401, "security_exception", e.to_string()))?;
        let received = self.receive(&parts.headers, body).await?;
        let under_way = match changes {
            true => match self.enter().await? {
                Entry::Here(under_way) => Some(under_way),
                // The data went while the body came.
                Entry::Elsewhere => {
                    let forwarder = self.place.forwarder.load_full();
                    let forwarder = forwarder
                        .ok_or_else(|| EsError::internal("the data's new place is not known"))?;
                    let body = Body::from(received.bytes);
                    return Ok(Answer::PassedOn(forwarder.pass_on(&parts, body).await));
                }
            },
            false => None,
        };
        let encoding = parts
            .headers
            .get(CONTENT_ENCODING)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        if snapshots::is_own(parts.uri.path()) {
            // Whoever waits for a snapshot keeps no worker from others.
            let app = Arc::clone(self);
            let unpacked = wharf_runtime::task::spawn_blocking("store snapshot body", move || {
                app.unpack(received, encoding.as_deref())
            });
            let received = unpacked.await.map_err(unanswered)??;
            let call = Call::new(&parts.method, target, received, principal)?;
            return snapshots::answer(self, &call).await.map(Answer::Own);
        }
        if self.queued.load(Ordering::Relaxed) >= QUEUE {
            return Err(EsError::rejected(
                "rejected execution of request: the queue is full",
            ));
        }
        self.queued.fetch_add(1, Ordering::Relaxed);
        let permit = Arc::clone(&self.workers).acquire_owned().await;
        self.queued.fetch_sub(1, Ordering::Relaxed);
        let permit = permit.map_err(|_| EsError::internal("shutting down"))?;
        let app = Arc::clone(self);
        let (method, target) = (parts.method, target.to_owned());
        let work = wharf_runtime::task::spawn_blocking("store request", move || {
            let _permit = permit;
            let received = app.unpack(received, encoding.as_deref())?;
            let call = Call::new(&method, &target, received, principal)?;
            app.check_lease(under_way.as_ref())?;
            let reply = route::dispatch(&app, call)?;
            // What was done in time and became durable too late is not acknowledged.
            app.check_lease(under_way.as_ref())?;
            Ok(Answer::Own(reply))
        });
        work.await.unwrap_or_else(|error| Err(unanswered(error)))
    }
}

/// Where an answer comes from.
enum Answer {
    /// From this store.
    Own(Reply),
    /// From the place that has the data now.
    PassedOn(Response),
}

/// Answers one request.
pub(crate) async fn handle(State(app): State<Arc<App>>, request: Request) -> Response {
    app.requests.fetch_add(1, Ordering::Relaxed);
    let style = reply::Style::of(&request);
    let head = request.method() == Method::HEAD;
    let kind = Kind::of(request.method(), request.uri().path());
    let began = Instant::now();
    let reply = match app.answer(request).await {
        Ok(Answer::Own(reply)) => reply,
        Ok(Answer::PassedOn(response)) => return response,
        Err(error) => {
            if error.status() >= 500 {
                tracing::warn!(%error, "request failed");
            }
            Reply::error(&error)
        }
    };
    let mut response = reply.into_response(&style);
    app.metrics
        .answered(kind, response.status(), began.elapsed());
    if response.status() == StatusCode::UNAUTHORIZED {
        let basic = http::HeaderValue::from_static("Basic realm=\"security\", charset=\"UTF-8\"");
        response
            .headers_mut()
            .insert(http::header::WWW_AUTHENTICATE, basic);
        let key = http::HeaderValue::from_static("ApiKey");
        response
            .headers_mut()
            .append(http::header::WWW_AUTHENTICATE, key);
    }
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}
