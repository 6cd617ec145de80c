//! Randomness: ids, tokens, passwords, jitter; all from the operating system's generator, reseeded by `rand`.
//!
//! Invariants: everything here is fit for secrets. Not here: seeded randomness for simulations, and
//! ids derived from content.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use std::time::Duration;

/// A new id: 32 lower-case hex digits, 128 random bits.
pub fn new_id() -> String {
    hex::encode(bytes::<16>())
}

/// `N` random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    rand::rng().fill(&mut out[..]);
    out
}

/// A secret of `byte_count` random bytes in URL-safe base64 without padding.
pub fn token(byte_count: usize) -> String {
    let mut raw = vec![0; byte_count];
    rand::rng().fill(&mut raw[..]);
    URL_SAFE_NO_PAD.encode(raw)
}

/// A password of `length` letters and digits that nobody confuses when reading it aloud.
pub fn password(length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut rng = rand::rng();
    (0..length)
        .map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]))
        .collect()
}

/// A random number, to be handed to a core or a [`crate::backoff::Backoff`].
pub fn next_u64() -> u64 {
    rand::rng().random()
}

/// A duration drawn evenly from `base` ± `percent` of it.
pub fn jitter(base: Duration, percent: u8) -> Duration {
    let share = f64::from(percent.min(100)) / 100.0;
    base.mul_f64(1.0 + share * rand::rng().random_range(-1.0..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_32_lower_case_hex_digits_and_differ() {
        let (a, b) = (new_id(), new_id());
        assert_ne!(a, b);
        assert_eq!(a.len(), 32);
        assert!(
            a.bytes()
                .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
        );
    }

    #[test]
    fn tokens_and_passwords_have_the_asked_length() {
        assert_eq!(token(24).len(), 32);
        assert_eq!(password(20).len(), 20);
        assert_ne!(bytes::<16>(), bytes::<16>());
    }

    #[test]
    fn jitter_stays_within_its_share() {
        for _ in 0..200 {
            let drawn = jitter(Duration::from_secs(10), 20);
            assert!((8.0..=12.0).contains(&drawn.as_secs_f64()), "{drawn:?}");
        }
    }
}
