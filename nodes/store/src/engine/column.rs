//! Columns in memory, as searches see them: values end to end, offsets where rows have none or several,
//! zones of least and largest values.
//!
//! Invariants: values of a row are ascending; offsets rise and their last is the number of values;
//! zones cover `ZONE` rows each. Not here: how they are filled (`build`) or read from files (`layout`).

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::Arc;

use wharf_store_core::columns::{
    Column, ColumnKind, Keywords, Number, Numbers, Row, RowSet, RowSetBuilder,
};

use super::codec::terms::Terms;

const ZONE: usize = 1024;

/// A stored form of a number.
pub(crate) trait Stored<T>: Copy + Send + Sync + 'static {
    fn wide(self) -> T;
}

macro_rules! stored {
    ($($from:ty => $to:ty),*) => {$(
        impl Stored<$to> for $from {
            #[inline]
            fn wide(self) -> $to {
                <$to>::from(self)
            }
        }
    )*};
}
stored!(i16 => i64, i32 => i64, i64 => i64, f64 => f64, u8 => u32, u16 => u32, u32 => u32);

/// Numbers of one column.
pub(crate) struct Packed<S, T> {
    values: Vec<S>,
    offsets: Option<Vec<u32>>,
    rows: u32,
    single: bool,
    zones: Vec<Option<(T, T)>>,
    min_max: Option<(T, T)>,
    wide: PhantomData<T>,
}

fn wider<T: Number>(zone: Option<(T, T)>, value: T) -> Option<(T, T)> {
    Some(match zone {
        None => (value, value),
        Some((low, high)) => (
            if value < low { value } else { low },
            if value > high { value } else { high },
        ),
    })
}

impl<S: Stored<T>, T: Number> Packed<S, T> {
    /// From values and, unless each row has exactly one, `rows + 1` offsets.
    pub(crate) fn new(values: Vec<S>, offsets: Option<Vec<u32>>, rows: u32) -> Self {
        let mut zones = Vec::with_capacity((rows as usize).div_ceil(ZONE));
        let mut single = true;
        for start in (0..rows as usize).step_by(ZONE) {
            let end = (start + ZONE).min(rows as usize);
            let part = match &offsets {
                None => &values[start..end],
                Some(offsets) => {
                    single &= offsets[start..=end].windows(2).all(|w| w[1] - w[0] <= 1);
                    &values[offsets[start] as usize..offsets[end] as usize]
                }
            };
            zones.push(part.iter().fold(None, |zone, v| wider(zone, v.wide())));
        }
        let min_max = zones
            .iter()
            .flatten()
            .fold(None, |all, (low, high)| wider(wider(all, *low), *high));
        Self {
            values,
            offsets,
            rows,
            single,
            zones,
            min_max,
            wide: PhantomData,
        }
    }

    fn slice(&self, row: Row) -> &[S] {
        if row >= self.rows {
            return &[];
        }
        let row = row as usize;
        match &self.offsets {
            None => &self.values[row..=row],
            Some(offsets) => &self.values[offsets[row] as usize..offsets[row + 1] as usize],
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.values.capacity() * size_of::<S>()
            + self.offsets.as_ref().map_or(0, |o| o.capacity() * 4)
            + self.zones.len() * size_of::<Option<(T, T)>>()
    }
}

impl<S: Stored<T>, T: Number> Numbers<T> for Packed<S, T> {
    fn rows(&self) -> u32 {
        self.rows
    }

    fn min_max(&self) -> Option<(T, T)> {
        self.min_max
    }

    fn is_single(&self) -> bool {
        self.single
    }

    fn is_dense(&self) -> bool {
        self.offsets.is_none()
    }

    #[inline]
    fn first(&self, row: Row) -> Option<T> {
        self.slice(row).first().map(|v| v.wide())
    }

    fn all(&self, row: Row, out: &mut Vec<T>) {
        out.extend(self.slice(row).iter().map(|v| v.wide()));
    }

