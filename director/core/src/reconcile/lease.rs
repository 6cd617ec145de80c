//! Who may be given a lease, and what allocators told that the state is to know: that instances serve
//! under a lease, that data was set aside. Invariants: while an instance is replaced without its host,
//! its old place is given none; the place that takes over has one before it needs it. Not here: how
//! long a lease lasts and when it is sent (the shell), when a lost host is replaced (failure handling).

use wharf_proto::ids::{AllocatorId, InstanceId};

use crate::{
    command::{Body, NoteLeased, NoteSetAside},
    observe::Observations,
    state::{ClaimStage, InstanceRecord, MOVES_LEVEL, State, Want},
};

/// The instances on an allocator that may take writes for as long as their next lease lasts.
#[must_use]
pub fn holders(state: &State, allocator_id: &AllocatorId) -> Vec<InstanceId> {
    let own = state
        .allocator_instances(allocator_id)
        .filter(|instance| instance.want == Want::Run)
        .filter(|instance| {
            let stage = instance.claim.as_ref().map(|claim| claim.stage);
            stage != Some(ClaimStage::Replacing)
        });
    let coming = state
        .allocator_claims(allocator_id)
        .filter(|(_, claim, _)| matches!(claim.stage, ClaimStage::Copying | ClaimStage::TakingOver))
        .map(|(instance, _, _)| instance);
    own.chain(coming)
        .filter(|instance| serves_under_lease(state, instance))
        .map(|instance| instance.id.clone())
        .collect()
}

/// Whether an instance takes writes only while its lease lasts: its deployment says so, or said so
/// when its container was told.
#[must_use]
pub fn serves_under_lease(state: &State, instance: &InstanceRecord) -> bool {
    let stateless = state.is_stateless(instance);
    let policy = state
        .deployments
        .get(&instance.deployment_id)
        .is_some_and(|known| known.on_host_loss.leases());
    (policy || instance.lease_bound) && !stateless
}

/// Whether a new container of an instance is told so.
#[must_use]
pub fn binds(state: &State, instance: &InstanceRecord) -> bool {
    let free = InstanceRecord {
        lease_bound: false,
        ..instance.clone()
    };
    serves_under_lease(state, &free)
}

/// The commands that keep what allocators told.
#[must_use]
pub fn told(state: &State, observed: &Observations) -> Vec<Body> {
    if state.feature_level < MOVES_LEVEL {
        return Vec::new();
    }
    let mut bodies = Vec::new();
    for (id, seen) in &observed.allocators {
        let Some(assigned) = state.assignments.get(id).filter(|_| seen.connected) else {
            continue;
        };
        let knows = seen.reported && seen.reported_generation >= assigned.generation;
        let applied = seen.reported && seen.applied_generation >= assigned.generation;
        let leased: Vec<InstanceId> = state
            .allocator_instances(id)
            .filter(|one| applied && !one.leased && one.want == Want::Run)
            .filter(|one| serves_under_lease(state, one) && seen.instances.contains_key(&one.id))
            .map(|one| one.id.clone())
            .collect();
        if !leased.is_empty() {
            bodies.push(Body::NoteLeased(NoteLeased {
                allocator_id: id.clone(),
                instance_ids: leased,
            }));
        }
        let aside: Vec<InstanceId> = assigned
            .set_aside
            .iter()
            .filter(|one| {
                // What it set aside on another occasion says nothing of this one.
                let left = seen.instances.get(*one);
                let gone =
                    left.is_none_or(|left| !left.data_present && left.container_id.is_empty());
                let told = seen.set_aside.iter().any(|data| data.instance_id == **one);
                // Who has done all that he was told and has nothing of it never had data to keep.
                knows && gone && (told || applied)
            })
            .cloned()
            .collect();
        if !aside.is_empty() {
            bodies.push(Body::NoteSetAside(NoteSetAside {
                allocator_id: id.clone(),
                instance_ids: aside,
            }));
        }
    }
    bodies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixture::{World, allocator_id},
        observe::InstanceObservation,
    };

    /// What is noted as set aside when a host that is to set one instance aside says so much.
    fn noted(applied: bool, has: Option<InstanceObservation>) -> Vec<InstanceId> {
        let mut world = World::with_host();
        let host = allocator_id(1);
        let id = InstanceId::from_bytes(crate::fixture::bytes(77));
        let assigned = world.state.assignments.get_mut(&host).unwrap();
        assigned.set_aside.insert(id.clone());
        let generation = assigned.generation;
        let seen = world.observed.allocators.get_mut(&host).unwrap();
        seen.reported = true;
        seen.reported_generation = generation;
        seen.applied_generation = if applied { generation } else { 0 };
        seen.instances.extend(has.map(|has| (id.clone(), has)));
        told(&world.state, &world.observed)
            .into_iter()
            .flat_map(|body| match body {
                Body::NoteSetAside(note) => note.instance_ids,
                other => panic!("nothing else happened: {other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_host_that_did_all_and_has_nothing_of_an_instance_counts_as_having_set_it_aside() {
        assert_eq!(noted(true, None).len(), 1);
        assert_eq!(
            noted(true, Some(InstanceObservation::default())).len(),
            1,
            "it names the instance, and has neither data nor container"
        );
        assert_eq!(
            noted(false, None),
            [],
            "it knows of the order and has not carried it out"
        );
        let data = InstanceObservation {
            data_present: true,
            ..InstanceObservation::default()
        };
        assert_eq!(noted(true, Some(data)), [], "its data lies where it lay");
        let container = InstanceObservation {
            container_id: "c".repeat(64),
            ..InstanceObservation::default()
        };
        assert_eq!(noted(true, Some(container)), [], "its container is there");
    }
}
