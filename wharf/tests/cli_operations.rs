//! What the commands that change a deployment print, what their dry runs say, and with which exit code
//! they end: the real binary against a real director. Not here: that containers follow
//! (`docker_operations`).
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cli;
#[path = "../../director/tests/platform/mod.rs"]
mod platform;

use cli::{Lab, same};
use platform::{Files, eventually};

/// Runs a command that waits, and compares the steps that it tells to have been done. How often a step
/// is told before, and which of two at once ends first, differs from run to run.
async fn waited(lab: &Lab, name: &str, args: &[&str]) {
    let patience = ["--wait", "--wait-timeout", "60", "-o", "json"];
    let said = lab.run(&[args, &patience].concat()).await;
    assert_eq!(said.code, 0, "wharf {}: {}", args.join(" "), said.stderr);
    assert_eq!(said.json()["plan"]["status"], "PLAN_STATUS_DONE");
    let told = lab.normal(&said.stderr);
    let mut done: Vec<&str> = told
        .lines()
        .filter(|line| line.starts_with("done"))
        .collect();
    done.sort_unstable();
    same(&format!("{name}.txt"), &(done.join("\n") + "\n"));
}

async fn create(lab: &Lab) {
    let create = ["deployment", "create", "--name", "web", "--wait"];
    let said = lab
        .run(&[&create[..], &["--memory-mib", "512"]].concat())
        .await;
    assert_eq!(said.code, 0, "{}", said.stderr);
}

