//! `wharf run`: the processes of a platform. Each sets up its log, reads its files, runs until it is
//! told to stop, and ends with a code that says how: 0 asked to, 1 could not run, 70 broke, 79 removed.

use std::{fmt::Display, future::Future, time::Duration};

use wharf_runtime::{
    systemd,
    task::{self, Shutdown},
    telemetry::{self, LogFormat, LogLevel},
};
use wharf_store::config::{Config as StoreConfig, Listener};

use crate::{
    args::{MonitorArgs, RoleArgs, StoreArgs},
    failure::Failure,
};

/// The platform removed the director, which is not to be started again.
pub(crate) const EXIT_REMOVED: u8 = 79;

/// Runs the director.
pub(crate) fn director(args: &RoleArgs) -> Result<u8, Failure> {
    let level = log()?;
    let mut config =
        wharf_director::Config::from_data_dir(&args.data_dir).map_err(|e| failed(&e))?;
    // Where an allocator is beside it, that one takes a director away that was removed, and its keys.
    config.ends_when_removed = systemd::is_there();
    run("director", 2, |shutdown| async move {
        match wharf_director::run(config, Some(level), shutdown).await {
            Err(wharf_director::RunError::Removed) => {
                tracing::warn!("this director was removed from the platform: its keys go with it");
                wharf_allocator::files::forget_director(&args.data_dir);
                Ok(EXIT_REMOVED)
            }
            other => other.map(|()| 0),
        }
    })
}

/// Runs the allocator.
pub(crate) fn allocator(args: &RoleArgs) -> Result<u8, Failure> {
    let level = log()?;
    let mut config =
        wharf_allocator::config::Config::from_data_dir(&args.data_dir).map_err(|e| failed(&e))?;
    config.log_level = Some(level);
    run("allocator", 2, |shutdown| {
        well(wharf_allocator::run(config, shutdown))
    })
}

/// Runs the proxy.
pub(crate) fn proxy(args: &RoleArgs) -> Result<u8, Failure> {
    let level = log()?;
    let config = wharf_proxy::Config::from_data_dir(&args.data_dir).map_err(|e| failed(&e))?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    run("proxy", threads, |shutdown| {
        well(wharf_proxy::run(config, Some(level), shutdown))
    })
}

/// Runs a storage node.
pub(crate) fn store(args: StoreArgs) -> Result<u8, Failure> {
    let _level = log()?;
    let listener = match &args.secrets_dir {
        Some(dir) => Listener::Tls {
            identity: dir.join("identity.pem"),
        },
        None => Listener::PlainLoopback,
    };
    let node = args.node;
    tracing::info!(
        node = args.instance_name,
        deployment = node.deployment_id,
        resource = node.resource_id,
        platform = node.platform_id,
        "storage node starts"
    );
    let mut config = StoreConfig::new(node.data_dir, node.listen, listener);
    config.users_file = args.secrets_dir.map(|dir| dir.join("users.json"));
    config.memory_bytes = node.memory_bytes;
    config.disk_bytes = node.disk_bytes;
    config.node_name = args.instance_name;
    if !node.instance_id.is_empty() {
        config.node_id = node.instance_id;
    }
    config.cluster_name = node.deployment_name;
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    run("store", threads, |shutdown| {
        well(wharf_store::server::run(config, shutdown))
    })
}

/// Runs a monitoring node.
pub(crate) fn monitor(args: MonitorArgs) -> Result<u8, Failure> {
    let _level = log()?;
    let node = args.node;
    tracing::info!(
        node = args.instance_name,
        instance = node.instance_id,
        deployment = node.deployment_id,
        deployment_name = node.deployment_name,
        resource = node.resource_id,
        platform = node.platform_id,
        "monitoring node starts"
    );
    let config = wharf_monitor::Config {
        data_dir: node.data_dir,
        secrets_dir: args.secrets_dir,
        listen: node.listen,
        instance_name: args.instance_name,
        deployment_id: node.deployment_id,
        deployment_name: node.deployment_name,
        memory_bytes: node.memory_bytes,
        disk_bytes: node.disk_bytes,
        // What waits is in memory, too.
        ledger_bytes: (node.memory_bytes / 8).min(node.disk_bytes / 2),
    };
    run("monitor", 2, |shutdown| {
        well(wharf_monitor::run(config, shutdown))
    })
}

/// The role's log: `WHARF_LOG` filters it, `WHARF_LOG_FORMAT` is `text` or `json`.
fn log() -> Result<LogLevel, Failure> {
    task::install_panic_hook();
    let format = match std::env::var("WHARF_LOG_FORMAT") {
        Ok(text) if !text.is_empty() => text.parse::<LogFormat>().map_err(|e| failed(&e))?,
        _ => LogFormat::Text,
    };
    let filter = std::env::var("WHARF_LOG")
        .ok()
        .filter(|text| !text.is_empty());
    telemetry::init(format, filter.as_deref().unwrap_or("info")).map_err(|e| failed(&e))
}

/// What ends without an error ends with 0.
async fn well<E>(role: impl Future<Output = Result<(), E>>) -> Result<u8, E> {
    role.await.map(|()| 0)
}

fn run<F, R, E>(role: &str, threads: usize, start: F) -> Result<u8, Failure>
where
    F: FnOnce(Shutdown) -> R,
    R: Future<Output = Result<u8, E>>,
    E: Display,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| failed(&error))?;
    let outcome = runtime.block_on(async {
        let shutdown = Shutdown::new();
        let asked = shutdown.clone();
        task::spawn("signals", async move {
            match task::termination_signal().await {
                Ok(()) => tracing::info!("asked to stop"),
                Err(error) => tracing::error!(%error, "signals cannot be received"),
            }
            asked.trigger();
        });
        start(shutdown).await
    });
    // Threads that still wait for something must not hold the process.
    runtime.shutdown_timeout(Duration::from_secs(5));
    outcome.map_err(|error| {
        tracing::error!(%error, "the {role} cannot run");
        failed(&error)
    })
}

fn failed(error: &dyn Display) -> Failure {
    Failure::new("", error.to_string(), "")
}
