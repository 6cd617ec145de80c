//! Versions of objects that are documents: where a document stands in its index's order.
//!
//! Invariant: the text is `SEQUENCE.TERM`, and reads back as itself.

use std::{fmt, str::FromStr};

/// Which state of a document is meant, as `if_seq_no` and `if_primary_term` ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// `_seq_no`.
    pub seq_no: u64,
    /// `_primary_term`.
    pub primary_term: u64,
}

/// Why a text is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version: give the one that was read, like `5.1`")]
pub struct VersionError(String);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq_no, self.primary_term)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let number = |digits: &str| {
            let plain = digits == "0" || !digits.starts_with(['0', '+']);
            plain.then(|| digits.parse::<u64>().ok()).flatten()
        };
        text.split_once('.')
            .and_then(|(seq_no, primary_term)| {
                Some(Self {
                    seq_no: number(seq_no)?,
                    primary_term: number(primary_term)?,
                })
            })
            .ok_or_else(|| VersionError(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_version_reads_back_as_itself(seq_no in any::<u64>(), primary_term in any::<u64>()) {
            let version = Version { seq_no, primary_term };
            prop_assert_eq!(version.to_string().parse(), Ok(version));
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "[0-9.+a]{0,12}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }
    }
}
