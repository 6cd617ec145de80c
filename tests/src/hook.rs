//! A receiver of webhooks in the network of whoever starts it: takes every message and keeps it, with
//! the headers that came with it. Ends when dropped. Not here: refusing (the monitoring node's tests).

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use serde_json::Value;
use wharf_runtime::{
    net::{Limits, PeerInfo, bind, serve_plain},
    task::{Shutdown, spawn},
};

/// What was posted.
#[derive(Debug, Clone)]
pub struct Posted {
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null when it is no JSON.
    pub body: Value,
}

/// The receiver, on a free port of loopback.
#[derive(Debug)]
pub struct Hook {
    url: String,
    posted: Arc<Mutex<Vec<Posted>>>,
    // Its threads are in the network of the thread that made it.
    _runtime: tokio::runtime::Runtime,
}

impl Hook {
    /// Starts to receive in the network of the calling thread.
    ///
    /// # Panics
    /// When the machine gives no port.
    #[must_use]
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let posted: Arc<Mutex<Vec<Posted>>> = Arc::default();
        let kept = Arc::clone(&posted);
        let url = runtime.block_on(async move {
            let listener = bind((Ipv4Addr::LOCALHOST, 0).into())
                .await
                .expect("a free port");
            let address = listener.local_addr().expect("the listener's address");
            let factory = move |_: &PeerInfo| {
                let kept = Arc::clone(&kept);
                service_fn(move |request: Request<Incoming>| keep(request, Arc::clone(&kept)))
            };
            let serving = serve_plain(listener, factory, Shutdown::new(), Limits::default());
            drop(spawn("webhook receiver", serving));
            format!("http://{address}/hook")
        });
        Self {
            url,
            posted,
            _runtime: runtime,
        }
    }

    /// Where it receives.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All that was posted, in its order.
    ///
    /// # Panics
    /// When a receiving task panicked.
    #[must_use]
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().expect("the messages").clone()
    }
}

async fn keep(
    request: Request<Incoming>,
    kept: Arc<Mutex<Vec<Posted>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let headers = request.headers().clone();
    let Ok(bytes) = request.into_body().collect().await else {
        let mut cut_off = Response::new(Full::default());
        *cut_off.status_mut() = http::StatusCode::BAD_REQUEST;
        return Ok(cut_off);
    };
    let body = serde_json::from_slice(&bytes.to_bytes()).unwrap_or(Value::Null);
    let one = Posted { headers, body };
    kept.lock().expect("the messages").push(one);
    Ok(Response::new(Full::default()))
}
