//! A host of the testbed: a network namespace with its own loopback, an engine in it, a data
//! directory, and the `wharf` command as its user would call it. Destroyed when dropped.

use std::{
    fs,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use super::{base_dir, binary, engine::Engine, must, run};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A host with a running engine.
#[derive(Debug)]
pub struct Host {
    namespace: String,
    dir: PathBuf,
    engine: Engine,
    keep: bool,
}

impl Host {
    /// A fresh host with a running engine.
    ///
    /// # Panics
    /// When the machine cannot make one; `scripts/deps test` installs what it needs.
    #[must_use]
    pub fn start(name: &str) -> Self {
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
            keep: std::env::var_os("WHARF_TESTBED_KEEP").is_some(),
        };
        must(Command::new("ip").args(["-n", &host.namespace, "link", "set", "lo", "up"]));
        host.engine.start();
        host
    }

    /// The host's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The platform's data directory on this host.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.join("wharf")
    }

    /// Puts the platform's data directory on a disk of its own: a sparse image, loop-mounted, and
    /// unmounted with the host.
    ///
    /// # Panics
    /// When the machine cannot mount it.
    pub fn mount_data_disk(&self, bytes: u64) {
        let image = self.dir.join("disk.img");
        let file = fs::File::create(&image).expect("the disk's image can be made");
        file.set_len(bytes).expect("the disk's image can be sparse");
        fs::create_dir_all(self.data_dir()).expect("the mount point can be made");
        must(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
        must(
            Command::new("mount")
                .args(["-o", "loop"])
                .arg(&image)
                .arg(self.data_dir()),
        );
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
