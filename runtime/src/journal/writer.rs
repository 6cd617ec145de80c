//! The writer thread of a journal: gathers what waits, writes it as one group, syncs once, answers all.
//!
//! Invariants: nothing is answered before `fdatasync` returned; a group that fails leaves the file as it
//! was before (cut back before the next write is tried) and fails all its appends; later appends are
//! tried anew, behind the failed ones where those are kept. Sequence numbers are given here and nowhere else. Not here: who may wait (`mod`).

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::segment::{Segment, sync_dir};
use super::{AfterFailure, AppendError, Dropped, Options, Shared, frame};

/// A group stops growing here, so that the first of it does not wait for the last for long.
const GROUP_BYTES: usize = 32 * 1024 * 1024;
/// A buffer larger than this is given back after its group.
const KEEP_BUFFER: usize = 1024 * 1024;
/// Between two tries of appends that the disk refused and that are kept.
const RETRY_KEPT: Duration = Duration::from_millis(200);

pub(crate) struct Append {
    pub(crate) records: Vec<Bytes>,
    pub(crate) reply: oneshot::Sender<Result<Range<u64>, AppendError>>,
    /// Returned when the append is answered; bounds the bytes that wait.
    pub(crate) _room: OwnedSemaphorePermit,
}

pub(crate) enum Command {
    Append(Append),
    Trim {
        before: u64,
        reply: oneshot::Sender<io::Result<u64>>,
    },
    DropOldest {
        reply: oneshot::Sender<io::Result<Option<Dropped>>>,
    },
    Close {
        reply: oneshot::Sender<()>,
    },
}

pub(crate) struct Writer {
    pub(crate) dir: PathBuf,
    pub(crate) options: Options,
    pub(crate) shared: Arc<Shared>,
    pub(crate) file: File,
    /// Bytes of the active segment that are whole and durable.
    pub(crate) good_bytes: u64,
    /// Set while the file may hold bytes past `good_bytes`.
    pub(crate) dirty: bool,
    pub(crate) buffer: Vec<u8>,
    /// The buffer holds refused appends that are kept; the sequence number behind them.
    pub(crate) kept: Option<u64>,
}

