//! The first path, as a user walks it: `wharf up` on an engine of the test's own, the `system`
//! deployment, documents of every container and of the host, the operations commands, `wharf down`. One
//! platform serves the tests of this file that only look. Not here: a second one beside it.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    sync::{LazyLock, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::{Value, json};
use wharf_tests::{
    elastic::Elastic,
    patience::wait_for,
    testbed::{Host, must, run},
};

const SOON: Duration = Duration::from_secs(150);

/// A host with a platform that is up. The lock makes a failed test not fail the others.
static PLATFORM: LazyLock<Mutex<Option<Host>>> = LazyLock::new(|| {
    let host = Host::start("up");
    let said = must(&mut host.wharf(&["up"]));
    assert!(
        said.contains("password"),
        "the first `wharf up` tells the password once: {said}"
    );
    host.import_busybox();
    must(&mut host.docker(&[
        "run",
        "-d",
        "--name",
        "shop-web",
        "--label",
        "com.docker.compose.project=shop",
        "--label",
        "com.docker.compose.service=web",
        "--network",
        "none",
        "busybox:test",
        "sh",
        "-c",
        "i=0; while true; do i=$((i+1)); echo line $i; sleep 0.5; done",
    ]));
    Mutex::new(Some(host))
});

struct Platform(MutexGuard<'static, Option<Host>>);

impl std::ops::Deref for Platform {
    type Target = Host;
    fn deref(&self) -> &Host {
        self.0
            .as_ref()
            .expect("the platform is there until the last test")
    }
}

fn platform() -> Platform {
    Platform(
        PLATFORM
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner),
    )
}

fn system(host: &Host) -> Value {
    host.wharf_json(&["deployment", "credentials", "system"])
}

#[test]
fn a_the_platform_is_healthy_and_its_roles_run_as_containers() {
    let host = platform();
    wait_for("a healthy platform", SOON, || {
        let status = host.wharf_json(&["status"]);
        if status["healthy"] == true {
            Ok(())
        } else {
            Err(status["problems"].clone())
        }
    });
    let names = must(&mut host.docker(&["ps", "--format", "{{.Names}}"]));
    for role in ["director", "allocator", "proxy"] {
        assert!(
            names
                .lines()
                .any(|name| name == format!("wharf-wharfinger-{role}")),
            "no container of the {role} runs: {names}"
        );
    }
    assert!(names.contains("storage-0"), "no storage node runs: {names}");
    assert!(
        names.contains("monitoring-0"),
        "no monitoring node runs: {names}"
    );
}

#[test]
fn b_metrics_and_logs_of_the_machine_are_found_through_the_proxy() {
    let host = platform();
    let credentials = system(&host);
    host.inside(|| {
        let store = Elastic::new(&credentials);
        for data_stream in [
            "metrics-docker.cpu-default",
            "metrics-docker.memory-default",
            "metrics-system.cpu-default",
            "logs-docker.container-default",
            "logs-docker.engine-default",
        ] {
            wait_for(&format!("documents in {data_stream}"), SOON, || {
                let body = json!({
                    "size": 1,
                    "query": {"range": {"@timestamp": {"gte": "now-5m"}}},
                    "aggs": {"hosts": {"terms": {"field": "host.name"}}},
                });
                let answer = store.json("POST", &format!("/{data_stream}/_search"), &body)?;
                let buckets = answer["aggregations"]["hosts"]["buckets"]
                    .as_array()
                    .cloned();
                match buckets.as_deref() {
                    Some([bucket, ..]) if bucket["doc_count"].as_u64() > Some(0) => Ok(()),
                    _ => Err(answer.to_string()),
                }
            });
        }
        wait_for("the application of a compose service", SOON, || {
            let query = json!({"term": {"container.name": "shop-web"}});
            let body = json!({"size": 1, "query": query, "sort": [{"@timestamp": "desc"}]});
            let answer = store.json("POST", "/logs-docker.container-default/_search", &body)?;
            let source = &answer["hits"]["hits"][0]["_source"];
            if source["message"]
                .as_str()
                .is_some_and(|text| text.starts_with("line "))
                && source["service"]["name"]
                    .as_str()
                    .is_some_and(|text| text.contains("web"))
            {
                Ok(())
            } else {
                Err(answer.to_string())
            }
        });
    });
}

#[test]
fn c_curl_with_the_ca_file_reaches_the_deployment_by_name_and_by_header() {
    let host = platform();
    let credentials = system(&host);
    let text = |field: &str| credentials[field].as_str().expect("a field").to_owned();
    let login = host.dir().join("netrc");
    std::fs::write(
        &login,
        format!(
            "default login {} password {}\n",
            text("username"),
            text("password")
        ),
    )
    .expect("a file can be written");
    let curl = |arguments: &[&str]| {
        let mut command = host.command("curl");
        command.args(["-sS", "--fail", "--netrc-file"]).arg(&login);
        command.arg("--cacert").arg(text("ca_file")).args(arguments);
        must(&mut command)
    };
    let by_name = curl(&[&format!("{}/_cluster/health", text("url"))]);
    assert!(by_name.contains("\"status\""), "{by_name}");
    let by_header = curl(&[
        "-H",
        "X-Found-Cluster: system",
        "https://localhost:9243/_cluster/health",
    ]);
    assert!(by_header.contains("\"status\""), "{by_header}");
    let mut unknown = host.command("curl");
    unknown.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert"]);
    unknown
        .arg(text("ca_file"))
        .args(["-H", "X-Found-Cluster: nobody", "https://localhost:9243/"]);
    assert_eq!(must(&mut unknown), "404", "an unknown cluster is not found");
}

