//! Ids of the platform's objects: 32 lower-case hex characters, as ECE's clients insist.
//! Made by the shells (which have randomness), checked here. Not here: how they are made.

use std::{borrow::Borrow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id: give 32 characters of 0-9 and a-f")]
pub struct IdError {
    /// The text that was refused, cut to 40 characters.
    pub text: String,
}

/// Whether a text is 32 lower-case hex characters.
#[must_use]
pub fn is_id(text: &str) -> bool {
    text.len() == 32
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The id made of 16 random bytes.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_id(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { text: text.chars().take(40).collect() })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// A platform: one Raft group and everything it keeps.
    PlatformId
);
id!(
    /// A director: one member of the Raft group.
    DirectorId
);
id!(
    /// An allocator, which is a host's agent.
    AllocatorId
);
id!(
    /// A proxy.
    ProxyId
);
id!(
    /// What a user asked for.
    DeploymentId
);
id!(
    /// One clustered part of a deployment.
    ResourceId
);
id!(
    /// One container of a resource.
    InstanceId
);
id!(
    /// An immutable way to a desired state.
    PlanId
);
id!(
    /// Made by a client for one mutation; the same id means the same request.
    RequestId
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_of_bytes_reads_back_as_itself() {
        let id = DeploymentId::from_bytes([0xab; 16]);
        assert_eq!(id.as_str(), "ab".repeat(16));
        assert_eq!(id.as_str().parse::<DeploymentId>(), Ok(id));
    }

    #[test]
    fn upper_case_and_wrong_lengths_are_refused() {
        for text in [
            "",
            "abc",
            &"AB".repeat(16),
            &"ab".repeat(17),
            &"g0".repeat(16),
        ] {
            assert!(
                text.parse::<PlanId>().is_err(),
                "`{text}` should be refused"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_id_or_a_named_refusal(text in ".{0,60}") {
            match text.parse::<InstanceId>() {
                Ok(id) => prop_assert_eq!(id.to_string(), text),
                Err(error) => prop_assert!(error.text.chars().count() <= 40),
            }
        }
    }
}
