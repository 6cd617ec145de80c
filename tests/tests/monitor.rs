//! A monitoring node and a storage node, both the real binary, with a real receiver of webhooks: a
//! watch that anybody puts fires once and says when it is over; neither the death of the monitoring
//! node nor that of the storage loses a run or sends a message under a second key.

// A test fails by panicking and tells what it saw.
#![allow(clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

#[path = "monitor/bench.rs"]
mod bench;
#[path = "monitor/checks.rs"]
mod checks;
#[path = "monitor/front.rs"]
mod front;

use std::collections::BTreeSet;

use bench::{Bench, Message, PASSWORD, Receiver, wait_for};
use checks::{check_history, check_messages};
use front::{Front, Gate};
use http::Method;
use serde_json::json;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Request};
use wharf_proto::coded;
use wharf_proto::monitor::v1;
use wharf_services::monitor::v1::alerts_client::AlertsClient;
use wharf_services::monitor::v1::dashboards_client::DashboardsClient;
use wharf_services::monitor::v1::search_client::SearchClient;
use wharf_services::monitor::v1::watches_client::WatchesClient;

fn watch(throttle: &str) -> String {
    json!({
        "trigger": {"interval": "1s"},
        "input": {"search": {"index": "app", "body": {"query": {"term": {"level": "error"}}}}},
        "condition": {"compare": {"path": "hits.total.value", "gt": 0, "missing": "ok"}},
        "throttle": throttle,
        "actions": [{"channel": "ops", "subject": "{{watch.name}} {{state}}", "body": "{{value}}"}],
    })
    .to_string()
}

async fn put_watch(bench: &Bench, name: &str, throttle: &str) {
    let path = format!("/.wharf-watches/_doc/{name}");
    bench.storage(Method::PUT, &path, &watch(throttle)).await;
}

async fn set_bad(bench: &Bench, is_bad: bool) {
    let level = if is_bad { "error" } else { "info" };
    let document = json!({"level": level}).to_string();
    bench.storage(Method::PUT, "/app/_doc/1", &document).await;
}

/// Waits until so many messages of different keys were taken.
async fn wait_messages(bench: &Bench, count: usize) -> Vec<Message> {
    wait_for("messages arrive", async || {
        let taken = bench.receiver.taken();
        let keys: BTreeSet<&String> = taken.iter().map(|message| &message.key).collect();
        if keys.len() >= count {
            Ok(taken)
        } else {
            Err(format!(
                "{} of {count}; log: {}",
                keys.len(),
                bench.log("monitor")
            ))
        }
    })
    .await
}

/// Waits until so many runs of a watch fulfil something.
async fn wait_runs(
    bench: &Bench,
    name: &str,
    what: &str,
    is_enough: impl Fn(&[v1::WatchRun]) -> bool,
) -> Vec<v1::WatchRun> {
    wait_for(what, async || {
        let runs = bench.runs(name).await;
        if is_enough(&runs) {
            return Ok(runs);
        }
        let last = runs
            .last()
            .map(|run| (run.outcome(), run.deliveries.clone()));
        Err(format!("{} runs, the last {last:?}", runs.len()))
    })
    .await
}

