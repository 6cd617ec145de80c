//! Emptying hosts. Not here: how many at a time (`budget`), hosts that are down (`host_down`).

mod budget;
mod host_down;

use wharf_proto::{ids::AllocatorId, v1};

use super::*;
use crate::{
    command::{
        BeginVacate, CancelVacate, DeploymentChange, ForgetHost, SetHostLossPolicy, SetSetting,
        UpdateAllocator,
    },
    fixture::{World, allocator_id, bytes, watched},
    refusal::{Refusal, codes},
    state::{HostLoss, MoveCause, MoveWish, PlanStatus, VacateMoveState as Move},
    template::TemplateCatalog,
};

pub(super) fn vacate_id(number: u64) -> String {
    crate::state::hex(&bytes(number))
}

pub(super) fn wish(number: u64, host: u64) -> BeginVacate {
    BeginVacate {
        vacate_id: vacate_id(number),
        allocator_id: allocator_id(host),
        expected_version: 0,
        to: Vec::new(),
        parallelism: 0,
        host_down: false,
    }
}

pub(super) fn lead(world: &mut World) -> Vec<Body> {
    let mut next = world.id();
    let mut ids = || {
        next[0] = next[0].wrapping_add(1);
        PlanId::from_bytes(next)
    };
    due(&world.state, world.now_ms, |_| true, &mut ids)
}

/// The leader looks, and everything settles.
fn turn(world: &mut World) {
    for body in lead(world) {
        world.apply(body);
    }
    world.turn();
}

fn finish(world: &mut World, id: &str) {
    for _ in 0..300 {
        if world.state.vacates[id].status != VacateStatus::Running {
            return;
        }
        world.now_ms += 500;
        turn(world);
    }
    panic!("the vacate does not end: {:?}", world.state.vacates[id]);
}

fn two_hosts(deployments: usize) -> World {
    let mut world = World::with_host();
    for number in 0..deployments {
        world.create(&format!("logs-{number}"));
    }
    world.settle();
    world.host(2, "zone-1");
    world.obey();
    world
}

fn lies_on(world: &World, host: u64) -> usize {
    world.state.allocator_instances(&allocator_id(host)).count()
}

fn refused(world: &mut World, body: Body) -> Refusal {
    world
        .apply(body)
        .accepted()
        .expect_err("it is to be refused")
}

#[test]
fn a_host_is_emptied_under_the_budget_and_stays_in_maintenance_mode() {
    let mut world = two_hosts(5);
    world.ok(Body::BeginVacate(wish(1, 1)));
    assert!(world.state.allocators[&allocator_id(1)].maintenance);
    let id = vacate_id(1);
    let mut most = 0;
    for _ in 0..300 {
        turn(&mut world);
        world.now_ms += 500;
        most = most.max(open_moves(&world.state).0);
        if world.state.vacates[&id].status != VacateStatus::Running {
            break;
        }
    }
    let record = &world.state.vacates[&id];
    assert_eq!(record.status, VacateStatus::Done, "{record:?}");
    assert_eq!(record.count(Move::Moved), 5);
    assert!(
        record
            .moves
            .iter()
            .all(|one| one.to == Some(allocator_id(2)))
    );
    assert_eq!(most, 2, "the budget is two moves at a time, and is used");
    assert_eq!((lies_on(&world, 1), lies_on(&world, 2)), (0, 5));
    assert!(world.state.allocators[&allocator_id(1)].maintenance);
}

#[test]
fn a_new_leader_goes_on_and_doubles_nothing() {
    let mut world = two_hosts(4);
    world.ok(Body::BeginVacate(wish(1, 1)));
    for body in lead(&mut world) {
        world.apply(body);
    }
    let plans = || {
        |world: &World| {
            world.state.vacates[&vacate_id(1)]
                .moves
                .iter()
                .filter_map(|one| one.plan_id.clone())
                .collect::<Vec<_>>()
        }
    };
    let before = plans()(&world);
    assert_eq!(before.len(), 2);
    world.change_leader();
    world.obey();
    assert!(lead(&mut world).is_empty(), "it begins moves anew");
    assert_eq!(plans()(&world), before);
    finish(&mut world, &vacate_id(1));
    assert_eq!(
        world.state.vacates[&vacate_id(1)].status,
        VacateStatus::Done
    );
}

