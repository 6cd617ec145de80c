//! Indices by name: create, delete, look at; mappings, settings; refresh, flush, merge.
//!
//! Not here: data streams (`streams`), aliases, templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};
use wharf_store_core::datemath::index_name;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::mapping::{Mapping, render_mappings};
use wharf_store_core::settings::{IndexSettings, nested};
use wharf_store_core::template::{Alias, IndexBody};
use wharf_store_core::wildcard::{NameOptions, glob};

use super::route::wrong_method;
use super::{App, Call, Reply};
use crate::catalog::index::Index;
use crate::catalog::resolve::NameKind;

/// Settings that cannot change or do nothing wrong when they change.
const FIXED: [&str; 6] = [
    "index.number_of_shards",
    "index.uuid",
    "index.creation_date",
    "index.provided_name",
    "index.version.created",
    "index.sort.field",
];

fn shards(count: usize) -> Value {
    json!({"total": count, "successful": count, "failed": 0})
}

pub(super) fn selected(app: &App, call: &Call, expression: &str) -> EsResult<Vec<Arc<Index>>> {
    app.catalog
        .select(expression, call.name_options(NameOptions::default())?)
}

/// Hidden ones too: for looking at what is named.
fn looked_at(app: &App, call: &Call, expression: &str) -> EsResult<Vec<Arc<Index>>> {
    selected(app, call, expression)
}

/// `PUT|GET|HEAD|DELETE {index}`.
pub(super) fn index(app: &App, call: &Call, name: &str) -> EsResult<Reply> {
    match call.method {
        Method::PUT => create(app, call, name),
        Method::DELETE => delete(app, call, name),
        Method::HEAD => {
            let options = call.name_options(NameOptions {
                allow_no_indices: false,
                ..NameOptions::default()
            })?;
            match app.catalog.select(name, options) {
                Ok(found) if !found.is_empty() => Ok(Reply::empty(200)),
                _ => Ok(Reply::empty(404)),
            }
        }
        Method::GET => {
            let mut out = Map::new();
            for index in looked_at(app, call, name)? {
                let facts = index.facts.load();
                let mut body = json!({
                    "aliases": alias_bodies(&facts.aliases),
                    "mappings": index.mapping().render(),
                    "settings": facts.settings.render(),
                });
                if let Some(stream) = &index.data_stream {
                    body["data_stream"] = json!(stream);
                }
                out.insert(index.name.clone(), body);
            }
            Ok(Reply::json(Value::Object(out)))
        }
        _ => Err(wrong_method(call, "GET, HEAD, PUT, DELETE")),
    }
}

fn alias_bodies(aliases: &BTreeMap<String, Alias>) -> Value {
    json!(aliases)
}

fn create(app: &App, call: &Call, name: &str) -> EsResult<Reply> {
    let name = index_name(name, app.catalog.now_ms())?;
    let body = IndexBody::parse(&call.object()?)?;
    app.catalog.create_index(&name, &body)?;
    Ok(Reply::json(
        json!({"acknowledged": true, "shards_acknowledged": true, "index": name}),
    ))
}

/// `DELETE {index}`.
pub(super) fn delete(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let options = call.name_options(NameOptions::default())?;
    let names = app
        .catalog
        .read()
        .select_names(expression, options, app.catalog.now_ms())?;
    for (name, kind) in &names {
        let wildcard = expression.contains('*') || expression == "_all";
        match kind {
            NameKind::Alias if !wildcard => {
                return Err(EsError::illegal_argument(format!(
                    "The provided expression [{name}] matches an alias, specify the corresponding concrete indices instead."
                )));
            }
            NameKind::DataStream if !wildcard => {
                return Err(EsError::illegal_argument(format!(
                    "The provided expression [{name}] matches a data stream, specify the corresponding concrete indices instead."
                )));
            }
            _ => {}
        }
    }
    for (name, kind) in names {
        if kind == NameKind::Index {
            app.catalog.delete_index(&name)?;
        }
    }
    Ok(Reply::acknowledged())
}

/// `GET {index}/_mapping`.
pub(super) fn mapping(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let indices = looked_at(app, call, expression)?;
    let mappings: Vec<(String, Arc<Mapping>)> = indices
        .iter()
        .map(|i| (i.name.clone(), i.mapping()))
        .collect();
    Ok(Reply::json(render_mappings(
        mappings.iter().map(|(n, m)| (n.as_str(), &**m)),
    )))
}

/// `GET {index}/_mapping/field/{fields}`.
pub(super) fn field_mapping(
    app: &App,
    call: &Call,
    expression: &str,
    fields: &str,
) -> EsResult<Reply> {
    let mut out = Map::new();
    for index in looked_at(app, call, expression)? {
        let mapping = index.mapping();
        let mut found = Map::new();
        for pattern in fields.split(',') {
            for field in mapping.fields().iter().filter(|f| glob(pattern, &f.path)) {
                let body = mapping.render_field(&field.path).unwrap_or_default();
                found.insert(field.path.to_string(), body);
            }
        }
        out.insert(index.name.clone(), json!({"mappings": found}));
    }
    Ok(Reply::json(Value::Object(out)))
}

