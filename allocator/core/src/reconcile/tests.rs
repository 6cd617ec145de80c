//! Single facts about [`reconcile`], each a small situation.

use super::*;
use crate::{
    observed::Exit,
    restart::{FIRST_WAIT_MS, StartFailure},
};

fn id(byte: u8) -> InstanceId {
    InstanceId::from_bytes([byte; 16])
}

fn assignment(generation: u64, instances: &[(u8, &str, bool)], remove: &[u8]) -> AssignmentSpec {
    AssignmentSpec {
        generation,
        instances: instances
            .iter()
            .map(|(byte, hash, run)| {
                (
                    id(*byte),
                    InstanceSpec {
                        spec_hash: (*hash).to_owned(),
                        run: *run,
                        ..InstanceSpec::default()
                    },
                )
            })
            .collect(),
        remove: remove.iter().map(|byte| id(*byte)).collect(),
        ..AssignmentSpec::default()
    }
}

fn container(name: &str, instance: u8, hash: &str, state: RunState) -> ObservedContainer {
    ObservedContainer {
        id: name.to_owned(),
        platform_id: "p".to_owned(),
        instance_id: Some(id(instance)),
        spec_hash: hash.to_owned(),
        image_id: "image".to_owned(),
        state,
        created_ms: 0,
        started_ms: None,
    }
}

fn exited(at_ms: i64) -> RunState {
    RunState::Exited(Exit {
        code: 1,
        out_of_memory: false,
        at_ms,
        error: String::new(),
    })
}

fn decide(
    assignment: Option<&AssignmentSpec>,
    containers: &[ObservedContainer],
    memory: &mut Memory,
    now_ms: u64,
) -> Plan {
    let none = BTreeSet::new();
    let data = BTreeSet::from([id(1)]);
    reconcile(
        Situation {
            platform_id: "p",
            image_id: "image",
            assignment,
            containers,
            data: &data,
            busy: &none,
            now_ms,
        },
        memory,
    )
}

fn actions(assignment: &AssignmentSpec, containers: &[ObservedContainer]) -> Vec<Action> {
    let plan = decide(Some(assignment), containers, &mut Memory::default(), 0);
    plan.actions.into_iter().map(|(_, action)| action).collect()
}

fn stop(container: &str, reason: Reason) -> Action {
    Action::Stop {
        container: container.to_owned(),
        reason,
    }
}

fn remove(container: &str, reason: Reason) -> Action {
    Action::Remove {
        container: container.to_owned(),
        reason,
    }
}

#[test]
fn an_instance_without_a_container_gets_one_and_then_it_is_started() {
    let wanted = assignment(1, &[(1, "a", true)], &[]);
    assert_eq!(actions(&wanted, &[]), [Action::Create]);
    assert_eq!(
        actions(&wanted, &[container("c", 1, "a", RunState::Created)]),
        [Action::Start {
            container: "c".to_owned()
        }]
    );
}

#[test]
fn a_running_container_is_adopted_once_and_left_alone() {
    let wanted = assignment(1, &[(1, "a", true)], &[]);
    let running = [container("c", 1, "a", RunState::Running)];
    let mut memory = Memory::default();
    let plan = decide(Some(&wanted), &running, &mut memory, 0);
    assert_eq!(
        (plan.actions.len(), plan.adopted.len(), plan.applied),
        (0, 1, true)
    );
    assert!(
        decide(Some(&wanted), &running, &mut memory, 1)
            .adopted
            .is_empty()
    );
}

#[test]
fn without_an_assignment_nothing_is_done() {
    let running = [
        container("c", 1, "a", RunState::Running),
        container("d", 2, "a", exited(1)),
    ];
    let plan = decide(None, &running, &mut Memory::default(), 0);
    assert!(plan.actions.is_empty());
    assert!(!plan.applied);
    assert_eq!(plan.instances.len(), 2);
}

#[test]
fn another_revision_is_stopped_then_removed_and_its_data_kept() {
    let wanted = assignment(2, &[(1, "b", true)], &[]);
    assert_eq!(
        actions(&wanted, &[container("c", 1, "a", RunState::Running)]),
        [stop("c", Reason::Replaced)]
    );
    assert_eq!(
        actions(&wanted, &[container("c", 1, "a", exited(1))]),
        [remove("c", Reason::Replaced)]
    );
    assert_eq!(actions(&wanted, &[]), [Action::Create]);
}

