//! Links that break for a host with data: one way, or again and again for a moment. The platform may say
//! so; it moves nothing needlessly. Not here: leaders that are cut off (`leaders`).

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{Deployed, Instance, Timeline, hosts::connected, hosts::loaded};
use crate::testbed::{Fault, Fleet};

const PATIENCE: Duration = Duration::from_secs(120);
/// How often a link is lost in the minute.
const FLAPS: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

fn places(all: &[Instance]) -> Vec<(String, Option<usize>, String)> {
    all.iter()
        .map(|one| (one.id.clone(), one.host, one.container_id.clone()))
        .collect()
}

/// Nothing that the host of the storage node sends arrives at any director, while all that they send
/// arrives there.
///
/// # Panics
/// When the platform does not notice, the data is not there afterwards, or the host does not come back.
pub fn one_way(fleet: &mut Fleet) {
    let timeline = Timeline::begin("one-way-cut");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let storage = web.host_of(fleet, "storage-0");
    let name = fleet.name(storage);
    // Clients come through the host's own proxy and others: neither way is cut.
    loaded(fleet, &timeline, &web, &[], true, |fleet, _| {
        let directors: Vec<usize> = (0..fleet.layout().hosts)
            .filter(|host| fleet.layout().is_director(*host) && *host != storage)
            .collect();
        timeline.at(&format!("cut what {name} sends to the directors"), || {
            for director in &directors {
                let (from, to) = (fleet.host(storage), fleet.host(*director));
                fleet.network().break_link(from, to, Fault::Cut);
            }
        });
        timeline.until(
            &format!("the platform says that {name} is silent"),
            PATIENCE,
            || match connected(fleet, &name) {
                Err(_) => Ok(()),
                Ok(()) => Err("connected"),
            },
        );
        let now = web
            .instance(fleet, "storage-0")
            .expect("a director answers");
        timeline.note(format_args!("storage-0: {}", now.reason));
        timeline.at("heal it", || {
            for director in &directors {
                fleet
                    .network()
                    .heal(fleet.host(storage), fleet.host(*director));
            }
        });
        timeline.until(&format!("{name} is connected"), PATIENCE, || {
            connected(fleet, &name)
        });
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
    });
    assert_eq!(
        web.host_of(fleet, "storage-0"),
        storage,
        "the data was left behind"
    );
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}

/// The host of the storage node loses its cable twenty times in a minute, for a second each time.
///
/// # Panics
/// When an instance was moved or its container replaced, or something acknowledged is lost.
pub fn flapping(fleet: &mut Fleet) {
    let timeline = Timeline::begin("flapping");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let storage = web.host_of(fleet, "storage-0");
    let name = fleet.name(storage);
    let before = web.instances(fleet).expect("a director answers");
    loaded(fleet, &timeline, &web, &[storage], false, |fleet, _| {
        let begun = Instant::now();
        // The spans are what flapping is.
        for number in 0..FLAPS {
            thread::sleep(
                (begun + MINUTE / FLAPS * number).saturating_duration_since(Instant::now()),
            );
            fleet.host(storage).set_plugged(false);
            thread::sleep(Duration::from_secs(1));
            fleet.host(storage).set_plugged(true);
        }
        timeline.note(format_args!(
            "{name} was off the network {FLAPS} times in {:.0} s",
            begun.elapsed().as_secs_f64()
        ));
        timeline.until(&format!("{name} is connected"), PATIENCE, || {
            connected(fleet, &name)
        });
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
    });
    let after = web.instances(fleet).expect("a director answers");
    assert_eq!(
        places(&before),
        places(&after),
        "an instance was moved or replaced"
    );
    timeline.note("no instance was moved, no container replaced");
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}
