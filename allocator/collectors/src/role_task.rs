//! Asks the roles of this host, over their loopback listeners, for health and metrics.
//!
//! Invariants: a role is told of from its first answer on, so that one which the host does not have is
//! no news, and one that stopped answering is; each period gives at most one document per role,
//! whatever they do. Not here: what a document holds (`metricset::role`).

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use wharf_collectors_core::envelope::Reading;
use wharf_collectors_core::exposition::{self, Series};
use wharf_collectors_core::metricset::role::role;
use wharf_collectors_core::{Document, Envelope, PlatformRole};
use wharf_runtime::clock;
use wharf_runtime::net::{ClientOptions, HttpsClient};
use wharf_runtime::task::Shutdown;
use wharf_runtime::tls::{Expect, pinned_client_config};

use crate::config::Config;
use crate::spool::Spool;

/// Longest answer that is read.
const MAX_ANSWER: usize = 1 << 20;
/// How long a role may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);

pub(crate) struct RoleTask {
    pub(crate) config: Arc<Config>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) spool: Spool,
    pub(crate) shutdown: Shutdown,
}

impl RoleTask {
    /// The task.
    pub(crate) async fn run(self) {
        let Some(client) = client() else { return };
        let period = self.config.periods.describe;
        let mut known = HashSet::new();
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.shutdown.run_until(ticks.tick()).await.is_some() {
            let at_ms = clock::now_ms();
            let mut documents = Vec::new();
            for (of, port) in &self.config.roles {
                let answer = ask(&client, *port).await;
                if answer.is_some() {
                    known.insert(*port);
                } else if !known.contains(port) {
                    continue;
                }
                documents.push(document(&self.envelope, *of, answer, at_ms, period));
            }
            if documents.is_empty() {
                continue;
            }
            let count = documents.len();
            if let Err(error) = self.spool.append(documents, false).await {
                // The next answer is as good: a full disk must not make this one pile up.
                self.spool.lost(count);
                tracing::warn!(code = "COL0003", %error, documents = count, "roles' metrics were dropped");
            }
        }
    }
}

fn client() -> Option<HttpsClient> {
    // No TLS on loopback; settings that trust nobody serve plain connections only.
    let options = ClientOptions {
        timeout: DEADLINE,
        ..ClientOptions::default()
    };
    match pinned_client_config([0; 32], Expect::Name) {
        Ok(config) => Some(HttpsClient::new(config, options)),
        Err(error) => {
            tracing::error!(%error, "the roles of this host cannot be asked for their metrics");
            None
        }
    }
}

fn document(
    envelope: &Envelope,
    of: PlatformRole,
    answer: Option<(bool, Vec<Series>)>,
    at_ms: i64,
    period: Duration,
) -> Document {
    let (healthy, series) = answer.unwrap_or_default();
    let reading = Reading {
        at_ms,
        duration_ns: None,
        period_ms: u64::try_from(period.as_millis()).ok(),
    };
    role(of, healthy, &series).document(envelope, None, reading)
}

/// Health and metrics of the role that listens on a port; nothing when none does.
async fn ask(client: &HttpsClient, port: u16) -> Option<(bool, Vec<Series>)> {
    let get = async |path: &str| {
        let request = http::Request::get(format!("http://127.0.0.1:{port}{path}"))
            .body(Full::new(Bytes::new()))
            .ok()?;
        client.fetch(request, MAX_ANSWER).await.ok()
    };
    let health = get("/health").await?;
    let metrics = get("/metrics").await?;
    let text = String::from_utf8_lossy(metrics.body());
    Some((health.status().is_success(), exposition::read(&text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_runtime::health_server::{Health, HealthServer};
    use wharf_runtime::metrics::Metrics;
    use wharf_runtime::net::bind;
    use wharf_runtime::task;

    #[tokio::test]
    async fn a_role_is_asked_for_health_and_metrics_over_its_own_listener() {
        let metrics = Metrics::new().with_process();
        metrics.gauge("wharf_queue", "waiting", &[]).set(4);
        let server = HealthServer::new(metrics, || Health {
            healthy: false,
            details: serde_json::Value::Null,
        });
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shutdown = Shutdown::new();
        let served = task::spawn("health", server.run(listener, shutdown.clone()));
        let client = client().unwrap();
        let (healthy, series) = ask(&client, port).await.unwrap();
        assert!(!healthy);
        let value = |name: &str| {
            let found = series.iter().find(|one| one.name == name);
            found.map(|one| one.value)
        };
        assert_eq!(value("wharf_queue"), Some(4.0));
        assert!(value("process_resident_memory_bytes").is_some_and(|bytes| bytes > 0.0));
        assert!(value("wharf_build_info").is_some(), "its build");
        shutdown.trigger();
        served.await.unwrap();
        assert_eq!(ask(&client, port).await, None, "nobody listens there");
    }
}
