//! The host runner: the one way in which a platform's role containers come to be on a host. `wharf
//! up`, `wharf install` and the allocator itself go through here.
//!
//! Invariants: asking again changes nothing that is right; what is removed carries the platform's
//! label. Not here: the files of a data directory, which whoever sets a host up writes first.

use std::{
    io,
    path::{Path, PathBuf},
};

use wharf_runtime::platform_file::PlatformFile;

use crate::docker::{
    apply::{self, ApplyError},
    engine::{Engine, EngineError},
    image::{self, Digested, Image, ImageError},
    labels, observe, roles,
};
use crate::files::HostRoles;

pub use wharf_allocator_core::limits::{RoleLimits, role_limits};

pub use crate::docker::{engine::EngineFacts, observe::Seen, roles::Outcome};

/// A role that runs as a container beside the allocator, or the allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Control plane.
    Director,
    /// This host's agent.
    Allocator,
    /// Client traffic.
    Proxy,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Director, Self::Allocator, Self::Proxy];

    /// The role's name, which is also the binary's subcommand.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Director => "director",
            Self::Allocator => "allocator",
            Self::Proxy => "proxy",
        }
    }
}

/// What a role's container is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSpec {
    /// Which one.
    pub role: Role,
    /// The platform's id.
    pub platform_id: String,
    /// The platform's name.
    pub platform_name: String,
    /// Mounted at the same path.
    pub data_dir: PathBuf,
    /// The image's content id.
    pub image_id: String,
    /// The engine's address as the host sees it, for the allocator.
    pub docker_host: String,
    /// What `host-roles.json` asks for; zeros where it does not.
    pub asked: RoleLimits,
}

/// Why a host could not be brought into shape.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The engine cannot be used or refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The image could not be loaded.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A container could not be made or started.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// ALL0018
    #[error("{} is not the data directory of this platform; nothing in it was removed", .0.display())]
    NotOurs(PathBuf),
    /// ALL0014
    #[error("cannot remove {}: {source}; remove it by hand", path.display())]
    Purge {
        /// The directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl HostError {
    /// The code, with a page in `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Engine(error) => error.code(),
            Self::Image(error) => error.code(),
            Self::Apply(error) => error.code(),
            Self::NotOurs(_) => "ALL0018",
            Self::Purge { .. } => "ALL0014",
        }
    }
}

/// What [`HostRunner::remove_all`] removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names of containers.
    pub containers: Vec<String>,
    /// Ids of images.
    pub images: Vec<String>,
    /// The data directory, when it was to go.
    pub data_dir: Option<PathBuf>,
}

/// Runs a platform's roles on one engine.
#[derive(Debug, Clone)]
pub struct HostRunner {
    engine: Engine,
    platform_id: String,
    platform_name: String,
    data_dir: PathBuf,
    docker_host: String,
}

impl HostRunner {
    /// Connects to the engine at `docker_host` (`unix:///…`).
    ///
    /// # Errors
    /// Coded: no socket, no permission, too old, silent.
    pub async fn connect(
        docker_host: &str,
        platform: &PlatformFile,
        data_dir: &Path,
    ) -> Result<Self, HostError> {
        let engine = Engine::connect(docker_host).await?;
        Ok(Self::new(engine, docker_host, platform, data_dir))
    }

    /// The same over a connection that exists; `docker_host` is the address as the host sees it.
    #[must_use]
    pub fn new(
        engine: Engine,
        docker_host: &str,
        platform: &PlatformFile,
        data_dir: &Path,
    ) -> Self {
        Self {
            engine,
            platform_id: platform.platform_id.clone(),
            platform_name: platform.name.clone(),
            data_dir: data_dir.to_owned(),
            docker_host: docker_host.to_owned(),
        }
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What the engine says about itself and the host.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn facts(&self) -> Result<EngineFacts, HostError> {
        Ok(self.engine.facts().await?)
    }

    /// Loads the binary as the platform's image, unless it is loaded. `/proc/self/exe` is the
    /// binary that runs.
    ///
    /// # Errors
    /// When the binary cannot be read or the engine refuses it.
    pub async fn ensure_image(&self, binary: &Path) -> Result<Image, HostError> {
        let mut digested = Digested::default();
        let (id, name) = (&self.platform_id, &self.platform_name);
        Ok(image::ensure(&self.engine, id, name, binary, &mut digested).await?)
    }

    /// Removes the platform's images that no container uses, but for `keep`.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn prune_images(&self, keep: &str) -> Result<Vec<String>, HostError> {
        Ok(image::prune(&self.engine, &self.platform_id, Some(keep)).await?)
    }

    /// What a role's container of this platform is made from.
    #[must_use]
    pub fn spec(&self, role: Role, image_id: &str) -> RoleSpec {
        // A damaged file is said by those who keep the roles; the defaults hold then.
        let roles = HostRoles::read(&self.data_dir).ok().flatten();
        RoleSpec {
            asked: roles.map_or_else(RoleLimits::default, |roles| RoleLimits {
                memory_bytes: roles.role_memory_bytes,
                pids: roles.role_pids,
            }),
            role,
            platform_id: self.platform_id.clone(),
            platform_name: self.platform_name.clone(),
            data_dir: self.data_dir.clone(),
            image_id: image_id.to_owned(),
            docker_host: self.docker_host.clone(),
        }
    }

