//! From what went wrong to a `tonic::Status` with the coded detail that clients show.

use bytes::Bytes;
use tonic::{Code, Status};
use wharf_proto::coded;
use wharf_proto::listing::ListError;
use wharf_proto::v1::ErrorInfo;

use crate::codes;
use crate::storage::StorageError;

/// A status with code and hint.
pub(crate) fn coded_status(
    code: Code,
    wharf_code: &str,
    message: impl Into<String>,
    hint: &str,
) -> Status {
    build(code, wharf_code, "", &message.into(), hint)
}

/// A status about one field of the request.
pub(crate) fn field_status(field: &str, message: impl Into<String>, hint: &str) -> Status {
    build(
        Code::InvalidArgument,
        codes::FIELD,
        field,
        &message.into(),
        hint,
    )
}

fn build(code: Code, wharf_code: &str, field: &str, message: &str, hint: &str) -> Status {
    let retryable = matches!(
        code,
        Code::Unavailable | Code::Aborted | Code::ResourceExhausted | Code::DeadlineExceeded
    );
    let info = ErrorInfo {
        code: wharf_code.to_owned(),
        field: field.to_owned(),
        hint: hint.to_owned(),
        retryable,
    };
    let details = coded::encode(code as i32, message, &info);
    Status::with_details(code, message, Bytes::from(details))
}

/// The storage did not do what was asked.
pub(crate) fn of_storage(error: &StorageError) -> Status {
    let text = error.to_string();
    match error {
        StorageError::Timeout(_) => coded_status(
            Code::DeadlineExceeded,
            codes::SLOW,
            text,
            "narrow the search or allow it more time",
        ),
        error if error.may_pass() => coded_status(
            Code::Unavailable,
            codes::STORAGE,
            text,
            "see to the deployment's storage node, then try again",
        ),
        _ => coded_status(
            Code::FailedPrecondition,
            codes::REFUSED,
            text,
            "the reason is the storage's own; change the request accordingly",
        ),
    }
}

/// A list that cannot be given as asked.
pub(crate) fn of_list(error: &ListError) -> Status {
    field_status(error.field(), error.to_string(), &error.hint)
}

/// There is no such object.
pub(crate) fn not_found(noun: &str, name: &str) -> Status {
    let name: String = name.chars().take(80).collect();
    coded_status(
        Code::NotFound,
        codes::NOT_FOUND,
        format!("there is no {noun} `{name}`"),
        "list them to see the names",
    )
}

/// The object is of another version.
pub(crate) fn conflict(noun: &str, name: &str) -> Status {
    coded_status(
        Code::FailedPrecondition,
        codes::CONFLICT,
        format!("the {noun} `{name}` was changed meanwhile, or is there already"),
        "read it again and repeat the change on what is there now",
    )
}

/// An error of the instance itself; the log has the details.
pub(crate) fn internal(error: impl std::fmt::Display) -> Status {
    tracing::error!(%error, code = codes::INTERNAL, "a request failed");
    coded_status(
        Code::Internal,
        codes::INTERNAL,
        "the monitoring node failed to answer",
        "its log says why",
    )
}
