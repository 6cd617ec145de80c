//! The store against what a real OpenSearch answered: every request of `tests/conformance/cases/` is sent to a store
//! in this process and its answer compared with the one in `recorded/`, which `scripts/record-conformance` wrote.
//! An answer that differs fails the test unless `unsupported.yaml` lists the case and ours refuses it by name.
//! Scores, wording of errors and order of hits without a sort are not compared. Not here: real clients.

// A test fails by panicking and tells its figures.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use wharf_store::{Config, Listener};

/// The files in the order in which they run; those that write come last.
const FILES: [&str; 8] = [
    "queries",
    "aggregations",
    "search",
    "errors",
    "documents",
    "metadata",
    "highlight",
    "clients",
];

/// Dropped wherever they stand in an answer: they differ from run to run or say how a server scores.
const INCIDENTAL: [&str; 21] = [
    "took",
    "_shards",
    "_score",
    "max_score",
    "_seq_no",
    "_primary_term",
    "uuid",
    "index_uuid",
    "cluster_uuid",
    "creation_date",
    "created",
    "provided_name",
    "timed_out",
    "terminated_early",
    "forced_refresh",
    "epoch",
    "timestamp",
    "num_reduce_phases",
    "_scroll_id",
    "pit_id",
    "creation_time",
];

/// What every case finds.
#[derive(Deserialize)]
struct Setup {
    steps: Vec<Call>,
}

#[derive(Deserialize)]
struct CaseFile {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(flatten)]
    call: Call,
    /// Members of the answer (JSON pointers) that later cases put in by `${name}`.
    #[serde(default)]
    keep: BTreeMap<String, String>,
}

/// A request: method and path, and at most one kind of body.
#[derive(Deserialize, Serialize)]
struct Call {
    #[serde(rename = "do")]
    request: String,
    body: Option<Value>,
    lines: Option<Vec<Value>>,
    text: Option<String>,
}

