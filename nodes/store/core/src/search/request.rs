//! The body of a search and the parameters of its URL.
//!
//! Invariants: every key is read or refused; what would change the answer and is not supported is
//! an error; `from + size` is limited. Not here: queries and aggregations themselves.

use serde_json::Value;

use super::collapse;
use super::fields::FieldRequest;
use super::highlight::Highlight;
use super::named;
use super::sort::{SortKey, SortSpec, parse_sort};
use super::source_filter::SourceFilter;
use crate::aggs::{AggSpec, parse_aggs};
use crate::error::EsError;
use crate::query::ast::Operator;
use crate::query::params::{Params, scalar_text, token_name};
use crate::query::{Query, SyntaxOptions, parse_query, parse_syntax};

/// `index.max_result_window`.
pub(crate) const MAX_WINDOW: usize = 10_000;

/// How exactly matches are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackTotal {
    /// Exactly.
    Exact,
    /// Exactly up to so many.
    UpTo(u64),
    /// Not shown.
    Off,
}

/// Parameters of the URL that are about the search itself.
#[derive(Clone, Debug, Default)]
pub struct UrlParams {
    /// `q`.
    pub q: Option<String>,
    /// `df`.
    pub default_field: Option<String>,
    /// `default_operator`.
    pub default_operator: Option<String>,
    /// `lenient`.
    pub lenient: Option<bool>,
    /// `size`.
    pub size: Option<String>,
    /// `from`.
    pub from: Option<String>,
    /// `sort`.
    pub sort: Option<String>,
    /// `_source`.
    pub source: Option<String>,
    /// `_source_includes`.
    pub source_includes: Option<String>,
    /// `_source_excludes`.
    pub source_excludes: Option<String>,
    /// `track_total_hits`.
    pub track_total_hits: Option<String>,
    /// `docvalue_fields`.
    pub docvalue_fields: Option<String>,
    /// `stored_fields`.
    pub stored_fields: Option<String>,
    /// `version`.
    pub version: Option<bool>,
    /// `seq_no_primary_term`.
    pub seq_no_primary_term: Option<bool>,
    /// `terminate_after`.
    pub terminate_after: Option<u64>,
}

/// A search as it was asked for.
#[derive(Clone, Debug)]
pub struct SearchRequest {
    /// What matches.
    pub query: Query,
    /// What matches among the hits, but not for aggregations.
    pub post_filter: Option<Query>,
    /// Hits with a lower score are left out.
    pub min_score: Option<f32>,
    /// Aggregations.
    pub aggs: Vec<AggSpec>,
    /// Hits that are skipped.
    pub from: usize,
    /// Hits that are shown.
    pub size: usize,
    /// Order of the hits; empty means relevance.
    pub sort: Vec<SortSpec>,
    /// Keys of the hit after which to go on.
    pub search_after: Option<Vec<Value>>,
    /// What of the source is shown.
    pub source: SourceFilter,
    /// Whether the request said so about the source.
    pub source_given: bool,
    /// Values shown beside the source, as they were sent.
    pub fields: Vec<FieldRequest>,
    /// Values shown from columns.
    pub docvalue_fields: Vec<FieldRequest>,
    /// What is marked in texts.
    pub(crate) highlight: Highlight,
    /// Of hits with one value of this field only the first is shown.
    pub collapse: Option<String>,
    /// Queries with names, which are told of the hits that match them.
    pub named: Vec<(String, Query)>,
    /// How matches are counted.
    pub track_total: TrackTotal,
    /// Scores are computed even when the order is another.
    pub track_scores: bool,
    /// `_version` is shown.
    pub version: bool,
    /// `_seq_no` and `_primary_term` are shown.
    pub seq_no_primary_term: bool,
    /// Neither source nor metadata is shown (`stored_fields: _none_`).
    pub no_stored_fields: bool,
    /// Stop counting after so many rows of an index.
    pub terminate_after: Option<u64>,
    /// Point in time, as sent.
    pub pit: Option<Value>,
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            query: Query::MatchAll { boost: 1.0 },
            post_filter: None,
            min_score: None,
            aggs: Vec::new(),
            from: 0,
            size: 10,
            sort: Vec::new(),
            search_after: None,
            source: SourceFilter::default(),
            source_given: false,
            fields: Vec::new(),
            docvalue_fields: Vec::new(),
            highlight: Highlight::default(),
            collapse: None,
            named: Vec::new(),
            track_total: TrackTotal::UpTo(10_000),
            track_scores: false,
            version: false,
            seq_no_primary_term: false,
            no_stored_fields: false,
            terminate_after: None,
            pit: None,
        }
    }
}

