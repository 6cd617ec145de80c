//! Where the directors are that answer, this one first: what hosts that join are told, so that the death
//! of one director spoils no token. Invariant: never empty; asked of the leader, who alone hears of
//! all. Not here: where every director is, dead ones among them (`peers`, `sessions`).

use wharf_director_core::state::DirectorRecord;
use wharf_runtime::net::host_port;

use crate::director::Director;

/// Directors named at most: as many as have votes.
const MOST: usize = 5;

/// `HOST:PORT` of the internal listeners.
#[must_use]
pub fn internal(director: &Director) -> Vec<String> {
    list(
        director,
        director.config.platform.ports.internal,
        |record| record.facts.internal_address.clone(),
    )
}

/// `HOST:PORT` of the listeners for people.
#[must_use]
pub fn admin(director: &Director) -> Vec<String> {
    list(director, director.config.platform.ports.admin, |record| {
        record.facts.admin_address.clone()
    })
}

fn list(director: &Director, port: u16, of: fn(&DirectorRecord) -> String) -> Vec<String> {
    let mut living = vec![host_port(
        &director.config.platform.advertised_address,
        port,
    )];
    let status = director.raft.status().borrow().clone();
    let answers = |member: u64| {
        let mut peers = status.peers.iter();
        member != status.member && peers.any(|peer| peer.member == member && peer.active)
    };
    let state = director.published.state();
    let others = state.directors.values().filter(|one| answers(one.member));
    living.extend(others.map(of));
    living.truncate(MOST);
    living
}
