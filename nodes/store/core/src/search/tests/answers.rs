//! Answers computed by hand.

use serde_json::{Value, json};

use super::{Index, ids_of};
use crate::search::{RenderOptions, SearchRequest, UrlParams, search};

fn mapping() -> Value {
    json!({"properties": {
        "@timestamp": {"type": "date"},
        "host": {"type": "keyword"},
        "tags": {"type": "keyword"},
        "message": {"type": "text"},
        "cpu": {"type": "double"},
        "bytes": {"type": "long"},
        "ok": {"type": "boolean"},
        "ip": {"type": "ip"},
        "labels": {"type": "flattened"}
    }})
}

/// Seven documents, one of them deleted.
fn index(per_segment: usize) -> Index {
    let docs = [
        json!({"@timestamp": "2024-01-01T00:00:10Z", "host": "a", "tags": ["x", "y"], "cpu": 0.5,
            "bytes": 10, "ok": true, "ip": "10.0.0.1", "message": "The quick brown fox",
            "labels": {"app": "web"}}),
        json!({"@timestamp": "2024-01-01T00:00:50Z", "host": "b", "tags": "y", "cpu": 1.5,
            "bytes": 20, "ok": false, "ip": "10.0.1.1", "message": "quick red fox jumps"}),
        json!({"@timestamp": "2024-01-01T00:01:10Z", "host": "a", "cpu": 2.5, "bytes": 30,
            "ok": true, "message": "GET /index.html error=500"}),
        json!({"@timestamp": "2024-01-01T00:03:00Z", "host": "c", "tags": [], "cpu": -1.0,
            "bytes": 40, "message": "brown the quick"}),
        json!({"deleted": 1, "host": "a", "bytes": 1000, "message": "quick deleted"}),
        json!({"@timestamp": "2024-01-02T12:00:00Z", "host": "a", "tags": ["x"], "bytes": [1, 2, 2],
            "ip": "::1"}),
        json!({"@timestamp": "2024-02-01T00:00:00Z", "message": "nothing here"}),
    ];
    Index::new("logs", &mapping(), &docs, per_segment)
}

fn found(query: Value) -> Vec<String> {
    let body = json!({"query": query, "sort": ["_doc"]});
    let one = index(100).ids(body.clone());
    assert_eq!(
        index(2).ids(body),
        one,
        "the answer depends on the segments"
    );
    one
}

#[test]
fn term_level_queries_compare_typed_values() {
    assert_eq!(found(json!({"term": {"host": "a"}})), ["0", "2", "5"]);
    assert_eq!(
        found(json!({"term": {"host": {"value": "A", "case_insensitive": true}}})),
        ["0", "2", "5"]
    );
    assert_eq!(
        found(json!({"terms": {"bytes": [10, "40", 2]}})),
        ["0", "3", "5"]
    );
    assert_eq!(
        found(json!({"term": {"bytes": 10.5}})),
        Vec::<String>::new()
    );
    assert_eq!(found(json!({"term": {"ok": "false"}})), ["1"]);
    assert_eq!(found(json!({"term": {"ip": "10.0.0.0/24"}})), ["0"]);
    assert_eq!(found(json!({"term": {"ip": "0:0::1"}})), ["5"]);
    assert_eq!(found(json!({"term": {"labels.app": "web"}})), ["0"]);
    assert_eq!(found(json!({"exists": {"field": "tags"}})), ["0", "1", "5"]);
    assert_eq!(
        found(json!({"exists": {"field": "message"}})),
        ["0", "1", "2", "3", "6"]
    );
    assert_eq!(
        found(json!({"exists": {"field": "nothing"}})),
        Vec::<String>::new()
    );
    assert_eq!(found(json!({"ids": {"values": ["4", "1", "77"]}})), ["1"]);
    assert_eq!(found(json!({"prefix": {"host": "b"}})), ["1"]);
    assert_eq!(
        found(json!({"wildcard": {"message": "QUI*"}})),
        ["0", "1", "3"]
    );
    assert_eq!(found(json!({"regexp": {"host": "[bc]"}})), ["1", "3"]);
    assert_eq!(
        found(json!({"fuzzy": {"message": "quik"}})),
        ["0", "1", "3"]
    );
    assert_eq!(found(json!({"term": {"_index": "logs"}})).len(), 6);
}

