//! Commands about the platform itself: setting up, feature level, settings, sealed secrets,
//! routes' generation, health transitions, audit lines.

use serde::{Deserialize, Serialize};
use wharf_proto::ids::{DirectorId, PlatformId};

use crate::state::AuditPlace;

/// Names the platform and makes its first admin. The system deployment is a command of its own
/// (`CreateDeployment` with `system_owned`), because its secrets are made by the leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapPlatform {
    /// The platform's id.
    pub platform_id: PlatformId,
    /// Its name.
    pub name: String,
    /// Deployments answer at `<alias>.<domain>`.
    pub domain: String,
    /// The proxies' HTTPS port.
    pub proxy_https_port: u16,
    /// The director that sets it up.
    pub director_id: DirectorId,
    /// Login name of the first admin.
    pub admin_username: String,
    /// Argon2 hash in PHC form.
    pub admin_password_hash: String,
}

/// Raises the feature level; proposed only when every member supports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaiseFeatureLevel {
    /// The new level.
    pub level: u64,
}

/// Sets or clears a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetSetting {
    /// Its key; `settings::KNOWN` lists them.
    pub key: String,
    /// Its value; none clears it.
    pub value: Option<String>,
    /// Refuse when the setting has another version; zero does not check.
    pub expected_version: u64,
}

/// Keeps bytes sealed with the platform key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PutSecret {
    /// For example `deployment/<id>/credentials`, `instance/<id>/identity`.
    pub name: String,
    /// The sealed bytes as text; opaque.
    pub sealed: String,
}

/// Forgets sealed bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveSecret {
    /// Its name.
    pub name: String,
}

/// The leader's route table has other content than the last published one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishRoutes {
    /// The generation that the leader starts from.
    pub from_generation: u64,
    /// Digest of the new content (`reconcile::route::RouteContent::digest`).
    pub digest: String,
}

/// A subject became well or unwell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportHealthTransition {
    /// `allocator`, `deployment`, `proxy`, `plan`, `platform`.
    pub subject_kind: String,
    /// Its id or name.
    pub subject: String,
    /// The problem's code; empty: it is well again.
    pub code: String,
    /// What is wrong.
    pub message: String,
}

/// Subjects became well or unwell: what was found at one look, as far as a command has room. Members know it
/// from [`HEALTH_LEVEL`](crate::state::HEALTH_LEVEL) on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportHealthTransitions {
    /// One subject each.
    pub transitions: Vec<ReportHealthTransition>,
}

/// Writes a line of the audit log and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoteAudit {
    /// What was done: `read_credentials`.
    pub action: String,
    /// On what: `deployment/<id>`.
    pub subject: String,
    /// How and why, for people; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Where it was; from [`HOSTS_NOTED_LEVEL`](crate::state::HOSTS_NOTED_LEVEL) on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<AuditPlace>,
}
