//! Sealing and merging: fresh rows become segments, small neighbouring segments become one.
//!
//! Invariants: rows stay visible throughout; deletions that happen meanwhile are carried over when the new
//! segment takes its place; only neighbours are merged, so sequence numbers stay in order; the manifest is replaced before
//! old files are removed. Not here: when to do it (`maintenance_task`), the file form (`layout`).

use std::collections::{BTreeSet, BinaryHeap};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use wharf_store_core::columns::{RowSet, SegmentError};

use super::build::ColumnBuilder;
use super::column::Values;
use super::fresh::Fresh;
use super::layout::{self, SegmentWriter, sort_terms};
use super::manifest::{self, SegmentEntry};
use super::sealed::{Sealed, TextCursor};
use super::shard::{Sealing, Shard, Writer};
use super::source::{PackedBlock, RawBlock, SourceWriter};

/// Neighbours of one size class that are merged together.
const FAN_IN: usize = 8;
/// Segments larger than this are left as they are.
const MERGED_BYTES: u64 = 512 * 1024 * 1024;
/// Average raw block below which blocks are packed anew instead of copied.
const THIN_BLOCK: u64 = 24 * 1024;

/// Sealing or merging failed; rows stay where they were.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MaintainError {
    /// The disk refused.
    #[error("cannot write a segment: {0}; check the data directory's free space")]
    Io(#[from] io::Error),
    /// A segment cannot be read.
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

impl Writer {
    /// A file number that no other segment has or gets.
    fn take_number(&mut self) -> u64 {
        let number = self.manifest.next_number;
        self.manifest.next_number += 1;
        number
    }
}

impl Shard {
    /// Makes fresh rows and tombstones durable in files. False: there was nothing to do.
    pub(crate) fn seal(&self) -> Result<bool, MaintainError> {
        let _one = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut writer = self.lock();
            if writer.closed {
                return Ok(false);
            }
            let rows = writer.fresh.read().len();
            if rows == 0 && writer.dirty.is_empty() && writer.sealing.is_empty() {
                // Nothing but refused writes since the last seal.
                writer.journal_from = None;
                return Ok(false);
            }
            if rows > 0 {
                let uid = self.uids.fetch_add(1, Ordering::Relaxed);
                let next = Arc::new(Fresh::new(uid, self.tag, Arc::clone(&self.cache))?);
                let fresh = std::mem::replace(&mut writer.fresh, next);
                let sealing = Sealing {
                    fresh,
                    below: writer.next_seq,
                    journal_from: writer.journal_from.take().unwrap_or(0),
                };
                writer.sealing.push(sealing);
            }
        }
        loop {
            let Some((sealing, number)) = self.next_to_seal() else {
                break;
            };
            let path = manifest::segment_path(&self.dir, number);
            layout::write_fresh(&path, &sealing.fresh)?;
            let uid = self.uids.fetch_add(1, Ordering::Relaxed);
            let sealed = Arc::new(Sealed::open(
                &path,
                uid,
                self.tag,
                None,
                Arc::clone(&self.cache),
            )?);
            let mut writer = self.lock();
            if writer.closed {
                return Ok(false);
            }
            let rows = sealed.directory().rows;
            let live = sealing.fresh.read().live(rows);
            if !live.is_all() {
                sealed.set_live(live);
                writer.dirty.insert(number);
            }
            let mut segments = writer.sealed.clone();
            segments.push((number, sealed));
            self.install(&mut writer, segments, sealing.below)?;
            writer
                .sealing
                .retain(|s| !Arc::ptr_eq(&s.fresh, &sealing.fresh));
        }
        let mut writer = self.lock();
        if !writer.dirty.is_empty() && !writer.closed {
            let segments = writer.sealed.clone();
            let below = writer.manifest.sealed_below;
            // Tombstones alone: with no fresh rows everything so far is in files.
            let empty = writer.fresh.read().len() == 0 && writer.sealing.is_empty();
            let below = if empty { writer.next_seq } else { below };
            self.install(&mut writer, segments, below)?;
            if empty {
                writer.journal_from = None;
            }
        }
        Ok(true)
    }

    fn next_to_seal(&self) -> Option<(Sealing, u64)> {
        let mut writer = self.lock();
        let sealing = writer.sealing.first()?.clone();
        Some((sealing, writer.take_number()))
    }

    /// Writes tombstones and the manifest for a new list of segments, then uses it.
    fn install(
        &self,
        writer: &mut Writer,
        segments: Vec<(u64, Arc<Sealed>)>,
        sealed_below: u64,
    ) -> io::Result<()> {
        let mut next = writer.manifest.clone();
        let known = std::mem::take(&mut next.segments);
        for (number, sealed) in &segments {
            let mut live = known
                .iter()
                .find(|e| e.number == *number)
                .and_then(|e| e.live);
            if writer.dirty.contains(number) {
                let generation = live.map_or(0, |l| l + 1);
                manifest::write_live(&self.dir, *number, generation, &sealed.live_rows())?;
                live = Some(generation);
            }
            next.segments.push(SegmentEntry {
                number: *number,
                live,
            });
        }
        next.sealed_below = sealed_below.max(next.sealed_below);
        crate::files::sync_dir(&self.dir)?;
        next.store(&self.dir)?;
        next.remove_replaced(&writer.manifest, &self.dir);
        writer.manifest = next;
        writer.sealed = segments;
        writer.dirty.clear();
        Ok(())
    }

    /// Merges one run of neighbouring segments, if there is one, and gives the bytes of the new one.
    /// `all`: everything into one.
    pub(crate) fn merge(&self, all: bool) -> Result<Option<u64>, MaintainError> {
        let _one = self.merging.lock().unwrap_or_else(PoisonError::into_inner);
        let (run, number) = {
            let mut writer = self.lock();
            let Some((start, end)) = choose(&writer.sealed, all) else {
                return Ok(None);
            };
            let number = writer.take_number();
            (writer.sealed[start..end].to_vec(), number)
        };
        let sources: Vec<Arc<Sealed>> = run.iter().map(|(_, s)| Arc::clone(s)).collect();
        let maps: Vec<RowMap> = RowMap::of(&sources);
        let path = manifest::segment_path(&self.dir, number);
        write_merged(&path, &sources, &maps)?;
        let uid = self.uids.fetch_add(1, Ordering::Relaxed);
        let merged = Arc::new(Sealed::open(
            &path,
            uid,
            self.tag,
            None,
            Arc::clone(&self.cache),
        )?);
        let mut writer = self.lock();
        if writer.closed {
            return Ok(None);
        }
        // Rows that were deleted while the merge ran.
        let mut words = RowSet::all(merged.directory().rows).to_words();
        let mut lost = false;
        for (source, map) in sources.iter().zip(&maps) {
            let now = source.live_rows();
            for row in map.live.and_not(&now).iter() {
                let new = map.new_row(row);
                words[new as usize / 64] &= !(1 << (new % 64));
                lost = true;
            }
        }
        if lost {
            merged.set_live(RowSet::from_words(merged.directory().rows, words));
            writer.dirty.insert(number);
        }
        let mut segments = Vec::new();
        for (n, sealed) in &writer.sealed {
            if *n == run[0].0 && merged.directory().rows > 0 {
                segments.push((number, Arc::clone(&merged)));
            }
            if !run.iter().any(|(merged, _)| merged == n) {
                segments.push((*n, Arc::clone(sealed)));
            }
        }
        let below = writer.manifest.sealed_below;
        self.install(&mut writer, segments, below)?;
        if merged.directory().rows == 0 {
            let _ = std::fs::remove_file(&path);
        }
        Ok(Some(merged.bytes))
    }
}

