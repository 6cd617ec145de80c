//! A storage instance over loopback HTTP, as clients use it: documents, searches, streams, keys, bad input, restarts.
//!
//! Not here: what queries and aggregations answer in detail (core), TLS (runtime).
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wharf_store::{Config, Listener, Running, start};

struct Answer {
    status: u16,
    head: String,
    body: Value,
    text: String,
}

struct Store {
    running: Option<Running>,
    addr: SocketAddr,
    auth: Option<String>,
}

fn config(dir: &Path) -> Config {
    let mut config = Config::new(
        dir.to_path_buf(),
        "127.0.0.1:0".parse().unwrap(),
        Listener::PlainLoopback,
    );
    config.memory_bytes = 256 * 1024 * 1024;
    config.flood_free_bytes = Some(1);
    config
}

impl Store {
    async fn open(config: Config) -> Self {
        let running = start(config).await.unwrap();
        let addr = running.addr;
        Self {
            running: Some(running),
            addr,
            auth: None,
        }
    }

    async fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let auth = self
            .auth
            .as_ref()
            .map(|a| format!("Authorization: {a}\r\n"))
            .unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{auth}{headers}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(body).await;
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).await.unwrap();
        let raw = String::from_utf8_lossy(&raw).into_owned();
        let (head, text) = raw.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let text = if head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked")
        {
            unchunk(text)
        } else {
            text.to_owned()
        };
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer {
            status,
            head: head.to_ascii_lowercase(),
            body,
            text,
        }
    }

    async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        self.send(method, path, "Content-Type: application/json\r\n", &body)
            .await
    }

    async fn get(&self, path: &str) -> Answer {
        self.json("GET", path, Value::Null).await
    }

    async fn bulk(&self, path: &str, lines: &str) -> Answer {
        self.send(
            "POST",
            path,
            "Content-Type: application/x-ndjson\r\n",
            lines.as_bytes(),
        )
        .await
    }

    async fn count(&self, index: &str) -> u64 {
        self.get(&format!("/{index}/_count")).await.body["count"]
            .as_u64()
            .unwrap()
    }

    async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    async fn kill(&mut self) {
        self.running.take().unwrap().kill().await;
    }
}

fn unchunk(mut text: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
            break;
        };
        if size == 0 {
            break;
        }
        out.push_str(&rest[..size]);
        text = &rest[size + 2..];
    }
    out
}

const LOGS_TEMPLATE: &str = r#"{"index_patterns":["logs-*-*"],"priority":100,"data_stream":{},"template":{"mappings":{
    "dynamic_templates":[{"s":{"match_mapping_type":"string","mapping":{"type":"keyword","ignore_above":1024}}}],
    "properties":{"message":{"type":"match_only_text"},"took":{"type":"long"}}}}}"#;

