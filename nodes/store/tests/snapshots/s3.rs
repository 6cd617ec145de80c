//! Snapshots in a bucket of a server that is not ours: `moto`, with TLS by an authority of its own and keys that are checked.
//!
//! Without the tools of the tests the test fails and names the command that installs them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use wharf_runtime::clock::now_ms;
use wharf_runtime::tls::{Authority, Identity, LeafSpec, ROLE_INSTANCE};
use wharf_test_ports::TestPort;

use crate::load::fill;
use crate::place::{DEADLINE, Place, Platform};
use crate::repository::{PREFIX, order_restore, restored, take, taken, told};

const BUCKET: &str = "snapshots";
const SECRET: &str = "a-key-that-is-not-the-right-one-at-all";

fn tools() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = || match set("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(set("HOME").unwrap_or_default()).join(".cache"),
    };
    set("WHARF_TOOLS").map_or_else(|| cache().join("wharfinger/tools"), PathBuf::from)
}

/// The testbed's: it says the keys of a user, and then wants keys that are right.
const SERVER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/src/testbed/s3_server.py"
);

/// The server, ended with this.
struct Server {
    process: Child,
    addr: SocketAddr,
    ca_pem: String,
    id: String,
    secret: String,
    _port: TestPort,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts it.
async fn server(dir: &Path) -> Server {
    let python = tools().join("py/bin/python");
    assert!(
        python.is_file(),
        "{} is missing: run `scripts/deps client`",
        python.display()
    );
    let authority = Authority::create("elsewhere", now_ms()).unwrap();
    let identity = Identity::new("elsewhere", ROLE_INSTANCE, "0b".repeat(16)).unwrap();
    let leaf = LeafSpec::for_identity(identity).with_host("127.0.0.1");
    let cert = authority.issue(&leaf, now_ms()).unwrap();
    let pem = dir.join("server.pem");
    cert.store(&pem).unwrap();
    let port = TestPort::reserve();
    let (ready, log) = (dir.join("keys.json"), dir.join("log"));
    let process = Command::new(python)
        .arg(SERVER)
        .args([port.addr().ip().to_string(), port.addr().port().to_string()])
        .args([&pem, &pem, &ready])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut server = Server {
        process,
        addr: port.addr(),
        ca_pem: authority.certs().to_pem(),
        id: String::new(),
        secret: String::new(),
        _port: port,
    };
    let keys = async {
        while !ready.exists() {
            let ended = server.process.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the server ended: {:?}",
                std::fs::read_to_string(&log)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let keys: Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
        keys
    };
    let keys = tokio::time::timeout(DEADLINE, keys).await.unwrap();
    server.id = keys["id"].as_str().unwrap().to_owned();
    server.secret = keys["secret"].as_str().unwrap().to_owned();
    server
}

impl Server {
    fn order(&self, incarnation: u64) -> Value {
        json!({
            "repository": "backups", "kind": "s3", "prefix": PREFIX, "incarnation": incarnation,
            "interval_seconds": 0, "keep": 2, "requested": 0,
            "s3": {
                "endpoint": format!("https://{}", self.addr), "region": "us-east-1", "bucket": BUCKET,
                "access_key_id": self.id, "secret_access_key": self.secret, "ca_pem": self.ca_pem,
                "path_style": true,
            },
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_takes_snapshots_and_gives_them_back_and_wrong_keys_are_refused_without_being_told()
 {
    let (platform, dir) = (Platform::new(), tempfile::tempdir().unwrap());
    let server = server(dir.path()).await;
    let mut place = Place::new(&platform, &dir.path().join("place"));
    place.replace("repository.json", &server.order(1));
    place.start().await;
    for n in 0..3 {
        fill(&place, &format!("filled-{n}"), 3_000).await;
    }
    let noise = |n: u64| {
        let mut state = n;
        let letter = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b'a' + u8::try_from((state >> 40) % 26).unwrap())
        };
        let text: String = (0..400_000u64).map(letter).collect();
        format!(
            "{{\"index\":{{\"_index\":\"large\"}}}}\n{{\"n\":{n},\"blob\":{{\"t\":\"{text}\"}}}}\n"
        )
    };
    let mapping = r#"{"mappings":{"properties":{"blob":{"type":"object","enabled":false}}}}"#;
    assert_eq!(place.send(Method::PUT, "/large", mapping).await.status, 200);
    for n in 0..60 {
        let answer = place.bulk(&noise(n)).await;
        assert_eq!(answer.body["errors"], false, "{answer:?}");
    }
    // One file that goes in parts.
    let path = "/large/_forcemerge?max_num_segments=1";
    assert_eq!(place.send(Method::POST, path, "").await.status, 200);
    for name in ["one", "two", "three"] {
        taken(&place, name).await;
    }
    let listed = place.send(Method::GET, "/_snapshot/backups/_all", "").await;
    let names: Vec<&str> = listed.body["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["snapshot"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["two", "three"], "two are kept: {listed:?}");

    let mut wrong = server.order(1);
    wrong["s3"]["secret_access_key"] = SECRET.into();
    wrong["requested"] = 1.into();
    place.replace("repository.json", &wrong);
    let health = told(&place, "refused keys", |h| {
        let error = h["snapshot"]["error"].as_str().unwrap_or_default();
        error.contains("STO0012")
    })
    .await;
    for secret in [SECRET, &server.secret, &server.id, "X-Amz", "StringToSign"] {
        assert!(!health.to_string().contains(secret), "{secret}: {health}");
    }
    let mut stranger = server.order(1);
    stranger["s3"]["ca_pem"] = platform.authority.certs().to_pem().into();
    place.replace("repository.json", &stranger);
    let refused = loop {
        let refused = take(&place, "stranger").await;
        if !refused.body.to_string().contains("STO0012") {
            break refused;
        }
    };
    assert!(
        refused.body.to_string().contains("STO0011"),
        "a server of another authority: {refused:?}"
    );
    place.running.take().unwrap().kill().await;

    let mut next = Place::new(&platform, &dir.path().join("next"));
    next.replace("repository.json", &server.order(2));
    order_restore(&next, 2);
    next.start().await;
    let health = restored(&next).await;
    assert!(
        health["restore"]["bytes_total"].as_u64().unwrap() > 9 << 20,
        "{health}"
    );
    for n in 0..3 {
        let found = next.numbers(&format!("filled-{n}")).await;
        assert_eq!(found, (0..3_000).collect::<Vec<u64>>());
    }
    let large = next.send(Method::GET, "/large/_count", "").await;
    assert_eq!(large.body["count"], 60, "{large:?}");
    next.stop().await;
}
