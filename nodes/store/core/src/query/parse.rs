//! Query DSL: JSON to `Query`.
//!
//! Invariants: depth and number of clauses are limited; a query type or option this store does not
//! know is an error that names it. Not here: full-text queries (`parse_text.rs`), Lucene syntax
//! (`query_string.rs`), anything that needs a mapping (`compile.rs`).

use serde_json::{Map, Value};

use super::ast::{BoolQuery, Edits, MinimumShould, Query, RangeBounds};
use super::params::{Params, number_of, scalar_text, token_name};
use super::parse_text;
use super::refuse;
use crate::error::EsError;

/// Queries may nest this deep.
pub(crate) const MAX_DEPTH: usize = 30;
/// Clauses in one request, as Lucene's `max_clause_count` by default.
pub(crate) const MAX_CLAUSES: usize = 1024;
/// Values in one `terms` query, as `index.max_terms_count` by default.
pub(crate) const MAX_TERMS: usize = 65_536;
/// Length of a regular expression, as `index.max_regex_length` by default.
pub(crate) const MAX_REGEX: usize = 1000;

/// Parses the value of `query`.
pub fn parse_query(value: &Value) -> Result<Query, EsError> {
    let mut clauses = 0;
    parse_clause(value, 0, &mut clauses)
}

fn parse_clause(value: &Value, depth: usize, clauses: &mut usize) -> Result<Query, EsError> {
    if depth > MAX_DEPTH {
        return Err(EsError::illegal_argument(format!(
            "The nested depth of the query exceeds the maximum nested depth for queries set in [indices.query.max_nested_depth]: [{MAX_DEPTH}]"
        )));
    }
    *clauses += 1;
    if *clauses > MAX_CLAUSES {
        return Err(refuse::too_many_clauses());
    }
    let Value::Object(map) = value else {
        return Err(EsError::parsing(format!(
            "[_na] query malformed, must start with start_object but found {}",
            token_name(value)
        )));
    };
    let mut members = map.iter();
    let Some((name, body)) = members.next() else {
        return Err(EsError::illegal_argument(
            "query malformed, empty clause found".to_owned(),
        ));
    };
    if let Some((second, _)) = members.next() {
        return Err(EsError::parsing(format!(
            "[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME] {second}"
        )));
    }
    if !body.is_object() {
        return Err(EsError::parsing(format!(
            "[{name}] query malformed, no start_object after query name"
        )));
    }
    match name.as_str() {
        "match_all" => {
            let mut p = Params::new("match_all", body)?;
            let boost = p.boost()?;
            p.finish()?;
            Ok(Query::MatchAll { boost })
        }
        "match_none" => {
            let mut p = Params::new("match_none", body)?;
            p.boost()?;
            p.finish()?;
            Ok(Query::MatchNone)
        }
        "bool" => parse_bool(body, depth, clauses),
        "constant_score" => {
            let mut p = Params::new("constant_score", body)?;
            let boost = p.boost()?;
            let filter = p.take("filter").ok_or_else(|| {
                EsError::parsing("[constant_score] requires a 'filter' element".to_owned())
            })?;
            let inner = Box::new(parse_clause(filter, depth + 1, clauses)?);
            p.finish()?;
            Ok(Query::ConstantScore { inner, boost })
        }
        "dis_max" => {
            let mut p = Params::new("dis_max", body)?;
            let boost = p.boost()?;
            let tie_breaker = p.number("tie_breaker")?.unwrap_or(0.0) as f32;
            let queries = clause_list(p.require("queries")?, depth, clauses)?;
            p.finish()?;
            Ok(Query::DisMax {
                queries,
                tie_breaker,
                boost,
            })
        }
        "term" => parse_term(body),
        "terms" => parse_terms(body),
        "range" => parse_range(body),
        "exists" => {
            let mut p = Params::new("exists", body)?;
            let boost = p.boost()?;
            let field = p.need_string("field")?;
            p.finish()?;
            Ok(Query::Exists { field, boost })
        }
        "prefix" => {
            let (field, value, options) = field_value("prefix", body, &["value", "prefix"])?;
            let value = text_value("prefix", &value)?;
            Ok(Query::Prefix {
                field,
                value,
                case_insensitive: options.case_insensitive,
                boost: options.boost,
            })
        }
        "wildcard" => {
            let (field, value, options) = field_value("wildcard", body, &["value", "wildcard"])?;
            let pattern = text_value("wildcard", &value)?;
            Ok(Query::Wildcard {
                field,
                pattern,
                case_insensitive: options.case_insensitive,
                boost: options.boost,
            })
        }
        "regexp" => {
            let (field, value, options) = field_value("regexp", body, &["value"])?;
            let pattern = text_value("regexp", &value)?;
            limit_regex(&pattern)?;
            Ok(Query::Regexp {
                field,
                pattern,
                case_insensitive: options.case_insensitive,
                boost: options.boost,
            })
        }
        "fuzzy" => {
            let (field, value, options) = field_value("fuzzy", body, &["value"])?;
            let value = text_value("fuzzy", &value)?;
            Ok(Query::Fuzzy {
                field,
                value,
                distance: options.fuzziness,
                prefix_length: options.prefix_length,
                boost: options.boost,
            })
        }
        "ids" => {
            let mut p = Params::new("ids", body)?;
            let boost = p.boost()?;
            let values = match p.require("values")? {
                Value::Array(items) => items.iter().filter_map(scalar_text).collect(),
                other => scalar_text(other).into_iter().collect(),
            };
            p.finish()?;
            Ok(Query::Ids { values, boost })
        }
        "match" => parse_text::parse_match(body),
        "match_bool_prefix" => parse_text::parse_match_bool_prefix(body),
        "match_phrase" => parse_text::parse_match_phrase(body, false),
        "match_phrase_prefix" => parse_text::parse_match_phrase(body, true),
        "multi_match" => parse_text::parse_multi_match(body),
        "query_string" => parse_text::parse_query_string(body),
        "simple_query_string" => parse_text::parse_simple_query_string(body),
        other => Err(refuse::unknown("query", other)),
    }
}

