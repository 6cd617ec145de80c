//! The text of a field: its values one behind the other, and where its words are, in UTF-16 units.
//!
//! Invariant: offsets that leave here lie between characters. Not here: which words are marked.

use std::ops::Range;

use crate::analysis::lowercase;
use crate::query::{FieldInfo, FieldKind};

/// What stands between two values.
pub(super) const SEPARATOR: char = '\0';
/// Distance of words of two values.
const GAP: u32 = 100;

/// Text with its length counted in UTF-16 units.
pub(super) struct Content {
    text: String,
    /// For a text with other characters than ASCII: where each character begins, units and bytes, and the end.
    places: Vec<(usize, usize)>,
    length: usize,
    values: Vec<Range<usize>>,
}

impl Content {
    pub(super) fn new<S: AsRef<str>>(values: &[S]) -> Self {
        let mut text = String::new();
        let mut ranges = Vec::with_capacity(values.len());
        let mut length = 0;
        for (at, value) in values.iter().enumerate() {
            let value = value.as_ref();
            if at > 0 {
                text.push(SEPARATOR);
                length += 1;
            }
            let start = length;
            length += if value.is_ascii() {
                value.len()
            } else {
                value.chars().map(char::len_utf16).sum()
            };
            ranges.push(start..length);
            text.push_str(value);
        }
        let mut places = Vec::new();
        if !text.is_ascii() {
            let mut unit = 0;
            for (byte, letter) in text.char_indices() {
                places.push((unit, byte));
                unit += letter.len_utf16();
            }
            places.push((unit, text.len()));
        }
        Self {
            text,
            places,
            length,
            values: ranges,
        }
    }

    /// UTF-16 units.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// The part between two offsets.
    pub(super) fn slice(&self, range: Range<usize>) -> &str {
        let (start, end) = (self.byte(range.start), self.byte(range.end));
        self.text.get(start..end).unwrap_or_default()
    }

    /// The value that an offset lies in or behind.
    pub(super) fn value_at(&self, offset: usize) -> Range<usize> {
        let at = self.values.partition_point(|value| value.start <= offset);
        self.values[at.saturating_sub(1)].clone()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn byte(&self, unit: usize) -> usize {
        if self.places.is_empty() {
            return unit.min(self.text.len());
        }
        match self.places.binary_search_by_key(&unit, |place| place.0) {
            Ok(at) => self.places[at].1,
            Err(at) => self.places[at.min(self.places.len()) - 1].1,
        }
    }

    fn unit(&self, byte: usize) -> usize {
        if self.places.is_empty() {
            return byte;
        }
        match self.places.binary_search_by_key(&byte, |place| place.1) {
            Ok(at) => self.places[at].0,
            Err(at) => self.places[at.min(self.places.len()) - 1].0,
        }
    }

    /// Calls `visit` with every word, its offsets and its position; of each value only words that begin up to `limit`.
    pub(super) fn words(
        &self,
        info: &FieldInfo,
        limit: Option<usize>,
        mut visit: impl FnMut(&str, Range<usize>, u32),
    ) {
        let mut position = 0;
        for (at, value) in self.values.iter().enumerate() {
            if at > 0 {
                position += GAP;
            }
            let text = self.slice(value.clone());
            if info.kind != FieldKind::Text {
                if info.lowercase {
                    visit(&lowercase(text), value.clone(), position);
                } else {
                    visit(text, value.clone(), position);
                }
                position += 1;
                continue;
            }
            let base = self.byte(value.start);
            info.analyzer.each(text, &mut |term, bytes| {
                let units = self.unit(base + bytes.start)..self.unit(base + bytes.end);
                if limit.is_none_or(|limit| units.start - value.start <= limit) {
                    visit(&term, units, position);
                }
                position += 1;
            });
        }
    }
}

/// Appends a text, with HTML's own signs replaced if asked.
pub(super) fn append(out: &mut String, text: &str, html: bool) {
    if !html {
        out.push_str(text);
        return;
    }
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("&quot;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#x27;"),
            '/' => out.push_str("&#x2F;"),
            other => out.push(other),
        }
    }
}
