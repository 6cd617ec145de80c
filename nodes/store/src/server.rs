//! Starting, listening and stopping a storage instance.
//!
//! Invariants: the listener answers `/_wharf/health` (503) from the first moment, everything else only after the journal was
//! replayed (and the data came, where it is brought from elsewhere or from a snapshot); plain HTTP is refused off loopback; stopping drains requests, then closes the journal. Not here: flags (the binary).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use tokio::net::TcpListener;
use tower::Service as _;
use wharf_runtime::clock::Clock;
use wharf_runtime::data_dir::{DataDir, DataDirError};
use wharf_runtime::health_server::HealthServer;
use wharf_runtime::journal::{AfterFailure, Journal, OpenError, Options, ReadError};
use wharf_runtime::metrics_socket;
use wharf_runtime::net::{BindError, Limits, TowerToHyperService, bind, serve_plain, serve_tls};
use wharf_runtime::task::{Shutdown, Tasks};
use wharf_runtime::tls::{
    CertSlot, KeyedCert, TlsError, following_open_server_config, server_config,
};
use wharf_store_core::error::EsError;

use crate::auth::{Authenticator, UsersError};
use crate::catalog::Catalog;
use crate::config::{Config, Listener};
use crate::engine::{Cache, Fill, read_record};
use crate::front::{self, Front};
use crate::handover::{Own, Place, Start, target_task};
use crate::http::App;
use crate::metrics::StoreMetrics;
use crate::snapshots::{restore_task, snapshot_task};
use crate::{announce_task, identity_task, ingest, lifecycle_task, maintenance_task, merge_task};

/// A storage instance cannot start.
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
    /// Plain HTTP on an address that others reach, or without users.
    #[error(
        "{0} is not a loopback address: plain HTTP and missing users are for loopback only; configure TLS and a users file"
    )]
    NotLoopback(SocketAddr),
    /// Users or keys are not usable.
    #[error(transparent)]
    Users(#[from] UsersError),
    /// The journal cannot be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The journal cannot be read.
    #[error(
        "cannot replay the journal: {0}; restore a snapshot or move the journal directory aside"
    )]
    Replay(String),
    /// What is stored cannot be read.
    #[error("cannot open the stored indices: {0}")]
    Catalog(EsError),
    /// What was written down of a move cannot be read.
    #[error(
        "cannot read how far the data was moved: {0}; restore the file or move the data directory aside"
    )]
    Moving(std::io::Error),
}

/// A running instance.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    front: Arc<Front>,
    tasks: Arc<Tasks>,
    serving: tokio::task::JoinHandle<()>,
    stop: Shutdown,
    // Dropped last: it holds the lock on the directory.
    _data_dir: DataDir,
}

/// Runs an instance until `shutdown`.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), StartError> {
    let running = start(config).await?;
    shutdown.triggered().await;
    running.stop().await;
    Ok(())
}

/// Starts an instance; it is ready when this returns, or its data is on its way here, or elsewhere.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let loopback = config.listen.ip().is_loopback();
    if !loopback
        && (matches!(config.listener, Listener::PlainLoopback) || config.users_file.is_none())
    {
        return Err(StartError::NotLoopback(config.listen));
    }
    let data_dir = DataDir::open(&config.data_dir)?;
    let (identity, own) = match &config.listener {
        Listener::PlainLoopback => (None, None),
        Listener::Tls { identity } => {
            let cert = KeyedCert::load(identity)?
                .ok_or_else(|| StartError::NoIdentity(identity.display().to_string()))?;
            let slot = CertSlot::new(&cert);
            let own = match config.secrets_dir() {
                Some(secrets) => Own::of(&cert, &slot, secrets)?,
                None => None,
            };
            (Some((identity.clone(), slot)), own)
        }
    };
    let trust = own.as_ref().zip(config.secrets_dir());
    let trust = trust.map(|(own, secrets)| (secrets.join("ca.pem"), Arc::clone(&own.trust)));
    let users = config.users_file.clone();
    let auth = Arc::new(Authenticator::open(users, config.keys_file())?);
    let metrics = StoreMetrics::new(&config);
    let (place, found) = Place::open(&config, own, metrics.clone()).map_err(StartError::Moving)?;
    let listener = bind(config.listen).await?;
    let addr = listener.local_addr().unwrap_or(config.listen);
    let front = Front::new(Arc::clone(&auth), Arc::clone(&place));
    let stop = Shutdown::new();
    let slot = identity.as_ref().map(|(_, slot)| slot);
    let serving = serve(listener, &front, slot, &stop)?;
    tell(&config, &front, &metrics, &stop);
    let tasks = Arc::new(Tasks::new());
    // At loopback nobody comes over a bridge.
    if addr.ip().is_unspecified() {
        tasks.spawn("store announcement", announce_task::run(tasks.token()));
    }
    let launch = Arc::new(Launch {
        config,
        front: Arc::clone(&front),
        tasks: Arc::clone(&tasks),
    });
    match found {
        Start::Serve => match launch.open().await {
            Ok(app) => {
                launch.serve(app);
                tracing::info!(%addr, version = %launch.config.version, "storage instance ready");
            }
            Err(error) => {
                stop.trigger();
                tasks.shutdown().await;
                return Err(error);
            }
        },
        Start::Copy(kept) => {
            let copying = target_task::run(place, kept, launch, tasks.token());
            tasks.spawn_critical("store copy", copying);
            tracing::info!(%addr, "storage instance brings its data from its old place");
        }
        Start::Restore(kept) => {
            let restoring = restore_task::run(place, kept, launch, tasks.token());
            tasks.spawn_critical("store restore", restoring);
            tracing::info!(%addr, "storage instance begins from its last snapshot");
        }
        Start::PassOn(marker) => {
            tracing::info!(%addr, to = %marker.to, "storage instance passes requests on: its data went");
        }
    }
    tasks.spawn_critical(
        "store identity",
        identity_task::run(identity, trust, auth, tasks.token()),
    );
    Ok(Running {
        addr,
        front,
        tasks,
        serving,
        stop,
        _data_dir: data_dir,
    })
}

