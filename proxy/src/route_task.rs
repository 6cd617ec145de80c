//! The session with a director: says hello, takes the route table and its changes, reports what
//! passes. A lost session is opened again with the next director, jittered and bounded; the table
//! in use serves on meanwhile.

use std::{sync::Arc, time::Duration};

use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};
use wharf_proto::v1::{
    AuthorityOrder, AuthorityReport, AuthorityUse, DeploymentTraffic, ProxyHeartbeat, ProxyHello,
    ProxyReport, RouteOrder, proxy_report::Report, route_order::Order,
};
use wharf_runtime::{
    backoff::Backoff, clock, followed_authority::FollowedAuthority,
    known_directors::KnownDirectors, random, task::Shutdown, telemetry::LogLevel,
};
use wharf_services::v1::route_session_client::RouteSessionClient;

use crate::{config::Config, routes::Routes, traffic::Traffic, upstream::Upstream};

/// Version of the session that this proxy speaks.
const SESSION_VERSION: u32 = 1;
/// Unless the director's welcome says otherwise.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A director that says nothing for this long is left.
const SILENCE: Duration = Duration::from_secs(20);
const MAX_ORDER_BYTES: usize = 256 << 20;

/// What the session needs.
pub(crate) struct RouteTask {
    pub(crate) config: Config,
    pub(crate) directors: KnownDirectors,
    pub(crate) channel: Channel,
    pub(crate) routes: Arc<Routes>,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) authority: Arc<FollowedAuthority>,
    pub(crate) log_level: Option<LogLevel>,
}

