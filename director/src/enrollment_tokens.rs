//! Tokens by which hosts join: made, found, and guesses at them slowed down. Invariants: the state has
//! a hash only; a repeated request makes the same token again, because both parts follow from its
//! request id under the platform key; secrets are compared in constant time; whoever guesses waits
//! longer each time and costs few lines of the audit log. Not here: what a token is worth (the core).

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};
use wharf_director_core::state::{EnrollmentTokenRecord, State};
use wharf_proto::{ids::is_id, join_token::JoinToken};
use wharf_runtime::tls::constant_time_eq;

use crate::secrets::PlatformKey;

/// Refused tries of an address before waiting begins.
const FREE_TRIES: u32 = 10;
const MAX_WAIT_MS: u64 = 60_000;
/// Tries older than this are forgotten.
const FORGET_MS: u64 = 15 * 60_000;
/// Addresses that are told apart.
const ADDRESSES: usize = 4_096;
/// Lines of the audit log at once, and one more in this time.
const BURST: u64 = 20;
const REFILL_MS: u64 = 60_000;

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// The token of a request, and the hash that the state keeps: always the same for the same one.
#[must_use]
pub fn mint(
    key: &PlatformKey,
    actor: &str,
    request_id: &str,
    ca_sha256: [u8; 32],
) -> (JoinToken, String) {
    let seed = format!("{}:{actor}:{request_id}", actor.len());
    let secret = hex::encode(key.digest("enrollment token secret", seed.as_bytes()));
    let token = JoinToken {
        id: hex::encode(&key.digest("enrollment token id", seed.as_bytes())[..16]),
        secret,
        ca_sha256,
    };
    let hash = hash(&token.secret);
    (token, hash)
}

/// An id of a host that joins by a token: the same for the same request.
#[must_use]
pub fn host_id(key: &PlatformKey, role: &str, token_id: &str, request_id: &str) -> String {
    let seed = format!("{role}:{token_id}:{request_id}");
    hex::encode(&key.digest("host id", seed.as_bytes())[..16])
}

/// The token that a text is, whatever it is worth. None: it is none of ours, or its secret is wrong.
#[must_use]
pub fn find<'a>(state: &'a State, text: &str) -> Option<&'a EnrollmentTokenRecord> {
    let token: JoinToken = text.parse().ok()?;
    if !is_id(&token.id) {
        return None;
    }
    let record = state.enrollment_tokens.get(&token.id)?;
    constant_time_eq(record.hash.as_bytes(), hash(&token.secret).as_bytes()).then_some(record)
}

struct Tried {
    count: u32,
    last_ms: u64,
}

struct Table {
    addresses: HashMap<IpAddr, Tried>,
    lines: u64,
    refilled_ms: u64,
    untold: u64,
}

/// Refused tries, by address.
pub struct Tries(Mutex<Table>);

impl std::fmt::Debug for Tries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tries")
    }
}

impl Default for Tries {
    fn default() -> Self {
        Self(Mutex::new(Table {
            addresses: HashMap::new(),
            lines: BURST,
            refilled_ms: 0,
            untold: 0,
        }))
    }
}

impl Tries {
    /// How long an address has to wait before its next try is looked at.
    #[must_use]
    pub fn wait_ms(&self, address: IpAddr, now_ms: u64) -> u64 {
        // The table is whole after every statement.
        let table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(tried) = table.addresses.get(&address) else {
            return 0;
        };
        let Some(over) = tried.count.checked_sub(FREE_TRIES) else {
            return 0;
        };
        let wait = (1_000_u64 << over.min(10)).min(MAX_WAIT_MS);
        (tried.last_ms + wait).saturating_sub(now_ms)
    }

    /// A try was refused. Gives how many refusals the audit log is to be told of now; none: later.
    pub fn refused(&self, address: IpAddr, now_ms: u64) -> Option<u64> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = table.addresses.len() >= ADDRESSES;
        if full && !table.addresses.contains_key(&address) {
            let recent = |tried: &Tried| now_ms.saturating_sub(tried.last_ms) < FORGET_MS;
            table.addresses.retain(|_, tried| recent(tried));
            if table.addresses.len() >= ADDRESSES {
                table.addresses.clear();
            }
        }
        let tried = table.addresses.entry(address).or_insert(Tried {
            count: 0,
            last_ms: now_ms,
        });
        if now_ms.saturating_sub(tried.last_ms) >= FORGET_MS {
            tried.count = 0;
        }
        tried.count = tried.count.saturating_add(1);
        tried.last_ms = now_ms;
        let refills = now_ms.saturating_sub(table.refilled_ms) / REFILL_MS;
        if refills > 0 {
            table.lines = table.lines.saturating_add(refills).min(BURST);
            table.refilled_ms = now_ms;
        }
        table.untold += 1;
        if table.lines == 0 {
            return None;
        }
        table.lines -= 1;
        Some(std::mem::take(&mut table.untold))
    }

    /// A host joined from there.
    pub fn joined(&self, address: IpAddr) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.addresses.remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_000_000_000;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::from(number))
    }

    #[test]
    fn a_token_is_found_by_its_whole_text_and_by_no_other() {
        let key = PlatformKey::new(&[7; 32]);
        let (token, hash) = mint(&key, "admin", "a1", [1; 32]);
        assert_eq!(mint(&key, "admin", "a1", [1; 32]).0, token);
        assert_ne!(mint(&key, "admin", "a2", [1; 32]).0.secret, token.secret);
        let mut state = State::default();
        let record = EnrollmentTokenRecord {
            id: token.id.clone(),
            hash,
            roles: Default::default(),
            zone: "zone-b".into(),
            uses: 1,
            used: 0,
            created_by: "admin".into(),
            created_ms: 0,
            expires_ms: 1,
            revoked_ms: None,
        };
        state.enrollment_tokens.insert(token.id.clone(), record);
        assert!(find(&state, &token.to_text()).is_some());
        let wrong = JoinToken {
            secret: "0".repeat(64),
            ..token
        };
        assert!(find(&state, &wrong.to_text()).is_none());
    }

    #[test]
    fn whoever_guesses_waits_longer_each_time_and_others_do_not() {
        let tries = Tries::default();
        for _ in 0..FREE_TRIES {
            assert_eq!(tries.wait_ms(address(1), NOW_MS), 0);
            tries.refused(address(1), NOW_MS);
        }
        let first = tries.wait_ms(address(1), NOW_MS);
        tries.refused(address(1), NOW_MS);
        assert!(tries.wait_ms(address(1), NOW_MS) > first);
        assert_eq!(tries.wait_ms(address(2), NOW_MS), 0);
        tries.joined(address(1));
        assert_eq!(tries.wait_ms(address(1), NOW_MS), 0);
    }

    #[test]
    fn guessing_from_everywhere_stays_bounded_and_is_summed_up() {
        let tries = Tries::default();
        let told: Vec<u64> = (0..10_000)
            .filter_map(|number| tries.refused(address(number), NOW_MS))
            .collect();
        assert_eq!(told, vec![1; told.len()]);
        assert!(told.len() as u64 <= BURST);
        let table = tries.0.lock().unwrap();
        assert!(table.addresses.len() <= ADDRESSES);
        drop(table);
        let later = tries.refused(address(1), NOW_MS + REFILL_MS);
        assert_eq!(later, Some(10_000 - BURST + 1), "the rest is told together");
    }

    proptest::proptest! {
        #[test]
        fn no_text_from_outside_is_a_token(text in ".{0,300}") {
            proptest::prop_assert!(find(&State::default(), &text).is_none());
        }
    }
}
