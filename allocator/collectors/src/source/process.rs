//! Processes: every one's `stat`, and the details of the few that use most.
//!
//! Invariants: details are read for chosen processes only; environments are never read.
//! Not here: choosing (`core::metricset::process`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use wharf_collectors_core::kernel::process::{self, ProcessStat};
use wharf_collectors_core::metricset::process::{ProcessDetail, ProcessGroup};

use super::cgroup::{Hierarchy, Version};
use super::{read, read_bytes};

/// The most processes that are looked at.
const MAX_PROCESSES: usize = 32_768;

/// The host's processes.
#[derive(Debug, Clone)]
pub struct ProcessFiles {
    proc_root: PathBuf,
    users: HashMap<u32, String>,
}

impl ProcessFiles {
    /// The processes of the host whose `/proc` and `/` are here.
    pub fn new(proc_root: impl Into<PathBuf>, host_root: &Path) -> Self {
        let passwd = read(host_root.join("etc/passwd")).unwrap_or_default();
        let users = passwd.lines().take(65_536).filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next().filter(|name| !name.is_empty())?;
            Some((fields.nth(1)?.parse().ok()?, name.to_owned()))
        });
        Self {
            proc_root: proc_root.into(),
            users: users.collect(),
        }
    }

    /// `/proc/PID/stat` of every process.
    pub fn all(&self) -> Vec<ProcessStat> {
        let Ok(entries) = std::fs::read_dir(&self.proc_root) else {
            return Vec::new();
        };
        let pids =
            entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        pids.take(MAX_PROCESSES)
            .filter_map(|pid| process::stat(&read(self.proc_root.join(format!("{pid}/stat")))?))
            .collect()
    }

    /// Everything else about one process; `None` when it has ended.
    pub fn detail(
        &self,
        stat: &ProcessStat,
        cpu: Option<f64>,
        hierarchy: &Hierarchy,
    ) -> Option<ProcessDetail> {
        let own = self.proc_root.join(stat.pid.to_string());
        let status = process::status(&read(own.join("status"))?);
        let link = |name: &str| {
            let target = std::fs::read_link(own.join(name)).ok()?;
            Some(target.to_string_lossy().into_owned())
        };
        let group = hierarchy
            .of_process(&self.proc_root, stat.pid)
            .map(|(path, groups)| {
                let reading = groups.read();
                ProcessGroup {
                    version: if hierarchy.version() == Version::V1 {
                        1
                    } else {
                        2
                    },
                    path,
                    cpu: reading.as_ref().map(|reading| reading.cpu.clone()),
                    memory: reading.as_ref().map(|reading| reading.memory.clone()),
                    block_io: reading.and_then(|reading| reading.block_io),
                }
            });
        Some(ProcessDetail {
            stat: stat.clone(),
            user: self.users.get(&status.user_id).cloned(),
            status,
            io: read(own.join("io")).and_then(|text| process::io(&text)),
            arguments: process::arguments(
                &read_bytes(own.join("cmdline"), 8192).unwrap_or_default(),
            ),
            executable: link("exe"),
            working_directory: link("cwd"),
            open_files: std::fs::read_dir(own.join("fd"))
                .ok()
                .map(|files| files.count() as u64),
            open_files_limit: read(own.join("limits"))
                .and_then(|text| process::open_files_limit(&text)),
            group,
            cpu,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found_with_its_details() {
        let files = ProcessFiles::new("/proc", Path::new("/"));
        let own = files
            .all()
            .into_iter()
            .find(|stat| stat.pid == std::process::id())
            .unwrap();
        let detail = files
            .detail(&own, None, &Hierarchy::detect("/sys/fs/cgroup"))
            .unwrap();
        assert!(detail.status.resident > 0);
        assert!(!detail.arguments.is_empty());
        assert!(detail.open_files.unwrap() > 0);
    }
}