async fn logs(store: &Store, count: usize) {
    let template: Value = serde_json::from_str(LOGS_TEMPLATE).unwrap();
    assert_eq!(
        store
            .json("PUT", "/_index_template/logs", template)
            .await
            .status,
        200
    );
    let mut lines = String::new();
    for n in 0..count {
        lines.push_str("{\"create\":{}}\n");
        lines.push_str(&format!(
            "{{\"@timestamp\":\"2026-01-10T00:{:02}:{:02}.000Z\",\"message\":\"line {n} says {}\",\"host\":{{\"name\":\"h{}\"}},\"took\":{}}}\n",
            n / 60 % 60,
            n % 60,
            if n % 10 == 0 { "error" } else { "fine" },
            n % 3,
            n
        ));
    }
    let answer = store.bulk("/logs-app-default/_bulk", &lines).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.body["errors"], json!(false), "{}", answer.text);
    assert_eq!(answer.body["items"].as_array().unwrap().len(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_the_product_and_the_root_says_who_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    let root = store.get("/").await;
    assert_eq!(root.status, 200);
    assert!(root.head.contains("x-elastic-product: elasticsearch"));
    assert_eq!(root.body["tagline"], "You Know, for Search");
    assert!(root.body["version"].get("distribution").is_none());
    let unknown = store.get("/_nonsense").await;
    assert_eq!(unknown.status, 400);
    assert!(unknown.head.contains("x-elastic-product: elasticsearch"));
    assert!(
        unknown
            .text
            .contains("no handler found for uri [/_nonsense] and method [GET]")
    );
    let vendor = "Accept: application/vnd.elasticsearch+json; compatible-with=8\r\n";
    let vendor = store.send("GET", "/", vendor, b"").await;
    assert!(
        vendor
            .head
            .contains("content-type: application/vnd.elasticsearch+json;compatible-with=8")
    );
    assert_eq!(
        store.get("/_license").await.body["license"]["status"],
        "active"
    );
    assert_eq!(
        store.get("/_xpack").await.body["features"]["ilm"]["enabled"],
        true
    );
    assert_eq!(store.send("HEAD", "/", "", b"").await.status, 200);
    assert_eq!(store.get("/_wharf/health").await.body["status"], "ready");
    assert_eq!(store.get("/_snapshot").await.status, 501);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_written_read_changed_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    let made = store
        .json("PUT", "/things/_doc/1", json!({"a": 1, "b": {"c": "x"}}))
        .await;
    assert_eq!(
        (made.status, &made.body["result"]),
        (201, &json!("created")),
        "{}",
        made.text
    );
    let again = store
        .json("PUT", "/things/_doc/1", json!({"a": 2, "b": {"c": "x"}}))
        .await;
    assert_eq!((again.status, &again.body["_version"]), (200, &json!(2)));
    let got = store.get("/things/_doc/1").await;
    assert_eq!(got.body["_source"], json!({"a": 2, "b": {"c": "x"}}));
    let conflict = store
        .json("PUT", "/things/_create/1", json!({"a": 3}))
        .await;
    assert_eq!(conflict.status, 409);
    assert_eq!(
        conflict.body["error"]["type"],
        "version_conflict_engine_exception"
    );
    let seq = got.body["_seq_no"].as_u64().unwrap();
    let stale = format!("/things/_doc/1?if_seq_no={}&if_primary_term=1", seq + 5);
    assert_eq!(store.json("PUT", &stale, json!({"a": 4})).await.status, 409);
    let updated = store
        .json("POST", "/things/_update/1", json!({"doc": {"b": {"d": 9}}}))
        .await;
    assert_eq!(updated.body["result"], "updated", "{}", updated.text);
    let noop = store
        .json("POST", "/things/_update/1", json!({"doc": {"b": {"d": 9}}}))
        .await;
    assert_eq!(noop.body["result"], "noop");
    let merged = store.get("/things/_source/1").await;
    assert_eq!(merged.body, json!({"a": 2, "b": {"c": "x", "d": 9}}));
    assert_eq!(
        store
            .json("POST", "/things/_update/2", json!({"doc": {"a": 1}}))
            .await
            .status,
        404
    );
    let upsert = json!({"doc": {"a": 7}, "doc_as_upsert": true});
    assert_eq!(
        store.json("POST", "/things/_update/2", upsert).await.status,
        201
    );
    let script = json!({"script": {"source": "ctx._source.a = 1"}});
    assert_eq!(
        store.json("POST", "/things/_update/2", script).await.status,
        400
    );
    let many = store
        .json(
            "POST",
            "/_mget",
            json!({"docs": [{"_index": "things", "_id": "1"}, {"_index": "things", "_id": "9"}]}),
        )
        .await;
    assert_eq!(many.body["docs"][0]["found"], true);
    assert_eq!(many.body["docs"][1]["found"], false);
    assert_eq!(
        store
            .json("DELETE", "/things/_doc/1", Value::Null)
            .await
            .body["result"],
        "deleted"
    );
    assert_eq!(
        store
            .json("DELETE", "/things/_doc/1", Value::Null)
            .await
            .status,
        404
    );
    assert_eq!(store.get("/things/_doc/1").await.status, 404);
    assert_eq!(store.count("things").await, 1);
    let auto = store.json("POST", "/things/_doc", json!({"a": 11})).await;
    let id = auto.body["_id"].as_str().unwrap().to_owned();
    assert_eq!(
        store.get(&format!("/things/_doc/{id}")).await.body["_source"]["a"],
        11
    );
    let gone = store
        .json(
            "POST",
            "/things/_delete_by_query",
            json!({"query": {"range": {"a": {"gte": 10}}}}),
        )
        .await;
    assert_eq!(gone.body["deleted"], 1, "{}", gone.text);
    assert_eq!(store.get("/nothing/_doc/1").await.status, 404);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_stream_is_made_by_its_template_and_searched_and_aggregated() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    logs(&store, 300).await;
    let streams = store.get("/_data_stream/logs-*").await;
    assert_eq!(streams.body["data_streams"][0]["name"], "logs-app-default");
    let search = json!({
        "size": 2, "sort": [{"@timestamp": "desc"}], "query": {"match": {"message": "error"}},
        "aggs": {"h": {"terms": {"field": "host.name"}, "aggs": {"m": {"max": {"field": "took"}}}}},
    });
    for round in 0..3 {
        let found = store
            .json("POST", "/logs-app-default/_search", search.clone())
            .await;
        assert_eq!(found.status, 200, "{}", found.text);
        assert_eq!(found.body["hits"]["total"]["value"], 30);
        assert_eq!(found.body["hits"]["hits"][0]["_source"]["took"], 290);
        assert!(
            found.body["hits"]["hits"][0]["_index"]
                .as_str()
                .unwrap()
                .starts_with(".ds-logs-app-default-")
        );
        assert_eq!(
            found.body["aggregations"]["h"]["buckets"][0]["doc_count"],
            10
        );
        match round {
            0 => assert_eq!(
                store
                    .json("POST", "/logs-app-default/_flush", Value::Null)
                    .await
                    .status,
                200
            ),
            1 => assert_eq!(
                store
                    .json("POST", "/logs-app-default/_forcemerge", Value::Null)
                    .await
                    .status,
                200
            ),
            _ => {}
        }
    }
    let refused = store
        .json("PUT", "/logs-app-default/_doc/1", json!({"@timestamp": 1}))
        .await;
    assert_eq!(refused.status, 400);
    let untimed = store
        .bulk(
            "/logs-app-default/_bulk",
            "{\"create\":{}}\n{\"message\":\"x\"}\n",
        )
        .await;
    assert_eq!(untimed.body["items"][0]["create"]["status"], 400);
    let rolled = store
        .json("POST", "/logs-app-default/_rollover", Value::Null)
        .await;
    assert_eq!(rolled.body["rolled_over"], true, "{}", rolled.text);
    logs(&store, 10).await;
    assert_eq!(store.count("logs-*").await, 310);
    let msearch = format!("{{\"index\":\"logs-*\"}}\n{search}\n{{\"index\":\"none\"}}\n{{}}\n");
    let msearch = store.bulk("/_msearch", &msearch).await;
    assert_eq!(msearch.body["responses"][0]["hits"]["total"]["value"], 31);
    assert_eq!(msearch.body["responses"][1]["status"], 404);
    let caps = store.get("/logs-*/_field_caps?fields=host.*,took").await;
    assert_eq!(caps.body["fields"]["took"]["long"]["aggregatable"], true);
    let indices = store
        .get("/_cat/indices?format=json&h=index,docs.count&expand_wildcards=all")
        .await;
    assert_eq!(indices.body.as_array().unwrap().len(), 2);
    assert_eq!(
        store
            .json("DELETE", "/_data_stream/logs-app-default", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(store.get("/logs-app-default/_count").await.status, 404);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_id_in_a_stream_is_a_conflict_of_its_own_item() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    logs(&store, 1).await;
    let lines = "{\"create\":{\"_id\":\"a\"}}\n{\"@timestamp\":1}\n{\"create\":{\"_id\":\"a\"}}\n{\"@timestamp\":2}\n{\"create\":{\"_id\":\"b\"}}\n{\"@timestamp\":3}\n";
    let answer = store
        .bulk(
            "/logs-app-default/_bulk?filter_path=errors,items.*.error,items.*.status",
            lines,
        )
        .await;
    let statuses: Vec<u64> = answer.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["create"]["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 409, 201]);
    assert_eq!(answer.body["errors"], true);
    assert!(answer.body.get("took").is_none());
    store
        .json("POST", "/logs-app-default/_flush", Value::Null)
        .await;
    let again = store.bulk("/logs-app-default/_bulk", lines).await;
    assert!(
        again.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|i| i["create"]["status"] == 409)
    );
    assert_eq!(store.count("logs-app-default").await, 3);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_told_and_the_good_lines_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    store
        .json(
            "PUT",
            "/n",
            json!({"mappings": {"properties": {"n": {"type": "long"}}}}),
        )
        .await;
    let deep = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let lines = format!(
        "{{\"index\":{{}}}}\n{{\"n\":1}}\n{{\"index\":{{}}}}\n{{\"n\":\"no number\"}}\n{{\"index\":{{}}}}\n{{broken\n{{\"index\":{{}}}}\n{deep}\n{{\"index\":{{}}}}\n{{\"n\":2}}\n"
    );
    let answer = store.bulk("/n/_bulk", &lines).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let statuses: Vec<u64> = answer.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["index"]["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 400, 400, 400, 201]);
    assert_eq!(store.count("n").await, 2);
    let open_end = store.bulk("/n/_bulk", "{\"index\":{}}\n{\"n\":1}").await;
    assert_eq!(open_end.status, 400);
    assert!(open_end.text.contains("must be terminated by a newline"));
    assert_eq!(store.bulk("/n/_bulk", "").await.status, 400);
    assert_eq!(
        store
            .json("POST", "/n/_search", json!({"query": {"nonsense": {}}}))
            .await
            .status,
        400
    );
    assert_eq!(
        store
            .json("POST", "/n/_search", json!({"unknown": 1}))
            .await
            .status,
        400
    );
    assert_eq!(
        store
            .send("POST", "/n/_search", "", b"{\"query\":")
            .await
            .status,
        400
    );
    let upper = store.json("PUT", "/UPPER", Value::Null).await;
    assert_eq!(upper.body["error"]["type"], "invalid_index_name_exception");
    let pipeline = store
        .bulk("/n/_bulk?pipeline=x", "{\"index\":{}}\n{\"n\":1}\n")
        .await;
    assert_eq!(pipeline.body["items"][0]["index"]["status"], 400);
    let large = store
        .send("POST", "/n/_bulk", "", &vec![b' '; 33 * 1024 * 1024])
        .await;
    assert_eq!(large.status, 413);
    assert_eq!(store.get("/_wharf/health").await.status, 200);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_unpacked_and_a_truncated_stream_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    let mut lines = String::new();
    for n in 0..2000 {
        lines.push_str(&format!(
            "{{\"index\":{{}}}}\n{{\"n\":{n},\"text\":\"{}\"}}\n",
            (n * 7919) % 10_007
        ));
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(lines.as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    let header = "Content-Encoding: gzip\r\n";
    let whole = store.send("POST", "/whole/_bulk", header, &packed).await;
    assert_eq!(whole.body["errors"], false, "{}", whole.text);
    assert_eq!(store.count("whole").await, 2000);
    let cut = store
        .send("POST", "/cut/_bulk", header, &packed[..packed.len() / 2])
        .await;
    let items = cut.body["items"].as_array().unwrap();
    let last = items.last().unwrap();
    assert_eq!(cut.body["errors"], true);
    assert_eq!(last["index"]["status"], 400);
    assert!(last.to_string().contains("gzip"));
    assert_eq!(store.count("cut").await, items.len() as u64 - 1);
    let garbage = store
        .send("POST", "/x/_bulk", header, b"no gzip at all")
        .await;
    assert_eq!(garbage.status, 400);
    let search = store
        .send("POST", "/whole/_search", header, &packed[..20])
        .await;
    assert_eq!(search.status, 400);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_crash_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut ids: Vec<String> = Vec::new();
    for round in 0..4u32 {
        let mut store = Store::open(config(dir.path())).await;
        assert_eq!(
            if round == 0 {
                0
            } else {
                store.count("crash").await
            },
            ids.len() as u64
        );
        for batch in 0..5 {
            let mut lines = String::new();
            for n in 0..40 {
                let id = format!("{round}-{batch}-{n}");
                lines.push_str(&format!("{{\"create\":{{\"_index\":\"crash\",\"_id\":\"{id}\"}}}}\n{{\"v{round}\":{n},\"t\":\"word{n}\"}}\n"));
                ids.push(id);
            }
            assert_eq!(store.bulk("/_bulk", &lines).await.body["errors"], false);
            if batch == 2 && round % 2 == 1 {
                store.json("POST", "/crash/_flush", Value::Null).await;
            }
        }
        let gone = ids.swap_remove(7);
        assert_eq!(
            store
                .json("DELETE", &format!("/crash/_doc/{gone}"), Value::Null)
                .await
                .status,
            200
        );
        store.kill().await;
    }
    let mut store = Store::open(config(dir.path())).await;
    assert_eq!(store.count("crash").await, ids.len() as u64);
    for id in ids.iter().step_by(37) {
        assert_eq!(
            store.get(&format!("/crash/_doc/{id}")).await.status,
            200,
            "{id}"
        );
    }
    let mapping = store.get("/crash/_mapping").await;
    for round in 0..4 {
        assert_eq!(
            mapping.body["crash"]["mappings"]["properties"][format!("v{round}")]["type"],
            "long"
        );
    }
    let found = store
        .json(
            "POST",
            "/crash/_search",
            json!({"query": {"match": {"t": "word3"}}, "track_total_hits": true}),
        )
        .await;
    assert!(found.body["hits"]["total"]["value"].as_u64().unwrap() >= 19);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_templates_and_aliases_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    logs(&store, 5).await;
    let policy = json!({"policy": {"phases": {"hot": {"actions": {"rollover": {"max_age": "30d"}}}, "delete": {"min_age": "7d", "actions": {"delete": {}}}}}});
    assert_eq!(
        store.json("PUT", "/_ilm/policy/p", policy).await.status,
        200
    );
    let date = store
        .json(
            "PUT",
            "/%3Cbeat-%7Bnow%2Fd%7D-000001%3E",
            json!({"aliases": {"beat": {"is_write_index": true}}}),
        )
        .await;
    assert_eq!(date.status, 200, "{}", date.text);
    assert_eq!(
        store
            .bulk("/_bulk", "{\"create\":{\"_index\":\"beat\"}}\n{\"a\":1}\n")
            .await
            .body["errors"],
        false
    );
    let uuid = store.get("/").await.body["cluster_uuid"].clone();
    store.stop().await;
    let mut store = Store::open(config(dir.path())).await;
    assert_eq!(store.get("/").await.body["cluster_uuid"], uuid);
    assert_eq!(
        store
            .send("HEAD", "/_index_template/logs", "", b"")
            .await
            .status,
        200
    );
    assert_eq!(
        store
            .send("HEAD", "/_index_template/none", "", b"")
            .await
            .status,
        404
    );
    assert_eq!(store.get("/_ilm/policy/p").await.body["p"]["version"], 1);
    assert_eq!(store.get("/_ilm/policy/none").await.status, 404);
    assert_eq!(store.count("beat").await, 1);
    assert_eq!(store.count("logs-app-default").await, 5);
    assert_eq!(
        store
            .get("/_alias/beat")
            .await
            .body
            .as_object()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(store.get("/_alias/none").await.status, 404);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scrolls_and_points_in_time_show_what_was_there_when_they_began() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    logs(&store, 250).await;
    let first = store
        .json(
            "POST",
            "/logs-app-default/_search?scroll=1m",
            json!({"size": 100, "sort": ["_doc"]}),
        )
        .await;
    assert_eq!(first.status, 200, "{}", first.text);
    let pit = store
        .json("POST", "/logs-app-default/_pit?keep_alive=1m", Value::Null)
        .await;
    logs(&store, 50).await;
    let mut seen: Vec<String> = Vec::new();
    let mut page = first;
    while !page.body["hits"]["hits"].as_array().unwrap().is_empty() {
        for hit in page.body["hits"]["hits"].as_array().unwrap() {
            seen.push(hit["_id"].as_str().unwrap().to_owned());
        }
        let id = page.body["_scroll_id"].clone();
        page = store
            .json(
                "POST",
                "/_search/scroll",
                json!({"scroll_id": id, "scroll": "1m"}),
            )
            .await;
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 250);
    let id = page.body["_scroll_id"].clone();
    assert_eq!(
        store
            .json("DELETE", "/_search/scroll", json!({"scroll_id": id}))
            .await
            .body["num_freed"],
        1
    );
    let body = json!({"pit": {"id": pit.body["id"]}, "size": 0, "track_total_hits": true});
    let frozen = store.json("POST", "/_search", body).await;
    assert_eq!(
        frozen.body["hits"]["total"]["value"], 250,
        "{}",
        frozen.text
    );
    assert_eq!(
        store
            .json("DELETE", "/_pit", json!({"id": pit.body["id"]}))
            .await
            .status,
        200
    );
    assert_eq!(
        store
            .json("POST", "/_search/scroll", json!({"scroll_id": "x"}))
            .await
            .status,
        404
    );
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_asked_for_and_api_keys_work_until_taken_back() {
    use base64::Engine as _;
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users.json");
    std::fs::write(
        &users,
        r#"{"users":[{"username":"elastic","password":"secret"}]}"#,
    )
    .unwrap();
    let mut config = config(&dir.path().join("data"));
    config.users_file = Some(users);
    let mut store = Store::open(config).await;
    let refused = store.get("/").await;
    assert_eq!(refused.status, 401);
    assert!(refused.head.contains("www-authenticate"));
    assert_eq!(store.get("/_wharf/health").await.status, 200);
    let basic = base64::engine::general_purpose::STANDARD.encode("elastic:secret");
    store.auth = Some(format!("Basic {basic}"));
    assert_eq!(
        store.get("/_security/_authenticate").await.body["username"],
        "elastic"
    );
    let key = store
        .json("POST", "/_security/api_key", json!({"name": "beats"}))
        .await;
    assert_eq!(key.status, 200, "{}", key.text);
    let restricted = json!({"name": "r", "role_descriptors": {"x": {"cluster": ["monitor"]}}});
    assert_eq!(
        store
            .json("POST", "/_security/api_key", restricted)
            .await
            .status,
        400
    );
    let admin = store
        .auth
        .replace(format!("ApiKey {}", key.body["encoded"].as_str().unwrap()));
    assert_eq!(store.get("/").await.status, 200);
    store.auth = admin;
    let gone = store
        .json(
            "DELETE",
            "/_security/api_key",
            json!({"ids": [key.body["id"]]}),
        )
        .await;
    assert_eq!(
        gone.body["invalidated_api_keys"].as_array().unwrap().len(),
        1
    );
    store.auth = Some(format!("ApiKey {}", key.body["encoded"].as_str().unwrap()));
    assert_eq!(store.get("/").await.status, 401);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_writes_and_deletes_the_oldest_but_not_what_is_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    logs(&store, 20).await;
    store
        .json("POST", "/logs-app-default/_rollover", Value::Null)
        .await;
    logs(&store, 20).await;
    store.stop().await;
    let mut full = config(dir.path());
    full.flood_free_bytes = Some(u64::MAX / 4);
    let mut store = Store::open(full).await;
    store.running.as_ref().unwrap().run_lifecycle().await;
    let refused = store
        .bulk(
            "/logs-app-default/_bulk",
            "{\"create\":{}}\n{\"@timestamp\":1}\n",
        )
        .await;
    assert_eq!(
        refused.body["items"][0]["create"]["status"], 429,
        "{}",
        refused.text
    );
    assert_eq!(
        refused.body["items"][0]["create"]["error"]["type"],
        "cluster_block_exception"
    );
    let streams = store.get("/_data_stream/logs-app-default").await;
    assert_eq!(
        streams.body["data_streams"][0]["indices"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(store.count("logs-app-default").await, 20);
    store.stop().await;
    let mut store = Store::open(config(dir.path())).await;
    store.running.as_ref().unwrap().run_lifecycle().await;
    logs(&store, 1).await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_and_missing_users_are_refused_off_loopback() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = config(dir.path());
    open.listen = "0.0.0.0:0".parse().unwrap();
    let error = start(open).await.err().unwrap().to_string();
    assert!(error.contains("loopback"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    assert!(start(config(dir.path())).await.is_err());
    store.stop().await;
}
