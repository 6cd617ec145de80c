//! Dashboards and saved views: documents whose inside is the pages' own business.
//!
//! Invariants: a name is one that a watch could have, the inside is a JSON object within limits, and
//! what is kept reads back as what was put.
//! Not here: keeping them, what a page draws from them.

use serde_json::{Value, json};
use wharf_proto::monitor::v1::{Dashboard, SavedView};

use crate::watch::is_name;

/// Largest inside of a dashboard, in bytes of JSON.
pub const MAX_DASHBOARD_BYTES: usize = 256 * 1024;
/// Largest inside of a saved view, in bytes of JSON.
pub const MAX_VIEW_BYTES: usize = 64 * 1024;
const MAX_TITLE: usize = 200;
const MAX_DESCRIPTION: usize = 1_000;
const MAX_DEPTH: usize = 48;

/// Why an object cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct ObjectError {
    /// The field at fault.
    pub field: &'static str,
    /// What is wrong.
    pub message: String,
}

fn wrong(field: &'static str, message: impl Into<String>) -> ObjectError {
    ObjectError {
        field,
        message: message.into(),
    }
}

fn short(field: &'static str, text: &str, max: usize) -> Result<(), ObjectError> {
    if text.chars().count() > max {
        return Err(wrong(field, format!("is longer than {max} characters")));
    }
    Ok(())
}

fn named(name: &str) -> Result<(), ObjectError> {
    if is_name(name) {
        return Ok(());
    }
    Err(wrong(
        "name",
        "must be 1 to 64 of a-z, 0-9, `-`, `_` and `.`, and begin with a letter or digit",
    ))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn inside(text: &str, max: usize) -> Result<Value, ObjectError> {
    if text.len() > max {
        let message = format!("is longer than {max} bytes");
        return Err(wrong("document_json", message));
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|error| wrong("document_json", format!("is no JSON: {error}")))?;
    if !value.is_object() {
        return Err(wrong("document_json", "must be a JSON object"));
    }
    if depth(&value) > MAX_DEPTH {
        let message = format!("is nested deeper than {MAX_DEPTH} levels");
        return Err(wrong("document_json", message));
    }
    Ok(value)
}

/// The document that keeps a dashboard.
///
/// # Errors
/// Names the field that is wrong.
pub fn of_dashboard(dashboard: &Dashboard, at_ms: u64) -> Result<Value, ObjectError> {
    named(&dashboard.name)?;
    short("title", &dashboard.title, MAX_TITLE)?;
    short("description", &dashboard.description, MAX_DESCRIPTION)?;
    Ok(json!({
        "title": dashboard.title,
        "description": dashboard.description,
        "changed_at": wharf_proto::times::rfc3339(at_ms),
        "changed_by": dashboard.changed_by,
        // As a text: the inside is not for searching, and must not fill the mapping.
        "document": inside(&dashboard.document_json, MAX_DASHBOARD_BYTES)?.to_string(),
    }))
}

/// The dashboard that a document keeps; what it lacks is empty.
#[must_use]
pub fn to_dashboard(name: &str, document: &Value) -> Dashboard {
    Dashboard {
        name: name.to_owned(),
        title: text(document, "title"),
        description: text(document, "description"),
        changed_at: time_of(document, "changed_at"),
        changed_by: text(document, "changed_by"),
        document_json: text(document, "document"),
        ..Dashboard::default()
    }
}

/// The document that keeps a saved view.
///
/// # Errors
/// Names the field that is wrong.
pub fn of_view(view: &SavedView, at_ms: u64) -> Result<Value, ObjectError> {
    named(&view.name)?;
    if !is_name(&view.page) {
        return Err(wrong("page", "must be the name of a page, like `logs`"));
    }
    short("title", &view.title, MAX_TITLE)?;
    short("description", &view.description, MAX_DESCRIPTION)?;
    Ok(json!({
        "title": view.title,
        "description": view.description,
        "page": view.page,
        "changed_at": wharf_proto::times::rfc3339(at_ms),
        "document": inside(&view.document_json, MAX_VIEW_BYTES)?.to_string(),
    }))
}

/// The saved view that a document keeps; what it lacks is empty.
#[must_use]
pub fn to_view(name: &str, document: &Value) -> SavedView {
    SavedView {
        name: name.to_owned(),
        title: text(document, "title"),
        description: text(document, "description"),
        page: text(document, "page"),
        changed_at: time_of(document, "changed_at"),
        document_json: text(document, "document"),
        ..SavedView::default()
    }
}

fn text(document: &Value, field: &str) -> String {
    let text = document.get(field).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The time in a field of a document; none when there is none.
pub(crate) fn time_of(document: &Value, field: &str) -> Option<prost_types::Timestamp> {
    let at: jiff::Timestamp = document.get(field)?.as_str()?.parse().ok()?;
    let ms = u64::try_from(at.as_millisecond()).ok()?;
    Some(wharf_proto::times::timestamp(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dashboard(name: &str, document: &str) -> Dashboard {
        Dashboard {
            name: name.to_owned(),
            title: "Hosts".to_owned(),
            document_json: document.to_owned(),
            ..Dashboard::default()
        }
    }

    #[test]
    fn what_is_kept_reads_back() {
        let given = Dashboard {
            changed_by: "ann".to_owned(),
            ..dashboard("hosts", r#"{"panels":[1]}"#)
        };
        let kept = of_dashboard(&given, 1_700_000_000_000).unwrap();
        let read = to_dashboard("hosts", &kept);
        assert_eq!(read.document_json, given.document_json);
        assert_eq!(read.changed_by, "ann");
        assert_eq!(
            read.changed_at,
            Some(wharf_proto::times::timestamp(1_700_000_000_000))
        );
        let view = SavedView {
            name: "errors".to_owned(),
            page: "logs".to_owned(),
            document_json: "{}".to_owned(),
            ..SavedView::default()
        };
        let read = to_view("errors", &of_view(&view, 0).unwrap());
        assert_eq!(
            (read.page.as_str(), read.document_json.as_str()),
            ("logs", "{}")
        );
    }

    #[test]
    fn what_cannot_be_kept_is_refused_by_its_field() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(60), "]".repeat(60));
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_DASHBOARD_BYTES));
        for (name, document, field, word) in [
            ("Hosts", "{}", "name", "a-z"),
            ("hosts", "[]", "document_json", "object"),
            ("hosts", "{", "document_json", "JSON"),
            ("hosts", deep.as_str(), "document_json", "deeper"),
            ("hosts", long.as_str(), "document_json", "longer"),
        ] {
            let error = of_dashboard(&dashboard(name, document), 0).unwrap_err();
            assert_eq!(error.field, field, "{error}");
            assert!(error.message.contains(word), "{error}");
        }
        let view = SavedView {
            name: "errors".to_owned(),
            document_json: "{}".to_owned(),
            ..SavedView::default()
        };
        assert_eq!(of_view(&view, 0).unwrap_err().field, "page");
    }

    proptest! {
        #[test]
        fn any_text_is_an_inside_or_refused(text in "[\\[\\]{}\",:a0 ]{0,40}") {
            if let Ok(kept) = of_dashboard(&dashboard("x", &text), 0) {
                let read: Value = serde_json::from_str(&to_dashboard("x", &kept).document_json).unwrap();
                prop_assert_eq!(read, serde_json::from_str::<Value>(&text).unwrap());
            }
        }
    }
}