impl RouteTask {
    /// Runs until `shutdown`.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut backoff = Backoff::new(200, 10_000);
        loop {
            let ended = shutdown.run_until(self.session(&mut backoff)).await;
            self.routes.set_connected(false);
            let Some(ended) = ended else { return };
            match ended {
                Ok(()) => tracing::info!("the director ended the session"),
                Err(status) => {
                    tracing::warn!(code = ?status.code(), reason = status.message(), "no session with a director");
                }
            }
            self.directors.addresses().skip_current();
            let wait = backoff.next(random::next_u64());
            if shutdown.run_until(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }

    async fn session(&self, backoff: &mut Backoff) -> Result<(), tonic::Status> {
        let (reports, queue) = mpsc::channel(4);
        let hello = ProxyHello {
            session_version: SESSION_VERSION,
            proxy_id: self.config.proxy_id.clone(),
            host: self.config.host.clone(),
            zone: self.config.zone.clone(),
            held_generation: self.routes.table().generation(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        send(&reports, Report::Hello(hello)).await?;
        let mut client = RouteSessionClient::new(self.channel.clone())
            .max_decoding_message_size(MAX_ORDER_BYTES);
        let mut orders = client
            .session(ReceiverStream::new(queue))
            .await?
            .into_inner();
        let mut sequence = 0;
        let mut period = HEARTBEAT;
        loop {
            tokio::select! {
                order = next_order(&mut orders) => {
                    let Some(order) = order? else { return Ok(()) };
                    backoff.reset();
                    self.routes.set_connected(true);
                    if let Some(Order::Welcome(welcome)) = &order.order {
                        period = Duration::from_millis(welcome.heartbeat_interval_ms.clamp(500, 10_000));
                        tracing::info!(director = welcome.director_id, "session with a director");
                        self.directors.learn(&welcome.directors);
                    }
                    self.take(order)?;
                }
                () = tokio::time::sleep(period) => {}
            }
            sequence += 1;
            // A full queue means that the director reads slowly; the next heartbeat says the same.
            let _ = reports.try_send(ProxyReport {
                report: Some(Report::Heartbeat(self.heartbeat(sequence))),
            });
        }
    }

    fn take(&self, order: RouteOrder) -> Result<(), tonic::Status> {
        let now_ms = clock::now_ms();
        let outcome = match order.order {
            Some(Order::Table(table)) => self.routes.replace(table, now_ms),
            Some(Order::Delta(delta)) => self.routes.change(&delta, now_ms),
            Some(Order::LogLevel(level)) => {
                if let Some(log_level) = &self.log_level
                    && let Err(error) = log_level.set(&level.filter)
                {
                    tracing::warn!(%error, "the log level stays");
                }
                return Ok(());
            }
            Some(Order::Authority(order)) => {
                self.follow(&order);
                return Ok(());
            }
            Some(Order::Welcome(_)) => {
                self.welcome(now_ms);
                return Ok(());
            }
            None => {
                self.routes.confirm(now_ms);
                return Ok(());
            }
        };
        match outcome {
            Ok(()) => {
                let table = self.routes.table();
                let known: std::collections::HashSet<&str> = table
                    .routes()
                    .iter()
                    .flat_map(|route| &route.instances)
                    .map(|instance| instance.instance_id.as_str())
                    .collect();
                self.traffic.keep_instances(|id| known.contains(id));
                self.upstream.keep_instances(|id| known.contains(id));
                tracing::debug!(generation = table.generation(), "new route table");
                Ok(())
            }
            // A new session begins with a whole table.
            Err(refused) => {
                tracing::warn!(%refused, "a route table was refused");
                Err(tonic::Status::failed_precondition(refused.to_string()))
            }
        }
    }

    /// One small file is written, and rarely.
    fn follow(&self, order: &AuthorityOrder) {
        let generation = order.generation;
        match self
            .authority
            .take(generation, &order.ca_pem, &order.issuer)
        {
            Ok(()) => tracing::info!(generation, "the platform's authorities are followed"),
            Err(error) => {
                tracing::error!(generation, %error, "authorities are not followed");
            }
        }
    }

    /// Which authorities this proxy follows; none before the first order.
    fn follows(&self) -> Option<AuthorityReport> {
        let own = self.authority.report();
        let shown = self.routes.issuers();
        (own.generation > 0).then(|| AuthorityReport {
            generation: own.generation,
            trusted: own.trusted,
            issuer: own.issuer,
            uses: shown
                .iter()
                .map(|(issuer, alias)| AuthorityUse {
                    name: format!("the certificate of {alias}"),
                    trusted: Vec::new(),
                    issuer: issuer.clone(),
                    pending: issuer.is_empty(),
                })
                .collect(),
        })
    }

    fn welcome(&self, now_ms: i64) {
        self.routes.confirm(now_ms);
        // A level that an earlier session ordered may have been cleared since; where it holds, it is
        // ordered again.
        if let Some(Err(error)) = self.log_level.as_ref().map(LogLevel::reset) {
            tracing::warn!(%error, "the log level stays");
        }
    }

    fn table_age_ms(&self) -> Option<u64> {
        let taken_ms = self.routes.taken_ms();
        // A clock that was set back makes it young, not old.
        (taken_ms > 0).then(|| u64::try_from(clock::now_ms() - taken_ms).unwrap_or(0))
    }

    fn heartbeat(&self, sequence: u64) -> ProxyHeartbeat {
        use std::sync::atomic::Ordering::Relaxed;
        ProxyHeartbeat {
            sequence,
            table_generation: self.routes.table().generation(),
            table_age_ms: self.table_age_ms(),
            requests_total: self.traffic.requests.load(Relaxed),
            errors_total: self.traffic.errors.load(Relaxed),
            authority: self.follows(),
            open_connections: u32::try_from(self.traffic.open.load(Relaxed)).unwrap_or(u32::MAX),
            traffic: self
                .traffic
                .by_deployment()
                .into_iter()
                .map(
                    |(deployment_id, requests_total, errors_total)| DeploymentTraffic {
                        deployment_id,
                        requests_total,
                        errors_total,
                    },
                )
                .collect(),
        }
    }
}

async fn send(reports: &mpsc::Sender<ProxyReport>, report: Report) -> Result<(), tonic::Status> {
    reports
        .send(ProxyReport {
            report: Some(report),
        })
        .await
        .map_err(|_| tonic::Status::unavailable("the session has ended"))
}

async fn next_order(
    orders: &mut Streaming<RouteOrder>,
) -> Result<Option<RouteOrder>, tonic::Status> {
    match tokio::time::timeout(SILENCE, orders.next()).await {
        Ok(Some(order)) => order.map(Some),
        Ok(None) => Ok(None),
        Err(_) => Err(tonic::Status::deadline_exceeded(
            "the director has been silent",
        )),
    }
}

#[cfg(test)]
mod tests {
    use wharf_proto::v1::{LogLevel as Level, RouteWelcome};
    use wharf_runtime::{
        net::{self, Addresses},
        telemetry::{LogFormat, init},
        tls::{
            Authority, CertSlot, Expect, Identity, LeafSpec, ROLE_PROXY, SniTable, client_config,
            install_provider,
        },
    };

    use super::*;

    #[tokio::test]
    async fn a_level_that_was_cleared_while_nobody_was_connected_is_not_kept() {
        install_provider();
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        let platform_id = "f".repeat(32);
        let authority = Authority::create(&platform_id, clock::now_ms()).unwrap();
        let identity = Identity::new(&platform_id, ROLE_PROXY, "x").unwrap();
        let own = authority
            .issue(&LeafSpec::for_identity(identity), clock::now_ms())
            .unwrap();
        let slot = CertSlot::new(&own);
        let followed =
            FollowedAuthority::new(file("ca.pem"), &authority.certs(), Arc::clone(&slot)).unwrap();
        // Nobody listens there: orders are given by hand.
        let addresses = Addresses::new(["127.0.0.1:1".to_owned()]);
        let any = ([127, 0, 0, 1], 0).into();
        let level = init(LogFormat::Json, "warn").unwrap();
        let task = RouteTask {
            config: Config {
                platform_id: platform_id.clone(),
                proxy_id: "x".into(),
                host: "h".into(),
                zone: "z".into(),
                directors: addresses.list(),
                https: any,
                http: None,
                metrics: any,
                identity_path: file("identity.pem"),
                ca_path: file("ca.pem"),
                table_path: file("table.bin"),
            },
            channel: net::channel(
                &addresses,
                client_config(&authority.certs(), Expect::Name, None).unwrap(),
            ),
            directors: KnownDirectors::load(file("directors.json"), &[]),
            routes: Arc::new(Routes::load(file("table.bin"), SniTable::new())),
            traffic: Arc::default(),
            upstream: Arc::new(Upstream::new(
                Arc::clone(followed.trust()),
                slot,
                platform_id,
            )),
            authority: followed,
            log_level: Some(level.clone()),
        };
        let take = |order| task.take(RouteOrder { order: Some(order) }).unwrap();
        let filter = "warn,wharf_proxy=debug".to_owned();
        take(Order::LogLevel(Level { filter }));
        assert_eq!(level.get(), "warn,wharf_proxy=debug");
        // The next session says nothing of a level: there is none any more.
        take(Order::Welcome(RouteWelcome::default()));
        assert_eq!(level.get(), "warn");
    }
}
