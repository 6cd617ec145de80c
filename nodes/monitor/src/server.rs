//! Starting, listening and stopping a monitoring instance.
//!
//! Invariants: one TLS port for gRPC, gRPC-web, the files of the admin UI, `/_wharf/health` (both open, neither says
//! anything of the data) and `/metrics` (for the deployment's credentials), which its allocator reads on a socket in
//! the data directory; stopping lets runs keep what they found, then drains, then closes the ledger.
//! Not here: flags (the binary), the UI's files and their policy (`wharf-admin-ui`).

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde_json::json;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;
use tower::ServiceExt as _;
use wharf_admin_ui::files::{AdminUi, Serves};
use wharf_proto::DESCRIPTORS;
use wharf_proto::access::{AccessError, access_table, services_of};
use wharf_runtime::call_id::CallIdLayer;
use wharf_runtime::data_dir::{DataDir, DataDirError};
use wharf_runtime::delivery::{Policy, Post};
use wharf_runtime::health_server::{Health, HealthServer};
use wharf_runtime::metrics_socket;
use wharf_runtime::net::{BindError, Limits, bind, serve_tls};
use wharf_runtime::task::{Shutdown, Tasks, spawn, spawn_blocking};
use wharf_runtime::tls::{
    CertSlot, IDENTITY_FILE, KeyedCert, TlsError, TrustSlot, following_open_server_config,
};
use wharf_services::monitor::v1::alerts_server::AlertsServer;
use wharf_services::monitor::v1::dashboards_server::DashboardsServer;
use wharf_services::monitor::v1::saved_views_server::SavedViewsServer;
use wharf_services::monitor::v1::search_server::SearchServer;
use wharf_services::monitor::v1::services_server::ServicesServer;
use wharf_services::monitor::v1::sessions_server::SessionsServer;
use wharf_services::monitor::v1::watches_server::WatchesServer;

use crate::api::{MAX_ANSWER, MAX_REQUEST, alerts, dashboards, objects, search, sessions, watches};
use crate::config::{self, Config, ConfigError};
use crate::credentials::Credentials;
use crate::gate::{GateLayer, counted_at};
use crate::ledger::{Ledger, LedgerError};
use crate::monitor::Monitor;
use crate::{ledger_task, refresh_task, schedule_task, secrets_task};

/// Paths below it are the node's own, and none of the UI's.
const OWN: &str = "/_wharf/";

/// A monitoring instance cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory is not usable.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The address is not usable.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The certificate is not usable.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no certificate.
    #[error("{0} holds no certificate; the allocator writes it before it starts the instance")]
    NoIdentity(String),
    /// Whom to trust is not known.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What waits on disk cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The contracts inside the binary cannot be read.
    #[error(transparent)]
    Contracts(#[from] AccessError),
    /// They cannot be served by reflection.
    #[error("the contracts inside this binary cannot be served by reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// A thread ended.
    #[error("the instance broke while it started; start it again")]
    Broken,
}

