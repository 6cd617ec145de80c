//! Plans from the wish to the end, on a platform whose allocators and proxies obey.

use crate::{
    command::{
        Body, ChangeDeployment, Command, DeploymentChange, UpdateAllocator, UpgradeDeployment,
    },
    fixture::{World, allocator_id},
    plan::{attempt, preview, upgrade},
    refusal::codes,
    state::{MoveCause, MoveWish, PlanStatus, StepKind, StepStatus, Want},
};
use wharf_proto::ids::{AllocatorId, PlanId};

#[test]
fn a_created_deployment_runs_and_is_routed_when_its_plan_is_done() {
    let mut world = World::with_host();
    let (id, plan) = world.create("logs");
    world.settle();
    let plan = world.plan(&plan);
    assert_eq!(plan.status, PlanStatus::Done, "{plan:?}");
    let kinds: Vec<StepKind> = plan.steps.iter().map(|step| step.kind).collect();
    assert_eq!(
        kinds,
        [
            StepKind::Place,
            StepKind::Start,
            StepKind::Healthy,
            StepKind::Route
        ]
    );
    let deployment = &world.state.deployments[&id];
    assert_eq!(deployment.pending_plan, None);
    assert_eq!(deployment.current_plan.as_ref(), Some(&plan.id));
    let instance = world.state.deployment_instances(deployment).next().unwrap();
    assert!(instance.routed && instance.want == Want::Run);
}

#[test]
fn a_plan_survives_a_change_of_leader_after_every_single_command() {
    let mut commands = 0;
    for change_at in 0..40 {
        let mut world = World::with_host();
        let (id, plan) = world.create("logs");
        let mut applied = 0;
        for _ in 0..80 {
            for body in world.proposals() {
                world.apply(body);
                applied += 1;
                if applied == change_at {
                    world.change_leader();
                    break;
                }
            }
            world.obey();
        }
        assert_eq!(
            world.plan(&plan).status,
            PlanStatus::Done,
            "leader changed at {change_at}"
        );
        assert_eq!(world.state.instances.len(), 1);
        let generation = world.state.assignments[&allocator_id(1)].generation;
        assert_eq!(
            generation, 2,
            "the assignment changes once after the allocator's hello"
        );
        let delete = world.delete(&id);
        world.settle();
        assert_eq!(world.plan(&delete).status, PlanStatus::Done);
        commands = applied;
    }
    assert!(
        commands < 40,
        "the leader was changed after every command: {commands}"
    );
}

#[test]
fn a_step_is_not_done_before_it_is_observed() {
    let mut world = World::with_host();
    let (_, plan) = world.create("logs");
    for _ in 0..20 {
        for body in world.proposals() {
            world.apply(body);
        }
    }
    let steps = &world.plan(&plan).steps;
    assert_eq!(steps[1].status, StepStatus::Running);
    assert!(
        steps[1].waits_for.contains("host-1"),
        "{}",
        steps[1].waits_for
    );
    assert_eq!(steps[2].status, StepStatus::Waiting);
}

#[test]
fn a_taken_port_is_replaced_by_another_and_not_tried_again() {
    let mut world = World::with_host();
    world.taken_ports.extend([18_000, 18_001]);
    let (id, plan) = world.create("logs");
    world.settle();
    assert_eq!(
        world.plan(&plan).status,
        PlanStatus::Done,
        "{:?}",
        world.plan(&plan)
    );
    let deployment = &world.state.deployments[&id];
    let instance = world.state.deployment_instances(deployment).next().unwrap();
    assert_eq!(instance.berth.as_ref().unwrap().port, 18_002);
    assert_eq!(
        instance.refused_ports.iter().copied().collect::<Vec<_>>(),
        [18_000, 18_001]
    );
    // The next one on that host does not even try them.
    let (other, _) = world.create("more logs");
    world.settle();
    let other = &world.state.deployments[&other];
    let instance = world.state.deployment_instances(other).next().unwrap();
    assert_eq!(instance.berth.as_ref().unwrap().port, 18_003);
    assert!(instance.refused_ports.is_empty());
}

