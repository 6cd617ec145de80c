//! Lucene's classic query syntax to `Query`, as `query_string` and `?q=` take it.
//!
//! Supported: fields and groups of fields, AND OR NOT && || ! + -, phrases with slop, `*` and `?`,
//! `/regexp/`, `[a TO b]` and `{a TO b}`, `>=`, `<`, boosts, fuzziness, `field:*`, `_exists_`.
//! Invariant: AND and OR are Lucene's modifiers, not operators with precedence: `a AND b OR c` is
//! `+a +b c`. Not here: which fields exist, analysis (`compile.rs`).

use serde_json::Value;

use super::ast::{
    BoolQuery, Combine, Edits, FieldSpec, MinimumShould, Operator, Query, RangeBounds,
};
use super::parse::{MAX_CLAUSES, limit_regex};
use super::refuse;
use super::word::Word;
use crate::error::EsError;

/// Groups may nest this deep.
const MAX_DEPTH: usize = 30;

/// What stands around the text.
#[derive(Clone, Debug, Default)]
pub struct SyntaxOptions {
    /// Fields of words without a field; none means the index's default.
    pub fields: Vec<FieldSpec>,
    /// What joins words without AND or OR.
    pub operator: Operator,
    /// A value that does not fit a field's type matches nothing.
    pub lenient: bool,
    /// Slop of phrases that give none.
    pub phrase_slop: u32,
    /// Of the optional clauses at the top.
    pub minimum_should_match: Option<MinimumShould>,
    /// Of dates in ranges.
    pub time_zone: Option<String>,
    /// Whether a word may begin with `*` or `?`.
    pub leading_wildcard: bool,
    /// Weight of the weaker fields.
    pub tie_breaker: f32,
}

/// Parses a whole query text.
pub fn parse(text: &str, options: &SyntaxOptions) -> Result<Query, EsError> {
    let mut parser = Parser {
        chars: text.chars().collect(),
        at: 0,
        options,
        clauses: 0,
        text,
        depth: 0,
    };
    parser.blank();
    if parser.done() {
        return Ok(Query::MatchNone);
    }
    let query = parser.query(None, true)?;
    if !parser.done() {
        return Err(parser.wrong("unexpected ')'"));
    }
    Ok(query)
}

#[derive(Clone, Copy, PartialEq)]
enum Occur {
    Must,
    Should,
    MustNot,
}

#[derive(Clone, Copy, PartialEq)]
enum Conjunction {
    None,
    And,
    Or,
}

