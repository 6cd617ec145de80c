//! The storage node and the monitoring node of the deployment `system`, as processes of the real binary at the ports
//! and with the secrets that the director assigned; an allocator driven by hand says that they run. Without a proxy: the
//! monitoring node is told its storage's own address. Not here: the tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use wharf_proto::v1;
use wharf_test_ports::TestPort;

/// Two ports that follow each other, for the two instances.
pub struct TwoPorts {
    pub range: (u16, u16),
    _held: [TestPort; 2],
}

impl TwoPorts {
    pub fn reserve() -> Self {
        let mut held: BTreeMap<u16, TestPort> = BTreeMap::new();
        for _ in 0..5_000 {
            let port = TestPort::reserve();
            let first = port.port();
            held.insert(first, port);
            for (one, two) in [(first - 1, first), (first, first + 1)] {
                if held.contains_key(&one) && held.contains_key(&two) {
                    let found = [one, two].map(|port| held.remove(&port).unwrap());
                    return Self {
                        range: (one, two),
                        _held: found,
                    };
                }
            }
        }
        panic!("no two ports that follow each other are free");
    }
}

/// The binary beside the test: `make build` builds it.
fn binary() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    exe.ancestors()
        .map(|folder| folder.join("wharf"))
        .find(|path| path.is_file())
        .expect("target/…/debug/wharf is missing: run `make build`")
}

/// Nodes that run until they are dropped.
pub struct Nodes {
    dir: tempfile::TempDir,
    storage: v1::AssignedInstance,
    monitoring: v1::AssignedInstance,
    running: BTreeMap<&'static str, Child>,
}

impl Nodes {
    /// Of what an allocator holds; nothing runs yet.
    pub fn of<'a>(held: impl Iterator<Item = &'a v1::AssignedInstance>) -> Self {
        let mut held: BTreeMap<String, v1::AssignedInstance> = held
            .filter(|instance| instance.deployment_name == "system")
            .map(|instance| (instance.resource_kind.clone(), instance.clone()))
            .collect();
        let mut take = |kind: &str| held.remove(kind).expect("it is assigned");
        Self {
            dir: tempfile::tempdir().unwrap(),
            storage: take("storage"),
            monitoring: take("monitoring"),
            running: BTreeMap::new(),
        }
    }

    pub fn monitoring_port(&self) -> u32 {
        self.monitoring.port
    }

    pub fn storage_port(&self) -> u32 {
        self.storage.port
    }

    pub fn start_storage(&mut self) {
        let instance = self.storage.clone();
        self.start("store", &instance, "");
    }

    pub fn start_monitoring(&mut self) {
        let instance = self.monitoring.clone();
        let secrets = instance.secrets.as_ref().unwrap();
        let mut storage: serde_json::Value =
            serde_json::from_str(&secrets.storage_json).expect("a proxy is known");
        storage["url"] = format!("https://127.0.0.1:{}", self.storage.port).into();
        self.start("monitor", &instance, &storage.to_string());
    }

    fn start(&mut self, role: &'static str, instance: &v1::AssignedInstance, storage: &str) {
        let dir = self.dir.path().join(role);
        let secrets = instance.secrets.as_ref().unwrap();
        for (name, text) in [
            ("identity.pem", secrets.identity_pem.as_str()),
            ("ca.pem", secrets.ca_pem.as_str()),
            ("users.json", secrets.users_json.as_str()),
            ("storage.json", storage),
        ] {
            if !text.is_empty() {
                write(&dir.join("secrets").join(name), text);
            }
        }
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(dir.join("log"))
            .unwrap();
        let child = Command::new(binary())
            .args(["run", role])
            .arg("--data-dir")
            .arg(dir.join("data"))
            .arg("--secrets-dir")
            .arg(dir.join("secrets"))
            .args(["--listen", &format!("127.0.0.1:{}", instance.port)])
            .args(["--memory-bytes", "536870912"])
            .args(["--disk-bytes", "2147483648"])
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("the binary runs");
        self.running.insert(role, child);
    }

    /// Ends one as a crash would.
    pub fn kill(&mut self, role: &str) {
        if let Some(mut child) = self.running.remove(role) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for role in ["store", "monitor"] {
            self.kill(role);
            if std::thread::panicking() {
                let log = fs::read_to_string(self.dir.path().join(role).join("log"));
                eprintln!("the log of the {role}:\n{}", log.unwrap_or_default());
            }
        }
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
