//! The limits of an instance's container, from its size and what the host has; and those of roles.
//!
//! Invariants: no limit is above what the host has; a limit that had to be lowered is named; memory
//! is the memory and swap limit at once, so nothing of an instance is swapped out. Not here: disk,
//! which is watched, not limited.

/// Thousandths of a core per gibibyte of memory, where the size names no CPU.
pub const CPU_MILLIS_PER_GIB: u64 = 1_000;
/// The least CPU that is derived from memory.
pub const LEAST_CPU_MILLIS: u64 = 500;
/// Processes and threads of an instance that names no limit.
pub const DEFAULT_PIDS: u32 = 2_048;
/// Open files of an instance that names no limit.
pub const DEFAULT_OPEN_FILES: u32 = 65_536;
/// The least memory that Docker takes.
pub const LEAST_MEMORY_BYTES: u64 = 6 << 20;

/// What an instance asks for; zero means the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// Memory.
    pub memory_bytes: u64,
    /// CPU in thousandths of a core.
    pub cpu_millis: u32,
    /// Processes and threads.
    pub pids: u32,
    /// Open files.
    pub open_files: u32,
}

/// What the host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    /// Memory.
    pub memory_bytes: u64,
    /// Cores.
    pub cpus: u32,
    /// Open files that the engine may grant; zero when unknown.
    pub open_files: u32,
}

/// What the container gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory, and memory with swap.
    pub memory_bytes: u64,
    /// CPU in billionths of a core.
    pub nano_cpus: u64,
    /// Processes and threads.
    pub pids: u32,
    /// Open files.
    pub open_files: u32,
}

/// The limits, and a sentence for each that had to be lowered.
#[must_use]
pub fn limits(asked: Asked, host: Host) -> (Limits, Vec<String>) {
    let mut lowered = Vec::new();
    let mut memory = asked.memory_bytes.max(LEAST_MEMORY_BYTES);
    if host.memory_bytes > 0 && memory > host.memory_bytes {
        lowered.push(format!(
            "memory lowered from {memory} to the host's {} bytes",
            host.memory_bytes
        ));
        memory = host.memory_bytes;
    }
    let mut millis = if asked.cpu_millis > 0 {
        u64::from(asked.cpu_millis)
    } else {
        let share = u128::from(memory) * u128::from(CPU_MILLIS_PER_GIB) / (1 << 30);
        u64::try_from(share)
            .unwrap_or(u64::MAX)
            .max(LEAST_CPU_MILLIS)
    };
    let most = u64::from(host.cpus.max(1)) * 1_000;
    if millis > most {
        // A derived share above the host is no surprise to anybody; an asked one is.
        if asked.cpu_millis > 0 {
            lowered.push(format!(
                "cpu lowered from {millis} to the host's {most} thousandths"
            ));
        }
        millis = most;
    }
    let mut open_files = if asked.open_files > 0 {
        asked.open_files
    } else {
        DEFAULT_OPEN_FILES
    };
    if host.open_files > 0 && open_files > host.open_files {
        // As with CPU, only what was asked for can disappoint.
        if asked.open_files > 0 {
            lowered.push(format!(
                "open files lowered from {open_files} to {}",
                host.open_files
            ));
        }
        open_files = host.open_files;
    }
    let limits = Limits {
        memory_bytes: memory,
        nano_cpus: millis * 1_000_000,
        pids: if asked.pids > 0 {
            asked.pids
        } else {
            DEFAULT_PIDS
        },
        open_files,
    };
    (limits, lowered)
}

/// The most memory of a role's container that names no limit.
pub const MOST_ROLE_MEMORY_BYTES: u64 = 4 << 30;
/// The least, where the host has it.
pub const LEAST_ROLE_MEMORY_BYTES: u64 = 512 << 20;
/// Processes and threads of a role that names no limit.
pub const ROLE_PIDS: u32 = 4_096;

/// What a role's container may use; zero where the engine cannot limit it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RoleLimits {
    /// Memory, and memory with swap; zero: no limit.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u32,
}

