//! What every command prints, as a table and as JSON, and with which exit code it ends: the real
//! binary against a real director.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cli;
#[path = "../../director/tests/platform/mod.rs"]
mod platform;

use cli::{CONTAINER, Lab, bare, finish, same};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_platform_has_is_printed_as_it_was() {
    let lab = Lab::start().await;
    for (name, args) in [
        ("status", vec!["status"]),
        ("deployment-list", vec!["deployment", "list"]),
        ("deployment-show", vec!["deployment", "show", "system"]),
        (
            "deployment-credentials",
            vec!["deployment", "credentials", "system"],
        ),
        ("plan-list", vec!["plan", "list", "--deployment", "system"]),
        ("allocator-list", vec!["allocator", "list"]),
        ("allocator-show", vec!["allocator", "show", "h1"]),
        ("director-list", vec!["director", "list"]),
        ("director-add", vec!["director", "add", "--zone", "zone-b"]),
        ("proxy-list", vec!["proxy", "list"]),
        ("zone-list", vec!["zone", "list"]),
        ("container-list", vec!["container", "list"]),
        ("container-groups", vec!["container", "groups"]),
        ("container-show", vec!["container", "show", CONTAINER]),
        ("template-list", vec!["template", "list"]),
        ("template-show", vec!["template", "show", "observability"]),
        ("log-level", vec!["log-level", "proxy", "info"]),
        ("api-get-status", vec!["api", "Platform/GetStatus"]),
    ] {
        lab.golden(name, &args).await;
    }
    let plans = lab.run(&["plan", "list", "-o", "json"]).await.json();
    let plan = plans[0]["id"].as_str().unwrap();
    lab.golden("plan-show", &["plan", "show", plan]).await;
    let followed = lab.run(&["plan", "follow", plan]).await;
    assert_eq!(followed.code, 0, "{}", followed.stderr);
    same("plan-follow.txt", &lab.normal(&followed.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_created_waited_for_and_deleted() {
    let lab = Lab::start().await;
    let created = lab
        .run(&[
            "deployment",
            "create",
            "--name",
            "web",
            "--wait",
            "-o",
            "json",
        ])
        .await;
    assert_eq!(created.code, 0, "{}", created.stderr);
    same("deployment-create.json", &lab.normal(&created.stdout));
    let without = ["deployment", "delete", "web"];
    let refused = lab.run(&without).await;
    assert_eq!(refused.code, 1, "nobody was asked: {}", refused.stderr);
    let deleted = lab
        .run(&[
            "deployment",
            "delete",
            "web",
            "--yes",
            "--wait",
            "-o",
            "json",
        ])
        .await;
    assert_eq!(deleted.code, 0, "{}", deleted.stderr);
    same("deployment-delete.json", &lab.normal(&deleted.stdout));
    let gone = lab.run(&["deployment", "show", "web"]).await;
    assert_eq!(gone.code, 3, "{}", gone.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn yaml_is_the_same_as_json_and_lists_are_cut_and_ordered_by_the_director() {
    let lab = Lab::start().await;
    let json = lab.run(&["template", "list", "-o", "json"]).await.json();
    let yaml = lab.run(&["template", "list", "-o", "yaml"]).await;
    let read: serde_json::Value = serde_yaml_ng::from_str(&yaml.stdout).unwrap();
    assert_eq!(read, json);
    let none = [
        "deployment",
        "list",
        "--filter",
        "name=nothing",
        "-o",
        "json",
    ];
    assert_eq!(lab.run(&none).await.json(), serde_json::json!([]));
    let sick = ["deployment", "list", "--filter", "health!=healthy"];
    let sick = lab.run(&[&sick[..], &["-o", "json"]].concat()).await;
    assert_eq!(
        sick.json(),
        serde_json::json!([]),
        "the only one is healthy"
    );
    let unknown = lab.run(&["deployment", "list", "--sort", "nonsense"]).await;
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.stderr.contains("nonsense") && unknown.stderr.contains("name"),
        "the field and those that there are must be named: {}",
        unknown.stderr
    );
}

/// Fields are named in examples that only a director can judge.
#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_a_list_is_taken_by_the_director() {
    let lab = Lab::start().await;
    let lists = [
        "deployment list",
        "deployment history",
        "plan list",
        "allocator list",
        "director list",
        "proxy list",
        "zone list",
        "container list",
        "container groups",
        "template list",
        "user list",
        "token list",
        "config list",
        "channel list",
        "events",
    ];
    let typed = lab.type_examples(&lists).await;
    assert!(typed >= lists.len(), "only {typed} examples were found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_command_calls_by_name_and_streams_a_line_a_message() {
    let lab = Lab::start().await;
    let list = bare(&["api"], lab.files.dir.path());
    let listed = finish(list, "").await;
    assert_eq!(
        listed.code, 0,
        "listing needs no director: {}",
        listed.stderr
    );
    assert!(
        listed.stdout.contains("wharf.v1.Plans/FollowPlan"),
        "{}",
        listed.stdout
    );
    let request = r#"{"deployment": "system"}"#;
    let asked = lab
        .run_with(&["api", "Deployments/GetDeployment", "-"], request)
        .await;
    assert_eq!(asked.json()["name"], "system");

    let plans = lab.run(&["plan", "list", "-o", "json"]).await.json();
    let request = serde_json::json!({"plan_id": plans[0]["id"]}).to_string();
    let followed = lab.run(&["api", "FollowPlan", &request]).await;
    let last = followed.stdout.lines().last().unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["status"], "PLAN_STATUS_DONE", "{}", followed.stderr);

    for (args, code) in [
        (["api", "GetPlan", r#"{"plan": "x"}"#], 1),
        (["api", "NoSuchMethod", "{}"], 3),
        (["api", "AllocatorSession/Session", "{}"], 1),
    ] {
        let said = lab.run(&args).await;
        assert_eq!(said.code, code, "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains("CLI0031"), "{args:?}: {}", said.stderr);
    }
    let small = ["api", "ListTemplates", "{}", "--max-answer-mib", "0"];
    assert_eq!(lab.run(&small).await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_are_those_of_the_guide() {
    let lab = Lab::start().await;
    let home = lab.files.dir.path();
    for (args, code, what) in [
        (vec!["status"], 0, "done"),
        (
            vec!["deployment", "list", "--filter", "?"],
            1,
            "refused by the director",
        ),
        (vec!["deployment", "lst"], 2, "wrong usage"),
        (vec!["deployment", "show", "nothing"], 3, "not found"),
        (vec!["allocator", "show", "nothing"], 3, "not found"),
    ] {
        let said = lab.run(&args).await;
        assert_eq!(said.code, code, "{what}: {args:?} said {}", said.stderr);
    }
    let mut wrong = lab.command(&["status"]);
    wrong
        .env_remove("WHARF_PASSWORD_FILE")
        .env("WHARF_PASSWORD", "not the password");
    let wrong = finish(wrong, "").await;
    assert_eq!(wrong.code, 1, "{}", wrong.stderr);
    assert!(
        !wrong.stderr.contains("not the password"),
        "{}",
        wrong.stderr
    );
    let mut nobody = lab.command(&["status"]);
    nobody.env("WHARF_DIRECTOR", "127.0.0.1:1");
    let nobody = finish(nobody, "").await;
    assert_eq!(nobody.code, 5, "nobody answers there: {}", nobody.stderr);
    let mut next = lab.command(&["deployment", "list"]);
    let several = format!("127.0.0.1:1, {}", lab.process.admin);
    next.env("WHARF_DIRECTOR", several);
    let next = finish(next, "").await;
    assert_eq!(next.code, 0, "the next director answers: {}", next.stderr);
    let nothing = finish(bare(&["status"], home), "").await;
    assert_eq!(nothing.code, 1, "no profile: {}", nothing.stderr);
    assert!(nothing.stderr.contains("CLI0005"), "{}", nothing.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn completions_name_the_commands_and_man_pages_are_written() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let said = finish(bare(&["completion", shell], dir.path()), "").await;
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert!(
            said.stdout.contains("credentials"),
            "{shell} does not know the commands"
        );
    }
    let folder = dir.path().join("man/man1");
    let args = ["man", folder.to_str().unwrap()];
    let said = finish(bare(&args, dir.path()), "").await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let page = std::fs::read_to_string(folder.join("wharf-plan-follow.1")).unwrap();
    assert!(page.starts_with(".ie") || page.contains(".TH"), "{page}");
}