#[test]
fn another_image_is_another_container() {
    let wanted = assignment(2, &[(1, "a", true)], &[]);
    let mut old = container("c", 1, "a", RunState::Running);
    old.image_id = "older".to_owned();
    assert_eq!(actions(&wanted, &[old]), [stop("c", Reason::Replaced)]);
}

#[test]
fn of_two_containers_the_right_living_one_is_kept() {
    let wanted = assignment(1, &[(1, "a", true)], &[]);
    let mut twin = container("b", 1, "a", RunState::Running);
    twin.created_ms = 5;
    let both = [twin, container("c", 1, "a", RunState::Running)];
    assert_eq!(actions(&wanted, &both), [stop("b", Reason::Duplicate)]);
}

#[test]
fn nothing_starts_while_another_container_of_the_instance_lives() {
    let wanted = assignment(2, &[(1, "b", true)], &[]);
    let both = [
        container("new", 1, "b", RunState::Created),
        container("old", 1, "a", RunState::Running),
    ];
    assert_eq!(actions(&wanted, &both), [stop("old", Reason::Replaced)]);
    let changing = [
        container("new", 1, "b", RunState::Created),
        container("old", 1, "a", RunState::Changing),
    ];
    assert_eq!(actions(&wanted, &changing), []);
}

#[test]
fn a_removed_instance_loses_its_container_first_and_its_data_last() {
    let wanted = assignment(3, &[], &[1]);
    assert_eq!(
        actions(&wanted, &[container("c", 1, "a", RunState::Running)]),
        [stop("c", Reason::Removed)]
    );
    assert_eq!(
        actions(&wanted, &[container("c", 1, "a", exited(1))]),
        [remove("c", Reason::Removed)]
    );
    assert_eq!(actions(&wanted, &[]), [Action::RemoveData]);
}

#[test]
fn what_is_set_aside_loses_its_container_first_and_its_data_is_never_removed() {
    let mut wanted = assignment(3, &[], &[1]);
    wanted.set_aside.insert(id(1));
    assert_eq!(
        actions(&wanted, &[container("c", 1, "a", RunState::Running)]),
        [stop("c", Reason::SetAside)]
    );
    assert_eq!(
        actions(&wanted, &[container("c", 1, "a", exited(1))]),
        [remove("c", Reason::SetAside)]
    );
    assert_eq!(actions(&wanted, &[]), [Action::SetAside]);
    let done = reconcile(
        Situation {
            platform_id: "p",
            image_id: "image",
            assignment: Some(&wanted),
            containers: &[],
            data: &BTreeSet::new(),
            busy: &BTreeSet::new(),
            now_ms: 0,
        },
        &mut Memory::default(),
    );
    assert_eq!((done.actions.len(), done.applied), (0, true));
    let view = &done.instances[0];
    assert!(
        !view.data_present && view.reason.contains("set aside"),
        "{view:?}"
    );
}

#[test]
fn a_stray_is_stopped_by_the_second_generation_that_omits_it_and_never_removed() {
    let running = [container("c", 9, "a", RunState::Running)];
    let mut memory = Memory::default();
    let first = assignment(5, &[], &[1]);
    assert!(
        decide(Some(&first), &running, &mut memory, 0)
            .actions
            .iter()
            .all(|(id_, _)| *id_ != id(9))
    );
    let second = assignment(6, &[(2, "a", false)], &[]);
    let plan = decide(Some(&second), &running, &mut memory, 1);
    assert_eq!(plan.actions, [(id(9), stop("c", Reason::Stray))]);
    let stopped = [container("c", 9, "a", exited(1))];
    assert!(
        decide(Some(&second), &stopped, &mut memory, 2)
            .actions
            .is_empty()
    );
}