/// Opens the store and begins to serve it, at the start or when its data has come.
pub(crate) struct Launch {
    config: Config,
    front: Arc<Front>,
    tasks: Arc<Tasks>,
}

impl Launch {
    /// Opens what is on disk and replays the journal. Nothing is changed by itself yet.
    pub(crate) async fn open(&self) -> Result<Arc<App>, StartError> {
        let (config, front) = (self.config.clone(), Arc::clone(&self.front));
        let opening =
            wharf_runtime::task::spawn_blocking("store replay", move || open(config, &front));
        match opening.await {
            Ok(app) => app.map(Arc::new),
            Err(error) => Err(StartError::Replay(error.to_string())),
        }
    }

    /// Serves what was opened and keeps it bounded from now on.
    pub(crate) fn serve(&self, app: Arc<App>) {
        app.metrics.watch(&app);
        let token = self.tasks.token();
        self.tasks.spawn_critical(
            "store maintenance",
            maintenance_task::run(Arc::clone(&app), token.clone()),
        );
        self.tasks.spawn_critical(
            "store merge",
            merge_task::run(Arc::clone(&app), token.clone()),
        );
        self.tasks.spawn_critical(
            "store lifecycle",
            lifecycle_task::run(Arc::clone(&app), token.clone()),
        );
        self.tasks.spawn_critical(
            "store snapshots",
            snapshot_task::run(Arc::clone(&app), token),
        );
        self.front.app.store(Some(app));
    }
}

/// Tells health and metrics on the socket in the data directory.
fn tell(config: &Config, front: &Arc<Front>, metrics: &StoreMetrics, stop: &Shutdown) {
    let front = Arc::downgrade(front);
    let server = HealthServer::new(metrics.registry.clone(), move || Front::state(&front));
    match metrics_socket::listen(&config.data_dir) {
        Ok(listener) => drop(wharf_runtime::task::spawn(
            "store metrics",
            metrics_socket::serve(listener, server, stop.clone()),
        )),
        // Clients are served all the same.
        Err(error) => {
            tracing::error!(%error, dir = %config.data_dir.display(), "health and metrics are not told: the data directory takes no socket")
        }
    }
}

fn serve(
    listener: TcpListener,
    front: &Arc<Front>,
    slot: Option<&Arc<CertSlot>>,
    stop: &Shutdown,
) -> Result<tokio::task::JoinHandle<()>, StartError> {
    let router = Router::new()
        .fallback(front::handle)
        .with_state(Arc::clone(front));
    let factory = move |_: &wharf_runtime::net::PeerInfo| {
        let mut router = router.clone();
        TowerToHyperService::new(tower::service_fn(move |request| router.call(request)))
    };
    let limits = Limits {
        max_connections: 2000,
        ..Limits::default()
    };
    let stop = stop.clone();
    Ok(match slot {
        Some(slot) => {
            let certs = Arc::clone(slot) as Arc<_>;
            // Clients show no certificate; the instance's other place does.
            let config = match &front.place.own {
                Some(own) => following_open_server_config(certs, &own.trust)?,
                None => server_config(certs)?,
            };
            wharf_runtime::task::spawn(
                "store listener",
                serve_tls(listener, config, factory, stop, limits),
            )
        }
        None => wharf_runtime::task::spawn(
            "store listener",
            serve_plain(listener, factory, stop, limits),
        ),
    })
}