#[test]
fn when_every_port_is_taken_the_plan_fails_with_a_code() {
    let mut world = World::with_host();
    world.taken_ports.extend(18_000..18_100);
    let (_, plan) = world.create("logs");
    world.settle();
    let plan = world.plan(&plan);
    assert_eq!(
        (plan.status, plan.error_code.as_str()),
        (PlanStatus::Failed, codes::PLAN_PORT)
    );
}

#[test]
fn a_container_that_exits_fails_the_plan_in_time_with_its_last_lines_and_can_be_deleted() {
    let mut world = World::with_host();
    world.crashing = true;
    let (id, plan) = world.create("logs");
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Running);
    world.now_ms += 301_000;
    world.settle();
    let failed = world.plan(&plan);
    assert_eq!(
        (failed.status, failed.error_code.as_str()),
        (PlanStatus::Failed, codes::PLAN_START)
    );
    assert!(failed.reason.contains("code 3"), "{}", failed.reason);
    assert!(
        failed.reason.contains("cannot open the journal"),
        "{}",
        failed.reason
    );
    let error = world.state.deployments[&id].last_error.as_ref().unwrap();
    assert_eq!(error.code, codes::PLAN_START);
    let delete = world.delete(&id);
    world.settle();
    assert_eq!(world.plan(&delete).status, PlanStatus::Done);
    assert!(world.state.deployments.is_empty() && world.state.instances.is_empty());
}

#[test]
fn a_leader_that_was_not_there_gives_the_step_its_time_again() {
    let mut world = World::with_host();
    world.crashing = true;
    let (_, plan) = world.create("logs");
    world.settle();
    world.now_ms += 3_600_000;
    world.change_leader();
    world.obey();
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Running);
    assert_eq!(world.plan(&plan).attempts, 2);
}

#[test]
fn a_deleted_deployment_leaves_nothing_behind_but_its_plans() {
    let mut world = World::with_host();
    let (id, _) = world.create("logs");
    world.settle();
    let delete = world.delete(&id);
    world.settle();
    assert_eq!(world.plan(&delete).status, PlanStatus::Done);
    let state = &world.state;
    assert!(state.deployments.is_empty() && state.resources.is_empty());
    assert!(state.instances.is_empty() && state.aliases.is_empty() && state.secrets.is_empty());
    let assigned = &state.assignments[&allocator_id(1)];
    assert!(assigned.instances.is_empty());
    assert_eq!(
        assigned.removed.len(),
        1,
        "a host that comes back from a backup is told again"
    );
    assert_eq!(state.plan_history[&id].len(), 2);
    world.create("logs");
}

#[test]
fn deleting_while_a_plan_runs_ends_that_plan() {
    let mut world = World::with_host();
    world.crashing = true;
    let (id, create) = world.create("logs");
    world.settle();
    let delete = world.delete(&id);
    assert_eq!(world.plan(&create).error_code, codes::PLAN_REPLACED);
    assert_eq!(world.delete(&id).as_str().len(), 32);
    world.settle();
    assert_eq!(world.plan(&delete).status, PlanStatus::Done);
}

#[test]
fn a_deletion_waits_for_a_silent_allocator_and_fails_in_time_but_can_be_repeated() {
    let mut world = World::with_host();
    let (id, _) = world.create("logs");
    world.settle();
    world
        .observed
        .allocators
        .get_mut(&allocator_id(1))
        .unwrap()
        .connected = false;
    let delete = world.delete(&id);
    world.settle();
    assert_eq!(world.plan(&delete).status, PlanStatus::Running);
    world.now_ms += 301_000;
    world.settle();
    assert_eq!(world.plan(&delete).error_code, codes::PLAN_STOP);
    world
        .observed
        .allocators
        .get_mut(&allocator_id(1))
        .unwrap()
        .connected = true;
    let again = world.delete(&id);
    world.settle();
    assert_eq!(world.plan(&again).status, PlanStatus::Done);
}

