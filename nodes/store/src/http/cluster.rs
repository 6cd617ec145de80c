//! Who this server is and how it is: `/`, licence, `_cluster/*`.

use std::collections::BTreeSet;

use http::Method;
use serde_json::{Map, Value, json};
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::settings::{flat, nested};
use wharf_store_core::wildcard::NameOptions;

use super::route::no_handler;
use super::{App, Call, Reply};

/// `GET /`.
pub(super) fn root(app: &App) -> Reply {
    Reply::json(json!({
        "name": app.config.node_name,
        "cluster_name": app.config.cluster_name,
        "cluster_uuid": app.catalog.read().definitions.cluster_uuid,
        "version": {
            "number": app.config.version,
            "build_flavor": "default",
            "build_type": "docker",
            "build_hash": "wharfinger",
            "build_date": "2026-01-01T00:00:00.000000000Z",
            "build_snapshot": false,
            "lucene_version": "9.12.2",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    }))
}

/// `GET _license`.
pub(super) fn license(app: &App) -> Reply {
    Reply::json(json!({"license": {
        "status": "active",
        "uid": app.catalog.read().definitions.cluster_uuid,
        "type": "basic",
        "issue_date_in_millis": app.started_ms,
        "max_nodes": 1000,
        "issued_to": app.config.cluster_name,
        "issuer": "wharfinger",
        "start_date_in_millis": -1,
    }}))
}

/// `GET _xpack`.
pub(super) fn xpack(app: &App) -> Reply {
    let on = json!({"available": true, "enabled": true});
    let off = json!({"available": false, "enabled": false});
    Reply::json(json!({
        "build": {"hash": "wharfinger", "date": "2026-01-01T00:00:00.000Z"},
        "license": {
            "uid": app.catalog.read().definitions.cluster_uuid, "type": "basic", "mode": "basic", "status": "active",
        },
        "features": {
            "ilm": on, "data_streams": on, "security": on, "monitoring": off, "ml": off, "watcher": off,
            "rollup": off, "ccr": off, "sql": off, "eql": off, "graph": off, "transform": off, "slm": off,
        },
        "tagline": "You know, for X",
    }))
}

/// `_cluster/health[/{index}]`. All that is here is green; a name that is not there is waited for in vain.
fn health(app: &App, call: &Call, expression: Option<&str>) -> EsResult<Reply> {
    let options = NameOptions {
        hidden: expression.is_none(),
        ..NameOptions::default()
    };
    let options = call.name_options(options)?;
    let indices = match app.catalog.select(expression.unwrap_or("_all"), options) {
        Ok(indices) => indices,
        Err(error) if error.status() == 404 => {
            let mut body = health_body(app, 0);
            body["status"] = json!("red");
            body["timed_out"] = json!(true);
            return Ok(Reply::status(408, body));
        }
        Err(error) => return Err(error),
    };
    let mut body = health_body(app, indices.len());
    let level = call.param("level").unwrap_or("cluster");
    if matches!(level, "indices" | "shards") {
        let counts = json!({
            "status": "green", "active_shards": 1, "relocating_shards": 0, "initializing_shards": 0,
            "unassigned_shards": 0,
        });
        let one = |index: &std::sync::Arc<crate::catalog::index::Index>| {
            let mut one = counts.clone();
            one["number_of_shards"] = json!(1);
            one["number_of_replicas"] = json!(0);
            one["active_primary_shards"] = json!(1);
            if level == "shards" {
                let mut shard = counts.clone();
                shard["primary_active"] = json!(true);
                one["shards"] = json!({"0": shard});
            }
            (index.name.clone(), one)
        };
        body["indices"] = Value::Object(indices.iter().map(one).collect());
    }
    Ok(Reply::json(body))
}

fn health_body(app: &App, indices: usize) -> Value {
    json!({
        "cluster_name": app.config.cluster_name,
        "status": "green",
        "timed_out": false,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "active_primary_shards": indices,
        "active_shards": indices,
        "relocating_shards": 0,
        "initializing_shards": 0,
        "unassigned_shards": 0,
        "unassigned_primary_shards": 0,
        "delayed_unassigned_shards": 0,
        "number_of_pending_tasks": 0,
        "number_of_in_flight_fetch": 0,
        "task_max_waiting_in_queue_millis": 0,
        "active_shards_percent_as_number": 100.0,
    })
}

/// `_cluster/...`.
pub(super) fn cluster(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    let read = matches!(call.method, Method::GET | Method::HEAD);
    match rest {
        ["health"] if read => health(app, call, None),
        ["health", expression] if read => health(app, call, Some(expression)),
        ["settings"] if read => {
            let state = app.catalog.read();
            let mut body = json!({
                "persistent": nested(&state.definitions.settings), "transient": {},
            });
            if call.flag("include_defaults")? {
                body["defaults"] = json!({
                    "cluster": {"name": app.config.cluster_name},
                    "search": {"max_buckets": "65535"},
                    "action": {"auto_create_index": "true"},
                });
            }
            Ok(Reply::json(body))
        }
        ["settings"] if call.method == Method::PUT => put_settings(app, call),
        ["state", ..] if read => {
            let names = match rest.get(2) {
                None => None,
                Some(expression) => {
                    let options = call.name_options(NameOptions::default())?;
                    let indices = app.catalog.select(expression, options)?;
                    Some(indices.iter().map(|index| index.name.clone()).collect())
                }
            };
            Ok(Reply::json(state(app, rest.get(1).copied(), names)))
        }
        ["stats", ..] if read => Ok(Reply::json(stats(app))),
        ["pending_tasks"] if read => Ok(Reply::json(json!({"tasks": []}))),
        [
            "health" | "settings" | "state" | "stats" | "pending_tasks",
            ..,
        ] => Err(super::route::wrong_method(call, "GET")),
        _ => Err(no_handler(call)),
    }
}

/// Settings that mean something here; others are refused.
const KNOWN: [&str; 2] = ["action.auto_create_index", "search.max_buckets"];

fn put_settings(app: &App, call: &Call) -> EsResult<Reply> {
    let body = call.required_json()?;
    let mut changes = std::collections::BTreeMap::new();
    for (key, value) in body.as_object().into_iter().flatten() {
        if !matches!(key.as_str(), "persistent" | "transient") {
            // Other sections are passed over, as in OpenSearch.
            continue;
        }
        for (name, value) in flat(value)? {
            if !KNOWN.contains(&name.as_str()) {
                return Err(EsError::new(
                    400,
                    "settings_exception",
                    format!(
                        "{key} setting [{name}], not recognized or not supported by this store"
                    ),
                ));
            }
            check_setting(&name, &value)?;
            changes.insert(name, value);
        }
    }
    if changes.is_empty() {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: no settings to update;",
        ));
    }
    app.catalog.define(|d| {
        for (name, value) in &changes {
            if value.is_null() {
                d.settings.remove(name);
            } else {
                d.settings.insert(name.clone(), value.clone());
            }
        }
        Ok(())
    })?;
    Ok(Reply::json(json!({
        "acknowledged": true, "persistent": nested(&changes), "transient": {},
    })))
}

