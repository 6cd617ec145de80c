//! What is seen of a new password: storage nodes say which users they have in force, monitoring nodes
//! and collectors which version of the credentials they use. Invariant: nobody is cut off by the
//! platform's own order: all storage nodes take the new password before anybody gets it, and all that
//! the platform gave it to use it before the old one ends. Not here: the stages (`apply/finish`).

use super::step::{Look, Seen};
use crate::{
    apply::deployment::credentials_secret,
    reconcile::assignment::users_digest,
    state::{DeploymentRecord, PlanRecord, StepKind, Want},
    template::MONITORING,
};

/// What is seen of a stage.
pub(super) fn see(look: &Look<'_>, plan: &PlanRecord, kind: StepKind) -> Seen {
    let Some(deployment) = look.state.deployments.get(&plan.deployment_id) else {
        return Seen::Done("nothing is left to do".to_owned());
    };
    if kind == StepKind::Switch {
        return see_switch(look, deployment);
    }
    let digest = users_digest(deployment);
    match first_behind(look, deployment, false, &digest) {
        Some(waits) => Seen::Waits(waits),
        None => Seen::Done("every storage node that runs says so".to_owned()),
    }
}

/// The first running instance that does not say that it has this in force.
fn first_behind(
    look: &Look<'_>,
    deployment: &DeploymentRecord,
    monitoring: bool,
    expected: &str,
) -> Option<String> {
    let resources = look
        .state
        .resources_of(deployment)
        .filter(|resource| (resource.kind == MONITORING) == monitoring);
    for resource in resources {
        for instance in look.state.instances_of(resource) {
            let Some(berth) = instance
                .berth
                .as_ref()
                .filter(|_| instance.want == Want::Run)
            else {
                // It reads what is there when it starts.
                continue;
            };
            let host = look
                .state
                .allocators
                .get(&berth.allocator_id)
                .map_or(berth.allocator_id.as_str(), |known| known.host.as_str());
            if !look.observed.connected(&berth.allocator_id) {
                return Some(format!("the allocator on {host}, which is not connected"));
            }
            let seen = look.observed.instance(&berth.allocator_id, &instance.id);
            if seen.is_none_or(|seen| seen.credentials != expected) {
                return Some(format!(
                    "{} on {host} to have the credentials in force",
                    instance.name
                ));
            }
        }
    }
    None
}

fn see_switch(look: &Look<'_>, deployment: &DeploymentRecord) -> Seen {
    let version = look
        .state
        .secrets
        .get(&credentials_secret(&deployment.id))
        .map_or(0, |secret| secret.version);
    if let Some(waits) = first_behind(look, deployment, true, &version.to_string()) {
        return Seen::Waits(waits);
    }
    let ships_here = look
        .state
        .system_deployment()
        .is_some_and(|system| system.id == deployment.id);
    let hosts = look.state.allocators.values().filter(|_| ships_here);
    for host in hosts {
        let seen = look.observed.allocators.get(&host.id);
        let Some(seen) = seen.filter(|seen| seen.connected) else {
            return Seen::Waits(format!(
                "the collectors on {}, whose allocator is not connected",
                host.host
            ));
        };
        // Before its first heartbeat nothing is known of them.
        let uses = seen
            .collectors
            .as_ref()
            .map(|known| known.credentials_version);
        if uses.is_none_or(|uses| uses < version) {
            return Seen::Waits(format!("the collectors on {} to use it", host.host));
        }
    }
    Seen::Done("whoever the platform gives it to uses it".to_owned())
}
