//! The payload of one Raft log entry: a batch of opaque commands with the addresses of those who wait for them.
//!
//! Layout, big endian: `version u8, member u64, session u64, count u32`, then per command `ticket u64, length u32, bytes`.
//! A session is one run of a member, so an outcome that a former run proposed never reaches a waiter of this run.
//! Every length is checked before anything is allocated; an unknown version is an error, never skipped.
//! Not here: what a command means (the state machine), who waits (`member_task.rs`).

use thiserror::Error;

/// The largest single command.
pub const MAX_COMMAND_BYTES: usize = 1024 * 1024;
/// Commands are gathered into one entry up to about this size; a larger command travels alone.
pub const BATCH_BYTES: usize = 64 * 1024;
/// The most commands in one entry.
pub const MAX_BATCH_COMMANDS: usize = 1_024;

const VERSION: u8 = 1;
const HEAD: usize = 1 + 8 + 8 + 4;
const COMMAND_HEAD: usize = 8 + 4;

/// Why bytes are not a batch.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BatchError {
    /// A newer release wrote the entry.
    #[error(
        "the log entry has version {0}, which this release does not know; start a release that does"
    )]
    UnknownVersion(u8),
    /// The bytes end too early or too late.
    #[error(
        "the log entry is cut short or has bytes left over; move the store aside and join again"
    )]
    Malformed,
    /// A count or a length is over its limit.
    #[error("the log entry is over a limit ({0}); move the store aside and join again")]
    TooLarge(&'static str),
}

/// One command of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// Chosen by the proposer, unique in its session.
    pub ticket: u64,
    /// The command, opaque here.
    pub command: Vec<u8>,
}

/// The content of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The member that proposed it.
    pub member: u64,
    /// The proposer's run.
    pub session: u64,
    /// The commands in the order in which they are applied.
    pub commands: Vec<Proposed>,
}

impl Batch {
    /// The bytes of the batch.
    ///
    /// # Errors
    /// When a command or the number of commands is over its limit.
    pub fn encode(&self) -> Result<Vec<u8>, BatchError> {
        if self.commands.len() > MAX_BATCH_COMMANDS {
            return Err(BatchError::TooLarge("commands in one entry"));
        }
        let size: usize = self
            .commands
            .iter()
            .map(|proposed| COMMAND_HEAD + proposed.command.len())
            .sum();
        let mut bytes = Vec::with_capacity(HEAD + size);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.member.to_be_bytes());
        bytes.extend_from_slice(&self.session.to_be_bytes());
        bytes.extend_from_slice(&(self.commands.len() as u32).to_be_bytes());
        for proposed in &self.commands {
            if proposed.command.len() > MAX_COMMAND_BYTES {
                return Err(BatchError::TooLarge("bytes of one command"));
            }
            bytes.extend_from_slice(&proposed.ticket.to_be_bytes());
            bytes.extend_from_slice(&(proposed.command.len() as u32).to_be_bytes());
            bytes.extend_from_slice(&proposed.command);
        }
        Ok(bytes)
    }

    /// Reads a batch back.
    ///
    /// # Errors
    /// When the bytes are not exactly one batch within the limits.
    pub fn decode(bytes: &[u8]) -> Result<Batch, BatchError> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        if version != VERSION {
            return Err(BatchError::UnknownVersion(version));
        }
        let member = u64::from_be_bytes(take(&mut rest)?);
        let session = u64::from_be_bytes(take(&mut rest)?);
        let count = u32::from_be_bytes(take(&mut rest)?) as usize;
        if count > MAX_BATCH_COMMANDS {
            return Err(BatchError::TooLarge("commands in one entry"));
        }
        let mut commands = Vec::with_capacity(count);
        for _ in 0..count {
            let ticket = u64::from_be_bytes(take(&mut rest)?);
            let length = u32::from_be_bytes(take(&mut rest)?) as usize;
            if length > MAX_COMMAND_BYTES {
                return Err(BatchError::TooLarge("bytes of one command"));
            }
            let (command, after) = rest.split_at_checked(length).ok_or(BatchError::Malformed)?;
            rest = after;
            commands.push(Proposed {
                ticket,
                command: command.to_vec(),
            });
        }
        if !rest.is_empty() {
            return Err(BatchError::Malformed);
        }
        Ok(Batch {
            member,
            session,
            commands,
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BatchError> {
    let (head, after) = rest.split_first_chunk::<N>().ok_or(BatchError::Malformed)?;
    *rest = after;
    Ok(*head)
}

/// Splits commands into groups that each fit one entry, in order.
#[must_use]
pub fn group(commands: Vec<Proposed>) -> Vec<Vec<Proposed>> {
    let mut groups: Vec<Vec<Proposed>> = Vec::new();
    let mut size = 0usize;
    for proposed in commands {
        let bytes = COMMAND_HEAD + proposed.command.len();
        match groups.last_mut() {
            Some(last) if size + bytes <= BATCH_BYTES && last.len() < MAX_BATCH_COMMANDS => {
                size += bytes;
                last.push(proposed);
            }
            _ => {
                size = bytes;
                groups.push(vec![proposed]);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn commands() -> impl Strategy<Value = Vec<Proposed>> {
        let one = (any::<u64>(), proptest::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(ticket, command)| Proposed { ticket, command });
        proptest::collection::vec(one, 0..40)
    }

    proptest! {
        #[test]
        fn a_batch_reads_back_as_it_was_written(
            member in any::<u64>(), session in any::<u64>(), commands in commands()
        ) {
            let batch = Batch { member, session, commands };
            prop_assert_eq!(Batch::decode(&batch.encode().unwrap()).unwrap(), batch);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Batch::decode(&bytes);
        }

        #[test]
        fn a_cut_or_extended_batch_is_refused(commands in commands(), cut in any::<prop::sample::Index>()) {
            let bytes = Batch { member: 1, session: 2, commands }.encode().unwrap();
            prop_assert!(Batch::decode(&bytes[..cut.index(bytes.len())]).is_err());
            let mut longer = bytes;
            longer.push(0);
            prop_assert_eq!(Batch::decode(&longer), Err(BatchError::Malformed));
        }

        #[test]
        fn grouping_keeps_order_and_limits(sizes in proptest::collection::vec(0usize..90_000, 0..60)) {
            let all: Vec<Proposed> = (0u64..).zip(&sizes)
                .map(|(ticket, size)| Proposed { ticket, command: vec![0; *size] }).collect();
            let groups = group(all.clone());
            for group in &groups {
                let bytes: usize = group.iter().map(|one| COMMAND_HEAD + one.command.len()).sum();
                prop_assert!(group.len() == 1 || bytes <= BATCH_BYTES);
            }
            prop_assert_eq!(groups.concat(), all);
        }
    }

    #[test]
    fn limits_and_versions_are_named() {
        let command = |size| Batch {
            member: 1,
            session: 1,
            commands: vec![Proposed {
                ticket: 1,
                command: vec![0; size],
            }],
        };
        assert!(command(MAX_COMMAND_BYTES).encode().is_ok());
        assert!(matches!(
            command(MAX_COMMAND_BYTES + 1).encode(),
            Err(BatchError::TooLarge(_))
        ));
        let mut bytes = command(1).encode().unwrap();
        bytes[0] = 9;
        assert_eq!(Batch::decode(&bytes), Err(BatchError::UnknownVersion(9)));
    }
}
