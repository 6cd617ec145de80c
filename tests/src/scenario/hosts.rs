//! Hosts that lose their power: one with a monitoring node, one with data, a whole zone, all of them; and
//! engines that are restarted. Not here: links that break (`links`).

use std::time::{Duration, Instant};

use super::{
    Deployed, Load, Target, Timeline,
    leaders::{judge, whole_group},
    under_load,
};
use crate::testbed::{Fleet, must};

/// For grace, a replacement and what busy cores add.
const PATIENCE: Duration = Duration::from_secs(180);
/// From an engine's death to documents that are taken again: a bridge that still holds the address of a
/// dead container keeps clients out for a minute (`docker_faults`).
const ENGINE_BACK: Duration = Duration::from_secs(40);

/// Containers of instances on a host, by the engine's own list.
pub(super) fn instance_containers(fleet: &Fleet, host: usize) -> Vec<String> {
    let label = "label=io.wharfinger.role=instance";
    let list = [
        "ps",
        "-a",
        "--no-trunc",
        "--filter",
        label,
        "--format",
        "{{.ID}} {{.Names}}",
    ];
    let listed = must(&mut fleet.host(host).docker(&list));
    listed.lines().map(str::to_owned).collect()
}

/// Runs the work under load on the deployment, through proxies of hosts that nothing happens to; the fleet
/// is lent to the work, because power is cut through it.
pub(super) fn loaded(
    fleet: &mut Fleet,
    timeline: &Timeline,
    deployed: &Deployed,
    spared_of: &[usize],
    quiet: bool,
    work: impl FnOnce(&mut Fleet, &Load),
) {
    let proxies = Deployed::proxies_without(fleet, spared_of);
    // The desk is a place of its own: clients stay there while the fleet is changed.
    let desk = fleet.desk().clone();
    let target = Target {
        desk: &desk,
        credentials: &deployed.credentials,
        proxies: &proxies,
        index: timeline.name(),
    };
    let books = under_load(&target, |load| {
        timeline.until("documents are taken", PATIENCE, || load.goes_on_since(0));
        work(fleet, load);
        let before = load.acknowledged();
        timeline.until("documents are taken", PATIENCE, || {
            load.goes_on_since(before)
        });
    });
    judge(timeline, &target, &books, quiet);
}

/// Cuts the power of the host of the monitoring node, then of the storage node; each comes back.
///
/// # Panics
/// When the monitoring node is not replaced, the storage node is, or something acknowledged is lost.
pub fn host_killed(fleet: &mut Fleet) {
    let timeline = Timeline::begin("host-killed");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let (storage, monitoring) = set_apart(fleet, &timeline, &web);
    loaded(
        fleet,
        &timeline,
        &web,
        &[storage, monitoring],
        false,
        |fleet, load| {
            let name = fleet.name(monitoring);
            let killed = Instant::now();
            timeline.at(
                &format!("cut the power of {name}, which has monitoring-0"),
                || {
                    fleet.cut_power(|host| host == monitoring);
                },
            );
            timeline.until("monitoring-0 is healthy elsewhere", PATIENCE, || {
                let now = web.instance(fleet, "monitoring-0")?;
                if now.healthy && now.host.is_some_and(|host| host != monitoring) {
                    Ok(())
                } else {
                    Err(format!(
                        "{:?} on {:?}",
                        now.reason,
                        now.host.map(|host| fleet.name(host))
                    ))
                }
            });
            timeline.note(format_args!(
                "replaced {:.1} s after its host was lost; {}",
                killed.elapsed().as_secs_f64(),
                web.told(fleet)
            ));
            timeline.at(&format!("power {name} on"), || {
                fleet.power_on(|host| host == monitoring)
            });
            timeline.until(&format!("{name} is connected"), PATIENCE, || {
                connected(fleet, &name)
            });
            let id = web
                .instance(fleet, "monitoring-0")
                .expect("a director answers")
                .id;
            timeline.until("the old monitoring node is gone", PATIENCE, || {
                let left = instance_containers(fleet, monitoring);
                let left: Vec<String> =
                    left.into_iter().filter(|one| one.contains("web")).collect();
                if left.is_empty() {
                    Ok(())
                } else {
                    Err(left.join(", "))
                }
            });
            lose_storage(fleet, &timeline, &web, storage, load);
            let now = web
                .instance(fleet, "monitoring-0")
                .expect("a director answers");
            timeline.note(format_args!(
                "monitoring-0 is still the instance {id}: {}",
                now.id == id
            ));
        },
    );
    timeline.end(fleet.desk());
}

