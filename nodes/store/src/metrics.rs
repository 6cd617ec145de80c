//! What a storage instance counts of itself, for the socket in its data directory.
//!
//! Invariants: series are as many as the program names, whatever is stored and asked; totals over all
//! indices are taken at most once a second, however often they are read. Not here: serving them
//! (`server`), the page about them (`docs/metrics.md`).

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use wharf_runtime::metrics::{Counter, Histogram, Metrics};

use crate::config::Config;
use crate::http::App;
use crate::lifecycle_task;
use crate::snapshots::SnapshotMetrics;

/// How long totals are used again.
const TOTALS_KEPT: Duration = Duration::from_secs(1);
const CLASSES: [&str; 4] = ["2xx", "3xx", "4xx", "5xx"];
/// Statuses of items that have a series of their own.
const ITEM_STATUSES: [u16; 9] = [200, 201, 400, 404, 409, 413, 429, 500, 503];

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bulk,
    Search,
    Write,
    Read,
    Other,
}

impl Kind {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Bulk, "bulk"),
        (Self::Search, "search"),
        (Self::Write, "write"),
        (Self::Read, "read"),
        (Self::Other, "other"),
    ];

    /// By method and path, before the path is understood.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let endpoint = path
            .split('/')
            .find(|part| part.starts_with('_') && *part != "_all");
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match endpoint {
            Some("_bulk") => Self::Bulk,
            Some("_search" | "_msearch" | "_count" | "_pit" | "_field_caps" | "_validate") => {
                Self::Search
            }
            Some("_mget" | "_source") => Self::Read,
            Some("_doc") if reads => Self::Read,
            Some(
                "_doc" | "_create" | "_update" | "_delete_by_query" | "_update_by_query"
                | "_reindex",
            ) => Self::Write,
            _ => Self::Other,
        }
    }

    fn writes(self) -> bool {
        matches!(self, Self::Bulk | Self::Write)
    }
}

/// The counters, and the registry that they are read from.
#[derive(Debug, Clone)]
pub(crate) struct StoreMetrics {
    pub(crate) registry: Metrics,
    requests: Vec<[Counter; CLASSES.len()]>,
    errors: Counter,
    refused_writes: Counter,
    items: [Counter; ITEM_STATUSES.len()],
    other_items: Counter,
    items_ok: Counter,
    items_failed: Counter,
    search_seconds: Histogram,
    bulk_seconds: Histogram,
    merges: Counter,
    merged_bytes: Counter,
    seals: Counter,
    /// Requests that were passed on to the place that has the data now, and those of them that could not be.
    pub(crate) forwarded: Counter,
    pub(crate) forward_failures: Counter,
    /// Requests that waited because writes were held.
    pub(crate) held: Counter,
    /// Writes that were refused because the lease was over.
    pub(crate) lease_refusals: Counter,
    pub(crate) snapshots: SnapshotMetrics,
}

