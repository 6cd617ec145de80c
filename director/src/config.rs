//! Where a director finds its files and what it listens on, read from the data directory that
//! `wharf up` made. Holds no key material. Not here: keys (`secrets`, `certificates`), settings that
//! change while the platform runs (`wharf_director_core::settings`).

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use wharf_proto::ids::{DirectorId, IdError, PlatformId};
use wharf_runtime::{
    platform_file::{PlatformFile, PlatformFileError},
    role_files::{DirectorBootstrap, DirectorJoin},
};

/// Why the data directory gives no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is missing or damaged.
    #[error(transparent)]
    File(#[from] PlatformFileError),
    /// An id in a file is none.
    #[error("{file} names no usable id: {source}; run `wharf up` again")]
    Id {
        /// The file.
        file: &'static str,
        /// What is wrong.
        source: IdError,
    },
    /// The bind address is none.
    #[error("platform.json: `{0}` is no address to listen on; write an IP address")]
    Address(String),
}

/// What a director is started with.
#[derive(Clone)]
pub struct Config {
    /// `<data>`: the host's data directory; the director's own files are in `director/`.
    pub data_dir: PathBuf,
    /// The platform.
    pub platform: PlatformFile,
    /// The platform's id, checked.
    pub platform_id: PlatformId,
    /// The first commands of a fresh log; none on a director that joined a platform.
    pub bootstrap: Option<DirectorBootstrap>,
    /// This director's id, checked.
    pub director_id: DirectorId,
    /// Where users' clients connect.
    pub admin_listen: SocketAddr,
    /// Where roles connect.
    pub internal_listen: SocketAddr,
    /// Loopback: health and metrics.
    pub metrics_listen: SocketAddr,
    /// It ends with [`RunError::Removed`](crate::RunError::Removed) once it was removed: no allocator is
    /// beside it that would end it.
    pub ends_when_removed: bool,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("data_dir", &self.data_dir)
            .field("platform", &self.platform.name)
            .field("director", &self.director_id)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Reads the files of a data directory.
    ///
    /// # Errors
    /// When one is missing or damaged; the message says what to do.
    pub fn from_data_dir(data_dir: &Path) -> Result<Self, ConfigError> {
        let platform = PlatformFile::read(data_dir)?;
        let joins = DirectorJoin::path(data_dir).exists();
        let (bootstrap, director_id, file) = if joins {
            let own = DirectorJoin::read(data_dir)?;
            (None, own.director_id, "director/join.json")
        } else {
            let own = DirectorBootstrap::read(data_dir)?;
            let id = own.director_id.clone();
            (Some(own), id, "director/bootstrap.json")
        };
        let platform_id = platform
            .platform_id
            .parse()
            .map_err(|source| ConfigError::Id {
                file: "platform.json",
                source,
            })?;
        let director_id = director_id
            .parse()
            .map_err(|source| ConfigError::Id { file, source })?;
        let bind: IpAddr = platform
            .bind_address
            .parse()
            .map_err(|_| ConfigError::Address(platform.bind_address.clone()))?;
        Ok(Self {
            data_dir: data_dir.to_path_buf(),
            platform_id,
            director_id,
            admin_listen: SocketAddr::new(bind, platform.ports.admin),
            internal_listen: SocketAddr::new(bind, platform.ports.internal),
            metrics_listen: SocketAddr::from(([127, 0, 0, 1], platform.ports.director_metrics)),
            platform,
            bootstrap,
            ends_when_removed: false,
        })
    }

    /// A path among the director's own files.
    #[must_use]
    pub fn own(&self, name: &str) -> PathBuf {
        self.data_dir.join("director").join(name)
    }
}
