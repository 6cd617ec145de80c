//! Keeps the picture of everything that runs on the engine, and hands on its events.
//!
//! Invariants: an event leads to a look at the container it names, soon; the whole engine is listed
//! every ten seconds and after every gap of the event stream, so nothing that was missed stays
//! missed; a container whose inspection failed keeps its last description. Not here: samples.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Notify, mpsc, watch},
    time::Instant,
};
use wharf_collectors::{ContainerMeta, EngineFacts, ImageMeta, InventoryPublisher, Snapshot};
use wharf_runtime::task::Shutdown;

use crate::{
    docker::{
        engine::EngineError,
        events::{Event, Signal},
        inventory, labels,
    },
    engine_link::EngineLink,
};

/// Between lists of the whole engine.
const LIST_EVERY: Duration = Duration::from_secs(10);
/// Between looks at images and counts.
const FACTS_EVERY: Duration = Duration::from_secs(30);
/// How long events are gathered before their containers are looked at.
const GATHER: Duration = Duration::from_millis(50);

/// What runs on the engine, by id.
pub type Containers = Arc<BTreeMap<String, Arc<ContainerMeta>>>;

pub(crate) struct InventoryTask {
    pub(crate) platform_id: String,
    pub(crate) engine: EngineLink,
    pub(crate) signals: mpsc::Receiver<Signal>,
    pub(crate) publisher: InventoryPublisher,
    pub(crate) containers: watch::Sender<Containers>,
    /// Wakes the reconcile loop.
    pub(crate) wake: Arc<Notify>,
}

#[derive(Default)]
struct Picture {
    containers: BTreeMap<String, Arc<ContainerMeta>>,
    facts: Option<EngineFacts>,
    images: Vec<ImageMeta>,
    facts_at: Option<Instant>,
}

impl InventoryTask {
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        let mut picture = Picture::default();
        let mut changed: BTreeSet<String> = BTreeSet::new();
        let mut list_at = Instant::now();
        let mut look_at: Option<Instant> = None;
        let mut connected = true;
        loop {
            let next = look_at.map_or(list_at, |at| at.min(list_at));
            tokio::select! {
                () = shutdown.triggered() => return,
                signal = self.signals.recv() => match signal {
                    None => return,
                    Some(Signal::Lost(why)) => {
                        // Said once; the tries to connect again fail in the same way.
                        if connected {
                            tracing::warn!(why, "the engine's events are interrupted");
                        }
                        connected = false;
                    }
                    Some(Signal::Reconnected) => {
                        connected = true;
                        list_at = Instant::now();
                        self.wake.notify_one();
                    }
                    Some(Signal::Event(event)) => {
                        self.publisher.event(inventory::event(&event)).await;
                        if event.kind == "container" && !event.is_exec() {
                            self.wake_for(&event);
                            changed.insert(event.actor.clone());
                            look_at.get_or_insert_with(|| Instant::now() + GATHER);
                        }
                    }
                },
                () = tokio::time::sleep_until(next) => {
                    let whole = Instant::now() >= list_at;
                    let ids = std::mem::take(&mut changed);
                    let outcome = self.look(&mut picture, whole, ids).await;
                    self.engine.note(outcome.as_ref().err());
                    if let Err(error) = outcome {
                        tracing::debug!(%error, "the engine's containers could not be listed");
                    }
                    if whole {
                        list_at = Instant::now() + LIST_EVERY;
                    }
                    look_at = None;
                    self.publish(&picture);
                }
            }
        }
    }

    /// The reconcile loop cares for containers of this platform only.
    fn wake_for(&self, event: &Event) {
        let ours = event
            .attributes
            .iter()
            .any(|(key, value)| key == labels::PLATFORM && *value == self.platform_id);
        if ours {
            self.wake.notify_one();
        }
    }

    async fn look(
        &self,
        picture: &mut Picture,
        whole: bool,
        changed: BTreeSet<String>,
    ) -> Result<(), EngineError> {
        let engine = self.engine.get().await?;
        let ids: Vec<String> = if whole {
            inventory::ids(engine).await?
        } else {
            changed.into_iter().collect()
        };
        let listed: BTreeSet<String> = ids.iter().cloned().collect();
        let (found, refused) = inventory::describe(engine, ids).await?;
        let mut seen: BTreeSet<String> = refused.into_iter().collect();
        for one in found {
            seen.insert(one.id.clone());
            match picture.containers.get(&one.id) {
                Some(known) if **known == one => {}
                _ => {
                    picture.containers.insert(one.id.clone(), Arc::new(one));
                }
            }
        }
        if whole {
            picture.containers.retain(|id, _| seen.contains(id));
        } else {
            picture
                .containers
                .retain(|id, _| seen.contains(id) || !listed.contains(id));
        }
        if whole
            && picture
                .facts_at
                .is_none_or(|at| at.elapsed() >= FACTS_EVERY)
        {
            let (facts, images) = inventory::engine_facts(engine).await?;
            picture.facts = Some(facts);
            picture.images = images;
            picture.facts_at = Some(Instant::now());
        }
        Ok(())
    }

    fn publish(&self, picture: &Picture) {
        self.publisher.publish(Snapshot {
            containers: picture.containers.values().cloned().collect(),
            engine: picture.facts.clone(),
            images: picture.images.clone(),
        });
        self.containers.send_if_modified(|known| {
            if **known == picture.containers {
                return false;
            }
            *known = Arc::new(picture.containers.clone());
            true
        });
    }
}
