//! A storage node whose host is lost for good minutes after its last snapshot: it begins elsewhere from that
//! snapshot. Everything that was acknowledged before the snapshot was asked for is there; what came after it is
//! counted and told, and lies on the old host, which sets it aside when it is back. Not here: both sides of a cut
//! (`cut_off`), what a snapshot consists of (the store's own tests).

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Deployed, Timeline, hosts::connected};
use crate::{
    chaos::stored_documents,
    testbed::{Desk, Fleet},
};

const PATIENCE: Duration = Duration::from_secs(240);
/// Seconds; a lease is over later than that, so that it is the lease that is waited for.
const GRACE: &str = "10";
const INDEX: &str = "restored";
const REPOSITORY: &str = "shared";
/// Documents of a request.
const BATCH: usize = 100;
const BATCHES: usize = 10;

/// Loses the host of a storage node that is restored from its last snapshot.
///
/// # Panics
/// When something that was acknowledged before the snapshot is not there, the gap is not told, or the old host
/// does not set its data aside.
pub fn host_lost_restored(fleet: &mut Fleet) {
    let timeline = Timeline::begin("host-lost-restored");
    let web = Deployed::ensure(fleet, &timeline, "web");
    let set = |fleet: &Fleet, words: &[&str]| {
        timeline.at(&format!("wharf {}", words.join(" ")), || {
            fleet
                .desk()
                .ask(words)
                .unwrap_or_else(|error| panic!("wharf {words:?}: {error}"))
        })
    };
    // Every host of the testbed has the same file system, as hosts with a network file system have.
    let folder = fleet.host(0).dir().join("repository");
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let folder = folder.to_str().expect("a path in UTF-8");
    set(
        fleet,
        &["repository", "create", REPOSITORY, "--path", folder],
    );
    set(
        fleet,
        &["config", "set", "health.loss_grace_seconds", GRACE],
    );
    let policy = [
        "--snapshot-repository",
        REPOSITORY,
        "--snapshot-every",
        "1h",
    ];
    let loss = ["--on-host-loss", "restore"];
    set(
        fleet,
        &[&["deployment", "set", "web"], &policy[..], &loss].concat(),
    );
    snapshot(fleet, &timeline);
    timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));

    let old = web.host_of(fleet, "storage-0");
    let name = fleet.name(old);
    let proxy = Deployed::proxies_without(fleet, &[old])[0];
    let before = write(fleet.desk(), &timeline, &web, proxy, "before");
    snapshot(fleet, &timeline);
    let after = write(fleet.desk(), &timeline, &web, proxy, "after");
    let cut = Instant::now();
    timeline.at(&format!("cut the power of {name}"), || {
        fleet.cut_power(|host| host == old);
    });
    timeline.until("storage-0 is healthy elsewhere", PATIENCE, || {
        let now = web.instance(fleet, "storage-0")?;
        let elsewhere = now.host.is_some_and(|host| host != old);
        if now.healthy && elsewhere {
            Ok(())
        } else {
            Err(now.reason)
        }
    });
    timeline.note(format_args!(
        "served from the snapshot {:.1} s after its host was lost; {}",
        cut.elapsed().as_secs_f64(),
        web.told(fleet)
    ));
    let stored = stored(fleet.desk(), &timeline, &web, proxy);
    let missing = |ids: &[String]| ids.iter().filter(|id| !stored.contains_key(*id)).count();
    assert_eq!(
        missing(&before),
        0,
        "of {} acknowledged before the snapshot",
        before.len()
    );
    timeline.note(format_args!(
        "all {} documents of before the snapshot are there, {} of {} of after it are not",
        before.len(),
        missing(&after),
        after.len()
    ));
    assert_eq!(missing(&after), after.len(), "no other snapshot was taken");
    assert!(stored.values().all(|count| *count == 1), "a double");
    told(fleet.desk(), &timeline, &name);

    timeline.at(&format!("power {name} on"), || {
        fleet.power_on(|host| host == old);
    });
    timeline.until(&format!("{name} is connected"), PATIENCE, || {
        connected(fleet, &name)
    });
    timeline.until("the old data is set aside", PATIENCE, || {
        let copies = fleet.desk().list(&["instance", "set-aside"])?;
        let mut of_host = copies.iter().filter(|copy| copy["host"] == name.as_str());
        let found = of_host.any(|copy| copy["instance_name"] == "storage-0");
        found.then_some(()).ok_or_else(|| format!("{copies:?}"))
    });
    timeline.until("nothing is told as lacking any more", PATIENCE, || {
        let shown = fleet.desk().ask(&["deployment", "show", "web"])?;
        let problems = shown["problems"].as_array().cloned().unwrap_or_default();
        problems
            .is_empty()
            .then_some(())
            .ok_or_else(|| format!("{problems:?}"))
    });
    set(
        fleet,
        &[
            "deployment",
            "set",
            "web",
            "--on-host-loss",
            "wait",
            "--no-snapshots",
        ],
    );
    timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
    // Its containers are made without the folder by then.
    timeline.until("the repository is forgotten", PATIENCE, || {
        let delete = ["repository", "delete", REPOSITORY, "--yes"];
        fleet.desk().ask(&delete).map(drop)
    });
    set(fleet, &["config", "reset", "health.loss_grace_seconds"]);
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
}

