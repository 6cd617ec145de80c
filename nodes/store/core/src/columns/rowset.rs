//! A set of row numbers of one segment: a range, a sorted list or bits, whichever is smallest.
//! Invariants: every member is below `universe()`; lists are strictly ascending; bits beyond the universe are zero;
//! operations on sets of different universes answer in the left one's.
//! Not here: what the rows hold.

use super::Row;

/// Lists longer than one in this many rows become bits.
const SPARSE_SHARE: u32 = 48;

#[derive(Debug, Clone)]
enum Repr {
    Range(Row, Row),
    List(Vec<Row>),
    Bits { words: Vec<u64>, count: u32 },
}

/// A set of rows.
#[derive(Debug, Clone)]
pub struct RowSet {
    universe: u32,
    repr: Repr,
}

impl PartialEq for RowSet {
    fn eq(&self, other: &Self) -> bool {
        self.universe == other.universe && self.len() == other.len() && self.iter().eq(other.iter())
    }
}
impl Eq for RowSet {}

impl RowSet {
    /// No row.
    #[must_use]
    pub const fn empty(universe: u32) -> Self {
        Self {
            universe,
            repr: Repr::Range(0, 0),
        }
    }

    /// Every row.
    #[must_use]
    pub const fn all(universe: u32) -> Self {
        Self {
            universe,
            repr: Repr::Range(0, universe),
        }
    }

    /// Rows `start..end`, cut to the universe.
    #[must_use]
    pub fn range(universe: u32, start: Row, end: Row) -> Self {
        let end = end.min(universe);
        let start = start.min(end);
        Self {
            universe,
            repr: Repr::Range(start, end),
        }
    }

    /// From rows in any order, duplicates and rows outside the universe dropped.
    #[must_use]
    pub fn from_rows(universe: u32, mut rows: Vec<Row>) -> Self {
        rows.retain(|row| *row < universe);
        rows.sort_unstable();
        rows.dedup();
        Self::from_sorted(universe, rows)
    }

    fn from_sorted(universe: u32, rows: Vec<Row>) -> Self {
        if rows.len() as u64 * u64::from(SPARSE_SHARE) <= u64::from(universe) {
            return Self {
                universe,
                repr: Repr::List(rows),
            };
        }
        let mut words = vec![0u64; words_for(universe)];
        for row in &rows {
            words[(*row / 64) as usize] |= 1 << (row % 64);
        }
        Self {
            universe,
            repr: Repr::Bits {
                words,
                count: rows.len() as u32,
            },
        }
    }

    /// From bits, 64 rows a word, lowest bit first; missing words are zero.
    #[must_use]
    pub fn from_words(universe: u32, mut words: Vec<u64>) -> Self {
        words.resize(words_for(universe), 0);
        if !universe.is_multiple_of(64)
            && let Some(last) = words.last_mut()
        {
            *last &= (1 << (universe % 64)) - 1;
        }
        let count: u32 = words.iter().map(|word| word.count_ones()).sum();
        if count == universe {
            return Self::all(universe);
        }
        let set = Self {
            universe,
            repr: Repr::Bits { words, count },
        };
        if u64::from(count) * u64::from(SPARSE_SHARE) <= u64::from(universe) {
            let rows = set.iter().collect();
            return Self {
                universe,
                repr: Repr::List(rows),
            };
        }
        set
    }

    /// Rows of the segment that this set is about.
    #[must_use]
    pub const fn universe(&self) -> u32 {
        self.universe
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> u32 {
        match &self.repr {
            Repr::Range(start, end) => end - start,
            Repr::List(rows) => rows.len() as u32,
            Repr::Bits { count, .. } => *count,
        }
    }

    /// Whether it has no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it has every row.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.len() == self.universe
    }

    /// Membership.
    #[must_use]
    pub fn contains(&self, row: Row) -> bool {
        match &self.repr {
            Repr::Range(start, end) => row >= *start && row < *end,
            Repr::List(rows) => rows.binary_search(&row).is_ok(),
            Repr::Bits { words, .. } => words
                .get((row / 64) as usize)
                .is_some_and(|word| word >> (row % 64) & 1 == 1),
        }
    }

