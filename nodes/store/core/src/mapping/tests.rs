//! Tests of mappings: reading, merging, dynamic fields, field capabilities.

use super::*;
use proptest::prelude::*;

fn mapping(body: Value) -> Mapping {
    Mapping::parse_body(&body, MappingLimits::default()).unwrap()
}

fn refusal(body: Value) -> String {
    Mapping::parse_body(&body, MappingLimits::default())
        .unwrap_err()
        .to_string()
}

#[test]
fn every_type_and_multi_field_gets_a_number_and_is_shown_again() {
    let body = json!({"dynamic": "strict", "_meta": {"a": 1}, "properties": {
        "a": {"type": "keyword", "ignore_above": 10, "fields": {"text": {"type": "text"}}},
        "o": {"properties": {"n": {"type": "scaled_float", "scaling_factor": 100.0}}},
        "x": {"type": "object", "enabled": false},
        "l": {"type": "flattened"},
        "z": {"type": "alias", "path": "o.n"}
    }});
    let mapping = mapping(body.clone());
    assert_eq!(mapping.render(), body);
    assert_eq!(
        mapping.find("a.text").unwrap().parent,
        Some(mapping.find("a").unwrap().id)
    );
    assert_eq!(mapping.find("z").unwrap().path.as_ref(), "o.n");
    let (field, key) = mapping.locate("l.some.key").unwrap();
    assert_eq!((field.path.as_ref(), key), ("l", Some("some.key")));
    assert!(mapping.is_object("o") && !mapping.is_object("a"));
    assert_eq!(mapping.count(), 7);
    assert_eq!(mapping.below("o").count(), 1);
    let names: Vec<String> = mapping
        .matching("*")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["a", "a.text", "l", "o.n", "z"]);
}

#[test]
fn dotted_names_are_objects() {
    let dotted = mapping(
        json!({"properties": {"a.b.c": {"type": "long"}, "a": {"properties": {"d": {"type": "ip"}}}}}),
    );
    assert_eq!(
        dotted.render(),
        json!({"properties": {"a": {"properties": {"b": {"properties": {"c": {"type": "long"}}}, "d": {"type": "ip"}}}}})
    );
}

#[test]
fn mistakes_name_the_field() {
    for (body, part) in [
        (
            json!({"properties": {"a": {"type": "nonsense"}}}),
            "No handler for type [nonsense] declared on field [a]",
        ),
        (
            json!({"properties": {"a": {"type": "long", "foo": 1}}}),
            "unknown parameter [foo] on mapper [a] of type [long]",
        ),
        (
            json!({"properties": {"a": {}}}),
            "No type specified for field [a]",
        ),
        (
            json!({"nonsense": 1}),
            "Root mapping definition has unsupported parameters:  [nonsense : 1]",
        ),
        (
            json!({"properties": {"a": {"type": "scaled_float"}}}),
            "Field [scaling_factor] is required",
        ),
        (
            json!({"properties": {"a": {"type": "text", "analyzer": "klingon"}}}),
            "analyzer [klingon]",
        ),
        (
            json!({"properties": {"a": {"type": "alias", "path": "b"}}}),
            "Invalid [path] value [b] for field alias [a]",
        ),
        (
            json!({"properties": {"a": {"type": "keyword", "copy_to": "b"}}}),
            "[copy_to] of [a] names [b]",
        ),
        (
            json!({"dynamic_templates": [{"t": {"match": "*"}}]}),
            "template must have mapping set",
        ),
        (json!({"_source": {"enabled": false}}), "_source"),
    ] {
        let refusal = refusal(body);
        assert!(refusal.contains(part), "{refusal}");
    }
}

#[test]
fn merging_adds_keeps_numbers_and_refuses_other_types() {
    let old = mapping(
        json!({"properties": {"a": {"type": "keyword"}, "o": {"properties": {"n": {"type": "long"}}}}}),
    );
    let new = old
        .merged(&json!({"properties": {"A": {"type": "long"}, "a": {"type": "keyword", "ignore_above": 5, "fields": {"t": {"type": "text"}}}, "o": {"properties": {"m": {"type": "ip"}}}}}))
        .unwrap();
    for path in ["a", "o.n"] {
        assert_eq!(old.find(path).unwrap().id, new.find(path).unwrap().id);
    }
    assert_eq!(new.find("a").unwrap().def.ignore_above, Some(5));
    assert!(new.find("o.m").is_some() && new.find("a.t").is_some());
    let why = |body: Value| new.merged(&body).unwrap_err().to_string();
    assert!(
        why(json!({"properties": {"a": {"type": "long"}}}))
            .contains("mapper [a] cannot be changed from type [keyword] to [long]")
    );
    assert!(
        why(json!({"properties": {"a": {"properties": {"x": {"type": "long"}}}}}))
            .contains("can't merge a non object mapping [a] with an object mapping")
    );
    assert!(why(json!({"properties": {"a": {"type": "keyword", "doc_values": false}}}))
        .contains("Mapper for [a] conflicts with existing mapper:\n\tCannot update parameter [doc_values] from [true] to [false]"));
}

#[test]
fn limits_hold() {
    let many: Map<String, Value> = (0..1001)
        .map(|n| (format!("f{n}"), json!({"type": "long"})))
        .collect();
    assert_eq!(
        refusal(json!({"properties": many})),
        "illegal_argument_exception: Limit of total fields [1000] has been exceeded"
    );
    let deep = (0..21).fold(
        json!({"type": "long"}),
        |inner, _| json!({"properties": {"a": inner}}),
    );
    assert!(refusal(deep).contains("Limit of mapping depth [20] has been exceeded"));
}

