//! `/proc/PID` files: `stat`, `status`, `io`, `limits`, `cmdline`.
//!
//! Invariants: a process name may hold spaces and parentheses; environments are never read.
//! Not here: which processes are worth a document (`metricset::process`).

use super::{kilobytes, number};

/// `/proc/PID/stat`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessStat {
    /// Process id.
    pub pid: u32,
    /// The kernel's name of it.
    pub name: String,
    /// One letter.
    pub state: char,
    /// Parent process.
    pub parent: u32,
    /// Process group.
    pub group: i32,
    /// Ticks in user mode.
    pub user_ticks: u64,
    /// Ticks in kernel mode.
    pub system_ticks: u64,
    /// Threads.
    pub threads: u64,
    /// When it started, in ticks since the host did.
    pub start_ticks: u64,
    /// Virtual size in bytes.
    pub virtual_bytes: u64,
    /// Resident pages.
    pub resident_pages: u64,
}

/// Reads `/proc/PID/stat`.
pub fn stat(text: &str) -> Option<ProcessStat> {
    let open = text.find('(')?;
    let close = text.rfind(')').filter(|close| *close > open)?;
    let pid = text[..open].trim().parse().ok()?;
    let words: Vec<&str> = text[close + 1..].split_ascii_whitespace().collect();
    let value = |index: usize| words.get(index).copied().and_then(number).unwrap_or(0);
    Some(ProcessStat {
        pid,
        name: text[open + 1..close].to_owned(),
        state: words.first()?.chars().next()?,
        parent: words.get(1)?.parse().ok()?,
        group: words.get(2).and_then(|word| word.parse().ok()).unwrap_or(0),
        user_ticks: value(11),
        system_ticks: value(12),
        threads: value(17),
        start_ticks: value(19),
        virtual_bytes: value(20),
        resident_pages: value(21),
    })
}

/// The word for a state letter.
pub fn state_name(state: char) -> &'static str {
    match state {
        'S' => "sleeping",
        'R' => "running",
        'D' | 'I' => "idle",
        'T' | 't' => "stopped",
        'Z' => "zombie",
        'X' | 'x' => "dead",
        'K' => "wakekill",
        'W' => "wake",
        'P' => "parked",
        _ => "unknown",
    }
}

/// What `/proc/PID/status` adds to `stat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessStatus {
    /// Effective user id.
    pub user_id: u32,
    /// Resident bytes.
    pub resident: u64,
    /// Resident bytes shared with others or files.
    pub shared: u64,
    /// Swapped out bytes.
    pub swap: u64,
}

/// Reads `/proc/PID/status`.
pub fn status(text: &str) -> ProcessStatus {
    let mut status = ProcessStatus::default();
    for line in text.lines() {
        if let Some(ids) = line.strip_prefix("Uid:") {
            let effective = ids.split_ascii_whitespace().nth(1);
            status.user_id = effective.and_then(|id| id.parse().ok()).unwrap_or(0);
            continue;
        }
        match kilobytes(line) {
            Some(("VmRSS", bytes)) => status.resident = bytes,
            Some(("RssFile" | "RssShmem", bytes)) => {
                status.shared = status.shared.saturating_add(bytes);
            }
            Some(("VmSwap", bytes)) => status.swap = bytes,
            _ => {}
        }
    }
    status
}

/// `/proc/PID/io`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessIo {
    /// Bytes read by system calls.
    pub read_char: u64,
    /// Bytes written by system calls.
    pub write_char: u64,
    /// Read system calls.
    pub read_ops: u64,
    /// Write system calls.
    pub write_ops: u64,
    /// Bytes fetched from storage.
    pub read_bytes: u64,
    /// Bytes sent to storage.
    pub write_bytes: u64,
    /// Bytes that were to be written but were dropped first.
    pub cancelled_write_bytes: u64,
}

/// Reads `/proc/PID/io`.
pub fn io(text: &str) -> Option<ProcessIo> {
    let mut io = ProcessIo::default();
    let mut seen = false;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let Some(value) = number(value) else { continue };
        let slot = match key {
            "rchar" => &mut io.read_char,
            "wchar" => &mut io.write_char,
            "syscr" => &mut io.read_ops,
            "syscw" => &mut io.write_ops,
            "read_bytes" => &mut io.read_bytes,
            "write_bytes" => &mut io.write_bytes,
            "cancelled_write_bytes" => &mut io.cancelled_write_bytes,
            _ => continue,
        };
        *slot = value;
        seen = true;
    }
    seen.then_some(io)
}

/// Reads soft and hard limit of open files from `/proc/PID/limits`.
pub fn open_files_limit(text: &str) -> Option<(u64, u64)> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_ascii_whitespace();
    let mut next = || match words.next()? {
        "unlimited" => Some(u64::MAX >> 1),
        word => number(word),
    };
    Some((next()?, next()?))
}

/// Splits `/proc/PID/cmdline`, at most 64 arguments of 4 KiB together.
pub fn arguments(cmdline: &[u8]) -> Vec<String> {
    const MAX_ARGUMENTS: usize = 64;
    const MAX_BYTES: usize = 4096;
    let cut = &cmdline[..cmdline.len().min(MAX_BYTES)];
    let cut = cut.strip_suffix(&[0]).unwrap_or(cut);
    if cut.is_empty() {
        return Vec::new();
    }
    let words = cut.split(|byte| *byte == 0).take(MAX_ARGUMENTS);
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_read() {
        let text = "42 (a) b (c) S 1 42 42 0 -1 4194304 102 0 0 0 7 8 0 0 20 0 3 0 82444 3133440 383 18446744073709551615";
        let read = stat(text).unwrap();
        assert_eq!(
            (read.name.as_str(), read.state, read.parent),
            ("a) b (c", 'S', 1)
        );
        assert_eq!(
            (read.user_ticks, read.system_ticks, read.threads),
            (7, 8, 3)
        );
        assert_eq!(
            (read.start_ticks, read.virtual_bytes, read.resident_pages),
            (82444, 3_133_440, 383)
        );
    }

    #[test]
    fn arguments_are_split_at_zero_bytes() {
        assert_eq!(arguments(b"/bin/sh\0-c\0\0"), ["/bin/sh", "-c", ""]);
        assert!(arguments(b"").is_empty());
    }

    #[test]
    fn unlimited_files_are_a_number() {
        let text = "Limit  Soft Limit Hard Limit Units\nMax open files            1024                 unlimited                 files\n";
        assert_eq!(open_files_limit(text).unwrap().0, 1024);
    }
}
