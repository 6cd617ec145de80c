//! What must get into the storage: on this instance's disk first, then there.
//!
//! Invariants: what `write` took survives a crash as a whole or not at all; for each document the
//! latest state is written and never an older one after it; what waits is bounded: beyond the limit
//! the oldest records are dropped and counted, but alerts, whose state nobody else knows, are kept.
//! Not here: writing to the storage (`ledger_task`).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use wharf_runtime::data_dir::{read_limited, write_atomic};
use wharf_runtime::journal::{AppendError, Journal, OpenError, Options, ReadError};

use crate::indices;

const SEGMENT_BYTES: u64 = 1 << 20;

/// A document to write; without a source it is to be deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Doc {
    pub(crate) index: String,
    pub(crate) id: String,
    pub(crate) source: Option<Value>,
}

impl Doc {
    /// A document to write.
    pub(crate) fn put(index: &str, id: impl Into<String>, source: Value) -> Self {
        Self {
            index: index.to_owned(),
            id: id.into(),
            source: Some(source),
        }
    }

    /// A document to delete.
    pub(crate) fn delete(index: &str, id: impl Into<String>) -> Self {
        Self {
            index: index.to_owned(),
            id: id.into(),
            source: None,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    docs: Vec<Doc>,
}

type Key = (String, String);

#[derive(Debug, Clone)]
struct Waiting {
    seq: u64,
    source: Option<Value>,
}

/// The ledger.
pub(crate) struct Ledger {
    journal: Journal,
    waiting: Mutex<BTreeMap<Key, Waiting>>,
    appending: tokio::sync::Mutex<()>,
    cursor: PathBuf,
    limit_bytes: u64,
    dropped: AtomicU64,
    /// Told when there is something to write.
    pub(crate) wake: Notify,
}

/// The ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Its directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file that says what was written cannot be read.
    #[error("the file {0} cannot be used: {1}; see to the disk")]
    Cursor(PathBuf, std::io::Error),
}

/// Some of what waits, oldest first.
pub(crate) struct Batch {
    pub(crate) docs: Vec<Doc>,
    seqs: Vec<u64>,
}

impl Ledger {
    /// Opens the ledger in `dir`, with what waits in it. Blocks.
    pub(crate) fn open(dir: &Path, limit_bytes: u64) -> Result<Self, LedgerError> {
        let options = Options {
            segment_bytes: SEGMENT_BYTES,
            compress: true,
            ..Options::default()
        };
        let cursor = dir.join("written");
        let (journal, recovery) = Journal::open(dir.join("ledger"), options)?;
        if !recovery.damage.is_empty() {
            tracing::error!(damage = ?recovery.damage, "parts of the ledger are lost");
        }
        let written = read_limited(&cursor, 64)
            .map_err(|error| LedgerError::Cursor(cursor.clone(), error))?
            .and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse().ok())
            .unwrap_or(0);
        let mut waiting = BTreeMap::new();
        for read in journal.read_from(written) {
            let (seq, bytes) = match read {
                Ok(read) => read,
                Err(error @ ReadError::Damaged { .. }) => {
                    tracing::error!(%error, "a part of the ledger is lost");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            match serde_json::from_slice::<Record>(&bytes) {
                Ok(record) => take_in(&mut waiting, record.docs, seq),
                Err(error) => tracing::error!(%error, seq, "a record of the ledger is unknown"),
            }
        }
        Ok(Self {
            journal,
            waiting: Mutex::new(waiting),
            appending: tokio::sync::Mutex::default(),
            cursor,
            limit_bytes,
            dropped: AtomicU64::new(0),
            wake: Notify::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Waiting>> {
        // Valid after each statement.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes documents in together; they survive a crash when this returns.
    pub(crate) async fn write(&self, docs: Vec<Doc>) -> Result<(), AppendError> {
        if docs.is_empty() {
            return Ok(());
        }
        let record = Record { docs };
        // Values and texts can always be written.
        let bytes = serde_json::to_vec(&record).unwrap_or_default();
        // One after the other: what waits is never known to be later than a record that is not
        // known yet, or the cursor would pass over it.
        let one = self.appending.lock().await;
        let seq = self.journal.append(bytes).await?;
        take_in(&mut self.lock(), record.docs, seq);
        drop(one);
        self.wake.notify_one();
        Ok(())
    }

    /// The latest state of a document that waits; `Some(None)` when it is to be deleted.
    pub(crate) fn get(&self, index: &str, id: &str) -> Option<Option<Value>> {
        let key = (index.to_owned(), id.to_owned());
        self.lock().get(&key).map(|waiting| waiting.source.clone())
    }

    /// All documents of an index that wait.
    pub(crate) fn of_index(&self, index: &str) -> Vec<Doc> {
        let waiting = self.lock();
        let of = waiting.iter().filter(|((of, _), _)| of == index);
        of.map(|((index, id), waiting)| Doc {
            index: index.clone(),
            id: id.clone(),
            source: waiting.source.clone(),
        })
        .collect()
    }

    /// How many documents wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// How many were dropped since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The oldest that wait, at most `max` of about `max_bytes`.
    pub(crate) fn batch(&self, max: usize, max_bytes: usize) -> Batch {
        let waiting = self.lock();
        let mut all: Vec<(&Key, &Waiting)> = waiting.iter().collect();
        all.sort_by_key(|(_, waiting)| waiting.seq);
        let mut batch = Batch {
            docs: Vec::new(),
            seqs: Vec::new(),
        };
        let mut bytes = 0;
        for ((index, id), one) in all.into_iter().take(max) {
            bytes += one
                .source
                .as_ref()
                .map_or(0, |source| source.to_string().len());
            if bytes > max_bytes && !batch.docs.is_empty() {
                break;
            }
            batch.seqs.push(one.seq);
            batch.docs.push(Doc {
                index: index.clone(),
                id: id.clone(),
                source: one.source.clone(),
            });
        }
        batch
    }

    /// The storage has these of a batch (or will never take them): they need not wait any more.
    pub(crate) async fn settle(&self, batch: &Batch, is_done: &[bool]) {
        let first = {
            let mut waiting = self.lock();
            for ((doc, seq), is_done) in batch.docs.iter().zip(&batch.seqs).zip(is_done) {
                let key = (doc.index.clone(), doc.id.clone());
                if *is_done && waiting.get(&key).is_some_and(|one| one.seq == *seq) {
                    waiting.remove(&key);
                }
            }
            waiting.values().map(|one| one.seq).min()
        };
        // What was appended since is later than whatever waited.
        let written = first.unwrap_or_else(|| batch.seqs.iter().max().map_or(0, |seq| seq + 1));
        let cursor = self.cursor.clone();
        let kept = wharf_runtime::task::spawn_blocking("ledger cursor", move || {
            write_atomic(&cursor, written.to_string().as_bytes(), 0o600)
        });
        if let Ok(Err(error)) = kept.await {
            // It is written again, which changes nothing.
            tracing::warn!(%error, "what was written to the storage cannot be remembered");
        }
        if let Err(error) = self.journal.trim_before(written).await {
            tracing::warn!(%error, "the ledger cannot be trimmed");
        }
    }

    /// Drops the oldest records while there are too many bytes; how many documents were lost.
    pub(crate) async fn bound(&self) -> Result<usize, AppendError> {
        let mut lost = 0;
        while self.journal.bytes() > self.limit_bytes && self.journal.segments() > 1 {
            match self.journal.drop_oldest_segment().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "the ledger cannot be shortened");
                    break;
                }
            }
            let first = self.journal.first_seq();
            let mut alerts = Vec::new();
            self.lock().retain(|(index, id), one| {
                if one.seq >= first {
                    return true;
                }
                if index == indices::ALERTS {
                    alerts.push(Doc {
                        index: index.clone(),
                        id: id.clone(),
                        source: one.source.clone(),
                    });
                    return true;
                }
                lost += 1;
                false
            });
            if !alerts.is_empty() {
                self.write(alerts).await?;
            }
        }
        self.dropped.fetch_add(lost as u64, Ordering::Relaxed);
        Ok(lost)
    }

    /// Ends the journal behind everything that was written.
    pub(crate) async fn close(&self) {
        self.journal.close().await;
    }
}

fn take_in(waiting: &mut BTreeMap<Key, Waiting>, docs: Vec<Doc>, seq: u64) {
    for doc in docs {
        let key = (doc.index, doc.id);
        let newer = waiting.get(&key).is_none_or(|known| known.seq <= seq);
        if newer {
            let source = doc.source;
            waiting.insert(key, Waiting { seq, source });
        }
    }
}