/// The limits of a director, allocator or proxy: a fence against one that leaks, not a budget, so a
/// quarter of the host within [`LEAST_ROLE_MEMORY_BYTES`] and [`MOST_ROLE_MEMORY_BYTES`], many times
/// what one uses. A zero of `asked` means the default. On a host whose memory is unknown there is no
/// limit of memory but an asked one.
#[must_use]
pub fn role_limits(asked: RoleLimits, host_memory_bytes: u64) -> RoleLimits {
    let host = if host_memory_bytes == 0 {
        u64::MAX
    } else {
        host_memory_bytes
    };
    let memory_bytes = match asked.memory_bytes {
        0 if host_memory_bytes == 0 => 0,
        0 => (host / 4)
            .clamp(LEAST_ROLE_MEMORY_BYTES, MOST_ROLE_MEMORY_BYTES)
            .min(host),
        asked => asked.max(LEAST_MEMORY_BYTES).min(host),
    };
    RoleLimits {
        memory_bytes,
        pids: if asked.pids == 0 {
            ROLE_PIDS
        } else {
            asked.pids
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cpu_is_derived_from_memory_where_none_is_asked() {
        let host = Host {
            memory_bytes: 64 << 30,
            cpus: 8,
            open_files: 0,
        };
        let (two, lowered) = limits(
            Asked {
                memory_bytes: 2 << 30,
                ..Default::default()
            },
            host,
        );
        assert_eq!(
            (two.nano_cpus, two.pids, lowered.len()),
            (2_000_000_000, DEFAULT_PIDS, 0)
        );
        let (tiny, _) = limits(
            Asked {
                memory_bytes: 64 << 20,
                ..Default::default()
            },
            host,
        );
        assert_eq!(tiny.nano_cpus, 500_000_000);
    }

    #[test]
    fn what_the_host_lacks_is_lowered_and_said() {
        let host = Host {
            memory_bytes: 1 << 30,
            cpus: 2,
            open_files: 5,
        };
        let asked = Asked {
            memory_bytes: 4 << 30,
            cpu_millis: 9_000,
            pids: 7,
            open_files: 9,
        };
        let (got, lowered) = limits(asked, host);
        assert_eq!(
            got,
            Limits {
                memory_bytes: 1 << 30,
                nano_cpus: 2_000_000_000,
                pids: 7,
                open_files: 5
            }
        );
        assert_eq!(lowered.len(), 3);
    }

    #[test]
    fn a_role_has_a_quarter_of_the_host_within_bounds_unless_asked_otherwise() {
        let of = |host: u64| role_limits(RoleLimits::default(), host).memory_bytes;
        assert_eq!(of(8 << 30), 2 << 30);
        assert_eq!(of(64 << 30), MOST_ROLE_MEMORY_BYTES);
        assert_eq!(of(1 << 30), LEAST_ROLE_MEMORY_BYTES);
        assert_eq!(of(256 << 20), 256 << 20, "never above the host's");
        assert_eq!(of(0), 0, "no limit where the host's memory is unknown");
        let asked = RoleLimits {
            memory_bytes: 700 << 20,
            pids: 99,
        };
        assert_eq!(role_limits(asked, 8 << 30), asked);
    }

    proptest! {
        #[test]
        fn no_role_has_more_than_the_host(memory: u64, pids: u32, host in (6_u64 << 20)..) {
            let asked = RoleLimits { memory_bytes: memory, pids };
            let got = role_limits(asked, host);
            prop_assert!(got.memory_bytes <= host && got.memory_bytes >= LEAST_MEMORY_BYTES);
            prop_assert!(got.pids > 0);
            prop_assert_eq!(role_limits(got, host), got);
        }

        #[test]
        fn no_limit_is_above_the_host(memory in any::<u64>(), cpu in any::<u32>(), has in (6_u64 << 20).., cpus in 1_u32..512) {
            let asked = Asked { memory_bytes: memory, cpu_millis: cpu, ..Default::default() };
            let (got, _) = limits(asked, Host { memory_bytes: has, cpus, open_files: 0 });
            prop_assert!(got.memory_bytes <= has);
            prop_assert!(got.nano_cpus <= u64::from(cpus) * 1_000_000_000);
        }
    }
}
