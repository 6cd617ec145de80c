//! Memory between the hosts of a zone. A move between two hosts is worth what it takes off the squares of
//! their use, divided by what it costs: a fixed sum, and the data that goes along. Not here: which zones
//! are worth touching, and when to stop (`rebalance`).

use std::collections::BTreeSet;

use wharf_proto::ids::AllocatorId;

use super::Piece;
use crate::{
    placement::{filters, index::CapacityIndex, index::Host},
    size::{GIB, MIB},
};

/// Fullest and emptiest hosts of a zone that are looked at, so that cost stays flat.
const HOSTS: usize = 16;
/// What a move costs beside its data, in bytes of data.
const MOVE_COSTS: u64 = GIB;
/// Keeps divisions exact enough: worth is in these parts.
const PARTS: i128 = 1 << 20;

/// What a move is to be good for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aims {
    /// Hundredths below which two hosts count as equal.
    pub(super) end: u64,
    /// Instances of a deployment stay apart.
    pub(super) apart: bool,
}

/// The best move of a zone.
pub(super) struct Best {
    pub(super) piece: usize,
    pub(super) to: (AllocatorId, u16),
    pub(super) reason: String,
}

/// The zones that there are.
pub(super) fn zones(index: &CapacityIndex) -> BTreeSet<String> {
    index.hosts().map(|host| host.zone.clone()).collect()
}

/// Hosts whose memory counts: others neither give nor take.
fn takes_part(host: &Host, zone: &str) -> bool {
    host.zone == zone && host.connected && !host.maintenance && host.capacity.memory_bytes >= MIB
}

/// Hundredths of its memory that a host has given out, with so much more or less.
fn hundredths(host: &Host, more: u64, less: u64) -> u64 {
    let used = (host.used.memory_bytes.saturating_add(more)).saturating_sub(less);
    let hundredths = u128::from(used) * 100 / u128::from(host.capacity.memory_bytes.max(1));
    u64::try_from(hundredths).unwrap_or(u64::MAX)
}

/// By how many hundredths the fullest and the emptiest host of a zone differ.
pub(super) fn widest(index: &CapacityIndex, zone: &str) -> u64 {
    let used = || {
        let hosts = index.hosts().filter(|host| takes_part(host, zone));
        hosts.map(|host| hundredths(host, 0, 0))
    };
    used().max().unwrap_or(0) - used().min().unwrap_or(0)
}

/// What is taken off the sum of the squares of use by moving so much memory; above zero when the two come
/// nearer. The sum is least when all hosts are used by the same part.
fn worth(from: &Host, to: &Host, memory: u64) -> i128 {
    let mib = |bytes: u64| i128::from(bytes / MIB);
    let (memory, from_capacity, to_capacity) = (
        mib(memory),
        mib(from.capacity.memory_bytes).max(1),
        mib(to.capacity.memory_bytes).max(1),
    );
    let off = memory * (2 * mib(from.used.memory_bytes) - memory) * PARTS / from_capacity;
    let on = memory * (2 * mib(to.used.memory_bytes) + memory) * PARTS / to_capacity;
    off - on
}

/// The move of a zone that is worth most for what it costs; none when no two hosts differ by so much
/// or nothing fits that brings them nearer.
pub(super) fn best(
    index: &CapacityIndex,
    pieces: &[Piece<'_>],
    zone: &str,
    aims: Aims,
) -> Option<Best> {
    let mut hosts: Vec<Host> = index
        .hosts()
        .filter(|host| takes_part(host, zone))
        .cloned()
        .collect();
    hosts.sort_by_key(|host| (hundredths(host, 0, 0), host.id.clone()));
    let mut best: Option<(u128, u64, &Host, usize, AllocatorId)> = None;
    for from in hosts.iter().rev().take(HOSTS) {
        for (number, piece) in pieces
            .iter()
            .enumerate()
            .filter(|(_, piece)| piece.at == from.id)
        {
            let memory = piece.instance.held().memory_bytes;
            let cost = u128::from(MOVE_COSTS) + u128::from(piece.data);
            for to in hosts.iter().take(HOSTS).filter(|to| to.id != from.id) {
                let apart = hundredths(from, 0, 0).saturating_sub(hundredths(to, 0, 0));
                let worth = worth(from, to, memory);
                if apart < aims.end || worth <= PARTS {
                    continue;
                }
                if aims.apart && siblings(piece, to) > siblings(piece, from) {
                    continue;
                }
                let (Ok(worth), true) = (u128::try_from(worth), admits(piece, to)) else {
                    continue;
                };
                let rate = worth.saturating_mul(1 << 20) / cost.div_ceil(u128::from(MIB)).max(1);
                if best.as_ref().is_none_or(|(found, ..)| rate > *found) {
                    best = Some((rate, memory, from, number, to.id.clone()));
                }
            }
        }
    }
    let (_, memory, from, piece, to) = best?;
    let to = index.host(&to)?;
    let port = to.free_port(&pieces[piece].need.refused_ports)?;
    Some(Best {
        piece,
        reason: format!(
            "{} has given out {} % of its memory and {} {} %; afterwards {} % and {} %",
            from.name,
            hundredths(from, 0, 0),
            to.name,
            hundredths(to, 0, 0),
            hundredths(from, 0, memory),
            hundredths(to, memory, 0)
        ),
        to: (to.id.clone(), port),
    })
}

/// Other instances of the deployment on a host.
fn siblings(piece: &Piece<'_>, host: &Host) -> u32 {
    let count = host.deployments.get(&piece.need.deployment_id).copied();
    let own = u32::from(piece.at == host.id);
    count.unwrap_or(0).saturating_sub(own)
}

/// Whether placement would let an instance lie on another host of its zone. Its share of the zone stays
/// as it is, so the rules of zones have nothing to say.
fn admits(piece: &Piece<'_>, to: &Host) -> bool {
    filters::admit_class(to, &piece.need).is_ok() && filters::admit_host(to, &piece.need).is_ok()
}
