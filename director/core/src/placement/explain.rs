//! What placement thinks of every allocator for one instance: the checks and the score that place it,
//! asked of all instead of the best alone. Not here: moving anything (`rebalance`, `apply/plan`).

use std::collections::BTreeSet;

use wharf_proto::ids::{AllocatorId, DeploymentId, InstanceId, ResourceId};

use super::{
    filters::{self, FilterRefusal},
    index::CapacityIndex,
    score::{Score, Strategy},
    solve::{self, Need, NoRoom, need_of},
};
use crate::{
    deployment::{expand::DEFAULT_TEMPLATE, validate},
    refusal::{Refusal, RefusalKind, codes, cut},
    size::Size,
    state::{InstanceRecord, ResourceRecord},
    template::TemplateCatalog,
};

/// The kind that is meant when none is named.
const DEFAULT_KIND: &str = "storage";

/// An allocator as placement sees it for an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub allocator_id: AllocatorId,
    /// Its host.
    pub host: String,
    /// Its zone.
    pub zone: String,
    /// What is free there.
    pub free: Size,
    /// Its score, or everything that speaks against it; never an empty list.
    pub verdict: Result<Score, Vec<FilterRefusal>>,
}

/// Every allocator, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Those that would take it by score, then the others by the name of their host.
    pub candidates: Vec<Candidate>,
    /// Why nobody takes it, summed up.
    pub no_room: Option<NoRoom>,
}

/// What placement thinks of every allocator for a need.
#[must_use]
pub fn explain(index: &CapacityIndex, need: &Need, strategy: Strategy) -> Explanation {
    let mut candidates: Vec<Candidate> = index
        .hosts()
        .map(|host| {
            let (share, begun) = index.share(&need.resource_id, &host.zone);
            let refusals = filters::refusals(host, need, share, begun);
            Candidate {
                allocator_id: host.id.clone(),
                host: host.name.clone(),
                zone: host.zone.clone(),
                free: host.free(),
                verdict: if refusals.is_empty() {
                    Ok(solve::score(index, host, need, strategy))
                } else {
                    Err(refusals)
                },
            }
        })
        .collect();
    candidates.sort_by(|a, b| match (&a.verdict, &b.verdict) {
        (Ok(a), Ok(b)) => a.cmp(b),
        (Ok(_), Err(_)) => std::cmp::Ordering::Less,
        (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
        (Err(_), Err(_)) => (&a.host, &a.allocator_id).cmp(&(&b.host, &b.allocator_id)),
    });
    let nobody = candidates
        .first()
        .is_none_or(|candidate| candidate.verdict.is_err());
    Explanation {
        no_room: nobody.then(|| solve::no_room(index, need)),
        candidates,
    }
}

/// The same for an instance that is there, as if it were placed anew: its own place and the room that
/// is held for it count as free, its siblings stay where they are.
#[must_use]
pub fn of_instance(
    mut index: CapacityIndex,
    instance: &InstanceRecord,
    resource: &ResourceRecord,
    strategy: Strategy,
) -> Explanation {
    index.lift(instance);
    let need = Need {
        previous: instance
            .berth
            .as_ref()
            .map(|berth| berth.allocator_id.clone()),
        ..need_of(instance, resource)
    };
    explain(&index, &need, strategy)
}

/// The need of a first instance of a kind, as the template that has it makes it: what the size does
/// not name is the template's or derived. The default template comes first.
///
/// # Errors
/// When no template has the kind, or it takes no instance of that size.
pub fn need_of_kind(catalog: &TemplateCatalog, kind: &str, size: Size) -> Result<Need, Refusal> {
    let kind = if kind.is_empty() { DEFAULT_KIND } else { kind };
    let resources = || {
        let default = catalog.get(DEFAULT_TEMPLATE).into_iter();
        default
            .chain(catalog.iter())
            .flat_map(|template| &template.resources)
    };
    let Some(resource) = resources().find(|resource| resource.kind == kind) else {
        let kinds: BTreeSet<&str> = resources().map(|resource| resource.kind.as_str()).collect();
        let kinds: Vec<&str> = kinds.into_iter().collect();
        return Err(Refusal::new(
            RefusalKind::InvalidArgument,
            codes::RESOURCE_KIND,
            format!("no template has a resource `{}`", cut(kind, 64)),
        )
        .field("kind")
        .hint(format!("there are: {}", kinds.join(", "))));
    };
    let size = resource.complete(size);
    validate::size(kind, size, &resource.instance_configuration)
        .map_err(|refusal| refusal.field("size"))?;
    // Ids that nobody has.
    let nobody = [0; 16];
    Ok(Need {
        instance_id: InstanceId::from_bytes(nobody),
        name: format!("a new {kind} instance"),
        deployment_id: DeploymentId::from_bytes(nobody),
        resource_id: ResourceId::from_bytes(nobody),
        kind: kind.to_owned(),
        size,
        zone_count: 1,
        instances_per_zone: 1,
        required_tags: resource.instance_configuration.required_tags.clone(),
        refused_ports: BTreeSet::new(),
        previous: None,
        allowed: BTreeSet::new(),
        excluded: BTreeSet::new(),
    })
}

#[cfg(test)]
mod tests;
