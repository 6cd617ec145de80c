//! Moves that spread a platform's instances better: first what lies where the rules of placement would
//! not have it (zones, two of a resource on a host), then memory between the hosts of a zone.
//! Invariants: every move passes the filters of placement and never goes into maintenance; the broken
//! rules never grow; within a zone two hosts only come nearer; a zone is touched when its hosts differ
//! by the threshold and left when they differ by less than half of it, so that nothing goes to and fro; what
//! is proposed is all there is, so a second look at the result proposes nothing. Not here: carrying moves
//! out (`plan/layout`), memory of a zone (`even`), when it is done unasked (`policy`).

mod even;
pub mod policy;

use std::collections::{BTreeMap, BTreeSet};

use wharf_proto::ids::{AllocatorId, InstanceId, ResourceId};

use super::{
    index::CapacityIndex,
    score::Strategy,
    solve::{Need, NoRoom, need_of, solve},
};
use crate::{
    settings,
    state::{InstanceRecord, ResourceRecord, State, Want},
};

/// The setting that says by how many hundredths two hosts of a zone differ in use of memory before
/// anything moves; with less than half of it they count as equal.
pub const THRESHOLD: &str = "placement.rebalance_threshold";

/// A move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    /// Which instance.
    pub instance_id: InstanceId,
    /// Where it lies.
    pub from: AllocatorId,
    /// Where it is to lie.
    pub to: AllocatorId,
    /// Why, in words.
    pub reason: String,
}

/// Why what is being changed stays.
const BUSY: &str = "changed by a plan, or not running";

/// What would spread the load better.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// In the order in which they make room for each other; each instance once.
    pub moves: Vec<Relocation>,
    /// Why there is nothing, or nothing more.
    pub rest: String,
}

/// What a proposal keeps to beside the rules of placement.
struct Terms<'a> {
    strategy: Strategy,
    /// Hundredths that make a zone worth touching.
    begin: u64,
    /// Instances that move at most.
    limit: usize,
    /// Bytes that an instance has on its disk; zero: nobody knows.
    data: &'a dyn Fn(&InstanceRecord) -> u64,
    /// Why an instance stays whatever is gained.
    stays: &'a dyn Fn(&InstanceRecord) -> Option<&'static str>,
    /// Hosts that an instance does not go to.
    barred: &'a dyn Fn(&InstanceRecord) -> BTreeSet<AllocatorId>,
}

/// An instance that may move, where it lies on trial.
struct Piece<'a> {
    instance: &'a InstanceRecord,
    need: Need,
    at: AllocatorId,
    port: u16,
    /// Bytes that go with it.
    data: u64,
}

/// A platform on which moves are tried.
struct Trial<'a> {
    index: CapacityIndex,
    pieces: Vec<Piece<'a>>,
    strategy: Strategy,
    begin: u64,
    /// The last reason of each instance that has moved, in the order of the moves.
    moved: Vec<(usize, String)>,
    limit: usize,
}

/// At most `limit` moves that spread the load better. `data` tells what an instance has on its disk.
#[must_use]
pub fn rebalance(
    state: &State,
    index: CapacityIndex,
    strategy: Strategy,
    limit: usize,
    data: impl Fn(&InstanceRecord) -> u64,
) -> Proposal {
    let terms = Terms {
        strategy,
        begin: settings::number(state, THRESHOLD),
        limit,
        data: &data,
        stays: &|_| None,
        barred: &|_| BTreeSet::new(),
    };
    propose(state, index, &terms)
}

fn propose(state: &State, index: CapacityIndex, terms: &Terms<'_>) -> Proposal {
    let (pieces, left_alone) = pieces(state, &index, terms);
    let (begin, limit) = (terms.begin, terms.limit);
    let mut trial = Trial {
        index,
        pieces,
        strategy: terms.strategy,
        begin,
        moved: Vec::new(),
        limit,
    };
    // Room that evening out has made may be what a broken rule waited for.
    while trial.mend() || trial.even() {}
    let wide = even::zones(&trial.index)
        .iter()
        .any(|zone| even::widest(&trial.index, zone) >= begin);
    let mut rest = vec![if trial.is_full() {
        match limit {
            1 => "no more than 1 move was asked for".to_owned(),
            _ => format!("no more than {limit} moves were asked for"),
        }
    } else if wide {
        format!(
            "hosts of a zone differ by {begin} % of their memory or more, and nothing may move that would bring them nearer"
        )
    } else {
        format!("no two hosts of a zone differ by {begin} % of their memory")
    }];
    rest.extend(trial.stuck());
    rest.extend(
        left_alone
            .into_iter()
            .map(|(why, count)| format!("{} left alone: {why}", instances(count))),
    );
    Proposal {
        moves: trial.proposed(),
        rest: rest.join("; "),
    }
}

