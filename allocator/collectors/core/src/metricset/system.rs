//! Metricsets of the host: cpu, load, memory, network, diskio, filesystem, fsstat, uptime,
//! process_summary, socket_summary.
//!
//! Invariants: processor shares are summed over cores and rounded to four decimals, the first
//! reading says nothing; interfaces that are the host's end of a container's are left out.
//! Not here: single processes (`process`), reading `/proc`.

use serde_json::{Map, Value, json};

use crate::counter::{increase, round4, share};
use crate::envelope::Metric;
use crate::kernel::host::{Disk, Interface, MemInfo, ProcStat};
use crate::kernel::mounts::Mount;
use crate::kernel::process::state_name;
use crate::kernel::sockets::{SockStat, TcpStates};

fn system(metricset: &'static str, fields: Value) -> Metric {
    Metric {
        module: "system",
        metricset,
        fields,
        ..Metric::default()
    }
}

/// system/cpu.
pub fn cpu(old: &ProcStat, new: &ProcStat) -> Option<Metric> {
    let all = increase(old.cpu.total(), new.cpu.total()).filter(|all| *all > 0)?;
    let cores = new.cores.max(1);
    let mut fields = Map::new();
    let mut busy = 0.0;
    let parts = [
        ("user", old.cpu.user, new.cpu.user),
        ("nice", old.cpu.nice, new.cpu.nice),
        ("system", old.cpu.system, new.cpu.system),
        ("idle", old.cpu.idle, new.cpu.idle),
        // Not monotonic: the kernel takes it back when a task wakes on another processor.
        ("iowait", old.cpu.iowait.min(new.cpu.iowait), new.cpu.iowait),
        ("irq", old.cpu.irq, new.cpu.irq),
        ("softirq", old.cpu.softirq, new.cpu.softirq),
        ("steal", old.cpu.steal.min(new.cpu.steal), new.cpu.steal),
    ];
    for (name, old, new) in parts {
        let fraction = share(increase(old, new)?, all);
        if name != "idle" && name != "iowait" {
            busy += fraction;
        }
        fields.insert(
            name.to_owned(),
            json!({
                "ticks": new,
                "pct": round4(fraction * cores as f64),
                "norm": { "pct": round4(fraction) },
            }),
        );
    }
    let busy = busy.min(1.0);
    fields.insert("cores".into(), json!(cores));
    fields.insert(
        "total".into(),
        json!({ "pct": round4(busy * cores as f64), "norm": { "pct": round4(busy) } }),
    );
    Some(Metric {
        host: Some(json!({ "cpu": { "usage": round4(busy) } })),
        ..system("cpu", Value::Object(fields))
    })
}

/// system/load.
pub fn load(load: [f64; 3], cores: u64) -> Metric {
    let cores = cores.max(1);
    let norm = |load: f64| round4(load / cores as f64);
    system(
        "load",
        json!({
            "1": load[0], "5": load[1], "15": load[2],
            "norm": { "1": norm(load[0]), "5": norm(load[1]), "15": norm(load[2]) },
            "cores": cores,
        }),
    )
}

/// system/memory.
pub fn memory(info: &MemInfo) -> Metric {
    let used = info.total.saturating_sub(info.free);
    let actual = info.total.saturating_sub(info.available);
    let swap_used = info.swap_total.saturating_sub(info.swap_free);
    let mut swap_used_fields = json!({ "bytes": swap_used });
    if info.swap_total > 0 {
        swap_used_fields["pct"] = json!(round4(share(swap_used, info.swap_total)));
    }
    let mut fields = json!({
        "total": info.total,
        "free": info.free,
        "cached": info.cached,
        "used": { "bytes": used, "pct": round4(share(used, info.total)) },
        "actual": {
            "free": info.available,
            "used": { "bytes": actual, "pct": round4(share(actual, info.total)) },
        },
        "swap": { "total": info.swap_total, "free": info.swap_free, "used": swap_used_fields },
    });
    if let Some(zswap) = info.zswap {
        fields["zswap"] =
            json!({ "compressed": zswap.compressed, "uncompressed": zswap.uncompressed });
    }
    system("memory", fields)
}

