//! When the platform rebalances by itself, carried out by the small platform.

use super::*;
use crate::{
    command::{BeginVacate, CancelPlan, SetSetting, UpdateAllocator},
    deployment::expand::DeploymentRequest,
    fixture::{World, allocator_id, bytes, watched},
    size::{GIB, MIB, Size},
    state::StepStatus,
    template::TemplateCatalog,
};

const LEADS_MS: u64 = 3_600_000;

pub(super) fn set(world: &mut World, key: &str, value: &str) {
    world.ok(Body::SetSetting(SetSetting {
        key: key.to_owned(),
        value: Some(value.to_owned()),
        expected_version: 0,
    }));
}

/// Two hosts of one zone, on the first of which lie as many deployments with a monitoring node of a
/// quarter of its memory.
fn piled_up(deployments: u64) -> World {
    let mut world = World::with_host();
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    for number in 0..deployments {
        let monitoring = Size {
            memory_bytes: 2 * GIB - 300 * MIB,
            disk_bytes: GIB,
            cpu_millis: 50,
        };
        let storage = Size {
            memory_bytes: 256 * MIB,
            disk_bytes: GIB,
            cpu_millis: 50,
        };
        let request = DeploymentRequest {
            name: format!("d{number}"),
            sizes: [
                ("monitoring".to_owned(), monitoring),
                ("storage".to_owned(), storage),
            ]
            .into(),
            ..Default::default()
        };
        let body = world.expand(&request).unwrap();
        world.ok(Body::CreateDeployment(Box::new(body)));
        world.settle();
    }
    world.host(2, "zone-1");
    world.settle();
    set(&mut world, MODE, "automatic");
    world.now_ms += LEADS_MS;
    world
}

fn look(world: &mut World) -> Vec<Body> {
    let mut next = world.id();
    let mut ids = || {
        next[0] = next[0].wrapping_add(1);
        PlanId::from_bytes(next)
    };
    due(
        &world.state,
        &world.observed,
        LEADS_MS,
        world.now_ms,
        &mut ids,
    )
}

/// What is waited for, each with its since.
fn waited(world: &World) -> Vec<Wait> {
    standing(&world.state, &world.observed, LEADS_MS, world.now_ms).waits
}

fn waits_for(world: &mut World, what: &str, since_ms: u64) {
    let waits = waited(world);
    assert!(
        waits
            .iter()
            .any(|one| one.reason.contains(what) && one.since_ms == since_ms),
        "`{what}` since {since_ms} is expected: {waits:?}"
    );
    assert_eq!(look(world), [], "nothing begins meanwhile");
}

#[test]
fn by_default_nothing_moves_unless_it_is_asked_for() {
    let mut world = piled_up(4);
    set(&mut world, MODE, "manual");
    assert_eq!(look(&mut world), []);
    let standing = standing(&world.state, &world.observed, LEADS_MS, world.now_ms);
    assert!(!standing.policy.automatic && standing.next.moves.is_empty());
    assert!(standing.next.rest.contains("manual"), "{standing:?}");
}

#[test]
fn one_at_a_time_with_a_quiet_time_between_until_it_is_even_and_each_says_why() {
    let mut world = piled_up(4);
    let mut moved = Vec::new();
    for _ in 0..200 {
        let bodies = look(&mut world);
        assert!(bodies.len() <= 1, "one at a time: {bodies:?}");
        for body in bodies {
            let Body::ChangeDeployment(change) = &body else {
                panic!("{body:?}");
            };
            let DeploymentChange::Move { moves } = &change.change else {
                panic!("{body:?}");
            };
            assert!(
                moves[0].reason.contains("host-1 has given out")
                    && moves[0].reason.contains("and host-2"),
                "{moves:?}"
            );
            moved.push((world.now_ms, change.plan_id.clone()));
            world.ok(body);
        }
        world.now_ms += 20_000;
        world.settle();
    }
    assert_eq!(moved.len(), 2, "two of four go, and then it is even");
    assert!(
        moved[1].0 - moved[0].0 >= 600_000,
        "the quiet time was not kept: {moved:?}"
    );
    for (_, plan) in &moved {
        let plan = world.plan(plan);
        assert_eq!(plan.status, PlanStatus::Done);
        let first = &plan.steps[0].log[0].text;
        assert!(
            first.contains("goes from host-1 to host-2")
                && first.contains("; rebalance: host-1 has given out"),
            "a move names its reason: {first}"
        );
    }
    let audit: Vec<_> = world
        .state
        .audit
        .iter()
        .filter(|line| line.action == "move_instance")
        .collect();
    assert_eq!(audit.len(), 2);
    assert!(audit[0].detail.contains("rebalance: host-1"), "{audit:?}");
    let instance = world
        .state
        .instances
        .values()
        .find(|one| one.berth.as_ref().unwrap().allocator_id == allocator_id(2));
    let (_, wish) = last_move(&world.state, instance.unwrap()).unwrap();
    assert_eq!(
        (wish.cause, &wish.from),
        (MoveCause::Rebalance, &Some(allocator_id(1)))
    );
}

