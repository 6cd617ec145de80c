//! Byte codecs of the sealed segments: variable-length integers, packed integer and float columns,
//! posting lists and sorted term dictionaries.
//!
//! Invariants: every decoder takes bytes that may be damaged and answers [`CodecError`] instead of
//! reading past the end; decode(encode(x)) == x. Not here: files, caches, what a column means.

pub(crate) mod floats;
pub(crate) mod ints;
pub(crate) mod postings;
pub(crate) mod terms;

/// Stored bytes do not hold what their header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored bytes are damaged: {0}; restore this index from a snapshot or delete it")]
pub(crate) struct CodecError(pub(crate) &'static str);

/// Appends an unsigned integer, seven bits a byte.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a length and the bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Maps signed to unsigned so that small magnitudes stay small.
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

/// A cursor over stored bytes that never reads past their end.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left() == 0
    }

    pub(crate) fn byte(&mut self) -> Result<u8, CodecError> {
        let byte = *self.bytes.get(self.at).ok_or(CodecError("ends early"))?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        if count > self.left() {
            return Err(CodecError("ends early"));
        }
        let part = &self.bytes[self.at..self.at + count];
        self.at += count;
        Ok(part)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, CodecError> {
        let mut value = 0u64;
        let mut shift = 0;
        loop {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(CodecError("integer too long"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
            if shift > 63 {
                return Err(CodecError("integer too long"));
            }
        }
    }

    /// A count that may not exceed `limit`: guards allocations against damaged lengths.
    pub(crate) fn count(&mut self, limit: usize) -> Result<usize, CodecError> {
        let value = self.varint()?;
        if value > limit as u64 {
            return Err(CodecError("count out of range"));
        }
        Ok(value as usize)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CodecError> {
        let count = self.count(self.left())?;
        self.take(count)
    }

    pub(crate) fn string(&mut self) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| CodecError("text is not UTF-8"))
    }

    pub(crate) fn u64_le(&mut self) -> Result<u64, CodecError> {
        let raw = self.take(8)?;
        let mut eight = [0u8; 8];
        eight.copy_from_slice(raw);
        Ok(u64::from_le_bytes(eight))
    }
}

/// Writes values of a fixed bit width one after another, low bits first.
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    held: u64,
    bits: u32,
}

impl<'a> BitWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            held: 0,
            bits: 0,
        }
    }

    pub(crate) fn put(&mut self, value: u64, width: u32) {
        if width == 0 {
            return;
        }
        if width > 32 {
            self.put_small(value & 0xffff_ffff, 32);
            self.put_small(value >> 32, width - 32);
        } else {
            self.put_small(value, width);
        }
    }

    fn put_small(&mut self, value: u64, width: u32) {
        self.held |= value << self.bits;
        self.bits += width;
        while self.bits >= 8 {
            self.out.push(self.held as u8);
            self.held >>= 8;
            self.bits -= 8;
        }
    }

    pub(crate) fn finish(self) {
        if self.bits > 0 {
            self.out.push(self.held as u8);
        }
    }
}

/// Reads what [`BitWriter`] wrote.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u64,
    bits: u32,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            held: 0,
            bits: 0,
        }
    }

    #[inline]
    pub(crate) fn get(&mut self, width: u32) -> Result<u64, CodecError> {
        if width > 32 {
            let low = self.get_small(32)?;
            let high = self.get_small(width - 32)?;
            return Ok(low | (high << 32));
        }
        self.get_small(width)
    }

    #[inline]
    fn get_small(&mut self, width: u32) -> Result<u64, CodecError> {
        while self.bits < width {
            let byte = *self
                .bytes
                .get(self.at)
                .ok_or(CodecError("packed values end early"))?;
            self.held |= u64::from(byte) << self.bits;
            self.bits += 8;
            self.at += 1;
        }
        let mask = (1u64 << width) - 1;
        let value = self.held & mask;
        self.held >>= width;
        self.bits -= width;
        Ok(value)
    }
}

/// Bytes that `count` values of `width` bits take.
pub(crate) fn packed_len(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

/// The bits that `value` needs.
pub(crate) fn width_of(value: u64) -> u32 {
    64 - value.leading_zeros()
}

#[cfg(test)]
mod tests;