/// Runs an instance until `shutdown`.
///
/// # Errors
/// When it cannot start.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), StartError> {
    let data_dir = DataDir::open(&config.data_dir)?;
    let identity = config.secrets_dir.join(IDENTITY_FILE);
    let cert = KeyedCert::load(&identity)?;
    let cert = cert.ok_or_else(|| StartError::NoIdentity(identity.display().to_string()))?;
    let certs = CertSlot::new(&cert);
    let trust = TrustSlot::new(&config::authority(&config.secrets_dir)?)?;
    let listener = bind(config.listen).await?;
    let (dir, limit) = (config.data_dir.clone(), config.ledger_bytes);
    let ledger = spawn_blocking("ledger", move || Ledger::open(&dir, limit)).await;
    let ledger = ledger.map_err(|_| StartError::Broken)??;

    let deliveries = Tasks::new();
    let random = wharf_runtime::random::next_u64;
    let post = Post::new(deliveries.clone(), Policy::default(), random);
    let stop = Shutdown::new();
    let monitor = Arc::new(Monitor::new(config, ledger, post, stop.clone()));
    gauges(&monitor);
    let mut secrets =
        secrets_task::Secrets::new(Arc::clone(&monitor), Arc::clone(&certs), Arc::clone(&trust));
    secrets.look();
    let credentials = Arc::new(Credentials::new());
    let deployment = monitor.config.deployment_name.clone();
    let front = Arc::new(Front {
        grpc: routes(&monitor, &credentials)?,
        ui: AdminUi::shipped(&Serves::Deployment(deployment)),
        monitor: Arc::clone(&monitor),
        credentials,
    });

    let serving = Shutdown::new();
    let factory = move |_: &_| {
        let front = Arc::clone(&front);
        service_fn(move |request: Request<Incoming>| {
            let front = Arc::clone(&front);
            async move { front.answer(request).await }
        })
    };
    let limits = Limits {
        max_connections: 1_000,
        ..Limits::default()
    };
    // Whoever has a certificate may show it; proxies do, and say whom they speak for.
    let tls = following_open_server_config(Arc::clone(&certs) as Arc<_>, &trust)?;
    let listening = serve_tls(listener, tls, factory, serving.clone(), limits);
    let listening = spawn("monitor listener", listening);

    tell(&monitor, &serving);
    let tasks = Tasks::with_shutdown(stop);
    let token = tasks.token();
    let of = || Arc::clone(&monitor);
    tasks.spawn_critical("monitor secrets", secrets_task::run(secrets, token.clone()));
    tasks.spawn_critical("monitor refresh", refresh_task::run(of(), token.clone()));
    tasks.spawn_critical("monitor schedule", schedule_task::run_due(of(), token));
    // It ends last, when nothing new is written any more.
    let writing = Tasks::new();
    let token = writing.token();
    writing.spawn_critical("monitor ledger", ledger_task::run(of(), token));
    tracing::info!(listen = %monitor.config.listen, "monitoring instance serves");

    shutdown.triggered().await;
    tasks.shutdown().await;
    deliveries.shutdown().await;
    serving.trigger();
    // It has a time limit of its own, and what it could report was logged.
    drop(listening.await);
    writing.shutdown().await;
    monitor.ledger.close().await;
    drop(data_dir);
    tracing::info!("monitoring instance stopped");
    Ok(())
}

/// Tells health and metrics on the socket in the data directory.
fn tell(monitor: &Arc<Monitor>, stop: &Shutdown) {
    let weak = Arc::downgrade(monitor);
    let server = HealthServer::new(monitor.metrics.clone(), move || {
        let reason = match weak.upgrade() {
            None => "it is stopping".to_owned(),
            Some(monitor) if !monitor.is_loaded() => {
                format!("it has not read the storage yet: {}", monitor.trouble())
            }
            Some(monitor) => monitor.trouble(),
        };
        Health {
            healthy: reason.is_empty(),
            details: json!({ "reason": reason }),
        }
    });
    let dir = &monitor.config.data_dir;
    match metrics_socket::listen(dir) {
        Ok(listener) => {
            let serving = metrics_socket::serve(listener, server, stop.clone());
            drop(spawn("monitor metrics", serving));
        }
        // Watches run all the same.
        Err(error) => {
            tracing::error!(%error, dir = %dir.display(), "health and metrics are not told: the data directory takes no socket");
        }
    }
}

fn routes(
    monitor: &Arc<Monitor>,
    credentials: &Arc<Credentials>,
) -> Result<axum::Router, StartError> {
    let of = || Arc::clone(monitor);
    let mut reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS);
    for service in services_of("wharf.monitor.v1")? {
        reflection = reflection.with_service_name(service);
    }
    let reflection = reflection.build_v1()?;
    let (_, health) = tonic_health::server::health_reporter();
    macro_rules! limited {
        ($service:expr) => {
            $service
                .max_decoding_message_size(MAX_REQUEST)
                .max_encoding_message_size(MAX_ANSWER)
        };
    }
    let routes = Routes::new(health)
        .add_service(reflection)
        .add_service(limited!(WatchesServer::new(watches::WatchesApi(of()))))
        .add_service(limited!(AlertsServer::new(alerts::AlertsApi(of()))))
        .add_service(limited!(SearchServer::new(search::SearchApi(of()))))
        .add_service(limited!(ServicesServer::new(search::ServicesApi(of()))))
        .add_service(limited!(DashboardsServer::new(dashboards::DashboardsApi(
            of()
        ))))
        .add_service(limited!(SavedViewsServer::new(objects::ViewsApi(of()))))
        .add_service(limited!(SessionsServer::new(sessions::SessionsApi {
            monitor: of(),
            credentials: Arc::clone(credentials),
        })));
    let gate = GateLayer::new(of(), Arc::clone(credentials), access_table()?);
    // The last layer is the outermost: refusals of the gate are gRPC-web too.
    Ok(routes
        .into_axum_router()
        .layer(gate)
        .layer(CallIdLayer::default())
        .layer(GrpcWebLayer::new()))
}

