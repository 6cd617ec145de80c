//! A storage node whose disk fills up under it: what the disk refused is not acknowledged, and a
//! second try is not told that the document exists before it is durable. The disk is a small image,
//! loop-mounted (so this needs root, as the tests with Docker do); the end is a kill -9.

// A test fails by panicking and tells its figures.
#![allow(
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;
use wharf_tests::{
    patience::wait_for,
    testbed::{base_dir, binary, must, run},
};

const PORT: u16 = 29_399;
const BATCH: usize = 20;

/// A small file system of its own, unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    fn new(bytes: u64) -> Self {
        let dir = base_dir().join(format!("wt-disk-{}", std::process::id()));
        fs::create_dir_all(dir.join("mount")).expect("a folder");
        let image = dir.join("disk.img");
        let file = fs::File::create(&image).expect("an image");
        file.set_len(bytes).expect("a sparse image");
        must(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        let mount = dir.join("mount");
        must(
            Command::new("mount")
                .args(["-o", "loop"])
                .arg(&image)
                .arg(&mount),
        );
        Self(dir)
    }

    fn path(&self) -> PathBuf {
        self.0.join("mount")
    }

    /// Takes every block that is left.
    fn fill(&self) {
        let ballast = self.path().join("ballast");
        let _ = run(Command::new("dd")
            .arg("if=/dev/zero")
            .arg(format!("of={}", ballast.display()))
            .args(["bs=4096", "conv=fsync"]));
    }

    fn make_room(&self) {
        fs::remove_file(self.path().join("ballast")).expect("the ballast is there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(self.path()));
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Store(Child);

impl Store {
    fn start(data: &Path) -> Self {
        let listen = format!("127.0.0.1:{PORT}");
        let mut command = Command::new(binary());
        command.args(["run", "store", "--listen", &listen, "--data-dir"]);
        command.arg(data);
        command.args(["--memory-bytes", "1073741824", "--disk-bytes", "1073741824"]);
        command.stderr(Stdio::null()).stdout(Stdio::null());
        let store = Self(command.spawn().expect("the store can be started"));
        wait_for("the store serves", Duration::from_secs(30), || {
            match call("GET", "/_cluster/health", "") {
                Some((200, _)) => Ok(()),
                other => Err(other),
            }
        });
        store
    }
}

/// Ends it as a crash would.
impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn call(method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
    let url = format!("http://127.0.0.1:{PORT}{path}");
    let mut command = Command::new("curl");
    command.args(["-s", "-X", method, &url, "-w", "\n%{http_code}"]);
    if !body.is_empty() {
        command.args(["-H", "content-type: application/x-ndjson"]);
        command.args(["--data-binary", body]);
    }
    let output = run(&mut command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (json, status) = text.rsplit_once('\n')?;
    Some((
        status.parse().ok().filter(|status| *status > 0)?,
        serde_json::from_str(json).unwrap_or(Value::Null),
    ))
}

/// Status of each create.
fn create(ids: &[String]) -> Vec<u64> {
    let mut body = String::new();
    for id in ids {
        let _ = writeln!(
            body,
            "{{\"create\":{{\"_id\":\"{id}\"}}}}\n{{\"n\":\"{id}\"}}"
        );
    }
    let (status, answer) = call("POST", "/docs/_bulk", &body).expect("an answer");
    assert_eq!(status, 200, "{answer}");
    if answer["errors"] == true {
        println!("{}", answer["items"][0]["create"]["error"]);
    }
    let items = answer["items"].as_array().expect("items");
    items
        .iter()
        .map(|item| item["create"]["status"].as_u64().expect("a status"))
        .collect()
}

fn ids(batch: usize) -> Vec<String> {
    (0..BATCH).map(|n| format!("{batch:05}-{n:03}")).collect()
}

#[test]
fn what_a_full_disk_refused_is_not_called_there_before_it_is_durable() {
    let disk = Disk::new(512 << 20);
    let data = disk.path().join("data");
    let store = Store::start(&data);
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    assert_eq!(create(&ids(0)), vec![201; BATCH]);
    acknowledged.extend(ids(0));

    disk.fill();
    // The journal's last block takes a few more batches.
    let mut batch = 1;
    let refused = loop {
        let statuses = create(&ids(batch));
        if statuses.iter().any(|status| *status != 201) {
            assert!(
                statuses.iter().all(|status| *status == 429),
                "all of a batch or none: {statuses:?}"
            );
            break ids(batch);
        }
        acknowledged.extend(ids(batch));
        batch += 1;
        assert!(batch < 5000, "the disk never filled up");
    };
    for _ in 0..5 {
        let statuses = create(&refused);
        assert!(
            statuses.iter().all(|status| *status == 429),
            "told of what is not durable: {statuses:?}"
        );
    }

    disk.make_room();
    wait_for("writes are taken again", Duration::from_secs(20), || {
        let statuses = create(&refused);
        let there = |status: &u64| matches!(status, 201 | 409);
        if statuses.iter().all(there) {
            Ok(())
        } else {
            Err(statuses)
        }
    });
    acknowledged.extend(refused);
    drop(store);

    let store = Store::start(&data);
    let (_, answer) = call("GET", "/docs/_count", "").expect("a count");
    assert_eq!(
        answer["count"].as_u64(),
        Some(acknowledged.len() as u64),
        "what was acknowledged, no more and no less: {answer}"
    );
    for id in &acknowledged {
        let (status, _) = call("GET", &format!("/docs/_doc/{id}"), "").expect("an answer");
        assert_eq!(status, 200, "{id} was acknowledged and is lost");
    }
    drop(store);
}
