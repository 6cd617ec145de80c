//! `/_wharf/copy/*`: what the place that copies this one's data asks.
//!
//! Invariants: only the very same instance is answered, by its certificate; everybody else gets one and the same refusal,
//! whatever is asked and whatever goes on here; that the data went is durable before it is answered. Not here: when
//! what is allowed (core `handover::source`).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wharf_runtime::net::{PeerIdentity, split_host_port};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::handover::files::File;
use wharf_store_core::handover::source::{NotNow, Surrender};

use super::durable;
use super::place::Place;
use crate::front::{failed, plain};
use crate::http::App;
use crate::maintenance_task;

/// No request has a larger body.
const MAX_BODY: usize = 4096;
/// Time for a request's body.
const BODY_TIME: Duration = Duration::from_secs(5);
/// Below this prefix everything is answered here.
pub(super) const PREFIX: &str = "/_wharf/copy/";

/// Every file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Listing {
    pub(super) files: Vec<File>,
}

/// Writes are held.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) attempt: String,
    pub(super) files: Vec<File>,
}

/// An attempt that is given up.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Released {
    pub(super) attempt: String,
}

/// Everything of an attempt is at the target.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TakenOver {
    pub(super) attempt: String,
    /// `HOST:PORT` of the target, which requests are passed on to.
    pub(super) address: String,
}

/// A piece of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) path: String,
    pub(super) from: u64,
    pub(super) to: u64,
}

fn conflict(why: impl Into<String>) -> EsError {
    EsError::new(409, "illegal_state_exception", why)
}

fn not_now(why: &NotNow) -> EsError {
    conflict(why.to_string())
}

fn broken(what: &str, error: &dyn std::fmt::Display) -> EsError {
    EsError::internal(format!("{what}: {error}"))
}

/// Whether the request comes from the instance itself at another place.
fn admitted(place: &Place, request: &Request) -> bool {
    let peer = request.extensions().get::<PeerIdentity>();
    let (Some(own), Some(peer)) = (&place.own, peer) else {
        return false;
    };
    own.identity == peer.0
}

/// Answers a request below `/_wharf/copy/`.
pub(crate) async fn answer(
    place: &Arc<Place>,
    app: Option<Arc<App>>,
    request: Request,
) -> Response {
    if !admitted(place, &request) {
        return failed(&EsError::new(
            403,
            "security_exception",
            "STO0002: data is copied by this very instance at its new place only",
        ));
    }
    let outcome = match (request.method(), request.uri().path().strip_prefix(PREFIX)) {
        (&Method::GET, Some("files")) => files(place).await.map(|files| json(&Listing { files })),
        (&Method::POST, Some("piece")) => piece(place, request).await,
        (&Method::POST, Some("quiet")) => quiet(place, app).await,
        (&Method::POST, Some("hold")) => hold(place, app).await,
        (&Method::POST, Some("release")) => release(place, request).await,
        (&Method::POST, Some("handed_over")) => handed_over(place, request).await,
        _ => Err(EsError::new(
            404,
            "illegal_argument_exception",
            "no such step of a copy",
        )),
    };
    outcome.unwrap_or_else(|error| failed(&error))
}

fn json<T: Serialize>(value: &T) -> Response {
    let text = serde_json::to_string(value).unwrap_or_default();
    plain(StatusCode::OK, text)
}

async fn body<T: DeserializeOwned>(request: Request) -> EsResult<T> {
    let wrong = |why: String| EsError::new(400, "illegal_argument_exception", why);
    let collected = Limited::new(request.into_body(), MAX_BODY).collect();
    let bytes = tokio::time::timeout(BODY_TIME, collected)
        .await
        .map_err(|_| wrong("the body did not arrive in time".into()))?
        .map_err(|error| wrong(error.to_string()))?
        .to_bytes();
    serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))
}

