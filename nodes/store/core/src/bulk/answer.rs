//! The items of a `_bulk` answer, written straight into the body.
//! Invariants: one key per item, in Elasticsearch's order of members; an integer `status` last.
//! Not here: `took`, `errors` and the brackets around the items.

use super::OpKind;
use crate::error::EsError;
use serde_json::{Value, json};

/// How an operation ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemDone {
    /// `created`, `updated`, `deleted`, `not_found` or `noop`.
    pub result: &'static str,
    /// `_version`.
    pub version: u64,
    /// `_seq_no`.
    pub seq_no: u64,
    /// `_primary_term`.
    pub primary_term: u64,
}

impl ItemDone {
    /// The HTTP status of the item.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.result {
            "created" => 201,
            "not_found" => 404,
            _ => 200,
        }
    }

    /// The members that `_doc` and `_bulk` answers share, without the status.
    #[must_use]
    pub fn body(&self, index: &str, id: &str) -> Value {
        json!({
            "_index": index,
            "_id": id,
            "_version": self.version,
            "result": self.result,
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "_seq_no": self.seq_no,
            "_primary_term": self.primary_term,
        })
    }
}

/// Writes an item that was done.
pub fn write_item_ok(out: &mut Vec<u8>, kind: OpKind, index: &str, id: &str, done: ItemDone) {
    out.extend_from_slice(b"{\"");
    out.extend_from_slice(kind.name().as_bytes());
    out.extend_from_slice(b"\":{\"_index\":");
    text(out, index);
    out.extend_from_slice(b",\"_id\":");
    text(out, id);
    let rest = format!(
        ",\"_version\":{},\"result\":\"{}\",\"_shards\":{{\"total\":1,\"successful\":1,\"failed\":0}},\"_seq_no\":{},\"_primary_term\":{},\"status\":{}}}}}",
        done.version,
        done.result,
        done.seq_no,
        done.primary_term,
        done.status()
    );
    out.extend_from_slice(rest.as_bytes());
}

/// Writes an item that was refused.
pub fn write_item_error(
    out: &mut Vec<u8>,
    kind: OpKind,
    index: &str,
    id: Option<&str>,
    error: &EsError,
) {
    let item = json!({kind.name(): {
        "_index": index,
        "_id": id,
        "status": error.status(),
        "error": error.object(),
    }});
    out.extend_from_slice(item.to_string().as_bytes());
}

fn text(out: &mut Vec<u8>, value: &str) {
    let plain = value
        .bytes()
        .all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    } else {
        out.extend_from_slice(Value::from(value).to_string().as_bytes());
    }
}
