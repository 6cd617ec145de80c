//! Three directors that keep their addresses over restarts, each in a runtime of its own that is
//! killed as a whole, optionally behind relays that can be cut.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub
)]

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use tokio::net::{TcpListener, TcpStream};
use tonic::{Status, transport::Channel};
use wharf_director::{Config, auth::Rules};
use wharf_proto::{coded, v1};
use wharf_runtime::{
    platform_file::PlatformFile,
    random,
    role_files::DirectorJoin,
    task,
    telemetry::{self, LogFormat},
    tls::{KeyedCert, ROLE_DIRECTOR},
};
use wharf_services::v1::{directors_client::DirectorsClient, settings_client::SettingsClient};
use wharf_test_ports::TestPort;

use crate::platform::{Files, Process, call, eventually, mutation};

/// A setting that tests write.
pub const KEY: &str = "plan.remove_timeout_seconds";

pub fn code_of(status: &Status) -> String {
    coded::decode(status.details())
        .map(|info| info.code)
        .unwrap_or_default()
}

struct Seat {
    dir: PathBuf,
    id: String,
    process: Option<Process>,
    relay: Option<Relay>,
    /// Of the admin API and of what is internal, at both of the director's addresses, over restarts.
    ports: [TestPort; 2],
}

pub struct Lab {
    pub files: Files,
    seats: Vec<Seat>,
    relayed: bool,
    _dirs: Vec<tempfile::TempDir>,
}

