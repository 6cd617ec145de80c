//! What the deployment `system` learns of storage and monitoring nodes, its own and those of another
//! deployment, on a platform that `wharf up` made: what they hold and use, that one was killed, that one
//! is silent; and that people are told when the other deployment answers its clients with errors.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    collections::VecDeque,
    fs,
    os::unix::fs::OpenOptionsExt as _,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wharf_tests::{
    elastic::Elastic,
    frozen::Frozen,
    hook::{Hook, Posted},
    patience::{StopWhenDropped, wait_for},
    platform::Platform,
    testbed::must,
};

const STREAM: &str = "metrics-wharf.instance-default";
/// Instances are asked every half minute; a busy machine gets several of them.
const TOLD_WITHIN: Duration = Duration::from_secs(150);
/// From the first error that a client got to the message about them; how long it took is printed.
const ERRORS_TOLD_WITHIN: Duration = Duration::from_secs(150);
/// The watch looks a minute back, every quarter of one, and wants three good looks; a busy machine
/// gets twice that and more.
const RECOVERY: Duration = Duration::from_secs(300);
/// Of the requests of a minute this share must be errors.
const ERRORS: f64 = 0.2;
const WATCH: &str = "deployment-errors";
const DOCUMENTS: u64 = 500;
const PAUSE: Duration = Duration::from_millis(100);
const STORE: &str = "wharf-wharfinger-web-storage-0";

fn inspect(platform: &Platform, what: &str) -> String {
    let shown = must(&mut platform.host.docker(&["inspect", "-f", what, STORE]));
    shown.trim().to_owned()
}

/// The newest document about an instance, and when it was made.
fn newest(platform: &Platform, deployment: &str, instance: &str) -> Result<Value, String> {
    let query = json!({
        "size": 1,
        "sort": [{"@timestamp": "desc"}],
        "query": {"bool": {"filter": [
            {"term": {"wharf.deployment.name": deployment}},
            {"term": {"wharf.instance.name": instance}},
        ]}},
    });
    first_hit(platform, STREAM, &query)
}

fn first_hit(platform: &Platform, stream: &str, query: &Value) -> Result<Value, String> {
    let path = format!("/{stream}/_search?ignore_unavailable=true");
    let found = platform.with_system(|store| store.json("POST", &path, query))?;
    match &found["hits"]["hits"][0]["_source"] {
        Value::Null => Err(format!("nothing in {stream}: {found}")),
        document => Ok(document.clone()),
    }
}

/// Waits until the newest document about an instance is as wanted.
fn told(
    platform: &Platform,
    deployment: &str,
    instance: &str,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    let what = format!("{deployment}'s {instance}: {what}");
    wait_for(&what, TOLD_WITHIN, || {
        let document = newest(platform, deployment, instance)?;
        if wanted(&document["wharf"]["instance"]) {
            Ok(document)
        } else {
            Err(document["wharf"].to_string())
        }
    })
}

fn documents(told: &Value) -> f64 {
    told["metrics"]["wharf_store_documents"]
        .as_f64()
        .unwrap_or(-1.0)
}

/// When the instance of a document began.
fn began_ms(document: &Value) -> i64 {
    let at = document["@timestamp"].as_str().expect("a time");
    let at: jiff::Timestamp = at.parse().expect("a time");
    let uptime = document["wharf"]["instance"]["uptime"]["ms"].as_i64();
    at.as_millisecond() - uptime.expect("an uptime")
}

#[test]
fn system_learns_of_every_instance_and_people_of_a_deployment_that_answers_errors() {
    let platform = Platform::up("instances");
    let hook = platform.host.inside(Hook::start);
    open_channel(&platform, &hook);
    let mut create = vec!["deployment", "create", "--name", "web", "--wait"];
    create.extend(["--memory-mib", "512", "--disk-mib", "2048"]);
    must(&mut platform.host.wharf(&create));
    let web = platform
        .host
        .wharf_json(&["deployment", "credentials", "web"]);

    who_they_are(&platform);
    what_they_hold(&platform, &web);
    its_memory_is_its_cgroups(&platform);
    a_killed_one_is_seen(&platform);
    errors_are_told(&platform, &hook, &web);
}

