//! Relevance: Lucene's BM25 over one index.
//!
//! Invariants: statistics are of the whole index (all its segments) before any score is computed,
//! so a document's score does not depend on the segment it is in; filters and constants score as
//! their boost. Not here: which rows match (`eval.rs`).

use std::collections::HashMap;

use super::eval;
use super::plan::{Plan, TermTest, TextField};
use super::words;
use crate::columns::{Column, RowSet, Segment, TextStats};
use crate::error::EsError;

const K1: f32 = 1.2;
const B: f32 = 0.75;

/// How rare the words of a plan are in one index.
#[derive(Clone, Debug, Default)]
pub struct Rarity {
    words: HashMap<(String, String), u64>,
    fields: HashMap<String, TextStats>,
}

impl Rarity {
    /// Adds one segment.
    pub fn gather(&mut self, plan: &Plan, segment: &dyn Segment) -> Result<(), EsError> {
        match plan {
            Plan::Bool { must, should, .. } => must
                .iter()
                .chain(should)
                .try_for_each(|plan| self.gather(plan, segment)),
            Plan::Best(plans, _, _) => plans.iter().try_for_each(|plan| self.gather(plan, segment)),
            Plan::Words(field, tests, ..) | Plan::Phrase(field, tests, ..) => {
                self.field(field, segment);
                tests
                    .iter()
                    .try_for_each(|test| self.word(field, test, segment))
            }
            Plan::Terms(path, terms, true, _) => {
                if let Some(column) = segment.column(path) {
                    let stats = self.fields.entry(path.clone()).or_default();
                    stats.rows += u64::from(column.present().and(&segment.live()).len());
                    for term in terms {
                        let one = Plan::Terms(path.clone(), vec![term.clone()], true, 1.0);
                        let rows = eval::matching(&one, segment)?;
                        *self.words.entry((path.clone(), term.clone())).or_default() +=
                            u64::from(rows.len());
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn field(&mut self, field: &TextField, segment: &dyn Segment) {
        let stats = self.fields.entry(field.path.clone()).or_default();
        match segment.text_stats(&field.path) {
            Some(known) => {
                stats.rows += known.rows;
                stats.terms += known.terms;
            }
            None => {
                let present = segment.text_rows(&field.path);
                let live = segment.live();
                stats.rows += u64::from(present.map_or(live.len(), |rows| rows.and(&live).len()));
            }
        }
    }

    fn word(
        &mut self,
        field: &TextField,
        test: &TermTest,
        segment: &dyn Segment,
    ) -> Result<(), EsError> {
        let Some(term) = test.exact() else {
            return Ok(());
        };
        let rows = match segment.term_rows(&field.path, term) {
            Some(rows) => rows,
            None => {
                let live = segment.live();
                words::rows(segment, field, std::slice::from_ref(test), 1, &live)?
            }
        };
        *self
            .words
            .entry((field.path.clone(), term.to_owned()))
            .or_default() += u64::from(rows.len());
        Ok(())
    }

    fn idf(&self, path: &str, term: &str) -> f32 {
        let rows = self.fields.get(path).map_or(0, |stats| stats.rows) as f64;
        let key = (path.to_owned(), term.to_owned());
        let with = self.words.get(&key).copied().unwrap_or(0) as f64;
        (1.0 + (rows.max(with) - with + 0.5) / (with + 0.5)).ln() as f32
    }

    fn average_length(&self, path: &str) -> Option<f32> {
        let stats = self.fields.get(path)?;
        (stats.terms > 0 && stats.rows > 0).then(|| (stats.terms as f64 / stats.rows as f64) as f32)
    }
}

/// Rows that match and the score of each, rows ascending.
pub fn scored(
    plan: &Plan,
    segment: &dyn Segment,
    within: &RowSet,
    rarity: &Rarity,
) -> Result<Vec<(u32, f32)>, EsError> {
    let rows = eval::rows(plan, segment, within)?;
    let mut scores = vec![0.0f32; within.universe() as usize];
    add(plan, segment, &rows, rarity, 1.0, &mut scores)?;
    Ok(rows.iter().map(|row| (row, scores[row as usize])).collect())
}

/// Adds the plan's score to those rows of `within` that match it.
fn add(
    plan: &Plan,
    segment: &dyn Segment,
    within: &RowSet,
    rarity: &Rarity,
    factor: f32,
    scores: &mut [f32],
) -> Result<(), EsError> {
    match plan {
        Plan::None => {}
        Plan::Bool {
            must,
            filter,
            should,
            boost,
            ..
        } => {
            let rows = eval::rows(plan, segment, within)?;
            // Only must_not, or only filters: a bool of filters scores 0, a pure exclusion too.
            let _ = filter;
            for part in must.iter().chain(should) {
                add(part, segment, &rows, rarity, factor * boost, scores)?;
            }
        }
        Plan::Best(plans, tie, boost) => {
            let size = scores.len();
            let mut best = vec![0.0f32; size];
            let mut sum = vec![0.0f32; size];
            let mut one = vec![0.0f32; size];
            for part in plans {
                one.fill(0.0);
                add(part, segment, within, rarity, factor * boost, &mut one)?;
                for row in within.iter() {
                    let score = one[row as usize];
                    sum[row as usize] += score;
                    best[row as usize] = best[row as usize].max(score);
                }
            }
            for row in within.iter() {
                let at = row as usize;
                scores[at] += best[at] + tie * (sum[at] - best[at]);
            }
        }
        Plan::Words(field, tests, _, boost) => {
            let rows = eval::rows(plan, segment, within)?;
            let weights: Vec<f32> = tests
                .iter()
                .map(|test| {
                    test.exact()
                        .map_or(0.0, |term| rarity.idf(&field.path, term))
                })
                .collect();
            let average = rarity.average_length(&field.path);
            let mut counts = vec![0u32; tests.len()];
            segment.sources(&rows, &mut |row, source| {
                counts.fill(0);
                let mut length = 0;
                words::each_term(source, field, |term, _| {
                    length += 1;
                    for (count, test) in counts.iter_mut().zip(tests) {
                        *count += u32::from(test.accepts(term));
                    }
                });
                let mut score = 0.0;
                for ((count, weight), test) in counts.iter().zip(&weights).zip(tests) {
                    if *count > 0 {
                        score += match test.exact() {
                            Some(_) => weight * saturated(*count as f32, length, average),
                            None => 1.0,
                        };
                    }
                }
                scores[row as usize] += factor * boost * score;
                true
            })?;
        }
        Plan::Phrase(field, tests, slop, boost) => {
            let rows = eval::rows(plan, segment, within)?;
            let weight: f32 = tests
                .iter()
                .filter_map(TermTest::exact)
                .map(|term| rarity.idf(&field.path, term))
                .sum();
            let average = rarity.average_length(&field.path);
            let mut places = vec![Vec::new(); tests.len()];
            segment.sources(&rows, &mut |row, source| {
                let count = words::phrase_count(source, field, tests, *slop, &mut places);
                let mut length = 0;
                words::each_term(source, field, |_, _| length += 1);
                scores[row as usize] += factor * boost * weight * saturated(count, length, average);
                true
            })?;
        }
        Plan::Terms(path, terms, true, boost) => {
            if let Some(Column::Keyword(_) | Column::Ip(_)) = segment.column(path) {
                for term in terms {
                    let one = Plan::Terms(path.clone(), vec![term.clone()], true, 1.0);
                    // Keywords have no length: the term counts once.
                    let score = rarity.idf(path, term) / (1.0 + K1);
                    for row in eval::rows(&one, segment, within)?.iter() {
                        scores[row as usize] += factor * boost * score;
                    }
                }
            }
        }
        Plan::All(boost)
        | Plan::Constant(_, boost)
        | Plan::Longs(_, _, boost)
        | Plan::Doubles(_, _, boost)
        | Plan::Terms(_, _, false, boost)
        | Plan::TermsBy(_, _, boost)
        | Plan::Addresses(_, _, _, boost)
        | Plan::Present(_, boost)
        | Plan::Ids(_, boost) => {
            for row in eval::rows(plan, segment, within)?.iter() {
                scores[row as usize] += factor * boost;
            }
        }
    }
    Ok(())
}

/// The part of BM25 that grows with the count and shrinks with the length.
fn saturated(count: f32, length: u32, average: Option<f32>) -> f32 {
    let share = average.map_or(1.0, |average| stored_length(length) as f32 / average);
    1.0 - 1.0 / (1.0 + count / (K1 * ((1.0 - B) + B * share)))
}

/// Lucene keeps a length in one byte: exact below 40, then with three significant bits.
fn stored_length(length: u32) -> u32 {
    const FREE: u32 = 24;
    if length < FREE {
        return length;
    }
    let rest = length - FREE;
    let bits = 32 - rest.leading_zeros();
    if bits < 4 {
        return length;
    }
    let shift = bits - 4;
    FREE + ((rest >> shift) << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_down_as_lucene_does() {
        assert_eq!(stored_length(10), 10);
        assert_eq!(stored_length(39), 39);
        assert_eq!(stored_length(41), 40);
        assert_eq!(stored_length(100), 24 + 72);
    }

    #[test]
    fn a_second_occurrence_counts_less_than_the_first() {
        let one = saturated(1.0, 10, Some(10.0));
        let two = saturated(2.0, 10, Some(10.0));
        assert!((one - 1.0 / 2.2).abs() < 1e-6);
        assert!(two > one && two < 2.0 * one);
    }
}
