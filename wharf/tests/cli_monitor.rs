//! `wharf watch`, `alert` and `services` against a real monitoring node with a real storage node. The
//! monitoring node listens where the deployment's proxy would: what the proxy does with gRPC is shown
//! by its own tests.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cli;
#[path = "../../director/tests/platform/mod.rs"]
mod platform;

use std::{
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::Mutex,
};

use bytes::Bytes;
use cli::{Lab, Said, bare, same};
use http_body_util::Full;
use hyper::Request;
use platform::{Files, basic, eventually};
use serde_json::{Value, json};
use wharf_runtime::{
    clock,
    net::{ClientOptions, HttpsClient},
    platform_file::PlatformFile,
    random,
    tls::{Expect, Identity, LeafSpec, client_config},
};
use wharf_test_ports::TestPort;

/// Fires as long as no document has the message that it looks for.
const WATCH: &str = "\
name: nobody-logs
description: Nobody logs
enabled: false
severity: critical
trigger: {interval: 1m}
input:
  search:
    index: logs-shop
    window: 5m
    body: {query: {term: {message: heartbeat}}}
condition:
  compare: {path: hits.total.value, lt: 1}
";

/// A node that ends with the test.
struct Running {
    child: Mutex<Child>,
    log: PathBuf,
    port: TestPort,
}

impl Running {
    /// It answers no more when it has ended: whoever waits for it should know at once.
    fn assert_there(&self) {
        let ended = self.child.lock().unwrap().try_wait().unwrap();
        let log = std::fs::read_to_string(&self.log);
        assert!(
            ended.is_none(),
            "{} ended: {ended:?}, {log:?}",
            self.log.display()
        );
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The secrets directory of an instance whose certificate names these hosts.
fn secrets(lab: &Lab, name: &str, hosts: &[&str], files: &[(&str, Value)]) -> PathBuf {
    let dir = lab.files.dir.path().join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let id = random::new_id();
    let identity = Identity::new(&lab.files.platform.platform_id, "instance", &id).unwrap();
    let mut spec = LeafSpec::for_identity(identity);
    for host in hosts {
        spec = spec.with_host(host);
    }
    let cert = lab.files.authority.issue(&spec, clock::now_ms()).unwrap();
    cert.store(dir.join("identity.pem")).unwrap();
    std::fs::write(dir.join("ca.pem"), lab.files.authority.certificate_pem()).unwrap();
    for (file, value) in files {
        std::fs::write(dir.join(file), value.to_string()).unwrap();
    }
    dir
}

fn node(lab: &Lab, kind: &str, secrets: &Path, port: TestPort) -> Running {
    let data = lab.files.dir.path().join(format!("{kind}-data"));
    let listen = port.addr().to_string();
    let args = [
        "run",
        kind,
        "--data-dir",
        data.to_str().unwrap(),
        "--secrets-dir",
        secrets.to_str().unwrap(),
        "--listen",
        &listen,
        "--memory-bytes",
        "268435456",
        "--disk-bytes",
        "1073741824",
    ];
    let mut command = bare(&args, lab.files.dir.path());
    let log = lab.files.dir.path().join(format!("{kind}.log"));
    let file = std::fs::File::create(&log).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file);
    Running {
        child: Mutex::new(command.spawn().unwrap()),
        log,
        port,
    }
}

/// A platform whose deployment `system` has a storage node and a monitoring node.
struct Monitored {
    lab: Lab,
    nodes: [Running; 2],
}

impl Monitored {
    async fn start() -> Self {
        let mut files = Files::new();
        let (storage, monitoring) = (TestPort::reserve(), TestPort::reserve());
        files.platform.ports.proxy_https = monitoring.port();
        let path = PlatformFile::path(files.dir.path());
        std::fs::write(path, serde_json::to_vec(&files.platform).unwrap()).unwrap();
        let lab = Lab::start_on(files).await;
        let credentials = lab
            .run(&["deployment", "credentials", "system", "-o", "json"])
            .await
            .json();
        let (user, password) = (&credentials["username"], &credentials["password"]);
        let users = json!({"users": [{"username": user, "password": password}]});
        let of_storage = secrets(&lab, "storage", &["localhost"], &[("users.json", users)]);
        let access = json!({
            "url": format!("https://localhost:{}", storage.port()),
            "alias": "system",
            "server_name": "localhost",
            "username": user,
            "password": password,
        });
        let of_monitoring = secrets(
            &lab,
            "monitoring",
            &["system-monitor.localhost"],
            &[
                ("storage.json", access),
                ("channels.json", json!({"channels": []})),
            ],
        );
        let nodes = [
            node(&lab, "store", &of_storage, storage),
            node(&lab, "monitor", &of_monitoring, monitoring),
        ];
        let login = basic(user.as_str().unwrap(), password.as_str().unwrap());
        eventually("the storage takes a document", || {
            nodes[0].assert_there();
            index(&lab, nodes[0].port.port(), &login)
        })
        .await;
        let monitored = Self { lab, nodes };
        eventually("the monitoring node answers", || async {
            monitored.nodes.iter().for_each(Running::assert_there);
            let said = monitored.run(&["watch", "list"]).await;
            (said.code == 0).then_some(())
        })
        .await;
        monitored
    }