/// The hosts of the storage node and of the monitoring node; moves the latter when they are the same, since
/// the two are lost one after the other.
pub(super) fn set_apart(fleet: &Fleet, timeline: &Timeline, web: &Deployed) -> (usize, usize) {
    let storage = web.host_of(fleet, "storage-0");
    if web.host_of(fleet, "monitoring-0") == storage {
        let monitoring = format!("{}/monitoring-0", web.name);
        timeline.at(&format!("wharf instance move {monitoring}"), || {
            let change = ["instance", "move", &monitoring, "--wait"];
            must(&mut fleet.desk().wharf(&change));
        });
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
        timeline.note(web.told(fleet));
    }
    let monitoring = web.host_of(fleet, "monitoring-0");
    assert_ne!(monitoring, storage, "a move leaves the host");
    (storage, monitoring)
}

fn lose_storage(
    fleet: &mut Fleet,
    timeline: &Timeline,
    web: &Deployed,
    storage: usize,
    load: &Load,
) {
    let before = web
        .instance(fleet, "storage-0")
        .expect("a director answers");
    let name = fleet.name(storage);
    let killed = Instant::now();
    timeline.at(
        &format!("cut the power of {name}, which has storage-0"),
        || {
            fleet.cut_power(|host| host == storage);
        },
    );
    timeline.until("the platform says that storage-0 waits", PATIENCE, || {
        let now = web.instance(fleet, "storage-0")?;
        if now.healthy || now.reason.is_empty() {
            return Err(format!("healthy: {}, {:?}", now.healthy, now.reason));
        }
        timeline.note(format_args!("storage-0: {}", now.reason));
        Ok(())
    });
    // Told only when grace is over: from then on a replacement would begin.
    let (waits, which) = (
        format!(" for {name}, silent for "),
        format!("{}/storage-0: ", web.name),
    );
    timeline.until(
        "grace is over and storage-0 waits for its host",
        PATIENCE,
        || match fleet.problems() {
            Err(told)
                if told
                    .split_once(&waits)
                    .is_some_and(|(_, rest)| rest.contains(&which)) =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        },
    );
    timeline.while_for(
        "storage-0 stays where its data is",
        Duration::from_secs(20),
        || {
            let now = web.instance(fleet, "storage-0")?;
            if now.host == Some(storage) && now.id == before.id {
                Ok(())
            } else {
                Err(format!("{now:?}"))
            }
        },
    );
    if let Err(problems) = fleet.problems() {
        timeline.note(format_args!("`wharf status`: {problems}"));
    }
    timeline.at(&format!("power {name} on"), || {
        fleet.power_on(|host| host == storage)
    });
    let taken = load.acknowledged();
    timeline.until("documents are taken again", PATIENCE, || {
        load.goes_on_since(taken)
    });
    timeline.note(format_args!(
        "storage-0 was away for {:.1} s in all",
        killed.elapsed().as_secs_f64()
    ));
    timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
}

pub(super) fn connected(fleet: &Fleet, name: &str) -> Result<(), String> {
    let connected = fleet.connected()?;
    if connected.iter().any(|one| one == name) {
        Ok(())
    } else {
        Err(format!("connected: {}", connected.join(" ")))
    }
}

/// How long hosts are silent before what lies there is replaced.
fn grace(fleet: &Fleet) -> Duration {
    let settings = fleet.desk().list(&["config", "list"]);
    let settings = settings.expect("a director answers");
    let found = settings
        .iter()
        .find(|one| one["key"] == "health.loss_grace_seconds");
    let seconds = found.and_then(|one| one["value"].as_str()?.parse().ok());
    Duration::from_secs(seconds.expect("the setting has a value"))
}

/// The instances with their hosts.
fn places(all: &[super::Instance]) -> Vec<(String, Option<usize>)> {
    all.iter().map(|one| (one.id.clone(), one.host)).collect()
}

