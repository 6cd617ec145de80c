//! What `wharf up` writes into the data directory before the first role starts: the platform's
//! file, its authority, an identity per role, each role's own file. Every file is written once and
//! kept; run again, only what is missing or about to expire is made. Not here: starting anything.

use std::{
    io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use argon2::{
    Argon2, PasswordHasher,
    password_hash::{SaltString, rand_core::OsRng},
};
use serde::Serialize;
use wharf_allocator::files::{AllocatorFile, HostRoles};
use wharf_runtime::{
    data_dir::write_atomic,
    platform_file::{PlatformFile, Ports},
    random,
    role_files::{DirectorBootstrap, ProxyFile, member_of},
    tls::{
        Authority, CaCerts, Identity, KeyedCert, LeafSpec, ROLE_ALLOCATOR, ROLE_DIRECTOR,
        ROLE_PROXY,
    },
};

use crate::{failure::Failure, services::Services};

/// What the user chose.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    pub(crate) name: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) ports: Option<Ports>,
    /// None: as it is, or loopback.
    pub(crate) advertise: Option<IpAddr>,
    pub(crate) zone: String,
    pub(crate) host: String,
}

/// The platform's files, and the admin's password when it was made just now.
pub(super) struct Written {
    pub(super) platform: PlatformFile,
    pub(super) allocator_id: String,
    pub(super) new_password: Option<String>,
}

const LOOPBACK: &str = "127.0.0.1";

pub(super) const ADMIN: &str = "admin";

/// Makes what is missing. A new password is given to `keep` before the file that says that the
/// platform is made, so that no interruption can lose it.
pub(super) fn ensure(
    choice: &Choice,
    now_ms: i64,
    keep: impl FnOnce(&PlatformFile, &str) -> Result<(), Failure>,
) -> Result<Written, Failure> {
    let dir = &choice.data_dir;
    whole_or_new(dir)?;
    for (folder, mode) in [
        ("", 0o755),
        ("director", 0o700),
        ("director/ca", 0o700),
        ("allocator", 0o700),
        ("proxy", 0o700),
        ("instances", 0o700),
    ] {
        make_folder(&dir.join(folder), mode)?;
    }
    let platform = platform_file(choice)?;
    let authority = authority(dir, &platform, now_ms)?;
    let existing = exists(&DirectorBootstrap::path(dir)).then(|| DirectorBootstrap::read(dir));
    let (bootstrap, new_password) = match existing {
        Some(read) => (read.map_err(|error| damaged(&error))?, None),
        None => {
            let password = random::password(24);
            let director_id = random::new_id();
            let bootstrap = DirectorBootstrap {
                raft_id: member_of(&director_id).unwrap_or(1),
                director_id,
                admin_username: ADMIN.to_owned(),
                admin_password_hash: hash(&password)?,
                allocator_id: random::new_id(),
                proxy_id: random::new_id(),
                system_template: "observability".to_owned(),
            };
            (bootstrap, Some(password))
        }
    };
    let key = dir.join("director/platform.key");
    if !exists(&key) {
        write(&key, hex::encode(random::bytes::<32>()).as_bytes(), 0o600)?;
    }
    for (role, id) in [
        (ROLE_DIRECTOR, &bootstrap.director_id),
        (ROLE_ALLOCATOR, &bootstrap.allocator_id),
        (ROLE_PROXY, &bootstrap.proxy_id),
    ] {
        identity(dir, &platform, &authority, role, id, now_ms)?;
    }
    write_json(
        &ProxyFile::path(dir),
        &ProxyFile {
            proxy_id: bootstrap.proxy_id.clone(),
        },
        0o644,
    )?;
    let allocator_id = bootstrap.allocator_id.clone();
    // Last: with this file there, everything above is there too.
    if let Some(password) = &new_password {
        keep(&platform, password)?;
        write_json(&DirectorBootstrap::path(dir), &bootstrap, 0o600)?;
    }
    Ok(Written {
        platform,
        allocator_id,
        new_password,
    })
}

/// Refuses a host that is part of a platform which was brought up elsewhere. What an attempt that was broken off
/// left, of `wharf up` or of a join, is no part of one.
pub(super) fn not_joined(dir: &Path) -> Result<(), Failure> {
    let as_containers = || {
        let own = dir.join(ROLE_ALLOCATOR).join("identity.pem");
        exists(&own) && exists(&AllocatorFile::path(dir))
    };
    let joined = !exists(&DirectorBootstrap::path(dir))
        && exists(&PlatformFile::path(dir))
        && (exists(&Services::path(dir)) || as_containers());
    if !joined {
        return Ok(());
    }
    Err(Failure::new(
        "CLI0036",
        format!("the host of {} joined a platform", dir.display()),
        "`wharf install` repairs it, `wharf uninstall` ends its part; a platform of its own needs another --name",
    ))
}

