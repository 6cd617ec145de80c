//! Searches over segments in memory: answers computed by hand, and random ones checked against a
//! naive evaluation of the documents' JSON.
//! Not here: engines.

mod answers;
mod naive;
mod order;
mod segment;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{IndexView, RenderOptions, SearchRequest, UrlParams, search};
use crate::columns::Segment;
use crate::error::EsError;
use crate::mapping::{Mapping, MappingLimits};
use segment::MemorySegment;

/// 2026-11-28T16:00:00Z.
pub(crate) const NOW: i64 = 1_795_881_600_000;

/// An index in memory.
pub(crate) struct Index {
    name: String,
    mapping: Mapping,
    segments: Vec<Arc<dyn Segment>>,
}

impl Index {
    /// Documents spread over segments of `per_segment` rows.
    pub(crate) fn new(name: &str, mapping: &Value, docs: &[Value], per_segment: usize) -> Self {
        let mut mapping = Mapping::parse_body(mapping, MappingLimits::default()).unwrap();
        for doc in docs {
            let bytes = doc.to_string();
            if let (_, Some(grown)) = mapping.parse_growing("1", bytes.as_bytes()).unwrap() {
                mapping = grown;
            }
        }
        let mut segments: Vec<Arc<dyn Segment>> = Vec::new();
        for (at, chunk) in docs.chunks(per_segment.max(1)).enumerate() {
            let first = at * per_segment;
            // Every second segment has an index of terms, so that both ways are walked.
            segments.push(Arc::new(MemorySegment::new(
                &mapping,
                chunk,
                first,
                at % 2 == 1,
            )));
        }
        Self {
            name: name.to_owned(),
            mapping,
            segments,
        }
    }

    /// As a search sees it.
    pub(crate) fn view(&self) -> IndexView<'_> {
        IndexView {
            name: &self.name,
            schema: &self.mapping,
            segments: &self.segments,
        }
    }

    /// Runs a search.
    pub(crate) fn try_search(&self, body: &Value) -> Result<Value, EsError> {
        let request = SearchRequest::parse(body, &UrlParams::default())?;
        search(&request, &[self.view()], NOW, RenderOptions::default())
    }

    /// Runs a search that must succeed.
    pub(crate) fn search(&self, body: Value) -> Value {
        self.try_search(&body)
            .unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// Ids of the hits, in order.
    pub(crate) fn ids(&self, body: Value) -> Vec<String> {
        ids_of(&self.search(body))
    }

    /// The one aggregation `a` of a body without hits.
    pub(crate) fn agg(&self, agg: Value) -> Value {
        self.search(json!({"size": 0, "aggs": {"a": agg}}))["aggregations"]["a"].clone()
    }
}

/// Ids of the hits of an answer, in order.
pub(crate) fn ids_of(answer: &Value) -> Vec<String> {
    let hits = answer["hits"]["hits"].as_array().unwrap();
    hits.iter()
        .map(|hit| hit["_id"].as_str().unwrap().to_owned())
        .collect()
}
