//! What the listener answers before, beside and after the store itself: health, copying, passing on, waiting.
//!
//! Invariants: health is answered from the first moment; a place that gave up its data passes every request on; one whose data
//! is still coming answers nothing of it. Not here: Elasticsearch's API (`http`), listening (`server`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use wharf_runtime::health_server::Health;
use wharf_store_core::error::EsError;

use crate::auth::Authenticator;
use crate::handover::{self, Entry, Place};
use crate::http::App;

/// How long a request waits for a switch that is under way.
const SWITCH_WAIT: Duration = Duration::from_secs(20);

/// What the listener serves.
pub(crate) struct Front {
    pub(crate) app: ArcSwapOption<App>,
    pub(crate) auth: Arc<Authenticator>,
    pub(crate) place: Arc<Place>,
    pub(crate) replayed: AtomicUsize,
}

impl Front {
    pub(crate) fn new(auth: Arc<Authenticator>, place: Arc<Place>) -> Arc<Self> {
        Arc::new(Self {
            app: ArcSwapOption::empty(),
            auth,
            place,
            replayed: AtomicUsize::new(0),
        })
    }

    fn health(&self) -> Response {
        let copy = self.place.report();
        let coming = copy.as_ref().is_some_and(|copy| copy.stage != "serving");
        let passes_on = self.place.gate.given_up().is_some();
        let restoring = self.place.restoring.is_unfinished();
        let serves = self.app.load().is_some() || passes_on;
        let mut told = if restoring {
            json!({"status": "restoring", "reason": "its data is being brought from its last snapshot"})
        } else if serves && !(coming && self.app.load().is_none()) {
            json!({"status": "ready", "credentials": self.auth.users_digest()})
        } else if coming {
            json!({"status": "copying", "reason": "its data is being brought from its old place"})
        } else {
            let replayed = self.replayed.load(Ordering::Relaxed);
            json!({"status": "starting", "reason": "replaying the journal", "operations": replayed})
        };
        if let Some(copy) = &copy {
            told["copy"] = serde_json::to_value(copy).unwrap_or(Value::Null);
        }
        if let Some(restore) = self.place.restoring.report() {
            told["restore"] = serde_json::to_value(restore).unwrap_or(Value::Null);
        }
        if let Some(snapshot) = self.place.snapshots.health() {
            told["snapshot"] = snapshot;
        }
        if passes_on {
            told["passes_on"] = json!(true);
        }
        let status = if told["status"] == "ready" {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        plain(status, told.to_string())
    }

    /// The store, once a switch that is under way is over.
    async fn app(&self) -> Option<Arc<App>> {
        if let Some(app) = self.app.load_full() {
            return Some(app);
        }
        let mut switching = self.place.switching.subscribe();
        let over = switching.wait_for(|switching| !switching);
        let _ = tokio::time::timeout(SWITCH_WAIT, over).await;
        self.app.load_full()
    }

    fn not_serving(&self) -> EsError {
        let unavailable = |why: String| EsError::new(503, "cluster_block_exception", why);
        if self.place.restoring.is_unfinished() {
            return unavailable(match self.place.restoring.report() {
                Some(report) if !report.reason.is_empty() => report.reason,
                _ => "STO0008: this place does not serve yet: its data is being brought from its last snapshot"
                    .into(),
            });
        }
        match self.place.report() {
            Some(copy) if copy.stage == "failed" => unavailable(copy.reason),
            Some(_) => unavailable(
                "STO0008: this place does not serve yet: its data is being brought from its old place"
                    .into(),
            ),
            None => unavailable("the store is starting: replaying its journal".into()),
        }
    }

    /// What the instance says of itself: reachable is not yet well.
    pub(crate) fn state(front: &Weak<Self>) -> Health {
        let told = |status: &str, reason: &str| Health {
            healthy: reason.is_empty(),
            details: json!({"status": status, "reason": reason}),
        };
        let Some(front) = front.upgrade() else {
            return told("stopping", "it is stopping");
        };
        match front.app.load_full() {
            _ if front.place.gate.given_up().is_some() => told("passing on", ""),
            None if front.place.restoring.is_unfinished() => told(
                "restoring",
                "its data is being brought from its last snapshot",
            ),
            None if front.place.report().is_some() => {
                told("copying", "its data is being brought from its old place")
            }
            None => {
                let replayed = front.replayed.load(Ordering::Relaxed);
                told(
                    "starting",
                    &format!("it replays its journal, {replayed} operations so far"),
                )
            }
            Some(app) if app.catalog.is_flooded() => told(
                "ready",
                "writes are refused because its disk is nearly full",
            ),
            Some(app) if app.catalog.journal.is_refused() => {
                told("ready", "its disk refuses what the journal writes")
            }
            Some(_) => match front.place.lease.check() {
                Ok(()) => told("ready", ""),
                Err(over) => told("ready", over.reason()),
            },
        }
    }
}

/// An answer in JSON.
pub(crate) fn plain(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(
        "x-elastic-product",
        HeaderValue::from_static("Elasticsearch"),
    );
    response
}

/// An error as an answer.
pub(crate) fn failed(error: &EsError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    plain(status, error.body().to_string())
}

/// Answers a request.
pub(crate) async fn handle(State(front): State<Arc<Front>>, request: Request) -> Response {
    let path = request.uri().path();
    if path == "/_wharf/health" {
        return front.health();
    }
    let place = &front.place;
    if path.starts_with("/_wharf/copy/") {
        return handover::answer(place, front.app.load_full(), request).await;
    }
    // A request that changes something waits before its body is taken in: then it can be passed on as it comes.
    let entry = if wharf_store_core::handover::changes(request.method().as_str(), path) {
        match place.gate.admit(|| place.metrics.held.inc()).await {
            Ok(entry) => entry,
            Err(error) => return failed(&error),
        }
    } else if place.gate.given_up().is_some() {
        Entry::Elsewhere
    } else {
        Entry::Here(())
    };
    if let Entry::Elsewhere = entry {
        let (parts, body) = request.into_parts();
        return match place.forwarder.load_full() {
            Some(forwarder) => forwarder.pass_on(&parts, body).await,
            None => failed(&EsError::internal("the data's new place is not known")),
        };
    }
    match front.app().await {
        Some(app) => crate::http::handle(State(app), request).await,
        None => failed(&front.not_serving()),
    }
}
