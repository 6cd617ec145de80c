//! What a host says without any role of the platform: the kernel's and the system's own files, the
//! files of the platform that are no secret, the loopback listeners of its roles, and the sockets of its
//! storage and monitoring nodes.

use std::{io::Read, path::Path, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use wharf_runtime::{
    disk, metrics_socket,
    net::{ClientOptions, HttpsClient},
    platform_file::PlatformFile,
};

use super::archive::Archive;

/// Largest file that is read.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// Largest answer of a role.
const MAX_ANSWER_BYTES: usize = 8 << 20;
const TIMEOUT: Duration = Duration::from_secs(5);
/// Instances whose secrets are looked for; a host holds fewer.
const MAX_INSTANCES: usize = 10_000;

/// What the kernel and the system say of themselves.
const SYSTEM_FILES: [&str; 13] = [
    "/etc/os-release",
    "/proc/version",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/vmstat",
    "/proc/mounts",
    "/proc/cgroups",
    "/proc/pressure/cpu",
    "/proc/pressure/memory",
    "/proc/pressure/io",
    "/proc/sys/vm/max_map_count",
];

/// Files of the platform in its data directory that say how it is set up.
const CONFIGS: [&str; 5] = [
    "platform.json",
    "allocator/allocator.json",
    "allocator/host-roles.json",
    "proxy/proxy.json",
    "director/bootstrap.json",
];

/// Files of the platform that hold secrets; read only to know what to remove.
const SECRETS: [&str; 7] = [
    "director/platform.key",
    "director/ca/authority.pem",
    "director/bootstrap.json",
    "director/identity.pem",
    "allocator/identity.pem",
    "allocator/destination.json",
    "proxy/identity.pem",
];

/// Knows the secrets that lie in the data directory, so that they are removed from everything.
pub(super) fn know_secrets(archive: &mut Archive, data_dir: &Path) {
    for name in SECRETS {
        if let Ok(text) = read(&data_dir.join(name)) {
            archive.redactor.know_file(&text);
        }
    }
    let instances = std::fs::read_dir(data_dir.join("instances"));
    for instance in instances
        .into_iter()
        .flatten()
        .flatten()
        .take(MAX_INSTANCES)
    {
        let files = std::fs::read_dir(instance.path().join("secrets"));
        for file in files.into_iter().flatten().flatten() {
            if let Ok(text) = read(&file.path()) {
                archive.redactor.know_file(&text);
            }
        }
    }
}

/// Adds what the host says.
pub(super) fn facts(archive: &mut Archive, data_dir: &Path) {
    for path in SYSTEM_FILES {
        match read(Path::new(path)) {
            Ok(text) => archive.text(&format!("host{path}"), &text),
            // Not every kernel has every one.
            Err(error) => archive.missing(&format!("host{path}"), &error.to_string()),
        }
    }
    match disk::space(data_dir) {
        Ok(space) => archive.json(
            "host/data_dir.json",
            &json!({
                "path": data_dir.display().to_string(),
                "total_bytes": space.total_bytes,
                "available_bytes": space.available_bytes,
            }),
        ),
        Err(error) => archive.missing("host/data_dir.json", &error.to_string()),
    }
}

/// Adds the platform's own files that are no secret; gives the platform's.
pub(super) fn configs(archive: &mut Archive, data_dir: &Path) -> Option<PlatformFile> {
    for name in CONFIGS {
        let inside = format!("config/{name}");
        let value = read(&data_dir.join(name))
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_str::<Value>(&text).map_err(|e| e.to_string()));
        match value {
            Ok(value) => archive.json(&inside, &value),
            Err(error) => archive.missing(&inside, &error),
        }
    }
    PlatformFile::read(data_dir).ok()
}

/// Adds health and metrics of the roles of this host, from their loopback listeners.
pub(super) async fn roles(archive: &mut Archive, platform: &PlatformFile, http: &HttpsClient) {
    let ports = &platform.ports;
    for (role, port) in [
        ("director", ports.director_metrics),
        ("allocator", ports.allocator_metrics),
        ("proxy", ports.proxy_metrics),
    ] {
        for page in ["health", "metrics"] {
            let inside = format!("roles/{role}/{page}.txt");
            match fetch(http, &format!("http://127.0.0.1:{port}/{page}")).await {
                Ok(text) => archive.text(&inside, &text),
                Err(why) => archive.missing(&inside, &why),
            }
        }
    }
}

/// Adds health and metrics of the storage and monitoring nodes of this host, from the sockets in their
/// data directories.
pub(super) async fn instances(archive: &mut Archive, data_dir: &Path) {
    let folder = data_dir.join("instances");
    let listed = match std::fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => return archive.missing("instances/", &error.to_string()),
    };
    for instance in listed.flatten().take(MAX_INSTANCES) {
        let id = instance.file_name().to_string_lossy().into_owned();
        let dir = instance.path().join("data");
        for page in ["health", "metrics"] {
            let inside = format!("instances/{id}/{page}.txt");
            let path = format!("/{page}");
            match metrics_socket::read(&dir, &path, MAX_ANSWER_BYTES, TIMEOUT).await {
                Ok((status, body)) => {
                    let body = String::from_utf8_lossy(&body);
                    archive.text(&inside, &format!("{status}\n{body}"));
                }
                Err(silence) => {
                    archive.missing(&inside, &silence.to_string());
                    break;
                }
            }
        }
    }
}

/// Time limits for what is near.
pub(super) fn near() -> ClientOptions {
    ClientOptions {
        connect_timeout: TIMEOUT,
        timeout: TIMEOUT,
        ..ClientOptions::default()
    }
}

async fn fetch(http: &HttpsClient, url: &str) -> Result<String, String> {
    let request = Request::get(url)
        .body(Full::new(Bytes::new()))
        .map_err(|error| error.to_string())?;
    let answer = http
        .fetch(request, MAX_ANSWER_BYTES)
        .await
        .map_err(|error| error.to_string())?;
    let body = String::from_utf8_lossy(answer.body()).into_owned();
    // A role that is not well says why with 503.
    Ok(format!("{}\n{body}", answer.status()))
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(MAX_FILE_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
