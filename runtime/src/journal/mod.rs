//! The one journal: append-only, checksummed, segmented, group fsync, torn tail cut. Serves the store's
//! translog and the collectors' spool.
//!
//! Invariants: an append that was answered `Ok` is on disk (`fdatasync`) and is read again after any
//! crash; one that was answered with an error is not there, unless [`AfterFailure::Keep`] was chosen; records keep the order in which they were
//! enqueued and get consecutive sequence numbers. Bytes that wait are bounded. One writer thread per
//! journal; files are `<first sequence number>.wj` in the journal's directory, which belongs to one
//! process (see `data_dir` for the lock).
//! Not here: what records mean, cursors (their owner keeps them), when to drop what.

mod frame;
mod reader;
mod recovery;
mod segment;
#[cfg(test)]
mod tests;
mod writer;

use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::io::{self, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot, watch};

pub use frame::MAX_RECORD_BYTES;
pub use reader::{ReadError, Reader};
pub use recovery::{Damage, Recovery};

use crate::metrics::Histogram;
use segment::Segment;
use writer::{Append, Command, Writer};

/// Room is counted in units of this many bytes, because a semaphore counts to 2^29 only on small machines.
const ROOM_UNIT: usize = 1024;

/// How a journal behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// A segment that has reached this size is followed by a new one.
    pub segment_bytes: u64,
    /// Bytes that may wait for the writer. Appends beyond wait ([`Journal::append`]) or are refused
    /// ([`Journal::enqueue`]); one append that is larger than this waits for all the room there is.
    pub max_waiting_bytes: usize,
    /// Compress each record with zstd level 1 when that makes it smaller.
    pub compress: bool,
    /// What becomes of appends that the disk refused.
    pub after_failure: AfterFailure,
}

/// What becomes of appends that were answered with an error because the disk refused them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterFailure {
    /// They are forgotten, and the next append is tried by itself.
    #[default]
    Forget,
    /// They stay in the queue, in their order, and are tried again until they are durable; meanwhile
    /// nothing new is taken. For an owner that has applied them already: what it shows either becomes
    /// durable or ends with the process, and nobody builds on it in between.
    Keep,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 64 << 20,
            max_waiting_bytes: 64 << 20,
            compress: false,
            after_failure: AfterFailure::Forget,
        }
    }
}

/// Why a journal could not be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot open the journal in {dir}: {source}; check that the directory belongs to this process and the disk has room"
)]
pub struct OpenError {
    /// The directory.
    pub dir: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// Why an append was not acknowledged. Nothing of it is in the journal.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AppendError {
    /// The file system has no room; appends work again when there is some.
    #[error("the disk of the journal is full; make room and try again")]
    DiskFull,
    /// The system refused the write.
    #[error("the journal could not be written: {0}; try again")]
    Io(String),
    /// More bytes wait than allowed.
    #[error("too many bytes wait for the journal; try again later")]
    Busy,
    /// A record is larger than [`MAX_RECORD_BYTES`].
    #[error("a record of {0} bytes is larger than a journal takes; split it")]
    TooLarge(usize),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

impl AppendError {
    fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error.to_string()),
        }
    }
}

/// Why old segments could not be removed.
#[derive(Debug, thiserror::Error)]
pub enum TrimError {
    /// The system refused.
    #[error("old segments of the journal could not be removed: {0}; try again")]
    Io(#[from] io::Error),
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
}

/// A segment that was dropped to make room, with its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Sequence number of its first record.
    pub first_seq: u64,
    /// How many records it held.
    pub records: u64,
    /// Bytes given back.
    pub bytes: u64,
}

/// Resolves when the appended records are durable, with their sequence numbers, or will never be.
#[derive(Debug)]
#[must_use = "an append is only acknowledged when its ticket says so"]
pub struct Ticket {
    reply: oneshot::Receiver<Result<Range<u64>, AppendError>>,
}

