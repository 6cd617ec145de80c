//! Starts the collectors and ends them in order.
//!
//! Invariants: sources end before the shipper, so that what they read last is in the spool; the
//! cursor and the log offsets are written at the end.
//! Not here: what each of them does.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wharf_collectors_core::Envelope;
use wharf_runtime::task::{Shutdown, Tasks, spawn_blocking};

use crate::config::Config;
use crate::counters::Counters;
use crate::destination::Destination;
use crate::event_task::EventTask;
use crate::instance_task::InstanceTask;
use crate::inventory::Inventory;
use crate::journald_task::JournaldTask;
use crate::latest::LatestSamples;
use crate::log_task::LogTask;
use crate::role_task::RoleTask;
use crate::sampler::Sampler;
use crate::sampler_task::SamplerTask;
use crate::shipper_task::Shipper;
use crate::spool::{Spool, SpoolError};
use crate::tail::Registry;

/// Why the collectors could not start.
#[derive(Debug, thiserror::Error)]
pub enum CollectorsError {
    /// The data directory.
    #[error("the collectors' data directory cannot be used: {0}; check that it can be written")]
    Directory(#[from] io::Error),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// Runs the collectors until the end is asked for.
///
/// # Errors
/// When their data directory cannot be used.
pub async fn run(
    config: Config,
    inventory: Inventory,
    destination: watch::Receiver<Option<Destination>>,
    latest: LatestSamples,
    counters: Arc<Counters>,
    shutdown: Shutdown,
) -> Result<(), CollectorsError> {
    let config = Arc::new(config);
    let envelope = Arc::new(envelope(&config));
    let spool = open(Arc::clone(&config), Arc::clone(&counters)).await?;
    let registry = open_offsets(&config, "log-offsets.json").await?;

    let sources_end = EndOnDrop(shutdown.child());
    let sources = Tasks::with_shutdown(sources_end.0.clone()).with_deadline(Duration::from_secs(5));
    let shipping = Tasks::new().with_deadline(Duration::from_secs(5));
    let sampler = SamplerTask {
        sampler: Sampler::new(Arc::clone(&config), Arc::clone(&envelope)),
        envelope: Arc::clone(&envelope),
        config: Arc::clone(&config),
        snapshots: inventory.snapshots.clone(),
        spool: spool.clone(),
        latest,
        counters: Arc::clone(&counters),
        shutdown: sources.token(),
    };
    sources.spawn("sampler", sampler.run());
    sources.spawn("zone", {
        let (mut zone, envelope) = (config.zone.clone(), Arc::clone(&envelope));
        let end = sources.token();
        async move {
            while let Some(Ok(())) = end.run_until(zone.changed()).await {
                envelope.set_zone(&zone.borrow_and_update());
            }
        }
    });
    let events = EventTask {
        envelope: Arc::clone(&envelope),
        events: inventory.events,
        with_exec: config.exec_events,
        spool: spool.clone(),
        shutdown: sources.token(),
    };
    sources.spawn("engine-events", events.run());
    let roles = RoleTask {
        config: Arc::clone(&config),
        envelope: Arc::clone(&envelope),
        spool: spool.clone(),
        shutdown: sources.token(),
    };
    sources.spawn("roles", roles.run());
    let instances = InstanceTask {
        config: Arc::clone(&config),
        envelope: Arc::clone(&envelope),
        snapshots: inventory.snapshots.clone(),
        spool: spool.clone(),
        shutdown: sources.token(),
    };
    sources.spawn("instances", instances.run());
    if !config.journal_roots.is_empty() {
        let journald = JournaldTask {
            registry: open_offsets(&config, "journal-offsets.json").await?,
            config: Arc::clone(&config),
            envelope: Arc::clone(&envelope),
            spool: spool.clone(),
            counters: Arc::clone(&counters),
            shutdown: sources.token(),
        };
        sources.spawn("journald", journald.run());
    }
    let logs = LogTask {
        config,
        envelope,
        registry,
        snapshots: inventory.snapshots,
        spool: spool.clone(),
        counters: Arc::clone(&counters),
        shutdown: sources.token(),
    };
    sources.spawn("logs", logs.run());
    let shipper = Shipper::new(spool.clone(), destination, counters, shipping.token());
    shipping.spawn("shipper", shipper.run());

    // Should this future be dropped, the shipper must not go on without its sources.
    let _end = EndOnDrop(shipping.token());
    shutdown.triggered().await;
    sources.shutdown().await;
    shipping.shutdown().await;
    spool.close().await;
    Ok(())
}

struct EndOnDrop(Shutdown);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.trigger();
    }
}

/// The parts of every document that this configuration fixes.
pub(crate) fn envelope(config: &Config) -> Envelope {
    Envelope::new(
        &config.host,
        &config.agent,
        &config.platform,
        &config.zone.borrow(),
        &config.engine_address,
    )
}

async fn open(config: Arc<Config>, counters: Arc<Counters>) -> Result<Spool, CollectorsError> {
    let work = spawn_blocking("collectors-open", move || {
        std::fs::create_dir_all(&config.data_dir)?;
        let spool = Spool::open(config.data_dir.clone(), config.spool_bytes, counters)?;
        Ok(spool)
    });
    work.await.map_err(io::Error::other)?
}

async fn open_offsets(config: &Config, name: &str) -> Result<Registry, CollectorsError> {
    let path = config.data_dir.join(name);
    let work = spawn_blocking("offsets-open", move || Registry::open(path));
    Ok(work.await.map_err(io::Error::other)??)
}
