//! A slow link: a relay in the network's own namespace that hands bytes on after a delay, since the
//! kernel here cannot delay packets itself. One host's connections to one port of another go through it.
//!
//! Invariants: bytes keep their order and none is lost; how fast they go is left as it is. Not here:
//! faults that the kernel makes (`network`).

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::{Host, must, network::Network, run};
use crate::testbed::inside_namespace;

/// Bytes read at a time.
const CHUNK: usize = 16 * 1024;
/// Chunks under way; a sender that is faster waits.
const UNDER_WAY: usize = 1024;

/// A delayed way; as fast as before when dropped.
#[derive(Debug)]
pub struct Relay {
    host: String,
    table: String,
    listening: SocketAddr,
    namespace: String,
    ended: Arc<AtomicBool>,
}

impl Relay {
    /// Delays what goes, in each direction, over connections that `from` opens to a port of `to` from
    /// now on.
    ///
    /// # Panics
    /// When a host is not on the network, or the kernel refuses.
    #[must_use]
    pub fn start(network: &Network, from: &Host, to: &Host, port: u16, delay: Duration) -> Self {
        let target: SocketAddr = (to.address().expect("a host of the network"), port).into();
        let hub = network.hub();
        let listener = inside_namespace(network.namespace(), || TcpListener::bind((hub, 0)))
            .expect("the relay can listen");
        let listening = listener.local_addr().expect("an address");
        let ended = Arc::new(AtomicBool::new(false));
        let (stop, namespace) = (Arc::clone(&ended), network.namespace().to_owned());
        thread::spawn(move || {
            inside_namespace(&namespace, || {
                while let Ok((client, _)) = listener.accept() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    if let Ok(server) = TcpStream::connect(target) {
                        join(client, server, delay);
                    }
                }
            });
        });
        let table = format!("relay{port}");
        let way = format!(
            "ip daddr {} tcp dport {port} dnat to {listening}",
            target.ip()
        );
        must(from.command("nft").arg(format!(
            "table ip {table} {{ chain leaving {{ type nat hook output priority -100; {way}; }}; }}"
        )));
        Self {
            host: from.namespace().to_owned(),
            table,
            listening,
            namespace: network.namespace().to_owned(),
            ended,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = inside_namespace(&self.namespace, || TcpStream::connect(self.listening));
        run(std::process::Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", self.host))
            .args(["nft", "delete", "table", "ip", &self.table]));
    }
}

/// Joins two connections; each direction has a thread that reads and one that hands on.
fn join(client: TcpStream, server: TcpStream, delay: Duration) {
    let pair = (client.try_clone(), server.try_clone());
    let (Ok(client_copy), Ok(server_copy)) = pair else {
        return;
    };
    carry(client, server, delay);
    carry(server_copy, client_copy, delay);
}

fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, receiver) = mpsc::sync_channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        while let Ok(count) = from.read(&mut buffer) {
            let chunk = buffer[..count].to_vec();
            // An empty chunk is the end, which is delayed too.
            if sender.send((Instant::now() + delay, chunk)).is_err() || count == 0 {
                return;
            }
        }
    });
    thread::spawn(move || {
        while let Ok((due, chunk)) = receiver.recv() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if chunk.is_empty() || to.write_all(&chunk).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
