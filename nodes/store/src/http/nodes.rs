//! `_nodes`, `_nodes/stats`, `_stats`; where the one shard of an index is.

use serde_json::{Map, Value, json};
use std::sync::atomic::Ordering;
use wharf_store_core::error::{EsError, EsResult};
use wharf_store_core::wildcard::NameOptions;

use super::indices::selected;
use super::{App, Call, Reply};
use crate::catalog::index::Index;
use crate::engine::ShardStats;

/// `_nodes[/{id}][/stats[/...]]`.
pub(super) fn nodes(app: &App, _call: &Call, rest: &[&str]) -> EsResult<Reply> {
    if rest.contains(&"hot_threads") {
        return Err(EsError::unsupported("_nodes/hot_threads"));
    }
    let id = &app.config.node_id;
    let body = if rest.contains(&"stats") {
        node_stats(app)
    } else {
        node_info(app)
    };
    Ok(Reply::json(json!({
        "_nodes": {"total": 1, "successful": 1, "failed": 0},
        "cluster_name": app.config.cluster_name,
        "nodes": {id: body},
    })))
}

/// The one shard of an index and its node.
fn routing(app: &App) -> Value {
    json!({"state": "STARTED", "primary": true, "node": app.config.node_id})
}

/// `GET {index}/_segments`.
pub(super) fn segments(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let mut indices = Map::new();
    let selected = selected(app, call, expression)?;
    for index in &selected {
        let stats = index.shard.stats();
        let shard = json!({
            "routing": routing(app), "num_committed_segments": stats.segments,
            "num_search_segments": stats.segments, "segments": {},
        });
        indices.insert(index.name.clone(), json!({"shards": {"0": [shard]}}));
    }
    let count = selected.len();
    Ok(Reply::json(json!({
        "_shards": {"total": count, "successful": count, "failed": 0}, "indices": indices,
    })))
}

/// `GET {index}/_recovery`: a shard that is here was read from its own disk.
pub(super) fn recovery(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let mut out = Map::new();
    for index in selected(app, call, expression)? {
        let bytes = index.shard.stats().disk_bytes;
        let node = json!({"id": app.config.node_id, "name": app.config.node_name,
            "ip": app.config.listen.ip().to_string()});
        let shard = json!({
            "id": 0, "type": "EXISTING_STORE", "stage": "DONE", "primary": true, "source": {}, "target": node,
            "index": {"size": {"total_in_bytes": bytes, "reused_in_bytes": bytes, "recovered_in_bytes": 0, "percent": "100.0%"}},
        });
        out.insert(index.name.clone(), json!({"shards": [shard]}));
    }
    Ok(Reply::json(Value::Object(out)))
}

/// `GET {index}/_search_shards`.
pub(super) fn search_shards(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let (mut indices, mut shards) = (Map::new(), Vec::new());
    for index in selected(app, call, expression)? {
        let mut shard = routing(app);
        shard["shard"] = json!(0);
        shard["index"] = json!(index.name);
        shards.push(json!([shard]));
        indices.insert(index.name.clone(), json!({}));
    }
    let id = &app.config.node_id;
    let node = json!({"name": app.config.node_name, "ephemeral_id": id,
        "transport_address": app.config.listen.to_string(), "attributes": {}});
    Ok(Reply::json(
        json!({"nodes": {id: node}, "indices": indices, "shards": shards}),
    ))
}

fn node_info(app: &App) -> Value {
    let address = app.config.listen.to_string();
    json!({
        "name": app.config.node_name,
        "transport_address": address,
        "host": app.config.listen.ip().to_string(),
        "ip": app.config.listen.ip().to_string(),
        "version": app.config.version,
        "build_flavor": "default",
        "build_type": "docker",
        "build_hash": "wharfinger",
        "roles": ["data", "ingest", "master"],
        "attributes": {},
        "settings": {"cluster": {"name": app.config.cluster_name}, "node": {"name": app.config.node_name}},
        "http": {"bound_address": [address], "publish_address": address, "max_content_length_in_bytes": app.config.max_body_bytes()},
        "process": {"id": std::process::id(), "mlockall": false},
        "ingest": {"processors": []},
        "plugins": [],
        "modules": [],
    })
}

fn node_stats(app: &App) -> Value {
    let usage = wharf_runtime::self_usage::SelfUsage::read().unwrap_or_default();
    let space = wharf_runtime::disk::space(&app.config.data_dir).ok();
    let mut total = Sums::default();
    for index in app.catalog.indices() {
        total.add(&index);
    }
    let now = app.catalog.now_ms();
    let fs = json!({
        "total_in_bytes": space.map_or(0, |s| s.total_bytes),
        "free_in_bytes": space.map_or(0, |s| s.free_bytes),
        "available_in_bytes": space.map_or(0, |s| s.available_bytes),
    });
    json!({
        "timestamp": now,
        "name": app.config.node_name,
        "transport_address": app.config.listen.to_string(),
        "host": app.config.listen.ip().to_string(),
        "ip": app.config.listen.ip().to_string(),
        "roles": ["data", "ingest", "master"],
        "indices": total.body(app),
        "os": {"timestamp": now, "mem": {"total_in_bytes": app.config.memory_bytes, "used_in_bytes": usage.resident_bytes}},
        "process": {
            "timestamp": now,
            "cpu": {"total_in_millis": usage.cpu_ms},
            "mem": {"resident_in_bytes": usage.resident_bytes},
        },
        "jvm": {
            "timestamp": now,
            "uptime_in_millis": now - app.started_ms,
            "mem": {
                "heap_used_in_bytes": usage.resident_bytes,
                "heap_max_in_bytes": app.config.memory_bytes,
                "heap_used_percent": usage.resident_bytes * 100 / app.config.memory_bytes.max(1),
            },
            "gc": {"collectors": {}},
        },
        "fs": {"timestamp": now, "total": fs, "data": [fs]},
        "http": {"current_open": 0, "total_opened": app.requests.load(Ordering::Relaxed)},
        "breakers": {},
        "thread_pool": {},
        "transport": {},
        "wharf": {
            "cache_bytes": app.catalog.cache.bytes(),
            "contexts": app.contexts.len(),
            "journal_bytes": app.catalog.journal.bytes(),
        },
    })
}

