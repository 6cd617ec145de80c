//! Reads a journal's directory at start: which segments there are, where the tail is torn, what is damaged.
//!
//! Invariants: after [`recover`] the directory holds only whole segments, and the last one ends with a
//! whole frame. What was never acknowledged may be cut; what was acknowledged and cannot be read is
//! reported as [`Damage`] and the readable records around it are kept. Not here: reading records.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::frame::{self, SEGMENT_HEADER};
use super::segment::{Segment, segment_path, segment_seq, sync_dir};

/// What a journal found when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Records that can be read.
    pub records: u64,
    /// Bytes of a half-written tail that were cut off. No acknowledged record was among them.
    pub cut_bytes: u64,
    /// Sequence number of the oldest record (equal to `next_seq` when there is none).
    pub first_seq: u64,
    /// Sequence number that the next record gets.
    pub next_seq: u64,
    /// Acknowledged records that can no longer be read.
    pub damage: Vec<Damage>,
}

/// A stretch of acknowledged records that the disk no longer gives back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub segment: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// First sequence number that is lost.
    pub from_seq: u64,
    /// First sequence number after it that can be read.
    pub to_seq: u64,
}

/// A place where the expected frame was not found.
struct Gap {
    segment: usize,
    offset: u64,
    expected: u64,
    /// The first frame found after it, if any.
    found: Option<u64>,
}

struct Scan {
    first_seq: u64,
    next_seq: u64,
    records: u64,
    bytes: u64,
    durable: u64,
}

/// Scans `dir`, cuts the torn tail, and returns the segments in order.
pub(crate) fn recover(dir: &Path) -> io::Result<(Vec<Segment>, Recovery)> {
    let mut recovery = Recovery::default();
    let mut paths = list(dir)?;
    // A last segment whose header never became whole holds nothing that was acknowledged.
    let mut empty_next_seq = 0;
    while let Some((seq, path)) = paths.last() {
        let bytes = fs::metadata(path)?.len();
        if bytes > SEGMENT_HEADER as u64 || header_of(path)? == Some(*seq) {
            break;
        }
        recovery.cut_bytes += bytes;
        empty_next_seq = *seq;
        fs::remove_file(path)?;
        paths.pop();
    }

    let mut scans = Vec::with_capacity(paths.len());
    let mut gaps = Vec::new();
    let mut expected = paths.first().map_or(0, |(seq, _)| *seq);
    for (index, (seq, path)) in paths.iter().enumerate() {
        if *seq > expected {
            // The segment before this one ended early although it was complete when this one began.
            gaps.push(Gap {
                segment: index,
                offset: 0,
                expected,
                found: Some(*seq),
            });
        }
        let scan = scan_segment(path, index, *seq, &mut gaps)?;
        expected = scan.next_seq;
        scans.push(scan);
    }

    // Durable is what the newest frame or segment says; a gap beyond it is a torn tail.
    let durable = scans.iter().map(|scan| scan.durable).max().unwrap_or(0);
    let mut cut = None;
    for gap in gaps {
        match gap.found {
            Some(found) if gap.expected < durable => recovery.damage.push(Damage {
                segment: paths[gap.segment].1.clone(),
                offset: gap.offset,
                from_seq: gap.expected,
                to_seq: found,
            }),
            // Rubbish at the end of a segment that was complete: the gap to the next one tells the loss.
            None if gap.expected < durable => {}
            _ => {
                cut = Some(gap);
                break;
            }
        }
    }
    if let Some(gap) = cut {
        for (_, path) in paths.drain(gap.segment + 1..) {
            recovery.cut_bytes += fs::metadata(&path)?.len();
            fs::remove_file(&path)?;
        }
        scans.truncate(gap.segment + 1);
        let (seq, path) = &paths[gap.segment];
        let file = File::options().write(true).open(path)?;
        let keep = gap.offset.max(SEGMENT_HEADER as u64);
        recovery.cut_bytes += file.metadata()?.len().saturating_sub(gap.offset);
        file.set_len(keep)?;
        file.sync_all()?;
        // Scanned again because what lay behind the cut was counted.
        scans[gap.segment] = scan_segment(path, gap.segment, *seq, &mut Vec::new())?;
    }
    sync_dir(dir)?;

    let mut segments: Vec<Segment> = Vec::with_capacity(scans.len());
    for ((_, path), scan) in paths.into_iter().zip(&scans) {
        if let Some(before) = segments.last_mut() {
            before.next_seq = scan.first_seq.max(before.next_seq);
        }
        recovery.records += scan.records;
        segments.push(Segment {
            path,
            first_seq: scan.first_seq,
            next_seq: scan.next_seq,
            bytes: scan.bytes,
        });
    }
    recovery.first_seq = segments
        .first()
        .map_or(empty_next_seq, |segment| segment.first_seq);
    recovery.next_seq = segments
        .last()
        .map_or(empty_next_seq, |segment| segment.next_seq);
    Ok((segments, recovery))
}

fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if let Some(seq) = entry.file_name().to_str().and_then(segment_seq) {
            found.push((seq, segment_path(dir, seq)));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn header_of(path: &Path) -> io::Result<Option<u64>> {
    use std::io::Read as _;
    let mut header = Vec::with_capacity(SEGMENT_HEADER);
    File::open(path)?
        .take(SEGMENT_HEADER as u64)
        .read_to_end(&mut header)?;
    Ok(frame::parse_segment_header(&header))
}

/// Walks one segment frame by frame, resynchronising behind whatever does not decode.
fn scan_segment(
    path: &Path,
    index: usize,
    first_seq: u64,
    gaps: &mut Vec<Gap>,
) -> io::Result<Scan> {
    // A segment is bounded by the options (one group past `segment_bytes`), so it is read whole.
    let bytes = fs::read(path)?;
    let mut scan = Scan {
        first_seq,
        next_seq: first_seq,
        records: 0,
        bytes: bytes.len() as u64,
        // A segment is only begun when everything before it is durable.
        durable: first_seq,
    };
    let mut at = SEGMENT_HEADER;
    while at < bytes.len() {
        if let Some(header) = frame::whole_at(&bytes, at, scan.next_seq) {
            if header.seq > scan.next_seq {
                gaps.push(Gap {
                    segment: index,
                    offset: at as u64,
                    expected: scan.next_seq,
                    found: Some(header.seq),
                });
            }
            scan.durable = scan.durable.max(header.durable);
            scan.next_seq = header.seq + 1;
            scan.records += 1;
            at += header.frame_len() as usize;
            continue;
        }
        let resumed = frame::resynchronise(&bytes, at + 1, scan.next_seq);
        gaps.push(Gap {
            segment: index,
            offset: at as u64,
            expected: scan.next_seq,
            found: resumed.map(|(_, header)| header.seq),
        });
        match resumed {
            None => break,
            Some((candidate, header)) => {
                // Taken as read here, so that the loop does not see the same gap again.
                scan.next_seq = header.seq;
                at = candidate;
            }
        }
    }
    Ok(scan)
}
