//! One Docker engine of a test: its process, its folders, its end. Not here: the network
//! namespace that it runs in (`host`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::run;
use crate::patience::wait_for;

const START_TIMEOUT: Duration = Duration::from_secs(90);

/// An engine that runs, or has been killed and can be started again on the same data.
#[derive(Debug)]
pub(super) struct Engine {
    dir: PathBuf,
    namespace: String,
    process: Option<Child>,
}

impl Engine {
    pub(super) fn new(dir: &Path, namespace: &str) -> Self {
        Self {
            dir: dir.to_path_buf(),
            namespace: namespace.to_owned(),
            process: None,
        }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("docker.sock")
    }

    /// Starts the engine and waits until it answers.
    pub(super) fn start(&mut self) {
        assert!(self.process.is_none(), "the engine runs already");
        let _ = fs::remove_file(self.dir.join("docker.pid"));
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.join("dockerd.log"))
            .expect("the engine's log can be opened");
        // `ip netns exec` would hide the cgroup mounts; nsenter enters the network alone.
        let child = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", self.namespace))
            .arg("dockerd")
            .arg("--data-root")
            .arg(self.dir.join("data"))
            .arg("--exec-root")
            .arg(self.dir.join("exec"))
            .arg("--pidfile")
            .arg(self.dir.join("docker.pid"))
            .arg("-H")
            .arg(format!("unix://{}", self.socket().display()))
            .arg("--cgroup-parent")
            .arg(format!("/{}", self.namespace))
            .arg("--log-level=warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file handle"))
            .stderr(log)
            .spawn()
            .expect("dockerd can be started: scripts/deps test installs it");
        self.process = Some(child);
        wait_for("the test's engine answers", START_TIMEOUT, || {
            if let Some(status) = self
                .process
                .as_mut()
                .and_then(|child| child.try_wait().ok()?)
            {
                panic!("the engine ended with {status}:\n{}", self.log_tail());
            }
            let answer = run(self.docker().arg("version"));
            if answer.status.success() {
                Ok(())
            } else {
                Err(self.log_tail())
            }
        });
    }

    /// Whether it was started and not killed since.
    pub(super) const fn runs(&self) -> bool {
        self.process.is_some()
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.as_ref().expect("the engine runs").id()
    }

    /// The engine's client, told where the engine is.
    pub(super) fn docker(&self) -> Command {
        let mut command = Command::new("docker");
        command
            .arg("-H")
            .arg(format!("unix://{}", self.socket().display()));
        command.stdin(Stdio::null());
        command
    }

    /// Ends the engine at once, as a crash would; containers go on under their shims.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Its containerd goes with it. The pid file and the sockets go too: where nobody reaps the
        // dead process, the next engine would take it for one that lives.
        let folder = self.dir.join("exec/containerd");
        if let Ok(pid) = fs::read_to_string(folder.join("containerd.pid")) {
            run(Command::new("kill").arg("-9").arg(pid.trim()));
        }
        for name in [
            "containerd.pid",
            "containerd.sock",
            "containerd.sock.ttrpc",
            "containerd-debug.sock",
        ] {
            let _ = fs::remove_file(folder.join(name));
        }
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.dir.join("dockerd.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(15).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// Removes every container and ends every process of the engine.
    pub(super) fn destroy(&mut self) {
        if self.process.is_some() {
            let listed = run(self.docker().args(["ps", "-aq"]));
            let ids = String::from_utf8_lossy(&listed.stdout).into_owned();
            let ids: Vec<&str> = ids.split_whitespace().collect();
            if !ids.is_empty() {
                run(self.docker().args(["rm", "-f", "-v"]).args(ids));
            }
        }
        self.kill();
        for pid in self.processes() {
            run(Command::new("kill").arg("-9").arg(pid.to_string()));
        }
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mut below: Vec<&str> = mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(1))
            .filter(|path| Path::new(path).starts_with(&self.dir))
            .collect();
        below.sort_unstable_by(|a, b| b.cmp(a));
        for mount in below {
            run(Command::new("umount").arg("-l").arg(mount));
        }
    }

    /// Processes whose command line names the engine's folder: containerd and its shims.
    fn processes(&self) -> Vec<u32> {
        let needle = self.dir.display().to_string();
        let own = std::process::id();
        fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| *pid != own)
            .filter(|pid| {
                fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
                    String::from_utf8_lossy(&line)
                        .replace('\0', " ")
                        .contains(&needle)
                })
            })
            .collect()
    }
}
