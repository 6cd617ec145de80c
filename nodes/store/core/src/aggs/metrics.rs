//! Collectors that make numbers, and those that show documents.
//!
//! Invariants: state per bucket is made when the bucket is met; hits are rendered only for rows
//! that can still be shown. Not here: rendering (`render.rs`).

use serde_json::{Value, json};

use super::collect::{AggContext, Node};
use super::partial::{Partial, Shown, Sums, TopHit, TopMetric};
use super::sketch::{Distinct, Quantiles, hash_number, hash_text};
use super::spec::{AggKind, AggSpec, MetricOp, MetricSpec, TopHitsSpec};
use super::values::{Pair, Scratch, Source, absent_rows, each, each_number, missing_number};
use crate::columns::{Column, Segment};
use crate::error::EsError;
use crate::query::FieldKind;
use crate::search::fields::{FieldRequest, column_values};
use crate::search::{
    HitOptions, Rendered, SortColumns, SortKey, SortSpec, SortValue, compare_keys, render_hit,
    shortest,
};

enum State {
    Sums(Vec<Sums>, bool),
    Counts(Vec<u64>),
    Distinct(Vec<Distinct>),
    Quantiles(Vec<Quantiles>),
}

/// A collector of one metric.
pub(super) struct MetricCollector {
    source: Source,
    column: Option<Column>,
    missing: Option<f64>,
    missing_any: Option<Value>,
    state: State,
    scratch: Scratch,
    /// Hashes of the dictionary's terms, made when first needed.
    hashes: Vec<u64>,
}

impl MetricCollector {
    pub(super) fn new(
        spec: &MetricSpec,
        context: AggContext<'_>,
        segment: &dyn Segment,
    ) -> Result<Self, EsError> {
        let (schema, index) = (context.schema, context.index);
        let any = matches!(spec.op, MetricOp::ValueCount | MetricOp::Cardinality);
        let source = if any {
            Source::for_buckets(&spec.field, schema, index)?
        } else {
            let name = super::render::metric_name(&spec.op);
            Source::for_numbers(&spec.field, schema, index, name)?
        };
        let state = match spec.op {
            MetricOp::ValueCount => State::Counts(Vec::new()),
            MetricOp::Cardinality => State::Distinct(Vec::new()),
            MetricOp::Percentiles(..) | MetricOp::PercentileRanks(..) => {
                State::Quantiles(Vec::new())
            }
            MetricOp::ExtendedStats(_) => State::Sums(Vec::new(), true),
            _ => State::Sums(Vec::new(), false),
        };
        let missing = if any {
            None
        } else {
            missing_number(spec, &source)?
        };
        Ok(Self {
            column: source.column(segment),
            source,
            missing,
            missing_any: spec.missing.clone().filter(|_| any),
            state,
            scratch: Scratch::default(),
            hashes: Vec::new(),
        })
    }
}

fn slot<T: Default + Clone>(list: &mut Vec<T>, bucket: u32) -> &mut T {
    let at = bucket as usize;
    if at >= list.len() {
        list.resize_with(at + 1, T::default);
    }
    &mut list[at]
}

