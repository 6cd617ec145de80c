//! The walk of what an instance tells of itself: a real store's socket → spool → `_bulk`.
//!
//! Invariants: waits are for conditions, never for time. Not here: Docker (`docker_instances`).

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod ground;
mod sink;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ground::{Running, container, kernel};
use serde_json::Value;
use sink::Sink;
use wharf_collectors::{ContainerMeta, ContainerState, NamedId, Owner, Snapshot};
use wharf_store::{Config, Listener};

const STREAM: &str = "metrics-wharf.instance-default";

fn named(id: &str, name: &str) -> NamedId {
    NamedId {
        id: id.into(),
        name: name.into(),
    }
}

/// A container of an instance; the platform's own when `platform` is `p1`.
fn instance(dir: &Path, platform: &str, id: &str, state: ContainerState) -> Arc<ContainerMeta> {
    Arc::new(ContainerMeta {
        id: format!("{id}{id}"),
        labels: BTreeMap::from([
            ("io.wharfinger.platform".into(), platform.into()),
            ("io.wharfinger.role".into(), "instance".into()),
        ]),
        owner: Some(Owner {
            deployment: named("d", "web"),
            resource: named("r", "storage"),
            instance: named(id, "storage-0"),
        }),
        state,
        log_path: None,
        pid: None,
        ..container(dir)
    })
}

/// The newest document about an instance.
fn newest<'a>(state: &'a sink::State, id: &str) -> Option<&'a Value> {
    let mut found = state.documents(STREAM);
    found.retain(|one| one["wharf"]["instance"]["id"] == id);
    found.sort_by_key(|one| one["@timestamp"].as_str().unwrap().to_owned());
    found.pop()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_instance_of_the_platform_is_told_of_and_a_silent_one_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    kernel(dir.path(), 0);
    let id = |c: &str| c.repeat(32);
    let data = dir.path().join("instances").join(id("a")).join("data");
    let listen = "127.0.0.1:0".parse().unwrap();
    let mut config = Config::new(data, listen, Listener::PlainLoopback);
    config.memory_bytes = 256 << 20;
    let store = wharf_store::start(config).await.unwrap();

    let sink = Sink::start().await;
    let running = Running::start(dir.path(), sink.url());
    let of = |platform: &str, id: &str, state| instance(dir.path(), platform, id, state);
    running.publisher.publish(Snapshot {
        containers: vec![
            of("p1", &id("a"), ContainerState::Running),
            of("p1", &id("b"), ContainerState::Running),
            of("p1", &id("c"), ContainerState::Exited),
            of("p2", &id("d"), ContainerState::Running),
            of("p1", "../../../../etc", ContainerState::Running),
        ],
        ..Snapshot::default()
    });
    let (well, missing, exited): (Value, Value, Value) = sink
        .until("a document about each instance", |state| {
            let of = |c: &str| newest(state, &id(c)).cloned();
            Some((of("a")?, of("b")?, of("c")?))
        })
        .await;
    let told = &well["wharf"]["instance"];
    assert_eq!(told["health"], "healthy", "{well}");
    assert_eq!(told["memory"]["limit"]["bytes"], 256 << 20, "{well}");
    assert_eq!(told["metrics"]["wharf_store_documents"], 0.0, "{well}");
    assert!(told["memory"]["rss"]["bytes"].as_u64() > Some(0), "{well}");
    assert_eq!(well["wharf"]["deployment"]["name"], "web", "{well}");
    assert_eq!(well["container"]["id"], id("aa"), "{well}");
    for (document, why) in [
        (&missing, "no metrics.sock"),
        (&exited, "container is exited"),
    ] {
        let told = &document["wharf"]["instance"];
        assert_eq!(told["health"], "unknown", "{document}");
        assert!(told["reason"].to_string().contains(why), "{document}");
    }

    store.kill().await;
    sink.until("the store's end", |state| {
        let told = &newest(state, &id("a"))?["wharf"]["instance"];
        (told["health"] == "unknown" && told["reason"].to_string().contains("process has ended"))
            .then_some(())
    })
    .await;
    sink.until("nothing about others", |state| {
        let about = |one: &&Value| {
            let id = one["container"]["id"].as_str().unwrap_or_default();
            !["aa", "bb", "cc"].iter().any(|start| id.starts_with(start))
        };
        let mut others = state.documents(STREAM);
        others.retain(about);
        assert!(others.is_empty(), "{others:?}");
        Some(())
    })
    .await;
    running.stop().await;
}
