//! Places of instances: given, claimed, exchanged, given back, with the index of each allocator and
//! the generation of its assignment. Invariants: an instance's place is in the index of that
//! allocator alone; a claim elsewhere is in that allocator's claims; what leaves a host with a
//! container there is remembered as removed. Not here: which place (`placement`).

use std::collections::{BTreeMap, BTreeSet};

use wharf_proto::ids::{AllocatorId, InstanceId};

use super::plan::{own, stale};
use crate::{
    command::{AdoptPlan, NewBerth},
    placement::CapacityIndex,
    plan::layout,
    reconcile::assignment,
    refusal::{Refusal, codes},
    size::Size,
    state::{Claim, InstanceBerth, InstanceRecord, PlanKind, PlanRecord, State, Want},
};

/// The size that a plan wants of an instance.
fn target(state: &State, plan: &PlanRecord, instance: &InstanceRecord) -> Size {
    let resource = state.resources.get(&instance.resource_id);
    let wanted = resource.and_then(|resource| {
        plan.wanted
            .as_ref()
            .and_then(|wanted| wanted.size(&resource.kind))
    });
    wanted.unwrap_or(instance.size)
}

/// Indexes of the allocators that a plan touches, each with what was given out so far.
#[derive(Default)]
struct Indexes(BTreeMap<AllocatorId, CapacityIndex>);

impl Indexes {
    fn of(&mut self, state: &State, id: &AllocatorId) -> &mut CapacityIndex {
        self.0
            .entry(id.clone())
            .or_insert_with(|| CapacityIndex::of_one(state, id))
    }

    /// Whether a new place is free: capacity, port, anti-affinity.
    fn admits(
        &mut self,
        state: &State,
        instance: &InstanceRecord,
        size: Size,
        new: &NewBerth,
    ) -> Result<InstanceBerth, Refusal> {
        let index = self.of(state, &new.allocator_id);
        let host = index
            .host(&new.allocator_id)
            .ok_or_else(|| Refusal::not_found("allocator", &new.allocator_id))?;
        let port_is_free = (host.ports.start..=host.ports.end).contains(&new.port)
            && !host.taken_ports.contains_key(&new.port);
        let (zone, name) = (host.zone.clone(), host.name.clone());
        if host.maintenance
            || layout::barred(state, instance).contains(&new.allocator_id)
            || host.resources.contains_key(&instance.resource_id)
            || !size.fits_in(host.free())
            || !port_is_free
        {
            return Err(no_longer(instance, &name));
        }
        index.occupy(
            &new.allocator_id,
            &instance.deployment_id,
            &instance.resource_id,
            size,
            new.port,
        );
        Ok(InstanceBerth {
            allocator_id: new.allocator_id.clone(),
            zone,
            port: new.port,
        })
    }
}

fn no_longer(instance: &InstanceRecord, host: &str) -> Refusal {
    stale(
        codes::PLACEMENT,
        format!("{} no longer fits on {host}", instance.name),
    )
}

/// Checks that every place and claim still fits; the planner may have looked at an older state.
///
/// # Errors
/// The first that does not.
pub(super) fn check(
    state: &State,
    plan: &PlanRecord,
    body: &AdoptPlan,
) -> Result<(Vec<InstanceBerth>, Vec<Claim>), Refusal> {
    let mut indexes = Indexes::default();
    let mut seen = BTreeSet::new();
    let mut berths = Vec::with_capacity(body.berths.len());
    for new in &body.berths {
        let instance = own(state, &plan.deployment_id, &new.instance_id)?;
        if !seen.insert(&new.instance_id) || instance.claim.is_some() {
            return Err(no_longer(instance, "its host"));
        }
        let size = target(state, plan, instance);
        let Some(held) = &instance.berth else {
            berths.push(indexes.admits(state, instance, size, new)?);
            continue;
        };
        let same = held.allocator_id == new.allocator_id;
        if instance.want != Want::Keep || !(same || state.is_stateless(instance)) {
            return Err(no_longer(instance, "another host"));
        }
        if !same {
            berths.push(indexes.admits(state, instance, size, new)?);
            continue;
        }
        let index = indexes.of(state, &held.allocator_id);
        if layout::lack(index, &held.allocator_id, instance, "", size).is_some() {
            return Err(no_longer(instance, "the host of its data"));
        }
        let port_is_free = index.host(&held.allocator_id).is_some_and(|host| {
            (host.ports.start..=host.ports.end).contains(&new.port)
                && !host.taken_ports.contains_key(&new.port)
        });
        if !port_is_free {
            return Err(no_longer(instance, "the host of its data"));
        }
        let (deployment, resource) = (&instance.deployment_id, &instance.resource_id);
        index.release(
            &held.allocator_id,
            deployment,
            resource,
            instance.held(),
            held.port,
        );
        index.occupy(&held.allocator_id, deployment, resource, size, new.port);
        berths.push(InstanceBerth {
            port: new.port,
            ..held.clone()
        });
    }
    let mut claims = Vec::with_capacity(body.claims.len());
    for new in &body.claims {
        let instance = own(state, &plan.deployment_id, &new.instance_id)?;
        let free = seen.insert(&new.instance_id)
            && instance.claim.is_none()
            && !matches!(instance.want, Want::Keep | Want::Remove);
        let Some(held) = instance.berth.as_ref().filter(|_| free) else {
            return Err(no_longer(instance, "its host"));
        };
        let berth = match &new.berth {
            Some(elsewhere) => {
                let may_go = match plan.kind {
                    PlanKind::Move => instance.want == Want::Run && wished(plan, elsewhere),
                    _ => state.is_stateless(instance),
                };
                if elsewhere.instance_id != instance.id
                    || elsewhere.allocator_id == held.allocator_id
                    || !may_go
                {
                    return Err(no_longer(instance, "another host"));
                }
                Some(indexes.admits(state, instance, new.size, elsewhere)?)
            }
            None => {
                let index = indexes.of(state, &held.allocator_id);
                if layout::lack(index, &held.allocator_id, instance, "", new.size).is_some() {
                    return Err(no_longer(instance, "its host"));
                }
                let (deployment, resource) = (&instance.deployment_id, &instance.resource_id);
                index.release(
                    &held.allocator_id,
                    deployment,
                    resource,
                    instance.held(),
                    held.port,
                );
                let both = instance.held().most(new.size);
                index.occupy(&held.allocator_id, deployment, resource, both, held.port);
                None
            }
        };
        claims.push(Claim::held(new.size, berth));
    }
    Ok((berths, claims))
}

