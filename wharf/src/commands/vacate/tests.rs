//! What a followed vacate tells, and what its end means.

use wharf_proto::v1::VacateMove;

use super::*;

fn moving(state: &str, done: u64) -> VacateMove {
    VacateMove {
        instance_id: "i1".into(),
        instance_name: "storage-0".into(),
        deployment_name: "web".into(),
        state: state.into(),
        to_allocator_id: "a2".into(),
        to_host: "h2".into(),
        bytes_done: done,
        bytes_total: 100 << 20,
        ..VacateMove::default()
    }
}

fn vacate(status: VacateStatus, moves: Vec<VacateMove>) -> Vacate {
    Vacate {
        id: "v1".into(),
        host: "h1".into(),
        status: status.into(),
        moves,
        ..Vacate::default()
    }
}

#[test]
fn each_change_is_told_once_with_bytes_and_both_hosts() {
    let mut told = Told::new();
    let at = |done| vacate(VacateStatus::Running, vec![moving("moving", done)]);
    let first = news(&at(10 << 20), &mut told);
    assert_eq!(
        first,
        [
            "moving    web/storage-0  h1 -> h2  10.0 MiB of 100.0 MiB",
            "running   h1  0 of 1 instances moved"
        ]
    );
    assert!(
        news(&at(10 << 20), &mut told).is_empty(),
        "nothing has changed"
    );
    assert!(
        news(&at(11 << 20), &mut told).is_empty(),
        "too little has come"
    );
    assert_eq!(
        news(&at(15 << 20), &mut told).len(),
        1,
        "a twentieth has come"
    );
    let done = vacate(VacateStatus::Done, vec![moving("moved", 100 << 20)]);
    let last = news(&done, &mut told);
    assert_eq!(last[1], "done      h1  1 of 1 instances moved");
}

#[test]
fn a_vacate_that_waits_says_for_what() {
    let mut waiting = vacate(VacateStatus::Running, Vec::new());
    waiting.reason = "the budget of moves is used up".into();
    let lines = news(&waiting, &mut Told::new());
    assert_eq!(
        lines,
        ["running   h1  0 of 0 instances moved: the budget of moves is used up"]
    );
}

#[test]
fn what_does_not_end_empty_is_a_failure_but_for_whoever_cancelled_it() {
    assert_eq!(ended(&vacate(VacateStatus::Done, Vec::new())).unwrap(), 0);
    let failed = ended(&vacate(VacateStatus::Failed, Vec::new())).unwrap_err();
    assert_eq!(
        (failed.code.as_str(), failed.exit),
        ("CLI0042", EXIT_PLAN_FAILED)
    );
    let stopped = vacate(VacateStatus::Cancelled, Vec::new());
    assert!(
        ended(&stopped)
            .unwrap_err()
            .message
            .contains("was cancelled")
    );
    assert_eq!(cancelled(&stopped).unwrap(), 0);
    let late = cancelled(&vacate(VacateStatus::Done, Vec::new())).unwrap_err();
    assert_eq!(
        (late.code.as_str(), late.exit),
        ("CLI0043", EXIT_PLAN_FAILED)
    );
}

#[test]
fn a_dry_run_that_leaves_an_instance_without_a_host_is_a_failure_that_names_it() {
    let mut dry = vacate(VacateStatus::Running, vec![moving("waiting", 0)]);
    assert_eq!(would_work(&dry).unwrap(), 0);
    dry.moves[0].to_allocator_id.clear();
    let failure = would_work(&dry).unwrap_err();
    assert_eq!(
        (failure.code.as_str(), failure.exit),
        ("CLI0032", EXIT_PLAN_FAILED)
    );
    assert!(
        failure
            .message
            .ends_with("no allocator takes web/storage-0"),
        "{failure}"
    );
}

#[test]
fn every_end_of_a_vacate_ends_the_following() {
    for (status, over) in [
        (VacateStatus::Unspecified, false),
        (VacateStatus::Running, false),
        (VacateStatus::Done, true),
        (VacateStatus::Failed, true),
        (VacateStatus::Cancelled, true),
    ] {
        assert_eq!(is_ended(&vacate(status, Vec::new())), over, "{status:?}");
    }
}
