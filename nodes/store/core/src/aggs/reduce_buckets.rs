//! Reducing buckets: which are shown, in which order, with which keys.
//!
//! Invariants: ties of an order are broken by the key, ascending; gaps are filled only where the
//! request asks for empty buckets, and never beyond the limit of buckets.
//! Not here: pipelines, JSON around the buckets.

use std::cmp::Ordering;
use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::composite::compare_parts;
use super::key::{Float, Key, KeyKind, Part};
use super::partial::{Bucket, KeyInfo, RangePart, Shown, TopHit, TopMetric};
use super::reduce::{Budget, Out, is_date, partial_number, reduce_bucket};
use super::render;
use super::rules::range_bounds;
use super::spec::{
    AggSpec, BucketOrder, CompositeSpec, DateHistogramSpec, HistogramSpec, OrderTarget, RangeSpec,
    SourceKind, TermsSpec, TopHitsSpec, TopMetricsSpec,
};
use super::values::Source;
use crate::dateformat::DateFormat;
use crate::datemath;
use crate::document::ip_text;
use crate::error::EsError;
use crate::interval::Rounding;
use crate::query::FieldKind;
use crate::search::{SortKey, SortValue, render_sort};

/// The rounding of a date histogram.
pub(super) fn rounding(spec: &DateHistogramSpec) -> Result<Rounding, EsError> {
    let zone = match &spec.time_zone {
        Some(name) => datemath::zone(name)?,
        None => TimeZone::UTC,
    };
    Ok(Rounding::new(spec.interval, zone, spec.offset_ms))
}

/// Sorts buckets by an order; numbers of sub-aggregations are looked up once.
fn ordered(
    spec: &AggSpec,
    order: &[BucketOrder],
    list: Vec<(Key, Bucket)>,
) -> Result<Vec<(Key, Bucket)>, EsError> {
    let mut rows = Vec::with_capacity(list.len());
    for (key, bucket) in list {
        let mut numbers = Vec::new();
        for one in order {
            if let OrderTarget::Path(path) = &one.target {
                let subs = &bucket.subs;
                numbers.push(
                    if subs.is_empty() && spec.collected_subs().next().is_some() {
                        partial_number(&spec.subs, &super::partial::empty(&spec.subs), path)?
                    } else {
                        partial_number(&spec.subs, subs, path)?
                    },
                );
            }
        }
        rows.push((key, bucket, numbers));
    }
    rows.sort_by(|a, b| {
        let mut number = 0;
        for one in order {
            let natural = match &one.target {
                OrderTarget::Count => a.1.count.cmp(&b.1.count),
                OrderTarget::Key => a.0.cmp(&b.0),
                OrderTarget::Path(_) => {
                    let (x, y) = (finite(a.2[number]), finite(b.2[number]));
                    number += 1;
                    match (x, y) {
                        // What has no number comes last in either order.
                        (None, None) => continue,
                        (None, Some(_)) => return Ordering::Greater,
                        (Some(_), None) => return Ordering::Less,
                        (Some(x), Some(y)) => x.total_cmp(&y),
                    }
                }
            };
            let by = if one.ascending {
                natural
            } else {
                natural.reverse()
            };
            if by != Ordering::Equal {
                return by;
            }
        }
        a.0.cmp(&b.0)
    });
    Ok(rows
        .into_iter()
        .map(|(key, bucket, _)| (key, bucket))
        .collect())
}

fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|n| !n.is_nan())
}

/// Whether an order is by descending count alone, where only the first buckets need sorting.
fn by_count(order: &[BucketOrder]) -> bool {
    matches!(
        order,
        [BucketOrder {
            target: OrderTarget::Count,
            ascending: false
        }]
    )
}

