//! `wharf diagnostics`: secrets that are planted wherever one may lie are in no byte of the archive,
//! and with the director down the rest is still gathered.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cli;
#[path = "../../director/tests/platform/mod.rs"]
mod platform;

use std::{collections::BTreeMap, io::Read, path::Path};

use cli::{Lab, finish};
use platform::PASSWORD;
use wharf_runtime::{
    health_server::{Health, HealthServer},
    metrics::Metrics,
    metrics_socket,
    task::{Shutdown, spawn},
};

/// An instance that the host holds.
const INSTANCE: &str = "0123456789abcdef0123456789abcdef";
/// Each is planted somewhere else.
const PLANTED: [&str; 8] = [
    "planted-users-1f3a",
    "planted-channel-2b4c",
    "planted-storage-3c5d",
    "planted-destination-4d6e",
    "planted-environment-5e7f",
    "planted-config-6f80",
    "planted-token-7a91",
    "planted-key-line-8ba2",
];

fn unpack(path: &Path) -> BTreeMap<String, String> {
    let file = std::fs::File::open(path).unwrap();
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut found = BTreeMap::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        let (_, inside) = name.split_once('/').unwrap();
        let inside = inside.to_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        found.insert(inside, text);
    }
    found
}

/// The platform's file with the ports that are in use; nobody listens at the others.
fn write_ports(lab: &Lab) {
    let mut platform = lab.files.platform.clone();
    platform.ports.director_metrics = lab.process.metrics.port();
    platform.ports.allocator_metrics = 1;
    platform.ports.proxy_metrics = 1;
    let path = lab.files.dir.path().join("platform.json");
    std::fs::write(path, serde_json::to_vec(&platform).unwrap()).unwrap();
}

