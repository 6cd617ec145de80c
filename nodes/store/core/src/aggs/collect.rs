//! Collecting: rows of an index's segments go through a tree of collectors, a partial comes out.
//!
//! Rows go down in blocks as pairs of row and parent bucket; every collector gives its buckets
//! numbers and hands its rows on with them, so that one pass over a block serves all buckets.
//! Invariants: the tree is built anew for each segment (columns and dictionary numbers belong to
//! it); buckets of one collector are bounded. Not here: the collectors (`buckets.rs`,
//! `composite.rs`, `metrics.rs`), merging (`partial.rs`).

use super::buckets::BucketCollector;
use super::composite::CompositeCollector;
use super::metrics::{HitsCollector, MetricCollector};
use super::partial::{Partial, empty, merge};
use super::rules::Rule;
use super::spec::{AggKind, AggSpec};
use super::values::Pair;
use crate::columns::{RowSet, Segment};
use crate::error::EsError;
use crate::query::{CompileContext, Plan, Query, Schema, compile};

/// Rows that go down at once.
const BLOCK: usize = 4096;
/// Buckets one collector may make in one segment.
pub(super) const MAX_COLLECTED: usize = 4_000_000;

/// What stands around an aggregation of one index.
#[derive(Clone, Copy)]
pub struct AggContext<'a> {
    /// The index's fields.
    pub schema: &'a dyn Schema,
    /// The index's name.
    pub index: &'a str,
    /// The present.
    pub now_ms: i64,
}

impl AggContext<'_> {
    /// Resolves a query.
    pub(super) fn plan(&self, query: &Query) -> Result<Plan, EsError> {
        let context = CompileContext {
            schema: self.schema,
            index: self.index,
            now_ms: self.now_ms,
        };
        compile(query, context)
    }
}

/// Collects one index.
pub struct IndexCollector<'a> {
    specs: &'a [AggSpec],
    context: AggContext<'a>,
    sum: Vec<Partial>,
}

impl<'a> IndexCollector<'a> {
    /// Checks that the index's fields can be aggregated so.
    ///
    /// # Errors
    /// When a field's type does not fit, even in an index without documents.
    pub fn new(specs: &'a [AggSpec], context: AggContext<'a>) -> Result<Self, EsError> {
        check(specs, context)?;
        Ok(Self {
            specs,
            context,
            sum: empty(specs),
        })
    }

    /// Adds matching rows of a segment.
    pub fn collect(&mut self, segment: &dyn Segment, rows: &RowSet) -> Result<(), EsError> {
        let mut parts = Vec::with_capacity(self.sum.len());
        for spec in collected(self.specs) {
            let all;
            let rows = if matches!(spec.kind, AggKind::Global) {
                all = segment.live().into_owned();
                &all
            } else {
                rows
            };
            let mut node = build(spec, self.context, segment)?;
            let mut block: Vec<Pair> = Vec::with_capacity(BLOCK);
            for row in rows.iter() {
                block.push((row, 0));
                if block.len() == BLOCK {
                    node.collect(&block)?;
                    block.clear();
                }
            }
            if !block.is_empty() {
                node.collect(&block)?;
            }
            parts.push(
                node.finish(1)?
                    .pop()
                    .unwrap_or_else(|| super::partial::empty_one(spec)),
            );
        }
        let sum = std::mem::take(&mut self.sum);
        self.sum = merge(self.specs, sum, parts)?;
        Ok(())
    }

    /// What the index knows.
    pub fn finish(self) -> Result<Vec<Partial>, EsError> {
        Ok(self.sum)
    }
}

fn collected(specs: &[AggSpec]) -> impl Iterator<Item = &AggSpec> {
    specs
        .iter()
        .filter(|spec| !matches!(spec.kind, AggKind::Pipeline(_)))
}

/// One collector of a segment.
pub(super) trait Node {
    /// Takes a block of pairs, rows ascending.
    fn collect(&mut self, pairs: &[Pair]) -> Result<(), EsError>;

    /// The partial of each of the parent's `parents` buckets.
    fn finish(self: Box<Self>, parents: u32) -> Result<Vec<Partial>, EsError>;
}

/// Builds the collector of an aggregation for a segment.
pub(super) fn build<'s>(
    spec: &'s AggSpec,
    context: AggContext<'s>,
    segment: &'s dyn Segment,
) -> Result<Box<dyn Node + 's>, EsError> {
    Ok(match &spec.kind {
        AggKind::Metric(metric) => Box::new(MetricCollector::new(metric, context, segment)?),
        AggKind::TopHits(_) | AggKind::TopMetrics(_) => {
            Box::new(HitsCollector::new(spec, context, segment)?)
        }
        AggKind::Composite(composite) => {
            let subs = build_subs(spec, context, segment)?;
            Box::new(CompositeCollector::new(composite, context, segment, subs)?)
        }
        _ => {
            let rule = Rule::new(spec, context, segment)?;
            Box::new(BucketCollector::new(
                rule,
                build_subs(spec, context, segment)?,
            ))
        }
    })
}

fn build_subs<'s>(
    spec: &'s AggSpec,
    context: AggContext<'s>,
    segment: &'s dyn Segment,
) -> Result<Vec<Box<dyn Node + 's>>, EsError> {
    spec.collected_subs()
        .map(|sub| build(sub, context, segment))
        .collect()
}

/// Looks every field up once, so that a wrong one fails before any row is read.
fn check(specs: &[AggSpec], context: AggContext<'_>) -> Result<(), EsError> {
    for spec in specs {
        super::rules::check(spec, context)?;
        check(&spec.subs, context)?;
    }
    Ok(())
}

/// Turns partials of each sub-aggregation for all buckets into the subs of each bucket.
pub(super) fn finish_subs(
    subs: Vec<Box<dyn Node + '_>>,
    buckets: u32,
) -> Result<Vec<Vec<Partial>>, EsError> {
    let mut out: Vec<Vec<Partial>> = (0..buckets)
        .map(|_| Vec::with_capacity(subs.len()))
        .collect();
    for sub in subs {
        for (slot, partial) in out.iter_mut().zip(sub.finish(buckets)?) {
            slot.push(partial);
        }
    }
    Ok(out)
}
