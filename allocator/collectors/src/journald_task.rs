//! Reads the engine's log from systemd's journal into the spool, where the engine writes no file.
//!
//! Invariants: how far a file was read is remembered only after its entries are in the spool; when
//! the spool cannot take them, reading stops where it is and goes on later; one turn is bounded.
//! Not here: which files, which entries (`tail::journald`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_collectors_core::Envelope;
use wharf_runtime::task::{Shutdown, spawn_blocking};

use crate::config::Config;
use crate::counters::{Counters, add};
use crate::spool::Spool;
use crate::tail::Registry;
use crate::tail::journald::Journald;

/// How often the files' heads are looked at.
const POLL: Duration = Duration::from_millis(500);
/// How often it is looked which files there are, and offsets are written.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

pub(crate) struct JournaldTask {
    pub(crate) config: Arc<Config>,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) registry: Registry,
    pub(crate) spool: Spool,
    pub(crate) counters: Arc<Counters>,
    pub(crate) shutdown: Shutdown,
}

impl JournaldTask {
    /// The task.
    pub(crate) async fn run(self) {
        let mut journald = Journald::new(self.config, self.envelope, self.registry);
        let mut housekeeping: Option<Instant> = None;
        let mut is_full = false;
        let mut followed = 0;
        loop {
            let is_due = housekeeping.is_none_or(|last| last.elapsed() >= HOUSEKEEPING);
            if is_due {
                housekeeping = Some(Instant::now());
            }
            let turn = spawn_blocking("journald-read", move || {
                if is_due {
                    journald.scan();
                }
                let read = journald.turn();
                (journald, read)
            });
            let mut read;
            (journald, read) = match turn.await {
                Ok(done) => done,
                // A panic was logged. The offsets on disk are right: end this task's work in order.
                Err(_) => return,
            };
            let lines = read.documents.len();
            let documents = std::mem::take(&mut read.documents);
            match self.spool.append(documents, read.verify).await {
                Ok(()) => {
                    add(&self.counters.log_lines, lines);
                    is_full = false;
                    journald.remember(&read);
                }
                Err(error) => {
                    if !is_full {
                        tracing::warn!(code = "COL0003", %error, "entries wait in the journal until the spool takes them");
                    }
                    is_full = true;
                    journald.go_back(&read);
                }
            }
            if followed != journald.followed() {
                followed = journald.followed();
                tracing::debug!(files = followed, "files of the journal are followed");
            }
            let is_ending = self.shutdown.is_triggered();
            if is_due || is_ending {
                let saved = spawn_blocking("journald-offsets", move || {
                    journald.save();
                    journald
                });
                journald = match saved.await {
                    Ok(journald) => journald,
                    Err(_) => return,
                };
            }
            if is_ending {
                break;
            }
            if !read.has_more || is_full {
                tokio::select! {
                    () = self.shutdown.triggered() => {}
                    () = tokio::time::sleep(POLL) => {}
                }
            }
        }
    }
}