/// `PUT {index}/_mapping`.
pub(super) fn put_mapping(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let body = call.required_object()?;
    let indices = selected(app, call, expression)?;
    for index in &indices {
        // Refused as a whole before anything is changed.
        index.mapping().merged(&body)?;
    }
    for index in indices {
        index.put_mapping(&body)?;
    }
    Ok(Reply::acknowledged())
}

/// `GET {index}/_settings`.
pub(super) fn settings(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let flat = call.flag("flat_settings")?;
    let wanted = match call.parts.iter().position(|part| part == "_settings") {
        Some(at) => call.parts.get(at + 1).map(String::as_str),
        None => None,
    };
    let mut out = Map::new();
    for index in looked_at(app, call, expression)? {
        let facts = index.facts.load();
        let mut body = facts.settings.render_flat();
        if let (Some(names), Some(map)) = (
            wanted.filter(|names| *names != "_all"),
            body.as_object_mut(),
        ) {
            map.retain(|name, _| names.split(',').any(|pattern| glob(pattern, name)));
            if map.is_empty() {
                continue;
            }
        }
        if !flat {
            let listed: BTreeMap<String, Value> = body
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            body = nested(&listed);
        }
        out.insert(index.name.clone(), json!({"settings": body}));
    }
    Ok(Reply::json(Value::Object(out)))
}

/// `PUT {index}/_settings`.
pub(super) fn put_settings(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let body = call.required_json()?;
    let body = match &body {
        Value::Object(members) => members.get("settings").unwrap_or(&body),
        _ => &Value::Null,
    };
    let changes = IndexSettings::parse(body)?;
    if changes.is_empty() {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: no settings to update;",
        ));
    }
    let indices = selected(app, call, expression)?;
    if let Some((fixed, _)) = changes.iter().find(|(name, _)| FIXED.contains(name)) {
        let names: Vec<String> = indices
            .iter()
            .map(|i| format!("[{}/{}]", i.name, i.uuid))
            .collect();
        return Err(EsError::illegal_argument(format!(
            "Can't update non dynamic settings [[{fixed}]] for open indices [{}]",
            names.join(", ")
        )));
    }
    for index in indices {
        index.change(|facts| {
            facts.settings.merge(&changes);
            Ok(())
        })?;
    }
    Ok(Reply::acknowledged())
}

/// `POST {index}/_refresh`: what is written is searchable already.
pub(super) fn refresh(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let count = selected(app, call, expression)?.len();
    Ok(Reply::json(json!({"_shards": shards(count)})))
}

/// `POST {index}/_flush`.
pub(super) fn flush(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let indices = selected(app, call, expression)?;
    for index in &indices {
        index
            .shard
            .seal()
            .map_err(|e| EsError::internal(e.to_string()))?;
    }
    Ok(Reply::json(json!({"_shards": shards(indices.len())})))
}

/// `POST {index}/_forcemerge`.
pub(super) fn force_merge(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let indices = selected(app, call, expression)?;
    let failed = |e: crate::engine::MaintainError| EsError::internal(e.to_string());
    for index in &indices {
        index.shard.seal().map_err(failed)?;
        if let Some(bytes) = index.shard.merge(true).map_err(failed)? {
            app.metrics.merged(bytes);
        }
    }
    Ok(Reply::json(json!({"_shards": shards(indices.len())})))
}

/// `GET _resolve/index/{expression}`.
pub(super) fn resolve(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let options = call.name_options(NameOptions::default())?;
    let state = app.catalog.read();
    let (mut indices, mut aliases, mut streams) = (Vec::new(), Vec::new(), Vec::new());
    for (name, kind) in state.select_names(expression, options, app.catalog.now_ms())? {
        match kind {
            NameKind::Index => {
                let Some(index) = state.indices.get(&name) else {
                    continue;
                };
                let mut body = json!({"name": name, "attributes": ["open"]});
                let facts = index.facts.load();
                if !facts.aliases.is_empty() {
                    body["aliases"] = json!(facts.aliases.keys().collect::<Vec<_>>());
                }
                if let Some(stream) = &index.data_stream {
                    body["data_stream"] = json!(stream);
                    body["attributes"] = json!(["hidden", "open"]);
                }
                indices.push(body);
            }
            NameKind::Alias => {
                let names: Vec<String> = state
                    .alias_indices(&name)
                    .iter()
                    .map(|i| i.name.clone())
                    .collect();
                aliases.push(json!({"name": name, "indices": names}));
            }
            NameKind::DataStream => {
                let names: Vec<String> = state
                    .stream_indices(&name)
                    .iter()
                    .map(|i| i.name.clone())
                    .collect();
                streams.push(json!({"name": name, "backing_indices": names, "timestamp_field": "@timestamp"}));
            }
        }
    }
    Ok(Reply::json(
        json!({"indices": indices, "aliases": aliases, "data_streams": streams}),
    ))
}
