//! Seeded runs of three members under loss, delay, reordering, cuts and crashes.

use super::ledger::Ledger;
use super::world::World;
use crate::raft::simulation_store::SimulatedDisk;
use crate::raft::{Member, MemberConfig, StepError, join};

/// Every seed that ever failed stays in this range or is added by name.
const SEEDS: std::ops::Range<u64> = 0..24;

fn storm(seed: u64) -> World {
    let mut world = World::of_three(seed);
    world.max_delay = 1 + world.random.below(6);
    world.drop_percent = world.random.below(15);
    let mut unknown: Vec<u64> = Vec::new();
    for _ in 0..600 {
        let id = 1 + world.random.below(3);
        if world.random.chance(60) {
            // A client that got no answer asks again with the same request id.
            let again = world.random.chance(20) && !unknown.is_empty();
            let request = if again {
                unknown[world.random.next() as usize % unknown.len()]
            } else {
                world.new_request()
            };
            unknown.push(request);
            let target = world
                .leader()
                .filter(|_| world.random.chance(70))
                .unwrap_or(id);
            world.propose_at(target, request);
        }
        if world.random.chance(20) {
            world.read_at(id);
        }
        match world.random.below(200) {
            0 | 1 => {
                let downtime = world.random.below(60);
                world.crash(id, downtime);
            }
            2 | 3 => world.plant_crash(id),
            4 | 5 => {
                world.cut.clear();
                world.cut.insert(id);
            }
            6..=9 => world.cut.clear(),
            _ => {}
        }
        world.step();
    }
    world.heal();
    world
}

#[test]
fn no_acknowledged_command_is_lost_and_no_read_is_stale_whatever_the_network_and_disks_do() {
    let (mut acknowledged, mut reads, mut lost, mut restored) = (0, 0, 0, 0);
    for seed in SEEDS {
        let world = storm(seed);
        for id in [1, 2, 3] {
            world
                .check_acknowledged(id)
                .unwrap_or_else(|error| panic!("seed {seed}, member {id}: {error}"));
        }
        acknowledged += world.acknowledged.len();
        reads += world.reads_done;
        lost += world.lost;
        restored += world.restored.len();
    }
    // The storm must have been one, and work must have been done in it.
    assert!(acknowledged > 2_000, "{acknowledged} acknowledged");
    assert!(reads > 400, "{reads} reads");
    assert!(lost > 0, "no proposal was ever given up");
    assert!(restored > 0, "no snapshot was ever needed");
}

#[test]
fn a_run_depends_on_nothing_but_its_seed() {
    for seed in [3, 11] {
        let (first, second) = (storm(seed), storm(seed));
        assert_eq!(first.now, second.now);
        assert_eq!(first.acknowledged, second.acknowledged);
        assert_eq!(first.ledger(1).requests, second.ledger(1).requests);
    }
}

#[test]
fn the_checker_notices_a_disk_that_loses_acknowledged_entries() {
    let mut world = World::of_three(5);
    world.heal();
    for _ in 0..10 {
        let leader = world.leader().unwrap();
        let request = world.new_request();
        world.propose_at(leader, request);
        world.until("an answer", |world| {
            world.acknowledged.contains_key(&request)
        });
    }
    world.heal();
    world.check_acknowledged(2).unwrap();
    for id in [1, 2, 3] {
        world.crash(id, if id == 3 { u64::MAX / 2 } else { 0 });
        world.nodes[&id].disk.lose_last_entries(4);
    }
    // A heartbeat that still flies would tell the members themselves.
    world.clear_wire();
    world.until("a leader", |world| world.leader().is_some());
    let leader = world.leader().unwrap();
    assert!(world.check_acknowledged(leader).is_err());
    world.violations.clear();
    let error = world.check_acknowledged(leader).unwrap_err();
    assert!(error.contains("is lost"), "{error}");
}

#[test]
fn a_follower_that_was_away_for_long_catches_up_by_snapshot() {
    let mut world = World::of_three(7);
    world.heal();
    world.restored.clear();
    let leader = world.leader().unwrap();
    let away = 1 + leader % 3;
    world.cut.insert(away);
    for _ in 0..150 {
        let request = world.new_request();
        let leader = world.leader().unwrap();
        world.propose_at(leader, request);
        world.until("an answer", |world| {
            world.acknowledged.contains_key(&request)
        });
    }
    let status = world.nodes[&leader].member.as_ref().unwrap().status();
    assert!(status.snapshot_index > 100, "the log was never compacted");
    assert!(status.first_index > 50);
    world.heal();
    assert!(world.restored.contains(&away));
    world.check_acknowledged(away).unwrap();
}

#[test]
fn a_lost_snapshot_is_sent_again() {
    let mut world = World::of_three(8);
    world.heal();
    let leader = world.leader().unwrap();
    let away = 1 + leader % 3;
    world.cut.insert(away);
    for _ in 0..120 {
        let request = world.new_request();
        let leader = world.leader().unwrap();
        world.propose_at(leader, request);
        world.until("an answer", |world| {
            world.acknowledged.contains_key(&request)
        });
    }
    world.cut.clear();
    world.until("a snapshot on its way", |world| {
        let Some(leader) = world.leader() else {
            return false;
        };
        let status = world.nodes[&leader].member.as_ref().unwrap().status();
        status.peers.iter().any(|peer| peer.receiving_snapshot)
    });
    // It is on the wire now; whatever flies to a dead member is lost.
    world.restored.clear();
    world.crash(away, 5);
    world.heal();
    assert!(world.restored.contains(&away));
}

#[test]
fn a_member_that_does_not_lead_refuses_and_names_the_leader() {
    let mut world = World::of_three(9);
    world.heal();
    let leader = world.leader().unwrap();
    let follower = 1 + leader % 3;
    let request = world.new_request();
    world.propose_at(follower, request);
    assert_eq!(
        world.refused.last(),
        Some(&crate::raft::ProposeError::NotLeader {
            leader: Some(leader)
        })
    );
}

#[test]
fn a_leader_without_a_quorum_gives_up_its_proposals() {
    let mut world = World::of_three(10);
    world.heal();
    let leader = world.leader().unwrap();
    world.cut.insert(leader);
    let request = world.new_request();
    world.propose_at(leader, request);
    world.until("a new leader", |world| {
        world.leader().is_some_and(|new| new != leader)
    });
    world.until("the old one gives up", |world| world.lost == 1);
    assert!(!world.acknowledged.contains_key(&request));
}

#[test]
fn a_member_that_lost_its_log_says_so_instead_of_panicking() {
    let mut world = World::of_three(12);
    world.heal();
    let leader = world.leader().unwrap();
    let follower = 1 + leader % 3;
    let heartbeats = world.heartbeats_to(follower);
    let disk = SimulatedDisk::new(1);
    join(&mut disk.open(), follower).unwrap();
    let config = MemberConfig::new(follower, 99);
    let mut wiped = Member::start(config, disk.open(), Ledger::default()).unwrap();
    let lost = heartbeats
        .iter()
        .map(|(from, message)| wiped.step(*from, message))
        .find(Result::is_err);
    assert!(matches!(lost, Some(Err(StepError::LogLost { .. }))));
}
