//! Modest steady load on a deployment through several proxies, with its books: `_bulk` with ids that the
//! client chose, and searches. A request that failed is counted and tried again at the next proxy under
//! the same ids, as a careful client does. In the end every acknowledged document must be found once.
//!
//! Invariants: a document counts as acknowledged when its own item says so; searches are counted as short
//! when they see less than was acknowledged before them. Not here: what is done to the platform meanwhile.

use std::{
    collections::BTreeSet,
    fmt,
    fmt::Write as _,
    net::Ipv4Addr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    account::{document_breaches, search_breach},
    chaos::stored_documents,
    elastic::Elastic,
    patience::{StopWhenDropped, wait_for},
    testbed::Desk,
};

/// Documents of one `_bulk`; ten such a second.
const BATCH: u64 = 5;
/// Between two requests of one client.
const PERIOD: Duration = Duration::from_millis(100);
/// A request that is not answered by then has failed.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Failures that are told; the rest is counted.
const TOLD: usize = 8;

/// Whom the load goes to.
#[derive(Debug)]
pub struct Target<'a> {
    /// Where the clients sit.
    pub desk: &'a Desk,
    /// Of the deployment.
    pub credentials: &'a Value,
    /// Hosts whose proxies are used in turn.
    pub proxies: &'a [Ipv4Addr],
    /// Where the documents go: one of the scenario's own, or another one's would answer for it.
    pub index: &'a str,
}

/// What one client has seen.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Requests that were answered as they should be.
    pub good: u64,
    /// Requests that were not.
    pub failed: u64,
    /// The first of those.
    pub told: Vec<String>,
    /// Longest time from one good answer to the next.
    pub longest_pause: Duration,
    last_good: Option<Instant>,
}

impl Seen {
    fn good(&mut self) {
        let now = Instant::now();
        if let Some(last) = self.last_good.replace(now) {
            self.longest_pause = self.longest_pause.max(now - last);
        }
        self.good += 1;
    }

    fn fail(&mut self, what: String) {
        self.failed += 1;
        if self.told.len() < TOLD {
            self.told.push(what);
        }
    }
}

/// The books of the load.
#[derive(Debug, Default)]
pub struct LoadBooks {
    sent: BTreeSet<String>,
    acknowledged: BTreeSet<String>,
    /// Of the client that writes.
    pub writes: Seen,
    /// Of the client that searches.
    pub searches: Seen,
    short: Vec<String>,
}

impl LoadBooks {
    /// How many documents were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Requests that failed, of both clients.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.writes.failed + self.searches.failed
    }

    /// The first failures, of both clients.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        [&self.writes.told[..], &self.searches.told[..]].concat()
    }

    /// What is wrong with what is stored; empty when every acknowledged document is there once and no
    /// search saw less than it had to.
    #[must_use]
    pub fn breaches(&self, stored: &std::collections::BTreeMap<String, u64>) -> Vec<String> {
        let mut breaches = document_breaches(&self.acknowledged, &self.sent, stored);
        breaches.extend(self.short.iter().cloned());
        breaches
    }
}

impl fmt::Display for LoadBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "load: {} documents sent, {} acknowledged; _bulk {} good, {} failed, longest pause {} ms; \
             _search {} good, {} failed, longest pause {} ms",
            self.sent.len(),
            self.acknowledged.len(),
            self.writes.good,
            self.writes.failed,
            self.writes.longest_pause.as_millis(),
            self.searches.good,
            self.searches.failed,
            self.searches.longest_pause.as_millis()
        )
    }
}

/// Load that runs.
#[derive(Debug, Default)]
pub struct Load {
    books: Mutex<LoadBooks>,
    stop: AtomicBool,
}

impl Load {
    /// How many documents have been acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.books().acknowledged()
    }

    /// Nothing when documents are taken and searches answered again since this many were acknowledged.
    ///
    /// # Errors
    /// How many there are.
    pub fn goes_on_since(&self, before: usize) -> Result<(), String> {
        let now = self.acknowledged();
        if now >= before + 3 * usize::try_from(BATCH).unwrap_or(0) {
            Ok(())
        } else {
            Err(format!("{now} documents are acknowledged"))
        }
    }

    fn books(&self) -> std::sync::MutexGuard<'_, LoadBooks> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does the work while the load runs; gives the load's books, checked against what is stored.
