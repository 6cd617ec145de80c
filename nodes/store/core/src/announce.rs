//! How a storage node makes itself known to the bridge that its container is plugged into: where to, and
//! how often.
//!
//! The network of a dead container can outlive it, in an engine that was killed: a connection with unsent
//! data holds it for up to two minutes, and a copy of its mount in another program's view for one. The next
//! engine knows nothing of it and gives its address away, so two answer under one, and a bridge sends to the
//! one that spoke last. A dead one refuses every client, and by that is the last to have spoken, over and
//! over. So a storage node speaks first, and goes on speaking.
//!
//! Invariants: nobody but a gateway in use is spoken to, and no more than [`MOST`] of them. Not here: reading
//! the table, sending.

use std::{collections::BTreeSet, net::Ipv4Addr, time::Duration};

/// How long a dead network may well be there.
pub const YOUNG: Duration = Duration::from_secs(180);
/// Between announcements while it may be there: what it costs a client at most.
pub const EAGER: Duration = Duration::from_secs(1);
/// Between announcements later, when only something unusual can hold it.
pub const CALM: Duration = Duration::from_secs(10);
/// Gateways that are spoken to at most.
pub const MOST: usize = 8;

/// The route is in use.
const UP: u32 = 1;
/// The route leads through a gateway.
const GATEWAY: u32 = 2;

/// Gateways in use, from the kernel's table of routes as `/proc/net/route` shows it. What is not
/// understood is passed over.
#[must_use]
pub fn gateways(table: &str) -> BTreeSet<Ipv4Addr> {
    table.lines().filter_map(gateway).take(MOST).collect()
}

fn gateway(line: &str) -> Option<Ipv4Addr> {
    let mut fields = line.split_ascii_whitespace().skip(2);
    // Printed as a number of the host's byte order, though it lies in memory as the network's.
    let address = u32::from_str_radix(fields.next()?, 16).ok()?.to_ne_bytes();
    let flags = u32::from_str_radix(fields.next()?, 16).ok()?;
    (flags & (UP | GATEWAY) == UP | GATEWAY).then(|| address.into())
}

/// How long to wait after an announcement, by how long there have been any.
#[must_use]
pub fn pause(age: Duration) -> Duration {
    if age < YOUNG { EAGER } else { CALM }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    fn route(gateway: [u8; 4], flags: &str) -> String {
        let gateway = u32::from_ne_bytes(gateway);
        format!("eth0\t00000000\t{gateway:08X}\t{flags}\t0\t0\t0\t00000000\t0\t0\t0\n")
    }

    #[test]
    fn the_gateway_of_a_container_is_found_and_its_own_network_is_none() {
        let table = format!(
            "{HEADER}{}{}",
            route([172, 17, 0, 1], "0003"),
            route([0, 0, 0, 0], "0001")
        );
        assert_eq!(
            gateways(&table),
            BTreeSet::from([Ipv4Addr::new(172, 17, 0, 1)])
        );
    }

    #[test]
    fn a_route_that_is_down_or_torn_names_nobody() {
        let down = route([172, 17, 0, 1], "0002");
        for table in ["", HEADER, &down, "eth0\t0\n", "eth0 0 zz 0003", "eth0 0 1"] {
            assert_eq!(gateways(table), BTreeSet::new(), "of {table:?}");
        }
    }

    #[test]
    fn a_long_table_names_no_more_than_the_most() {
        let table: String = (0..200).map(|n| route([10, 0, n, 1], "0003")).collect();
        assert_eq!(gateways(&table).len(), MOST);
    }

    #[test]
    fn a_young_one_speaks_every_second_and_an_old_one_goes_on() {
        assert_eq!(pause(Duration::ZERO), EAGER);
        assert_eq!(pause(YOUNG.checked_sub(EAGER).unwrap()), EAGER);
        assert_eq!(pause(YOUNG), CALM);
    }
}
