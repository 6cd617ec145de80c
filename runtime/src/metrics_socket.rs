//! `/health` and `/metrics` of an instance on a socket in its own data directory, and reading them.
//!
//! An instance's only address is the one that clients reach through the proxy, so what it tells of
//! itself goes where no client comes: who may open the directory (mode 0700, its owner's) may read.
//!
//! Invariants: the socket is for its owner alone before its name appears; a reader follows no link,
//! so that an instance cannot lead it to another service's socket, and the length of the path does not matter;
//! an answer is bounded in bytes and the whole exchange in time. Not here: what is told
//! (`health_server`, `metrics`), and what an answer means.

use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::fs::{FileType, Mode, OFlags, fstat, open, openat};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::health_server::HealthServer;
use crate::task::{self, Shutdown, spawn_blocking};

/// The socket's name in the data directory.
pub const SOCKET_FILE: &str = "metrics.sock";
/// The name that it has until it is private.
const NEW_FILE: &str = ".metrics.sock.new";
/// Readers at a time.
const MAX_CONNECTIONS: usize = 8;
/// How long one connection may last.
const CONNECTION_TIME: Duration = Duration::from_secs(30);

/// Why an instance was not heard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// There is no socket.
    #[error("it has no {SOCKET_FILE}: it has not started yet, or is of an older version")]
    Missing,
    /// There is something else in its place.
    #[error("its {SOCKET_FILE} is no socket")]
    NoSocket,
    /// Nobody listens: the process is gone.
    #[error("nobody listens on its {SOCKET_FILE}: its process has ended")]
    NobodyListens,
    /// It takes too long.
    #[error("it does not answer within {0:?}")]
    Timeout(Duration),
    /// The answer is too large.
    #[error("it answers more than {0} bytes")]
    TooLarge(usize),
    /// It answers another page, or none.
    #[error("it answers {0}")]
    Status(u16),
    /// The connection broke or the answer is no HTTP.
    #[error("its answer cannot be read: {0}")]
    Broken(String),
    /// The system refused.
    #[error("its {SOCKET_FILE} cannot be opened: {0}")]
    Refused(String),
}

/// Listens in a directory; what an earlier process left there is replaced.
///
/// # Errors
/// When the directory cannot be written or its file system holds no sockets.
pub fn listen(dir: &Path) -> io::Result<UnixListener> {
    let held = open(
        dir,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let new = dir.join(NEW_FILE);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // A name of a socket may have 107 bytes; this one is short wherever the directory lies.
    let listener = UnixListener::bind(below(&held, NEW_FILE))?;
    fs::set_permissions(&new, Permissions::from_mode(0o600))?;
    fs::rename(&new, dir.join(SOCKET_FILE))?;
    Ok(listener)
}

fn below(held: &OwnedFd, name: &str) -> String {
    format!("/proc/self/fd/{}/{name}", held.as_raw_fd())
}

/// Serves what `server` tells until `shutdown`.
pub async fn serve(listener: UnixListener, server: HealthServer, shutdown: Shutdown) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let stream = match shutdown.run_until(listener.accept()).await {
            None => return,
            Some(Ok((stream, _))) => stream,
            Some(Err(error)) => {
                tracing::warn!(%error, "cannot accept a reader of metrics; tried again shortly");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (server, shutdown) = (server.clone(), shutdown.clone());
        let served = async move {
            let _permit = permit;
            let service = service_fn(move |request: Request<_>| {
                let server = server.clone();
                async move { Ok::<_, Infallible>(server.answer(&request)) }
            });
            let connection = server::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(5))
                .serve_connection(TokioIo::new(stream), service);
            let limited = tokio::time::timeout(CONNECTION_TIME, connection);
            // A reader that goes away early is no news.
            drop(shutdown.run_until(limited).await);
        };
        drop(task::spawn("metrics reader", served));
    }
}

/// Reads a page (`/health`, `/metrics`) of the instance whose data directory this is: status and body of at
/// most `max_bytes`, within `deadline`.
///
/// # Errors
/// When it was not heard.
pub async fn read(
    dir: &Path,
    page: &str,
    max_bytes: usize,
    deadline: Duration,
) -> Result<(StatusCode, Bytes), Silence> {
    tokio::time::timeout(deadline, exchange(dir, page, max_bytes))
        .await
        .unwrap_or(Err(Silence::Timeout(deadline)))
}

async fn exchange(
    dir: &Path,
    page: &str,
    max_bytes: usize,
) -> Result<(StatusCode, Bytes), Silence> {
    let broken = |error: &dyn std::fmt::Display| Silence::Broken(error.to_string());
    let dir = dir.to_path_buf();
    let held = spawn_blocking("metrics socket", move || hold(&dir)).await;
    let held = held.map_err(|error| broken(&error))??;
    let stream = UnixStream::connect(format!("/proc/self/fd/{}", held.as_raw_fd())).await;
    let stream = stream.map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => Silence::NobodyListens,
        _ => Silence::Refused(error.to_string()),
    })?;
    let (mut sender, connection) = client::Builder::new()
        .max_buf_size(64 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    let request = Request::get(page)
        .header("host", "instance")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(&error))?;
    let answer = async {
        let answer = sender.send_request(request).await;
        let (head, body) = answer.map_err(|error| broken(&error))?.into_parts();
        let body = Limited::new(body, max_bytes).collect().await;
        let body = body.map_err(|error| {
            if error.is::<LengthLimitError>() {
                Silence::TooLarge(max_bytes)
            } else {
                broken(&error)
            }
        })?;
        Ok((head.status, body.to_bytes()))
    };
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // It may end before the last of the body is taken.
        _ = &mut connection => answer.await,
    }
}

