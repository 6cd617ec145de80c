//! From any platform, automatic rebalancing comes to an end, takes nothing back, and breaks no rule.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use wharf_proto::ids::InstanceId;

use super::{super::tests::put, tests::set, *};
use crate::{
    apply::apply,
    command::Command,
    deployment::expand::DeploymentRequest,
    fixture::{World, allocator_id, template, watched},
    observe::{InstanceObservation, Observations},
    placement::{filters, solve::need_of},
    size::{GIB, Size},
    template::TemplateCatalog,
};

const LEADS_MS: u64 = 3_600_000;
const HOSTS: u64 = 6;

#[derive(Debug, Clone)]
struct Fleet {
    zones: u32,
    per_zone: u32,
    watched: bool,
    memories: Vec<u64>,
    throws: Vec<u64>,
    maintenance: Vec<bool>,
    tagged: Vec<bool>,
    picky: Vec<bool>,
    strategy: &'static str,
    moves_data: bool,
    at_once: u64,
    threshold: u64,
}

fn fleet() -> impl Strategy<Value = Fleet> {
    let shape = (1_u32..3, 1_u32..3, any::<bool>());
    let load = (
        proptest::collection::vec((2_u64..24).prop_map(|n| n * 128), 1..7),
        proptest::collection::vec(0..HOSTS, 40),
    );
    let rules = (
        proptest::collection::vec(proptest::bool::weighted(0.2), HOSTS as usize),
        proptest::collection::vec(any::<bool>(), HOSTS as usize),
        proptest::collection::vec(proptest::bool::weighted(0.2), 12),
    );
    let policy = (
        proptest::sample::select(vec![
            "fill",
            "fill-anti-affinity",
            "distribute",
            "distribute-anti-affinity",
        ]),
        proptest::bool::weighted(0.8),
        1_u64..4,
        prop_oneof![Just(5_u64), Just(20), Just(40)],
    );
    (shape, load, rules, policy).prop_map(|(shape, load, rules, policy)| Fleet {
        zones: shape.0,
        per_zone: shape.1,
        watched: shape.2,
        memories: load.0,
        throws: load.1,
        maintenance: rules.0,
        tagged: rules.1,
        picky: rules.2,
        strategy: policy.0,
        moves_data: policy.1,
        at_once: policy.2,
        threshold: policy.3,
    })
}

fn tags(on: bool) -> BTreeMap<String, String> {
    on.then(|| ("disk".to_owned(), "ssd".to_owned()))
        .into_iter()
        .collect()
}

/// The platform, with its instances thrown onto its hosts.
fn thrown(fleet: &Fleet) -> World {
    let mut world = World::with_host();
    for number in 2..=HOSTS {
        world.host(number, &format!("zone-{}", 1 + (number - 1) % 2));
    }
    let template = if fleet.watched {
        watched()
    } else {
        template(fleet.zones, fleet.per_zone)
    };
    world.catalog = TemplateCatalog::new([template]).unwrap();
    for (number, memory) in fleet.memories.iter().enumerate() {
        let size = Size {
            memory_bytes: memory << 20,
            disk_bytes: GIB,
            cpu_millis: 50,
        };
        let request = DeploymentRequest {
            name: format!("d{number}"),
            sizes: [("storage".to_owned(), size)].into(),
            ..Default::default()
        };
        let body = world.expand(&request).unwrap();
        // What does not fit any more is not there.
        let _ = world.apply(Body::CreateDeployment(Box::new(body)));
    }
    world.settle();
    let state = &mut world.state;
    let ids: Vec<InstanceId> = state.instances.keys().cloned().collect();
    for (number, (id, throw)) in ids.iter().zip(&fleet.throws).enumerate() {
        let port = 18_001 + u16::try_from(number).unwrap();
        put(state, id, &allocator_id(throw + 1), port);
    }
    for (record, (maintenance, tagged)) in state
        .allocators
        .values_mut()
        .zip(fleet.maintenance.iter().zip(&fleet.tagged))
    {
        record.maintenance = *maintenance;
        record.tags = tags(*tagged);
    }
    for (resource, picky) in state.resources.values_mut().zip(&fleet.picky) {
        resource.required_tags = tags(*picky);
    }
    set(&mut world, MODE, "automatic");
    set(
        &mut world,
        DATA,
        if fleet.moves_data { "move" } else { "stay" },
    );
    set(&mut world, AT_ONCE, &fleet.at_once.to_string());
    set(&mut world, "placement.move_budget", "3");
    set(&mut world, THRESHOLD, &fleet.threshold.to_string());
    set(&mut world, "placement.strategy", fleet.strategy);
    world
}

