//! Which feature level a command needs. A member stops at a command that it does not know, so that one which
//! came later is refused while a member of an older version is left: before it is written to the log, and
//! when it is applied. Invariant: this is the one place that says so. Not here: what the state means from a
//! level on (each rule's own file), raising the level (`platform`).

use crate::{
    command::{Body, DeploymentChange},
    refusal::{Refusal, RefusalKind, codes},
    settings,
    state::{
        HEALTH_LEVEL, HOSTS_NOTED_LEVEL, MOVES_LEVEL, OPERATIONS_LEVEL, SESSIONS_LEVEL,
        SNAPSHOTS_LEVEL, State, WITHOUT_ENGINE_LEVEL, ZONE_LOCATIONS_LEVEL,
    },
};

/// The level from which every member knows a command; zero: from the first version on.
const fn needed(body: &Body) -> u64 {
    match body {
        Body::ChangeDeployment(body) => match body.change {
            DeploymentChange::Move { .. }
            | DeploymentChange::Pause { .. }
            | DeploymentChange::Resume { .. } => MOVES_LEVEL,
            _ => OPERATIONS_LEVEL,
        },
        Body::CancelPlan(_) => OPERATIONS_LEVEL,
        Body::SetInstanceRouting(_)
        | Body::SetHostLossPolicy(_)
        | Body::NoteLeased(_)
        | Body::NoteSetAside(_)
        | Body::BeginVacate(_)
        | Body::VacateInstance(_)
        | Body::SettleVacate(_)
        | Body::CancelVacate(_) => MOVES_LEVEL,
        Body::UpdateAllocator(body) if body.is_new() => MOVES_LEVEL,
        Body::ForgetHost(body) if body.lost => MOVES_LEVEL,
        Body::EnrollHost(body) if body.without_engine => WITHOUT_ENGINE_LEVEL,
        Body::PutRepository(_)
        | Body::DeleteRepository(_)
        | Body::SetSnapshotPolicy(_)
        | Body::RequestSnapshot(_)
        | Body::NoteSnapshot(_) => SNAPSHOTS_LEVEL,
        Body::BeginSession(_) | Body::EndSession(_) | Body::NoteSessionUsed(_) => SESSIONS_LEVEL,
        Body::ReportHealthTransitions(_) => HEALTH_LEVEL,
        Body::SetZoneLocation(_) | Body::ClearZoneLocation(_) => ZONE_LOCATIONS_LEVEL,
        Body::NoteAudit(body) if body.place.is_some() => HOSTS_NOTED_LEVEL,
        _ => 0,
    }
}

/// Refuses a command that a member of an older version would stop at.
///
/// # Errors
/// When the platform's level is below that of the command.
pub fn check(state: &State, body: &Body) -> Result<(), Refusal> {
    if let Body::SetSetting(body) = body {
        return settings::check_level(state, &body.key);
    }
    if state.feature_level >= needed(body) {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::FailedPrecondition,
        codes::FEATURE_LEVEL,
        "not every director knows this operation yet",
    )
    .hint("upgrade every director; the feature level then rises by itself"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        command::{
            DeleteRepository, EndSession, ForgetHost, ReportHealthTransitions, SetHostLossPolicy,
            UpdateAllocator,
        },
        fixture::{World, allocator_id},
        state::HostLoss,
    };

    #[test]
    fn a_command_that_came_later_is_refused_until_every_member_knows_it() {
        let mut world = World::with_host();
        let (deployment_id, _) = world.create("logs");
        let allocator_id = allocator_id(1);
        let forget = |lost| {
            Body::ForgetHost(ForgetHost {
                allocator_id: allocator_id.clone(),
                lost,
            })
        };
        let update = UpdateAllocator::of(allocator_id.clone(), 0);
        let later = [
            Body::DeleteRepository(DeleteRepository {
                name: "backups".to_owned(),
                expected_version: 0,
            }),
            Body::SetHostLossPolicy(SetHostLossPolicy {
                deployment_id,
                expected_version: 0,
                on_host_loss: HostLoss::Empty,
            }),
            World::keeps(world.state.deployments.keys().next().unwrap()),
            Body::UpdateAllocator(UpdateAllocator {
                zone: Some("zone-2".to_owned()),
                ..update.clone()
            }),
            forget(true),
            Body::EndSession(EndSession {
                id: "a".repeat(32),
                owner: None,
            }),
            Body::ReportHealthTransitions(ReportHealthTransitions {
                transitions: Vec::new(),
            }),
        ];
        let known = [
            Body::UpdateAllocator(UpdateAllocator {
                maintenance: Some(true),
                ..update
            }),
            forget(false),
        ];
        world.state.feature_level = SNAPSHOTS_LEVEL.min(MOVES_LEVEL) - 1;
        for body in &later {
            let refused = world.apply(body.clone()).accepted().unwrap_err();
            assert_eq!(refused.code, codes::FEATURE_LEVEL, "{body:?}");
        }
        for body in &known {
            assert_eq!(check(&world.state, body), Ok(()), "{body:?}");
        }
        world.state.feature_level = HEALTH_LEVEL;
        for body in &later {
            assert_eq!(check(&world.state, body), Ok(()), "{body:?}");
        }
    }
}
