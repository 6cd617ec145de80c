//! What people are told of snapshots: that they fail, that a storage node began from one and what it lacks
//! until its lost host is back. Not here: what was restored (`plan/restoring`), who is told (the shell).

use wharf_proto::times;

use super::Problem;
use crate::{
    observe::Observations,
    reconcile::snapshots,
    refusal::codes,
    state::{DeploymentRecord, InstanceRecord, RestoredFrom, State},
};

/// So many intervals may go by without a snapshot.
const INTERVALS: u64 = 2;

/// Since when and why an instance's snapshots fail, once that is no passing trouble.
fn failing<'a>(
    state: &State,
    observed: &'a Observations,
    instance: &InstanceRecord,
    now_ms: u64,
) -> Option<(u64, &'a str)> {
    let policy = snapshots::policy(state, instance)?;
    let seen = snapshots::seen(observed, instance).filter(|seen| !seen.error.is_empty())?;
    let allowed_ms = policy
        .interval_seconds
        .saturating_mul(1_000)
        .saturating_mul(INTERVALS);
    let since_ms = seen.failing_since_ms;
    (since_ms > 0 && now_ms.saturating_sub(since_ms) > allowed_ms)
        .then_some((since_ms, seen.error.as_str()))
}

/// What an instance began from, while its lost host has what was written since and is not back.
fn lacking<'a>(state: &State, instance: &'a InstanceRecord) -> Option<&'a RestoredFrom> {
    let from = instance.restored_from.as_ref()?;
    let assigned = state.assignments.get(&from.allocator_id)?;
    assigned.set_aside.contains(&instance.id).then_some(from)
}

/// What an instance began from, in words.
#[must_use]
pub fn restored(name: &str, from: &RestoredFrom) -> String {
    let age_ms = from.lost_ms.saturating_sub(from.taken_ms);
    format!(
        "{name} was restored from the snapshot of {}, {} s old when {} was lost; what was written since \
         then is on {}, set aside when it is back",
        times::rfc3339(from.taken_ms),
        age_ms / 1_000,
        from.host,
        from.host
    )
}

/// What a deployment shows of its snapshots that is not well.
pub(super) fn texts(
    state: &State,
    observed: &Observations,
    record: &DeploymentRecord,
    now_ms: u64,
    all: &mut Vec<String>,
) {
    for instance in state.deployment_instances(record) {
        if let Some(from) = lacking(state, instance) {
            all.push(restored(&instance.name, from));
        }
        if let Some((since_ms, error)) = failing(state, observed, instance, now_ms) {
            all.push(format!(
                "{}: snapshots fail since {}: {error}",
                instance.name,
                times::rfc3339(since_ms)
            ));
        }
    }
}

/// The problems that snapshots make.
pub(super) fn add(state: &State, observed: &Observations, now_ms: u64, all: &mut Vec<Problem>) {
    for instance in state.instances.values() {
        let name = state
            .deployments
            .get(&instance.deployment_id)
            .map_or("", |deployment| deployment.name.as_str());
        let problem = |code: &str, kind, message, hint: String, since_ms, rank| Problem {
            code: code.to_owned(),
            subject_kind: kind,
            subject_id: instance.id.to_string(),
            subject: format!("{name}/{}", instance.name),
            message,
            hint,
            since_ms,
            rank,
        };
        if let Some(from) = lacking(state, instance) {
            all.push(problem(
                codes::RESTORED,
                "restored",
                format!("`{name}`: {}", restored(&instance.name, from)),
                format!(
                    "bring {} back; `wharf instance set-aside` lists what it set aside",
                    from.host
                ),
                from.restored_ms,
                3,
            ));
        }
        if let Some((since_ms, error)) = failing(state, observed, instance, now_ms) {
            all.push(problem(
                codes::SNAPSHOTS_FAIL,
                "snapshots",
                format!("`{name}`: the snapshots of {} fail: {error}", instance.name),
                format!(
                    "mend the cause; `wharf deployment show {name}` has the last one that is whole"
                ),
                since_ms,
                2,
            ));
        }
    }
}
