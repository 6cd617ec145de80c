//! `wharf user`, `token`, `config`, `channel` and `events` against a real director: what they do, what
//! they print, and that no secret is printed but the one that was just made.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cli;
#[path = "../../director/tests/platform/mod.rs"]
mod platform;

use std::io::{BufRead, BufReader};

use cli::{Lab, Said, finish};
use serde_json::Value;

const PASSWORD: &str = "a long password of alice";

async fn json(lab: &Lab, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.extend(["-o", "json"]);
    let said = lab.run(&all).await;
    assert_eq!(said.code, 0, "wharf {}: {}", args.join(" "), said.stderr);
    said.json()
}

/// A command as alice.
async fn as_alice(lab: &Lab, password: &str, args: &[&str]) -> Said {
    let mut command = lab.command(args);
    command
        .env("WHARF_USERNAME", "alice")
        .env_remove("WHARF_PASSWORD_FILE")
        .env("WHARF_PASSWORD", password);
    finish(command, "").await
}

async fn make_alice(lab: &Lab) {
    let create = [
        "user",
        "create",
        "alice",
        "--role",
        "platform_viewer",
        "--new-password-file",
        "-",
    ];
    let made = lab.run_with(&create, &format!("{PASSWORD}\n")).await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    assert!(!format!("{made:?}").contains(PASSWORD), "{made:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_made_and_may_what_the_roles_allow_until_the_end() {
    let lab = Lab::start().await;
    make_alice(&lab).await;
    lab.golden("user-list", &["user", "list"]).await;
    lab.golden("user-show", &["user", "show", "alice"]).await;
    let me = as_alice(&lab, PASSWORD, &["user", "show", "-o", "json"])
        .await
        .json();
    assert_eq!(me["username"], "alice");
    assert_eq!(me["roles"], serde_json::json!(["platform_viewer"]));
    let denied = as_alice(&lab, PASSWORD, &["deployment", "create", "--name", "x"]).await;
    assert_eq!(
        denied.code, 1,
        "a viewer created a deployment: {}",
        denied.stderr
    );

    let manages = [
        "user",
        "set-roles",
        "alice",
        "--role",
        "deployments_manager",
    ];
    assert_eq!(
        json(&lab, &manages).await["roles"],
        serde_json::json!(["deployments_manager"])
    );
    let mut own = lab.command(&["user", "set-password", "--new-password-file", "-"]);
    own.env("WHARF_USERNAME", "alice")
        .env_remove("WHARF_PASSWORD_FILE")
        .env("WHARF_PASSWORD", PASSWORD);
    let own = finish(own, "another long password").await;
    assert_eq!(own.code, 0, "{}", own.stderr);
    assert_eq!(as_alice(&lab, PASSWORD, &["user", "show"]).await.code, 1);
    let new = "another long password";
    assert_eq!(as_alice(&lab, new, &["user", "show"]).await.code, 0);

    assert_eq!(
        json(&lab, &["user", "disable", "alice"]).await["disabled"],
        true
    );
    assert_eq!(as_alice(&lab, new, &["user", "show"]).await.code, 1);
    assert_eq!(
        json(&lab, &["user", "enable", "alice"]).await["disabled"],
        false
    );
    assert_eq!(as_alice(&lab, new, &["user", "show"]).await.code, 0);
    let asked = lab.run(&["user", "delete", "alice"]).await;
    assert!(asked.stderr.contains("CLI0007"), "{}", asked.stderr);
    assert_eq!(lab.run(&["user", "delete", "alice", "--yes"]).await.code, 0);
    assert_eq!(lab.run(&["user", "show", "alice"]).await.code, 3);
    let last = lab.run(&["user", "delete", "admin", "--yes"]).await;
    assert_eq!(last.code, 1, "the last admin was deleted: {}", last.stderr);
    let nobody = lab
        .run(&["user", "create", "bob", "--role", "platform_viewer"])
        .await;
    assert!(
        nobody.stderr.contains("CLI0018"),
        "no terminal: {}",
        nobody.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_stands_for_its_user_until_it_is_revoked() {
    let lab = Lab::start().await;
    let file = lab.files.dir.path().join("token");
    let made = json(
        &lab,
        &[
            "token",
            "create",
            "--name",
            "ci",
            "--lifetime",
            "1d",
            "--secret-file",
            file.to_str().unwrap(),
        ],
    )
    .await;
    let secret = std::fs::read_to_string(&file).unwrap();
    assert!(
        made.get("secret").is_none() && !made.to_string().contains(secret.trim()),
        "the secret was printed"
    );
    let id = made["id"].as_str().unwrap();
    lab.golden("token-list", &["token", "list"]).await;
    let listed = lab.run(&["token", "list", "-o", "json"]).await;
    assert!(!listed.stdout.contains(secret.trim()), "{}", listed.stdout);

    let with_token = |args: &[&str]| {
        let mut command = lab.command(args);
        command
            .env_remove("WHARF_USERNAME")
            .env_remove("WHARF_PASSWORD_FILE");
        command.env("WHARF_TOKEN", secret.trim());
        command
    };
    let me = finish(with_token(&["user", "show", "-o", "json"]), "")
        .await
        .json();
    assert_eq!(
        (&me["username"], &me["token_id"]),
        (&"admin".into(), &id.into())
    );
    let by_file = ["status", "--token-file", file.to_str().unwrap()];
    assert_eq!(lab.run(&by_file).await.code, 0);
    let own = finish(with_token(&["user", "set-password"]), "").await;
    assert_eq!(own.code, 1, "a token changed a password: {}", own.stderr);

    let printed = json(&lab, &["token", "create", "--name", "shown"]).await;
    assert!(
        printed["secret"]
            .as_str()
            .is_some_and(|secret| secret.len() > 20)
    );
    assert_eq!(lab.run(&["token", "revoke", id]).await.code, 0);
    let revoked = finish(with_token(&["status"]), "").await;
    assert_eq!(
        revoked.code, 1,
        "a revoked token was taken: {}",
        revoked.stderr
    );
    assert!(
        !revoked.stderr.contains(secret.trim()),
        "{}",
        revoked.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_is_set_and_put_back() {
    let lab = Lab::start().await;
    lab.golden("config-list", &["config", "list"]).await;
    let key = "tokens.max_lifetime_seconds";
    lab.golden("config-show", &["config", "show", key]).await;
    let before = json(&lab, &["config", "show", key]).await;
    let set = json(&lab, &["config", "set", key, "86400"]).await;
    assert_eq!(
        (&set["value"], &set["set"]),
        (&"86400".into(), &true.into())
    );
    let wrong = lab.run(&["config", "set", key, "soon"]).await;
    assert_eq!(wrong.code, 1, "{}", wrong.stderr);
    let back = json(&lab, &["config", "reset", key]).await;
    assert_eq!(back["value"], before["default_value"]);
    let unknown = lab.run(&["config", "show", "no.such.setting"]).await;
    assert_eq!(unknown.code, 3, "{}", unknown.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channels_secrets_are_never_shown_again() {
    let lab = Lab::start().await;
    let secret = "T0-B0-planted-webhook";
    let document =
        format!("name: ops\nwebhook: {{url: 'https://127.0.0.1:1/{secret}', format: slack}}\n");
    let made = lab
        .run_with(&["channel", "create", "-f", "-"], &document)
        .await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    lab.golden("channel-list", &["channel", "list"]).await;
    lab.golden("channel-show", &["channel", "show", "ops"])
        .await;
    let tested = lab.run(&["channel", "test", "ops"]).await;
    assert_eq!(tested.code, 1, "nobody listens there: {}", tested.stderr);
    assert!(tested.stderr.contains("CLI0017"), "{}", tested.stderr);
    let updated = lab
        .run_with(&["channel", "update", "-f", "-"], &document)
        .await;
    assert_eq!(updated.code, 0, "{}", updated.stderr);
    let shown = lab.run(&["channel", "show", "ops", "-o", "yaml"]).await;
    for said in [&made, &tested, &updated, &shown] {
        assert!(!format!("{said:?}").contains(secret), "{said:?}");
    }
    let listed = lab.run(&["api", "Channels/ListChannels"]).await;
    assert!(
        listed.stdout.contains("ops") && !listed.stdout.contains(secret),
        "{listed:?}"
    );
    assert_eq!(
        lab.run(&["channel", "delete", "ops", "--yes"]).await.code,
        0
    );
    assert_eq!(lab.run(&["channel", "show", "ops"]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_and_followed() {
    let lab = Lab::start().await;
    let mut follower = lab
        .command(&["events", "-f", "--tail", "0", "-o", "json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let (found, seen) = tokio::sync::oneshot::channel();
    let reader = tokio::task::spawn_blocking(move || {
        let mut found = Some(found);
        for line in lines.map_while(Result::ok) {
            let event: Value = serde_json::from_str(&line).unwrap();
            if event.to_string().contains("alice") {
                let _ = found.take().unwrap().send(event);
                return;
            }
        }
    });
    // A follower may connect after the first; each change is an event of its own.
    make_alice(&lab).await;
    let mut seen = std::pin::pin!(seen);
    let event = loop {
        let disable = lab.run(&["user", "disable", "alice"]).await;
        assert_eq!(disable.code, 0, "{}", disable.stderr);
        let enable = lab.run(&["user", "enable", "alice"]).await;
        assert_eq!(enable.code, 0, "{}", enable.stderr);
        tokio::select! {
            biased;
            event = &mut seen => break event.unwrap(),
            () = std::future::ready(()) => {}
        }
    };
    assert_eq!(event["actor"], "admin", "{event}");
    follower.kill().unwrap();
    follower.wait().unwrap();
    reader.await.unwrap();
    let listed = json(&lab, &["events", "--filter", "subject~alice"]).await;
    let numbers: Vec<u64> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["number"].as_u64().unwrap())
        .collect();
    assert!(
        !numbers.is_empty() && numbers.is_sorted(),
        "the newest is last: {numbers:?}"
    );
    assert!(!listed.to_string().contains(PASSWORD), "{listed}");
    let few = json(&lab, &["events", "--tail", "1"]).await;
    assert_eq!(few.as_array().unwrap().len(), 1);
}
