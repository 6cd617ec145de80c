//! `_index_template`, `_component_template`, `_template`: kept as they were put, checked by making what they would give.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Map, Value, json};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::wildcard::glob;

use super::route::no_handler;
use super::{App, Call, Reply};
use crate::catalog::Definitions;
use crate::catalog::index::{flat_settings, nested_settings};

const MAX_TEMPLATES: usize = 1000;

fn select<'a>(all: &'a BTreeMap<String, Value>, expression: &str) -> Vec<(&'a String, &'a Value)> {
    let patterns: Vec<&str> = expression.split(',').collect();
    all.iter()
        .filter(|(name, _)| patterns.iter().any(|p| glob(p, name)))
        .collect()
}

fn missing(kind: &str, name: &str) -> EsError {
    EsError::resource_not_found(format!("{kind} matching [{name}] not found"))
}

fn check_keys(body: &Value, allowed: &[&str]) -> EsResult<()> {
    let Some(map) = body.as_object() else {
        return Err(EsError::parsing("a template must be an object"));
    };
    match map.keys().find(|k| !allowed.contains(&k.as_str())) {
        Some(unknown) => Err(EsError::json_parse(format!(
            "[index_template] unknown field [{unknown}]"
        ))),
        None => Ok(()),
    }
}

fn put(
    all: &mut BTreeMap<String, Value>,
    name: &str,
    body: Value,
    create: bool,
    kind: &str,
) -> EsResult<()> {
    if create && all.contains_key(name) {
        return Err(EsError::illegal_argument(format!(
            "{kind} [{name}] already exists"
        )));
    }
    if all.len() >= MAX_TEMPLATES && !all.contains_key(name) {
        return Err(EsError::illegal_argument(format!(
            "there are {MAX_TEMPLATES} templates; delete some"
        )));
    }
    all.insert(name.to_owned(), body);
    Ok(())
}

/// Settings as answers show them: nested, values as text.
fn shown(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(inner) = template.get_mut("template").filter(|t| t.is_object())
        && let Some(settings) = inner.get("settings")
        && let Ok(flat) = flat_settings(settings)
    {
        inner["settings"] = nested_settings(&flat);
    }
    template
}