/// What a platform that was made cannot do without and nobody can make again: the key that seals
/// its secrets, and the authority that signed its certificates.
fn whole_or_new(dir: &Path) -> Result<(), Failure> {
    if !exists(&DirectorBootstrap::path(dir)) {
        return Ok(());
    }
    for path in [
        dir.join("director/platform.key"),
        dir.join("director/ca/authority.pem"),
    ] {
        if !exists(&path) {
            return Err(Failure::new(
                "CLI0021",
                format!("{} is missing", path.display()),
                "restore it from a backup; a new one would open no secret and fit no certificate. If nothing is worth keeping: wharf down --purge",
            ));
        }
    }
    Ok(())
}

fn platform_file(choice: &Choice) -> Result<PlatformFile, Failure> {
    let path = PlatformFile::path(&choice.data_dir);
    if exists(&path) {
        let found = PlatformFile::read(&choice.data_dir).map_err(|error| damaged(&error))?;
        let asked = choice.ports.unwrap_or(found.ports);
        if found.name != choice.name || asked != found.ports {
            return Err(Failure::new(
                "CLI0022",
                format!(
                    "{} belongs to the platform `{}` with admin port {}",
                    choice.data_dir.display(),
                    found.name,
                    found.ports.admin
                ),
                "leave --port-base out, or give another --name and --data-dir",
            ));
        }
        return match choice.advertise.map(|address| address.to_string()) {
            Some(address) if address != found.advertised_address => {
                let moved = moved(found, &address);
                write_json(&path, &moved, 0o644)?;
                Ok(moved)
            }
            _ => Ok(found),
        };
    }
    let ports = choice.ports.unwrap_or_default();
    let platform = new_platform(choice, random::new_id(), ports);
    write_json(&path, &platform, 0o644)?;
    Ok(platform)
}

/// The platform as a choice makes it.
pub(crate) fn new_platform(choice: &Choice, platform_id: String, ports: Ports) -> PlatformFile {
    let address = choice
        .advertise
        .map_or_else(|| LOOPBACK.to_owned(), |address| address.to_string());
    let platform = PlatformFile {
        platform_id,
        name: choice.name.clone(),
        domain: "localhost".to_owned(),
        advertised_address: String::new(),
        bind_address: String::new(),
        zone: choice.zone.clone(),
        host: choice.host.clone(),
        ports,
        directors: Vec::new(),
    };
    moved(platform, &address)
}

/// The same platform reached at another address of its host.
fn moved(platform: PlatformFile, address: &str) -> PlatformFile {
    let v6 = address.contains(':');
    let bind = match (address.parse::<IpAddr>(), v6) {
        (Ok(ip), _) if ip.is_loopback() => address,
        (_, true) => "::",
        _ => "0.0.0.0",
    };
    let port = platform.ports.internal;
    PlatformFile {
        bind_address: bind.to_owned(),
        directors: vec![if v6 {
            format!("[{address}]:{port}")
        } else {
            format!("{address}:{port}")
        }],
        advertised_address: address.to_owned(),
        ..platform
    }
}

/// Whether the platform was brought up here, and its director was removed from this host since.
pub(super) fn director_removed(dir: &Path) -> bool {
    let held = HostRoles::read(dir).ok().flatten();
    held.is_some_and(|held| held.generation > 0 && !held.director)
}

fn authority(dir: &Path, platform: &PlatformFile, now_ms: i64) -> Result<Authority, Failure> {
    let path = dir.join("director/ca/authority.pem");
    let (authority, trusted) = if exists(&path) {
        let pem = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        // After a change of the authority others may stand behind the one that issues.
        let trusted = CaCerts::from_pem(&pem).map_err(|error| damaged(&error))?;
        let authority = Authority::from_pem(&pem).map_err(|error| damaged(&error))?;
        (authority, trusted)
    } else {
        let made =
            Authority::create(&platform.platform_id, now_ms).map_err(|error| damaged(&error))?;
        write(&path, made.to_pem().as_bytes(), 0o600)?;
        let trusted = made.certs();
        (made, trusted)
    };
    if director_removed(dir) {
        // This authority is as old as the removal; what the allocator follows is newer.
        return Ok(authority);
    }
    let public = dir.join("ca.pem");
    let trusted = trusted.to_pem();
    if std::fs::read_to_string(&public).ok().as_deref() != Some(trusted.as_str()) {
        write(&public, trusted.as_bytes(), 0o644)?;
    }
    Ok(authority)
}

