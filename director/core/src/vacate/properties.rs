//! Properties of vacates: whatever the order of ends, cancels, failures and changes of leader, the
//! budget is kept, an instance has one open move at most, and every vacate ends.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wharf_proto::ids::InstanceId;

use super::{
    tests::{lead, vacate_id, wish},
    *,
};
use crate::{
    command::{BeginVacate, CancelPlan, CancelVacate},
    fixture::{World, allocator_id},
};

#[derive(Debug, Clone)]
enum Happens {
    Begin(u64, u32),
    CancelVacate(u64),
    CancelPlan(usize),
    LeaderChange,
    Crash(bool),
    Connect(u64, bool),
    LeadTwice,
    Turn,
    Pass(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        2 => (1_u64..4, 0_u32..3).prop_map(|(host, most)| Happens::Begin(host, most)),
        1 => (0_u64..4).prop_map(Happens::CancelVacate),
        1 => (0_usize..8).prop_map(Happens::CancelPlan),
        1 => Just(Happens::LeaderChange),
        1 => any::<bool>().prop_map(Happens::Crash),
        1 => (1_u64..4, any::<bool>()).prop_map(|(host, on)| Happens::Connect(host, on)),
        2 => Just(Happens::LeadTwice),
        8 => Just(Happens::Turn),
        1 => (1_u64..60).prop_map(|seconds| Happens::Pass(seconds * 1000)),
    ]
}

fn keeps(world: &World) -> Result<(), TestCaseError> {
    let (moving, _) = open_moves(&world.state);
    prop_assert!(moving <= 2, "{moving} moves run, two may");
    let mut open: BTreeMap<&InstanceId, usize> = BTreeMap::new();
    for plan in world
        .state
        .open_plans()
        .filter(|plan| plan.kind == PlanKind::Move)
    {
        for one in &plan.wanted.as_ref().unwrap().moves {
            *open.entry(&one.instance_id).or_default() += 1;
        }
    }
    prop_assert!(
        open.values().all(|count| *count == 1),
        "an instance moves twice: {open:?}"
    );
    for vacate in world.state.vacates.values() {
        let moving = vacate.count(VacateMoveState::Moving);
        prop_assert!(vacate.parallelism == 0 || moving <= vacate.parallelism as usize);
        for one in vacate
            .moves
            .iter()
            .filter(|one| one.state == VacateMoveState::Moving)
        {
            prop_assert!(one.plan_id.is_some(), "a move without a plan");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn whatever_happens_the_budget_is_kept_and_every_vacate_ends(
        script in proptest::collection::vec(happens(), 1..40),
    ) {
        let mut world = World::with_host();
        for number in 0..4 {
            world.create(&format!("logs-{number}"));
        }
        world.settle();
        world.host(2, "zone-1");
        world.host(3, "zone-1");
        world.obey();
        let mut begun = 0;
        for step in script {
            match step {
                Happens::Begin(host, parallelism) => {
                    begun += 1;
                    world.apply(Body::BeginVacate(BeginVacate {
                        parallelism,
                        ..wish(begun, host)
                    }));
                }
                Happens::CancelVacate(number) => {
                    let id = vacate_id(number);
                    world.apply(Body::CancelVacate(CancelVacate { vacate_id: id, expected_version: 0 }));
                }
                Happens::CancelPlan(number) => {
                    let plan = world.state.open_plans().nth(number).map(|plan| plan.id.clone());
                    if let Some(plan_id) = plan {
                        let reason = String::new();
                        world.apply(Body::CancelPlan(CancelPlan { plan_id, reason }));
                    }
                }
                Happens::LeaderChange => world.change_leader(),
                Happens::Crash(on) => world.crashing = on,
                Happens::Connect(host, on) => {
                    let now_ms = world.now_ms;
                    let seen = world.observed.allocators.get_mut(&allocator_id(host)).unwrap();
                    if seen.connected != on {
                        seen.connected = on;
                        seen.since_ms = now_ms;
                    }
                }
                Happens::LeadTwice => {
                    // Two leaders that looked at the same state.
                    let (one, two) = (lead(&mut world), lead(&mut world));
                    for body in one.into_iter().chain(two) {
                        world.apply(body);
                    }
                }
                Happens::Turn => {
                    for body in lead(&mut world) {
                        world.apply(body);
                    }
                    world.turn();
                }
                Happens::Pass(ms) => world.now_ms += ms,
            }
            keeps(&world)?;
        }
        // Everything is well again: all come to an end.
        world.crashing = false;
        let now_ms = world.now_ms;
        for seen in world.observed.allocators.values_mut() {
            if !seen.connected {
                seen.connected = true;
                seen.since_ms = now_ms;
            }
        }
        for _ in 0..400 {
            world.now_ms += 5_000;
            for body in lead(&mut world) {
                world.apply(body);
            }
            world.turn();
            keeps(&world)?;
        }
        for vacate in world.state.vacates.values() {
            prop_assert!(vacate.status != VacateStatus::Running, "it does not end: {vacate:?}");
            if vacate.status == VacateStatus::Done {
                prop_assert!(vacate.moves.iter().all(|one| one.state == VacateMoveState::Moved));
            }
        }
    }
}
