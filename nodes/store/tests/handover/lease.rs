//! A leased instance takes writes until its lease is over, and reads go on.

use http::Method;
use wharf_runtime::clock::boottime_ms;

use crate::place::{Answer, DEADLINE, Place, Platform};

const LINE: &str = "{\"index\":{\"_index\":\"a\"}}\n{\"n\":1}\n";

fn refused(answer: &Answer) -> bool {
    let reason = answer.body["error"]["reason"].as_str().unwrap_or_default();
    answer.status == 503
        && answer.body["error"]["type"] == "cluster_block_exception"
        && reason.contains("STO0001")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_over_refuses_writes_and_a_renewed_one_takes_them() {
    let platform = Platform::new();
    let dir = tempfile::tempdir().unwrap();
    let mut place = Place::new(&platform, dir.path());
    place.lease_until(0);
    place.start().await;
    let early = place.bulk(LINE).await;
    assert!(refused(&early), "not granted yet: {early:?}");

    place.lease_until(boottime_ms() + 600_000);
    let granted = place.bulk(LINE).await;
    assert_eq!(
        granted.body["errors"], false,
        "a grant counts at once: {granted:?}"
    );

    let end = boottime_ms() + 300;
    place.lease_until(end);
    let over = async {
        loop {
            let answer = place.bulk(LINE).await;
            if answer.status != 200 {
                break answer;
            }
        }
    };
    // What was granted before is kept in mind for half a second.
    let over = tokio::time::timeout(DEADLINE, over).await.unwrap();
    assert!(refused(&over) && boottime_ms() >= end, "{over:?}");
    for (method, path) in [
        (Method::PUT, "/a/_doc/1"),
        (Method::PUT, "/new"),
        (Method::DELETE, "/a"),
        (Method::POST, "/a/_delete_by_query"),
    ] {
        let answer = place.send(method.clone(), path, "{\"n\":1}").await;
        assert!(refused(&answer), "{method} {path}: {answer:?}");
    }
    let search = place.send(Method::POST, "/a/_search", "").await;
    assert_eq!(search.status, 200, "reads go on: {search:?}");
    assert_eq!(
        place.health().await.status,
        200,
        "it keeps its route for reads"
    );

    place.lease_until(boottime_ms() + 600_000);
    let renewed = place.bulk(LINE).await;
    assert_eq!(renewed.body["errors"], false, "{renewed:?}");

    place.lease_until(0);
    place.stop().await;
    std::fs::remove_file(place.secret("lease.json")).unwrap();
    place.start().await;
    let free = place.bulk(LINE).await;
    assert_eq!(
        free.body["errors"], false,
        "started without the file it is not leased: {free:?}"
    );
    place.stop().await;
}

/// Documents of an index; none when there is no index.
async fn count(place: &Place, index: &str) -> u64 {
    let path = format!("/{index}/_count");
    let answer = place.send(Method::GET, &path, "").await;
    answer.body["count"].as_u64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_when_the_lease_ended_is_not_acknowledged() {
    let platform = Platform::new();
    let dir = tempfile::tempdir().unwrap();
    let mut place = Place::new(&platform, dir.path());
    place.lease_until(0);
    place.start().await;
    // Leases of growing length, until one ends after the writes began and before they were durable.
    let found = async {
        for lease_ms in (0..500).step_by(10).cycle() {
            let index = format!("of-{lease_ms}");
            let lines: String = (0..2_000)
                .map(|n| format!("{{\"index\":{{\"_index\":\"{index}\"}}}}\n{{\"n\":{n}}}\n"))
                .collect();
            // So that nothing is known of an earlier lease.
            place.lease_until(0);
            while !refused(&place.bulk(LINE).await) {}
            place.lease_until(boottime_ms() + lease_ms);
            let answer = place.bulk(&lines).await;
            if answer.status == 200 {
                continue;
            }
            assert!(refused(&answer), "{answer:?}");
            if count(&place, &index).await > 0 {
                break;
            }
        }
    };
    let in_time = tokio::time::timeout(DEADLINE, found).await;
    assert!(
        in_time.is_ok(),
        "expected a write that was done and refused, for its lease ended meanwhile"
    );
    place.stop().await;
}
