//! The session against a director's side of the contract over real TLS on loopback.

use std::sync::Mutex;

use tonic::{Request, Response, Status, Streaming, service::Routes};
use wharf_proto::{times::timestamp, v1::AllocatorOrder};
use wharf_runtime::{
    clock,
    net::{self, Limits, TowerToHyperService},
    platform_file::Ports,
    task,
    tls::{
        Authority, CertSlot, Expect, ExpectedIdentity, Identity, LeafSpec, ROLE_ALLOCATOR,
        ROLE_DIRECTOR, client_config, install_provider, internal_server_config,
    },
};
use wharf_services::v1::allocator_session_server::{AllocatorSession, AllocatorSessionServer};

use super::*;
use crate::{files::Capacity, host_state_task::Findings};

type Orders2 = mpsc::Sender<Result<AllocatorOrder, Status>>;

/// Hands every session's two ends to the test.
struct Desk {
    sessions: Mutex<mpsc::Sender<(Streaming<v1::AllocatorReport>, Orders2)>>,
}

#[tonic::async_trait]
impl AllocatorSession for Desk {
    type SessionStream = ReceiverStream<Result<AllocatorOrder, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<v1::AllocatorReport>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (orders, stream) = mpsc::channel(16);
        let sender = self.sessions.lock().unwrap().clone();
        sender.send((request.into_inner(), orders)).await.unwrap();
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

struct World {
    sessions: mpsc::Receiver<(Streaming<v1::AllocatorReport>, Orders2)>,
    ledger: Arc<Ledger>,
    place: Arc<crate::place::Place>,
    report: watch::Sender<Report>,
    destination: watch::Receiver<Option<wharf_collectors::Destination>>,
    state: watch::Receiver<SessionState>,
    shutdown: Shutdown,
    dir: tempfile::TempDir,
    _keep: Vec<Box<dyn std::any::Any>>,
}

const PLATFORM: &str = "ffffffffffffffffffffffffffffffff";
const ALLOCATOR: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn leaf(authority: &Authority, role: &str, id: &str) -> Arc<CertSlot> {
    let identity = Identity::new(PLATFORM, role, id).unwrap();
    let spec = LeafSpec::for_identity(identity).with_host("127.0.0.1");
    CertSlot::new(&authority.issue(&spec, clock::now_ms()).unwrap())
}

/// A director that offers these services; its address.
async fn director(authority: &Authority, routes: Routes, shutdown: &Shutdown) -> String {
    let listener = net::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = internal_server_config(leaf(authority, ROLE_DIRECTOR, "d1"), &authority.certs());
    let served = net::serve_tls(
        listener,
        server.unwrap(),
        move |_| TowerToHyperService::new(routes.clone()),
        shutdown.clone(),
        Limits::default(),
    );
    task::spawn("director", served);
    address
}

async fn world() -> World {
    world_behind(None, DEADLINE).await
}

/// A world whose platform file names another director before the one that the test plays.
async fn world_behind(first: Option<Routes>, deadline: Duration) -> World {
    install_provider();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("allocator")).unwrap();
    let authority = Authority::create(PLATFORM, clock::now_ms()).unwrap();
    let shutdown = Shutdown::new();
    let (sender, sessions) = mpsc::channel(4);
    let desk = Routes::new(AllocatorSessionServer::new(Desk {
        sessions: Mutex::new(sender),
    }));
    let mut directors = Vec::new();
    for routes in first.into_iter().chain([desk]) {
        directors.push(director(&authority, routes, &shutdown).await);
    }
    let platform = PlatformFile {
        platform_id: PLATFORM.into(),
        name: "test".into(),
        domain: "localhost".into(),
        advertised_address: "127.0.0.1".into(),
        bind_address: "127.0.0.1".into(),
        zone: "zone-1".into(),
        host: "host".into(),
        ports: Ports::default(),
        directors,
    };
    let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR).on_platform(PLATFORM));
    let own = leaf(&authority, ROLE_ALLOCATOR, ALLOCATOR);
    let directors = KnownDirectors::load(dir.path().join("directors.json"), &platform.directors);
    let config = client_config(&authority.certs(), expect, Some(own)).unwrap();
    let dial = {
        let addresses = directors.addresses().clone();
        move || net::channel(&addresses, Arc::clone(&config))
    };
    let ledger = Arc::new(Ledger::open(dir.path(), ALLOCATOR).unwrap());
    let place = Arc::new(crate::place::Place::open(dir.path(), "zone-1").unwrap());
    let (destination, destinations) = watch::channel(None);
    let (report, reports) = watch::channel(Report::default());
    let (healths, health) = watch::channel(Healths::default());
    let facts = v1::HostFacts {
        cgroup: "v1".into(),
        ..Default::default()
    };
    let (host, hosts) = watch::channel(HostState {
        facts,
        problems: vec![],
    });
    let (containers, seen) = watch::channel(Containers::default());
    let (state, states) = watch::channel(SessionState::default());
    let session = SessionTask {
        platform: platform.clone(),
        allocator: AllocatorFile {
            allocator_id: ALLOCATOR.into(),
            capacity: Capacity {
                memory_bytes: 7,
                ..Default::default()
            },
            tags: Default::default(),
            docker_host: String::new(),
        },
        data_dir: dir.path().to_owned(),
        dial: Box::new(dial),
        deadline,
        directors,
        ledger: Arc::clone(&ledger),
        orders: Orders {
            data_dir: dir.path().to_owned(),
            ledger: Arc::clone(&ledger),
            destination: Arc::new(destination),
            roles_changed: Arc::default(),
            place: Arc::clone(&place),
            log_level: None,
            findings: Arc::new(Findings::default()),
            authority: authority::followed(dir.path()),
        },
        report: reports,
        healths: health,
        host: hosts,
        containers: seen,
        samples: LatestSamples::default(),
        counters: Arc::default(),
        state,
    };
    task::spawn("session", session.run(shutdown.clone()));
    World {
        sessions,
        ledger,
        place,
        report,
        destination: destinations,
        state: states,
        shutdown,
        dir,
        _keep: vec![Box::new(healths), Box::new(host), Box::new(containers)],
    }
}

