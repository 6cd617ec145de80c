//! The templates that a new store begins with: `logs-*-*` and `metrics-*-*` data streams in the Elastic Common Schema.
//! Invariants: they are valid; their priority is 100 as Elasticsearch's, so that a user's own templates can come before.
//! Not here: templates that Beats bring themselves.

use super::Templates;
use crate::error::EsResult;
use serde_json::{Value, json};

/// The templates of a new store.
///
/// # Errors
/// Never in practice: a test puts them.
pub fn builtin_templates() -> EsResult<Templates> {
    let mut templates = Templates::default();
    templates.put_component("ecs@mappings", &ecs(), false)?;
    for kind in ["logs", "metrics"] {
        let body = json!({
            "index_patterns": [format!("{kind}-*-*")],
            "priority": 100,
            "data_stream": {},
            "composed_of": ["ecs@mappings"],
            "template": {"settings": {"index": {"mapping": {"total_fields": {"limit": 10000}}}}},
            "_meta": {"managed": true},
        });
        templates.put_index(kind, &body, false)?;
    }
    Ok(templates)
}

fn ecs() -> Value {
    let keyword = json!({"type": "keyword", "ignore_above": 1024});
    let text = json!({"type": "match_only_text"});
    // Whole numbers at first sight, fractions later.
    let float = json!({"type": "float"});
    json!({"template": {"mappings": {
        "date_detection": false,
        "dynamic_templates": [
            {"labels": {"path_match": ["labels.*", "*.labels.*"], "match_mapping_type": "string", "mapping": keyword}},
            {"ips": {"match": ["ip", "*_ip", "ip_addresses"], "match_mapping_type": "string", "mapping": {"type": "ip", "ignore_malformed": true}}},
            {"dates": {
                "match": ["created", "started", "ingested", "start_time", "start_date", "end_date", "started_at", "state_since"],
                "match_mapping_type": "string",
                "mapping": {"type": "date", "ignore_malformed": true}
            }},
            {"texts": {
                "match": ["message", "stack_trace", "description"],
                "match_mapping_type": "string",
                "mapping": text
            }},
            {"shares": {"match": ["pct", "*_pct", "usage", "rate"], "match_mapping_type": ["long", "double"], "mapping": float}},
            {"loads": {"path_match": ["system.load.*", "docker.network.in.*", "docker.network.out.*"],
                "path_unmatch": ["system.load.cores"], "match_mapping_type": ["long", "double"], "mapping": float}},
            {"doubles": {"match_mapping_type": "double", "mapping": {"type": "double"}}},
            {"strings": {"match_mapping_type": "string", "mapping": keyword}}
        ],
        "properties": {
            "@timestamp": {"type": "date"},
            "message": text,
            "data_stream": {"properties": {
                "type": {"type": "keyword"}, "dataset": {"type": "keyword"}, "namespace": {"type": "keyword"}}},
            "event": {"properties": {"duration": {"type": "long"}, "created": {"type": "date"}, "ingested": {"type": "date"}}},
            "log": {"properties": {"level": keyword, "offset": {"type": "long"}}},
        }
    }}})
}
