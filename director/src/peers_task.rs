//! Keeps one stream of Raft messages to each other member, and the members' addresses up to date.
//! Level-triggered on membership, leader and addresses. Not here: a stream (`peer_task`).

use std::{collections::BTreeMap, sync::Arc};

use wharf_runtime::task::{self, Shutdown};

use crate::{director::Director, peer_task, peers::Peer, raft::PeerOutbox};

/// Runs until the director ends.
pub async fn run(director: Arc<Director>, outbox: PeerOutbox) {
    let mut status = director.raft.status();
    let mut state = director.published.changes();
    let mut addresses = director.peers.changes();
    let mut open: BTreeMap<u64, (Peer, Shutdown)> = BTreeMap::new();
    let mut members = Vec::new();
    loop {
        state.borrow_and_update();
        addresses.borrow_and_update();
        let now = director.published.state();
        if director.peers.differ_from(&now) {
            let shared = Arc::clone(&director);
            let follow = move || shared.peers.follow(&now);
            // An error means that the process ends: this task ends with it.
            drop(task::spawn_blocking("addresses of directors", follow).await);
        }
        let (own, wanted) = {
            let now = status.borrow_and_update();
            let mut wanted = now.membership.all();
            // A learner without a state answers whoever leads it.
            wanted.extend(now.leader);
            (now.member, wanted)
        };
        let wanted: BTreeMap<u64, Peer> = wanted
            .into_iter()
            .filter(|member| *member != own)
            .filter_map(|member| Some((member, director.peers.get(member)?)))
            .collect();
        open.retain(|member, (peer, end)| {
            let stays = wanted.get(member) == Some(peer);
            if !stays {
                end.trigger();
                outbox.forget(*member);
            }
            stays
        });
        for (member, peer) in wanted {
            if open.contains_key(&member) {
                continue;
            }
            let end = director.shutdown.child();
            let run = peer_task::run(
                Arc::clone(&director),
                peer.clone(),
                outbox.clone(),
                end.clone(),
            );
            drop(task::spawn(
                format!("raft stream to {}", peer.director_id),
                run,
            ));
            open.insert(member, (peer, end));
        }
        let now: Vec<u64> = open.keys().copied().collect();
        if now != members {
            tracing::info!(members = ?now, "raft streams to other directors");
            members = now;
        }
        tokio::select! {
            _ = status.changed() => {}
            _ = state.changed() => {}
            _ = addresses.changed() => {}
            () = director.shutdown.triggered() => return,
        }
    }
}