impl StoreMetrics {
    /// Everything that can be counted before anything is open.
    pub(crate) fn new(config: &Config) -> Self {
        let registry = Metrics::new().with_process();
        let counter = |name: &str, help: &str| registry.counter(name, help, &[]);
        let requests = Kind::ALL.map(|(_, kind)| {
            CLASSES.map(|class| {
                let labels = [("kind", kind), ("class", class)];
                registry.counter(
                    "wharf_store_requests_total",
                    "requests by what they are about and the class of the answer's status",
                    &labels,
                )
            })
        });
        let item = |status: &str| {
            let labels = [("status", status)];
            registry.counter(
                "wharf_store_bulk_items_total",
                "items of _bulk by their status",
                &labels,
            )
        };
        let (search_seconds, bulk_seconds) = (Histogram::default(), Histogram::default());
        let help = "time from a search's head to its answer";
        registry.histogram("wharf_store_search_seconds", help, &[], &search_seconds);
        let help = "time from the head of a _bulk to its answer";
        registry.histogram("wharf_store_bulk_seconds", help, &[], &bulk_seconds);
        let memory = config.memory_bytes as f64;
        let help = "memory that the instance may use";
        registry.gauge_from("wharf_memory_limit_bytes", help, &[], move || memory);
        Self {
            requests: requests.into(),
            errors: counter("wharf_store_errors_total", "requests answered with 5xx"),
            refused_writes: counter(
                "wharf_store_refused_writes_total",
                "writes and items of _bulk answered with 429: no room on disk or in memory",
            ),
            items: ITEM_STATUSES.map(|status| item(&status.to_string())),
            other_items: item("other"),
            items_ok: counter(
                "wharf_store_bulk_items_ok_total",
                "items of _bulk that were done",
            ),
            items_failed: counter("wharf_store_bulk_items_failed_total", "items that were not"),
            search_seconds,
            bulk_seconds,
            merges: counter("wharf_store_merges_total", "merges of segments"),
            merged_bytes: counter("wharf_store_merged_bytes_total", "bytes that merges wrote"),
            forwarded: counter(
                "wharf_store_forwarded_requests_total",
                "requests passed on to the place that the data was moved to",
            ),
            forward_failures: counter(
                "wharf_store_forward_failures_total",
                "requests that could not be passed on",
            ),
            held: counter(
                "wharf_store_held_requests_total",
                "requests that waited while the data was taken over, or for a snapshot's cut",
            ),
            lease_refusals: counter(
                "wharf_store_lease_refusals_total",
                "writes refused because the lease was over",
            ),
            seals: counter(
                "wharf_store_seals_total",
                "tables of fresh rows that maintenance wrote to files",
            ),
            snapshots: SnapshotMetrics::new(&registry),
            registry,
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, kind: Kind, status: StatusCode, took: Duration) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(2);
        let of_kind = self.requests.get(kind as usize);
        if let Some(counter) = of_kind.and_then(|classes| classes.get(class)) {
            counter.inc();
        }
        if status.is_server_error() {
            self.errors.inc();
        }
        if status == StatusCode::TOO_MANY_REQUESTS && kind.writes() {
            self.refused_writes.inc();
        }
        match kind {
            Kind::Search => self.search_seconds.observe(took),
            Kind::Bulk => self.bulk_seconds.observe(took),
            Kind::Write | Kind::Read | Kind::Other => {}
        }
    }

    /// An item of `_bulk` ended with a status.
    pub(crate) fn item(&self, status: u16) {
        let known = ITEM_STATUSES.iter().position(|one| *one == status);
        known
            .and_then(|at| self.items.get(at))
            .unwrap_or(&self.other_items)
            .inc();
        if status < 300 {
            self.items_ok.inc();
        } else {
            self.items_failed.inc();
        }
        if status == 429 {
            self.refused_writes.inc();
        }
    }

    /// Segments became one of so many bytes.
    pub(crate) fn merged(&self, bytes: u64) {
        self.merges.inc();
        self.merged_bytes.add(bytes);
    }

    /// A table of fresh rows became a file.
    pub(crate) fn sealed(&self) {
        self.seals.inc();
    }

    /// Also tells what an open store holds.
    pub(crate) fn watch(&self, app: &Arc<App>) {
        let syncs = app.catalog.journal.sync_times();
        let help = "time to write and sync a group of the journal";
        self.registry
            .histogram("wharf_store_journal_sync_seconds", help, &[], &syncs);
        let totals = Arc::new(Totals {
            app: Arc::downgrade(app),
            kept: Mutex::default(),
        });
        let gauge = |name: &str, help: &str, read: fn(&Held) -> u64| {
            let totals = Arc::clone(&totals);
            let ask = move || totals.get().map_or(0.0, |held| read(&held) as f64);
            self.registry.gauge_from(name, help, &[], ask);
        };
        gauge("wharf_store_documents", "documents", |h| h.documents);
        gauge(
            "wharf_store_deleted_documents",
            "documents that are deleted or replaced and not yet merged away",
            |h| h.deleted,
        );
        gauge(
            "wharf_store_indices",
            "indices, backing ones included",
            |h| h.indices,
        );
        gauge("wharf_store_bytes", "bytes of segments on disk", |h| {
            h.disk_bytes
        });
        gauge(
            "wharf_store_segments",
            "segments, tables of fresh rows included",
            |h| h.segments,
        );
        gauge(
            "wharf_store_fresh_rows",
            "rows in memory that are in no segment yet",
            |h| h.fresh_rows,
        );
        gauge("wharf_store_fresh_bytes", "memory that they take", |h| {
            h.fresh_bytes
        });
        gauge(
            "wharf_store_maintenance_queue",
            "tables of fresh rows that are being written, or should be",
            |h| h.maintenance,
        );
        gauge("wharf_store_journal_bytes", "bytes of the journal", |h| {
            h.journal_bytes
        });
        gauge(
            "wharf_store_journal_refused",
            "1 while the disk refuses what the journal writes",
            |h| h.journal_refused,
        );
        gauge(
            "wharf_store_queued_requests",
            "requests that wait for a worker",
            |h| h.queued,
        );
        gauge(
            "wharf_store_inflight_bytes",
            "bytes of bodies that are held",
            |h| h.inflight,
        );
        gauge(
            "wharf_store_cache_bytes",
            "bytes of what was read from segments",
            |h| h.cache,
        );
        gauge(
            "wharf_store_open_contexts",
            "open scrolls and points in time",
            |h| h.contexts,
        );
        gauge(
            "wharf_disk_limit_bytes",
            "disk that the instance may use; 0: all",
            |h| h.disk_limit,
        );
        gauge("wharf_disk_free_bytes", "disk that it can still use", |h| {
            h.disk_free
        });
        gauge(
            "wharf_store_writes_stopped",
            "1 while writes are refused because the disk is nearly full",
            |h| h.stopped,
        );
    }
}

