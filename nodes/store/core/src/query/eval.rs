//! Evaluates a plan over one segment: which rows match.
//!
//! Invariants: an answer holds only rows of `within`; every such row that matches is in it; a row
//! that a superset index offers is verified on its source. Not here: scores (`score.rs`).

use super::coerce::address_number;
use super::plan::{Plan, Presence};
use super::words;
use crate::columns::{Column, Keywords, RowSet, RowSetBuilder, Segment};
use crate::error::EsError;

/// Live rows of the segment that match.
pub fn matching(plan: &Plan, segment: &dyn Segment) -> Result<RowSet, EsError> {
    let live = segment.live();
    rows(plan, segment, &live)
}

/// Rows of `within` that match.
pub fn rows(plan: &Plan, segment: &dyn Segment, within: &RowSet) -> Result<RowSet, EsError> {
    if within.is_empty() {
        return Ok(within.clone());
    }
    Ok(match plan {
        Plan::All(_) => within.clone(),
        Plan::None => RowSet::empty(within.universe()),
        Plan::Constant(inner, _) => rows(inner, segment, within)?,
        Plan::Best(plans, _, _) => any(plans, segment, within)?,
        Plan::Bool {
            must,
            filter,
            should,
            must_not,
            required,
            ..
        } => {
            let mut left = within.clone();
            let mut needed: Vec<&Plan> = must.iter().chain(filter).collect();
            needed.sort_by_key(|plan| cost(plan));
            for plan in needed {
                left = rows(plan, segment, &left)?;
            }
            if *required > should.len() {
                return Ok(RowSet::empty(within.universe()));
            }
            left = match required {
                0 => left,
                1 => any(should, segment, &left)?,
                n if *n == should.len() => {
                    for plan in should {
                        left = rows(plan, segment, &left)?;
                    }
                    left
                }
                n => at_least(should, *n, segment, &left)?,
            };
            for plan in must_not {
                left = left.and_not(&rows(plan, segment, &left)?);
            }
            left
        }
        Plan::Longs(path, ranges, _) => match segment.column(path) {
            Some(Column::Long(column) | Column::Bool(column) | Column::Date(column)) => {
                if let [(low, high)] = ranges.as_slice() {
                    return Ok(column.range_rows(*low, *high).and(within));
                }
                let mut found = RowSetBuilder::new(within.universe());
                column.scan(within, &mut |row, value| {
                    let at = ranges.partition_point(|(low, _)| *low <= value);
                    // Ranges may overlap where they come from dates; few are long.
                    if ranges[..at].iter().rev().any(|(_, high)| value <= *high) {
                        found.push(row);
                    }
                });
                found.finish()
            }
            Some(Column::Double(column)) => {
                let mut found = RowSetBuilder::new(within.universe());
                column.scan(within, &mut |row, value| {
                    let hit =
                        |(low, high): &(i64, i64)| value >= *low as f64 && value <= *high as f64;
                    if ranges.iter().any(hit) {
                        found.push(row);
                    }
                });
                found.finish()
            }
            _ => RowSet::empty(within.universe()),
        },
        Plan::Doubles(path, ranges, _) => match segment.column(path) {
            Some(Column::Double(column)) => {
                if let [(low, high)] = ranges.as_slice() {
                    return Ok(column.range_rows(*low, *high).and(within));
                }
                let mut found = RowSetBuilder::new(within.universe());
                column.scan(within, &mut |row, value| {
                    if ranges
                        .iter()
                        .any(|(low, high)| value >= *low && value <= *high)
                    {
                        found.push(row);
                    }
                });
                found.finish()
            }
            Some(Column::Long(column)) => {
                let mut found = RowSetBuilder::new(within.universe());
                column.scan(within, &mut |row, value| {
                    let value = value as f64;
                    if ranges
                        .iter()
                        .any(|(low, high)| value >= *low && value <= *high)
                    {
                        found.push(row);
                    }
                });
                found.finish()
            }
            _ => RowSet::empty(within.universe()),
        },
        Plan::Terms(path, terms, _, _) => {
            if let [term] = terms.as_slice()
                && let Some(found) = segment.term_rows(path, term)
            {
                return Ok(found.and(within));
            }
            match segment.column(path) {
                Some(Column::Keyword(column) | Column::Ip(column)) => {
                    terms_of(column.as_ref(), terms, within)
                }
                _ => RowSet::empty(within.universe()),
            }
        }
        Plan::TermsBy(path, test, _) => match segment.column(path) {
            Some(Column::Keyword(column) | Column::Ip(column)) => {
                dictionary(column.as_ref(), within, |term| test.accepts(term))
            }
            _ => RowSet::empty(within.universe()),
        },
        Plan::Addresses(path, low, high, _) => match segment.column(path) {
            Some(Column::Keyword(column) | Column::Ip(column)) => {
                dictionary(column.as_ref(), within, |term| {
                    let number = term.parse().map(address_number);
                    number.is_ok_and(|number| number >= *low && number <= *high)
                })
            }
            _ => RowSet::empty(within.universe()),
        },
        Plan::Words(field, tests, required, _) => {
            words::rows(segment, field, tests, *required, within)?
        }
        Plan::Phrase(field, tests, slop, _) => {
            words::phrase_rows(segment, field, tests, *slop, within)?
        }
        Plan::Present(fields, _) => {
            let mut found = RowSet::empty(within.universe());
            for field in fields {
                let here = match field {
                    Presence::Column(path) => match segment.column(path) {
                        Some(column) => column.present(),
                        None => continue,
                    },
                    Presence::Source(field) => match segment.text_rows(&field.path) {
                        Some(rows) => rows,
                        None => words::with_any_value(segment, field, &within.and_not(&found))?,
                    },
                };
                found = found.or(&here);
            }
            found.and(within)
        }
        Plan::Ids(ids, _) => {
            let mut found = RowSetBuilder::new(within.universe());
            for id in ids {
                if let Some(row) = segment.row_of_id(id)? {
                    found.push(row);
                }
            }
            found.finish().and(within)
        }
    })
}

