//! Assignments, routes and the destination as the state has them.

use super::{assignment, destination::Destinations, route};
use crate::{
    command::Body,
    fixture::{World, allocator_id},
    observe::Health,
    state::State,
};

#[test]
fn a_delta_turns_the_old_table_into_the_new_one() {
    let mut world = World::with_host();
    let (gone, _) = world.create("logs");
    world.settle();
    let old = route::content(&world.state, &world.observed);
    world.delete(&gone);
    world.settle();
    world.create("more");
    world.settle();
    let new = route::content(&world.state, &world.observed);
    let delta = new.delta(&old, 1, 2, |_| String::new()).unwrap();
    let mut table = old.to_message(1, |_| String::new());
    table
        .routes
        .retain(|route| !delta.removed_resource_ids.contains(&route.resource_id));
    table.routes.extend(delta.changed);
    table.generation = delta.to_generation;
    assert_eq!(table, new.to_message(2, |_| String::new()));
}

#[test]
fn an_unhealthy_instance_stays_in_the_table_and_is_marked() {
    let mut world = World::with_host();
    world.create("logs");
    world.settle();
    let healthy = |world: &World| {
        let content = route::content(&world.state, &world.observed);
        content.routes.values().next().unwrap().targets[0].healthy
    };
    assert!(healthy(&world));
    let generation = world.state.routes.generation;
    let seen = world.observed.allocators.get_mut(&allocator_id(1)).unwrap();
    seen.instances.values_mut().next().unwrap().health = Health::Unhealthy;
    assert!(!healthy(&world));
    let body = route::content(&world.state, &world.observed)
        .publish(&world.state)
        .unwrap();
    world.ok(body);
    assert_eq!(world.state.routes.generation, generation + 1);
    assert_eq!(
        route::content(&world.state, &world.observed).publish(&world.state),
        None
    );
    // Nor is one taken away that runs under an allocator which has just started and not probed it.
    let seen = world.observed.allocators.get_mut(&allocator_id(1)).unwrap();
    seen.instances.values_mut().next().unwrap().health = Health::Unknown;
    assert!(healthy(&world));
    // A new leader that has heard nothing yet does not take the instance away.
    world.change_leader();
    assert!(healthy(&world));
}

#[test]
fn an_assignment_carries_what_the_allocator_needs_and_its_generation_stays_at_rest() {
    let mut world = World::with_host();
    let (id, _) = world.create("logs");
    world.settle();
    let generation = world.state.assignments[&allocator_id(1)].generation;
    let content = assignment::content(&world.state, &allocator_id(1));
    let message = content.to_message(&allocator_id(1), generation, |_| None);
    assert_eq!(message.generation, generation);
    let instance = &message.instances[0];
    assert_eq!(
        (instance.deployment_id.as_str(), instance.run),
        (id.as_str(), true)
    );
    assert_eq!(
        (instance.alias.as_str(), instance.resource_kind.as_str()),
        ("logs", "storage")
    );
    assert_eq!(instance.spec_hash.len(), 32);
    let hello = crate::fixture::register(
        1,
        "zone-1",
        world.state.allocators[&allocator_id(1)].capacity,
    );
    world.ok(Body::RegisterAllocator(hello));
    assert_eq!(
        world.state.assignments[&allocator_id(1)].generation,
        generation
    );
}

#[test]
fn collectors_ship_to_the_system_deployment_through_their_hosts_proxy() {
    let mut world = World::with_host();
    let found = |state: &State| Destinations::of(state).destination(state, &allocator_id(1));
    assert_eq!(found(&world.state), None);
    let body = world
        .expand(&crate::deployment::expand::DeploymentRequest {
            name: "system".to_owned(),
            system_owned: true,
            ..Default::default()
        })
        .unwrap();
    world.ok(Body::CreateDeployment(Box::new(body)));
    let found = found(&world.state).unwrap();
    assert_eq!(
        (found.url.as_str(), found.cluster.as_str()),
        ("https://10.0.0.1:9243", "system")
    );
}
