//! Room for one instance: where its data is, beside what it has, or elsewhere; and why there is none.
//! Not here: for which instances room is sought (`plan/layout`), the choice among hosts (`placement`).

use std::collections::BTreeSet;

use wharf_proto::ids::AllocatorId;

use crate::{
    command::{NewBerth, NewClaim},
    placement::{self, CapacityIndex, Need, NoRoom, Strategy},
    refusal::{Refusal, RefusalKind, codes},
    size::{MIB, Size},
    state::{InstanceBerth, InstanceRecord},
};

/// Why an instance has no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// No allocator takes it.
    Anywhere(NoRoom),
    /// The host of its data has too little.
    Host {
        /// The instance's name.
        instance: String,
        /// The resource's kind.
        kind: String,
        /// The part of the size: `memory_bytes`.
        part: &'static str,
        /// In words, with figures.
        detail: String,
    },
    /// It cannot go elsewhere as it is wanted.
    Move(Refusal),
}

impl Lack {
    /// In words, with figures.
    #[must_use]
    pub fn explain(&self) -> String {
        match self {
            Self::Anywhere(no_room) => no_room.explain(),
            Self::Host { detail, .. } => detail.clone(),
            Self::Move(refusal) => refusal.message.clone(),
        }
    }

    /// As a refusal that names the field.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Anywhere(no_room) => no_room.refusal(),
            Self::Move(refusal) => refusal.clone(),
            Self::Host {
                kind, part, detail, ..
            } => Refusal::new(
                RefusalKind::ResourceExhausted,
                codes::CAPACITY,
                detail.clone(),
            )
            .field(format!("sizes.{kind}.{part}"))
            .hint("choose a smaller size or free capacity on that host; `wharf allocator list` shows what is free"),
        }
    }
}

/// The place of a terminated instance that is to run again: where its data is, with a new port.
pub(super) fn rebirth(
    index: &mut CapacityIndex,
    instance: &InstanceRecord,
    berth: &InstanceBerth,
    need: &Need,
    strategy: Strategy,
    stateless: bool,
) -> Result<NewBerth, Lack> {
    let own = &berth.allocator_id;
    let lack = lack(index, own, instance, &need.kind, need.size);
    let port = index
        .host(own)
        .and_then(|host| host.free_port(&need.refused_ports));
    index.release(
        own,
        &need.deployment_id,
        &need.resource_id,
        instance.held(),
        berth.port,
    );
    match (lack, port) {
        (None, Some(port)) => {
            index.occupy(own, &need.deployment_id, &need.resource_id, need.size, port);
            Ok(NewBerth {
                instance_id: instance.id.clone(),
                allocator_id: own.clone(),
                port,
            })
        }
        (lack, _) if stateless => elsewhere(index, need, own, strategy).map_err(|no_room| {
            // Its own host comes first in what is said.
            lack.unwrap_or(Lack::Anywhere(no_room))
        }),
        (Some(lack), _) => Err(lack),
        (None, None) => Err(Lack::Host {
            instance: instance.name.clone(),
            kind: need.kind.clone(),
            part: "memory_bytes",
            detail: format!("the host of {}'s data has no port free", instance.name),
        }),
    }
}

/// Room for an instance that gets another size: beside what it has, or elsewhere.
pub(super) fn claim(
    index: &mut CapacityIndex,
    instance: &InstanceRecord,
    berth: &InstanceBerth,
    need: &Need,
    strategy: Strategy,
    stateless: bool,
) -> Result<NewClaim, Lack> {
    let own = &berth.allocator_id;
    let (deployment, resource) = (&need.deployment_id, &need.resource_id);
    let held = instance.held();
    let Some(lack) = lack(index, own, instance, &need.kind, need.size) else {
        index.release(own, deployment, resource, held, berth.port);
        index.occupy(own, deployment, resource, held.most(need.size), berth.port);
        return Ok(NewClaim {
            instance_id: instance.id.clone(),
            size: need.size,
            berth: None,
        });
    };
    if !stateless {
        return Err(lack);
    }
    index.release(own, deployment, resource, held, berth.port);
    let found = elsewhere(index, need, own, strategy);
    index.occupy(own, deployment, resource, held, berth.port);
    let berth = found.map_err(Lack::Anywhere)?;
    Ok(NewClaim {
        instance_id: instance.id.clone(),
        size: need.size,
        berth: Some(berth),
    })
}

fn elsewhere(
    index: &mut CapacityIndex,
    need: &Need,
    own: &AllocatorId,
    strategy: Strategy,
) -> Result<NewBerth, NoRoom> {
    let need = Need {
        refused_ports: BTreeSet::new(),
        previous: Some(own.clone()),
        ..need.clone()
    };
    placement::solve(index, std::slice::from_ref(&need), strategy)
        .map(|mut berths| berths.remove(0))
}

/// What its host lacks for an instance of that size beside what it takes already.
pub(crate) fn lack(
    index: &CapacityIndex,
    own: &AllocatorId,
    instance: &InstanceRecord,
    kind: &str,
    size: Size,
) -> Option<Lack> {
    let host = index.host(own)?;
    let (more, free) = (size.minus(instance.held()), host.free());
    let dimensions = [
        (
            "memory_bytes",
            more.memory_bytes / MIB,
            free.memory_bytes / MIB,
            more.memory_bytes > free.memory_bytes,
            "MiB of memory",
        ),
        (
            "disk_bytes",
            more.disk_bytes / MIB,
            free.disk_bytes / MIB,
            more.disk_bytes > free.disk_bytes,
            "MiB of disk",
        ),
        (
            "cpu_millis",
            u64::from(more.cpu_millis),
            u64::from(free.cpu_millis),
            more.cpu_millis > free.cpu_millis,
            "thousandths of a core",
        ),
    ];
    let (part, more, free, _, unit) = dimensions.into_iter().find(|found| found.3)?;
    Some(Lack::Host {
        instance: instance.name.clone(),
        kind: kind.to_owned(),
        part,
        detail: format!(
            "{}, where {} lies, has {free} {unit} free; {more} more are needed",
            host.name, instance.name
        ),
    })
}
