//! An entry of systemd's journal → the document of a line of the engine's log.
//!
//! Invariants: the stream and the fields of a line are those of the engine's log file; what the
//! journal adds is named as Filebeat's input for it names it; the id comes from the entry's place in
//! the writer's numbering, so it is the same from whatever file the entry is read; a document has a
//! limited size; what could not be read is said in it.
//! Not here: the journal's files (`crate::journald`).

use serde_json::{Map, Value, json};

use super::decode::MAX_LINE_BYTES;
use super::document::{ENGINE_STREAM, own_time, parsed_ms, push_message, start};
use super::level::level;
use crate::container::cut;
use crate::document::{Document, position_id, push_json};
use crate::envelope::{Envelope, push_members};
use crate::journald::{Entry, Header};

/// Fields of the journal and where they go. Numbers where the last member says so.
const FIELDS: [(&str, &[&str], bool); 30] = [
    ("PRIORITY", &["log", "syslog", "priority"], true),
    (
        "SYSLOG_FACILITY",
        &["log", "syslog", "facility", "code"],
        true,
    ),
    ("SYSLOG_IDENTIFIER", &["log", "syslog", "appname"], false),
    ("SYSLOG_PID", &["log", "syslog", "procid"], false),
    ("_PID", &["journald", "pid"], true),
    ("_UID", &["journald", "uid"], true),
    ("_GID", &["journald", "gid"], true),
    ("_COMM", &["journald", "process", "name"], false),
    ("_EXE", &["journald", "process", "executable"], false),
    ("_CMDLINE", &["journald", "process", "command_line"], false),
    (
        "_CAP_EFFECTIVE",
        &["journald", "process", "capabilities"],
        false,
    ),
    ("_BOOT_ID", &["journald", "host", "boot_id"], false),
    ("CODE_FILE", &["journald", "code", "file"], false),
    ("CODE_FUNC", &["journald", "code", "func"], false),
    ("CODE_LINE", &["journald", "code", "line"], true),
    ("_SYSTEMD_CGROUP", &["systemd", "cgroup"], false),
    (
        "_SYSTEMD_INVOCATION_ID",
        &["systemd", "invocation_id"],
        false,
    ),
    ("_SYSTEMD_OWNER_UID", &["systemd", "owner_uid"], false),
    ("_SYSTEMD_SESSION", &["systemd", "session"], false),
    ("_SYSTEMD_SLICE", &["systemd", "slice"], false),
    ("_SYSTEMD_UNIT", &["systemd", "unit"], false),
    ("_SYSTEMD_USER_SLICE", &["systemd", "user_slice"], false),
    ("_SYSTEMD_USER_UNIT", &["systemd", "user_unit"], false),
    ("_TRANSPORT", &["systemd", "transport"], false),
    ("UNIT", &["journald", "custom", "unit"], false),
    ("MESSAGE_ID", &["journald", "custom", "message_id"], false),
    (
        "INVOCATION_ID",
        &["journald", "custom", "invocation_id"],
        false,
    ),
    ("JOB_TYPE", &["journald", "custom", "job_type"], false),
    ("JOB_RESULT", &["journald", "custom", "job_result"], false),
    ("EXIT_STATUS", &["journald", "custom", "exit_status"], false),
];

/// The most bytes of a field that is not the message.
const MAX_VALUE_BYTES: usize = 1024;

/// The document of one entry; `path` is the file that it is in, as the host names it. `None` for an
/// entry that says nothing.
pub fn engine_entry(
    envelope: &Envelope,
    path: &str,
    header: &Header,
    entry: &Entry,
) -> Option<Document> {
    let message = entry.get("MESSAGE");
    let raw = message.map_or(&[][..], |field| &field.value);
    let text = String::from_utf8_lossy(&raw[..raw.len().min(MAX_LINE_BYTES)]);
    let text = text.trim_end();
    // A field whose name is not known may have been the message.
    let unread = entry.unread.first().copied();
    if text.is_empty() && unread.is_none() {
        return None;
    }
    let text = if text.is_empty() {
        "(its message could not be read)"
    } else {
        text
    };
    let written_us = entry
        .text("_SOURCE_REALTIME_TIMESTAMP")
        .and_then(|text| text.parse().ok())
        .unwrap_or(entry.realtime_us);
    let written_ms = i64::try_from(written_us / 1000).unwrap_or(i64::MAX);
    let at_ms = parsed_ms(own_time(text)).unwrap_or(written_ms);

    let mut out = start(at_ms, ("docker", "docker.engine"), text.len());
    envelope.write(&mut out, None, None);
    out.extend_from_slice(b",\"service\":{\"type\":\"docker\"},\"input\":{\"type\":\"journald\"}");
    let mut log = json!({ "offset": entry.offset, "file": { "path": path } });
    // The line itself knows best: what a service prints has one priority whatever it says.
    if let Some(level) = level(text).or_else(|| priority(entry)) {
        log["level"] = level.into();
    }
    if message.is_some_and(|field| field.is_cut) || raw.len() > MAX_LINE_BYTES {
        log["flags"] = json!(["truncated"]);
    }
    let mut root = json!({ "log": log });
    for (name, place, is_number) in FIELDS {
        if let Some(value) = entry.text(name).and_then(|text| value(text, is_number)) {
            put(&mut root, place, value);
        }
    }
    push_members(&mut out, Some(&root));
    if let Some(why) = unread {
        out.extend_from_slice(b",\"error\":{\"type\":\"journald\",\"message\":");
        push_json(&mut out, why);
        out.push(b'}');
    }
    push_message(&mut out, text);
    let id = position_id(&[
        envelope.host_id().as_bytes(),
        &header.seqnum_id,
        &entry.seqnum.to_le_bytes(),
        &entry.realtime_us.to_le_bytes(),
        &entry.xor_hash.to_le_bytes(),
    ]);
    Some(Document {
        stream: ENGINE_STREAM.to_owned(),
        id,
        body: out,
    })
}

