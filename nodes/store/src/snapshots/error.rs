//! Why a repository cannot be used, and why a snapshot was not taken or restored.
//!
//! Invariants: a text names the repository and what can be done, and holds neither a key nor a signature; what a server answers
//! is cut to its code. Not here: the pages of the codes (`docs/errors`).

use std::io;
use std::time::Duration;

use object_store::path::Path;

/// Longest piece of a foreign text that is repeated.
const LONGEST: usize = 300;

/// Codes by which an S3 server refuses whoever asks.
const REFUSALS: [&str; 9] = [
    "AccessDenied",
    "AccountProblem",
    "AllAccessDisabled",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnauthorizedAccess",
];

/// Why a repository does not do what it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepositoryError {
    /// What the allocator wrote cannot be used.
    #[error(
        "STO0010: `repository.json` cannot be followed: {0}; check the repository with `wharf repository show`"
    )]
    Order(String),
    /// It does not answer, or not in time, or not sensibly.
    #[error(
        "STO0011: the repository `{0}` cannot be used: {1}; check that it can be reached from this host"
    )]
    Unusable(String, String),
    /// It answers and refuses.
    #[error(
        "STO0012: the repository `{0}` refuses access: {1}; check its keys with `wharf repository update`"
    )]
    Refused(String, String),
    /// Something that should be there is not.
    #[error(
        "STO0014: `{what}` is missing in the repository `{repository}`; choose another snapshot by deleting the one that needs it"
    )]
    Missing {
        /// Which repository.
        repository: String,
        /// Its name there.
        what: String,
    },
    /// Something is there and not what it should be.
    #[error(
        "STO0014: `{what}` in the repository `{repository}` is damaged: {why}; choose another snapshot by deleting the one that needs it"
    )]
    Damaged {
        /// Which repository.
        repository: String,
        /// Its name there.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// This host's own disk.
    #[error(
        "STO0015: cannot read or write this host's files: {0}; check the data directory's free space"
    )]
    Disk(#[source] io::Error),
    /// It was told when the repository was opened, with its code.
    #[error("{0}")]
    Told(String),
    /// The instance stops.
    #[error("STO0015: the instance stops; it goes on after the next start")]
    Stopped,
}

impl RepositoryError {
    /// What an error of the library means.
    pub(super) fn of(repository: &str, error: object_store::Error) -> Self {
        use object_store::Error;
        let name = repository.to_owned();
        match error {
            Error::NotFound { path, source } => match code(&source.to_string()) {
                // An answer about the bucket is none about an object.
                Some(code) if code == "NoSuchBucket" => Self::Unusable(name, code),
                _ => Self::Missing {
                    repository: name,
                    what: path,
                },
            },
            Error::PermissionDenied { source, .. } | Error::Unauthenticated { source, .. } => {
                Self::Refused(name, told(&*source))
            }
            error => {
                let why = told(&error);
                // A listing that is refused is no error of its own kind.
                match REFUSALS.contains(&why.as_str()) {
                    true => Self::Refused(name, why),
                    false => Self::Unusable(name, why),
                }
            }
        }
    }

    pub(super) fn late(repository: &str, within: Duration) -> Self {
        Self::Unusable(
            repository.to_owned(),
            format!("no answer within {within:?}"),
        )
    }

    /// Names what is missing as it was asked for.
    pub(super) fn missing(self, path: &Path) -> Self {
        match self {
            Self::Missing { repository, .. } => Self::Missing {
                repository,
                what: path.to_string(),
            },
            other => other,
        }
    }

    /// Whether trying again helps only when somebody does something.
    pub(super) fn is_lasting(&self) -> bool {
        !matches!(self, Self::Unusable(..) | Self::Disk(_) | Self::Stopped)
    }
}

/// The code of an S3 server's answer, if the text holds one.
fn code(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let word = (1..=64).contains(&code.len()) && code.bytes().all(|c| c.is_ascii_alphanumeric());
    word.then(|| code.to_owned())
}

