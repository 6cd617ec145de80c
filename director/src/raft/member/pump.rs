//! What a member does with a `Ready`, in the order that Raft's safety needs.
//!
//! The order: messages of a leader, committed entries, one durable write (snapshot, entries, hard state), a received
//! snapshot into the machine, messages that promise what was written, `advance`, what became committed by it.
//! Not here: what is put in (`member.rs`).

use raft::eraftpb::{Entry, EntryType, Message, MessageType, Snapshot, SnapshotMetadata};
use raft::{LightReady, Ready, StateRole};

use super::super::message;
use super::super::proposal::Batch;
use super::super::state_machine::StateMachine;
use super::super::storage::{RaftStore, Write};
use super::super::transport::{Outbox, Outgoing};
use super::{Effects, Member, MemberError, Outcome, membership_of};

fn send(own: u64, outbox: &mut dyn Outbox, messages: Vec<Message>) {
    for one in messages {
        // The crate relays a read request of another member to a newer leader, in that member's name. No peer
        // would take it, and the member asks again by itself.
        if one.from != own {
            continue;
        }
        outbox.send(Outgoing {
            to: one.to,
            snapshot: one.msg_type == MessageType::MsgSnapshot as i32,
            bytes: message::encode(&one),
        });
    }
}

impl<S: RaftStore, M: StateMachine> Member<S, M> {
    /// Does everything that is due and returns what came of it. Call it after every batch of inputs.
    ///
    /// # Errors
    /// Final: drop the member and end the process.
    pub fn pump(&mut self, outbox: &mut dyn Outbox) -> Result<Effects, MemberError> {
        loop {
            self.issue_reads();
            if !self.node.has_ready() {
                break;
            }
            self.one_ready(outbox)?;
            self.step_down_when_removed();
            self.make_snapshot_when_due()?;
        }
        // A peer may have asked for a snapshot in the last step, with nothing else to do.
        self.make_snapshot_when_due()?;
        let released = self.reads.release(self.applied);
        self.effects.reads.extend(released);
        self.give_up_lost_tickets();
        Ok(std::mem::take(&mut self.effects))
    }

    fn one_ready(&mut self, outbox: &mut dyn Outbox) -> Result<(), MemberError> {
        let mut ready = self.node.ready();
        if ready.ss().is_some() {
            self.reads.reissue();
        }
        send(self.config.id, outbox, ready.take_messages());
        for read in ready.take_read_states() {
            self.reads.confirm(&read.request_ctx, read.index);
        }
        let committed = ready.take_committed_entries();
        self.apply(committed)?;
        // Before `advance`: the crate panics when a leader without a progress of its own persists entries.
        self.step_down_when_removed();
        self.write(&ready)?;
        if !ready.snapshot().is_empty() {
            let snapshot = ready.snapshot().clone();
            self.restore(&snapshot)?;
        }
        send(self.config.id, outbox, ready.take_persisted_messages());
        let light = self.node.advance(ready);
        self.finish(light, outbox)
    }

    fn write(&mut self, ready: &Ready) -> Result<(), MemberError> {
        let snapshot = Some(ready.snapshot()).filter(|snapshot| !snapshot.is_empty());
        let mut hard_state = ready.hs().cloned();
        if hard_state.is_none() && !ready.entries().is_empty() {
            // The commit index of the last light ready was not written; it goes along for free.
            hard_state = Some(self.node.raft.hard_state());
        }
        if snapshot.is_none() && hard_state.is_none() && ready.entries().is_empty() {
            return Ok(());
        }
        let write = Write {
            entries: ready.entries(),
            hard_state: hard_state.as_ref(),
            snapshot,
            durable: ready.must_sync(),
        };
        self.node.mut_store().store_mut().persist(&write)?;
        Ok(())
    }

    fn finish(
        &mut self,
        mut light: LightReady,
        outbox: &mut dyn Outbox,
    ) -> Result<(), MemberError> {
        send(self.config.id, outbox, light.take_messages());
        self.apply(light.take_committed_entries())?;
        self.node.advance_apply();
        Ok(())
    }

    fn restore(&mut self, snapshot: &Snapshot) -> Result<(), MemberError> {
        let metadata = snapshot.get_metadata();
        self.machine.restore(metadata.index, &snapshot.data)?;
        self.applied = metadata.index;
        self.bytes_since_snapshot = 0;
        self.conf = metadata.get_conf_state().clone();
        self.machine
            .membership(metadata.index, &membership_of(&self.conf));
        self.machine.publish(metadata.index);
        self.effects.snapshot_restored = Some(metadata.index);
        Ok(())
    }