pub(super) fn terms(
    spec: &AggSpec,
    terms: &TermsSpec,
    map: HashMap<Key, Bucket>,
    info: KeyInfo,
    budget: &mut Budget,
) -> Result<Out, EsError> {
    let mut list: Vec<(Key, Bucket)> = map
        .into_iter()
        .filter(|(_, bucket)| bucket.count >= terms.min_doc_count)
        .collect();
    let total: u64 = list.iter().map(|(_, bucket)| bucket.count).sum();
    if by_count(&terms.order) && list.len() > terms.size.saturating_mul(2) {
        list.select_nth_unstable_by(terms.size, |a, b| {
            b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(&b.0))
        });
        list.truncate(terms.size);
    }
    let mut list = ordered(spec, &terms.order, list)?;
    list.truncate(terms.size);
    budget.take(list.len())?;
    let shown: u64 = list.iter().map(|(_, bucket)| bucket.count).sum();
    let format = match (&terms.format, info.kind) {
        (Some(text), Some(KeyKind::Date)) => Some(DateFormat::new(text)?),
        (Some(_), Some(KeyKind::Long | KeyKind::Double)) => {
            return Err(EsError::unsupported("terms format of numbers"));
        }
        _ => info.format.as_deref().cloned(),
    };
    let mut buckets = Vec::with_capacity(list.len());
    for (key, bucket) in list {
        let (value, text) = render::term_key(&key, info.kind, format.as_ref());
        let mut out = reduce_bucket(spec, bucket, value, budget)?;
        out.key_as_string = text;
        out.number = key.number();
        if terms.show_error {
            out.extra.push(("doc_count_error_upper_bound", json!(0)));
        }
        buckets.push(out);
    }
    let prefix = match info.kind {
        Some(KeyKind::Long | KeyKind::Bool | KeyKind::Date) => "lterms",
        Some(KeyKind::Double) => "dterms",
        Some(KeyKind::Text | KeyKind::Ip) => "sterms",
        None => "umterms",
    };
    let before = vec![
        ("doc_count_error_upper_bound", json!(0)),
        ("sum_other_doc_count", json!(total - shown)),
    ];
    Ok(Out::Buckets {
        buckets,
        keyed: false,
        before,
        prefix,
    })
}

pub(super) fn date_histogram(
    spec: &AggSpec,
    histogram: &DateHistogramSpec,
    map: HashMap<Key, Bucket>,
    info: KeyInfo,
    budget: &mut Budget,
) -> Result<Out, EsError> {
    let rounding = rounding(histogram)?;
    let format = match &histogram.format {
        Some(text) => DateFormat::new(text)?,
        None => info.format.as_deref().cloned().unwrap_or_default(),
    };
    let mut found: Vec<(i64, Bucket)> = map
        .into_iter()
        .filter_map(|(key, bucket)| match key {
            Key::Long(ms) => Some((ms, bucket)),
            _ => None,
        })
        .collect();
    found.sort_unstable_by_key(|(ms, _)| *ms);
    if histogram.min_doc_count > 0 {
        found.retain(|(_, bucket)| bucket.count >= histogram.min_doc_count);
        budget.take(found.len())?;
    } else {
        found = filled(histogram, &rounding, &format, found, budget)?;
    }
    let default = [BucketOrder {
        target: OrderTarget::Key,
        ascending: true,
    }];
    let list: Vec<(Key, Bucket)> = found
        .into_iter()
        .map(|(ms, b)| (Key::Long(ms), b))
        .collect();
    let list = if histogram.order == default {
        list
    } else {
        ordered(spec, &histogram.order, list)?
    };
    let mut buckets = Vec::with_capacity(list.len());
    for (key, bucket) in list {
        let Key::Long(ms) = key else { continue };
        let mut out = reduce_bucket(spec, bucket, json!(ms), budget)?;
        out.key_as_string = Some(format.format_in(ms, rounding.zone()));
        out.number = Some(ms as f64);
        buckets.push(out);
    }
    let keyed = histogram.keyed;
    Ok(Out::Buckets {
        buckets,
        keyed,
        before: Vec::new(),
        prefix: "date_histogram",
    })
}

