//! Lines of the platform's own roles, which are structured: the proxy's access log, and the JSON of
//! every role's log.
//!
//! Invariants: only what is known is taken over, so that a line cannot add fields of its own or
//! overwrite where it came from; what is not of a known form is nothing, and stays a plain line.
//! Not here: whether a container is a role of this platform (`envelope`), the document (`document`).

use serde_json::{Map, Value};

use super::level::exact;
use crate::container::cut;

/// The dataset of the proxy's access log.
pub const ACCESS_DATASET: &str = "wharf.access";
/// Members of an access line that its document takes over.
const ACCESS_MEMBERS: [&str; 6] = ["event", "http", "url", "source", "user_agent", "error"];
/// Members of its `wharf`.
const ABOUT_MEMBERS: [&str; 4] = ["deployment", "resource", "instance", "upstream"];
/// Longest text that is made of an event and its fields, bytes.
const MAX_MESSAGE: usize = 64 << 10;

/// A request, as the proxy wrote it down.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// When it began, milliseconds since 1970.
    pub at_ms: i64,
    /// Members at the root: `http`, `url`, `event` and the like.
    pub root: Value,
    /// Members inside `wharf`: which deployment, resource, instance; how long the instance took.
    pub about: Value,
    /// `error` where the answer was 500 or above.
    pub level: Option<&'static str>,
}

/// What a role logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleEvent {
    /// What happened, with its fields behind it.
    pub message: String,
    /// Lower-case.
    pub level: Option<&'static str>,
    /// The part of the program, `wharf_proxy::route_task`.
    pub logger: String,
}

/// Reads a line of the access log; nothing when it is another line.
#[must_use]
pub fn access(message: &str) -> Option<Access> {
    let line = object(message)?;
    let event = line.get("event")?;
    if event.get("dataset")?.as_str()? != ACCESS_DATASET {
        return None;
    }
    // What a search by status and deployment cannot do without.
    line.get("http")?
        .pointer("/response/status_code")?
        .as_u64()?;
    let at: jiff::Timestamp = line.get("@timestamp")?.as_str()?.parse().ok()?;
    let mut root = chosen(&line, &ACCESS_MEMBERS);
    if let Some(Value::Object(event)) = root.get_mut("event") {
        event.insert("module".to_owned(), "wharf".into());
    }
    let about = line.get("wharf").and_then(Value::as_object);
    Some(Access {
        at_ms: at.as_millisecond(),
        root: Value::Object(root),
        about: Value::Object(about.map_or_else(Map::new, |all| chosen(all, &ABOUT_MEMBERS))),
        level: line
            .get("log")
            .and_then(|log| log.get("level"))
            .and_then(Value::as_str)
            .and_then(exact),
    })
}

/// Reads a line of a role's log in JSON; nothing when it is another line.
#[must_use]
pub fn role_event(message: &str) -> Option<RoleEvent> {
    let line = object(message)?;
    let text = |key: &str| line.get(key).and_then(Value::as_str);
    let (level, logger) = (text("level")?, text("target")?);
    let mut said = text("message").unwrap_or_default().to_owned();
    for (key, value) in &line {
        if ["timestamp", "level", "target", "message", "span", "spans"].contains(&key.as_str()) {
            continue;
        }
        if said.len() > MAX_MESSAGE {
            break;
        }
        if !said.is_empty() {
            said.push(' ');
        }
        said.push_str(key);
        said.push('=');
        match value {
            Value::String(value) => said.push_str(value),
            other => said.push_str(&other.to_string()),
        }
    }
    Some(RoleEvent {
        message: cut(&said, MAX_MESSAGE).to_owned(),
        level: exact(level),
        logger: cut(logger, 256).to_owned(),
    })
}

fn object(message: &str) -> Option<Map<String, Value>> {
    if !message.starts_with('{') {
        return None;
    }
    serde_json::from_str(message).ok()
}

/// The named members that are objects.
fn chosen(from: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let members = names.iter().filter_map(|name| {
        let value = from.get(*name).filter(|value| value.is_object())?;
        Some(((*name).to_owned(), value.clone()))
    });
    members.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn line() -> Value {
        json!({
            "@timestamp": "2026-01-01T00:00:00.000Z", "ecs": {"version": "0"}, "host": {"name": "forged"},
            "log": {"level": "error"}, "event": {"dataset": "wharf.access", "duration": 7},
            "http": {"request": {"method": "GET"}, "response": {"status_code": 503}},
            "url": {"path": "/a/_search", "prefix": "/a"}, "source": "no object",
            "wharf": {"platform": {"id": "forged"}, "deployment": {"id": "d", "name": "web"}},
        })
    }

    #[test]
    fn an_access_line_gives_what_is_known_and_nothing_else() {
        let access = access(&line().to_string()).unwrap();
        assert_eq!(access.at_ms, 1_767_225_600_000);
        assert_eq!(access.level, Some("error"));
        assert_eq!(
            access.root,
            json!({
                "event": {"dataset": "wharf.access", "duration": 7, "module": "wharf"},
                "http": {"request": {"method": "GET"}, "response": {"status_code": 503}},
                "url": {"path": "/a/_search", "prefix": "/a"},
            })
        );
        assert_eq!(
            access.about,
            json!({"deployment": {"id": "d", "name": "web"}})
        );
    }

    #[test]
    fn another_line_is_no_access_line() {
        let mut other = line();
        other["event"]["dataset"] = json!("shop.access");
        assert_eq!(access(&other.to_string()), None);
        let mut untyped = line();
        untyped["http"]["response"]["status_code"] = json!("503");
        assert_eq!(access(&untyped.to_string()), None);
        assert_eq!(access("GET / 200"), None);
    }

    #[test]
    fn a_roles_event_is_its_message_with_its_fields() {
        let line = r#"{"timestamp":"2026-01-01T00:00:00Z","level":"WARN","message":"the table is old",
            "age_ms":5,"why":"no director","target":"wharf_proxy::route_task","span":{"name":"x"}}"#;
        let event = role_event(line).unwrap();
        assert_eq!(event.message, "the table is old age_ms=5 why=no director");
        assert_eq!(
            (event.level, event.logger.as_str()),
            (Some("warn"), "wharf_proxy::route_task")
        );
        assert_eq!(role_event(r#"{"level":"info","msg":"x"}"#), None);
    }

    proptest! {
        #[test]
        fn any_line_is_survived(line in ".{0,300}", field in "[a-z]{1,8}", value: i64) {
            let _ = access(&line);
            let _ = role_event(&line);
            let shaped = json!({"level": line, "target": line, field: value}).to_string();
            if let Some(event) = role_event(&shaped) {
                prop_assert!(event.message.len() <= MAX_MESSAGE);
            }
        }
    }
}
