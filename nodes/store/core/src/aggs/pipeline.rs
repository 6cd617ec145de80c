//! Aggregations of aggregations: over the buckets around them, or over a sibling's buckets.
//!
//! Invariants: pipelines run in an order in which each finds what it names; a path that leads
//! nowhere is an error; a bucket without documents has a value only by the gap policy.
//! Not here: their options (`parse_pipelines.rs`).

use serde_json::{Value, json};

use super::moving;
use super::partial::Sums;
use super::reduce::{Out, OutBucket, Result_};
use super::render;
use super::spec::{AggKind, AggSpec, GapPolicy, MetricOp, PipelineSpec, SiblingOp};
use crate::error::EsError;

/// A named value of count, sum and extremes; `value` is the metric's own. `None`: no such name.
pub(super) fn sums_value(sums: &Sums, name: &str, op: &MetricOp) -> Option<Option<f64>> {
    let some = sums.count > 0;
    let n = sums.count as f64;
    let variance = || ((sums.squares() - sums.sum() * sums.sum() / n) / n).max(0.0);
    let sampling = || ((sums.squares() - sums.sum() * sums.sum() / n) / (n - 1.0)).max(0.0);
    Some(match name {
        "value" => match op {
            MetricOp::Avg => some.then(|| sums.sum() / n),
            MetricOp::Min => some.then_some(sums.min),
            MetricOp::Max => some.then_some(sums.max),
            MetricOp::Sum => Some(sums.sum()),
            MetricOp::ValueCount => Some(n),
            _ => return None,
        },
        "count" => Some(n),
        "sum" => Some(sums.sum()),
        "avg" => some.then(|| sums.sum() / n),
        "min" => some.then_some(sums.min),
        "max" => some.then_some(sums.max),
        "sum_of_squares" => some.then(|| sums.squares()),
        "variance" | "variance_population" => some.then(variance),
        "variance_sampling" => some.then(sampling),
        "std_deviation" | "std_deviation_population" => some.then(|| variance().sqrt()),
        "std_deviation_sampling" => some.then(|| sampling().sqrt()),
        _ => {
            let (side, kind) = name
                .strip_prefix("std_")?
                .split_once('_')
                .unwrap_or((&name[4..], ""));
            let MetricOp::ExtendedStats(sigma) = op else {
                return None;
            };
            let deviation = match kind {
                "" | "population" => variance().sqrt(),
                "sampling" => sampling().sqrt(),
                _ => return None,
            };
            let mean = sums.sum() / n;
            match side {
                "upper" => some.then(|| mean + sigma * deviation),
                "lower" => some.then(|| mean - sigma * deviation),
                _ => return None,
            }
        }
    })
}

fn bad_path(path: &str) -> EsError {
    EsError::illegal_argument(format!("No aggregation found for path [{path}]"))
}

