//! The bytes of a journal: segment header and frame, encoded, decoded and found again after damage.
//!
//! Invariants: everything little endian. A frame's checksum covers its header and its stored payload, so
//! a frame that decodes is whole and belongs to the sequence number that it names. Every frame also
//! names how far the journal was durable when it was written; recovery uses that to tell a torn tail
//! (never acknowledged) from damage (acknowledged, then lost). Not here: files.

use bytes::Bytes;

/// Bytes of a segment header.
pub(crate) const SEGMENT_HEADER: usize = 24;
/// Bytes of a frame header.
pub(crate) const FRAME_HEADER: usize = 32;
/// Largest payload of one record, before compression.
pub const MAX_RECORD_BYTES: usize = 64 * 1024 * 1024;

const SEGMENT_MAGIC: &[u8; 8] = b"WHARFJ01";
const FRAME_MAGIC: [u8; 3] = [0xF5, b'W', b'j'];
const FLAG_ZSTD: u8 = 1;
/// Below this, compression costs more than it saves.
const COMPRESS_FROM: usize = 256;
/// Bytes that are checked in vain while looking for a whole frame behind damage.
const RESYNCHRONISE_BYTES: u64 = 4 << 30;

/// The header of a segment whose first record has this sequence number.
pub(crate) fn segment_header(first_seq: u64) -> [u8; SEGMENT_HEADER] {
    let mut out = [0; SEGMENT_HEADER];
    out[..8].copy_from_slice(SEGMENT_MAGIC);
    out[8..16].copy_from_slice(&first_seq.to_le_bytes());
    let crc = crc32fast::hash(&out[..16]);
    out[16..20].copy_from_slice(&crc.to_le_bytes());
    out
}

/// The first sequence number that a whole segment header names.
pub(crate) fn parse_segment_header(bytes: &[u8]) -> Option<u64> {
    let header = bytes.get(..SEGMENT_HEADER)?;
    let crc = u32_at(header, 16)?;
    (header[..8] == *SEGMENT_MAGIC && crc32fast::hash(&header[..16]) == crc)
        .then(|| u64_at(header, 8))?
}

/// A decoded frame header. The payload has not been looked at yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) seq: u64,
    /// Every record before this one was durable when the frame was written.
    pub(crate) durable: u64,
    pub(crate) stored_len: u32,
    pub(crate) raw_len: u32,
    flags: u8,
    crc: u32,
}

impl FrameHeader {
    /// Reads a header that could be one: right magic, known flags, lengths in bounds.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let header = bytes.get(..FRAME_HEADER)?;
        let flags = header[3];
        let parsed = Self {
            flags,
            stored_len: u32_at(header, 4)?,
            raw_len: u32_at(header, 8)?,
            crc: u32_at(header, 12)?,
            seq: u64_at(header, 16)?,
            durable: u64_at(header, 24)?,
        };
        let known = header[..3] == FRAME_MAGIC && flags & !FLAG_ZSTD == 0;
        let bounded = parsed.raw_len as usize <= MAX_RECORD_BYTES
            && parsed.stored_len <= parsed.raw_len
            && parsed.durable <= parsed.seq;
        (known && bounded).then_some(parsed)
    }

    /// Whether `payload` is what was written with this header (`header` its raw bytes).
    pub(crate) fn matches(&self, header: &[u8], payload: &[u8]) -> bool {
        payload.len() == self.stored_len as usize && checksum(header, payload) == self.crc
    }

    /// Bytes of the whole frame in the file.
    pub(crate) fn frame_len(&self) -> u64 {
        FRAME_HEADER as u64 + u64::from(self.stored_len)
    }

    /// The record from its checked payload; `None` when decompression does not give `raw_len` bytes.
    pub(crate) fn record(&self, payload: Vec<u8>) -> Option<Bytes> {
        if self.flags & FLAG_ZSTD == 0 {
            return (payload.len() == self.raw_len as usize).then(|| payload.into());
        }
        let raw = zstd::bulk::decompress(&payload, self.raw_len as usize).ok()?;
        (raw.len() == self.raw_len as usize).then(|| raw.into())
    }
}

