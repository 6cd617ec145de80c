//! Instances as containers: made with every limit, started, stopped, removed.
//!
//! Invariants: an instance's container has a read-only root, no capability, no new privileges, no
//! environment and no secret in its arguments; its memory limit includes swap; its port is published
//! on the advertised address only; the engine never restarts it. Making one that exists already is
//! no error when it is the same instance's. Not here: when (`reconcile_task.rs`), and the files that
//! are mounted (`ledger.rs`, `secrets.rs`).

use std::{collections::HashMap, path::Path};

use bollard::{
    models::{
        ContainerCreateBody, HostConfig, HostConfigLogConfig, Mount, MountType, PortBinding,
        ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
    },
    query_parameters::{
        CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder,
    },
};
use wharf_allocator_core::limits::Limits;
use wharf_proto::v1;
use wharf_runtime::platform_file::PlatformFile;

use super::{
    engine::{CALL_DEADLINE, Engine, EngineError, SLOW_DEADLINE},
    image, labels,
};

/// How long an instance may take to end before it is killed.
pub const STOP_SECONDS: i32 = 30;
/// The port that an instance listens on inside its container.
pub const INSTANCE_PORT: u16 = 9200;

/// Why a container could not be made or started.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApplyError {
    /// The engine refused for a reason of its own, or is down.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// ALL0011
    #[error("the engine could not start the instance: {0}")]
    Start(String),
    /// ALL0012
    #[error("port {0} of {1} is taken by another program; free it, or move the instance")]
    PortTaken(u32, String),
    /// ALL0013
    #[error(
        "the container name {0} is taken by a container that is not this platform's; rename it"
    )]
    NameTaken(String),
    /// ALL0017
    #[error("{0} is not an address of this host; correct the advertised address")]
    NoAddress(String),
}

impl ApplyError {
    /// The code, with a page in `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.code(),
            Self::Start(_) => "ALL0011",
            Self::PortTaken(..) => "ALL0012",
            Self::NameTaken(_) => "ALL0013",
            Self::NoAddress(_) => "ALL0017",
        }
    }
}

/// What an instance's container is made from.
#[derive(Debug, Clone, Copy)]
pub struct InstanceContainer<'a> {
    /// The platform.
    pub platform: &'a PlatformFile,
    /// `<data>/instances/<id>`, with `data/` and `secrets/` in it.
    pub directory: &'a Path,
    /// What the director assigned.
    pub assigned: &'a v1::AssignedInstance,
    /// The assignment's generation.
    pub generation: u64,
    /// The image's content id.
    pub image_id: &'a str,
    /// The limits, already within the host's.
    pub limits: Limits,
    /// Whether the engine can enforce CPU quotas.
    pub cpu_quota: bool,
    /// Whether the engine can limit processes.
    pub pids_limit: bool,
}

/// Log options of every container: rotated, bounded.
#[must_use]
pub fn log_config() -> HostConfigLogConfig {
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(HashMap::from([
            ("max-size".to_owned(), "10m".to_owned()),
            ("max-file".to_owned(), "3".to_owned()),
        ])),
    }
}

/// A bind mount.
#[must_use]
pub fn bind(source: &Path, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source.display().to_string()),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Mount::default()
    }
}

/// The request that makes an instance's container.
#[must_use]
pub fn instance_body(of: &InstanceContainer<'_>) -> ContainerCreateBody {
    let assigned = of.assigned;
    let limits = of.limits;
    let on_host = on_host_network(assigned);
    let port = format!("{INSTANCE_PORT}/tcp");
    let published = PortBinding {
        host_ip: Some(of.platform.advertised_address.clone()),
        host_port: Some(assigned.port.to_string()),
    };
    let memory = i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX);
    let host_config = HostConfig {
        memory: Some(memory),
        memory_swap: Some(memory),
        nano_cpus: of
            .cpu_quota
            .then(|| i64::try_from(limits.nano_cpus).unwrap_or(i64::MAX)),
        pids_limit: of.pids_limit.then_some(i64::from(limits.pids)),
        ulimits: Some(vec![open_files(limits.open_files)]),
        log_config: Some(log_config()),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        network_mode: on_host.then(|| "host".to_owned()),
        port_bindings: (!on_host).then(|| HashMap::from([(port.clone(), Some(vec![published]))])),
        mounts: Some(vec![
            bind(&of.directory.join("data"), "/data", false),
            bind(&of.directory.join("secrets"), "/secrets", true),
        ]),
        ..confined()
    };
    ContainerCreateBody {
        image: Some(of.image_id.to_owned()),
        cmd: Some(command(of)),
        hostname: (!on_host).then(|| assigned.instance_name.clone()),
        exposed_ports: (!on_host).then(|| vec![port]),
        labels: Some(instance_labels(of)),
        stop_timeout: Some(i64::from(STOP_SECONDS)),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    }
}

