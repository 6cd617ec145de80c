//! Lost hosts.

use super::*;
use crate::{
    command::{NoteLeased, SetHostLossPolicy, SetSetting, UpdateAllocator},
    fixture::{World, allocator_id, bytes, watched},
    health,
    outcome::Outcome,
    refusal::codes,
    state::HostLoss,
    template::TemplateCatalog,
    vacate::open_moves,
};

/// A leader beside the small platform.
pub(super) struct Leader {
    pub(super) watch: Watch,
    pub(super) steady_ms: u64,
    next: u64,
}

impl Leader {
    pub(super) fn new() -> Self {
        Self {
            watch: Watch::default(),
            steady_ms: 0,
            next: 0,
        }
    }

    /// What it proposes after so many seconds.
    pub(super) fn after(&mut self, world: &mut World, seconds: u64) -> Vec<Body> {
        world.now_ms += seconds * 1000;
        self.steady_ms += seconds * 1000;
        self.watch
            .look(&world.state, &world.observed, self.steady_ms);
        let next = &mut self.next;
        decide(
            &world.state,
            &world.observed,
            &mut self.watch,
            world.now_ms,
            self.steady_ms,
            &mut || {
                *next += 1;
                PlanId::from_bytes(bytes(900_000_000 + *next))
            },
        )
    }
}

pub(super) fn connect(world: &mut World, host: u64, on: bool) {
    let now_ms = world.now_ms;
    let seen = world
        .observed
        .allocators
        .get_mut(&allocator_id(host))
        .unwrap();
    if seen.connected != on {
        seen.connected = on;
        seen.since_ms = now_ms;
    }
}

/// Its session ends after nothing had been heard for so many seconds.
pub(super) fn lose(world: &mut World, host: u64, unheard_s: u64) {
    connect(world, host, false);
    let now_ms = world.now_ms;
    let seen = world.observed.allocators.get_mut(&allocator_id(host));
    let seen = seen.unwrap();
    seen.since_ms = now_ms - unheard_s * 1000;
    seen.unheard_ms = unheard_s * 1000;
}

/// Deployments with a storage and a monitoring node each on host 1, and another host.
pub(super) fn two_hosts(deployments: usize) -> World {
    let mut world = World::new();
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    world.host(1, "zone-1");
    world.proxy(1);
    for number in 0..deployments {
        world.create(&format!("logs-{number}"));
    }
    world.settle();
    world.host(2, "zone-2");
    world.obey();
    world
}