fn class(bytes: u64) -> u32 {
    // Each class spans a factor of eight, all below 64 KiB are one.
    (bytes.max(64 * 1024).ilog2() - 16) / 3
}

fn choose(sealed: &[(u64, Arc<Sealed>)], all: bool) -> Option<(usize, usize)> {
    if all {
        let garbage = |s: &Sealed| !s.live_rows().is_all();
        return (sealed.len() > 1 || sealed.first().is_some_and(|(_, s)| garbage(s)))
            .then_some((0, sealed.len()));
    }
    // A segment whose rows are mostly deleted is rewritten alone.
    for (at, (_, s)) in sealed.iter().enumerate() {
        let (live, rows) = (s.live_rows().len(), s.directory().rows);
        if u64::from(live) * 2 < u64::from(rows) {
            return Some((at, at + 1));
        }
    }
    // The newest run of segments that are no larger than one class.
    for limit in 0..7 {
        let mut end = sealed.len();
        while end > 0 {
            let mut start = end;
            let mut bytes = 0;
            while start > 0 && class(sealed[start - 1].1.bytes) <= limit {
                bytes += sealed[start - 1].1.bytes;
                if bytes > MERGED_BYTES {
                    break;
                }
                start -= 1;
            }
            if end - start >= FAN_IN {
                return Some((start, end));
            }
            end = start.min(end - 1);
        }
    }
    None
}

