//! Load on a platform that must notice nothing: every `_bulk` and every search must succeed at the
//! first try, and a search must see all that was acknowledged before it. Not here: load that a
//! platform may refuse for a while (`chaos`).

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::json;

use crate::{account::search_breach, elastic::Elastic};

/// Where the documents go.
pub const INDEX: &str = "steady";
/// Documents of one `_bulk`.
const BATCH: u64 = 20;
/// Between two requests of one client.
const PAUSE: Duration = Duration::from_millis(50);
/// Failures that are told; the rest is counted.
const TOLD: usize = 10;

/// What became of the load.
#[derive(Debug, Default)]
pub struct Served {
    acknowledged: BTreeSet<String>,
    searches: u64,
    failures: u64,
    told: Vec<String>,
}

impl Served {
    /// Ids that were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> &BTreeSet<String> {
        &self.acknowledged
    }

    /// How many searches were answered in full.
    #[must_use]
    pub fn searches(&self) -> u64 {
        self.searches
    }

    /// Requests that failed: how many, and the first of them.
    #[must_use]
    pub fn failures(&self) -> (u64, &[String]) {
        (self.failures, &self.told)
    }

    fn fail(&mut self, what: String) {
        self.failures += 1;
        if self.told.len() < TOLD {
            self.told.push(what);
        }
    }
}

/// Writes batches until told to stop.
///
/// # Panics
/// When another thread panicked with the books.
pub fn write(store: &Elastic, served: &Mutex<Served>, stop: &AtomicBool) {
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        let ids: Vec<String> = (next..next + BATCH)
            .map(|number| format!("doc-{number:08}"))
            .collect();
        next += BATCH;
        let mut body = String::new();
        for id in &ids {
            let _ = writeln!(
                body,
                "{{\"create\":{{\"_id\":\"{id}\"}}}}\n{{\"n\":\"{id}\"}}"
            );
        }
        let answer = store.call("POST", &format!("/{INDEX}/_bulk"), &body);
        let mut served = served.lock().expect("the books");
        match answer {
            Ok((200, answer)) if answer["errors"] == false => served.acknowledged.extend(ids),
            other => served.fail(format!("_bulk of {}: {other:?}", ids[0])),
        }
        drop(served);
        thread::sleep(PAUSE);
    }
}

/// Searches until told to stop.
///
/// # Panics
/// As [`write`].
pub fn search(store: &Elastic, served: &Mutex<Served>, stop: &AtomicBool) {
    let body = json!({"size": 1, "track_total_hits": true, "query": {"exists": {"field": "n"}}});
    while !stop.load(Ordering::Relaxed) {
        let before = served.lock().expect("the books").acknowledged.len() as u64;
        if before > 0 {
            let answer = store.json("POST", &format!("/{INDEX}/_search"), &body);
            let mut served = served.lock().expect("the books");
            match answer {
                Ok(answer) => {
                    let seen = answer["hits"]["total"]["value"].as_u64().unwrap_or(0);
                    match search_breach(before, seen) {
                        None => served.searches += 1,
                        Some(breach) => served.fail(breach),
                    }
                }
                Err(error) => served.fail(format!("a search: {error}")),
            }
        }
        thread::sleep(PAUSE);
    }
}
