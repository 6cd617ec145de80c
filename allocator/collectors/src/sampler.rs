//! The one sampler: reads the kernel for the host and every container, and makes documents of it.
//!
//! Invariants: a container is read once per sample for all its metricsets; one that vanished
//! between two reads is left out, not an error; a reading is kept only to compare the next with.
//! Not here: when it runs (`sampler_task`), where documents go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_collectors_core::envelope::{Metric, Reading};
use wharf_collectors_core::kernel::host::{Interface, ProcStat};
use wharf_collectors_core::kernel::process::ProcessStat;
use wharf_collectors_core::metricset::docker::{self, CpuReading};
use wharf_collectors_core::metricset::process::{self, Usage};
use wharf_collectors_core::metricset::{engine, system};
use wharf_collectors_core::{ContainerContext, ContainerMeta, Document, Envelope, counter};

use crate::config::Config;
use crate::inventory::Snapshot;
use crate::latest::ContainerSample;
use crate::source::cgroup::{GroupReading, Groups, Hierarchy};
use crate::source::host::HostFiles;
use crate::source::process::ProcessFiles;

/// Two readings nearer than this make no rates: the error would be larger than the value.
const SHORTEST_MS: u64 = 500;

/// The host's processor time is read anew when it is older than this.
const STAT_AGE: Duration = Duration::from_millis(5);

/// Which metricsets are due.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    /// docker container, info, healthcheck.
    pub describe: bool,
    /// filesystem, fsstat, docker image, uptime.
    pub slow: bool,
}

/// What one sample gave.
#[derive(Debug, Default)]
pub struct Sample {
    /// The documents.
    pub documents: Vec<Document>,
    /// The containers that were read.
    pub latest: HashMap<String, ContainerSample>,
}

/// A container that is watched.
struct Tracked {
    meta: Arc<ContainerMeta>,
    context: ContainerContext,
    groups: Option<Groups>,
    previous: Option<Previous>,
    latest: Option<ContainerSample>,
}

struct Previous {
    monotonic_ms: u64,
    cpu: CpuReading,
    group: GroupReading,
    interfaces: Vec<Interface>,
}

/// The sampler.
pub struct Sampler {
    config: Arc<Config>,
    envelope: Arc<Envelope>,
    hierarchy: Hierarchy,
    host: HostFiles,
    processes: ProcessFiles,
    tracked: HashMap<String, Tracked>,
    previous_stat: Option<ProcStat>,
    previous_processes: Option<(u64, HashMap<u32, ProcessStat>)>,
    machine_bytes: u64,
}

impl Sampler {
    /// A sampler that has seen nothing yet.
    pub fn new(config: Arc<Config>, envelope: Arc<Envelope>) -> Self {
        let host = HostFiles::new(&config.proc_root, &config.host_root);
        Self {
            hierarchy: Hierarchy::detect(&config.cgroup_root),
            processes: ProcessFiles::new(&config.proc_root, &config.host_root),
            machine_bytes: host.memory().map_or(0, |memory| memory.total),
            host,
            tracked: HashMap::new(),
            previous_stat: None,
            previous_processes: None,
            config,
            envelope,
        }
    }

    /// Takes over what runs now; gives the ids of containers that are new or were restarted.
    pub fn adopt(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let alive: HashSet<&str> = snapshot
            .containers
            .iter()
            .filter(|meta| meta.state.is_alive())
            .map(|meta| meta.id.as_str())
            .collect();
        self.tracked.retain(|id, _| alive.contains(id.as_str()));
        let mut fresh = Vec::new();
        for meta in snapshot
            .containers
            .iter()
            .filter(|meta| meta.state.is_alive())
        {
            match self.tracked.get_mut(&meta.id) {
                Some(tracked) if tracked.meta == *meta => {}
                Some(tracked) => {
                    if tracked.meta.pid != meta.pid {
                        // Another run: other groups, other counters.
                        tracked.groups = None;
                        tracked.previous = None;
                        fresh.push(meta.id.clone());
                    }
                    tracked.context = ContainerContext::new(meta);
                    tracked.meta = Arc::clone(meta);
                }
                None => {
                    fresh.push(meta.id.clone());
                    let tracked = Tracked {
                        context: ContainerContext::new(meta),
                        meta: Arc::clone(meta),
                        groups: None,
                        previous: None,
                        latest: None,
                    };
                    self.tracked.insert(meta.id.clone(), tracked);
                }
            }
        }
        fresh
    }

