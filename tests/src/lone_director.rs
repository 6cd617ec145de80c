//! A director alone, as a process of the real binary on loopback, over a data directory as `wharf up`
//! leaves it; ended as by a crash. Its settings are written to and read. Not here: directors in groups and
//! those with allocators (`testbed`), hosts that join it without being there (`many_hosts`).

use std::{
    env, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use argon2::{
    Argon2, PasswordHasher as _,
    password_hash::{SaltString, rand_core::OsRng},
};
use rustls::ClientConfig;
use tonic::{Status, transport::Channel};
use wharf_proto::v1::{GetSettingRequest, Mutation, SetSettingRequest};
use wharf_runtime::{
    clock,
    platform_file::{PlatformFile, Ports},
    random,
    role_files::{DirectorBootstrap, member_of},
    tls::{
        Authority, CaCerts, Expect, ExpectedIdentity, Identity, LeafSpec, ROLE_DIRECTOR,
        client_config, install_provider,
    },
};
use wharf_services::v1::settings_client::SettingsClient;
use wharf_test_ports::TestPort;

use crate::{
    admin_login::AdminLogin,
    patience::wait_for,
    testbed::{built_binary, must},
};

/// Its admin.
pub const ADMIN: &str = "admin";
/// The admin's password.
pub const PASSWORD: &str = "as long as a password has to be";
/// For one call, over an election.
const TIMEOUT: Duration = Duration::from_secs(30);
/// For a start on busy cores.
const START: Duration = Duration::from_secs(60);

/// The files of a director, and its ports.
#[derive(Debug)]
pub struct Premises {
    data: PathBuf,
    ports: [TestPort; 3],
    authority: CaCerts,
    trust: Arc<ClientConfig>,
}

impl Premises {
    /// Writes the files of a platform with one director into a folder that is there.
    ///
    /// # Panics
    /// When they cannot be written.
    #[must_use]
    pub fn write(data: &Path) -> Self {
        Self::write_as(data, "alone", "127.0.0.1")
    }

    /// The same for a platform of that name which says that it is reached at that address: hosts join
    /// none that says loopback. It listens on loopback all the same.
    ///
    /// # Panics
    /// When they cannot be written.
    #[must_use]
    pub fn write_as(data: &Path, name: &str, advertised: &str) -> Self {
        install_provider();
        let ports = [(); 3].map(|()| TestPort::reserve());
        let [admin, internal, director_metrics] = [0, 1, 2].map(|which: usize| ports[which].port());
        let platform = PlatformFile {
            platform_id: random::new_id(),
            name: name.into(),
            domain: "localhost".into(),
            advertised_address: advertised.into(),
            bind_address: "127.0.0.1".into(),
            zone: "zone-1".into(),
            host: "h1".into(),
            ports: Ports {
                admin,
                internal,
                director_metrics,
                ..Ports::default()
            },
            directors: vec![ports[1].addr().to_string()],
        };
        let salt = SaltString::generate(&mut OsRng);
        let hash = Argon2::default()
            .hash_password(PASSWORD.as_bytes(), &salt)
            .expect("a password can be hashed");
        let director_id = random::new_id();
        let bootstrap = DirectorBootstrap {
            raft_id: member_of(&director_id).expect("an id"),
            director_id,
            admin_username: ADMIN.into(),
            admin_password_hash: hash.to_string(),
            allocator_id: random::new_id(),
            proxy_id: random::new_id(),
            system_template: "observability".into(),
        };
        let authority = Authority::create(&platform.platform_id, clock::now_ms());
        let authority = authority.expect("an authority");
        let identity = Identity::new(&platform.platform_id, ROLE_DIRECTOR, &bootstrap.director_id);
        let leaf = LeafSpec::for_identity(identity.expect("an identity"))
            .with_host("localhost")
            .with_host("127.0.0.1");
        let leaf = authority.issue(&leaf, clock::now_ms());
        let own = data.join("director");
        fs::create_dir_all(own.join("ca")).expect("a folder");
        let put = |path: PathBuf, bytes: &[u8]| {
            fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        };
        let json = |value: serde_json::Result<Vec<u8>>| value.expect("JSON");
        put(
            PlatformFile::path(data),
            &json(serde_json::to_vec(&platform)),
        );
        put(
            DirectorBootstrap::path(data),
            &json(serde_json::to_vec(&bootstrap)),
        );
        put(own.join("ca/authority.pem"), authority.to_pem().as_bytes());
        put(data.join("ca.pem"), authority.certs().to_pem().as_bytes());
        let key = hex::encode(random::bytes::<32>());
        put(own.join("platform.key"), key.as_bytes());
        let stored = leaf.expect("a certificate").store(own.join("identity.pem"));
        stored.expect("a certificate can be stored");
        let expect = Expect::Identity(ExpectedIdentity::role(ROLE_DIRECTOR));
        let trust = client_config(&authority.certs(), expect, None);
        Self {
            data: data.to_path_buf(),
            ports,
            authority: authority.certs(),
            trust: trust.expect("a TLS configuration"),
        }
    }

    /// Where it answers people.
    #[must_use]
    pub fn for_people(&self) -> SocketAddr {
        self.ports[0].addr()
    }

    /// Where it answers roles.
    #[must_use]
    pub fn for_roles(&self) -> SocketAddr {
        self.ports[1].addr()
    }

    /// Whom it and its roles are certified by.
    #[must_use]
    pub fn authority(&self) -> &CaCerts {
        &self.authority
    }

    /// How to connect to it without a certificate.
    #[must_use]
    pub fn trust(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.trust)
    }

    /// Starts the director; its log goes into this file as JSON. Waits until it leads and answers. A bench
    /// names another binary than the one that was built with the tests by `WHARF_BENCH_BINARY`.
    ///
    /// # Panics
    /// When it ends, or does not answer in time; the message has its log.
    #[must_use]
    pub fn start(&self, log: &Path) -> LoneDirector {
        let named = env::var_os("WHARF_BENCH_BINARY").map(PathBuf::from);
        let mut command = Command::new(named.unwrap_or_else(built_binary));
        command
            .args(["run", "director", "--data-dir"])
            .arg(&self.data);
        command.env("WHARF_LOG_FORMAT", "json");
        command.stdout(Stdio::null());
        command.stderr(fs::File::create(log).expect("the log can be made"));
        let process = command.spawn().expect("the director can be started");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let login = AdminLogin::new(Arc::clone(&self.trust), ADMIN, PASSWORD);
        let address = self.ports[0].addr().to_string();
        let channel = {
            let _inside = runtime.enter();
            login.channel(&[address])
        };
        let mut director = LoneDirector {
            process,
            runtime,
            channel,
            login,
        };
        wait_for("the director answers", START, || {
            if let Ok(Some(status)) = director.process.try_wait() {
                panic!(
                    "the director ended, {status}: {:?}",
                    fs::read_to_string(log)
                );
            }
            director
                .setting("notifications.repeat_seconds")
                .map_err(|status| (status.to_string(), fs::read_to_string(log)))
        });
        director
    }
}

