//! What pages ask of a monitoring node's search, over a real storage node: which data streams and fields there are,
//! and searches with everything that the pages need. What is not there is empty and no error.

// A test fails by panicking and tells what it saw.
#![allow(clippy::panic, clippy::print_stderr, clippy::unwrap_used)]

// Receivers, crashes and histories are for `monitor.rs`.
#[allow(dead_code)]
#[path = "monitor/bench.rs"]
mod bench;

use bench::{Bench, PASSWORD, other_storage};
use http::Method;
use serde_json::{Value, json};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Request, Status};
use wharf_proto::coded;
use wharf_proto::monitor::v1;
use wharf_proto::v1::ListOptions;
use wharf_services::monitor::v1::search_client::SearchClient;

const LOGS: &str = "logs-shop-default";
/// 2026-01-10T00:00:00Z.
const BEGIN_MS: u64 = 1_768_003_200_000;
const LINES: u64 = 300;

struct Desk {
    bench: Bench,
    client: SearchClient<tonic::transport::Channel>,
    header: MetadataValue<Ascii>,
}

impl Desk {
    /// A second of log lines each, in a data stream; and an index of a shipper that knows no data streams.
    async fn with_data() -> Self {
        let bench = Bench::start().await;
        let template = json!({
            "index_patterns": ["logs-*-*"], "data_stream": {}, "priority": 200,
            "template": {"mappings": {"properties": {
                "@timestamp": {"type": "date"}, "message": {"type": "text"},
                "host": {"properties": {"name": {"type": "keyword"}}},
                "took": {"type": "long"},
            }}},
        });
        let put = "/_index_template/logs";
        bench.storage(Method::PUT, put, &template.to_string()).await;
        let mut lines = String::new();
        for n in 0..LINES {
            let line = json!({
                "@timestamp": BEGIN_MS + n * 1_000, "took": n, "host": {"name": format!("h{}", n % 3)},
                "message": format!("line {n} says {}", if n % 10 == 0 { "error" } else { "fine" }),
            });
            lines.push_str(&format!("{{\"create\":{{}}}}\n{line}\n"));
        }
        let path = format!("/{LOGS}/_bulk?refresh=true");
        let written = bench.storage(Method::POST, &path, &lines).await;
        assert_eq!(written["errors"], false, "{written}");
        let path = "/legacy-2026.01.10/_doc/1?refresh=true";
        bench
            .storage(Method::PUT, path, "{\"took\": \"long\", \"old\": true}")
            .await;
        let (channel, header) = bench.grpc(PASSWORD);
        Self {
            bench,
            client: SearchClient::new(channel),
            header,
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.header.clone());
        request
    }

    async fn streams(
        &self,
        with_indices: bool,
        options: ListOptions,
    ) -> Result<v1::ListDataStreamsResponse, Status> {
        let message = v1::ListDataStreamsRequest {
            options: Some(options),
            with_indices,
            with_retention: false,
        };
        self.listed(message).await
    }

    async fn listed(
        &self,
        message: v1::ListDataStreamsRequest,
    ) -> Result<v1::ListDataStreamsResponse, Status> {
        let mut client = self.client.clone();
        let answer = client.list_data_streams(self.request(message)).await?;
        Ok(answer.into_inner())
    }

    async fn fields(&self, indices: &[&str], prefix: &str, limit: u32) -> v1::ListFieldsResponse {
        let message = v1::ListFieldsRequest {
            indices: indices.iter().map(|name| (*name).to_owned()).collect(),
            prefix: prefix.to_owned(),
            limit,
        };
        let mut client = self.client.clone();
        let answer = client.list_fields(self.request(message)).await;
        answer.unwrap().into_inner()
    }

