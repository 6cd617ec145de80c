//! Hosts without a container engine, which a real systemd runs: their director and proxy join by a token as
//! services, outlive being killed and a loss of power, are confined, and leave without a trace. The parts
//! build on one another and are one test. Not here: the text of units (`wharf`, `services/unit`).

// A test fails by panicking and tells its figures.
#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::{
    process::Output,
    time::{Duration, Instant},
};

use serde_json::Value;
use wharf_tests::{
    elastic::Elastic,
    patience::wait_for,
    testbed::{Host, Network, SystemdHost, must, run},
};

const SOON: Duration = Duration::from_secs(90);
const DIRECTOR: &str = "wharf-wharfinger-director.service";
const PROXY: &str = "wharf-wharfinger-proxy.service";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What follows `wharf install --join`.
fn token(a: &Host, roles: &str) -> (String, String) {
    let made = a.wharf_json(&[
        "token", "create", "--roles", roles, "--zone", "zone-s", "--uses", "9",
    ]);
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    (text("id"), text("join"))
}

fn install(host: &SystemdHost, name: &str, join: Option<&str>, more: &[&str]) -> Output {
    let mut arguments = vec!["install", "--engine", "none", "--host-name", name];
    arguments.extend(more);
    run(&mut host.wharf(join, &arguments))
}

fn joined(host: &SystemdHost, name: &str, join: Option<&str>, more: &[&str]) -> String {
    let begin = Instant::now();
    let output = install(host, name, join, more);
    assert!(output.status.success(), "{}", said(&output));
    println!(
        "{name} after {:.1} s\n{}",
        begin.elapsed().as_secs_f64(),
        said(&output)
    );
    said(&output)
}

fn rows(a: &Host, what: &str) -> Result<Vec<Value>, String> {
    let listed = run(&mut a.wharf(&[what, "list", "-o", "json"]));
    if !listed.status.success() {
        return Err(said(&listed));
    }
    serde_json::from_slice(&listed.stdout).map_err(|error| error.to_string())
}

/// Waits until these are the hosts whose directors have votes and answer.
fn vote(a: &Host, hosts: &[&str]) {
    wait_for(&format!("directors of {hosts:?} vote"), SOON, || {
        let rows = rows(a, "director")?;
        let votes =
            |row: &&Value| row["connected"] == true && row["role"] != "DIRECTOR_ROLE_LEARNER";
        let has = |name: &&&str| rows.iter().filter(votes).any(|row| row["host"] == **name);
        if rows.len() == hosts.len() && hosts.iter().filter(has).count() == hosts.len() {
            Ok(())
        } else {
            Err(format!("{rows:?}"))
        }
    });
}

/// Waits until a proxy is connected.
fn routes(a: &Host, name: &str) {
    wait_for(&format!("the proxy of {name} is connected"), SOON, || {
        let rows = rows(a, "proxy")?;
        let found = rows
            .iter()
            .find(|row| row["host"] == name && row["connected"] == true);
        found.map(|_| ()).ok_or(format!("{rows:?}"))
    });
}

/// A document is found through the host's own proxy.
fn leads_there(host: &SystemdHost, credentials: &Value) {
    host.host().inside(|| {
        let store = Elastic::new(credentials);
        let kept = wait_for("the document through the host's proxy", SOON, || {
            store.json("GET", "/kept/_doc/1", &Value::Null)
        });
        assert_eq!(kept["_source"]["from"], "a");
    });
}

/// Waits until a unit says that it serves, and gives its process.
fn serves(host: &SystemdHost, unit: &str) -> String {
    wait_for(&format!("{unit} serves"), SOON, || {
        let state = host.property(unit, "ActiveState");
        let pid = host.property(unit, "MainPID");
        if state == "active" && pid != "0" {
            Ok(pid)
        } else {
            Err(format!("{state}, process {pid}"))
        }
    })
}

/// What the kernel says of a unit's process.
fn confined(host: &SystemdHost, unit: &str) -> String {
    let pid = serves(host, unit);
    let status = must(host.command("cat").arg(format!("/proc/{pid}/status")));
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {status}"))
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        field("CapBnd:"),
        "0".repeat(16),
        "{unit} may get a capability"
    );
    assert_eq!(field("NoNewPrivs:"), "1", "{unit} may get more rights");
    assert_eq!(field("Seccomp:"), "2", "{unit} may make every system call");
    assert_ne!(host.property(unit, "MemoryMax"), "infinity");
    field("Uid:")
}

