//! Collectors that make buckets: terms, histograms, ranges, filters, missing, global.
//!
//! Invariants: a document is counted once in a bucket, however many of its values fall into it; the
//! buckets of a keyed rule are numbered in the order they are met, those of a fixed rule are
//! `parent * width + place`. Not here: composite, metrics.

use std::collections::HashMap;

use jiff::tz::TimeZone;

use super::collect::{AggContext, MAX_COLLECTED, Node, finish_subs};
use super::key::{Float, Key, KeyKind, QuickMap};
use super::partial::{Bucket, KeyInfo, Partial, RangePart, Shown, empty};
use super::spec::{AggKind, AggSpec, HistogramSpec, MetricOp, RangeSpec, TermFilter, TermsSpec};
use super::values::{Pair, Scratch, Source, absent_rows, each, each_number, number_for};
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
    kind: RuleKind<'s>,
    spec: &'s AggSpec,
    source: Source,
}

enum RuleKind<'s> {
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

struct TermsRule<'s> {
    spec: &'s TermsSpec,
    column: Option<Column>,
    /// Terms taken, by dictionary number.
    taken: Option<Vec<bool>>,
    /// Numbers taken and left out.
    included: Option<Vec<i64>>,
    excluded: Vec<i64>,
    missing: Option<(i64, Key)>,
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
    fn width(&self) -> u32 {
        match &self.kind {
            RuleKind::Ranges { bounds, .. } => bounds.len() as u32,
            RuleKind::Rows { sets, other } => sets.len() as u32 + u32::from(*other),
            _ => 1,
        }
    }

    fn is_keyed(&self) -> bool {
        matches!(
            self.kind,
            RuleKind::Terms(_) | RuleKind::Date { .. } | RuleKind::Number { .. }
        )
    }
}

fn field_of(source: &Source) -> Option<&crate::query::FieldInfo> {
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
                    (ord.map_or(MISSING_TERM, i64::from), Key::Text(term.into()))
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

    fn takes_code(&self, code: i64) -> bool {
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
        TermFilter::Partition(part, count) => super::sketch::hash_text(term) % count == *part,
    };
    spec.include.as_ref().is_none_or(hit) && !spec.exclude.as_ref().is_some_and(hit)
}

/// Numbers of the buckets of a keyed rule.
#[derive(Default)]
struct Numbering {
    map: QuickMap<(u32, i64), u32>,
    keys: Vec<(u32, i64)>,
    /// Buckets of small codes by `parent * stride + code`, plus one.
    dense: Vec<u32>,
    stride: usize,
}

impl Numbering {
    const DENSE: usize = 1 << 22;

    fn bucket(&mut self, parent: u32, code: i64) -> u32 {
        if self.stride > 0 && code >= 0 && (code as usize) < self.stride {
            let at = parent as usize * self.stride + code as usize;
            if at < Self::DENSE {
                if at >= self.dense.len() {
                    self.dense.resize((parent as usize + 1) * self.stride, 0);
                }
                let slot = &mut self.dense[at];
                if *slot == 0 {
                    self.keys.push((parent, code));
                    *slot = self.keys.len() as u32;
                }
                return *slot - 1;
            }
        }
        let next = self.keys.len() as u32;
        let keys = &mut self.keys;
        *self.map.entry((parent, code)).or_insert_with(|| {
            keys.push((parent, code));
            next
        })
    }
}

/// A collector that makes buckets.
pub(super) struct BucketCollector<'s> {
    rule: Rule<'s>,
    subs: Vec<Box<dyn Node + 's>>,
    numbering: Numbering,
    counts: Vec<u64>,
    out: Vec<Pair>,
    scratch: Scratch,
}

/// Takes pairs with the bucket they fall into; the same bucket twice in a row is one document.
struct Sink<'a> {
    counts: &'a mut Vec<u64>,
    out: &'a mut Vec<Pair>,
    keep: bool,
    last: (Pair, u32),
}

impl Sink<'_> {
    #[inline]
    fn put(&mut self, pair: Pair, bucket: u32) {
        if self.last == (pair, bucket) {
            return;
        }
        self.last = (pair, bucket);
        let at = bucket as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
        if self.keep {
            self.out.push((pair.0, bucket));
        }
    }
}

impl<'s> BucketCollector<'s> {
    pub(super) fn new(rule: Rule<'s>, subs: Vec<Box<dyn Node + 's>>) -> Self {
        let mut numbering = Numbering::default();
        if let RuleKind::Terms(terms) = &rule.kind
            && let Some(Column::Keyword(c) | Column::Ip(c)) = &terms.column
        {
            numbering.stride = c.ord_count() as usize;
        }
        Self {
            rule,
            subs,
            numbering,
            counts: Vec::new(),
            out: Vec::new(),
            scratch: Scratch::default(),
        }
    }
}

