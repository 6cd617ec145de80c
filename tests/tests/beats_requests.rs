//! What Beats 7.17 and 8.19 send when they connect, replayed against a store in this process: gzipped bodies, the
//! same requests in the same order, and events that real Metricbeat and Filebeat sent (`tests/conformance/beats/`).
//! Not here: the Beats themselves, the full templates, which are hundreds of kilobytes.

// A test fails by panicking.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::{fs, io::Write as _, path::Path};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};
use wharf_store::{Config, Listener, Running};

struct Beat {
    client: Client<HttpConnector, Full<Bytes>>,
    running: Running,
    _dir: tempfile::TempDir,
}

impl Beat {
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

    /// Sends a request as a Beat does; an empty body is none.
    async fn send(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.running.addr))
            .header("accept", "application/json")
            .header("x-elastic-product-origin", "beats");
        let mut packed = Vec::new();
        if !body.is_empty() {
            let level = flate2::Compression::fast();
            let mut encoder = flate2::write::GzEncoder::new(&mut packed, level);
            encoder.write_all(body.as_bytes()).unwrap();
            encoder.finish().unwrap();
            request = request
                .header("content-type", "application/json; charset=UTF-8")
                .header("content-encoding", "gzip")
                .header("x-elastic-uncompressed-request-length", body.len());
        }
        let request = request.body(Full::new(Bytes::from(packed))).unwrap();
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    async fn is(&self, method: &str, path: &str, body: &str, expected: u16) -> Value {
        let (status, answer) = self.send(method, path, body).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        answer
    }

    async fn acknowledged(&self, path: &str, body: &Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self.is("PUT", path, &body, 200).await;
        assert_eq!(answer["acknowledged"], true, "PUT {path}: {answer}");
    }

    /// The requests with which every Beat begins.
    async fn greets(&self) {
        for _ in 0..2 {
            let info = self.is("GET", "/", "", 200).await;
            assert!(
                info["version"]["number"]
                    .as_str()
                    .unwrap()
                    .starts_with("8.")
            );
            assert!(info["cluster_uuid"].is_string(), "{info}");
        }
        let license = self.is("GET", "/_license?human=false", "", 200).await;
        assert_eq!(license["license"]["status"], "active");
    }
}

fn policy() -> Value {
    json!({"policy": {"phases": {"hot": {"actions": {"rollover": {"max_age": "30d", "max_size": "50gb"}}}}}})
}

