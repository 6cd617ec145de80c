//! Applying commands about where zones are. A zone is what its hosts say; only a zone that has a host is given
//! a location, and it keeps it when its last host goes, because another may come. Not here: zones as
//! sums of their hosts (`messages/zones`).

use crate::{
    apply::check_version,
    command::{ClearZoneLocation, SetZoneLocation},
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{MICRODEGREES, State, ZONE_LOCATIONS_KEPT, ZoneLocation, ZoneLocationRecord},
};

/// Bytes of a place's name at most.
pub const PLACE_BYTES: usize = 128;
const LATITUDE_DEGREES: i32 = 90;
const LONGITUDE_DEGREES: i32 = 180;
const LATITUDE_FIELD: &str = "location.latitude_degrees";
const LONGITUDE_FIELD: &str = "location.longitude_degrees";
const NOUN: &str = "location of the zone";

fn refuse(field: &str, message: String, hint: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::InvalidArgument, codes::ZONE_LOCATION, message)
        .field(field)
        .hint(hint)
}

fn out_of_range(field: &str, most: i32, found: impl std::fmt::Display) -> Refusal {
    refuse(
        field,
        format!("`{found}` is no number of degrees from -{most} to {most}"),
        "give degrees with a decimal point; south and west are negative",
    )
}

fn microdegrees(field: &str, most: i32, degrees: Option<f64>) -> Result<i32, Refusal> {
    let Some(degrees) = degrees else {
        return Err(refuse(
            field,
            format!("`{field}` is missing"),
            "give latitude and longitude, both in degrees",
        ));
    };
    // Not a number is in no range.
    if !(f64::from(-most)..=f64::from(most)).contains(&degrees) {
        return Err(out_of_range(field, most, degrees));
    }
    Ok((degrees * MICRODEGREES).round() as i32)
}

/// The location of degrees as people give them.
///
/// # Errors
/// Names the field that is missing or that no point on the earth has.
pub fn location(
    latitude_degrees: Option<f64>,
    longitude_degrees: Option<f64>,
    place: &str,
) -> Result<ZoneLocation, Refusal> {
    let location = ZoneLocation {
        latitude_microdegrees: microdegrees(LATITUDE_FIELD, LATITUDE_DEGREES, latitude_degrees)?,
        longitude_microdegrees: microdegrees(
            LONGITUDE_FIELD,
            LONGITUDE_DEGREES,
            longitude_degrees,
        )?,
        place: place.trim().to_owned(),
    };
    check(&location)?;
    Ok(location)
}

fn check(location: &ZoneLocation) -> Result<(), Refusal> {
    let within = |micro: i32, most: i32| micro.unsigned_abs() <= most.unsigned_abs() * 1_000_000;
    if !within(location.latitude_microdegrees, LATITUDE_DEGREES) {
        let found = location.latitude_degrees();
        return Err(out_of_range(LATITUDE_FIELD, LATITUDE_DEGREES, found));
    }
    if !within(location.longitude_microdegrees, LONGITUDE_DEGREES) {
        let found = location.longitude_degrees();
        return Err(out_of_range(LONGITUDE_FIELD, LONGITUDE_DEGREES, found));
    }
    let place = &location.place;
    if place.len() > PLACE_BYTES || place.contains(char::is_control) {
        return Err(refuse(
            "location.place",
            format!("`{}` is no name of a place", cut(place, 64).escape_debug()),
            format!("one line of at most {PLACE_BYTES} bytes, or nothing"),
        ));
    }
    Ok(())
}

fn has_host(state: &State, zone: &str) -> bool {
    state
        .allocators
        .values()
        .any(|allocator| allocator.zone == zone)
}

fn version(state: &State, zone: &str) -> u64 {
    state
        .zone_locations
        .get(zone)
        .map_or(0, |record| record.version)
}

pub(super) fn set_location(state: &mut State, body: &SetZoneLocation) -> Result<Outcome, Refusal> {
    check(&body.location)?;
    let known = state.zone_locations.get(&body.zone);
    if known.is_none() && !has_host(state, &body.zone) {
        return Err(Refusal::not_found("zone", &body.zone));
    }
    let version = version(state, &body.zone);
    check_version(NOUN, body.expected_version, version)?;
    if known.is_some_and(|known| known.location == body.location) {
        return Ok(Outcome::Unchanged);
    }
    if known.is_none() && state.zone_locations.len() >= ZONE_LOCATIONS_KEPT {
        return Err(Refusal::new(
            RefusalKind::ResourceExhausted,
            codes::ZONE_LOCATION,
            format!("{ZONE_LOCATIONS_KEPT} zones have a location already"),
        )
        .field("zone")
        .hint("clear those of zones that have no host any more; `wharf zone list` shows them"));
    }
    let version = version.saturating_add(1);
    let record = ZoneLocationRecord {
        location: body.location.clone(),
        changed_ms: state.now_ms,
        version,
    };
    state.zone_locations.insert(body.zone.clone(), record);
    Ok(Outcome::Version { version })
}

pub(super) fn clear_location(
    state: &mut State,
    body: &ClearZoneLocation,
) -> Result<Outcome, Refusal> {
    let known = state.zone_locations.contains_key(&body.zone);
    if !known && !has_host(state, &body.zone) {
        return Err(Refusal::not_found("zone", &body.zone));
    }
    check_version(NOUN, body.expected_version, version(state, &body.zone))?;
    if !known {
        return Ok(Outcome::Unchanged);
    }
    state.zone_locations.remove(&body.zone);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests;