/// system/network, one event per interface. The host's ends of containers' interfaces are left
/// out: the containers have their own events, and the number of documents of an idle platform
/// must not follow the number of containers twice.
pub fn network(interfaces: &[Interface]) -> Vec<Metric> {
    let own = interfaces
        .iter()
        .filter(|interface| !interface.name.starts_with("veth"));
    let events = own.take(64).map(|interface| Metric {
        key: interface.name.clone(),
        ..system(
            "network",
            json!({
                "name": interface.name,
                "in": {
                    "bytes": interface.received.bytes, "packets": interface.received.packets,
                    "errors": interface.received.errors, "dropped": interface.received.dropped,
                },
                "out": {
                    "bytes": interface.sent.bytes, "packets": interface.sent.packets,
                    "errors": interface.sent.errors, "dropped": interface.sent.dropped,
                },
            }),
        )
    });
    events.collect()
}

/// system/diskio, one event per device that ever did something.
pub fn diskio(disks: &[Disk]) -> Vec<Metric> {
    let events = disks.iter().take(64).map(|disk| Metric {
        key: disk.name.clone(),
        ..system(
            "diskio",
            json!({
                "name": disk.name,
                "read": { "count": disk.reads, "bytes": disk.read_bytes, "time": disk.read_ms },
                "write": { "count": disk.writes, "bytes": disk.write_bytes, "time": disk.write_ms },
                "io": { "time": disk.io_ms, "ops": disk.in_flight },
            }),
        )
    });
    events.collect()
}

/// A file system's sizes in bytes and files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileSystemSize {
    /// All bytes.
    pub total: u64,
    /// Unused bytes.
    pub free: u64,
    /// Bytes that an ordinary user may still take.
    pub available: u64,
    /// All inodes.
    pub files: u64,
    /// Unused inodes.
    pub free_files: u64,
}

/// system/filesystem, one event per file system.
pub fn filesystem(mount: &Mount, size: &FileSystemSize) -> Metric {
    let used = size.total.saturating_sub(size.free);
    // As `df`: reserved blocks are neither used nor available.
    let usable = used.saturating_add(size.available);
    Metric {
        key: mount.mount_point.clone(),
        ..system(
            "filesystem",
            json!({
                "device_name": mount.device,
                "mount_point": mount.mount_point,
                "type": mount.kind,
                "options": mount.options,
                "total": size.total,
                "free": size.free,
                "available": size.available,
                "files": size.files,
                "free_files": size.free_files,
                "used": { "bytes": used, "pct": round4(share(used, usable)) },
            }),
        )
    }
}

/// system/fsstat: all watched file systems together.
pub fn fsstat(sizes: &[FileSystemSize]) -> Metric {
    let sum = |of: fn(&FileSystemSize) -> u64| sizes.iter().map(of).fold(0, u64::saturating_add);
    let (total, free) = (sum(|size| size.total), sum(|size| size.free));
    system(
        "fsstat",
        json!({
            "count": sizes.len(),
            "total_files": sum(|size| size.files),
            "total_size": { "total": total, "free": free, "used": total.saturating_sub(free) },
        }),
    )
}

/// system/uptime.
pub fn uptime(ms: u64) -> Metric {
    system("uptime", json!({ "duration": { "ms": ms } }))
}

