//! Reducing: merged partials to results, with order, limits and pipelines applied.
//!
//! Invariants: results hold what is rendered and nothing else; the number of buckets of the whole
//! answer is limited; pipelines see their buckets in the order they are rendered.
//! Not here: the rules of each kind of buckets (`reduce_buckets.rs`), JSON (`render.rs`).

use serde_json::Value;

use super::partial::{Bucket, Partial, Shown, Sums};
use super::pipeline;
use super::reduce_buckets;
use super::sketch::Quantiles;
use super::spec::{AggKind, AggSpec, MetricOp};
use crate::error::EsError;
use crate::query::FieldKind;

/// How many buckets may still be made.
pub(super) struct Budget {
    left: usize,
    limit: usize,
    /// The present, for bounds that no index has resolved.
    pub(super) now_ms: i64,
}

impl Budget {
    pub(super) fn new(limit: usize, now_ms: i64) -> Self {
        Self {
            left: limit,
            limit,
            now_ms,
        }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<(), EsError> {
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(EsError::too_many_buckets(self.limit)),
        }
    }
}

/// A bucket of the answer.
#[derive(Clone, Debug)]
pub(super) struct OutBucket {
    /// The key as JSON.
    pub(super) key: Value,
    /// The key as text, where it is shown.
    pub(super) key_as_string: Option<String>,
    /// The key as a number, where it is one.
    pub(super) number: Option<f64>,
    /// Documents.
    pub(super) count: u64,
    /// Members between key and count (`from`, `to` and their texts).
    pub(super) extra: Vec<(&'static str, Value)>,
    /// Results of the aggregations below, by their place in the spec.
    pub(super) subs: Vec<Result_>,
}

/// A named result.
#[derive(Clone, Debug)]
pub(super) struct Result_ {
    /// Name of its aggregation.
    pub(super) name: String,
    /// Its value.
    pub(super) out: Out,
}

/// The result of one aggregation.
#[derive(Clone, Debug)]
pub(super) enum Out {
    /// Buckets.
    Buckets {
        /// In order.
        buckets: Vec<OutBucket>,
        /// As an object instead of a list.
        keyed: bool,
        /// Members around the buckets.
        before: Vec<(&'static str, Value)>,
        /// Members of terms: documents of buckets that are not shown.
        prefix: &'static str,
    },
    /// One bucket.
    Single(Box<OutBucket>, &'static str),
    /// Numbers.
    Sums(Sums, MetricOp, Shown, Option<String>),
    /// How many different values.
    Count(u64),
    /// Quantiles or ranks: asked for, found.
    Quantiles(
        Vec<(f64, Option<f64>)>,
        bool,
        Shown,
        &'static str,
        Option<String>,
    ),
    /// As it is: prefix of typed keys, members.
    Raw(&'static str, Value),
    /// A number of a pipeline: prefix of typed keys, value, more members.
    Number(&'static str, Option<f64>, Vec<(&'static str, Value)>),
}

/// Reduces the aggregations of one level; siblings that are pipelines come last.
pub(super) fn reduce_all(
    specs: &[AggSpec],
    partials: Vec<Partial>,
    budget: &mut Budget,
) -> Result<Vec<Result_>, EsError> {
    let mut out = Vec::with_capacity(specs.len());
    let mut partials = partials.into_iter();
    for spec in specs {
        if matches!(spec.kind, AggKind::Pipeline(_)) {
            continue;
        }
        let partial = partials
            .next()
            .unwrap_or_else(|| super::partial::empty_one(spec));
        out.push(Result_ {
            name: spec.name.clone(),
            out: reduce_one(spec, partial, budget)?,
        });
    }
    pipeline::siblings(specs, &mut out)?;
    Ok(out)
}

/// Reduces one bucket.
pub(super) fn reduce_bucket(
    spec: &AggSpec,
    bucket: Bucket,
    key: Value,
    budget: &mut Budget,
) -> Result<OutBucket, EsError> {
    let subs = if bucket.subs.is_empty() && spec.collected_subs().next().is_some() {
        super::partial::empty(&spec.subs)
    } else {
        bucket.subs
    };
    Ok(OutBucket {
        key,
        key_as_string: None,
        number: None,
        count: bucket.count,
        extra: Vec::new(),
        subs: reduce_all(&spec.subs, subs, budget)?,
    })
}

fn reduce_one(spec: &AggSpec, partial: Partial, budget: &mut Budget) -> Result<Out, EsError> {
    let mut out = match (&spec.kind, partial) {
        (AggKind::Terms(terms), Partial::Keyed(map, info)) => {
            reduce_buckets::terms(spec, terms, map, info, budget)?
        }
        (AggKind::DateHistogram(histogram), Partial::Keyed(map, info)) => {
            reduce_buckets::date_histogram(spec, histogram, map, info, budget)?
        }
        (AggKind::Histogram(histogram), Partial::Keyed(map, _)) => {
            reduce_buckets::histogram(spec, histogram, map, budget)?
        }
        (AggKind::Range(range), Partial::Ranges(parts, shown)) => {
            reduce_buckets::ranges(spec, range, parts, shown, budget)?
        }
        (AggKind::Composite(composite), Partial::Composite(map, kinds)) => {
            reduce_buckets::composite(spec, composite, map, &kinds, budget)?
        }
        (AggKind::Filters(filters, keyed, other), Partial::Listed(buckets)) => {
            budget.take(buckets.len())?;
            let names = filters
                .iter()
                .map(|(name, _)| name.clone())
                .chain(other.clone().map(Some));
            let mut list = Vec::with_capacity(buckets.len());
            for (bucket, name) in buckets.into_iter().zip(names) {
                let key = name.map_or(Value::Null, Value::String);
                list.push(reduce_bucket(spec, bucket, key, budget)?);
            }
            Out::Buckets {
                buckets: list,
                keyed: *keyed,
                before: Vec::new(),
                prefix: "filters",
            }
        }
        (AggKind::IpRange(ip), Partial::Listed(buckets)) => {
            budget.take(buckets.len())?;
            let mut list = Vec::with_capacity(buckets.len());
            for (bucket, range) in buckets.into_iter().zip(&ip.ranges) {
                let key = Value::String(range.key.clone());
                let mut out = reduce_bucket(spec, bucket, key, budget)?;
                out.extra.extend(range.shown());
                list.push(out);
            }
            Out::Buckets {
                buckets: list,
                keyed: ip.keyed,
                before: Vec::new(),
                prefix: "ip_range",
            }
        }
        (kind, Partial::Listed(buckets)) => {
            let prefix = match kind {
                AggKind::Filter(_) => "filter",
                AggKind::Missing(_) => "missing",
                _ => "global",
            };
            budget.take(1)?;
            let bucket = buckets.into_iter().next().unwrap_or_default();
            let bucket = reduce_bucket(spec, bucket, Value::Null, budget)?;
            Out::Single(Box::new(bucket), prefix)
        }
        (AggKind::Metric(metric), Partial::Sums(sums, shown)) => {
            Out::Sums(sums, metric.op.clone(), shown, metric.format.clone())
        }
        (_, Partial::Distinct(distinct)) => Out::Count(distinct.count()),
        (AggKind::Metric(metric), Partial::Quantiles(sketch, shown)) => {
            let (list, keyed, prefix) = quantiles(&metric.op, sketch);
            Out::Quantiles(list, keyed, shown, prefix, metric.format.clone())
        }
        (AggKind::TopHits(hits), Partial::Hits(total, list, kinds)) => {
            reduce_buckets::top_hits(hits, total, list, &kinds)?
        }
        (AggKind::TopMetrics(top), Partial::Metrics(list, kinds)) => {
            reduce_buckets::top_metrics(top, list, &kinds)?
        }
        _ => return Err(EsError::internal("an aggregation lost its shape")),
    };
    pipeline::parents(&spec.subs, &mut out)?;
    Ok(out)
}

fn quantiles(
    op: &MetricOp,
    mut sketch: Quantiles,
) -> (Vec<(f64, Option<f64>)>, bool, &'static str) {
    match op {
        MetricOp::Percentiles(percents, keyed) => {
            let list = percents
                .iter()
                .map(|p| (*p, sketch.quantile(p / 100.0)))
                .collect();
            (list, *keyed, "tdigest_percentiles")
        }
        MetricOp::PercentileRanks(values, keyed) => {
            let list = values
                .iter()
                .map(|v| (*v, sketch.rank(*v).map(|r| r * 100.0)))
                .collect();
            (list, *keyed, "tdigest_percentile_ranks")
        }
        _ => (Vec::new(), true, "tdigest_percentiles"),
    }
}

/// A number of a partial, for orders: names joined by `>` and a value's name behind a dot.
pub(super) fn partial_number(
    specs: &[AggSpec],
    partials: &[Partial],
    path: &str,
) -> Result<Option<f64>, EsError> {
    let (head, rest) = match path.split_once('>') {
        Some((head, rest)) => (head, Some(rest)),
        None => (path, None),
    };
    let collected = || {
        specs
            .iter()
            .filter(|s| !matches!(s.kind, AggKind::Pipeline(_)))
    };
    let bad = || {
        EsError::new(
            400,
            "aggregation_execution_exception",
            format!(
                "Invalid aggregation order path [{path}]. The provided aggregation [{head}] either does not exist, or is a pipeline aggregation and cannot be used to sort the buckets."
            ),
        )
    };
    if rest.is_none() && head == "_count" {
        return Ok(None);
    }
    let at = |name: &str| collected().position(|spec| spec.name == name);
    // A name may hold dots itself, so the whole is tried first.
    let (place, value) = match at(head) {
        Some(place) => (place, None),
        None => {
            let split = if let Some(inner) = head.strip_suffix(']') {
                inner.split_once('[')
            } else {
                head.split_once('.')
            };
            let (name, value) = split.ok_or_else(bad)?;
            (at(name).ok_or_else(bad)?, Some(value))
        }
    };
    let (Some(spec), Some(partial)) = (collected().nth(place), partials.get(place)) else {
        return Err(bad());
    };
    match (partial, rest) {
        (Partial::Listed(buckets), Some(rest)) if buckets.len() == 1 => {
            if rest == "_count" || rest == "doc_count" {
                return Ok(Some(buckets[0].count as f64));
            }
            partial_number(&spec.subs, &buckets[0].subs, rest)
        }
        (Partial::Listed(buckets), None) if buckets.len() == 1 => Ok(Some(buckets[0].count as f64)),
        (Partial::Sums(sums, _), None) => {
            let AggKind::Metric(metric) = &spec.kind else {
                return Err(bad());
            };
            let named = |name| pipeline::sums_value(sums, name, &metric.op);
            match (value, &metric.op) {
                (Some(name), _) => named(name).ok_or_else(bad),
                (None, MetricOp::Stats | MetricOp::ExtendedStats(_)) => Err(bad()),
                (None, _) => named("value").ok_or_else(bad),
            }
        }
        (Partial::Distinct(distinct), None) => Ok(Some(distinct.count() as f64)),
        (Partial::Quantiles(sketch, _), None) => {
            let wanted: f64 = value.and_then(|v| v.parse().ok()).ok_or_else(bad)?;
            let mut sketch = sketch.clone();
            Ok(match &spec.kind {
                AggKind::Metric(metric) if matches!(metric.op, MetricOp::Percentiles(..)) => {
                    sketch.quantile(wanted / 100.0)
                }
                _ => sketch.rank(wanted).map(|rank| rank * 100.0),
            })
        }
        (Partial::Metrics(list, _), None) => {
            let AggKind::TopMetrics(top) = &spec.kind else {
                return Err(bad());
            };
            let column = match value {
                Some(name) => top.metrics.iter().position(|m| m == name).ok_or_else(bad)?,
                None => 0,
            };
            Ok(list
                .first()
                .and_then(|m| m.values.get(column))
                .and_then(Value::as_f64))
        }
        _ => Err(bad()),
    }
}

/// Whether numbers of this kind are printed as dates beside the number.
pub(super) fn is_date(shown: &Shown) -> bool {
    shown.kind == Some(FieldKind::Date)
}