    /// A whole sample: the host and every container.
    pub fn sample(
        &mut self,
        snapshot: &Snapshot,
        due: Due,
        at_ms: i64,
        monotonic_ms: u64,
    ) -> Sample {
        let mut sample = Sample::default();
        let period = |due: Duration| u64::try_from(due.as_millis()).unwrap_or(u64::MAX);
        let periods = self.config.periods;
        let reading = Reading {
            at_ms,
            duration_ns: None,
            period_ms: Some(period(periods.sample)),
        };
        let describe = Reading {
            period_ms: Some(period(periods.describe)),
            ..reading
        };
        let slow = Reading {
            period_ms: Some(period(periods.slow)),
            ..reading
        };

        let stat = self.host.stat();
        let ids: Vec<String> = self.tracked.keys().cloned().collect();
        self.containers(&ids, stat, reading, monotonic_ms, &mut sample);
        if due.describe {
            for tracked in self.tracked.values() {
                describe_container(&self.envelope, tracked, describe, &mut sample.documents);
            }
            if let Some(facts) = &snapshot.engine {
                let metric = engine::info(facts);
                sample
                    .documents
                    .push(metric.document(&self.envelope, None, describe));
            }
        }
        if due.slow {
            for image in snapshot.images.iter().take(1000) {
                let metric = engine::image(image);
                sample
                    .documents
                    .push(metric.document(&self.envelope, None, slow));
            }
            self.file_systems(slow, &mut sample.documents);
        }
        self.host_metrics(stat, reading, monotonic_ms, &mut sample.documents);
        for tracked in self.tracked.values() {
            if let Some(latest) = tracked.latest {
                sample.latest.insert(tracked.meta.id.clone(), latest);
            }
        }
        sample
    }

    /// A look at some containers between two samples, so that those that live shortly are seen.
    pub fn look(
        &mut self,
        ids: &[String],
        at_ms: i64,
        monotonic_ms: u64,
        is_first: bool,
    ) -> Sample {
        let mut sample = Sample::default();
        let period = u64::try_from(self.config.periods.sample.as_millis()).ok();
        let reading = Reading {
            at_ms,
            duration_ns: None,
            period_ms: period,
        };
        self.containers(ids, self.host.stat(), reading, monotonic_ms, &mut sample);
        if is_first {
            for tracked in ids.iter().filter_map(|id| self.tracked.get(id)) {
                describe_container(&self.envelope, tracked, reading, &mut sample.documents);
            }
        }
        for tracked in self.tracked.values() {
            if let Some(latest) = tracked.latest {
                sample.latest.insert(tracked.meta.id.clone(), latest);
            }
        }
        sample
    }

