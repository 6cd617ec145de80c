//! What is said about an alert: one message per action of the watch, for each kind of channel.
//!
//! Invariants: an alert's id is the same for the same watch and group, over restarts and in every
//! deployment; it is safe as a document's id; messages are within the limits of their texts.
//! Not here: when something is said (`alerts`), to whom and how it is sent.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use wharf_proto::alerting::News;

use crate::evaluate::{Group, GroupKey, Measured};
use crate::input::Span;
use crate::template::{Context, Markup};
use crate::watch::Watch;

/// A message, before it is known what kind of channel it goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The alert.
    pub alert_id: String,
    /// What happened to it.
    pub news: News,
    /// Name of a channel; `None`: every channel of the deployment.
    pub channel: Option<String>,
    /// One line of plain text.
    pub subject: String,
    /// Plain text.
    pub body: String,
    /// The subject in Slack's mrkdwn, values escaped.
    pub slack_subject: String,
    /// The body in Slack's mrkdwn, values escaped.
    pub slack_body: String,
    /// What a program reads: watch, severity, labels, state, group, value, window.
    pub fields: Value,
}

/// The id of the alert of a watch and a group: `disk-full`, `disk-full.5f0c…` with the first 16
/// hex digits of the SHA-256 of the group's key.
#[must_use]
pub fn alert_id(watch: &str, group: &GroupKey) -> String {
    if group.is_empty() {
        return watch.to_owned();
    }
    let mut hash = Sha256::new();
    for (name, value) in group {
        for part in [name, value] {
            // The length keeps ("ab", "c") and ("a", "bc") apart.
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
    }
    let digest = hash.finalize();
    let hex: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{watch}.{hex}")
}

/// The messages about a group, one per action.
#[must_use]
pub fn messages(watch: &Watch, group: &Group, hits: u64, news: News, span: Span) -> Vec<Message> {
    let context = Context {
        watch,
        group: &group.key,
        value: group.value.as_ref(),
        ratio: group.ratio,
        evidence: &group.evidence,
        hits,
        state: news.word(),
        from_ms: span.from_ms,
        to_ms: span.to_ms,
    };
    let fields = fields(watch, group, hits, news, span);
    let of_action = watch.actions.iter().map(|action| {
        let (subject, body) = match news {
            News::Firing => (&action.subject, &action.body),
            News::Recovered => (&action.recovered_subject, &action.recovered_body),
        };
        let line = subject.render(&context, Markup::Line);
        Message {
            alert_id: alert_id(&watch.name, &group.key),
            news,
            channel: action.channel.clone(),
            body: body.render(&context, Markup::Plain),
            slack_subject: subject
                .render(&context, Markup::Slack)
                .replace(['\n', '\t'], " "),
            slack_body: body.render(&context, Markup::Slack),
            fields: fields.clone(),
            subject: line,
        }
    });
    of_action.collect()
}

fn fields(watch: &Watch, group: &Group, hits: u64, news: News, span: Span) -> Value {
    let parts: Map<String, Value> = group
        .key
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let value = match &group.value {
        Some(Measured::Number(number)) => json!(number),
        Some(Measured::Text(text)) => json!(text),
        Some(Measured::Truth(truth)) => json!(truth),
        None => Value::Null,
    };
    json!({
        "alert": alert_id(&watch.name, &group.key),
        "watch": watch.name,
        "severity": watch.severity.word(),
        "labels": watch.labels,
        "state": news.word(),
        "group": parts,
        "value": value,
        "hits": hits,
        "from": wharf_proto::times::rfc3339(span.from_ms),
        "to": wharf_proto::times::rfc3339(span.to_ms),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::{GroupState, Measured};
    use crate::fixture;
    use proptest::prelude::*;
    use serde_json::json;

    fn group(host: &str) -> Group {
        Group {
            key: vec![("host".to_owned(), host.to_owned())],
            state: GroupState::Firing,
            value: Some(Measured::Number(0.95)),
            ratio: None,
            evidence: json!({"used": {"value": 0.95}}),
        }
    }

    #[test]
    fn the_default_texts_name_the_watch_the_group_and_the_value() {
        let span = Span {
            from_ms: 0,
            to_ms: 60_000,
        };
        let all = messages(&fixture::watch(), &group("web<1>"), 7, News::Firing, span);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].channel.as_deref(), Some("ops"));
        assert_eq!(all[0].subject, "CRITICAL: memory web<1>");
        assert_eq!(
            all[0].body,
            "The host is short of memory\nweb<1>: 0.95 is > 0.9, at 1970-01-01T00:01:00.000Z."
        );
        assert_eq!(all[0].slack_subject, "CRITICAL: memory web&lt;1&gt;");
        assert_eq!(
            all[0].fields,
            json!({
                "alert": all[0].alert_id, "watch": "memory", "severity": "critical",
                "labels": {"team": "base"}, "state": "firing", "group": {"host": "web<1>"},
                "value": 0.95, "hits": 7,
                "from": "1970-01-01T00:00:00.000Z", "to": "1970-01-01T00:01:00.000Z",
            })
        );
        let over = messages(&fixture::watch(), &group("web"), 7, News::Recovered, span);
        assert_eq!(over[0].subject, "Recovered: memory web");
    }

    #[test]
    fn an_alert_without_a_group_has_the_name_of_its_watch() {
        assert_eq!(alert_id("memory", &Vec::new()), "memory");
    }

    proptest! {
        #[test]
        fn an_alerts_id_is_its_own_and_safe(
            one in proptest::collection::vec((".{0,9}", ".{0,9}"), 1..3),
            other in proptest::collection::vec((".{0,9}", ".{0,9}"), 1..3),
        ) {
            let id = alert_id("w", &one);
            prop_assert_eq!(id.len(), 18);
            prop_assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'));
            prop_assert_eq!(one == other, id == alert_id("w", &other));
        }
    }
}
