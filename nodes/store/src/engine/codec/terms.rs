//! Sorted term dictionaries: front-coded, for keyword columns as one list read whole, for text as
//! blocks that are compressed and looked up singly.
//!
//! Invariant: terms are unique and in byte order, so a term's number is its rank.

use super::{CodecError, Reader, put_bytes, put_varint};

/// Raw bytes of a text dictionary block before compression.
const TEXT_BLOCK: usize = 16 * 1024;
/// The most that a block may unpack to: one term over the target is possible, terms are bounded.
const TEXT_BLOCK_MAX: usize = TEXT_BLOCK + 80 * 1024;
/// Longest term that is indexed; the tokenizer cuts before, this guards the format.
pub(crate) const MAX_TERM: usize = 32_766;

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// Appends sorted terms, front-coded and compressed as a whole.
pub(crate) fn encode<'a>(out: &mut Vec<u8>, count: usize, terms: impl Iterator<Item = &'a [u8]>) {
    let mut raw = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    for term in terms {
        let shared = shared_prefix(&last, term);
        put_varint(&mut raw, shared as u64);
        put_bytes(&mut raw, &term[shared..]);
        last.clear();
        last.extend_from_slice(term);
    }
    put_varint(out, count as u64);
    put_varint(out, raw.len() as u64);
    let packed = zstd::bulk::compress(&raw, 3).unwrap_or_default();
    put_bytes(out, &packed);
}

