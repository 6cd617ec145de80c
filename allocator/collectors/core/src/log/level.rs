//! Recognises a line's level without parsing the line.
//!
//! Invariants: looks at a bounded start of the line; says nothing rather than guess from a word in
//! the middle of a sentence.
//! Not here: any other field of a structured line.

use crate::container::cut;

const LEVELS: [(&str, &str); 22] = [
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
    ("crit", "critical"),
    ("alert", "critical"),
    ("dpanic", "critical"),
    ("fatal", "fatal"),
    ("panic", "fatal"),
    ("emergency", "emergency"),
    ("emerg", "emergency"),
    ("verbose", "debug"),
];

/// The level of a line, when it says one: lower-case, one word for all spellings of a level.
pub fn level(message: &str) -> Option<&'static str> {
    let start = cut(message, 1024);
    if start.trim_start().starts_with('{') {
        return JSON_KEYS.iter().find_map(|key| json_level(start, key));
    }
    if let Some(value) = key_value(start, "level=").or_else(|| key_value(start, "lvl=")) {
        return exact(value);
    }
    klog(start).or_else(|| upper_word(cut(start, 96)))
}

/// Where JSON lines have their level: ECS, zap and zerolog, Stackdriver, others.
const JSON_KEYS: [&str; 5] = [
    "\"log.level\"",
    "\"level\"",
    "\"severity\"",
    "\"lvl\"",
    "\"levelname\"",
];

/// The first readable value of a key; the same word as a text elsewhere in the line is passed over.
fn json_level(text: &str, key: &str) -> Option<&'static str> {
    text.match_indices(key).find_map(|(at, _)| {
        let rest = text[at + key.len()..].trim_start().strip_prefix(':')?;
        let rest = rest.trim_start();
        match rest.strip_prefix('"') {
            Some(rest) => exact(rest.split('"').next()?),
            None => numbered(rest),
        }
    })
}

/// The numbers of bunyan and pino.
fn numbered(rest: &str) -> Option<&'static str> {
    let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
    match &rest[..end] {
        "10" => Some("trace"),
        "20" => Some("debug"),
        "30" => Some("info"),
        "40" => Some("warn"),
        "50" => Some("error"),
        "60" => Some("fatal"),
        _ => None,
    }
}

/// The letter that starts lines of klog and glog: `E0102 15:04:05.678901 …`.
fn klog(text: &str) -> Option<&'static str> {
    let bytes = text.as_bytes().first_chunk::<9>()?;
    let digits = [1, 2, 3, 4, 6, 7];
    if !digits.iter().all(|at| bytes[*at].is_ascii_digit()) || bytes[5] != b' ' || bytes[8] != b':'
    {
        return None;
    }
    match bytes[0] {
        b'I' => Some("info"),
        b'W' => Some("warn"),
        b'E' => Some("error"),
        b'F' => Some("fatal"),
        _ => None,
    }
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

pub(crate) fn exact(word: &str) -> Option<&'static str> {
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
            ("E0102 15:04:05.678901       1 main.go:7] x", Some("error")),
            (
                "I0102 15:04:05.678901       1 main.go:7] ERROR",
                Some("info"),
            ),
            ("E0102 is a room", None),
            (r#"{"name":"a","level":50,"msg":"x","v":0}"#, Some("error")),
            (r#"{"level":51,"msg":"x"}"#, None),
            (
                r#"{"msg":"level","note":"level","log":{"level":"Warning"}}"#,
                Some("warn"),
            ),
            ("an error in the middle of a sentence", None),
            ("loglevel=debugging is no level", None),
            ("", None),
        ] {
            assert_eq!(level(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn every_spelling_of_a_level_is_found_in_every_form(
            index in 0..LEVELS.len(),
            upper: bool,
            rest in "[ a-z0-9.]{0,40}",
        ) {
            let (name, expected) = LEVELS[index];
            let capital = name.to_ascii_uppercase();
            let word = if upper { capital.as_str() } else { name };
            for line in [
                format!("{{\"a\":\"{rest}\",\"log.level\":\"{word}\"}}"),
                format!("{{\"level\" : \"{word}\",\"msg\":\"{rest}\"}}"),
                format!("time=1 level={word} msg=\"{rest}\""),
                format!("2026-01-02 [{word}] {rest}"),
                format!("2026-01-02T03:04:05Z {capital} {rest}"),
            ] {
                prop_assert_eq!(level(&line), Some(expected), "{}", line);
            }
        }

        #[test]
        fn any_line_is_survived(line in ".{0,300}") {
            let _ = level(&line);
            let _ = level(&format!("{{\"level\":{line}"));
            let _ = level(&format!("level={line}"));
        }
    }
}
