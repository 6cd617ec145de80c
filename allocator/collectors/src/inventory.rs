//! What runs on this host, as the allocator sees it through the engine: a snapshot that is replaced
//! as a whole, and the engine's events.
//!
//! Invariants: the newest snapshot wins; events are delivered in order, and one that does not fit
//! the queue is refused to the publisher, which may wait.
//! Not here: how the allocator learns it.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use wharf_collectors_core::ContainerMeta;
use wharf_collectors_core::metricset::engine::{EngineEvent, EngineFacts, ImageMeta};

/// Events that may wait.
const EVENT_QUEUE: usize = 4096;

/// What runs on this host.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Every container of the engine, whatever its state.
    pub containers: Vec<Arc<ContainerMeta>>,
    /// What the engine says about itself.
    pub engine: Option<EngineFacts>,
    /// The engine's images.
    pub images: Vec<ImageMeta>,
}

/// The collectors' end.
#[derive(Debug)]
pub struct Inventory {
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) events: mpsc::Receiver<EngineEvent>,
}

/// The allocator's end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct InventoryPublisher {
    snapshots: Arc<watch::Sender<Arc<Snapshot>>>,
    events: mpsc::Sender<EngineEvent>,
}

/// Makes the two ends.
pub fn inventory() -> (InventoryPublisher, Inventory) {
    let (snapshots, seen) = watch::channel(Arc::new(Snapshot::default()));
    let (sender, events) = mpsc::channel(EVENT_QUEUE);
    (
        InventoryPublisher {
            snapshots: Arc::new(snapshots),
            events: sender,
        },
        Inventory {
            snapshots: seen,
            events,
        },
    )
}

impl InventoryPublisher {
    /// Replaces the snapshot. New containers are looked at and their logs followed at once.
    pub fn publish(&self, snapshot: Snapshot) {
        self.snapshots.send_replace(Arc::new(snapshot));
    }

    /// Hands an event over, waiting while too many do.
    pub async fn event(&self, event: EngineEvent) {
        // An error means that the collectors ended, and nobody wants the event.
        drop(self.events.send(event).await);
    }

    /// Hands an event over if there is room.
    pub fn try_event(&self, event: EngineEvent) -> bool {
        self.events.try_send(event).is_ok()
    }
}
