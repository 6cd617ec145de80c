//! `fields` and `docvalue_fields`: values shown beside the source of a hit.
//!
//! Invariants: every value is a list; dates are printed in the asked format; a field without values
//! is left out. Not here: sorting, `_source` filtering.

use serde_json::{Map, Value, json};

use super::sort::no_fielddata;
use crate::analysis::lowercase;
use crate::columns::{Column, Row, Segment};
use crate::dateformat::DateFormat;
use crate::error::EsError;
use crate::query::params::{Params, scalar_text};
use crate::query::{FieldInfo, FieldKind, Schema, extract};

/// Fields one request may name.
const MAX_FIELDS: usize = 200;

/// A field whose values are shown.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldRequest {
    /// A path, possibly with `*`.
    pub pattern: String,
    /// Of dates.
    pub format: Option<String>,
}

impl FieldRequest {
    /// Reads a list of names and `{"field": …, "format": …}`.
    pub fn parse_list(owner: &'static str, value: &Value) -> Result<Vec<Self>, EsError> {
        let items: &[Value] = match value {
            Value::Array(items) => items,
            single => std::slice::from_ref(single),
        };
        if items.len() > MAX_FIELDS {
            return Err(EsError::illegal_argument(format!(
                "Trying to retrieve too many {owner}. Must be less than or equal to: [{MAX_FIELDS}] but was [{}].",
                items.len()
            )));
        }
        items
            .iter()
            .map(|item| match item {
                Value::Object(_) => {
                    let mut p = Params::new(owner, item)?;
                    let pattern = p.need_string("field")?;
                    let format = p
                        .string("format")?
                        .filter(|format| format != "use_field_mapping");
                    p.take("include_unmapped");
                    p.finish_as_object()?;
                    Ok(Self { pattern, format })
                }
                other => match scalar_text(other) {
                    Some(pattern) => Ok(Self {
                        pattern,
                        format: None,
                    }),
                    None => Err(EsError::parsing(format!("[{owner}] expected a field name"))),
                },
            })
            .collect()
    }
}

/// The `fields` member of a hit, empty when there is nothing to show.
pub(crate) fn collect(
    fields: &[FieldRequest],
    docvalues: &[FieldRequest],
    schema: &dyn Schema,
    segment: &dyn Segment,
    row: Row,
    source: &Value,
) -> Result<Map<String, Value>, EsError> {
    let mut out = Map::new();
    for request in docvalues {
        for (name, info) in expand(request, schema) {
            if info.kind == FieldKind::Text {
                if request.pattern.contains('*') {
                    continue;
                }
                return Err(no_fielddata(&name));
            }
            let format = format_of(request, &info)?;
            let values = match segment.column(&info.path) {
                Some(column) => column_values(&column, row, &format),
                None => Vec::new(),
            };
            if !values.is_empty() {
                out.insert(name, Value::Array(values));
            }
        }
    }
    for request in fields {
        for (name, info) in expand(request, schema) {
            let format = format_of(request, &info)?;
            let mut values = Vec::new();
            for path in &info.source_paths {
                for value in extract::values(source, path) {
                    values.extend(shown(value, &info, &format));
                }
            }
            if !values.is_empty() {
                out.insert(name, Value::Array(values));
            }
        }
    }
    Ok(out)
}

/// The values of a field in a source as text.
pub(crate) fn texts_shown(source: &Value, info: &FieldInfo) -> Vec<String> {
    let format = info.format.as_deref().cloned().unwrap_or_default();
    let mut texts = Vec::new();
    for path in &info.source_paths {
        for value in extract::values(source, path) {
            let text = shown(value, info, &format).and_then(|value| scalar_text(&value));
            texts.extend(text);
        }
    }
    texts
}

fn expand(request: &FieldRequest, schema: &dyn Schema) -> Vec<(String, FieldInfo)> {
    let names = if request.pattern.contains('*') {
        schema.matching(&request.pattern)
    } else {
        vec![request.pattern.clone()]
    };
    names
        .into_iter()
        .filter_map(|name| schema.field(&name).map(|info| (name, info)))
        .collect()
}

fn format_of(request: &FieldRequest, info: &FieldInfo) -> Result<DateFormat, EsError> {
    match &request.format {
        Some(text) if info.kind == FieldKind::Date => DateFormat::new(text),
        Some(_) if matches!(info.kind, FieldKind::Long | FieldKind::Double) => Err(
            EsError::unsupported(format!("[format] of [{}], which is no date,", info.path)),
        ),
        Some(_) => Err(EsError::illegal_argument(format!(
            "Field [{}] of type [{}] doesn't support formats.",
            info.path, info.type_name
        ))),
        None => Ok(info.format.as_deref().cloned().unwrap_or_default()),
    }
}

/// A value of the source as the field's type shows it.
fn shown(value: Value, info: &FieldInfo, format: &DateFormat) -> Option<Value> {
    match info.kind {
        FieldKind::Date => {
            let text = scalar_text(&value)?;
            let own = info.format.as_deref().cloned().unwrap_or_default();
            let ms = own.parse_ms(&text).ok()?;
            Some(json!(format.format_ms(ms)))
        }
        FieldKind::Long => match &value {
            Value::String(s) => s.trim().parse::<f64>().ok().map(|n| json!(n as i64)),
            Value::Number(n) if n.as_i64().is_none() => n.as_f64().map(|n| json!(n as i64)),
            _ => Some(value),
        },
        FieldKind::Double => match &value {
            Value::String(s) => s.trim().parse::<f64>().ok().map(|n| json!(n)),
            _ => value.as_f64().map(|n| json!(n)),
        },
        FieldKind::Bool => match &value {
            Value::String(s) => Some(json!(s == "true")),
            _ => Some(value),
        },
        FieldKind::Keyword => {
            let text = scalar_text(&value)?;
            if info
                .ignore_above
                .is_some_and(|limit| text.encode_utf16().count() > limit)
            {
                return None;
            }
            Some(Value::String(if info.lowercase {
                lowercase(&text).into_owned()
            } else {
                text
            }))
        }
        FieldKind::Text | FieldKind::Ip => scalar_text(&value).map(Value::String),
        FieldKind::Stored => Some(value),
    }
}

/// All values of a row of a column as JSON.
pub(crate) fn column_values(column: &Column, row: Row, format: &DateFormat) -> Vec<Value> {
    match column {
        Column::Long(c) => longs(c.as_ref(), row)
            .into_iter()
            .map(|n| json!(n))
            .collect(),
        Column::Bool(c) => longs(c.as_ref(), row)
            .into_iter()
            .map(|n| json!(n != 0))
            .collect(),
        Column::Date(c) => longs(c.as_ref(), row)
            .into_iter()
            .map(|n| json!(format.format_ms(n)))
            .collect(),
        Column::Double(c) => {
            let mut values = Vec::new();
            c.all(row, &mut values);
            values.into_iter().map(|n| json!(n)).collect()
        }
        Column::Keyword(c) | Column::Ip(c) => {
            let mut ords = Vec::new();
            c.ords().all(row, &mut ords);
            let mut terms: Vec<String> = ords.iter().map(|o| c.term(*o).into_owned()).collect();
            terms.sort_unstable();
            terms.into_iter().map(Value::String).collect()
        }
    }
}

fn longs(column: &dyn crate::columns::Numbers<i64>, row: Row) -> Vec<i64> {
    let mut values = Vec::new();
    column.all(row, &mut values);
    values
}
