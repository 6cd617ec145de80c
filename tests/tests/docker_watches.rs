//! What reaches people from a platform that `wharf up` made: a shipped watch about an application's
//! error lines, a watch that a client of the store put beside it, and the director's own words about
//! a store that is dead. Everything goes through the product, to a receiver on the host's loopback.
//! The history of a watch is complete over the store's death. Channels are live: made, changed and
//! deleted without a restart of the monitoring node. A search that is too slow is cut off, alone.

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
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use wharf_proto::monitor::v1;
use wharf_services::monitor::v1::{alerts_client::AlertsClient, search_client::SearchClient};
use wharf_tests::{
    account::{Ran, run_breaches},
    elastic::Elastic,
    frozen::Frozen,
    hook::{Hook, Posted},
    patience::wait_for,
    platform::Platform,
    testbed::must,
};

const SOON: Duration = Duration::from_secs(150);
/// From the first wrong line to the message about it; how long it took is printed.
const TOLD_WITHIN: Duration = Duration::from_secs(180);
/// The shipped watch looks a minute back, every quarter of one, and wants three good looks; a busy
/// machine gets twice that and more.
const RECOVERY: Duration = Duration::from_secs(300);
const SECRET: &str = "s3cret-of-the-channel";
const SHIPPED: &str = "application-errors";
const BY_HAND: &str = "shop-writes";
const BY_HAND_INTERVAL_MS: u64 = 2_000;
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
    seen_through_the_director(&platform);

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
    put_channel(platform, "create", hook);
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

/// `wharf channel create` or `update` of the channel `ops`.
fn put_channel(platform: &Platform, verb: &str, hook: &Hook) {
    let file = platform.host.dir().join("channel.json");
    let document = json!({"name": "ops", "webhook": {
        "url": hook.url(), "headers": {"authorization": SECRET}, "format": "json",
    }});
    let mut written = fs::OpenOptions::new();
    written.write(true).create(true).truncate(true).mode(0o600);
    let mut written = written.open(&file).expect("the channel's file can be made");
    std::io::Write::write_all(&mut written, document.to_string().as_bytes())
        .expect("the channel's file can be written");
    let file = file.to_string_lossy().into_owned();
    must(&mut platform.host.wharf(&["channel", verb, "-f", &file]));
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
        let runs = history(platform, SHIPPED);
        let firing = |run: &&Run| run.outcome == "RUN_OUTCOME_FIRING";
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

/// A line of `wharf watch history`.
#[derive(Debug, Clone)]
struct Run {
    ran: Ran,
    outcome: String,
    error_code: String,
    error: String,
    deliveries: Vec<Value>,
}

/// What the history has of a watch's own runs, the oldest first.
fn history(platform: &Platform, watch: &str) -> Vec<Run> {
    let told = platform.host.wharf_json(&["watch", "history", watch]);
    let mut runs: Vec<Run> = told
        .as_array()
        .into_iter()
        .flatten()
        .map(read_run)
        .collect();
    runs.sort_by_key(|run| run.ran.scheduled_ms);
    runs
}

fn read_run(told: &Value) -> Run {
    let text = |field: &str| told[field].as_str().unwrap_or_default().to_owned();
    let scheduled: jiff::Timestamp = text("scheduled_at").parse().expect("a time");
    Run {
        ran: Ran {
            scheduled_ms: u64::try_from(scheduled.as_millisecond()).expect("a time of today"),
            catches_up: told["cause"] == "RUN_CAUSE_CATCH_UP",
        },
        outcome: text("outcome"),
        error_code: text("error_code"),
        error: text("error"),
        deliveries: told["deliveries"].as_array().cloned().unwrap_or_default(),
    }
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).expect("a time of today")
}