#[test]
fn a_plan_without_room_waits_says_why_and_goes_on_when_there_is_room() {
    let mut world = World::with_host();
    world
        .observed
        .allocators
        .get_mut(&allocator_id(1))
        .unwrap()
        .connected = false;
    let (_, plan) = world.create("logs");
    world.settle();
    let waiting = world.plan(&plan);
    assert_eq!(
        (waiting.status, waiting.error_code.as_str()),
        (PlanStatus::Pending, codes::CAPACITY)
    );
    assert!(
        waiting.reason.contains("not connected"),
        "{}",
        waiting.reason
    );
    world
        .observed
        .allocators
        .get_mut(&allocator_id(1))
        .unwrap()
        .connected = true;
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
}

#[test]
fn a_plan_that_finds_no_room_in_time_fails_with_every_refusal() {
    let mut world = World::with_host();
    let (_, plan) = world.create("logs");
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        maintenance: Some(true),
        ..UpdateAllocator::of(allocator_id(1), 0)
    }));
    world.now_ms += 301_000;
    world.settle();
    let failed = world.plan(&plan);
    assert_eq!(failed.error_code, codes::PLAN_NO_ROOM);
    assert!(failed.reason.contains("maintenance"), "{}", failed.reason);
}

#[test]
fn an_upgrade_replaces_the_container_when_the_hosts_image_is_another() {
    let mut world = World::with_host();
    let (id, _) = world.create("logs");
    world.settle();
    assert!(upgrade::due(&world.state, &world.observed, world.now_ms).is_empty());
    let seen = world.observed.allocators.get_mut(&allocator_id(1)).unwrap();
    seen.image_id = "new".to_owned();
    for instance in seen.instances.values_mut() {
        instance.image_id = "old".to_owned();
    }
    let now_ms = world.now_ms;
    world
        .observed
        .allocators
        .get_mut(&allocator_id(1))
        .unwrap()
        .image_since_ms = now_ms;
    assert!(
        upgrade::due(&world.state, &world.observed, now_ms).is_empty(),
        "the allocator is given time to replace it itself"
    );
    world.now_ms += upgrade::IMAGE_GRACE_MS + 1;
    let due = upgrade::due(&world.state, &world.observed, world.now_ms);
    assert_eq!(due.len(), 1);
    let before = world
        .state
        .instances
        .values()
        .next()
        .unwrap()
        .spec_hash
        .clone();
    let plan_id = PlanId::from_bytes(world.id());
    world.ok(Body::UpgradeDeployment(UpgradeDeployment {
        deployment_id: id,
        plan_id: plan_id.clone(),
        reason: due[0].1.clone(),
    }));
    world.settle();
    assert_eq!(
        world.plan(&plan_id).status,
        PlanStatus::Done,
        "{:?}",
        world.plan(&plan_id)
    );
    assert_ne!(
        world.state.instances.values().next().unwrap().spec_hash,
        before
    );
    assert!(upgrade::due(&world.state, &world.observed, world.now_ms).is_empty());
}

#[test]
fn a_plan_at_rest_proposes_nothing() {
    let mut world = World::with_host();
    world.crashing = true;
    world.create("logs");
    world.settle();
    world.now_ms += 10_000;
    let decision = attempt::run_all(&world.state, &world.observed, world.now_ms);
    assert!(decision.commands.is_empty(), "{:?}", decision.commands);
    assert_eq!(decision.waits.len(), 1);
}

#[test]
fn the_route_step_waits_for_every_connected_proxy() {
    let mut world = World::with_host();
    world.proxy(2);
    let (_, plan) = world.create("logs");
    for _ in 0..30 {
        world.now_ms += 3_000;
        world.turn();
        let lagging = world.observed.proxies.values_mut().next_back().unwrap();
        lagging.table_generation = 0;
    }
    let step = world.plan(&plan).steps[3].clone();
    assert_eq!(step.status, StepStatus::Running);
    assert!(step.waits_for.contains("1 of 2"), "{}", step.waits_for);
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
}