fn is_settled(run: &v1::WatchRun) -> bool {
    let waits = |delivery: &v1::Delivery| delivery.state() == v1::DeliveryState::Waiting;
    !run.deliveries.iter().any(waits)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_put_fires_once_and_says_when_it_is_over() {
    let bench = Bench::start().await;
    set_bad(&bench, true).await;
    put_watch(&bench, "app-errors", "1h").await;
    wait_messages(&bench, 1).await;
    let later = |runs: &[v1::WatchRun]| {
        let firing = runs
            .iter()
            .filter(|run| run.outcome() == v1::RunOutcome::Firing);
        firing.count() >= 4 && runs.iter().all(is_settled)
    };
    let runs = wait_runs(&bench, "app-errors", "four runs fire", later).await;
    assert_eq!(bench.receiver.taken().len(), 1, "none inside the throttle");
    let first = &runs[0];
    assert_eq!(
        first.deliveries[0].state(),
        v1::DeliveryState::Sent,
        "{first:?}"
    );
    assert_eq!(first.hits, 1);
    assert!(
        first.query_json.contains("\"level\":\"error\""),
        "{first:?}"
    );
    let held = &runs[1].deliveries[0];
    assert_eq!(held.state(), v1::DeliveryState::Held, "{held:?}");

    set_bad(&bench, false).await;
    let taken = wait_messages(&bench, 2).await;
    let order = check_messages(&taken);
    let states: Vec<&str> = order.iter().map(|(_, state)| state.as_str()).collect();
    assert_eq!(states, ["firing", "recovered"]);
    assert_eq!(taken[0].body["subject"], "app-errors firing");
    assert_eq!(taken[0].body["watch"], "app-errors");
    let good = |runs: &[v1::WatchRun]| {
        runs.last()
            .is_some_and(|run| run.outcome() == v1::RunOutcome::Ok)
    };
    check_history(&wait_runs(&bench, "app-errors", "it is good again", good).await);
    let settings = bench
        .storage(Method::GET, "/.wharf-watch-history/_settings", "")
        .await;
    let hidden = &settings[".wharf-watch-history"]["settings"]["index"]["hidden"];
    assert_eq!(hidden, "true", "the history is hidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_says_each_thing_under_one_key_and_loses_no_run() {
    let mut bench = Bench::start().await;
    bench
        .receiver
        .refuse_every
        .store(3, std::sync::atomic::Ordering::Relaxed);
    set_bad(&bench, false).await;
    put_watch(&bench, "app-errors", "1s").await;
    wait_runs(&bench, "app-errors", "it runs", |runs| !runs.is_empty()).await;
    // Moments anywhere in a run, a delivery, a start.
    for (round, wait_ms) in [0, 1_730, 290, 2_410, 40, 950, 2_080, 610]
        .iter()
        .enumerate()
    {
        set_bad(&bench, round % 2 == 0).await;
        tokio::time::sleep(std::time::Duration::from_millis(*wait_ms)).await;
        bench.kill_monitor();
        bench.start_monitor();
    }
    set_bad(&bench, true).await;
    let fires = |runs: &[v1::WatchRun]| {
        runs.last()
            .is_some_and(|run| run.outcome() == v1::RunOutcome::Firing)
    };
    wait_runs(&bench, "app-errors", "it fires at the end", fires).await;
    set_bad(&bench, false).await;
    let over = |runs: &[v1::WatchRun]| {
        let sent = |run: &v1::WatchRun| {
            let mut deliveries = run.deliveries.iter();
            deliveries
                .any(|one| one.transition == "recovered" && one.state() == v1::DeliveryState::Sent)
        };
        let last_said = runs.iter().rev().find(|run| {
            run.deliveries
                .iter()
                .any(|one| one.state() != v1::DeliveryState::Held)
        });
        let is_good = runs
            .last()
            .is_some_and(|run| run.outcome() == v1::RunOutcome::Ok);
        is_good && last_said.is_some_and(sent) && runs.iter().all(is_settled)
    };
    let runs = wait_runs(&bench, "app-errors", "its end is said", over).await;
    check_history(&runs);
    let order = check_messages(&bench.receiver.taken());
    assert_eq!(
        order.last().map(|(_, state)| state.as_str()),
        Some("recovered")
    );
    let recorded = runs
        .iter()
        .flat_map(|run| &run.deliveries)
        .filter(|one| one.state() == v1::DeliveryState::Sent)
        .count();
    assert_eq!(
        recorded,
        order.len(),
        "each message has its delivery in the history"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_while_the_storage_is_away_are_in_the_history_when_it_is_back() {
    let mut bench = Bench::start().await;
    set_bad(&bench, true).await;
    put_watch(&bench, "app-errors", "1h").await;
    wait_messages(&bench, 1).await;
    // The credentials are known from now on, also while nobody can be asked.
    bench.metric("wharf_monitor_runs_total").await.unwrap();
    let before = bench
        .metric("wharf_monitor_run_errors_total")
        .await
        .unwrap();
    bench.kill_store();
    let waiting = "wharf_monitor_waiting_documents";
    // The watches that are shipped have a share in both figures.
    let errors = "wharf_monitor_run_errors_total";
    wait_for("runs wait on disk", async || {
        let (count, failed) = (bench.metric(waiting).await?, bench.metric(errors).await?);
        if count >= 4.0 && failed >= before + 4.0 {
            Ok(())
        } else {
            Err(format!("{count} wait, {failed} failed"))
        }
    })
    .await;
    // What waits outlives the monitoring node as well.
    bench.kill_monitor();
    bench.start_monitor();
    bench.start_store();
    bench.wait_loaded().await;
    let whole = |runs: &[v1::WatchRun]| {
        let errors = runs
            .iter()
            .filter(|run| run.error_code == "MON0001")
            .count();
        let last = runs.last().map(v1::WatchRun::outcome);
        errors >= 1 && last == Some(v1::RunOutcome::Firing) && runs.iter().all(is_settled)
    };
    let runs = wait_runs(&bench, "app-errors", "the outage is in the history", whole).await;
    check_history(&runs);
    let taken = bench.receiver.taken();
    assert_eq!(
        taken.len(),
        1,
        "an outage is no news, and what fired still does: {taken:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_on_disk_is_known_although_it_is_written_while_the_rest_is_searched() {
    let mut bench = Bench::start().await;
    let front = Front::before(&bench).await;
    bench.kill_monitor();
    bench.start_monitor();
    bench.wait_loaded().await;
    set_bad(&bench, true).await;
    put_watch(&bench, "app-errors", "1h").await;
    wait_messages(&bench, 1).await;
    wait_runs(&bench, "app-errors", "the alert is stored", |runs| {
        runs.len() >= 2 && runs.iter().all(is_settled)
    })
    .await;

    // That it is over is told, and written nowhere but on disk.
    front.set(Gate::Shut);
    set_bad(&bench, false).await;
    let told = wait_messages(&bench, 2).await;
    let waiting = "wharf_monitor_waiting_documents";
    let at_least = bench.metric(waiting).await.unwrap() + 4.0;
    wait_for("more runs wait on disk", async || {
        match bench.metric(waiting).await? {
            count if count >= at_least => Ok(()),
            count => Err(format!("{count} of {at_least}")),
        }
    })
    .await;
    bench.kill_monitor();

    // The searches of the start find what was before; once they have, all that waited is written.
    front.set(Gate::UntilSearched);
    bench.start_monitor();
    front.searched().await;
    wait_for("nothing waits on disk", async || {
        match bench.metric(waiting).await? {
            0.0 => Ok(()),
            count => Err(format!("{count} wait")),
        }
    })
    .await;
    front.set(Gate::Open);
    bench.wait_loaded().await;
    let known = bench.runs("app-errors").await.len();
    let runs = wait_runs(&bench, "app-errors", "it goes on", |runs| {
        runs.len() >= known + 2 && runs.iter().all(is_settled)
    })
    .await;
    check_history(&runs);
    let taken = bench.receiver.taken();
    assert_eq!(
        taken.len(),
        told.len(),
        "what was told is not told again: {taken:?}"
    );
    check_messages(&taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_for_the_deployments_credentials_and_says_what_is_broken() {
    let bench = Bench::start().await;
    let broken = "{\n  \"trigger\": {\"interval\": \"1s\"},\n  \"inptu\": {}\n}";
    bench
        .storage(Method::PUT, "/.wharf-watches/_doc/slip", broken)
        .await;
    set_bad(&bench, true).await;
    let (channel, right) = bench.grpc(PASSWORD);
    let (_, wrong) = bench.grpc("wrong");
    let mut watches = WatchesClient::new(channel.clone());
    let all = v1::ListWatchesRequest::default;
    for request in [Request::new(all()), with(&wrong, all())] {
        let refused = watches.list_watches(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        let info = coded::decode(refused.details()).unwrap();
        assert_eq!(info.code, "MON0005");
    }
    let slip = wait_for("the slip is seen", async || {
        let listed = watches.list_watches(with(&right, all())).await;
        let all = listed
            .map_err(|status| status.to_string())?
            .into_inner()
            .watches;
        let names: Vec<&String> = all.iter().map(|watch| &watch.name).collect();
        let slip = all.iter().find(|watch| watch.name == "slip");
        slip.cloned().ok_or_else(|| format!("{names:?}"))
    })
    .await;
    assert!(
        slip.broken.starts_with("line 3, column 1: inptu"),
        "{}",
        slip.broken
    );
    assert_eq!(
        slip.document.lines().nth(2),
        Some("inptu: {}"),
        "as it is edited"
    );
    let told = wait_runs(&bench, "slip", "the slip is in the history", |runs| {
        !runs.is_empty()
    })
    .await;
    assert_eq!(told[0].error_code, "MON0004");

    // Put through the API, run by hand, acknowledge, delete.
    let put = v1::PutWatchRequest {
        watch: Some(v1::put_watch_request::Watch::Document(format!(
            "{{\"name\": \"by-hand\", {}",
            &watch("1h").replacen("\"1s\"", "\"1h\"", 1)[1..]
        ))),
        create: true,
        ..v1::PutWatchRequest::default()
    };
    let made = watches
        .put_watch(with(&right, put.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(made.origin(), v1::Origin::Own);
    let twice = watches.put_watch(with(&right, put)).await.unwrap_err();
    assert_eq!(coded::decode(twice.details()).unwrap().code, "MON0008");
    wait_messages(&bench, 1).await;
    let mut alerts = AlertsClient::new(channel.clone());
    let acknowledge = v1::AcknowledgeAlertRequest {
        id: "by-hand".to_owned(),
        comment: "on it".to_owned(),
    };
    let request = with(&right, acknowledge);
    let alert = alerts
        .acknowledge_alert(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!(alert.state(), v1::AlertState::Acknowledged);
    assert_eq!(
        (alert.handled_by.as_str(), alert.comment.as_str()),
        ("elastic", "on it")
    );
    let name = "by-hand".to_owned();
    let run = watches.run_watch(with(&right, v1::RunWatchRequest { name }));
    let run = run.await.unwrap().into_inner();
    assert_eq!(
        (run.cause(), run.outcome()),
        (v1::RunCause::Manual, v1::RunOutcome::Firing)
    );
    assert_eq!(
        run.deliveries[0].state(),
        v1::DeliveryState::Held,
        "{run:?}"
    );

    // A dashboard, with its version.
    let mut dashboards = DashboardsClient::new(channel.clone());
    let given = v1::Dashboard {
        name: "hosts".to_owned(),
        document_json: "{\"panels\":[]}".to_owned(),
        ..v1::Dashboard::default()
    };
    let put = |expected_version: &str| {
        with(
            &right,
            v1::PutDashboardRequest {
                dashboard: Some(given.clone()),
                expected_version: expected_version.to_owned(),
                create: false,
            },
        )
    };
    let first = dashboards
        .put_dashboard(put(""))
        .await
        .unwrap()
        .into_inner();
    dashboards.put_dashboard(put(&first.version)).await.unwrap();
    let stale = dashboards
        .put_dashboard(put(&first.version))
        .await
        .unwrap_err();
    assert_eq!(coded::decode(stale.details()).unwrap().code, "MON0008");

    // A search, and one that is not allowed.
    let mut search = SearchClient::new(channel);
    let find = |index: &str| v1::SearchRequest {
        indices: vec![index.to_owned()],
        body_json: "{\"size\": 1}".to_owned(),
        timeout_ms: 0,
    };
    let found = search
        .search(with(&right, find("app")))
        .await
        .unwrap()
        .into_inner();
    assert!(
        found.response_json.contains("\"level\":\"error\""),
        "{found:?}"
    );
    let hidden = search
        .search(with(&right, find(".wharf-alerts")))
        .await
        .unwrap_err();
    assert_eq!(coded::decode(hidden.details()).unwrap().field, "indices");
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_are_answered_and_changed_channels_and_deleted_watches_are_taken_in() {
    let bench = Bench::start().await;
    // gRPC-web: a frame with an empty message; the answer ends with trailers.
    let path = "/wharf.monitor.v1.Watches/ListWatches";
    let (status, body) = bench
        .post(path, "application/grpc-web+proto", &[0; 5])
        .await;
    assert_eq!(status, 200);
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(
        text.contains("host-memory") && text.contains("grpc-status:0"),
        "{text}"
    );
    // A body that is larger than any request may be.
    let size = 600 * 1024_u32;
    let mut large = vec![0];
    large.extend(size.to_be_bytes());
    large.resize(large.len() + size as usize, 0);
    let (_, body) = bench.post(path, "application/grpc-web+proto", &large).await;
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(!text.contains("grpc-status:0"), "{text}");

    set_bad(&bench, true).await;
    put_watch(&bench, "app-errors", "1h").await;
    wait_messages(&bench, 1).await;
    let other = Receiver::start().await;
    bench.set_channel(&other.url);
    set_bad(&bench, false).await;
    // The file is looked at each second; the message may leave before.
    let all = wait_for("the end is said", async || {
        let all = [bench.receiver.taken(), other.taken()].concat();
        if all.len() == 2 {
            Ok(all)
        } else {
            Err(format!("{all:?}"))
        }
    })
    .await;
    check_messages(&all);
    set_bad(&bench, true).await;
    put_watch(&bench, "second", "1h").await;
    wait_for("the new channel gets what is next", async || {
        let keys: Vec<String> = other
            .taken()
            .into_iter()
            .map(|message| message.key)
            .collect();
        if keys.iter().any(|key| key.starts_with("second:")) {
            Ok(())
        } else {
            Err(format!("{keys:?}"))
        }
    })
    .await;

    bench
        .storage(Method::DELETE, "/.wharf-watches/_doc/second", "")
        .await;
    let body = json!({"query": {"term": {"watch": "second"}}}).to_string();
    wait_for("its alerts go with a watch", async || {
        let found = bench
            .storage(Method::POST, "/.wharf-alerts/_search", &body)
            .await;
        match found["hits"]["total"]["value"].as_u64() {
            Some(0) => Ok(()),
            left => Err(format!("{left:?} left")),
        }
    })
    .await;
}

fn run_at(scheduled_ms: u64, cause: v1::RunCause) -> v1::WatchRun {
    v1::WatchRun {
        scheduled_at: Some(wharf_proto::times::timestamp(scheduled_ms)),
        cause: cause.into(),
        ..v1::WatchRun::default()
    }
}

fn said(key: &str, state: &str, text: &str) -> Message {
    Message {
        key: key.to_owned(),
        state: state.to_owned(),
        body: json!({"text": text}),
        was_taken: true,
    }
}

#[test]
fn the_checkers_see_planted_faults() {
    let (normal, late) = (v1::RunCause::Schedule, v1::RunCause::CatchUp);
    check_history(&[
        run_at(1_000, normal),
        run_at(2_000, normal),
        run_at(9_000, late),
    ]);
    for (first, second, what) in [
        (
            run_at(1_000, normal),
            run_at(1_000, normal),
            "a time run twice",
        ),
        (
            run_at(1_000, normal),
            run_at(3_000, normal),
            "a run that is missing",
        ),
        (
            run_at(1_000, normal),
            run_at(2_500, late),
            "a time off the grid",
        ),
    ] {
        let seen = std::panic::catch_unwind(|| check_history(&[first.clone(), second.clone()]));
        assert!(seen.is_err(), "{what} must be seen");
    }
    let (one, two) = (said("a:1:1", "firing", ""), said("a:1:2", "recovered", ""));
    check_messages(&[one.clone(), one.clone(), two.clone()]);
    for (messages, what) in [
        (
            vec![one.clone(), said("a:1:1", "firing", "other")],
            "a key that says two things",
        ),
        (
            vec![one.clone(), said("a:1:3", "recovered", "")],
            "a message that never came",
        ),
        (
            vec![one, two, said("a:1:3", "recovered", "")],
            "a second recovery",
        ),
    ] {
        let seen = std::panic::catch_unwind(|| check_messages(&messages));
        assert!(seen.is_err(), "{what} must be seen");
    }
}

/// A call that proves who calls.
fn with<T>(header: &MetadataValue<Ascii>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert("authorization", header.clone());
    request
}