#[test]
fn d_top_and_containers_show_every_container_of_the_host() {
    let host = platform();
    wait_for("every container with a sample", SOON, || {
        let rows = host.wharf_json(&["top", "--once"]);
        let rows = rows.as_array().cloned().unwrap_or_default();
        let running = must(&mut host.docker(&["ps", "--format", "{{.Names}}"]));
        let missing: Vec<&str> = running
            .lines()
            .filter(|name| {
                !rows.iter().any(|row| {
                    row["name"] == **name && row["sample"]["memory_bytes"].as_u64() > Some(0)
                })
            })
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("{missing:?}"))
        }
    });
    let page = must(&mut host.wharf(&["top", "--once", "--sort", "memory"]));
    assert!(
        page.contains("shop-web") && page.contains("APPLICATION"),
        "{page}"
    );
    let shown = host.wharf_json(&["container", "show", "shop-web"]);
    assert_eq!(shown["name"], "shop-web");
    let filtered = host.wharf_json(&["container", "list", "--filter", "name=shop-web"]);
    assert_eq!(filtered.as_array().map(Vec::len), Some(1), "{filtered}");
}

#[test]
fn e_logs_of_a_container_are_printed_and_followed() {
    let host = platform();
    wait_for("lines of shop-web", SOON, || {
        let printed = run(&mut host.wharf(&["logs", "--tail", "3", "shop-web"]));
        let text = String::from_utf8_lossy(&printed.stdout).into_owned();
        if printed.status.success() && text.lines().count() == 3 {
            Ok(())
        } else {
            Err(text)
        }
    });
    let mut follow = host.wharf(&["logs", "-f", "--tail", "1", "shop-web"]);
    let mut child = follow
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("wharf logs can be run");
    let stdout = child.stdout.take().expect("its output");
    let lines: Vec<String> = std::io::BufRead::lines(std::io::BufReader::new(stdout))
        .take(5)
        .map(|line| line.expect("a line"))
        .collect();
    child.kill().expect("it can be ended");
    child.wait().expect("it ends");
    let numbers: Vec<u64> = lines
        .iter()
        .map(|line| line.trim_start_matches("line ").parse().expect("`line N`"))
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "a follower shows each line once and in order: {numbers:?}"
    );
}

#[test]
fn f_a_deployment_is_created_used_and_deleted_with_wait() {
    let host = platform();
    let id = "0123456789abcdef0123456789abcdef";
    let created = host.wharf_json(&[
        "deployment",
        "create",
        "--name",
        "Team Web",
        "--memory-mib",
        "512",
        "--disk-mib",
        "2048",
        "--wait",
        "--request-id",
        id,
    ]);
    let again = host.wharf_json(&[
        "deployment",
        "create",
        "--name",
        "Team Web",
        "--memory-mib",
        "512",
        "--disk-mib",
        "2048",
        "--request-id",
        id,
    ]);
    assert_eq!(
        created["deployment_id"], again["deployment_id"],
        "a retry creates nothing"
    );
    let list = host.wharf_json(&["deployment", "list", "--sort", "name"]);
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list}");
    let credentials = host.wharf_json(&["deployment", "credentials", "team-web"]);
    host.inside(|| {
        let store = Elastic::new(&credentials);
        let doc = json!({"message": "hello"});
        store
            .json("PUT", "/notes/_doc/1?refresh=true", &doc)
            .expect("a document is taken");
        assert_eq!(
            store.count("notes", &json!({"match": {"message": "hello"}})),
            Ok(1)
        );
    });
    let plan_id = created["plan_id"].as_str().expect("a plan").to_owned();
    let plan = host.wharf_json(&["plan", "show", &plan_id]);
    assert_eq!(plan["status"], "PLAN_STATUS_DONE");
    assert!(
        plan["steps"]
            .as_array()
            .is_some_and(|steps| steps.len() >= 4),
        "{plan}"
    );
    must(&mut host.wharf(&["deployment", "delete", "team-web", "--yes", "--wait"]));
    let gone = run(&mut host.wharf(&["deployment", "show", "team-web"]));
    assert_eq!(
        gone.status.code(),
        Some(3),
        "a deployment that is gone is not found"
    );
    let names = must(&mut host.docker(&["ps", "-a", "--format", "{{.Names}}"]));
    assert!(
        !names.contains("team-web"),
        "its container is left: {names}"
    );
}

