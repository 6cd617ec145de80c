//! The ground that the tests of the walk stand on: made-up kernel files, a log, and collectors that
//! run over them.
//!
//! Invariants: a load uses half of one of two processors, whatever second it is.
//! Not here: what takes the documents.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wharf_collectors::{
    Config, ContainerMeta, ContainerState, Counters, Destination, EngineFacts, HostFacts,
    InventoryPublisher, LatestSamples, NamedId, Snapshot, inventory, run,
};
use wharf_runtime::task::{Shutdown, spawn};

pub(crate) const ID: &str = "3deb4934b84890a7ae2f3d163ac8a77a43cfa37df099ac8dd4759d43547e1880";
pub(crate) const LOGS: &str = "logs-docker.container-default";

/// Collectors that run over a directory of made-up kernel files and logs.
pub(crate) struct Running {
    pub(crate) publisher: InventoryPublisher,
    pub(crate) latest: LatestSamples,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shutdown: Shutdown,
    pub(crate) task: tokio::task::JoinHandle<()>,
    _destination: watch::Sender<Option<Destination>>,
}

impl Running {
    pub(crate) fn start(dir: &Path, url: String) -> Self {
        let host = HostFacts {
            id: "h1".into(),
            name: "vm".into(),
            ..HostFacts::default()
        };
        let platform = NamedId {
            id: "p1".into(),
            name: "wharf".into(),
        };
        let mut config = Config::new(dir.join("data"), host, platform);
        config.proc_root = dir.join("proc");
        config.cgroup_root = dir.join("cgroup");
        config.host_root = dir.to_path_buf();
        config.journal_roots = vec![dir.join("journal")];
        config.periods.sample = Duration::from_secs(1);
        config.periods.describe = Duration::from_secs(1);
        config.instances_dir = Some(dir.join("instances"));
        let (publisher, inventory) = inventory();
        let destination = Destination {
            url,
            cluster: Some("system".into()),
            username: "collector".into(),
            password: "secret".into(),
            ..Destination::default()
        };
        let (sender, receiver) = watch::channel(Some(destination));
        let (latest, counters) = (LatestSamples::default(), Arc::<Counters>::default());
        let shutdown = Shutdown::new();
        let running = run(
            config,
            inventory,
            receiver,
            latest.clone(),
            counters.clone(),
            shutdown.clone(),
        );
        let task = spawn("collectors", async { running.await.unwrap() });
        Self {
            publisher,
            latest,
            counters,
            shutdown,
            task,
            _destination: sender,
        }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.trigger();
        self.task.await.unwrap();
    }

    pub(crate) fn publish(&self, dir: &Path) {
        self.publisher.publish(Snapshot {
            containers: vec![Arc::new(container(dir))],
            engine: Some(EngineFacts {
                id: "e".into(),
                containers: 1,
                ..EngineFacts::default()
            }),
            images: Vec::new(),
        });
    }
}

pub(crate) fn container(dir: &Path) -> ContainerMeta {
    ContainerMeta {
        id: ID.into(),
        name: "shop_1".into(),
        image: "registry/shop:1".into(),
        labels: BTreeMap::from([
            ("app".into(), "checkout".into()),
            ("a.b".into(), "c".into()),
        ]),
        pid: Some(7),
        created_ms: i64::MAX / 2,
        state: ContainerState::Running,
        log_path: Some(dir.join("log").to_string_lossy().into_owned()),
        ..ContainerMeta::default()
    }
}

pub(crate) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The kernel's files as they are after so many seconds, half of one of two processors used.
pub(crate) fn kernel(dir: &Path, seconds: u64) {
    let (proc_root, root) = (dir.join("proc"), dir.join("cgroup"));
    let scope = format!("system.slice/docker-{ID}.scope");
    write(&root.join("cgroup.controllers"), "cpu io memory pids\n");
    let group = root.join(&scope);
    let usage = seconds * 500_000;
    write(
        &group.join("cpu.stat"),
        &format!("usage_usec {usage}\nuser_usec {usage}\nsystem_usec 0\n"),
    );
    write(&group.join("memory.current"), "8388608\n");
    write(&group.join("memory.max"), "16777216\n");
    write(
        &group.join("memory.stat"),
        "anon 1\ninactive_file 4194304\n",
    );
    write(
        &group.join("io.stat"),
        "8:0 rbytes=10 wbytes=20 rios=1 wios=2\n",
    );
    write(&group.join("pids.current"), "3\n");
    write(&proc_root.join("7/cgroup"), &format!("0::/{scope}\n"));
    let net =
        "h\nh\n lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\neth0: 500 5 0 0 0 0 0 0 70 7 0 0 0 0 0 0\n";
    write(&proc_root.join("7/net/dev"), net);
    write(&proc_root.join("1/net/dev"), net);
    let ticks = 100 + seconds * 100;
    write(
        &proc_root.join("stat"),
        &format!("cpu  {ticks} 0 0 {ticks} 0 0 0 0\ncpu0 1\ncpu1 1\n"),
    );
    write(
        &proc_root.join("meminfo"),
        "MemTotal: 1000000 kB\nMemFree: 500000 kB\nMemAvailable: 600000 kB\n",
    );
    write(&proc_root.join("loadavg"), "0.5 0.4 0.3 1/2 3\n");
    write(&proc_root.join("uptime"), "100.0 50.0\n");
}

pub(crate) fn log(dir: &Path, lines: std::ops::Range<usize>) {
    let file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(dir.join("log"));
    let mut file = file.unwrap();
    for number in lines {
        let line = serde_json::json!({
            "log": format!("line {number}\n"), "stream": "stdout",
            "time": format!("2026-11-23T20:34:10.{number:09}Z"),
        });
        writeln!(file, "{line}").unwrap();
    }
}
