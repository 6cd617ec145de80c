//! What is said about an alert goes to its channels; then the alert and the record of the run say
//! what came of it.
//!
//! Invariants: messages are handed to their channels' queues before this returns, so that those of
//! one alert keep their order; the key of a message is the alert's key, with the number of the action
//! behind the first; a notice is settled when all its messages have ended, and only then.
//! Not here: whether something is said (`wharf_proto::alerting`), sending (`wharf_runtime::delivery`).

use std::sync::Arc;
use std::time::Duration;

use wharf_monitor_core::history;
use wharf_monitor_core::message::Message;
use wharf_proto::monitor::v1;
use wharf_proto::times::timestamp;
use wharf_runtime::backoff::Backoff;
use wharf_runtime::delivery::{self, Enqueued, Outcome, PostError};
use wharf_runtime::task::spawn;

use crate::indices;
use crate::ledger::Doc;
use crate::monitor::{Monitor, OpenRun};
use crate::run::record_doc;
use crate::slot::Slot;
use crate::storage::escaped;

/// Why a message for every channel went nowhere.
pub(crate) const NO_CHANNEL: &str = "the deployment has no channel";
/// How long a queue that is full is left alone.
const FULL_WAIT: Duration = Duration::from_millis(500);

/// What one notice says.
pub(crate) struct Parcel {
    pub(crate) alert_id: String,
    pub(crate) key: String,
    pub(crate) transition: u64,
    pub(crate) record_id: String,
    pub(crate) messages: Vec<Message>,
}

struct Part {
    channel: String,
    subject: String,
    message: delivery::Message,
    enqueued: Result<Enqueued, PostError>,
}

struct Ended {
    channel: String,
    subject: String,
    outcome: Outcome,
}

/// Hands the messages to their channels, and sees to the rest in a task of its own.
pub(crate) fn dispatch(monitor: &Arc<Monitor>, slot: &Arc<Slot>, parcel: Parcel) {
    let mut parts = Vec::new();
    for (number, message) in parcel.messages.iter().enumerate() {
        let key = match number {
            0 => parcel.key.clone(),
            number => format!("{}/{number}", parcel.key),
        };
        let sent = to_send(message, key);
        let channels = match &message.channel {
            Some(channel) => vec![channel.clone()],
            None => monitor.post.names(),
        };
        for channel in channels {
            parts.push(Part {
                enqueued: monitor.post.enqueue(&channel, sent.clone()),
                subject: message.subject.clone(),
                message: sent.clone(),
                channel,
            });
        }
    }
    let (monitor, slot) = (Arc::clone(monitor), Arc::clone(slot));
    drop(spawn(format!("message {}", parcel.key), async move {
        let mut ended = Vec::new();
        for part in parts {
            match carry(&monitor, part).await {
                Some(one) => ended.push(one),
                // Told to stop: it waits in the alert's outbox for the next start.
                None => return,
            }
        }
        settle(&monitor, &slot, &parcel, &ended).await;
    }));
}

fn to_send(message: &Message, key: String) -> delivery::Message {
    delivery::Message {
        key,
        subject: message.subject.clone(),
        body: message.body.clone(),
        slack_subject: message.slack_subject.clone(),
        slack_body: message.slack_body.clone(),
        fields: message.fields.clone(),
    }
}

async fn carry(monitor: &Monitor, part: Part) -> Option<Ended> {
    let mut enqueued = part.enqueued;
    let outcome = loop {
        match enqueued {
            Ok(on_its_way) => {
                let outcome = monitor.shutdown.run_until(on_its_way.outcome()).await?;
                if let Some(outcome) = outcome {
                    break outcome;
                }
                // The channel was changed: the new one gets it.
            }
            Err(PostError::Full) => {
                let wait = tokio::time::sleep(FULL_WAIT);
                monitor.shutdown.run_until(wait).await?;
            }
            Err(error) => {
                break Outcome {
                    is_sent: false,
                    attempts: 0,
                    reason: error.to_string(),
                };
            }
        }
        if monitor.shutdown.is_triggered() {
            return None;
        }
        enqueued = monitor.post.enqueue(&part.channel, part.message.clone());
    };
    let count = if outcome.is_sent {
        &monitor.counts.sent
    } else {
        &monitor.counts.failed
    };
    count.inc();
    Some(Ended {
        channel: part.channel,
        subject: part.subject,
        outcome,
    })
}

