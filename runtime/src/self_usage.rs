//! What this process itself uses: resident memory, CPU time and open files, from `/proc/self`.
//!
//! Invariants: bytes and milliseconds, whatever units the kernel writes. Not here: other processes (the
//! collectors read those).

use std::fs;
use std::io;

/// The kernel's `USER_HZ`, which is 100 on every Linux that user space sees.
const TICKS_PER_SECOND: u64 = 100;

/// Resources of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SelfUsage {
    /// Resident memory.
    pub resident_bytes: u64,
    /// The part of it that no file backs: what a memory limit cannot take back without swap.
    pub anonymous_bytes: u64,
    /// User and system CPU time since the process began.
    pub cpu_ms: u64,
}

impl SelfUsage {
    /// Reads it. Two small reads of memory-backed files.
    ///
    /// # Errors
    /// When `/proc` is not there or not as expected.
    pub fn read() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let stat = fs::read_to_string("/proc/self/stat")?;
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "/proc/self is not as expected");
        Ok(Self {
            resident_bytes: bytes_of(&status, "VmRSS:").ok_or_else(wrong)?,
            anonymous_bytes: bytes_of(&status, "RssAnon:").ok_or_else(wrong)?,
            cpu_ms: cpu_ms(&stat).ok_or_else(wrong)?,
        })
    }
}

/// Files, sockets and pipes that this process has open.
///
/// # Errors
/// When `/proc` is not there.
pub fn open_files() -> io::Result<u64> {
    // One of them is the folder that is being read.
    Ok(fs::read_dir("/proc/self/fd")?.count().saturating_sub(1) as u64)
}

/// The most that it may have open.
#[must_use]
pub fn max_open_files() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

fn bytes_of(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn cpu_ms(stat: &str) -> Option<u64> {
    // The name in parentheses may hold spaces and parentheses, so count from behind the last one.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)?
        .checked_mul(1000 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_understood() {
        assert_eq!(
            bytes_of("Name:\twharf\nVmRSS:\t   12 kB\n", "VmRSS:"),
            Some(12_288)
        );
        assert_eq!(bytes_of("Name:\twharf\n", "VmRSS:"), None);
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20";
        assert_eq!(cpu_ms(stat), Some(2_000));
        assert_eq!(cpu_ms("7 (x) S 1"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        let usage = SelfUsage::read().unwrap();
        assert!(usage.anonymous_bytes > 0);
        assert!(usage.resident_bytes >= usage.anonymous_bytes, "{usage:?}");
    }

    #[test]
    fn open_files_are_counted_and_stay_below_the_limit() {
        let held: Vec<_> = (0..64)
            .map(|_| fs::File::open("/proc/self/status").unwrap())
            .collect();
        let open = open_files().unwrap();
        assert!(open >= held.len() as u64, "{open}");
        assert!(max_open_files() >= open);
    }
}
