//! Moves step by step: with data, without, off a lost host, taken back, gone on with.

use wharf_proto::ids::{DeploymentId, InstanceId, PlanId};

use crate::{
    command::{Body, DeploymentChange, SetHostLossPolicy},
    fixture::{World, allocator_id, hosts::LEASE_MS, template, watched},
    reconcile::{assignment, route},
    refusal::{Refusal, codes},
    state::{ClaimStage, HostLoss, MoveCause, MoveWish, PlanStatus, StepKind, Want},
    template::TemplateCatalog,
};

/// Three hosts in three zones and a deployment with a monitoring node.
fn world() -> (World, DeploymentId) {
    let mut world = World::with_host();
    world.host(2, "zone-2");
    world.host(3, "zone-3");
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    let (id, _) = world.create("logs");
    world.settle();
    (world, id)
}

fn wish(instance_id: InstanceId, to: &[u64], lost: bool) -> MoveWish {
    MoveWish {
        instance_id,
        from: None,
        to: to.iter().copied().map(allocator_id).collect(),
        lost,
        cause: if lost {
            MoveCause::HostLost
        } else {
            MoveCause::Request
        },
        reason: "somebody wants it there".to_owned(),
    }
}

fn go(
    world: &mut World,
    id: &DeploymentId,
    name: &str,
    to: &[u64],
    lost: bool,
) -> Result<PlanId, Refusal> {
    let instance_id = world.instance(id, name).id.clone();
    let moves = vec![wish(instance_id, to, lost)];
    world.change(id, DeploymentChange::Move { moves })
}

/// The number of the host where an instance lies.
fn lies(world: &World, id: &DeploymentId, name: &str) -> u64 {
    let berth = world.instance(id, name).berth.clone().unwrap();
    (1..=3)
        .find(|number| allocator_id(*number) == berth.allocator_id)
        .unwrap()
}

fn stage(world: &World, id: &DeploymentId, name: &str) -> Option<ClaimStage> {
    world.instance(id, name).claim.as_ref().map(|one| one.stage)
}

/// Turns until the instance has come that far.
fn until(world: &mut World, id: &DeploymentId, name: &str, wanted: ClaimStage) {
    for _ in 0..60 {
        if stage(world, id, name) == Some(wanted) {
            return;
        }
        world.now_ms += 1_000;
        world.turn();
    }
    panic!("{name} never came to {wanted:?}: {:?}", world.state.plans);
}

/// Turns until the plan has ended.
fn ended(world: &mut World, plan: &PlanId) -> PlanStatus {
    for _ in 0..200 {
        if world.plan(plan).status.ended() {
            break;
        }
        world.now_ms += 1_000;
        world.turn();
    }
    world.settle();
    world.plan(plan).status
}

fn policy(world: &mut World, id: &DeploymentId, on_host_loss: HostLoss) -> Result<(), Refusal> {
    let body = SetHostLossPolicy {
        deployment_id: id.clone(),
        expected_version: 0,
        on_host_loss,
    };
    let outcome = world.apply(Body::SetHostLossPolicy(body)).accepted();
    outcome.map(|_| ())
}

