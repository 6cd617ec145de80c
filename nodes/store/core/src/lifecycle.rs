//! When an index is rolled over, when data is old or large enough to go, and when the disk is too full to write.
//! Invariants: pure decisions over facts; the write index of a data stream never goes; oldest goes first.
//! Not here: doing it, and the clock.

use crate::dateformat::civil::{DAY_MS, civil_from_days};
use crate::error::{EsError, EsResult};
use crate::interval::duration_ms;
use serde_json::{Map, Value, json};

/// The name of a data stream's backing index.
#[must_use]
pub fn backing_index_name(stream: &str, now_ms: i64, generation: u64) -> String {
    let (year, month, day) = civil_from_days(now_ms.div_euclid(DAY_MS));
    format!(".ds-{stream}-{year:04}.{month:02}.{day:02}-{generation:06}")
}

/// The name after `logs-000001`: the number at the end plus one. `None` when the name does not end so.
#[must_use]
pub fn next_rollover_name(name: &str) -> Option<String> {
    let (stem, number) = name.rsplit_once('-')?;
    if number.is_empty() || number.len() > 18 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let next = number.parse::<u64>().ok()? + 1;
    Some(format!("{stem}-{next:06}"))
}

/// Reads a size such as `50gb`, `512mb`, `100b`.
///
/// # Errors
/// `illegal_argument_exception` naming the setting and its text.
pub fn bytes_of(name: &str, text: &str) -> EsResult<u64> {
    let refuse = || {
        EsError::illegal_argument(format!(
            "failed to parse setting [{name}] with value [{}] as a size in bytes: unit is missing or unrecognized",
            text.chars().take(64).collect::<String>()
        ))
    };
    let lower = text.trim().to_ascii_lowercase();
    let split = lower
        .find(|letter: char| letter.is_ascii_alphabetic())
        .ok_or_else(refuse)?;
    let (number, unit) = lower.split_at(split);
    let shift = match unit {
        "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        "p" | "pb" => 50,
        _ => return Err(refuse()),
    };
    let number: f64 = number.trim().parse().map_err(|_| refuse())?;
    let bytes = number * (1u64 << shift) as f64;
    if !(0.0..9e15).contains(&bytes) {
        return Err(refuse());
    }
    Ok(bytes as u64)
}

/// What is known of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexFacts {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_ms: i64,
    /// When it was rolled over; absent for the one that is written.
    pub rolled_ms: Option<i64>,
    /// The newest `@timestamp` in it, where known.
    pub newest_ms: Option<i64>,
    /// Documents.
    pub docs: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Whether documents are written to it.
    pub is_write: bool,
}

/// When an index is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RolloverConditions {
    /// Of its making.
    pub max_age_ms: Option<i64>,
    /// Documents.
    pub max_docs: Option<u64>,
    /// Bytes.
    pub max_bytes: Option<u64>,
    /// Not before it is so old.
    pub min_age_ms: Option<i64>,
    /// Not before it has so many documents.
    pub min_docs: Option<u64>,
    /// Not before it has so many bytes.
    pub min_bytes: Option<u64>,
}

/// A condition as the client wrote it, and whether it holds.
pub type Judged = (String, bool);

