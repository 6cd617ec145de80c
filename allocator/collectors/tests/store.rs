//! The walk of a sample into a real storage instance: shipped, searched with an aggregation, and kept
//! whole while the store is killed and comes back.
//!
//! Invariants: what is counted is what the store answers over HTTP.
//! Not here: the proxy between (the end-to-end tests).

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod ground;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ground::{LOGS, Running, kernel, log};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use wharf_runtime::net::{ClientOptions, HttpsClient};
use wharf_runtime::task::spawn;
use wharf_runtime::tls::{Expect, pinned_client_config};
use wharf_test_ports::TestPort;

async fn store(dir: &Path, listen: SocketAddr) -> wharf_store::Running {
    let listener = wharf_store::Listener::PlainLoopback;
    let config = wharf_store::Config::new(dir.join("store"), listen, listener);
    wharf_store::start(config).await.unwrap()
}

async fn search(addr: SocketAddr, stream: &str, body: &Value) -> Option<Value> {
    let config = pinned_client_config([0; 32], Expect::Name).unwrap();
    let client = HttpsClient::new(config, ClientOptions::default());
    let request = Request::post(format!("http://{addr}/{stream}/_search"))
        .header("content-type", "application/json")
        .body(Full::from(body.to_string()));
    let answer = client.fetch(request.unwrap(), 16 << 20).await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    serde_json::from_slice(answer.body()).ok()
}

/// Asks until the answer is as the test wants; fails after a minute.
async fn until<T>(
    addr: SocketAddr,
    stream: &str,
    body: Value,
    read: impl Fn(&Value) -> Option<T>,
) -> T {
    let asking = async {
        loop {
            if let Some(found) = search(addr, stream, &body).await.as_ref().and_then(&read) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, asking)
        .await
        .unwrap_or_else(|_| panic!("never: {body}"))
}

/// How many lines the store has, and how many different ones.
async fn lines(addr: SocketAddr, at_least: u64) -> (u64, u64) {
    let body = json!({
        "size": 0, "track_total_hits": true,
        "aggs": { "different": { "cardinality": { "field": "log.offset" } } },
    });
    until(addr, LOGS, body, |answer| {
        let total = answer["hits"]["total"]["value"].as_u64()?;
        let different = answer["aggregations"]["different"]["value"].as_u64()?;
        (total >= at_least).then_some((total, different))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_found_by_an_aggregation_and_a_killed_store_loses_no_line() {
    let dir = tempfile::tempdir().unwrap();
    kernel(dir.path(), 0);
    let port = TestPort::reserve();
    let addr = port.addr();
    let running_store = store(dir.path(), addr).await;
    let collectors = Running::start(dir.path(), format!("http://{addr}"));
    collectors.publish(dir.path());
    let path = dir.path().to_path_buf();
    let ticking = spawn("ticking", async move {
        for second in 1.. {
            tokio::time::sleep(Duration::from_millis(200)).await;
            kernel(&path, second);
        }
    });
    let body = json!({
        "size": 1,
        "query": { "term": { "service.name": "checkout" } },
        "aggs": { "by": {
            "terms": { "field": "container.name" },
            "aggs": { "cpu": { "max": { "field": "docker.cpu.total.pct" } } },
        } },
    });
    let found = until(addr, "metrics-docker.cpu-default", body, |answer| {
        let bucket = &answer["aggregations"]["by"]["buckets"][0];
        (bucket["doc_count"].as_u64()? > 0).then(|| bucket.clone())
    })
    .await;
    assert_eq!(found["key"], "shop_1");
    // How large it is depends on the real clock, which the counters here do not follow.
    assert!(found["cpu"]["value"].as_f64() > Some(0.0), "{found}");

    log(dir.path(), 0..200);
    assert_eq!(lines(addr, 200).await, (200, 200));
    // Killed in the middle of a stream of lines, and started again on the same data and address.
    log(dir.path(), 200..400);
    running_store.kill().await;
    log(dir.path(), 400..600);
    let running_store = store(dir.path(), addr).await;
    log(dir.path(), 600..700);
    assert_eq!(lines(addr, 700).await, (700, 700));
    ticking.abort();
    collectors.stop().await;
    running_store.stop().await;
}
