//! What two plans want differently: sizes, zone counts, termination, what is restarted. Pure texts for
//! people, one line for each difference. Not here: what a plan wants (`state/plan`).

use wharf_proto::v1;

use crate::{
    refusal::{Refusal, RefusalKind, codes},
    state::{PlanRecord, State, Wanted, WantedResource},
};

fn change(field: impl Into<String>, before: String, after: String) -> v1::PlanChange {
    v1::PlanChange {
        field: field.into(),
        before,
        after,
    }
}

fn parts(resource: &WantedResource) -> [(&'static str, String); 5] {
    [
        ("memory_bytes", resource.size.memory_bytes.to_string()),
        ("disk_bytes", resource.size.disk_bytes.to_string()),
        ("cpu_millis", resource.size.cpu_millis.to_string()),
        ("zone_count", resource.zone_count.to_string()),
        (
            "instances_per_zone",
            resource.instances_per_zone.to_string(),
        ),
    ]
}

/// The differences in the order of resources. What was not there has an empty `before`, what is no
/// longer there an empty `after`.
#[must_use]
pub fn between(before: &Wanted, after: &Wanted) -> Vec<v1::PlanChange> {
    let mut changes = Vec::new();
    for new in &after.resources {
        let old = before
            .resources
            .iter()
            .find(|old| old.kind == new.kind)
            .map(parts);
        for (place, (part, value)) in parts(new).into_iter().enumerate() {
            let was = old
                .as_ref()
                .map_or_else(String::new, |old| old[place].1.clone());
            if was != value {
                changes.push(change(format!("{}.{part}", new.kind), was, value));
            }
        }
    }
    for old in &before.resources {
        if !after.resources.iter().any(|new| new.kind == old.kind) {
            for (part, value) in parts(old) {
                changes.push(change(format!("{}.{part}", old.kind), value, String::new()));
            }
        }
    }
    for (field, was, is) in [
        ("terminated", before.terminated, after.terminated),
        ("deleted", before.deleted, after.deleted),
    ] {
        if was != is {
            changes.push(change(field, was.to_string(), is.to_string()));
        }
    }
    let (was, is) = (before.restarted.join(", "), after.restarted.join(", "));
    if was != is {
        changes.push(change("restarted", was, is));
    }
    let moved = |wanted: &Wanted| {
        let ids: Vec<&str> = wanted
            .moves
            .iter()
            .map(|wish| wish.instance_id.as_str())
            .collect();
        ids.join(", ")
    };
    let paused = |wanted: &Wanted| {
        let id = wanted.paused.as_ref();
        id.map_or_else(String::new, ToString::to_string)
    };
    for (field, was, is) in [
        ("moved", moved(before), moved(after)),
        ("paused_or_resumed", paused(before), paused(after)),
    ] {
        if was != is {
            changes.push(change(field, was, is));
        }
    }
    if before.password != after.password {
        let word = |new: bool| if new { "another" } else { "" };
        changes.push(change(
            "password",
            word(before.password).to_owned(),
            word(after.password).to_owned(),
        ));
    }
    changes
}

/// What a plan wants to be different from its parent's end; nothing when either does not say what it
/// wanted, or the parent is no longer known.
#[must_use]
pub fn of_plan(state: &State, plan: &PlanRecord) -> Vec<v1::PlanChange> {
    let Some(wanted) = &plan.wanted else {
        return Vec::new();
    };
    let before = match &plan.parent {
        None => Wanted::default(),
        Some(parent) => {
            let known = state.plans.get(parent).and_then(|plan| plan.wanted.clone());
            let Some(parent) = known else {
                return Vec::new();
            };
            // What was restarted, moved, paused or given another password is over: it is no state to differ from.
            Wanted {
                restarted: Vec::new(),
                moves: Vec::new(),
                paused: None,
                password: false,
                ..parent
            }
        }
    };
    between(&before, wanted)
}

/// What one plan wants against another; an empty `from` is the parent of the other.
///
/// # Errors
/// When a plan is not known, or does not say what it wanted.
pub fn of_ids(state: &State, from: &str, to: &str) -> Result<Vec<v1::PlanChange>, Refusal> {
    let find = |id: &str| {
        state
            .plans
            .get(id)
            .ok_or_else(|| Refusal::not_found("plan", id))
    };
    let says = |plan: &PlanRecord, field: &str| {
        plan.wanted.clone().ok_or_else(|| {
            Refusal::new(
                RefusalKind::FailedPrecondition,
                codes::PLAN_REAPPLY,
                format!(
                    "the plan {} is of an older version and does not say what it wanted",
                    plan.id
                ),
            )
            .field(field)
            .hint("compare plans that were made since")
        })
    };
    let to = find(to)?;
    let after = says(to, "to_plan_id")?;
    if from.is_empty() {
        if let Some(parent) = &to.parent {
            says(find(parent.as_str())?, "from_plan_id")?;
        }
        return Ok(of_plan(state, to));
    }
    Ok(between(&says(find(from)?, "from_plan_id")?, &after))
}
