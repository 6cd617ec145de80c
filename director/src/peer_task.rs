//! The stream of Raft messages to one other director, for as long as it is a member: what its queue
//! holds, in parts of at most 64 KiB, opened again with a jittered wait after every loss. When the
//! process that is lost led and its port is closed, it has ended: the others need not wait for the
//! election timeout to choose another leader. Invariants: what waits is bounded; a lost stream is
//! told to Raft. Not here: which members there are (`peers_task`), the queues (`raft/transport`).

use std::{io::ErrorKind, pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wharf_proto::v1;
use wharf_runtime::{
    backoff::Backoff,
    net::{DialError, dial},
    random,
    task::Shutdown,
};
use wharf_services::v1::raft_transport_client::RaftTransportClient;

use crate::{
    api::raft_transport::{PART_BYTES, VERSION, log_facts},
    director::Director,
    peers::Peer,
    raft::{Outgoing, PeerOutbox},
    removed,
};

/// Parts on their way into the connection.
const PARTS: usize = 16;
/// A stream that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(5);
/// How long a closed port may take to say so.
const PROBE: Duration = Duration::from_millis(500);
/// Between the elections that the voters begin, in their order, so that they do not meet.
const TURN: Duration = Duration::from_millis(30);
/// Elections begun after one lost leader; the election timeout does the rest.
const ELECTIONS: u32 = 8;

/// Runs until `shutdown`.
pub(crate) async fn run(
    director: Arc<Director>,
    peer: Peer,
    outbox: PeerOutbox,
    shutdown: Shutdown,
) {
    let mut backoff = Backoff::new(20, 1_000);
    loop {
        let began = Instant::now();
        let Some(ended) = shutdown.run_until(stream(&director, &peer, &outbox)).await else {
            return;
        };
        director.raft.report_unreachable(peer.member);
        if removed::says(&ended) {
            director.told_removed.send_replace(true);
        }
        if began.elapsed() > GOOD {
            backoff.reset();
        }
        let failures = backoff.failures();
        if failures < 2 || failures.is_multiple_of(50) {
            tracing::warn!(
                director = peer.director_id,
                member = peer.member,
                reason = ended.message(),
                "no stream to another director"
            );
        }
        let elected = shutdown.run_until(elect_without(&director, &peer)).await;
        let wait = tokio::time::sleep(backoff.next(random::next_u64()));
        if elected.is_none() || shutdown.run_until(wait).await.is_none() {
            return;
        }
    }
}

async fn stream(director: &Director, peer: &Peer, outbox: &PeerOutbox) -> Status {
    let channel = match director.peers.connect(peer) {
        Ok(channel) => channel,
        Err(error) => return Status::internal(error.to_string()),
    };
    let receiver = outbox.receiver(peer.member);
    let (parts, waiting) = mpsc::channel(PARTS);
    let mut client = RaftTransportClient::new(channel);
    let mut call = pin!(client.deliver(ReceiverStream::new(waiting)));
    let over = |ended: Result<_, Status>| match ended {
        Ok(_) => Status::unavailable("the other director ended the stream"),
        Err(status) => status,
    };
    loop {
        let message = tokio::select! {
            ended = &mut call => return over(ended),
            message = receiver.next() => message,
        };
        let snapshot = message.snapshot;
        let sent = tokio::select! {
            ended = &mut call => Err(over(ended)),
            sent = send(&parts, director, message) => sent,
        };
        if snapshot {
            director.raft.report_snapshot(peer.member, sent.is_ok());
        }
        if let Err(status) = sent {
            return status;
        }
    }
}

async fn send(
    parts: &mpsc::Sender<v1::RaftMessage>,
    director: &Director,
    message: Outgoing,
) -> Result<(), Status> {
    let (from, log) = {
        let status = director.raft.status();
        let status = status.borrow();
        (status.member, log_facts(&status))
    };
    let mut rest = Bytes::from(message.bytes);
    loop {
        let part = rest.split_to(rest.len().min(PART_BYTES));
        let more = !rest.is_empty();
        let envelope = v1::RaftMessage {
            version: VERSION,
            from,
            to: message.to,
            message: part,
            more,
            log: (!more).then_some(log),
        };
        if parts.send(envelope).await.is_err() {
            return Err(Status::unavailable("the stream has ended"));
        }
        if !more {
            return Ok(());
        }
    }
}

/// Chooses another leader at once when `peer` led and its process has ended. A leader that is cut
/// off or slow keeps its election timeout: its port does not refuse.
async fn elect_without(director: &Director, peer: &Peer) {
    let status = director.raft.status();
    let turn = {
        let now = status.borrow();
        if now.leader != Some(peer.member) {
            return;
        }
        let others = now
            .membership
            .voters
            .iter()
            .filter(|id| **id != peer.member);
        others.take_while(|id| **id != now.member).count()
    };
    if !has_ended(peer).await {
        return;
    }
    tracing::warn!(
        director = peer.director_id,
        "the leader has ended: the others choose another"
    );
    director.raft.forget_leader(peer.member);
    let turn = u32::try_from(turn).unwrap_or(0);
    tokio::time::sleep(TURN * turn).await;
    for _ in 0..ELECTIONS {
        let now = status.borrow().clone();
        if now.leader.is_some_and(|leader| leader != peer.member) {
            return;
        }
        // A word of the old leader that was still under way brings it back.
        director.raft.forget_leader(peer.member);
        director.raft.campaign_without_leader();
        tokio::time::sleep(TURN * 3).await;
    }
}

async fn has_ended(peer: &Peer) -> bool {
    match dial(&peer.internal_address, PROBE).await {
        Err(DialError::Connect { source, .. }) => source.kind() == ErrorKind::ConnectionRefused,
        _ => false,
    }
}
