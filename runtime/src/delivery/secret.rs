//! A text that is never shown.

use std::fmt;

/// A secret; its `Debug` says only that there is one.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "hidden" })
    }
}

/// Shortest text that is taken out; shorter ones would tear other words.
const SHORTEST: usize = 4;
/// Longest piece of a foreign text that is repeated.
const LONGEST: usize = 300;

/// A foreign text, cut, on one line, without the secrets.
pub(super) fn clean<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut clean: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    for secret in secrets {
        if secret.len() >= SHORTEST {
            clean = clean.replace(secret, "[hidden]");
        }
    }
    clean
        .chars()
        .take(LONGEST)
        .collect::<String>()
        .trim()
        .to_owned()
}
