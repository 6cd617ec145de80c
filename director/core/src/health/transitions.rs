//! What the log keeps of health: who became well or unwell since it was last said, everything that was found at
//! one look in as few commands as have room for it, because a zone that is lost makes thousands of hosts unwell at
//! once. Invariants: each command fits the log, whatever texts hosts send; who is well again comes first and
//! makes room; nothing is said that there is no room for. Not here: what is a problem (`health`), how it is kept
//! (`apply/platform`).

use std::collections::BTreeMap;

use super::Problem;
use crate::{
    apply::platform::PROBLEM_BYTES,
    command::{Body, COMMAND_BYTES, ReportHealthTransition, ReportHealthTransitions},
    refusal::cut,
    state::{HEALTH_KEPT, HEALTH_LEVEL, State},
};

/// Bytes of one command's transitions; the rest is for what every command has.
const TRANSITIONS_BYTES: usize = COMMAND_BYTES - 4 * 1024;

/// The commands that record what became well or unwell since the last record.
#[must_use]
pub fn transitions(state: &State, problems: &[Problem]) -> Vec<Body> {
    let all = changed(state, problems);
    if state.feature_level < HEALTH_LEVEL {
        return all.into_iter().map(Body::ReportHealthTransition).collect();
    }
    together(all)
        .into_iter()
        .map(|transitions| Body::ReportHealthTransitions(ReportHealthTransitions { transitions }))
        .collect()
}

fn changed(state: &State, problems: &[Problem]) -> Vec<ReportHealthTransition> {
    let mut now = BTreeMap::new();
    for problem in problems {
        // The worst of a subject comes first.
        now.entry(format!("{}/{}", problem.subject_kind, problem.subject_id))
            .or_insert(problem);
    }
    let mut all: Vec<ReportHealthTransition> = state
        .health
        .keys()
        .filter(|key| !now.contains_key(*key))
        .filter_map(|key| key.split_once('/'))
        .map(|(kind, subject)| ReportHealthTransition {
            subject_kind: kind.to_owned(),
            subject: subject.to_owned(),
            code: String::new(),
            message: String::new(),
        })
        .collect();
    let mut room = (HEALTH_KEPT + all.len()).saturating_sub(state.health.len());
    for (key, problem) in now {
        match state.health.get(&key) {
            Some(known) if known.code == problem.code => continue,
            Some(_) => {}
            None if room == 0 => continue,
            None => room -= 1,
        }
        all.push(ReportHealthTransition {
            subject_kind: problem.subject_kind.to_owned(),
            subject: problem.subject_id.clone(),
            code: problem.code.clone(),
            message: cut(&problem.message, PROBLEM_BYTES).to_owned(),
        });
    }
    all
}