fn moved(bodies: &[Body]) -> Vec<InstanceId> {
    bodies
        .iter()
        .filter_map(|body| match body {
            Body::ChangeDeployment(body) => match &body.change {
                DeploymentChange::Move { moves } => Some(moves[0].instance_id.clone()),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

fn names(world: &World, bodies: &[Body]) -> Vec<String> {
    moved(bodies)
        .iter()
        .map(|id| world.state.instances[id].name.clone())
        .collect()
}

fn problem(world: &World, code: &str) -> Option<String> {
    health::problems(&world.state, &world.observed, world.now_ms)
        .into_iter()
        .find(|problem| problem.code == code)
        .map(|problem| problem.message)
}

fn policy(world: &mut World, policy: HostLoss) {
    let deployment_id = world.state.find_deployment("logs-0").unwrap().id.clone();
    world.ok(Body::SetHostLossPolicy(SetHostLossPolicy {
        deployment_id,
        expected_version: 0,
        on_host_loss: policy,
    }));
}

#[test]
fn what_keeps_nothing_is_replaced_after_the_grace_and_a_store_waits_and_says_so() {
    let mut world = two_hosts(1);
    let mut leader = Leader::new();
    connect(&mut world, 1, false);
    assert!(leader.after(&mut world, 0).is_empty());
    assert!(leader.after(&mut world, 59).is_empty(), "before the grace");
    let bodies = leader.after(&mut world, 1);
    assert_eq!(names(&world, &bodies), ["monitoring-0"]);
    let Body::ChangeDeployment(change) = &bodies[0] else {
        panic!("{bodies:?}");
    };
    let DeploymentChange::Move { moves } = &change.change else {
        panic!("{change:?}");
    };
    assert!(moves[0].lost);
    assert_eq!(
        moves[0].reason,
        "host-1 has been silent for 60 s, the grace is 60 s"
    );
    world.now_ms += 1_000;
    let text = problem(&world, codes::HOST_LOST).unwrap();
    assert!(
        text.contains("logs-0/storage-0: storage-0 waits for host-1"),
        "{text}"
    );
    for body in bodies {
        world.ok(body);
    }
    for _ in 0..40 {
        world.turn();
        world.now_ms += 1_000;
    }
    let id = world.state.find_deployment("logs-0").unwrap().id.clone();
    let lies = |name| {
        world
            .instance(&id, name)
            .berth
            .clone()
            .unwrap()
            .allocator_id
    };
    assert_eq!(lies("monitoring-0"), allocator_id(2));
    assert_eq!(lies("storage-0"), allocator_id(1));
}

#[test]
fn the_grace_and_leases_count_from_the_last_that_was_heard_of_a_host() {
    let mut world = two_hosts(1);
    let mut leader = Leader::new();
    leader.after(&mut world, 100);
    lose(&mut world, 1, 15);
    assert!(leader.after(&mut world, 0).is_empty());
    assert!(
        !leader
            .watch
            .is_past_leases(&allocator_id(1), leader.steady_ms + 9_999)
    );
    assert!(
        leader
            .watch
            .is_past_leases(&allocator_id(1), leader.steady_ms + 10_000)
    );
    assert!(
        leader.after(&mut world, 44).is_empty(),
        "59 s after it was heard"
    );
    let bodies = leader.after(&mut world, 1);
    assert_eq!(
        names(&world, &bodies),
        ["monitoring-0"],
        "60 s after it was heard"
    );
}

#[test]
fn a_store_that_may_start_empty_is_replaced_only_once_its_lease_has_run_out() {
    let mut world = two_hosts(1);
    world.ok(Body::SetSetting(SetSetting {
        key: "health.loss_grace_seconds".to_owned(),
        value: Some("5".to_owned()),
        expected_version: 0,
    }));
    policy(&mut world, HostLoss::Empty);
    let id = world.state.find_deployment("logs-0").unwrap().id.clone();
    let storage = world.instance(&id, "storage-0").id.clone();
    let mut leader = Leader::new();
    connect(&mut world, 1, false);
    leader.after(&mut world, 0);
    // Its host never said that it takes no writes without a lease.
    let bodies = leader.after(&mut world, 100);
    assert_eq!(names(&world, &bodies), ["monitoring-0"]);
    world.ok(Body::NoteLeased(NoteLeased {
        allocator_id: allocator_id(1),
        instance_ids: vec![storage.clone()],
    }));
    let mut leader = Leader::new();
    leader.after(&mut world, 0);
    let bodies = leader.after(&mut world, 24);
    assert_eq!(names(&world, &bodies), ["monitoring-0"]);
    assert_eq!(moved(&leader.after(&mut world, 1)), [storage]);
}

#[test]
fn a_new_leader_gives_everybody_a_whole_grace() {
    let mut world = two_hosts(1);
    let mut leader = Leader::new();
    connect(&mut world, 1, false);
    leader.after(&mut world, 0);
    assert!(leader.after(&mut world, 59).is_empty());
    let mut leader = Leader::new();
    assert!(leader.after(&mut world, 1).is_empty());
    assert!(
        leader.after(&mut world, 59).is_empty(),
        "the grace began anew"
    );
    assert_eq!(leader.after(&mut world, 1).len(), 1);
}

#[test]
fn twenty_disconnects_in_a_minute_move_nothing() {
    let mut world = two_hosts(1);
    let mut leader = Leader::new();
    for _ in 0..20 {
        for (on, seconds) in [(false, 2), (true, 1)] {
            connect(&mut world, 1, on);
            assert!(leader.after(&mut world, seconds).is_empty());
        }
    }
    connect(&mut world, 1, false);
    assert!(leader.after(&mut world, 0).is_empty());
    assert!(leader.after(&mut world, 59).is_empty());
}

#[test]
fn a_disconnect_between_two_looks_begins_the_grace_anew() {
    let mut world = two_hosts(1);
    let mut leader = Leader::new();
    connect(&mut world, 1, false);
    leader.after(&mut world, 0);
    leader.after(&mut world, 50);
    // It was there for a moment, and nobody looked.
    connect(&mut world, 1, true);
    connect(&mut world, 1, false);
    assert!(leader.after(&mut world, 50).is_empty());
    assert_eq!(leader.after(&mut world, 60).len(), 1);
}

#[test]
fn a_zone_that_is_silent_for_the_most_part_is_left_alone_until_it_is_said_to_be_lost() {
    let mut world = two_hosts(1);
    world.host(3, "zone-1");
    let mut leader = Leader::new();
    for host in [1, 3] {
        connect(&mut world, host, false);
    }
    leader.after(&mut world, 0);
    assert!(leader.after(&mut world, 600).is_empty());
    let text = problem(&world, codes::ZONE_SICK).unwrap();
    assert!(
        text.contains("2 of 2 allocators of zone-1 are silent"),
        "{text}"
    );
    world.ok(Body::SetSetting(SetSetting {
        key: settings::LOST_ZONES.to_owned(),
        value: Some("zone-1".to_owned()),
        expected_version: 0,
    }));
    let bodies = leader.after(&mut world, 1);
    assert_eq!(names(&world, &bodies), ["monitoring-0"]);
    assert_eq!(problem(&world, codes::ZONE_SICK), None);
}

#[test]
fn one_host_of_three_is_no_sick_zone() {
    let mut world = two_hosts(1);
    for host in [3, 4] {
        world.host(host, "zone-1");
    }
    connect(&mut world, 1, false);
    let mut leader = Leader::new();
    leader.after(&mut world, 0);
    assert_eq!(leader.after(&mut world, 60).len(), 1);
}

#[test]
fn a_few_at_a_time_and_the_others_when_those_are_done() {
    let mut world = two_hosts(5);
    connect(&mut world, 1, false);
    let mut leader = Leader::new();
    leader.after(&mut world, 0);
    let bodies = leader.after(&mut world, 60);
    assert_eq!(bodies.len(), 4, "the budget is four");
    for body in bodies {
        world.ok(body);
    }
    assert!(leader.after(&mut world, 1).is_empty());
    for _ in 0..40 {
        world.turn();
        for body in leader.after(&mut world, 1) {
            world.apply(body);
        }
        assert!(open_moves(&world.state).1 <= 4, "over the budget");
    }
    let here = world.state.allocator_instances(&allocator_id(2)).count();
    assert_eq!(here, 5, "every monitoring node is replaced");
}

#[test]
fn a_lost_host_in_maintenance_mode_is_replaced_from_like_any_other() {
    let mut world = two_hosts(1);
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        maintenance: Some(true),
        ..UpdateAllocator::of(allocator_id(1), 0)
    }));
    connect(&mut world, 1, false);
    let mut leader = Leader::new();
    leader.after(&mut world, 0);
    assert_eq!(leader.after(&mut world, 60).len(), 1);
}

#[test]
fn without_room_it_is_tried_again_after_longer_and_longer_pauses() {
    let mut world = two_hosts(1);
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        maintenance: Some(true),
        ..UpdateAllocator::of(allocator_id(2), 0)
    }));
    connect(&mut world, 1, false);
    let mut leader = Leader::new();
    leader.after(&mut world, 0);
    assert!(leader.after(&mut world, 60).is_empty());
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        maintenance: Some(false),
        ..UpdateAllocator::of(allocator_id(2), 0)
    }));
    assert!(
        leader.after(&mut world, 9).is_empty(),
        "it is tried each second"
    );
    assert_eq!(leader.after(&mut world, 1).len(), 1);
}

