//! Orders: what is refused before it would be answered wrongly, and how keys are shown.

use serde_json::{Value, json};

use super::Index;

fn index() -> Index {
    let mapping = json!({"properties": {
        "at": {"type": "date"}, "f": {"type": "float"}, "n": {"type": "long"}, "ip": {"type": "ip"}
    }});
    let docs = [
        json!({"at": "2024-01-01T00:00:10Z", "f": 0.1, "n": 1, "ip": "10.0.0.10"}),
        json!({"at": "2024-01-02T00:00:10Z", "f": 16_777.217, "n": 2, "ip": "10.0.0.9"}),
        json!({"at": "2024-01-03T00:00:10Z", "f": 0.3, "n": 3, "ip": "::1"}),
    ];
    Index::new("logs", &mapping, &docs, 1)
}

fn refusal(body: Value) -> String {
    match index().try_search(&body) {
        Ok(answer) => panic!("{body} was answered: {answer}"),
        Err(error) => error.reason().to_owned(),
    }
}

#[test]
fn a_format_is_shown_for_dates_and_refused_for_others_also_without_hits() {
    let sort = json!([{"at": {"order": "asc", "format": "yyyy-MM-dd"}}]);
    let answer = index().search(json!({"sort": sort, "size": 1}));
    assert_eq!(answer["hits"]["hits"][0]["sort"], json!(["2024-01-01"]));
    for size in [0, 10] {
        let reason = refusal(json!({"size": size, "sort": [{"n": {"format": "#.0"}}]}));
        assert!(
            reason.contains("[format] of a sort by [n] of type [long]"),
            "{reason}"
        );
    }
}

#[test]
fn an_order_by_a_field_that_is_not_there_is_refused_also_without_hits() {
    for size in [0, 10] {
        let reason = refusal(json!({"size": size, "sort": ["nowhere"]}));
        assert!(
            reason.contains("No mapping found for [nowhere] in order to sort on"),
            "{reason}"
        );
    }
}

#[test]
fn a_top_hit_shows_a_32_bit_fraction_with_its_own_digits() {
    let top = json!({"top_hits": {"size": 3, "sort": [{"f": "asc"}]}});
    let answer = index().agg(top);
    let shown: Vec<&Value> = answer["hits"]["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| &hit["sort"][0])
        .collect();
    assert_eq!(json!(shown), json!([0.1, 0.3, 16_777.217]));
}

#[test]
fn buckets_of_addresses_are_ordered_by_address_in_terms_and_composite() {
    let expected = json!(["::1", "10.0.0.9", "10.0.0.10"]);
    let terms = index().agg(json!({"terms": {"field": "ip", "order": {"_key": "asc"}}}));
    let keys = |buckets: &Value, path: &str| -> Value {
        let buckets = buckets["buckets"].as_array().unwrap();
        buckets
            .iter()
            .map(|bucket| bucket.pointer(path).unwrap().clone())
            .collect()
    };
    assert_eq!(keys(&terms, "/key"), expected);
    let sources = json!([{"a": {"terms": {"field": "ip"}}}]);
    let composite = index().agg(json!({"composite": {"sources": sources, "after": {"a": "::1"}}}));
    assert_eq!(keys(&composite, "/key/a"), json!(["10.0.0.9", "10.0.0.10"]));
}
