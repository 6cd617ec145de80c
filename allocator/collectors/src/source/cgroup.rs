//! A container's control groups: where they are on this host, and reading them.
//!
//! Invariants: a directory is taken for a container's only when its path names the container's id;
//! a process id that the kernel gave to somebody else leads nowhere.
//! Not here: parsing (`core::kernel::cgroup`).

use std::path::{Path, PathBuf};

use wharf_collectors_core::ContainerMeta;
use wharf_collectors_core::kernel::cgroup::{
    self, BlockIo, CpuUsage, Membership, MemoryUsage, Pids,
};
use wharf_collectors_core::kernel::number;

use super::read;

/// Which version a host's hierarchy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// One hierarchy per controller; also where a unified one without controllers is beside them.
    V1,
    /// The unified hierarchy.
    V2,
}

/// The host's hierarchy.
#[derive(Debug, Clone)]
pub struct Hierarchy {
    root: PathBuf,
    version: Version,
}

/// The directories of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Groups {
    version: Version,
    cpu: Option<PathBuf>,
    cpuacct: PathBuf,
    memory: PathBuf,
    block_io: Option<PathBuf>,
    pids: Option<PathBuf>,
}

/// What a group used when it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupReading {
    /// Processor time.
    pub cpu: CpuUsage,
    /// Memory.
    pub memory: MemoryUsage,
    /// Block I/O, where the controller is there.
    pub block_io: Option<BlockIo>,
    /// Tasks, where the controller is there.
    pub pids: Option<Pids>,
}

impl Hierarchy {
    /// Looks at `/sys/fs/cgroup`.
    pub fn detect(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let is_v2 = root.join("cgroup.controllers").exists();
        Self {
            version: if is_v2 { Version::V2 } else { Version::V1 },
            root,
        }
    }

    /// Which version it is.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Finds the groups of a container that runs, by its first process, else where engines put
    /// them (a process id means nothing when this process has a namespace of its own).
    pub fn locate(&self, proc_root: &Path, meta: &ContainerMeta) -> Option<Groups> {
        if meta.id.len() < 12 {
            return None;
        }
        let by_process = meta.pid.filter(|pid| *pid > 0).and_then(|pid| {
            let membership = Membership::parse(&read(proc_root.join(format!("{pid}/cgroup")))?);
            self.groups(|controller| {
                let path = match self.version {
                    Version::V1 => membership.path(controller),
                    Version::V2 => membership.unified(),
                };
                path.filter(|path| path.contains(&meta.id[..12]) && !path.contains(".."))
                    .map(str::to_owned)
            })
        });
        by_process.or_else(|| {
            let parent = meta
                .cgroup_parent
                .as_deref()
                .unwrap_or("")
                .trim_matches('/');
            let id = &meta.id;
            let candidates = [
                format!("docker/{id}"),
                format!("system.slice/docker-{id}.scope"),
                format!("{parent}/{id}"),
                format!("{parent}/docker-{id}.scope"),
            ];
            let mut candidates = candidates.iter().filter(|path| !path.contains(".."));
            candidates.find_map(|path| self.groups(|_| Some(path.clone())))
        })
    }

    /// The groups of any process, unless it is in the root group.
    pub fn of_process(&self, proc_root: &Path, pid: u32) -> Option<(String, Groups)> {
        let membership = Membership::parse(&read(proc_root.join(format!("{pid}/cgroup")))?);
        let path = |controller: &str| match self.version {
            Version::V1 => membership.path(controller),
            Version::V2 => membership.unified(),
        };
        let own = path("memory")
            .filter(|path| *path != "/" && !path.contains(".."))?
            .to_owned();
        let groups = self.groups(|controller| {
            path(controller)
                .filter(|path| !path.contains(".."))
                .map(str::to_owned)
        })?;
        Some((own, groups))
    }

    fn groups(&self, path: impl Fn(&str) -> Option<String>) -> Option<Groups> {
        let find = |controller: &str| {
            let path = path(controller)?;
            let path = path.trim_start_matches('/');
            let directory = match self.version {
                Version::V2 => self.root.join(path),
                Version::V1 => self.controller(controller)?.join(path),
            };
            directory.is_dir().then_some(directory)
        };
        Some(Groups {
            version: self.version,
            cpu: find("cpu"),
            cpuacct: find("cpuacct")?,
            memory: find("memory")?,
            block_io: find("blkio"),
            pids: find("pids"),
        })
    }

    /// Version 1: a controller's mount; some hosts mount two together under a joint name.
    fn controller(&self, name: &str) -> Option<PathBuf> {
        let joint = match name {
            "cpu" | "cpuacct" => ["cpu,cpuacct", "cpuacct,cpu"],
            _ => [name, name],
        };
        [name, joint[0], joint[1]]
            .iter()
            .map(|name| self.root.join(name))
            .find(|path| path.is_dir())
    }
}

impl Groups {
    /// Reads everything; `None` when the group is gone.
    pub fn read(&self) -> Option<GroupReading> {
        match self.version {
            Version::V1 => self.read_v1(),
            Version::V2 => self.read_v2(),
        }
    }