/// In their order, as many together as a command has room for.
fn together(all: Vec<ReportHealthTransition>) -> Vec<Vec<ReportHealthTransition>> {
    let mut groups: Vec<Vec<ReportHealthTransition>> = Vec::new();
    let mut used = 0;
    for one in all {
        let text = serde_json::to_vec(&one).expect("every key of a transition is a text");
        let bytes = text.len() + 1;
        match groups.last_mut() {
            Some(last) if used + bytes <= TRANSITIONS_BYTES => {
                used += bytes;
                last.push(one);
            }
            _ => {
                used = bytes;
                groups.push(vec![one]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        apply::apply,
        command::Command,
        fixture::allocator_id,
        outcome::Outcome,
        refusal::codes,
        state::{HealthRecord, SESSIONS_LEVEL},
    };

    fn problem(subject_id: String, code: &str, message: &str) -> Problem {
        Problem {
            code: code.to_owned(),
            subject_kind: "allocator",
            subject: format!("host of {subject_id}"),
            subject_id,
            message: message.to_owned(),
            hint: "look whether the host is up".to_owned(),
            since_ms: 7,
            rank: 1,
        }
    }

    fn silent(number: u64) -> Problem {
        let message = "the allocator on web-0017 has been silent for 31 s; its instances keep running if the host does";
        problem(
            allocator_id(number).to_string(),
            codes::ALLOCATOR_SILENT,
            message,
        )
    }

    fn state(feature_level: u64) -> State {
        State {
            feature_level,
            ..State::default()
        }
    }

    /// Applies them as a log would, and says how many there were.
    fn record(state: &mut State, problems: &[Problem]) -> usize {
        let commands = transitions(state, problems);
        let count = commands.len();
        for body in commands {
            let bytes = Command::new(9, "system", None, body).encode();
            let bytes = bytes.expect("each command fits the log");
            let command = Command::decode(&bytes).expect("it reads back");
            let outcome = apply(state, &command);
            assert_eq!(outcome, Outcome::Done, "{:?}", command.body);
        }
        count
    }

    #[test]
    fn hosts_that_fall_silent_at_once_are_written_down_together_and_so_is_their_return() {
        let mut state = state(HEALTH_LEVEL);
        let lost: Vec<Problem> = (0..2_000).map(silent).collect();
        let commands = record(&mut state, &lost);
        assert!(
            commands <= 10,
            "2,000 silent hosts took {commands} commands"
        );
        assert_eq!(state.health.len(), 2_000, "each is known to be silent");
        assert!(
            transitions(&state, &lost).is_empty(),
            "what was said is not said again"
        );
        let commands = record(&mut state, &lost[..1]);
        assert!(
            commands <= 5,
            "1,999 hosts came back by {commands} commands"
        );
        assert_eq!(state.health.len(), 1, "one is silent still");
    }

    #[test]
    fn while_a_member_knows_it_only_one_by_one_it_is_written_down_so() {
        let mut old = state(SESSIONS_LEVEL);
        let lost: Vec<Problem> = (0..20).map(silent).collect();
        assert_eq!(record(&mut old, &lost), 20, "a command for each");
        let mut new = state(HEALTH_LEVEL);
        assert_eq!(record(&mut new, &lost), 1, "a command for all");
        assert_eq!(old.health, new.health, "both say the same");
    }

    #[test]
    fn what_there_is_no_room_for_is_not_said_and_who_is_well_again_makes_room() {
        let mut state = state(HEALTH_LEVEL);
        let most = u64::try_from(HEALTH_KEPT).expect("a number");
        let lost: Vec<Problem> = (0..most + 5).map(silent).collect();
        record(&mut state, &lost);
        assert_eq!(state.health.len(), HEALTH_KEPT, "no more are kept");
        assert!(
            transitions(&state, &lost).is_empty(),
            "what would be refused is not proposed each second"
        );
        record(&mut state, &lost[3..]);
        assert_eq!(state.health.len(), HEALTH_KEPT, "three went, three came");
        let first = format!("allocator/{}", allocator_id(0));
        assert!(!state.health.contains_key(&first), "it is well again");
    }

    #[test]
    fn a_command_that_changes_nothing_says_so_and_a_full_state_refuses_without_a_change() {
        let one = |subject: &str, code: &str| ReportHealthTransition {
            subject_kind: "allocator".to_owned(),
            subject: subject.to_owned(),
            code: code.to_owned(),
            message: String::new(),
        };
        let told = |state: &mut State, transitions| {
            let body = Body::ReportHealthTransitions(ReportHealthTransitions { transitions });
            apply(state, &Command::new(9, "system", None, body))
        };
        let mut state = state(HEALTH_LEVEL);
        let outcome = told(&mut state, vec![one("a", ""), one("b", "")]);
        assert_eq!(outcome, Outcome::Unchanged, "neither was unwell");
        let known = HealthRecord {
            code: codes::ALLOCATOR_SILENT.to_owned(),
            message: String::new(),
            since_ms: 1,
        };
        for number in 0..HEALTH_KEPT {
            let key = format!("allocator/{number}");
            state.health.insert(key, known.clone());
        }
        let outcome = told(&mut state, vec![one("a", "DIR0101"), one("b", "DIR0101")]);
        let refusal = outcome.accepted().expect_err("there is no room");
        assert_eq!(refusal.code, codes::CAPACITY);
        let outcome = told(
            &mut state,
            vec![one("a", "DIR0101"), one("7", ""), one("b", "DIR0101")],
        );
        assert_eq!(outcome, Outcome::Done, "what fits is kept");
        let kept = |subject: &str| state.health.contains_key(&format!("allocator/{subject}"));
        assert_eq!((kept("a"), kept("7"), kept("b")), (false, false, true));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn whatever_is_found_fits_the_log_and_says_what_single_commands_say(
            looks in proptest::collection::vec(
                proptest::collection::btree_map("[a-z]{1,40}", ("[A-Z]{1,3}", "\\PC{0,160}|[\u{0}-\u{1f}]{600}"), 0..40),
                1..4,
            ),
        ) {
            let (mut single, mut together) = (state(SESSIONS_LEVEL), state(HEALTH_LEVEL));
            for look in looks {
                let found: Vec<Problem> = look
                    .iter()
                    .map(|(subject, (code, message))| problem(subject.clone(), code, message))
                    .collect();
                record(&mut single, &found);
                record(&mut together, &found);
                prop_assert_eq!(&single.health, &together.health);
                prop_assert_eq!(together.health.len(), found.len());
                prop_assert!(transitions(&together, &found).is_empty());
            }
        }
    }
}