fn clause_list(value: &Value, depth: usize, clauses: &mut usize) -> Result<Vec<Query>, EsError> {
    match value {
        Value::Array(items) => items
            .iter()
            .map(|item| parse_clause(item, depth + 1, clauses))
            .collect(),
        single => Ok(vec![parse_clause(single, depth + 1, clauses)?]),
    }
}

fn parse_bool(body: &Value, depth: usize, clauses: &mut usize) -> Result<Query, EsError> {
    let mut p = Params::object("bool", body)?;
    let mut query = BoolQuery {
        boost: p.boost()?,
        ..BoolQuery::default()
    };
    let mut list = |name: &'static str| match p.take(name) {
        None => Ok(Vec::new()),
        Some(value @ (Value::Object(_) | Value::Array(_))) => clause_list(value, depth, clauses)
            .map_err(|error| match error.kind() {
                // A clause that is not there at all is told of by the parser around it.
                "illegal_argument_exception" if error.reason().ends_with("empty clause found") => {
                    EsError::json_parse(format!("[bool] failed to parse field [{name}]"))
                        .caused_by(error)
                }
                _ => error,
            }),
        Some(other) => Err(EsError::json_parse(format!(
            "[bool] {name} doesn't support values of type: {}",
            token_name(other)
        ))),
    };
    query.must = list("must")?;
    query.filter = list("filter")?;
    query.should = list("should")?;
    query.must_not = list("must_not")?;
    if let Some(value) = p.take("minimum_should_match") {
        query.minimum_should_match = Some(parse_minimum(value)?);
    }
    p.take("adjust_pure_negative");
    p.finish()?;
    Ok(Query::Bool(Box::new(query)))
}

