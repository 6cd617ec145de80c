//! What a search sees of a sealed segment.
//!
//! Invariant: where the seam has no place for an error, the view keeps it: an answer made from a view with a
//! failure is not to be given.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use wharf_store_core::columns::{Column, Row, RowMeta, RowSet, Segment, SegmentError, TextStats};

use super::{COLUMN, Sealed};
use crate::engine::column::assemble;
use crate::engine::ids;
use crate::engine::source::RawBlock;

/// What a search sees of a sealed segment.
pub(crate) struct SealedView {
    sealed: Arc<Sealed>,
    live: Arc<RowSet>,
    /// The first part that could not be read where the seam has no place for an error: an answer
    /// made from this view is not to be given then.
    failed: Mutex<Option<SegmentError>>,
}

impl SealedView {
    pub(crate) fn new(sealed: Arc<Sealed>) -> Self {
        let live = sealed.live_rows();
        Self {
            sealed,
            live,
            failed: Mutex::new(None),
        }
    }

    /// What could not be read, if anything.
    pub(crate) fn failure(&self) -> Option<SegmentError> {
        self.failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// No row has a path that neither text nor column knows; a column is scanned by the caller.
    fn absent(&self, path: &str) -> Option<RowSet> {
        let none = self.sealed.column_number(path).is_none();
        none.then(|| RowSet::empty(self.sealed.directory.rows))
    }

    fn kept<T>(&self, what: &str, got: Result<T, SegmentError>) -> Option<T> {
        got.map_err(|error| {
            tracing::error!(segment = %self.sealed.path.display(), what, %error, "cannot read a part of a segment");
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        })
        .ok()
    }
}

impl Segment for SealedView {
    fn rows(&self) -> u32 {
        self.sealed.directory.rows
    }

    fn live(&self) -> Cow<'_, RowSet> {
        Cow::Borrowed(&self.live)
    }

    fn column(&self, path: &str) -> Option<Column> {
        let s = &self.sealed;
        let n = s.column_number(path)?;
        let made = s.cache.get_or((s.uid, COLUMN, n), || {
            let (kind, values, offsets) = s.column_values(n)?;
            assemble(kind, values, offsets, s.directory.rows)
                .ok_or_else(|| SegmentError::Damaged("column kind".into()))
        });
        self.kept(path, made)
            .map(|column: Arc<Column>| (*column).clone())
    }

    fn term_rows(&self, path: &str, term: &str) -> Option<RowSet> {
        let Some(n) = self.sealed.texts.get(path).copied() else {
            return self.absent(path);
        };
        let rows = self.kept(path, self.sealed.postings(n, term.as_bytes()))?;
        Some(RowSet::from_rows(self.sealed.directory.rows, rows))
    }

    fn text_rows(&self, path: &str) -> Option<RowSet> {
        let Some(rows) = self.kept(path, self.sealed.text_presence(path))? else {
            return self.absent(path);
        };
        Some(RowSet::from_rows(self.sealed.directory.rows, rows))
    }

    fn text_stats(&self, path: &str) -> Option<TextStats> {
        let entry = &self.sealed.directory.texts[*self.sealed.texts.get(path)? as usize];
        Some(TextStats {
            rows: entry.row_count,
            terms: entry.terms,
        })
    }

    fn source(&self, row: Row) -> Result<Cow<'_, [u8]>, SegmentError> {
        let index = self.sealed.source_index()?;
        let none = || SegmentError::Damaged(format!("no row {row}"));
        let n = Sealed::block_of(&index, row).ok_or_else(none)?;
        let raw = self.sealed.raw_block(n)?;
        let at = (row - index[n].first_row) as usize;
        raw.get(at)
            .map(|bytes| Cow::Owned(bytes.to_vec()))
            .ok_or_else(none)
    }

    fn sources(
        &self,
        rows: &RowSet,
        visit: &mut dyn FnMut(Row, &[u8]) -> bool,
    ) -> Result<(), SegmentError> {
        let index = self.sealed.source_index()?;
        let mut held: Option<(usize, Arc<RawBlock>)> = None;
        for row in rows.iter() {
            let none = || SegmentError::Damaged(format!("no row {row}"));
            let n = Sealed::block_of(&index, row).ok_or_else(none)?;
            let raw = match &held {
                Some((number, raw)) if *number == n => Arc::clone(raw),
                _ => {
                    let raw = self.sealed.raw_block(n)?;
                    held = Some((n, Arc::clone(&raw)));
                    raw
                }
            };
            let bytes = raw
                .get((row - index[n].first_row) as usize)
                .ok_or_else(none)?;
            if !visit(row, bytes) {
                break;
            }
        }
        Ok(())
    }

    fn meta(&self, row: Row) -> Result<RowMeta<'_>, SegmentError> {
        let s = &self.sealed;
        let none = || SegmentError::Damaged(format!("no row {row}"));
        let seq_no = *s.seqs()?.get(row as usize).ok_or_else(none)? as u64;
        let version = match s.versions()? {
            Some(versions) => *versions.get(row as usize).ok_or_else(none)? as u64,
            None => 1,
        };
        let explicit = s.explicit_id(row)?;
        let id = if explicit.is_empty() {
            ids::auto_id(&s.tag, seq_no)
        } else {
            String::from_utf8_lossy(&explicit).into_owned()
        };
        Ok(RowMeta {
            id: Cow::Owned(id),
            version,
            seq_no,
            primary_term: 1,
        })
    }

    fn row_of_id(&self, id: &str) -> Result<Option<Row>, SegmentError> {
        if let Some(row) = self.sealed.row_of_explicit(id.as_bytes())? {
            return Ok(Some(row));
        }
        match ids::auto_seq(&self.sealed.tag, id) {
            Some(seq) => self.sealed.row_of_auto(seq),
            None => Ok(None),
        }
    }
}
