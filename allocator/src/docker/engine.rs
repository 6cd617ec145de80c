//! The connection to the engine: found, allowed, new enough, answering; or a coded error.
//!
//! Invariants: the API version is negotiated and at least [`MIN_API`]; no call waits longer than its
//! deadline; a lost engine is found again by the next call, because every request dials anew. Not
//! here: what is asked of it.

use std::{future::Future, path::Path, time::Duration};

use bollard::{API_DEFAULT_VERSION, Docker, errors::Error as BollardError};

/// The oldest API that is spoken: Docker 19.03.
pub const MIN_API: (usize, usize) = (1, 40);
/// How long a quick question may take.
pub const CALL_DEADLINE: Duration = Duration::from_secs(15);
/// How long making, starting and removing may take beside heavy work of the engine.
pub const SLOW_DEADLINE: Duration = Duration::from_secs(90);
/// How long loading an image may take.
pub const IMAGE_DEADLINE: Duration = Duration::from_secs(600);

/// What the engine refuses or fails to do, coded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// ALL0001
    #[error("there is no engine at {0}; start Docker, or name its socket with --docker-host")]
    NoSocket(String),
    /// ALL0002
    #[error("no permission on {0}; run as root, or as a member of the group that owns it")]
    NoPermission(String),
    /// ALL0003
    #[error("the engine speaks API {0}, older than 1.40; install Docker 19.03 or newer")]
    TooOld(String),
    /// ALL0004
    #[error("the engine does not answer ({0}); look at its log, or restart it")]
    Silent(String),
    /// ALL0005
    #[error("the engine refused to {doing}: {message}")]
    Refused {
        /// What was asked.
        doing: &'static str,
        /// HTTP status, zero where there was none.
        status: u16,
        /// What it said.
        message: String,
    },
    /// ALL0006
    #[error("`{0}` names no engine; give unix:///path/to/docker.sock")]
    Address(String),
}

impl EngineError {
    /// The code, with a page in `docs/errors`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSocket(_) => "ALL0001",
            Self::NoPermission(_) => "ALL0002",
            Self::TooOld(_) => "ALL0003",
            Self::Silent(_) => "ALL0004",
            Self::Refused { .. } => "ALL0005",
            Self::Address(_) => "ALL0006",
        }
    }

    /// Whether the engine as a whole cannot be used, rather than one call be refused.
    #[must_use]
    pub fn is_down(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// Whether the thing asked about does not exist.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether a name is taken or the thing is busy.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Refused { status: 409, .. })
    }
}

/// What the engine says about itself and its host.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EngineFacts {
    /// `20.10.24`.
    pub version: String,
    /// The API in use, `1.41`.
    pub api_version: String,
    /// `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// `6.1.0-18-amd64`.
    pub kernel: String,
    /// Where it keeps its files.
    pub root_dir: String,
    /// The host's memory.
    pub memory_bytes: u64,
    /// The host's cores.
    pub cpus: u32,
    /// Whether CPU quotas work.
    pub cpu_quota: bool,
    /// Whether limits on processes work.
    pub pids_limit: bool,
    /// The host's name.
    pub host: String,
}

/// A connection to an engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    address: String,
}

impl Engine {
    /// Connects to `unix:///path/to/docker.sock` and negotiates the version.
    ///
    /// # Errors
    /// Coded: no socket, no permission, too old, silent.
    pub async fn connect(address: &str) -> Result<Self, EngineError> {
        let path = socket_path(address)?;
        if !Path::new(&path).exists() {
            return Err(EngineError::NoSocket(address.to_owned()));
        }
        let docker = Docker::connect_with_unix(&path, SLOW_DEADLINE.as_secs(), API_DEFAULT_VERSION)
            .map_err(|error| classify(address, "connect", error))?;
        let negotiated = tokio::time::timeout(CALL_DEADLINE, docker.negotiate_version())
            .await
            .map_err(|_| EngineError::Silent(address.to_owned()))?
            .map_err(|error| classify(address, "tell its version", error))?;
        let version = negotiated.client_version();
        if (version.major_version, version.minor_version) < MIN_API {
            return Err(EngineError::TooOld(format!(
                "{}.{}",
                version.major_version, version.minor_version
            )));
        }
        Ok(Self {
            docker: negotiated,
            address: address.to_owned(),
        })
    }

