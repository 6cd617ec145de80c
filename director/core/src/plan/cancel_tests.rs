//! Plans that are cancelled, applied again and compared, on hosts that obey.

use super::operation_tests::{code, is_whole, memory, running, used, view};
use crate::{
    command::DeploymentChange,
    fixture::{World, allocator_id},
    health, messages,
    observe::Health,
    plan::diff,
    refusal::codes,
    size::{GIB, MIB},
    state::{DeploymentUser, PlanStatus, StepKind, StepStatus, Want},
};
use wharf_proto::v1;

#[test]
fn a_cancelled_creation_that_waits_for_room_or_health_leaves_the_deployment_without_instances() {
    for crash in [false, true] {
        let mut world = World::with_host();
        world.crashing = crash;
        let seen = world.observed.allocators.get_mut(&allocator_id(1)).unwrap();
        seen.connected = crash;
        let (id, plan) = world.create("logs");
        world.settle();
        assert!(!world.plan(&plan).status.ended(), "it waits for ever");
        world.cancel(&plan).unwrap();
        world.settle();
        let ended = world.plan(&plan);
        assert_eq!(ended.status, PlanStatus::Cancelled, "{ended:?}");
        let instance = world.instance(&id, "storage-0");
        assert_eq!((instance.want, &instance.berth), (Want::Reserved, &None));
        assert_eq!(used(&world.state, 1), 0);
        let deployment = &world.state.deployments[&id];
        assert_eq!(deployment.pending_plan, None);
        world.now_ms += 3_600_000;
        let problems = health::problems(&world.state, &world.observed, world.now_ms);
        let told = problems
            .iter()
            .any(|problem| problem.code == codes::DEPLOYMENT_UNHEALTHY);
        assert!(
            !told,
            "nothing runs because nobody wants it to: {problems:?}"
        );
        assert_eq!(
            code(world.resize(&id, "storage", memory(2 * GIB))).0,
            codes::NO_INSTANCE
        );
        // The same wish again, when it can be carried out.
        world.crashing = false;
        let seen = world.observed.allocators.get_mut(&allocator_id(1)).unwrap();
        seen.connected = true;
        let again = world
            .change(
                &id,
                DeploymentChange::Reapply {
                    of_plan: plan.clone(),
                },
            )
            .unwrap();
        world.settle();
        assert_eq!(world.plan(&again).status, PlanStatus::Done);
        assert!(is_whole(&world, &id));
        assert_eq!(code(world.cancel(&again)).0, codes::PLAN_CANCEL);
    }
}

#[test]
fn a_cancelled_resize_whose_container_fails_goes_back_to_its_former_size() {
    let (mut world, id) = running();
    world.crashing = true;
    let plan = world.resize(&id, "storage", memory(4 * GIB)).unwrap();
    for _ in 0..30 {
        world.turn();
    }
    assert_eq!(world.instance(&id, "storage-0").size.memory_bytes, 4 * GIB);
    assert_eq!(
        used(&world.state, 1),
        4 * GIB + 256 * MIB,
        "both sizes are held, not their sum"
    );
    world.cancel(&plan).unwrap();
    let shown = messages::plan(&world.state, world.plan(&plan));
    assert!(shown.cancelling, "{shown:?}");
    world.crashing = false;
    world.settle();
    let ended = world.plan(&plan);
    assert_eq!(ended.status, PlanStatus::Cancelled, "{ended:?}");
    assert_eq!(world.instance(&id, "storage-0").size.memory_bytes, GIB);
    assert!(is_whole(&world, &id));
    assert_eq!(used(&world.state, 1), GIB + 256 * MIB);
    assert_eq!(world.state.deployments[&id].last_error, None);
}

#[test]
fn what_a_silent_host_has_is_taken_back_without_waiting_for_it_and_when_it_returns() {
    let (mut world, id) = running();
    world.change(&id, DeploymentChange::Terminate).unwrap();
    world.settle();
    let plan = world.change(&id, DeploymentChange::Restore).unwrap();
    world.turn();
    world.turn();
    let host = allocator_id(1);
    let silent_since = world.now_ms;
    let seen = world.observed.allocators.get_mut(&host).unwrap();
    (seen.connected, seen.since_ms) = (false, silent_since);
    world.settle();
    world.cancel(&plan).unwrap();
    world.settle();
    assert_eq!(
        world.plan(&plan).status,
        PlanStatus::Running,
        "a host that has just gone may come back"
    );
    world.now_ms += 60_000;
    world.settle();
    let ended = world.plan(&plan);
    assert_eq!(ended.status, PlanStatus::Cancelled, "{ended:?}");
    let seen = world.observed.allocators.get_mut(&host).unwrap();
    seen.connected = true;
    world.settle();
    let seen = &world.observed.allocators[&host].instances;
    assert!(
        seen.values()
            .all(|one| one.container_id.is_empty() && one.data_present)
    );
    assert_eq!(used(&world.state, 1), 0);
}

#[test]
fn a_cancelled_restart_leaves_the_container_to_run_and_ends_at_once() {
    let (mut world, id) = running();
    world.crashing = true;
    let plan = world
        .change(&id, DeploymentChange::Restart { instances: vec![] })
        .unwrap();
    for _ in 0..30 {
        world.turn();
    }
    assert_eq!(world.plan(&plan).status, PlanStatus::Running);
    world.cancel(&plan).unwrap();
    assert_eq!(world.plan(&plan).status, PlanStatus::Cancelled);
    let instance = world.instance(&id, "storage-0");
    assert!(instance.want == Want::Run && instance.routed);
    world.crashing = false;
    world.settle();
    assert_eq!(
        view(&world, &id).health(),
        v1::Health::from(Health::Healthy)
    );
}