fn snapshot(fleet: &Fleet, timeline: &Timeline) {
    let taken = timeline.at("wharf deployment snapshot web --wait", || {
        let words = ["deployment", "snapshot", "web", "--wait"];
        fleet
            .desk()
            .ask(&words)
            .unwrap_or_else(|error| panic!("no snapshot: {error}"))
    });
    let one = &taken["snapshots"]["instances"][0];
    timeline.note(format_args!(
        "{}: {} documents, {} bytes",
        one["last"], one["documents"], one["bytes"]
    ));
}

/// Ids of documents that were acknowledged.
fn write(
    desk: &Desk,
    timeline: &Timeline,
    web: &Deployed,
    proxy: Ipv4Addr,
    label: &str,
) -> Vec<String> {
    let mut ids = Vec::new();
    for batch in 0..BATCHES {
        let named: Vec<String> = (0..BATCH)
            .map(|number| format!("{label}-{batch}-{number}"))
            .collect();
        let lines: String = named
            .iter()
            .map(|id| {
                let action = json!({"index": {"_id": id}});
                format!("{action}\n{}\n", json!({"n": id}))
            })
            .collect();
        timeline.until(
            &format!("batch {batch} of {label} is taken"),
            PATIENCE,
            || {
                let answer = desk.here(|| {
                    let client = Desk::client(&web.credentials, proxy, Duration::from_secs(30));
                    client.call("POST", &format!("/{INDEX}/_bulk"), &lines)
                });
                let (status, answer) = answer?;
                if status == 200 && answer["errors"] == Value::Bool(false) {
                    Ok(())
                } else {
                    Err(format!("{status}: {answer}"))
                }
            },
        );
        ids.extend(named);
    }
    ids
}

fn stored(
    desk: &Desk,
    timeline: &Timeline,
    web: &Deployed,
    proxy: Ipv4Addr,
) -> BTreeMap<String, u64> {
    timeline.until("the index is there", PATIENCE, || {
        let answer = desk.here(|| {
            let client = Desk::client(&web.credentials, proxy, Duration::from_secs(30));
            client.call("GET", &format!("/{INDEX}/_count"), "")
        });
        match answer? {
            (200, _) => Ok(()),
            (status, answer) => Err(format!("{status}: {answer}")),
        }
    });
    desk.here(|| {
        let client = Desk::client(&web.credentials, proxy, Duration::from_secs(30));
        stored_documents(&client, INDEX)
    })
}

/// Nothing of it is silent: the deployment, its events and the platform's status say what is lacking.
fn told(desk: &Desk, timeline: &Timeline, host: &str) {
    timeline.until("what is lacking is told", PATIENCE, || {
        let shown = desk.ask(&["deployment", "show", "web"])?;
        let problems = shown["problems"].to_string();
        if !(problems.contains("restored from the snapshot") && problems.contains(host)) {
            return Err(format!("problems: {problems}"));
        }
        let events = desk.list(&["events", "--filter", "kind=instance_restored"])?;
        let told = events.iter().any(|event| event.to_string().contains(host));
        told.then_some(())
            .ok_or_else(|| format!("events: {events:?}"))
    });
}
