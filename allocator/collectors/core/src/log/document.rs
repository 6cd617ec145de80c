//! A log line → its document.
//!
//! Invariants: the id comes from the line's position (container, file, offset) and the time the
//! engine wrote, so a line read twice has one id, and a reused inode does not give a second line
//! the id of the first.
//! Not here: which file, which container.

use super::LogLine;
use super::level::level;
use super::own::{self, ACCESS_DATASET, Access};
use crate::container::PlatformRole;
use crate::document::{Document, position_id, push_json, push_time};
use crate::envelope::{ContainerContext, Envelope, push_members};

/// The data stream of containers' lines.
pub const CONTAINER_STREAM: &str = "logs-docker.container-default";

/// The data stream of the proxies' access logs.
pub const ACCESS_STREAM: &str = "logs-wharf.access-default";

/// The data stream of the engine's own lines.
pub const ENGINE_STREAM: &str = "logs-docker.engine-default";

/// The file that a line was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogFile<'a> {
    /// Its path as the engine names it.
    pub path: &'a str,
    /// Device and inode: the same file under another name has the same.
    pub identity: (u64, u64),
}

/// The document of one line of a container. A request that a proxy of this platform wrote down
/// becomes a document of [`ACCESS_STREAM`], an event of a role its message and level; every other
/// line is shipped as it is.
pub fn container_line(
    envelope: &Envelope,
    container: &ContainerContext,
    file: LogFile<'_>,
    line: &LogLine,
) -> Document {
    let role = container.role_of(envelope);
    if role == Some(PlatformRole::Proxy)
        && let Some(access) = own::access(&line.message)
    {
        return access_line(envelope, container, file, line, &access);
    }
    let event = role.and_then(|_| own::role_event(&line.message));
    let mut out = start(
        line.at_ms,
        ("docker", "docker.container"),
        line.message.len(),
    );
    envelope.write(&mut out, None, Some(container));
    out.push(b',');
    out.extend_from_slice(container.container_with_labels());
    out.extend_from_slice(b"},");
    if !container.service_name().is_empty() {
        out.extend_from_slice(b"\"service\":{");
        out.extend_from_slice(container.service_name());
        out.extend_from_slice(b"},");
    }
    out.extend_from_slice(b"\"stream\":\"");
    out.extend_from_slice(line.stream.as_bytes());
    out.extend_from_slice(b"\",\"input\":{\"type\":\"container\"},");
    push_log(
        &mut out,
        file.path,
        line.offset,
        match &event {
            Some(event) => event.level,
            None => level(&line.message),
        },
        event.as_ref().map(|event| event.logger.as_str()),
        line.is_partial,
    );
    if let Some(error) = line.error {
        out.extend_from_slice(b",\"error\":{\"type\":\"json\",\"message\":");
        push_json(&mut out, error);
        out.push(b'}');
    }
    push_message(
        &mut out,
        event.as_ref().map_or(&line.message, |event| &event.message),
    );
    let id = line_id(container.id(), file, line.offset, &line.time);
    Document {
        stream: CONTAINER_STREAM.to_owned(),
        id,
        body: out,
    }
}

/// The document of a request. Its time is the request's; its id is the line's position.
fn access_line(
    envelope: &Envelope,
    container: &ContainerContext,
    file: LogFile<'_>,
    line: &LogLine,
    access: &Access,
) -> Document {
    let mut out = Vec::with_capacity(2048);
    push_stream(&mut out, access.at_ms, ACCESS_DATASET);
    envelope.write_about(&mut out, None, Some(container), Some(&access.about));
    out.push(b',');
    out.extend_from_slice(container.container_open());
    out.extend_from_slice(b"},\"service\":{");
    out.extend_from_slice(container.service_name());
    out.extend_from_slice(b"},\"input\":{\"type\":\"container\"},");
    push_log(
        &mut out,
        file.path,
        line.offset,
        access.level,
        None,
        line.is_partial,
    );
    push_members(&mut out, Some(&access.root));
    out.push(b'}');
    Document {
        stream: ACCESS_STREAM.to_owned(),
        id: line_id(container.id(), file, line.offset, &line.time),
        body: out,
    }
}

