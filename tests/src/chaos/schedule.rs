//! Which faults a chaos run makes and when: a pure function of its seed, so that a seed replays a
//! run's choices. Every kind of fault comes up equally often, in an order drawn at random.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

/// What a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    /// The director's process.
    Director,
    /// The allocator's process.
    Allocator,
    /// The proxy's process.
    Proxy,
    /// The storage node of `system`.
    Storage,
    /// The monitoring node of `system`.
    Monitoring,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// kill -9.
    Kill(Victim),
    /// The process stands still for so long, then goes on: its clock has jumped.
    Freeze(Victim, Duration),
    /// The engine is killed with its containerd, and started again.
    KillEngine,
    /// The disk of the platform's data is full for so long.
    FillDisk(Duration),
    /// Nothing reaches the storage node for so long.
    CutStorage(Duration),
}

/// One fault and the pause before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// From the end of what was before it.
    pub pause: Duration,
    /// What is done.
    pub fault: Fault,
}

/// Frozen or cut off for at most this long; also how long a disk stays full.
const LONGEST: Duration = Duration::from_secs(8);
const VICTIMS: [Victim; 5] = [
    Victim::Director,
    Victim::Allocator,
    Victim::Proxy,
    Victim::Storage,
    Victim::Monitoring,
];

/// The events of a run. Rounds of all kinds of fault, each round in an order of its own.
#[must_use]
pub fn schedule(seed: u64, events: usize) -> Vec<Event> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut planned = Vec::with_capacity(events);
    while planned.len() < events {
        let mut round: Vec<Fault> = VICTIMS.map(Fault::Kill).to_vec();
        let frozen = VICTIMS[random.random_range(0..VICTIMS.len())];
        round.push(Fault::Freeze(frozen, span(&mut random)));
        round.push(Fault::KillEngine);
        round.push(Fault::FillDisk(span(&mut random)));
        round.push(Fault::CutStorage(span(&mut random)));
        for index in (1..round.len()).rev() {
            round.swap(index, random.random_range(0..=index));
        }
        round.truncate(events - planned.len());
        planned.extend(round.into_iter().map(|fault| Event {
            pause: Duration::from_millis(random.random_range(200..2500)),
            fault,
        }));
    }
    planned
}

fn span(random: &mut StdRng) -> Duration {
    Duration::from_millis(random.random_range(500..LONGEST.as_millis() as u64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_seed_replays_its_events_and_another_gives_others() {
        assert_eq!(schedule(7, 40), schedule(7, 40));
        assert_ne!(schedule(7, 40), schedule(8, 40));
        assert_eq!(schedule(7, 40)[..9], schedule(7, 9)[..]);
    }

    #[test]
    fn every_kind_of_fault_comes_up_equally_often() {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for event in schedule(3, 90) {
            let kind = match event.fault {
                Fault::Freeze(_, _) => "freeze".to_owned(),
                Fault::FillDisk(_) => "fill".to_owned(),
                Fault::CutStorage(_) => "cut".to_owned(),
                other => format!("{other:?}"),
            };
            *counts.entry(kind).or_default() += 1;
        }
        assert_eq!(counts.len(), 9, "{counts:?}");
        assert!(counts.values().all(|count| *count == 10), "{counts:?}");
    }
}
