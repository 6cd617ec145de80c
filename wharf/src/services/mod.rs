//! The director and the proxy of a host without a container engine, as services of systemd: which there
//! are, where their files lie, and bringing them to what they are to be.
//!
//! Each has a folder of its own, which systemd gives to a user that exists for as long as the service runs
//! (`DynamicUser`): neither reads the other's keys. Invariants: asking again changes nothing that is right;
//! a binary is replaced whole; units and binary are root's, and no secret is in either. Not here: the text
//! of units (`unit`), asking systemd (`systemd`), joining and leaving (`install`).

mod keep;
mod role_folder;
pub(crate) mod systemd;
mod unit;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wharf_runtime::data_dir::read_limited;

use crate::{failure::Failure, up::files::write_json};

pub(crate) use self::{
    keep::{Kept, keep, purge, remove},
    role_folder::{directors_of, write_role},
};

/// Where systemd keeps the data of services; folders of others cannot be given to their users.
const STATE: &str = "/var/lib";
/// Where the binary of a platform's services lies, in a folder with the platform's name.
const BINARIES: &str = "/usr/local/lib/wharfinger";
/// Where units of the host's admin lie.
const UNITS: &str = "/etc/systemd/system";
const FILE_BYTES: u64 = 4096;

/// A role that runs as a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// It takes part in deciding.
    Director,
    /// It routes clients.
    Proxy,
}

impl Service {
    /// Every one, in the order in which they are started.
    pub(crate) const ALL: [Self; 2] = [Self::Director, Self::Proxy];

    /// The role's name, which is also the binary's subcommand and the name of its folder.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Director => "director",
            Self::Proxy => "proxy",
        }
    }
}

/// `services.json`: the host has no engine, and these run on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Services {
    /// A director runs here.
    pub(crate) director: bool,
    /// A proxy runs here.
    pub(crate) proxy: bool,
}

impl Services {
    /// Where the file lies.
    pub(crate) fn path(data_dir: &Path) -> PathBuf {
        data_dir.join("services.json")
    }

    /// Reads the file; nothing when there is none.
    pub(crate) fn read(data_dir: &Path) -> Result<Option<Self>, Failure> {
        let path = Self::path(data_dir);
        let unusable = |error: &dyn std::fmt::Display| {
            Failure::new(
                "CLI0021",
                format!("cannot use {}: {error}", path.display()),
                "write into it which of the two run here, for example {\"director\": true, \"proxy\": true}",
            )
        };
        let bytes = read_limited(&path, FILE_BYTES).map_err(|error| unusable(&error))?;
        bytes
            .map(|bytes| serde_json::from_slice(&bytes).map_err(|error| unusable(&error)))
            .transpose()
    }

    /// Writes the file.
    pub(crate) fn write(self, data_dir: &Path) -> Result<(), Failure> {
        write_json(&Self::path(data_dir), &self, 0o644)
    }

    pub(crate) const fn has(self, service: Service) -> bool {
        match service {
            Service::Director => self.director,
            Service::Proxy => self.proxy,
        }
    }
}

/// Where everything of a platform's services lies on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The platform's name.
    pub(crate) name: String,
    /// What is the host's: `platform.json` and `services.json`; a folder of each service below it.
    pub(crate) data_dir: PathBuf,
}

impl Place {
    /// The place of a platform.
    ///
    /// # Errors
    /// When systemd cannot give folders there to a service.
    pub(crate) fn new(name: &str, data_dir: &Path) -> Result<Self, Failure> {
        let place = Self {
            name: name.to_owned(),
            data_dir: data_dir.to_path_buf(),
        };
        let plain = |text: &str| {
            let good = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
            text.chars().all(good)
        };
        let below = data_dir.strip_prefix(STATE).ok();
        let usable = below.and_then(Path::to_str).is_some_and(|below| {
            !below.is_empty() && plain(below) && !below.split('/').any(|part| part == "..")
        });
        if usable {
            return Ok(place);
        }
        Err(Failure::new(
            "CLI0050",
            format!(
                "--data-dir: {} is not below {STATE}, where systemd keeps the data of services",
                data_dir.display()
            ),
            "leave --data-dir out, or name a folder there in letters, digits, `-`, `_` and `.`",
        ))
    }

