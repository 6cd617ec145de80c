//! The state machine of the tests: an ordered list of request ids, each at most once, with a running hash.
//!
//! Its outcome is the position of the request, so a test can tell a lost, doubled or reordered command.

use crate::raft::{Halt, Membership, StateMachine};

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) requests: Vec<u64>,
    pub(crate) hash: u64,
    pub(crate) published: u64,
    pub(crate) membership: Membership,
}

pub(crate) fn command(request: u64) -> Vec<u8> {
    request.to_be_bytes().to_vec()
}

pub(crate) fn position(outcome: &[u8]) -> u64 {
    u64::from_be_bytes(outcome.try_into().unwrap())
}

impl StateMachine for Ledger {
    fn apply(&mut self, _index: u64, command: &[u8]) -> Result<Vec<u8>, Halt> {
        let Some(head) = command.first_chunk::<8>() else {
            return Err(Halt("an unknown command".into()));
        };
        let request = u64::from_be_bytes(*head);
        let known = self.requests.iter().position(|one| *one == request);
        let position = known.unwrap_or_else(|| {
            self.requests.push(request);
            self.hash = (self.hash ^ request)
                .wrapping_mul(0x0100_0000_01b3)
                .rotate_left(7);
            self.requests.len() - 1
        });
        Ok((position as u64).to_be_bytes().to_vec())
    }

    fn snapshot(&self) -> Vec<u8> {
        let mut bytes = self.hash.to_be_bytes().to_vec();
        for request in &self.requests {
            bytes.extend_from_slice(&request.to_be_bytes());
        }
        bytes
    }

    fn restore(&mut self, _index: u64, snapshot: &[u8]) -> Result<(), Halt> {
        let mut words = snapshot
            .chunks_exact(8)
            .map(|word| u64::from_be_bytes(word.try_into().unwrap()));
        self.hash = words.next().unwrap_or(0);
        self.requests = words.collect();
        Ok(())
    }

    fn membership(&mut self, _index: u64, membership: &Membership) {
        self.membership = membership.clone();
    }

    fn publish(&mut self, applied: u64) {
        self.published = applied;
    }
}