async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> EsResult<T> + Send + 'static,
) -> EsResult<T> {
    wharf_runtime::task::spawn_blocking(what, work)
        .await
        .unwrap_or_else(|error| Err(broken(what, &error)))
}

async fn files(place: &Arc<Place>) -> EsResult<Vec<File>> {
    if place.gate.given_up().is_some() {
        return Err(not_now(&NotNow::GivenUp));
    }
    let place = Arc::clone(place);
    blocking("store copy listing", move || {
        let files = place
            .inventory
            .list()
            .map_err(|e| broken("cannot list files", &e))?;
        Ok(files.into_values().collect())
    })
    .await
}

async fn piece(place: &Arc<Place>, request: Request) -> EsResult<Response> {
    let wanted: Piece = body(request).await?;
    let place = Arc::clone(place);
    let bytes = blocking("store copy piece", move || {
        let read = place.inventory.read(&wanted.path, wanted.from, wanted.to);
        read.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => EsError::resource_not_found("no such file any more"),
            _ => broken("cannot read a file", &error),
        })
    })
    .await?;
    Ok(Response::new(Body::from(bytes)))
}

fn open(app: Option<Arc<App>>) -> EsResult<Arc<App>> {
    app.ok_or_else(|| EsError::new(503, "cluster_block_exception", "the store is starting"))
}

/// Keeps files still and brings fresh rows to them, so that little is left to replay.
async fn quiet(place: &Arc<Place>, app: Option<Arc<App>>) -> EsResult<Response> {
    let app = open(app)?;
    place.gate.quiet().await.map_err(|why| not_now(&why))?;
    let sealing = Arc::clone(&app);
    blocking("store copy seal", move || {
        for index in sealing.catalog.indices() {
            index
                .shard
                .seal()
                .map_err(|e| broken("cannot seal fresh rows", &e))?;
        }
        Ok(())
    })
    .await?;
    maintenance_task::trim(&app).await;
    Ok(json(&serde_json::json!({})))
}

async fn hold(place: &Arc<Place>, app: Option<Arc<App>>) -> EsResult<Response> {
    let app = open(app)?;
    place.gate.hold().await.map_err(|why| not_now(&why))?;
    // What was answered is durable; what was refused must not become so later.
    let journal = &app.catalog.journal;
    match journal.barrier() {
        Ok(ticket) => ticket.await.map(|_| ()),
        Err(error) => Err(error),
    }
    .map_err(|error| broken("the journal takes nothing", &error))?;
    let attempt = wharf_runtime::random::new_id();
    place.gate.drained(&attempt).map_err(|why| not_now(&why))?;
    match files(place).await {
        Ok(files) => Ok(json(&Held { attempt, files })),
        Err(error) => {
            place.gate.release(&attempt);
            Err(error)
        }
    }
}

async fn release(place: &Place, request: Request) -> EsResult<Response> {
    let told: Released = body(request).await?;
    place.gate.release(&told.attempt);
    Ok(json(&serde_json::json!({})))
}

async fn handed_over(place: &Arc<Place>, request: Request) -> EsResult<Response> {
    let told: TakenOver = body(request).await?;
    split_host_port(&told.address)
        .map_err(|error| EsError::new(400, "illegal_argument_exception", error.to_string()))?;
    match place.gate.surrender(&told.attempt, &told.address) {
        Surrender::Done => {}
        Surrender::Conflict => return Err(conflict("this attempt is over; copy what is new")),
        Surrender::Mark(marker) => {
            let place = Arc::clone(place);
            blocking("store copy marker", move || {
                place
                    .pass_on_to(&marker.to)
                    .map_err(|e| broken("requests cannot be passed on", &e))?;
                durable::give_up(&place.data_dir, &marker)
                    .map_err(|e| broken("cannot write down that the data went", &e))?;
                place.gate.marked();
                tracing::info!(to = %marker.to, "the data went to another place; requests are passed on");
                Ok(())
            })
            .await?;
        }
    }
    Ok(json(&serde_json::json!({})))
}
