//! How the keys that a hit was sorted by are shown in it. Invariants: what is shown can be given back
//! as `search_after`. Not here: the order (`sort.rs`).

use serde_json::{Value, json};

use super::sort::{SortKey, SortOrder, SortSpec, SortValue};
use crate::dateformat::DateFormat;
use crate::document::ip_text;
use crate::error::EsError;
use crate::query::FieldKind;

/// The kind that a field nobody knows is sorted as.
fn unmapped_kind(spec: &SortSpec) -> Option<FieldKind> {
    match spec.unmapped_type.as_deref()? {
        "long" | "integer" | "short" | "byte" | "unsigned_long" => Some(FieldKind::Long),
        "date" | "date_nanos" => Some(FieldKind::Date),
        "boolean" => Some(FieldKind::Bool),
        "double" | "float" | "half_float" | "scaled_float" => Some(FieldKind::Double),
        _ => None,
    }
}

/// The `sort` member of a hit. `short` marks the keys whose field holds 32-bit fractions.
pub(crate) fn render_sort(
    specs: &[SortSpec],
    keys: &[SortValue],
    kinds: &[Option<FieldKind>],
    short: &[bool],
) -> Result<Value, EsError> {
    let mut out = Vec::with_capacity(keys.len());
    for (((spec, key), kind), short) in specs.iter().zip(keys).zip(kinds).zip(short) {
        let kind = &kind.or_else(|| unmapped_kind(spec));
        out.push(match key {
            SortValue::Long(ms) if *kind == Some(FieldKind::Date) && spec.format.is_some() => {
                let format = DateFormat::new(spec.format.as_deref().unwrap_or_default())?;
                json!(format.format_ms(*ms))
            }
            SortValue::Long(n) => json!(n),
            SortValue::Double(n) if spec.key == SortKey::Score || *short => single(*n),
            SortValue::Double(n) => json!(n),
            SortValue::Text(s) => json!(s),
            SortValue::Ip(ip) => json!(ip_text(*ip)),
            // Lucene sorts numbers without a value as the largest or smallest there is.
            SortValue::Missing => match kind {
                Some(FieldKind::Long | FieldKind::Date | FieldKind::Bool) => {
                    let last = (spec.order == SortOrder::Asc) != spec.missing_first;
                    json!(if last { i64::MAX } else { i64::MIN })
                }
                Some(FieldKind::Double) => {
                    let last = (spec.order == SortOrder::Asc) != spec.missing_first;
                    json!(if last { "Infinity" } else { "-Infinity" })
                }
                _ => Value::Null,
            },
        });
    }
    Ok(Value::Array(out))
}

/// A 32-bit fraction with the digits that it needs, not those of its 64-bit form.
fn single(number: f64) -> Value {
    let text = (number as f32).to_string();
    text.parse::<f64>()
        .map_or(Value::Null, |shortest| json!(shortest))
}
