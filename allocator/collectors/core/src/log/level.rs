//! Recognises a line's level without parsing the line.
//!
//! Invariants: looks at a bounded start of the line; says nothing rather than guess from a word in
//! the middle of a sentence.
//! Not here: any other field of a structured line.

use crate::container::cut;

const LEVELS: [(&str, &str); 17] = [
    ("trace", "trace"),
    ("debug", "debug"),
    ("dbg", "debug"),
    ("information", "info"),
    ("info", "info"),
    ("notice", "notice"),
    ("log", "info"),
    ("warning", "warn"),
    ("warn", "warn"),
    ("wrn", "warn"),
    ("error", "error"),
    ("err", "error"),
    ("severe", "error"),
    ("critical", "critical"),
    ("fatal", "fatal"),
    ("panic", "fatal"),
    ("emergency", "emergency"),
];

/// The level of a line, when it says one.
pub fn level(message: &str) -> Option<&'static str> {
    let start = cut(message, 1024);
    if start.trim_start().starts_with('{') {
        return [
            "\"log.level\"",
            "\"level\"",
            "\"severity\"",
            "\"lvl\"",
            "\"levelname\"",
        ]
        .iter()
        .find_map(|key| json_value(start, key))
        .and_then(exact);
    }
    if let Some(value) = key_value(start, "level=").or_else(|| key_value(start, "lvl=")) {
        return exact(value);
    }
    upper_word(cut(start, 96))
}

fn json_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let at = text.find(key)? + key.len();
    let rest = text[at..]
        .trim_start()
        .strip_prefix(':')?
        .trim_start()
        .strip_prefix('"')?;
    rest.split('"').next()
}

fn key_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let at = text.find(key)?;
    let before = text[..at].chars().next_back();
    if before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_' || letter == '.') {
        return None;
    }
    let rest = text[at + key.len()..].trim_start_matches('"');
    rest.split(|letter: char| letter.is_whitespace() || letter == '"' || letter == ',')
        .next()
}

/// A word in capitals or in brackets near the start: `2026-… ERROR [main]`, `[warn] x`.
fn upper_word(text: &str) -> Option<&'static str> {
    let is_boundary = |letter: char| !letter.is_ascii_alphabetic();
    for word in text
        .split(is_boundary)
        .filter(|word| word.len() >= 3)
        .take(12)
    {
        let bracketed = {
            let at = word.as_ptr() as usize - text.as_ptr() as usize;
            text[..at].ends_with('[') && text[at + word.len()..].starts_with(']')
        };
        // "LOG" alone is PostgreSQL's, "Log" in brackets is a name.
        let is_capital = word.bytes().all(|byte| byte.is_ascii_uppercase());
        if (is_capital || bracketed)
            && let Some(level) = exact(word)
        {
            return Some(level);
        }
    }
    None
}

fn exact(word: &str) -> Option<&'static str> {
    LEVELS
        .iter()
        .find(|(name, _)| word.eq_ignore_ascii_case(name))
        .map(|(_, level)| *level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn common_formats_are_recognised() {
        for (line, expected) in [
            (r#"{"ts":1,"level":"WARN","msg":"x"}"#, Some("warn")),
            (r#"{"log.level":"error","message":"level"}"#, Some("error")),
            (
                r#"time="2026-11-23T20:18:14Z" level=info msg="API listen""#,
                Some("info"),
            ),
            (
                "2026-11-23 20:18:14,123 ERROR [main] o.e.n.Node - x",
                Some("error"),
            ),
            ("[2026-11-23T20:18:14,123][WARN ][o.e.x] y", Some("warn")),
            (
                "2026/11/23 20:18:14 [error] 7#7: open() failed",
                Some("error"),
            ),
            ("2026-11-23 LOG:  database system is ready", Some("info")),
            ("an error in the middle of a sentence", None),
            ("loglevel=debugging is no level", None),
            ("", None),
        ] {
            assert_eq!(level(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line in ".{0,300}") {
            let _ = level(&line);
            let _ = level(&format!("{{\"level\":{line}"));
            let _ = level(&format!("level={line}"));
        }
    }
}
