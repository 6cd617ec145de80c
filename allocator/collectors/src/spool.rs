//! The disk queue between collecting and shipping: records of documents in the runtime's journal.
//!
//! Invariants: what was appended is on disk before `append` returns; the queue is bounded, and when
//! it is full the oldest documents go and are counted; the cursor never passes a document whose
//! fate is not known.
//! Not here: shipping, what is in a record (`core::record`).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;
use wharf_collectors_core::Document;
use wharf_collectors_core::record::{self, Record};
use wharf_runtime::data_dir::{read_limited, write_atomic};
use wharf_runtime::journal::{
    AfterFailure, AppendError, Journal, OpenError, Options, Reader, TrimError,
};

use crate::counters::{Counters, add, set};

/// A record has about this many bytes at most.
const RECORD_BYTES: usize = 512 * 1024;

/// Why the spool could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// The cursor.
    #[error("the spool's cursor cannot be read: {0}; check the data directory")]
    Cursor(#[from] io::Error),
}

/// The disk queue. Cheap to clone; clones are the same queue.
#[derive(Debug, Clone)]
pub struct Spool {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    journal: Journal,
    limit_bytes: u64,
    cursor_path: PathBuf,
    /// The first record that is not known to be shipped.
    cursor: AtomicU64,
    counters: Arc<Counters>,
}

impl Spool {
    /// Opens the spool in `dir`. Blocks.
    pub fn open(
        dir: PathBuf,
        limit_bytes: u64,
        counters: Arc<Counters>,
    ) -> Result<Self, SpoolError> {
        let segment_bytes = (limit_bytes / 16).clamp(256 * 1024, 8 * 1024 * 1024);
        let options = Options {
            segment_bytes,
            max_waiting_bytes: 16 * 1024 * 1024,
            compress: true,
            after_failure: AfterFailure::Forget,
        };
        let (journal, recovery) = Journal::open(dir.join("spool"), options)?;
        if recovery.cut_bytes > 0 || !recovery.damage.is_empty() {
            tracing::warn!(
                cut_bytes = recovery.cut_bytes,
                damaged = recovery.damage.len(),
                records = recovery.records,
                "the spool was not closed in order: cut at the last whole record, serving the rest"
            );
        }
        let cursor_path = dir.join("spool-cursor");
        let text = read_limited(&cursor_path, 64)?.unwrap_or_default();
        let stored = std::str::from_utf8(&text)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        let cursor = stored
            .unwrap_or(0)
            .clamp(recovery.first_seq, recovery.next_seq);
        let spool = Self {
            inner: Arc::new(Inner {
                journal,
                limit_bytes,
                cursor_path,
                cursor: AtomicU64::new(cursor),
                counters,
            }),
        };
        spool.measure();
        Ok(spool)
    }

    /// Appends documents; on disk when this returns. `verify` says that some of them may have been
    /// shipped before.
    ///
    /// # Errors
    /// When the disk is full or broken; nothing was appended, the caller may try again.
    pub async fn append(&self, documents: Vec<Document>, verify: bool) -> Result<(), AppendError> {
        if documents.is_empty() {
            return Ok(());
        }
        let count = documents.len();
        let mut records = Vec::new();
        let mut record = Record {
            verify,
            documents: Vec::new(),
        };
        let mut bytes = 0;
        for document in documents {
            let size = record::size(&document);
            if bytes > 0 && bytes + size > RECORD_BYTES {
                records.push(record.encode().into());
                record.documents.clear();
                bytes = 0;
            }
            bytes += size;
            record.documents.push(document);
        }
        records.push(record.encode().into());
        self.make_room().await;
        self.inner.journal.append_batch(records).await?;
        add(&self.inner.counters.spooled, count);
        self.measure();
        Ok(())
    }

    /// Counts documents that could not be appended and will not be tried again.
    pub(crate) fn lost(&self, documents: usize) {
        add(&self.inner.counters.dropped, documents);
    }