/// The plan that was made last for a deployment.
async fn last_plan(lab: &Lab, deployment: &str) -> String {
    let history = [
        "deployment",
        "history",
        deployment,
        "--limit",
        "1",
        "-o",
        "json",
    ];
    let plans = lab.run(&history).await.json();
    plans[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_goes_through_every_change_and_its_history_has_each() {
    let lab = Lab::start().await;
    create(&lab).await;
    let resize = ["deployment", "resize", "web", "--memory-mib", "1024"];
    waited(&lab, "deployment-resize", &resize).await;
    let resized = last_plan(&lab, "web").await;
    waited(
        &lab,
        "deployment-restart",
        &["deployment", "restart", "web"],
    )
    .await;
    let terminate = ["deployment", "terminate", "web", "--yes"];
    waited(&lab, "deployment-terminate", &terminate).await;
    let terminated = last_plan(&lab, "web").await;
    lab.golden(
        "deployment-list-terminated",
        &["deployment", "list", "--filter", "name=web"],
    )
    .await;
    waited(
        &lab,
        "deployment-restore",
        &["deployment", "restore", "web"],
    )
    .await;
    let password = ["deployment", "credentials", "web", "-o", "json"];
    let old = lab.run(&password).await.json();
    let reset = ["deployment", "reset-password", "web"];
    waited(&lab, "deployment-reset-password", &reset).await;
    let new = lab.run(&password).await.json();
    assert_ne!(old["password"], new["password"]);
    lab.golden("deployment-history", &["deployment", "history", "web"])
        .await;
    lab.golden("plan-diff", &["plan", "diff", &resized]).await;
    lab.golden(
        "plan-reapply",
        &["plan", "reapply", &terminated, "--dry-run"],
    )
    .await;
    let same_again = lab.run(&["plan", "reapply", &resized]).await;
    assert_eq!(
        same_again.code, 1,
        "it has that size: {}",
        same_again.stderr
    );
    lab.golden("plan-show-resize", &["plan", "show", &resized])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_is_printed_and_changes_nothing() {
    let lab = Lab::start().await;
    create(&lab).await;
    let before = last_plan(&lab, "web").await;
    for (name, args) in [
        ("create-dry-run", vec!["create", "--name", "next"]),
        (
            "resize-dry-run",
            vec![
                "resize",
                "web",
                "--memory-mib",
                "1024",
                "--cpu-millis",
                "1500",
            ],
        ),
        (
            "restart-dry-run",
            vec!["restart", "web", "--instance", "storage-0"],
        ),
        ("terminate-dry-run", vec!["terminate", "web"]),
        ("delete-dry-run", vec!["delete", "web"]),
    ] {
        let args = [&["deployment"], &args[..], &["--dry-run"]].concat();
        lab.golden(&format!("deployment-{name}"), &args).await;
    }
    assert_eq!(
        last_plan(&lab, "web").await,
        before,
        "a dry run made a plan"
    );
    let next = lab.run(&["deployment", "show", "next"]).await;
    assert_eq!(next.code, 3, "{}", next.stderr);

    let big = [
        "deployment",
        "create",
        "--name",
        "big",
        "--memory-mib",
        "65536",
        "--dry-run",
    ];
    let refused = lab.run(&big).await;
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .starts_with("error DIR0020: sizes.storage.memory_bytes: "),
        "the field and why: {}",
        refused.stderr
    );
    for (args, code, what) in [
        (vec!["restore", "web"], 1, "nobody has terminated it"),
        (
            vec!["resize", "web", "--memory-mib", "512"],
            1,
            "it has that size",
        ),
        (vec!["resize", "web", "--memory-mib", "1"], 1, "too small"),
        (vec!["resize", "web"], 2, "no size"),
        (
            vec!["resize", "web", "--memory-mib", "0"],
            2,
            "nothing has no memory",
        ),
        (
            vec!["restart", "web", "--instance", "storage-7"],
            1,
            "no such instance",
        ),
        (vec!["restart", "nothing"], 3, "no such deployment"),
        (
            vec!["restart", "web", "--wait"],
            2,
            "a dry run is not waited for",
        ),
    ] {
        let args = [&["deployment"], &args[..], &["--dry-run"]].concat();
        let said = lab.run(&args).await;
        assert_eq!(said.code, code, "{what}: {args:?} said {}", said.stderr);
        assert!(
            code == 2 || said.stderr.starts_with("error DIR"),
            "{what}: {}",
            said.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_waits_is_cancelled_and_what_ends_is_not_done_without_a_yes() {
    // Nobody carries out the plan of `system`.
    let lab = Lab::director_on(Files::new()).await;
    let plan = eventually("the first plan is there", || async {
        let listed = lab.run(&["plan", "list", "-o", "json"]).await;
        let plans: serde_json::Value = serde_json::from_str(&listed.stdout).ok()?;
        Some(plans[0]["id"].as_str()?.to_owned())
    })
    .await;
    let plan = plan.as_str();
    let cancelled = lab.run(&["plan", "cancel", plan, "--wait"]).await;
    assert_eq!(cancelled.code, 0, "{}", cancelled.stderr);
    same("plan-cancel.txt", &lab.normal(&cancelled.stdout));
    let shown = lab.run(&["plan", "show", plan, "-o", "json"]).await.json();
    assert_eq!(shown["status"], "PLAN_STATUS_CANCELLED", "{shown}");
    let followed = lab.run(&["plan", "follow", plan]).await;
    assert_eq!(followed.code, 4, "{}", followed.stderr);
    let again = lab.run(&["plan", "cancel", plan]).await;
    assert_eq!(again.code, 1, "it has ended: {}", again.stderr);
    let nothing = "0".repeat(32);
    let none = lab.run(&["plan", "cancel", &nothing]).await;
    assert_eq!(none.code, 3, "{}", none.stderr);
    for ends in ["terminate", "delete"] {
        let refused = lab.run(&["deployment", ends, "system"]).await;
        assert_eq!(refused.code, 1, "nobody was asked: {}", refused.stderr);
        assert!(refused.stderr.contains("CLI0007"), "{}", refused.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_again_makes_no_second_plan() {
    let lab = Lab::start().await;
    create(&lab).await;
    let id = "ab".repeat(16);
    let restart = [
        "deployment",
        "restart",
        "web",
        "--request-id",
        &id,
        "--wait",
        "-o",
        "json",
    ];
    let first = lab.run(&restart).await;
    assert_eq!(first.code, 0, "{}", first.stderr);
    let again = lab.run(&restart).await;
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(first.json()["plan_id"], again.json()["plan_id"]);
    let history = [
        "deployment",
        "history",
        "web",
        "--filter",
        "kind=restart",
        "-o",
        "json",
    ];
    let history = lab.run(&history).await.json();
    assert_eq!(history.as_array().map(Vec::len), Some(1), "{history}");
}
