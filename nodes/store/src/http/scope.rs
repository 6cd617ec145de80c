//! What a search sees of an index: all live rows, or those that the filters of aliases let through.
//!
//! Invariants: rows outside the scope are as good as deleted for everything that reads through it, also for aggregations that
//! ignore the query; a filter is evaluated once, when the scope is made, so that pages of one context agree.
//! Not here: which filters apply (`catalog::resolve`).

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};
use wharf_store_core::columns::{Column, Row, RowMeta, RowSet, Segment, SegmentError, TextStats};
use wharf_store_core::error::EsResult;
use wharf_store_core::query::{Schema, parse_query};
use wharf_store_core::search::{IndexView, matching_rows};

/// Rows of a segment that count.
struct Scoped {
    inner: Arc<dyn Segment>,
    live: RowSet,
}

impl Segment for Scoped {
    fn rows(&self) -> u32 {
        self.inner.rows()
    }

    fn live(&self) -> Cow<'_, RowSet> {
        Cow::Borrowed(&self.live)
    }

    fn column(&self, path: &str) -> Option<Column> {
        self.inner.column(path)
    }

    fn term_rows(&self, path: &str, term: &str) -> Option<RowSet> {
        self.inner.term_rows(path, term)
    }

    fn maybe_term_rows(&self, path: &str, term: &str) -> Option<RowSet> {
        self.inner.maybe_term_rows(path, term)
    }

    fn text_rows(&self, path: &str) -> Option<RowSet> {
        self.inner.text_rows(path)
    }

    fn text_stats(&self, path: &str) -> Option<TextStats> {
        self.inner.text_stats(path)
    }

    fn source(&self, row: Row) -> Result<Cow<'_, [u8]>, SegmentError> {
        self.inner.source(row)
    }

    fn sources(
        &self,
        rows: &RowSet,
        visit: &mut dyn FnMut(Row, &[u8]) -> bool,
    ) -> Result<(), SegmentError> {
        self.inner.sources(rows, visit)
    }

    fn meta(&self, row: Row) -> Result<RowMeta<'_>, SegmentError> {
        self.inner.meta(row)
    }

    fn row_of_id(&self, id: &str) -> Result<Option<Row>, SegmentError> {
        self.inner.row_of_id(id)
    }
}

/// The segments of an index as seen through filters of which a document must match one; `None`: all of them.
pub(super) fn through(
    name: &str,
    schema: &dyn Schema,
    segments: Vec<Arc<dyn Segment>>,
    filters: Option<&[Value]>,
    now_ms: i64,
) -> EsResult<Vec<Arc<dyn Segment>>> {
    let Some(filters) = filters else {
        return Ok(segments);
    };
    let query = parse_query(&json!({"bool": {"should": filters, "minimum_should_match": 1}}))?;
    let view = IndexView {
        name,
        schema,
        segments: &segments,
    };
    let seen = matching_rows(&query, view, now_ms)?;
    let scoped = segments.iter().zip(seen).map(|(inner, live)| {
        let inner = Arc::clone(inner);
        Arc::new(Scoped { inner, live }) as Arc<dyn Segment>
    });
    Ok(scoped.collect())
}
