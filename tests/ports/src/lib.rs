//! Ports of loopback for tests that give a server its address before it listens, start it there again,
//! or want an address where nobody is. A port that was bound to port 0 and let go is anybody's: the kernel
//! gives it to the next outgoing connection. One of these is of no range that the kernel gives from, is no
//! port of the product by default, and belongs to one holder among all threads and processes of the user, by a
//! lock of a file that lasts as long as the value. Nothing listens on it until its holder does.
//! Not here: servers that may be told port 0 and asked where they listen; they need none of this.

// A test fails by panicking.
#![allow(clippy::panic)]

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    hash::{BuildHasher as _, RandomState},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::RangeInclusive,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

/// Below it are ports that services of a machine have.
const LOWEST: u16 = 10_000;
/// What Linux begins with.
const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;
/// Where roles and instances of a platform listen by default: one may run on this machine.
const OF_THE_PRODUCT: [RangeInclusive<u16>; 2] = [12_190..=12_443, 18_000..=19_999];
/// Each is taken or not by chance; with so many tries a machine has none to give.
const TRIES: usize = 10_000;

/// A port that is the holder's until this is dropped. Drop it after what listens there.
#[derive(Debug)]
pub struct TestPort {
    port: u16,
    lock: File,
}

impl Drop for TestPort {
    fn drop(&mut self) {
        // Closing is not enough: a process that is just being started may have the file for a moment.
        let _ = self.lock.unlock();
    }
}

impl TestPort {
    /// A port that nobody else holds and nothing listens on.
    ///
    /// # Panics
    /// When the machine has none, or the folder of the locks cannot be used.
    #[must_use]
    pub fn reserve() -> Self {
        let folder = folder();
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        let ports = eligible(
            &range
                .ok()
                .and_then(|text| parse(&text))
                .unwrap_or(EPHEMERAL),
        );
        (0..TRIES)
            .find_map(|_| Self::take(&folder, *ports.get(chance(ports.len()))?))
            .unwrap_or_else(|| {
                panic!(
                    "of {} ports outside of net.ipv4.ip_local_port_range none is free",
                    ports.len()
                )
            })
    }

    fn take(folder: &Path, port: u16) -> Option<Self> {
        let path = folder.join(port.to_string());
        let mut options = File::options();
        let lock = options.create(true).truncate(false).write(true).open(&path);
        let lock = lock.unwrap_or_else(|error| panic!("{} can be made: {error}", path.display()));
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return None,
            Err(TryLockError::Error(error)) => panic!("{} can be locked: {error}", path.display()),
        }
        // On every address at once: what listens on one of them counts too.
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok()?;
        Some(Self { port, lock })
    }

    /// The number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port at 127.0.0.1.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

/// Where the locks of this user's ports are.
fn folder() -> PathBuf {
    let user = fs::metadata("/proc/self").map_or(0, |of| of.uid());
    let folder = std::env::temp_dir().join(format!("wharf-test-ports-{user}"));
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    if let Err(error) = made {
        panic!("{} can be made: {error}", folder.display());
    }
    folder
}

/// The kernel's two numbers.
fn parse(text: &str) -> Option<RangeInclusive<u16>> {
    let mut numbers = text.split_whitespace().map(str::parse::<u16>);
    let (low, high) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    (low <= high).then_some(low..=high)
}

/// Ports that a test may have, below what the kernel gives from. A machine that leaves nothing there gives
/// what is above.
fn eligible(ephemeral: &RangeInclusive<u16>) -> Vec<u16> {
    let is_ours = |port: &u16| {
        !ephemeral.contains(port) && OF_THE_PRODUCT.iter().all(|of| !of.contains(port))
    };
    let below: Vec<u16> = (LOWEST..*ephemeral.start()).filter(is_ours).collect();
    if !below.is_empty() {
        return below;
    }
    (*ephemeral.end()..=u16::MAX).filter(is_ours).collect()
}

/// A number below this one. Random, so that processes that begin at once seldom try the same one.
fn chance(below: usize) -> usize {
    let random = RandomState::new().hash_one(below);
    let below = u64::try_from(below.max(1)).unwrap_or(1);
    usize::try_from(random % below).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        sync::{Mutex, MutexGuard, PoisonError},
        thread,
    };

    use super::*;

    /// A process that is being started has this one's sockets for a moment, so that a port whose listener
    /// is gone is taken still: tests that start one and tests that listen take turns.
    fn in_turn() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn no_two_holders_in_threads_share_a_port() {
        let threads: Vec<_> = (0..8)
            .map(|_| thread::spawn(|| (0..40).map(|_| TestPort::reserve()).collect::<Vec<_>>()))
            .collect();
        let held: Vec<TestPort> = threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("the thread ends well"))
            .collect();
        let different: BTreeSet<u16> = held.iter().map(TestPort::port).collect();
        assert_eq!((held.len(), different.len()), (320, 320));
    }

    #[test]
    fn a_held_port_is_given_to_nobody_until_it_is_dropped() {
        let _turn = in_turn();
        // In a folder of its own no other test takes it once it is let go.
        let (held, folder) = (TestPort::reserve(), tempfile::tempdir().expect("a folder"));
        let number = held.port();
        let port = TestPort::take(folder.path(), number).expect("its lock is free");
        assert!(TestPort::take(folder.path(), number).is_none(), "held here");
        let lock = folder.path().join(number.to_string());
        let other_process = || {
            let mut command = std::process::Command::new("flock");
            command.arg("--nonblock").arg(&lock).arg("true");
            command.status().expect("flock runs").success()
        };
        assert!(!other_process(), "{} is locked", lock.display());
        drop(port);
        assert!(other_process(), "{} is let go", lock.display());
        assert!(TestPort::take(folder.path(), number).is_some(), "free here");
    }

    #[test]
    fn nothing_listens_on_it_until_its_holder_does_and_then_again_and_again() {
        let _turn = in_turn();
        let port = TestPort::reserve();
        let refused = std::net::TcpStream::connect(port.addr()).expect_err("nobody is there");
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        for _ in 0..3 {
            let listener = TcpListener::bind(port.addr()).expect("it is free");
            let client = std::net::TcpStream::connect(port.addr()).expect("it is served");
            drop(listener.accept().expect("a connection"));
            drop(client);
        }
    }

    #[test]
    fn a_port_where_somebody_listens_is_passed_over() {
        let _turn = in_turn();
        let (held, folder) = (TestPort::reserve(), tempfile::tempdir().expect("a folder"));
        let number = held.port();
        let listener = TcpListener::bind(("127.0.0.2", number)).expect("it is free");
        assert!(TestPort::take(folder.path(), number).is_none(), "{number}");
        drop(listener);
        assert!(TestPort::take(folder.path(), number).is_some(), "{number}");
    }

    #[test]
    fn no_port_is_one_that_the_kernel_or_the_product_gives() {
        let ports = eligible(&EPHEMERAL);
        assert!(ports.len() > 15_000, "{}", ports.len());
        for port in [12_443, 12_190, 18_000, 19_999, 32_768, 40_000, 9_243] {
            assert!(!ports.contains(&port), "{port}");
        }
        let above = eligible(&(1_024..=60_999));
        assert_eq!(
            (above.first(), above.last()),
            (Some(&61_000), Some(&65_535))
        );
        assert!(eligible(&(1..=65_535)).is_empty());
    }

    #[test]
    fn the_kernels_range_is_read() {
        assert_eq!(parse("32768\t60999\n"), Some(EPHEMERAL));
        for wrong in ["", "1", "a b", "5 4", "1 70000"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
