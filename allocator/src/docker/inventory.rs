//! Everything that runs on the engine, the platform's or not, as the collectors want it described.
//!
//! Invariants: a description comes from one inspection; labels are passed on as they are (the
//! collectors bound them), environments are not read. Not here: samples, and whose turn it is to look
//! (`inventory_task.rs`).

use std::collections::BTreeMap;

use bollard::{
    models::{ContainerInspectResponse, Health as DockerHealth},
    query_parameters::ListImagesOptionsBuilder,
};
use futures::{StreamExt as _, stream};
use wharf_collectors::{
    ContainerMeta, ContainerState, EngineEvent, EngineFacts, Health, HealthProbe, ImageMeta,
    NamedId, Owner,
};

use super::{
    engine::{CALL_DEADLINE, Engine, EngineError},
    events::Event,
    labels,
    observe::{inspect, list_ids, time_ms},
};

/// Inspections at a time.
const PARALLEL: usize = 8;
/// Longest text kept of a health check's output.
const MAX_OUTPUT: usize = 1024;

/// Ids of every container of the engine.
///
/// # Errors
/// When the engine does not answer.
pub async fn ids(engine: &Engine) -> Result<Vec<String>, EngineError> {
    list_ids(engine, &std::collections::HashMap::new()).await
}

/// Describes containers; those that are gone are left out. One that the engine refuses to inspect
/// must not hide the others: its id comes back beside them.
///
/// # Errors
/// When the engine does not answer.
pub async fn describe(
    engine: &Engine,
    ids: Vec<String>,
) -> Result<(Vec<ContainerMeta>, Vec<String>), EngineError> {
    let found: Vec<_> = stream::iter(ids)
        .map(|id| async move {
            let found = inspect(engine, &id).await;
            (id, found)
        })
        .buffer_unordered(PARALLEL)
        .collect()
        .await;
    let mut all = Vec::with_capacity(found.len());
    let mut refused = Vec::new();
    for (id, one) in found {
        match one {
            Ok(one) => all.extend(one.as_ref().map(meta)),
            Err(error) if error.is_down() => return Err(error),
            Err(error) => {
                tracing::debug!(container = id, %error, "a container is not described");
                refused.push(id);
            }
        }
    }
    Ok((all, refused))
}

/// The engine's images, and its counts.
///
/// # Errors
/// When the engine does not answer.
pub async fn engine_facts(engine: &Engine) -> Result<(EngineFacts, Vec<ImageMeta>), EngineError> {
    let info = engine
        .call("describe itself", CALL_DEADLINE, engine.docker().info())
        .await?;
    let count = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    let facts = EngineFacts {
        id: info.id.unwrap_or_default(),
        containers: count(info.containers),
        running: count(info.containers_running),
        paused: count(info.containers_paused),
        stopped: count(info.containers_stopped),
        images: count(info.images),
    };
    let options = ListImagesOptionsBuilder::new().build();
    let list = engine.docker().list_images(Some(options));
    let images = engine.call("list images", CALL_DEADLINE, list).await?;
    let images = images
        .into_iter()
        .map(|image| ImageMeta {
            id: image.id,
            parent: image.parent_id,
            created_ms: image.created.saturating_mul(1000),
            size: image.size,
            tags: image.repo_tags,
            labels: image.labels.into_iter().collect(),
        })
        .collect();
    Ok((facts, images))
}

/// An event as the collectors want it.
#[must_use]
pub fn event(event: &Event) -> EngineEvent {
    EngineEvent {
        time_ns: event.at_ns,
        action: event.action.clone(),
        kind: event.kind.clone(),
        actor_id: event.actor.clone(),
        attributes: event.attributes.iter().cloned().collect(),
    }
}

