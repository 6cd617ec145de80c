//! Full-text queries: JSON to `Query`.
//!
//! Invariant: options that would change the answer and that this store does not implement are
//! errors; options that only steer how Lucene finds the same answer are accepted.
//! Not here: analysis of the text (`analyze.rs`), Lucene syntax (`query_string.rs`).

use serde_json::Value;

use super::ast::{Combine, Edits, FieldSpec, Operator, Query};
use super::params::{Params, scalar_text, token_name};
use super::parse::{object_of, only_field, parse_minimum};
use super::query_string::{self, SyntaxOptions};
use super::simple_query_string;
use crate::error::EsError;

/// Fields one multi-field query may name, before patterns are expanded.
const MAX_FIELDS: usize = 256;
/// Longest text of one full-text query.
const MAX_TEXT: usize = 64 << 10;

/// `AUTO`, `AUTO:3,6` or a number of edits.
pub(super) fn fuzziness(value: Option<&Value>) -> Result<Option<Edits>, EsError> {
    let Some(value) = value else { return Ok(None) };
    let text = scalar_text(value).unwrap_or_default();
    let lower = text.to_ascii_lowercase();
    if lower == "auto" {
        return Ok(Some(Edits::default()));
    }
    let lengths = lower.strip_prefix("auto:").and_then(|lengths| {
        let (one, two) = lengths.split_once(',')?;
        Some((one.trim().parse().ok()?, two.trim().parse().ok()?))
    });
    match (lengths, text.parse::<f64>()) {
        (Some((one, two)), _) if one <= two => Ok(Some(Edits::ByLength(one, two))),
        (None, Ok(n)) if n == 0.0 || n == 1.0 || n == 2.0 => Ok(Some(Edits::Exactly(n as u8))),
        _ => Err(EsError::illegal_argument(format!(
            "failed to parse [fuzziness]: [{text}] is neither AUTO nor 0, 1 or 2"
        ))),
    }
}

/// `and` or `or` in any case.
pub(super) fn operator(value: Option<String>) -> Result<Operator, EsError> {
    match value {
        None => Ok(Operator::Or),
        Some(s) if s.eq_ignore_ascii_case("or") => Ok(Operator::Or),
        Some(s) if s.eq_ignore_ascii_case("and") => Ok(Operator::And),
        Some(s) => Err(EsError::illegal_argument(format!(
            "operator needs to be either [AND] or [OR], but not [{s}]"
        ))),
    }
}

fn analyzer(p: &mut Params<'_>) -> Result<(), EsError> {
    match p.string("analyzer")? {
        None => Ok(()),
        Some(name) if name == "standard" || name == "default" => Ok(()),
        Some(name) => Err(EsError::unsupported(format!(
            "{} analyzer {name}",
            p.owner()
        ))),
    }
}

/// How far words may be away, and their leading characters that must be equal.
fn fuzzy(p: &mut Params<'_>) -> Result<Option<(Edits, usize)>, EsError> {
    let edits = fuzziness(p.take("fuzziness"))?;
    let prefix_length = p.size("prefix_length")?.unwrap_or(0);
    for name in ["max_expansions", "fuzzy_rewrite"] {
        p.take(name);
    }
    if p.boolean("fuzzy_transpositions")? == Some(false) && edits.is_some() {
        return Err(EsError::unsupported(format!(
            "{} fuzzy_transpositions",
            p.owner()
        )));
    }
    Ok(edits
        .filter(|edits| *edits != Edits::Exactly(0))
        .map(|edits| (edits, prefix_length)))
}

fn no_fuzziness(p: &mut Params<'_>) -> Result<(), EsError> {
    match fuzzy(p)? {
        None => Ok(()),
        Some(_) => Err(EsError::unsupported(format!("{} fuzziness", p.owner()))),
    }
}

