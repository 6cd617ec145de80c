//! Where zones are: what is a location, who has one, how it is changed, and that nothing else comes of it.

use proptest::prelude::*;

use super::*;
use crate::{
    apply::apply,
    command::{Body, Command, ForgetAllocator},
    fixture::{World, allocator_id, register, size},
    state::ZONE_LOCATIONS_LEVEL,
};

fn seoul() -> ZoneLocation {
    location(Some(37.566_5), Some(126.978), "Seoul").expect("a town has a location")
}

fn set(zone: &str, location: ZoneLocation, expected_version: u64) -> Body {
    Body::SetZoneLocation(SetZoneLocation {
        zone: zone.to_owned(),
        location,
        expected_version,
    })
}

fn clear(zone: &str, expected_version: u64) -> Body {
    Body::ClearZoneLocation(ClearZoneLocation {
        zone: zone.to_owned(),
        expected_version,
    })
}

fn refused(outcome: Outcome) -> Refusal {
    outcome.accepted().expect_err("it is refused")
}

#[test]
fn degrees_are_kept_to_the_millionth_and_the_ends_of_the_earth_are_on_it() {
    let kept = seoul();
    assert_eq!(
        (kept.latitude_microdegrees, kept.longitude_microdegrees),
        (37_566_500, 126_978_000)
    );
    assert_eq!(
        (kept.latitude_degrees(), kept.longitude_degrees()),
        (37.566_5, 126.978)
    );
    for (latitude, longitude) in [(90.0, 180.0), (-90.0, -180.0), (0.0, 0.0)] {
        location(Some(latitude), Some(longitude), "")
            .unwrap_or_else(|refusal| panic!("{latitude}, {longitude}: {refusal}"));
    }
}

#[test]
fn what_no_point_on_the_earth_has_is_refused_and_the_field_named() {
    let long = "x".repeat(PLACE_BYTES + 1);
    for (latitude, longitude, place, field) in [
        (None, Some(1.0), "", LATITUDE_FIELD),
        (Some(1.0), None, "", LONGITUDE_FIELD),
        (Some(90.000_001), Some(1.0), "", LATITUDE_FIELD),
        (Some(-90.1), Some(1.0), "", LATITUDE_FIELD),
        (Some(f64::NAN), Some(1.0), "", LATITUDE_FIELD),
        (Some(1.0), Some(180.1), "", LONGITUDE_FIELD),
        (Some(1.0), Some(f64::NEG_INFINITY), "", LONGITUDE_FIELD),
        (Some(1.0), Some(1.0), long.as_str(), "location.place"),
        (Some(1.0), Some(1.0), "two\nlines", "location.place"),
    ] {
        let refusal = location(latitude, longitude, place)
            .expect_err(&format!("{latitude:?}, {longitude:?}, {place:?}"));
        assert_eq!(
            (refusal.code.as_str(), refusal.field.as_str()),
            (codes::ZONE_LOCATION, field),
            "{latitude:?}, {longitude:?}, {place:?}"
        );
        assert!(!refusal.hint.is_empty(), "it says what to do: {refusal}");
    }
}

#[test]
fn a_command_of_somebody_who_did_not_check_is_checked_when_it_is_applied() {
    let mut world = World::with_host();
    for wrong in [
        ZoneLocation {
            latitude_microdegrees: i32::MIN,
            ..seoul()
        },
        ZoneLocation {
            longitude_microdegrees: 180_000_001,
            ..seoul()
        },
        ZoneLocation {
            place: "\u{7}".to_owned(),
            ..seoul()
        },
    ] {
        let refusal = refused(world.apply(set("zone-1", wrong.clone(), 0)));
        assert_eq!(refusal.code, codes::ZONE_LOCATION, "{wrong:?}");
    }
    assert!(world.state.zone_locations.is_empty(), "nothing was kept");
}

#[test]
fn a_zone_without_a_host_is_given_none_and_one_whose_hosts_went_keeps_its_own() {
    let mut world = World::new();
    let refusal = refused(world.apply(set("zone-1", seoul(), 0)));
    assert_eq!(
        (refusal.code.as_str(), refusal.field.as_str()),
        (codes::NOT_FOUND, "zone")
    );
    let refusal = refused(world.apply(clear("zone-1", 0)));
    assert_eq!(refusal.code, codes::NOT_FOUND);
    world.ok(Body::RegisterAllocator(register(1, "zone-1", size(1000))));
    world.ok(set("zone-1", seoul(), 0));
    world.ok(Body::ForgetAllocator(ForgetAllocator {
        allocator_id: allocator_id(1),
    }));
    assert_eq!(world.state.zone_locations["zone-1"].location, seoul());
    let elsewhere = ZoneLocation {
        place: "Busan".to_owned(),
        ..seoul()
    };
    world.ok(set("zone-1", elsewhere, 0));
    world.ok(clear("zone-1", 0));
    assert!(world.state.zone_locations.is_empty(), "it is cleared");
}