/// Everything is connected and well where it lies.
fn all_well(state: &State) -> Observations {
    let mut observed = Observations::default();
    for id in state.allocators.keys() {
        let seen = observed.allocators.entry(id.clone()).or_default();
        seen.connected = true;
        for instance in state.allocator_instances(id) {
            seen.instances.insert(
                instance.id.clone(),
                InstanceObservation {
                    state: InstanceState::Running,
                    health: Health::Healthy,
                    ..InstanceObservation::default()
                },
            );
        }
    }
    observed
}

/// The move that a command asks for, which is allowed.
fn checked(state: &State, body: &Body, fleet: &Fleet) -> (PlanId, Vec<MoveWish>) {
    let Body::ChangeDeployment(change) = body else {
        panic!("{body:?}");
    };
    let DeploymentChange::Move { moves } = &change.change else {
        panic!("{body:?}");
    };
    for wish in moves {
        let instance = &state.instances[&wish.instance_id];
        let mut index = CapacityIndex::build(state, |_| true);
        index.lift(instance);
        let need = need_of(instance, &state.resources[&instance.resource_id]);
        let host = index.host(&wish.to[0]).unwrap();
        assert!(!host.maintenance, "{wish:?} goes into maintenance");
        assert_eq!(filters::admit_class(host, &need), Ok(()), "{wish:?}");
        assert_eq!(filters::admit_host(host, &need), Ok(()), "{wish:?}");
        assert!(
            fleet.moves_data || state.is_stateless(instance),
            "data moves although the setting says no: {wish:?}"
        );
        assert!(!wish.reason.is_empty() && wish.reason.len() <= REASON_BYTES);
    }
    (change.plan_id.clone(), moves.clone())
}

/// The plan is over, and what it moves lies where it was to go.
fn carry_out(state: &mut State, plan_id: &PlanId, wish: &MoveWish, port: u16) {
    put(state, &wish.instance_id, &wish.to[0], port);
    let now_ms = state.now_ms;
    let plan = state.plans.get_mut(plan_id).unwrap();
    let plan = std::sync::Arc::make_mut(plan);
    plan.status = PlanStatus::Done;
    plan.ended_ms = now_ms;
    let deployment = state.deployments.get_mut(&plan.deployment_id).unwrap();
    deployment.pending_plan = None;
    deployment.current_plan = Some(plan_id.clone());
    deployment.changed_ms = now_ms;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn it_ends_takes_nothing_back_and_breaks_no_rule(fleet in fleet()) {
        let mut world = thrown(&fleet);
        let mut been: BTreeMap<InstanceId, BTreeSet<AllocatorId>> = BTreeMap::new();
        for instance in world.state.instances.values() {
            if let Some(berth) = &instance.berth {
                been.entry(instance.id.clone()).or_default().insert(berth.allocator_id.clone());
            }
        }
        // Each instance goes to each host once at most.
        let most = been.len() * (HOSTS as usize - 1);
        let mut moved = 0;
        for round in 0.. {
            prop_assert!(round <= most, "no end: {} moves of {} instances", moved, been.len());
            world.now_ms += LEADS_MS;
            let observed = all_well(&world.state);
            let mut next = world.id();
            let mut ids = || {
                next[0] = next[0].wrapping_add(1);
                PlanId::from_bytes(next)
            };
            let bodies = due(&world.state, &observed, LEADS_MS, world.now_ms, &mut ids);
            if bodies.is_empty() {
                let waits = standing(&world.state, &observed, LEADS_MS, world.now_ms).waits;
                prop_assert_eq!(waits, [], "it only rests because it waits");
                break;
            }
            prop_assert!(bodies.len() as u64 <= fleet.at_once.min(3), "{:?}", bodies);
            let mut carried = Vec::new();
            for body in bodies {
                let (plan_id, moves) = checked(&world.state, &body, &fleet);
                let command = Command::new(world.now_ms, "system", None, body);
                prop_assert!(apply(&mut world.state, &command).accepted().is_ok());
                carried.push((plan_id, moves));
            }
            let again = due(&world.state, &observed, LEADS_MS, world.now_ms, &mut ids);
            prop_assert_eq!(again, [], "moves begin while others run");
            for (plan_id, moves) in carried {
                for wish in moves {
                    moved += 1;
                    let fresh = been.get_mut(&wish.instance_id).unwrap().insert(wish.to[0].clone());
                    prop_assert!(fresh, "{:?} goes to where it has been", wish);
                    let port = 18_050 + u16::try_from(moved % 49).unwrap();
                    carry_out(&mut world.state, &plan_id, &wish, port);
                }
            }
        }
    }
}
