//! The loopback listener of a role: `/health`, `/metrics`, and `/log-level` to read what is logged; an
//! instance tells the same on a socket (`metrics_socket`).
//!
//! Invariants: loopback addresses only; `/health` answers 200 or 503 with why; nothing can be changed
//! through it, because every user of the host reaches it, and no body is read. Not here: what healthy
//! means (the role says), and changing the log level, which the director's API does.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::service::service_fn;
use tokio::net::TcpListener;

use crate::metrics::Metrics;
use crate::net::{Limits, serve_plain};
use crate::task::Shutdown;
use crate::telemetry::LogLevel;

/// What a role says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// Whether it does its work.
    pub healthy: bool,
    /// Anything worth telling, an object usually.
    pub details: serde_json::Value,
}

/// What the listener tells.
#[derive(Clone)]
pub struct HealthServer {
    health: Arc<dyn Fn() -> Health + Send + Sync>,
    metrics: Metrics,
    log_level: Option<LogLevel>,
    pages: Option<Pages>,
}

/// An answer by path, for pages that somebody else tells; nothing: there is no such page.
pub type Pages = Arc<dyn Fn(&str) -> BoxFuture<'static, Option<Page>> + Send + Sync>;

/// A page that somebody else tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// 200, or why there is none.
    pub status: StatusCode,
    /// Its text.
    pub text: Bytes,
}

impl fmt::Debug for HealthServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthServer").finish_non_exhaustive()
    }
}

impl HealthServer {
    /// Asks `health` on every request, which must not block.
    pub fn new(metrics: Metrics, health: impl Fn() -> Health + Send + Sync + 'static) -> Self {
        let health: Arc<dyn Fn() -> Health + Send + Sync> = Arc::new(health);
        let asked = Arc::clone(&health);
        let help = "1 when the process does its work, else 0";
        metrics.gauge_from("wharf_healthy", help, &[], move || {
            if asked().healthy { 1.0 } else { 0.0 }
        });
        Self {
            health,
            metrics,
            log_level: None,
            pages: None,
        }
    }

    /// Also lets the log level be read.
    #[must_use]
    pub fn with_log_level(mut self, level: LogLevel) -> Self {
        self.log_level = Some(level);
        self
    }

    /// Also answers other paths with what `pages` tells.
    #[must_use]
    pub fn with_pages(mut self, pages: Pages) -> Self {
        self.pages = Some(pages);
        self
    }

    /// Serves on `listener` until `shutdown`. Refuses at once when it is not a loopback address.
    pub async fn run(self, listener: TcpListener, shutdown: Shutdown) {
        if !listener
            .local_addr()
            .is_ok_and(|addr| addr.ip().is_loopback())
        {
            tracing::error!("health and metrics are served on loopback only; not served");
            return;
        }
        let limits = Limits {
            max_connections: 64,
            ..Limits::default()
        };
        let factory = move |_: &_| {
            let server = self.clone();
            service_fn(move |request| {
                let server = server.clone();
                async move { Ok::<_, Infallible>(server.answer_all(&request).await) }
            })
        };
        serve_plain(listener, factory, shutdown, limits).await;
    }

    async fn answer_all<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let page = match &self.pages {
            Some(pages) if request.method() == Method::GET => pages(request.uri().path()).await,
            _ => None,
        };
        let Some(page) = page else {
            return self.answer(request);
        };
        respond(page.status, "text/plain; version=0.0.4", page.text)
    }

    /// What the process itself tells.
    pub(crate) fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/health") => {
                let health = (self.health)();
                let status = if health.healthy {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                let body =
                    serde_json::json!({ "healthy": health.healthy, "details": health.details });
                respond(status, "application/json", body.to_string())
            }
            (&Method::GET, "/metrics") => respond(
                StatusCode::OK,
                "text/plain; version=0.0.4",
                self.metrics.render(),
            ),
            (&Method::GET, "/log-level") => match &self.log_level {
                Some(level) => text(StatusCode::OK, level.get()),
                None => text(StatusCode::NOT_FOUND, "the log level is fixed".to_owned()),
            },
            _ => text(
                StatusCode::NOT_FOUND,
                "there are GET /health, GET /metrics, GET /log-level".to_owned(),
            ),
        }
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    respond(status, "text/plain", body + "\n")
}