fn zero_terms(p: &mut Params<'_>) -> Result<bool, EsError> {
    match p.string("zero_terms_query")?.as_deref() {
        None => Ok(false),
        Some(s) if s.eq_ignore_ascii_case("none") => Ok(false),
        Some(s) if s.eq_ignore_ascii_case("all") => Ok(true),
        Some(s) => Err(EsError::parsing(format!(
            "Unsupported zero_terms_query value [{s}]"
        ))),
    }
}

fn scalar(owner: &str, value: &Value) -> Result<Value, EsError> {
    if value.is_array() || value.is_object() {
        return Err(EsError::parsing(format!(
            "[{owner}] unknown token [{}] after [query]",
            token_name(value)
        )));
    }
    if value.as_str().is_some_and(|s| s.len() > MAX_TEXT) {
        return Err(EsError::illegal_argument(format!(
            "[{owner}] text of more than [{MAX_TEXT}] bytes"
        )));
    }
    Ok(value.clone())
}

pub(super) fn parse_match(body: &Value) -> Result<Query, EsError> {
    let (field, value) = only_field("match", object_of("match", body)?)?;
    let plain = |value: Value| Query::Match {
        field: field.to_owned(),
        value,
        operator: Operator::Or,
        minimum_should_match: None,
        prefix_last: false,
        fuzzy: None,
        lenient: false,
        zero_terms_all: false,
        boost: 1.0,
    };
    if !value.is_object() {
        return Ok(plain(scalar("match", value)?));
    }
    let mut p = Params::new("match", value)?;
    let text = scalar("match", p.require("query")?)?;
    let joined = operator(p.string("operator")?)?;
    let minimum = p
        .take("minimum_should_match")
        .map(parse_minimum)
        .transpose()?;
    let lenient_value = p.boolean("lenient")?.unwrap_or(false);
    let all = zero_terms(&mut p)?;
    let factor = p.boost()?;
    analyzer(&mut p)?;
    let fuzzy = fuzzy(&mut p)?;
    p.take("auto_generate_synonyms_phrase_query");
    p.take("cutoff_frequency");
    p.finish()?;
    Ok(Query::Match {
        field: field.to_owned(),
        value: text,
        operator: joined,
        minimum_should_match: minimum,
        prefix_last: false,
        fuzzy,
        lenient: lenient_value,
        zero_terms_all: all,
        boost: factor,
    })
}

pub(super) fn parse_match_bool_prefix(body: &Value) -> Result<Query, EsError> {
    let (field, value) = only_field("match_bool_prefix", object_of("match_bool_prefix", body)?)?;
    let (mut text, mut joined, mut minimum, mut factor) = (value.clone(), Operator::Or, None, 1.0);
    let mut near = None;
    if value.is_object() {
        let mut p = Params::new("match_bool_prefix", value)?;
        text = p.require("query")?.clone();
        joined = operator(p.string("operator")?)?;
        minimum = p
            .take("minimum_should_match")
            .map(parse_minimum)
            .transpose()?;
        factor = p.boost()?;
        analyzer(&mut p)?;
        near = fuzzy(&mut p)?;
        p.finish()?;
    }
    Ok(Query::Match {
        field: field.to_owned(),
        value: scalar("match_bool_prefix", &text)?,
        operator: joined,
        minimum_should_match: minimum,
        prefix_last: true,
        fuzzy: near,
        lenient: false,
        zero_terms_all: false,
        boost: factor,
    })
}

pub(super) fn parse_match_phrase(body: &Value, prefix_last: bool) -> Result<Query, EsError> {
    let owner = if prefix_last {
        "match_phrase_prefix"
    } else {
        "match_phrase"
    };
    let (field, value) = only_field(owner, object_of(owner, body)?)?;
    let (mut text, mut slop, mut factor) = (value.clone(), 0, 1.0);
    if value.is_object() {
        let mut p = Params::new(owner, value)?;
        text = p.require("query")?.clone();
        slop = p.size("slop")?.unwrap_or(0).min(1000) as u32;
        factor = p.boost()?;
        analyzer(&mut p)?;
        if zero_terms(&mut p)? {
            return Err(EsError::unsupported(format!(
                "{owner} zero_terms_query [all]"
            )));
        }
        p.take("max_expansions");
        p.finish()?;
    }
    Ok(Query::MatchPhrase {
        field: field.to_owned(),
        value: scalar(owner, &text)?,
        slop,
        prefix_last,
        lenient: false,
        boost: factor,
    })
}

