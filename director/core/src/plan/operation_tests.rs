//! Deployments that are resized, restarted, terminated, restored, given another password, and what a
//! dry run says of it, on hosts that obey.

use crate::{
    command::DeploymentChange,
    fixture::{World, allocator_id, watched},
    health, messages,
    observe::Health,
    plan::preview,
    refusal::{Refusal, codes},
    size::{GIB, MIB, Size},
    state::{DeploymentUser, PlanStatus, State, StepKind, StepStatus, Want},
    template::TemplateCatalog,
};
use wharf_proto::{
    ids::{DeploymentId, PlanId},
    v1,
};

pub(super) fn memory(memory_bytes: u64) -> Size {
    Size {
        memory_bytes,
        ..Size::default()
    }
}

/// A deployment with a storage and a monitoring node that runs.
pub(super) fn running() -> (World, DeploymentId) {
    let mut world = World::with_host();
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    let (id, plan) = world.create("logs");
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
    (world, id)
}

pub(super) fn kinds(world: &World, plan: &PlanId) -> Vec<(StepKind, String)> {
    let steps = &world.plan(plan).steps;
    steps
        .iter()
        .map(|step| (step.kind, step.subject.clone()))
        .collect()
}

pub(super) fn is_whole(world: &World, id: &DeploymentId) -> bool {
    let deployment = &world.state.deployments[id];
    let mut instances = world.state.deployment_instances(deployment);
    instances
        .all(|instance| instance.routed && instance.want == Want::Run && instance.claim.is_none())
}

pub(super) fn code<T>(refused: Result<T, Refusal>) -> (String, String) {
    let refusal = refused.err().expect("it was not refused");
    (refusal.code, refusal.field)
}

pub(super) fn view(world: &World, id: &DeploymentId) -> v1::Deployment {
    let record = &world.state.deployments[id];
    messages::deployment(&world.state, &world.observed, record, world.now_ms)
}

pub(super) fn used(state: &State, host: u64) -> u64 {
    state.used(&allocator_id(host)).memory_bytes
}

#[test]
fn a_resize_replaces_the_container_in_place_and_keeps_what_is_not_named() {
    let (mut world, id) = running();
    let before = world.instance(&id, "storage-0").clone();
    let plan = world.resize(&id, "storage", memory(2 * GIB)).unwrap();
    world.settle();
    let done = world.plan(&plan);
    assert_eq!(done.status, PlanStatus::Done, "{done:?}");
    let steps: Vec<&str> = done.steps.iter().map(|step| step.kind.as_str()).collect();
    assert_eq!(steps, ["unroute", "stop", "start", "healthy", "route"]);
    assert!(done.steps.iter().all(|step| step.subject == "storage-0"));
    let after = world.instance(&id, "storage-0");
    assert_eq!(after.size.memory_bytes, 2 * GIB);
    assert_eq!(after.size.disk_bytes, before.size.disk_bytes);
    assert_eq!(after.berth, before.berth, "it stays with its data");
    assert_ne!(after.spec_hash, before.spec_hash);
    assert!(is_whole(&world, &id));
    assert_eq!(world.removed_data, 0);
    let resource = view(&world, &id).resources.remove(0);
    assert_eq!(resource.size.unwrap().memory_bytes, 2 * GIB);
    let changes = messages::plan(&world.state, world.plan(&plan)).changes;
    let expected = v1::PlanChange {
        field: "storage.memory_bytes".into(),
        before: GIB.to_string(),
        after: (2 * GIB).to_string(),
    };
    assert_eq!(changes, [expected]);
    assert_eq!(world.plan(&plan).actor, "admin");
}

