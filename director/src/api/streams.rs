//! `Watch`: one stream a tab, that carries what changed of the topics it is subscribed to; a unary
//! call changes them. Level-triggered: what is sent is the newest, differences to what was sent
//! before; a slow reader misses what came between and is told so. Invariants: streams and what waits
//! in them are bounded; a stream belongs to the user who opened it. Not here: views (`views`).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prost::Message;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};
use wharf_director_core::{
    messages, settings,
    state::{PlanRecord, State},
};
use wharf_proto::{
    ids::is_id,
    times::timestamp,
    v1::{self, Topic, watch_event::Event},
};
use wharf_runtime::task;
use wharf_services::v1::streams_server::Streams;

use super::{opened, views::View};
use crate::{
    answer::{coded_status, field_status, not_leading},
    codes,
    director::Director,
};

/// Streams of one director.
const MAX_STREAMS: usize = 1_000;
/// Events that wait for a reader.
const QUEUE: usize = 64;
/// Changes are gathered for so long.
const GATHER: Duration = Duration::from_millis(250);
/// The same for whoever asks again for what changed.
const GATHER_TOPICS: Duration = Duration::from_secs(1);
/// Health changes with time alone.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Without an event for so long, a heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A reader that is behind by this is told what it missed.
const SLOW: Duration = Duration::from_secs(5);
/// A reader that takes nothing for so long is cut.
const STUCK: Duration = Duration::from_secs(60);
/// Containers of one event.
const CONTAINERS_PER_EVENT: usize = 1_000;

type Topics = BTreeSet<i32>;
type Key = (String, String);

/// Open streams by user and stream id.
#[derive(Debug, Default)]
pub struct StreamTable {
    open: Mutex<HashMap<Key, watch::Sender<Topics>>>,
}

impl StreamTable {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, watch::Sender<Topics>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream of the same id replaces the old one, which ends.
    /// One user may have `most`.
    fn open(
        &self,
        key: Key,
        topics: Topics,
        most: usize,
    ) -> Result<watch::Receiver<Topics>, Status> {
        let mut open = self.lock();
        let own = open.keys().filter(|(user, _)| *user == key.0).count();
        if !open.contains_key(&key) && (open.len() >= MAX_STREAMS || own >= most) {
            return Err(coded_status(
                Code::ResourceExhausted,
                codes::STREAM,
                "too many streams are open",
                "close tabs or terminals that watch",
            ));
        }
        let (sender, receiver) = watch::channel(topics);
        open.insert(key, sender);
        Ok(receiver)
    }

    fn close(&self, key: &Key, receiver: &watch::Receiver<Topics>) {
        let mut open = self.lock();
        if open
            .get(key)
            .is_some_and(|sender| sender.subscribe().same_channel(receiver))
        {
            open.remove(key);
        }
    }
}

/// The service.
#[derive(Clone, Debug)]
pub struct StreamsApi(pub Arc<Director>);

fn topics(wanted: &[i32]) -> Result<Topics, Status> {
    let known =
        |topic: &i32| Topic::try_from(*topic).is_ok_and(|topic| topic != Topic::Unspecified);
    match wanted.iter().find(|topic| !known(topic)) {
        None => Ok(wanted.iter().copied().collect()),
        Some(topic) => Err(field_status(
            codes::STREAM,
            "topics",
            format!("{topic} is no topic"),
            "client and director may be of different versions",
        )),
    }
}

fn stream_id(id: &str) -> Result<(), Status> {
    if is_id(id) {
        return Ok(());
    }
    Err(field_status(
        codes::STREAM,
        "stream_id",
        "the stream id is not 32 lower-case hex characters",
        "make 16 random bytes for each stream",
    ))
}