/// Reads `field^2` names.
pub(super) fn field_specs(owner: &str, value: &Value) -> Result<Vec<FieldSpec>, EsError> {
    let names: Vec<String> = match value {
        Value::Array(items) => items.iter().filter_map(scalar_text).collect(),
        other => scalar_text(other).into_iter().collect(),
    };
    if names.len() > MAX_FIELDS {
        return Err(EsError::illegal_argument(format!(
            "[{owner}] names more than [{MAX_FIELDS}] fields"
        )));
    }
    names
        .into_iter()
        .map(|name| field_spec(owner, &name))
        .collect()
}

pub(super) fn field_spec(owner: &str, name: &str) -> Result<FieldSpec, EsError> {
    match name.rsplit_once('^') {
        None => Ok(FieldSpec {
            pattern: name.to_owned(),
            boost: 1.0,
        }),
        Some((pattern, boost)) => match boost.parse::<f32>() {
            Ok(boost) if boost.is_finite() && boost >= 0.0 => Ok(FieldSpec {
                pattern: pattern.to_owned(),
                boost,
            }),
            _ => Err(EsError::parsing(format!(
                "[{owner}] wrong boost in field name [{name}]"
            ))),
        },
    }
}

pub(super) fn parse_multi_match(body: &Value) -> Result<Query, EsError> {
    let mut p = Params::new("multi_match", body)?;
    let value = scalar("multi_match", p.require("query")?)?;
    let fields = match p.take("fields") {
        Some(value) => field_specs("multi_match", value)?,
        None => Vec::new(),
    };
    let kind = p
        .string("type")?
        .unwrap_or_else(|| "best_fields".to_owned());
    let joined = operator(p.string("operator")?)?;
    let minimum = p
        .take("minimum_should_match")
        .map(parse_minimum)
        .transpose()?;
    let lenient = p.boolean("lenient")?.unwrap_or(false);
    let slop = p.size("slop")?.unwrap_or(0).min(1000) as u32;
    let tie = p.number("tie_breaker")?;
    let all = zero_terms(&mut p)?;
    let boost = p.boost()?;
    analyzer(&mut p)?;
    let fuzzy = fuzzy(&mut p)?;
    if fuzzy.is_some() && kind.starts_with("phrase") {
        return Err(EsError::parsing(format!(
            "Fuzziness not allowed for type [{kind}]"
        )));
    }
    p.take("auto_generate_synonyms_phrase_query");
    p.take("cutoff_frequency");
    p.finish()?;
    let words = |prefix_last: bool| Query::Match {
        field: String::new(),
        value: value.clone(),
        operator: joined,
        minimum_should_match: minimum.clone(),
        prefix_last,
        fuzzy,
        lenient,
        zero_terms_all: all,
        boost: 1.0,
    };
    let phrase = |prefix_last: bool| Query::MatchPhrase {
        field: String::new(),
        value: value.clone(),
        slop,
        prefix_last,
        lenient,
        boost: 1.0,
    };
    let (leaf, combine) = match kind.as_str() {
        "best_fields" => (words(false), Combine::Best),
        "most_fields" => (words(false), Combine::Most),
        "phrase" => (phrase(false), Combine::Best),
        "phrase_prefix" => (phrase(true), Combine::Best),
        "bool_prefix" => (words(true), Combine::Most),
        "cross_fields" => return Err(EsError::unsupported("multi_match type [cross_fields]")),
        other => {
            return Err(EsError::parse(format!(
                "failed to parse [multi_match] query type [{other}]. unknown type."
            )));
        }
    };
    Ok(Query::OverFields {
        fields,
        leaf: Box::new(leaf),
        combine,
        tie_breaker: tie.unwrap_or(0.0) as f32,
    }
    .boosted(boost))
}