/// The socket itself, and never what a link in its place points to.
fn hold(dir: &Path) -> Result<OwnedFd, Silence> {
    let refused = |error: rustix::io::Errno| match error {
        rustix::io::Errno::NOENT => Silence::Missing,
        other => Silence::Refused(io::Error::from(other).to_string()),
    };
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = open(dir, flags | OFlags::DIRECTORY, Mode::empty()).map_err(refused)?;
    let socket = openat(&dir, SOCKET_FILE, flags, Mode::empty()).map_err(refused)?;
    let kind = FileType::from_raw_mode(fstat(&socket).map_err(refused)?.st_mode);
    if kind == FileType::Socket {
        Ok(socket)
    } else {
        Err(Silence::NoSocket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health_server::Health;
    use crate::metrics::Metrics;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const SOON: Duration = Duration::from_secs(20);

    fn server() -> HealthServer {
        let metrics = Metrics::new();
        metrics.counter("x_total", "x", &[]).add(3);
        HealthServer::new(metrics, || Health {
            healthy: false,
            details: serde_json::json!({"reason": "starting"}),
        })
    }

    #[tokio::test]
    async fn an_instance_is_read_by_its_owner_through_a_path_of_any_length() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("d".repeat(120));
        fs::create_dir(&dir).unwrap();
        assert_eq!(
            read(&dir, "/metrics", 1000, SOON).await,
            Err(Silence::Missing)
        );
        let shutdown = Shutdown::new();
        let served = task::spawn(
            "metrics",
            serve(listen(&dir).unwrap(), server(), shutdown.clone()),
        );
        let (status, body) = read(&dir, "/metrics", 100_000, SOON).await.unwrap();
        assert_eq!(status, StatusCode::OK);
        assert!(
            body.windows(10).any(|part| part == b"x_total 3\n"),
            "{body:?}"
        );
        let (status, body) = read(&dir, "/health", 1000, SOON).await.unwrap();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.starts_with(b"{\"healthy\":false"), "{body:?}");
        let too_large = read(&dir, "/metrics", 10, SOON).await;
        assert_eq!(too_large, Err(Silence::TooLarge(10)));
        let mode = fs::metadata(dir.join(SOCKET_FILE)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        assert!(!dir.join(NEW_FILE).exists());
        shutdown.trigger();
        served.await.unwrap();
        let ended = read(&dir, "/metrics", 1000, SOON).await;
        assert_eq!(ended, Err(Silence::NobodyListens));
        // The next process takes the name over.
        drop(listen(&dir).unwrap());
    }

    #[tokio::test]
    async fn no_link_is_followed_and_no_file_is_taken_for_a_socket() {
        let parent = tempfile::tempdir().unwrap();
        let (other, dir) = (parent.path().join("other"), parent.path().join("dir"));
        fs::create_dir(&other).unwrap();
        fs::create_dir(&dir).unwrap();
        let _listener = listen(&other).unwrap();
        let place = dir.join(SOCKET_FILE);
        std::os::unix::fs::symlink(other.join(SOCKET_FILE), &place).unwrap();
        let linked = read(&dir, "/metrics", 1000, SOON).await;
        assert_eq!(linked, Err(Silence::NoSocket), "a link");
        fs::remove_file(&place).unwrap();
        fs::write(&place, "x").unwrap();
        let file = read(&dir, "/metrics", 1000, SOON).await;
        assert_eq!(file, Err(Silence::NoSocket), "a file");
    }

    #[tokio::test]
    async fn one_that_takes_the_connection_and_is_silent_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = listen(dir.path()).unwrap();
        let deadline = Duration::from_millis(50);
        let silent = read(dir.path(), "/metrics", 1000, deadline).await;
        assert_eq!(silent, Err(Silence::Timeout(deadline)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_an_instance_answers_is_survived(
            mut bytes in proptest::collection::vec(any::<u8>(), 0..400),
            is_http: bool,
        ) {
            if is_http {
                bytes.splice(0..0, *b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n");
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let sent = bytes.clone();
            let outcome = runtime.block_on(async {
                let dir = tempfile::tempdir().unwrap();
                let listener = listen(dir.path()).unwrap();
                let hostile = async {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let mut head = [0; 16];
                    drop(stream.read(&mut head).await);
                    drop(stream.write_all(&sent).await);
                };
                let (outcome, ()) = tokio::join!(read(dir.path(), "/metrics", 80, SOON), hostile);
                outcome
            });
            if let Ok((_, body)) = outcome {
                prop_assert!(body.len() <= 80, "{} bytes of {bytes:?}", body.len());
            }
        }
    }
}
