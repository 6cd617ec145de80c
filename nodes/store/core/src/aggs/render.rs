//! Results as JSON, exactly as Elasticsearch writes them.
//!
//! Invariants: absent numbers are null; numbers that are dates or booleans have a text beside them.
//! Not here: which buckets there are (`reduce*.rs`).

use std::net::Ipv6Addr;

use serde_json::{Map, Value, json};

use super::key::{Key, KeyKind};
use super::partial::{Shown, Sums};
use super::pipeline::sums_value;
use super::reduce::{Out, OutBucket, Result_};
use super::spec::{AggSpec, MetricOp};
use crate::dateformat::DateFormat;
use crate::document::ip_text;
use crate::error::EsError;
use crate::query::FieldKind;

/// The name of a metric in requests.
pub(super) fn metric_name(op: &MetricOp) -> &'static str {
    match op {
        MetricOp::Avg => "avg",
        MetricOp::Min => "min",
        MetricOp::Max => "max",
        MetricOp::Sum => "sum",
        MetricOp::Stats => "stats",
        MetricOp::ExtendedStats(_) => "extended_stats",
        MetricOp::ValueCount => "value_count",
        MetricOp::Cardinality => "cardinality",
        MetricOp::Percentiles(..) => "percentiles",
        MetricOp::PercentileRanks(..) => "percentile_ranks",
    }
}

/// A floating-point number as Java writes it.
pub(super) fn number_text(n: f64) -> String {
    let size = n.abs();
    if n == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{n:?}");
    }
    let text = format!("{n:E}");
    match text.split_once('E') {
        Some((mantissa, _)) if mantissa.contains('.') => text,
        Some((mantissa, exponent)) => format!("{mantissa}.0E{exponent}"),
        None => text,
    }
}

/// An address key as the column's term.
pub(super) fn address_text(bits: u128) -> String {
    ip_text(Ipv6Addr::from_bits(bits).into())
}

/// The key of a terms bucket and its text.
pub(super) fn term_key(
    key: &Key,
    kind: Option<KeyKind>,
    format: Option<&DateFormat>,
) -> (Value, Option<String>) {
    match (key, kind) {
        (Key::Long(n), Some(KeyKind::Bool)) => (json!(n), Some((*n != 0).to_string())),
        (Key::Long(n), Some(KeyKind::Date)) => {
            let text = match format {
                Some(format) => format.format_ms(*n),
                None => DateFormat::default().format_ms(*n),
            };
            (json!(n), Some(text))
        }
        (Key::Long(n), _) => (json!(n), None),
        (Key::Double(n), _) => (json!(n.0), None),
        (Key::Text(text), _) => (json!(text), None),
        (Key::Address(bits), _) => (json!(address_text(*bits)), None),
    }
}

/// The name of a bucket where buckets are an object, and in `keys` of pipelines.
pub(super) fn bucket_name(bucket: &OutBucket) -> String {
    match (&bucket.key_as_string, &bucket.key) {
        (Some(text), _) => text.clone(),
        (None, Value::String(text)) => text.clone(),
        (None, Value::Number(n)) => match (n.as_i64(), n.as_f64()) {
            (Some(n), _) => n.to_string(),
            (None, Some(n)) => number_text(n),
            _ => n.to_string(),
        },
        (None, other) => other.to_string(),
    }
}

/// Writes the results of one level.
pub(super) fn render_all(
    specs: &[AggSpec],
    results: &[Result_],
    typed_keys: bool,
) -> Result<Value, EsError> {
    let mut out = Map::new();
    render_into(specs, results, typed_keys, &mut out)?;
    Ok(Value::Object(out))
}

fn render_into(
    specs: &[AggSpec],
    results: &[Result_],
    typed_keys: bool,
    out: &mut Map<String, Value>,
) -> Result<(), EsError> {
    for result in results {
        let spec = specs.iter().find(|spec| spec.name == result.name);
        let subs = spec.map_or(&[][..], |spec| &spec.subs);
        let (prefix, body) = render_out(subs, &result.out, typed_keys)?;
        let body = match (spec.and_then(|spec| spec.meta.clone()), body) {
            (Some(meta), Value::Object(members)) => {
                let mut with = Map::new();
                with.insert("meta".into(), meta);
                with.extend(members);
                Value::Object(with)
            }
            (_, body) => body,
        };
        let name = if typed_keys {
            format!("{prefix}#{}", result.name)
        } else {
            result.name.clone()
        };
        out.insert(name, body);
    }
    Ok(())
}

