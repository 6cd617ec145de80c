//! The shipped watches and the summary of services against a store in this process, fed with
//! documents that the collectors' own code makes, at one moment.
//! Not here: what is said over time (`shipped_watches_over_time`).

// A test fails by panicking.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharf_collectors_core::{ContainerContext, Document, envelope::Metric};
use wharf_monitor_core::{
    document::from_text,
    evaluate::EvaluationError,
    input::Span,
    services::{Source, summarise},
    shipped,
};
use wharf_tests::feed::{
    NOW, Store, access, container, disk, engine, envelope, line_at, memory, reading,
};

#[tokio::test]
async fn a_host_short_of_memory_fires_and_another_does_not() {
    let store = Store::start().await;
    let documents: Vec<Document> = (1..6)
        .flat_map(|n| [memory("full", 5, n * 10), memory("idle", 60, n * 10)])
        .collect();
    store.keep(&documents).await;
    assert_eq!(store.firing("host-memory").await, [("full".into(), 0.95)]);
}

#[tokio::test]
async fn nothing_in_the_window_is_an_error_where_there_should_be_something() {
    let store = Store::start().await;
    let watch = from_text(shipped::text("host-memory").unwrap()).unwrap();
    assert_eq!(store.run(&watch).await, Err(EvaluationError::NoIndex));
    store.keep(&[memory("full", 5, 3600)]).await;
    assert_eq!(store.run(&watch).await, Err(EvaluationError::NoGroups));
    let watch = from_text(shipped::text("application-errors").unwrap()).unwrap();
    let evaluation = store.run(&watch).await.unwrap();
    assert_eq!(evaluation.groups, [], "an application may be silent");
}

#[tokio::test]
async fn a_full_disk_fires_by_host_and_mount_point() {
    let store = Store::start().await;
    store
        .keep(&[disk("/", 500, 30), disk("/data", 40, 30)])
        .await;
    assert_eq!(store.firing("disk-full").await, [("h1 /data".into(), 0.96)]);
}

#[tokio::test]
async fn restarts_and_kills_for_memory_fire_and_a_replacement_does_not() {
    let store = Store::start().await;
    store
        .keep(&[
            engine("looping", "die", 90),
            engine("looping", "start", 80),
            engine("looping", "die", 60),
            engine("looping", "start", 50),
            engine("replaced", "die", 70),
            engine("replaced", "destroy", 69),
            engine("replaced", "create", 68),
            engine("replaced", "start", 67),
            engine("new", "create", 40),
            engine("new", "start", 40),
            engine("ended", "die", 30),
            engine("hungry", "oom", 20),
        ])
        .await;
    assert_eq!(
        store.firing("container-restarted").await,
        [("h1 looping".into(), 2.0)]
    );
    assert_eq!(
        store.firing("container-oom").await,
        [("h1 hungry".into(), 1.0)]
    );
}

/// Lines of which one of `every` is an error.
fn lines(context: &ContainerContext, count: u64, every: u64) -> Vec<Document> {
    (0..count)
        .map(|n| {
            let level = if n % every == 0 { "ERROR" } else { "INFO" };
            line_at(
                context,
                NOW - 1000 - n * 250,
                &format!("2026-01-01 00:00:00,000 {level} [main] x"),
            )
        })
        .collect()
}

#[tokio::test]
async fn an_application_that_logs_errors_fires_by_its_name() {
    let store = Store::start().await;
    let shop = container("shop-1", "registry/shop:1", None);
    let quiet = container("quiet-1", "quiet:1", None);
    store.keep(&lines(&shop, 200, 5)).await;
    store.keep(&lines(&quiet, 200, 100)).await;
    store
        .keep(&lines(&container("few-1", "few:1", None), 10, 1))
        .await;
    assert_eq!(
        store.firing("application-errors").await,
        [("shop".into(), 0.2)],
        "too few lines tell nothing"
    );
}

#[tokio::test]
async fn a_deployment_that_answers_errors_fires_by_its_path() {
    let store = Store::start().await;
    let request = |n: u64, deployment: &str, path: &str, status: u16| {
        access(deployment, path, status, NOW - 1000 - n * 100, n)
    };
    let documents: Vec<Document> = (0..100)
        .flat_map(|n| {
            [
                request(n, "web", "/orders", if n % 5 == 0 { 503 } else { 200 }),
                request(n, "web", "/users", 404),
                request(n, "system", "/_bulk", 200),
            ]
        })
        .collect();
    store.keep(&documents).await;
    assert_eq!(
        store.firing("deployment-errors").await,
        [("web /orders".into(), 0.2)]
    );
    assert_eq!(
        store.firing("application-errors").await,
        [],
        "the proxy that answered for it is not at fault"
    );
}

#[tokio::test]
async fn a_deployment_whose_requests_have_no_prefix_fires_as_a_whole() {
    let store = Store::start().await;
    let documents: Vec<Document> = (0..100)
        .map(|n| {
            let status = if n % 4 == 0 { 500 } else { 200 };
            access("web", "", status, NOW - 1000 - n * 100, n)
        })
        .collect();
    store.keep(&documents).await;
    assert_eq!(
        store.firing("deployment-errors").await,
        [("web /".into(), 0.25)]
    );
}

#[tokio::test]
async fn services_are_summed_up_from_real_documents() {
    let store = Store::start().await;
    let node = container("web-storage-0", "wharf:1", Some("web"));
    let shop = container("shop-1", "shop:1", None);
    let sample = |metricset: &'static str, fields: Value, context: &ContainerContext, ago: u64| {
        let metric = Metric {
            module: "docker",
            metricset,
            fields,
            ..Metric::default()
        };
        metric.document(&envelope("h1"), Some(context), reading(ago))
    };
    let mut documents = lines(&shop, 40, 10);
    for (context, cpu, memory) in [(&node, 0.5, 300), (&shop, 0.25, 100)] {
        for ago in [10, 20, 30] {
            documents.push(sample("cpu", json!({"total": {"pct": cpu}}), context, ago));
            documents.push(sample(
                "memory",
                json!({"usage": {"total": memory}}),
                context,
                ago,
            ));
        }
    }
    documents.push(engine("shop-1", "die", 100));
    documents.push(engine("shop-1", "start", 99));
    store.keep(&documents).await;

    let span = Span {
        from_ms: NOW - 900_000,
        to_ms: NOW,
    };
    let mut answers = BTreeMap::new();
    for source in Source::ALL {
        let answer = store.search(source.index(), &source.body(span)).await;
        answers.insert(source, answer);
    }
    let summary = summarise(&answers);
    assert_eq!(
        summary.remarks,
        ["no requests, errors and latency: there is no logs-wharf.access-default yet"]
    );
    let rows: Vec<_> = summary
        .rows
        .iter()
        .map(|row| {
            (
                row.name.as_str(),
                row.cpu_percent,
                row.memory_bytes,
                row.lines,
                row.error_lines,
                row.restarts,
                row.hosts.join(","),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("web", Some(50.0), Some(300), 0, 0, 0, "h1".to_owned()),
            ("shop", Some(25.0), Some(100), 40, 4, 1, "h1".to_owned()),
        ]
    );
}
