//! Control groups, version 1 and 2: processor, memory, block I/O, tasks, and who is in which.
//!
//! Invariants: both versions end in the same structs, in nanoseconds and bytes, with the meaning
//! that Docker's API gives them; block I/O is summed over devices.
//! Not here: which file holds what on this host (`wharf-collectors`, `source/cgroup.rs`).

use super::{TICK_NS, number, pairs};

/// Processor time of a group since it was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuUsage {
    /// All time, in nanoseconds.
    pub total_ns: u64,
    /// Time in user mode.
    pub user_ns: u64,
    /// Time in kernel mode.
    pub system_ns: u64,
    /// Time on each processor; empty under version 2, which does not tell.
    pub per_cpu_ns: Vec<u64>,
    /// How often the quota held it back.
    pub throttling: Throttling,
}

/// What the bandwidth controller did to a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Throttling {
    /// Enforcement periods that have passed.
    pub periods: u64,
    /// Periods in which the group ran into its quota.
    pub throttled_periods: u64,
    /// Time for which its tasks were held back, in nanoseconds.
    pub throttled_ns: u64,
}

/// Memory of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Charged bytes, page cache included.
    pub usage: u64,
    /// Highest charge seen; 0 under version 2, as in Docker's API.
    pub max_usage: u64,
    /// The limit; `None` when there is none.
    pub limit: Option<u64>,
    /// How often the limit was hit; 0 under version 2, as in Docker's API.
    pub fail_count: u64,
    /// Page cache that would be dropped first: not counted as used.
    pub inactive_file: u64,
    /// Anonymous memory, where the kernel reports `total_rss` (version 1).
    pub rss: Option<u64>,
    /// `memory.stat` as it is.
    pub stats: Vec<(String, u64)>,
}

impl MemoryUsage {
    /// Used bytes as `docker stats` and Metricbeat show them.
    pub fn used(&self) -> u64 {
        self.usage.saturating_sub(self.inactive_file)
    }
}

/// Block I/O in one direction, summed over devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoDirection {
    /// Bytes transferred.
    pub bytes: u64,
    /// Requests served.
    pub ops: u64,
    /// Nanoseconds between dispatch and completion, where the scheduler tells.
    pub service_time: u64,
    /// Nanoseconds in the scheduler's queues, where it tells.
    pub wait_time: u64,
    /// Requests queued now, where the scheduler tells.
    pub queued: u64,
}

/// Block I/O of a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockIo {
    /// Reads.
    pub read: IoDirection,
    /// Writes.
    pub write: IoDirection,
}

/// Tasks of a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pids {
    /// Tasks now.
    pub current: u64,
    /// The limit; `None` when there is none.
    pub limit: Option<u64>,
}

/// A version 1 "unlimited" is the largest multiple of the page size below 2^63.
const V1_UNLIMITED: u64 = 0x7fff_ffff_ffff_0000;

/// Version 1: `cpuacct.usage`, `cpuacct.stat`, `cpuacct.usage_percpu`, `cpu.stat`.
pub fn cpu_v1(
    usage: &str,
    stat: &str,
    per_cpu: Option<&str>,
    throttling: Option<&str>,
) -> Option<CpuUsage> {
    let mut cpu = CpuUsage {
        total_ns: number(usage)?,
        ..CpuUsage::default()
    };
    for (key, ticks) in pairs(stat) {
        match key {
            "user" => cpu.user_ns = ticks.saturating_mul(TICK_NS),
            "system" => cpu.system_ns = ticks.saturating_mul(TICK_NS),
            _ => {}
        }
    }
    if let Some(text) = per_cpu {
        cpu.per_cpu_ns = text
            .split_ascii_whitespace()
            .filter_map(number)
            .take(4096)
            .collect();
    }
    for (key, value) in throttling.into_iter().flat_map(pairs) {
        match key {
            "nr_periods" => cpu.throttling.periods = value,
            "nr_throttled" => cpu.throttling.throttled_periods = value,
            "throttled_time" => cpu.throttling.throttled_ns = value,
            _ => {}
        }
    }
    Some(cpu)
}

