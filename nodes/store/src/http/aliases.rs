//! Aliases: shown, added, removed, several at once.
//!
//! Invariants: what cannot be done as a whole is refused before anything is changed; an alias has at most one write index.
//! Not here: what an alias is (core), searching through its filter (`scope`).

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::template::Alias;
use wharf_store_core::wildcard::{NameOptions, glob};

use super::indices::selected;
use super::route::no_handler;
use super::{App, Call, Reply};
use crate::catalog::index::Index;
use crate::catalog::resolve::NameKind;

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
            if args.get("filter").is_some_and(Value::is_array) {
                return Err(EsError::json_parse(format!(
                    "[{verb}] filter doesn't support values of type: START_ARRAY"
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