/// Buckets without holes, and out to the extended bounds.
fn filled(
    histogram: &DateHistogramSpec,
    rounding: &Rounding,
    format: &DateFormat,
    found: Vec<(i64, Bucket)>,
    budget: &mut Budget,
) -> Result<Vec<(i64, Bucket)>, EsError> {
    let read = |value: &Option<Value>| -> Result<Option<i64>, EsError> {
        let Some(value) = value else { return Ok(None) };
        let ms = match value {
            Value::Number(n) => n
                .as_i64()
                .unwrap_or_else(|| n.as_f64().unwrap_or(0.0) as i64),
            Value::String(text) => match format.parse_in(text, rounding.zone(), false) {
                Ok(ms) => ms,
                Err(error) => DateFormat::default()
                    .parse_in(text, rounding.zone(), false)
                    .map_err(|_| error)?,
            },
            other => {
                return Err(EsError::parsing(format!(
                    "[extended_bounds] takes dates, not {other}"
                )));
            }
        };
        Ok(Some(rounding.floor(ms)))
    };
    let (low, high) = match &histogram.extended_bounds {
        Some((min, max)) => (read(min)?, read(max)?),
        None => (None, None),
    };
    if let (Some(low), Some(high)) = (low, high)
        && low > high
    {
        return Err(EsError::illegal_argument(format!(
            "[extended_bounds.min][{low}] cannot be greater than [extended_bounds.max][{high}] for histogram aggregation"
        )));
    }
    let first = found.first().map(|(ms, _)| *ms);
    let last = found.last().map(|(ms, _)| *ms);
    let start = match (low, first, high) {
        (Some(low), Some(first), _) => low.min(first),
        (Some(low), None, Some(_)) => low,
        (_, Some(first), _) => first,
        _ => return Ok(found),
    };
    let end = match (high, last) {
        (Some(high), Some(last)) => high.max(last),
        (Some(high), None) => high,
        (None, Some(last)) => last,
        (None, None) => start,
    };
    let mut out = Vec::with_capacity(found.len());
    let mut found = found.into_iter().peekable();
    let mut at = start;
    while at <= end {
        budget.take(1)?;
        // A key that a change of the clock moved off the grid is kept where it stands.
        match found.next_if(|(ms, _)| *ms <= at) {
            Some((ms, bucket)) => {
                out.push((ms, bucket));
                at = if ms < at { at } else { rounding.next(at) };
            }
            None => {
                out.push((at, Bucket::default()));
                at = rounding.next(at);
            }
        }
    }
    out.extend(found);
    Ok(out)
}

