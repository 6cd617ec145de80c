//! Sees to it that the engine has the platform's image, and says which one it is.
//!
//! Invariants: the image is that of the binary that runs; an image that somebody removed is loaded
//! again, at once when a container could not be made without it; the binary is read only when its file changed. Not here: loading (`docker/image.rs`).

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::{Notify, watch};
use wharf_runtime::{backoff::Backoff, platform_file::PlatformFile, random, task::Shutdown};

use crate::{
    docker::image::{self, Digested, ImageError},
    engine_link::EngineLink,
};

const EVERY: Duration = Duration::from_secs(60);

pub(crate) struct ImageTask {
    pub(crate) platform: PlatformFile,
    pub(crate) binary: PathBuf,
    pub(crate) engine: EngineLink,
    pub(crate) image: watch::Sender<String>,
    /// Notified when a container could not be made without it.
    pub(crate) missed: Arc<Notify>,
}

impl ImageTask {
    pub(crate) async fn run(self, shutdown: Shutdown) {
        let mut backoff = Backoff::new(500, 15_000);
        let mut digested = Digested::default();
        while !shutdown.is_triggered() {
            let wait = match self.ensure(&mut digested).await {
                Ok(()) => {
                    backoff.reset();
                    EVERY
                }
                Err(error) => {
                    tracing::warn!(code = error.code(), %error, "the image is not loaded");
                    backoff.next(random::next_u64())
                }
            };
            tokio::select! {
                () = shutdown.triggered() => return,
                () = tokio::time::sleep(wait) => {}
                () = self.missed.notified() => {}
            }
        }
    }

    async fn ensure(&self, digested: &mut Digested) -> Result<(), ImageError> {
        let engine = self.engine.get().await?;
        let image = image::ensure(
            engine,
            &self.platform.platform_id,
            &self.platform.name,
            &self.binary,
            digested,
        )
        .await?;
        if image.loaded {
            tracing::info!(image = image.id, tag = image.tag, "the image was loaded");
        }
        self.image.send_if_modified(|known| {
            let changed = *known != image.id;
            *known = image.id;
            changed
        });
        Ok(())
    }
}