#[test]
fn a_crash_is_waited_for_and_a_crash_loop_is_called_one() {
    let wanted = assignment(1, &[(1, "a", true)], &[]);
    let mut memory = Memory::default();
    let plan = decide(
        Some(&wanted),
        &[container("c", 1, "a", exited(1))],
        &mut memory,
        0,
    );
    assert_eq!((plan.actions.len(), plan.wake_ms), (0, Some(FIRST_WAIT_MS)));
    let due = decide(
        Some(&wanted),
        &[container("c", 1, "a", exited(1))],
        &mut memory,
        1_000,
    );
    assert_eq!(
        due.actions,
        [(
            id(1),
            Action::Start {
                container: "c".to_owned()
            }
        )]
    );
    // While it runs again, how it ended is still told.
    let again = [container("c", 1, "a", RunState::Running)];
    let plan = decide(Some(&wanted), &again, &mut memory, 1_000);
    assert_eq!(
        plan.instances[0].exit.as_ref().map(|exit| exit.code),
        Some(1)
    );
    for at in 2..6 {
        decide(
            Some(&wanted),
            &[container("c", 1, "a", exited(at))],
            &mut memory,
            1_000,
        );
    }
    let plan = decide(
        Some(&wanted),
        &[container("c", 1, "a", exited(5))],
        &mut memory,
        1_001,
    );
    assert_eq!(plan.instances[0].state, InstanceState::Failed);
    assert_eq!(plan.instances[0].error_code, "ALL0015");
}

#[test]
fn a_new_revision_forgives_the_failures_of_the_old_one() {
    let mut memory = Memory::default();
    let old = assignment(1, &[(1, "a", true)], &[]);
    let failure = StartFailure {
        code: "ALL0012".to_owned(),
        text: "port taken".to_owned(),
    };
    decide(Some(&old), &[], &mut memory, 0);
    memory.start_failed(&id(1), failure, 0);
    let plan = decide(Some(&old), &[], &mut memory, 1);
    assert_eq!(plan.instances[0].error_code, "ALL0012");
    let new = assignment(2, &[(1, "b", true)], &[]);
    assert_eq!(
        decide(Some(&new), &[], &mut memory, 2).actions,
        [(id(1), Action::Create)]
    );
}

#[test]
fn containers_of_another_platform_are_not_seen() {
    let wanted = assignment(1, &[(1, "a", true)], &[2]);
    let mut foreign = container("c", 2, "a", RunState::Running);
    foreign.platform_id = "q".to_owned();
    assert_eq!(actions(&wanted, &[foreign]), [Action::Create]);
}

