//! What reaches people from a platform that `wharf up` made: a shipped watch about an application's
//! error lines, a watch that a client of the store put beside it, and the director's own words about
//! a store that is dead. Everything goes through the product, to a receiver on the host's loopback.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    fs,
    os::unix::fs::OpenOptionsExt as _,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wharf_tests::{
    hook::{Hook, Posted},
    patience::wait_for,
    platform::Platform,
    testbed::{must, run},
};

const SOON: Duration = Duration::from_secs(60);
/// From the first wrong line to the message about it.
const TOLD_WITHIN: Duration = Duration::from_secs(90);
/// The shipped watch looks a minute back, every quarter of one, and wants three good looks; twice
/// that is too long.
const RECOVERY: Duration = Duration::from_secs(210);
const SECRET: &str = "s3cret-of-the-channel";
const SHIPPED: &str = "application-errors";
const BY_HAND: &str = "shop-writes";
const LOGS: &str = "logs-docker.container-default";
/// Seconds of documents with errors that must be there after the message.
const GOES_ON_SECONDS: u64 = 20;
const LINES_PER_SECOND: u64 = 5;
const STORE: &str = "wharf-wharfinger-system-storage-0";
const MONITOR: &str = "wharf-wharfinger-system-monitoring-0";

/// Messages of a watch about something, by what they say of it.
fn of_watch(hook: &Hook, watch: &str, state: &str, about: &str) -> Vec<Posted> {
    let mut posted = hook.posted();
    posted.retain(|one| {
        one.body["watch"] == watch
            && one.body["state"] == state
            && one.body["subject"].to_string().contains(about)
    });
    posted
}

/// Messages of the platform itself about `system` not being healthy.
fn of_platform(hook: &Hook, news: &str) -> Vec<Posted> {
    let mut posted = hook.posted();
    posted.retain(|one| {
        one.body["code"] == "DIR0102"
            && one.body["news"] == news
            && one.body["subject"].to_string().contains("system")
    });
    posted
}

fn first(
    hook: &Hook,
    what: &str,
    within: Duration,
    found: impl Fn(&Hook) -> Vec<Posted>,
) -> Posted {
    wait_for(what, within, || {
        found(hook)
            .into_iter()
            .next()
            .ok_or_else(|| bodies(&hook.posted()))
    })
}

fn bodies(posted: &[Posted]) -> Vec<String> {
    posted.iter().map(|one| one.body.to_string()).collect()
}

fn inspect(platform: &Platform, container: &str, what: &str) -> String {
    let shown = must(&mut platform.host.docker(&["inspect", "-f", what, container]));
    shown.trim().to_owned()
}

/// A process that is stopped, and goes on when this is dropped.
struct Frozen(String);

impl Frozen {
    fn stop(pid: String) -> Self {
        must(Command::new("kill").args(["-STOP", &pid]));
        Self(pid)
    }

    /// Whether the kernel says so.
    fn is_still(&self) -> bool {
        let stat =
            fs::read_to_string(format!("/proc/{}/stat", self.0)).expect("the process is there");
        let (_, rest) = stat.rsplit_once(") ").expect("a process's line");
        rest.starts_with('T')
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        run(Command::new("kill").args(["-CONT", &self.0]));
    }
}

#[test]
fn people_are_told_of_an_application_a_watch_of_their_own_and_a_dead_store() {
    let platform = Platform::up("watches");
    let hook = platform.host.inside(Hook::start);
    open_channel(&platform, &hook);
    let monitor = || inspect(&platform, MONITOR, "{{.State.StartedAt}} {{.RestartCount}}");
    let monitor_before = monitor();

    let began = Instant::now();
    let script = "i=0; while true; do i=$((i+1)); if [ $((i%5)) = 0 ] && [ ! -e /mended ]; then \
                  echo ERROR order $i failed; else echo INFO order $i; fi; sleep 0.2; done";
    let application = platform.start(
        "shop-1",
        &["--network", "none", "--label", "app=shop"],
        script,
    );
    let fired = |hook: &Hook| of_watch(hook, SHIPPED, "firing", "shop");
    let told = first(
        &hook,
        "the application's errors are told",
        TOLD_WITHIN,
        fired,
    );
    println!("errors told after {} ms", began.elapsed().as_millis());
    check_rate(&told);
    errors_go_on(&platform, &application);
    assert_eq!(fired(&hook).len(), 1, "none inside the throttle");
    let recovered = |hook: &Hook| of_watch(hook, SHIPPED, "recovered", "shop");
    assert!(recovered(&hook).is_empty(), "nothing has recovered yet");

    let mended = Instant::now();
    must(
        &mut platform
            .host
            .docker(&["exec", "shop-1", "/bin/busybox", "touch", "/mended"]),
    );

    // Meanwhile a client of the store puts a watch of its own.
    put_watch(&platform);
    let put = Instant::now();
    let by_hand = |hook: &Hook| of_watch(hook, BY_HAND, "firing", "shop writes");
    let said = first(&hook, "the watch that was put fires", SOON, by_hand);
    println!(
        "a watch that was put told after {} ms",
        put.elapsed().as_millis()
    );
    assert_eq!(said.body["severity"], "info", "{}", said.body);

    first(&hook, "the application has recovered", RECOVERY, recovered);
    println!("recovery told after {} ms", mended.elapsed().as_millis());
    assert_eq!(
        monitor(),
        monitor_before,
        "the monitoring node was not restarted"
    );

    a_dead_store_is_told(&platform, &hook);
    assert_eq!(
        fired(&hook).len(),
        1,
        "the application's errors were told once"
    );
    assert_eq!(recovered(&hook).len(), 1, "their end was told once");
    assert_eq!(by_hand(&hook).len(), 1, "the watch that was put told once");
    let all = hook.posted();
    for one in &all {
        assert_eq!(
            one.headers
                .get("authorization")
                .map(http::HeaderValue::as_bytes),
            Some(SECRET.as_bytes()),
            "each message carries the channel's header"
        );
        assert!(one.headers.contains_key("idempotency-key"), "{one:?}");
    }
}

