//! The admin UI as people use it: a browser on another machine against a platform that is up, with
//! applications beside it. The host itself would do worse: a browser drops its requests when networks of
//! containers come and go on its own machine.
//! What is clicked and seen is in `admin-ui/e2e`; `WHARF_SCREENSHOTS=1` keeps pictures of every screen in
//! `docs/screenshots`. Not here: what the director answers to browsers (`wharf-director`).

// A test fails by panicking and tells its figures.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::{env, ffi::OsString, iter, path::Path, process::Command, time::Duration};

use serde_json::Value;
use wharf_tests::{
    patience::wait_for,
    testbed::{Host, Network, must},
};

/// Applications with a use of their own, by project and service of a compose file.
const APPLICATIONS: [(&str, &str, &str); 3] = [
    ("shop", "web", "while true; do echo line; sleep 0.5; done"),
    ("shop", "till", "while true; do :; done"),
    (
        "mail",
        "queue",
        "x=$(head -c 40000000 /dev/zero | tr '\\0' y); sleep 3600",
    ),
];

/// Long enough for a busy machine.
const SOON: Duration = Duration::from_secs(150);

/// The admin's profile, which `wharf up` has written.
fn profile(host: &Host) -> Value {
    let path = "home/.config/wharfinger/profiles/default.yaml";
    let text = std::fs::read_to_string(host.dir().join(path)).expect("the profile");
    serde_yaml_ng::from_str(&text).expect("a profile is YAML")
}

/// Where programs are found: Node of the tool cache first, where the system's is too old.
fn path_of_programs() -> OsString {
    let tools = env::var_os("WHARF_TOOLS").unwrap_or_default();
    let mut folders = vec![Path::new(&tools).join("node/bin")];
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    env::join_paths(folders).expect("folders can be joined")
}

/// A command as a line of the shell.
fn line_of(command: &Command) -> String {
    let words = iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    words.join(" ")
}

/// A platform with applications on a host of that network, when it is healthy.
fn platform_on(network: &Network) -> Host {
    let host = Host::start_on("ui", network);
    let address = host.address().expect("it is plugged in").to_string();
    must(&mut host.wharf(&["up", "--advertise", &address]));
    host.import_busybox();
    for (project, service, script) in APPLICATIONS {
        let label = |key: &str, value: &str| format!("com.docker.compose.{key}={value}");
        let mut start = host.docker(&["run", "-d", "--name", &format!("{project}-{service}")]);
        start.args(["--network", "none", "--cpus", "0.1"]);
        start.args(["--label", &label("project", project)]);
        start.args(["--label", &label("service", service)]);
        must(start.args(["busybox:test", "sh", "-c", script]));
    }
    wait_for("a healthy platform", SOON, || {
        let status = host.wharf_json(&["status"]);
        if status["healthy"] == true {
            Ok(())
        } else {
            Err(status["problems"].clone())
        }
    });
    host
}

#[test]
fn people_see_and_steer_the_platform_in_a_browser() {
    let network = Network::create();
    let host = platform_on(&network);
    let desk = Host::without_engine("ui-desk", &network);
    let profile = profile(&host);
    let text = |field: &str| profile[field].as_str().unwrap_or_default().to_owned();
    let url = format!("https://{}", text("director"));
    let mut fetch = desk.command("curl");
    let page = must(fetch.args([
        "--silent",
        "--show-error",
        "--cacert",
        &text("ca_file"),
        &url,
    ]));
    assert!(
        page.contains("<html"),
        "the binary was built without the admin UI, run `make build`: {page}"
    );

    let e2e = Path::new(env!("CARGO_MANIFEST_DIR")).join("../admin-ui/e2e");
    // As a line of the shell, for the page that lives on over it.
    let restart = line_of(&host.docker(&["restart", "wharf-wharfinger-director"]));
    let mut npm = desk.command("npm");
    npm.args(["test", "--silent"])
        .current_dir(e2e)
        .env("PATH", path_of_programs())
        .env("WHARF_UI_URL", &url)
        .env("WHARF_UI_USERNAME", text("username"))
        .env("WHARF_UI_PASSWORD", text("password"))
        .env("WHARF_UI_CA_FILE", text("ca_file"))
        .env("WHARF_UI_RESTART", restart);
    // What it tells is seen while it runs.
    let ended = npm.status().expect("npm can be run");
    assert!(
        ended.success(),
        "the browser saw something else than it should: {ended}"
    );
}