/// Version 2: `cpu.stat`, whose times are microseconds.
pub fn cpu_v2(stat: &str) -> Option<CpuUsage> {
    let mut cpu = CpuUsage::default();
    let mut seen = false;
    for (key, value) in pairs(stat) {
        match key {
            "usage_usec" => {
                cpu.total_ns = value.saturating_mul(1000);
                seen = true;
            }
            "user_usec" => cpu.user_ns = value.saturating_mul(1000),
            "system_usec" => cpu.system_ns = value.saturating_mul(1000),
            "nr_periods" => cpu.throttling.periods = value,
            "nr_throttled" => cpu.throttling.throttled_periods = value,
            "throttled_usec" => cpu.throttling.throttled_ns = value.saturating_mul(1000),
            _ => {}
        }
    }
    seen.then_some(cpu)
}

/// Version 1: `memory.usage_in_bytes`, `memory.max_usage_in_bytes`, `memory.limit_in_bytes`,
/// `memory.failcnt`, `memory.stat`.
pub fn memory_v1(
    usage: &str,
    max_usage: &str,
    limit: &str,
    failures: &str,
    stat: &str,
) -> Option<MemoryUsage> {
    let mut memory = MemoryUsage {
        usage: number(usage)?,
        max_usage: number(max_usage).unwrap_or(0),
        limit: number(limit).filter(|bytes| *bytes < V1_UNLIMITED),
        fail_count: number(failures).unwrap_or(0),
        ..MemoryUsage::default()
    };
    memory.read_stat(stat);
    Some(memory)
}

/// Version 2: `memory.current`, `memory.max`, `memory.stat`, and what version 1 counted by other
/// names, which Docker's API leaves at 0: `memory.peak` (kernels before 5.19 have none) as the
/// highest usage, and `max` of `memory.events`, how often the limit was met, as the fail count.
pub fn memory_v2(
    current: &str,
    max: &str,
    stat: &str,
    peak: &str,
    events: &str,
) -> Option<MemoryUsage> {
    let mut memory = MemoryUsage {
        usage: number(current)?,
        max_usage: number(peak).unwrap_or(0),
        limit: number(max),
        fail_count: pairs(events)
            .find(|(key, _)| *key == "max")
            .map_or(0, |(_, count)| count),
        ..MemoryUsage::default()
    };
    memory.read_stat(stat);
    Some(memory)
}

impl MemoryUsage {
    fn read_stat(&mut self, stat: &str) {
        let mut total_inactive = None;
        for (key, value) in pairs(stat).take(256) {
            match key {
                "total_inactive_file" => total_inactive = Some(value),
                "inactive_file" => self.inactive_file = value,
                "total_rss" => self.rss = Some(value),
                _ => {}
            }
            self.stats.push((key.to_owned(), value));
        }
        if let Some(value) = total_inactive {
            self.inactive_file = value;
        }
    }
}

/// Version 1: `io_service_bytes`, `io_serviced`, `io_service_time`, `io_wait_time`, `io_queued`
/// (the `_recursive` ones), lines of `major:minor Operation value`.
pub fn blkio_v1(
    service_bytes: &str,
    serviced: &str,
    service_time: &str,
    wait_time: &str,
    queued: &str,
) -> BlockIo {
    let mut io = BlockIo::default();
    sum_v1(service_bytes, &mut io, |direction| &mut direction.bytes);
    sum_v1(serviced, &mut io, |direction| &mut direction.ops);
    sum_v1(service_time, &mut io, |direction| {
        &mut direction.service_time
    });
    sum_v1(wait_time, &mut io, |direction| &mut direction.wait_time);
    sum_v1(queued, &mut io, |direction| &mut direction.queued);
    io
}

fn sum_v1(text: &str, io: &mut BlockIo, slot: fn(&mut IoDirection) -> &mut u64) {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(device), Some(operation), Some(value)) =
            (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let Some(value) = number(value).filter(|_| device.contains(':')) else {
            continue;
        };
        let direction = match operation {
            "Read" => &mut io.read,
            "Write" => &mut io.write,
            _ => continue,
        };
        let sum = slot(direction);
        *sum = sum.saturating_add(value);
    }
}