fn patterns_of(body: &Value) -> Vec<String> {
    match body.get("index_patterns") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// `_index_template[/{name}]`, `_simulate`, `_simulate_index/{name}`.
pub(super) fn index_template(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    match (&call.method, rest) {
        (&Method::POST, ["_simulate_index", name]) => simulate(app, name),
        (&Method::PUT | &Method::POST, [name]) => {
            let mut body = call.required_json()?;
            check_keys(
                &body,
                &[
                    "index_patterns",
                    "template",
                    "composed_of",
                    "priority",
                    "version",
                    "_meta",
                    "data_stream",
                    "allow_auto_create",
                    "ignore_missing_component_templates",
                    "deprecated",
                ],
            )?;
            let patterns = patterns_of(&body);
            if patterns.is_empty() {
                return Err(EsError::action_request_validation(
                    "Validation Failed: 1: index patterns are missing;",
                ));
            }
            body["index_patterns"] = json!(patterns);
            let create = call.flag("create")?;
            app.catalog.define(|d: &mut Definitions| {
                let priority = body.get("priority").and_then(Value::as_i64).unwrap_or(0);
                let rival = d.index_templates.iter().find(|(other, t)| {
                    other.as_str() != *name
                        && t.get("priority").and_then(Value::as_i64).unwrap_or(0) == priority
                        && patterns_of(t).iter().any(|p| patterns.iter().any(|q| glob(p, q) || glob(q, p)))
                });
                if let Some((other, t)) = rival {
                    return Err(EsError::illegal_argument(format!(
                        "index template [{name}] has index patterns {patterns:?} matching patterns from existing templates [{other}] with patterns ({other} => {:?}) that have the same priority [{priority}], multiple index templates may not match during index creation, please use a different priority",
                        patterns_of(t)
                    )));
                }
                let composed = d.compose_template(name, &body)?;
                composed.mapping(None, composed.data_stream.is_some())?;
                put(&mut d.index_templates, name, body.clone(), create, "index template")
            })?;
            Ok(Reply::acknowledged())
        }
        (&Method::HEAD, [name]) => {
            let known = !select(&app.catalog.read().definitions.index_templates, name).is_empty();
            Ok(Reply::empty(if known { 200 } else { 404 }))
        }
        (&Method::GET, [] | [_]) => {
            let state = app.catalog.read();
            let name = rest.first().copied().unwrap_or("*");
            let found = select(&state.definitions.index_templates, name);
            if found.is_empty() && !name.contains('*') {
                return Err(missing("index template", name));
            }
            let list: Vec<Value> = found
                .into_iter()
                .map(|(n, t)| {
                    let mut body = shown(t);
                    if body.get("composed_of").is_none() {
                        body["composed_of"] = json!([]);
                    }
                    json!({"name": n, "index_template": body})
                })
                .collect();
            Ok(Reply::json(json!({"index_templates": list})))
        }
        (&Method::DELETE, [name]) => {
            app.catalog.define(|d| {
                let names: Vec<String> =
                    select(&d.index_templates, name).iter().map(|(n, _)| (*n).clone()).collect();
                if names.is_empty() && !name.contains('*') {
                    return Err(missing("index_template", name));
                }
                let used = d.data_streams.iter().find(|(_, s)| {
                    s.template.as_ref().is_some_and(|t| names.contains(t))
                });
                if let Some((stream, _)) = used {
                    let still = d.index_templates.iter().any(|(n, t)| {
                        !names.contains(n) && t.get("data_stream").is_some()
                            && patterns_of(t).iter().any(|p| glob(p, stream))
                    });
                    if !still {
                        return Err(EsError::illegal_argument(format!(
                            "unable to remove composable templates {names:?} as they are in use by a data streams [{stream}]"
                        )));
                    }
                }
                d.index_templates.retain(|n, _| !names.contains(n));
                Ok(())
            })?;
            Ok(Reply::acknowledged())
        }
        _ => Err(no_handler(call)),
    }
}

fn simulate(app: &App, name: &str) -> EsResult<Reply> {
    let composed = app.catalog.read().definitions.compose(name)?;
    let mapping = composed.mapping(None, composed.data_stream.is_some())?;
    Ok(Reply::json(json!({
        "template": {
            "settings": nested_settings(&composed.settings),
            "mappings": mapping.render(),
            "aliases": composed.aliases,
        },
        "overlapping": [],
    })))
}

/// `_component_template[/{name}]`.
pub(super) fn component_template(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    match (&call.method, rest) {
        (&Method::PUT | &Method::POST, [name]) => {
            let body = call.required_json()?;
            check_keys(
                &body,
                &[
                    "template",
                    "version",
                    "_meta",
                    "deprecated",
                    "allow_auto_create",
                ],
            )?;
            let create = call.flag("create")?;
            app.catalog.define(|d| {
                let alone = json!({"template": body.get("template").cloned().unwrap_or_default()});
                d.compose_template(name, &alone)?.mapping(None, false)?;
                put(
                    &mut d.component_templates,
                    name,
                    body.clone(),
                    create,
                    "component template",
                )
            })?;
            Ok(Reply::acknowledged())
        }
        (&Method::HEAD, [name]) => {
            let known =
                !select(&app.catalog.read().definitions.component_templates, name).is_empty();
            Ok(Reply::empty(if known { 200 } else { 404 }))
        }
        (&Method::GET, [] | [_]) => {
            let state = app.catalog.read();
            let name = rest.first().copied().unwrap_or("*");
            let found = select(&state.definitions.component_templates, name);
            if found.is_empty() && !name.contains('*') {
                return Err(missing("component template", name));
            }
            let list: Vec<Value> = found
                .into_iter()
                .map(|(n, t)| json!({"name": n, "component_template": shown(t)}))
                .collect();
            Ok(Reply::json(json!({"component_templates": list})))
        }
        (&Method::DELETE, [name]) => {
            app.catalog.define(|d| {
                let names: Vec<String> =
                    select(&d.component_templates, name).iter().map(|(n, _)| (*n).clone()).collect();
                if names.is_empty() && !name.contains('*') {
                    return Err(missing("component_template", name));
                }
                let user = d.index_templates.iter().find(|(_, t)| {
                    t.get("composed_of").and_then(Value::as_array).is_some_and(|parts| {
                        parts.iter().filter_map(Value::as_str).any(|p| names.iter().any(|n| n == p))
                    })
                });
                if let Some((user, _)) = user {
                    return Err(EsError::illegal_argument(format!(
                        "component templates {names:?} cannot be removed as they are still in use by index templates [{user}]"
                    )));
                }
                d.component_templates.retain(|n, _| !names.contains(n));
                Ok(())
            })?;
            Ok(Reply::acknowledged())
        }
        _ => Err(no_handler(call)),
    }
}

/// `_template[/{name}]`, the older kind.
pub(super) fn legacy_template(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    match (&call.method, rest) {
        (&Method::PUT | &Method::POST, [name]) => {
            let mut body = call.required_json()?;
            check_keys(
                &body,
                &[
                    "index_patterns",
                    "order",
                    "version",
                    "settings",
                    "mappings",
                    "aliases",
                ],
            )?;
            let patterns = patterns_of(&body);
            if patterns.is_empty() {
                return Err(EsError::action_request_validation(
                    "Validation Failed: 1: index patterns are missing;",
                ));
            }
            body["index_patterns"] = json!(patterns);
            if body.get("order").is_none() {
                body["order"] = json!(0);
            }
            let create = call.flag("create")?;
            app.catalog.define(|d| {
                d.compose_template(name, &json!({"template": body}))?
                    .mapping(None, false)?;
                put(
                    &mut d.legacy_templates,
                    name,
                    body.clone(),
                    create,
                    "index_template",
                )
            })?;
            Ok(Reply::acknowledged())
        }
        (&Method::HEAD, [name]) => {
            let known = !select(&app.catalog.read().definitions.legacy_templates, name).is_empty();
            Ok(Reply::empty(if known { 200 } else { 404 }))
        }
        (&Method::GET, [] | [_]) => {
            let state = app.catalog.read();
            let name = rest.first().copied().unwrap_or("*");
            let found = select(&state.definitions.legacy_templates, name);
            let status = if found.is_empty() && !name.contains('*') {
                404
            } else {
                200
            };
            let mut out = Map::new();
            for (name, template) in found {
                let mut body = template.clone();
                if let Ok(flat) = flat_settings(template.get("settings").unwrap_or(&Value::Null)) {
                    body["settings"] = nested_settings(&flat);
                }
                out.insert(name.clone(), body);
            }
            Ok(Reply::status(status, Value::Object(out)))
        }
        (&Method::DELETE, [name]) => {
            app.catalog.define(|d| {
                let before = d.legacy_templates.len();
                d.legacy_templates.retain(|n, _| !glob(name, n));
                if d.legacy_templates.len() == before && !name.contains('*') {
                    return Err(EsError::new(
                        404,
                        "index_template_missing_exception",
                        format!("index_template [{name}] missing"),
                    ));
                }
                Ok(())
            })?;
            Ok(Reply::acknowledged())
        }
        _ => Err(no_handler(call)),
    }
}
