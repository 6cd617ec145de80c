//! How a command fails: one coded line for the person, one exit code for the program. Printed
//! once, by `main`. Not here: the failures of roles, which are logged.

use std::fmt;

use wharf_proto::v1::ErrorInfo;

/// Exit code of a command that failed for no more special reason.
pub(crate) const EXIT_FAILED: u8 = 1;
/// What was named does not exist.
pub(crate) const EXIT_NOT_FOUND: u8 = 3;
/// The plan that was followed failed.
pub(crate) const EXIT_PLAN_FAILED: u8 = 4;
/// The director, proxy or engine could not be reached.
pub(crate) const EXIT_UNREACHABLE: u8 = 5;
/// The platform is not healthy (`wharf status --check`).
pub(crate) const EXIT_UNHEALTHY: u8 = 6;
/// The person ended the watching; what was watched goes on. As shells have it for SIGINT.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Error code with a page, `CLI0001`; empty when there is none.
    pub(crate) code: String,
    pub(crate) message: String,
    /// What the user can do, empty when the message says it.
    pub(crate) hint: String,
    pub(crate) exit: u8,
}

impl Failure {
    /// A failure of the command line itself.
    pub(crate) fn new(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            hint: hint.into(),
            exit: EXIT_FAILED,
        }
    }

    pub(crate) fn exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error")?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        write!(f, ": {}", self.message)?;
        if !self.hint.is_empty() {
            write!(f, "\n  what to do: {}", self.hint)?;
        }
        Ok(())
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        let exit = match status.code() {
            tonic::Code::NotFound => EXIT_NOT_FOUND,
            tonic::Code::Unavailable | tonic::Code::DeadlineExceeded => EXIT_UNREACHABLE,
            _ => EXIT_FAILED,
        };
        if let Some(ErrorInfo {
            code, field, hint, ..
        }) = wharf_proto::coded::decode(status.details())
        {
            let message = if field.is_empty() {
                status.message().to_owned()
            } else {
                format!("{field}: {}", status.message())
            };
            return Self {
                code,
                message,
                hint,
                exit,
            };
        }
        match status.code() {
            tonic::Code::Unavailable => Self::new(
                "CLI0001",
                format!("the director did not answer: {}", status.message()),
                "see that the platform is up with `docker ps`, and that --director names its admin port",
            ),
            tonic::Code::Unauthenticated => Self::new(
                "CLI0003",
                "the director does not accept these credentials",
                "give --username and --password-file, or use the profile that `wharf up` wrote",
            ),
            code => Self::new("CLI0002", format!("{}: {}", code.description(), status.message()), ""),
        }
        .exit(exit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coded_status_keeps_its_code_field_and_hint() {
        let info = ErrorInfo {
            code: "DIR0012".into(),
            field: "name".into(),
            hint: "choose a shorter name".into(),
            retryable: false,
        };
        let details = wharf_proto::coded::encode(3, "it is too long", &info);
        let status = tonic::Status::with_details(
            tonic::Code::InvalidArgument,
            "it is too long",
            details.into(),
        );
        let failure = Failure::from(status);
        assert_eq!(
            failure.to_string(),
            "error DIR0012: name: it is too long\n  what to do: choose a shorter name"
        );
        assert_eq!(failure.exit, EXIT_FAILED);
    }

    #[test]
    fn what_does_not_exist_has_an_exit_code_of_its_own() {
        assert_eq!(
            Failure::from(tonic::Status::not_found("no")).exit,
            EXIT_NOT_FOUND
        );
        assert_eq!(
            Failure::from(tonic::Status::unavailable("no")).exit,
            EXIT_UNREACHABLE
        );
    }
}
