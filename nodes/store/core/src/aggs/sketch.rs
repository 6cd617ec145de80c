//! Sketches: different values counted, and quantiles.
//!
//! Invariants: both are exact while small, merge in any order, and take bounded memory.
//! Not here: which values (`metrics.rs`).

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use super::key::Quick;

/// Values counted exactly; then registers take over.
const EXACT: usize = 20_000;
/// Bits of the register's number: 16,384 registers, 0.8 % error.
const BITS: u32 = 14;

type Hashes = HashSet<u64, BuildHasherDefault<Quick>>;

/// Counts different values by their hashes.
#[derive(Clone, Debug)]
pub enum Distinct {
    /// Every hash.
    Exact(Hashes),
    /// HyperLogLog registers.
    Registers(Vec<u8>),
}

impl Default for Distinct {
    fn default() -> Self {
        Distinct::Exact(Hashes::default())
    }
}

impl Distinct {
    /// Adds a value by its hash.
    pub fn add(&mut self, hash: u64) {
        match self {
            Distinct::Exact(set) => {
                set.insert(hash);
                if set.len() > EXACT {
                    let mut registers = vec![0; 1 << BITS];
                    set.iter().for_each(|hash| register(&mut registers, *hash));
                    *self = Distinct::Registers(registers);
                }
            }
            Distinct::Registers(registers) => register(registers, hash),
        }
    }

