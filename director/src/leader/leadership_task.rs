//! Begins and ends the leader's work: when Raft says that this member leads and has applied what
//! came before, the memory is emptied, the first commands are seen to, running plans are taken up,
//! and the others are told. Not here: elections (Raft).

use std::{sync::Arc, time::Duration};

use wharf_director_core::plan::attempt;

use super::propose_all;
use crate::{bootstrap, director::Director};

/// Between tries of the first commands.
const RETRY: Duration = Duration::from_secs(2);

/// Runs until the director ends.
pub async fn run(director: Arc<Director>) {
    let mut status = director.raft.status();
    loop {
        let term = {
            let now = status.borrow_and_update();
            now.serving.then_some(now.term)
        };
        let held = *director.leading.borrow();
        if term != held {
            if held.is_some() {
                tracing::warn!("this director no longer leads");
                director.leading.send_replace(None);
                director.seen.reset(director.now_ms());
            }
            if let Some(term) = term {
                if begin(&director).await {
                    director.leading.send_replace(Some(term));
                    tracing::info!(term, "this director leads");
                    continue;
                }
                let pause = tokio::time::sleep(RETRY);
                if director.shutdown.run_until(pause).await.is_none() {
                    return;
                }
                continue;
            }
        }
        match director.shutdown.run_until(status.changed()).await {
            Some(Ok(())) => {}
            _ => return,
        }
    }
}

async fn begin(director: &Director) -> bool {
    director.seen.reset(director.now_ms());
    if let Err(error) = bootstrap::ensure(director).await {
        tracing::error!(%error, "the platform cannot be set up; tried again shortly");
        return false;
    }
    let state = director.published.state();
    propose_all(director, attempt::take_up(&state)).await;
    true
}