fn restarts(host: &SystemdHost, unit: &str) {
    let before = serves(host, unit);
    must(host.command("kill").args(["-9", &before]));
    wait_for(&format!("{unit} is there again"), SOON, || {
        let now = host.property(unit, "MainPID");
        let state = host.property(unit, "ActiveState");
        if now != before && now != "0" && state == "active" {
            Ok(())
        } else {
            Err(format!("{state}, process {now}"))
        }
    });
}

/// A run that ended between a new binary and its start is made up for by the next.
fn outdated(host: &SystemdHost) {
    let before = serves(host, PROXY);
    // What may not be run by the services' users is put there anew; then systemd does not answer.
    let broken = "chmod 700 /usr/local/lib/wharfinger/wharfinger/wharf && mkdir -p /root/bin && cd /root/bin && \
                  printf '#!/bin/sh\\n[ $1 = enable ] && exit 1\\nexec /usr/bin/systemctl \"$@\"\\n' > systemctl && \
                  chmod 755 systemctl && PATH=/root/bin:$PATH exec /root/wharf install --engine none";
    let ended = run(host.command("sh").args(["-c", broken]));
    assert!(said(&ended).contains("CLI0052"), "{}", said(&ended));
    assert_eq!(
        serves(host, PROXY),
        before,
        "the run got further than it was to"
    );
    let again = joined(host, "s", None, &[]);
    for unit in [DIRECTOR, PROXY] {
        assert!(again.contains(&format!("{unit} started")), "{again}");
    }
    assert_ne!(serves(host, PROXY), before, "the old binary still runs");
    let once_more = joined(host, "s", None, &[]);
    assert!(once_more.contains(&format!("{PROXY} runs")), "{once_more}");
}

/// The host has what it had before it joined.
fn clean(host: &SystemdHost, before: &std::collections::BTreeMap<std::path::PathBuf, String>) {
    let now = host.files();
    let differs: Vec<_> = now
        .iter()
        .filter(|(path, what)| before.get(*path) != Some(what))
        .chain(before.iter().filter(|(path, _)| !now.contains_key(*path)))
        .collect();
    assert!(
        differs.is_empty(),
        "the host is not as it was: {differs:#?}"
    );
    let units =
        must(
            host.command("systemctl")
                .args(["list-units", "--all", "--no-legend", "wharf-*"]),
        );
    assert_eq!(units.trim(), "", "units are left");
    let users = must(host.command("getent").arg("passwd"));
    assert!(!users.contains("wharf"), "users are left: {users}");
}