pub(super) fn histogram(
    spec: &AggSpec,
    histogram: &HistogramSpec,
    map: HashMap<Key, Bucket>,
    budget: &mut Budget,
) -> Result<Out, EsError> {
    let mut found: Vec<(Key, Bucket)> = map.into_iter().map(|(k, b)| (k.widened(), b)).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    if histogram.min_doc_count > 0 {
        found.retain(|(_, bucket)| bucket.count >= histogram.min_doc_count);
        budget.take(found.len())?;
    } else {
        let place = |key: f64| ((key - histogram.offset) / histogram.interval).floor();
        let key_at = |place: f64| place * histogram.interval + histogram.offset;
        let numbers = || found.iter().filter_map(|(key, _)| key.number());
        let (low, high) = histogram
            .extended_bounds
            .unwrap_or((f64::INFINITY, f64::NEG_INFINITY));
        let first = numbers().map(|n| ((n - histogram.offset) / histogram.interval).round());
        let first: Vec<f64> = first.collect();
        let mut start = first.first().copied().unwrap_or(f64::INFINITY);
        let mut end = first.last().copied().unwrap_or(f64::NEG_INFINITY);
        if low.is_finite() {
            start = start.min(place(low));
        }
        if high.is_finite() {
            end = end.max(place(high));
        }
        if start.is_finite() && end.is_finite() && start <= end {
            let count = end - start + 1.0;
            if count > super::MAX_BUCKETS as f64 {
                return Err(EsError::too_many_buckets(super::MAX_BUCKETS));
            }
            budget.take(count as usize)?;
            let mut have: HashMap<i64, (Key, Bucket)> = found
                .into_iter()
                .zip(first)
                .map(|(entry, place)| (place as i64, entry))
                .collect();
            found = (0..count as i64)
                .map(|step| {
                    let place = start as i64 + step;
                    have.remove(&place).unwrap_or_else(|| {
                        (Key::Double(Float(key_at(place as f64))), Bucket::default())
                    })
                })
                .collect();
        }
    }
    let default = [BucketOrder {
        target: OrderTarget::Key,
        ascending: true,
    }];
    let list = if histogram.order == default {
        found
    } else {
        ordered(spec, &histogram.order, found)?
    };
    let mut buckets = Vec::with_capacity(list.len());
    for (key, bucket) in list {
        let number = key.number().unwrap_or(0.0);
        let mut out = reduce_bucket(spec, bucket, json!(number), budget)?;
        out.number = Some(number);
        buckets.push(out);
    }
    let keyed = histogram.keyed;
    Ok(Out::Buckets {
        buckets,
        keyed,
        before: Vec::new(),
        prefix: "histogram",
    })
}

pub(super) fn ranges(
    spec: &AggSpec,
    range: &RangeSpec,
    mut parts: Vec<RangePart>,
    shown: Shown,
    budget: &mut Budget,
) -> Result<Out, EsError> {
    let format = match &range.format {
        Some(text) if range.dates => DateFormat::new(text)?,
        Some(_) => return Err(EsError::unsupported("range format")),
        None => shown.format.as_deref().cloned().unwrap_or_default(),
    };
    let zone = match &range.time_zone {
        Some(name) => datemath::zone(name)?,
        None => TimeZone::UTC,
    };
    if parts.is_empty() {
        let bounds = range_bounds(range, &Source::Unmapped, budget.now_ms)?;
        parts = bounds
            .into_iter()
            .zip(&range.ranges)
            .map(|((from, to), named)| RangePart {
                from,
                to,
                key: named.key.clone(),
                bucket: Bucket::default(),
            })
            .collect();
    }
    budget.take(parts.len())?;
    parts.sort_by(|a, b| a.from.total_cmp(&b.from).then(a.to.total_cmp(&b.to)));
    let dates = range.dates || is_date(&shown);
    let text = |number: f64| {
        if dates {
            format.format_in(number as i64, &zone)
        } else {
            render::number_text(number)
        }
    };
    let mut buckets = Vec::with_capacity(parts.len());
    for part in parts {
        let name = |bound: f64| {
            if bound.is_finite() {
                text(bound)
            } else {
                "*".to_owned()
            }
        };
        let key = part
            .key
            .clone()
            .unwrap_or_else(|| format!("{}-{}", name(part.from), name(part.to)));
        let mut out = reduce_bucket(spec, part.bucket, Value::String(key), budget)?;
        if part.from.is_finite() {
            out.extra.push(("from", json!(part.from)));
            if dates {
                out.extra.push(("from_as_string", json!(text(part.from))));
            }
        }
        if part.to.is_finite() {
            out.extra.push(("to", json!(part.to)));
            if dates {
                out.extra.push(("to_as_string", json!(text(part.to))));
            }
        }
        buckets.push(out);
    }
    let prefix = if range.dates { "date_range" } else { "range" };
    Ok(Out::Buckets {
        buckets,
        keyed: range.keyed,
        before: Vec::new(),
        prefix,
    })
}