impl SearchRequest {
    /// Reads a body (null for none) and the URL's parameters, which win.
    pub fn parse(body: &Value, url: &UrlParams) -> Result<Self, EsError> {
        let mut request = Self::default();
        if !body.is_null() {
            request.read_body(body)?;
        }
        request.read_url(url)?;
        request.check()?;
        Ok(request)
    }

    fn read_body(&mut self, body: &Value) -> Result<(), EsError> {
        let mut p = Params::new("search", body)?;
        if let Some(value) = p.take("query") {
            self.query = parse_query(value)?;
            self.named = named::collect(value)?;
        }
        if let Some(value) = p.take("post_filter") {
            self.post_filter = Some(parse_query(value)?);
            self.named.extend(named::collect(value)?);
        }
        self.min_score = p.number("min_score")?.map(|n| n as f32);
        let aggs = p.take("aggs");
        if let Some(value) = p.take("aggregations").or(aggs) {
            self.aggs = parse_aggs(value)?;
        }
        if let Some(from) = p.size("from")? {
            self.from = from;
        }
        if let Some(size) = p.size("size")? {
            self.size = size;
        }
        if let Some(value) = p.take("sort") {
            self.sort = parse_sort(value)?;
        }
        if let Some(value) = p.take("search_after") {
            let Value::Array(values) = value else {
                return Err(EsError::parsing("Expected [START_ARRAY] in [search_after]"));
            };
            self.search_after = Some(values.clone());
        }
        if let Some(value) = p.take("_source") {
            self.source = SourceFilter::parse(value)?;
            self.source_given = true;
        }
        if let Some(value) = p.take("fields") {
            self.fields = FieldRequest::parse_list("fields", value)?;
        }
        if let Some(value) = p.take("docvalue_fields") {
            self.docvalue_fields = FieldRequest::parse_list("docvalue_fields", value)?;
        }
        if let Some(value) = p.take("track_total_hits") {
            self.track_total = track_total(value)?;
        }
        self.track_scores = p.boolean("track_scores")?.unwrap_or(false);
        self.version = p.boolean("version")?.unwrap_or(false);
        self.seq_no_primary_term = p.boolean("seq_no_primary_term")?.unwrap_or(false);
        self.terminate_after = p
            .size("terminate_after")?
            .map(|n| n as u64)
            .filter(|n| *n > 0);
        self.pit = p.take("pit").cloned();
        if let Some(value) = p.take("stored_fields") {
            let names: Vec<String> = match value {
                Value::Array(items) => items.iter().filter_map(scalar_text).collect(),
                other => scalar_text(other).into_iter().collect(),
            };
            self.read_stored(&names)?;
        }
        for name in [
            "script_fields",
            "runtime_mappings",
            "indices_boost",
            "stats",
            "ext",
        ] {
            let empty = |value: &Value| {
                value.as_object().is_some_and(serde_json::Map::is_empty)
                    || value.as_array().is_some_and(Vec::is_empty)
            };
            if let Some(value) = p.take(name)
                && !empty(value)
                && name != "stats"
            {
                return Err(EsError::unsupported(format!("search {name}")));
            }
        }
        if let Some(value) = p.take("highlight") {
            self.highlight = Highlight::parse(value)?;
        }
        // How long to search at most is a hint; every search is bounded by what it may hold.
        if let Some(timeout) = p.string("timeout")?
            && !is_time(&timeout)
        {
            return Err(EsError::illegal_argument(format!(
                "failed to parse setting [timeout] with value [{}] as a time value: unit is missing or unrecognized",
                timeout.chars().take(100).collect::<String>()
            )));
        }
        if p.boolean("profile")?.unwrap_or(false) {
            return Err(EsError::unsupported("search profile"));
        }
        if p.boolean("explain")?.unwrap_or(false) {
            return Err(EsError::unsupported("search explain"));
        }
        if let Some(value) = p.take("collapse") {
            self.collapse = Some(collapse::parse(value)?);
        }
        for name in ["rescore", "suggest", "slice", "knn", "rank", "retriever"] {
            if p.take(name).is_some() {
                return Err(EsError::unsupported(format!("search {name}")));
            }
        }
        match p.rest().first() {
            None => Ok(()),
            Some((key, value)) => Err(EsError::parsing(format!(
                "Unknown key for a {} in [{key}].",
                token_name(value)
            ))),
        }
    }

