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
    /// The page size is out of range.
    pub const PAGE_SIZE: &str = "DIR0040";
    /// The page token is not one of ours.
    pub const PAGE_TOKEN: &str = "DIR0041";
    /// The filter cannot be read.
    pub const FILTER: &str = "DIR0042";
    /// The order cannot be read.
    pub const ORDER: &str = "DIR0043";
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
}
