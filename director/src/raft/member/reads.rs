//! Linearizable reads: gathered, confirmed by the leader with a quorum, released once applied.
//!
//! The `raft` crate loses a read request silently when leadership changes or the leader has not yet committed in its
//! term, so every request is counted here and sent again; a late answer to an earlier request is ignored.
//! Not here: what is read.

use std::collections::BTreeMap;

const CONTEXT_BYTES: usize = 24;

#[derive(Debug)]
struct Issued {
    tickets: Vec<u64>,
    at: u64,
}

#[derive(Debug)]
pub(super) struct Reads {
    member: u64,
    session: u64,
    now: u64,
    next: u64,
    waiting: Vec<u64>,
    issued: BTreeMap<u64, Issued>,
    confirmed: BTreeMap<u64, Vec<u64>>,
    since: BTreeMap<u64, u64>,
}

impl Reads {
    pub(super) fn new(member: u64, session: u64) -> Reads {
        Reads {
            member,
            session,
            now: 0,
            next: 0,
            waiting: Vec::new(),
            issued: BTreeMap::new(),
            confirmed: BTreeMap::new(),
            since: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, ticket: u64) {
        self.waiting.push(ticket);
        self.since.insert(ticket, self.now);
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The context of one request for everything that waits.
    pub(super) fn issue(&mut self) -> Vec<u8> {
        self.next += 1;
        let tickets = std::mem::take(&mut self.waiting);
        let at = self.now;
        self.issued.insert(self.next, Issued { tickets, at });
        let mut context = Vec::with_capacity(CONTEXT_BYTES);
        for part in [self.member, self.session, self.next] {
            context.extend_from_slice(&part.to_be_bytes());
        }
        context
    }

    /// The leader confirmed a request at `index`.
    pub(super) fn confirm(&mut self, context: &[u8], index: u64) {
        let Some(head) = context.first_chunk::<CONTEXT_BYTES>() else {
            return;
        };
        let part = |at: usize| {
            head[at..at + 8]
                .iter()
                .fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        if part(0) != self.member || part(8) != self.session {
            return;
        }
        if let Some(issued) = self.issued.remove(&part(16)) {
            self.confirmed
                .entry(index)
                .or_default()
                .extend(issued.tickets);
        }
    }

    /// The tickets whose index is applied.
    pub(super) fn release(&mut self, applied: u64) -> Vec<(u64, u64)> {
        let mut ready = Vec::new();
        while let Some(first) = self.confirmed.first_entry() {
            if *first.key() > applied {
                break;
            }
            let (index, tickets) = first.remove_entry();
            for ticket in tickets {
                // One that expired meanwhile was answered already.
                if self.since.remove(&ticket).is_some() {
                    ready.push((ticket, index));
                }
            }
        }
        ready
    }

    /// Puts old requests back to be sent again; returns tickets that waited too long.
    pub(super) fn tick(&mut self, retry: u64, expiry: u64) -> Vec<u64> {
        self.now += 1;
        let now = self.now;
        let stale: Vec<u64> = self
            .issued
            .iter()
            .filter(|(_, issued)| now - issued.at >= retry)
            .map(|(number, _)| *number)
            .collect();
        for number in stale {
            if let Some(issued) = self.issued.remove(&number) {
                self.waiting.extend(issued.tickets);
            }
        }
        let expired: Vec<u64> = self
            .since
            .iter()
            .filter(|(_, since)| now - **since >= expiry)
            .map(|(ticket, _)| *ticket)
            .collect();
        for ticket in &expired {
            self.since.remove(ticket);
        }
        let since = &self.since;
        self.waiting.retain(|ticket| since.contains_key(ticket));
        expired
    }

    /// Leadership changed: no request under way will be answered.
    pub(super) fn reissue(&mut self) {
        for (_, issued) in std::mem::take(&mut self.issued) {
            self.waiting.extend(issued.tickets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_released_only_when_its_index_is_applied() {
        let mut reads = Reads::new(1, 7);
        reads.add(10);
        reads.add(11);
        let context = reads.issue();
        reads.confirm(&context, 5);
        assert!(reads.release(4).is_empty());
        assert_eq!(reads.release(5), vec![(10, 5), (11, 5)]);
    }

    #[test]
    fn a_lost_request_is_sent_again_and_its_late_answer_ignored() {
        let mut reads = Reads::new(1, 7);
        reads.add(10);
        let lost = reads.issue();
        assert!(reads.tick(1, 100).is_empty());
        assert!(reads.has_waiting());
        let again = reads.issue();
        reads.confirm(&lost, 3);
        assert!(reads.release(9).is_empty());
        reads.confirm(&again, 4);
        assert_eq!(reads.release(9), vec![(10, 4)]);
    }

    #[test]
    fn an_answer_to_a_former_run_is_ignored() {
        let mut former = Reads::new(1, 6);
        former.add(10);
        let context = former.issue();
        let mut reads = Reads::new(1, 7);
        reads.add(10);
        reads.issue();
        reads.confirm(&context, 3);
        assert!(reads.release(9).is_empty());
    }

    #[test]
    fn a_read_that_nobody_confirms_expires_once() {
        let mut reads = Reads::new(1, 7);
        reads.add(10);
        assert!(reads.tick(1, 2).is_empty());
        assert_eq!(reads.tick(1, 2), vec![10]);
        assert!(reads.tick(1, 2).is_empty());
        assert!(!reads.has_waiting());
    }
}
