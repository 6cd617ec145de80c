//! A storage node and a monitoring node as processes of the real binary, a receiver of webhooks, and
//! clients of both. Not here: the tests.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use serde_json::{Value, json};
use tonic::metadata::{Ascii, MetadataValue};

use wharf_monitor_core::history;
use wharf_proto::json::to_json;
use wharf_proto::monitor::v1;
use wharf_proto::v1::channel::Kind;
use wharf_proto::v1::{Channel, WebhookChannel, WebhookFormat};
use wharf_runtime::clock::now_ms;
use wharf_runtime::net::{
    Addresses, ClientOptions, HttpsClient, Limits, PeerInfo, bind, channel, serve_plain,
};
use wharf_runtime::task::{Shutdown, spawn};
use wharf_runtime::tls::{Authority, Expect, LeafSpec, client_config, install_provider};
use wharf_test_ports::TestPort;
use wharf_tests::testbed::built_binary;

const PATIENCE: Duration = Duration::from_secs(60);
const USER: &str = "elastic";
/// In the environment: HOST:PORT of an OpenSearch without TLS that stands in for our storage node, and that each bench
/// empties first (`scripts/monitor-on-opensearch`).
const OTHER_STORAGE: &str = "WHARF_OTHER_STORAGE";
/// The deployment's name.
const DEPLOYMENT: &str = "logs of team <a>";
/// The deployment's password.
pub(crate) const PASSWORD: &str = "correct horse";

/// A message that a receiver took or refused.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) key: String,
    pub(crate) state: String,
    pub(crate) body: Value,
    pub(crate) was_taken: bool,
}

/// Takes webhooks; refuses some when asked to.
pub(crate) struct Receiver {
    pub(crate) url: String,
    pub(crate) messages: Arc<Mutex<Vec<Message>>>,
    /// Every so many requests is answered with 503; zero: none.
    pub(crate) refuse_every: Arc<AtomicU32>,
    stop: Shutdown,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let messages: Arc<Mutex<Vec<Message>>> = Arc::default();
        let refuse_every = Arc::new(AtomicU32::new(0));
        let stop = Shutdown::new();
        let (kept, refuse) = (Arc::clone(&messages), Arc::clone(&refuse_every));
        let factory = move |_: &PeerInfo| {
            let (kept, refuse) = (Arc::clone(&kept), Arc::clone(&refuse));
            service_fn(move |request: Request<Incoming>| {
                let (kept, refuse) = (Arc::clone(&kept), Arc::clone(&refuse));
                async move {
                    let bytes = request.into_body().collect().await.unwrap().to_bytes();
                    let body: Value = serde_json::from_slice(&bytes).unwrap();
                    let mut kept = kept.lock().unwrap();
                    let every = refuse.load(Ordering::Relaxed) as usize;
                    let was_taken = every == 0 || !(kept.len() + 1).is_multiple_of(every);
                    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
                    kept.push(Message {
                        key: text("key"),
                        state: text("state"),
                        body: body.clone(),
                        was_taken,
                    });
                    let status = if was_taken { 200 } else { 503 };
                    let answer = Response::builder().status(status);
                    Ok::<_, Infallible>(answer.body(Full::new(Bytes::new())).unwrap())
                }
            })
        };
        let serving = serve_plain(listener, factory, stop.clone(), Limits::default());
        drop(spawn("webhook receiver", serving));
        Self {
            url,
            messages,
            refuse_every,
            stop,
        }
    }

    pub(crate) fn taken(&self) -> Vec<Message> {
        let messages = self.messages.lock().unwrap();
        messages
            .iter()
            .filter(|one| one.was_taken)
            .cloned()
            .collect()
    }
}

/// Both nodes.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    pub(crate) authority: Authority,
    pub(crate) client: HttpsClient,
    store_port: TestPort,
    pub(crate) monitor_port: TestPort,
    store: Mutex<Option<Child>>,
    monitor: Mutex<Option<Child>>,
    pub(crate) receiver: Receiver,
}

fn basic(password: &str) -> String {
    let pair = format!("{USER}:{password}");
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    format!("Basic {pair}")
}

