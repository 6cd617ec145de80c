//! Aggregations as they were asked for: a tree without fields resolved.
//!
//! Invariant: names, nesting and options have been checked. Not here: JSON (`parse*.rs`).

use super::ip_range::IpRangeSpec;
use super::moving::MovingFunction;
use regex::Regex;
use serde_json::Value;

use super::script::Script;
use crate::interval::Interval;
use crate::query::Query;
use crate::search::{SortSpec, SourceFilter};

/// One aggregation with those below it.
#[derive(Clone, Debug)]
pub struct AggSpec {
    /// Its name in the request.
    pub name: String,
    /// What it does.
    pub kind: AggKind,
    /// Given back as it is.
    pub meta: Option<Value>,
    /// Aggregations of each of its buckets; pipelines among them work on its buckets.
    pub subs: Vec<AggSpec>,
}

impl AggSpec {
    /// The aggregations below that read documents.
    pub fn collected_subs(&self) -> impl Iterator<Item = &AggSpec> {
        self.subs
            .iter()
            .filter(|sub| !matches!(sub.kind, AggKind::Pipeline(_)))
    }
}

/// By what buckets are ordered.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderTarget {
    /// Documents.
    Count,
    /// The key.
    Key,
    /// A metric below: names joined by `>`, and a value's name behind a dot.
    Path(String),
}

/// One key of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct BucketOrder {
    /// By what.
    pub target: OrderTarget,
    /// Smallest first.
    pub ascending: bool,
}

/// Which terms a `terms` aggregation takes.
#[derive(Clone, Debug)]
pub enum TermFilter {
    /// Those that match.
    Pattern(Regex),
    /// Exactly these, as text.
    Exact(Vec<String>),
    /// One part of so many.
    Partition(u64, u64),
}

/// `terms`.
#[derive(Clone, Debug)]
pub struct TermsSpec {
    /// Path.
    pub field: String,
    /// Buckets shown.
    pub size: usize,
    /// Their order.
    pub order: Vec<BucketOrder>,
    /// Buckets with fewer documents are left out.
    pub min_doc_count: u64,
    /// Documents without a value count as this.
    pub missing: Option<Value>,
    /// Terms taken.
    pub include: Option<TermFilter>,
    /// Terms left out.
    pub exclude: Option<TermFilter>,
    /// Of dates and numbers.
    pub format: Option<String>,
    /// Each bucket shows its error.
    pub show_error: bool,
}

/// `date_histogram`.
#[derive(Clone, Debug)]
pub struct DateHistogramSpec {
    /// Path.
    pub field: String,
    /// Length of a bucket.
    pub interval: Interval,
    /// Zone of its calendar.
    pub time_zone: Option<String>,
    /// Moves the buckets' beginnings.
    pub offset_ms: i64,
    /// Buckets with fewer documents are left out; 0 fills gaps.
    pub min_doc_count: u64,
    /// Buckets that are there in any case.
    pub extended_bounds: Option<(Option<Value>, Option<Value>)>,
    /// No buckets outside.
    pub hard_bounds: Option<(Option<Value>, Option<Value>)>,
    /// Of `key_as_string`.
    pub format: Option<String>,
    /// Buckets are an object.
    pub keyed: bool,
    /// Their order.
    pub order: Vec<BucketOrder>,
    /// Documents without a value count as this.
    pub missing: Option<Value>,
}

/// `histogram`.
#[derive(Clone, Debug)]
pub struct HistogramSpec {
    /// Path.
    pub field: String,
    /// Width of a bucket.
    pub interval: f64,
    /// Moves the buckets' beginnings.
    pub offset: f64,
    /// Buckets with fewer documents are left out; 0 fills gaps.
    pub min_doc_count: u64,
    /// Buckets that are there in any case.
    pub extended_bounds: Option<(f64, f64)>,
    /// No buckets outside.
    pub hard_bounds: Option<(f64, f64)>,
    /// Buckets are an object.
    pub keyed: bool,
    /// Their order.
    pub order: Vec<BucketOrder>,
    /// Documents without a value count as this.
    pub missing: Option<f64>,
}

