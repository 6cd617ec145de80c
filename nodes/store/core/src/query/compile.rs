//! Resolves a query for one index: fields, types, dates; `Query` to `Plan`.
//!
//! Invariants: a field the index does not know matches nothing, never fails; a value that does not
//! fit the field's type is an error in Elasticsearch's words unless the query is lenient.
//! Not here: evaluation (`eval.rs`), the leaves' values (`coerce.rs`).

use serde_json::Value;

use super::ast::{Combine, Edits, FieldSpec, MinimumShould, Operator, Query, RangeBounds};
use super::coerce;
use super::params::scalar_text;
use super::parse::MAX_CLAUSES;
use super::patterns;
use super::plan::{Plan, Presence, TermTest, TextField};
use super::refuse;
use super::schema::{FieldInfo, FieldKind, Schema};
use crate::analysis::{Analyzer, lowercase};
use crate::error::EsError;

/// What stands around a query.
#[derive(Clone, Copy)]
pub struct CompileContext<'a> {
    /// The index's fields.
    pub schema: &'a dyn Schema,
    /// The index's name, for queries on `_index`.
    pub index: &'a str,
    /// The present, for date math.
    pub now_ms: i64,
}

/// Resolves a query.
pub fn compile(query: &Query, context: CompileContext<'_>) -> Result<Plan, EsError> {
    match query {
        Query::MatchAll { boost } => Ok(Plan::All(*boost)),
        Query::MatchNone => Ok(Plan::None),
        Query::ConstantScore { inner, boost } => {
            Ok(Plan::Constant(Box::new(compile(inner, context)?), *boost))
        }
        Query::Boosted { inner, boost } => {
            Ok(Plan::Best(vec![compile(inner, context)?], 0.0, *boost))
        }
        Query::DisMax {
            queries,
            tie_breaker,
            boost,
        } => Ok(Plan::Best(list(queries, context)?, *tie_breaker, *boost)),
        Query::Bool(inner) => {
            let should = list(&inner.should, context)?;
            let default = usize::from(inner.must.is_empty() && inner.filter.is_empty());
            let required = match &inner.minimum_should_match {
                _ if should.is_empty() => 0,
                Some(rule) => rule.required(should.len()),
                None => default,
            };
            let must = list(&inner.must, context)?;
            let filter = list(&inner.filter, context)?;
            let must_not = list(&inner.must_not, context)?;
            let empty = must.is_empty() && filter.is_empty() && should.is_empty();
            if empty && must_not.is_empty() {
                return Ok(Plan::All(inner.boost));
            }
            Ok(Plan::Bool {
                must,
                filter,
                should,
                must_not,
                required,
                boost: inner.boost,
            })
        }
        Query::OverFields {
            fields,
            leaf,
            combine,
            tie_breaker,
        } => over_fields(fields, leaf, *combine, *tie_breaker, context),
        Query::Ids { values, boost } => Ok(Plan::Ids(values.clone(), *boost)),
        Query::Exists { field, boost } => Ok(exists(field, *boost, context)),
        Query::Term {
            field,
            value,
            case_insensitive,
            boost,
        } => term(field, value, *case_insensitive, *boost, context),
        Query::Terms {
            field,
            values,
            boost,
        } => terms(field, values, *boost, context),
        Query::Range {
            field,
            bounds,
            boost,
        } => range(field, bounds, *boost, context),
        Query::Match {
            field,
            value,
            operator,
            minimum_should_match,
            prefix_last,
            fuzzy,
            lenient,
            zero_terms_all,
            boost,
        } => {
            let Some(info) = context.schema.field(field) else {
                return special(field, value, *boost, context);
            };
            if info.kind == FieldKind::Text {
                let words = info
                    .search_analyzer
                    .terms(&scalar_text(value).unwrap_or_default());
                let minimum = minimum_should_match.as_ref();
                return Ok(if words.is_empty() && *zero_terms_all {
                    Plan::All(1.0)
                } else {
                    let tests = words
                        .into_iter()
                        .map(|word| near_word(word, *fuzzy))
                        .collect();
                    match_words(&info, tests, *operator, minimum, *prefix_last, *boost)
                });
            }
            if *prefix_last && info.kind == FieldKind::Keyword {
                let test = TermTest::Prefix(scalar_text(value).unwrap_or_default());
                return Ok(Plan::TermsBy(info.path, test, *boost));
            }
            if let Some(fuzzy) = fuzzy {
                let text = scalar_text(value).unwrap_or_default();
                let test = near_word(text, Some(*fuzzy));
                return forgive(by_test(field, "fuzzy", test, *boost, context), *lenient);
            }
            forgive(
                coerce::term(&info, value, false, *boost, context.now_ms),
                *lenient,
            )
        }
        Query::MatchPhrase {
            field,
            value,
            slop,
            prefix_last,
            lenient,
            boost,
        } => {
            let Some(info) = context.schema.field(field) else {
                return special(field, value, *boost, context);
            };
            if info.kind == FieldKind::Text {
                let words = info
                    .search_analyzer
                    .terms(&scalar_text(value).unwrap_or_default());
                return Ok(match_phrase(&info, words, *slop, *prefix_last, *boost));
            }
            if *prefix_last && info.kind == FieldKind::Keyword {
                let test = TermTest::Prefix(scalar_text(value).unwrap_or_default());
                return Ok(Plan::TermsBy(info.path, test, *boost));
            }
            forgive(
                coerce::term(&info, value, false, *boost, context.now_ms),
                *lenient,
            )
        }
        Query::Prefix {
            field,
            value,
            case_insensitive,
            boost,
        } => {
            let test = if *case_insensitive {
                let mut pattern = escape_wildcard(value);
                pattern.push('*');
                TermTest::Pattern(patterns::wildcard(&pattern, true)?)
            } else {
                TermTest::Prefix(value.clone())
            };
            by_test(field, "prefix", test, *boost, context)
        }
        Query::Wildcard {
            field,
            pattern,
            case_insensitive,
            boost,
        } => {
            // Terms that are in lower case are asked for in lower case.
            let pattern = if lowered(field, context) {
                lowercase(pattern).into_owned()
            } else {
                pattern.clone()
            };
            let test = match patterns::simple_prefix(&pattern) {
                Some(head) if !case_insensitive => TermTest::Prefix(head.to_owned()),
                _ => TermTest::Pattern(patterns::wildcard(&pattern, *case_insensitive)?),
            };
            by_test(field, "wildcard", test, *boost, context)
        }
        Query::Regexp {
            field,
            pattern,
            case_insensitive,
            boost,
        } => {
            let test = TermTest::Pattern(patterns::lucene(pattern, *case_insensitive)?);
            by_test(field, "regexp", test, *boost, context)
        }
        Query::Fuzzy {
            field,
            value,
            distance,
            prefix_length,
            boost,
        } => {
            let value = if lowered(field, context) {
                lowercase(value).into_owned()
            } else {
                value.clone()
            };
            let edits = distance.of(&value);
            by_test(
                field,
                "fuzzy",
                TermTest::Near(value, edits, *prefix_length),
                *boost,
                context,
            )
        }
    }
}

