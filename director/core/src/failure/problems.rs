//! What people are told of lost hosts: zones that are left alone because most of them is silent, and
//! instances that wait for their host, each with its reason. Pure, from the wall clock: nothing is
//! decided by it. Not here: who is replaced (`failure`).

use std::collections::BTreeSet;

use super::{is_missed, pending, sick_zones, stands_against, zone_counts};
use crate::{
    health::Problem,
    observe::Observations,
    refusal::{codes, cut},
    settings,
    state::{AllocatorRecord, State},
};

/// Instances that one message names.
const NAMED: usize = 8;

/// The problems that lost hosts make.
pub fn add(state: &State, observed: &Observations, now_ms: u64, all: &mut Vec<Problem>) {
    let told_ms = settings::duration_ms(state, "health.allocator_grace_seconds");
    let grace_ms = settings::duration_ms(state, "health.loss_grace_seconds");
    let mut zones: BTreeSet<&str> = BTreeSet::new();
    let sick_zones = sick_zones(state, observed);
    for record in state.allocators.values() {
        let Some(silent_ms) = observed.allocator_silence_ms(&record.id, now_ms) else {
            continue;
        };
        let since_ms = now_ms.saturating_sub(silent_ms);
        if sick_zones.contains(record.zone.as_str()) {
            if silent_ms > told_ms && zones.insert(&record.zone) {
                all.push(sick(state, observed, &record.zone, since_ms));
            }
        } else if silent_ms > grace_ms {
            all.extend(waiting(state, record, silent_ms / 1000, since_ms));
        }
    }
}

fn sick(state: &State, observed: &Observations, zone: &str, since_ms: u64) -> Problem {
    let (silent, hosts) = zone_counts(state, observed, zone);
    Problem {
        code: codes::ZONE_SICK.to_owned(),
        subject_kind: "zone",
        subject_id: zone.to_owned(),
        subject: zone.to_owned(),
        message: format!(
            "{silent} of {hosts} allocators of {zone} are silent at once: nothing that lies there is replaced"
        ),
        hint: format!(
            "look at the zone's network and power; when it is gone for good: `wharf config set {} {zone}`",
            settings::LOST_ZONES
        ),
        since_ms,
        rank: 0,
    }
}

fn waiting(
    state: &State,
    record: &AllocatorRecord,
    seconds: u64,
    since_ms: u64,
) -> Option<Problem> {
    let mut reasons = Vec::new();
    let mut count = 0_usize;
    for instance in state.allocator_instances(&record.id) {
        if !is_missed(state, instance) {
            continue;
        }
        let replaced = instance.claim.is_some();
        let reason = match (stands_against(state, instance), pending(state, instance)) {
            (Some(reason), _) => reason,
            (None, Some(plan)) if !replaced => format!("it waits for the plan {plan}"),
            (None, Some(_)) => continue,
            (None, None) => "its replacement waits for its turn or for room".to_owned(),
        };
        count += 1;
        if reasons.len() < NAMED {
            let name = state
                .deployments
                .get(&instance.deployment_id)
                .map_or("", |deployment| deployment.name.as_str());
            reasons.push(format!("{name}/{}: {reason}", instance.name));
        }
    }
    if count == 0 {
        return None;
    }
    let more = match count.saturating_sub(reasons.len()) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let what = match count {
        1 => "1 instance waits".to_owned(),
        _ => format!("{count} instances wait"),
    };
    let message = format!(
        "{what} for {}, silent for {seconds} s: {}{more}",
        record.host,
        reasons.join("; ")
    );
    Some(Problem {
        code: codes::HOST_LOST.to_owned(),
        subject_kind: "lost_host",
        subject_id: record.id.to_string(),
        subject: record.host.clone(),
        message: cut(&message, 2_000).to_owned(),
        hint: "bring the host back; `wharf placement explain` says where there is room, `wharf deployment set --on-host-loss` what may start empty elsewhere".to_owned(),
        since_ms,
        rank: 1,
    })
}