    fn containers(
        &mut self,
        ids: &[String],
        stat: Option<ProcStat>,
        reading: Reading,
        monotonic_ms: u64,
        sample: &mut Sample,
    ) {
        let (begun, mut stat, mut stat_at) = (Instant::now(), stat, Instant::now());
        let began_ns = monotonic_ms.saturating_mul(1_000_000);
        for id in ids {
            let Some(tracked) = self.tracked.get_mut(id) else {
                continue;
            };
            let started = Instant::now();
            if tracked.groups.is_none() {
                tracked.groups = self.hierarchy.locate(&self.config.proc_root, &tracked.meta);
            }
            let read = tracked.groups.as_ref().and_then(Groups::read);
            let read_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(0);
            let Some(group) = read else {
                // Gone, or not there yet.
                tracked.groups = None;
                tracked.previous = None;
                tracked.latest = None;
                continue;
            };
            // A sample of many takes a while: the host's time must be that of the container's.
            if stat_at.elapsed() > STAT_AGE {
                (stat, stat_at) = (self.host.stat(), Instant::now());
            }
            let stat = stat.unwrap_or_default();
            let passed = u64::try_from(begun.elapsed().as_millis()).unwrap_or(0);
            let monotonic_ms = monotonic_ms.saturating_add(passed);
            let has_network = !tracked.meta.host_network;
            let pid = tracked.meta.pid.filter(|pid| has_network && *pid > 0);
            let interfaces = pid
                .and_then(|pid| self.host.interfaces_of(pid))
                .unwrap_or_default();
            let now = Previous {
                monotonic_ms,
                cpu: CpuReading {
                    usage: group.cpu.clone(),
                    host_ns: stat.cpu.docker_total().saturating_mul(10_000_000),
                    at_ns: began_ns.saturating_add(read_ns),
                    cores: stat.cores,
                },
                group,
                interfaces,
            };
            let metrics = compare(
                &mut tracked.latest,
                tracked.previous.as_ref(),
                &now,
                &self.config,
                self.machine_bytes,
                reading.at_ms,
            );
            let duration_ns = u64::try_from(started.elapsed().as_nanos()).ok();
            let reading = Reading {
                duration_ns,
                ..reading
            };
            for metric in &metrics {
                let document = metric.document(&self.envelope, Some(&tracked.context), reading);
                sample.documents.push(document);
            }
            let is_too_soon = tracked.previous.as_ref().is_some_and(|previous| {
                monotonic_ms.saturating_sub(previous.monotonic_ms) < SHORTEST_MS
            });
            if !is_too_soon {
                tracked.previous = Some(now);
            }
        }
    }

    fn file_systems(&self, reading: Reading, documents: &mut Vec<Document>) {
        let started = Instant::now();
        let found = self.host.file_systems();
        let duration_ns = u64::try_from(started.elapsed().as_nanos()).ok();
        let reading = Reading {
            duration_ns,
            ..reading
        };
        let mut push = |metric: Metric| {
            documents.push(metric.document(&self.envelope, None, reading));
        };
        for (mount, size) in &found {
            push(system::filesystem(mount, size));
        }
        let sizes: Vec<_> = found.iter().map(|(_, size)| *size).collect();
        push(system::fsstat(&sizes));
        if let Some(ms) = self.host.uptime_ms() {
            push(system::uptime(ms));
        }
    }

    fn host_metrics(
        &mut self,
        stat: Option<ProcStat>,
        reading: Reading,
        monotonic_ms: u64,
        documents: &mut Vec<Document>,
    ) {
        let started = Instant::now();
        let Some(stat) = stat else { return };
        let memory = self.host.memory();
        let mut metrics = Vec::new();
        if let Some(previous) = &self.previous_stat {
            metrics.extend(system::cpu(previous, &stat));
        }
        self.previous_stat = Some(stat);
        metrics.extend(self.host.load().map(|load| system::load(load, stat.cores)));
        if let Some(memory) = &memory {
            self.machine_bytes = memory.total;
            metrics.push(system::memory(memory));
        }
        metrics.extend(system::network(&self.host.interfaces()));
        metrics.extend(system::diskio(&self.host.disks()));
        let (tcp, sockets) = self.host.sockets();
        metrics.push(system::socket_summary(&tcp, &sockets));
        let processes = self.processes.all();
        metrics.push(system::process_summary(
            processes.iter().map(|process| process.state),
            &stat,
        ));
        metrics.extend(self.top_processes(processes, &stat, monotonic_ms));
        let duration_ns = u64::try_from(started.elapsed().as_nanos()).ok();
        let reading = Reading {
            duration_ns,
            ..reading
        };
        for metric in metrics {
            documents.push(metric.document(&self.envelope, None, reading));
        }
    }

