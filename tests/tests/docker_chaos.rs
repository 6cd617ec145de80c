//! Chaos: kill -9 of every role, node and the engine, frozen processes, a full disk, a storage
//! node that nothing reaches, at random moments, under `_bulk`, search and plan load. Afterwards
//! the books are checked: no acknowledged document lost or doubled, no search that saw less than
//! was acknowledged, every line of an application shipped once, no container doubled or orphaned,
//! every plan done. `WHARF_CHAOS_EVENTS` sets how many faults; the seed is printed, and
//! `WHARF_SEED` replays it.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    collections::BTreeSet,
    sync::{Mutex, atomic::AtomicBool},
    thread,
    time::Duration,
};

use wharf_tests::{
    account::{Listed, container_breaches, document_breaches, line_breaches, plan_breaches},
    chaos::{
        Books, Deployments, Fault, inflict, schedule, search, stored_documents, stored_lines,
        write_documents,
    },
    elastic::Elastic,
    patience::{StopWhenDropped, wait_for},
    platform::Platform,
    testbed::{Host, inside_namespace, must},
};

/// Two rounds of the nine kinds of fault would take a short run five minutes: one and a half.
const SHORT_RUN: usize = 13;
const RECOVERY: Duration = Duration::from_secs(150);
/// Documents that must be taken after a fault before the next one.
const PROGRESS: usize = 51;
/// Sparse; the size that a platform with its default deployments wants.
const DISK_BYTES: u64 = 48 << 30;

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_acknowledged_is_lost_whatever_is_killed_frozen_filled_or_cut() {
    let seed: u64 = setting("WHARF_SEED")
        .unwrap_or_else(|| u64::from(std::process::id()) * 2_654_435_761 % 4_294_967_296);
    let events = setting("WHARF_CHAOS_EVENTS").unwrap_or(SHORT_RUN);
    println!("seed {seed}: WHARF_SEED={seed} WHARF_CHAOS_EVENTS={events} replays this run");
    let mut platform = Platform::up_on_disk("chaos", DISK_BYTES);
    let credentials = platform.credentials().clone();
    let mut applications = vec![start_application(&platform, 0)];

    let books = Mutex::new(Books::default());
    let acknowledged = || books.lock().expect("the books").acknowledged().len();
    let stop = AtomicBool::new(false);
    let namespace = platform.host.namespace().to_owned();
    let mut deployments = Deployments::default();
    thread::scope(|scope| {
        let inside = |work: fn(&Elastic, &Mutex<Books>, &AtomicBool)| {
            let (namespace, credentials, books, stop) = (&namespace, &credentials, &books, &stop);
            scope.spawn(move || {
                inside_namespace(namespace, || work(&Elastic::new(credentials), books, stop));
            })
        };
        let stopping = StopWhenDropped(&stop);
        let load = [inside(write_documents), inside(search)];
        for (number, event) in schedule(seed, events).iter().enumerate() {
            // A moment drawn at random is the test's point, not a wait for something.
            thread::sleep(event.pause);
            if number % 3 == 1 {
                deployments.next(&platform.host);
            }
            println!(
                "{number}: {:?} after {} ms",
                event.fault,
                event.pause.as_millis()
            );
            inflict(&mut platform.host, event.fault);
            if event.fault == Fault::KillEngine {
                // The engine ends what it finds running when it starts, and nobody told it to
                // bring an operator's container back.
                applications.push(start_application(&platform, number + 1));
            }
            let before = acknowledged();
            wait_for("documents are taken again", RECOVERY, || {
                let taken = acknowledged() - before;
                if taken >= PROGRESS {
                    Ok(())
                } else {
                    Err(taken)
                }
            });
        }
        drop(stopping);
        for thread in load {
            thread.join().expect("the load ends");
        }
    });
    // Samples that a full disk kept out of the spool are dropped, and told of for a while.
    platform.wait_healthy_but_for(&["DIR0109"]);
    settle_deployments(&platform.host, deployments.alive());

    let books = books.into_inner().expect("nobody panicked with the books");
    let stored = platform.with_system(|store| stored_documents(store, "chaos"));
    println!(
        "{} sent, {} acknowledged, {} stored, {} searches",
        books.sent().len(),
        books.acknowledged().len(),
        stored.len(),
        books.searches()
    );
    assert!(
        books.acknowledged().len() > 500 && books.searches() > 20,
        "too little was written and searched to prove anything"
    );
    let breaches = document_breaches(books.acknowledged(), books.sent(), &stored);
    assert!(breaches.is_empty(), "{breaches:#?}");
    assert!(books.short().is_empty(), "{:#?}", books.short());

    for application in &applications {
        check_lines(&platform, application);
    }
    wait_for(
        "one container per role and instance, no other",
        RECOVERY,
        || {
            let breaches = container_breaches(&listed(&platform.host), &instances(&platform.host));
            if breaches.is_empty() {
                Ok(())
            } else {
                Err(breaches)
            }
        },
    );
}

