//! Applying commands that empty a host. The command that begins a move makes its plan and names it in
//! the vacate at once: whoever leads, an instance has one. Not here: when a move begins (`vacate`), what
//! has become of a plan (`vacate/settle`).

use wharf_proto::ids::{InstanceId, is_id};

use super::{cancel, check_version, operation, plan::stale};
use crate::{
    command::{
        BeginVacate, CancelPlan, CancelVacate, ChangeDeployment, DeploymentChange, SettleVacate,
        VacateInstance,
    },
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    settings,
    state::{
        MoveCause, MoveWish, State, VacateMoveState, VacateRecord, VacateStatus, plan::REASON_BYTES,
    },
    vacate::{RETRY_MS, free_moves, settled},
};

/// Vacates remembered.
pub const VACATES_KEPT: usize = 100;
/// Moves at a time that may be asked for.
pub const PARALLELISM: u32 = 1_000;
/// Targets that may be named.
pub const TARGETS: usize = 1_000;

fn refuse(field: &str, message: String, hint: &str) -> Refusal {
    Refusal::new(RefusalKind::FailedPrecondition, codes::VACATE, message)
        .field(field)
        .hint(hint)
}

pub(super) fn begin(
    state: &mut State,
    body: &BeginVacate,
    actor: &str,
) -> Result<Outcome, Refusal> {
    check(state, body)?;
    let now_ms = state.now_ms;
    let Some(record) = state.allocators.get_mut(&body.allocator_id) else {
        return Err(Refusal::not_found("allocator", &body.allocator_id));
    };
    if !record.maintenance {
        record.maintenance = true;
        record.changed_ms = now_ms;
        record.version = record.version.saturating_add(1);
    }
    let vacate = VacateRecord {
        id: body.vacate_id.clone(),
        allocator_id: body.allocator_id.clone(),
        host: record.host.clone(),
        status: VacateStatus::Running,
        created_ms: now_ms,
        ended_ms: 0,
        actor: cut(actor, 128).to_owned(),
        to: body.to.clone(),
        parallelism: body.parallelism,
        host_down: body.host_down,
        cancelling: false,
        reason: String::new(),
        moves: Vec::new(),
        version: 1,
    };
    let vacate = settled(state, &vacate);
    state.vacates.insert(vacate.id.clone(), vacate);
    while state.vacates.len() > VACATES_KEPT {
        let oldest = state
            .vacates
            .values()
            .filter(|one| one.status != VacateStatus::Running)
            .min_by_key(|one| (one.ended_ms, one.id.clone()))
            .map(|one| one.id.clone());
        match oldest {
            Some(id) => drop(state.vacates.remove(&id)),
            None => break,
        }
    }
    Ok(Outcome::Version { version: 1 })
}

fn check(state: &State, body: &BeginVacate) -> Result<(), Refusal> {
    let record = state
        .allocators
        .get(&body.allocator_id)
        .ok_or_else(|| Refusal::not_found("allocator", &body.allocator_id))?;
    check_version("allocator", body.expected_version, record.version)?;
    if !is_id(&body.vacate_id) || state.vacates.contains_key(&body.vacate_id) {
        return Err(Refusal::new(
            RefusalKind::InvalidArgument,
            codes::ID_TAKEN,
            "the vacate's id is taken or wrong",
        )
        .field("mutation.request_id")
        .hint("make a new request id for each request"));
    }
    let runs = |one: &&VacateRecord| {
        one.status == VacateStatus::Running && one.allocator_id == body.allocator_id
    };
    if let Some(other) = state.vacates.values().find(runs) {
        return Err(refuse(
            "allocator",
            format!(
                "{} is being emptied already, by the vacate {}",
                record.host, other.id
            ),
            "follow it, or cancel it: `wharf vacate cancel`",
        ));
    }
    let running = state
        .vacates
        .values()
        .filter(|one| one.status == VacateStatus::Running);
    if running.count() >= VACATES_KEPT {
        return Err(refuse(
            "allocator",
            format!("{VACATES_KEPT} hosts are being emptied already"),
            "wait for one of them to end",
        ));
    }
    if body.parallelism > PARALLELISM || body.to.len() > TARGETS {
        return Err(Refusal::new(
            RefusalKind::InvalidArgument,
            codes::VACATE,
            format!("at most {PARALLELISM} moves at a time and {TARGETS} targets can be asked for"),
        )
        .field("parallelism")
        .hint("leave it out: the platform's budget counts anyway"));
    }
    for id in &body.to {
        let target = state
            .allocators
            .get(id)
            .ok_or_else(|| Refusal::not_found("allocator", id).field("to_allocators"))?;
        if *id == body.allocator_id {
            return Err(refuse(
                "to_allocators",
                format!("{} cannot take what is to leave it", target.host),
                "name other hosts, or none for any",
            ));
        }
        if target.maintenance {
            return Err(refuse(
                "to_allocators",
                format!(
                    "{} is in maintenance mode: nothing new is placed there",
                    target.host
                ),
                "name another host, or end its maintenance mode first",
            ));
        }
    }
    Ok(())
}

/// A vacate that runs.
fn running<'a>(state: &'a State, id: &str) -> Result<&'a VacateRecord, Refusal> {
    let vacate = state
        .vacates
        .get(id)
        .ok_or_else(|| Refusal::not_found("vacate", id))?;
    if vacate.status == VacateStatus::Running {
        return Ok(vacate);
    }
    Err(refuse(
        "vacate_id",
        format!(
            "the vacate of {} has ended: {}",
            vacate.host,
            vacate.status.as_str()
        ),
        "`wharf vacate list` shows what became of it",
    ))
}

