//! system/process: the processes that use most, and what is known about each.
//!
//! Invariants: the five that use most processor and the five that use most memory, each once;
//! arguments are redacted; environments are never read, let alone shipped.
//! Not here: counting states (`system::process_summary`).

use serde_json::{Map, Value, json};

use crate::container::cut;
use crate::counter::{increase, round4, share};
use crate::document::time_text;
use crate::envelope::Metric;
use crate::kernel::TICK_MS;
use crate::kernel::cgroup::{BlockIo, CpuUsage, MemoryUsage};
use crate::kernel::process::{ProcessIo, ProcessStat, ProcessStatus, state_name};
use crate::redact;

/// What is compared to find the processes that use most.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Share of one processor since the last reading, when there was one.
    pub cpu: Option<f64>,
    /// Resident bytes.
    pub memory: u64,
}

/// The share of one processor that a process used between two readings; `None` when it is another
/// process that got the same number.
pub fn cpu_share(old: &ProcessStat, new: &ProcessStat, elapsed_ms: u64) -> Option<f64> {
    if old.start_ticks != new.start_ticks || elapsed_ms == 0 {
        return None;
    }
    let ticks = |stat: &ProcessStat| stat.user_ticks.saturating_add(stat.system_ticks);
    let used_ms = increase(ticks(old), ticks(new))?.saturating_mul(TICK_MS);
    Some(used_ms as f64 / elapsed_ms as f64)
}

/// Which processes are worth a document: indices, each once, in their order.
pub fn top(usages: &[Usage], by_cpu: usize, by_memory: usize) -> Vec<usize> {
    let mut chosen: Vec<usize> = Vec::with_capacity(by_cpu + by_memory);
    let mut order: Vec<usize> = (0..usages.len()).collect();
    order.sort_by(|a, b| {
        let cpu = |index: &usize| usages[*index].cpu.unwrap_or(0.0);
        cpu(b).total_cmp(&cpu(a)).then(a.cmp(b))
    });
    chosen.extend(order.iter().take(by_cpu));
    order.sort_by(|a, b| usages[*b].memory.cmp(&usages[*a].memory).then(a.cmp(b)));
    chosen.extend(order.iter().take(by_memory));
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// The control group of a process, and what it used.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessGroup {
    /// 1 or 2.
    pub version: u8,
    /// Its path.
    pub path: String,
    /// Its processor time.
    pub cpu: Option<CpuUsage>,
    /// Its memory.
    pub memory: Option<MemoryUsage>,
    /// Its block I/O.
    pub block_io: Option<BlockIo>,
}

/// Everything that is known about one process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessDetail {
    /// `/proc/PID/stat`.
    pub stat: ProcessStat,
    /// `/proc/PID/status`.
    pub status: ProcessStatus,
    /// `/proc/PID/io`, when it may be read.
    pub io: Option<ProcessIo>,
    /// Its arguments as they are; they are redacted here.
    pub arguments: Vec<String>,
    /// The program's file.
    pub executable: Option<String>,
    /// Where it works.
    pub working_directory: Option<String>,
    /// Its user's name, when known.
    pub user: Option<String>,
    /// Open files.
    pub open_files: Option<u64>,
    /// Soft and hard limit of open files.
    pub open_files_limit: Option<(u64, u64)>,
    /// Its control group, unless that is the root.
    pub group: Option<ProcessGroup>,
    /// Share of one processor since the last reading.
    pub cpu: Option<f64>,
}

/// The event of one process.
pub fn process(detail: &ProcessDetail, boot_time_s: u64, machine_bytes: u64, cores: u64) -> Metric {
    let stat = &detail.stat;
    let cores = cores.max(1) as f64;
    let arguments = redact::arguments(&detail.arguments);
    let command_line = arguments.join(" ");
    let command_line = cut(&command_line, 2048);
    let state = state_name(stat.state);
    let started = boot_time_s.saturating_add(stat.start_ticks / (1000 / TICK_MS));
    let started = time_text(i64::try_from(started.saturating_mul(1000)).unwrap_or(0));
    let used_ms = stat
        .user_ticks
        .saturating_add(stat.system_ticks)
        .saturating_mul(TICK_MS);
    let memory_pct = round4(share(detail.status.resident, machine_bytes));

    let mut total = json!({ "value": used_ms });
    let mut root_cpu = json!({ "start_time": started });
    if let Some(cpu) = detail.cpu {
        total["pct"] = json!(round4(cpu));
        total["norm"] = json!({ "pct": round4(cpu / cores) });
        root_cpu["pct"] = json!(round4(cpu / cores));
    }
    let mut fields = json!({
        "state": state,
        "num_threads": stat.threads,
        "cpu": { "start_time": started, "total": total },
        "memory": {
            "size": stat.virtual_bytes,
            "share": detail.status.shared,
            "swap": detail.status.swap,
            "rss": { "bytes": detail.status.resident, "pct": memory_pct },
        },
    });
    if !command_line.is_empty() {
        fields["cmdline"] = json!(command_line);
    }
    if let Some(io) = &detail.io {
        fields["io"] = json!({
            "read_bytes": io.read_bytes, "write_bytes": io.write_bytes,
            "cancelled_write_bytes": io.cancelled_write_bytes,
            "read_char": io.read_char, "write_char": io.write_char,
            "read_ops": io.read_ops, "write_ops": io.write_ops,
        });
    }
    let mut files = Map::new();
    if let Some(open) = detail.open_files {
        files.insert("open".into(), json!(open));
    }
    if let Some((soft, hard)) = detail.open_files_limit {
        files.insert("limit".into(), json!({ "soft": soft, "hard": hard }));
    }
    if !files.is_empty() {
        fields["fd"] = Value::Object(files);
    }
    if let Some(group) = &detail.group {
        fields["cgroup"] = group_fields(group);
    }

    let mut root = json!({
        "pid": stat.pid,
        "parent": { "pid": stat.parent },
        "pgid": stat.group,
        "name": cut(&stat.name, 256),
        "state": state,
        "cpu": root_cpu,
        "memory": { "pct": memory_pct },
    });
    if !arguments.is_empty() {
        root["args"] = json!(arguments);
        root["command_line"] = json!(command_line);
    }
    if let Some(path) = &detail.executable {
        root["executable"] = json!(cut(path, 1024));
    }
    if let Some(path) = &detail.working_directory {
        root["working_directory"] = json!(cut(path, 1024));
    }
    let mut root = json!({ "process": root });
    if let Some(user) = &detail.user {
        root["user"] = json!({ "name": user });
    }
    Metric {
        module: "system",
        metricset: "process",
        key: format!("{}/{}", stat.pid, stat.start_ticks),
        fields,
        root: Some(root),
        ..Metric::default()
    }
}

