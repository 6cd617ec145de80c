//! Reads the journal files of systemd: which entries belong to some units, and what is in them.
//!
//! Written by the format's description, "Journal File Format". Invariants: any bytes are survived;
//! whatever a file says of sizes and places is checked, work and memory are bounded by constants and
//! not by the file; only what the writer has linked up is looked at, so that a file can be read while
//! it is written. Not here: opening files, following them, where reading goes on (`wharf-collectors`),
//! an entry's document (`log::journald`).

mod chain;
mod entry;
mod payload;

pub use chain::{Units, all_after};
pub use entry::{Entry, Field, entry};

/// So many bytes are the least that a journal file has: the header of its first version.
pub const LEAST_FILE_BYTES: u64 = 208;

const SIGNATURE: &[u8; 8] = b"LPKSHHRH";
const COMPACT: u32 = 1 << 4;
/// Compressed by xz, LZ4 or Zstandard, with keyed hashes, compact.
const KNOWN_FEATURES: u32 = 0b1_1111;
const ARCHIVED: u8 = 2;

/// A journal file's bytes.
pub trait Bytes {
    /// Fills `into` from `offset` on and says how many bytes there were: fewer when the file ends,
    /// or cannot be read there.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> usize;
}

impl Bytes for [u8] {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> usize {
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let there = self.get(from..).unwrap_or_default();
        let count = there.len().min(into.len());
        into[..count].copy_from_slice(&there[..count]);
        count
    }
}

/// Why a journal file, or something in it, cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournaldError {
    /// Something else.
    #[error("it is no journal file of systemd")]
    NotAJournal,
    /// Written by a systemd that is newer than this reader.
    #[error("it has features that are not known here (flags {0:#x}); a newer version may read it")]
    UnknownFeatures(u32),
    /// Its structure is broken, as after a crash of the machine.
    #[error("it is damaged at byte {offset}: {what}")]
    Damaged {
        /// Where.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
}

fn damaged(offset: u64, what: &'static str) -> JournaldError {
    JournaldError::Damaged { offset, what }
}

/// What a journal file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The file's own id, whatever its name is.
    pub file_id: [u8; 16],
    /// The writer's numbering, shared by all the files that it wrote.
    pub seqnum_id: [u8; 16],
    /// Nothing will be written to it any more.
    pub is_archived: bool,
    /// How many entries it has.
    pub entries: u64,
    /// Where its last object is.
    pub tail_object: u64,
    /// When its first entry was written, in microseconds since the epoch.
    pub head_realtime_us: u64,
    entry_array: u64,
    field_table: (u64, u64),
    is_compact: bool,
}

/// Reads a file's header.
///
/// # Errors
/// When it is no journal file, or one of a newer kind.
pub fn header(file: &(impl Bytes + ?Sized)) -> Result<Header, JournaldError> {
    let mut raw = [0; LEAST_FILE_BYTES as usize];
    if file.read_at(0, &mut raw) < raw.len() || &raw[..8] != SIGNATURE {
        return Err(JournaldError::NotAJournal);
    }
    let unknown = u32_at(&raw, 12) & !KNOWN_FEATURES;
    if unknown != 0 {
        return Err(JournaldError::UnknownFeatures(unknown));
    }
    Ok(Header {
        file_id: id_at(&raw, 24),
        seqnum_id: id_at(&raw, 72),
        is_archived: raw[16] == ARCHIVED,
        entries: u64_at(&raw, 152),
        tail_object: u64_at(&raw, 136),
        head_realtime_us: u64_at(&raw, 184),
        entry_array: u64_at(&raw, 176),
        field_table: (u64_at(&raw, 120), u64_at(&raw, 128)),
        is_compact: u32_at(&raw, 12) & COMPACT != 0,
    })
}

/// What an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data = 1,
    Field = 2,
    Entry = 3,
    EntryArray = 6,
}

/// The start of every object: its flags and its whole size. `raw` begins at the object.
fn object(raw: &[u8], offset: u64, kind: Kind, least: usize) -> Result<(u8, u64), JournaldError> {
    // Objects stand at multiples of eight.
    if !offset.is_multiple_of(8) || offset < LEAST_FILE_BYTES || raw.len() < least {
        return Err(damaged(offset, "nothing can be there"));
    }
    if raw[0] != kind as u8 {
        return Err(damaged(offset, "another object is there"));
    }
    let bytes = u64_at(raw, 8);
    if bytes < least as u64 {
        return Err(damaged(offset, "it is smaller than its own head"));
    }
    Ok((raw[1], bytes))
}

/// Zero where the bytes end, as everything behind them is.
fn u64_at(raw: &[u8], at: usize) -> u64 {
    let bytes = raw.get(at..).and_then(<[u8]>::first_chunk::<8>);
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn u32_at(raw: &[u8], at: usize) -> u32 {
    let bytes = raw.get(at..).and_then(<[u8]>::first_chunk::<4>);
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn id_at(raw: &[u8], at: usize) -> [u8; 16] {
    let bytes = raw.get(at..).and_then(<[u8]>::first_chunk::<16>);
    bytes.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