/// A director that serves until it is dropped.
#[derive(Debug)]
pub struct LoneDirector {
    process: Child,
    runtime: tokio::runtime::Runtime,
    channel: Channel,
    login: AdminLogin,
}

impl LoneDirector {
    /// The value of a setting.
    ///
    /// # Errors
    /// What the director answered, or that it did not.
    pub fn setting(&self, key: &str) -> Result<String, Status> {
        let request = self.login.request_within(
            TIMEOUT,
            GetSettingRequest {
                key: key.to_owned(),
            },
        );
        let mut client = SettingsClient::new(self.channel.clone());
        let answer = self.runtime.block_on(client.get_setting(request))?;
        Ok(answer.into_inner().value)
    }

    /// Changes a setting.
    ///
    /// # Errors
    /// As [`Self::setting`].
    pub fn set(&self, key: &str, value: &str) -> Result<(), Status> {
        let request = self.login.request_within(
            TIMEOUT,
            SetSettingRequest {
                mutation: Some(Mutation {
                    request_id: random::new_id(),
                    expected_version: 0,
                }),
                key: key.to_owned(),
                value: value.to_owned(),
            },
        );
        let mut client = SettingsClient::new(self.channel.clone());
        self.runtime.block_on(client.set_setting(request))?;
        Ok(())
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How to end it as by a crash while somebody writes to it.
    pub fn killer(&self) -> impl FnOnce() + Send + use<> {
        let pid = self.process.id().to_string();
        move || {
            must(Command::new("kill").args(["-9", &pid]));
        }
    }
}

impl Drop for LoneDirector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
