//! `wharf zone`: list zones, say where they are. Not here: which zone a host is in (`allocator.rs`).

use wharf_proto::v1::{
    ClearZoneLocationRequest, ListZonesRequest, SetZoneLocationRequest, Zone, ZoneLocation,
};

use super::listing::read_all;
use crate::{
    args::{ZoneCommand, ZoneLocationArgs},
    client::{Client, mutation_as},
    failure::Failure,
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &ZoneCommand) -> Result<u8, Failure> {
    match command {
        ZoneCommand::List(args) => {
            let zones = read_all(args, |options| async {
                let request = ListZonesRequest {
                    options: Some(options),
                };
                let page = client.allocators().list_zones(request).await?.into_inner();
                Ok((page.zones, page.info))
            })
            .await?;
            let json = print::json_list(&zones)?;
            print::result(client.output(), &json, || table(&zones));
        }
        ZoneCommand::SetLocation(args) => {
            let request = request(args);
            let answer = client.allocators().set_zone_location(request).await?;
            let zone = answer.into_inner();
            let json = print::json(&zone)?;
            print::result(client.output(), &json, || {
                let at = zone.location.as_ref().map(place).unwrap_or_default();
                format!("zone {} is at {at}\n", print::printable(&zone.name))
            });
        }
        ZoneCommand::ClearLocation { zone, request } => {
            let request = ClearZoneLocationRequest {
                mutation: mutation_as(request.request_id.as_deref()),
                zone: zone.clone(),
            };
            let answer = client.allocators().clear_zone_location(request).await?;
            let json = print::json(&answer.into_inner())?;
            print::result(client.output(), &json, || {
                format!("zone {} has no location\n", print::printable(zone))
            });
        }
    }
    Ok(0)
}

fn request(args: &ZoneLocationArgs) -> SetZoneLocationRequest {
    SetZoneLocationRequest {
        mutation: mutation_as(args.request.request_id.as_deref()),
        zone: args.zone.clone(),
        location: Some(ZoneLocation {
            latitude_degrees: Some(args.latitude),
            longitude_degrees: Some(args.longitude),
            place: args.place.clone(),
        }),
    }
}

/// Where that is: what people call it, then its degrees as they are typed.
fn place(location: &ZoneLocation) -> String {
    let degrees = format!(
        "{}, {}",
        location.latitude_degrees.unwrap_or_default(),
        location.longitude_degrees.unwrap_or_default()
    );
    if location.place.is_empty() {
        return degrees;
    }
    format!("{} ({degrees})", print::printable(&location.place))
}

fn table(zones: &[Zone]) -> String {
    let mut table = Table::new(&[
        "ZONE",
        ">HOSTS",
        ">CONNECTED",
        ">INSTANCES",
        ">CONTAINERS",
        ">MEMORY",
        "LOCATION",
    ]);
    for zone in zones {
        table.row([
            zone.name.clone(),
            zone.hosts.to_string(),
            zone.connected.to_string(),
            zone.instances.to_string(),
            zone.containers.to_string(),
            format!(
                "{} of {}",
                print::bytes(zone.memory_used_bytes),
                print::bytes(zone.memory_bytes)
            ),
            zone.location.as_ref().map_or_else(|| "-".to_owned(), place),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_shown_by_its_place_and_by_degrees_that_can_be_typed_again() {
        let sydney = ZoneLocation {
            latitude_degrees: Some(-33.8688),
            longitude_degrees: Some(151.2093),
            place: "Sydney".to_owned(),
        };
        assert_eq!(place(&sydney), "Sydney (-33.8688, 151.2093)");
        let unnamed = ZoneLocation {
            place: String::new(),
            ..sydney
        };
        assert_eq!(place(&unnamed), "-33.8688, 151.2093");
    }

    #[test]
    fn a_zone_without_a_location_has_a_dash() {
        let zone = Zone {
            name: "zone-1".to_owned(),
            hosts: 1,
            ..Zone::default()
        };
        let shown = table(&[zone]);
        assert!(shown.trim_end().ends_with(" -"), "{shown}");
    }
}