#[test]
fn a_change_counts_only_for_the_version_that_it_was_made_of() {
    let mut world = World::with_host();
    let first = world.apply(set("zone-1", seoul(), 0));
    assert_eq!(first, Outcome::Version { version: 1 });
    let again = world.apply(set("zone-1", seoul(), 1));
    assert_eq!(again, Outcome::Unchanged, "it is there already");
    let busan = ZoneLocation {
        latitude_microdegrees: 35_179_600,
        ..seoul()
    };
    let second = world.apply(set("zone-1", busan.clone(), 1));
    assert_eq!(second, Outcome::Version { version: 2 });
    for late in [set("zone-1", seoul(), 1), clear("zone-1", 1)] {
        let refusal = refused(world.apply(late));
        assert_eq!(
            (refusal.code.as_str(), refusal.retryable),
            (codes::VERSION, true)
        );
    }
    assert_eq!(world.state.zone_locations["zone-1"].location, busan);
    assert_eq!(world.apply(clear("zone-1", 2)), Outcome::Done);
    assert_eq!(
        world.apply(clear("zone-1", 0)),
        Outcome::Unchanged,
        "there is none any more"
    );
}

#[test]
fn the_audit_log_says_who_put_which_zone_where() {
    let mut world = World::with_host();
    let command = Command::new(9, "ada", None, set("zone-1", seoul(), 0));
    apply(&mut world.state, &command);
    let line = world.state.audit.back().expect("a line").clone();
    assert_eq!(
        (
            line.actor.as_str(),
            line.action.as_str(),
            line.subject.as_str()
        ),
        ("ada", "set_zone_location", "zone/zone-1")
    );
    assert_eq!(line.detail, "to 37.5665, 126.978 (Seoul)");
}

#[test]
fn locations_are_bounded_and_a_known_zone_is_changed_at_the_bound() {
    let mut world = World::with_host();
    world.ok(set("zone-1", seoul(), 0));
    let record = world.state.zone_locations["zone-1"].clone();
    for number in 1..ZONE_LOCATIONS_KEPT {
        let name = format!("gone-{number}");
        world.state.zone_locations.insert(name, record.clone());
    }
    world.ok(Body::RegisterAllocator(register(2, "zone-2", size(1000))));
    let refusal = refused(world.apply(set("zone-2", seoul(), 0)));
    assert_eq!(
        (refusal.code.as_str(), refusal.kind),
        (codes::ZONE_LOCATION, RefusalKind::ResourceExhausted)
    );
    let moved = ZoneLocation {
        place: "Busan".to_owned(),
        ..seoul()
    };
    world.ok(set("zone-1", moved, 0));
}

#[test]
fn a_snapshot_of_a_version_without_locations_is_read() {
    let state = World::with_host().state;
    let text = String::from_utf8(state.encode()).expect("a snapshot is text");
    assert!(
        !text.contains("zone_locations"),
        "no location is not written: an older member reads the snapshot"
    );
    assert_eq!(State::decode(text.as_bytes()).expect("readable"), state);
}

#[test]
fn members_of_the_level_below_are_sent_none() {
    let mut world = World::with_host();
    world.state.feature_level = ZONE_LOCATIONS_LEVEL - 1;
    for body in [set("zone-1", seoul(), 0), clear("zone-1", 0)] {
        let refusal = refused(world.apply(body));
        assert_eq!(refusal.code, codes::FEATURE_LEVEL);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_location_survives_command_snapshot_and_the_way_back_to_degrees(
        latitude in -90.0..=90.0_f64,
        longitude in -180.0..=180.0_f64,
        place in "[a-zA-Z가-힣 '-]{0,30}",
    ) {
        let kept = location(Some(latitude), Some(longitude), &place).expect("it is on the earth");
        prop_assert!((kept.latitude_degrees() - latitude).abs() <= 0.5 / MICRODEGREES);
        prop_assert!((kept.longitude_degrees() - longitude).abs() <= 0.5 / MICRODEGREES);
        let again = location(
            Some(kept.latitude_degrees()),
            Some(kept.longitude_degrees()),
            &kept.place,
        );
        prop_assert_eq!(again.as_ref(), Ok(&kept), "what is shown can be given again");
        let mut world = World::with_host();
        let command = Command::new(5, "ada", None, set("zone-1", kept.clone(), 0));
        let read = Command::decode(&command.encode().expect("small")).expect("readable");
        prop_assert_eq!(&read, &command);
        apply(&mut world.state, &read);
        let state = State::decode(&world.state.encode()).expect("readable");
        prop_assert_eq!(&state, &world.state);
        prop_assert_eq!(&state.zone_locations["zone-1"].location, &kept);
    }

    #[test]
    fn any_numbers_are_a_location_or_a_refusal_that_names_a_field(
        latitude in any::<Option<f64>>(),
        longitude in any::<Option<f64>>(),
        place in ".{0,200}",
    ) {
        match location(latitude, longitude, &place) {
            Ok(kept) => prop_assert!(check(&kept).is_ok()),
            Err(refusal) => prop_assert!(refusal.field.starts_with("location.")),
        }
    }
}