impl Future for Ticket {
    type Output = Result<Range<u64>, AppendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let reply = ready!(Pin::new(&mut self.reply).poll(cx));
        Poll::Ready(reply.unwrap_or(Err(AppendError::Closed)))
    }
}

impl Ticket {
    /// Waits on a thread that is not async.
    ///
    /// # Errors
    /// As awaiting it does.
    pub fn wait(self) -> Result<Range<u64>, AppendError> {
        self.reply
            .blocking_recv()
            .unwrap_or(Err(AppendError::Closed))
    }
}

/// Room in the queue of a journal, given back when the records are durable or this is dropped.
#[derive(Debug)]
pub struct Room(OwnedSemaphorePermit);

/// An open journal. Clones are the same journal; when the last is dropped, the writer ends.
#[derive(Clone, Debug)]
pub struct Journal {
    commands: Sender<Command>,
    room: Arc<Semaphore>,
    room_units: u32,
    shared: Arc<Shared>,
}

impl Journal {
    /// Opens (or makes) the journal in `dir`, cuts a torn tail, and starts the writer. Reads every
    /// segment once, so call it where blocking is fine.
    ///
    /// # Errors
    /// When the directory or a file in it cannot be read or written.
    pub fn open(dir: impl AsRef<Path>, options: Options) -> Result<(Self, Recovery), OpenError> {
        let dir = dir.as_ref();
        Self::open_inner(dir, options).map_err(|source| OpenError {
            dir: dir.to_path_buf(),
            source,
        })
    }

