//! What is proposed is worth it, allowed, enough and not more: on platforms laid out at random.

use std::collections::BTreeMap;

use proptest::prelude::{Strategy as _, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::{
    deployment::expand::DeploymentRequest,
    fixture::{World, allocator_id, template},
    placement::filters,
    size::{GIB, Size},
    template::TemplateCatalog,
};

/// Puts an instance elsewhere, whatever the rules say.
pub(super) fn put(state: &mut State, id: &InstanceId, to: &AllocatorId, port: u16) {
    let zone = state.allocators[to].zone.clone();
    let instance = state.instances.get_mut(id).unwrap();
    let berth = instance.berth.as_mut().unwrap();
    let from = std::mem::replace(&mut berth.allocator_id, to.clone());
    (berth.zone, berth.port) = (zone, port);
    state
        .assignments
        .get_mut(&from)
        .unwrap()
        .instances
        .remove(id);
    let assigned = state.assignments.entry(to.clone()).or_default();
    assigned.instances.insert(id.clone());
}

/// Hosts in two zones, and deployments of these memories whose instances run.
fn world(hosts: u64, zones: u32, per_zone: u32, memories_mib: &[u64]) -> World {
    let mut world = World::with_host();
    for number in 2..=hosts {
        world.host(number, &format!("zone-{}", 1 + (number - 1) % 2));
    }
    world.catalog = TemplateCatalog::new([template(zones, per_zone)]).unwrap();
    for (number, memory) in memories_mib.iter().enumerate() {
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
        let _ = world.apply(crate::command::Body::CreateDeployment(Box::new(body)));
    }
    world.settle();
    world
}

fn asked(state: &State, limit: usize) -> Proposal {
    let index = CapacityIndex::build(state, |_| true);
    rebalance(state, index, Strategy::FillAntiAffinity, limit, |_| 0)
}

fn follow(state: &mut State, proposal: &Proposal) {
    for (number, one) in proposal.moves.iter().enumerate() {
        let port = 18_050 + u16::try_from(number).unwrap();
        put(state, &one.instance_id, &one.to, port);
    }
}

/// The rules that are broken, over all resources.
fn faults(state: &State) -> u32 {
    let index = CapacityIndex::build(state, |_| true);
    let terms = Terms {
        strategy: Strategy::Fill,
        begin: 20,
        limit: 0,
        data: &|_| 0,
        stays: &|_| None,
        barred: &|_| BTreeSet::new(),
    };
    let (pieces, _) = pieces(state, &index, &terms);
    let resources: BTreeSet<ResourceId> = pieces
        .iter()
        .map(|piece| piece.need.resource_id.clone())
        .collect();
    let trial = Trial {
        index,
        pieces,
        strategy: Strategy::Fill,
        begin: 20,
        moved: Vec::new(),
        limit: 0,
    };
    resources
        .iter()
        .map(|resource| trial.faults(resource))
        .sum()
}

fn widest(state: &State) -> u64 {
    let index = CapacityIndex::build(state, |_| true);
    let zones = even::zones(&index);
    zones
        .iter()
        .map(|zone| even::widest(&index, zone))
        .max()
        .unwrap_or(0)
}

/// A platform whose instances were thrown onto its hosts.
fn any_platform() -> impl proptest::strategy::Strategy<Value = (State, Vec<bool>)> {
    let memories = proptest::collection::vec((2_u64..24).prop_map(|n| n * 128), 1..8);
    let throws = proptest::collection::vec(0_u64..6, 40);
    let maintenance = proptest::collection::vec(proptest::bool::weighted(0.2), 6);
    (2_u64..7, 1_u32..3, 1_u32..3, memories, throws, maintenance).prop_map(
        |(hosts, zones, per_zone, memories, throws, maintenance)| {
            let mut state = world(hosts.max(4), zones, per_zone, &memories).state;
            let hosts = state.allocators.len() as u64;
            let ids: Vec<InstanceId> = state.instances.keys().cloned().collect();
            for (number, (id, throw)) in ids.iter().zip(&throws).enumerate() {
                if state.instances[id].berth.is_some() {
                    let port = 18_001 + u16::try_from(number).unwrap();
                    put(&mut state, id, &allocator_id(throw % hosts + 1), port);
                }
            }
            for (record, on) in state.allocators.values_mut().zip(&maintenance) {
                record.maintenance = *on;
            }
            (state, maintenance)
        },
    )
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]
    #[test]
    fn a_platform_that_was_rebalanced_needs_no_more_of_it((before, _) in any_platform()) {
        let mut state = before.clone();
        let proposal = asked(&state, 1000);
        prop_assert_eq!(&proposal, &asked(&state, 1000), "the same platform gives the same answer");
        follow(&mut state, &proposal);
        let again = asked(&state, 1000);
        prop_assert_eq!(&again.moves, &Vec::new(), "after {:?}", proposal);
        prop_assert!(!again.rest.is_empty(), "nothing is proposed without a reason");
        prop_assert!(faults(&state) <= faults(&before), "rules are broken more often than before");
    }

    #[test]
    fn every_move_passes_the_filters_and_has_a_reason((before, maintenance) in any_platform()) {
        let mut state = before;
        let proposal = asked(&state, 1000);
        let mut seen = BTreeSet::new();
        for (number, one) in proposal.moves.iter().enumerate() {
            prop_assert!(seen.insert(one.instance_id.clone()), "{one:?} is moved twice");
            prop_assert!(one.from != one.to && !one.reason.is_empty(), "{one:?}");
            prop_assert!(one.reason.len() <= 300, "a move's reason is bounded: {one:?}");
            let target = state.allocators.keys().position(|id| *id == one.to).unwrap();
            prop_assert!(!maintenance[target], "{one:?} goes into maintenance");
            put(&mut state, &one.instance_id, &one.to, 18_050 + u16::try_from(number).unwrap());
        }
        let index = CapacityIndex::build(&state, |_| true);
        for one in &proposal.moves {
            let instance = &state.instances[&one.instance_id];
            let need = need_of(instance, &state.resources[&instance.resource_id]);
            let mut without = index.clone();
            without.lift(instance);
            let host = without.host(&one.to).unwrap();
            prop_assert_eq!(filters::admit_class(host, &need), Ok(()));
            prop_assert_eq!(filters::admit_host(host, &need), Ok(()));
        }
    }

    #[test]
    fn no_more_is_moved_than_was_asked_for((state, _) in any_platform(), limit in 0_usize..4) {
        let proposal = asked(&state, limit);
        prop_assert!(proposal.moves.len() <= limit, "{proposal:?}");
        prop_assert!(!proposal.rest.is_empty());
    }
}

