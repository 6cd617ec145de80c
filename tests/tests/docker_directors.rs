//! Three hosts with a director each, joined by tokens, as a group: the leader is killed, a disk is wiped, who
//! leads is changed, a director is removed and its host leaves without a trace. The parts build on one
//! another and are one test. Not here: what the group promises under load (`docker_scenarios`,
//! `make scenarios`), the group in one process (`director/tests/group.rs`).

// A test fails by panicking and tells its figures.
#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::time::{Duration, Instant};

use serde_json::Value;
use wharf_tests::{
    patience::wait_for,
    testbed::{Fleet, Host, Layout, must, run},
};

const SOON: Duration = Duration::from_secs(180);
const DIRECTOR: &str = "wharf-wharfinger-director";

fn directors(fleet: &Fleet) -> Result<Vec<Value>, String> {
    fleet.desk().list(&["director", "list"])
}

fn of<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    let mut found = rows.iter().filter(|row| row["host"] == name);
    let one = found.next();
    one.unwrap_or_else(|| panic!("no director on {name} in {rows:?}"))
}

/// Waits until so many directors have votes, answer and lack nothing.
fn whole(fleet: &Fleet, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} directors vote"), SOON, || {
        let rows = directors(fleet)?;
        let votes =
            |row: &&Value| row["connected"] == true && row["role"] != "DIRECTOR_ROLE_LEARNER";
        if rows.len() == count && rows.iter().filter(votes).count() == count {
            Ok(rows)
        } else {
            Err(format!("{rows:?}"))
        }
    })
}

fn named(host: &Host) -> Vec<String> {
    let text = std::fs::read(host.data_dir().join("platform.json")).unwrap();
    let file: Value = serde_json::from_slice(&text).unwrap();
    let list = file["directors"].as_array().unwrap().iter();
    let mut named: Vec<String> = list.map(|one| one.as_str().unwrap().to_owned()).collect();
    named.sort();
    named
}

/// Waits until `platform.json` of every host names the directors of these hosts.
fn wait_named(fleet: &Fleet, hosts: &[usize], directors: &[usize]) {
    let address = |number: &usize| format!("{}:12190", fleet.host(*number).address().unwrap());
    let mut expected: Vec<String> = directors.iter().map(address).collect();
    expected.sort();
    for number in hosts {
        wait_for("platform.json follows the directors", SOON, || {
            let named = named(fleet.host(*number));
            if named == expected {
                Ok(())
            } else {
                Err(named)
            }
        });
    }
}