/// Appends the frame of one record to `out`. The caller has checked [`MAX_RECORD_BYTES`].
pub(crate) fn encode(out: &mut Vec<u8>, seq: u64, durable: u64, record: &[u8], compress: bool) {
    let packed = (compress && record.len() >= COMPRESS_FROM)
        .then(|| zstd::bulk::compress(record, 1).ok())
        .flatten()
        .filter(|packed| packed.len() < record.len());
    let (flags, stored) = match &packed {
        Some(packed) => (FLAG_ZSTD, packed.as_slice()),
        None => (0, record),
    };
    let start = out.len();
    out.extend_from_slice(&FRAME_MAGIC);
    out.push(flags);
    out.extend_from_slice(&(stored.len() as u32).to_le_bytes());
    out.extend_from_slice(&(record.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&durable.to_le_bytes());
    let crc = checksum(&out[start..], stored);
    out[start + 12..start + 16].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(stored);
}

/// The header of the whole frame at `at`, when it is one of a record at or after `at_least`.
pub(crate) fn whole_at(bytes: &[u8], at: usize, at_least: u64) -> Option<FrameHeader> {
    let rest = bytes.get(at..)?;
    let header = FrameHeader::parse(rest).filter(|header| header.seq >= at_least)?;
    let payload = rest.get(FRAME_HEADER..usize::try_from(header.frame_len()).ok()?)?;
    header
        .matches(&rest[..FRAME_HEADER], payload)
        .then_some(header)
}

/// The first whole frame at or after `from` of a record at or after `at_least`, behind damage.
pub(crate) fn resynchronise(
    bytes: &[u8],
    from: usize,
    at_least: u64,
) -> Option<(usize, FrameHeader)> {
    let mut at = from;
    let mut checked = 0;
    loop {
        let rest = bytes.get(at..)?;
        at += rest
            .windows(FRAME_MAGIC.len())
            .position(|window| window == FRAME_MAGIC)?;
        // Records may hold what looks like headers; without a bound each costs a checksum of all that
        // follows.
        checked += FrameHeader::parse(&bytes[at..]).map_or(0, |header| header.frame_len());
        if let Some(header) = whole_at(bytes, at, at_least) {
            return Some((at, header));
        }
        if checked > RESYNCHRONISE_BYTES {
            return None;
        }
        at += 1;
    }
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..12]);
    hasher.update(&header[16..FRAME_HEADER]);
    hasher.update(payload);
    hasher.finalize()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> Option<(FrameHeader, Bytes)> {
        let header = FrameHeader::parse(bytes)?;
        let payload = bytes.get(FRAME_HEADER..header.frame_len() as usize)?;
        if !header.matches(&bytes[..FRAME_HEADER], payload) {
            return None;
        }
        Some((header, header.record(payload.to_vec())?))
    }

    proptest! {
        #[test]
        fn a_frame_decodes_to_what_was_encoded(
            record in prop::collection::vec(0u8..4, 0..2_000), seq in 5u64.., compress: bool,
        ) {
            let mut out = Vec::new();
            encode(&mut out, seq, seq - 5, &record, compress);
            let (header, decoded) = decode(&out).unwrap();
            prop_assert_eq!((header.seq, header.durable), (seq, seq - 5));
            prop_assert_eq!(&decoded[..], &record[..]);
            prop_assert_eq!(header.frame_len(), out.len() as u64);
        }

        #[test]
        fn a_flipped_bit_is_always_seen(record in prop::collection::vec(any::<u8>(), 0..200), bit in any::<prop::sample::Index>()) {
            let mut out = Vec::new();
            encode(&mut out, 7, 7, &record, false);
            let bit = bit.index(out.len() * 8);
            out[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode(&out).is_none());
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&bytes).is_none());
            prop_assert!(parse_segment_header(&bytes).is_none());
        }
    }

    #[test]
    fn a_segment_header_names_its_first_sequence_number() {
        assert_eq!(parse_segment_header(&segment_header(42)), Some(42));
        let mut broken = segment_header(42);
        broken[9] ^= 1;
        assert_eq!(parse_segment_header(&broken), None);
    }
}
