//! The member's thread with real stores, one member and three.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use super::*;
use crate::raft::member::{MemberChange, Role, bootstrap, join};
use crate::raft::proposal::MAX_COMMAND_BYTES;
use crate::raft::simulation_store::{CrashPoint, SimulatedDisk};
use crate::raft::state_machine::Halt;
use crate::raft::storage::SledStore;

/// Far longer than anything here takes: only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Counts commands; one that begins with `!` halts it, one with `?` panics.
#[derive(Default)]
struct Counter(u64);

impl StateMachine for Counter {
    fn apply(&mut self, _index: u64, command: &[u8]) -> Result<Vec<u8>, Halt> {
        match command.first() {
            Some(b'!') => return Err(Halt("an unknown command".into())),
            Some(b'?') => panic!("planted"),
            _ => {}
        }
        self.0 += 1;
        Ok(self.0.to_be_bytes().to_vec())
    }

    fn snapshot(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn restore(&mut self, _index: u64, snapshot: &[u8]) -> Result<(), Halt> {
        self.0 = number(snapshot);
        Ok(())
    }
}

fn number(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

fn never() -> OnFailure {
    Box::new(|failure| panic!("{}", failure.reason))
}

fn simulated() -> SimulatedDisk {
    let disk = SimulatedDisk::new(1);
    bootstrap(&mut disk.open(), 1, 0u64.to_be_bytes().to_vec()).unwrap();
    disk
}

fn failing(disk: &SimulatedDisk) -> (Handle, Receiver<String>) {
    let (failed, reason) = std::sync::mpsc::channel();
    let on_failure: OnFailure = Box::new(move |failure| failed.send(failure.reason).unwrap());
    let handle = start(
        MemberConfig::new(1, 1),
        disk.open(),
        Counter::default(),
        PeerOutbox::new(),
        on_failure,
    )
    .unwrap();
    (handle, reason)
}

#[tokio::test]
async fn commands_are_answered_once_each_and_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(directory.path()).unwrap();
    bootstrap(&mut store, 1, 0u64.to_be_bytes().to_vec()).unwrap();
    let handle = start(
        MemberConfig::new(1, 1),
        store,
        Counter::default(),
        PeerOutbox::new(),
        never(),
    )
    .unwrap();
    let answers = join_all((0..200).map(|_| handle.propose(vec![1]))).await;
    let distinct: BTreeSet<u64> = answers
        .into_iter()
        .map(|answer| number(&answer.unwrap().bytes))
        .collect();
    assert_eq!(distinct, (1..=200).collect());
    let read = handle.read_index().await.unwrap();
    let status = handle.status().borrow().clone();
    assert!(status.serving && status.applied >= read);
    handle.stop().await;
    assert_eq!(handle.propose(vec![1]).await, Err(ProposeError::Stopped));
    assert_eq!(handle.read_index().await, Err(ReadError::Stopped));

    let store = SledStore::open(directory.path()).unwrap();
    let again = start(
        MemberConfig::new(1, 2),
        store,
        Counter::default(),
        PeerOutbox::new(),
        never(),
    )
    .unwrap();
    let next = again.propose(vec![1]).await.unwrap();
    assert_eq!(number(&next.bytes), 201);
    again.stop().await;
}

#[tokio::test]
async fn a_command_over_the_limit_is_refused_and_the_largest_is_not() {
    let disk = simulated();
    let (handle, _) = failing(&disk);
    assert!(handle.propose(vec![0; MAX_COMMAND_BYTES]).await.is_ok());
    assert_eq!(
        handle.propose(vec![0; MAX_COMMAND_BYTES + 1]).await,
        Err(ProposeError::TooLarge)
    );
    handle.stop().await;
}

#[tokio::test]
async fn a_failed_write_an_unknown_command_or_a_panic_ends_the_member_and_tells_why() {
    for (command, expected) in [
        (b"x".to_vec(), "crashed"),
        (b"!".to_vec(), "unknown command"),
        (b"?".to_vec(), "panicked"),
    ] {
        let disk = simulated();
        let (handle, reason) = failing(&disk);
        handle.propose(vec![1]).await.unwrap();
        if command == b"x" {
            disk.plant_crash(0, CrashPoint::Before);
        }
        assert_eq!(
            handle.propose(command).await,
            Err(ProposeError::OutcomeUnknown)
        );
        let told = reason.recv_timeout(PATIENCE).unwrap();
        assert!(told.contains(expected), "{told}");
        handle.stop().await;
    }
}

#[test]
fn a_store_of_another_member_does_not_start() {
    let started = start(
        MemberConfig::new(2, 1),
        simulated().open(),
        Counter::default(),
        PeerOutbox::new(),
        never(),
    );
    assert!(matches!(
        started.err(),
        Some(StartError::Member(MemberError::WrongMember { .. }))
    ));
}

#[tokio::test]
async fn three_members_over_queues_agree_and_a_follower_reads_what_was_written() {
    let mut handles = Vec::new();
    let mut outboxes = Vec::new();
    for id in 1..=3u64 {
        let disk = SimulatedDisk::new(id);
        let mut store = disk.open();
        if id == 1 {
            bootstrap(&mut store, 1, 0u64.to_be_bytes().to_vec()).unwrap();
        } else {
            join(&mut store, id).unwrap();
        }
        let outbox = PeerOutbox::new();
        // No leader is lost and no read is given up because the machine is busy.
        let config = MemberConfig {
            election_ticks: 250,
            read_expiry_ticks: 250,
            ..MemberConfig::new(id, id)
        };
        handles.push(start(config, store, Counter::default(), outbox.clone(), never()).unwrap());
        outboxes.push(outbox);
    }
    let relay = |from: usize, to: usize| {
        let receiver = outboxes[from].receiver(to as u64 + 1);
        let handle = handles[to].clone();
        async move {
            loop {
                let message = receiver.next().await;
                let _ = handle.step(from as u64 + 1, message.bytes);
            }
        }
    };
    let relays = join_all(
        (0..3)
            .flat_map(|from| (0..3).map(move |to| (from, to)))
            .filter(|(from, to)| from != to)
            .map(|(from, to)| relay(from, to)),
    );
    let work = async {
        for id in [2, 3] {
            let add = vec![MemberChange::AddLearner(id)];
            handles[0].change_membership(add, Vec::new()).await.unwrap();
            loop {
                let promote = vec![MemberChange::Promote(id)];
                match handles[0].change_membership(promote, Vec::new()).await {
                    Ok(_) => break,
                    Err(ProposeError::Behind { .. } | ProposeError::ChangePending) => {
                        let mut status = handles[0].status();
                        status.changed().await.unwrap();
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        for expected in 1..=20 {
            let answer = handles[0].propose(vec![1]).await.unwrap();
            assert_eq!(number(&answer.bytes), expected);
            let read = handles[2].read_index().await.unwrap();
            assert!(read >= answer.index);
            assert!(handles[2].status().borrow().applied >= read);
        }
        assert_eq!(
            handles[1].propose(vec![1]).await,
            Err(ProposeError::NotLeader { leader: Some(1) })
        );
        handles[0].transfer_leader(2);
        let mut status = handles[1].status();
        status.wait_for(|status| status.serving).await.unwrap();
        let answer = handles[1].propose(vec![1]).await.unwrap();
        assert_eq!(number(&answer.bytes), 21);
        // The other two have agreed: that they did may reach the former leader after they did.
        let mut former = handles[0].status();
        let is_over = |status: &Status| status.role != Role::Leader;
        former.wait_for(is_over).await.unwrap();
    };
    let done = async {
        tokio::select! {
            _ = relays => unreachable!("relays never end"),
            () = work => {}
        }
    };
    timeout(PATIENCE, done).await.unwrap();
    for handle in &handles {
        handle.stop().await;
    }
}