    /// Members, ascending.
    #[must_use]
    pub fn iter(&self) -> RowIter<'_> {
        match &self.repr {
            Repr::Range(start, end) => RowIter::Range(*start..*end),
            Repr::List(rows) => RowIter::List(rows.iter()),
            Repr::Bits { words, .. } => RowIter::Bits {
                words,
                at: 0,
                word: words.first().copied().unwrap_or(0),
            },
        }
    }

    /// Its members as `start..end` when they are one run without holes (all rows, none, a time range of sorted rows).
    #[must_use]
    pub fn as_range(&self) -> Option<(Row, Row)> {
        match &self.repr {
            Repr::Range(start, end) => Some((*start, *end)),
            _ if self.is_empty() => Some((0, 0)),
            _ => None,
        }
    }

    /// Members as bits, 64 rows a word.
    #[must_use]
    pub fn to_words(&self) -> Vec<u64> {
        match &self.repr {
            Repr::Bits { words, .. } => words.clone(),
            Repr::Range(start, end) => {
                let mut words = vec![0u64; words_for(self.universe)];
                fill(&mut words, *start, *end);
                words
            }
            Repr::List(rows) => {
                let mut words = vec![0u64; words_for(self.universe)];
                for row in rows {
                    words[(*row / 64) as usize] |= 1 << (row % 64);
                }
                words
            }
        }
    }

    /// Members of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (&self.repr, &other.repr) {
            (Repr::Range(a, b), Repr::Range(c, d)) => {
                let (start, end) = ((*a).max(*c), (*b).min(*d));
                Self::range(self.universe, start.min(end), end)
            }
            (Repr::List(rows), _) => self.picked(rows, other),
            (_, Repr::List(rows)) => self.picked(rows, if self.is_all() { other } else { self }),
            _ if self.is_all() && self.universe == other.universe => other.clone(),
            _ if other.is_all() && self.universe == other.universe => self.clone(),
            _ => self.combined(other, |a, b| a & b),
        }
    }

    /// Members of either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        if self.is_empty() && self.universe == other.universe {
            return other.clone();
        }
        if other.is_empty() || self.is_all() {
            return self.clone();
        }
        if let (Repr::List(a), Repr::List(b)) = (&self.repr, &other.repr) {
            let mut rows = Vec::with_capacity(a.len() + b.len());
            rows.extend_from_slice(a);
            rows.extend_from_slice(b);
            return Self::from_rows(self.universe, rows);
        }
        self.combined(other, |a, b| a | b)
    }

    /// Members that the other lacks.
    #[must_use]
    pub fn and_not(&self, other: &Self) -> Self {
        if other.is_empty() || self.is_empty() {
            return self.clone();
        }
        if let Repr::List(rows) = &self.repr {
            let rows = rows
                .iter()
                .copied()
                .filter(|row| !other.contains(*row))
                .collect();
            return Self::from_sorted(self.universe, rows);
        }
        self.combined(other, |a, b| a & !b)
    }

    /// Rows that are no members.
    #[must_use]
    pub fn not(&self) -> Self {
        Self::all(self.universe).and_not(self)
    }

    /// Members that the predicate keeps.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(Row) -> bool) -> Self {
        let mut builder = RowSetBuilder::new(self.universe);
        for row in self.iter() {
            if keep(row) {
                builder.push(row);
            }
        }
        builder.finish()
    }

    fn picked(&self, rows: &[Row], by: &Self) -> Self {
        let rows = rows
            .iter()
            .copied()
            .filter(|row| *row < self.universe && by.contains(*row))
            .collect();
        Self::from_sorted(self.universe, rows)
    }

    fn combined(&self, other: &Self, op: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.to_words();
        let borrowed;
        let theirs: &[u64] = match &other.repr {
            Repr::Bits { words, .. } => words,
            _ => {
                borrowed = other.to_words();
                &borrowed
            }
        };
        for (at, word) in words.iter_mut().enumerate() {
            *word = op(*word, theirs.get(at).copied().unwrap_or(0));
        }
        Self::from_words(self.universe, words)
    }
}

/// Collects rows, in ascending order or not, repeated or not.
#[derive(Debug)]
pub struct RowSetBuilder {
    universe: u32,
    rows: Vec<Row>,
    words: Option<Vec<u64>>,
    sorted: bool,
}

impl RowSetBuilder {
    /// An empty set of a segment with so many rows.
    #[must_use]
    pub const fn new(universe: u32) -> Self {
        Self {
            universe,
            rows: Vec::new(),
            words: None,
            sorted: true,
        }
    }

    /// Adds a row; one outside the universe is dropped.
    pub fn push(&mut self, row: Row) {
        if row >= self.universe {
            return;
        }
        if let Some(words) = &mut self.words {
            words[(row / 64) as usize] |= 1 << (row % 64);
            return;
        }
        if let Some(last) = self.rows.last() {
            if *last == row {
                return;
            }
            self.sorted &= *last < row;
        }
        self.rows.push(row);
        if self.rows.len() as u64 * u64::from(SPARSE_SHARE) > u64::from(self.universe) {
            let mut words = vec![0u64; words_for(self.universe)];
            for row in self.rows.drain(..) {
                words[(row / 64) as usize] |= 1 << (row % 64);
            }
            self.words = Some(words);
        }
    }

