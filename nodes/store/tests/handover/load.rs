//! Clients that write and search without pause, and remember what they were told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::Method;
use tokio::task::JoinSet;

use crate::place::{Place, Platform, call};

/// What clients saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Where it wrote; empty for one that searches.
    pub(crate) index: String,
    /// Numbers of documents that were acknowledged.
    pub(crate) acknowledged: Vec<u64>,
    /// Numbers of documents whose fate is not known.
    pub(crate) unknown: Vec<u64>,
    /// What did not succeed.
    pub(crate) failed: Vec<String>,
    pub(crate) searches: u64,
    /// The longest that a `_bulk` took.
    pub(crate) longest: Duration,
}

/// Load that goes on until it is ended.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    pub(crate) written: Arc<AtomicU64>,
    clients: JoinSet<Seen>,
}

fn lines(index: &str, numbers: std::ops::Range<u64>) -> String {
    let line = |n: u64| {
        format!(
            "{{\"index\":{{\"_index\":\"{index}\"}}}}\n{{\"n\":{n},\"text\":\"document {n}\"}}\n"
        )
    };
    numbers.map(line).collect()
}

/// Writes `count` documents into an index, numbered from zero.
pub(crate) async fn fill(place: &Place, index: &str, count: u64) {
    for from in (0..count).step_by(1000) {
        let answer = place
            .bulk(&lines(index, from..(from + 1000).min(count)))
            .await;
        assert_eq!(answer.body["errors"], false, "{answer:?}");
    }
}

async fn write(
    platform: Arc<Platform>,
    addr: SocketAddr,
    index: String,
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
) -> Seen {
    const BATCH: u64 = 20;
    let (client, mut seen) = (platform.client(None), Seen::default());
    let mut from = 0;
    // Twenty documents a request, and no more than a search returns.
    while !stop.load(Ordering::SeqCst) && from < 9_900 {
        let began = Instant::now();
        let batch = from..from + BATCH;
        let answer = call(
            &client,
            addr,
            Method::POST,
            "/_bulk",
            &lines(&index, batch.clone()),
        )
        .await;
        seen.longest = seen.longest.max(began.elapsed());
        match answer {
            Ok(answer) if answer.status == 200 && answer.body["errors"] == false => {
                seen.acknowledged.extend(batch);
                written.fetch_add(BATCH, Ordering::SeqCst);
            }
            Ok(answer) => {
                seen.unknown.extend(batch);
                seen.failed.push(format!("{answer:?}"));
            }
            Err(error) => {
                seen.unknown.extend(batch);
                seen.failed.push(error.to_string());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        from += BATCH;
    }
    seen.index = index;
    seen
}

async fn search(platform: Arc<Platform>, addr: SocketAddr, stop: Arc<AtomicBool>) -> Seen {
    let (client, mut seen) = (platform.client(None), Seen::default());
    let query = r#"{"query":{"match":{"text":"document"}},"size":1}"#;
    while !stop.load(Ordering::SeqCst) {
        match call(&client, addr, Method::POST, "/filled*/_search", query).await {
            Ok(answer) if answer.status == 200 => seen.searches += 1,
            Ok(answer) => seen.failed.push(format!("{answer:?}")),
            Err(error) => {
                seen.failed.push(error.to_string());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
    seen
}

impl Load {
    /// Two writers, each of its own index `load-0` and `load-1`, and one that searches.
    pub(crate) fn begin(platform: &Arc<Platform>, addr: SocketAddr) -> Self {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let mut clients = JoinSet::new();
        for n in 0..2 {
            clients.spawn(write(
                Arc::clone(platform),
                addr,
                format!("load-{n}"),
                Arc::clone(&stop),
                Arc::clone(&written),
            ));
        }
        clients.spawn(search(Arc::clone(platform), addr, Arc::clone(&stop)));
        Self {
            stop,
            written,
            clients,
        }
    }

    /// Waits until so many more documents were acknowledged.
    pub(crate) async fn goes_on(&self, more: u64) {
        let wanted = self.written.load(Ordering::SeqCst) + more;
        let wait = async {
            while self.written.load(Ordering::SeqCst) < wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(crate::place::DEADLINE, wait).await;
        assert!(
            in_time.is_ok(),
            "expected {more} more acknowledged documents"
        );
    }

    /// Ends it and gives what the writers saw, by their index, and the searcher.
    pub(crate) async fn end(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::SeqCst);
        self.clients.join_all().await
    }
}