/// Where the live rows of one source go.
struct RowMap {
    live: Arc<RowSet>,
    /// New row by old row; `u32::MAX` for deleted ones. `None`: all rows stay, moved by `base`.
    rows: Option<Vec<u32>>,
    base: u32,
    count: u32,
}

impl RowMap {
    fn of(sources: &[Arc<Sealed>]) -> Vec<Self> {
        let mut base = 0;
        let mut maps = Vec::new();
        for source in sources {
            let live = source.live_rows();
            let count = live.len();
            let rows = (!live.is_all()).then(|| {
                let mut rows = vec![u32::MAX; source.directory().rows as usize];
                for (new, old) in live.iter().enumerate() {
                    rows[old as usize] = base + new as u32;
                }
                rows
            });
            maps.push(Self {
                live,
                rows,
                base,
                count,
            });
            base += count;
        }
        maps
    }

    /// The new number of a live row; `u32::MAX` for a deleted one.
    fn new_row(&self, row: u32) -> u32 {
        match &self.rows {
            None => self.base + row,
            Some(rows) => rows.get(row as usize).copied().unwrap_or(u32::MAX),
        }
    }
}

fn write_merged(
    path: &Path,
    sources: &[Arc<Sealed>],
    maps: &[RowMap],
) -> Result<(), MaintainError> {
    let mut writer = SegmentWriter::create(path)?;
    merge_sources(&mut writer, sources, maps)?;
    merge_metas(&mut writer, sources, maps)?;
    let columns: BTreeSet<&str> = sources
        .iter()
        .flat_map(|s| s.directory().columns.iter().map(|c| c.path.as_str()))
        .collect();
    for path in columns {
        merge_column(&mut writer, path, sources, maps)?;
    }
    let texts: BTreeSet<&str> = sources
        .iter()
        .flat_map(|s| s.directory().texts.iter().map(|t| t.path.as_str()))
        .collect();
    for path in texts {
        merge_text(&mut writer, path, sources, maps)?;
    }
    writer.finish()?;
    Ok(())
}

fn merge_sources(
    writer: &mut SegmentWriter,
    sources: &[Arc<Sealed>],
    maps: &[RowMap],
) -> Result<(), MaintainError> {
    let mut packer = SourceWriter::new()?;
    for (source, map) in sources.iter().zip(maps) {
        let rows = source.directory().rows;
        let mut n = 0;
        let mut blocks = 0u64;
        let mut raw_total = 0u64;
        while let Some((_, raw_len, _)) = source.block_info(n)? {
            raw_total += u64::from(raw_len);
            blocks += 1;
            n += 1;
        }
        let copy = map.rows.is_none() && raw_total >= blocks * THIN_BLOCK;
        if copy {
            packer.close()?;
            for block in packer.take_blocks() {
                writer.source_block(&block)?;
            }
        }
        let mut n = 0;
        while let Some((first_row, raw_len, packed)) = source.packed_block(n)? {
            n += 1;
            if copy {
                let packed = packed.into_boxed_slice();
                writer.source_block(&PackedBlock {
                    first_row: map.base + first_row,
                    raw_len,
                    packed,
                })?;
                continue;
            }
            let raw = RawBlock::unpack(&packed, raw_len as usize)
                .map_err(|e| SegmentError::Damaged(e.to_string()))?;
            let mut at = 0;
            while let Some(bytes) = raw.get(at) {
                let row = first_row + at as u32;
                if row < rows && map.new_row(row) != u32::MAX {
                    packer.push(bytes)?;
                }
                at += 1;
            }
            for block in packer.take_blocks() {
                writer.source_block(&block)?;
            }
        }
        if copy {
            packer.skip(map.count)?;
        }
    }
    packer.close()?;
    for block in packer.take_blocks() {
        writer.source_block(&block)?;
    }
    writer.sources_done()?;
    Ok(())
}

fn merge_metas(
    writer: &mut SegmentWriter,
    sources: &[Arc<Sealed>],
    maps: &[RowMap],
) -> Result<(), MaintainError> {
    let mut seqs = Vec::new();
    let mut versions = Vec::new();
    let mut explicit = Vec::new();
    let any_explicit = sources.iter().any(|s| s.directory().explicit_ids > 0);
    for (source, map) in sources.iter().zip(maps) {
        let source_seqs = source.seqs()?;
        let source_versions = source.versions()?;
        for row in map.live.iter() {
            seqs.push(source_seqs[row as usize] as u64);
            versions.push(
                source_versions
                    .as_ref()
                    .map_or(1, |v| v[row as usize] as u64),
            );
            if any_explicit {
                explicit.push(source.explicit_id(row)?);
            }
        }
    }
    writer.metas(&seqs, &versions)?;
    if any_explicit {
        writer.ids(explicit.iter().map(Vec::as_slice))?;
    }
    Ok(())
}

