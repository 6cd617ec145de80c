//! What one index knows of an aggregation, to be merged with what others know.
//!
//! Invariants: merging is associative and exact; partials of one spec have one shape, whatever
//! index they come from. Not here: order, limits and rendering (`reduce.rs`, `render.rs`).

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::key::{Key, KeyKind, Part};
use super::sketch::{Distinct, Quantiles};
use super::spec::{AggKind, AggSpec, MetricOp};
use crate::dateformat::DateFormat;
use crate::error::EsError;
use crate::query::FieldKind;
use crate::search::SortValue;

/// A bucket: documents and what lies below.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// Documents.
    pub count: u64,
    /// One partial for each collected sub-aggregation.
    pub subs: Vec<Partial>,
}

/// Count, sum and extremes of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sums {
    /// How many.
    pub count: u64,
    sum: f64,
    rest: f64,
    squares: f64,
    squares_rest: f64,
    /// Smallest; infinity without values.
    pub min: f64,
    /// Largest; minus infinity without values.
    pub max: f64,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            count: 0,
            sum: 0.0,
            rest: 0.0,
            squares: 0.0,
            squares_rest: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

fn compensated(sum: &mut f64, rest: &mut f64, value: f64) {
    // Kahan's summation, as Elasticsearch does it.
    let corrected = value - *rest;
    let next = *sum + corrected;
    *rest = if next.is_finite() {
        (next - *sum) - corrected
    } else {
        0.0
    };
    *sum = next;
}

impl Sums {
    /// So many values that are no numbers.
    pub fn counted(count: u64) -> Self {
        Self {
            count,
            ..Self::default()
        }
    }

    /// Adds a value.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        compensated(&mut self.sum, &mut self.rest, value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds a value's square too.
    pub fn add_square(&mut self, value: f64) {
        compensated(&mut self.squares, &mut self.squares_rest, value * value);
    }

    /// Adds another's values.
    pub fn merge(&mut self, other: &Sums) {
        self.count += other.count;
        compensated(&mut self.sum, &mut self.rest, other.sum);
        compensated(&mut self.sum, &mut self.rest, -other.rest);
        compensated(&mut self.squares, &mut self.squares_rest, other.squares);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The sum.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// The sum of the squares.
    pub fn squares(&self) -> f64 {
        self.squares
    }
}

/// How an index prints numbers of a field.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Shown {
    /// What the field holds; `None` where no index knows it.
    pub kind: Option<FieldKind>,
    /// Format of its dates.
    pub format: Option<Arc<DateFormat>>,
}

/// What the keys of buckets are and how they are printed.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct KeyInfo {
    /// What they are; `None` where no index knows the field.
    pub kind: Option<KeyKind>,
    /// Format of dates.
    pub format: Option<Arc<DateFormat>>,
}

/// A bucket between two bounds.
#[derive(Clone, Debug)]
pub struct RangePart {
    /// Lower bound, minus infinity for none.
    pub from: f64,
    /// Upper bound, infinity for none.
    pub to: f64,
    /// Name where one was given.
    pub key: Option<String>,
    /// What lies between.
    pub bucket: Bucket,
}

/// A hit of `top_hits`, rendered, with what orders it.
#[derive(Clone, Debug)]
pub struct TopHit {
    /// Keys of its order.
    pub keys: Vec<SortValue>,
    /// As JSON, without `sort`.
    pub hit: Value,
}

/// A document of `top_metrics`.
#[derive(Clone, Debug)]
pub struct TopMetric {
    /// Key of its order.
    pub keys: Vec<SortValue>,
    /// Values of its metrics.
    pub values: Vec<Value>,
}

/// What one index knows of one aggregation.
#[derive(Clone, Debug)]
pub enum Partial {
    /// Buckets by key.
    Keyed(HashMap<Key, Bucket>, KeyInfo),
    /// Buckets by combination of keys, and what each part is.
    Composite(HashMap<Vec<Part>, Bucket>, Vec<Option<KeyKind>>),
    /// Buckets by bounds.
    Ranges(Vec<RangePart>, Shown),
    /// Buckets by place.
    Listed(Vec<Bucket>),
    /// Numbers.
    Sums(Sums, Shown),
    /// Different values.
    Distinct(Distinct),
    /// Quantiles.
    Quantiles(Quantiles, Shown),
    /// Documents: how many, and the first.
    Hits(u64, Vec<TopHit>, Vec<Option<FieldKind>>),
    /// Values of the first documents.
    Metrics(Vec<TopMetric>, Vec<Option<FieldKind>>),
}