/// One PUT through the proxy, with the deployment's credentials.
fn put_watch(platform: &Platform) {
    let watch = json!({
        "severity": "info",
        "trigger": {"interval": format!("{BY_HAND_INTERVAL_MS}ms")},
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

/// The director passes on what the admin UI asks, and the admin's name with it.
fn seen_through_the_director(platform: &Platform) {
    let question = v1::ListDataStreamsRequest::default();
    let ask =
        async |channel, question| SearchClient::new(channel).list_data_streams(question).await;
    let listed = platform.ask_monitoring(question, ask).expect("an answer");
    let lines = listed.data_streams.iter().find(|one| one.name == LOGS);
    let lines = lines.unwrap_or_else(|| panic!("{LOGS} is in {:?}", listed.data_streams));
    let last_ms = lines.last_at.as_ref().map_or(0, wharf_proto::times::millis);
    assert!(
        lines.documents > 0 && last_ms + 60_000 > now_ms(),
        "lines of a minute ago at most: {lines:?}"
    );
    let question = v1::AcknowledgeAlertRequest {
        id: BY_HAND.to_owned(),
        comment: "seen".to_owned(),
    };
    let ask =
        async |channel, question| AlertsClient::new(channel).acknowledge_alert(question).await;
    let alert = platform
        .ask_monitoring(question, ask)
        .expect("it is acknowledged");
    assert_eq!(alert.handled_by, "admin", "the person's name: {alert:?}");
    let kind = "kind=acknowledge_alert";
    let events = platform.host.wharf_json(&["events", "--filter", kind]);
    let told = events.as_array().and_then(|all| all.last());
    let told = told.unwrap_or_else(|| panic!("the change is in the audit log: {events}"));
    assert_eq!(
        (&told["actor"], &told["detail"]),
        (&json!("admin"), &json!(BY_HAND))
    );
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
    let (began, began_ms) = (Instant::now(), now_ms());
    let firing = |hook: &Hook| of_platform(hook, "firing");
    first(hook, "the dead store is told", SOON, firing);
    println!("dead store told after {} ms", began.elapsed().as_millis());
    assert!(frozen.is_still(), "the store was dead when it was told");
    assert!(
        of_platform(hook, "recovered").is_empty(),
        "it has not recovered"
    );
    drop(frozen);
    let (thawed, thawed_ms) = (Instant::now(), now_ms());
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
    history_is_complete(platform, began_ms, thawed_ms);
}

/// Every run of the watch that was put is in the history, those while the store was dead among them.
fn history_is_complete(platform: &Platform, dead_from_ms: u64, dead_to_ms: u64) {
    let is_after = |run: &&Run| run.ran.scheduled_ms > dead_to_ms && run.error_code.is_empty();
    let runs = wait_for("runs after the store's return", SOON, || {
        let runs = history(platform, BY_HAND);
        if runs.iter().filter(is_after).count() >= 3 {
            Ok(runs)
        } else {
            Err(format!("the last of {}: {:?}", runs.len(), runs.last()))
        }
    });
    let dead = dead_from_ms..dead_to_ms;
    let failed: Vec<&Run> = runs
        .iter()
        .filter(|run| dead.contains(&run.ran.scheduled_ms))
        .collect();
    assert!(
        failed.iter().any(|run| !run.error_code.is_empty()),
        "runs while the store was dead are in the history with their error: {failed:?}"
    );
    let ran: Vec<Ran> = runs.iter().map(|run| run.ran).collect();
    let breaches = run_breaches(&ran, BY_HAND_INTERVAL_MS);
    assert!(breaches.is_empty(), "{breaches:#?} in {runs:#?}");
    println!(
        "{} runs, {} of them while the store was dead, none missing",
        runs.len(),
        failed.len()
    );
}

/// Says something every second, as soon as the channel lets it.
const ALWAYS: &str = "always";
/// Searches what takes longer than its time.
const SLOW: &str = "slow";
const SLOW_TIMEOUT_MS: u64 = 100;
/// Documents of one `_bulk` for the slow search.
const BATCH: u64 = 20_000;
/// With so many the search is slow on any machine.
const MOST: u64 = 2_000_000;

#[test]
fn a_channel_is_live_and_a_slow_search_is_cut_off_alone() {
    let platform = Platform::up("channels");
    let (first_hook, second_hook) = platform.host.inside(|| (Hook::start(), Hook::start()));
    let life = || {
        inspect(
            &platform,
            MONITOR,
            "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}",
        )
    };
    let before = life();
    put_always(&platform);
    let delivered = |reason: &str| {
        let runs = history(&platform, ALWAYS);
        let last = runs.iter().rev().find(|run| {
            let is_told = |one: &Value| one["state"] == "DELIVERY_STATE_FAILED";
            run.deliveries.iter().any(is_told)
        });
        let told = last.map(|run| {
            (
                run.ran.scheduled_ms,
                run.deliveries[0]["reason"].to_string(),
            )
        });
        told.filter(|(_, told)| told.contains(reason))
            .ok_or_else(|| runs.last().cloned())
    };
    wait_for(
        "a message without a channel is in the history",
        SOON,
        || delivered("no channel"),
    );

    put_channel(&platform, "create", &first_hook);
    let count = |hook: &Hook, at_least: usize| {
        wait_for("messages arrive", SOON, || {
            let count = hook.posted().len();
            if count >= at_least {
                Ok(count)
            } else {
                Err(count)
            }
        })
    };
    count(&first_hook, 2);
    put_channel(&platform, "update", &second_hook);
    count(&second_hook, 1);
    let of_first = first_hook.posted().len();
    count(&second_hook, 4);
    assert_eq!(
        first_hook.posted().len(),
        of_first,
        "the old receiver is not written to any more"
    );
    must(&mut platform.host.wharf(&["channel", "test", "ops"]));
    let is_test = |one: &Posted| one.body["watch"].is_null();
    assert!(
        second_hook.posted().iter().any(is_test),
        "a test goes to the new receiver: {:?}",
        bodies(&second_hook.posted())
    );

    must(&mut platform.host.wharf(&["channel", "delete", "ops", "--yes"]));
    let deleted_ms = now_ms();
    let undelivered = || {
        let (scheduled_ms, _) = delivered("no channel").map_err(|last| format!("{last:?}"))?;
        if scheduled_ms > deleted_ms {
            Ok(scheduled_ms)
        } else {
            Err(format!("{scheduled_ms} is before {deleted_ms}"))
        }
    };
    let stopped_ms = wait_for("a message finds no channel", SOON, undelivered);
    let of_second = second_hook.posted().len();
    wait_for("three more do", SOON, || match undelivered()? {
        scheduled_ms if scheduled_ms >= stopped_ms + 3_000 => Ok(()),
        scheduled_ms => Err(format!("{scheduled_ms}")),
    });
    assert_eq!(second_hook.posted().len(), of_second, "nobody is told");

    a_slow_search_is_cut_off(&platform);
    assert_eq!(life(), before, "the monitoring node was not restarted");
}

/// A watch that fires all the time and says so every second.
fn put_always(platform: &Platform) {
    let watch = json!({
        "trigger": {"interval": "1s"},
        "input": {"search": {"index": "app", "body": {"query": {"term": {"level": "error"}}}}},
        "condition": {"compare": {"path": "hits.total.value", "gt": 0}},
        "throttle": "1s",
        "actions": [{"channel": "ops", "subject": "{{watch.name}}"}],
    });
    platform.with_system(|store| {
        let put = |path: &str, body: &Value| store.json("PUT", path, body).map(drop);
        put("/app/_doc/1", &json!({"level": "error"})).expect("a document is taken");
        put(&format!("/.wharf-watches/_doc/{ALWAYS}"), &watch).expect("the watch is taken");
    });
}

/// Groups of groups, each value once.
fn slow_search() -> Value {
    let inner = json!({"terms": {"field": "b", "size": 1000}});
    json!({"size": 0, "query": {"match_all": {}}, "aggs": {
        "a": {"terms": {"field": "a", "size": 10_000}, "aggs": {"b": inner}},
    }})
}

/// Makes documents until the search takes several times what the watch allows.
fn make_it_slow(store: &Elastic) {
    let mapping = json!({"mappings": {"properties": {
        "a": {"type": "keyword"}, "b": {"type": "keyword"},
    }}});
    store.json("PUT", "/heap", &mapping).expect("an index");
    for from in (0..MOST).step_by(usize::try_from(BATCH).expect("a count")) {
        let mut body = String::new();
        for number in from..from + BATCH {
            body.push_str("{\"create\":{}}\n");
            body.push_str(&format!("{{\"a\":\"a{number}\",\"b\":\"b{number}\"}}\n"));
        }
        let (status, answer) = store.call("POST", "/heap/_bulk", &body).expect("an answer");
        assert!(status == 200 && answer["errors"] == false, "{answer}");
        let began = Instant::now();
        store
            .json("POST", "/heap/_search", &slow_search())
            .expect("the search itself is right");
        if began.elapsed() > Duration::from_millis(10 * SLOW_TIMEOUT_MS) {
            println!("{} documents make it slow", from + BATCH);
            return;
        }
    }
    panic!("a search over {MOST} documents is not slow");
}

/// It is in the history with its reason, and the other watch goes on beside it.
fn a_slow_search_is_cut_off(platform: &Platform) {
    platform.with_system(make_it_slow);
    let watch = json!({
        "trigger": {"interval": "1s"},
        "input": {"search": {"index": "heap", "body": slow_search()}},
        "condition": {"compare": {"path": "hits.total.value", "gt": 0}},
        "timeout": format!("{SLOW_TIMEOUT_MS}ms"),
    });
    let path = format!("/.wharf-watches/_doc/{SLOW}");
    let put = platform.with_system(|store| store.json("PUT", &path, &watch));
    put.expect("the watch is taken");
    let runs = wait_for("three runs of the slow watch", SOON, || {
        let runs = history(platform, SLOW);
        if runs.len() >= 3 { Ok(runs) } else { Err(runs) }
    });
    for run in &runs {
        assert_eq!(
            (run.outcome.as_str(), run.error_code.as_str()),
            ("RUN_OUTCOME_ERROR", "MON0002"),
            "it was cut off: {run:?}"
        );
        assert!(run.error.contains("100 ms"), "with its time: {run:?}");
    }
    let from_ms = runs[0].ran.scheduled_ms;
    let last_ms = runs[runs.len() - 1].ran.scheduled_ms;
    let beside: Vec<Run> = wait_for("the other watch goes on", SOON, || {
        let runs = history(platform, ALWAYS);
        if runs
            .last()
            .is_some_and(|run| run.ran.scheduled_ms > last_ms)
        {
            Ok(runs)
        } else {
            Err(runs.last().cloned())
        }
    });
    let (mut ran, mut others) = (vec![], 0);
    for run in beside.iter().filter(|run| run.ran.scheduled_ms >= from_ms) {
        assert_eq!(run.outcome, "RUN_OUTCOME_FIRING", "beside it: {run:?}");
        ran.push(run.ran);
        others += 1;
    }
    assert_eq!(run_breaches(&ran, 1_000), [""; 0], "beside it");
    println!(
        "{} runs cut off, {others} of another watch beside them",
        runs.len()
    );
}