#[derive(Default)]
struct Sums {
    stats: ShardStats,
    indexed: u64,
    removed: u64,
    searched: u64,
    indices: u64,
}

impl Sums {
    fn add(&mut self, index: &Index) {
        let s = index.shard.stats();
        self.stats.docs += s.docs;
        self.stats.deleted += s.deleted;
        self.stats.disk_bytes += s.disk_bytes;
        self.stats.memory_bytes += s.memory_bytes;
        self.stats.segments += s.segments;
        self.stats.max_seq = self.stats.max_seq.max(s.max_seq);
        self.indexed += index.shard.indexed.load(Ordering::Relaxed);
        self.removed += index.shard.deleted.load(Ordering::Relaxed);
        self.searched += index.shard.searched.load(Ordering::Relaxed);
        self.indices += 1;
    }

    fn body(&self, app: &App) -> Value {
        json!({
            "docs": {"count": self.stats.docs, "deleted": self.stats.deleted},
            "shard_stats": {"total_count": self.indices},
            "store": {"size_in_bytes": self.stats.disk_bytes, "total_data_set_size_in_bytes": self.stats.disk_bytes, "reserved_in_bytes": 0},
            "indexing": {"index_total": self.indexed, "index_time_in_millis": 0, "index_current": 0, "index_failed": 0, "delete_total": self.removed, "delete_time_in_millis": 0, "throttle_time_in_millis": 0, "is_throttled": false, "noop_update_total": 0},
            "get": {"total": 0, "time_in_millis": 0},
            "search": {"query_total": self.searched, "query_time_in_millis": 0, "query_current": 0, "fetch_total": self.searched, "fetch_time_in_millis": 0, "open_contexts": app.contexts.len(), "scroll_total": 0},
            "merges": {"current": 0, "total": 0, "total_time_in_millis": 0, "total_docs": 0, "total_size_in_bytes": 0},
            "refresh": {"total": 0, "total_time_in_millis": 0, "external_total": 0, "external_total_time_in_millis": 0},
            "flush": {"total": 0, "periodic": 0, "total_time_in_millis": 0},
            "query_cache": {"memory_size_in_bytes": 0, "hit_count": 0, "miss_count": 0, "evictions": 0},
            "request_cache": {"memory_size_in_bytes": 0, "hit_count": 0, "miss_count": 0, "evictions": 0},
            "fielddata": {"memory_size_in_bytes": 0, "evictions": 0},
            "segments": {"count": self.stats.segments, "memory_in_bytes": 0, "index_writer_memory_in_bytes": self.stats.memory_bytes, "terms_memory_in_bytes": 0, "stored_fields_memory_in_bytes": 0, "term_vectors_memory_in_bytes": 0, "norms_memory_in_bytes": 0, "points_memory_in_bytes": 0, "doc_values_memory_in_bytes": 0, "version_map_memory_in_bytes": 0, "fixed_bit_set_memory_in_bytes": 0},
            "translog": {"operations": 0, "size_in_bytes": app.catalog.journal.bytes(), "uncommitted_operations": 0, "uncommitted_size_in_bytes": 0},
            "bulk": {"total_operations": 0, "total_time_in_millis": 0, "total_size_in_bytes": 0, "avg_time_in_millis": 0, "avg_size_in_bytes": 0},
            "recovery": {"current_as_source": 0, "current_as_target": 0, "throttle_time_in_millis": 0},
        })
    }
}

/// `[{index}/]_stats[/{metrics}]`.
pub(super) fn stats(app: &App, call: &Call, expression: &str) -> EsResult<Reply> {
    let options = call.name_options(NameOptions {
        hidden: expression == "_all",
        ..NameOptions::default()
    })?;
    let mut all = Sums::default();
    let mut indices = Map::new();
    let metrics: Vec<&str> = call
        .parts
        .iter()
        .skip_while(|p| *p != "_stats")
        .nth(1)
        .map(|m| m.split(',').collect())
        .unwrap_or_default();
    let chosen = |body: Value| -> Value {
        if metrics.is_empty() || metrics.contains(&"_all") {
            return body;
        }
        let mut out = Map::new();
        if let Value::Object(map) = body {
            for (key, value) in map {
                let alike = metrics
                    .iter()
                    .any(|m| *m == key || (*m == "merge" && key == "merges"));
                if alike || key == "shard_stats" {
                    out.insert(key, value);
                }
            }
        }
        Value::Object(out)
    };
    let found = app.catalog.select(expression, options)?;
    for index in &found {
        all.add(index);
        let mut one = Sums::default();
        one.add(index);
        let body = chosen(one.body(app));
        indices.insert(
            index.name.clone(),
            json!({"uuid": index.uuid, "health": "green", "status": "open", "primaries": body, "total": body}),
        );
    }
    let body = chosen(all.body(app));
    let count = found.len();
    Ok(Reply::json(json!({
        "_shards": {"total": count, "successful": count, "failed": 0},
        "_all": {"primaries": body, "total": body},
        "indices": indices,
    })))
}
