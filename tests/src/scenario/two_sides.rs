//! Clients on two sides of a cut, each with its books: what was sent, what was acknowledged and when. Both
//! write to the same deployment by `_bulk` with ids of their own, each through the proxies of its side alone.
//! Pure are the judgements: which documents are nowhere, and which side took writes last and first. Not
//! here: the cut (`cut_off`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    net::Ipv4Addr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::testbed::Desk;

/// Documents of one `_bulk`.
const BATCH: u64 = 5;
/// Between two requests of one client.
const PERIOD: Duration = Duration::from_millis(50);
/// A request that is not answered by then has failed. Short: a cut answers nothing.
const TIMEOUT: Duration = Duration::from_secs(3);

/// An answer that acknowledged documents.
#[derive(Debug, Clone)]
pub(super) struct Ack {
    /// When the request was sent.
    pub(super) begun: Instant,
    /// When its answer was here.
    pub(super) answered: Instant,
    /// Documents of it.
    pub(super) ids: Vec<String>,
}

#[derive(Debug, Default)]
struct SideBooks {
    sent: BTreeSet<String>,
    acks: Vec<Ack>,
    /// When, and what was said; the latest.
    refused: Option<(Instant, String)>,
}

/// The client of one side.
#[derive(Debug)]
pub(super) struct Side {
    name: &'static str,
    proxies: Vec<Ipv4Addr>,
    index: String,
    books: Mutex<SideBooks>,
    stop: AtomicBool,
}