/// A monitoring node lives in the host's network: it calls the proxy at the advertised address, which
/// may be loopback, and receivers of messages outside. It listens on its assigned port alone.
fn on_host_network(assigned: &v1::AssignedInstance) -> bool {
    assigned.engine == "monitor"
}

/// What confines every container of ours.
pub(crate) fn confined() -> HostConfig {
    HostConfig {
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        tmpfs: Some(HashMap::from([(
            "/tmp".to_owned(),
            "rw,noexec,nosuid,size=64m".to_owned(),
        )])),
        ..HostConfig::default()
    }
}

pub(crate) fn open_files(limit: u32) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some("nofile".to_owned()),
        soft: Some(i64::from(limit)),
        hard: Some(i64::from(limit)),
    }
}

fn command(of: &InstanceContainer<'_>) -> Vec<String> {
    let assigned = of.assigned;
    let engine = match assigned.engine.as_str() {
        "" => "store",
        engine => engine,
    };
    let listen = if on_host_network(assigned) {
        let address = &of.platform.advertised_address;
        if address.contains(':') {
            format!("[{address}]:{}", assigned.port)
        } else {
            format!("{address}:{}", assigned.port)
        }
    } else {
        format!("0.0.0.0:{INSTANCE_PORT}")
    };
    let mut command = vec!["run".to_owned(), engine.to_owned()];
    let disk = assigned.size.as_ref().map_or(0, |size| size.disk_bytes);
    for (flag, value) in [
        ("--data-dir", "/data".to_owned()),
        ("--secrets-dir", "/secrets".to_owned()),
        ("--listen", listen),
        ("--memory-bytes", of.limits.memory_bytes.to_string()),
        ("--disk-bytes", disk.to_string()),
        ("--instance-id", assigned.instance_id.clone()),
        ("--instance-name", assigned.instance_name.clone()),
        ("--deployment-id", assigned.deployment_id.clone()),
        ("--deployment-name", assigned.deployment_name.clone()),
        ("--resource-id", assigned.resource_id.clone()),
        ("--platform-id", of.platform.platform_id.clone()),
    ] {
        command.push(flag.to_owned());
        command.push(value);
    }
    command
}

