//! How each fault is made on a testbed host, and undone.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{Fault, Victim};
use crate::{
    patience::wait_for,
    testbed::{Host, must, run},
};

const ENGINE_PATIENCE: Duration = Duration::from_secs(15);

/// Makes the fault; comes back when it is over. The spans of a fault are its content, not waits
/// for something.
///
/// # Panics
/// When the host cannot make it.
pub fn inflict(host: &mut Host, fault: Fault) {
    match fault {
        Fault::Kill(victim) => {
            if let Some(pid) = pid_of(host, victim) {
                run(Command::new("kill").args(["-9", &pid]));
            }
        }
        Fault::Freeze(victim, span) => {
            if let Some(pid) = pid_of(host, victim) {
                run(Command::new("kill").args(["-STOP", &pid]));
                thread::sleep(span);
                run(Command::new("kill").args(["-CONT", &pid]));
            }
        }
        Fault::KillEngine => {
            host.kill_engine();
            host.start_engine();
            bring_allocator_back(host);
        }
        Fault::FillDisk(span) => {
            let ballast = Ballast::fill(host);
            thread::sleep(span);
            drop(ballast);
        }
        Fault::CutStorage(span) => {
            let Some(port) = storage_port(host) else {
                return;
            };
            let rule = ["INPUT", "-p", "tcp", "--dport", &port, "-j", "DROP"];
            must(host.command("iptables").arg("-I").args(rule));
            thread::sleep(span);
            must(host.command("iptables").arg("-D").args(rule));
        }
    }
}

/// Container of a victim, when there is one now.
fn container_of(host: &Host, victim: Victim) -> Option<String> {
    let kind = match victim {
        Victim::Director => return Some("wharf-wharfinger-director".to_owned()),
        Victim::Allocator => return Some("wharf-wharfinger-allocator".to_owned()),
        Victim::Proxy => return Some("wharf-wharfinger-proxy".to_owned()),
        Victim::Storage => "storage",
        Victim::Monitoring => "monitoring",
    };
    let names = must(&mut host.docker(&["ps", "--format", "{{.Names}}"]));
    names
        .lines()
        .find(|name| name.contains("system") && name.contains(kind))
        .map(str::to_owned)
}

/// Process of a victim; none while it is between two lives.
fn pid_of(host: &Host, victim: Victim) -> Option<String> {
    let name = container_of(host, victim)?;
    let shown = run(&mut host.docker(&["inspect", "-f", "{{.State.Pid}}", &name]));
    let pid = String::from_utf8_lossy(&shown.stdout).trim().to_owned();
    pid.parse::<u32>().is_ok_and(|pid| pid > 0).then_some(pid)
}

/// Port that the storage node of `system` is published on.
fn storage_port(host: &Host) -> Option<String> {
    let name = container_of(host, Victim::Storage)?;
    let shown = must(&mut host.docker(&["port", &name]));
    Some(shown.lines().next()?.rsplit(':').next()?.trim().to_owned())
}

/// A file that takes all that is left of the disk of the platform's data; removed when dropped.
struct Ballast(PathBuf);

impl Ballast {
    fn fill(host: &Host) -> Self {
        let ballast = Self(host.data_dir().join("ballast"));
        // Halving pieces, until not even a block is left.
        let mut piece: u64 = 1 << 36;
        let mut size = 0;
        while piece >= 4096 {
            let end = (size + piece).to_string();
            let path = &ballast.0;
            if run(Command::new("fallocate").args(["-l", &end]).arg(path))
                .status
                .success()
            {
                size += piece;
            } else {
                piece /= 2;
            }
        }
        ballast
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Docker 20.10 may leave a container down that it was about to restart when it was killed. The
/// allocator brings everything else back; itself it is brought back by `wharf up`, as after a
/// removal by hand.
fn bring_allocator_back(host: &Host) {
    let name = "wharf-wharfinger-allocator";
    let until = Instant::now() + ENGINE_PATIENCE;
    wait_for(
        "the allocator runs again or is left down by the engine",
        ENGINE_PATIENCE * 2,
        || {
            let state = run(&mut host.docker(&["inspect", "-f", "{{.State.Running}}", name]));
            if String::from_utf8_lossy(&state.stdout).trim() == "true" {
                return Ok(());
            }
            if Instant::now() > until {
                println!("the engine left the allocator down: `wharf up`");
                must(&mut host.wharf(&["up"]));
                return Ok(());
            }
            Err("it is down")
        },
    );
}
