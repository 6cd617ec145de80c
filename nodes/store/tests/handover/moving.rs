//! A place under load goes to another one, and nothing is missing, doubled or refused.

use std::sync::Arc;

use http::Method;

use crate::load::{Load, Seen, fill};
use crate::place::{Place, Platform};

/// Every acknowledged document is at the place exactly once, and none that nobody wrote.
pub(crate) async fn account(place: &Place, seen: &[Seen]) {
    for seen in seen.iter().filter(|seen| !seen.index.is_empty()) {
        let found = place.numbers(&seen.index).await;
        let mut once = found.clone();
        once.dedup();
        assert_eq!(once.len(), found.len(), "no document is there twice");
        let missing: Vec<&u64> = seen
            .acknowledged
            .iter()
            .filter(|n| found.binary_search(n).is_err())
            .collect();
        assert!(missing.is_empty(), "acknowledged and missing: {missing:?}");
        let strange: Vec<&u64> = found
            .iter()
            .filter(|n| !seen.acknowledged.contains(n) && !seen.unknown.contains(n))
            .collect();
        assert!(strange.is_empty(), "nobody wrote {strange:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_under_load_is_taken_over_without_a_failed_request_or_a_missing_document() {
    let platform = Arc::new(Platform::new());
    let dir = tempfile::tempdir().unwrap();
    let mut source = Place::new(&platform, &dir.path().join("source"));
    source.start().await;
    for n in 0..20 {
        fill(&source, &format!("filled-{n}"), 5_000).await;
    }
    let load = Load::begin(&platform, source.addr);
    load.goes_on(400).await;

    let mut target = Place::new(&platform, &dir.path().join("target"));
    target.order(source.addr, false);
    target.start().await;
    let health = target.health().await;
    assert_eq!(
        (health.status, &health.body["status"]),
        (503, &"copying".into()),
        "{health:?}"
    );
    let early = target.send(Method::GET, "/filled-0/_count", "").await;
    assert_eq!(
        early.status, 503,
        "it answers nothing of the data yet: {early:?}"
    );
    let ready = target.reaches("ready").await;
    assert!(ready["bytes_total"].as_u64().unwrap() > 100_000, "{ready}");
    load.goes_on(200).await;
    target.reaches("ready").await;

    target.order(source.addr, true);
    let serving = target.reaches("serving").await;
    load.goes_on(200).await;
    let seen = load.end().await;

    let failed: Vec<&String> = seen.iter().flat_map(|seen| &seen.failed).collect();
    assert!(failed.is_empty(), "no request fails: {failed:?}");
    let searches: u64 = seen.iter().map(|seen| seen.searches).sum();
    assert!(searches > 0, "searches went on");
    let acknowledged: usize = seen.iter().map(|seen| seen.acknowledged.len()).sum();
    let longest = seen.iter().map(|seen| seen.longest).max().unwrap();
    println!(
        "100,000 documents and {acknowledged} more under load: pause {} ms, longest _bulk {} ms, {searches} searches",
        serving["pause_ms"],
        longest.as_millis()
    );
    account(&target, &seen).await;
    for n in [0, 7, 19] {
        let numbers = target.numbers(&format!("filled-{n}")).await;
        assert_eq!(numbers, (0..5_000).collect::<Vec<u64>>());
    }

    let health = target.health().await;
    assert_eq!(
        (health.status, &health.body["status"]),
        (200, &"ready".into()),
        "{health:?}"
    );
    std::fs::remove_file(target.secret("copy.json")).unwrap();
    assert!(
        target.health().await.body["copy"].is_null(),
        "told only while it is ordered"
    );

    // The old place passes everything on, also when it starts anew.
    source.stop().await;
    source.start().await;
    let health = source.health().await;
    assert_eq!(
        (health.status, &health.body["passes_on"]),
        (200, &true.into()),
        "{health:?}"
    );
    let line = "{\"index\":{\"_index\":\"late\"}}\n{\"n\":1}\n";
    assert_eq!(source.bulk(line).await.body["errors"], false);
    assert_eq!(source.numbers("late").await, [1]);
    target.stop().await;
    target.start().await;
    assert_eq!(
        target.numbers("late").await,
        [1],
        "it was written at the new place"
    );
    assert_eq!(
        source.numbers("late").await,
        [1],
        "and is read there again after its restart"
    );
    let none = source.send(Method::GET, "/none/_search", "").await;
    assert_eq!(none.status, 404, "statuses go through: {none:?}");
    source.stop().await;
    target.stop().await;
}