    fn scan(&self, rows: &RowSet, visit: &mut dyn FnMut(Row, T)) {
        match (&self.offsets, rows.as_range()) {
            (None, Some((start, end))) => {
                let end = end.min(self.rows);
                for row in start..end {
                    visit(row, self.values[row as usize].wide());
                }
            }
            (None, None) => {
                for row in rows.iter() {
                    if let Some(v) = self.values.get(row as usize) {
                        visit(row, v.wide());
                    }
                }
            }
            (Some(_), _) => {
                for row in rows.iter() {
                    for v in self.slice(row) {
                        visit(row, v.wide());
                    }
                }
            }
        }
    }

    fn read(&self, start: Row, absent: T, out: &mut [T]) {
        match &self.offsets {
            None => {
                let from = (start as usize).min(self.values.len());
                let part = &self.values[from..(from + out.len()).min(self.values.len())];
                for (slot, v) in out.iter_mut().zip(part) {
                    *slot = v.wide();
                }
                for slot in out.iter_mut().skip(part.len()) {
                    *slot = absent;
                }
            }
            Some(_) => {
                for (n, slot) in out.iter_mut().enumerate() {
                    *slot = self.first(start + n as u32).unwrap_or(absent);
                }
            }
        }
    }

    fn range_rows(&self, min: T, max: T) -> RowSet {
        match self.min_max {
            None => return RowSet::empty(self.rows),
            Some((low, high)) if low > max || high < min => return RowSet::empty(self.rows),
            Some((low, high)) if low >= min && high <= max => return self.present(),
            Some(_) => {}
        }
        let mut words = vec![0u64; (self.rows as usize).div_ceil(64)];
        for (n, zone) in self.zones.iter().enumerate() {
            let Some((low, high)) = zone else { continue };
            if *low > max || *high < min {
                continue;
            }
            let start = n * ZONE;
            let end = (start + ZONE).min(self.rows as usize);
            match &self.offsets {
                None => {
                    for (word, part) in words[start / 64..]
                        .iter_mut()
                        .zip(self.values[start..end].chunks(64))
                    {
                        let mut bits = 0u64;
                        for (bit, v) in part.iter().enumerate() {
                            let v = v.wide();
                            bits |= u64::from(v >= min && v <= max) << bit;
                        }
                        *word = bits;
                    }
                }
                Some(offsets) => {
                    for row in start..end {
                        let part = &self.values[offsets[row] as usize..offsets[row + 1] as usize];
                        if part.iter().any(|v| v.wide() >= min && v.wide() <= max) {
                            words[row / 64] |= 1 << (row % 64);
                        }
                    }
                }
            }
        }
        RowSet::from_words(self.rows, words)
    }

    fn present(&self) -> RowSet {
        let Some(offsets) = &self.offsets else {
            return RowSet::all(self.rows);
        };
        let mut words = vec![0u64; (self.rows as usize).div_ceil(64)];
        for (row, pair) in offsets.windows(2).enumerate() {
            words[row / 64] |= u64::from(pair[1] > pair[0]) << (row % 64);
        }
        RowSet::from_words(self.rows, words)
    }
}

/// A column of terms.
pub(crate) struct KeywordColumn {
    ords: Box<dyn Numbers<u32>>,
    terms: Terms,
    sorted: bool,
    bytes: usize,
}

impl KeywordColumn {
    /// From dictionary numbers and the dictionary.
    pub(crate) fn new(
        values: Vec<u32>,
        offsets: Option<Vec<u32>>,
        rows: u32,
        terms: Terms,
        sorted: bool,
    ) -> Self {
        let (ords, bytes): (Box<dyn Numbers<u32>>, usize) = if terms.len() <= 1 << 8 {
            let packed = Packed::new(values.iter().map(|v| *v as u8).collect(), offsets, rows);
            let bytes = Packed::<u8, u32>::heap_bytes(&packed);
            (Box::new(packed), bytes)
        } else if terms.len() <= 1 << 16 {
            let packed = Packed::new(values.iter().map(|v| *v as u16).collect(), offsets, rows);
            let bytes = Packed::<u16, u32>::heap_bytes(&packed);
            (Box::new(packed), bytes)
        } else {
            let packed = Packed::<u32, u32>::new(values, offsets, rows);
            let bytes = packed.heap_bytes();
            (Box::new(packed), bytes)
        };
        let bytes = bytes + terms.heap_bytes();
        Self {
            ords,
            terms,
            sorted,
            bytes,
        }
    }
}

impl Keywords for KeywordColumn {
    fn ords(&self) -> &dyn Numbers<u32> {
        &*self.ords
    }

