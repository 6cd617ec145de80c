//! Emptying a host that is down and not waited for.

use super::*;

/// A deployment with a storage and a monitoring node on a host that has lost its power.
fn one_down(on_host_loss: HostLoss) -> World {
    let mut world = World::with_host();
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    let (deployment_id, _) = world.create("logs");
    world.ok(Body::SetHostLossPolicy(SetHostLossPolicy {
        deployment_id,
        expected_version: 0,
        on_host_loss,
    }));
    world.settle();
    world.host(2, "zone-1");
    world.obey();
    world.kill(1);
    world.ok(Body::BeginVacate(BeginVacate {
        host_down: true,
        ..wish(1, 1)
    }));
    world
}

#[test]
fn a_host_that_is_down_is_emptied_without_it_once_its_leases_are_over() {
    let mut world = one_down(HostLoss::Empty);
    let early = due(&world.state, world.now_ms, |_| false, &mut || {
        panic!("nothing is begun while a lease may last")
    });
    assert!(early.is_empty(), "{early:?}");
    let id = vacate_id(1);
    let mut most = (0, 0);
    for _ in 0..300 {
        world.now_ms += 500;
        turn(&mut world);
        let open = open_moves(&world.state);
        most = (most.0.max(open.0), most.1.max(open.1));
        if world.state.vacates[&id].status != VacateStatus::Running {
            break;
        }
    }
    let record = &world.state.vacates[&id];
    assert_eq!(record.status, VacateStatus::Done, "{record:?}");
    assert_eq!(record.count(Move::Moved), 2);
    assert_eq!((lies_on(&world, 1), lies_on(&world, 2)), (0, 2));
    assert_eq!(most, (0, 1), "it counts among replacements, not moves");
    let storage = world.state.find_instance("logs/storage-0").unwrap();
    assert!(
        world.state.assignments[&allocator_id(1)]
            .set_aside
            .contains(&storage.id),
        "its old data is kept"
    );
    assert!(world.lost_data.is_empty());
}

#[test]
fn a_store_that_waits_for_its_host_stays_on_one_that_is_down_and_the_vacate_says_why() {
    let mut world = one_down(HostLoss::Wait);
    let id = vacate_id(1);
    finish(&mut world, &id);
    let record = &world.state.vacates[&id];
    assert_eq!(record.status, VacateStatus::Failed, "{record:?}");
    assert_eq!(
        record.count(Move::Moved),
        1,
        "the monitoring node is replaced"
    );
    assert!(
        record.reason.contains("logs/storage-0") && record.reason.contains("nowhere else"),
        "{}",
        record.reason
    );
    assert_eq!((lies_on(&world, 1), lies_on(&world, 2)), (1, 1));
}
