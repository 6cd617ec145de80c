//! What is seen of an instance that fails, and what its allocator does by itself: one that loops is
//! started with growing waits and says how it ended and what it said last; a container that was removed
//! by hand comes back with its data, that of a role too. Not here: whole hosts that fail.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::{
    patience::wait_for,
    platform::Platform,
    testbed::{Host, must},
};

/// The longest wait between starts is a minute.
const SOON: Duration = Duration::from_secs(120);

/// Ids of the containers with a label, running ones or all.
fn containers(host: &Host, label: &str, all: bool) -> Vec<String> {
    let filter = format!("label=io.wharfinger.{label}");
    let mut list = vec!["ps", "--no-trunc", "--quiet", "--filter", filter.as_str()];
    if all {
        list.push("--all");
    }
    let ids = must(&mut host.docker(&list));
    ids.lines().map(str::to_owned).collect()
}

/// The storage node as the platform tells of it.
fn storage(host: &Host) -> Value {
    let shown = host.wharf_json(&["deployment", "show", "system"]);
    let resources = shown["resources"].as_array().cloned().unwrap_or_default();
    resources
        .into_iter()
        .filter_map(|one| one["instances"].as_array().cloned())
        .flatten()
        .find(|one| one["name"] == "storage-0")
        .unwrap_or_else(|| panic!("no storage node: {shown}"))
}

#[test]
fn what_fails_says_how_and_what_is_removed_by_hand_comes_back_with_its_data() {
    let platform = Platform::up("evidence");
    let host = &platform.host;
    let document = "/kept/_doc/1";
    platform.with_system(|system| {
        let answer = system.json("PUT", document, &json!({"kept": true}));
        assert!(answer.is_ok(), "{answer:?}");
    });

    for label in ["resource-name=storage", "role=proxy"] {
        let removed = containers(host, label, true);
        assert_eq!(removed.len(), 1, "{label}: {removed:?}");
        must(&mut host.docker(&["rm", "-f", &removed[0]]));
        wait_for(
            &format!("another container of {label}"),
            SOON,
            || match containers(host, label, false).as_slice() {
                [now] if *now != removed[0] => Ok(()),
                other => Err(other.to_vec()),
            },
        );
    }
    platform.wait_healthy();
    // A proxy that has just come back learns of its routes at first.
    platform.with_system(|system| {
        wait_for("the document", SOON, || {
            match system.call("GET", document, "") {
                Ok((200, _)) => Ok(()),
                other => Err(other),
            }
        });
    });

    // Its process is killed as soon as it runs, until it is called a loop.
    let container = containers(host, "resource-name=storage", false).remove(0);
    let looping = wait_for("a loop that is called one", SOON, || {
        if containers(host, "resource-name=storage", false) == [container.as_str()] {
            // It may end by itself in between.
            drop(wharf_tests::testbed::run(
                &mut host.docker(&["kill", &container]),
            ));
        }
        let seen = storage(host);
        let reason = seen["reason"].as_str().unwrap_or_default();
        if seen["state"] == "INSTANCE_STATE_FAILED" && reason.contains("ALL0015") {
            Ok(seen)
        } else {
            Err(seen)
        }
    });
    let exit = &looping["last_exit"];
    assert_eq!(exit["exit_code"], 137, "{looping}");
    assert_ne!(exit["out_of_memory"], true, "{looping}");
    assert!(
        exit["log_tail"]
            .as_array()
            .is_some_and(|lines| !lines.is_empty()),
        "no last lines: {looping}"
    );
    assert!(looping["restarts"].as_u64() >= Some(3), "{looping}");
    let shown = must(&mut host.wharf(&["deployment", "show", "system"]));
    assert!(shown.contains("last exit: code 137"), "{shown}");

    // Left alone it is started again, in the same container, and how it ended is told still.
    platform.wait_healthy();
    assert_eq!(
        containers(host, "resource-name=storage", true),
        [container.as_str()],
        "a loop costs no container"
    );
    let well = storage(host);
    assert_eq!(well["last_exit"]["exit_code"], exit["exit_code"], "{well}");
    assert!(
        well["last_exit"]["log_tail"]
            .as_array()
            .is_some_and(|lines| !lines.is_empty()),
        "its last lines are gone: {well}"
    );
}
