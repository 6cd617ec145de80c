//! Wires the allocator's tasks together.
//!
//! Invariants: without an engine or a director the allocator still starts, says what is wrong, and
//! waits; ending it touches no container. Not here: what each task does.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::{Notify, mpsc, watch};
use wharf_collectors::{Counters, InventoryPublisher, LatestSamples, NamedId, PlatformRole};
use wharf_proto::v1::RenewRequest;
use wharf_runtime::{
    clock::Clock,
    followed_authority::FollowedAuthority,
    health_server::{Health, HealthServer},
    known_directors::KnownDirectors,
    metrics::Metrics,
    net::{self, BindError},
    renewal_task::Renewal,
    task::{Shutdown, Tasks},
    tls::{
        CaCerts, CertSlot, Expect, ExpectedIdentity, KeyedCert, ROLE_DIRECTOR, TlsError,
        following_client_config,
    },
};
use wharf_services::v1::enrollment_client::EnrollmentClient;

use crate::{
    config::Config,
    docker::events,
    engine_link::EngineLink,
    files::{DestinationFile, FileError},
    host_roles_task::HostRolesTask,
    host_state_task::{Findings, HostState, HostStateTask},
    image_task::ImageTask,
    instance_pages,
    inventory_task::{Containers, InventoryTask},
    leases,
    ledger::Ledger,
    orders::Orders,
    place::Place,
    probe_task::{Healths, ProbeTask},
    reconcile_task::{ReconcileTask, Report},
    session_task::{self, SessionState, SessionTask},
};

