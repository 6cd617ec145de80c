//! `_analyze`: what an analyzer makes of texts.
//!
//! Invariant: offsets count UTF-16 units, as clients of Elasticsearch expect. Not here: the analyzers (core).

use serde_json::{Value, json};
use wharf_store_core::analysis::{Analyzer, token_type};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::mapping::FieldType;
use wharf_store_core::wildcard::NameOptions;

use super::{App, Call, Reply};

fn analyzer(app: &App, body: &Value, index: Option<&str>) -> EsResult<Analyzer> {
    if let Some(name) = body.get("analyzer").and_then(Value::as_str) {
        return Analyzer::by_name(name).ok_or_else(|| {
            EsError::illegal_argument(format!("failed to find global analyzer [{name}]"))
        });
    }
    let Some(path) = body.get("field").and_then(Value::as_str) else {
        return Ok(Analyzer::Standard);
    };
    let Some(index) = index else {
        return Err(EsError::illegal_argument(
            "analysis based on a specific field requires an index",
        ));
    };
    let found = app.catalog.select(index, NameOptions::default())?;
    let mapping = found.first().map(|index| index.mapping());
    let Some(field) = mapping.as_ref().and_then(|mapping| mapping.find(path)) else {
        return Ok(Analyzer::Standard);
    };
    match field.kind() {
        FieldType::Text | FieldType::MatchOnlyText => Ok(field.def.analyzer),
        FieldType::Keyword => Ok(Analyzer::Keyword),
        _ => Err(EsError::illegal_argument(format!(
            "Can't process field [{path}], Analysis requests are only supported on tokenized fields"
        ))),
    }
}

/// `GET [{index}/]_analyze`.
pub(super) fn analyze(app: &App, call: &Call, index: Option<&str>) -> EsResult<Reply> {
    let body = call.required_json()?;
    let members = body
        .as_object()
        .ok_or_else(|| EsError::json_parse("[analyze_request] Expected START_OBJECT"))?;
    for key in members.keys() {
        match key.as_str() {
            "analyzer" | "field" | "text" => {}
            "tokenizer" | "filter" | "char_filter" | "explain" | "attributes" | "normalizer" => {
                return Err(EsError::unsupported(key));
            }
            other => {
                return Err(EsError::json_parse(format!(
                    "[analyze_request] unknown field [{other}]"
                )));
            }
        }
    }
    let texts: Vec<&str> = match body.get("text") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if texts.is_empty() {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: text is missing;",
        ));
    }
    let analyzer = analyzer(app, &body, index)?;
    let mut tokens = Vec::new();
    let mut before = 0;
    for text in texts {
        let units = |part: &str| part.encode_utf16().count();
        // Tokens come in order: each is counted from the one before.
        let (mut counted, mut offset) = (0, before);
        analyzer.each(text, &mut |term, range| {
            let start = offset + units(&text[counted..range.start]);
            let end = start + units(&text[range.clone()]);
            (counted, offset) = (range.end, end);
            tokens.push(json!({
                "token": term, "start_offset": start, "end_offset": end,
                "type": token_type(analyzer, &text[range]), "position": tokens.len(),
            }));
        });
        before = offset + units(&text[counted..]) + 1;
    }
    Ok(Reply::json(json!({"tokens": tokens})))
}
