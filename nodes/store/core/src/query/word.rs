//! A word of Lucene's syntax as it was read.
//!
//! Invariant: which characters were written with a backslash is kept, as wildcards depend on it.
//! Not here: what ends a word (`query_string.rs`).

/// A word as read: which characters were written with a backslash matters for wildcards.
pub(super) struct Word {
    pub(super) chars: Vec<(char, bool)>,
}

impl Word {
    pub(super) fn plain(&self) -> String {
        self.chars.iter().map(|(c, _)| *c).collect()
    }

    pub(super) fn has_wildcard(&self) -> bool {
        self.chars
            .iter()
            .any(|(c, escaped)| !escaped && (*c == '*' || *c == '?'))
    }

    /// The word as a wildcard pattern, its escapes kept.
    pub(super) fn pattern(&self) -> String {
        let mut out = String::new();
        for (c, escaped) in &self.chars {
            if *escaped && matches!(c, '*' | '?' | '\\') {
                out.push('\\');
            }
            out.push(*c);
        }
        out
    }

    pub(super) fn is_bare(&self, word: &str) -> bool {
        self.chars.iter().all(|(_, escaped)| !escaped) && self.plain() == word
    }
}