/// Why the allocator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its certificate or the platform's authority.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// It has no certificate.
    #[error("{} is missing; run `wharf up` with this data directory first", .0.display())]
    NoIdentity(PathBuf),
    /// A file of its own.
    #[error(transparent)]
    File(#[from] FileError),
    /// The ledger.
    #[error("cannot read the ledger: {0}; check the owner and mode of the data directory")]
    Ledger(std::io::Error),
    /// The loopback listener.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// Runs the allocator until the end is asked for.
///
/// # Errors
/// When a file that it cannot do without is missing or damaged, or its port is taken.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), RunError> {
    let dir = config.data_dir.as_path();
    let identity_path = dir.join("allocator/identity.pem");
    let identity = KeyedCert::load(&identity_path)?
        .ok_or_else(|| RunError::NoIdentity(identity_path.clone()))?;
    let slot = CertSlot::new(&identity);
    let ca = CaCerts::load(dir.join("ca.pem"))?;
    let directors =
        ExpectedIdentity::role(ROLE_DIRECTOR).on_platform(config.platform.platform_id.clone());
    let authority = FollowedAuthority::new(dir.join("ca.pem"), &ca, Arc::clone(&slot))?;
    let client = following_client_config(
        authority.trust(),
        Expect::Identity(directors),
        Some(Arc::clone(&slot)),
    )?;
    let ledger =
        Arc::new(Ledger::open(dir, &config.allocator.allocator_id).map_err(RunError::Ledger)?);
    // Before anything is started, or adopted that somebody else started.
    if let Err(error) = leases::forget_earlier_boots(dir, &leases::boot_id()) {
        // No instance starts unless it could be told that it has none.
        tracing::error!(%error, "ALL0014: leases from before the host's start are still there");
    }
    let place = Arc::new(Place::open(dir, &config.platform.zone)?);
    let destination = DestinationFile::read(dir)?.and_then(|file| file.to_destination(dir));
    let port = config.platform.ports.allocator_metrics;
    let listener = net::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)).await?;

    let tasks = Tasks::with_shutdown(shutdown.child());
    let end = tasks.token();
    let engine = EngineLink::new(&config.engine_address);
    let directors = KnownDirectors::load(
        dir.join("allocator/directors.json"),
        &config.platform.directors,
    );
    let dial = {
        let addresses = directors.addresses().clone();
        move || net::channel(&addresses, Arc::clone(&client))
    };
    let findings = Arc::new(Findings::default());
    let counters = Arc::new(Counters::default());
    let samples = LatestSamples::default();
    let wake = Arc::new(Notify::new());
    let roles_changed = Arc::new(Notify::new());
    let image_missed = Arc::new(Notify::new());
    let (report, reports) = watch::channel(Report::default());
    let (healths, health) = watch::channel(Healths::default());
    let (image, images) = watch::channel(String::new());
    let (facts, engine_facts) = watch::channel(None);
    let (state, host) = watch::channel(HostState::default());
    let (session, sessions) = watch::channel(SessionState::default());
    let (containers, seen) = watch::channel(Containers::default());
    let (destination, destinations) = watch::channel(destination);
    let (publisher, inventory) = wharf_collectors::inventory();
    let (signals, signal) = mpsc::channel(4096);

    tasks.spawn_critical("image", {
        let task = ImageTask {
            platform: config.platform.clone(),
            binary: config.binary.clone(),
            engine: engine.clone(),
            image,
            missed: Arc::clone(&image_missed),
        };
        task.run(end.clone())
    });
    tasks.spawn_critical("host-state", {
        let task = HostStateTask {
            data_dir: config.data_dir.clone(),
            host_root: config.host_root.clone(),
            capacity: config.allocator.capacity,
            engine: engine.clone(),
            image: images.clone(),
            findings: Arc::clone(&findings),
            state,
            engine_facts: facts,
        };
        task.run(end.clone())
    });
    tasks.spawn(
        "engine-events",
        events::follow(engine.address().to_owned(), signals, end.clone()),
    );
    tasks.spawn_critical("inventory", {
        let task = InventoryTask {
            platform_id: config.platform.platform_id.clone(),
            engine: engine.clone(),
            signals: signal,
            publisher: InventoryPublisher::clone(&publisher),
            containers,
            wake: Arc::clone(&wake),
        };
        task.run(end.clone())
    });
    tasks.spawn_critical("reconcile", {
        let task = ReconcileTask {
            platform: config.platform.clone(),
            data_dir: config.data_dir.clone(),
            engine: engine.clone(),
            held: ledger.subscribe(),
            image: images.clone(),
            image_missed,
            facts: engine_facts,
            wake: Arc::clone(&wake),
            report,
            clock: Clock::system(),
        };
        task.run(end.clone())
    });
    tasks.spawn_critical("probe", {
        let task = ProbeTask {
            platform: config.platform.clone(),
            trust: Arc::clone(authority.trust()),
            report: reports.clone(),
            healths,
            clock: Clock::system(),
        };
        task.run(end.clone())
    });
    tasks.spawn_critical("host-roles", {
        let task = HostRolesTask {
            platform: config.platform.clone(),
            data_dir: config.data_dir.clone(),
            docker_host: config.allocator.docker_host.clone(),
            engine: engine.clone(),
            image: images.clone(),
            wake: Arc::clone(&roles_changed),
        };
        task.run(end.clone())
    });
    let orders = Orders {
        data_dir: config.data_dir.clone(),
        ledger: Arc::clone(&ledger),
        destination: Arc::new(destination),
        roles_changed,
        place: Arc::clone(&place),
        log_level: config.log_level.clone(),
        findings: Arc::clone(&findings),
        authority: Arc::clone(&authority),
    };
    tasks.spawn_critical("session", {
        let task = SessionTask {
            platform: config.platform.clone(),
            allocator: config.allocator.clone(),
            data_dir: config.data_dir.clone(),
            directors,
            dial: Box::new(dial.clone()),
            deadline: session_task::DEADLINE,
            ledger: Arc::clone(&ledger),
            orders,
            report: reports.clone(),
            healths: health,
            host: host.clone(),
            containers: seen,
            samples: samples.clone(),
            counters: Arc::clone(&counters),
            state: session,
        };
        task.run(end.clone())
    });
    tasks.spawn_critical("renewal", {
        let renewal = Renewal {
            path: identity_path,
            slot,
            common_name: format!("allocator {}", config.allocator.allocator_id),
            wanted: authority.wanted(),
        };
        // Asked once in weeks: whoever answers now, not who was connected to then.
        let ask = move |csr_pem| {
            let mut client = EnrollmentClient::new(dial());
            async move {
                let answer = client.renew(RenewRequest { csr_pem }).await;
                answer.map(|answer| answer.into_inner().certificate_pem)
            }
        };
        let findings = Arc::clone(&findings);
        renewal.run(
            ask,
            move |look| {
                findings.renewal.send_replace(look.err().map(str::to_owned));
            },
            end.clone(),
        )
    });
    tasks.spawn("collectors", {
        let config = collectors_config(&config, place.zone());
        let counters = Arc::clone(&counters);
        let (end, findings) = (end.clone(), Arc::clone(&findings));
        async move {
            let ended = end.clone();
            let ran =
                wharf_collectors::run(config, inventory, destinations, samples, counters, end)
                    .await;
            let why = match ran {
                Err(error) => error.to_string(),
                Ok(()) if ended.is_triggered() => return,
                Ok(()) => "they ended without being asked to".to_owned(),
            };
            tracing::error!(why, "ALL0025: the collectors do not run");
            findings.collectors.send_replace(Some(why));
        }
    });
    tasks.spawn_critical("health", {
        let server = HealthServer::new(metrics(&reports, &counters), move || {
            health_of(
                &host.borrow(),
                &sessions.borrow(),
                &reports.borrow(),
                &counters,
            )
        });
        let server = server.with_pages(instance_pages::pages(&config.data_dir));
        let server = match config.log_level.clone() {
            Some(level) => server.with_log_level(level),
            None => server,
        };
        server.run(listener, end.clone())
    });

    tracing::info!(
        allocator = config.allocator.allocator_id,
        engine = config.engine_address,
        generation = ledger.generation(),
        "the allocator runs"
    );
    shutdown.triggered().await;
    tasks.shutdown().await;
    Ok(())
}