/// One interval of `range` and `date_range`.
#[derive(Clone, Debug)]
pub struct RangeBucket {
    /// Its name where one was given.
    pub key: Option<String>,
    /// Lower bound, included.
    pub from: Option<Value>,
    /// Upper bound, not included.
    pub to: Option<Value>,
}

/// `range` and `date_range`.
#[derive(Clone, Debug)]
pub struct RangeSpec {
    /// Path.
    pub field: String,
    /// The intervals.
    pub ranges: Vec<RangeBucket>,
    /// Buckets are an object.
    pub keyed: bool,
    /// The bounds are dates.
    pub dates: bool,
    /// Of dates.
    pub format: Option<String>,
    /// Of dates that name none.
    pub time_zone: Option<String>,
    /// Documents without a value count as this.
    pub missing: Option<Value>,
}

/// What one source of `composite` is.
#[derive(Clone, Debug)]
pub enum SourceKind {
    /// Values as they are.
    Terms,
    /// Instants rounded down.
    Date {
        /// Length of a bucket.
        interval: Interval,
        /// Zone of its calendar.
        time_zone: Option<String>,
        /// Moves the buckets' beginnings.
        offset_ms: i64,
        /// How keys are shown.
        format: Option<String>,
    },
    /// Numbers rounded down.
    Number {
        /// Width of a bucket.
        interval: f64,
    },
}

/// One source of `composite`.
#[derive(Clone, Debug)]
pub struct CompositeSource {
    /// Its name in keys.
    pub name: String,
    /// Path.
    pub field: String,
    /// What is done with the values.
    pub kind: SourceKind,
    /// Smallest first.
    pub ascending: bool,
    /// Documents without a value count, with key null.
    pub missing_bucket: bool,
    /// Null stands first (true), last (false) or where the order puts it.
    pub missing_first: Option<bool>,
}

/// `composite`.
#[derive(Clone, Debug)]
pub struct CompositeSpec {
    /// Buckets shown.
    pub size: usize,
    /// What keys are made of.
    pub sources: Vec<CompositeSource>,
    /// The key after which to go on.
    pub after: Option<Vec<Value>>,
}

/// A metric of one field.
#[derive(Clone, Debug)]
pub struct MetricSpec {
    /// Which.
    pub op: MetricOp,
    /// Path.
    pub field: String,
    /// Documents without a value count as this.
    pub missing: Option<Value>,
    /// How a value is printed beside its number.
    pub format: Option<String>,
}

/// Which metric.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricOp {
    /// Mean.
    Avg,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Sum.
    Sum,
    /// All of the above.
    Stats,
    /// With variance; the number of deviations of its bounds.
    ExtendedStats(f64),
    /// How many values.
    ValueCount,
    /// How many different values, and up to how many exactly.
    Cardinality,
    /// Values at percents; keyed.
    Percentiles(Vec<f64>, bool),
    /// Percents at values; keyed.
    PercentileRanks(Vec<f64>, bool),
}

/// `top_hits`.
#[derive(Clone, Debug)]
pub struct TopHitsSpec {
    /// Hits skipped.
    pub from: usize,
    /// Hits shown.
    pub size: usize,
    /// Their order; empty means the order of documents.
    pub sort: Vec<SortSpec>,
    /// What of the source is shown.
    pub source: SourceFilter,
    /// Values shown from columns.
    pub docvalue_fields: Value,
    /// Values shown from the source.
    pub fields: Value,
    /// `_version` is shown.
    pub version: bool,
    /// `_seq_no` is shown.
    pub seq_no_primary_term: bool,
}

/// `top_metrics`.
#[derive(Clone, Debug)]
pub struct TopMetricsSpec {
    /// Paths of the metrics.
    pub metrics: Vec<String>,
    /// Order of documents.
    pub sort: Vec<SortSpec>,
    /// Documents shown.
    pub size: usize,
}