pub(super) fn composite(
    spec: &AggSpec,
    composite: &CompositeSpec,
    map: HashMap<Vec<Part>, Bucket>,
    kinds: &[Option<KeyKind>],
    budget: &mut Budget,
) -> Result<Out, EsError> {
    let mut list: Vec<(Vec<Part>, Bucket)> = map.into_iter().collect();
    list.sort_by(|a, b| compare_parts(composite, &a.0, &b.0));
    list.truncate(composite.size);
    budget.take(list.len())?;
    let mut formats = Vec::with_capacity(composite.sources.len());
    for source in &composite.sources {
        formats.push(match &source.kind {
            SourceKind::Date {
                format: Some(text), ..
            } => {
                let zone = super::composite::source_rounding(&source.kind)?
                    .map_or(TimeZone::UTC, |rounding| rounding.zone().clone());
                Some((DateFormat::new(text)?, zone))
            }
            _ => None,
        });
    }
    let mut buckets = Vec::with_capacity(list.len());
    let mut after = None;
    for (key, bucket) in list {
        let mut object = Map::new();
        for (((part, source), kind), format) in
            key.iter().zip(&composite.sources).zip(kinds).zip(&formats)
        {
            let value = match (part, kind, format) {
                (None, ..) => Value::Null,
                (Some(Key::Long(ms)), _, Some((format, zone))) => {
                    json!(format.format_in(*ms, zone))
                }
                (Some(Key::Long(n)), Some(KeyKind::Bool), _) => json!(*n != 0),
                (Some(Key::Long(n)), ..) => json!(n),
                (Some(Key::Double(n)), ..) => json!(n.0),
                (Some(Key::Text(text)), ..) => json!(text),
                (Some(Key::Address(bits)), ..) => json!(render::address_text(*bits)),
            };
            object.insert(source.name.clone(), value);
        }
        after = Some(object.clone());
        buckets.push(reduce_bucket(spec, bucket, Value::Object(object), budget)?);
    }
    let before = after
        .map(|key| ("after_key", Value::Object(key)))
        .into_iter()
        .collect();
    Ok(Out::Buckets {
        buckets,
        keyed: false,
        before,
        prefix: "composite",
    })
}

pub(super) fn top_hits(
    spec: &TopHitsSpec,
    total: u64,
    list: Vec<TopHit>,
    kinds: &[Option<FieldKind>],
) -> Result<Out, EsError> {
    let by_score = spec.sort.is_empty() || spec.sort.iter().any(|s| s.key == SortKey::Score);
    let mut hits = Vec::new();
    for top in list.into_iter().skip(spec.from).take(spec.size) {
        let mut hit = top.hit;
        if !spec.sort.is_empty()
            && let Value::Object(hit) = &mut hit
        {
            let short = vec![false; top.keys.len()];
            let sort = render_sort(&spec.sort, &top.keys, kinds, &short)?;
            hit.insert("sort".into(), sort);
        }
        hits.push(hit);
    }
    let max_score = if by_score && !hits.is_empty() {
        json!(1.0)
    } else {
        Value::Null
    };
    let body = json!({"hits": {
        "total": {"value": total, "relation": "eq"}, "max_score": max_score, "hits": hits
    }});
    Ok(Out::Raw("top_hits", body))
}

pub(super) fn top_metrics(
    spec: &TopMetricsSpec,
    list: Vec<TopMetric>,
    kinds: &[Option<FieldKind>],
) -> Result<Out, EsError> {
    let _ = kinds;
    let mut top = Vec::with_capacity(list.len());
    for entry in list {
        let sort: Vec<Value> = entry
            .keys
            .iter()
            .map(|key| match key {
                SortValue::Long(n) => json!(n),
                SortValue::Double(n) => json!(n),
                SortValue::Text(text) => json!(text),
                SortValue::Ip(ip) => json!(ip_text(*ip)),
                SortValue::Missing => Value::Null,
            })
            .collect();
        let metrics: Map<String, Value> = spec.metrics.iter().cloned().zip(entry.values).collect();
        top.push(json!({"sort": sort, "metrics": metrics}));
    }
    Ok(Out::Raw("top_metrics", json!({"top": top})))
}
