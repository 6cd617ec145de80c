//! The power of a host of the testbed: cut, everything on it ends at once, as when a plug is pulled; on
//! again, the engine starts on what was on the disk and brings back what it is told to keep running.
//!
//! Invariants: nobody is told that the host ends (its cable goes first, so that no connection is closed);
//! what lives in memory is gone (the engine's run-time folder, its mounts, its bridge and cables). Not here: what the disk had
//! not synced, which this leaves whole.

use std::{collections::BTreeSet, fs, path::Path, process::Command, time::Duration};

use super::{Host, network::CABLE, run};
use crate::patience::wait_for;

/// Between SIGKILL and the end of the last process, on a machine that is busy.
const END: Duration = Duration::from_secs(30);

impl Host {
    /// Cuts the power.
    ///
    /// # Panics
    /// When a process does not end.
    pub fn cut_power(&mut self) {
        if self.address().is_some() {
            self.set_plugged(false);
        }
        let engine = self.dir().join("exec");
        wait_for("everything on the host has ended", END, || {
            let left = self.processes();
            for pid in &left {
                run(Command::new("kill").args(["-9", &pid.to_string()]));
            }
            if left.is_empty() { Ok(()) } else { Err(left) }
        });
        self.engine.kill();
        self.forget_links();
        unmount_below(&engine);
        unmount_below(&self.dir().join("data"));
        // What a reboot finds empty.
        let _ = fs::remove_dir_all(&engine);
    }

    /// Plugs it in again and starts the engine.
    pub fn power_on(&mut self) {
        if self.address().is_some() {
            self.set_plugged(true);
        }
        self.start_engine();
    }

    /// Removes the engine's bridge and the cables of its containers. The kernel keeps a container's network
    /// for minutes while connections of it are open, and it would answer for the address that the next
    /// container gets.
    fn forget_links(&self) {
        let listed = run(Command::new("ip").args(["-n", self.namespace(), "-o", "link"]));
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        let names = text.lines().filter_map(|line| line.split(": ").nth(1));
        let names = names.map(|name| name.split('@').next().unwrap_or(name));
        for name in names.filter(|name| !["lo", CABLE].contains(name)) {
            run(Command::new("ip").args(["-n", self.namespace(), "link", "delete", name]));
        }
    }

    /// Processes of the engine, in the host's network and in its containers; none that is dead and waits
    /// for its parent.
    fn processes(&self) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        let listed = run(Command::new("ip").args(["netns", "pids", self.namespace()]));
        found.extend(pids(&String::from_utf8_lossy(&listed.stdout)));
        for controller in fs::read_dir("/sys/fs/cgroup")
            .into_iter()
            .flatten()
            .flatten()
        {
            processes_of(&controller.path().join(self.namespace()), &mut found);
        }
        found.remove(&std::process::id());
        found.retain(|pid| {
            fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| !stat.contains(") Z ") && !stat.contains(") X "))
        });
        found
    }
}

fn pids(text: &str) -> impl Iterator<Item = u32> + '_ {
    text.lines().filter_map(|line| line.trim().parse().ok())
}

/// Processes of a control group and all below it.
fn processes_of(group: &Path, found: &mut BTreeSet<u32>) {
    if let Ok(text) = fs::read_to_string(group.join("cgroup.procs")) {
        found.extend(pids(&text));
    }
    for below in fs::read_dir(group).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            processes_of(&below.path(), found);
        }
    }
}

/// Unmounts a folder and everything below it.
pub(super) fn unmount_below(folder: &Path) {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mut below: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|path| Path::new(path).starts_with(folder))
        .collect();
    // The inner ones first.
    below.sort_unstable_by(|a, b| b.cmp(a));
    for mount in below {
        run(Command::new("umount").arg("-l").arg(mount));
    }
}
