//! Recorded kernel trees → golden documents, and our documents' keys against Metricbeat's.
//!
//! Invariants: every key that Metricbeat sends for a metricset is in ours, with a value of the same
//! kind, except those listed here with the reason; keys that we add are listed too.
//! Not here: synthetic values (the tests beside the code).

#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wharf_collectors_core::envelope::{Metric, Reading};
use wharf_collectors_core::kernel::cgroup::{self, BlockIo, CpuUsage, Membership, MemoryUsage};
use wharf_collectors_core::kernel::mounts::Mount;
use wharf_collectors_core::kernel::{host, process as kernel_process, sockets};
use wharf_collectors_core::log::document::LogFile;
use wharf_collectors_core::log::{Joiner, container_line};
use wharf_collectors_core::metricset::docker::{self, CpuReading};
use wharf_collectors_core::metricset::engine::{self, EngineEvent, EngineFacts, ImageMeta};
use wharf_collectors_core::metricset::process::{self, ProcessDetail, ProcessGroup};
use wharf_collectors_core::metricset::system::{self, FileSystemSize};
use wharf_collectors_core::{
    AgentFacts, ContainerContext, ContainerMeta, ContainerState, Document, Envelope, Health,
    HealthProbe, HostFacts, NamedId,
};

const ID: &str = "3deb4934b84890a7ae2f3d163ac8a77a43cfa37df099ac8dd4759d43547e1880";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// One moment of a recorded tree.
struct Moment(PathBuf);

impl Moment {
    fn of(tree: &str, moment: &str) -> Self {
        Self(fixtures().join(tree).join(moment))
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_default()
    }

    fn group(&self) -> (CpuUsage, MemoryUsage, BlockIo) {
        let text = |file: &str| self.text(&format!("cgroup/{file}"));
        if self.0.join("cgroup/memory.current").exists() {
            return (
                cgroup::cpu_v2(&text("cpu.stat")).unwrap(),
                cgroup::memory_v2(
                    &text("memory.current"),
                    &text("memory.max"),
                    &text("memory.stat"),
                    &text("memory.peak"),
                    &text("memory.events"),
                )
                .unwrap(),
                cgroup::io_v2(&text("io.stat")),
            );
        }
        (
            cgroup::cpu_v1(
                &text("cpuacct.usage"),
                &text("cpuacct.stat"),
                Some(&text("cpuacct.usage_percpu")),
                Some(&text("cpu.stat")),
            )
            .unwrap(),
            cgroup::memory_v1(
                &text("memory.usage_in_bytes"),
                &text("memory.max_usage_in_bytes"),
                &text("memory.limit_in_bytes"),
                &text("memory.failcnt"),
                &text("memory.stat"),
            )
            .unwrap(),
            cgroup::blkio_v1(
                &text("blkio.bfq.io_service_bytes_recursive"),
                &text("blkio.bfq.io_serviced_recursive"),
                "",
                "",
                "",
            ),
        )
    }
}

/// The container's metricsets of a tree.
fn container_metrics(tree: &str) -> Vec<Metric> {
    let recorded = |moment: &str| Moment::of(tree, moment);
    let reading = |moment: &str| {
        let stat = host::proc_stat(&recorded(moment).text("proc/stat")).unwrap();
        let (usage, memory, io) = Moment::of(tree, moment).group();
        let host_ns = stat.cpu.docker_total() * 10_000_000;
        (
            CpuReading {
                usage,
                host_ns,
                at_ns: host_ns / stat.cores,
                cores: stat.cores,
            },
            memory,
            io,
        )
    };
    let at = |moment: &str| {
        recorded(moment)
            .text("at_ms")
            .trim()
            .parse::<u64>()
            .unwrap()
    };
    let elapsed = at("after") - at("before");
    let machine = host::meminfo(&recorded("after").text("proc/meminfo"))
        .unwrap()
        .total;
    let (old_cpu, _, old_io) = reading("before");
    let (cpu, memory, io) = reading("after");
    let net = |moment: &str| host::net_dev(&recorded(moment).text("proc/net/dev"));
    let mut metrics = vec![
        docker::cpu(&old_cpu, &cpu, true).unwrap(),
        docker::memory(&memory, machine).unwrap(),
        docker::diskio(&old_io, &io, elapsed).unwrap(),
    ];
    metrics.extend(docker::network(&net("before"), &net("after"), elapsed));
    metrics
}