#[test]
fn a_resize_that_cannot_be_is_refused_with_its_field_and_changes_nothing() {
    let (mut world, id) = running();
    let before = world.state.deployments[&id].clone();
    let cases: [(&str, Size, &str, &str); 5] = [
        ("storage", memory(GIB), codes::NOTHING_TO_DO, "sizes"),
        (
            "storage",
            memory(8 * GIB),
            codes::CAPACITY,
            "sizes.storage.memory_bytes",
        ),
        ("web", memory(GIB), codes::RESOURCE_KIND, "sizes.web"),
        (
            "storage",
            memory(GIB + 1),
            codes::SIZE_MULTIPLE,
            "sizes.storage.memory_bytes",
        ),
        (
            "storage",
            Size {
                disk_bytes: 10 * GIB,
                ..Size::default()
            },
            codes::DISK_SHRINK,
            "sizes.storage.disk_bytes",
        ),
    ];
    for (kind, size, expected, field) in cases {
        let refused = world.resize(&id, kind, size);
        assert_eq!(
            code(refused),
            (expected.to_owned(), field.to_owned()),
            "{size:?}"
        );
    }
    let room = world.resize(&id, "storage", memory(8 * GIB)).unwrap_err();
    assert!(
        room.message.contains("host-1") && room.message.contains("6912 MiB of memory free"),
        "it names the host and what is free there: {}",
        room.message
    );
    let deployment = &world.state.deployments[&id];
    assert_eq!(deployment.version, before.version);
    assert_eq!(deployment.pending_plan, None);
}

#[test]
fn while_a_plan_is_pending_another_wish_is_refused_and_names_it() {
    let (mut world, id) = running();
    let plan = world.resize(&id, "storage", memory(2 * GIB)).unwrap();
    for change in [
        DeploymentChange::Terminate,
        DeploymentChange::Restart { instances: vec![] },
    ] {
        let refusal = world.change(&id, change).unwrap_err();
        assert_eq!(refusal.code, codes::PLAN_PENDING);
        assert!(
            refusal.message.contains(plan.as_str()),
            "{}",
            refusal.message
        );
    }
    world.settle();
    assert!(is_whole(&world, &id));
}

#[test]
fn a_monitoring_node_without_room_moves_and_a_storage_node_never_does() {
    let (mut world, id) = running();
    world.host(2, "zone-2");
    // Nothing more fits on the first host.
    let fill = memory(6 * GIB);
    world.resize(&id, "storage", fill).unwrap();
    world.settle();
    let plan = world.resize(&id, "monitoring", memory(4 * GIB)).unwrap();
    assert_eq!(
        used(&world.state, 1) + used(&world.state, 2),
        6 * GIB + 256 * MIB,
        "nothing is taken before the plan is adopted"
    );
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
    let monitoring = world.instance(&id, "monitoring-0");
    assert_eq!(
        monitoring.berth.as_ref().unwrap().allocator_id,
        allocator_id(2)
    );
    assert_eq!(monitoring.size.memory_bytes, 4 * GIB);
    assert_eq!(used(&world.state, 1), 6 * GIB);
    assert_eq!(used(&world.state, 2), 4 * GIB);
    let left = &world.observed.allocators[&allocator_id(1)];
    assert!(
        !left.instances.contains_key(&monitoring.id),
        "nothing of it is left behind"
    );
    assert!(is_whole(&world, &id));
    assert_eq!(
        code(world.resize(&id, "storage", memory(8 * GIB + 256 * MIB))).0,
        codes::CAPACITY
    );
}

#[test]
fn a_restart_takes_the_selected_instances_one_after_the_other() {
    let (mut world, id) = running();
    let plan = world
        .change(&id, DeploymentChange::Restart { instances: vec![] })
        .unwrap();
    for _ in 0..200 {
        world.turn();
        let steps = &world.plan(&plan).steps;
        let begun = steps
            .iter()
            .skip(5)
            .any(|step| step.status != StepStatus::Waiting);
        let first = steps
            .iter()
            .take(5)
            .all(|step| step.status == StepStatus::Done);
        assert!(
            first || !begun,
            "the second is taken before the first is routed: {steps:?}"
        );
    }
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
    assert_eq!(kinds(&world, &plan)[0].1, "storage-0");
    assert_eq!(kinds(&world, &plan)[5].1, "monitoring-0");
    for one in ["monitoring", "monitoring-0"] {
        let plan = world
            .change(
                &id,
                DeploymentChange::Restart {
                    instances: vec![one.to_owned()],
                },
            )
            .unwrap();
        world.settle();
        assert!(
            kinds(&world, &plan)
                .iter()
                .all(|(_, subject)| subject == "monitoring-0")
        );
        let changes = messages::plan(&world.state, world.plan(&plan)).changes;
        assert_eq!(
            (changes[0].field.as_str(), changes[0].after.as_str()),
            ("restarted", "monitoring-0")
        );
    }
    let unknown = DeploymentChange::Restart {
        instances: vec!["storage-7".to_owned()],
    };
    assert_eq!(
        code(world.change(&id, unknown)),
        (codes::NO_INSTANCE.to_owned(), "instances".to_owned())
    );
}

