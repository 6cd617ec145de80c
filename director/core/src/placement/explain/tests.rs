//! What is explained is what is done: against the solver, on any platform.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{prop_assert, prop_assert_eq, proptest};
use wharf_proto::ids::{DeploymentId, InstanceId, ResourceId};

use super::*;
use crate::{
    apply::apply,
    command::{Body, Command},
    fixture::{World, allocator_id, bytes, register, size, template},
    placement::{filters::Filter, solve::solve},
    size::{GIB, MIB},
    state::State,
};

const STRATEGIES: [Strategy; 4] = [
    Strategy::Fill,
    Strategy::FillAntiAffinity,
    Strategy::Distribute,
    Strategy::DistributeAntiAffinity,
];

fn need(number: u64, resource: u64, memory_mib: u64, zone_count: u32) -> Need {
    Need {
        instance_id: InstanceId::from_bytes(bytes(number)),
        name: format!("storage-{number}"),
        deployment_id: DeploymentId::from_bytes(bytes(resource / 2)),
        resource_id: ResourceId::from_bytes(bytes(resource)),
        kind: "storage".to_owned(),
        size: size(memory_mib),
        zone_count,
        instances_per_zone: 1,
        required_tags: BTreeMap::new(),
        refused_ports: BTreeSet::new(),
        previous: None,
        allowed: BTreeSet::new(),
        excluded: BTreeSet::new(),
    }
}

proptest! {
    #[test]
    fn the_best_that_is_explained_is_where_the_solver_places(
        hosts in proptest::collection::vec((1_u64..20, 0_u64..3, proptest::bool::ANY), 0..16),
        needs in proptest::collection::vec((1_u64..30, 0_u64..4, 1_u32..3), 1..10),
        strategy in proptest::sample::select(&STRATEGIES[..]),
    ) {
        let mut state = State::default();
        let mut connected = BTreeSet::new();
        for (number, (memory, zone, open)) in hosts.iter().enumerate() {
            let body = register(number as u64 + 1, &format!("zone-{zone}"), size(memory * 200));
            if *open {
                connected.insert(body.allocator_id.clone());
            }
            apply(&mut state, &Command::new(1, "t", None, Body::RegisterAllocator(body)));
        }
        let mut index = CapacityIndex::build(&state, |id| connected.contains(id));
        for (number, (memory, resource, zones)) in needs.iter().enumerate() {
            let need = need(number as u64 + 100, resource + 10, memory * 100, *zones);
            let explained = explain(&index, &need, strategy);
            prop_assert_eq!(explained.candidates.len(), hosts.len(), "every allocator is told of");
            let best = explained
                .candidates
                .first()
                .filter(|candidate| candidate.verdict.is_ok())
                .map(|candidate| candidate.allocator_id.clone());
            match solve(&mut index, std::slice::from_ref(&need), strategy) {
                Ok(berths) => {
                    prop_assert_eq!(Some(&berths[0].allocator_id), best.as_ref());
                    prop_assert!(explained.no_room.is_none());
                }
                Err(no_room) => {
                    prop_assert_eq!(best, None);
                    prop_assert_eq!(explained.no_room, Some(no_room));
                }
            }
            for candidate in &explained.candidates {
                let silent_refusal = matches!(&candidate.verdict, Err(refusals) if refusals.is_empty());
                prop_assert!(!silent_refusal, "{candidate:?} is refused without a reason");
            }
        }
    }
}

#[test]
fn an_instance_that_is_there_is_judged_as_if_its_own_place_were_free() {
    let mut world = World::with_host();
    world.host(2, "zone-2");
    let (id, _) = world.create("logs");
    world.settle();
    let instance = world.instance(&id, "storage-0").clone();
    let resource = world.state.resources[&instance.resource_id].clone();
    let own = instance.berth.as_ref().unwrap().allocator_id.clone();
    let index = CapacityIndex::build(&world.state, |_| true);
    let used = index.host(&own).unwrap().used;
    let explained = of_instance(index, &instance, &resource, Strategy::Fill);
    assert_eq!(explained.candidates.len(), 2);
    for candidate in &explained.candidates {
        assert!(candidate.verdict.is_ok(), "both have room: {candidate:?}");
    }
    let at_home = explained
        .candidates
        .iter()
        .find(|candidate| candidate.allocator_id == own)
        .unwrap();
    let churn = at_home.verdict.as_ref().unwrap().churn;
    assert_eq!(churn, 0, "it lay there before");
    let capacity = world.state.allocators[&own].capacity;
    assert_eq!(used, instance.size, "nothing else lies there");
    assert_eq!(at_home.free, capacity, "its own place counts as free");
}

#[test]
fn everything_that_speaks_against_an_allocator_is_told_in_the_order_of_the_filters() {
    let mut world = World::with_host();
    let record = world.state.allocators.get_mut(&allocator_id(1)).unwrap();
    record.maintenance = true;
    let index = CapacityIndex::build(&world.state, |_| false);
    let mut need = need(100, 10, 1 << 20, 1);
    need.required_tags.insert("disk".into(), "fast".into());
    let explained = explain(&index, &need, Strategy::Fill);
    let refusals = explained.candidates[0].verdict.as_ref().unwrap_err();
    let filters: Vec<Filter> = refusals.iter().map(|refusal| refusal.filter).collect();
    assert_eq!(
        filters,
        [
            Filter::Disconnected,
            Filter::Maintenance,
            Filter::Tags,
            Filter::Memory,
            Filter::Disk
        ]
    );
    assert!(
        explained
            .no_room
            .unwrap()
            .explain()
            .contains("1 not connected"),
        "the sum names the first of each"
    );
}

#[test]
fn the_parts_of_a_score_are_told_in_the_order_in_which_they_decide() {
    let score = Score {
        zone_share: 1,
        siblings: 2,
        apart: 0,
        fullness: 3 << 30,
        churn: 1,
        id: allocator_id(1),
    };
    assert_eq!(
        score.parts(Strategy::Fill),
        [
            "zone_spread=1",
            "siblings=2",
            "apart=0",
            "least_free=3072MiB",
            "churn=1"
        ]
    );
    let emptiest = Score {
        fullness: u64::MAX - (3 << 30),
        ..score
    };
    assert_eq!(emptiest.parts(Strategy::Distribute)[3], "most_free=3072MiB");
}

#[test]
fn an_instance_of_a_kind_is_what_the_template_makes_of_it() {
    let catalog = TemplateCatalog::new([template(1, 1)]).unwrap();
    let none = need_of_kind(&catalog, "", Size::default()).unwrap();
    assert_eq!(
        (none.kind.as_str(), none.size.memory_bytes),
        ("storage", GIB)
    );
    let asked = Size {
        memory_bytes: 2 * GIB,
        ..Size::default()
    };
    let two = need_of_kind(&catalog, "storage", asked).unwrap();
    assert_eq!(two.size.disk_bytes, 40 * GIB, "the disk follows the memory");
    for (kind, memory_bytes, field) in [("cache", GIB, "kind"), ("storage", MIB, "size")] {
        let size = Size {
            memory_bytes,
            ..Size::default()
        };
        let refusal = need_of_kind(&catalog, kind, size).unwrap_err();
        assert_eq!(refusal.field, field, "{refusal}");
        assert!(!refusal.hint.is_empty(), "{refusal}");
    }
}
