//! Fresh rows: what was written since the last seal, in memory, searched directly.
//!
//! Invariants: rows are only appended; a row's number never changes; a view taken at `rows` rows sees
//! exactly those, whatever is appended meanwhile. An update is a new row and a tombstone on the old one.
//! Not here: which rows an id has elsewhere (`shard`), files (`layout`).

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::{HashMap, HashTable};
use wharf_store_core::columns::{
    Column, ColumnKind, Row, RowMeta, RowSet, Segment, SegmentError, TextStats,
};

use super::build::{ColumnBuilder, TextBuilder};
use super::cache::Cache;
use super::column::assemble;
use super::ids::{self, Tag};
use super::source::{Place, RawBlock, SourceWriter};

/// Parts of a memtable in the cache.
const SOURCE_PART: u8 = 0;

/// The rows and columns.
pub(crate) struct Rows {
    pub(crate) seqs: Vec<u64>,
    pub(crate) versions: Vec<u64>,
    id_ends: Vec<u32>,
    id_bytes: Vec<u8>,
    id_rows: HashTable<u32>,
    pub(crate) explicit_ids: u32,
    /// Bits of deleted rows.
    deleted: Vec<u64>,
    pub(crate) deleted_count: u32,
    pub(crate) columns: HashMap<String, ColumnBuilder>,
    pub(crate) texts: HashMap<String, TextBuilder>,
    pub(crate) source: SourceWriter,
}

impl Rows {
    pub(crate) fn len(&self) -> u32 {
        self.seqs.len() as u32
    }

    /// The id a client chose for a row; empty when the store chose.
    pub(crate) fn explicit_id(&self, row: u32) -> &[u8] {
        let at = row as usize;
        let start = if at == 0 {
            0
        } else {
            self.id_ends[at - 1] as usize
        };
        &self.id_bytes[start..self.id_ends[at] as usize]
    }

    /// The newest row with an id that a client chose.
    pub(crate) fn row_of_explicit(&self, id: &[u8]) -> Option<u32> {
        self.id_rows
            .find(ids::hash(id), |row| self.explicit_id(*row) == id)
            .copied()
    }

    /// The row with this sequence number whose id the store chose.
    pub(crate) fn row_of_auto(&self, seq: u64) -> Option<u32> {
        self.row_of_seq(seq)
            .filter(|row| self.explicit_id(*row).is_empty())
    }

    fn row_of_seq(&self, seq: u64) -> Option<u32> {
        if let Ok(at) = self.seqs.binary_search(&seq) {
            return Some(at as u32);
        }
        // Replay may bring rows out of order; then only a walk is right.
        if self.seqs.is_sorted() {
            return None;
        }
        self.seqs.iter().position(|s| *s == seq).map(|at| at as u32)
    }

    pub(crate) fn is_deleted(&self, row: u32) -> bool {
        self.deleted
            .get(row as usize / 64)
            .is_some_and(|word| word & (1 << (row % 64)) != 0)
    }

    /// Marks a row as gone; false when it was.
    pub(crate) fn delete(&mut self, row: u32) -> bool {
        let word = row as usize / 64;
        if self.deleted.len() <= word {
            self.deleted.resize(word + 1, 0);
        }
        let mask = 1 << (row % 64);
        let fresh = self.deleted[word] & mask == 0;
        self.deleted[word] |= mask;
        self.deleted_count += u32::from(fresh);
        fresh
    }

    /// The live ones of the first `rows` rows.
    pub(crate) fn live(&self, rows: u32) -> RowSet {
        if self.deleted_count == 0 {
            return RowSet::all(rows);
        }
        let words = (0..(rows as usize).div_ceil(64))
            .map(|n| !self.deleted.get(n).copied().unwrap_or(0))
            .collect();
        RowSet::from_words(rows, words)
    }

    /// The column to fill at a path. `None` when the path already has a column of another kind.
    pub(crate) fn column(&mut self, path: &str, kind: ColumnKind) -> Option<&mut ColumnBuilder> {
        let column = self
            .columns
            .entry_ref(path)
            .or_insert_with(|| ColumnBuilder::new(kind));
        (column.kind() == kind).then_some(column)
    }

