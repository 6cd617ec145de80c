//! Single documents and who the server says it is.

use serde_json::{Value, json};

use crate::client::{Store, config};

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
    assert_eq!(store.get("/_transform").await.status, 501);
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
