//! The task that keeps memory and journal bounded: seals full and old memtables, trims the journal.
//!
//! Rows that wait for company are sealed after [`OLDEST`]: an idle platform writes some 240 documents
//! a minute into two dozen indices, so memory stays at five minutes of them, and each index gets 12
//! small segments an hour, of which every eight become one (`engine/maintain.rs`): a row is written
//! about three times before its segment has the size of one that was full.
//!
//! Invariant: the journal is trimmed only below what every index still needs. Not here: how a segment is written
//! (`engine`), merging (`merge_task`).

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wharf_runtime::task::Shutdown;

use crate::catalog::index::Index;
use crate::http::App;

const EVERY: Duration = Duration::from_millis(250);
/// Rounds after which copies that searches made of fresh columns are dropped.
const THAW_ROUNDS: u32 = 40;
/// Fresh rows are sealed when the first of them has waited so long.
const OLDEST: Duration = Duration::from_secs(300);

/// Runs until shutdown.
pub(crate) async fn run(app: Arc<App>, shutdown: Shutdown) {
    let mut round = 0u32;
    let ages = Arc::new(Mutex::new(Ages::default()));
    loop {
        let worker = Arc::clone(&app);
        let ages = Arc::clone(&ages);
        let work = wharf_runtime::task::spawn_blocking("store maintenance", move || {
            // While the data is taken to another place its files stay as they are.
            let Some(_round) = worker.place.gate.maintain() else {
                return;
            };
            seal_what_is_full(&worker);
            let mut ages = ages.lock().unwrap_or_else(PoisonError::into_inner);
            seal_what_is_old(&worker, &mut ages, Instant::now());
            if round.is_multiple_of(THAW_ROUNDS) {
                worker.catalog.indices().iter().for_each(|i| i.shard.thaw());
            }
        });
        if let Err(error) = work.await {
            tracing::error!(%error, "maintenance round failed");
        }
        if let Some(_round) = app.place.gate.maintain() {
            trim(&app).await;
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

/// Gives back what of the journal nobody needs any more.
pub(crate) async fn trim(app: &App) {
    let floor = floor(app);
    if floor > app.catalog.journal.first_seq()
        && let Err(error) = app.catalog.journal.trim_before(floor).await
    {
        tracing::warn!(%error, "cannot trim the journal");
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

fn seal(app: &App, index: &Index) {
    let started = Instant::now();
    match index.shard.seal() {
        Ok(true) => {
            app.metrics.sealed();
            tracing::debug!(index = %index.name, ms = started.elapsed().as_millis() as u64, "sealed")
        }
        Ok(false) => {}
        Err(error) => tracing::error!(index = %index.name, %error, "cannot seal fresh rows"),
    }
}

/// Since when each table of fresh rows has been waiting, by its number.
#[derive(Debug, Default)]
struct Ages(HashMap<u64, Instant>);

impl Ages {
    /// The table that has waited for longest, when that is too long; one that stays where it was, as
    /// on a full disk, waits as long again. `waiting`: those that hold rows now; others are forgotten.
    fn due(&mut self, now: Instant, waiting: &[u64]) -> Option<u64> {
        self.0.retain(|table, _| waiting.contains(table));
        for table in waiting {
            self.0.entry(*table).or_insert(now);
        }
        let (table, since) = self.0.iter_mut().min_by_key(|(_, since)| **since)?;
        (now.saturating_duration_since(*since) >= OLDEST).then(|| {
            *since = now;
            *table
        })
    }
}

/// Seals the oldest fresh rows when they are old; one index a round, so that the disk has peace in
/// between.
fn seal_what_is_old(app: &App, ages: &mut Ages, now: Instant) {
    let waiting: Vec<(u64, Arc<Index>)> = app
        .catalog
        .indices()
        .into_iter()
        .filter_map(|index| Some((index.shard.waiting_table()?, index)))
        .collect();
    let tables: Vec<u64> = waiting.iter().map(|(table, _)| *table).collect();
    let due = ages.due(now, &tables);
    if let Some((_, index)) = waiting.iter().find(|(table, _)| Some(*table) == due) {
        seal(app, index);
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
        seal(app, &index);
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
            seal(app, index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_due_one_at_a_time_oldest_first_and_only_while_they_hold_rows() {
        let (mut ages, start) = (Ages::default(), Instant::now());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(ages.due(at(0), &[7]), None);
        assert_eq!(ages.due(at(100), &[7, 8]), None);
        assert_eq!(ages.due(at(299), &[7, 8]), None);
        assert_eq!(ages.due(at(300), &[7, 8]), Some(7));
        // Sealed: its rows wait under another number now.
        assert_eq!(ages.due(at(301), &[8, 9]), None);
        assert_eq!(ages.due(at(400), &[8, 9]), Some(8));
        // One that could not be sealed does not keep the others from it.
        assert_eq!(ages.due(at(601), &[8, 9]), Some(9));
        assert_eq!(ages.due(at(602), &[8, 9]), None);
        assert_eq!(ages.due(at(700), &[8, 9]), Some(8));
        // One that was emptied and filled again under the same number starts anew.
        assert_eq!(ages.due(at(800), &[]), None);
        assert_eq!(ages.due(at(1000), &[8, 9]), None);
        assert!(ages.0.len() == 2, "{ages:?}");
    }

    #[test]
    fn an_hour_of_idling_leaves_no_table_older_than_the_bound() {
        let (mut ages, start) = (Ages::default(), Instant::now());
        // 24 indices that get a row every few seconds, each a new table number when sealed.
        let mut tables: Vec<(u64, Instant)> = (0..24).map(|table| (table, start)).collect();
        let mut next = 24;
        for round in 0..4 * 3600 {
            let now = start + Duration::from_millis(250) * round;
            let numbers: Vec<u64> = tables.iter().map(|(table, _)| *table).collect();
            if let Some(due) = ages.due(now, &numbers) {
                let sealed = tables.iter_mut().find(|(table, _)| *table == due);
                *sealed.expect("a table that waits") = (next, now);
                next += 1;
            }
            let late = OLDEST + Duration::from_millis(250) * 24;
            assert!(tables.iter().all(|(_, since)| now - *since <= late));
        }
        // Twelve seals an hour for each, no more.
        assert!((24 * 11..=24 * 12).contains(&(next - 24)), "{}", next - 24);
    }
}