/// Four deployments of this memory, all on the first host of two in one zone.
fn piled_up(memory_mib: u64) -> State {
    let mut world = World::with_host();
    world.host(2, "zone-1");
    for number in 0..4 {
        world.create(&format!("d{number}"));
    }
    world.settle();
    let mut state = world.state;
    let ids: Vec<InstanceId> = state.instances.keys().cloned().collect();
    for (number, id) in ids.iter().enumerate() {
        state.instances.get_mut(id).unwrap().size.memory_bytes = memory_mib << 20;
        put(
            &mut state,
            id,
            &allocator_id(1),
            18_001 + u16::try_from(number).unwrap(),
        );
    }
    state
}

#[test]
fn memory_that_is_piled_up_on_a_host_is_spread_by_the_fewest_moves() {
    let mut state = piled_up(1024);
    assert_eq!(widest(&state), 50);
    let proposal = asked(&state, 10);
    assert_eq!(proposal.moves.len(), 2, "two of four: {proposal:?}");
    assert_eq!(
        proposal.moves[0].reason,
        "host-1 has given out 50 % of its memory and host-2 0 %; afterwards 37 % and 12 %"
    );
    follow(&mut state, &proposal);
    assert_eq!(widest(&state), 0);
}

#[test]
fn a_little_unevenness_moves_nothing() {
    let state = piled_up(256);
    assert_eq!(widest(&state), 12);
    let proposal = asked(&state, 10);
    assert_eq!(proposal.moves, []);
    assert_eq!(
        proposal.rest,
        "no two hosts of a zone differ by 20 % of their memory"
    );
}

