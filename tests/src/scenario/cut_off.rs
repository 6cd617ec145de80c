//! A host with a single-copy store that is cut off from every other, while clients on both sides of the cut
//! write to it. By its deployment's setting the store begins elsewhere. Every document that either place
//! acknowledged is in the new store or in what is set aside on the old host. Not here: the clients and their
//! books (`two_sides`).

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Deployed, Timeline,
    hosts::connected,
    two_sides::{Ack, Side, account, one_after_the_other},
};
use crate::{
    chaos::stored_documents,
    node::Node,
    patience::StopWhenDropped,
    testbed::{Desk, Fleet, Host, must},
};

const PATIENCE: Duration = Duration::from_secs(240);
/// As short as it can be, so that it is the lease that keeps the two places apart.
const GRACE: &str = "5";
const INDEX: &str = "both-sides";

/// Cuts the host of a storage node off from every other; its deployment is set to this on the loss of a
/// host.
///
/// # Panics
/// When both places take writes at a time, the store does not begin elsewhere, or something acknowledged is
/// nowhere.
pub fn host_cut_off(fleet: &mut Fleet, on_host_loss: &str) {
    let timeline = Timeline::begin(&format!("host-cut-off-{on_host_loss}"));
    let fleet = &*fleet;
    let desk = fleet.desk();
    let web = Deployed::ensure(fleet, &timeline, "web");
    let set = |words: &[&str]| {
        timeline.at(&format!("wharf {}", words.join(" ")), || {
            desk.ask(words)
                .unwrap_or_else(|error| panic!("wharf {words:?}: {error}"))
        });
    };
    set(&["config", "set", "health.loss_grace_seconds", GRACE]);
    let policy = ["deployment", "set", "web", "--on-host-loss"];
    set(&[&policy[..], &[on_host_loss]].concat());
    let storage = web
        .instance(fleet, "storage-0")
        .expect("a director answers");
    let old = storage.host.expect("the instance lies on a host");
    let name = fleet.name(old);
    leased(&timeline, fleet.host(old), &storage.id);

    let inside = Side::new("inside", vec![address(fleet, old)], INDEX);
    let others = Deployed::proxies_without(fleet, &[old]);
    let outside = Side::new("outside", others.clone(), INDEX);
    let sides = [&inside, &outside];
    thread::scope(|scope| {
        let _stopping = sides.map(|side| StopWhenDropped(side.stop()));
        for side in sides {
            let credentials = &web.credentials;
            scope.spawn(move || desk.here(|| side.write(credentials)));
        }
        both_take(&timeline, sides, Instant::now());
        timeline.at(&format!("cut {name} off from every host"), || {
            fleet.set_alone(old, true);
        });
        let cut = Instant::now();
        timeline.until("storage-0 is healthy elsewhere", PATIENCE, || {
            let now = web.instance(fleet, "storage-0")?;
            if now.healthy && now.host.is_some_and(|host| host != old) {
                Ok(())
            } else {
                Err(format!(
                    "{:?}: {}",
                    now.host.map(|host| fleet.name(host)),
                    now.reason
                ))
            }
        });
        timeline.note(web.told(fleet));
        let begun = Instant::now();
        timeline.until("the new place takes writes", PATIENCE, || {
            outside.taken_since(begun)
        });
        let healing = Instant::now();
        // Until the cut is healed, nobody inside reaches any other place than the old one.
        let (old_took, new_took) = (
            within(&inside, None, healing),
            within(&outside, Some(cut), healing),
        );
        let apart = one_after_the_other(&old_took, &new_took);
        let apart = apart.unwrap_or_else(|said| panic!("{said}"));
        timeline.note(format_args!(
            "the new place took its first write {:.1} s after the old one's last",
            apart.as_secs_f64()
        ));
        let said = inside.refused_since(cut).unwrap_or_default();
        assert!(said.contains("STO0001"), "the old place says: {said:?}");
        timeline.note(format_args!("the old place says: {said}"));
        timeline.at("heal it", || fleet.set_alone(old, false));
        timeline.until(&format!("{name} is connected"), PATIENCE, || {
            connected(fleet, &name)
        });
        timeline.until("the old data is set aside", PATIENCE, || {
            set_aside(desk, &name).map(drop)
        });
        both_take(&timeline, sides, Instant::now());
    });
    let held = [
        ("the new store", in_the_store(desk, &web, others[0])),
        (
            "what is set aside",
            in_the_copy(&timeline, fleet, old, &name),
        ),
    ];
    for side in sides {
        let (sent, acknowledged) = side.documents();
        timeline.note(format_args!(
            "{}: {} documents sent, {} acknowledged; {}",
            side.name(),
            sent.len(),
            acknowledged.len(),
            held.each_ref()
                .map(|(store, ids)| {
                    let there = acknowledged.iter().filter(|id| ids.contains_key(*id));
                    format!("{} in {store}", there.count())
                })
                .join(", ")
        ));
    }
    let breaches = account(sides, &held);
    assert!(breaches.is_empty(), "{breaches:#?}");
    timeline.note("every acknowledged document is accounted for");
    set(&[&policy[..], &["wait"]].concat());
    set(&["config", "reset", "health.loss_grace_seconds"]);
    timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(desk);
}

