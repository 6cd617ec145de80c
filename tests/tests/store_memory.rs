//! Memory that a storage node needed for a moment goes back to the kernel, shown by the real binary with
//! its real allocator. Not here: memory under load (`scripts/soak`).

// A test fails by panicking.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use futures::future::join_all;
use http::{Request, StatusCode};
use http_body_util::Full;
use wharf_runtime::clock::now_ms;
use wharf_runtime::net::{ClientOptions, HttpsClient};
use wharf_runtime::tls::{Authority, Expect, LeafSpec, client_config, install_provider};
use wharf_test_ports::TestPort;
use wharf_tests::patience::wait_for;
use wharf_tests::testbed::built_binary;

const PATIENCE: Duration = Duration::from_secs(60);
/// One check of a password takes 19 MiB, and two run at a time: kept, they are 38 MiB.
const KEPT_KIB: u64 = 12 * 1024;

/// Ends the process with the test.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Node {
    /// Resident memory.
    fn memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn memory_of_password_checks_goes_back_to_the_kernel() {
    install_provider();
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::create("test", now_ms()).unwrap();
    let identity = authority
        .issue(&LeafSpec::for_host("localhost"), now_ms())
        .unwrap();
    identity.store(dir.path().join("identity.pem")).unwrap();
    fs::write(dir.path().join("ca.pem"), authority.certificate_pem()).unwrap();
    let users = r#"{"users": [{"username": "elastic", "password": "right"}]}"#;
    fs::write(dir.path().join("users.json"), users).unwrap();
    let port = TestPort::reserve();
    let log = dir.path().join("log");
    let mut node = Command::new(built_binary())
        .args(["run", "store", "--data-dir"])
        .arg(dir.path().join("data"))
        .arg("--secrets-dir")
        .arg(dir.path())
        .args(["--listen", &port.addr().to_string()])
        .args(["--memory-bytes", "536870912", "--disk-bytes", "2147483648"])
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap())
        .spawn()
        .map(Node)
        .unwrap();
    let tls = client_config(&authority.certs(), Expect::Name, None).unwrap();
    let client = HttpsClient::new(tls, ClientOptions::default());
    let ask = async |password: String| {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("elastic:{password}"));
        let request = Request::get(format!("https://localhost:{}/", port.port()))
            .header("authorization", format!("Basic {pair}"))
            .body(Full::new(Bytes::new()))
            .unwrap();
        client
            .fetch(request, 1 << 20)
            .await
            .map(|answer| answer.status())
    };
    let begin = std::time::Instant::now();
    while !matches!(ask("right".to_owned()).await, Ok(StatusCode::OK)) {
        let (ended, log) = (node.0.try_wait().unwrap(), fs::read_to_string(&log));
        assert!(
            ended.is_none(),
            "the storage node ended: {ended:?}, {log:?}"
        );
        assert!(
            begin.elapsed() < PATIENCE,
            "the storage node does not answer: {log:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // The first check's memory goes back too: what is left is the node's own.
    let mut before = node.memory_kib();
    for round in 0..12 {
        let wrong = (0..4).map(|n| ask(format!("wrong {round} {n}")));
        for answer in join_all(wrong).await {
            assert_eq!(answer.unwrap(), StatusCode::UNAUTHORIZED);
        }
        before = before.min(node.memory_kib());
    }
    wait_for("memory of password checks is given back", PATIENCE, || {
        let now = node.memory_kib();
        if now <= before + KEPT_KIB {
            Ok(())
        } else {
            Err(format!("{now} KiB now, {before} KiB at best before"))
        }
    });
}