    /// A service's folder, which `wharf run` is given.
    pub(crate) fn folder(&self, service: Service) -> PathBuf {
        self.data_dir.join(service.as_str())
    }

    /// Where systemd keeps that folder in truth; [`Self::folder`] is a link to it once it has run.
    fn kept_folder(&self, service: Service) -> PathBuf {
        let folder = self.folder(service);
        let below = folder.strip_prefix(STATE).unwrap_or(&folder);
        Path::new(STATE).join("private").join(below)
    }

    /// Whether the file is there by which a service is the host's.
    pub(crate) fn is_here(&self, service: Service) -> bool {
        self.folder(service).join(unit::own_file(service)).exists()
    }

    /// The service's name.
    pub(crate) fn unit(&self, service: Service) -> String {
        format!("wharf-{}-{}.service", self.name, service.as_str())
    }

    fn unit_file(&self, service: Service) -> PathBuf {
        Path::new(UNITS).join(self.unit(service))
    }

    /// By which the unit is started with the host, once it is enabled.
    fn wanted_link(&self, service: Service) -> PathBuf {
        let folder = Path::new(UNITS).join("multi-user.target.wants");
        folder.join(self.unit(service))
    }

    /// There while what runs of a service is older than its unit or binary.
    fn outdated(&self, service: Service) -> PathBuf {
        let name = format!(".{}.outdated", service.as_str());
        self.binary().with_file_name(name)
    }

    fn binary(&self) -> PathBuf {
        Path::new(BINARIES).join(&self.name).join("wharf")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_path_carries_the_platforms_name() {
        let place = Place::new("lab", Path::new("/var/lib/wharfinger/lab")).unwrap();
        assert_eq!(place.unit(Service::Proxy), "wharf-lab-proxy.service");
        assert_eq!(
            place.kept_folder(Service::Director),
            Path::new("/var/lib/private/wharfinger/lab/director")
        );
        assert_eq!(
            place.binary(),
            Path::new("/usr/local/lib/wharfinger/lab/wharf")
        );
    }

    #[test]
    fn a_folder_that_systemd_cannot_give_to_a_service_is_refused() {
        for bad in [
            "/srv/x",
            "/var/lib",
            "/var/libx",
            "/var/lib/a b",
            "/var/lib/%i",
            "/var/lib/../x",
        ] {
            let refused = Place::new("lab", Path::new(bad)).unwrap_err();
            assert_eq!(refused.code, "CLI0050", "{bad}");
        }
    }

    #[test]
    fn what_runs_here_is_read_back_and_a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Services::read(dir.path()).unwrap(), None);
        let own = Services {
            proxy: true,
            ..Services::default()
        };
        own.write(dir.path()).unwrap();
        assert_eq!(Services::read(dir.path()).unwrap(), Some(own));
        assert!(own.has(Service::Proxy) && !own.has(Service::Director));
        std::fs::write(Services::path(dir.path()), "{").unwrap();
        let failure = Services::read(dir.path()).unwrap_err();
        assert!(failure.to_string().contains("services.json"), "{failure}");
    }

    proptest! {
        #[test]
        fn no_path_that_is_taken_leaves_its_place_or_breaks_a_unit(below in "[ -~]{1,60}") {
            let dir = Path::new("/var/lib").join(&below);
            if let Ok(place) = Place::new("lab", &dir) {
                let text = place.folder(Service::Proxy).display().to_string();
                prop_assert!(text.starts_with("/var/lib/"));
                prop_assert!(!text.contains([' ', '%', '"', '\\', '$']), "{text}");
            }
        }
    }
}
