//! Log entries as sled values: cut into chunks so small that no page of sled ever becomes a blob file.
//!
//! A leaf of sled holds up to 19 values and is written as one page; a page over 128 KiB goes to a blob file, which sled
//! never syncs, so a limit on the single value is not enough (values of 60 KB were seen to end there). The first chunk
//! begins with the entry's length, so a missing chunk is noticed.
//! Not here: when something is written or removed (`sled_store.rs`).

use raft::eraftpb::Entry;
use raft_prost::Message as _;
use sled::{Batch, Db};

use super::StoreError;

const ENTRY_PREFIX: u8 = 0xe0;
const CHUNK_BYTES: usize = 6_000;

fn database(error: sled::Error) -> StoreError {
    StoreError::Database(error.to_string())
}

/// The key of one chunk of an entry; big endian, so that sled's order is the log's.
pub(super) fn entry_key(index: u64, chunk: u16) -> [u8; 11] {
    let mut key = [0; 11];
    key[0] = ENTRY_PREFIX;
    key[1..9].copy_from_slice(&index.to_be_bytes());
    key[9..].copy_from_slice(&chunk.to_be_bytes());
    key
}

fn parse_key(key: &[u8]) -> Option<(u64, u16)> {
    if key.len() != 11 || key[0] != ENTRY_PREFIX {
        return None;
    }
    Some((
        u64::from_be_bytes(key[1..9].try_into().ok()?),
        u16::from_be_bytes(key[9..].try_into().ok()?),
    ))
}

/// Adds an entry to a batch.
pub(super) fn put_entry(batch: &mut Batch, entry: &Entry) -> Result<(), StoreError> {
    let encoded = entry.encode_to_vec();
    if encoded.len() > CHUNK_BYTES * usize::from(u16::MAX) {
        return Err(StoreError::Damaged(format!(
            "entry {} of {} bytes is too large",
            entry.index,
            encoded.len()
        )));
    }
    let mut value = (encoded.len() as u32).to_be_bytes().to_vec();
    let mut chunks = encoded.chunks(CHUNK_BYTES);
    value.extend_from_slice(chunks.next().unwrap_or_default());
    batch.insert(&entry_key(entry.index, 0), value);
    for (number, chunk) in (1u16..).zip(chunks) {
        batch.insert(&entry_key(entry.index, number), chunk);
    }
    Ok(())
}

/// Walks the stored entries in order and puts chunks together again.
pub(super) struct EntryCursor {
    range: std::iter::Peekable<sled::Iter>,
}

impl EntryCursor {
    pub(super) fn new(db: &Db, low: u64, high: u64) -> EntryCursor {
        let range = db.range(entry_key(low, 0)..=entry_key(high, u16::MAX));
        EntryCursor {
            range: range.peekable(),
        }
    }

    /// The next entry and the number of its chunks.
    pub(super) fn next_entry(&mut self) -> Result<Option<(Entry, u16)>, StoreError> {
        let Some(first) = self.range.next() else {
            return Ok(None);
        };
        let (key, value) = first.map_err(database)?;
        let broken = |what: &str| StoreError::Damaged(format!("{what} in the raft log"));
        let (index, chunk) = parse_key(&key).ok_or_else(|| broken("a foreign key"))?;
        if chunk != 0 {
            return Err(broken("an entry without its beginning"));
        }
        let length = value
            .get(..4)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_be_bytes)
            .ok_or_else(|| broken("an entry without its length"))? as usize;
        let mut encoded = value[4..].to_vec();
        let mut chunks = 1u16;
        while encoded.len() < length {
            let Some(Ok((next, value))) = self.range.next() else {
                return Err(broken("an entry without its end"));
            };
            if parse_key(&next) != Some((index, chunks)) {
                return Err(broken("an entry with a hole"));
            }
            encoded.extend_from_slice(&value);
            chunks += 1;
        }
        if encoded.len() != length {
            return Err(broken("an entry that is too long"));
        }
        let entry = Entry::decode(encoded.as_slice())
            .map_err(|_| broken("an entry that does not decode"))?;
        if entry.index != index {
            return Err(broken("an entry under a wrong key"));
        }
        Ok(Some((entry, chunks)))
    }
}