    /// Makes a role's container what it should be, and running; returns its id and what was done.
    ///
    /// # Errors
    /// When the name is taken by somebody else's container, or the engine refuses.
    pub async fn ensure_role(
        &self,
        role: Role,
        image_id: &str,
    ) -> Result<(String, Outcome), HostError> {
        Ok(roles::ensure(&self.engine, &self.spec(role, image_id)).await?)
    }

    /// Stops and removes a role's containers; returns their names.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn remove_role(&self, role: Role) -> Result<Vec<String>, HostError> {
        let found = roles::of_role(&self.engine, &self.platform_id, role).await?;
        for one in &found {
            apply::stop(&self.engine, &one.observed.id).await?;
            apply::remove(&self.engine, &one.observed.id, true).await?;
        }
        Ok(found.into_iter().map(|one| one.name).collect())
    }

    /// Every container of the platform on this engine, roles and instances.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn list(&self) -> Result<Vec<Seen>, HostError> {
        Ok(observe::Observer::new(&self.platform_id)
            .observe(&self.engine)
            .await?)
    }

    /// The last lines of a container's log, at most so many bytes of them.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn log_tail(
        &self,
        container: &str,
        lines: u32,
        max_bytes: usize,
    ) -> Result<String, HostError> {
        Ok(observe::log_tail(&self.engine, container, lines, max_bytes).await?)
    }

    /// Removes every container and image of the platform on this engine, the allocator first, so
    /// that nothing is brought back; with `purge` the data directory too.
    ///
    /// # Errors
    /// When the engine refuses, or the directory is another platform's.
    pub async fn remove_all(&self, purge: bool) -> Result<Removed, HostError> {
        let mut removed = Removed {
            containers: self.remove_containers().await?,
            ..Removed::default()
        };
        removed.images = image::prune(&self.engine, &self.platform_id, None).await?;
        if purge {
            removed.data_dir = self.purge()?;
        }
        Ok(removed)
    }

    /// Removes every container of the platform on this engine, the allocator first; returns their
    /// names. Their data stays, and the allocator makes them anew from it once it is back.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn remove_containers(&self) -> Result<Vec<String>, HostError> {
        let mut removed = self.remove_role(Role::Allocator).await?;
        // Twice: the allocator's last action may have landed after the first list.
        for _ in 0..2 {
            let ids = observe::list_ids(&self.engine, &labels::filter(&self.platform_id)).await?;
            let stops = ids.iter().map(|id| self.remove_one(id));
            for name in futures::future::try_join_all(stops).await? {
                removed.extend(name);
            }
        }
        Ok(removed)
    }

    async fn remove_one(&self, id: &str) -> Result<Option<String>, EngineError> {
        let Some(found) = observe::inspect(&self.engine, id).await? else {
            return Ok(None);
        };
        let one = observe::seen(&found);
        if one.observed.platform_id != self.platform_id {
            return Ok(None);
        }
        apply::stop(&self.engine, id).await?;
        apply::remove(&self.engine, id, true).await?;
        Ok(Some(one.name))
    }

    fn purge(&self) -> Result<Option<PathBuf>, HostError> {
        if !self.data_dir.exists() {
            return Ok(None);
        }
        let ours = PlatformFile::read(&self.data_dir)
            .is_ok_and(|file| file.platform_id == self.platform_id);
        if !ours {
            return Err(HostError::NotOurs(self.data_dir.clone()));
        }
        remove_tree(&self.data_dir).map_err(|source| HostError::Purge {
            path: self.data_dir.clone(),
            source,
        })?;
        Ok(Some(self.data_dir.clone()))
    }
}

/// Removes a folder with all that is in it; one that a disk of its own is mounted at stays, empty.
fn remove_tree(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error)
            if error.kind() == io::ErrorKind::ResourceBusy
                && std::fs::read_dir(folder).is_ok_and(|mut left| left.next().is_none()) =>
        {
            Ok(())
        }
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Names the folder to the test's own process behind a mount.
    const MOUNTED: &str = "WHARF_TEST_MOUNTED";

    #[test]
    fn a_folder_that_is_a_mount_point_is_emptied_and_stays_and_others_go() {
        if let Some(folder) = std::env::var_os(MOUNTED) {
            let folder = Path::new(&folder);
            std::fs::create_dir_all(folder.join("director/ca")).unwrap();
            std::fs::write(folder.join("platform.json"), "{}").unwrap();
            remove_tree(folder).unwrap();
            assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        std::fs::create_dir_all(plain.join("director")).unwrap();
        remove_tree(&plain).unwrap();
        assert!(!plain.exists());
        assert!(remove_tree(&plain).is_err(), "what is not there is told");
        // A mount of its own namespace, which ends with the process.
        let this = "host::tests::a_folder_that_is_a_mount_point_is_emptied_and_stays_and_others_go";
        let told = Command::new("unshare")
            .args(["--mount", "sh", "-c"])
            .arg("mount -t tmpfs none \"$2\" && exec \"$0\" --exact \"$1\" --nocapture")
            .arg(std::env::current_exe().unwrap())
            .arg(this)
            .arg(dir.path())
            .env(MOUNTED, dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&told.stdout);
        assert!(
            told.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&told.stderr)
        );
    }
}
