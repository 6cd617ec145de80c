//! Bad days of a host, made for real: no engine, an engine that is silent, ports that are taken, a
//! disk that is full, a container that cannot be started. `wharf up` and `wharf status` say which it
//! is and what to do, and what was refused leaves nothing behind.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::json;
use wharf_tests::{
    patience::wait_for,
    platform::Platform,
    testbed::{Host, must, run},
};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The command failed with this code, told once, with something to do.
fn refused(output: &Output, code: &str) -> String {
    let said = said(output);
    assert!(!output.status.success(), "it succeeded");
    assert!(
        said.contains(&format!("error {code}")),
        "{code} was expected: {said}"
    );
    assert_eq!(said.matches("error ").count(), 1, "told once: {said}");
    said
}

#[test]
fn an_engine_that_is_missing_or_not_allowed_is_named_and_nothing_is_written() {
    let host = Host::start("noengine");
    let nowhere = format!("unix://{}/nothing.sock", host.dir().display());
    let output = run(host.wharf(&["up"]).env("DOCKER_HOST", &nowhere));
    let text = refused(&output, "ALL0001");
    assert!(text.contains("nothing.sock"), "{text}");
    assert!(!host.data_dir().exists(), "something was written");

    let mut command = host.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(wharf_tests::testbed::binary()).arg("up");
    // The folder is readable to nobody, so that only the socket's own rights are in the way.
    must(Command::new("chmod").args(["755"]).arg(host.dir()));
    let elsewhere = std::env::temp_dir().join(format!("wharf-nobody-{}", std::process::id()));
    let output = run(command.env("WHARF_DATA_DIR", &elsewhere));
    refused(&output, "ALL0002");
    assert!(!elsewhere.exists(), "something was written");
}

#[test]
fn ports_that_are_taken_are_named_with_what_they_are_for() {
    let host = Host::start("ports");
    let taken = host.inside(|| TcpListener::bind(("127.0.0.1", 9243)).expect("a free port"));
    let output = run(&mut host.wharf(&["up"]));
    let text = refused(&output, "CLI0023");
    assert!(text.contains("9243 (proxy, https)"), "{text}");
    assert!(!host.data_dir().exists(), "something was written");
    drop(taken);
}

#[test]
fn a_full_disk_is_refused_before_anything_is_written() {
    let host = Host::start("full");
    let image = host.dir().join("small.img");
    let mount = host.dir().join("small");
    std::fs::create_dir(&mount).expect("a folder");
    must(Command::new("truncate").args(["-s", "64M"]).arg(&image));
    must(Command::new("mkfs.ext4").arg("-q").arg(&image));
    must(
        Command::new("mount")
            .args(["-o", "loop"])
            .arg(&image)
            .arg(&mount),
    );
    let output = run(host
        .wharf(&["up"])
        .env("WHARF_DATA_DIR", mount.join("data")));
    let empty = !mount.join("data").exists();
    must(Command::new("umount").arg(&mount));
    let text = refused(&output, "CLI0024");
    assert!(text.contains("--data-dir"), "{text}");
    assert!(empty, "something was written");
}

#[test]
fn an_engine_that_falls_silent_is_a_problem_in_status_and_no_command_hangs() {
    let platform = Platform::up("silent");
    let engine = platform.host.engine_pid().to_string();
    must(Command::new("kill").args(["-STOP", &engine]));
    let found = wait_for(
        "the engine's silence in `wharf status`",
        Duration::from_secs(120),
        || {
            let status = platform.host.wharf_json(&["status"]);
            let problems = status["problems"].as_array().cloned().unwrap_or_default();
            problems
                .into_iter()
                .find(|problem| {
                    problem["code"]
                        .as_str()
                        .is_some_and(|code| code.starts_with("ALL"))
                })
                .ok_or(status)
        },
    );
    assert!(
        found["hint"].as_str().is_some_and(|hint| !hint.is_empty()),
        "no hint: {found}"
    );
    let started = Instant::now();
    let output = run(&mut platform.host.wharf(&["up"]));
    assert!(
        !output.status.success(),
        "`wharf up` succeeded without an engine"
    );
    assert!(said(&output).contains("error ALL"), "{}", said(&output));
    assert!(
        started.elapsed() < Duration::from_secs(100),
        "`wharf up` hung"
    );
    must(Command::new("kill").args(["-CONT", &engine]));
    platform.wait_healthy();
}

#[test]
fn a_container_that_the_engine_cannot_start_is_made_anew_and_its_data_stays() {
    let platform = Platform::up("unstartable");
    let host = &platform.host;
    let document = "/kept/_doc/1";
    platform.with_system(|system| {
        let answer = system.json("PUT", document, &json!({"kept": true}));
        assert!(answer.is_ok(), "{answer:?}");
    });
    for role in ["resource-name=storage", "role=proxy"] {
        let filter = format!("label=io.wharfinger.{role}");
        let list = ["ps", "--no-trunc", "--quiet", "--filter", &filter];
        let of_role = || must(&mut host.docker(&list)).trim().to_owned();
        let broken = of_role();
        let layer = "{{.GraphDriver.Data.UpperDir}}";
        let upper = must(&mut host.docker(&["inspect", "--format", layer, &broken]));
        let upper = Path::new(upper.trim());
        assert!(upper.is_dir(), "no layer of its own: {}", upper.display());
        // Its writable layer is gone, as after a disk that lost it: no start can succeed again.
        std::fs::remove_dir_all(upper).expect("a layer that can be removed");
        must(&mut host.docker(&["kill", &broken]));
        let next = wait_for(
            &format!("another container of the {role}"),
            Duration::from_secs(90),
            || match of_role() {
                now if now.is_empty() || now == broken => Err(now),
                now => Ok(now),
            },
        );
        assert!(!next.contains('\n'), "more than one {role}: {next}");
        platform.wait_healthy();
    }
    platform.with_system(|system| {
        let (status, answer) = system.call("GET", document, "").expect("an answer");
        assert_eq!(status, 200, "the data did not stay: {answer}");
    });
}
