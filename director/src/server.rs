//! The listeners: for people (gRPC, gRPC-web and a little REST on one TLS port), for roles (gRPC with
//! mutual TLS), for the host (health and metrics on loopback). Invariants: every gRPC method is
//! behind the gate; the gRPC-web layer wraps gRPC alone; what calls itself `application/grpc*` never
//! gets a page. Not here: what methods do (`api/`, `sessions/`), the UI's files (`wharf-admin-ui`).

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request as Asked, State as Shared},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, Request};
use hyper::{body::Incoming, service::service_fn};
use rustls::ServerConfig;
use serde_json::json;
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic_web::GrpcWebLayer;
use tower::ServiceExt;
use wharf_admin_ui::files::{AdminUi, Serves};
use wharf_proto::{
    DESCRIPTORS,
    access::{AccessError, services_of},
};
use wharf_runtime::{
    call_id::CallIdLayer,
    health_server::{Health, HealthServer},
    metrics::Metrics,
    net::{Limits, OnRefused, serve_tls},
    task::Shutdown,
};
use wharf_services::v1::{
    allocator_session_server::AllocatorSessionServer, allocators_server::AllocatorsServer,
    channels_server::ChannelsServer, containers_server::ContainersServer,
    deployments_server::DeploymentsServer, directors_server::DirectorsServer,
    enrollment_server::EnrollmentServer, events_server::EventsServer,
    instances_server::InstancesServer, placement_server::PlacementServer,
    plans_server::PlansServer, platform_server::PlatformServer, proxies_server::ProxiesServer,
    raft_transport_server::RaftTransportServer, repositories_server::RepositoriesServer,
    route_session_server::RouteSessionServer, sessions_server::SessionsServer,
    settings_server::SettingsServer, streams_server::StreamsServer,
    templates_server::TemplatesServer, tokens_server::TokensServer, users_server::UsersServer,
};

use crate::{
    api::{
        MAX_MESSAGE, allocators::AllocatorsApi, channels::ChannelsApi, containers::ContainersApi,
        deployments::DeploymentsApi, directors::DirectorsApi, enrollment::EnrollmentApi,
        events::EventsApi, instances::InstancesApi, placement::PlacementApi, plans::PlansApi,
        platform::PlatformApi, proxies::ProxiesApi, raft_transport::RaftTransportApi,
        repositories::RepositoriesApi, sessions::SessionsApi, settings::SettingsApi,
        streams::StreamsApi, templates::TemplatesApi, tokens::TokensApi, users::UsersApi,
        views::View,
    },
    auth::{GateLayer, Rules},
    director::Director,
    monitoring,
    sessions::{MAX_REPORT, allocators::AllocatorSessions, proxies::RouteSessions},
};

/// Largest message of a host that joins: two certificate requests, a token, names.
const MAX_ENROLL: usize = 128 * 1024;

/// Why the services cannot be put together; the binary was built wrongly.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The contracts cannot be read for reflection.
    #[error("the contracts inside this binary cannot be served by reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The contracts cannot be read at all.
    #[error(transparent)]
    Contracts(#[from] AccessError),
}

/// The gRPC services for people.
///
/// # Errors
/// When the contracts cannot be read.
pub fn admin_routes(director: &Arc<Director>, rules: Rules) -> Result<Router, ServerError> {
    let of = || Arc::clone(director);
    let mut reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS);
    for package in ["wharf.v1", "wharf.monitor.v1"] {
        for service in services_of(package)? {
            reflection = reflection.with_service_name(service);
        }
    }
    let reflection = reflection.build_v1()?;
    // The gate alone decides what is served; health is that of answering at all.
    let (_, health) = tonic_health::server::health_reporter();
    let routes = for_people(director, Routes::new(health).add_service(reflection));
    // The last layer is the outermost: refusals of the gate are gRPC-web too.
    Ok(routes
        .into_axum_router()
        .merge(monitoring::routes(director)?)
        .layer(GateLayer::new(of(), rules))
        .layer(CallIdLayer::default())
        .layer(GrpcWebLayer::new()))
}