    fn open_inner(dir: &Path, options: Options) -> io::Result<(Self, Recovery)> {
        crate::data_dir::make_dir(dir, 0o755)?;
        let (mut segments, recovery) = recovery::recover(dir)?;
        let file = match segments.last() {
            Some(active) => {
                let mut file = File::options().write(true).open(&active.path)?;
                // What was read may still be in the page cache only; the next frame calls it durable.
                file.sync_all()?;
                file.seek(SeekFrom::Start(active.bytes))?;
                file
            }
            None => {
                let (segment, file) = Segment::create(dir, recovery.next_seq)?;
                segments.push(segment);
                file
            }
        };
        let good_bytes = segments.last().map_or(0, |active| active.bytes);
        let shared = Arc::new(Shared {
            segments: Mutex::new(segments.into()),
            next_seq: watch::Sender::new(recovery.next_seq),
            refused: Mutex::new(None),
            syncs: Histogram::default(),
        });
        let units = options
            .max_waiting_bytes
            .div_ceil(ROOM_UNIT)
            .clamp(1, Semaphore::MAX_PERMITS);
        let room_units = u32::try_from(units).unwrap_or(u32::MAX);
        let (commands, received) = mpsc::channel();
        let writer = Writer {
            dir: dir.to_path_buf(),
            options,
            shared: Arc::clone(&shared),
            file,
            good_bytes,
            dirty: false,
            buffer: Vec::new(),
            kept: None,
        };
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run(&received))?;
        let room = Arc::new(Semaphore::new(room_units as usize));
        Ok((
            Self {
                commands,
                room,
                room_units,
                shared,
            },
            recovery,
        ))
    }

    /// Appends one record; resolves with its sequence number once it is durable.
    ///
    /// # Errors
    /// When it is not, and will not be, in the journal.
    pub async fn append(&self, record: impl Into<Bytes>) -> Result<u64, AppendError> {
        self.append_batch(vec![record.into()])
            .await
            .map(|range| range.start)
    }

    /// Appends records together: all of them are durable when this resolves, or none is acknowledged.
    ///
    /// # Errors
    /// When they are not, and will not be, in the journal.
    pub async fn append_batch(&self, records: Vec<Bytes>) -> Result<Range<u64>, AppendError> {
        let units = self.units(&records)?;
        let room = Arc::clone(&self.room).acquire_many_owned(units).await;
        self.send(records, room.map_err(|_| AppendError::Closed)?)?
            .await
    }

    /// Takes records into the queue at once, in the order of the calls, without waiting for room. The
    /// ticket resolves when they are durable.
    ///
    /// # Errors
    /// [`AppendError::Busy`] when too many bytes wait already, or what the disk refused while kept
    /// appends wait for it; nothing is queued then.
    pub fn enqueue(&self, records: Vec<Bytes>) -> Result<Ticket, AppendError> {
        let room = self.take_room(self.units(&records)?)?;
        self.send(records, room)
    }

    /// Takes room for records of about `bytes` that are made only then, so that a caller may change
    /// its own state in between and still be sure to get them in.
    ///
    /// # Errors
    /// As [`Journal::enqueue`].
    pub fn try_reserve(&self, bytes: usize) -> Result<Room, AppendError> {
        let units = u32::try_from(bytes.div_ceil(ROOM_UNIT)).unwrap_or(u32::MAX);
        self.take_room(units.clamp(1, self.room_units)).map(Room)
    }

    /// Takes records into the queue with room that was reserved for them; the order is that of the
    /// calls. The ticket resolves when they are durable.
    ///
    /// # Errors
    /// When a record is too large, or the journal is closed.
    pub fn enqueue_in(&self, room: Room, records: Vec<Bytes>) -> Result<Ticket, AppendError> {
        self.units(&records)?;
        self.send(records, room.0)
    }

    /// Resolves when everything that was enqueued before is durable.
    ///
    /// # Errors
    /// When it is not, or as [`Journal::enqueue`].
    pub fn barrier(&self) -> Result<Ticket, AppendError> {
        self.enqueue(Vec::new())
    }

    fn take_room(&self, units: u32) -> Result<OwnedSemaphorePermit, AppendError> {
        if let Some(error) = self.shared.refused() {
            return Err(error);
        }
        let room = Arc::clone(&self.room).try_acquire_many_owned(units);
        room.map_err(|error| match error {
            TryAcquireError::NoPermits => AppendError::Busy,
            TryAcquireError::Closed => AppendError::Closed,
        })
    }

    fn units(&self, records: &[Bytes]) -> Result<u32, AppendError> {
        if let Some(large) = records
            .iter()
            .find(|record| record.len() > MAX_RECORD_BYTES)
        {
            return Err(AppendError::TooLarge(large.len()));
        }
        let bytes: usize = records.iter().map(Bytes::len).sum();
        let units = u32::try_from(bytes.div_ceil(ROOM_UNIT)).unwrap_or(u32::MAX);
        Ok(units.clamp(1, self.room_units))
    }

    fn send(&self, records: Vec<Bytes>, room: OwnedSemaphorePermit) -> Result<Ticket, AppendError> {
        let (answer, reply) = oneshot::channel();
        let append = Append {
            records,
            reply: answer,
            _room: room,
        };
        self.commands
            .send(Command::Append(append))
            .map_err(|_| AppendError::Closed)?;
        Ok(Ticket { reply })
    }

    /// Reads records from `seq` on, or from the oldest one left when that is later. The reader stops
    /// (`None`) behind the newest durable record and can be asked again when there are more.
    pub fn read_from(&self, seq: u64) -> Reader {
        Reader::new(Arc::clone(&self.shared), seq)
    }

    /// Removes the segments that hold only records before `seq`; returns the bytes given back. Records
    /// before `seq` that share a segment with later ones stay until those may go.
    ///
    /// # Errors
    /// When a file could not be removed.
    pub async fn trim_before(&self, seq: u64) -> Result<u64, TrimError> {
        let (answer, reply) = oneshot::channel();
        let command = Command::Trim {
            before: seq,
            reply: answer,
        };
        self.commands.send(command).map_err(|_| TrimError::Closed)?;
        Ok(reply.await.map_err(|_| TrimError::Closed)??)
    }

    /// Drops the oldest segment with whatever it holds; `None` when there is no record at all.
    ///
    /// # Errors
    /// When the file could not be removed.
    pub async fn drop_oldest_segment(&self) -> Result<Option<Dropped>, TrimError> {
        let (answer, reply) = oneshot::channel();
        let command = Command::DropOldest { reply: answer };
        self.commands.send(command).map_err(|_| TrimError::Closed)?;
        Ok(reply.await.map_err(|_| TrimError::Closed)??)
    }

    /// Ends the writer behind everything that was enqueued before; later appends are refused.
    pub async fn close(&self) {
        let (answer, reply) = oneshot::channel();
        if self.commands.send(Command::Close { reply: answer }).is_ok() {
            // An error means that the writer had ended already.
            drop(reply.await);
        }
        self.room.close();
    }

    /// Sequence number of the oldest record (equal to [`Journal::next_seq`] when there is none).
    pub fn first_seq(&self) -> u64 {
        self.shared.first_seq()
    }

    /// Sequence number that the next record gets; every record before it is durable.
    pub fn next_seq(&self) -> u64 {
        self.shared.next_seq()
    }

    /// Changes with every group that became durable: the value of [`Journal::next_seq`].
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.next_seq.subscribe()
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.shared
            .index()
            .iter()
            .map(|segment| segment.bytes)
            .sum()
    }

    /// How many segments there are; at least one.
    pub fn segments(&self) -> usize {
        self.shared.segment_count()
    }

    /// How long each group took to be written and synced; refused ones too.
    pub fn sync_times(&self) -> Histogram {
        self.shared.syncs.clone()
    }

    /// Whether appends that the disk refused wait for it.
    pub fn is_refused(&self) -> bool {
        self.shared.refused().is_some()
    }
}