/// Whether a plan wants an instance to go there.
fn wished(plan: &PlanRecord, new: &NewBerth) -> bool {
    let moves = plan.wanted.as_ref().map(|wanted| wanted.moves.as_slice());
    moves
        .unwrap_or_default()
        .iter()
        .filter(|wish| wish.instance_id == new.instance_id)
        .any(|wish| wish.to.is_empty() || wish.to.contains(&new.allocator_id))
}

/// Gives an instance its place and the size that the plan wants; nothing runs yet.
pub(super) fn put(state: &mut State, plan: &PlanRecord, id: &InstanceId, berth: InstanceBerth) {
    let Some(mut instance) = state.instances.get(id).cloned() else {
        return;
    };
    let former = instance.berth.take();
    instance.size = target(state, plan, &instance);
    instance.want = Want::Reserved;
    arrive(state, id, &berth.allocator_id);
    let here = berth.allocator_id.clone();
    instance.berth = Some(berth);
    state.instances.insert(id.clone(), instance);
    if let Some(former) = former.filter(|former| former.allocator_id != here) {
        leave(state, id, &former.allocator_id);
    }
    assignment::settle(state, &here);
}

/// Holds room for an instance.
pub(super) fn claim(state: &mut State, id: &InstanceId, claim: Claim) {
    if let Some(berth) = &claim.berth
        && let Some(assigned) = state.assignments.get_mut(&berth.allocator_id)
    {
        assigned.claims.insert(id.clone());
    }
    if let Some(instance) = state.instances.get_mut(id) {
        instance.claim = Some(claim);
    }
}

/// Gives the room back that is held for an instance beside what it has.
pub(super) fn drop_claim(state: &mut State, id: &InstanceId) {
    let claim = state
        .instances
        .get_mut(id)
        .and_then(|instance| instance.claim.take());
    let Some(claim) = claim else {
        return;
    };
    let Some(host) = claim.berth.map(|berth| berth.allocator_id) else {
        return;
    };
    if let Some(assigned) = state.assignments.get_mut(&host) {
        assigned.claims.remove(id);
    }
    if !claim.stage.is_held() {
        // A container was there, or still is.
        assignment::remember_removed(state, &host, id.clone());
        assignment::settle(state, &host);
    }
}

/// Exchanges what an instance has and what is claimed for it.
pub(super) fn exchange(state: &mut State, id: &InstanceId) {
    let Some(mut instance) = state.instances.get(id).cloned() else {
        return;
    };
    let Some(claim) = instance.claim.take() else {
        return;
    };
    let former_size = std::mem::replace(&mut instance.size, claim.size);
    let former_berth = match claim.berth {
        Some(berth) => {
            // Ports that the other host refused say nothing of this one.
            instance.refused_ports.clear();
            instance.berth.replace(berth)
        }
        None => None,
    };
    instance.claim = Some(Claim::held(former_size, former_berth.clone()));
    let here = instance.berth.clone();
    state.instances.insert(id.clone(), instance);
    if let (Some(former), Some(here)) = (former_berth, here) {
        if let Some(assigned) = state.assignments.get_mut(&here.allocator_id) {
            assigned.claims.remove(id);
        }
        arrive(state, id, &here.allocator_id);
        leave(state, id, &former.allocator_id);
        if let Some(assigned) = state.assignments.get_mut(&former.allocator_id) {
            assigned.claims.insert(id.clone());
        }
    }
}

/// Takes an instance's place away; its host is told to remove what is left of it.
pub(super) fn unplace(state: &mut State, id: &InstanceId) {
    drop_claim(state, id);
    let Some(instance) = state.instances.get_mut(id) else {
        return;
    };
    instance.want = Want::Reserved;
    instance.routed = false;
    instance.refused_ports.clear();
    if let Some(berth) = instance.berth.take() {
        leave(state, id, &berth.allocator_id);
    }
}

/// The instance was healthy: it may hold data from now on, and need not go back.
pub(super) fn prove(state: &mut State, id: &InstanceId) {
    drop_claim(state, id);
    if let Some(instance) = state.instances.get_mut(id) {
        instance.proven = true;
    }
}

pub(super) fn arrive(state: &mut State, id: &InstanceId, allocator_id: &AllocatorId) {
    if let Some(assigned) = state.assignments.get_mut(allocator_id) {
        assigned.instances.insert(id.clone());
        // It is there again: what is there of it now is not to go.
        assigned.removed.retain(|removed| removed != id);
    }
}

pub(super) fn leave(state: &mut State, id: &InstanceId, allocator_id: &AllocatorId) {
    if let Some(assigned) = state.assignments.get_mut(allocator_id) {
        assigned.instances.remove(id);
    }
    assignment::remember_removed(state, allocator_id, id.clone());
    assignment::settle(state, allocator_id);
}
