//! Keys of buckets: ordered, hashable, of one kind per aggregation.
//!
//! Invariant: two keys are equal when and only when their values are; numbers order as numbers.
//! Not here: how keys are printed (`render.rs`).

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::net::IpAddr;

use crate::columns::Column;

/// A floating-point number with a total order.
#[derive(Clone, Copy, Debug)]
pub struct Float(pub f64);

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Float {}
impl PartialOrd for Float {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Float {
    fn cmp(&self, other: &Self) -> Ordering {
        // 0 and -0 are one bucket.
        (self.0 + 0.0).total_cmp(&(other.0 + 0.0))
    }
}
impl Hash for Float {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0 + 0.0).to_bits().hash(state);
    }
}

/// The key of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Whole number, instant or boolean.
    Long(i64),
    /// Floating-point number.
    Double(Float),
    /// Term.
    Text(Box<str>),
    /// Address, as the number of its IPv6 form, which is its order.
    Address(u128),
}

/// A part of a composite key.
pub(crate) type Part = Option<Key>;

/// What keys of an aggregation are, as fields of different indices may disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `lterms`.
    Long,
    /// `lterms` with `true` and `false`.
    Bool,
    /// `lterms` with dates.
    Date,
    /// `dterms`.
    Double,
    /// `sterms`.
    Text,
    /// `sterms` of addresses.
    Ip,
}

impl Key {
    /// The key of a term of an address column.
    pub fn address(term: &str) -> Key {
        match term.parse::<IpAddr>() {
            Ok(IpAddr::V4(v4)) => Key::Address(v4.to_ipv6_mapped().to_bits()),
            Ok(IpAddr::V6(v6)) => Key::Address(v6.to_bits()),
            // Such as what a request gives for documents without the field.
            Err(_) => Key::Text(term.into()),
        }
    }

    /// The key of a term of a column.
    pub(crate) fn term(column: &Column, term: &str) -> Key {
        match column {
            Column::Ip(_) => Key::address(term),
            _ => Key::Text(term.into()),
        }
    }

    /// The key as a floating-point number, where whole ones meet them.
    pub fn widened(self) -> Key {
        match self {
            Key::Long(n) => Key::Double(Float(n as f64)),
            other => other,
        }
    }

    /// The key as a number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Key::Long(n) => Some(*n as f64),
            Key::Double(n) => Some(n.0),
            Key::Text(_) | Key::Address(_) => None,
        }
    }
}

/// A quick hash for keys that nobody outside chooses the layout of.
#[derive(Default, Clone, Copy)]
pub struct Quick(u64);

impl Quick {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.add(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.add(n);
    }

    fn write_i64(&mut self, n: i64) {
        self.add(n as u64);
    }

    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }

    fn finish(&self) -> u64 {
        // The table takes the low bits; the mixing above fills the high ones.
        self.0 ^ (self.0 >> 32)
    }
}

/// A map with the quick hash, for dictionary numbers and instants.
pub(crate) type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<Quick>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_ordered_by_number_and_shown_as_they_were() {
        let texts = ["::1", "9.9.9.9", "10.0.0.2", "10.0.0.10", "2001:db8::1"];
        let mut keys: Vec<Key> = texts.iter().rev().map(|text| Key::address(text)).collect();
        keys.sort();
        let shown: Vec<String> = keys
            .iter()
            .map(|key| match key {
                Key::Address(bits) => super::super::render::address_text(*bits),
                other => panic!("an address was expected: {other:?}"),
            })
            .collect();
        assert_eq!(shown, texts);
        assert_eq!(Key::address("none"), Key::Text("none".into()));
    }
}
