//! What the allocator knows, as the contract's messages.
//!
//! Invariants: pure; texts that come from containers and the engine are cut to what the contract
//! bounds. Not here: sending (`session_task.rs`).

use std::collections::{BTreeMap, HashMap};

use wharf_allocator_core::{
    copying::CopyProgress,
    health::Verdict,
    observed::Exit,
    reconcile::InstanceState,
    snapshots::{RestoreProgress, Snapshots},
};
use wharf_collectors::{ContainerMeta, ContainerSample, CountersView};
use wharf_proto::{
    times::timestamp,
    v1::{self, Health},
};

use crate::{
    docker::labels,
    probe_task::{Healths, Known, known_of},
    reconcile_task::{Report, Reported},
    set_aside::SetAside,
};

/// Longest text of a report.
const MAX_TEXT: usize = 500;

/// Whose containers are reported.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The platform.
    pub platform_id: &'a str,
    /// This allocator.
    pub allocator_id: &'a str,
    /// This host.
    pub host: &'a str,
    /// Its zone.
    pub zone: &'a str,
}

/// Every instance.
#[must_use]
pub fn instances(report: &Report, healths: &Healths) -> v1::InstanceObservations {
    v1::InstanceObservations {
        generation: report.generation,
        instances: report
            .instances
            .iter()
            .map(|one| instance(one, healths))
            .collect(),
        set_aside: report.set_aside.iter().map(set_aside).collect(),
    }
}

fn set_aside(one: &SetAside) -> v1::SetAsideData {
    v1::SetAsideData {
        instance_id: one.instance_id.clone(),
        path: one.path.display().to_string(),
        bytes: one.bytes,
        set_aside_at: Some(at(one.at_ms)),
    }
}

fn copying(of: &CopyProgress) -> v1::CopyObservation {
    v1::CopyObservation {
        stage: of.stage.as_str().to_owned(),
        bytes_done: of.bytes_done,
        bytes_total: of.bytes_total,
        pause_ms: of.pause_ms,
        reason: of.reason.clone(),
    }
}

fn snapshots(of: &Snapshots) -> v1::SnapshotObservation {
    v1::SnapshotObservation {
        repository: of.repository.clone(),
        last: of.last.clone(),
        taken_at: moment(of.taken_ms),
        bytes: of.bytes,
        documents: of.documents,
        running: of.running,
        requested_done: of.requested_done,
        error: of.error.clone(),
        failing_since: moment(of.failing_since_ms),
    }
}

fn restoring(of: &RestoreProgress) -> v1::RestoreObservation {
    v1::RestoreObservation {
        stage: of.stage.as_str().to_owned(),
        snapshot: of.snapshot.clone(),
        taken_at: moment(of.taken_ms),
        bytes_done: of.bytes_done,
        bytes_total: of.bytes_total,
        reason: of.reason.clone(),
    }
}

/// A moment that an instance named; none when it named none.
fn moment(at_ms: u64) -> Option<prost_types::Timestamp> {
    i64::try_from(at_ms).ok().filter(|at_ms| *at_ms > 0).map(at)
}

fn instance(one: &Reported, healths: &Healths) -> v1::InstanceObservation {
    let view = &one.view;
    let state = match view.state {
        InstanceState::Pending => v1::InstanceState::Pending,
        InstanceState::Starting => v1::InstanceState::Starting,
        InstanceState::Running => v1::InstanceState::Running,
        InstanceState::Stopped => v1::InstanceState::Stopped,
        InstanceState::Failed => v1::InstanceState::Failed,
    };
    let container = view.container.as_deref().unwrap_or_default();
    let known = known_of(healths, &view.id, container, view.started_ms);
    let health = match view.state {
        InstanceState::Running => match known.map_or(Verdict::Unknown, Known::verdict) {
            Verdict::Healthy => Health::Healthy,
            Verdict::Unhealthy => Health::Unhealthy,
            Verdict::Unknown => Health::Unknown,
        },
        InstanceState::Failed => Health::Unhealthy,
        _ => Health::Unknown,
    };
    v1::InstanceObservation {
        instance_id: view.id.to_string(),
        container_id: container.to_owned(),
        state: state.into(),
        health: health.into(),
        reason: cut(&view.reason),
        error_code: view.error_code.clone(),
        port: one.port,
        restarts: view.restarts,
        started_at: view.started_ms.map(at),
        last_exit: view.exit.as_ref().map(|of| exit(of, &one.tail)),
        spec_hash: view.spec_hash.clone(),
        image_id: view.image_id.clone(),
        data_present: view.data_present,
        credentials: known.map_or("", Known::credentials).to_owned(),
        copy: known.and_then(Known::copy).map(copying),
        snapshot: known.and_then(Known::snapshots).map(snapshots),
        restore: known.and_then(Known::restore).map(restoring),
    }
}

fn exit(of: &Exit, tail: &[String]) -> v1::InstanceExit {
    v1::InstanceExit {
        exit_code: of.code,
        out_of_memory: of.out_of_memory,
        at: (of.at_ms > 0).then(|| at(of.at_ms)),
        log_tail: tail.to_vec(),
    }
}