/// `1 instance was`, `2 instances were`.
fn instances(count: usize) -> String {
    match count {
        1 => "1 instance was".to_owned(),
        _ => format!("{count} instances were"),
    }
}

/// The instances that may move, and how many may not by the reason. What lies on a host that is silent is
/// not counted: it waits for its host.
fn pieces<'a>(
    state: &'a State,
    index: &CapacityIndex,
    terms: &Terms<'_>,
) -> (Vec<Piece<'a>>, BTreeMap<&'static str, usize>) {
    let mut pieces = Vec::new();
    let mut left_alone: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut aside: BTreeMap<&InstanceId, BTreeSet<AllocatorId>> = BTreeMap::new();
    for (allocator, assigned) in &state.assignments {
        for instance in &assigned.set_aside {
            let hosts = aside.entry(instance).or_default();
            hosts.insert(allocator.clone());
        }
    }
    for instance in state.instances.values() {
        let found = instance.berth.as_ref().and_then(|berth| {
            let host = index.host(&berth.allocator_id)?;
            let resource = state.resources.get(&instance.resource_id)?;
            host.connected.then_some((berth, resource))
        });
        let Some((berth, resource)) = found else {
            continue;
        };
        let stays = if is_still(state, instance) {
            (terms.stays)(instance)
        } else {
            Some(BUSY)
        };
        if let Some(why) = stays {
            *left_alone.entry(why).or_default() += 1;
            continue;
        }
        let mut excluded = aside.get(&instance.id).cloned().unwrap_or_default();
        excluded.extend((terms.barred)(instance));
        excluded.remove(&berth.allocator_id);
        pieces.push(Piece {
            instance,
            need: Need {
                refused_ports: BTreeSet::new(),
                excluded,
                previous: Some(berth.allocator_id.clone()),
                ..need_of(instance, resource)
            },
            at: berth.allocator_id.clone(),
            port: berth.port,
            data: carried(instance, resource, terms.data),
        });
    }
    (pieces, left_alone)
}

/// What goes with an instance; the disk that it may fill when nobody has seen what it has.
fn carried(
    instance: &InstanceRecord,
    resource: &ResourceRecord,
    data: impl Fn(&InstanceRecord) -> u64,
) -> u64 {
    if resource.is_stateless() {
        return 0;
    }
    match data(instance) {
        0 => instance.size.disk_bytes,
        seen => seen,
    }
}

/// Whether nothing is done to an instance that a move would meet.
fn is_still(state: &State, instance: &InstanceRecord) -> bool {
    let deployment = state.deployments.get(&instance.deployment_id);
    instance.want == Want::Run
        && !instance.paused
        && instance.claim.is_none()
        && deployment.is_some_and(|deployment| {
            deployment.pending_plan.is_none() && !deployment.deleting && !deployment.terminated
        })
}

