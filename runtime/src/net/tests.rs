//! Servers and clients of this package against each other on loopback.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_test_ports::TestPort;

use super::*;
use crate::task::{self, Shutdown};
use crate::tls::*;

fn authority() -> Authority {
    Authority::create("test", crate::clock::now_ms()).unwrap()
}

fn leaf(ca: &Authority, role: &str) -> Arc<CertSlot> {
    let identity = Identity::new("p", role, "1").unwrap();
    let spec = LeafSpec::for_identity(identity)
        .with_host("a.localhost")
        .with_host("127.0.0.1");
    CertSlot::new(&ca.issue(&spec, crate::clock::now_ms()).unwrap())
}

/// Answers with the peer's name and the protocol; holds `/slow` until released; breaks on `/panic`.
async fn answer(
    request: Request<Incoming>,
    arrived: Shutdown,
    release: Shutdown,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let peer = request
        .extensions()
        .get::<PeerIdentity>()
        .map(|p| p.0.role.clone());
    let info = request.extensions().get::<PeerInfo>().unwrap();
    assert_eq!(
        peer,
        info.identity.as_ref().map(|identity| identity.role.clone())
    );
    match request.uri().path() {
        "/slow" => {
            arrived.trigger();
            release.triggered().await;
        }
        "/panic" => panic!("planted"),
        _ => {}
    }
    let text = format!("{peer:?} {:?} {:?}", request.version(), info.server_name);
    Ok(Response::new(Full::new(text.into())))
}

struct Server {
    addr: SocketAddr,
    shutdown: Shutdown,
    /// Triggered when a slow request has arrived.
    arrived: Shutdown,
    release: Shutdown,
    done: tokio::task::JoinHandle<()>,
}

async fn start(config: Arc<rustls::ServerConfig>, limits: Limits) -> Server {
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (shutdown, arrived, release) = (Shutdown::new(), Shutdown::new(), Shutdown::new());
    let held = (arrived.clone(), release.clone());
    let factory = move |_: &PeerInfo| {
        let held = held.clone();
        service_fn(move |request| answer(request, held.0.clone(), held.1.clone()))
    };
    let served = serve_tls(listener, config, factory, shutdown.clone(), limits);
    Server {
        addr,
        shutdown,
        arrived,
        release,
        done: task::spawn("server", served),
    }
}

fn get(uri: String) -> Request<Full<Bytes>> {
    Request::get(uri).body(Full::default()).unwrap()
}

fn client(ca: &Authority, own: Option<Arc<CertSlot>>, options: ClientOptions) -> HttpsClient {
    HttpsClient::new(
        client_config(&ca.certs(), Expect::Name, own).unwrap(),
        options,
    )
}

#[tokio::test]
async fn a_handler_knows_who_asks_and_the_client_speaks_http_2() {
    let ca = authority();
    let config = internal_server_config(leaf(&ca, "director"), &ca.certs()).unwrap();
    let server = start(config, Limits::default()).await;
    let client = client(&ca, Some(leaf(&ca, "allocator")), ClientOptions::default());
    let uri = format!("https://a.localhost:{}/", server.addr.port());
    let answer = client.fetch(get(uri), 1_000).await.unwrap();
    assert_eq!(
        &answer.body()[..],
        b"Some(\"allocator\") HTTP/2.0 Some(\"a.localhost\")"
    );
    server.shutdown.trigger();
    server.done.await.unwrap();
}

#[tokio::test]
async fn the_url_is_verified_wherever_the_connection_goes() {
    let ca = authority();
    let server = start(
        server_config(leaf(&ca, "proxy")).unwrap(),
        Limits::default(),
    )
    .await;
    let connect_to = Some(server.addr.to_string());
    let client = client(
        &ca,
        None,
        ClientOptions {
            connect_to,
            ..ClientOptions::default()
        },
    );
    let answer = client
        .fetch(get("https://a.localhost:9243/".into()), 1_000)
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let error = client
        .fetch(get("https://b.localhost:9243/".into()), 1_000)
        .await
        .unwrap_err();
    assert!(
        matches!(error, FetchError::Dial(DialError::Tls { .. })),
        "{error}"
    );
    assert!(error.was_not_sent());
    let error = client
        .fetch(get("https://a.localhost:9243/".into()), 3)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::TooLarge(3)), "{error}");
}

#[tokio::test]
async fn a_panic_in_a_handler_is_counted_and_hurts_one_request_only() {
    let ca = authority();
    let server = start(
        server_config(leaf(&ca, "proxy")).unwrap(),
        Limits::default(),
    )
    .await;
    let client = client(&ca, None, ClientOptions::default());
    let before = task::panics();
    let uri = |path| format!("https://{}/{path}", server.addr);
    let error = client.fetch(get(uri("panic")), 1_000).await.unwrap_err();
    assert!(
        matches!(error, FetchError::Broken(_)) && !error.was_not_sent(),
        "{error}"
    );
    assert!(task::panics() > before);
    assert!(client.fetch(get(uri("")), 1_000).await.is_ok());
}

