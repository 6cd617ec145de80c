//! Orders that cannot be carried out: nothing is served in the place of data that is to come.

use http::Method;

use crate::load::fill;
use crate::place::{Place, Platform};

/// It serves nothing and says why, by health and to everybody who asks.
async fn serves_nothing(place: &Place, why: &str) {
    let copy = place.reaches("failed").await;
    let reason = copy["reason"].as_str().unwrap();
    assert!(reason.contains("STO0004") && reason.contains(why), "{copy}");
    assert_eq!(place.health().await.status, 503);
    let line = "{\"index\":{\"_index\":\"a\"}}\n{}\n";
    for (method, path) in [
        (Method::GET, "/filled/_count"),
        (Method::POST, "/_bulk"),
        (Method::PUT, "/a"),
    ] {
        let answer = place.send(method, path, line).await;
        assert_eq!(answer.status, 503, "{path}: {answer:?}");
        let reason = answer.body["error"]["reason"].as_str().unwrap();
        assert!(reason.contains("STO0004"), "{path}: {answer:?}");
    }
    let opened = place.data().join("catalog.json");
    assert!(!opened.exists(), "no empty store is opened");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_read_is_one_and_is_carried_out_once_it_can_be() {
    let platform = Platform::new();
    let dir = tempfile::tempdir().unwrap();
    let mut source = Place::new(&platform, &dir.path().join("source"));
    source.start().await;
    fill(&source, "filled", 100).await;
    let mut target = Place::new(&platform, &dir.path().join("target"));
    std::fs::write(target.secret("copy.json"), "{").unwrap();
    target.start().await;
    serves_nothing(&target, "cannot be read").await;
    target.stop().await;
    target.start().await;
    serves_nothing(&target, "cannot be read").await;

    target.order(source.addr, true);
    target.reaches("serving").await;
    assert_eq!(
        target.numbers("filled").await,
        (0..100).collect::<Vec<u64>>()
    );
    source.stop().await;
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_authority_nothing_is_copied_or_served_until_it_starts_with_one() {
    let platform = Platform::new();
    let dir = tempfile::tempdir().unwrap();
    let mut source = Place::new(&platform, &dir.path().join("source"));
    source.start().await;
    fill(&source, "filled", 100).await;
    let mut target = Place::new(&platform, &dir.path().join("target"));
    let (ca, aside) = (target.secret("ca.pem"), target.secret("aside"));
    std::fs::rename(&ca, &aside).unwrap();
    target.order(source.addr, true);
    target.start().await;
    serves_nothing(&target, "certificate").await;
    target.stop().await;

    std::fs::rename(&aside, &ca).unwrap();
    target.start().await;
    target.reaches("serving").await;
    assert_eq!(
        target.numbers("filled").await,
        (0..100).collect::<Vec<u64>>()
    );
    source.stop().await;
    target.stop().await;
}