#[test]
fn ranges_take_dates_numbers_terms_and_addresses() {
    assert_eq!(
        found(json!({"range": {"bytes": {"gt": 10, "lte": 30}}})),
        ["1", "2"]
    );
    assert_eq!(
        found(json!({"range": {"bytes": {"gte": 9.5, "lt": 20.5}}})),
        ["0", "1"]
    );
    assert_eq!(found(json!({"range": {"cpu": {"lt": 0.5}}})), ["3"]);
    assert_eq!(
        found(json!({"range": {"@timestamp": {"gte": "2024-01-01||/M", "lt": "2024-01-02"}}})),
        ["0", "1", "2", "3"]
    );
    assert_eq!(
        found(
            json!({"range": {"@timestamp": {"lte": "2024-01-01||/d", "gt": "2024-01-01T00:00:50Z"}}})
        ),
        ["2", "3"]
    );
    assert_eq!(
        found(
            json!({"range": {"@timestamp": {"gte": 1_704_067_250_000_i64, "format": "epoch_millis"}}})
        ),
        ["1", "2", "3", "5", "6"]
    );
    assert_eq!(
        found(json!({"range": {"@timestamp": {"gt": "now-1d"}}})),
        Vec::<String>::new()
    );
    assert_eq!(found(json!({"range": {"host": {"gte": "b"}}})), ["1", "3"]);
    assert_eq!(
        found(json!({"range": {"ip": {"gte": "10.0.0.1", "lt": "10.0.1.1"}}})),
        ["0"]
    );
}

#[test]
fn bool_counts_optional_clauses() {
    let should = json!([{"term": {"host": "a"}}, {"term": {"tags": "y"}}, {"term": {"ok": true}}]);
    assert_eq!(
        found(json!({"bool": {"should": should}})),
        ["0", "1", "2", "5"]
    );
    assert_eq!(
        found(json!({"bool": {"should": should, "minimum_should_match": 2}})),
        ["0", "2"]
    );
    assert_eq!(
        found(json!({"bool": {"should": should, "minimum_should_match": "100%"}})),
        ["0"]
    );
    assert_eq!(
        found(json!({"bool": {"filter": {"term": {"host": "c"}}, "should": should}})),
        ["3"]
    );
    assert_eq!(
        found(json!({"bool": {"must_not": [{"exists": {"field": "cpu"}}]}})),
        ["5", "6"]
    );
    assert_eq!(found(json!({"bool": {}})).len(), 6);
}

#[test]
fn words_and_phrases_are_found_in_text() {
    assert_eq!(
        found(json!({"match": {"message": "QUICK jumps"}})),
        ["0", "1", "3"]
    );
    assert_eq!(
        found(json!({"match": {"message": {"query": "quick brown", "operator": "and"}}})),
        ["0", "3"]
    );
    assert_eq!(
        found(json!({"match_phrase": {"message": "quick brown"}})),
        ["0"]
    );
    assert_eq!(
        found(json!({"match_phrase": {"message": {"query": "quick fox", "slop": 1}}})),
        ["0", "1"]
    );
    assert_eq!(
        found(json!({"match_phrase_prefix": {"message": "quick bro"}})),
        ["0"]
    );
    assert_eq!(found(json!({"match": {"message": "index.html"}})), ["2"]);
    assert_eq!(
        found(json!({"multi_match": {"query": "fox", "fields": ["message", "host"]}})),
        ["0", "1"]
    );
    assert_eq!(found(json!({"match": {"bytes": "20"}})), ["1"]);
}