#[tokio::test]
async fn asked_to_stop_a_server_finishes_what_runs_and_refuses_what_comes() {
    let ca = authority();
    let server = start(
        server_config(leaf(&ca, "proxy")).unwrap(),
        Limits::default(),
    )
    .await;
    let client = client(&ca, None, ClientOptions::default());
    let slow = {
        let (client, request) = (client.clone(), get(format!("https://{}/slow", server.addr)));
        task::spawn("slow", async move { client.fetch(request, 1_000).await })
    };
    server.arrived.triggered().await;
    server.shutdown.trigger();
    while tokio::net::TcpStream::connect(server.addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
    server.release.trigger();
    assert_eq!(slow.await.unwrap().unwrap().status(), StatusCode::OK);
    server.done.await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_within_the_drain_time_is_cut() {
    let ca = authority();
    let limits = Limits {
        drain: std::time::Duration::from_millis(20),
        ..Limits::default()
    };
    let server = start(server_config(leaf(&ca, "proxy")).unwrap(), limits).await;
    let config = client_config(&ca.certs(), Expect::Name, None).unwrap();
    let address = server.addr.to_string();
    let patience = std::time::Duration::from_secs(60);
    let mut stream = dial_tls(&address, "a.localhost", config, patience)
        .await
        .unwrap();
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    server.shutdown.trigger();
    server.done.await.unwrap();
    let mut rest = Vec::new();
    // Closed one way or the other; what counts is that it does not stay open.
    drop(stream.read_to_end(&mut rest).await);
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_and_a_silent_one_is_cut() {
    let ca = authority();
    let limits = Limits {
        max_connections: 1,
        // The one who waits must be able to shake hands in it, however busy the machine is.
        handshake_timeout: std::time::Duration::from_secs(2),
        ..Limits::default()
    };
    let server = start(server_config(leaf(&ca, "proxy")).unwrap(), limits).await;
    // Takes the only place, says nothing, and loses it to the one who waits.
    let mut silent = tokio::net::TcpStream::connect(server.addr).await.unwrap();
    let patient = ClientOptions {
        connect_timeout: std::time::Duration::from_secs(60),
        timeout: std::time::Duration::from_secs(60),
        ..ClientOptions::default()
    };
    let client = client(&ca, None, patient);
    let answer = client
        .fetch(get(format!("https://{}/", server.addr)), 1_000)
        .await;
    assert!(answer.is_ok());
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_channel_tries_every_address_and_verifies_who_answers() {
    let ca = authority();
    let config = internal_server_config(leaf(&ca, "director"), &ca.certs()).unwrap();
    let server = start(config, Limits::default()).await;
    let closed = TestPort::reserve();
    let own = leaf(&ca, "allocator");
    let call = |role: &'static str, own: Arc<CertSlot>| {
        let expect = Expect::Identity(ExpectedIdentity::role(role));
        let config = client_config(&ca.certs(), expect, Some(own)).unwrap();
        let addresses = Addresses::new([closed.addr().to_string(), server.addr.to_string()]);
        let mut channel = channel(&addresses, config);
        async move {
            let request = Request::new(tonic::body::Body::empty());
            tower::ServiceExt::ready(&mut channel).await?;
            tower::Service::call(&mut channel, request).await
        }
    };
    let answer = call("director", own.clone()).await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert!(call("proxy", own).await.is_err());
}

#[tokio::test]
async fn localhost_and_names_below_it_are_loopback() {
    for host in ["localhost", "system.localhost", "A.LocalHost."] {
        let found = resolve(host, 1).await.unwrap();
        assert!(found.iter().all(|addr| addr.ip().is_loopback()), "{host}");
    }
    assert_eq!(
        resolve("[::1]", 9).await.unwrap(),
        ["[::1]:9".parse().unwrap()]
    );
    assert_eq!(
        resolve("10.1.2.3", 9).await.unwrap(),
        ["10.1.2.3:9".parse().unwrap()]
    );
}

#[test]
fn addresses_are_split_or_refused() {
    assert_eq!(split_host_port("a.test:80").unwrap(), ("a.test", 80));
    assert_eq!(split_host_port("[::1]:80").unwrap(), ("::1", 80));
    for wrong in ["", "a", ":1", "a:", "a:70000", "::1:80", "[]:1"] {
        assert!(split_host_port(wrong).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_taken_port_is_told_with_what_to_do() {
    let first = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let error = bind(first.local_addr().unwrap()).await.unwrap_err();
    assert!(
        error.to_string().contains("choose another port base"),
        "{error}"
    );
}
