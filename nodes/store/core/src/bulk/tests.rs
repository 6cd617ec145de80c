//! Tests of the bulk parser: good lines are kept, bad ones are named, nothing panics.

use super::*;
use proptest::prelude::*;
use serde_json::json;

/// Operations as text, and how the request ended.
fn read(pieces: &[&[u8]], defaults: &BulkDefaults) -> (Vec<String>, Result<u64, String>) {
    let mut ops = Vec::new();
    let mut reader = BulkReader::new(defaults.clone());
    for piece in pieces {
        let fed = reader.feed(piece, &mut |op| {
            ops.push(format!(
                "{} {}/{} {}{}",
                op.action.kind.name(),
                op.action.index,
                op.action.id.as_deref().unwrap_or("-"),
                String::from_utf8_lossy(op.source),
                op.problem
                    .map(|problem| format!(" !{problem}"))
                    .unwrap_or_default()
            ));
        });
        if let Err(error) = fed {
            return (ops, Err(error.to_string()));
        }
    }
    (ops, reader.finish().map_err(|error| error.to_string()))
}

const BODY: &str = "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\n{\"x\":1}\n{\"create\":{}}\r\n{\"x\":2}\r\n\n{\"delete\":{\"_id\":7}}\n{\"update\":{\"_id\":\"1\",\"retry_on_conflict\":3}}\n{\"doc\":{}}\n";

fn in_b() -> BulkDefaults {
    BulkDefaults {
        index: Some("b".into()),
        ..BulkDefaults::default()
    }
}

#[test]
fn every_kind_of_action_is_read() {
    let (ops, end) = read(&[BODY.as_bytes()], &in_b());
    assert_eq!(
        ops,
        [
            "index a/1 {\"x\":1}",
            "create b/- {\"x\":2}",
            "delete b/7 ",
            "update b/1 {\"doc\":{}}"
        ]
    );
    assert_eq!(end, Ok(4));
}

#[test]
fn what_is_wrong_ends_the_request_and_keeps_what_came_before() {
    let good = "{\"index\":{\"_index\":\"a\"}}\n{}\n";
    for (rest, part) in [
        (
            "{\"index\":{\"_index\":\"a\"}}\n{}",
            "must be terminated by a newline",
        ),
        ("{\"index\":{\"_index\":\"a\"}}\n", "has no document"),
        (
            "{\"foo\":{}}\n{}\n",
            "Malformed action/metadata line [3], expected one of [create, delete, index, update] but found [foo]",
        ),
        (
            "{}\n",
            "Malformed action/metadata line [3], expected FIELD_NAME but found [END_OBJECT]",
        ),
        (
            "[]\n",
            "Malformed action/metadata line [3], expected START_OBJECT",
        ),
        (
            "{\"index\":{\"_index\":\"a\",\"foo\":1}}\n{}\n",
            "Action/metadata line [3] contains an unknown parameter [foo]",
        ),
        (
            "{\"index\":{}}\n{}\n",
            "Validation Failed: 1: index is missing;",
        ),
        (
            "{\"index\":{\"_index\":[]}}\n{}\n",
            "expected a simple value for field [_index]",
        ),
        ("{\"index\":{}\n", "line [3]: EOF"),
    ] {
        let (ops, end) = read(
            &[good.as_bytes(), rest.as_bytes()],
            &BulkDefaults::default(),
        );
        assert!(!ops.is_empty());
        assert!(end.clone().unwrap_err().contains(part), "{rest}: {end:?}");
    }
    assert!(
        read(&[b""], &in_b())
            .1
            .unwrap_err()
            .contains("request body is required")
    );
    assert!(
        read(&[b"\n\n"], &in_b())
            .1
            .unwrap_err()
            .contains("no requests added")
    );
    let long = format!(
        "{{\"index\":{{\"_index\":\"{}\"}}}}\n{{}}\n",
        "a".repeat(ACTION_BYTES_LIMIT)
    );
    assert!(
        read(&[long.as_bytes()], &in_b())
            .1
            .unwrap_err()
            .contains("line [1], it is longer")
    );
    assert!(
        read(&[&long.as_bytes()[..ACTION_BYTES_LIMIT + 1]], &in_b())
            .1
            .unwrap_err()
            .contains("line [1], it is longer")
    );
}

