//! One log file, followed.
//!
//! Invariants: a file that was renamed is read to its end through the open handle before its
//! successor is opened, and none between them is skipped; one that became shorter is read from its
//! beginning; bytes behind the last line end are left for the next turn, unless nothing can follow.
//! Not here: decoding, remembering positions over restarts (`registry`).

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::registry::Position;
use super::{Identity, generations, open};

/// Bytes read at once; a line without an end that is longer is given out in pieces.
const CHUNK_BYTES: usize = 256 * 1024;

/// So many bytes of a file's start tell it from another that got its inode.
const HEAD_BYTES: u64 = 256;

/// A line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The file it is in.
    pub file: Identity,
    /// Where it starts.
    pub offset: u64,
    /// Its bytes without the line end.
    pub bytes: &'a [u8],
    /// It was in the file when following began: it may have been given out by an earlier process.
    pub is_old: bool,
}

/// What one turn of reading found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There is more: take another turn soon.
    More,
    /// Nothing more now.
    Idle,
}

/// One log file, followed.
#[derive(Debug)]
pub struct Follow {
    path: PathBuf,
    open: Option<Open>,
    /// Where to begin when the file can first be opened.
    start: Start,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: Identity,
    offset: u64,
    /// The file's size when following began.
    old_until: u64,
    /// How many of the first bytes are hashed, and their hash.
    head: (u64, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    At(Position),
    /// At the beginning, or so many bytes before the end where there are more.
    Tail(u64),
    Beginning,
}

impl Follow {
    /// Goes on where an earlier process stopped.
    pub fn resume(path: impl Into<PathBuf>, position: Position) -> Self {
        Self {
            path: path.into(),
            open: None,
            start: Start::At(position),
        }
    }

    /// Begins at the beginning, that of the oldest file still there.
    pub fn from_beginning(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            open: None,
            start: Start::Beginning,
        }
    }

    /// Begins so many bytes before the end.
    pub fn from_tail(path: impl Into<PathBuf>, bytes: u64) -> Self {
        Self {
            path: path.into(),
            open: None,
            start: Start::Tail(bytes),
        }
    }

    /// The path that is followed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where reading goes on; `None` before the file could be opened.
    pub fn position(&self) -> Option<Position> {
        let open = self.open.as_ref()?;
        Some(Position {
            file: open.identity,
            offset: open.offset,
            head: open.head.1,
        })
    }

    /// Goes back to an earlier position of the same file, because what was read could not be kept.
    pub fn rewind(&mut self, position: Position) {
        match &mut self.open {
            Some(open) if open.identity == position.file => open.offset = position.offset,
            // The earlier file: it is looked for again, under whatever name it has now.
            _ => {
                self.open = None;
                self.start = Start::At(position);
            }
        }
    }

    /// Begins once more where it began, because nothing of what was read could be kept.
    pub fn restart(&mut self) {
        self.open = None;
    }

