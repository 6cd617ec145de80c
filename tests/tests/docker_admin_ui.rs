//! The admin UI as people use it: a browser on another machine against a platform of two hosts that is up,
//! with applications beside it; and against a director that nobody has joined. The hosts themselves would
//! do worse: a browser drops its requests when networks of containers come and go on its own machine.
//! What is clicked and seen is in `admin-ui/e2e`. `WHARF_UI_FILES="hosts services"` runs those files alone;
//! `WHARF_UI_KEEP=/tmp/ui` runs none, but writes that program, which runs the files of its arguments, and
//! keeps the platform until it is removed. `WHARF_SCREENSHOTS=1` keeps pictures of every screen in
//! `docs/screenshots`. Not here: what the director answers to browsers (`wharf-director`).

// A test fails by panicking and tells its figures.
#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs, iter,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use wharf_tests::{
    elastic::Elastic,
    lone_director::{ADMIN, PASSWORD, Premises},
    patience::wait_for,
    testbed::{Host, Network, must},
};

/// An application with a use of its own.
struct Application {
    /// Of a compose file.
    project: &'static str,
    service: &'static str,
    script: &'static str,
}

/// On the host with all roles.
const HERE: [Application; 2] = [
    Application {
        project: "shop",
        service: "web",
        script: "while true; do echo line; sleep 0.5; done",
    },
    Application {
        project: "shop",
        service: "till",
        script: "while true; do :; done",
    },
];
/// On the one that joined.
const THERE: [Application; 3] = [
    Application {
        project: "mail",
        service: "queue",
        script: "x=$(head -c 40000000 /dev/zero | tr '\\0' y); sleep 3600; true",
    },
    Application {
        project: "shop",
        service: "checkout",
        script: r#"n=0
while true; do
  n=$((n + 1))
  echo "{\"level\":\"info\",\"message\":\"order $n was taken\"}"
  sleep 0.5
  echo "{\"level\":\"error\",\"message\":\"the card of order $n was declined\"}"
  [ $((n % 5)) != 0 ] || echo "{\"level\":\"warn\",\"message\":\"order $n waits for stock\"}"
  sleep 0.5
done"#,
    },
    // What its log says is said by tests.
    Application {
        project: "shop",
        service: "writer",
        script: "while true; do sleep 3600; done",
    },
];
/// Whose log tests write to: a container of [`THERE`].
const WRITER: &str = "shop-writer";
/// The host that joins. Late in the alphabet: the first of a list is the one with all roles.
const SECOND: &str = "yard";
const SECOND_ZONE: &str = "zone-2";

/// What instances of a host may be given. Promised, not taken: with a machine's own, one host has no room for
/// the instances of both.
const DISK_MIB: &str = "131072";

/// Long enough for a busy machine.
const SOON: Duration = Duration::from_secs(150);
/// Long enough for a person who looks at it.
const LOOKING: Duration = Duration::from_secs(24 * 3600);

/// A platform with applications, and where people sit.
struct Premise {
    hosts: [Host; 2],
    desk: Host,
    /// The admin's, which `wharf up` has written.
    profile: Value,
    /// Of the deployment `system`.
    system: Value,
}

impl Premise {
    /// On hosts of that network; given when it is healthy and its collectors have written.
    fn on(network: &Network) -> Self {
        let hosts = network.start_hosts(["ui", SECOND]);
        let [first, second] = &hosts;
        let address = first.address().expect("it is plugged in").to_string();
        let mut up = first.wharf(&["up", "--advertise", &address]);
        must(up.args(["--capacity-disk-mib", DISK_MIB]));
        join(first, second);
        for (host, applications) in [(first, &HERE[..]), (second, &THERE[..])] {
            host.import_busybox();
            for application in applications {
                start(host, application);
            }
        }
        wait_for("a healthy platform", SOON, || {
            let status = first.wharf_json(&["status"]);
            if status["healthy"] == true {
                Ok(())
            } else {
                Err(status["problems"].clone())
            }
        });
        let path = "home/.config/wharfinger/profiles/default.yaml";
        let text = fs::read_to_string(first.dir().join(path)).expect("the profile");
        let premise = Self {
            profile: serde_yaml_ng::from_str(&text).expect("a profile is YAML"),
            system: first.wharf_json(&["deployment", "credentials", "system"]),
            desk: Host::without_engine("ui-desk", network),
            hosts,
        };
        premise.wait_written();
        premise
    }

