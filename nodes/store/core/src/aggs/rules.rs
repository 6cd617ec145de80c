//! How rows become buckets: the rule of each aggregation in one segment, with fields, dates and
//! filters resolved.
//!
//! Invariant: a rule that could be made can be applied to every row without failing.
//! Not here: walking rows (`buckets.rs`), composite, metrics.

use jiff::tz::TimeZone;

use super::collect::AggContext;
use super::key::{Float, Key, KeyKind};
use super::partial::KeyInfo;
use super::spec::{AggKind, AggSpec, HistogramSpec, MetricOp, RangeSpec, TermFilter, TermsSpec};
use super::values::{Source, number_for};
use crate::columns::{Column, RowSet, Segment};
use crate::dateformat::DateFormat;
use crate::datemath::{self, DateContext};
use crate::error::EsError;
use crate::interval::Rounding;
use crate::query::params::scalar_text;
use crate::query::{FieldKind, matching};
/// Number of the bucket of terms that no document of the segment has.
const MISSING_TERM: i64 = i64::MAX;

/// Fails where a field's type does not fit the aggregation.
pub(super) fn check(spec: &AggSpec, context: AggContext<'_>) -> Result<(), EsError> {
    let (schema, index) = (context.schema, context.index);
    match &spec.kind {
        AggKind::Terms(terms) => {
            Source::for_buckets(&terms.field, schema, index)?;
        }
        AggKind::Missing(field) => {
            let _ = field;
        }
        AggKind::DateHistogram(histogram) => {
            Source::for_numbers(&histogram.field, schema, index, "date_histogram")?;
        }
        AggKind::Histogram(histogram) => {
            Source::for_numbers(&histogram.field, schema, index, "histogram")?;
        }
        AggKind::Range(range) => {
            let name = if range.dates { "date_range" } else { "range" };
            Source::for_numbers(&range.field, schema, index, name)?;
        }
        AggKind::Filter(query) => {
            context.plan(query)?;
        }
        AggKind::Filters(filters, ..) => {
            for (_, query) in filters {
                context.plan(query)?;
            }
        }
        AggKind::IpRange(spec) => spec.check(schema)?,
        AggKind::Composite(composite) => {
            for source in &composite.sources {
                Source::for_buckets(&source.field, schema, index)?;
            }
        }
        AggKind::Metric(metric) => match metric.op {
            MetricOp::ValueCount | MetricOp::Cardinality => {
                Source::for_buckets(&metric.field, schema, index)?;
            }
            _ => {
                let name = super::render::metric_name(&metric.op);
                Source::for_numbers(&metric.field, schema, index, name)?;
            }
        },
        AggKind::TopMetrics(top) => {
            for field in &top.metrics {
                Source::for_buckets(field, schema, index)?;
            }
        }
        AggKind::TopHits(_) | AggKind::Global | AggKind::Pipeline(_) => {}
    }
    Ok(())
}

/// How rows become buckets.
pub(super) struct Rule<'s> {
    pub(super) kind: RuleKind<'s>,
    pub(super) spec: &'s AggSpec,
    pub(super) source: Source,
}

pub(super) enum RuleKind<'s> {
    Terms(TermsRule<'s>),
    Date {
        column: Option<Column>,
        rounding: Box<Rounding>,
        missing: Option<f64>,
        hard: (i64, i64),
    },
    Number {
        column: Option<Column>,
        spec: &'s HistogramSpec,
    },
    Ranges {
        column: Option<Column>,
        bounds: Vec<(f64, f64)>,
        missing: Option<f64>,
    },
    Rows {
        sets: Vec<RowSet>,
        other: bool,
    },
    Missing {
        column: Option<Column>,
        present: Option<RowSet>,
    },
    Everything,
}

pub(super) struct TermsRule<'s> {
    pub(super) spec: &'s TermsSpec,
    pub(super) column: Option<Column>,
    /// Terms taken, by dictionary number.
    pub(super) taken: Option<Vec<bool>>,
    /// Numbers taken and left out.
    pub(super) included: Option<Vec<i64>>,
    pub(super) excluded: Vec<i64>,
    pub(super) missing: Option<(i64, Key)>,
}

