//! The containers of director, allocator and proxy: what each is made from, and keeping it so.
//!
//! Invariants: a role's container carries a hash of everything it was made from, so one that is right
//! is left alone and one that is not is replaced; a replacement is made only after the old one
//! stopped; only the allocator reaches the engine's socket and the host's files, and no role is
//! privileged; the secrets of a host's other roles are hidden from the proxy and the director. Not
//! here: which roles a host has (`host_roles_task.rs`, `host.rs`).

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, RestartPolicy, RestartPolicyNameEnum,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use wharf_allocator_core::{
    limits::{self, RoleLimits},
    observed::RunState,
};

use super::{
    apply::{self, ApplyError, bind, confined, log_config},
    engine::{Engine, EngineError, socket_path},
    labels,
    observe::{Seen, inspect, list_ids, seen},
};
use crate::host::{Role, RoleSpec};

/// Where the allocator's container sees the host's root.
pub const HOST_ROOT: &str = "/host";
/// Names [`HOST_ROOT`] to the allocator's process.
pub const ENV_HOST_ROOT: &str = "WHARF_HOST_ROOT";
/// Names the engine's socket, as the allocator's container sees it.
pub const ENV_DOCKER_HOST: &str = "WHARF_DOCKER_HOST";

/// What [`ensure`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ran and was right.
    Unchanged,
    /// It was right and stood still.
    Started,
    /// There was none.
    Created,
    /// It was of another image or another make.
    Replaced,
}

/// The request that makes a role's container; the engine's root directory is mounted for the
/// allocator where it is known.
#[must_use]
pub fn body(
    spec: &RoleSpec,
    engine_root: Option<&Path>,
    limits: RoleLimits,
) -> ContainerCreateBody {
    let role = spec.role.as_str();
    let memory = i64::try_from(limits.memory_bytes)
        .ok()
        .filter(|bytes| *bytes > 0);
    let data = spec.data_dir.display().to_string();
    let mut host = HostConfig {
        network_mode: Some("host".to_owned()),
        memory,
        memory_swap: memory,
        pids_limit: (limits.pids > 0).then_some(i64::from(limits.pids)),
        log_config: Some(log_config()),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::ALWAYS),
            maximum_retry_count: None,
        }),
        mounts: Some(vec![bind(&spec.data_dir, &data, false)]),
        ..confined()
    };
    // What the host's collectors read level and part of the program from.
    let mut env = vec!["WHARF_LOG_FORMAT=json".to_owned()];
    match spec.role {
        Role::Allocator => {
            host.cap_add = Some(
                ["DAC_READ_SEARCH", "SYS_PTRACE", "NET_RAW"]
                    .map(str::to_owned)
                    .to_vec(),
            );
            // Reading /proc/<pid> of processes outside a profile is what the default one forbids.
            host.security_opt = Some(vec![
                "no-new-privileges".to_owned(),
                "apparmor=unconfined".to_owned(),
            ]);
            let mounts = host.mounts.get_or_insert_default();
            mounts.extend(host_mounts(engine_root));
            env.push(format!("{ENV_HOST_ROOT}={HOST_ROOT}"));
            // Through the root's mount, not as a file of its own: an engine that restarts makes a
            // new socket, and a mounted file would go on being the old one.
            env.push(format!(
                "{ENV_DOCKER_HOST}={}",
                seen_inside(&spec.docker_host)
            ));
        }
        Role::Director => hide(
            &mut host,
            &spec.data_dir,
            &["instances", "allocator", "proxy"],
        ),
        Role::Proxy => hide(
            &mut host,
            &spec.data_dir,
            &["instances", "director", "allocator"],
        ),
    }
    let mut body = ContainerCreateBody {
        image: Some(spec.image_id.clone()),
        cmd: Some(vec![
            "run".to_owned(),
            role.to_owned(),
            "--data-dir".to_owned(),
            data,
        ]),
        env: Some(env),
        stop_timeout: Some(i64::from(apply::STOP_SECONDS)),
        host_config: Some(host),
        labels: Some(HashMap::from([
            (labels::PLATFORM.to_owned(), spec.platform_id.clone()),
            (labels::ROLE.to_owned(), role.to_owned()),
        ])),
        ..ContainerCreateBody::default()
    };
    let hash = hash(&body);
    body.labels
        .get_or_insert_default()
        .insert(labels::SPEC.to_owned(), hash);
    body
}