/// Where a director listens, and where others think that it does.
fn address(relayed: bool, seat: usize) -> (String, String) {
    if relayed {
        (
            format!("127.0.0.{}", seat + 2),
            format!("127.0.1.{}", seat + 2),
        )
    } else {
        ("127.0.0.1".into(), "127.0.0.1".into())
    }
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

impl Lab {
    pub async fn alone() -> Self {
        Self::begin(false).await
    }

    pub async fn of_three() -> Self {
        let mut lab = Self::begin(false).await;
        lab.join(1).await;
        lab.join(2).await;
        lab.until_whole().await;
        lab
    }

    /// Each director is reached by the others through a relay.
    pub async fn behind_relays() -> Self {
        let mut lab = Self::begin(true).await;
        lab.join(1).await;
        lab.join(2).await;
        lab.until_whole().await;
        lab
    }

    async fn begin(relayed: bool) -> Self {
        if let Ok(filter) = std::env::var("WHARF_TEST_LOG") {
            // Another test of this process may have begun the log.
            drop(telemetry::init(LogFormat::Json, &filter));
        }
        let files = Files::new();
        let dir = files.dir.path().to_owned();
        let id = files.bootstrap.director_id.clone();
        let mut lab = Self {
            files,
            seats: Vec::new(),
            relayed,
            _dirs: Vec::new(),
        };
        lab.furnish(&dir, 0, vec![]);
        lab.seat(dir, id).await;
        lab.start(0).await;
        lab
    }

    /// The files that installing leaves on a host.
    fn furnish(&self, dir: &Path, seat: usize, directors: Vec<String>) {
        let (bind, advertised) = address(self.relayed, seat);
        let platform = PlatformFile {
            advertised_address: advertised,
            bind_address: bind,
            zone: format!("zone-{}", seat + 1),
            host: format!("h{}", seat + 1),
            directors,
            ..self.files.platform.clone()
        };
        write(
            &PlatformFile::path(dir),
            serde_json::to_vec(&platform).unwrap(),
        );
        write(&dir.join("ca.pem"), self.files.authority.certs().to_pem());
    }

    async fn seat(&mut self, dir: PathBuf, id: String) {
        let (bind, advertised) = address(self.relayed, self.seats.len());
        let ports = [TestPort::reserve(), TestPort::reserve()];
        let internal = ports[1].port();
        let relay = if self.relayed {
            let from = format!("{advertised}:{internal}").parse().unwrap();
            let to = format!("{bind}:{internal}").parse().unwrap();
            Some(Relay::open(from, to).await)
        } else {
            None
        };
        self.seats.push(Seat {
            dir,
            id,
            process: None,
            relay,
            ports,
        });
    }

    /// Another director joins those that are there.
    pub async fn join(&mut self, seat: usize) {
        assert_eq!(seat, self.seats.len());
        let dir = tempfile::tempdir().unwrap();
        let id = random::new_id();
        let path = dir.path().to_owned();
        let peers = self.seats.iter().enumerate().map(|(number, seat)| {
            let (_, advertised) = address(self.relayed, number);
            format!("{advertised}:{}", seat.ports[1].port())
        });
        self.furnish(&path, seat, peers.collect());
        let file = DirectorJoin {
            director_id: id.clone(),
        };
        write(
            &DirectorJoin::path(&path),
            serde_json::to_vec(&file).unwrap(),
        );
        let identity = self.files.identity(ROLE_DIRECTOR, &id);
        identity.store(path.join("director/identity.pem")).unwrap();
        self._dirs.push(dir);
        self.seat(path, id).await;
        self.start(seat).await;
    }

    pub async fn start(&mut self, seat: usize) {
        let held = &self.seats[seat];
        let mut config = Config::from_data_dir(&held.dir).unwrap();
        config.admin_listen.set_port(held.ports[0].port());
        config.internal_listen.set_port(held.ports[1].port());
        config.metrics_listen.set_port(0);
        let process = Process::launch(config, Rules::of_contracts().unwrap()).await;
        self.seats[seat].process = Some(process);
    }

    /// Takes a director out, to be killed.
    pub fn take(&mut self, seat: usize) -> Process {
        self.seats[seat].process.take().unwrap()
    }

    pub fn process(&self, seat: usize) -> &Process {
        self.seats[seat].process.as_ref().unwrap()
    }

    pub fn id(&self, seat: usize) -> String {
        self.seats[seat].id.clone()
    }

    pub fn identity(&self, seat: usize) -> KeyedCert {
        self.files.identity(ROLE_DIRECTOR, &self.seats[seat].id)
    }

    pub fn raft_dir(&self, seat: usize) -> PathBuf {
        self.seats[seat].dir.join("director/raft")
    }

    pub fn channel(&self, seat: usize) -> Channel {
        self.files.channel(self.process(seat).admin, None)
    }

    fn raft(&self, seat: usize) -> wharf_director::raft::Status {
        self.process(seat)
            .running()
            .director
            .raft
            .status()
            .borrow()
            .clone()
    }

    pub fn member(&self, seat: usize) -> u64 {
        self.raft(seat).member
    }

    pub fn leader_seen_by(&self, seat: usize) -> Option<u64> {
        self.raft(seat).leader
    }

    fn live(&self) -> Vec<usize> {
        let seats = self.seats.iter().enumerate();
        seats
            .filter(|(_, seat)| seat.process.is_some())
            .map(|(number, _)| number)
            .collect()
    }

    /// The seat of the director that leads.
    pub async fn leader(&self) -> usize {
        eventually("a director leads", || async {
            self.live()
                .into_iter()
                .find(|seat| self.process(*seat).running().director.leads())
        })
        .await
    }

    /// Until all three vote, are described and lack nothing.
    pub async fn until_whole(&self) {
        eventually("three voters without a lag", || async {
            for seat in self.live() {
                if !self.process(seat).running().director.leads() {
                    continue;
                }
                let rows = self.try_directors(seat).await?;
                let whole = rows.len() == 3
                    && rows.iter().all(|row| {
                        row.connected && row.lag < 5 && row.role() != v1::DirectorRole::Learner
                    });
                return whole.then_some(());
            }
            None
        })
        .await;
    }

    async fn try_directors(&self, seat: usize) -> Option<Vec<v1::Director>> {
        let mut directors = DirectorsClient::new(self.channel(seat));
        let request = call(v1::ListDirectorsRequest::default());
        let listed = directors.list_directors(request).await.ok()?;
        Some(listed.into_inner().directors)
    }

    pub async fn directors(&self, seat: usize) -> Vec<v1::Director> {
        self.try_directors(seat).await.unwrap()
    }

    pub async fn write(&self, seat: usize, value: &str) -> Result<(), Status> {
        let request = v1::SetSettingRequest {
            mutation: mutation(),
            key: KEY.into(),
            value: value.into(),
        };
        let mut settings = SettingsClient::new(self.channel(seat));
        settings.set_setting(call(request)).await.map(drop)
    }

    /// Repeats one request until it is accepted.
    pub async fn write_until_accepted(&self, seat: usize, value: &str) {
        let request = v1::SetSettingRequest {
            mutation: mutation(),
            key: KEY.into(),
            value: value.into(),
        };
        let channel = self.channel(seat);
        eventually("a write is accepted", || {
            let mut settings = SettingsClient::new(channel.clone());
            let request = request.clone();
            async move { settings.set_setting(call(request)).await.ok().map(drop) }
        })
        .await;
    }

    pub async fn try_read(&self, seat: usize) -> Option<String> {
        let request = v1::GetSettingRequest { key: KEY.into() };
        let mut settings = SettingsClient::new(self.channel(seat));
        let mut request = call(request);
        request.set_timeout(std::time::Duration::from_secs(3));
        let found = settings.get_setting(request).await.ok()?;
        Some(found.into_inner().value)
    }

    pub async fn read(&self, seat: usize) -> String {
        eventually("a read is answered", || self.try_read(seat)).await
    }

    /// Nothing reaches that director from the others any more.
    pub fn cut(&self, seat: usize) {
        self.seats[seat]
            .relay
            .as_ref()
            .unwrap()
            .open
            .send_replace(false);
    }

    pub fn heal(&self, seat: usize) {
        self.seats[seat]
            .relay
            .as_ref()
            .unwrap()
            .open
            .send_replace(true);
    }
}

/// Passes connections on while it is open; closing it silences those that are there and accepts new
/// ones without a word, as a cut link does.
struct Relay {
    open: tokio::sync::watch::Sender<bool>,
}

impl Relay {
    async fn open(from: SocketAddr, to: SocketAddr) -> Self {
        let listener = TcpListener::bind(from).await.unwrap();
        let (open, state) = tokio::sync::watch::channel(true);
        drop(task::spawn("relay", async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut state = state.clone();
                drop(task::spawn("relayed connection", async move {
                    if state.wait_for(|open| *open).await.is_err() {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(to).await else {
                        return;
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                        _ = state.wait_for(|open| !*open) => {}
                    }
                    // Both ends stay open and hear nothing until the link is back.
                    let _ = state.wait_for(|open| *open).await;
                }));
            }
        }));
        Self { open }
    }
}
