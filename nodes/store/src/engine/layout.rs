//! The file of a sealed segment: sections one after another, then a compressed directory that names them.
//!
//! Invariants: a file is complete when its directory and trailer are there and synced; each section has
//! a checksum in the directory. Source blocks come first, so that they can be copied while merging.
//! Not here: reading (`sealed`), choosing what is merged (`merge`).

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_store_core::columns::ColumnKind;

use super::codec::terms::TextDictionaryWriter;
use super::codec::{floats, ints, postings, put_bytes, put_varint, terms};
use super::column::Values;
use super::fresh::Fresh;
use super::ids::{self, Bloom};
use super::source::PackedBlock;

/// First bytes of the file.
pub(crate) const MAGIC: &[u8; 8] = b"WHARFS01";
/// Bytes behind the directory: its length, its checksum, the magic.
pub(crate) const TRAILER: usize = 16;
/// Rows whose ids are compressed together.
pub(crate) const ID_BLOCK: usize = 512;

/// A part of the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) offset: u64,
    pub(crate) len: u64,
    pub(crate) crc: u32,
}

/// Where a column is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ColumnEntry {
    pub(crate) path: String,
    pub(crate) kind: u8,
    pub(crate) section: Section,
}

/// Where a text field is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TextEntry {
    pub(crate) path: String,
    pub(crate) postings: Section,
    pub(crate) blocks: Section,
    pub(crate) index: Section,
    /// Posting list of the rows with a value.
    pub(crate) rows: Section,
    pub(crate) row_count: u64,
    pub(crate) terms: u64,
}

/// What is in a segment.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Directory {
    pub(crate) rows: u32,
    pub(crate) min_seq: u64,
    pub(crate) max_seq: u64,
    pub(crate) seq_rising: bool,
    pub(crate) seqs: Section,
    /// Absent when every version is 1.
    pub(crate) versions: Option<Section>,
    pub(crate) explicit_ids: u32,
    /// Blocks of ids, when any was chosen by a client.
    pub(crate) ids: Option<Section>,
    /// (hash, row) in order of the hash.
    pub(crate) id_table: Option<Section>,
    pub(crate) bloom: Option<Section>,
    pub(crate) columns: Vec<ColumnEntry>,
    pub(crate) texts: Vec<TextEntry>,
    pub(crate) source_blocks: Section,
    pub(crate) source_directory: Section,
}

/// The number of a column kind in files.
pub(crate) fn kind_code(kind: ColumnKind) -> u8 {
    match kind {
        ColumnKind::Long => 0,
        ColumnKind::Double => 1,
        ColumnKind::Bool => 2,
        ColumnKind::Date => 3,
        ColumnKind::Keyword => 4,
        ColumnKind::Ip => 5,
    }
}

/// The inverse of [`kind_code`].
pub(crate) fn kind_of(code: u8) -> Option<ColumnKind> {
    Some(match code {
        0 => ColumnKind::Long,
        1 => ColumnKind::Double,
        2 => ColumnKind::Bool,
        3 => ColumnKind::Date,
        4 => ColumnKind::Keyword,
        5 => ColumnKind::Ip,
        _ => return None,
    })
}

/// Encodes a column; terms must be sorted.
pub(crate) fn encode_column(values: &Values, offsets: Option<&[u32]>) -> Vec<u8> {
    let mut out = Vec::new();
    match offsets {
        None => out.push(0),
        Some(offsets) => {
            out.push(1);
            ints::encode_u32(&mut out, offsets);
        }
    }
    match values {
        Values::Integers(v) => ints::encode(&mut out, v),
        Values::Floats(v) => floats::encode(&mut out, v),
        Values::Terms { ords, terms, .. } => {
            ints::encode_u32(&mut out, ords);
            let all = (0..terms.len() as u32).map(|n| terms.get(n));
            terms::encode(&mut out, terms.len(), all);
        }
    }
    out
}

/// Puts a dictionary in byte order and renumbers.
pub(crate) fn sort_terms(values: Values, offsets: Option<&[u32]>) -> Values {
    let Values::Terms {
        mut ords,
        terms,
        sorted: false,
    } = values
    else {
        return values;
    };
    let mut order: Vec<u32> = (0..terms.len() as u32).collect();
    order.sort_unstable_by(|a, b| terms.get(*a).cmp(terms.get(*b)));
    let mut number = vec![0u32; order.len()];
    let mut sorted = terms::Terms::default();
    for (new, old) in order.iter().enumerate() {
        number[*old as usize] = new as u32;
        // Cannot overflow: the same bytes fitted before.
        let _ = sorted.append(terms.get(*old));
    }
    for ord in &mut ords {
        *ord = number[*ord as usize];
    }
    if let Some(offsets) = offsets {
        for pair in offsets.windows(2) {
            if pair[1] - pair[0] > 1 {
                ords[pair[0] as usize..pair[1] as usize].sort_unstable();
            }
        }
    }
    Values::Terms {
        ords,
        terms: sorted,
        sorted: true,
    }
}

