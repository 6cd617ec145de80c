//! The rows of one index: fresh ones, those being sealed, sealed segments; writes, lookups, views.
//!
//! Invariants: one writer at a time (the `writer` lock); an id has at most one live row; a sequence number is given
//! once; an operation is in the journal's queue before the lock is released, so `journal_floor` covers it.
//! Views are taken under the lock, so a search sees an update's old row or its new one, never both.
//! Not here: files (`layout`, `manifest`), sealing and merging (`maintain`), mappings (the caller fills rows).

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wharf_runtime::journal::{AppendError, Journal, Ticket};
use wharf_store_core::columns::{Segment, SegmentError};

use super::cache::Cache;
use super::fresh::{Fresh, FreshView, Rows};
use super::ids::{self, Tag};
use super::manifest::{self, Manifest};
use super::sealed::{Sealed, SealedView};
use super::translog::{Logged, RecordWriter};

/// Deleted ids whose version is remembered, and for how long, as `index.gc_deletes` does.
const GONE_KEPT: usize = 50_000;
const GONE_MS: i64 = 60_000;

/// Puts the values of a parsed document into the columns of a row.
pub(crate) trait Fill {
    /// Adds all values of the document to `row`.
    fn fill(&self, rows: &mut Rows, row: u32);
}

/// What must hold for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    Any,
    /// No live document has the id.
    Create,
    /// The live document has this sequence number and primary term.
    IfSeq(u64, u64),
}

/// One write.
pub(crate) struct Write<'a> {
    /// `None`: the store chooses.
    pub(crate) id: Option<&'a str>,
    /// The document and its parsed form; `None`: delete.
    pub(crate) document: Option<(&'a [u8], &'a dyn Fill)>,
    pub(crate) condition: Condition,
}

/// What a write did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Applied {
    pub(crate) id: String,
    pub(crate) seq: u64,
    pub(crate) version: u64,
    /// A live document with the id was there before.
    pub(crate) existed: bool,
}

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// `create` on a live id.
    #[error("document already exists (current version [{version}])")]
    Exists {
        /// Of the live document.
        version: u64,
    },
    /// Another sequence number than required.
    #[error("required seqNo [{wanted}], primary term [{term}]. {}", current(.found))]
    Sequence {
        /// Required.
        wanted: u64,
        /// Required.
        term: u64,
        /// Of the live document.
        found: Option<u64>,
    },
    /// Too much waits for the disk, or the disk takes nothing.
    #[error("the write cannot become durable now: {0}")]
    NoRoom(#[from] AppendError),
    /// A segment could not be read.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The index is gone or being removed.
    #[error("index is closed; it was deleted meanwhile")]
    Closed,
    /// Compression failed.
    #[error("cannot keep the document: {0}")]
    Io(#[from] std::io::Error),
}

fn current(found: &Option<u64>) -> String {
    match found {
        Some(seq) => format!("current document has seqNo [{seq}] and primary term [1]"),
        None => "but no document was found".into(),
    }
}

/// The outcome of each write, and what to wait for until they are durable.
pub(crate) type Written = (
    Vec<Result<Applied, WriteError>>,
    Result<Option<Ticket>, AppendError>,
);

/// A live document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) seq: u64,
    pub(crate) version: u64,
    pub(crate) source: Vec<u8>,
}

/// Rows being sealed.
#[derive(Clone)]
pub(crate) struct Sealing {
    pub(crate) fresh: Arc<Fresh>,
    /// First sequence number that is not in it or before it.
    pub(crate) below: u64,
    /// The journal is needed from here while this is not sealed.
    pub(crate) journal_from: u64,
}

/// State under the writer lock.
pub(crate) struct Writer {
    pub(crate) fresh: Arc<Fresh>,
    pub(crate) sealing: Vec<Sealing>,
    pub(crate) sealed: Vec<(u64, Arc<Sealed>)>,
    pub(crate) manifest: Manifest,
    pub(crate) next_seq: u64,
    /// Where the journal starts to be needed for the fresh rows and tombstones.
    pub(crate) journal_from: Option<u64>,
    /// Segments (by number) whose deleted rows are not on disk yet.
    pub(crate) dirty: HashSet<u64>,
    gone: HashMap<Box<str>, (u64, i64)>,
    pub(crate) closed: bool,
}