    /// Adds another's values.
    pub fn merge(&mut self, other: Distinct) {
        match (&mut *self, other) {
            (_, Distinct::Exact(set)) => set.into_iter().for_each(|hash| self.add(hash)),
            (Distinct::Exact(set), Distinct::Registers(mut registers)) => {
                set.iter().for_each(|hash| register(&mut registers, *hash));
                *self = Distinct::Registers(registers);
            }
            (Distinct::Registers(mine), Distinct::Registers(theirs)) => {
                for (mine, theirs) in mine.iter_mut().zip(theirs) {
                    *mine = (*mine).max(theirs);
                }
            }
        }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        match self {
            Distinct::Exact(set) => set.len() as u64,
            Distinct::Registers(registers) => {
                let m = registers.len() as f64;
                let sum: f64 = registers.iter().map(|r| 2f64.powi(-i32::from(*r))).sum();
                let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
                let empty = registers.iter().filter(|r| **r == 0).count();
                if raw <= 2.5 * m && empty > 0 {
                    return (m * (m / empty as f64).ln()).round() as u64;
                }
                raw.round() as u64
            }
        }
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let at = (hash >> (64 - BITS)) as usize;
    let rank = ((hash << BITS) | (1 << (BITS - 1))).leading_zeros() as u8 + 1;
    registers[at] = registers[at].max(rank);
}

/// A hash of a number.
pub(crate) fn hash_number(bits: u64) -> u64 {
    let mut h = bits ^ 0x9e37_79b9_7f4a_7c15;
    h = (h ^ (h >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    h = (h ^ (h >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ (h >> 33)
}

/// A hash of a term.
pub(crate) fn hash_text(text: &str) -> u64 {
    let mut h = text.len() as u64;
    for chunk in text.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        h = hash_number(h.rotate_left(23) ^ u64::from_le_bytes(word));
    }
    hash_number(h)
}

/// Centroids kept after compression.
const COMPRESSION: f64 = 400.0;
/// Values held before they are compressed.
const BUFFER: usize = 4096;

/// Quantiles by merging centroids: every value is one while there are few.
#[derive(Clone, Debug, Default)]
pub struct Quantiles {
    centroids: Vec<(f64, f64)>,
    sorted: bool,
    total: f64,
    min: f64,
    max: f64,
}

impl Quantiles {
    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.push(value, 1.0);
        if self.centroids.len() >= BUFFER {
            self.compress();
        }
    }

    fn push(&mut self, mean: f64, weight: f64) {
        if self.total == 0.0 {
            (self.min, self.max) = (mean, mean);
        }
        self.min = self.min.min(mean);
        self.max = self.max.max(mean);
        self.total += weight;
        self.sorted = false;
        self.centroids.push((mean, weight));
    }

    /// Adds another's values.
    pub fn merge(&mut self, other: Quantiles) {
        if other.total == 0.0 {
            return;
        }
        let (min, max) = (other.min, other.max);
        for (mean, weight) in other.centroids {
            self.push(mean, weight);
        }
        self.min = self.min.min(min);
        self.max = self.max.max(max);
        if self.centroids.len() >= BUFFER {
            self.compress();
        }
    }

    fn sort(&mut self) {
        if !self.sorted {
            self.centroids.sort_by(|a, b| a.0.total_cmp(&b.0));
            self.sorted = true;
        }
    }

    /// Merges neighbours as far as the scale function allows: small at the ends, large amid.
    fn compress(&mut self) {
        self.sort();
        let mut out: Vec<(f64, f64)> = Vec::with_capacity(COMPRESSION as usize * 2);
        let mut before = 0.0;
        for (mean, weight) in self.centroids.drain(..) {
            if let Some(last) = out.last_mut() {
                let joined = last.1 + weight;
                let q0 = before / self.total;
                let q1 = (before + joined) / self.total;
                let spread = (q0 * (1.0 - q0)).min(q1 * (1.0 - q1)).max(0.0);
                if joined <= (4.0 * self.total * spread / COMPRESSION).max(1.0) {
                    last.0 += (mean - last.0) * weight / joined;
                    last.1 = joined;
                    continue;
                }
                before += last.1;
            }
            out.push((mean, weight));
        }
        self.centroids = out;
    }

    /// The value below which the share `q` lies; `None` without values.
    pub fn quantile(&mut self, q: f64) -> Option<f64> {
        self.sort();
        let list = &self.centroids;
        let (first, last) = (list.first()?, list.last()?);
        if list.len() == 1 {
            return Some(first.0);
        }
        let index = q.clamp(0.0, 1.0) * self.total;
        if index < 1.0 {
            return Some(self.min);
        }
        if first.1 > 1.0 && index < first.1 / 2.0 {
            return Some(self.min + (index - 1.0) / (first.1 / 2.0 - 1.0) * (first.0 - self.min));
        }
        if index > self.total - 1.0 {
            return Some(self.max);
        }
        if last.1 > 1.0 && self.total - index <= last.1 / 2.0 {
            return Some(
                self.max - (self.total - index - 1.0) / (last.1 / 2.0 - 1.0) * (self.max - last.0),
            );
        }
        let mut so_far = first.1 / 2.0;
        for pair in list.windows(2) {
            let ((left, left_weight), (right, right_weight)) = (pair[0], pair[1]);
            let step = (left_weight + right_weight) / 2.0;
            if so_far + step > index {
                let mut left_unit = 0.0;
                if left_weight == 1.0 {
                    if index - so_far < 0.5 {
                        return Some(left);
                    }
                    left_unit = 0.5;
                }
                let mut right_unit = 0.0;
                if right_weight == 1.0 {
                    if so_far + step - index <= 0.5 {
                        return Some(right);
                    }
                    right_unit = 0.5;
                }
                let z1 = index - so_far - left_unit;
                let z2 = so_far + step - index - right_unit;
                return Some((left * z2 + right * z1) / (z1 + z2));
            }
            so_far += step;
        }
        Some(self.max)
    }

    /// The share of values at or below `value`; `None` without values.
    pub fn rank(&mut self, value: f64) -> Option<f64> {
        self.sort();
        if self.total == 0.0 {
            return None;
        }
        if value < self.min {
            return Some(0.0);
        }
        if value > self.max {
            return Some(1.0);
        }
        let list = &self.centroids;
        let mut below = 0.0;
        let mut equal = 0.0;
        let mut at = 0;
        while at < list.len() && list[at].0 < value {
            below += list[at].1;
            at += 1;
        }
        let first_equal = at;
        while at < list.len() && list[at].0 == value {
            equal += list[at].1;
            at += 1;
        }
        if equal > 0.0 {
            return Some((below + equal / 2.0) / self.total);
        }
        let left = first_equal
            .checked_sub(1)
            .map_or((self.min, 0.0), |i| list[i]);
        let right = list.get(first_equal).copied().unwrap_or((self.max, 0.0));
        let share = if right.0 > left.0 {
            (value - left.0) / (right.0 - left.0)
        } else {
            0.5
        };
        if left.1 == 1.0 && right.1 == 1.0 {
            return Some(below / self.total);
        }
        let base = below - left.1 / 2.0;
        Some(((base + share * (left.1 + right.1) / 2.0) / self.total).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_counted_exactly_and_many_within_two_percent() {
        let mut small = Distinct::default();
        (0..5000u64)
            .chain(0..5000)
            .for_each(|n| small.add(hash_number(n)));
        assert_eq!(small.count(), 5000);
        let (mut a, mut b) = (Distinct::default(), Distinct::default());
        (0..100_000u64).for_each(|n| a.add(hash_text(&format!("container-{n}"))));
        (50_000..150_000u64).for_each(|n| b.add(hash_text(&format!("container-{n}"))));
        a.merge(b);
        let error = (a.count() as f64 / 150_000.0 - 1.0).abs();
        assert!(error < 0.03, "{error}");
    }

    #[test]
    fn quantiles_of_few_values_are_values() {
        let mut sketch = Quantiles::default();
        (1..=100).for_each(|n| sketch.add(f64::from(n)));
        assert_eq!(sketch.quantile(0.5), Some(51.0));
        assert_eq!(sketch.quantile(0.0), Some(1.0));
        assert_eq!(sketch.quantile(1.0), Some(100.0));
        assert_eq!(Quantiles::default().quantile(0.5), None);
    }

    #[test]
    fn quantiles_of_many_values_are_close() {
        let (mut a, mut b) = (Quantiles::default(), Quantiles::default());
        for n in 0..100_000u64 {
            let value = (hash_number(n) % 1_000_000) as f64;
            if n % 2 == 0 {
                a.add(value)
            } else {
                b.add(value)
            }
        }
        a.merge(b);
        for q in [0.01, 0.25, 0.5, 0.75, 0.99] {
            let found = a.quantile(q).unwrap() / 1_000_000.0;
            assert!((found - q).abs() < 0.01, "{q} {found}");
            assert!((a.rank(q * 1_000_000.0).unwrap() - q).abs() < 0.01);
        }
        assert!(a.centroids.len() < 3 * BUFFER);
    }
}
