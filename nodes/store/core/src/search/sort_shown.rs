//! How the keys that a hit was sorted by are shown in it. Invariants: what is shown can be given back
//! as `search_after`. Not here: the order (`sort.rs`).

use serde_json::{Value, json};

use super::sort::{SortKey, SortOrder, SortSpec, SortValue};
use crate::dateformat::DateFormat;
use crate::document::ip_text;
use crate::error::EsError;
use crate::query::FieldKind;

/// The kind that a field nobody knows is sorted as.
pub(super) fn unmapped_kind(spec: &SortSpec) -> Option<FieldKind> {
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
            SortValue::Missing => shown_missing(spec, *kind),
        });
    }
    Ok(Value::Array(out))
}

/// A 32-bit fraction with the digits that it needs, not those of its 64-bit form.
fn single(number: f64) -> Value {
    json!(shortest(number))
}

/// The 64-bit fraction whose digits are those of a 32-bit one. Keeps the order of 32-bit fractions.
pub(crate) fn shortest(number: f64) -> f64 {
    let text = (number as f32).to_string();
    text.parse().unwrap_or(number)
}

/// What is shown for no value: Lucene sorts numbers without one as the largest or smallest there is.
fn shown_missing(spec: &SortSpec, kind: Option<FieldKind>) -> Value {
    let last = (spec.order == SortOrder::Asc) != spec.missing_first;
    match kind {
        Some(FieldKind::Long | FieldKind::Date | FieldKind::Bool) => {
            json!(if last { i64::MAX } else { i64::MIN })
        }
        Some(FieldKind::Double) => json!(if last { "Infinity" } else { "-Infinity" }),
        _ => Value::Null,
    }
}

/// Whether a value that was given back is what was shown for no value.
pub(super) fn is_missing(spec: &SortSpec, kind: Option<FieldKind>, value: &Value) -> bool {
    value.is_null() || *value == shown_missing(spec, kind)
}

#[cfg(test)]
mod tests {
    use super::super::sort::{parse_after, parse_sort};
    use super::*;

    #[test]
    fn what_is_shown_for_a_missing_value_is_missing_when_it_is_given_back() {
        for (kind, unmapped) in [
            (Some(FieldKind::Long), ""),
            (Some(FieldKind::Date), ""),
            (Some(FieldKind::Double), ""),
            (Some(FieldKind::Keyword), ""),
            (None, "long"),
            (None, "double"),
        ] {
            for order in ["asc", "desc"] {
                for missing in ["_first", "_last"] {
                    let mut sort = json!({"a": {"order": order, "missing": missing}});
                    if kind.is_none() {
                        sort["a"]["unmapped_type"] = json!(unmapped);
                    }
                    let specs = parse_sort(&sort).unwrap();
                    let keys = [SortValue::Missing];
                    let shown = render_sort(&specs, &keys, &[kind], &[false]);
                    let shown = shown.unwrap();
                    let back = parse_after(&specs, shown.as_array().unwrap(), &[kind]).unwrap();
                    assert_eq!(back, keys, "{kind:?} {order} {missing}: {shown}");
                }
            }
        }
    }
}
