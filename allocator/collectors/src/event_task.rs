//! The engine's events → documents.
//!
//! Invariants: exec events are left out unless asked for; events that come together are spooled
//! together.
//! Not here: the engine's stream (the allocator).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use wharf_collectors_core::Envelope;
use wharf_collectors_core::envelope::Reading;
use wharf_collectors_core::metricset::engine::{self, EngineEvent};
use wharf_runtime::task::Shutdown;

use crate::spool::Spool;

pub(crate) struct EventTask {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) events: mpsc::Receiver<EngineEvent>,
    pub(crate) with_exec: bool,
    pub(crate) spool: Spool,
    pub(crate) shutdown: Shutdown,
}

impl EventTask {
    /// The task.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let received = self
                .shutdown
                .run_until(self.events.recv_many(&mut batch, 512))
                .await;
            if matches!(received, None | Some(0)) {
                break;
            }
            let wanted = batch
                .drain(..)
                .filter(|event| self.with_exec || !event.is_exec());
            let documents: Vec<_> = wanted
                .map(|event| {
                    let reading = Reading {
                        at_ms: event.time_ns / 1_000_000,
                        ..Reading::default()
                    };
                    engine::event(&event).document(&self.envelope, None, reading)
                })
                .collect();
            let count = documents.len();
            if let Err(error) = self.spool.append(documents, false).await {
                self.spool.lost(count);
                tracing::warn!(code = "COL0003", %error, events = count, "events were dropped");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
