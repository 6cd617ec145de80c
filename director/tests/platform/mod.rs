//! A real director on free loopback ports with its files in a temporary directory, clients for it,
//! and an allocator and a proxy that are driven by hand over real sessions.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

mod beat;
mod node;
mod proxy;

use std::{collections::BTreeMap, future::Future, net::SocketAddr, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use beat::Beat;
pub use proxy::HandProxy;
use tokio::{runtime::Runtime, sync::mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Status, Streaming,
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};
use wharf_director::{Config, Running, auth::Rules, secrets};
use wharf_proto::v1::{self, allocator_order, allocator_report::Report};
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
use wharf_services::v1::allocator_session_client::AllocatorSessionClient;

pub const PASSWORD: &str = "correct horse battery staple";
/// Far longer than anything takes: only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The files of a platform.
pub struct Files {
    pub dir: tempfile::TempDir,
    pub platform: PlatformFile,
    pub bootstrap: DirectorBootstrap,
    pub authority: Authority,
    /// Ports that allocators offer.
    pub instance_ports: (u16, u16),
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
            instance_ports: (18_000, 18_999),
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
        let process = Self::launch(files.config(), rules).await;
        let director = process.running().director.clone();
        eventually("the director leads", || async {
            director.leads().then_some(())
        })
        .await;
        process
    }

    /// Starts one that need not lead.
    pub async fn launch(config: Config, rules: Rules) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let started = runtime.spawn(wharf_director::start_with(
            config,
            None,
            Shutdown::new(),
            rules,
        ));
        let running = started.await.unwrap().unwrap();
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
    /// Its containers do not become healthy.
    pub ailing: bool,
    /// Leases that it was given, oldest first.
    pub leases: Vec<v1::Leases>,
    /// Data that it set aside.
    pub aside: Vec<v1::SetAsideData>,
    beat: Beat<v1::AllocatorReport>,
    reports: mpsc::Sender<v1::AllocatorReport>,
    orders: Streaming<v1::AllocatorOrder>,
}

type Opened = (
    mpsc::Sender<v1::AllocatorReport>,
    Result<Streaming<v1::AllocatorOrder>, Status>,
);

pub async fn open_session(
    files: &Files,
    process: &Process,
    certified: &str,
    claimed: &str,
    held_generation: u64,
) -> Opened {
    open_session_on(files, process, certified, claimed, held_generation, "h1").await
}

async fn open_session_on(
    files: &Files,
    process: &Process,
    certified: &str,
    claimed: &str,
    held_generation: u64,
    host: &str,
) -> Opened {
    let identity = files.identity("allocator", certified);
    let channel = files.channel(process.internal, Some(&identity));
    let (reports, stream) = mpsc::channel(64);
    let hello = v1::AllocatorHello {
        session_version: 1,
        allocator_id: claimed.to_owned(),
        host: host.to_owned(),
        zone: "zone-1".into(),
        capacity: Some(v1::Size {
            memory_bytes: 16 << 30,
            disk_bytes: 500 << 30,
            cpu_millis: 16_000,
        }),
        advertised_address: "127.0.0.1".into(),
        held_generation,
        port_range_start: files.instance_ports.0.into(),
        port_range_end: files.instance_ports.1.into(),
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
        Self::arrive(files, process, &id, "h1", held, generation).await
    }

    /// The allocator of another host.
    pub async fn of_host(files: &Files, process: &Process, host: &str) -> Self {
        let id = random::new_id();
        let mut allocator = Self::arrive(files, process, &id, host, BTreeMap::new(), 0).await;
        allocator.report().await;
        allocator
    }

    async fn arrive(
        files: &Files,
        process: &Process,
        id: &str,
        host: &str,
        held: BTreeMap<String, v1::AssignedInstance>,
        generation: u64,
    ) -> Self {
        let (reports, orders) = open_session_on(files, process, id, id, generation, host).await;
        let beat = v1::AllocatorHeartbeat {
            applied_generation: generation,
            ..Default::default()
        };
        let beat = v1::AllocatorReport {
            report: Some(Report::Heartbeat(beat)),
        };
        let mut allocator = Self {
            id: id.to_owned(),
            held,
            generation,
            beat: Beat::begin(&reports, beat),
            destination: None,
            ailing: false,
            leases: Vec::new(),
            aside: Vec::new(),
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
        if matches!(report.report, Some(Report::Heartbeat(_))) {
            self.beat.becomes(&report);
        }
        // The director may be gone.
        let _ = self.reports.send(report).await;
    }

    /// Tells what it has. An instance without a port has its data alone.
    pub async fn report(&mut self) {
        let instances = self
            .held
            .values()
            .map(|instance| v1::InstanceObservation {
                instance_id: instance.instance_id.clone(),
                container_id: if instance.port == 0 {
                    String::new()
                } else {
                    "c".repeat(64)
                },
                credentials: node::credentials(instance),
                state: if instance.run {
                    v1::InstanceState::Running
                } else {
                    v1::InstanceState::Stopped
                } as i32,
                health: if instance.run && (self.ailing || node::copies(instance)) {
                    v1::Health::Unhealthy
                } else if instance.run {
                    v1::Health::Healthy
                } else {
                    v1::Health::Unknown
                } as i32,
                port: instance.port,
                spec_hash: instance.spec_hash.clone(),
                data_present: true,
                copy: node::copied(instance),
                ..Default::default()
            })
            .collect();
        self.send(Report::Instances(v1::InstanceObservations {
            generation: self.generation,
            instances,
            set_aside: self.aside.clone(),
        }))
        .await;
        self.send(Report::Heartbeat(v1::AllocatorHeartbeat {
            applied_generation: self.generation,
            collectors: Some(v1::CollectorStatus {
                credentials_version: self
                    .destination
                    .as_ref()
                    .map_or(0, |known| known.credentials_version),
                ..Default::default()
            }),
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
                for aside in &assignment.set_aside_instance_ids {
                    if self.held.remove(aside).is_some() {
                        self.aside.push(v1::SetAsideData {
                            instance_id: aside.clone(),
                            path: format!("/data/set-aside/{aside}"),
                            bytes: 4_096,
                            set_aside_at: None,
                        });
                    }
                }
                for kept in &assignment.keep_instance_ids {
                    if let Some(kept) = self.held.get_mut(kept) {
                        (kept.run, kept.port) = (false, 0);
                    }
                }
                for instance in assignment.instances {
                    self.held.insert(instance.instance_id.clone(), instance);
                }
                self.report().await;
            }
            allocator_order::Order::Destination(destination) => {
                self.destination = Some(destination);
                self.report().await;
            }
            allocator_order::Order::Leases(leases) => self.leases.push(leases),
            _ => {}
        }
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