/// What the writer and the readers both see.
#[derive(Debug)]
pub(crate) struct Shared {
    segments: Mutex<VecDeque<Segment>>,
    next_seq: watch::Sender<u64>,
    /// Why the disk refused the appends that are kept; `None` when none is.
    refused: Mutex<Option<AppendError>>,
    /// How long groups took to be written and synced.
    syncs: Histogram,
}

impl Shared {
    fn refused(&self) -> Option<AppendError> {
        let refused = self.refused.lock();
        refused.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_refused(&self, error: Option<AppendError>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    fn index(&self) -> MutexGuard<'_, VecDeque<Segment>> {
        // Every change of the index is one statement, so a poisoned lock still guards a valid one.
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first_seq(&self) -> u64 {
        self.index().front().map_or(0, |segment| segment.first_seq)
    }

    fn next_seq(&self) -> u64 {
        *self.next_seq.borrow()
    }

    fn segment_count(&self) -> usize {
        self.index().len()
    }

    fn active_has_records(&self) -> bool {
        self.index()
            .back()
            .is_some_and(|active| active.next_seq > active.first_seq)
    }

    fn appended(&self, next_seq: u64, active_bytes: u64) {
        if let Some(active) = self.index().back_mut() {
            active.next_seq = next_seq;
            active.bytes = active_bytes;
        }
        self.next_seq.send_replace(next_seq);
    }

    fn rolled(&self, segment: Segment) {
        self.index().push_back(segment);
    }

    /// The oldest segment, when it is not the active one and ends at or before `before`.
    fn oldest_before(&self, before: u64) -> Option<Segment> {
        let index = self.index();
        let oldest = index.front()?;
        (index.len() > 1 && oldest.next_seq <= before).then(|| oldest.clone())
    }

    fn removed(&self, first_seq: u64) {
        let mut index = self.index();
        if index
            .front()
            .is_some_and(|segment| segment.first_seq == first_seq)
        {
            index.pop_front();
        }
    }

    /// The segment that holds `seq`, or the oldest after it.
    fn segment_for(&self, seq: u64) -> Option<Segment> {
        self.index()
            .iter()
            .find(|segment| segment.next_seq > seq)
            .cloned()
    }
}
