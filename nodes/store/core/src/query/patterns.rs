//! Wildcards and Lucene regular expressions as `regex` expressions over whole terms.
//!
//! Invariants: the result is anchored at both ends; the compiled automaton has a size limit.
//! Not here: index patterns (`wildcard.rs` of the crate).

use regex::{Regex, RegexBuilder};

use crate::error::EsError;

/// Memory one compiled expression may take.
const SIZE_LIMIT: usize = 4 << 20;

/// `*` any text, `?` one character, `\` escapes.
pub(crate) fn wildcard(pattern: &str, case_insensitive: bool) -> Result<Regex, EsError> {
    let mut out = String::with_capacity(pattern.len() + 16);
    out.push_str("\\A(?s:");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '\\' => push_literal(&mut out, chars.next().unwrap_or('\\')),
            c => push_literal(&mut out, c),
        }
    }
    out.push_str(")\\z");
    build(&out, case_insensitive)
}

/// Whether a wildcard pattern is only a literal and a `*` behind it; the literal.
pub(crate) fn simple_prefix(pattern: &str) -> Option<&str> {
    let head = pattern.strip_suffix('*')?;
    (!head.contains(['*', '?', '\\'])).then_some(head)
}

/// A Lucene regular expression; operators that `regex` lacks are errors.
pub(crate) fn lucene(pattern: &str, case_insensitive: bool) -> Result<Regex, EsError> {
    let mut out = String::with_capacity(pattern.len() + 16);
    out.push_str("\\A(?s:");
    let mut in_class = false;
    let mut class_start = false;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let at_start = std::mem::take(&mut class_start);
        match c {
            '\\' => match chars.next() {
                None => return Err(bad(pattern, "it ends with a backslash")),
                Some(c @ ('d' | 'D' | 'w' | 'W' | 's' | 'S')) => {
                    out.push_str("(?-u:\\");
                    if in_class {
                        out.truncate(out.len() - 6);
                        out.push('\\');
                    }
                    out.push(c);
                    if !in_class {
                        out.push(')');
                    }
                }
                Some(c) => push_literal(&mut out, c),
            },
            '"' if !in_class => loop {
                match chars.next() {
                    None => return Err(bad(pattern, "a quote is not closed")),
                    Some('"') => break,
                    Some(c) => push_literal(&mut out, c),
                }
            },
            '[' if !in_class => {
                in_class = true;
                class_start = true;
                out.push('[');
            }
            '^' if in_class && at_start => out.push('^'),
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '-' if in_class => out.push('-'),
            c if in_class => push_literal(&mut out, c),
            '~' | '&' | '<' | '@' => {
                return Err(EsError::unsupported(format!("regexp operator {c}")));
            }
            '#' => out.push_str("[a&&b]"),
            '^' | '$' => push_literal(&mut out, c),
            '(' => out.push_str("(?:"),
            '.' | '*' | '+' | '?' | '|' | ')' | '{' | '}' => out.push(c),
            c => push_literal(&mut out, c),
        }
    }
    out.push_str(")\\z");
    RegexBuilder::new(&out)
        .case_insensitive(case_insensitive)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(SIZE_LIMIT)
        .build()
        .map_err(|_| bad(pattern, "it is not a regular expression, or too large"))
}

fn bad(pattern: &str, why: &str) -> EsError {
    let shown: String = pattern.chars().take(200).collect();
    EsError::query_shard(format!(
        "failed to create query: invalid regexp [{shown}]: {why}"
    ))
}

fn push_literal(out: &mut String, c: char) {
    let mut buffer = [0; 4];
    out.push_str(&regex::escape(c.encode_utf8(&mut buffer)));
}

fn build(expression: &str, case_insensitive: bool) -> Result<Regex, EsError> {
    RegexBuilder::new(expression)
        .case_insensitive(case_insensitive)
        .size_limit(SIZE_LIMIT)
        .dfa_size_limit(SIZE_LIMIT)
        .build()
        .map_err(|_| EsError::query_shard("failed to create query: the pattern is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards_match_the_whole_term() {
        let w = wildcard("a*c?", false).unwrap();
        assert!(w.is_match("abcd") && w.is_match("acx"));
        assert!(!w.is_match("abc") && !w.is_match("xabcd"));
        assert!(wildcard("A\\*", true).unwrap().is_match("a*"));
        assert_eq!(simple_prefix("abc*"), Some("abc"));
        assert_eq!(simple_prefix("a?c*"), None);
    }

    #[test]
    fn lucene_expressions_are_anchored_and_dollar_is_a_letter() {
        assert!(lucene("a.*z", false).unwrap().is_match("a\nz"));
        assert!(!lucene("b", false).unwrap().is_match("abc"));
        assert!(lucene("a$", false).unwrap().is_match("a$"));
        assert!(lucene("[^a-c]+", false).unwrap().is_match("xyz"));
        assert!(lucene("\\d{2}", false).unwrap().is_match("42"));
        assert!(lucene("[\\d]{2}", false).unwrap().is_match("42"));
        assert!(lucene("a~b", false).is_err());
    }

    proptest! {
        #[test]
        fn any_pattern_gives_an_answer(pattern in "\\PC{0,40}") {
            let _ = wildcard(&pattern, false);
            let _ = lucene(&pattern, true);
        }
    }
}