    fn read_v1(&self) -> Option<GroupReading> {
        let (acct, memory) = (&self.cpuacct, &self.memory);
        let throttling = self.cpu.as_ref().and_then(|cpu| read(cpu.join("cpu.stat")));
        let cpu = cgroup::cpu_v1(
            &read(acct.join("cpuacct.usage"))?,
            &read(acct.join("cpuacct.stat"))?,
            read(acct.join("cpuacct.usage_percpu")).as_deref(),
            throttling.as_deref(),
        )?;
        let text = |name: &str| read(memory.join(name)).unwrap_or_default();
        let memory = cgroup::memory_v1(
            &read(memory.join("memory.usage_in_bytes"))?,
            &text("memory.max_usage_in_bytes"),
            &text("memory.limit_in_bytes"),
            &text("memory.failcnt"),
            &text("memory.stat"),
        )?;
        let block_io = self.block_io.as_ref().map(|group| read_blkio_v1(group));
        Some(GroupReading {
            cpu,
            memory,
            block_io,
            pids: self.read_pids(),
        })
    }

    fn read_v2(&self) -> Option<GroupReading> {
        let text = |name: &str| read(self.memory.join(name));
        Some(GroupReading {
            cpu: cgroup::cpu_v2(&text("cpu.stat")?)?,
            memory: cgroup::memory_v2(
                &text("memory.current")?,
                &text("memory.max").unwrap_or_default(),
                &text("memory.stat").unwrap_or_default(),
                &text("memory.peak").unwrap_or_default(),
                &text("memory.events").unwrap_or_default(),
            )?,
            block_io: text("io.stat").map(|stat| cgroup::io_v2(&stat)),
            pids: self.read_pids(),
        })
    }

    fn read_pids(&self) -> Option<Pids> {
        let group = self.pids.as_ref()?;
        let current = read(group.join("pids.current"))?;
        number(&current)?;
        cgroup::pids(&current, &read(group.join("pids.max")).unwrap_or_default())
    }
}

/// The scheduler's own counters where it has any (bfq, cfq), else the throttling layer's, as the
/// engine chooses.
fn read_blkio_v1(group: &Path) -> BlockIo {
    let text = |name: &str| read(group.join(name)).unwrap_or_default();
    for scheduler in ["blkio.bfq.", "blkio."] {
        let serviced = text(&format!("{scheduler}io_serviced_recursive"));
        if serviced.contains(':') {
            return cgroup::blkio_v1(
                &text(&format!("{scheduler}io_service_bytes_recursive")),
                &serviced,
                &text(&format!("{scheduler}io_service_time_recursive")),
                &text(&format!("{scheduler}io_wait_time_recursive")),
                &text(&format!("{scheduler}io_queued_recursive")),
            );
        }
    }
    let with_fallback = |name: &str| {
        let recursive = text(&format!("blkio.throttle.{name}_recursive"));
        if recursive.contains(':') {
            recursive
        } else {
            text(&format!("blkio.throttle.{name}"))
        }
    };
    cgroup::blkio_v1(
        &with_fallback("io_service_bytes"),
        &with_fallback("io_serviced"),
        "",
        "",
        "",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3deb4934b84890a7ae2f3d163ac8a77a43cfa37df099ac8dd4759d43547e1880";

    fn write(path: PathBuf, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn container(pid: Option<u32>) -> ContainerMeta {
        ContainerMeta {
            id: ID.into(),
            pid,
            ..ContainerMeta::default()
        }
    }

    #[test]
    fn a_unified_group_is_found_by_its_process() {
        let dir = tempfile::tempdir().unwrap();
        let (proc_root, root) = (dir.path().join("proc"), dir.path().join("cgroup"));
        let scope = format!("system.slice/docker-{ID}.scope");
        write(proc_root.join("7/cgroup"), &format!("0::/{scope}\n"));
        write(root.join("cgroup.controllers"), "cpu io memory pids\n");
        write(
            root.join(&scope).join("cpu.stat"),
            "usage_usec 5\nuser_usec 3\nsystem_usec 2\n",
        );
        write(root.join(&scope).join("memory.current"), "4096\n");
        write(root.join(&scope).join("memory.max"), "max\n");
        write(root.join(&scope).join("pids.current"), "3\n");
        let hierarchy = Hierarchy::detect(&root);
        let groups = hierarchy.locate(&proc_root, &container(Some(7))).unwrap();
        let reading = groups.read().unwrap();
        assert_eq!((reading.cpu.total_ns, reading.memory.usage), (5000, 4096));
        assert_eq!(reading.pids.unwrap().current, 3);
        std::fs::remove_dir_all(root.join(&scope)).unwrap();
        assert_eq!(groups.read(), None);
    }

    #[test]
    fn a_process_number_of_somebody_else_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (proc_root, root) = (dir.path().join("proc"), dir.path().join("cgroup"));
        write(
            proc_root.join("7/cgroup"),
            "4:memory:/docker/other\n2:cpuacct:/docker/other\n",
        );
        write(root.join("memory/docker/other/x"), "");
        write(root.join("cpuacct/docker/other/x"), "");
        let hierarchy = Hierarchy::detect(&root);
        assert_eq!(hierarchy.version(), Version::V1);
        assert_eq!(hierarchy.locate(&proc_root, &container(Some(7))), None);
        // It is found where engines put it all the same.
        write(root.join(format!("memory/docker/{ID}/x")), "");
        write(root.join(format!("cpuacct/docker/{ID}/x")), "");
        assert!(hierarchy.locate(&proc_root, &container(Some(7))).is_some());
    }
}
