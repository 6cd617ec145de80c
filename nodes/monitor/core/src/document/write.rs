//! A watch → the document that says it, every default filled in.
//!
//! Invariant: reading it gives the same watch.

use serde_json::{Map, Value, json};

use crate::span;
use crate::watch::{Action, Condition, Measure, Threshold, Trigger, Watch};

pub(super) fn watch(watch: &Watch) -> Value {
    let trigger = match &watch.trigger {
        Trigger::Interval(every_ms) => json!({ "interval": span::format(*every_ms) }),
        Trigger::Cron(cron) => json!({
            "cron": cron.expression(), "time_zone": cron.time_zone(),
        }),
    };
    let kind = if watch.condition.buckets.is_empty() {
        "compare"
    } else {
        "each"
    };
    json!({
        "name": watch.name,
        "description": watch.description,
        "enabled": watch.enabled,
        "severity": watch.severity.word(),
        "labels": watch.labels,
        "trigger": trigger,
        "input": { "search": {
            "index": watch.input.indices,
            "window": span::format(watch.input.window_ms),
            "body": watch.input.body.value(),
        } },
        "condition": { kind: condition(&watch.condition) },
        "throttle": span::format(watch.throttle_ms),
        "recover_after": watch.recover_after,
        "actions": watch.actions.iter().map(action).collect::<Vec<_>>(),
        "timeout": span::format(watch.timeout_ms),
    })
}

fn condition(condition: &Condition) -> Value {
    let mut map = Map::new();
    if !condition.buckets.is_empty() {
        map.insert("buckets".into(), json!(condition.buckets));
    }
    match &condition.measure {
        Measure::Path(path) => map.insert("path".into(), json!(path)),
        Measure::Ratio { part, whole } => {
            map.insert("ratio".into(), json!({ "part": part, "whole": whole }))
        }
    };
    let threshold = match &condition.threshold {
        Threshold::Number(number) => json!(number),
        Threshold::Text(text) => json!(text),
        Threshold::Truth(truth) => json!(truth),
    };
    map.insert(condition.comparison.word().into(), threshold);
    map.insert("missing".into(), json!(condition.missing.word()));
    map.insert("min_count".into(), json!(condition.min_count));
    Value::Object(map)
}

fn action(action: &Action) -> Value {
    let mut map = Map::new();
    if let Some(channel) = &action.channel {
        map.insert("channel".into(), json!(channel));
    }
    let texts = [
        ("subject", &action.subject),
        ("body", &action.body),
        ("recovered_subject", &action.recovered_subject),
        ("recovered_body", &action.recovered_body),
    ];
    for (name, template) in texts {
        map.insert(name.into(), json!(template.source()));
    }
    Value::Object(map)
}
