//! The route table: instances that may be sent requests, with their health as observed. Built by
//! the leader; its generation is agreed on (`PublishRoutes`), so that it never runs backwards over
//! a leader change. Certificates are added by the shell. An instance that this leader has not yet
//! heard of, or whose allocator has just started and not probed it yet, counts as healthy: it was
//! when it was routed, and proxies eject what does not answer.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};
use wharf_proto::v1;

use crate::{
    command::{Body, PublishRoutes},
    observe::{Health, InstanceState, Observations},
    state::{InstanceRecord, ResourceRecord, State, Want, hex},
};

/// An instance of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteTarget {
    /// Its id, which its certificate names.
    pub instance_id: String,
    /// Its host's address.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Its zone.
    pub zone: String,
    /// Whether requests may go there.
    pub healthy: bool,
}

/// One resource of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RouteEntry {
    /// The resource.
    pub resource_id: String,
    /// The deployment.
    pub deployment_id: String,
    /// Its name.
    pub deployment_name: String,
    /// `storage` or `monitoring`.
    pub resource_kind: String,
    /// The deployment's alias.
    pub alias: String,
    /// Its instances.
    pub targets: Vec<RouteTarget>,
}

/// The content of a route table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RouteContent {
    /// Host names are `<alias>.<domain>`.
    pub domain: String,
    /// Routes by resource.
    pub routes: BTreeMap<String, RouteEntry>,
}

/// The table as state and observations have it. A deployment has its route from its creation to
/// its deletion, but while it is terminated; targets appear in it when a plan routes them.
#[must_use]
pub fn content(state: &State, observed: &Observations) -> RouteContent {
    let mut content = RouteContent {
        domain: state
            .platform
            .as_ref()
            .map(|platform| platform.domain.clone())
            .unwrap_or_default(),
        routes: BTreeMap::new(),
    };
    let running = state
        .deployments
        .values()
        .filter(|deployment| !deployment.terminated);
    for deployment in running {
        for resource in state.resources_of(deployment) {
            let targets = targets(state, observed, resource).collect();
            content.routes.insert(
                resource.id.to_string(),
                RouteEntry {
                    resource_id: resource.id.to_string(),
                    deployment_id: deployment.id.to_string(),
                    deployment_name: deployment.name.clone(),
                    resource_kind: resource.kind.clone(),
                    alias: deployment.alias.clone(),
                    targets,
                },
            );
        }
    }
    content
}

/// The instances of a resource that may be sent requests, in order.
pub(super) fn targets<'a>(
    state: &'a State,
    observed: &'a Observations,
    resource: &'a ResourceRecord,
) -> impl Iterator<Item = RouteTarget> + 'a {
    state
        .instances_of(resource)
        .filter(|instance| {
            instance.routed && !instance.routing_stopped && instance.want == Want::Run
        })
        .filter_map(|instance| target(state, observed, instance))
}

fn target(
    state: &State,
    observed: &Observations,
    instance: &InstanceRecord,
) -> Option<RouteTarget> {
    let berth = instance.berth.as_ref()?;
    let allocator = state.allocators.get(&berth.allocator_id)?;
    let healthy = match observed.allocators.get(&berth.allocator_id) {
        Some(seen) if seen.reported => seen.instances.get(&instance.id).is_some_and(|seen| {
            matches!(seen.health, Health::Healthy | Health::Unknown)
                && seen.state == InstanceState::Running
        }),
        _ => true,
    };
    Some(RouteTarget {
        instance_id: instance.id.to_string(),
        address: allocator.address.clone(),
        port: berth.port,
        zone: berth.zone.clone(),
        healthy,
    })
}

impl RouteContent {
    /// Digest of the content.
    #[must_use]
    pub fn digest(&self) -> String {
        let bytes = serde_json::to_vec(self).expect("a route table holds only texts and numbers");
        hex(&Sha256::digest(bytes)[..16])
    }

    /// The command that publishes this content; none when it is published already.
    #[must_use]
    pub fn publish(&self, state: &State) -> Option<Body> {
        let digest = self.digest();
        let changed = digest != state.routes.digest;
        let from_generation = state.routes.generation;
        changed.then_some(Body::PublishRoutes(PublishRoutes {
            from_generation,
            digest,
        }))
    }

    /// The whole table as a message. `identity` gives the certificate of a route.
    pub fn to_message(
        &self,
        generation: u64,
        mut identity: impl FnMut(&RouteEntry) -> String,
    ) -> v1::RouteTable {
        v1::RouteTable {
            generation,
            domain: self.domain.clone(),
            routes: self
                .routes
                .values()
                .map(|entry| message(entry, &mut identity))
                .collect(),
        }
    }

    /// What changed since `old`; none when only a whole table says it (another domain).
    pub fn delta(
        &self,
        old: &Self,
        from_generation: u64,
        to_generation: u64,
        mut identity: impl FnMut(&RouteEntry) -> String,
    ) -> Option<v1::RouteDelta> {
        if self.domain != old.domain {
            return None;
        }
        Some(v1::RouteDelta {
            from_generation,
            to_generation,
            changed: self
                .routes
                .iter()
                .filter(|(id, entry)| old.routes.get(*id) != Some(entry))
                .map(|(_, entry)| message(entry, &mut identity))
                .collect(),
            removed_resource_ids: old
                .routes
                .keys()
                .filter(|id| !self.routes.contains_key(*id))
                .cloned()
                .collect(),
        })
    }
}

fn message(entry: &RouteEntry, identity: &mut impl FnMut(&RouteEntry) -> String) -> v1::Route {
    v1::Route {
        resource_id: entry.resource_id.clone(),
        deployment_id: entry.deployment_id.clone(),
        deployment_name: entry.deployment_name.clone(),
        resource_kind: entry.resource_kind.clone(),
        alias: entry.alias.clone(),
        instances: entry
            .targets
            .iter()
            .map(|target| v1::RouteInstance {
                instance_id: target.instance_id.clone(),
                address: target.address.clone(),
                port: u32::from(target.port),
                zone: target.zone.clone(),
                healthy: target.healthy,
            })
            .collect(),
        identity_pem: identity(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{command::PutSecret, fixture::World};

    #[test]
    fn another_certificate_of_a_route_is_published_as_another_table() {
        let mut world = World::with_host();
        world.create("web");
        let resource = world.state.resources.keys().next().unwrap().to_string();
        let mut put = |what: &str, sealed: &str| {
            let content = content(&world.state, &world.observed);
            if let Some(publish) = content.publish(&world.state) {
                world.ok(publish);
            }
            let before = world.state.routes.generation;
            world.ok(Body::PutSecret(PutSecret {
                name: format!("resource/{resource}/{what}"),
                sealed: sealed.to_owned(),
            }));
            if let Some(publish) = content.publish(&world.state) {
                world.ok(publish);
            }
            world.state.routes.generation - before
        };
        assert_eq!(put("identity", "a"), 0, "the first comes with a new route");
        assert_eq!(put("credentials", "a"), 0);
        assert_eq!(put("credentials", "b"), 0, "tables have no passwords");
        assert_eq!(put("identity", "b"), 1, "one generation, two certificates");
    }
}
