//! Float columns: a block whose values are decimals with few digits is stored as integers and a
//! power of ten, others as raw bits.
//!
//! Invariant: every bit pattern comes back (negative zero and NaN force the raw form).

use super::{CodecError, Reader, ints, put_varint};

const BLOCK: usize = 1024;
const RAW: u8 = 255;
const POWERS: [f64; 10] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

fn scaled(value: f64, power: f64) -> Option<i64> {
    let wide = (value * power).round();
    if wide.abs() >= 9e15 {
        return None;
    }
    let whole = wide as i64;
    (((whole as f64) / power).to_bits() == value.to_bits()).then_some(whole)
}

/// Appends a column of floats.
pub(crate) fn encode(out: &mut Vec<u8>, values: &[f64]) {
    put_varint(out, values.len() as u64);
    let mut whole = Vec::with_capacity(BLOCK);
    let mut start = 0u8;
    for block in values.chunks(BLOCK) {
        let mut digits = start;
        'digits: loop {
            whole.clear();
            let power = POWERS[usize::from(digits)];
            for &v in block {
                match scaled(v, power) {
                    Some(w) => whole.push(w),
                    None if usize::from(digits) + 1 < POWERS.len() => {
                        digits += 1;
                        continue 'digits;
                    }
                    None => {
                        digits = RAW;
                        break 'digits;
                    }
                }
            }
            break;
        }
        out.push(digits);
        if digits == RAW {
            for v in block {
                out.extend_from_slice(&v.to_bits().to_le_bytes());
            }
        } else {
            // The next block most likely has as many digits, or fewer.
            start = digits;
            ints::encode(out, &whole);
        }
    }
}

/// Reads a column written by [`encode`].
pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Vec<f64>, CodecError> {
    let total = reader.count(ints::MAX_VALUES)?;
    let mut values = Vec::new();
    while values.len() < total {
        let count = (total - values.len()).min(BLOCK);
        let digits = reader.byte()?;
        if digits == RAW {
            for _ in 0..count {
                values.push(f64::from_bits(reader.u64_le()?));
            }
            continue;
        }
        let power = *POWERS
            .get(usize::from(digits))
            .ok_or(CodecError("unknown float mode"))?;
        let got = ints::decode_each(reader, |w| values.push(w as f64 / power))?;
        if got != count {
            return Err(CodecError("float block has a wrong length"));
        }
    }
    Ok(values)
}
