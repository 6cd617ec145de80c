//! Tells people what is wrong with the platform: alerts are decided by the core once a second, kept
//! by Raft, and only then sent through the channels that the settings name. Invariants: what is sent
//! was kept before; a message that a crash left unsettled is sent again with the same key, and only
//! to channels that have not taken it from this leader. Not here: what is an alert
//! (`wharf_director_core::notify`), carrying messages (`wharf_runtime::delivery`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt as _, stream};
use serde_json::json;
use tokio::{sync::mpsc, time::MissedTickBehavior};
use wharf_director_core::{
    command::{Body, SettleAlert},
    health,
    notify::{self, Notice, Watchman},
    settings,
    state::State,
};
use wharf_runtime::{
    delivery::{Message, Outcome, Post, PostError},
    task,
};

use super::TOGETHER;
use crate::{channels, director::Director};

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Messages that have ended and wait to be noticed.
const QUEUE: usize = 64;

/// A message and a channel.
type Trip = (String, String);

/// How a trip ended; none when its channel was changed under way.
type Ended = (Trip, Option<Outcome>);

struct Leader {
    term: u64,
    watchman: Watchman,
    /// Versions of the channels that the post has.
    channels: BTreeMap<String, u64>,
    under_way: BTreeSet<Trip>,
    ended: BTreeMap<Trip, bool>,
}

/// Runs until the director ends.
pub async fn run(director: Arc<Director>, post: Post) {
    let (ended, mut trips) = mpsc::channel::<Ended>(QUEUE);
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut leader: Option<Leader> = None;
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            Some((trip, outcome)) = trips.recv() => {
                if let Some(leader) = &mut leader {
                    leader.under_way.remove(&trip);
                    if let Some(outcome) = outcome {
                        leader.ended.insert(trip, outcome.is_sent);
                    }
                }
                continue;
            }
            () = director.shutdown.triggered() => return,
        }
        let term = *director.leading.borrow();
        let Some(term) = term else {
            if leader.take().is_some() {
                post.set_channels(Vec::new());
            }
            continue;
        };
        let taken = leader.take().filter(|known| known.term == term);
        let mut now = taken.unwrap_or_else(|| Leader {
            term,
            watchman: Watchman::of(&director.published.state()),
            channels: BTreeMap::new(),
            under_way: BTreeSet::new(),
            ended: BTreeMap::new(),
        });
        // What could not be kept is decided anew from what was.
        if look(&director, &mut now).await {
            now.set_channels(&director, &post);
            now.send(&director, &post, &ended).await;
            leader = Some(now);
        }
    }
}

/// Decides and keeps; false when it could not be kept.
async fn look(director: &Director, leader: &mut Leader) -> bool {
    let (state, seen) = (director.published.state(), director.seen.core());
    let now_ms = director.now_ms();
    let problems = health::problems(&state, &seen, now_ms);
    for command in leader.watchman.look(&state, &seen, &problems, now_ms) {
        if let Err(error) = director.proposer.own(Body::RecordAlerts(command)).await {
            tracing::warn!(%error, "alerts were not kept");
            return false;
        }
    }
    true
}

impl Leader {
    /// Gives the post the channels that the settings name, when they changed.
    fn set_channels(&mut self, director: &Director, post: &Post) {
        let state = director.published.state();
        let records = || {
            settings::notified_channels(&state)
                .into_iter()
                .filter_map(|name| state.channels.get(name))
        };
        let versions: BTreeMap<String, u64> = records()
            .map(|record| (record.name.clone(), record.version))
            .collect();
        if versions == self.channels {
            return;
        }
        self.channels = versions;
        let mut usable = Vec::new();
        for record in records() {
            let opened = channels::open(&director.key, record).map_err(|error| error.to_string());
            match opened.and_then(|opened| {
                channels::checked(&opened).map_err(|refusal| refusal.to_string())
            }) {
                Ok(channel) => usable.push(channel),
                Err(error) => {
                    tracing::error!(channel = record.name, error, "a channel cannot be used");
                }
            }
        }
        for (channel, error) in post.set_channels(usable) {
            tracing::error!(channel, %error, "a channel cannot be used");
        }
    }

    /// Sends what waits, and settles what every channel has.
    async fn send(&mut self, director: &Director, post: &Post, ended: &mpsc::Sender<Ended>) {
        let state = director.published.state();
        let named: Vec<String> = settings::notified_channels(&state)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let mut done = Vec::new();
        for notice in notify::waiting(&state) {
            let mut waits = false;
            for channel in &named {
                let trip = (notice.key.clone(), channel.clone());
                if self.ended.contains_key(&trip) {
                    continue;
                }
                if self.under_way.contains(&trip) {
                    waits = true;
                    continue;
                }
                match post.enqueue(channel, message(&state, &notice)) {
                    Ok(enqueued) => {
                        waits = true;
                        self.under_way.insert(trip.clone());
                        let ended = ended.clone();
                        drop(task::spawn("notification", async move {
                            let outcome = enqueued.outcome().await;
                            // Whoever waited for it is gone with the director.
                            let _ = ended.send((trip, outcome)).await;
                        }));
                    }
                    Err(PostError::Full) => waits = true,
                    Err(PostError::NoChannel) => {
                        self.ended.insert(trip, false);
                    }
                }
            }
            if !waits {
                done.push(notice);
            }
        }
        self.settle(director, done).await;
    }

    /// Many at once: a zone that is lost has an alert for each of its hosts, and Raft writes down together what comes
    /// together.
    async fn settle(&mut self, director: &Director, notices: Vec<Notice>) {
        let mut proposals = Vec::with_capacity(notices.len());
        for notice in notices {
            let mut trips = self.ended.iter().filter(|(trip, _)| trip.0 == notice.key);
            let sent = trips.any(|(_, sent)| *sent);
            let body = Body::SettleAlert(SettleAlert {
                id: notice.id.clone(),
                transition: notice.transition,
                sent,
            });
            proposals.push(async move { (notice, sent, director.proposer.own(body).await) });
        }
        let mut outcomes = stream::iter(proposals).buffered(TOGETHER);
        while let Some((notice, sent, outcome)) = outcomes.next().await {
            if let Err(error) = outcome {
                tracing::warn!(%error, alert = notice.id, "a message is not settled yet");
                continue;
            }
            tracing::info!(
                alert = notice.id,
                news = notice.news,
                sent,
                "the platform told of a problem"
            );
            self.watchman.settle(&notice.id, notice.transition, sent);
            self.ended.retain(|trip, _| trip.0 != notice.key);
        }
    }
}

/// Slack reads three characters as its own.
fn slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn message(state: &State, notice: &Notice) -> Message {
    let record = &notice.record;
    let platform = state.platform.as_ref().map(|platform| &platform.name);
    Message {
        key: notice.key.clone(),
        subject: notice.subject.clone(),
        body: notice.body.clone(),
        slack_subject: slack(&notice.subject),
        slack_body: slack(&notice.body),
        fields: json!({
            "platform": platform,
            "alert": notice.id,
            "news": notice.news,
            "code": record.code,
            "subject_kind": record.subject_kind,
            "subject": record.subject,
            "message": record.message,
            "hint": record.hint,
        }),
    }
}
