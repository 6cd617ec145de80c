//! Credentials, API keys, and what is refused at start.

use serde_json::json;
use wharf_store::start;

use crate::client::{Store, config};

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_asked_for_and_api_keys_work_until_taken_back() {
    use base64::Engine as _;
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users.json");
    std::fs::write(
        &users,
        r#"{"users":[{"username":"elastic","password":"secret"}]}"#,
    )
    .unwrap();
    let mut config = config(&dir.path().join("data"));
    config.users_file = Some(users);
    let mut store = Store::open(config).await;
    let refused = store.get("/").await;
    assert_eq!(refused.status, 401);
    assert!(refused.head.contains("www-authenticate"));
    assert_eq!(store.get("/_wharf/health").await.status, 200);
    let basic = base64::engine::general_purpose::STANDARD.encode("elastic:secret");
    store.auth = Some(format!("Basic {basic}"));
    assert_eq!(
        store.get("/_security/_authenticate").await.body["username"],
        "elastic"
    );
    let key = store
        .json("POST", "/_security/api_key", json!({"name": "beats"}))
        .await;
    assert_eq!(key.status, 200, "{}", key.text);
    let restricted = json!({"name": "r", "role_descriptors": {"x": {"cluster": ["monitor"]}}});
    assert_eq!(
        store
            .json("POST", "/_security/api_key", restricted)
            .await
            .status,
        400
    );
    let admin = store
        .auth
        .replace(format!("ApiKey {}", key.body["encoded"].as_str().unwrap()));
    assert_eq!(store.get("/").await.status, 200);
    store.auth = admin;
    let gone = store
        .json(
            "DELETE",
            "/_security/api_key",
            json!({"ids": [key.body["id"]]}),
        )
        .await;
    assert_eq!(
        gone.body["invalidated_api_keys"].as_array().unwrap().len(),
        1
    );
    store.auth = Some(format!("ApiKey {}", key.body["encoded"].as_str().unwrap()));
    assert_eq!(store.get("/").await.status, 401);
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_and_missing_users_are_refused_off_loopback() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = config(dir.path());
    open.listen = "0.0.0.0:0".parse().unwrap();
    let error = start(open).await.err().unwrap().to_string();
    assert!(error.contains("loopback"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_instance_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(config(dir.path())).await;
    assert!(start(config(dir.path())).await.is_err());
    store.stop().await;
}
