//! Metricsets of a container: cpu, memory, diskio, network, container, healthcheck.
//!
//! Invariants: `pct` is the share of all processors times their number (as `docker stats`),
//! `norm.pct` the share of all; memory in use leaves the inactive page cache out.
//! Not here: the engine's own metricsets (`engine`), reading control groups.

use serde_json::{Map, Value, json};

use crate::container::{ContainerMeta, cut};
use crate::counter::{increase, per_second, share};
use crate::document::time_text;
use crate::envelope::Metric;
use crate::kernel::cgroup::{BlockIo, CpuUsage, IoDirection, MemoryUsage};
use crate::kernel::host::{Interface, Traffic};
use crate::redact;

/// A container's processor time, and the host's at the same moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuReading {
    /// The container's.
    pub usage: CpuUsage,
    /// The host's, all processors together, in nanoseconds (without steal, as dockerd counts).
    /// Only told, not divided by: on a machine that is robbed of time by its hypervisor it runs
    /// slower than the clock, and every share would come out too large.
    pub host_ns: u64,
    /// When the container's was read, by the monotonic clock, nanoseconds.
    pub at_ns: u64,
    /// Processors online.
    pub cores: u64,
}

/// Processor use between two readings, as a share of one processor times their number.
pub fn cpu_fraction(old: &CpuReading, new: &CpuReading) -> Option<f64> {
    let used = increase(old.usage.total_ns, new.usage.total_ns)?;
    Some(share(used, available_ns(old, new)?) * new.cores as f64)
}

/// Processor time that there was between two readings, all processors together.
fn available_ns(old: &CpuReading, new: &CpuReading) -> Option<u64> {
    let passed = increase(old.at_ns, new.at_ns).filter(|passed| *passed > 0)?;
    Some(passed.saturating_mul(new.cores.max(1)))
}

/// The share of the scheduler's periods between two readings in which the limit held the container
/// back, 0 to 1; `None` when there was no such period: it has no limit, or has just been started.
pub fn throttled_fraction(old: &CpuReading, new: &CpuReading) -> Option<f64> {
    let (old, new) = (&old.usage.throttling, &new.usage.throttling);
    let periods = increase(old.periods, new.periods).filter(|periods| *periods > 0)?;
    let held_back = increase(old.throttled_periods, new.throttled_periods)?;
    Some(share(held_back, periods))
}

/// docker/cpu. Per-processor values only when asked for and known.
pub fn cpu(old: &CpuReading, new: &CpuReading, with_cores: bool) -> Option<Metric> {
    let host = available_ns(old, new)?;
    let cores = new.cores as f64;
    let part = |old: u64, new: u64| increase(old, new).map(|used| share(used, host));
    let block = |fraction: f64, ticks: Option<u64>| {
        let mut block = Map::new();
        block.insert("pct".into(), json!(fraction * cores));
        block.insert("norm".into(), json!({ "pct": fraction }));
        if let Some(ticks) = ticks {
            block.insert("ticks".into(), json!(ticks));
        }
        Value::Object(block)
    };
    let total = part(old.usage.total_ns, new.usage.total_ns)?;
    let kernel = part(old.usage.system_ns, new.usage.system_ns)?;
    let user = part(old.usage.user_ns, new.usage.user_ns)?;
    let mut fields = Map::new();
    fields.insert("total".into(), block(total, None));
    fields.insert("kernel".into(), block(kernel, Some(new.usage.system_ns)));
    fields.insert("user".into(), block(user, Some(new.usage.user_ns)));
    fields.insert("system".into(), block(1.0, Some(new.host_ns)));
    if with_cores && old.usage.per_cpu_ns.len() == new.usage.per_cpu_ns.len() {
        let mut per_core = Map::new();
        let online = usize::try_from(new.cores).unwrap_or(usize::MAX);
        let pairs = old
            .usage
            .per_cpu_ns
            .iter()
            .zip(&new.usage.per_cpu_ns)
            .take(online);
        for (index, (old, new)) in pairs.enumerate() {
            per_core.insert(index.to_string(), block(part(*old, *new)?, Some(*new)));
        }
        if !per_core.is_empty() {
            fields.insert("core".into(), Value::Object(per_core));
        }
    }
    if let Some(fraction) = throttled_fraction(old, new) {
        let (old, new) = (&old.usage.throttling, &new.usage.throttling);
        let held_back_ns = increase(old.throttled_ns, new.throttled_ns).unwrap_or(0);
        fields.insert(
            "throttled".into(),
            json!({ "pct": fraction, "ns": held_back_ns }),
        );
    }
    Some(Metric {
        module: "docker",
        metricset: "cpu",
        fields: Value::Object(fields),
        container: Some(json!({ "cpu": { "usage": total } })),
        ..Metric::default()
    })
}

/// The limit that counts: the group's, but never more than the machine has.
pub fn effective_limit(memory: &MemoryUsage, machine_bytes: u64) -> u64 {
    memory.limit.unwrap_or(machine_bytes).min(machine_bytes)
}

