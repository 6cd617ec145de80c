//! Messages on their way to other members: bounded queues that prefer new messages over old ones.
//!
//! Raft tolerates any loss, so a queue never blocks the member: when a peer is slow or gone its oldest messages go
//! first, and the member is told to treat the peer as unreachable. Bytes and messages are both bounded, per peer.
//! Not here: connections, TLS and gRPC streams, which take from a [`PeerReceiver`] and hand received bytes to
//! `member_task::Handle::step`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The most messages that wait for one peer.
pub const MAX_QUEUED_MESSAGES: usize = 1_024;
/// The most bytes that wait for one peer; a single larger message (a snapshot) may wait alone.
pub const MAX_QUEUED_BYTES: usize = 16 * 1024 * 1024;

/// An encoded message for a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The receiving member.
    pub to: u64,
    /// Whether it carries a snapshot; the transport reports how that went with `Handle::report_snapshot`.
    pub snapshot: bool,
    /// An encoded `eraftpb::Message`.
    pub bytes: Vec<u8>,
}

/// Where a member puts its messages.
pub trait Outbox {
    /// Takes a message; it may be lost.
    fn send(&mut self, message: Outgoing);
}

impl Outbox for Vec<Outgoing> {
    fn send(&mut self, message: Outgoing) {
        self.push(message);
    }
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Outgoing>,
    bytes: usize,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Queues {
    peers: BTreeMap<u64, (Queue, Arc<Notify>)>,
    overflowed: BTreeSet<u64>,
}

/// One queue for each peer. Clones share the queues.
#[derive(Debug, Clone, Default)]
pub struct PeerOutbox {
    queues: Arc<Mutex<Queues>>,
}

impl PeerOutbox {
    /// No queues yet; the first message to a peer makes one.
    #[must_use]
    pub fn new() -> PeerOutbox {
        PeerOutbox::default()
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The receiving end for one peer.
    #[must_use]
    pub fn receiver(&self, peer: u64) -> PeerReceiver {
        let arrived = self.lock().peers.entry(peer).or_default().1.clone();
        PeerReceiver {
            outbox: self.clone(),
            peer,
            arrived,
        }
    }

    /// Peers that lost messages since the last call.
    #[must_use]
    pub fn take_overflowed(&self) -> BTreeSet<u64> {
        std::mem::take(&mut self.lock().overflowed)
    }

    /// Messages dropped for a peer so far.
    #[must_use]
    pub fn dropped(&self, peer: u64) -> u64 {
        self.lock()
            .peers
            .get(&peer)
            .map_or(0, |(queue, _)| queue.dropped)
    }

    /// Forgets the queue of a member that was removed.
    pub fn forget(&self, peer: u64) {
        self.lock().peers.remove(&peer);
    }
}

impl Outbox for PeerOutbox {
    fn send(&mut self, message: Outgoing) {
        let mut queues = self.lock();
        let to = message.to;
        let (queue, arrived) = queues.peers.entry(to).or_default();
        queue.bytes += message.bytes.len();
        queue.messages.push_back(message);
        let mut lost = false;
        while queue.messages.len() > 1
            && (queue.messages.len() > MAX_QUEUED_MESSAGES || queue.bytes > MAX_QUEUED_BYTES)
        {
            if let Some(oldest) = queue.messages.pop_front() {
                queue.bytes -= oldest.bytes.len();
                queue.dropped += 1;
                lost = true;
            }
        }
        arrived.notify_one();
        if lost {
            queues.overflowed.insert(to);
        }
    }
}

/// Takes one peer's messages in order.
#[derive(Debug)]
pub struct PeerReceiver {
    outbox: PeerOutbox,
    peer: u64,
    arrived: Arc<Notify>,
}

impl PeerReceiver {
    /// The next message if one waits.
    #[must_use]
    pub fn try_next(&self) -> Option<Outgoing> {
        let mut queues = self.outbox.lock();
        let (queue, _) = queues.peers.get_mut(&self.peer)?;
        let message = queue.messages.pop_front()?;
        queue.bytes -= message.bytes.len();
        Some(message)
    }

    /// The next message, waiting for one. Cancelling loses nothing.
    pub async fn next(&self) -> Outgoing {
        loop {
            if let Some(message) = self.try_next() {
                return message;
            }
            self.arrived.notified().await;
        }
    }

    /// Drops what waits, for a connection that starts anew.
    pub fn clear(&self) {
        if let Some((queue, _)) = self.outbox.lock().peers.get_mut(&self.peer) {
            queue.messages.clear();
            queue.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u8, size: usize) -> Outgoing {
        Outgoing {
            to: 2,
            snapshot: false,
            bytes: vec![number; size],
        }
    }

    #[test]
    fn the_oldest_messages_go_when_a_peer_is_slow() {
        let mut outbox = PeerOutbox::new();
        let receiver = outbox.receiver(2);
        for number in 0..5u8 {
            outbox.send(message(number, MAX_QUEUED_BYTES / 3));
        }
        assert_eq!(receiver.try_next().unwrap().bytes[0], 2);
        assert_eq!(outbox.dropped(2), 2);
        assert_eq!(outbox.take_overflowed(), BTreeSet::from([2]));
        assert!(outbox.take_overflowed().is_empty());
    }

    #[test]
    fn a_message_over_the_limit_waits_alone() {
        let mut outbox = PeerOutbox::new();
        let receiver = outbox.receiver(2);
        outbox.send(message(1, 10));
        outbox.send(message(2, MAX_QUEUED_BYTES + 1));
        assert_eq!(receiver.try_next().unwrap().bytes[0], 2);
        assert!(receiver.try_next().is_none());
    }

    #[tokio::test]
    async fn a_receiver_wakes_for_a_message_sent_before_or_after_it_waits() {
        let mut outbox = PeerOutbox::new();
        let receiver = outbox.receiver(2);
        outbox.send(message(1, 1));
        assert_eq!(receiver.next().await.bytes, vec![1]);
        let mut late = outbox.clone();
        let (got, ()) = tokio::join!(receiver.next(), async move { late.send(message(2, 1)) });
        assert_eq!(got.bytes, vec![2]);
    }
}
