//! A place between the monitoring node and its storage where documents and what a search found wait until a test lets
//! them on. Not here: what either of them does (the binary).

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::sync::watch;
use wharf_runtime::clock::now_ms;
use wharf_runtime::net::{HttpsClient, Limits, PeerInfo, bind, serve_tls};
use wharf_runtime::task::{Shutdown, spawn};
use wharf_runtime::tls::{CertSlot, LeafSpec, server_config};

use super::bench::{Bench, wait_for};

/// What is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Everything.
    Open,
    /// No document; searches are.
    Shut,
    /// No document until the history was searched.
    UntilSearched,
    /// The history was searched: documents are let through, and what was found waits.
    Searched,
}

/// Stands there until it is dropped.
pub(crate) struct Front {
    gate: watch::Sender<Gate>,
    stop: Shutdown,
}

impl Front {
    /// Leads the monitoring node through it, from its next start on.
    pub(crate) async fn before(bench: &Bench) -> Self {
        let leaf = LeafSpec::for_host("localhost").with_host("127.0.0.1");
        let identity = bench.authority.issue(&leaf, now_ms()).unwrap();
        let tls = server_config(CertSlot::new(&identity)).unwrap();
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        bench.set_storage(&format!("https://{}", listener.local_addr().unwrap()));
        let (gate, stop) = (watch::Sender::new(Gate::Open), Shutdown::new());
        let (behind, passing, client) = (bench.storage_url(), gate.clone(), bench.client.clone());
        let factory = move |_: &PeerInfo| {
            let (behind, passing, client) = (behind.clone(), passing.clone(), client.clone());
            service_fn(move |request| {
                let (behind, passing, client) = (behind.clone(), passing.clone(), client.clone());
                async move { Ok::<_, Infallible>(pass(&client, &behind, &passing, request).await) }
            })
        };
        let serving = serve_tls(listener, tls, factory, stop.clone(), Limits::default());
        drop(spawn("front of the storage", serving));
        Self { gate, stop }
    }

    pub(crate) fn set(&self, gate: Gate) {
        self.gate.send_replace(gate);
    }

    /// Until the history was searched and what was found waits.
    pub(crate) async fn searched(&self) {
        wait_for("the history is searched", async || {
            match *self.gate.borrow() {
                Gate::Searched => Ok(()),
                gate => Err(format!("{gate:?}")),
            }
        })
        .await;
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop.trigger();
    }
}

async fn pass(
    client: &HttpsClient,
    behind: &str,
    passing: &watch::Sender<Gate>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let mut gate = passing.subscribe();
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if path.ends_with("/_bulk") {
        let lets = |gate: &Gate| matches!(gate, Gate::Open | Gate::Searched);
        gate.wait_for(lets).await.unwrap();
    }
    let whole = head.uri.path_and_query().unwrap();
    let mut onward = Request::builder()
        .method(&head.method)
        .uri(format!("{behind}{whole}"));
    for name in [AUTHORIZATION, CONTENT_TYPE] {
        if let Some(value) = head.headers.get(&name) {
            onward = onward.header(name, value);
        }
    }
    let bytes = body.collect().await.unwrap().to_bytes();
    let onward = onward.body(Full::new(bytes)).unwrap();
    let answer = client.fetch(onward, 64 << 20).await.unwrap();
    if head.method == Method::POST && path == "/.wharf-watch-history/_search" {
        passing.send_if_modified(|gate| {
            let is_first = *gate == Gate::UntilSearched;
            if is_first {
                *gate = Gate::Searched;
            }
            is_first
        });
        gate.wait_for(|gate| *gate != Gate::Searched).await.unwrap();
    }
    let mut passed = Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get(CONTENT_TYPE) {
        passed = passed.header(CONTENT_TYPE, kind);
    }
    passed.body(Full::new(answer.into_body())).unwrap()
}
