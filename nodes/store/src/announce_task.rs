//! The task that makes this place known to the bridge that its container is plugged into.
//!
//! Invariant: nothing depends on it but by whom a client is answered; what cannot be sent is said
//! once until it can. Not here: why, whom and how often (`wharf-store-core::announce`).

use std::io;
use std::net::Ipv4Addr;
use std::time::Instant;

use tokio::net::UdpSocket;
use wharf_runtime::task::Shutdown;
use wharf_store_core::announce;

const ROUTES: &str = "/proc/net/route";
/// Whatever is sent there is meant to be thrown away (RFC 863).
const DISCARD: u16 = 9;

/// Runs until shutdown.
pub(crate) async fn run(shutdown: Shutdown) {
    let begun = Instant::now();
    let mut failing = false;
    loop {
        match announce().await {
            Ok(()) => failing = false,
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "this place cannot be made known in its network");
                }
                failing = true;
            }
        }
        let pause = tokio::time::sleep(announce::pause(begun.elapsed()));
        if shutdown.run_until(pause).await.is_none() {
            return;
        }
    }
}

async fn announce() -> io::Result<()> {
    // The kernel writes it from memory: no disk is waited for.
    let table = std::fs::read_to_string(ROUTES)?;
    for gateway in announce::gateways(&table) {
        tell(gateway, DISCARD).await?;
    }
    Ok(())
}

/// An empty datagram: the frame around it is what is meant. A socket of its own each time, because the
/// answer that nobody takes it would come back as an error of the next.
async fn tell(gateway: Ipv4Addr, port: u16) -> io::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.send_to(&[], (gateway, port)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn whoever_is_told_gets_an_empty_datagram() {
        let gateway = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = gateway.local_addr().unwrap().port();
        tell(Ipv4Addr::LOCALHOST, port).await.unwrap();
        let mut room = [0; 16];
        let got = tokio::time::timeout(Duration::from_secs(30), gateway.recv(&mut room)).await;
        assert_eq!(got.expect("a datagram arrives").unwrap(), 0);
    }

    #[tokio::test]
    async fn one_that_is_not_listened_to_goes_on() {
        let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = gone.local_addr().unwrap().port();
        drop(gone);
        for _ in 0..3 {
            tell(Ipv4Addr::LOCALHOST, port).await.expect("it is sent");
        }
    }
}
