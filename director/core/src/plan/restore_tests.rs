//! Storage nodes of lost hosts that begin from their last snapshot.

use wharf_proto::ids::{DeploymentId, PlanId};

use crate::{
    command::{Body, DeploymentChange, RequestSnapshot, SetSnapshotPolicy},
    fixture::{World, allocator_id, hosts::LEASE_MS, repository::REPOSITORY},
    health::{self, Graces},
    messages,
    reconcile::assignment,
    refusal::{Refusal, codes},
    state::{
        ClaimStage, HostLoss, InstanceRecord, MoveCause, MoveWish, PlanStatus, SnapshotPolicy,
        State,
    },
};

/// Two hosts and a deployment whose storage node is restored when its host is lost.
fn world() -> (World, DeploymentId) {
    let mut world = World::with_host();
    world.host(2, "zone-2");
    let (id, _) = world.create("logs");
    world.settle();
    world.repository();
    world.ok(World::keeps(&id));
    world.on_host_loss(&id, HostLoss::Restore).unwrap();
    (world, id)
}

fn storage<'a>(world: &'a World, id: &DeploymentId) -> &'a InstanceRecord {
    world.instance(id, "storage-0")
}

fn lose(world: &mut World, id: &DeploymentId) -> Result<PlanId, Refusal> {
    let wish = MoveWish {
        instance_id: storage(world, id).id.clone(),
        from: None,
        to: Vec::new(),
        lost: true,
        cause: MoveCause::HostLost,
        reason: "a test".to_owned(),
    };
    world.change(id, DeploymentChange::Move { moves: vec![wish] })
}

fn ended(world: &mut World, plan: &PlanId) -> PlanStatus {
    for _ in 0..200 {
        if world.plan(plan).status.ended() {
            break;
        }
        world.now_ms += 1_000;
        world.turn();
    }
    world.plan(plan).status
}

fn policy(
    world: &mut World,
    id: &DeploymentId,
    repository: Option<&str>,
    interval_seconds: u64,
) -> Result<(), Refusal> {
    let body = SetSnapshotPolicy {
        deployment_id: id.clone(),
        expected_version: 0,
        policy: repository.map(|repository| SnapshotPolicy {
            repository: repository.to_owned(),
            interval_seconds,
            keep: 10,
        }),
    };
    let outcome = world.apply(Body::SetSnapshotPolicy(body)).accepted();
    outcome.map(|_| ())
}

fn problems(world: &World, id: &DeploymentId) -> Vec<String> {
    let record = &world.state.deployments[id];
    let graces = Graces::of(&world.state);
    health::deployment(&world.state, &world.observed, record, &graces, world.now_ms).problems
}

#[test]
fn a_lost_store_waits_while_no_snapshot_of_it_is_known() {
    let (mut world, id) = world();
    world.hosts.repository.broken = true;
    world.settle();
    assert!(storage(&world, &id).leased, "its host told that it knows");
    assert_eq!(storage(&world, &id).last_snapshot, None);
    world.kill(1);
    world.now_ms += LEASE_MS + 60_000;
    let refused = lose(&mut world, &id).unwrap_err();
    assert_eq!(refused.code, codes::HOST_LOSS);
    assert!(refused.message.contains("no snapshot"), "{refused}");
}

#[test]
fn a_request_is_served_once_the_state_knows_its_snapshot() {
    let (mut world, id) = world();
    world.settle();
    let first = storage(&world, &id).last_snapshot.clone();
    world.now_ms += 5_000;
    let ask = RequestSnapshot {
        deployment_id: id.clone(),
    };
    world.ok(Body::RequestSnapshot(ask));
    world.settle();
    let shown = |state: &State| {
        let record = &state.deployments[&id];
        let shown = messages::deployment(state, &world.observed, record, world.now_ms);
        let snapshots = shown.snapshots.unwrap();
        let one = &snapshots.instances[0];
        (one.last.clone(), one.requested_done)
    };
    let last = storage(&world, &id).last_snapshot.clone().unwrap();
    assert_eq!(shown(&world.state), (last.name, 1));
    let mut behind = world.state.clone();
    let instance = behind.instances.get_mut(&storage(&world, &id).id);
    instance.unwrap().last_snapshot.clone_from(&first);
    assert_eq!(
        shown(&behind),
        (first.unwrap().name, 0),
        "the host has told of the new one, and the state does not know it"
    );
}