/// The rows of one index.
pub(crate) struct Shard {
    pub(crate) dir: PathBuf,
    pub(crate) uuid: String,
    pub(crate) tag: Tag,
    pub(crate) cache: Arc<Cache>,
    pub(crate) uids: Arc<AtomicU64>,
    pub(crate) writer: Mutex<Writer>,
    /// One seal at a time.
    pub(crate) sealing: Mutex<()>,
    /// One merge at a time; it may run beside a seal.
    pub(crate) merging: Mutex<()>,
    pub(crate) indexed: AtomicU64,
    pub(crate) deleted: AtomicU64,
    pub(crate) searched: AtomicU64,
}

enum Place {
    Fresh(Arc<Fresh>),
    Sealed(u64, Arc<Sealed>),
}

struct Found {
    place: Place,
    row: u32,
    seq: u64,
    version: u64,
}

/// Seven bytes from the index's uuid.
pub(crate) fn tag_of(uuid: &str) -> Tag {
    let mut tag = [0u8; 7];
    tag.copy_from_slice(&ids::hash(uuid.as_bytes()).to_le_bytes()[..7]);
    tag
}

impl Shard {
    /// Opens what is on disk; the journal is replayed by the caller with [`Self::replay`].
    pub(crate) fn open(
        dir: &Path,
        uuid: &str,
        cache: &Arc<Cache>,
        uids: &Arc<AtomicU64>,
    ) -> Result<Self, SegmentError> {
        let io = |e: std::io::Error| SegmentError::Io(format!("{}: {e}", dir.display()));
        std::fs::create_dir_all(dir).map_err(io)?;
        let manifest = Manifest::load(dir).map_err(io)?;
        manifest.sweep(dir);
        let tag = tag_of(uuid);
        let mut sealed = Vec::new();
        for entry in &manifest.segments {
            let path = manifest::segment_path(dir, entry.number);
            let uid = uids.fetch_add(1, Ordering::Relaxed);
            let segment = Sealed::open(&path, uid, tag, None, Arc::clone(cache))?;
            if let Some(live) = entry.live {
                let rows = segment.directory().rows;
                segment.set_live(manifest::read_live(dir, entry.number, live, rows)?);
            }
            sealed.push((entry.number, Arc::new(segment)));
        }
        let fresh =
            Fresh::new(uids.fetch_add(1, Ordering::Relaxed), tag, Arc::clone(cache)).map_err(io)?;
        let next_seq = manifest.sealed_below;
        Ok(Self {
            dir: dir.into(),
            uuid: uuid.into(),
            tag,
            cache: Arc::clone(cache),
            uids: Arc::clone(uids),
            writer: Mutex::new(Writer {
                fresh: Arc::new(fresh),
                sealing: Vec::new(),
                sealed,
                manifest,
                next_seq,
                journal_from: None,
                dirty: HashSet::new(),
                gone: HashMap::new(),
                closed: false,
            }),
            sealing: Mutex::new(()),
            merging: Mutex::new(()),
            indexed: AtomicU64::new(0),
            deleted: AtomicU64::new(0),
            searched: AtomicU64::new(0),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies writes in order and queues them in the journal. The ticket resolves when they are
    /// durable, and with them every earlier write that the outcomes tell of: a conflict with a
    /// document is only true once that document is durable.
    pub(crate) fn write(&self, journal: &Journal, writes: &[Write<'_>], now_ms: i64) -> Written {
        let mut writer = self.lock();
        if writer.closed {
            return (
                writes.iter().map(|_| Err(WriteError::Closed)).collect(),
                Ok(None),
            );
        }
        writer
            .journal_from
            .get_or_insert_with(|| journal.next_seq());
        let size: usize = writes
            .iter()
            .map(|w| w.document.map_or(0, |(s, _)| s.len()) + 64)
            .sum();
        // Before anything is changed: what is visible must be on its way to the disk.
        let room = match journal.try_reserve(size) {
            Ok(room) => room,
            Err(error) => {
                let refused = |_| Err(WriteError::NoRoom(error.clone()));
                return (writes.iter().map(refused).collect(), Ok(None));
            }
        };
        let mut records = Vec::new();
        let mut record = RecordWriter::new(&self.uuid, size);
        let mut applied = Vec::with_capacity(writes.len());
        for write in writes {
            let outcome = self.apply(&mut writer, write, now_ms);
            if let Ok(done) = &outcome {
                let logged = Logged {
                    seq: done.seq,
                    version: done.version,
                    id: write.id,
                    source: write.document.map(|(source, _)| source),
                };
                if record.len() + logged.source.map_or(0, <[u8]>::len) > 24 * 1024 * 1024 {
                    let full = std::mem::replace(&mut record, RecordWriter::new(&self.uuid, 0));
                    records.extend(full.finish().map(Into::into));
                }
                record.push(&logged);
            }
            applied.push(outcome);
        }
        records.extend(record.finish().map(Into::into));
        // Without records it is a barrier behind what was written before.
        (applied, journal.enqueue_in(room, records).map(Some))
    }

    fn apply(
        &self,
        writer: &mut Writer,
        write: &Write<'_>,
        now_ms: i64,
    ) -> Result<Applied, WriteError> {
        let found = match write.id {
            Some(id) => self.find(writer, id)?,
            None => None,
        };
        match write.condition {
            Condition::Any => {}
            Condition::Create => {
                if let Some(found) = &found {
                    return Err(WriteError::Exists {
                        version: found.version,
                    });
                }
            }
            Condition::IfSeq(wanted, term) => {
                let seq = found.as_ref().map(|f| f.seq);
                if seq != Some(wanted) || term != 1 {
                    return Err(WriteError::Sequence {
                        wanted,
                        term,
                        found: seq,
                    });
                }
            }
        }
        let seq = writer.next_seq;
        let gone = write
            .id
            .and_then(|id| writer.gone.get(id))
            .map_or(0, |(version, _)| *version);
        let version = found.as_ref().map_or(gone, |f| f.version) + 1;
        let id = match write.id {
            Some(id) => id.to_owned(),
            None => ids::auto_id(&self.tag, seq),
        };
        match write.document {
            Some((source, fill)) => {
                self.put(writer, write.id, seq, version, source, fill)?;
                self.indexed.fetch_add(1, Ordering::Relaxed);
            }
            None => {
                if writer.gone.len() >= GONE_KEPT {
                    writer.gone.retain(|_, (_, at)| *at + GONE_MS > now_ms);
                    if writer.gone.len() >= GONE_KEPT {
                        writer.gone.clear();
                    }
                }
                writer.gone.insert(id.as_str().into(), (version, now_ms));
                self.deleted.fetch_add(1, Ordering::Relaxed);
            }
        }
        writer.next_seq = seq + 1;
        let existed = found.is_some();
        if let Some(found) = found {
            self.bury(writer, &found);
        }
        Ok(Applied {
            id,
            seq,
            version,
            existed,
        })
    }

    fn put(
        &self,
        writer: &Writer,
        id: Option<&str>,
        seq: u64,
        version: u64,
        source: &[u8],
        fill: &dyn Fill,
    ) -> Result<(), std::io::Error> {
        let mut rows = writer.fresh.write();
        let row = rows.len();
        fill.fill(&mut rows, row);
        rows.end_row(id, seq, version, source)?;
        Ok(())
    }

    fn bury(&self, writer: &mut Writer, found: &Found) {
        match &found.place {
            Place::Fresh(fresh) => {
                fresh.write().delete(found.row);
            }
            Place::Sealed(number, sealed) => {
                sealed.delete(found.row);
                writer.dirty.insert(*number);
            }
        }
    }

    /// Whether what an operation of the journal did is in files.
    pub(crate) fn is_sealed(&self, seq: u64) -> bool {
        seq < self.lock().manifest.sealed_below
    }

    /// Applies an operation that the journal holds; what is sealed or superseded already is left alone.
    pub(crate) fn replay(
        &self,
        op: &Logged<'_>,
        fill: Option<&dyn Fill>,
        journal_seq: u64,
    ) -> Result<(), WriteError> {
        let mut writer = self.lock();
        if op.seq < writer.manifest.sealed_below {
            return Ok(());
        }
        let from = writer
            .journal_from
            .map_or(journal_seq, |f| f.min(journal_seq));
        writer.journal_from = Some(from);
        writer.next_seq = writer.next_seq.max(op.seq + 1);
        let found = match op.id {
            Some(id) => self.find(&writer, id)?,
            None => None,
        };
        if found.as_ref().is_some_and(|f| f.seq > op.seq) {
            return Ok(());
        }
        if let (Some(source), Some(fill)) = (op.source, fill) {
            self.put(&writer, op.id, op.seq, op.version, source, fill)?;
        }
        if let Some(found) = found {
            self.bury(&mut writer, &found);
        }
        Ok(())
    }

    /// The live row with an id.
    fn find(&self, writer: &Writer, id: &str) -> Result<Option<Found>, SegmentError> {
        let auto = ids::auto_seq(&self.tag, id);
        let older = writer.sealing.iter().rev().map(|s| &s.fresh);
        for fresh in std::iter::once(&writer.fresh).chain(older) {
            let rows = fresh.read();
            let row = rows
                .row_of_explicit(id.as_bytes())
                .or_else(|| rows.row_of_auto(auto?))
                .filter(|row| !rows.is_deleted(*row));
            if let Some(row) = row {
                let (seq, version) = (rows.seqs[row as usize], rows.versions[row as usize]);
                let place = Place::Fresh(Arc::clone(fresh));
                return Ok(Some(Found {
                    place,
                    row,
                    seq,
                    version,
                }));
            }
        }
        for (number, sealed) in writer.sealed.iter().rev() {
            let view = SealedView::new(Arc::clone(sealed));
            if let Some(row) = view.row_of_id(id)?
                && view.live().contains(row)
            {
                let meta = view.meta(row)?;
                let (seq, version) = (meta.seq_no, meta.version);
                let place = Place::Sealed(*number, Arc::clone(sealed));
                return Ok(Some(Found {
                    place,
                    row,
                    seq,
                    version,
                }));
            }
        }
        Ok(None)
    }

    /// The live document with an id.
    pub(crate) fn get(&self, id: &str) -> Result<Option<Document>, SegmentError> {
        let writer = self.lock();
        let Some(found) = self.find(&writer, id)? else {
            return Ok(None);
        };
        drop(writer);
        let source = match &found.place {
            Place::Fresh(fresh) => fresh.source_of(found.row)?,
            Place::Sealed(_, sealed) => SealedView::new(Arc::clone(sealed))
                .source(found.row)?
                .into_owned(),
        };
        Ok(Some(Document {
            seq: found.seq,
            version: found.version,
            source,
        }))
    }

    /// What a search sees now.
    pub(crate) fn views(&self) -> Views {
        let writer = self.lock();
        let mut views = Views {
            fresh: Vec::new(),
            sealed: Vec::new(),
        };
        for (_, sealed) in &writer.sealed {
            views
                .sealed
                .push(Arc::new(SealedView::new(Arc::clone(sealed))));
        }
        let older = writer.sealing.iter().map(|s| &s.fresh);
        for fresh in older.chain(std::iter::once(&writer.fresh)) {
            let view = fresh.view();
            if view.row_count() > 0 {
                views.fresh.push(Arc::new(view));
            }
        }
        views
    }

    /// Where the journal starts to be needed for this index.
    pub(crate) fn journal_floor(&self) -> Option<u64> {
        let writer = self.lock();
        writer
            .sealing
            .iter()
            .map(|s| s.journal_from)
            .chain(writer.journal_from)
            .min()
    }

    /// Bytes of fresh rows, those being sealed included.
    pub(crate) fn fresh_bytes(&self) -> usize {
        let writer = self.lock();
        let older: usize = writer
            .sealing
            .iter()
            .map(|s| s.fresh.read().heap_bytes())
            .sum();
        older + writer.fresh.read().heap_bytes()
    }

    /// Number of the table of fresh rows when it holds any.
    pub(crate) fn waiting_table(&self) -> Option<u64> {
        let writer = self.lock();
        let rows = writer.fresh.read().len();
        (rows > 0).then_some(writer.fresh.uid)
    }

    /// Drops the copies of fresh columns that searches made.
    pub(crate) fn thaw(&self) {
        let writer = self.lock();
        writer.sealing.iter().for_each(|s| s.fresh.thaw());
        writer.fresh.thaw();
    }

    /// Refuses writes from now on and forgets that the journal was needed: the index is being removed.
    pub(crate) fn close(&self) {
        let mut writer = self.lock();
        writer.closed = true;
        writer.journal_from = None;
        writer.sealing.clear();
    }
}

/// Frozen segments of one index.
pub(crate) struct Views {
    fresh: Vec<Arc<FreshView>>,
    sealed: Vec<Arc<SealedView>>,
}

impl Views {
    /// The segments, oldest rows first.
    pub(crate) fn segments(&self) -> Vec<Arc<dyn Segment>> {
        let sealed = self
            .sealed
            .iter()
            .map(|s| Arc::clone(s) as Arc<dyn Segment>);
        let fresh = self.fresh.iter().map(|f| Arc::clone(f) as Arc<dyn Segment>);
        sealed.chain(fresh).collect()
    }

    /// A part that could not be read while the views were used.
    pub(crate) fn failure(&self) -> Option<SegmentError> {
        self.sealed.iter().find_map(|s| s.failure())
    }
}
