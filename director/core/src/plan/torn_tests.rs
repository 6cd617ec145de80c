//! Moves whose take-over a host is lost for good in: it is given up, with an outcome that says what is
//! where, and never do two places take writes.

use wharf_proto::ids::{DeploymentId, PlanId};

use crate::{
    command::{Body, DeploymentChange, ForgetHost},
    fixture::{World, allocator_id, watched},
    refusal::{Refusal, codes},
    state::{ClaimStage, HostRecord, HostRole, MoveCause, MoveWish, PlanStatus, Want},
    template::TemplateCatalog,
};

/// A host joined by a token: only such a one is forgotten.
pub(super) fn join(world: &mut World, number: u64) {
    let record = HostRecord {
        allocator_id: allocator_id(number),
        proxy_id: None,
        director_id: None,
        host: format!("host-{number}"),
        address: format!("10.0.0.{number}"),
        roles: [HostRole::Allocator].into(),
        roles_changed_ms: 0,
        token_id: "ab".repeat(16),
        enrolled_ms: world.now_ms,
        left_ms: None,
        without_engine: false,
    };
    world.state.hosts.insert(allocator_id(number), record);
}

/// What gives up a host that is lost.
pub(super) fn give_up(number: u64) -> Body {
    Body::ForgetHost(ForgetHost {
        allocator_id: allocator_id(number),
        lost: true,
    })
}

/// Three hosts, and a storage node that is on its way from the first to the second and has come so far.
fn on_its_way(stage: ClaimStage) -> (World, DeploymentId, PlanId) {
    let mut world = World::with_host();
    world.host(2, "zone-1");
    world.host(3, "zone-1");
    (1..=3).for_each(|number| join(&mut world, number));
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    let (id, _) = world.create("logs");
    world.settle();
    let storage = world.instance(&id, "storage-0").clone();
    assert_eq!(storage.berth.unwrap().allocator_id, allocator_id(1));
    let moves = vec![MoveWish {
        instance_id: storage.id,
        from: None,
        to: vec![allocator_id(2)],
        lost: false,
        cause: MoveCause::Request,
        reason: "somebody wants it there".to_owned(),
    }];
    let plan = world.change(&id, DeploymentChange::Move { moves }).unwrap();
    for _ in 0..60 {
        let claim = world.instance(&id, "storage-0").claim.clone();
        if claim.is_some_and(|claim| claim.stage == stage) {
            return (world, id, plan);
        }
        world.now_ms += 1_000;
        world.turn();
    }
    panic!("it never came to {stage:?}: {:?}", world.plan(&plan));
}

fn lose(world: &mut World, number: u64) -> Result<(), Refusal> {
    world.kill(number);
    world.now_ms += 600_000;
    world.turn();
    world.apply(give_up(number)).accepted()?;
    world.observed.allocators.remove(&allocator_id(number));
    Ok(())
}

fn apply_again(world: &mut World, id: &DeploymentId) -> Result<PlanId, Refusal> {
    let of_plan = world.state.plan_history[id][0].clone();
    world.change(id, DeploymentChange::Reapply { of_plan })
}

