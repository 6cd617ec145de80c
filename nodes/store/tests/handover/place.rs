//! A platform of one instance with two places, each with its folder of secrets, and a client of either.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use wharf_runtime::clock::now_ms;
use wharf_runtime::net::{ClientOptions, FetchError, HttpsClient};
use wharf_runtime::tls::{
    Authority, CertSlot, Expect, ExpectedIdentity, Identity, KeyedCert, LeafSpec, ROLE_INSTANCE,
    client_config, install_provider,
};
use wharf_store::{Config, Listener, Running, start};
use wharf_test_ports::TestPort;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The authority, and the instance's name.
pub(crate) struct Platform {
    pub(crate) authority: Authority,
    pub(crate) instance: Identity,
}

impl Platform {
    pub(crate) fn new() -> Self {
        install_provider();
        Self {
            authority: Authority::create("p", now_ms()).unwrap(),
            instance: Identity::new("p", ROLE_INSTANCE, "0a".repeat(16)).unwrap(),
        }
    }

    pub(crate) fn issue(&self, identity: Identity) -> KeyedCert {
        let leaf = LeafSpec::for_identity(identity).with_host("127.0.0.1");
        self.authority.issue(&leaf, now_ms()).unwrap()
    }

    /// A client that expects the instance, and shows a certificate or none.
    pub(crate) fn client(&self, own: Option<&KeyedCert>) -> HttpsClient {
        let expect = Expect::Identity(ExpectedIdentity::exactly(&self.instance));
        let own: Option<Arc<CertSlot>> = own.map(CertSlot::new);
        let tls = client_config(&self.authority.certs(), expect, own).unwrap();
        HttpsClient::new(tls, ClientOptions::default())
    }
}

/// One place.
pub(crate) struct Place {
    dir: PathBuf,
    pub(crate) client: HttpsClient,
    pub(crate) running: Option<Running>,
    pub(crate) addr: SocketAddr,
    /// Keeps the address from others: an order names it before the place starts, and it starts again there.
    _port: TestPort,
}

