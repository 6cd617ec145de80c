//! Who is told nothing, and what is not believed.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::task::JoinHandle;
use wharf_runtime::net::{HttpsClient, Limits, PeerInfo, TowerToHyperService, bind, serve_tls};
use wharf_runtime::task::Shutdown;
use wharf_runtime::tls::{CertSlot, Identity, ROLE_INSTANCE, ROLE_PROXY, server_config};

use crate::load::fill;
use crate::place::{Place, Platform, call};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_instance_itself_is_told_anything_of_its_files() {
    let platform = Platform::new();
    let dir = tempfile::tempdir().unwrap();
    let mut place = Place::new(&platform, dir.path());
    place.start().await;
    let id = platform.instance.id.clone();
    let mut answers = Vec::new();
    for stranger in [
        None,
        Some(Identity::new("p", ROLE_INSTANCE, "ff".repeat(16)).unwrap()),
        Some(Identity::new("p", ROLE_PROXY, id.clone()).unwrap()),
        Some(Identity::new("q", ROLE_INSTANCE, id.clone()).unwrap()),
    ] {
        let cert = stranger.map(|identity| platform.issue(identity));
        let client = platform.client(cert.as_ref());
        for (method, path) in [
            (Method::GET, "/_wharf/copy/files"),
            (Method::POST, "/_wharf/copy/piece"),
            (Method::POST, "/_wharf/copy/quiet"),
            (Method::POST, "/_wharf/copy/hold"),
            (Method::POST, "/_wharf/copy/release"),
            (Method::POST, "/_wharf/copy/handed_over"),
            (Method::GET, "/_wharf/copy/none"),
        ] {
            let body = r#"{"path":"catalog.json","from":0,"to":9,"attempt":"a","address":"b:1"}"#;
            let body = if method == Method::GET { "" } else { body };
            let answer = call(&client, place.addr, method, path, body).await.unwrap();
            assert_eq!(answer.status, 403, "{path}: {answer:?}");
            answers.push(answer.body.to_string());
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "one and the same refusal: {answers:?}");
    assert!(answers[0].contains("STO0002"), "{answers:?}");

    let foreign = Platform::new().issue(platform.instance.clone());
    let client = platform.client(Some(&foreign));
    let answer = call(&client, place.addr, Method::GET, "/_wharf/copy/files", "").await;
    assert!(answer.is_err(), "of another authority: {answer:?}");

    let own = platform.client(Some(&platform.issue(platform.instance.clone())));
    let files = call(&own, place.addr, Method::GET, "/_wharf/copy/files", "")
        .await
        .unwrap();
    assert_eq!(files.status, 200, "{files:?}");
    let outside = r#"{"path":"../secrets/identity.pem","from":0,"to":9}"#;
    let outside = call(
        &own,
        place.addr,
        Method::POST,
        "/_wharf/copy/piece",
        outside,
    )
    .await
    .unwrap();
    assert_eq!(outside.status, 404, "only the store's files: {outside:?}");
    let made_up = r#"{"attempt":"made up","address":"b:1"}"#;
    let made_up = call(
        &own,
        place.addr,
        Method::POST,
        "/_wharf/copy/handed_over",
        made_up,
    )
    .await
    .unwrap();
    assert_eq!(made_up.status, 409, "there is no such attempt: {made_up:?}");
    let line = "{\"index\":{\"_index\":\"a\"}}\n{\"n\":1}\n";
    assert_eq!(place.bulk(line).await.body["errors"], false, "it goes on");
    place.stop().await;
}

/// What is wrong on the way, and how often still.
#[derive(Default)]
struct Faults {
    /// Pieces of files in which one bit is turned.
    bits: AtomicUsize,
    /// Orders to hold writes that are refused.
    holds: AtomicUsize,
}

impl Faults {
    fn take(left: &AtomicUsize) -> bool {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok()
    }
}

/// Answers as another listener does, but for what is to be wrong.
async fn relay(
    client: HttpsClient,
    to: std::net::SocketAddr,
    request: Request<Body>,
    faults: Arc<Faults>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let piece = parts.uri.path().ends_with("/piece");
    if parts.uri.path().ends_with("/hold") && Faults::take(&faults.holds) {
        let mut refused = Response::new(Full::new(Bytes::from_static(b"not now")));
        *refused.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return refused;
    }
    let uri = format!("https://{to}{}", parts.uri.path());
    let passed = Request::builder()
        .method(parts.method)
        .uri(uri)
        .body(Full::new(body.clone()));
    let answer = client.fetch(passed.unwrap(), 64 << 20).await.unwrap();
    let (parts, body) = answer.into_parts();
    let mut bytes = body.to_vec();
    if piece && !bytes.is_empty() && Faults::take(&faults.bits) {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    }
    Response::from_parts(parts, Full::new(bytes.into()))
}

/// A place between a source and its target that makes faults, until it is stopped.
async fn between(
    platform: &Platform,
    to: std::net::SocketAddr,
    faults: &Arc<Faults>,
) -> (std::net::SocketAddr, JoinHandle<()>, Shutdown) {
    let cert = platform.issue(platform.instance.clone());
    let client = platform.client(Some(&cert));
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (faults, stop) = (Arc::clone(faults), Shutdown::new());
    let factory = move |_: &PeerInfo| {
        let (client, faults) = (client.clone(), Arc::clone(&faults));
        TowerToHyperService::new(tower::service_fn(move |request: Request<_>| {
            let (client, faults) = (client.clone(), Arc::clone(&faults));
            async move {
                let request = request.map(Body::new);
                Ok::<_, Infallible>(relay(client, to, request, faults).await)
            }
        }))
    };
    let tls = server_config(CertSlot::new(&cert)).unwrap();
    let relaying = serve_tls(listener, tls, factory, stop.clone(), Limits::default());
    (address, wharf_runtime::task::spawn("relay", relaying), stop)
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_change_on_the_way_are_found_and_fetched_again() {
    let platform = Platform::new();
    let dir = tempfile::tempdir().unwrap();
    let mut source = Place::new(&platform, &dir.path().join("source"));
    source.start().await;
    fill(&source, "filled", 2_000).await;

    let faults = Arc::new(Faults::default());
    faults.bits.store(usize::MAX, Ordering::SeqCst);
    let (between, relaying, stop) = between(&platform, source.addr, &faults).await;

    let mut target = Place::new(&platform, &dir.path().join("target"));
    target.order(between, true);
    target.start().await;
    let found = async {
        loop {
            let copy = target.health().await.body["copy"].clone();
            if copy["reason"]
                .as_str()
                .unwrap_or_default()
                .contains("STO0007")
            {
                break copy;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let copy = tokio::time::timeout(crate::place::DEADLINE, found)
        .await
        .unwrap();
    assert!(
        copy["stage"] != "serving" && copy["stage"] != "ready",
        "{copy}"
    );
    assert_eq!(
        target.send(Method::GET, "/filled/_count", "").await.status,
        503
    );

    faults.bits.store(3, Ordering::SeqCst);
    target.reaches("serving").await;
    assert_eq!(
        faults.bits.load(Ordering::SeqCst),
        0,
        "three more pieces were wrong"
    );
    assert_eq!(
        target.numbers("filled").await,
        (0..2_000).collect::<Vec<u64>>()
    );
    stop.trigger();
    relaying.await.unwrap();
    source.stop().await;
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_never_ended_serves_nothing_once_nobody_orders_it_any_more() {
    let platform = Platform::new();
    let dir = tempfile::tempdir().unwrap();
    let mut source = Place::new(&platform, &dir.path().join("source"));
    source.start().await;
    fill(&source, "filled", 100).await;
    let mut target = Place::new(&platform, &dir.path().join("target"));
    target.order(source.addr, false);
    target.start().await;
    target.reaches("ready").await;
    target.stop().await;
    std::fs::remove_file(target.secret("copy.json")).unwrap();
    target.start().await;
    let copy = target.reaches("failed").await;
    assert!(
        copy["reason"].as_str().unwrap().contains("STO0004"),
        "{copy}"
    );
    for (method, path) in [(Method::GET, "/filled/_count"), (Method::POST, "/_bulk")] {
        let answer = target
            .send(method, path, "{\"index\":{\"_index\":\"a\"}}\n{}\n")
            .await;
        assert_eq!(answer.status, 503, "{answer:?}");
        let reason = answer.body["error"]["reason"].as_str().unwrap();
        assert!(reason.contains("STO0004"), "{answer:?}");
    }
    assert_eq!(
        source.numbers("filled").await.len(),
        100,
        "the old place goes on"
    );

    // Ordered again, it goes on where it was.
    target.order(source.addr, true);
    target.reaches("serving").await;
    assert_eq!(target.numbers("filled").await.len(), 100);
    source.stop().await;
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_its_own_is_never_replaced_by_a_copy() {
    let platform = Platform::new();
    let dir = tempfile::tempdir().unwrap();
    let mut source = Place::new(&platform, &dir.path().join("source"));
    source.start().await;
    let mut target = Place::new(&platform, &dir.path().join("target"));
    target.start().await;
    fill(&target, "own", 10).await;
    target.stop().await;
    target.order(source.addr, true);
    target.start().await;
    let copy = target.reaches("failed").await;
    assert!(
        copy["reason"].as_str().unwrap().contains("STO0005"),
        "{copy}"
    );
    assert_eq!(target.numbers("own").await.len(), 10);
    source.stop().await;
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_over_before_the_old_place_wrote_down_that_its_data_went() {
    let platform = Platform::new();
    let dir = tempfile::tempdir().unwrap();
    let mut source = Place::new(&platform, &dir.path().join("source"));
    source.start().await;
    fill(&source, "filled", 100).await;
    // A folder where the marker is written first: no marker can be.
    let hindrance = source.data().join("handed_over.json.tmp");
    std::fs::create_dir(&hindrance).unwrap();
    let mut target = Place::new(&platform, &dir.path().join("target"));
    target.order(source.addr, true);
    target.start().await;
    let refused = async {
        loop {
            let health = target.health().await;
            assert_eq!(health.status, 503, "it must not serve: {health:?}");
            let reason = health.body["copy"]["reason"].to_string();
            if reason.contains("cannot write down that the data went") {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let in_time = tokio::time::timeout(crate::place::DEADLINE, refused).await;
    assert!(in_time.is_ok(), "{:?}", target.health().await);
    let passes_on = source.health().await.body["passes_on"].clone();
    assert!(passes_on.is_null(), "the old place has the data still");
    std::fs::remove_dir(&hindrance).unwrap();
    target.reaches("serving").await;
    assert_eq!(source.health().await.body["passes_on"], true);
    assert_eq!(target.numbers("filled").await.len(), 100);
    source.stop().await;
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_does_not_come_off_is_told_and_tried_again_after_a_pause() {
    let platform = Platform::new();
    let dir = tempfile::tempdir().unwrap();
    let mut source = Place::new(&platform, &dir.path().join("source"));
    source.start().await;
    fill(&source, "filled", 100).await;
    let faults = Arc::new(Faults::default());
    faults.holds.store(usize::MAX, Ordering::SeqCst);
    let (between, relaying, stop) = between(&platform, source.addr, &faults).await;
    let mut target = Place::new(&platform, &dir.path().join("target"));
    target.order(between, true);
    target.start().await;
    let told = async {
        loop {
            let reason = target.health().await.body["copy"]["reason"].to_string();
            if reason.contains("the switch did not come off") {
                break reason;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let reason = tokio::time::timeout(crate::place::DEADLINE, told)
        .await
        .unwrap();
    assert!(
        reason.contains("the next try comes") && reason.contains("503"),
        "{reason}"
    );
    faults.holds.store(0, Ordering::SeqCst);
    target.reaches("serving").await;
    assert_eq!(target.numbers("filled").await.len(), 100);
    stop.trigger();
    relaying.await.unwrap();
    source.stop().await;
    target.stop().await;
}
