//! Tests of reading a source by its mapping: values, refusals, limits.

use super::*;
use crate::mapping::MappingLimits;
use proptest::prelude::*;
use serde_json::json;

fn mapping(properties: Value) -> Mapping {
    Mapping::parse_body(&json!({"properties": properties}), MappingLimits::default()).unwrap()
}

/// Leaves as `path=value` in order.
fn leaves(mapping: &Mapping, source: &str) -> Vec<String> {
    let (leaves, grown) = mapping.parse_growing("1", source.as_bytes()).unwrap();
    let mapping = grown.as_ref().unwrap_or(mapping);
    leaves
        .iter()
        .map(|leaf| {
            let path = &mapping.field(leaf.field).path;
            let key = leaf
                .key
                .as_ref()
                .map(|key| format!("[{key}]"))
                .unwrap_or_default();
            let value = match &leaf.value {
                LeafValue::Long(value) => value.to_string(),
                LeafValue::Double(value) => format!("{value}f"),
                LeafValue::Bool(value) => value.to_string(),
                LeafValue::Date(value) => format!("@{value}"),
                LeafValue::Term(value) => format!("'{value}'"),
                LeafValue::Ip(value) => ip_text(*value),
                LeafValue::Text(value) => format!("\"{value}\""),
            };
            format!("{path}{key}={value}")
        })
        .collect()
}

fn refusal(mapping: &Mapping, source: &str) -> EsError {
    mapping.parse_growing("1", source.as_bytes()).unwrap_err()
}

#[test]
fn values_become_their_fields_types() {
    let mapping = mapping(json!({
        "k": {"type": "keyword", "ignore_above": 3}, "l": {"type": "long"}, "f": {"type": "float"},
        "h": {"type": "half_float"}, "s": {"type": "scaled_float", "scaling_factor": 1000},
        "b": {"type": "boolean"}, "d": {"type": "date"}, "i": {"type": "ip"},
        "t": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "n": {"type": "keyword", "null_value": "none"}, "g": {"type": "geo_point"},
        "low": {"type": "keyword", "normalizer": "lowercase"},
        "c": {"type": "constant_keyword", "value": "x"}
    }));
    assert_eq!(
        leaves(
            &mapping,
            r#"{"k":["abc","abcd",1,true],"l":["7",8.9,null],"f":0.1,"h":0.1,"s":0.12345,
            "b":["true",false,""],"d":["1970-01-02",5],"i":["::ffff:10.0.0.1","::1"],"t":"Hi \"x\"","n":null,
            "g":{"lat":1,"lon":2},"low":"ABC"}"#
        ),
        [
            "k='abc'",
            "k='1'",
            "l=7",
            "l=8",
            "f=0.10000000149011612f",
            "h=0.0999755859375f",
            "s=0.123f",
            "b=true",
            "b=false",
            "b=false",
            "d=@86400000",
            "d=@5",
            "i=10.0.0.1",
            "i=::1",
            "t=\"Hi \"x\"\"",
            "t.raw='Hi \"x\"'",
            "n='none'",
            "low='abc'",
            "c='x'"
        ]
    );
}

#[test]
fn dots_and_objects_are_the_same() {
    let mapping =
        mapping(json!({"a": {"properties": {"b": {"properties": {"c": {"type": "long"}}}}}}));
    for source in [
        r#"{"a":{"b":{"c":1}}}"#,
        r#"{"a.b.c":1}"#,
        r#"{"a.b":{"c":1}}"#,
        r#"{"a":[{"b.c":1}]}"#,
    ] {
        assert_eq!(leaves(&mapping, source), ["a.b.c=1"], "{source}");
    }
}

#[test]
fn flattened_objects_give_their_leaves_keys() {
    let mapping = mapping(json!({"labels": {"type": "flattened"}}));
    assert_eq!(
        leaves(
            &mapping,
            r#"{"labels":{"a":"x","b":{"c":[1,true]}},"labels.d":"y"}"#
        ),
        [
            "labels[a]='x'",
            "labels[b.c]='1'",
            "labels[b.c]='true'",
            "labels[d]='y'"
        ]
    );
}