#[test]
fn a_container_that_the_engine_refuses_to_start_is_made_anew_once_per_wait() {
    let wanted = assignment(1, &[(1, "a", true)], &[]);
    let mut memory = Memory::default();
    let failure = || StartFailure {
        code: "ALL0011".to_owned(),
        text: "task already exists".to_owned(),
    };
    let mut now = 0;
    let mut waits = vec![];
    for round in 0..8 {
        let name = format!("c{round}");
        let made = [container(&name, 1, "a", RunState::Created)];
        let start = Action::Start {
            container: name.clone(),
        };
        let plan = decide(Some(&wanted), &made, &mut memory, now);
        assert_eq!(plan.actions, [(id(1), start)], "a new one is tried at once");
        memory.refused(&id(1), &name);
        memory.start_failed(&id(1), failure(), now);
        let plan = decide(Some(&wanted), &made, &mut memory, now);
        assert_eq!(plan.actions, [], "nothing before the wait is over");
        let due = plan.wake_ms.unwrap();
        waits.push(due - now);
        now = due;
        let plan = decide(Some(&wanted), &made, &mut memory, now);
        assert_eq!(
            plan.actions,
            [(id(1), remove(&name, Reason::Unstartable))],
            "the data of it is left alone"
        );
        let view = &plan.instances[0];
        assert!(view.reason.contains("made anew"), "{}", view.reason);
        let plan = decide(Some(&wanted), &[], &mut memory, now);
        assert_eq!(plan.actions, [(id(1), Action::Create)]);
    }
    assert_eq!(
        waits,
        [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    );
}

#[test]
fn a_port_that_is_taken_costs_no_container() {
    let wanted = assignment(1, &[(1, "a", true)], &[]);
    let mut memory = Memory::default();
    let made = [container("c", 1, "a", RunState::Created)];
    decide(Some(&wanted), &made, &mut memory, 0);
    let failure = StartFailure {
        code: "ALL0012".to_owned(),
        text: "port taken".to_owned(),
    };
    memory.start_failed(&id(1), failure, 0);
    let due = decide(Some(&wanted), &made, &mut memory, 1_000);
    let start = Action::Start {
        container: "c".to_owned(),
    };
    assert_eq!(due.actions, [(id(1), start)]);
}

#[test]
fn a_container_that_the_engine_does_not_describe_stops_only_its_own_instance() {
    let wanted = assignment(1, &[(1, "a", true), (2, "a", true)], &[]);
    let unreadable = RunState::Unreadable("input/output error".to_owned());
    let seen = [container("c", 1, "a", unreadable)];
    let plan = decide(Some(&wanted), &seen, &mut Memory::default(), 0);
    assert_eq!(plan.actions, [(id(2), Action::Create)], "the other goes on");
    assert!(!plan.applied);
    let view = &plan.instances[0];
    assert_eq!(
        (view.state, view.error_code.as_str()),
        (InstanceState::Failed, "ALL0005")
    );
    assert!(
        view.reason.contains("input/output error"),
        "{}",
        view.reason
    );
}

#[test]
fn nothing_is_made_beside_a_container_that_the_engine_does_not_describe() {
    let unreadable = || RunState::Unreadable("x".to_owned());
    for wanted in [
        assignment(2, &[(1, "b", true)], &[]),
        assignment(2, &[(1, "a", false)], &[]),
        assignment(2, &[], &[1]),
    ] {
        assert_eq!(
            actions(&wanted, &[container("c", 1, "a", unreadable())]),
            []
        );
    }
    let new = container("new", 1, "b", RunState::Created);
    let wanted = assignment(2, &[(1, "b", true)], &[]);
    assert_eq!(
        actions(&wanted, &[new, container("c", 1, "a", unreadable())]),
        []
    );
}

#[test]
fn what_cannot_be_stopped_or_removed_is_tried_again_with_growing_waits_and_told() {
    let failure = || StartFailure {
        code: "ALL0005".to_owned(),
        text: "device or resource busy".to_owned(),
    };
    let stopped = container("c", 1, "a", exited(1));
    let running = container("c", 1, "a", RunState::Running);
    for (wanted, seen, action) in [
        (
            assignment(1, &[(1, "a", false)], &[]),
            vec![running.clone()],
            stop("c", Reason::NotToRun),
        ),
        (
            assignment(1, &[], &[1]),
            vec![stopped],
            remove("c", Reason::Removed),
        ),
        (assignment(1, &[], &[1]), vec![], Action::RemoveData),
        (
            assignment(1, &[(1, "b", true)], &[]),
            vec![running],
            stop("c", Reason::Replaced),
        ),
    ] {
        let mut memory = Memory::default();
        let (mut now, mut waits) = (0, vec![]);
        for _ in 0..8 {
            let plan = decide(Some(&wanted), &seen, &mut memory, now);
            assert_eq!(plan.actions, [(id(1), action.clone())], "it is due");
            memory.clearing_failed(&id(1), failure(), now);
            let plan = decide(Some(&wanted), &seen, &mut memory, now);
            assert_eq!(plan.actions, [], "nothing before the wait is over");
            assert!(!plan.applied, "an assignment is not in force before");
            let why = &plan.instances[0].reason;
            assert!(why.contains("device or resource busy"), "{why}");
            let due = plan.wake_ms.expect("when it is due");
            waits.push(due - now);
            now = due;
        }
        assert_eq!(
            waits,
            [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
        );
        memory.cleared(&id(1));
        let plan = decide(Some(&wanted), &seen, &mut memory, now);
        assert_eq!(
            plan.actions,
            [(id(1), action)],
            "what was done is forgotten"
        );
        assert!(!plan.instances[0].reason.contains("busy"));
    }
}

#[test]
fn a_container_that_cannot_be_removed_does_not_keep_the_right_one_from_starting() {
    let wanted = assignment(1, &[(1, "a", true)], &[]);
    let seen = [
        container("right", 1, "a", RunState::Created),
        container("old", 1, "b", exited(1)),
    ];
    let mut memory = Memory::default();
    let plan = decide(Some(&wanted), &seen, &mut memory, 0);
    assert_eq!(plan.actions, [(id(1), remove("old", Reason::Replaced))]);
    let failure = StartFailure {
        code: "ALL0005".to_owned(),
        text: "device or resource busy".to_owned(),
    };
    memory.clearing_failed(&id(1), failure, 0);
    let start = Action::Start {
        container: "right".to_owned(),
    };
    let plan = decide(Some(&wanted), &seen, &mut memory, 0);
    assert_eq!(plan.actions, [(id(1), start)]);
}
