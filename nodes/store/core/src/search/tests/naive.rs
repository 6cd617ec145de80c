//! Random documents, queries and aggregations against a naive evaluation of the JSON.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Index;

/// Small numbers would be read as years.
const BASE: i64 = 1_700_000_000_000;
const WORDS: [&str; 6] = ["alpha", "beta", "gamma", "delta", "eps", "zeta"];

fn mapping() -> Value {
    json!({"properties": {
        "k": {"type": "keyword"}, "m": {"type": "text"}, "n": {"type": "long"},
        "d": {"type": "double"}, "t": {"type": "date"}, "b": {"type": "boolean"}
    }})
}

fn document() -> impl Strategy<Value = Value> {
    (
        proptest::collection::vec(0usize..6, 0..3),
        proptest::collection::vec(0usize..6, 0..6),
        proptest::collection::vec(-5i64..20, 0..3),
        proptest::option::of(-20i32..20),
        proptest::option::of(0i64..600),
        proptest::option::of(any::<bool>()),
        0u8..8,
    )
        .prop_map(|(k, m, n, d, t, b, deleted)| {
            let mut doc = json!({});
            match k.len() {
                0 => {}
                1 => doc["k"] = json!(WORDS[k[0]]),
                _ => doc["k"] = k.iter().map(|w| WORDS[*w]).collect(),
            }
            if !m.is_empty() {
                doc["m"] = json!(m.iter().map(|w| WORDS[*w]).collect::<Vec<_>>().join(" "));
            }
            if !n.is_empty() {
                doc["n"] = json!(n);
            }
            if let Some(d) = d {
                doc["d"] = json!(f64::from(d) / 4.0);
            }
            if let Some(t) = t {
                doc["t"] = json!(BASE + t * 1000);
            }
            if let Some(b) = b {
                doc["b"] = json!(b);
            }
            if deleted == 0 {
                doc["deleted"] = json!(1);
            }
            doc
        })
}

fn leaf() -> impl Strategy<Value = Value> {
    let word = (0usize..6).prop_map(|w| WORDS[w]);
    prop_oneof![
        Just(json!({"match_all": {}})),
        word.clone().prop_map(|w| json!({"term": {"k": w}})),
        (word.clone(), word.clone()).prop_map(|(a, b)| json!({"terms": {"k": [a, b]}})),
        (-6i64..22).prop_map(|n| json!({"term": {"n": n}})),
        (-6i64..22, 0i64..12).prop_map(|(n, w)| json!({"range": {"n": {"gte": n, "lt": n + w}}})),
        (-20i32..20).prop_map(|n| json!({"range": {"d": {"gt": f64::from(n) / 4.0}}})),
        (0i64..600).prop_map(|t| json!({"range": {"t": {"lte": BASE + t * 1000}}})),
        any::<bool>().prop_map(|b| json!({"term": {"b": b}})),
        prop_oneof![Just("k"), Just("m"), Just("n"), Just("d"), Just("t")]
            .prop_map(|f| json!({"exists": {"field": f}})),
        word.clone().prop_map(|w| json!({"prefix": {"k": w[..2]}})),
        (word.clone(), word.clone()).prop_map(|(a, b)| json!({"match": {"m": format!("{a} {b}")}})),
        (word.clone(), word.clone()).prop_map(
            |(a, b)| json!({"match": {"m": {"query": format!("{a} {b}"), "operator": "and"}}})
        ),
        (word.clone(), word).prop_map(|(a, b)| json!({"match_phrase": {"m": format!("{a} {b}")}})),
    ]
}

fn query() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        let list = || proptest::collection::vec(inner.clone(), 0..3);
        (
            list(),
            list(),
            list(),
            list(),
            proptest::option::of(0usize..3),
        )
            .prop_map(|(must, filter, should, must_not, least)| {
                let mut body =
                    json!({"must": must, "filter": filter, "should": should, "must_not": must_not});
                if let Some(least) = least {
                    body["minimum_should_match"] = json!(least);
                }
                json!({"bool": body})
            })
    })
}

fn list(doc: &Value, field: &str) -> Vec<Value> {
    match doc.get(field) {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(value) => vec![value.clone()],
    }
}