/// Writes one segment file.
pub(crate) struct SegmentWriter {
    path: PathBuf,
    out: BufWriter<File>,
    at: u64,
    pub(crate) directory: Directory,
    source_index: Vec<u8>,
    source_count: u64,
    source_crc: crc32fast::Hasher,
    finished: bool,
}

impl SegmentWriter {
    /// Starts the file.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(256 * 1024, File::create(path)?);
        out.write_all(MAGIC)?;
        Ok(Self {
            path: path.into(),
            out,
            at: MAGIC.len() as u64,
            directory: Directory {
                source_blocks: Section {
                    offset: MAGIC.len() as u64,
                    len: 0,
                    crc: 0,
                },
                ..Directory::default()
            },
            source_index: Vec::new(),
            source_count: 0,
            source_crc: crc32fast::Hasher::new(),
            finished: false,
        })
    }

    /// Adds a source block; all of them come before any section.
    pub(crate) fn source_block(&mut self, block: &PackedBlock) -> io::Result<()> {
        put_varint(&mut self.source_index, u64::from(block.first_row));
        put_varint(&mut self.source_index, u64::from(block.raw_len));
        put_varint(&mut self.source_index, block.packed.len() as u64);
        put_varint(
            &mut self.source_index,
            u64::from(crc32fast::hash(&block.packed)),
        );
        self.source_count += 1;
        self.source_crc.update(&block.packed);
        self.out.write_all(&block.packed)?;
        self.at += block.packed.len() as u64;
        self.directory.source_blocks.len += block.packed.len() as u64;
        Ok(())
    }

    /// Ends the source blocks.
    pub(crate) fn sources_done(&mut self) -> io::Result<()> {
        let mut index = Vec::new();
        put_varint(&mut index, self.source_count);
        index.append(&mut self.source_index);
        self.directory.source_directory = self.section(&index)?;
        Ok(())
    }

    /// Writes a section.
    pub(crate) fn section(&mut self, bytes: &[u8]) -> io::Result<Section> {
        let section = Section {
            offset: self.at,
            len: bytes.len() as u64,
            crc: crc32fast::hash(bytes),
        };
        self.out.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(section)
    }

    /// Writes sequence numbers and versions.
    pub(crate) fn metas(&mut self, seqs: &[u64], versions: &[u64]) -> io::Result<()> {
        let wide = |values: &[u64]| {
            let mut out = Vec::new();
            ints::encode(
                &mut out,
                &values.iter().map(|v| *v as i64).collect::<Vec<_>>(),
            );
            out
        };
        self.directory.rows = seqs.len() as u32;
        self.directory.min_seq = seqs.iter().copied().min().unwrap_or(0);
        self.directory.max_seq = seqs.iter().copied().max().unwrap_or(0);
        self.directory.seq_rising = seqs.windows(2).all(|w| w[0] < w[1]);
        self.directory.seqs = self.section(&wide(seqs))?;
        if versions.iter().any(|v| *v != 1) {
            self.directory.versions = Some(self.section(&wide(versions))?);
        }
        Ok(())
    }

    /// Writes the ids of the rows; empty ones are the store's own. Later rows of an id win.
    pub(crate) fn ids<'a>(
        &mut self,
        ids_of_rows: impl Iterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        let mut blocks = Vec::new();
        let mut raw = Vec::new();
        let mut in_block = 0usize;
        let mut block_index = Vec::new();
        let mut table: Vec<(u64, u32)> = Vec::new();
        let mut flush = |raw: &mut Vec<u8>, blocks: &mut Vec<u8>| -> io::Result<()> {
            let packed = zstd::bulk::compress(raw, 3)?;
            put_varint(&mut block_index, raw.len() as u64);
            put_varint(&mut block_index, packed.len() as u64);
            blocks.extend_from_slice(&packed);
            raw.clear();
            Ok(())
        };
        for (row, id) in ids_of_rows.enumerate() {
            put_bytes(&mut raw, id);
            if !id.is_empty() {
                table.push((ids::hash(id), row as u32));
            }
            in_block += 1;
            if in_block == ID_BLOCK {
                flush(&mut raw, &mut blocks)?;
                in_block = 0;
            }
        }
        if in_block > 0 {
            flush(&mut raw, &mut blocks)?;
        }
        self.directory.explicit_ids = table.len() as u32;
        if table.is_empty() {
            return Ok(());
        }
        let mut section = Vec::new();
        put_bytes(&mut section, &block_index);
        section.extend_from_slice(&blocks);
        self.directory.ids = Some(self.section(&section)?);
        table.sort_unstable();
        let mut bloom = Bloom::new(table.len());
        let mut bytes = Vec::with_capacity(table.len() * 12);
        for (hash, row) in &table {
            bloom.add(*hash);
            bytes.extend_from_slice(&hash.to_le_bytes());
            bytes.extend_from_slice(&row.to_le_bytes());
        }
        self.directory.id_table = Some(self.section(&bytes)?);
        self.directory.bloom = Some(self.section(&bloom.to_bytes())?);
        Ok(())
    }

    /// Writes a column.
    pub(crate) fn column(
        &mut self,
        path: &str,
        kind: ColumnKind,
        values: &Values,
        offsets: Option<&[u32]>,
    ) -> io::Result<()> {
        let section = self.section(&encode_column(values, offsets))?;
        self.directory.columns.push(ColumnEntry {
            path: path.to_owned(),
            kind: kind_code(kind),
            section,
        });
        Ok(())
    }

    /// Starts a text field.
    pub(crate) fn text(&mut self) -> TextWriter {
        TextWriter {
            start: self.at,
            at: 0,
            block_start: 0,
            dictionary: TextDictionaryWriter::new(),
            crc: crc32fast::Hasher::new(),
        }
    }

    /// Adds a term of the text field; terms come in byte order, rows ascending and at least one.
    pub(crate) fn text_term(
        &mut self,
        text: &mut TextWriter,
        term: &[u8],
        rows: &[u32],
    ) -> io::Result<()> {
        let mut list = Vec::new();
        postings::encode(&mut list, rows);
        if text.dictionary.maybe_close(text.block_start) {
            text.block_start = text.at;
        }
        text.dictionary.push(term, list.len() as u64);
        text.crc.update(&list);
        self.out.write_all(&list)?;
        self.at += list.len() as u64;
        text.at += list.len() as u64;
        Ok(())
    }

    /// Ends the text field.
    pub(crate) fn text_done(
        &mut self,
        mut text: TextWriter,
        path: &str,
        rows_with_value: &[u32],
        term_count: u64,
    ) -> io::Result<()> {
        text.dictionary.close(text.block_start);
        let postings = Section {
            offset: text.start,
            len: text.at,
            crc: text.crc.finalize(),
        };
        let blocks = self.section(&text.dictionary.blocks)?;
        let index = self.section(&text.dictionary.index())?;
        let mut list = Vec::new();
        postings::encode(&mut list, rows_with_value);
        let rows = self.section(&list)?;
        self.directory.texts.push(TextEntry {
            path: path.to_owned(),
            postings,
            blocks,
            index,
            rows,
            row_count: rows_with_value.len() as u64,
            terms: term_count,
        });
        Ok(())
    }

    /// Writes the directory, syncs, and gives the file's length.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.directory.source_blocks.crc = self.source_crc.clone().finalize();
        let json = serde_json::to_vec(&self.directory).map_err(io::Error::other)?;
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&zstd::bulk::compress(&json, 3)?);
        self.out.write_all(&bytes)?;
        self.out.write_all(&(bytes.len() as u32).to_le_bytes())?;
        self.out.write_all(&crc32fast::hash(&bytes).to_le_bytes())?;
        self.out.write_all(MAGIC)?;
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        self.finished = true;
        Ok(self.at + (bytes.len() + TRAILER) as u64)
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        if !self.finished {
            // Half a segment is of no use; the room may be what is missing.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A text field being written.
pub(crate) struct TextWriter {
    start: u64,
    at: u64,
    block_start: u64,
    dictionary: TextDictionaryWriter,
    crc: crc32fast::Hasher,
}

/// Writes fresh rows as a segment. They are no longer appended to, but may still be deleted: the lock
/// is held for one part at a time.
pub(crate) fn write_fresh(path: &Path, fresh: &Fresh) -> io::Result<u64> {
    let mut writer = SegmentWriter::create(path)?;
    fresh.write().source.close()?;
    {
        let rows = fresh.read();
        for block in rows.source.blocks() {
            writer.source_block(block)?;
        }
        writer.sources_done()?;
        writer.metas(&rows.seqs, &rows.versions)?;
        if rows.explicit_ids > 0 {
            writer.ids((0..rows.len()).map(|row| rows.explicit_id(row)))?;
        }
    }
    let (mut columns, mut texts): (Vec<String>, Vec<String>) = {
        let rows = fresh.read();
        (
            rows.columns.keys().cloned().collect(),
            rows.texts.keys().cloned().collect(),
        )
    };
    columns.sort_unstable();
    texts.sort_unstable();
    for path in &columns {
        let rows = fresh.read();
        let Some(builder) = rows.columns.get(path) else {
            continue;
        };
        let kind = builder.kind();
        let (values, offsets) = builder.freeze(rows.len());
        drop(rows);
        let values = sort_terms(values, offsets.as_deref());
        writer.column(path, kind, &values, offsets.as_deref())?;
    }
    for path in &texts {
        let rows = fresh.read();
        let Some(text) = rows.texts.get(path) else {
            continue;
        };
        let mut out = writer.text();
        for id in text.set().sorted() {
            writer.text_term(&mut out, text.set().terms().get(id), text.posting(id))?;
        }
        writer.text_done(out, path, text.rows(), text.term_count())?;
    }
    writer.finish()
}