pub(super) fn parse_query_string(body: &Value) -> Result<Query, EsError> {
    let mut p = Params::new("query_string", body)?;
    let text = p.need_string("query")?;
    let mut options = SyntaxOptions::default();
    if let Some(field) = p.string("default_field")? {
        options.fields = vec![field_spec("query_string", &field)?];
    }
    if let Some(value) = p.take("fields") {
        options.fields = field_specs("query_string", value)?;
    }
    options.operator = operator(p.string("default_operator")?)?;
    options.lenient = p.boolean("lenient")?.unwrap_or(options.fields.is_empty());
    options.phrase_slop = p.size("phrase_slop")?.unwrap_or(0).min(1000) as u32;
    options.minimum_should_match = p
        .take("minimum_should_match")
        .map(parse_minimum)
        .transpose()?;
    options.time_zone = p.string("time_zone")?;
    options.leading_wildcard = p.boolean("allow_leading_wildcard")?.unwrap_or(true);
    options.tie_breaker = p.number("tie_breaker")?.unwrap_or(0.0) as f32;
    if let Some(kind) = p.string("type")?
        && !matches!(kind.as_str(), "best_fields" | "phrase")
    {
        return Err(EsError::unsupported(format!("query_string type [{kind}]")));
    }
    let boost = p.boost()?;
    analyzer(&mut p)?;
    no_fuzziness(&mut p)?;
    for name in [
        "analyze_wildcard",
        "auto_generate_synonyms_phrase_query",
        "enable_position_increments",
        "fuzzy_max_expansions",
        "fuzzy_prefix_length",
        "fuzzy_transpositions",
        "max_determinized_states",
        "quote_analyzer",
        "rewrite",
        "escape",
    ] {
        p.take(name);
    }
    p.finish()?;
    if text.len() > MAX_TEXT {
        return Err(EsError::illegal_argument(format!(
            "[query_string] text of more than [{MAX_TEXT}] bytes"
        )));
    }
    Ok(query_string::parse(&text, &options)?.boosted(boost))
}

pub(super) fn parse_simple_query_string(body: &Value) -> Result<Query, EsError> {
    let mut p = Params::new("simple_query_string", body)?;
    let text = p.need_string("query")?;
    let mut options = SyntaxOptions::default();
    if let Some(value) = p.take("fields") {
        options.fields = field_specs("simple_query_string", value)?;
    }
    options.operator = operator(p.string("default_operator")?)?;
    options.lenient = p.boolean("lenient")?.unwrap_or(options.fields.is_empty());
    options.minimum_should_match = p
        .take("minimum_should_match")
        .map(parse_minimum)
        .transpose()?;
    if let Some(flags) = p.string("flags")?
        && flags != "ALL"
        && flags != "-1"
    {
        return Err(EsError::unsupported(format!(
            "simple_query_string flags [{flags}]"
        )));
    }
    let boost = p.boost()?;
    analyzer(&mut p)?;
    for name in [
        "analyze_wildcard",
        "auto_generate_synonyms_phrase_query",
        "fuzzy_max_expansions",
        "fuzzy_prefix_length",
        "fuzzy_transpositions",
        "quote_field_suffix",
    ] {
        p.take(name);
    }
    p.finish()?;
    if text.len() > MAX_TEXT {
        return Err(EsError::illegal_argument(format!(
            "[simple_query_string] text of more than [{MAX_TEXT}] bytes"
        )));
    }
    Ok(simple_query_string::parse(&text, &options).boosted(boost))
}
