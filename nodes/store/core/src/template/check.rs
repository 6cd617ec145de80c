//! What templates must look like, and finding them by name.
//! Invariants: refusals name the template, pattern or member; lists are bounded. Not here: what templates mean together.

use super::alias::Alias;
use crate::error::{EsError, EsResult};
use crate::mapping::Mapping;
use crate::settings::IndexSettings;
use crate::wildcard::glob;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.chars().any(char::is_uppercase) {
        return Err("name must be lower cased".to_owned());
    }
    let bad = name.is_empty()
        || name.len() > 255
        || name.starts_with('_')
        || name
            .chars()
            .any(|letter| r#" ,#*/\"<>|?"#.contains(letter) || letter.is_control());
    if bad {
        let shown: String = name.chars().take(255).collect();
        return Err(format!(
            "template name [{shown}] must not be empty, begin with _ or contain a space or any of , # * / \\ \" < > | ?"
        ));
    }
    Ok(())
}

pub(super) fn check_patterns(patterns: &[String]) -> Result<(), String> {
    if patterns.is_empty() {
        return Err("index patterns are missing".to_owned());
    }
    if patterns.len() > 1000 {
        return Err("more than 1000 index patterns".to_owned());
    }
    for pattern in patterns {
        let bad = pattern.is_empty()
            || pattern.len() > 255
            || pattern.contains([' ', ',', '#', ':'])
            || pattern.starts_with('_');
        if bad {
            return Err(format!(
                "index_pattern [{pattern}] must not be empty, begin with _ or contain a space, comma, # or :"
            ));
        }
    }
    Ok(())
}

/// Checks the `template` object that indices get, its mapping too.
pub(super) fn check_inner(template: &Value) -> EsResult<()> {
    check_members(template)?;
    template
        .get("mappings")
        .filter(|mappings| !mappings.is_null())
        .map_or(Ok(()), Mapping::check_body)
}

/// Checks the `template` object that indices get, but for its mapping.
pub(super) fn check_members(template: &Value) -> EsResult<()> {
    let members = object(template, "template")?;
    known(
        members,
        "template",
        &[
            "settings",
            "mappings",
            "aliases",
            "lifecycle",
            "data_stream_options",
        ],
    )?;
    if let Some(settings) = members.get("settings") {
        IndexSettings::parse(settings)?;
    }
    for name in ["mappings", "aliases"] {
        match members.get(name) {
            None | Some(Value::Object(_) | Value::Null) => {}
            Some(_) => {
                return Err(EsError::json_parse(format!(
                    "[template] {name} must be an object"
                )));
            }
        }
    }
    members
        .get("aliases")
        .map_or(Ok(()), |aliases| Alias::parse_all(aliases).map(|_| ()))
}

pub(super) fn object<'a>(value: &'a Value, what: &str) -> EsResult<&'a Map<String, Value>> {
    value
        .as_object()
        .ok_or_else(|| EsError::json_parse(format!("[{what}] Expected START_OBJECT")))
}

pub(super) fn known(members: &Map<String, Value>, what: &str, names: &[&str]) -> EsResult<()> {
    match members.keys().find(|name| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(EsError::json_parse(format!(
            "[{what}] unknown field [{}]",
            name.chars().take(80).collect::<String>()
        ))),
    }
}

pub(super) fn strings(members: &Map<String, Value>, name: &str) -> EsResult<Option<Vec<String>>> {
    let wrong = || EsError::json_parse(format!("[{name}] must be an array of strings"));
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(one)) => Ok(Some(vec![one.clone()])),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect::<EsResult<_>>()
            .map(Some),
        Some(_) => Err(wrong()),
    }
}

pub(super) fn named<T>(templates: &BTreeMap<String, T>, pattern: &str) -> Vec<String> {
    let parts: Vec<&str> = pattern.split(',').collect();
    templates
        .keys()
        .filter(|name| parts.iter().any(|part| glob(part, name)))
        .cloned()
        .collect()
}

pub(super) fn missing(pattern: &str, what: &str) -> EsError {
    let shown: String = pattern.chars().take(255).collect();
    EsError::resource_not_found(format!("{what} matching [{shown}] not found"))
}

pub(super) fn found<T>(
    templates: &BTreeMap<String, T>,
    pattern: &str,
    what: &str,
) -> EsResult<Vec<String>> {
    let pattern = if pattern.is_empty() { "*" } else { pattern };
    let names = named(templates, pattern);
    if names.is_empty() && !pattern.contains('*') {
        return Err(missing(pattern, what));
    }
    Ok(names)
}

pub(super) fn remove<T>(
    templates: &mut BTreeMap<String, T>,
    doomed: Vec<String>,
    pattern: &str,
) -> EsResult<()> {
    if doomed.is_empty() && pattern != "*" {
        return Err(EsError::new(
            404,
            "index_template_missing_exception",
            format!("index_template [{pattern}] missing"),
        ));
    }
    for name in doomed {
        templates.remove(&name);
    }
    Ok(())
}

/// A stored body as it is shown: settings nested and as text.
pub(super) fn shown(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(settings) = body
        .get_mut("template")
        .and_then(|template| template.get_mut("settings"))
        && let Ok(parsed) = IndexSettings::parse(settings)
    {
        *settings = parsed.render();
    }
    body
}
