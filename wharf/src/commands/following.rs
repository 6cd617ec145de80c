//! Waiting for what goes on by itself: until it ends, the time is up, or the person has seen enough.
//! Giving up never ends what is followed, and says so. Not here: what is followed (`plan.rs`,
//! `vacate.rs`, `authority.rs`, `snapshot.rs`).

use std::{future::Future, time::Duration};

use crate::failure::{EXIT_INTERRUPTED, EXIT_UNREACHABLE, Failure};

/// Waits for the end of `what`; `again` is the command that goes on watching.
pub(crate) async fn until_ended<T>(
    what: &str,
    again: &str,
    timeout: Option<Duration>,
    following: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler the signal ends the process by itself.
            std::future::pending::<()>().await;
        }
    };
    let patience = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = following => ended,
        () = interrupted => Err(Failure::new(
            "CLI0040",
            format!("the watching was interrupted; {what} goes on"),
            again,
        )
        .exit(EXIT_INTERRUPTED)),
        () = patience => Err(Failure::new(
            "CLI0006",
            format!(
                "{what} has not ended within {} s; it goes on",
                timeout.unwrap_or_default().as_secs()
            ),
            again,
        )
        .exit(EXIT_UNREACHABLE)),
    }
}

/// Whether a call that failed like this is worth another try: a director that restarts is back within
/// seconds.
pub(crate) fn passes(status: &tonic::Status) -> bool {
    matches!(
        status.code(),
        tonic::Code::Unavailable | tonic::Code::Unknown | tonic::Code::Internal
    )
}