#[test]
fn a_storage_node_goes_with_its_data_while_its_old_place_serves_until_the_exchange() {
    let (mut world, id) = world();
    let storage = world.instance(&id, "storage-0").id.clone();
    let source = world.instance(&id, "storage-0").clone();
    let (from, to) = (1, 2);
    assert_eq!(lies(&world, &id, "storage-0"), from);
    let before = assignment::content(&world.state, &allocator_id(from));
    let plan = go(&mut world, &id, "storage-0", &[to], false).unwrap();
    until(&mut world, &id, "storage-0", ClaimStage::Copying);
    let target = assignment::content(&world.state, &allocator_id(to));
    let copying = target.instances[0].clone();
    let copy_from = copying.copy_from.clone().unwrap();
    let port = source.berth.as_ref().unwrap().port;
    assert_eq!(copy_from.address, format!("10.0.0.1:{port}"));
    let own = copy_from.own_address.strip_prefix("10.0.0.2:");
    assert!(
        own.is_some_and(|port| port.parse::<u16>().is_ok()),
        "{copy_from:?}"
    );
    assert!(!copy_from.take_over, "it copies before it takes over");
    assert_eq!(
        assignment::content(&world.state, &allocator_id(from)),
        before,
        "the source notices nothing"
    );
    until(&mut world, &id, "storage-0", ClaimStage::TakingOver);
    let target = assignment::content(&world.state, &allocator_id(to));
    assert!(target.instances[0].copy_from.as_ref().unwrap().take_over);
    assert_eq!(lies(&world, &id, "storage-0"), from, "the source is routed");
    until(&mut world, &id, "storage-0", ClaimStage::Retiring);
    assert_eq!(lies(&world, &id, "storage-0"), to);
    let there = assignment::content(&world.state, &allocator_id(to));
    assert_eq!(
        there.instances[0].spec_hash, copying.spec_hash,
        "the exchange replaces no container"
    );
    assert_eq!(there.instances[0].copy_from, None);
    let here = assignment::content(&world.state, &allocator_id(from));
    assert_eq!(
        here.instances[0], before.instances[0],
        "the forwarder runs on"
    );
    let table = route::content(&world.state, &world.observed);
    let routed: Vec<_> = table.routes.values().flat_map(|one| &one.targets).collect();
    assert!(
        routed
            .iter()
            .any(|one| one.instance_id == storage.as_str() && one.address == "10.0.0.2")
    );
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
    let names: Vec<&str> = world
        .plan(&plan)
        .steps
        .iter()
        .map(|step| step.kind.as_str())
        .collect();
    assert_eq!(names, ["place", "copy", "take_over", "route", "remove"]);
    let first = &world.plan(&plan).steps[0].log[0].text;
    assert!(
        first.contains("goes from host-1 to host-2") && first.contains("somebody wants it there"),
        "a move names its reason: {first}"
    );
    assert_eq!(
        world.hosts.authority(&storage),
        Some((&allocator_id(to), true))
    );
    assert!(world.lost_data.is_empty());
    assert_eq!(world.removed_data, 1, "the old copy is gone");
    assert_eq!(stage(&world, &id, "storage-0"), None);
}

#[test]
fn a_monitoring_node_stops_before_it_starts_elsewhere() {
    let (mut world, id) = world();
    let from = lies(&world, &id, "monitoring-0");
    let plan = go(&mut world, &id, "monitoring-0", &[3], false).unwrap();
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
    assert_ne!(from, 3);
    assert_eq!(lies(&world, &id, "monitoring-0"), 3);
}

#[test]
fn a_cancelled_copy_is_removed_and_the_source_was_never_touched() {
    let (mut world, id) = world();
    let before = world.instance(&id, "storage-0").clone();
    let plan = go(&mut world, &id, "storage-0", &[2], false).unwrap();
    until(&mut world, &id, "storage-0", ClaimStage::Copying);
    world.turn();
    world.cancel(&plan).unwrap();
    assert_eq!(ended(&mut world, &plan), PlanStatus::Cancelled);
    assert_eq!(*world.instance(&id, "storage-0"), before);
    assert_eq!(world.removed_data, 1, "the copy is removed");
    assert!(world.lost_data.is_empty());
    // The same way again.
    let plan = go(&mut world, &id, "storage-0", &[2], false).unwrap();
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
}

#[test]
fn once_taken_over_there_is_no_way_back_and_a_cancel_says_so() {
    let (mut world, id) = world();
    let plan = go(&mut world, &id, "storage-0", &[2], false).unwrap();
    until(&mut world, &id, "storage-0", ClaimStage::TakingOver);
    let refused = world.cancel(&plan).unwrap_err();
    assert_eq!(refused.code, codes::PLAN_CANCEL);
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
    assert_eq!(lies(&world, &id, "storage-0"), 2);
}

#[test]
fn a_target_that_dies_before_the_take_over_fails_the_plan_and_is_cleaned_up_when_it_is_back() {
    let (mut world, id) = world();
    let before = world.instance(&id, "storage-0").clone();
    let plan = go(&mut world, &id, "storage-0", &[2], false).unwrap();
    until(&mut world, &id, "storage-0", ClaimStage::Copying);
    world.kill(2);
    assert_eq!(ended(&mut world, &plan), PlanStatus::Failed);
    assert_eq!(world.plan(&plan).error_code, codes::PLAN_COPY);
    assert_eq!(*world.instance(&id, "storage-0"), before);
    world.revive(2);
    world.settle();
    assert_eq!(world.removed_data, 1, "its half copy is removed");
}

