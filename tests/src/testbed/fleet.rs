//! A whole platform of many hosts: engines in parallel, the first host by `wharf up`, the others by tokens,
//! as a user would do it. Invariants: nothing is awaited but conditions; every host is an allocator and a
//! proxy, and the first ones of each zone are directors too. Not here: what is done to it (`scenario`).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Desk, Host, Network, Traces, binary, desk, must, parallel};
use crate::patience::wait_for;

/// A host that joins, an image that is loaded, a director that catches up: on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// How many hosts, and what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Hosts; each is an allocator and a proxy.
    pub hosts: usize,
    /// How many of them are directors too.
    pub directors: usize,
    /// Availability zones that they are spread over.
    pub zones: usize,
    /// Whether the directors' hosts offer instances nothing but room for `system` on the first, so that
    /// what happens to a director's host happens to no other instance.
    pub apart: bool,
}

/// Memory that a host offers to instances, in MiB.
const ROOM: u32 = 3_072;
/// As much as `system` needs.
const ROOM_FOR_SYSTEM: u32 = 1_300;
/// Less than any instance needs.
const NO_ROOM: u32 = 200;

impl Layout {
    /// So many hosts in as many zones as there are directors.
    ///
    /// # Panics
    /// When there is no director, or there are more than hosts.
    #[must_use]
    pub fn new(hosts: usize, directors: usize) -> Self {
        assert!(
            (1..=hosts).contains(&directors),
            "1 to {hosts} of the hosts are directors, not {directors}"
        );
        Self {
            hosts,
            directors,
            zones: directors,
            apart: false,
        }
    }

    /// Three directors and six allocators in three zones.
    #[must_use]
    pub fn three_and_six() -> Self {
        Self {
            apart: true,
            ..Self::new(9, 3)
        }
    }

    fn memory_mib(&self, host: usize) -> String {
        let room = match (self.apart && self.is_director(host), host) {
            (false, _) => ROOM,
            (true, 0) => ROOM_FOR_SYSTEM,
            (true, _) => NO_ROOM,
        };
        room.to_string()
    }

    /// The zone of the host with this number, from 0: neighbours share one.
    #[must_use]
    pub fn zone(&self, host: usize) -> String {
        format!("zone-{}", self.zone_number(host) + 1)
    }

    fn zone_number(&self, host: usize) -> usize {
        host * self.zones / self.hosts
    }

    /// Whether the host with this number is a director: the first ones of every zone are.
    #[must_use]
    pub fn is_director(&self, host: usize) -> bool {
        let zone = self.zone_number(host);
        let before = (0..host).filter(|one| self.zone_number(*one) == zone);
        before.count() * self.zones + zone < self.directors
    }

    /// What the host with this number is, as `wharf token create --roles` takes it.
    #[must_use]
    pub fn roles(&self, host: usize) -> &'static str {
        if self.is_director(host) {
            "director,allocator,proxy"
        } else {
            "allocator,proxy"
        }
    }
}

/// The hosts with the platform on them. Gone when dropped.
#[derive(Debug)]
pub struct Fleet {
    // In the order in which they have to go.
    hosts: Vec<Host>,
    desk: Arc<Desk>,
    network: Network,
    layout: Layout,
    left_running: bool,
}

impl Fleet {
    /// Brings one up; `tell` is told each thing that is done.
    ///
    /// # Panics
    /// When a host cannot be made, does not join, or a director gets no vote in time.
    #[must_use]
    pub fn start(layout: Layout, tell: &(dyn Fn(&str) + Sync)) -> Self {
        let network = Network::create();
        let begun = Instant::now();
        // Plugged in one after the other, so that addresses follow the names.
        let hosts: Vec<Host> = (1..=layout.hosts)
            .map(|number| Host::without_engine(&format!("h{number}"), &network))
            .collect();
        let hosts = parallel::each(hosts, |mut host| {
            host.equip();
            host
        });
        tell(&format!(
            "{} engines answer after {:.1} s",
            hosts.len(),
            begun.elapsed().as_secs_f64()
        ));
        let first = &hosts[0];
        let address = first.address().expect("on the network").to_string();
        // `wharf up` takes the machine's name, which all hosts here share, unless it has one of its own.
        let named = "echo h1 >/proc/sys/kernel/hostname && exec \"$@\"";
        must(
            first
                .command("unshare")
                .args(["--uts", "sh", "-c", named, "sh"])
                .arg(binary())
                .args(["up", "--advertise", &address])
                .args(["--capacity-memory-mib", &layout.memory_mib(0)]),
        );
        tell("h1: `wharf up` is done");
        let mut fleet = Self {
            desk: Arc::new(Desk::of(first, &network)),
            hosts,
            network,
            layout,
            left_running: false,
        };
        let joins: Vec<(usize, String)> = (1..layout.hosts)
            .map(|number| (number, fleet.token(number)))
            .collect();
        parallel::each(joins, |(number, join)| {
            let begun = Instant::now();
            let name = fleet.name(number);
            let host = &fleet.hosts[number];
            must(
                host.wharf(&["install", "--host-name", &name])
                    .args(["--capacity-memory-mib", &layout.memory_mib(number)])
                    .env("WHARF_JOIN", join),
            );
            tell(&format!(
                "{name}: joined {} as {} in {:.1} s",
                layout.zone(number),
                layout.roles(number),
                begun.elapsed().as_secs_f64()
            ));
        });
        let directors: Vec<&Host> = (0..layout.hosts)
            .filter(|number| layout.is_director(*number))
            .map(|number| &fleet.hosts[number])
            .collect();
        let addresses = directors.iter().map(|host| desk::admin_address(host));
        let addresses = addresses.collect::<Vec<_>>().join(",");
        desk_of(&mut fleet.desk).dial(addresses);
        fleet.settled(tell);
        fleet
    }

