//! A simulated group: members, disks that crash, a network that drops, delays, reorders and cuts. Same seed, same run.
//!
//! It checks while it runs: one leader a term, equal states at equal indexes, reads that miss nothing acknowledged
//! before them. `check_acknowledged` tells at the end whether an acknowledged command was lost or moved.

use std::collections::{BTreeMap, BTreeSet};

use crate::raft::member::{Member, MemberConfig, MemberError, Role, bootstrap, join};
use crate::raft::proposal::Proposed;
use crate::raft::simulation_store::{CrashPoint, MemStore, SimulatedDisk};
use crate::raft::transport::Outgoing;
use crate::raft::{Effects, MemberChange, ProposeError, StepError, StoreError};

use super::ledger::{Ledger, command, position};

/// A seeded generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

pub(crate) struct Node {
    pub(crate) disk: SimulatedDisk,
    pub(crate) member: Option<Member<MemStore, Ledger>>,
    session: u64,
    back_at: u64,
    proposals: BTreeMap<u64, u64>,
    /// Ticket -> how many requests a correct answer must show at least.
    reads: BTreeMap<u64, usize>,
}

pub(crate) struct World {
    pub(crate) random: Random,
    pub(crate) now: u64,
    pub(crate) nodes: BTreeMap<u64, Node>,
    /// Arrival, sender, message.
    wire: Vec<(u64, u64, Outgoing)>,
    pub(crate) drop_percent: u64,
    pub(crate) max_delay: u64,
    pub(crate) cut: BTreeSet<u64>,
    seed: u64,
    next_ticket: u64,
    pub(crate) next_request: u64,
    /// Request -> position that was acknowledged.
    pub(crate) acknowledged: BTreeMap<u64, u64>,
    /// The most requests that an acknowledgement or a completed read has shown.
    seen: usize,
    leaders: BTreeMap<u64, u64>,
    states: BTreeMap<u64, u64>,
    pub(crate) reads_done: usize,
    pub(crate) restored: BTreeSet<u64>,
    pub(crate) refused: Vec<ProposeError>,
    pub(crate) lost: usize,
    /// What the running checks found wrong.
    pub(crate) violations: Vec<String>,
}

impl Node {
    /// Starts at the next step.
    pub(crate) fn come_back(&mut self) {
        self.back_at = 0;
    }
}

impl World {
    /// Member 1 alone, as a new platform begins.
    pub(crate) fn new(seed: u64) -> World {
        let mut world = World {
            random: Random(seed),
            now: 0,
            nodes: BTreeMap::new(),
            wire: Vec::new(),
            drop_percent: 0,
            max_delay: 1,
            cut: BTreeSet::new(),
            seed,
            next_ticket: 0,
            next_request: 0,
            acknowledged: BTreeMap::new(),
            seen: 0,
            leaders: BTreeMap::new(),
            states: BTreeMap::new(),
            reads_done: 0,
            restored: BTreeSet::new(),
            refused: Vec::new(),
            lost: 0,
            violations: Vec::new(),
        };
        let disk = world.add_disk(1);
        bootstrap(&mut disk.open(), 1, Ledger::default_state()).unwrap();
        world.start(1);
        world
    }

    /// Three voters, as a grown platform is.
    pub(crate) fn of_three(seed: u64) -> World {
        let mut world = World::new(seed);
        for id in [2, 3] {
            world.add_joining(id);
            world.change(&[MemberChange::AddLearner(id)]);
            world.change(&[MemberChange::Promote(id)]);
        }
        world
    }

    fn add_disk(&mut self, id: u64) -> SimulatedDisk {
        let disk = SimulatedDisk::new(self.seed ^ (id << 32));
        self.nodes.insert(
            id,
            Node {
                disk: disk.clone(),
                member: None,
                session: 0,
                back_at: 0,
                proposals: BTreeMap::new(),
                reads: BTreeMap::new(),
            },
        );
        disk
    }

    pub(crate) fn add_joining(&mut self, id: u64) {
        let disk = self.add_disk(id);
        join(&mut disk.open(), id).unwrap();
        self.start(id);
    }

    pub(crate) fn start(&mut self, id: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        node.session += 1;
        let config = MemberConfig {
            election_seed: Some(self.seed),
            snapshot_entries: 40,
            keep_entries: 10,
            read_expiry_ticks: 60,
            snapshot_send_ticks: 20,
            ..MemberConfig::new(id, node.session)
        };
        node.member = Some(Member::start(config, node.disk.open(), Ledger::default()).unwrap());
    }

    pub(crate) fn crash(&mut self, id: u64, downtime: u64) {
        let back_at = self.now + downtime;
        let node = self.nodes.get_mut(&id).unwrap();
        node.member = None;
        node.disk.crash();
        node.back_at = back_at;
        node.proposals.clear();
        node.reads.clear();
    }

    /// Lets one of the next writes of a member crash.
    pub(crate) fn plant_crash(&mut self, id: u64) {
        let point = if self.random.chance(50) {
            CrashPoint::Before
        } else {
            CrashPoint::After
        };
        let writes = self.random.below(4);
        self.nodes[&id].disk.plant_crash(writes, point);
    }