/// What an index without documents knows.
pub fn empty(specs: &[AggSpec]) -> Vec<Partial> {
    specs
        .iter()
        .filter(|spec| !matches!(spec.kind, AggKind::Pipeline(_)))
        .map(empty_one)
        .collect()
}

pub(super) fn empty_one(spec: &AggSpec) -> Partial {
    let bucket = || Bucket {
        count: 0,
        subs: empty(&spec.subs),
    };
    match &spec.kind {
        AggKind::Terms(_) | AggKind::DateHistogram(_) | AggKind::Histogram(_) => {
            Partial::Keyed(HashMap::new(), KeyInfo::default())
        }
        AggKind::Composite(composite) => {
            Partial::Composite(HashMap::new(), vec![None; composite.sources.len()])
        }
        AggKind::Range(_) => Partial::Ranges(Vec::new(), Shown::default()),
        AggKind::Filters(filters, _, other) => {
            let count = filters.len() + usize::from(other.is_some());
            Partial::Listed((0..count).map(|_| bucket()).collect())
        }
        AggKind::IpRange(spec) => Partial::Listed(spec.ranges.iter().map(|_| bucket()).collect()),
        AggKind::Filter(_) | AggKind::Missing(_) | AggKind::Global => {
            Partial::Listed(vec![bucket()])
        }
        AggKind::Metric(metric) => match metric.op {
            MetricOp::Cardinality => Partial::Distinct(Distinct::default()),
            MetricOp::Percentiles(..) | MetricOp::PercentileRanks(..) => {
                Partial::Quantiles(Quantiles::default(), Shown::default())
            }
            _ => Partial::Sums(Sums::default(), Shown::default()),
        },
        AggKind::TopHits(hits) => Partial::Hits(0, Vec::new(), vec![None; hits.sort.len()]),
        AggKind::TopMetrics(top) => Partial::Metrics(Vec::new(), vec![None; top.metrics.len()]),
        AggKind::Pipeline(_) => Partial::Listed(Vec::new()),
    }
}

/// Merges what two sets of documents know.
pub fn merge(
    specs: &[AggSpec],
    left: Vec<Partial>,
    right: Vec<Partial>,
) -> Result<Vec<Partial>, EsError> {
    let collected = specs
        .iter()
        .filter(|spec| !matches!(spec.kind, AggKind::Pipeline(_)));
    collected
        .zip(left.into_iter().zip(right))
        .map(|(spec, (left, right))| merge_one(spec, left, right))
        .collect()
}

fn merge_bucket(spec: &AggSpec, into: &mut Bucket, from: Bucket) -> Result<(), EsError> {
    into.count += from.count;
    into.subs = merge(&spec.subs, std::mem::take(&mut into.subs), from.subs)?;
    Ok(())
}

fn merge_kind(a: Option<KeyKind>, b: Option<KeyKind>) -> Result<Option<KeyKind>, EsError> {
    Ok(match (a, b) {
        (None, kind) | (kind, None) => kind,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(KeyKind::Long | KeyKind::Bool), Some(KeyKind::Double))
        | (Some(KeyKind::Double), Some(KeyKind::Long | KeyKind::Bool)) => Some(KeyKind::Double),
        (Some(KeyKind::Long | KeyKind::Bool), Some(KeyKind::Long | KeyKind::Bool)) => {
            Some(KeyKind::Long)
        }
        (Some(KeyKind::Text | KeyKind::Ip), Some(KeyKind::Text | KeyKind::Ip)) => {
            Some(KeyKind::Text)
        }
        _ => {
            return Err(EsError::new(
                400,
                "aggregation_execution_exception",
                "Failed to merge buckets: the field has different types in two indices, which cannot be merged together.",
            ));
        }
    })
}

