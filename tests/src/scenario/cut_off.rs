//! A host with a single-copy store that is cut off from every other, while clients on both sides of the cut
//! write to it. By its deployment's setting the store begins elsewhere, empty or from its last snapshot. Every
//! document that either place acknowledged is in the new store or in what is set aside on the old host, from
//! where it is brought into the new one in the end. Not here: the clients and their books (`two_sides`), the
//! snapshot (`repositories`).

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
    Deployed, Kept, Timeline,
    hosts::connected,
    repositories::{Repository, Snapshot, nothing_is_lacking},
    two_sides::{Ack, Side, account, lacking, one_after_the_other},
};
use crate::{
    chaos::{each_document, stored_documents},
    node::Node,
    patience::StopWhenDropped,
    testbed::{Desk, Fleet, Host, must},
};

const PATIENCE: Duration = Duration::from_secs(240);
/// As short as it can be, so that it is the lease that keeps the two places apart.
const GRACE: &str = "5";
const INDEX: &str = "both-sides";
/// Documents of a request that brings some over.
const PAGE: usize = 500;

/// What the store that was cut off has elsewhere when it begins there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// Nothing.
    Empty,
    /// Its last snapshot, of a moment before the cut.
    Restored,
}

/// Cuts the host of a storage node off from every other; by its deployment's setting it begins elsewhere.
///
/// # Panics
/// When both places take writes at a time, the store does not begin elsewhere, or something acknowledged is
/// nowhere.
pub fn host_cut_off(fleet: &mut Fleet, begins: Begins) {
    let timeline = Timeline::begin(match begins {
        Begins::Empty => "host-cut-off",
        Begins::Restored => "host-cut-off-restored",
    });
    let fleet = &*fleet;
    let desk = fleet.desk();
    let web = Deployed::ensure(fleet, &timeline, "web");
    let policy = ["deployment", "set", "web", "--on-host-loss"];
    let grace = ["config", "set", "health.loss_grace_seconds", GRACE];
    timeline.typed(desk, &grace);
    let repository = match begins {
        Begins::Empty => {
            timeline.typed(desk, &[&policy[..], &["empty"]].concat());
            None
        }
        Begins::Restored => Some(Repository::of(fleet, &timeline, &web, Kept::InFolder)),
    };
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
    let snapshot = thread::scope(|scope| {
        let _stopping = sides.map(|side| StopWhenDropped(side.stop()));
        for side in sides {
            let credentials = &web.credentials;
            scope.spawn(move || desk.here(|| side.write(credentials)));
        }
        both_take(&timeline, sides, Instant::now());
        let snapshot = repository.as_ref().map(|_| {
            let snapshot = Snapshot::take(desk, &timeline, &web);
            // These are in no snapshot.
            both_take(&timeline, sides, Instant::now());
            snapshot
        });
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
        let since_cut = old_took.iter().filter(|ack| ack.begun > cut).count();
        assert!(since_cut > 0, "nobody wrote to the old place since the cut");
        timeline.note(format_args!(
            "the old place took {since_cut} writes since the cut, the new one {}",
            new_took.len()
        ));
        let apart = one_after_the_other(&old_took, &new_took);
        let apart = apart.unwrap_or_else(|said| panic!("{said}"));
        timeline.note(format_args!(
            "the new place took its first write {:.1} s after the old one's last",
            apart.as_secs_f64()
        ));
        let said = inside.refused_since(cut).unwrap_or_default();
        assert!(said.contains("STO0001"), "the old place says: {said:?}");
        timeline.note(format_args!("the old place says: {said}"));
        if let Some(snapshot) = &snapshot {
            snapshot.is_told(desk, &timeline, &web, &name);
        }
        timeline.at("heal it", || fleet.set_alone(old, false));
        timeline.until(&format!("{name} is connected"), PATIENCE, || {
            connected(fleet, &name)
        });
        timeline.until("the old data is set aside", PATIENCE, || {
            set_aside(desk, &name).map(drop)
        });
        both_take(&timeline, sides, Instant::now());
        snapshot
    });
    let aside = in_the_copy(&timeline, fleet, old, &name);
    accounted(
        &timeline,
        desk,
        &web,
        others[0],
        sides,
        &aside,
        snapshot.as_ref(),
    );
    match repository {
        None => drop(timeline.typed(desk, &[&policy[..], &["wait"]].concat())),
        Some(repository) => repository.forget(fleet, &timeline, &web),
    }
    let reset = ["config", "reset", "health.loss_grace_seconds"];
    timeline.typed(desk, &reset);
    timeline.until("web is healthy", PATIENCE, || web.healthy(fleet));
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(desk);
}

