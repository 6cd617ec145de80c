//! A condition on an answer → groups that fire, are good, or of which nothing can be said.
//!
//! Invariants: what is missing is never good unless the watch says so; a group without a value
//! does not hide the others; an answer that left buckets out says so (`is_complete`), and then
//! the absence of a group means nothing.
//! Not here: what follows over time (`alerts`), the search (`input`).

use serde_json::Value;

use crate::answer::{Answer, AnswerError, at};
use crate::watch::{Comparison, Condition, Measure, Missing, Threshold};

/// Most groups of one run.
pub const MAX_GROUPS: usize = 10_000;
/// Longest part of a group's key, in characters.
const MAX_KEY: usize = 256;

/// Why a run says nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The answer is an error or not whole.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// The aggregation is not in the answer.
    #[error("the answer has no buckets of `{0}`")]
    NoBuckets(String),
    /// No index matched, and the watch does not say that this is good.
    #[error("no index or data stream matches")]
    NoIndex,
    /// There are no buckets, and the watch does not say that this is good.
    #[error("no documents in the window: there is nothing to judge")]
    NoGroups,
    /// Too many buckets.
    #[error("there are more than {MAX_GROUPS} groups; narrow the search or the aggregations")]
    TooManyGroups,
}

/// What one run found.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// One per bucket; one without a key when the whole answer is judged.
    pub groups: Vec<Group>,
    /// Documents that matched.
    pub hits: u64,
    /// Every bucket was there: a group that is absent has no documents.
    pub is_complete: bool,
}

/// What a run is in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every group is good.
    Ok,
    /// At least one fires.
    Firing,
    /// None fires, and of at least one nothing can be said.
    Error,
}

impl Evaluation {
    /// The run in one word.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let any = |state: GroupState| self.groups.iter().any(|group| group.state == state);
        if any(GroupState::Firing) {
            Outcome::Firing
        } else if any(GroupState::Unknown) {
            Outcome::Error
        } else {
            Outcome::Ok
        }
    }
}

/// What is known of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupState {
    /// Not over its threshold.
    Ok,
    /// Over its threshold.
    Firing,
    /// Its value is missing.
    Unknown,
}

/// Names of aggregations with the key of the bucket, outermost first.
pub type GroupKey = Vec<(String, String)>;

/// One group of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Empty when the whole answer is judged.
    pub key: GroupKey,
    /// What is known of it.
    pub state: GroupState,
    /// What was measured; `None`: missing.
    pub value: Option<Measured>,
    /// Part and whole of a ratio.
    pub ratio: Option<(f64, f64)>,
    /// The bucket without the buckets inside it; null when the whole answer is judged.
    pub evidence: Value,
}

/// A value that was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// A finite number.
    Number(f64),
    /// A text.
    Text(String),
    /// A truth.
    Truth(bool),
}

/// Judges an answer.
///
/// # Errors
/// When nothing can be said of any group: the answer is not whole, or is not of this watch.
pub fn evaluate(condition: &Condition, answer: &Value) -> Result<Evaluation, EvaluationError> {
    let answer = Answer::of(answer)?;
    let hits = answer.hits().unwrap_or(0);
    let mut evaluation = Evaluation {
        groups: Vec::new(),
        hits,
        is_complete: true,
    };
    if condition.buckets.is_empty() {
        let group = judge(condition, answer.value(), hits, Vec::new());
        evaluation.groups.push(Group {
            evidence: Value::Null,
            ..group
        });
        return Ok(evaluation);
    }
    match answer.value().get("aggregations") {
        Some(aggregations) => collect(condition, aggregations, &[], &mut evaluation)?,
        // Without an index there may be no aggregations either.
        None if answer.is_of_nothing() => {}
        None => return Err(EvaluationError::NoBuckets(condition.buckets[0].clone())),
    }
    if evaluation.groups.is_empty() {
        match condition.missing {
            Missing::Error if answer.is_of_nothing() => return Err(EvaluationError::NoIndex),
            Missing::Error => return Err(EvaluationError::NoGroups),
            Missing::Ok => {}
            Missing::Fire => evaluation.groups.push(Group {
                key: Vec::new(),
                state: GroupState::Firing,
                value: None,
                ratio: None,
                evidence: Value::Null,
            }),
        }
    }
    Ok(evaluation)
}

