//! The proxy: client traffic in over TLS, by host name, SNI or `X-Found-Cluster` to a healthy
//! instance of the deployment, streamed both ways. It serves from the table that it holds; no
//! director is needed for a request. Decisions are in `wharf-proxy-core`.

mod access_log;
mod answer;
mod config;
mod forward;
mod route_task;
mod routes;
mod traffic;
mod upstream;

use std::{net::SocketAddr, sync::Arc};

use hyper::{Request, body::Incoming, service::service_fn};
use tokio::net::TcpListener;
use wharf_proto::v1::RenewRequest;
use wharf_runtime::{
    clock,
    followed_authority::FollowedAuthority,
    health_server::{Health, HealthServer},
    known_directors::KnownDirectors,
    metrics::Metrics,
    net::{self, BindError, Limits, PeerInfo, channel},
    renewal_task::Renewal,
    systemd,
    task::{Shutdown, Tasks},
    telemetry::LogLevel,
    tls::{
        CaCerts, CertSlot, Expect, ExpectedIdentity, KeyedCert, ROLE_DIRECTOR, SniTable, TlsError,
        following_client_config, server_config,
    },
};
use wharf_services::v1::enrollment_client::EnrollmentClient;

pub use access_log::AccessLog;
pub use config::Config;

use forward::Forwarder;
use route_task::RouteTask;
use routes::Routes;
use traffic::Traffic;
use upstream::Upstream;

/// Why a proxy cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A port is taken or an address is not this host's.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The identity's file is missing.
    #[error("{0} is missing: run `wharf up` again, which writes it")]
    NoIdentity(String),
    /// A thread could not be made.
    #[error("the access log cannot be written: {0}")]
    AccessLog(std::io::Error),
}

/// A proxy whose listeners are open.
pub struct Bound {
    config: Config,
    https: TcpListener,
    http: Option<TcpListener>,
    metrics: TcpListener,
    access_log: AccessLog,
    log_level: Option<LogLevel>,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Opens the listeners.
///
/// # Errors
/// When an address cannot be listened on.
pub async fn bind(
    config: Config,
    access_log: AccessLog,
    log_level: Option<LogLevel>,
) -> Result<Bound, RunError> {
    let https = net::bind(config.https).await?;
    let http = match config.http {
        Some(address) => Some(net::bind(address).await?),
        None => None,
    };
    let metrics = net::bind(config.metrics).await?;
    Ok(Bound {
        config,
        https,
        http,
        metrics,
        access_log,
        log_level,
    })
}

impl Bound {
    /// The addresses that clients use: with TLS, and without.
    #[must_use]
    pub fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let of = |listener: &TcpListener| listener.local_addr().ok();
        (of(&self.https), self.http.as_ref().and_then(of))
    }

    /// Serves until `shutdown`, then drains.
    ///
    /// # Errors
    /// When certificates cannot be used.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), RunError> {
        let config = self.config;
        let own = KeyedCert::load(&config.identity_path)?
            .ok_or_else(|| RunError::NoIdentity(config.identity_path.display().to_string()))?;
        let slot = CertSlot::new(&own);
        let ca = CaCerts::load(&config.ca_path)?;
        let certs = SniTable::new();
        certs.set_default(Some(&own));

        let routes = Arc::new(Routes::load(config.table_path.clone(), Arc::clone(&certs)));
        let traffic = Arc::new(Traffic::default());
        let authority = FollowedAuthority::new(config.ca_path.clone(), &ca, Arc::clone(&slot))?;
        let upstream = Arc::new(Upstream::new(
            Arc::clone(authority.trust()),
            Arc::clone(&slot),
            config.platform_id.clone(),
        ));
        let expect = Expect::Identity(
            ExpectedIdentity::role(ROLE_DIRECTOR).on_platform(&config.platform_id),
        );
        let kept = config.table_path.with_file_name("directors.json");
        let directors = KnownDirectors::load(kept, &config.directors);
        let channel = channel(
            directors.addresses(),
            following_client_config(authority.trust(), expect, Some(Arc::clone(&slot)))?,
        );

