//! What a store tells of itself on the socket in its data directory.

use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use wharf_runtime::metrics_socket::{Silence, read};

use crate::client::{Store, config, logs};

const DEADLINE: Duration = Duration::from_secs(60);

async fn told(dir: &Path) -> String {
    let (status, body) = read(dir, "/metrics", 1 << 20, DEADLINE).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    String::from_utf8(body.to_vec()).unwrap()
}

async fn health(dir: &Path) -> (StatusCode, Value) {
    let (status, body) = read(dir, "/health", 1 << 16, DEADLINE).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

fn value(text: &str, series: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("expected `{series}` in\n{text}"));
    line.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_tells_what_it_was_asked_what_it_holds_and_what_that_costs() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    let (status, body) = health(dir.path()).await;
    assert_eq!(
        (status, &body["healthy"]),
        (StatusCode::OK, &json!(true)),
        "{body}"
    );

    logs(&store, 40).await;
    let mixed = "{\"create\":{\"_id\":\"1\"}}\n{\"n\":1}\n{\"create\":{\"_id\":\"1\"}}\n{\"n\":2}\n\
                 {\"delete\":{\"_id\":\"none\"}}\n";
    assert_eq!(store.bulk("/plain/_bulk", mixed).await.status, 200);
    assert_eq!(store.get("/plain/_search").await.status, 200);
    assert_eq!(store.get("/plain/_doc/1").await.status, 200);
    assert_eq!(store.get("/none/_search").await.status, 404);
    assert_eq!(store.get("/_transform").await.status, 501);

    let text = told(dir.path()).await;
    for (series, wanted) in [
        (
            "wharf_store_requests_total{kind=\"bulk\",class=\"2xx\"}",
            2.0,
        ),
        (
            "wharf_store_requests_total{kind=\"search\",class=\"2xx\"}",
            1.0,
        ),
        (
            "wharf_store_requests_total{kind=\"search\",class=\"4xx\"}",
            1.0,
        ),
        (
            "wharf_store_requests_total{kind=\"read\",class=\"2xx\"}",
            1.0,
        ),
        (
            "wharf_store_requests_total{kind=\"other\",class=\"5xx\"}",
            1.0,
        ),
        ("wharf_store_errors_total", 1.0),
        ("wharf_store_refused_writes_total", 0.0),
        ("wharf_store_bulk_items_total{status=\"201\"}", 41.0),
        ("wharf_store_bulk_items_total{status=\"409\"}", 1.0),
        ("wharf_store_bulk_items_total{status=\"404\"}", 1.0),
        ("wharf_store_bulk_items_ok_total", 41.0),
        ("wharf_store_bulk_items_failed_total", 2.0),
        ("wharf_store_search_seconds_count", 2.0),
        ("wharf_store_documents", 41.0),
        ("wharf_store_indices", 2.0),
        ("wharf_store_fresh_rows", 41.0),
        ("wharf_store_bytes", 0.0),
        ("wharf_store_writes_stopped", 0.0),
        ("wharf_healthy", 1.0),
    ] {
        assert_eq!(value(&text, series), wanted, "{series} in\n{text}");
    }
    for series in [
        "wharf_store_fresh_bytes",
        "wharf_store_journal_bytes",
        "wharf_store_journal_sync_seconds_count",
        "wharf_disk_free_bytes",
        "wharf_memory_limit_bytes",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(value(&text, series) > 0.0, "{series} in\n{text}");
    }

    assert_eq!(
        store.json("POST", "/_forcemerge", Value::Null).await.status,
        200
    );
    let until = async {
        loop {
            let text = told(dir.path()).await;
            if value(&text, "wharf_store_fresh_rows") == 0.0 {
                break text;
            }
            // Totals are kept for a second.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let text = tokio::time::timeout(DEADLINE, until).await.unwrap();
    assert!(value(&text, "wharf_store_bytes") > 0.0, "{text}");
    assert_eq!(value(&text, "wharf_store_documents"), 41.0, "{text}");

    store.kill().await;
    let ended = read(dir.path(), "/metrics", 1 << 20, DEADLINE).await;
    assert_eq!(ended, Err(Silence::NobodyListens));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_disk_is_nearly_full_says_so_and_counts_what_it_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config(dir.path());
    config.flood_free_bytes = Some(u64::MAX / 4);
    let mut store = Store::open(config).await;
    store.running.as_ref().unwrap().run_lifecycle().await;
    let refused = store.bulk("/a/_bulk", "{\"index\":{}}\n{\"n\":1}\n").await;
    assert_eq!(
        refused.body["items"][0]["index"]["status"], 429,
        "{}",
        refused.text
    );
    assert_eq!(
        store.json("PUT", "/a/_doc/1", json!({"n": 1})).await.status,
        429
    );
    let text = told(dir.path()).await;
    assert_eq!(
        value(&text, "wharf_store_refused_writes_total"),
        2.0,
        "{text}"
    );
    assert_eq!(value(&text, "wharf_store_writes_stopped"), 1.0, "{text}");
    assert_eq!(value(&text, "wharf_healthy"), 0.0, "{text}");
    let (status, body) = health(dir.path()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let reason = body["details"]["reason"].as_str().unwrap();
    assert!(reason.contains("disk is nearly full"), "{body}");
    store.stop().await;
}