#[test]
fn unknown_keys_become_fields() {
    let mapping = Mapping::empty(MappingLimits::default());
    assert_eq!(
        leaves(
            &mapping,
            r#"{"@timestamp":"2024-01-01T00:00:00Z","m":"hi","n":[1,2.5],"f":1.5,"b":true,"o":{"x.y":{"z":1}},"e":{},"nil":null}"#
        ),
        [
            "@timestamp=@1704067200000",
            "m=\"hi\"",
            "m.keyword='hi'",
            "n=1f",
            "n=2.5f",
            "f=1.5f",
            "b=true",
            "o.x.y.z=1"
        ]
    );
    let (_, grown) = mapping
        .parse_growing("1", br#"{"e":{},"n":null,"o":{"p":"x"}}"#)
        .unwrap();
    assert_eq!(
        grown.unwrap().render(),
        json!({"properties": {"e": {"type": "object"}, "o": {"properties": {
            "p": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}}}}})
    );
}

#[test]
fn dynamic_rules_are_inherited() {
    let body = json!({"dynamic": "strict", "properties": {"o": {"dynamic": false, "properties": {"k": {"type": "long"}}}, "t": {"dynamic": true, "type": "object"}}});
    let mapping = Mapping::parse_body(&body, MappingLimits::default()).unwrap();
    assert_eq!(
        leaves(&mapping, r#"{"o":{"k":1,"x":{"y":2}},"t":{"z":3}}"#),
        ["o.k=1", "t.z=3"]
    );
    let error = refusal(&mapping, r#"{"new":1}"#);
    assert_eq!(error.kind(), "strict_dynamic_mapping_exception");
    assert_eq!(
        error.reason(),
        "mapping set to strict, dynamic introduction of [new] within [_doc] is not allowed"
    );
}

#[test]
fn templates_for_objects_decide_what_is_inside() {
    let body = json!({"dynamic_templates": [
        {"labels": {"match": "labels", "match_mapping_type": "object", "mapping": {"type": "flattened"}}}
    ]});
    let mapping = Mapping::parse_body(&body, MappingLimits::default()).unwrap();
    assert_eq!(
        leaves(&mapping, r#"{"labels":{"a":"b"}}"#),
        ["labels[a]='b'"]
    );
}

#[test]
fn refusals_are_elasticsearchs() {
    let mapping = mapping(json!({
        "l": {"type": "long"}, "b": {"type": "byte"}, "d": {"type": "date"}, "i": {"type": "ip"}, "f": {"type": "double"},
        "z": {"type": "boolean"}, "o": {"properties": {"x": {"type": "long"}}}, "a": {"type": "alias", "path": "l"},
        "k": {"type": "keyword"}, "c": {"type": "constant_keyword", "value": "x"}
    }));
    let error = refusal(&mapping, r#"{"l":"x"}"#);
    assert_eq!(
        error.object(),
        json!({"type": "mapper_parsing_exception",
            "reason": "failed to parse field [l] of type [long] in document with id '1'. Preview of field's value: 'x'",
            "caused_by": {"type": "illegal_argument_exception", "reason": "For input string: \"x\""}})
    );
    let huge = format!(r#"{{"k":"{}"}}"#, "x".repeat(40_000));
    for (source, part) in [
        (r#"{"b":300}"#, "Value [300] is out of range for a byte"),
        (r#"{"l":1e30}"#, "out of range of `long`"),
        (r#"{"l":18446744073709551615}"#, "out of range of `long`"),
        (
            r#"{"d":"soon"}"#,
            "failed to parse date field [soon] with format [strict_date_optional_time||epoch_millis]",
        ),
        (r#"{"i":"x"}"#, "'x' is not an IP string literal."),
        (r#"{"f":"inf"}"#, "For input string: \"inf\""),
        (
            r#"{"z":"yes"}"#,
            "Failed to parse value [yes] as only [true] or [false] are allowed.",
        ),
        (
            r#"{"o":5}"#,
            "object mapping for [o] tried to parse field [o] as object, but found a concrete value",
        ),
        (
            r#"{"l":{"x":1}}"#,
            "failed to parse field [l] of type [long]",
        ),
        (r#"{"a":1}"#, "Cannot write to a field alias [a]."),
        (r#"{"_id":"1"}"#, "Field [_id] is a metadata field"),
        (r#"{"q..b":1}"#, "makes object resolution ambiguous: [q..b]"),
        (r#"{"":1}"#, "field name cannot be an empty string"),
        (
            r#"{"c":"y"}"#,
            "constant keyword field [c] must have a value of [x]",
        ),
        (r#"{"l":1"#, "EOF while parsing"),
        (r#"[1]"#, "a document must be a JSON object"),
        (r#"{"l":1}x"#, "trailing characters"),
        (huge.as_str(), "immense term in field=\"k\""),
    ] {
        let error = refusal(&mapping, source);
        assert!(
            error
                .body()
                .to_string()
                .replace("\\\"", "\"")
                .contains(part),
            "{source}: {}",
            error.body()
        );
        assert_eq!(error.status(), 400);
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let mapping = Mapping::empty(MappingLimits::default());
    let deep = format!("{}1{}", r#"{"a":"#.repeat(120), "}".repeat(120));
    assert!(mapping.parse_growing("1", deep.as_bytes()).is_err());
    let deep = format!("{}1{}", r#"{"a":"#.repeat(30), "}".repeat(30));
    assert!(
        refusal(&mapping, &deep)
            .reason()
            .contains("Limit of mapping depth [20]")
    );
    let brackets = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(mapping.parse_growing("1", brackets.as_bytes()).is_err());
}

#[test]
fn copies_and_malformed_values_are_kept_apart() {
    let mapping = mapping(json!({
        "a": {"type": "keyword", "copy_to": "all"}, "b": {"type": "long", "copy_to": ["all"], "ignore_malformed": true},
        "all": {"type": "text"}
    }));
    assert_eq!(
        leaves(&mapping, r#"{"a":"x","b":["bad",2]}"#),
        ["a='x'", "all=\"x\"", "all=\"bad\"", "b=2", "all=\"2\""]
    );
}

#[test]
fn texts_are_found_at_their_path() {
    let found = |source: &str, path: &str| {
        let mut found = Vec::new();
        each_text(source.as_bytes(), path, &mut |text| {
            found.push(text.to_owned())
        });
        found
    };
    assert_eq!(
        found(r#"{"a":{"b":["x",{"c":1},2]},"a.b":"y","ab":"z"}"#, "a.b"),
        ["x", "2", "y"]
    );
    assert_eq!(
        found(r#"{"a":[{"b":"x"},{"b":null},{"b":true}]}"#, "a.b"),
        ["x", "true"]
    );
    assert!(found("nonsense", "a").is_empty());
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1000i64..1000).prop_map(Value::from),
        (-10.0f64..10.0).prop_map(Value::from),
        "[a-c ]{1,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::hash_map("[a-c]{1,2}(\\.[a-c])?", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Scalars other than null, as the walk must count them.
fn scalars(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Array(items) => items.iter().map(scalars).sum(),
        Value::Object(members) => members.values().map(scalars).sum(),
        _ => 1,
    }
}

proptest! {
    #[test]
    fn every_scalar_of_a_dynamic_document_is_indexed_once(members in proptest::collection::hash_map("[a-c]{1,2}", json_value(), 0..5)) {
        let source = Value::Object(members.into_iter().collect());
        let text = source.to_string();
        let body = json!({"date_detection": false, "dynamic_templates": [
            {"all": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}]});
        let mapping = Mapping::parse_body(&body, MappingLimits::default()).unwrap();
        // Conflicting types in one document are refused; others are complete.
        if let Ok((leaves, _)) = mapping.parse_growing("1", text.as_bytes()) {
            prop_assert_eq!(leaves.len(), scalars(&source));
        }
        let flat = Mapping::parse_body(&json!({"properties": {"r": {"type": "flattened"}}}), MappingLimits::default()).unwrap();
        let wrapped = json!({"r": source}).to_string();
        let (leaves, _) = flat.parse_growing("1", wrapped.as_bytes()).unwrap();
        prop_assert_eq!(leaves.len(), scalars(&source));
    }

    #[test]
    fn no_text_panics(text in r#"[{}\[\]":,.a-c0-9e\\ -]{0,60}"#) {
        let _ = Mapping::empty(MappingLimits::default()).parse_growing("1", text.as_bytes());
        each_text(text.as_bytes(), "a.b", &mut |_| {});
    }
}
