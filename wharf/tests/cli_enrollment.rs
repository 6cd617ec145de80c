//! `wharf token create --roles`, `install`, `uninstall`, `preflight` and `allocator remove` against a real
//! director: what they print, and what they refuse before anything is touched. Not here: a host that
//! really joins (`tests/tests/docker_join.rs`).
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cli;
#[path = "../../director/tests/platform/mod.rs"]
mod platform;

use cli::Lab;
use platform::Files;
use wharf_runtime::platform_file::PlatformFile;

/// A platform that other hosts reach, though its listeners stay on loopback.
async fn lab() -> Lab {
    let mut files = Files::new();
    files.platform.advertised_address = "10.0.0.5".into();
    let bytes = serde_json::to_vec(&files.platform).unwrap();
    std::fs::write(PlatformFile::path(files.dir.path()), bytes).unwrap();
    Lab::director_on(files).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_by_which_hosts_join_is_shown_once_listed_without_secret_and_revoked() {
    let lab = lab().await;
    let create = [
        "token",
        "create",
        "--roles",
        "allocator,proxy",
        "--zone",
        "zone-b",
        "--ttl",
        "1h",
        "--uses",
        "3",
    ];
    let made = lab.run(&[&create[..], &["-o", "json"]].concat()).await;
    assert_eq!(made.code, 0, "{}", made.stderr);
    let made = made.json();
    let join = made["join"].as_str().unwrap();
    assert!(
        join.starts_with("wj_") && join.ends_with("@10.0.0.5:12443"),
        "{join}"
    );
    let secret = join.split('_').nth(2).unwrap();
    lab.golden("token-list-enrollment", &["token", "list", "--enrollment"])
        .await;
    let listed = lab
        .run(&["token", "list", "--enrollment", "-o", "json"])
        .await;
    assert!(!listed.stdout.contains(secret), "the list has the secret");
    assert_eq!(listed.json()[0]["state"], "usable");

    let file = lab.files.dir.path().join("join.txt");
    let into = file.display().to_string();
    let said = lab
        .run(&[&create[..], &["--secret-file", &into]].concat())
        .await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        written.starts_with("wj_") && !said.stdout.contains("wj_"),
        "{said:?}"
    );

    let id = made["id"].as_str().unwrap();
    assert_eq!(lab.run(&["token", "revoke", id]).await.code, 0);
    let filter = [
        "token",
        "list",
        "--enrollment",
        "--filter",
        "state=revoked",
        "-o",
        "json",
    ];
    assert_eq!(lab.run(&filter).await.json().as_array().unwrap().len(), 1);
    assert_eq!(lab.run(&["token", "revoke", &"0".repeat(32)]).await.code, 3);
    assert!(lab.type_examples(&["token list"]).await >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_by_name() {
    let lab = lab().await;
    for (args, code) in [
        (
            &["token", "create", "--roles", "proxy", "--ttl", "1s"][..],
            "DIR0047",
        ),
        (
            &["token", "create", "--roles", "proxy", "--uses", "5000"],
            "DIR0047",
        ),
        (&["install", "--join", "nonsense"], "CLI0034"),
        (&["install", "--engine", "none", "--tags", "a=b"], "CLI0050"),
        (&["allocator", "remove", "nobody", "--yes"], "DIR0008"),
    ] {
        let said = lab.run(args).await;
        assert_ne!(said.code, 0, "{args:?}");
        assert!(said.stderr.contains(code), "{args:?}: {}", said.stderr);
    }
    // A director's platform is no host that joined.
    std::fs::write(lab.files.dir.path().join("join.txt"), "").unwrap();
    let dir = lab.files.dir.path().display().to_string();
    for command in ["install", "uninstall"] {
        let mut args = vec![command, "--data-dir", &dir];
        if command == "uninstall" {
            args.push("--yes");
        }
        let said = lab.run(&args).await;
        assert!(
            said.stderr.contains("CLI0036"),
            "{command}: {}",
            said.stderr
        );
    }
    // Nor is a host that joined one to bring a platform up on.
    let joined = tempfile::tempdir().unwrap();
    for file in ["platform.json", "services.json"] {
        std::fs::write(joined.path().join(file), "{}").unwrap();
    }
    let dir = joined.path().display().to_string();
    let said = lab.run(&["up", "--data-dir", &dir]).await;
    assert!(
        said.code == 1 && said.stderr.contains("CLI0036"),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_judges_every_part_of_the_host_and_changes_nothing() {
    let lab = lab().await;
    let engine = "unix:///nonexistent/docker.sock";
    let said = lab
        .run(&["preflight", "--docker-host", engine, "-o", "json"])
        .await;
    assert_eq!(said.code, 1, "a host without an engine is fit: {said:?}");
    let found = said.json();
    let checks: Vec<&str> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    assert_eq!(
        checks,
        [
            "engine",
            "cgroups",
            "vm.max_map_count",
            "net.core.somaxconn",
            "port range",
            "ports",
            "disk",
            "file system",
            "memory",
            "capture",
            "clock"
        ]
    );
    // Without an engine what only instances need is left out.
    let without = ["preflight", "--engine", "none", "-o", "json"];
    let services = lab.run(&without).await.json();
    let services: Vec<&str> = services
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["check"].as_str().unwrap())
        .collect();
    assert_eq!(
        services,
        [
            "systemd",
            "cgroups",
            "net.core.somaxconn",
            "ports",
            "disk",
            "file system",
            "memory",
            "clock"
        ]
    );
    let engine = &found[0];
    assert_eq!(engine["verdict"], "bad");
    assert!(
        engine["why"].as_str().unwrap().starts_with("ALL0"),
        "{engine}"
    );
    for check in found.as_array().unwrap() {
        let todo = check["what_to_do"].as_str().unwrap();
        assert_eq!(todo.is_empty(), check["verdict"] == "ok", "{check}");
        assert_eq!(check["fixed"], "");
    }
}
