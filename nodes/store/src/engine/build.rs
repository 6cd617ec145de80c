//! Columns while they are filled: the rows come in order, each with zero, one or several values.
//!
//! Invariants: as `column`, but dictionaries are in order of arrival; offsets appear with the first row
//! that has not exactly one value. Not here: coercion (the mapping did it), files.

use std::hash::BuildHasher as _;

use hashbrown::HashTable;
use wharf_store_core::columns::ColumnKind;

use super::codec::terms::Terms;
use super::column::Values;

/// Terms numbered in order of arrival.
pub(crate) struct TermSet {
    terms: Terms,
    table: HashTable<u32>,
    hasher: hashbrown::DefaultHashBuilder,
    last: u32,
}

impl TermSet {
    pub(crate) fn new() -> Self {
        Self {
            terms: Terms::default(),
            table: HashTable::new(),
            hasher: hashbrown::DefaultHashBuilder::default(),
            last: 0,
        }
    }

    /// The number of a term, new or known; `None` when 4 GiB of terms are held.
    pub(crate) fn intern(&mut self, term: &[u8]) -> Option<(u32, bool)> {
        // Most columns repeat the value before.
        if self.terms.len() > 0 && self.terms.get(self.last) == term {
            return Some((self.last, false));
        }
        let hash = self.hasher.hash_one(term);
        let terms = &self.terms;
        if let Some(found) = self.table.find(hash, |id| terms.get(*id) == term) {
            self.last = *found;
            return Some((*found, false));
        }
        let id = self.terms.len() as u32;
        self.terms.append(term)?;
        let (terms, hasher) = (&self.terms, &self.hasher);
        self.table
            .insert_unique(hash, id, |id| hasher.hash_one(terms.get(*id)));
        self.last = id;
        Some((id, true))
    }

    /// The number of a known term.
    pub(crate) fn find(&self, term: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(term);
        self.table
            .find(hash, |id| self.terms.get(*id) == term)
            .copied()
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The numbers in byte order of their terms.
    pub(crate) fn sorted(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.terms.len() as u32).collect();
        order.sort_unstable_by(|a, b| self.terms.get(*a).cmp(self.terms.get(*b)));
        order
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.terms.heap_bytes() + self.table.capacity() * 5
    }
}

enum Filling {
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Terms { ords: Vec<u32>, set: TermSet },
}

/// A column being filled.
pub(crate) struct ColumnBuilder {
    kind: ColumnKind,
    filling: Filling,
    /// One entry a row so far, then the number of values, once a row did not have exactly one.
    offsets: Option<Vec<u32>>,
    /// The row that is being filled, and where its values start.
    row: Option<(u32, usize)>,
}

impl ColumnBuilder {
    pub(crate) fn new(kind: ColumnKind) -> Self {
        let filling = match kind {
            ColumnKind::Double => Filling::Floats(Vec::new()),
            ColumnKind::Long | ColumnKind::Bool | ColumnKind::Date => Filling::Integers(Vec::new()),
            ColumnKind::Keyword | ColumnKind::Ip => Filling::Terms {
                ords: Vec::new(),
                set: TermSet::new(),
            },
        };
        Self {
            kind,
            filling,
            offsets: None,
            row: None,
        }
    }

    pub(crate) fn kind(&self) -> ColumnKind {
        self.kind
    }

    fn len(&self) -> usize {
        match &self.filling {
            Filling::Integers(v) => v.len(),
            Filling::Floats(v) => v.len(),
            Filling::Terms { ords, .. } => ords.len(),
        }
    }

    /// Makes room for a value of `row`; rows never go back.
    fn open(&mut self, row: u32) {
        let len = self.len();
        if let Some((current, start)) = self.row
            && current == row
        {
            // A second value: from here on offsets say where rows start.
            if self.offsets.is_none() {
                self.offsets = Some((0..=start as u32).collect());
            }
            return;
        }
        match &mut self.offsets {
            None if len == row as usize => {}
            None => {
                let mut offsets: Vec<u32> = (0..len as u32).collect();
                offsets.resize(row as usize + 1, len as u32);
                self.offsets = Some(offsets);
            }
            Some(offsets) => offsets.resize(row as usize + 1, len as u32),
        }
        self.row = Some((row, len));
    }

    /// Adds a whole number to a row.
    pub(crate) fn push_integer(&mut self, row: u32, value: i64) {
        self.open(row);
        let start = self.row.map_or(0, |(_, start)| start);
        if let Filling::Integers(values) = &mut self.filling {
            let at = start + values[start..].partition_point(|v| *v <= value);
            values.insert(at, value);
        }
    }

    /// Adds a float to a row; NaN is dropped.
    pub(crate) fn push_float(&mut self, row: u32, value: f64) {
        if value.is_nan() {
            return;
        }
        self.open(row);
        let start = self.row.map_or(0, |(_, start)| start);
        if let Filling::Floats(values) = &mut self.filling {
            let at = start + values[start..].partition_point(|v| *v <= value);
            values.insert(at, value);
        }
    }