fn host_mounts(engine_root: Option<&Path>) -> Vec<Mount> {
    // No propagation is asked for at the root: the engine then takes rslave, as it must for what holds
    // its own directory, and a private copy where the host does not share its root. Asked for
    // explicitly, it would be refused there.
    let mut mounts = vec![
        bind(Path::new("/"), HOST_ROOT, true),
        bind(Path::new("/proc"), "/host/proc", true),
        bind(Path::new("/sys/fs/cgroup"), "/host/sys/fs/cgroup", true),
    ];
    if let Some(engine_root) = engine_root {
        mounts.push(bind(engine_root, &engine_root.display().to_string(), true));
    }
    mounts
}

/// Covers folders of other roles with empty ones.
fn hide(host: &mut HostConfig, data_dir: &Path, folders: &[&str]) {
    let tmpfs = host.tmpfs.get_or_insert_default();
    for folder in folders {
        let path = data_dir.join(folder).display().to_string();
        tmpfs.insert(path, "ro,noexec,nosuid,size=4k".to_owned());
    }
}

/// The engine's address as the allocator's container reaches it.
fn seen_inside(docker_host: &str) -> String {
    let path = socket_path(docker_host).unwrap_or_else(|_| "/var/run/docker.sock".to_owned());
    // A link like /var/run -> /run would lead back into the container's own root.
    let real = std::fs::canonicalize(&path).unwrap_or_else(|_| PathBuf::from(path));
    format!("unix://{HOST_ROOT}{}", real.display())
}

/// A hash of the request that does not depend on the order of its maps.
fn hash(body: &ContainerCreateBody) -> String {
    let value = serde_json::to_value(body).unwrap_or_default();
    let mut text = String::new();
    canonical(&value, &mut text);
    hex::encode(&Sha256::digest(text.as_bytes())[..16])
}

fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            out.push('{');
            for (key, value) in map.iter().collect::<BTreeMap<_, _>>() {
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for value in list {
                canonical(value, out);
                out.push(',');
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

/// Makes the role's container what it should be and running.
///
/// # Errors
/// When its name is taken by a container that is not this platform's, or the engine refuses.
pub async fn ensure(engine: &Engine, spec: &RoleSpec) -> Result<(String, Outcome), ApplyError> {
    for folder in ["director", "allocator", "proxy", "instances"] {
        // Covered folders must exist; that of a role that is not here is simply empty.
        let dir = spec.data_dir.join(folder);
        if let Err(source) = make_dir(&dir) {
            tracing::debug!(dir = %dir.display(), %source, "a folder of the data directory is not made");
        }
    }
    let facts = engine.facts().await?;
    let mut limits = limits::role_limits(spec.asked, facts.memory_bytes);
    if !facts.pids_limit {
        limits.pids = 0;
    }
    let engine_root = match spec.role {
        Role::Allocator => Some(PathBuf::from(facts.root_dir)),
        Role::Director | Role::Proxy => None,
    };
    let body = body(
        spec,
        engine_root.as_deref().filter(|root| root.is_absolute()),
        limits,
    );
    let wanted = body
        .labels
        .as_ref()
        .and_then(|labels| labels.get(labels::SPEC))
        .cloned();
    let wanted = wanted.unwrap_or_default();
    let name = labels::role_container(&spec.platform_name, spec.role.as_str());
    // A name may be taken by somebody who made the same container at the same time.
    for _ in 0..3 {
        let found = of_role(engine, &spec.platform_id, spec.role).await?;
        let right = |one: &Seen| {
            one.name == name
                && one.observed.spec_hash == wanted
                && one.observed.image_id == spec.image_id
        };
        let mut outcome = Outcome::Created;
        let mut kept = None;
        for one in &found {
            if kept.is_none() && right(one) {
                kept = Some(one);
            } else {
                apply::stop(engine, &one.observed.id).await?;
                apply::remove(engine, &one.observed.id, true).await?;
                outcome = Outcome::Replaced;
            }
        }
        if let Some(kept) = kept {
            let id = kept.observed.id.clone();
            if matches!(kept.observed.state, RunState::Running | RunState::Changing) {
                return Ok((id, Outcome::Unchanged));
            }
            match start(engine, &id).await {
                Ok(()) => return Ok((id, Outcome::Started)),
                // An engine that was killed may refuse to start what it forgot half: made anew.
                Err(ApplyError::Start(why)) => {
                    tracing::warn!(container = name, why, "cannot be started, is made anew");
                    apply::remove(engine, &id, true).await?;
                    outcome = Outcome::Replaced;
                }
                Err(error) => return Err(error),
            }
        }
        match apply::create(engine, &name, body.clone()).await {
            Ok(id) => {
                start(engine, &id).await?;
                return Ok((id, outcome));
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
        if of_role(engine, &spec.platform_id, spec.role)
            .await?
            .is_empty()
        {
            break;
        }
    }
    Err(ApplyError::NameTaken(name))
}

async fn start(engine: &Engine, id: &str) -> Result<(), ApplyError> {
    match apply::start(engine, id).await {
        Err(EngineError::Refused {
            message, status, ..
        }) if status != 404 => Err(ApplyError::Start(message)),
        other => Ok(other?),
    }
}

/// The containers of one role.
///
/// # Errors
/// When the engine does not answer.
pub async fn of_role(
    engine: &Engine,
    platform_id: &str,
    role: Role,
) -> Result<Vec<Seen>, EngineError> {
    let mut found = Vec::new();
    for id in list_ids(engine, &labels::role_filter(platform_id, role.as_str())).await? {
        if let Some(container) = inspect(engine, &id).await? {
            let one = seen(&container);
            if one.observed.platform_id == platform_id && one.role == role.as_str() {
                found.push(one);
            }
        }
    }
    Ok(found)
}

fn make_dir(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(role: Role) -> RoleSpec {
        RoleSpec {
            role,
            platform_id: "f".repeat(32),
            platform_name: "test".into(),
            data_dir: PathBuf::from("/var/lib/wharfinger/test"),
            image_id: "sha256:1".into(),
            docker_host: "unix:///nonexistent/docker.sock".into(),
            asked: RoleLimits::default(),
        }
    }

    const LIMITS: RoleLimits = RoleLimits {
        memory_bytes: 1 << 30,
        pids: 99,
    };

    #[test]
    fn a_role_is_limited_where_the_engine_can() {
        let host = body(&spec(Role::Proxy), None, LIMITS).host_config.unwrap();
        assert_eq!(
            (host.memory, host.memory_swap, host.pids_limit),
            (Some(1 << 30), Some(1 << 30), Some(99))
        );
        let free = RoleLimits::default();
        let host = body(&spec(Role::Proxy), None, free).host_config.unwrap();
        assert_eq!((host.memory, host.pids_limit), (None, None));
    }

    #[test]
    fn only_the_allocator_has_capabilities_and_the_hosts_files() {
        for role in Role::ALL {
            let host = body(&spec(role), None, LIMITS).host_config.unwrap();
            assert_eq!(host.privileged, None);
            assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
            let mounts = host.mounts.unwrap();
            let reaches = mounts
                .iter()
                .any(|mount| mount.source.as_deref() == Some("/"));
            assert_eq!(
                (host.cap_add.is_some(), reaches),
                (role == Role::Allocator, role == Role::Allocator)
            );
            assert!(
                mounts[1..]
                    .iter()
                    .all(|mount| mount.read_only == Some(true))
            );
        }
        let proxy = body(&spec(Role::Proxy), None, LIMITS).host_config.unwrap();
        assert!(
            proxy
                .tmpfs
                .unwrap()
                .contains_key("/var/lib/wharfinger/test/director")
        );
    }

    #[test]
    fn the_same_role_hashes_the_same_and_another_image_does_not() {
        let hash_of =
            |spec: &RoleSpec| body(spec, None, LIMITS).labels.unwrap()[labels::SPEC].clone();
        let one = spec(Role::Proxy);
        for _ in 0..20 {
            assert_eq!(hash_of(&one), hash_of(&one.clone()));
        }
        let other = RoleSpec {
            image_id: "sha256:2".into(),
            ..one.clone()
        };
        assert_ne!(hash_of(&one), hash_of(&other));
    }
}
