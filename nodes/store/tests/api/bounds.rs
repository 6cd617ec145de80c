//! What keeps a store within its memory and its disk: the limit on unpacked bodies, and retention by age.

use std::io::Write as _;
use std::process::Command;

use serde_json::Value;

use crate::client::{Store, config, logs};

const ALONE: &str = "WHARF_STORE_BOMB_ALONE";

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gzip_bomb_is_refused_within_the_memory_of_a_body() {
    // The peak is of the whole process, which other tests share: this one runs again in its own.
    if std::env::var_os(ALONE).is_none() {
        let name = "bounds::a_gzip_bomb_is_refused_within_the_memory_of_a_body";
        let run = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(
            run.status.success() && told.contains("1 passed"),
            "expected the test to pass alone: {told}"
        );
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path());
    let limit = config.max_body_bytes() as u64;
    let mut store = Store::open(config).await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![0u8; 1024 * 1024];
    for _ in 0..16 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap().repeat(64);
    let before = peak_bytes();
    let refused = store
        .send("POST", "/bomb/_bulk", "Content-Encoding: gzip\r\n", &bomb)
        .await;
    let grown = peak_bytes() - before;
    assert!(
        [413, 429].contains(&refused.status),
        "expected 413 or 429, got {}: {}",
        refused.status,
        refused.text
    );
    assert!(
        grown <= 3 * limit,
        "expected at most {} bytes more at the peak, got {grown}",
        3 * limit
    );
    let normal = store
        .bulk("/after/_bulk", "{\"index\":{}}\n{\"n\":1}\n")
        .await;
    assert_eq!(normal.body["errors"], false, "{}", normal.text);
    assert_eq!(store.count("after").await, 1);
    store.stop().await;
}

async fn backing(store: &Store) -> Vec<Value> {
    let streams = store.get("/_data_stream/logs-app-default").await;
    let indices = &streams.body["data_streams"][0]["indices"];
    indices.as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backing_index_past_its_retention_goes_and_the_write_index_stays() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    logs(&store, 5).await;
    store
        .json("POST", "/logs-app-default/_rollover", Value::Null)
        .await;
    logs(&store, 3).await;
    store.running.as_ref().unwrap().run_lifecycle().await;
    let kept = backing(&store).await;
    assert_eq!(kept.len(), 2, "expected both within 7 days: {kept:?}");
    store.stop().await;
    let mut short = config(dir.path());
    short.retention_logs = std::time::Duration::from_millis(1);
    let mut store = Store::open(short).await;
    store.running.as_ref().unwrap().run_lifecycle().await;
    let left = backing(&store).await;
    assert_eq!(left.len(), 1, "expected the write index alone: {left:?}");
    assert_eq!(left[0]["index_name"], kept[1]["index_name"]);
    assert_eq!(store.count("logs-app-default").await, 3);
    store.stop().await;
}