/// The plan has ended, what the other host has is set aside, and then the node starts elsewhere.
fn ends_without(lost: u64, stage: ClaimStage, other: u64) {
    let (mut world, id, plan) = on_its_way(stage);
    let storage = world.instance(&id, "storage-0").id.clone();
    lose(&mut world, lost).unwrap();
    let record = world.plan(&plan);
    assert_eq!(
        (record.status, record.error_code.as_str()),
        (PlanStatus::Failed, codes::HOST_LOSS)
    );
    let outcome = format!(
        "host-{lost} was given up in the middle of the take-over of storage-0: what host-{other} has of it is set aside there"
    );
    assert!(record.reason.starts_with(&outcome), "{}", record.reason);
    let instance = world.instance(&id, "storage-0");
    assert_eq!(
        (&instance.berth, &instance.claim, instance.want),
        (&None, &None, Want::Reserved)
    );
    assert_eq!(instance.incarnation, 1, "it was lost once");
    assert!(
        world.state.assignments[&allocator_id(other)]
            .set_aside
            .contains(&storage)
    );
    // It is not forgotten either as if nothing of it were there.
    let leave = Body::ForgetHost(ForgetHost {
        allocator_id: allocator_id(other),
        lost: false,
    });
    let refused = world.apply(leave).accepted().unwrap_err();
    assert_eq!(refused.code, codes::HOST, "{refused}");
    // Its other host has not acted yet: a second place now could be a second one that takes writes.
    let refused = apply_again(&mut world, &id).unwrap_err();
    assert_eq!(refused.code, codes::HOST_LOSS);
    assert!(
        refused
            .message
            .contains(&format!("waits for host-{other} to set aside")),
        "{refused}"
    );
    world.settle();
    assert!(world.hosts.lies_aside(&allocator_id(other), &storage));
    assert_eq!(
        world.hosts.writers(&storage, world.now_ms),
        [],
        "nobody goes on with it"
    );
    let again = apply_again(&mut world, &id).unwrap();
    for _ in 0..60 {
        let writers = world.hosts.writers(&storage, world.now_ms);
        assert!(writers.len() < 2, "two take writes: {writers:?}");
        world.now_ms += 1_000;
        world.turn();
    }
    assert_eq!(world.plan(&again).status, PlanStatus::Done);
    assert!(
        world.hosts.lies_aside(&allocator_id(other), &storage),
        "what was set aside is kept"
    );
    assert!(world.lost_data.is_empty());
}

#[test]
fn a_target_that_is_lost_for_good_during_the_take_over_ends_the_move() {
    ends_without(2, ClaimStage::TakingOver, 1);
}

#[test]
fn a_source_that_is_lost_for_good_during_the_take_over_ends_the_move() {
    ends_without(1, ClaimStage::TakingOver, 2);
}

#[test]
fn a_new_place_that_is_lost_for_good_before_the_old_one_has_left_ends_the_move() {
    ends_without(2, ClaimStage::Retiring, 1);
}

#[test]
fn an_old_place_that_is_lost_for_good_need_not_leave() {
    let (mut world, id, plan) = on_its_way(ClaimStage::Retiring);
    lose(&mut world, 1).unwrap();
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
    let instance = world.instance(&id, "storage-0");
    assert_eq!(
        instance.berth.as_ref().unwrap().allocator_id,
        allocator_id(2)
    );
    assert_eq!(
        world.hosts.writers(&instance.id, world.now_ms),
        [allocator_id(2)]
    );
}

#[test]
fn a_move_that_can_be_taken_back_is_cancelled_first() {
    let (mut world, id, plan) = on_its_way(ClaimStage::Copying);
    let refused = lose(&mut world, 1).unwrap_err();
    assert_eq!(refused.code, codes::VACATE);
    assert!(
        refused.message.contains(plan.as_str()) && refused.hint.contains("wharf plan cancel"),
        "{refused}"
    );
    world.cancel(&plan).unwrap();
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Cancelled);
    world.ok(give_up(1));
    let instance = world.instance(&id, "storage-0");
    assert_eq!(instance.berth, None, "its data went with its host");
}

#[test]
fn both_hosts_of_a_take_over_can_be_given_up() {
    let (mut world, id, plan) = on_its_way(ClaimStage::TakingOver);
    lose(&mut world, 1).unwrap();
    lose(&mut world, 2).unwrap();
    assert_eq!(world.plan(&plan).status, PlanStatus::Failed);
    let again = apply_again(&mut world, &id).unwrap();
    world.settle();
    assert_eq!(world.plan(&again).status, PlanStatus::Done);
    let instance = world.instance(&id, "storage-0");
    assert_eq!(
        instance.berth.as_ref().unwrap().allocator_id,
        allocator_id(3)
    );
}