async fn settle(monitor: &Monitor, slot: &Slot, parcel: &Parcel, ended: &[Ended]) {
    let found = open_run(monitor, parcel).await;
    let mut alerts = slot.alerts.lock().await;
    let is_sent = ended.iter().any(|one| one.outcome.is_sent);
    alerts.settle(&parcel.alert_id, parcel.transition, is_sent);
    let mut docs = Vec::new();
    if let Some(kept) = alerts.kept(&parcel.alert_id) {
        docs.push(Doc::put(
            indices::ALERTS,
            &parcel.alert_id,
            kept.to_document(),
        ));
    }
    if found {
        docs.extend(close(monitor, parcel, ended));
    }
    let mut backoff = Backoff::new(100, 10_000);
    while let Err(error) = monitor.ledger.write(docs.clone()).await {
        tracing::error!(key = parcel.key, %error, "that a message was sent cannot be kept yet");
        let wait = tokio::time::sleep(backoff.next(wharf_runtime::random::next_u64()));
        if monitor.shutdown.run_until(wait).await.is_none() {
            return;
        }
    }
}

/// Whether the record of the run is at hand; after a restart it is fetched.
async fn open_run(monitor: &Monitor, parcel: &Parcel) -> bool {
    let mut backoff = Backoff::new(200, 10_000);
    loop {
        if monitor.open_runs().contains_key(&parcel.record_id) {
            return true;
        }
        let waiting = monitor.ledger.get(indices::HISTORY, &parcel.record_id);
        let document = match waiting {
            Some(document) => document,
            None => {
                let path = format!("/{}/_doc/{}", indices::HISTORY, escaped(&parcel.record_id));
                let read = monitor.storage.call(http::Method::GET, &path, None).await;
                match read {
                    Ok(answer) => answer.get("_source").cloned(),
                    Err(error) if error.may_pass() => {
                        let wait = backoff.next(wharf_runtime::random::next_u64());
                        let wait = tokio::time::sleep(wait);
                        if monitor.shutdown.run_until(wait).await.is_none() {
                            return false;
                        }
                        continue;
                    }
                    Err(_) => None,
                }
            }
        };
        let Some(run) = document.as_ref().and_then(history::from_document) else {
            return false;
        };
        let mut open = monitor.open_runs();
        let entry = open.entry(parcel.record_id.clone());
        let entry = entry.or_insert(OpenRun { run, notices: 0 });
        entry.notices += 1;
        return true;
    }
}

/// The record with what came of the deliveries.
fn close(monitor: &Monitor, parcel: &Parcel, ended: &[Ended]) -> Option<Doc> {
    let at = Some(timestamp(monitor.now_ms()));
    let mut open = monitor.open_runs();
    let entry = open.get_mut(&parcel.record_id)?;
    for one in ended {
        let deliveries = &mut entry.run.deliveries;
        let same = |delivery: &&mut v1::Delivery| {
            delivery.alert_id == parcel.alert_id
                && delivery.channel == one.channel
                && delivery.subject == one.subject
                && delivery.state() == v1::DeliveryState::Waiting
        };
        let Some(delivery) = deliveries.iter_mut().find(same) else {
            continue;
        };
        let state = if one.outcome.is_sent {
            v1::DeliveryState::Sent
        } else {
            v1::DeliveryState::Failed
        };
        delivery.state = state.into();
        delivery.attempts = one.outcome.attempts;
        delivery.reason.clone_from(&one.outcome.reason);
        delivery.at = at;
    }
    entry.notices = entry.notices.saturating_sub(1);
    let doc = record_doc(&entry.run);
    if entry.notices == 0 {
        open.remove(&parcel.record_id);
    }
    Some(doc)
}