    /// The text field to fill at a path.
    pub(crate) fn text(&mut self, path: &str) -> &mut TextBuilder {
        self.texts.entry_ref(path).or_insert_with(TextBuilder::new)
    }

    /// Ends the row whose values were filled with number [`Self::len`].
    pub(crate) fn end_row(
        &mut self,
        id: Option<&str>,
        seq: u64,
        version: u64,
        source: &[u8],
    ) -> Result<u32, std::io::Error> {
        let row = self.len();
        self.source.push(source)?;
        if let Some(id) = id {
            self.id_bytes.extend_from_slice(id.as_bytes());
            self.explicit_ids += 1;
        }
        self.id_ends.push(self.id_bytes.len() as u32);
        self.seqs.push(seq);
        self.versions.push(version);
        if let Some(id) = id {
            let hash = ids::hash(id.as_bytes());
            let (ends, bytes) = (&self.id_ends, &self.id_bytes);
            let name = |row: u32| {
                let at = row as usize;
                let start = if at == 0 { 0 } else { ends[at - 1] as usize };
                &bytes[start..ends[at] as usize]
            };
            match self.id_rows.find_mut(hash, |r| name(*r) == id.as_bytes()) {
                Some(slot) => *slot = row,
                None => {
                    self.id_rows
                        .insert_unique(hash, row, |r| ids::hash(name(*r)));
                }
            }
        }
        Ok(row)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let columns: usize = self.columns.values().map(ColumnBuilder::heap_bytes).sum();
        let texts: usize = self.texts.values().map(TextBuilder::heap_bytes).sum();
        columns
            + texts
            + self.source.heap_bytes()
            + self.seqs.capacity() * 16
            + self.id_bytes.capacity()
            + self.id_ends.capacity() * 4
            + self.id_rows.capacity() * 5
    }
}

type Frozen = HashMap<String, (u32, Column)>;

/// Fresh rows of one index.
pub(crate) struct Fresh {
    /// Names it in the cache.
    pub(crate) uid: u64,
    tag: Tag,
    rows: RwLock<Rows>,
    frozen: Mutex<Frozen>,
    cache: Arc<Cache>,
}