fn collectors_config(config: &Config, zone: watch::Receiver<String>) -> wharf_collectors::Config {
    let root = &config.host_root;
    let host = wharf_collectors::source::host::facts(
        &config.allocator.allocator_id,
        &config.platform.host,
        vec![config.platform.advertised_address.clone()],
        &root.join("proc"),
        root,
    );
    let platform = NamedId {
        id: config.platform.platform_id.clone(),
        name: config.platform.name.clone(),
    };
    let mut collectors =
        wharf_collectors::Config::new(config.data_dir.join("allocator/collectors"), host, platform);
    collectors.zone = zone;
    collectors
        .engine_address
        .clone_from(&config.allocator.docker_host);
    let ports = &config.platform.ports;
    collectors.roles = vec![
        (PlatformRole::Director, ports.director_metrics),
        (PlatformRole::Allocator, ports.allocator_metrics),
        (PlatformRole::Proxy, ports.proxy_metrics),
    ];
    collectors.instances_dir = Some(config.data_dir.join("instances"));
    collectors.engine_log = engine_log(&config.allocator.docker_host, root);
    if collectors.engine_log.is_none() {
        collectors.journal_roots = journal_roots(&config.allocator.docker_host, root);
    }
    if root != Path::new("/") {
        collectors.under(root)
    } else {
        collectors
    }
}

/// The file that an engine writes its log to when no journal takes it: beside its socket, or where
/// an engine of the system has it. `root` is the host's root as this process sees it.
fn engine_log(docker_host: &str, root: &Path) -> Option<PathBuf> {
    let socket = Path::new(docker_host.strip_prefix("unix://")?);
    let mut places = vec![socket.with_file_name("dockerd.log")];
    if is_the_systems(docker_host) {
        places.extend(["/var/log/dockerd.log", "/var/log/docker.log"].map(PathBuf::from));
    }
    let seen = |place: PathBuf| root.join(place.strip_prefix("/").unwrap_or(&place));
    places.into_iter().map(seen).find(|place| place.is_file())
}

/// Where systemd keeps its journal, the lasting one and that of this start, for an engine whose log
/// it takes; whether there is one shows when it is read.
fn journal_roots(docker_host: &str, root: &Path) -> Vec<PathBuf> {
    if is_the_systems(docker_host) {
        ["var/log/journal", "run/log/journal"]
            .map(|place| root.join(place))
            .to_vec()
    } else {
        Vec::new()
    }
}

/// Whether an engine is the one that the system started: its journal holds no other's log.
fn is_the_systems(docker_host: &str) -> bool {
    matches!(
        docker_host,
        "unix:///var/run/docker.sock" | "unix:///run/docker.sock"
    )
}

fn metrics(reports: &watch::Receiver<Report>, counters: &Arc<Counters>) -> Metrics {
    let metrics = Metrics::new().with_process();
    let report = reports.clone();
    metrics.gauge_from(
        "wharf_allocator_instances",
        "instances known",
        &[],
        move || report.borrow().instances.len() as f64,
    );
    let report = reports.clone();
    metrics.gauge_from(
        "wharf_allocator_generation",
        "generation in force wholly",
        &[],
        move || report.borrow().applied_generation as f64,
    );
    type Read = fn(&wharf_collectors::CountersView) -> u64;
    let gauges: [(&str, &str, Read); 4] = [
        (
            "wharf_collectors_spooled_documents",
            "documents spooled",
            |view| view.spooled,
        ),
        (
            "wharf_collectors_shipped_documents",
            "documents shipped",
            |view| view.shipped,
        ),
        (
            "wharf_collectors_dropped_documents",
            "documents dropped",
            |view| view.dropped,
        ),
        (
            "wharf_collectors_spool_bytes",
            "size of the spool",
            |view| view.spool_bytes,
        ),
    ];
    for (name, help, read) in gauges {
        let counters = Arc::clone(counters);
        metrics.gauge_from(name, help, &[], move || read(&counters.view()) as f64);
    }
    metrics
}

fn health_of(
    host: &HostState,
    session: &SessionState,
    report: &Report,
    counters: &Counters,
) -> Health {
    let problems: Vec<_> = host
        .problems
        .iter()
        .map(|one| serde_json::json!({"code": one.code, "message": one.message, "hint": one.hint}))
        .collect();
    Health {
        healthy: report.looked && session.director.is_some(),
        details: serde_json::json!({
            "director": session.director,
            "session_error": session.last_error,
            "generation": report.generation,
            "applied_generation": report.applied_generation,
            "instances": report.instances.len(),
            "problems": problems,
            "collectors": counters.view(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engines_log_is_looked_for_beside_its_socket_and_where_the_systems_has_it() {
        let root = tempfile::tempdir().unwrap();
        let place = |path: &str| {
            let file = root.path().join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            Some(file)
        };
        let own = "unix:///srv/engine/docker.sock";
        let system = "unix:///var/run/docker.sock";
        assert_eq!(engine_log(own, root.path()), None);
        assert_eq!(journal_roots(system, root.path()).len(), 2);
        assert_eq!(journal_roots(own, root.path()), Vec::<PathBuf>::new());
        let log = place("var/log/dockerd.log");
        assert_eq!(engine_log(system, root.path()), log);
        assert_eq!(
            engine_log(own, root.path()),
            None,
            "another engine's log is not ours"
        );
        let log = place("srv/engine/dockerd.log");
        assert_eq!(engine_log(own, root.path()), log);
    }
}
