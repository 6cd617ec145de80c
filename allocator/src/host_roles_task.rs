//! Keeps the host's director and proxy containers as `host-roles.json` says.
//!
//! Invariants: level-triggered: the file is read again every few seconds and every container is
//! compared with it, so what was removed by hand comes back and what is of another image is replaced;
//! without a file, or with a damaged one, nothing is touched. Not here: the allocator's own container,
//! which `wharf up` or the host's service manager keeps.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{Notify, watch};
use wharf_runtime::{platform_file::PlatformFile, task::Shutdown};

use crate::{
    engine_link::EngineLink,
    files::{self, HostRoles},
    host::{HostError, HostRunner, Outcome, Role},
};

const EVERY: Duration = Duration::from_secs(3);

pub(crate) struct HostRolesTask {
    pub(crate) platform: PlatformFile,
    pub(crate) data_dir: PathBuf,
    pub(crate) docker_host: String,
    pub(crate) engine: EngineLink,
    pub(crate) image: watch::Receiver<String>,
    /// Notified when the file was changed.
    pub(crate) wake: Arc<Notify>,
}

impl HostRolesTask {
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        while !shutdown.is_triggered() {
            match HostRoles::read(&self.data_dir) {
                Ok(Some(roles)) => self.keep(&roles).await,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "ALL0019: the host's roles stay as they are"),
            }
            tokio::select! {
                () = shutdown.triggered() => return,
                () = tokio::time::sleep(EVERY) => {}
                () = self.wake.notified() => {}
                changed = self.image.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn keep(&mut self, roles: &HostRoles) {
        let Ok(engine) = self.engine.get().await else {
            return;
        };
        let runner = HostRunner::new(
            engine.clone(),
            &self.docker_host,
            &self.platform,
            &self.data_dir,
        );
        let own = self.image.borrow_and_update().clone();
        for (role, wanted) in [(Role::Director, roles.director), (Role::Proxy, roles.proxy)] {
            let outcome = if wanted {
                self.ensure(&runner, role, &roles.image, &own).await
            } else {
                let removed = runner.remove_role(role).await;
                if role == Role::Director && removed.is_ok() && roles.generation > 0 {
                    files::forget_director(&self.data_dir);
                }
                removed.map(|names| {
                    if !names.is_empty() {
                        tracing::info!(role = role.as_str(), "a role left this host");
                    }
                })
            };
            if let Err(error) = outcome {
                let role = role.as_str();
                tracing::warn!(role, code = error.code(), %error, "a role is not as it should be");
            }
        }
    }

    async fn ensure(
        &self,
        runner: &HostRunner,
        role: Role,
        image: &str,
        own: &str,
    ) -> Result<(), HostError> {
        // The image that the file names may have been removed; the allocator's own is always there.
        let first = if image.is_empty() { own } else { image };
        if first.is_empty() {
            return Ok(());
        }
        let (container, outcome) = match runner.ensure_role(role, first).await {
            Err(error) if !own.is_empty() && own != first && missing_image(&error) => {
                runner.ensure_role(role, own).await?
            }
            other => other?,
        };
        if outcome != Outcome::Unchanged {
            tracing::info!(
                role = role.as_str(),
                container,
                ?outcome,
                "a role was brought up"
            );
        }
        Ok(())
    }
}

fn missing_image(error: &HostError) -> bool {
    let text = error.to_string().to_lowercase();
    text.contains("no such image")
}