fn group_fields(group: &ProcessGroup) -> Value {
    let id = group.path.rsplit('/').next().unwrap_or("");
    let mut fields = json!({
        "cgroups_version": group.version, "id": id, "path": group.path,
    });
    let named = |mut block: Value| {
        block["id"] = json!(id);
        block["path"] = json!(group.path);
        block
    };
    if let Some(cpu) = &group.cpu {
        let throttling = &cpu.throttling;
        let mut stats = json!({
            "periods": throttling.periods,
            "throttled": {
                "periods": throttling.throttled_periods, "us": throttling.throttled_ns / 1000,
            },
        });
        if group.version == 2 {
            stats["usage"] = json!({ "ns": cpu.total_ns });
            stats["user"] = json!({ "ns": cpu.user_ns });
            stats["system"] = json!({ "ns": cpu.system_ns });
        } else {
            fields["cpuacct"] = named(json!({
                "total": { "ns": cpu.total_ns },
                "stats": { "user": { "ns": cpu.user_ns }, "system": { "ns": cpu.system_ns } },
            }));
        }
        fields["cpu"] = named(json!({ "stats": stats }));
    }
    if let Some(memory) = &group.memory {
        let mut mem = json!({ "usage": { "bytes": memory.usage }, "failures": memory.fail_count });
        if memory.max_usage > 0 {
            mem["usage"]["max"] = json!({ "bytes": memory.max_usage });
        }
        if let Some(limit) = memory.limit {
            mem["limit"] = json!({ "bytes": limit });
        }
        fields["memory"] = named(json!({ "mem": mem }));
    }
    if let Some(io) = &group.block_io {
        let (read, write) = (&io.read, &io.write);
        fields["blkio"] = named(json!({
            "total": {
                "bytes": read.bytes.saturating_add(write.bytes),
                "ios": read.ops.saturating_add(write.ops),
            },
            "reads": { "bytes": read.bytes, "ios": read.ops },
            "writes": { "bytes": write.bytes, "ios": write.ops },
        }));
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn those_that_use_most_are_chosen_once() {
        let usage = |cpu: f64, memory: u64| Usage {
            cpu: Some(cpu),
            memory,
        };
        let usages = [usage(0.1, 5), usage(0.9, 1), usage(0.0, 9), usage(0.8, 8)];
        assert_eq!(top(&usages, 2, 2), [1, 2, 3]);
        assert_eq!(top(&usages, 0, 0), [0usize; 0]);
    }

    #[test]
    fn a_reused_process_number_has_no_share() {
        let old = ProcessStat {
            start_ticks: 1,
            user_ticks: 10,
            ..ProcessStat::default()
        };
        let new = ProcessStat {
            start_ticks: 1,
            user_ticks: 60,
            ..ProcessStat::default()
        };
        assert_eq!(cpu_share(&old, &new, 1000), Some(0.5));
        let other = ProcessStat {
            start_ticks: 2,
            ..new.clone()
        };
        assert_eq!(cpu_share(&old, &other, 1000), None);
        assert_eq!(cpu_share(&new, &old, 1000), None);
    }

    #[test]
    fn secrets_in_arguments_are_not_in_the_event() {
        let detail = ProcessDetail {
            arguments: vec!["app".into(), "--token".into(), "hunter2".into()],
            ..ProcessDetail::default()
        };
        let metric = process(&detail, 0, 100, 2);
        let text = format!("{} {}", metric.fields, metric.root.unwrap());
        assert!(!text.contains("hunter2"), "{text}");
    }

    proptest! {
        #[test]
        fn at_most_so_many_are_chosen(
            usages in proptest::collection::vec((proptest::option::of(0.0..8.0f64), any::<u64>()), 0..50),
            by_cpu in 0usize..8, by_memory in 0usize..8,
        ) {
            let usages: Vec<_> = usages.into_iter().map(|(cpu, memory)| Usage { cpu, memory }).collect();
            let chosen = top(&usages, by_cpu, by_memory);
            prop_assert!(chosen.len() <= by_cpu + by_memory);
            prop_assert!(chosen.iter().all(|index| *index < usages.len()));
        }
    }
}
