//! Data streams: made, listed, removed, rolled over, and what ends their indices.

use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};
use wharf_store_core::columns::Column;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::lifecycle::{
    RolloverConditions, bytes_text, duration_text, next_rollover_name,
};
use wharf_store_core::template::IndexBody;
use wharf_store_core::wildcard::NameOptions;

use super::route::no_handler;
use super::{App, Call, Reply};
use crate::catalog::index::Index;
use crate::catalog::resolve::{NameKind, WriteTarget};
use crate::lifecycle_task::{Rule, rule_of};

/// The field by which documents of a data stream have a time.
const TIMESTAMP: &str = "@timestamp";

fn names(app: &App, expression: &str, options: NameOptions) -> EsResult<Vec<String>> {
    let state = app.catalog.read();
    let found = state.select_names(expression, options, app.catalog.now_ms())?;
    Ok(found
        .into_iter()
        .filter(|(_, k)| *k == NameKind::DataStream)
        .map(|(n, _)| n)
        .collect())
}

/// Who ends indices, in Elasticsearch's words: the instance does, and follows the policy that an index names.
const MANAGED_BY: &str = "Data stream lifecycle";

/// The rule of a data stream and the policy that its newest index names; none while it has no index.
fn rule(app: &App, name: &str) -> Option<(Rule, Option<String>)> {
    let indices = app.catalog.read().stream_indices(name);
    let newest = indices.last()?;
    let policy = newest.setting("index.lifecycle.name");
    Some((rule_of(app, name, newest), policy))
}

/// A rule as Elasticsearch tells a lifecycle.
fn lifecycle(rule: &Rule, with_rollover: bool) -> Value {
    let mut told = Map::new();
    told.insert("enabled".to_owned(), json!(true));
    if let Some(ms) = rule.delete_after_ms {
        if rule.by_policy {
            told.insert("data_retention".to_owned(), json!(duration_text(ms)));
        }
        told.insert("effective_retention".to_owned(), json!(duration_text(ms)));
        let by = match rule.by_policy {
            true => "data_stream_configuration",
            false => "default_global_retention",
        };
        told.insert("retention_determined_by".to_owned(), json!(by));
    }
    if with_rollover {
        let (when, mut rollover) = (&rule.rollover, Map::new());
        let mut set = |name: &str, value: Option<Value>| {
            rollover.extend(value.map(|value| (name.to_owned(), value)));
        };
        let age = |ms: Option<i64>| ms.map(|ms| json!(duration_text(ms)));
        let size = |bytes: Option<u64>| bytes.map(|bytes| json!(bytes_text(bytes)));
        set("max_age", age(when.max_age_ms));
        set("max_primary_shard_size", size(when.max_bytes));
        set(
            "max_primary_shard_docs",
            when.max_docs.map(|docs| json!(docs)),
        );
        set("min_age", age(when.min_age_ms));
        set("min_primary_shard_size", size(when.min_bytes));
        // An empty index is never rolled over.
        set("min_docs", Some(json!(when.min_docs.unwrap_or(1))));
        told.insert("rollover".to_owned(), Value::Object(rollover));
    }
    Value::Object(told)
}

/// `_data_stream/{name}/_lifecycle`.
fn lifecycles(app: &App, call: &Call, expression: &str, options: NameOptions) -> EsResult<Reply> {
    let with_rollover = call.flag("include_defaults")?;
    let found = names(app, expression, options)?;
    if found.is_empty() && !expression.contains('*') {
        return Err(EsError::index_not_found(expression));
    }
    let list: Vec<Value> = found
        .iter()
        .filter_map(|name| {
            let (rule, _) = rule(app, name)?;
            Some(json!({"name": name, "lifecycle": lifecycle(&rule, with_rollover)}))
        })
        .collect();
    Ok(Reply::json(json!({ "data_streams": list })))
}

fn describe(app: &App, name: &str) -> Option<Value> {
    let ruled = rule(app, name);
    let state = app.catalog.read();
    let stream = state.definitions.data_streams.get(name)?;
    let indices: Vec<Value> = state
        .stream_indices(name)
        .iter()
        .map(|i| json!({"index_name": i.name, "index_uuid": i.uuid, "prefer_ilm": false, "managed_by": MANAGED_BY}))
        .collect();
    let mut told = json!({
        "name": name,
        "timestamp_field": {"name": "@timestamp"},
        "indices": indices,
        "generation": stream.generation,
        "status": "GREEN",
        "template": stream.template,
        "hidden": stream.hidden,
        "system": false,
        "allow_custom_routing": false,
        "replicated": false,
        "rollover_on_write": false,
        "prefer_ilm": false,
        "next_generation_managed_by": MANAGED_BY,
    });
    if let Some((rule, policy)) = ruled {
        told["lifecycle"] = lifecycle(&rule, false);
        if let Some(policy) = policy {
            told["ilm_policy"] = json!(policy);
        }
    }
    Some(told)
}