/// Every acknowledged document is in the new store or in what is set aside, and what the new store lacks is
/// brought over.
fn accounted(
    timeline: &Timeline,
    desk: &Desk,
    web: &Deployed,
    proxy: Ipv4Addr,
    sides: [&Side; 2],
    aside: &[(String, Value)],
    snapshot: Option<&Snapshot>,
) {
    let store = || in_the_store(desk, web, proxy);
    let mut copies = BTreeMap::new();
    for (id, _) in aside {
        *copies.entry(id.clone()).or_default() += 1;
    }
    let held = [("the new store", store()), ("what is set aside", copies)];
    for side in sides {
        timeline.note(in_words(side, &held));
    }
    let breaches = account(sides, &held);
    assert!(breaches.is_empty(), "{breaches:#?}");
    timeline.note("every acknowledged document is accounted for");
    if let Some(snapshot) = snapshot {
        let since =
            lacking(sides, &held[0].1, snapshot.taken).unwrap_or_else(|said| panic!("{said}"));
        timeline.note(format_args!(
            "the new store has all that was acknowledged before the snapshot; it lacks {since} documents, each \
             acknowledged after it"
        ));
        nothing_is_lacking(desk, timeline, web);
    }
    let brought = brought_over(desk, web, proxy, aside);
    timeline.note(format_args!(
        "{brought} of {} documents that were set aside were brought into the new store",
        aside.len()
    ));
    let breaches = account(sides, &[("the new store", store())]);
    assert!(breaches.is_empty(), "{breaches:#?}");
    timeline.note("every acknowledged document is in the new store");
}

fn in_words(side: &Side, held: &[(&str, BTreeMap<String, u64>)]) -> String {
    let (sent, acknowledged) = side.documents();
    let places: Vec<String> = held
        .iter()
        .map(|(store, ids)| {
            let there = acknowledged.iter().filter(|id| ids.contains_key(*id));
            format!("{} in {store}", there.count())
        })
        .collect();
    format!(
        "{}: {} documents sent, {} acknowledged; {}",
        side.name(),
        sent.len(),
        acknowledged.len(),
        places.join(", ")
    )
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

/// Ids and sources of what is in the copy that is set aside, as the guide says to look into it: a storage node
/// over another copy.
fn in_the_copy(timeline: &Timeline, fleet: &Fleet, old: usize, name: &str) -> Vec<(String, Value)> {
    let aside = set_aside(fleet.desk(), name).expect("it is listed");
    timeline.note(format_args!("on {name}: {}", aside.display()));
    let look = fleet.host(old).dir().join("look");
    copied(&aside, &look);
    let node = Node::start(&look.join("data"), &look.join("log"));
    let ask = |body: &Value| {
        let answer = node.call("POST", &format!("/{INDEX}/_search"), &body.to_string());
        let (status, answer) = answer.expect("an answer");
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let mut found = Vec::new();
    each_document(ask, |hit| {
        let id = hit["_id"].as_str().expect("an id").to_owned();
        found.push((id, hit["_source"].clone()));
    });
    found
}

/// Writes what was set aside into the new store, as the guide says: what is there already stays as it is.
/// Gives how many were not.
fn brought_over(
    desk: &Desk,
    web: &Deployed,
    proxy: Ipv4Addr,
    documents: &[(String, Value)],
) -> usize {
    let mut brought = 0;
    for page in documents.chunks(PAGE) {
        let lines: String = page
            .iter()
            .map(|(id, source)| format!("{}\n{source}\n", json!({"create": {"_id": id}})))
            .collect();
        let answer = desk.here(|| {
            let client = Desk::client(&web.credentials, proxy, Duration::from_secs(30));
            client.call("POST", &format!("/{INDEX}/_bulk"), &lines)
        });
        let (status, answer) = answer.expect("an answer");
        assert_eq!(status, 200, "{answer}");
        let items = answer["items"].as_array().expect("items");
        assert_eq!(items.len(), page.len(), "{answer}");
        for item in items {
            match item["create"]["status"].as_u64() {
                Some(201) => brought += 1,
                Some(409) => {}
                _ => panic!("neither written nor there already: {item}"),
            }
        }
    }
    brought
}

fn copied(from: &Path, to: &Path) {
    must(Command::new("cp").arg("-r").arg(from).arg(to));
    must(Command::new("chmod").args(["-R", "u+w"]).arg(to));
}