/// How much work a plan is: rows that are looked up come before rows whose source is read.
fn cost(plan: &Plan) -> u32 {
    match plan {
        Plan::All(_) | Plan::None => 0,
        Plan::Ids(..) | Plan::Longs(..) | Plan::Doubles(..) | Plan::Terms(..) => 1,
        Plan::TermsBy(..) | Plan::Addresses(..) | Plan::Present(..) => 2,
        Plan::Words(..) => 4,
        Plan::Phrase(..) => 5,
        Plan::Constant(inner, _) => cost(inner),
        Plan::Best(plans, _, _) => plans.iter().map(cost).max().unwrap_or(0) + 1,
        Plan::Bool {
            must,
            filter,
            should,
            must_not,
            ..
        } => {
            let parts = must.iter().chain(filter).chain(should).chain(must_not);
            parts.map(cost).max().unwrap_or(0) + 1
        }
    }
}

fn any(plans: &[Plan], segment: &dyn Segment, within: &RowSet) -> Result<RowSet, EsError> {
    let mut found = RowSet::empty(within.universe());
    for plan in plans {
        let rest = within.and_not(&found);
        found = found.or(&rows(plan, segment, &rest)?);
    }
    Ok(found)
}

fn at_least(
    plans: &[Plan],
    required: usize,
    segment: &dyn Segment,
    within: &RowSet,
) -> Result<RowSet, EsError> {
    let mut counts = vec![0u16; within.universe() as usize];
    for plan in plans {
        for row in rows(plan, segment, within)?.iter() {
            counts[row as usize] += 1;
        }
    }
    Ok(within.filter(|row| usize::from(counts[row as usize]) >= required))
}

fn terms_of(column: &dyn Keywords, terms: &[String], within: &RowSet) -> RowSet {
    let mut ords: Vec<u32> = terms.iter().filter_map(|term| column.ord(term)).collect();
    ords.sort_unstable();
    ords.dedup();
    chosen_rows(column, &ords, within)
}

fn chosen_rows(column: &dyn Keywords, ords: &[u32], within: &RowSet) -> RowSet {
    match ords {
        [] => RowSet::empty(within.universe()),
        [ord] => column.rows_of(*ord).and(within),
        _ => {
            let mut chosen = vec![false; column.ord_count() as usize];
            for ord in ords {
                chosen[*ord as usize] = true;
            }
            column.rows_of_any(&chosen).and(within)
        }
    }
}

fn dictionary(
    column: &dyn Keywords,
    within: &RowSet,
    mut accepts: impl FnMut(&str) -> bool,
) -> RowSet {
    let mut ords = Vec::new();
    column.each_term(&mut |ord, term| {
        if accepts(term) {
            ords.push(ord);
        }
    });
    chosen_rows(column, &ords, within)
}
