//! Asks every storage and monitoring node of this platform on this host, over the socket in its data
//! directory, for health and metrics.
//!
//! Invariants: each period gives one document per instance that the engine lists, whatever it does:
//! one that does not answer is told of as silent, with the reason; few are asked at a time, each answer
//! is bounded in bytes and time, so that one that hangs delays no other for long.
//! Not here: what a document holds (`metricset::instance`), the socket (`wharf_runtime`).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use tokio::sync::watch;
use wharf_collectors_core::envelope::Reading;
use wharf_collectors_core::exposition;
use wharf_collectors_core::metricset::instance::{Heard, health, instance};
use wharf_collectors_core::{
    ContainerContext, ContainerMeta, ContainerState, Document, Envelope, Owner,
};
use wharf_runtime::clock;
use wharf_runtime::metrics_socket::{Silence, read};
use wharf_runtime::task::Shutdown;

use crate::config::Config;
use crate::inventory::Snapshot;
use crate::spool::Spool;

/// Longest text of metrics that is read.
const MAX_METRICS: usize = 256 << 10;
/// Longest answer about health.
const MAX_HEALTH: usize = 16 << 10;
/// How long one of the two answers may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// Instances that are asked at a time.
const AT_ONCE: usize = 8;
/// Instances that are asked in a period; a host holds fewer.
const MAX_INSTANCES: usize = 1_000;

pub(crate) struct InstanceTask {
    pub(crate) config: Arc<Config>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) spool: Spool,
    pub(crate) shutdown: Shutdown,
}

impl InstanceTask {
    /// The task.
    pub(crate) async fn run(self) {
        let Some(dir) = &self.config.instances_dir else {
            return;
        };
        let period = self.config.periods.describe;
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.shutdown.run_until(ticks.tick()).await.is_some() {
            let snapshot = self.snapshots.borrow().clone();
            let platform = &self.config.platform.id;
            let asked = snapshot
                .containers
                .iter()
                .filter_map(|meta| Some((meta, meta.instance_of(platform)?)))
                .take(MAX_INSTANCES)
                .map(|(meta, owner)| self.document(dir, meta, owner, period));
            let documents: Vec<Document> =
                match self.shutdown.run_until(gather(asked.collect())).await {
                    Some(documents) => documents,
                    None => return,
                };
            let count = documents.len();
            if let Err(error) = self.spool.append(documents, false).await {
                // The next answer is as good: a full disk must not make this one pile up.
                self.spool.lost(count);
                tracing::warn!(code = "COL0003", %error, documents = count, "instances' metrics were dropped");
            }
        }
    }

    async fn document(
        &self,
        dir: &Path,
        meta: &ContainerMeta,
        owner: &Owner,
        period: Duration,
    ) -> Document {
        let at_ms = clock::now_ms();
        let heard = match meta.state {
            ContainerState::Running => ask(&dir.join(&owner.instance.id).join("data")).await,
            other => Heard::Silent(format!("its container is {}", other.word())),
        };
        let reading = Reading {
            at_ms,
            duration_ns: None,
            period_ms: u64::try_from(period.as_millis()).ok(),
        };
        instance(&owner.instance.id, &heard).document(
            &self.envelope,
            Some(&ContainerContext::new(meta)),
            reading,
        )
    }
}

async fn gather<F: Future<Output = Document>>(asked: Vec<F>) -> Vec<Document> {
    stream::iter(asked)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// Health and metrics of the instance whose data directory this is.
async fn ask(dir: &Path) -> Heard {
    let told = async {
        let (status, body) = read(dir, "/health", MAX_HEALTH, DEADLINE).await?;
        let (healthy, reason) = health(status.is_success(), &body);
        let (status, text) = read(dir, "/metrics", MAX_METRICS, DEADLINE).await?;
        if !status.is_success() {
            return Err(Silence::Status(status.as_u16()));
        }
        Ok(Heard::Told {
            healthy,
            reason,
            series: exposition::read(&String::from_utf8_lossy(&text)),
        })
    };
    told.await
        .unwrap_or_else(|silence: Silence| Heard::Silent(silence.to_string()))
}
