//! A client of a store under test: one connection a request, answers as status, head and JSON.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wharf_store::{Config, Listener, Running, start};

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
    pub(crate) text: String,
}

pub(crate) struct Store {
    pub(crate) running: Option<Running>,
    pub(crate) addr: SocketAddr,
    pub(crate) auth: Option<String>,
}

pub(crate) fn config(dir: &Path) -> Config {
    let mut config = Config::new(
        dir.to_path_buf(),
        "127.0.0.1:0".parse().unwrap(),
        Listener::PlainLoopback,
    );
    config.memory_bytes = 256 * 1024 * 1024;
    config.flood_free_bytes = Some(1);
    config
}

impl Store {
    pub(crate) async fn open(config: Config) -> Self {
        let running = start(config).await.unwrap();
        let addr = running.addr;
        Self {
            running: Some(running),
            addr,
            auth: None,
        }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Answer {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let auth = self
            .auth
            .as_ref()
            .map(|a| format!("Authorization: {a}\r\n"))
            .unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n{auth}{headers}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(body).await;
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).await.unwrap();
        let raw = String::from_utf8_lossy(&raw).into_owned();
        let (head, text) = raw.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let text = if head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked")
        {
            unchunk(text)
        } else {
            text.to_owned()
        };
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer {
            status,
            head: head.to_ascii_lowercase(),
            body,
            text,
        }
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        self.send(method, path, "Content-Type: application/json\r\n", &body)
            .await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.json("GET", path, Value::Null).await
    }

    pub(crate) async fn bulk(&self, path: &str, lines: &str) -> Answer {
        self.send(
            "POST",
            path,
            "Content-Type: application/x-ndjson\r\n",
            lines.as_bytes(),
        )
        .await
    }

    pub(crate) async fn count(&self, index: &str) -> u64 {
        self.get(&format!("/{index}/_count")).await.body["count"]
            .as_u64()
            .unwrap()
    }

    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    pub(crate) async fn kill(&mut self) {
        self.running.take().unwrap().kill().await;
    }
}

fn unchunk(mut text: &str) -> String {
    let mut out = String::new();
    while let Some((size, rest)) = text.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else {
            break;
        };
        if size == 0 {
            break;
        }
        out.push_str(&rest[..size]);
        text = &rest[size + 2..];
    }
    out
}

const LOGS_TEMPLATE: &str = r#"{"index_patterns":["logs-*-*"],"priority":100,"data_stream":{},"template":{"mappings":{
    "dynamic_templates":[{"s":{"match_mapping_type":"string","mapping":{"type":"keyword","ignore_above":1024}}}],
    "properties":{"message":{"type":"match_only_text"},"took":{"type":"long"}}}}}"#;

pub(crate) async fn logs(store: &Store, count: usize) {
    let template: Value = serde_json::from_str(LOGS_TEMPLATE).unwrap();
    assert_eq!(
        store
            .json("PUT", "/_index_template/logs", template)
            .await
            .status,
        200
    );
    let mut lines = String::new();
    for n in 0..count {
        lines.push_str("{\"create\":{}}\n");
        lines.push_str(&format!(
            "{{\"@timestamp\":\"2026-01-10T00:{:02}:{:02}.000Z\",\"message\":\"line {n} says {}\",\"host\":{{\"name\":\"h{}\"}},\"took\":{}}}\n",
            n / 60 % 60,
            n % 60,
            if n % 10 == 0 { "error" } else { "fine" },
            n % 3,
            n
        ));
    }
    let answer = store.bulk("/logs-app-default/_bulk", &lines).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.body["errors"], json!(false), "{}", answer.text);
    assert_eq!(answer.body["items"].as_array().unwrap().len(), count);
}