    /// What follows `--join` for a host.
    fn token(&self, number: usize) -> String {
        let (roles, zone) = (self.layout.roles(number), self.layout.zone(number));
        let made = self
            .desk
            .ask(&["token", "create", "--roles", roles, "--zone", &zone])
            .expect("a token is made");
        let join = made["join"].as_str().expect("what follows --join");
        join.to_owned()
    }

    /// Waits until every host is connected, every director votes and nothing is wrong.
    fn settled(&self, tell: &(dyn Fn(&str) + Sync)) {
        wait_for("every host is connected", PATIENCE, || {
            let connected = self.connected()?;
            if connected.len() == self.layout.hosts {
                Ok(())
            } else {
                Err(format!("{connected:?}"))
            }
        });
        tell("every allocator is connected");
        wait_for("every director votes", PATIENCE, || {
            let (voters, waiting): (Vec<Value>, Vec<Value>) = self
                .directors()?
                .into_iter()
                .partition(|one| one["waits_for"].as_str().unwrap_or_default().is_empty());
            if voters.len() == self.layout.directors {
                Ok(())
            } else {
                Err(format!("{} vote; {waiting:?}", voters.len()))
            }
        });
        tell(&format!("{} directors vote", self.layout.directors));
        self.healthy(PATIENCE);
        tell("`wharf status`: healthy");
    }

    /// Waits until `wharf status` knows no problem.
    ///
    /// # Panics
    /// When it goes on naming one.
    pub fn healthy(&self, patience: Duration) {
        wait_for("a healthy platform", patience, || self.problems());
    }

    /// Nothing when `wharf status` says that all is well.
    ///
    /// # Errors
    /// The problems that it names, or why it cannot be asked.
    pub fn problems(&self) -> Result<(), String> {
        // Without `--check` it exits with 0 whatever is wrong, and prints that.
        let output = super::run(self.desk.wharf(&["status"]).args(["-o", "json"]));
        let status: Value = serde_json::from_slice(&output.stdout)
            .map_err(|_| String::from_utf8_lossy(&output.stderr).trim().to_owned())?;
        if status["healthy"] == true {
            return Ok(());
        }
        let told = status["problems"].as_array().into_iter().flatten();
        let told: Vec<&str> = told
            .filter_map(|problem| problem["message"].as_str())
            .collect();
        Err(told.join("; "))
    }

    /// Names of the hosts whose allocators are connected.
    ///
    /// # Errors
    /// When no director answers.
    pub fn connected(&self) -> Result<Vec<String>, String> {
        let rows = self.desk.list(&["allocator", "list"])?;
        let connected = rows.iter().filter(|row| row["connected"] == true);
        Ok(connected
            .filter_map(|row| row["host"].as_str().map(str::to_owned))
            .collect())
    }

    /// The directors as the leader lists them.
    ///
    /// # Errors
    /// When no director answers.
    pub fn directors(&self) -> Result<Vec<Value>, String> {
        let answer = self.desk.ask(&["api", "Directors/ListDirectors"])?;
        let rows = answer["directors"].as_array().cloned();
        rows.ok_or_else(|| format!("no directors in {answer}"))
    }

    /// Number of the host whose director leads.
    ///
    /// # Errors
    /// When no director answers, or none leads.
    pub fn leader(&self) -> Result<usize, String> {
        let directors = self.directors()?;
        directors
            .iter()
            .find(|one| one["role"] == "DIRECTOR_ROLE_LEADER")
            .and_then(|one| self.number(one["host"].as_str()?))
            .ok_or_else(|| format!("no leader among {directors:?}"))
    }