/// Makes the channel, sends a test over it, and gives it to the platform's own messages too.
fn open_channel(platform: &Platform, hook: &Hook) {
    let host = &platform.host;
    let file = host.dir().join("channel.json");
    let document = json!({"name": "ops", "webhook": {
        "url": hook.url(), "headers": {"authorization": SECRET}, "format": "json",
    }});
    let mut written = fs::OpenOptions::new();
    written.write(true).create_new(true).mode(0o600);
    let mut written = written.open(&file).expect("the channel's file can be made");
    std::io::Write::write_all(&mut written, document.to_string().as_bytes())
        .expect("the channel's file can be written");
    let file = file.to_string_lossy().into_owned();
    must(&mut host.wharf(&["channel", "create", "-f", &file]));
    let listed = host.wharf_json(&["channel", "list"]).to_string();
    assert!(
        listed.contains("ops") && !listed.contains(SECRET) && !listed.contains("/hook"),
        "a channel is listed without its secrets: {listed}"
    );
    must(&mut host.wharf(&["channel", "test", "ops"]));
    assert_eq!(hook.posted().len(), 1, "the test message has arrived");
    must(&mut host.wharf(&["config", "set", "notifications.after_seconds", "1"]));
    must(&mut host.wharf(&["config", "set", "notifications.channels", "ops"]));
}

/// The message names the rate, and it is the one of the lines.
fn check_rate(told: &Posted) {
    let subject = told.body["subject"].as_str().expect("a subject");
    assert!(
        subject.contains("shop") && subject.contains('%'),
        "{subject}"
    );
    let rate = told.body["value"].as_f64().expect("a rate");
    // The container's first lines, and one line more or less at the window's ends.
    assert!(
        (0.1..=0.25).contains(&rate),
        "a fifth of the lines: {}",
        told.body
    );
    println!("{subject}");
}

/// Waits until the store has that many more seconds of lines, and the watch has fired on them.
fn errors_go_on(platform: &Platform, application: &str) {
    let of_application = json!({"term": {"container.id": application}});
    let count = || platform.with_system(|store| store.count(LOGS, &of_application));
    let runs = || {
        let runs = platform
            .host
            .wharf_json(&["watch", "history", SHIPPED, "--from", "10m"]);
        let runs = runs.as_array().cloned().unwrap_or_default();
        let firing = |run: &&Value| run["outcome"].to_string().to_lowercase().contains("firing");
        runs.iter().filter(firing).count()
    };
    let (lines, ran) = (count().expect("the lines so far"), runs());
    wait_for("the errors go on", SOON, || {
        let more = count()?.saturating_sub(lines);
        if more >= GOES_ON_SECONDS * LINES_PER_SECOND {
            Ok(())
        } else {
            Err(format!("{more} lines more"))
        }
    });
    wait_for("the watch fires on", SOON, || {
        let now = runs();
        if now > ran { Ok(()) } else { Err(now) }
    });
}

/// One PUT through the proxy, with the deployment's credentials.
fn put_watch(platform: &Platform) {
    let watch = json!({
        "severity": "info",
        "trigger": {"interval": "2s"},
        "input": {"search": {"index": LOGS, "window": "30s", "body": {"query": {"bool": {"filter": [
            {"range": {"@timestamp": {"gte": "{{from}}", "lt": "{{to}}"}}},
            {"term": {"service.name": "shop"}},
        ]}}}}},
        "condition": {"compare": {"path": "hits.total.value", "gt": 0}},
        "actions": [{"channel": "ops", "subject": "shop writes {{value}} lines"}],
    });
    let path = format!("/.wharf-watches/_doc/{BY_HAND}");
    let put = platform.with_system(|store| store.json("PUT", &path, &watch));
    assert_eq!(put.expect("the watch is taken")["result"], "created");
}

/// The director tells of the store while it is dead, and of its return.
fn a_dead_store_is_told(platform: &Platform, hook: &Hook) {
    assert!(
        of_platform(hook, "firing").is_empty(),
        "{:#?}",
        bodies(&hook.posted())
    );
    let life = || {
        inspect(
            platform,
            STORE,
            "{{.Id}} {{.State.Pid}} {{.State.StartedAt}}",
        )
    };
    let before = life();
    let frozen = Frozen::stop(inspect(platform, STORE, "{{.State.Pid}}"));
    let began = Instant::now();
    let firing = |hook: &Hook| of_platform(hook, "firing");
    first(hook, "the dead store is told", SOON, firing);
    println!("dead store told after {} ms", began.elapsed().as_millis());
    assert!(frozen.is_still(), "the store was dead when it was told");
    assert!(
        of_platform(hook, "recovered").is_empty(),
        "it has not recovered"
    );
    drop(frozen);
    let thawed = Instant::now();
    let recovered = |hook: &Hook| of_platform(hook, "recovered");
    first(hook, "the store's return is told", SOON, recovered);
    println!("its return told after {} ms", thawed.elapsed().as_millis());
    assert_eq!(life(), before, "it is the same store, nobody restarted it");
    platform.wait_healthy();
    assert_eq!(
        (firing(hook).len(), recovered(hook).len()),
        (1, 1),
        "the dead store and its return were told once"
    );
}
