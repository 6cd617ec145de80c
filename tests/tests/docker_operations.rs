//! What people do to deployments, on a platform that `wharf up` made: resize, restart, terminate,
//! restore, another password, a plan that is cancelled, a newer binary. Each is compared with what the
//! engine says of the containers and with the documents that were there before.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wharf_tests::{
    elastic::Elastic,
    patience::wait_for,
    platform::Platform,
    testbed::{binary, must, run},
};

const SOON: Duration = Duration::from_secs(150);
const MIB: u64 = 1 << 20;
const DOCUMENTS: u64 = 500;
const STORAGE: &str = "wharf-wharfinger-web-storage-0";
const MONITOR: &str = "wharf-wharfinger-web-monitoring-0";

/// The deployment that things are done to.
struct Web<'a> {
    platform: &'a Platform,
    credentials: Value,
}

impl<'a> Web<'a> {
    /// A deployment with documents.
    fn create(platform: &'a Platform) -> Self {
        let sizes = ["--memory-mib", "512", "--disk-mib", "2048"];
        let create = ["deployment", "create", "--name", "web", "--wait"];
        must(platform.host.wharf(&create).args(sizes));
        let web = Self {
            platform,
            credentials: credentials(platform, "web"),
        };
        let mut bulk = String::new();
        for number in 0..DOCUMENTS {
            writeln!(bulk, "{}", json!({"create": {"_id": number.to_string()}})).unwrap();
            let words = format!("order {number} of the shop");
            writeln!(bulk, "{}", json!({"message": words, "number": number})).unwrap();
        }
        let (status, answer) = web
            .ask(|store| store.call("POST", "/kept/_bulk", &bulk))
            .unwrap();
        assert_eq!(
            (status, &answer["errors"]),
            (200, &json!(false)),
            "{answer}"
        );
        web.documents_are_there("after they were written");
        web
    }

    fn ask<T: Send>(&self, code: impl FnOnce(&Elastic) -> T + Send) -> T {
        let credentials = &self.credentials;
        self.platform
            .host
            .inside(|| code(&Elastic::new(credentials)))
    }

    /// Every document, by a count and by a search with an aggregation.
    fn documents_are_there(&self, when: &str) {
        let query = json!({"match": {"message": "shop"}});
        let body = json!({"query": query, "aggs": {"sum": {"sum": {"field": "number"}}}});
        wait_for(&format!("the documents {when}"), SOON, || {
            let count = self.ask(|store| store.count("kept", &json!({"match_all": {}})))?;
            let found = self.ask(|store| store.json("POST", "/kept/_search", &body))?;
            let sum = found["aggregations"]["sum"]["value"].as_f64();
            let wanted = u32::try_from(DOCUMENTS * (DOCUMENTS - 1) / 2).unwrap();
            if count == DOCUMENTS && sum == Some(f64::from(wanted)) {
                Ok(())
            } else {
                Err(format!("{count} documents, sum {sum:?}"))
            }
        });
    }
}

fn credentials(platform: &Platform, deployment: &str) -> Value {
    platform
        .host
        .wharf_json(&["deployment", "credentials", deployment])
}

fn inspect(platform: &Platform, container: &str, what: &str) -> String {
    let shown = must(&mut platform.host.docker(&["inspect", "-f", what, container]));
    shown.trim().to_owned()
}

/// Each container of the platform by its name, with its id, its start and its limit of memory.
fn containers(platform: &Platform) -> BTreeMap<String, String> {
    let names = must(
        &mut platform
            .host
            .docker(&["ps", "-a", "--format", "{{.Names}}"]),
    );
    names
        .lines()
        .filter(|name| name.starts_with("wharf-"))
        .filter_map(|name| {
            let what = "{{.Id}} {{.State.StartedAt}} {{.HostConfig.Memory}} {{.Image}}";
            // One that is being replaced may be gone by now.
            let shown = run(&mut platform.host.docker(&["inspect", "-f", what, name]));
            let facts = String::from_utf8_lossy(&shown.stdout).trim().to_owned();
            shown.status.success().then(|| (name.to_owned(), facts))
        })
        .collect()
}