impl Side {
    /// A client that has not begun; its name begins the ids of its documents.
    pub(super) fn new(name: &'static str, proxies: Vec<Ipv4Addr>, index: &str) -> Self {
        assert!(!proxies.is_empty(), "{name}: a side has a proxy");
        Self {
            name,
            proxies,
            index: index.to_owned(),
            books: Mutex::default(),
            stop: AtomicBool::new(false),
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Ends [`Self::write`].
    pub(super) const fn stop(&self) -> &AtomicBool {
        &self.stop
    }

    fn books(&self) -> MutexGuard<'_, SideBooks> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers so far that acknowledged documents.
    pub(super) fn acks(&self) -> Vec<Ack> {
        self.books().acks.clone()
    }

    /// Nothing when three requests were acknowledged that were sent after this moment.
    ///
    /// # Errors
    /// How many were, and what was said last.
    pub(super) fn taken_since(&self, moment: Instant) -> Result<(), String> {
        let books = self.books();
        let since = books.acks.iter().filter(|ack| ack.begun > moment).count();
        if since >= 3 {
            return Ok(());
        }
        let said = books.refused.as_ref().map(|(_, said)| said.as_str());
        Err(format!(
            "{}: {since} requests acknowledged; {}",
            self.name,
            said.unwrap_or("nothing refused")
        ))
    }

    /// What was said last, when it was after this moment.
    pub(super) fn refused_since(&self, moment: Instant) -> Option<String> {
        let refused = self.books().refused.clone();
        refused.filter(|(at, _)| *at > moment).map(|(_, said)| said)
    }

    /// Everything that was sent, and everything that was acknowledged.
    pub(super) fn documents(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let books = self.books();
        let acknowledged = books.acks.iter().flat_map(|ack| ack.ids.iter().cloned());
        (books.sent.clone(), acknowledged.collect())
    }

    /// Writes until told to stop: for code that is at the desk. What was refused is sent again under the same
    /// ids.
    pub(super) fn write(&self, credentials: &Value) {
        let clients = self
            .proxies
            .iter()
            .map(|proxy| Desk::client(credentials, *proxy, TIMEOUT))
            .collect::<Vec<_>>();
        let (mut next, mut turn) = (0, 0);
        while !self.stop.load(Ordering::Relaxed) {
            let mut open: BTreeSet<String> = (next..next + BATCH)
                .map(|number| format!("{}-{number:06}", self.name))
                .collect();
            next += BATCH;
            self.books().sent.extend(open.iter().cloned());
            while !open.is_empty() && !self.stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let path = format!("/{}/_bulk", self.index);
                let answer = clients[turn].call("POST", &path, &lines(&open));
                let (ids, refusal) = taken(answer, &mut open);
                let mut books = self.books();
                let answered = Instant::now();
                if !ids.is_empty() {
                    books.acks.push(Ack {
                        begun,
                        answered,
                        ids,
                    });
                }
                if let Some(said) = refusal {
                    books.refused = Some((answered, said));
                    turn = (turn + 1) % clients.len();
                }
                drop(books);
                thread::sleep(PERIOD);
            }
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

/// What was acknowledged of these, and what was said of the rest. A conflict says that it is there: an
/// earlier try was taken, and its answer lost.
fn taken(
    answer: Result<(u16, Value), String>,
    open: &mut BTreeSet<String>,
) -> (Vec<String>, Option<String>) {
    let answer = match answer {
        Ok((200, answer)) => answer,
        Ok((status, answer)) => return (Vec::new(), Some(format!("{status}: {answer}"))),
        Err(error) => return (Vec::new(), Some(error)),
    };
    let (mut ids, mut refusal) = (Vec::new(), None);
    for item in answer["items"].as_array().into_iter().flatten() {
        let create = &item["create"];
        let id = create["_id"].as_str().unwrap_or_default();
        if !matches!(create["status"].as_u64(), Some(201 | 409)) {
            refusal = Some(create.to_string());
        } else if open.remove(id) {
            ids.push(id.to_owned());
        }
    }
    if !open.is_empty() && refusal.is_none() {
        refusal = Some(format!("not all was answered: {answer}"));
    }
    (ids, refusal)
}

/// What of both sides' documents is wrong in these stores: acknowledged and in none, twice in one, or
/// never sent. A document may be in both, when its first answer was lost.
pub(super) fn account(sides: [&Side; 2], stores: &[(&str, BTreeMap<String, u64>)]) -> Vec<String> {
    let (mut sent, mut acknowledged) = (BTreeSet::new(), BTreeSet::new());
    for side in sides {
        let (more_sent, more_acknowledged) = side.documents();
        sent.extend(more_sent);
        acknowledged.extend(more_acknowledged);
    }
    let nowhere: Vec<&String> = acknowledged
        .iter()
        .filter(|id| !stores.iter().any(|(_, held)| held.contains_key(*id)))
        .collect();
    let mut breaches = Vec::new();
    if !nowhere.is_empty() {
        breaches.push(format!(
            "{} acknowledged documents are nowhere, such as {:?}",
            nowhere.len(),
            &nowhere[..nowhere.len().min(5)]
        ));
    }
    for (store, held) in stores {
        let doubled = held.iter().filter(|(_, count)| **count != 1);
        breaches.extend(doubled.map(|(id, count)| format!("{id} is {count} times in {store}")));
        let strangers = held.keys().filter(|id| !sent.contains(*id));
        breaches.extend(strangers.map(|id| format!("{id} is in {store} and was never sent")));
    }
    breaches
}

/// How many of both sides' acknowledged documents are not in a store that began from a snapshot of this
/// moment.
///
/// # Errors
/// When some of them were acknowledged before that moment; or there is none, so that nothing was to be seen.
pub(super) fn lacking(
    sides: [&Side; 2],
    store: &BTreeMap<String, u64>,
    snapshot: Instant,
) -> Result<usize, String> {
    let acks = sides.iter().flat_map(|side| side.acks());
    let (mut before, mut after) = (Vec::new(), 0);
    for ack in acks {
        let lacks = ack.ids.into_iter().filter(|id| !store.contains_key(id));
        if ack.answered < snapshot {
            before.extend(lacks);
        } else {
            after += lacks.count();
        }
    }
    if !before.is_empty() {
        return Err(format!(
            "{} documents acknowledged before the snapshot are not in the new store, such as {:?}",
            before.len(),
            &before[..before.len().min(5)]
        ));
    }
    if after == 0 {
        return Err("the new store lacks nothing: no write came after the snapshot".to_owned());
    }
    Ok(after)
}

/// Nothing when the last of the old place's acknowledgements came before the first of the new one's.
///
/// # Errors
/// By how much it did not; or that one took nothing.
pub(super) fn one_after_the_other(old: &[Ack], new: &[Ack]) -> Result<Duration, String> {
    let last = old.iter().map(|ack| ack.answered).max();
    let first = new.iter().map(|ack| ack.answered).min();
    let (Some(last), Some(first)) = (last, first) else {
        return Err(format!(
            "the old place took {} writes, the new one {}",
            old.len(),
            new.len()
        ));
    };
    first.checked_duration_since(last).ok_or_else(|| {
        format!(
            "the old place still took writes {} ms after the new one had begun to",
            (last - first).as_millis()
        )
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn side(name: &'static str) -> Side {
        Side::new(name, vec![Ipv4Addr::LOCALHOST], "docs")
    }

    fn ack(side: &Side, at: Instant, ids: &[&str]) -> Ack {
        let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        let ack = Ack {
            begun: at,
            answered: at,
            ids,
        };
        let mut books = side.books();
        books.sent.extend(ack.ids.iter().cloned());
        books.acks.push(ack.clone());
        ack
    }

    fn held(ids: &[(&str, u64)]) -> BTreeMap<String, u64> {
        let all = ids.iter().map(|(id, count)| ((*id).to_owned(), *count));
        all.collect()
    }

    #[test]
    fn a_document_in_neither_place_is_seen_and_one_in_both_is_good() {
        let (inside, outside) = (side("inside"), side("outside"));
        let now = Instant::now();
        ack(&inside, now, &["i1", "i2"]);
        ack(&outside, now, &["o1"]);
        let good = [
            ("the new place", held(&[("o1", 1), ("i2", 1)])),
            ("the old place", held(&[("i1", 1), ("i2", 1)])),
        ];
        assert_eq!(account([&inside, &outside], &good), Vec::<String>::new());
        let bad = [
            ("the new place", held(&[("o1", 2), ("strange", 1)])),
            ("the old place", held(&[("i1", 1)])),
        ];
        let breaches = account([&inside, &outside], &bad).join("\n");
        for part in [
            "1 acknowledged documents are nowhere, such as [\"i2\"]",
            "o1 is 2 times in the new place",
            "strange is in the new place and was never sent",
        ] {
            assert!(breaches.contains(part), "{part}: {breaches}");
        }
    }

    #[test]
    fn an_old_place_that_took_a_write_after_the_new_one_is_seen() {
        let (inside, outside) = (side("inside"), side("outside"));
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut old = vec![ack(&inside, at(1), &["a"]), ack(&inside, at(2), &["b"])];
        let new = vec![ack(&outside, at(5), &["c"]), ack(&outside, at(9), &["d"])];
        let apart = one_after_the_other(&old, &new);
        assert_eq!(apart, Ok(Duration::from_secs(3)));
        old.push(ack(&inside, at(6), &["e"]));
        let said = one_after_the_other(&old, &new).expect_err("both took writes");
        assert!(said.contains("1000 ms after"), "{said}");
        assert!(one_after_the_other(&old, &[]).is_err());
    }

    #[test]
    fn what_was_acknowledged_before_a_snapshot_is_missed_and_what_came_after_it_is_counted() {
        let (inside, outside) = (side("inside"), side("outside"));
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        ack(&inside, at(1), &["a", "b"]);
        ack(&outside, at(3), &["c", "d"]);
        let sides = [&inside, &outside];
        let store = held(&[("a", 1), ("b", 1), ("d", 1)]);
        assert_eq!(lacking(sides, &store, at(2)), Ok(1));
        let said = lacking(sides, &held(&[("a", 1), ("d", 1)]), at(2));
        let said = said.expect_err("b was acknowledged before the snapshot");
        assert!(said.contains("1 documents acknowledged before"), "{said}");
        let whole = held(&[("a", 1), ("b", 1), ("c", 1), ("d", 1)]);
        assert!(lacking(sides, &whole, at(2)).is_err(), "nothing to see");
    }

    #[test]
    fn a_batch_taken_in_part_is_acknowledged_in_part() {
        let mut open = BTreeSet::from(["a", "b", "c"].map(str::to_owned));
        let item = |id, status: u16| json!({"create": {"_id": id, "status": status}});
        let mixed = json!({"items": [item("a", 201), item("b", 429), item("c", 409)]});
        let (ids, refusal) = taken(Ok((200, mixed)), &mut open);
        assert_eq!(ids, ["a", "c"]);
        assert!(refusal.is_some_and(|said| said.contains("429")));
        let (ids, refusal) = taken(Ok((503, Value::Null)), &mut open);
        assert!(ids.is_empty() && refusal.is_some());
        assert_eq!(open, BTreeSet::from(["b".to_owned()]));
    }
}
