//! How long a log line takes from being written to being found: 200 lines of a container, each
//! carrying the time at which it was written. Prints the figures; what is tested is that every
//! line is found, once.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    collections::HashMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use wharf_tests::{patience::wait_for, platform::Platform};

const LINES: usize = 200;

fn now_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    u64::try_from(now.as_millis()).expect("a time before the year 500 million")
}

#[test]
fn every_line_of_a_container_is_found_once_and_soon() {
    let platform = Platform::up("latency");
    // `date +%s%N` of busybox has no nanoseconds; the engine's own time stamp is used instead.
    let script = format!(
        "i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo probe $i; sleep 0.1; done; sleep 600"
    );
    let id = platform.start("ticker", &["--network", "none"], &script);
    let mut found_at: HashMap<u64, (u64, u64)> = HashMap::new();
    platform.with_system(|store| {
        wait_for("every line", Duration::from_secs(120), || {
            let query = json!({"bool": {"filter": [
                {"term": {"container.id": id}},
                {"range": {"@timestamp": {"gte": "now-10s"}}},
            ]}});
            let body = json!({"size": 500, "query": query, "sort": [{"@timestamp": "asc"}], "_source": ["message"]});
            let path = "/logs-docker.container-default/_search?ignore_unavailable=true";
            let answer = store.json("POST", path, &body)?;
            let seen_ms = now_ms();
            for hit in answer["hits"]["hits"].as_array().into_iter().flatten() {
                let number = hit["_source"]["message"]
                    .as_str()
                    .and_then(|text| text.strip_prefix("probe ")?.parse().ok());
                let written_ms = hit["sort"][0].as_u64();
                if let (Some(number), Some(written_ms)) = (number, written_ms) {
                    found_at.entry(number).or_insert((written_ms, seen_ms));
                }
            }
            if found_at.len() >= LINES { Ok(()) } else { Err(found_at.len().to_string()) }
        });
        let total = store.count("logs-docker.container-default", &json!({"term": {"container.id": id}}));
        assert_eq!(total, Ok(LINES as u64), "each line is stored once");
    });
    let mut took: Vec<u64> = found_at
        .values()
        .map(|(written, seen)| seen.saturating_sub(*written))
        .collect();
    took.sort_unstable();
    println!(
        "log line to search: p50 {} ms, p99 {} ms, max {} ms of {LINES} lines (polled every 100 ms)",
        took[took.len() / 2],
        took[took.len() * 99 / 100],
        took[took.len() - 1]
    );
}
