//! Tests of templates: which one matches and what it gives.

use super::*;
use crate::mapping::FieldType;
use crate::wildcard::glob;
use proptest::prelude::*;

fn why(result: EsResult<()>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn components_come_first_and_the_highest_priority_wins_alone() {
    let mut templates = Templates::default();
    templates
        .put_component("base", &json!({"template": {"settings": {"number_of_replicas": 0, "codec": "default"}, "mappings": {"properties": {"a.b": {"type": "long"}, "c": {"type": "text"}}, "dynamic_templates": [{"x": {"match": "x", "mapping": {"type": "ip"}}}]}}}), false)
        .unwrap();
    templates
        .put_index("low", &json!({"index_patterns": ["logs-*"], "template": {"mappings": {"properties": {"low": {"type": "long"}}}}}), false)
        .unwrap();
    templates
        .put_index("high", &json!({"index_patterns": "logs-a-*", "priority": 5, "composed_of": ["base"], "data_stream": {}, "template": {
            "settings": {"index.codec": "best_compression"}, "aliases": {"all": {}},
            "mappings": {"properties": {"a": {"properties": {"d": {"type": "ip"}}}, "c": {"type": "keyword"}}, "dynamic_templates": [{"x": {"match": "x", "mapping": {"type": "long"}}}, {"y": {"match": "y", "mapping": {"type": "ip"}}}]}}}), false)
        .unwrap();
    let resolved = templates.resolve("logs-a-1").unwrap();
    assert_eq!(resolved.template.as_deref(), Some("high"));
    assert_eq!(
        resolved.settings.render(),
        json!({"index": {"codec": "best_compression", "number_of_replicas": "0"}})
    );
    let mapping = resolved.mapping().unwrap();
    assert_eq!(mapping.find("a.b").unwrap().kind(), FieldType::Long);
    assert_eq!(mapping.find("a.d").unwrap().kind(), FieldType::Ip);
    assert_eq!(mapping.find("c").unwrap().kind(), FieldType::Keyword);
    assert_eq!(mapping.find("@timestamp").unwrap().kind(), FieldType::Date);
    assert!(mapping.find("low").is_none());
    assert_eq!(
        resolved.mappings["dynamic_templates"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert!(templates.makes_data_stream("logs-a-1") && !templates.makes_data_stream("logs-b"));
    let simulated = templates.simulate_index("logs-a-1").unwrap();
    assert_eq!(
        simulated["overlapping"],
        json!([{"name": "low", "index_patterns": ["logs-*"]}])
    );
    let kept = serde_json::to_value(&templates).unwrap();
    assert_eq!(
        serde_json::from_value::<Templates>(kept).unwrap(),
        templates
    );
}

#[test]
fn legacy_templates_stack_by_order_when_no_other_matches() {
    let mut templates = Templates::default();
    templates.put_legacy("b", &json!({"index_patterns": ["*"], "order": 1, "mappings": {"properties": {"a": {"type": "long"}}}}), false).unwrap();
    templates.put_legacy("a", &json!({"template": "x*", "order": 2, "settings": {"codec": "y"}, "mappings": {"_doc": {"properties": {"a": {"type": "ip"}}}}}), false).unwrap();
    let resolved = templates.resolve("x1").unwrap();
    assert_eq!(
        resolved.mappings,
        json!({"properties": {"a": {"type": "ip"}}})
    );
    assert_eq!(
        templates.resolve("y").unwrap().mappings,
        json!({"properties": {"a": {"type": "long"}}})
    );
    assert_eq!(
        templates.render_legacy("a").unwrap()["a"]["settings"],
        json!({"index": {"codec": "y"}})
    );
    templates
        .put_index("c", &json!({"index_patterns": ["x*"]}), false)
        .unwrap();
    assert_eq!(templates.resolve("x1").unwrap().mappings, json!({}));
}

#[test]
fn mistakes_are_told() {
    let mut templates = Templates::default();
    let mut put = |body: Value| why(templates.put_index("t", &body, false));
    assert!(put(json!({})).contains("Required [index_patterns]"));
    assert!(put(json!({"index_patterns": []})).contains("index patterns are missing"));
    assert!(
        put(json!({"index_patterns": ["a"], "foo": 1}))
            .contains("[index_template] unknown field [foo]")
    );
    assert!(
        put(json!({"index_patterns": ["a"], "composed_of": ["x"]}))
            .contains("specifies component templates [x] that do not exist")
    );
    assert!(
        put(json!({"index_patterns": ["a"], "priority": -1}))
            .contains("index template priority must be >= 0")
    );
    assert!(put(json!({"index_patterns": ["a"], "template": {"mappings": {"properties": {"a": {"type": "x"}}}}})).contains("composable template [t] template after composition is invalid"));
    templates
        .put_index("one", &json!({"index_patterns": ["a*"]}), true)
        .unwrap();
    assert!(
        why(templates.put_index("one", &json!({"index_patterns": ["a*"]}), true))
            .contains("already exists")
    );
    assert!(
        why(templates.put_index("two", &json!({"index_patterns": ["*b"]}), false))
            .contains("have the same priority [0]")
    );
    templates
        .put_component("c", &json!({"template": {}}), false)
        .unwrap();
    templates
        .put_index(
            "three",
            &json!({"index_patterns": ["c"], "composed_of": ["c"]}),
            false,
        )
        .unwrap();
    assert!(
        why(templates.delete_component("c")).contains("still in use by index templates [three]")
    );
    assert!(
        templates
            .render_index("none")
            .unwrap_err()
            .reason()
            .contains("index template matching [none] not found")
    );
    assert_eq!(
        templates.render_index("none*").unwrap(),
        json!({"index_templates": []})
    );
    templates.delete_index("three").unwrap();
    templates.delete_component("c").unwrap();
    assert_eq!(templates.delete_index("three").unwrap_err().status(), 404);
}

#[test]
fn settings_aliases_and_names_of_the_wrong_kind_are_refused() {
    let mut templates = Templates::default();
    let many = json!({"settings": {"number_of_shards": "many"}});
    let error = templates
        .put_index(
            "t",
            &json!({"index_patterns": ["a"], "template": many}),
            false,
        )
        .unwrap_err();
    assert_eq!(error.kind(), "invalid_index_template_exception");
    assert!(
        error
            .reason()
            .contains("Failed to parse value [many] for setting [index.number_of_shards]")
    );
    let body = json!({"template": many});
    let error = templates.put_component("t", &body, false).unwrap_err();
    assert_eq!(error.kind(), "illegal_argument_exception");
    assert_eq!(error.cause().unwrap().kind(), "number_format_exception");
    let old = |more: Value| {
        let mut body = json!({"index_patterns": ["a"]});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        Templates::default()
            .put_legacy("t", &body, false)
            .unwrap_err()
    };
    assert_eq!(old(many).kind(), "illegal_argument_exception");
    assert_eq!(old(json!({"nope": 1})).kind(), "parse_exception");
    assert!(
        old(json!({"mappings": []}))
            .reason()
            .contains("mappings must be an object")
    );
    let filter = json!({"aliases": {"x": {"filter": {"nope": {}}}}});
    assert!(
        old(filter)
            .reason()
            .contains("failed to parse filter for alias [x]")
    );
    let array = templates.put_legacy("t", &json!([]), false).unwrap_err();
    assert_eq!(array.kind(), "not_x_content_exception");
    let upper = templates.put_index("T", &json!({"index_patterns": ["a"]}), false);
    assert_eq!(
        upper.unwrap_err().kind(),
        "invalid_index_template_exception"
    );
}

#[test]
fn what_was_kept_comes_back_though_the_rules_became_stricter() {
    let kept = json!({
        "index_templates": {"T": {"index_patterns": ["a*"], "template": {"settings": {"number_of_shards": "many"}}}},
        "component_templates": {"c": {"template": {}}},
        "legacy_templates": {"l": {"index_patterns": ["b*"], "order": 3}},
    });
    let templates: Templates = serde_json::from_value(kept.clone()).unwrap();
    assert_eq!(serde_json::to_value(&templates).unwrap(), kept);
    assert!(
        templates.resolve("a1").is_err(),
        "it is refused when it is used"
    );
    assert_eq!(templates.resolve("b1").unwrap().template, None);
}

#[test]
fn a_request_comes_on_top_of_the_templates() {
    let mut templates = Templates::default();
    let inner = json!({
        "settings": {"codec": "a", "hidden": true}, "aliases": {"x": {"filter": {"term": {"a": 1}}}},
        "mappings": {"properties": {"a": {"type": "long"}, "b": {"type": "long"}}},
    });
    templates
        .put_index(
            "t",
            &json!({"index_patterns": ["i*"], "template": inner}),
            false,
        )
        .unwrap();
    let body = IndexBody::parse(&json!({
        "settings": {"codec": "b", "hidden": null}, "aliases": {"y": {}},
        "mappings": {"_doc": {"properties": {"a": {"type": "ip"}}}},
    }))
    .unwrap();
    let made = templates.resolve("i1").unwrap().with(&body);
    assert_eq!(made.settings.render(), json!({"index": {"codec": "b"}}));
    assert_eq!(
        json!(made.aliases),
        json!({"x": {"filter": {"term": {"a": 1}}}, "y": {}})
    );
    let mapping = made.mapping().unwrap();
    assert_eq!(mapping.find("a").unwrap().kind(), FieldType::Ip);
    assert_eq!(mapping.find("b").unwrap().kind(), FieldType::Long);
}

#[test]
fn templates_are_shown_as_they_work() {
    let mut templates = Templates::default();
    templates
        .put_index(
            "s",
            &json!({"index_patterns": "s*", "data_stream": {}}),
            false,
        )
        .unwrap();
    assert_eq!(
        templates.render_index("s").unwrap()["index_templates"][0]["index_template"],
        json!({"index_patterns": ["s*"], "data_stream": {"timestamp_field": {"name": "@timestamp"}}})
    );
    templates
        .put_legacy("l", &json!({"index_patterns": ["l*"]}), false)
        .unwrap();
    assert_eq!(
        templates.render_legacy("l").unwrap()["l"],
        json!({"order": 0, "index_patterns": ["l*"], "settings": {}, "mappings": {}, "aliases": {}})
    );
}

#[test]
fn a_component_that_breaks_a_template_is_refused() {
    let mut templates = Templates::default();
    templates
        .put_component(
            "c",
            &json!({"template": {"mappings": {"properties": {"b": {"type": "long"}}}}}),
            false,
        )
        .unwrap();
    let alias = json!({"index_patterns": ["x"], "composed_of": ["c"], "template": {"mappings": {"properties": {"a": {"type": "alias", "path": "b"}}}}});
    templates.put_index("t", &alias, false).unwrap();
    let broken = why(templates.put_component("c", &json!({"template": {}}), false));
    assert!(
        broken.contains("results in invalid composable template [t]"),
        "{broken}"
    );
    assert!(
        templates
            .resolve("x")
            .unwrap()
            .mapping()
            .unwrap()
            .find("b")
            .is_some()
    );
}

#[test]
fn a_new_store_knows_logs_and_metrics() {
    let templates = builtin_templates().unwrap();
    assert!(templates.makes_data_stream("logs-docker.container-default"));
    let mapping = templates
        .resolve("metrics-docker.cpu-default")
        .unwrap()
        .mapping()
        .unwrap();
    let document = br#"{"@timestamp":"2024-01-01T00:00:00Z","docker":{"cpu":{"total":{"pct":0}}},"host":{"ip":["10.0.0.1"]},"container":{"id":"x","labels":{"app":"y"}},"system":{"load":{"1":0,"cores":2}},"message":"hi"}"#;
    let (_, grown) = mapping.parse_growing("1", document).unwrap();
    let grown = grown.unwrap();
    for (path, kind) in [
        ("docker.cpu.total.pct", FieldType::Float),
        ("host.ip", FieldType::Ip),
        ("container.id", FieldType::Keyword),
        ("container.labels.app", FieldType::Keyword),
        ("system.load.1", FieldType::Float),
        ("system.load.cores", FieldType::Long),
        ("message", FieldType::MatchOnlyText),
    ] {
        assert_eq!(grown.find(path).unwrap().kind(), kind, "{path}");
    }
}

proptest! {
    #[test]
    fn overlap_is_right_when_a_common_name_is_seen(a in "[ab*]{1,5}", b in "[ab*]{1,5}") {
        // Every name of up to five letters is tried; a common name of two patterns of five is never longer than ten.
        let mut common = false;
        for length in 0..=10usize {
            for bits in 0..1u32 << length {
                let name: String = (0..length).map(|at| if bits >> at & 1 == 1 { 'a' } else { 'b' }).collect();
                common |= glob(&a, &name) && glob(&b, &name);
            }
            if common {
                break;
            }
        }
        prop_assert_eq!(overlap(&a, &b), common);
    }

    #[test]
    fn nothing_panics(text in r#"[{}\[\]":,a-z*. ]{0,60}"#) {
        let mut templates = Templates::default();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        let _ = templates.put_index("a", &body, false);
        let _ = templates.put_index("a", &json!({"index_patterns": ["a"], "template": body}), false);
        let _ = templates.put_legacy(&text, &body, false);
        let _ = templates.put_component("a", &json!({"template": {"mappings": body}}), false);
    }
}
