//! Options of aggregations that make buckets.
//!
//! Invariant: sizes and counts are limited here, so that collecting needs no checks of the request.
//! Not here: fields and dates, which need an index (`values.rs`, `collect.rs`).

use serde_json::Value;

use super::spec::{
    AggKind, BucketOrder, CompositeSource, CompositeSpec, DateHistogramSpec, HistogramSpec,
    OrderTarget, RangeBucket, RangeSpec, SourceKind, TermFilter, TermsSpec,
};
use crate::error::EsError;
use crate::interval::{Interval, duration_ms};
use crate::query::params::{Params, number_of, scalar_text};
use crate::query::{lucene_regex, parse_query};

/// Ranges and filters of one aggregation.
pub(super) const MAX_PARTS: usize = 1000;
/// Exact terms of one include or exclude.
const MAX_EXACT: usize = 65_536;

fn order_one(value: &Value, order: &mut Vec<BucketOrder>) -> Result<(), EsError> {
    let Value::Object(map) = value else {
        return Err(EsError::parsing(
            "[order] must be an object or a list of objects",
        ));
    };
    for (path, direction) in map {
        let ascending = match direction.as_str() {
            Some(s) if s.eq_ignore_ascii_case("asc") => true,
            Some(s) if s.eq_ignore_ascii_case("desc") => false,
            _ => {
                return Err(EsError::parsing(format!(
                    "Unknown order direction [{direction}]"
                )));
            }
        };
        let target = match path.as_str() {
            "_count" => OrderTarget::Count,
            "_key" | "_term" | "_time" => OrderTarget::Key,
            path => OrderTarget::Path(path.to_owned()),
        };
        order.push(BucketOrder { target, ascending });
    }
    Ok(())
}

fn order(
    p: &mut Params<'_>,
    default: OrderTarget,
    ascending: bool,
) -> Result<Vec<BucketOrder>, EsError> {
    let mut list = Vec::new();
    match p.take("order") {
        Some(Value::Array(items)) => {
            for item in items.iter().take(32) {
                order_one(item, &mut list)?;
            }
        }
        Some(value) => order_one(value, &mut list)?,
        None => list.push(BucketOrder {
            target: default,
            ascending,
        }),
    }
    Ok(list)
}

fn no_script(p: &mut Params<'_>) -> Result<(), EsError> {
    match p.take("script") {
        None => Ok(()),
        Some(_) => Err(EsError::unsupported(format!("{} script", p.owner()))),
    }
}

fn term_filter(owner: &str, value: Option<&Value>) -> Result<Option<TermFilter>, EsError> {
    Ok(match value {
        None => None,
        Some(Value::String(pattern)) => {
            if pattern.chars().count() > 1000 {
                return Err(EsError::illegal_argument(
                    "[terms] pattern is longer than [1000]",
                ));
            }
            Some(TermFilter::Pattern(lucene_regex(pattern, false)?))
        }
        Some(Value::Array(items)) => {
            if items.len() > MAX_EXACT {
                return Err(EsError::illegal_argument(format!(
                    "[terms] {owner} has more than [{MAX_EXACT}] values"
                )));
            }
            Some(TermFilter::Exact(
                items.iter().filter_map(scalar_text).collect(),
            ))
        }
        Some(value @ Value::Object(_)) if owner == "include" => {
            let mut p = Params::object("include", value)?;
            let partition = p.size("partition")?.unwrap_or(0) as u64;
            let count = p.size("num_partitions")?.unwrap_or(0) as u64;
            p.finish_as_object()?;
            if count == 0 || partition >= count {
                return Err(EsError::illegal_argument(
                    "[terms] include needs partition < num_partitions",
                ));
            }
            Some(TermFilter::Partition(partition, count))
        }
        Some(_) => return Err(EsError::parsing(format!("[terms] {owner} is malformed"))),
    })
}

