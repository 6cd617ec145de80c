//! A directory that serves as a repository, what lies in it, and the orders to use it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::place::{Answer, DEADLINE, Place};

pub(crate) const PREFIX: &str = "wharf/p/d/i";

/// The directory.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(dir: &Path) -> Self {
        let path = dir.join("repository");
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// What the allocator writes, for a life of the instance.
    pub(crate) fn order(&self, incarnation: u64) -> Value {
        json!({
            "repository": "backups", "kind": "file", "path": self.0, "prefix": PREFIX,
            "incarnation": incarnation, "interval_seconds": 0, "keep": 100, "requested": 0,
        })
    }

    pub(crate) fn own(&self) -> PathBuf {
        self.0.join(PREFIX)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.own().join(folder)) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Names of the manifests' files.
    pub(crate) fn manifests(&self) -> Vec<String> {
        self.names("snapshots")
    }

    pub(crate) fn manifest(&self, name: &str) -> Value {
        let bytes = std::fs::read(self.own().join("snapshots").join(name)).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    pub(crate) fn objects(&self) -> Vec<String> {
        self.names("objects")
    }

    pub(crate) fn object(&self, sha256: &str) -> PathBuf {
        self.own().join("objects").join(sha256)
    }
}

/// Checksums of a manifest's files, by path.
pub(crate) fn sums(manifest: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let files = manifest["files"].as_array().unwrap().iter();
    files
        .map(|file| (text(&file["path"]), text(&file["sha256"])))
        .collect()
}

/// Orders a place to begin from a snapshot.
pub(crate) fn order_restore(place: &Place, incarnation: u64) {
    place.replace("restore.json", &json!({"incarnation": incarnation}));
}

/// Waits until health says so; the health then.
pub(crate) async fn told(place: &Place, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            if let Some(health) = place.told().await
                && so(&health)
            {
                return health;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(DEADLINE, wait).await {
        Ok(health) => health,
        Err(_) => panic!("expected {what}; the health is {:?}", place.told().await),
    }
}

/// Waits until it serves what it restored.
pub(crate) async fn restored(place: &Place) -> Value {
    told(place, "a finished restore", |health| {
        health["restore"]["stage"] == "serving" && health["status"] == "ready"
    })
    .await
}

/// Takes one now and waits for it.
pub(crate) async fn take(place: &Place, name: &str) -> Answer {
    let path = format!("/_snapshot/backups/{name}?wait_for_completion=true");
    // The order may not have been looked at yet.
    told(place, "an order for snapshots", |health| {
        health["snapshot"].is_object()
    })
    .await;
    place.send(Method::PUT, &path, "").await
}

/// The same, which succeeds.
pub(crate) async fn taken(place: &Place, name: &str) -> Value {
    let answer = take(place, name).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["snapshot"]["state"], "SUCCESS", "{answer:?}");
    answer.body["snapshot"].clone()
}