#[test]
fn a_terminated_deployment_gives_memory_and_ports_back_keeps_its_data_and_is_restored_there() {
    let (mut world, id) = running();
    let before = world.instance(&id, "storage-0").clone();
    let plan = world.change(&id, DeploymentChange::Terminate).unwrap();
    world.settle();
    assert_eq!(
        world.plan(&plan).status,
        PlanStatus::Done,
        "{:?}",
        world.plan(&plan)
    );
    let host = allocator_id(1);
    let used = world.state.used(&host);
    assert_eq!((used.memory_bytes, used.cpu_millis), (0, 0));
    assert_eq!(
        used.disk_bytes,
        before.size.disk_bytes + world.instance(&id, "monitoring-0").size.disk_bytes
    );
    let seen = &world.observed.allocators[&host].instances;
    assert!(
        seen.values()
            .all(|one| one.container_id.is_empty() && one.data_present)
    );
    let shown = view(&world, &id);
    assert!(shown.terminated && shown.problems.is_empty());
    assert_eq!(shown.health(), v1::Health::from(Health::Unknown));
    world.now_ms += 3_600_000;
    let problems = health::problems(&world.state, &world.observed, world.now_ms);
    assert!(
        problems
            .iter()
            .all(|problem| problem.code != codes::DEPLOYMENT_UNHEALTHY),
        "{problems:?}"
    );
    let routes = crate::reconcile::route::content(&world.state, &world.observed).routes;
    assert!(routes.is_empty(), "it has no routes");

    let refused = world.resize(&id, "storage", memory(2 * GIB)).unwrap_err();
    assert_eq!(refused.code, codes::TERMINATED);
    assert!(
        refused.hint.contains("restore it first"),
        "{}",
        refused.hint
    );
    assert_eq!(
        code(world.change(&id, DeploymentChange::Terminate)).0,
        codes::TERMINATED
    );

    // Another may have its memory and port meanwhile.
    let (other, _) = world.create("other");
    world.settle();
    let taken = world.instance(&other, "storage-0").berth.clone().unwrap();
    assert_eq!(taken.port, before.berth.as_ref().unwrap().port);
    let plan = world.change(&id, DeploymentChange::Restore).unwrap();
    world.settle();
    assert_eq!(
        world.plan(&plan).status,
        PlanStatus::Done,
        "{:?}",
        world.plan(&plan)
    );
    let after = world.instance(&id, "storage-0");
    let berth = after.berth.as_ref().unwrap();
    assert_eq!(berth.allocator_id, before.berth.unwrap().allocator_id);
    assert_ne!(berth.port, taken.port);
    assert!(is_whole(&world, &id) && !world.state.deployments[&id].terminated);
    assert_eq!(world.removed_data, 0);
    assert_eq!(
        code(world.change(&id, DeploymentChange::Restore)).0,
        codes::NOTHING_TO_DO
    );
}

#[test]
fn a_restore_without_memory_is_refused_with_the_host_and_works_when_there_is_room() {
    let (mut world, id) = running();
    world.change(&id, DeploymentChange::Terminate).unwrap();
    world.settle();
    let (other, _) = world.create("other");
    world.settle();
    world
        .resize(&other, "storage", memory(7 * GIB + 512 * MIB))
        .unwrap();
    world.settle();
    let refused = world.change(&id, DeploymentChange::Restore).unwrap_err();
    assert_eq!(refused.code, codes::CAPACITY);
    assert!(refused.message.contains("host-1"), "{}", refused.message);
    world.delete(&other);
    world.settle();
    world.change(&id, DeploymentChange::Restore).unwrap();
    world.settle();
    assert!(is_whole(&world, &id));
}

