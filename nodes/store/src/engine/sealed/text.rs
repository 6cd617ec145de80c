//! Text fields of a sealed segment: one term's rows, all terms in order, rows with a value.
//!
//! Not here: how postings are coded (`codec`), what a search asks (`view`).

use std::sync::Arc;

use wharf_store_core::columns::SegmentError;

use super::{Sealed, TEXT_BLOCK, TEXT_INDEX, damaged};
use crate::engine::codec::terms::{TextIndex, scan_text_block};
use crate::engine::codec::{Reader, postings};
use crate::engine::layout::TextEntry;

impl Sealed {
    pub(super) fn text_index(&self, n: u32) -> Result<Arc<TextIndex>, SegmentError> {
        self.cache.get_or((self.uid, TEXT_INDEX, n), || {
            let bytes = self.section(&self.directory.texts[n as usize].index)?;
            let index = TextIndex::decode(&bytes).map_err(damaged)?;
            let size = index.heap_bytes();
            Ok((index, size))
        })
    }

    /// The rows of a term of a text field.
    pub(super) fn postings(&self, n: u32, term: &[u8]) -> Result<Vec<u32>, SegmentError> {
        let entry = &self.directory.texts[n as usize];
        let index = self.text_index(n)?;
        let Some(block) = index.block_of(term) else {
            return Ok(Vec::new());
        };
        let packed = self.text_block(entry, &index, n, block)?;
        let mut found = None;
        scan_text_block(&packed, index.blocks()[block].postings, |t, offset, len| {
            if t == term {
                found = Some((offset, len));
            }
            t < term
        })
        .map_err(damaged)?;
        let Some((offset, len)) = found else {
            return Ok(Vec::new());
        };
        let bytes = self.read_at(entry.postings.offset + offset, len as usize)?;
        postings::decode(&mut Reader::new(&bytes), self.directory.rows).map_err(damaged)
    }

    fn text_block(
        &self,
        entry: &TextEntry,
        index: &TextIndex,
        n: u32,
        block: usize,
    ) -> Result<Arc<Vec<u8>>, SegmentError> {
        // Text fields are few and blocks below a million: both fit one number.
        let key = (n << 22) | (block as u32 & 0x3f_ffff);
        let place = &index.blocks()[block];
        self.cache.get_or((self.uid, TEXT_BLOCK, key), || {
            let packed = self.read_at(entry.blocks.offset + place.offset, place.len)?;
            let size = packed.len();
            Ok((packed, size))
        })
    }

    /// Walks the terms of a text field in order with their rows, for merging.
    pub(crate) fn text_terms(&self, path: &str) -> Option<TextCursor<'_>> {
        let n = *self.texts.get(path)?;
        Some(TextCursor {
            sealed: self,
            n,
            block: 0,
            pending: Vec::new().into_iter(),
        })
    }

    /// Rows with a value at a text field, ascending.
    pub(crate) fn text_presence(&self, path: &str) -> Result<Option<Vec<u32>>, SegmentError> {
        let Some(n) = self.texts.get(path) else {
            return Ok(None);
        };
        let bytes = self.section(&self.directory.texts[*n as usize].rows)?;
        postings::decode(&mut Reader::new(&bytes), self.directory.rows)
            .map(Some)
            .map_err(damaged)
    }
}

/// A term and its rows.
pub(crate) type TermRows = (Vec<u8>, Vec<u32>);

/// Terms of a text field with their rows.
pub(crate) struct TextCursor<'a> {
    sealed: &'a Sealed,
    n: u32,
    block: usize,
    pending: std::vec::IntoIter<(Vec<u8>, u64, u64)>,
}

impl TextCursor<'_> {
    /// The next term.
    pub(crate) fn next_term(&mut self) -> Result<Option<TermRows>, SegmentError> {
        let entry = &self.sealed.directory.texts[self.n as usize];
        loop {
            if let Some((term, offset, len)) = self.pending.next() {
                let bytes = self
                    .sealed
                    .read_at(entry.postings.offset + offset, len as usize)?;
                let rows = postings::decode(&mut Reader::new(&bytes), self.sealed.directory.rows)
                    .map_err(damaged)?;
                return Ok(Some((term, rows)));
            }
            let index = self.sealed.text_index(self.n)?;
            let Some(place) = index.blocks().get(self.block) else {
                return Ok(None);
            };
            let packed = self
                .sealed
                .read_at(entry.blocks.offset + place.offset, place.len)?;
            let mut terms = Vec::new();
            scan_text_block(&packed, place.postings, |term, offset, len| {
                terms.push((term.to_vec(), offset, len));
                true
            })
            .map_err(damaged)?;
            self.block += 1;
            self.pending = terms.into_iter();
        }
    }
}
