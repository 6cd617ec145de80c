//! A watch ↔ the API's message.
//!
//! Invariants: a message is read by the same strict reader as a document, so that neither admits
//! what the other refuses; numbers that are zero in a message have the document's defaults.
//! Not here: what is known of a watch's runs (`wharf-monitor`).

use serde_json::{Map, Value, json};
use wharf_proto::monitor::v1;

use crate::document::{DocumentError, reading_of_value};
use crate::evaluate::{Group, GroupKey, GroupState, Measured, Outcome};
use crate::span;
use crate::template;
use crate::watch::{Comparison, Condition, Measure, Missing, Severity, Threshold, Trigger, Watch};

/// Longest evidence in a message, in bytes.
const MAX_EVIDENCE: usize = 2_000;

/// The message that says the watch.
#[must_use]
pub fn to_spec(watch: &Watch) -> v1::WatchSpec {
    let when = match &watch.trigger {
        Trigger::Interval(every_ms) => v1::trigger::When::IntervalMs(*every_ms),
        Trigger::Cron(cron) => v1::trigger::When::Cron(v1::Cron {
            expression: cron.expression().to_owned(),
            time_zone: cron.time_zone().to_owned(),
        }),
    };
    let actions = watch.actions.iter().map(|action| v1::Action {
        channel: action.channel.clone().unwrap_or_default(),
        subject: action.subject.source().to_owned(),
        body: action.body.source().to_owned(),
        recovered_subject: action.recovered_subject.source().to_owned(),
        recovered_body: action.recovered_body.source().to_owned(),
    });
    v1::WatchSpec {
        name: watch.name.clone(),
        description: watch.description.clone(),
        enabled: watch.enabled,
        severity: severity(watch.severity).into(),
        labels: watch.labels.clone().into_iter().collect(),
        trigger: Some(v1::Trigger { when: Some(when) }),
        search: Some(v1::SearchInput {
            indices: watch.input.indices.clone(),
            body_json: watch.input.body.value().to_string(),
            window_ms: watch.input.window_ms,
        }),
        condition: Some(condition(&watch.condition)),
        throttle_ms: watch.throttle_ms,
        recover_after: watch.recover_after,
        actions: actions.collect(),
        timeout_ms: watch.timeout_ms,
    }
}

/// The severity in messages.
#[must_use]
pub fn severity(severity: Severity) -> v1::Severity {
    match severity {
        Severity::Info => v1::Severity::Info,
        Severity::Warning => v1::Severity::Warning,
        Severity::Critical => v1::Severity::Critical,
    }
}

fn condition(condition: &Condition) -> v1::Condition {
    let measure = match &condition.measure {
        Measure::Path(path) => v1::measure::Of::Path(path.clone()),
        Measure::Ratio { part, whole } => v1::measure::Of::Ratio(v1::Ratio {
            part: part.clone(),
            whole: whole.clone(),
        }),
    };
    let measure = Some(v1::Measure { of: Some(measure) });
    let threshold = match &condition.threshold {
        Threshold::Number(number) => v1::threshold::Kind::Number(*number),
        Threshold::Text(text) => v1::threshold::Kind::Text(text.clone()),
        Threshold::Truth(truth) => v1::threshold::Kind::Truth(*truth),
    };
    let threshold = Some(v1::Threshold {
        kind: Some(threshold),
    });
    let comparison = match condition.comparison {
        Comparison::Gt => v1::Comparison::Gt,
        Comparison::Gte => v1::Comparison::Gte,
        Comparison::Lt => v1::Comparison::Lt,
        Comparison::Lte => v1::Comparison::Lte,
        Comparison::Eq => v1::Comparison::Eq,
        Comparison::Ne => v1::Comparison::Ne,
    };
    let missing = match condition.missing {
        Missing::Error => v1::Missing::Error,
        Missing::Ok => v1::Missing::Ok,
        Missing::Fire => v1::Missing::Fire,
    };
    let kind = if condition.buckets.is_empty() {
        v1::condition::Kind::Compare(v1::Compare {
            measure,
            comparison: comparison.into(),
            threshold,
            missing: missing.into(),
            min_count: condition.min_count,
        })
    } else {
        v1::condition::Kind::Each(v1::Each {
            buckets: condition.buckets.clone(),
            measure,
            comparison: comparison.into(),
            threshold,
            missing: missing.into(),
            min_count: condition.min_count,
        })
    };
    v1::Condition { kind: Some(kind) }
}