impl Node for BucketCollector<'_> {
    fn collect(&mut self, pairs: &[Pair]) -> Result<(), EsError> {
        self.out.clear();
        let width = self.rule.width();
        let numbering = &mut self.numbering;
        let scratch = &mut self.scratch;
        let mut sink = Sink {
            counts: &mut self.counts,
            out: &mut self.out,
            keep: !self.subs.is_empty(),
            last: ((u32::MAX, u32::MAX), u32::MAX),
        };
        let mut unordered = false;
        match &self.rule.kind {
            RuleKind::Terms(rule) => {
                match &rule.column {
                    Some(Column::Keyword(c) | Column::Ip(c)) => {
                        let taken = rule.taken.as_deref();
                        each(c.ords(), u32::MAX, pairs, &mut scratch.ords, |pair, ord| {
                            if taken.is_none_or(|taken| taken[ord as usize]) {
                                let bucket = numbering.bucket(pair.1, i64::from(ord));
                                sink.put(pair, bucket);
                            }
                        });
                    }
                    Some(Column::Long(c) | Column::Bool(c) | Column::Date(c)) => {
                        each(
                            c.as_ref(),
                            i64::MIN,
                            pairs,
                            &mut scratch.longs,
                            |pair, value| {
                                if rule.takes_code(value) {
                                    let bucket = numbering.bucket(pair.1, value);
                                    sink.put(pair, bucket);
                                }
                            },
                        );
                    }
                    Some(Column::Double(c)) => {
                        each(
                            c.as_ref(),
                            f64::NAN,
                            pairs,
                            &mut scratch.doubles,
                            |pair, value| {
                                let code = (value + 0.0).to_bits() as i64;
                                if rule.takes_code(code) {
                                    let bucket = numbering.bucket(pair.1, code);
                                    sink.put(pair, bucket);
                                }
                            },
                        );
                    }
                    None => {
                        if matches!(self.rule.source, Source::IndexName(_)) {
                            for pair in pairs {
                                let bucket = numbering.bucket(pair.1, 0);
                                sink.put(*pair, bucket);
                            }
                        }
                    }
                }
                if let Some((code, _)) = &rule.missing {
                    unordered = true;
                    for pair in absent_rows(rule.column.as_ref(), pairs) {
                        let bucket = numbering.bucket(pair.1, *code);
                        sink.put(pair, bucket);
                    }
                }
            }
            RuleKind::Date {
                column,
                rounding,
                missing,
                hard,
            } => {
                let mut known = (1i64, 0i64, 0i64);
                let plain = rounding.plain();
                unordered = missing.is_some();
                let mut put = |pair: Pair, ms: i64| {
                    let key = match plain {
                        Some((length, offset)) => {
                            let moved = ms.saturating_sub(offset);
                            moved - moved.rem_euclid(length) + offset
                        }
                        None => {
                            if ms < known.0 || ms >= known.1 {
                                let start = rounding.floor(ms);
                                known = (start, rounding.next(ms), start);
                            }
                            known.2
                        }
                    };
                    if key >= hard.0 && key <= hard.1 {
                        let bucket = numbering.bucket(pair.1, key);
                        sink.put(pair, bucket);
                    }
                };
                match column {
                    Some(Column::Long(c) | Column::Bool(c) | Column::Date(c)) => {
                        each(c.as_ref(), i64::MIN, pairs, &mut scratch.longs, &mut put);
                    }
                    Some(Column::Double(c)) => {
                        each(
                            c.as_ref(),
                            f64::NAN,
                            pairs,
                            &mut scratch.doubles,
                            |pair, value| {
                                put(pair, value as i64);
                            },
                        );
                    }
                    _ => {}
                }
                if let Some(value) = missing {
                    for pair in absent_rows(column.as_ref(), pairs) {
                        put(pair, *value as i64);
                    }
                }
            }
            RuleKind::Number { column, spec } => {
                unordered = spec.missing.is_some();
                each_number(
                    column.as_ref(),
                    spec.missing,
                    pairs,
                    scratch,
                    |pair, value| {
                        let place = ((value - spec.offset) / spec.interval).floor();
                        let key = place * spec.interval + spec.offset;
                        let inside = spec
                            .hard_bounds
                            .is_none_or(|(low, high)| !(value < low || value > high));
                        if inside {
                            let bucket = numbering.bucket(pair.1, (key + 0.0).to_bits() as i64);
                            sink.put(pair, bucket);
                        }
                    },
                );
            }
            RuleKind::Ranges {
                column,
                bounds,
                missing,
            } => {
                unordered = missing.is_some();
                // Ranges may overlap: a value can fall into several, and two values into one.
                let mut current: Option<Pair> = None;
                let mut hit: Vec<u32> = Vec::new();
                each_number(column.as_ref(), *missing, pairs, scratch, |pair, value| {
                    if current != Some(pair) {
                        current = Some(pair);
                        hit.clear();
                    }
                    for (place, (from, to)) in bounds.iter().enumerate() {
                        let place = place as u32;
                        if value >= *from && value < *to && !hit.contains(&place) {
                            hit.push(place);
                            sink.put(pair, pair.1 * width + place);
                        }
                    }
                });
            }
            RuleKind::Rows { sets, other } => {
                for pair in pairs {
                    let mut any = false;
                    for (place, set) in sets.iter().enumerate() {
                        if set.contains(pair.0) {
                            any = true;
                            sink.put(*pair, pair.1 * width + place as u32);
                        }
                    }
                    if *other && !any {
                        sink.put(*pair, pair.1 * width + width - 1);
                    }
                }
            }
            RuleKind::Missing { column, present } => match present {
                Some(present) => {
                    for pair in pairs.iter().filter(|pair| !present.contains(pair.0)) {
                        sink.put(*pair, pair.1);
                    }
                }
                None => {
                    for pair in absent_rows(column.as_ref(), pairs) {
                        sink.put(pair, pair.1);
                    }
                }
            },
            RuleKind::Everything => {
                for pair in pairs {
                    sink.put(*pair, pair.1);
                }
            }
        }
        if self.numbering.keys.len() > MAX_COLLECTED {
            return Err(EsError::too_many_buckets(MAX_COLLECTED));
        }
        if !self.subs.is_empty() && !self.out.is_empty() {
            if unordered {
                self.out.sort_unstable();
            }
            for sub in &mut self.subs {
                sub.collect(&self.out)?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, parents: u32) -> Result<Vec<Partial>, EsError> {
        let this = *self;
        if !this.rule.is_keyed() {
            return finish_fixed(this, parents);
        }
        let buckets = this.numbering.keys.len() as u32;
        let subs = finish_subs(this.subs, buckets)?;
        let mut maps: Vec<HashMap<Key, Bucket>> = (0..parents).map(|_| HashMap::new()).collect();
        for (at, ((parent, code), subs)) in this.numbering.keys.iter().zip(subs).enumerate() {
            let count = this.counts.get(at).copied().unwrap_or(0);
            if let Some(map) = maps.get_mut(*parent as usize) {
                map.insert(key_of(&this.rule, *code), Bucket { count, subs });
            }
        }
        if let RuleKind::Terms(rule) = &this.rule.kind
            && rule.spec.min_doc_count == 0
        {
            add_empty_terms(&this.rule, rule, &mut maps);
        }
        let info = key_info(&this.rule);
        Ok(maps
            .into_iter()
            .map(|map| Partial::Keyed(map, info.clone()))
            .collect())
    }
}

fn finish_fixed(this: BucketCollector<'_>, parents: u32) -> Result<Vec<Partial>, EsError> {
    let width = this.rule.width();
    let buckets = parents.saturating_mul(width);
    let mut subs = finish_subs(this.subs, buckets)?.into_iter();
    let mut at = 0;
    let mut next = || {
        let count = this.counts.get(at).copied().unwrap_or(0);
        at += 1;
        Bucket {
            count,
            subs: subs.next().unwrap_or_default(),
        }
    };
    let mut out = Vec::with_capacity(parents as usize);
    for _ in 0..parents {
        out.push(match (&this.rule.kind, &this.rule.spec.kind) {
            (RuleKind::Ranges { bounds, .. }, AggKind::Range(spec)) => {
                let parts = bounds
                    .iter()
                    .zip(&spec.ranges)
                    .map(|((from, to), range)| RangePart {
                        from: *from,
                        to: *to,
                        key: range.key.clone(),
                        bucket: next(),
                    });
                let format = field_of(&this.rule.source).and_then(|info| info.format.clone());
                let shown = Shown {
                    kind: this.rule.source.kind(),
                    format,
                };
                Partial::Ranges(parts.collect(), shown)
            }
            _ => Partial::Listed((0..width).map(|_| next()).collect()),
        });
    }
    Ok(out)
}

/// Terms that no matching document has, where the request wants them too.
fn add_empty_terms(rule: &Rule<'_>, terms: &TermsRule<'_>, maps: &mut [HashMap<Key, Bucket>]) {
    let Some(Column::Keyword(c) | Column::Ip(c)) = &terms.column else {
        return;
    };
    c.each_term(&mut |ord, term| {
        if terms.taken.as_ref().is_none_or(|taken| taken[ord as usize]) {
            for map in &mut *maps {
                map.entry(Key::Text(term.into())).or_insert_with(|| Bucket {
                    count: 0,
                    subs: empty(&rule.spec.subs),
                });
            }
        }
    });
}

fn key_of(rule: &Rule<'_>, code: i64) -> Key {
    match &rule.kind {
        RuleKind::Terms(terms) => match (&terms.missing, &terms.column, &rule.source) {
            (Some((missing, key)), _, _) if *missing == code => key.clone(),
            (_, Some(Column::Keyword(c) | Column::Ip(c)), _) => {
                Key::Text(c.term(code as u32).as_ref().into())
            }
            (_, Some(Column::Double(_)), _) => Key::Double(Float(f64::from_bits(code as u64))),
            (_, None, Source::IndexName(name)) => Key::Text(name.as_str().into()),
            _ => Key::Long(code),
        },
        RuleKind::Number { .. } => Key::Double(Float(f64::from_bits(code as u64))),
        _ => Key::Long(code),
    }
}

fn key_info(rule: &Rule<'_>) -> KeyInfo {
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
