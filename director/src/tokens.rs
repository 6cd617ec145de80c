//! Tokens that stand for users: `wt_<id>_<secret>`, sent as `authorization: Bearer`. Invariants: the
//! state has a hash only; a repeated request makes the same token again, because both parts follow
//! from its request id under the platform key; a token may what its user still may, until it
//! expires. Not here: who may make one (`api/tokens`).

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use wharf_director_core::state::{Role, State, TokenRecord};
use wharf_proto::ids::is_id;
use wharf_runtime::tls::constant_time_eq;

use crate::secrets::PlatformKey;

const PREFIX: &str = "wt_";

/// A new token.
pub struct Minted {
    /// Its id.
    pub id: String,
    /// What the user gets, once.
    pub text: String,
    /// What the state keeps.
    pub hash: String,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// The token of a request: always the same for the same one.
#[must_use]
pub fn mint(key: &PlatformKey, actor: &str, request_id: &str) -> Minted {
    let seed = format!("{}:{actor}:{request_id}", actor.len());
    let id = hex::encode(&key.digest("token id", seed.as_bytes())[..16]);
    let secret = hex::encode(key.digest("token secret", seed.as_bytes()));
    Minted {
        hash: hash(&secret),
        text: format!("{PREFIX}{id}_{secret}"),
        id,
    }
}

/// The token that a text is, with what it may do now. None: it is none of ours, wrong, expired, or
/// its user may not log in.
#[must_use]
pub fn find<'a>(
    state: &'a State,
    text: &str,
    now_ms: u64,
) -> Option<(&'a TokenRecord, BTreeSet<Role>)> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    if !is_id(id) || secret.len() != 64 {
        return None;
    }
    let token = state.tokens.get(id)?;
    if !constant_time_eq(token.hash.as_bytes(), hash(secret).as_bytes()) {
        return None;
    }
    let roles = token.roles_now(state.users.get(&token.username)?, now_ms);
    (!roles.is_empty()).then_some((token, roles))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_director_core::state::UserRecord;

    fn state(minted: &Minted) -> State {
        let mut state = State::default();
        let user = UserRecord {
            username: "ada".into(),
            password_hash: String::new(),
            roles: [Role::PlatformViewer].into(),
            disabled: false,
            created_ms: 1,
            changed_ms: 1,
            version: 1,
        };
        let token = TokenRecord {
            id: minted.id.clone(),
            username: "ada".into(),
            name: "ci".into(),
            hash: minted.hash.clone(),
            roles: [Role::PlatformViewer, Role::DeploymentsViewer].into(),
            created_ms: 1,
            expires_ms: 100,
        };
        state.users.insert("ada".into(), user);
        state.tokens.insert(token.id.clone(), token);
        state
    }

    #[test]
    fn a_repeated_request_gets_the_same_token_and_another_one_another() {
        let key = PlatformKey::new(&[7; 32]);
        let first = mint(&key, "ada", "a1");
        assert_eq!(first.text, mint(&key, "ada", "a1").text);
        assert_ne!(first.text, mint(&key, "ada", "a2").text);
        assert_ne!(first.text, mint(&key, "bob", "a1").text);
        assert_ne!(
            first.text,
            mint(&PlatformKey::new(&[8; 32]), "ada", "a1").text
        );
        assert!(!format!("{first:?}").contains(&first.text));
    }

    #[test]
    fn a_token_is_worth_what_its_user_may_until_it_expires() {
        let minted = mint(&PlatformKey::new(&[7; 32]), "ada", "a1");
        let mut state = state(&minted);
        assert_eq!(find(&state, &minted.text, 99).unwrap().1.len(), 2);
        assert!(find(&state, &minted.text, 100).is_none(), "expired");
        let mut wrong = minted.text.clone();
        let last = if wrong.pop() == Some('0') { '1' } else { '0' };
        wrong.push(last);
        assert!(find(&state, &wrong, 99).is_none(), "another secret");
        let user = state.users.get_mut("ada").unwrap();
        user.roles = [Role::DeploymentsViewer].into();
        let (_, roles) = find(&state, &minted.text, 99).unwrap();
        assert_eq!(
            roles,
            [Role::DeploymentsViewer].into(),
            "its user may less now"
        );
        state.users.get_mut("ada").unwrap().disabled = true;
        assert!(find(&state, &minted.text, 99).is_none(), "disabled");
    }

    proptest::proptest! {
        #[test]
        fn no_text_from_outside_is_a_token(text in ".{0,200}") {
            let minted = mint(&PlatformKey::new(&[7; 32]), "ada", "a1");
            proptest::prop_assert!(find(&state(&minted), &text, 1).is_none());
        }
    }
}
