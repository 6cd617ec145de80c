//! Health: what is a problem, when, and with which hint.

use super::*;
use crate::{
    command::{Body, DeploymentChange, SetInstanceRouting, UpdateAllocator},
    fixture::{World, allocator_id},
    observe::{CollectorObservation, HostProblem},
};

fn codes_of(world: &World) -> Vec<String> {
    problems(&world.state, &world.observed, world.now_ms)
        .into_iter()
        .map(|problem| problem.code)
        .collect()
}

fn seen(world: &mut World) -> &mut crate::observe::AllocatorObservation {
    world.observed.allocators.get_mut(&allocator_id(1)).unwrap()
}

/// A platform whose collectors ship.
fn healthy() -> World {
    let mut world = World::with_host();
    world.create("logs");
    world.settle();
    let now_ms = world.now_ms;
    seen(&mut world).collectors = Some(CollectorObservation {
        shipped_grew_ms: now_ms,
        ..Default::default()
    });
    world
}

#[test]
fn a_platform_that_is_well_has_no_problems() {
    let mut world = healthy();
    assert!(codes_of(&world).is_empty());
    world.now_ms += 3_600_000;
    assert!(codes_of(&world).is_empty());
    let deployment = world.state.deployments.values().next().unwrap();
    let view = super::deployment(
        &world.state,
        &world.observed,
        deployment,
        &Graces::of(&world.state),
        world.now_ms,
    );
    assert_eq!(
        view,
        DeploymentView {
            health: Health::Healthy,
            problems: Vec::new()
        }
    );
}

#[test]
fn a_silent_allocator_is_a_problem_after_its_grace_and_takes_its_instances_along() {
    let mut world = healthy();
    let now_ms = world.now_ms;
    let allocator = seen(&mut world);
    allocator.connected = false;
    allocator.since_ms = now_ms;
    world.now_ms += 29_000;
    assert!(codes_of(&world).is_empty());
    world.now_ms += 2_000;
    assert_eq!(
        codes_of(&world),
        [codes::ALLOCATOR_SILENT, codes::DEPLOYMENT_UNHEALTHY]
    );
    let instance = world.state.instances.values().next().unwrap();
    let graces = Graces::of(&world.state);
    let view = super::instance(
        &world.state,
        &world.observed,
        instance,
        &graces,
        world.now_ms,
    );
    assert_eq!(view.state, v1::InstanceState::Lost);
    let since = times::rfc3339(now_ms);
    assert_eq!(
        view.reason,
        format!("waits for host-1 since {since}; its data is there and nowhere else")
    );
}

#[test]
fn what_is_paused_or_gets_no_requests_by_request_is_named_and_is_no_problem() {
    let mut world = healthy();
    let id = world.state.deployments.keys().next().unwrap().clone();
    let instance_id = world.instance(&id, "storage-0").id.clone();
    let said = |world: &World| {
        let record = &world.state.deployments[&id];
        let graces = Graces::of(&world.state);
        let view = deployment(&world.state, &world.observed, record, &graces, world.now_ms);
        (view.health, view.problems.join("; "))
    };
    let routing = |stopped| {
        Body::SetInstanceRouting(SetInstanceRouting {
            instance_id: instance_id.clone(),
            stopped,
        })
    };
    world.ok(routing(true));
    world.settle();
    let (health, problems) = said(&world);
    assert_eq!(health, Health::Degraded);
    assert!(problems.contains("by request"), "{problems}");
    assert!(codes_of(&world).is_empty(), "{:?}", codes_of(&world));
    let table = crate::reconcile::route::content(&world.state, &world.observed);
    assert!(
        table.routes.values().all(|route| route.targets.is_empty()),
        "proxies send it nothing"
    );
    world.ok(routing(false));
    let pause = DeploymentChange::Pause { instance_id };
    world.change(&id, pause).unwrap();
    world.settle();
    let (_, problems) = said(&world);
    assert!(problems.contains("paused by request"), "{problems}");
    world.now_ms += 3_600_000;
    assert!(codes_of(&world).is_empty(), "{:?}", codes_of(&world));
}

