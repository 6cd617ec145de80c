//! Aliases: searches through their filters, their write index, and what of them is refused.

use serde_json::{Value, json};

use crate::client::{Store, config};

/// Six documents in `a-1`, four in `a-2`; `odd` and `big` show parts of them.
async fn filled(store: &Store) {
    let mappings =
        json!({"mappings": {"properties": {"n": {"type": "long"}, "k": {"type": "keyword"}}}});
    for (index, range) in [("a-1", 0..6), ("a-2", 6..10)] {
        let made = store
            .json("PUT", &format!("/{index}"), mappings.clone())
            .await;
        assert_eq!(made.status, 200, "{}", made.text);
        let lines: String = range
            .map(|n| {
                let kind = if n % 2 == 1 { "odd" } else { "even" };
                format!("{{\"index\":{{\"_id\":\"{n}\"}}}}\n{{\"n\":{n},\"k\":\"{kind}\"}}\n")
            })
            .collect();
        let written = store.bulk(&format!("/{index}/_bulk"), &lines).await;
        assert_eq!(written.body["errors"], false, "{}", written.text);
    }
    let actions = json!({"actions": [
        {"add": {"index": "a-*", "alias": "odd", "filter": {"term": {"k": "odd"}}}},
        {"add": {"index": "a-1", "alias": "big", "filter": {"range": {"n": {"gte": 4}}}}},
        {"add": {"index": "a-1", "alias": "all"}},
    ]});
    let changed = store.json("POST", "/_aliases", actions).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
}

