//! Logins that were refused, gathered until they are told: whoever guesses must not fill the log or
//! the audit list. Invariants: bounded; a name that no user has is not kept, it may be a mistyped
//! password; the first refusal of a user at an address is told at once, further ones summed up. Not
//! here: whether a login is right (`logins`).

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Users and addresses that are told apart at a time.
const PLACES: usize = 1_000;
/// The same user and address again after this.
const EVERY_MS: u64 = 5 * 60_000;
/// Lines at once.
const BURST: u64 = 20;
/// One more line in this time.
const REFILL_MS: u64 = 60_000;

/// Refusals to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals {
    /// The user; none when there is no such user, or too many were told apart.
    pub username: Option<String>,
    /// From where; none when too many were told apart.
    pub address: Option<IpAddr>,
    /// How many.
    pub count: u64,
}

#[derive(Debug, Default)]
struct Place {
    count: u64,
    told_ms: Option<u64>,
}

#[derive(Debug)]
struct Table {
    places: BTreeMap<(Option<String>, Option<IpAddr>), Place>,
    lines: u64,
    refilled_ms: u64,
}

/// See the module.
#[derive(Debug)]
pub struct RefusedLogins(Mutex<Table>);

impl Default for RefusedLogins {
    fn default() -> Self {
        Self(Mutex::new(Table {
            places: BTreeMap::new(),
            lines: BURST,
            refilled_ms: 0,
        }))
    }
}

impl RefusedLogins {
    fn lock(&self) -> MutexGuard<'_, Table> {
        // The table is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A login was refused; `username` only when there is such a user.
    pub fn note(&self, username: Option<&str>, address: IpAddr) {
        let mut table = self.lock();
        let mut key = (username.map(str::to_owned), Some(address));
        if table.places.len() >= PLACES && !table.places.contains_key(&key) {
            key = (None, None);
        }
        table.places.entry(key).or_default().count += 1;
    }

    /// What is to be told now.
    pub fn due(&self, now_ms: u64) -> Vec<Refusals> {
        let mut table = self.lock();
        let refills = now_ms.saturating_sub(table.refilled_ms) / REFILL_MS;
        if refills > 0 {
            table.lines = table.lines.saturating_add(refills).min(BURST);
            table.refilled_ms = now_ms;
        }
        let mut lines = table.lines;
        let mut due = Vec::new();
        table.places.retain(|(username, address), place| {
            let told = place.told_ms;
            let rests = told.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < EVERY_MS);
            if place.count == 0 {
                return rests;
            }
            if rests || lines == 0 {
                return true;
            }
            lines -= 1;
            due.push(Refusals {
                username: username.clone(),
                address: *address,
                count: std::mem::take(&mut place.count),
            });
            place.told_ms = Some(now_ms);
            true
        });
        table.lines = lines;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from(number))
    }

    #[test]
    fn the_first_refusal_is_told_at_once_and_further_ones_summed_up() {
        let refused = RefusedLogins::default();
        refused.note(Some("ada"), address(1));
        let due = refused.due(1_000_000);
        assert_eq!((due.len(), due[0].count), (1, 1));
        for _ in 0..70 {
            refused.note(Some("ada"), address(1));
        }
        assert_eq!(refused.due(1_001_000), []);
        let due = refused.due(1_000_000 + EVERY_MS);
        assert_eq!((due.len(), due[0].count), (1, 70));
    }

    #[test]
    fn guessing_from_everywhere_stays_bounded_and_no_refusal_is_lost() {
        let refused = RefusedLogins::default();
        for number in 0..5_000 {
            refused.note(None, address(number));
        }
        let (mut told, mut lines, mut now_ms) = (0, 0, 1_000_000);
        let first = refused.due(now_ms);
        assert!(first.len() as u64 <= BURST, "{} lines at once", first.len());
        told += first.iter().map(|refusals| refusals.count).sum::<u64>();
        assert!(refused.lock().places.len() <= PLACES + 1);
        while refused.lock().places.values().any(|place| place.count > 0) {
            now_ms += REFILL_MS;
            let due = refused.due(now_ms);
            lines += due.len();
            told += due.iter().map(|refusals| refusals.count).sum::<u64>();
            assert!(due.len() <= 1, "one line in a minute");
        }
        assert_eq!(told, 5_000, "in {lines} lines");
    }
}