#[test]
fn what_is_wrong_with_one_item_is_its_own() {
    let id = "i".repeat(513);
    let body = format!(
        "{{\"index\":{{\"_id\":\"{id}\"}}}}\n{{}}\n{{\"delete\":{{}}}}\n{{\"index\":{{\"_id\":\"\"}}}}\n{{}}\n{{\"index\":{{\"pipeline\":\"p\"}}}}\n{{}}\n{{\"index\":{{\"pipeline\":\"_none\"}}}}\n{{}}\n{{\"index\":{{}}}}\n \n"
    );
    let (ops, end) = read(&[body.as_bytes()], &in_b());
    assert_eq!(end, Ok(6));
    for (op, part) in ops.iter().zip([
        "is too long",
        "id is missing",
        "must not be empty",
        "pipeline with id [p] does not exist",
        "index b/- {}",
        "document is empty",
    ]) {
        assert!(op.contains(part), "{op}");
    }
}

#[test]
fn a_document_beyond_the_limit_is_skipped() {
    let head = b"{\"index\":{}}\n{\"x\":\"";
    let block = vec![b'x'; DOCUMENT_BYTES_LIMIT / 4];
    let tail = b"\"}\n{\"index\":{}}\n{\"y\":1}\n";
    let (ops, end) = read(
        &[head, &block, &block, &block, &block, &block, tail],
        &in_b(),
    );
    assert_eq!(end, Ok(2));
    assert!(
        ops[0].contains("larger than the limit") && ops[1].ends_with("{\"y\":1}"),
        "{ops:?}"
    );
}

#[test]
fn answers_have_elasticsearchs_order() {
    let mut out = Vec::new();
    let done = ItemDone {
        result: "created",
        version: 1,
        seq_no: 4,
        primary_term: 1,
    };
    write_item_ok(&mut out, OpKind::Create, "a\"b", "1", done);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"create":{"_index":"a\"b","_id":"1","_version":1,"result":"created","_shards":{"total":1,"successful":1,"failed":0},"_seq_no":4,"_primary_term":1,"status":201}}"#
    );
    let mut out = Vec::new();
    write_item_error(
        &mut out,
        OpKind::Index,
        "a",
        None,
        &EsError::index_not_found("a"),
    );
    let item: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(item["index"]["status"], 404);
    assert_eq!(item["index"]["_id"], Value::Null);
    assert_eq!(item["index"]["error"]["type"], "index_not_found_exception");
}

#[test]
fn updates_merge_objects_and_replace_the_rest() {
    let update = parse_update(br#"{"doc":{"a":{"y":2},"b":[3]},"doc_as_upsert":true}"#).unwrap();
    assert_eq!(update.upsert, update.doc);
    let (merged, changed) = merge_source(
        br#"{"a":{"x":1},"b":[1,2],"c":null}"#,
        update.doc.as_ref().unwrap(),
    )
    .unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&merged).unwrap(),
        json!({"a": {"x": 1, "y": 2}, "b": [3], "c": null})
    );
    assert!(changed);
    assert!(
        !merge_source(&merged, update.doc.as_ref().unwrap())
            .unwrap()
            .1
    );
    for (body, part) in [
        (r#"{"script":"x"}"#, "[script] is not supported"),
        (r#"{"upsert":{}}"#, "script or doc is missing"),
        (r#"{"doc":1}"#, "doc must be an object"),
        (r#"{"foo":1}"#, "unknown field [foo]"),
        (r#"{"doc_as_upsert":true}"#, "doc must be specified"),
        ("[", "EOF"),
    ] {
        assert!(
            parse_update(body.as_bytes())
                .unwrap_err()
                .to_string()
                .contains(part),
            "{body}"
        );
    }
}

proptest! {
    #[test]
    fn pieces_of_any_size_give_the_same_operations(cuts in proptest::collection::vec(0usize..BODY.len(), 0..12)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts {
            pieces.push(&BODY.as_bytes()[start..cut.max(start)]);
            start = cut.max(start);
        }
        pieces.push(&BODY.as_bytes()[start..]);
        prop_assert_eq!(read(&pieces, &in_b()), read(&[BODY.as_bytes()], &in_b()));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in r#"([{}\[\]":,a-z\n]|index|_id|update){0,40}"#) {
        let _ = read(&[&bytes], &in_b());
        let _ = read(&[text.as_bytes()], &in_b());
        let _ = parse_update(text.as_bytes());
    }
}