/// What the one allocator says is assigned.
fn assigned_memory(platform: &Platform) -> u64 {
    let allocators = platform.host.wharf_json(&["allocator", "list"]);
    allocators[0]["used"]["memory_bytes"]
        .as_u64()
        .unwrap_or_else(|| panic!("no memory in {allocators}"))
}

fn plans(platform: &Platform, deployment: &str) -> Vec<Value> {
    let history = platform
        .host
        .wharf_json(&["deployment", "history", deployment]);
    history.as_array().cloned().unwrap_or_default()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn what_is_asked_of_a_deployment_is_done_to_its_containers_and_its_documents_stay() {
    let platform = Platform::up("operations");
    let began = Instant::now();
    let step = |what: &str| println!("{:>5.1} s  {what}", began.elapsed().as_secs_f32());
    let mut web = Web::create(&platform);
    step("created");
    a_dry_run_touches_nothing(&platform);
    step("dry runs");
    a_resize_changes_the_limit(&web);
    step("resized");
    a_restart_starts_what_was_named(&web);
    step("restarted");
    what_is_terminated_gives_its_memory_back(&web);
    step("terminated and restored");
    another_password_ends_the_old_one(&mut web);
    step("password of `web` reset");
    collectors_ship_with_the_new_password(&platform);
    step("password of `system` reset");
    a_plan_that_waits_for_ever_is_cancelled(&platform);
    step("cancelled");
    the_history_has_all_of_it(&platform);
    step("history");
    diagnostics_have_what_the_engine_says(&platform);
    step("diagnostics");
    a_newer_binary_replaces_every_container(&web);
    step("upgraded");
    must(
        &mut platform
            .host
            .wharf(&["deployment", "delete", "web", "--yes", "--wait"]),
    );
    let left = containers(&platform);
    assert!(
        left.keys().all(|name| !name.contains("-web-")),
        "a container of the deleted deployment is left: {left:?}"
    );
    step("deleted");
}

fn a_dry_run_touches_nothing(platform: &Platform) {
    let host = &platform.host;
    let (before, plans_before) = (containers(platform), plans(platform, "web").len());
    for (change, step) in [
        (vec!["resize", "web", "--memory-mib", "1024"], "start"),
        (vec!["restart", "web"], "start"),
        (vec!["terminate", "web"], "stop"),
        (vec!["delete", "web"], "remove"),
        (
            vec!["create", "--name", "next", "--disk-mib", "1024"],
            "place",
        ),
    ] {
        let mut arguments = vec!["deployment"];
        arguments.extend(&change);
        arguments.push("--dry-run");
        let shown = host.wharf_json(&arguments);
        let steps = shown["preview"]["plan"]["steps"].as_array();
        let found = steps.is_some_and(|steps| steps.iter().any(|one| one["step_id"] == step));
        assert!(found, "{change:?} would `{step}`: {shown}");
    }
    let refused = run(host
        .wharf(&["deployment", "create", "--name", "big", "--dry-run"])
        .args(["--memory-mib", "65536"]));
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(
        said(&refused).contains("DIR0020"),
        "no host has so much: {}",
        said(&refused)
    );
    let missing = run(&mut host.wharf(&["deployment", "restart", "nobody", "--dry-run"]));
    assert_eq!(missing.status.code(), Some(3), "{}", said(&missing));
    assert_eq!(
        containers(platform),
        before,
        "a dry run touched a container"
    );
    assert_eq!(plans(platform, "web").len(), plans_before);
    let next = run(&mut host.wharf(&["deployment", "show", "next"]));
    assert_eq!(next.status.code(), Some(3), "{}", said(&next));
}

fn a_resize_changes_the_limit(web: &Web<'_>) {
    let host = &web.platform.host;
    let limit = |name: &str| inspect(web.platform, name, "{{.HostConfig.Memory}}");
    let assigned = assigned_memory(web.platform);
    let monitor = inspect(web.platform, MONITOR, "{{.Id}} {{.State.StartedAt}}");
    assert_eq!(limit(STORAGE), (512 * MIB).to_string());
    must(&mut host.wharf(&[
        "deployment",
        "resize",
        "web",
        "--memory-mib",
        "640",
        "--wait",
    ]));
    assert_eq!(
        limit(STORAGE),
        (640 * MIB).to_string(),
        "the engine's limit"
    );
    assert_eq!(assigned_memory(web.platform), assigned + 128 * MIB);
    assert_eq!(
        inspect(web.platform, MONITOR, "{{.Id}} {{.State.StartedAt}}"),
        monitor,
        "the monitoring node was not asked for"
    );
    web.documents_are_there("after the resize");
    let same = run(&mut host.wharf(&["deployment", "resize", "web", "--memory-mib", "640"]));
    assert_eq!(
        same.status.code(),
        Some(1),
        "a size that is there already is no change: {}",
        said(&same)
    );
}

fn a_restart_starts_what_was_named(web: &Web<'_>) {
    let host = &web.platform.host;
    let started = |name: &str| inspect(web.platform, name, "{{.State.StartedAt}}");
    let before = (started(STORAGE), started(MONITOR));
    must(&mut host.wharf(&[
        "deployment",
        "restart",
        "web",
        "--instance",
        "storage-0",
        "--wait",
    ]));
    // RFC 3339 of one zone is in the order of time.
    assert!(
        started(STORAGE) > before.0,
        "{} is the start of {before:?}",
        started(STORAGE)
    );
    assert_eq!(
        started(MONITOR),
        before.1,
        "nobody named the monitoring node"
    );
    web.documents_are_there("after the restart");
    must(&mut host.wharf(&["deployment", "restart", "web", "--wait"]));
    assert!(
        started(MONITOR) > before.1,
        "a restart of all starts it too"
    );
    web.documents_are_there("after the second restart");
}

fn what_is_terminated_gives_its_memory_back(web: &Web<'_>) {
    let host = &web.platform.host;
    let assigned = assigned_memory(web.platform);
    let shown = host.wharf_json(&["deployment", "show", "web"]);
    let instances: Vec<&Value> = shown["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|resource| resource["instances"].as_array())
        .flatten()
        .collect();
    let held: u64 = instances
        .iter()
        .filter_map(|instance| instance["memory_bytes"].as_u64())
        .sum();
    assert!(held >= 640 * MIB, "{shown}");
    let unasked = run(&mut host.wharf(&["deployment", "terminate", "web"]));
    assert_eq!(unasked.status.code(), Some(1), "{}", said(&unasked));
    assert!(said(&unasked).contains("CLI0007"), "{}", said(&unasked));

    must(&mut host.wharf(&["deployment", "terminate", "web", "--yes", "--wait"]));
    let left = containers(web.platform);
    assert!(
        left.keys().all(|name| !name.contains("-web-")),
        "a container of the terminated deployment is left: {left:?}"
    );
    assert_eq!(assigned_memory(web.platform), assigned - held);
    let now = host.wharf_json(&["deployment", "show", "web"]);
    assert_eq!(now["terminated"], true, "{now}");
    // A monitoring node keeps what it knows in the storage.
    let storage = instances
        .iter()
        .find(|instance| instance["name"] == "storage-0")
        .expect("a storage node");
    let data = host
        .data_dir()
        .join("instances")
        .join(storage["id"].as_str().expect("an id"))
        .join("data");
    let kept = fs::read_dir(&data).is_ok_and(|mut files| files.next().is_some());
    assert!(kept, "{} is gone or empty", data.display());

    must(&mut host.wharf(&["deployment", "restore", "web", "--wait"]));
    web.documents_are_there("after they were restored");
    assert_eq!(assigned_memory(web.platform), assigned);
    let now = host.wharf_json(&["deployment", "show", "web"]);
    assert_eq!(now["terminated"], false, "{now}");
}

fn another_password_ends_the_old_one(web: &mut Web<'_>) {
    let host = &web.platform.host;
    let root = |store: &Elastic| store.call("GET", "/", "").map(|(status, _)| status);
    assert_eq!(web.ask(root), Ok(200), "the old password still works");
    must(&mut host.wharf(&["deployment", "reset-password", "web", "--wait"]));
    assert_eq!(
        web.ask(root),
        Ok(401),
        "the old password ended with the plan"
    );
    let fresh = credentials(web.platform, "web");
    assert_ne!(fresh["password"], web.credentials["password"]);
    web.credentials = fresh;
    assert_eq!(web.ask(root), Ok(200), "the new password works");
    web.documents_are_there("for the new password");
}

fn collectors_ship_with_the_new_password(platform: &Platform) {
    let old = credentials(platform, "system");
    must(
        &mut platform
            .host
            .wharf(&["deployment", "reset-password", "system", "--wait"]),
    );
    let status = platform
        .host
        .inside(|| Elastic::new(&old).call("GET", "/", ""))
        .map(|(status, _)| status);
    assert_eq!(status, Ok(401), "the old password ended with the plan");
    let new = credentials(platform, "system");
    let count = |data_stream: &str| {
        let all = json!({"match_all": {}});
        platform
            .host
            .inside(|| Elastic::new(&new).count(data_stream, &all))
    };
    for data_stream in ["metrics-system.cpu-default", "metrics-docker.cpu-default"] {
        let before = count(data_stream).expect("a count with the new password");
        assert!(before > 0, "nothing was ever shipped to {data_stream}");
        wait_for(&format!("more documents in {data_stream}"), SOON, || {
            let now = count(data_stream)?;
            if now > before {
                Ok(())
            } else {
                Err(format!("{now}, {before} before"))
            }
        });
    }
    platform.wait_healthy();
}

fn a_plan_that_waits_for_ever_is_cancelled(platform: &Platform) {
    let host = &platform.host;
    let before = containers(platform);
    let allocator = inspect(platform, "wharf-wharfinger-allocator", "{{.State.Pid}}");
    let signal = |name: &str| must(Command::new("kill").args([name, &allocator]));
    // An allocator that stands still carries nothing out.
    signal("-STOP");
    let late = [
        "deployment",
        "create",
        "--name",
        "late",
        "--disk-mib",
        "1024",
    ];
    let created = host.wharf_json(&late);
    let plan = created["plan_id"].as_str().expect("a plan");
    wait_for("the plan waits for the allocator", SOON, || {
        let shown = host.wharf_json(&["plan", "show", plan]);
        let steps = shown["steps"].as_array().cloned().unwrap_or_default();
        let waits = |step: &Value| {
            let for_it = step["waits_for"].as_str().unwrap_or_default();
            step["status"] == "STEP_STATUS_RUNNING" && for_it.contains("allocator")
        };
        if steps.iter().any(waits) {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    });
    must(&mut host.wharf(&["plan", "cancel", plan]));
    signal("-CONT");
    wait_for("the plan is cancelled", SOON, || {
        let shown = host.wharf_json(&["plan", "show", plan]);
        if shown["status"] == "PLAN_STATUS_CANCELLED" {
            Ok(())
        } else {
            Err(shown.to_string())
        }
    });
    let followed = run(&mut host.wharf(&["plan", "follow", plan]));
    assert_eq!(followed.status.code(), Some(4), "{}", said(&followed));
    let again = run(&mut host.wharf(&["plan", "cancel", plan]));
    assert_eq!(
        again.status.code(),
        Some(1),
        "it has ended: {}",
        said(&again)
    );
    must(&mut host.wharf(&["deployment", "delete", "late", "--yes", "--wait"]));
    let gone = run(&mut host.wharf(&["deployment", "show", "late"]));
    assert_eq!(gone.status.code(), Some(3), "{}", said(&gone));
    assert_eq!(
        containers(platform),
        before,
        "nothing of it is left, and nothing else was touched"
    );
}

fn the_history_has_all_of_it(platform: &Platform) {
    let plans = plans(platform, "web");
    let kinds: Vec<&str> = plans
        .iter()
        .filter_map(|plan| plan["kind"].as_str()?.strip_prefix("PLAN_KIND_"))
        .collect();
    assert_eq!(
        kinds,
        [
            "RESET_PASSWORD",
            "RESTORE",
            "TERMINATE",
            "RESTART",
            "RESTART",
            "RESIZE",
            "CREATE"
        ],
        "newest first"
    );
    for plan in &plans {
        assert_eq!(plan["actor"], "admin", "{plan}");
        assert_eq!(plan["status"], "PLAN_STATUS_DONE", "{plan}");
    }
    let only = ["deployment", "history", "web", "--filter", "kind=resize"];
    let only = platform.host.wharf_json(&only);
    assert_eq!(only.as_array().map(Vec::len), Some(1), "{only}");
    let resize = only[0]["id"].as_str().expect("an id");
    let diff = platform.host.wharf_json(&["plan", "diff", resize]);
    let memory = json!({
        "field": "storage.memory_bytes",
        "before": (512 * MIB).to_string(),
        "after": (640 * MIB).to_string(),
    });
    let changes = diff["changes"].as_array().cloned().unwrap_or_default();
    assert!(changes.contains(&memory), "{diff}");
}

/// The part of diagnostics that asks an engine, with a secret in a container's log.
fn diagnostics_have_what_the_engine_says(platform: &Platform) {
    let host = &platform.host;
    let allocator = "wharf-wharfinger-allocator";
    let credentials = credentials(platform, "web");
    let password = credentials["password"].as_str().expect("a password");
    let pid = inspect(platform, allocator, "{{.State.Pid}}");
    let mut stderr = fs::OpenOptions::new()
        .append(true)
        .open(format!("/proc/{pid}/fd/2"))
        .expect("the container's standard error can be opened");
    writeln!(stderr, "planted-line somebody logged {password}").expect("a line can be planted");
    wait_for("the planted line", SOON, || {
        let log = said(&run(&mut host.docker(&["logs", "--tail", "200", allocator])));
        if log.contains(password) {
            Ok(())
        } else {
            Err("it is not in the log")
        }
    });
    let archive = host.dir().join("diagnostics.tar.gz");
    must(host.wharf(&["diagnostics", "--file"]).arg(&archive));
    let unpacked = host.dir().join("diagnostics");
    fs::create_dir(&unpacked).expect("a folder");
    must(
        Command::new("tar")
            .args(["--strip-components=1", "-C"])
            .arg(&unpacked)
            .arg("-xzf")
            .arg(&archive),
    );
    let text = |inside: &str| {
        fs::read_to_string(unpacked.join(inside))
            .unwrap_or_else(|error| panic!("{inside}: {error}"))
    };
    let facts: Value = serde_json::from_str(&text("engine/facts.json")).expect("JSON");
    let version = must(&mut host.docker(&["version", "--format", "{{.Server.Version}}"]));
    assert_eq!(facts["version"], version.trim(), "{facts}");
    let listed = text("engine/containers.json");
    for name in containers(platform).keys() {
        assert!(listed.contains(name), "{name} is not among {listed}");
        assert!(
            unpacked.join(format!("logs/{name}.log")).is_file(),
            "the log of {name} is missing"
        );
    }
    let log = text(&format!("logs/{allocator}.log"));
    let line = log
        .lines()
        .find(|line| line.contains("planted-line"))
        .expect("the end of the log is there");
    assert!(
        line.contains("[redacted]") && !line.contains(password),
        "{line}"
    );
}

fn a_newer_binary_replaces_every_container(web: &Web<'_>) {
    let host = &web.platform.host;
    let newer = host.dir().join("wharf-newer");
    let mut bytes = fs::read(binary()).expect("the binary can be read");
    bytes.push(b'\n');
    fs::write(&newer, bytes).expect("a newer binary can be written");
    fs::set_permissions(&newer, fs::Permissions::from_mode(0o755)).expect("it can be run");
    let image = |platform: &Platform, name: &str| inspect(platform, name, "{{.Image}}");
    let before = containers(web.platform);
    let old = image(web.platform, STORAGE);
    must(host.command(&newer).arg("up"));
    wait_for("every container runs the newer image", SOON, || {
        let old_ones: Vec<String> = containers(web.platform)
            .into_iter()
            .filter(|(_, facts)| facts.contains(&old))
            .map(|(name, _)| name)
            .collect();
        if old_ones.is_empty() {
            Ok(())
        } else {
            Err(old_ones)
        }
    });
    web.platform.wait_healthy();
    let after = containers(web.platform);
    let names = |of: &BTreeMap<String, String>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&after),
        names(&before),
        "no container more, none less"
    );
    web.documents_are_there("after the upgrade");
    wait_for("a healthy deployment", SOON, || {
        let shown = host.wharf_json(&["deployment", "show", "web"]);
        if shown["health"] == "HEALTH_HEALTHY" {
            Ok(())
        } else {
            Err(shown["problems"].clone())
        }
    });
}