fn words(doc: &Value) -> Vec<String> {
    let text = doc.get("m").and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn number_in(value: &Value, range: &Value) -> bool {
    let n = value.as_f64().unwrap();
    range.as_object().unwrap().iter().all(|(op, bound)| {
        let bound = bound.as_f64().unwrap();
        match op.as_str() {
            "gt" => n > bound,
            "gte" => n >= bound,
            "lt" => n < bound,
            _ => n <= bound,
        }
    })
}

/// The meaning of a query, straight from its words.
fn matches(doc: &Value, query: &Value) -> bool {
    let (kind, body) = query.as_object().unwrap().iter().next().unwrap();
    if kind == "match_all" {
        return true;
    }
    if kind == "bool" {
        let part = |name: &str| body[name].as_array().unwrap().clone();
        let (must, filter, should) = (part("must"), part("filter"), part("should"));
        let hits = should.iter().filter(|q| matches(doc, q)).count();
        let default = usize::from(must.is_empty() && filter.is_empty() && !should.is_empty());
        let least = match body["minimum_should_match"].as_u64() {
            Some(n) if !should.is_empty() => n as usize,
            _ => default,
        };
        return must.iter().chain(&filter).all(|q| matches(doc, q))
            && !part("must_not").iter().any(|q| matches(doc, q))
            && hits >= least;
    }
    if kind == "exists" {
        return !list(doc, body["field"].as_str().unwrap()).is_empty();
    }
    let (field, value) = body.as_object().unwrap().iter().next().unwrap();
    let values = list(doc, field);
    match kind.as_str() {
        "term" => values.contains(value),
        "terms" => value.as_array().unwrap().iter().any(|v| values.contains(v)),
        "range" => values.iter().any(|v| number_in(v, value)),
        "prefix" => values
            .iter()
            .any(|v| v.as_str().unwrap().starts_with(value.as_str().unwrap())),
        "match" => {
            let (text, all) = match value.get("query") {
                Some(text) => (text.as_str().unwrap(), true),
                None => (value.as_str().unwrap(), false),
            };
            let have = words(doc);
            let mut wanted = text.split(' ');
            let has = |w: &str| have.iter().any(|h| h == w);
            if all {
                wanted.all(has)
            } else {
                wanted.any(has)
            }
        }
        _ => {
            let wanted: Vec<&str> = value.as_str().unwrap().split(' ').collect();
            words(doc)
                .windows(wanted.len())
                .any(|w| w == wanted.as_slice())
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn rows_sorts_and_aggregations_equal_a_naive_evaluation(
        docs in proptest::collection::vec(document(), 0..30),
        query in query(),
        per_segment in 1usize..12,
    ) {
        let index = Index::new("r", &mapping(), &docs, per_segment);
        let hits: Vec<(usize, &Value)> = docs
            .iter()
            .enumerate()
            .filter(|(_, doc)| doc.get("deleted").is_none() && matches(doc, &query))
            .collect();
        let body = json!({"query": query, "size": 100, "sort": ["_doc"], "aggs": {
            "k": {"terms": {"field": "k", "size": 100}, "aggs": {
                "n": {"stats": {"field": "n"}}, "u": {"cardinality": {"field": "n"}},
                "h": {"date_histogram": {"field": "t", "fixed_interval": "100s", "min_doc_count": 1}}}},
            "d": {"histogram": {"field": "d", "interval": 2, "min_doc_count": 1}},
            "c": {"composite": {"size": 1000, "sources": [{"k": {"terms": {"field": "k"}}}, {"b": {"terms": {"field": "b"}}}]}},
            "r": {"range": {"field": "n", "ranges": [{"to": 5}, {"from": 3, "to": 9}]}},
            "f": {"filters": {"filters": [{"term": {"k": "beta"}}, {"exists": {"field": "d"}}]}},
            "x": {"missing": {"field": "n"}}
        }});
        let answer = index.search(body);
        let wanted: Vec<String> = hits.iter().map(|(id, _)| id.to_string()).collect();
        prop_assert_eq!(super::ids_of(&answer), wanted);
        prop_assert_eq!(answer["hits"]["total"]["value"].as_u64().unwrap(), hits.len() as u64);
        let scored = index.search(json!({"query": query, "size": 100}));
        let scored: BTreeSet<String> = super::ids_of(&scored).into_iter().collect();
        prop_assert_eq!(scored.len(), hits.len());

        let aggs = &answer["aggregations"];
        let mut terms: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
        for (_, doc) in &hits {
            let distinct: BTreeSet<String> = list(doc, "k").iter().map(|v| v.as_str().unwrap().to_owned()).collect();
            for term in distinct {
                terms.entry(term).or_default().push(doc);
            }
        }
        let mut order: Vec<(&String, &Vec<&Value>)> = terms.iter().collect();
        order.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then(a.0.cmp(b.0)));
        let buckets = aggs["k"]["buckets"].as_array().unwrap();
        prop_assert_eq!(buckets.len(), order.len());
        for (bucket, (term, docs)) in buckets.iter().zip(order) {
            prop_assert_eq!(bucket["key"].as_str().unwrap(), term);
            prop_assert_eq!(bucket["doc_count"].as_u64().unwrap(), docs.len() as u64);
            let numbers: Vec<f64> = docs.iter().flat_map(|d| list(d, "n")).map(|v| v.as_f64().unwrap()).collect();
            prop_assert_eq!(bucket["n"]["count"].as_u64().unwrap(), numbers.len() as u64);
            prop_assert_eq!(bucket["n"]["sum"].as_f64().unwrap(), numbers.iter().sum::<f64>());
            if !numbers.is_empty() {
                prop_assert_eq!(bucket["n"]["min"].as_f64().unwrap(), numbers.iter().copied().fold(f64::INFINITY, f64::min));
                prop_assert_eq!(bucket["n"]["max"].as_f64().unwrap(), numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max));
            }
            let distinct: BTreeSet<i64> = numbers.iter().map(|n| *n as i64).collect();
            prop_assert_eq!(bucket["u"]["value"].as_u64().unwrap(), distinct.len() as u64);
            let mut times: BTreeMap<i64, u64> = BTreeMap::new();
            for doc in docs {
                for t in list(doc, "t") {
                    *times.entry(t.as_i64().unwrap() / 100_000 * 100_000).or_default() += 1;
                }
            }
            let found: BTreeMap<i64, u64> = bucket["h"]["buckets"].as_array().unwrap().iter()
                .map(|b| (b["key"].as_i64().unwrap(), b["doc_count"].as_u64().unwrap())).collect();
            prop_assert_eq!(found, times);
        }
        let mut widths: BTreeMap<i64, u64> = BTreeMap::new();
        for (_, doc) in &hits {
            for d in list(doc, "d") {
                *widths.entry((d.as_f64().unwrap() / 2.0).floor() as i64 * 2).or_default() += 1;
            }
        }
        let found: BTreeMap<i64, u64> = aggs["d"]["buckets"].as_array().unwrap().iter()
            .map(|b| (b["key"].as_f64().unwrap() as i64, b["doc_count"].as_u64().unwrap())).collect();
        prop_assert_eq!(found, widths);
        let mut pairs: BTreeMap<(String, bool), u64> = BTreeMap::new();
        for (term, docs) in &terms {
            for b in docs.iter().filter_map(|d| d.get("b")) {
                *pairs.entry((term.clone(), b.as_bool().unwrap())).or_default() += 1;
            }
        }
        let found: Vec<((String, bool), u64)> = aggs["c"]["buckets"].as_array().unwrap().iter()
            .map(|b| ((b["key"]["k"].as_str().unwrap().to_owned(), b["key"]["b"].as_bool().unwrap()), b["doc_count"].as_u64().unwrap()))
            .collect();
        prop_assert_eq!(found, pairs.into_iter().collect::<Vec<_>>());
        let with = |test: &dyn Fn(&Value) -> bool| hits.iter().filter(|(_, d)| test(d)).count() as u64;
        let any = |d: &Value, low: i64, high: i64| list(d, "n").iter().any(|v| (low..high).contains(&v.as_i64().unwrap()));
        prop_assert_eq!(aggs["r"]["buckets"][0]["doc_count"].as_u64().unwrap(), with(&|d| any(d, -100, 5)));
        prop_assert_eq!(aggs["r"]["buckets"][1]["doc_count"].as_u64().unwrap(), with(&|d| any(d, 3, 9)));
        prop_assert_eq!(aggs["f"]["buckets"][0]["doc_count"].as_u64().unwrap(), with(&|d| list(d, "k").contains(&json!("beta"))));
        prop_assert_eq!(aggs["f"]["buckets"][1]["doc_count"].as_u64().unwrap(), with(&|d| d.get("d").is_some()));
        prop_assert_eq!(aggs["x"]["doc_count"].as_u64().unwrap(), with(&|d| d.get("n").is_none()));

        let sorted = index.search(json!({"query": query, "size": 100, "sort": [{"n": "desc"}, {"k": "asc"}]}));
        let mut rows = hits.clone();
        rows.sort_by_key(|(id, doc)| {
            let n = list(doc, "n").iter().filter_map(Value::as_i64).max();
            let k = list(doc, "k").iter().filter_map(|v| v.as_str().map(str::to_owned)).min();
            (n.map_or((1, 0), |n| (0, -n)), k.map_or((1, String::new()), |k| (0, k)), *id)
        });
        let wanted: Vec<String> = rows.iter().map(|(id, _)| id.to_string()).collect();
        prop_assert_eq!(super::ids_of(&sorted), wanted);
    }

    #[test]
    fn any_json_as_a_body_gives_an_answer(text in "[\\[\\]{}:,\"a-z0-9._ *]{0,40}", key in "(query|aggs|sort|_source|search_after|size|fields)") {
        let value: Value = serde_json::from_str(&text).unwrap_or(json!(text));
        let mut body = json!({});
        body[key.as_str()] = value;
        let index = Index::new("r", &mapping(), &[json!({"k": "alpha", "n": 1})], 1);
        let _ = index.try_search(&body);
    }
}