/// The document of one line of the engine's own log (`time="…" level=info msg="…"`).
pub fn engine_line(
    envelope: &Envelope,
    file: LogFile<'_>,
    offset: u64,
    raw: &[u8],
    now_ms: i64,
) -> Option<Document> {
    let raw = &raw[..raw.len().min(super::decode::MAX_LINE_BYTES)];
    let text = String::from_utf8_lossy(raw);
    let text = text.trim_end();
    if text.is_empty() {
        return None;
    }
    let time = own_time(text);
    let at_ms = parsed_ms(time).unwrap_or(now_ms);
    let mut out = start(at_ms, ("docker", "docker.engine"), text.len());
    envelope.write(&mut out, None, None);
    out.extend_from_slice(b",\"service\":{\"type\":\"docker\"},\"input\":{\"type\":\"log\"},");
    push_log(&mut out, file.path, offset, level(text), None, false);
    push_message(&mut out, text);
    let id = line_id(envelope.host_id(), file, offset, time);
    Some(Document {
        stream: ENGINE_STREAM.to_owned(),
        id,
        body: out,
    })
}

/// The time that an engine wrote into its line, empty without one.
pub(super) fn own_time(text: &str) -> &str {
    text.find("time=\"")
        .and_then(|at| text[at + 6..].split('"').next())
        .unwrap_or("")
}

pub(super) fn parsed_ms(time: &str) -> Option<i64> {
    let at: jiff::Timestamp = time.parse().ok()?;
    Some(at.as_millisecond())
}

pub(super) fn start(at_ms: i64, (module, dataset): (&str, &str), message_bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(1280 + message_bytes);
    push_stream(&mut out, at_ms, dataset);
    out.extend_from_slice(b"\"event\":{\"module\":\"");
    out.extend_from_slice(module.as_bytes());
    out.extend_from_slice(b"\",\"dataset\":\"");
    out.extend_from_slice(dataset.as_bytes());
    out.extend_from_slice(b"\"},");
    out
}

fn push_stream(out: &mut Vec<u8>, at_ms: i64, dataset: &str) {
    out.extend_from_slice(b"{\"@timestamp\":\"");
    push_time(out, at_ms);
    out.extend_from_slice(b"\",\"data_stream\":{\"type\":\"logs\",\"dataset\":\"");
    out.extend_from_slice(dataset.as_bytes());
    out.extend_from_slice(b"\",\"namespace\":\"default\"},");
}

fn push_log(
    out: &mut Vec<u8>,
    path: &str,
    offset: u64,
    level: Option<&str>,
    logger: Option<&str>,
    partial: bool,
) {
    out.extend_from_slice(b"\"log\":{\"offset\":");
    out.extend_from_slice(offset.to_string().as_bytes());
    out.extend_from_slice(b",\"file\":{\"path\":");
    push_json(out, path);
    out.push(b'}');
    if let Some(level) = level {
        out.extend_from_slice(b",\"level\":\"");
        out.extend_from_slice(level.as_bytes());
        out.push(b'"');
    }
    if let Some(logger) = logger {
        out.extend_from_slice(b",\"logger\":");
        push_json(out, logger);
    }
    if partial {
        out.extend_from_slice(b",\"flags\":[\"truncated\"]");
    }
    out.push(b'}');
}

pub(super) fn push_message(out: &mut Vec<u8>, message: &str) {
    out.extend_from_slice(b",\"message\":");
    push_json(out, message);
    out.push(b'}');
}

