//! Document ids: those a client chose are stored and found by hash; those the store chose carry the
//! row's sequence number, so they need neither storage nor a table.
//!
//! Invariant: `auto_id` and `auto_seq` are inverses for one tag. Not here: which row is live.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Seven bytes that tell one index's own ids from everything else.
pub(crate) type Tag = [u8; 7];

/// The id of a document without one: 20 characters from the index's tag and the sequence number.
pub(crate) fn auto_id(tag: &Tag, seq: u64) -> String {
    let mut raw = [0u8; 15];
    raw[..8].copy_from_slice(&seq.to_be_bytes());
    raw[8..].copy_from_slice(tag);
    URL_SAFE_NO_PAD.encode(raw)
}

/// The sequence number in an id that this index made.
pub(crate) fn auto_seq(tag: &Tag, id: &str) -> Option<u64> {
    if id.len() != 20 {
        return None;
    }
    let mut raw = [0u8; 15];
    let got = URL_SAFE_NO_PAD.decode_slice(id, &mut raw).ok()?;
    if got != 15 || raw[8..] != tag[..] {
        return None;
    }
    let mut eight = [0u8; 8];
    eight.copy_from_slice(&raw[..8]);
    Some(u64::from_be_bytes(eight))
}

/// A stable 64-bit hash of an id: kept in files, so it must never change.
pub(crate) fn hash(id: &[u8]) -> u64 {
    let mut h = 0x9e37_79b9_7f4a_7c15u64 ^ (id.len() as u64);
    for chunk in id.chunks(8) {
        let mut eight = [0u8; 8];
        eight[..chunk.len()].copy_from_slice(chunk);
        h = (h ^ u64::from_le_bytes(eight)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        h ^= h >> 32;
    }
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 29)
}

/// A Bloom filter over id hashes: ten bits and six probes an id.
#[derive(Debug, Clone)]
pub(crate) struct Bloom {
    words: Vec<u64>,
}

impl Bloom {
    pub(crate) fn new(ids: usize) -> Self {
        Self {
            words: vec![0; (ids * 10).div_ceil(64).max(1)],
        }
    }

    fn probes(&self, hash: u64) -> impl Iterator<Item = (usize, u64)> {
        let bits = self.words.len() as u64 * 64;
        let step = (hash >> 32) | 1;
        (0..6u64).map(move |n| {
            let bit = hash.wrapping_add(step.wrapping_mul(n)) % bits;
            ((bit / 64) as usize, 1u64 << (bit % 64))
        })
    }

    pub(crate) fn add(&mut self, hash: u64) {
        let places: Vec<(usize, u64)> = self.probes(hash).collect();
        for (word, mask) in places {
            self.words[word] |= mask;
        }
    }

    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        self.probes(hash)
            .all(|(word, mask)| self.words[word] & mask != 0)
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.words.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    /// From [`Self::to_bytes`]; `None` when there are none or half a word.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(8) {
            return None;
        }
        let words = bytes
            .chunks_exact(8)
            .map(|c| c.iter().rev().fold(0u64, |w, b| (w << 8) | u64::from(*b)))
            .collect();
        Some(Self { words })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_id_gives_back_its_sequence_number_only_under_its_tag() {
        let tag = *b"abcdefg";
        for seq in [0u64, 1, 77, u64::from(u32::MAX) + 9, u64::MAX] {
            let id = auto_id(&tag, seq);
            assert_eq!(id.len(), 20);
            assert_eq!(auto_seq(&tag, &id), Some(seq));
            assert_eq!(auto_seq(b"abcdefh", &id), None);
        }
        assert_eq!(auto_seq(&tag, "short"), None);
        assert_eq!(auto_seq(&tag, "********************"), None);
    }

    #[test]
    fn the_filter_never_denies_what_it_holds_and_seldom_claims_more() {
        let mut bloom = Bloom::new(10_000);
        for n in 0..10_000u32 {
            bloom.add(hash(format!("id-{n}").as_bytes()));
        }
        assert!((0..10_000u32).all(|n| bloom.may_hold(hash(format!("id-{n}").as_bytes()))));
        let wrong = (0..10_000u32)
            .filter(|n| bloom.may_hold(hash(format!("other-{n}").as_bytes())))
            .count();
        assert!(wrong < 300, "{wrong} false claims");
    }
}
