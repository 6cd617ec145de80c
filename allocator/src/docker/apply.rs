//! Instances as containers: made with every limit, started, stopped, removed.
//!
//! Invariants: an instance's container has a read-only root, no capability, no new privileges, no
//! environment and no secret in its arguments; its memory limit includes swap; its port is published
//! on the advertised address only; the engine never restarts it. Making one that exists already is
//! no error when it is the same instance's. Not here: when (`reconcile_task.rs`), and the files that
//! are mounted (`ledger.rs`, `secrets.rs`).

use std::{collections::HashMap, io, net::IpAddr, path::Path};

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
use wharf_runtime::{net, platform_file::PlatformFile};

use super::{
    engine::{CALL_DEADLINE, Engine, EngineError, SLOW_DEADLINE},
    image, labels,
};

/// How long an instance may take to end before it is killed.
pub const STOP_SECONDS: i32 = 30;
/// The port that an instance listens on inside its container.
pub const INSTANCE_PORT: u16 = 9200;

/// Where the folder for snapshots is inside a container.
const REPOSITORY: &str = "/repository";

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
    /// ALL0020
    #[error("the platform's image is not on the engine; it is loaded again: {0}")]
    NoImage(String),
    /// ALL0026
    #[error(
        "the folder {0} for snapshots is not on this host; mount it there, it is never made by the platform"
    )]
    NoRepository(String),
    /// ALL0027
    #[error(
        "the folder {0} for snapshots is, holds or lies in this host's data directory; give the repository another one"
    )]
    OwnRepository(String),
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
            Self::NoImage(_) => "ALL0020",
            Self::NoRepository(_) => "ALL0026",
            Self::OwnRepository(_) => "ALL0027",
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
        mounts: Some(mounts(of)),
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

fn mounts(of: &InstanceContainer<'_>) -> Vec<Mount> {
    let mut mounts = vec![
        bind(&of.directory.join("data"), "/data", false),
        bind(&of.directory.join("secrets"), "/secrets", true),
    ];
    // A bind mount of this kind is refused by the engine when its source is not there.
    let repository = Path::new(&of.assigned.repository_path);
    if repository.is_absolute() {
        mounts.push(bind(repository, REPOSITORY, false));
    }
    mounts
}

/// A monitoring node lives in the host's network: it calls the proxy at the advertised address, which
/// may be loopback, and receivers of messages outside. It listens on its assigned port alone.
pub(crate) fn on_host_network(assigned: &v1::AssignedInstance) -> bool {
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
            // There is nothing else yet that could be missing.
            Err(error) if error.is_missing() => return Err(ApplyError::NoImage(error.to_string())),
            Err(error) if lacks_repository(&error, assigned) => {
                return Err(ApplyError::NoRepository(assigned.repository_path.clone()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApplyError::NameTaken(last))
}

/// Refuses a folder for snapshots by which an instance would reach what is the platform's on this host.
///
/// # Errors
/// When either lies in the other.
pub fn find_repository_apart(path: &str, data_dir: &Path) -> Result<(), ApplyError> {
    let folder = Path::new(path);
    if path.is_empty() || !(folder.starts_with(data_dir) || data_dir.starts_with(folder)) {
        return Ok(());
    }
    Err(ApplyError::OwnRepository(path.to_owned()))
}

/// Whether the engine refused because the folder for snapshots is not there.
fn lacks_repository(error: &EngineError, assigned: &v1::AssignedInstance) -> bool {
    let EngineError::Refused { message, .. } = error else {
        return false;
    };
    let path = &assigned.repository_path;
    let lacks = message
        .to_lowercase()
        .contains("source path does not exist");
    lacks && !path.is_empty() && message.trim_end().ends_with(path.as_str())
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

/// Asks the host whether a port is free, for an instance in the host's network: the engine publishes
/// nothing for it, and would start what can only end at once.
pub(crate) async fn find_port_free(address: &str, port: u32) -> Result<(), ApplyError> {
    let (Ok(ip), Ok(number)) = (address.parse::<IpAddr>(), u16::try_from(port)) else {
        return Ok(());
    };
    match net::bind((ip, number).into()).await {
        Err(error) if error.source.kind() == io::ErrorKind::AddrInUse => {
            Err(ApplyError::PortTaken(port, address.to_owned()))
        }
        Err(error) if error.source.kind() == io::ErrorKind::AddrNotAvailable => {
            Err(ApplyError::NoAddress(address.to_owned()))
        }
        // Whatever else there is, the instance says it itself.
        Ok(_) | Err(_) => Ok(()),
    }
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
mod tests;