#[test]
fn a_cancelled_vacate_begins_nothing_more_and_keeps_what_has_moved() {
    let mut world = two_hosts(4);
    world.ok(Body::BeginVacate(wish(1, 1)));
    let id = vacate_id(1);
    while world.state.vacates[&id].count(Move::Moved) == 0 {
        turn(&mut world);
        world.now_ms += 500;
    }
    for body in lead(&mut world) {
        world.apply(body);
    }
    world.ok(Body::CancelVacate(CancelVacate {
        vacate_id: id.clone(),
        expected_version: 0,
    }));
    finish(&mut world, &id);
    let record = world.state.vacates[&id].clone();
    assert_eq!(record.status, VacateStatus::Cancelled, "{record:?}");
    assert!(
        record.count(Move::Moved) >= 1 && record.count(Move::Cancelled) >= 1,
        "{record:?}"
    );
    world.settle();
    assert_eq!(lies_on(&world, 1) + lies_on(&world, 2), 4);
    assert!(lead(&mut world).is_empty());
    let again = CancelVacate {
        vacate_id: id,
        expected_version: 0,
    };
    assert_eq!(
        refused(&mut world, Body::CancelVacate(again)).code,
        codes::VACATE
    );
}

#[test]
fn what_cannot_be_is_refused_and_named() {
    let mut world = two_hosts(1);
    let to = |world: &mut World, target: AllocatorId| {
        refused(
            world,
            Body::BeginVacate(BeginVacate {
                to: vec![target],
                ..wish(1, 1)
            }),
        )
    };
    assert_eq!(to(&mut world, allocator_id(9)).field, "to_allocators");
    assert!(
        to(&mut world, allocator_id(1))
            .message
            .contains("cannot take what is to leave it")
    );
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        maintenance: Some(true),
        ..UpdateAllocator::of(allocator_id(2), 0)
    }));
    assert!(
        to(&mut world, allocator_id(2))
            .message
            .contains("maintenance mode")
    );
    assert_eq!(
        refused(&mut world, Body::BeginVacate(wish(1, 9))).code,
        codes::NOT_FOUND
    );
    world.ok(Body::BeginVacate(wish(1, 1)));
    let second = refused(&mut world, Body::BeginVacate(wish(2, 1)));
    assert!(second.message.contains(&vacate_id(1)), "{second}");
}

#[test]
fn without_room_it_waits_and_says_so_and_then_gives_up_what_stays() {
    let mut world = World::with_host();
    world.create("logs");
    world.settle();
    world.ok(Body::BeginVacate(wish(1, 1)));
    turn(&mut world);
    let id = vacate_id(1);
    let one = world.state.vacates[&id].moves[0].clone();
    assert_eq!(one.state, Move::Waiting);
    assert!(one.reason.contains("DIR0020"), "{one:?}");
    let shown = message::vacate(&world.state, &world.observed, &world.state.vacates[&id]);
    assert!(
        shown
            .reason
            .starts_with("waits for logs/storage-0: DIR0020"),
        "{}",
        shown.reason
    );
    world.now_ms += 301_000;
    finish(&mut world, &id);
    let record = &world.state.vacates[&id];
    assert_eq!(record.status, VacateStatus::Failed);
    assert!(
        record.reason.contains("1 instance stays on host-1"),
        "{}",
        record.reason
    );
    assert_eq!(lies_on(&world, 1), 1);
}

#[test]
fn a_deployment_whose_plan_runs_is_waited_for_and_the_plan_is_named() {
    let mut world = two_hosts(1);
    let id = world.state.find_deployment("logs-0").unwrap().id.clone();
    let restart = DeploymentChange::Restart {
        instances: Vec::new(),
    };
    let plan = world.change(&id, restart).unwrap();
    world.ok(Body::BeginVacate(wish(1, 1)));
    assert!(lead(&mut world).is_empty());
    let record = &world.state.vacates[&vacate_id(1)];
    let waits = waits_for(&world.state, record, &record.moves[0]);
    assert_eq!(waits, format!("the plan {plan} of `logs-0`"));
    finish(&mut world, &vacate_id(1));
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
    assert_eq!(lies_on(&world, 1), 0);
}

fn foretold(world: &World, begin: BeginVacate) -> v1::Vacate {
    let body = Body::BeginVacate(begin);
    let command = crate::command::Command::new(world.now_ms, "ada", None, body);
    let mut next = 0;
    let mut ids = || {
        next += 1;
        PlanId::from_bytes(bytes(next))
    };
    let (state, observed) = (&world.state, &world.observed);
    preview::preview(state, observed, &command, world.now_ms, &mut ids).unwrap()
}

fn all_go_to(host: &str, shown: &v1::Vacate) {
    for one in &shown.moves {
        let told = (one.to_host.as_str(), one.reason.as_str());
        assert_eq!(told, (host, ""), "{one:?}");
    }
}

#[test]
fn a_dry_run_says_where_each_would_go_and_changes_nothing() {
    let mut world = two_hosts(3);
    let before = world.state.hash();
    let preview = |world: &World| foretold(world, wish(1, 1));
    let shown = preview(&world);
    assert_eq!(shown.moves.len(), 3);
    all_go_to("host-2", &shown);
    assert_eq!(world.state.hash(), before);
    world
        .observed
        .allocators
        .get_mut(&allocator_id(2))
        .unwrap()
        .connected = false;
    let shown = preview(&world);
    assert!(shown.moves[0].to_host.is_empty());
    assert!(
        shown.moves[0].reason.contains("host-2 is not connected"),
        "{:?}",
        shown.moves[0]
    );
}