fn collect(
    condition: &Condition,
    parent: &Value,
    key: &[(String, String)],
    out: &mut Evaluation,
) -> Result<(), EvaluationError> {
    let name = &condition.buckets[key.len().min(condition.buckets.len() - 1)];
    let no_buckets = || EvaluationError::NoBuckets(name.clone());
    let aggregation = parent.get(name).ok_or_else(no_buckets)?;
    if aggregation
        .get("sum_other_doc_count")
        .and_then(Value::as_u64)
        .is_some_and(|others| others > 0)
        || aggregation.get("after_key").is_some()
    {
        out.is_complete = false;
    }
    let buckets: Vec<(String, &Value)> = match aggregation.get("buckets") {
        Some(Value::Array(buckets)) => buckets
            .iter()
            .map(|bucket| (key_of(bucket), bucket))
            .collect(),
        Some(Value::Object(buckets)) => buckets
            .iter()
            .map(|(key, bucket)| (cut(key), bucket))
            .collect(),
        _ => return Err(no_buckets()),
    };
    for (text, bucket) in buckets {
        let mut key = key.to_vec();
        key.push((name.clone(), text));
        if key.len() < condition.buckets.len() {
            collect(condition, bucket, &key, out)?;
            continue;
        }
        if out.groups.len() >= MAX_GROUPS {
            return Err(EvaluationError::TooManyGroups);
        }
        let count = bucket.get("doc_count").and_then(Value::as_u64).unwrap_or(0);
        out.groups.push(judge(condition, bucket, count, key));
    }
    Ok(())
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_KEY).collect()
}

fn key_of(bucket: &Value) -> String {
    let key = bucket.get("key_as_string").or_else(|| bucket.get("key"));
    match key {
        Some(Value::String(text)) => cut(text),
        // A composite's key: its sources, joined.
        Some(Value::Object(parts)) => {
            let parts: Vec<String> = parts
                .iter()
                .map(|(name, value)| match value {
                    Value::String(text) => format!("{name}={text}"),
                    other => format!("{name}={other}"),
                })
                .collect();
            cut(&parts.join(","))
        }
        Some(other) => cut(&other.to_string()),
        None => String::new(),
    }
}

