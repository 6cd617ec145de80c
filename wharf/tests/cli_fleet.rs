//! What the commands of a fleet print and with which exit code they end: hosts that are changed, kept
//! empty and emptied, instances that are paused and taken out of the routes, placement explained. The
//! real binary against a real director on one host. Not here: that data moves (`docker_scenarios`).
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cli;
#[path = "../../director/tests/platform/mod.rs"]
mod platform;

use cli::{Lab, Said, same};
use platform::eventually;

async fn create(lab: &Lab) {
    let create = ["deployment", "create", "--name", "web", "--wait"];
    let said = lab
        .run(&[&create[..], &["--memory-mib", "512"]].concat())
        .await;
    assert_eq!(said.code, 0, "{}", said.stderr);
}

async fn done(lab: &Lab, args: &[&str]) -> Said {
    let said = lab.run(args).await;
    assert_eq!(said.code, 0, "wharf {}: {}", args.join(" "), said.stderr);
    said
}

/// What `allocator show` says of the only host.
async fn host(lab: &Lab) -> serde_json::Value {
    done(lab, &["allocator", "show", "h1", "-o", "json"])
        .await
        .json()
}

#[tokio::test(flavor = "multi_thread")]
async fn placement_is_explained_for_an_instance_and_for_a_kind() {
    let lab = Lab::start().await;
    create(&lab).await;
    lab.golden(
        "placement-explain",
        &["placement", "explain", "web/storage-0"],
    )
    .await;
    let kind = [
        "placement",
        "explain",
        "--kind",
        "storage",
        "--memory",
        "1g",
    ];
    lab.golden("placement-explain-kind", &kind).await;
    let large = [
        "placement",
        "explain",
        "--kind",
        "storage",
        "--memory",
        "60g",
    ];
    let refused = lab.run(&large).await;
    assert_eq!(refused.code, 4, "nobody takes it: {}", refused.stderr);
    same(
        "placement-explain-refused.txt",
        &lab.normal(&refused.stdout),
    );
    for (args, code, what) in [
        (vec!["explain", "web/storage-9"], 3, "no such instance"),
        (vec!["explain"], 2, "neither an instance nor a kind"),
        (vec!["explain", "x", "--kind", "storage"], 2, "both"),
        (
            vec!["explain", "--kind", "storage", "--memory", "1"],
            2,
            "no unit",
        ),
        (
            vec!["explain", "--kind", "storage", "--memory", "1m"],
            1,
            "too small",
        ),
    ] {
        let args = [&["placement"], &args[..]].concat();
        let said = lab.run(&args).await;
        assert_eq!(said.code, code, "{what}: {args:?} said {}", said.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_of_one_host_has_nothing_to_rebalance_and_says_why() {
    let lab = Lab::start().await;
    let dry = ["placement", "rebalance", "--dry-run"];
    lab.golden("placement-rebalance-dry-run", &dry).await;
    let said = done(&lab, &["placement", "rebalance", "-o", "json"])
        .await
        .json();
    assert_eq!(said["moves"].as_array().map_or(0, Vec::len), 0, "{said}");
    assert_ne!(said["reason"], "", "{said}");
    let plans = ["plan", "list", "--filter", "kind=move", "-o", "json"];
    assert_eq!(done(&lab, &plans).await.json(), serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_changed_while_it_runs_and_what_is_not_named_stays() {
    let lab = Lab::start().await;
    let before = host(&lab).await;
    done(
        &lab,
        &[
            "allocator",
            "set",
            "h1",
            "--tag",
            "disk=ssd",
            "--tag",
            "rack=7",
        ],
    )
    .await;
    done(
        &lab,
        &[
            "allocator",
            "set",
            "h1",
            "--untag",
            "rack",
            "--memory",
            "7g",
        ],
    )
    .await;
    let after = host(&lab).await;
    assert_eq!(after["tags"], serde_json::json!({"disk": "ssd"}));
    assert_eq!(
        after["capacity"]["memory_bytes"]
            .to_string()
            .trim_matches('"'),
        (7_u64 << 30).to_string()
    );
    assert_eq!(
        after["capacity"]["disk_bytes"],
        before["capacity"]["disk_bytes"]
    );
    assert_eq!(after["zone"], before["zone"]);
    for (args, code, what) in [
        (vec!["set", "h1"], 2, "nothing to change"),
        (vec!["set", "h1", "--tag", "x"], 2, "no value"),
        (vec!["set", "h1", "--roles", "king"], 2, "no such role"),
        (
            vec!["set", "h1", "--memory", "1m"],
            1,
            "less than is given out",
        ),
        (vec!["set", "nothing", "--zone", "z"], 3, "no such host"),
        (vec!["maintenance", "nothing", "on"], 3, "no such host"),
        (vec!["maintenance", "h1", "maybe"], 2, "neither on nor off"),
    ] {
        let args = [&["allocator"], &args[..]].concat();
        let said = lab.run(&args).await;
        assert_eq!(said.code, code, "{what}: {args:?} said {}", said.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_is_seen_by_placement_status_and_top() {
    let lab = Lab::start().await;
    let on = done(&lab, &["allocator", "maintenance", "h1", "on"]).await;
    same("allocator-maintenance.txt", &lab.normal(&on.stdout));
    let status = done(&lab, &["status"]).await;
    assert!(
        status.stdout.contains("h1    maintenance"),
        "{}",
        status.stdout
    );
    let top = done(&lab, &["top", "--once"]).await;
    assert!(
        top.stdout.ends_with("\nhosts: 1 in maintenance\n"),
        "{}",
        top.stdout
    );
    let explain = ["placement", "explain", "--kind", "storage"];
    let refused = lab.run(&explain).await;
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(
        refused.stdout.contains("h1 is in maintenance mode"),
        "{}",
        refused.stdout
    );
    done(&lab, &["allocator", "maintenance", "h1", "off"]).await;
    assert_eq!(lab.run(&explain).await.code, 0);
    let status = done(&lab, &["status"]).await;
    assert!(!status.stdout.contains("maintenance"), "{}", status.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_are_listed_paused_resumed_and_taken_out_of_the_routes() {
    let lab = Lab::start().await;
    create(&lab).await;
    lab.golden(
        "instance-list",
        &["instance", "list", "--deployment", "web", "--sort", "name"],
    )
    .await;
    let of = |lab: &Lab| {
        let list = ["instance", "list", "--deployment", "web", "-o", "json"];
        let one = ["--filter", "name=storage-0"];
        cli::finish(lab.command(&[&list[..], &one[..]].concat()), "")
    };
    done(&lab, &["instance", "stop-routing", "web/storage-0"]).await;
    assert_eq!(of(&lab).await.json()[0]["routing_stopped"], true);
    done(&lab, &["instance", "start-routing", "web/storage-0"]).await;
    assert_eq!(
        of(&lab).await.json()[0]["routing_stopped"],
        serde_json::Value::Bool(false)
    );
    done(
        &lab,
        &[
            "instance",
            "pause",
            "web/storage-0",
            "--wait",
            "--wait-timeout",
            "60",
        ],
    )
    .await;
    let paused = of(&lab).await;
    assert_eq!(paused.json()[0]["paused"], true, "{paused:?}");
    let again = lab.run(&["instance", "pause", "web/storage-0"]).await;
    assert_eq!(again.code, 1, "it is paused already: {}", again.stderr);
    done(
        &lab,
        &[
            "instance",
            "resume",
            "web/storage-0",
            "--wait",
            "--wait-timeout",
            "60",
        ],
    )
    .await;
    let aside = done(&lab, &["instance", "set-aside", "-o", "json"]).await;
    assert_eq!(aside.json(), serde_json::json!([]));
    let dry = lab
        .run(&["instance", "move", "web/storage-0", "--dry-run"])
        .await;
    assert_eq!(dry.code, 1, "there is no other host: {}", dry.stderr);
    assert!(dry.stderr.contains("DIR0020"), "{}", dry.stderr);
    let nowhere = lab
        .run(&["instance", "move", "web/storage-0", "--to", "h9"])
        .await;
    assert_eq!(nowhere.code, 3, "{}", nowhere.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_of_lost_hosts_is_set_and_shown() {
    let lab = Lab::start().await;
    create(&lab).await;
    let set = ["deployment", "set", "web", "--on-host-loss", "empty"];
    let said = done(&lab, &set).await;
    let line = "host lost   storage starts empty elsewhere\n";
    assert!(said.stdout.contains(line), "{}", said.stdout);
    let bad = lab
        .run(&["deployment", "set", "web", "--on-host-loss", "pray"])
        .await;
    assert_eq!(bad.code, 2, "{}", bad.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_instances_nobody_takes_is_not_emptied_and_its_vacate_is_cancelled() {
    let lab = Lab::start().await;
    create(&lab).await;
    let dry = lab.run(&["allocator", "vacate", "h1", "--dry-run"]).await;
    assert_eq!(dry.code, 4, "there is no other host: {}", dry.stderr);
    assert!(dry.stderr.contains("CLI0032"), "{}", dry.stderr);
    assert!(
        dry.stdout.starts_with("A dry run: nothing was changed."),
        "{}",
        dry.stdout
    );
    assert_eq!(
        done(&lab, &["vacate", "list", "-o", "json"]).await.json(),
        serde_json::json!([])
    );
    let none = lab.run(&["vacate", "show", "h1"]).await;
    assert_eq!(none.code, 3, "{}", none.stderr);
    assert!(none.stderr.contains("CLI0041"), "{}", none.stderr);
    let down = lab.run(&["allocator", "vacate", "h1", "--host-down"]).await;
    assert_eq!(down.code, 1, "nobody was asked: {}", down.stderr);

    let begun = done(&lab, &["allocator", "vacate", "h1"]).await;
    assert!(
        begun.stdout.contains("wharf vacate follow"),
        "{}",
        begun.stdout
    );
    let short = ["allocator", "show", "h1"];
    eventually("the host says that it is emptied", || async {
        let shown = lab.run(&short).await;
        shown.stdout.contains("\nvacate      ").then_some(())
    })
    .await;
    let status = done(&lab, &["status"]).await;
    assert!(status.stdout.contains("vacating"), "{}", status.stdout);
    let cancel = ["vacate", "cancel", "h1", "--wait", "--wait-timeout", "60"];
    let cancelled = done(&lab, &cancel).await;
    assert!(
        cancelled.stdout.contains("status      cancelled"),
        "{}",
        cancelled.stdout
    );
    let followed = lab.run(&["vacate", "follow", "h1"]).await;
    assert_eq!(followed.code, 4, "{}", followed.stderr);
    assert!(followed.stderr.contains("CLI0042"), "{}", followed.stderr);
    let listed = done(&lab, &["vacate", "list"]).await;
    same("vacate-list.txt", &lab.normal(&listed.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_is_given_a_location_that_is_listed_and_taken_away_again() {
    let lab = Lab::start().await;
    let sydney = ["--latitude", "-33.8688", "--longitude", "151.2093"];
    let set = [&["zone", "set-location", "zone-1"], &sydney[..]].concat();
    let named = [&set[..], &["--place", "Sydney"]].concat();
    let said = done(&lab, &named).await;
    assert_eq!(
        said.stdout,
        "zone zone-1 is at Sydney (-33.8688, 151.2093)\n"
    );
    lab.golden("zone-list-located", &["zone", "list"]).await;
    let without = ["zone", "list", "--filter", "located=false", "-o", "json"];
    assert_eq!(done(&lab, &without).await.json(), serde_json::json!([]));

    let place = "x".repeat(129);
    for (args, code, what) in [
        (
            vec!["--latitude", "90.1", "--longitude", "1"],
            1,
            "location.latitude_degrees",
        ),
        (
            vec!["--latitude", "1", "--longitude", "-181"],
            1,
            "location.longitude_degrees",
        ),
        (
            vec!["--latitude", "1", "--longitude", "1", "--place", &place],
            1,
            "location.place",
        ),
        (vec!["--latitude", "1"], 2, "--longitude"),
        (vec!["--latitude", "south", "--longitude", "1"], 2, "south"),
    ] {
        let args = [&["zone", "set-location", "zone-1"], &args[..]].concat();
        let said = lab.run(&args).await;
        assert_eq!(said.code, code, "{what}: {args:?} said {}", said.stderr);
        assert!(said.stderr.contains(what), "{args:?} said {}", said.stderr);
    }
    let elsewhere = [&["zone", "set-location", "nowhere"], &sydney[..]].concat();
    let said = lab.run(&elsewhere).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(said.stderr.contains("wharf zone list"), "{}", said.stderr);

    let said = done(&lab, &["zone", "clear-location", "zone-1"]).await;
    assert_eq!(said.stdout, "zone zone-1 has no location\n");
    let listed = done(&lab, &["zone", "list", "-o", "json"]).await.json();
    assert_eq!(listed[0].get("location"), None, "{listed}");
    let events = ["events", "--filter", "actor=admin", "-o", "json"];
    let events = done(&lab, &events).await.stdout;
    for action in ["set_zone_location", "clear_zone_location"] {
        assert!(events.contains(action), "{action} is not told of: {events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_what_is_in_the_history_and_found_by_name() {
    let lab = Lab::start().await;
    done(&lab, &["allocator", "maintenance", "h1", "on"]).await;
    let by = |name: &str| format!("actor={name}");
    let mine = by("admin");
    let events = ["events", "--filter", &mine, "-o", "json"];
    let events = done(&lab, &events).await.json();
    let events = events.as_array().unwrap();
    assert!(!events.is_empty(), "the change is not told of");
    assert!(
        events.iter().all(|event| event["actor"] == "admin"),
        "{events:?}"
    );
    let nobody = by("nobody");
    let none = ["events", "--filter", &nobody, "-o", "json"];
    assert_eq!(done(&lab, &none).await.json(), serde_json::json!([]));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_the_watching_and_says_that_the_plan_goes_on() {
    // Nobody carries out the plan of `system`.
    let lab = Lab::director_on(platform::Files::new()).await;
    let plan = eventually("the first plan is there", || async {
        let listed = lab.run(&["plan", "list", "-o", "json"]).await;
        let plans: serde_json::Value = serde_json::from_str(&listed.stdout).ok()?;
        Some(plans[0]["id"].as_str()?.to_owned())
    })
    .await;
    let said = cli::interrupted(lab.command(&["plan", "follow", &plan])).await;
    assert_eq!(said.code, 130, "{said:?}");
    assert!(
        said.stderr.contains("CLI0040") && said.stderr.contains("goes on"),
        "{said:?}"
    );
    let shown = done(&lab, &["plan", "show", &plan, "-o", "json"])
        .await
        .json();
    assert_ne!(shown["status"], "PLAN_STATUS_CANCELLED", "{shown}");
}
