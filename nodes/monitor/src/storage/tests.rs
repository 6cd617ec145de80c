//! The client against a server that fails, is slow, or is somebody else.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use proptest::prelude::*;
use serde_json::json;
use wharf_runtime::clock::now_ms;
use wharf_runtime::delivery::Secret;
use wharf_runtime::net::{Limits, PeerInfo, bind, serve_tls};
use wharf_runtime::task::{Shutdown, spawn};
use wharf_runtime::tls::{Authority, CertSlot, LeafSpec, server_config};

use super::*;

struct Server {
    storage: Storage,
    asked: Arc<AtomicUsize>,
    stop: Shutdown,
}

/// Answers `/slow` never, knows no path below `/_security` and says so as OpenSearch does, answers other paths with
/// 503 so many times and then well; tells what it was sent.
async fn server(failures: usize) -> Server {
    let ca = Authority::create("test", now_ms()).unwrap();
    let leaf = ca.issue(&LeafSpec::for_host("web.localhost"), now_ms());
    let tls = server_config(CertSlot::new(&leaf.unwrap())).unwrap();
    let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let asked: Arc<AtomicUsize> = Arc::default();
    let stop = Shutdown::new();
    let count = Arc::clone(&asked);
    let factory = move |_: &PeerInfo| {
        let count = Arc::clone(&count);
        service_fn(move |request: Request<Incoming>| {
            let count = Arc::clone(&count);
            async move {
                let before = count.fetch_add(1, Ordering::SeqCst);
                if request.uri().path() == "/slow" {
                    std::future::pending::<()>().await;
                }
                let header = |name: &str| {
                    let value = request.headers().get(name);
                    value
                        .and_then(|v| v.to_str().ok())
                        .unwrap_or_default()
                        .to_owned()
                };
                let body = json!({
                    "alias": header("x-found-cluster"), "who": header("authorization"),
                });
                let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
                if before < failures {
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                if request.uri().path().starts_with("/_security") {
                    let text = json!({"error": "no handler found for uri"}).to_string();
                    *response.body_mut() = Full::new(Bytes::from(text));
                    *response.status_mut() = StatusCode::BAD_REQUEST;
                }
                Ok::<_, Infallible>(response)
            }
        })
    };
    let serving = serve_tls(listener, tls, factory, stop.clone(), Limits::default());
    drop(spawn("storage", serving));
    let storage = Storage::default();
    storage.set_access(&access(url), &ca.certs()).unwrap();
    Server {
        storage,
        asked,
        stop,
    }
}

fn access(url: String) -> Access {
    Access {
        url,
        alias: "web".to_owned(),
        server_name: "web.localhost".to_owned(),
        username: "elastic".to_owned(),
        password: Secret::new("hunter22"),
        version: 3,
    }
}

#[tokio::test]
async fn what_may_be_repeated_is_and_what_may_not_is_not() {
    let server = server(2).await;
    let answer = server.storage.call(Method::GET, "/x", None).await.unwrap();
    assert_eq!(answer["alias"], "web");
    assert_eq!(answer["who"], "Basic ZWxhc3RpYzpodW50ZXIyMg==");
    assert_eq!(server.asked.load(Ordering::SeqCst), 3);
    server.stop.trigger();

    let server = self::server(1).await;
    let error = server.storage.call_once(Method::PUT, "/x", None).await;
    assert!(error.unwrap_err().may_pass());
    assert_eq!(server.asked.load(Ordering::SeqCst), 1, "asked once");
    server.stop.trigger();
}

#[tokio::test]
async fn a_slow_search_is_cut_off() {
    let server = server(0).await;
    let short = Duration::from_millis(50);
    let path = Method::POST;
    let cut = server
        .storage
        .fetch(&path, "/slow", Bytes::new(), None, short)
        .await;
    let error = cut.unwrap_err();
    assert!(
        matches!(error, StorageError::Timeout(after) if after == short),
        "{error}"
    );
    assert_eq!(crate::run::code(&error), "MON0002");
    server.stop.trigger();
}

#[tokio::test]
async fn whoever_is_not_of_the_platform_gets_no_credentials() {
    let server = server(0).await;
    let other = Authority::create("other", now_ms()).unwrap();
    let reached = server.storage.reached.load_full().unwrap();
    let port = reached.base.rsplit(':').next().unwrap().to_owned();
    let url = format!("https://127.0.0.1:{port}");
    server
        .storage
        .set_access(&access(url), &other.certs())
        .unwrap();
    let error = server
        .storage
        .call_once(Method::GET, "/x", None)
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::Unreachable(_)), "{error}");
    assert!(!error.to_string().contains("hunter22"), "{error}");
    assert_eq!(server.asked.load(Ordering::SeqCst), 0, "nothing was sent");
    server.stop.trigger();
}

#[tokio::test]
async fn without_storage_json_nothing_is_asked() {
    let error = Storage::default()
        .call(Method::GET, "/", None)
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::NoAccess) && error.may_pass());
}

#[test]
fn a_question_that_is_refused_is_not_unknown() {
    let refused = |status| StorageError::Refused {
        status,
        kind: String::new(),
        reason: String::new(),
    };
    for status in [400, 404, 405] {
        let error = refused(status);
        assert!(error.is_unknown() && !error.is_forbidden(), "{status}");
    }
    assert!(refused(403).is_forbidden() && !refused(403).is_unknown());
    assert!(!refused(401).is_unknown() && !refused(503).is_unknown());
}

proptest! {
    #[test]
    fn an_id_stays_in_its_place_of_a_path(id in ".{0,40}") {
        let text = escaped(&id);
        let safe = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~%".contains(&b));
        prop_assert!(safe, "{}", text);
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = (parse_json(&bytes), parse::<Hits>(&bytes), parse::<Docs>(&bytes));
    }
}

#[tokio::test]
async fn a_storage_that_judges_no_credentials_lets_in_the_nodes_own_alone() {
    let server = server(0).await;
    let judged = async |password: &str| {
        let header = basic("elastic", password).unwrap();
        server.storage.verify(&header).await.unwrap()
    };
    let own = access(String::new()).password.reveal().to_owned();
    assert!(judged(&own).await, "the node's own are let in");
    assert!(
        !judged("any other").await,
        "others are not, whatever the storage takes"
    );
    server.stop.trigger();
}

#[tokio::test]
async fn a_refusal_that_is_a_text_alone_is_told() {
    let server = server(0).await;
    let refused = server.storage.call(Method::GET, "/_security/role", None);
    let refused = refused.await.unwrap_err().to_string();
    assert!(refused.contains("no handler found for uri"), "{refused}");
    server.stop.trigger();
}
