//! `wharf repository` and the snapshots of deployments against a real director: what they do and refuse,
//! and that a secret key is printed nowhere.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cli;
#[path = "../../director/tests/platform/mod.rs"]
mod platform;

use cli::{Lab, Said, finish};

const SECRET: &str = "planted-secret-access-key";

const BUCKET: [&str; 6] = [
    "--s3-endpoint",
    "https://s3.example.org",
    "--bucket",
    "backups",
    "--access-key-id",
    "AKIA123",
];

async fn make(lab: &Lab, verb: &str) -> Said {
    let from_input = ["--secret-access-key-file", "-"];
    let name = ["repository", verb, "backups"];
    let args = [&name[..], &BUCKET, &from_input].concat();
    lab.run_with(&args, &format!("{SECRET}\n")).await
}

fn refused(said: &Said, code: &str) {
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.stderr.contains(code), "{code} was expected: {said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_made_shown_without_its_secret_and_forgotten() {
    let lab = Lab::start().await;
    let made = make(&lab, "create").await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    let again = make(&lab, "create").await;
    refused(&again, "DIR0096");
    let listed = lab.run(&["repository", "list", "-o", "json"]).await;
    let rows = listed.json();
    assert_eq!(rows[0]["name"], "backups");
    assert_eq!(rows[0]["location"], "https://s3.example.org/backups");
    let shown = lab.run(&["repository", "show", "backups"]).await;
    assert!(shown.stdout.contains("s3.example.org"), "{shown:?}");
    // Without a key the one that is there is kept; where there is none it is missed.
    let keyless = [&["repository", "update", "backups"][..], &BUCKET].concat();
    let kept = lab.run(&keyless).await;
    assert_eq!(kept.code, 0, "{}", kept.stderr);
    let keyless = [&["repository", "create", "other"][..], &BUCKET].concat();
    let missed = lab.run(&keyless).await;
    refused(&missed, "DIR0096");
    assert!(missed.stderr.contains("secret_access_key"), "{missed:?}");
    let mut by_environment = lab.command(&keyless);
    by_environment.env("WHARF_S3_SECRET_ACCESS_KEY", SECRET);
    let told = finish(by_environment, "").await;
    assert_eq!(told.code, 0, "{}", told.stderr);
    let system = lab
        .run(&["repository", "create", "etc", "--path", "/etc/wharf"])
        .await;
    refused(&system, "DIR0096");
    let api = lab.run(&["api", "Repositories/ListRepositories"]).await;
    let audit = lab.run(&["events", "-o", "json"]).await;
    assert!(audit.stdout.contains("create_repository"), "{audit:?}");
    for said in [
        &made, &again, &listed, &shown, &kept, &missed, &told, &api, &audit,
    ] {
        assert!(!format!("{said:?}").contains(SECRET), "{said:?}");
    }
    let asked = lab.run(&["repository", "delete", "other"]).await;
    assert_eq!(asked.code, 1, "nobody was asked: {}", asked.stderr);
    let gone = lab.run(&["repository", "delete", "other", "--yes"]).await;
    assert_eq!(gone.code, 0, "{}", gone.stderr);
    assert_eq!(lab.run(&["repository", "show", "other"]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_keeps_snapshots_and_is_restored_only_while_it_does() {
    let lab = Lab::start().await;
    let set = async |args: &[&str]| {
        let all = [&["deployment", "set", "system"][..], args].concat();
        lab.run(&all).await
    };
    refused(&set(&["--on-host-loss", "restore"]).await, "DIR0091");
    refused(&set(&["--snapshot-repository", "backups"]).await, "DIR0008");
    refused(&set(&["--snapshot-every", "5m"]).await, "CLI0045");
    refused(&set(&["--snapshot-every", "0s"]).await, "CLI0009");
    let neither = ["--no-snapshots", "--on-host-loss", "restore"];
    refused(&set(&neither).await, "CLI0045");
    let snapshots = ["deployment", "snapshots", "system"];
    refused(&lab.run(&snapshots).await, "CLI0045");
    let snapshot = ["deployment", "snapshot", "system"];
    refused(&lab.run(&snapshot).await, "DIR0098");
    assert_eq!(make(&lab, "create").await.code, 0);
    // In one line: the policy that a restore needs comes before it.
    let both = [
        "--on-host-loss",
        "restore",
        "--snapshot-repository",
        "backups",
        "--snapshot-every",
        "5m",
        "--request-id",
        "0123456789abcdef0123456789abcdef",
    ];
    for _ in 0..2 {
        let said = set(&both).await;
        assert_eq!(said.code, 0, "also when it is asked again: {}", said.stderr);
        assert!(said.stdout.contains("in backups every 5 min"), "{said:?}");
        assert!(said.stdout.contains("no snapshot yet"), "{said:?}");
    }
    refused(&set(&["--snapshot-every", "5s"]).await, "DIR0098");
    refused(&set(&["--no-snapshots"]).await, "DIR0098");
    let said = lab.run(&[&snapshot[..], &["-o", "json"]].concat()).await;
    assert_eq!(said.json()["requested"], 1, "{said:?}");
    let waited = [&snapshot[..], &["--wait", "--wait-timeout", "0"]].concat();
    let waited = lab.run(&waited).await;
    refused(&waited, "CLI0044");
    assert!(waited.stderr.contains("storage-0"), "{waited:?}");
    let watched = lab.command(&[&snapshot[..], &["--wait"]].concat());
    let watched = cli::interrupted(watched).await;
    assert_eq!(watched.code, 130, "{watched:?}");
    refused(&watched, "CLI0040");
    let delete = ["repository", "delete", "backups", "--yes"];
    refused(&lab.run(&delete).await, "DIR0097");
    let none = set(&["--no-snapshots", "--on-host-loss", "wait"]).await;
    assert_eq!(
        none.code, 0,
        "the loss's answer goes first: {}",
        none.stderr
    );
    assert!(!none.stdout.contains("backups"), "{none:?}");
    assert_eq!(lab.run(&delete).await.code, 0);
}