    /// Until what every page draws is there: measurements of both hosts, lines with levels.
    fn wait_written(&self) {
        let first = &self.hosts[0];
        first.inside(|| {
            let store = Elastic::new(&self.system);
            let body = json!({"size": 0, "aggs": {"hosts": {"terms": {"field": "host.name"}}}});
            wait_for("memory of both hosts' containers", SOON, || {
                let answer = store.json("POST", "/metrics-docker.memory-default/_search", &body)?;
                let hosts = answer["aggregations"]["hosts"]["buckets"].as_array();
                match hosts.map(Vec::len) {
                    Some(2) => Ok(()),
                    _ => Err(answer.to_string()),
                }
            });
            let body = json!({"size": 0, "query": {"term": {"log.level": "error"}}});
            wait_for("error lines of an application", SOON, || {
                let answer = store.json("POST", "/logs-docker.container-default/_search", &body)?;
                match answer["hits"]["total"]["value"].as_u64() {
                    Some(found) if found > 0 => Ok(()),
                    _ => Err(answer.to_string()),
                }
            });
        });
    }

    fn of_profile(&self, field: &str) -> String {
        text(&self.profile, field)
    }

    fn url(&self) -> String {
        format!("https://{}", self.of_profile("director"))
    }

    /// `docker` of each host's engine as a line of the shell, by the name that the host has in lists.
    fn engines(&self) -> String {
        let listed = self.hosts[0].wharf_json(&["allocator", "list"]);
        let listed = listed.as_array().expect("a list of hosts");
        let engines: BTreeMap<&str, String> = listed
            .iter()
            .map(|one| {
                let name = one["host"].as_str().expect("a host has a name");
                let host = &self.hosts[usize::from(name == SECOND)];
                (name, line_of(&host.docker(&[])))
            })
            .collect();
        json!(engines).to_string()
    }

    /// A program that makes the writer log its arguments, a line each.
    fn write_program(&self) -> PathBuf {
        let shell = ["/bin/busybox", "sh", "-c"];
        let mut exec = self.hosts[1].docker(&["exec", WRITER]);
        exec.args(shell).arg("printf '%s\\n' \"$@\" >/proc/1/fd/1");
        let path = self.desk.dir().join("write");
        program(&path, &format!("exec {} sh \"$@\"\n", line_of(&exec)));
        path
    }

    /// The browser's tests, to be run at the desk; what is not in `files` is left out.
    fn tests(&self, files: &str) -> Command {
        let alias = text(&self.system, "alias");
        let url = text(&self.system, "url");
        let (_, host) = url.split_once("://").expect("a URL has a scheme");
        let address = self.hosts[0].address().expect("it is plugged in");
        // As a line of the shell, for the page that lives on over it.
        let restart = line_of(&self.hosts[0].docker(&["restart", "wharf-wharfinger-director"]));
        let mut tests = self.desk.command("node");
        run_of(&mut tests, files)
            .env("WHARF_UI_URL", self.url())
            .env("WHARF_UI_USERNAME", self.of_profile("username"))
            .env("WHARF_UI_PASSWORD", self.of_profile("password"))
            .env("WHARF_UI_CA_FILE", self.of_profile("ca_file"))
            // As a name server of the platform's owner would say.
            .env("WHARF_UI_NAMES", format!("MAP *.localhost {address}"))
            .env("WHARF_UI_RESTART", restart)
            .env("WHARF_UI_ENGINES", self.engines())
            .env("WHARF_UI_WRITE", self.write_program())
            .env("WHARF_UI_WRITER", format!("{SECOND}/{WRITER}"))
            .env("WHARF_UI_DEPLOYMENT_NAME", "system")
            .env(
                "WHARF_UI_DEPLOYMENT_URL",
                format!(
                    "https://{}",
                    host.replacen(&alias, &format!("{alias}-monitor"), 1)
                ),
            )
            .env(
                "WHARF_UI_DEPLOYMENT_USERNAME",
                text(&self.system, "username"),
            )
            .env(
                "WHARF_UI_DEPLOYMENT_PASSWORD",
                text(&self.system, "password"),
            );
        tests
    }

    /// Until that program is removed, which people run as often as they like.
    fn keep_for(&self, path: &Path) {
        let exports = exports_of(&self.tests(""));
        let place = line_of(&self.desk.command("flock"));
        let lines = format!(
            "{exports}if [ \"$1\" = -- ]; then shift; exec {place} \"$0.lock\" \"$@\"; fi\n\
             exec {place} \"$0.lock\" node run.mjs \"$@\"\n"
        );
        program(path, &lines);
        println!("kept until it is removed: {} FILE ...", path.display());
        wait_for("nobody looks at it any more", LOOKING, || {
            if path.exists() {
                Err("it is there")
            } else {
                Ok(())
            }
        });
    }
}

