//! A host of the testbed that a real systemd runs, without a container engine: its own root over this
//! machine's programs, processes, name, cgroups and network. Its power can be cut, and it starts again from
//! what was on its disk.
//!
//! Invariants: what it writes lies in the testbed's folder; everything on it ends with it, also when the
//! test is killed and `scripts/testbed-sweep` ends it. Not here: hosts with an engine (`host`).

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{Host, Network, binary, must, run};
use crate::patience::wait_for;

/// Until systemd has started everything, on a machine that is busy.
const BOOT: Duration = Duration::from_secs(180);
/// Between SIGKILL and the end of the last process.
const END: Duration = Duration::from_secs(30);
/// The binary where the user of the host has it: below the host's own root, not this machine's.
const WHARF: &str = "/root/wharf";

/// A host that systemd runs.
#[derive(Debug)]
pub struct SystemdHost {
    host: Host,
    /// `unshare`, whose only child is systemd; none while the power is cut.
    machine: Option<Child>,
}

impl SystemdHost {
    /// A fresh host on a network, started.
    ///
    /// # Panics
    /// When the machine cannot make one; `scripts/deps test` installs what it needs.
    #[must_use]
    pub fn start(name: &str, network: &Network) -> Self {
        let host = Host::without_engine(name, network);
        make_root(host.dir(), name);
        let mut machine = Self {
            host,
            machine: None,
        };
        machine.power_on();
        machine
    }

    /// Starts it from what is on its disk, and waits until it has started.
    ///
    /// # Panics
    /// When systemd does not come up.
    pub fn power_on(&mut self) {
        let log = fs::File::create(self.host.dir().join("console.log")).expect("a log");
        let errors = log.try_clone().expect("the log twice");
        let child = self
            .script("boot")
            .stdout(log)
            .stderr(errors)
            .spawn()
            .expect("nsenter and unshare can be run");
        self.machine = Some(child);
        let console = self.host.dir().join("console.log");
        wait_for("systemd has started the host", BOOT, || {
            let told = match self.try_command("systemctl") {
                Some(mut systemctl) => run(systemctl.arg("is-system-running")),
                None => return Err("no process 1".to_owned()),
            };
            let state = String::from_utf8_lossy(&told.stdout).trim().to_owned();
            match state.as_str() {
                // Of this machine's own units one may not fit a host of the testbed.
                "running" | "degraded" => Ok(()),
                _ => Err(format!(
                    "{state}: {}",
                    fs::read_to_string(&console).unwrap_or_default()
                )),
            }
        });
    }

    /// Ends everything on it at once, as when a plug is pulled.
    ///
    /// # Panics
    /// When it does not end.
    pub fn cut_power(&mut self) {
        self.host.set_plugged(false);
        self.end();
        self.host.set_plugged(true);
    }

    fn end(&mut self) {
        let Some(mut machine) = self.machine.take() else {
            return;
        };
        let pid = first(machine.id()).map(|pid| pid.to_string());
        if let Some(pid) = &pid {
            run(Command::new("kill").args(["-9", pid]));
        } else {
            let _ = machine.kill();
        }
        let _ = machine.wait();
        // Not in the midst of another failure, which would be told no more.
        if let Some(pid) = pid.filter(|_| !std::thread::panicking()) {
            wait_for("the host has ended", END, || {
                let there = Path::new("/proc").join(&pid).exists();
                if there { Err(pid.clone()) } else { Ok(()) }
            });
        }
        run(&mut self.script("clean"));
    }

