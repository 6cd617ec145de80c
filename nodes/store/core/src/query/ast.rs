//! The query as the client wrote it: a tree without types, dates or indices resolved.
//!
//! Invariant: a value of this type has passed every syntactic check, so what can still fail needs
//! a mapping (see `compile.rs`). Not here: JSON (`parse.rs`), Lucene syntax (`query_string.rs`).

use serde_json::Value;

/// How the words of an analyzed text are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Operator {
    /// One word is enough.
    #[default]
    Or,
    /// Every word must occur.
    And,
}

/// How many edits a word may be away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edits {
    /// One from the first length in characters on, two from the second on.
    ByLength(usize, usize),
    /// So many.
    Exactly(u8),
}

impl Default for Edits {
    fn default() -> Self {
        Self::ByLength(3, 6)
    }
}

impl Edits {
    /// For a word.
    pub fn of(self, word: &str) -> u8 {
        match self {
            Self::Exactly(edits) => edits,
            Self::ByLength(one, two) => match word.chars().count() {
                length if length >= two => 2,
                length if length >= one => 1,
                _ => 0,
            },
        }
    }
}

/// `minimum_should_match`: how many of the optional clauses must match.
#[derive(Clone, Debug, PartialEq)]
pub enum MinimumShould {
    /// A number of clauses; a negative one counts the clauses that may be missing.
    Count(i64),
    /// A share of the clauses; a negative one is the share that may be missing.
    Percent(f64),
    /// `2<75% 5<3`: the rule of the largest bound below the number of clauses, all up to the first.
    Steps(Vec<(usize, MinimumShould)>),
}

impl MinimumShould {
    /// The number of clauses that must match out of `optional`.
    pub fn required(&self, optional: usize) -> usize {
        let n = optional as i64;
        let wanted = match self {
            MinimumShould::Count(count) if *count < 0 => n + count,
            MinimumShould::Count(count) => *count,
            MinimumShould::Percent(share) if *share < 0.0 => {
                n + (n as f64 * share / 100.0).trunc() as i64
            }
            MinimumShould::Percent(share) => (n as f64 * share / 100.0).trunc() as i64,
            MinimumShould::Steps(steps) => {
                let rule = steps.iter().rev().find(|(bound, _)| optional > *bound);
                return match rule {
                    Some((_, rule)) => rule.required(optional),
                    None => optional,
                };
            }
        };
        wanted.max(0) as usize
    }
}

/// A field name or pattern with the factor its score is multiplied by.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldSpec {
    /// A path, possibly with `*`.
    pub pattern: String,
    /// The factor of `field^2`.
    pub boost: f32,
}

/// One bound pair of a range query, still as JSON.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RangeBounds {
    /// Lower bound and whether it is included.
    pub lower: Option<(Value, bool)>,
    /// Upper bound and whether it is included.
    pub upper: Option<(Value, bool)>,
    /// Date format of the bounds.
    pub format: Option<String>,
    /// Time zone of bounds that name none.
    pub time_zone: Option<String>,
}

/// How the fields of a multi-field query are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Combine {
    /// The best field's score, others by `tie_breaker`.
    #[default]
    Best,
    /// The sum of the fields' scores.
    Most,
}