    /// What the engine says about itself.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn facts(&self) -> Result<EngineFacts, EngineError> {
        let info = self
            .call("describe itself", CALL_DEADLINE, self.docker.info())
            .await?;
        let version = self.docker.client_version();
        Ok(EngineFacts {
            version: info.server_version.unwrap_or_default(),
            api_version: format!("{}.{}", version.major_version, version.minor_version),
            os: info.operating_system.unwrap_or_default(),
            kernel: info.kernel_version.unwrap_or_default(),
            root_dir: info.docker_root_dir.unwrap_or_default(),
            memory_bytes: info
                .mem_total
                .and_then(|n| u64::try_from(n).ok())
                .unwrap_or(0),
            cpus: info.ncpu.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            cpu_quota: info.cpu_cfs_quota.unwrap_or(true),
            pids_limit: info.pids_limit.unwrap_or(true),
            host: info.name.unwrap_or_default(),
        })
    }

    /// The address that was connected to.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Waits for an answer at most `deadline`, and codes what goes wrong.
    pub(crate) async fn call<T>(
        &self,
        doing: &'static str,
        deadline: Duration,
        answer: impl Future<Output = Result<T, BollardError>>,
    ) -> Result<T, EngineError> {
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(self.failed(doing, error)),
            Err(_) => Err(EngineError::Silent(format!(
                "{doing}: nothing within {} s",
                deadline.as_secs()
            ))),
        }
    }

    pub(crate) fn failed(&self, doing: &'static str, error: BollardError) -> EngineError {
        classify(&self.address, doing, error)
    }
}

/// The path of a `unix://` address.
///
/// # Errors
/// When it is another kind of address.
pub fn socket_path(address: &str) -> Result<String, EngineError> {
    let path = address.strip_prefix("unix://").unwrap_or(address);
    if path.starts_with('/') {
        Ok(path.to_owned())
    } else {
        Err(EngineError::Address(address.to_owned()))
    }
}

fn classify(address: &str, doing: &'static str, error: BollardError) -> EngineError {
    use std::io::ErrorKind;
    match error {
        BollardError::SocketNotFoundError(_) => EngineError::NoSocket(address.to_owned()),
        BollardError::RequestTimeoutError => EngineError::Silent(doing.to_owned()),
        BollardError::DockerResponseServerError {
            status_code,
            message,
        } => {
            // An engine that is older than the API asked for says so in these words.
            if status_code == 400 && message.contains("client version") {
                let most = message.rsplit("version is ").next().unwrap_or(&message);
                return EngineError::TooOld(cut(most.trim_end_matches('.')));
            }
            EngineError::Refused {
                doing,
                status: status_code,
                message: cut(&message),
            }
        }
        other => {
            let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&other);
            while let Some(error) = source {
                if let Some(io) = error.downcast_ref::<std::io::Error>() {
                    match io.kind() {
                        ErrorKind::PermissionDenied => {
                            return EngineError::NoPermission(address.to_owned());
                        }
                        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                            return EngineError::NoSocket(address.to_owned());
                        }
                        _ => return EngineError::Silent(format!("{doing}: {io}")),
                    }
                }
                source = error.source();
            }
            if let BollardError::DockerStreamError { error } = &other {
                return EngineError::Refused {
                    doing,
                    status: 0,
                    message: cut(error),
                };
            }
            if matches!(other, BollardError::JsonDataError { .. }) {
                return EngineError::Refused {
                    doing,
                    status: 0,
                    message: cut(&other.to_string()),
                };
            }
            EngineError::Silent(format!("{doing}: {}", cut(&other.to_string())))
        }
    }
}

fn cut(text: &str) -> String {
    text.trim().chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_socket_and_a_wrong_address_are_coded() {
        let error = Engine::connect("unix:///nonexistent/docker.sock")
            .await
            .unwrap_err();
        assert_eq!(error.code(), "ALL0001");
        let error = Engine::connect("tcp://10.0.0.1:2375").await.unwrap_err();
        assert_eq!(error.code(), "ALL0006");
    }

    #[tokio::test]
    async fn a_socket_that_nobody_listens_on_is_no_engine() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let error = Engine::connect(&format!("unix://{}", path.display()))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "ALL0001", "{error}");
    }

    #[test]
    fn an_engine_that_became_older_is_named_by_what_it_speaks() {
        let refused = BollardError::DockerResponseServerError {
            status_code: 400,
            message: "client version 1.41 is too new. Maximum supported API version is 1.24".into(),
        };
        let error = classify("unix:///x", "list", refused);
        assert_eq!(error.code(), "ALL0003");
        assert!(
            error.to_string().contains("speaks API 1.24, older"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn an_engine_that_is_too_old_is_named_so() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("docker.sock");
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        let served = wharf_runtime::task::spawn("old engine", async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            let body = r#"{"Version":"1.12","ApiVersion":"1.24"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let error = Engine::connect(&format!("unix://{}", path.display()))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "ALL0003", "{error}");
        served.await.unwrap();
    }
}