#[test]
fn query_strings_follow_lucene() {
    let q = |text: &str| found(json!({"query_string": {"query": text}}));
    assert_eq!(q("host:a AND tags:x"), ["0", "5"]);
    assert_eq!(q("quick -red"), ["0", "3"]);
    assert_eq!(q("host:(b OR c)"), ["1", "3"]);
    assert_eq!(q("\"quick brown\""), ["0"]);
    assert_eq!(q("bytes:[20 TO 30]"), ["1", "2"]);
    assert_eq!(q("bytes:{20 TO *]"), ["2", "3"]);
    assert_eq!(q("bytes:>=30 AND NOT host:c"), ["2"]);
    assert_eq!(q("_exists_:ip"), ["0", "1", "5"]);
    assert_eq!(q("tags:*"), ["0", "1", "5"]);
    assert_eq!(q("*").len(), 6);
    assert_eq!(q("*:*").len(), 6);
    assert_eq!(q("qui?k"), ["0", "1", "3"]);
    assert_eq!(q("message:/fo./"), ["0", "1"]);
    assert_eq!(q("NOT host:a"), ["1", "3", "6"]);
    assert_eq!(
        q("@timestamp:[2024-01-01 TO 2024-01-01]"),
        ["0", "1", "2", "3"]
    );
    assert!(
        index(10)
            .try_search(&json!({"query": {"query_string": {"query": "host:(a"}}}))
            .is_err()
    );
    let simple =
        |text: &str| found(json!({"simple_query_string": {"query": text, "fields": ["message"]}}));
    assert_eq!(simple("quick + brown"), ["0", "3"]);
    assert_eq!(simple("\"red fox\" | nothing"), ["1", "6"]);
    assert_eq!(simple("quick +-brown"), ["1"]);
}