/// An operator's container that numbers its lines.
fn start_application(platform: &Platform, number: usize) -> String {
    let script = "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.05; done";
    platform.start(&format!("lines-{number}"), &["--network", "none"], script)
}

/// Every line that the application wrote, as the engine has it, is in the store once.
fn check_lines(platform: &Platform, application: &str) {
    let host = &platform.host;
    must(&mut host.docker(&["stop", "-t", "0", application]));
    let written: BTreeSet<u64> = must(&mut host.docker(&["logs", application]))
        .lines()
        .filter_map(|line| line.strip_prefix("line ")?.trim().parse().ok())
        .collect();
    assert!(!written.is_empty(), "the application wrote nothing");
    wait_for("every line of the application, once", RECOVERY, || {
        let stored = platform.with_system(|store| stored_lines(store, application));
        let breaches = line_breaches(&written, &stored);
        if breaches.is_empty() {
            Ok(())
        } else {
            Err(breaches)
        }
    });
    println!("{} lines written, each stored once", written.len());
}

/// Every plan ended well, the deployments that should be there are, and no other.
fn settle_deployments(host: &Host, alive: &[String]) {
    wait_for("every plan has ended", RECOVERY, || {
        let plans = host.wharf_json(&["plan", "list", "--limit", "500"]);
        let plans: Vec<(String, String)> = plans
            .as_array()
            .into_iter()
            .flatten()
            .map(|plan| {
                let text = |field: &str| plan[field].as_str().unwrap_or_default().to_owned();
                (text("id"), text("status"))
            })
            .collect();
        let breaches = plan_breaches(&plans);
        if breaches.is_empty() {
            Ok(())
        } else {
            Err(breaches)
        }
    });
    let expected: BTreeSet<String> = alive.iter().cloned().chain(["system".to_owned()]).collect();
    wait_for("the deployments that should be there", RECOVERY, || {
        let names: BTreeSet<String> = host
            .wharf_json(&["deployment", "list"])
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|deployment| deployment["name"].as_str().map(str::to_owned))
            .collect();
        if names == expected {
            Ok(())
        } else {
            Err(names)
        }
    });
}

fn listed(host: &Host) -> Vec<Listed> {
    let format = "{{.Names}}\t{{.Label \"io.wharfinger.role\"}}\t{{.Label \"io.wharfinger.instance\"}}\t{{.State}}";
    let ours = "label=io.wharfinger.platform";
    must(&mut host.docker(&["ps", "-a", "--filter", ours, "--format", format]))
        .lines()
        .map(|line| {
            let mut parts = line.split('\t').map(str::to_owned);
            let mut part = || parts.next().unwrap_or_default();
            Listed {
                name: part(),
                role: part(),
                instance: part(),
                running: part() == "running",
            }
        })
        .collect()
}

fn instances(host: &Host) -> BTreeSet<String> {
    let array = |value: &serde_json::Value| value.as_array().cloned().unwrap_or_default();
    array(&host.wharf_json(&["deployment", "list"]))
        .iter()
        .flat_map(|deployment| array(&deployment["resources"]))
        .flat_map(|resource| array(&resource["instances"]))
        .filter_map(|instance| instance["id"].as_str().map(str::to_owned))
        .collect()
}
