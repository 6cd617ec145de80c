//! Bad days of a host, made for real: no engine, an engine that is silent, ports that are taken, a
//! disk that is full, a wrong clock, an engine that is too old, a container that cannot be started.
//! `wharf up` and `wharf status` say which it is and what to do, and what was refused leaves nothing
//! behind.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    io::Read as _,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wharf_tests::{
    older_engine::OlderEngine,
    patience::wait_for,
    platform::Platform,
    testbed::{Host, must, run},
    wrong_clock::WrongClock,
};

/// Problems are measured, told and judged every few seconds, the clock every half minute.
const SOON: Duration = Duration::from_secs(120);
/// From an engine that answers again to a storage node that does: half of it on busy cores. The engine
/// itself lets go of networks that are held after a minute.
const ENGINE_BACK: Duration = Duration::from_secs(40);

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
    assert!(!host.has_data(), "something was written");

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
    assert!(!host.has_data(), "something was written");
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

/// A program with a view of its own of every mount, and so with a hold on the networks of containers.
struct Holder(Child);

impl Holder {
    fn start() -> Self {
        let view = ["--mount", "--propagation", "private"];
        let script = "echo held; exec sleep infinity";
        let mut holder = Command::new("unshare")
            .args(view)
            .args(["sh", "-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare can be started");
        let mut said = [0; 5];
        let stdout = holder.stdout.as_mut().expect("its output");
        stdout.read_exact(&mut said).expect("it holds them");
        Self(holder)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_storage_node_serves_soon_after_its_engine_was_killed_though_its_old_network_is_held() {
    let mut platform = Platform::up("held");
    let document = "/kept/_doc/1";
    platform.with_system(|system| {
        let answer = system.json("PUT", document, &json!({"kept": true}));
        assert!(answer.is_ok(), "{answer:?}");
    });
    let cables = |host: &Host| {
        let listed = must(
            host.command("ip")
                .args(["-o", "link", "show", "type", "veth"]),
        );
        listed.lines().count()
    };
    assert_eq!(
        cables(&platform.host),
        1,
        "only the storage node has a network of its own"
    );
    let holder = Holder::start();
    platform.host.kill_engine();
    platform.host.start_engine();
    let started = Instant::now();
    wait_for("the document that was kept", SOON, || {
        let answer = platform.with_system(|system| system.call("GET", document, ""));
        match answer {
            Ok((200, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let took = started.elapsed();
    println!("serving {:.1} s after the engine", took.as_secs_f64());
    assert!(
        took < ENGINE_BACK,
        "serving within {} s of the engine was expected, it took {:.1} s",
        ENGINE_BACK.as_secs(),
        took.as_secs_f64()
    );
    assert_eq!(
        cables(&platform.host),
        2,
        "the old network was expected to be held, or this shows nothing"
    );
    drop(holder);
    platform.wait_healthy();
}

/// Waits until `wharf status` knows a problem; gives it.
fn named(host: &Host, code: &str) -> Value {
    wait_for(&format!("{code} in `wharf status`"), SOON, || {
        let status = host.wharf_json(&["status"]);
        let problems = status["problems"].as_array().cloned().unwrap_or_default();
        let found = problems.into_iter().find(|one| one["code"] == code);
        found.ok_or(status)
    })
}

/// Waits until `wharf status` knows no problem any more.
fn healthy(host: &Host) {
    wait_for("a healthy platform", SOON, || {
        let status = host.wharf_json(&["status"]);
        if status["healthy"] == true && status["problems"].as_array().is_none_or(Vec::is_empty) {
            Ok(())
        } else {
            Err(status["problems"].clone())
        }
    });
}

/// The message and the hint of a problem have these words, and people see them too.
fn says(host: &Host, problem: &Value, words: &str, hint: &str) {
    let text = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
    assert!(text("message").contains(words), "{words}: {problem}");
    assert!(text("hint").contains(hint), "{hint}: {problem}");
    let shown = must(&mut host.wharf(&["status"]));
    assert!(shown.contains("NOT HEALTHY"), "{shown}");
    assert!(shown.contains(problem["code"].as_str().unwrap()), "{shown}");
    assert!(shown.contains(hint), "{hint}: {shown}");
}

#[test]
fn a_full_disk_a_wrong_clock_and_an_engine_that_is_too_old_are_named_in_status_while_they_last() {
    let host = Host::start("named");
    host.mount_data_disk(48 << 30);
    let front = host.dir().join("front.sock");
    let engine = OlderEngine::start(&front, &host.dir().join("docker.sock"));
    let up = || {
        let mut up = host.wharf(&["up"]);
        up.env("DOCKER_HOST", engine.address());
        up
    };
    must(&mut up());
    healthy(&host);

    // Every block that is not kept for root, in one file that has only its size.
    let ballast = host.data_dir().join("ballast");
    let free = must(
        Command::new("df")
            .args(["--output=avail", "-B1"])
            .arg(host.data_dir()),
    );
    let free = free.lines().nth(1).expect("a number").trim().to_owned();
    must(Command::new("fallocate").args(["-l", &free]).arg(&ballast));
    let problem = named(&host, "ALL0021");
    says(
        &host,
        &problem,
        "are free on the data directory",
        "free or add disk",
    );
    std::fs::remove_file(&ballast).expect("the ballast is there");
    healthy(&host);

    let allocator = [
        "inspect",
        "-f",
        "{{.State.Pid}}",
        "wharf-wharfinger-allocator",
    ];
    let pid = must(&mut host.docker(&allocator));
    let clock = WrongClock::ahead(pid.trim(), 90);
    let problem = named(&host, "ALL0022");
    says(
        &host,
        &problem,
        "ahead of the director's",
        "synchronise the clocks",
    );
    drop(clock);
    healthy(&host);

    // Another engine is installed and started: every container is started anew with it.
    engine.set_old(true);
    must(&mut host.docker(&["restart", "wharf-wharfinger-allocator"]));
    let problem = named(&host, "ALL0003");
    says(&host, &problem, "1.24", "install Docker 19.03 or newer");
    refused(&run(&mut up()), "ALL0003");
    engine.set_old(false);
    healthy(&host);
    must(&mut up());
}

#[test]
fn a_spool_with_a_torn_tail_says_so_and_its_documents_arrive() {
    let platform = Platform::up("spool");
    let host = &platform.host;
    let allocator = "wharf-wharfinger-allocator";
    let _ = platform.start(
        "speaker",
        &["--network", "none"],
        "echo said before; sleep 3600",
    );
    let arrived = |message: &str| {
        wait_for(message, SOON, || {
            let query = json!({"bool": {"filter": [
                {"prefix": {"container.name": "speaker"}},
                {"match_phrase": {"message": message}},
            ]}});
            let count = platform
                .with_system(|store| store.count("logs-docker.container-default", &query))?;
            if count == 1 {
                Ok(())
            } else {
                Err(count.to_string())
            }
        });
    };
    arrived("said before");
    must(&mut host.docker(&["kill", allocator]));
    let spool = host.data_dir().join("allocator/collectors/spool");
    let listed = std::fs::read_dir(&spool).expect("the spool");
    let segments = listed.map(|entry| entry.expect("an entry").path());
    let newest = segments.max().expect("a segment");
    // Half a record, as the disk has it when the power goes.
    let torn = b"half of a record that the power went away in";
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&newest)
        .expect("it is there");
    std::io::Write::write_all(&mut file, torn).expect("a torn tail");
    drop(file);
    must(&mut host.docker(&["start", allocator]));
    let line = wait_for("the line about the spool", SOON, || {
        let output = run(&mut host.docker(&["logs", allocator]));
        let text = said(&output);
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut about = lines.filter(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            message.starts_with("the spool was not closed in order")
        });
        about.next().ok_or(text)
    });
    assert_eq!(
        (&line["level"], &line["cut_bytes"]),
        (&json!("WARN"), &json!(torn.len()))
    );
    let _ = platform.start(
        "speaker-2",
        &["--network", "none"],
        "echo said afterwards; sleep 3600",
    );
    arrived("said afterwards");
    arrived("said before");
    platform.wait_healthy();
}
