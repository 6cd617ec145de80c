//! Integer columns in blocks of 1,024: each block either as offsets from its least value or as
//! offsets of its differences, whichever is smaller.
//!
//! Not here: floats (scaled to integers in `floats`), which row a value belongs to.

use super::{
    BitReader, BitWriter, CodecError, Reader, packed_len, put_varint, unzigzag, width_of, zigzag,
};

const BLOCK: usize = 1024;
const PLAIN: u8 = 0;
const DELTA: u8 = 1;
/// More values than a segment may have; guards allocations when bytes are damaged.
pub(crate) const MAX_VALUES: usize = 1 << 28;

/// Appends a column of integers.
pub(crate) fn encode(out: &mut Vec<u8>, values: &[i64]) {
    put_varint(out, values.len() as u64);
    for block in values.chunks(BLOCK) {
        encode_block(out, block);
    }
}

fn encode_block(out: &mut Vec<u8>, block: &[i64]) {
    let mut low = i64::MAX;
    let mut high = i64::MIN;
    for &v in block {
        low = low.min(v);
        high = high.max(v);
    }
    let plain_width = width_of(high.wrapping_sub(low) as u64);
    let mut delta_low = i64::MAX;
    let mut delta_high = i64::MIN;
    let mut deltas_fit = true;
    for pair in block.windows(2) {
        match pair[1].checked_sub(pair[0]) {
            Some(d) => {
                delta_low = delta_low.min(d);
                delta_high = delta_high.max(d);
            }
            None => {
                deltas_fit = false;
                break;
            }
        }
    }
    let delta_width = if deltas_fit && block.len() > 1 {
        width_of(delta_high.wrapping_sub(delta_low) as u64)
    } else {
        64
    };
    if delta_width < plain_width {
        out.push(DELTA);
        out.push(delta_width as u8);
        put_varint(out, zigzag(block[0]));
        put_varint(out, zigzag(delta_low));
        let mut bits = BitWriter::new(out);
        for pair in block.windows(2) {
            bits.put(
                (pair[1] - pair[0]).wrapping_sub(delta_low) as u64,
                delta_width,
            );
        }
        bits.finish();
    } else {
        out.push(PLAIN);
        out.push(plain_width as u8);
        put_varint(out, zigzag(low));
        let mut bits = BitWriter::new(out);
        for &v in block {
            bits.put(v.wrapping_sub(low) as u64, plain_width);
        }
        bits.finish();
    }
}

/// Reads a column written by [`encode`], handing each value to `each` in order.
pub(crate) fn decode_each(
    reader: &mut Reader<'_>,
    mut each: impl FnMut(i64),
) -> Result<usize, CodecError> {
    let total = reader.count(MAX_VALUES)?;
    let mut left = total;
    while left > 0 {
        let count = left.min(BLOCK);
        let mode = reader.byte()?;
        let width = u32::from(reader.byte()?);
        if width > 64 {
            return Err(CodecError("width out of range"));
        }
        match mode {
            PLAIN => {
                let low = unzigzag(reader.varint()?);
                let mut bits = BitReader::new(reader.take(packed_len(count, width))?);
                for _ in 0..count {
                    each(low.wrapping_add(bits.get(width)? as i64));
                }
            }
            DELTA => {
                let mut at = unzigzag(reader.varint()?);
                let step = unzigzag(reader.varint()?);
                let mut bits = BitReader::new(reader.take(packed_len(count - 1, width))?);
                each(at);
                for _ in 1..count {
                    at = at.wrapping_add(step).wrapping_add(bits.get(width)? as i64);
                    each(at);
                }
            }
            _ => return Err(CodecError("unknown block mode")),
        }
        left -= count;
    }
    Ok(total)
}

/// Reads a whole column.
pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Vec<i64>, CodecError> {
    let mut values = Vec::new();
    decode_each(reader, |v| values.push(v))?;
    Ok(values)
}

/// Appends a column of small unsigned integers (row numbers, dictionary ids).
pub(crate) fn encode_u32(out: &mut Vec<u8>, values: &[u32]) {
    put_varint(out, values.len() as u64);
    let mut wide = Vec::with_capacity(BLOCK);
    for block in values.chunks(BLOCK) {
        wide.clear();
        wide.extend(block.iter().map(|v| i64::from(*v)));
        encode_block(out, &wide);
    }
}

/// Reads a column written by [`encode_u32`].
pub(crate) fn decode_u32(reader: &mut Reader<'_>) -> Result<Vec<u32>, CodecError> {
    let mut values = Vec::new();
    let mut bad = false;
    decode_each(reader, |v| match u32::try_from(v) {
        Ok(v) => values.push(v),
        Err(_) => bad = true,
    })?;
    if bad {
        Err(CodecError("row number out of range"))
    } else {
        Ok(values)
    }
}