    fn script(&self, what: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.host.namespace()))
            .args(["unshare", "--mount", "sh"])
            .arg(self.host.dir().join("systemd.sh"))
            .arg(self.host.dir())
            .args([self.host.namespace(), what])
            .stdin(Stdio::null());
        command
    }

    /// A command on the host.
    ///
    /// # Panics
    /// When the host's power is cut.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        self.try_command(program).expect("the host runs")
    }

    fn try_command(&self, program: &str) -> Option<Command> {
        let pid = first(self.machine.as_ref()?.id())?;
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={pid}"))
            .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"])
            .args(["--wd=/", "env", "-i", "HOME=/root"])
            .arg("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
            .arg(program)
            .stdin(Stdio::null());
        Some(command)
    }

    /// `wharf` with these arguments, as root of the host would call it, told by its environment what
    /// follows `--join` when there is something.
    #[must_use]
    pub fn wharf(&self, join: Option<&str>, arguments: &[&str]) -> Command {
        let mut command = self.command("env");
        if let Some(join) = join {
            // Into the environment of `wharf`; the testbed's own list of processes may show it.
            command.arg(format!("WHARF_JOIN={join}"));
        }
        command.arg(WHARF).args(arguments);
        command
    }

    /// What it has on the network and in the testbed.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// A property of a unit.
    ///
    /// # Panics
    /// When `systemctl` fails.
    #[must_use]
    pub fn property(&self, unit: &str, property: &str) -> String {
        let mut systemctl = self.command("systemctl");
        let property = format!("--property={property}");
        must(systemctl.args(["show", "--value", &property, unit]))
            .trim()
            .to_owned()
    }

    /// Everything below `/etc`, `/var/lib` and `/usr/local`: links with where they lead, files with what
    /// is in them. What systemd keeps for itself, and changes by itself, is left out.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, String> {
        let root = self.host.dir().join("root");
        let mut found = BTreeMap::new();
        let own = root.join("var/lib/systemd");
        for top in [
            root.join("etc"),
            root.join("var/lib"),
            self.host.dir().join("local"),
        ] {
            walk(&top, &own, &mut found);
        }
        // As the host names them, so that the testbed's own name is in none.
        let dir = self.host.dir();
        let named = |path: PathBuf| {
            path.strip_prefix(dir)
                .map(Path::to_path_buf)
                .unwrap_or(path)
        };
        found
            .into_iter()
            .map(|(path, what)| (named(path), what))
            .collect()
    }
}

impl Drop for SystemdHost {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(mut journal) = self.try_command("journalctl")
        {
            let told = run(journal.args(["--no-pager", "-n", "80", "-u", "wharf-*"]));
            eprintln!("--- journal\n{}", String::from_utf8_lossy(&told.stdout));
        }
        self.end();
    }
}

/// The only child of a process, as this machine numbers it.
fn first(parent: u32) -> Option<u32> {
    let path = format!("/proc/{parent}/task/{parent}/children");
    let children = fs::read_to_string(path).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn walk(folder: &Path, left_out: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path == left_out {
            continue;
        }
        let what = if path.is_symlink() {
            format!("-> {:?}", fs::read_link(&path).ok())
        } else if path.is_dir() {
            walk(&path, left_out, found);
            "folder".to_owned()
        } else {
            let bytes = fs::read(&path).unwrap_or_default();
            format!("{} bytes: {}", bytes.len(), digest(&bytes))
        };
        found.insert(path, what);
    }
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(bytes))
}

/// What a fresh installation has of its own; programs are this machine's.
fn make_root(dir: &Path, name: &str) {
    let root = dir.join("root");
    let folder = |path: &str| fs::create_dir_all(root.join(path)).expect("a folder of the root");
    for path in [
        "usr",
        "etc/systemd/system",
        "var/lib",
        "var/log/journal",
        "run",
        "tmp",
        "proc",
        "sys",
        "dev",
        "root",
        "home",
    ] {
        folder(path);
    }
    for path in ["local/lib", "local/bin", "cg"] {
        fs::create_dir_all(dir.join(path)).expect("a folder of the host");
    }
    for link in ["bin", "sbin", "lib", "lib64"] {
        if Path::new("/").join(link).is_symlink() {
            symlink(Path::new("usr").join(link), root.join(link)).expect("a link of the root");
        }
    }
    let write = |path: &str, text: &str| {
        fs::write(root.join("etc").join(path), text).expect("a file of the root");
    };
    write(
        "passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
    );
    write("group", "root:x:0:\nnogroup:x:65534:\n");
    write(
        "nsswitch.conf",
        "passwd: files systemd\ngroup: files systemd\nhosts: files dns\n",
    );
    write("hostname", &format!("{name}\n"));
    write("hosts", "127.0.0.1 localhost\n");
    write("machine-id", "");
    let target = root.join("etc/systemd/system/default.target");
    symlink("/usr/lib/systemd/system/multi-user.target", target).expect("what is started");
    fs::copy(binary(), root.join(WHARF.trim_start_matches('/'))).expect("the binary can be copied");
    fs::write(dir.join("systemd.sh"), include_str!("systemd_host.sh")).expect("the script");
}
