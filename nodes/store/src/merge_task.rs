//! The task that merges small segments, beside sealing.
//!
//! Invariant: one merge at a time, so merging never takes more than one core.

use std::sync::Arc;
use std::time::Duration;

use wharf_runtime::task::Shutdown;

use crate::http::App;

const EVERY: Duration = Duration::from_secs(1);

/// Runs until shutdown.
pub(crate) async fn run(app: Arc<App>, shutdown: Shutdown) {
    loop {
        let worker = Arc::clone(&app);
        let work = wharf_runtime::task::spawn_blocking("store merge", move || merge_one(&worker));
        let merged = work.await.unwrap_or_else(|error| {
            tracing::error!(%error, "merge round failed");
            false
        });
        // After a merge there may be more to merge at once.
        let pause = if merged { Duration::ZERO } else { EVERY };
        if shutdown
            .run_until(tokio::time::sleep(pause))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Merges one run of segments of the first index that has one.
fn merge_one(app: &App) -> bool {
    let Some(_round) = app.place.gate.maintain() else {
        return false;
    };
    for index in app.catalog.indices() {
        match index.shard.merge(false) {
            Ok(Some(bytes)) => {
                app.metrics.merged(bytes);
                return true;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(index = %index.name, %error, "cannot merge segments"),
        }
    }
    false
}
