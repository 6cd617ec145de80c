//! Source blocks: the documents as they came, about 48 KiB of them compressed together.
//!
//! Fresh rows and sealed segments share the form: a block that a memtable has closed is copied into
//! the segment as it is. Invariant: blocks are in row order and no document spans two.
//! Not here: where blocks lie in a file (`layout`), the cache (`cache`).

use super::codec::{CodecError, Reader, put_varint};

/// Raw bytes after which a block is closed.
pub(crate) const BLOCK_BYTES: usize = 48 * 1024;
/// What a block may unpack to: one document of the largest size over the target.
pub(crate) const BLOCK_MAX: usize = 160 * 1024 * 1024;
const LEVEL: i32 = 3;

/// One closed block.
#[derive(Debug, Clone)]
pub(crate) struct PackedBlock {
    /// The first row in it.
    pub(crate) first_row: u32,
    /// Its length when unpacked.
    pub(crate) raw_len: u32,
    /// The compressed bytes.
    pub(crate) packed: Box<[u8]>,
}

/// An unpacked block.
#[derive(Debug)]
pub(crate) struct RawBlock {
    starts: Vec<u32>,
    bytes: Vec<u8>,
}

impl RawBlock {
    /// Unpacks; `raw_len` comes from the directory and is checked.
    pub(crate) fn unpack(packed: &[u8], raw_len: usize) -> Result<Self, CodecError> {
        if raw_len > BLOCK_MAX {
            return Err(CodecError("source block too large"));
        }
        let bytes = zstd::bulk::decompress(packed, raw_len)
            .map_err(|_| CodecError("source block does not unpack"))?;
        let mut reader = Reader::new(&bytes);
        let count = reader.count(bytes.len())?;
        let mut starts = Vec::with_capacity(count + 1);
        let mut at = 0u64;
        let mut lengths = Vec::with_capacity(count);
        for _ in 0..count {
            lengths.push(reader.count(bytes.len())? as u64);
        }
        let base = (bytes.len() - reader.left()) as u64;
        starts.push(base as u32);
        for len in lengths {
            at += len;
            starts.push((base + at) as u32);
        }
        if base + at != bytes.len() as u64 {
            return Err(CodecError("source block has a wrong length"));
        }
        Ok(Self { starts, bytes })
    }

    /// The document at this place in the block.
    pub(crate) fn get(&self, at: usize) -> Option<&[u8]> {
        let (start, end) = (*self.starts.get(at)?, *self.starts.get(at + 1)?);
        self.bytes.get(start as usize..end as usize)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.starts.capacity() * 4
    }
}

/// Collects documents into blocks.
pub(crate) struct SourceWriter {
    blocks: Vec<PackedBlock>,
    packed_bytes: usize,
    open: Vec<u8>,
    open_lengths: Vec<u32>,
    next_row: u32,
    compressor: zstd::bulk::Compressor<'static>,
}

impl SourceWriter {
    pub(crate) fn new() -> Result<Self, std::io::Error> {
        Ok(Self {
            blocks: Vec::new(),
            packed_bytes: 0,
            open: Vec::new(),
            open_lengths: Vec::new(),
            next_row: 0,
            compressor: zstd::bulk::Compressor::new(LEVEL)?,
        })
    }

    /// Adds the next row's document.
    pub(crate) fn push(&mut self, document: &[u8]) -> Result<(), std::io::Error> {
        self.open.extend_from_slice(document);
        self.open_lengths.push(document.len() as u32);
        self.next_row += 1;
        if self.open.len() >= BLOCK_BYTES {
            self.close()?;
        }
        Ok(())
    }

    /// Closes the open block.
    pub(crate) fn close(&mut self) -> Result<(), std::io::Error> {
        if self.open_lengths.is_empty() {
            return Ok(());
        }
        let mut raw = Vec::with_capacity(self.open.len() + self.open_lengths.len() * 3 + 4);
        put_varint(&mut raw, self.open_lengths.len() as u64);
        for len in &self.open_lengths {
            put_varint(&mut raw, u64::from(*len));
        }
        raw.extend_from_slice(&self.open);
        let packed = self.compressor.compress(&raw)?.into_boxed_slice();
        self.packed_bytes += packed.len();
        self.blocks.push(PackedBlock {
            first_row: self.next_row - self.open_lengths.len() as u32,
            raw_len: raw.len() as u32,
            packed,
        });
        self.open.clear();
        self.open_lengths.clear();
        Ok(())
    }

    /// The closed blocks.
    pub(crate) fn blocks(&self) -> &[PackedBlock] {
        &self.blocks
    }

    /// Takes the closed blocks away, for writers that do not read them again.
    pub(crate) fn take_blocks(&mut self) -> Vec<PackedBlock> {
        self.packed_bytes = 0;
        std::mem::take(&mut self.blocks)
    }

    /// Leaves out `rows` rows whose block comes from elsewhere; the open block is closed before.
    pub(crate) fn skip(&mut self, rows: u32) -> Result<(), std::io::Error> {
        self.close()?;
        self.next_row += rows;
        Ok(())
    }

    /// Where a row's document is.
    pub(crate) fn locate(&self, row: u32) -> Place<'_> {
        let closed = self.next_row - self.open_lengths.len() as u32;
        if row >= closed {
            let at = (row - closed) as usize;
            if at >= self.open_lengths.len() {
                return Place::Missing;
            }
            let start: usize = self.open_lengths[..at].iter().map(|l| *l as usize).sum();
            return Place::Open(&self.open[start..start + self.open_lengths[at] as usize]);
        }
        let block = self.blocks.partition_point(|b| b.first_row <= row) - 1;
        Place::Block(block, (row - self.blocks[block].first_row) as usize)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.packed_bytes + self.open.capacity() + self.blocks.len() * size_of::<PackedBlock>()
    }
}

/// Where a fresh document is.
pub(crate) enum Place<'a> {
    /// In the block that is still open.
    Open(&'a [u8]),
    /// In a closed block, at this place.
    Block(usize, usize),
    /// No such row.
    Missing,
}