fn render_out(
    subs: &[AggSpec],
    out: &Out,
    typed_keys: bool,
) -> Result<(&'static str, Value), EsError> {
    Ok(match out {
        Out::Buckets {
            buckets,
            keyed,
            before,
            prefix,
        } => {
            let mut body = Map::new();
            for (name, value) in before {
                body.insert((*name).to_owned(), value.clone());
            }
            let inner_key = !*keyed || matches!(*prefix, "date_histogram" | "histogram");
            if *keyed {
                let mut object = Map::new();
                for bucket in buckets {
                    let value = render_bucket(subs, bucket, inner_key, typed_keys)?;
                    object.insert(bucket_name(bucket), value);
                }
                body.insert("buckets".into(), Value::Object(object));
            } else {
                let list = buckets
                    .iter()
                    .map(|bucket| render_bucket(subs, bucket, inner_key, typed_keys))
                    .collect::<Result<Vec<_>, _>>()?;
                body.insert("buckets".into(), Value::Array(list));
            }
            (prefix, Value::Object(body))
        }
        Out::Single(bucket, prefix) => {
            let mut body = Map::new();
            body.insert("doc_count".into(), json!(bucket.count));
            render_into(subs, &bucket.subs, typed_keys, &mut body)?;
            (prefix, Value::Object(body))
        }
        Out::Sums(sums, op, shown, format) => (
            metric_name(op),
            render_sums(sums, op, shown, format.as_deref())?,
        ),
        Out::Count(count) => ("cardinality", json!({"value": count})),
        Out::Quantiles(list, keyed, shown, prefix, format) => {
            let text = Printer::new(shown, format.as_deref())?;
            let body = if *keyed {
                let mut object = Map::new();
                for (asked, found) in list {
                    let name = number_text(*asked);
                    object.insert(name.clone(), number(*found));
                    if let (Some(found), true) = (found, text.has_text()) {
                        let beside = text.text(*found);
                        object.insert(format!("{name}_as_string"), json!(beside));
                    }
                }
                Value::Object(object)
            } else {
                let rows = list.iter().map(|(asked, found)| {
                    let mut row = Map::new();
                    row.insert("key".into(), json!(asked));
                    row.insert("value".into(), number(*found));
                    if let (Some(found), true) = (found, text.has_text()) {
                        row.insert("value_as_string".into(), json!(text.text(*found)));
                    }
                    Value::Object(row)
                });
                Value::Array(rows.collect())
            };
            (prefix, json!({"values": body}))
        }
        Out::Raw(prefix, body) => (prefix, body.clone()),
        Out::Number(prefix, value, more) => {
            let mut body = Map::new();
            body.insert("value".into(), number(*value));
            for (name, value) in more {
                body.insert((*name).to_owned(), value.clone());
            }
            (prefix, Value::Object(body))
        }
    })
}

fn render_bucket(
    subs: &[AggSpec],
    bucket: &OutBucket,
    with_key: bool,
    typed_keys: bool,
) -> Result<Value, EsError> {
    let mut body = Map::new();
    if with_key {
        if let Some(text) = &bucket.key_as_string {
            body.insert("key_as_string".into(), json!(text));
        }
        if !bucket.key.is_null() {
            body.insert("key".into(), bucket.key.clone());
        }
    }
    for (name, value) in &bucket.extra {
        body.insert((*name).to_owned(), value.clone());
    }
    body.insert("doc_count".into(), json!(bucket.count));
    render_into(subs, &bucket.subs, typed_keys, &mut body)?;
    Ok(Value::Object(body))
}

