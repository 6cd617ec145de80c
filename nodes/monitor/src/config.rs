//! What a monitoring instance is told: where its data lies, where it listens, and the files of its
//! secrets directory, which may change while it runs.
//!
//! Invariants: files are at most a MiB and read strictly; no error holds a value of them.
//! Not here: flags (the binary), taking changes in (`secrets_task`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use wharf_runtime::data_dir::read_limited;
use wharf_runtime::delivery::{Channel, Secret};
use wharf_runtime::tls::CaCerts;

const MAX_FILE: u64 = 1024 * 1024;
/// The storage that is watched, and how it is reached.
pub(crate) const STORAGE_FILE: &str = "storage.json";
/// Where messages go.
pub(crate) const CHANNELS_FILE: &str = "channels.json";
/// The platform's authority.
pub(crate) const CA_FILE: &str = "ca.pem";

/// Settings of a monitoring instance.
#[derive(Debug, Clone)]
pub struct Config {
    /// What must survive a restart of the process and is not in the storage yet.
    pub data_dir: PathBuf,
    /// `identity.pem`, `ca.pem`, `storage.json`, `channels.json`.
    pub secrets_dir: PathBuf,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Name in logs.
    pub instance_name: String,
    /// Id of its deployment; the cookies of its browsers are named after it.
    pub deployment_id: String,
    /// Name of its deployment, as its pages show it.
    pub deployment_name: String,
    /// Memory that the instance may use.
    pub memory_bytes: u64,
    /// Disk that it may use; 0: all.
    pub disk_bytes: u64,
    /// Most that waits on disk for the storage; beyond it the oldest is dropped.
    pub ledger_bytes: u64,
}

/// A file of the secrets directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the file {path} cannot be used: {reason}; the allocator writes it from the assignment")]
pub struct ConfigError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, without a value.
    pub reason: String,
}

/// How the storage is reached.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// `https://HOST:PORT` of the proxy.
    pub(crate) url: String,
    /// Alias of the deployment; the proxy routes by it.
    pub(crate) alias: String,
    /// Name that the proxy's certificate must have.
    pub(crate) server_name: String,
    pub(crate) username: String,
    pub(crate) password: Secret,
    /// Which password it is; told in the health answer.
    pub(crate) version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAccess {
    url: String,
    alias: String,
    server_name: String,
    username: String,
    password: String,
    #[serde(default)]
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChannels {
    channels: Vec<Value>,
}

fn read(dir: &Path, name: &str) -> Result<Option<Vec<u8>>, ConfigError> {
    let path = dir.join(name);
    read_limited(&path, MAX_FILE).map_err(|error| ConfigError {
        path,
        reason: error.to_string(),
    })
}

fn parse<T: for<'a> Deserialize<'a>>(
    dir: &Path,
    name: &str,
    bytes: &[u8],
) -> Result<T, ConfigError> {
    serde_json::from_slice(bytes).map_err(|error| ConfigError {
        path: dir.join(name),
        // The whole text of an error may quote a secret.
        reason: format!("line {}, column {}", error.line(), error.column()),
    })
}

/// Reads how the storage is reached.
pub(crate) fn access(dir: &Path) -> Result<Access, ConfigError> {
    let wrong = |reason: &str| ConfigError {
        path: dir.join(STORAGE_FILE),
        reason: reason.to_owned(),
    };
    let bytes = read(dir, STORAGE_FILE)?.ok_or_else(|| wrong("it is missing"))?;
    let raw: RawAccess = parse(dir, STORAGE_FILE, &bytes)?;
    if !raw.url.starts_with("https://") {
        return Err(wrong("`url` must begin with https://"));
    }
    Ok(Access {
        url: raw.url.trim_end_matches('/').to_owned(),
        alias: raw.alias,
        server_name: raw.server_name,
        username: raw.username,
        password: Secret::new(raw.password),
        version: raw.version,
    })
}

/// Reads the platform's authority.
pub(crate) fn authority(dir: &Path) -> Result<CaCerts, ConfigError> {
    CaCerts::load(dir.join(CA_FILE)).map_err(|error| ConfigError {
        path: dir.join(CA_FILE),
        reason: error.to_string(),
    })
}

/// Reads the channels: those that can be used, and what is wrong with others. None without a file.
pub(crate) fn channels(dir: &Path) -> Result<(Vec<Channel>, Vec<String>), ConfigError> {
    let Some(bytes) = read(dir, CHANNELS_FILE)? else {
        return Ok((Vec::new(), Vec::new()));
    };
    let raw: RawChannels = parse(dir, CHANNELS_FILE, &bytes)?;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for value in &raw.channels {
        match Channel::from_json(value) {
            Ok(channel) => good.push(channel),
            Err(error) => bad.push(error.to_string()),
        }
    }
    Ok((good, bad))
}
