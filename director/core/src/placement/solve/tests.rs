//! Placement against a second, slow solver that looks at every host; capacity and anti-affinity;
//! how many hosts are looked at.

use proptest::prelude::{Strategy as Strategy_, any, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::{
    apply::apply,
    command::{Body, Command},
    fixture::{World, allocator_id, bytes, register, size, watched},
    size::GIB,
    template::TemplateCatalog,
};

const STRATEGIES: [Strategy; 4] = [
    Strategy::Fill,
    Strategy::FillAntiAffinity,
    Strategy::Distribute,
    Strategy::DistributeAntiAffinity,
];

fn need(
    number: u64,
    deployment: u64,
    resource: u64,
    memory_mib: u64,
    zones: u32,
    per_zone: u32,
) -> Need {
    Need {
        instance_id: InstanceId::from_bytes(bytes(number)),
        name: format!("storage-{number}"),
        deployment_id: DeploymentId::from_bytes(bytes(deployment)),
        resource_id: ResourceId::from_bytes(bytes(resource)),
        kind: "storage".to_owned(),
        size: size(memory_mib),
        zone_count: zones,
        instances_per_zone: per_zone,
        required_tags: BTreeMap::new(),
        refused_ports: BTreeSet::new(),
        previous: None,
        allowed: BTreeSet::new(),
        excluded: BTreeSet::new(),
    }
}

/// A state with hosts of these memories, in zones in turn.
fn hosts(memories_mib: &[u64], zones: u64) -> State {
    let mut state = State::default();
    for (number, memory) in memories_mib.iter().enumerate() {
        let number = number as u64;
        let mut body = register(
            number + 1,
            &format!("zone-{}", number % zones),
            size(*memory),
        );
        if number % 5 == 4 {
            body.tags.insert("disk".to_owned(), "slow".to_owned());
        }
        apply(
            &mut state,
            &Command::new(1, "t", None, Body::RegisterAllocator(body)),
        );
    }
    state
}

/// The best host by looking at all of them.
fn slow_best(index: &CapacityIndex, need: &Need, strategy: Strategy) -> Option<AllocatorId> {
    index
        .hosts()
        .filter(|host| {
            let (share, begun) = index.share(&need.resource_id, &host.zone);
            filters::admit_class(host, need).is_ok()
                && filters::zone_admits(share, begun, need)
                && filters::admit_host(host, need).is_ok()
        })
        .map(|host| score(index, host, need, strategy))
        .min()
        .map(|score| score.id)
}

fn any_needs() -> impl Strategy_<Value = Vec<Need>> {
    proptest::collection::vec(
        (0_u64..4, 1_u64..30, 1_u32..3, 1_u32..3, any::<bool>()),
        0..12,
    )
    .prop_map(|list| {
        list.into_iter()
            .enumerate()
            .map(|(number, (resource, memory, zones, per_zone, back))| Need {
                previous: back.then(|| allocator_id(memory % 7 + 1)),
                allowed: BTreeSet::new(),
                excluded: BTreeSet::new(),
                ..need(
                    number as u64 + 100,
                    resource / 2 + 1,
                    resource + 10,
                    memory * 100,
                    zones,
                    per_zone,
                )
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn the_index_finds_what_looking_at_every_host_finds(
        memories in proptest::collection::vec((1_u64..20).prop_map(|n| n * 200), 0..20),
        zones in 1_u64..4,
        needs in any_needs(),
        strategy in proptest::sample::select(&STRATEGIES[..]),
    ) {
        let state = hosts(&memories, zones);
        let mut index = CapacityIndex::build(&state, |_| true);
        for need in &needs {
            let quick = best(&index, need, strategy).map(|(id, _)| id);
            prop_assert_eq!(&quick, &slow_best(&index, need, strategy));
            let _ = solve(&mut index, std::slice::from_ref(need), strategy);
        }
    }

    #[test]
    fn the_same_input_gives_the_same_answer_within_capacity_and_never_two_of_a_resource_on_a_host(
        memories in proptest::collection::vec((1_u64..20).prop_map(|n| n * 200), 0..20),
        zones in 1_u64..4,
        needs in any_needs(),
        strategy in proptest::sample::select(&STRATEGIES[..]),
    ) {
        let state = hosts(&memories, zones);
        let mut index = CapacityIndex::build(&state, |_| true);
        let before = index.clone();
        let answer = solve(&mut index, &needs, strategy);
        let mut again = CapacityIndex::build(&state, |_| true);
        prop_assert_eq!(&answer, &solve(&mut again, &needs, strategy));
        match answer {
            Ok(berths) => {
                prop_assert_eq!(berths.len(), needs.len());
                let mut ports = BTreeSet::new();
                for berth in &berths {
                    prop_assert!(ports.insert((berth.allocator_id.clone(), berth.port)));
                }
                for host in index.hosts() {
                    prop_assert!(host.used.fits_in(host.capacity), "{host:?}");
                    prop_assert!(host.resources.values().all(|count| *count == 1), "{host:?}");
                }
            }
            Err(no_room) => {
                let counted: usize = no_room.refused.values().map(|(count, _)| count).sum();
                prop_assert_eq!(counted, memories.len(), "every allocator's refusal is explained");
                prop_assert_eq!(&index.hosts, &before.hosts, "a failure leaves the index as it was");
                prop_assert_eq!(&index.shares, &before.shares);
            }
        }
    }
}

#[test]
fn solving_a_solved_deployment_changes_nothing() {
    let mut world = World::with_host();
    let (id, _) = world.create("logs");
    assert_eq!(
        needs_of(&world.state, &world.state.deployments[&id]).len(),
        1
    );
    world.settle();
    let needs = needs_of(&world.state, &world.state.deployments[&id]);
    assert!(needs.is_empty());
    let mut index = CapacityIndex::build(&world.state, |_| true);
    assert_eq!(solve(&mut index, &needs, Strategy::Fill), Ok(Vec::new()));
}

#[test]
fn the_number_of_hosts_looked_at_does_not_grow_with_the_platform() {
    for strategy in STRATEGIES {
        let mut looks = Vec::new();
        for count in [100_usize, 10_000] {
            let memories: Vec<u64> = (0..count as u64).map(|n| 4_000 + n % 100 * 10).collect();
            let state = hosts(&memories, 3);
            let mut index = CapacityIndex::build(&state, |_| true);
            let before = index.visits();
            for number in 0..100 {
                let needs = [need(number + 100, 1, number + 10, 500, 1, 1)];
                solve(&mut index, &needs, strategy).unwrap();
            }
            looks.push(index.visits() - before);
        }
        assert!(
            looks[1] <= looks[0] * 2,
            "{strategy:?} looked at {looks:?} hosts"
        );
    }
}

#[test]
fn an_index_that_is_refreshed_is_the_index_that_is_built() {
    let mut world = World::with_host();
    world.host(2, "zone-2");
    let mut kept = CapacityIndex::build(&world.state, |_| true);
    world.create("logs");
    world.settle();
    for number in 1..=2 {
        kept.refresh(&world.state, &allocator_id(number), true);
    }
    let built = CapacityIndex::build(&world.state, |_| true);
    assert_eq!((kept.hosts, kept.shares), (built.hosts, built.shares));
}

#[test]
fn a_size_over_capacity_is_refused_with_figures_and_field() {
    let mut world = World::with_host();
    let request = crate::deployment::expand::DeploymentRequest {
        name: "huge".to_owned(),
        sizes: BTreeMap::from([(
            "storage".to_owned(),
            Size {
                memory_bytes: 16 * GIB,
                disk_bytes: 0,
                cpu_millis: 100,
            },
        )]),
        ..Default::default()
    };
    let body = world.expand(&request).unwrap();
    let refusal = preflight(&world.state, &body).unwrap_err();
    assert_eq!(
        (refusal.code.as_str(), refusal.field.as_str()),
        (codes::CAPACITY, "sizes.storage.memory_bytes")
    );
    assert!(
        refusal
            .message
            .contains("8192 MiB of memory free, 16384 are needed"),
        "{refusal}"
    );
    let hash = world.state.deployments.len();
    assert!(
        world
            .apply(Body::CreateDeployment(Box::new(body)))
            .accepted()
            .is_err()
    );
    assert_eq!(world.state.deployments.len(), hash, "nothing half done");
}

#[test]
fn room_that_a_waiting_plan_needs_is_not_promised_twice() {
    let mut world = World::with_host();
    // 8 GiB: eight instances of 1 GiB fit; no plan is adopted in the meantime.
    for number in 0..8 {
        world.try_create(&format!("logs {number}")).unwrap();
    }
    assert_eq!(
        world.try_create("one more").unwrap_err().code,
        codes::CAPACITY
    );
    world.settle();
    assert_eq!(
        world.try_create("one more").unwrap_err().code,
        codes::CAPACITY
    );
}

/// Where the storage node and the monitoring node of a new deployment lie, on hosts in these zones.
fn both_nodes(zones: &[&str], strategy: &str) -> (AllocatorId, AllocatorId) {
    let mut world = World::with_host();
    for (number, zone) in (2..).zip(zones) {
        world.host(number, zone);
    }
    world.catalog = TemplateCatalog::new([watched()]).unwrap();
    world.ok(Body::SetSetting(crate::command::SetSetting {
        key: "placement.strategy".to_owned(),
        value: Some(strategy.to_owned()),
        expected_version: 0,
    }));
    let (id, _) = world.create("logs");
    world.settle();
    let host = |name: &str| {
        let berth = world.instance(&id, name).berth.clone();
        berth.unwrap().allocator_id
    };
    (host("storage-0"), host("monitoring-0"))
}

#[test]
fn a_monitoring_node_lies_beside_its_storage_node_only_when_there_is_no_other_host() {
    for strategy in ["fill-anti-affinity", "distribute-anti-affinity"] {
        let (storage, monitoring) = both_nodes(&["zone-2", "zone-3"], strategy);
        assert_ne!(
            storage, monitoring,
            "{strategy}: a host that dies would take both"
        );
        let (storage, monitoring) = both_nodes(&["zone-2", "zone-1"], strategy);
        assert_ne!(storage, monitoring, "{strategy}");
        if storage == allocator_id(1) {
            assert_eq!(
                monitoring,
                allocator_id(3),
                "{strategy}: in the same zone when that has another host"
            );
        }
        let (storage, monitoring) = both_nodes(&[], strategy);
        assert_eq!(storage, monitoring, "{strategy}: there is one host");
    }
}