/// The bucket without the buckets of other aggregations inside it.
fn evidence_of(bucket: &Value) -> Value {
    match bucket {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(_, value)| value.get("buckets").is_none() && value.get("hits").is_none())
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn measured(value: &Value) -> Option<Measured> {
    match value {
        Value::Number(number) => number
            .as_f64()
            .filter(|number| number.is_finite())
            .map(Measured::Number),
        Value::String(text) => Some(Measured::Text(cut(text))),
        Value::Bool(truth) => Some(Measured::Truth(*truth)),
        _ => None,
    }
}

fn judge(condition: &Condition, scope: &Value, count: u64, key: GroupKey) -> Group {
    let number = |path: &str| at(scope, path).and_then(Value::as_f64);
    let (value, ratio) = match &condition.measure {
        Measure::Path(path) => (at(scope, path).and_then(measured), None),
        Measure::Ratio { part, whole } => match (number(part), number(whole)) {
            (Some(part), Some(whole)) if part.is_finite() && whole.is_finite() => {
                let share = (whole != 0.0).then_some(Measured::Number(part / whole));
                (share, Some((part, whole)))
            }
            _ => (None, None),
        },
    };
    let min_count = condition.min_count as f64;
    let too_few = match ratio {
        Some((_, whole)) => whole < min_count,
        None => (count as f64) < min_count,
    };
    let state = if too_few {
        GroupState::Ok
    } else {
        match value.as_ref().map(|value| compare(condition, value)) {
            Some(Some(true)) => GroupState::Firing,
            Some(Some(false)) => GroupState::Ok,
            // A text where a number should be is as good as no value.
            Some(None) => GroupState::Unknown,
            None => match condition.missing {
                Missing::Error => GroupState::Unknown,
                Missing::Ok => GroupState::Ok,
                Missing::Fire => GroupState::Firing,
            },
        }
    };
    Group {
        key,
        state,
        value,
        ratio,
        evidence: evidence_of(scope),
    }
}

/// Whether the comparison holds; `None` when the two are of different kinds.
fn compare(condition: &Condition, value: &Measured) -> Option<bool> {
    use std::cmp::Ordering;
    let order = match (value, &condition.threshold) {
        (Measured::Number(value), Threshold::Number(limit)) => value.partial_cmp(limit)?,
        (Measured::Text(value), Threshold::Text(limit)) => value.as_str().cmp(limit),
        (Measured::Truth(value), Threshold::Truth(limit)) => value.cmp(limit),
        _ => return None,
    };
    Some(match condition.comparison {
        Comparison::Gt => order == Ordering::Greater,
        Comparison::Gte => order != Ordering::Less,
        Comparison::Lt => order == Ordering::Less,
        Comparison::Lte => order != Ordering::Greater,
        Comparison::Eq => order == Ordering::Equal,
        Comparison::Ne => order != Ordering::Equal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::answer;
    use proptest::prelude::*;
    use serde_json::json;

    fn condition(buckets: &[&str], path: &str, limit: f64) -> Condition {
        Condition {
            buckets: buckets.iter().map(|name| (*name).to_owned()).collect(),
            measure: Measure::Path(path.to_owned()),
            comparison: Comparison::Gt,
            threshold: Threshold::Number(limit),
            missing: Missing::Error,
            min_count: 0,
        }
    }

    fn states(condition: &Condition, answer: &Value) -> Vec<GroupState> {
        let evaluation = evaluate(condition, answer).expect("the answer is whole");
        evaluation.groups.iter().map(|group| group.state).collect()
    }

    #[test]
    fn the_total_of_hits_is_compared() {
        let hits = |limit| {
            states(
                &condition(&[], "hits.total.value", limit),
                &answer(json!({})),
            )
        };
        assert_eq!(hits(41.0), [GroupState::Firing]);
        assert_eq!(hits(42.0), [GroupState::Ok], "gt is not gte");
    }

    #[test]
    fn each_bucket_of_nested_terms_is_a_group_of_its_own() {
        let answer = answer(json!({"host": {"sum_other_doc_count": 0, "buckets": [
            {"key": "a", "doc_count": 2, "mount": {"sum_other_doc_count": 0, "buckets": [
                {"key": "/", "doc_count": 1, "used": {"value": 0.95}},
                {"key": "/data", "doc_count": 1, "used": {"value": 0.5}},
            ]}},
            {"key": "b", "doc_count": 1, "mount": {"sum_other_doc_count": 0, "buckets": [
                {"key": "/", "doc_count": 1, "used": {"value": null}},
            ]}},
        ]}}));
        let evaluation =
            evaluate(&condition(&["host", "mount"], "used.value", 0.9), &answer).unwrap();
        let found: Vec<(String, GroupState)> = evaluation
            .groups
            .iter()
            .map(|group| (format!("{}{}", group.key[0].1, group.key[1].1), group.state))
            .collect();
        assert_eq!(
            found,
            [
                ("a/".into(), GroupState::Firing),
                ("a/data".into(), GroupState::Ok),
                ("b/".into(), GroupState::Unknown),
            ],
            "a missing value is unknown and hides no other group"
        );
        assert_eq!(evaluation.outcome(), Outcome::Firing);
        assert!(evaluation.is_complete);
        assert_eq!(
            evaluation.groups[0].evidence,
            json!({"key": "/", "doc_count": 1, "used": {"value": 0.95}})
        );
    }

    #[test]
    fn a_ratio_needs_its_least_count() {
        let ratio = |part: u64, whole: u64, min_count: u64| {
            let condition = Condition {
                measure: Measure::Ratio {
                    part: "errors.doc_count".into(),
                    whole: "doc_count".into(),
                },
                comparison: Comparison::Gte,
                min_count,
                ..condition(&["service"], "", 0.2)
            };
            let answer = answer(json!({"service": {"buckets": [
                {"key": "shop", "doc_count": whole, "errors": {"doc_count": part}},
            ]}}));
            states(&condition, &answer)[0]
        };
        assert_eq!(ratio(20, 100, 50), GroupState::Firing);
        assert_eq!(ratio(19, 100, 50), GroupState::Ok);
        assert_eq!(ratio(9, 10, 50), GroupState::Ok, "too few to tell");
        assert_eq!(ratio(0, 0, 0), GroupState::Unknown, "nothing of nothing");
    }

    #[test]
    fn what_is_missing_is_what_the_watch_says() {
        let missing = |missing| {
            let condition = Condition {
                missing,
                ..condition(&[], "aggregations.used.value", 0.9)
            };
            states(&condition, &answer(json!({"used": {"value": null}})))[0]
        };
        assert_eq!(missing(Missing::Error), GroupState::Unknown);
        assert_eq!(missing(Missing::Ok), GroupState::Ok);
        assert_eq!(missing(Missing::Fire), GroupState::Firing);
    }

    #[test]
    fn an_answer_of_nothing_is_good_only_where_the_watch_says_so() {
        let nothing = json!({
            "took": 0, "timed_out": false,
            "_shards": {"total": 0, "successful": 0, "skipped": 0, "failed": 0},
            "hits": {"total": {"value": 0, "relation": "eq"}, "hits": []},
        });
        let mut condition = condition(&["host"], "x", 1.0);
        assert_eq!(
            evaluate(&condition, &nothing),
            Err(EvaluationError::NoIndex)
        );
        let empty = answer(json!({"host": {"buckets": []}}));
        assert_eq!(evaluate(&condition, &empty), Err(EvaluationError::NoGroups));
        condition.missing = Missing::Ok;
        for answer in [&nothing, &empty] {
            assert_eq!(evaluate(&condition, answer).unwrap().groups, []);
        }
        condition.missing = Missing::Fire;
        for answer in [&nothing, &empty] {
            assert_eq!(states(&condition, answer), [GroupState::Firing]);
        }
    }

    #[test]
    fn an_answer_without_the_aggregation_is_an_error() {
        let found = evaluate(
            &condition(&["host"], "x", 1.0),
            &answer(json!({"other": {}})),
        );
        assert_eq!(found, Err(EvaluationError::NoBuckets("host".into())));
    }

    #[test]
    fn buckets_that_were_left_out_are_said() {
        let answer = answer(json!({"host": {"sum_other_doc_count": 4, "buckets": [
            {"key": "a", "doc_count": 1, "x": 1},
        ]}}));
        let evaluation = evaluate(&condition(&["host"], "x", 1.0), &answer).unwrap();
        assert!(!evaluation.is_complete);
    }

    #[test]
    fn texts_and_named_filters_are_compared_too() {
        let condition = Condition {
            comparison: Comparison::Ne,
            threshold: Threshold::Text("green".into()),
            ..condition(&["which"], "top.value", 0.0)
        };
        let answer = answer(json!({"which": {"buckets": {
            "one": {"doc_count": 1, "top": {"value": "green"}},
            "two": {"doc_count": 1, "top": {"value": "red"}},
            "three": {"doc_count": 1, "top": {"value": 3}},
        }}}));
        assert_eq!(
            states(&condition, &answer),
            [GroupState::Ok, GroupState::Firing, GroupState::Unknown]
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-z]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 4, |inner| {
            let key = prop_oneof![
                Just("buckets"),
                Just("host"),
                Just("doc_count"),
                Just("key"),
                Just("value"),
                Just("sum_other_doc_count"),
                Just("mount"),
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(key.prop_map(String::from), inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_answer_whatever_makes_it_panic_or_good_without_a_value(
            body in any_json(), parts in any_json(),
        ) {
            let condition = condition(&["host", "mount"], "value", 1.0);
            let _ = evaluate(&condition, &body);
            if let Ok(evaluation) = evaluate(&condition, &answer(json!({"host": {"buckets": parts}}))) {
                for group in evaluation.groups {
                    prop_assert!(
                        group.state != GroupState::Ok || group.value.is_some(),
                        "good without a value: {:?}", group
                    );
                }
            }
        }

        #[test]
        fn a_part_that_failed_is_an_error_whatever_else_the_answer_says(
            failed in 1_u64..5, value in any::<f64>(),
        ) {
            let mut torn = answer(json!({"used": {"value": value}}));
            torn["_shards"]["failed"] = json!(failed);
            prop_assert!(evaluate(&condition(&[], "aggregations.used.value", 0.9), &torn).is_err());
        }
    }
}
