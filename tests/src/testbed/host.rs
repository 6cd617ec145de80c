//! A host of the testbed: a network namespace with its own loopback and, when it is plugged in, a
//! cable; an engine in it, a data directory, and the `wharf` command as its user would call it. Destroyed when dropped.

use std::{
    fs,
    net::Ipv4Addr,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{
    base_dir, binary,
    engine::Engine,
    must,
    network::{CABLE, Network},
    run,
};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A host with a running engine.
#[derive(Debug)]
pub struct Host {
    namespace: String,
    dir: PathBuf,
    pub(super) engine: Engine,
    address: Option<Ipv4Addr>,
    keep: bool,
    left_running: bool,
}

impl Host {
    /// A fresh host with a running engine, alone: its network is its loopback.
    ///
    /// # Panics
    /// When the machine cannot make one; `scripts/deps test` installs what it needs.
    #[must_use]
    pub fn start(name: &str) -> Self {
        Self::start_with(name, None)
    }

    /// A fresh host with a running engine, plugged into a network.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_on(name: &str, network: &Network) -> Self {
        Self::start_with(name, Some(network))
    }

    /// A fresh host without an engine, plugged into a network: where people and clients sit.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn without_engine(name: &str, network: &Network) -> Self {
        Self::plugged(name, Some(network))
    }

    fn start_with(name: &str, network: Option<&Network>) -> Self {
        let mut host = Self::plugged(name, network);
        host.equip();
        host
    }

    /// Gives it what the platform needs of a host: room for data, and an engine that runs.
    pub(super) fn equip(&mut self) {
        self.give_own_disk_where_crowded();
        self.engine.start();
    }

    fn plugged(name: &str, network: Option<&Network>) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // Short, because a path of a Unix socket may have 107 bytes at most.
        let namespace = format!("wt-{}-{number}", std::process::id());
        let dir = base_dir().join(&namespace);
        fs::create_dir_all(dir.join("home")).expect("the testbed's folder can be made");
        fs::write(dir.join("name"), name).expect("the host's name can be written");
        must(Command::new("ip").args(["netns", "add", &namespace]));
        let engine = Engine::new(&dir, &namespace);
        let mut host = Self {
            namespace,
            dir,
            engine,
            address: None,
            keep: std::env::var_os("WHARF_TESTBED_KEEP").is_some(),
            left_running: false,
        };
        must(Command::new("ip").args(["-n", &host.namespace, "link", "set", "lo", "up"]));
        host.address = network.map(|network| network.plug(&host.namespace));
        host
    }

    /// The host's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the platform has files on the host. Its folder may be a disk's mount point, which stays.
    #[must_use]
    pub fn has_data(&self) -> bool {
        let files = fs::read_dir(self.data_dir());
        files.is_ok_and(|mut files| files.next().is_some())
    }

    /// The platform's data directory on this host.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("wharf")
    }

    /// A command that runs in the host's network.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.namespace))
            .arg(program)
            .env("HOME", self.dir.join("home"))
            .env("XDG_CONFIG_HOME", self.dir.join("home/.config"))
            .env(
                "DOCKER_HOST",
                format!("unix://{}", self.engine.socket().display()),
            )
            .env("WHARF_DATA_DIR", self.data_dir())
            .stdin(std::process::Stdio::null());
        for variable in [
            "WHARF_DIRECTOR",
            "WHARF_USERNAME",
            "WHARF_PASSWORD",
            "WHARF_PROFILE",
            "WHARF_OUTPUT",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// `wharf` with these arguments, as the host's user would call it.
    #[must_use]
    pub fn wharf(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(binary());
        command.args(arguments);
        command
    }

    /// What `wharf … -o json` prints.
    ///
    /// # Panics
    /// When the command fails or prints no JSON.
    #[must_use]
    pub fn wharf_json(&self, arguments: &[&str]) -> serde_json::Value {
        let printed = must(self.wharf(arguments).args(["-o", "json"]));
        serde_json::from_str(&printed).unwrap_or_else(|error| {
            panic!("wharf {arguments:?} printed no JSON ({error}): {printed}")
        })
    }

    /// The engine's client.
    #[must_use]
    pub fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = self.engine.docker();
        command.args(arguments);
        command
    }

    /// The engine's process.
    ///
    /// # Panics
    /// When the engine does not run.
    #[must_use]
    pub fn engine_pid(&self) -> u32 {
        self.engine.pid()
    }

    /// Ends the engine as a crash would.
    pub fn kill_engine(&mut self) {
        self.engine.kill();
    }

    /// Starts the engine again on the data it had.
    pub fn start_engine(&mut self) {
        self.engine.start();
    }

    /// Its address on the network that it is plugged into.
    #[must_use]
    pub const fn address(&self) -> Option<Ipv4Addr> {
        self.address
    }

    /// Pulls the host's cable, or plugs it in again.
    ///
    /// # Panics
    /// When the host is not on a network.
    pub fn set_plugged(&self, plugged: bool) {
        let state = if plugged { "up" } else { "down" };
        must(Command::new("ip").args(["-n", &self.namespace, "link", "set", CABLE, state]));
    }

    /// Lets the host send so much at most; none: as fast as it can.
    ///
    /// # Panics
    /// When the host is not on a network.
    pub fn limit_sending(&self, kilobits_per_second: Option<u32>) {
        let mut tc = self.command("tc");
        match kilobits_per_second {
            Some(rate) => tc
                .args(["qdisc", "replace", "dev", CABLE, "root", "tbf", "rate"])
                .arg(format!("{rate}kbit"))
                .args(["burst", "32kbit", "latency", "400ms"]),
            None => tc.args(["qdisc", "delete", "dev", CABLE, "root"]),
        };
        must(&mut tc);
    }

    /// Leaves the host running when this is dropped, for `scripts/testbed-sweep` to remove.
    pub(super) fn leave_running(&mut self) {
        self.left_running = true;
    }

    /// Name of the host's network namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Runs code on a thread of its own that lives in the host's network, so that its sockets do.
    ///
    /// # Panics
    /// When the network cannot be entered, or with the code's own panic.
    pub fn inside<T: Send>(&self, code: impl FnOnce() -> T + Send) -> T {
        inside_namespace(&self.namespace, code)
    }

    /// An image with busybox in it, made from the machine's own files: applications for tests.
    ///
    /// # Panics
    /// When the engine does not take it.
    pub fn import_busybox(&self) {
        let tar = self.dir.join("busybox.tar");
        let tree = self.dir.join("busybox");
        fs::create_dir_all(tree.join("bin")).expect("a folder");
        let found = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|path| Path::new(path).exists());
        fs::copy(
            found.expect("busybox is installed by scripts/deps test"),
            tree.join("bin/busybox"),
        )
        .expect("busybox can be copied");
        must(
            Command::new("tar")
                .arg("-C")
                .arg(&tree)
                .arg("-cf")
                .arg(&tar)
                .arg("."),
        );
        must(
            self.docker(&["import", "-c", "ENTRYPOINT [\"/bin/busybox\"]"])
                .arg(&tar)
                .arg("busybox:test"),
        );
    }
}

