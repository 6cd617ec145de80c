//! The official Python client against a store in this process, over plain loopback HTTP; what it does is in
//! `tests/conformance/python_client.py`. Without the client the test fails and names the command that installs it.
//! Not here: TLS and credentials, Beats.

// A test fails by panicking.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use wharf_store::{Config, Listener};

fn tools() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from);
    from("WHARF_TOOLS").unwrap_or_else(|| {
        from("XDG_CACHE_HOME")
            .or_else(|| from("HOME").map(|home| home.join(".cache")))
            .unwrap()
            .join("wharfinger/tools")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_python_client_works() {
    let python = tools().join("py/bin/python");
    assert!(
        python.exists(),
        "no Python client at {}: run scripts/deps client",
        python.display()
    );
    let dir = tempfile::tempdir().unwrap();
    let config = Config::new(
        dir.path().to_path_buf(),
        "127.0.0.1:0".parse().unwrap(),
        Listener::PlainLoopback,
    );
    let running = wharf_store::start(config).await.unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/python_client.py");
    let output = tokio::process::Command::new(python)
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
