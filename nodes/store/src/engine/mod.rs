//! The engine: rows of an index in memory and in sealed files, behind `wharf_store_core::columns::Segment`.
//!
//! Own column segments, no foreign index library: fresh rows are searched directly, so nothing is committed to
//! become visible. A write goes `shard` → `fresh` (columns, postings, source blocks) and `translog`; `maintain` turns
//! fresh rows into files (`layout`, `manifest`) and merges neighbours; `sealed` reads them through `cache`.
//! Not here: mappings, queries, aggregations (core); names, templates, settings (`metadata`).

mod build;
mod cache;
mod codec;
mod column;
mod fresh;
mod ids;
mod layout;
mod maintain;
mod manifest;
mod sealed;
mod shard;
mod source;
mod stats;
mod translog;

pub(crate) use cache::Cache;
pub(crate) use fresh::Rows;
pub(crate) use maintain::MaintainError;
pub(crate) use shard::{Applied, Condition, Fill, Shard, Views, Write, WriteError};
pub(crate) use stats::ShardStats;
pub(crate) use translog::read_record;

#[cfg(test)]
mod tests;