/// Adds what the contracts have for people.
fn for_people(director: &Arc<Director>, routes: Routes) -> Routes {
    let of = || Arc::clone(director);
    let limit = MAX_MESSAGE;
    routes
        .add_service(DeploymentsServer::new(DeploymentsApi(of())).max_decoding_message_size(limit))
        .add_service(PlansServer::new(PlansApi(of())).max_decoding_message_size(limit))
        .add_service(TemplatesServer::new(TemplatesApi(of())).max_decoding_message_size(limit))
        .add_service(AllocatorsServer::new(AllocatorsApi(of())).max_decoding_message_size(limit))
        .add_service(InstancesServer::new(InstancesApi(of())).max_decoding_message_size(limit))
        .add_service(PlacementServer::new(PlacementApi(of())).max_decoding_message_size(limit))
        .add_service(ProxiesServer::new(ProxiesApi(of())).max_decoding_message_size(limit))
        .add_service(ContainersServer::new(ContainersApi(of())).max_decoding_message_size(limit))
        .add_service(PlatformServer::new(PlatformApi(of())).max_decoding_message_size(limit))
        .add_service(UsersServer::new(UsersApi(of())).max_decoding_message_size(limit))
        .add_service(SessionsServer::new(SessionsApi(of())).max_decoding_message_size(limit))
        .add_service(TokensServer::new(TokensApi(of())).max_decoding_message_size(limit))
        .add_service(
            EnrollmentServer::new(EnrollmentApi::new(of())).max_decoding_message_size(MAX_ENROLL),
        )
        .add_service(SettingsServer::new(SettingsApi(of())).max_decoding_message_size(limit))
        .add_service(ChannelsServer::new(ChannelsApi(of())).max_decoding_message_size(limit))
        .add_service(
            RepositoriesServer::new(RepositoriesApi(of())).max_decoding_message_size(limit),
        )
        .add_service(EventsServer::new(EventsApi(of())).max_decoding_message_size(limit))
        .add_service(StreamsServer::new(StreamsApi(of())).max_decoding_message_size(limit))
        .add_service(DirectorsServer::new(DirectorsApi(of())).max_decoding_message_size(limit))
}

/// The gRPC services for roles, and those for people that another director passes on.
///
/// # Errors
/// When the contracts cannot be read.
pub fn internal_routes(director: &Arc<Director>, rules: Rules) -> Result<Router, ServerError> {
    let of = || Arc::clone(director);
    let routes = Routes::new(
        AllocatorSessionServer::new(AllocatorSessions(of())).max_decoding_message_size(MAX_REPORT),
    );
    let routes = for_people(director, routes)
        .add_service(
            RouteSessionServer::new(RouteSessions(of())).max_decoding_message_size(MAX_MESSAGE),
        )
        .add_service(
            RaftTransportServer::new(RaftTransportApi(of())).max_decoding_message_size(MAX_REPORT),
        );
    Ok(routes
        .into_axum_router()
        .merge(monitoring::routes(director)?)
        .layer(GateLayer::new(of(), rules))
        .layer(CallIdLayer::default()))
}

/// What is not gRPC.
pub fn rest_routes(director: &Arc<Director>) -> Router {
    let ui = Arc::new(AdminUi::shipped(&Serves::Platform));
    let router = Router::new()
        .route("/api/health", get(health))
        .route("/api/ca", get(authorities));
    let router = if ui.is_built_in() {
        router
    } else {
        router.route("/", get(front_page))
    };
    router
        .fallback(move |asked: Asked| {
            let answer = ui.answer(asked.method(), asked.uri().path(), asked.headers());
            async move { answer.unwrap_or_else(nothing_here) }
        })
        .with_state(Arc::clone(director))
}

async fn front_page(Shared(director): Shared<Arc<Director>>) -> String {
    format!(
        "Wharfinger {}, platform {}\nThis build has no admin UI: `make release` makes one that has.\n\
         Use `wharf` with this address, or GET /api/health.\n",
        env!("CARGO_PKG_VERSION"),
        director.config.platform.name
    )
}

/// The certificates that are trusted, for clients that verify this very connection with one of them.
async fn authorities(Shared(director): Shared<Arc<Director>>) -> Response {
    let pem = director.certificates.ca_pem(&director.published.state());
    ([(CONTENT_TYPE, "application/x-pem-file")], pem).into_response()
}