    fn ord_count(&self) -> u32 {
        self.terms.len() as u32
    }

    fn term(&self, ord: u32) -> Cow<'_, str> {
        String::from_utf8_lossy(self.terms.get(ord))
    }

    fn ord(&self, term: &str) -> Option<u32> {
        if self.sorted {
            return self.terms.find(term.as_bytes());
        }
        (0..self.terms.len() as u32).find(|ord| self.terms.get(*ord) == term.as_bytes())
    }

    fn is_sorted(&self) -> bool {
        self.sorted
    }

    fn rows_of_any(&self, chosen: &[bool]) -> RowSet {
        let rows = self.ords.rows();
        let mut found = RowSetBuilder::new(rows);
        self.ords.scan(&RowSet::all(rows), &mut |row, ord| {
            if chosen.get(ord as usize).copied().unwrap_or(false) {
                found.push(row);
            }
        });
        found.finish()
    }
}

/// Builds an integer column in the narrowest form, with the bytes it takes.
fn integers(
    values: Vec<i64>,
    offsets: Option<Vec<u32>>,
    rows: u32,
) -> (Arc<dyn Numbers<i64>>, usize) {
    let fits = |low: i64, high: i64| values.iter().all(|v| *v >= low && *v <= high);
    if fits(i64::from(i16::MIN), i64::from(i16::MAX)) {
        let packed = Packed::new(values.iter().map(|v| *v as i16).collect(), offsets, rows);
        let bytes = Packed::<i16, i64>::heap_bytes(&packed);
        (Arc::new(packed), bytes)
    } else if fits(i64::from(i32::MIN), i64::from(i32::MAX)) {
        let packed = Packed::new(values.iter().map(|v| *v as i32).collect(), offsets, rows);
        let bytes = Packed::<i32, i64>::heap_bytes(&packed);
        (Arc::new(packed), bytes)
    } else {
        let packed = Packed::<i64, i64>::new(values, offsets, rows);
        let bytes = packed.heap_bytes();
        (Arc::new(packed), bytes)
    }
}

/// The values of a column, before they take the form that searches see.
pub(crate) enum Values {
    /// Long, bool, date.
    Integers(Vec<i64>),
    /// Double.
    Floats(Vec<f64>),
    /// Keyword, ip.
    Terms {
        /// Dictionary numbers.
        ords: Vec<u32>,
        /// The dictionary.
        terms: Terms,
        /// Whether it is in byte order.
        sorted: bool,
    },
}

/// Makes the column that searches see, with the bytes it takes. `None`: kind and values disagree.
pub(crate) fn assemble(
    kind: ColumnKind,
    values: Values,
    offsets: Option<Vec<u32>>,
    rows: u32,
) -> Option<(Column, usize)> {
    Some(match (kind, values) {
        (ColumnKind::Double, Values::Floats(values)) => {
            let packed = Packed::<f64, f64>::new(values, offsets, rows);
            let bytes = packed.heap_bytes();
            (Column::Double(Arc::new(packed)), bytes)
        }
        (ColumnKind::Long, Values::Integers(values)) => {
            let (column, bytes) = integers(values, offsets, rows);
            (Column::Long(column), bytes)
        }
        (ColumnKind::Bool, Values::Integers(values)) => {
            let (column, bytes) = integers(values, offsets, rows);
            (Column::Bool(column), bytes)
        }
        (ColumnKind::Date, Values::Integers(values)) => {
            let (column, bytes) = integers(values, offsets, rows);
            (Column::Date(column), bytes)
        }
        (
            ColumnKind::Keyword,
            Values::Terms {
                ords,
                terms,
                sorted,
            },
        ) => {
            let column = KeywordColumn::new(ords, offsets, rows, terms, sorted);
            let bytes = column.bytes;
            (Column::Keyword(Arc::new(column)), bytes)
        }
        (
            ColumnKind::Ip,
            Values::Terms {
                ords,
                terms,
                sorted,
            },
        ) => {
            let column = KeywordColumn::new(ords, offsets, rows, terms, sorted);
            let bytes = column.bytes;
            (Column::Ip(Arc::new(column)), bytes)
        }
        _ => return None,
    })
}
