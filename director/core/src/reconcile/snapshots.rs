//! What storage nodes told of their snapshots that the state is to know: what may be restored must be
//! known when their host is silent. Invariant: only the place that an instance lies at is believed, and
//! only of the repository that its deployment names, and of the life that the instance is in. Not here: taking
//! snapshots, restoring them.

use crate::{
    apply::repository::is_snapshot_of,
    command::{Body, NoteSnapshot},
    observe::{Observations, SnapshotObservation},
    state::{InstanceRecord, SNAPSHOTS_LEVEL, SnapshotPolicy, SnapshotRecord, State},
};

/// The snapshot policy that an instance follows: that of its deployment, when it keeps data.
#[must_use]
pub fn policy<'a>(state: &'a State, instance: &InstanceRecord) -> Option<&'a SnapshotPolicy> {
    if state.is_stateless(instance) {
        return None;
    }
    let deployment = state.deployments.get(&instance.deployment_id)?;
    deployment.snapshot_policy.as_ref()
}

/// The folder on the host that an instance's container gets for its snapshots.
#[must_use]
pub fn host_path<'a>(state: &'a State, instance: &InstanceRecord) -> Option<&'a str> {
    let policy = policy(state, instance)?;
    let repository = state.repositories.get(&policy.repository)?;
    (!repository.path.is_empty()).then_some(repository.path.as_str())
}

/// What is seen of an instance's snapshots where it lies.
#[must_use]
pub fn seen<'a>(
    observed: &'a Observations,
    instance: &InstanceRecord,
) -> Option<&'a SnapshotObservation> {
    let berth = instance.berth.as_ref()?;
    let seen = observed.instance(&berth.allocator_id, &instance.id)?;
    seen.snapshot.as_ref()
}

/// What an instance's place tells of a snapshot that the state is to know and does not know yet.
#[must_use]
pub fn news<'a>(
    state: &State,
    observed: &'a Observations,
    instance: &InstanceRecord,
) -> Option<&'a SnapshotObservation> {
    let policy = policy(state, instance)?;
    let seen = seen(observed, instance)?;
    let newer = instance
        .last_snapshot
        .as_ref()
        .is_none_or(|last| last.name < seen.last);
    let good =
        is_snapshot_of(&seen.last, instance.incarnation) && seen.repository == policy.repository;
    (newer && good).then_some(seen)
}

/// The commands that keep what storage nodes told.
#[must_use]
pub fn told(state: &State, observed: &Observations) -> Vec<Body> {
    if state.feature_level < SNAPSHOTS_LEVEL {
        return Vec::new();
    }
    let note = |instance: &InstanceRecord| {
        let berth = instance.berth.as_ref()?;
        let seen = news(state, observed, instance)?;
        observed.connected(&berth.allocator_id).then(|| {
            Body::NoteSnapshot(NoteSnapshot {
                allocator_id: berth.allocator_id.clone(),
                instance_id: instance.id.clone(),
                repository: seen.repository.clone(),
                snapshot: SnapshotRecord {
                    name: seen.last.clone(),
                    taken_ms: seen.taken_ms,
                    bytes: seen.bytes,
                    documents: seen.documents,
                },
            })
        })
    };
    state
        .deployments
        .values()
        .filter(|deployment| deployment.snapshot_policy.is_some())
        .flat_map(|deployment| state.deployment_instances(deployment))
        .filter_map(note)
        .collect()
}