/// The number that a path leads to from a bucket.
fn bucket_number(bucket: &OutBucket, path: &str) -> Result<Option<f64>, EsError> {
    match path {
        "_count" => return Ok(Some(bucket.count as f64)),
        "_key" => return Ok(bucket.number),
        _ => {}
    }
    let (head, rest) = match path.split_once('>') {
        Some((head, rest)) => (head, Some(rest)),
        None => (path, None),
    };
    let at = |name: &str| bucket.subs.iter().find(|sub| sub.name == name);
    let (sub, value) = match at(head) {
        Some(sub) => (sub, None),
        None => {
            let split = if let Some(inner) = head.strip_suffix(']') {
                inner.split_once('[')
            } else {
                head.split_once('.')
            };
            let (name, value) = split.ok_or_else(|| bad_path(path))?;
            (at(name).ok_or_else(|| bad_path(path))?, Some(value))
        }
    };
    match (&sub.out, rest) {
        (Out::Single(inner, _), Some(rest)) => bucket_number(inner, rest),
        (Out::Single(inner, _), None) => match value {
            None | Some("_count" | "doc_count") => Ok(Some(inner.count as f64)),
            Some(_) => Err(bad_path(path)),
        },
        (Out::Buckets { buckets, .. }, None) if value == Some("_bucket_count") => {
            Ok(Some(buckets.len() as f64))
        }
        (Out::Buckets { .. }, _) => Err(EsError::illegal_argument(format!(
            "buckets_path must reference either a number value or a single value numeric metric aggregation, but [{head}] contains multiple values. Please specify which to use."
        ))),
        (Out::Sums(sums, op, ..), None) => {
            let name = match (value, op) {
                (Some(name), _) => name,
                (None, MetricOp::Stats | MetricOp::ExtendedStats(_)) => {
                    return Err(EsError::illegal_argument(format!(
                        "buckets_path must reference either a number value or a single value numeric metric aggregation, but [{head}] contains multiple values. Please specify which to use."
                    )));
                }
                (None, _) => "value",
            };
            sums_value(sums, name, op).ok_or_else(|| bad_path(path))
        }
        (Out::Count(count), None) => Ok(Some(*count as f64)),
        (Out::Quantiles(list, ..), None) => {
            let wanted: f64 = value
                .and_then(|v| v.parse().ok())
                .ok_or_else(|| bad_path(path))?;
            let found = list.iter().find(|(asked, _)| *asked == wanted);
            found.map(|(_, found)| *found).ok_or_else(|| bad_path(path))
        }
        (Out::Number(_, number, more), None) => match value {
            None | Some("value") => Ok(*number),
            Some(name) => {
                let found = more.iter().find(|(known, _)| *known == name);
                found.map(|(_, v)| v.as_f64()).ok_or_else(|| bad_path(path))
            }
        },
        (Out::Raw("top_metrics", body), None) => {
            let metrics = &body["top"][0]["metrics"];
            match value {
                Some(name) => Ok(metrics[name].as_f64()),
                None => Ok(metrics
                    .as_object()
                    .and_then(|map| map.values().next())
                    .and_then(Value::as_f64)),
            }
        }
        _ => Err(bad_path(path)),
    }
}

/// As Elasticsearch: NaN stands for a gap that is skipped.
fn resolve(bucket: &OutBucket, path: &str, gaps: GapPolicy) -> Result<f64, EsError> {
    let number = bucket_number(bucket, path)?.filter(|n| n.is_finite());
    let is_count = path == "_count" || path == "_key";
    let number = match gaps {
        GapPolicy::KeepValues => number,
        _ if bucket.count == 0 && !is_count => None,
        _ => number,
    };
    Ok(match (number, gaps) {
        (Some(number), _) => number,
        (None, GapPolicy::InsertZeros) => 0.0,
        (None, _) => f64::NAN,
    })
}

fn paths(spec: &PipelineSpec) -> Vec<&str> {
    match spec {
        PipelineSpec::Derivative { path, .. }
        | PipelineSpec::CumulativeSum { path }
        | PipelineSpec::SerialDiff { path, .. }
        | PipelineSpec::Moving { path, .. }
        | PipelineSpec::Sibling { path, .. } => vec![path],
        PipelineSpec::BucketScript { paths, .. } | PipelineSpec::BucketSelector { paths, .. } => {
            paths.iter().map(|(_, path)| path.as_str()).collect()
        }
        PipelineSpec::BucketSort { sort, .. } => {
            sort.iter().map(|(path, _)| path.as_str()).collect()
        }
    }
}

fn names(path: &str, name: &str) -> bool {
    let head = path.split('>').next().unwrap_or(path);
    head == name
        || head
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with('.') || rest.starts_with('['))
}