#[tonic::async_trait]
impl Streams for StreamsApi {
    type WatchStream = ReceiverStream<Result<v1::WatchEvent, Status>>;

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let (principal, message) = opened(request)?;
        stream_id(&message.stream_id)?;
        let key = (principal.name.clone(), message.stream_id);
        let subscribed = {
            let most = settings::number(&self.0.published.state(), "streams.per_user");
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            self.0
                .streams
                .open(key.clone(), topics(&message.topics)?, most)?
        };
        let (events, stream) = mpsc::channel(QUEUE);
        let director = Arc::clone(&self.0);
        // Whoever sees everything sees hosts; the others only deployments.
        let sees_hosts = [v1::Caller::PlatformViewer, v1::Caller::PlatformAdmin]
            .iter()
            .any(|caller| principal.callers.contains(caller));
        drop(task::spawn("watch", async move {
            let mut watcher = Watcher {
                director: &director,
                events: &events,
                version: message.resume_version,
                sent: BTreeMap::new(),
                sees_hosts,
                only_topics: message.only_topics,
                looked: None,
            };
            let mut topics = subscribed.clone();
            let ended = tokio::select! {
                ended = watcher.run(&mut topics) => ended,
                () = director.leadership_lost() => Err(not_leading()),
                () = director.shutdown.triggered() => Err(not_leading()),
                () = events.closed() => Ok(()),
            };
            director.streams.close(&key, &subscribed);
            if let Err(status) = ended {
                let _ = events.try_send(Err(status));
            }
        }));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<v1::SubscribeResponse>, Status> {
        let (principal, message) = opened(request)?;
        let topics = topics(&message.topics)?;
        let open = self.0.streams.lock();
        let sender = open
            .get(&(principal.name, message.stream_id))
            .ok_or_else(|| {
                coded_status(
                    Code::NotFound,
                    codes::STREAM,
                    "the stream is not open",
                    "open it with Watch first",
                )
            })?;
        sender.send_replace(topics);
        Ok(Response::new(v1::SubscribeResponse {}))
    }
}

struct Watcher<'a> {
    director: &'a Director,
    events: &'a mpsc::Sender<Result<v1::WatchEvent, Status>>,
    version: u64,
    /// Digest of what was sent, by topic and id.
    sent: BTreeMap<(i32, String), Vec<u8>>,
    sees_hosts: bool,
    only_topics: bool,
    /// What was there at the last look: the state, and how often anything was seen.
    looked: Option<(Arc<State>, u64)>,
}

