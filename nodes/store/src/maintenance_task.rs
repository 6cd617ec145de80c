//! The task that keeps memory and journal bounded: seals full memtables, trims the journal.
//!
//! Invariant: the journal is trimmed only below what every index still needs. Not here: how a segment is written
//! (`engine`), merging (`merge_task`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use wharf_runtime::task::Shutdown;

use crate::catalog::index::Index;
use crate::http::App;

const EVERY: Duration = Duration::from_millis(250);
/// Rounds after which copies that searches made of fresh columns are dropped.
const THAW_ROUNDS: u32 = 40;

/// Runs until shutdown.
pub(crate) async fn run(app: Arc<App>, shutdown: Shutdown) {
    let mut round = 0u32;
    loop {
        let worker = Arc::clone(&app);
        let work = wharf_runtime::task::spawn_blocking("store maintenance", move || {
            seal_what_is_full(&worker);
            if round.is_multiple_of(THAW_ROUNDS) {
                worker.catalog.indices().iter().for_each(|i| i.shard.thaw());
            }
        });
        if let Err(error) = work.await {
            tracing::error!(%error, "maintenance round failed");
        }
        let floor = floor(&app);
        if floor > app.catalog.journal.first_seq()
            && let Err(error) = app.catalog.journal.trim_before(floor).await
        {
            tracing::warn!(%error, "cannot trim the journal");
        }
        round = round.wrapping_add(1);
        if shutdown
            .run_until(tokio::time::sleep(EVERY))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// From where the journal is needed.
fn floor(app: &App) -> u64 {
    // Read first: what is appended later is not below it.
    let next = app.catalog.journal.next_seq();
    app.catalog
        .indices()
        .iter()
        .filter_map(|i| i.shard.journal_floor())
        .min()
        .unwrap_or(next)
        .min(next)
}

fn seal(index: &Index) {
    let started = std::time::Instant::now();
    match index.shard.seal() {
        Ok(true) => {
            tracing::debug!(index = %index.name, ms = started.elapsed().as_millis() as u64, "sealed")
        }
        Ok(false) => {}
        Err(error) => tracing::error!(index = %index.name, %error, "cannot seal fresh rows"),
    }
}

/// Seals indices over their share, then the largest while all together are over theirs, then those that hold the journal.
fn seal_what_is_full(app: &App) {
    let mut sizes: Vec<(usize, Arc<Index>)> = app
        .catalog
        .indices()
        .into_iter()
        .map(|i| (i.shard.fresh_bytes(), i))
        .collect();
    sizes.sort_by_key(|(bytes, _)| *bytes);
    let mut total: usize = sizes.iter().map(|(bytes, _)| bytes).sum();
    app.catalog.fresh_bytes.store(total, Ordering::Relaxed);
    while let Some((bytes, index)) = sizes.pop() {
        let over = bytes > app.config.memtable_bytes() || total > app.config.memtables_bytes();
        if !over || bytes == 0 {
            break;
        }
        seal(&index);
        total = total.saturating_sub(bytes);
        app.catalog.fresh_bytes.store(total, Ordering::Relaxed);
    }
    if app.catalog.journal.bytes() > app.config.journal_bytes() {
        let mut floors: Vec<(u64, Arc<Index>)> = app
            .catalog
            .indices()
            .into_iter()
            .filter_map(|i| i.shard.journal_floor().map(|f| (f, i)))
            .collect();
        floors.sort_by_key(|(floor, _)| *floor);
        for (_, index) in floors.iter().take(16) {
            seal(index);
        }
    }
}
