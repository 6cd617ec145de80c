//! How each thing on a host is judged, from what the kernel tells in text. Not here: what `wharf up`
//! needs at the least (`up/preflight`), changing anything (`fix`).

use std::path::Path;

use wharf_runtime::platform_file::Ports;

use super::{Check, Verdict};
use crate::{
    failure::Failure,
    print,
    services::systemd::{Version, WHOLE},
};

/// Least values of kernel settings, and what they are for.
pub(super) const SYSCTLS: [(&str, u64, &str); 2] = [
    (
        "vm.max_map_count",
        262_144,
        "search engines map each file of their indices",
    ),
    (
        "net.core.somaxconn",
        1_024,
        "connections that wait for the proxy are dropped beyond it",
    ),
];
const GIB: u64 = 1 << 30;
/// Bit of `CAP_NET_RAW` in capability sets.
const NET_RAW: u64 = 1 << 13;

fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The file of a kernel setting.
pub(super) fn sysctl_path(name: &str) -> String {
    format!("/proc/sys/{}", name.replace('.', "/"))
}

pub(super) fn controllers() -> Check {
    let unified = text("/sys/fs/cgroup/cgroup.controllers");
    let (version, found) = if unified.trim().is_empty() {
        ("v1", enabled_v1(&text("/proc/cgroups")))
    } else {
        let words = unified.split_whitespace().map(ToOwned::to_owned);
        ("v2", words.collect())
    };
    judge_controllers(version, &found)
}

/// The controllers that `/proc/cgroups` calls enabled.
fn enabled_v1(table: &str) -> Vec<String> {
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            (words.nth(2)? == "1").then(|| name.to_owned())
        })
        .collect()
}

fn judge_controllers(version: &str, found: &[String]) -> Check {
    let has = |names: &[&str]| found.iter().any(|one| names.contains(&one.as_str()));
    let missing: Vec<&str> = [
        ("memory", &["memory"][..]),
        ("cpu", &["cpu"]),
        ("pids", &["pids"]),
        ("io", &["io", "blkio"]),
    ]
    .into_iter()
    .filter(|(_, names)| !has(names))
    .map(|(name, _)| name)
    .collect();
    if missing.is_empty() {
        return Check::ok(
            "cgroups",
            format!("{version} with memory, cpu, pids and io"),
        );
    }
    let verdict = if missing.contains(&"memory") {
        Verdict::Bad
    } else {
        Verdict::Warn
    };
    let why = format!("{version} without {}", missing.join(", "));
    let todo = "boot the kernel with `cgroup_enable=memory`, or enable the controllers at the root";
    Check::new("cgroups", verdict, why, todo)
}

pub(super) fn kernel() -> Vec<Check> {
    SYSCTLS
        .iter()
        .map(|(name, least, why)| judge_sysctl(name, *least, why, text(&sysctl_path(name)).trim()))
        .collect()
}

pub(super) fn judge_sysctl(name: &str, least: u64, reason: &str, found: &str) -> Check {
    match found.parse::<u64>() {
        Ok(value) if value >= least => Check::ok(name, format!("{value}")),
        Ok(value) => {
            let why = format!("{value} is less than {least}: {reason}");
            let todo = format!("sysctl -w {name}={least}, and the same in /etc/sysctl.d");
            Check::new(name, Verdict::Warn, why, todo).fixable()
        }
        Err(_) => {
            let why = "the kernel does not tell it";
            Check::new(name, Verdict::Warn, why, "see that /proc is mounted")
        }
    }
}

/// Whether the kernel hands out ports of instances to outgoing connections.
pub(super) fn port_ranges(ports: &Ports) -> Check {
    judge_range(ports, &text("/proc/sys/net/ipv4/ip_local_port_range"))
}

fn judge_range(ports: &Ports, range: &str) -> Check {
    let bounds: Vec<u16> = range
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let (start, end) = (ports.instances_start, ports.instances_end);
    match bounds[..] {
        [low, high] if low <= end && start <= high => Check::new(
            "port range",
            Verdict::Warn,
            format!(
                "outgoing connections take ports from {low} to {high}, instances from {start} to {end}"
            ),
            "set net.ipv4.ip_local_port_range or net.ipv4.ip_local_reserved_ports so that they differ",
        ),
        _ => Check::ok(
            "port range",
            format!("{start} to {end} are left to instances"),
        ),
    }
}