#[test]
fn after_a_change_of_leader_silence_counts_anew() {
    let mut world = healthy();
    world.now_ms += 1_000_000;
    world.change_leader();
    world.observed.allocators.clear();
    world.observed.proxies.clear();
    world.now_ms += 10_000;
    assert!(codes_of(&world).is_empty(), "{:?}", codes_of(&world));
    world.now_ms += 21_000;
    let found = codes_of(&world);
    assert!(
        found.contains(&codes::ALLOCATOR_SILENT.to_owned()),
        "{found:?}"
    );
    assert!(found.contains(&codes::PROXY_SILENT.to_owned()), "{found:?}");
}

#[test]
fn an_instance_that_exits_makes_its_deployment_unhealthy_with_the_reason() {
    let mut world = healthy();
    world.crashing = true;
    world.obey();
    let found = problems(&world.state, &world.observed, world.now_ms);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].code, codes::DEPLOYMENT_UNHEALTHY);
    assert!(
        found[0].message.contains("cannot open the journal"),
        "{}",
        found[0].message
    );
    assert!(!found[0].hint.is_empty());
}

#[test]
fn a_failed_plan_is_a_problem_until_its_deployment_is_deleted() {
    let mut world = healthy();
    world.crashing = true;
    let (id, _) = world.create("bad");
    world.settle();
    world.now_ms += 301_000;
    world.settle();
    assert!(codes_of(&world).contains(&codes::PLAN_FAILED.to_owned()));
    world.delete(&id);
    world.settle();
    assert!(!codes_of(&world).contains(&codes::PLAN_FAILED.to_owned()));
}

#[test]
fn a_plan_that_waits_for_long_says_for_what() {
    let mut world = healthy();
    world.create("bad");
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        maintenance: Some(true),
        ..UpdateAllocator::of(allocator_id(1), 0)
    }));
    world.settle();
    assert!(codes_of(&world).is_empty());
    world.now_ms += 61_000;
    let found = problems(&world.state, &world.observed, world.now_ms);
    let waits = found
        .iter()
        .find(|problem| problem.code == codes::PLAN_WAITS)
        .unwrap();
    assert!(waits.message.contains("maintenance"), "{}", waits.message);
}

#[test]
fn problems_of_the_host_are_passed_on_with_their_own_code() {
    let mut world = healthy();
    seen(&mut world).problems.push(HostProblem {
        code: "ALL0021".to_owned(),
        message: "the disk is nearly full".to_owned(),
        hint: "free space".to_owned(),
    });
    assert_eq!(codes_of(&world), ["ALL0021"]);
}

#[test]
fn collectors_that_ship_nothing_although_something_waits_are_a_problem() {
    let mut world = healthy();
    let now_ms = world.now_ms;
    seen(&mut world).collectors = Some(CollectorObservation {
        spooled: 10,
        spool_bytes: 100,
        shipped_grew_ms: now_ms,
        last_error: "connection refused".to_owned(),
        ..Default::default()
    });
    world.now_ms += 100_000;
    assert!(codes_of(&world).is_empty());
    world.now_ms += 100_000;
    let found = problems(&world.state, &world.observed, world.now_ms);
    assert_eq!(found[0].code, codes::COLLECTOR_SILENT);
    assert!(found[0].message.contains("connection refused"));
}

#[test]
fn a_platform_without_roles_says_which_is_missing() {
    let mut world = World::new();
    world.now_ms += 31_000;
    assert_eq!(codes_of(&world), [codes::NO_ALLOCATOR, codes::NO_PROXY]);
}

#[test]
fn only_transitions_are_recorded() {
    let mut world = healthy();
    world.crashing = true;
    world.obey();
    let found = problems(&world.state, &world.observed, world.now_ms);
    let commands = transitions(&world.state, &found);
    assert_eq!(commands.len(), 1);
    for body in commands {
        world.ok(body);
    }
    let since_ms = world.state.health.values().next().unwrap().since_ms;
    world.now_ms += 60_000;
    let found = problems(&world.state, &world.observed, world.now_ms);
    assert_eq!(found[0].since_ms, since_ms);
    assert!(transitions(&world.state, &found).is_empty());
    world.crashing = false;
    world.obey();
    let found = problems(&world.state, &world.observed, world.now_ms);
    let commands = transitions(&world.state, &found);
    assert_eq!(commands.len(), 1);
    for body in commands {
        world.ok(body);
    }
    assert!(world.state.health.is_empty());
}
