//! A real director on free loopback ports with its files in a temporary directory, clients for it,
//! and an allocator and a proxy that are driven by hand over real sessions.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

use std::{collections::BTreeMap, future::Future, net::SocketAddr, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Status, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};
use wharf_director::{Config, Running, auth::Rules, secrets};
use wharf_proto::v1::{self, allocator_order, allocator_report::Report, proxy_report, route_order};
use wharf_runtime::{
    clock,
    net::{Addresses, channel},
    platform_file::{PlatformFile, Ports},
    random,
    role_files::{DirectorBootstrap, member_of},
    task::Shutdown,
    tls::{
        Authority, CertSlot, Expect, ExpectedIdentity, Identity, KeyedCert, LeafSpec,
        ROLE_DIRECTOR, client_config, install_provider,
    },
};
use wharf_services::v1::{
    allocator_session_client::AllocatorSessionClient, route_session_client::RouteSessionClient,
};

pub const PASSWORD: &str = "correct horse battery staple";
/// Far longer than anything takes: only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The files of a platform.
pub struct Files {
    pub dir: tempfile::TempDir,
    pub platform: PlatformFile,
    pub bootstrap: DirectorBootstrap,
    pub authority: Authority,
}

impl Files {
    pub fn new() -> Self {
        install_provider();
        let dir = tempfile::tempdir().unwrap();
        let platform = PlatformFile {
            platform_id: random::new_id(),
            name: "lab".into(),
            domain: "localhost".into(),
            advertised_address: "127.0.0.1".into(),
            bind_address: "127.0.0.1".into(),
            zone: "zone-1".into(),
            host: "h1".into(),
            ports: Ports::default(),
            directors: vec!["127.0.0.1:0".into()],
        };
        let director_id = random::new_id();
        let bootstrap = DirectorBootstrap {
            raft_id: member_of(&director_id).unwrap(),
            director_id,
            admin_username: "admin".into(),
            admin_password_hash: secrets::hash_password(PASSWORD).unwrap(),
            allocator_id: random::new_id(),
            proxy_id: random::new_id(),
            system_template: "observability".into(),
        };
        let authority = Authority::create(&platform.platform_id, clock::now_ms()).unwrap();
        let own = dir.path().join("director");
        std::fs::create_dir_all(own.join("ca")).unwrap();
        let write = |path: &Path, bytes: &[u8]| std::fs::write(path, bytes).unwrap();
        write(
            &PlatformFile::path(dir.path()),
            &serde_json::to_vec(&platform).unwrap(),
        );
        write(
            &DirectorBootstrap::path(dir.path()),
            &serde_json::to_vec(&bootstrap).unwrap(),
        );
        write(&own.join("ca/authority.pem"), authority.to_pem().as_bytes());
        write(
            &own.join("platform.key"),
            hex::encode([7_u8; 32]).as_bytes(),
        );
        let files = Self {
            dir,
            platform,
            bootstrap,
            authority,
        };
        let identity = files.identity(ROLE_DIRECTOR, &files.bootstrap.director_id);
        identity.store(own.join("identity.pem")).unwrap();
        files
    }

    pub fn identity(&self, role: &str, id: &str) -> KeyedCert {
        let identity = Identity::new(&self.platform.platform_id, role, id).unwrap();
        let spec = LeafSpec::for_identity(identity)
            .with_host("localhost")
            .with_host("127.0.0.1");
        self.authority.issue(&spec, clock::now_ms()).unwrap()
    }

    fn config(&self) -> Config {
        let mut config = Config::from_data_dir(self.dir.path()).unwrap();
        for address in [
            &mut config.admin_listen,
            &mut config.internal_listen,
            &mut config.metrics_listen,
        ] {
            address.set_port(0);
        }
        config
    }

    /// A channel to people's port, or with an identity to the roles'.
    pub fn channel(&self, address: SocketAddr, own: Option<&KeyedCert>) -> Channel {
        let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
        let own = own.map(CertSlot::new);
        let config = client_config(&self.authority.certs(), expect, own).unwrap();
        channel(&Addresses::new([address.to_string()]), config)
    }
}

/// A director with a runtime of its own, so that it can be killed: every task ends where it stands.
pub struct Process {
    runtime: Option<Runtime>,
    running: Option<Running>,
    pub admin: SocketAddr,
    pub internal: SocketAddr,
    pub metrics: SocketAddr,
}

impl Process {
    pub async fn start(files: &Files) -> Self {
        Self::start_with(files, Rules::of_contracts().unwrap()).await
    }