pub(super) fn begin_move(
    state: &mut State,
    body: &VacateInstance,
    actor: &str,
) -> Result<Outcome, Refusal> {
    let vacate = running(state, &body.vacate_id)?;
    let late = |why: &str| Err(stale(codes::VACATE, why));
    if vacate.cancelling {
        return late("the vacate is being cancelled");
    }
    if settled(state, vacate) != *vacate {
        return late("the vacate is to be settled first");
    }
    if free_moves(state, vacate) == 0 {
        return late("no further move may begin now");
    }
    let waits = vacate
        .moves
        .iter()
        .any(|one| one.instance_id == body.instance_id && one.state == VacateMoveState::Waiting);
    if !waits {
        return late("the instance does not wait to be moved");
    }
    let (to, lost, host) = (vacate.to.clone(), vacate.host_down, vacate.host.clone());
    let deployment_id = state
        .instances
        .get(&body.instance_id)
        .map(|instance| instance.deployment_id.clone())
        .ok_or_else(|| Refusal::not_found("instance", &body.instance_id))?;
    let reason = if lost {
        format!("{host} is said to be down for good")
    } else {
        format!("{host} is emptied")
    };
    let wish = MoveWish {
        instance_id: body.instance_id.clone(),
        from: None,
        to,
        lost,
        cause: MoveCause::Vacate,
        reason,
    };
    let change = ChangeDeployment {
        deployment_id,
        plan_id: body.plan_id.clone(),
        expected_version: 0,
        change: DeploymentChange::Move { moves: vec![wish] },
    };
    match operation::change(state, &change, actor) {
        Ok(_) => keep(state, &body.vacate_id, &body.instance_id, |one| {
            one.state = VacateMoveState::Moving;
            one.plan_id = Some(body.plan_id.clone());
            one.no_room_since_ms = 0;
            one.reason.clear();
        }),
        // The vacate is what was asked for: it goes on with the others, and says why not this one.
        Err(refusal) => note_refusal(state, body, &refusal),
    }
    Ok(Outcome::Done)
}

fn keep(
    state: &mut State,
    vacate_id: &str,
    instance_id: &InstanceId,
    f: impl FnOnce(&mut crate::state::VacateMoveRecord),
) {
    let Some(vacate) = state.vacates.get_mut(vacate_id) else {
        return;
    };
    if let Some(one) = vacate
        .moves
        .iter_mut()
        .find(|one| one.instance_id == *instance_id)
    {
        f(one);
        vacate.version = vacate.version.saturating_add(1);
    }
}

fn note_refusal(state: &mut State, body: &VacateInstance, refusal: &Refusal) {
    let now_ms = state.now_ms;
    let patience_ms = settings::duration_ms(state, "plan.place_timeout_seconds");
    let text = cut(&refusal.to_string(), REASON_BYTES).to_owned();
    let (retryable, pending) = (refusal.retryable, refusal.code == codes::PLAN_PENDING);
    keep(state, &body.vacate_id, &body.instance_id, |one| {
        one.reason = text;
        one.retry_ms = now_ms.saturating_add(RETRY_MS);
        if pending {
            return;
        }
        if one.no_room_since_ms == 0 {
            one.no_room_since_ms = now_ms;
        }
        let waited_ms = now_ms.saturating_sub(one.no_room_since_ms);
        if !retryable || waited_ms > patience_ms {
            one.state = VacateMoveState::Failed;
        }
    });
}

pub(super) fn settle(state: &mut State, body: &SettleVacate) -> Result<Outcome, Refusal> {
    let vacate = running(state, &body.vacate_id)?;
    let mut now = settled(state, vacate);
    if now == *vacate {
        return Ok(Outcome::Unchanged);
    }
    now.version = now.version.saturating_add(1);
    let version = now.version;
    state.vacates.insert(now.id.clone(), now);
    Ok(Outcome::Version { version })
}

pub(super) fn cancel(state: &mut State, body: &CancelVacate) -> Result<Outcome, Refusal> {
    let vacate = running(state, &body.vacate_id)?;
    check_version("vacate", body.expected_version, vacate.version)?;
    if vacate.cancelling {
        return Ok(Outcome::Unchanged);
    }
    let host = vacate.host.clone();
    let moving: Vec<_> = vacate
        .moves
        .iter()
        .filter(|one| one.state == VacateMoveState::Moving)
        .filter_map(|one| Some((one.instance_id.clone(), one.plan_id.clone()?)))
        .collect();
    for (instance_id, plan_id) in moving {
        let ended = state
            .plans
            .get(&plan_id)
            .is_none_or(|plan| plan.status.ended());
        let wish = CancelPlan {
            plan_id,
            reason: format!("the vacate of {host} was cancelled"),
        };
        if ended {
            continue;
        }
        if let Err(refusal) = cancel::cancel(state, &wish) {
            let text = format!("it goes on: {}", refusal.message);
            keep(state, &body.vacate_id, &instance_id, |one| {
                one.reason = text
            });
        }
    }
    let Some(vacate) = state.vacates.get_mut(&body.vacate_id) else {
        return Err(Refusal::not_found("vacate", &body.vacate_id));
    };
    vacate.cancelling = true;
    let vacate = vacate.clone();
    let mut now = settled(state, &vacate);
    now.version = now.version.saturating_add(1);
    let version = now.version;
    state.vacates.insert(now.id.clone(), now);
    Ok(Outcome::Version { version })
}
