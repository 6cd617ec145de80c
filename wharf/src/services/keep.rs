//! Bringing the services of a host to what they are to be, and taking them away. Invariants: what is right
//! is left alone, so that a service is restarted only when its binary or its unit changed or it stands
//! still; one that is to be restarted is noted on the disk before that, so that a run that ends in between is
//! made up for by the next; what is removed is this platform's alone, and folders above it only when they are empty. Not
//! here: the files of the roles (`role_folder`).

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use wharf_allocator::host::{RoleLimits, role_limits};
use wharf_runtime::platform_file::{PlatformFile, Ports};

use super::{BINARIES, Place, STATE, Service, Services, systemd, systemd::Version, unit};
use crate::{
    failure::Failure,
    up::files::{make_folder, write},
};

/// Of the binary: everybody may run it.
const MODE: u32 = 0o755;

/// What [`keep`] did to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It ran and was right.
    Unchanged,
    /// It stood still, or was of another make.
    Started,
}

/// Makes the services what they are to be, and has them started. Does not wait until they serve.
pub(crate) async fn keep(
    place: &Place,
    services: Services,
    version: Version,
    ports: &Ports,
    memory_bytes: u64,
) -> Result<Vec<(Service, Kept)>, Failure> {
    let wanted = || Service::ALL.into_iter().filter(|one| services.has(*one));
    let source = Path::new("/proc/self/exe");
    if !same(source, &place.binary()) {
        for service in wanted() {
            note(place, service)?;
        }
        install_binary(source, &place.binary())?;
    }
    let limits = role_limits(RoleLimits::default(), memory_bytes);
    for service in Service::ALL.into_iter().filter(|one| !services.has(*one)) {
        end(place, service).await?;
    }
    for service in wanted() {
        let text = unit::render(&unit::Spec {
            place,
            service,
            version,
            limits,
            ports: &ports_of(service, ports),
        });
        let file = place.unit_file(service);
        if fs::read(&file).ok().as_deref() != Some(text.as_bytes()) {
            note(place, service)?;
            write(&file, text.as_bytes(), 0o644)?;
        }
    }
    systemd::systemctl(&["daemon-reload"]).await?;
    let mut kept = Vec::new();
    for service in wanted() {
        let unit = place.unit(service);
        systemd::systemctl(&["enable", &unit]).await?;
        if systemd::runs(&unit).await? && !place.outdated(service).exists() {
            kept.push((service, Kept::Unchanged));
            continue;
        }
        systemd::systemctl(&["restart", "--no-block", &unit]).await?;
        remove_file(&place.outdated(service))?;
        kept.push((service, Kept::Started));
    }
    Ok(kept)
}

/// Notes that what runs of a service is older than its files.
fn note(place: &Place, service: Service) -> Result<(), Failure> {
    let path = place.outdated(service);
    make_folder(path.parent().unwrap_or(Path::new(BINARIES)), 0o755)?;
    write(&path, b"", 0o644)
}

/// Stops a service for good; returns its unit when there was one.
async fn end(place: &Place, service: Service) -> Result<Option<String>, Failure> {
    let (unit, file) = (place.unit(service), place.unit_file(service));
    remove_file(&place.outdated(service))?;
    if file.exists() {
        systemd::systemctl(&["disable", "--now", &unit]).await?;
        remove_file(&file)?;
        return Ok(Some(unit));
    }
    // Removed by hand: it runs on by what systemd read before, and the link that started it may be left.
    let runs = systemd::runs(&unit).await?;
    if runs {
        systemd::systemctl(&["stop", &unit]).await?;
    }
    let link = place.wanted_link(service);
    if link.is_symlink() {
        remove_file(&link)?;
        // `systemctl disable` leaves no empty folder of links either.
        remove_empty(link.parent().unwrap_or(&link));
    }
    Ok(runs.then_some(unit))
}

fn ports_of(service: Service, ports: &Ports) -> Vec<u16> {
    let own = ports.of_roles().into_iter();
    own.filter(|(what, _)| what.split(',').next() == Some(service.as_str()))
        .map(|(_, port)| port)
        .collect()
}

/// Stops the services and removes what is theirs, but not their data; nothing of it need be there.
/// Returns the units that were.
pub(crate) async fn remove(place: &Place) -> Result<Vec<String>, Failure> {
    let mut removed = Vec::new();
    for service in Service::ALL {
        removed.extend(end(place, service).await?);
    }
    if !removed.is_empty() {
        systemd::systemctl(&["daemon-reload"]).await?;
        // One that failed is remembered by systemd until it is told otherwise; one that did not is unknown.
        for unit in &removed {
            let _ = systemd::systemctl(&["reset-failed", unit]).await;
        }
    }
    let binary = place.binary();
    remove_file(&binary)?;
    for folder in [binary.parent().unwrap_or(&binary), Path::new(BINARIES)] {
        remove_empty(folder);
    }
    Ok(removed)
}

