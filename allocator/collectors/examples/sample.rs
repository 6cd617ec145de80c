//! Samples this host and the containers of `docker inspect`, and prints the documents: to debug the
//! collectors without a platform. Usage, as root:
//! `docker inspect $(docker ps -q) | sample [ROUNDS] [PERIOD_MS] > documents.ndjson`
//! What each round cost is told on stderr.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use wharf_collectors::sampler::{Due, Sampler};
use wharf_collectors::source::host::facts;
use wharf_collectors::{Config, ContainerMeta, ContainerState, NamedId, Snapshot};
use wharf_collectors_core::Envelope;
use wharf_runtime::clock::Clock;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let rounds: u32 = arguments.next().map_or(Ok(2), |word| word.parse())?;
    let period_ms: u64 = arguments.next().map_or(Ok(10_000), |word| word.parse())?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let inspected: Vec<Value> = if text.trim().is_empty() {
        vec![]
    } else {
        serde_json::from_str(&text)?
    };
    let snapshot = Snapshot {
        containers: inspected
            .iter()
            .map(|one| Arc::new(container(one)))
            .collect(),
        ..Snapshot::default()
    };
    let host = facts("host", "", Vec::new(), Path::new("/proc"), Path::new("/"));
    let config = Config::new(std::env::temp_dir(), host, NamedId::default());
    let platform = NamedId {
        id: "platform".into(),
        name: "debug".into(),
    };
    let envelope = Envelope::new(
        &config.host,
        &config.agent,
        &platform,
        "",
        &config.engine_address,
    );
    let mut sampler = Sampler::new(Arc::new(config), Arc::new(envelope));
    sampler.adopt(&snapshot);
    let clock = Clock::system();
    let mut out = std::io::stdout().lock();
    for round in 0..rounds {
        if round > 0 {
            std::thread::sleep(Duration::from_millis(period_ms));
        }
        let started = Instant::now();
        let due = Due {
            describe: round == 0,
            slow: round == 0,
        };
        let sample = sampler.sample(&snapshot, due, clock.now_ms(), clock.monotonic_ms());
        let took = started.elapsed();
        let bytes: usize = sample
            .documents
            .iter()
            .map(|document| document.body.len())
            .sum();
        eprintln!(
            "round {round}: {} containers, {} documents, {bytes} bytes, {took:?}",
            sample.latest.len(),
            sample.documents.len(),
        );
        for document in &sample.documents {
            out.write_all(&document.body)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

fn container(inspected: &Value) -> ContainerMeta {
    let text = |pointer: &str| {
        inspected
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let labels = inspected
        .pointer("/Config/Labels")
        .and_then(Value::as_object);
    let labels = labels.into_iter().flatten();
    ContainerMeta {
        id: text("/Id"),
        name: text("/Name").trim_start_matches('/').to_owned(),
        image: text("/Config/Image"),
        labels: labels
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").to_owned()))
            .collect(),
        pid: inspected
            .pointer("/State/Pid")
            .and_then(Value::as_u64)
            .and_then(|pid| u32::try_from(pid).ok()),
        state: ContainerState::parse(&text("/State/Status")),
        log_path: Some(text("/LogPath")),
        cgroup_parent: Some(text("/HostConfig/CgroupParent")),
        host_network: text("/HostConfig/NetworkMode") == "host",
        ..ContainerMeta::default()
    }
}
