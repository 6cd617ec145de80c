//! What a run tells each alert of its watch: also those whose group is not in the answer any more.
//!
//! Invariants: every group of the run and every alert that is known gets exactly one signal; a
//! group of which nothing can be said neither fires nor recovers; absence counts as good at
//! once where the watch says so and the answer is complete, otherwise after the time of the
//! throttle: the host that was removed does not stay an alert for ever.
//! Not here: what an alert makes of its signals.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::evaluate::{Evaluation, Group, GroupKey, GroupState};
use crate::message::alert_id;
use crate::watch::{Missing, Watch};

/// An alert that fired before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAlert {
    /// Its group.
    pub key: GroupKey,
    /// The last run that saw it firing, milliseconds since 1970.
    pub last_firing_ms: u64,
}

/// What a run says about one alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// The alert's id.
    pub alert_id: String,
    /// The group as the run found it; without a value when it is absent.
    pub group: Group,
}

/// The signals of a run at `at_ms`, by the alert's id; `known` are the alerts of the watch that
/// fire or are recovering, by id.
#[must_use]
pub fn signals(
    watch: &Watch,
    evaluation: &Evaluation,
    known: &BTreeMap<String, KnownAlert>,
    at_ms: u64,
) -> Vec<Signal> {
    let mut signals: BTreeMap<String, Signal> = BTreeMap::new();
    for group in &evaluation.groups {
        let alert_id = alert_id(&watch.name, &group.key);
        let signal = Signal {
            alert_id: alert_id.clone(),
            group: group.clone(),
        };
        // Buckets may share a key (two sources of one field): the worst counts.
        match signals.get_mut(&alert_id) {
            Some(present) if present.group.state == GroupState::Firing => {}
            Some(present) if group.state != GroupState::Ok => *present = signal,
            Some(_) => {}
            None => {
                signals.insert(alert_id, signal);
            }
        }
    }
    for (alert_id, alert) in known {
        if signals.contains_key(alert_id) {
            continue;
        }
        let waited = at_ms.saturating_sub(alert.last_firing_ms) >= watch.throttle_ms;
        let absence_is_good = evaluation.is_complete && watch.condition.missing == Missing::Ok;
        let is_good = absence_is_good || waited;
        let group = Group {
            key: alert.key.clone(),
            state: if is_good {
                GroupState::Ok
            } else {
                GroupState::Unknown
            },
            value: None,
            ratio: None,
            evidence: Value::Null,
        };
        signals.insert(
            alert_id.clone(),
            Signal {
                alert_id: alert_id.clone(),
                group,
            },
        );
    }
    signals.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::Measured;
    use crate::fixture;
    use proptest::prelude::*;

    fn group(host: &str, state: GroupState) -> Group {
        Group {
            key: key(host),
            state,
            value: Some(Measured::Number(0.5)),
            ratio: None,
            evidence: Value::Null,
        }
    }

    fn key(host: &str) -> GroupKey {
        vec![("host".to_owned(), host.to_owned())]
    }

    fn evaluation(groups: Vec<Group>, is_complete: bool) -> Evaluation {
        Evaluation {
            groups,
            hits: 1,
            is_complete,
        }
    }

    fn known(hosts: &[&str]) -> BTreeMap<String, KnownAlert> {
        hosts
            .iter()
            .map(|host| {
                let alert = KnownAlert {
                    key: key(host),
                    last_firing_ms: 1_000,
                };
                (alert_id("memory", &key(host)), alert)
            })
            .collect()
    }

    fn state_of(watch: &Watch, evaluation: &Evaluation, host: &str, at_ms: u64) -> GroupState {
        let signals = signals(watch, evaluation, &known(&["a"]), at_ms);
        let of_host = signals.iter().find(|signal| signal.group.key == key(host));
        of_host.expect("a signal").group.state
    }

    #[test]
    fn an_absent_group_is_held_for_the_throttle_and_then_good() {
        let watch = fixture::watch();
        let other = evaluation(vec![group("b", GroupState::Ok)], true);
        assert_eq!(state_of(&watch, &other, "a", 2_000), GroupState::Unknown);
        let later = 1_000 + watch.throttle_ms;
        assert_eq!(state_of(&watch, &other, "a", later), GroupState::Ok);
    }

    #[test]
    fn an_absent_group_is_good_at_once_where_absence_is() {
        let mut watch = fixture::watch();
        watch.condition.missing = Missing::Ok;
        let none = evaluation(Vec::new(), true);
        assert_eq!(state_of(&watch, &none, "a", 2_000), GroupState::Ok);
        let cut = evaluation(vec![group("b", GroupState::Ok)], false);
        assert_eq!(
            state_of(&watch, &cut, "a", 2_000),
            GroupState::Unknown,
            "what was left out of the answer may still be bad"
        );
        let later = 1_000 + watch.throttle_ms;
        assert_eq!(state_of(&watch, &cut, "a", later), GroupState::Ok);
    }

    #[test]
    fn of_two_buckets_with_one_key_the_worst_counts() {
        let watch = fixture::watch();
        for order in [
            [GroupState::Ok, GroupState::Firing, GroupState::Unknown],
            [GroupState::Unknown, GroupState::Firing, GroupState::Ok],
        ] {
            let groups = order.map(|state| group("a", state)).to_vec();
            let signals = signals(&watch, &evaluation(groups, true), &known(&["a"]), 0);
            assert_eq!(signals.len(), 1);
            assert_eq!(signals[0].group.state, GroupState::Firing);
        }
    }

    proptest! {
        #[test]
        fn each_group_and_each_known_alert_has_one_signal(
            found in proptest::collection::vec(("[a-d]", 0_u8..3), 0..6),
            before in proptest::collection::vec("[a-f]", 0..6),
            is_complete in any::<bool>(),
            at_ms in any::<u64>(),
        ) {
            let states = [GroupState::Ok, GroupState::Firing, GroupState::Unknown];
            let groups = found
                .iter()
                .map(|(host, state)| group(host, states[usize::from(*state)]))
                .collect();
            let names: Vec<&str> = before.iter().map(String::as_str).collect();
            let signals =
                signals(&fixture::watch(), &evaluation(groups, is_complete), &known(&names), at_ms);
            let mut seen: Vec<&GroupKey> = signals.iter().map(|signal| &signal.group.key).collect();
            seen.sort();
            let mut expected: Vec<GroupKey> = found
                .iter()
                .map(|(host, _)| key(host))
                .chain(names.iter().map(|host| key(host)))
                .collect();
            expected.sort();
            expected.dedup();
            prop_assert_eq!(seen, expected.iter().collect::<Vec<_>>());
        }
    }
}