#[test]
fn a_restored_monitoring_node_goes_elsewhere_when_its_host_is_full() {
    let (mut world, id) = running();
    world.change(&id, DeploymentChange::Terminate).unwrap();
    world.settle();
    // All but what the storage node needs is given to another.
    world.catalog = TemplateCatalog::new([crate::fixture::template(1, 1)]).unwrap();
    let (other, _) = world.create("other");
    world.settle();
    world.resize(&other, "storage", memory(7 * GIB)).unwrap();
    world.settle();
    world.host(2, "zone-2");
    let plan = world.change(&id, DeploymentChange::Restore).unwrap();
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
    let host = |name| {
        world
            .instance(&id, name)
            .berth
            .clone()
            .unwrap()
            .allocator_id
    };
    assert_eq!(host("storage-0"), allocator_id(1), "it stays with its data");
    assert_eq!(host("monitoring-0"), allocator_id(2));
    let left = &world.observed.allocators[&allocator_id(1)].instances;
    assert!(!left.contains_key(&world.instance(&id, "monitoring-0").id));
    assert!(is_whole(&world, &id));
}

#[test]
fn a_terminated_deployment_can_be_deleted() {
    let (mut world, id) = running();
    world.change(&id, DeploymentChange::Terminate).unwrap();
    world.settle();
    let plan = world.delete(&id);
    world.settle();
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
    assert_eq!(world.removed_data, 2);
    assert!(world.state.instances.is_empty());
}

#[test]
fn the_platforms_own_deployment_is_resized_and_restarted_and_neither_terminated_nor_deleted() {
    let mut world = World::with_host();
    let id = world.create_system();
    world.settle();
    world.resize(&id, "storage", memory(2 * GIB)).unwrap();
    world.settle();
    world
        .change(&id, DeploymentChange::Restart { instances: vec![] })
        .unwrap();
    world.settle();
    assert!(is_whole(&world, &id));
    assert_eq!(
        code(world.change(&id, DeploymentChange::Terminate)).0,
        codes::SYSTEM_OWNED
    );
}

#[test]
fn a_deployment_that_is_stopped_by_request_is_as_it_is_wanted() {
    let (mut world, id) = running();
    let is_well = |world: &World| {
        let graces = health::Graces::of(&world.state);
        let record = &world.state.deployments[&id];
        health::is_as_wanted(&world.state, &world.observed, record, &graces, world.now_ms)
    };
    assert!(is_well(&world));
    world.change(&id, DeploymentChange::Terminate).unwrap();
    world.settle();
    assert!(is_well(&world));
    world.crashing = true;
    world.change(&id, DeploymentChange::Restore).unwrap();
    world.settle();
    assert!(!is_well(&world));
}

#[test]
fn a_password_is_accepted_everywhere_before_it_is_used_and_the_old_one_ends_last() {
    let mut world = World::with_host();
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    let id = world.create_system();
    world.settle();
    let user = |hash: &str| DeploymentUser {
        username: "elastic".to_owned(),
        password_hash: hash.to_owned(),
        roles: vec!["superuser".to_owned()],
    };
    world.state.deployments.get_mut(&id).unwrap().users = vec![user("old")];
    world.obey();
    let change = DeploymentChange::ResetPassword {
        user: user("new"),
        sealed_credentials: "sealed anew".to_owned(),
    };
    let plan = world.change(&id, change).unwrap();
    let name = crate::apply::deployment::credentials_secret(&id);
    let mut stages = Vec::new();
    for _ in 0..60 {
        for body in world.proposals() {
            world.apply(body);
            let accepted: Vec<String> = world.state.deployments[&id]
                .users
                .iter()
                .map(|user| user.password_hash.clone())
                .collect();
            let stage = (
                accepted.join("+"),
                world.state.secrets[&name].sealed.clone(),
            );
            if stages.last() != Some(&stage) {
                // Whoever runs has seen the stage before, or it would not have been left.
                stages.push(stage);
            }
        }
        world.obey();
        world.obey_collectors();
    }
    assert_eq!(
        world.plan(&plan).status,
        PlanStatus::Done,
        "{:?}",
        world.plan(&plan)
    );
    let stages: Vec<(&str, &str)> = stages
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(
        stages,
        [
            ("old", "sealed"),
            ("old+new", "sealed"),
            ("old+new", "sealed anew"),
            ("new", "sealed anew")
        ]
    );
    assert_eq!(world.state.secrets[&name].version, 2);
    assert!(!world.state.secrets.contains_key(&format!("{name}/next")));
}