/// Cuts the power of every host of the zone that the deployment lies in, director included, for longer than
/// grace: a zone that is lost whole is left alone.
///
/// # Panics
/// When the rest is not whole, something that lies there is replaced, or something acknowledged is lost.
pub fn zone_lost(fleet: &mut Fleet) {
    let timeline = Timeline::begin("zone-lost");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let layout = fleet.layout();
    let storage = web.host_of(fleet, "storage-0");
    let zone = layout.zone(storage);
    // One without data, which would be replaced if its host alone were lost.
    if layout.zone(web.host_of(fleet, "monitoring-0")) != zone {
        let (monitoring, host) = (format!("{}/monitoring-0", web.name), fleet.name(storage));
        timeline.at(
            &format!("wharf instance move {monitoring} --to {host}"),
            || {
                let change = ["instance", "move", &monitoring, "--to", &host, "--wait"];
                must(&mut fleet.desk().wharf(&change));
            },
        );
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
        timeline.note(web.told(fleet));
    }
    let before = places(&web.instances(fleet).expect("a director answers"));
    let grace = grace(fleet);
    let lost: Vec<usize> = (0..layout.hosts)
        .filter(|host| layout.zone(*host) == zone)
        .collect();
    loaded(fleet, &timeline, &web, &lost, false, |fleet, _| {
        let begun = Instant::now();
        timeline.at(&format!("cut the power of {zone}"), || {
            fleet.cut_power(|host| lost.contains(&host));
        });
        timeline.until(
            "the rest has a leader and tells of the loss",
            PATIENCE,
            || {
                fleet.leader()?;
                match fleet.problems() {
                    Err(told) if lost.iter().all(|host| told.contains(&fleet.name(*host))) => {
                        Ok(())
                    }
                    other => Err(format!("{other:?}")),
                }
            },
        );
        let alone = format!("of {zone} are silent at once");
        timeline.until(
            "the platform says that the zone is left alone",
            PATIENCE,
            || match fleet.problems() {
                Err(told) if told.contains(&alone) => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
        // Replacements would begin when grace is over; they are given time to show.
        let over = grace + Duration::from_secs(45);
        timeline.while_for(
            "nothing that lies there is replaced",
            over.saturating_sub(begun.elapsed()),
            || match places(&web.instances(fleet)?) {
                now if now == before => Ok(()),
                now => Err(format!("{now:?}, not {before:?}")),
            },
        );
        timeline.note(web.told(fleet));
        timeline.at(&format!("power {zone} on"), || {
            fleet.power_on(|host| lost.contains(&host))
        });
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
        timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
        timeline.note(format_args!(
            "{:.1} s after the loss",
            begun.elapsed().as_secs_f64()
        ));
    });
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.note(web.told(fleet));
    timeline.end(fleet.desk());
}

/// Cuts the power of every host at once, and powers all of them on.
///
/// # Panics
/// When the platform does not serve again, or something acknowledged is lost.
pub fn all_rebooted(fleet: &mut Fleet) {
    let timeline = Timeline::begin("all-rebooted");
    let web = Deployed::ensure(fleet, &timeline, "web");
    loaded(fleet, &timeline, &web, &[], false, |fleet, load| {
        timeline.at("cut the power of every host", || fleet.cut_power(|_| true));
        let taken = load.acknowledged();
        let begun = Instant::now();
        timeline.at("power every host on", || fleet.power_on(|_| true));
        timeline.note("every engine answers");
        timeline.until("web takes documents", PATIENCE, || {
            load.goes_on_since(taken)
        });
        timeline.note(format_args!(
            "serving {:.1} s after the power came back",
            begun.elapsed().as_secs_f64()
        ));
        timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
    });
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}

/// Kills and starts every host's engine in turn. Meanwhile the other hosts' allocators see its mounts, and by
/// that hold the networks of its dead containers.
///
/// # Panics
/// When a host or the deployment does not come back in time, or something acknowledged is lost.
pub fn engines_restarted(fleet: &mut Fleet) {
    let timeline = Timeline::begin("engines-restarted");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let before = web.instances(fleet).expect("a director answers");
    loaded(fleet, &timeline, &web, &[], false, |fleet, load| {
        for host in 0..fleet.layout().hosts {
            let name = fleet.name(host);
            let killed = Instant::now();
            timeline.at(&format!("kill and start the engine of {name}"), || {
                fleet.host_mut(host).kill_engine();
                fleet.host_mut(host).start_engine();
            });
            let taken = load.acknowledged();
            timeline.until("web takes documents", PATIENCE, || {
                load.goes_on_since(taken)
            });
            let back = killed.elapsed();
            timeline.note(format_args!("{:.1} s after the kill", back.as_secs_f64()));
            assert!(
                back < ENGINE_BACK,
                "documents were taken after {back:?}, not {ENGINE_BACK:?}"
            );
            timeline.until(&format!("{name} is connected"), PATIENCE, || {
                connected(fleet, &name)
            });
            timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
            timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
        }
    });
    let after = web.instances(fleet).expect("a director answers");
    assert_eq!(places(&before), places(&after), "an instance was moved");
    timeline.note("no instance was moved");
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}
