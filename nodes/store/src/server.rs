//! Starting, listening and stopping a storage instance.
//!
//! Invariants: the listener answers `/_wharf/health` (503) from the first moment, everything else only after the journal was
//! replayed; plain HTTP is refused off loopback; stopping drains requests, then closes the journal. Not here: flags (the binary).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use tokio::net::TcpListener;
use tower::Service as _;
use wharf_runtime::clock::Clock;
use wharf_runtime::data_dir::{DataDir, DataDirError};
use wharf_runtime::journal::{AfterFailure, Journal, OpenError, Options, ReadError};
use wharf_runtime::net::{BindError, Limits, TowerToHyperService, bind, serve_plain, serve_tls};
use wharf_runtime::task::{Shutdown, Tasks};
use wharf_runtime::tls::{CertSlot, KeyedCert, TlsError, server_config};
use wharf_store_core::error::EsError;

use crate::auth::{Authenticator, UsersError};
use crate::catalog::Catalog;
use crate::config::{Config, Listener};
use crate::engine::{Cache, Fill, read_record};
use crate::http::App;
use crate::{identity_task, ingest, lifecycle_task, maintenance_task, merge_task};

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
}

/// What the listener serves: nothing but health until the instance is ready.
struct Front {
    app: ArcSwapOption<App>,
    replayed: AtomicUsize,
}

/// A running instance.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    front: Arc<Front>,
    tasks: Tasks,
    serving: tokio::task::JoinHandle<()>,
    stop: Shutdown,
    // Dropped last: it holds the lock on the directory.
    _data_dir: DataDir,
}

fn health(front: &Front) -> Response {
    let ready = front.app.load().is_some();
    let (status, text) = if ready {
        (StatusCode::OK, r#"{"status":"ready"}"#.to_owned())
    } else {
        let replayed = front.replayed.load(std::sync::atomic::Ordering::Relaxed);
        let text = format!(
            r#"{{"status":"starting","reason":"replaying the journal","operations":{replayed}}}"#
        );
        (StatusCode::SERVICE_UNAVAILABLE, text)
    };
    plain(status, text)
}

fn plain(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(
        "x-elastic-product",
        HeaderValue::from_static("Elasticsearch"),
    );
    response
}

async fn front_handler(State(front): State<Arc<Front>>, request: Request) -> Response {
    if request.uri().path() == "/_wharf/health" {
        return health(&front);
    }
    let app = front.app.load_full();
    match app {
        Some(app) => crate::http::handle(State(app), request).await,
        None => {
            let error = EsError::new(
                503,
                "cluster_block_exception",
                "the store is starting: replaying its journal",
            );
            plain(StatusCode::SERVICE_UNAVAILABLE, error.body().to_string())
        }
    }
}

/// Runs an instance until `shutdown`.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), StartError> {
    let running = start(config).await?;
    shutdown.triggered().await;
    running.stop().await;
    Ok(())
}

/// Starts an instance; it is ready when this returns.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let loopback = config.listen.ip().is_loopback();
    if !loopback
        && (matches!(config.listener, Listener::PlainLoopback) || config.users_file.is_none())
    {
        return Err(StartError::NotLoopback(config.listen));
    }
    let data_dir = DataDir::open(&config.data_dir)?;
    let identity = match &config.listener {
        Listener::PlainLoopback => None,
        Listener::Tls { identity } => {
            let cert = KeyedCert::load(identity)?
                .ok_or_else(|| StartError::NoIdentity(identity.display().to_string()))?;
            Some((identity.clone(), CertSlot::new(&cert)))
        }
    };
    let users = config.users_file.clone();
    let auth = Arc::new(Authenticator::open(
        users,
        config.data_dir.join("api_keys.json"),
    )?);
    let listener = bind(config.listen).await?;
    let addr = listener.local_addr().unwrap_or(config.listen);
    let front = Arc::new(Front {
        app: ArcSwapOption::empty(),
        replayed: AtomicUsize::new(0),
    });
    let stop = Shutdown::new();
    let serving = serve(
        listener,
        &front,
        identity.as_ref().map(|(_, slot)| slot),
        &stop,
    )?;

    let opening = {
        let (config, auth, front) = (config.clone(), Arc::clone(&auth), Arc::clone(&front));
        wharf_runtime::task::spawn_blocking("store replay", move || open(config, auth, &front))
    };
    let app = match opening.await {
        Ok(Ok(app)) => Arc::new(app),
        Ok(Err(error)) => {
            stop.trigger();
            return Err(error);
        }
        Err(error) => {
            stop.trigger();
            return Err(StartError::Replay(error.to_string()));
        }
    };
    let tasks = Tasks::new();
    let token = tasks.token();
    tasks.spawn_critical(
        "store maintenance",
        maintenance_task::run(Arc::clone(&app), token.clone()),
    );
    tasks.spawn_critical(
        "store merge",
        merge_task::run(Arc::clone(&app), token.clone()),
    );
    tasks.spawn_critical(
        "store lifecycle",
        lifecycle_task::run(Arc::clone(&app), token.clone()),
    );
    tasks.spawn_critical("store identity", identity_task::run(identity, auth, token));
    front.app.store(Some(app));
    tracing::info!(%addr, version = %config.version, "storage instance ready");
    Ok(Running {
        addr,
        front,
        tasks,
        serving,
        stop,
        _data_dir: data_dir,
    })
}

fn serve(
    listener: TcpListener,
    front: &Arc<Front>,
    slot: Option<&Arc<CertSlot>>,
    stop: &Shutdown,
) -> Result<tokio::task::JoinHandle<()>, StartError> {
    let router = Router::new()
        .fallback(front_handler)
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
            let config = server_config(Arc::clone(slot) as Arc<_>)?;
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

/// Opens what is on disk and replays the journal.
fn open(config: Config, auth: Arc<Authenticator>, front: &Front) -> Result<App, StartError> {
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
    Ok(App::new(config, catalog, auth))
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
            front
                .replayed
                .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let Some(index) = by_uuid.get(uuid) else {
                unknown += 1;
                return;
            };
            let parsed = match op.source {
                None => None,
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
    let replayed = front.replayed.load(std::sync::atomic::Ordering::Relaxed);
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