fn meta(found: &ContainerInspectResponse) -> ContainerMeta {
    let config = found.config.as_ref();
    let host = found.host_config.as_ref();
    let state = found.state.as_ref();
    let labels: BTreeMap<String, String> = config
        .and_then(|config| config.labels.clone())
        .map(|labels| labels.into_iter().collect())
        .unwrap_or_default();
    let networks = found
        .network_settings
        .as_ref()
        .and_then(|net| net.networks.as_ref());
    let mut addresses: Vec<String> = networks
        .into_iter()
        .flat_map(|networks| networks.values())
        .flat_map(|end| [end.ip_address.clone(), end.global_ipv6_address.clone()])
        .flatten()
        .filter(|address| !address.is_empty())
        .collect();
    addresses.sort();
    let mut command = found.path.clone().unwrap_or_default();
    for argument in found.args.iter().flatten() {
        command.push(' ');
        command.push_str(argument);
    }
    let status = state
        .and_then(|state| state.status)
        .map(|status| status.to_string());
    ContainerMeta {
        id: found.id.clone().unwrap_or_default(),
        name: found
            .name
            .as_deref()
            .unwrap_or_default()
            .trim_start_matches('/')
            .to_owned(),
        image: config
            .and_then(|config| config.image.clone())
            .unwrap_or_default(),
        image_id: found.image.clone().unwrap_or_default(),
        command,
        owner: owner(&labels),
        application: None,
        labels,
        pid: state
            .and_then(|state| state.pid)
            .and_then(|pid| u32::try_from(pid).ok())
            .filter(|pid| *pid > 0),
        created_ms: found.created.as_deref().and_then(time_ms).unwrap_or(0),
        started_ms: state
            .and_then(|state| state.started_at.as_deref())
            .and_then(time_ms),
        finished_ms: state
            .and_then(|state| state.finished_at.as_deref())
            .and_then(time_ms),
        state: ContainerState::parse(status.as_deref().unwrap_or_default()),
        exit_code: state.and_then(|state| state.exit_code),
        out_of_memory: state.and_then(|state| state.oom_killed).unwrap_or(false),
        restarts: found
            .restart_count
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(0),
        log_path: found.log_path.clone().filter(|path| !path.is_empty()),
        health: state
            .and_then(|state| state.health.as_ref())
            .and_then(health),
        cgroup_parent: host
            .and_then(|host| host.cgroup_parent.clone())
            .filter(|parent| !parent.is_empty()),
        memory_limit: host
            .and_then(|host| host.memory)
            .and_then(|memory| u64::try_from(memory).ok())
            .filter(|memory| *memory > 0),
        ip_addresses: addresses,
        host_network: host.and_then(|host| host.network_mode.as_deref()) == Some("host"),
        size_rw: None,
        size_root_fs: None,
    }
}

fn owner(labels: &BTreeMap<String, String>) -> Option<Owner> {
    let label = |key: &str| labels.get(key).cloned().unwrap_or_default();
    if label(labels::ROLE) != labels::INSTANCE_ROLE {
        return None;
    }
    let named = |id: &str, name: &str| NamedId {
        id: label(id),
        name: label(name),
    };
    Some(Owner {
        deployment: named(labels::DEPLOYMENT, labels::DEPLOYMENT_NAME),
        resource: named(labels::RESOURCE, labels::RESOURCE_NAME),
        instance: named(labels::INSTANCE, labels::INSTANCE_NAME),
    })
}

fn health(of: &DockerHealth) -> Option<Health> {
    let status = of
        .status
        .map(|status| status.to_string())
        .unwrap_or_default();
    if status.is_empty() || status == "none" {
        return None;
    }
    let last = of
        .log
        .as_ref()
        .and_then(|log| log.last())
        .map(|probe| HealthProbe {
            start_ms: probe.start.as_deref().and_then(time_ms).unwrap_or(0),
            end_ms: probe.end.as_deref().and_then(time_ms).unwrap_or(0),
            exit_code: probe.exit_code.unwrap_or(0),
            output: probe
                .output
                .as_deref()
                .unwrap_or_default()
                .chars()
                .take(MAX_OUTPUT)
                .collect(),
        });
    Some(Health {
        status,
        failing_streak: of
            .failing_streak
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0),
        last,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inspection_is_described_without_its_environment() {
        let text = r#"{"Id":"abc","Name":"/web","Path":"/bin/sh","Args":["-c","x"],"Image":"sha256:1",
            "Created":"2024-01-02T03:04:05Z","LogPath":"/l","State":{"Status":"running","Pid":7,
            "StartedAt":"2024-01-02T03:04:06Z","Health":{"Status":"healthy","FailingStreak":0,"Log":[]}},
            "HostConfig":{"NetworkMode":"host","Memory":1024},"Config":{"Image":"nginx:1","Env":["SECRET=1"],
            "Labels":{"io.wharfinger.role":"instance","io.wharfinger.deployment":"d"}}}"#;
        let found: ContainerInspectResponse = serde_json::from_str(text).unwrap();
        let meta = meta(&found);
        assert_eq!(
            (meta.name.as_str(), meta.image.as_str(), meta.pid),
            ("web", "nginx:1", Some(7))
        );
        assert_eq!(meta.state, ContainerState::Running);
        assert_eq!(meta.owner.as_ref().unwrap().deployment.id, "d");
        assert!(meta.host_network);
        assert!(!format!("{meta:?}").contains("SECRET"));
    }
}
