//! From what went wrong to a `tonic::Status` with the coded detail that clients show. Every error of
//! the API is made here. Not here: which codes there are (`codes`, the core's refusals).

use bytes::Bytes;
use tonic::{Code, Status};
use wharf_director_core::refusal::{Refusal, RefusalKind};
use wharf_proto::{coded, v1::ErrorInfo};

use crate::{codes, propose::ProposalError, raft::ProposeError};

/// A status with code and hint.
#[must_use]
pub fn coded_status(
    code: Code,
    wharf_code: &str,
    message: impl Into<String>,
    hint: &str,
) -> Status {
    build(
        code,
        &message.into(),
        ErrorInfo {
            code: wharf_code.to_owned(),
            field: String::new(),
            hint: hint.to_owned(),
            retryable: matches!(
                code,
                Code::Unavailable | Code::Aborted | Code::ResourceExhausted
            ),
        },
    )
}

/// A status about one field of the request.
#[must_use]
pub fn field_status(
    wharf_code: &str,
    field: &str,
    message: impl Into<String>,
    hint: &str,
) -> Status {
    build(
        Code::InvalidArgument,
        &message.into(),
        ErrorInfo {
            code: wharf_code.to_owned(),
            field: field.to_owned(),
            hint: hint.to_owned(),
            retryable: false,
        },
    )
}

fn build(code: Code, message: &str, info: ErrorInfo) -> Status {
    let details = coded::encode(code as i32, message, &info);
    Status::with_details(code, message, Bytes::from(details))
}

/// An error of the director itself; the log has the details.
pub fn internal(error: impl std::fmt::Display) -> Status {
    tracing::error!(%error, code = codes::INTERNAL, "a request failed");
    coded_status(
        Code::Internal,
        codes::INTERNAL,
        "the director failed to answer",
        "the director's log says why",
    )
}

/// This director cannot answer because it does not lead.
#[must_use]
pub fn not_leading() -> Status {
    coded_status(
        Code::Unavailable,
        codes::NOT_LEADER,
        "this director does not lead",
        "retry in a moment, or at another director",
    )
}

/// The status of a refusal.
#[must_use]
pub fn refused(refusal: &Refusal) -> Status {
    let code = match refusal.kind {
        RefusalKind::InvalidArgument => Code::InvalidArgument,
        RefusalKind::NotFound => Code::NotFound,
        RefusalKind::AlreadyExists => Code::AlreadyExists,
        RefusalKind::FailedPrecondition => Code::FailedPrecondition,
        RefusalKind::Aborted => Code::Aborted,
        RefusalKind::ResourceExhausted => Code::ResourceExhausted,
    };
    build(
        code,
        &refusal.message,
        ErrorInfo {
            code: refusal.code.clone(),
            field: refusal.field.clone(),
            hint: refusal.hint.clone(),
            retryable: refusal.retryable,
        },
    )
}

impl From<ProposalError> for Status {
    fn from(error: ProposalError) -> Self {
        let again = "retry with the same request id";
        match error {
            ProposalError::Refused(refusal) => refused(&refusal),
            ProposalError::Raft(ProposeError::NotLeader { .. }) => not_leading(),
            ProposalError::Raft(ProposeError::Busy) => coded_status(
                Code::ResourceExhausted,
                codes::BUSY,
                "too many changes are under way",
                again,
            ),
            ProposalError::Raft(ProposeError::OutcomeUnknown | ProposeError::Stopped)
            | ProposalError::Late => coded_status(
                Code::Unavailable,
                codes::OUTCOME_UNKNOWN,
                "the outcome of the change is unknown",
                again,
            ),
            ProposalError::Raft(ProposeError::ChangePending | ProposeError::Behind { .. }) => {
                coded_status(
                    Code::Aborted,
                    codes::CHANGE_PENDING,
                    "another change of the directors is under way",
                    again,
                )
            }
            other => internal(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_its_code_field_and_hint_on_the_wire() {
        let refusal = Refusal::new(RefusalKind::AlreadyExists, "DIR0013", "taken")
            .field("alias")
            .hint("choose another");
        let status = refused(&refusal);
        assert_eq!(status.code(), Code::AlreadyExists);
        let info = coded::decode(status.details()).unwrap();
        assert_eq!(
            (info.code.as_str(), info.field.as_str()),
            ("DIR0013", "alias")
        );
        assert!(!info.retryable);
    }

    #[test]
    fn a_lost_leadership_asks_for_the_same_request_again() {
        let status = Status::from(ProposalError::Raft(ProposeError::OutcomeUnknown));
        assert_eq!(status.code(), Code::Unavailable);
        assert!(coded::decode(status.details()).unwrap().retryable);
    }
}
