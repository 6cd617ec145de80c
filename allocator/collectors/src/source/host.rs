//! Host-wide readings: `/proc`, file systems, and what kind of host this is.
//!
//! Invariants: the network is that of process 1, which is the host's whatever namespace this
//! process is in.
//! Not here: processes (`process`), control groups (`cgroup`).

use std::path::{Path, PathBuf};

use wharf_collectors_core::HostFacts;
use wharf_collectors_core::kernel::host::{self, Disk, Interface, MemInfo, ProcStat};
use wharf_collectors_core::kernel::mounts::{Mount, mountinfo, watched};
use wharf_collectors_core::kernel::sockets::{SockStat, TcpStates, sockstat, tcp_states};
use wharf_collectors_core::metricset::system::FileSystemSize;

use super::{read, read_bytes};

/// The most bytes of a socket table that are read; about 100,000 sockets.
const MAX_SOCKET_TABLE: usize = 16 * 1024 * 1024;

/// The host's files.
#[derive(Debug, Clone)]
pub struct HostFiles {
    proc_root: PathBuf,
    host_root: PathBuf,
}

impl HostFiles {
    /// The host whose `/proc` and `/` are here.
    pub fn new(proc_root: impl Into<PathBuf>, host_root: impl Into<PathBuf>) -> Self {
        Self {
            proc_root: proc_root.into(),
            host_root: host_root.into(),
        }
    }

    /// `/proc/stat`.
    pub fn stat(&self) -> Option<ProcStat> {
        host::proc_stat(&read(self.proc_root.join("stat"))?)
    }

    /// `/proc/meminfo`.
    pub fn memory(&self) -> Option<MemInfo> {
        host::meminfo(&read(self.proc_root.join("meminfo"))?)
    }

    /// `/proc/loadavg`.
    pub fn load(&self) -> Option<[f64; 3]> {
        host::loadavg(&read(self.proc_root.join("loadavg"))?)
    }

    /// `/proc/uptime`.
    pub fn uptime_ms(&self) -> Option<u64> {
        host::uptime_ms(&read(self.proc_root.join("uptime"))?)
    }

    /// `/proc/diskstats`.
    pub fn disks(&self) -> Vec<Disk> {
        read(self.proc_root.join("diskstats")).map_or_else(Vec::new, |text| host::diskstats(&text))
    }

    /// The host's interfaces.
    pub fn interfaces(&self) -> Vec<Interface> {
        self.interfaces_of(1)
            .or_else(|| {
                // Process 1 may be hidden (`hidepid`): this process' own network then.
                Some(host::net_dev(&read(self.proc_root.join("net/dev"))?))
            })
            .unwrap_or_default()
    }

    /// The interfaces that a process sees.
    pub fn interfaces_of(&self, pid: u32) -> Option<Vec<Interface>> {
        Some(host::net_dev(&read(
            self.proc_root.join(format!("{pid}/net/dev")),
        )?))
    }

    /// The host's sockets.
    pub fn sockets(&self) -> (TcpStates, SockStat) {
        let net = self.proc_root.join("1/net");
        let net = if net.join("sockstat").exists() {
            net
        } else {
            self.proc_root.join("net")
        };
        let mut states = TcpStates::default();
        for table in ["tcp", "tcp6"] {
            if let Some(bytes) = read_bytes(net.join(table), MAX_SOCKET_TABLE) {
                states.add(&tcp_states(&String::from_utf8_lossy(&bytes)));
            }
        }
        let mut stat = sockstat(&read(net.join("sockstat")).unwrap_or_default());
        stat.udp_in_use += sockstat(&read(net.join("sockstat6")).unwrap_or_default()).udp_in_use;
        (states, stat)
    }

    /// The file systems worth watching, with their sizes. Blocks as long as they take to answer;
    /// those on other hosts are not asked.
    pub fn file_systems(&self) -> Vec<(Mount, FileSystemSize)> {
        let text = read(self.proc_root.join("1/mountinfo"))
            .or_else(|| read(self.proc_root.join("self/mountinfo")));
        let mounts = mountinfo(&text.unwrap_or_default());
        let sized = watched(&mounts).into_iter().filter_map(|mount| {
            let path = self
                .host_root
                .join(mount.mount_point.trim_start_matches('/'));
            let space = wharf_runtime::disk::space(path)
                .ok()
                .filter(|space| space.total_bytes > 0)?;
            let size = FileSystemSize {
                total: space.total_bytes,
                free: space.free_bytes,
                available: space.available_bytes,
                files: space.total_inodes,
                free_files: space.free_inodes,
            };
            Some((mount.clone(), size))
        });
        sized.collect()
    }
}

/// What kind of host this is. `id` and `name` are the platform's.
pub fn facts(
    id: &str,
    name: &str,
    ips: Vec<String>,
    proc_root: &Path,
    host_root: &Path,
) -> HostFacts {
    let release = read(host_root.join("etc/os-release"))
        .or_else(|| read(host_root.join("usr/lib/os-release")))
        .unwrap_or_default();
    let value = |key: &str| {
        let line = release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or("").trim_matches(['"', '\'']).to_owned()
    };
    let kernel = |file: &str| {
        let text = read(proc_root.join("sys/kernel").join(file)).unwrap_or_default();
        text.trim().to_owned()
    };
    HostFacts {
        id: id.to_owned(),
        name: if name.is_empty() {
            kernel("hostname")
        } else {
            name.to_owned()
        },
        architecture: std::env::consts::ARCH.to_owned(),
        ips,
        os_platform: value("ID"),
        os_name: value("NAME"),
        os_version: value("VERSION"),
        os_kernel: kernel("osrelease"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_can_be_read() {
        let files = HostFiles::new("/proc", "/");
        assert!(files.stat().unwrap().cores > 0);
        assert!(files.memory().unwrap().total > 0);
        assert!(files.uptime_ms().unwrap() > 0);
        assert!(
            files
                .interfaces()
                .iter()
                .any(|interface| interface.name == "lo")
        );
        let facts = facts("id", "", Vec::new(), Path::new("/proc"), Path::new("/"));
        assert!(!facts.name.is_empty() && !facts.os_kernel.is_empty());
    }
}
