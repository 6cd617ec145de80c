//! Tests of who is let in: users, API keys, wrong credentials.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{AuthError, Authenticator, users};

fn open(dir: &std::path::Path, users: &str) -> Arc<Authenticator> {
    let file = dir.join("users.json");
    std::fs::write(&file, users).unwrap();
    Arc::new(Authenticator::open(Some(file), dir.join("api_keys.json")).unwrap())
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

const USERS: &str = r#"{"users":[{"username":"elastic","password":"right"}]}"#;

#[tokio::test]
async fn a_right_password_is_accepted_and_a_wrong_one_or_unknown_user_refused() {
    let dir = tempfile::tempdir().unwrap();
    let auth = open(dir.path(), USERS);
    for _ in 0..2 {
        let who = auth
            .check(Some(basic("elastic", "right").as_bytes()), "/", 0)
            .await
            .unwrap();
        assert_eq!(who.username, "elastic");
    }
    for header in [
        basic("elastic", "wrong"),
        basic("nobody", "right"),
        "Basic %%".into(),
        "x".into(),
    ] {
        let refused = auth.check(Some(header.as_bytes()), "/", 0).await;
        assert_eq!(refused, Err(AuthError::Wrong("/".into())));
    }
    assert_eq!(
        auth.check(None, "/", 0).await,
        Err(AuthError::Missing("/".into()))
    );
}

#[tokio::test]
async fn while_a_password_is_changed_both_are_accepted_and_the_file_in_force_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = |passwords: &[&str]| {
        let users: Vec<String> = passwords
            .iter()
            .map(|password| {
                let hash = users::hash(password).unwrap();
                format!(r#"{{"username":"elastic","password_hash":"{hash}"}}"#)
            })
            .collect();
        format!(r#"{{"users":[{}]}}"#, users.join(","))
    };
    let auth = open(dir.path(), &file(&["right"]));
    let before = auth.users_digest();
    let both = file(&["right", "new one"]);
    std::fs::write(dir.path().join("users.json"), both).unwrap();
    assert!(auth.reload_users().unwrap());
    assert_ne!(auth.users_digest(), before);
    assert!(!auth.users_digest().is_empty());
    for password in ["right", "new one"] {
        let header = basic("elastic", password);
        let accepted = auth.check(Some(header.as_bytes()), "/", 0).await;
        assert!(accepted.is_ok(), "{password} is refused");
    }
    let header = basic("elastic", "neither");
    assert!(auth.check(Some(header.as_bytes()), "/", 0).await.is_err());
    let new = r#"{"users":[{"username":"elastic","password":"new one"}]}"#;
    std::fs::write(dir.path().join("users.json"), new).unwrap();
    assert!(auth.reload_users().unwrap());
    let header = basic("elastic", "right");
    assert!(
        auth.check(Some(header.as_bytes()), "/", 0).await.is_err(),
        "the old password is still accepted"
    );
    let header = basic("elastic", "new one");
    assert!(auth.check(Some(header.as_bytes()), "/", 0).await.is_ok());
    let many: Vec<String> = (0..5)
        .map(|n| format!(r#"{{"username":"elastic","password":"password {n}"}}"#))
        .collect();
    let many = format!(r#"{{"users":[{}]}}"#, many.join(","));
    std::fs::write(dir.path().join("users.json"), many).unwrap();
    assert!(auth.reload_users().is_err());
}

#[tokio::test]
async fn a_changed_users_file_ends_cached_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let auth = open(dir.path(), USERS);
    let header = basic("elastic", "right");
    assert!(auth.check(Some(header.as_bytes()), "/", 0).await.is_ok());
    let changed = r#"{"users":[{"username":"elastic","password":"other password"}]}"#;
    std::fs::write(dir.path().join("users.json"), changed).unwrap();
    assert!(auth.reload_users().unwrap());
    assert!(!auth.reload_users().unwrap());
    assert!(auth.check(Some(header.as_bytes()), "/", 0).await.is_err());
}

#[tokio::test]
async fn an_api_key_works_until_it_expires_or_is_taken_back_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let auth = open(dir.path(), USERS);
    let made = auth
        .keys()
        .create("elastic", "beats", Some(1000), serde_json::Value::Null, 0)
        .unwrap();
    let header = format!(
        "ApiKey {}",
        STANDARD.encode(format!("{}:{}", made.key.id, made.secret))
    );
    let auth = open(dir.path(), USERS);
    let who = auth.check(Some(header.as_bytes()), "/", 999).await.unwrap();
    assert_eq!(who.api_key.as_deref(), Some(made.key.id.as_str()));
    assert!(
        auth.check(Some(header.as_bytes()), "/", 1000)
            .await
            .is_err()
    );
    let gone = auth.keys().invalidate(|k| k.name == "beats").unwrap();
    auth.forget();
    assert_eq!(gone.now, [made.key.id]);
    assert!(auth.check(Some(header.as_bytes()), "/", 1).await.is_err());
}

#[test]
fn a_broken_users_file_is_an_error_that_does_not_quote_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users.json");
    std::fs::write(&file, r#"{"users":[{"username":"a","password":"secret""#).unwrap();
    let error = Authenticator::open(Some(file), dir.path().join("k"))
        .err()
        .unwrap()
        .to_string();
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn nothing_is_told_that_a_plain_password_could_be_guessed_from() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(open(dir.path(), USERS).users_digest(), "");
}