#[test]
fn what_is_not_calm_is_named_with_since_when_and_nothing_begins() {
    let mut world = piled_up(4);
    let standing = standing(&world.state, &world.observed, 5_000, world.now_ms);
    assert!(
        standing.waits[0]
            .reason
            .contains("this director to lead for 60 s, it leads for 5 s"),
        "{standing:?}"
    );
    // A host is silent, then back, then there for long enough.
    world.host(3, "zone-1");
    world.now_ms += 1_000_000;
    world.kill(3);
    let since_ms = world.observed.allocators[&allocator_id(3)].since_ms;
    world.now_ms += 5_000;
    waits_for(&mut world, "host-3, which is silent", since_ms);
    world.revive(3);
    let since_ms = world.observed.allocators[&allocator_id(3)].since_ms;
    world.now_ms += 5_000;
    waits_for(
        &mut world,
        "host-3 to be connected for 60 s, it is for 5 s",
        since_ms,
    );
    world.now_ms += 60_000;
    assert_eq!(waited(&world), []);
    // One that is in maintenance and hosts nothing may be off.
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        maintenance: Some(true),
        ..UpdateAllocator::of(allocator_id(3), 0)
    }));
    world.kill(3);
    assert_eq!(waited(&world), []);
    // A host is emptied.
    let vacate = BeginVacate {
        vacate_id: crate::state::hex(&bytes(77)),
        allocator_id: allocator_id(1),
        expected_version: 0,
        to: Vec::new(),
        parallelism: 0,
        host_down: false,
    };
    world.ok(Body::BeginVacate(vacate));
    let since_ms = world.state.vacates.values().next().unwrap().created_ms;
    waits_for(&mut world, "the vacate of host-1", since_ms);
}

#[test]
fn another_move_and_a_plan_that_looks_for_room_are_waited_for() {
    let mut world = piled_up(4);
    let id = world.state.deployments.keys().next().unwrap().clone();
    let instance_id = world.instance(&id, "monitoring-0").id.clone();
    let moves = vec![MoveWish {
        instance_id,
        from: None,
        to: vec![allocator_id(2)],
        lost: false,
        cause: MoveCause::Request,
        reason: "somebody wants it".to_owned(),
    }];
    world.change(&id, DeploymentChange::Move { moves }).unwrap();
    let since_ms = world.state.now_ms;
    waits_for(&mut world, "which moves", since_ms);
    world.settle();
    let (plan, _) = last_move(&world.state, world.instance(&id, "monitoring-0")).unwrap();
    let ended_ms = plan.ended_ms;
    world.now_ms = ended_ms + 20_000;
    waits_for(&mut world, "the last move ended 20 s ago", ended_ms);
    let restart = DeploymentChange::Restart {
        instances: Vec::new(),
    };
    world.now_ms += LEADS_MS;
    world.change(&id, restart).unwrap();
    let since_ms = world.state.now_ms;
    waits_for(&mut world, "which looks for room", since_ms);
    world.turn();
    assert_eq!(waited(&world), [], "a plan that was adopted has its room");
}

#[test]
fn what_somebody_moved_off_a_host_is_not_brought_back_there() {
    let mut world = piled_up(2);
    // Their storage nodes, which stay, do not keep them from coming back.
    set(&mut world, "placement.strategy", "fill");
    let deployments: Vec<DeploymentId> = world.state.deployments.keys().cloned().collect();
    for id in &deployments {
        let moves = vec![MoveWish {
            instance_id: world.instance(id, "monitoring-0").id.clone(),
            from: None,
            to: vec![allocator_id(2)],
            lost: false,
            cause: MoveCause::Request,
            reason: "somebody wants it there".to_owned(),
        }];
        world.change(id, DeploymentChange::Move { moves }).unwrap();
        world.settle();
    }
    world.now_ms += LEADS_MS;
    assert_eq!(waited(&world), []);
    assert_eq!(look(&mut world), [], "both came from the only other host");
    let next = |world: &World| standing(&world.state, &world.observed, LEADS_MS, world.now_ms).next;
    let mut forgetful = world.state.clone();
    forgetful.plan_history.clear();
    let back = standing(&forgetful, &world.observed, LEADS_MS, world.now_ms).next;
    assert_eq!(
        back.moves.first().map(|one| &one.to),
        Some(&allocator_id(1)),
        "only that they were there keeps them from it"
    );
    world.host(3, "zone-1");
    world.settle();
    world.now_ms += LEADS_MS;
    let moves = next(&world).moves;
    assert_eq!(moves.len(), 1, "{moves:?}");
    assert_eq!(moves[0].to, allocator_id(3), "it was never there");
}