#[test]
fn g_bad_requests_are_refused_with_a_code_and_a_field_and_leave_nothing() {
    let host = platform();
    let before = host.wharf_json(&["deployment", "list"]);
    let long = "n".repeat(10_000);
    for (arguments, field) in [
        (vec!["--name", "x", "--template", "nope"], "template"),
        (vec!["--name", "x", "--memory-mib", "99999999"], "size"),
        (vec!["--name", "x", "--alias", "system"], "alias"),
        (vec!["--name", "x", "--alias", "Not A Label"], "alias"),
        (vec!["--name", ""], "name"),
        (vec!["--name", &long], "name: "),
    ] {
        let mut all = vec!["deployment", "create"];
        all.extend(&arguments);
        let refused = run(&mut host.wharf(&all));
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success(), "{arguments:?} was taken");
        assert!(
            said.contains("error DIR0") && said.contains(field),
            "{arguments:?}: a DIR code and `{field}` were expected, not: {said}"
        );
        assert_eq!(said.matches("error ").count(), 1, "told once: {said}");
    }
    for noun in ["plan", "template", "container", "allocator", "deployment"] {
        let unknown = run(&mut host.wharf(&[noun, "show", &"0".repeat(32)]));
        let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
        assert_eq!(
            unknown.status.code(),
            Some(3),
            "an unknown {noun} is not found: {said}"
        );
        assert!(
            said.contains("error DIR0008") && said.contains(noun) && said.contains("what to do: "),
            "unknown {noun}: DIR0008 with a hint was expected, not: {said}"
        );
        assert_eq!(said.matches("error ").count(), 1, "told once: {said}");
    }
    assert_eq!(host.wharf_json(&["deployment", "list"]), before);
}

#[test]
fn h_lists_page_sort_filter_and_print_arrays() {
    let host = platform();
    for noun in [
        "deployment",
        "plan",
        "allocator",
        "proxy",
        "container",
        "template",
    ] {
        let list = host.wharf_json(&[noun, "list"]);
        assert!(
            list.as_array().is_some_and(|rows| !rows.is_empty()),
            "{noun} list: {list}"
        );
        let yaml = must(host.wharf(&[noun, "list"]).args(["-o", "yaml"]));
        assert!(yaml.starts_with("- "), "{noun} list as YAML: {yaml}");
    }
    let refused = run(&mut host.wharf(&["container", "list", "--filter", "nonsense=1"]));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("DIR0") && said.contains("nonsense"), "{said}");
    let one = host.wharf_json(&["container", "list", "--limit", "1", "--sort", "name desc"]);
    assert_eq!(one.as_array().map(Vec::len), Some(1));
}

#[test]
fn i_up_again_changes_nothing_and_a_removed_role_comes_back() {
    let host = platform();
    let ids = || {
        let mut ids: Vec<String> =
            must(&mut host.docker(&["ps", "--no-trunc", "--format", "{{.ID}} {{.Names}}"]))
                .lines()
                .filter(|line| line.contains("wharf-"))
                .map(str::to_owned)
                .collect();
        ids.sort();
        ids
    };
    let before = ids();
    let said = must(&mut host.wharf(&["up"]));
    assert_eq!(ids(), before, "the second `wharf up` touched a container");
    assert!(
        !said.contains("password "),
        "the password is told once: {said}"
    );
    must(&mut host.docker(&["rm", "-f", "wharf-wharfinger-proxy"]));
    wait_for("the proxy is back", SOON, || {
        let names = must(&mut host.docker(&["ps", "--format", "{{.Names}}"]));
        if names.contains("wharf-wharfinger-proxy") {
            Ok(())
        } else {
            Err(names)
        }
    });
    must(&mut host.docker(&["rm", "-f", "wharf-wharfinger-allocator"]));
    must(&mut host.wharf(&["up"]));
    wait_for("a healthy platform", SOON, || {
        let status = host.wharf_json(&["status"]);
        if status["healthy"] == true {
            Ok(())
        } else {
            Err(status["problems"].clone())
        }
    });
}

#[test]
fn k_down_stops_everything_up_brings_the_data_back_and_purge_leaves_nothing() {
    let mut held = platform();
    let credentials = system(&held);
    let marked = json!({"message": "kept"});
    held.inside(|| {
        Elastic::new(&credentials)
            .json("PUT", "/kept/_doc/1?refresh=true", &marked)
            .expect("a document is taken")
    });
    must(&mut held.wharf(&["down"]));
    let names = must(&mut held.docker(&["ps", "-a", "--format", "{{.Names}}"]));
    assert!(
        !names.contains("wharf-"),
        "something of the platform is left: {names}"
    );
    must(&mut held.wharf(&["up"]));
    held.inside(|| {
        let store = Elastic::new(&credentials);
        wait_for("the document is back", SOON, || {
            match store.count("kept", &json!({"match_all": {}}))? {
                1 => Ok(()),
                other => Err(format!("{other} documents")),
            }
        });
    });
    must(&mut held.wharf(&["down", "--purge"]));
    assert!(
        !held.has_data(),
        "data is left at {}",
        held.data_dir().display()
    );
    let images = must(&mut held.docker(&["images", "--format", "{{.Repository}}"]));
    assert!(!images.contains("wharfinger"), "an image is left: {images}");
    drop(held.0.take());
}