    fn apply(&mut self, entries: Vec<Entry>) -> Result<(), MemberError> {
        let Some(last) = entries.last().map(|entry| entry.index) else {
            return Ok(());
        };
        for entry in entries {
            if entry.index <= self.applied {
                continue;
            }
            let index = entry.index;
            self.bytes_since_snapshot += entry.data.len() as u64;
            if entry.entry_type == EntryType::EntryNormal as i32 {
                if !entry.data.is_empty() {
                    self.apply_batch(index, &entry.data)?;
                }
            } else {
                self.apply_change(&entry)?;
            }
            self.applied = index;
        }
        self.machine.publish(last);
        Ok(())
    }

    fn apply_batch(&mut self, index: u64, bytes: &[u8]) -> Result<(), MemberError> {
        let batch = Batch::decode(bytes).map_err(|source| MemberError::Entry { index, source })?;
        let ours = batch.member == self.config.id && batch.session == self.config.session;
        for proposed in batch.commands {
            // A membership change without a command of its own has an empty outcome.
            let bytes = if proposed.command.is_empty() {
                Vec::new()
            } else {
                self.machine.apply(index, &proposed.command)?
            };
            if ours && self.tickets.remove(&proposed.ticket).is_some() {
                self.effects
                    .outcomes
                    .push((proposed.ticket, Outcome { index, bytes }));
            }
        }
        Ok(())
    }

    fn apply_change(&mut self, entry: &Entry) -> Result<(), MemberError> {
        let index = entry.index;
        let change = message::conf_change_of(entry).ok_or(MemberError::UnknownChange(index))?;
        // A member that acted by a membership must not fall back behind it in a restart: two groups could
        // then elect a leader each. So the commit index is durable before the change takes effect.
        let hard_state = self.stored_hard_state(index);
        if self.node.store().store().hard_state().commit < index {
            self.node.mut_store().store_mut().persist(&Write {
                hard_state: Some(&hard_state),
                durable: true,
                ..Write::default()
            })?;
        }
        match self.node.apply_conf_change(&change) {
            Ok(conf) => {
                self.conf = conf;
                self.machine.membership(index, &membership_of(&self.conf));
                if !change.context.is_empty() {
                    self.apply_batch(index, &change.context)?;
                }
            }
            // Every member decides alike, so the group stays together.
            Err(error) => tracing::warn!(%error, index, "a membership change had no effect"),
        }
        // Who joins needs a snapshot that names it.
        self.snapshot_due = true;
        Ok(())
    }

    fn issue_reads(&mut self) {
        if !self.reads.has_waiting() {
            return;
        }
        let raft = &self.node.raft;
        let can_answer = match raft.state {
            StateRole::Leader => raft.commit_to_current_term(),
            StateRole::Follower => raft.leader_id != raft::INVALID_ID,
            StateRole::Candidate | StateRole::PreCandidate => false,
        };
        if can_answer {
            let context = self.reads.issue();
            self.node.read_index(context);
        }
    }

    fn give_up_lost_tickets(&mut self) {
        let raft = &self.node.raft;
        let leads = raft.state == StateRole::Leader;
        let term = raft.term;
        let Effects { lost, .. } = &mut self.effects;
        self.tickets.retain(|ticket, proposed_in| {
            let kept = leads && *proposed_in == term;
            if !kept {
                lost.push(*ticket);
            }
            kept
        });
    }

    fn make_snapshot_when_due(&mut self) -> Result<(), MemberError> {
        let wanted = self.node.store().take_snapshot_wanted();
        let store = self.node.store().store();
        let made_at = store.snapshot_metadata().index;
        let since = self.applied.saturating_sub(made_at);
        let due = wanted
            || self.snapshot_due
            || since >= self.config.snapshot_entries
            || self.bytes_since_snapshot >= self.config.snapshot_bytes;
        if !due || since == 0 {
            return Ok(());
        }
        let Some(term) = store.term(self.applied) else {
            return Ok(());
        };
        let snapshot = Snapshot {
            data: self.machine.snapshot(),
            metadata: Some(SnapshotMetadata {
                conf_state: Some(self.conf.clone()),
                index: self.applied,
                term,
            }),
        };
        let hard_state = self.stored_hard_state(self.applied);
        let keep_from = self.applied.saturating_sub(self.config.keep_entries);
        let store = self.node.mut_store().store_mut();
        store.save_snapshot(&snapshot, &hard_state)?;
        if keep_from >= store.first_index() {
            store.compact(keep_from)?;
        }
        self.snapshot_due = false;
        self.bytes_since_snapshot = 0;
        self.effects.snapshot_made = Some(self.applied);
        Ok(())
    }
}
