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
    let newest = json!({"size": 0, "aggs": {"newest": {"max": {"field": "@timestamp"}}}});
    let newest = store
        .json("POST", "/logs-app-default/_search", newest)
        .await;
    let stats = store.get("/_data_stream/logs-*/_stats").await;
    assert_eq!(
        stats.body["data_streams"][0]["maximum_timestamp"].as_f64(),
        newest.body["aggregations"]["newest"]["value"].as_f64(),
        "the time of the newest document: {}",
        stats.text
    );
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
    // One malformed search refuses all; one that asks for what there is not here refuses itself.
    let beside = |body: &str| format!("{{\"index\":\"logs-*\"}}\n{search}\n{{}}\n{body}\n");
    let malformed = beside(r#"{"query":{"nonsense":{}}}"#);
    let malformed = store.bulk("/_msearch", &malformed).await;
    assert_eq!(malformed.status, 400, "{}", malformed.text);
    assert!(malformed.text.contains("nonsense"), "{}", malformed.text);
    let lacking = beside(r#"{"highlight":{"type":"fvh","fields":{"*":{}}}}"#);
    let lacking = store.bulk("/_msearch", &lacking).await;
    assert_eq!(lacking.body["responses"][0]["hits"]["total"]["value"], 31);
    assert_eq!(lacking.body["responses"][1]["status"], 400);
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
        400
    );
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rollover_happens_when_a_condition_holds_and_a_policy_moves_a_write_alias() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    logs(&store, 3).await;
    let many = json!({"conditions": {"max_docs": 4, "max_age": "1d"}});
    let kept = store
        .json("POST", "/logs-app-default/_rollover", many)
        .await;
    assert_eq!(kept.body["rolled_over"], false, "{}", kept.text);
    assert_eq!(kept.body["conditions"]["[max_docs: 4]"], false);
    let few = json!({"conditions": {"max_docs": 3}});
    let rolled = store.json("POST", "/logs-app-default/_rollover", few).await;
    assert_eq!(rolled.body["rolled_over"], true, "{}", rolled.text);

    let policy = json!({"policy": {"phases": {"hot": {"actions": {"rollover": {"max_docs": 2}}}}}});
    assert_eq!(
        store.json("PUT", "/_ilm/policy/beat", policy).await.status,
        200
    );
    let made = store
        .json(
            "PUT",
            "/beat-000001",
            json!({
                "aliases": {"beat": {"is_write_index": true}},
                "settings": {"index.lifecycle.name": "beat", "index.lifecycle.rollover_alias": "beat"},
            }),
        )
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
    for n in 0..2 {
        store.json("POST", "/beat/_doc", json!({"n": n})).await;
    }
    store.running.as_ref().unwrap().run_lifecycle().await;
    store.json("POST", "/beat/_doc", json!({"n": 2})).await;
    assert_eq!(store.count("beat-000002").await, 1);
    assert_eq!(store.count("beat").await, 3);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_beat_sends_when_it_connects_is_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    assert_eq!(
        store.get("/_license?human=false").await.body["license"]["type"],
        "basic"
    );
    assert_eq!(store.get("/_ilm/policy/metricbeat").await.status, 404);
    let policy = json!({"policy": {"phases": {"hot": {"actions": {"rollover": {"max_age": "30d", "max_primary_shard_size": "50gb"}}}}}});
    assert_eq!(
        store
            .json("PUT", "/_ilm/policy/metricbeat", policy)
            .await
            .status,
        200
    );
    let properties: Value = (0..3000)
        .map(|n| {
            (
                format!("f{n}"),
                json!({"type": "keyword", "ignore_above": 1024}),
            )
        })
        .collect();
    let template = json!({
        "data_stream": {}, "priority": 150, "index_patterns": ["metricbeat-8.19.21"],
        "template": {
            "mappings": {"_meta": {"beat": "metricbeat"}, "date_detection": false, "properties": properties,
                "dynamic_templates": [{"strings_as_keyword": {"match_mapping_type": "string", "mapping": {"ignore_above": 1024, "type": "keyword"}}}]},
            "settings": {"index": {"refresh_interval": "5s", "mapping": {"total_fields": {"limit": 12500}},
                "query": {"default_field": ["f1", "f2"]}, "max_docvalue_fields_search": 200,
                "lifecycle": {"name": "metricbeat"}, "number_of_shards": 1, "codec": "best_compression"}},
        },
    });
    assert_eq!(
        store
            .send("HEAD", "/_index_template/metricbeat-8.19.21", "", b"")
            .await
            .status,
        404
    );
    let put = store
        .json("PUT", "/_index_template/metricbeat-8.19.21", template)
        .await;
    assert_eq!(put.status, 200, "{}", put.text);
    assert_eq!(
        store.get("/_data_stream/metricbeat-8.19.21").await.status,
        404
    );
    assert_eq!(
        store
            .json("PUT", "/_data_stream/metricbeat-8.19.21", Value::Null)
            .await
            .status,
        200
    );
    let lines = "{\"create\":{\"_index\":\"metricbeat-8.19.21\"}}\n{\"@timestamp\":\"2026-01-10T00:00:00.000Z\",\"f1\":\"x\",\"new\":{\"name\":\"y\"}}\n";
    let path = "/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status";
    let bulk = store.bulk(path, lines).await;
    assert_eq!(
        bulk.text,
        r#"{"errors":false,"items":[{"create":{"status":201}}]}"#
    );
    let found = store.get("/metricbeat-8.19.21/_search?q=x").await;
    assert_eq!(found.body["hits"]["total"]["value"], 1, "{}", found.text);
    assert_eq!(store.get("/_nodes/ingest").await.status, 200);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_stream_tells_what_ends_its_indices() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    logs(&store, 1).await;
    let told = async |path: &str| {
        let answer = store.get(path).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["data_streams"][0].clone()
    };
    let path = "/_data_stream/logs-*/_lifecycle?include_defaults=true";
    assert_eq!(
        told(path).await["lifecycle"],
        json!({
            "enabled": true, "effective_retention": "7d",
            "retention_determined_by": "default_global_retention",
            "rollover": {"max_age": "1d", "max_primary_shard_size": "2gb", "min_docs": 1},
        }),
        "the instance's own rule"
    );
    let stream = told("/_data_stream/logs-*").await;
    assert_eq!(stream.get("ilm_policy"), None, "{stream}");
    let before = stream["lifecycle"].clone();
    assert_eq!(before["effective_retention"], "7d");
    assert_eq!(before.get("rollover"), None, "asked for by a flag");

    // What the policy says counts; a limit of the instance that comes earlier counts, too.
    let policy = json!({"policy": {"phases": {
        "hot": {"actions": {"rollover": {"max_age": "6h", "max_size": "50gb"}}},
        "delete": {"min_age": "30d", "actions": {"delete": {}}}}}});
    store.json("PUT", "/_ilm/policy/month", policy).await;
    let named = json!({"index.lifecycle.name": "month"});
    let set = store
        .json("PUT", "/logs-app-default/_settings", named)
        .await;
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!(
        told(path).await["lifecycle"],
        json!({
            "enabled": true, "data_retention": "30d", "effective_retention": "30d",
            "retention_determined_by": "data_stream_configuration",
            "rollover": {"max_age": "6h", "max_primary_shard_size": "2gb", "min_docs": 1},
        })
    );
    let stream = told("/_data_stream/logs-*").await;
    assert_eq!(stream["ilm_policy"], "month");
    let none = store.get("/_data_stream/none/_lifecycle").await;
    assert_eq!(none.status, 404, "{}", none.text);
    store.stop().await;
}