impl RolloverConditions {
    /// Reads `{"max_age":"7d","max_docs":1000,"max_size":"50gb"}`.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming the condition.
    pub fn parse(body: &Value) -> EsResult<Self> {
        let mut conditions = Self::default();
        let members = body
            .as_object()
            .ok_or_else(|| EsError::json_parse("[conditions] Expected START_OBJECT"))?;
        for (name, value) in members {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => {
                    return Err(EsError::json_parse(format!(
                        "[conditions] {name} must be a number or a string"
                    )));
                }
            };
            let docs = || {
                text.parse::<u64>().map_err(|_| {
                    EsError::json_parse(format!("[conditions] {name} must be a number"))
                })
            };
            match name.as_str() {
                "max_age" => conditions.max_age_ms = Some(duration_ms(name, &text)?),
                "min_age" => conditions.min_age_ms = Some(duration_ms(name, &text)?),
                "max_docs" | "max_primary_shard_docs" => {
                    conditions.max_docs = least(conditions.max_docs, docs()?)
                }
                "min_docs" | "min_primary_shard_docs" => conditions.min_docs = Some(docs()?),
                // One shard: its size is the index's.
                "max_size" | "max_primary_shard_size" => {
                    conditions.max_bytes = least(conditions.max_bytes, bytes_of(name, &text)?);
                }
                "min_size" | "min_primary_shard_size" => {
                    conditions.min_bytes = Some(bytes_of(name, &text)?)
                }
                _ => {
                    return Err(EsError::json_parse(format!(
                        "[conditions] unknown field [{name}]"
                    )));
                }
            }
        }
        Ok(conditions)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each condition, and whether the index should be rolled over: no conditions mean yes; an empty index is kept
    /// unless there are none.
    #[must_use]
    pub fn judge(&self, index: &IndexFacts, now_ms: i64) -> (Vec<Judged>, bool) {
        if self.is_empty() {
            return (Vec::new(), true);
        }
        let age = now_ms.saturating_sub(index.created_ms);
        let mut judged = Vec::new();
        let mut any =
            self.max_age_ms.is_none() && self.max_docs.is_none() && self.max_bytes.is_none();
        let mut note = |text: String, holds: bool| judged.push((text, holds));
        if let Some(most) = self.max_age_ms {
            any |= age >= most;
            note(format!("[max_age: {}]", duration_text(most)), age >= most);
        }
        if let Some(most) = self.max_docs {
            any |= index.docs >= most;
            note(format!("[max_docs: {most}]"), index.docs >= most);
        }
        if let Some(most) = self.max_bytes {
            any |= index.bytes >= most;
            note(
                format!("[max_size: {}]", bytes_text(most)),
                index.bytes >= most,
            );
        }
        let mut all = true;
        if let Some(least) = self.min_age_ms {
            all &= age >= least;
            note(format!("[min_age: {}]", duration_text(least)), age >= least);
        }
        if let Some(least) = self.min_docs {
            all &= index.docs >= least;
            note(format!("[min_docs: {least}]"), index.docs >= least);
        }
        if let Some(least) = self.min_bytes {
            all &= index.bytes >= least;
            note(
                format!("[min_size: {}]", bytes_text(least)),
                index.bytes >= least,
            );
        }
        (judged, any && all && index.docs > 0)
    }

    /// The first of two sets' conditions that would hold.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            max_age_ms: self.max_age_ms.into_iter().chain(other.max_age_ms).min(),
            max_docs: self.max_docs.into_iter().chain(other.max_docs).min(),
            max_bytes: self.max_bytes.into_iter().chain(other.max_bytes).min(),
            min_age_ms: self.min_age_ms.or(other.min_age_ms),
            min_docs: self.min_docs.or(other.min_docs),
            min_bytes: self.min_bytes.or(other.min_bytes),
        }
    }
}

fn least(known: Option<u64>, new: u64) -> Option<u64> {
    Some(known.map_or(new, |known| known.min(new)))
}

/// A length of time as Elasticsearch shows it.
#[must_use]
pub fn duration_text(ms: i64) -> String {
    for (unit, length) in [("d", DAY_MS), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] {
        if ms >= length && ms % length == 0 {
            return format!("{}{unit}", ms / length);
        }
    }
    format!("{ms}ms")
}