#[test]
fn templates_decide_in_order() {
    let mapping = mapping(json!({"dynamic_templates": [
        {"labels": {"path_match": "labels.*", "match_mapping_type": "string", "mapping": {"type": "keyword"}}},
        {"ips": {"match": "*_ip", "unmatch": "no_ip", "mapping": {"type": "ip"}}},
        {"nums": {"match_mapping_type": "long", "mapping": {"type": "{dynamic_type}", "meta": {"n": "{name}"}}}},
        {"rx": {"match_pattern": "regex", "match": "^r\\d+$", "mapping": {"type": "wildcard"}}},
        {"strings_as_keyword": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 1024}}}
    ]}));
    let made = |path: &str, sample| mapping.invent(path, sample).unwrap().to_string();
    assert_eq!(made("labels.a", Sample::Text("x")), r#"{"type":"keyword"}"#);
    assert_eq!(made("a_ip", Sample::Text("10.0.0.1")), r#"{"type":"ip"}"#);
    assert_eq!(
        made("no_ip", Sample::Text("x")),
        r#"{"type":"keyword","ignore_above":1024}"#
    );
    assert_eq!(
        made("x.n", Sample::Long),
        r#"{"type":"long","meta":{"n":"n"}}"#
    );
    assert_eq!(made("r12", Sample::Text("x")), r#"{"type":"wildcard"}"#);
    assert_eq!(made("d", Sample::Text("2024-01-01")), r#"{"type":"date"}"#);
    assert_eq!(made("f", Sample::Double), r#"{"type":"float"}"#);
    assert_eq!(mapping.invent("o", Sample::Object), None);
}

#[test]
fn field_caps_tell_of_objects_above_what_was_asked_for() {
    let mapping = Mapping::parse_body(
        &json!({"properties": {
            "o": {"properties": {"p": {"properties": {"k": {"type": "keyword"}}}}},
            "e": {"type": "nested", "properties": {"x": {"type": "long"}}},
        }}),
        MappingLimits::default(),
    )
    .unwrap();
    let names = |patterns: &[&str]| {
        let caps = render_field_caps(&[("a", &mapping)], patterns, false);
        let fields = caps["fields"].as_object().unwrap();
        fields.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&["o.p.k"]), ["o", "o.p", "o.p.k"]);
    assert_eq!(names(&["e.*"]), ["e", "e.x"]);
    assert!(names(&["o", "e"]).is_empty());
    assert_eq!(names(&["_s*"]), ["_seq_no", "_source"]);
}

#[test]
fn field_caps_tell_conflicts_apart() {
    let a = mapping(
        json!({"properties": {"x": {"type": "long"}, "m": {"type": "text"}, "o": {"properties": {"k": {"type": "keyword"}}}}}),
    );
    let b = mapping(json!({"properties": {"x": {"type": "keyword"}}}));
    let caps = render_field_caps(&[("a", &a), ("b", &b)], &["x", "m", "o*"], false);
    assert_eq!(caps["indices"], json!(["a", "b"]));
    assert_eq!(
        caps["fields"]["x"]["long"],
        json!({"type": "long", "searchable": true, "aggregatable": true, "indices": ["a"]})
    );
    assert_eq!(
        caps["fields"]["m"],
        json!({"text": {"type": "text", "searchable": true, "aggregatable": false}})
    );
    assert!(
        caps["fields"]["o"]["object"].is_object() && caps["fields"]["o.k"]["keyword"].is_object()
    );
}

fn body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "keyword", "ignore_above": 7})),
        Just(json!({"type": "text", "fields": {"keyword": {"type": "keyword"}}})),
        Just(json!({"type": "long"})),
        Just(json!({"type": "date", "format": "epoch_millis"})),
        Just(json!({"type": "nested"})),
        Just(json!({"type": "object", "enabled": false})),
    ];
    let tree = leaf.prop_recursive(3, 20, 4, |inner| {
        proptest::collection::hash_map("[a-d]{1,2}", inner, 1..4)
            .prop_map(|children| json!({"properties": children.into_iter().collect::<Map<_, _>>()}))
    });
    proptest::collection::hash_map("[a-d]{1,2}", tree, 0..5)
        .prop_map(|children| json!({"properties": children.into_iter().collect::<Map<_, _>>()}))
}

proptest! {
    #[test]
    fn what_is_shown_reads_back(body in body()) {
        let first = mapping(body);
        let second = mapping(first.render());
        prop_assert_eq!(first.render(), second.render());
        prop_assert_eq!(first.count(), second.count());
        prop_assert_eq!(first.merged(&first.render()).unwrap().render(), first.render());
    }

    #[test]
    fn merging_never_loses_a_field(a in body(), b in body()) {
        let old = mapping(a);
        if let Ok(new) = old.merged(&b) {
            for field in old.fields() {
                let kept = new.find(&field.path).unwrap();
                prop_assert_eq!(kept.id, field.id);
                prop_assert_eq!(kept.kind(), field.kind());
            }
            prop_assert!(mapping(b).fields().iter().all(|field| new.find(&field.path).is_some()));
        }
    }

    #[test]
    fn nothing_panics(text in r#"[{}\[\]":,a-z0-9 ]{0,80}"#) {
        if let Ok(value) = serde_json::from_str::<Value>(&text) {
            let _ = Mapping::parse_body(&value, MappingLimits::default());
            let _ = Mapping::parse_body(&json!({"properties": value}), MappingLimits::default());
        }
    }
}