/// What the store holds at a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    documents: u64,
    deleted: u64,
    indices: u64,
    disk_bytes: u64,
    segments: u64,
    fresh_rows: u64,
    fresh_bytes: u64,
    maintenance: u64,
    journal_bytes: u64,
    journal_refused: u64,
    queued: u64,
    inflight: u64,
    cache: u64,
    contexts: u64,
    disk_limit: u64,
    disk_free: u64,
    stopped: u64,
}

struct Totals {
    // The store owns the registry that asks this.
    app: Weak<App>,
    kept: Mutex<Option<(Instant, Held)>>,
}

impl Totals {
    fn get(&self) -> Option<Held> {
        let app = self.app.upgrade()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match *kept {
            Some((at, held)) if at.elapsed() < TOTALS_KEPT => Some(held),
            _ => {
                let held = take(&app);
                *kept = Some((Instant::now(), held));
                Some(held)
            }
        }
    }
}

fn take(app: &App) -> Held {
    let (catalog, load) = (&app.catalog, app.load());
    let mut held = Held {
        journal_bytes: catalog.journal.bytes(),
        journal_refused: catalog.journal.is_refused().into(),
        queued: load.queued,
        inflight: load.inflight_bytes,
        cache: catalog.cache.bytes() as u64,
        contexts: app.contexts.len() as u64,
        disk_limit: app.config.disk_bytes,
        stopped: u64::from(catalog.is_flooded()),
        ..Held::default()
    };
    for index in catalog.indices() {
        let stats = index.shard.stats();
        held.documents += stats.docs;
        held.deleted += stats.deleted;
        held.indices += 1;
        held.disk_bytes += stats.disk_bytes;
        held.segments += stats.segments;
        held.fresh_rows += stats.fresh_rows;
        held.fresh_bytes += stats.memory_bytes;
        let over = stats.memory_bytes > app.config.memtable_bytes() as u64;
        held.maintenance += stats.sealing + u64::from(over);
    }
    held.disk_free = lifecycle_task::room(app).map_or(0, |room| room.free_bytes);
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_of_the_kind_of_its_endpoint() {
        for (method, path, kind) in [
            (Method::POST, "/_bulk", Kind::Bulk),
            (Method::POST, "/logs-app-default/_bulk", Kind::Bulk),
            (Method::GET, "/a,b/_search", Kind::Search),
            (Method::POST, "/_search/scroll", Kind::Search),
            (Method::GET, "/a/_doc/_search", Kind::Read),
            (Method::PUT, "/a/_doc/1", Kind::Write),
            (Method::POST, "/a/_update_by_query", Kind::Write),
            (Method::POST, "/_reindex", Kind::Write),
            (Method::POST, "/a/_mget", Kind::Read),
            (Method::GET, "/_all/_count", Kind::Search),
            (Method::GET, "/_cat/indices", Kind::Other),
            (Method::DELETE, "/a", Kind::Other),
            (Method::GET, "/", Kind::Other),
        ] {
            assert_eq!(Kind::of(&method, path), kind, "{method} {path}");
        }
        for (at, (kind, name)) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at, "counters of {name} lie at its place");
        }
    }
}
