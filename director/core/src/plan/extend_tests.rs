//! A deployment of two resources, and `system` of an older template that is extended to the current
//! one: order, what is left alone, failures, changes of leader.

use crate::{
    command::{Body, UpdateAllocator},
    fixture::{World, allocator_id, watched},
    plan::upgrade,
    refusal::codes,
    state::{PlanKind, PlanRecord, PlanStatus, StepStatus, Want},
    template::TemplateCatalog,
};

fn last_plan(world: &World) -> &PlanRecord {
    let system = world.state.system_deployment().unwrap();
    let last = world.state.plan_history[&system.id].back().unwrap();
    world.plan(last)
}

/// `system` as an older version made it, and a template that has grown since.
fn before() -> World {
    let mut world = World::with_host();
    world.create_system();
    world.settle();
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    world
}

fn whole(world: &World) -> bool {
    let system = world.state.system_deployment().unwrap();
    let mut instances = world.state.deployment_instances(system);
    system.resources.len() == 2
        && instances.all(|instance| instance.routed && instance.want == Want::Run)
}

#[test]
fn monitoring_starts_when_storage_is_whole() {
    let mut world = World::with_host();
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    let (_, plan) = world.create("logs");
    let mut begun = false;
    for _ in 0..40 {
        world.turn();
        let steps = &world.plan(&plan).steps;
        let storage = steps.iter().filter(|step| step.subject == "storage-0");
        let whole = storage.clone().count() > 0
            && storage.clone().all(|step| step.status == StepStatus::Done);
        let monitoring = steps.iter().filter(|step| step.subject == "monitoring-0");
        let started = monitoring
            .skip(1)
            .any(|step| step.status != StepStatus::Waiting);
        begun |= started;
        assert!(whole || !started, "monitoring began early: {steps:?}");
    }
    assert!(begun);
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
}

#[test]
fn monitoring_lies_in_the_zone_of_its_storage_and_elsewhere_where_that_has_no_other_host() {
    for (third, zone) in [("zone-1", "zone-1"), ("zone-3", "zone-2")] {
        let mut world = World::with_host();
        world.host(2, "zone-2");
        world.host(3, third);
        world.catalog = TemplateCatalog::new([watched()]).unwrap();
        let (id, _) = world.create("logs");
        world.settle();
        let deployment = &world.state.deployments[&id];
        let zones: Vec<&str> = world
            .state
            .deployment_instances(deployment)
            .map(|instance| instance.berth.as_ref().unwrap().zone.as_str())
            .collect();
        assert_eq!(zones, ["zone-1", zone]);
    }
    let mut world = before();
    world.host(2, "zone-2");
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        maintenance: Some(true),
        ..UpdateAllocator::of(allocator_id(1), 0)
    }));
    let body = world.extension().unwrap();
    world.ok(body);
    world.settle();
    assert!(whole(&world), "{:?}", last_plan(&world));
    let berths = world.state.instances.values();
    let mut zones: Vec<&str> = berths
        .map(|instance| instance.berth.as_ref().unwrap().zone.as_str())
        .collect();
    zones.sort_unstable();
    assert_eq!(zones, ["zone-1", "zone-2"]);
}

#[test]
fn system_of_an_older_template_gets_what_it_lacks_and_storage_is_left_alone() {
    let mut world = before();
    let storage = world.state.instances.values().next().unwrap().clone();
    let body = world.extension().expect("the template has grown");
    world.ok(body);
    world.settle();
    let plan = last_plan(&world);
    assert_eq!(
        (plan.kind, plan.status),
        (PlanKind::Extend, PlanStatus::Done),
        "{plan:?}"
    );
    assert!(
        plan.steps.iter().all(|step| step.subject == "monitoring-0"),
        "{plan:?}"
    );
    assert!(whole(&world));
    assert_eq!(world.state.instances[&storage.id], storage);
    assert_eq!(world.extension(), None);
}

#[test]
fn a_deployment_of_a_user_is_not_extended_unasked() {
    let mut world = World::with_host();
    world.create("logs");
    world.settle();
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    assert_eq!(world.extension(), None);
}

#[test]
fn an_extension_survives_a_change_of_leader_after_every_single_command() {
    let mut most = 0;
    for change_at in 0..40 {
        let mut world = before();
        let mut applied = 0;
        for _ in 0..80 {
            let mut bodies: Vec<Body> = world.extension().into_iter().collect();
            bodies.extend(world.proposals());
            for body in bodies {
                world.apply(body);
                applied += 1;
                if applied == change_at {
                    world.change_leader();
                    break;
                }
            }
            world.obey();
        }
        assert!(whole(&world), "leader changed at {change_at}");
        assert_eq!(
            world.state.instances.len(),
            2,
            "leader changed at {change_at}"
        );
        most = most.max(applied);
    }
    assert!(
        most < 40,
        "the leader was changed after every command: {most}"
    );
}

#[test]
fn an_extension_without_room_fails_with_why_and_is_tried_again_later() {
    let mut world = before();
    let connect = |world: &mut World, connected| {
        let seen = world.observed.allocators.get_mut(&allocator_id(1));
        seen.unwrap().connected = connected;
    };
    connect(&mut world, false);
    let body = world.extension().unwrap();
    world.ok(body);
    world.settle();
    let waiting = last_plan(&world);
    assert_eq!(waiting.error_code, codes::CAPACITY);
    assert!(
        waiting.reason.contains("not connected"),
        "{}",
        waiting.reason
    );
    world.now_ms += 301_000;
    world.settle();
    assert_eq!(last_plan(&world).error_code, codes::PLAN_NO_ROOM);
    connect(&mut world, true);
    assert_eq!(world.extension(), None, "not at once again");
    world.now_ms += upgrade::RETRY_MS + 1;
    let body = world.extension().expect("tried again");
    world.ok(body);
    world.settle();
    assert_eq!(last_plan(&world).status, PlanStatus::Done);
    assert!(whole(&world));
}

#[test]
fn an_extension_whose_container_exits_fails_in_time_and_is_completed_later() {
    let mut world = before();
    world.crashing = true;
    let body = world.extension().unwrap();
    world.ok(body);
    world.settle();
    world.now_ms += 301_000;
    world.settle();
    assert_eq!(last_plan(&world).error_code, codes::PLAN_START);
    world.crashing = false;
    world.now_ms += upgrade::RETRY_MS + 1;
    let body = world.extension().expect("completed by another plan");
    world.ok(body);
    world.settle();
    assert_eq!(
        last_plan(&world).status,
        PlanStatus::Done,
        "{:?}",
        last_plan(&world)
    );
    assert!(whole(&world));
}

#[test]
fn an_extension_that_looked_at_an_older_version_is_refused() {
    let mut world = before();
    let body = world.extension().unwrap();
    let Body::ExtendDeployment(mut stale) = body.clone() else {
        panic!("{body:?}");
    };
    stale.expected_version += 1;
    let refused = world.apply(Body::ExtendDeployment(stale)).accepted();
    assert_eq!(refused.unwrap_err().code, codes::VERSION);
    world.ok(body.clone());
    let twice = world.apply(body).accepted();
    assert_eq!(twice.unwrap_err().code, codes::PLAN_PENDING);
}
