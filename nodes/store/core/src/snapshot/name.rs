//! The name of a snapshot: which life of the instance took it, and when.
//!
//! Invariants: names sort as texts as they do as numbers, so that the last of a listing is the last snapshot; a name that is
//! read is written the same. Not here: names that people give (`manifest`).

use std::fmt;

/// Highest number of a life that a name takes.
pub const MAX_INCARNATION: u64 = 9_999_999_999;
/// Highest time that a name takes, in milliseconds since 1970: the year 2286.
pub const MAX_TAKEN_MS: u64 = 9_999_999_999_999;

/// A snapshot's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    incarnation: u64,
    taken_ms: u64,
}

impl Name {
    /// Of a snapshot that was taken then; nothing when a number is too high.
    #[must_use]
    pub fn new(incarnation: u64, taken_ms: u64) -> Option<Self> {
        (incarnation <= MAX_INCARNATION && taken_ms <= MAX_TAKEN_MS).then_some(Self {
            incarnation,
            taken_ms,
        })
    }

    /// How often the instance had begun anew.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// When it was taken.
    #[must_use]
    pub fn taken_ms(&self) -> u64 {
        self.taken_ms
    }

    /// Understands a name; nothing when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (incarnation, taken_ms) = text.split_once('-')?;
        let number = |text: &str, digits: usize| {
            let all = text.len() == digits && text.bytes().all(|c| c.is_ascii_digit());
            all.then(|| text.parse().ok()).flatten()
        };
        Self::new(number(incarnation, 10)?, number(taken_ms, 13)?)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}-{:013}", self.incarnation, self.taken_ms)
    }
}

/// When a snapshot counts as taken: not before the last one, whatever the clock says.
#[must_use]
pub fn next(incarnation: u64, now_ms: u64, last: Option<Name>) -> Option<Name> {
    let after = last
        .filter(|last| last.incarnation == incarnation)
        .map_or(0, |last| last.taken_ms + 1);
    Name::new(incarnation, now_ms.max(after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = Name> {
        (0..=MAX_INCARNATION, 0..=MAX_TAKEN_MS).prop_filter_map("a name", |(i, t)| Name::new(i, t))
    }

    #[test]
    fn a_name_is_ten_and_thirteen_digits() {
        let name = Name::new(3, 1_700_000_000_123).unwrap();
        assert_eq!(name.to_string(), "0000000003-1700000000123");
        for text in [
            "",
            "-",
            "3-1700000000123",
            "0000000003-170000000012",
            "0000000003-17000000001234",
            "+000000003-1700000000123",
            "0000000003_1700000000123",
            "0000000003-1700000000123.json",
            "../0000003-1700000000123",
        ] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
        assert_eq!(Name::new(MAX_INCARNATION + 1, 0), None);
        assert_eq!(Name::new(0, MAX_TAKEN_MS + 1), None);
    }

    proptest! {
        #[test]
        fn names_sort_as_texts_do_and_are_read_as_they_are_written(a in name(), b in name()) {
            prop_assert_eq!(Name::parse(&a.to_string()), Some(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn any_text_is_a_name_or_none(text in "[-0-9]{0,30}") {
            if let Some(name) = Name::parse(&text) {
                prop_assert_eq!(name.to_string(), text);
            }
        }

        #[test]
        fn a_snapshot_comes_after_the_last_of_its_life(
            last in name(), incarnation in 0..=MAX_INCARNATION, now in 0..MAX_TAKEN_MS,
        ) {
            let incarnation = incarnation.max(last.incarnation());
            match next(incarnation, now, Some(last)) {
                Some(name) => prop_assert!(name > last && name.taken_ms() >= now, "{} after {}", name, last),
                None => prop_assert_eq!(last.taken_ms(), MAX_TAKEN_MS),
            }
        }
    }
}
