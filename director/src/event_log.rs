//! The leader's events for everybody who reads them: the core's log behind a lock, and a way to wait
//! for the next. Not here: what happened (the core), who looks (`leader/events_task`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use wharf_director_core::events::{Event, EventLog};

/// See the module.
#[derive(Debug)]
pub struct SharedEvents {
    log: Mutex<EventLog>,
    end: watch::Sender<u64>,
}

impl Default for SharedEvents {
    fn default() -> Self {
        Self {
            log: Mutex::default(),
            end: watch::Sender::new(0),
        }
    }
}

impl SharedEvents {
    fn lock(&self) -> MutexGuard<'_, EventLog> {
        // The log is whole after every statement.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the log and wakes those who wait when it grew.
    pub fn change<T>(&self, change: impl FnOnce(&mut EventLog) -> T) -> T {
        let mut log = self.lock();
        let changed = change(&mut log);
        let end = log.end();
        drop(log);
        self.end.send_if_modified(|known| {
            let grew = *known != end;
            *known = end;
            grew
        });
        changed
    }

    /// Every event that is kept, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Event>> {
        self.lock().all().cloned().collect()
    }

    /// The position to read from: after a numbered event, or the end.
    #[must_use]
    pub fn position(&self, after: Option<u64>) -> u64 {
        let log = self.lock();
        after.map_or_else(|| log.end(), |number| log.after(number))
    }

    /// Events from a position on, and the position after them.
    #[must_use]
    pub fn from(&self, position: u64, most: usize) -> (Vec<Arc<Event>>, u64) {
        self.lock().from(position, most)
    }

    /// Wakes when there are more events.
    #[must_use]
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.end.subscribe()
    }
}