    fn read_url(&mut self, url: &UrlParams) -> Result<(), EsError> {
        let number = |name: &str, text: &str| {
            text.parse::<usize>().map_err(|_| {
                EsError::illegal_argument(format!(
                    "Failed to parse int parameter [{name}] with value [{text}]"
                ))
            })
        };
        if let Some(q) = &url.q {
            let mut options = SyntaxOptions {
                leading_wildcard: true,
                lenient: url.lenient.unwrap_or(url.default_field.is_none()),
                ..SyntaxOptions::default()
            };
            if let Some(field) = &url.default_field {
                options.fields = vec![crate::query::ast::FieldSpec {
                    pattern: field.clone(),
                    boost: 1.0,
                }];
            }
            if url
                .default_operator
                .as_deref()
                .is_some_and(|o| o.eq_ignore_ascii_case("and"))
            {
                options.operator = Operator::And;
            }
            self.query = parse_syntax(q, &options)?;
        }
        if let Some(size) = &url.size {
            self.size = number("size", size)?;
        }
        if let Some(from) = &url.from {
            self.from = number("from", from)?;
        }
        if let Some(sort) = &url.sort {
            let keys = sort
                .split(',')
                .map(|key| Value::String(key.to_owned()))
                .collect();
            self.sort = parse_sort(&Value::Array(keys))?;
        }
        let split = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        if let Some(source) = &url.source {
            self.source = match source.as_str() {
                "true" => SourceFilter::default(),
                "false" => SourceFilter {
                    disabled: true,
                    ..SourceFilter::default()
                },
                names => SourceFilter {
                    includes: split(names),
                    ..SourceFilter::default()
                },
            };
            self.source_given = true;
        }
        if let Some(names) = &url.source_includes {
            self.source.includes = split(names);
            self.source_given = true;
        }
        if let Some(names) = &url.source_excludes {
            self.source.excludes = split(names);
            self.source_given = true;
        }
        if let Some(names) = &url.stored_fields {
            self.read_stored(&split(names))?;
        }
        if let Some(text) = &url.track_total_hits {
            self.track_total = track_total(&Value::String(text.clone()))?;
        }
        if let Some(names) = &url.docvalue_fields {
            let names = split(names).into_iter().map(Value::String).collect();
            self.docvalue_fields =
                FieldRequest::parse_list("docvalue_fields", &Value::Array(names))?;
        }
        self.version = url.version.unwrap_or(self.version);
        self.seq_no_primary_term = url.seq_no_primary_term.unwrap_or(self.seq_no_primary_term);
        self.terminate_after = url
            .terminate_after
            .filter(|n| *n > 0)
            .or(self.terminate_after);
        Ok(())
    }