impl World {
    /// A session that has been greeted, and the hello that opened it.
    async fn greet(&mut self) -> (v1::AllocatorHello, Streaming<v1::AllocatorReport>, Orders2) {
        let (mut reports, orders) = self.sessions.recv().await.unwrap();
        let first = reports.message().await.unwrap().unwrap().report.unwrap();
        let allocator_report::Report::Hello(hello) = first else {
            panic!("no hello: {first:?}")
        };
        give(
            &orders,
            Order::Welcome(v1::AllocatorWelcome {
                session_version: 1,
                director_id: "d1".into(),
                heartbeat_interval_ms: 200,
                server_time: Some(timestamp(1_000)),
                directors: vec!["h7:12190".into()],
            }),
        )
        .await;
        (hello, reports, orders)
    }
}

/// A director that is alive and of no use: it has no leader, or does not answer at all.
struct Useless {
    silent: bool,
}

#[tonic::async_trait]
impl AllocatorSession for Useless {
    type SessionStream = ReceiverStream<Result<AllocatorOrder, Status>>;

    async fn session(
        &self,
        _: Request<Streaming<v1::AllocatorReport>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        if self.silent {
            std::future::pending::<()>().await;
        }
        Err(Status::unavailable("no leader is known"))
    }
}

async fn give(orders: &Orders2, order: Order) {
    orders
        .send(Ok(AllocatorOrder { order: Some(order) }))
        .await
        .unwrap();
}

fn assignment(generation: u64, remove: &str) -> Order {
    Order::Assignment(v1::Assignment {
        allocator_id: ALLOCATOR.into(),
        generation,
        remove_instance_ids: vec![remove.repeat(32)],
        ..Default::default()
    })
}

/// The next report that is not a heartbeat.
async fn next(reports: &mut Streaming<v1::AllocatorReport>) -> allocator_report::Report {
    loop {
        let report = reports.message().await.unwrap().unwrap().report.unwrap();
        if !matches!(report, allocator_report::Report::Heartbeat(_)) {
            return report;
        }
    }
}

#[tokio::test]
async fn orders_are_kept_and_older_ones_are_not_followed() {
    let mut world = world().await;
    let (hello, _reports, orders) = world.greet().await;
    assert_eq!(
        (hello.held_generation, hello.capacity.unwrap().memory_bytes),
        (0, 7)
    );
    let mut held = world.ledger.subscribe();
    give(&orders, assignment(5, "1")).await;
    held.changed().await.unwrap();
    give(&orders, assignment(4, "2")).await;
    give(
        &orders,
        Order::Destination(v1::CollectorDestination {
            generation: 1,
            url: "https://system.localhost:9243".into(),
            ..Default::default()
        }),
    )
    .await;
    // Orders are carried out in turn: when the destination is there, the old one was refused.
    world.destination.changed().await.unwrap();
    assert_eq!(world.ledger.generation(), 5);
    assert!(world.dir.path().join("allocator/destination.json").exists());
    world.shutdown.trigger();
}

/// The sequence of the next heartbeat.
async fn heartbeat(reports: &mut Streaming<v1::AllocatorReport>) -> u64 {
    loop {
        let report = reports.message().await.unwrap().unwrap().report.unwrap();
        if let allocator_report::Report::Heartbeat(heartbeat) = report {
            return heartbeat.sequence;
        }
    }
}

