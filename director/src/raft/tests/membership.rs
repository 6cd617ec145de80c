//! Growing, shrinking and replacing the group.

use super::ledger::Ledger;
use super::world::World;
use crate::raft::simulation_store::SimulatedDisk;
use crate::raft::{
    Halt, Member, MemberChange, MemberConfig, Membership, ProposeError, Role, StateMachine,
    bootstrap,
};

fn voters(world: &World, id: u64) -> Vec<u64> {
    world.ledger(id).membership.voters.clone()
}

fn work(world: &mut World, count: usize) {
    for _ in 0..count {
        world.until("a leader", |world| world.leader().is_some());
        let leader = world.leader().unwrap();
        let request = world.new_request();
        world.propose_at(leader, request);
        for _ in 0..50 {
            world.step();
            if world.acknowledged.contains_key(&request) {
                break;
            }
        }
    }
}

#[test]
fn one_member_grows_to_three_and_to_five() {
    let mut world = World::new(21);
    work(&mut world, 60);
    for id in 2..=5 {
        world.add_joining(id);
        world.change(&[MemberChange::AddLearner(id)]);
        world.change(&[MemberChange::Promote(id)]);
        work(&mut world, 5);
    }
    world.heal();
    for id in 1..=5 {
        assert_eq!(voters(&world, id), [1, 2, 3, 4, 5]);
        world.check_acknowledged(id).unwrap();
    }
}

#[test]
fn a_removed_leader_steps_down_and_the_others_go_on() {
    for seed in 30..36 {
        let mut world = World::of_three(seed);
        world.heal();
        let leader = world.leader().unwrap();
        world.change(&[MemberChange::Remove(leader)]);
        world.until("another leader", |world| {
            world.leader().is_some_and(|new| new != leader)
        });
        work(&mut world, 5);
        world.heal();
        let new = world.leader().unwrap();
        assert_eq!(voters(&world, new).len(), 2);
        world.check_acknowledged(new).unwrap();
        let status = world.nodes[&leader].member.as_ref().unwrap().status();
        assert_ne!(status.role, Role::Leader);
    }
}

#[test]
fn members_are_replaced_at_once_through_a_joint_membership() {
    for seed in 40..46 {
        let mut world = World::of_three(seed);
        for id in [4, 5] {
            world.add_joining(id);
            world.change(&[MemberChange::AddLearner(id)]);
        }
        world.drop_percent = 5;
        world.max_delay = 3;
        world.change(&[
            MemberChange::Promote(4),
            MemberChange::Promote(5),
            MemberChange::Remove(2),
            MemberChange::Remove(3),
        ]);
        world.until("the joint membership is left", |world| {
            world.leader().is_some_and(|leader| {
                let membership = &world.ledger(leader).membership;
                membership.outgoing.is_empty() && membership.voters == [1, 4, 5]
            })
        });
        work(&mut world, 5);
        world.heal();
        for id in [1, 4, 5] {
            world.check_acknowledged(id).unwrap();
        }
    }
}

#[test]
fn membership_changes_survive_crashes_of_everybody() {
    for seed in 50..60 {
        let mut world = World::new(seed);
        world.add_joining(2);
        world.add_joining(3);
        for change in [
            MemberChange::AddLearner(2),
            MemberChange::Promote(2),
            MemberChange::AddLearner(3),
            MemberChange::Promote(3),
        ] {
            world.change(&[change]);
            for id in 1..=3 {
                if world.random.chance(60) {
                    let downtime = world.random.below(10);
                    world.crash(id, downtime);
                }
            }
        }
        world.heal();
        for id in 1..=3 {
            assert_eq!(voters(&world, id), [1, 2, 3], "seed {seed}");
            world.check_acknowledged(id).unwrap();
        }
    }
}

#[test]
fn senseless_changes_are_refused_by_name() {
    let mut world = World::of_three(61);
    world.heal();
    let leader = world.leader().unwrap();
    let member = world
        .nodes
        .get_mut(&leader)
        .unwrap()
        .member
        .as_mut()
        .unwrap();
    let mut ask = |changes: &[MemberChange]| member.propose_change(1, changes, Vec::new());
    for changes in [
        vec![],
        vec![MemberChange::AddLearner(0)],
        vec![MemberChange::AddLearner(leader)],
        vec![MemberChange::Promote(9)],
        vec![MemberChange::Remove(9)],
        vec![
            MemberChange::Remove(1),
            MemberChange::Remove(2),
            MemberChange::Remove(3),
        ],
    ] {
        assert!(
            matches!(ask(&changes), Err(ProposeError::InvalidChange(_))),
            "{changes:?}"
        );
    }
    assert_eq!(ask(&[MemberChange::AddLearner(7)]), Ok(()));
    assert_eq!(
        ask(&[MemberChange::AddLearner(8)]),
        Err(ProposeError::ChangePending)
    );
}

#[test]
fn a_learner_that_has_nothing_yet_is_not_promoted() {
    let mut world = World::new(62);
    world.change(&[MemberChange::AddLearner(2)]);
    let member = world.nodes.get_mut(&1).unwrap().member.as_mut().unwrap();
    assert!(matches!(
        member.propose_change(99, &[MemberChange::Promote(2)], Vec::new()),
        Err(ProposeError::Behind { member: 2, .. })
    ));
}

