//! Plain in-memory columns: vectors with offsets where a row has none or several values.
//! Invariants: as `Numbers` and `Keywords` say; `offsets` is absent exactly when every row has one value.
//! Not here: compression (engines have their own).

use super::{Keywords, Number, Numbers, Row, RowSet};
use std::borrow::Cow;
use std::collections::HashMap;

/// Numbers in one vector.
#[derive(Debug, Clone)]
pub struct DenseNumbers<T> {
    values: Vec<T>,
    /// `offsets[row]..offsets[row + 1]`; absent when every row has one value.
    offsets: Option<Vec<u32>>,
    rows: u32,
    min_max: Option<(T, T)>,
    single: bool,
}

impl<T: Number> DenseNumbers<T> {
    /// From the values of each row, in any order within a row.
    #[must_use]
    pub fn from_rows(rows: &[Vec<T>]) -> Self {
        let mut values = Vec::new();
        let mut offsets = Vec::with_capacity(rows.len() + 1);
        offsets.push(0);
        for row in rows {
            let start = values.len();
            values.extend_from_slice(row);
            values[start..].sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
            offsets.push(values.len() as u32);
        }
        let single = rows.iter().all(|row| row.len() <= 1);
        let dense = rows.iter().all(|row| row.len() == 1);
        let mut min_max: Option<(T, T)> = None;
        for value in &values {
            min_max = Some(match min_max {
                None => (*value, *value),
                Some((low, high)) => (
                    if *value < low { *value } else { low },
                    if *value > high { *value } else { high },
                ),
            });
        }
        Self {
            values,
            offsets: (!dense).then_some(offsets),
            rows: rows.len() as u32,
            min_max,
            single,
        }
    }

    fn slice(&self, row: Row) -> &[T] {
        if row >= self.rows {
            return &[];
        }
        let row = row as usize;
        match &self.offsets {
            None => &self.values[row..=row],
            Some(offsets) => &self.values[offsets[row] as usize..offsets[row + 1] as usize],
        }
    }
}

impl<T: Number> Numbers<T> for DenseNumbers<T> {
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

    fn first(&self, row: Row) -> Option<T> {
        self.slice(row).first().copied()
    }

    fn all(&self, row: Row, out: &mut Vec<T>) {
        out.extend_from_slice(self.slice(row));
    }

    fn scan(&self, rows: &RowSet, visit: &mut dyn FnMut(Row, T)) {
        for row in rows.iter() {
            for value in self.slice(row) {
                visit(row, *value);
            }
        }
    }
}

/// Terms in a dictionary in order of their bytes.
#[derive(Debug, Clone)]
pub struct DictKeywords {
    terms: Vec<Box<str>>,
    ords: DenseNumbers<u32>,
}

impl DictKeywords {
    /// From the terms of each row; duplicates in a row are removed.
    #[must_use]
    pub fn from_rows(rows: &[Vec<String>]) -> Self {
        let mut terms: Vec<Box<str>> = rows
            .iter()
            .flatten()
            .map(|term| term.as_str().into())
            .collect();
        terms.sort_unstable();
        terms.dedup();
        let numbers: HashMap<&str, u32> = terms
            .iter()
            .enumerate()
            .map(|(at, term)| (term.as_ref(), at as u32))
            .collect();
        let ords: Vec<Vec<u32>> = rows
            .iter()
            .map(|row| {
                let mut ords: Vec<u32> = row
                    .iter()
                    .filter_map(|term| numbers.get(term.as_str()).copied())
                    .collect();
                ords.sort_unstable();
                ords.dedup();
                ords
            })
            .collect();
        let ords = DenseNumbers::from_rows(&ords);
        Self { terms, ords }
    }
}

impl Keywords for DictKeywords {
    fn ords(&self) -> &dyn Numbers<u32> {
        &self.ords
    }

    fn ord_count(&self) -> u32 {
        self.terms.len() as u32
    }

    fn term(&self, ord: u32) -> Cow<'_, str> {
        self.terms
            .get(ord as usize)
            .map_or(Cow::Borrowed(""), |term| Cow::Borrowed(term))
    }

    fn ord(&self, term: &str) -> Option<u32> {
        self.terms
            .binary_search_by(|probe| probe.as_ref().cmp(term))
            .ok()
            .map(|at| at as u32)
    }

    fn is_sorted(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_values_none_and_one_are_told_apart() {
        let column = DenseNumbers::from_rows(&[vec![3i64, 1], vec![], vec![2]]);
        assert_eq!(column.first(0), Some(1));
        assert_eq!(column.first(1), None);
        assert_eq!(column.min_max(), Some((1, 3)));
        assert!(!column.is_single() && !column.is_dense());
        assert_eq!(column.present().iter().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(column.range_rows(2, 3).iter().collect::<Vec<_>>(), [0, 2]);
        assert_eq!(column.range_rows(9, 12).len(), 0);
        let mut read = [0; 3];
        DenseNumbers::from_rows(&[vec![3i64], vec![], vec![2]]).read(0, -1, &mut read);
        assert_eq!(read, [3, -1, 2]);
    }

    #[test]
    fn terms_are_found_by_number_and_text() {
        let column = DictKeywords::from_rows(&[
            vec!["b".into(), "a".into(), "b".into()],
            vec!["c".into()],
            vec![],
        ]);
        assert_eq!(column.ord("b"), Some(1));
        assert_eq!(column.term(2), "c");
        assert_eq!(column.rows_of(0).iter().collect::<Vec<_>>(), [0]);
        assert_eq!(
            column
                .rows_of_any(&[false, true, true])
                .iter()
                .collect::<Vec<_>>(),
            [0, 1]
        );
        let mut ords = Vec::new();
        column.ords().all(0, &mut ords);
        assert_eq!(ords, [0, 1]);
    }
}
