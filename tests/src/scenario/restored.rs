//! A storage node whose host is lost for good minutes after its last snapshot: it begins elsewhere from that
//! snapshot. Everything that was acknowledged before the snapshot was asked for is there; what came after it is
//! counted and told, and lies on the old host, which sets it aside when it is back. Not here: both sides of a cut
//! (`cut_off`), where the snapshot is (`repositories`).

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Deployed, Kept, Timeline,
    hosts::connected,
    repositories::{Repository, Snapshot, nothing_is_lacking},
};
use crate::{
    chaos::stored_documents,
    testbed::{Desk, Fleet},
};

const PATIENCE: Duration = Duration::from_secs(240);
/// Seconds; a lease is over later than that, so that it is the lease that is waited for.
const GRACE: &str = "10";
const INDEX: &str = "restored";
/// Documents of a request.
const BATCH: usize = 100;
const BATCHES: usize = 10;

/// Loses the host of a storage node that is restored from its last snapshot, which is kept there.
///
/// # Panics
/// When something that was acknowledged before the snapshot is not there, the gap is not told, or the old host
/// does not set its data aside.
pub fn host_lost_restored(fleet: &mut Fleet, kept: Kept) {
    let timeline = Timeline::begin(match kept {
        Kept::InFolder => "host-lost-restored",
        Kept::InBucket => "host-lost-restored-s3",
    });
    let web = Deployed::ensure(fleet, &timeline, "web");
    let grace = ["config", "set", "health.loss_grace_seconds", GRACE];
    timeline.typed(fleet.desk(), &grace);
    let repository = Repository::of(fleet, &timeline, &web, kept);

    let old = web.host_of(fleet, "storage-0");
    let name = fleet.name(old);
    let proxy = Deployed::proxies_without(fleet, &[old])[0];
    let before = write(fleet.desk(), &timeline, &web, proxy, "before");
    let snapshot = Snapshot::take(fleet.desk(), &timeline, &web);
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
    snapshot.is_told(fleet.desk(), &timeline, &web, &name);

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
    nothing_is_lacking(fleet.desk(), &timeline, &web);
    repository.forget(fleet, &timeline, &web);
    timeline.typed(
        fleet.desk(),
        &["config", "reset", "health.loss_grace_seconds"],
    );
    timeline.until("`wharf status` is healthy", PATIENCE, || fleet.problems());
    timeline.end(fleet.desk());
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