    fn top_processes(
        &mut self,
        processes: Vec<ProcessStat>,
        stat: &ProcStat,
        monotonic_ms: u64,
    ) -> Vec<Metric> {
        let usages: Vec<Usage> = processes
            .iter()
            .map(|process| {
                let cpu = self
                    .previous_processes
                    .as_ref()
                    .and_then(|(then, previous)| {
                        let elapsed = monotonic_ms.saturating_sub(*then);
                        process::cpu_share(previous.get(&process.pid)?, process, elapsed)
                    });
                Usage {
                    cpu,
                    memory: process.resident_pages.saturating_mul(4096),
                }
            })
            .collect();
        let count = self.config.top_processes;
        // At the first reading nothing is known about processor use: choose by memory alone.
        let by_cpu = if self.previous_processes.is_some() {
            count
        } else {
            0
        };
        let chosen = process::top(&usages, by_cpu, count);
        let details = chosen.iter().filter_map(|index| {
            self.processes
                .detail(processes.get(*index)?, usages[*index].cpu, &self.hierarchy)
        });
        let metrics = details
            .map(|detail| {
                process::process(&detail, stat.boot_time_s, self.machine_bytes, stat.cores)
            })
            .collect();
        let by_pid = processes
            .into_iter()
            .map(|process| (process.pid, process))
            .collect();
        self.previous_processes = Some((monotonic_ms, by_pid));
        metrics
    }
}

fn describe_container(
    envelope: &Envelope,
    tracked: &Tracked,
    reading: Reading,
    documents: &mut Vec<Document>,
) {
    let metric = docker::container(&tracked.meta, reading.at_ms);
    documents.push(metric.document(envelope, Some(&tracked.context), reading));
    if let Some(metric) = docker::healthcheck(&tracked.meta) {
        documents.push(metric.document(envelope, Some(&tracked.context), reading));
    }
}

/// The metricsets of one container from two readings of it.
fn compare(
    latest: &mut Option<ContainerSample>,
    old: Option<&Previous>,
    new: &Previous,
    config: &Config,
    machine_bytes: u64,
    at_ms: i64,
) -> Vec<Metric> {
    let mut metrics = Vec::new();
    metrics.extend(docker::memory(&new.group.memory, machine_bytes));
    let sum = |interfaces: &[Interface], of: fn(&Interface) -> u64| {
        let outside = interfaces.iter().filter(|interface| interface.name != "lo");
        outside.map(of).fold(0, u64::saturating_add)
    };
    let received = |previous: &Previous| sum(&previous.interfaces, |i| i.received.bytes);
    let sent = |previous: &Previous| sum(&previous.interfaces, |i| i.sent.bytes);
    let io = new.group.block_io.unwrap_or_default();
    let mut sample = ContainerSample {
        at_ms,
        memory_used: new.group.memory.used(),
        memory_limit: docker::effective_limit(&new.group.memory, machine_bytes),
        network_received: received(new),
        network_sent: sent(new),
        block_read: io.read.bytes,
        block_written: io.write.bytes,
        pids: new.group.pids.map_or(0, |pids| pids.current),
        ..ContainerSample::default()
    };
    let elapsed = old.map_or(0, |old| new.monotonic_ms.saturating_sub(old.monotonic_ms));
    if let Some(old) = old.filter(|_| elapsed >= SHORTEST_MS) {
        metrics.extend(docker::cpu(&old.cpu, &new.cpu, config.per_core_cpu));
        metrics.extend(docker::network(&old.interfaces, &new.interfaces, elapsed));
        let old_io = old.group.block_io.unwrap_or_default();
        if new.group.block_io.is_some() {
            metrics.extend(docker::diskio(&old_io, &io, elapsed));
        }
        let rate = |old: u64, new: u64| counter::per_second(old, new, elapsed);
        sample.cpu = docker::cpu_fraction(&old.cpu, &new.cpu);
        sample.throttled = docker::throttled_fraction(&old.cpu, &new.cpu);
        sample.network_received_per_s = rate(received(old), received(new));
        sample.network_sent_per_s = rate(sent(old), sent(new));
        sample.block_read_per_s = rate(old_io.read.bytes, io.read.bytes);
        sample.block_written_per_s = rate(old_io.write.bytes, io.write.bytes);
    } else if let Some(before) = latest {
        // Too soon to compare: what was known last still is.
        sample.cpu = before.cpu;
        sample.throttled = before.throttled;
    }
    *latest = Some(sample);
    metrics
}
