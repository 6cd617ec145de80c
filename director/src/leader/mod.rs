//! What only the leader does. `leadership_task` begins and ends it; the others look at state and
//! memory whenever one of them changed, and once a second, and propose what the core decides. None
//! keeps anything that is not in the state or the leader's memory, so that a crash at any point
//! loses nothing. Not here: the decisions (the core).

pub mod authority_task;
pub mod directors_task;
pub mod events_task;
pub mod executor_task;
pub mod health_task;
pub mod leadership_task;
pub mod notify_task;
pub mod planner_task;
pub mod relief_task;

use std::{future::Future, sync::Arc, time::Duration};

use futures::{StreamExt as _, future, stream};
use wharf_director_core::command::Body;

use crate::{director::Director, propose::ProposalError};

/// Without any change, look again after this: time passes, too.
const TICK: Duration = Duration::from_secs(1);
/// Changes that come together are looked at together.
const GATHER: Duration = Duration::from_millis(20);
/// Proposals that follow from each other are made at once, but not for ever.
const MAX_ROUNDS: usize = 64;
/// Commands that are proposed at once, of those that may be.
const TOGETHER: usize = 256;

/// Looks while this member leads, after each change and each second, until the director ends.
/// `look` returns whether it proposed something: then it is called again at once.
async fn watch_and_act<F, R>(director: Arc<Director>, look: F)
where
    F: Fn(Arc<Director>) -> R + Send,
    R: Future<Output = bool> + Send,
{
    let mut leading = director.leading.subscribe();
    let mut state = director.published.changes();
    let mut seen = director.seen.decisive();
    loop {
        let leads = director
            .shutdown
            .run_until(leading.wait_for(Option::is_some))
            .await
            .is_some_and(|leads| leads.is_ok());
        if !leads {
            return;
        }
        state.borrow_and_update();
        seen.borrow_and_update();
        for _ in 0..MAX_ROUNDS {
            if !director.leads() || !look(Arc::clone(&director)).await {
                break;
            }
        }
        tokio::select! {
            _ = state.changed() => {}
            _ = seen.changed() => {}
            () = tokio::time::sleep(TICK) => {}
            () = director.shutdown.triggered() => return,
        }
        tokio::time::sleep(GATHER).await;
    }
}

/// Proposes the leader's own commands in order; returns whether one of them was applied. One that
/// was overtaken is refused and does no harm.
async fn propose_all(director: &Director, bodies: Vec<Body>) -> bool {
    let mut applied = false;
    for body in bodies {
        match propose(director, body).await {
            Some(done) => applied |= done,
            None => return false,
        }
    }
    applied
}

/// Proposes commands of which none needs another, so many at once: Raft writes down together what comes together,
/// in its order, where one after the other each would cost a durable write.
async fn propose_together(director: &Director, bodies: Vec<Body>) {
    let proposals = bodies.into_iter().map(|body| propose(director, body));
    stream::iter(proposals)
        .buffered(TOGETHER)
        .for_each(|_| future::ready(()))
        .await;
}

/// Whether it was applied; none when that could not be: another leads, or will.
async fn propose(director: &Director, body: Body) -> Option<bool> {
    let name = body.name();
    match director.proposer.own(body).await {
        Ok(_) => Some(true),
        Err(ProposalError::Refused(refusal)) => {
            tracing::debug!(name, %refusal, "a command was overtaken");
            Some(false)
        }
        Err(error) => {
            tracing::warn!(name, %error, "a command of the leader was not applied");
            None
        }
    }
}