impl Node for MetricCollector {
    fn collect(&mut self, pairs: &[Pair]) -> Result<(), EsError> {
        let column = self.column.as_ref();
        let scratch = &mut self.scratch;
        match &mut self.state {
            State::Sums(list, squares) => {
                let squares = *squares;
                each_number(column, self.missing, pairs, scratch, |pair, value| {
                    let sums = slot(list, pair.1);
                    sums.add(value);
                    if squares {
                        sums.add_square(value);
                    }
                });
            }
            State::Quantiles(list) => {
                each_number(column, self.missing, pairs, scratch, |pair, value| {
                    slot(list, pair.1).add(value);
                });
            }
            State::Counts(list) => {
                match column {
                    Some(Column::Keyword(c) | Column::Ip(c)) => {
                        each(c.ords(), u32::MAX, pairs, &mut scratch.ords, |pair, _| {
                            *slot(list, pair.1) += 1;
                        });
                    }
                    Some(_) => each_number(column, None, pairs, scratch, |pair, _| {
                        *slot(list, pair.1) += 1;
                    }),
                    None if matches!(self.source, Source::IndexName(_)) => {
                        for pair in pairs {
                            *slot(list, pair.1) += 1;
                        }
                    }
                    None => {}
                }
                if self.missing_any.is_some() && !matches!(self.source, Source::IndexName(_)) {
                    for pair in absent_rows(column, pairs) {
                        *slot(list, pair.1) += 1;
                    }
                }
            }
            State::Distinct(list) => {
                match column {
                    Some(Column::Keyword(c) | Column::Ip(c)) => {
                        if self.hashes.is_empty() {
                            self.hashes = vec![0; c.ord_count() as usize];
                            c.each_term(&mut |ord, term| {
                                self.hashes[ord as usize] = hash_text(term);
                            });
                        }
                        let hashes = &self.hashes;
                        let mut last = (u32::MAX, u32::MAX);
                        each(c.ords(), u32::MAX, pairs, &mut scratch.ords, |pair, ord| {
                            if last != (pair.1, ord) {
                                last = (pair.1, ord);
                                slot(list, pair.1).add(hashes[ord as usize]);
                            }
                        });
                    }
                    Some(Column::Double(c)) => {
                        each(
                            c.as_ref(),
                            f64::NAN,
                            pairs,
                            &mut scratch.doubles,
                            |pair, value| {
                                slot(list, pair.1).add(hash_number((value + 0.0).to_bits()));
                            },
                        );
                    }
                    Some(Column::Long(c) | Column::Bool(c) | Column::Date(c)) => {
                        each(
                            c.as_ref(),
                            i64::MIN,
                            pairs,
                            &mut scratch.longs,
                            |pair, value| {
                                slot(list, pair.1).add(hash_number(value as u64));
                            },
                        );
                    }
                    None => {
                        if let Source::IndexName(name) = &self.source {
                            for pair in pairs {
                                slot(list, pair.1).add(hash_text(name));
                            }
                        }
                    }
                }
                if let Some(value) = &self.missing_any
                    && !matches!(self.source, Source::IndexName(_))
                {
                    let hash = match (self.source.kind(), value) {
                        (Some(FieldKind::Double), value) => {
                            hash_number((value.as_f64().unwrap_or(0.0) + 0.0).to_bits())
                        }
                        (Some(kind), value) if kind.is_numeric() => {
                            hash_number(super::values::number_for(value, None)? as i64 as u64)
                        }
                        (_, value) => {
                            let text = crate::query::params::scalar_text(value);
                            hash_text(&text.unwrap_or_default())
                        }
                    };
                    for pair in absent_rows(column, pairs) {
                        slot(list, pair.1).add(hash);
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>, parents: u32) -> Result<Vec<Partial>, EsError> {
        let format = match &self.source {
            Source::Field(info) => info.format.clone(),
            _ => None,
        };
        let shown = Shown {
            kind: self.source.kind(),
            format,
        };
        let size = parents as usize;
        Ok(match self.state {
            State::Sums(mut list, _) => {
                list.resize_with(size, Sums::default);
                list.into_iter()
                    .map(|sums| Partial::Sums(sums, shown.clone()))
                    .collect()
            }
            State::Counts(mut list) => {
                list.resize(size, 0);
                list.into_iter()
                    .map(|n| Partial::Sums(Sums::counted(n), shown.clone()))
                    .collect()
            }
            State::Distinct(mut list) => {
                list.resize_with(size, Distinct::default);
                list.into_iter().map(Partial::Distinct).collect()
            }
            State::Quantiles(mut list) => {
                list.resize_with(size, Quantiles::default);
                list.into_iter()
                    .map(|q| Partial::Quantiles(q, shown.clone()))
                    .collect()
            }
        })
    }
}

/// What is shown of the first documents.
enum Showing<'s> {
    Hits(&'s TopHitsSpec, Vec<FieldRequest>, Vec<FieldRequest>),
    Metrics(Vec<Source>),
}

/// Documents of one bucket: how many, and the first with their keys.
type Seen = (u64, Vec<(Vec<SortValue>, u32)>);

/// A collector of the first documents of an order.
pub(super) struct HitsCollector<'s> {
    showing: Showing<'s>,
    sort: &'s [SortSpec],
    limit: usize,
    columns: SortColumns,
    kinds: Vec<Option<FieldKind>>,
    /// Which keys are of fields that hold 32-bit fractions.
    short: Vec<bool>,
    best: Vec<Seen>,
    context: AggContext<'s>,
    segment: &'s dyn Segment,
}

impl<'s> HitsCollector<'s> {
    pub(super) fn new(
        spec: &'s AggSpec,
        context: AggContext<'s>,
        segment: &'s dyn Segment,
    ) -> Result<Self, EsError> {
        let (showing, sort, limit): (_, &[SortSpec], usize) = match &spec.kind {
            AggKind::TopMetrics(top) => {
                let sources = top
                    .metrics
                    .iter()
                    .map(|field| Source::for_buckets(field, context.schema, context.index))
                    .collect::<Result<Vec<_>, _>>()?;
                (Showing::Metrics(sources), &top.sort, top.size)
            }
            AggKind::TopHits(hits) => {
                let list = |owner, value: &Value| match value {
                    Value::Null => Ok(Vec::new()),
                    value => FieldRequest::parse_list(owner, value),
                };
                let fields = list("fields", &hits.fields)?;
                let docvalues = list("docvalue_fields", &hits.docvalue_fields)?;
                (
                    Showing::Hits(hits, fields, docvalues),
                    &hits.sort,
                    hits.from + hits.size,
                )
            }
            _ => return Err(EsError::internal("not an aggregation of documents")),
        };
        let infos: Vec<_> = sort
            .iter()
            .map(|spec| match &spec.key {
                SortKey::Field(name) => context.schema.field(name),
                _ => None,
            })
            .collect();
        let kinds = infos
            .iter()
            .map(|info| info.as_ref().map(|info| info.kind))
            .collect();
        let single = |name: &str| matches!(name, "float" | "half_float");
        let short = infos
            .iter()
            .map(|info| info.as_ref().is_some_and(|info| single(&info.type_name)))
            .collect();
        Ok(Self {
            columns: SortColumns::new(sort, context.schema, segment)?,
            showing,
            sort,
            limit,
            kinds,
            short,
            best: Vec::new(),
            context,
            segment,
        })
    }

    fn hit(
        &self,
        spec: &TopHitsSpec,
        fields: &[FieldRequest],
        docvalues: &[FieldRequest],
        row: u32,
    ) -> Result<Value, EsError> {
        let by_score = self.sort.is_empty() || self.sort.iter().any(|s| s.key == SortKey::Score);
        render_hit(
            self.context.index,
            self.context.schema,
            self.segment,
            row,
            HitOptions {
                source: &spec.source,
                fields,
                docvalue_fields: docvalues,
                version: spec.version,
                seq_no_primary_term: spec.seq_no_primary_term,
                no_stored_fields: false,
                highlights: None,
            },
            Rendered {
                score: by_score.then_some(1.0),
                sort: None,
            },
        )
    }
}

impl Node for HitsCollector<'_> {
    fn collect(&mut self, pairs: &[Pair]) -> Result<(), EsError> {
        for (row, bucket) in pairs {
            let at = *bucket as usize;
            if at >= self.best.len() {
                self.best.resize_with(at + 1, Default::default);
            }
            let keys = self.columns.keys(self.sort, *row, 1.0, i64::from(*row));
            let (total, best) = &mut self.best[at];
            *total += 1;
            let place = best.partition_point(|(other, _)| {
                compare_keys(self.sort, other, &keys) != std::cmp::Ordering::Greater
            });
            if place < self.limit {
                best.insert(place, (keys, *row));
                best.truncate(self.limit);
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, parents: u32) -> Result<Vec<Partial>, EsError> {
        let mut best = std::mem::take(&mut self.best);
        best.resize_with(parents as usize, Default::default);
        let mut out = Vec::with_capacity(best.len());
        for (total, rows) in best {
            out.push(match &self.showing {
                Showing::Hits(spec, fields, docvalues) => {
                    let mut hits = Vec::with_capacity(rows.len());
                    for (mut keys, row) in rows {
                        for (key, short) in keys.iter_mut().zip(&self.short) {
                            if let (SortValue::Double(number), true) = (key, short) {
                                *number = shortest(*number);
                            }
                        }
                        let hit = self.hit(spec, fields, docvalues, row)?;
                        hits.push(TopHit { keys, hit });
                    }
                    Partial::Hits(total, hits, self.kinds.clone())
                }
                Showing::Metrics(sources) => {
                    let mut list = Vec::with_capacity(rows.len());
                    for (keys, row) in rows {
                        let values = sources
                            .iter()
                            .map(|source| {
                                let format = match source {
                                    Source::Field(info) => info.format.as_deref().cloned(),
                                    _ => None,
                                };
                                let values = source.column(self.segment).map(|column| {
                                    column_values(&column, row, &format.unwrap_or_default())
                                });
                                values
                                    .and_then(|values| values.into_iter().next())
                                    .unwrap_or(json!(null))
                            })
                            .collect();
                        list.push(TopMetric { keys, values });
                    }
                    Partial::Metrics(list, self.kinds.clone())
                }
            });
        }
        Ok(out)
    }
}