impl Trial<'_> {
    fn is_full(&self) -> bool {
        let moved: BTreeSet<usize> = self.moved.iter().map(|(piece, _)| *piece).collect();
        moved.len() >= self.limit
    }

    fn lift(&mut self, piece: usize) {
        let Piece {
            instance,
            need,
            at,
            port,
            ..
        } = &self.pieces[piece];
        let (deployment, resource) = (&need.deployment_id, &need.resource_id);
        self.index
            .release(at, deployment, resource, instance.held(), *port);
    }

    fn put(&mut self, piece: usize) {
        let Piece {
            instance,
            need,
            at,
            port,
            ..
        } = &self.pieces[piece];
        let (deployment, resource) = (&need.deployment_id, &need.resource_id);
        self.index
            .occupy(at, deployment, resource, instance.held(), *port);
    }

    /// Where placement itself puts an instance that has left its place.
    fn placed_anew(&mut self, piece: usize) -> Result<(AllocatorId, u16), NoRoom> {
        let need = &self.pieces[piece].need;
        let found = solve(&mut self.index, std::slice::from_ref(need), self.strategy)?;
        let berth = &found[0];
        // The solver hands the place out; it is taken when the move is.
        self.index.release(
            &berth.allocator_id,
            &need.deployment_id,
            &need.resource_id,
            need.size,
            berth.port,
        );
        Ok((berth.allocator_id.clone(), berth.port))
    }

    /// Mends one broken rule; whether it did.
    fn mend(&mut self) -> bool {
        if self.is_full() {
            return false;
        }
        let mut broken = self.broken();
        // The least data first.
        broken.sort_by_key(|piece| {
            (
                self.pieces[*piece].data,
                self.pieces[*piece].need.instance_id.clone(),
            )
        });
        for piece in broken {
            let resource = self.pieces[piece].need.resource_id.clone();
            let (before, why) = (self.faults(&resource), self.why_broken(piece));
            let old = (self.pieces[piece].at.clone(), self.pieces[piece].port);
            self.lift(piece);
            if let Some(to) = self.placed_anew(piece).ok().filter(|to| to.0 != old.0) {
                (self.pieces[piece].at, self.pieces[piece].port) = to;
                self.put(piece);
                if self.faults(&resource) < before {
                    self.moved.push((piece, why));
                    return true;
                }
                self.lift(piece);
            }
            (self.pieces[piece].at, self.pieces[piece].port) = old;
            self.put(piece);
        }
        false
    }

    /// Evens out one pair of hosts of a zone; whether it did.
    fn even(&mut self) -> bool {
        let mut any = false;
        for zone in even::zones(&self.index) {
            if even::widest(&self.index, &zone) < self.begin {
                continue;
            }
            while !self.is_full()
                && let Some(best) = self.best(&zone)
            {
                self.lift(best.piece);
                (self.pieces[best.piece].at, self.pieces[best.piece].port) = best.to;
                self.put(best.piece);
                self.moved.push((best.piece, best.reason));
                any = true;
            }
        }
        any
    }

    fn best(&self, zone: &str) -> Option<even::Best> {
        let aims = even::Aims {
            end: self.begin / 2,
            apart: self.strategy.spreads_deployment(),
        };
        even::best(&self.index, &self.pieces, zone, aims)
    }

    /// Instances of resources that break a rule, and take part in it.
    fn broken(&self) -> Vec<usize> {
        (0..self.pieces.len())
            .filter(|piece| !self.why_broken(*piece).is_empty())
            .collect()
    }

    /// How often the rules of placement are broken for a resource.
    fn faults(&self, resource: &ResourceId) -> u32 {
        let Some(need) = self
            .pieces
            .iter()
            .map(|piece| &piece.need)
            .find(|need| need.resource_id == *resource)
        else {
            return 0;
        };
        let zones = self.index.shares.get(resource);
        let over: u32 = zones
            .into_iter()
            .flat_map(|zones| zones.values())
            .map(|share| share.saturating_sub(need.instances_per_zone))
            .sum();
        let begun = zones.map_or(0, |zones| u32::try_from(zones.len()).unwrap_or(u32::MAX));
        let together: u32 = self
            .index
            .hosts()
            .filter_map(|host| host.resources.get(resource))
            .map(|count| count.saturating_sub(1))
            .sum();
        over + begun.saturating_sub(need.zone_count) + together
    }

    /// Which rule an instance breaks where it lies; empty when it breaks none.
    fn why_broken(&self, piece: usize) -> String {
        let Piece { need, at, .. } = &self.pieces[piece];
        let Some(host) = self.index.host(at) else {
            return String::new();
        };
        if host
            .resources
            .get(&need.resource_id)
            .is_some_and(|count| *count > 1)
        {
            return format!(
                "{} hosts more than one instance of the same {} resource",
                host.name, need.kind
            );
        }
        let (share, begun) = self.index.share(&need.resource_id, &host.zone);
        if share > need.instances_per_zone {
            return format!(
                "zone {} has {share} instances of the {} resource and is to have {}",
                host.zone, need.kind, need.instances_per_zone
            );
        }
        if begun > need.zone_count {
            return format!(
                "the {} resource lies in {begun} zones and is to lie in {}",
                need.kind, need.zone_count
            );
        }
        String::new()
    }

    /// A rule that stays broken, and why.
    fn stuck(&mut self) -> Option<String> {
        let piece = self.broken().into_iter().next()?;
        let why = self.why_broken(piece);
        self.lift(piece);
        let no_room = self.placed_anew(piece).err();
        self.put(piece);
        let name = &self.pieces[piece].need.name;
        Some(no_room.map_or_else(
            || format!("{why}: moving {name} alone does not mend it"),
            |no_room| format!("{why}: {}", no_room.explain()),
        ))
    }

    /// Each instance that ends elsewhere than it began, at its last move.
    fn proposed(&self) -> Vec<Relocation> {
        let mut last: BTreeMap<usize, usize> = BTreeMap::new();
        for (position, (piece, _)) in self.moved.iter().enumerate() {
            last.insert(*piece, position);
        }
        let mut order: Vec<(usize, usize)> = last
            .into_iter()
            .map(|(piece, position)| (position, piece))
            .collect();
        order.sort_unstable();
        order
            .into_iter()
            .filter_map(|(position, piece)| {
                let Piece { instance, at, .. } = &self.pieces[piece];
                let from = &instance.berth.as_ref()?.allocator_id;
                (from != at).then(|| Relocation {
                    instance_id: instance.id.clone(),
                    from: from.clone(),
                    to: at.clone(),
                    reason: self.moved[position].1.clone(),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