/// A deployment on host 1 of which these move to these hosts, in one plan.
fn moving(world: &mut World, moves: &[(&str, u64)]) -> PlanId {
    let id = world.state.find_deployment("logs-0").unwrap().id.clone();
    let moves = moves
        .iter()
        .map(|(name, to)| MoveWish {
            instance_id: world.instance(&id, name).id.clone(),
            from: None,
            to: vec![allocator_id(*to)],
            lost: false,
            cause: MoveCause::Request,
            reason: "somebody wants it there".to_owned(),
        })
        .collect();
    world.change(&id, DeploymentChange::Move { moves }).unwrap()
}

fn stage(world: &World, name: &str) -> Option<ClaimStage> {
    let id = &world.state.find_deployment("logs-0").unwrap().id;
    let claim = world.instance(id, name).claim.as_ref();
    claim.map(|claim| claim.stage)
}

fn until(world: &mut World, come: impl Fn(&World) -> bool) {
    for _ in 0..60 {
        if come(world) {
            return;
        }
        world.now_ms += 1_000;
        world.turn();
    }
    panic!("it never came to that: {:?}", world.state.plans);
}

#[test]
fn a_move_off_a_lost_host_is_ended_once_and_then_the_instance_is_replaced() {
    let mut world = two_hosts(1);
    policy(&mut world, HostLoss::Empty);
    world.settle();
    let plan = moving(&mut world, &[("storage-0", 2)]);
    until(&mut world, |world| {
        stage(world, "storage-0") == Some(ClaimStage::Copying)
    });
    world.kill(1);
    let mut leader = Leader::new();
    leader.after(&mut world, 0);
    let bodies = leader.after(&mut world, 60);
    let [Body::CancelPlan(end)] = bodies.as_slice() else {
        panic!("the plan is in the way of both instances and ended once: {bodies:?}");
    };
    assert_eq!(end.plan_id, plan);
    assert!(
        end.reason
            .contains("host-1 has been silent for 60 s, the grace is 60 s"),
        "{}",
        end.reason
    );
    // Nothing came of it yet: it is noted, and not said again at each look.
    for _ in 0..9 {
        let again = leader.after(&mut world, 1);
        assert!(
            again
                .iter()
                .all(|body| !matches!(body, Body::CancelPlan(_))),
            "it is asked for at each look: {again:?}"
        );
    }
    let again = leader.after(&mut world, 1);
    assert_eq!(again.len(), 1, "it is asked for again after a pause");
    for body in again {
        world.ok(body);
    }
    let mut replaced = Vec::new();
    for _ in 0..200 {
        world.turn();
        for body in leader.after(&mut world, 1) {
            replaced.extend(names(&world, std::slice::from_ref(&body)));
            world.apply(body);
        }
    }
    assert!(
        replaced.contains(&"storage-0".to_owned()),
        "what was moved is replaced: {replaced:?}"
    );
    let id = world.state.find_deployment("logs-0").unwrap().id.clone();
    for name in ["storage-0", "monitoring-0"] {
        let berth = world.instance(&id, name).berth.clone().unwrap();
        assert_eq!(berth.allocator_id, allocator_id(2), "{name}");
    }
}