#[test]
fn a_port_that_is_taken_after_a_restart_of_the_host_is_replaced_by_a_plan() {
    let mut world = World::with_host();
    let (id, _) = world.create("logs");
    world.settle();
    world.taken_ports.insert(18_000);
    world.obey();
    let due = upgrade::due(&world.state, &world.observed, world.now_ms);
    assert!(due[0].1.contains("18000"), "{due:?}");
    let plan_id = PlanId::from_bytes(world.id());
    world.ok(Body::UpgradeDeployment(UpgradeDeployment {
        deployment_id: id,
        plan_id: plan_id.clone(),
        reason: due[0].1.clone(),
    }));
    world.settle();
    assert_eq!(
        world.plan(&plan_id).status,
        PlanStatus::Done,
        "{:?}",
        world.plan(&plan_id)
    );
    let instance = world.state.instances.values().next().unwrap();
    assert_eq!(instance.berth.as_ref().unwrap().port, 18_001);
    assert!(instance.routed);
    assert!(upgrade::due(&world.state, &world.observed, world.now_ms).is_empty());
}

#[test]
fn an_instance_whose_data_is_still_to_be_set_aside_on_a_host_is_not_placed_there_anew() {
    let mut world = World::with_host();
    let (id, plan) = world.create("logs");
    let storage = world.instance(&id, "storage-0").id.clone();
    let adopted = |world: &World| {
        let mut bodies = world.proposals();
        bodies.retain(|body| matches!(body, Body::AdoptPlan(_)));
        bodies
    };
    // A leader that looked before that was so.
    let early = adopted(&world).remove(0);
    let assigned = world.state.assignments.get_mut(&allocator_id(1)).unwrap();
    assigned.set_aside.insert(storage);
    let refused = world.apply(early).accepted().unwrap_err();
    assert_eq!(refused.code, codes::PLACEMENT, "{refused}");
    assert_eq!(adopted(&world), [], "there is no other host: it waits");
    world.host(2, "zone-1");
    let Body::AdoptPlan(elsewhere) = adopted(&world).remove(0) else {
        unreachable!("only these are kept")
    };
    assert_eq!(elsewhere.berths[0].allocator_id, allocator_id(2));
    world.ok(Body::AdoptPlan(elsewhere));
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
    assert!(
        world.state.assignments[&allocator_id(1)]
            .set_aside
            .is_empty(),
        "its host had nothing of it, and says so"
    );
}

#[test]
fn a_move_avoids_a_host_where_the_data_of_the_instance_is_still_to_be_set_aside() {
    let mut world = World::with_host();
    let (id, _) = world.create("logs");
    world.settle();
    for number in [2, 3] {
        world.host(number, "zone-1");
    }
    let storage = world.instance(&id, "storage-0").id.clone();
    let to = |hosts: &[AllocatorId]| DeploymentChange::Move {
        moves: vec![MoveWish {
            instance_id: storage.clone(),
            from: None,
            to: hosts.to_vec(),
            lost: false,
            cause: MoveCause::Request,
            reason: "a test".to_owned(),
        }],
    };
    let chosen = |world: &World| {
        let found = world.proposals().into_iter().find_map(|body| match body {
            Body::AdoptPlan(plan) => Some(plan.claims[0].berth.clone().unwrap().allocator_id),
            _ => None,
        });
        found.expect("the plan is adopted")
    };
    let plan = world.change(&id, to(&[])).unwrap();
    let best = chosen(&world);
    let assigned = world.state.assignments.get_mut(&best).unwrap();
    assigned.set_aside.insert(storage.clone());
    let other = chosen(&world);
    assert_ne!(other, best, "it would meet its old data");
    assert_ne!(other, allocator_id(1), "it lies there");
    world.cancel(&plan).unwrap();
    let refused = world
        .change(&id, to(std::slice::from_ref(&best)))
        .unwrap_err();
    assert_eq!(refused.code, codes::CAPACITY, "{refused}");
    let body = Body::ChangeDeployment(Box::new(ChangeDeployment {
        deployment_id: id.clone(),
        plan_id: PlanId::from_bytes([9; 16]),
        expected_version: 0,
        change: to(&[]),
    }));
    let command = Command::new(world.now_ms, "ann", None, body);
    let seen = preview::preview(&world.state, &world.observed, &command, world.now_ms).unwrap();
    let refusals = &seen.plan.placements[0].refusals;
    let told = refusals
        .iter()
        .find(|one| one.allocator_id == best.as_str());
    assert!(
        told.unwrap()
            .reason
            .contains("data of it still to set aside"),
        "the dry run is to say why it does not go there: {refusals:?}"
    );
    world.change(&id, to(&[other])).unwrap();
}
