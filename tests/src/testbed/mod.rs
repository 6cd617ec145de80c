//! The testbed: Docker engines of their own, each in a network namespace, on one machine. A test
//! never touches the machine's engine. Everything lies below one folder and has names that begin
//! with `wt-`, so that `scripts/testbed-sweep` removes what a killed run left.

mod bucket;
mod desk;
mod disk;
mod engine;
mod fleet;
mod host;
mod network;
mod parallel;
mod power;
mod relay;
mod systemd_host;
mod traces;

pub use bucket::Bucket;
pub use desk::Desk;
pub use fleet::{Fleet, Layout};
pub use host::{Host, inside_namespace};
pub use network::{Fault, Network};
pub use relay::Relay;
pub use systemd_host::SystemdHost;
pub use traces::Traces;

use std::{
    path::PathBuf,
    process::{Command, Output},
    sync::OnceLock,
};

/// Folder of every testbed on this machine.
#[must_use]
pub fn base_dir() -> PathBuf {
    std::env::var_os("WHARF_TESTBED_DIR")
        .map_or_else(|| PathBuf::from("/var/tmp/wharf-testbed"), PathBuf::from)
}

/// Runs a command that must succeed and gives its standard output.
///
/// # Panics
/// When it cannot be run or fails; the message has what it said.
pub fn must(command: &mut Command) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?} failed with {}:\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command and gives what came of it.
///
/// # Panics
/// When it cannot be run at all.
pub fn run(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"))
}

/// The dev binary as it was built, for tests that run it as a process.
///
/// # Panics
/// When the binary has not been built.
#[must_use]
pub fn built_binary() -> PathBuf {
    let exe = std::env::current_exe().expect("a test knows its own path");
    exe.ancestors()
        .map(|folder| folder.join("wharf"))
        .find(|path| path.is_file())
        .expect("target/…/debug/wharf is missing: run `make build`")
}

/// The dev binary, stripped, which is what test images carry. Built by `make build`. A bench names
/// another by `WHARF_BENCH_BINARY`.
///
/// # Panics
/// When the binary has not been built.
#[must_use]
pub fn binary() -> PathBuf {
    // One run has one binary, also when another is built meanwhile.
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(stripped_binary).clone()
}

fn stripped_binary() -> PathBuf {
    if let Some(other) = std::env::var_os("WHARF_BENCH_BINARY") {
        return PathBuf::from(other);
    }
    let built = built_binary();
    // Named after the very build, so that another tree's binary is never taken for this one's.
    let made_ns = built
        .metadata()
        .and_then(|metadata| metadata.modified())
        .ok()
        .and_then(|made| made.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    let stripped = base_dir().join(format!("wharf-{made_ns}"));
    if !stripped.exists() {
        std::fs::create_dir_all(base_dir()).expect("the testbed's folder can be made");
        let fresh = base_dir().join(format!("wharf.{}", std::process::id()));
        must(Command::new("strip").arg("-o").arg(&fresh).arg(&built));
        std::fs::rename(&fresh, &stripped).expect("the stripped binary can be put in place");
    }
    stripped
}
