//! Reads a journal in order, record by record, following it across segments.
//!
//! Invariants: gives only durable records, each once, in order, checked; a record that cannot be read is
//! an error that names it, and the reader goes on behind it when asked again. Reading never blocks the
//! writer; a segment removed under a reader is either read to its end or skipped. Not here: cursors.

use std::fs::File;
use std::io::{self, BufReader, Read as _, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;

use super::Shared;
use super::frame::{self, FRAME_HEADER, FrameHeader, SEGMENT_HEADER};
use super::segment::Segment;
use crate::task;

const BUFFER: usize = 256 * 1024;

/// Why a record could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bytes on disk are not those that were written. The rest of its segment is skipped.
    #[error("records {from_seq} to {to_seq} of the journal are damaged and were skipped")]
    Damaged {
        /// First record that is lost.
        from_seq: u64,
        /// One past the last record that is lost.
        to_seq: u64,
    },
    /// The system refused.
    #[error("the journal could not be read: {0}; try again")]
    Io(#[from] io::Error),
}

/// An iterator of (sequence number, record). `None` means "no more for now".
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    /// What is read next.
    seq: u64,
    open: Option<OpenSegment>,
}

#[derive(Debug)]
struct OpenSegment {
    file: BufReader<Bounded>,
    first_seq: u64,
    /// One past the newest record within the bound.
    next_seq: u64,
}

/// A file that ends where it is durable, so that nothing of a write that may yet fail gets buffered.
#[derive(Debug)]
struct Bounded {
    file: File,
    position: u64,
    end: u64,
}

impl io::Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        let read = self.file.read(&mut buffer[..wanted])?;
        self.position += read as u64;
        Ok(read)
    }
}

impl io::Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, seq: u64) -> Self {
        Self {
            shared,
            seq,
            open: None,
        }
    }

    /// Sequence number of the record that comes next, if it is still there.
    pub fn position(&self) -> u64 {
        self.seq
    }

    /// Reads up to `max_bytes` of records (at least one if there is one) beside the async threads.
    /// What is damaged is skipped, logged, and seen as a gap in the sequence numbers.
    ///
    /// # Errors
    /// When the system refuses to read.
    pub async fn next_batch(&mut self, max_bytes: usize) -> io::Result<Vec<(u64, Bytes)>> {
        let mut moved = Self {
            shared: Arc::clone(&self.shared),
            seq: self.seq,
            open: self.open.take(),
        };
        let work = task::spawn_blocking("journal-read", move || {
            let batch = moved.batch(max_bytes);
            (moved, batch)
        });
        let (back, batch) = work.await.map_err(io::Error::other)?;
        *self = back;
        batch
    }

    fn batch(&mut self, max_bytes: usize) -> io::Result<Vec<(u64, Bytes)>> {
        let mut out = Vec::new();
        let mut bytes = 0;
        while bytes < max_bytes {
            match self.next() {
                None => break,
                Some(Ok((seq, record))) => {
                    bytes += record.len() + FRAME_HEADER;
                    out.push((seq, record));
                }
                Some(Err(damaged @ ReadError::Damaged { .. })) => {
                    tracing::error!(error = %damaged, "journal damaged");
                }
                // What was read already must not be lost; the error comes back with the next call.
                Some(Err(ReadError::Io(_))) if !out.is_empty() => break,
                Some(Err(ReadError::Io(error))) => return Err(error),
            }
        }
        Ok(out)
    }

    fn step(&mut self) -> Result<Option<(u64, Bytes)>, ReadError> {
        let Some(mut open) = self.segment_at_position()? else {
            return Ok(None);
        };
        match open.read_at_least(self.seq)? {
            Some((seq, record)) if seq == self.seq => {
                self.seq += 1;
                self.open = Some(open);
                Ok(Some((seq, record)))
            }
            // First the loss is told; the record behind it is read again, at its own place.
            found => {
                let from_seq = self.seq;
                self.seq = found.map_or(open.next_seq, |(seq, _)| seq);
                Err(ReadError::Damaged {
                    from_seq,
                    to_seq: self.seq,
                })
            }
        }
    }

    /// The segment that holds the next record, opened and bounded to what is durable.
    fn segment_at_position(&mut self) -> Result<Option<OpenSegment>, ReadError> {
        loop {
            let kept = match self.open.take() {
                Some(open) if self.seq < open.next_seq => return Ok(Some(open)),
                kept => kept,
            };
            let Some(segment) = self.shared.segment_for(self.seq) else {
                self.open = kept;
                return Ok(None);
            };
            self.seq = self.seq.max(segment.first_seq);
            if self.seq >= segment.next_seq {
                // Everything before was dropped and nothing has come since.
                return Ok(None);
            }
            if let Some(mut open) = kept.filter(|open| open.first_seq == segment.first_seq) {
                open.next_seq = segment.next_seq;
                open.file.get_mut().end = segment.bytes;
                return Ok(Some(open));
            }
            match OpenSegment::open(&segment) {
                Ok(open) => return Ok(Some(open)),
                // Removed between the look into the index and now: look again.
                Err(error)
                    if error.kind() == io::ErrorKind::NotFound
                        && self.shared.first_seq() > segment.first_seq => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<(u64, Bytes), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

impl OpenSegment {
    fn open(segment: &Segment) -> io::Result<Self> {
        let file = File::open(&segment.path)?;
        let bounded = Bounded {
            file,
            position: 0,
            end: segment.bytes,
        };
        let mut file = BufReader::with_capacity(BUFFER, bounded);
        file.seek_relative(SEGMENT_HEADER as i64)?;
        Ok(Self {
            file,
            first_seq: segment.first_seq,
            next_seq: segment.next_seq,
        })
    }

    /// The first whole record at or after `wanted`, resynchronising behind damage.
    fn read_at_least(&mut self, wanted: u64) -> io::Result<Option<(u64, Bytes)>> {
        loop {
            let mut raw = [0; FRAME_HEADER];
            if !fill(&mut self.file, &mut raw)? {
                return Ok(None);
            }
            let Some(header) = FrameHeader::parse(&raw) else {
                return self.resynchronise(&raw, wanted);
            };
            if header.seq < wanted {
                // A damaged length may lead anywhere; what is found there is checked like all else.
                self.file.seek_relative(i64::from(header.stored_len))?;
                continue;
            }
            let mut payload = Vec::new();
            let mut limited = (&mut self.file).take(u64::from(header.stored_len));
            limited.read_to_end(&mut payload)?;
            if header.matches(&raw, &payload) {
                return Ok(header.record(payload).map(|record| (header.seq, record)));
            }
            let mut rest = raw.to_vec();
            rest.append(&mut payload);
            return self.resynchronise(&rest, wanted);
        }
    }

    /// Slow path: takes the rest of the segment into memory and looks for the next whole frame.
    fn resynchronise(&mut self, read: &[u8], wanted: u64) -> io::Result<Option<(u64, Bytes)>> {
        let mut rest = read.to_vec();
        self.file.read_to_end(&mut rest)?;
        let Some((at, header)) = frame::resynchronise(&rest, 1, wanted) else {
            return Ok(None);
        };
        let end = at + header.frame_len() as usize;
        let record = header.record(rest[at + FRAME_HEADER..end].to_vec());
        self.file
            .seek_relative(-i64::try_from(rest.len() - end).unwrap_or(0))?;
        Ok(record.map(|record| (header.seq, record)))
    }
}

/// Fills `buffer`; false when the file ends before.
fn fill(file: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
