//! The history of a watch: one record per run, with its search, its result and each delivery.
//!
//! Invariants: a record is bounded whatever the run found (the number of groups, of deliveries,
//! the length of texts); what is kept reads back as the same message.
//! Not here: keeping it, retention.

use serde_json::{Value, json};
use wharf_proto::alerting::News;
use wharf_proto::json::{JsonError, from_json, to_json};
use wharf_proto::monitor::v1;
use wharf_proto::times::{rfc3339, timestamp};

use crate::alerts::{Event, Run};
use crate::api::{group_result, outcome};
use crate::preview::would_send;
use crate::watch::Watch;

/// Most groups of one record.
pub const MAX_GROUPS: usize = 100;
/// Most deliveries of one record.
pub const MAX_DELIVERIES: usize = 100;
const MAX_ERROR: usize = 1_000;

/// What is known of a run beside its result.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Of the record: also the id of its document.
    pub id: &'a str,
    /// The watch as it was run.
    pub watch: &'a Watch,
    /// `SEQUENCE.TERM` of its document; empty for a shipped one.
    pub version: &'a str,
    /// Why it ran.
    pub cause: v1::RunCause,
    /// The time it is the run of.
    pub scheduled_ms: u64,
    /// When it began.
    pub started_ms: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// The body as it was sent; null when none was.
    pub query: &'a Value,
}

/// The record of a run that could be judged or was found in error by its answer.
#[must_use]
pub fn of_run(facts: &Facts<'_>, run: &Run) -> v1::WatchRun {
    let is_test = facts.cause == v1::RunCause::Test;
    let deliveries = run
        .events
        .iter()
        .flat_map(|event| deliveries(event, facts.started_ms, is_test))
        .take(MAX_DELIVERIES);
    v1::WatchRun {
        outcome: outcome(run.outcome).into(),
        error: match &run.error {
            Some(error) => short(&error.to_string()),
            None if run.excess > 0 => format!(
                "{} more groups fire than there can be alerts of one watch",
                run.excess
            ),
            None => String::new(),
        },
        hits: run.hits,
        groups: run
            .groups
            .iter()
            .take(MAX_GROUPS)
            .map(group_result)
            .collect(),
        group_count: u32::try_from(run.groups.len()).unwrap_or(u32::MAX),
        deliveries: deliveries.collect(),
        ..head(facts)
    }
}

/// The record of a run that got no answer.
#[must_use]
pub fn of_failure(facts: &Facts<'_>, code: &str, error: &str) -> v1::WatchRun {
    v1::WatchRun {
        outcome: v1::RunOutcome::Error.into(),
        error_code: code.to_owned(),
        error: short(error),
        ..head(facts)
    }
}

fn short(text: &str) -> String {
    text.chars().take(MAX_ERROR).collect()
}

fn head(facts: &Facts<'_>) -> v1::WatchRun {
    v1::WatchRun {
        id: facts.id.to_owned(),
        watch: facts.watch.name.clone(),
        watch_version: facts.version.to_owned(),
        cause: facts.cause.into(),
        scheduled_at: Some(timestamp(facts.scheduled_ms)),
        started_at: Some(timestamp(facts.started_ms)),
        duration_ms: facts.duration_ms,
        indices: facts.watch.input.indices.clone(),
        query_json: if facts.query.is_null() {
            String::new()
        } else {
            facts.query.to_string()
        },
        ..v1::WatchRun::default()
    }
}

fn deliveries(event: &Event, at_ms: u64, is_test: bool) -> Vec<v1::Delivery> {
    let state = if is_test {
        v1::DeliveryState::WouldSend
    } else {
        v1::DeliveryState::Waiting
    };
    if let Some(held) = &event.held {
        let news = match event.change {
            wharf_proto::alerting::Change::Recovered => News::Recovered,
            _ => News::Firing,
        };
        return vec![v1::Delivery {
            alert_id: event.alert_id.clone(),
            transition: news.word().to_owned(),
            state: v1::DeliveryState::Held.into(),
            reason: held.reason(),
            at: Some(timestamp(at_ms)),
            ..v1::Delivery::default()
        }];
    }
    let of = |message| v1::Delivery {
        state: state.into(),
        ..would_send(message, at_ms)
    };
    event.messages.iter().map(of).collect()
}