#[test]
fn a_target_that_dies_during_the_take_over_is_waited_for() {
    let (mut world, id) = world();
    let plan = go(&mut world, &id, "storage-0", &[2], false).unwrap();
    until(&mut world, &id, "storage-0", ClaimStage::TakingOver);
    world.kill(2);
    for _ in 0..100 {
        world.now_ms += 60_000;
        world.turn();
    }
    let record = world.plan(&plan);
    assert_eq!(record.status, PlanStatus::Running);
    let waits = &record
        .steps
        .iter()
        .find(|step| step.kind == StepKind::TakeOver)
        .unwrap()
        .waits_for;
    assert!(
        waits.contains("host-2") && waits.contains("may have taken over"),
        "{waits}"
    );
    world.revive(2);
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
}

#[test]
fn a_source_that_dies_in_the_middle_is_waited_for_and_named() {
    let (mut world, id) = world();
    let plan = go(&mut world, &id, "storage-0", &[2], false).unwrap();
    until(&mut world, &id, "storage-0", ClaimStage::Copying);
    world.kill(1);
    for _ in 0..50 {
        world.now_ms += 60_000;
        world.turn();
    }
    let record = world.plan(&plan);
    assert_eq!(record.status, PlanStatus::Running);
    let waits: Vec<&str> = record
        .steps
        .iter()
        .map(|step| step.waits_for.as_str())
        .collect();
    assert!(
        waits
            .iter()
            .any(|text| text.contains("host-1") && text.contains("data is there and nowhere else")),
        "{waits:?}"
    );
    world.revive(1);
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
    assert_eq!(lies(&world, &id, "storage-0"), 2);
}

#[test]
fn the_old_place_keeps_its_data_until_the_new_one_is_seen_well() {
    let (mut world, id) = world();
    let plan = go(&mut world, &id, "storage-0", &[2], false).unwrap();
    until(&mut world, &id, "storage-0", ClaimStage::Retiring);
    world.kill(2);
    for _ in 0..50 {
        world.now_ms += 60_000;
        world.turn();
    }
    assert_eq!(world.removed_data, 0, "the old copy is kept");
    assert_eq!(world.plan(&plan).status, PlanStatus::Running);
    world.revive(2);
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
    assert_eq!(world.removed_data, 1);
}

#[test]
fn a_lost_monitoring_node_runs_elsewhere_without_its_host_which_removes_it_when_it_is_back() {
    let (mut world, id) = world();
    let from = lies(&world, &id, "monitoring-0");
    world.kill(from);
    world.now_ms += 60_000;
    let plan = go(&mut world, &id, "monitoring-0", &[], true).unwrap();
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
    assert_ne!(lies(&world, &id, "monitoring-0"), from);
    world.revive(from);
    world.settle();
    assert_eq!(world.removed_data, 1);
}

#[test]
fn an_original_that_is_back_before_its_replacement_is_ready_wins() {
    let (mut world, id) = world();
    let from = lies(&world, &id, "monitoring-0");
    world.disconnect(from);
    world.now_ms += 60_000;
    let plan = go(&mut world, &id, "monitoring-0", &[], true).unwrap();
    world.crashing = true;
    until(&mut world, &id, "monitoring-0", ClaimStage::Replacing);
    world.turn();
    world.crashing = false;
    world.revive(from);
    // The report of the returning host comes before that of the replacement.
    let other = world.instance(&id, "monitoring-0").claim.clone().unwrap();
    let other = other.berth.unwrap().allocator_id;
    world.observed.allocators.get_mut(&other).unwrap().connected = false;
    world.obey();
    world.observed.allocators.get_mut(&other).unwrap().connected = true;
    assert_eq!(ended(&mut world, &plan), PlanStatus::Cancelled);
    assert!(
        world.plan(&plan).reason.contains("is back"),
        "{}",
        world.plan(&plan).reason
    );
    assert_eq!(lies(&world, &id, "monitoring-0"), from);
    assert!(world.instance(&id, "monitoring-0").routed);
}

#[test]
fn a_lost_store_waits_unless_its_deployment_says_otherwise_and_its_host_knew_of_it() {
    let (mut world, id) = world();
    let refused = go(&mut world, &id, "storage-0", &[], true).unwrap_err();
    assert_eq!(refused.code, codes::HOST_LOSS);
    assert!(refused.message.contains("nowhere else"), "{refused}");
    let refused = policy(&mut world, &id, HostLoss::Restore).unwrap_err();
    assert_eq!(refused.code, codes::HOST_LOSS);
    world.kill(1);
    policy(&mut world, &id, HostLoss::Empty).unwrap();
    world.settle();
    let refused = go(&mut world, &id, "storage-0", &[], true).unwrap_err();
    assert_eq!(refused.code, codes::HOST_LOSS);
    assert!(refused.message.contains("lease"), "{refused}");
}

