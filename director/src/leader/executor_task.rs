//! Carries out running plans from what is observed, and publishes the routes' generation. Not here:
//! the steps and what they wait for (`wharf_director_core::plan`), sending (`sessions/`).

use std::sync::Arc;

use wharf_director_core::{
    plan::attempt,
    reconcile::{lease, route, snapshots},
};

use super::{propose_all, watch_and_act};
use crate::director::Director;

/// Runs until the director ends.
pub async fn run(director: Arc<Director>) {
    watch_and_act(director, |director| async move { look(&director).await }).await;
}

async fn look(director: &Director) -> bool {
    let (state, seen) = (director.published.state(), director.seen.core());
    let mut bodies = attempt::run_all(&state, &seen, director.now_ms()).commands;
    bodies.extend(lease::told(&state, &seen));
    bodies.extend(snapshots::told(&state, &seen));
    bodies.extend(route::content(&state, &seen).publish(&state));
    propose_all(director, bodies).await
}
