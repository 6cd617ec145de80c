//! The forgiving syntax of `simple_query_string`.
//!
//! `+` and, `|` or, `-` not, `"phrase"`, `word*`, `word~1`, `"phrase"~2`, parentheses.
//! Invariant: no text is an error; what makes no sense is left out. Not here: options.

use serde_json::Value;

use super::ast::{BoolQuery, Combine, Edits, Operator, Query};
use super::query_string::SyntaxOptions;

const MAX_DEPTH: usize = 20;
const MAX_CLAUSES: usize = 1024;

/// Parses a text; never fails.
pub(crate) fn parse(text: &str, options: &SyntaxOptions) -> Query {
    let mut parser = Reader {
        chars: text.chars().collect(),
        at: 0,
        options,
        clauses: 0,
    };
    if parser.chars.iter().collect::<String>().trim() == "*" {
        return Query::MatchAll { boost: 1.0 };
    }
    parser.group(0).unwrap_or(Query::MatchNone)
}

struct Reader<'a> {
    chars: Vec<char>,
    at: usize,
    options: &'a SyntaxOptions,
    clauses: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn group(&mut self, depth: usize) -> Option<Query> {
        let mut current: Option<Query> = None;
        let mut and = None;
        let mut not = false;
        while let Some(c) = self.peek() {
            let clause = match c {
                ')' => {
                    self.at += 1;
                    if depth > 0 {
                        break;
                    }
                    continue;
                }
                '(' => {
                    self.at += 1;
                    if depth >= MAX_DEPTH {
                        continue;
                    }
                    self.group(depth + 1)
                }
                '+' => {
                    self.at += 1;
                    if current.is_some() {
                        and = Some(true);
                    }
                    continue;
                }
                '|' => {
                    self.at += 1;
                    if current.is_some() {
                        and = Some(false);
                    }
                    continue;
                }
                '-' => {
                    self.at += 1;
                    not = !not;
                    continue;
                }
                c if c.is_whitespace() => {
                    self.at += 1;
                    not = false;
                    continue;
                }
                '"' => self.phrase(),
                _ => self.word(),
            };
            let Some(clause) = clause else { continue };
            self.clauses += 1;
            if self.clauses > MAX_CLAUSES {
                break;
            }
            let clause = if std::mem::take(&mut not) {
                negated(clause)
            } else {
                clause
            };
            let all = and.take().unwrap_or(self.options.operator == Operator::And);
            current = Some(match current {
                None => clause,
                Some(left) => joined(left, clause, all),
            });
        }
        current
    }

    fn leaf(&self, leaf: Query) -> Query {
        Query::OverFields {
            fields: self.options.fields.clone(),
            leaf: Box::new(leaf),
            combine: Combine::Best,
            tie_breaker: 1.0,
        }
    }

    fn digits(&mut self) -> Option<u32> {
        let mut digits = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_digit) {
            digits.push(c);
            self.at += 1;
        }
        digits.parse().ok()
    }

    fn phrase(&mut self) -> Option<Query> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek()? {
                '"' => break,
                '\\' if self.at + 1 < self.chars.len() => {
                    text.push(self.chars[self.at + 1]);
                    self.at += 2;
                }
                c => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        let mut slop = 0;
        if self.peek() == Some('~') {
            self.at += 1;
            slop = self.digits().unwrap_or(0).min(1000);
        }
        Some(self.leaf(Query::MatchPhrase {
            field: String::new(),
            value: Value::String(text),
            slop,
            prefix_last: false,
            lenient: self.options.lenient,
            boost: 1.0,
        }))
    }

    fn word(&mut self) -> Option<Query> {
        let mut text = String::new();
        while let Some(c) = self.peek() {
            match c {
                '\\' if self.at + 1 < self.chars.len() => {
                    text.push(self.chars[self.at + 1]);
                    self.at += 2;
                }
                '"' | '(' | ')' | '|' | '+' | '~' => break,
                c if c.is_whitespace() => break,
                '*' if self.boundary(self.at + 1) => {
                    self.at += 1;
                    return Some(self.leaf(Query::Prefix {
                        field: String::new(),
                        value: text.to_lowercase(),
                        case_insensitive: true,
                        boost: 1.0,
                    }));
                }
                c => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
        if self.peek() == Some('~') {
            self.at += 1;
            let digits = self.digits();
            let distance = digits.map_or_else(Edits::default, |n| Edits::Exactly(n.min(2) as u8));
            return (!text.is_empty()).then(|| {
                self.leaf(Query::Fuzzy {
                    field: String::new(),
                    value: text,
                    distance,
                    prefix_length: 0,
                    boost: 1.0,
                })
            });
        }
        (!text.is_empty()).then(|| {
            self.leaf(Query::Match {
                field: String::new(),
                value: Value::String(text),
                operator: self.options.operator,
                minimum_should_match: None,
                prefix_last: false,
                fuzzy: None,
                lenient: self.options.lenient,
                zero_terms_all: false,
                boost: 1.0,
            })
        })
    }

    fn boundary(&self, at: usize) -> bool {
        self.chars
            .get(at)
            .is_none_or(|c| c.is_whitespace() || matches!(c, ')' | '|' | '+'))
    }
}

fn negated(clause: Query) -> Query {
    let inner = BoolQuery {
        must_not: vec![clause],
        boost: 1.0,
        ..BoolQuery::default()
    };
    Query::Bool(Box::new(inner))
}

fn joined(left: Query, right: Query, all: bool) -> Query {
    let mut both = BoolQuery {
        boost: 1.0,
        ..BoolQuery::default()
    };
    if all {
        both.must = vec![left, right];
    } else {
        both.should = vec![left, right];
    }
    Query::Bool(Box::new(both))
}
