//! The network between hosts of the testbed: a bridge in a namespace of its own, one cable a host, and
//! faults of links. All addresses are private to it, so several networks live side by side.
//!
//! Invariant: a host's faults are one table of packet rules in its namespace, written whole each
//! time; nothing else there is touched. Not here: the hosts (`host`), slow links (`relay`).

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::Ipv4Addr,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use super::{Host, must, run};

static NEXT: AtomicU32 = AtomicU32::new(0);
/// Name of a host's end of its cable.
pub(super) const CABLE: &str = "eth0";
/// Of the bridge itself, where relays listen.
const HUB: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// What arrives at a host from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    Cut,
    /// Some packets are lost, chosen at random.
    Loss {
        /// Of a hundred.
        percent: u8,
    },
}

/// A bridge that hosts are plugged into; gone when dropped, after its hosts.
#[derive(Debug)]
pub struct Network {
    namespace: String,
    hosts: AtomicU8,
    /// By the host at which packets arrive, then by where they come from.
    faults: Mutex<BTreeMap<String, BTreeMap<Ipv4Addr, Fault>>>,
    left_running: bool,
}

impl Network {
    /// An empty network.
    ///
    /// # Panics
    /// When the machine cannot make one; `scripts/deps test` installs what it needs.
    #[must_use]
    pub fn create() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("wt-{}-n{number}", std::process::id());
        must(Command::new("ip").args(["netns", "add", &namespace]));
        let network = Self {
            namespace,
            hosts: AtomicU8::new(0),
            faults: Mutex::default(),
            left_running: false,
        };
        network.link(&["link", "set", "lo", "up"]);
        network.link(&["link", "add", "hub", "type", "bridge"]);
        network.link(&["address", "add", &format!("{HUB}/24"), "dev", "hub"]);
        network.link(&["link", "set", "hub", "up"]);
        network
    }

    /// Hosts with running engines, plugged in; engines start at the same time.
    ///
    /// # Panics
    /// When one cannot be started.
    #[must_use]
    pub fn start_hosts<const N: usize>(&self, names: [&str; N]) -> [Host; N] {
        std::thread::scope(|scope| {
            names
                .map(|name| scope.spawn(move || Host::start_on(name, self)))
                .map(|thread| match thread.join() {
                    Ok(host) => host,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
        })
    }

    /// Leaves the network when this is dropped, for `scripts/testbed-sweep` to remove.
    pub(super) fn leave_running(&mut self) {
        self.left_running = true;
    }

    /// Name of the namespace that the bridge is in.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The bridge's own address: where relays listen.
    #[must_use]
    pub const fn hub(&self) -> Ipv4Addr {
        HUB
    }

    fn link(&self, arguments: &[&str]) {
        must(
            Command::new("ip")
                .args(["-n", &self.namespace])
                .args(arguments),
        );
    }

    /// Lays a cable from the bridge into a namespace and gives the address that the host has there.
    pub(super) fn plug(&self, namespace: &str) -> Ipv4Addr {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(number < 250, "a network has room for 249 hosts");
        let address = Ipv4Addr::new(10, 77, 0, number);
        let port = format!("port{number}");
        self.link(&[
            "link", "add", &port, "type", "veth", "peer", "name", CABLE, "netns", namespace,
        ]);
        self.link(&["link", "set", &port, "master", "hub", "up"]);
        let inside = |arguments: &[&str]| {
            must(Command::new("ip").args(["-n", namespace]).args(arguments));
        };
        inside(&["address", "add", &format!("{address}/24"), "dev", CABLE]);
        inside(&["link", "set", CABLE, "up"]);
        address
    }

    /// Makes packets from one host arrive badly, or not at all, at another; the other way is left as
    /// it is.
    ///
    /// # Panics
    /// When a host is not on this network, or the kernel refuses the rules.
    pub fn break_link(&self, from: &Host, to: &Host, fault: Fault) {
        self.change(to, |faults| {
            faults.insert(address(from), fault);
        });
    }

    /// Cuts both ways between two hosts.
    ///
    /// # Panics
    /// As [`Self::break_link`].
    pub fn part(&self, one: &Host, other: &Host) {
        self.break_link(one, other, Fault::Cut);
        self.break_link(other, one, Fault::Cut);
    }

    /// Ends every fault between two hosts.
    ///
    /// # Panics
    /// As [`Self::break_link`].
    pub fn heal(&self, one: &Host, other: &Host) {
        for (from, to) in [(one, other), (other, one)] {
            self.change(to, |faults| {
                faults.remove(&address(from));
            });
        }
    }

    /// Ends every fault of what arrives at a host, whoever sends it.
    ///
    /// # Panics
    /// When the kernel refuses the rules.
    pub(super) fn heal_all(&self, to: &Host) {
        self.change(to, BTreeMap::clear);
    }

    fn change(&self, host: &Host, change: impl FnOnce(&mut BTreeMap<Ipv4Addr, Fault>)) {
        let mut all = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let faults = all.entry(host.namespace().to_owned()).or_default();
        change(faults);
        let mut nft = host
            .command("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("nft can be run: scripts/deps test installs it");
        nft.stdin
            .take()
            .expect("a pipe")
            .write_all(rules(faults).as_bytes())
            .expect("nft reads its rules");
        let status = nft.wait().expect("nft ends");
        assert!(status.success(), "nft refused:\n{}", rules(faults));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if self.left_running {
            return;
        }
        run(Command::new("ip").args(["netns", "delete", &self.namespace]));
    }
}

fn address(host: &Host) -> Ipv4Addr {
    host.address().expect("the host is on a network")
}

/// The whole table of a host. Before anything else looks at packets, so that those for containers
/// are met too.
fn rules(faults: &BTreeMap<Ipv4Addr, Fault>) -> String {
    let mut text = String::from(
        "table ip testbed\ndelete table ip testbed\ntable ip testbed {\n  chain arriving {\n    type filter hook prerouting priority -300;\n",
    );
    for (from, fault) in faults {
        let which = match fault {
            Fault::Cut => String::new(),
            Fault::Loss { percent } => format!(" numgen random mod 100 < {percent}"),
        };
        text.push_str(&format!("    ip saddr {from}{which} drop\n"));
    }
    text.push_str("  }\n}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_a_host_replace_those_it_had() {
        let faults = BTreeMap::from([
            (Ipv4Addr::new(10, 77, 0, 1), Fault::Cut),
            (Ipv4Addr::new(10, 77, 0, 2), Fault::Loss { percent: 30 }),
        ]);
        let text = rules(&faults);
        assert!(text.starts_with("table ip testbed\ndelete table ip testbed\n"));
        assert!(text.contains("ip saddr 10.77.0.1 drop\n"), "{text}");
        let loss = "ip saddr 10.77.0.2 numgen random mod 100 < 30 drop\n";
        assert!(text.contains(loss), "{text}");
    }
}