/// What every request is answered with.
struct Front {
    grpc: axum::Router,
    ui: AdminUi,
    monitor: Arc<Monitor>,
    credentials: Arc<Credentials>,
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let kind = request.headers().get(CONTENT_TYPE);
        let is_grpc = kind
            .and_then(|value| value.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/grpc"));
        if is_grpc {
            return self.grpc.clone().oneshot(request.map(Body::new)).await;
        }
        Ok(match request.uri().path() {
            "/_wharf/health" => self.health(),
            "/metrics" => {
                let headers = request.headers();
                let from = counted_at("/metrics", headers, request.extensions());
                self.metrics(headers, from).await
            }
            path if path.starts_with(OWN) => self.nothing(),
            path => {
                let answer = self.ui.answer(request.method(), path, request.headers());
                answer.unwrap_or_else(|| self.nothing())
            }
        })
    }

    fn health(&self) -> Response<Body> {
        let monitor = &self.monitor;
        let status = if monitor.is_loaded() {
            "ready"
        } else {
            "starting"
        };
        let credentials = monitor.storage.credentials_version().to_string();
        let body = json!({
            "status": status,
            "reason": monitor.trouble(),
            "credentials": credentials,
        });
        page(StatusCode::OK, "application/json", body.to_string())
    }

    async fn metrics(&self, headers: &HeaderMap, from: Option<IpAddr>) -> Response<Body> {
        let caller = self.credentials.principal(&self.monitor, headers, from);
        let status = match caller.await {
            Ok(_) => {
                let text = self.monitor.metrics.render();
                return page(StatusCode::OK, "text/plain; version=0.0.4", text);
            }
            Err(status) => status,
        };
        let code = match status.code() {
            tonic::Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            tonic::Code::PermissionDenied => StatusCode::FORBIDDEN,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let text = format!("{}\n", status.message());
        let mut response = page(code, "text/plain", text);
        let challenge = HeaderValue::from_static("Basic realm=\"wharfinger\"");
        response.headers_mut().insert("www-authenticate", challenge);
        response
    }

    fn nothing(&self) -> Response<Body> {
        let pages = if self.ui.is_built_in() {
            "the admin UI at /"
        } else {
            "no admin UI (`make release` makes a build that has one)"
        };
        page(
            StatusCode::NOT_FOUND,
            "text/plain",
            format!("there are gRPC, gRPC-web, GET /_wharf/health, GET /metrics and {pages}\n"),
        )
    }
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[allow(clippy::cast_precision_loss)]
fn gauges(monitor: &Arc<Monitor>) {
    let gauge = |name: &str, help: &str, ask: fn(&Monitor) -> f64| {
        let weak = Arc::downgrade(monitor);
        let ask = move || weak.upgrade().map_or(0.0, |monitor| ask(&monitor));
        monitor.metrics.gauge_from(name, help, &[], ask);
    };
    gauge(
        "wharf_memory_limit_bytes",
        "memory that the instance may use",
        |monitor| monitor.config.memory_bytes as f64,
    );
    gauge(
        "wharf_disk_limit_bytes",
        "disk that the instance may use; 0: all",
        |monitor| monitor.config.disk_bytes as f64,
    );
    gauge(
        "wharf_disk_free_bytes",
        "room in the file system of its data",
        |monitor| {
            let space = wharf_runtime::disk::space(&monitor.config.data_dir);
            space.map_or(0.0, |space| space.available_bytes as f64)
        },
    );
    gauge(
        "wharf_monitor_open_runs",
        "runs whose messages are under way",
        |monitor| monitor.open_runs().len() as f64,
    );
    gauge("wharf_monitor_watches", "watches", |monitor| {
        monitor.slots().len() as f64
    });
    gauge(
        "wharf_monitor_broken_watches",
        "documents that are no watch",
        |monitor| {
            let slots = monitor.slots();
            let broken = slots
                .iter()
                .filter(|slot| slot.entry().is_some_and(|entry| entry.broken.is_some()));
            broken.count() as f64
        },
    );
    gauge(
        "wharf_monitor_waiting_documents",
        "alerts and runs that wait on disk for the storage",
        |monitor| monitor.ledger.len() as f64,
    );
    gauge(
        "wharf_monitor_dropped_documents",
        "runs that were dropped because the storage was away for too long",
        |monitor| monitor.ledger.dropped() as f64,
    );
}