/// The parts of a `bool` query.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct BoolQuery {
    /// Clauses that must match and score.
    pub must: Vec<Query>,
    /// Clauses that must match.
    pub filter: Vec<Query>,
    /// Optional clauses that score.
    pub should: Vec<Query>,
    /// Clauses that must not match.
    pub must_not: Vec<Query>,
    /// How many optional clauses must match; by default one when nothing else is required.
    pub minimum_should_match: Option<MinimumShould>,
    /// Factor of the score.
    pub boost: f32,
}

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// Every document.
    MatchAll {
        /// The score.
        boost: f32,
    },
    /// No document.
    MatchNone,
    /// Boolean combination.
    Bool(Box<BoolQuery>),
    /// The inner query without its scores.
    ConstantScore {
        /// What must match.
        inner: Box<Query>,
        /// The score.
        boost: f32,
    },
    /// The best of several queries.
    DisMax {
        /// The alternatives.
        queries: Vec<Query>,
        /// How much of the others' score is added.
        tie_breaker: f32,
        /// Factor of the score.
        boost: f32,
    },
    /// The inner query multiplied by a factor (`^2` behind a group).
    Boosted {
        /// What must match.
        inner: Box<Query>,
        /// Factor of the score.
        boost: f32,
    },
    /// An exact value, not analyzed.
    Term {
        /// Path.
        field: String,
        /// Value as sent.
        value: Value,
        /// Compare without case.
        case_insensitive: bool,
        /// Factor of the score.
        boost: f32,
    },
    /// One of several exact values.
    Terms {
        /// Path.
        field: String,
        /// Values as sent.
        values: Vec<Value>,
        /// The score.
        boost: f32,
    },
    /// An interval.
    Range {
        /// Path.
        field: String,
        /// Bounds as sent.
        bounds: RangeBounds,
        /// The score.
        boost: f32,
    },
    /// Analyzed words.
    Match {
        /// Path.
        field: String,
        /// Text or scalar as sent.
        value: Value,
        /// How the words are joined.
        operator: Operator,
        /// How many words must occur.
        minimum_should_match: Option<MinimumShould>,
        /// Last word is a prefix (`match_bool_prefix`).
        prefix_last: bool,
        /// Words may be some edits away; as many leading characters must be equal.
        fuzzy: Option<(Edits, usize)>,
        /// A value that does not fit the field's type matches nothing instead of failing.
        lenient: bool,
        /// Text without any word matches everything (`zero_terms_query: all`).
        zero_terms_all: bool,
        /// Factor of the score.
        boost: f32,
    },
    /// Analyzed words beside each other.
    MatchPhrase {
        /// Path.
        field: String,
        /// Text or scalar as sent.
        value: Value,
        /// How many places the words may be moved.
        slop: u32,
        /// Last word is a prefix (`match_phrase_prefix`).
        prefix_last: bool,
        /// A value that does not fit the field's type matches nothing instead of failing.
        lenient: bool,
        /// Factor of the score.
        boost: f32,
    },
    /// The leaf, whose field is empty, in each of the fields.
    OverFields {
        /// Names and patterns; empty means the index's default fields.
        fields: Vec<FieldSpec>,
        /// The query to repeat for each field.
        leaf: Box<Query>,
        /// How the scores are combined.
        combine: Combine,
        /// How much of the weaker fields' score is added.
        tie_breaker: f32,
    },
    /// The field has a value.
    Exists {
        /// Path; an object's path means any field in it.
        field: String,
        /// The score.
        boost: f32,
    },
    /// A value that begins so.
    Prefix {
        /// Path.
        field: String,
        /// The beginning.
        value: String,
        /// Compare without case.
        case_insensitive: bool,
        /// The score.
        boost: f32,
    },
    /// `*` and `?` pattern.
    Wildcard {
        /// Path.
        field: String,
        /// The pattern; `\` escapes.
        pattern: String,
        /// Compare without case.
        case_insensitive: bool,
        /// The score.
        boost: f32,
    },
    /// Lucene regular expression over the whole value.
    Regexp {
        /// Path.
        field: String,
        /// The expression.
        pattern: String,
        /// Compare without case.
        case_insensitive: bool,
        /// The score.
        boost: f32,
    },
    /// A value within an edit distance.
    Fuzzy {
        /// Path.
        field: String,
        /// The value.
        value: String,
        /// Edits allowed.
        distance: Edits,
        /// Leading characters that must be equal.
        prefix_length: usize,
        /// The score.
        boost: f32,
    },
    /// Document ids.
    Ids {
        /// The ids.
        values: Vec<String>,
        /// The score.
        boost: f32,
    },
}

impl Query {
    /// The same leaf for another field; compound queries are returned as they are.
    pub fn with_field(&self, name: &str, lenient_leaf: bool) -> Query {
        let mut copy = self.clone();
        match &mut copy {
            Query::Match { field, lenient, .. } | Query::MatchPhrase { field, lenient, .. } => {
                *field = name.to_owned();
                *lenient = *lenient || lenient_leaf;
            }
            Query::Term { field, .. }
            | Query::Terms { field, .. }
            | Query::Range { field, .. }
            | Query::Exists { field, .. }
            | Query::Prefix { field, .. }
            | Query::Wildcard { field, .. }
            | Query::Regexp { field, .. }
            | Query::Fuzzy { field, .. } => *field = name.to_owned(),
            _ => {}
        }
        copy
    }

    /// The query multiplied by a factor.
    pub fn boosted(self, boost: f32) -> Query {
        if boost == 1.0 {
            self
        } else {
            Query::Boosted {
                inner: Box::new(self),
                boost,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimum_should_match_follows_the_documented_table() {
        assert_eq!(MinimumShould::Count(2).required(5), 2);
        assert_eq!(MinimumShould::Count(-2).required(5), 3);
        assert_eq!(MinimumShould::Percent(75.0).required(5), 3);
        assert_eq!(MinimumShould::Percent(-25.0).required(5), 4);
        assert_eq!(MinimumShould::Count(-9).required(5), 0);
        let steps = MinimumShould::Steps(vec![
            (2, MinimumShould::Percent(75.0)),
            (5, MinimumShould::Count(3)),
        ]);
        assert_eq!(steps.required(2), 2);
        assert_eq!(steps.required(4), 3);
        assert_eq!(steps.required(9), 3);
    }
}
