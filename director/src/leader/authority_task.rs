//! Moves a change of the platform's authority on as soon as every role was seen to have done its part.
//! Not here: what it waits for (`wharf_director_core::authority`), this director's own part
//! (`authority_task`).

use std::sync::Arc;

use wharf_director_core::{
    authority,
    command::{Body, ChangeAuthority},
    state::AuthorityPhase,
};

use super::{propose_all, watch_and_act};
use crate::director::Director;

/// Runs until the director ends.
pub async fn run(director: Arc<Director>) {
    watch_and_act(director, |director| async move { look(&director).await }).await;
}

async fn look(director: &Director) -> bool {
    let state = director.published.state();
    let Some(record) = &state.authority else {
        return false;
    };
    if record.phase == AuthorityPhase::Rest
        || !authority::waits(&state, &director.seen.authorities(), director.now_ms()).is_empty()
    {
        return false;
    }
    let generation = record.generation;
    tracing::info!(
        generation,
        phase = record.phase.as_str(),
        "every role has done its part"
    );
    let advance = ChangeAuthority::Advance { generation };
    propose_all(director, vec![Body::ChangeAuthority(Box::new(advance))]).await
}
