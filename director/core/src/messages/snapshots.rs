//! What users see of a deployment's snapshots. Not here: what is wrong with them (`health/snapshots`).

use wharf_proto::{times::timestamp, v1};

use crate::{
    observe::Observations,
    reconcile::snapshots,
    state::{DeploymentRecord, InstanceRecord, State},
};

fn time(at_ms: u64) -> Option<prost_types::Timestamp> {
    (at_ms > 0).then(|| timestamp(at_ms))
}

/// The snapshots of a deployment; none when it keeps none and never began from one.
pub(super) fn deployment(
    state: &State,
    observed: &Observations,
    record: &DeploymentRecord,
) -> Option<v1::DeploymentSnapshots> {
    let policy = record.snapshot_policy.as_ref();
    let instances: Vec<v1::InstanceSnapshots> = state
        .deployment_instances(record)
        .filter(|known| !state.is_stateless(known))
        .filter(|known| policy.is_some() || known.restored_from.is_some())
        .map(|known| instance(state, observed, known))
        .collect();
    if policy.is_none() && instances.is_empty() {
        return None;
    }
    Some(v1::DeploymentSnapshots {
        repository: policy.map_or_else(String::new, |policy| policy.repository.clone()),
        interval_seconds: policy.map_or(0, |policy| policy.interval_seconds),
        keep: policy.map_or(0, |policy| policy.keep),
        requested: record.snapshot_requested,
        instances,
    })
}

fn instance(
    state: &State,
    observed: &Observations,
    record: &InstanceRecord,
) -> v1::InstanceSnapshots {
    let mut seen = snapshots::seen(observed, record)
        .cloned()
        .unwrap_or_default();
    // Who waits for a request waits for a snapshot that can be restored: one that the state knows.
    if snapshots::news(state, observed, record).is_some() {
        seen.requested_done = 0;
    }
    let last = record.last_snapshot.as_ref();
    v1::InstanceSnapshots {
        instance_id: record.id.to_string(),
        instance_name: record.name.clone(),
        last: last.map_or_else(String::new, |last| last.name.clone()),
        taken_at: last.and_then(|last| time(last.taken_ms)),
        bytes: last.map_or(0, |last| last.bytes),
        documents: last.map_or(0, |last| last.documents),
        running: seen.running,
        requested_done: seen.requested_done,
        error: seen.error,
        failing_since: time(seen.failing_since_ms),
        restored_from: record.restored_from.as_ref().map(|from| v1::RestoredFrom {
            snapshot: from.snapshot.clone(),
            taken_at: time(from.taken_ms),
            restored_at: time(from.restored_ms),
            host: from.host.clone(),
        }),
        incarnation: record.incarnation,
    }
}