async fn all_agree(store: &Store) {
    for (expression, count) in [
        ("odd", 5),
        ("big", 2),
        // Any filter is enough, and a name without one shows everything behind it.
        ("odd,big", 6),
        ("big,all", 6),
        ("odd,all", 8),
        ("a-2,odd", 7),
        ("o*,b*", 6),
        ("*", 10),
    ] {
        assert_eq!(store.count(expression).await, count, "{expression}");
    }
    let search = json!({
        "query": {"range": {"n": {"lt": 8}}}, "sort": [{"n": "asc"}],
        "aggs": {"kinds": {"terms": {"field": "k"}}, "every": {"global": {}, "aggs": {"most": {"max": {"field": "n"}}}}},
    });
    let found = store.json("POST", "/odd/_search", search.clone()).await;
    assert_eq!(found.status, 200, "{}", found.text);
    let hits = found.body["hits"]["hits"].as_array().unwrap();
    let numbers: Vec<&Value> = hits.iter().map(|hit| &hit["_source"]["n"]).collect();
    assert_eq!(json!(numbers), json!([1, 3, 5, 7]));
    let aggs = &found.body["aggregations"];
    assert_eq!(
        aggs["kinds"]["buckets"],
        json!([{"key": "odd", "doc_count": 4}])
    );
    assert_eq!(
        aggs["every"],
        json!({"doc_count": 5, "most": {"value": 9.0}})
    );
    let lines = format!("{{\"index\":\"odd\"}}\n{search}\n");
    let many = store.bulk("/_msearch", &lines).await;
    assert_eq!(many.body["responses"][0]["hits"]["total"]["value"], 4);
    let table = store.get("/_cat/count/odd?format=json").await;
    assert_eq!(table.body[0]["count"], "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_through_an_alias_see_what_its_filter_lets_through() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    filled(&store).await;
    all_agree(&store).await;
    for call in ["/a-*/_flush", "/a-*/_forcemerge"] {
        assert_eq!(store.json("POST", call, Value::Null).await.status, 200);
        all_agree(&store).await;
    }
    store.stop().await;
    let mut store = Store::open(config(dir.path())).await;
    all_agree(&store).await;
    let shown = store.get("/_alias/big").await;
    assert_eq!(
        shown.body,
        json!({"a-1": {"aliases": {"big": {"filter": {"range": {"n": {"gte": 4}}}}}}})
    );
    let table = store.get("/_cat/aliases/big?format=json").await;
    assert_eq!(table.body[0]["filter"], "*");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_deletions_go_through_the_filter_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    filled(&store).await;
    let page = json!({"size": 2, "sort": [{"n": "asc"}]});
    let mut answer = store
        .json("POST", "/odd/_search?scroll=1m", page.clone())
        .await;
    let mut seen = Vec::new();
    loop {
        let hits = answer.body["hits"]["hits"].as_array().unwrap().clone();
        if hits.is_empty() {
            break;
        }
        seen.extend(hits.iter().map(|hit| hit["_source"]["n"].clone()));
        let next = json!({"scroll": "1m", "scroll_id": answer.body["_scroll_id"]});
        answer = store.json("POST", "/_search/scroll", next).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    assert_eq!(json!(seen), json!([1, 3, 5, 7, 9]));
    let pit = store
        .json("POST", "/big/_pit?keep_alive=1m", Value::Null)
        .await;
    let body = json!({"size": 0, "pit": {"id": pit.body["id"]}});
    let found = store.json("POST", "/_search", body).await;
    assert_eq!(found.body["hits"]["total"]["value"], 2, "{}", found.text);
    let every = json!({"query": {"match_all": {}}});
    let gone = store.json("POST", "/odd/_delete_by_query", every).await;
    assert_eq!(gone.body["deleted"], 5, "{}", gone.text);
    assert_eq!((store.count("a-*").await, store.count("odd").await), (5, 0));
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_gives_an_alias_its_filter() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    let aliases = json!({"t": {"filter": {"term": {"k": "x"}}}});
    let template = json!({"index_patterns": ["t-*"], "template": {"aliases": aliases}});
    assert_eq!(
        store
            .json("PUT", "/_index_template/t", template)
            .await
            .status,
        200
    );
    let lines = "{\"index\":{}}\n{\"k\":\"x\"}\n{\"index\":{}}\n{\"k\":\"y\"}\n";
    assert_eq!(store.bulk("/t-1/_bulk", lines).await.body["errors"], false);
    assert_eq!((store.count("t-1").await, store.count("t").await), (2, 1));
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_are_refused_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    filled(&store).await;
    let before = store.get("/_alias").await.body;
    let add = |body: Value| json!({"actions": [{"remove": {"index": "a-1", "alias": "all"}}, {"add": body}]});
    for (body, status, kind) in [
        (json!({}), 400, "illegal_argument_exception"),
        (json!([]), 400, "x_content_parse_exception"),
        (json!({"nope": []}), 400, "x_content_parse_exception"),
        (
            json!({"actions": [{"nope": {}}]}),
            400,
            "x_content_parse_exception",
        ),
        (
            add(json!({"index": "a-1"})),
            400,
            "x_content_parse_exception",
        ),
        (
            add(json!({"index": "a-1", "alias": "x", "nope": 1})),
            400,
            "x_content_parse_exception",
        ),
        (
            add(json!({"index": "none", "alias": "x"})),
            404,
            "index_not_found_exception",
        ),
        (
            add(json!({"index": "a-1", "alias": "x", "filter": {"nope": {}}})),
            400,
            "illegal_argument_exception",
        ),
        (
            add(json!({"index": "a-1", "alias": "x", "routing": "1"})),
            400,
            "illegal_argument_exception",
        ),
        (
            add(json!({"index": "a-*", "alias": "x", "is_write_index": true})),
            500,
            "illegal_state_exception",
        ),
    ] {
        let refused = store.json("POST", "/_aliases", body.clone()).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.text);
        assert_eq!(
            refused.body["error"]["root_cause"][0]["type"], kind,
            "{body}"
        );
        assert_eq!(store.get("/_alias").await.body, before, "after {body}");
    }
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_to_the_write_index() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    filled(&store).await;
    let doc = json!({"n": 11, "k": "odd"});
    let nowhere = store.json("POST", "/odd/_doc", doc.clone()).await;
    assert_eq!(nowhere.body["error"]["type"], "illegal_argument_exception");
    let body = json!({"is_write_index": true, "filter": {"term": {"k": "odd"}}});
    assert_eq!(store.json("PUT", "/a-2/_alias/odd", body).await.status, 200);
    let written = store.json("POST", "/odd/_doc", doc).await;
    assert_eq!(written.body["_index"], "a-2", "{}", written.text);
    assert_eq!(store.count("odd").await, 6);
    store.stop().await;
}