    pub async fn start_with(files: &Files, rules: Rules) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let config = files.config();
        let started = runtime.spawn(wharf_director::start_with(
            config,
            None,
            Shutdown::new(),
            rules,
        ));
        let running = started.await.unwrap().unwrap();
        let director = running.director.clone();
        eventually("the director leads", || async {
            director.leads().then_some(())
        })
        .await;
        Self {
            admin: running.admin,
            internal: running.internal,
            metrics: running.metrics,
            runtime: Some(runtime),
            running: Some(running),
        }
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// Ends without a goodbye.
    pub async fn kill(mut self) {
        let runtime = self.runtime.take().unwrap();
        let running = self.running.take().unwrap();
        let raft = running.director.raft.clone();
        tokio::task::spawn_blocking(move || {
            // Tasks are dropped where they stand, with what they hold of the director.
            runtime.shutdown_timeout(Duration::from_secs(10));
            drop(running);
        })
        .await
        .unwrap();
        // The member's thread ends when the last handle is gone; the store is then closed.
        raft.stop().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Waits for a condition.
pub async fn eventually<T, F, R>(what: &str, mut look: F) -> T
where
    F: FnMut() -> R,
    R: Future<Output = Option<T>>,
{
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < until, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A call as a user.
pub fn call<T>(message: T) -> tonic::Request<T> {
    call_as("admin", PASSWORD, message)
}

pub fn call_as<T>(username: &str, password: &str, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    let value = basic(username, password);
    let value: MetadataValue<Ascii> = value.parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

pub fn basic(username: &str, password: &str) -> String {
    format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{password}"))
    )
}

pub fn mutation() -> Option<v1::Mutation> {
    Some(v1::Mutation {
        request_id: random::new_id(),
        expected_version: 0,
    })
}

/// An allocator driven by hand: what it "runs" is kept over sessions, as Docker would.
pub struct HandAllocator {
    pub id: String,
    pub held: BTreeMap<String, v1::AssignedInstance>,
    pub generation: u64,
    pub destination: Option<v1::CollectorDestination>,
    reports: mpsc::Sender<v1::AllocatorReport>,
    orders: Streaming<v1::AllocatorOrder>,
}

pub async fn open_session(
    files: &Files,
    process: &Process,
    certified: &str,
    claimed: &str,
    held_generation: u64,
) -> (
    mpsc::Sender<v1::AllocatorReport>,
    Result<Streaming<v1::AllocatorOrder>, Status>,
) {
    let identity = files.identity("allocator", certified);
    let channel = files.channel(process.internal, Some(&identity));
    let (reports, stream) = mpsc::channel(64);
    let hello = v1::AllocatorHello {
        session_version: 1,
        allocator_id: claimed.to_owned(),
        host: "h1".into(),
        zone: "zone-1".into(),
        capacity: Some(v1::Size {
            memory_bytes: 16 << 30,
            disk_bytes: 500 << 30,
            cpu_millis: 16_000,
        }),
        advertised_address: "127.0.0.1".into(),
        held_generation,
        port_range_start: 18_000,
        port_range_end: 18_999,
        ..Default::default()
    };
    let report = v1::AllocatorReport {
        report: Some(Report::Hello(hello)),
    };
    reports.send(report).await.unwrap();
    let mut client = AllocatorSessionClient::new(channel).max_decoding_message_size(64 << 20);
    let opened = client.session(ReceiverStream::new(stream)).await;
    (reports, opened.map(tonic::Response::into_inner))
}

impl HandAllocator {
    pub async fn connect(files: &Files, process: &Process) -> Self {
        Self::reconnect(files, process, BTreeMap::new(), 0).await
    }

    pub async fn reconnect(
        files: &Files,
        process: &Process,
        held: BTreeMap<String, v1::AssignedInstance>,
        generation: u64,
    ) -> Self {
        let mut allocator = Self::reconnect_silent(files, process, held, generation).await;
        allocator.report().await;
        allocator
    }

    /// Comes back and says nothing of its instances yet.
    pub async fn reconnect_silent(
        files: &Files,
        process: &Process,
        held: BTreeMap<String, v1::AssignedInstance>,
        generation: u64,
    ) -> Self {
        let id = files.bootstrap.allocator_id.clone();
        let (reports, orders) = open_session(files, process, &id, &id, generation).await;
        let mut allocator = Self {
            id,
            held,
            generation,
            destination: None,
            reports,
            orders: orders.unwrap(),
        };
        let welcome = allocator.orders.message().await.unwrap().unwrap();
        let welcomed = matches!(welcome.order, Some(allocator_order::Order::Welcome(_)));
        assert!(welcomed, "{welcome:?}");
        allocator
    }

    pub async fn send(&self, report: Report) {
        let report = v1::AllocatorReport {
            report: Some(report),
        };
        // The director may be gone.
        let _ = self.reports.send(report).await;
    }

    async fn report(&mut self) {
        let instances = self
            .held
            .values()
            .map(|instance| v1::InstanceObservation {
                instance_id: instance.instance_id.clone(),
                container_id: "c".repeat(64),
                state: if instance.run {
                    v1::InstanceState::Running
                } else {
                    v1::InstanceState::Stopped
                } as i32,
                health: if instance.run {
                    v1::Health::Healthy
                } else {
                    v1::Health::Unknown
                } as i32,
                port: instance.port,
                spec_hash: instance.spec_hash.clone(),
                data_present: true,
                ..Default::default()
            })
            .collect();
        self.send(Report::Instances(v1::InstanceObservations {
            generation: self.generation,
            instances,
        }))
        .await;
        self.send(Report::Heartbeat(v1::AllocatorHeartbeat {
            applied_generation: self.generation,
            ..Default::default()
        }))
        .await;
    }

    /// Takes one order and does what it says; false when the session ended.
    pub async fn obey_one(&mut self) -> bool {
        let Ok(Some(order)) = self.orders.message().await else {
            return false;
        };
        match order.order.unwrap() {
            allocator_order::Order::Assignment(assignment) => {
                assert!(
                    assignment.generation >= self.generation,
                    "an older generation"
                );
                self.generation = assignment.generation;
                for gone in &assignment.remove_instance_ids {
                    self.held.remove(gone);
                }
                for instance in assignment.instances {
                    self.held.insert(instance.instance_id.clone(), instance);
                }
                self.report().await;
            }
            allocator_order::Order::Destination(destination) => {
                self.destination = Some(destination);
            }
            _ => {}
        }
        true
    }
}

/// A proxy driven by hand.
pub struct HandProxy {
    pub table: BTreeMap<String, v1::Route>,
    pub generation: u64,
    reports: mpsc::Sender<v1::ProxyReport>,
    orders: Streaming<v1::RouteOrder>,
}

impl HandProxy {
    pub async fn connect(files: &Files, process: &Process, held_generation: u64) -> Self {
        let id = files.bootstrap.proxy_id.clone();
        let identity = files.identity("proxy", &id);
        let channel = files.channel(process.internal, Some(&identity));
        let (reports, stream) = mpsc::channel(64);
        let hello = v1::ProxyHello {
            session_version: 1,
            proxy_id: id,
            host: "h1".into(),
            zone: "zone-1".into(),
            held_generation,
            version: "test".into(),
        };
        let report = v1::ProxyReport {
            report: Some(proxy_report::Report::Hello(hello)),
        };
        reports.send(report).await.unwrap();
        let orders = RouteSessionClient::new(channel)
            .session(ReceiverStream::new(stream))
            .await
            .unwrap()
            .into_inner();
        Self {
            table: BTreeMap::new(),
            generation: held_generation,
            reports,
            orders,
        }
    }

    /// Takes one order; false when the session ended.
    pub async fn obey_one(&mut self) -> bool {
        let Ok(Some(order)) = self.orders.message().await else {
            return false;
        };
        match order.order.unwrap() {
            route_order::Order::Table(table) => {
                assert!(table.generation >= self.generation, "an older table");
                self.generation = table.generation;
                self.table = table
                    .routes
                    .into_iter()
                    .map(|route| (route.resource_id.clone(), route))
                    .collect();
            }
            route_order::Order::Delta(delta) => {
                assert_eq!(delta.from_generation, self.generation, "a gap");
                self.generation = delta.to_generation;
                for id in delta.removed_resource_ids {
                    self.table.remove(&id);
                }
                for route in delta.changed {
                    self.table.insert(route.resource_id.clone(), route);
                }
            }
            _ => return true,
        }
        let beat = v1::ProxyHeartbeat {
            table_generation: self.generation,
            ..Default::default()
        };
        let report = v1::ProxyReport {
            report: Some(proxy_report::Report::Heartbeat(beat)),
        };
        let _ = self.reports.send(report).await;
        true
    }
}

/// Both obey until `done` says so.
pub async fn obey_until<T, F, R>(
    allocator: &mut HandAllocator,
    proxy: &mut HandProxy,
    what: &str,
    done: F,
) -> T
where
    F: FnMut() -> R,
    R: Future<Output = Option<T>>,
{
    let mut done = std::pin::pin!(eventually(what, done));
    let (mut allocator_lives, mut proxy_lives) = (true, true);
    loop {
        tokio::select! {
            found = &mut done => return found,
            lives = allocator.obey_one(), if allocator_lives => allocator_lives = lives,
            lives = proxy.obey_one(), if proxy_lives => proxy_lives = lives,
        }
    }
}
