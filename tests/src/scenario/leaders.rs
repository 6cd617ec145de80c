//! Leaders that are killed or cut off: how long until a write is accepted again, and that clients of
//! deployments notice nothing. Not here: what the group promises at any moment of a kill (the director's
//! own tests).

use std::{
    net::Ipv4Addr,
    process::Command,
    time::{Duration, Instant},
};

use super::{Deployed, Target, Timeline, stored, under_load, with_writes};
use crate::testbed::{Fleet, run};

/// For a leader that was killed, and for a container that comes back.
const PATIENCE: Duration = Duration::from_secs(180);

fn address(fleet: &Fleet, host: usize) -> Ipv4Addr {
    fleet.host(host).address().expect("a host of the network")
}

/// Addresses of the directors' hosts.
pub(super) fn directors(fleet: &Fleet) -> Vec<Ipv4Addr> {
    let hosts = 0..fleet.layout().hosts;
    hosts
        .filter(|host| fleet.layout().is_director(*host))
        .map(|host| address(fleet, host))
        .collect()
}

/// Nothing when every director is heard of, votes and has the whole log.
pub(super) fn whole_group(fleet: &Fleet) -> Result<(), String> {
    let all = fleet.directors()?;
    let good = |one: &serde_json::Value| {
        one["connected"] == true
            && one["waits_for"].as_str().unwrap_or_default().is_empty()
            && one["lag"].as_u64().unwrap_or(0) < 10
    };
    let ill: Vec<String> = all
        .iter()
        .filter(|one| !good(one))
        .map(|one| {
            format!(
                "{} lacks {} entries, connected: {}",
                one["host"], one["lag"], one["connected"]
            )
        })
        .collect();
    if all.len() == fleet.layout().directors && ill.is_empty() {
        Ok(())
    } else {
        Err(format!("{} directors; {}", all.len(), ill.join("; ")))
    }
}

/// Process of a director; none while it is between two lives.
pub(super) fn director_process(fleet: &Fleet, host: usize) -> Option<String> {
    process(fleet, host, "wharf-wharfinger-director")
}

/// Process of a container.
pub(super) fn process(fleet: &Fleet, host: usize, container: &str) -> Option<String> {
    let inspect = ["inspect", "-f", "{{.State.Pid}}", container];
    let shown = run(&mut fleet.host(host).docker(&inspect));
    let pid = String::from_utf8_lossy(&shown.stdout).trim().to_owned();
    pid.parse::<u32>().is_ok_and(|pid| pid > 0).then_some(pid)
}

/// Sends a signal to a process.
pub(super) fn signal(pid: &str, name: &str) {
    run(Command::new("kill").args([name, pid]));
}

/// Kills the leading director so many times, each time when the group is whole again.
///
/// # Panics
/// When no write is accepted again, or a client of a deployment notices.
pub fn leader_kills(fleet: &mut Fleet, times: usize) {
    let timeline = Timeline::begin("leader-kills");
    let fleet = &*fleet;
    let web = Deployed::ensure(fleet, &timeline, "web");
    let proxies = Deployed::proxies_without(fleet, &[]);
    let target = Target {
        desk: fleet.desk(),
        credentials: &web.credentials,
        proxies: &proxies,
        index: timeline.name(),
    };
    let mut took = Vec::new();
    let books = under_load(&target, |_| {
        for number in 1..=times {
            timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
            let leader = fleet.leader().expect("a whole group has a leader");
            let pid = director_process(fleet, leader).expect("the leader's process");
            let after = with_writes(fleet.desk(), &directors(fleet), |writes| {
                let begun = Instant::now();
                timeline.until("a write is accepted", PATIENCE, || {
                    writes.first_since(begun).map(drop)
                });
                let killed = Instant::now();
                timeline.at(
                    &format!("{number}: kill -9 the leader on {}", fleet.name(leader)),
                    || {
                        signal(&pid, "-9");
                    },
                );
                timeline.until("a write is accepted again", PATIENCE, || {
                    writes.first_since(killed).map(drop)
                });
                writes.first_since(killed).expect("one was accepted")
            });
            timeline.note(format_args!(
                "first accepted write: {} ms after the kill",
                after.as_millis()
            ));
            took.push(after);
        }
        timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
    });
    took.sort_unstable();
    timeline.note(format_args!(
        "{times} leaders killed: first accepted write after {} ms (median), {} ms (longest)",
        took[took.len() / 2].as_millis(),
        took[took.len() - 1].as_millis()
    ));
    judge(&timeline, &target, &books, true);
    timeline.end(fleet.desk());
}

/// Cuts the leader off from every other host for a while that is shorter than an allocator's grace.
///
/// # Panics
/// When the rest takes no writes, the one that is cut off does, or it does not come back as a follower.
pub fn leader_cut_off(fleet: &mut Fleet) {
    let timeline = Timeline::begin("leader-cut-off");
    let fleet = &*fleet;
    let web = Deployed::ensure(fleet, &timeline, "web");
    timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
    let leader = fleet.leader().expect("a whole group has a leader");
    let proxies = Deployed::proxies_without(fleet, &[]);
    let target = Target {
        desk: fleet.desk(),
        credentials: &web.credentials,
        proxies: &proxies,
        index: timeline.name(),
    };
    let books = under_load(&target, |_| {
        let cut = Instant::now();
        timeline.at(
            &format!("cut {} off from every host", fleet.name(leader)),
            || {
                fleet.set_alone(leader, true);
            },
        );
        let rest: Vec<Ipv4Addr> = directors(fleet)
            .into_iter()
            .filter(|one| *one != address(fleet, leader))
            .collect();
        let after = with_writes(fleet.desk(), &rest, |writes| {
            timeline.until("the others accept a write", PATIENCE, || {
                writes.first_since(cut).map(drop)
            });
            writes.first_since(cut).expect("one was accepted")
        });
        timeline.note(format_args!(
            "first accepted write: {} ms after the cut",
            after.as_millis()
        ));
        // The desk still reaches the one that is cut off: it must not take what it cannot keep.
        with_writes(fleet.desk(), &[address(fleet, leader)], |writes| {
            let begun = Instant::now();
            timeline.while_for(
                "the old leader takes no write",
                Duration::from_secs(5),
                || match writes.first_since(begun) {
                    Err(_) => Ok(()),
                    Ok(after) => Err(format!("one was accepted after {} ms", after.as_millis())),
                },
            );
        });
        timeline.at("heal the network", || fleet.set_alone(leader, false));
        timeline.until("the group is whole", PATIENCE, || whole_group(fleet));
    });
    let now = fleet.leader().expect("a whole group has a leader");
    timeline.note(format_args!("{} leads", fleet.name(now)));
    judge(&timeline, &target, &books, true);
    timeline.end(fleet.desk());
}

/// Says what became of the load, and sees that nothing acknowledged is lost or doubled.
///
/// # Panics
/// When something is; or when a request failed where none may.
pub(super) fn judge(
    timeline: &Timeline,
    target: &Target<'_>,
    books: &super::LoadBooks,
    quiet: bool,
) {
    timeline.note(books);
    for told in books.told() {
        timeline.note(format_args!("  failed: {told}"));
    }
    let breaches = books.breaches(&stored(target));
    for breach in &breaches {
        timeline.note(format_args!("  breach: {breach}"));
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
    assert!(books.acknowledged() > 0, "nothing was written");
    if quiet {
        assert_eq!(books.failed(), 0, "clients noticed: {:#?}", books.told());
    }
    timeline.note("every acknowledged document is found once");
}
