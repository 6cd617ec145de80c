//! A query with fields, types and dates of one index resolved: what is evaluated over segments.
//!
//! Invariants: bounds are inclusive and of the column's type; a plan names only paths that the
//! index's mapping knows. Not here: how it is made (`compile.rs`) and evaluated (`eval.rs`).

use regex::Regex;

use crate::analysis::Analyzer;

/// A test of one term of a dictionary or of one word of a text.
#[derive(Clone, Debug)]
pub enum TermTest {
    /// Exactly this.
    Is(String),
    /// This in any case.
    IsFolded(String),
    /// Begins so.
    Prefix(String),
    /// The whole term matches.
    Pattern(Regex),
    /// Lies between, bounds and whether they are included.
    Between(Option<(String, bool)>, Option<(String, bool)>),
    /// Is at most so many edits away: value, edits, equal leading characters.
    Near(String, u8, usize),
}

impl TermTest {
    /// Whether the term passes.
    pub fn accepts(&self, term: &str) -> bool {
        match self {
            TermTest::Is(value) => term == value,
            TermTest::IsFolded(value) => {
                term.eq_ignore_ascii_case(value) || term.to_lowercase() == value.to_lowercase()
            }
            TermTest::Prefix(value) => term.starts_with(value.as_str()),
            TermTest::Pattern(regex) => regex.is_match(term),
            TermTest::Between(lower, upper) => {
                let above = lower.as_ref().is_none_or(|(bound, included)| {
                    if *included {
                        term >= bound.as_str()
                    } else {
                        term > bound.as_str()
                    }
                });
                above
                    && upper.as_ref().is_none_or(|(bound, included)| {
                        if *included {
                            term <= bound.as_str()
                        } else {
                            term < bound.as_str()
                        }
                    })
            }
            TermTest::Near(value, edits, prefix) => near(term, value, *edits, *prefix),
        }
    }

    /// The exact term when the test is one.
    pub fn exact(&self) -> Option<&str> {
        match self {
            TermTest::Is(value) => Some(value),
            _ => None,
        }
    }
}

/// Damerau-Levenshtein distance (neighbours may be swapped) of at most `edits`.
fn near(a: &str, b: &str, edits: u8, prefix: usize) -> bool {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > usize::from(edits) {
        return false;
    }
    if prefix > 0 && !a.iter().take(prefix).eq(b.iter().take(prefix)) {
        return false;
    }
    let width = b.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; width];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = last;
        last = row;
    }
    last[b.len()] <= usize::from(edits)
}

/// A text field: where its index and its source are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextField {
    /// Path of the field.
    pub path: String,
    /// Paths in the source.
    pub source_paths: Vec<String>,
    /// How its values become words.
    pub analyzer: Analyzer,
}

/// A field whose presence is asked for.
#[derive(Clone, Debug)]
pub enum Presence {
    /// In its column.
    Column(String),
    /// In the index of a text or in the source.
    Source(TextField),
}

/// A resolved query.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Every row; the score.
    All(f32),
    /// No row.
    None,
    /// Boolean combination.
    Bool {
        /// Must match, scores.
        must: Vec<Plan>,
        /// Must match.
        filter: Vec<Plan>,
        /// Scores; `required` of them must match.
        should: Vec<Plan>,
        /// Must not match.
        must_not: Vec<Plan>,
        /// How many of `should` must match.
        required: usize,
        /// Factor of the score.
        boost: f32,
    },
    /// The inner plan's rows, all with one score.
    Constant(Box<Plan>, f32),
    /// The best of several: alternatives, tie breaker, boost.
    Best(Vec<Plan>, f32, f32),
    /// Whole numbers (long, boolean, date) in one of the ranges.
    Longs(String, Vec<(i64, i64)>, f32),
    /// Floating point in one of the ranges.
    Doubles(String, Vec<(f64, f64)>, f32),
    /// One of the terms of a keyword or address column; whether the score counts rarity.
    Terms(String, Vec<String>, bool, f32),
    /// Terms of a keyword or address column that pass the test.
    TermsBy(String, TermTest, f32),
    /// Addresses in a range.
    Addresses(String, u128, u128, f32),
    /// So many of the words occur in a text.
    Words(TextField, Vec<TermTest>, usize, f32),
    /// The words stand in a row; slop; one of them may be a test.
    Phrase(TextField, Vec<TermTest>, u32, f32),
    /// One of the fields has a value.
    Present(Vec<Presence>, f32),
    /// Document ids.
    Ids(Vec<String>, f32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_with_swaps() {
        assert!(near("kitten", "sitten", 1, 0));
        assert!(near("ab", "ba", 1, 0));
        assert!(!near("kitten", "sitting", 2, 0));
        assert!(!near("sitten", "kitten", 1, 1));
    }
}