/// The watch that a message says.
///
/// # Errors
/// When it is no valid watch; the error names the field as documents have it.
pub fn from_spec(spec: &v1::WatchSpec) -> Result<Watch, DocumentError> {
    let mut map = Map::new();
    let mut set = |name: &str, value: Value| map.insert(name.to_owned(), value);
    set("name", json!(spec.name));
    set("description", json!(spec.description));
    set("enabled", json!(spec.enabled));
    let severity = match spec.severity() {
        v1::Severity::Info => Severity::Info,
        v1::Severity::Unspecified | v1::Severity::Warning => Severity::Warning,
        v1::Severity::Critical => Severity::Critical,
    };
    set("severity", json!(severity.word()));
    set("labels", json!(spec.labels));
    match spec
        .trigger
        .as_ref()
        .and_then(|trigger| trigger.when.as_ref())
    {
        Some(v1::trigger::When::IntervalMs(every_ms)) => {
            set("trigger", json!({ "interval": span::format(*every_ms) }));
        }
        Some(v1::trigger::When::Cron(cron)) => {
            let mut trigger = json!({ "cron": cron.expression });
            if !cron.time_zone.is_empty() {
                trigger["time_zone"] = json!(cron.time_zone);
            }
            set("trigger", trigger);
        }
        None => {}
    }
    if let Some(search) = &spec.search {
        let body: Value =
            serde_json::from_str(&search.body_json).map_err(|error| DocumentError {
                place: None,
                field: "input.search.body".to_owned(),
                message: format!("is no JSON: {error}"),
            })?;
        let mut input = json!({ "index": search.indices, "body": body });
        if search.window_ms > 0 {
            input["window"] = json!(span::format(search.window_ms));
        }
        set("input", json!({ "search": input }));
    }
    match spec
        .condition
        .as_ref()
        .and_then(|condition| condition.kind.as_ref())
    {
        Some(v1::condition::Kind::Compare(compare)) => {
            let judged = judged(
                &compare.measure,
                compare.comparison(),
                &compare.threshold,
                compare.missing(),
                compare.min_count,
            );
            set("condition", json!({ "compare": judged }));
        }
        Some(v1::condition::Kind::Each(each)) => {
            let mut judged = judged(
                &each.measure,
                each.comparison(),
                &each.threshold,
                each.missing(),
                each.min_count,
            );
            judged.insert("buckets".into(), json!(each.buckets));
            set("condition", json!({ "each": judged }));
        }
        None => {}
    }
    if spec.throttle_ms > 0 {
        set("throttle", json!(span::format(spec.throttle_ms)));
    }
    if spec.recover_after > 0 {
        set("recover_after", json!(spec.recover_after));
    }
    if spec.timeout_ms > 0 {
        set("timeout", json!(span::format(spec.timeout_ms)));
    }
    set(
        "actions",
        json!(spec.actions.iter().map(action).collect::<Vec<_>>()),
    );
    reading_of_value(&Value::Object(map))
}

fn action(action: &v1::Action) -> Value {
    let texts = [
        ("channel", &action.channel),
        ("subject", &action.subject),
        ("body", &action.body),
        ("recovered_subject", &action.recovered_subject),
        ("recovered_body", &action.recovered_body),
    ];
    let given = texts.into_iter().filter(|(_, text)| !text.is_empty());
    Value::Object(
        given
            .map(|(name, text)| (name.to_owned(), json!(text)))
            .collect(),
    )
}