/// Pipelines of a level in an order in which what a path names comes first.
fn in_order<'a>(
    specs: impl Iterator<Item = (&'a AggSpec, &'a PipelineSpec)>,
) -> Result<Vec<(&'a AggSpec, &'a PipelineSpec)>, EsError> {
    let mut waiting: Vec<(&AggSpec, &PipelineSpec)> = specs.collect();
    let mut done = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|(own, pipeline)| {
            paths(pipeline).iter().all(|path| {
                !waiting
                    .iter()
                    .any(|(other, _)| other.name != own.name && names(path, &other.name))
            })
        });
        match ready {
            Some(at) => done.push(waiting.remove(at)),
            None => {
                let cycle: Vec<&str> = waiting.iter().map(|(spec, _)| spec.name.as_str()).collect();
                return Err(EsError::illegal_argument(format!(
                    "Cyclical dependency found with pipeline aggregations [{}]",
                    cycle.join(", ")
                )));
            }
        }
    }
    Ok(done)
}

/// Runs the pipelines that work on the buckets around them.
pub(super) fn parents(subs: &[AggSpec], out: &mut Out) -> Result<(), EsError> {
    let own = subs.iter().filter_map(|sub| match &sub.kind {
        AggKind::Pipeline(PipelineSpec::Sibling { .. }) => None,
        AggKind::Pipeline(pipeline) => Some((sub, pipeline)),
        _ => None,
    });
    let own = in_order(own)?;
    let Some((first, _)) = own.first() else {
        return Ok(());
    };
    let Out::Buckets { buckets, .. } = out else {
        return Err(EsError::action_request_validation(format!(
            "Validation Failed: 1: aggregation [{}] must be declared inside of an aggregation with several buckets;",
            first.name
        )));
    };
    // Buckets are cut only when all values are there.
    let (late, early): (Vec<_>, Vec<_>) = own.into_iter().partition(|(_, pipeline)| {
        matches!(
            pipeline,
            PipelineSpec::BucketSort { .. } | PipelineSpec::BucketSelector { .. }
        )
    });
    for (spec, pipeline) in early.into_iter().chain(late) {
        run(&spec.name, pipeline, buckets)?;
    }
    Ok(())
}

fn put(bucket: &mut OutBucket, name: &str, out: Out) {
    bucket.subs.push(Result_ {
        name: name.to_owned(),
        out,
    });
}

