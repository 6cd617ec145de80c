//! The files of a role that runs as a service, in the role's own folder: what every role of a platform
//! must know, and who this one is. Invariants: the folder is made root's, so that systemd gives all of it
//! to the service's user at its next start; the file by which the role is the host's is written last. Not
//! here: units and the binary (`keep`).

use std::{
    net::IpAddr,
    os::unix::fs::chown,
    path::{Path, PathBuf},
};

use wharf_runtime::{
    known_directors::KnownDirectors,
    net::host_port,
    platform_file::PlatformFile,
    role_files::{DirectorJoin, ProxyFile},
    tls::KeyedCert,
};

use super::{Place, Service, Services};
use crate::{
    failure::Failure,
    up::files::{make_folder, write, write_json},
};

/// Writes a role's folder.
pub(crate) fn write_role(
    place: &Place,
    service: Service,
    platform: &PlatformFile,
    ca_pem: &str,
    id: &str,
    identity: &KeyedCert,
) -> Result<(), Failure> {
    // Of an earlier time on the platform: another role's.
    for old in [place.folder(service), place.kept_folder(service)] {
        if old.is_symlink() {
            let _ = std::fs::remove_file(&old);
        } else {
            let _ = std::fs::remove_dir_all(&old);
        }
    }
    let folder = place.folder(service);
    let own = folder.join(service.as_str());
    make_folder(&folder, 0o700)?;
    make_folder(&own, 0o700)?;
    chown(&folder, Some(0), Some(0)).map_err(|error| unusable(&folder, &error))?;
    write(&folder.join("ca.pem"), ca_pem.as_bytes(), 0o644)?;
    write_json(&PlatformFile::path(&folder), platform, 0o644)?;
    identity
        .store(own.join("identity.pem"))
        .map_err(|error| unusable(&own, &error))?;
    match service {
        Service::Director => {
            let file = DirectorJoin {
                director_id: id.to_owned(),
            };
            write_json(&DirectorJoin::path(&folder), &file, 0o600)
        }
        Service::Proxy => {
            let file = ProxyFile {
                proxy_id: id.to_owned(),
            };
            write_json(&ProxyFile::path(&folder), &file, 0o644)
        }
    }
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        "CLI0020",
        format!("cannot use {}: {error}", path.display()),
        "run this as root, and see that the disk has room",
    )
}

/// Where the platform's directors may be by now: what the proxy was told last, this host's own director,
/// those that the host was installed with.
pub(crate) fn directors_of(
    place: &Place,
    services: Services,
    platform: &PlatformFile,
) -> Vec<String> {
    let kept: PathBuf = place.folder(Service::Proxy).join("proxy/directors.json");
    let mut all = KnownDirectors::load(kept, &platform.directors)
        .addresses()
        .list();
    let own: Result<IpAddr, _> = platform.advertised_address.parse();
    if services.director && own.is_ok() {
        all.push(host_port(
            &platform.advertised_address,
            platform.ports.internal,
        ));
    }
    all
}