fn identity(
    dir: &Path,
    platform: &PlatformFile,
    authority: &Authority,
    role: &str,
    id: &str,
    now_ms: i64,
) -> Result<(), Failure> {
    let path = dir.join(role).join("identity.pem");
    let identity =
        Identity::new(&platform.platform_id, role, id).map_err(|error| damaged(&error))?;
    let found = KeyedCert::load(&path).ok().flatten();
    // One of another id is left of an attempt that was broken off.
    let good = |cert: &KeyedCert| {
        cert.identity().as_ref() == Some(&identity)
            && !cert.needs_renewal(now_ms)
            && cert.names_host(&platform.advertised_address)
    };
    if found.as_ref().is_some_and(good) {
        return Ok(());
    }
    let mut spec = LeafSpec::for_identity(identity)
        .with_host("localhost")
        .with_host("127.0.0.1");
    if platform.advertised_address != LOOPBACK {
        spec = spec.with_host(&platform.advertised_address);
    }
    if role == ROLE_PROXY {
        spec = spec.with_host(&format!("proxy.{}", platform.domain));
    }
    let cert = authority
        .issue(&spec, now_ms)
        .map_err(|error| damaged(&error))?;
    cert.store(&path).map_err(|error| damaged(&error))
}

fn hash(password: &str) -> Result<String, Failure> {
    let salt = SaltString::generate(&mut OsRng);
    Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| Failure::new("CLI0021", format!("cannot hash the password: {error}"), ""))
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Makes a folder; one that is there already keeps its rights.
pub(crate) fn make_folder(path: &Path, mode: u32) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| *above != Path::new("")) {
        make_folder(above, mode)?;
    }
    // Each has the mode whatever the umask says.
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)),
    }
    .map_err(|error| unwritable(path, &error))
}

pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    write_atomic(path, bytes, mode).map_err(|error| unwritable(path, &error))
}

pub(crate) fn write_json(path: &Path, value: &impl Serialize, mode: u32) -> Result<(), Failure> {
    let bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| Failure::new("CLI0021", error.to_string(), ""))?;
    if std::fs::read(path).ok().as_deref() == Some(bytes.as_slice()) {
        return Ok(());
    }
    write(path, &bytes, mode)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    let hint = match error.kind() {
        io::ErrorKind::PermissionDenied => "run as root, or give a --data-dir of your own",
        io::ErrorKind::StorageFull => "make room on that file system, or give another --data-dir",
        io::ErrorKind::ReadOnlyFilesystem => {
            "give a --data-dir on a file system that can be written"
        }
        _ => "give another --data-dir",
    };
    Failure::new(
        "CLI0020",
        format!("cannot write {}: {error}", path.display()),
        hint,
    )
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        "CLI0021",
        format!("cannot read {}: {error}", path.display()),
        "run as root",
    )
}

