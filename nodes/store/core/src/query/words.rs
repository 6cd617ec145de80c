//! Words and phrases in texts: by the engine's index where there is one, verified on the source.
//!
//! Invariants: index answers that are exact are not read again; phrases are always read; values of
//! an array lie 100 positions apart, so that no phrase spans two of them.
//! Not here: scores (`score.rs`), analysis (`analyze.rs`).

use super::extract;
use super::plan::{TermTest, TextField};
use crate::columns::{RowSet, RowSetBuilder, Segment};
use crate::error::EsError;

/// Distance between two values of an array.
const GAP: u32 = 100;

/// Calls `visit` with every term and position of a field in a source.
pub(crate) fn each_term(source: &[u8], field: &TextField, mut visit: impl FnMut(&str, u32)) {
    let mut position = 0;
    let mut first = true;
    for path in &field.source_paths {
        extract::texts(source, path, &mut |text| {
            if !first {
                position += GAP;
            }
            first = false;
            field.analyzer.each(text, &mut |term, _| {
                visit(&term, position);
                position += 1;
            });
        });
    }
}

/// Rows of `within` in which at least `required` of the words occur.
pub(crate) fn rows(
    segment: &dyn Segment,
    field: &TextField,
    tests: &[TermTest],
    required: usize,
    within: &RowSet,
) -> Result<RowSet, EsError> {
    let exact: Option<Vec<RowSet>> = tests
        .iter()
        .map(|test| {
            test.exact()
                .and_then(|term| segment.term_rows(&field.path, term))
        })
        .collect();
    if let Some(sets) = exact {
        return Ok(counted(&sets, required, within));
    }
    let candidates = superset(segment, field, tests, required, within);
    let mut found = RowSetBuilder::new(within.universe());
    let mut hit = vec![false; tests.len()];
    segment.sources(&candidates, &mut |row, source| {
        hit.fill(false);
        each_term(source, field, |term, _| {
            for (slot, test) in hit.iter_mut().zip(tests) {
                *slot = *slot || test.accepts(term);
            }
        });
        if hit.iter().filter(|hit| **hit).count() >= required {
            found.push(row);
        }
        true
    })?;
    Ok(found.finish())
}

fn counted(sets: &[RowSet], required: usize, within: &RowSet) -> RowSet {
    if required <= 1 {
        let all = sets
            .iter()
            .fold(RowSet::empty(within.universe()), |sum, set| sum.or(set));
        return all.and(within);
    }
    if required == sets.len() {
        return sets.iter().fold(within.clone(), |left, set| left.and(set));
    }
    let mut counts = vec![0u16; within.universe() as usize];
    for set in sets {
        for row in set.iter() {
            counts[row as usize] += 1;
        }
    }
    within.filter(|row| usize::from(counts[row as usize]) >= required)
}

/// Rows that may have enough of the words.
fn superset(
    segment: &dyn Segment,
    field: &TextField,
    tests: &[TermTest],
    required: usize,
    within: &RowSet,
) -> RowSet {
    let within = match segment.text_rows(&field.path) {
        Some(present) => present.and(within),
        None => within.clone(),
    };
    let sets: Vec<RowSet> = tests
        .iter()
        .map(|test| {
            let known = test.exact().and_then(|term| {
                segment
                    .term_rows(&field.path, term)
                    .or_else(|| segment.maybe_term_rows(&field.path, term))
            });
            known.unwrap_or_else(|| within.clone())
        })
        .collect();
    counted(&sets, required, &within)
}

/// Rows of `within` in which the words stand in a row.
pub(crate) fn phrase_rows(
    segment: &dyn Segment,
    field: &TextField,
    tests: &[TermTest],
    slop: u32,
    within: &RowSet,
) -> Result<RowSet, EsError> {
    let candidates = superset(segment, field, tests, tests.len(), within);
    let mut found = RowSetBuilder::new(within.universe());
    let mut places: Vec<Vec<u32>> = vec![Vec::new(); tests.len()];
    segment.sources(&candidates, &mut |row, source| {
        if phrase_count(source, field, tests, slop, &mut places) > 0.0 {
            found.push(row);
        }
        true
    })?;
    Ok(found.finish())
}

/// How often the phrase occurs; sloppy occurrences count less, as Lucene's do.
pub(super) fn phrase_count(
    source: &[u8],
    field: &TextField,
    tests: &[TermTest],
    slop: u32,
    places: &mut [Vec<u32>],
) -> f32 {
    places.iter_mut().for_each(Vec::clear);
    each_term(source, field, |term, position| {
        for (list, test) in places.iter_mut().zip(tests) {
            if test.accepts(term) {
                list.push(position);
            }
        }
    });
    if places.iter().any(Vec::is_empty) {
        return 0.0;
    }
    if slop == 0 {
        let follows = |start: &&u32| {
            places
                .iter()
                .enumerate()
                .skip(1)
                .all(|(offset, list)| list.binary_search(&(**start + offset as u32)).is_ok())
        };
        return places[0].iter().filter(follows).count() as f32;
    }
    sloppy(places, slop)
}

/// Places are moved to where the first word would stand; the spread of one match is its distance.
fn sloppy(places: &[Vec<u32>], slop: u32) -> f32 {
    let moved: Vec<Vec<i64>> = places
        .iter()
        .enumerate()
        .map(|(offset, list)| list.iter().map(|p| i64::from(*p) - offset as i64).collect())
        .collect();
    let mut at = vec![0usize; moved.len()];
    let mut count = 0.0;
    let mut best: Option<i64> = None;
    loop {
        let current = |i: usize| moved[i][at[i]];
        let (mut low, mut high) = (0, i64::MIN);
        for i in 0..moved.len() {
            if current(i) < current(low) {
                low = i;
            }
            high = high.max(current(i));
        }
        let spread = high - current(low);
        // Two words may not share a place.
        let mut taken: Vec<i64> = (0..moved.len()).map(|i| current(i) + i as i64).collect();
        taken.sort_unstable();
        let apart = taken.windows(2).all(|pair| pair[0] != pair[1]);
        if spread <= i64::from(slop) && apart {
            best = Some(best.map_or(spread, |best: i64| best.min(spread)));
        } else if let Some(spread) = best.take() {
            count += 1.0 / (1.0 + spread as f32);
        }
        at[low] += 1;
        if at[low] >= moved[low].len() {
            break;
        }
    }
    if let Some(spread) = best {
        count += 1.0 / (1.0 + spread as f32);
    }
    count
}

/// Rows of `within` with any value of the field in the source.
pub(crate) fn with_any_value(
    segment: &dyn Segment,
    field: &TextField,
    within: &RowSet,
) -> Result<RowSet, EsError> {
    let mut found = RowSetBuilder::new(within.universe());
    segment.sources(within, &mut |row, source| {
        let mut any = false;
        for path in &field.source_paths {
            extract::texts(source, path, &mut |_| any = true);
        }
        if any {
            found.push(row);
        }
        true
    })?;
    Ok(found.finish())
}