async fn health(Shared(director): Shared<Arc<Director>>) -> Response {
    // One that follows passes calls on.
    let ready = director.leads() || follows(&director);
    let body = json!({
        "ready": ready,
        "leads": director.leads(),
        "platform_id": director.config.platform_id.to_string(),
        "director_id": director.config.director_id.to_string(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(body)).into_response()
}

/// Whether it knows a leader beside itself.
fn follows(director: &Director) -> bool {
    let status = director.raft.status();
    let status = status.borrow();
    status.leader.is_some_and(|leader| leader != status.member)
}

fn nothing_here() -> Response {
    let body = json!({
        "error": { "code": crate::codes::NO_METHOD, "message": "there is nothing at this path" }
    });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/grpc"))
}

/// Serves people until `shutdown`, then drains.
pub async fn serve_admin(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    grpc: Router,
    rest: Router,
    shutdown: Shutdown,
) {
    let factory = move |_: &_| {
        let (grpc, rest) = (grpc.clone(), rest.clone());
        service_fn(move |request: Request<Incoming>| {
            let router = if is_grpc(request.headers()) {
                grpc.clone()
            } else {
                rest.clone()
            };
            answer(router, request)
        })
    };
    serve_tls(listener, tls, factory, shutdown, Limits::default()).await;
}

/// Serves roles until `shutdown`, then drains.
pub async fn serve_internal(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    grpc: Router,
    director: Arc<Director>,
    shutdown: Shutdown,
) {
    let factory = move |_: &_| {
        let grpc = grpc.clone();
        service_fn(move |request: Request<Incoming>| answer(grpc.clone(), request))
    };
    let limits = Limits {
        on_refused: Some(OnRefused::new(move |from, reason| {
            director.refused_calls.note_handshake(reason, from.ip());
        })),
        // Another director passes on many sessions over one connection.
        max_streams: 10_000,
        ..Limits::default()
    };
    serve_tls(listener, tls, factory, shutdown, limits).await;
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
) -> Result<http::Response<Body>, Infallible> {
    router.oneshot(request.map(Body::new)).await
}

/// The loopback listener's answers.
pub fn health_server(director: &Arc<Director>) -> HealthServer {
    let metrics = Metrics::new().with_process();
    let gauge = |name: &str, help: &str, ask: fn(&Director) -> f64| {
        let director = Arc::clone(director);
        metrics.gauge_from(name, help, &[], move || ask(&director));
    };
    gauge(
        "wharf_director_leads",
        "whether this director leads",
        |director| f64::from(u8::from(director.leads())),
    );
    gauge(
        "wharf_director_applied_index",
        "last applied log entry",
        |director| director.raft.status().borrow().applied as f64,
    );
    gauge("wharf_director_deployments", "deployments", |director| {
        director.published.state().deployments.len() as f64
    });
    gauge(
        "wharf_director_open_plans",
        "plans that have not ended",
        |director| director.published.state().open_plans().count() as f64,
    );
    gauge(
        "wharf_director_problems",
        "problems of the platform",
        |director| f64::from(View::of(director).status(director).problems_total),
    );
    gauge(
        "wharf_director_containers",
        "containers on all hosts",
        |director| director.seen.container_count() as f64,
    );
    let counts = director.monitoring.counts();
    let calls = "calls that were passed on to monitoring nodes";
    for (kind, counter) in [("read", &counts.reads), ("change", &counts.changes)] {
        let name = "wharf_director_monitoring_calls_total";
        metrics.counter_from(name, calls, &[("kind", kind)], counter);
    }
    metrics.counter_from(
        "wharf_director_monitoring_unanswered_total",
        "those that no monitoring node answered",
        &[],
        &counts.unanswered,
    );
    let shared = Arc::clone(director);
    let server = HealthServer::new(metrics, move || {
        let status = shared.raft.status().borrow().clone();
        Health {
            // A follower that knows a leader does its work, too.
            healthy: shared.leads() || (status.leader.is_some() && !status.serving),
            details: json!({
                "member": status.member,
                "moved_aside": shared.moved_aside.as_ref().map(|path| path.display().to_string()),
                "leads": shared.leads(),
                "term": status.term,
                "applied": status.applied,
                "committed": status.commit,
            }),
        }
    });
    match &director.log_level {
        Some(level) => server.with_log_level(level.clone()),
        None => server,
    }
}
