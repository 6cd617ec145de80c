//! Documents of watches: YAML or JSON text, or the JSON that the storage holds.
//!
//! Invariants: every reader goes through the same tree and the same strict fields, so that a
//! document is accepted in all forms or in none; what is wrong is named by line, column and field;
//! size, depth and number of parts are limited before anything is kept.
//! Not here: what the parts mean (`watch`), the API's messages (`api`).

mod fields;
mod read;
mod tree;
mod write;

use serde_json::Value;

pub(crate) use read::reading_of_value;
pub use tree::Place;

use crate::watch::Watch;

/// Longest document, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct DocumentError {
    /// Where in the text, when the document is a text.
    pub place: Option<Place>,
    /// The field at fault, `trigger.interval`; empty for the whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl DocumentError {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(place) = self.place {
            text = format!("line {}, column {}: ", place.line, place.column);
        }
        if !self.field.is_empty() {
            text.push_str(&self.field);
            text.push_str(": ");
        }
        text.push_str(&self.message);
        text
    }
}

/// Reads a watch from YAML or JSON.
///
/// # Errors
/// When the text is neither, or is no valid watch; the error names line, column and field.
pub fn from_text(text: &str) -> Result<Watch, DocumentError> {
    read::watch(&tree::of_text(text)?, None)
}

/// Reads the text of a document that is kept under `name`; the name may be left out of it.
///
/// # Errors
/// As [`from_text`], and when the document has another name.
pub fn from_text_named(text: &str, name: &str) -> Result<Watch, DocumentError> {
    read::watch(&tree::of_text(text)?, Some(name))
}

/// Reads a watch from the document that the storage keeps under `name`.
///
/// # Errors
/// When it is no valid watch; the error names the field.
pub fn from_value(value: &Value, name: &str) -> Result<Watch, DocumentError> {
    read::watch(&tree::of_value(value)?, Some(name))
}

/// The document as the storage keeps it, every default filled in.
#[must_use]
pub fn to_value(watch: &Watch) -> Value {
    write::watch(watch)
}

/// The document as people edit it.
#[must_use]
pub fn to_yaml(watch: &Watch) -> String {
    // The tree has text keys and finite numbers only, which YAML can always say.
    serde_yaml_ng::to_string(&to_value(watch)).unwrap_or_default()
}
