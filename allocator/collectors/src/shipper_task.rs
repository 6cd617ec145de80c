//! Ships the spool to the store: one request at a time, in order, until every document is done.
//!
//! Invariants: the cursor passes a document when the store took it, had it, or will never take it;
//! a request whose fate is unknown is asked about by ids before it is sent again, so that a
//! rollover between the two tries cannot double a document; waits are bounded and jittered.
//! Not here: what an answer means (`core::ship`), HTTP (`destination`).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use wharf_collectors_core::Document;
use wharf_collectors_core::record::Record;
use wharf_collectors_core::ship::{self, Answer, BatchLimits, MAX_TRIES, Verdict};
use wharf_runtime::backoff::Backoff;
use wharf_runtime::journal::Reader;
use wharf_runtime::task::{Shutdown, spawn_blocking};
use wharf_runtime::{clock, random};

use crate::counters::{Counters, add};
use crate::destination::{Client, Destination, DestinationError, gzip};
use crate::spool::Spool;

/// How long the first document of a request waits for others.
const LINGER: Duration = Duration::from_millis(40);
/// How often the cursor is written, at most.
const CURSOR_EVERY: Duration = Duration::from_secs(1);
/// How often rejected documents are logged, at most.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// Bytes of the spool that are read at once.
const READ_BYTES: usize = 256 * 1024;
/// Bodies over this size are compressed beside the async threads.
const SMALL_BODY: usize = 128 * 1024;

/// A document on its way.
struct Waiting {
    document: Document,
    tries: u32,
    /// It may have been shipped before: ask first.
    verify: bool,
}

/// Ships until the end is asked for.
pub(crate) struct Shipper {
    spool: Spool,
    destinations: watch::Receiver<Option<Destination>>,
    counters: Arc<Counters>,
    shutdown: Shutdown,
    limits: BatchLimits,
    client: Option<Client>,
    backoff: Backoff,
    /// Records before this were in the spool at the start: they may have been sent by the process
    /// before this one.
    verify_before: u64,
    saved_cursor: (u64, Instant),
    rejected: Rejected,
    failing_since: Option<Instant>,
}

/// What the log is told about rejected documents.
#[derive(Default)]
struct Rejected {
    count: usize,
    reason: String,
    told: Option<Instant>,
}