pub(super) fn terms(body: &Value) -> Result<TermsSpec, EsError> {
    let mut p = Params::object("terms", body)?;
    no_script(&mut p)?;
    let field = p.need_string("field")?;
    let size = p.size("size")?.unwrap_or(10);
    if size == 0 {
        return Err(EsError::illegal_argument(
            "[size] must be greater than 0. Found [0] in [terms]",
        ));
    }
    let spec = TermsSpec {
        field,
        size,
        order: order(&mut p, OrderTarget::Count, false)?,
        min_doc_count: p.size("min_doc_count")?.unwrap_or(1) as u64,
        missing: p.take("missing").cloned(),
        include: term_filter("include", p.take("include"))?,
        exclude: term_filter("exclude", p.take("exclude"))?,
        format: p.string("format")?,
        show_error: p.boolean("show_term_doc_count_error")?.unwrap_or(false),
    };
    // How shards work together, which has no bearing on an exact answer.
    for name in [
        "shard_size",
        "shard_min_doc_count",
        "execution_hint",
        "collect_mode",
        "value_type",
    ] {
        p.take(name);
    }
    p.finish_as_object()?;
    Ok(spec)
}

type JsonBounds = Option<(Option<Value>, Option<Value>)>;

fn bounds(p: &mut Params<'_>, name: &'static str) -> Result<JsonBounds, EsError> {
    let Some(value) = p.take(name) else {
        return Ok(None);
    };
    let mut inner = Params::object(name, value)?;
    let bounds = (inner.take("min").cloned(), inner.take("max").cloned());
    inner.finish_as_object()?;
    Ok(Some(bounds))
}

fn interval(p: &mut Params<'_>) -> Result<Interval, EsError> {
    let fixed = p.string("fixed_interval")?;
    let calendar = p.string("calendar_interval")?;
    let legacy = p.string("interval")?;
    match (fixed, calendar, legacy) {
        (Some(text), None, None) => Interval::fixed(&text),
        (None, Some(text), None) => Interval::calendar(&text),
        (None, None, Some(text)) => {
            Interval::calendar(&text).or_else(|_| match text.parse::<i64>() {
                Ok(ms) if ms > 0 => Ok(Interval::Fixed(ms)),
                _ => Interval::fixed(&text),
            })
        }
        (None, None, None) => Err(EsError::illegal_argument(
            "Invalid interval specified, must be non-null and non-empty",
        )),
        _ => Err(EsError::illegal_argument(
            "Cannot use [interval] with [fixed_interval] or [calendar_interval] configuration options.",
        )),
    }
}

fn offset(p: &mut Params<'_>) -> Result<i64, EsError> {
    match p.take("offset") {
        None => Ok(0),
        Some(Value::Number(n)) => Ok(n.as_i64().unwrap_or(0)),
        Some(value) => {
            let text = scalar_text(value).unwrap_or_default();
            match text.strip_prefix('-') {
                Some(rest) => Ok(-duration_ms("offset", rest)?),
                None => duration_ms("offset", text.trim_start_matches('+')),
            }
        }
    }
}

pub(super) fn date_histogram(body: &Value) -> Result<DateHistogramSpec, EsError> {
    let mut p = Params::object("date_histogram", body)?;
    no_script(&mut p)?;
    let spec = DateHistogramSpec {
        field: p.need_string("field")?,
        interval: interval(&mut p)?,
        time_zone: p.string("time_zone")?,
        offset_ms: offset(&mut p)?,
        min_doc_count: p.size("min_doc_count")?.unwrap_or(0) as u64,
        extended_bounds: bounds(&mut p, "extended_bounds")?,
        hard_bounds: bounds(&mut p, "hard_bounds")?,
        format: p.string("format")?,
        keyed: p.boolean("keyed")?.unwrap_or(false),
        order: order(&mut p, OrderTarget::Key, true)?,
        missing: p.take("missing").cloned(),
    };
    p.finish_as_object()?;
    Ok(spec)
}

fn number_bounds(p: &mut Params<'_>, name: &'static str) -> Result<Option<(f64, f64)>, EsError> {
    let Some((min, max)) = bounds(p, name)? else {
        return Ok(None);
    };
    let read = |value: Option<Value>, open: f64| match value {
        None => Ok(open),
        Some(value) => number_of(&value).ok_or_else(|| {
            EsError::parsing(format!("[histogram] {name} takes numbers, not {value}"))
        }),
    };
    let (low, high) = (read(min, f64::INFINITY)?, read(max, f64::NEG_INFINITY)?);
    if low.is_finite() && high.is_finite() && low > high {
        return Err(EsError::illegal_argument(format!(
            "{name}.min [{low}] cannot be greater than {name}.max [{high}]"
        )));
    }
    Ok(Some((low, high)))
}