fn number(value: Option<f64>) -> Value {
    match value {
        Some(n) if n.is_nan() => json!("NaN"),
        Some(n) if n == f64::INFINITY => json!("Infinity"),
        Some(n) if n == f64::NEG_INFINITY => json!("-Infinity"),
        Some(n) => json!(n),
        None => Value::Null,
    }
}

/// Writes numbers that are dates or booleans as text.
enum Printer {
    Plain,
    Bool,
    Date(Box<DateFormat>),
}

impl Printer {
    fn new(shown: &Shown, format: Option<&str>) -> Result<Self, EsError> {
        Ok(match (shown.kind, format) {
            (Some(FieldKind::Date), Some(text)) => Printer::Date(Box::new(DateFormat::new(text)?)),
            (Some(FieldKind::Date), None) => Printer::Date(Box::new(
                shown.format.as_deref().cloned().unwrap_or_default(),
            )),
            (Some(FieldKind::Long | FieldKind::Double | FieldKind::Bool), Some(_)) => {
                return Err(EsError::unsupported("metric format of numbers"));
            }
            (Some(FieldKind::Bool), None) => Printer::Bool,
            _ => Printer::Plain,
        })
    }

    fn has_text(&self) -> bool {
        !matches!(self, Printer::Plain)
    }

    fn text(&self, n: f64) -> String {
        match self {
            Printer::Plain => number_text(n),
            Printer::Bool => (n != 0.0).to_string(),
            Printer::Date(format) => format.format_ms(n as i64),
        }
    }
}

fn render_sums(
    sums: &Sums,
    op: &MetricOp,
    shown: &Shown,
    format: Option<&str>,
) -> Result<Value, EsError> {
    let mut body = Map::new();
    if *op == MetricOp::ValueCount {
        return Ok(json!({"value": sums.count}));
    }
    let printer = Printer::new(shown, format)?;
    let value = |name: &str| sums_value(sums, name, op).flatten();
    if !matches!(op, MetricOp::Stats | MetricOp::ExtendedStats(_)) {
        let found = value("value");
        body.insert("value".into(), number(found));
        if let (Some(found), true) = (found, printer.has_text()) {
            body.insert("value_as_string".into(), json!(printer.text(found)));
        }
        return Ok(Value::Object(body));
    }
    body.insert("count".into(), json!(sums.count));
    let basic = ["min", "max", "avg", "sum"];
    for name in basic {
        body.insert(name.into(), number(value(name)));
    }
    let mut texts: Vec<&str> = basic.to_vec();
    if matches!(op, MetricOp::ExtendedStats(_)) {
        let more = [
            "sum_of_squares",
            "variance",
            "variance_population",
            "variance_sampling",
            "std_deviation",
            "std_deviation_population",
            "std_deviation_sampling",
        ];
        for name in more {
            body.insert(name.into(), number(sampled(name, value(name), sums.count)));
        }
        let mut bounds = Map::new();
        for name in [
            "upper",
            "lower",
            "upper_population",
            "lower_population",
            "upper_sampling",
            "lower_sampling",
        ] {
            let found = value(&format!("std_{name}"));
            bounds.insert(name.into(), number(sampled(name, found, sums.count)));
        }
        body.insert("std_deviation_bounds".into(), Value::Object(bounds));
        texts.extend(more);
    }
    if printer.has_text() && sums.count > 0 {
        for name in texts {
            if let Some(found) = value(name) {
                body.insert(format!("{name}_as_string"), json!(printer.text(found)));
            }
        }
    }
    Ok(Value::Object(body))
}

/// One value has no sampling variance.
fn sampled(name: &str, value: Option<f64>, count: u64) -> Option<f64> {
    if name.ends_with("sampling") && count == 1 {
        Some(f64::NAN)
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::number_text;

    #[test]
    fn numbers_are_written_as_java_does() {
        assert_eq!(number_text(1.0), "1.0");
        assert_eq!(number_text(99.9), "99.9");
        assert_eq!(number_text(0.0), "0.0");
        assert_eq!(number_text(1e7), "1.0E7");
        assert_eq!(number_text(12_345_678.5), "1.23456785E7");
        assert_eq!(number_text(0.0001), "1.0E-4");
        assert_eq!(number_text(-250.0), "-250.0");
    }
}