fn mappings() -> Value {
    json!({
        "_meta": {"beat": "metricbeat", "version": "8.19.21"},
        "date_detection": false,
        "dynamic_templates": [{"strings_as_keyword": {
            "mapping": {"ignore_above": 1024, "type": "keyword"}, "match_mapping_type": "string"
        }}],
        "properties": {
            "@timestamp": {"type": "date"},
            "message": {"type": "match_only_text"},
            "event": {"properties": {"dataset": {"type": "keyword", "ignore_above": 1024}}}
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn beats_8_set_up_and_their_events_are_found() {
    let beat = Beat::start().await;
    for name in ["metricbeat", "filebeat"] {
        let full = format!("{name}-8.19.21");
        beat.greets().await;
        beat.is("GET", &format!("/_ilm/policy/{name}"), "", 404)
            .await;
        beat.acknowledged(&format!("/_ilm/policy/{name}"), &policy())
            .await;
        let template = format!("/_index_template/{full}");
        beat.is("HEAD", &template, "", 404).await;
        let body = json!({
            "data_stream": {}, "index_patterns": [full], "priority": 150,
            "template": {"mappings": mappings(), "settings": {"index": {
                "lifecycle": {"name": name}, "refresh_interval": "5s",
                "mapping": {"total_fields": {"limit": 12500}}, "max_docvalue_fields_search": 200
            }}}
        });
        beat.acknowledged(&template, &body).await;
        beat.is("HEAD", &template, "", 200).await;
        let stream = format!("/_data_stream/{full}");
        beat.is("GET", &stream, "", 404).await;
        beat.acknowledged(&stream, &Value::Null).await;
        beat.is("GET", &stream, "", 200).await;
    }

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/beats");
    let mut sent = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let bulk = "/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status";
        let answer = beat.is("POST", bulk, &text, 200).await;
        assert_eq!(answer["errors"], false, "{}: {answer}", path.display());
        let items = answer["items"].as_array().unwrap();
        assert_eq!(items.len(), text.lines().count() / 2);
        assert!(
            items.iter().all(|item| item["create"]["status"] == 201),
            "{answer}"
        );
        sent += items.len();
    }
    beat.is("POST", "/_refresh", "", 200).await;
    let all = beat
        .is(
            "GET",
            "/metricbeat-8.19.21,filebeat-8.19.21/_count",
            "",
            200,
        )
        .await;
    assert_eq!(all["count"], sent);
    let search = json!({
        "query": {"term": {"event.dataset": "system.cpu"}},
        "aggs": {"user": {"max": {"field": "system.cpu.user.pct"}}}
    });
    let found = beat
        .is(
            "POST",
            "/metricbeat-8.19.21/_search",
            &search.to_string(),
            200,
        )
        .await;
    assert_eq!(found["hits"]["total"]["value"], 2, "{found}");
    // A fraction without a mapping becomes a `float`, as in Elasticsearch: the aggregation sees it so rounded.
    let user = &found["aggregations"]["user"]["value"];
    assert_eq!(user.as_f64().unwrap(), f64::from(0.7428_f32));
    let none = "/synthetics-*,heartbeat-*/_search?size=1";
    let none = beat.is("POST", none, "{}", 200).await;
    assert_eq!(none["hits"]["hits"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn beats_7_set_up_a_write_alias_and_bulk_into_it() {
    let beat = Beat::start().await;
    beat.greets().await;
    let xpack = beat.is("GET", "/_xpack", "", 200).await;
    assert_eq!(xpack["features"]["ilm"]["available"], true, "{xpack}");
    assert_eq!(xpack["features"]["ilm"]["enabled"], true, "{xpack}");
    beat.is("GET", "/_ilm/policy/metricbeat", "", 404).await;
    beat.acknowledged("/_ilm/policy/metricbeat", &policy())
        .await;
    let template = "/_index_template/metricbeat-7.17.29";
    beat.is("HEAD", template, "", 404).await;
    let body = json!({
        "index_patterns": ["metricbeat-7.17.29-*"], "priority": 150,
        "template": {"mappings": mappings(), "settings": {"index": {"lifecycle": {
            "name": "metricbeat", "rollover_alias": "metricbeat-7.17.29"
        }}}}
    });
    beat.acknowledged(template, &body).await;
    beat.is("GET", "/_alias/metricbeat-7.17.29", "", 404).await;
    beat.is("HEAD", "/metricbeat-7.17.29", "", 404).await;
    let alias = json!({"aliases": {"metricbeat-7.17.29": {"is_write_index": true}}});
    beat.acknowledged("/%3Cmetricbeat-7.17.29-%7Bnow%2Fd%7D-000001%3E", &alias)
        .await;
    beat.is("GET", "/_alias/metricbeat-7.17.29", "", 200).await;
    let events: String = (0..50)
        .map(|i| {
            let action = json!({"create": {"_index": "metricbeat-7.17.29"}});
            let event = json!({"@timestamp": "2026-11-23T21:15:14.149Z", "event": {"dataset": "system.load"}, "n": i});
            format!("{action}\n{event}\n")
        })
        .collect();
    let answer = beat.is("POST", "/_bulk", &events, 200).await;
    assert_eq!(answer["errors"], false, "{answer}");
    beat.is("POST", "/metricbeat-7.17.29/_refresh", "", 200)
        .await;
    let count = beat
        .is(
            "GET",
            "/metricbeat-7.17.29/_count?q=event.dataset:system.load",
            "",
            200,
        )
        .await;
    assert_eq!(count["count"], 50);
}