impl Fresh {
    pub(crate) fn new(uid: u64, tag: Tag, cache: Arc<Cache>) -> Result<Self, std::io::Error> {
        Ok(Self {
            uid,
            tag,
            rows: RwLock::new(Rows {
                seqs: Vec::new(),
                versions: Vec::new(),
                id_ends: Vec::new(),
                id_bytes: Vec::new(),
                id_rows: HashTable::new(),
                explicit_ids: 0,
                deleted: Vec::new(),
                deleted_count: 0,
                columns: HashMap::new(),
                texts: HashMap::new(),
                source: SourceWriter::new()?,
            }),
            frozen: Mutex::new(HashMap::new()),
            cache,
        })
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Rows> {
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Rows> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A row's document.
    pub(crate) fn source_of(&self, row: Row) -> Result<Vec<u8>, SegmentError> {
        let rows = self.read();
        let (block, at) = match rows.source.locate(row) {
            Place::Open(bytes) => return Ok(bytes.to_vec()),
            Place::Block(block, at) => (block, at),
            Place::Missing => return Err(SegmentError::Damaged(format!("no row {row}"))),
        };
        let packed = &rows.source.blocks()[block];
        let raw = self
            .cache
            .get_or((self.uid, SOURCE_PART, block as u32), || {
                let raw = RawBlock::unpack(&packed.packed, packed.raw_len as usize)?;
                let bytes = raw.heap_bytes();
                Ok::<_, super::codec::CodecError>((raw, bytes))
            });
        let raw = raw.map_err(|e| SegmentError::Damaged(e.to_string()))?;
        raw.get(at)
            .map(<[u8]>::to_vec)
            .ok_or_else(|| SegmentError::Damaged(format!("no row {row}")))
    }

    /// Drops the copies of columns that searches made; running searches keep theirs.
    pub(crate) fn thaw(&self) {
        self.frozen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// A frozen view of the rows there are now.
    pub(crate) fn view(self: &Arc<Self>) -> FreshView {
        let rows = self.read();
        let count = rows.len();
        FreshView {
            rows: count,
            live: rows.live(count),
            fresh: Arc::clone(self),
        }
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        self.cache.forget(self.uid);
    }
}

/// What a search sees of fresh rows.
pub(crate) struct FreshView {
    fresh: Arc<Fresh>,
    rows: u32,
    live: RowSet,
}

impl FreshView {
    pub(crate) fn row_count(&self) -> u32 {
        self.rows
    }
}

/// No row has a path that neither text nor column knows; a column is scanned by the caller.
fn absent(rows: &Rows, path: &str, count: u32) -> Option<RowSet> {
    (!rows.columns.contains_key(path)).then(|| RowSet::empty(count))
}

impl Segment for FreshView {
    fn rows(&self) -> u32 {
        self.rows
    }

    fn live(&self) -> Cow<'_, RowSet> {
        Cow::Borrowed(&self.live)
    }

    fn column(&self, path: &str) -> Option<Column> {
        let known = |frozen: &Frozen| {
            frozen
                .get(path)
                .filter(|(rows, _)| *rows == self.rows)
                .map(|(_, c)| c.clone())
        };
        let lock = || {
            self.fresh
                .frozen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(column) = known(&lock()) {
            return Some(column);
        }
        let (kind, values, offsets) = {
            let rows = self.fresh.read();
            let builder = rows.columns.get(path)?;
            let (values, offsets) = builder.freeze(self.rows);
            (builder.kind(), values, offsets)
        };
        let (column, _) = assemble(kind, values, offsets, self.rows)?;
        lock().insert(path.to_owned(), (self.rows, column.clone()));
        Some(column)
    }

    fn term_rows(&self, path: &str, term: &str) -> Option<RowSet> {
        let rows = self.fresh.read();
        let Some(text) = rows.texts.get(path) else {
            return absent(&rows, path, self.rows);
        };
        let found = text.term_rows(term);
        let end = found.partition_point(|row| *row < self.rows);
        Some(RowSet::from_rows(self.rows, found[..end].to_vec()))
    }

    fn text_rows(&self, path: &str) -> Option<RowSet> {
        let rows = self.fresh.read();
        let Some(text) = rows.texts.get(path) else {
            return absent(&rows, path, self.rows);
        };
        let found = text.rows();
        let end = found.partition_point(|row| *row < self.rows);
        Some(RowSet::from_rows(self.rows, found[..end].to_vec()))
    }

    fn text_stats(&self, path: &str) -> Option<TextStats> {
        let rows = self.fresh.read();
        let text = rows.texts.get(path)?;
        Some(TextStats {
            rows: text.rows().len() as u64,
            terms: text.term_count(),
        })
    }

    fn source(&self, row: Row) -> Result<Cow<'_, [u8]>, SegmentError> {
        self.fresh.source_of(row).map(Cow::Owned)
    }

    fn meta(&self, row: Row) -> Result<RowMeta<'_>, SegmentError> {
        let rows = self.fresh.read();
        let at = row as usize;
        let seq_no = *rows
            .seqs
            .get(at)
            .ok_or_else(|| SegmentError::Damaged(format!("no row {row}")))?;
        let explicit = rows.explicit_id(row);
        let id = if explicit.is_empty() {
            ids::auto_id(&self.fresh.tag, seq_no)
        } else {
            String::from_utf8_lossy(explicit).into_owned()
        };
        Ok(RowMeta {
            id: Cow::Owned(id),
            version: rows.versions[at],
            seq_no,
            primary_term: 1,
        })
    }

    fn row_of_id(&self, id: &str) -> Result<Option<Row>, SegmentError> {
        let rows = self.fresh.read();
        let found = rows
            .row_of_explicit(id.as_bytes())
            .or_else(|| rows.row_of_auto(ids::auto_seq(&self.fresh.tag, id)?));
        Ok(found.filter(|row| *row < self.rows))
    }
}
