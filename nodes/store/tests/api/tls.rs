//! The TLS listener: both HTTP versions, and a renewed certificate without a restart.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use wharf_runtime::clock::now_ms;
use wharf_runtime::net::{ClientOptions, HttpsClient};
use wharf_runtime::tls::{Authority, Expect, LeafSpec, client_config, install_provider};
use wharf_store::{Listener, start};

use crate::client::config;

async fn fetch(authority: &Authority, port: u16) -> Option<(http::Version, Bytes)> {
    let tls = client_config(&authority.certs(), Expect::Name, None).unwrap();
    let client = HttpsClient::new(tls, ClientOptions::default());
    let uri = format!("https://127.0.0.1:{port}/_wharf/health");
    let request = http::Request::get(uri)
        .body(Full::new(Bytes::new()))
        .unwrap();
    let answer = client.fetch(request, 1 << 20).await.ok()?;
    Some((answer.version(), answer.into_body()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_file_changes_nothing() {
    install_provider();
    let dir = tempfile::tempdir().unwrap();
    let identity = dir.path().join("identity.pem");
    let users = dir.path().join("users.json");
    std::fs::write(
        &users,
        r#"{"users":[{"username":"elastic","password":"x"}]}"#,
    )
    .unwrap();
    let old = Authority::create("p", now_ms()).unwrap();
    let new = Authority::create("p", now_ms()).unwrap();
    let leaf = LeafSpec::for_host("localhost").with_host("127.0.0.1");
    old.issue(&leaf, now_ms())
        .unwrap()
        .store(&identity)
        .unwrap();

    let mut config = config(&dir.path().join("data"));
    config.listener = Listener::Tls {
        identity: identity.clone(),
    };
    config.users_file = Some(users);
    let running = start(config).await.unwrap();
    let port = running.addr.port();

    let (version, body) = fetch(&old, port).await.unwrap();
    assert_eq!(version, http::Version::HTTP_2);
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["status"], "ready", "{body}");
    assert!(fetch(&new, port).await.is_none());

    std::fs::write(&identity, "no certificate").unwrap();
    new.issue(&leaf, now_ms())
        .unwrap()
        .store(dir.path().join("next.pem"))
        .unwrap();
    assert!(fetch(&old, port).await.is_some());
    std::fs::rename(dir.path().join("next.pem"), &identity).unwrap();
    let renewed = async {
        while fetch(&new, port).await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), renewed)
        .await
        .unwrap();
    assert!(fetch(&old, port).await.is_none());
    running.stop().await;
}
