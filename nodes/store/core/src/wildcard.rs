//! Names with stars: index expressions (`a*,-ab*,<logs-{now/d}>`), field patterns, and what an index may be called.
//! Invariants: matching is linear in practice (no recursion); excluding applies to what stands before it.
//! Not here: `wildcard` queries (`query`), who owns an index.

use crate::datemath;
use crate::error::{EsError, EsResult};

/// Longest expression and most parts.
const EXPRESSION_LIMIT: usize = 16_384;
const PARTS_LIMIT: usize = 1024;

/// Whether a text matches a pattern in which `*` stands for any run of characters.
#[must_use]
pub fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut pos) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while pos < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, pos));
            at += 1;
        } else if pattern.get(at) == Some(&text[pos]) {
            at += 1;
            pos += 1;
        } else if let Some((star_at, star_pos)) = star {
            at = star_at + 1;
            pos = star_pos + 1;
            star = Some((star_at, star_pos + 1));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Whether any of several patterns matches.
#[must_use]
pub fn glob_any<'a>(patterns: impl IntoIterator<Item = &'a str>, text: &str) -> bool {
    patterns.into_iter().any(|pattern| glob(pattern, text))
}

/// What may be matched: an index, an alias or a data stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a str,
    /// Hidden ones are not matched by stars, unless asked for or the pattern begins with a dot as they do.
    pub hidden: bool,
    /// Closed ones are not matched by stars, unless asked for.
    pub closed: bool,
}

/// How a request wants names to be resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameOptions {
    /// Plain names that do not exist are skipped.
    pub ignore_unavailable: bool,
    /// A pattern that matches nothing is fine.
    pub allow_no_indices: bool,
    /// Stars match open indices.
    pub open: bool,
    /// Stars match closed indices.
    pub closed: bool,
    /// Stars match hidden indices.
    pub hidden: bool,
}

impl Default for NameOptions {
    fn default() -> Self {
        Self {
            ignore_unavailable: false,
            allow_no_indices: true,
            open: true,
            closed: false,
            hidden: false,
        }
    }
}

impl NameOptions {
    /// Reads `expand_wildcards=open,hidden`.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming the value that is unknown.
    pub fn expand(mut self, text: &str) -> EsResult<Self> {
        (self.open, self.closed, self.hidden) = (false, false, false);
        for part in text.split(',') {
            match part.trim() {
                "open" => self.open = true,
                "closed" => self.closed = true,
                "hidden" => self.hidden = true,
                "none" => (self.open, self.closed, self.hidden) = (false, false, false),
                "all" => (self.open, self.closed, self.hidden) = (true, true, true),
                other => {
                    return Err(EsError::illegal_argument(format!(
                        "No valid expand wildcard value [{}]",
                        other.chars().take(64).collect::<String>()
                    )));
                }
            }
        }
        if self.hidden && !self.closed {
            self.open = true;
        }
        Ok(self)
    }

    fn takes(&self, pattern: &str, candidate: &Candidate<'_>) -> bool {
        let state = if candidate.closed {
            self.closed
        } else {
            self.open
        };
        let dotted = pattern.starts_with('.') && candidate.name.starts_with('.');
        state && (!candidate.hidden || self.hidden || dotted) && glob(pattern, candidate.name)
    }
}