/// The document that keeps a record: what is searched for as fields, the record whole as a text.
///
/// # Errors
/// When the binary was built wrongly.
pub fn to_document(run: &v1::WatchRun) -> Result<Value, JsonError> {
    let ms =
        |at: &Option<prost_types::Timestamp>| at.as_ref().map_or(0, wharf_proto::times::millis);
    let firing = run
        .groups
        .iter()
        .filter(|group| group.state() == v1::GroupState::Firing)
        .count();
    Ok(json!({
        "@timestamp": rfc3339(ms(&run.started_at)),
        "watch": run.watch,
        "cause": word(run.cause().as_str_name(), "RUN_CAUSE_"),
        "outcome": word(run.outcome().as_str_name(), "RUN_OUTCOME_"),
        "duration_ms": run.duration_ms,
        "hits": run.hits,
        "groups": run.group_count,
        "firing": firing,
        "deliveries": run.deliveries.len(),
        "error": { "code": run.error_code, "message": run.error },
        "run": to_json(run)?.to_string(),
    }))
}

fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}

/// The record that a document keeps; `None` when it is none.
#[must_use]
pub fn from_document(document: &Value) -> Option<v1::WatchRun> {
    let text = document.get("run")?.as_str()?;
    from_json(&serde_json::from_str(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::WatchAlerts;
    use crate::evaluate::EvaluationError;
    use crate::fixture;

    fn facts<'a>(watch: &'a Watch, query: &'a Value, cause: v1::RunCause) -> Facts<'a> {
        Facts {
            id: "r1",
            watch,
            version: "5.1",
            cause,
            scheduled_ms: 60_000,
            started_ms: 60_250,
            duration_ms: 12,
            query,
        }
    }

    fn answer(hosts: usize) -> Value {
        let buckets: Vec<Value> = (0..hosts)
            .map(|n| json!({"key": format!("h{n:03}"), "doc_count": 6, "used": {"value": 0.95}}))
            .collect();
        fixture::answer(json!({"host": {"buckets": buckets}}))
    }

    #[test]
    fn a_record_tells_search_result_and_deliveries_and_reads_back() {
        let watch = fixture::watch();
        let query = watch.input.body.filled(watch.input.span(60_000));
        let mut alerts = WatchAlerts::new("memory");
        let run = alerts.observe(&watch, &answer(1), 60_000, 60_250);
        let record = of_run(&facts(&watch, &query, v1::RunCause::Schedule), &run);
        assert_eq!(record.outcome(), v1::RunOutcome::Firing);
        assert_eq!(record.groups[0].value, "0.95");
        assert_eq!(record.deliveries[0].state(), v1::DeliveryState::Waiting);
        assert_eq!(record.deliveries[0].subject, "CRITICAL: memory h000");
        assert!(record.query_json.contains("1970-01-01T00:01:00.000Z"));
        let document = to_document(&record).unwrap();
        assert_eq!(document["outcome"], "firing");
        assert_eq!(document["@timestamp"], "1970-01-01T00:01:00.250Z");
        assert_eq!(from_document(&document), Some(record));

        let held = alerts.observe(&watch, &answer(1), 90_000, 90_000);
        let record = of_run(&facts(&watch, &query, v1::RunCause::Schedule), &held);
        assert_eq!(record.deliveries[0].state(), v1::DeliveryState::Held);
        assert!(record.deliveries[0].reason.contains("throttled until"));
    }

    #[test]
    fn a_test_says_what_it_would_have_sent() {
        let watch = fixture::watch();
        let run = WatchAlerts::new("memory").observe(&watch, &answer(1), 0, 0);
        let record = of_run(&facts(&watch, &Value::Null, v1::RunCause::Test), &run);
        assert_eq!(record.deliveries[0].state(), v1::DeliveryState::WouldSend);
    }

    #[test]
    fn a_run_in_error_is_a_record_too() {
        let watch = fixture::watch();
        let run = Run::in_error(EvaluationError::NoIndex);
        let record = of_run(&facts(&watch, &Value::Null, v1::RunCause::CatchUp), &run);
        assert_eq!(record.outcome(), v1::RunOutcome::Error);
        assert_eq!(record.error, "no index or data stream matches");
        let cut_off = of_failure(
            &facts(&watch, &Value::Null, v1::RunCause::Manual),
            "MON",
            &"x".repeat(5_000),
        );
        assert_eq!(cut_off.error.len(), MAX_ERROR);
        assert_eq!(
            from_document(&to_document(&cut_off).unwrap()),
            Some(cut_off)
        );
        assert_eq!(from_document(&json!({"run": "{"})), None);
    }

    #[test]
    fn a_record_is_bounded_whatever_the_run_found() {
        let watch = fixture::watch();
        let run = WatchAlerts::new("memory").observe(&watch, &answer(900), 0, 0);
        let record = of_run(&facts(&watch, &Value::Null, v1::RunCause::Schedule), &run);
        assert_eq!(record.group_count, 900);
        assert_eq!(record.groups.len(), MAX_GROUPS);
        assert_eq!(record.deliveries.len(), MAX_DELIVERIES);
        assert!(record.error.contains("400 more groups"), "{}", record.error);
    }
}
