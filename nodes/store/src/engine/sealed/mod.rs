//! A sealed segment: an immutable file, its parts read when first asked for and kept in the cache.
//!
//! Invariants: the file never changes; deleted rows are a set beside it that only grows; what is read is
//! checked against its checksum before it is decoded (single dictionary blocks and posting lists are checked by
//! their decoders). Not here: writing (`layout`), which segments an index has (`shard`).

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use wharf_store_core::columns::{ColumnKind, Row, RowSet, SegmentError};

use crate::engine::cache::Cache;
use crate::engine::codec::{CodecError, Reader, floats, ints, terms};
use crate::engine::column::Values;
use crate::engine::ids::{self, Bloom, Tag};
use crate::engine::layout::{Directory, ID_BLOCK, MAGIC, Section, TRAILER, kind_of};
use crate::engine::source::RawBlock;

mod text;
mod view;

pub(crate) use text::TextCursor;
pub(crate) use view::SealedView;

const SOURCE: u8 = 1;
const SOURCE_INDEX: u8 = 2;
const COLUMN: u8 = 3;
const SEQS: u8 = 4;
const VERSIONS: u8 = 5;
const IDS_INDEX: u8 = 6;
const IDS: u8 = 7;
const TEXT_INDEX: u8 = 8;
const TEXT_BLOCK: u8 = 9;
/// A directory is small; a length above this is damage.
const MAX_DIRECTORY: usize = 64 * 1024 * 1024;

fn io(error: std::io::Error) -> SegmentError {
    SegmentError::Io(error.to_string())
}

fn damaged(error: CodecError) -> SegmentError {
    SegmentError::Damaged(error.0.to_owned())
}

struct SourceEntry {
    first_row: u32,
    raw_len: u32,
    offset: u64,
    len: u32,
    crc: u32,
}

struct IdEntry {
    raw_len: usize,
    offset: u64,
    len: usize,
}

struct IdBlock {
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl IdBlock {
    fn get(&self, at: usize) -> &[u8] {
        let Some(&end) = self.ends.get(at) else {
            return &[];
        };
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start as usize..end as usize]
    }
}

/// A sealed segment.
pub(crate) struct Sealed {
    /// Names it in the cache.
    pub(crate) uid: u64,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    tag: Tag,
    file: File,
    directory: Directory,
    columns: HashMap<String, u32>,
    texts: HashMap<String, u32>,
    bloom: Option<Bloom>,
    live: ArcSwap<RowSet>,
    cache: Arc<Cache>,
}

