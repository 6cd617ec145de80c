//! The testbed itself: engines of their own that do not see one another, and nothing left behind.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{path::PathBuf, process::Command};

use wharf_tests::testbed::{Host, must, run};

#[test]
fn two_hosts_have_engines_and_networks_of_their_own_and_leave_nothing() {
    let one = Host::start("one");
    let other = Host::start("other");
    one.import_busybox();
    must(&mut one.docker(&[
        "run",
        "-d",
        "--name",
        "only-here",
        "--network",
        "host",
        "busybox:test",
        "nc",
        "-ll",
        "-p",
        "7777",
        "-e",
        "/bin/busybox",
    ]));
    let names = must(&mut other.docker(&["ps", "-a", "--format", "{{.Names}}"]));
    assert_eq!(names.trim(), "", "the other engine has containers");
    let connect =
        |host: &Host| host.inside(|| std::net::TcpStream::connect(("127.0.0.1", 7777)).is_ok());
    wharf_tests::patience::wait_for("the listener", std::time::Duration::from_secs(20), || {
        if connect(&one) {
            Ok(())
        } else {
            Err("refused")
        }
    });
    assert!(
        !connect(&other),
        "one host's loopback is reachable from the other"
    );
    let dirs: Vec<PathBuf> = [&one, &other].map(|host| host.dir().to_path_buf()).into();
    drop((one, other));
    for dir in dirs {
        assert!(!dir.exists(), "{} is left", dir.display());
    }
    let namespaces = must(Command::new("ip").args(["netns", "list"]));
    let own = format!("wt-{}-", std::process::id());
    assert!(
        !namespaces.contains(&own),
        "a namespace is left: {namespaces}"
    );
    let left = run(Command::new("pgrep").args(["-f", &own]));
    assert_eq!(
        String::from_utf8_lossy(&left.stdout).trim(),
        "",
        "a process is left"
    );
}

#[test]
fn an_engine_that_was_killed_comes_back_with_its_containers() {
    let mut host = Host::start("crash");
    host.import_busybox();
    must(&mut host.docker(&[
        "run",
        "-d",
        "--name",
        "kept",
        "--network",
        "none",
        "busybox:test",
        "sleep",
        "600",
    ]));
    host.kill_engine();
    assert!(
        !run(&mut host.docker(&["version"])).status.success(),
        "a killed engine answers"
    );
    host.start_engine();
    let names = must(&mut host.docker(&["ps", "-a", "--format", "{{.Names}}"]));
    assert_eq!(names.trim(), "kept");
}