#[test]
fn a_dry_run_gives_the_same_refusals_steps_and_places_and_changes_nothing() {
    let (mut world, id) = running();
    world.host(2, "zone-2");
    let look = |world: &World, change: DeploymentChange| {
        let body = crate::command::ChangeDeployment {
            deployment_id: id.clone(),
            plan_id: PlanId::from_bytes([9; 16]),
            expected_version: 0,
            change,
        };
        let body = crate::command::Body::ChangeDeployment(Box::new(body));
        let command = crate::command::Command::new(world.now_ms, "ann", None, body);
        preview::preview(&world.state, &world.observed, &command, world.now_ms)
    };
    let before = world.state.hash();
    let sizes = |bytes| {
        let size = Size {
            memory_bytes: bytes,
            ..world.instance(&id, "storage-0").size
        };
        DeploymentChange::Resize {
            sizes: [("storage".to_owned(), size)].into(),
        }
    };
    let seen = look(&world, sizes(2 * GIB)).unwrap().plan;
    let plan = seen.plan.unwrap();
    assert_eq!((plan.id.as_str(), plan.actor.as_str()), ("", "ann"));
    assert_eq!(plan.steps.len(), 5);
    assert!(
        plan.steps
            .iter()
            .all(|step| step.status() == v1::StepStatus::Waiting)
    );
    assert_eq!(plan.changes[0].field, "storage.memory_bytes");
    let storage = &seen.placements[0];
    assert!(storage.stays && storage.allocator_id == allocator_id(1).to_string());
    assert_eq!(code(look(&world, sizes(GIB))).0, codes::NOTHING_TO_DO);
    assert_eq!(code(look(&world, sizes(32 * GIB))).0, codes::CAPACITY);
    assert_eq!(world.state.hash(), before);

    let request = crate::deployment::expand::DeploymentRequest {
        name: "new".to_owned(),
        ..Default::default()
    };
    let body = world.expand(&request).unwrap();
    let body = crate::command::Body::CreateDeployment(Box::new(body));
    let command = crate::command::Command::new(world.now_ms, "ann", None, body);
    let seen = preview::preview(&world.state, &world.observed, &command, world.now_ms).unwrap();
    assert_eq!(seen.deployment.id, "");
    let placed = &seen.plan.placements[0];
    assert!(!placed.allocator_id.is_empty() && !placed.stays);
    assert_eq!(placed.refusals.len(), 1, "the other host, and why not");
    let mut hosts = [placed.host.as_str(), placed.refusals[0].host.as_str()];
    hosts.sort_unstable();
    assert_eq!(
        hosts,
        ["host-1", "host-2"],
        "each is named as people know it"
    );
    for allocator in world.observed.allocators.values_mut() {
        allocator.connected = false;
    }
    let seen = preview::preview(&world.state, &world.observed, &command, world.now_ms).unwrap();
    let plan = seen.plan.plan.unwrap();
    assert!(plan.reason.contains("not connected"), "{}", plan.reason);
    assert_eq!(
        plan.steps.len(),
        8,
        "it says what it would do once there is room"
    );
    assert_eq!(seen.plan.placements[0].allocator_id, "");
    assert_eq!(seen.plan.placements[0].refusals.len(), 2);
}

#[test]
fn operations_wait_for_every_director_to_know_them() {
    let (mut world, id) = running();
    world.state.feature_level = 1;
    assert_eq!(
        code(world.change(&id, DeploymentChange::Terminate)).0,
        codes::FEATURE_LEVEL
    );
}