/// Each instance has documents with health, build, memory, CPU and where it runs.
fn who_they_are(platform: &Platform) {
    for (deployment, instance) in [
        ("system", "storage-0"),
        ("system", "monitoring-0"),
        ("web", "storage-0"),
    ] {
        let document = told(platform, deployment, instance, "it is well", |told| {
            told["health"] == "healthy"
        });
        let told = &document["wharf"]["instance"];
        for (part, value) in [
            ("rss", &told["memory"]["rss"]["bytes"]),
            ("CPU", &told["cpu"]["total"]["ms"]),
            ("limit", &told["memory"]["limit"]["bytes"]),
            ("files", &told["files"]["open"]),
        ] {
            assert!(value.as_u64() > Some(0), "{part} in {document}");
        }
        assert_eq!(told["healthy"], true, "{document}");
        assert_eq!(document["service"]["version"], env!("CARGO_PKG_VERSION"));
        let kind = instance.split('-').next().unwrap_or_default();
        assert_eq!(document["wharf"]["resource"]["name"], kind, "{document}");
        for place in ["/container/id", "/host/name", "/cloud/availability_zone"] {
            let place = document.pointer(place).and_then(Value::as_str);
            assert!(place.is_some_and(|text| !text.is_empty()), "{document}");
        }
    }
    let document = newest(platform, "system", "monitoring-0").expect("a document");
    let watches = &document["wharf"]["instance"]["metrics"]["wharf_monitor_watches"];
    assert!(watches.as_f64() >= Some(1.0), "{document}");
}

/// A `_bulk` into the other deployment is seen in `system`'s documents about it.
fn what_they_hold(platform: &Platform, web: &Value) {
    let before = newest(platform, "web", "storage-0").expect("a document");
    let before = documents(&before["wharf"]["instance"]);
    let body: String = (0..DOCUMENTS)
        .map(|number| format!("{{\"index\":{{}}}}\n{{\"order\":{number}}}\n"))
        .collect();
    let (status, answer) = platform
        .host
        .inside(|| Elastic::new(web).call("POST", "/shop/_bulk", &body))
        .expect("the documents are taken");
    assert_eq!(
        (status, &answer["errors"]),
        (200, &json!(false)),
        "{answer}"
    );
    let after = told(platform, "web", "storage-0", "it holds more", |told| {
        documents(told) >= before + DOCUMENTS as f64
    });
    let counts = &after["wharf"]["instance"]["metrics"];
    let items = counts["wharf_store_bulk_items_ok_total"].as_f64();
    assert!(items >= Some(DOCUMENTS as f64), "{counts}");
    println!(
        "web holds {} documents, it held {before}",
        documents(&after["wharf"]["instance"])
    );
}

/// What the process tells of its memory is what the kernel says of its control group.
fn its_memory_is_its_cgroups(platform: &Platform) {
    let id = inspect(platform, "{{.Id}}");
    wait_for("memory as its control group has it", TOLD_WITHIN, || {
        let document = newest(platform, "web", "storage-0")?;
        let told = document["wharf"]["instance"]["memory"]["anonymous"]["bytes"].as_f64();
        let told = told.ok_or_else(|| document.to_string())?;
        let at = &document["@timestamp"];
        // Samples of the control group come every ten seconds: the one before and the one after.
        let query = json!({
            "size": 1,
            "sort": [{"@timestamp": "asc"}],
            "query": {"bool": {"filter": [
                {"term": {"container.id": id}},
                {"range": {"@timestamp": {"gte": at}}},
            ]}},
        });
        let sample = first_hit(platform, "metrics-docker.memory-default", &query)?;
        let kernel = sample["docker"]["memory"]["rss"]["total"].as_f64();
        let kernel = kernel.ok_or_else(|| sample.to_string())?;
        let apart = (told - kernel).abs() / kernel;
        if apart < 0.05 {
            println!(
                "memory: told {told}, the kernel {kernel}, {:.2} % apart",
                apart * 100.0
            );
            Ok(())
        } else {
            Err(format!("told {told}, the kernel {kernel}"))
        }
    });
}