#[test]
fn a_dry_run_after_a_vacate_that_was_cancelled_says_where_each_would_go() {
    let mut world = two_hosts(4);
    world.ok(Body::BeginVacate(wish(1, 1)));
    for body in lead(&mut world) {
        world.ok(body);
    }
    world.ok(Body::CancelVacate(CancelVacate {
        vacate_id: vacate_id(1),
        expected_version: 0,
    }));
    finish(&mut world, &vacate_id(1));
    let ended = &world.state.vacates[&vacate_id(1)];
    assert_eq!(ended.status, VacateStatus::Cancelled, "{ended:?}");
    assert_eq!(lies_on(&world, 1), 4, "nothing has moved");
    let shown = foretold(&world, wish(2, 1));
    assert_eq!(shown.moves.len(), 4);
    all_go_to("host-2", &shown);
}

#[test]
fn what_was_given_up_and_left_by_another_way_counts_as_moved_and_the_vacate_ends_done() {
    let mut world = two_hosts(2);
    world.ok(Body::BeginVacate(BeginVacate {
        parallelism: 1,
        ..wish(1, 1)
    }));
    let id = vacate_id(1);
    for body in lead(&mut world) {
        world.ok(body);
    }
    let first = world.state.vacates[&id].moves[0].clone();
    assert_eq!(first.deployment_name, "logs-0");
    world.cancel(&first.plan_id.unwrap()).unwrap();
    for body in lead(&mut world) {
        world.ok(body);
    }
    let given_up = world.state.vacates[&id].moves[0].clone();
    assert_eq!(given_up.state, Move::Failed, "{given_up:?}");
    world.settle();
    // Somebody moves it by hand while the vacate is busy with the other.
    let by_hand = MoveWish {
        instance_id: first.instance_id,
        from: None,
        to: vec![allocator_id(2)],
        lost: false,
        cause: MoveCause::Request,
        reason: "by hand".to_owned(),
    };
    let moves = vec![by_hand];
    world
        .change(&first.deployment_id, DeploymentChange::Move { moves })
        .unwrap();
    world.settle();
    assert_eq!(lies_on(&world, 2), 1);
    assert_eq!(world.state.vacates[&id].status, VacateStatus::Running);
    finish(&mut world, &id);
    let record = &world.state.vacates[&id];
    assert_eq!(record.status, VacateStatus::Done, "{record:?}");
    assert_eq!(record.count(Move::Moved), 2, "{record:?}");
    let left = &record.moves[0];
    assert_eq!(
        (left.to.as_ref(), left.reason.as_str()),
        (Some(&allocator_id(2)), "it went by another plan"),
        "the reason why it was given up is no longer true"
    );
}

#[test]
fn the_audit_log_has_the_begin_and_the_end_of_a_vacate_and_not_each_of_its_tries() {
    let mut world = two_hosts(3);
    world.ok(Body::BeginVacate(wish(1, 1)));
    finish(&mut world, &vacate_id(1));
    world.host(3, "zone-1");
    world.obey();
    world.ok(Body::BeginVacate(wish(2, 2)));
    turn(&mut world);
    assert!(open_moves(&world.state).0 > 0, "moves were begun");
    world.ok(Body::CancelVacate(CancelVacate {
        vacate_id: vacate_id(2),
        expected_version: 0,
    }));
    let lines = |action: &str| {
        let log = world.state.audit.iter();
        log.filter(|line| line.action == action).count()
    };
    assert_eq!(lines("vacate_allocator"), 2);
    assert_eq!(lines("vacate_ended"), 1);
    assert_eq!(lines("cancel_vacate"), 1);
    assert_eq!(lines("vacate_instance"), 0, "its plans tell of the tries");
}

#[test]
fn what_was_given_up_stays_so_when_the_vacate_is_cancelled() {
    let mut world = two_hosts(2);
    world.ok(Body::BeginVacate(BeginVacate {
        parallelism: 1,
        ..wish(1, 1)
    }));
    let id = vacate_id(1);
    for body in lead(&mut world) {
        world.ok(body);
    }
    let plan = world.state.vacates[&id].moves[0].plan_id.clone().unwrap();
    world.cancel(&plan).unwrap();
    for body in lead(&mut world) {
        world.ok(body);
    }
    let given_up = world.state.vacates[&id].moves[0].clone();
    assert_eq!(given_up.state, Move::Failed, "{given_up:?}");
    world.ok(Body::CancelVacate(CancelVacate {
        vacate_id: id.clone(),
        expected_version: 0,
    }));
    finish(&mut world, &id);
    let record = &world.state.vacates[&id];
    assert_eq!(record.status, VacateStatus::Cancelled);
    assert_eq!(record.moves[0], given_up);
    assert_eq!(record.moves[1].state, Move::Cancelled);
}