/// A change that makes sense for the membership that the leader knows, or two at once.
fn some_change(world: &mut World, leader: u64) -> Vec<MemberChange> {
    let membership = world.ledger(leader).membership.clone();
    let newest = *world.nodes.keys().last().unwrap();
    let mut changes = Vec::new();
    if let Some(learner) = membership.learners.first() {
        changes.push(MemberChange::Promote(*learner));
    } else if newest < 9 {
        world.add_joining(newest + 1);
        changes.push(MemberChange::AddLearner(newest + 1));
    }
    if membership.voters.len() > 3 || (changes.is_empty() && membership.voters.len() > 2) {
        let place = world.random.next() as usize % membership.voters.len();
        changes.push(MemberChange::Remove(membership.voters[place]));
    }
    changes
}

#[test]
fn the_group_may_change_in_a_storm() {
    let mut changed = 0;
    for seed in 100..110 {
        let mut world = World::of_three(seed);
        world.max_delay = 1 + world.random.below(4);
        world.drop_percent = world.random.below(10);
        for _ in 0..600 {
            let ids: Vec<u64> = world.nodes.keys().copied().collect();
            let id = ids[world.random.next() as usize % ids.len()];
            let leader = world.leader();
            if let Some(leader) = leader.filter(|_| world.random.chance(60)) {
                let request = world.new_request();
                world.propose_at(leader, request);
            }
            if let Some(leader) = leader.filter(|_| world.random.chance(5)) {
                let changes = some_change(&mut world, leader);
                if !changes.is_empty() && world.ask_for_change(leader, &changes) {
                    changed += 1;
                }
            }
            world.read_at(id);
            match world.random.below(150) {
                0 | 1 => {
                    let downtime = world.random.below(40);
                    world.crash(id, downtime);
                }
                2 | 3 => world.plant_crash(id),
                4 => {
                    world.cut.clear();
                    world.cut.insert(id);
                }
                5..=8 => world.cut.clear(),
                9 | 10 => world.hand_over(id),
                // True or not: the leader is said to have ended.
                11..=13 => world.say_that_the_leader_ended(id),
                _ => {}
            }
            world.step();
        }
        world.heal();
        let leader = world.leader().unwrap();
        for id in world.ledger(leader).membership.all() {
            world
                .check_acknowledged(id)
                .unwrap_or_else(|error| panic!("seed {seed}, member {id}: {error}"));
        }
    }
    assert!(changed > 60, "{changed} changes");
}

#[test]
fn a_leader_that_ended_is_replaced_before_the_election_timeout() {
    for seed in 70..90 {
        let mut world = World::of_three(seed);
        world.heal();
        let leader = world.leader().unwrap();
        world.crash(leader, 1_000);
        // Its last words would bring it back for a moment; the directors say it again then.
        world.clear_wire();
        let began = world.now;
        // Everybody notices, one begins: that is what the directors' turns are for.
        let others: Vec<u64> = (1..=3).filter(|id| *id != leader).collect();
        for id in &others {
            let member = world.nodes.get_mut(id).unwrap().member.as_mut().unwrap();
            member.forget_leader(leader);
        }
        world.say_that_the_leader_ended(others[0]);
        world.until("another leader", |world| {
            world.leader().is_some_and(|new| new != leader)
        });
        let ticks = world.now - began;
        let timeout = MemberConfig::new(1, 1).election_ticks as u64;
        assert!(ticks < timeout, "it took {ticks} ticks with seed {seed}");
        world.nodes.get_mut(&leader).unwrap().come_back();
        work(&mut world, 3);
        world.heal();
        for id in 1..=3 {
            world.check_acknowledged(id).unwrap();
        }
    }
}

#[test]
fn a_false_alarm_about_the_leader_costs_no_leader_when_the_others_hear_it() {
    for seed in 90..100 {
        let mut world = World::of_three(seed);
        world.heal();
        let leader = world.leader().unwrap();
        let other = (1..=3).find(|id| *id != leader).unwrap();
        for _ in 0..30 {
            world.say_that_the_leader_ended(other);
            world.step();
        }
        assert_eq!(world.leader(), Some(leader), "seed {seed}");
    }
}

/// Looks at the disk whenever a membership takes effect.
struct Watching {
    disk: SimulatedDisk,
    seen: Vec<(u64, u64)>,
}

impl StateMachine for Watching {
    fn apply(&mut self, _index: u64, _command: &[u8]) -> Result<Vec<u8>, Halt> {
        Ok(Vec::new())
    }
    fn snapshot(&self) -> Vec<u8> {
        Vec::new()
    }
    fn restore(&mut self, _index: u64, _snapshot: &[u8]) -> Result<(), Halt> {
        Ok(())
    }
    fn membership(&mut self, index: u64, _membership: &Membership) {
        self.seen.push((index, self.disk.durable_commit()));
    }
}

#[test]
fn a_membership_takes_effect_only_when_its_commit_is_durable() {
    let disk = SimulatedDisk::new(1);
    bootstrap(&mut disk.open(), 1, Ledger::default_state()).unwrap();
    let machine = Watching {
        disk: disk.clone(),
        seen: Vec::new(),
    };
    let mut member = Member::start(MemberConfig::new(1, 1), disk.open(), machine).unwrap();
    member.pump(&mut Vec::new()).unwrap();
    for id in 2..5 {
        member
            .propose_change(id, &[MemberChange::AddLearner(id)], Vec::new())
            .unwrap();
        member.pump(&mut Vec::new()).unwrap();
    }
    let seen = &member.machine().seen;
    assert_eq!(seen.len(), 4);
    assert!(
        seen.iter().all(|(index, commit)| commit >= index),
        "{seen:?}"
    );
}