/// Parses `minimum_should_match`.
pub(crate) fn parse_minimum(value: &Value) -> Result<MinimumShould, EsError> {
    let wrong = || {
        EsError::illegal_argument(format!(
            "cannot parse [minimum_should_match] from [{value}]"
        ))
    };
    let text = scalar_text(value).ok_or_else(wrong)?;
    fn plain(text: &str) -> Option<MinimumShould> {
        match text.strip_suffix('%') {
            Some(share) => share
                .parse()
                .ok()
                .filter(|s: &f64| s.is_finite())
                .map(MinimumShould::Percent),
            None => text
                .parse::<i32>()
                .ok()
                .map(|count| MinimumShould::Count(i64::from(count))),
        }
    }
    if !text.contains('<') {
        return plain(text.trim()).ok_or_else(wrong);
    }
    let mut steps = Vec::new();
    for part in text.split_whitespace().take(32) {
        let (bound, rule) = part.split_once('<').ok_or_else(wrong)?;
        steps.push((
            bound.parse().map_err(|_| wrong())?,
            plain(rule).ok_or_else(wrong)?,
        ));
    }
    Ok(MinimumShould::Steps(steps))
}

/// The only member of a body such as `{"field": …}`, with options that may stand beside it.
pub(super) fn only_field<'a>(
    owner: &str,
    map: &'a Map<String, Value>,
) -> Result<(&'a str, &'a Value), EsError> {
    let mut found: Option<(&str, &Value)> = None;
    for (key, value) in map {
        if key == "_name" || key == "boost" {
            continue;
        }
        if let Some((first, _)) = found {
            return Err(EsError::parsing(format!(
                "[{owner}] query doesn't support multiple fields, found [{first}] and [{key}]"
            )));
        }
        found = Some((key, value));
    }
    found.ok_or_else(|| {
        EsError::illegal_argument(format!("[{owner}] query: field name is null or empty"))
    })
}

pub(super) fn object_of<'a>(
    owner: &str,
    body: &'a Value,
) -> Result<&'a Map<String, Value>, EsError> {
    body.as_object().ok_or_else(|| {
        EsError::parsing(format!(
            "[{owner}] query malformed, no start_object after query name"
        ))
    })
}

struct LeafOptions {
    boost: f32,
    case_insensitive: bool,
    fuzziness: Edits,
    prefix_length: usize,
}