fn shown(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

fn run(name: &str, spec: &PipelineSpec, buckets: &mut Vec<OutBucket>) -> Result<(), EsError> {
    match spec {
        PipelineSpec::Derivative {
            path,
            gaps,
            unit_ms,
        } => {
            let mut before: Option<(f64, Option<f64>)> = None;
            for bucket in buckets.iter_mut() {
                let value = resolve(bucket, path, *gaps)?;
                let key = bucket.number;
                if let Some((last, last_key)) = before {
                    let change = value - last;
                    let mut more = Vec::new();
                    if let (Some(unit), Some(key), Some(last_key)) = (unit_ms, key, last_key) {
                        let per_unit = change / ((key - last_key) / *unit as f64);
                        let number = shown(per_unit).map_or(Value::Null, |n| json!(n));
                        more.push(("normalized_value", number));
                    }
                    put(bucket, name, Out::Number("derivative", shown(change), more));
                }
                before = Some((value, key));
            }
        }
        PipelineSpec::CumulativeSum { path } => {
            let mut sum = 0.0;
            for bucket in buckets.iter_mut() {
                sum += resolve(bucket, path, GapPolicy::InsertZeros)?;
                put(
                    bucket,
                    name,
                    Out::Number("simple_value", Some(sum), Vec::new()),
                );
            }
        }
        PipelineSpec::SerialDiff { path, lag, gaps } => {
            let mut values: Vec<f64> = Vec::with_capacity(buckets.len());
            for bucket in buckets.iter_mut() {
                let value = resolve(bucket, path, *gaps)?;
                if values.len() >= *lag {
                    let change = value - values[values.len() - lag];
                    if change.is_finite() {
                        put(
                            bucket,
                            name,
                            Out::Number("simple_value", Some(change), Vec::new()),
                        );
                    }
                }
                values.push(value);
            }
        }
        PipelineSpec::Moving {
            path,
            window,
            shift,
            skip_empty,
            function,
            gaps,
        } => {
            let values = buckets
                .iter()
                .map(|bucket| resolve(bucket, path, *gaps))
                .collect::<Result<Vec<f64>, _>>()?;
            let moved = moving::over(&values, *window, *shift, *function);
            for (bucket, value) in buckets.iter_mut().zip(moved) {
                if let Some(value) = value.filter(|value| !(*skip_empty && value.is_nan())) {
                    put(
                        bucket,
                        name,
                        Out::Number("simple_value", shown(value), Vec::new()),
                    );
                }
            }
        }
        PipelineSpec::BucketScript {
            paths,
            script,
            gaps,
        } => {
            for bucket in buckets.iter_mut() {
                let variables = variables(bucket, paths, *gaps)?;
                if variables.iter().any(|(_, value)| value.is_nan()) {
                    continue;
                }
                let value = script
                    .evaluate(&variables)
                    .ok_or_else(|| unknown_variable(name))?;
                put(
                    bucket,
                    name,
                    Out::Number("simple_value", shown(value), Vec::new()),
                );
            }
        }
        PipelineSpec::BucketSelector {
            paths,
            script,
            gaps,
        } => {
            let mut kept = Vec::with_capacity(buckets.len());
            for bucket in buckets.drain(..) {
                let variables = variables(&bucket, paths, *gaps)?;
                let value = script
                    .evaluate(&variables)
                    .ok_or_else(|| unknown_variable(name))?;
                if value != 0.0 && !value.is_nan() {
                    kept.push(bucket);
                }
            }
            *buckets = kept;
        }
        PipelineSpec::BucketSort {
            sort,
            from,
            size,
            gaps,
        } => {
            let mut rows = Vec::with_capacity(buckets.len());
            for bucket in buckets.drain(..) {
                let mut values = Vec::with_capacity(sort.len());
                for (path, _) in sort {
                    let text = (path == "_key" && bucket.number.is_none())
                        .then(|| bucket.key.as_str().unwrap_or_default().to_owned());
                    values.push((resolve(&bucket, path, *gaps)?, text));
                }
                let nothing =
                    |(number, text): &(f64, Option<String>)| number.is_nan() && text.is_none();
                if sort.is_empty() || !values.iter().all(nothing) {
                    rows.push((values, bucket));
                }
            }
            rows.sort_by(|a, b| {
                for ((x, y), (_, ascending)) in a.0.iter().zip(&b.0).zip(sort) {
                    let natural = match (&x.1, &y.1) {
                        (Some(x), Some(y)) => x.cmp(y),
                        _ => match (x.0.is_nan(), y.0.is_nan()) {
                            (true, true) => continue,
                            (true, false) => return std::cmp::Ordering::Greater,
                            (false, true) => return std::cmp::Ordering::Less,
                            _ => x.0.total_cmp(&y.0),
                        },
                    };
                    let order = if *ascending {
                        natural
                    } else {
                        natural.reverse()
                    };
                    if order != std::cmp::Ordering::Equal {
                        return order;
                    }
                }
                std::cmp::Ordering::Equal
            });
            let kept = rows.into_iter().map(|(_, bucket)| bucket).skip(*from);
            *buckets = kept.take(size.unwrap_or(usize::MAX)).collect();
        }
        PipelineSpec::Sibling { .. } => {}
    }
    Ok(())
}

fn unknown_variable(name: &str) -> EsError {
    EsError::illegal_argument(format!(
        "the script of [{name}] uses a variable that is in neither buckets_path nor params"
    ))
}

fn variables(
    bucket: &OutBucket,
    paths: &[(String, String)],
    gaps: GapPolicy,
) -> Result<Vec<(String, f64)>, EsError> {
    paths
        .iter()
        .map(|(name, path)| Ok((name.clone(), resolve(bucket, path, gaps)?)))
        .collect()
}

/// Runs the pipelines that stand beside what they read.
pub(super) fn siblings(specs: &[AggSpec], results: &mut Vec<Result_>) -> Result<(), EsError> {
    let own = specs.iter().filter_map(|spec| match &spec.kind {
        AggKind::Pipeline(pipeline @ PipelineSpec::Sibling { .. }) => Some((spec, pipeline)),
        _ => None,
    });
    for (spec, pipeline) in in_order(own)? {
        let PipelineSpec::Sibling { op, path, gaps } = pipeline else {
            continue;
        };
        let mut values: Vec<(String, f64)> = Vec::new();
        sibling_values(results, path, *gaps, &mut values)?;
        results.push(Result_ {
            name: spec.name.clone(),
            out: sibling(op, &values),
        });
    }
    Ok(())
}

fn sibling_values(
    results: &[Result_],
    path: &str,
    gaps: GapPolicy,
    values: &mut Vec<(String, f64)>,
) -> Result<(), EsError> {
    let (head, rest) = path.split_once('>').ok_or_else(|| bad_path(path))?;
    let found = results
        .iter()
        .find(|r| r.name == head)
        .ok_or_else(|| bad_path(path))?;
    match &found.out {
        Out::Single(inner, _) => sibling_values(&inner.subs, rest, gaps, values),
        Out::Buckets { buckets, .. } => {
            for bucket in buckets {
                let deeper = rest.split_once('>').and_then(|(name, _)| {
                    let sub = bucket.subs.iter().find(|sub| sub.name == name)?;
                    matches!(sub.out, Out::Buckets { .. }).then_some(())
                });
                if deeper.is_some() {
                    sibling_values(&bucket.subs, rest, gaps, values)?;
                    continue;
                }
                let value = resolve(bucket, rest, gaps)?;
                if !value.is_nan() {
                    values.push((render::bucket_name(bucket), value));
                }
            }
            Ok(())
        }
        _ => Err(bad_path(path)),
    }
}

fn sibling(op: &SiblingOp, values: &[(String, f64)]) -> Out {
    let numbers = || values.iter().map(|(_, value)| *value);
    let sum: f64 = numbers().sum();
    let count = values.len();
    let min = numbers().fold(f64::INFINITY, f64::min);
    let max = numbers().fold(f64::NEG_INFINITY, f64::max);
    let number = |n: f64| if count > 0 { json!(n) } else { Value::Null };
    match op {
        SiblingOp::Max | SiblingOp::Min => {
            let best = if *op == SiblingOp::Max { max } else { min };
            let keys: Vec<&str> = values
                .iter()
                .filter(|(_, value)| *value == best)
                .map(|(key, _)| key.as_str())
                .collect();
            Out::Number(
                "bucket_metric_value",
                shown(best),
                vec![("keys", json!(keys))],
            )
        }
        SiblingOp::Avg => {
            let mean = (count > 0).then(|| sum / count as f64);
            Out::Number("simple_value", mean, Vec::new())
        }
        SiblingOp::Sum => Out::Number("simple_value", Some(sum), Vec::new()),
        SiblingOp::Stats => Out::Raw(
            "stats_bucket",
            json!({"count": count, "min": number(min), "max": number(max),
                "avg": number(sum / count as f64), "sum": sum}),
        ),
        SiblingOp::Percentiles(percents) => {
            let mut sorted: Vec<f64> = numbers().collect();
            sorted.sort_by(f64::total_cmp);
            let mut object = serde_json::Map::new();
            for percent in percents {
                let value = match sorted.len() {
                    0 => Value::Null,
                    n => {
                        let at = (percent / 100.0 * (n as f64 - 1.0)).round();
                        json!(sorted[(at as usize).min(n - 1)])
                    }
                };
                object.insert(render::number_text(*percent), value);
            }
            Out::Raw("percentiles_bucket", json!({"values": object}))
        }
    }
}