fn damaged(error: &dyn std::error::Error) -> Failure {
    Failure::new(
        "CLI0021",
        error.to_string(),
        "restore the file that is named, or remove the platform with `wharf down --purge`",
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const NOW: i64 = 1_790_000_000_000;

    fn choice(dir: &Path) -> Choice {
        Choice {
            name: "lab".into(),
            data_dir: dir.to_path_buf(),
            ports: Ports::from_base(22_000),
            advertise: None,
            zone: "zone-1".into(),
            host: "h".into(),
        }
    }

    fn kept(_: &PlatformFile, _: &str) -> Result<(), Failure> {
        Ok(())
    }

    fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(contents(&path));
            } else {
                found.push((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
        found.sort();
        found
    }

    #[test]
    fn run_again_it_changes_no_byte_and_gives_no_password() {
        wharf_runtime::tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        let first = ensure(&choice(dir.path()), NOW, kept).unwrap();
        assert!(first.new_password.is_some());
        let before = contents(dir.path());
        let second = ensure(&choice(dir.path()), NOW + 60_000, kept).unwrap();
        assert!(second.new_password.is_none());
        assert_eq!(contents(dir.path()), before);
    }

    #[test]
    fn a_host_that_joined_is_refused_and_what_was_broken_off_is_not() {
        wharf_runtime::tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &Path| std::fs::write(path, "{}").unwrap();
        ensure(&choice(dir.path()), NOW, kept).unwrap();
        put(&AllocatorFile::path(dir.path()));
        not_joined(dir.path()).unwrap();
        // Without the file that a platform is made by here, the host came by a token.
        std::fs::remove_file(DirectorBootstrap::path(dir.path())).unwrap();
        let refused = not_joined(dir.path()).unwrap_err();
        assert_eq!(refused.code, "CLI0036");
        // Broken off: `wharf up` before the allocator's file, a join before the platform's.
        std::fs::remove_file(AllocatorFile::path(dir.path())).unwrap();
        not_joined(dir.path()).unwrap();
        put(&Services::path(dir.path()));
        not_joined(dir.path()).unwrap_err();
        std::fs::remove_file(PlatformFile::path(dir.path())).unwrap();
        not_joined(dir.path()).unwrap();
    }

    #[test]
    fn another_address_changes_the_platforms_file_and_its_certificates_and_nothing_else() {
        wharf_runtime::tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        ensure(&choice(dir.path()), NOW, kept).unwrap();
        let before = contents(dir.path());
        let address = "10.0.0.5";
        let moving = Choice {
            advertise: address.parse().ok(),
            ..choice(dir.path())
        };
        let moved = ensure(&moving, NOW, kept).unwrap().platform;
        assert_eq!(moved.advertised_address, address);
        assert_eq!(moved.bind_address, "0.0.0.0");
        assert_eq!(moved.directors, ["10.0.0.5:22190"]);
        for role in ["director", "allocator", "proxy"] {
            let path = dir.path().join(role).join("identity.pem");
            let cert = KeyedCert::load(path).unwrap().unwrap();
            assert!(cert.names_host(address), "{role}");
        }
        let changed: Vec<_> = contents(dir.path())
            .into_iter()
            .filter(|file| !before.contains(file))
            .map(|(path, _)| path)
            .collect();
        assert_eq!(changed.len(), 4, "{changed:?}");
        let after = contents(dir.path());
        ensure(&moving, NOW, kept).unwrap();
        ensure(&choice(dir.path()), NOW, kept).unwrap();
        assert_eq!(contents(dir.path()), after, "run again it changes nothing");
    }

    #[test]
    fn a_host_whose_director_was_removed_keeps_the_authorities_that_it_follows() {
        wharf_runtime::tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        ensure(&choice(dir.path()), NOW, kept).unwrap();
        let public = dir.path().join("ca.pem");
        let stale = std::fs::read_to_string(&public).unwrap();
        let followed = Authority::create("x", NOW).unwrap().certs().to_pem();
        for (director, expected) in [(false, &followed), (true, &stale)] {
            std::fs::write(&public, &followed).unwrap();
            let roles = HostRoles {
                generation: 1,
                director,
                ..HostRoles::default()
            };
            roles.write(dir.path()).unwrap();
            assert_eq!(director_removed(dir.path()), !director);
            ensure(&choice(dir.path()), NOW, kept).unwrap();
            assert_eq!(
                &std::fs::read_to_string(&public).unwrap(),
                expected,
                "a director runs here: {director}"
            );
        }
    }

    #[test]
    fn no_secret_is_readable_by_others_and_no_password_is_on_disk() {
        wharf_runtime::tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        let password = ensure(&choice(dir.path()), NOW, kept)
            .unwrap()
            .new_password
            .unwrap();
        for (path, bytes) in contents(dir.path()) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            assert!(
                !text.contains(&password),
                "{} holds the password",
                path.display()
            );
            let secret = text.contains("PRIVATE KEY") || path.ends_with("platform.key");
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert!(
                !secret || mode == 0o600,
                "{} has mode {mode:o}",
                path.display()
            );
        }
    }

    #[test]
    fn the_folder_of_another_platform_is_refused() {
        wharf_runtime::tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        ensure(&choice(dir.path()), NOW, kept).unwrap();
        let other = Choice {
            name: "other".into(),
            ..choice(dir.path())
        };
        assert_eq!(
            ensure(&other, NOW, kept).err().map(|failure| failure.code),
            Some("CLI0022".into())
        );
    }

    #[test]
    fn a_password_that_could_not_be_kept_leaves_a_platform_that_is_made_anew() {
        wharf_runtime::tls::install_provider();
        let dir = tempfile::tempdir().unwrap();
        let refuse = |_: &PlatformFile, _: &str| Err(Failure::new("CLI0004", "no room", ""));
        assert!(ensure(&choice(dir.path()), NOW, refuse).is_err());
        let again = ensure(&choice(dir.path()), NOW, kept).unwrap();
        assert!(
            again.new_password.is_some(),
            "the lost password cannot be had again"
        );
        let cert = KeyedCert::load(dir.path().join("allocator/identity.pem"))
            .unwrap()
            .unwrap();
        let id = cert.identity().map(|identity| identity.id);
        assert_eq!(
            id,
            Some(again.allocator_id),
            "the certificate is of the first attempt"
        );
    }

    #[test]
    fn a_lost_key_is_told_and_not_made_anew() {
        wharf_runtime::tls::install_provider();
        for lost in ["director/platform.key", "director/ca/authority.pem"] {
            let dir = tempfile::tempdir().unwrap();
            ensure(&choice(dir.path()), NOW, kept).unwrap();
            std::fs::remove_file(dir.path().join(lost)).unwrap();
            let failure = ensure(&choice(dir.path()), NOW, kept)
                .err()
                .expect("it is missing");
            assert!(failure.message.contains(lost), "{failure}");
            assert!(!dir.path().join(lost).exists());
        }
    }
}