pub(super) fn histogram(body: &Value) -> Result<HistogramSpec, EsError> {
    let mut p = Params::object("histogram", body)?;
    no_script(&mut p)?;
    let field = p.need_string("field")?;
    let interval = p.number("interval")?.unwrap_or(0.0);
    if interval <= 0.0 {
        return Err(EsError::illegal_argument(
            "[interval] must be >0 for histogram aggregation [histogram]",
        ));
    }
    let spec = HistogramSpec {
        field,
        interval,
        offset: p.number("offset")?.unwrap_or(0.0),
        min_doc_count: p.size("min_doc_count")?.unwrap_or(0) as u64,
        extended_bounds: number_bounds(&mut p, "extended_bounds")?,
        hard_bounds: number_bounds(&mut p, "hard_bounds")?,
        keyed: p.boolean("keyed")?.unwrap_or(false),
        order: order(&mut p, OrderTarget::Key, true)?,
        missing: p.number("missing")?,
    };
    p.finish_as_object()?;
    Ok(spec)
}

pub(super) fn range(body: &Value, dates: bool) -> Result<RangeSpec, EsError> {
    let owner = if dates { "date_range" } else { "range" };
    let mut p = Params::object(owner, body)?;
    no_script(&mut p)?;
    let field = p.need_string("field")?;
    let Value::Array(items) = p.require("ranges")? else {
        return Err(EsError::parsing(format!("[{owner}] ranges must be a list")));
    };
    if items.is_empty() {
        return Err(EsError::illegal_argument(format!(
            "No [ranges] specified for the [{owner}] aggregation"
        )));
    }
    if items.len() > MAX_PARTS {
        return Err(EsError::illegal_argument(format!(
            "[{owner}] has more than [{MAX_PARTS}] ranges"
        )));
    }
    let mut ranges = Vec::with_capacity(items.len());
    for item in items {
        let mut r = Params::object(owner, item)?;
        let bucket = RangeBucket {
            key: r.string("key")?,
            from: r.take("from").cloned(),
            to: r.take("to").cloned(),
        };
        r.finish_as_object()?;
        ranges.push(bucket);
    }
    let spec = RangeSpec {
        field,
        ranges,
        keyed: p.boolean("keyed")?.unwrap_or(false),
        dates,
        format: p.string("format")?,
        time_zone: p.string("time_zone")?,
        missing: p.take("missing").cloned(),
    };
    p.finish_as_object()?;
    Ok(spec)
}

pub(super) fn filters(body: &Value) -> Result<AggKind, EsError> {
    let mut p = Params::object("filters", body)?;
    let (list, named): (Vec<(Option<String>, &Value)>, bool) = match p.require("filters")? {
        Value::Object(map) => (
            map.iter()
                .map(|(name, query)| (Some(name.clone()), query))
                .collect(),
            true,
        ),
        Value::Array(items) => (items.iter().map(|query| (None, query)).collect(), false),
        _ => return Err(EsError::parsing("[filters] must be an object or a list")),
    };
    if list.len() > MAX_PARTS {
        return Err(EsError::illegal_argument(format!(
            "[filters] has more than [{MAX_PARTS}] filters"
        )));
    }
    let mut filters = list
        .into_iter()
        .map(|(name, query)| Ok((name, parse_query(query)?)))
        .collect::<Result<Vec<_>, EsError>>()?;
    // As the rival does, named filters answer in the order of their names.
    filters.sort_by(|a, b| a.0.cmp(&b.0));
    let other_key = p.string("other_bucket_key")?;
    let other = p.boolean("other_bucket")?.unwrap_or(other_key.is_some());
    let keyed = p.boolean("keyed")?.unwrap_or(true) && named;
    p.finish_as_object()?;
    let other = other.then(|| other_key.unwrap_or_else(|| "_other_".to_owned()));
    Ok(AggKind::Filters(filters, keyed, other))
}

