//! Documents of watches: YAML or JSON text, or the JSON that the storage holds.
//!
//! Invariants: every reader goes through the same tree and the same strict fields, so that a
//! document is accepted in all forms or in none; what is wrong is named by line, column and field;
//! size, depth and number of parts are limited before anything is kept.
//! Not here: what the parts mean (`watch`), the API's messages (`api`).

mod fields;
mod read;
mod tree;
mod write;

use serde_json::Value;

pub(crate) use read::reading_of_value;
pub use tree::Place;

use crate::watch::Watch;

/// Longest document, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 64 * 1024;

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
pub struct DocumentError {
    /// Where in the text, when the document is a text.
    pub place: Option<Place>,
    /// The field at fault, `trigger.interval`; empty for the whole.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl DocumentError {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(place) = self.place {
            text = format!("line {}, column {}: ", place.line, place.column);
        }
        if !self.field.is_empty() {
            text.push_str(&self.field);
            text.push_str(": ");
        }
        text.push_str(&self.message);
        text
    }
}

/// Reads a watch from YAML or JSON.
///
/// # Errors
/// When the text is neither, or is no valid watch; the error names line, column and field.
pub fn from_text(text: &str) -> Result<Watch, DocumentError> {
    read::watch(&tree::of_text(text)?, None)
}

/// Reads the text of a document that is kept under `name`; the name may be left out of it.
///
/// # Errors
/// As [`from_text`], and when the document has another name.
pub fn from_text_named(text: &str, name: &str) -> Result<Watch, DocumentError> {
    read::watch(&tree::of_text(text)?, Some(name))
}

/// Reads a watch from the document that the storage keeps under `name`.
///
/// # Errors
/// When it is no valid watch; the error names the field.
pub fn from_value(value: &Value, name: &str) -> Result<Watch, DocumentError> {
    read::watch(&tree::of_value(value)?, Some(name))
}

/// The document as the storage keeps it, every default filled in.
#[must_use]
pub fn to_value(watch: &Watch) -> Value {
    write::watch(watch)
}