/// A number that is none is left out, so that the field keeps one type.
fn value(text: &str, is_number: bool) -> Option<Value> {
    if is_number {
        return text.parse::<u64>().ok().map(Value::from);
    }
    Some(cut(text, MAX_VALUE_BYTES).into())
}

fn put(root: &mut Value, place: &[&str], value: Value) {
    let Some((last, objects)) = place.split_last() else {
        return;
    };
    let mut at = root;
    for step in objects {
        at = &mut at[*step];
    }
    if at.is_null() {
        *at = Map::new().into();
    }
    at[*last] = value;
}

/// The words that other lines use for syslog's levels.
fn priority(entry: &Entry) -> Option<&'static str> {
    Some(match entry.text("PRIORITY")? {
        "0" => "emergency",
        "1" | "2" => "critical",
        "3" => "error",
        "4" => "warn",
        "5" => "notice",
        "6" => "info",
        "7" => "debug",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::NamedId;
    use crate::envelope::{AgentFacts, HostFacts};
    use crate::journald::Field;
    use proptest::prelude::*;

    fn envelope() -> Envelope {
        let (host, agent) = (HostFacts::default(), AgentFacts::default());
        Envelope::new(&host, &agent, &NamedId::default(), "z", "")
    }

    fn said(fields: &[(&str, &[u8])]) -> Entry {
        let field = |(name, value): &(&str, &[u8])| Field {
            name: (*name).to_owned(),
            value: value.to_vec(),
            is_cut: false,
        };
        Entry {
            offset: 4096,
            seqnum: 7,
            realtime_us: 1_795_466_050_206_123,
            fields: fields.iter().map(field).collect(),
            ..Entry::default()
        }
    }

    fn body(entry: &Entry) -> Value {
        let document = engine_entry(&envelope(), "/j", &Header::default(), entry).unwrap();
        assert_eq!(document.stream, ENGINE_STREAM);
        serde_json::from_slice(&document.body).unwrap()
    }

    #[test]
    fn an_entry_becomes_a_line_of_the_engines_log_with_the_names_of_filebeat() {
        let body = body(&said(&[
            (
                "MESSAGE",
                b"time=\"2026-11-23T20:34:09.5Z\" level=error msg=x",
            ),
            ("PRIORITY", b"6"),
            ("SYSLOG_FACILITY", b"3"),
            ("SYSLOG_IDENTIFIER", b"dockerd"),
            ("_PID", b"71"),
            ("_COMM", b"dockerd"),
            ("_SYSTEMD_UNIT", b"docker.service"),
            ("_TRANSPORT", b"stdout"),
        ]));
        assert_eq!(body["@timestamp"], "2026-11-23T20:34:09.500Z");
        assert_eq!(
            body["log"]["level"], "error",
            "the line knows, not its priority"
        );
        assert_eq!(body["log"]["syslog"]["priority"], 6);
        assert_eq!(body["log"]["syslog"]["facility"]["code"], 3);
        assert_eq!(body["log"]["syslog"]["appname"], "dockerd");
        assert_eq!(body["log"]["file"]["path"], "/j");
        assert_eq!(body["log"]["offset"], 4096);
        assert_eq!(body["journald"]["pid"], 71);
        assert_eq!(body["journald"]["process"]["name"], "dockerd");
        assert_eq!(body["systemd"]["unit"], "docker.service");
        assert_eq!(body["systemd"]["transport"], "stdout");
        assert_eq!(body["input"]["type"], "journald");
        assert_eq!(body["service"]["type"], "docker");
        assert_eq!(body["event"]["dataset"], "docker.engine");
    }

    #[test]
    fn an_entry_without_a_time_and_a_level_of_its_own_has_those_of_the_journal() {
        let body = body(&said(&[("MESSAGE", b"it stopped"), ("PRIORITY", b"4")]));
        assert_eq!(body["@timestamp"], "2026-11-23T20:34:10.206Z");
        assert_eq!(body["log"]["level"], "warn");
    }

    #[test]
    fn an_entry_whose_message_cannot_be_read_says_why() {
        let entry = Entry {
            unread: vec!["a field is compressed by xz, which is not read"],
            ..said(&[("_PID", b"1")])
        };
        let body = body(&entry);
        assert_eq!(body["error"]["message"], entry.unread[0]);
        assert_eq!(body["message"], "(its message could not be read)");
        let silent = said(&[("_PID", b"1")]);
        assert_eq!(
            engine_entry(&envelope(), "/j", &Header::default(), &silent),
            None
        );
    }

    proptest! {
        #[test]
        fn any_fields_give_one_line_of_json(values in proptest::collection::vec(any::<Vec<u8>>(), FIELDS.len() + 1)) {
            let names = FIELDS.iter().map(|(name, ..)| *name).chain(["MESSAGE"]);
            let fields: Vec<_> = names.zip(values.iter().map(Vec::as_slice)).collect();
            if let Some(document) = engine_entry(&envelope(), "/j", &Header::default(), &said(&fields)) {
                prop_assert!(!document.body.contains(&b'\n'));
                prop_assert!(serde_json::from_slice::<Value>(&document.body).is_ok());
            }
        }
    }
}
