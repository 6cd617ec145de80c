//! Crashes, restarts and a full disk.

use serde_json::{Value, json};

use crate::client::{Store, config, logs};

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