/// The document as people edit it.
#[must_use]
pub fn to_yaml(watch: &Watch) -> String {
    // The tree has text keys and finite numbers only, which YAML can always say.
    serde_yaml_ng::to_string(&to_value(watch)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;
    use crate::fixture;
    use proptest::prelude::*;
    use serde_json::json;

    fn broken(from: &str, to: &str) -> DocumentError {
        assert!(fixture::MEMORY.contains(from), "`{from}` is in the fixture");
        let text = fixture::MEMORY.replacen(from, to, 1);
        from_text(&text).expect_err(&text)
    }

    #[test]
    fn what_is_wrong_is_named_by_line_column_and_field() {
        for (from, to, line, column, field, word) in [
            (
                "interval: 30s",
                "intervall: 30s",
                6,
                11,
                "trigger.intervall",
                "known are interval",
            ),
            (
                "interval: 30s",
                "interval: 30",
                6,
                21,
                "trigger.interval",
                "span of time",
            ),
            (
                "interval: 30s",
                "interval: 30s, cron: x",
                6,
                10,
                "trigger",
                "one of",
            ),
            (
                "interval: 30s",
                "cron: '0 25 * * *'",
                6,
                17,
                "trigger.cron",
                "hour",
            ),
            (
                "severity: critical",
                "severity: bad",
                4,
                11,
                "severity",
                "one of info",
            ),
            (
                "gt: 0.9",
                "gt: 0.9, lt: 1",
                19,
                58,
                "condition.each.lt",
                "only one",
            ),
            (
                "gt: 0.9",
                "gt: high",
                19,
                49,
                "condition.each.gt",
                "must be a number",
            ),
            (
                "buckets: [host], ",
                "",
                19,
                9,
                "condition.each.buckets",
                "is missing",
            ),
            (
                "\"{{to}}\"",
                "\"{{too}}\"",
                12,
                59,
                "input.search.body.query.range.@timestamp.lt",
                "placeholder",
            ),
            (
                "channel: ops",
                "channel: ops\n    body: '{{group.hots}}'",
                24,
                11,
                "actions[0].body",
                "group.hots",
            ),
            ("name: memory", "name: Memory", 2, 7, "name", "a-z"),
            (
                "recover_after: 2",
                "recover_after: 0",
                21,
                16,
                "recover_after",
                "from 1 to 100",
            ),
            (
                "throttle: 30m",
                "throttle: 30m\nthrottle: 1h",
                21,
                1,
                "",
                "twice",
            ),
            (
                "index: metrics",
                "index: .wharf",
                9,
                12,
                "input.search.index",
                "hidden",
            ),
        ] {
            let error = broken(from, to);
            let place = error.place.map(|place| (place.line, place.column));
            assert_eq!(place, Some((line, column)), "{error}");
            assert_eq!(error.field, field, "{error}");
            assert!(error.message.contains(word), "{error}");
        }
    }

    #[test]
    fn a_missing_part_is_named() {
        let text = "name: x\ntrigger: {interval: 1m}\n";
        assert_eq!(
            from_text(text).unwrap_err().to_string(),
            "line 1, column 1: input: is missing"
        );
    }

    #[test]
    fn a_document_is_kept_under_its_name() {
        let mut value = to_value(&fixture::watch());
        assert_eq!(from_value(&value, "memory"), Ok(fixture::watch()));
        let error = from_value(&value, "other").unwrap_err();
        assert!(error.message.contains("kept as `other`"), "{error}");
        if let Value::Object(map) = &mut value {
            map.shift_remove("name");
        }
        assert_eq!(
            from_value(&value, "memory"),
            Ok(fixture::watch()),
            "the name may be left out"
        );
        assert_eq!(from_value(&value, "Not A Name").unwrap_err().field, "");
    }

    #[test]
    fn the_examples_of_the_guide_are_watches() {
        let guide = include_str!("../../../../../docs/guide/watches.md");
        let block = |first: &str| -> String {
            let start = guide.find(first).expect(first);
            let lines = guide[start..].lines();
            let inside = lines.take_while(|line| line.starts_with("    ") || line.is_empty());
            inside.collect::<Vec<_>>().join("\n")
        };
        let yaml = block("    name: checkout-slow");
        let watch = from_text(&yaml).expect("the first example is a watch");
        assert_eq!(watch.name, "checkout-slow");
        for condition in [
            "    condition:\n      compare:",
            "    condition:\n      each:\n",
        ] {
            let head = yaml.split("    condition:").next().expect("a head");
            let text = format!("{head}{}", block(condition));
            from_text(&text).expect(condition);
        }
        let curl = block("    curl");
        let json = curl
            .split_once("-d '")
            .and_then(|(_, json)| json.rsplit_once('\''));
        let (json, _) = json.expect("a body");
        let value: Value = serde_json::from_str(json).expect("the body is JSON");
        from_value(&value, "nobody-logs").expect("the body is a watch");
    }

    fn any_watch() -> impl Strategy<Value = Value> {
        let trigger = prop_oneof![
            (1_u64..1_000_000).prop_map(|s| json!({"interval": format!("{s}s")})),
            (0_u8..60, 0_u8..24).prop_map(|(minute, hour)| {
                json!({"cron": format!("{minute} {hour} * * 1-5"), "time_zone": "Europe/Berlin"})
            }),
        ];
        let measure = prop_oneof![
            "[a-z.]{1,20}".prop_map(|path| json!({"path": path})),
            ("[a-z]{1,9}", "[a-z]{1,9}")
                .prop_map(|(part, whole)| json!({"ratio": {"part": part, "whole": whole}})),
        ];
        let threshold = prop_oneof![
            (-1e12..1e12_f64).prop_map(|number| ("gte", json!(number))),
            any::<i32>().prop_map(|number| ("lt", json!(number))),
            ".{0,20}".prop_map(|text| ("ne", json!(text))),
            any::<bool>().prop_map(|truth| ("eq", json!(truth))),
        ];
        (
            (
                "[a-z0-9][a-z0-9._-]{0,63}",
                ".{0,40}",
                any::<bool>(),
                prop_oneof![Just("info"), Just("warning"), Just("critical")],
                proptest::collection::btree_map("[A-Za-z0-9._-]{1,9}", ".{0,9}", 0..4),
            ),
            (trigger, measure, threshold, 1_u64..2_000_000_000),
            proptest::collection::vec("[a-z]{1,5}", 0..4),
            (1_u32..100, "[^{}]{1,30}", proptest::option::of("[a-z]{1,8}")),
        )
            .prop_map(|(head, (trigger, measure, limit, window), buckets, tail)| {
                let (name, description, enabled, severity, labels) = head;
                let (recover_after, text, channel) = tail;
                let mut judged = measure;
                judged[limit.0] = limit.1;
                let mut seen = Vec::new();
                for bucket in buckets {
                    if !seen.contains(&bucket) {
                        seen.push(bucket);
                    }
                }
                let kind = if seen.is_empty() { "compare" } else { "each" };
                if !seen.is_empty() {
                    judged["buckets"] = json!(seen);
                }
                let mut action = json!({"body": format!("{text}{{{{value}}}}")});
                if let Some(channel) = channel {
                    action["channel"] = json!(channel);
                }
                json!({
                    "name": name, "description": description, "enabled": enabled,
                    "severity": severity, "labels": labels, "trigger": trigger,
                    "input": {"search": {
                        "index": ["logs-a-default", "metrics-*"],
                        "window": crate::span::format(window.max(1000)),
                        "body": {"query": {"range": {"@timestamp": {"gte": "{{from}}", "boost": 1.5}}}},
                    }},
                    "condition": {kind: judged},
                    "recover_after": recover_after,
                    "actions": [action],
                })
            })
    }

    proptest! {
        #[test]
        fn a_watch_is_the_same_in_every_form(document in any_watch()) {
            let watch = from_text(&document.to_string()).map_err(|error| {
                TestCaseError::fail(format!("{error}: {document}"))
            })?;
            prop_assert_eq!(from_value(&to_value(&watch), &watch.name), Ok(watch.clone()));
            let yaml = to_yaml(&watch);
            prop_assert_eq!(from_text(&yaml), Ok(watch.clone()), "{}", yaml);
            prop_assert_eq!(api::from_spec(&api::to_spec(&watch)), Ok(watch));
        }

        #[test]
        fn any_change_of_a_document_is_a_watch_or_a_named_refusal(
            at in 0_usize..700, with in "[a-z0-9:{}\\[\\], \"'\n-]{0,4}",
        ) {
            let text = fixture::MEMORY;
            let cut = at.min(text.len());
            let text = format!("{}{with}{}", &text[..cut], text.get(cut + 2..).unwrap_or(""));
            if let Ok(watch) = from_text(&text) {
                prop_assert_eq!(from_value(&to_value(&watch), &watch.name), Ok(watch));
            }
        }
    }
}