fn host_metrics() -> Vec<Metric> {
    let (before, after) = (
        Moment::of("v1-linux-6.18", "before"),
        Moment::of("v1-linux-6.18", "after"),
    );
    let stat = |moment: &Moment| host::proc_stat(&moment.text("proc/stat")).unwrap();
    let memory = host::meminfo(&after.text("proc/meminfo")).unwrap();
    let new = stat(&after);
    let tcp = sockets::tcp_states(&after.text("proc/net/tcp"));
    let sockstat = sockets::sockstat(&after.text("proc/net/sockstat"));
    let own = kernel_process::stat(&after.text("proc/process/stat")).unwrap();
    let old = kernel_process::stat(&before.text("proc/process/stat")).unwrap();
    let (cpu, group_memory, block_io) = after.group();
    let detail = ProcessDetail {
        cpu: process::cpu_share(&old, &own, 5000),
        stat: own,
        status: kernel_process::status(&after.text("proc/process/status")),
        io: kernel_process::io(&after.text("proc/process/io")),
        arguments: vec!["sh".into(), "-c".into(), "load".into()],
        executable: Some("/bin/sh".into()),
        working_directory: Some("/".into()),
        user: Some("root".into()),
        open_files: Some(4),
        open_files_limit: Some((1024, 4096)),
        group: Some(ProcessGroup {
            version: 1,
            path: "/recorded".into(),
            cpu: Some(cpu),
            memory: Some(group_memory),
            block_io: Some(block_io),
        }),
    };
    let mount = Mount {
        mount_point: "/".into(),
        device: "/dev/vda".into(),
        ..Mount::default()
    };
    let size = FileSystemSize {
        total: 100,
        free: 50,
        available: 40,
        files: 10,
        free_files: 5,
    };
    let mut metrics = vec![
        system::cpu(&stat(&before), &new).unwrap(),
        system::load(
            host::loadavg(&after.text("proc/loadavg")).unwrap(),
            new.cores,
        ),
        system::memory(&memory),
        system::socket_summary(&tcp, &sockstat),
        system::process_summary("SSSIR".chars(), &new),
        system::uptime(host::uptime_ms(&after.text("proc/uptime")).unwrap()),
        system::filesystem(&mount, &size),
        system::fsstat(&[size]),
        process::process(&detail, 1_700_000_000, memory.total, new.cores),
    ];
    metrics.extend(system::network(&host::net_dev(&after.text("proc/net/dev"))));
    metrics.extend(system::diskio(&host::diskstats(
        &after.text("proc/diskstats"),
    )));
    metrics
}