fn pid(host: &Host) -> Result<String, String> {
    let output = run(&mut host.docker(&["inspect", "-f", "{{.State.Pid}}", DIRECTOR]));
    let pid = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() && pid != "0" {
        Ok(pid)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn containers(host: &Host) -> Vec<String> {
    let names = must(&mut host.docker(&["ps", "-a", "--format", "{{.Names}}"]));
    names.lines().map(str::to_owned).collect()
}

/// The host is as it was before it joined.
fn clean(host: &Host) {
    assert_eq!(
        containers(host),
        Vec::<String>::new(),
        "containers are left"
    );
    let images = must(&mut host.docker(&["images", "-a", "--format", "{{.Repository}}"]));
    assert!(!images.contains("wharf"), "images are left: {images}");
    assert!(!host.has_data(), "files are left");
}

#[test]
fn directors_join_by_tokens_outlive_one_another_and_leave_without_a_trace() {
    let fleet = Fleet::start(Layout::new(3, 3), &|told| println!("{told}"));
    let desk = fleet.desk();
    whole(&fleet, 3);
    wait_named(&fleet, &[0, 1, 2], &[0, 1, 2]);
    // A profile with one director learns of the others.
    let first = fleet.host(0);
    must(&mut first.wharf(&["status"]));
    let profile = first
        .dir()
        .join("home/.config/wharfinger/profiles/default.yaml");
    let profile = std::fs::read_to_string(profile).unwrap();
    assert_eq!(
        profile.matches(":12443").count(),
        3,
        "the profile has not all directors"
    );

    // The leader dies; another director is asked for a deployment, and everybody goes on.
    let leader = fleet.leader().unwrap();
    let other = (leader + 1) % 3;
    let killed = pid(fleet.host(leader)).unwrap();
    must(fleet.host(leader).command("kill").args(["-9", &killed]));
    let begun = Instant::now();
    let elsewhere = format!("{}:12443", fleet.host(other).address().unwrap());
    let create = ["deployment", "create", "--name", "web", "--wait"];
    must(desk.wharf(&create).env("WHARF_DIRECTOR", elsewhere));
    println!(
        "a deployment through another director, healthy {:.1} s after kill -9 of the leader",
        begun.elapsed().as_secs_f64()
    );
    wait_for("every allocator and proxy is connected", SOON, || {
        let list = |what: &str| {
            let rows = desk.list(&[what, "list"])?;
            let connected = rows.iter().filter(|row| row["connected"] == true);
            Ok::<_, String>(connected.count())
        };
        match (list("allocator")?, list("proxy")?) {
            (3, 3) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    whole(&fleet, 3);

    // A disk is lost: the director comes back, as another member.
    let leader = fleet.leader().unwrap();
    let wiped = (1..3).find(|number| *number != leader).unwrap();
    let before = of(&directors(&fleet).unwrap(), &fleet.name(wiped)).clone();
    let host = fleet.host(wiped);
    let lost = pid(host).unwrap();
    // Stopped first, so that it writes nothing in between.
    must(host.command("kill").args(["-STOP", &lost]));
    std::fs::remove_dir_all(host.data_dir().join("director/raft")).unwrap();
    must(host.command("kill").args(["-9", &lost]));
    let after = wait_for("the wiped director is a new member", SOON, || {
        let rows = directors(&fleet)?;
        let row = of(&rows, &fleet.name(wiped)).clone();
        if row["member_id"] != before["member_id"] {
            Ok(row)
        } else {
            Err(row)
        }
    });
    assert_eq!(
        (&after["id"], &after["incarnation"]),
        (&before["id"], &1.into())
    );
    whole(&fleet, 3);

    // Another leads, by request.
    let name = fleet.name((leader + 1) % 3);
    must(&mut desk.wharf(&["director", "step-down", "--to", &name]));
    let rows = directors(&fleet).unwrap();
    assert_eq!(of(&rows, &name)["role"], "DIRECTOR_ROLE_LEADER");

    // A host whose director is in the group stays; removed, its host keeps its other roles.
    must(&mut desk.wharf(&["deployment", "delete", "web", "--yes", "--wait"]));
    let gone = 2;
    let host = fleet.host(gone);
    let early = run(&mut host.wharf(&["uninstall", "--purge", "--yes"]));
    let told = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(
        !early.status.success() && told.contains("wharf director remove"),
        "{told}"
    );
    assert!(containers(host).iter().any(|name| name == DIRECTOR));
    must(&mut desk.wharf(&["director", "remove", &fleet.name(gone), "--yes"]));
    wait_for("the removed director's container is gone", SOON, || {
        let left = containers(host);
        if left.iter().any(|name| name == DIRECTOR) {
            Err(left)
        } else {
            Ok(())
        }
    });
    wait_for("the platform's keys are gone from it", SOON, || {
        let left = ["platform.key", "ca/authority.pem"]
            .map(|name| host.data_dir().join("director").join(name));
        let left: Vec<_> = left.iter().filter(|path| path.exists()).collect();
        if left.is_empty() {
            Ok(())
        } else {
            Err(format!("{left:?}"))
        }
    });
    let roles = containers(host);
    for role in ["allocator", "proxy"] {
        let name = format!("wharf-wharfinger-{role}");
        assert!(
            roles.contains(&name),
            "{role} went with the director: {roles:?}"
        );
    }
    wait_named(&fleet, &[0, 1, 2], &[0, 1]);
    let left = host.wharf_json(&["uninstall", "--purge", "--yes"]);
    assert_eq!(left["forgotten"], true);
    clean(host);

    // The next does both at once; then the last voter stays.
    let host = fleet.host(1);
    let left = host.wharf_json(&["uninstall", "--remove-director", "--purge", "--yes"]);
    assert_eq!(left["forgotten"], true);
    clean(host);
    whole(&fleet, 1);
    let last = run(&mut desk.wharf(&["director", "remove", &fleet.name(0), "--yes"]));
    let told = String::from_utf8_lossy(&last.stderr).into_owned();
    assert!(
        told.contains("DIR0082"),
        "the last voter was removed: {told}"
    );
    fleet.healthy(SOON);
}
