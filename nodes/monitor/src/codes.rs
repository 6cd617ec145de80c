//! Codes of what a monitoring instance refuses or cannot do; each has a page in `docs/errors/`.

/// The deployment's storage cannot be reached.
pub(crate) const STORAGE: &str = "MON0001";
/// A search took longer than its watch allows.
pub(crate) const SLOW: &str = "MON0002";
/// The storage refused a request.
pub(crate) const REFUSED: &str = "MON0003";
/// A document is no watch.
pub(crate) const BROKEN: &str = "MON0004";
/// No credentials, or wrong ones.
pub(crate) const UNAUTHENTICATED: &str = "MON0005";
/// The method is not for the credentials of a deployment.
pub(crate) const FORBIDDEN: &str = "MON0006";
/// There is no such object.
pub(crate) const NOT_FOUND: &str = "MON0007";
/// The object is of another version, or there already.
pub(crate) const CONFLICT: &str = "MON0008";
/// A field of the request is wrong.
pub(crate) const FIELD: &str = "MON0009";
/// There is no such method.
pub(crate) const NO_METHOD: &str = "MON0010";
/// The deadline has passed.
pub(crate) const DEADLINE: &str = "MON0011";
/// An error of the instance.
pub(crate) const INTERNAL: &str = "MON0012";
/// Runs were dropped because the storage was away for too long.
pub(crate) const LOST: &str = "MON0013";
/// The instance has not read the storage yet.
pub(crate) const STARTING: &str = "MON0014";
/// A call of a browser that the admin UI did not make.
pub(crate) const NOT_THE_UI: &str = "MON0015";
/// Too many wrong passwords.
pub(crate) const TOO_MANY_GUESSES: &str = "MON0016";
