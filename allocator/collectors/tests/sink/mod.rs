//! A server that takes `_bulk` the way Elasticsearch's data streams do, over real HTTP: `create` by
//! id into the write index, 409 for an id that index has, rollover, `_search` by ids over all.
//!
//! Invariants: answers and faults are decided by the test, never by time.
//! Not here: anything else of the Elasticsearch API. It stands for a foreign store, so that faults
//! can be planted that a healthy one does not have.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io::Read as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use serde_json::{Value, json};
use wharf_runtime::net::{Limits, serve_plain};
use wharf_runtime::task::{Shutdown, spawn};

/// What goes wrong with one `_bulk` request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is written; the status is answered.
    Status(u16),
    /// All is written, and the answer is lost on the way.
    AnswerLost,
    /// All is written, the answer is lost, and the streams roll over.
    AnswerLostThenRollover,
    /// Every second document is answered 429 and not written.
    HalfBusy,
}

/// What the server has.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Data stream → its backing indices, the write index last: id → document.
    pub(crate) streams: BTreeMap<String, Vec<BTreeMap<String, Value>>>,
    /// What goes wrong with the next requests.
    pub(crate) faults: VecDeque<Fault>,
    /// `_bulk` requests seen.
    pub(crate) bulks: usize,
    /// Headers that the last request had.
    pub(crate) headers: Vec<(String, String)>,
}

impl State {
    /// All documents of a stream, whatever backing index they are in.
    pub(crate) fn documents(&self, stream: &str) -> Vec<&Value> {
        self.streams
            .get(stream)
            .into_iter()
            .flatten()
            .flat_map(BTreeMap::values)
            .collect()
    }
}

/// A running server.
pub(crate) struct Sink {
    pub(crate) addr: SocketAddr,
    pub(crate) state: Arc<Mutex<State>>,
    shutdown: Shutdown,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shutdown = Shutdown::new();
        let shared = Arc::clone(&state);
        let factory = move |_: &_| {
            let state = Arc::clone(&shared);
            service_fn(move |request| handle(Arc::clone(&state), request))
        };
        drop(spawn(
            "sink",
            serve_plain(listener, factory, shutdown.clone(), Limits::default()),
        ));
        Self {
            addr,
            state,
            shutdown,
        }
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Reads the state until it is as the test wants, and gives what `read` saw; fails after a
    /// minute.
    pub(crate) async fn until<T>(&self, what: &str, read: impl Fn(&State) -> Option<T>) -> T {
        let wait = async {
            loop {
                if let Some(found) = read(&self.state.lock().unwrap()) {
                    return found;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let limit = std::time::Duration::from_secs(60);
        tokio::time::timeout(limit, wait)
            .await
            .unwrap_or_else(|_| panic!("never: {what}"))
    }
}

async fn handle(
    state: Arc<Mutex<State>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = match head.headers.get("content-encoding") {
        Some(_) => {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&body[..])
                .read_to_end(&mut plain)
                .unwrap();
            plain
        }
        None => body.to_vec(),
    };
    let mut state = state.lock().unwrap();
    let shown = head.headers.iter();
    state.headers = shown
        .map(|(k, v)| (k.to_string(), v.to_str().unwrap_or("").to_owned()))
        .collect();
    let path = head.uri.path().trim_matches('/');
    let (status, answer) = match path.split('/').collect::<Vec<_>>()[..] {
        ["_bulk"] => bulk(&mut state, &body),
        [stream, "_refresh"] if state.streams.contains_key(stream) => (200, json!({})),
        [stream, "_search"] if state.streams.contains_key(stream) => {
            let query: Value = serde_json::from_slice(&body).unwrap();
            let ids = query["query"]["ids"]["values"].as_array().unwrap();
            let has = |id: &&Value| {
                state.streams[stream]
                    .iter()
                    .any(|index| index.contains_key(id.as_str().unwrap()))
            };
            let hits: Vec<Value> = ids
                .iter()
                .filter(has)
                .map(|id| json!({ "_id": id }))
                .collect();
            (200, json!({ "hits": { "hits": hits } }))
        }
        _ => (
            404,
            json!({ "error": { "type": "index_not_found_exception" }, "status": 404 }),
        ),
    };
    let body = Full::new(Bytes::from(answer.to_string()));
    Ok(Response::builder().status(status).body(body).unwrap())
}

fn bulk(state: &mut State, body: &[u8]) -> (u16, Value) {
    state.bulks += 1;
    let fault = state.faults.pop_front();
    if let Some(Fault::Status(status)) = fault {
        return (status, json!({ "error": "planted" }));
    }
    let lines: Vec<&[u8]> = body
        .split(|byte| *byte == b'\n')
        .filter(|l| !l.is_empty())
        .collect();
    let mut items = Vec::new();
    for (number, pair) in lines.chunks(2).enumerate() {
        let action: Value = serde_json::from_slice(pair[0]).unwrap();
        let document: Value = serde_json::from_slice(pair[1]).unwrap();
        let stream = action["create"]["_index"].as_str().unwrap();
        let id = action["create"]["_id"].as_str().unwrap();
        let indices = state
            .streams
            .entry(stream.to_owned())
            .or_insert_with(|| vec![BTreeMap::new()]);
        let index = indices.last_mut().unwrap();
        let status = if fault == Some(Fault::HalfBusy) && number % 2 == 1 {
            429
        } else if document.get("@timestamp").is_none() {
            400
        } else if index.contains_key(id) {
            409
        } else {
            index.insert(id.to_owned(), document);
            201
        };
        items.push(match status {
            201 => json!({ "create": { "status": 201 } }),
            _ => json!({ "create": { "status": status, "error": { "type": "x", "reason": "y" } } }),
        });
    }
    if fault == Some(Fault::AnswerLostThenRollover) {
        state
            .streams
            .values_mut()
            .for_each(|indices| indices.push(BTreeMap::new()));
    }
    match fault {
        Some(Fault::AnswerLost | Fault::AnswerLostThenRollover) => (502, json!({})),
        _ => {
            let errors = items.iter().any(|item| item["create"]["status"] != 201);
            (200, json!({ "errors": errors, "items": items }))
        }
    }
}
