//! Host-wide `/proc` files: `stat`, `meminfo`, `loadavg`, `uptime`, `diskstats`, `net/dev`.
//!
//! Invariants: bytes and milliseconds out, whatever unit the kernel prints.
//! Not here: per-process files (`process`), sockets (`sockets`), mounts (`mounts`).

use super::{kilobytes, number};

/// Processor time of the host in clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTimes {
    /// Normal user mode.
    pub user: u64,
    /// Niced user mode.
    pub nice: u64,
    /// Kernel mode.
    pub system: u64,
    /// Nothing to do.
    pub idle: u64,
    /// Nothing to do but waiting for a disk.
    pub iowait: u64,
    /// Hardware interrupts.
    pub irq: u64,
    /// Software interrupts.
    pub softirq: u64,
    /// Taken by the hypervisor.
    pub steal: u64,
}

impl CpuTimes {
    /// All ticks that passed.
    pub fn total(&self) -> u64 {
        self.docker_total().saturating_add(self.steal)
    }

    /// What dockerd calls system usage: everything but steal.
    pub fn docker_total(&self) -> u64 {
        [
            self.user,
            self.nice,
            self.system,
            self.idle,
            self.iowait,
            self.irq,
            self.softirq,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }
}

/// `/proc/stat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcStat {
    /// The sum over all processors.
    pub cpu: CpuTimes,
    /// Processors online.
    pub cores: u64,
    /// Tasks that can run.
    pub running: u64,
    /// Tasks waiting for I/O.
    pub blocked: u64,
    /// When the host started, in seconds since the epoch.
    pub boot_time_s: u64,
}

/// Reads `/proc/stat`.
pub fn proc_stat(text: &str) -> Option<ProcStat> {
    let mut stat = ProcStat::default();
    let mut seen = false;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some(key) = words.next() else { continue };
        match key {
            "cpu" => {
                let mut next = || words.next().and_then(number).unwrap_or(0);
                stat.cpu = CpuTimes {
                    user: next(),
                    nice: next(),
                    system: next(),
                    idle: next(),
                    iowait: next(),
                    irq: next(),
                    softirq: next(),
                    steal: next(),
                };
                seen = true;
            }
            "procs_running" => stat.running = words.next().and_then(number).unwrap_or(0),
            "procs_blocked" => stat.blocked = words.next().and_then(number).unwrap_or(0),
            "btime" => stat.boot_time_s = words.next().and_then(number).unwrap_or(0),
            _ if key.starts_with("cpu") => stat.cores += 1,
            _ => {}
        }
    }
    seen.then_some(stat)
}

/// `/proc/meminfo`, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemInfo {
    /// All memory.
    pub total: u64,
    /// Memory that nothing uses.
    pub free: u64,
    /// Memory that could be had without swapping.
    pub available: u64,
    /// Page cache.
    pub cached: u64,
    /// Buffers of block devices.
    pub buffers: u64,
    /// Swap space.
    pub swap_total: u64,
    /// Unused swap space.
    pub swap_free: u64,
    /// Compressed swap in memory, where the kernel has it.
    pub zswap: Option<Zswap>,
}

/// Compressed swap in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Zswap {
    /// What it takes.
    pub compressed: u64,
    /// What it holds.
    pub uncompressed: u64,
}

/// Reads `/proc/meminfo`.
pub fn meminfo(text: &str) -> Option<MemInfo> {
    let mut info = MemInfo::default();
    let mut available = None;
    let (mut compressed, mut uncompressed) = (None, None);
    for (key, bytes) in text.lines().filter_map(kilobytes) {
        match key {
            "MemTotal" => info.total = bytes,
            "MemFree" => info.free = bytes,
            "MemAvailable" => available = Some(bytes),
            "Cached" => info.cached = bytes,
            "Buffers" => info.buffers = bytes,
            "SwapTotal" => info.swap_total = bytes,
            "SwapFree" => info.swap_free = bytes,
            "Zswap" => compressed = Some(bytes),
            "Zswapped" => uncompressed = Some(bytes),
            _ => {}
        }
    }
    // Kernels before 3.14 do not say: free plus what can be dropped.
    info.available = available
        .unwrap_or_else(|| {
            info.free
                .saturating_add(info.cached)
                .saturating_add(info.buffers)
        })
        .min(info.total);
    if let (Some(compressed), Some(uncompressed)) = (compressed, uncompressed) {
        info.zswap = Some(Zswap {
            compressed,
            uncompressed,
        });
    }
    (info.total > 0).then_some(info)
}

