//! The official Python client against a store in this process, over plain loopback HTTP; what it does is in
//! `tests/conformance/python_client.py`. Without the client the test fails and names the command that installs it.
//! Not here: TLS and credentials, Beats.

// A test fails by panicking.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::path::Path;

use wharf_store::{Config, Listener};
use wharf_tests::tools;

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_client_works() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::new(
        dir.path().to_path_buf(),
        "127.0.0.1:0".parse().unwrap(),
        Listener::PlainLoopback,
    );
    let running = wharf_store::start(config).await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/python_client.py");
    let output = tokio::process::Command::new(tools::python())
        .arg(script)
        .arg(format!("http://{}", running.addr))
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