#[test]
fn hosts_without_an_engine_join_as_services_outlive_kills_and_leave_without_a_trace() {
    let network = Network::create();
    let a = Host::start_on("a", &network);
    let address = a.address().unwrap().to_string();
    let (mut s, t) = std::thread::scope(|scope| {
        let machines = ["s", "t"].map(|name| scope.spawn(|| SystemdHost::start(name, &network)));
        must(&mut a.wharf(&["up", "--advertise", &address]));
        let [s, t] = machines.map(|machine| machine.join().unwrap());
        (s, t)
    });
    let before = s.files();
    let credentials = a.wharf_json(&["deployment", "credentials", "system"]);
    a.inside(|| {
        let body = serde_json::json!({"from": "a"});
        Elastic::new(&credentials)
            .json("PUT", "/kept/_doc/1", &body)
            .unwrap();
    });

    // What cannot be is refused by name, on a host without systemd and of roles that need an engine, and
    // neither uses the token up or leaves anything.
    let (id, join) = token(&a, "director,allocator,proxy,collector");
    let wharf = wharf_tests::testbed::binary();
    let without = run(a
        .command("unshare")
        .args(["--mount", "sh", "-c"])
        .arg("mount -t tmpfs none /run && exec \"$0\" install --engine none")
        .arg(&wharf)
        .env("WHARF_JOIN", &join));
    assert!(said(&without).contains("CLI0051"), "{}", said(&without));
    let more = install(&s, "s", Some(&join), &[]);
    assert!(said(&more).contains("CLI0050"), "{}", said(&more));
    let elsewhere = install(
        &s,
        "s",
        Some(&join),
        &["--roles", "proxy", "--data-dir", "/srv/wharf"],
    );
    assert!(said(&elsewhere).contains("CLI0050"), "{}", said(&elsewhere));
    let filter = format!("id={id}");
    let tokens = a.wharf_json(&["token", "list", "--enrollment", "--filter", &filter]);
    assert_eq!(tokens[0]["used"].as_u64().unwrap_or(0), 0, "{tokens}");
    clean(&s, &before);
    let fit = must(&mut s.wharf(None, &["preflight", "--engine", "none", "-o", "json"]));
    let fit: Value = serde_json::from_str(&fit).unwrap();
    assert_eq!(
        (&fit[0]["check"], &fit[0]["verdict"]),
        (&"systemd".into(), &"ok".into())
    );

    let first = wait_for("the first director is listed", SOON, || {
        let rows = rows(&a, "director")?;
        rows.into_iter().next().ok_or("no row".to_owned())
    });
    let own = first["host"].as_str().unwrap();

    // Both join: three directors vote, and a request that comes in at `s` finds its deployment.
    joined(&s, "s", Some(&join), &["--roles", "director,proxy"]);
    joined(&t, "t", Some(&join), &["--roles", "director"]);
    vote(&a, &[own, "s", "t"]);
    routes(&a, "s");
    leads_there(&s, &credentials);
    let users = [confined(&s, DIRECTOR), confined(&s, PROXY)];
    assert!(
        users[0] != users[1] && !users.contains(&"0".to_owned()),
        "{users:?}"
    );
    // Again: nothing has to be done, with the token and without.
    for join in [Some(join.as_str()), None] {
        let again = joined(&s, "s", join, &[]);
        assert!(
            again.contains(&format!("{DIRECTOR} runs")) && again.contains(&format!("{PROXY} runs")),
            "{again}"
        );
    }

    outdated(&s);

    // Killed, they come back; so they do after a loss of power.
    restarts(&s, DIRECTOR);
    restarts(&s, PROXY);
    s.cut_power();
    s.power_on();
    for unit in [DIRECTOR, PROXY] {
        serves(&s, unit);
    }
    vote(&a, &[own, "s", "t"]);
    routes(&a, "s");
    leads_there(&s, &credentials);

    // Nothing can be ordered there, which is said by name.
    let set = run(&mut a.wharf(&["allocator", "set", "s", "--roles", "proxy"]));
    assert!(
        said(&set).contains("DIR0069") && said(&set).contains("no container engine"),
        "{}",
        said(&set)
    );

    // A director that is removed ends by itself, for good, and takes the platform's keys with it.
    must(&mut a.wharf(&["director", "remove", "t", "--yes"]));
    wait_for("the removed director ends", SOON, || {
        let state = t.property(DIRECTOR, "ActiveState");
        if state == "inactive" {
            Ok(())
        } else {
            Err(state)
        }
    });
    let keys = must(t.command("find").args([
        "/var/lib/private/wharfinger",
        "-name",
        "*.pem",
        "-path",
        "*/director/director/*",
    ]));
    assert_eq!(keys, "", "a removed director has keys");
    let left = must(&mut t.wharf(None, &["uninstall", "--yes", "-o", "json"]));
    let left: Value = serde_json::from_str(&left).unwrap();
    assert_eq!(left["forgotten"], true, "{left}");

    // A host leaves: with its director only when that is asked for, and then without a trace.
    let early = run(&mut s.wharf(None, &["uninstall", "--yes"]));
    assert!(said(&early).contains("DIR0069"), "{}", said(&early));
    serves(&s, PROXY);
    // One whose unit was removed by hand is stopped all the same.
    must(s.command("rm").arg(format!("/etc/systemd/system/{PROXY}")));
    let gone = must(&mut s.wharf(
        None,
        &["uninstall", "--remove-director", "--yes", "-o", "json"],
    ));
    let gone: Value = serde_json::from_str(&gone).unwrap();
    assert_eq!(gone["forgotten"], true, "{gone}");
    clean(&s, &before);
    assert!(
        t.files()
            .keys()
            .all(|path| !path.to_string_lossy().contains("wharf"))
    );
    vote(&a, &[own]);
    assert_eq!(
        rows(&a, "proxy").unwrap().len(),
        1,
        "the proxy of `s` is still listed"
    );
    wait_for("a healthy platform", SOON, || {
        let status = a.wharf_json(&["status"]);
        if status["healthy"] == true {
            Ok(())
        } else {
            Err(status["problems"].clone())
        }
    });
}