fn check_golden(name: &str, metrics: &[Metric]) {
    let shown: Vec<Value> = metrics
        .iter()
        .map(|metric| {
            json!({
                "metricset": format!("{}.{}", metric.module, metric.metricset),
                "fields": metric.fields, "container": metric.container,
                "host": metric.host, "root": metric.root,
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&shown).unwrap() + "\n";
    let path = fixtures().join("golden").join(format!("{name}.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap();
    assert!(
        text == golden,
        "{name} is not as the golden file says; got:\n{text}"
    );
}

#[test]
fn a_recorded_version_1_tree_gives_the_golden_documents() {
    check_golden("v1-linux-6.18", &container_metrics("v1-linux-6.18"));
}

#[test]
fn a_recorded_version_2_tree_gives_the_golden_documents() {
    check_golden("v2-linux-6.1", &container_metrics("v2-linux-6.1"));
}

#[test]
fn a_recorded_hybrid_tree_gives_the_golden_documents() {
    check_golden("hybrid-linux-6.1", &container_metrics("hybrid-linux-6.1"));
}

#[test]
fn the_recorded_host_gives_the_golden_documents() {
    check_golden("host-linux-6.18", &host_metrics());
}

/// The container stood still while both read it, so nothing may differ.
#[test]
fn our_reading_of_a_tree_is_the_engines_own_reading_of_it() {
    for tree in ["v2-linux-6.1", "hybrid-linux-6.1"] {
        for moment in ["before", "after"] {
            let (cpu, memory, io) = Moment::of(tree, moment).group();
            let engine: Value =
                serde_json::from_str(&Moment::of(tree, moment).text("engine_stats.json")).unwrap();
            let figure = |path: &str| engine.pointer(path).and_then(Value::as_u64);
            let device = |op: &str| -> u64 {
                engine["blkio_stats"]["io_service_bytes_recursive"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|entry| entry["op"].as_str().unwrap().eq_ignore_ascii_case(op))
                    .map(|entry| entry["value"].as_u64().unwrap())
                    .sum()
            };
            let ours = (
                Some(cpu.total_ns),
                Some(memory.usage),
                memory.limit,
                io.read.bytes,
                io.write.bytes,
            );
            let theirs = (
                figure("/cpu_stats/cpu_usage/total_usage"),
                figure("/memory_stats/usage"),
                figure("/memory_stats/limit"),
                device("read"),
                device("write"),
            );
            assert_eq!(
                ours, theirs,
                "{tree} {moment}: CPU, memory, limit, read, written"
            );
        }
    }
}

#[test]
fn hybrid_and_unified_memberships_lead_to_the_container() {
    let read = |tree: &str| {
        let text = |file: &str| fs::read_to_string(fixtures().join(tree).join(file)).unwrap();
        (
            Membership::parse(&text("membership")),
            text("container_id").trim().to_owned(),
        )
    };
    let (hybrid, id) = read("hybrid-linux-6.1");
    assert_eq!(
        hybrid.path("cpuacct"),
        Some(format!("/docker/{id}").as_str())
    );
    let (unified, id) = read("v2-linux-6.1");
    assert_eq!(unified.path("memory"), None);
    assert!(unified.unified().unwrap().contains(&id));
}

fn container() -> ContainerMeta {
    ContainerMeta {
        id: ID.into(),
        name: "beats_1".into(),
        image: "st:1".into(),
        command: "/st".into(),
        labels: BTreeMap::from([("beats".into(), "1".into())]),
        state: ContainerState::Running,
        created_ms: 1_795_463_000_000,
        started_ms: Some(1_795_463_000_000),
        ip_addresses: vec!["172.17.0.2".into()],
        size_rw: Some(0),
        size_root_fs: Some(0),
        health: Some(Health {
            status: "unhealthy".into(),
            failing_streak: 9,
            last: Some(HealthProbe {
                exit_code: -1,
                output: "x".into(),
                ..HealthProbe::default()
            }),
        }),
        ..ContainerMeta::default()
    }
}

fn envelope() -> Envelope {
    let host = HostFacts {
        id: "h".into(),
        name: "vm".into(),
        ..HostFacts::default()
    };
    let agent = AgentFacts {
        id: "h".into(),
        ephemeral_id: "e".into(),
        version: "0.1.0".into(),
    };
    let platform = NamedId {
        id: "p".into(),
        name: "wharf".into(),
    };
    Envelope::new(
        &host,
        &agent,
        &platform,
        "zone-1",
        "unix:///var/run/docker.sock",
    )
}

/// Every document that is compared with Metricbeat's, by the name of its key list.
fn documents() -> Vec<(String, Document)> {
    let (envelope, meta) = (envelope(), container());
    let context = ContainerContext::new(&meta);
    let reading = Reading {
        at_ms: 1,
        duration_ns: Some(2),
        period_ms: Some(10_000),
    };
    let pushed = Reading {
        at_ms: 1,
        ..Reading::default()
    };
    let mut of_container = container_metrics("v1-linux-6.18");
    of_container.push(docker::container(&meta, 1_795_463_000_000));
    of_container.extend(docker::healthcheck(&meta));
    let mut of_host = host_metrics();
    of_host.push(engine::info(&EngineFacts::default()));
    of_host.push(engine::image(&ImageMeta {
        tags: vec!["a:1".into()],
        ..ImageMeta::default()
    }));
    let attributes = ["beats", "execID", "image", "name"].map(|key| (key.into(), "x".into()));
    let event = EngineEvent {
        attributes: BTreeMap::from(attributes),
        ..EngineEvent::default()
    };
    let name = |metric: &Metric| {
        metric.dataset.map_or_else(
            || format!("{}.{}", metric.module, metric.metricset),
            str::to_owned,
        )
    };
    let mut documents: Vec<(String, Document)> = of_container
        .iter()
        .map(|metric| {
            (
                name(metric),
                metric.document(&envelope, Some(&context), reading),
            )
        })
        .collect();
    documents.extend(
        of_host
            .iter()
            .map(|metric| (name(metric), metric.document(&envelope, None, reading))),
    );
    documents.push((
        "docker.event".into(),
        engine::event(&event).document(&envelope, None, pushed),
    ));
    let raw = br#"{"log":"line 1\n","stream":"stdout","time":"2026-11-23T20:34:10.206Z"}"#;
    let line = Joiner::default().push(85, raw, 0).unwrap();
    let file = LogFile {
        path: "/x-json.log",
        identity: (1, 2),
    };
    let document = container_line(&envelope, &context, file, &line);
    documents.push(("filebeat.container".into(), document));
    documents
}

fn keys(value: &Value, path: &str, found: &mut BTreeMap<String, &'static str>) {
    let kind = match value {
        Value::Object(object) if !object.is_empty() => {
            for (key, value) in object {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                keys(value, &path, found);
            }
            return;
        }
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
    };
    found.insert(path.to_owned(), kind);
}

/// Keys of Metricbeat's that ours leave out, and why.
fn is_left_out(name: &str, key: &str) -> bool {
    match name {
        // What the cgroup of a process holds beyond use is in docker.* of its container.
        "system.process" => [
            "system.process.cgroup.cpu.cfs.",
            "system.process.cgroup.cpu.rt.",
            "system.process.cgroup.cpuacct.percpu.",
            "system.process.cgroup.memory.kmem",
            "system.process.cgroup.memory.memsw.",
            "system.process.cgroup.memory.stats.",
        ]
        .iter()
        .any(|left_out| key.starts_with(left_out)),
        // Which counters a kernel prints in memory.stat is the kernel's choice.
        "docker.memory" => key.starts_with("docker.memory.stats."),
        // States in which no process is are left out; the recorded machine had a stopped one.
        "system.process.summary" => key == "system.process.summary.stopped",
        _ => false,
    }
}

/// Keys that ours add to every document.
fn is_added(name: &str, key: &str) -> bool {
    let everywhere = ["data_stream.", "wharf.", "cloud.", "host.", "service.name"];
    everywhere.iter().any(|added| key.starts_with(added))
        // The second reading has shares, the recorded first one had none.
        || (name == "system.process" && key.contains("pct"))
        || (name == "system.process" && key.starts_with("system.process.cgroup."))
        || (name == "docker.memory" && key.starts_with("docker.memory.stats."))
        || (name == "docker.cpu" && key.starts_with("docker.cpu.throttled."))
        || (name == "docker.container" && key.starts_with("docker.container.labels"))
        || (name == "docker.healthcheck" && key.starts_with("docker.container.labels"))
        || (name == "filebeat.container" && (key.starts_with("event.") || key == "container.runtime"))
        || (name == "docker.event" && key == "docker.event.from")
}

#[test]
fn the_keys_are_metricbeats() {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (name, document) in documents() {
        let path = fixtures().join("beats").join(format!("{name}.keys"));
        let Ok(text) = fs::read_to_string(&path) else {
            panic!("no key list for {name}")
        };
        let body: Value = serde_json::from_slice(&document.body).unwrap();
        let mut ours = BTreeMap::new();
        keys(&body, "", &mut ours);
        let theirs: BTreeMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.rsplit_once(' '))
            .collect();
        for (key, kind) in &theirs {
            match ours.get(*key) {
                Some(own) if own == kind => {}
                Some(own) => wrong.push(format!("{name}: {key} is {own}, not {kind}")),
                None if is_left_out(&name, key) => {}
                None => wrong.push(format!("{name}: {key} is missing")),
            }
        }
        for key in ours.keys() {
            if !theirs.contains_key(key.as_str()) && !is_added(&name, key) {
                wrong.push(format!("{name}: {key} is not Metricbeat's"));
            }
        }
        seen.insert(name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let lists = fs::read_dir(fixtures().join("beats")).unwrap().count();
    assert_eq!(seen.len(), lists, "a metricset was not compared");
}
