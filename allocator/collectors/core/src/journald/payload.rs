//! The payload of a DATA object: `NAME=value`, plain or compressed.
//!
//! Invariants: what comes out has a limit whatever goes in; a payload that cannot be had is a reason,
//! not an error, because the rest of its entry still counts.
//! Not here: which objects an entry has.

use std::io::Read as _;

use super::{Bytes, Header, JournaldError, Kind, damaged, object, u64_at};

/// The most bytes of one field, name included; more is left out.
pub(super) const MAX_FIELD_BYTES: usize = 1024 * 1024;

/// A decoder's window has at most two to the power of this many bytes.
const MAX_WINDOW_LOG: u32 = 23;

/// Read at once; most objects are smaller.
const FIRST_BYTES: usize = 512;

const XZ: u8 = 1;
const LZ4: u8 = 2;
const ZSTD: u8 = 4;

/// A payload, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    Whole(Vec<u8>),
    /// Its first [`MAX_FIELD_BYTES`].
    Cut(Vec<u8>),
    Unread(&'static str),
}

/// A DATA object.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) next_of_field: u64,
    pub(super) first_entry: u64,
    pub(super) entry_array: u64,
    pub(super) entries: u64,
    pub(super) payload: Payload,
}

/// Reads a DATA object.
pub(super) fn data(
    file: &(impl Bytes + ?Sized),
    header: &Header,
    offset: u64,
) -> Result<Data, JournaldError> {
    let mut first = [0; FIRST_BYTES];
    let read = file.read_at(offset, &mut first);
    let first = &first[..read];
    let head = if header.is_compact { 72 } else { 64 };
    let (flags, bytes) = object(first, offset, Kind::Data, head)?;
    let payload_bytes = bytes - head as u64;
    let wanted =
        usize::try_from(payload_bytes).map_or(MAX_FIELD_BYTES, |bytes| bytes.min(MAX_FIELD_BYTES));
    let mut stored = first[head..].to_vec();
    stored.truncate(wanted);
    let missing = wanted - stored.len();
    if missing > 0 {
        // In steps, so that a size that is made up does not claim memory that is not needed.
        let mut step = [0; 16 * 1024];
        while stored.len() < wanted {
            let want = step.len().min(wanted - stored.len());
            let at = offset + (head + stored.len()) as u64;
            match file.read_at(at, &mut step[..want]) {
                0 => return Err(damaged(offset, "its payload ends early")),
                read => stored.extend_from_slice(&step[..read]),
            }
        }
    }
    let is_cut = payload_bytes > wanted as u64;
    let payload = match flags & (XZ | LZ4 | ZSTD) {
        0 if is_cut => Payload::Cut(stored),
        0 => Payload::Whole(stored),
        _ if is_cut => Payload::Unread("a compressed field is larger than what is read"),
        ZSTD => unzstd(&stored),
        LZ4 => unlz4(&stored),
        XZ => Payload::Unread("a field is compressed by xz, which is not read"),
        _ => return Err(damaged(offset, "it is compressed in several ways")),
    };
    Ok(Data {
        next_of_field: u64_at(first, 32),
        first_entry: u64_at(first, 40),
        entry_array: u64_at(first, 48),
        entries: u64_at(first, 56),
        payload,
    })
}

fn unzstd(stored: &[u8]) -> Payload {
    let unread = Payload::Unread("a field compressed by Zstandard is damaged");
    let Ok(mut decoder) = zstd::stream::read::Decoder::with_buffer(stored) else {
        return unread;
    };
    if decoder.window_log_max(MAX_WINDOW_LOG).is_err() {
        return unread;
    }
    let mut out = Vec::new();
    let mut limited = decoder.single_frame().take(MAX_FIELD_BYTES as u64 + 1);
    if limited.read_to_end(&mut out).is_err() {
        return unread;
    }
    if out.len() > MAX_FIELD_BYTES {
        out.truncate(MAX_FIELD_BYTES);
        return Payload::Cut(out);
    }
    Payload::Whole(out)
}

/// The uncompressed size, then one block.
fn unlz4(stored: &[u8]) -> Payload {
    let bytes = u64_at(stored, 0);
    let Some(bytes) = usize::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= MAX_FIELD_BYTES)
    else {
        return Payload::Unread("a compressed field is larger than what is read");
    };
    let mut out = vec![0; bytes];
    match lz4_flex::block::decompress_into(stored.get(8..).unwrap_or_default(), &mut out) {
        Ok(written) if written == bytes => Payload::Whole(out),
        _ => Payload::Unread("a field compressed by LZ4 is damaged"),
    }
}
