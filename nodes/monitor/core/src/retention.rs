//! How long data is kept: what a storage tells of lifecycles, policies and settings, as one rule for each row.
//!
//! Invariants: what the storage does not tell is not told, and is never said to be kept for ever; where a lifecycle and a
//! policy are named, the one counts that the storage says it prefers; an answer without its parts is no panic.
//! Not here: asking, paging, deleting anything.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use wharf_proto::monitor::v1::{DataStream, Retention, RetentionRule};
use wharf_proto::times::timestamp;

use crate::span;

/// Lifecycles of data streams. OpenSearch and older Elasticsearch know none.
pub const LIFECYCLES: &str = "/_data_stream/*/_lifecycle?include_defaults=true";
/// Lifecycle policies. OpenSearch knows none.
pub const POLICIES: &str = "/_ilm/policy";
/// When indices were made, and the policies that they name.
pub const SETTINGS: &str = "/_settings/index.creation_date,index.lifecycle.name?flat_settings=true&expand_wildcards=open,hidden";

/// The answers of a storage; none where it does not know the question.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// Of [`LIFECYCLES`].
    pub lifecycles: Option<&'a Value>,
    /// It knows that question, and does not answer it to us.
    pub are_lifecycles_refused: bool,
    /// Of [`POLICIES`].
    pub policies: Option<&'a Value>,
    /// Of [`SETTINGS`].
    pub settings: Option<&'a Value>,
}

/// Gives each row its retention; `streams` is the answer that the rows were made of.
pub fn fill(rows: &mut [DataStream], streams: &Value, told: &Told<'_>) {
    let streams = by_name(streams);
    let lifecycles = told.lifecycles.map(by_name).unwrap_or_default();
    for row in rows {
        let name = row.name.as_str();
        let retention = match streams.get(name) {
            Some(stream) if !row.is_index => {
                let lifecycle = lifecycles.get(name).and_then(|told| told.get("lifecycle"));
                of_stream(stream, lifecycle, told)
            }
            _ => Retention {
                since: told.made_ms(name).map(timestamp),
                ..by_policy(told.policy_of_index(name), told)
            },
        };
        row.retention = Some(retention);
    }
}

fn by_name(answer: &Value) -> BTreeMap<&str, &Value> {
    let streams = answer.get("data_streams").and_then(Value::as_array);
    let named = streams.into_iter().flatten();
    named
        .filter_map(|stream| Some((text(stream, "name")?, stream)))
        .collect()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

impl<'a> Told<'a> {
    fn setting(&self, index: &str, name: &str) -> Option<&'a str> {
        text(self.settings?.get(index)?.get("settings")?, name)
    }

    fn made_ms(&self, index: &str) -> Option<u64> {
        self.setting(index, "index.creation_date")?.parse().ok()
    }

    fn policy_of_index(&self, index: &str) -> Option<&'a str> {
        let name = self.setting(index, "index.lifecycle.name");
        name.filter(|name| !name.is_empty())
    }

    fn phases(&self, policy: &str) -> Option<&'a Value> {
        self.policies?.get(policy)?.pointer("/policy/phases")
    }
}

fn of_stream(stream: &Value, lifecycle: Option<&Value>, told: &Told<'_>) -> Retention {
    let indices = stream.get("indices").and_then(Value::as_array);
    let names: Vec<&str> = indices
        .into_iter()
        .flatten()
        .filter_map(|index| text(index, "index_name"))
        .collect();
    let newest = names.last().and_then(|index| told.policy_of_index(index));
    let policy = text(stream, "ilm_policy").or(newest);
    let prefers_policy = stream.get("prefer_ilm").and_then(Value::as_bool) != Some(false);
    let lifecycle =
        lifecycle.filter(|one| one.is_object() && one.get("enabled") != Some(&false.into()));
    let since = names.iter().filter_map(|index| told.made_ms(index)).min();
    let retention = match (lifecycle, policy) {
        // Whether there is one that counts is not told.
        (None, policy) if told.are_lifecycles_refused && !(policy.is_some() && prefers_policy) => {
            Retention {
                policy: policy.unwrap_or_default().to_owned(),
                ..Retention::default()
            }
        }
        (Some(lifecycle), None) => by_lifecycle(lifecycle, None, told),
        (Some(lifecycle), policy) if !prefers_policy => by_lifecycle(lifecycle, policy, told),
        (_, policy) => by_policy(policy, told),
    };
    Retention {
        since: since.map(timestamp),
        ..retention
    }
}

