//! How many moves run at a time: under the parallelism of a vacate and the budget of the platform.

use super::*;

#[test]
fn one_at_a_time_when_that_was_asked_for() {
    let mut world = two_hosts(3);
    world.ok(Body::BeginVacate(BeginVacate {
        parallelism: 1,
        ..wish(1, 1)
    }));
    for _ in 0..300 {
        turn(&mut world);
        world.now_ms += 500;
        assert!(open_moves(&world.state).0 <= 1, "more than one moves");
        if world.state.vacates[&vacate_id(1)].status != VacateStatus::Running {
            break;
        }
    }
    assert_eq!(
        world.state.vacates[&vacate_id(1)].status,
        VacateStatus::Done
    );
}

#[test]
fn two_vacates_share_one_budget() {
    let mut world = two_hosts(4);
    world.host(3, "zone-1");
    world.obey();
    world.ok(Body::BeginVacate(wish(1, 1)));
    world.ok(Body::BeginVacate(wish(2, 2)));
    for _ in 0..300 {
        turn(&mut world);
        world.now_ms += 500;
        assert!(open_moves(&world.state).0 <= 2, "over the budget");
    }
    assert_eq!(
        world.state.vacates[&vacate_id(1)].status,
        VacateStatus::Done
    );
    assert_eq!(
        world.state.vacates[&vacate_id(2)].status,
        VacateStatus::Done
    );
    assert_eq!(lies_on(&world, 3), 4);
}

#[test]
fn a_smaller_budget_holds_for_the_moves_that_follow() {
    let mut world = two_hosts(4);
    world.ok(Body::SetSetting(SetSetting {
        key: MOVE_BUDGET.to_owned(),
        value: Some("1".to_owned()),
        expected_version: 0,
    }));
    world.ok(Body::BeginVacate(wish(1, 1)));
    assert_eq!(lead(&mut world).len(), 1);
    let forget = ForgetHost {
        allocator_id: allocator_id(1),
        lost: false,
    };
    assert_eq!(
        refused(&mut world, Body::ForgetHost(forget)).code,
        codes::HOST
    );
}

#[test]
fn a_plan_that_moves_several_instances_takes_as_much_of_the_budget() {
    let mut world = World::with_host();
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    let (both, _) = world.create("both");
    world.create("other");
    world.settle();
    world.host(2, "zone-1");
    world.obey();
    let by_hand = |name: &str| MoveWish {
        instance_id: world.instance(&both, name).id.clone(),
        from: None,
        to: vec![allocator_id(2)],
        lost: false,
        cause: MoveCause::Rebalance,
        reason: "a test".to_owned(),
    };
    let moves = vec![by_hand("storage-0"), by_hand("monitoring-0")];
    world
        .change(&both, DeploymentChange::Move { moves })
        .unwrap();
    assert_eq!(open_moves(&world.state), (2, 0));
    assert_eq!(moves_left(&world.state), 0, "the budget is two instances");
    world.ok(Body::BeginVacate(wish(1, 1)));
    assert!(lead(&mut world).is_empty(), "three would move");
    let record = &world.state.vacates[&vacate_id(1)];
    let waits = waits_for(&world.state, record, &record.moves[2]);
    assert!(waits.contains("2 moves"), "{waits}");
    finish(&mut world, &vacate_id(1));
    assert_eq!((lies_on(&world, 1), lies_on(&world, 2)), (0, 4));
    assert_eq!(moves_left(&world.state), 2);
}

#[test]
fn one_look_at_several_vacates_begins_no_more_than_the_budget_has() {
    let mut world = two_hosts(3);
    world.host(3, "zone-1");
    for number in [1, 3] {
        world.ok(Body::UpdateAllocator(UpdateAllocator {
            maintenance: Some(true),
            ..UpdateAllocator::of(allocator_id(number), 0)
        }));
    }
    for number in 4..7 {
        world.create(&format!("logs-{number}"));
    }
    world.settle();
    assert_eq!((lies_on(&world, 1), lies_on(&world, 2)), (3, 3));
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        maintenance: Some(false),
        ..UpdateAllocator::of(allocator_id(3), 0)
    }));
    world.ok(Body::BeginVacate(wish(1, 1)));
    world.ok(Body::BeginVacate(wish(2, 2)));
    let bodies = lead(&mut world);
    assert_eq!(bodies.len(), 2, "the others would be refused: {bodies:?}");
}