/// After its process was killed, documents tell of one that began later.
fn a_killed_one_is_seen(platform: &Platform) {
    let before = newest(platform, "web", "storage-0").expect("a document");
    let pid = inspect(platform, "{{.State.Pid}}");
    must(Command::new("kill").args(["-9", &pid]));
    let what = "another process began";
    let after = wait_for(what, TOLD_WITHIN, || {
        let document = newest(platform, "web", "storage-0")?;
        let told = &document["wharf"]["instance"];
        if told["health"] == "healthy" && began_ms(&document) > began_ms(&before) + 1000 {
            Ok(document)
        } else {
            Err(document["wharf"].to_string())
        }
    });
    let held = documents(&after["wharf"]["instance"]);
    assert!(held >= DOCUMENTS as f64, "nothing is lost: {after}");
}

/// What clients of the deployment got, and when; the newest minute.
#[derive(Default)]
struct Answers(Mutex<VecDeque<(Instant, u16)>>);

impl Answers {
    fn note(&self, status: u16) {
        let mut answers = self.0.lock().expect("the answers");
        answers.push_back((Instant::now(), status));
        while answers
            .front()
            .is_some_and(|(at, _)| at.elapsed() > Duration::from_secs(60))
        {
            answers.pop_front();
        }
    }

    /// Requests with an answer, those with 5xx, and since when there are such.
    fn counted(&self) -> (usize, usize, Option<Instant>) {
        let answers = self.0.lock().expect("the answers");
        let mut errors = answers.iter().filter(|(_, status)| *status >= 500);
        let first = errors.clone().next().map(|(at, _)| *at);
        (answers.len(), errors.by_ref().count(), first)
    }
}

/// Searches until it is told to stop; what hangs is given up.
fn search_on(platform: &Platform, web: &Value, answers: &Answers, stop: &AtomicBool) {
    platform.host.inside(|| {
        let store = Elastic::with_timeout(web, Duration::from_secs(2));
        while !stop.load(Ordering::Relaxed) {
            let answer = store.call("GET", "/shop/_search?size=1", "");
            if let Ok((status, _)) = answer {
                answers.note(status);
            }
            thread::sleep(PAUSE);
        }
    });
}

/// Messages of the watch about the deployment.
fn messages(hook: &Hook, state: &str) -> Vec<Posted> {
    let mut posted = hook.posted();
    posted.retain(|one| {
        one.body["watch"] == WATCH
            && one.body["state"] == state
            && one.body["subject"].to_string().contains("web")
    });
    posted
}

fn message(hook: &Hook, what: &str, within: Duration, state: &str) -> Posted {
    wait_for(what, within, || {
        let all = || {
            hook.posted()
                .iter()
                .map(|one| one.body.to_string())
                .collect()
        };
        messages(hook, state)
            .into_iter()
            .next()
            .ok_or_else(|| -> Vec<String> { all() })
    })
}