/// Whether the field's terms are in lower case.
fn lowered(field: &str, context: CompileContext<'_>) -> bool {
    context
        .schema
        .field(field)
        .is_some_and(|info| match info.kind {
            FieldKind::Text => matches!(info.analyzer, Analyzer::Standard | Analyzer::Simple),
            _ => info.lowercase,
        })
}

fn list(queries: &[Query], context: CompileContext<'_>) -> Result<Vec<Plan>, EsError> {
    queries
        .iter()
        .map(|query| compile(query, context))
        .collect()
}

fn forgive(result: Result<Plan, EsError>, lenient: bool) -> Result<Plan, EsError> {
    match result {
        Err(_) if lenient => Ok(Plan::None),
        other => other,
    }
}

fn escape_wildcard(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

pub(super) fn text_field(info: &FieldInfo) -> TextField {
    TextField {
        path: info.path.clone(),
        source_paths: info.source_paths.clone(),
        analyzer: info.analyzer,
    }
}

/// A word of a text, or those that are near it.
fn near_word(word: String, fuzzy: Option<(Edits, usize)>) -> TermTest {
    match fuzzy.map(|(edits, prefix)| (edits.of(&word), prefix)) {
        None | Some((0, _)) => TermTest::Is(word),
        Some((edits, prefix)) => TermTest::Near(word, edits, prefix),
    }
}

fn match_words(
    info: &FieldInfo,
    mut tests: Vec<TermTest>,
    operator: Operator,
    minimum: Option<&MinimumShould>,
    prefix_last: bool,
    boost: f32,
) -> Plan {
    if prefix_last && let Some(TermTest::Is(last) | TermTest::Near(last, ..)) = tests.pop() {
        tests.push(TermTest::Prefix(last));
    }
    if tests.is_empty() {
        return Plan::None;
    }
    let required = match (operator, minimum) {
        (Operator::And, _) => tests.len(),
        (Operator::Or, None) => 1,
        (Operator::Or, Some(rule)) => rule.required(tests.len()).max(1),
    };
    Plan::Words(text_field(info), tests, required, boost)
}

fn match_phrase(
    info: &FieldInfo,
    words: Vec<String>,
    slop: u32,
    prefix_last: bool,
    boost: f32,
) -> Plan {
    let mut tests: Vec<TermTest> = words.into_iter().map(TermTest::Is).collect();
    if prefix_last && let Some(TermTest::Is(last)) = tests.pop() {
        tests.push(TermTest::Prefix(last));
    }
    match tests.len() {
        0 => Plan::None,
        1 => Plan::Words(text_field(info), tests, 1, boost),
        _ => Plan::Phrase(text_field(info), tests, slop, boost),
    }
}

/// Queries on metadata fields, which have no leaf in the mapping.
fn special(
    field: &str,
    value: &Value,
    boost: f32,
    context: CompileContext<'_>,
) -> Result<Plan, EsError> {
    let text = scalar_text(value).unwrap_or_default();
    Ok(match field {
        "_id" => Plan::Ids(vec![text], boost),
        "_index" if crate::wildcard::glob(&text, context.index) => Plan::All(boost),
        _ => Plan::None,
    })
}

fn term(
    field: &str,
    value: &Value,
    case_insensitive: bool,
    boost: f32,
    context: CompileContext<'_>,
) -> Result<Plan, EsError> {
    match context.schema.field(field) {
        None => special(field, value, boost, context),
        Some(info) => coerce::term(&info, value, case_insensitive, boost, context.now_ms),
    }
}

fn terms(
    field: &str,
    values: &[Value],
    boost: f32,
    context: CompileContext<'_>,
) -> Result<Plan, EsError> {
    let Some(info) = context.schema.field(field) else {
        let texts: Vec<String> = values.iter().filter_map(scalar_text).collect();
        return Ok(match field {
            "_id" => Plan::Ids(texts, boost),
            "_index"
                if texts
                    .iter()
                    .any(|text| crate::wildcard::glob(text, context.index)) =>
            {
                Plan::All(boost)
            }
            _ => Plan::None,
        });
    };
    coerce::terms(&info, values, boost, context.now_ms)
}

fn range(
    field: &str,
    bounds: &RangeBounds,
    boost: f32,
    context: CompileContext<'_>,
) -> Result<Plan, EsError> {
    match context.schema.field(field) {
        None => Ok(Plan::None),
        Some(info) => coerce::range(&info, bounds, boost, context.now_ms),
    }
}

fn exists(field: &str, boost: f32, context: CompileContext<'_>) -> Plan {
    if matches!(field, "_id" | "_index" | "_source" | "_seq_no" | "_version") {
        return Plan::All(boost);
    }
    let mut paths = if field.contains('*') {
        context.schema.matching(field)
    } else if context.schema.field(field).is_some() {
        vec![field.to_owned()]
    } else {
        context.schema.matching(&format!("{field}.*"))
    };
    paths.truncate(MAX_CLAUSES * 16);
    let fields: Vec<Presence> = paths
        .iter()
        .filter_map(|path| context.schema.field(path))
        .map(|info| match info.kind {
            FieldKind::Text | FieldKind::Stored => Presence::Source(text_field(&info)),
            _ => Presence::Column(info.path),
        })
        .collect();
    if fields.is_empty() {
        Plan::None
    } else {
        Plan::Present(fields, boost)
    }
}

fn by_test(
    field: &str,
    query: &str,
    test: TermTest,
    boost: f32,
    context: CompileContext<'_>,
) -> Result<Plan, EsError> {
    let Some(info) = context.schema.field(field) else {
        if field == "_index" && matches!(query, "regexp" | "fuzzy") {
            return Err(refuse::wrong_type(field, "_index", query));
        }
        return Ok(match field {
            "_index" if test.accepts(context.index) => Plan::All(boost),
            _ => Plan::None,
        });
    };
    match info.kind {
        FieldKind::Keyword => Ok(Plan::TermsBy(info.path, test, boost)),
        FieldKind::Text => Ok(Plan::Constant(
            Box::new(Plan::Words(text_field(&info), vec![test], 1, 1.0)),
            boost,
        )),
        _ => Err(refuse::wrong_type(field, &info.type_name, query)),
    }
}

/// The leaf in each field that the names and patterns stand for.
fn over_fields(
    specs: &[FieldSpec],
    leaf: &Query,
    combine: Combine,
    tie_breaker: f32,
    context: CompileContext<'_>,
) -> Result<Plan, EsError> {
    let defaults: Vec<FieldSpec>;
    let specs = if specs.is_empty() {
        let mut names = context.schema.default_fields();
        if names.is_empty() {
            names.push("*".to_owned());
        }
        defaults = names
            .into_iter()
            .map(|pattern| FieldSpec {
                pattern,
                boost: 1.0,
            })
            .collect();
        &defaults
    } else {
        specs
    };
    let mut plans = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for spec in specs {
        let pattern = spec.pattern.contains('*');
        let names = if pattern {
            context.schema.matching(&spec.pattern)
        } else {
            vec![spec.pattern.clone()]
        };
        for name in names {
            let Some(info) = context.schema.field(&name) else {
                continue;
            };
            if info.kind == FieldKind::Stored || !seen.insert(info.path.clone()) {
                continue;
            }
            let plan = match compile(&leaf.with_field(&name, pattern), context) {
                // A pattern also finds fields whose type cannot answer; they match nothing.
                Err(_) if pattern => continue,
                other => other?,
            };
            if matches!(plan, Plan::None) {
                continue;
            }
            plans.push(if spec.boost == 1.0 {
                plan
            } else {
                Plan::Best(vec![plan], 0.0, spec.boost)
            });
            if plans.len() > MAX_CLAUSES {
                return Err(refuse::too_many_clauses());
            }
        }
    }
    Ok(match (plans.len(), combine) {
        (0, _) => Plan::None,
        (1, _) => plans.remove(0),
        (_, Combine::Best) => Plan::Best(plans, tie_breaker, 1.0),
        (_, Combine::Most) => Plan::Best(plans, 1.0, 1.0),
    })
}