    /// The member that leads and may do leader work.
    pub(crate) fn leader(&self) -> Option<u64> {
        self.nodes
            .iter()
            .filter(|(id, _)| !self.cut.contains(id))
            .filter_map(|(id, node)| Some((*id, node.member.as_ref()?.status())))
            .find(|(_, status)| status.serving)
            .map(|(id, _)| id)
    }

    pub(crate) fn until(&mut self, what: &str, condition: impl Fn(&World) -> bool) {
        for _ in 0..3_000 {
            if condition(self) {
                return;
            }
            self.step();
        }
        panic!("seed {}: never came: {what}", self.seed);
    }

    pub(crate) fn ledger(&self, id: u64) -> &Ledger {
        self.nodes[&id].member.as_ref().unwrap().machine()
    }

    /// One change of the group, waited for at its leader.
    pub(crate) fn change(&mut self, changes: &[MemberChange]) {
        let mut asked_before = false;
        for _ in 0..200 {
            self.until("a leader", |world| world.leader().is_some());
            let leader = self.leader().unwrap();
            self.next_ticket += 1;
            let ticket = self.next_ticket;
            let request = self.new_request();
            let node = self.nodes.get_mut(&leader).unwrap();
            let member = node.member.as_mut().unwrap();
            match member.propose_change(ticket, changes, command(request)) {
                Ok(()) => {
                    node.proposals.insert(ticket, request);
                    asked_before = true;
                    for _ in 0..100 {
                        self.step();
                        if self.acknowledged.contains_key(&request) {
                            return;
                        }
                    }
                }
                // It was done, but its answer was lost with the leader.
                Err(ProposeError::InvalidChange(_)) if asked_before => return,
                Err(ProposeError::InvalidChange(reason)) => panic!("{reason}"),
                Err(_) => self.step(),
            }
        }
        panic!("the change {changes:?} was never taken");
    }

    /// Asks for a change and does not wait; returns whether it was taken.
    pub(crate) fn ask_for_change(&mut self, leader: u64, changes: &[MemberChange]) -> bool {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        let request = self.new_request();
        let node = self.nodes.get_mut(&leader).unwrap();
        let Some(member) = node.member.as_mut() else {
            return false;
        };
        let taken = member.propose_change(ticket, changes, command(request));
        if taken.is_ok() {
            node.proposals.insert(ticket, request);
        }
        taken.is_ok()
    }

    pub(crate) fn new_request(&mut self) -> u64 {
        self.next_request += 1;
        self.next_request
    }

    /// Proposes a request at a member; the answer is noted when it comes.
    pub(crate) fn propose_at(&mut self, id: u64, request: u64) {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        let node = self.nodes.get_mut(&id).unwrap();
        let Some(member) = node.member.as_mut() else {
            return;
        };
        let refused = member.propose(vec![Proposed {
            ticket,
            command: command(request),
        }]);
        if refused.is_empty() {
            node.proposals.insert(ticket, request);
        }
        self.refused
            .extend(refused.into_iter().map(|(_, error)| error));
    }

    /// The leader, if there is one, hands over to a member, which may not even have a vote.
    pub(crate) fn hand_over(&mut self, to: u64) {
        if let Some(leader) = self.leader()
            && let Some(member) = self.nodes.get_mut(&leader).unwrap().member.as_mut()
        {
            member.transfer_leader(to);
        }
    }

    /// A member is told that its leader has ended, and seeks another.
    pub(crate) fn say_that_the_leader_ended(&mut self, id: u64) {
        if let Some(member) = self.nodes.get_mut(&id).unwrap().member.as_mut() {
            if let Some(leader) = member.status().leader {
                member.forget_leader(leader);
            }
            member.campaign_without_leader();
        }
    }

    pub(crate) fn read_at(&mut self, id: u64) {
        self.next_ticket += 1;
        let seen = self.seen;
        let node = self.nodes.get_mut(&id).unwrap();
        if let Some(member) = node.member.as_mut() {
            member.read_index(self.next_ticket);
            node.reads.insert(self.next_ticket, seen);
        }
    }

    /// One tick: restarts, deliveries, the members' clocks.
    pub(crate) fn step(&mut self) {
        self.now += 1;
        let ids: Vec<u64> = self.nodes.keys().copied().collect();
        for id in &ids {
            let node = &self.nodes[id];
            if node.member.is_none() && node.back_at <= self.now {
                self.start(*id);
            }
        }
        let now = self.now;
        let mut due: Vec<(u64, Outgoing)> = Vec::new();
        self.wire.retain(|(at, from, message)| {
            let arrives = *at <= now;
            if arrives {
                due.push((*from, message.clone()));
            }
            !arrives
        });
        for (from, message) in due {
            self.deliver(from, message);
        }
        for id in ids {
            if let Some(member) = self.nodes.get_mut(&id).unwrap().member.as_mut() {
                member.tick();
            }
            self.pump(id);
        }
    }