fn text(of: &Value, field: &str) -> String {
    let found = of[field].as_str();
    found
        .unwrap_or_else(|| panic!("no `{field}`: {of}"))
        .to_owned()
}

/// The second host, with a zone of its own.
fn join(first: &Host, second: &Host) {
    let token = first.wharf_json(&[
        "token",
        "create",
        "--roles",
        "allocator",
        "--zone",
        SECOND_ZONE,
        "--ttl",
        "1h",
    ]);
    let mut install = second.wharf(&["install", "--host-name", SECOND]);
    install.args(["--capacity-disk-mib", DISK_MIB]);
    must(install.env("WHARF_JOIN", text(&token, "join")));
}

fn start(host: &Host, application: &Application) {
    let Application {
        project,
        service,
        script,
    } = application;
    let label = |key: &str, value: &str| format!("com.docker.compose.{key}={value}");
    let mut start = host.docker(&["run", "-d", "--name", &format!("{project}-{service}")]);
    start.args(["--network", "none", "--cpus", "0.1"]);
    start.args(["--label", &label("project", project)]);
    start.args(["--label", &label("service", service)]);
    must(start.args(["busybox:test", "sh", "-c", script]));
}

/// Where programs are found: Node of the tool cache first, where the system's is too old.
fn path_of_programs() -> OsString {
    let tools = env::var_os("WHARF_TOOLS").unwrap_or_default();
    let mut folders = vec![Path::new(&tools).join("node/bin")];
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    env::join_paths(folders).expect("folders can be joined")
}

/// What follows `node`, and where.
fn run_of<'a>(node: &'a mut Command, files: &str) -> &'a mut Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../admin-ui/e2e");
    node.arg("run.mjs").args(files.split_whitespace());
    node.current_dir(folder).env("PATH", path_of_programs())
}

/// A word of the shell, whatever is in it.
fn word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A command as a line of the shell.
fn line_of(command: &Command) -> String {
    let words = iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words.map(|one| word(&one.to_string_lossy())).collect();
    words.join(" ")
}

/// Lines of the shell that give a command its variables and its folder.
fn exports_of(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| {
        let value = word(&value?.to_string_lossy());
        Some(format!("export {}={value}\n", name.to_string_lossy()))
    });
    let folder = command.get_current_dir().unwrap_or_else(|| Path::new("."));
    set.chain([format!("cd {}\n", word(&folder.to_string_lossy()))])
        .collect()
}

/// Writes a program of the shell.
fn program(path: &Path, lines: &str) {
    fs::write(path, format!("#!/bin/sh\n{lines}")).expect("the program can be written");
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, mode).expect("the program can be made one");
}

/// What is asked for, by names of files; all when nothing is.
fn files() -> String {
    env::var("WHARF_UI_FILES").unwrap_or_default()
}

/// Runs the tests; what they tell is seen meanwhile.
fn passes(tests: &mut Command) {
    let ended = tests.status().expect("node can be run");
    assert!(
        ended.success(),
        "the browser saw something else than it should: {ended}"
    );
}

#[test]
fn people_see_and_steer_the_platform_in_a_browser() {
    let network = Network::create();
    let premise = Premise::on(&network);
    let mut fetch = premise.desk.command("curl");
    fetch.args(["--silent", "--show-error", "--cacert"]);
    let page = must(fetch.arg(premise.of_profile("ca_file")).arg(premise.url()));
    assert!(
        page.contains("<html"),
        "the binary was built without the admin UI, run `make build`: {page}"
    );
    match env::var_os("WHARF_UI_KEEP") {
        Some(path) => premise.keep_for(Path::new(&path)),
        None => passes(&mut premise.tests(&files())),
    }
}

#[test]
fn a_platform_that_nobody_has_joined_says_what_to_do_first() {
    let asked = files();
    let named = asked.split_whitespace().any(|file| file == "empty");
    if env::var_os("WHARF_UI_KEEP").is_some() || !(asked.is_empty() || named) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a folder");
    let premises = Premises::write(&data);
    let _director = premises.start(&folder.path().join("log"));
    let mut tests = Command::new("node");
    run_of(&mut tests, "empty")
        .env("WHARF_UI_URL", format!("https://{}", premises.for_people()))
        .env("WHARF_UI_USERNAME", ADMIN)
        .env("WHARF_UI_PASSWORD", PASSWORD)
        .env("WHARF_UI_CA_FILE", data.join("ca.pem"));
    passes(&mut tests);
}
