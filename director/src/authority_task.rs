//! Follows the state's authorities: the file of this director, whom its listeners and connections trust,
//! and whose certificate it is to have. Invariants: the file is written before anything of it is in
//! force; a generation older than the file's is left alone, as a director that catches up sees all of
//! them once more. Not here: when phases end (`leader/authority_task`), renewing (`renewal_task`).

use std::{sync::Arc, time::Duration};

use wharf_runtime::{data_dir::write_atomic, task};

use crate::director::Director;

/// What the disk did not take is tried again after this.
const RETRY: Duration = Duration::from_secs(2);

/// Runs until the director ends.
pub async fn run(director: Arc<Director>) {
    let mut changes = director.published.changes();
    loop {
        changes.borrow_and_update();
        let followed = follow(&director).await;
        let failed = followed.is_err();
        if let Err(why) = followed {
            tracing::error!(why, "the platform's authorities are not followed");
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(RETRY), if failed => {}
            () = director.shutdown.triggered() => return,
        }
    }
}

async fn follow(director: &Arc<Director>) -> Result<(), String> {
    let state = director.published.state();
    let Some(record) = &state.authority else {
        return Ok(());
    };
    let (held, wanted) = (director.authority.generation(), director.authority.wanted());
    let known = wanted.borrow().is_some();
    if record.generation < held || (record.generation == held && known) {
        return Ok(());
    }
    let file = director
        .certificates
        .file(&state)
        .map_err(|error| error.to_string())?;
    let (generation, phase) = (record.generation, record.phase);
    let (bundle, issuing) = (record.bundle_pem(), record.issuing.sha256.clone());
    let of = Arc::clone(director);
    let written = task::spawn_blocking("authority", move || {
        write_atomic(of.config.own("ca/authority.pem"), file.as_bytes(), 0o600)
            .map_err(|error| error.to_string())?;
        of.authority
            .take(generation, &bundle, &issuing)
            .map_err(|error| error.to_string())
    });
    written.await.map_err(|panic| panic.to_string())??;
    tracing::info!(
        generation,
        phase = phase.as_str(),
        "the platform's authorities changed"
    );
    director.restated.notify_one();
    Ok(())
}