fn check_setting(name: &str, value: &Value) -> EsResult<()> {
    let text = value.as_str().unwrap_or_default();
    let right = match name {
        _ if value.is_null() => true,
        "search.max_buckets" => text.parse::<u32>().is_ok(),
        // Patterns are not done, and a flag must not be taken for one.
        _ => matches!(text, "true" | "false"),
    };
    if right {
        return Ok(());
    }
    Err(EsError::illegal_argument(format!(
        "Failed to parse value [{text}] for setting [{name}]"
    )))
}

fn state(app: &App, metrics: Option<&str>, names: Option<BTreeSet<String>>) -> Value {
    let named = |name: &String| names.as_ref().is_none_or(|names| names.contains(name));
    let wanted = |name: &str| {
        metrics.is_none_or(|m| m.split(',').any(|part| part == name || part == "_all"))
    };
    let state = app.catalog.read();
    let id = &app.config.node_id;
    let mut out = Map::new();
    out.insert("cluster_name".into(), json!(app.config.cluster_name));
    out.insert("cluster_uuid".into(), json!(state.definitions.cluster_uuid));
    if wanted("version") {
        out.insert("version".into(), json!(1));
        out.insert("state_uuid".into(), json!(state.definitions.cluster_uuid));
    }
    if wanted("master_node") {
        out.insert("master_node".into(), json!(id));
    }
    if wanted("nodes") {
        out.insert("nodes".into(), json!({id: {
            "name": app.config.node_name, "ephemeral_id": id,
            "transport_address": app.config.listen.to_string(), "attributes": {}, "roles": ["data", "ingest", "master"],
        }}));
    }
    if wanted("metadata") {
        let indices: Map<String, Value> = state
            .indices
            .values()
            .filter(|i| named(&i.name))
            .map(|i| {
                let facts = i.facts.load();
                (
                    i.name.clone(),
                    json!({
                        "state": "open",
                        "settings": facts.settings.render(),
                        "mappings": {"_doc": i.mapping().render()},
                        "aliases": facts.aliases.keys().collect::<Vec<_>>(),
                    }),
                )
            })
            .collect();
        out.insert(
            "metadata".into(),
            json!({
                "cluster_uuid": state.definitions.cluster_uuid,
                "templates": state.definitions.templates.render_legacy("*").unwrap_or_default(),
                "indices": indices,
            }),
        );
    }
    if wanted("routing_table") {
        let indices: Map<String, Value> = state
            .indices
            .keys()
            .filter(|name| named(name))
            .map(|name| (name.clone(), json!({"shards": {"0": [{
                "state": "STARTED", "primary": true, "node": id, "relocating_node": null, "shard": 0, "index": name,
            }]}})))
            .collect();
        out.insert("routing_table".into(), json!({"indices": indices}));
    }
    if wanted("blocks") {
        out.insert("blocks".into(), json!({}));
    }
    Value::Object(out)
}