impl Writer {
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        let mut waiting = None;
        loop {
            let command = match waiting.take() {
                Some(command) => command,
                None if self.kept.is_some() => match commands.recv_timeout(RETRY_KEPT) {
                    Ok(command) => command,
                    Err(RecvTimeoutError::Timeout) => {
                        self.retry_kept();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                None => match commands.recv() {
                    Ok(command) => command,
                    Err(_) => return,
                },
            };
            match command {
                Command::Append(first) => waiting = self.write_group(first, commands),
                Command::Trim { before, reply } => drop(reply.send(self.trim(before))),
                Command::DropOldest { reply } => drop(reply.send(self.drop_oldest())),
                Command::Close { reply } => {
                    // Who asked may have gone away.
                    let _ = reply.send(());
                    return;
                }
            }
        }
    }

    /// Writes `first` and all appends that wait behind it. Returns the command that ended the group.
    pub(super) fn write_group(
        &mut self,
        first: Append,
        commands: &Receiver<Command>,
    ) -> Option<Command> {
        let durable = self.shared.next_seq();
        let mut next = self.kept.unwrap_or(durable);
        let mut group = Vec::new();
        let mut ended_by = None;
        if self.kept.is_none() {
            self.buffer.clear();
        }
        let mut append = first;
        loop {
            let start = next;
            for record in &append.records {
                frame::encode(
                    &mut self.buffer,
                    next,
                    durable,
                    record,
                    self.options.compress,
                );
                next += 1;
            }
            group.push((append.reply, start..next));
            if self.buffer.len() >= GROUP_BYTES {
                break;
            }
            match commands.try_recv() {
                Ok(Command::Append(more)) => append = more,
                Ok(other) => {
                    ended_by = Some(other);
                    break;
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }

        match self.write_buffer(durable) {
            Ok(()) => {
                self.written(next);
                for (reply, range) in group {
                    drop(reply.send(Ok(range)));
                }
            }
            Err(error) => {
                let keeps = self.options.after_failure == AfterFailure::Keep;
                tracing::error!(dir = %self.dir.display(), %error, keeps, "journal write failed; nothing of it is acknowledged");
                let error = AppendError::from_io(&error);
                if keeps {
                    // Before anybody hears of the failure and tries again.
                    self.shared.set_refused(Some(error.clone()));
                    self.kept = Some(next);
                }
                for (reply, _) in group {
                    drop(reply.send(Err(error.clone())));
                }
            }
        }
        ended_by
    }

    /// Everything in the buffer is durable.
    fn written(&mut self, next: u64) {
        self.shared.appended(next, self.good_bytes);
        if self.buffer.capacity() > KEEP_BUFFER {
            self.buffer = Vec::new();
        }
        if self.kept.take().is_some() {
            self.shared.set_refused(None);
            tracing::info!(dir = %self.dir.display(), "the journal can be written again");
        }
    }

    pub(super) fn retry_kept(&mut self) {
        if let Some(next) = self.kept
            && self.write_buffer(self.shared.next_seq()).is_ok()
        {
            self.written(next);
        }
    }

    fn write_buffer(&mut self, next_seq: u64) -> io::Result<()> {
        if self.buffer.is_empty() {
            // A barrier alone: what was written before it is durable, or kept in this buffer.
            return Ok(());
        }
        self.repair()?;
        if self.good_bytes >= self.options.segment_bytes && self.shared.active_has_records() {
            self.roll(next_seq)?;
        }
        self.dirty = true;
        let began = Instant::now();
        let outcome = self
            .file
            .write_all(&self.buffer)
            .and_then(|()| self.file.sync_data());
        self.shared.syncs.observe(began.elapsed());
        match outcome {
            Ok(()) => {
                self.dirty = false;
                self.good_bytes += self.buffer.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Tried at once so that a full disk gets its room back; tried again before the next write.
                drop(self.repair());
                Err(error)
            }
        }
    }

    /// Cuts what a failed write left behind.
    fn repair(&mut self) -> io::Result<()> {
        if self.dirty {
            self.file.set_len(self.good_bytes)?;
            self.file.seek(SeekFrom::Start(self.good_bytes))?;
            self.file.sync_data()?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Starts a new segment. Everything in the old one is durable.
    fn roll(&mut self, next_seq: u64) -> io::Result<()> {
        let (segment, file) = Segment::create(&self.dir, next_seq)?;
        self.good_bytes = segment.bytes;
        self.file = file;
        self.shared.rolled(segment);
        Ok(())
    }

    /// Removes every segment that holds only records before `before`; returns the bytes given back.
    fn trim(&mut self, before: u64) -> io::Result<u64> {
        let next_seq = self.shared.next_seq();
        let rolled = if before >= next_seq && self.shared.active_has_records() {
            self.repair().and_then(|()| self.roll(next_seq))
        } else {
            Ok(())
        };
        // On a full disk there is no room for a new segment, and the old ones must go all the more.
        let mut freed = 0;
        while let Some(segment) = self.shared.oldest_before(before) {
            self.remove(&segment)?;
            freed += segment.bytes;
        }
        if freed > 0 {
            sync_dir(&self.dir)?;
            return Ok(freed);
        }
        rolled.map(|()| 0)
    }

    fn drop_oldest(&mut self) -> io::Result<Option<Dropped>> {
        if self.shared.segment_count() == 1 {
            if !self.shared.active_has_records() {
                return Ok(None);
            }
            self.repair()?;
            self.roll(self.shared.next_seq())?;
        }
        let Some(segment) = self.shared.oldest_before(u64::MAX) else {
            return Ok(None);
        };
        self.remove(&segment)?;
        sync_dir(&self.dir)?;
        Ok(Some(Dropped {
            first_seq: segment.first_seq,
            records: segment.next_seq - segment.first_seq,
            bytes: segment.bytes,
        }))
    }

    fn remove(&self, segment: &Segment) -> io::Result<()> {
        match std::fs::remove_file(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.shared.removed(segment.first_seq);
        Ok(())
    }
}