fn merge_shown(a: Shown, b: Shown) -> Shown {
    Shown {
        kind: a.kind.or(b.kind),
        format: a.format.or(b.format),
    }
}

fn merge_kinds(a: Vec<Option<FieldKind>>, b: Vec<Option<FieldKind>>) -> Vec<Option<FieldKind>> {
    a.into_iter().zip(b).map(|(a, b)| a.or(b)).collect()
}

pub(super) fn merge_one(spec: &AggSpec, left: Partial, right: Partial) -> Result<Partial, EsError> {
    Ok(match (left, right) {
        (Partial::Keyed(mut into, a), Partial::Keyed(mut from, b)) => {
            let kind = merge_kind(a.kind, b.kind)?;
            let info = KeyInfo {
                kind,
                format: a.format.or(b.format),
            };
            if kind == Some(KeyKind::Double) && a.kind != b.kind {
                into = into
                    .into_iter()
                    .map(|(key, bucket)| (key.widened(), bucket))
                    .collect();
                from = from
                    .into_iter()
                    .map(|(key, bucket)| (key.widened(), bucket))
                    .collect();
            }
            if into.is_empty() {
                return Ok(Partial::Keyed(from, info));
            }
            for (key, bucket) in from {
                match into.entry(key) {
                    std::collections::hash_map::Entry::Occupied(mut entry) => {
                        merge_bucket(spec, entry.get_mut(), bucket)?;
                    }
                    std::collections::hash_map::Entry::Vacant(entry) => {
                        entry.insert(bucket);
                    }
                }
            }
            Partial::Keyed(into, info)
        }
        (Partial::Composite(mut into, a), Partial::Composite(from, b)) => {
            let kinds = a
                .into_iter()
                .zip(b)
                .map(|(a, b)| merge_kind(a, b))
                .collect::<Result<Vec<_>, _>>()?;
            for (key, bucket) in from {
                match into.entry(key) {
                    std::collections::hash_map::Entry::Occupied(mut entry) => {
                        merge_bucket(spec, entry.get_mut(), bucket)?;
                    }
                    std::collections::hash_map::Entry::Vacant(entry) => {
                        entry.insert(bucket);
                    }
                }
            }
            Partial::Composite(into, kinds)
        }
        (Partial::Ranges(mut into, a), Partial::Ranges(from, b)) => {
            if into.is_empty() {
                return Ok(Partial::Ranges(from, merge_shown(a, b)));
            }
            for (into, from) in into.iter_mut().zip(from) {
                merge_bucket(spec, &mut into.bucket, from.bucket)?;
            }
            Partial::Ranges(into, merge_shown(a, b))
        }
        (Partial::Listed(mut into), Partial::Listed(from)) => {
            for (into, from) in into.iter_mut().zip(from) {
                merge_bucket(spec, into, from)?;
            }
            Partial::Listed(into)
        }
        (Partial::Sums(mut into, a), Partial::Sums(from, b)) => {
            into.merge(&from);
            Partial::Sums(into, merge_shown(a, b))
        }
        (Partial::Distinct(mut into), Partial::Distinct(from)) => {
            into.merge(from);
            Partial::Distinct(into)
        }
        (Partial::Quantiles(mut into, a), Partial::Quantiles(from, b)) => {
            into.merge(from);
            Partial::Quantiles(into, merge_shown(a, b))
        }
        (Partial::Hits(total, mut into, a), Partial::Hits(more, from, b)) => {
            into.extend(from);
            if let AggKind::TopHits(hits) = &spec.kind {
                into.sort_by(|a, b| crate::search::compare_keys(&hits.sort, &a.keys, &b.keys));
                into.truncate(hits.from + hits.size);
            }
            Partial::Hits(total + more, into, merge_kinds(a, b))
        }
        (Partial::Metrics(mut into, a), Partial::Metrics(from, b)) => {
            into.extend(from);
            if let AggKind::TopMetrics(top) = &spec.kind {
                into.sort_by(|a, b| crate::search::compare_keys(&top.sort, &a.keys, &b.keys));
                into.truncate(top.size);
            }
            Partial::Metrics(into, merge_kinds(a, b))
        }
        // Partials of one spec have one shape.
        (left, _) => left,
    })
}