/// docker/memory.
pub fn memory(memory: &MemoryUsage, machine_bytes: u64) -> Option<Metric> {
    let limit = effective_limit(memory, machine_bytes);
    if limit == 0 {
        return None;
    }
    let used = memory.used();
    let fraction = share(used, limit);
    let stats: Map<String, Value> = memory
        .stats
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    let mut fields = json!({
        "stats": stats,
        "fail": { "count": memory.fail_count },
        "limit": limit,
        "usage": { "total": used, "pct": fraction, "max": memory.max_usage },
    });
    if let Some(rss) = memory.rss {
        fields["rss"] = json!({ "total": rss, "pct": share(rss, limit) });
    }
    Some(Metric {
        module: "docker",
        metricset: "memory",
        fields,
        container: Some(json!({ "memory": { "usage": fraction } })),
        ..Metric::default()
    })
}

/// docker/diskio.
pub fn diskio(old: &BlockIo, new: &BlockIo, elapsed_ms: u64) -> Option<Metric> {
    let read_rate = per_second(old.read.ops, new.read.ops, elapsed_ms)?;
    let write_rate = per_second(old.write.ops, new.write.ops, elapsed_ms)?;
    let block = |io: &IoDirection, rate: f64| {
        json!({
            "bytes": io.bytes, "ops": io.ops, "rate": rate, "queued": io.queued,
            "service_time": io.service_time, "wait_time": io.wait_time,
        })
    };
    let (read, write) = (&new.read, &new.write);
    let sum = IoDirection {
        bytes: read.bytes.saturating_add(write.bytes),
        ops: read.ops.saturating_add(write.ops),
        service_time: read.service_time.saturating_add(write.service_time),
        wait_time: read.wait_time.saturating_add(write.wait_time),
        queued: read.queued.saturating_add(write.queued),
    };
    Some(Metric {
        module: "docker",
        metricset: "diskio",
        fields: json!({
            "read": block(read, read_rate),
            "write": block(write, write_rate),
            "summary": block(&sum, read_rate + write_rate),
        }),
        container: Some(json!({ "disk": {
            "read": { "bytes": read.bytes }, "write": { "bytes": write.bytes },
        } })),
        ..Metric::default()
    })
}

/// docker/network, one event per interface; an interface that is new or was reset says nothing.
pub fn network(old: &[Interface], new: &[Interface], elapsed_ms: u64) -> Vec<Metric> {
    let events = new
        .iter()
        .filter(|interface| interface.name != "lo")
        .filter_map(|interface| {
            let before = old.iter().find(|other| other.name == interface.name)?;
            Some(Metric {
                module: "docker",
                metricset: "network",
                key: interface.name.clone(),
                fields: json!({
                    "interface": interface.name,
                    "in": rates(&before.received, &interface.received, elapsed_ms)?,
                    "out": rates(&before.sent, &interface.sent, elapsed_ms)?,
                    "inbound": totals(&interface.received),
                    "outbound": totals(&interface.sent),
                }),
                container: Some(json!({ "network": {
                "ingress": { "bytes": interface.received.bytes },
                "egress": { "bytes": interface.sent.bytes },
            } })),
                ..Metric::default()
            })
        });
    events.collect()
}

fn rates(old: &Traffic, new: &Traffic, elapsed_ms: u64) -> Option<Value> {
    Some(json!({
        "bytes": per_second(old.bytes, new.bytes, elapsed_ms)?,
        "packets": per_second(old.packets, new.packets, elapsed_ms)?,
        "errors": per_second(old.errors, new.errors, elapsed_ms)?,
        "dropped": per_second(old.dropped, new.dropped, elapsed_ms)?,
    }))
}

fn totals(traffic: &Traffic) -> Value {
    json!({
        "bytes": traffic.bytes, "packets": traffic.packets,
        "errors": traffic.errors, "dropped": traffic.dropped,
    })
}

/// docker/container.
pub fn container(meta: &ContainerMeta, now_ms: i64) -> Metric {
    let mut fields = json!({
        "created": time_text(meta.created_ms),
        "command": cut(&redact::command(&meta.command), 1024),
        "ip_addresses": meta.ip_addresses.iter().take(16).collect::<Vec<_>>(),
        "status": meta.status_text(now_ms),
    });
    if let (Some(rw), Some(root_fs)) = (meta.size_rw, meta.size_root_fs) {
        fields["size"] = json!({ "rw": rw, "root_fs": root_fs });
    }
    Metric {
        module: "docker",
        metricset: "container",
        fields,
        ..Metric::default()
    }
}

