//! What Grafana, Kibana-like tools, the Python client and Beats call apart from searches and writes.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::client::{Store, config};

#[tokio::test(flavor = "multi_thread")]
async fn what_clients_ask_at_connecting_is_answered_with_basic_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users.json");
    std::fs::write(
        &users,
        r#"{"users":[{"username":"elastic","password":"secret"},{"username":"other","password":"word"}]}"#,
    )
    .unwrap();
    let mut config = config(&dir.path().join("data"));
    config.users_file = Some(users);
    let mut store = Store::open(config).await;
    let basic = |pair: &str| {
        let pair = base64::engine::general_purpose::STANDARD.encode(pair);
        Some(format!("Basic {pair}"))
    };
    for (pair, status) in [
        ("elastic:secret", 200),
        ("other:word", 200),
        ("other:secret", 401),
        ("nobody:secret", 401),
        ("elastic:", 401),
    ] {
        store.auth = basic(pair);
        let who = store.get("/_security/_authenticate").await;
        assert_eq!(who.status, status, "{pair}: {}", who.text);
        if status == 200 {
            let user = pair.split(':').next().unwrap();
            assert_eq!(who.body["username"], user);
            assert_eq!(who.body["enabled"], true);
            assert_eq!(who.body["authentication_type"], "realm");
        }
    }
    store.auth = None;
    assert_eq!(store.get("/_security/_authenticate").await.status, 401);

    store.auth = basic("elastic:secret");
    let policy = json!({"policy": {"phases": {"hot": {"actions": {"rollover": {"max_size": "50gb", "max_age": "30d"}}}}}});
    let put = store.json("PUT", "/_ilm/policy/metricbeat", policy).await;
    assert_eq!(put.status, 200, "{}", put.text);
    let template = json!({"index_patterns": ["metricbeat-8*"], "priority": 150, "data_stream": {}, "template": {"settings": {"index": {
        "refresh_interval": "5s", "mapping": {"total_fields": {"limit": 12500}}, "query": {"default_field": ["message"]},
        "max_docvalue_fields_search": 200, "lifecycle": {"name": "metricbeat"}, "number_of_shards": 1, "codec": "best_compression"}}}});
    let put = store
        .json("PUT", "/_index_template/metricbeat-8", template)
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    for (method, path, status) in [
        ("HEAD", "/", 200),
        ("GET", "/_license?human=false", 200),
        ("GET", "/_xpack", 200),
        ("GET", "/_ilm/policy/metricbeat", 200),
        ("GET", "/_ilm/policy/none", 404),
        ("GET", "/_ilm/status", 200),
        ("HEAD", "/_index_template/metricbeat-8", 200),
        ("GET", "/_data_stream/metricbeat-8", 404),
        ("PUT", "/_data_stream/metricbeat-8", 200),
        ("GET", "/_data_stream/metricbeat-8", 200),
        ("GET", "/_data_stream/metricbeat-8/_stats", 200),
        ("GET", "/metricbeat-8/_ilm/explain", 200),
        ("GET", "/_alias/none", 404),
        ("GET", "/_resolve/index/metric*", 200),
        ("GET", "/_cluster/health?wait_for_status=yellow", 200),
        (
            "GET",
            "/_cluster/settings?include_defaults=true&flat_settings=true",
            200,
        ),
        (
            "GET",
            "/_cluster/state/version,master_node,nodes,routing_table",
            200,
        ),
        ("GET", "/_cluster/stats", 200),
        ("GET", "/_cluster/pending_tasks", 200),
        ("GET", "/_nodes/_all/http", 200),
        ("GET", "/_nodes/_local/nodes", 200),
        ("GET", "/_nodes/_local/stats/jvm,indices,fs,os,process", 200),
        ("GET", "/_nodes/stats?level=node", 200),
        (
            "GET",
            "/_stats/docs,indexing,merge,search,segments,store",
            200,
        ),
        ("GET", "/_field_caps?fields=*", 200),
        ("GET", "/_tasks", 200),
        ("GET", "/_security/user/_has_privileges", 400),
        ("GET", "/_ingest/pipeline/none", 404),
    ] {
        let answer = store.json(method, path, Value::Null).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        assert!(
            answer.head.contains("x-elastic-product: elasticsearch"),
            "{path}"
        );
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_cluster_are_checked_shown_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    let path = "/_cluster/settings";
    let body = json!({"persistent": {"action.auto_create_index": false}});
    assert_eq!(store.json("PUT", path, body).await.status, 200);
    for wrong in [
        json!({"persistent": {"action.auto_create_index": "maybe"}}),
        json!({"persistent": {"search": {"max_buckets": "many"}}}),
        json!({"persistent": {"nope": 1}}),
        json!({"nope": {}}),
        json!({}),
    ] {
        let refused = store.json("PUT", path, wrong.clone()).await;
        assert_eq!(refused.status, 400, "{wrong}: {}", refused.text);
    }
    store.stop().await;
    let mut store = Store::open(config(dir.path())).await;
    assert_eq!(
        store.get(path).await.body["persistent"],
        json!({"action": {"auto_create_index": "false"}})
    );
    let refused = store.json("POST", "/new/_doc", json!({"a": 1})).await;
    assert_eq!(refused.status, 404, "{}", refused.text);
    store.stop().await;
}
