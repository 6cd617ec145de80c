//! What `wharf up` checks before it writes anything: names, the data directory's room, ports,
//! the clock. Each finding is one coded line that says what to do.

use std::{
    net::{IpAddr, TcpListener},
    path::Path,
};

use crate::failure::Failure;

/// Less than this and the first deployment could not be placed.
pub(crate) const MIN_FREE_BYTES: u64 = 2 << 30;
/// 2026-01-01; a clock before it makes certificates that nobody believes.
const EARLIEST_MS: i64 = 1_767_225_600_000;

/// A platform's name becomes part of container names, image tags and paths.
pub(crate) fn name(name: &str) -> Result<(), Failure> {
    let fits = (2..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-');
    if fits {
        return Ok(());
    }
    Err(Failure::new(
        "CLI0022",
        format!("`{name}` cannot be the name of a platform"),
        "use 2 to 32 of a-z, 0-9 and `-`, beginning with a letter",
    ))
}

/// The ports that are taken by something else.
pub(crate) fn ports(bind: IpAddr, ports: &[(&'static str, u16)]) -> Result<(), Failure> {
    let taken: Vec<String> = ports
        .iter()
        .filter(|(_, port)| TcpListener::bind((bind, *port)).is_err())
        .map(|(what, port)| format!("{port} ({what})"))
        .collect();
    if taken.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        "CLI0023",
        format!("these ports are taken: {}", taken.join(", ")),
        "stop what listens there (`ss -ltnp`), or give --port-base, for example --port-base 22000",
    ))
}

/// Room where the data directory is or will be.
pub(crate) fn room(data_dir: &Path) -> Result<(), Failure> {
    let existing = data_dir
        .ancestors()
        .find(|path| path.is_dir())
        .unwrap_or(Path::new("/"));
    let space = wharf_runtime::disk::space(existing).map_err(|error| {
        Failure::new(
            "CLI0020",
            format!("cannot look at {}: {error}", existing.display()),
            "give another --data-dir",
        )
    })?;
    enough(space.available_bytes, existing)
}

fn enough(free_bytes: u64, place: &Path) -> Result<(), Failure> {
    if free_bytes >= MIN_FREE_BYTES {
        return Ok(());
    }
    Err(Failure::new(
        "CLI0024",
        format!(
            "{} MiB are free at {}, {} MiB are needed",
            free_bytes >> 20,
            place.display(),
            MIN_FREE_BYTES >> 20
        ),
        "make room, or give a --data-dir on another file system",
    ))
}

/// Certificates begin a day back, but a clock that is years off makes useless ones.
pub(crate) fn clock(now_ms: i64) -> Result<(), Failure> {
    if now_ms >= EARLIEST_MS {
        return Ok(());
    }
    Err(Failure::new(
        "CLI0025",
        "the clock of this machine is wrong: it shows a time before 2026",
        "set it (`date -s`, or start an NTP client), then run this again",
    ))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use wharf_runtime::platform_file::Ports;

    use super::*;

    #[test]
    fn names_that_docker_or_a_path_would_not_take_are_refused() {
        for good in ["wharfinger", "lab-2", "ab"] {
            assert!(name(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "Lab", "a_b", "../x", "-a", "a-", &"a".repeat(33)] {
            assert!(name(bad).is_err(), "`{bad}`");
        }
    }

    #[test]
    fn a_taken_port_is_named_with_what_it_is_for() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let wanted = Ports {
            proxy_https: port,
            ..Ports::from_base(41_000).unwrap()
        };
        let failure = ports(IpAddr::V4(Ipv4Addr::LOCALHOST), &wanted.of_roles()).unwrap_err();
        assert!(
            failure.message.contains(&format!("{port} (proxy, https)")),
            "{failure}"
        );
    }

    #[test]
    fn a_full_disk_is_told_with_both_figures() {
        let failure = enough(5 << 20, Path::new("/x")).unwrap_err();
        assert!(failure.message.contains("5 MiB") && failure.message.contains("2048 MiB"));
        assert!(enough(MIN_FREE_BYTES, Path::new("/x")).is_ok());
    }

    #[test]
    fn a_clock_of_1970_is_wrong() {
        assert!(clock(0).is_err());
        assert!(clock(EARLIEST_MS).is_ok());
    }
}