pub(super) fn missing(body: &Value) -> Result<String, EsError> {
    let mut p = Params::object("missing", body)?;
    let field = p.need_string("field")?;
    p.finish_as_object()?;
    Ok(field)
}

pub(super) fn composite(body: &Value) -> Result<CompositeSpec, EsError> {
    let mut p = Params::object("composite", body)?;
    let size = p.size("size")?.unwrap_or(10);
    if size == 0 || size > super::MAX_BUCKETS {
        return Err(EsError::illegal_argument(format!(
            "[size] must be between 1 and [{}] in [composite]",
            super::MAX_BUCKETS
        )));
    }
    let Value::Array(items) = p.require("sources")? else {
        return Err(EsError::parsing("[composite] sources must be a list"));
    };
    if items.is_empty() || items.len() > 32 {
        return Err(EsError::illegal_argument(
            "Composite [sources] cannot be null or empty, nor more than 32",
        ));
    }
    let sources = items.iter().map(source).collect::<Result<Vec<_>, _>>()?;
    for (at, source) in sources.iter().enumerate() {
        if sources[..at]
            .iter()
            .any(|before| before.name == source.name)
        {
            return Err(EsError::illegal_argument(format!(
                "Composite source names must be unique, found duplicates: [{}]",
                source.name
            )));
        }
    }
    let after = match p.take("after") {
        None => None,
        Some(Value::Object(map)) => {
            if map.len() != sources.len() {
                return Err(EsError::illegal_argument(format!(
                    "[after] has {} value(s) but [sources] has {}",
                    map.len(),
                    sources.len()
                )));
            }
            let values = sources.iter().map(|source| {
                map.get(&source.name).cloned().ok_or_else(|| {
                    EsError::illegal_argument(format!("Missing value for [after.{}]", source.name))
                })
            });
            Some(values.collect::<Result<Vec<_>, _>>()?)
        }
        Some(_) => return Err(EsError::parsing("[composite] after must be an object")),
    };
    p.finish_as_object()?;
    Ok(CompositeSpec {
        size,
        sources,
        after,
    })
}

fn source(value: &Value) -> Result<CompositeSource, EsError> {
    let malformed = || EsError::parsing("[composite] a source is {name: {type: {…}}}");
    let (name, body) = value
        .as_object()
        .filter(|map| map.len() == 1)
        .and_then(|map| map.iter().next())
        .ok_or_else(malformed)?;
    let (kind, body) = body
        .as_object()
        .filter(|map| map.len() == 1)
        .and_then(|map| map.iter().next())
        .ok_or_else(malformed)?;
    let mut p = Params::object("composite", body)?;
    no_script(&mut p)?;
    let field = p.need_string("field")?;
    let ascending = match p.string("order")? {
        None => true,
        Some(s) if s.eq_ignore_ascii_case("asc") => true,
        Some(s) if s.eq_ignore_ascii_case("desc") => false,
        Some(s) => return Err(EsError::parsing(format!("Unknown order [{s}]"))),
    };
    let missing_bucket = p.boolean("missing_bucket")?.unwrap_or(false);
    let missing_first = match p.string("missing_order")?.as_deref() {
        None | Some("default") => None,
        Some("first") => Some(true),
        Some("last") => Some(false),
        Some(other) => return Err(EsError::parsing(format!("Unknown missing_order [{other}]"))),
    };
    let kind = match kind.as_str() {
        "terms" => SourceKind::Terms,
        "histogram" => {
            let interval = p.number("interval")?.unwrap_or(0.0);
            if interval <= 0.0 {
                return Err(EsError::illegal_argument(
                    "[interval] must be greater than 0",
                ));
            }
            SourceKind::Number { interval }
        }
        "date_histogram" => SourceKind::Date {
            interval: interval(&mut p)?,
            time_zone: p.string("time_zone")?,
            offset_ms: offset(&mut p)?,
            format: p.string("format")?,
        },
        other => return Err(EsError::unsupported(format!("composite source {other}"))),
    };
    p.take("value_type");
    p.finish_as_object()?;
    Ok(CompositeSource {
        name: name.clone(),
        field,
        kind,
        ascending,
        missing_bucket,
        missing_first,
    })
}
