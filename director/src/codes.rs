//! Codes of what the director's shell refuses; each has a page in `docs/errors/`. Not here: the
//! core's codes (`wharf_director_core::refusal::codes`).

/// No credentials, or wrong ones.
pub const UNAUTHENTICATED: &str = "DIR0050";
/// The caller may not use the method.
pub const FORBIDDEN: &str = "DIR0051";
/// Too many wrong passwords.
pub const TOO_MANY_GUESSES: &str = "DIR0052";
/// The method declares nobody who may call it.
pub const NO_CALLER: &str = "DIR0053";
/// This director does not lead.
pub const NOT_LEADER: &str = "DIR0054";
/// Leadership was lost while a change was under way.
pub const OUTCOME_UNKNOWN: &str = "DIR0055";
/// Too much is under way.
pub const BUSY: &str = "DIR0056";
/// A mutation without a usable request id.
pub const REQUEST_ID: &str = "DIR0057";
/// A stream was named wrongly or is not open.
pub const STREAM: &str = "DIR0058";
/// The deadline has passed.
pub const DEADLINE: &str = "DIR0059";
/// A session is not its certificate's, speaks wrongly or was silent.
pub const SESSION: &str = "DIR0070";
/// A certificate request was refused.
pub const CERTIFICATE: &str = "DIR0071";
/// A sealed secret cannot be opened.
pub const SEALED: &str = "DIR0072";
/// The method does not exist.
pub const NO_METHOD: &str = "DIR0073";
/// The director is the only one with a vote.
pub const LAST_VOTER: &str = "DIR0082";
/// Another change of the directors is under way.
pub const CHANGE_PENDING: &str = "DIR0083";
/// Leadership cannot be handed over.
pub const TRANSFER: &str = "DIR0084";
/// A call of a browser that the admin UI did not make.
pub const NOT_THE_UI: &str = "DIR0085";
/// A deployment has no monitoring node that takes requests.
pub const NO_MONITORING: &str = "DIR0086";
/// A deployment's monitoring node does not answer.
pub const MONITORING_AWAY: &str = "DIR0087";
/// A deployment's monitoring node does not take the deployment's credentials.
pub const MONITORING_REFUSES: &str = "DIR0088";
/// What is to be summed up is not one of those that can be.
pub const SUMMED_UP: &str = "DIR0089";
/// A token by which a host wants to join is unknown.
pub const UNKNOWN_TOKEN: &str = "DIR0074";
/// Too many tokens from an address were refused.
pub const TOO_MANY_TOKENS: &str = "DIR0075";
/// A connection to the roles' port showed no certificate that is trusted.
pub const HANDSHAKE: &str = "DIR0076";
/// An error of the director.
pub const INTERNAL: &str = "DIR0079";
