//! Raft messages as bytes, and the checks that stand between a peer's bytes and the `raft` crate.
//!
//! The crate panics on a good many malformed messages (unknown enum numbers, gaps between entries, empty read
//! requests), so whatever could reach such a place is refused here, before it is stepped.
//! Not here: who may send (the transport authenticates members), routing, retries (Raft's own).

use raft::eraftpb::{
    ConfChange, ConfChangeType, ConfChangeV2, Entry, EntryType, Message, MessageType,
};
use raft_prost::Message as _;
use thiserror::Error;

use super::storage::snapshot_file::MAX_SNAPSHOT_BYTES;

/// The largest message, a snapshot.
pub const MAX_MESSAGE_BYTES: usize = MAX_SNAPSHOT_BYTES + 1024 * 1024;
const MAX_READ_CONTEXT_BYTES: usize = 64;

/// Why a peer's bytes are not stepped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MessageError {
    /// Over [`MAX_MESSAGE_BYTES`].
    #[error("a raft message of {0} bytes is over the limit of {MAX_MESSAGE_BYTES}")]
    TooLarge(usize),
    /// Not a message at all, or one that no correct member sends.
    #[error("a raft message was malformed: {0}; check that all directors run compatible releases")]
    Malformed(&'static str),
    /// Its sender claims to be another member.
    #[error(
        "member {peer} sent a raft message in the name of member {claimed}; check which data directory it uses"
    )]
    Impersonation {
        /// Who sent it.
        peer: u64,
        /// Who it says it is from.
        claimed: u64,
    },
    /// For another member.
    #[error("a raft message for member {0} arrived here; check the address of that member")]
    Misdirected(u64),
}

/// Encodes a message for a peer.
#[must_use]
pub(crate) fn encode(message: &Message) -> Vec<u8> {
    message.encode_to_vec()
}

/// Decodes and checks a message that the authenticated member `peer` sent to the member `own`.
pub(crate) fn decode(bytes: &[u8], own: u64, peer: u64) -> Result<Message, MessageError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(MessageError::TooLarge(bytes.len()));
    }
    let message = Message::decode(bytes).map_err(|_| MessageError::Malformed("not a message"))?;
    if message.to != own {
        return Err(MessageError::Misdirected(message.to));
    }
    if message.from == 0 || message.from == own {
        return Err(MessageError::Malformed("no sender"));
    }
    if message.from != peer {
        return Err(MessageError::Impersonation {
            peer,
            claimed: message.from,
        });
    }
    check(&message).map_err(MessageError::Malformed)?;
    Ok(message)
}

fn check(message: &Message) -> Result<(), &'static str> {
    let kind = MessageType::from_i32(message.msg_type).ok_or("unknown type")?;
    match kind {
        MessageType::MsgAppend => check_entries(message)?,
        MessageType::MsgSnapshot => check_snapshot(message)?,
        MessageType::MsgReadIndex | MessageType::MsgReadIndexResp => {
            let [entry] = message.entries.as_slice() else {
                return Err("a read request without its context");
            };
            if entry.data.is_empty() || entry.data.len() > MAX_READ_CONTEXT_BYTES {
                return Err("a read context of a wrong size");
            }
        }
        MessageType::MsgHeartbeat | MessageType::MsgHeartbeatResponse => {
            if message.context.len() > MAX_READ_CONTEXT_BYTES {
                return Err("a read context of a wrong size");
            }
        }
        MessageType::MsgAppendResponse
        | MessageType::MsgRequestVote
        | MessageType::MsgRequestVoteResponse
        | MessageType::MsgRequestPreVote
        | MessageType::MsgRequestPreVoteResponse
        | MessageType::MsgTimeoutNow => {}
        // Local messages, and proposals and transfers, which this member only takes from its own process.
        MessageType::MsgHup
        | MessageType::MsgBeat
        | MessageType::MsgPropose
        | MessageType::MsgUnreachable
        | MessageType::MsgSnapStatus
        | MessageType::MsgCheckQuorum
        | MessageType::MsgTransferLeader => return Err("a type that peers never send"),
    }
    // The crate takes term 0 for "local" and skips its term checks.
    if message.term == 0 && kind != MessageType::MsgReadIndex {
        return Err("no term");
    }
    Ok(())
}