    /// Adds a term to a row, once.
    pub(crate) fn push_term(&mut self, row: u32, term: &str) {
        let Filling::Terms { set, .. } = &mut self.filling else {
            return;
        };
        let Some((ord, _)) = set.intern(term.as_bytes()) else {
            return;
        };
        self.push_ord(row, ord);
    }

    /// The dictionary number of a term, to be added with [`Self::push_ord`].
    pub(crate) fn intern(&mut self, term: &[u8]) -> Option<u32> {
        match &mut self.filling {
            Filling::Terms { set, .. } => set.intern(term).map(|(ord, _)| ord),
            _ => None,
        }
    }

    /// Adds a dictionary number to a row, once.
    pub(crate) fn push_ord(&mut self, row: u32, ord: u32) {
        if let (Some((current, start)), Filling::Terms { ords, .. }) = (self.row, &self.filling)
            && current == row
            && ords[start..].contains(&ord)
        {
            return;
        }
        self.open(row);
        let start = self.row.map_or(0, |(_, start)| start);
        if let Filling::Terms { ords, .. } = &mut self.filling {
            let at = start + ords[start..].partition_point(|v| *v < ord);
            ords.insert(at, ord);
        }
    }

    /// A copy of the first `rows` rows.
    pub(crate) fn freeze(&self, rows: u32) -> (Values, Option<Vec<u32>>) {
        let total = self.len();
        let (offsets, count) = match &self.offsets {
            None if total >= rows as usize => (None, rows as usize),
            None => {
                let mut offsets: Vec<u32> = (0..=total as u32).collect();
                offsets.resize(rows as usize + 1, total as u32);
                (Some(offsets), total)
            }
            Some(offsets) => {
                let mut cut: Vec<u32> = offsets.iter().take(rows as usize + 1).copied().collect();
                cut.resize(rows as usize + 1, total as u32);
                let count = cut.last().map_or(0, |c| *c as usize);
                (Some(cut), count)
            }
        };
        let values = match &self.filling {
            Filling::Integers(v) => Values::Integers(v[..count].to_vec()),
            Filling::Floats(v) => Values::Floats(v[..count].to_vec()),
            Filling::Terms { ords, set } => Values::Terms {
                ords: ords[..count].to_vec(),
                terms: set.terms().clone(),
                sorted: false,
            },
        };
        (values, offsets)
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let values = match &self.filling {
            Filling::Integers(v) => v.capacity() * 8,
            Filling::Floats(v) => v.capacity() * 8,
            Filling::Terms { ords, set } => ords.capacity() * 4 + set.heap_bytes(),
        };
        values + self.offsets.as_ref().map_or(0, |o| o.capacity() * 4)
    }
}

/// The rows of a term while a text field is filled.
enum Posting {
    One(u32),
    Many(Vec<u32>),
}

/// A text field being filled: its terms with their rows.
pub(crate) struct TextBuilder {
    set: TermSet,
    postings: Vec<Posting>,
    posting_bytes: usize,
    rows: Vec<u32>,
    terms: u64,
}

impl TextBuilder {
    pub(crate) fn new() -> Self {
        Self {
            set: TermSet::new(),
            postings: Vec::new(),
            posting_bytes: 0,
            rows: Vec::new(),
            terms: 0,
        }
    }

    /// Says that a row has a value, even one without terms.
    pub(crate) fn present(&mut self, row: u32) {
        if self.rows.last() != Some(&row) {
            self.rows.push(row);
        }
    }

    /// Adds one term of a row.
    pub(crate) fn push(&mut self, row: u32, term: &str) {
        self.terms += 1;
        let Some((id, new)) = self.set.intern(term.as_bytes()) else {
            return;
        };
        if new {
            self.postings.push(Posting::One(row));
            self.posting_bytes += size_of::<Posting>();
            return;
        }
        let posting = &mut self.postings[id as usize];
        match posting {
            Posting::One(first) if *first == row => {}
            Posting::One(first) => {
                *posting = Posting::Many(vec![*first, row]);
                self.posting_bytes += 16;
            }
            Posting::Many(rows) => {
                if rows.last() != Some(&row) {
                    rows.push(row);
                    self.posting_bytes += 4;
                }
            }
        }
    }

    /// The rows of a term.
    pub(crate) fn term_rows(&self, term: &str) -> &[u32] {
        self.set
            .find(term.as_bytes())
            .map_or(&[], |id| self.posting(id))
    }

    /// The rows of the term with this number.
    pub(crate) fn posting(&self, id: u32) -> &[u32] {
        match self.postings.get(id as usize) {
            Some(Posting::One(row)) => std::slice::from_ref(row),
            Some(Posting::Many(rows)) => rows,
            None => &[],
        }
    }

    pub(crate) fn set(&self) -> &TermSet {
        &self.set
    }

    /// Rows with a value.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Terms in all rows, repeats counted.
    pub(crate) fn term_count(&self) -> u64 {
        self.terms
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.set.heap_bytes() + self.posting_bytes + self.rows.capacity() * 4
    }
}