/// `{"field": value}` or `{"field": {"value": value, …}}` of term-level queries.
fn field_value(
    owner: &str,
    body: &Value,
    names: &[&'static str],
) -> Result<(String, Value, LeafOptions), EsError> {
    let map = object_of(owner, body)?;
    let outer_boost = map.get("boost").and_then(number_of).unwrap_or(1.0) as f32;
    let (field, value) = only_field(owner, map)?;
    let mut options = LeafOptions {
        boost: outer_boost,
        case_insensitive: false,
        fuzziness: Edits::default(),
        prefix_length: 0,
    };
    if !value.is_object() {
        return Ok((field.to_owned(), value.clone(), options));
    }
    let mut p = Params::new(owner, value)?;
    options.boost = p.boost()? * outer_boost;
    options.case_insensitive = p.boolean("case_insensitive")?.unwrap_or(false);
    p.take("rewrite");
    if owner == "regexp" {
        if let Some(flags) = p.string("flags")?
            && !matches!(flags.as_str(), "ALL" | "NONE" | "")
        {
            return Err(EsError::unsupported(format!("regexp flags [{flags}]")));
        }
        p.take("max_determinized_states");
    }
    if owner == "fuzzy" {
        options.fuzziness = parse_text::fuzziness(p.take("fuzziness"))?.unwrap_or_default();
        options.prefix_length = p.size("prefix_length")?.unwrap_or(0);
        p.take("max_expansions");
        p.take("transpositions");
    }
    let mut found = None;
    for name in names {
        if let Some(value) = p.take(name) {
            found = Some(value.clone());
        }
    }
    p.finish()?;
    let value =
        found.ok_or_else(|| EsError::illegal_argument("value cannot be null".to_owned()))?;
    Ok((field.to_owned(), value, options))
}

fn text_value(owner: &str, value: &Value) -> Result<String, EsError> {
    scalar_text(value).ok_or_else(|| {
        EsError::parsing(format!(
            "[{owner}] expected a string but found {}",
            token_name(value)
        ))
    })
}

fn parse_term(body: &Value) -> Result<Query, EsError> {
    let (field, value, options) = field_value("term", body, &["value", "term"])?;
    if value.is_array() {
        return Err(EsError::parsing(
            "[term] query does not support array of values".to_owned(),
        ));
    }
    if value.is_object() || value.is_null() {
        return Err(EsError::illegal_argument("value cannot be null".to_owned()));
    }
    Ok(Query::Term {
        field,
        value,
        case_insensitive: options.case_insensitive,
        boost: options.boost,
    })
}

fn parse_terms(body: &Value) -> Result<Query, EsError> {
    let map = object_of("terms", body)?;
    let boost = map.get("boost").and_then(number_of).unwrap_or(1.0) as f32;
    let (field, value) = only_field("terms", map)?;
    let values = match value {
        Value::Array(items) => items,
        Value::Object(_) => return Err(EsError::unsupported("terms lookup")),
        other => {
            return Err(EsError::parsing(format!(
                "[terms] query does not support [{field}] of type {}",
                token_name(other)
            )));
        }
    };
    if values.len() > MAX_TERMS {
        return Err(EsError::illegal_argument(format!(
            "The number of terms [{}] used in the Terms Query request has exceeded the allowed maximum of [{MAX_TERMS}]. This maximum can be set by changing the [index.max_terms_count] index level setting.",
            values.len()
        )));
    }
    if values
        .iter()
        .any(|v| v.is_null() || v.is_array() || v.is_object())
    {
        return Err(EsError::parsing(
            "[terms] query takes scalar values only, null is not allowed".to_owned(),
        ));
    }
    Ok(Query::Terms {
        field: field.to_owned(),
        values: values.clone(),
        boost,
    })
}

fn parse_range(body: &Value) -> Result<Query, EsError> {
    let map = object_of("range", body)?;
    let (field, value) = only_field("range", map)?;
    if !value.is_object() {
        return Err(EsError::parsing(format!(
            "[range] query does not support [{field}]"
        )));
    }
    let mut p = Params::new("range", value)?;
    let boost = p.boost()?;
    let mut bounds = RangeBounds {
        format: p.string("format")?,
        time_zone: p.string("time_zone")?,
        ..RangeBounds::default()
    };
    let include_lower = p.boolean("include_lower")?.unwrap_or(true);
    let include_upper = p.boolean("include_upper")?.unwrap_or(true);
    if let Some(v) = p.take("from") {
        bounds.lower = Some((v.clone(), include_lower));
    }
    if let Some(v) = p.take("to") {
        bounds.upper = Some((v.clone(), include_upper));
    }
    for (name, lower, inclusive) in [
        ("gt", true, false),
        ("gte", true, true),
        ("lt", false, false),
        ("lte", false, true),
    ] {
        if let Some(v) = p.take(name) {
            let side = if lower {
                &mut bounds.lower
            } else {
                &mut bounds.upper
            };
            *side = Some((v.clone(), inclusive));
        }
    }
    // Of fields that hold one value and no range, these three say the same.
    if let Some(relation) = p.string("relation")?
        && !["intersects", "within", "contains"]
            .iter()
            .any(|known| relation.eq_ignore_ascii_case(known))
    {
        return Err(EsError::unsupported(format!("range relation [{relation}]")));
    }
    for (bound, _) in bounds.lower.iter().chain(bounds.upper.iter()) {
        if bound.is_object() || bound.is_array() {
            return Err(EsError::parsing(format!(
                "[range] query does not support {} as a bound of [{field}]",
                token_name(bound)
            )));
        }
    }
    p.finish()?;
    Ok(Query::Range {
        field: field.to_owned(),
        bounds,
        boost,
    })
}

pub(super) fn limit_regex(pattern: &str) -> Result<(), EsError> {
    let length = pattern.chars().count();
    if length > MAX_REGEX {
        return Err(EsError::illegal_argument(format!(
            "The length of regex [{length}] used in the Regexp Query request has exceeded the allowed maximum of [{MAX_REGEX}]. This maximum can be set by changing the [index.max_regex_length] index level setting."
        )));
    }
    Ok(())
}