/// When data is deleted by its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deletion {
    Never,
    AfterMs(u64),
    /// It is, at an age that cannot be read.
    NotTold,
}

impl Deletion {
    fn at(age: &Value) -> Self {
        let age = age.as_str().and_then(span::storage_age);
        age.map_or(Self::NotTold, Self::AfterMs)
    }

    const fn after_ms(self) -> Option<u64> {
        match self {
            Self::AfterMs(ms) => Some(ms),
            Self::Never | Self::NotTold => None,
        }
    }
}

fn by_lifecycle(lifecycle: &Value, policy: Option<&str>, told: &Told<'_>) -> Retention {
    let age = |name: &str| lifecycle.get(name).filter(|age| !age.is_null());
    let deletion = age("effective_retention").or_else(|| age("data_retention"));
    let deletion = deletion.map_or(Deletion::Never, Deletion::at);
    let of_policy = policy
        .and_then(|policy| told.phases(policy))
        .map(deletion_of);
    let rule = match (deletion, text(lifecycle, "retention_determined_by")) {
        (Deletion::Never, _) => RetentionRule::None,
        (Deletion::NotTold, _) => RetentionRule::Unspecified,
        (_, Some("default_global_retention" | "max_global_retention")) => RetentionRule::Default,
        // The lifecycle says what it took from the policy.
        _ if Some(deletion) == of_policy => RetentionRule::Policy,
        _ => RetentionRule::Lifecycle,
    };
    let retention = Retention {
        rule: rule.into(),
        policy: policy.unwrap_or_default().to_owned(),
        deletes_after_ms: deletion.after_ms(),
        ..Retention::default()
    };
    with_rollover(retention, lifecycle.get("rollover"))
}

fn by_policy(policy: Option<&str>, told: &Told<'_>) -> Retention {
    let Some(name) = policy else {
        let rule = match told.policies {
            Some(_) if told.settings.is_some() => RetentionRule::None,
            _ => RetentionRule::Unspecified,
        };
        return Retention {
            rule: rule.into(),
            ..Retention::default()
        };
    };
    let Some(phases) = told.phases(name) else {
        return Retention {
            policy: name.to_owned(),
            ..Retention::default()
        };
    };
    let deletion = deletion_of(phases);
    let rule = match deletion {
        Deletion::AfterMs(_) => RetentionRule::Policy,
        Deletion::Never => RetentionRule::None,
        Deletion::NotTold => RetentionRule::Unspecified,
    };
    let retention = Retention {
        rule: rule.into(),
        policy: name.to_owned(),
        deletes_after_ms: deletion.after_ms(),
        ..Retention::default()
    };
    with_rollover(retention, phases.pointer("/hot/actions/rollover"))
}

/// When the phases of a policy delete.
fn deletion_of(phases: &Value) -> Deletion {
    let Some(phase) = phases.get("delete") else {
        return Deletion::Never;
    };
    let actions = phase.get("actions").and_then(Value::as_object);
    if !actions.is_none_or(|actions| actions.is_empty() || actions.contains_key("delete")) {
        return Deletion::Never;
    }
    phase
        .get("min_age")
        .map_or(Deletion::AfterMs(0), Deletion::at)
}

