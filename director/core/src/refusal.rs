//! Refusals: what a command or a request gets when it is not done. One code, the field at fault,
//! a hint. A refusal changes nothing. Not here: how it becomes a gRPC status (the API's shell);
//! what each code means (`docs/errors/`).

use serde::{Deserialize, Serialize};
use wharf_proto::listing::{ListError, Mistake};

/// What sort of refusal it is; the API maps each to one gRPC code and one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The request is wrong whatever the state.
    InvalidArgument,
    /// The object does not exist.
    NotFound,
    /// The object exists already.
    AlreadyExists,
    /// The state does not allow it.
    FailedPrecondition,
    /// Somebody else was quicker; read again and retry.
    Aborted,
    /// There is no room.
    ResourceExhausted,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// For example `DIR0012`.
    pub code: String,
    /// What sort of refusal.
    pub kind: RefusalKind,
    /// The request field at fault; empty when none is.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What the user can do.
    pub hint: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl Refusal {
    /// A refusal without field and hint.
    #[must_use]
    pub fn new(kind: RefusalKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            kind,
            field: String::new(),
            message: message.into(),
            hint: String::new(),
            retryable: matches!(kind, RefusalKind::Aborted | RefusalKind::ResourceExhausted),
        }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// Says what the user can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// An object that does not exist.
    #[must_use]
    pub fn not_found(noun: &str, id: impl std::fmt::Display) -> Self {
        Self::new(
            RefusalKind::NotFound,
            codes::NOT_FOUND,
            format!("there is no {noun} `{}`", cut(&id.to_string(), 64)),
        )
        .field(noun)
        .hint(format!("`wharf {noun} list` shows what there is"))
    }

    /// The version that the caller expected is not the object's.
    #[must_use]
    pub fn version(noun: &str, expected: u64, found: u64) -> Self {
        Self::new(
            RefusalKind::Aborted,
            codes::VERSION,
            format!("the {noun} has version {found}, not {expected}"),
        )
        .field("mutation.expected_version")
        .hint("read it again and repeat the change")
    }
}

impl From<ListError> for Refusal {
    fn from(error: ListError) -> Self {
        let code = match error.mistake {
            Mistake::PageSize => codes::PAGE_SIZE,
            Mistake::PageToken => codes::PAGE_TOKEN,
            Mistake::Filter => codes::FILTER,
            Mistake::Order => codes::ORDER,
        };
        let field = error.field();
        Self::new(RefusalKind::InvalidArgument, code, error.message)
            .field(field)
            .hint(error.hint)
    }
}