fn judged(
    measure: &Option<v1::Measure>,
    comparison: v1::Comparison,
    threshold: &Option<v1::Threshold>,
    missing: v1::Missing,
    min_count: u64,
) -> Map<String, Value> {
    let mut map = Map::new();
    match measure.as_ref().and_then(|measure| measure.of.as_ref()) {
        Some(v1::measure::Of::Path(path)) => {
            map.insert("path".into(), json!(path));
        }
        Some(v1::measure::Of::Ratio(ratio)) => {
            let ratio = json!({ "part": ratio.part, "whole": ratio.whole });
            map.insert("ratio".into(), ratio);
        }
        None => {}
    }
    let word = match comparison {
        v1::Comparison::Unspecified => None,
        v1::Comparison::Gt => Some(Comparison::Gt),
        v1::Comparison::Gte => Some(Comparison::Gte),
        v1::Comparison::Lt => Some(Comparison::Lt),
        v1::Comparison::Lte => Some(Comparison::Lte),
        v1::Comparison::Eq => Some(Comparison::Eq),
        v1::Comparison::Ne => Some(Comparison::Ne),
    };
    let limit = match threshold.as_ref().and_then(|limit| limit.kind.as_ref()) {
        Some(v1::threshold::Kind::Number(number)) => json!(number),
        Some(v1::threshold::Kind::Text(text)) => json!(text),
        Some(v1::threshold::Kind::Truth(truth)) => json!(truth),
        None => Value::Null,
    };
    if let Some(comparison) = word {
        map.insert(comparison.word().into(), limit);
    }
    let missing = match missing {
        v1::Missing::Unspecified | v1::Missing::Error => Missing::Error,
        v1::Missing::Ok => Missing::Ok,
        v1::Missing::Fire => Missing::Fire,
    };
    map.insert("missing".into(), json!(missing.word()));
    map.insert("min_count".into(), json!(min_count));
    map
}

/// A group's key in messages.
#[must_use]
pub fn group_parts(key: &GroupKey) -> Vec<v1::GroupPart> {
    key.iter()
        .map(|(name, value)| v1::GroupPart {
            name: name.clone(),
            value: value.clone(),
        })
        .collect()
}

/// A run in one word, in messages.
#[must_use]
pub fn outcome(outcome: Outcome) -> v1::RunOutcome {
    match outcome {
        Outcome::Ok => v1::RunOutcome::Ok,
        Outcome::Firing => v1::RunOutcome::Firing,
        Outcome::Error => v1::RunOutcome::Error,
    }
}

/// A value as text; empty when it is missing.
#[must_use]
pub fn value_text(value: Option<&Measured>) -> String {
    match value {
        Some(Measured::Number(number)) => template::number(*number),
        Some(Measured::Text(text)) => text.clone(),
        Some(Measured::Truth(truth)) => truth.to_string(),
        None => String::new(),
    }
}

/// A group's result in messages; evidence that is too long is left out.
#[must_use]
pub fn group_result(group: &Group) -> v1::GroupResult {
    let state = match group.state {
        GroupState::Ok => v1::GroupState::Ok,
        GroupState::Firing => v1::GroupState::Firing,
        GroupState::Unknown => v1::GroupState::Unknown,
    };
    let evidence = if group.evidence.is_null() {
        String::new()
    } else {
        group.evidence.to_string()
    };
    v1::GroupResult {
        group: group_parts(&group.key),
        state: state.into(),
        value: value_text(group.value.as_ref()),
        evidence_json: if evidence.len() > MAX_EVIDENCE {
            String::new()
        } else {
            evidence
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_watch_survives_the_way_through_the_message() {
        let watch = fixture::watch();
        assert_eq!(from_spec(&to_spec(&watch)), Ok(watch));
    }

    #[test]
    fn what_a_message_leaves_out_has_the_documents_default() {
        let mut spec = to_spec(&fixture::watch());
        spec.throttle_ms = 0;
        spec.recover_after = 0;
        spec.timeout_ms = 0;
        let watch = from_spec(&spec).unwrap();
        assert_eq!(watch.throttle_ms, 3_600_000);
        assert_eq!((watch.recover_after, watch.timeout_ms), (1, 10_000));
    }

    #[test]
    fn an_empty_message_names_what_is_missing() {
        let error = from_spec(&v1::WatchSpec::default()).unwrap_err();
        assert_eq!(error.to_string(), "name: must not be empty");
        let mut spec = to_spec(&fixture::watch());
        spec.trigger = None;
        assert_eq!(from_spec(&spec).unwrap_err().field, "trigger");
        let mut spec = to_spec(&fixture::watch());
        if let Some(search) = &mut spec.search {
            search.body_json = "{".into();
        }
        assert_eq!(from_spec(&spec).unwrap_err().field, "input.search.body");
    }
}
