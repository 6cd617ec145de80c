//! A storage node alone, as a process of the real binary on loopback without TLS; ended as by a crash.
//! Not here: nodes with secrets, and those that a platform places.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use wharf_test_ports::TestPort;

use crate::{
    patience::wait_for,
    testbed::{built_binary, run},
};

/// A node that serves until it is dropped.
#[derive(Debug)]
pub struct Node {
    process: Child,
    port: TestPort,
}

impl Node {
    /// Starts a node over a data directory; its log goes into a file as JSON. Waits until it serves.
    ///
    /// # Panics
    /// When it ends, or does not serve in time; the message has its log.
    #[must_use]
    pub fn start(data: &Path, log: &Path) -> Self {
        let port = TestPort::reserve();
        let mut command = Command::new(built_binary());
        let listen = port.addr().to_string();
        command.args(["run", "store", "--listen", &listen, "--data-dir"]);
        command.arg(data);
        command.args(["--memory-bytes", "1073741824", "--disk-bytes", "1073741824"]);
        command.env("WHARF_LOG_FORMAT", "json");
        command.stdout(Stdio::null());
        command.stderr(fs::File::create(log).expect("the log can be made"));
        let process = command.spawn().expect("the node can be started");
        let mut node = Self { process, port };
        wait_for("the node serves", Duration::from_secs(60), || {
            if let Ok(Some(status)) = node.process.try_wait() {
                panic!("the node ended, {status}: {:?}", fs::read_to_string(log));
            }
            match node.call("GET", "/_cluster/health", "") {
                Some((200, _)) => Ok(()),
                other => Err((other, fs::read_to_string(log))),
            }
        });
        node
    }

    /// Ends it as a crash would, while others may be talking to it.
    pub fn kill(&self) {
        run(Command::new("kill").args(["-9", &self.process.id().to_string()]));
    }

    /// Sends a request, NDJSON where it has a body; nothing when there is no answer.
    #[must_use]
    pub fn call(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let url = format!("http://{}{path}", self.port.addr());
        let mut command = Command::new("curl");
        command.args(["-s", "-X", method, &url, "-w", "\n%{http_code}"]);
        if !body.is_empty() {
            command.args(["-H", "content-type: application/x-ndjson"]);
            command.args(["--data-binary", body]);
        }
        let output = run(&mut command);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (json, status) = text.rsplit_once('\n')?;
        Some((
            status.parse().ok().filter(|status| *status > 0)?,
            serde_json::from_str(json).unwrap_or(Value::Null),
        ))
    }

    /// Documents of an index.
    ///
    /// # Panics
    /// When they cannot be counted.
    #[must_use]
    pub fn count(&self, index: &str) -> u64 {
        let answer = self.call("GET", &format!("/{index}/_count"), "");
        let (status, answer) = answer.expect("an answer");
        assert_eq!(status, 200, "{answer}");
        answer["count"].as_u64().expect("a count")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