fn line_id(owner: &str, file: LogFile<'_>, offset: u64, time: &str) -> String {
    position_id(&[
        owner.as_bytes(),
        &file.identity.0.to_le_bytes(),
        &file.identity.1.to_le_bytes(),
        &offset.to_le_bytes(),
        time.as_bytes(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{ContainerMeta, NamedId};
    use crate::envelope::{AgentFacts, HostFacts};
    use proptest::prelude::*;
    use serde_json::Value;

    fn envelope() -> Envelope {
        let platform = NamedId {
            id: "p".into(),
            name: "wharf".into(),
        };
        Envelope::new(
            &HostFacts::default(),
            &AgentFacts::default(),
            &platform,
            "z",
            "",
        )
    }

    fn container() -> ContainerContext {
        ContainerContext::new(&ContainerMeta {
            id: "c1".into(),
            image: "shop:1".into(),
            ..ContainerMeta::default()
        })
    }

    const FILE: LogFile<'static> = LogFile {
        path: "/c1-json.log",
        identity: (1, 2),
    };

    #[test]
    fn a_line_has_its_place_its_level_and_its_application() {
        let line = LogLine {
            offset: 85,
            stream: "stderr",
            message: "level=warn msg=\"a\tb\"".into(),
            ..LogLine::default()
        };
        let document = container_line(&envelope(), &container(), FILE, &line);
        let body: Value = serde_json::from_slice(&document.body).unwrap();
        assert_eq!(body["log"]["offset"], 85);
        assert_eq!(body["log"]["level"], "warn");
        assert_eq!(body["service"]["name"], "shop");
        assert_eq!(body["message"], line.message);
        assert_eq!(body["data_stream"]["dataset"], "docker.container");
    }

    fn role(platform: &str, role: &str) -> ContainerContext {
        let label = |key: &str, value: &str| (format!("io.wharfinger.{key}"), value.to_owned());
        ContainerContext::new(&ContainerMeta {
            id: "c2".into(),
            labels: [label("platform", platform), label("role", role)].into(),
            ..ContainerMeta::default()
        })
    }

    #[test]
    fn a_request_of_our_proxy_becomes_a_document_of_its_own() {
        let line = LogLine {
            offset: 9,
            message: r#"{"@timestamp":"2026-01-01T00:00:00.500Z","log":{"level":"error"},"event":{"dataset":"wharf.access","duration":1500},"http":{"request":{"method":"GET"},"response":{"status_code":503}},"url":{"path":"/_search"},"wharf":{"deployment":{"id":"d","name":"web"},"resource":{"id":"r","name":"storage"},"upstream":{"duration":9}}}"#.into(),
            ..LogLine::default()
        };
        let document = container_line(&envelope(), &role("p", "proxy"), FILE, &line);
        let body: Value = serde_json::from_slice(&document.body).unwrap();
        assert_eq!(document.stream, "logs-wharf.access-default");
        assert_eq!(body["@timestamp"], "2026-01-01T00:00:00.500Z");
        assert_eq!(body["data_stream"]["dataset"], "wharf.access");
        assert_eq!(body["http"]["response"]["status_code"], 503);
        assert_eq!(body["event"]["duration"], 1500);
        assert_eq!(body["wharf"]["platform"]["id"], "p");
        assert_eq!(body["wharf"]["deployment"]["name"], "web");
        assert_eq!(body["wharf"]["resource"]["name"], "storage");
        assert_eq!(body["wharf"]["upstream"]["duration"], 9);
        assert_eq!(body["service"]["name"], "wharf-proxy");
        assert_eq!(body["log"]["level"], "error");
        for other in [role("q", "proxy"), role("p", "director"), container()] {
            let document = container_line(&envelope(), &other, FILE, &line);
            assert_eq!(
                document.stream, CONTAINER_STREAM,
                "the line of somebody else"
            );
        }
    }

    #[test]
    fn an_event_of_a_role_has_its_message_level_and_part_of_the_program() {
        let line = LogLine {
            stream: "stderr",
            message: r#"{"timestamp":"x","level":"WARN","message":"slow","ms":4,"target":"wharf_director::raft"}"#.into(),
            ..LogLine::default()
        };
        let document = container_line(&envelope(), &role("p", "director"), FILE, &line);
        let body: Value = serde_json::from_slice(&document.body).unwrap();
        assert_eq!(document.stream, CONTAINER_STREAM);
        assert_eq!(body["message"], "slow ms=4");
        assert_eq!(body["log"]["level"], "warn");
        assert_eq!(body["log"]["logger"], "wharf_director::raft");
        assert_eq!(body["service"]["name"], "wharf-director");
    }

    #[test]
    fn the_engines_line_is_dated_by_itself() {
        let raw = b"time=\"2026-11-23T20:34:10.206123456Z\" level=error msg=\"x\"";
        let document = engine_line(&envelope(), FILE, 0, raw, 5).unwrap();
        let body: Value = serde_json::from_slice(&document.body).unwrap();
        assert_eq!(body["@timestamp"], "2026-11-23T20:34:10.206Z");
        assert_eq!(body["log"]["level"], "error");
        assert_eq!(document.stream, ENGINE_STREAM);
    }

    #[test]
    fn a_reused_inode_does_not_reuse_an_id() {
        let line = |time: &str| LogLine {
            time: time.into(),
            ..LogLine::default()
        };
        let id = |time: &str| container_line(&envelope(), &container(), FILE, &line(time)).id;
        assert_eq!(id("a"), id("a"));
        assert_ne!(id("a"), id("b"));
    }

    proptest! {
        #[test]
        fn any_message_gives_one_line_of_json(message in ".{0,200}", raw: Vec<u8>) {
            let line = LogLine { message: message.clone(), stream: "stdout", ..LogLine::default() };
            let document = container_line(&envelope(), &container(), FILE, &line);
            prop_assert!(!document.body.contains(&b'\n'));
            let body: Value = serde_json::from_slice(&document.body).unwrap();
            prop_assert_eq!(body["message"].as_str(), Some(message.as_str()));
            if let Some(document) = engine_line(&envelope(), FILE, 0, &raw, 5) {
                prop_assert!(serde_json::from_slice::<Value>(&document.body).is_ok());
            }
        }
    }
}