/// What a pipeline does where a value is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapPolicy {
    /// Nothing for that bucket.
    Skip,
    /// The value counts as 0.
    InsertZeros,
    /// The metric's own value is used even in a bucket without documents.
    KeepValues,
}

/// Aggregations of aggregations.
#[derive(Clone, Debug)]
pub enum PipelineSpec {
    /// Difference to the bucket before.
    Derivative {
        /// Path of the value.
        path: String,
        /// What of gaps.
        gaps: GapPolicy,
        /// `normalized_value` is per so many milliseconds.
        unit_ms: Option<i64>,
    },
    /// Sum so far.
    CumulativeSum {
        /// Path of the value.
        path: String,
    },
    /// Difference to so many buckets before.
    SerialDiff {
        /// Path of the value.
        path: String,
        /// How many buckets.
        lag: usize,
        /// What of gaps.
        gaps: GapPolicy,
    },
    /// A value over the buckets before.
    Moving {
        /// Path of the value.
        path: String,
        /// How many buckets.
        window: usize,
        /// By how many buckets the window is moved.
        shift: i64,
        /// Of values that are there; a window without any gives nothing at all instead of null.
        skip_empty: bool,
        /// What is made of them.
        function: MovingFunction,
        /// What of gaps.
        gaps: GapPolicy,
    },
    /// Arithmetic over values of each bucket.
    BucketScript {
        /// Variable and path.
        paths: Vec<(String, String)>,
        /// The arithmetic.
        script: Script,
        /// What of gaps.
        gaps: GapPolicy,
    },
    /// Keeps the buckets for which the arithmetic is true.
    BucketSelector {
        /// Variable and path.
        paths: Vec<(String, String)>,
        /// The arithmetic.
        script: Script,
        /// What of gaps.
        gaps: GapPolicy,
    },
    /// Orders and cuts the buckets.
    BucketSort {
        /// Path and whether ascending.
        sort: Vec<(String, bool)>,
        /// Buckets skipped.
        from: usize,
        /// Buckets kept.
        size: Option<usize>,
        /// What of gaps.
        gaps: GapPolicy,
    },
    /// One value of all buckets of a sibling.
    Sibling {
        /// Which.
        op: SiblingOp,
        /// Path of the value.
        path: String,
        /// What of gaps.
        gaps: GapPolicy,
    },
}

/// Which value a sibling pipeline takes.
#[derive(Clone, Debug, PartialEq)]
pub enum SiblingOp {
    /// Largest, and the keys that have it.
    Max,
    /// Smallest, and the keys that have it.
    Min,
    /// Mean.
    Avg,
    /// Sum.
    Sum,
    /// Count, min, max, avg and sum.
    Stats,
    /// Values at percents.
    Percentiles(Vec<f64>),
}

/// What an aggregation does.
// One request holds a handful of these.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug)]
pub enum AggKind {
    /// A bucket per term.
    Terms(TermsSpec),
    /// A bucket per stretch of time.
    DateHistogram(DateHistogramSpec),
    /// A bucket per stretch of numbers.
    Histogram(HistogramSpec),
    /// A bucket per given interval.
    Range(RangeSpec),
    /// Addresses in ranges.
    IpRange(IpRangeSpec),
    /// One bucket of what matches.
    Filter(Box<Query>),
    /// A bucket per query; keyed; name of the bucket for the rest.
    Filters(Vec<(Option<String>, Query)>, bool, Option<String>),
    /// Documents without a value.
    Missing(String),
    /// All documents, whatever the query.
    Global,
    /// A bucket per combination of values.
    Composite(CompositeSpec),
    /// A number.
    Metric(MetricSpec),
    /// Documents.
    TopHits(Box<TopHitsSpec>),
    /// Values of the first documents of an order.
    TopMetrics(Box<TopMetricsSpec>),
    /// Of other aggregations.
    Pipeline(PipelineSpec),
}
