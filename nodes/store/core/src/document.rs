//! From a document's text and the index's mapping to typed leaf values, in one pass without a tree.
//! Invariants: a value is coerced to its field's type before anything is indexed, or the whole document is refused in
//! Elasticsearch's words; arrays are several values; nulls are nothing; dotted names are nested objects; unknown keys
//! give a `MappingChange` first (nothing is indexed until the mapping has grown). Not here: where leaves are kept.

mod coerce;
mod text;
mod walk;

pub use coerce::ip_text;
pub use text::each_text;

use crate::error::{EsError, EsResult};
use crate::mapping::{FieldId, Mapping, MappingChange};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::net::IpAddr;

/// Largest document.
pub const DOCUMENT_BYTES_LIMIT: usize = 32 << 20;
/// Deepest document.
pub const DOCUMENT_DEPTH_LIMIT: usize = 100;
/// Longest term in bytes (Lucene's).
pub const TERM_BYTES_LIMIT: usize = 32_766;
/// Longest `_id` in bytes.
pub const ID_BYTES_LIMIT: usize = 512;

/// A typed value.
#[derive(Debug, Clone, PartialEq)]
pub enum LeafValue<'a> {
    /// Whole numbers.
    Long(i64),
    /// Floating point, already as precise as its type.
    Double(f64),
    /// True or false.
    Bool(bool),
    /// Unix milliseconds.
    Date(i64),
    /// A term, already normalized.
    Term(Cow<'a, str>),
    /// An address; `ip_text` gives the column's term.
    Ip(IpAddr),
    /// To be analysed.
    Text(Cow<'a, str>),
}

/// One value of one field.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf<'a> {
    /// The field.
    pub field: FieldId,
    /// In a flattened object: the path inside it. The term then belongs to the columns at the field's path and at
    /// `path.key`.
    pub key: Option<Box<str>>,
    /// The value.
    pub value: LeafValue<'a>,
}

/// What a document is to the index.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<'a> {
    /// Its values, in the order in which they stand; constants of the mapping last.
    Ready(Vec<Leaf<'a>>),
    /// The mapping must grow first: apply with `Mapping::grown`, then parse again.
    Grows(MappingChange),
}

impl Mapping {
    /// Reads a document. `id` is for messages.
    ///
    /// # Errors
    /// `mapper_parsing_exception` and its kin, as a bulk item shows them.
    pub fn parse<'a>(&self, id: &str, source: &'a [u8]) -> EsResult<Outcome<'a>> {
        if source.len() > DOCUMENT_BYTES_LIMIT {
            return Err(EsError::illegal_argument(format!(
                "document of {} bytes is larger than the limit of {DOCUMENT_BYTES_LIMIT}; split it",
                source.len()
            )));
        }
        let (mut leaves, new) = walk::run(self, id, source)?;
        if !new.is_empty() {
            let properties: Map<String, Value> = new.into_iter().collect();
            return Ok(Outcome::Grows(MappingChange(
                serde_json::json!({"properties": properties}),
            )));
        }
        for constant in self.constants() {
            if let Some(value) = &self.field(*constant).def.constant
                && !leaves.iter().any(|leaf| leaf.field == *constant)
            {
                let value = LeafValue::Term(Cow::Owned(value.to_string()));
                leaves.push(Leaf {
                    field: *constant,
                    key: None,
                    value,
                });
            }
        }
        Ok(Outcome::Ready(leaves))
    }

    /// Reads a document and lets the mapping grow as often as it must; answers the grown mapping if it did.
    ///
    /// # Errors
    /// As `parse`, and when growing meets a limit.
    pub fn parse_growing<'a>(
        &self,
        id: &str,
        source: &'a [u8],
    ) -> EsResult<(Vec<Leaf<'a>>, Option<Self>)> {
        let mut grown: Option<Self> = None;
        for _ in 0..=DOCUMENT_DEPTH_LIMIT {
            match grown.as_ref().unwrap_or(self).parse(id, source)? {
                Outcome::Ready(leaves) => return Ok((leaves, grown)),
                Outcome::Grows(change) => {
                    grown = Some(grown.as_ref().unwrap_or(self).grown(&change)?);
                }
            }
        }
        Err(EsError::mapper_parsing(
            "failed to parse: dynamic templates do not map what they match",
        ))
    }
}

#[cfg(test)]
mod tests;
