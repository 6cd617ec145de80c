//! The director: one Raft member, the leader's tasks, the API.
//!
//! - [`config`]: files and addresses; [`director`]: what all parts share; [`bootstrap`]: first commands
//! - [`raft`], [`machine`], [`propose`]: the log, the state it makes, the one way to change it
//! - [`join`], [`peers`], [`living`], [`relay`]: becoming a member, where the others are, calls passed on to the leader
//! - `removed`: that this director does not belong to the platform any more
//! - [`auth`], [`logins`], [`tokens`], [`browser`], [`refused_logins`], [`refused_calls`]: who may what
//! - [`secrets`], [`certificates`], [`channels`]: what is sealed, and kept from whom; [`authority_task`]
//! - [`server`], [`api`], [`sessions`]: listeners, methods for people, streams of roles
//! - [`monitoring`]: calls that are passed on to the monitoring nodes of deployments
//! - [`observations`], [`event_log`], [`leader`]: the leader's memory and the tasks that decide from it
//!
//! Invariants: what is decided goes through Raft, what is observed never does.
//! Not here: what commands and plans mean (`wharf-director-core`), how containers run (the allocator).

pub mod answer;
pub mod api;
pub mod auth;
pub mod authority_task;
pub mod bootstrap;
pub mod browser;
pub mod certificates;
pub mod channels;
pub mod codes;
pub mod config;
mod credentials;
mod deadline;
pub mod describe_task;
pub mod director;
pub mod enrollment_tokens;
pub mod event_log;
pub mod join;
pub mod leader;
pub mod living;
mod login_body;
pub mod logins;
pub mod machine;
pub mod monitoring;
pub mod observations;
mod peer_task;
pub mod peers;
pub mod peers_task;
pub mod propose;
pub mod raft;
pub mod refused_calls;
pub mod refused_logins;
pub mod relay;
mod removed;
pub mod repositories;
pub mod secrets;
pub mod server;
pub mod sessions;
pub mod templates;
pub mod tokens;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch};
use wharf_director_core::state::{DirectorFacts, FEATURE_LEVEL};
use wharf_runtime::{
    clock::Clock,
    data_dir::{DataDir, DataDirError},
    delivery::{Policy, Post},
    followed_authority::FollowedAuthority,
    net::host_port,
    random,
    renewal_task::Renewal,
    systemd,
    task::{self, Shutdown, Tasks},
    telemetry::LogLevel,
    tls::{self, CertSlot, IDENTITY_FILE, Identity, KeyedCert, ROLE_DIRECTOR, TlsError},
};

pub use self::config::{Config, ConfigError};
use self::{
    auth::Rules,
    certificates::{CertificateError, Certificates},
    director::Director,
    event_log::SharedEvents,
    join::Log,
    logins::Logins,
    machine::{DirectorMachine, Published},
    monitoring::MonitoringCalls,
    observations::Observatory,
    peers::Peers,
    propose::Proposer,
    raft::{MemberConfig, PeerOutbox, StoreError, StoreOpenError, member_task},
    refused_calls::RefusedCalls,
    refused_logins::RefusedLogins,
    secrets::{PlatformKey, SecretError},
};

/// How long another director may take to lead when this one stops.
const HAND_OVER: Duration = Duration::from_secs(2);

