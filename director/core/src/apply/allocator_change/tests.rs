//! Live changes of allocators.

use std::collections::BTreeMap;

use wharf_proto::ids::ProxyId;

use super::*;
use crate::{
    command::{BeginVacate, Body, CancelVacate, CreateEnrollmentToken, EnrollHost},
    fixture::{World, allocator_id, bytes, register, size},
    size::GIB,
};

fn change(number: u64) -> UpdateAllocator {
    UpdateAllocator::of(allocator_id(number), 0)
}

fn refusal(world: &mut World, body: UpdateAllocator) -> Refusal {
    world
        .apply(Body::UpdateAllocator(body))
        .accepted()
        .expect_err("the change is to be refused")
}

fn hello(world: &mut World, zone: &str, capacity: Size) {
    world.ok(Body::RegisterAllocator(register(1, zone, capacity)));
}

/// A host that joined with these roles.
fn joined(world: &mut World, roles: &[HostRole]) {
    let roles: BTreeSet<HostRole> = roles.iter().copied().collect();
    let id = "ab".repeat(16);
    world.ok(Body::CreateEnrollmentToken(CreateEnrollmentToken {
        id: id.clone(),
        hash: "0".repeat(64),
        roles: roles.clone(),
        zone: "zone-1".to_owned(),
        lifetime_ms: 3_600_000,
        uses: 1,
        created_by: "admin".to_owned(),
    }));
    let proxy = roles.contains(&HostRole::Proxy);
    world.ok(Body::EnrollHost(EnrollHost {
        token_id: id,
        allocator_id: allocator_id(7),
        proxy_id: proxy.then(|| ProxyId::from_bytes(bytes(7))),
        director_id: None,
        host: "host-7".to_owned(),
        address: "10.0.0.7".to_owned(),
        roles,
        without_engine: false,
    }));
    world.ok(Body::RegisterAllocator(crate::command::RegisterAllocator {
        address: "10.0.0.7".to_owned(),
        ..register(7, "zone-1", size(4096))
    }));
}

#[test]
fn what_is_set_outlives_what_the_host_says_until_it_says_the_same() {
    let mut world = World::with_host();
    let capacity = Size {
        memory_bytes: 2 * GIB,
        ..Size::default()
    };
    let tags = BTreeMap::from([("disk".to_owned(), "ssd".to_owned())]);
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        zone: Some("zone-b".to_owned()),
        tags: Some(tags.clone()),
        capacity: Some(capacity),
        ..change(1)
    }));
    let whole = size(8192);
    hello(&mut world, "zone-1", whole);
    let record = &world.state.allocators[&allocator_id(1)];
    assert_eq!(record.zone, "zone-b", "a hello must not overwrite the zone");
    assert_eq!(record.tags, tags);
    assert_eq!(record.capacity.memory_bytes, 2 * GIB);
    assert_eq!(record.said.as_ref().unwrap().zone, "zone-1");
    assert_eq!(record.said.as_ref().unwrap().capacity, whole);
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        zone: Some("zone-1".to_owned()),
        capacity: Some(whole),
        ..change(1)
    }));
    let record = &world.state.allocators[&allocator_id(1)];
    assert_eq!((&record.set.zone, record.set.capacity), (&None, None));
    hello(&mut world, "zone-2", whole);
    assert_eq!(world.state.allocators[&allocator_id(1)].zone, "zone-2");
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        zone: Some("zone-b".to_owned()),
        ..change(1)
    }));
    hello(&mut world, "zone-b", whole);
    hello(&mut world, "zone-3", whole);
    assert_eq!(
        world.state.allocators[&allocator_id(1)].zone,
        "zone-3",
        "the host said by itself what was set: it counts again"
    );
}

#[test]
fn a_zone_stays_while_instances_lie_in_it_and_the_refusal_says_how_many() {
    let mut world = World::with_host();
    world.create("logs");
    world.settle();
    let wish = || UpdateAllocator {
        zone: Some("zone-b".to_owned()),
        ..change(1)
    };
    let refused = refusal(&mut world, wish());
    assert_eq!(
        (refused.code.as_str(), refused.field.as_str()),
        (codes::ALLOCATOR_CHANGE, "zone")
    );
    assert!(
        refused.message.starts_with("1 instance lies on host-1"),
        "{refused}"
    );
    let id = world.state.find_deployment("logs").unwrap().id.clone();
    world.delete(&id);
    world.settle();
    world.ok(Body::UpdateAllocator(wish()));
}

