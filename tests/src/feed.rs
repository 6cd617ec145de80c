//! A store in this process and documents for it, made by the collectors' own code, so that the
//! field names are the real ones on both sides.

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
    envelope::Reading,
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
    shipped,
    watch::Watch,
};
use wharf_store::{Config, Listener, Running};

/// When the tests are: 2026-01-01T00:00:00Z.
pub const NOW: u64 = 1_767_225_600_000;

/// A store on loopback.
pub struct Store {
    client: Client<HttpConnector, Full<Bytes>>,
    running: Running,
    _dir: tempfile::TempDir,
}

impl Store {
    /// Starts it, empty.
    ///
    /// # Panics
    /// When it cannot start.
    pub async fn start() -> Self {
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

    /// Keeps documents.
    ///
    /// # Panics
    /// When one is refused.
    pub async fn keep(&self, documents: &[Document]) {
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

    /// Searches as a monitoring node does: what does not exist is left out.
    pub async fn search(&self, indices: &str, body: &Value) -> Value {
        let path = format!("/{indices}/_search?ignore_unavailable=true&allow_no_indices=true");
        self.post(&path, body.to_string()).await
    }

    /// The answer to a watch's run of `at_ms`.
    pub async fn answer(&self, watch: &Watch, at_ms: u64) -> Value {
        let body = watch.input.body.filled(watch.input.span(at_ms));
        self.search(&watch.input.indices.join(","), &body).await
    }

    /// What a watch finds now.
    ///
    /// # Errors
    /// When the run is in error.
    pub async fn run(&self, watch: &Watch) -> Result<Evaluation, EvaluationError> {
        evaluate(&watch.condition, &self.answer(watch, NOW).await)
    }

    /// Groups of a shipped watch that fire now: their keys, joined, with the value.
    ///
    /// # Panics
    /// When the run is in error or measures no number.
    pub async fn firing(&self, watch: &str) -> Vec<(String, f64)> {
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

/// The envelope of a host.
pub fn envelope(host: &str) -> Envelope {
    let facts = HostFacts {
        id: host.to_owned(),
        name: host.to_owned(),
        ..HostFacts::default()
    };
    Envelope::new(&facts, &AgentFacts::default(), &named("wharf"), "z", "")
}

/// A reading so many seconds ago.
pub fn reading(seconds_ago: u64) -> Reading {
    Reading {
        at_ms: (NOW - seconds_ago * 1000) as i64,
        ..Reading::default()
    }
}

/// A container, of an instance when it has a deployment.
pub fn container(name: &str, image: &str, deployment: Option<&str>) -> ContainerContext {
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

/// A host's memory.
pub fn memory(host: &str, available_percent: u64, seconds_ago: u64) -> Document {
    let info = MemInfo {
        total: 100 << 30,
        free: 1 << 30,
        available: available_percent << 30,
        ..MemInfo::default()
    };
    system::memory(&info).document(&envelope(host), None, reading(seconds_ago))
}

/// A file system of the host `h1`, of 1,000 bytes.
pub fn disk(mount: &str, available: u64, seconds_ago: u64) -> Document {
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
    system::filesystem(&mount, &size).document(&envelope("h1"), None, reading(seconds_ago))
}

/// An event of the engine on the host `h1`.
pub fn engine(name: &str, action: &str, seconds_ago: u64) -> Document {
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

/// A line of a container.
pub fn line_at(context: &ContainerContext, at_ms: u64, message: &str) -> Document {
    let line = LogLine {
        offset: at_ms,
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

/// A request through the proxy, as its access log has it and the collectors ship it; without a
/// prefix when it is empty. `n` tells requests of one moment apart.
pub fn access(deployment: &str, prefix: &str, status: u16, at_ms: u64, n: u64) -> Document {
    let label = |key: &str, value: &str| (format!("io.wharfinger.{key}"), value.to_owned());
    let proxy = ContainerContext::new(&ContainerMeta {
        id: "id-of-proxy".to_owned(),
        name: "wharf-wharf-proxy".to_owned(),
        labels: [
            label("platform", &named("wharf").id),
            label("role", "proxy"),
        ]
        .into(),
        ..ContainerMeta::default()
    });
    let mut url = json!({"path": format!("{prefix}/_search"), "domain": "web.localhost"});
    if !prefix.is_empty() {
        url["prefix"] = json!(prefix);
    }
    let failed = status >= 500;
    let request = json!({
        "@timestamp": wharf_proto::times::rfc3339(at_ms),
        "log": {"level": if failed { "error" } else { "info" }},
        "event": {"dataset": "wharf.access", "duration": 2_000_000},
        "http": {"request": {"method": "GET"}, "response": {"status_code": status}},
        "url": url,
        "wharf": {"deployment": {"id": "d", "name": deployment}},
    });
    let line = LogLine {
        offset: n,
        stream: "stdout",
        time: format!("{at_ms} {deployment} {prefix}"),
        at_ms: at_ms as i64,
        message: request.to_string(),
        ..LogLine::default()
    };
    let file = LogFile {
        path: "/log",
        identity: (1, 3),
    };
    container_line(&envelope("h1"), &proxy, file, &line)
}