#[test]
fn a_deletion_is_cancelled_before_it_removes_and_not_after() {
    let (mut world, id) = running();
    let seen = world.observed.allocators.get_mut(&allocator_id(1)).unwrap();
    seen.connected = false;
    let plan = world.delete(&id);
    world.settle();
    world.cancel(&plan).unwrap();
    assert_eq!(world.plan(&plan).status, PlanStatus::Cancelled);
    assert!(!world.state.deployments[&id].deleting);
    let seen = world.observed.allocators.get_mut(&allocator_id(1)).unwrap();
    seen.connected = true;
    world.obey();
    world.change(&id, DeploymentChange::Restore).unwrap();
    world.settle();
    assert!(is_whole(&world, &id));
    assert_eq!(world.removed_data, 0);

    let plan = world.delete(&id);
    let removes = |world: &World| {
        world
            .plan(&plan)
            .steps
            .iter()
            .any(|step| step.kind == StepKind::Remove && step.status != StepStatus::Waiting)
    };
    while !removes(&world) {
        world.turn();
    }
    assert_eq!(code(world.cancel(&plan)).0, codes::PLAN_CANCEL);
    world.settle();
    assert!(world.state.deployments.is_empty());
}

#[test]
fn an_earlier_plan_is_applied_again_as_a_rollback_of_sizes() {
    let (mut world, id) = running();
    let first = world.state.deployments[&id].current_plan.clone().unwrap();
    let second = world.resize(&id, "storage", memory(2 * GIB)).unwrap();
    world.settle();
    let back = world
        .change(
            &id,
            DeploymentChange::Reapply {
                of_plan: first.clone(),
            },
        )
        .unwrap();
    world.settle();
    assert_eq!(world.plan(&back).status, PlanStatus::Done);
    assert_eq!(world.instance(&id, "storage-0").size.memory_bytes, GIB);
    let nothing = world.change(
        &id,
        DeploymentChange::Reapply {
            of_plan: first.clone(),
        },
    );
    assert_eq!(code(nothing).0, codes::NOTHING_TO_DO);
    let fields = |from: &str, to: &str| -> Vec<String> {
        let changes = diff::of_ids(&world.state, from, to).unwrap();
        changes.into_iter().map(|change| change.field).collect()
    };
    assert_eq!(fields("", second.as_str()), ["storage.memory_bytes"]);
    assert_eq!(fields(first.as_str(), back.as_str()), Vec::<String>::new());
    assert!(diff::of_ids(&world.state, "", "unknown").is_err());
    let plan = world.change(&id, DeploymentChange::Terminate).unwrap();
    world.settle();
    let changes = messages::plan(&world.state, world.plan(&plan)).changes;
    assert_eq!(
        (changes[0].field.as_str(), changes[0].after.as_str()),
        ("terminated", "true")
    );
    // What ran before is wanted again: it is restored, at the size of then.
    let again = world
        .change(&id, DeploymentChange::Reapply { of_plan: second })
        .unwrap();
    world.settle();
    assert_eq!(world.plan(&again).status, PlanStatus::Done);
    assert!(is_whole(&world, &id));
    assert_eq!(world.instance(&id, "storage-0").size.memory_bytes, 2 * GIB);
}

#[test]
fn a_cancelled_password_is_accepted_no_longer_when_it_was_not_handed_out() {
    let (mut world, id) = running();
    let seen = world.observed.allocators.get_mut(&allocator_id(1)).unwrap();
    seen.connected = false;
    let user = DeploymentUser {
        username: "elastic".to_owned(),
        password_hash: "new".to_owned(),
        roles: Vec::new(),
    };
    let change = DeploymentChange::ResetPassword {
        user,
        sealed_credentials: "sealed anew".to_owned(),
    };
    let plan = world.change(&id, change).unwrap();
    world.settle();
    let waits = &world.plan(&plan).steps[0].waits_for;
    assert!(waits.contains("host-1"), "{waits}");
    assert_eq!(world.state.deployments[&id].users.len(), 1);
    world.cancel(&plan).unwrap();
    assert_eq!(world.plan(&plan).status, PlanStatus::Cancelled);
    assert!(world.state.deployments[&id].users.is_empty());
    let name = crate::apply::deployment::credentials_secret(&id);
    assert_eq!(world.state.secrets[&name].sealed, "sealed");
    assert!(!world.state.secrets.contains_key(&format!("{name}/next")));
}

#[test]
fn what_was_healthy_once_is_never_removed_by_a_cancel() {
    let (mut world, id) = running();
    world.crashing = true;
    let failed = world
        .change(&id, DeploymentChange::Restart { instances: vec![] })
        .unwrap();
    world.settle();
    world.now_ms += 301_000;
    world.settle();
    assert_eq!(world.plan(&failed).status, PlanStatus::Failed);
    assert!(!world.instance(&id, "storage-0").routed);
    // The plan that made it, again: it is to start what is there.
    let first = world.state.plan_history[&id][0].clone();
    let again = world
        .change(&id, DeploymentChange::Reapply { of_plan: first })
        .unwrap();
    world.settle();
    assert!(world.plan(&again).begun(
        &world.instance(&id, "storage-0").id.clone(),
        StepKind::Start
    ));
    world.cancel(&again).unwrap();
    world.settle();
    assert_eq!(world.plan(&again).status, PlanStatus::Cancelled);
    let storage = world.instance(&id, "storage-0");
    assert!(storage.berth.is_some() && storage.want == Want::Run);
    assert_eq!(world.removed_data, 0);
    world.crashing = false;
    world.settle();
    assert!(is_whole(&world, &id));
}