/// Every container of the engine with its last sample, by id.
#[must_use]
pub fn containers<'a>(
    origin: Origin<'_>,
    metas: impl Iterator<Item = &'a ContainerMeta>,
    samples: &HashMap<String, ContainerSample>,
) -> BTreeMap<String, v1::Container> {
    metas
        .map(|meta| {
            (
                meta.id.clone(),
                container(origin, meta, samples.get(&meta.id)),
            )
        })
        .collect()
}

fn container(
    origin: Origin<'_>,
    meta: &ContainerMeta,
    sample: Option<&ContainerSample>,
) -> v1::Container {
    let label = |key: &str| cut(meta.labels.get(key).map(String::as_str).unwrap_or_default());
    let ours = label(labels::PLATFORM) == origin.platform_id;
    let of_ours = |key: &str| if ours { label(key) } else { String::new() };
    let alive = meta.state.is_alive();
    v1::Container {
        id: meta.id.clone(),
        name: cut(&meta.name),
        image: cut(&meta.image),
        allocator_id: origin.allocator_id.to_owned(),
        host: origin.host.to_owned(),
        zone: origin.zone.to_owned(),
        application: cut(&meta.application()),
        service: label("com.docker.compose.service"),
        role: of_ours(labels::ROLE),
        deployment_id: of_ours(labels::DEPLOYMENT),
        deployment_name: of_ours(labels::DEPLOYMENT_NAME),
        instance_id: of_ours(labels::INSTANCE),
        state: format!("{:?}", meta.state).to_lowercase(),
        health: meta
            .health
            .as_ref()
            .map(|health| health.status.clone())
            .unwrap_or_default(),
        created_at: Some(at(meta.created_ms)),
        started_at: meta.started_ms.map(at),
        exit_code: meta.exit_code.filter(|_| !alive).unwrap_or(0),
        out_of_memory: meta.out_of_memory,
        restarts: meta.restarts,
        // The sample of a container that ended says nothing any more.
        sample: sample.filter(|_| alive).map(sampled),
    }
}

fn sampled(of: &ContainerSample) -> v1::ContainerSample {
    v1::ContainerSample {
        at: Some(at(of.at_ms)),
        cpu_percent: of.cpu.unwrap_or(0.0) * 100.0,
        memory_bytes: of.memory_used,
        memory_limit_bytes: of.memory_limit,
        network_in_bytes: of.network_received,
        network_out_bytes: of.network_sent,
        block_read_bytes: of.block_read,
        block_write_bytes: of.block_written,
        network_in_bytes_per_second: of.network_received_per_s.unwrap_or(0.0),
        network_out_bytes_per_second: of.network_sent_per_s.unwrap_or(0.0),
        block_read_bytes_per_second: of.block_read_per_s.unwrap_or(0.0),
        block_write_bytes_per_second: of.block_written_per_s.unwrap_or(0.0),
        processes: u32::try_from(of.pids).unwrap_or(u32::MAX),
        throttled_percent: of.throttled.unwrap_or(0.0) * 100.0,
    }
}

/// What the collectors did.
#[must_use]
pub fn collectors(view: &CountersView) -> v1::CollectorStatus {
    v1::CollectorStatus {
        spooled_documents: view.spooled,
        shipped_documents: view.shipped,
        dropped_documents: view.dropped,
        spool_bytes: view.spool_bytes,
        last_error: cut(view.last_error.as_deref().unwrap_or_default()),
        // Known to whoever takes orders.
        credentials_version: 0,
    }
}

fn at(ms: i64) -> prost_types::Timestamp {
    timestamp(u64::try_from(ms).unwrap_or(0))
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_collectors::ContainerState;

    #[test]
    fn labels_of_another_platform_do_not_make_a_container_ours() {
        let origin = Origin {
            platform_id: "p",
            allocator_id: "a",
            host: "h",
            zone: "z",
        };
        let mut meta = ContainerMeta {
            id: "c".into(),
            state: ContainerState::Running,
            ..Default::default()
        };
        meta.labels.insert(labels::ROLE.into(), "instance".into());
        meta.labels.insert(labels::PLATFORM.into(), "q".into());
        let samples = HashMap::from([(
            "c".to_owned(),
            ContainerSample {
                cpu: Some(2.5),
                throttled: Some(0.25),
                ..Default::default()
            },
        )]);
        let all = containers(origin, [&meta].into_iter(), &samples);
        assert_eq!(all["c"].role, "");
        assert_eq!(all["c"].state, "running");
        let sample = all["c"].sample.as_ref().unwrap();
        assert_eq!(
            (sample.cpu_percent, sample.throttled_percent),
            (250.0, 25.0)
        );
        meta.out_of_memory = true;
        meta.restarts = 3;
        meta.labels.insert(labels::PLATFORM.into(), "p".into());
        meta.state = ContainerState::Exited;
        let all = containers(origin, [&meta].into_iter(), &samples);
        assert!(all["c"].out_of_memory, "the engine says so");
        assert_eq!(all["c"].restarts, 3);
        assert_eq!(
            (all["c"].role.as_str(), &all["c"].sample),
            ("instance", &None)
        );
    }
}
