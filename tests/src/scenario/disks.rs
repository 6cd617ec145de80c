//! A director that loses its disk: it is a new member of the group and gets the log anew. A disk that fills
//! up under director, allocator and storage node of a host. Not here: damaged logs (the director's own tests),
//! a disk that fills up under one storage node (`docker_store_disk`).

use std::time::{Duration, Instant};

use super::{
    Deployed, Timeline,
    hosts::{connected, loaded},
    leaders::{director_process, directors, signal, whole_group},
    with_writes,
};
use crate::testbed::Fleet;

const PATIENCE: Duration = Duration::from_secs(180);

/// Removes the log of a director that does not lead, and kills it.
///
/// # Panics
/// When it is not a voter again, a client notices, or something acknowledged is lost.
pub fn director_wiped(fleet: &mut Fleet) {
    let timeline = Timeline::begin("director-wiped");
    let web = Deployed::ensure(fleet, &timeline, "web");
    timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
    let leader = fleet.leader().expect("a whole group has a leader");
    let hosts = (1..fleet.layout().hosts).filter(|host| fleet.layout().is_director(*host));
    let wiped = hosts.filter(|host| *host != leader).min();
    let wiped = wiped.expect("a follower that joined by a token");
    let name = fleet.name(wiped);
    let member = |fleet: &Fleet| -> Result<u64, String> {
        let all = fleet.directors()?;
        let found = all.iter().find(|one| one["host"] == name.as_str());
        found
            .and_then(|one| one["member_id"].as_u64())
            .ok_or_else(|| format!("{name} is no director: {all:?}"))
    };
    let before = member(fleet).expect("a whole group has it");
    loaded(fleet, &timeline, &web, &[], true, |fleet, _| {
        timeline.at(
            &format!("remove the director's log on {name} and kill -9 it"),
            || {
                let pid = director_process(fleet, wiped).expect("its process");
                // Stopped first, so that it writes nothing in between.
                signal(&pid, "-STOP");
                let log = fleet.host(wiped).data_dir().join("director/raft");
                std::fs::remove_dir_all(&log)
                    .unwrap_or_else(|error| panic!("{} cannot be removed: {error}", log.display()));
                signal(&pid, "-9");
            },
        );
        timeline.until(
            &format!("{name} is another member"),
            PATIENCE,
            || match member(fleet)? {
                same if same == before => Err("the old member is listed".to_owned()),
                _ => Ok(()),
            },
        );
        timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
    });
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}

/// The host whose disk fills up: it has a director, and room for `system`.
const FULL: usize = 0;
/// Of the small disk.
const BYTES: u64 = 4 << 30;

/// Fills the disk of the host with a director and the storage node of `system` to the last block, under load
/// on that storage node, and makes room again.
///
/// # Panics
/// When the platform does not say so, the other directors take no writes, something acknowledged is lost, or
/// it does not heal by itself.
pub fn full_disk(fleet: &mut Fleet) {
    let timeline = Timeline::begin("full-disk");
    let system = Deployed::ensure(fleet, &timeline, "system");
    let name = fleet.name(FULL);
    assert_eq!(
        system.host_of(fleet, "storage-0"),
        FULL,
        "`system` lies on the first host"
    );
    timeline.at(&format!("give {name} a disk of 4 GiB"), || {
        fleet.cut_power(|host| host == FULL);
        fleet.host(FULL).move_data_to_disk(BYTES);
        fleet.power_on(|host| host == FULL);
    });
    timeline.until(&format!("{name} is connected"), PATIENCE, || {
        connected(fleet, &name)
    });
    timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    let before = system.instances(fleet).expect("a director answers");
    loaded(fleet, &timeline, &system, &[FULL], false, |fleet, load| {
        let filled = Instant::now();
        timeline.at(&format!("fill the disk of {name}"), || {
            fleet.host(FULL).fill_data_disk();
        });
        let rest: Vec<_> = directors(fleet)
            .into_iter()
            .filter(|one| Some(*one) != fleet.host(FULL).address())
            .collect();
        let after = with_writes(fleet.desk(), &rest, |writes| {
            timeline.until("the other directors take a write", PATIENCE, || {
                writes.first_since(filled).map(drop)
            });
            writes.first_since(filled).expect("one was accepted")
        });
        timeline.note(format_args!(
            "first accepted write: {} ms after the disk was full",
            after.as_millis()
        ));
        timeline.until(
            "the platform says that the disk is full",
            PATIENCE,
            || match fleet.problems() {
                Err(told) if told.contains("MiB are free on the data directory's disk") => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
        timeline.while_for("the platform is led", Duration::from_secs(45), || {
            fleet.leader().map(drop)
        });
        for director in fleet.directors().unwrap_or_default() {
            timeline.note(format_args!(
                "director on {}: {}, connected: {}, {}",
                director["host"], director["role"], director["connected"], director["waits_for"]
            ));
        }
        if let Err(problems) = fleet.problems() {
            timeline.note(format_args!("`wharf status`: {problems}"));
        }
        timeline.note(system.told(fleet));
        let taken = load.acknowledged();
        let roomy = Instant::now();
        timeline.at("make room", || fleet.host(FULL).make_room());
        timeline.until("documents are taken", PATIENCE, || {
            load.goes_on_since(taken)
        });
        timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
        timeline.until("system is healthy", PATIENCE, || system.healthy(fleet));
        // What the spool had no room for stays counted.
        timeline.until("nothing else is wrong", PATIENCE, || {
            match fleet.problems() {
                Err(told) if !told.split("; ").all(|one| one.contains("have dropped")) => Err(told),
                _ => Ok(()),
            }
        });
        timeline.note(format_args!(
            "healed {:.1} s after there was room",
            roomy.elapsed().as_secs_f64()
        ));
    });
    let after = system.instances(fleet).expect("a director answers");
    let places = |all: &[super::Instance]| {
        let place = |one: &super::Instance| (one.id.clone(), one.host);
        all.iter().map(place).collect::<Vec<_>>()
    };
    assert_eq!(places(&before), places(&after), "an instance was moved");
    timeline.end(fleet.desk());
}
