//! Parsers of kernel text files: `/proc` and control groups.
//!
//! Invariants: each parser takes text of any shape and returns what it could read; a line that it
//! does not understand is skipped, a file without its essential value gives `None`.
//! Not here: opening files, and arithmetic over two samples (`metricset`).

pub mod cgroup;
pub mod host;
pub mod mounts;
pub mod process;
pub mod sockets;

/// The most bytes of one kernel file that is worth reading; larger ones are cut by the reader.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// A kernel clock tick in milliseconds: `USER_HZ` is 100 on every Linux this runs on.
pub const TICK_MS: u64 = 10;

/// A kernel clock tick in nanoseconds.
pub const TICK_NS: u64 = TICK_MS * 1_000_000;

/// Reads one number, white space around it allowed.
pub fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Reads lines of `key value`, as in `memory.stat`, `cpu.stat`, `/proc/vmstat`.
pub fn pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.trim().split_once(char::is_whitespace)?;
        Some((key, number(value)?))
    })
}

/// Reads lines of `Key:  value kB`, as in `/proc/meminfo` and `/proc/PID/status`, in bytes.
pub(crate) fn kilobytes(line: &str) -> Option<(&str, u64)> {
    let (key, rest) = line.split_once(':')?;
    let mut words = rest.split_ascii_whitespace();
    let value: u64 = words.next()?.parse().ok()?;
    let unit = if words.next() == Some("kB") { 1024 } else { 1 };
    Some((key, value.saturating_mul(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pairs_skip_lines_that_are_not_pairs() {
        let read: Vec<_> = pairs("a 1\nb\n c  3 \nd x\n").collect();
        assert_eq!(read, [("a", 1), ("c", 3)]);
    }

    fn kernel_like() -> impl Strategy<Value = String> {
        prop_oneof![
            ".{0,200}",
            "([a-z0-9:/.()_ -]{0,20}[ :\t\n]){0,40}",
            "((cpu|cpu0|Read|Write|max|some|8:0|TCP:|eth0:|MemTotal:|VmRSS:|0::/x|4:memory:/a) ?[0-9]{0,25} ?[0-9]{0,25}( [0-9 .-]{0,30})?\n){0,20}",
        ]
    }

    proptest! {
        #[test]
        fn no_parser_panics_on_any_text(a in kernel_like(), b in kernel_like()) {
            let _ = cgroup::cpu_v1(&a, &b, Some(&a), Some(&b));
            let _ = cgroup::cpu_v2(&a);
            let _ = cgroup::memory_v1(&a, &b, &a, &b, &a);
            let _ = cgroup::memory_v2(&a, &b, &a, &b, &a);
            let _ = cgroup::blkio_v1(&a, &b, &a, &b, &a);
            let _ = cgroup::io_v2(&a);
            let _ = cgroup::pids(&a, &b);
            let _ = cgroup::Membership::parse(&a).path("memory");
            let _ = host::proc_stat(&a);
            let _ = host::meminfo(&a);
            let _ = host::loadavg(&a);
            let _ = host::uptime_ms(&a);
            let _ = host::diskstats(&a);
            let _ = host::net_dev(&a);
            let _ = mounts::mountinfo(&a);
            let _ = process::stat(&a);
            let _ = process::status(&a);
            let _ = process::io(&a);
            let _ = process::open_files_limit(&a);
            let _ = process::arguments(a.as_bytes());
            let _ = sockets::sockstat(&a);
            let _ = sockets::tcp_states(&a);
        }
    }
}