#[test]
fn relevance_orders_by_rarity_length_and_count() {
    let index = index(3);
    let answer = index.search(json!({"query": {"match": {"message": "brown jumps"}}}));
    assert_eq!(ids_of(&answer), ["1", "3", "0"]);
    let scores: Vec<f64> = answer["hits"]["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| h["_score"].as_f64().unwrap())
        .collect();
    assert!(scores[0] > scores[1] && scores[1] > scores[2]);
    assert_eq!(answer["hits"]["max_score"].as_f64().unwrap(), scores[0]);
    let filtered = index.search(json!({"query": {"bool": {"filter": {"term": {"host": "a"}}}}}));
    assert_eq!(filtered["hits"]["max_score"], 0.0);
    let constant = index.search(
        json!({"query": {"constant_score": {"filter": {"term": {"host": "a"}}, "boost": 3}}}),
    );
    assert_eq!(constant["hits"]["max_score"], 3.0);
}

#[test]
fn hits_are_sorted_paged_and_filtered() {
    let index = index(2);
    assert_eq!(
        index.ids(json!({"sort": [{"bytes": "desc"}]})),
        ["3", "2", "1", "0", "5", "6"]
    );
    assert_eq!(index.ids(json!({"sort": [{"bytes": {"order": "asc", "missing": "_first"}}], "size": 3, "from": 1})), ["5", "0", "1"]);
    assert_eq!(
        index.ids(json!({"sort": [{"host": "asc"}, {"@timestamp": "desc"}]})),
        ["5", "2", "0", "1", "3", "6"]
    );
    let first = index.search(json!({"size": 2, "sort": [{"@timestamp": "desc"}]}));
    assert_eq!(
        first["hits"]["hits"][1]["sort"],
        json!([1_704_196_800_000_i64])
    );
    assert_eq!(first["hits"]["hits"][1]["_score"], Value::Null);
    let after = first["hits"]["hits"][1]["sort"].clone();
    assert_eq!(
        index.ids(json!({"size": 2, "sort": [{"@timestamp": "desc"}], "search_after": after})),
        ["3", "2"]
    );
    let hit = index.search(json!({"query": {"ids": {"values": ["0"]}}, "_source": ["host", "labels.*"],
        "docvalue_fields": ["tags", {"field": "@timestamp", "format": "epoch_millis"}], "fields": ["bytes"]}));
    let hit = &hit["hits"]["hits"][0];
    assert_eq!(
        hit["_source"],
        json!({"host": "a", "labels": {"app": "web"}})
    );
    assert_eq!(
        hit["fields"],
        json!({"tags": ["x", "y"], "@timestamp": ["1704067210000"], "bytes": [10]})
    );
    let counted = index.search(json!({"size": 0, "track_total_hits": 3}));
    assert_eq!(
        counted["hits"]["total"],
        json!({"value": 3, "relation": "gte"})
    );
    assert!(
        index
            .try_search(&json!({"sort": ["message"]}))
            .unwrap_err()
            .reason()
            .contains("Text fields")
    );
    assert!(
        index
            .try_search(&json!({"sort": ["nope"]}))
            .unwrap_err()
            .reason()
            .contains("No mapping found for [nope]")
    );
}

#[test]
fn terms_count_documents_and_order_as_asked() {
    let index = index(2);
    assert_eq!(
        index.agg(json!({"terms": {"field": "host", "size": 2}})),
        json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 1, "buckets": [
            {"key": "a", "doc_count": 3}, {"key": "b", "doc_count": 1}]})
    );
    let by_sum = index.agg(json!({"terms": {"field": "host", "order": {"s": "asc"}}, "aggs": {"s": {"sum": {"field": "bytes"}}}}));
    let keys: Vec<&str> = by_sum["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["b", "c", "a"]);
    assert_eq!(by_sum["buckets"][2]["s"], json!({"value": 45.0}));
    assert_eq!(
        index.agg(json!({"terms": {"field": "bytes", "order": {"_key": "asc"}, "size": 3}}))["buckets"],
        json!([{"key": 1, "doc_count": 1}, {"key": 2, "doc_count": 1}, {"key": 10, "doc_count": 1}])
    );
    assert_eq!(
        index.agg(json!({"terms": {"field": "ok"}}))["buckets"],
        json!([{"key": 1, "key_as_string": "true", "doc_count": 2}, {"key": 0, "key_as_string": "false", "doc_count": 1}])
    );
    assert_eq!(
        index.agg(json!({"terms": {"field": "tags", "missing": "none", "exclude": "y"}}))["buckets"],
        json!([{"key": "none", "doc_count": 3}, {"key": "x", "doc_count": 2}])
    );
    assert_eq!(
        index.agg(json!({"terms": {"field": "nope"}})),
        json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": []})
    );
    assert!(
        index
            .try_search(&json!({"aggs": {"a": {"terms": {"field": "message"}}}}))
            .is_err()
    );
}

