//! A watch for tests.

use crate::document::from_text;
use crate::watch::Watch;

/// A watch with one group and the default texts.
pub(crate) const MEMORY: &str = r#"
name: memory
description: The host is short of memory
severity: critical
labels: {team: base}
trigger: {interval: 30s}
input:
  search:
    index: metrics-system.memory-default
    window: 2m
    body:
      query: {range: {"@timestamp": {gte: "{{from}}", lt: "{{to}}"}}}
      aggs:
        host:
          terms: {field: host.name, size: 1000}
          aggs:
            used: {avg: {field: system.memory.actual.used.pct}}
condition:
  each: {buckets: [host], path: used.value, gt: 0.9}
throttle: 30m
recover_after: 2
actions:
  - channel: ops
"#;

pub(crate) fn watch() -> Watch {
    from_text(MEMORY).expect("the fixture is a watch")
}

/// A whole answer with these aggregations.
pub(crate) fn answer(aggregations: serde_json::Value) -> serde_json::Value {
    serde_json::json!({
        "took": 3, "timed_out": false,
        "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "hits": {"total": {"value": 42, "relation": "eq"}, "hits": []},
        "aggregations": aggregations,
    })
}
