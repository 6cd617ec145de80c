//! The task that takes in a renewed certificate and a changed users file without a restart.
//!
//! Invariant: a file that cannot be read or parsed leaves what is in use as it is, and is said once a change.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use wharf_runtime::task::Shutdown;
use wharf_runtime::tls::{CertSlot, KeyedCert};

use crate::auth::Authenticator;

const EVERY: Duration = Duration::from_secs(2);

/// Runs until shutdown.
pub(crate) async fn run(
    identity: Option<(PathBuf, Arc<CertSlot>)>,
    auth: Arc<Authenticator>,
    shutdown: Shutdown,
) {
    let stamp =
        |path: &PathBuf| -> Option<SystemTime> { std::fs::metadata(path).ok()?.modified().ok() };
    let mut seen = identity.as_ref().and_then(|(path, _)| stamp(path));
    let mut users_broken = false;
    while shutdown
        .run_until(tokio::time::sleep(EVERY))
        .await
        .is_some()
    {
        if let Some((path, slot)) = &identity {
            let now = stamp(path);
            if now != seen {
                seen = now;
                match KeyedCert::load(path) {
                    Ok(Some(cert)) => {
                        slot.replace(&cert);
                        tracing::info!(path = %path.display(), "certificate reloaded");
                    }
                    Ok(None) => {
                        tracing::warn!(path = %path.display(), "certificate file is gone; the old one stays in use")
                    }
                    Err(error) => {
                        tracing::error!(%error, "certificate file cannot be used; the old one stays in use")
                    }
                }
            }
        }
        match auth.reload_users() {
            Ok(true) => {
                users_broken = false;
                tracing::info!("users reloaded");
            }
            Ok(false) => {}
            Err(error) if !users_broken => {
                users_broken = true;
                tracing::error!(%error, "users file cannot be used; known users stay");
            }
            Err(_) => {}
        }
    }
}