fn address(fleet: &Fleet, host: usize) -> Ipv4Addr {
    fleet.host(host).address().expect("a host of the network")
}

/// Waits until the storage node's lease was renewed, which its host has told of by then.
fn leased(timeline: &Timeline, host: &Host, instance: &str) {
    let file = format!("instances/{instance}/secrets/lease.json");
    let file = host.data_dir().join(file);
    let mut seen: Vec<String> = Vec::new();
    timeline.until("storage-0 serves under a lease", PATIENCE, || {
        let grant = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        if seen.last() != Some(&grant) {
            seen.push(grant);
        }
        if seen.len() >= 3 {
            Ok(())
        } else {
            Err(format!("{} grants", seen.len()))
        }
    });
}

/// Acknowledged requests that were sent between these moments.
fn within(side: &Side, from: Option<Instant>, to: Instant) -> Vec<Ack> {
    let mut acks = side.acks();
    acks.retain(|ack| from.is_none_or(|from| ack.begun > from) && ack.begun < to);
    acks
}

fn both_take(timeline: &Timeline, sides: [&Side; 2], since: Instant) {
    for side in sides {
        timeline.until(
            &format!("writes from {} are taken", side.name()),
            PATIENCE,
            || side.taken_since(since),
        );
    }
}

/// The folder of what is set aside on the host.
fn set_aside(desk: &Desk, host: &str) -> Result<PathBuf, String> {
    let copies = desk.list(&["instance", "set-aside"])?;
    let mut of_host = copies.iter().filter(|copy| copy["host"] == host);
    let found = of_host.find(|copy| copy["instance_name"] == "storage-0");
    let path = found.and_then(|copy| copy["path"].as_str());
    path.map(PathBuf::from)
        .ok_or_else(|| format!("nothing on {host} in {copies:?}"))
}

fn in_the_store(desk: &Desk, web: &Deployed, proxy: Ipv4Addr) -> BTreeMap<String, u64> {
    desk.here(|| {
        let client = Desk::client(&web.credentials, proxy, Duration::from_secs(30));
        stored_documents(&client, INDEX)
    })
}

/// What is in the copy that is set aside, as the guide says to look into it: a storage node over another copy.
fn in_the_copy(
    timeline: &Timeline,
    fleet: &Fleet,
    old: usize,
    name: &str,
) -> BTreeMap<String, u64> {
    let aside = set_aside(fleet.desk(), name).expect("it is listed");
    timeline.note(format_args!("on {name}: {}", aside.display()));
    let look = fleet.host(old).dir().join("look");
    copied(&aside, &look);
    let node = Node::start(&look.join("data"), &look.join("log"));
    let body = json!({"size": 10_000, "_source": false}).to_string();
    let answer = node.call("POST", &format!("/{INDEX}/_search"), &body);
    let (status, answer) = answer.expect("an answer");
    assert_eq!(status, 200, "{answer}");
    let hits = answer["hits"]["hits"].as_array().expect("hits");
    assert!(hits.len() < 10_000, "more than a page");
    let id = |hit: &Value| hit["_id"].as_str().map(str::to_owned);
    hits.iter()
        .filter_map(id)
        .fold(BTreeMap::new(), |mut all, id| {
            *all.entry(id).or_default() += 1;
            all
        })
}

fn copied(from: &Path, to: &Path) {
    must(Command::new("cp").arg("-r").arg(from).arg(to));
    must(Command::new("chmod").args(["-R", "u+w"]).arg(to));
}