impl<'s> Rule<'s> {
    pub(super) fn new(
        spec: &'s AggSpec,
        context: AggContext<'s>,
        segment: &'s dyn Segment,
    ) -> Result<Self, EsError> {
        let (schema, index) = (context.schema, context.index);
        let mut source = Source::Unmapped;
        let kind = match &spec.kind {
            AggKind::Terms(terms) => {
                source = Source::for_buckets(&terms.field, schema, index)?;
                RuleKind::Terms(TermsRule::new(terms, &source, segment)?)
            }
            AggKind::DateHistogram(histogram) => {
                source = Source::for_numbers(&histogram.field, schema, index, "date_histogram")?;
                let rounding = super::reduce_buckets::rounding(histogram)?;
                let info = field_of(&source);
                let missing = match &histogram.missing {
                    Some(value) => Some(number_for(value, info)?),
                    None => None,
                };
                let hard = match &histogram.hard_bounds {
                    None => (i64::MIN, i64::MAX),
                    Some((min, max)) => {
                        let read = |value: &Option<serde_json::Value>, open| match value {
                            None => Ok(open),
                            Some(value) => {
                                number_for(value, info).map(|n| rounding.floor(n as i64))
                            }
                        };
                        (read(min, i64::MIN)?, read(max, i64::MAX)?)
                    }
                };
                let column = source.column(segment);
                RuleKind::Date {
                    column,
                    rounding: Box::new(rounding),
                    missing,
                    hard,
                }
            }
            AggKind::Histogram(histogram) => {
                source = Source::for_numbers(&histogram.field, schema, index, "histogram")?;
                RuleKind::Number {
                    column: source.column(segment),
                    spec: histogram,
                }
            }
            AggKind::Range(range) => {
                let name = if range.dates { "date_range" } else { "range" };
                source = Source::for_numbers(&range.field, schema, index, name)?;
                let info = field_of(&source);
                let missing = match &range.missing {
                    Some(value) => Some(number_for(value, info)?),
                    None => None,
                };
                let bounds = range_bounds(range, &source, context.now_ms)?;
                RuleKind::Ranges {
                    column: source.column(segment),
                    bounds,
                    missing,
                }
            }
            AggKind::Filter(query) => {
                let set = matching(&context.plan(query)?, segment)?;
                RuleKind::Rows {
                    sets: vec![set],
                    other: false,
                }
            }
            AggKind::IpRange(spec) => {
                let sets = spec
                    .ranges
                    .iter()
                    .map(|range| matching(&context.plan(&range.query)?, segment))
                    .collect::<Result<Vec<_>, EsError>>()?;
                RuleKind::Rows { sets, other: false }
            }
            AggKind::Filters(filters, _, other) => {
                let sets = filters
                    .iter()
                    .map(|(_, query)| matching(&context.plan(query)?, segment))
                    .collect::<Result<Vec<_>, EsError>>()?;
                RuleKind::Rows {
                    sets,
                    other: other.is_some(),
                }
            }
            AggKind::Missing(field) => {
                let present = match schema.field(field) {
                    Some(info) if matches!(info.kind, FieldKind::Text | FieldKind::Stored) => {
                        let exists = crate::query::Query::Exists {
                            field: field.clone(),
                            boost: 1.0,
                        };
                        Some(matching(&context.plan(&exists)?, segment)?)
                    }
                    _ => None,
                };
                let column = schema
                    .field(field)
                    .and_then(|info| segment.column(&info.path));
                RuleKind::Missing { column, present }
            }
            _ => RuleKind::Everything,
        };
        Ok(Self { kind, spec, source })
    }

    /// Buckets of each parent where the rule is fixed.
    pub(super) fn width(&self) -> u32 {
        match &self.kind {
            RuleKind::Ranges { bounds, .. } => bounds.len() as u32,
            RuleKind::Rows { sets, other } => sets.len() as u32 + u32::from(*other),
            _ => 1,
        }
    }

    pub(super) fn is_keyed(&self) -> bool {
        matches!(
            self.kind,
            RuleKind::Terms(_) | RuleKind::Date { .. } | RuleKind::Number { .. }
        )
    }
}

