//! The text of a token by which hosts join: `wj_<id>_<secret>_<CA>`. Both ends read it: the director
//! finds the token by its id, the host knows the director by the SHA-256 of the platform's CA before
//! it sends anything. Invariant: what is printed for a log has no secret. Not here: what a token
//! carries (the director's state).

use std::{fmt, str::FromStr};

use crate::ids::is_id;

const PREFIX: &str = "wj_";
/// Bytes of a token's text.
pub const TEXT_BYTES: usize = 3 + 32 + 1 + 64 + 1 + 64;

/// A token's parts.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// 32 lower-case hex; not secret.
    pub id: String,
    /// 64 lower-case hex.
    pub secret: String,
    /// SHA-256 of the platform's CA certificate.
    pub ca_sha256: [u8; 32],
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is no token by which a host joins: such a one begins with `wj_` and has {TEXT_BYTES} characters"
)]
pub struct JoinTokenError;

impl JoinToken {
    /// The whole text, secret.
    #[must_use]
    pub fn to_text(&self) -> String {
        let ca: String = self
            .ca_sha256
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{PREFIX}{}_{}_{ca}", self.id, self.secret)
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl FromStr for JoinToken {
    type Err = JoinTokenError;

    fn from_str(text: &str) -> Result<Self, JoinTokenError> {
        let parts = || {
            let mut parts = text.strip_prefix(PREFIX)?.split('_');
            let found = (parts.next()?, parts.next()?, parts.next()?);
            parts.next().is_none().then_some(found)
        };
        let (id, secret, ca) = parts().ok_or(JoinTokenError)?;
        if !is_id(id) || bytes_of(secret).is_none() {
            return Err(JoinTokenError);
        }
        Ok(Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            ca_sha256: bytes_of(ca).ok_or(JoinTokenError)?,
        })
    }
}

fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    let lower = |digit: &u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(digit);
    if digits.len() != 64 || !digits.iter().all(lower) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(id: u128, secret: [u8; 32], ca_sha256: [u8; 32]) -> JoinToken {
        JoinToken {
            id: format!("{id:032x}"),
            secret: secret.iter().map(|byte| format!("{byte:02x}")).collect(),
            ca_sha256,
        }
    }

    #[test]
    fn what_a_log_shows_has_no_secret() {
        let token = token(7, [0xab; 32], [1; 32]);
        let shown = format!("{token:?}");
        assert!(
            shown.contains(&token.id) && !shown.contains("abab"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn a_token_is_read_back_and_cut_or_longer_it_is_none(
            id: u128, secret: [u8; 32], ca: [u8; 32], cut in 0..TEXT_BYTES
        ) {
            let token = token(id, secret, ca);
            let text = token.to_text();
            prop_assert_eq!(text.len(), TEXT_BYTES);
            prop_assert_eq!(text.parse::<JoinToken>(), Ok(token));
            prop_assert!(text[..cut].parse::<JoinToken>().is_err());
            let longer = format!("{text}0");
            prop_assert!(longer.parse::<JoinToken>().is_err());
        }

        #[test]
        fn no_text_panics(text in ".{0,200}") {
            let _ = text.parse::<JoinToken>();
        }
    }
}