/// Reads `/proc/loadavg`: load over 1, 5 and 15 minutes.
pub fn loadavg(text: &str) -> Option<[f64; 3]> {
    let mut words = text.split_ascii_whitespace();
    let mut next = || {
        words
            .next()?
            .parse::<f64>()
            .ok()
            .filter(|load| load.is_finite())
    };
    Some([next()?, next()?, next()?])
}

/// Reads `/proc/uptime`, in milliseconds cut to whole seconds as Metricbeat does.
pub fn uptime_ms(text: &str) -> Option<u64> {
    let seconds: f64 = text.split_ascii_whitespace().next()?.parse().ok()?;
    (seconds.is_finite() && (0.0..1e12).contains(&seconds)).then(|| seconds as u64 * 1000)
}

/// One block device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disk {
    /// Its name.
    pub name: String,
    /// Reads completed.
    pub reads: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Milliseconds spent reading.
    pub read_ms: u64,
    /// Writes completed.
    pub writes: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Milliseconds spent writing.
    pub write_ms: u64,
    /// Requests in flight.
    pub in_flight: u64,
    /// Milliseconds with a request in flight.
    pub io_ms: u64,
}

/// Reads `/proc/diskstats`. Devices that never did anything (empty loop and RAM devices) are left
/// out.
pub fn diskstats(text: &str) -> Vec<Disk> {
    const SECTOR: u64 = 512;
    let disks = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(2);
        let name = words.next()?.to_owned();
        let values: Vec<u64> = words
            .take(11)
            .map(|word| number(word).unwrap_or(0))
            .collect();
        let value = |index: usize| values.get(index).copied().unwrap_or(0);
        (values.len() >= 11).then(|| Disk {
            name,
            reads: value(0),
            read_bytes: value(2).saturating_mul(SECTOR),
            read_ms: value(3),
            writes: value(4),
            write_bytes: value(6).saturating_mul(SECTOR),
            write_ms: value(7),
            in_flight: value(8),
            io_ms: value(9),
        })
    });
    disks
        .filter(|disk| disk.reads > 0 || disk.writes > 0)
        .take(256)
        .collect()
}

/// Traffic in one direction of an interface.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets with errors.
    pub errors: u64,
    /// Packets dropped.
    pub dropped: u64,
}

/// One network interface.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Received.
    pub received: Traffic,
    /// Sent.
    pub sent: Traffic,
}

/// Reads `/proc/net/dev`.
pub fn net_dev(text: &str) -> Vec<Interface> {
    let interfaces = text.lines().filter_map(|line| {
        let (name, rest) = line.split_once(':')?;
        let values: Vec<u64> = rest.split_ascii_whitespace().filter_map(number).collect();
        let name = name.trim();
        if values.len() < 12 || name.is_empty() || name.len() > 64 {
            return None;
        }
        let traffic = |at: usize| Traffic {
            bytes: values[at],
            packets: values[at + 1],
            errors: values[at + 2],
            dropped: values[at + 3],
        };
        Some(Interface {
            name: name.to_owned(),
            received: traffic(0),
            sent: traffic(8),
        })
    });
    interfaces.take(1024).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_counts_all_processor_time_but_steal() {
        let text = "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1\ncpu1 1\nbtime 7\nprocs_running 2\n";
        let stat = proc_stat(text).unwrap();
        assert_eq!(
            (stat.cpu.docker_total(), stat.cpu.total(), stat.cores),
            (28, 36, 2)
        );
        assert_eq!((stat.boot_time_s, stat.running), (7, 2));
    }

    #[test]
    fn an_interface_glued_to_its_counter_is_read() {
        let text = "Inter-| x\n face |bytes\n  eth0:206 2 3 4 0 0 0 0 440 5 6 7 0 0 0 0\n";
        let read = net_dev(text);
        assert_eq!(read[0].name, "eth0");
        assert_eq!((read[0].received.bytes, read[0].sent.dropped), (206, 7));
    }

    #[test]
    fn idle_loop_devices_are_left_out() {
        let text = "7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n254 0 vda 10 1 8 4 5 6 16 3 1 9 7 0 0 0 0\n";
        let disks = diskstats(text);
        assert_eq!(disks.len(), 1);
        assert_eq!(
            (disks[0].read_bytes, disks[0].write_bytes, disks[0].io_ms),
            (4096, 8192, 9)
        );
    }

    #[test]
    fn uptime_is_cut_to_seconds() {
        assert_eq!(uptime_ms("824.94 940.93\n"), Some(824_000));
    }
}