pub(super) fn field_of(source: &Source) -> Option<&crate::query::FieldInfo> {
    match source {
        Source::Field(info) => Some(info),
        _ => None,
    }
}

/// Bounds of a range aggregation as numbers, in the order of the request.
pub(super) fn range_bounds(
    spec: &RangeSpec,
    source: &Source,
    now_ms: i64,
) -> Result<Vec<(f64, f64)>, EsError> {
    let zone = match &spec.time_zone {
        Some(name) => datemath::zone(name)?,
        None => TimeZone::UTC,
    };
    let format = match (&spec.format, field_of(source)) {
        (Some(text), _) if spec.dates => DateFormat::new(text)?,
        (_, Some(info)) => info.format.as_deref().cloned().unwrap_or_default(),
        _ => DateFormat::default(),
    };
    let read = |value: &Option<serde_json::Value>, open: f64| -> Result<f64, EsError> {
        let Some(value) = value else { return Ok(open) };
        if !spec.dates {
            return number_for(value, field_of(source));
        }
        let text = match value.as_f64() {
            Some(number) => return Ok(number),
            None => scalar_text(value).unwrap_or_default(),
        };
        let context = DateContext {
            now_ms,
            zone: &zone,
            format: &format,
        };
        datemath::resolve(&text, false, context).map(|ms| ms as f64)
    };
    spec.ranges
        .iter()
        .map(|range| {
            Ok((
                read(&range.from, f64::NEG_INFINITY)?,
                read(&range.to, f64::INFINITY)?,
            ))
        })
        .collect()
}

impl<'s> TermsRule<'s> {
    fn new(
        spec: &'s TermsSpec,
        source: &Source,
        segment: &'s dyn Segment,
    ) -> Result<Self, EsError> {
        let column = source.column(segment);
        let mut rule = Self {
            spec,
            column,
            taken: None,
            included: None,
            excluded: Vec::new(),
            missing: None,
        };
        let text = !source.kind().is_some_and(FieldKind::is_numeric);
        if let Some(value) = &spec.missing
            && !matches!(source, Source::IndexName(_))
        {
            rule.missing = Some(match source.kind() {
                Some(FieldKind::Double) => {
                    let number = number_for(value, field_of(source))? + 0.0;
                    (number.to_bits() as i64, Key::Double(Float(number)))
                }
                Some(kind) if kind.is_numeric() => {
                    let number = number_for(value, field_of(source))? as i64;
                    (number, Key::Long(number))
                }
                _ => {
                    let term = scalar_text(value).unwrap_or_default();
                    let ord = match &rule.column {
                        Some(Column::Keyword(c) | Column::Ip(c)) => c.ord(&term),
                        _ => None,
                    };
                    let key = match source.kind() {
                        Some(FieldKind::Ip) => Key::address(&term),
                        _ => Key::Text(term.into()),
                    };
                    (ord.map_or(MISSING_TERM, i64::from), key)
                }
            });
        }
        if spec.include.is_none() && spec.exclude.is_none() {
            return Ok(rule);
        }
        if text {
            if let Some(Column::Keyword(c) | Column::Ip(c)) = &rule.column {
                let mut taken = vec![true; c.ord_count() as usize];
                c.each_term(&mut |ord, term| taken[ord as usize] = takes(spec, term));
                rule.taken = Some(taken);
            }
            return Ok(rule);
        }
        let codes = |filter: &TermFilter| match filter {
            TermFilter::Exact(texts) => texts
                .iter()
                .map(|text| {
                    let value = serde_json::Value::String(text.clone());
                    let number = number_for(&value, field_of(source))?;
                    Ok(match source.kind() {
                        Some(FieldKind::Double) => (number + 0.0).to_bits() as i64,
                        _ => number as i64,
                    })
                })
                .collect::<Result<Vec<i64>, EsError>>(),
            TermFilter::Pattern(_) => Err(EsError::illegal_argument(format!(
                "Aggregation [{}] cannot support regular expression style include/exclude settings as they can only be applied to string fields. Use an array of values for include/exclude clauses",
                spec.field
            ))),
            TermFilter::Partition(..) => {
                Err(EsError::unsupported("terms partitions of a number field"))
            }
        };
        rule.included = spec.include.as_ref().map(codes).transpose()?;
        rule.excluded = spec
            .exclude
            .as_ref()
            .map(codes)
            .transpose()?
            .unwrap_or_default();
        Ok(rule)
    }