fn plant(dir: &Path) {
    let secrets = dir.join("instances").join(INSTANCE).join("secrets");
    std::fs::create_dir_all(&secrets).unwrap();
    std::fs::create_dir_all(dir.join("allocator")).unwrap();
    let write = |path: &Path, text: String| std::fs::write(path, text).unwrap();
    let json = |text: &str, value: &str| text.replace('?', value);
    write(
        &secrets.join("users.json"),
        json(
            r#"{"users":[{"username":"elastic","password":"?"}]}"#,
            PLANTED[0],
        ),
    );
    write(
        &secrets.join("channels.json"),
        json(r#"{"channels":[{"email":{"password":"?"}}]}"#, PLANTED[1]),
    );
    write(
        &secrets.join("storage.json"),
        json(r#"{"password":"?"}"#, PLANTED[2]),
    );
    write(
        &dir.join("allocator/destination.json"),
        json(r#"{"url":"https://x","password":"?"}"#, PLANTED[3]),
    );
    // Whoever put a secret into a field where none belongs is not to lose it by that.
    let config = format!(
        r#"{{"docker_host":"https://user:{}@engine:2376/?api_key={}","tags":{{"users":"{}","key":"{}"}}}}"#,
        PLANTED[5], PLANTED[6], PLANTED[0], PLANTED[7]
    );
    write(&dir.join("allocator/allocator.json"), config);
    write(
        &dir.join("allocator/identity.pem"),
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            PLANTED[7]
        ),
    );
    write(
        &dir.join("allocator/host-roles.json"),
        json(r#"{"token":"?"}"#, PLANTED[6]),
    );
}

/// What a node of the instance would tell, a secret among it.
fn tell(dir: &Path, stop: &Shutdown) {
    let data = dir.join("instances").join(INSTANCE).join("data");
    std::fs::create_dir_all(&data).unwrap();
    let metrics = Metrics::new();
    metrics
        .counter(
            "wharf_store_requests_total",
            "requests",
            &[("kind", "bulk")],
        )
        .add(7);
    let server = HealthServer::new(metrics, || Health {
        healthy: false,
        details: serde_json::json!({"reason": "its disk is nearly full", "password": PLANTED[0]}),
    });
    let listener = metrics_socket::listen(&data).unwrap();
    drop(spawn(
        "metrics",
        metrics_socket::serve(listener, server, stop.clone()),
    ));
}

fn holds_no_secret(files: &BTreeMap<String, String>, lab: &Lab, system_password: &str) {
    let boot = &lab.files.bootstrap;
    let key = lab.files.authority.to_pem();
    let key_line = key
        .split("PRIVATE KEY-----")
        .nth(1)
        .and_then(|body| body.lines().nth(1))
        .unwrap()
        .to_owned();
    let secrets = PLANTED
        .into_iter()
        .chain([
            PASSWORD,
            system_password,
            boot.admin_password_hash.as_str(),
            key_line.as_str(),
        ])
        .map(ToOwned::to_owned)
        .chain([hex::encode([7_u8; 32])]);
    for secret in secrets {
        for (name, text) in files {
            assert!(!text.contains(&secret), "{name} holds {secret}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_is_in_the_archive_and_every_list_is() {
    let lab = Lab::start().await;
    let dir = lab.files.dir.path();
    write_ports(&lab);
    plant(dir);
    let stop = Shutdown::new();
    tell(dir, &stop);
    let credentials = lab
        .run(&["deployment", "credentials", "system", "-o", "json"])
        .await
        .json();
    let archive = dir.join("a.tar.gz");
    let args = [
        "diagnostics",
        "--name",
        "lab",
        "--data-dir",
        dir.to_str().unwrap(),
        "--docker-host",
        "unix:///nowhere/docker.sock",
        "--file",
        archive.to_str().unwrap(),
        "-o",
        "json",
    ];
    let mut command = lab.command(&args);
    // A login would be tried with WHARF_TOKEN; this one only lies in the environment.
    command.env("DEPLOY_TOKEN", PLANTED[4]);
    let said = finish(command, "").await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(
        said.stderr.contains("configuration"),
        "no progress: {}",
        said.stderr
    );
    let files = unpack(&archive);
    let password = credentials["password"].as_str().unwrap();
    holds_no_secret(&files, &lab, password);
    for name in [
        "version.json",
        "host/proc/meminfo",
        "config/platform.json",
        "config/director/bootstrap.json",
        "roles/director/health.txt",
        "roles/director/metrics.txt",
        "director/GetStatus.json",
        "director/ListDeployments.json",
        "director/ListPlans.json",
        "director/ListAllocators.json",
        "director/ListProxies.json",
        "director/ListContainers.json",
        "director/ListTemplates.json",
        "missing.json",
    ] {
        assert!(
            files.contains_key(name),
            "{name} is not among {:?}",
            files.keys()
        );
    }
    let told = |page: &str| &files[&format!("instances/{INSTANCE}/{page}.txt")];
    let health = told("health");
    assert!(
        health.starts_with("503") && health.contains("nearly full"),
        "{health}"
    );
    let metrics = told("metrics");
    assert!(
        metrics.contains("wharf_store_requests_total{kind=\"bulk\"} 7"),
        "{metrics}"
    );
    stop.trigger();
    assert!(
        files["director/ListDeployments.json"].contains("\"system\""),
        "the list is empty: {}",
        files["director/ListDeployments.json"]
    );
    assert!(
        files["missing.json"].contains("/nowhere/docker.sock"),
        "the engine is missing and nothing says so: {}",
        files["missing.json"]
    );
    let again = lab.run(&args).await;
    assert_eq!(
        again.code, 1,
        "an archive was overwritten: {}",
        again.stderr
    );
    assert!(again.stderr.contains("CLI0030"), "{}", again.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_director_down_the_rest_is_gathered_and_the_gap_is_told() {
    let lab = Lab::start().await;
    let dir = lab.files.dir.path();
    write_ports(&lab);
    let archive = dir.join("b.tar.gz");
    let mut command = lab.command(&[
        "diagnostics",
        "--name",
        "lab",
        "--data-dir",
        dir.to_str().unwrap(),
        "--docker-host",
        "unix:///nowhere/docker.sock",
        "--file",
        archive.to_str().unwrap(),
    ]);
    command.env("WHARF_DIRECTOR", "127.0.0.1:1");
    let said = finish(command, "").await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let files = unpack(&archive);
    assert!(files.contains_key("host/proc/meminfo"));
    assert!(files.contains_key("config/platform.json"));
    assert!(!files.contains_key("director/GetStatus.json"));
    let missing = &files["missing.json"];
    assert!(missing.contains("director/GetStatus.json"), "{missing}");
    assert!(
        said.stderr.contains("director/GetStatus.json"),
        "{}",
        said.stderr
    );
}