#[test]
fn a_lost_store_serves_its_last_snapshot_elsewhere_and_its_old_host_sets_its_data_aside() {
    let (mut world, id) = world();
    world.settle();
    let first = storage(&world, &id).last_snapshot.clone().unwrap();
    world.now_ms += 5_000;
    let ask = RequestSnapshot {
        deployment_id: id.clone(),
    };
    world.ok(Body::RequestSnapshot(ask));
    world.settle();
    let last = storage(&world, &id).last_snapshot.clone().unwrap();
    assert!(
        last.name > first.name,
        "the one that was asked for is known"
    );
    let instance_id = storage(&world, &id).id.clone();
    world.now_ms += 70_000;
    world.disconnect(1);
    let lost_ms = world.now_ms;
    world.now_ms += LEASE_MS + 60_000;
    let plan = lose(&mut world, &id).unwrap();
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
    let record = storage(&world, &id).clone();
    assert_eq!(record.berth.unwrap().allocator_id, allocator_id(2));
    assert_eq!(record.incarnation, 1);
    let from = record.restored_from.unwrap();
    assert_eq!((&from.snapshot, from.taken_ms), (&last.name, last.taken_ms));
    assert_eq!((from.lost_ms, from.host.as_str()), (lost_ms, "host-1"));
    let place = (allocator_id(2), instance_id.clone());
    assert_eq!(
        world.hosts.repository.begun_from(&place),
        Some(last.name.as_str())
    );
    let told: Vec<_> = world.state.audit.iter().collect();
    let told = told
        .iter()
        .filter(|line| line.action == "instance_restored");
    let told: Vec<_> = told.map(|line| (&line.subject, &line.detail)).collect();
    let [(subject, detail)] = told.as_slice() else {
        panic!("it is told once: {told:?}");
    };
    assert_eq!(**subject, format!("deployment/{id}"));
    assert!(
        detail.contains("restored from the snapshot of") && detail.contains("host-1"),
        "{detail}"
    );
    let told = problems(&world, &id).join("; ");
    assert!(
        told.contains("restored from the snapshot of") && told.contains("host-1"),
        "{told}"
    );
    world.settle();
    let content = assignment::content(&world.state, &allocator_id(2));
    assert!(!content.instances[0].restore, "it is told no longer");
    let newest = storage(&world, &id).last_snapshot.clone().unwrap();
    assert!(
        newest.name.starts_with("0000000001-"),
        "what it keeps from now on comes after what it kept: {newest:?}"
    );
    world.revive(1);
    world.settle();
    assert!(world.hosts.lies_aside(&allocator_id(1), &instance_id));
    assert_eq!(problems(&world, &id), Vec::<String>::new());
    assert_eq!(
        world.hosts.writers(&instance_id, world.now_ms),
        [allocator_id(2)]
    );
    let shown = messages::deployment(
        &world.state,
        &world.observed,
        &world.state.deployments[&id],
        world.now_ms,
    );
    let shown = shown.snapshots.unwrap().instances.remove(0);
    assert_eq!(shown.restored_from.unwrap().snapshot, last.name);
}

#[test]
fn a_replacement_that_is_well_and_does_not_say_what_it_serves_from_has_not_arrived() {
    let (mut world, id) = world();
    world.settle();
    world.disconnect(1);
    world.now_ms += LEASE_MS + 60_000;
    let plan = lose(&mut world, &id).unwrap();
    world.hosts.repository.broken = true;
    for _ in 0..60 {
        world.now_ms += 1_000;
        world.turn();
    }
    assert_eq!(
        storage(&world, &id).claim.as_ref().map(|claim| claim.stage),
        Some(ClaimStage::Replacing),
        "{:?}",
        world.plan(&plan)
    );
    let waits = |world: &World| {
        let steps = &world.plan(&plan).steps;
        steps
            .iter()
            .any(|step| step.waits_for.contains("the restore on host-2"))
    };
    assert!(waits(&world), "{:?}", world.plan(&plan));
    // Well, and without a word of a snapshot: as one of a version that knows none.
    let seen = world.observed.allocators.get_mut(&allocator_id(2)).unwrap();
    let seen = seen.instances.values_mut().next().unwrap();
    seen.health = crate::observe::Health::Healthy;
    seen.restore = None;
    for body in world.proposals() {
        world.apply(body);
    }
    assert_eq!(storage(&world, &id).incarnation, 0, "it has not arrived");
    world.hosts.repository.broken = false;
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
}

#[test]
fn a_restore_is_waited_for_while_it_grows_and_not_for_what_is_said_of_it() {
    for grows in [true, false] {
        let (mut world, id) = world();
        world.settle();
        world.disconnect(1);
        world.now_ms += LEASE_MS + 60_000;
        let plan = lose(&mut world, &id).unwrap();
        world.hosts.repository.broken = true;
        for turn in 0..60 {
            let told = &mut world.hosts.repository.told;
            told.0 = format!("try {turn}");
            told.1 += if grows { 1 } else { 0 };
            world.now_ms += 30_000;
            world.turn();
        }
        let record = world.plan(&plan);
        assert_eq!(record.status.ended(), !grows, "{record:?}");
    }
}

#[test]
fn what_a_lost_host_is_answered_by_is_decided_when_the_replacement_begins() {
    let (mut world, id) = world();
    world.settle();
    world.disconnect(1);
    world.now_ms += LEASE_MS + 60_000;
    let plan = lose(&mut world, &id).unwrap();
    world.hosts.repository.broken = true;
    let begun = |world: &World| {
        let claim = storage(world, &id).claim.as_ref();
        claim.is_some_and(|claim| claim.stage == ClaimStage::Replacing)
    };
    for _ in 0..60 {
        if begun(&world) {
            break;
        }
        world.now_ms += 1_000;
        world.turn();
    }
    let claim = storage(&world, &id).claim.clone().unwrap();
    assert_eq!((claim.stage, claim.restore), (ClaimStage::Replacing, true));
    world.on_host_loss(&id, HostLoss::Empty).unwrap();
    // Where it is restored from stays until it is, how often snapshots are taken need not.
    world.repository_named("other");
    for elsewhere in [None, Some("other")] {
        let refused = policy(&mut world, &id, elsewhere, 600).unwrap_err();
        assert_eq!(refused.code, codes::SNAPSHOT_POLICY, "{elsewhere:?}");
        assert!(
            refused.message.contains("storage-0 is being restored"),
            "{refused}"
        );
    }
    policy(&mut world, &id, Some(REPOSITORY), 60).unwrap();
    world.hosts.repository.broken = false;
    assert_eq!(ended(&mut world, &plan), PlanStatus::Done);
    assert!(storage(&world, &id).restored_from.is_some());
    policy(&mut world, &id, Some("other"), 600).unwrap();
}