/// What a signed address holds after its `?` is left out, up to the next white space.
fn without_queries(text: &str) -> String {
    let mut pieces = text.split('?');
    let mut clean = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        clean.push_str(
            piece
                .find(char::is_whitespace)
                .map_or("", |end| &piece[end..]),
        );
    }
    clean
}

/// What an error says, without what an answer's body or a signed address may hold.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = cause.source();
    }
    if let Some(code) = code(&text) {
        return code;
    }
    let mut text = without_queries(&text);
    // A body that is no answer of S3 is left out.
    let end = text.find('<').unwrap_or(text.len());
    text.truncate(end);
    let clean = text.chars().map(|c| match c {
        c if c.is_control() => ' ',
        c => c,
    });
    clean.take(LONGEST).collect::<String>().trim().to_owned()
}

/// Why a snapshot was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// The repository.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The lease is over, or the data went: another place may write there.
    #[error("{0}")]
    Lease(String),
    /// Files could not be kept still.
    #[error("STO0015: a snapshot cannot be taken now: {0}; it is tried again")]
    NotNow(String),
    /// One is being taken, or what no snapshot names is being deleted.
    #[error("a snapshot is being taken or deleted; try again when that has ended")]
    Busy,
    /// A later life of the instance writes there.
    #[error(
        "STO0016: the repository holds snapshots of a later life of this instance ({0}); this one takes no more"
    )]
    Superseded(String),
}

impl SnapshotError {
    pub(super) fn disk(error: io::Error) -> Self {
        Self::Repository(RepositoryError::Disk(error))
    }
}

/// Why a restore does not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    /// There is no order that could be followed.
    #[error(
        "STO0009: the restore of this instance is not finished, and {0}; nothing is served before it is"
    )]
    NoOrder(&'static str),
    /// The repository.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// It holds nothing.
    #[error(
        "STO0013: the repository `{0}` holds no snapshot of this instance; let it start empty, or bring its host back"
    )]
    NoSnapshot(String),
    /// What came cannot be opened.
    #[error("STO0014: the snapshot `{0}` cannot be opened: {1}; choose another one by deleting it")]
    Open(String, String),
}

impl RestoreError {
    pub(super) fn disk(error: io::Error) -> Self {
        Self::Repository(RepositoryError::Disk(error))
    }

    /// Whether trying again helps only when somebody does something.
    pub(super) fn is_lasting(&self) -> bool {
        match self {
            Self::Repository(error) => error.is_lasting(),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_by_its_code_alone() {
        let body = "Server returned non-2xx status code: 403: <Error><Code>SignatureDoesNotMatch</Code>\
            <AWSAccessKeyId>AKID</AWSAccessKeyId><StringToSign>AWS4 abc</StringToSign></Error>";
        let error = object_store::Error::PermissionDenied {
            path: "p".into(),
            source: body.into(),
        };
        let text = RepositoryError::of("backups", error).to_string();
        assert!(
            text.contains("STO0012") && text.contains("SignatureDoesNotMatch"),
            "{text}"
        );
        assert!(!text.contains("AKID") && !text.contains("AWS4"), "{text}");
    }

    #[test]
    fn a_listing_that_is_refused_is_a_refusal() {
        let error = |code: &str| object_store::Error::Generic {
            store: "S3",
            source: format!("Error performing list request: 403: <Code>{code}</Code>").into(),
        };
        let of = |code| RepositoryError::of("backups", error(code)).to_string();
        assert!(of("SignatureDoesNotMatch").contains("STO0012"));
        assert!(of("InternalError").contains("STO0011"));
    }

    #[test]
    fn what_is_no_answer_of_s3_is_cut() {
        let error = object_store::Error::Generic {
            store: "S3",
            source:
                "no luck at https://h/b/o?list-type=2&X-Amz-Signature=abc: it refused it <html>"
                    .into(),
        };
        let text = RepositoryError::of("backups", error).to_string();
        assert!(
            text.contains("STO0011") && text.contains("no luck") && text.contains("refused"),
            "{text}"
        );
        assert!(
            !text.contains("Signature") && !text.contains("html"),
            "{text}"
        );
    }
}