/// A place as a process, ended as by a crash.
pub(crate) struct Process(std::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

pub(crate) async fn call(
    client: &HttpsClient,
    addr: SocketAddr,
    method: Method,
    path: &str,
    body: &str,
) -> Result<Answer, FetchError> {
    let request = Request::builder()
        .method(method)
        .uri(format!("https://{addr}{path}"))
        .header("content-type", "application/x-ndjson")
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap();
    let answer = client.fetch(request, 64 << 20).await?;
    Ok(Answer {
        status: answer.status().as_u16(),
        body: serde_json::from_slice(answer.body()).unwrap_or(Value::Null),
    })
}

impl Place {
    /// Makes the folders; nothing runs yet.
    pub(crate) fn new(platform: &Platform, dir: &Path) -> Self {
        let secrets = dir.join("secrets");
        std::fs::create_dir_all(&secrets).unwrap();
        let cert = platform.issue(platform.instance.clone());
        cert.store(secrets.join("identity.pem")).unwrap();
        std::fs::write(secrets.join("ca.pem"), platform.authority.certs().to_pem()).unwrap();
        let port = TestPort::reserve();
        Self {
            dir: dir.to_path_buf(),
            client: platform.client(None),
            running: None,
            addr: port.addr(),
            _port: port,
        }
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(crate) fn secret(&self, name: &str) -> PathBuf {
        self.dir.join("secrets").join(name)
    }

    pub(crate) fn replace(&self, name: &str, value: &Value) {
        let next = self.secret("next");
        std::fs::write(&next, value.to_string()).unwrap();
        std::fs::rename(next, self.secret(name)).unwrap();
    }

    pub(crate) fn order(&self, from: SocketAddr, take_over: bool) {
        let order = json!({
            "address": from.to_string(), "take_over": take_over, "own_address": self.addr.to_string(),
        });
        self.replace("copy.json", &order);
    }

    pub(crate) fn lease_until(&self, boottime_ms: u64) {
        self.replace("lease.json", &json!({"boottime_deadline_ms": boottime_ms}));
    }

    /// Starts.
    pub(crate) async fn start(&mut self) {
        self.start_with(|_| {}).await;
    }

    /// Starts, configured otherwise.
    pub(crate) async fn start_with(&mut self, change: impl FnOnce(&mut Config)) {
        let listener = Listener::Tls {
            identity: self.secret("identity.pem"),
        };
        let mut config = Config::new(self.data(), self.addr, listener);
        config.memory_bytes = 256 << 20;
        config.flood_free_bytes = Some(1);
        change(&mut config);
        let running = start(config).await.unwrap();
        self.running = Some(running);
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &str) -> Answer {
        let answer = call(&self.client, self.addr, method, path, body).await;
        answer.unwrap()
    }

    pub(crate) async fn health(&self) -> Answer {
        self.send(Method::GET, "/_wharf/health", "").await
    }

    /// Starts as a process of its own and waits until it serves or copies.
    pub(crate) async fn spawn(&self) -> Process {
        let exe = std::env::current_exe().unwrap();
        let serve = exe.ancestors().nth(2).unwrap().join("examples/serve");
        assert!(
            serve.is_file(),
            "run `cargo build -p wharf-store --examples`"
        );
        let log = self.dir.join("log");
        let mut command = std::process::Command::new(serve);
        command.arg(self.data()).arg(self.addr.port().to_string());
        command.arg("256").arg(self.dir.join("secrets"));
        command.stdout(std::process::Stdio::null());
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut process = Process(command.spawn().unwrap());
        let answers = async {
            while self
                .told()
                .await
                .is_none_or(|told| told["status"] == "starting")
            {
                let ended = process.0.try_wait().unwrap();
                assert!(
                    ended.is_none(),
                    "the process ended: {ended:?}; its log: {:?}",
                    std::fs::read_to_string(&log)
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, answers).await;
        assert!(
            in_time.is_ok(),
            "the process answers; its log: {:?}",
            std::fs::read_to_string(&log)
        );
        process
    }

    /// Its health, if it answers.
    pub(crate) async fn told(&self) -> Option<Value> {
        let answer = call(&self.client, self.addr, Method::GET, "/_wharf/health", "").await;
        answer.ok().map(|answer| answer.body)
    }

    /// Waits until the copy is at a stage.
    pub(crate) async fn reaches(&self, stage: &str) -> Value {
        self.reaches_one_of(&[stage]).await
    }

    /// Waits until the copy is at one of these stages.
    pub(crate) async fn reaches_one_of(&self, stages: &[&str]) -> Value {
        let reached = async {
            loop {
                if let Some(health) = self.told().await
                    && stages.iter().any(|stage| health["copy"]["stage"] == *stage)
                {
                    return health["copy"].clone();
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        match tokio::time::timeout(DEADLINE, reached).await {
            Ok(copy) => copy,
            Err(_) => panic!(
                "expected one of the stages {stages:?}; the health is {:?}",
                self.told().await
            ),
        }
    }

    pub(crate) async fn bulk(&self, lines: &str) -> Answer {
        self.send(Method::POST, "/_bulk", lines).await
    }

    /// The numbers of all documents of an index, sorted.
    pub(crate) async fn numbers(&self, index: &str) -> Vec<u64> {
        let path = format!("/{index}/_search?size=10000");
        let found = self.send(Method::GET, &path, "").await;
        assert_eq!(found.status, 200, "{found:?}");
        let hits = found.body["hits"]["hits"].as_array().unwrap();
        let mut numbers: Vec<u64> = hits
            .iter()
            .map(|hit| hit["_source"]["n"].as_u64().unwrap())
            .collect();
        numbers.sort_unstable();
        numbers
    }
}