/// A text cut to at most `limit` bytes at a character boundary.
#[must_use]
pub fn cut(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Every code of this package.
pub mod codes {
    /// A command in the log that this version does not know.
    pub const UNKNOWN_COMMAND: &str = "DIR0001";
    /// A snapshot that cannot be read.
    pub const BAD_SNAPSHOT: &str = "DIR0002";
    /// The platform is not set up yet.
    pub const NOT_BOOTSTRAPPED: &str = "DIR0003";
    /// The platform is set up already.
    pub const BOOTSTRAPPED: &str = "DIR0004";
    /// The feature level cannot be set so.
    pub const FEATURE_LEVEL: &str = "DIR0005";
    /// The same request id came with another request.
    pub const REQUEST_REUSED: &str = "DIR0006";
    /// The object has another version.
    pub const VERSION: &str = "DIR0007";
    /// The object does not exist.
    pub const NOT_FOUND: &str = "DIR0008";
    /// The id is taken.
    pub const ID_TAKEN: &str = "DIR0009";
    /// The name of a deployment is empty or has forbidden characters.
    pub const NAME: &str = "DIR0010";
    /// The alias is no DNS label.
    pub const ALIAS: &str = "DIR0011";
    /// The name is too long.
    pub const NAME_LONG: &str = "DIR0012";
    /// Another deployment has the alias.
    pub const ALIAS_TAKEN: &str = "DIR0013";
    /// The alias is the platform's.
    pub const ALIAS_RESERVED: &str = "DIR0014";
    /// There is no such template.
    pub const TEMPLATE: &str = "DIR0015";
    /// A size is outside of what the instance configuration admits.
    pub const SIZE_RANGE: &str = "DIR0016";
    /// A size is not a multiple of 1 MiB.
    pub const SIZE_MULTIPLE: &str = "DIR0017";
    /// A zone count is out of range.
    pub const ZONES: &str = "DIR0018";
    /// The template has no resource of that kind.
    pub const RESOURCE_KIND: &str = "DIR0019";
    /// No room for the instances.
    pub const CAPACITY: &str = "DIR0020";
    /// The deployment is being deleted.
    pub const DELETING: &str = "DIR0021";
    /// The deployment is the platform's own.
    pub const SYSTEM_OWNED: &str = "DIR0022";
    /// A plan is pending.
    pub const PLAN_PENDING: &str = "DIR0023";
    /// The plan's parent is no longer current.
    pub const PLAN_PARENT: &str = "DIR0024";
    /// The step is not in the state that the transition starts from.
    pub const STALE_STEP: &str = "DIR0025";
    /// A placement no longer fits.
    pub const PLACEMENT: &str = "DIR0026";
    /// The host, zone, tags, address or ports of an allocator are wrong.
    pub const ALLOCATOR: &str = "DIR0027";
    /// A user's name, role or password hash is wrong.
    pub const USER: &str = "DIR0028";
    /// The user exists.
    pub const USER_EXISTS: &str = "DIR0029";
    /// A setting is unknown or its value is wrong.
    pub const SETTING: &str = "DIR0030";
    /// A secret is too large or badly named.
    pub const SECRET: &str = "DIR0031";
    /// The template itself is wrong.
    pub const TEMPLATE_BROKEN: &str = "DIR0032";
    /// The last platform admin cannot be removed.
    pub const LAST_ADMIN: &str = "DIR0033";
    /// A channel is wrong, or exists.
    pub const CHANNEL: &str = "DIR0034";
    /// A channel is named by the settings.
    pub const CHANNEL_USED: &str = "DIR0035";
    /// A token is wrong, or there are too many.
    pub const TOKEN: &str = "DIR0036";
    /// The deployment is terminated.
    pub const TERMINATED: &str = "DIR0037";
    /// Nothing would be different.
    pub const NOTHING_TO_DO: &str = "DIR0038";
    /// A disk cannot become smaller.
    pub const DISK_SHRINK: &str = "DIR0039";
    /// The page size is out of range.
    pub const PAGE_SIZE: &str = "DIR0040";
    /// The page token is not one of ours.
    pub const PAGE_TOKEN: &str = "DIR0041";
    /// The filter cannot be read.
    pub const FILTER: &str = "DIR0042";
    /// The order cannot be read.
    pub const ORDER: &str = "DIR0043";
    /// The plan has ended, or removes data already: it cannot be cancelled.
    pub const PLAN_CANCEL: &str = "DIR0044";
    /// The plan cannot be applied again.
    pub const PLAN_REAPPLY: &str = "DIR0045";
    /// There is no instance that this could be done to.
    pub const NO_INSTANCE: &str = "DIR0046";
    /// An instance cannot be moved so.
    pub const MOVE: &str = "DIR0090";
    /// What becomes of a lost host's data cannot be so.
    pub const HOST_LOSS: &str = "DIR0091";
    /// An instance is paused, or is not.
    pub const PAUSED: &str = "DIR0092";
    /// Data could not be brought to another host.
    pub const PLAN_COPY: &str = "DIR0093";
    /// An allocator cannot be changed so.
    pub const ALLOCATOR_CHANGE: &str = "DIR0094";
    /// A host cannot be emptied so.
    pub const VACATE: &str = "DIR0095";
    /// A repository is wrong, or exists.
    pub const REPOSITORY: &str = "DIR0096";
    /// A repository is used by deployments.
    pub const REPOSITORY_USED: &str = "DIR0097";
    /// Snapshots cannot be kept or taken so.
    pub const SNAPSHOT_POLICY: &str = "DIR0098";
    /// A session of a browser cannot be begun so.
    pub const SESSION_ID: &str = "DIR0099";
    /// A zone cannot have that location.
    pub const ZONE_LOCATION: &str = "DIR0100";
    /// What a director says of itself is wrong, or there are too many.
    pub const DIRECTOR: &str = "DIR0080";
    /// The director was removed.
    pub const DIRECTOR_REMOVED: &str = "DIR0081";
    /// A token by which hosts join cannot be made so.
    pub const ENROLLMENT_TOKEN: &str = "DIR0047";
    /// A token by which hosts join is used, expired or revoked.
    pub const TOKEN_SPENT: &str = "DIR0048";
    /// A token does not carry the role.
    pub const TOKEN_ROLE: &str = "DIR0049";
    /// A plan found no room in time.
    pub const PLAN_NO_ROOM: &str = "DIR0060";
    /// An instance did not start in time.
    pub const PLAN_START: &str = "DIR0061";
    /// An instance did not become healthy in time.
    pub const PLAN_HEALTHY: &str = "DIR0062";
    /// The proxies did not take the route in time.
    pub const PLAN_ROUTE: &str = "DIR0063";
    /// An instance did not stop in time.
    pub const PLAN_STOP: &str = "DIR0064";
    /// An instance's data was not removed in time.
    pub const PLAN_REMOVE: &str = "DIR0065";
    /// No port was free on the host.
    pub const PLAN_PORT: &str = "DIR0066";
    /// The plan was replaced by the deletion of its deployment.
    pub const PLAN_REPLACED: &str = "DIR0067";
    /// A new password was not taken in time.
    pub const PLAN_PASSWORD: &str = "DIR0068";
    /// A host cannot join or be forgotten so.
    pub const HOST: &str = "DIR0069";
    /// The platform's authority cannot be changed now.
    pub const AUTHORITY: &str = "DIR0078";
    /// The host left.
    pub const HOST_LEFT: &str = "DIR0077";
    /// An allocator is silent.
    pub const ALLOCATOR_SILENT: &str = "DIR0101";
    /// A deployment is not healthy.
    pub const DEPLOYMENT_UNHEALTHY: &str = "DIR0102";
    /// The last plan of a deployment failed.
    pub const PLAN_FAILED: &str = "DIR0103";
    /// A plan waits for long.
    pub const PLAN_WAITS: &str = "DIR0104";
    /// A proxy is silent.
    pub const PROXY_SILENT: &str = "DIR0105";
    /// Collectors of a host do not ship.
    pub const COLLECTOR_SILENT: &str = "DIR0106";
    /// There is no allocator.
    pub const NO_ALLOCATOR: &str = "DIR0107";
    /// There is no proxy.
    pub const NO_PROXY: &str = "DIR0108";
    /// Collectors dropped documents.
    pub const COLLECTOR_DROPS: &str = "DIR0109";
    /// Most of a zone is silent: nothing of it is replaced.
    pub const ZONE_SICK: &str = "DIR0110";
    /// An instance waits for its lost host.
    pub const HOST_LOST: &str = "DIR0111";
    /// Snapshots of a storage node fail.
    pub const SNAPSHOTS_FAIL: &str = "DIR0112";
    /// A storage node was restored and its lost host is not back.
    pub const RESTORED: &str = "DIR0113";
}