impl Shipper {
    pub(crate) fn new(
        spool: Spool,
        destinations: watch::Receiver<Option<Destination>>,
        counters: Arc<Counters>,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            verify_before: spool.next_seq(),
            saved_cursor: (spool.cursor(), Instant::now()),
            spool,
            destinations,
            counters,
            shutdown,
            limits: BatchLimits::default(),
            client: None,
            backoff: Backoff::new(200, 5_000),
            rejected: Rejected::default(),
            failing_since: None,
        }
    }

    /// The task.
    pub(crate) async fn run(mut self) {
        let mut appended = self.spool.subscribe();
        let mut reader = self.spool.reader();
        let shutdown = self.shutdown.clone();
        loop {
            appended.borrow_and_update();
            if reader.position() >= self.spool.next_seq() {
                self.save_cursor(false);
                let idle = tokio::time::timeout(CURSOR_EVERY, appended.changed());
                match shutdown.run_until(idle).await {
                    None | Some(Ok(Err(_))) => break,
                    Some(Err(_)) => continue,
                    Some(Ok(Ok(()))) => tokio::time::sleep(LINGER).await,
                }
            }
            let (waiting, done) = match self.gather(&mut reader).await {
                Ok(gathered) => gathered,
                Err(error) => {
                    tracing::error!(%error, "the spool cannot be read; trying again");
                    let pause = self.backoff.next(random::next_u64());
                    if shutdown
                        .run_until(tokio::time::sleep(pause))
                        .await
                        .is_none()
                    {
                        break;
                    }
                    continue;
                }
            };
            if shutdown.run_until(self.ship(waiting)).await.is_none() {
                break;
            }
            if let Err(error) = self.spool.acknowledge(done).await {
                tracing::warn!(%error, "shipped records of the spool could not be removed");
            }
            self.save_cursor(false);
        }
        self.save_cursor(true);
    }

    /// Reads the records of one request; also gives the number of the record behind them.
    async fn gather(&self, reader: &mut Reader) -> std::io::Result<(Vec<Waiting>, u64)> {
        // Records that were dropped to make room are skipped.
        let mut waiting = Vec::new();
        let mut bytes = 0;
        while bytes < self.limits.bytes && waiting.len() < self.limits.documents {
            // A little at a time, so that a request ends near its limits.
            let batch = reader.next_batch(READ_BYTES).await?;
            if batch.is_empty() {
                break;
            }
            for (seq, record) in batch {
                bytes += record.len();
                match Record::decode(&record) {
                    Ok(record) => {
                        let verify = record.verify || seq < self.verify_before;
                        waiting.extend(record.documents.into_iter().map(|document| Waiting {
                            document,
                            tries: 0,
                            verify,
                        }));
                    }
                    Err(error) => {
                        add(&self.counters.dropped, 1);
                        tracing::error!(%error, seq, "a record of the spool is left out");
                    }
                }
            }
        }
        Ok((waiting, Reader::position(reader)))
    }

    /// Sends documents until each is done.
    async fn ship(&mut self, waiting: Vec<Waiting>) {
        // Parts of a request: it is halved when the store says that it is too much.
        let mut parts = vec![waiting];
        while let Some(mut part) = parts.pop() {
            let half = self.limits.documents;
            if part.len() > half {
                parts.push(part.split_off(half));
            }
            if part.is_empty() {
                continue;
            }
            let outcome = self.send(&mut part).await;
            match outcome {
                Ok(Answer::Items(verdicts)) => {
                    let (left, faults) = self.settle(part, verdicts);
                    if left.is_empty() {
                        self.succeeded();
                    } else {
                        parts.push(left);
                        let reason = if faults {
                            "the store failed on"
                        } else {
                            "the store is too busy for"
                        };
                        self.pause(format!("{reason} some documents")).await;
                    }
                }
                Ok(Answer::Split { reason }) if part.len() > 1 => {
                    tracing::debug!(reason, documents = part.len(), "sending halves");
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                }
                Ok(Answer::Split { reason }) => self.reject(reason),
                Ok(Answer::RetryAll { reason }) => {
                    // The store, or something before it, may have acted on the request.
                    part.iter_mut().for_each(|waiting| waiting.verify = true);
                    parts.push(part);
                    self.pause(reason).await;
                }
                Err(error) => {
                    let is_unknown = !error.was_not_sent();
                    part.iter_mut()
                        .for_each(|waiting| waiting.verify |= is_unknown);
                    parts.push(part);
                    self.pause(error.to_string()).await;
                }
            }
        }
    }

    /// One try. Documents found in the store before it count as delivered and leave `part`.
    async fn send(&mut self, part: &mut Vec<Waiting>) -> Result<Answer, DestinationError> {
        self.connect().await?;
        let Some(client) = &self.client else {
            return Ok(Answer::RetryAll {
                reason: "there is no destination yet".to_owned(),
            });
        };
        if part.iter().any(|waiting| waiting.verify) {
            let found = match present(client, part).await? {
                Ok(found) => found,
                Err(reason) => return Ok(Answer::RetryAll { reason }),
            };
            let before = part.len();
            part.retain(|waiting| {
                !found.contains(&(waiting.document.stream.clone(), waiting.document.id.clone()))
            });
            part.iter_mut().for_each(|waiting| waiting.verify = false);
            add(&self.counters.duplicates, before - part.len());
            if part.is_empty() {
                return Ok(Answer::Items(Vec::new()));
            }
        }
        let bytes: usize = part
            .iter()
            .map(|waiting| waiting.document.body.len() + 96)
            .sum();
        let mut body = Vec::with_capacity(bytes);
        for waiting in part.iter() {
            ship::push_action(&mut body, &waiting.document);
        }
        let (body, gzipped) = compress(body).await;
        // Only what is read of the answer is asked for; a store that ignores this is as good.
        let path = "/_bulk?filter_path=errors,items.*.error,items.*.status";
        let (status, answer) = client
            .post(path, "application/x-ndjson", body, gzipped)
            .await?;
        Ok(ship::answer(status, &answer, part.len()))
    }

    /// Waits for a destination, and makes a client when it is a new one.
    async fn connect(&mut self) -> Result<(), DestinationError> {
        let is_new = self.destinations.has_changed().unwrap_or(false);
        if self.client.is_some() && !is_new {
            return Ok(());
        }
        let destination = self.destinations.wait_for(Option::is_some).await;
        let destination = destination.ok().and_then(|found| found.clone());
        self.destinations.mark_unchanged();
        // Should the new one be of no use, the old one is not the right place either.
        self.client = None;
        self.client = match destination {
            Some(destination) => Some(Client::new(&destination)?),
            None => None,
        };
        Ok(())
    }

    /// Counts what is done; gives what is left, and whether the store failed on any of it.
    fn settle(&mut self, part: Vec<Waiting>, verdicts: Vec<Verdict>) -> (Vec<Waiting>, bool) {
        let mut left = Vec::new();
        let mut faults = false;
        let mut delivered = 0;
        for (mut waiting, verdict) in part.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Delivered => delivered += 1,
                Verdict::Duplicate => add(&self.counters.duplicates, 1),
                Verdict::Rejected { reason } => self.reject(reason),
                Verdict::Retry { is_fault } => {
                    waiting.tries += u32::from(is_fault);
                    faults |= is_fault;
                    if waiting.tries >= MAX_TRIES {
                        self.reject(format!("the store failed {MAX_TRIES} times on it"));
                    } else {
                        left.push(waiting);
                    }
                }
            }
        }
        add(&self.counters.shipped, delivered);
        (left, faults)
    }

    fn succeeded(&mut self) {
        self.backoff.reset();
        self.counters
            .last_shipped_ms
            .store(clock::now_ms(), Ordering::Relaxed);
        if self.failing_since.take().is_some() {
            self.counters.set_error(None);
            tracing::info!("shipping works again");
        }
    }

    fn reject(&mut self, reason: String) {
        add(&self.counters.rejected, 1);
        self.rejected.count += 1;
        self.rejected.reason = reason;
        if self
            .rejected
            .told
            .is_none_or(|told| told.elapsed() >= LOG_EVERY)
        {
            tracing::warn!(
                code = "COL0002",
                documents = self.rejected.count,
                reason = self.rejected.reason,
                "the store refused documents for good; they are counted and left out"
            );
            self.rejected = Rejected {
                told: Some(Instant::now()),
                ..Rejected::default()
            };
        }
    }

    async fn pause(&mut self, reason: String) {
        add(&self.counters.failed_requests, 1);
        let pause = self.backoff.next(random::next_u64());
        if self.failing_since.is_none() {
            self.failing_since = Some(Instant::now());
            tracing::warn!(
                code = "COL0001",
                reason,
                "documents cannot be shipped now; they wait in the spool"
            );
        }
        self.counters.set_error(Some(reason));
        // A new destination is tried at once.
        let mut destinations = self.destinations.clone();
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            Ok(()) = destinations.changed() => {}
        }
    }

    fn save_cursor(&mut self, now: bool) {
        let (saved, at) = self.saved_cursor;
        let cursor = self.spool.cursor();
        if cursor == saved || (!now && at.elapsed() < CURSOR_EVERY) {
            return;
        }
        match self.spool.save_cursor() {
            Ok(()) => self.saved_cursor = (cursor, Instant::now()),
            Err(error) => tracing::warn!(%error, "the spool's cursor could not be written"),
        }
    }
}

