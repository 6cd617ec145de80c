//! Which monitoring node answers for a deployment when a director passes a call on to it: one that proxies would send
//! requests to, a healthy one before others. One that is not healthy is asked all the same: it says itself what it lacks.
//! Not here: passing on (the shell).

use super::route::{RouteTarget, targets};
use crate::{
    observe::Observations,
    state::{DeploymentRecord, State},
    template::MONITORING,
};

/// Why no monitoring node of a deployment can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMonitoring {
    /// The deployment is stopped by request.
    #[error("it is terminated")]
    Terminated,
    /// Its template has none.
    #[error("it has no monitoring node")]
    Absent,
    /// None has been started yet, or each is stopped or being replaced.
    #[error("its monitoring node does not take requests now")]
    NotServing,
}

/// The monitoring node to ask.
///
/// # Errors
/// When there is none that takes requests.
pub fn monitoring_node(
    state: &State,
    observed: &Observations,
    deployment: &DeploymentRecord,
) -> Result<RouteTarget, NoMonitoring> {
    if deployment.terminated {
        return Err(NoMonitoring::Terminated);
    }
    let mut resources = state
        .resources_of(deployment)
        .filter(|resource| resource.kind == MONITORING)
        .peekable();
    if resources.peek().is_none() {
        return Err(NoMonitoring::Absent);
    }
    // The first of the best: names go up.
    resources
        .flat_map(|resource| targets(state, observed, resource))
        .min_by_key(|target| !target.healthy)
        .ok_or(NoMonitoring::NotServing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{World, watched},
        observe::Health,
        template::TemplateCatalog,
    };

    fn asked(world: &World, id: &str) -> Result<RouteTarget, NoMonitoring> {
        monitoring_node(&world.state, &world.observed, &world.state.deployments[id])
    }

    #[test]
    fn a_deployment_is_asked_at_its_monitoring_node_once_that_is_routed() {
        let mut world = World::with_host();
        world.catalog = TemplateCatalog::new([watched()]).unwrap();
        let (id, _) = world.create("logs");
        assert_eq!(asked(&world, id.as_str()), Err(NoMonitoring::NotServing));
        world.settle();
        let found = asked(&world, id.as_str()).expect("it is routed");
        let instance = &world.state.instances[found.instance_id.as_str()];
        assert_eq!(instance.name, "monitoring-0", "not a storage node");
        let berth = instance.berth.as_ref().unwrap();
        assert_eq!(found.port, berth.port);
        assert!(found.healthy, "{found:?}");

        let seen = world.observed.allocators.get_mut(&berth.allocator_id);
        let seen = seen.unwrap().instances.get_mut(&instance.id).unwrap();
        seen.health = Health::Unhealthy;
        let found = asked(&world, id.as_str()).expect("it is asked what it lacks");
        assert!(!found.healthy);

        let record = world.state.deployments.get_mut(&id).unwrap();
        record.terminated = true;
        assert_eq!(asked(&world, id.as_str()), Err(NoMonitoring::Terminated));
    }

    #[test]
    fn a_deployment_without_monitoring_says_so() {
        let mut world = World::with_host();
        let (id, _) = world.create("web");
        world.settle();
        assert_eq!(asked(&world, id.as_str()), Err(NoMonitoring::Absent));
    }
}
