//! The seam between search code and engines: what a query or an aggregation sees of a set of rows.
//! Invariants: rows are numbered `0..rows()`; a segment is a frozen view (it never changes while it is borrowed);
//! deleted rows keep their number and are absent from `live()`; values are already coerced by the mapping, so
//! one path has one kind of column in one segment (two indices may disagree, callers handle that).
//! Not here: how columns are stored (engine), what a path means (`mapping`), how a query uses them (`query`).

mod rowset;
mod sources;

use std::borrow::Cow;
use std::sync::Arc;

pub use rowset::{RowIter, RowSet, RowSetBuilder};
pub use sources::{DenseNumbers, DictKeywords};

/// A row's number in its segment.
pub type Row = u32;

/// What a read from an engine may answer besides rows.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SegmentError {
    /// The bytes on disk are not what was written.
    #[error("segment is damaged: {0}; restore the index or delete it")]
    Damaged(String),
    /// The file system refused.
    #[error("cannot read segment: {0}; look at the disk")]
    Io(String),
}

/// What a document is besides its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowMeta<'a> {
    /// `_id`.
    pub id: Cow<'a, str>,
    /// `_version`.
    pub version: u64,
    /// `_seq_no`.
    pub seq_no: u64,
    /// `_primary_term`.
    pub primary_term: u64,
}

/// Numbers about a text field that relevance needs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TextStats {
    /// Rows with at least one term.
    pub rows: u64,
    /// Terms in all rows.
    pub terms: u64,
}

/// A frozen set of rows of one index: fresh rows in memory and sealed segments look alike.
pub trait Segment: Send + Sync {
    /// Rows including deleted ones.
    fn rows(&self) -> u32;

    /// The rows that are not deleted.
    fn live(&self) -> Cow<'_, RowSet>;

    /// The column at a full path of the mapping (`docker.cpu.total.pct`, `message.keyword`), aliases resolved by the caller.
    /// `None`: no row has a value, or the field has no column (text, object, `doc_values: false` and `index: false`).
    fn column(&self, path: &str) -> Option<Column>;

    /// Rows (deleted ones included) where the text or keyword field has exactly this term. `None`: no such index, scan instead.
    fn term_rows(&self, path: &str, term: &str) -> Option<RowSet> {
        let _ = (path, term);
        None
    }

    /// Rows which may have the term: a superset, cheap (bloom, zone). Callers verify on the source. `None`: all may.
    fn maybe_term_rows(&self, path: &str, term: &str) -> Option<RowSet> {
        let _ = (path, term);
        None
    }

    /// Rows with a value at a text field (which has no column). `None`: unknown, look into the source.
    fn text_rows(&self, path: &str) -> Option<RowSet> {
        let _ = path;
        None
    }

    /// Numbers for relevance. `None`: callers use 1.0 for the length factor.
    fn text_stats(&self, path: &str) -> Option<TextStats> {
        let _ = path;
        None
    }

    /// The document as it was sent, or rebuilt with equal meaning.
    ///
    /// # Errors
    /// When the engine cannot read it.
    fn source(&self, row: Row) -> Result<Cow<'_, [u8]>, SegmentError>;

    /// Sources of many rows in ascending order: engines that decompress blocks do each block once.
    /// The visitor answers `false` to stop.
    ///
    /// # Errors
    /// When the engine cannot read one.
    fn sources(
        &self,
        rows: &RowSet,
        visit: &mut dyn FnMut(Row, &[u8]) -> bool,
    ) -> Result<(), SegmentError> {
        for row in rows.iter() {
            let source = self.source(row)?;
            if !visit(row, &source) {
                break;
            }
        }
        Ok(())
    }

    /// Id, version and sequence number.
    ///
    /// # Errors
    /// When the engine cannot read it.
    fn meta(&self, row: Row) -> Result<RowMeta<'_>, SegmentError>;

    /// The row (live or not) with this `_id`; the newest where the segment holds several versions.
    ///
    /// # Errors
    /// When the engine cannot read it.
    fn row_of_id(&self, id: &str) -> Result<Option<Row>, SegmentError>;
}

/// A column of one segment. Cheap to clone.
#[derive(Clone)]
pub enum Column {
    /// `long`, `integer`, `short`, `byte`, `unsigned_long` (up to `i64::MAX`).
    Long(Arc<dyn Numbers<i64>>),
    /// `double`, `float`, `half_float`, `scaled_float` (already divided).
    Double(Arc<dyn Numbers<f64>>),
    /// `boolean`, as 0 and 1.
    Bool(Arc<dyn Numbers<i64>>),
    /// `date`, unix milliseconds.
    Date(Arc<dyn Numbers<i64>>),
    /// `keyword`, `constant_keyword`, `wildcard`, keys of `flattened`.
    Keyword(Arc<dyn Keywords>),
    /// `ip`: a keyword column whose terms are canonical address text (IPv4-mapped IPv6 as IPv4).
    Ip(Arc<dyn Keywords>),
}

/// What kind a column is, without its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// Whole numbers.
    Long,
    /// Floating point.
    Double,
    /// 0 and 1.
    Bool,
    /// Unix milliseconds.
    Date,
    /// Terms.
    Keyword,
    /// Address text.
    Ip,
}

impl Column {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> ColumnKind {
        match self {
            Self::Long(_) => ColumnKind::Long,
            Self::Double(_) => ColumnKind::Double,
            Self::Bool(_) => ColumnKind::Bool,
            Self::Date(_) => ColumnKind::Date,
            Self::Keyword(_) => ColumnKind::Keyword,
            Self::Ip(_) => ColumnKind::Ip,
        }
    }