impl Watcher<'_> {
    async fn run(&mut self, topics: &mut watch::Receiver<Topics>) -> Result<(), Status> {
        let mut changes = self.director.published.changes();
        let mut seen = self.director.seen.visible();
        let mut last_event = Instant::now();
        loop {
            changes.borrow_and_update();
            let before = *seen.borrow_and_update();
            let wanted = topics.borrow_and_update().clone();
            self.sent.retain(|(topic, _), _| wanted.contains(topic));
            let began = Instant::now();
            let mut events = if self.only_topics {
                self.topics(&wanted, before)
            } else {
                self.changes(&wanted)
            };
            if events.is_empty() && last_event.elapsed() >= HEARTBEAT {
                events.push(Event::Heartbeat(v1::Heartbeat {}));
            }
            for event in events {
                last_event = Instant::now();
                self.send(event).await?;
            }
            if began.elapsed() > SLOW {
                // Between what it has and what it gets next, changes were skipped: it gets all.
                let missed = seen.borrow().saturating_sub(before);
                self.sent.clear();
                self.send(Event::Skipped(v1::Skipped {
                    topics: wanted.into_iter().collect(),
                    events: missed,
                }))
                .await?;
            }
            tokio::select! {
                _ = changes.changed() => {}
                _ = seen.changed() => {}
                changed = topics.changed() => {
                    if changed.is_err() {
                        return Err(coded_status(
                            Code::Aborted,
                            codes::STREAM,
                            "another stream of the same id was opened",
                            "use one stream id for each stream",
                        ));
                    }
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            tokio::time::sleep(if self.only_topics {
                GATHER_TOPICS
            } else {
                GATHER
            })
            .await;
        }
    }

    async fn send(&mut self, event: Event) -> Result<(), Status> {
        self.version += 1;
        let event = v1::WatchEvent {
            version: self.version,
            at: Some(timestamp(self.director.now_ms())),
            event: Some(event),
        };
        match tokio::time::timeout(STUCK, self.events.send(Ok(event))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(coded_status(
                Code::Aborted,
                codes::STREAM,
                "the reader took nothing for too long",
                "open the stream again with the last version",
            )),
        }
    }

    /// The topics that changed since the last look, of which `visible` counts what was seen. The first
    /// look only tells what is compared with: whoever opens a stream has just asked for what it shows.
    fn topics(&mut self, wanted: &Topics, visible: u64) -> Vec<Event> {
        let view = View::of(self.director);
        let mut events = Vec::new();
        let on = |topic: Topic| wanted.contains(&(topic as i32));
        if on(Topic::Status) {
            let status = [(String::new(), view.status(self.director))];
            self.differ(Topic::Status, status, &mut events, Event::Status);
        }
        let mut deployments = Vec::new();
        if on(Topic::Deployments) {
            let records = view.state.deployments.values();
            let rows = records.map(|record| (record.id.to_string(), view.deployment(record)));
            self.differ(
                Topic::Deployments,
                rows,
                &mut deployments,
                Event::Deployment,
            );
        }
        let now = (Arc::clone(&view.state), visible);
        let Some((state, before)) = self.looked.replace(now) else {
            return events;
        };
        let stirred = visible != before || state.revision != view.state.revision;
        let mut topics = Vec::new();
        let mut note = |topic: Topic, changed: bool| {
            if changed && on(topic) {
                topics.push(topic as i32);
            }
        };
        note(Topic::Deployments, !deployments.is_empty());
        note(Topic::Plans, plans_differ(&state, &view.state));
        note(Topic::Allocators, stirred && self.sees_hosts);
        note(Topic::Containers, stirred && self.sees_hosts);
        if !topics.is_empty() {
            events.push(Event::Changed(v1::Changed { topics }));
        }
        events
    }

    /// What is to be sent now.
    fn changes(&mut self, wanted: &Topics) -> Vec<Event> {
        let view = View::of(self.director);
        let mut events = Vec::new();
        let on = |topic: Topic| wanted.contains(&(topic as i32));
        if on(Topic::Status) {
            let status = view.status(self.director);
            self.differ(
                Topic::Status,
                [(String::new(), status)],
                &mut events,
                Event::Status,
            );
        }
        if on(Topic::Deployments) {
            let rows: Vec<_> = view
                .state
                .deployments
                .values()
                .map(|record| (record.id.to_string(), view.deployment(record)))
                .collect();
            self.differ(Topic::Deployments, rows, &mut events, Event::Deployment);
        }
        if on(Topic::Plans) {
            let rows: Vec<_> = view
                .state
                .plans
                .values()
                .map(|record| (record.id.to_string(), messages::plan(&view.state, record)))
                .collect();
            self.differ(Topic::Plans, rows, &mut events, Event::Plan);
        }
        if on(Topic::Allocators) && self.sees_hosts {
            let rows: Vec<_> = view
                .state
                .allocators
                .values()
                .map(|record| {
                    let row = view.allocator(&self.director.seen, record);
                    (record.id.to_string(), row)
                })
                .collect();
            self.differ(Topic::Allocators, rows, &mut events, Event::Allocator);
        }
        if on(Topic::Containers) && self.sees_hosts {
            self.containers(&mut events);
        }
        events
    }

    /// Events for rows that are not what was sent, and for those that are gone.
    fn differ<M: Message>(
        &mut self,
        topic: Topic,
        rows: impl IntoIterator<Item = (String, M)>,
        events: &mut Vec<Event>,
        event: impl Fn(M) -> Event,
    ) {
        let mut present = BTreeSet::new();
        for (id, row) in rows {
            let key = (topic as i32, id.clone());
            let bytes = row.encode_to_vec();
            if self.sent.get(&key) != Some(&bytes) {
                self.sent.insert(key, bytes);
                events.push(event(row));
            }
            present.insert(id);
        }
        for id in self.gone(topic, &present) {
            events.push(Event::Gone(v1::Gone {
                topic: topic as i32,
                id,
            }));
        }
    }

    fn gone(&mut self, topic: Topic, present: &BTreeSet<String>) -> Vec<String> {
        let gone: Vec<String> = self
            .sent
            .keys()
            .filter(|(of, id)| *of == topic as i32 && !present.contains(id))
            .map(|(_, id)| id.clone())
            .collect();
        for id in &gone {
            self.sent.remove(&(topic as i32, id.clone()));
        }
        gone
    }

    fn containers(&mut self, events: &mut Vec<Event>) {
        let topic = Topic::Containers;
        let first = !self.sent.keys().any(|(of, _)| *of == topic as i32);
        let mut present = BTreeSet::new();
        let mut changed = Vec::new();
        for container in self.director.seen.containers() {
            let key = (topic as i32, container.id.clone());
            let bytes = container.encode_to_vec();
            if self.sent.get(&key) != Some(&bytes) {
                self.sent.insert(key, bytes);
                changed.push(v1::Container::clone(&container));
            }
            present.insert(container.id.clone());
        }
        let mut gone_ids = self.gone(topic, &present);
        if changed.is_empty() && gone_ids.is_empty() {
            return;
        }
        let mut full = first;
        loop {
            let rest = changed.split_off(changed.len().min(CONTAINERS_PER_EVENT));
            events.push(Event::Containers(v1::ContainerChanges {
                full,
                changed,
                gone_ids: std::mem::take(&mut gone_ids),
            }));
            // Only the first part replaces what the reader had.
            full = false;
            if rest.is_empty() {
                return;
            }
            changed = rest;
        }
    }
}

/// Whether there are other plans, or one of them is no longer as it was: an applied command replaces the plan
/// that it changes.
fn plans_differ(before: &State, now: &State) -> bool {
    let same = |(a, b): (&Arc<PlanRecord>, &Arc<PlanRecord>)| Arc::ptr_eq(a, b);
    before.plans.len() != now.plans.len()
        || !before.plans.values().zip(now.plans.values()).all(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_stream_of_the_same_id_replaces_the_first_and_only_its_owner_closes_it() {
        let table = StreamTable::default();
        let key = ("ada".to_owned(), "0".repeat(32));
        let first = table.open(key.clone(), Topics::new(), 2).unwrap();
        let second = table.open(key.clone(), Topics::new(), 2).unwrap();
        assert!(first.has_changed().is_err(), "the first has ended");
        table.close(&key, &first);
        assert!(second.has_changed().is_ok());
        table.close(&key, &second);
        assert!(table.lock().is_empty());
    }

    #[test]
    fn one_user_cannot_take_every_stream() {
        let table = StreamTable::default();
        let mut kept = Vec::new();
        for number in 0..2_u32 {
            let key = ("ada".to_owned(), format!("{number:032x}"));
            kept.push(table.open(key, Topics::new(), 2).unwrap());
        }
        let one_more = table.open(("ada".to_owned(), "f".repeat(32)), Topics::new(), 2);
        assert_eq!(one_more.unwrap_err().code(), Code::ResourceExhausted);
        assert!(
            table
                .open(("bob".to_owned(), "f".repeat(32)), Topics::new(), 2)
                .is_ok()
        );
    }

    #[test]
    fn unknown_topics_are_refused() {
        assert!(topics(&[Topic::Plans as i32]).is_ok());
        assert!(topics(&[0]).is_err());
        assert!(topics(&[77]).is_err());
    }
}