/// Version 2: `io.stat`, lines of `major:minor rbytes=… wbytes=… rios=… wios=…`.
pub fn io_v2(stat: &str) -> BlockIo {
    let mut io = BlockIo::default();
    for word in stat
        .lines()
        .flat_map(|line| line.split_ascii_whitespace().skip(1))
    {
        let Some((key, value)) = word.split_once('=') else {
            continue;
        };
        let Some(value) = number(value) else { continue };
        let slot = match key {
            "rbytes" => &mut io.read.bytes,
            "wbytes" => &mut io.write.bytes,
            "rios" => &mut io.read.ops,
            "wios" => &mut io.write.ops,
            _ => continue,
        };
        *slot = slot.saturating_add(value);
    }
    io
}

/// Both versions: `pids.current`, `pids.max`.
pub fn pids(current: &str, max: &str) -> Option<Pids> {
    Some(Pids {
        current: number(current)?,
        limit: number(max),
    })
}

/// Which group a process is in, from `/proc/PID/cgroup`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Membership {
    lines: Vec<(String, String)>,
}

impl Membership {
    /// Reads `/proc/PID/cgroup`.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().take(64).filter_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            Some((controllers.to_owned(), path.to_owned()))
        });
        Self {
            lines: lines.collect(),
        }
    }

    /// The version 1 path of a controller; `None` when the unified hierarchy has it.
    pub fn path(&self, controller: &str) -> Option<&str> {
        self.lines
            .iter()
            .find(|(names, _)| names.split(',').any(|name| name == controller))
            .map(|(_, path)| path.as_str())
    }

    /// The path in the unified hierarchy.
    pub fn unified(&self) -> Option<&str> {
        self.lines
            .iter()
            .find(|(names, _)| names.is_empty())
            .map(|(_, path)| path.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_and_2_give_the_same_processor_time() {
        let v1 = cpu_v1(
            "3000000000\n",
            "user 200\nsystem 100\n",
            Some("1000 2000 \n"),
            None,
        );
        let v2 = cpu_v2("usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\n");
        let (v1, v2) = (v1.unwrap(), v2.unwrap());
        assert_eq!(
            (v1.total_ns, v1.user_ns, v1.system_ns),
            (v2.total_ns, v2.user_ns, v2.system_ns)
        );
        assert_eq!(v1.per_cpu_ns, [1000, 2000]);
    }

    #[test]
    fn memory_without_a_limit_has_none() {
        let v1 = memory_v1(
            "10",
            "20",
            "9223372036854771712",
            "0",
            "total_inactive_file 4\n",
        );
        assert_eq!(v1.as_ref().unwrap().limit, None);
        assert_eq!(v1.unwrap().used(), 6);
        assert_eq!(
            memory_v2("10", "max\n", "inactive_file 3\n", "", "")
                .unwrap()
                .limit,
            None
        );
        assert_eq!(
            memory_v2("10", "4096\n", "inactive_file 3\n", "", "")
                .unwrap()
                .limit,
            Some(4096)
        );
    }

    #[test]
    fn the_hierarchical_inactive_file_wins_over_the_own_one() {
        let stat = "total_inactive_file 7\ninactive_file 3\n";
        assert_eq!(memory_v1("10", "", "", "", stat).unwrap().used(), 3);
    }

    #[test]
    fn block_io_is_summed_over_devices_without_totals() {
        let bytes = "8:0 Read 10\n8:0 Write 20\n8:0 Sync 30\n8:0 Total 30\n8:16 Read 1\nTotal 31\n";
        let io = blkio_v1(bytes, "8:0 Read 2\n", "", "", "");
        assert_eq!((io.read.bytes, io.write.bytes, io.read.ops), (11, 20, 2));
        let io = io_v2("8:0 rbytes=10 wbytes=20 rios=2 wios=3 dbytes=0\n8:16 rbytes=1\n");
        assert_eq!((io.read.bytes, io.write.bytes, io.write.ops), (11, 20, 3));
    }

    #[test]
    fn a_hybrid_host_has_version_1_paths_and_a_unified_one() {
        let text = "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/system.slice/x\n";
        let membership = Membership::parse(text);
        assert_eq!(membership.path("cpuacct"), Some("/docker/abc"));
        assert_eq!(membership.path("pids"), None);
        assert_eq!(membership.unified(), Some("/system.slice/x"));
    }
}
