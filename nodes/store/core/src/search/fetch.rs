//! One hit as JSON.
//!
//! Invariant: members stand in Elasticsearch's order: `_index`, `_id`, `_version`, `_seq_no`,
//! `_primary_term`, `_score`, `_source`, `fields`, `highlight`, `sort`. Not here: which rows are hits.

use serde_json::{Map, Value, json};

use super::fields::{self, FieldRequest};
use super::highlight::Highlights;
use super::source_filter::SourceFilter;
use crate::columns::{Row, Segment};
use crate::error::EsError;
use crate::query::Schema;

/// What of a hit is shown.
#[derive(Clone, Copy)]
pub(crate) struct HitOptions<'a> {
    /// Of the source.
    pub(crate) source: &'a SourceFilter,
    /// Values from the source.
    pub(crate) fields: &'a [FieldRequest],
    /// Values from columns.
    pub(crate) docvalue_fields: &'a [FieldRequest],
    /// `_version`.
    pub(crate) version: bool,
    /// `_seq_no` and `_primary_term`.
    pub(crate) seq_no_primary_term: bool,
    /// Neither id nor source.
    pub(crate) no_stored_fields: bool,
    /// What is marked in texts.
    pub(crate) highlights: Option<&'a Highlights<'a>>,
}

/// What is known of a hit before it is read.
pub(crate) struct Rendered {
    /// `_score`.
    pub(crate) score: Option<f32>,
    /// `sort`.
    pub(crate) sort: Option<Value>,
}

/// Reads and renders one hit.
pub(crate) fn render_hit(
    index: &str,
    schema: &dyn Schema,
    segment: &dyn Segment,
    row: Row,
    options: HitOptions<'_>,
    known: Rendered,
) -> Result<Value, EsError> {
    let mut hit = Map::new();
    hit.insert("_index".into(), json!(index));
    if !options.no_stored_fields {
        let meta = segment.meta(row)?;
        hit.insert("_id".into(), json!(meta.id));
        if options.version {
            hit.insert("_version".into(), json!(meta.version));
        }
        if options.seq_no_primary_term {
            hit.insert("_seq_no".into(), json!(meta.seq_no));
            hit.insert("_primary_term".into(), json!(meta.primary_term));
        }
    }
    hit.insert(
        "_score".into(),
        known.score.map_or(Value::Null, |score| json!(score)),
    );
    let shows_source = !options.source.disabled && !options.no_stored_fields;
    let highlights = options.highlights.filter(|marks| !marks.is_empty());
    let source = if shows_source || highlights.is_some() || !options.fields.is_empty() {
        let bytes = segment.source(row)?;
        serde_json::from_slice(&bytes)
            .map_err(|error| EsError::internal(format!("a stored document is damaged: {error}")))?
    } else {
        Value::Null
    };
    let values = if options.fields.is_empty() && options.docvalue_fields.is_empty() {
        Map::new()
    } else {
        fields::collect(
            options.fields,
            options.docvalue_fields,
            schema,
            segment,
            row,
            &source,
        )?
    };
    let marked = match highlights {
        Some(highlights) => highlights.of(&source)?,
        None => Map::new(),
    };
    if shows_source {
        hit.insert("_source".into(), options.source.apply(source));
    }
    if !values.is_empty() {
        hit.insert("fields".into(), Value::Object(values));
    }
    if !marked.is_empty() {
        hit.insert("highlight".into(), Value::Object(marked));
    }
    if let Some(sort) = known.sort {
        hit.insert("sort".into(), sort);
    }
    Ok(Value::Object(hit))
}
