//! Aggregations: parsed, collected per index, merged over indices, reduced and rendered.
//!
//! Order of use: `parse_aggs` once per request; an `IndexCollector` per index, fed its segments;
//! `merge` the partials; `render` once. Invariants: partials are exact (no shard truncates its
//! buckets), so `doc_count_error_upper_bound` is 0; the answer has at most 65,535 buckets; an
//! aggregation or option that is not supported is an error that names it.
//! Not here: which rows match (`query`), how hits look (`search`).

mod buckets;
mod collect;
mod composite;
mod ip_range;
mod key;
mod metrics;
mod moving;
mod parse;
mod parse_buckets;
mod parse_metrics;
mod parse_pipelines;
mod partial;
mod pipeline;
mod reduce;
mod reduce_buckets;
mod render;
mod rules;
mod script;
mod sketch;
mod spec;
mod values;

pub use collect::{AggContext, IndexCollector};
pub use parse::parse_aggs;
pub use partial::{Partial, empty, merge};
pub(crate) use spec::AggKind;
pub use spec::AggSpec;

use serde_json::Value;

use crate::error::EsError;

/// `search.max_buckets`.
pub const MAX_BUCKETS: usize = 65_535;

/// Reduces merged partials and writes them as JSON.
pub fn render(
    specs: &[AggSpec],
    partials: Vec<Partial>,
    typed_keys: bool,
    now_ms: i64,
) -> Result<Value, EsError> {
    let mut budget = reduce::Budget::new(MAX_BUCKETS, now_ms);
    let results = reduce::reduce_all(specs, partials, &mut budget)?;
    render::render_all(specs, &results, typed_keys)
}