fn merge_column(
    writer: &mut SegmentWriter,
    path: &str,
    sources: &[Arc<Sealed>],
    maps: &[RowMap],
) -> Result<(), MaintainError> {
    let mut builder: Option<ColumnBuilder> = None;
    let mut total = 0;
    for (source, map) in sources.iter().zip(maps) {
        total += map.count;
        let Some(n) = source.column_number(path) else {
            continue;
        };
        let (kind, values, offsets) = source.column_values(n)?;
        let builder = builder.get_or_insert_with(|| ColumnBuilder::new(kind));
        if builder.kind() != kind {
            return Err(SegmentError::Damaged(format!("column {path} changed its kind")).into());
        }
        let range = |row: u32| match &offsets {
            None => row as usize..row as usize + 1,
            Some(o) => o[row as usize] as usize..o[row as usize + 1] as usize,
        };
        let numbers: Vec<Option<u32>> = match &values {
            Values::Terms { terms, .. } => (0..terms.len() as u32)
                .map(|t| builder.intern(terms.get(t)))
                .collect(),
            _ => Vec::new(),
        };
        for row in map.live.iter() {
            let new = map.new_row(row);
            for at in range(row) {
                match &values {
                    Values::Integers(v) => builder.push_integer(new, v[at]),
                    Values::Floats(v) => builder.push_float(new, v[at]),
                    Values::Terms { ords, .. } => {
                        if let Some(Some(ord)) = numbers.get(ords[at] as usize) {
                            builder.push_ord(new, *ord);
                        }
                    }
                }
            }
        }
    }
    if let Some(builder) = builder {
        let kind = builder.kind();
        let (values, offsets) = builder.freeze(total);
        let values = sort_terms(values, offsets.as_deref());
        writer.column(path, kind, &values, offsets.as_deref())?;
    }
    Ok(())
}

fn merge_text(
    writer: &mut SegmentWriter,
    path: &str,
    sources: &[Arc<Sealed>],
    maps: &[RowMap],
) -> Result<(), MaintainError> {
    let mut cursors: Vec<Option<TextCursor<'_>>> =
        sources.iter().map(|s| s.text_terms(path)).collect();
    let mut heads: Vec<Vec<u32>> = vec![Vec::new(); sources.len()];
    // Smallest term first, then the source's place: rows come out ascending.
    let mut heap: BinaryHeap<std::cmp::Reverse<(Vec<u8>, usize)>> = BinaryHeap::new();
    for n in 0..cursors.len() {
        advance(&mut cursors, &mut heads, &mut heap, n)?;
    }
    let mut text = writer.text();
    while let Some(std::cmp::Reverse((term, n))) = heap.pop() {
        let mut rows = mapped(&heads[n], &maps[n]);
        advance(&mut cursors, &mut heads, &mut heap, n)?;
        while let Some(std::cmp::Reverse((same, _))) = heap.peek()
            && *same == term
        {
            let Some(std::cmp::Reverse((_, m))) = heap.pop() else {
                break;
            };
            rows.append(&mut mapped(&heads[m], &maps[m]));
            advance(&mut cursors, &mut heads, &mut heap, m)?;
        }
        if !rows.is_empty() {
            writer.text_term(&mut text, &term, &rows)?;
        }
    }
    let mut present = Vec::new();
    let mut terms = 0;
    for (source, map) in sources.iter().zip(maps) {
        if let Some(rows) = source.text_presence(path)? {
            present.append(&mut mapped(&rows, map));
        }
        terms += source
            .directory()
            .texts
            .iter()
            .filter(|t| t.path == path)
            .map(|t| t.terms)
            .sum::<u64>();
    }
    writer.text_done(text, path, &present, terms)?;
    Ok(())
}

fn mapped(rows: &[u32], map: &RowMap) -> Vec<u32> {
    rows.iter()
        .map(|r| map.new_row(*r))
        .filter(|r| *r != u32::MAX)
        .collect()
}

fn advance(
    cursors: &mut [Option<TextCursor<'_>>],
    heads: &mut [Vec<u32>],
    heap: &mut BinaryHeap<std::cmp::Reverse<(Vec<u8>, usize)>>,
    n: usize,
) -> Result<(), SegmentError> {
    if let Some(cursor) = &mut cursors[n]
        && let Some((term, rows)) = cursor.next_term()?
    {
        heads[n] = rows;
        heap.push(std::cmp::Reverse((term, n)));
    }
    Ok(())
}