/// A dictionary in memory: all terms end to end.
#[derive(Debug, Default, Clone)]
pub(crate) struct Terms {
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Terms {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The term with this number; empty when there is none.
    pub(crate) fn get(&self, id: u32) -> &[u8] {
        let i = id as usize;
        let Some(&end) = self.ends.get(i) else {
            return &[];
        };
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.bytes[start as usize..end as usize]
    }

    /// The number of a term.
    pub(crate) fn find(&self, term: &[u8]) -> Option<u32> {
        let at = self.lower_bound(term);
        (at < self.len() && self.get(at as u32) == term).then_some(at as u32)
    }

    /// How many terms are before `term`.
    pub(crate) fn lower_bound(&self, term: &[u8]) -> usize {
        let (mut low, mut high) = (0usize, self.len());
        while low < high {
            let mid = (low + high) / 2;
            if self.get(mid as u32) < term {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        low
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * 4
    }

    /// Adds a term behind the others; `None` when 4 GiB are held.
    pub(crate) fn append(&mut self, term: &[u8]) -> Option<()> {
        let end = u32::try_from(self.bytes.len() + term.len()).ok()?;
        self.bytes.extend_from_slice(term);
        self.ends.push(end);
        Some(())
    }

    /// Adds a term that shares `shared` bytes with the one before.
    fn push(&mut self, shared: usize, rest: &[u8]) -> Result<(), CodecError> {
        let last_end = self.ends.last().map_or(0, |e| *e as usize);
        let start = self
            .ends
            .len()
            .checked_sub(2)
            .map_or(0, |i| self.ends[i] as usize);
        if shared > last_end - start {
            return Err(CodecError("term prefix out of range"));
        }
        self.bytes.extend_from_within(start..start + shared);
        self.bytes.extend_from_slice(rest);
        let end =
            u32::try_from(self.bytes.len()).map_err(|_| CodecError("dictionary too large"))?;
        self.ends.push(end);
        Ok(())
    }
}

/// Reads a dictionary written by [`encode`].
pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Terms, CodecError> {
    let count = reader.count(super::ints::MAX_VALUES)?;
    let raw_len = reader.count(1 << 31)?;
    let raw = zstd::bulk::decompress(reader.bytes()?, raw_len)
        .map_err(|_| CodecError("dictionary does not unpack"))?;
    let mut inner = Reader::new(&raw);
    let mut terms = Terms::default();
    for _ in 0..count {
        let shared = inner.count(MAX_TERM * 4)?;
        let rest = inner.bytes()?;
        terms.push(shared, rest)?;
    }
    Ok(terms)
}

/// Writes a text dictionary: (term, posting list bytes) in term order.
pub(crate) struct TextDictionaryWriter {
    /// Compressed blocks, end to end.
    pub(crate) blocks: Vec<u8>,
    index: Vec<u8>,
    block_count: u64,
    raw: Vec<u8>,
    first: Vec<u8>,
    last: Vec<u8>,
}

impl TextDictionaryWriter {
    pub(crate) fn new() -> Self {
        Self {
            blocks: Vec::new(),
            index: Vec::new(),
            block_count: 0,
            raw: Vec::new(),
            first: Vec::new(),
            last: Vec::new(),
        }
    }

    /// Adds a term whose posting list lies at `offset` with `len` bytes.
    pub(crate) fn push(&mut self, term: &[u8], len: u64) {
        if self.raw.is_empty() {
            self.first = term.to_vec();
            self.last.clear();
        }
        let shared = shared_prefix(&self.last, term);
        put_varint(&mut self.raw, shared as u64);
        put_bytes(&mut self.raw, &term[shared..]);
        put_varint(&mut self.raw, len);
        self.last.clear();
        self.last.extend_from_slice(term);
    }

    /// Closes the block when it is full; `posting_end` is the offset after the last list so far.
    pub(crate) fn maybe_close(&mut self, posting_start: u64) -> bool {
        if self.raw.len() < TEXT_BLOCK {
            return false;
        }
        self.close(posting_start);
        true
    }

    /// Closes the block whose first posting list starts at `posting_start`.
    pub(crate) fn close(&mut self, posting_start: u64) {
        if self.raw.is_empty() {
            return;
        }
        let packed = zstd::bulk::compress(&self.raw, 1).unwrap_or_default();
        put_bytes(&mut self.index, &self.first);
        put_varint(&mut self.index, posting_start);
        put_varint(&mut self.index, packed.len() as u64);
        self.blocks.extend_from_slice(&packed);
        self.block_count += 1;
        self.raw.clear();
    }

    /// The index of the blocks; call after the last [`Self::close`].
    pub(crate) fn index(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.index.len() + 8);
        put_varint(&mut out, self.block_count);
        out.extend_from_slice(&self.index);
        out
    }
}

/// Where the blocks of a text dictionary lie, held in memory.
#[derive(Debug, Default)]
pub(crate) struct TextIndex {
    blocks: Vec<TextBlock>,
}

/// One block of a text dictionary.
#[derive(Debug)]
pub(crate) struct TextBlock {
    first: Box<[u8]>,
    /// Offset of the first posting list.
    pub(crate) postings: u64,
    /// Offset of the compressed block.
    pub(crate) offset: u64,
    /// Its compressed length.
    pub(crate) len: usize,
}

impl TextIndex {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let count = reader.count(bytes.len())?;
        let mut blocks = Vec::with_capacity(count);
        let mut offset = 0u64;
        for _ in 0..count {
            let first = reader.bytes()?.into();
            let postings = reader.varint()?;
            let len = reader.count(TEXT_BLOCK_MAX * 2)?;
            blocks.push(TextBlock {
                first,
                postings,
                offset,
                len,
            });
            offset += len as u64;
        }
        Ok(Self { blocks })
    }

    /// The blocks in term order.
    pub(crate) fn blocks(&self) -> &[TextBlock] {
        &self.blocks
    }

    /// The number of the block that would hold `term`.
    pub(crate) fn block_of(&self, term: &[u8]) -> Option<usize> {
        self.blocks
            .partition_point(|b| &*b.first <= term)
            .checked_sub(1)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.blocks
            .iter()
            .map(|b| b.first.len() + size_of::<TextBlock>())
            .sum()
    }
}

/// Calls `each(term, posting_offset, posting_len)` for the terms of a block until it answers false.
pub(crate) fn scan_text_block(
    packed: &[u8],
    postings: u64,
    mut each: impl FnMut(&[u8], u64, u64) -> bool,
) -> Result<(), CodecError> {
    let raw = zstd::bulk::decompress(packed, TEXT_BLOCK_MAX)
        .map_err(|_| CodecError("dictionary block does not unpack"))?;
    let mut reader = Reader::new(&raw);
    let mut term: Vec<u8> = Vec::new();
    let mut at = postings;
    while !reader.is_empty() {
        let shared = reader.count(term.len())?;
        let rest = reader.bytes()?;
        term.truncate(shared);
        term.extend_from_slice(rest);
        let len = reader.varint()?;
        if !each(&term, at, len) {
            return Ok(());
        }
        at = at.saturating_add(len);
    }
    Ok(())
}
