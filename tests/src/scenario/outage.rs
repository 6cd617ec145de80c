//! All directors dead for a while: clients of deployments notice nothing, allocators restart what crashes,
//! and when the directors are back nothing is touched. Not here: one director that dies (`leaders`).

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    Deployed, Instance, Timeline,
    hosts::{connected, loaded},
    leaders::{director_process, process, signal, whole_group},
};
use crate::testbed::Fleet;

const PATIENCE: Duration = Duration::from_secs(120);

fn containers(all: &[Instance]) -> Vec<(String, String)> {
    all.iter()
        .map(|one| (one.id.clone(), one.container_id.clone()))
        .collect()
}

/// Freezes every director for so long, which is worse than dead ones, whose ports refuse; then kills them,
/// so that they start anew.
///
/// # Panics
/// When a client notices, a crashed container stays down, or a container is replaced.
pub fn directors_dead(fleet: &mut Fleet, span: Duration) {
    let timeline = Timeline::begin("directors-dead");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let before = web.instances(fleet).expect("a director answers");
    let monitoring = before
        .iter()
        .find(|one| one.name == "monitoring-0")
        .expect("a monitoring node");
    let host = monitoring.host.expect("it lies somewhere");
    loaded(fleet, &timeline, &web, &[], true, |fleet, load| {
        let directors: Vec<(usize, String)> = (0..fleet.layout().hosts)
            .filter(|host| fleet.layout().is_director(*host))
            .map(|host| {
                (
                    host,
                    director_process(fleet, host).expect("a director's process"),
                )
            })
            .collect();
        let begun = Instant::now();
        timeline.at("freeze every director", || {
            for (_, pid) in &directors {
                signal(pid, "-STOP");
            }
        });
        // A container that crashes meanwhile is its allocator's alone.
        let crashed = process(fleet, host, &monitoring.container_id).expect("its process");
        timeline.at("kill -9 monitoring-0", || signal(&crashed, "-9"));
        timeline.until(
            "its allocator started it again",
            PATIENCE,
            || match process(fleet, host, &monitoring.container_id) {
                Some(pid) if pid != crashed => Ok(()),
                other => Err(format!("process {other:?}")),
            },
        );
        // The span is what the scenario is about.
        while begun.elapsed() < span {
            let before = load.acknowledged();
            thread::sleep(Duration::from_secs(5).min(span));
            load.goes_on_since(before)
                .expect("documents are taken while no director answers");
        }
        timeline.note(format_args!(
            "no director answered for {:.0} s",
            begun.elapsed().as_secs_f64()
        ));
        timeline.at(
            "kill -9 the frozen directors, which their engines start again",
            || {
                for (_, pid) in &directors {
                    signal(pid, "-9");
                }
            },
        );
        timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
        for host in 0..fleet.layout().hosts {
            let name = fleet.name(host);
            timeline.until(&format!("{name} is connected"), PATIENCE, || {
                connected(fleet, &name)
            });
        }
        timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
    });
    let after = web.instances(fleet).expect("a director answers");
    assert_eq!(
        containers(&before),
        containers(&after),
        "a container was replaced"
    );
    timeline.note("no container was replaced");
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}