#[tokio::test]
async fn a_lease_is_written_for_who_is_leased_from_when_its_heartbeat_was_sent() {
    let mut world = world().await;
    let before = clock::boottime_ms();
    let (_, mut reports, orders) = world.greet().await;
    let assigned = |byte: &str, leased| v1::AssignedInstance {
        instance_id: byte.repeat(32),
        instance_name: format!("storage-{byte}"),
        deployment_id: "d".repeat(32),
        resource_id: "e".repeat(32),
        spec_hash: "h".into(),
        port: 18000 + byte.parse::<u32>().unwrap(),
        leased,
        ..Default::default()
    };
    let assignment = v1::Assignment {
        allocator_id: ALLOCATOR.into(),
        generation: 1,
        instances: vec![assigned("1", true), assigned("2", false)],
        ..Default::default()
    };
    let secrets = |byte: &str| {
        world
            .dir
            .path()
            .join(format!("instances/{}/secrets", byte.repeat(32)))
    };
    for byte in ["1", "2", "3"] {
        std::fs::create_dir_all(secrets(byte)).unwrap();
    }
    give(&orders, Order::Assignment(assignment)).await;
    let leases = |heartbeat_sequence, duration_ms| {
        Order::Leases(v1::Leases {
            heartbeat_sequence,
            duration_ms,
            instance_ids: ["1", "2", "3"].map(|byte| byte.repeat(32)).to_vec(),
        })
    };
    let sequence = heartbeat(&mut reports).await;
    let after = clock::boottime_ms();
    give(&orders, leases(sequence, 10_000)).await;
    // One that answers nothing that was sent, and one of an hour for a heartbeat of long ago.
    give(&orders, leases(sequence + 1_000_000, 3_000_000)).await;
    give(&orders, leases(0, 3_000_000)).await;
    // Orders are carried out in turn.
    give(
        &orders,
        Order::Destination(v1::CollectorDestination {
            generation: 1,
            ..Default::default()
        }),
    )
    .await;
    let kept = world.dir.path().join("allocator/destination.json");
    while !kept.exists() {
        heartbeat(&mut reports).await;
    }
    let text = std::fs::read(secrets("1").join("lease.json")).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let deadline = file["boottime_deadline_ms"].as_u64().unwrap();
    assert!(
        (before + 10_000..=after + 10_000).contains(&deadline),
        "{before} + 10 s <= {deadline} <= {after} + 10 s"
    );
    for byte in ["2", "3"] {
        assert!(
            !secrets(byte).join("lease.json").exists(),
            "{byte} is not leased here"
        );
    }
    world.shutdown.trigger();
}

#[tokio::test]
async fn a_director_that_answers_and_is_of_no_use_is_left_for_the_next_which_tells_of_all() {
    for silent in [false, true] {
        let useless = AllocatorSessionServer::new(Useless { silent });
        let mut world = world_behind(Some(Routes::new(useless)), Duration::from_secs(1)).await;
        let (_, _reports, orders) = world.greet().await;
        let mut state = world.state.clone();
        state
            .wait_for(|state| state.director.as_deref() == Some("d1"))
            .await
            .unwrap();
        let kept = std::fs::read_to_string(world.dir.path().join("directors.json")).unwrap();
        assert_eq!(kept, r#"["h7:12190"]"#, "remembered for the next start");
        // Directors joined meanwhile; orders are carried out in turn.
        let joined = v1::AllocatorWelcome {
            session_version: 1,
            directors: vec!["h7:12190".into(), "h8:12190".into()],
            ..Default::default()
        };
        give(&orders, Order::Welcome(joined)).await;
        let mut zone = world.place.zone();
        let moved = v1::AllocatorPlace {
            zone: "zone-9".into(),
            ..Default::default()
        };
        give(&orders, Order::Place(moved)).await;
        zone.wait_for(|zone| zone == "zone-9").await.unwrap();
        let kept = std::fs::read_to_string(world.dir.path().join("directors.json")).unwrap();
        assert_eq!(kept, r#"["h7:12190","h8:12190"]"#);
        world.shutdown.trigger();
    }
}

#[tokio::test]
async fn a_new_session_is_told_everything_again() {
    let mut world = world().await;
    let report = Report {
        looked: true,
        generation: 3,
        applied_generation: 3,
        ..Report::default()
    };
    world.report.send_replace(report);
    for round in 0..2 {
        let (_, mut reports, orders) = world.greet().await;
        let mut told = (false, false);
        while told != (true, true) {
            match next(&mut reports).await {
                allocator_report::Report::Instances(list) => {
                    assert_eq!(list.generation, 3);
                    told.0 = true;
                }
                allocator_report::Report::Containers(list) => {
                    assert!(list.full, "the first list of session {round} is not full");
                    told.1 = true;
                }
                other => panic!("unexpected: {other:?}"),
            }
        }
        world
            .state
            .wait_for(|state| state.director.as_deref() == Some("d1"))
            .await
            .unwrap();
        drop((reports, orders));
    }
    world.shutdown.trigger();
}

#[tokio::test]
async fn nothing_is_said_of_instances_before_the_host_was_looked_at() {
    let mut world = world().await;
    let (_, mut reports, _orders) = world.greet().await;
    assert!(matches!(
        next(&mut reports).await,
        allocator_report::Report::Containers(_)
    ));
    world.report.send_replace(Report {
        looked: true,
        ..Report::default()
    });
    assert!(matches!(
        next(&mut reports).await,
        allocator_report::Report::Instances(_)
    ));
    world.shutdown.trigger();
}