    async fn search(&self, indices: &[&str], body: Value) -> Value {
        let message = v1::SearchRequest {
            indices: indices.iter().map(|name| (*name).to_owned()).collect(),
            body_json: body.to_string(),
            timeout_ms: 0,
        };
        let mut client = self.client.clone();
        let answer = client.search(self.request(message)).await;
        let answer = answer.unwrap_or_else(|status| panic!("{body}: {status:?}"));
        serde_json::from_str(&answer.into_inner().response_json).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn data_streams_and_fields_are_listed_with_what_they_hold() {
    let desk = Desk::with_data().await;
    let listed = desk.streams(false, ListOptions::default()).await.unwrap();
    assert_eq!(listed.data_streams.len(), 1, "{listed:?}");
    let logs = &listed.data_streams[0];
    assert_eq!(
        (logs.name.as_str(), logs.documents, logs.indices),
        (LOGS, LINES, 1)
    );
    let newest = logs.last_at.as_ref().map(wharf_proto::times::millis);
    assert_eq!(
        newest,
        Some(BEGIN_MS + (LINES - 1) * 1_000),
        "the newest line"
    );

    let order = |order_by: &str, filter: &str| ListOptions {
        order_by: order_by.to_owned(),
        filter: filter.to_owned(),
        ..ListOptions::default()
    };
    let listed = desk
        .streams(true, order("documents desc", ""))
        .await
        .unwrap();
    let told: Vec<(&str, bool)> = listed
        .data_streams
        .iter()
        .map(|row| (row.name.as_str(), row.is_index))
        .collect();
    assert_eq!(
        told,
        [(LOGS, false), ("legacy-2026.01.10", true)],
        "the platform's hidden indices are left out"
    );
    let one = desk.streams(true, order("", "name~legacy")).await.unwrap();
    assert_eq!(one.info.unwrap().total, 1);
    let wrong = desk.streams(true, order("colour", "")).await.unwrap_err();
    assert_eq!(coded::decode(wrong.details()).unwrap().code, "MON0009");

    let found = desk.fields(&["logs-*", "legacy-*"], "", 0).await;
    let told: Vec<(&str, &str)> = found
        .fields
        .iter()
        .map(|field| (field.name.as_str(), field.r#type.as_str()))
        .collect();
    assert!(told.contains(&("host.name", "keyword")), "{told:?}");
    assert!(told.contains(&("@timestamp", "date")), "{told:?}");
    assert!(told.contains(&("took", "conflict")), "{told:?}");
    assert!(
        !told
            .iter()
            .any(|(name, _)| *name == "host" || name.starts_with('_')),
        "{told:?}"
    );
    assert_eq!(found.total as usize, found.fields.len());
    let message = found
        .fields
        .iter()
        .find(|field| field.name == "message")
        .unwrap();
    assert!(message.searchable && !message.aggregatable, "{message:?}");
    let hosts = desk.fields(&["logs-*"], "host.", 0).await;
    assert_eq!(hosts.fields.len(), 1, "{hosts:?}");
    let few = desk.fields(&["logs-*", "legacy-*"], "", 2).await;
    assert_eq!(
        (few.fields.len(), few.total),
        (2, found.total),
        "the rest is told of"
    );
    let none = desk.fields(&["nothing", "nothing-*"], "", 0).await;
    assert_eq!(
        (none.fields.len(), none.total),
        (0, 0),
        "no such index, no error"
    );
    drop(desk.bench);
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_data_is_kept_is_told_to_those_who_ask() {
    const DAY_MS: u64 = 86_400_000;
    let desk = Desk::with_data().await;
    let ask = |with_retention: bool, order_by: &str, filter: &str| v1::ListDataStreamsRequest {
        options: Some(ListOptions {
            order_by: order_by.to_owned(),
            filter: filter.to_owned(),
            ..ListOptions::default()
        }),
        with_indices: true,
        with_retention,
    };
    let since = |row: &v1::DataStream| row.retention.as_ref().unwrap().since.is_some();
    if other_storage().is_some() {
        let listed = desk.listed(ask(true, "", "")).await.unwrap();
        let rule = |row: &v1::DataStream| row.retention.as_ref().unwrap().rule();
        let rules: Vec<_> = listed.data_streams.iter().map(rule).collect();
        let untold = [v1::RetentionRule::Unspecified; 2];
        assert_eq!(
            rules, untold,
            "OpenSearch is not asked, and nothing is said to be kept for ever"
        );
        assert!(listed.data_streams.iter().all(since), "{listed:?}");
        return;
    }
    let policy = json!({"policy": {"phases": {
        "hot": {"actions": {"rollover": {"max_age": "12h", "max_size": "1gb"}}},
        "delete": {"min_age": "30d", "actions": {"delete": {}}}}}});
    let put = "/_ilm/policy/month";
    desk.bench
        .storage(Method::PUT, put, &policy.to_string())
        .await;
    let named = json!({"index.lifecycle.name": "month"}).to_string();
    let path = "/legacy-2026.01.10/_settings";
    desk.bench.storage(Method::PUT, path, &named).await;
    desk.bench
        .storage(Method::PUT, "/plain/_doc/1?refresh=true", "{}")
        .await;
    let quiet = desk.listed(ask(false, "", "")).await.unwrap();
    assert!(quiet.data_streams.iter().all(|row| row.retention.is_none()));
    let refused = desk.listed(ask(false, "", "rule=none")).await.unwrap_err();
    assert_eq!(coded::decode(refused.details()).unwrap().code, "MON0009");

    let order = "deletes_after_ms desc";
    let listed = desk.listed(ask(true, order, "")).await.unwrap();
    let told: Vec<_> = listed
        .data_streams
        .iter()
        .map(|row| {
            let kept = row.retention.as_ref().unwrap();
            let limits = (kept.rolls_over_after_ms, kept.rolls_over_at_bytes);
            (
                row.name.as_str(),
                kept.rule(),
                kept.deletes_after_ms,
                limits,
            )
        })
        .collect();
    use v1::RetentionRule::{Default, None as Never, Policy};
    assert_eq!(
        told,
        [
            ("plain", Never, None, (None, None)),
            (
                "legacy-2026.01.10",
                Policy,
                Some(30 * DAY_MS),
                (Some(DAY_MS / 2), Some(1 << 30))
            ),
            (
                LOGS,
                Default,
                Some(7 * DAY_MS),
                (Some(DAY_MS), Some(2 << 30))
            ),
        ]
    );
    assert!(listed.data_streams.iter().all(since), "{listed:?}");
    let one = desk
        .listed(ask(true, "", "rule=policy and policy=month"))
        .await;
    assert_eq!(one.unwrap().info.unwrap().total, 1);
    drop(desk.bench);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_may_have_everything_that_the_pages_need() {
    let desk = Desk::with_data().await;
    let body = json!({
        "size": 20, "track_total_hits": true,
        "query": {"bool": {"filter": [
            {"range": {"@timestamp": {"gte": BEGIN_MS, "lt": BEGIN_MS + LINES * 1_000, "format": "epoch_millis"}}},
            {"query_string": {"query": "message:error AND host.name:h*", "analyze_wildcard": true}},
        ]}},
        "sort": [{"@timestamp": "desc"}, {"took": "desc"}],
        "fields": ["host.name", "took"],
        "highlight": {"fields": {"message": {}}},
        "aggs": {
            "over_time": {"date_histogram": {"field": "@timestamp", "fixed_interval": "60s", "min_doc_count": 0},
                "aggs": {"by_host": {"terms": {"field": "host.name", "size": 5}}}},
            "took": {"percentiles": {"field": "took", "percents": [50, 95]}},
            "hosts": {"cardinality": {"field": "host.name"}},
        },
    });
    // A name, a pattern and one that is not there.
    let found = desk
        .search(&[LOGS, "logs-*", "nothing"], body.clone())
        .await;
    assert_eq!(
        found["hits"]["total"],
        json!({"value": 30, "relation": "eq"}),
        "{found}"
    );
    let hits = found["hits"]["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 20);
    assert_eq!(hits[0]["_source"]["took"], 290);
    assert_eq!(hits[0]["fields"]["took"], json!([290]));
    let marked = hits[0]["highlight"]["message"][0]
        .as_str()
        .unwrap_or_default();
    assert!(marked.contains("<em>error</em>"), "{}", hits[0]);
    let buckets = found["aggregations"]["over_time"]["buckets"]
        .as_array()
        .unwrap();
    assert_eq!(buckets.len(), 5, "{found}");
    assert_eq!(buckets[0]["doc_count"], 6);
    assert_eq!(found["aggregations"]["hosts"]["value"], 3);

    let mut next = body;
    next["search_after"] = hits[19]["sort"].clone();
    let rest = desk.search(&[LOGS], next).await;
    let rest = rest["hits"]["hits"].as_array().unwrap();
    assert_eq!(rest.len(), 10, "the second page");
    assert_eq!(rest[0]["_source"]["took"], 90);

    let none = desk
        .search(&["nothing", "nothing-*"], json!({"size": 1}))
        .await;
    assert_eq!(none["hits"]["hits"], json!([]), "{none}");
    drop(desk.bench);
}