#[test]
fn of_equal_instances_the_one_with_the_least_data_goes() {
    let state = piled_up(1024);
    let light = state.instances.keys().next_back().unwrap().clone();
    let index = CapacityIndex::build(&state, |_| true);
    let data = |instance: &InstanceRecord| if instance.id == light { GIB } else { 50 * GIB };
    let proposal = rebalance(&state, index, Strategy::Fill, 1, data);
    assert_eq!(proposal.moves[0].instance_id, light);
    assert!(
        proposal.rest.starts_with("no more than 1 move was"),
        "{proposal:?}"
    );
}

#[test]
fn a_zone_that_has_more_than_its_share_gives_to_the_one_that_lacks_it() {
    let mut state = world(4, 2, 1, &[512]).state;
    let ids: Vec<InstanceId> = state.instances.keys().cloned().collect();
    assert_eq!(ids.len(), 2);
    // Hosts 1 and 3 are in the same zone.
    put(&mut state, &ids[0], &allocator_id(1), 18_001);
    put(&mut state, &ids[1], &allocator_id(3), 18_002);
    assert_eq!(faults(&state), 1);
    let proposal = asked(&state, 10);
    assert_eq!(proposal.moves.len(), 1, "{proposal:?}");
    assert_eq!(
        proposal.moves[0].reason,
        "zone zone-1 has 2 instances of the storage resource and is to have 1"
    );
    follow(&mut state, &proposal);
    assert_eq!(faults(&state), 0);
}

#[test]
fn two_of_a_resource_on_a_host_are_parted_and_what_cannot_be_is_said() {
    let mut state = world(4, 1, 2, &[512]).state;
    let ids: Vec<InstanceId> = state.instances.keys().cloned().collect();
    put(&mut state, &ids[0], &allocator_id(1), 18_001);
    put(&mut state, &ids[1], &allocator_id(1), 18_002);
    let proposal = asked(&state, 10);
    assert_eq!(proposal.moves.len(), 1, "{proposal:?}");
    assert_eq!(
        proposal.moves[0].reason,
        "host-1 hosts more than one instance of the same storage resource"
    );
    for (id, record) in &mut state.allocators {
        record.maintenance = *id != allocator_id(1);
    }
    let stuck = asked(&state, 10);
    assert_eq!(stuck.moves, []);
    assert!(
        stuck.rest.contains("host-1 hosts more than one instance")
            && stuck.rest.contains("in maintenance mode"),
        "{}",
        stuck.rest
    );
}

#[test]
fn what_a_plan_changes_or_does_not_run_is_left_alone_and_counted() {
    let mut state = piled_up(1024);
    for instance in state.instances.values_mut() {
        instance.paused = true;
    }
    let proposal = asked(&state, 10);
    assert_eq!(proposal.moves, []);
    assert!(
        proposal
            .rest
            .contains("4 instances were left alone: changed by a plan"),
        "{}",
        proposal.rest
    );
    let silent = CapacityIndex::build(&state, |_| false);
    let nobody = rebalance(&state, silent, Strategy::Fill, 10, |_| 0);
    assert_eq!(
        nobody.moves,
        [],
        "what lies on a silent host cannot hand over"
    );
}

#[test]
fn hosts_of_unlike_memory_are_filled_to_like_parts() {
    let mut state = piled_up(1024);
    let large = state.allocators.get_mut(&allocator_id(2)).unwrap();
    large.capacity.memory_bytes = 24 * GIB;
    let proposal = asked(&state, 10);
    follow(&mut state, &proposal);
    let used: BTreeMap<AllocatorId, u64> = state
        .allocators
        .keys()
        .map(|id| (id.clone(), state.used(id).memory_bytes / GIB))
        .collect();
    assert_eq!(
        used[&allocator_id(1)],
        1,
        "an eighth of 8 GiB: {proposal:?}"
    );
    assert_eq!(
        used[&allocator_id(2)],
        3,
        "an eighth of 24 GiB: {proposal:?}"
    );
}