        let tasks = Tasks::with_shutdown(shutdown.clone());
        let health_shutdown = shutdown.child();
        tasks.spawn_critical(
            "metrics",
            health(&routes, &traffic, &self.access_log, self.log_level.clone())
                .run(self.metrics, health_shutdown),
        );
        let enrollment = EnrollmentClient::new(channel.clone());
        let renewal = Renewal {
            path: config.identity_path.clone(),
            slot,
            common_name: format!("proxy {}", config.proxy_id),
            wanted: authority.wanted(),
        };
        let default = Arc::clone(&certs);
        tasks.spawn_critical(
            "renewal",
            renewal.run(
                move |csr_pem| {
                    let mut client = enrollment.clone();
                    async move {
                        let answer = client.renew(RenewRequest { csr_pem }).await;
                        answer.map(|answer| answer.into_inner().certificate_pem)
                    }
                },
                move |look| {
                    if let Ok(Some(cert)) = look {
                        default.set_default(Some(cert));
                    }
                },
                shutdown.clone(),
            ),
        );
        let route_task = RouteTask {
            config: config.clone(),
            directors,
            channel,
            routes: Arc::clone(&routes),
            traffic: Arc::clone(&traffic),
            upstream: Arc::clone(&upstream),
            authority,
            log_level: self.log_level,
        };
        tasks.spawn_critical("routes", route_task.run(shutdown.clone()));

        let forwarder = Arc::new(Forwarder {
            routes,
            upstream,
            traffic,
            access_log: self.access_log,
            zone: config.zone.clone(),
        });
        let service = move |peer: &PeerInfo| {
            let (forwarder, peer) = (Arc::clone(&forwarder), peer.clone());
            service_fn(move |request: Request<Incoming>| {
                let (forwarder, peer) = (Arc::clone(&forwarder), peer.clone());
                async move { Ok::<_, std::convert::Infallible>(forwarder.handle(peer, request).await) }
            })
        };
        if let Some(listener) = self.http {
            tasks.spawn_critical(
                "http",
                net::serve_plain(
                    listener,
                    service.clone(),
                    shutdown.clone(),
                    Limits::default(),
                ),
            );
        }
        let tls = server_config(certs)?;
        tracing::info!(address = %config.https, "the proxy serves");
        systemd::ready();
        net::serve_tls(self.https, tls, service, shutdown, Limits::default()).await;
        tasks.shutdown().await;
        Ok(())
    }
}

fn health(
    routes: &Arc<Routes>,
    traffic: &Arc<Traffic>,
    access_log: &AccessLog,
    log_level: Option<LogLevel>,
) -> HealthServer {
    use std::sync::atomic::Ordering::Relaxed;
    let metrics = Metrics::new().with_process();
    macro_rules! gauge {
        ($name:literal, $help:literal, $of:ident, $ask:expr) => {{
            let $of = $of.clone();
            #[allow(clippy::cast_precision_loss)]
            metrics.gauge_from($name, $help, &[], move || $ask as f64);
        }};
    }
    gauge!(
        "wharf_proxy_requests",
        "Requests so far.",
        traffic,
        traffic.requests.load(Relaxed)
    );
    gauge!(
        "wharf_proxy_errors",
        "Answers of 500 and above so far.",
        traffic,
        traffic.errors.load(Relaxed)
    );
    gauge!(
        "wharf_proxy_collector_requests",
        "Requests of the collectors so far.",
        traffic,
        traffic.collector_requests.load(Relaxed)
    );
    gauge!(
        "wharf_proxy_open_requests",
        "Requests under way.",
        traffic,
        traffic.open.load(Relaxed)
    );
    gauge!(
        "wharf_proxy_access_log_dropped",
        "Access log lines dropped so far.",
        access_log,
        access_log.dropped()
    );
    gauge!(
        "wharf_proxy_table_generation",
        "Generation of the route table.",
        routes,
        routes.table().generation()
    );
    gauge!(
        "wharf_proxy_table_age_ms",
        "Since a director confirmed the table.",
        routes,
        (clock::now_ms() - routes.updated_ms()).max(0)
    );
    let histogram = Arc::clone(traffic);
    let metrics = metrics.with_text(move || histogram.render_latency());
    let routes = Arc::clone(routes);
    let server = HealthServer::new(metrics, move || Health {
        healthy: routes.updated_ms() > 0,
        details: serde_json::json!({
            "connected": routes.is_connected(),
            "table_generation": routes.table().generation(),
        }),
    });
    match log_level {
        Some(level) => server.with_log_level(level),
        None => server,
    }
}

/// Opens the listeners and serves until `shutdown`.
///
/// # Errors
/// When listeners, certificates or the access log cannot be used.
pub async fn run(
    config: Config,
    log_level: Option<LogLevel>,
    shutdown: Shutdown,
) -> Result<(), RunError> {
    let access_log = AccessLog::to_stdout().map_err(RunError::AccessLog)?;
    bind(config, access_log, log_level)
        .await?
        .run(shutdown)
        .await
}