/// system/process_summary: how many processes are in which state; states with none are left out.
pub fn process_summary(states: impl IntoIterator<Item = char>, stat: &ProcStat) -> Metric {
    let mut counts: Map<String, Value> = Map::new();
    let mut total = 0u64;
    for state in states {
        total += 1;
        let slot = counts
            .entry(state_name(state))
            .or_insert_with(|| json!(0u64));
        *slot = json!(slot.as_u64().unwrap_or(0) + 1);
    }
    counts.insert("total".into(), json!(total));
    counts.insert(
        "threads".into(),
        json!({ "running": stat.running, "blocked": stat.blocked }),
    );
    Metric {
        path: &["process", "summary"],
        dataset: Some("system.process.summary"),
        ..system("process_summary", Value::Object(counts))
    }
}

/// system/socket_summary.
pub fn socket_summary(tcp: &TcpStates, stat: &SockStat) -> Metric {
    Metric {
        path: &["socket", "summary"],
        dataset: Some("system.socket.summary"),
        ..system(
            "socket_summary",
            json!({
                "all": { "count": tcp.count.saturating_add(stat.udp_in_use), "listening": tcp.listening },
                "tcp": {
                    "memory": stat.tcp_memory,
                    "all": {
                        "orphan": stat.tcp_orphan, "count": tcp.count,
                        "listening": tcp.listening, "established": tcp.established,
                        "close_wait": tcp.close_wait, "time_wait": tcp.time_wait,
                        "syn_sent": tcp.syn_sent, "syn_recv": tcp.syn_recv,
                        "fin_wait1": tcp.fin_wait1, "fin_wait2": tcp.fin_wait2,
                        "last_ack": tcp.last_ack, "closing": tcp.closing,
                    },
                },
                "udp": { "memory": stat.udp_memory, "all": { "count": stat.udp_in_use } },
            }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::host::CpuTimes;
    use proptest::prelude::*;

    #[test]
    fn busy_is_everything_but_idle_and_waiting() {
        let old = ProcStat {
            cores: 2,
            ..ProcStat::default()
        };
        let cpu_times = CpuTimes {
            user: 50,
            nice: 10,
            system: 20,
            idle: 100,
            iowait: 15,
            irq: 0,
            softirq: 3,
            steal: 2,
        };
        let new = ProcStat {
            cpu: cpu_times,
            cores: 2,
            ..ProcStat::default()
        };
        let metric = cpu(&old, &new).unwrap();
        assert_eq!(metric.fields["total"]["norm"]["pct"], 0.425);
        assert_eq!(metric.fields["total"]["pct"], 0.85);
        assert_eq!(metric.fields["user"]["pct"], 0.5);
        assert_eq!(cpu(&new, &new), None);
    }

    #[test]
    fn used_space_is_as_df_shows_it() {
        // The figures of beats-samples/system.filesystem.ndjson.
        let size = FileSystemSize {
            total: 270_553_174_016,
            free: 235_109_216_256,
            available: 62_349_336_576,
            files: 16_777_216,
            free_files: 15_992_680,
        };
        let metric = filesystem(&Mount::default(), &size);
        assert_eq!(metric.fields["used"]["pct"], 0.3624);
    }

    #[test]
    fn the_host_ends_of_containers_interfaces_are_left_out() {
        let named = |name: &str| Interface {
            name: name.into(),
            ..Interface::default()
        };
        assert_eq!(
            network(&[named("eth0"), named("veth12"), named("docker0")]).len(),
            2
        );
    }

    proptest! {
        #[test]
        fn no_two_readings_give_a_negative_share(a in any::<[u64; 8]>(), b in any::<[u64; 8]>()) {
            let stat = |v: [u64; 8]| ProcStat {
                cpu: CpuTimes {
                    user: v[0], nice: v[1], system: v[2], idle: v[3],
                    iowait: v[4], irq: v[5], softirq: v[6], steal: v[7],
                },
                cores: 4,
                ..ProcStat::default()
            };
            if let Some(metric) = cpu(&stat(a), &stat(b)) {
                for part in ["user", "idle", "iowait", "total"] {
                    prop_assert!(metric.fields[part]["pct"].as_f64().unwrap() >= 0.0);
                }
            }
        }
    }
}