fn with_rollover(retention: Retention, conditions: Option<&Value>) -> Retention {
    let none = Map::new();
    let conditions = conditions.and_then(Value::as_object).unwrap_or(&none);
    let words = |name: &str| conditions.get(name).and_then(Value::as_str);
    let count = |name: &str| {
        let value = conditions.get(name)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    };
    // One shard and its primary are the index.
    let first = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
    let bytes = |name: &str| words(name).and_then(bytes);
    Retention {
        rolls_over_after_ms: words("max_age").and_then(span::storage_age),
        rolls_over_at_bytes: first(bytes("max_size"), bytes("max_primary_shard_size")),
        rolls_over_at_documents: first(count("max_docs"), count("max_primary_shard_docs")),
        ..retention
    }
}

/// A size as Elasticsearch writes it: `50gb`, `1.5tb`, `100b`.
fn bytes(text: &str) -> Option<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let (number, unit) = lower.split_at(lower.find(|letter: char| letter.is_ascii_alphabetic())?);
    let shift = match unit {
        "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        "p" | "pb" => 50,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * (1_u64 << shift) as f64;
    (0.0..9e15).contains(&bytes).then_some(bytes as u64)
}

/// The rule as filters and orders name it.
#[must_use]
pub const fn word(rule: RetentionRule) -> &'static str {
    match rule {
        RetentionRule::Unspecified => "unknown",
        RetentionRule::Policy => "policy",
        RetentionRule::Lifecycle => "lifecycle",
        RetentionRule::Default => "default",
        RetentionRule::None => "none",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DAY_MS: u64 = 86_400_000;

    fn stream(more: Value) -> Value {
        let mut stream = json!({"name": "logs-a", "indices": [
            {"index_name": ".ds-logs-a-000001"}, {"index_name": ".ds-logs-a-000002"}]});
        for (name, value) in more.as_object().into_iter().flatten() {
            stream[name] = value.clone();
        }
        json!({ "data_streams": [stream] })
    }

    fn lifecycles(lifecycle: Value) -> Value {
        json!({"data_streams": [{"name": "logs-a", "lifecycle": lifecycle}]})
    }

    fn policies() -> Value {
        json!({
            "month": {"version": 1, "policy": {"phases": {
                "hot": {"min_age": "0ms", "actions": {"rollover": {
                    "max_age": "30d", "max_primary_shard_size": "50gb", "max_size": "60gb", "max_docs": 1000}}},
                "delete": {"min_age": "90d", "actions": {"delete": {}}}}}},
            "kept": {"version": 1, "policy": {"phases": {"hot": {"actions": {"rollover": {"max_age": "1d"}}}}}},
        })
    }

    fn settings(policy: &str) -> Value {
        let of = |ms: &str| json!({"settings": {"index.creation_date": ms, "index.lifecycle.name": policy}});
        json!({".ds-logs-a-000001": of("1700000000000"), ".ds-logs-a-000002": of("1700000900000")})
    }

    fn found(streams: &Value, told: &Told<'_>) -> Retention {
        let mut rows = [DataStream {
            name: "logs-a".to_owned(),
            ..DataStream::default()
        }];
        fill(&mut rows, streams, told);
        rows[0].retention.clone().unwrap()
    }

    #[test]
    fn a_policy_says_when_data_goes_and_when_indices_are_rolled_over() {
        let (policies, settings) = (policies(), settings("month"));
        let told = Told {
            policies: Some(&policies),
            settings: Some(&settings),
            ..Told::default()
        };
        // Elasticsearch names it with the data stream; where it does not, its newest index does.
        for streams in [stream(json!({"ilm_policy": "month"})), stream(json!({}))] {
            assert_eq!(
                found(&streams, &told),
                Retention {
                    rule: RetentionRule::Policy.into(),
                    policy: "month".to_owned(),
                    deletes_after_ms: Some(90 * DAY_MS),
                    rolls_over_after_ms: Some(30 * DAY_MS),
                    rolls_over_at_bytes: Some(50 << 30),
                    rolls_over_at_documents: Some(1000),
                    since: Some(timestamp(1_700_000_000_000)),
                }
            );
        }
        let kept = found(&stream(json!({"ilm_policy": "kept"})), &told);
        assert_eq!(kept.rule(), RetentionRule::None, "it never deletes");
        assert_eq!(kept.policy, "kept");
    }

    #[test]
    fn a_storage_says_what_it_does_where_nothing_else_is_said() {
        let lifecycles = lifecycles(json!({
            "enabled": true, "effective_retention": "7d",
            "retention_determined_by": "default_global_retention",
            "rollover": {"max_age": "1d", "max_primary_shard_size": "2gb", "min_docs": 1},
        }));
        let none = json!({});
        let told = Told {
            lifecycles: Some(&lifecycles),
            policies: Some(&none),
            settings: Some(&none),
            ..Told::default()
        };
        let logs = found(&stream(json!({"prefer_ilm": false})), &told);
        assert_eq!(
            (logs.rule(), logs.deletes_after_ms),
            (RetentionRule::Default, Some(7 * DAY_MS))
        );
        assert_eq!(
            (logs.rolls_over_after_ms, logs.rolls_over_at_bytes),
            (Some(DAY_MS), Some(2 << 30))
        );
    }

    #[test]
    fn of_a_lifecycle_and_a_policy_the_one_counts_that_is_preferred() {
        let lifecycles = lifecycles(json!({
            "enabled": true, "data_retention": "90d", "retention_determined_by": "data_stream_configuration",
            "rollover": {"max_age": "auto"},
        }));
        let policies = policies();
        let told = Told {
            lifecycles: Some(&lifecycles),
            policies: Some(&policies),
            ..Told::default()
        };
        let of = |policy: &str, prefers: bool| {
            let more = json!({"ilm_policy": policy, "prefer_ilm": prefers});
            found(&stream(more), &told)
        };
        let kept = of("kept", true);
        assert_eq!(
            (kept.rule(), kept.deletes_after_ms),
            (RetentionRule::None, None)
        );
        let own = of("kept", false);
        assert_eq!(
            (own.rule(), own.deletes_after_ms),
            (RetentionRule::Lifecycle, Some(90 * DAY_MS))
        );
        assert_eq!(own.rolls_over_after_ms, None, "`auto` is no age");
        let taken = of("month", false);
        assert_eq!(
            taken.rule(),
            RetentionRule::Policy,
            "the same as the policy says"
        );
        let off = json!({"data_streams": [{"name": "logs-a", "lifecycle": {"enabled": false, "data_retention": "1d"}}]});
        let told = Told {
            lifecycles: Some(&off),
            ..told
        };
        let kept = found(
            &stream(json!({"ilm_policy": "kept", "prefer_ilm": false})),
            &told,
        );
        assert_eq!(kept.deletes_after_ms, None, "one that is off says nothing");
    }

    #[test]
    fn what_a_storage_does_not_tell_is_not_said_to_be_kept_for_ever() {
        // OpenSearch: it knows neither lifecycles nor policies.
        let settings = settings("");
        let told = Told {
            settings: Some(&settings),
            ..Told::default()
        };
        let open = found(&stream(json!({})), &told);
        assert_eq!(
            (open.rule(), open.deletes_after_ms),
            (RetentionRule::Unspecified, None)
        );
        assert_eq!(open.since, Some(timestamp(1_700_000_000_000)));
        let gone = found(&stream(json!({"ilm_policy": "gone"})), &told);
        assert_eq!(
            (gone.rule(), gone.policy.as_str()),
            (RetentionRule::Unspecified, "gone")
        );
        // Elasticsearch without lifecycles: it would tell a policy.
        let none = json!({});
        let told = Told {
            policies: Some(&none),
            ..told
        };
        assert_eq!(found(&stream(json!({})), &told).rule(), RetentionRule::None);
    }

    #[test]
    fn ages_are_told_as_the_storage_keeps_them_and_never_as_for_ever() {
        let of_policy = |age: &str| {
            let policies = json!({"p": {"policy": {"phases": {"delete": {"min_age": age, "actions": {"delete": {}}}}}}});
            let told = Told {
                policies: Some(&policies),
                ..Told::default()
            };
            found(&stream(json!({"ilm_policy": "p"})), &told)
        };
        let of_lifecycle = |age: &str| {
            let lifecycles = lifecycles(json!({"data_retention": age}));
            let none = json!({});
            let told = Told {
                lifecycles: Some(&lifecycles),
                policies: Some(&none),
                settings: Some(&none),
                ..Told::default()
            };
            found(&stream(json!({})), &told)
        };
        for (age, want) in [
            ("7D", 7 * DAY_MS),
            ("1.5d", 3 * DAY_MS / 2),
            ("12H", DAY_MS / 2),
            ("0", 0),
        ] {
            let told = |kept: Retention| (kept.rule(), kept.deletes_after_ms);
            assert_eq!(
                told(of_policy(age)),
                (RetentionRule::Policy, Some(want)),
                "{age}"
            );
            assert_eq!(
                told(of_lifecycle(age)),
                (RetentionRule::Lifecycle, Some(want)),
                "{age}"
            );
        }
        let odd = of_policy("soon");
        assert_eq!(
            (odd.rule(), odd.policy.as_str(), odd.deletes_after_ms),
            (RetentionRule::Unspecified, "p", None)
        );
        assert_eq!(of_lifecycle("soon").rule(), RetentionRule::Unspecified);
    }

    #[test]
    fn a_storage_that_refuses_its_lifecycles_tells_only_of_policies_that_count() {
        let (policies, none) = (policies(), json!({}));
        let told = Told {
            are_lifecycles_refused: true,
            policies: Some(&policies),
            settings: Some(&none),
            ..Told::default()
        };
        let plain = found(&stream(json!({})), &told);
        assert_eq!(plain.rule(), RetentionRule::Unspecified);
        let second = json!({"ilm_policy": "month", "prefer_ilm": false});
        let second = found(&stream(second), &told);
        assert_eq!(
            (second.rule(), second.policy.as_str()),
            (RetentionRule::Unspecified, "month")
        );
        let first = found(&stream(json!({"ilm_policy": "month"})), &told);
        assert_eq!(first.rule(), RetentionRule::Policy);
    }

    #[test]
    fn an_index_that_no_data_stream_has_follows_its_policy_alone() {
        let (policies, settings) = (
            policies(),
            json!({
                "shop": {"settings": {"index.creation_date": "5", "index.lifecycle.name": "month"}},
                "logs-a": {"settings": {"index.creation_date": "6"}},
            }),
        );
        let told = Told {
            policies: Some(&policies),
            settings: Some(&settings),
            ..Told::default()
        };
        let row = |name: &str| DataStream {
            name: name.to_owned(),
            is_index: true,
            ..DataStream::default()
        };
        let mut rows = [row("shop"), row("logs-a")];
        fill(&mut rows, &json!({"data_streams": []}), &told);
        let [shop, plain] = rows.map(|row| row.retention.unwrap());
        assert_eq!(
            (shop.rule(), shop.since),
            (RetentionRule::Policy, Some(timestamp(5)))
        );
        assert_eq!(plain.rule(), RetentionRule::None);
    }

    #[test]
    fn sizes_are_read_as_elasticsearch_writes_them() {
        assert_eq!(bytes("1.5gb"), Some(3 << 29));
        assert_eq!(bytes("50MB"), Some(50 << 20));
        for wrong in ["50", "gb", "-1b", "1eb", "1e30tb", "자gb"] {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_panics(text in "[\\[\\]{}\":,a-z_0-9]{0,60}", word in ".{0,12}") {
            let value: Value = serde_json::from_str(&text).unwrap_or(json!({"data_streams": text, "policy": text}));
            let told = Told { lifecycles: Some(&value), policies: Some(&value), settings: Some(&value), ..Told::default() };
            let _ = found(&value, &told);
            let odd = lifecycles(json!({"effective_retention": word, "rollover": {"max_size": word, "max_age": word}}));
            let told = Told { lifecycles: Some(&odd), ..told };
            let _ = found(&stream(value.clone()), &told);
            let _ = bytes(&word);
        }
    }
}
