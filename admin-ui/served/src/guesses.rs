//! Wrong passwords, counted by user and address: who guesses has to wait, longer each time. Invariants: the table
//! is bounded; the time is an argument. Not here: whether a password is right.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Wrong passwords before waiting begins.
pub const FREE_GUESSES: u32 = 5;
/// The longest wait.
const MAX_WAIT_MS: u64 = 30_000;
/// Places that are told apart.
const KEPT: usize = 10_000;
/// Guesses older than this are forgotten.
const FORGET_MS: u64 = 15 * 60_000;

/// Who is guessed at, and from where.
pub type Place = (String, IpAddr);

struct Guessed {
    count: u32,
    last_ms: u64,
}

/// See the module.
#[derive(Default)]
pub struct Guesses(Mutex<HashMap<Place, Guessed>>);

impl std::fmt::Debug for Guesses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Guesses")
    }
}

impl Guesses {
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Guessed>> {
        // The table is whole after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long that user at that address has to wait; until then not even the right password is to be tried.
    #[must_use]
    pub fn wait_ms(&self, place: &Place, now_ms: u64) -> u64 {
        let table = self.lock();
        let Some(known) = table.get(place) else {
            return 0;
        };
        let Some(over) = known.count.checked_sub(FREE_GUESSES) else {
            return 0;
        };
        let wait = (1_000_u64 << over.min(10)).min(MAX_WAIT_MS);
        (known.last_ms + wait).saturating_sub(now_ms)
    }

    /// A password was wrong.
    pub fn count(&self, place: Place, now_ms: u64) {
        let mut table = self.lock();
        if table.len() >= KEPT && !table.contains_key(&place) {
            table.retain(|_, known| now_ms.saturating_sub(known.last_ms) < FORGET_MS);
            if table.len() >= KEPT
                && let Some(oldest) = table
                    .iter()
                    .min_by_key(|(_, known)| known.last_ms)
                    .map(|(place, _)| place.clone())
            {
                table.remove(&oldest);
            }
        }
        let known = table.entry(place).or_insert(Guessed {
            count: 0,
            last_ms: now_ms,
        });
        if now_ms.saturating_sub(known.last_ms) > FORGET_MS {
            known.count = 0;
        }
        known.count = known.count.saturating_add(1);
        known.last_ms = now_ms;
    }

    /// A password was right.
    pub fn forget(&self, place: &Place) {
        self.lock().remove(place);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(username: &str, number: u32) -> Place {
        (username.into(), Ipv4Addr::from(number).into())
    }

    #[test]
    fn who_guesses_waits_longer_each_time_up_to_half_a_minute_and_only_there() {
        let guesses = Guesses::default();
        let place = at("ada", 1);
        for _ in 0..FREE_GUESSES {
            assert_eq!(guesses.wait_ms(&place, 10), 0, "some are free");
            guesses.count(place.clone(), 10);
        }
        assert_eq!(guesses.wait_ms(&place, 10), 1_000);
        assert_eq!(guesses.wait_ms(&place, 1_010), 0, "the wait is over");
        assert_eq!(guesses.wait_ms(&at("ada", 2), 10), 0, "another address");
        assert_eq!(guesses.wait_ms(&at("bob", 1), 10), 0, "another user");
        guesses.count(place.clone(), 10);
        assert_eq!(guesses.wait_ms(&place, 10), 2_000);
        for _ in 0..100 {
            guesses.count(place.clone(), 10);
        }
        assert_eq!(guesses.wait_ms(&place, 10), MAX_WAIT_MS);
        guesses.forget(&place);
        assert_eq!(guesses.wait_ms(&place, 10), 0, "a right one begins anew");
    }

    #[test]
    fn guesses_of_long_ago_are_forgotten() {
        let guesses = Guesses::default();
        for _ in 0..FREE_GUESSES {
            guesses.count(at("ada", 1), 10);
        }
        let later = 10 + FORGET_MS + 1;
        guesses.count(at("ada", 1), later);
        assert_eq!(guesses.wait_ms(&at("ada", 1), later), 0);
    }

    #[test]
    fn the_table_stays_bounded() {
        let guesses = Guesses::default();
        for number in 0..(KEPT as u32 + 5) {
            guesses.count(at("eve", number), u64::from(number));
        }
        assert!(guesses.lock().len() <= KEPT);
        let last = at("eve", KEPT as u32 + 4);
        assert!(guesses.lock().contains_key(&last), "the newest is kept");
    }
}