/// Runs code on a thread of its own in a network namespace.
///
/// # Panics
/// When the namespace cannot be entered, or with the code's own panic.
pub fn inside_namespace<T: Send>(namespace: &str, code: impl FnOnce() -> T + Send) -> T {
    let path = format!("/run/netns/{namespace}");
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            let namespace = fs::File::open(&path).expect("the namespace exists");
            rustix::thread::move_into_link_name_space(
                namespace.as_fd(),
                Some(rustix::thread::LinkNameSpaceType::Network),
            )
            .expect("the namespace can be entered");
            code()
        });
        match thread.join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.left_running {
            return;
        }
        if std::thread::panicking() {
            let listed =
                run(&mut self.docker(&["ps", "-a", "--format", "{{.Names}}\t{{.Status}}"]));
            eprintln!(
                "containers at the failure:\n{}",
                String::from_utf8_lossy(&listed.stdout)
            );
            let names = run(&mut self.docker(&["ps", "-a", "--format", "{{.Names}}"]));
            for name in String::from_utf8_lossy(&names.stdout)
                .lines()
                .filter(|name| name.starts_with("wharf-"))
            {
                let log = run(&mut self.docker(&["logs", "--tail", "25", name]));
                eprintln!(
                    "--- {name}\n{}{}",
                    String::from_utf8_lossy(&log.stdout),
                    String::from_utf8_lossy(&log.stderr)
                );
            }
            if self.keep {
                eprintln!(
                    "kept: {} in namespace {}",
                    self.dir.display(),
                    self.namespace
                );
                return;
            }
        }
        self.engine.destroy();
        run(Command::new("ip").args(["netns", "delete", &self.namespace]));
        remove_cgroups(&self.namespace);
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The engine's cgroup parent is left empty when its containers are gone.
fn remove_cgroups(name: &str) {
    for controller in fs::read_dir("/sys/fs/cgroup")
        .into_iter()
        .flatten()
        .flatten()
    {
        let _ = fs::remove_dir(controller.path().join(name));
    }
    let _ = fs::remove_dir(Path::new("/sys/fs/cgroup").join(name));
}
