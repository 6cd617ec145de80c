//! Which hosts a plan acts on, as it notes them.

use std::collections::BTreeSet;

use wharf_proto::ids::{DeploymentId, PlanId};

use crate::{
    command::DeploymentChange,
    fixture::{World, allocator_id},
    messages,
    state::{HOSTS_NOTED_LEVEL, MoveCause, MoveWish, PlanStatus},
};

fn hosts(numbers: &[u64]) -> BTreeSet<String> {
    let numbers = numbers.iter();
    numbers.map(|number| format!("host-{number}")).collect()
}

/// Moves the storage node and waits until it lies there.
fn moved(world: &mut World, id: &DeploymentId, to: u64) -> PlanId {
    let wish = MoveWish {
        instance_id: world.instance(id, "storage-0").id.clone(),
        from: None,
        to: vec![allocator_id(to)],
        lost: false,
        cause: MoveCause::Request,
        reason: String::new(),
    };
    let moves = vec![wish];
    let plan = world.change(id, DeploymentChange::Move { moves }).unwrap();
    for _ in 0..200 {
        if world.plan(&plan).status.ended() {
            break;
        }
        world.now_ms += 1_000;
        world.turn();
    }
    assert_eq!(world.plan(&plan).status, PlanStatus::Done);
    plan
}

#[test]
fn a_plan_keeps_the_hosts_that_it_acts_on_once_every_director_knows_what_that_is() {
    let mut world = World::with_host();
    world.host(2, "zone-2");
    world.host(3, "zone-3");
    let (id, created) = world.create("logs");
    world.settle();
    assert_eq!(world.plan(&created).hosts, hosts(&[1]));
    let there = moved(&mut world, &id, 2);
    assert_eq!(
        world.plan(&there).hosts,
        hosts(&[1, 2]),
        "whence and whither"
    );
    let on = moved(&mut world, &id, 3);
    assert_eq!(world.plan(&on).hosts, hosts(&[2, 3]));
    assert_eq!(world.plan(&there).hosts, hosts(&[1, 2]), "what was, stays");
    let told = messages::plan(&world.state, world.plan(&there)).hosts;
    assert_eq!(told, ["host-1", "host-2"]);

    world.state.feature_level = HOSTS_NOTED_LEVEL - 1;
    let older = moved(&mut world, &id, 1);
    assert!(
        world.plan(&older).hosts.is_empty(),
        "a director of an older version could not read them"
    );
}