#[test]
fn storage_nodes_move_only_when_the_setting_says_so() {
    let mut world = piled_up(4);
    for instance in world.state.instances.values_mut() {
        // All the weight is in the stores.
        let stores = instance.name.starts_with("storage");
        instance.size.memory_bytes = if stores { 1700 * MIB } else { 256 * MIB };
    }
    let next = standing(&world.state, &world.observed, LEADS_MS, world.now_ms).next;
    let moves_stores = |next: &Proposal, world: &World| {
        let mut names = next
            .moves
            .iter()
            .map(|one| &world.state.instances[&one.instance_id].name);
        names.any(|name| name.starts_with("storage"))
    };
    assert!(!moves_stores(&next, &world), "{next:?}");
    assert!(
        next.rest
            .contains("4 instances were left alone: data stays where it is"),
        "{next:?}"
    );
    set(&mut world, DATA, "move");
    let next = standing(&world.state, &world.observed, LEADS_MS, world.now_ms).next;
    assert!(moves_stores(&next, &world), "{next:?}");
}

#[test]
fn what_is_not_well_stays_and_what_was_cancelled_is_left_alone_for_a_day() {
    let mut world = piled_up(4);
    set(&mut world, AT_ONCE, "4");
    set(&mut world, "placement.move_budget", "4");
    let first = look(&mut world);
    assert_eq!(first.len(), 2, "{first:?}");
    let sick = match &first[0] {
        Body::ChangeDeployment(change) => match &change.change {
            DeploymentChange::Move { moves } => moves[0].instance_id.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let seen = world
        .observed
        .allocators
        .get_mut(&allocator_id(1))
        .and_then(|host| host.instances.get_mut(&sick));
    seen.unwrap().health = Health::Unhealthy;
    let others = look(&mut world);
    assert_eq!(others.len(), 2, "{others:?}");
    assert!(
        !format!("{others:?}").contains(sick.as_str()),
        "what is not well is moved: {others:?}"
    );
    for body in others {
        world.ok(body);
    }
    let plans: Vec<PlanId> = world
        .state
        .open_plans()
        .map(|plan| plan.id.clone())
        .collect();
    for plan_id in &plans {
        let reason = String::new();
        world.ok(Body::CancelPlan(CancelPlan {
            plan_id: plan_id.clone(),
            reason,
        }));
        assert!(
            world
                .plan(plan_id)
                .steps
                .iter()
                .all(|step| step.status != StepStatus::Done)
        );
    }
    world.settle();
    world.now_ms += LEADS_MS;
    let next = standing(&world.state, &world.observed, LEADS_MS, world.now_ms).next;
    let cancelled = |next: &Proposal, world: &World| {
        next.moves.iter().any(|one| {
            let deployment = &world.state.instances[&one.instance_id].deployment_id;
            plans
                .iter()
                .any(|plan| world.plan(plan).deployment_id == *deployment)
        })
    };
    assert!(!cancelled(&next, &world), "{next:?}");
    assert!(
        next.rest
            .contains("2 instances were left alone: an automatic move failed or was cancelled"),
        "{next:?}"
    );
    world.now_ms += HOLD_MS;
    let next = standing(&world.state, &world.observed, LEADS_MS, world.now_ms).next;
    assert!(!next.rest.contains("cancelled"), "a day later: {next:?}");
}

#[test]
fn a_threshold_that_is_larger_moves_less() {
    let mut world = piled_up(2);
    assert!(!look(&mut world).is_empty());
    set(&mut world, THRESHOLD, "60");
    assert_eq!(look(&mut world), []);
    let next = standing(&world.state, &world.observed, LEADS_MS, world.now_ms).next;
    assert!(
        next.rest.contains("no two hosts of a zone differ by 60 %"),
        "{next:?}"
    );
}
