//! The form in which an alert is kept, and in which it is told.
//!
//! Invariants: what is kept reads back as it was; the document has few fields of its own, so that
//! groups of any name do not fill the mapping of its index.
//! Not here: how alerts change (`alerts`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wharf_proto::alerting::{Alert, Phase};
use wharf_proto::monitor::v1;
use wharf_proto::times::{rfc3339, timestamp};

use crate::api::{group_parts, severity};
use crate::evaluate::GroupKey;
use crate::message::Message;
use crate::template;
use crate::watch::{Threshold, Watch};

/// An alert with what its state machine does not need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Name of the watch.
    pub watch: String,
    /// Its group.
    pub group: GroupKey,
    /// What was measured when it last fired, as text.
    pub value: String,
    /// The subject of its last message.
    pub summary: String,
    /// Its life.
    pub alert: Alert,
    /// Texts of the messages that wait in its outbox, by their numbers.
    pub texts: BTreeMap<u64, Vec<Message>>,
}

/// The state in messages.
#[must_use]
pub fn state(phase: Phase) -> v1::AlertState {
    match phase {
        Phase::Firing => v1::AlertState::Firing,
        Phase::Acknowledged => v1::AlertState::Acknowledged,
        Phase::Recovered => v1::AlertState::Recovered,
    }
}

impl Kept {
    /// The document that keeps it, under the alert's id.
    #[must_use]
    pub fn to_document(&self) -> Value {
        let word = state(self.alert.phase)
            .as_str_name()
            .trim_start_matches("ALERT_STATE_")
            .to_lowercase();
        json!({
            "@timestamp": rfc3339(self.alert.since_ms),
            "watch": self.watch,
            "state": word,
            "summary": self.summary,
            // Maps of texts and numbers can always be written.
            "alert": serde_json::to_string(self).unwrap_or_default(),
        })
    }

    /// The alert that a document keeps; `None` when it is none.
    #[must_use]
    pub fn from_document(document: &Value) -> Option<Self> {
        serde_json::from_str(document.get("alert")?.as_str()?).ok()
    }

    /// The alert as it is told; `watch` when it still is there.
    #[must_use]
    pub fn to_message(&self, watch: Option<&Watch>, version: &str) -> v1::Alert {
        let alert = &self.alert;
        let at = |ms: u64| (ms > 0).then(|| timestamp(ms));
        let threshold = watch.map(|watch| {
            let sign = watch.condition.comparison.sign();
            let limit = match &watch.condition.threshold {
                Threshold::Number(number) => template::number(*number),
                Threshold::Text(text) => text.clone(),
                Threshold::Truth(truth) => truth.to_string(),
            };
            format!("{sign} {limit}")
        });
        v1::Alert {
            id: alert.id.clone(),
            version: version.to_owned(),
            watch: self.watch.clone(),
            severity: watch
                .map_or(v1::Severity::Unspecified, |watch| severity(watch.severity))
                .into(),
            group: group_parts(&self.group),
            state: state(alert.phase).into(),
            since: Some(timestamp(alert.since_ms)),
            last_firing_at: at(alert.last_firing_ms),
            last_message_at: alert.last_message_ms.map(timestamp),
            silenced_until: alert.silenced_until_ms.map(timestamp),
            handled_by: alert.handled_by.clone(),
            comment: alert.comment.clone(),
            value: self.value.clone(),
            threshold: threshold.unwrap_or_default(),
            summary: self.summary.clone(),
            messages: alert.messages,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::WatchAlerts;
    use crate::fixture;
    use proptest::prelude::*;

    fn kept(host: &str) -> Kept {
        let watch = fixture::watch();
        let mut alerts = WatchAlerts::new("memory");
        let answer = fixture::answer(json!({"host": {"buckets": [
            {"key": host, "doc_count": 6, "used": {"value": 0.95}},
        ]}}));
        let run = alerts.observe(&watch, &answer, 60_000, 60_000);
        alerts.kept(&run.changed[0]).expect("the alert fires")
    }

    #[test]
    fn an_alert_is_told_with_its_group_its_value_and_its_limit() {
        let mut kept = kept("web-1");
        kept.alert
            .acknowledge("ann", "on it", 61_000)
            .expect("it fires");
        let told = kept.to_message(Some(&fixture::watch()), "7.1");
        assert_eq!(told.state(), v1::AlertState::Acknowledged);
        assert_eq!(told.severity(), v1::Severity::Critical);
        assert_eq!(told.group[0].value, "web-1");
        assert_eq!(
            (told.value.as_str(), told.threshold.as_str()),
            ("0.95", "> 0.9")
        );
        assert_eq!(told.summary, "CRITICAL: memory web-1");
        assert_eq!(
            (told.handled_by.as_str(), told.comment.as_str()),
            ("ann", "on it")
        );
        assert_eq!(told.last_firing_at, Some(timestamp(60_000)));
        assert_eq!(kept.to_document()["state"], "acknowledged");
    }

    #[test]
    fn what_is_no_alert_is_none() {
        assert_eq!(Kept::from_document(&json!({"alert": "{}"})), None);
        assert_eq!(Kept::from_document(&json!({"alert": 1})), None);
        assert_eq!(Kept::from_document(&json!({})), None);
    }

    proptest! {
        #[test]
        fn what_is_kept_reads_back_as_it_was(host in ".{1,300}") {
            let kept = kept(&host);
            prop_assert_eq!(Kept::from_document(&kept.to_document()), Some(kept));
        }
    }
}