#[test]
fn date_histograms_fill_gaps_and_follow_zones() {
    let index = index(3);
    let range = json!({"range": {"@timestamp": {"lt": "2024-01-02"}}});
    let answer = index.search(json!({"size": 0, "query": range, "aggs": {"a": {
        "date_histogram": {"field": "@timestamp", "fixed_interval": "1m"},
        "aggs": {"m": {"max": {"field": "cpu"}}, "d": {"derivative": {"buckets_path": "m"}}}}}}));
    assert_eq!(
        answer["aggregations"]["a"]["buckets"],
        json!([
            {"key_as_string": "2024-01-01T00:00:00.000Z", "key": 1_704_067_200_000_i64, "doc_count": 2, "m": {"value": 1.5}},
            {"key_as_string": "2024-01-01T00:01:00.000Z", "key": 1_704_067_260_000_i64, "doc_count": 1, "m": {"value": 2.5}, "d": {"value": 1.0}},
            {"key_as_string": "2024-01-01T00:02:00.000Z", "key": 1_704_067_320_000_i64, "doc_count": 0, "m": {"value": null}, "d": {"value": null}},
            {"key_as_string": "2024-01-01T00:03:00.000Z", "key": 1_704_067_380_000_i64, "doc_count": 1, "m": {"value": -1.0}, "d": {"value": null}}
        ])
    );
    assert_eq!(
        index.agg(json!({"date_histogram": {"field": "@timestamp", "calendar_interval": "month", "format": "yyyy-MM", "keyed": true}}))["buckets"],
        json!({"2024-01": {"key_as_string": "2024-01", "key": 1_704_067_200_000_i64, "doc_count": 5},
               "2024-02": {"key_as_string": "2024-02", "key": 1_706_745_600_000_i64, "doc_count": 1}})
    );
    let days = index.agg(
        json!({"date_histogram": {"field": "@timestamp", "calendar_interval": "1d",
        "time_zone": "America/New_York", "min_doc_count": 1, "format": "yyyy-MM-dd"}}),
    );
    let days: Vec<(&str, u64)> = days["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| {
            (
                b["key_as_string"].as_str().unwrap(),
                b["doc_count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        days,
        [("2023-12-31", 4), ("2024-01-02", 1), ("2024-01-31", 1)]
    );
    let bounds = index.search(json!({"size": 0, "query": {"match_none": {}}, "aggs": {"a": {"date_histogram": {
        "field": "@timestamp", "fixed_interval": "1h", "extended_bounds": {"min": 0, "max": 7_200_000}, "format": "epoch_millis"}}}}));
    assert_eq!(
        bounds["aggregations"]["a"]["buckets"],
        json!([{"key_as_string": "0", "key": 0, "doc_count": 0},
            {"key_as_string": "3600000", "key": 3_600_000, "doc_count": 0},
            {"key_as_string": "7200000", "key": 7_200_000, "doc_count": 0}])
    );
    let huge =
        json!({"aggs": {"a": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1s"}}}});
    assert_eq!(
        index.try_search(&huge).unwrap_err().kind(),
        "too_many_buckets_exception"
    );
}

#[test]
fn histograms_ranges_and_filters_make_their_buckets() {
    let index = index(2);
    assert_eq!(
        index.agg(json!({"histogram": {"field": "cpu", "interval": 1}}))["buckets"],
        json!([{"key": -1.0, "doc_count": 1}, {"key": 0.0, "doc_count": 1}, {"key": 1.0, "doc_count": 1}, {"key": 2.0, "doc_count": 1}])
    );
    assert_eq!(
        index.agg(json!({"range": {"field": "bytes", "ranges": [{"from": 20}, {"to": 20}, {"key": "mid", "from": 10, "to": 31}]}}))["buckets"],
        json!([{"key": "*-20.0", "to": 20.0, "doc_count": 2}, {"key": "mid", "from": 10.0, "to": 31.0, "doc_count": 3}, {"key": "20.0-*", "from": 20.0, "doc_count": 3}])
    );
    assert_eq!(
        index.agg(json!({"date_range": {"field": "@timestamp", "format": "yyyy-MM-dd", "ranges": [{"to": "2024-01-02"}]}}))["buckets"],
        json!([{"key": "*-2024-01-02", "to": 1_704_153_600_000.0, "to_as_string": "2024-01-02", "doc_count": 4}])
    );
    assert_eq!(
        index.agg(json!({"filters": {"other_bucket_key": "rest", "filters": {"a": {"term": {"host": "a"}}, "q": {"match": {"message": "quick"}}}}}))["buckets"],
        json!({"a": {"doc_count": 3}, "q": {"doc_count": 3}, "rest": {"doc_count": 1}})
    );
    assert_eq!(
        index.agg(json!({"missing": {"field": "tags"}})),
        json!({"doc_count": 3})
    );
    let global = index.search(json!({"size": 0, "query": {"match_none": {}}, "aggs": {
        "g": {"global": {}, "aggs": {"n": {"value_count": {"field": "bytes"}}}}, "f": {"filter": {"term": {"host": "a"}}}}}));
    assert_eq!(
        global["aggregations"],
        json!({"g": {"doc_count": 6, "n": {"value": 7}}, "f": {"doc_count": 0}})
    );
}

#[test]
fn metrics_count_every_value_of_a_document() {
    let index = index(2);
    assert_eq!(
        index.agg(json!({"stats": {"field": "bytes"}})),
        json!({"count": 7, "min": 1.0, "max": 40.0, "avg": 15.0, "sum": 105.0})
    );
    assert_eq!(
        index.agg(json!({"avg": {"field": "nope"}})),
        json!({"value": null})
    );
    assert_eq!(
        index.agg(json!({"sum": {"field": "nope"}})),
        json!({"value": 0.0})
    );
    assert_eq!(
        index.agg(json!({"avg": {"field": "cpu", "missing": 10}})),
        json!({"value": 23.5 / 6.0})
    );
    assert_eq!(
        index.agg(json!({"cardinality": {"field": "bytes"}})),
        json!({"value": 6})
    );
    assert_eq!(
        index.agg(json!({"max": {"field": "@timestamp"}})),
        json!({"value": 1_706_745_600_000.0, "value_as_string": "2024-02-01T00:00:00.000Z"})
    );
    let extended = index.agg(json!({"extended_stats": {"field": "cpu"}}));
    assert_eq!(extended["sum_of_squares"], json!(9.75));
    assert_eq!(extended["variance"], json!((9.75 - 3.5 * 3.5 / 4.0) / 4.0));
    assert_eq!(
        index.agg(json!({"percentiles": {"field": "bytes", "percents": [50, 100]}})),
        json!({"values": {"50.0": 10.0, "100.0": 40.0}})
    );
    assert_eq!(
        index.agg(json!({"percentiles": {"field": "nope", "percents": [50], "keyed": false}})),
        json!({"values": [{"key": 50.0, "value": null}]})
    );
    assert!(
        index
            .try_search(&json!({"aggs": {"a": {"avg": {"field": "host"}}}}))
            .unwrap_err()
            .reason()
            .contains("Field [host] of type [keyword] is not supported for aggregation [avg]")
    );
}

#[test]
fn documents_are_shown_inside_buckets() {
    let index = index(2);
    let top = index.agg(json!({"terms": {"field": "host", "size": 1}, "aggs": {
        "t": {"top_hits": {"size": 1, "sort": [{"@timestamp": "desc"}], "_source": ["host"]}},
        "m": {"top_metrics": {"metrics": {"field": "cpu"}, "sort": {"@timestamp": "asc"}}}}}));
    let bucket = &top["buckets"][0];
    assert_eq!(bucket["t"]["hits"]["total"]["value"], 3);
    assert_eq!(bucket["t"]["hits"]["hits"][0]["_id"], "5");
    assert_eq!(
        bucket["t"]["hits"]["hits"][0]["_source"],
        json!({"host": "a"})
    );
    assert_eq!(
        bucket["m"],
        json!({"top": [{"sort": [1_704_067_210_000_i64], "metrics": {"cpu": 0.5}}]})
    );
}

#[test]
fn composite_pages_through_all_combinations() {
    let index = index(2);
    let mut after = Value::Null;
    let mut seen = Vec::new();
    loop {
        let mut body = json!({"size": 2, "sources": [
            {"h": {"terms": {"field": "host", "missing_bucket": true}}}, {"t": {"terms": {"field": "tags", "order": "desc"}}}]});
        if !after.is_null() {
            body["after"] = after.clone();
        }
        let page = index.agg(json!({"composite": body}));
        let buckets = page["buckets"].as_array().unwrap().clone();
        if buckets.is_empty() {
            break;
        }
        seen.extend(buckets.iter().map(|b| {
            (
                b["key"]["h"].clone(),
                b["key"]["t"].clone(),
                b["doc_count"].clone(),
            )
        }));
        after = page["after_key"].clone();
    }
    assert_eq!(
        seen,
        [
            (json!("a"), json!("y"), json!(1)),
            (json!("a"), json!("x"), json!(2)),
            (json!("b"), json!("y"), json!(1))
        ]
    );
}

#[test]
fn pipelines_read_buckets_in_their_order() {
    let index = index(2);
    let answer = index.search(json!({"size": 0, "aggs": {
        "h": {"terms": {"field": "host", "order": {"_key": "asc"}}, "aggs": {
            "b": {"sum": {"field": "bytes"}},
            "twice": {"bucket_script": {"buckets_path": {"b": "b", "n": "_count"}, "script": "params.b * 2 / params.n"}},
            "cut": {"bucket_sort": {"sort": [{"twice": "desc"}], "size": 2}}}},
        "most": {"max_bucket": {"buckets_path": "h>b"}},
        "mean": {"avg_bucket": {"buckets_path": "h>b"}}}}));
    let aggs = &answer["aggregations"];
    assert_eq!(aggs["h"]["buckets"][0]["key"], "c");
    assert_eq!(aggs["h"]["buckets"][0]["twice"], json!({"value": 80.0}));
    assert_eq!(aggs["h"]["buckets"].as_array().unwrap().len(), 2);
    assert_eq!(aggs["most"], json!({"value": 40.0, "keys": ["c"]}));
    let sums = index.agg(json!({"date_histogram": {"field": "@timestamp", "calendar_interval": "month"}, "aggs": {
        "b": {"sum": {"field": "bytes"}}, "c": {"cumulative_sum": {"buckets_path": "b"}}, "s": {"serial_diff": {"buckets_path": "b"}}}}));
    assert_eq!(sums["buckets"][1]["c"], json!({"value": 105.0}));
    assert!(
        index
            .try_search(&json!({"aggs": {"a": {"normalize": {"buckets_path": "x"}}}}))
            .unwrap_err()
            .reason()
            .contains("Unknown aggregation type [normalize]")
    );
}

#[test]
fn several_indices_are_one_answer() {
    let one = index(3);
    let other = Index::new(
        "other",
        &json!({"properties": {"host": {"type": "keyword"}, "bytes": {"type": "double"}}}),
        &[json!({"host": "z", "bytes": 35.5})],
        10,
    );
    let body = json!({"sort": [{"bytes": "desc"}], "size": 3, "aggs": {
        "h": {"terms": {"field": "bytes", "size": 2, "order": {"_key": "desc"}}}, "i": {"terms": {"field": "_index"}},
        "t": {"max": {"field": "@timestamp"}}}});
    let request = SearchRequest::parse(&body, &UrlParams::default()).unwrap();
    let options = RenderOptions {
        typed_keys: true,
        total_as_int: true,
    };
    let answer = search(&request, &[one.view(), other.view()], super::NOW, options).unwrap();
    let hits: Vec<&str> = answer["hits"]["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| h["_index"].as_str().unwrap())
        .collect();
    assert_eq!(hits, ["logs", "other", "logs"]);
    assert_eq!(answer["hits"]["total"], 7);
    assert_eq!(answer["_shards"]["total"], 2);
    assert_eq!(
        answer["aggregations"]["dterms#h"]["buckets"],
        json!([{"key": 40.0, "doc_count": 1}, {"key": 35.5, "doc_count": 1}])
    );
    assert_eq!(
        answer["aggregations"]["sterms#i"]["buckets"],
        json!([{"key": "logs", "doc_count": 6}, {"key": "other", "doc_count": 1}])
    );
    assert_eq!(
        answer["aggregations"]["max#t"]["value_as_string"],
        "2024-02-01T00:00:00.000Z"
    );
    let nothing = search(&request, &[], super::NOW, RenderOptions::default()).unwrap();
    assert_eq!(
        nothing["hits"]["total"],
        json!({"value": 0, "relation": "eq"})
    );
    assert_eq!(nothing["aggregations"]["t"], json!({"value": null}));
}
