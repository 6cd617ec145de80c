//! Zones: listed as sums of their hosts, given a location, and it taken away. Not here: what is a location
//! (`wharf_director_core::apply::zone`).

use tonic::Status;
use wharf_director_core::{
    apply::zone::location,
    command::{Body, ClearZoneLocation, SetZoneLocation},
    messages::zones::{HostFigures, zones},
};
use wharf_proto::v1;

use super::{asked, expected, info, not_found, page, views::View};
use crate::{answer::refused, auth::Principal, director::Director};

const FIELDS: [&str; 7] = [
    "name",
    "hosts",
    "connected",
    "instances",
    "containers",
    "place",
    "located",
];

fn all(director: &Director) -> Vec<v1::Zone> {
    let view = View::of(director);
    let figures = director.seen.map_hosts(|host| {
        let facts = host.facts.as_ref();
        HostFigures {
            memory_bytes: facts.map_or(0, |facts| facts.memory_bytes),
            memory_used_bytes: facts.map_or(0, |facts| facts.memory_used_bytes),
            containers: host.running,
        }
    });
    zones(&view.state, &view.seen, &figures)
}

pub(super) fn list(
    director: &Director,
    message: &v1::ListZonesRequest,
) -> Result<v1::ListZonesResponse, Status> {
    let page = page(
        message.options.as_ref(),
        &FIELDS,
        all(director),
        |row, field| match field {
            "hosts" => row.hosts.into(),
            "connected" => row.connected.into(),
            "instances" => row.instances.into(),
            "containers" => row.containers.into(),
            "place" => {
                let place = row
                    .location
                    .as_ref()
                    .map(|location| location.place.as_str());
                place.unwrap_or_default().into()
            }
            "located" => row.location.is_some().into(),
            _ => row.name.as_str().into(),
        },
        |row| row.name.clone(),
    )?;
    Ok(v1::ListZonesResponse {
        info: Some(info(&page)),
        zones: page.rows,
    })
}

pub(super) async fn set_location(
    director: &Director,
    principal: &Principal,
    message: &v1::SetZoneLocationRequest,
) -> Result<v1::Zone, Status> {
    let asked = asked(principal, message.mutation.as_ref(), message)?;
    let given = message.location.clone().unwrap_or_default();
    let location = location(
        given.latitude_degrees,
        given.longitude_degrees,
        &given.place,
    )
    .map_err(|refusal| refused(&refusal))?;
    let body = Body::SetZoneLocation(SetZoneLocation {
        zone: message.zone.clone(),
        location,
        expected_version: expected(message.mutation.as_ref()),
    });
    director.proposer.once(&asked, |_| Ok(body)).await?;
    all(director)
        .into_iter()
        .find(|zone| zone.name == message.zone)
        .ok_or_else(|| not_found("zone", &message.zone))
}

pub(super) async fn clear_location(
    director: &Director,
    principal: &Principal,
    message: &v1::ClearZoneLocationRequest,
) -> Result<(), Status> {
    let asked = asked(principal, message.mutation.as_ref(), message)?;
    let body = Body::ClearZoneLocation(ClearZoneLocation {
        zone: message.zone.clone(),
        expected_version: expected(message.mutation.as_ref()),
    });
    director.proposer.once(&asked, |_| Ok(body)).await?;
    Ok(())
}
