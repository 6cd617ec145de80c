//! The access log: one ECS document in JSON per request on standard output, where the host's
//! collectors find it as they find any container's log. Written by one thread behind a bounded
//! queue: when the reader stalls, lines are dropped and counted, requests never wait.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, SyncSender, TrySendError},
    },
};

use serde_json::{Value, json};
use wharf_proxy_core::headers;

/// Lines that may wait.
const QUEUE: usize = 8192;
/// Longer paths and user agents are cut.
const MAX_TEXT: usize = 2048;

/// One request, as it ended.
#[derive(Debug, Default, Clone)]
pub struct Entry {
    /// Milliseconds since 1970 at the request's head.
    pub at_ms: i64,
    /// `GET`
    pub method: String,
    /// Without the query, which may hold what nobody should log.
    pub path: String,
    /// `1.1`, `2`
    pub version: &'static str,
    /// Of the answer.
    pub status: u16,
    /// Of the request's body.
    pub request_bytes: u64,
    /// Of the answer's body.
    pub response_bytes: u64,
    /// From the head of the request to the end of the answer.
    pub took_us: u64,
    /// From sending to the head of the instance's answer.
    pub upstream_us: u64,
    /// The client's address.
    pub source_ip: String,
    /// As the request named it.
    pub host: String,
    /// Of the client.
    pub user_agent: String,
    /// Empty when no deployment was found.
    pub deployment_id: String,
    /// Its name.
    pub deployment_name: String,
    /// The part of it that was asked for, empty as above.
    pub resource_id: String,
    /// `storage`, `monitoring`.
    pub resource_kind: String,
    /// Empty when no instance was asked.
    pub instance_id: String,
    /// The proxy's own error code, `PRX0002`, empty when the instance answered.
    pub code: &'static str,
    /// The answer broke off.
    pub aborted: bool,
}

/// Where entries go.
#[derive(Debug, Clone)]
pub struct AccessLog {
    lines: SyncSender<String>,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// Writes to standard output.
    ///
    /// # Errors
    /// When the writer's thread cannot be made.
    pub fn to_stdout() -> std::io::Result<Self> {
        Self::to(std::io::stdout())
    }

    /// Writes anywhere.
    ///
    /// # Errors
    /// When the writer's thread cannot be made.
    pub fn to(mut writer: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (lines, queue) = mpsc::sync_channel::<String>(QUEUE);
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || {
                while let Ok(line) = queue.recv() {
                    // Nobody to tell when standard output is gone.
                    let _ = writer
                        .write_all(line.as_bytes())
                        .and_then(|()| writer.flush());
                }
            })?;
        Ok(Self {
            lines,
            dropped: Arc::default(),
        })
    }

    /// Writes an entry, unless too many wait.
    pub fn write(&self, entry: &Entry) {
        let line = format!("{}\n", entry.to_ecs());
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) =
            self.lines.try_send(line)
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that were dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Entry {
    fn to_ecs(&self) -> Value {
        let cut = |text: &str| -> String { text.chars().take(MAX_TEXT).collect() };
        let mut ecs = json!({
            "@timestamp": wharf_proto::times::rfc3339(u64::try_from(self.at_ms).unwrap_or(0)),
            "ecs": {"version": "8.11.0"},
            "log": {"level": if self.status >= 500 { "error" } else { "info" }},
            "event": {
                "dataset": "wharf.access",
                "kind": "event",
                "category": ["web"],
                "outcome": if self.status >= 500 || self.aborted { "failure" } else { "success" },
                "duration": self.took_us.saturating_mul(1000),
            },
            "http": {
                "version": self.version,
                "request": {"method": cut(&self.method), "body": {"bytes": self.request_bytes}},
                "response": {"status_code": self.status, "body": {"bytes": self.response_bytes}},
            },
            "url": {
                "path": cut(&self.path),
                "prefix": headers::path_prefix(&self.path),
                "domain": cut(&self.host),
            },
            "source": {"ip": self.source_ip},
            "user_agent": {"original": cut(&self.user_agent)},
        });
        if !self.deployment_id.is_empty() {
            ecs["wharf"] = json!({
                "deployment": {"id": self.deployment_id, "name": self.deployment_name},
                "resource": {"id": self.resource_id, "name": self.resource_kind},
                "instance": {"id": self.instance_id},
                "upstream": {"duration": self.upstream_us.saturating_mul(1000)},
            });
        }
        if !self.code.is_empty() {
            ecs["error"] = json!({"code": self.code});
        }
        if self.aborted {
            ecs["event"]["reason"] = json!("the answer broke off");
        }
        ecs
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_entry_is_one_line_of_ecs_without_the_query() {
        let entry = Entry {
            at_ms: 1_767_225_600_000,
            method: "GET".into(),
            path: "/_search".into(),
            status: 503,
            took_us: 1500,
            user_agent: "x\n\"y".into(),
            deployment_id: "d".into(),
            code: "PRX0003",
            ..Entry::default()
        };
        let ecs = entry.to_ecs();
        assert_eq!(ecs["@timestamp"], "2026-01-01T00:00:00.000Z");
        assert_eq!(ecs["http"]["response"]["status_code"], 503);
        assert_eq!(ecs["event"]["duration"], 1_500_000);
        assert_eq!(ecs["error"]["code"], "PRX0003");
        assert_eq!(ecs["log"]["level"], "error");
        assert_eq!(ecs["url"]["prefix"], "/_search");
        assert!(!ecs.to_string().contains('\n'));
    }

    #[test]
    fn lines_reach_the_writer_in_order() {
        let sink = Sink::default();
        let log = AccessLog::to(sink.clone()).unwrap();
        for status in [200, 201, 202] {
            log.write(&Entry {
                status,
                ..Entry::default()
            });
        }
        drop(log);
        let started = std::time::Instant::now();
        loop {
            let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
            if text.lines().count() == 3 {
                let codes: Vec<u64> = text
                    .lines()
                    .map(|line| serde_json::from_str::<Value>(line).unwrap()["http"]["response"]["status_code"].as_u64().unwrap())
                    .collect();
                assert_eq!(codes, [200, 201, 202]);
                return;
            }
            assert!(
                started.elapsed().as_secs() < 10,
                "three lines were expected: {text}"
            );
            std::thread::yield_now();
        }
    }
}