#[test]
fn a_lost_store_starts_empty_and_what_its_host_has_is_set_aside_and_kept() {
    let (mut world, id) = world();
    policy(&mut world, &id, HostLoss::Empty).unwrap();
    world.settle();
    let storage = world.instance(&id, "storage-0").clone();
    assert!(storage.leased, "its host told that it knows");
    let content = assignment::content(&world.state, &allocator_id(1));
    let spec = content
        .instances
        .iter()
        .find(|one| one.instance_name == "storage-0");
    assert!(spec.unwrap().leased);
    world.disconnect(1);
    world.now_ms += LEASE_MS + 60_000;
    assert!(world.hosts.writers(&storage.id, world.now_ms).is_empty());
    let plan = go(&mut world, &id, "storage-0", &[], true).unwrap();
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
    let now = lies(&world, &id, "storage-0");
    assert_ne!(now, 1);
    assert!(
        world.state.assignments[&allocator_id(1)]
            .set_aside
            .contains(&storage.id)
    );
    let content = assignment::content(&world.state, &allocator_id(1));
    assert!(
        content.remove.is_empty(),
        "data of a lost host is never removed"
    );
    world.revive(1);
    world.settle();
    assert!(world.hosts.lies_aside(&allocator_id(1), &storage.id));
    assert!(
        world.state.assignments[&allocator_id(1)]
            .set_aside
            .is_empty(),
        "it is told no longer once it told that it did"
    );
    assert!(world.lost_data.is_empty());
    assert_eq!(
        world.hosts.writers(&storage.id, world.now_ms),
        [allocator_id(now)]
    );
}

#[test]
fn a_replacement_takes_no_write_before_the_last_lease_of_the_old_place_is_over() {
    let (mut world, id) = world();
    policy(&mut world, &id, HostLoss::Empty).unwrap();
    world.settle();
    let storage = world.instance(&id, "storage-0").id.clone();
    world.disconnect(1);
    assert_eq!(
        world.hosts.writers(&storage, world.now_ms),
        [allocator_id(1)]
    );
    let plan = go(&mut world, &id, "storage-0", &[], true).unwrap();
    let mut waited = false;
    for _ in 0..100 {
        let writers = world.hosts.writers(&storage, world.now_ms);
        assert!(writers.len() < 2, "two take writes: {writers:?}");
        waited |= world
            .plan(&plan)
            .steps
            .iter()
            .any(|step| step.waits_for.contains("lease"));
        world.now_ms += 1_000;
        world.turn();
    }
    assert!(
        waited,
        "no step waited for the lease: {:?}",
        world.plan(&plan)
    );
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
    assert_ne!(lies(&world, &id, "storage-0"), 1);
    let again = DeploymentChange::Reapply { of_plan: plan };
    let refused = world.change(&id, again).unwrap_err();
    assert_eq!(
        refused.code,
        codes::PLAN_REAPPLY,
        "a move is not asked for again by its plan"
    );
}

#[test]
fn a_move_that_cannot_be_is_refused_with_its_reason() {
    let (mut world, id) = world();
    world.host(4, "zone-4");
    let instance_id = world.instance(&id, "storage-0").id.clone();
    let same = go(&mut world, &id, "storage-0", &[1], false).unwrap_err();
    assert_eq!(same.code, codes::NOTHING_TO_DO);
    let nowhere = go(&mut world, &id, "storage-0", &[99], false).unwrap_err();
    assert_eq!(nowhere.field, "to_allocator");
    let twice = vec![
        wish(instance_id.clone(), &[], false),
        wish(instance_id.clone(), &[], false),
    ];
    let twice = world.change(&id, DeploymentChange::Move { moves: twice });
    assert_eq!(twice.unwrap_err().code, codes::MOVE);
    let none = world.change(&id, DeploymentChange::Move { moves: Vec::new() });
    assert_eq!(none.unwrap_err().code, codes::MOVE);
    let pause = DeploymentChange::Pause {
        instance_id: instance_id.clone(),
    };
    world.change(&id, pause).unwrap();
    world.settle();
    let paused = go(&mut world, &id, "storage-0", &[2], false).unwrap_err();
    assert_eq!(paused.code, codes::MOVE);
    assert!(paused.message.contains("paused"), "{paused}");
    world.state.feature_level = crate::state::MOVES_LEVEL - 1;
    let old = go(&mut world, &id, "monitoring-0", &[2], false).unwrap_err();
    assert_eq!(old.code, codes::FEATURE_LEVEL);
}

