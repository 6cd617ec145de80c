//! The walk of a sample and of a log line: kernel files and log files on disk → spool → `_bulk`
//! over HTTP, with the faults that may happen on the way.
//!
//! Invariants: every document once, whatever happened; waits are for conditions, never for time.
//! Not here: a real store (the conformance and end-to-end tests), Docker.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod ground;
mod sink;

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use ground::{ID, LOGS, Running, kernel, log};
use serde_json::Value;
use sink::{Fault, Sink};
use wharf_collectors::EngineEvent;
use wharf_runtime::task::spawn;

/// The numbers of the lines that arrived, as often as each did.
fn numbers(state: &sink::State) -> Vec<usize> {
    let mut numbers: Vec<usize> = state
        .documents(LOGS)
        .iter()
        .map(|document| document["message"].as_str().unwrap()[5..].parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

fn exactly(lines: usize) -> impl Fn(&sink::State) -> Option<()> {
    move |state| (numbers(state).len() >= lines).then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_sampled_and_found_with_its_application() {
    let dir = tempfile::tempdir().unwrap();
    kernel(dir.path(), 0);
    let sink = Sink::start().await;
    let running = Running::start(dir.path(), sink.url());
    running.publish(dir.path());
    // The kernel's clock runs while the test does.
    let path = dir.path().to_path_buf();
    let ticking = spawn("ticking", async move {
        for second in 1.. {
            tokio::time::sleep(Duration::from_millis(200)).await;
            kernel(&path, second);
        }
    });
    running
        .publisher
        .event(EngineEvent {
            action: "start".into(),
            kind: "container".into(),
            ..EngineEvent::default()
        })
        .await;
    running
        .publisher
        .event(EngineEvent {
            action: "exec_create: x".into(),
            ..EngineEvent::default()
        })
        .await;
    let (cpu, memory, network): (Value, Value, Value) = sink
        .until("cpu, memory and network documents", |state| {
            let first = |stream: &str| {
                state
                    .documents(stream)
                    .first()
                    .map(|found| (*found).clone())
            };
            Some((
                first("metrics-docker.cpu-default")?,
                first("metrics-docker.memory-default")?,
                first("metrics-docker.network-default")?,
            ))
        })
        .await;
    // How large they are depends on the real clock, which the counters here do not follow; that
    // the one is the other by the two processors does not.
    let percent = cpu["docker"]["cpu"]["total"]["pct"].as_f64().unwrap();
    let usage = cpu["container"]["cpu"]["usage"].as_f64().unwrap();
    assert!(
        percent > 0.0 && (percent - 2.0 * usage).abs() < 1e-9,
        "{cpu}"
    );
    assert_eq!(cpu["container"]["name"], "shop_1");
    assert_eq!(cpu["service"]["name"], "checkout");
    assert_eq!(cpu["docker"]["container"]["labels"]["a_b"], "c");
    assert_eq!(cpu["wharf"]["platform"]["name"], "wharf");
    assert_eq!(memory["docker"]["memory"]["usage"]["pct"], 0.25);
    assert_eq!(memory["container"]["memory"]["usage"], 0.25);
    assert_eq!(network["docker"]["network"]["inbound"]["bytes"], 500);
    assert_eq!(network["docker"]["network"]["in"]["bytes"], 0.0);
    sink.until("all kinds of documents", |state| {
        let wanted = [
            "metrics-docker.container-default",
            "metrics-docker.diskio-default",
            "metrics-docker.info-default",
            "metrics-docker.event-default",
            "metrics-system.cpu-default",
            "metrics-system.load-default",
            "metrics-system.memory-default",
            "metrics-system.network-default",
            "metrics-system.process_summary-default",
            "metrics-system.socket_summary-default",
            "metrics-system.uptime-default",
            "metrics-system.fsstat-default",
        ];
        wanted
            .iter()
            .all(|stream| !state.documents(stream).is_empty())
            .then_some(())
    })
    .await;
    let sample = running.latest.get(ID).unwrap();
    assert_eq!(
        (sample.memory_used, sample.memory_limit, sample.pids),
        (4_194_304, 16_777_216, 3)
    );
    {
        let state = sink.state.lock().unwrap();
        assert_eq!(
            state.documents("metrics-docker.event-default").len(),
            1,
            "no exec event"
        );
        let header = |name: &str| {
            state
                .headers
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        assert_eq!(header("x-found-cluster").as_deref(), Some("system"));
        assert_eq!(
            header("authorization").as_deref(),
            Some("Basic Y29sbGVjdG9yOnNlY3JldA==")
        );
    }
    ticking.abort();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_arrives_once_whatever_happens_to_requests() {
    let dir = tempfile::tempdir().unwrap();
    kernel(dir.path(), 0);
    log(dir.path(), 0..50);
    let sink = Sink::start().await;
    sink.state.lock().unwrap().faults.extend([
        Fault::Status(503),
        Fault::AnswerLost,
        Fault::HalfBusy,
        Fault::Status(429),
        Fault::AnswerLostThenRollover,
        Fault::HalfBusy,
    ]);
    let running = Running::start(dir.path(), sink.url());
    running.publish(dir.path());
    sink.until("the first lines", exactly(50)).await;
    for turn in 1..6 {
        sink.state
            .lock()
            .unwrap()
            .faults
            .push_back(Fault::AnswerLostThenRollover);
        log(dir.path(), turn * 50..(turn + 1) * 50);
        if turn == 3 {
            fs::rename(dir.path().join("log"), dir.path().join("log.1")).unwrap();
        }
        sink.until("more lines", exactly((turn + 1) * 50)).await;
    }
    sink.until("no fault is left", |state| {
        state.faults.is_empty().then_some(())
    })
    .await;
    assert_eq!(
        numbers(&sink.state.lock().unwrap()),
        (0..300).collect::<Vec<_>>()
    );
    assert_eq!(running.counters.view().rejected, 0);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_forgot_how_far_it_was_loses_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    kernel(dir.path(), 0);
    let sink = Sink::start().await;
    for round in 0..4 {
        // What a killed process leaves: offsets and cursor as they were some time before.
        let kept = ["log-offsets.json", "spool-cursor"].map(|name| {
            let path = dir.path().join("data").join(name);
            (fs::read(&path).ok(), path)
        });
        let running = Running::start(dir.path(), sink.url());
        running.publish(dir.path());
        log(dir.path(), round * 30..(round + 1) * 30);
        sink.until("the lines of this round", exactly((round + 1) * 30))
            .await;
        running.stop().await;
        for (bytes, path) in kept {
            match bytes {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => drop(fs::remove_file(path)),
            }
        }
        let mut state = sink.state.lock().unwrap();
        state
            .streams
            .values_mut()
            .for_each(|indices| indices.push(BTreeMap::new()));
    }
    let running = Running::start(dir.path(), sink.url());
    running.publish(dir.path());
    log(dir.path(), 120..130);
    sink.until("the last lines", exactly(130)).await;
    assert_eq!(
        numbers(&sink.state.lock().unwrap()),
        (0..130).collect::<Vec<_>>()
    );
    assert!(
        running.counters.view().duplicates > 0,
        "it did forget something"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_wait_while_there_is_no_store_and_arrive_later() {
    let dir = tempfile::tempdir().unwrap();
    kernel(dir.path(), 0);
    log(dir.path(), 0..20);
    let sink = Sink::start().await;
    sink.state
        .lock()
        .unwrap()
        .faults
        .extend(vec![Fault::Status(503); 3]);
    let running = Running::start(dir.path(), sink.url());
    running.publish(dir.path());
    sink.until("requests that fail", |state| {
        (state.bulks >= 2).then_some(())
    })
    .await;
    assert!(running.counters.view().spooled > 0);
    running.stop().await;
    // The next process finds them in the spool, even when the log is gone.
    fs::remove_file(dir.path().join("log")).unwrap();
    let running = Running::start(dir.path(), sink.url());
    sink.until("the lines of the process before", exactly(20))
        .await;
    assert_eq!(
        numbers(&sink.state.lock().unwrap()),
        (0..20).collect::<Vec<_>>()
    );
    running.stop().await;
}
