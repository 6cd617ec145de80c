//! Each shipped watch over a quarter of an hour that is good, bad and good again: one message within
//! a minute, none inside the throttle, one when it is over, and a preview that says the same.
//! Not here: sending (the monitoring node's own tests).

// A test fails by panicking.
#![allow(clippy::panic, clippy::unwrap_used)]

use wharf_collectors_core::Document;
use wharf_monitor_core::{
    alerts::WatchAlerts,
    document::from_text,
    preview::{self, Preview},
    schedule::next_run,
    shipped,
};
use wharf_proto::alerting::News;
use wharf_tests::feed::{NOW, Store, access, container, disk, engine, line_at, memory};

/// A quarter of an hour: good, bad from the third minute to the eighth, good again.
const BEGIN: u64 = NOW - 900_000;
const BAD_FROM: u64 = BEGIN + 180_000;
const BAD_TO: u64 = BEGIN + 480_000;

/// What a watch says over that time, run by its own schedule as a monitoring node does, and whether
/// its preview says the same.
async fn told(name: &str, at: impl Fn(u64, bool) -> Vec<Document>) -> Vec<(u64, News, String)> {
    let store = Store::start().await;
    let documents: Vec<Document> = (0..900)
        .flat_map(|second| {
            let ms = BEGIN + second * 1000;
            at(ms, (BAD_FROM..BAD_TO).contains(&ms))
        })
        .collect();
    for some in documents.chunks(2_000) {
        store.keep(some).await;
    }
    let watch = from_text(shipped::text(name).unwrap()).unwrap();
    let mut alerts = WatchAlerts::new(name);
    let mut said = Vec::new();
    let mut last = BEGIN;
    loop {
        let next = next_run(&watch.trigger, Some(last), last).unwrap().at_ms;
        if next > NOW {
            break;
        }
        last = next;
        let answer = store.answer(&watch, next).await;
        let run = alerts.observe(&watch, &answer, next, next);
        for event in &run.events {
            if let Some((_, notice)) = &event.notice {
                alerts.settle(&event.alert_id, notice.transition, true);
                for message in &event.messages {
                    let text = format!("{}\n{}", message.subject, message.body);
                    said.push((next, notice.news, text));
                }
            }
        }
    }

    let plan = preview::plan(&watch, BEGIN, NOW);
    let mut preview = Preview::new(&watch, &plan);
    for at_ms in &plan.times {
        preview.observe(&watch, &store.answer(&watch, *at_ms).await, *at_ms);
    }
    let previewed: Vec<String> = preview
        .finish()
        .events
        .into_iter()
        .flat_map(|event| event.messages)
        .map(|message| format!("{}\n{}", message.subject, message.body))
        .collect();
    let live: Vec<String> = said.iter().map(|(_, _, text)| text.clone()).collect();
    assert_eq!(
        previewed, live,
        "the preview of {name} says what was said live"
    );
    said
}

/// One message within a minute that names all of `words`, none inside the throttle, one when it is
/// over.
fn is_told_once(name: &str, said: &[(u64, News, String)], words: &[&str]) {
    let news: Vec<News> = said.iter().map(|(_, news, _)| *news).collect();
    assert_eq!(news, [News::Firing, News::Recovered], "{name}: {said:#?}");
    let (at, _, text) = &said[0];
    assert!(
        (BAD_FROM..=BAD_FROM + 60_000).contains(at),
        "{name} is told within a minute, not {} s after",
        (at - BAD_FROM) / 1000
    );
    for word in words {
        assert!(text.contains(word), "{name} names `{word}`: {text}");
    }
    assert!(
        !text.contains("n/a"),
        "{name} knows all that it says: {text}"
    );
    assert!(said[1].0 > BAD_TO, "{name} recovers after the bad time");
}

#[tokio::test]
async fn a_deployment_with_errors_is_told_once_with_name_path_and_rate() {
    let said = told("deployment-errors", |ms, bad| {
        let request =
            |n: u64, path: &str, status: u16| access("web", path, status, ms + n * 100, n);
        (0..5)
            .flat_map(|n| {
                let status = if bad && n == 0 { 503 } else { 200 };
                [request(n, "/orders", status), request(n, "/users", 404)]
            })
            .collect()
    })
    .await;
    is_told_once("deployment-errors", &said, &["web", "/orders", " %", "5xx"]);
}

#[tokio::test]
async fn an_application_with_errors_is_told_once_with_name_and_rate() {
    let shop = container("shop-1", "registry/shop:1", None);
    let said = told("application-errors", |ms, bad| {
        (0..5)
            .map(|n| {
                let level = if bad && n == 0 { "ERROR" } else { "INFO" };
                line_at(&shop, ms + n * 100, &format!("{level} [main] x"))
            })
            .collect()
    })
    .await;
    is_told_once("application-errors", &said, &["shop", " %", "lines"]);
}

#[tokio::test]
async fn a_host_short_of_memory_is_told_once() {
    let said = told("host-memory", |ms, bad| {
        let seconds_ago = (NOW - ms) / 1000;
        let hosts = [
            memory("h1", if bad { 3 } else { 60 }, seconds_ago),
            memory("h2", 50, seconds_ago),
        ];
        if ms % 10_000 == 0 {
            hosts.to_vec()
        } else {
            Vec::new()
        }
    })
    .await;
    is_told_once("host-memory", &said, &["h1", " %", "100 GiB"]);
}

#[tokio::test]
async fn a_full_disk_is_told_once() {
    let said = told("disk-full", |ms, bad| {
        let available = if bad { 40 } else { 500 };
        if ms % 60_000 == 0 {
            vec![disk("/data", available, (NOW - ms) / 1000)]
        } else {
            Vec::new()
        }
    })
    .await;
    is_told_once("disk-full", &said, &["/data", "h1", "96 %"]);
}

#[tokio::test]
async fn a_container_that_restarts_again_and_again_is_told_once() {
    let restart = |ms: u64, bad: bool| {
        let seconds_ago = (NOW - ms) / 1000;
        if bad && (ms - BAD_FROM).is_multiple_of(60_000) {
            vec![
                engine("shop-1", "die", seconds_ago),
                engine("shop-1", "start", seconds_ago),
            ]
        } else {
            Vec::new()
        }
    };
    let said = told("container-restarted", restart).await;
    is_told_once("container-restarted", &said, &["shop-1", "h1"]);
}

#[tokio::test]
async fn a_container_that_is_killed_for_its_memory_is_told_once() {
    let kill = |ms: u64, bad: bool| {
        if bad && (ms - BAD_FROM).is_multiple_of(60_000) {
            vec![engine("shop-1", "oom", (NOW - ms) / 1000)]
        } else {
            Vec::new()
        }
    };
    let said = told("container-oom", kill).await;
    is_told_once("container-oom", &said, &["shop-1", "h1"]);
}
