//! The load of a chaos run, with its books: documents written by `_bulk`, counts searched
//! meanwhile, deployments that come and go, lines of an application that the collectors ship.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    account::search_breach,
    elastic::Elastic,
    patience::wait_for,
    testbed::{Host, run},
};

/// Documents of one `_bulk`.
const BATCH: u64 = 50;
/// A client's pause between two tries.
const RETRY: Duration = Duration::from_millis(100);
/// How long a platform may need to take a request again after a fault.
const RECOVERY: Duration = Duration::from_secs(150);
/// Deployments alive at a time beside `system`.
const ALIVE: usize = 2;

/// What was sent, what was acknowledged, what searches saw.
#[derive(Debug, Default)]
pub struct Books {
    sent: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
    searches: u64,
    short: Vec<String>,
}

impl Books {
    /// Ids that were sent.
    #[must_use]
    pub fn sent(&self) -> &BTreeSet<String> {
        &self.sent
    }

    /// Ids that the store acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> &BTreeSet<String> {
        &self.acknowledged
    }

    /// How many searches were answered.
    #[must_use]
    pub fn searches(&self) -> u64 {
        self.searches
    }

    /// Searches that saw fewer documents than were acknowledged before they were sent.
    #[must_use]
    pub fn short(&self) -> &[String] {
        &self.short
    }
}

/// Writes batches until told to stop. A batch without an answer is sent again under the same ids,
/// as every careful client does: `create` makes the second one a conflict, which counts as there.
///
/// # Panics
/// When another thread panicked with the books.
pub fn write_documents(store: &Elastic, books: &Mutex<Books>, stop: &AtomicBool) {
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        let mut open: BTreeSet<String> = (next..next + BATCH)
            .map(|number| format!("doc-{number:08}"))
            .collect();
        next += BATCH;
        let mut body = String::new();
        for id in &open {
            let _ = writeln!(
                body,
                "{{\"create\":{{\"_id\":\"{id}\"}}}}\n{{\"n\":\"{id}\"}}"
            );
        }
        books
            .lock()
            .expect("the books")
            .sent
            .extend(open.iter().cloned());
        while !open.is_empty() {
            if let Ok((200, answer)) = store.call("POST", "/chaos/_bulk", &body) {
                for item in answer["items"].as_array().into_iter().flatten() {
                    let create = &item["create"];
                    let there = matches!(create["status"].as_u64(), Some(201 | 409));
                    let id = create["_id"].as_str().unwrap_or_default();
                    if there && open.remove(id) {
                        let mut books = books.lock().expect("the books");
                        books.acknowledged.insert(id.to_owned());
                    }
                }
            }
            if !open.is_empty() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                thread::sleep(RETRY);
            }
        }
    }
}

/// Counts the documents until told to stop: what was acknowledged before must be seen.
///
/// # Panics
/// When another thread panicked with the books.
pub fn search(store: &Elastic, books: &Mutex<Books>, stop: &AtomicBool) {
    let body = json!({"size": 0, "track_total_hits": true, "query": {"exists": {"field": "n"}}});
    while !stop.load(Ordering::Relaxed) {
        let before = books.lock().expect("the books").acknowledged.len() as u64;
        if before > 0
            && let Ok(answer) = store.json("POST", "/chaos/_search", &body)
        {
            let seen = answer["hits"]["total"]["value"].as_u64().unwrap_or(0);
            let mut books = books.lock().expect("the books");
            books.searches += 1;
            books.short.extend(search_breach(before, seen));
        }
        thread::sleep(RETRY);
    }
}

/// Ids of every document that an index of the load has, counted.
///
/// # Panics
/// When the store does not answer.
#[must_use]
pub fn stored_documents(store: &Elastic, index: &str) -> BTreeMap<String, u64> {
    let mut stored = BTreeMap::new();
    each_document(
        |body| {
            let path = format!("/{index}/_search");
            let page = store.json("POST", &path, body);
            page.expect("a page of documents")
        },
        |hit| {
            let id = hit["_id"].as_str().unwrap_or_default().to_owned();
            *stored.entry(id).or_insert(0) += 1;
        },
    );
    stored
}

/// Takes each document of an index, from the answers to searches.
pub fn each_document(ask: impl FnMut(&Value) -> Value, take: impl FnMut(&Value)) {
    let sort = json!([{"n.keyword": "asc"}]);
    each_hit(ask, &json!({"match_all": {}}), &sort, take);
}

/// Numbers of an application's `line N`, counted.
///
/// # Panics
/// When the store does not answer.
#[must_use]
pub fn stored_lines(store: &Elastic, container_id: &str) -> BTreeMap<u64, u64> {
    let mut stored = BTreeMap::new();
    let path = "/logs-docker.container-default/_search";
    let query = json!({"term": {"container.id": container_id}});
    // The offset in the file is the position of a line; two of one place would be a double.
    let sort = json!([{"@timestamp": "asc"}, {"log.offset": "asc"}, {"log.file.path": "asc"}]);
    let ask = |body: &Value| store.json("POST", path, body).expect("a page of lines");
    each_hit(ask, &query, &sort, |hit| {
        let number = hit["_source"]["message"]
            .as_str()
            .and_then(|text| text.strip_prefix("line ")?.trim().parse().ok());
        if let Some(number) = number {
            *stored.entry(number).or_insert(0) += 1;
        }
    });
    stored
}

fn each_hit(
    mut ask: impl FnMut(&Value) -> Value,
    query: &Value,
    sort: &Value,
    mut take: impl FnMut(&Value),
) {
    let mut after = Value::Null;
    loop {
        let mut body = json!({"size": 5000, "query": query, "sort": sort});
        if !after.is_null() {
            body["search_after"] = after;
        }
        let answer = ask(&body);
        let hits = answer["hits"]["hits"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let Some(last) = hits.last() else {
            return;
        };
        after = last["sort"].clone();
        hits.iter().for_each(&mut take);
    }
}

/// Deployments that a run creates and deletes, at most a few alive.
#[derive(Debug, Default)]
pub struct Deployments {
    made: usize,
    alive: Vec<String>,
}

impl Deployments {
    /// Names that must be there in the end.
    #[must_use]
    pub fn alive(&self) -> &[String] {
        &self.alive
    }

    /// Creates one more, or deletes the oldest when enough are alive. The request carries an id
    /// and is repeated until a director takes it; the plan is not awaited.
    ///
    /// # Panics
    /// When no director takes it in time.
    pub fn next(&mut self, host: &Host) {
        if self.alive.len() < ALIVE {
            let name = format!("chaos-{}", self.made);
            let request = format!("{:032x}", self.made);
            self.made += 1;
            let mib = ["--memory-mib", "512", "--disk-mib", "1024"];
            let mut words = vec!["deployment", "create", "--name", &name];
            words.extend(mib);
            words.extend(["--request-id", &request, "-o", "json"]);
            accepted(host, &words);
            self.alive.push(name);
        } else {
            let name = self.alive.remove(0);
            accepted(host, &["deployment", "delete", &name, "--yes"]);
        }
    }
}

/// Calls until it is done; what is gone already counts as deleted (exit code 3: not found).
fn accepted(host: &Host, words: &[&str]) {
    wait_for("a director takes the request", RECOVERY, || {
        let answer = run(&mut host.wharf(words));
        let gone = words[1] == "delete" && answer.status.code() == Some(3);
        if answer.status.success() || gone {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&answer.stderr).into_owned())
        }
    });
}