/// Removes the data of the services and of the host; what others left in its folder stays.
pub(crate) fn purge(place: &Place) -> Result<(), Failure> {
    for service in Service::ALL {
        remove_tree(&place.kept_folder(service))?;
        let folder = place.folder(service);
        if folder.is_symlink() {
            remove_file(&folder)?;
        } else {
            remove_tree(&folder)?;
        }
    }
    for file in [
        Services::path(&place.data_dir),
        PlatformFile::path(&place.data_dir),
    ] {
        remove_file(&file)?;
    }
    let below = place.data_dir.strip_prefix(STATE).unwrap_or(Path::new(""));
    for top in [Path::new(STATE).join("private"), STATE.into()] {
        for folder in below.ancestors().filter(|part| *part != Path::new("")) {
            remove_empty(&top.join(folder));
        }
    }
    Ok(())
}

fn remove_file(path: &Path) -> Result<(), Failure> {
    gone(path, fs::remove_file(path))
}

fn remove_tree(path: &Path) -> Result<(), Failure> {
    gone(path, fs::remove_dir_all(path))
}

fn gone(path: &Path, removed: io::Result<()>) -> Result<(), Failure> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::new(
            "CLI0020",
            format!("cannot remove {}: {error}", path.display()),
            "remove it by hand, then run this again",
        )),
        _ => Ok(()),
    }
}

/// A folder that others use, too, stays.
fn remove_empty(path: &Path) {
    let _ = fs::remove_dir(path);
}

/// Puts a binary in its place, whole or not at all.
fn install_binary(from: &Path, to: &Path) -> Result<(), Failure> {
    let unusable = |error: &io::Error| {
        Failure::new(
            "CLI0020",
            format!("cannot put the binary at {}: {error}", to.display()),
            "run this as root, on a host where that folder can be written and has room",
        )
    };
    let folder = to.parent().unwrap_or(Path::new(BINARIES));
    make_folder(folder, 0o755)?;
    let fresh: PathBuf = folder.join(".wharf.new");
    let _ = fs::remove_file(&fresh);
    let put = || {
        let mut source = File::open(from)?;
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&fresh)?;
        io::copy(&mut source, &mut file)?;
        file.flush()?;
        // Whatever the umask: services run as users of their own.
        file.set_permissions(fs::Permissions::from_mode(MODE))?;
        file.sync_all()?;
        fs::rename(&fresh, to)?;
        File::open(folder)?.sync_all()
    };
    put().map_err(|error| {
        let _ = fs::remove_file(&fresh);
        unusable(&error)
    })
}

/// Whether a binary is in its place, and may be run.
fn same(one: &Path, other: &Path) -> bool {
    let compare = || -> io::Result<bool> {
        let (mut one, mut other) = (File::open(one)?, File::open(other)?);
        if other.metadata()?.permissions().mode() & MODE != MODE {
            return Ok(false);
        }
        if one.metadata()?.len() != other.metadata()?.len() {
            return Ok(false);
        }
        let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            let read = one.read(&mut left)?;
            if read == 0 {
                return Ok(true);
            }
            other.read_exact(&mut right[..read])?;
            if left[..read] != right[..read] {
                return Ok(false);
            }
        }
    };
    // What cannot be compared is put there anew.
    compare().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_left_in_the_folder_of_a_host_stays() {
        let dir = tempfile::tempdir().unwrap();
        let place = Place {
            name: "lab".into(),
            data_dir: dir.path().join("lab"),
        };
        let kept = place.data_dir.join("set-aside/x");
        fs::create_dir_all(&kept).unwrap();
        fs::create_dir_all(place.data_dir.join("proxy")).unwrap();
        fs::write(PlatformFile::path(&place.data_dir), "{}").unwrap();
        purge(&place).unwrap();
        let left: Vec<_> = fs::read_dir(&place.data_dir).unwrap().collect();
        assert!(kept.is_dir() && left.len() == 1, "{left:?}");
    }

    #[test]
    fn a_binary_that_its_user_may_not_run_is_not_in_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("lib/lab/wharf"));
        fs::write(&from, "x").unwrap();
        install_binary(&from, &to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!same(&from, &to));
        install_binary(&from, &to).unwrap();
        assert!(same(&from, &to));
    }

    #[test]
    fn a_binary_is_replaced_whole_and_another_one_is_told_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("lib/lab/wharf"));
        fs::write(&from, vec![7; 200_000]).unwrap();
        assert!(!same(&from, &to), "none is there");
        install_binary(&from, &to).unwrap();
        assert!(same(&from, &to));
        let mode = fs::metadata(&to).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        let mut other = vec![7; 200_000];
        other[199_999] = 8;
        fs::write(&from, other).unwrap();
        assert!(!same(&from, &to));
        install_binary(&from, &to).unwrap();
        assert!(same(&from, &to));
        let here: Vec<_> = fs::read_dir(to.parent().unwrap()).unwrap().collect();
        assert_eq!(here.len(), 1, "something is left beside the binary");
    }

    #[test]
    fn a_binary_that_cannot_be_put_in_place_is_told_with_where() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("lab/wharf");
        let failure = install_binary(&dir.path().join("none"), &to).unwrap_err();
        assert_eq!(failure.code, "CLI0020");
        assert!(failure.to_string().contains("lab/wharf"), "{failure}");
    }

    #[test]
    fn each_service_has_the_ports_of_its_role() {
        let ports = Ports::default();
        let proxy = ports_of(Service::Proxy, &ports);
        assert!(proxy.contains(&ports.proxy_https) && !proxy.contains(&ports.admin));
        assert!(ports_of(Service::Director, &ports).contains(&ports.internal));
    }
}