/// Selects names by an expression; `""`, `_all` and `*` are all of them. The answer keeps the candidates' order for
/// stars and the expression's order for plain names, without repetition.
///
/// # Errors
/// `index_not_found_exception` as the options say; `parse_exception` for wrong date expressions.
pub fn select(
    expression: &str,
    candidates: &[Candidate<'_>],
    options: NameOptions,
    now_ms: i64,
) -> EsResult<Vec<String>> {
    if expression.len() > EXPRESSION_LIMIT {
        return Err(EsError::illegal_argument(
            "index expression is too long; name fewer indices or use a pattern",
        ));
    }
    let mut chosen: Vec<String> = Vec::new();
    let mut starred = false;
    let expression = if matches!(expression, "" | "_all") {
        "*"
    } else {
        expression
    };
    for (number, part) in split(expression).enumerate() {
        if number >= PARTS_LIMIT {
            return Err(EsError::illegal_argument(
                "index expression has too many parts; use a pattern",
            ));
        }
        let (exclude, part) = match part.strip_prefix('-') {
            Some(rest) if starred => (true, rest),
            _ => (false, part),
        };
        let name = datemath::index_name(part, now_ms)?;
        let name = if name == "_all" { "*".to_owned() } else { name };
        if name.is_empty() {
            return Err(EsError::new(
                400,
                "invalid_index_name_exception",
                "Invalid index name [], must not be empty",
            ));
        }
        if exclude {
            chosen.retain(|known| !glob(&name, known));
            continue;
        }
        if name.contains('*') {
            starred = true;
            let before = chosen.len();
            for candidate in candidates {
                if options.takes(&name, candidate)
                    && !chosen.iter().any(|known| known == candidate.name)
                {
                    chosen.push(candidate.name.to_owned());
                }
            }
            if chosen.len() == before && !options.allow_no_indices {
                return Err(EsError::index_not_found(&name));
            }
            continue;
        }
        if candidates.iter().any(|candidate| candidate.name == name) {
            if !chosen.contains(&name) {
                chosen.push(name);
            }
        } else if !options.ignore_unavailable {
            return Err(EsError::index_not_found(&name));
        }
    }
    if chosen.is_empty() && !options.allow_no_indices {
        return Err(EsError::index_not_found(expression));
    }
    Ok(chosen)
}

/// Splits at commas that are not inside `<...>`.
fn split(expression: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    expression
        .split(move |letter| {
            match letter {
                '<' => inside = true,
                '>' => inside = false,
                _ => {}
            }
            letter == ',' && !inside
        })
        .map(str::trim)
}

/// Whether an index, alias or data stream may have this name.
///
/// # Errors
/// `invalid_index_name_exception` in Elasticsearch's words.
pub fn check_index_name(name: &str) -> EsResult<()> {
    let refuse = |why: &str| {
        let shown: String = name.chars().take(255).collect();
        Err(EsError::new(
            400,
            "invalid_index_name_exception",
            format!("Invalid index name [{shown}], {why}"),
        )
        .with("index", shown)
        .with("index_uuid", "_na_"))
    };
    if name.is_empty() {
        return refuse("must not be empty");
    }
    if name
        .chars()
        .any(|letter| r#" "*\<|,>/?"#.contains(letter) || letter.is_control())
    {
        return refuse(
            r#"must not contain the following characters [' ','"','*',',','/','<','>','?','\','|']"#,
        );
    }
    if name.contains('#') {
        return refuse("must not contain '#'");
    }
    if name.contains(':') {
        return refuse("must not contain ':'");
    }
    if name.starts_with(['_', '-', '+']) {
        return refuse("must not start with '_', '-', or '+'");
    }
    if name.chars().any(char::is_uppercase) {
        return refuse("must be lowercase");
    }
    if name.len() > 255 {
        return refuse("index name is too long");
    }
    if matches!(name, "." | "..") {
        return refuse("must not be '.' or '..'");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAMES: [Candidate<'_>; 5] = [
        Candidate {
            name: "logs-a",
            hidden: false,
            closed: false,
        },
        Candidate {
            name: "logs-b",
            hidden: false,
            closed: false,
        },
        Candidate {
            name: "logs-closed",
            hidden: false,
            closed: true,
        },
        Candidate {
            name: ".ds-logs-a-1",
            hidden: true,
            closed: false,
        },
        Candidate {
            name: "metrics",
            hidden: false,
            closed: false,
        },
    ];

    fn pick(expression: &str, options: NameOptions) -> Result<String, String> {
        select(expression, &NAMES, options, 0)
            .map(|names| names.join(" "))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn stars_names_and_exclusions_select() {
        let plain = NameOptions::default();
        assert_eq!(pick("*", plain).unwrap(), "logs-a logs-b metrics");
        assert_eq!(pick("", plain).unwrap(), "logs-a logs-b metrics");
        assert_eq!(pick("logs-*,-logs-b", plain).unwrap(), "logs-a");
        assert_eq!(
            pick("metrics,logs-a,metrics", plain).unwrap(),
            "metrics logs-a"
        );
        assert_eq!(pick(".ds-*", plain).unwrap(), ".ds-logs-a-1");
        assert_eq!(pick("no*", plain).unwrap(), "");
        assert!(
            pick("none", plain)
                .unwrap_err()
                .contains("no such index [none]")
        );
        assert_eq!(
            pick(
                "none,metrics",
                NameOptions {
                    ignore_unavailable: true,
                    ..plain
                }
            )
            .unwrap(),
            "metrics"
        );
        assert!(
            pick(
                "no*",
                NameOptions {
                    allow_no_indices: false,
                    ..plain
                }
            )
            .is_err()
        );
        assert_eq!(
            pick("*", plain.expand("all").unwrap()).unwrap(),
            "logs-a logs-b logs-closed .ds-logs-a-1 metrics"
        );
        assert_eq!(pick("*", plain.expand("none").unwrap()).unwrap(), "");
        assert!(plain.expand("some").is_err());
        assert_eq!(pick("<logs-{now/d{'a'}}>", plain).unwrap(), "logs-a");
    }

    #[test]
    fn names_follow_the_rules() {
        assert!(check_index_name("logs-docker.container-default").is_ok());
        for bad in [
            "",
            "A",
            "_a",
            "-a",
            "a b",
            "a*",
            "a,b",
            "..",
            "a#b",
            "a:b",
            &"x".repeat(256),
        ] {
            assert!(check_index_name(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn glob_agrees_with_a_regular_expression(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            let regex = format!("^{}$", pattern.replace('*', ".*"));
            prop_assert_eq!(glob(&pattern, &text), regex::Regex::new(&regex).unwrap().is_match(&text));
        }

        #[test]
        fn nothing_panics(expression in ".{0,60}") {
            let _ = pick(&expression, NameOptions::default());
            let _ = check_index_name(&expression);
        }
    }
}
