//! Counts of one index, taken under its lock without reading anything from disk.

use super::shard::Shard;

/// Counts of an index.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ShardStats {
    pub(crate) docs: u64,
    pub(crate) deleted: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) memory_bytes: u64,
    /// Rows that are in memory and the journal alone.
    pub(crate) fresh_rows: u64,
    /// Tables of fresh rows that are on their way to a file.
    pub(crate) sealing: u64,
    pub(crate) segments: u64,
    pub(crate) max_seq: Option<u64>,
}

impl Shard {
    /// Counts.
    pub(crate) fn stats(&self) -> ShardStats {
        let writer = self.lock();
        let mut stats = ShardStats {
            max_seq: writer.next_seq.checked_sub(1),
            sealing: writer.sealing.len() as u64,
            ..ShardStats::default()
        };
        for (_, sealed) in &writer.sealed {
            let live = u64::from(sealed.live_rows().len());
            stats.docs += live;
            stats.deleted += u64::from(sealed.directory().rows) - live;
            stats.disk_bytes += sealed.bytes;
            stats.segments += 1;
        }
        let older = writer.sealing.iter().map(|s| &s.fresh);
        for fresh in older.chain(std::iter::once(&writer.fresh)) {
            let rows = fresh.read();
            stats.docs += u64::from(rows.len() - rows.deleted_count);
            stats.deleted += u64::from(rows.deleted_count);
            stats.fresh_rows += u64::from(rows.len());
            stats.memory_bytes += rows.heap_bytes() as u64;
            stats.segments += u64::from(rows.len() > 0);
        }
        stats
    }
}
