//! A search: the request body, rows of several indices in one order, hits and aggregations.
//!
//! Use: `SearchRequest::parse` the body, then `search` it over `IndexView`s; the answer is the JSON
//! body without `took`. Invariants: anything in a request that is not supported is an error that
//! names it; unknown top-level keys are parsing errors; nothing here reads a clock.
//! Not here: which indices a name stands for (`wildcard`), scroll and point-in-time contexts.

mod collapse;
mod execute;
mod fetch;
pub(crate) mod fields;
mod filter_path;
mod highlight;
mod named;
mod request;
mod sort;
mod sort_shown;
mod source_filter;

pub use execute::{IndexView, RenderOptions, count, matching_rows, search};
pub use filter_path::filter_path;
pub use request::{SearchRequest, TrackTotal, UrlParams};
pub use sort::{SortKey, SortOrder, SortSpec, SortValue};
pub use source_filter::SourceFilter;

pub(crate) use fetch::{HitOptions, Rendered, render_hit};
pub(crate) use highlight::Highlights;
pub(crate) use request::asks_for_highlight;
pub(crate) use sort::{SortColumns, compare_keys, no_fielddata, parse_sort};
pub(crate) use sort_shown::{render_sort, shortest};

#[cfg(test)]
mod tests;