    /// Rows with at least one value, deleted rows included.
    #[must_use]
    pub fn present(&self) -> RowSet {
        match self {
            Self::Long(c) | Self::Bool(c) | Self::Date(c) => c.present(),
            Self::Double(c) => c.present(),
            Self::Keyword(c) | Self::Ip(c) => c.ords().present(),
        }
    }

    /// Whether no row has more than one value.
    #[must_use]
    pub fn is_single(&self) -> bool {
        match self {
            Self::Long(c) | Self::Bool(c) | Self::Date(c) => c.is_single(),
            Self::Double(c) => c.is_single(),
            Self::Keyword(c) | Self::Ip(c) => c.ords().is_single(),
        }
    }
}

/// Values that are compared and scanned: `i64`, `f64` (never NaN) and dictionary numbers `u32`.
pub trait Number: Copy + PartialOrd + Send + Sync + 'static {}
impl Number for i64 {}
impl Number for f64 {}
impl Number for u32 {}

/// A column of numbers: zero, one or several per row. Values of a row come in ascending order, duplicates kept for
/// numbers and removed for dictionary numbers (as Lucene's doc values do).
pub trait Numbers<T: Number>: Send + Sync {
    /// Rows of the segment.
    fn rows(&self) -> u32;

    /// Smallest and largest value; may be wider than the truth (deleted rows), never narrower. `None`: no values.
    fn min_max(&self) -> Option<(T, T)>;

    /// Whether no row has more than one value.
    fn is_single(&self) -> bool;

    /// Whether every row has exactly one value.
    fn is_dense(&self) -> bool {
        false
    }

    /// The first (smallest) value of a row.
    fn first(&self, row: Row) -> Option<T>;

    /// Appends all values of a row.
    fn all(&self, row: Row, out: &mut Vec<T>);

    /// Visits `(row, value)` for every value of the given rows, rows ascending. The hot loop of aggregations: engines
    /// override it to decode block by block.
    fn scan(&self, rows: &RowSet, visit: &mut dyn FnMut(Row, T)) {
        if self.is_single() {
            for row in rows.iter() {
                if let Some(value) = self.first(row) {
                    visit(row, value);
                }
            }
        } else {
            let mut values = Vec::new();
            for row in rows.iter() {
                values.clear();
                self.all(row, &mut values);
                for value in &values {
                    visit(row, *value);
                }
            }
        }
    }

    /// Copies the first values of rows `start..start + out.len()` into `out`; rows without a value get `absent`.
    /// Exact only for `is_single()` columns. Engines override it to copy whole blocks.
    fn read(&self, start: Row, absent: T, out: &mut [T]) {
        for (offset, slot) in out.iter_mut().enumerate() {
            *slot = self.first(start + offset as u32).unwrap_or(absent);
        }
    }

    /// Rows with at least one value in `min..=max`. Engines override it to skip blocks by their zones.
    fn range_rows(&self, min: T, max: T) -> RowSet {
        match self.min_max() {
            None => return RowSet::empty(self.rows()),
            Some((low, high)) if low > max || high < min => return RowSet::empty(self.rows()),
            Some((low, high)) if low >= min && high <= max => return self.present(),
            Some(_) => {}
        }
        let mut found = RowSetBuilder::new(self.rows());
        self.scan(&RowSet::all(self.rows()), &mut |row, value| {
            if value >= min && value <= max {
                found.push(row);
            }
        });
        found.finish()
    }

    /// Rows with at least one value.
    fn present(&self) -> RowSet {
        let all = RowSet::all(self.rows());
        if self.is_dense() {
            return all;
        }
        let mut found = RowSetBuilder::new(self.rows());
        for row in all.iter() {
            if self.first(row).is_some() {
                found.push(row);
            }
        }
        found.finish()
    }
}

/// A column of terms: a dictionary and, per row, numbers into it.
pub trait Keywords: Send + Sync {
    /// Dictionary numbers per row.
    fn ords(&self) -> &dyn Numbers<u32>;

    /// Terms in the dictionary; numbers are `0..ord_count()`. A term may have no live row.
    fn ord_count(&self) -> u32;

    /// The term of a number below `ord_count()`; the empty string beyond.
    fn term(&self, ord: u32) -> Cow<'_, str>;

    /// The number of a term.
    fn ord(&self, term: &str) -> Option<u32>;

    /// Whether numbers are in byte order of the terms (true for sealed segments).
    fn is_sorted(&self) -> bool;

    /// Visits every term in the order of their numbers.
    fn each_term(&self, visit: &mut dyn FnMut(u32, &str)) {
        for ord in 0..self.ord_count() {
            visit(ord, &self.term(ord));
        }
    }

    /// Rows with the term of this number. Engines with postings override it.
    fn rows_of(&self, ord: u32) -> RowSet {
        self.ords().range_rows(ord, ord)
    }

    /// Rows with at least one of the terms whose slot is set; `chosen.len() == ord_count()`.
    fn rows_of_any(&self, chosen: &[bool]) -> RowSet {
        let mut found = RowSetBuilder::new(self.ords().rows());
        self.ords()
            .scan(&RowSet::all(self.ords().rows()), &mut |row, ord| {
                if chosen.get(ord as usize).copied().unwrap_or(false) {
                    found.push(row);
                }
            });
        found.finish()
    }
}