#[test]
fn a_paused_instance_stays_so_until_it_is_resumed() {
    let (mut world, id) = world();
    let instance_id = world.instance(&id, "storage-0").id.clone();
    let pause = DeploymentChange::Pause {
        instance_id: instance_id.clone(),
    };
    let resume = DeploymentChange::Resume {
        instance_id: instance_id.clone(),
    };
    let early = world.change(&id, resume.clone()).unwrap_err();
    assert_eq!(early.code, codes::PAUSED);
    world.change(&id, pause.clone()).unwrap();
    world.settle();
    let paused = world.instance(&id, "storage-0").clone();
    assert!(paused.paused && paused.want == Want::Stop && !paused.routed);
    assert!(
        paused.berth.is_some_and(|berth| berth.port != 0),
        "its place is kept"
    );
    let again = world.change(&id, pause).unwrap_err();
    assert_eq!(again.code, codes::PAUSED);
    // A restart of all leaves it alone; one that names it is asked for by mistake.
    let restart = |instances: &[&str]| DeploymentChange::Restart {
        instances: instances.iter().map(|name| (*name).to_owned()).collect(),
    };
    world.change(&id, restart(&[])).unwrap();
    world.settle();
    assert!(world.instance(&id, "storage-0").paused);
    let named = world.change(&id, restart(&["storage-0"])).unwrap_err();
    assert_eq!(named.code, codes::PAUSED);
    world.change(&id, resume).unwrap();
    world.settle();
    let resumed = world.instance(&id, "storage-0");
    assert!(!resumed.paused && resumed.want == Want::Run && resumed.routed);
}

#[test]
fn a_resume_that_is_cancelled_is_paused_again_and_one_that_fails_is_not() {
    let (mut world, id) = world();
    let instance_id = world.instance(&id, "storage-0").id.clone();
    let change = |pause: bool| {
        let instance_id = instance_id.clone();
        if pause {
            DeploymentChange::Pause { instance_id }
        } else {
            DeploymentChange::Resume { instance_id }
        }
    };
    world.change(&id, change(true)).unwrap();
    world.settle();
    world.crashing = true;
    let plan = world.change(&id, change(false)).unwrap();
    for _ in 0..4 {
        world.turn();
    }
    world.cancel(&plan).unwrap();
    assert_eq!(ended(&mut world, &plan), PlanStatus::Cancelled);
    let again = world.instance(&id, "storage-0");
    assert!(again.paused && again.want == Want::Stop, "{again:?}");
    let plan = world.change(&id, change(false)).unwrap();
    for _ in 0..40 {
        world.now_ms += 60_000;
        world.turn();
    }
    assert_eq!(world.plan(&plan).status, PlanStatus::Failed);
    let failed = world.instance(&id, "storage-0");
    assert!(!failed.paused && failed.want == Want::Run, "{failed:?}");
}

#[test]
fn a_move_keeps_zones_and_siblings_apart_holds_room_at_both_places_and_says_why_not() {
    let mut world = World::with_host();
    for (number, zone) in [(2, "zone-2"), (3, "zone-2"), (4, "zone-1")] {
        world.host(number, zone);
    }
    world.catalog = TemplateCatalog::new([template(2, 1)]).unwrap();
    let (id, _) = world.create("logs");
    world.settle();
    let zone_one = world
        .state
        .deployment_instances(&world.state.deployments[&id])
        .find(|one| one.berth.as_ref().unwrap().zone == "zone-1")
        .unwrap()
        .clone();
    let from = zone_one.berth.clone().unwrap().allocator_id;
    let name = zone_one.name.clone();
    for sibling in [2, 3] {
        let refused = go(&mut world, &id, &name, &[sibling], false).unwrap_err();
        assert_eq!(
            (refused.code.as_str(), refused.field.as_str()),
            (codes::CAPACITY, "to_allocator")
        );
        assert!(refused.message.contains("zone-2 has 1"), "{refused}");
    }
    let plan = go(&mut world, &id, &name, &[], false).unwrap();
    until(&mut world, &id, &name, ClaimStage::Copying);
    let instance = world.instance(&id, &name).clone();
    let to = instance.claim.unwrap().berth.unwrap();
    assert_eq!(to.zone, "zone-1", "the other zone has its share");
    assert_ne!(to.allocator_id, from);
    for host in [&from, &to.allocator_id] {
        assert_eq!(
            world.state.used(host),
            instance.size,
            "room is held at both places"
        );
    }
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
    assert_eq!(world.state.used(&from), crate::size::Size::default());
}