#[test]
fn capacity_is_never_less_than_what_is_given_out_and_the_refusal_has_the_figures() {
    let mut world = World::with_host();
    world.create("logs");
    world.settle();
    let capacity = Size {
        memory_bytes: GIB / 2,
        ..Size::default()
    };
    let refused = refusal(
        &mut world,
        UpdateAllocator {
            capacity: Some(capacity),
            ..change(1)
        },
    );
    assert_eq!(refused.field, "capacity.memory_bytes");
    assert!(
        refused.message.contains("1024 MiB") && refused.message.contains("512"),
        "{refused}"
    );
    let exact = Size {
        memory_bytes: GIB,
        ..Size::default()
    };
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        capacity: Some(exact),
        ..change(1)
    }));
    let record = &world.state.allocators[&allocator_id(1)];
    assert_eq!(record.capacity.memory_bytes, GIB);
    assert_eq!(
        record.capacity.disk_bytes,
        200 * GIB,
        "a part that is zero keeps what is there"
    );
}

#[test]
fn a_host_that_loses_the_role_offers_nothing_and_gets_its_capacity_back_with_it() {
    let mut world = World::with_host();
    joined(&mut world, &[HostRole::Allocator, HostRole::Proxy]);
    let offered = world.state.allocators[&allocator_id(7)].capacity;
    assert_ne!(offered, Size::default());
    let roles = |roles: &[HostRole]| UpdateAllocator {
        roles: Some(roles.iter().copied().collect()),
        ..change(7)
    };
    world.ok(Body::UpdateAllocator(roles(&[HostRole::Collector])));
    let record = &world.state.allocators[&allocator_id(7)];
    assert_eq!(record.capacity, Size::default());
    let first = world.state.hosts[&allocator_id(7)].roles_changed_ms;
    assert!(first > 0, "the host must be told");
    let back = roles(&[HostRole::Allocator, HostRole::Proxy]);
    world.ok(Body::UpdateAllocator(back));
    let record = &world.state.allocators[&allocator_id(7)];
    assert_eq!(record.capacity, offered);
    assert!(world.state.hosts[&allocator_id(7)].roles_changed_ms > first);
}

#[test]
fn roles_that_a_host_cannot_have_are_refused_with_the_way_to_them() {
    let mut world = World::with_host();
    joined(&mut world, &[HostRole::Allocator]);
    let wish = |number, roles: &[HostRole]| UpdateAllocator {
        roles: Some(roles.iter().copied().collect()),
        ..change(number)
    };
    let refused = refusal(&mut world, wish(7, &[HostRole::Allocator, HostRole::Proxy]));
    assert!(
        refused.message.contains("no identity of a proxy"),
        "{refused}"
    );
    let refused = refusal(&mut world, wish(7, &[]));
    assert_eq!(refused.kind, RefusalKind::InvalidArgument);
    let refused = refusal(&mut world, wish(1, &[HostRole::Collector]));
    assert!(
        refused.message.contains("was brought up on host-1"),
        "{refused}"
    );
}

#[test]
fn another_version_is_refused_and_the_same_again_changes_nothing() {
    let mut world = World::with_host();
    let version = world.state.allocators[&allocator_id(1)].version;
    let on = |expected| UpdateAllocator {
        maintenance: Some(true),
        ..UpdateAllocator::of(allocator_id(1), expected)
    };
    let refused = refusal(&mut world, on(version + 1));
    assert_eq!(refused.code, codes::VERSION);
    world.ok(Body::UpdateAllocator(on(version)));
    assert_eq!(
        world.apply(Body::UpdateAllocator(on(0))),
        Outcome::Unchanged
    );
}

#[test]
fn a_host_that_is_emptied_stays_in_maintenance_mode_until_its_vacate_has_ended() {
    let mut world = World::with_host();
    world.create("logs");
    world.settle();
    let maintenance = |on| UpdateAllocator {
        maintenance: Some(on),
        ..change(1)
    };
    let vacate_id = "cd".repeat(16);
    world.ok(Body::BeginVacate(BeginVacate {
        vacate_id: vacate_id.clone(),
        allocator_id: allocator_id(1),
        expected_version: 0,
        to: Vec::new(),
        parallelism: 0,
        host_down: false,
    }));
    let refused = refusal(&mut world, maintenance(false));
    assert_eq!(
        (refused.code.as_str(), refused.field.as_str()),
        (codes::ALLOCATOR_CHANGE, "maintenance")
    );
    assert!(refused.message.contains(&vacate_id), "{refused}");
    assert!(world.state.allocators[&allocator_id(1)].maintenance);
    // What changes nothing of it is no reason to refuse.
    world.apply(Body::UpdateAllocator(maintenance(true)));
    world.ok(Body::UpdateAllocator(UpdateAllocator {
        tags: Some(BTreeMap::from([("disk".to_owned(), "ssd".to_owned())])),
        ..change(1)
    }));
    world.ok(Body::CancelVacate(CancelVacate {
        vacate_id: vacate_id.clone(),
        expected_version: 0,
    }));
    let status = world.state.vacates[&vacate_id].status;
    assert_eq!(status, VacateStatus::Cancelled, "nothing moved yet");
    world.ok(Body::UpdateAllocator(maintenance(false)));
    assert!(!world.state.allocators[&allocator_id(1)].maintenance);
}