    async fn make_room(&self) {
        let journal = &self.inner.journal;
        while journal.bytes() > self.inner.limit_bytes && journal.segments() > 1 {
            let before = journal.first_seq();
            let from = before.max(self.cursor());
            // Read before it is gone, to say how many documents went.
            let read = journal.read_from(from).next_batch(16 * 1024 * 1024).await;
            match journal.drop_oldest_segment().await {
                Ok(Some(dropped)) => {
                    let end = dropped.first_seq + dropped.records;
                    let lost: usize = read
                        .unwrap_or_default()
                        .iter()
                        .filter(|(seq, _)| *seq < end)
                        .map(|(_, bytes)| Record::decode(bytes).map_or(1, |r| r.documents.len()))
                        .sum();
                    if lost > 0 {
                        add(&self.inner.counters.dropped, lost);
                        tracing::warn!(
                            code = "COL0003",
                            documents = lost,
                            limit_bytes = self.inner.limit_bytes,
                            "the spool is full: the oldest documents were dropped"
                        );
                    }
                    self.inner.cursor.fetch_max(end, Ordering::SeqCst);
                }
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "the spool could not make room");
                    break;
                }
            }
        }
    }

    /// The first record that is not known to be shipped.
    pub fn cursor(&self) -> u64 {
        self.inner.cursor.load(Ordering::SeqCst)
    }

    /// The number that the next record gets.
    pub fn next_seq(&self) -> u64 {
        self.inner.journal.next_seq()
    }

    pub(crate) fn reader(&self) -> Reader {
        self.inner.journal.read_from(self.cursor())
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.inner.journal.subscribe()
    }

    /// Says that every record before `seq` is done.
    ///
    /// # Errors
    /// When old segments could not be removed; they are tried again with the next call.
    pub(crate) async fn acknowledge(&self, seq: u64) -> Result<(), TrimError> {
        let old = self.inner.cursor.fetch_max(seq, Ordering::SeqCst);
        let trimmed = if seq > old {
            self.inner.journal.trim_before(seq).await.map(drop)
        } else {
            Ok(())
        };
        self.measure();
        trimmed
    }

    /// Writes the cursor to disk. Blocks. Late is harmless: what is sent again has the same ids.
    pub(crate) fn save_cursor(&self) -> io::Result<()> {
        write_atomic(
            &self.inner.cursor_path,
            self.cursor().to_string().as_bytes(),
            0o600,
        )
    }

    /// Ends the writer behind everything appended before.
    pub(crate) async fn close(&self) {
        self.inner.journal.close().await;
    }

    fn measure(&self) {
        let counters = &self.inner.counters;
        set(&counters.spool_bytes, self.inner.journal.bytes());
        set(
            &counters.spool_waiting,
            self.next_seq().saturating_sub(self.cursor()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(count: usize, bytes: usize) -> Vec<Document> {
        let one = |index: usize| Document {
            stream: "logs-x-default".into(),
            id: format!("{index}"),
            // Noise, so that compression does not undo the size.
            body: wharf_runtime::random::token(bytes).into_bytes(),
        };
        (0..count).map(one).collect()
    }

    #[tokio::test]
    async fn what_was_appended_is_read_after_reopening_from_the_cursor() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Spool::open(dir.path().into(), 1 << 20, Arc::default()).unwrap();
        let spool = open();
        spool.append(documents(3, 10), false).await.unwrap();
        spool.append(documents(2, 10), true).await.unwrap();
        spool.acknowledge(1).await.unwrap();
        spool.save_cursor().unwrap();
        spool.close().await;
        drop(spool);
        let spool = open();
        let read = spool.reader().next_batch(1 << 20).await.unwrap();
        assert_eq!(read.len(), 1);
        let record = Record::decode(&read[0].1).unwrap();
        assert!(record.verify);
        assert_eq!(record.documents.len(), 2);
    }

    #[tokio::test]
    async fn a_full_spool_drops_the_oldest_and_counts_them() {
        let dir = tempfile::tempdir().unwrap();
        let counters = Arc::<Counters>::default();
        let spool = Spool::open(dir.path().into(), 1 << 20, Arc::clone(&counters)).unwrap();
        for _ in 0..40 {
            spool.append(documents(10, 10_000), false).await.unwrap();
        }
        let view = counters.view();
        assert_eq!(view.spooled, 400);
        assert!(view.dropped > 0);
        assert!(view.spool_bytes < 2 << 20, "{}", view.spool_bytes);
        let kept = spool.reader().next_batch(16 << 20).await.unwrap();
        let kept: usize = kept
            .iter()
            .map(|(_, bytes)| Record::decode(bytes).unwrap().documents.len())
            .sum();
        assert_eq!(kept as u64 + view.dropped, 400);
    }
}
