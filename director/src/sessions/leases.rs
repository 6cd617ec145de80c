//! Leases of storage nodes that may be replaced without their host: an answer to each heartbeat, by a
//! leader that a majority of directors has confirmed since the heartbeat came. Not here: who may hold one
//! (`wharf_director_core::reconcile::lease`), when a lost host is replaced (`wharf_director_core::failure`).
//!
//! Why no two hosts take writes: a host counts its lease from when it sent the heartbeat, S, and stops at
//! S + 20 s by its own steady clock. An answer needs a confirmation that came after S, so a later leader
//! was elected after S, and begins to count silence at its election; the same leader begins when it heard
//! the last of the session, which is not before the heartbeat, so after S too. A replacement begins 25 s
//! after that at the earliest: 5 s for clocks that run unlike each other. The grace for lost hosts is longer
//! still by default.

use std::time::Duration;

use tokio::sync::watch;
use tonic::Status;
use wharf_director_core::{failure::LEASE_MS, reconcile::lease};
use wharf_proto::{
    ids::AllocatorId,
    v1::{self, allocator_order::Order},
};

use super::{
    allocators::{Orders, order},
    send,
};
use crate::{answer::not_leading, director::Director};

/// How long a confirmation is waited for: one that comes later is of no use.
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers heartbeats, by their sequence, until the session ends. Of several that came meanwhile the
/// last is answered.
pub(super) async fn answer(
    director: &Director,
    id: &AllocatorId,
    mut beats: watch::Receiver<u64>,
    orders: &Orders,
) -> Result<(), Status> {
    loop {
        if beats.changed().await.is_err() {
            // The session ends; its listener says why.
            return std::future::pending().await;
        }
        let heartbeat_sequence = *beats.borrow_and_update();
        if lease::holders(&director.published.state(), id).is_empty() {
            continue;
        }
        let confirmed = tokio::time::timeout(PATIENCE, director.raft.read_index()).await;
        if !matches!(confirmed, Ok(Ok(_))) {
            tracing::warn!(allocator = %id, "no majority confirms this leader: no lease is given");
            continue;
        }
        if !director.leads() {
            return Err(not_leading());
        }
        // What was decided before the confirmation is in this state.
        let holders = lease::holders(&director.published.state(), id);
        let leases = v1::Leases {
            heartbeat_sequence,
            duration_ms: LEASE_MS,
            instance_ids: holders.iter().map(ToString::to_string).collect(),
        };
        send(orders, order(Order::Leases(leases))).await?;
    }
}