    /// The set.
    #[must_use]
    pub fn finish(self) -> RowSet {
        match self.words {
            Some(words) => RowSet::from_words(self.universe, words),
            None if self.sorted => RowSet {
                universe: self.universe,
                repr: Repr::List(self.rows),
            },
            None => RowSet::from_rows(self.universe, self.rows),
        }
    }
}

/// Walks a set's members in ascending order.
#[derive(Debug, Clone)]
pub enum RowIter<'a> {
    /// Of a range.
    Range(std::ops::Range<Row>),
    /// Of a list.
    List(std::slice::Iter<'a, Row>),
    /// Of bits.
    Bits {
        /// All words.
        words: &'a [u64],
        /// Number of the word that is looked at.
        at: u32,
        /// What is left of it.
        word: u64,
    },
}

impl Iterator for RowIter<'_> {
    type Item = Row;

    #[inline]
    fn next(&mut self) -> Option<Row> {
        match self {
            Self::Range(range) => range.next(),
            Self::List(rows) => rows.next().copied(),
            Self::Bits { words, at, word } => {
                while *word == 0 {
                    *at += 1;
                    *word = *words.get(*at as usize)?;
                }
                let bit = word.trailing_zeros();
                *word &= *word - 1;
                Some(*at * 64 + bit)
            }
        }
    }
}

const fn words_for(universe: u32) -> usize {
    universe.div_ceil(64) as usize
}

fn fill(words: &mut [u64], start: Row, end: Row) {
    if start >= end {
        return;
    }
    let (first, last) = ((start / 64) as usize, ((end - 1) / 64) as usize);
    let low = u64::MAX << (start % 64);
    let high = u64::MAX >> (63 - (end - 1) % 64);
    if first == last {
        words[first] |= low & high;
        return;
    }
    words[first] |= low;
    for word in &mut words[first + 1..last] {
        *word = u64::MAX;
    }
    words[last] |= high;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set() -> impl Strategy<Value = (Vec<Row>, u8)> {
        (proptest::collection::vec(0u32..300, 0..280), 0u8..4)
    }

    fn build(rows: &[Row], how: u8) -> (RowSet, BTreeSet<Row>) {
        match how {
            0 => {
                let start = rows.first().copied().unwrap_or(0);
                let end = rows.last().copied().unwrap_or(0).max(start);
                (RowSet::range(300, start, end), (start..end).collect())
            }
            1 => (
                RowSet::from_rows(300, rows.to_vec()),
                rows.iter().copied().collect(),
            ),
            2 => {
                let few = &rows[..rows.len().min(4)];
                (
                    RowSet::from_rows(300, few.to_vec()),
                    few.iter().copied().collect(),
                )
            }
            _ => {
                let mut builder = RowSetBuilder::new(300);
                for row in rows {
                    builder.push(*row);
                }
                (builder.finish(), rows.iter().copied().collect())
            }
        }
    }

    proptest! {
        #[test]
        fn operations_agree_with_ordered_sets((a, how_a) in set(), (b, how_b) in set()) {
            let (left, left_truth) = build(&a, how_a);
            let (right, right_truth) = build(&b, how_b);
            let same = |set: RowSet, truth: BTreeSet<Row>| {
                assert_eq!(set.iter().collect::<Vec<_>>(), truth.iter().copied().collect::<Vec<_>>());
                assert_eq!(set.len() as usize, truth.len());
                for row in 0..310 {
                    assert_eq!(set.contains(row), truth.contains(&row));
                }
            };
            same(left.clone(), left_truth.clone());
            same(left.and(&right), left_truth.intersection(&right_truth).copied().collect());
            same(left.or(&right), left_truth.union(&right_truth).copied().collect());
            same(left.and_not(&right), left_truth.difference(&right_truth).copied().collect());
            same(left.not(), (0..300).filter(|row| !left_truth.contains(row)).collect());
            same(RowSet::from_words(300, left.to_words()), left_truth);
        }
    }

    #[test]
    fn a_full_set_is_a_range() {
        assert_eq!(
            RowSet::from_rows(100, (0..100).collect()).not(),
            RowSet::empty(100)
        );
        assert!(RowSet::from_words(70, vec![u64::MAX, u64::MAX]).is_all());
        assert_eq!(RowSet::all(0).iter().count(), 0);
    }
}
