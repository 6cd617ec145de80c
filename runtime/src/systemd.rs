//! Telling the service manager that started this process (systemd, `Type=notify`) that it serves.
//!
//! Invariants: without a service manager nothing happens, and nothing that goes wrong here ends or delays
//! a role: the service manager then goes on waiting, which people see. Not here: what serving means.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

/// Where systemd listens.
const ENV: &str = "NOTIFY_SOCKET";

/// Whether a service manager that is to be told started this process.
#[must_use]
pub fn is_there() -> bool {
    socket().is_some()
}

/// Says that this process serves.
pub fn ready() {
    let Some(socket) = socket() else {
        return;
    };
    if let Err(error) = send(&socket, b"READY=1") {
        tracing::warn!(%error, ?socket, "the service manager was not told that this role serves");
    }
}

fn socket() -> Option<OsString> {
    std::env::var_os(ENV).filter(|socket| !socket.is_empty())
}

fn send(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    // A name that begins with `@` is one of no file system.
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let own = UnixDatagram::unbound()?;
    // A manager that does not read must not hold the role up.
    own.set_nonblocking(true)?;
    own.send_to_addr(message, &address).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(listener: &UnixDatagram) -> Vec<u8> {
        let mut bytes = [0; 64];
        let length = listener.recv(&mut bytes).unwrap();
        bytes[..length].to_vec()
    }

    #[test]
    fn a_socket_with_a_path_and_one_without_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        send(path.as_os_str(), b"READY=1").unwrap();
        assert_eq!(heard(&listener), b"READY=1");

        let name = format!("wharf-test-{}", hex::encode(crate::random::bytes::<8>()));
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        send(OsStr::new(&format!("@{name}")), b"READY=1").unwrap();
        assert_eq!(heard(&listener), b"READY=1");
    }

    #[test]
    fn a_manager_that_is_not_there_is_an_error_that_is_only_told() {
        let dir = tempfile::tempdir().unwrap();
        let error = send(dir.path().join("none").as_os_str(), b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
