//! The task that runs watches when they are due. One per process.
//!
//! Invariants: a watch never runs twice at a time; at most [`AT_ONCE`] run together, the longest due
//! first; times that were missed are caught up by one run.
//! Not here: when a watch is due (`wharf_monitor_core::schedule`).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wharf_monitor_core::schedule::{NextRun, next_run};
use wharf_proto::monitor::v1;
use wharf_runtime::task::{Shutdown, spawn};

use crate::monitor::Monitor;
use crate::run::run;
use crate::slot::Slot;

/// Runs at a time.
const AT_ONCE: usize = 4;
/// Longest time between two looks at what is due.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// A run that could not be kept is done again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// Runs until shutdown.
pub(crate) async fn run_due(monitor: Arc<Monitor>, shutdown: Shutdown) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    while !shutdown.is_triggered() {
        let mut wait = LONGEST_WAIT;
        if monitor.is_loaded() {
            wait = start_due(&monitor, &room);
        }
        let woken = async {
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = monitor.wake.notified() => {}
            }
        };
        shutdown.run_until(woken).await;
    }
    // Let those that run keep what they found.
    let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
    drop(room.acquire_many(all).await);
}

/// Starts what is due; how long nothing else is.
fn start_due(monitor: &Arc<Monitor>, room: &Arc<Semaphore>) -> Duration {
    let now_ms = monitor.now_ms();
    let mut wait = LONGEST_WAIT;
    let mut due: Vec<(NextRun, Arc<Slot>)> = Vec::new();
    for slot in monitor.slots() {
        let Some(watch) = slot.watch() else { continue };
        if !watch.enabled || slot.is_running() {
            continue;
        }
        let next = next_run(&watch.trigger, slot.facts().last_scheduled_ms, now_ms);
        slot.change_facts(|facts| facts.next_ms = next.map(|next| next.at_ms));
        match next {
            Some(next) if next.at_ms <= now_ms => due.push((next, slot)),
            Some(next) => wait = wait.min(Duration::from_millis(next.at_ms - now_ms)),
            None => {}
        }
    }
    due.sort_by_key(|(next, _)| next.at_ms);
    for (next, slot) in due {
        let Ok(place) = Arc::clone(room).try_acquire_owned() else {
            // Whoever ends next wakes the task.
            break;
        };
        let (Some(entry), Some(turn)) = (slot.entry(), slot.turn()) else {
            continue;
        };
        let Some(watch) = entry.watch.clone() else {
            continue;
        };
        let cause = if next.catches_up {
            v1::RunCause::CatchUp
        } else {
            v1::RunCause::Schedule
        };
        let monitor = Arc::clone(monitor);
        drop(spawn(format!("watch {}", slot.name), async move {
            let kept = run(&monitor, &slot, &entry, &watch, cause, next.at_ms).await;
            if kept.is_none() {
                monitor.shutdown.run_until(tokio::time::sleep(AGAIN)).await;
            }
            drop((turn, place));
            monitor.wake.notify_one();
        }));
    }
    wait
}
