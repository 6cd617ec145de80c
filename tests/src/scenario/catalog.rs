//! The scenarios by name, each on a fleet that is whole when it begins. Not here: what they do.

use std::time::Duration;

use super::{
    Begins, Kept, all_rebooted, allocator_killed, authority_rotated, director_wiped,
    directors_dead, engines_restarted, flapping, full_disk, host_cut_off, host_killed,
    host_lost_restored, leader_cut_off, leader_kills, one_way, saturated, vacated,
    vacated_host_down, wrong_clock, zone_lost,
};
use crate::testbed::Fleet;

/// One that can be run.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// As `make scenarios SCENARIO=` takes it.
    pub name: &'static str,
    /// In a line.
    pub about: &'static str,
    /// Runs it.
    pub run: fn(&mut Fleet),
}

/// How long a scenario's span is: `WHARF_SCENARIO_SECONDS`, where the default is too long for a look.
fn span(default: u64) -> Duration {
    let given = std::env::var("WHARF_SCENARIO_SECONDS").ok();
    Duration::from_secs(given.and_then(|text| text.parse().ok()).unwrap_or(default))
}

/// Every scenario.
pub const SCENARIOS: [Scenario; 21] = [
    Scenario {
        name: "leader-kills",
        about: "the leading director killed 30 times: first accepted write",
        run: |fleet| leader_kills(fleet, 30),
    },
    Scenario {
        name: "leader-cut-off",
        about: "the leading director cut off, both ways, and back",
        run: leader_cut_off,
    },
    Scenario {
        name: "host-killed",
        about: "the host of a monitoring node lost, then that of a storage node, each back",
        run: host_killed,
    },
    Scenario {
        name: "vacated",
        about: "the host of a storage node vacated under load",
        run: vacated,
    },
    Scenario {
        name: "vacated-host-down",
        about: "the host of a monitoring node lost, and vacated without waiting for it",
        run: vacated_host_down,
    },
    Scenario {
        name: "allocator-killed",
        about: "the allocator killed at every step of creations and of a storage node's moves",
        run: allocator_killed,
    },
    Scenario {
        name: "director-wiped",
        about: "a director's log removed under load",
        run: director_wiped,
    },
    Scenario {
        name: "authority-rotated",
        about: "another CA under load, with a host away and a leader killed; and one taken back",
        run: authority_rotated,
    },
    Scenario {
        name: "one-way-cut",
        about: "what an allocator's host sends reaches no director",
        run: one_way,
    },
    Scenario {
        name: "host-cut-off",
        about: "a single-copy store cut off, both sides written to, begun empty elsewhere",
        run: |fleet| host_cut_off(fleet, Begins::Empty),
    },
    Scenario {
        name: "host-cut-off-restored",
        about: "the same, begun elsewhere from its last snapshot",
        run: |fleet| host_cut_off(fleet, Begins::Restored),
    },
    Scenario {
        name: "host-lost-restored",
        about: "the host of a storage node lost: it begins elsewhere from its last snapshot",
        run: |fleet| host_lost_restored(fleet, Kept::InFolder),
    },
    Scenario {
        name: "host-lost-restored-s3",
        about: "the same with a bucket of another's server",
        run: |fleet| host_lost_restored(fleet, Kept::InBucket),
    },
    Scenario {
        name: "full-disk",
        about: "the disk of a director, an allocator and a storage node full to the last block, and room again",
        run: full_disk,
    },
    Scenario {
        name: "wrong-clock",
        about: "the clock of the leader's and `system`'s host an hour forward, and backward",
        run: wrong_clock,
    },
    Scenario {
        name: "flapping",
        about: "a host off the network 20 times in a minute",
        run: flapping,
    },
    Scenario {
        name: "zone-lost",
        about: "every host of a zone lost and back",
        run: zone_lost,
    },
    Scenario {
        name: "engines-restarted",
        about: "every host's engine killed and started in turn",
        run: engines_restarted,
    },
    Scenario {
        name: "all-rebooted",
        about: "the power of every host lost at once and back: time to serving",
        run: all_rebooted,
    },
    Scenario {
        name: "directors-dead",
        about: "all directors dead for five minutes under load",
        run: |fleet| directors_dead(fleet, span(300)),
    },
    Scenario {
        name: "saturated",
        about: "every core busy for ten minutes: no leader changes",
        run: |fleet| saturated(fleet, span(600)),
    },
];