fn check_entries(message: &Message) -> Result<(), &'static str> {
    let mut term = message.log_term;
    for (offset, entry) in (1u64..).zip(&message.entries) {
        if message.index.checked_add(offset) != Some(entry.index) {
            return Err("a gap between entries");
        }
        if entry.term < term || entry.term > message.term {
            return Err("an entry of an impossible term");
        }
        term = entry.term;
        if EntryType::from_i32(entry.entry_type).is_none() {
            return Err("an entry of unknown type");
        }
    }
    Ok(())
}

fn check_snapshot(message: &Message) -> Result<(), &'static str> {
    let snapshot = message.snapshot.as_ref().ok_or("no snapshot")?;
    let metadata = snapshot
        .metadata
        .as_ref()
        .ok_or("a snapshot without metadata")?;
    if metadata.index == 0 || metadata.term == 0 || metadata.term > message.term {
        return Err("a snapshot at an impossible place");
    }
    match &metadata.conf_state {
        Some(conf) if !conf.voters.is_empty() => Ok(()),
        _ => Err("a snapshot without voters"),
    }
}

/// Reads the membership change of a log entry; none when it is not one or has unknown numbers.
pub(crate) fn conf_change_of(entry: &Entry) -> Option<ConfChangeV2> {
    let change = match EntryType::from_i32(entry.entry_type)? {
        EntryType::EntryNormal => return None,
        EntryType::EntryConfChange => {
            second_version(ConfChange::decode(entry.data.as_slice()).ok()?)
        }
        EntryType::EntryConfChangeV2 => ConfChangeV2::decode(entry.data.as_slice()).ok()?,
    };
    let known = change.changes.iter().all(|single| {
        single.node_id != 0 && ConfChangeType::from_i32(single.change_type).is_some()
    }) && raft::eraftpb::ConfChangeTransition::from_i32(change.transition).is_some();
    known.then_some(change)
}

fn second_version(change: ConfChange) -> ConfChangeV2 {
    ConfChangeV2 {
        transition: 0,
        changes: vec![raft::eraftpb::ConfChangeSingle {
            change_type: change.change_type,
            node_id: change.node_id,
        }],
        context: change.context,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn append(indexes: &[u64]) -> Message {
        Message {
            msg_type: MessageType::MsgAppend as i32,
            to: 2,
            from: 1,
            term: 5,
            log_term: 4,
            index: 9,
            entries: indexes
                .iter()
                .map(|index| Entry {
                    index: *index,
                    term: 5,
                    ..Entry::default()
                })
                .collect(),
            ..Message::default()
        }
    }

    #[test]
    fn a_correct_message_passes_and_a_gap_or_a_wrong_receiver_does_not() {
        assert!(decode(&encode(&append(&[10, 11])), 2, 1).is_ok());
        assert_eq!(
            decode(&encode(&append(&[10, 12])), 2, 1),
            Err(MessageError::Malformed("a gap between entries"))
        );
        assert_eq!(
            decode(&encode(&append(&[10])), 3, 1),
            Err(MessageError::Misdirected(2))
        );
        assert_eq!(
            decode(&encode(&append(&[10])), 2, 3),
            Err(MessageError::Impersonation {
                peer: 3,
                claimed: 1
            })
        );
    }

    #[test]
    fn what_would_make_the_crate_panic_is_refused() {
        let mut unknown = append(&[]);
        unknown.msg_type = 99;
        let mut local = append(&[]);
        local.term = 0;
        let mut proposal = append(&[]);
        proposal.msg_type = MessageType::MsgPropose as i32;
        let mut read = append(&[]);
        read.msg_type = MessageType::MsgReadIndex as i32;
        let mut snapshot = append(&[]);
        snapshot.msg_type = MessageType::MsgSnapshot as i32;
        let mut entry_type = append(&[10]);
        entry_type.entries[0].entry_type = 7;
        for message in [unknown, local, proposal, read, snapshot, entry_type] {
            assert!(matches!(
                decode(&encode(&message), 2, 1),
                Err(MessageError::Malformed(_))
            ));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes, 2, 1);
        }
    }
}