    fn deliver(&mut self, from: u64, message: Outgoing) {
        let to = message.to;
        let Some(member) = self
            .nodes
            .get_mut(&to)
            .and_then(|node| node.member.as_mut())
        else {
            return;
        };
        match member.step(from, &message.bytes) {
            Ok(()) => self.pump(to),
            Err(StepError::Refused(error)) => panic!("seed {}: {error}", self.seed),
            Err(StepError::LogLost { .. }) => panic!("seed {}: a log was lost", self.seed),
        }
    }

    fn pump(&mut self, id: u64) {
        let node = self.nodes.get_mut(&id).unwrap();
        let Some(member) = node.member.as_mut() else {
            return;
        };
        let mut sent: Vec<Outgoing> = Vec::new();
        let pumped = member.pump(&mut sent);
        for message in sent {
            let blocked = self.cut.contains(&id) || self.cut.contains(&message.to);
            if blocked || self.random.chance(self.drop_percent) {
                continue;
            }
            let at = self.now + 1 + self.random.below(self.max_delay);
            // A message may overtake others.
            let place = self.random.below(self.wire.len() as u64 + 1) as usize;
            self.wire.insert(place, (at, id, message));
        }
        match pumped {
            Ok(effects) => self.note(id, effects),
            Err(MemberError::Store(StoreError::Crashed)) => {
                let downtime = self.random.below(40);
                self.crash(id, downtime);
            }
            Err(error) => panic!("seed {}: member {id}: {error}", self.seed),
        }
    }

    fn note(&mut self, id: u64, effects: Effects) {
        let node = self.nodes.get_mut(&id).unwrap();
        let member = node.member.as_ref().unwrap();
        let status = member.status();
        let machine = member.machine();
        let state = self.states.entry(status.applied).or_insert(machine.hash);
        if *state != machine.hash {
            self.violations.push("states differ".into());
        }
        assert_eq!(machine.published, status.applied);
        if status.role == Role::Leader {
            let first = *self.leaders.entry(status.term).or_insert(id);
            if first != id {
                self.violations.push("two leaders in a term".into());
            }
        }
        if effects.snapshot_restored.is_some() {
            self.restored.insert(id);
        }
        for (ticket, outcome) in effects.outcomes {
            let request = node.proposals.remove(&ticket).unwrap();
            let place = position(&outcome.bytes);
            let former = *self.acknowledged.entry(request).or_insert(place);
            if former != place {
                self.violations.push("a request moved".into());
            }
            self.seen = self.seen.max(place as usize + 1);
        }
        for ticket in effects.lost {
            node.proposals.remove(&ticket).unwrap();
            self.lost += 1;
        }
        for (ticket, _) in effects.reads {
            let at_least = node.reads.remove(&ticket).unwrap();
            let shown = machine.requests.len();
            if shown < at_least {
                let stale = format!("a read at member {id} showed {shown} of {at_least}");
                self.violations.push(stale);
            }
            self.seen = self.seen.max(shown);
            self.reads_done += 1;
        }
        for ticket in effects.reads_expired {
            node.reads.remove(&ticket).unwrap();
        }
    }

    pub(crate) fn clear_wire(&mut self) {
        self.wire.clear();
    }

    /// What is sent to a member in the next ticks.
    pub(crate) fn heartbeats_to(&mut self, id: u64) -> Vec<(u64, Vec<u8>)> {
        let mut messages = Vec::new();
        for _ in 0..3 {
            self.step();
            let flying = self.wire.iter().filter(|(_, _, message)| message.to == id);
            messages.extend(flying.map(|(_, from, message)| (*from, message.bytes.clone())));
        }
        messages
    }

    /// Everybody up and connected, until all hold the same.
    pub(crate) fn heal(&mut self) {
        self.drop_percent = 0;
        self.cut.clear();
        self.until("all members agree", |world| {
            let Some(leader) = world.leader() else {
                return false;
            };
            let status = world.nodes[&leader].member.as_ref().unwrap().status();
            status.membership.all().iter().all(|id| {
                world.nodes[id].member.as_ref().is_some_and(|member| {
                    member.status().applied == status.last_index
                        && member.machine().hash == world.ledger(leader).hash
                })
            })
        });
    }

    /// Whether a member holds every acknowledged request at its acknowledged place, and none twice.
    pub(crate) fn check_acknowledged(&self, id: u64) -> Result<(), String> {
        if let Some(violation) = self.violations.first() {
            return Err(violation.clone());
        }
        let requests = &self.ledger(id).requests;
        let distinct: BTreeSet<&u64> = requests.iter().collect();
        if distinct.len() != requests.len() {
            return Err("a request was applied twice".into());
        }
        for (request, place) in &self.acknowledged {
            if requests.get(*place as usize) != Some(request) {
                return Err(format!("acknowledged request {request} is lost"));
            }
        }
        Ok(())
    }
}

impl Ledger {
    pub(crate) fn default_state() -> Vec<u8> {
        crate::raft::StateMachine::snapshot(&Ledger::default())
    }
}
