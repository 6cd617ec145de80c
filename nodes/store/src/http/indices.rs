//! Indices by name: create, delete, look at; mappings, settings, aliases; refresh, flush, merge.
//!
//! Not here: data streams (`streams`), templates.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};
use wharf_store_core::datemath::index_name;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::mapping::{Mapping, render_mappings};
use wharf_store_core::settings::IndexSettings;
use wharf_store_core::template::{Alias, IndexBody};
use wharf_store_core::wildcard::{NameOptions, glob};

use super::route::{no_handler, wrong_method};
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

/// What an action on an alias may say; what of it is not done is refused where the alias is read.
const ACTION: [&str; 11] = [
    "index",
    "indices",
    "alias",
    "aliases",
    "must_exist",
    "filter",
    "routing",
    "index_routing",
    "search_routing",
    "is_write_index",
    "is_hidden",
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
    let mut out = Map::new();
    for index in looked_at(app, call, expression)? {
        let facts = index.facts.load();
        let body = if flat {
            facts.settings.render_flat()
        } else {
            facts.settings.render()
        };
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

/// `GET _alias[/{alias}]`, `GET {index}/_alias[/{alias}]`.
pub(super) fn aliases_of(
    app: &App,
    call: &Call,
    expression: &str,
    alias: Option<&str>,
) -> EsResult<Reply> {
    let mut out = Map::new();
    let patterns: Vec<&str> = alias.into_iter().flat_map(|a| a.split(',')).collect();
    let wanted =
        |name: &str| patterns.is_empty() || patterns.iter().any(|p| *p == "_all" || glob(p, name));
    let options = NameOptions {
        hidden: true,
        ..NameOptions::default()
    };
    for index in app
        .catalog
        .select(expression, call.name_options(options)?)?
    {
        let facts = index.facts.load();
        let found: BTreeMap<&String, &Alias> =
            facts.aliases.iter().filter(|(n, _)| wanted(n)).collect();
        if patterns.is_empty() && !(index.hidden() && expression == "_all") || !found.is_empty() {
            out.insert(index.name.clone(), json!({"aliases": found}));
        }
    }
    let missing: Vec<&str> = patterns
        .iter()
        .copied()
        .filter(|p| !p.contains('*') && *p != "_all")
        .filter(|p| !out.values().any(|v| v["aliases"].get(p).is_some()))
        .collect();
    if call.method == Method::HEAD {
        return Ok(Reply::empty(if missing.is_empty() && !out.is_empty() {
            200
        } else {
            404
        }));
    }
    if !missing.is_empty() {
        let plural = if missing.len() == 1 {
            "alias"
        } else {
            "aliases"
        };
        out.insert(
            "error".into(),
            json!(format!("{plural} [{}] missing", missing.join(","))),
        );
        out.insert("status".into(), json!(404));
        return Ok(Reply::status(404, Value::Object(out)));
    }
    Ok(Reply::json(Value::Object(out)))
}

/// `{index}/_alias[/{alias}]`.
pub(super) fn alias(
    app: &App,
    call: &Call,
    expression: &str,
    alias: Option<&str>,
) -> EsResult<Reply> {
    match (&call.method, alias) {
        (&Method::GET | &Method::HEAD, _) => aliases_of(app, call, expression, alias),
        (&Method::PUT | &Method::POST, Some(name)) => {
            let facts = Alias::parse(name, &call.json()?)?;
            for index in selected(app, call, expression)? {
                add_alias(app, &index, name, facts.clone())?;
            }
            Ok(Reply::acknowledged())
        }
        (&Method::DELETE, Some(names)) => {
            let mut removed = false;
            for index in selected(app, call, expression)? {
                removed |= remove_alias(&index, names)?;
            }
            if removed {
                Ok(Reply::acknowledged())
            } else {
                Err(EsError::new(
                    404,
                    "aliases_not_found_exception",
                    format!("aliases [{names}] missing"),
                ))
            }
        }
        _ => Err(no_handler(call)),
    }
}

fn add_alias(app: &App, index: &Index, name: &str, alias: Alias) -> EsResult<()> {
    let kind = app.catalog.read().kind_of(name);
    if kind.is_some_and(|k| k != NameKind::Alias) {
        return Err(EsError::new(
            400,
            "invalid_alias_name_exception",
            format!(
                "Invalid alias name [{name}]: an index or data stream exists with the same name as the alias"
            ),
        ));
    }
    if alias.is_write_index == Some(true) {
        let other = app
            .catalog
            .read()
            .alias_indices(name)
            .into_iter()
            .find(|i| {
                i.name != index.name
                    && i.facts
                        .load()
                        .aliases
                        .get(name)
                        .and_then(|a| a.is_write_index)
                        == Some(true)
            });
        if let Some(other) = other {
            let both = format!("{},{}", other.name, index.name);
            return Err(two_write_indices(name, &both));
        }
    }
    index.change(|facts| {
        facts.aliases.insert(name.to_owned(), alias);
        Ok(())
    })
}

/// Refuses changes that would give an alias two write indices, before any of them is made.
fn check_write_indices(
    app: &App,
    removes: &[(Arc<Index>, String, bool)],
    adds: &[(Arc<Index>, String, Alias)],
) -> EsResult<()> {
    for (_, name, _) in adds {
        let gone = |index: &Index| {
            let hit = |(from, pattern, _): &(Arc<Index>, String, bool)| {
                from.name == index.name && (pattern == "_all" || glob(pattern, name))
            };
            removes.iter().any(hit)
        };
        let added = |index: &Index| {
            adds.iter()
                .rev()
                .find(|(to, alias, _)| to.name == index.name && alias == name)
                .map(|(_, _, alias)| alias.is_write_index)
        };
        let now = app.catalog.read().alias_indices(name);
        let kept = now.iter().filter(|i| !gone(i) && added(i).is_none());
        let mut writes: Vec<&str> = kept
            .filter(|i| {
                let facts = i.facts.load();
                facts.aliases.get(name).and_then(|a| a.is_write_index) == Some(true)
            })
            .map(|i| i.name.as_str())
            .collect();
        let given = adds
            .iter()
            .filter(|(to, alias, _)| alias == name && added(to) == Some(Some(true)));
        writes.extend(given.map(|(to, _, _)| to.name.as_str()));
        writes.sort_unstable();
        writes.dedup();
        if writes.len() > 1 {
            return Err(two_write_indices(name, &writes.join(",")));
        }
    }
    Ok(())
}

fn two_write_indices(alias: &str, indices: &str) -> EsError {
    EsError::new(
        500,
        "illegal_state_exception",
        format!("alias [{alias}] has more than one write index [{indices}]"),
    )
}

fn remove_alias(index: &Index, names: &str) -> EsResult<bool> {
    let patterns: Vec<&str> = names.split(',').collect();
    let hit = |name: &str| patterns.iter().any(|p| *p == "_all" || glob(p, name));
    if !index.facts.load().aliases.keys().any(|n| hit(n)) {
        return Ok(false);
    }
    index.change(|facts| {
        facts.aliases.retain(|name, _| !hit(name));
        Ok(())
    })?;
    Ok(true)
}

/// `POST _aliases`. Removals come first, so that a write index can move.
pub(super) fn change_aliases(app: &App, call: &Call) -> EsResult<Reply> {
    let body = call.required_json()?;
    let members = body
        .as_object()
        .ok_or_else(|| EsError::json_parse("[aliases] Expected START_OBJECT"))?;
    if let Some(unknown) = members.keys().find(|key| *key != "actions") {
        return Err(EsError::json_parse(format!(
            "[aliases] unknown field [{unknown}]"
        )));
    }
    if members
        .get("actions")
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty)
    {
        return Err(EsError::illegal_argument("No action specified"));
    }
    let mut adds: Vec<(Arc<Index>, String, Alias)> = Vec::new();
    let mut removes: Vec<(Arc<Index>, String, bool)> = Vec::new();
    let mut drops: Vec<String> = Vec::new();
    let texts = |body: &Value, one: &str, many: &str| -> Vec<String> {
        match (body.get(one), body.get(many)) {
            (Some(Value::String(s)), _) | (_, Some(Value::String(s))) => vec![s.clone()],
            (_, Some(Value::Array(a))) => a
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        }
    };
    for action in body
        .get("actions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        for (verb, args) in action.as_object().into_iter().flatten() {
            let expression = texts(args, "index", "indices").join(",");
            let names = texts(args, "alias", "aliases");
            if verb == "remove_index" {
                drops.extend(
                    app.catalog
                        .select(&expression, NameOptions::default())?
                        .iter()
                        .map(|i| i.name.clone()),
                );
                continue;
            }
            if !matches!(verb.as_str(), "add" | "remove") {
                return Err(EsError::json_parse(format!(
                    "[alias_action] unknown field [{verb}]"
                )));
            }
            let unknown = args.as_object().into_iter().flat_map(Map::keys);
            if let Some(unknown) = unknown.into_iter().find(|k| !ACTION.contains(&k.as_str())) {
                return Err(EsError::json_parse(format!(
                    "[{verb}] unknown field [{unknown}]"
                )));
            }
            if expression.is_empty() || names.is_empty() {
                return Err(
                    EsError::json_parse("[aliases] failed to parse field [actions]").caused_by(
                        EsError::illegal_argument(
                            "One of [index] or [indices] is required, and one of [alias] or [aliases]",
                        ),
                    ),
                );
            }
            let indices = app.catalog.select(&expression, NameOptions::default())?;
            for name in names {
                for index in &indices {
                    match verb.as_str() {
                        "add" => {
                            let mut rest = args.clone();
                            if let Value::Object(map) = &mut rest {
                                for key in ["index", "indices", "alias", "aliases", "must_exist"] {
                                    map.shift_remove(key);
                                }
                            }
                            adds.push((
                                Arc::clone(index),
                                name.clone(),
                                Alias::parse(&name, &rest)?,
                            ));
                        }
                        _ => {
                            let must = args
                                .get("must_exist")
                                .and_then(Value::as_bool)
                                .unwrap_or(true);
                            removes.push((Arc::clone(index), name.clone(), must));
                        }
                    }
                }
            }
        }
    }
    check_write_indices(app, &removes, &adds)?;
    for (index, name, must) in removes {
        if !remove_alias(&index, &name)? && must {
            return Err(EsError::new(
                404,
                "aliases_not_found_exception",
                format!("aliases [{name}] missing"),
            ));
        }
    }
    for (index, name, alias) in adds {
        add_alias(app, &index, &name, alias)?;
    }
    for name in drops {
        app.catalog.delete_index(&name)?;
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
        index.shard.merge(true).map_err(failed)?;
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
