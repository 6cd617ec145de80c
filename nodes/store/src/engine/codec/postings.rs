//! Posting lists: the rows of a term, as gaps; short lists as variable-length integers, longer ones
//! Rice-coded with a parameter chosen from the mean gap.
//!
//! Invariant: rows are strictly rising.

use super::{BitReader, BitWriter, CodecError, Reader, put_varint};

const SHORT: usize = 6;
/// A quotient this long is written as the whole gap instead.
const ESCAPE: u32 = 24;

/// Appends the rows of one term.
pub(crate) fn encode(out: &mut Vec<u8>, rows: &[u32]) {
    put_varint(out, rows.len() as u64);
    if rows.len() < SHORT {
        let mut last = 0u32;
        for (i, &row) in rows.iter().enumerate() {
            put_varint(out, u64::from(if i == 0 { row } else { row - last - 1 }));
            last = row;
        }
        return;
    }
    let mean = rows[rows.len() - 1] / rows.len() as u32;
    let k = if mean > 1 {
        31 - mean.leading_zeros()
    } else {
        0
    };
    out.push(k as u8);
    let mut packed = Vec::with_capacity(rows.len());
    let mut bits = BitWriter::new(&mut packed);
    let mut last = 0u32;
    for (i, &row) in rows.iter().enumerate() {
        let gap = if i == 0 { row } else { row - last - 1 };
        last = row;
        let quotient = gap >> k;
        if quotient < ESCAPE {
            // `quotient` ones, then a zero.
            bits.put((1u64 << quotient) - 1, quotient + 1);
            bits.put(u64::from(gap & ((1u32 << k) - 1)), k);
        } else {
            bits.put((1u64 << ESCAPE) - 1, ESCAPE);
            bits.put(u64::from(gap), 32);
        }
    }
    bits.finish();
    put_varint(out, packed.len() as u64);
    out.extend_from_slice(&packed);
}

/// Reads one list; a row at or above `rows_limit` is damage.
pub(crate) fn decode(reader: &mut Reader<'_>, rows_limit: u32) -> Result<Vec<u32>, CodecError> {
    let count = reader.count(rows_limit as usize)?;
    let mut rows = Vec::with_capacity(count);
    let mut next = 0u64;
    let mut push = |gap: u64, rows: &mut Vec<u32>| {
        let row = next + gap;
        if row >= u64::from(rows_limit) {
            return Err(CodecError("posting beyond the segment"));
        }
        rows.push(row as u32);
        next = row + 1;
        Ok(())
    };
    if count < SHORT {
        for _ in 0..count {
            let gap = reader.varint()?;
            if gap > u64::from(u32::MAX) {
                return Err(CodecError("posting beyond the segment"));
            }
            push(gap, &mut rows)?;
        }
        return Ok(rows);
    }
    let k = u32::from(reader.byte()?);
    if k > 31 {
        return Err(CodecError("posting parameter out of range"));
    }
    let mut bits = BitReader::new(reader.bytes()?);
    for _ in 0..count {
        let mut quotient = 0u32;
        while quotient < ESCAPE && bits.get(1)? == 1 {
            quotient += 1;
        }
        let gap = if quotient == ESCAPE {
            bits.get(32)?
        } else {
            (u64::from(quotient) << k) | bits.get(k)?
        };
        push(gap, &mut rows)?;
    }
    Ok(rows)
}
