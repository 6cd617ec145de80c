//! `wharf run`: the processes of a platform. Each sets up its log, reads its files, runs until it is
//! told to stop, and ends with a code that says how: 0 asked to, 1 could not run, 70 broke.

use std::{fmt::Display, future::Future, time::Duration};

use wharf_runtime::{
    task::{self, Shutdown},
    telemetry::{self, LogFormat, LogLevel},
};
use wharf_store::config::{Config as StoreConfig, Listener};

use crate::{
    args::{MonitorArgs, RoleArgs, StoreArgs},
    failure::Failure,
};

/// Runs the director.
pub(crate) fn director(args: &RoleArgs) -> Result<u8, Failure> {
    let level = log()?;
    let config = wharf_director::Config::from_data_dir(&args.data_dir).map_err(|e| failed(&e))?;
    run("director", 2, |shutdown| {
        wharf_director::run(config, Some(level), shutdown)
    })
}

/// Runs the allocator.
pub(crate) fn allocator(args: &RoleArgs) -> Result<u8, Failure> {
    let level = log()?;
    let mut config =
        wharf_allocator::config::Config::from_data_dir(&args.data_dir).map_err(|e| failed(&e))?;
    config.log_level = Some(level);
    run("allocator", 2, |shutdown| {
        wharf_allocator::run(config, shutdown)
    })
}

/// Runs the proxy.
pub(crate) fn proxy(args: &RoleArgs) -> Result<u8, Failure> {
    let level = log()?;
    let config = wharf_proxy::Config::from_data_dir(&args.data_dir).map_err(|e| failed(&e))?;
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    run("proxy", threads, |shutdown| {
        wharf_proxy::run(config, Some(level), shutdown)
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
    let mut config = StoreConfig::new(args.data_dir, args.listen, listener);
    config.users_file = args.secrets_dir.map(|dir| dir.join("users.json"));
    config.memory_bytes = args.memory_bytes;
    config.disk_bytes = args.disk_bytes;
    config.node_name = args.instance_name;
    if !args.instance_id.is_empty() {
        config.node_id = args.instance_id;
    }
    config.cluster_name = args.deployment_name;
    tracing::info!(
        node = config.node_name,
        deployment = args.deployment_id,
        resource = args.resource_id,
        platform = args.platform_id,
        "storage node starts"
    );
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    run("store", threads, |shutdown| {
        wharf_store::server::run(config, shutdown)
    })
}

/// Runs a monitoring node.
pub(crate) fn monitor(args: MonitorArgs) -> Result<u8, Failure> {
    let _level = log()?;
    tracing::info!(
        node = args.instance_name,
        instance = args.instance_id,
        deployment = args.deployment_id,
        deployment_name = args.deployment_name,
        resource = args.resource_id,
        platform = args.platform_id,
        "monitoring node starts"
    );
    let config = wharf_monitor::Config {
        data_dir: args.data_dir,
        secrets_dir: args.secrets_dir,
        listen: args.listen,
        instance_name: args.instance_name,
        // What waits is in memory, too.
        ledger_bytes: (args.memory_bytes / 8).min(args.disk_bytes / 2),
    };
    run("monitor", 2, |shutdown| {
        wharf_monitor::run(config, shutdown)
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

fn run<F, R, E>(role: &str, threads: usize, start: F) -> Result<u8, Failure>
where
    F: FnOnce(Shutdown) -> R,
    R: Future<Output = Result<(), E>>,
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
    outcome.map(|()| 0).map_err(|error| {
        tracing::error!(%error, "the {role} cannot run");
        failed(&error)
    })
}

fn failed(error: &dyn Display) -> Failure {
    Failure::new("", error.to_string(), "")
}