    /// No field is stored beside the source, so names give nothing; without its own name the source is not shown then.
    fn read_stored(&mut self, names: &[String]) -> Result<(), EsError> {
        if names.iter().any(|name| name == "_none_") {
            if names.len() > 1 {
                return Err(EsError::illegal_argument(
                    "cannot combine _none_ with other fields",
                ));
            }
            self.no_stored_fields = true;
        } else if !names.iter().any(|name| name == "_source" || name == "*") {
            self.source.disabled |= !self.source_given;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), EsError> {
        self.source.check()?;
        let window = self.from.saturating_add(self.size);
        if window > MAX_WINDOW {
            return Err(EsError::illegal_argument(format!(
                "Result window is too large, from + size must be less than or equal to: [{MAX_WINDOW}] but was [{window}]. See the scroll api for a more efficient way to request large data sets. This limit can be set by changing the [index.max_result_window] index level setting."
            )));
        }
        if self.collapse.is_some() && self.search_after.is_some() {
            return Err(EsError::unsupported("search collapse with search_after"));
        }
        if let Some(after) = &self.search_after {
            if self.sort.is_empty() {
                return Err(EsError::illegal_argument(
                    "Sort must contain at least one field.",
                ));
            }
            if self.from > 0 {
                return Err(EsError::action_request_validation(
                    "Validation Failed: 1: `from` parameter must be set to 0 when `search_after` is used;",
                ));
            }
            if after.is_empty() {
                return Err(EsError::illegal_argument(
                    "Values must contains at least one value.",
                ));
            }
        }
        Ok(())
    }

    /// Whether scores must be computed.
    pub fn needs_scores(&self) -> bool {
        self.track_scores
            || self.min_score.is_some()
            || self.size > 0 && self.sort.is_empty()
            || self.sort.iter().any(|spec| spec.key == SortKey::Score)
    }
}

/// Whether a `highlight` wants anything marked: one without fields does not.
pub(crate) fn asks_for_highlight(value: &Value) -> bool {
    let empty = |value: &Value| {
        value.is_null()
            || value.as_object().is_some_and(serde_json::Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty)
    };
    !empty(value) && !value.get("fields").is_some_and(empty)
}

/// `30s`, `500ms`, `-1`.
fn is_time(text: &str) -> bool {
    let digits = text.trim().bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.trim().split_at(digits);
    match unit {
        "-1" => number.is_empty(),
        "" => number == "0",
        "nanos" | "micros" | "ms" | "s" | "m" | "h" | "d" => !number.is_empty(),
        _ => false,
    }
}

fn track_total(value: &Value) -> Result<TrackTotal, EsError> {
    match value {
        Value::Bool(true) => Ok(TrackTotal::Exact),
        Value::Bool(false) => Ok(TrackTotal::Off),
        Value::String(s) if s == "true" => Ok(TrackTotal::Exact),
        Value::String(s) if s == "false" => Ok(TrackTotal::Off),
        Value::String(s) if s.parse::<i64>().is_err() => Err(EsError::new(
            400,
            "number_format_exception",
            format!(
                "For input string: \"{}\"",
                s.chars().take(100).collect::<String>()
            ),
        )),
        other => {
            let number = other
                .as_i64()
                .or_else(|| other.as_str().and_then(|s| s.parse().ok()));
            match number {
                Some(-1) => Ok(TrackTotal::Exact),
                Some(n) if n >= 0 => Ok(TrackTotal::UpTo(n as u64)),
                _ => Err(EsError::illegal_argument(format!(
                    "[track_total_hits] parameter must be positive or equals to -1, got {other}"
                ))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_is_unknown_or_unsupported_is_named() {
        let refuse = |body: Value| SearchRequest::parse(&body, &UrlParams::default()).unwrap_err();
        assert_eq!(
            refuse(json!({"foo": 1})).reason(),
            "Unknown key for a VALUE_NUMBER in [foo]."
        );
        assert!(
            refuse(json!({"slice": {"id": 0, "max": 2}}))
                .reason()
                .contains("slice")
        );
        assert!(refuse(json!({"size": 10001})).reason().contains("[10001]"));
        assert!(refuse(json!({"size": -1})).reason().contains("[size]"));
        assert!(
            refuse(json!({"query": {"more_like_this": {}}}))
                .reason()
                .contains("more_like_this")
        );
    }

    #[test]
    fn the_url_wins() {
        let url = UrlParams {
            size: Some("3".into()),
            q: Some("a:b".into()),
            sort: Some("t:desc".into()),
            ..UrlParams::default()
        };
        let request = SearchRequest::parse(&json!({"size": 5}), &url).unwrap();
        assert_eq!(request.size, 3);
        assert_eq!(request.sort.len(), 1);
        assert!(matches!(request.query, Query::Match { .. }));
    }

    proptest! {
        #[test]
        fn any_text_as_q_gives_an_answer(q in "\\PC{0,80}") {
            let url = UrlParams { q: Some(q), ..UrlParams::default() };
            let _ = SearchRequest::parse(&Value::Null, &url);
        }

        #[test]
        fn any_syntax_as_q_gives_an_answer(q in "[a-c:*?()\"\\[\\]{}+\\-!&|^~\\\\/ >=TOANDRN0-9]{0,60}") {
            let url = UrlParams { q: Some(q), ..UrlParams::default() };
            let _ = SearchRequest::parse(&Value::Null, &url);
        }
    }
}
