//! The shipped watches and the summary of services against a store in this process, fed with
//! documents that the collectors' own code makes: the field names are the real ones on both sides.
//! Not here: running watches by the clock, sending (the monitoring node's own tests).

// A test fails by panicking.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use wharf_collectors_core::{
    AgentFacts, ContainerContext, ContainerMeta, Document, Envelope, HostFacts, NamedId, Owner,
    envelope::{Metric, Reading},
    kernel::{host::MemInfo, mounts::Mount},
    log::{
        LogLine,
        document::{LogFile, container_line},
    },
    metricset::{
        engine::{EngineEvent, event},
        system,
    },
};
use wharf_monitor_core::{
    document::from_text,
    evaluate::{Evaluation, EvaluationError, GroupState, evaluate},
    input::Span,
    services::{Source, summarise},
    shipped,
    watch::Watch,
};
use wharf_store::{Config, Listener, Running};

/// 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600_000;

struct Store {
    client: Client<HttpConnector, Full<Bytes>>,
    running: Running,
    _dir: tempfile::TempDir,
}

impl Store {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config::new(
            dir.path().join("store"),
            ([127, 0, 0, 1], 0).into(),
            Listener::PlainLoopback,
        );
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            running: wharf_store::start(config).await.unwrap(),
            _dir: dir,
        }
    }

    async fn post(&self, path: &str, body: String) -> Value {
        let request = Request::post(format!("http://{}{path}", self.running.addr))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let answer = self.client.request(request).await.unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    async fn keep(&self, documents: &[Document]) {
        let mut body = String::new();
        for document in documents {
            let head = json!({"create": {"_index": document.stream, "_id": document.id}});
            body.push_str(&format!(
                "{head}\n{}\n",
                std::str::from_utf8(&document.body).unwrap()
            ));
        }
        let answer = self.post("/_bulk?refresh=true", body).await;
        assert_eq!(answer["errors"], false, "every document is taken: {answer}");
    }

    async fn search(&self, indices: &str, body: &Value) -> Value {
        let path = format!("/{indices}/_search?ignore_unavailable=true&allow_no_indices=true");
        self.post(&path, body.to_string()).await
    }

    async fn run(&self, watch: &Watch) -> Result<Evaluation, EvaluationError> {
        let body = watch.input.body.filled(watch.input.span(NOW));
        let answer = self.search(&watch.input.indices.join(","), &body).await;
        evaluate(&watch.condition, &answer)
    }

    /// Groups that fire: their keys, joined, with the value.
    async fn firing(&self, watch: &str) -> Vec<(String, f64)> {
        let watch = from_text(shipped::text(watch).unwrap()).unwrap();
        let evaluation = self.run(&watch).await.unwrap();
        evaluation
            .groups
            .iter()
            .filter(|group| group.state == GroupState::Firing)
            .map(|group| {
                let key: Vec<&str> = group.key.iter().map(|(_, value)| value.as_str()).collect();
                let value = match &group.value {
                    Some(wharf_monitor_core::evaluate::Measured::Number(value)) => *value,
                    other => panic!("a number was expected, not {other:?}"),
                };
                (key.join(" "), (value * 1000.0).round() / 1000.0)
            })
            .collect()
    }
}

fn named(name: &str) -> NamedId {
    NamedId {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
    }
}

fn envelope(host: &str) -> Envelope {
    let facts = HostFacts {
        id: host.to_owned(),
        name: host.to_owned(),
        ..HostFacts::default()
    };
    Envelope::new(&facts, &AgentFacts::default(), &named("wharf"), "z", "")
}

fn reading(seconds_ago: u64) -> Reading {
    Reading {
        at_ms: (NOW - seconds_ago * 1000) as i64,
        ..Reading::default()
    }
}

fn container(name: &str, image: &str, deployment: Option<&str>) -> ContainerContext {
    ContainerContext::new(&ContainerMeta {
        id: format!("id-of-{name}"),
        name: name.to_owned(),
        image: image.to_owned(),
        owner: deployment.map(|deployment| Owner {
            deployment: named(deployment),
            resource: named("storage"),
            instance: named(name),
        }),
        ..ContainerMeta::default()
    })
}

fn memory(host: &str, available_percent: u64, seconds_ago: u64) -> Document {
    let info = MemInfo {
        total: 100 << 30,
        free: 1 << 30,
        available: available_percent << 30,
        ..MemInfo::default()
    };
    system::memory(&info).document(&envelope(host), None, reading(seconds_ago))
}

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
    let disk = |mount: &str, available: u64| {
        let size = system::FileSystemSize {
            total: 1000,
            free: available,
            available,
            files: 10,
            free_files: 5,
        };
        let mount = Mount {
            mount_point: mount.to_owned(),
            device: "/dev/vda".to_owned(),
            ..Mount::default()
        };
        system::filesystem(&mount, &size).document(&envelope("h1"), None, reading(30))
    };
    store.keep(&[disk("/", 500), disk("/data", 40)]).await;
    assert_eq!(store.firing("disk-full").await, [("h1 /data".into(), 0.96)]);
}

fn engine(name: &str, action: &str, seconds_ago: u64) -> Document {
    let at_ms = NOW - seconds_ago * 1000;
    let metric = event(&EngineEvent {
        time_ns: (at_ms * 1_000_000) as i64,
        action: action.to_owned(),
        kind: "container".to_owned(),
        actor_id: format!("id-of-{name}"),
        attributes: BTreeMap::from([
            ("name".to_owned(), name.to_owned()),
            ("image".to_owned(), "shop:1".to_owned()),
        ]),
    });
    metric.document(&envelope("h1"), None, reading(seconds_ago))
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

fn line(context: &ContainerContext, n: u64, message: &str) -> Document {
    let at_ms = NOW - 1000 - n * 250;
    let line = LogLine {
        offset: n,
        stream: "stdout",
        time: wharf_proto::times::rfc3339(at_ms),
        at_ms: at_ms as i64,
        message: message.to_owned(),
        ..LogLine::default()
    };
    let file = LogFile {
        path: "/log",
        identity: (1, 2),
    };
    container_line(&envelope("h1"), context, file, &line)
}

/// Lines of which one of `every` is an error.
fn lines(context: &ContainerContext, count: u64, every: u64) -> Vec<Document> {
    (0..count)
        .map(|n| {
            let level = if n % every == 0 { "ERROR" } else { "INFO" };
            line(
                context,
                n,
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
    let request = |n: u64, deployment: &str, path: &str, status: u16| Document {
        stream: "logs-wharf.access-default".to_owned(),
        id: format!("{deployment}{path}{n}"),
        body: json!({
            "@timestamp": wharf_proto::times::rfc3339(NOW - 1000 - n * 100),
            "event": {"dataset": "wharf.access", "duration": 2_000_000 + n},
            "http": {"request": {"method": "GET"}, "response": {"status_code": status}},
            "url": {"path": format!("{path}/_search"), "prefix": path},
            "wharf": {"deployment": {"id": "d", "name": deployment}},
        })
        .to_string()
        .into_bytes(),
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