struct Parser<'a> {
    chars: Vec<char>,
    at: usize,
    options: &'a SyntaxOptions,
    clauses: usize,
    text: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn done(&self) -> bool {
        self.at >= self.chars.len()
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, c: char) -> bool {
        let hit = self.peek() == Some(c);
        if hit {
            self.at += 1;
        }
        hit
    }

    fn eat_str(&mut self, word: &str) -> bool {
        let hit = word
            .chars()
            .enumerate()
            .all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if hit {
            self.at += word.chars().count();
        }
        hit
    }

    /// Eats `word` when a boundary follows it.
    fn eat_keyword(&mut self, word: &str) -> bool {
        let start = self.at;
        if self.eat_str(word) {
            let boundary = self
                .peek()
                .is_none_or(|c| c.is_whitespace() || c == '(' || c == ')');
            if boundary {
                return true;
            }
        }
        self.at = start;
        false
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn wrong(&self, why: &str) -> EsError {
        let shown: String = self.text.chars().take(200).collect();
        EsError::query_shard(format!("Failed to parse query [{shown}]: {why}"))
    }

    fn query(&mut self, field: Option<&str>, top: bool) -> Result<Query, EsError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("too many nested groups"));
        }
        let mut list: Vec<(Occur, Query)> = Vec::new();
        loop {
            self.blank();
            if self.done() || self.peek() == Some(')') {
                break;
            }
            let conjunction = if self.eat_keyword("AND") || self.eat_str("&&") {
                Conjunction::And
            } else if self.eat_keyword("OR") || self.eat_str("||") {
                Conjunction::Or
            } else {
                Conjunction::None
            };
            if conjunction != Conjunction::None && list.is_empty() {
                return Err(self.wrong("it begins with AND or OR"));
            }
            self.blank();
            let (mut required, mut prohibited) = (false, false);
            if self.eat('+') {
                required = true;
            } else if self.eat('-') || self.eat('!') || self.eat_keyword("NOT") {
                prohibited = true;
            }
            self.blank();
            if self.done() || self.peek() == Some(')') {
                return Err(self.wrong("a clause is missing at the end"));
            }
            let clause = self.clause(field)?;
            self.clauses += 1;
            if self.clauses > MAX_CLAUSES {
                return Err(refuse::too_many_clauses());
            }
            if let Some((last, _)) = list.last_mut()
                && *last != Occur::MustNot
            {
                if conjunction == Conjunction::And {
                    *last = Occur::Must;
                } else if conjunction == Conjunction::Or && self.options.operator == Operator::And {
                    *last = Occur::Should;
                }
            }
            let must = match self.options.operator {
                Operator::Or => required || conjunction == Conjunction::And,
                Operator::And => required || conjunction != Conjunction::Or,
            };
            let occur = match (prohibited, must) {
                (true, _) => Occur::MustNot,
                (false, true) => Occur::Must,
                (false, false) => Occur::Should,
            };
            list.push((occur, clause));
        }
        self.depth -= 1;
        Ok(self.combine(list, top))
    }

    fn combine(&self, mut list: Vec<(Occur, Query)>, top: bool) -> Query {
        if list.len() == 1 && list[0].0 != Occur::MustNot {
            return list.remove(0).1;
        }
        if list.is_empty() {
            return Query::MatchNone;
        }
        let mut query = BoolQuery {
            boost: 1.0,
            ..BoolQuery::default()
        };
        if top {
            query.minimum_should_match = self.options.minimum_should_match.clone();
        }
        for (occur, clause) in list {
            match occur {
                Occur::Must => query.must.push(clause),
                Occur::Should => query.should.push(clause),
                Occur::MustNot => query.must_not.push(clause),
            }
        }
        Query::Bool(Box::new(query))
    }

    fn clause(&mut self, field: Option<&str>) -> Result<Query, EsError> {
        let start = self.at;
        if self
            .peek()
            .is_some_and(|c| !matches!(c, '"' | '(' | '[' | '{' | '/'))
        {
            let word = self.word()?;
            if self.peek() == Some(':') && !word.chars.is_empty() {
                self.at += 1;
                let name = word.plain();
                self.blank();
                let query = self.fielded(&name, word.has_wildcard())?;
                return Ok(query.boosted(self.boost()?));
            }
            self.at = start;
        }
        let query = self.value(field)?;
        Ok(query.boosted(self.boost()?))
    }

    /// What stands behind `name:`.
    fn fielded(&mut self, name: &str, pattern: bool) -> Result<Query, EsError> {
        if name == "_exists_" {
            let target = self.word()?.plain();
            if target.is_empty() {
                return Err(self.wrong("_exists_ names no field"));
            }
            return Ok(Query::Exists {
                field: target,
                boost: 1.0,
            });
        }
        if name == "*" {
            let start = self.at;
            let word = self.word()?;
            if word.is_bare("*") {
                return Ok(Query::MatchAll { boost: 1.0 });
            }
            self.at = start;
        }
        if pattern {
            // A pattern of names is one leaf over each field it stands for.
            let leaf = self.value(Some(""))?;
            if matches!(
                leaf,
                Query::Bool(_) | Query::Boosted { .. } | Query::OverFields { .. }
            ) {
                return Err(EsError::unsupported(
                    "query_string group behind a field pattern",
                ));
            }
            return Ok(over(
                vec![FieldSpec {
                    pattern: name.to_owned(),
                    boost: 1.0,
                }],
                leaf,
                self.options.tie_breaker,
            ));
        }
        self.value(Some(name))
    }

    /// A group or a leaf, without its boost.
    fn value(&mut self, field: Option<&str>) -> Result<Query, EsError> {
        let leaf = match self.peek() {
            None => return Err(self.wrong("a value is missing")),
            Some('(') => {
                self.at += 1;
                let inner = self.query(field, false)?;
                if !self.eat(')') {
                    return Err(self.wrong("a ')' is missing"));
                }
                return Ok(inner);
            }
            Some('"') => self.phrase()?,
            Some('/') => self.regexp()?,
            Some('[' | '{') => self.interval()?,
            Some('>' | '<') => self.comparison()?,
            Some(_) => self.plain_word(field)?,
        };
        Ok(match field {
            Some(name) => leaf.with_field(name, false),
            None if matches!(leaf, Query::MatchAll { .. }) => leaf,
            None => over(self.options.fields.clone(), leaf, self.options.tie_breaker),
        })
    }

    fn boost(&mut self) -> Result<f32, EsError> {
        if !self.eat('^') {
            return Ok(1.0);
        }
        let digits = self.number_text();
        match digits.parse::<f32>() {
            Ok(boost) if boost.is_finite() => Ok(boost),
            _ => Err(self.wrong("a number is missing behind '^'")),
        }
    }

    fn number_text(&mut self) -> String {
        let mut digits = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_digit() || *c == '.') {
            digits.push(c);
            self.at += 1;
        }
        digits
    }

    /// Reads up to the next character that ends a word.
    fn word(&mut self) -> Result<Word, EsError> {
        let mut chars = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                '\\' => {
                    let Some(next) = self.chars.get(self.at + 1) else {
                        return Err(self.wrong("it ends with a backslash"));
                    };
                    chars.push((*next, true));
                    self.at += 2;
                }
                c if c.is_whitespace() => break,
                '(' | ')' | ':' | '^' | '[' | ']' | '{' | '}' | '~' | '"' => break,
                c => {
                    chars.push((c, false));
                    self.at += 1;
                }
            }
        }
        Ok(Word { chars })
    }

    fn plain_word(&mut self, field: Option<&str>) -> Result<Query, EsError> {
        let word = self.word()?;
        if word.chars.is_empty() {
            let found = self.peek().map(String::from).unwrap_or_default();
            return Err(self.wrong(&format!("unexpected '{found}'")));
        }
        if self.eat('~') {
            let digits = self.number_text();
            let distance = match digits.as_str() {
                "" => Edits::default(),
                text => match text.parse::<f32>() {
                    Ok(n) if n >= 1.0 => Edits::Exactly(n.min(2.0) as u8),
                    Ok(_) => Edits::default(),
                    Err(_) => return Err(self.wrong("a number is missing behind '~'")),
                },
            };
            return Ok(Query::Fuzzy {
                field: String::new(),
                value: word.plain(),
                distance,
                prefix_length: 0,
                boost: 1.0,
            });
        }
        if word.is_bare("*") {
            return Ok(match field {
                Some(_) => Query::Exists {
                    field: String::new(),
                    boost: 1.0,
                },
                None => Query::MatchAll { boost: 1.0 },
            });
        }
        if word.has_wildcard() {
            let first = word.chars[0];
            if !self.options.leading_wildcard && !first.1 && matches!(first.0, '*' | '?') {
                return Err(self.wrong("'*' or '?' not allowed as first character"));
            }
            return Ok(Query::Wildcard {
                field: String::new(),
                pattern: word.pattern(),
                case_insensitive: false,
                boost: 1.0,
            });
        }
        Ok(Query::Match {
            field: String::new(),
            value: Value::String(word.plain()),
            operator: self.options.operator,
            minimum_should_match: None,
            prefix_last: false,
            fuzzy: None,
            lenient: self.options.lenient,
            zero_terms_all: false,
            boost: 1.0,
        })
    }

    fn quoted(&mut self) -> Result<String, EsError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(self.wrong("a quote is not closed")),
                Some('"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some('\\') if self.at + 1 < self.chars.len() => {
                    text.push(self.chars[self.at + 1]);
                    self.at += 2;
                }
                Some(c) => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
    }

    fn phrase(&mut self) -> Result<Query, EsError> {
        let text = self.quoted()?;
        let mut slop = self.options.phrase_slop;
        if self.eat('~') {
            slop = self.number_text().parse::<f32>().unwrap_or(0.0).min(1000.0) as u32;
        }
        Ok(Query::MatchPhrase {
            field: String::new(),
            value: Value::String(text),
            slop,
            prefix_last: false,
            lenient: self.options.lenient,
            boost: 1.0,
        })
    }

    fn regexp(&mut self) -> Result<Query, EsError> {
        self.at += 1;
        let mut pattern = String::new();
        loop {
            match self.peek() {
                None => return Err(self.wrong("a '/' is not closed")),
                Some('/') => {
                    self.at += 1;
                    break;
                }
                Some('\\') if self.chars.get(self.at + 1) == Some(&'/') => {
                    pattern.push('/');
                    self.at += 2;
                }
                Some('\\') if self.at + 1 < self.chars.len() => {
                    pattern.push('\\');
                    pattern.push(self.chars[self.at + 1]);
                    self.at += 2;
                }
                Some(c) => {
                    pattern.push(c);
                    self.at += 1;
                }
            }
        }
        limit_regex(&pattern)?;
        Ok(Query::Regexp {
            field: String::new(),
            pattern,
            case_insensitive: false,
            boost: 1.0,
        })
    }

    fn bound(&mut self) -> Result<Option<Value>, EsError> {
        self.blank();
        if self.peek() == Some('"') {
            return Ok(Some(Value::String(self.quoted()?)));
        }
        let mut text = String::new();
        while let Some(c) = self.peek() {
            if c.is_whitespace() || matches!(c, ']' | '}') {
                break;
            }
            self.at += 1;
            match (c, self.peek()) {
                ('\\', Some(next)) => {
                    text.push(next);
                    self.at += 1;
                }
                _ => text.push(c),
            }
        }
        match text.as_str() {
            "" => Err(self.wrong("a bound of a range is missing")),
            "*" => Ok(None),
            _ => Ok(Some(Value::String(text))),
        }
    }

    fn range(&self, lower: Option<(Value, bool)>, upper: Option<(Value, bool)>) -> Query {
        Query::Range {
            field: String::new(),
            bounds: RangeBounds {
                lower,
                upper,
                format: None,
                time_zone: self.options.time_zone.clone(),
            },
            boost: 1.0,
        }
    }

    fn interval(&mut self) -> Result<Query, EsError> {
        let lower_in = self.peek() == Some('[');
        self.at += 1;
        let lower = self.bound()?;
        self.blank();
        if !self.eat_keyword("TO") {
            return Err(self.wrong("TO is missing in a range"));
        }
        let upper = self.bound()?;
        self.blank();
        let upper_in = match self.peek() {
            Some(']') => true,
            Some('}') => false,
            _ => return Err(self.wrong("a range is not closed")),
        };
        self.at += 1;
        Ok(self.range(lower.map(|v| (v, lower_in)), upper.map(|v| (v, upper_in))))
    }

    fn comparison(&mut self) -> Result<Query, EsError> {
        let greater = self.peek() == Some('>');
        self.at += 1;
        let inclusive = self.eat('=');
        let value = if self.peek() == Some('"') {
            self.quoted()?
        } else {
            self.word_with_colons()?
        };
        if value.is_empty() {
            return Err(self.wrong("a value is missing behind '>' or '<'"));
        }
        let bound = Some((Value::String(value), inclusive));
        Ok(if greater {
            self.range(bound, None)
        } else {
            self.range(None, bound)
        })
    }

    /// A word in which a colon may stand, such as a time of day.
    fn word_with_colons(&mut self) -> Result<String, EsError> {
        let mut text = self.word()?.plain();
        while self.peek() == Some(':') {
            self.at += 1;
            text.push(':');
            text.push_str(&self.word()?.plain());
        }
        Ok(text)
    }
}

fn over(fields: Vec<FieldSpec>, leaf: Query, tie_breaker: f32) -> Query {
    match fields.as_slice() {
        [one] if !one.pattern.contains('*') => {
            leaf.with_field(&one.pattern, false).boosted(one.boost)
        }
        _ => Query::OverFields {
            fields,
            leaf: Box::new(leaf),
            combine: Combine::Best,
            tie_breaker,
        },
    }
}