///
/// # Panics
/// With the work's panic, and when the store does not tell what it has.
pub fn under_load(target: &Target<'_>, work: impl FnOnce(&Load)) -> LoadBooks {
    let load = Load::default();
    thread::scope(|scope| {
        let (running, stopping) = (&load, StopWhenDropped(&load.stop));
        let clients = [write as fn(&mut Clients, &Load), search].map(|client| {
            scope.spawn(move || {
                target
                    .desk
                    .here(|| client(&mut Clients::of(target), running))
            })
        });
        work(running);
        drop(stopping);
        for client in clients {
            if let Err(panic) = client.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    load.books
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Ids of every document that is stored, counted, through the first proxy that tells.
///
/// # Panics
/// When none tells in time.
#[must_use]
pub fn stored(target: &Target<'_>) -> std::collections::BTreeMap<String, u64> {
    target.desk.here(|| {
        let mut clients = Clients::of(target);
        wait_for("the store answers", Duration::from_secs(120), || {
            let answer =
                clients
                    .current()
                    .json("GET", &format!("/{}/_count", target.index), &Value::Null);
            answer.map(drop).inspect_err(|_| clients.next())
        });
        stored_documents(clients.current(), target.index)
    })
}

/// One client of each proxy, used in turn.
struct Clients {
    all: Vec<Elastic>,
    current: usize,
    index: String,
}

impl Clients {
    fn of(target: &Target<'_>) -> Self {
        let proxies = target.proxies.iter();
        let client = |proxy: &Ipv4Addr| Desk::client(target.credentials, *proxy, TIMEOUT);
        Self {
            all: proxies.map(client).collect(),
            current: 0,
            index: target.index.to_owned(),
        }
    }

    fn current(&self) -> &Elastic {
        &self.all[self.current]
    }

    fn next(&mut self) {
        self.current = (self.current + 1) % self.all.len();
    }
}

fn write(clients: &mut Clients, load: &Load) {
    let mut next = 0;
    while !load.stop.load(Ordering::Relaxed) {
        let mut open: BTreeSet<String> = (next..next + BATCH)
            .map(|number| format!("doc-{number:08}"))
            .collect();
        next += BATCH;
        load.books().sent.extend(open.iter().cloned());
        // The last batch is brought to its end too, so that the books are whole; for a while.
        let begun = Instant::now();
        while !open.is_empty() {
            if load.stop.load(Ordering::Relaxed) && begun.elapsed() > TIMEOUT {
                return;
            }
            let answer =
                clients
                    .current()
                    .call("POST", &format!("/{}/_bulk", clients.index), &lines(&open));
            if let Err(reason) = taken(&answer, &mut open, load) {
                load.books().writes.fail(reason);
                clients.next();
            } else {
                load.books().writes.good();
            }
            thread::sleep(PERIOD);
        }
    }
}

fn lines(ids: &BTreeSet<String>) -> String {
    let mut body = String::new();
    for id in ids {
        let _ = writeln!(
            body,
            "{{\"create\":{{\"_id\":\"{id}\"}}}}\n{{\"n\":\"{id}\"}}"
        );
    }
    body
}

/// Enters what was acknowledged. A second try of what was taken without an answer is a conflict, which
/// says that it is there.
fn taken(
    answer: &Result<(u16, Value), String>,
    open: &mut BTreeSet<String>,
    load: &Load,
) -> Result<(), String> {
    let (status, answer) = answer.as_ref().map_err(Clone::clone)?;
    if *status != 200 {
        return Err(format!("_bulk: {status}: {answer}"));
    }
    for item in answer["items"].as_array().into_iter().flatten() {
        let create = &item["create"];
        let there = matches!(create["status"].as_u64(), Some(201 | 409));
        let id = create["_id"].as_str().unwrap_or_default();
        if there && open.remove(id) {
            load.books().acknowledged.insert(id.to_owned());
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(format!("_bulk: not all was taken: {answer}"))
    }
}

fn search(clients: &mut Clients, load: &Load) {
    let body = json!({"size": 1, "track_total_hits": true, "query": {"exists": {"field": "n"}}});
    while !load.stop.load(Ordering::Relaxed) {
        let before = load.acknowledged() as u64;
        if before > 0 {
            let answer =
                clients
                    .current()
                    .json("POST", &format!("/{}/_search", clients.index), &body);
            let mut books = load.books();
            match answer {
                Ok(answer) => {
                    let seen = answer["hits"]["total"]["value"].as_u64().unwrap_or(0);
                    books.short.extend(search_breach(before, seen));
                    books.searches.good();
                }
                Err(error) => {
                    books.searches.fail(format!("a search: {error}"));
                    clients.next();
                }
            }
        }
        thread::sleep(PERIOD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, status: u16) -> Value {
        json!({"create": {"_id": id, "status": status}})
    }

    #[test]
    fn only_what_its_own_item_acknowledges_is_entered() {
        let load = Load::default();
        let mut open = BTreeSet::from(["a", "b", "c"].map(str::to_owned));
        let mixed = json!({"items": [item("a", 201), item("b", 503), item("c", 409)]});
        let left = taken(&Ok((200, mixed)), &mut open, &load);
        assert!(left.is_err_and(|reason| reason.contains("503")));
        assert_eq!(open, BTreeSet::from(["b".to_owned()]));
        assert_eq!(load.acknowledged(), 2);
        assert!(taken(&Ok((503, Value::Null)), &mut open, &load).is_err());
        assert!(taken(&Err("gone".into()), &mut open, &load).is_err());
        let rest = json!({"items": [item("b", 201)]});
        assert_eq!(taken(&Ok((200, rest)), &mut open, &load), Ok(()));
        assert_eq!(load.acknowledged(), 3);
    }

    #[test]
    fn the_longest_pause_lies_between_two_good_answers() {
        let mut seen = Seen::default();
        seen.good();
        seen.last_good = Instant::now().checked_sub(Duration::from_secs(9));
        seen.fail("x".into());
        seen.good();
        seen.good();
        assert!(seen.longest_pause >= Duration::from_secs(9));
        assert_eq!((seen.good, seen.failed), (3, 1));
    }
}