impl Call {
    /// With what earlier answers gave.
    fn with(&self, kept: &BTreeMap<String, String>) -> Self {
        let mut text = serde_json::to_string(self).unwrap();
        for (name, value) in kept {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        serde_json::from_str(&text).unwrap()
    }

    fn body(&self) -> (&'static str, String) {
        if let Some(lines) = &self.lines {
            let text = lines.iter().map(|line| format!("{line}\n")).collect();
            return ("application/x-ndjson", text);
        }
        match (&self.text, &self.body) {
            (Some(text), _) if self.request.contains("_bulk") => {
                ("application/x-ndjson", text.clone())
            }
            (Some(text), _) => ("application/json", text.clone()),
            (None, Some(body)) => ("application/json", body.to_string()),
            (None, None) => ("application/json", String::new()),
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

fn yaml<T: serde::de::DeserializeOwned>(path: PathBuf) -> T {
    let text = fs::read_to_string(&path).unwrap();
    serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// An answer without what is incidental; both sides go through it.
fn normal(value: &Value, drop: &[String]) -> Value {
    match value {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (key, value) in fields {
                if drop.contains(key) {
                    continue;
                }
                // The wording of an error is each server's own; its type is what programs read. OpenSearch wraps
                // what a shard refused: the root cause is compared, so that refusing before asking it is the same.
                let value = match (key.as_str(), value) {
                    // Names in no order.
                    ("matched_queries", Value::Array(names)) => {
                        let mut names = names.clone();
                        names.sort_by_key(Value::to_string);
                        Value::Array(names)
                    }
                    ("error", Value::Object(error)) => {
                        let root = value.pointer("/root_cause/0/type");
                        json!({"type": root.or_else(|| error.get("type"))})
                    }
                    _ => normal(value, drop),
                };
                kept.insert(key.clone(), value);
            }
            if let Some(Value::Array(hits)) = kept.get_mut("hits")
                && hits.iter().any(|hit| hit.get("sort").is_none())
            {
                hits.sort_by_key(|hit| hit.get("_id").map(Value::to_string));
            }
            Value::Object(kept)
        }
        Value::Array(items) => items.iter().map(|item| normal(item, drop)).collect(),
        Value::Number(number) => {
            let number = number.as_f64().unwrap();
            json!(format!("{number:.9e}").parse::<f64>().unwrap())
        }
        // A backing index is named after the day as in Elasticsearch; OpenSearch leaves the day out.
        Value::String(text) if text.starts_with(".ds-") => {
            let day = regex::Regex::new(r"-\d{4}\.\d{2}\.\d{2}-(\d{6})$").unwrap();
            Value::from(day.replace(text, "-$1").into_owned())
        }
        other => other.clone(),
    }
}

/// Where two normal answers differ, one line each: the path, ours, the truth.
fn differences(path: &str, ours: &Value, truth: &Value, out: &mut Vec<String>) {
    match (ours, truth) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let none = Value::String("(absent)".into());
                let (a, b) = (a.get(key).unwrap_or(&none), b.get(key).unwrap_or(&none));
                differences(&format!("{path}/{key}"), a, b, out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}/{i}"), a, b, out);
            }
        }
        _ if ours == truth => {}
        _ => out.push(format!("{path}\n    ours  {ours}\n    truth {truth}")),
    }
}

struct Store {
    client: Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>,
    base: String,
}

impl Store {
    async fn call(&self, call: &Call) -> Value {
        let (method, path) = call.request.split_once(' ').unwrap();
        let (kind, body) = call.body();
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if !body.is_empty() {
            request = request.header("content-type", kind);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
        json!({"status": status, "answer": body})
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_answers_as_opensearch_does() {
    let drop = INCIDENTAL.map(str::to_owned);
    let unsupported: BTreeMap<String, String> = yaml(folder().join("unsupported.yaml"));
    let dir = tempfile::tempdir().unwrap();
    let config = Config::new(
        dir.path().join("store"),
        ([127, 0, 0, 1], 0).into(),
        Listener::PlainLoopback,
    );
    let running = wharf_store::start(config).await.unwrap();
    let store = Store {
        client: Client::builder(TokioExecutor::new()).build_http(),
        base: format!("http://{}", running.addr),
    };
    let setup: Setup = yaml(folder().join("cases/setup.yaml"));
    for call in &setup.steps {
        let answer = store.call(call).await;
        assert!(
            answer["status"].as_u64() < Some(300),
            "set-up: {}: {answer}",
            call.request
        );
    }
    let (mut report, mut asked, mut differing) = (String::new(), 0, 0);
    let mut refused = Vec::new();
    let mut kept: BTreeMap<String, String> = BTreeMap::new();
    for stem in FILES {
        let recorded = folder().join(format!("recorded/{stem}.json"));
        let recorded: Map<String, Value> =
            serde_json::from_str(&fs::read_to_string(recorded).unwrap()).unwrap();
        let file: CaseFile = yaml(folder().join(format!("cases/{stem}.yaml")));
        for case in &file.cases {
            asked += 1;
            let name = format!("{stem}/{}", case.name);
            let truth = recorded
                .get(&case.name)
                .unwrap_or_else(|| panic!("{name} is not recorded: scripts/record-conformance"));
            let answer = store.call(&case.call.with(&kept)).await;
            for (name, pointer) in &case.keep {
                let value = answer["answer"].pointer(pointer).and_then(Value::as_str);
                kept.insert(name.clone(), value.unwrap_or_default().to_owned());
            }
            let mut found = Vec::new();
            let (ours, truth) = (normal(&answer, &drop), normal(truth, &drop));
            differences("", &ours, &truth, &mut found);
            let error = &answer["answer"]["error"];
            let root = error.pointer("/root_cause/0/reason");
            let reason = root.unwrap_or(&error["reason"]).as_str().unwrap_or("");
            let refusal = matches!(answer["status"].as_u64(), Some(400 | 501))
                && (reason.contains("] is not supported by this store")
                    || reason.contains("Unknown aggregation type ["));
            if found.is_empty() {
                continue;
            }
            if unsupported.contains_key(&name) && refusal {
                refused.push(name);
                continue;
            }
            differing += 1;
            let _ = writeln!(report, "{name}: {} (reason {reason})", case.call.request);
            for one in found.iter().take(6) {
                let _ = writeln!(report, "  {one}");
            }
        }
    }
    assert!(
        report.is_empty(),
        "{differing} of {asked} differ:\n{report}"
    );
    let idle: Vec<_> = unsupported
        .keys()
        .filter(|name| !refused.contains(name))
        .collect();
    assert!(
        idle.is_empty(),
        "listed in unsupported.yaml but not refused: {idle:?}"
    );
    assert!(asked > 100, "only {asked} cases");
}

#[test]
fn a_wrong_answer_is_seen_and_an_incidental_difference_is_not() {
    let drop = vec!["took".to_owned(), "_score".to_owned()];
    let compare = |ours: Value, truth: Value| {
        let mut found = Vec::new();
        let (ours, truth) = (normal(&ours, &drop), normal(&truth, &drop));
        differences("", &ours, &truth, &mut found);
        found.len()
    };
    let hit = |id: &str, score: f64| json!({"_id": id, "_score": score});
    let answer = |took: u8, hits: Vec<Value>| json!({"took": took, "hits": {"hits": hits}});
    let (a, b) = (hit("a", 1.0), hit("b", 0.5));
    let truth = answer(3, vec![a.clone(), b.clone()]);
    assert_eq!(
        compare(answer(9, vec![b.clone(), a.clone()]), truth.clone()),
        0
    );
    assert_eq!(compare(answer(3, vec![a.clone()]), truth.clone()), 1);
    assert_eq!(compare(answer(3, vec![a, hit("c", 0.5)]), truth), 1);
    let sorted = |ids: [&str; 2]| json!({"hits": ids.map(|id| json!({"_id": id, "sort": [1]}))});
    assert_eq!(compare(sorted(["a", "b"]), sorted(["b", "a"])), 2);
    assert_eq!(
        compare(json!({"value": 0.1 + 0.2}), json!({"value": 0.3})),
        0
    );
    assert_eq!(compare(json!({"value": 3}), json!({"value": 3.0})), 0);
    assert_eq!(compare(json!({"value": 3}), json!({"value": "3"})), 1);
    assert_eq!(compare(json!({"value": null}), json!({})), 1);
    let error = |kind: &str, reason: &str| json!({"error": {"type": kind, "reason": reason}});
    assert_eq!(compare(error("x", "one"), error("x", "two")), 0);
    assert_eq!(compare(error("x", "one"), error("y", "one")), 1);
}
