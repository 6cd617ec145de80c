//! Aggregations: JSON to `AggSpec`.
//!
//! Invariants: depth and number are limited; a type or an option that is not known is an error
//! that names it. Not here: the options of each type (`parse_buckets.rs` and its siblings).

use serde_json::Value;

use super::ip_range;
use super::spec::{AggKind, AggSpec, PipelineSpec};
use super::{parse_buckets, parse_metrics, parse_pipelines};
use crate::error::EsError;
use crate::query::params::token_name;

/// Aggregations may nest this deep.
const MAX_DEPTH: usize = 20;
/// Aggregations in one request.
const MAX_AGGS: usize = 1000;

/// Parses the value of `aggs`.
pub fn parse_aggs(value: &Value) -> Result<Vec<AggSpec>, EsError> {
    let mut left = MAX_AGGS;
    parse_level(value, 0, &mut left)
}

fn parse_level(value: &Value, depth: usize, left: &mut usize) -> Result<Vec<AggSpec>, EsError> {
    if depth > MAX_DEPTH {
        return Err(EsError::illegal_argument(format!(
            "aggregations are nested deeper than [{MAX_DEPTH}]"
        )));
    }
    let Value::Object(map) = value else {
        return Err(EsError::parsing(format!(
            "Expected [START_OBJECT] under [aggs] but got a [{}]",
            token_name(value)
        )));
    };
    let mut specs = Vec::with_capacity(map.len());
    for (name, body) in map {
        *left = left.checked_sub(1).ok_or_else(|| {
            EsError::illegal_argument(format!("more than [{MAX_AGGS}] aggregations"))
        })?;
        specs.push(parse_one(name, body, depth, left)?);
    }
    check_pipelines(&specs, depth)?;
    Ok(specs)
}

fn parse_one(name: &str, body: &Value, depth: usize, left: &mut usize) -> Result<AggSpec, EsError> {
    if name.is_empty() || name.contains(['[', ']', '>']) {
        return Err(EsError::parsing(format!(
            "Invalid aggregation name [{name}]. Aggregation names can contain any character except '[', ']', and '>'"
        )));
    }
    let Value::Object(map) = body else {
        return Err(EsError::parsing(format!(
            "Aggregation definition for [{name} starts with a [{}], expected a [START_OBJECT].",
            token_name(body)
        )));
    };
    let mut subs = Vec::new();
    let mut meta = None;
    let mut kind: Option<(&str, AggKind)> = None;
    for (key, value) in map {
        match key.as_str() {
            "aggs" | "aggregations" => subs = parse_level(value, depth + 1, left)?,
            "meta" => meta = Some(value.clone()),
            other => {
                if let Some((first, _)) = &kind {
                    return Err(EsError::parsing(format!(
                        "Found two aggregation type definitions in [{name}]: [{first}] and [{other}]"
                    )));
                }
                if !value.is_object() {
                    return Err(EsError::parsing(format!(
                        "Expected [START_OBJECT] under [{other}], but got a [{}] in [{name}]",
                        token_name(value)
                    )));
                }
                kind = Some((other, parse_kind(other, value)?));
            }
        }
    }
    let Some((type_name, kind)) = kind else {
        return Err(EsError::parsing(format!(
            "Missing definition for aggregation [{name}]"
        )));
    };
    let leaf = matches!(
        kind,
        AggKind::Metric(_) | AggKind::TopHits(_) | AggKind::TopMetrics(_) | AggKind::Pipeline(_)
    );
    if leaf && !subs.is_empty() {
        return Err(EsError::new(
            400,
            "aggregation_initialization_exception",
            format!("Aggregator [{name}] of type [{type_name}] cannot accept sub-aggregations"),
        ));
    }
    if matches!(kind, AggKind::Global) && depth > 0 {
        return Err(EsError::new(
            400,
            "aggregation_execution_exception",
            format!(
                "Aggregation [{name}] cannot have a global sub-aggregation [global]. Global aggregations can only be defined as top level aggregations"
            ),
        ));
    }
    Ok(AggSpec {
        name: name.to_owned(),
        kind,
        meta,
        subs,
    })
}

fn parse_kind(name: &str, body: &Value) -> Result<AggKind, EsError> {
    Ok(match name {
        "terms" => AggKind::Terms(parse_buckets::terms(body)?),
        "date_histogram" => AggKind::DateHistogram(parse_buckets::date_histogram(body)?),
        "histogram" => AggKind::Histogram(parse_buckets::histogram(body)?),
        "range" => AggKind::Range(parse_buckets::range(body, false)?),
        "date_range" => AggKind::Range(parse_buckets::range(body, true)?),
        "ip_range" => AggKind::IpRange(ip_range::parse(body)?),
        "filter" => AggKind::Filter(Box::new(crate::query::parse_query(body)?)),
        "filters" => parse_buckets::filters(body)?,
        "missing" => AggKind::Missing(parse_buckets::missing(body)?),
        "global" => AggKind::Global,
        "composite" => AggKind::Composite(parse_buckets::composite(body)?),
        "avg" | "min" | "max" | "sum" | "stats" | "extended_stats" | "value_count"
        | "cardinality" | "percentiles" | "percentile_ranks" => {
            AggKind::Metric(parse_metrics::metric(name, body)?)
        }
        "top_hits" => AggKind::TopHits(Box::new(parse_metrics::top_hits(body)?)),
        "top_metrics" => AggKind::TopMetrics(Box::new(parse_metrics::top_metrics(body)?)),
        other => match parse_pipelines::pipeline(other, body)? {
            Some(pipeline) => AggKind::Pipeline(pipeline),
            None => {
                let shown: String = other.chars().take(100).collect();
                return Err(
                    EsError::parsing(format!("Unknown aggregation type [{shown}]")).caused_by(
                        EsError::new(
                            400,
                            "named_object_not_found_exception",
                            format!("unknown field [{shown}]"),
                        ),
                    ),
                );
            }
        },
    })
}

/// Pipelines that work on the buckets around them need such buckets.
fn check_pipelines(specs: &[AggSpec], depth: usize) -> Result<(), EsError> {
    for spec in specs {
        if let AggKind::Pipeline(pipeline) = &spec.kind {
            if depth == 0 && !matches!(pipeline, PipelineSpec::Sibling { .. }) {
                return Err(EsError::action_request_validation(format!(
                    "Validation Failed: 1: aggregation [{}] must be declared inside of another aggregation;",
                    spec.name
                )));
            }
            if let PipelineSpec::Sibling { path, .. } = pipeline {
                let first = path.split('>').next().unwrap_or_default();
                let found = specs.iter().any(|other| other.name == first);
                if !found || !path.contains('>') {
                    return Err(EsError::action_request_validation(format!(
                        "Validation Failed: 1: buckets_path aggregation does not exist for aggregation [{}]: {path};",
                        spec.name
                    )));
                }
            }
        }
    }
    Ok(())
}
