//! An engine that can be old: a socket in front of a real one that passes everything on, and, when it
//! is told to, answers as an engine does that speaks an older version only.
//!
//! Invariants: it stands for Docker and for nothing of ours; while it is old, it tells an old version,
//! nothing that asks for a newer one gets through, and what was open before is cut, as by the restart
//! that a change of engines is. Not here: the containers that end with such a restart.

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// What it speaks while it is old.
const OLD: &str = "1.24";

/// The socket in front.
#[derive(Debug)]
pub struct OlderEngine {
    socket: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_old: AtomicBool,
    has_ended: AtomicBool,
    open: Mutex<Vec<UnixStream>>,
}

impl OlderEngine {
    /// Listens at `socket` for an engine at `engine`; as new as that one at first.
    ///
    /// # Panics
    /// When the socket cannot be made.
    #[must_use]
    pub fn start(socket: &Path, engine: &Path) -> Self {
        let listener = UnixListener::bind(socket).expect("the socket can be made");
        let shared = Arc::<Shared>::default();
        let (kept, engine) = (Arc::clone(&shared), engine.to_path_buf());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if kept.has_ended.load(Ordering::SeqCst) {
                    return;
                }
                let (kept, engine) = (Arc::clone(&kept), engine.clone());
                // A client that breaks off, or an engine that is away, ends one connection.
                thread::spawn(move || drop(kept.serve(client, &engine)));
            }
        });
        Self {
            socket: socket.to_path_buf(),
            shared,
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Becomes old, or as new as the engine again; connections that are open are cut.
    pub fn set_old(&self, is_old: bool) {
        self.shared.is_old.store(is_old, Ordering::SeqCst);
        self.shared.cut();
    }
}

impl Drop for OlderEngine {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
        self.shared.cut();
        // Wakes the thread that waits for clients.
        drop(UnixStream::connect(&self.socket));
    }
}

impl Shared {
    fn cut(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn serve(&self, mut client: UnixStream, engine: &Path) -> std::io::Result<()> {
        let mut asked = Vec::new();
        let mut piece = [0; 16 * 1024];
        while !asked.windows(4).any(|four| four == b"\r\n\r\n") && asked.len() < piece.len() {
            match client.read(&mut piece)? {
                0 => return Ok(()),
                read => asked.extend_from_slice(&piece[..read]),
            }
        }
        if self.is_old.load(Ordering::SeqCst)
            && let Some(answer) = answer_of_old(&asked)
        {
            return client.write_all(answer.as_bytes());
        }
        let mut engine = UnixStream::connect(engine)?;
        {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.push(client.try_clone()?);
            open.push(engine.try_clone()?);
        }
        engine.write_all(&asked)?;
        let (mut from, mut to) = (client.try_clone()?, engine.try_clone()?);
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let _ = std::io::copy(&mut engine, &mut client);
        client.shutdown(Shutdown::Both)
    }
}

/// As Docker 1.12 answers: its version, or that the client is too new. `None` for what every version
/// takes.
fn answer_of_old(asked: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(asked);
    let path = text.split(' ').nth(1).unwrap_or_default();
    let newer = path
        .strip_prefix("/v1.")
        .and_then(|rest| rest.split('/').next())
        .map(|minor| format!("1.{minor}"))
        .filter(|version| version != OLD);
    let (status, body) = match newer {
        Some(newer) => (
            "400 Bad Request",
            format!(
                r#"{{"message":"client version {newer} is too new. Maximum supported API version is {OLD}"}}"#
            ),
        ),
        None if path.ends_with("/version") => (
            "200 OK",
            format!(
                r#"{{"Version":"1.12.6","ApiVersion":"{OLD}","MinAPIVersion":"1.12","Os":"linux","Arch":"amd64"}}"#
            ),
        ),
        None => return None,
    };
    Some(format!(
        "HTTP/1.1 {status}\r\nApi-Version: {OLD}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    ))
}
