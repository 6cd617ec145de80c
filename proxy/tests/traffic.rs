//! The proxy on real sockets: clients over TLS in front, instances with platform certificates
//! behind. The route table comes from disk, as when no director answers.

// A test fails by panicking.
#![allow(clippy::unwrap_used)]

use std::{
    collections::HashMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{Request, Response, StatusCode, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wharf_proto::v1::{Route, RouteInstance, RouteTable};
use wharf_proxy::{AccessLog, Config};
use wharf_runtime::{
    clock,
    net::{self, BoxError, Limits, PeerInfo, dial_tls},
    task::{self, Shutdown},
    tls::{Authority, CertSlot, Expect, Identity, LeafSpec, client_config, internal_server_config},
};
use wharf_test_ports::TestPort;

type TestBody = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

const PLATFORM: &str = "p";
const INSTANCE: &str = "0123456789abcdef0123456789abcdef";

fn body(text: impl Into<Bytes>) -> TestBody {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A platform: an authority, a folder, and what listens.
struct World {
    authority: Authority,
    dir: tempfile::TempDir,
    shutdown: Shutdown,
    log: Log,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.trigger();
    }
}

impl World {
    fn new() -> Self {
        wharf_runtime::tls::install_provider();
        Self {
            authority: Authority::create(PLATFORM, clock::now_ms()).unwrap(),
            dir: tempfile::tempdir().unwrap(),
            shutdown: Shutdown::new(),
            log: Log::default(),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn identity(&self, role: &str, id: &str) -> wharf_runtime::tls::KeyedCert {
        let spec = LeafSpec::for_identity(Identity::new(PLATFORM, role, id).unwrap())
            .with_host("localhost")
            .with_host("127.0.0.1");
        self.authority.issue(&spec, clock::now_ms()).unwrap()
    }

    /// An instance that answers by `answer`, under the certificate of `id`.
    async fn instance<F, R>(&self, id: &str, answer: F) -> SocketAddr
    where
        F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response<TestBody>> + Send + 'static,
    {
        let slot = CertSlot::new(&self.identity("instance", id));
        let config = internal_server_config(slot, &self.authority.certs()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = self.shutdown.clone();
        let factory = move |_: &PeerInfo| {
            let answer = answer.clone();
            service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, std::convert::Infallible>(answer.await) }
            })
        };
        task::spawn(
            "instance",
            net::serve_tls(listener, config, factory, shutdown, Limits::default()),
        );
        address
    }

    /// Writes the table of one deployment `system` with these instances, then starts a proxy.
    async fn proxy(&self, instances: &[(&str, SocketAddr)]) -> (SocketAddr, SocketAddr) {
        let alias = self
            .authority
            .issue(&LeafSpec::for_host("system.localhost"), clock::now_ms());
        let table = RouteTable {
            generation: 3,
            domain: "localhost".into(),
            routes: vec![Route {
                resource_id: "r".into(),
                deployment_id: "d".repeat(32),
                deployment_name: "system".into(),
                resource_kind: "storage".into(),
                alias: "system".into(),
                instances: instances
                    .iter()
                    .map(|(id, address)| RouteInstance {
                        instance_id: (*id).into(),
                        address: address.ip().to_string(),
                        port: address.port().into(),
                        zone: "z".into(),
                        healthy: true,
                    })
                    .collect(),
                identity_pem: alias.unwrap().to_pem().to_owned(),
            }],
        };
        self.write_table(&table);
        self.identity("proxy", "x")
            .store(self.file("identity.pem"))
            .unwrap();
        std::fs::write(self.file("ca.pem"), self.authority.certificate_pem()).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let config = Config {
            platform_id: PLATFORM.into(),
            proxy_id: "x".into(),
            host: "h".into(),
            zone: "z".into(),
            // Nobody listens there: every director is dead.
            directors: vec!["127.0.0.1:1".into()],
            https: any,
            http: Some(any),
            metrics: any,
            identity_path: self.file("identity.pem"),
            ca_path: self.file("ca.pem"),
            table_path: self.file("table.bin"),
        };
        let log = AccessLog::to(self.log.clone()).unwrap();
        let bound = wharf_proxy::bind(config, log, None).await.unwrap();
        let (https, http) = bound.addresses();
        task::spawn("proxy", bound.run(self.shutdown.clone()));
        (https.unwrap(), http.unwrap())
    }

    fn write_table(&self, table: &RouteTable) {
        let bytes = table.encode_to_vec();
        let mut file = crc32fast::hash(&bytes).to_be_bytes().to_vec();
        file.extend(bytes);
        std::fs::write(self.file("table.bin"), file).unwrap();
    }

    /// A TLS connection that verifies `name`.
    async fn connect(&self, to: SocketAddr, name: &str, protocol: &[u8]) -> impl Io + use<> {
        let config = client_config(&self.authority.certs(), Expect::Name, None).unwrap();
        let mut config = rustls::ClientConfig::clone(&config);
        config.alpn_protocols = vec![protocol.to_vec()];
        dial_tls(
            &to.to_string(),
            name,
            Arc::new(config),
            Duration::from_secs(60),
        )
        .await
        .unwrap()
    }

    async fn http1(&self, to: SocketAddr, name: &str, request: Request<TestBody>) -> Answer {
        let stream = self.connect(to, name, b"http/1.1").await;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        task::spawn("client", connection);
        read(sender.send_request(request).await.unwrap()).await
    }

    fn access_lines(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

trait Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static> Io for T {}

struct Answer {
    status: StatusCode,
    headers: HashMap<String, String>,
    text: String,
}

async fn read(response: Response<Incoming>) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

fn get(host: &str, path: &str) -> Request<TestBody> {
    Request::get(path)
        .header("host", host)
        .body(body(""))
        .unwrap()
}

async fn echo(request: Request<Incoming>) -> Response<TestBody> {
    let (parts, incoming) = request.into_parts();
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .map_or("-", |value| value.to_str().unwrap_or("?"))
            .to_owned()
    };
    let head = format!(
        "{} {} host={} for={} private={}\n",
        parts.method,
        parts.uri,
        header("host"),
        header("x-forwarded-for"),
        header("x-private"),
    );
    let sent = incoming.collect().await.unwrap().to_bytes();
    body([head.as_bytes(), &sent].concat()).into_response()
}

trait IntoResponse {
    fn into_response(self) -> Response<TestBody>;
}
impl IntoResponse for TestBody {
    fn into_response(self) -> Response<TestBody> {
        Response::new(self)
    }
}

#[tokio::test]
async fn a_deployment_is_reached_by_name_and_by_header_and_a_clients_hop_headers_stay() {
    let world = World::new();
    let instance = world.instance(INSTANCE, echo).await;
    let (https, _) = world.proxy(&[(INSTANCE, instance)]).await;
    let request = Request::post("/_bulk?x=1")
        .header("host", "system.localhost:9243")
        .header("connection", "x-private")
        .header("x-private", "secret")
        .header("x-forwarded-for", "6.6.6.6")
        .body(body("lines"))
        .unwrap();
    let answer = world.http1(https, "system.localhost", request).await;
    assert_eq!(
        answer.text,
        "POST /_bulk?x=1 host=system.localhost:9243 for=127.0.0.1 private=-\nlines"
    );
    let request = Request::get("/")
        .header("host", "localhost")
        .header("x-found-cluster", "system")
        .body(body(""))
        .unwrap();
    let answer = world.http1(https, "localhost", request).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn http2_clients_are_served_too() {
    let world = World::new();
    let instance = world.instance(INSTANCE, echo).await;
    let (https, _) = world.proxy(&[(INSTANCE, instance)]).await;
    let stream = world.connect(https, "system.localhost", b"h2").await;
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    task::spawn("client", connection);
    let request = Request::put("https://system.localhost/x")
        .body(body("doc"))
        .unwrap();
    let answer = read(sender.send_request(request).await.unwrap()).await;
    assert_eq!(
        answer.text,
        "PUT /x host=system.localhost for=127.0.0.1 private=-\ndoc"
    );
}

#[tokio::test]
async fn an_answer_streams_before_it_has_ended() {
    let world = World::new();
    let (more, rest) = tokio::sync::mpsc::channel::<Bytes>(1);
    let rest = Arc::new(Mutex::new(Some(rest)));
    let answer = move |_| {
        let rest = rest.lock().unwrap().take().expect("one request");
        async move {
            let frames = tokio_stream::wrappers::ReceiverStream::new(rest);
            let frames = futures::StreamExt::map(frames, |bytes| {
                Ok::<_, BoxError>(http_body::Frame::data(bytes))
            });
            Response::new(StreamBody::new(frames).boxed_unsync())
        }
    };
    let instance = world.instance(INSTANCE, answer).await;
    let (_, http) = world.proxy(&[(INSTANCE, instance)]).await;
    let stream = tokio::net::TcpStream::connect(http).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    task::spawn("client", connection);
    let mut response = sender
        .send_request(get("system.localhost", "/"))
        .await
        .unwrap();
    for part in ["one", "two"] {
        // The next part is made only after the one before has arrived.
        more.send(Bytes::from(part)).await.unwrap();
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), part);
    }
    drop(more);
    assert!(response.body_mut().frame().await.is_none());
}

#[tokio::test]
async fn a_connection_that_changes_its_protocol_is_tunnelled() {
    let world = World::new();
    let answer = |mut request: Request<Incoming>| async move {
        let upgrade = hyper::upgrade::on(&mut request);
        task::spawn("instance-side", async move {
            let mut io = TokioIo::new(upgrade.await.unwrap());
            let mut word = [0; 4];
            io.read_exact(&mut word).await.unwrap();
            io.write_all(&word.map(|byte| byte.to_ascii_uppercase()))
                .await
                .unwrap();
        });
        Response::builder()
            .status(StatusCode::SWITCHING_PROTOCOLS)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .body(body(""))
            .unwrap()
    };
    let instance = world.instance(INSTANCE, answer).await;
    let (_, http) = world.proxy(&[(INSTANCE, instance)]).await;
    let mut stream = tokio::net::TcpStream::connect(http).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: system.localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nping")
        .await
        .unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("HTTP/1.1 101"), "{said}");
    assert!(said.ends_with("\r\n\r\nPING"), "{said}");
}

#[tokio::test]
async fn an_unreachable_instance_is_passed_over_and_then_left_out() {
    let world = World::new();
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let instance = world
        .instance(INSTANCE, move |request| {
            count.fetch_add(1, Ordering::Relaxed);
            echo(request)
        })
        .await;
    let (dead, other) = (TestPort::reserve(), "f".repeat(32));
    let instances = [(INSTANCE, instance), (&other, dead.addr())];
    let (https, _) = world.proxy(&instances).await;
    for _ in 0..20 {
        let answer = world
            .http1(https, "system.localhost", get("system.localhost", "/"))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
    assert_eq!(
        served.load(Ordering::Relaxed),
        20,
        "each request was served once"
    );
}

#[tokio::test]
async fn an_instance_under_another_identity_gets_no_request() {
    let world = World::new();
    let served = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&served);
    let wrong = world
        .instance(&"e".repeat(32), move |request| {
            count.fetch_add(1, Ordering::Relaxed);
            echo(request)
        })
        .await;
    let (https, _) = world.proxy(&[(INSTANCE, wrong)]).await;
    let answer = world
        .http1(https, "system.localhost", get("system.localhost", "/"))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.headers["x-wharf-error"], "PRX0004");
    assert_eq!(served.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn refusals_are_coded_and_in_the_shape_that_elasticsearch_clients_read() {
    let world = World::new();
    let (https, _) = world.proxy(&[]).await;
    for (host, status, code) in [
        ("nobody.localhost", 404, "PRX0002"),
        ("localhost", 400, "PRX0001"),
        ("system.localhost", 503, "PRX0003"),
    ] {
        let answer = world.http1(https, "localhost", get(host, "/")).await;
        let json: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!(answer.status.as_u16(), status, "{host}");
        assert_eq!(json["status"], status);
        assert_eq!(json["error"]["code"], code);
        assert!(json["error"]["reason"].is_string() && json["error"]["root_cause"].is_array());
    }
}

#[tokio::test]
async fn health_tells_the_age_of_the_table_though_no_director_answers() {
    let world = World::new();
    let (https, _) = world.proxy(&[]).await;
    let answer = world
        .http1(https, "localhost", get("localhost", "/_health"))
        .await;
    let json: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        (&json["connected"], &json["table"]["generation"]),
        (&false.into(), &3.into())
    );
    assert!(json["table"]["age_ms"].as_i64() >= Some(0), "{json}");
}

#[tokio::test]
async fn every_request_is_logged_but_the_collectors_own() {
    let world = World::new();
    let instance = world.instance(INSTANCE, echo).await;
    let (https, _) = world.proxy(&[(INSTANCE, instance)]).await;
    for agent in ["curl/8", "wharf-collectors/0.1.0"] {
        let request = Request::post("/_bulk?secret=1")
            .header("host", "system.localhost")
            .header("user-agent", agent)
            .body(body("12345"))
            .unwrap();
        world.http1(https, "system.localhost", request).await;
    }
    world
        .http1(https, "localhost", get("nobody.localhost", "/last"))
        .await;
    let started = std::time::Instant::now();
    let lines = loop {
        let lines = world.access_lines();
        if lines.iter().any(|line| line["url"]["path"] == "/last") {
            break lines;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "no line of the last request: {lines:?}"
        );
        tokio::task::yield_now().await;
    };
    assert_eq!(
        lines.len(),
        2,
        "the collectors' request was logged: {lines:?}"
    );
    let first = &lines[0];
    assert_eq!(first["url"]["path"], "/_bulk", "the query is not logged");
    assert_eq!(first["http"]["request"]["body"]["bytes"], 5);
    assert_eq!(first["wharf"]["instance"]["id"], INSTANCE);
    assert_eq!(first["event"]["outcome"], "success");
    assert_eq!(lines[1]["error"]["code"], "PRX0002");
}

#[test]
fn a_config_is_read_from_what_wharf_up_writes() {
    let missing = Config::from_data_dir(Path::new("/nonexistent")).unwrap_err();
    assert!(missing.to_string().contains("wharf up"), "{missing}");
}
