//! Data streams, searches over them, scrolls and points in time.

use serde_json::{Value, json};

use crate::client::{Store, config, logs};

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