/// A size as Elasticsearch shows it.
#[must_use]
pub fn bytes_text(bytes: u64) -> String {
    for (unit, shift) in [("pb", 50), ("tb", 40), ("gb", 30), ("mb", 20), ("kb", 10)] {
        if bytes >> shift > 0 {
            let tenths = (bytes as f64 / (1u64 << shift) as f64 * 10.0).floor() as u64;
            return if tenths.is_multiple_of(10) {
                format!("{}{unit}", tenths / 10)
            } else {
                format!("{}.{}{unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{bytes}b")
}

/// How long and how much is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Data older than this goes, an index at a time.
    pub max_age_ms: Option<i64>,
    /// All indices together are not larger than this.
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// The indices that go, oldest first. An index's age is that of its newest document, else of its rollover, else of
    /// its making; the ones that are written to stay.
    #[must_use]
    pub fn doomed(&self, indices: &[IndexFacts], now_ms: i64) -> Vec<String> {
        let ended = |index: &IndexFacts| {
            // A document from the future does not keep an index for ever.
            let newest = index
                .newest_ms
                .map(|newest| newest.min(index.rolled_ms.unwrap_or(now_ms)));
            newest.or(index.rolled_ms).unwrap_or(index.created_ms)
        };
        let mut sorted: Vec<&IndexFacts> = indices.iter().filter(|index| !index.is_write).collect();
        sorted.sort_by_key(|index| (ended(index), index.name.clone()));
        let mut total: u64 = indices.iter().map(|index| index.bytes).sum();
        let mut doomed = Vec::new();
        for index in sorted {
            let old = self
                .max_age_ms
                .is_some_and(|most| now_ms.saturating_sub(ended(index)) > most);
            let large = self.max_bytes.is_some_and(|most| total > most);
            if old || large {
                total = total.saturating_sub(index.bytes);
                doomed.push(index.name.clone());
            }
        }
        doomed
    }
}

/// A lifecycle policy as `_ilm/policy` keeps it: rollover while hot, then deletion.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// As it was put.
    pub body: Value,
    /// Of the hot phase.
    pub rollover: Option<RolloverConditions>,
    /// So long after rollover it is deleted.
    pub delete_after_ms: Option<i64>,
}

impl Policy {
    /// Reads the body of `PUT _ilm/policy/x`: `{"policy":{"phases":{..}}}`. Actions that only move or shrink data are
    /// kept and do nothing on one machine.
    ///
    /// # Errors
    /// `illegal_argument_exception` naming the phase or action.
    pub fn parse(body: &Value) -> EsResult<Self> {
        const PHASES: [&str; 5] = ["hot", "warm", "cold", "frozen", "delete"];
        const ACTIONS: [&str; 14] = [
            "rollover",
            "set_priority",
            "unfollow",
            "readonly",
            "downsample",
            "shrink",
            "forcemerge",
            "allocate",
            "migrate",
            "searchable_snapshot",
            "freeze",
            "wait_for_snapshot",
            "delete",
            "unfollow_follower",
        ];
        let policy = body.get("policy").unwrap_or(body);
        let phases = policy
            .get("phases")
            .and_then(Value::as_object)
            .ok_or_else(|| EsError::json_parse("[lifecycle_policy] Required [phases]"))?;
        let mut read = Self {
            body: policy.clone(),
            rollover: None,
            delete_after_ms: None,
        };
        for (name, phase) in phases {
            if !PHASES.contains(&name.as_str()) {
                return Err(EsError::illegal_argument(format!(
                    "Timeseries lifecycle does not support phase [{name}]"
                )));
            }
            let empty = Map::new();
            let actions = phase
                .get("actions")
                .and_then(Value::as_object)
                .unwrap_or(&empty);
            for (action, body) in actions {
                if !ACTIONS.contains(&action.as_str()) {
                    return Err(EsError::illegal_argument(format!(
                        "invalid action [{action}] defined in phase [{name}]"
                    )));
                }
                if action == "downsample" {
                    return Err(EsError::unsupported("downsample"));
                }
                if action == "rollover" {
                    read.rollover = Some(RolloverConditions::parse(body)?);
                }
            }
            let min_age = match phase.get("min_age") {
                None => 0,
                Some(Value::String(text)) => duration_ms("min_age", text)?,
                Some(_) => return Err(EsError::json_parse("[phase] min_age must be a string")),
            };
            if name == "delete" && (actions.contains_key("delete") || actions.is_empty()) {
                read.delete_after_ms = Some(min_age);
            }
        }
        Ok(read)
    }

    /// As `GET _ilm/policy` shows it.
    #[must_use]
    pub fn render(&self, version: u64, modified: &str) -> Value {
        json!({
            "version": version,
            "modified_date": modified,
            "policy": self.body,
            "in_use_by": {"indices": [], "data_streams": [], "composable_templates": []},
        })
    }
}

/// Whether writes are allowed, by the space that is left. Hysteresis: what was stopped starts again only well above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskGuard {
    /// Below this much free space writes stop (Elasticsearch's flood stage).
    pub stop_bytes: u64,
    /// At this much they go on.
    pub resume_bytes: u64,
}