/// `_data_stream[/{name}[/_stats|/_lifecycle]]`.
pub(super) fn data_stream(app: &App, call: &Call, rest: &[&str]) -> EsResult<Reply> {
    let options = call.name_options(NameOptions::default())?;
    match (&call.method, rest) {
        (&Method::PUT, [name]) => {
            app.catalog.create_data_stream(name)?;
            Ok(Reply::acknowledged())
        }
        (&Method::GET | &Method::HEAD, ["_stats"]) => stats(app, "*", options),
        (&Method::GET | &Method::HEAD, [name, "_stats"]) => stats(app, name, options),
        (&Method::GET | &Method::HEAD, [name, "_lifecycle"]) => {
            lifecycles(app, call, name, options)
        }
        (&Method::GET | &Method::HEAD, [] | [_]) => {
            let expression = rest.first().copied().unwrap_or("*");
            let found = names(app, expression, options)?;
            if found.is_empty() && !expression.contains('*') {
                return Err(EsError::index_not_found(expression));
            }
            let list: Vec<Value> = found.iter().filter_map(|n| describe(app, n)).collect();
            Ok(Reply::json(json!({"data_streams": list})))
        }
        (&Method::DELETE, [expression]) => {
            let found = names(app, expression, options)?;
            if found.is_empty() && !expression.contains('*') {
                return Err(EsError::index_not_found(expression));
            }
            for name in found {
                app.catalog.delete_data_stream(&name)?;
            }
            Ok(Reply::acknowledged())
        }
        _ => Err(no_handler(call)),
    }
}

/// Time of the newest document: in the last index that has one with a time. Zero when none has.
fn newest_ms(indices: &[Arc<Index>]) -> i64 {
    let newest = |index: &Arc<Index>| {
        let segments = index.shard.views().segments();
        let times = segments
            .iter()
            .filter_map(|segment| match segment.column(TIMESTAMP) {
                Some(Column::Date(times)) => times.min_max(),
                _ => None,
            });
        times.map(|(_, newest)| newest).max()
    };
    indices.iter().rev().find_map(newest).unwrap_or(0)
}

fn stats(app: &App, expression: &str, options: NameOptions) -> EsResult<Reply> {
    let mut list = Vec::new();
    let (mut backing, mut bytes) = (0, 0);
    for name in names(app, expression, options)? {
        let indices = app.catalog.read().stream_indices(&name);
        let size: u64 = indices.iter().map(|i| i.shard.stats().disk_bytes).sum();
        let newest = newest_ms(&indices);
        backing += indices.len();
        bytes += size;
        list.push(json!({"data_stream": name, "backing_indices": indices.len(), "store_size_bytes": size, "maximum_timestamp": newest}));
    }
    Ok(Reply::json(json!({
        "_shards": {"total": backing, "successful": backing, "failed": 0},
        "data_stream_count": list.len(),
        "backing_indices": backing,
        "total_store_size_bytes": bytes,
        "data_streams": list,
    })))
}

/// `POST {stream or alias}/_rollover[/{new name}]`.
pub(super) fn rollover(app: &App, call: &Call, name: &str) -> EsResult<Reply> {
    let mut body = call.json()?;
    let known = ["conditions", "settings", "mappings", "aliases"];
    let unknown = body.as_object().into_iter().flat_map(|map| map.keys());
    if let Some(unknown) = unknown
        .into_iter()
        .find(|key| !known.contains(&key.as_str()))
    {
        return Err(EsError::json_parse(format!(
            "[rollover] unknown field [{unknown}]"
        )));
    }
    let conditions = body
        .as_object_mut()
        .and_then(|map| map.shift_remove("conditions"))
        .unwrap_or_else(|| json!({}));
    let conditions = RolloverConditions::parse(&conditions)?;
    let body = IndexBody::parse(&body)?;
    let kind = app.catalog.read().kind_of(name);
    let dry = call.flag("dry_run")?;
    if !matches!(kind, Some(NameKind::DataStream | NameKind::Alias)) {
        return Err(EsError::illegal_argument(format!(
            "rollover target [{name}] does not exist or is not an alias or data stream"
        )));
    }
    let WriteTarget::Index { index, .. } = app.catalog.write_target(name)? else {
        return Err(EsError::index_not_found(name));
    };
    let (judged, due) = conditions.judge(&index.facts_now(true), app.catalog.now_ms());
    let judged: Value = judged
        .into_iter()
        .map(|(text, holds)| (text, json!(holds)))
        .collect();
    let old = index.name.clone();
    let (rolled, new) = match kind {
        Some(NameKind::DataStream) if due && !dry => (true, app.catalog.rollover_stream(name)?.1),
        Some(NameKind::Alias) if due && !dry => (
            true,
            app.catalog
                .rollover_alias(name, call.parts.get(2).map(String::as_str), body)?
                .1,
        ),
        Some(NameKind::DataStream) => (false, String::new()),
        _ => (false, next_rollover_name(&old).unwrap_or_default()),
    };
    Ok(Reply::json(json!({
        "acknowledged": rolled, "shards_acknowledged": rolled, "old_index": old, "new_index": new,
        "rolled_over": rolled, "dry_run": dry, "conditions": judged,
    })))
}