pub(super) fn file_system(data_dir: &Path) -> Check {
    let existing = data_dir
        .ancestors()
        .find(|path| path.is_dir())
        .and_then(|path| path.canonicalize().ok());
    let path = existing.unwrap_or_else(|| Path::new("/").to_path_buf());
    judge_file_system(&path, &text("/proc/self/mountinfo"))
}

/// Kind of the file system that a path is on, by the longest mount point that begins it.
fn kind_of<'a>(path: &Path, mounts: &'a str) -> Option<&'a str> {
    mounts
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let point = left.split(' ').nth(4)?;
            path.starts_with(point)
                .then(|| (point.len(), right.split(' ').next().unwrap_or("")))
        })
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

fn judge_file_system(path: &Path, mounts: &str) -> Check {
    let name = "file system";
    let place = path.display();
    match kind_of(path, mounts) {
        Some(kind @ ("ext4" | "xfs" | "btrfs" | "zfs" | "f2fs")) => {
            Check::ok(name, format!("{kind} at {place}"))
        }
        Some(kind @ ("tmpfs" | "ramfs")) => Check::new(
            name,
            Verdict::Bad,
            format!("{place} is on {kind}, which forgets everything with the machine"),
            "give a --data-dir on a disk",
        ),
        Some(kind) => Check::new(
            name,
            Verdict::Warn,
            format!("{place} is on {kind}, which was not tried"),
            "ext4 and xfs are known to keep what was synced",
        ),
        None => Check::new(
            name,
            Verdict::Warn,
            format!("the kernel does not tell what {place} is on"),
            "see that /proc is mounted",
        ),
    }
}

/// Bytes of the host's memory; zero where the kernel does not tell.
pub(super) fn total_memory() -> u64 {
    let found = text("/proc/meminfo");
    found
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kib| kib << 10)
}

pub(super) fn memory() -> Check {
    judge_memory(total_memory())
}

/// Whether systemd runs the host and is new enough for services.
pub(super) fn systemd(found: Result<Version, Failure>) -> Check {
    match found {
        Err(failure) => Check::of("systemd", String::new(), Err(failure)),
        Ok(Version(version)) if Version(version) >= WHOLE => {
            Check::ok("systemd", format!("{version} runs this host"))
        }
        Ok(Version(version)) => Check::new(
            "systemd",
            Verdict::Warn,
            format!("{version} runs this host and does not know all that services are confined by"),
            format!("{} or newer confines them wholly", WHOLE.0),
        ),
    }
}

fn judge_memory(total_bytes: u64) -> Check {
    let why = print::bytes(total_bytes);
    if total_bytes >= 2 * GIB {
        return Check::ok("memory", why);
    }
    let todo = "a platform of one host needs 2 GiB, a host that joins 1 GiB; one that is only watched less";
    let verdict = if total_bytes < GIB / 4 {
        Verdict::Bad
    } else {
        Verdict::Warn
    };
    Check::new("memory", verdict, why, todo)
}

/// Whether packets can be captured here.
pub(super) fn capture() -> Check {
    judge_capture(
        Path::new("/proc/net/packet").exists(),
        &text("/proc/self/status"),
    )
}

