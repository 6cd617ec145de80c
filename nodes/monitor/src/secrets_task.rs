//! The task that takes in changed files of the secrets directory without a restart: the certificate,
//! how the storage is reached, the channels.
//!
//! Invariant: a file that cannot be used leaves what is in use as it is, and is said once a change.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use wharf_runtime::task::Shutdown;
use wharf_runtime::tls::{CertSlot, IDENTITY_FILE, KeyedCert};

use crate::config::{self, CA_FILE, CHANNELS_FILE, STORAGE_FILE};
use crate::monitor::Monitor;

const EVERY: Duration = Duration::from_secs(1);

type Stamp = Option<(SystemTime, u64)>;

fn stamp(dir: &Path, name: &str) -> Stamp {
    let facts = std::fs::metadata(dir.join(name)).ok()?;
    Some((facts.modified().ok()?, facts.len()))
}

fn stamps(dir: &Path) -> [Stamp; 4] {
    [IDENTITY_FILE, CA_FILE, STORAGE_FILE, CHANNELS_FILE].map(|name| stamp(dir, name))
}

/// Takes in how the storage is reached.
pub(crate) fn take_access(monitor: &Monitor) {
    let dir = &monitor.config.secrets_dir;
    let read = config::access(dir).and_then(|access| Ok((access, config::authority(dir)?)));
    let taken = read
        .map_err(|error| error.to_string())
        .and_then(|(access, ca)| {
            let set = monitor.storage.set_access(&access, &ca);
            set.map_err(|error| error.to_string())
        });
    match taken {
        Ok(()) => monitor.refresh.notify_one(),
        Err(error) => tracing::error!(error, "how the storage is reached cannot be read"),
    }
}

/// Takes in the channels.
pub(crate) fn take_channels(monitor: &Monitor) {
    match config::channels(&monitor.config.secrets_dir) {
        Ok((channels, broken)) => {
            let refused = monitor.post.set_channels(channels);
            let refused = refused
                .into_iter()
                .map(|(name, error)| format!("{name}: {error}"));
            for error in broken.into_iter().chain(refused) {
                tracing::error!(error, "a channel cannot be used");
            }
            tracing::info!(channels = monitor.post.names().len(), "channels are set");
        }
        Err(error) => tracing::error!(%error, "the channels cannot be read; known ones stay"),
    }
}

/// Runs until shutdown.
pub(crate) async fn run(monitor: Arc<Monitor>, slot: Arc<CertSlot>, shutdown: Shutdown) {
    let dir = monitor.config.secrets_dir.clone();
    let mut seen = stamps(&dir);
    while shutdown
        .run_until(tokio::time::sleep(EVERY))
        .await
        .is_some()
    {
        let now = stamps(&dir);
        let changed = |n: usize| now[n] != seen[n];
        if changed(0) {
            match KeyedCert::load(dir.join(IDENTITY_FILE)) {
                Ok(Some(cert)) => {
                    slot.replace(&cert);
                    tracing::info!("certificate reloaded");
                }
                Ok(None) => tracing::warn!("certificate file is gone; the old one stays in use"),
                Err(error) => {
                    tracing::error!(%error, "certificate file cannot be used; the old one stays in use");
                }
            }
        }
        if changed(1) || changed(2) {
            take_access(&monitor);
        }
        if changed(3) {
            take_channels(&monitor);
        }
        seen = now;
    }
}
