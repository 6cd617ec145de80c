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

async fn world() -> World {
    install_provider();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("allocator")).unwrap();
    let authority = Authority::create(PLATFORM, clock::now_ms()).unwrap();
    let shutdown = Shutdown::new();
    let listener = net::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, sessions) = mpsc::channel(4);
    let desk = AllocatorSessionServer::new(Desk {
        sessions: Mutex::new(sender),
    });
    let routes = Routes::new(desk);
    let server = internal_server_config(leaf(&authority, ROLE_DIRECTOR, "d1"), &authority.certs());
    let served = net::serve_tls(
        listener,
        server.unwrap(),
        move |_| TowerToHyperService::new(routes.clone()),
        shutdown.clone(),
        Limits::default(),
    );
    task::spawn("director", served);

    let platform = PlatformFile {
        platform_id: PLATFORM.into(),
        name: "test".into(),
        domain: "localhost".into(),
        advertised_address: "127.0.0.1".into(),
        bind_address: "127.0.0.1".into(),
        zone: "zone-1".into(),
        host: "host".into(),
        ports: Ports::default(),
        directors: vec![address.clone()],
    };
    let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR).on_platform(PLATFORM));
    let own = leaf(&authority, ROLE_ALLOCATOR, ALLOCATOR);
    let addresses = Addresses::new([address]);
    let config = client_config(&authority.certs(), expect, Some(own)).unwrap();
    let ledger = Arc::new(Ledger::open(dir.path(), ALLOCATOR).unwrap());
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
        channel: net::channel(&addresses, config),
        addresses,
        ledger: Arc::clone(&ledger),
        orders: Orders {
            data_dir: dir.path().to_owned(),
            ledger: Arc::clone(&ledger),
            destination: Arc::new(destination),
            roles_changed: Arc::default(),
            log_level: None,
            findings: Arc::new(Findings::default()),
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
            }),
        )
        .await;
        (hello, reports, orders)
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
        instances: vec![],
        remove_instance_ids: vec![remove.repeat(32)],
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

#[tokio::test]
async fn a_new_session_is_told_everything_again() {
    let mut world = world().await;
    let report = Report {
        looked: true,
        generation: 3,
        applied_generation: 3,
        instances: vec![],
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