/// docker/healthcheck, for a container that has a health check.
pub fn healthcheck(meta: &ContainerMeta) -> Option<Metric> {
    let health = meta
        .health
        .as_ref()
        .filter(|health| meta.state.is_alive() && !matches!(health.status.as_str(), "" | "none"))?;
    let mut fields = json!({
        "status": health.status,
        "failingstreak": health.failing_streak,
    });
    if let Some(last) = &health.last {
        fields["event"] = json!({
            "start_date": time_text(last.start_ms),
            "end_date": time_text(last.end_ms),
            "exit_code": last.exit_code,
            "output": cut(last.output.trim_end(), 4096),
        });
    }
    Some(Metric {
        module: "docker",
        metricset: "healthcheck",
        fields,
        ..Metric::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::cgroup::Throttling;
    use proptest::prelude::*;

    fn reading(total_ns: u64, host_ns: u64) -> CpuReading {
        let usage = CpuUsage {
            total_ns,
            ..CpuUsage::default()
        };
        CpuReading {
            usage,
            host_ns,
            at_ns: host_ns / 2,
            cores: 2,
        }
    }

    #[test]
    fn half_of_one_of_two_processors_is_half() {
        // 10 s on two processors are 20 s of host time.
        let (old, new) = (reading(0, 0), reading(5_000_000_000, 20_000_000_000));
        assert_eq!(cpu_fraction(&old, &new), Some(0.5));
        let metric = cpu(&old, &new, true).unwrap();
        assert_eq!(metric.fields["total"]["pct"], 0.5);
        assert_eq!(metric.fields["total"]["norm"]["pct"], 0.25);
        assert_eq!(metric.fields["system"]["pct"], 2.0);
        assert_eq!(metric.container.unwrap()["cpu"]["usage"], 0.25);
    }

    #[test]
    fn a_limit_that_held_back_is_told_as_a_share_of_periods() {
        let (mut old, mut new) = (reading(0, 0), reading(1, 20_000_000_000));
        let without = cpu(&old, &new, true).unwrap();
        assert_eq!(without.fields.get("throttled"), None, "it has no limit");
        old.usage.throttling.periods = 100;
        new.usage.throttling = Throttling {
            periods: 200,
            throttled_periods: 25,
            throttled_ns: 5_000_000,
        };
        let metric = cpu(&old, &new, true).unwrap();
        assert_eq!(
            metric.fields["throttled"],
            json!({ "pct": 0.25, "ns": 5_000_000 })
        );
        assert_eq!(throttled_fraction(&new, &old), None, "counters began anew");
    }

    #[test]
    fn a_reset_says_nothing() {
        assert_eq!(cpu(&reading(9, 0), &reading(3, 10), true), None);
        assert_eq!(cpu(&reading(9, 10), &reading(10, 10), true), None);
    }

    #[test]
    fn memory_is_as_in_the_recorded_sample() {
        // The figures of beats-samples/docker.memory.ndjson.
        let usage = MemoryUsage {
            usage: 827_392 + 4096,
            max_usage: 3_833_856,
            limit: Some(16_777_216),
            fail_count: 0,
            inactive_file: 4096,
            rss: Some(90_112),
            stats: vec![("cache".into(), 32_768)],
        };
        let metric = memory(&usage, 25_000_000_000).unwrap();
        assert_eq!(metric.fields["usage"]["pct"], 0.049_316_406_25);
        assert_eq!(metric.fields["rss"]["pct"], 0.005_371_093_75);
        assert_eq!(metric.fields["usage"]["total"], 827_392);
    }

    #[test]
    fn without_a_limit_the_machine_is_the_limit() {
        let usage = MemoryUsage {
            usage: 10,
            ..MemoryUsage::default()
        };
        assert_eq!(memory(&usage, 100).unwrap().fields["limit"], 100);
        assert_eq!(memory(&usage, 0), None);
    }

    #[test]
    fn the_loopback_interface_has_no_event() {
        let interface = |name: &str| Interface {
            name: name.into(),
            ..Interface::default()
        };
        let both = [interface("lo"), interface("eth0")];
        assert_eq!(network(&both, &both, 1000).len(), 1);
        assert_eq!(network(&[], &both, 1000).len(), 0);
    }

    fn negative(value: &Value) -> bool {
        match value {
            Value::Number(number) => number.as_f64().is_some_and(|number| number < 0.0),
            Value::Object(object) => object.values().any(negative),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn no_counters_whatever_give_a_negative_value(
            a in any::<[u64; 6]>(), b in any::<[u64; 6]>(), elapsed in any::<u64>(),
        ) {
            let cpu_reading = |v: [u64; 6]| CpuReading {
                usage: CpuUsage {
                    total_ns: v[0], user_ns: v[1], system_ns: v[2], per_cpu_ns: vec![v[3], v[4]],
                    ..CpuUsage::default()
                },
                host_ns: v[5],
                at_ns: v[5],
                cores: 2,
            };
            let io = |v: [u64; 6]| BlockIo {
                read: IoDirection { bytes: v[0], ops: v[1], ..IoDirection::default() },
                write: IoDirection { bytes: v[2], ops: v[3], ..IoDirection::default() },
            };
            let interface = |v: [u64; 6]| [Interface {
                name: "eth0".into(),
                received: Traffic { bytes: v[0], packets: v[1], errors: v[2], dropped: v[3] },
                sent: Traffic { bytes: v[4], packets: v[5], errors: v[0], dropped: v[1] },
            }];
            let mut metrics = network(&interface(a), &interface(b), elapsed);
            metrics.extend(cpu(&cpu_reading(a), &cpu_reading(b), true));
            metrics.extend(diskio(&io(a), &io(b), elapsed));
            for metric in metrics {
                prop_assert!(!negative(&metric.fields), "{}", metric.fields);
            }
        }
    }
}
