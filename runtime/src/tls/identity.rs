//! Who a certificate says its holder is: `wharf://<platform>/<role>/<id>` in the subject alternative names.
//!
//! Invariants: every part is 1 to 64 characters of `a-z0-9-_.`, so an identity and its URI are one to one;
//! a certificate with two such URIs names nobody. Not here: whether the certificate is to be trusted.

use std::fmt;
use std::str::FromStr;

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Role of a control-plane process.
pub const ROLE_DIRECTOR: &str = "director";
/// Role of the agent of a host.
pub const ROLE_ALLOCATOR: &str = "allocator";
/// Role of a router.
pub const ROLE_PROXY: &str = "proxy";
/// Role of a container that the platform placed.
pub const ROLE_INSTANCE: &str = "instance";

const SCHEME: &str = "wharf://";

/// A holder of a platform certificate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// Id of the platform.
    pub platform: String,
    /// One of the roles.
    pub role: String,
    /// Id of the member, host, proxy or instance.
    pub id: String,
}

/// Why a text is no identity.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an identity: write wharf://PLATFORM/ROLE/ID with parts of a-z, 0-9, '-', '_' and '.'")]
pub struct IdentityError;

impl Identity {
    /// An identity of these parts.
    ///
    /// # Errors
    /// When a part is empty, too long, or has other characters.
    pub fn new(
        platform: impl Into<String>,
        role: impl Into<String>,
        id: impl Into<String>,
    ) -> Result<Self, IdentityError> {
        let made = Self {
            platform: platform.into(),
            role: role.into(),
            id: id.into(),
        };
        let parts = [&made.platform, &made.role, &made.id];
        if parts.into_iter().all(|part| is_part(part)) {
            Ok(made)
        } else {
            Err(IdentityError)
        }
    }

    /// The URI that stands in certificates.
    pub fn to_uri(&self) -> String {
        self.to_string()
    }

    /// The identity that a certificate names.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let names = parsed.subject_alternative_name().ok()??;
        let mut found = names
            .value
            .general_names
            .iter()
            .filter_map(|name| match name {
                GeneralName::URI(uri) if uri.starts_with(SCHEME) => Some(*uri),
                _ => None,
            });
        let uri = found.next()?;
        found.next().is_none().then(|| uri.parse().ok())?
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}/{}", self.platform, self.role, self.id)
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let mut parts = text.strip_prefix(SCHEME).ok_or(IdentityError)?.split('/');
        let (Some(platform), Some(role), Some(id), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(IdentityError);
        };
        Self::new(platform, role, id)
    }
}

fn is_part(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'-' | b'_' | b'.')
        })
}

/// Whom a client wants to find at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedIdentity {
    /// The platform, when it is known already.
    pub platform: Option<String>,
    /// The role.
    pub role: String,
    /// One member of it, or any.
    pub id: Option<String>,
}

impl ExpectedIdentity {
    /// Anybody of a role.
    pub fn role(role: impl Into<String>) -> Self {
        Self {
            platform: None,
            role: role.into(),
            id: None,
        }
    }

    /// One holder.
    pub fn exactly(identity: &Identity) -> Self {
        Self {
            platform: Some(identity.platform.clone()),
            role: identity.role.clone(),
            id: Some(identity.id.clone()),
        }
    }

    /// The same, of this platform only.
    #[must_use]
    pub fn on_platform(mut self, platform: impl Into<String>) -> Self {
        self.platform = Some(platform.into());
        self
    }

    /// The same, with this id only.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Whether `identity` is who is expected.
    pub fn matches(&self, identity: &Identity) -> bool {
        self.platform
            .as_ref()
            .is_none_or(|platform| *platform == identity.platform)
            && self.role == identity.role
            && self.id.as_ref().is_none_or(|id| *id == identity.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_uris_are_refused() {
        for text in [
            "",
            "wharf://",
            "wharf://a/b",
            "wharf://a/b/c/d",
            "wharf://a//c",
            "wharf://A/b/c",
            "http://a/b/c",
            "wharf://a/b/c\n",
        ] {
            assert_eq!(text.parse::<Identity>(), Err(IdentityError), "{text:?}");
        }
    }

    #[test]
    fn an_expectation_is_as_narrow_as_it_was_made() {
        let me = Identity::new("p", ROLE_PROXY, "1").unwrap();
        assert!(ExpectedIdentity::role("proxy").matches(&me));
        assert!(ExpectedIdentity::exactly(&me).matches(&me));
        assert!(!ExpectedIdentity::role("director").matches(&me));
        assert!(!ExpectedIdentity::role("proxy").with_id("2").matches(&me));
        assert!(
            !ExpectedIdentity::role("proxy")
                .on_platform("q")
                .matches(&me)
        );
    }

    proptest! {
        #[test]
        fn an_identity_is_its_uri(p in "[a-z0-9_.-]{1,64}", r in "[a-z]{1,20}", i in "[0-9a-f]{32}") {
            let identity = Identity::new(p, r, i).unwrap();
            prop_assert_eq!(identity.to_uri().parse::<Identity>().unwrap(), identity);
        }

        #[test]
        fn any_text_is_parsed_without_a_panic(text in "\\PC{0,80}") {
            drop(text.parse::<Identity>());
        }
    }
}
