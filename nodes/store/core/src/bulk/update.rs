//! The body of an update, and the merge of a partial document into the one that is there.
//! Invariants: objects are merged key by key, everything else is replaced; the order of known keys is kept; scripts are
//! refused. Not here: finding the document, conflicts.

use crate::error::{EsError, EsResult};
use serde_json::{Map, Value};

/// What an update asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateBody {
    /// The partial document.
    pub doc: Option<Map<String, Value>>,
    /// The document to write when there is none.
    pub upsert: Option<Map<String, Value>>,
    /// Whether an update that changes nothing writes nothing.
    pub detect_noop: bool,
    /// Whether the answer holds the source.
    pub want_source: bool,
}

/// Reads the body of `_update` or the line behind an `update` action.
///
/// # Errors
/// `illegal_argument_exception` for scripts, `x_content_parse_exception` for what is no update.
pub fn parse_update(body: &[u8]) -> EsResult<UpdateBody> {
    let value: Value = serde_json::from_slice(body).map_err(|error| EsError::malformed(&error))?;
    let Value::Object(members) = value else {
        return Err(EsError::json_parse("[UpdateRequest] Expected START_OBJECT"));
    };
    let mut update = UpdateBody {
        doc: None,
        upsert: None,
        detect_noop: true,
        want_source: false,
    };
    let mut doc_as_upsert = false;
    for (name, value) in members {
        let flag = || match &value {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(EsError::json_parse(format!(
                "[UpdateRequest] {name} must be true or false"
            ))),
        };
        match (name.as_str(), &value) {
            ("doc", Value::Object(doc)) => update.doc = Some(doc.clone()),
            ("upsert", Value::Object(doc)) => update.upsert = Some(doc.clone()),
            ("doc_as_upsert", _) => doc_as_upsert = flag()?,
            ("detect_noop", _) => update.detect_noop = flag()?,
            ("_source", Value::Bool(wanted)) => update.want_source = *wanted,
            ("_source", _) => update.want_source = true,
            ("script" | "scripted_upsert", _) => {
                return Err(
                    EsError::unsupported("script").with("script_stack", Value::Array(Vec::new()))
                );
            }
            ("doc" | "upsert", _) => {
                return Err(EsError::json_parse(format!(
                    "[UpdateRequest] {name} must be an object"
                )));
            }
            _ => {
                return Err(EsError::json_parse(format!(
                    "[UpdateRequest] unknown field [{name}]"
                )));
            }
        }
    }
    if doc_as_upsert {
        if update.doc.is_none() {
            return Err(EsError::action_request_validation(
                "Validation Failed: 1: doc must be specified if doc_as_upsert is enabled;",
            ));
        }
        update.upsert.clone_from(&update.doc);
    }
    if update.doc.is_none() {
        return Err(EsError::action_request_validation(
            "Validation Failed: 1: script or doc is missing;",
        ));
    }
    Ok(update)
}

/// The document with a partial one merged in, and whether that changed it.
///
/// # Errors
/// When the document that is there is no JSON object.
pub fn merge_source(source: &[u8], partial: &Map<String, Value>) -> EsResult<(Vec<u8>, bool)> {
    let mut document: Map<String, Value> = serde_json::from_slice(source).map_err(|error| {
        EsError::internal(format!("the stored document cannot be read: {error}"))
    })?;
    let changed = merge(&mut document, partial);
    Ok((Value::Object(document).to_string().into_bytes(), changed))
}

fn merge(document: &mut Map<String, Value>, partial: &Map<String, Value>) -> bool {
    let mut changed = false;
    for (name, new) in partial {
        match (document.get_mut(name), new) {
            (Some(Value::Object(old)), Value::Object(new)) => changed |= merge(old, new),
            (Some(old), new) if old == new => {}
            (Some(old), new) => {
                *old = new.clone();
                changed = true;
            }
            (None, new) => {
                document.insert(name.clone(), new.clone());
                changed = true;
            }
        }
    }
    changed
}