    pub(super) fn takes_code(&self, code: i64) -> bool {
        self.included
            .as_ref()
            .is_none_or(|list| list.contains(&code))
            && !self.excluded.contains(&code)
    }
}

fn takes(spec: &TermsSpec, term: &str) -> bool {
    let hit = |filter: &TermFilter| match filter {
        TermFilter::Pattern(regex) => regex.is_match(term),
        TermFilter::Exact(list) => list.iter().any(|exact| exact == term),
        TermFilter::Partition(part, count) => partition(term, *count) == *part,
    };
    spec.include.as_ref().is_none_or(hit) && !spec.exclude.as_ref().is_some_and(hit)
}

/// The part that a term falls into: Lucene's hash of it (MurmurHash3, 32 bits, seed 31), so that a client that goes on
/// with another server sees the same parts.
fn partition(term: &str, count: u64) -> u64 {
    let hash = murmur3(term.as_bytes(), 31) as i32;
    i64::from(hash).rem_euclid(count as i64) as u64
}

/// MurmurHash3_x86_32 by Austin Appleby, who placed it in the public domain.
fn murmur3(bytes: &[u8], seed: u32) -> u32 {
    let scramble = |block: u32| {
        block
            .wrapping_mul(0xcc9e_2d51)
            .rotate_left(15)
            .wrapping_mul(0x1b87_3593)
    };
    let mut hash = seed;
    let mut blocks = bytes.chunks_exact(4);
    for block in &mut blocks {
        let block = u32::from_le_bytes([block[0], block[1], block[2], block[3]]);
        hash = (hash ^ scramble(block))
            .rotate_left(13)
            .wrapping_mul(5)
            .wrapping_add(0xe654_6b64);
    }
    let tail = blocks.remainder();
    if !tail.is_empty() {
        let block = tail
            .iter()
            .rev()
            .fold(0, |block, byte| block << 8 | u32::from(*byte));
        hash ^= scramble(block);
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    hash ^ hash >> 16
}

pub(super) fn key_of(rule: &Rule<'_>, code: i64) -> Key {
    match &rule.kind {
        RuleKind::Terms(terms) => match (&terms.missing, &terms.column, &rule.source) {
            (Some((missing, key)), _, _) if *missing == code => key.clone(),
            (_, Some(column @ (Column::Keyword(c) | Column::Ip(c))), _) => {
                Key::term(column, &c.term(code as u32))
            }
            (_, Some(Column::Double(_)), _) => Key::Double(Float(f64::from_bits(code as u64))),
            (_, None, Source::IndexName(name)) => Key::Text(name.as_str().into()),
            _ => Key::Long(code),
        },
        RuleKind::Number { .. } => Key::Double(Float(f64::from_bits(code as u64))),
        _ => Key::Long(code),
    }
}

pub(super) fn key_info(rule: &Rule<'_>) -> KeyInfo {
    let format = field_of(&rule.source).and_then(|info| info.format.clone());
    let kind = match &rule.kind {
        RuleKind::Date { .. } => Some(KeyKind::Date),
        RuleKind::Number { .. } => Some(KeyKind::Double),
        RuleKind::Terms(terms) => match &rule.source {
            Source::IndexName(_) => Some(KeyKind::Text),
            Source::Unmapped => terms.missing.as_ref().map(|_| KeyKind::Text),
            Source::Field(info) => key_kind(info.kind),
        },
        _ => None,
    };
    KeyInfo { kind, format }
}

/// What keys of a field's values are.
pub(super) fn key_kind(kind: FieldKind) -> Option<KeyKind> {
    Some(match kind {
        FieldKind::Long => KeyKind::Long,
        FieldKind::Double => KeyKind::Double,
        FieldKind::Bool => KeyKind::Bool,
        FieldKind::Date => KeyKind::Date,
        FieldKind::Ip => KeyKind::Ip,
        FieldKind::Keyword => KeyKind::Text,
        FieldKind::Text | FieldKind::Stored => return None,
    })
}