/// The deployment's store stops to answer: its documents say so, and people are told of the errors
/// that its clients get, once, and that they are over.
fn errors_are_told(platform: &Platform, hook: &Hook, web: &Value) {
    let (answers, stop) = (Answers::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        let searching = scope.spawn(|| search_on(platform, web, &answers, &stop));
        // Also when this fails: the thread must end for the test to.
        let _end = StopWhenDropped(&stop);
        wait_for("searches are answered", TOLD_WITHIN, || {
            match answers.counted() {
                (all, 0, None) if all >= 20 => Ok(()),
                other => Err(other),
            }
        });
        assert!(messages(hook, "firing").is_empty(), "nothing is told yet");

        let pid = inspect(platform, "{{.State.Pid}}");
        let frozen = Frozen::stop(pid.clone());
        let first = wait_for("clients get errors", TOLD_WITHIN, || {
            answers.counted().2.ok_or("no error yet")
        });
        let said = message(hook, "the errors are told", ERRORS_TOLD_WITHIN, "firing");
        println!("errors told after {} ms", first.elapsed().as_millis());
        names_service_and_rate(&said, &answers);
        let silent = told(platform, "web", "storage-0", "it is silent", |told| {
            told["health"] == "unknown"
        });
        let reason = silent["wharf"]["instance"]["reason"].to_string();
        assert!(reason.contains("does not answer"), "{silent}");
        errors_go_on(platform);
        let (all, errors, _) = answers.counted();
        assert!(
            errors as f64 >= ERRORS * all as f64,
            "{errors} of {all} requests were errors"
        );
        assert_eq!(
            messages(hook, "firing").len(),
            1,
            "none inside the throttle"
        );
        assert!(
            messages(hook, "recovered").is_empty(),
            "it has not recovered"
        );

        drop(frozen);
        let thawed = Instant::now();
        told(platform, "web", "storage-0", "it is well again", |told| {
            told["health"] == "healthy"
        });
        message(hook, "the recovery is told", RECOVERY, "recovered");
        println!("recovery told after {} ms", thawed.elapsed().as_millis());
        assert_eq!(
            inspect(platform, "{{.State.Pid}}"),
            pid,
            "nobody restarted it"
        );
        assert_eq!(
            (
                messages(hook, "firing").len(),
                messages(hook, "recovered").len()
            ),
            (1, 1),
            "the errors and their end were told once"
        );
        stop.store(true, Ordering::Relaxed);
        searching.join().expect("the searches end");
    });
}

/// The message says whose errors they are, and how many of the requests.
fn names_service_and_rate(said: &Posted, answers: &Answers) {
    let subject = said.body["subject"].as_str().expect("a subject");
    assert!(
        subject.starts_with("web answers errors to ") && subject.contains("% of /shop"),
        "{subject}"
    );
    let rate = said.body["value"].as_f64().expect("a rate");
    let (all, errors, _) = answers.counted();
    println!("{subject}; clients got {errors} errors in {all} answers");
    assert!((0.05..=1.0).contains(&rate), "{}", said.body);
    assert!(errors >= 10, "the watch wants ten: {errors}");
}

/// Waits until the watch has fired once more.
fn errors_go_on(platform: &Platform) {
    let runs = || {
        let runs = platform
            .host
            .wharf_json(&["watch", "history", WATCH, "--from", "10m"]);
        let runs = runs.as_array().cloned().unwrap_or_default();
        let firing = |run: &&Value| run["outcome"].to_string().to_lowercase().contains("firing");
        runs.iter().filter(firing).count()
    };
    let before = runs();
    wait_for("the watch fires on", TOLD_WITHIN, || match runs() {
        now if now > before => Ok(()),
        now => Err(now),
    });
}

/// Makes the channel that messages go to.
fn open_channel(platform: &Platform, hook: &Hook) {
    let file = platform.host.dir().join("channel.json");
    let document = json!({"name": "ops", "webhook": {"url": hook.url(), "format": "json"}});
    let mut written = fs::OpenOptions::new();
    written.write(true).create_new(true).mode(0o600);
    let mut written = written.open(&file).expect("the channel's file can be made");
    std::io::Write::write_all(&mut written, document.to_string().as_bytes())
        .expect("the channel's file can be written");
    let file = file.to_string_lossy().into_owned();
    must(&mut platform.host.wharf(&["channel", "create", "-f", &file]));
}
