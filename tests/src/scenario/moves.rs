//! Moves under load: the host of a storage node is vacated while clients write and search. Not here: what a
//! move promises at any moment of a failure (the director's and the store's own tests).

use std::time::{Duration, Instant};

use super::{
    Deployed, Timeline,
    hosts::{connected, instance_containers, loaded, set_apart},
};
use crate::testbed::Fleet;

const PATIENCE: Duration = Duration::from_secs(180);

/// Empties the host of the storage node; no client notices, and nothing acknowledged may be lost.
///
/// # Panics
/// When the vacate does not end well, something is left on the host, a request fails, or data is lost.
pub fn vacated(fleet: &mut Fleet) {
    let timeline = Timeline::begin("vacated");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let from = web.host_of(fleet, "storage-0");
    let name = fleet.name(from);
    let before = web.instances(fleet).expect("a director answers");
    loaded(fleet, &timeline, &web, &[], true, |fleet, load| {
        // So that there is something to copy.
        timeline.until("some hundred documents are there", PATIENCE, || {
            let taken = load.acknowledged();
            if taken >= 500 { Ok(()) } else { Err("fewer") }
        });
        let begun = Instant::now();
        timeline.at(&format!("wharf allocator vacate {name}"), || {
            fleet
                .desk()
                .ask(&["allocator", "vacate", &name])
                .unwrap_or_else(|error| panic!("the vacate was refused: {error}"));
        });
        emptied(fleet, &timeline, &name);
        timeline.note(format_args!(
            "vacated in {:.1} s; {}",
            begun.elapsed().as_secs_f64(),
            web.told(fleet)
        ));
        timeline.until(
            "no container of an instance is left there",
            PATIENCE,
            || {
                let left = instance_containers(fleet, from);
                if left.is_empty() {
                    Ok(())
                } else {
                    Err(left.join(", "))
                }
            },
        );
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
    });
    let after = web.instances(fleet).expect("a director answers");
    let ids = |all: &[super::Instance]| all.iter().map(|one| one.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after), "an instance became another one");
    assert!(after.iter().all(|one| one.host != Some(from)), "{after:?}");
    used_again(fleet, &timeline, &name);
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}

/// Empties the host of the monitoring node, whose power is lost and is not waited for; it comes back.
///
/// # Panics
/// When the monitoring node is not replaced, what it left is still there in the end, or a request fails.
pub fn vacated_host_down(fleet: &mut Fleet) {
    let timeline = Timeline::begin("vacated-host-down");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let (_, from) = set_apart(fleet, &timeline, &web);
    let name = fleet.name(from);
    loaded(fleet, &timeline, &web, &[from], true, |fleet, _| {
        let killed = Instant::now();
        timeline.at(
            &format!("cut the power of {name}, which has monitoring-0"),
            || fleet.cut_power(|host| host == from),
        );
        let vacate = ["allocator", "vacate", &name, "--host-down", "--yes"];
        // Refused while the host still counts as connected.
        timeline.until(
            &format!("wharf allocator vacate {name} --host-down"),
            PATIENCE,
            || fleet.desk().ask(&vacate).map(drop),
        );
        emptied(fleet, &timeline, &name);
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
        timeline.note(format_args!(
            "replaced {:.1} s after its host was lost; {}",
            killed.elapsed().as_secs_f64(),
            web.told(fleet)
        ));
        timeline.at(&format!("power {name} on"), || {
            fleet.power_on(|host| host == from)
        });
        timeline.until(&format!("{name} is connected"), PATIENCE, || {
            connected(fleet, &name)
        });
        timeline.until("what was replaced is gone", PATIENCE, || {
            let left = instance_containers(fleet, from);
            if left.is_empty() {
                Ok(())
            } else {
                Err(left.join(", "))
            }
        });
    });
    used_again(fleet, &timeline, &name);
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}

/// Waits until the last vacate of this host is done.
pub(super) fn emptied(fleet: &Fleet, timeline: &Timeline, name: &str) {
    timeline.until(&format!("nothing lies on {name}"), PATIENCE, || {
        let shown = fleet.desk().ask(&["vacate", "show", name])?;
        let moves = shown["moves"].as_array().into_iter().flatten();
        let told: Vec<String> = moves
            .map(|one| {
                let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
                let to = text("to_host");
                format!(
                    "{} {} {to} {}",
                    text("instance_name"),
                    text("state"),
                    text("reason")
                )
            })
            .collect();
        match shown["status"].as_str() {
            Some("VACATE_STATUS_DONE") => Ok(()),
            other => Err(format!(
                "{} {}: {}",
                other.unwrap_or_default(),
                shown["reason"],
                told.join("; ")
            )),
        }
    });
}

/// Ends the maintenance that a vacate leaves behind.
pub(super) fn used_again(fleet: &Fleet, timeline: &Timeline, name: &str) {
    timeline.at(&format!("wharf allocator maintenance {name} off"), || {
        fleet
            .desk()
            .ask(&["allocator", "maintenance", name, "off"])
            .unwrap_or_else(|error| panic!("maintenance mode was not ended: {error}"));
    });
}