    async fn run(&self, args: &[&str]) -> Said {
        self.lab.run(args).await
    }

    async fn done(&self, args: &[&str]) -> Said {
        let said = self.run(args).await;
        assert_eq!(
            said.code,
            0,
            "wharf {} failed: {}",
            args.join(" "),
            said.stderr
        );
        said
    }

    async fn json(&self, args: &[&str]) -> Value {
        let mut all = args.to_vec();
        all.extend(["-o", "json"]);
        self.done(&all).await.json()
    }

    /// A file of this content.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.lab.files.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Edits a watch with a script as the editor.
    async fn edit(&self, name: &str, script: &str) -> Said {
        use std::os::unix::fs::PermissionsExt;
        let editor = self.file("editor", &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = self.lab.command(&["watch", "edit", name]);
        command.env("EDITOR", &editor);
        cli::finish(command, "").await
    }
}

async fn index(lab: &Lab, port: u16, login: &str) -> Option<()> {
    let config = client_config(&lab.files.authority.certs(), Expect::Name, None).unwrap();
    let http = HttpsClient::new(config, ClientOptions::default());
    let document = json!({"@timestamp": "2026-01-01T00:00:00Z", "message": "started"});
    let request = Request::post(format!("https://localhost:{port}/logs-shop/_doc"))
        .header("authorization", login)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(document.to_string())))
        .unwrap();
    let answer = http.fetch(request, 1 << 20).await.ok()?;
    answer.status().is_success().then_some(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_lives_from_its_document_to_its_alert_and_its_end() {
    let on = Monitored::start().await;
    let document = on.file("watch.yaml", WATCH);

    // Not kept yet, it can be tried.
    let tried = on.json(&["watch", "test", "-f", &document]).await;
    assert_eq!(tried["outcome"], "RUN_OUTCOME_FIRING", "{tried}");
    assert_eq!(on.run(&["watch", "show", "nobody-logs"]).await.code, 3);

    let created = on.json(&["watch", "create", "-f", &document]).await;
    assert_eq!(
        created["spec"]["severity"], "SEVERITY_CRITICAL",
        "{created}"
    );
    let again = on.run(&["watch", "create", "-f", &document]).await;
    assert_eq!(again.code, 1, "one of that name is there: {}", again.stderr);
    on.done(&["watch", "create", "--replace", "-f", &document])
        .await;
    let wrong = on.file("wrong.yaml", &WATCH.replace("window", "windwo"));
    let refused = on
        .run(&["watch", "create", "--replace", "-f", &wrong])
        .await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.stderr.contains("windwo") && refused.stderr.contains("line"),
        "field and line must be named: {}",
        refused.stderr
    );

    let run = on.json(&["watch", "run", "nobody-logs"]).await;
    assert_eq!(run["outcome"], "RUN_OUTCOME_FIRING", "{run}");
    let of_it = ["alert", "list", "--filter", "watch=nobody-logs"];
    let alerts = on.json(&of_it).await;
    assert_eq!(alerts[0]["state"], "ALERT_STATE_FIRING", "{alerts}");
    let id = alerts[0]["id"].as_str().unwrap();
    let acknowledged = on.json(&["alert", "ack", id, "--comment", "on it"]).await;
    assert_eq!(acknowledged["state"], "ALERT_STATE_ACKNOWLEDGED");
    assert_eq!(acknowledged["comment"], "on it");
    let silenced = on.json(&["alert", "silence", id, "--for", "2h"]).await;
    assert!(silenced["silenced_until"].is_string(), "{silenced}");
    let heard = on.json(&["alert", "unsilence", id]).await;
    assert!(
        heard.get("silenced_until").is_none_or(Value::is_null),
        "{heard}"
    );

    let by_name = ["watch", "list", "--filter", "name=nobody-logs"];
    for (name, args) in [
        ("watch-list", &by_name[..]),
        ("watch-show", &["watch", "show", "nobody-logs"]),
        ("watch-history", &["watch", "history", "nobody-logs"]),
        ("alert-list", &of_it),
        ("alert-show", &["alert", "show", id]),
    ] {
        for (output, ending) in [("table", "txt"), ("json", "json")] {
            let mut all = args.to_vec();
            all.extend(["-o", output]);
            let said = on.done(&all).await;
            same(&format!("{name}.{ending}"), &normal(&on.lab, &said.stdout));
        }
    }
    let past = on
        .json(&["watch", "preview", "nobody-logs", "--from", "10m"])
        .await;
    assert!(past["evaluated"].as_u64().unwrap() > 0, "{past}");

    let asked = on.run(&["watch", "delete", "nobody-logs"]).await;
    assert!(
        asked.code == 1 && asked.stderr.contains("CLI0007"),
        "{}",
        asked.stderr
    );
    on.done(&["watch", "delete", "nobody-logs", "--yes"]).await;
    assert_eq!(on.run(&["watch", "show", "nobody-logs"]).await.code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_a_list_is_taken_by_the_monitoring_node() {
    let on = Monitored::start().await;
    let lists = [
        "watch list",
        "watch show",
        "watch history",
        "alert list",
        "services",
    ];
    let typed = on.lab.type_examples(&lists).await;
    assert!(typed >= lists.len(), "only {typed} examples were found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_watch_takes_no_ones_change_away_and_no_text_is_lost() {
    let on = Monitored::start().await;
    let document = on.file("watch.yaml", WATCH);
    on.done(&["watch", "create", "-f", &document]).await;

    let same = on.edit("nobody-logs", "true").await;
    assert!(
        same.code == 0 && same.stderr.contains("nothing was changed"),
        "{same:?}"
    );
    let edited = on
        .edit("nobody-logs", "sed -i 's/critical/info/' \"$1\"")
        .await;
    assert_eq!(edited.code, 0, "{}", edited.stderr);
    let shown = on.json(&["watch", "show", "nobody-logs"]).await;
    assert_eq!(shown["spec"]["severity"], "SEVERITY_INFO");
    let broken = on.edit("nobody-logs", "exit 1").await;
    assert!(
        broken.code == 1 && broken.stderr.contains("CLI0014"),
        "{}",
        broken.stderr
    );

    // Somebody replaces it while the editor is open.
    let other = format!(
        "{} watch create --replace -f {document} >/dev/null || exit 1\nsed -i 's/Nobody logs/Mine/' \"$1\"",
        cli::WHARF
    );
    let conflict = on.edit("nobody-logs", &other).await;
    assert_eq!(
        conflict.code, 1,
        "the other's change was overwritten: {conflict:?}"
    );
    let kept = conflict.stderr.split("kept in ").nth(1).unwrap().trim();
    let text = std::fs::read_to_string(kept).unwrap();
    std::fs::remove_file(kept).unwrap();
    assert!(text.contains("Mine"), "{text}");
    let shown = on.json(&["watch", "show", "nobody-logs"]).await;
    assert_eq!(shown["spec"]["severity"], "SEVERITY_CRITICAL", "{shown}");

    let enabled = on.json(&["watch", "enable", "nobody-logs"]).await;
    assert_eq!(enabled["spec"]["enabled"], true);
    let disabled = on.json(&["watch", "disable", "nobody-logs"]).await;
    assert_eq!(disabled["spec"]["enabled"], false);
    let services = on.json(&["services"]).await;
    assert!(services.is_array(), "{services}");
    let missing = on.run(&["watch", "list", "--deployment", "nothing"]).await;
    assert_eq!(missing.code, 3, "{}", missing.stderr);
}

/// What differs from run to run besides.
fn normal(lab: &Lab, text: &str) -> String {
    let mut text = lab.normal(text);
    for (shape, mark) in [
        (r#"(version"?:?\s+"?)\d+\.\d+\b"#, "$1<version>"),
        // A run is named by its watch and its time.
        (r"(nobody-logs-)[0-9a-f]{11,}", "$1<run>"),
        (r"\b[0-9a-f]{16,64}\b", "<id>"),
        (r#"("duration_ms": )\d+"#, "$1<ms>"),
        (r"took \d+ ms", "took <ms> ms"),
        (r"(firing +0? *\d+ +\d+ +)\d+", "$1<ms>"),
    ] {
        text = regex::Regex::new(shape)
            .unwrap()
            .replace_all(&text, mark)
            .into_owned();
    }
    text
}