/// Looks until there is a value; fails with what it saw last.
pub(crate) async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match look().await {
            Ok(value) => return value,
            Err(last) => assert!(begin.elapsed() < PATIENCE, "{what}: last seen: {last}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

impl Bench {
    /// Starts both and waits until both are ready.
    pub(crate) async fn start() -> Self {
        install_provider();
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::create("test", now_ms()).unwrap();
        let leaf = LeafSpec::for_host("localhost").with_host("127.0.0.1");
        let (store_port, monitor_port) = (TestPort::reserve(), TestPort::reserve());
        for node in ["store", "monitor"] {
            let secrets = dir.path().join(node).join("secrets");
            fs::create_dir_all(&secrets).unwrap();
            let identity = authority.issue(&leaf, now_ms()).unwrap();
            identity.store(secrets.join("identity.pem")).unwrap();
            fs::write(secrets.join("ca.pem"), authority.certificate_pem()).unwrap();
        }
        let tls = client_config(&authority.certs(), Expect::Name, None).unwrap();
        let bench = Self {
            client: HttpsClient::new(tls, ClientOptions::default()),
            receiver: Receiver::start().await,
            dir,
            authority,
            store_port,
            monitor_port,
            store: Mutex::default(),
            monitor: Mutex::default(),
        };
        let users = json!({"users": [{"username": USER, "password": PASSWORD}]});
        bench.write("store/secrets/users.json", &users);
        bench.set_storage(&bench.storage_url());
        bench.set_channel(&bench.receiver.url);
        let mut bench = bench;
        if let Some(address) = other_storage() {
            empty(&address);
        }
        bench.start_store();
        bench.start_monitor();
        bench.wait_loaded().await;
        bench
    }

    /// Where the storage is reached.
    pub(crate) fn storage_url(&self) -> String {
        format!("https://{}", self.store_port.addr())
    }

    /// Writes a file of the secrets in one step, as an allocator does.
    pub(crate) fn write(&self, path: &str, content: &Value) {
        let path = self.dir.path().join(path);
        let beside = path.with_extension("new");
        fs::write(&beside, content.to_string()).unwrap();
        fs::rename(beside, path).unwrap();
    }

    /// The monitoring node has its storage at this URL, from its next start on.
    pub(crate) fn set_storage(&self, url: &str) {
        let access = json!({
            "url": url, "alias": "web",
            "server_name": "localhost", "username": USER, "password": PASSWORD,
        });
        self.write("monitor/secrets/storage.json", &access);
    }

    /// The channel `ops` goes to this URL from now on.
    pub(crate) fn set_channel(&self, url: &str) {
        let webhook = WebhookChannel {
            url: url.to_owned(),
            format: WebhookFormat::Json.into(),
            ..WebhookChannel::default()
        };
        let channel = Channel {
            name: "ops".to_owned(),
            kind: Some(Kind::Webhook(webhook)),
        };
        let channels = json!({"channels": [to_json(&channel).unwrap()]});
        self.write("monitor/secrets/channels.json", &channels);
    }

    fn run(&self, role: &str, port: &TestPort) -> Child {
        let dir = self.dir.path().join(role);
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(dir.join("log"))
            .unwrap();
        Command::new(built_binary())
            .args(["run", role])
            .arg("--data-dir")
            .arg(dir.join("data"))
            .arg("--secrets-dir")
            .arg(dir.join("secrets"))
            .args(["--listen", &port.addr().to_string()])
            .args(["--memory-bytes", "536870912"])
            .args(["--disk-bytes", "2147483648"])
            .args(["--deployment-name", DEPLOYMENT])
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("the binary runs")
    }

    /// TLS with the storage's certificate, in front of what has none.
    fn lead_to(&self, address: &str) -> Child {
        let port = self.store_port.port();
        let identity = self.dir.path().join("store/secrets/identity.pem");
        let certificate = identity.display();
        Command::new("socat")
            .arg(format!(
                "OPENSSL-LISTEN:{port},bind=127.0.0.1,cert={certificate},verify=0,fork,reuseaddr"
            ))
            .arg(format!("TCP:{address}"))
            // It has a process for each connection: all of them end with it.
            .process_group(0)
            .spawn()
            .expect("socat is installed")
    }

    pub(crate) fn start_store(&mut self) {
        let store = match other_storage() {
            Some(address) => self.lead_to(&address),
            None => self.run("store", &self.store_port),
        };
        self.store = Mutex::new(Some(store));
    }

    pub(crate) fn start_monitor(&mut self) {
        self.monitor = Mutex::new(Some(self.run("monitor", &self.monitor_port)));
    }

    pub(crate) fn kill_store(&mut self) {
        kill(&self.store);
    }

    pub(crate) fn kill_monitor(&mut self) {
        kill(&self.monitor);
    }

    /// A node that has ended answers no more: whoever waits for it should know at once.
    fn assert_running(&self) {
        for (role, node) in [("store", &self.store), ("monitor", &self.monitor)] {
            if let Some(Ok(Some(status))) = node.lock().unwrap().as_mut().map(Child::try_wait) {
                panic!("the {role} ended, {status}; log: {}", self.log(role));
            }
        }
    }

    pub(crate) async fn wait_loaded(&self) {
        let uri = format!(
            "https://localhost:{}/_wharf/health",
            self.monitor_port.port()
        );
        wait_for("the monitoring node is ready", async || {
            self.assert_running();
            let request = Request::get(&uri).body(Full::new(Bytes::new())).unwrap();
            let answer = self.client.fetch(request, 1 << 20).await;
            let answer =
                answer.map_err(|error| format!("{error}; log: {}", self.log("monitor")))?;
            let body: Value = serde_json::from_slice(answer.body()).unwrap();
            if body["status"] == "ready" {
                Ok(())
            } else {
                Err(format!("{body}; log: {}", self.log("monitor")))
            }
        })
        .await;
    }

    /// The end of a node's log.
    pub(crate) fn log(&self, role: &str) -> String {
        let text = fs::read_to_string(self.dir.path().join(role).join("log"));
        let text = text.unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    async fn request(
        &self,
        method: Method,
        uri: String,
        body: String,
    ) -> Result<(u16, Bytes), String> {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", basic(PASSWORD))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = self.client.fetch(request, 64 << 20).await;
        let answer = answer.map_err(|error| error.to_string())?;
        Ok((answer.status().as_u16(), answer.into_body()))
    }

    /// A call of the storage; repeated while it starts.
    pub(crate) async fn storage(&self, method: Method, path: &str, body: &str) -> Value {
        let uri = format!("https://localhost:{}{path}", self.store_port.port());
        wait_for(path, async || {
            self.assert_running();
            let answer = self.request(method.clone(), uri.clone(), body.to_owned());
            let (status, bytes) = answer.await?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if (200..300).contains(&status) || status == 404 {
                serde_json::from_str(&text).map_err(|error| error.to_string())
            } else {
                Err(format!("{status} {text}"))
            }
        })
        .await
    }

    /// What the monitoring node answers to a `POST`: status and body.
    pub(crate) async fn post(&self, path: &str, kind: &str, body: &[u8]) -> (u16, Bytes) {
        let request = Request::post(format!(
            "https://localhost:{}{path}",
            self.monitor_port.port()
        ))
        .header("authorization", basic(PASSWORD))
        .header("content-type", kind)
        .body(Full::new(Bytes::copy_from_slice(body)))
        .unwrap();
        let answer = self.client.fetch(request, 1 << 20).await.unwrap();
        (answer.status().as_u16(), answer.into_body())
    }

    /// A value of the monitoring node's metrics.
    pub(crate) async fn metric(&self, name: &str) -> Result<f64, String> {
        let uri = format!("https://localhost:{}/metrics", self.monitor_port.port());
        let (status, bytes) = self.request(Method::GET, uri, String::new()).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        value.ok_or_else(|| format!("{status} without {name}"))
    }

    /// All records of a watch's runs, oldest first.
    pub(crate) async fn runs(&self, watch: &str) -> Vec<v1::WatchRun> {
        let body = json!({"size": 10_000, "query": {"term": {"watch": watch}}});
        let path = "/.wharf-watch-history/_search";
        let answer = self.storage(Method::POST, path, &body.to_string()).await;
        let hits = answer["hits"]["hits"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let runs: BTreeMap<(u64, String), v1::WatchRun> = hits
            .iter()
            .filter_map(|hit| history::from_document(&hit["_source"]))
            .map(|run| ((scheduled_ms(&run), run.id.clone()), run))
            .collect();
        runs.into_values().collect()
    }

    /// A channel to the monitoring node, and what proves who calls.
    pub(crate) fn grpc(&self, password: &str) -> (tonic::transport::Channel, MetadataValue<Ascii>) {
        let tls = client_config(&self.authority.certs(), Expect::Name, None).unwrap();
        let address = format!("localhost:{}", self.monitor_port.port());
        let channel = channel(&Addresses::new([address]), tls);
        (channel, basic(password).parse().unwrap())
    }
}

pub(crate) fn scheduled_ms(run: &v1::WatchRun) -> u64 {
    run.scheduled_at
        .as_ref()
        .map_or(0, wharf_proto::times::millis)
}

/// Where the storage that stands in for ours is.
pub(crate) fn other_storage() -> Option<String> {
    env::var(OTHER_STORAGE).ok()
}

/// Removes all that a storage has.
fn empty(address: &str) {
    for path in [
        "_data_stream/*",
        "_index_template/*",
        "*,.wharf*?expand_wildcards=all",
    ] {
        let url = format!("http://{address}/{path}");
        let done = Command::new("curl")
            .args(["-sf", "-X", "DELETE", &url, "-o", "/dev/null"])
            .status();
        assert!(
            done.expect("curl is installed").success(),
            "{url} is emptied"
        );
    }
}

fn kill(child: &Mutex<Option<Child>>) {
    if let Some(mut child) = child.lock().unwrap().take() {
        if other_storage().is_some() {
            let group = format!("-{}", child.id());
            let killed = Command::new("kill").args(["-9", "--", &group]).output();
            // The monitoring node has no group of its own.
            drop(killed);
        }
        // SIGKILL: nothing is flushed. That it has ended already is as good.
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.receiver.stop.trigger();
        kill(&self.store);
        kill(&self.monitor);
        if std::thread::panicking() {
            eprintln!("the store's log:\n{}", self.log("store"));
            eprintln!("the monitoring node's log:\n{}", self.log("monitor"));
        }
    }
}