fn respond(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{ClientOptions, HttpsClient, bind};
    use crate::task;
    use crate::tls::{Authority, Expect, client_config};
    use std::sync::atomic::{AtomicBool, Ordering};

    async fn get(client: &HttpsClient, uri: String) -> (StatusCode, String) {
        let request = Request::get(uri).body(Full::default()).unwrap();
        let answer = client.fetch(request, 100_000).await.unwrap();
        (
            answer.status(),
            String::from_utf8(answer.body().to_vec()).unwrap(),
        )
    }

    #[tokio::test]
    async fn health_and_metrics_are_served_on_loopback() {
        let well = Arc::new(AtomicBool::new(true));
        let metrics = Metrics::new();
        metrics.counter("x_total", "x", &[]).inc();
        let server = {
            let well = Arc::clone(&well);
            HealthServer::new(metrics, move || Health {
                healthy: well.load(Ordering::SeqCst),
                details: serde_json::json!({ "members": 1 }),
            })
        };
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let done = task::spawn("health", server.run(listener, shutdown.clone()));

        let ca = Authority::create("x", 0).unwrap().certs();
        let config = client_config(&ca, Expect::Name, None).unwrap();
        let client = HttpsClient::new(config, ClientOptions::default());
        let (status, body) = get(&client, format!("http://{addr}/health")).await;
        assert_eq!(
            (status, body.as_str()),
            (
                StatusCode::OK,
                r#"{"healthy":true,"details":{"members":1}}"#
            )
        );
        well.store(false, Ordering::SeqCst);
        let (status, _) = get(&client, format!("http://{addr}/health")).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let (_, body) = get(&client, format!("http://{addr}/metrics")).await;
        assert!(body.contains("x_total 1\n"), "{body}");
        assert!(body.contains("wharf_healthy 0\n"), "{body}");
        for path in ["log-level", "other"] {
            let (status, _) = get(&client, format!("http://{addr}/{path}")).await;
            assert_eq!(status, StatusCode::NOT_FOUND);
        }
        shutdown.trigger();
        done.await.unwrap();
    }

    #[tokio::test]
    async fn the_log_level_is_told_and_cannot_be_changed_by_a_user_of_the_host() {
        let level = crate::telemetry::detached("warn").unwrap();
        let server = HealthServer::new(Metrics::new(), || Health {
            healthy: true,
            details: serde_json::Value::Null,
        });
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let server = server.with_log_level(level.clone());
        let done = task::spawn("health", server.run(listener, shutdown.clone()));
        let ca = Authority::create("x", 0).unwrap().certs();
        let config = client_config(&ca, Expect::Name, None).unwrap();
        let client = HttpsClient::new(config, ClientOptions::default());
        let uri = format!("http://{addr}/log-level");
        let put = Request::put(uri.clone()).body(Full::from("trace")).unwrap();
        let answer = client.fetch(put, 1_000).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(
            get(&client, uri).await,
            (StatusCode::OK, "warn\n".to_owned())
        );
        shutdown.trigger();
        done.await.unwrap();
    }

    #[tokio::test]
    async fn a_page_that_somebody_else_tells_is_answered_and_hides_none_of_its_own() {
        let pages: Pages = Arc::new(|path| {
            let page = (path == "/instances/1/metrics").then(|| Page {
                status: StatusCode::OK,
                text: Bytes::from_static(b"y 1\n"),
            });
            Box::pin(async { page })
        });
        let server = HealthServer::new(Metrics::new(), || Health {
            healthy: true,
            details: serde_json::Value::Null,
        })
        .with_pages(pages);
        let get = |path: &str| Request::get(path).body(()).unwrap();
        let page = server.answer_all(&get("/instances/1/metrics")).await;
        assert_eq!(page.status(), StatusCode::OK);
        let own = server.answer_all(&get("/health")).await;
        assert_eq!(own.status(), StatusCode::OK);
        let other = server.answer_all(&get("/instances/2/metrics")).await;
        assert_eq!(other.status(), StatusCode::NOT_FOUND);
        let put = Request::put("/instances/1/metrics").body(()).unwrap();
        assert_eq!(
            server.answer_all(&put).await.status(),
            StatusCode::NOT_FOUND
        );
    }

    #[tokio::test]
    async fn an_address_that_others_reach_is_not_served() {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let server = HealthServer::new(Metrics::new(), || Health {
            healthy: true,
            details: serde_json::Value::Null,
        });
        // Returns although nobody asks it to stop.
        server.run(listener, Shutdown::new()).await;
    }
}