/// Opens the journal and the catalog and replays what is not sealed. Blocks.
fn open(config: Config, front: &Front) -> Result<App, StartError> {
    // Of a copy the keys came with the data.
    front.auth.reload_keys()?;
    front.replayed.store(0, Ordering::Relaxed);
    let options = Options {
        segment_bytes: config.journal_bytes() / 8,
        max_waiting_bytes: config.inflight_bytes() * 2 + 64 * 1024 * 1024,
        compress: true,
        // A write is applied before it is durable: see `engine/shard.rs`.
        after_failure: AfterFailure::Keep,
    };
    let (journal, recovery) = Journal::open(config.data_dir.join("journal"), options)?;
    if recovery.cut_bytes > 0 {
        tracing::warn!(
            bytes = recovery.cut_bytes,
            "a half-written end of the journal was cut off; nothing acknowledged was in it"
        );
    }
    for damage in &recovery.damage {
        tracing::error!(
            ?damage,
            "acknowledged writes in the journal cannot be read any more"
        );
    }
    let cache = Arc::new(Cache::new(config.cache_bytes()));
    let catalog =
        Catalog::open(&config, journal, cache, Clock::system()).map_err(StartError::Catalog)?;
    replay(&catalog, &config, front)?;
    let (auth, place) = (Arc::clone(&front.auth), Arc::clone(&front.place));
    let metrics = place.metrics.clone();
    Ok(App::new(config, catalog, auth, metrics, place))
}

fn replay(catalog: &Catalog, config: &Config, front: &Front) -> Result<(), StartError> {
    let by_uuid: std::collections::HashMap<String, _> = catalog
        .indices()
        .into_iter()
        .map(|i| (i.uuid.clone(), i))
        .collect();
    let mut unknown = 0u64;
    let mut failed: Option<String> = None;
    for record in catalog.journal.read_from(0) {
        let (seq, bytes) = match record {
            Ok(record) => record,
            Err(error @ ReadError::Damaged { .. }) => {
                tracing::error!(%error, "a part of the journal is lost");
                continue;
            }
            Err(error) => return Err(StartError::Replay(error.to_string())),
        };
        let read = read_record(&bytes, |uuid, op| {
            front.replayed.fetch_add(1, Ordering::Relaxed);
            let Some(index) = by_uuid.get(uuid) else {
                unknown += 1;
                return;
            };
            let parsed = match op.source {
                None => None,
                // In a file already: reading it again would be for nothing.
                _ if index.shard.is_sealed(op.seq) => return,
                Some(source) => match ingest::parse(index, op.id.unwrap_or_default(), source) {
                    Ok(parsed) => Some(parsed),
                    Err(error) => {
                        // It was accepted once: keep the document, findable by id at least.
                        tracing::error!(index = %index.name, seq = op.seq, %error, "a journaled document no longer fits its mapping");
                        Some(ingest::Parsed {
                            mapping: index.mapping(),
                            leaves: Vec::new(),
                        })
                    }
                },
            };
            let fill = parsed.as_ref().map(|p| p as &dyn Fill);
            if let Err(error) = index.shard.replay(&op, fill, seq) {
                failed = Some(error.to_string());
            }
        });
        if let Err(error) = read {
            return Err(StartError::Replay(error.to_string()));
        }
        if let Some(error) = failed {
            return Err(StartError::Replay(error));
        }
        for index in by_uuid.values() {
            if index.shard.fresh_bytes() > config.memtable_bytes() {
                index
                    .shard
                    .seal()
                    .map_err(|e| StartError::Replay(e.to_string()))?;
            }
        }
    }
    let replayed = front.replayed.load(Ordering::Relaxed);
    tracing::info!(
        operations = replayed,
        of_deleted_indices = unknown,
        "journal replayed"
    );
    Ok(())
}

impl Running {
    /// Stops accepting, lets running requests end, closes the journal.
    pub async fn stop(self) {
        self.stop.trigger();
        let _ = self.serving.await;
        self.tasks.shutdown().await;
        if let Some(app) = self.front.app.swap(None) {
            app.catalog.journal.close().await;
        }
        tracing::info!("storage instance stopped");
    }

    /// Ends at once without flushing anything, as a crash would.
    pub async fn kill(self) {
        self.serving.abort();
        self.stop.trigger();
        self.tasks.shutdown().await;
        self.front.app.store(None);
    }

    /// Does one round of rollover, retention and the disk guard now.
    pub async fn run_lifecycle(&self) {
        if let Some(app) = self.front.app.load_full() {
            let work = wharf_runtime::task::spawn_blocking("store lifecycle", move || {
                lifecycle_task::guard(&app);
                lifecycle_task::lifecycle(&app);
            });
            let _ = work.await;
        }
    }
}