fn stats(app: &App) -> Value {
    let (mut docs, mut deleted, mut bytes, mut segments) = (0, 0, 0, 0);
    let indices = app.catalog.indices();
    for index in &indices {
        let stats = index.shard.stats();
        docs += stats.docs;
        deleted += stats.deleted;
        bytes += stats.disk_bytes;
        segments += stats.segments;
    }
    let space = wharf_runtime::disk::space(&app.config.data_dir).ok();
    let count = indices.len();
    json!({
        "cluster_name": app.config.cluster_name,
        "cluster_uuid": app.catalog.read().definitions.cluster_uuid,
        "timestamp": app.catalog.now_ms(),
        "status": "green",
        "indices": {
            "count": count,
            "shards": {"total": count, "primaries": count, "replication": 0.0},
            "docs": {"count": docs, "deleted": deleted},
            "store": {"size_in_bytes": bytes, "total_data_set_size_in_bytes": bytes},
            "fielddata": {"memory_size_in_bytes": 0, "evictions": 0},
            "segments": {"count": segments},
        },
        "nodes": {
            "count": {"total": 1, "data": 1, "master": 1, "ingest": 1},
            "versions": [app.config.version],
            "fs": {
                "total_in_bytes": space.map_or(0, |s| s.total_bytes),
                "free_in_bytes": space.map_or(0, |s| s.free_bytes),
                "available_in_bytes": space.map_or(0, |s| s.available_bytes),
            },
            "jvm": {
                "max_uptime_in_millis": app.catalog.now_ms() - app.started_ms,
                "mem": {"heap_used_in_bytes": 0, "heap_max_in_bytes": app.config.memory_bytes},
            },
        },
    })
}