#[test]
fn the_end_of_a_move_that_would_be_refused_is_not_asked_for() {
    let mut world = two_hosts(1);
    world.host(3, "zone-3");
    world.obey();
    let plan = moving(&mut world, &[("monitoring-0", 2), ("storage-0", 3)]);
    // The one has come, the other is about to be taken over: there is nothing left to take back.
    world.hosts.stalled = true;
    let placed = |world: &World| stage(world, "monitoring-0").is_some();
    until(&mut world, placed);
    until(&mut world, |world| !placed(world));
    world.hosts.stalled = false;
    until(&mut world, |world| {
        stage(world, "storage-0") == Some(ClaimStage::TakingOver)
    });
    world.kill(2);
    let mut trial = world.state.clone();
    let wish = Command::new(
        world.now_ms,
        "system",
        None,
        Body::CancelPlan(CancelPlan {
            plan_id: plan,
            reason: String::new(),
        }),
    );
    let Outcome::Refused(refusal) = apply(&mut trial, &wish) else {
        panic!("this plan can be cancelled: the test shows nothing");
    };
    assert_eq!(refusal.code, codes::PLAN_CANCEL);
    let mut leader = Leader::new();
    leader.after(&mut world, 0);
    leader.after(&mut world, 59);
    for _ in 0..120 {
        let bodies = leader.after(&mut world, 5);
        assert!(bodies.is_empty(), "it would be refused: {bodies:?}");
    }
}

#[test]
fn one_look_asks_for_one_plan_of_a_deployment() {
    let mut world = two_hosts(1);
    policy(&mut world, HostLoss::Empty);
    world.settle();
    connect(&mut world, 1, false);
    let mut leader = Leader::new();
    leader.after(&mut world, 0);
    let bodies = leader.after(&mut world, 60);
    assert_eq!(bodies.len(), 1, "the second would be refused: {bodies:?}");
}

#[test]
fn a_replacement_that_takes_long_is_not_in_its_own_way() {
    let mut world = two_hosts(1);
    connect(&mut world, 1, false);
    let mut leader = Leader::new();
    leader.after(&mut world, 0);
    for body in leader.after(&mut world, 60) {
        world.ok(body);
    }
    assert_eq!(open_moves(&world.state).1, 1);
    world.crashing = true;
    for _ in 0..60 {
        world.turn();
        let bodies = leader.after(&mut world, 1);
        assert!(bodies.is_empty(), "its plan runs: {bodies:?}");
    }
}

#[test]
fn what_was_told_to_take_over_goes_on_though_the_rest_of_its_plan_could_be_ended() {
    let mut world = two_hosts(1);
    world.host(3, "zone-3");
    world.obey();
    policy(&mut world, HostLoss::Empty);
    world.settle();
    moving(&mut world, &[("monitoring-0", 2)]);
    world.settle();
    moving(&mut world, &[("storage-0", 3), ("monitoring-0", 3)]);
    until(&mut world, |world| {
        stage(world, "storage-0") == Some(ClaimStage::TakingOver)
    });
    assert_eq!(
        stage(&world, "monitoring-0"),
        Some(ClaimStage::Held),
        "it could be taken back"
    );
    world.kill(1);
    let mut leader = Leader::new();
    leader.after(&mut world, 0);
    for _ in 0..120 {
        let bodies = leader.after(&mut world, 5);
        assert!(bodies.is_empty(), "host-3 may serve: {bodies:?}");
    }
}