    /// Number of the host of this name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<usize> {
        let number = name.strip_prefix('h')?.parse::<usize>().ok()?;
        (1..=self.layout.hosts)
            .contains(&number)
            .then(|| number - 1)
    }

    /// Name of the host with this number, from 0.
    #[must_use]
    pub fn name(&self, number: usize) -> String {
        format!("h{}", number + 1)
    }

    /// The host with this number.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number]
    }

    /// The same, to kill its engine or cut its power.
    ///
    /// # Panics
    /// When there is none.
    pub fn host_mut(&mut self, number: usize) -> &mut Host {
        &mut self.hosts[number]
    }

    /// All of them.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// What the hosts are.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        self.layout
    }

    /// Where the admin sits.
    #[must_use]
    pub const fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// What joins the hosts.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// What the fleet has on this machine, to see that nothing of it is left after its end.
    #[must_use]
    pub fn traces(&self) -> Traces {
        let hosts = self.hosts.iter().chain([self.desk.place()]);
        let mut traces: Traces = hosts.fold(Traces::default(), |traces, host| traces.of_host(host));
        traces.add_namespace(self.network.namespace());
        traces
    }

    /// Leaves everything running when this process ends, for `scripts/testbed-sweep` to remove.
    pub fn leave_running(mut self) {
        self.left_running = true;
        self.hosts.iter_mut().for_each(Host::leave_running);
        desk_of(&mut self.desk).leave_running();
        self.network.leave_running();
    }

    /// Cuts a host off from every other, both ways, or joins it to them again. The desk reaches it all the
    /// while.
    ///
    /// # Panics
    /// When the kernel refuses the rules.
    pub fn set_alone(&self, number: usize, alone: bool) {
        let host = &self.hosts[number];
        let others = self.hosts.iter().enumerate();
        for (_, other) in others.filter(|(other, _)| *other != number) {
            if alone {
                self.network.part(host, other);
            } else {
                self.network.heal(host, other);
            }
        }
    }

    /// Cuts the power of several hosts at the same moment.
    ///
    /// # Panics
    /// When a process does not end.
    pub fn cut_power(&mut self, which: impl Fn(usize) -> bool) {
        let chosen = self.hosts.iter_mut().enumerate();
        let chosen = chosen.filter(|(number, _)| which(*number));
        parallel::each(chosen, |(_, host)| host.cut_power());
    }

    /// Ends what was done to hosts and links: every fault is healed, every cable plugged in, every engine
    /// that does not run is started.
    ///
    /// # Panics
    /// When the kernel refuses, or an engine does not start.
    pub fn mend(&mut self) {
        for host in &self.hosts {
            self.network.heal_all(host);
            host.set_plugged(true);
        }
        let off: Vec<bool> = self.hosts.iter().map(|host| !host.engine.runs()).collect();
        self.power_on(|host| off[host]);
    }

    /// Powers several hosts on at the same moment.
    ///
    /// # Panics
    /// When an engine does not start.
    pub fn power_on(&mut self, which: impl Fn(usize) -> bool) {
        let chosen = self.hosts.iter_mut().enumerate();
        let chosen = chosen.filter(|(number, _)| which(*number));
        parallel::each(chosen, |(_, host)| host.power_on());
    }
}

/// The desk while nobody else sits at it.
fn desk_of(desk: &mut Arc<Desk>) -> &mut Desk {
    Arc::get_mut(desk).expect("nobody sits at the desk yet")
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if self.left_running {
            return;
        }
        let hosts = std::mem::take(&mut self.hosts);
        if std::thread::panicking() {
            // A host tells what it saw on the thread that panics, and on no other.
            drop(hosts);
            return;
        }
        parallel::each(hosts, drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directors(layout: Layout) -> Vec<usize> {
        (0..layout.hosts)
            .filter(|host| layout.is_director(*host))
            .collect()
    }

    #[test]
    fn zones_share_the_hosts_and_directors_are_spread_over_zones() {
        let layout = Layout::new(6, 3);
        let zones: Vec<String> = (0..6).map(|host| layout.zone(host)).collect();
        let expected = ["zone-1", "zone-1", "zone-2", "zone-2", "zone-3", "zone-3"];
        assert_eq!(zones, expected);
        assert_eq!(directors(layout), [0, 2, 4]);
        let layout = Layout {
            zones: 2,
            ..Layout::new(6, 3)
        };
        assert_eq!(directors(layout), [0, 1, 3]);
        assert_eq!(directors(Layout::new(2, 1)), [0]);
        assert_eq!(directors(Layout::three_and_six()), [0, 3, 6]);
    }
}
