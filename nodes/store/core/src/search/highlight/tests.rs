//! Fragments of any text are parts of it. Equality with OpenSearch's is shown by the recorded answers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Highlight, Highlights};
use crate::mapping::{Mapping, MappingLimits};
use crate::query::{CompileContext, compile, parse_query};

fn marked(mapping: &Mapping, query: &Value, highlight: &Value, source: &Value) -> Value {
    let context = CompileContext {
        schema: mapping,
        index: "i",
        now_ms: 0,
    };
    let plan = compile(&parse_query(query).unwrap(), context).unwrap();
    let asked = Highlight::parse(highlight).unwrap();
    let marked = Highlights::new(&asked, context, &plan).unwrap().of(source);
    Value::Object(marked.unwrap())
}

fn mapping() -> Mapping {
    let fields = json!({"properties": {"t": {"type": "text"}, "k": {"type": "keyword"}}});
    Mapping::parse_body(&fields, MappingLimits::default()).unwrap()
}

#[test]
fn a_text_over_the_limit_is_refused() {
    let context_of = mapping();
    let context = CompileContext {
        schema: &context_of,
        index: "i",
        now_ms: 0,
    };
    let plan = compile(
        &parse_query(&json!({"match": {"t": "a"}})).unwrap(),
        context,
    )
    .unwrap();
    let asked = Highlight::parse(&json!({"fields": {"t": {}}})).unwrap();
    let highlights = Highlights::new(&asked, context, &plan).unwrap();
    let text = |words: usize| json!({"t": "a ".repeat(words)});
    assert!(highlights.of(&text(1000)).is_ok());
    let error = highlights.of(&text(500_001)).unwrap_err();
    assert!(error.reason().contains("[t]"), "{error}");
}

/// Nothing in this text says where a sentence begins when it is read backwards: were it read from its beginning for every
/// word, this would take minutes.
#[test]
fn every_word_of_a_long_text_is_marked() {
    let source = json!({"t": "Aaa bbb ccc. ".repeat(40_000)});
    let all = json!({"fragment_size": 10, "number_of_fragments": 100_000, "fields": {"t": {}}});
    let mapping = mapping();
    let got = marked(&mapping, &json!({"match": {"t": "aaa"}}), &all, &source);
    let fragments = got["t"].as_array().unwrap();
    assert_eq!(fragments.len(), 40_000);
    assert!(fragments.iter().all(|one| one == "<em>Aaa</em> bbb ccc"));
}

#[test]
fn a_phrase_is_marked_where_it_stands() {
    let source = json!({"t": "a b, b a b. a"});
    let phrase = json!({"match_phrase": {"t": "a b"}});
    let all = json!({"fields": {"t": {}}});
    let mapping = mapping();
    let got = marked(&mapping, &phrase, &all, &source);
    assert_eq!(
        got,
        json!({"t": ["<em>a</em> <em>b</em>, b <em>a</em> <em>b</em>. a"]})
    );
}

proptest! {
    #[test]
    fn fragments_are_parts_of_the_text(
        values in prop::collection::vec("[ab éß日🦊.!?, \"()]{0,40}|\\PC{0,30}", 1..4),
        size in 0..60usize,
        fragments in 0..4usize,
        plain: bool,
        by_score: bool,
        no_match in 0..20usize,
        query in prop::sample::select(vec![
            json!({"match": {"t": "a b 日"}}), json!({"match_phrase": {"t": {"query": "a b", "slop": 1}}}),
            json!({"prefix": {"t": "a"}}), json!({"match_phrase_prefix": {"t": "a b"}}), json!({"term": {"k": "a"}}),
        ]),
    ) {
        let mapping = mapping();
        let highlight = json!({"fragment_size": size, "number_of_fragments": fragments, "no_match_size": no_match,
            "type": if plain { "plain" } else { "unified" }, "order": if by_score { "score" } else { "none" },
            "pre_tags": "\u{e000}", "post_tags": "\u{e001}", "fields": {"*": {}}});
        let source = json!({"t": values, "k": values});
        let got = marked(&mapping, &query, &highlight, &source);
        for (field, shown) in got.as_object().unwrap() {
            let shown = shown.as_array().unwrap();
            prop_assert!(!shown.is_empty());
            if fragments > 0 {
                prop_assert!(shown.len() <= fragments, "{field}: {shown:?}");
            }
            for fragment in shown {
                let text: String = fragment.as_str().unwrap().replace(['\u{e000}', '\u{e001}'], "");
                prop_assert!(values.iter().any(|value| value.contains(&text)), "{field}: {text:?}");
            }
        }
    }
}
