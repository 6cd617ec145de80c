//! Options of aggregations that make numbers or show documents.
//! Not here: which fields they fit (`values.rs`).

use serde_json::Value;

use super::spec::{MetricOp, MetricSpec, TopHitsSpec, TopMetricsSpec};
use crate::error::EsError;
use crate::query::params::{Params, number_of};
use crate::search::{SourceFilter, asks_for_highlight, parse_sort};

/// Percents or values of one aggregation.
const MAX_VALUES: usize = 1000;
/// `index.max_inner_result_window`.
const MAX_TOP_HITS: usize = 100;
/// Documents of one `top_metrics`.
const MAX_TOP_METRICS: usize = 10;

fn numbers(name: &str, value: &Value) -> Result<Vec<f64>, EsError> {
    let items = match value {
        Value::Array(items) if items.len() <= MAX_VALUES => items,
        _ => {
            return Err(EsError::parsing(format!(
                "[{name}] must be a list of up to {MAX_VALUES} numbers"
            )));
        }
    };
    let mut list = items
        .iter()
        .map(|item| {
            number_of(item).ok_or_else(|| EsError::parsing(format!("[{name}] takes numbers")))
        })
        .collect::<Result<Vec<f64>, _>>()?;
    list.sort_by(f64::total_cmp);
    Ok(list)
}

pub(super) fn metric(name: &str, body: &Value) -> Result<MetricSpec, EsError> {
    let mut p = Params::object(name, body)?;
    if p.take("script").is_some() {
        return Err(EsError::unsupported(format!("{name} script")));
    }
    let field = p.need_string("field")?;
    let missing = p.take("missing").cloned();
    let format = p.string("format")?;
    let op = match name {
        "avg" => MetricOp::Avg,
        "min" => MetricOp::Min,
        "max" => MetricOp::Max,
        "sum" => MetricOp::Sum,
        "stats" => MetricOp::Stats,
        "extended_stats" => {
            let sigma = p.number("sigma")?.unwrap_or(2.0);
            if sigma < 0.0 {
                return Err(EsError::illegal_argument(
                    "[sigma] must be greater than or equal to 0",
                ));
            }
            MetricOp::ExtendedStats(sigma)
        }
        "value_count" => MetricOp::ValueCount,
        "cardinality" => {
            p.size("precision_threshold")?;
            p.take("rehash");
            p.take("execution_hint");
            MetricOp::Cardinality
        }
        _ => {
            let keyed = p.boolean("keyed")?.unwrap_or(true);
            for algorithm in ["tdigest", "hdr"] {
                if let Some(options) = p.take(algorithm)
                    && !options.is_object()
                {
                    return Err(EsError::parsing(format!("[{algorithm}] must be an object")));
                }
            }
            if body.get("hdr").is_some_and(|hdr| !hdr.is_null()) {
                // Its answers are others: it rounds values and takes no mean of two.
                return Err(EsError::unsupported(format!("{name} hdr")));
            }
            if name == "percentiles" {
                let percents = match p.take("percents") {
                    Some(value) => numbers("percents", value)?,
                    None => vec![1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0],
                };
                if percents.is_empty() || percents.iter().any(|q| !(0.0..=100.0).contains(q)) {
                    return Err(EsError::illegal_argument(
                        "percent must be in [0,100] and [percents] must not be empty",
                    ));
                }
                MetricOp::Percentiles(percents, keyed)
            } else {
                let values = numbers("values", p.require("values")?)?;
                if values.is_empty() {
                    return Err(EsError::illegal_argument(
                        "[values] must not be an empty array",
                    ));
                }
                MetricOp::PercentileRanks(values, keyed)
            }
        }
    };
    p.take("value_type");
    p.finish_as_object()?;
    Ok(MetricSpec {
        op,
        field,
        missing,
        format,
    })
}

pub(super) fn top_hits(body: &Value) -> Result<TopHitsSpec, EsError> {
    let mut p = Params::object("top_hits", body)?;
    let from = p.size("from")?.unwrap_or(0);
    let size = p.size("size")?.unwrap_or(3);
    if from.saturating_add(size) > MAX_TOP_HITS {
        return Err(EsError::illegal_argument(format!(
            "Top hits result window is too large, the top hits aggregator's from + size must be less than or equal to: [{MAX_TOP_HITS}] but was [{}]. This limit can be set by changing the [index.max_inner_result_window] index level setting.",
            from.saturating_add(size)
        )));
    }
    let sort = match p.take("sort") {
        Some(value) => parse_sort(value)?,
        None => Vec::new(),
    };
    let source = match p.take("_source") {
        Some(value) => SourceFilter::parse(value)?,
        None => SourceFilter::default(),
    };
    let spec = TopHitsSpec {
        from,
        size,
        sort,
        source,
        docvalue_fields: p.take("docvalue_fields").cloned().unwrap_or(Value::Null),
        fields: p.take("fields").cloned().unwrap_or(Value::Null),
        version: p.boolean("version")?.unwrap_or(false),
        seq_no_primary_term: p.boolean("seq_no_primary_term")?.unwrap_or(false),
    };
    if p.take("highlight").is_some_and(asks_for_highlight) {
        return Err(EsError::unsupported("top_hits highlight"));
    }
    if p.boolean("track_scores")?.unwrap_or(false) {
        return Err(EsError::unsupported("top_hits track_scores"));
    }
    if p.boolean("explain")?.unwrap_or(false) {
        return Err(EsError::unsupported("top_hits explain"));
    }
    p.finish_as_object()?;
    Ok(spec)
}

pub(super) fn top_metrics(body: &Value) -> Result<TopMetricsSpec, EsError> {
    let mut p = Params::object("top_metrics", body)?;
    let value = p.require("metrics")?;
    let items: &[Value] = match value {
        Value::Array(items) => items,
        single => std::slice::from_ref(single),
    };
    let mut metrics = Vec::with_capacity(items.len());
    for item in items.iter().take(MAX_VALUES) {
        let mut m = Params::object("metrics", item)?;
        metrics.push(m.need_string("field")?);
        m.finish_as_object()?;
    }
    let sort = parse_sort(p.require("sort")?)?;
    if sort.len() != 1 {
        return Err(EsError::illegal_argument(
            "[top_metrics] takes exactly one sort key",
        ));
    }
    let size = p.size("size")?.unwrap_or(1);
    if size == 0 || size > MAX_TOP_METRICS {
        return Err(EsError::illegal_argument(format!(
            "[top_metrics.size] must not be more than [{MAX_TOP_METRICS}] but was [{size}]. This limit can be set by changing the [index.top_metrics_max_size] index level setting."
        )));
    }
    p.finish_as_object()?;
    Ok(TopMetricsSpec {
        metrics,
        sort,
        size,
    })
}
