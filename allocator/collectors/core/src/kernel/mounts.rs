//! `/proc/PID/mountinfo`: what is mounted where.
//!
//! Invariants: octal escapes of white space are undone; a mount of the same device twice is listed
//! once (the first, shortest-lived bind mounts come later).
//! Not here: sizes, which need a system call.

/// One mounted file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor`.
    pub device_number: String,
    /// Where it is mounted.
    pub mount_point: String,
    /// The device or source.
    pub device: String,
    /// The file system's name.
    pub kind: String,
    /// Mount and super block options.
    pub options: String,
}

/// The most mounts that are looked at.
const MAX_MOUNTS: usize = 4096;

/// Reads `/proc/PID/mountinfo`.
pub fn mountinfo(text: &str) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = Vec::new();
    for line in text.lines().take(MAX_MOUNTS) {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let left: Vec<&str> = left.split_ascii_whitespace().collect();
        let mut right = right.split_ascii_whitespace();
        let (Some(number), Some(point), Some(options)) = (left.get(2), left.get(4), left.get(5))
        else {
            continue;
        };
        let (Some(kind), Some(device)) = (right.next(), right.next()) else {
            continue;
        };
        mounts.push(Mount {
            device_number: (*number).to_owned(),
            mount_point: unescape(point),
            device: unescape(device),
            kind: kind.to_owned(),
            options: join_options(options, right.next().unwrap_or("")),
        });
    }
    mounts
}

/// Whether a mount holds data on a device of this host, outside the trees that Metricbeat's
/// default configuration drops: those are the ones worth a `filesystem` document.
pub fn worth_watching(mount: &Mount) -> bool {
    const KINDS: [&str; 14] = [
        "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "vfat", "exfat", "ntfs", "ntfs3",
        "reiserfs", "jfs", "bcachefs",
    ];
    const DROPPED: [&str; 8] = [
        "/sys", "/cgroup", "/proc", "/dev", "/etc", "/host", "/lib", "/snap",
    ];
    let dropped = DROPPED.iter().any(|tree| {
        mount
            .mount_point
            .strip_prefix(tree)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    KINDS.contains(&mount.kind.as_str()) && !dropped
}

/// The mounts worth watching, one per device, the shortest mount point of each.
pub fn watched(mounts: &[Mount]) -> Vec<&Mount> {
    let mut found: Vec<&Mount> = Vec::new();
    for mount in mounts.iter().filter(|mount| worth_watching(mount)) {
        match found
            .iter_mut()
            .find(|other| other.device_number == mount.device_number)
        {
            Some(other) if mount.mount_point.len() < other.mount_point.len() => *other = mount,
            Some(_) => {}
            None => found.push(mount),
        }
    }
    found.truncate(64);
    found
}

fn join_options(mount: &str, super_block: &str) -> String {
    let mut joined = mount.to_owned();
    for option in super_block.split(',').filter(|option| !option.is_empty()) {
        if joined.len() < 512 && !joined.split(',').any(|known| known == option) {
            joined.push(',');
            joined.push_str(option);
        }
    }
    joined
}

fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = bytes
            .get(at + 1..at + 4)
            .filter(|_| bytes[at] == b'\\')
            .and_then(|digits| {
                let digits = std::str::from_utf8(digits).ok()?;
                u8::from_str_radix(digits, 8).ok()
            });
        match octal {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_mounted_twice_is_watched_once_at_its_shortest_point() {
        let text = "30 27 254:0 /a /var/lib/docker/x rw - ext4 /dev/vda rw\n\
                    27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n\
                    22 27 0:21 / /proc rw - proc proc rw\n\
                    31 27 8:1 / /mnt/with\\040space rw - xfs /dev/sda1 rw\n";
        let mounts = mountinfo(text);
        let points: Vec<_> = watched(&mounts)
            .iter()
            .map(|mount| mount.mount_point.as_str())
            .collect();
        assert_eq!(points, ["/", "/mnt/with space"]);
        assert_eq!(mounts[1].options, "rw,relatime,discard");
    }
}