/// Asks the store which of the documents it has.
async fn present(
    client: &Client,
    part: &[Waiting],
) -> Result<Result<HashSet<(String, String)>, String>, DestinationError> {
    let mut by_stream: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for waiting in part.iter().filter(|waiting| waiting.verify) {
        by_stream
            .entry(&waiting.document.stream)
            .or_default()
            .push(&waiting.document.id);
    }
    let mut found = HashSet::new();
    for (stream, ids) in by_stream {
        let json = "application/json";
        // What was written last may not be searchable yet.
        let (status, _) = client
            .post(&format!("/{stream}/_refresh"), json, Vec::new(), false)
            .await?;
        if status == 404 {
            continue;
        }
        let path = format!("/{stream}/_search");
        let (status, body) = client.post(&path, json, ship::lookup(&ids), false).await?;
        match (status, ship::found(&body)) {
            (200..=299, Some(ids)) => {
                found.extend(ids.into_iter().map(|id| (stream.to_owned(), id)));
            }
            (404, _) => {}
            _ => {
                return Ok(Err(format!(
                    "status {status} when asked which documents it has"
                )));
            }
        }
    }
    Ok(Ok(found))
}

async fn compress(body: Vec<u8>) -> (Vec<u8>, bool) {
    let plain = Arc::new(body);
    let squeezed = if plain.len() <= SMALL_BODY {
        gzip(&plain)
    } else {
        let plain = Arc::clone(&plain);
        let work = spawn_blocking("bulk-gzip", move || gzip(&plain));
        work.await
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
    };
    // Writing into memory does not fail; should it ever, the plain body is as good.
    match squeezed {
        Ok(small) => (small, true),
        Err(_) => (Arc::unwrap_or_clone(plain), false),
    }
}