/// Why a director cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its directory is in use or unusable.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The Raft store cannot be opened.
    #[error(transparent)]
    OpenStore(#[from] StoreOpenError),
    /// The Raft store cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The Raft member cannot start.
    #[error(transparent)]
    Member(#[from] member_task::StartError),
    /// A file cannot be read or written.
    #[error("the director's files cannot be used: {0}; check the disk and who owns them")]
    Files(#[from] io::Error),
    /// It was to end before it was a member.
    #[error("the director was stopped before it was a member")]
    Stopped,
    /// It was removed from the platform, and nobody beside it ends it.
    #[error("this director was removed from the platform")]
    Removed,
    /// The platform key cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The authority cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The identity cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no identity, or it is somebody else's.
    #[error("{0} is not this director's identity; run `wharf up` again")]
    Identity(String),
    /// The shipped templates are broken.
    #[error(transparent)]
    Templates(#[from] templates::TemplatesError),
    /// The contracts are broken.
    #[error(transparent)]
    Access(#[from] wharf_proto::access::AccessError),
    /// The services are broken.
    #[error(transparent)]
    Server(#[from] server::ServerError),
    /// An address is taken or not this host's.
    #[error("cannot listen on {address}: {source}; stop what uses the port or choose another base")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A director that runs.
pub struct Running {
    /// Its parts.
    pub director: Arc<Director>,
    /// Where people's clients connect.
    pub admin: SocketAddr,
    /// Where roles connect.
    pub internal: SocketAddr,
    /// Health and metrics.
    pub metrics: SocketAddr,
    tasks: Tasks,
    _lock: DataDir,
}

impl Running {
    /// Hands leadership over, ends its tasks, then its Raft member.
    pub async fn stop(self) {
        let mut status = self.director.raft.status();
        let successor = api::directors::successor(&status.borrow());
        if let Some(successor) = successor.filter(|_| self.director.leads()) {
            self.director.raft.transfer_leader(successor);
            let over = status.wait_for(|now| now.leader != Some(now.member));
            if tokio::time::timeout(HAND_OVER, over).await.is_err() {
                tracing::warn!("nobody took over leadership in time");
            }
        }
        self.tasks.shutdown().await;
        self.director.raft.stop().await;
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), RunError> {
    let failed = |source| RunError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Runs a director until `shutdown`.
///
/// # Errors
/// When it cannot start. A Raft member that fails later ends the process.
pub async fn run(
    config: Config,
    log_level: Option<LogLevel>,
    shutdown: Shutdown,
) -> Result<(), RunError> {
    let ends_when_removed = config.ends_when_removed;
    let running = match start(config, log_level, shutdown.child()).await {
        Err(RunError::Stopped) => return Ok(()),
        started => started?,
    };
    systemd::ready();
    let director = Arc::clone(&running.director);
    let outcome = tokio::select! {
        () = shutdown.triggered() => Ok(()),
        () = removed::seen(director), if ends_when_removed => Err(RunError::Removed),
    };
    tracing::info!("the director ends");
    running.stop().await;
    outcome
}

/// Starts a director and returns once it listens.
///
/// # Errors
/// When a file is unusable, an address is taken, or the log cannot be opened.
pub async fn start(
    config: Config,
    log_level: Option<LogLevel>,
    shutdown: Shutdown,
) -> Result<Running, RunError> {
    start_with(config, log_level, shutdown, Rules::of_contracts()?).await
}

/// The same with other rules of access than those of the contracts.
///
/// # Errors
/// As [`start`].
pub async fn start_with(
    config: Config,
    log_level: Option<LogLevel>,
    shutdown: Shutdown,
    rules: Rules,
) -> Result<Running, RunError> {
    let lock = DataDir::open(config.own(""))?;
    let identity_path = config.own(IDENTITY_FILE);
    let identity = own_identity(&config)?;
    let slot = CertSlot::new(&identity);
    let (admin_listener, admin) = listen(config.admin_listen).await?;
    let (internal_listener, internal) = listen(config.internal_listen).await?;
    let (metrics_listener, metrics) = listen(config.metrics_listen).await?;
    let facts = facts(&config, admin, internal);
    let log = join::settle(&config, &slot, &facts, &shutdown).await?;
    let key = PlatformKey::load(&config.own("platform.key"))?;
    let certificates = Certificates::load(
        &config.own("ca/authority.pem"),
        config.platform_id.as_str(),
        key.clone(),
    )?;
    let admin_tls = tls::server_config(slot.clone())?;
    let (trusted, generation) = certificates.at_start();
    let authority =
        FollowedAuthority::new(config.data_dir.join("ca.pem"), trusted, Arc::clone(&slot))?;
    authority.begin_at(generation);
    let internal_tls = tls::following_server_config(slot.clone(), authority.trust())?;
    let peers = Peers::load(
        config.own("group.json"),
        config.platform_id.to_string(),
        Arc::clone(authority.trust()),
        Arc::clone(&slot),
    );

    let monitoring = MonitoringCalls::new(
        config.platform_id.to_string(),
        Arc::clone(authority.trust()),
    );
    let published = Arc::new(Published::default());
    let outbox = PeerOutbox::new();
    let moved_aside = log.moved_aside.clone();
    let note = config.own(join::LOST);
    let raft = start_member(log, note, outbox.clone(), Arc::clone(&published)).await?;
    let clock = Clock::system();
    let director = Arc::new(Director {
        proposer: Proposer::new(raft.clone(), Arc::clone(&published), clock.clone()),
        clock,
        raft,
        published,
        peers: Arc::new(peers),
        facts,
        moved_aside,
        told_removed: watch::Sender::new(false),
        changing: tokio::sync::Mutex::default(),
        seen: Observatory::default(),
        key,
        authority,
        restated: tokio::sync::Notify::new(),
        monitoring,
        certificates,
        logins: Logins::new()?,
        refused_logins: RefusedLogins::default(),
        refused_calls: RefusedCalls::default(),
        events: SharedEvents::default(),
        catalog: templates::shipped()?,
        streams: api::streams::StreamTable::default(),
        leading: watch::Sender::new(None),
        log_level,
        shutdown: shutdown.clone(),
        config,
    });

    let tasks = Tasks::with_shutdown(shutdown.clone());
    let of = || Arc::clone(&director);
    tasks.spawn_critical("leadership", leader::leadership_task::run(of()));
    tasks.spawn_critical("directors", leader::directors_task::run(of()));
    tasks.spawn_critical("peers", peers_task::run(of(), outbox));
    tasks.spawn_critical("authority", authority_task::run(of()));
    tasks.spawn_critical("authority change", leader::authority_task::run(of()));
    tasks.spawn_critical("describe", describe_task::run(of()));
    tasks.spawn_critical("planner", leader::planner_task::run(of()));
    tasks.spawn_critical("relief", leader::relief_task::run(of()));
    tasks.spawn_critical("executor", leader::executor_task::run(of()));
    tasks.spawn_critical("health", leader::health_task::run(of()));
    tasks.spawn_critical("events", leader::events_task::run(of()));
    let post = Post::new(tasks.clone(), Policy::default(), random::next_u64);
    tasks.spawn_critical("notifications", leader::notify_task::run(of(), post));
    tasks.spawn_critical("renewal", renewal(of(), slot, identity_path));
    let grpc = server::admin_routes(&director, rules.clone())?;
    let rest = server::rest_routes(&director);
    tasks.spawn_critical(
        "admin listener",
        server::serve_admin(admin_listener, admin_tls, grpc, rest, shutdown.clone()),
    );
    let roles = server::internal_routes(&director, rules)?;
    tasks.spawn_critical(
        "internal listener",
        server::serve_internal(
            internal_listener,
            internal_tls,
            roles,
            of(),
            shutdown.clone(),
        ),
    );
    tasks.spawn_critical(
        "metrics listener",
        server::health_server(&director).run(metrics_listener, shutdown),
    );
    tracing::info!(%admin, %internal, %metrics, "the director listens");
    Ok(Running {
        director,
        admin,
        internal,
        metrics,
        tasks,
        _lock: lock,
    })
}

/// Where this director is reached and what it runs.
fn facts(config: &Config, admin: SocketAddr, internal: SocketAddr) -> DirectorFacts {
    let host = &config.platform.advertised_address;
    DirectorFacts {
        host: config.platform.host.clone(),
        zone: config.platform.zone.clone(),
        internal_address: host_port(host, internal.port()),
        admin_address: host_port(host, admin.port()),
        build: env!("CARGO_PKG_VERSION").to_owned(),
        feature_level: FEATURE_LEVEL,
        authority: None,
    }
}

fn own_identity(config: &Config) -> Result<KeyedCert, RunError> {
    let path = config.own(IDENTITY_FILE);
    let wrong = || RunError::Identity(path.display().to_string());
    let cert = KeyedCert::load(&path)?.ok_or_else(wrong)?;
    let expected = Identity::new(
        config.platform_id.as_str(),
        ROLE_DIRECTOR,
        config.director_id.as_str(),
    )
    .map_err(|_| wrong())?;
    if cert.identity() != Some(expected) {
        return Err(wrong());
    }
    Ok(cert)
}

/// Starts the Raft member beside the async threads.
async fn start_member(
    log: Log,
    note: std::path::PathBuf,
    outbox: PeerOutbox,
    published: Arc<Published>,
) -> Result<raft::Handle, RunError> {
    let started = task::spawn_blocking("raft start", move || {
        let machine = DirectorMachine::new(published);
        let member = MemberConfig::new(log.member, random::next_u64());
        Ok(member_task::start(
            member,
            log.store,
            machine,
            outbox,
            Box::new(move |failure| {
                if failure.log_lost {
                    join::note_lost_log(&note);
                }
                member_task::exit_process()(failure);
            }),
        )?)
    });
    started.await.unwrap_or_else(|panic| {
        Err(RunError::Member(member_task::StartError::Thread(
            io::Error::other(panic),
        )))
    })
}

/// The director's own certificate is renewed with the authority that issues.
async fn renewal(director: Arc<Director>, slot: Arc<CertSlot>, path: std::path::PathBuf) {
    let config = &director.config;
    let Ok(identity) = Identity::new(
        config.platform_id.as_str(),
        ROLE_DIRECTOR,
        config.director_id.as_str(),
    ) else {
        return;
    };
    let spec = certificates::role_spec(
        identity,
        &config.platform.advertised_address,
        &config.platform.domain,
    );
    let renewal = Renewal {
        path,
        slot,
        common_name: spec.common_name.clone(),
        wanted: director.authority.wanted(),
    };
    let ask = |csr: String| {
        let signer = director.certificates.signer(&director.published.state());
        let signed = signer.and_then(|signer| {
            let chain = signer.sign_csr(&csr, &spec, director.clock.now_ms());
            chain.map_err(CertificateError::from)
        });
        async move { signed }
    };
    let told = |look: Result<Option<&KeyedCert>, &str>| {
        if matches!(look, Ok(Some(_))) {
            director.restated.notify_one();
        }
    };
    renewal.run(ask, told, director.shutdown.clone()).await;
}