fn instance_labels(of: &InstanceContainer<'_>) -> HashMap<String, String> {
    let assigned = of.assigned;
    [
        (labels::PLATFORM, of.platform.platform_id.clone()),
        (labels::ROLE, labels::INSTANCE_ROLE.to_owned()),
        (labels::DEPLOYMENT, assigned.deployment_id.clone()),
        (labels::DEPLOYMENT_NAME, assigned.deployment_name.clone()),
        (labels::RESOURCE, assigned.resource_id.clone()),
        (labels::RESOURCE_NAME, assigned.resource_kind.clone()),
        (labels::INSTANCE, assigned.instance_id.clone()),
        (labels::INSTANCE_NAME, assigned.instance_name.clone()),
        (labels::SPEC, assigned.spec_hash.clone()),
        (labels::GENERATION, of.generation.to_string()),
        (labels::PORT, assigned.port.to_string()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// Makes an instance's container and returns its id; not started yet.
///
/// # Errors
/// When both its names are taken by others, or the engine refuses.
pub async fn create_instance(
    engine: &Engine,
    of: &InstanceContainer<'_>,
) -> Result<String, ApplyError> {
    let assigned = of.assigned;
    let mut last = String::new();
    for taken in [false, true] {
        let name = labels::instance_container(
            &of.platform.name,
            &assigned.alias,
            &assigned.instance_name,
            &assigned.instance_id,
            taken,
        );
        match create(engine, &name, instance_body(of)).await {
            Ok(id) => return Ok(id),
            Err(error) if error.is_conflict() => {
                // Half of an earlier attempt, whose answer was lost, is what we wanted.
                let same = [
                    (labels::PLATFORM, &of.platform.platform_id),
                    (labels::INSTANCE, &assigned.instance_id),
                    (labels::SPEC, &assigned.spec_hash),
                ];
                if let Some(id) = labelled_so(engine, &name, &same).await? {
                    return Ok(id);
                }
                last = name;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApplyError::NameTaken(last))
}

/// The id of the container of that name, when it carries these labels.
async fn labelled_so(
    engine: &Engine,
    name: &str,
    wanted: &[(&str, &String)],
) -> Result<Option<String>, EngineError> {
    let inspect = engine.docker().inspect_container(name, None);
    match engine
        .call("inspect a container", CALL_DEADLINE, inspect)
        .await
    {
        Ok(found) => {
            let labels = found
                .config
                .and_then(|config| config.labels)
                .unwrap_or_default();
            let same = wanted
                .iter()
                .all(|(key, value)| labels.get(*key) == Some(value));
            Ok(if same { found.id } else { None })
        }
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes a container.
pub(crate) async fn create(
    engine: &Engine,
    name: &str,
    mut body: ContainerCreateBody,
) -> Result<String, EngineError> {
    if let Some(id) = &body.image {
        body.image = Some(image::name_of(engine, id).await?);
    }
    let options = CreateContainerOptionsBuilder::new().name(name).build();
    let create = engine.docker().create_container(Some(options), body);
    let made = engine
        .call("create a container", SLOW_DEADLINE, create)
        .await?;
    for warning in made.warnings {
        tracing::warn!(
            container = name,
            warning,
            "the engine warns about a container"
        );
    }
    Ok(made.id)
}

/// Starts a container.
pub(crate) async fn start(engine: &Engine, container: &str) -> Result<(), EngineError> {
    let start = engine.docker().start_container(container, None);
    engine.call("start a container", SLOW_DEADLINE, start).await
}

/// Starts an instance's container, and says in its own words what hinders it.
///
/// # Errors
/// Coded: the port is taken, the address is not the host's, or whatever the engine says.
pub async fn start_instance(
    engine: &Engine,
    container: &str,
    address: &str,
    port: u32,
) -> Result<(), ApplyError> {
    match start(engine, container).await {
        Ok(()) => Ok(()),
        Err(EngineError::Refused {
            message, status, ..
        }) if status != 404 => Err(start_error(&message, address, port)),
        Err(error) => Err(error.into()),
    }
}

fn start_error(message: &str, address: &str, port: u32) -> ApplyError {
    let lower = message.to_lowercase();
    if lower.contains("port is already allocated") || lower.contains("address already in use") {
        ApplyError::PortTaken(port, address.to_owned())
    } else if lower.contains("cannot assign requested address") {
        ApplyError::NoAddress(address.to_owned())
    } else {
        ApplyError::Start(message.to_owned())
    }
}

/// Stops a container, killing it after [`STOP_SECONDS`]. One that is gone or stopped is no error.
///
/// # Errors
/// When the engine refuses or is down.
pub async fn stop(engine: &Engine, container: &str) -> Result<(), EngineError> {
    let options = StopContainerOptionsBuilder::new().t(STOP_SECONDS).build();
    let stop = engine.docker().stop_container(container, Some(options));
    match engine.call("stop a container", SLOW_DEADLINE, stop).await {
        Err(error) if error.is_missing() => Ok(()),
        other => other,
    }
}

/// Removes a stopped container with its anonymous volumes. One that is gone is no error.
///
/// # Errors
/// When the engine refuses or is down.
pub async fn remove(engine: &Engine, container: &str, force: bool) -> Result<(), EngineError> {
    let options = RemoveContainerOptionsBuilder::new()
        .v(true)
        .force(force)
        .build();
    let remove = engine.docker().remove_container(container, Some(options));
    match engine
        .call("remove a container", SLOW_DEADLINE, remove)
        .await
    {
        Err(error) if error.is_missing() || in_progress(&error) => Ok(()),
        other => other,
    }
}

fn in_progress(error: &EngineError) -> bool {
    matches!(error, EngineError::Refused { message, .. } if message.contains("already in progress"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_runtime::platform_file::Ports;

    pub(crate) fn platform() -> PlatformFile {
        PlatformFile {
            platform_id: "f".repeat(32),
            name: "test".into(),
            domain: "localhost".into(),
            advertised_address: "127.0.0.1".into(),
            bind_address: "127.0.0.1".into(),
            zone: "zone-1".into(),
            host: "h".into(),
            ports: Ports::default(),
            directors: vec![],
        }
    }

    #[test]
    fn an_instance_is_confined_limited_and_published_on_one_address() {
        let platform = platform();
        let assigned = v1::AssignedInstance {
            instance_id: "1".repeat(32),
            instance_name: "storage-0".into(),
            port: 18000,
            secrets: Some(v1::InstanceSecrets {
                identity_pem: "SECRET".into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let body = instance_body(&InstanceContainer {
            platform: &platform,
            directory: Path::new("/d/instances/1"),
            assigned: &assigned,
            generation: 4,
            image_id: "sha256:1",
            limits: Limits {
                memory_bytes: 1 << 30,
                nano_cpus: 5,
                pids: 6,
                open_files: 7,
            },
            cpu_quota: true,
            pids_limit: true,
        });
        let text = serde_json::to_string(&body).unwrap();
        assert!(!text.contains("SECRET"), "a secret in the request: {text}");
        assert_eq!(body.env, None);
        let host = body.host_config.unwrap();
        assert_eq!(
            (host.memory, host.memory_swap),
            (Some(1 << 30), Some(1 << 30))
        );
        assert_eq!(host.readonly_rootfs, Some(true));
        assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(
            host.restart_policy.unwrap().name,
            Some(RestartPolicyNameEnum::NO)
        );
        let bindings = &host.port_bindings.unwrap()["9200/tcp"];
        assert_eq!(
            bindings.as_ref().unwrap()[0].host_ip.as_deref(),
            Some("127.0.0.1")
        );
    }

    #[test]
    fn a_monitoring_node_is_confined_and_listens_on_its_port_of_the_hosts_network() {
        let mut platform = platform();
        let assigned = v1::AssignedInstance {
            engine: "monitor".into(),
            port: 18001,
            ..Default::default()
        };
        for (address, listen) in [
            ("127.0.0.1", "127.0.0.1:18001"),
            ("fd00::1", "[fd00::1]:18001"),
        ] {
            platform.advertised_address = address.into();
            let body = instance_body(&InstanceContainer {
                platform: &platform,
                directory: Path::new("/d/instances/1"),
                assigned: &assigned,
                generation: 4,
                image_id: "sha256:1",
                limits: Limits {
                    memory_bytes: 1 << 28,
                    nano_cpus: 5,
                    pids: 6,
                    open_files: 7,
                },
                cpu_quota: true,
                pids_limit: true,
            });
            let command = body.cmd.unwrap();
            assert_eq!(command[..2], ["run", "monitor"]);
            let flag = command.iter().position(|word| word == "--listen").unwrap();
            assert_eq!(command[flag + 1], listen);
            assert_eq!(
                body.hostname, None,
                "the engine refuses it on the host's network"
            );
            let host = body.host_config.unwrap();
            assert_eq!(host.network_mode.as_deref(), Some("host"));
            assert_eq!(host.port_bindings, None);
            assert_eq!(host.readonly_rootfs, Some(true));
            assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
            assert_eq!(host.memory, Some(1 << 28));
        }
    }

    #[test]
    fn a_taken_port_is_told_from_other_failures() {
        let taken = "driver failed programming external connectivity: Bind for 127.0.0.1:18000 failed: port is already allocated";
        assert_eq!(start_error(taken, "127.0.0.1", 18000).code(), "ALL0012");
        let address = "listen tcp4 10.9.9.9:18000: bind: cannot assign requested address";
        assert_eq!(start_error(address, "10.9.9.9", 18000).code(), "ALL0017");
        assert_eq!(start_error("exec: no such file", "a", 1).code(), "ALL0011");
    }
}