impl Sealed {
    /// Opens a segment file; `live` are its rows that are not deleted (all when absent).
    pub(crate) fn open(
        path: &Path,
        uid: u64,
        tag: Tag,
        live: Option<RowSet>,
        cache: Arc<Cache>,
    ) -> Result<Self, SegmentError> {
        let broken = |what: &str| SegmentError::Damaged(format!("{}: {what}", path.display()));
        let file = File::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        let end = bytes
            .checked_sub(TRAILER as u64)
            .ok_or_else(|| broken("too short"))?;
        let mut trailer = [0u8; TRAILER];
        file.read_exact_at(&mut trailer, end).map_err(io)?;
        if &trailer[8..] != MAGIC {
            return Err(broken("no trailer"));
        }
        let word = |at: usize| {
            u32::from_le_bytes([
                trailer[at],
                trailer[at + 1],
                trailer[at + 2],
                trailer[at + 3],
            ])
        };
        let (len, crc) = (word(0) as usize, word(4));
        if !(8..=MAX_DIRECTORY).contains(&len) || len as u64 > end {
            return Err(broken("directory length"));
        }
        let mut raw = vec![0u8; len];
        file.read_exact_at(&mut raw, end - len as u64).map_err(io)?;
        if crc32fast::hash(&raw) != crc {
            return Err(broken("directory checksum"));
        }
        let mut reader = Reader::new(&raw);
        let json_len = reader.u64_le().map_err(|e| broken(e.0))? as usize;
        if json_len > MAX_DIRECTORY {
            return Err(broken("directory length"));
        }
        let json = zstd::bulk::decompress(&raw[8..], json_len).map_err(|_| broken("directory"))?;
        let directory: Directory =
            serde_json::from_slice(&json).map_err(|e| broken(&e.to_string()))?;
        let number = |n: usize| n as u32;
        let columns = directory
            .columns
            .iter()
            .enumerate()
            .map(|(n, c)| (c.path.clone(), number(n)))
            .collect();
        let texts = directory
            .texts
            .iter()
            .enumerate()
            .map(|(n, t)| (t.path.clone(), number(n)))
            .collect();
        let live = live.unwrap_or_else(|| RowSet::all(directory.rows));
        let mut sealed = Self {
            uid,
            path: path.into(),
            bytes,
            tag,
            file,
            directory,
            columns,
            texts,
            bloom: None,
            live: ArcSwap::from_pointee(live),
            cache,
        };
        if let Some(section) = sealed.directory.bloom {
            sealed.bloom = Bloom::from_bytes(&sealed.section(&section)?);
        }
        Ok(sealed)
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The rows that are not deleted.
    pub(crate) fn live_rows(&self) -> Arc<RowSet> {
        self.live.load_full()
    }

    /// Replaces the live rows; only the shard's writer does.
    pub(crate) fn set_live(&self, live: RowSet) {
        self.live.store(Arc::new(live));
    }

    /// Marks a row as gone; false when it was. Only the shard's writer does.
    pub(crate) fn delete(&self, row: u32) -> bool {
        let live = self.live.load_full();
        if !live.contains(row) {
            return false;
        }
        let mut words = live.to_words();
        words[row as usize / 64] &= !(1 << (row % 64));
        self.live
            .store(Arc::new(RowSet::from_words(self.directory.rows, words)));
        true
    }

    fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>, SegmentError> {
        if offset.saturating_add(len as u64) > self.bytes {
            return Err(SegmentError::Damaged("a part lies beyond the file".into()));
        }
        let mut bytes = vec![0u8; len];
        self.file.read_exact_at(&mut bytes, offset).map_err(io)?;
        Ok(bytes)
    }

    /// Reads a section and checks it.
    pub(crate) fn section(&self, section: &Section) -> Result<Vec<u8>, SegmentError> {
        let bytes = self.read_at(section.offset, section.len as usize)?;
        if crc32fast::hash(&bytes) != section.crc {
            return Err(SegmentError::Damaged(format!(
                "{}: checksum at {}",
                self.path.display(),
                section.offset
            )));
        }
        Ok(bytes)
    }

    fn source_index(&self) -> Result<Arc<Vec<SourceEntry>>, SegmentError> {
        self.cache.get_or((self.uid, SOURCE_INDEX, 0), || {
            let bytes = self.section(&self.directory.source_directory)?;
            let mut reader = Reader::new(&bytes);
            let mut read = || -> Result<Vec<SourceEntry>, CodecError> {
                let count = reader.count(bytes.len())?;
                let mut entries = Vec::with_capacity(count);
                let mut offset = self.directory.source_blocks.offset;
                for _ in 0..count {
                    let first_row = reader.count(u32::MAX as usize)? as u32;
                    let raw_len = reader.count(u32::MAX as usize)? as u32;
                    let len = reader.count(u32::MAX as usize)? as u32;
                    let crc = reader.count(u32::MAX as usize)? as u32;
                    entries.push(SourceEntry {
                        first_row,
                        raw_len,
                        offset,
                        len,
                        crc,
                    });
                    offset += u64::from(len);
                }
                Ok(entries)
            };
            let entries = read().map_err(damaged)?;
            let size = entries.len() * size_of::<SourceEntry>();
            Ok((entries, size))
        })
    }

    /// A compressed source block as it is in the file: first row, raw length, bytes.
    pub(crate) fn packed_block(
        &self,
        n: usize,
    ) -> Result<Option<(u32, u32, Vec<u8>)>, SegmentError> {
        let index = self.source_index()?;
        let Some(entry) = index.get(n) else {
            return Ok(None);
        };
        let packed = self.read_at(entry.offset, entry.len as usize)?;
        if crc32fast::hash(&packed) != entry.crc {
            return Err(SegmentError::Damaged("source block checksum".into()));
        }
        Ok(Some((entry.first_row, entry.raw_len, packed)))
    }

    /// First row, raw and packed length of a source block.
    pub(crate) fn block_info(&self, n: usize) -> Result<Option<(u32, u32, u32)>, SegmentError> {
        Ok(self
            .source_index()?
            .get(n)
            .map(|e| (e.first_row, e.raw_len, e.len)))
    }

    fn raw_block(&self, n: usize) -> Result<Arc<RawBlock>, SegmentError> {
        self.cache.get_or((self.uid, SOURCE, n as u32), || {
            let (_, raw_len, packed) = self
                .packed_block(n)?
                .ok_or_else(|| SegmentError::Damaged("no such source block".into()))?;
            let raw = RawBlock::unpack(&packed, raw_len as usize).map_err(damaged)?;
            let size = raw.heap_bytes();
            Ok((raw, size))
        })
    }

    fn block_of(index: &[SourceEntry], row: Row) -> Option<usize> {
        index.partition_point(|e| e.first_row <= row).checked_sub(1)
    }

    /// A column's values as they are stored, for merging.
    pub(crate) fn column_values(
        &self,
        n: u32,
    ) -> Result<(ColumnKind, Values, Option<Vec<u32>>), SegmentError> {
        let entry = &self.directory.columns[n as usize];
        let kind = kind_of(entry.kind)
            .ok_or_else(|| SegmentError::Damaged("unknown column kind".into()))?;
        let bytes = self.section(&entry.section)?;
        decode_column(&bytes, kind, self.directory.rows)
            .map(|(values, offsets)| (kind, values, offsets))
            .map_err(|e| SegmentError::Damaged(format!("{}: {}", entry.path, e.0)))
    }

    /// The number of a column.
    pub(crate) fn column_number(&self, path: &str) -> Option<u32> {
        self.columns.get(path).copied()
    }

    /// Sequence numbers by row.
    pub(crate) fn seqs(&self) -> Result<Arc<Vec<i64>>, SegmentError> {
        self.numbers(SEQS, &self.directory.seqs)
    }

    /// Versions by row; `None`: all 1.
    pub(crate) fn versions(&self) -> Result<Option<Arc<Vec<i64>>>, SegmentError> {
        self.directory
            .versions
            .as_ref()
            .map(|s| self.numbers(VERSIONS, s))
            .transpose()
    }

    fn numbers(&self, part: u8, section: &Section) -> Result<Arc<Vec<i64>>, SegmentError> {
        self.cache.get_or((self.uid, part, 0), || {
            let bytes = self.section(section)?;
            let values = ints::decode(&mut Reader::new(&bytes)).map_err(damaged)?;
            if values.len() != self.directory.rows as usize {
                return Err(SegmentError::Damaged("wrong number of rows".into()));
            }
            let size = values.len() * 8;
            Ok((values, size))
        })
    }

    fn id_index(&self, section: &Section) -> Result<Arc<Vec<IdEntry>>, SegmentError> {
        self.cache.get_or((self.uid, IDS_INDEX, 0), || {
            let bytes = self.section(section)?;
            let mut reader = Reader::new(&bytes);
            let index = reader.bytes().map_err(damaged)?;
            let mut offset = section.offset + (bytes.len() - reader.left()) as u64;
            let mut inner = Reader::new(index);
            let mut entries = Vec::new();
            while !inner.is_empty() {
                let raw_len = inner.count(ID_BLOCK * 1024).map_err(damaged)?;
                let len = inner.count(ID_BLOCK * 1024).map_err(damaged)?;
                entries.push(IdEntry {
                    raw_len,
                    offset,
                    len,
                });
                offset += len as u64;
            }
            let size = entries.len() * size_of::<IdEntry>();
            Ok((entries, size))
        })
    }

    /// The id that a client chose for a row; empty when the store chose.
    pub(crate) fn explicit_id(&self, row: Row) -> Result<Vec<u8>, SegmentError> {
        let Some(section) = self.directory.ids else {
            return Ok(Vec::new());
        };
        let number = row as usize / ID_BLOCK;
        let block = self.cache.get_or((self.uid, IDS, number as u32), || {
            let index = self.id_index(&section)?;
            let entry = index
                .get(number)
                .ok_or_else(|| SegmentError::Damaged("no such id block".into()))?;
            let packed = self.read_at(entry.offset, entry.len)?;
            let raw = zstd::bulk::decompress(&packed, entry.raw_len)
                .map_err(|_| SegmentError::Damaged("id block does not unpack".into()))?;
            let mut reader = Reader::new(&raw);
            let mut block = IdBlock {
                ends: Vec::new(),
                bytes: Vec::new(),
            };
            while !reader.is_empty() {
                block
                    .bytes
                    .extend_from_slice(reader.bytes().map_err(damaged)?);
                block.ends.push(block.bytes.len() as u32);
            }
            let size = block.bytes.len() + block.ends.len() * 4;
            Ok::<_, SegmentError>((block, size))
        })?;
        Ok(block.get(row as usize % ID_BLOCK).to_vec())
    }

    fn row_of_explicit(&self, id: &[u8]) -> Result<Option<Row>, SegmentError> {
        let Some(table) = self.directory.id_table else {
            return Ok(None);
        };
        let hash = ids::hash(id);
        if self.bloom.as_ref().is_some_and(|b| !b.may_hold(hash)) {
            return Ok(None);
        }
        let count = table.len / 12;
        let entry = |at: u64| -> Result<(u64, u32), SegmentError> {
            let raw = self.read_at(table.offset + at * 12, 12)?;
            let mut reader = Reader::new(&raw);
            let hash = reader.u64_le().map_err(damaged)?;
            Ok((hash, u32::from_le_bytes([raw[8], raw[9], raw[10], raw[11]])))
        };
        let (mut low, mut high) = (0u64, count);
        while low < high {
            let mid = (low + high) / 2;
            if entry(mid)?.0 < hash {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        let mut newest = None;
        while low < count {
            let (found, row) = entry(low)?;
            if found != hash {
                break;
            }
            // Rows of one hash are ascending, so the last match is the newest.
            if self.explicit_id(row)? == id {
                newest = Some(row);
            }
            low += 1;
        }
        Ok(newest)
    }

    fn row_of_auto(&self, seq: u64) -> Result<Option<Row>, SegmentError> {
        let d = &self.directory;
        if d.explicit_ids == d.rows || seq < d.min_seq || seq > d.max_seq {
            return Ok(None);
        }
        let seqs = self.seqs()?;
        let row = if d.seq_rising {
            seqs.binary_search(&(seq as i64)).ok()
        } else {
            seqs.iter().position(|s| *s == seq as i64)
        };
        match row {
            Some(row) if self.explicit_id(row as u32)?.is_empty() => Ok(Some(row as u32)),
            _ => Ok(None),
        }
    }
}

impl Drop for Sealed {
    fn drop(&mut self) {
        self.cache.forget(self.uid);
    }
}

fn decode_column(
    bytes: &[u8],
    kind: ColumnKind,
    rows: u32,
) -> Result<(Values, Option<Vec<u32>>), CodecError> {
    let mut reader = Reader::new(bytes);
    let offsets = match reader.byte()? {
        0 => None,
        1 => Some(ints::decode_u32(&mut reader)?),
        _ => return Err(CodecError("unknown presence")),
    };
    let values = match kind {
        ColumnKind::Double => Values::Floats(floats::decode(&mut reader)?),
        ColumnKind::Long | ColumnKind::Bool | ColumnKind::Date => {
            Values::Integers(ints::decode(&mut reader)?)
        }
        ColumnKind::Keyword | ColumnKind::Ip => {
            let ords = ints::decode_u32(&mut reader)?;
            let terms = terms::decode(&mut reader)?;
            if ords.iter().any(|o| *o as usize >= terms.len()) {
                return Err(CodecError("term number out of range"));
            }
            Values::Terms {
                ords,
                terms,
                sorted: true,
            }
        }
    };
    let count = match &values {
        Values::Integers(v) => v.len(),
        Values::Floats(v) => v.len(),
        Values::Terms { ords, .. } => ords.len(),
    };
    let right = match &offsets {
        None => count == rows as usize,
        Some(o) => {
            o.len() == rows as usize + 1
                && o.is_sorted()
                && o.last().is_some_and(|end| *end as usize == count)
        }
    };
    if right {
        Ok((values, offsets))
    } else {
        Err(CodecError("wrong number of values"))
    }
}