impl DiskGuard {
    /// For a disk of this size: stop below 5 % (at least 64 MiB, at most 20 GiB), go on above 7.5 %.
    #[must_use]
    pub fn for_disk(total_bytes: u64) -> Self {
        let stop = (total_bytes / 20).clamp(64 << 20, 20 << 30);
        Self {
            stop_bytes: stop,
            resume_bytes: stop + stop / 2,
        }
    }

    /// Whether writes are stopped now.
    #[must_use]
    pub const fn stopped(&self, was_stopped: bool, free_bytes: u64) -> bool {
        if was_stopped {
            free_bytes < self.resume_bytes
        } else {
            free_bytes < self.stop_bytes
        }
    }

    /// What a write is answered while they are.
    #[must_use]
    pub fn refusal(index: &str) -> EsError {
        EsError::new(
            429,
            "cluster_block_exception",
            format!(
                "index [{index}] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn facts(name: &str, created_day: i64, bytes: u64, is_write: bool) -> IndexFacts {
        IndexFacts {
            name: name.to_owned(),
            created_ms: created_day * DAY_MS,
            rolled_ms: (!is_write).then_some((created_day + 1) * DAY_MS),
            newest_ms: None,
            docs: 10,
            bytes,
            is_write,
        }
    }

    #[test]
    fn names_count_up() {
        assert_eq!(
            backing_index_name("logs-a", 1_706_695_200_000, 3),
            ".ds-logs-a-2024.01.31-000003"
        );
        assert_eq!(
            next_rollover_name("beat-2024.01.31-000009").as_deref(),
            Some("beat-2024.01.31-000010")
        );
        assert_eq!(next_rollover_name("beat"), None);
        assert_eq!(next_rollover_name("beat-1x"), None);
    }

    #[test]
    fn sizes_and_lengths_are_read_and_shown() {
        assert_eq!(bytes_of("x", "1.5gb").unwrap(), 3 << 29);
        assert_eq!(bytes_of("x", "50MB").unwrap(), 50 << 20);
        for bad in ["50", "gb", "-1b", "1eb", "1e30tb"] {
            assert!(bytes_of("x", bad).is_err(), "{bad}");
        }
        assert_eq!(bytes_text(3 << 29), "1.5gb");
        assert_eq!(bytes_text(50 << 30), "50gb");
        assert_eq!(bytes_text(9), "9b");
        assert_eq!(duration_text(30 * DAY_MS), "30d");
        assert_eq!(duration_text(1500), "1500ms");
    }

    #[test]
    fn rollover_needs_one_maximum_and_all_minima() {
        let conditions = RolloverConditions::parse(
            &json!({"max_age": "7d", "max_size": "50gb", "max_docs": 100}),
        )
        .unwrap();
        let mut index = facts("a", 0, 1 << 30, true);
        assert_eq!(
            conditions.judge(&index, 2 * DAY_MS),
            (
                vec![
                    ("[max_age: 7d]".into(), false),
                    ("[max_docs: 100]".into(), false),
                    ("[max_size: 50gb]".into(), false)
                ],
                false
            )
        );
        assert!(conditions.judge(&index, 7 * DAY_MS).1);
        let with_minimum = RolloverConditions {
            min_docs: Some(11),
            ..conditions
        };
        assert!(!with_minimum.judge(&index, 7 * DAY_MS).1);
        index.docs = 0;
        assert!(!conditions.judge(&index, 7 * DAY_MS).1);
        assert!(RolloverConditions::default().judge(&index, 0).1);
        assert!(RolloverConditions::parse(&json!({"max_foo": 1})).is_err());
    }

    #[test]
    fn old_and_surplus_indices_go_oldest_first() {
        let indices = [
            facts("c", 8, 30, false),
            facts("a", 0, 10, false),
            facts("b", 4, 20, false),
            facts("w", 0, 40, true),
        ];
        let doomed = |max_age_days: Option<i64>, max_bytes| {
            Retention {
                max_age_ms: max_age_days.map(|days| days * DAY_MS),
                max_bytes,
            }
            .doomed(&indices, 10 * DAY_MS)
        };
        assert_eq!(doomed(Some(7), None), ["a"]);
        assert_eq!(doomed(None, Some(75)), ["a", "b"]);
        assert_eq!(doomed(Some(2), Some(0)), ["a", "b", "c"]);
        assert!(doomed(None, None).is_empty());
        let mut fresh = facts("d", 0, 1, false);
        fresh.newest_ms = Some(100 * DAY_MS);
        let kept = Retention {
            max_age_ms: Some(7 * DAY_MS),
            max_bytes: None,
        };
        assert_eq!(kept.doomed(&[fresh], 10 * DAY_MS), ["d"]);
    }

    #[test]
    fn policies_of_beats_are_read() {
        let policy = Policy::parse(&json!({"policy": {"phases": {
            "hot": {"actions": {"rollover": {"max_size": "50gb", "max_age": "30d"}}},
            "delete": {"min_age": "90d", "actions": {"delete": {}}}}}}))
        .unwrap();
        assert_eq!(policy.rollover.unwrap().max_bytes, Some(50 << 30));
        assert_eq!(policy.delete_after_ms, Some(90 * DAY_MS));
        for bad in [
            json!({"policy": {}}),
            json!({"policy": {"phases": {"lukewarm": {}}}}),
            json!({"policy": {"phases": {"hot": {"actions": {"explode": {}}}}}}),
            json!({"policy": {"phases": {"hot": {"actions": {"downsample": {"fixed_interval": "1h"}}}}}}),
            json!({"policy": {"phases": {"delete": {"min_age": "soon"}}}}),
        ] {
            assert!(Policy::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn writes_stop_and_go_on_with_a_gap_between() {
        let guard = DiskGuard::for_disk(100 << 30);
        assert_eq!(guard.stop_bytes, 5 << 30);
        assert!(!guard.stopped(false, 5 << 30) && guard.stopped(false, 4 << 30));
        assert!(guard.stopped(true, 6 << 30) && !guard.stopped(true, 8 << 30));
    }

    proptest! {
        #[test]
        fn what_stays_is_within_the_limits(days in proptest::collection::vec((0i64..20, 1u64..100), 0..12), age in 1i64..20, most in 0u64..500) {
            let indices: Vec<IndexFacts> = days.iter().enumerate()
                .map(|(at, (day, bytes))| facts(&format!("i{at}"), *day, *bytes, at == 0)).collect();
            let rule = Retention { max_age_ms: Some(age * DAY_MS), max_bytes: Some(most) };
            let doomed = rule.doomed(&indices, 20 * DAY_MS);
            let kept: Vec<&IndexFacts> = indices.iter().filter(|index| !doomed.contains(&index.name)).collect();
            prop_assert!(kept.iter().filter(|index| !index.is_write).all(|index| 20 - index.created_ms / DAY_MS - 1 <= age));
            let bytes: u64 = kept.iter().map(|index| index.bytes).sum();
            prop_assert!(bytes <= most || kept.iter().all(|index| index.is_write));
        }

        #[test]
        fn nothing_panics(text in ".{0,20}") {
            let _ = bytes_of("x", &text);
            let _ = next_rollover_name(&text);
            let _ = RolloverConditions::parse(&json!({"max_age": text, "max_size": text}));
        }
    }
}
