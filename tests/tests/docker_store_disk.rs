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
    collections::BTreeSet, fmt::Write as _, fs, path::PathBuf, process::Command, time::Duration,
};

use wharf_tests::{
    node::Node,
    patience::wait_for,
    testbed::{base_dir, must, run},
};

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

fn start(disk: &Disk) -> Node {
    // The log stays off the disk that fills up.
    Node::start(&disk.path().join("data"), &disk.0.join("log"))
}

/// Status of each create.
fn create(node: &Node, ids: &[String]) -> Vec<u64> {
    let mut body = String::new();
    for id in ids {
        let _ = writeln!(
            body,
            "{{\"create\":{{\"_id\":\"{id}\"}}}}\n{{\"n\":\"{id}\"}}"
        );
    }
    let (status, answer) = node.call("POST", "/docs/_bulk", &body).expect("an answer");
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
    let store = start(&disk);
    let mut acknowledged: BTreeSet<String> = BTreeSet::new();
    assert_eq!(create(&store, &ids(0)), vec![201; BATCH]);
    acknowledged.extend(ids(0));

    disk.fill();
    // The journal's last block takes a few more batches.
    let mut batch = 1;
    let refused = loop {
        let statuses = create(&store, &ids(batch));
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
        let statuses = create(&store, &refused);
        assert!(
            statuses.iter().all(|status| *status == 429),
            "told of what is not durable: {statuses:?}"
        );
    }

    disk.make_room();
    wait_for("writes are taken again", Duration::from_secs(90), || {
        let statuses = create(&store, &refused);
        let there = |status: &u64| matches!(status, 201 | 409);
        if statuses.iter().all(there) {
            Ok(())
        } else {
            Err(statuses)
        }
    });
    acknowledged.extend(refused);
    drop(store);

    let store = start(&disk);
    assert_eq!(
        store.count("docs"),
        acknowledged.len() as u64,
        "what was acknowledged, no more and no less"
    );
    for id in &acknowledged {
        let (status, _) = store
            .call("GET", &format!("/docs/_doc/{id}"), "")
            .expect("an answer");
        assert_eq!(status, 200, "{id} was acknowledged and is lost");
    }
    drop(store);
}
