//! How far a replacement is with its last snapshot. Invariant: what was to begin from a snapshot and
//! does not say that it serves from one has not arrived, however healthy it is: nothing starts empty
//! silently. Not here: the stages of a replacement (`relocation`).

use super::step::Look;
use crate::{
    command::Restored,
    observe::{RestoreObservation, RestoreStage},
    size::mebibytes,
    state::{Claim, InstanceBerth, InstanceRecord, StepRecord},
};

/// How far a restore is, in words.
#[must_use]
pub fn progress(seen: &RestoreObservation) -> String {
    let mut text = format!(
        "{} of {} are there, {}",
        mebibytes(seen.bytes_done),
        mebibytes(seen.bytes_total),
        match seen.stage {
            RestoreStage::Unknown => "nothing is said of its stage",
            stage => stage.as_str(),
        }
    );
    if !seen.snapshot.is_empty() {
        text.push_str(", snapshot ");
        text.push_str(&seen.snapshot);
    }
    if !seen.reason.is_empty() {
        text.push_str(": ");
        text.push_str(&seen.reason);
    }
    text
}

fn seen_at<'a>(
    look: &Look<'a>,
    instance: &InstanceRecord,
    place: &InstanceBerth,
) -> Option<&'a RestoreObservation> {
    let seen = look.observed.instance(&place.allocator_id, &instance.id)?;
    seen.restore.as_ref()
}

/// What a replacement waits for before it is asked whether it is well; none when it serves from the
/// snapshot, or is to begin empty.
pub(super) fn waits(
    look: &Look<'_>,
    instance: &InstanceRecord,
    claim: &Claim,
    place: &InstanceBerth,
    host: &str,
) -> Option<String> {
    if !claim.restore {
        return None;
    }
    match seen_at(look, instance, place) {
        Some(seen) if seen.stage == RestoreStage::Serving => None,
        Some(seen) => Some(format!("the restore on {host}: {}", progress(seen))),
        None => Some(format!("the restore on {host} to begin")),
    }
}

/// What a replacement serves from, for the state.
pub(super) fn restored(
    look: &Look<'_>,
    instance: &InstanceRecord,
    claim: &Claim,
    place: &InstanceBerth,
) -> Option<Restored> {
    let seen = seen_at(look, instance, place).filter(|_| claim.restore)?;
    let silent_ms = instance.berth.as_ref().and_then(|berth| {
        look.observed
            .allocator_silence_ms(&berth.allocator_id, look.now_ms)
    });
    Some(Restored {
        snapshot: seen.snapshot.clone(),
        taken_ms: seen.taken_ms,
        lost_ms: look.now_ms.saturating_sub(silent_ms.unwrap_or(0)),
    })
}

/// Whether a step is a restore that goes on for as long as it gets on.
pub(super) fn is_at_it(look: &Look<'_>, step: &StepRecord) -> bool {
    step.instance_id
        .as_ref()
        .and_then(|id| look.state.instances.get(id))
        .and_then(|instance| instance.claim.as_ref())
        .is_some_and(|claim| claim.restore)
}
