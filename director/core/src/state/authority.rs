//! The platform's certificate authorities: which one issues, which others are trusted, and how far the
//! change from one to the next has come. Invariants: the authority that issues is always trusted; at
//! most two are; keys are sealed and opaque here. There is no record before the first change: then the
//! authority that the platform was set up with issues and is trusted alone. Not here: when a phase may
//! end (`crate::authority`).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// An authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaRecord {
    /// SHA-256 of its certificate, lower-case hex: its name everywhere.
    pub sha256: String,
    /// Its certificate.
    pub certificate_pem: String,
    /// Key and certificate, sealed under the platform key.
    pub sealed: String,
}

/// How far a change has come. Each phase ends when every role was seen to have done its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorityPhase {
    /// No change is under way.
    Rest,
    /// Both are trusted; the old one issues.
    Trust,
    /// Both are trusted; the new one issues, and everybody gets a certificate of it.
    Issue,
    /// The one that does not issue is trusted no more.
    Retire,
}

impl AuthorityPhase {
    /// The word that people see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Trust => "trust",
            Self::Issue => "issue",
            Self::Retire => "retire",
        }
    }
}

/// The platform's authorities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityRecord {
    /// Grows with every phase: what roles say counts for the generation that they name.
    pub generation: u64,
    /// How far the change has come.
    pub phase: AuthorityPhase,
    /// The one that issues.
    pub issuing: CaRecord,
    /// The other one that is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<CaRecord>,
    /// The change is being taken back, or was.
    pub cancelled: bool,
    /// The phase `trust` lasts at least until then: clients outside cannot be seen.
    pub trust_until_ms: u64,
    /// Who asked for the change.
    pub actor: String,
    /// When it was asked for.
    pub begun_ms: u64,
    /// Since when this phase lasts.
    pub since_ms: u64,
}

impl AuthorityRecord {
    /// The SHA-256 of each that is trusted.
    #[must_use]
    pub fn trusted(&self) -> BTreeSet<String> {
        self.both().map(|ca| ca.sha256.clone()).collect()
    }

    /// The certificates that are trusted, as PEM: the one that issues comes first.
    #[must_use]
    pub fn bundle_pem(&self) -> String {
        self.both().map(|ca| ca.certificate_pem.as_str()).collect()
    }

    fn both(&self) -> impl Iterator<Item = &CaRecord> {
        std::iter::once(&self.issuing).chain(&self.other)
    }
}
