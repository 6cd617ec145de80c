//! What a storage instance is told when it starts: where its data lies, who it is, how much it may use.
//!
//! Invariants: sizes derived from the memory limit are computed here and nowhere else, so that their sum
//! stays under it. Not here: parsing flags (the binary), index settings (`metadata`).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const MIB: u64 = 1024 * 1024;

/// How connections are secured.
#[derive(Debug, Clone)]
pub enum Listener {
    /// TLS with the key and certificate of `identity` (one PEM file, watched and reloaded).
    Tls {
        /// Path of `identity.pem`.
        identity: PathBuf,
    },
    /// Plain HTTP; refused on any address that is not loopback.
    PlainLoopback,
}

/// Settings of a storage instance.
#[derive(Debug, Clone)]
pub struct Config {
    /// Everything durable lies below.
    pub data_dir: PathBuf,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// TLS or plain.
    pub listener: Listener,
    /// The users file (`{"users":[{"username","password_hash"|"password"}]}`); `None` turns
    /// authentication off and is allowed on a plain loopback listener only.
    pub users_file: Option<PathBuf>,
    /// Memory limit of the instance in bytes.
    pub memory_bytes: u64,
    /// Disk limit in bytes; 0 means the file system's size alone.
    pub disk_bytes: u64,
    /// Node name in answers.
    pub node_name: String,
    /// Node id in answers (22 characters or any stable text).
    pub node_id: String,
    /// Cluster name in answers.
    pub cluster_name: String,
    /// The Elasticsearch version that clients are told.
    pub version: String,
    /// Age after which backing indices of `metrics-*` go; zero keeps them.
    pub retention_metrics: Duration,
    /// Age after which backing indices of other data streams go; zero keeps them.
    pub retention_logs: Duration,
    /// A write index is rolled over at this age.
    pub rollover_age: Duration,
    /// A write index is rolled over at this size on disk.
    pub rollover_bytes: u64,
    /// Below this many free bytes nothing is accepted any more; `None` derives it from the disk limit.
    pub flood_free_bytes: Option<u64>,
}

impl Config {
    /// A configuration with defaults for everything but where and as whom.
    pub fn new(data_dir: PathBuf, listen: SocketAddr, listener: Listener) -> Self {
        Self {
            data_dir,
            listen,
            listener,
            users_file: None,
            memory_bytes: 1024 * MIB,
            disk_bytes: 0,
            node_name: "store".into(),
            node_id: "storestorestorestorest".into(),
            cluster_name: "wharfinger".into(),
            version: "8.19.0".into(),
            retention_metrics: Duration::from_secs(7 * 86_400),
            retention_logs: Duration::from_secs(7 * 86_400),
            rollover_age: Duration::from_secs(86_400),
            rollover_bytes: 2048 * MIB,
            flood_free_bytes: None,
        }
    }

    /// Where the host's allocator writes what the instance is told; none on a plain listener.
    pub fn secrets_dir(&self) -> Option<&std::path::Path> {
        match &self.listener {
            Listener::Tls { identity } => identity.parent(),
            Listener::PlainLoopback => None,
        }
    }

    /// Where API keys are kept.
    pub(crate) fn keys_file(&self) -> PathBuf {
        self.data_dir.join("api_keys.json")
    }

    /// Fresh rows of one index are sealed at this size: 32 MiB at 1 GiB.
    pub fn memtable_bytes(&self) -> usize {
        (self.memory_bytes / 32).clamp(2 * MIB, 128 * MIB) as usize
    }

    /// Fresh rows of all indices together: the largest are sealed above it.
    pub fn memtables_bytes(&self) -> usize {
        (self.memory_bytes / 8).clamp(4 * MIB, 1024 * MIB) as usize
    }

    /// What was read from segments and unpacked.
    pub fn cache_bytes(&self) -> usize {
        (self.memory_bytes / 4).clamp(8 * MIB, 8192 * MIB) as usize
    }

    /// Request bodies in flight, unpacked.
    pub fn inflight_bytes(&self) -> usize {
        (self.memory_bytes / 8).clamp(16 * MIB, 512 * MIB) as usize
    }

    /// Largest request body, compressed or not.
    pub fn max_body_bytes(&self) -> usize {
        (100 * MIB).min(self.inflight_bytes() as u64) as usize
    }

    /// Journal bytes at which indices that hold it back are sealed; also bounds how long replay takes.
    pub fn journal_bytes(&self) -> u64 {
        (self.memory_bytes / 16).clamp(16 * MIB, 256 * MIB)
    }

    /// Free bytes below which the flood stage begins, given the size of the disk.
    pub fn flood_bytes(&self, disk_total: u64) -> u64 {
        self.flood_free_bytes.unwrap_or_else(|| {
            let limit = if self.disk_bytes == 0 {
                disk_total
            } else {
                self.disk_bytes
            };
            (limit / 20).clamp(64 * MIB, 2048 * MIB)
        })
    }
}