fn judge_capture(packet: bool, status: &str) -> Check {
    let bounding = status
        .lines()
        .find_map(|line| line.strip_prefix("CapBnd:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .unwrap_or(0);
    if packet && bounding & NET_RAW != 0 {
        return Check::ok("capture", "packet sockets and CAP_NET_RAW are there");
    }
    let why = if packet {
        "CAP_NET_RAW cannot be had here"
    } else {
        "the kernel has no packet sockets"
    };
    let todo = "nothing but the capture of packets needs it; everything else works";
    Check::new("capture", Verdict::Warn, why, todo)
}

/// How far this host's clock and the director's are apart.
pub(super) fn skew(own_ms: u64, theirs_ms: u64, most_ms: u64) -> Check {
    let apart_ms = own_ms.abs_diff(theirs_ms);
    let why = format!("{} from the director's", print::duration(apart_ms));
    let verdict = match apart_ms {
        0..=2_000 => return Check::ok("clock", why),
        apart if apart <= most_ms => Verdict::Warn,
        _ => Verdict::Bad,
    };
    Check::new("clock", verdict, why, "run an NTP client on both hosts")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn missing_controllers_are_named_and_only_memory_stops_a_platform() {
        let table = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t1\t2\t1\nblkio\t1\t2\t1\npids\t1\t2\t1\nmemory\t0\t2\t0\n";
        let check = judge_controllers("v1", &enabled_v1(table));
        assert_eq!(
            (check.verdict, check.why.as_str()),
            (Verdict::Bad, "v1 without memory")
        );
        let all = table.replace("memory\t0\t2\t0", "memory\t3\t2\t1");
        assert_eq!(
            judge_controllers("v1", &enabled_v1(&all)).verdict,
            Verdict::Ok
        );
        let few = ["memory".to_owned(), "cpu".to_owned()];
        assert_eq!(judge_controllers("v2", &few).verdict, Verdict::Warn);
    }

    #[test]
    fn a_kernel_setting_that_is_too_low_can_be_mended_and_one_that_is_not_told_cannot() {
        let low = judge_sysctl("a.b", 10, "of it", "9");
        assert!(low.verdict == Verdict::Warn && low.fixable);
        assert_eq!(judge_sysctl("a.b", 10, "of it", "10").verdict, Verdict::Ok);
        let untold = judge_sysctl("a.b", 10, "of it", "");
        assert!(untold.verdict == Verdict::Warn && !untold.fixable);
        assert_eq!(
            sysctl_path("net.core.somaxconn"),
            "/proc/sys/net/core/somaxconn"
        );
    }

    #[test]
    fn ports_that_outgoing_connections_take_are_seen() {
        let ports = Ports::default();
        assert_eq!(judge_range(&ports, "32768\t60999\n").verdict, Verdict::Ok);
        assert_eq!(judge_range(&ports, "19000 60999").verdict, Verdict::Warn);
        assert_eq!(judge_range(&ports, "").verdict, Verdict::Ok);
    }

    #[test]
    fn the_nearest_mount_says_what_a_path_is_on() {
        let mounts =
            "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 / /data rw shared:1 - tmpfs tmpfs rw\n";
        let verdict = |path: &str| judge_file_system(Path::new(path), mounts).verdict;
        assert_eq!(verdict("/var/lib"), Verdict::Ok);
        assert_eq!(verdict("/data/x"), Verdict::Bad);
        assert_eq!(
            verdict("/database"),
            Verdict::Ok,
            "a folder is not a beginning of a name"
        );
    }

    #[test]
    fn clocks_are_near_apart_or_wrong() {
        let at = |own, theirs| skew(own, theirs, 300_000).verdict;
        assert_eq!(at(10_000, 11_000), Verdict::Ok);
        assert_eq!(at(70_000, 10_000), Verdict::Warn);
        assert_eq!(at(0, 3_600_000), Verdict::Bad);
    }

    #[test]
    fn a_host_that_systemd_does_not_run_is_unfit_and_an_older_one_is_told_of() {
        let of = |found| systemd(found).verdict;
        let none = Failure::new("CLI0051", "it is not process 1", "use another host");
        assert_eq!(of(Err(none)), Verdict::Bad);
        assert_eq!(of(Ok(Version(246))), Verdict::Warn);
        assert_eq!(of(Ok(Version(252))), Verdict::Ok);
    }

    #[test]
    fn too_little_memory_and_no_packets_are_told() {
        assert_eq!(judge_memory(4 * GIB).verdict, Verdict::Ok);
        assert_eq!(judge_memory(GIB).verdict, Verdict::Warn);
        assert_eq!(judge_memory(GIB / 8).verdict, Verdict::Bad);
        let all = "CapBnd:\t000001ffffffffff\n";
        assert_eq!(judge_capture(true, all).verdict, Verdict::Ok);
        assert_eq!(judge_capture(true, "CapBnd:\t0\n").verdict, Verdict::Warn);
        assert_eq!(judge_capture(false, all).verdict, Verdict::Warn);
    }

    proptest! {
        #[test]
        fn no_text_of_the_kernel_panics(text in "[ -~\n\t]{0,200}") {
            let _ = judge_controllers("v1", &enabled_v1(&text));
            let _ = judge_range(&Ports::default(), &text);
            let _ = judge_file_system(Path::new("/a/b"), &text);
            let _ = judge_capture(true, &text);
            let _ = judge_sysctl("a", 1, "", &text);
        }
    }
}