    /// Reads up to `budget` bytes and gives each whole line to `give`. `check_rotation` also looks
    /// whether the file was renamed; `is_last` says that nothing will be written any more, so that
    /// bytes without a line end are given out too.
    pub fn turn(
        &mut self,
        buffer: &mut Vec<u8>,
        budget: usize,
        check_rotation: bool,
        is_last: bool,
        give: &mut dyn FnMut(Line<'_>),
    ) -> Turn {
        if self.open.is_none() && !self.begin() {
            return Turn::Idle;
        }
        let mut left = budget;
        loop {
            let Some(open) = &mut self.open else {
                return Turn::Idle;
            };
            match open.read(buffer, is_last, give) {
                0 if check_rotation => {
                    if !self.rotate(buffer, give) {
                        return Turn::Idle;
                    }
                }
                0 => return Turn::Idle,
                read if read >= left => return Turn::More,
                read => left -= read,
            }
        }
    }

    /// Opens the file that reading begins in; `false` when it is not there.
    fn begin(&mut self) -> bool {
        let opened = match self.start {
            Start::At(position) => {
                let known = generations(&self.path);
                let same = known
                    .iter()
                    .filter(|(_, identity)| *identity == position.file)
                    .find_map(|(path, _)| open(path).filter(|opened| is_same(opened, position)));
                match same {
                    Some(opened) => Some((opened, position.offset)),
                    // Rotated away: everything that is left came after it.
                    None => known.last().and_then(|(path, _)| Some((open(path)?, 0))),
                }
            }
            Start::Beginning => {
                let known = generations(&self.path);
                known.last().and_then(|(path, _)| Some((open(path)?, 0)))
            }
            Start::Tail(bytes) => open(&self.path).map(|opened| {
                let from = opened.2.saturating_sub(bytes);
                let from = if from == 0 {
                    0
                } else {
                    line_start(&opened.0, from)
                };
                (opened, from)
            }),
        };
        let Some(((file, identity, size), offset)) = opened else {
            return false;
        };
        // A file that is shorter than what was read of it was cut and is written anew.
        let offset = if offset > size { 0 } else { offset };
        self.open = Some(Open {
            file,
            identity,
            offset,
            old_until: size,
            head: (0, 0),
        });
        if let Some(open) = &mut self.open {
            open.learn_head();
        }
        true
    }

    /// At the end of the open file: goes on in the next one when it was renamed, or at the
    /// beginning when it was cut. `false` when there is nothing to go on with.
    fn rotate(&mut self, buffer: &mut Vec<u8>, give: &mut dyn FnMut(Line<'_>)) -> bool {
        let Some(open_now) = &mut self.open else {
            return false;
        };
        let size = open_now
            .file
            .metadata()
            .map_or(open_now.offset, |metadata| metadata.len());
        if size < open_now.offset {
            open_now.offset = 0;
            open_now.old_until = 0;
            open_now.head = (0, 0);
            return true;
        }
        match Identity::at(&self.path) {
            Some(current) if current != open_now.identity => {}
            // Still the same, or gone with its container, or between two files.
            _ => return false,
        }
        // Whatever was written between the last read and the rename; then nothing can follow.
        while open_now.read(buffer, true, give) > 0 {}
        let known = generations(&self.path);
        let own = known
            .iter()
            .position(|(_, identity)| *identity == open_now.identity);
        let next = match own {
            // Renamed again while looking.
            Some(0) => return false,
            Some(own) => own - 1,
            None => known.len().saturating_sub(1),
        };
        match known.get(next).and_then(|(path, _)| open(path)) {
            Some((file, identity, _)) if identity != open_now.identity => {
                self.open = Some(Open {
                    file,
                    identity,
                    offset: 0,
                    old_until: 0,
                    head: (0, 0),
                });
                true
            }
            _ => false,
        }
    }
}

impl Open {
    /// Reads one chunk; gives its whole lines; returns the bytes consumed.
    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        is_last: bool,
        give: &mut dyn FnMut(Line<'_>),
    ) -> usize {
        buffer.resize(CHUNK_BYTES, 0);
        let read = loop {
            match self.file.read_at(buffer, self.offset) {
                Ok(read) => break read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return 0,
            }
        };
        let bytes = &buffer[..read];
        let is_full = read == CHUNK_BYTES;
        let whole = match memchr::memrchr(b'\n', bytes) {
            Some(end) => end + 1,
            None if is_full || is_last => read,
            None => 0,
        };
        let mut start = 0;
        while start < whole {
            let end = memchr::memchr(b'\n', &bytes[start..whole]).map_or(whole, |at| start + at);
            let offset = self.offset + start as u64;
            give(Line {
                file: self.identity,
                offset,
                bytes: &bytes[start..end],
                is_old: offset < self.old_until,
            });
            start = end + 1;
        }
        self.offset += whole as u64;
        self.learn_head();
        whole
    }

    /// Hashes the file's start, until there are enough bytes of it.
    fn learn_head(&mut self) {
        let wanted = self.offset.min(HEAD_BYTES);
        if wanted > self.head.0 {
            self.head = (wanted, head_hash(&self.file, wanted));
        }
    }
}

/// Whether an opened file is the one that a position was in. One that is shorter than what was read
/// of it is: it was cut.
fn is_same((file, _, size): &(File, Identity, u64), position: Position) -> bool {
    let wanted = position.offset.min(HEAD_BYTES);
    position.head == 0 || position.offset > *size || head_hash(file, wanted) == position.head
}

/// FNV-1a over a file's first bytes; never 0, which stands for "not known".
fn head_hash(file: &File, bytes: u64) -> u64 {
    let mut buffer = [0; HEAD_BYTES as usize];
    let wanted = usize::try_from(bytes).unwrap_or(0).min(buffer.len());
    let read = file.read_at(&mut buffer[..wanted], 0).unwrap_or(0);
    let hash = buffer[..read]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    hash.max(1)
}

/// The first line that starts at or behind `from`.
fn line_start(file: &File, from: u64) -> u64 {
    let mut buffer = vec![0; CHUNK_BYTES];
    // One byte earlier: a line end just before `from` means that a line starts there.
    let from = from.saturating_sub(1);
    let read = file.read_at(&mut buffer, from).unwrap_or(0);
    match memchr::memchr(b'\n', &buffer[..read]) {
        Some(at) => from + at as u64 + 1,
        None => from + read as u64,
    }
}

#[cfg(test)]
mod tests;
