//! Documents by query: copied, written anew, deleted, in more than one batch; odd bodies of all these are told.

use serde_json::{Value, json};

use crate::client::{Store, config};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_query_finds_is_copied_written_anew_and_deleted_in_batches() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    let mut lines = String::new();
    for n in 0..1300 {
        let kind = if n % 2 == 0 { "even" } else { "odd" };
        lines.push_str(&format!(
            "{{\"index\":{{\"_id\":\"{n}\"}}}}\n{{\"n\":{n},\"kind\":\"{kind}\",\"@timestamp\":{}}}\n",
            1_700_000_000_000u64 + n
        ));
    }
    assert_eq!(store.bulk("/from/_bulk", &lines).await.status, 200);

    let copy = json!({"source": {"index": "from", "_source": ["n"]}, "dest": {"index": "into"}});
    let copied = store.json("POST", "/_reindex", copy.clone()).await;
    assert_eq!(copied.body["created"], 1300, "{}", copied.text);
    assert_eq!(copied.body["batches"], 3);
    let one = store.get("/into/_doc/7").await;
    assert_eq!(one.body["_source"], json!({"n": 7}));
    let again = store.json("POST", "/_reindex", copy).await;
    assert_eq!(again.body["updated"], 1300, "{}", again.text);

    // A copy that may only create stops at the first batch with conflicts, or counts them all.
    let create =
        json!({"source": {"index": "from"}, "dest": {"index": "into", "op_type": "create"}});
    let stopped = store.json("POST", "/_reindex", create.clone()).await;
    assert_eq!(stopped.status, 409);
    assert_eq!(stopped.body["batches"], 1, "{}", stopped.text);
    assert_eq!(stopped.body["failures"][0]["status"], 409);
    let mut proceed = create;
    proceed["conflicts"] = json!("proceed");
    let counted = store.json("POST", "/_reindex", proceed).await;
    assert_eq!(counted.body["version_conflicts"], 1300, "{}", counted.text);
    assert_eq!(counted.status, 200);

    // Into a data stream, whose documents are created.
    let stream = json!({"source": {"index": "from"}, "dest": {"index": "logs-copied-default", "op_type": "create"}});
    let streamed = store.json("POST", "/_reindex", stream).await;
    assert_eq!(streamed.body["created"], 1300, "{}", streamed.text);
    assert_eq!(store.count("logs-copied-default").await, 1300);

    let odd = json!({"query": {"term": {"kind.keyword": "odd"}}});
    let updated = store
        .json("POST", "/from/_update_by_query", odd.clone())
        .await;
    assert_eq!(updated.body["updated"], 650, "{}", updated.text);
    assert_eq!(store.get("/from/_doc/1").await.body["_version"], 2);
    assert_eq!(store.get("/from/_doc/2").await.body["_version"], 1);
    let deleted = store
        .json("POST", "/from/_delete_by_query?max_docs=600", odd)
        .await;
    assert_eq!(deleted.body["deleted"], 600, "{}", deleted.text);
    assert_eq!(store.count("from").await, 700);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_bodies_are_told_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    let lines = "{\"index\":{\"_id\":\"1\"}}\n{\"n\":1}\n";
    assert_eq!(store.bulk("/n/_bulk", lines).await.status, 200);
    let deep = (0..200).fold(
        json!({"match_all": {}}),
        |inner, _| json!({"bool": {"must": [inner]}}),
    );
    let odd = [
        json!(1),
        json!("x"),
        json!([{}]),
        json!({"query": 1}),
        json!({"query": []}),
        json!({"query": deep}),
        json!({"query": {"match_all": {}}, "script": {"source": "ctx.op = 'delete'"}}),
        json!({"query": {"match_all": {}}, "max_docs": "many"}),
        json!({"query": {"match_all": {}}, "conflicts": 1}),
        json!({"source": 1, "dest": 2}),
        json!({"source": {"index": "n", "remote": {"host": "http://x"}}, "dest": {"index": "m"}}),
        json!({"source": {"index": "n"}, "dest": {"index": "UPPER", "pipeline": "p"}}),
        json!({"pit_id": 1}),
        json!({"pit_id": vec!["x"; 2000]}),
        json!({"scroll_id": {"a": 1}, "scroll": 5}),
        json!({"docs": [{"_id": {}}]}),
        json!({"ids": [[1]]}),
    ];
    for (method, path) in [
        ("POST", "/n/_delete_by_query"),
        ("POST", "/n/_update_by_query"),
        ("POST", "/_reindex"),
        ("POST", "/_search/scroll"),
        ("DELETE", "/_search/point_in_time"),
        ("POST", "/_mget"),
    ] {
        for body in &odd {
            let answer = store.json(method, path, body.clone()).await;
            assert!(
                (400..500).contains(&answer.status),
                "{method} {path} {body}: {} {}",
                answer.status,
                answer.text
            );
            assert!(
                answer.body["error"]["reason"] != Value::Null,
                "{}",
                answer.text
            );
        }
    }
    assert_eq!(store.get("/n/_doc/1").await.body["_version"], 1);
    assert_eq!(store.get("/_wharf/health").await.status, 200);
    store.stop().await;
}
