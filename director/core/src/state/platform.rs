//! Records of the platform itself: its identity, proxies, settings, sealed secrets, the
//! audit log and the memory of requests. Secrets are opaque here; who seals and opens them is the
//! shell.

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{DirectorId, PlatformId, ProxyId, RequestId};

use crate::outcome::Outcome;

/// The platform's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformRecord {
    /// Its id.
    pub id: PlatformId,
    /// Its name.
    pub name: String,
    /// Deployments answer at `<alias>.<domain>`.
    pub domain: String,
    /// The proxies' HTTPS port.
    pub proxy_https_port: u16,
    /// The director that set it up.
    pub first_director: DirectorId,
    /// When it was set up.
    pub created_ms: u64,
    /// When the director that set it up was removed, which its host is told; zero: it was not.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub first_director_removed_ms: u64,
}

/// A proxy that belongs to the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyRecord {
    /// Its id.
    pub id: ProxyId,
    /// Name of its host.
    pub host: String,
    /// Availability zone.
    pub zone: String,
    /// When it was first seen.
    pub created_ms: u64,
    /// When this record changed last.
    pub changed_ms: u64,
    /// Grows with every change of this record.
    pub version: u64,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingRecord {
    /// Its value as text.
    pub value: String,
    /// When it changed last.
    pub changed_ms: u64,
    /// Grows with every change.
    pub version: u64,
}

/// Bytes sealed with the platform key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRecord {
    /// The sealed bytes, base64 or hex as the shell likes; opaque here.
    pub sealed: String,
    /// When it changed last.
    pub changed_ms: u64,
    /// Grows with every change.
    pub version: u64,
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// Its number, without gaps from the first.
    pub number: u64,
    /// When.
    pub at_ms: u64,
    /// Who: a user's name, `system`, or `allocator/<id>`.
    pub actor: String,
    /// What: the command's name.
    pub action: String,
    /// On what, for example `deployment/<id>`.
    pub subject: String,
    /// `done`, or the refusal's code.
    pub result: String,
    /// How and why, for people; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Where it was; none of what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<AuditPlace>,
}

/// Where something was observed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditPlace {
    /// Name of the host; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
    /// Id of the deployment; empty where there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub deployment_id: String,
}

/// The answer that a request got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RememberedRequest {
    /// When it was first applied.
    pub at_ms: u64,
    /// Digest of what was asked, so that a reused id is noticed.
    pub digest: String,
    /// What was answered.
    pub outcome: Outcome,
}

/// A request in the order of arrival, so that old ones can be forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestAge {
    /// When it was applied.
    pub at_ms: u64,
    /// Which.
    pub id: RequestId,
}

/// The routes' generation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteRecord {
    /// Grows when the table's content changes.
    pub generation: u64,
    /// Digest of the content at that generation.
    pub digest: String,
}

/// A health transition that was reported: the current problem of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthRecord {
    /// The problem's code; empty when it is well.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// Since when.
    pub since_ms: u64,
}
