//! What the allocator is told when it starts.
//!
//! Invariants: everything comes from the data directory and, for what only its container's make can
//! know, from two variables that [`crate::docker::roles`] sets. Not here: what changes while it runs.

use std::path::{Path, PathBuf};

use wharf_runtime::{
    platform_file::{PlatformFile, PlatformFileError},
    telemetry::LogLevel,
};

use crate::{
    docker::roles::{ENV_DOCKER_HOST, ENV_HOST_ROOT},
    files::{AllocatorFile, FileError},
};

/// Why the allocator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The platform's file.
    #[error(transparent)]
    Platform(#[from] PlatformFileError),
    /// The allocator's own.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What the allocator is told when it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data directory, the same inside and outside its container.
    pub data_dir: PathBuf,
    /// The platform.
    pub platform: PlatformFile,
    /// Who this allocator is, and what it may hand out.
    pub allocator: AllocatorFile,
    /// The engine's address as this process reaches it.
    pub engine_address: String,
    /// The host's root as this process sees it.
    pub host_root: PathBuf,
    /// The binary that is the platform's image.
    pub binary: PathBuf,
    /// Changed live by the directors.
    pub log_level: Option<LogLevel>,
}

impl Config {
    /// Reads the data directory.
    ///
    /// # Errors
    /// When a file is missing or damaged.
    pub fn from_data_dir(data_dir: &Path) -> Result<Self, ConfigError> {
        let platform = PlatformFile::read(data_dir)?;
        let allocator = AllocatorFile::read(data_dir)?
            .ok_or_else(|| FileError::Missing(AllocatorFile::path(data_dir)))?;
        let variable = |name| {
            std::env::var(name)
                .ok()
                .filter(|value: &String| !value.is_empty())
        };
        Ok(Self {
            data_dir: data_dir.to_owned(),
            platform,
            engine_address: variable(ENV_DOCKER_HOST)
                .unwrap_or_else(|| allocator.docker_host.clone()),
            host_root: variable(ENV_HOST_ROOT).map_or_else(|| PathBuf::from("/"), PathBuf::from),
            allocator,
            binary: PathBuf::from("/proc/self/exe"),
            log_level: None,
        })
    }

    /// The same with a log level that the directors may change.
    #[must_use]
    pub fn with_log_level(mut self, level: LogLevel) -> Self {
        self.log_level = Some(level);
        self
    }
}
