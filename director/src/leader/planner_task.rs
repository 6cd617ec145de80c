//! Lays out pending plans, asks for an upgrade plan where a container runs something old and for an
//! extension of `system` where its template has grown. Not here: how plans are laid out and what is due (`wharf_director_core::plan`).

use std::sync::Arc;

use wharf_director_core::{
    command::{Body, ExtendDeployment, UpgradeDeployment},
    deployment::expand,
    placement::CapacityIndex,
    plan::{planner, upgrade},
};
use wharf_proto::ids::PlanId;
use wharf_runtime::random;

use super::{propose_all, watch_and_act};
use crate::director::Director;

/// Runs until the director ends.
pub async fn run(director: Arc<Director>) {
    watch_and_act(director, |director| async move { look(&director).await }).await;
}

async fn look(director: &Director) -> bool {
    let (state, seen, now_ms) = (
        director.published.state(),
        director.seen.core(),
        director.now_ms(),
    );
    let mut bodies = if state.open_plans().next().is_some() {
        let mut index = CapacityIndex::build(&state, |id| seen.connected(id));
        planner::plan_all(&state, &seen, &mut index, now_ms)
    } else {
        Vec::new()
    };
    // One at a time: a new image must not restart everything at once.
    if state.open_plans().next().is_none()
        && let Some((deployment_id, reason)) =
            upgrade::due(&state, &seen, now_ms).into_iter().next()
    {
        bodies.push(Body::UpgradeDeployment(UpgradeDeployment {
            deployment_id,
            plan_id: PlanId::from_bytes(random::bytes()),
            reason,
        }));
    }
    if bodies.is_empty()
        && state.open_plans().next().is_none()
        && let Some((deployment, reason)) =
            upgrade::due_extension(&state, &director.catalog, now_ms)
    {
        match expand::missing(
            &state,
            &director.catalog,
            deployment,
            &mut random::bytes::<16>,
        ) {
            Ok(resources) => bodies.push(Body::ExtendDeployment(Box::new(ExtendDeployment {
                deployment_id: deployment.id.clone(),
                plan_id: PlanId::from_bytes(random::bytes()),
                resources,
                expected_version: deployment.version,
                reason,
            }))),
            Err(refusal) => tracing::error!(%refusal, "`system` cannot be extended"),
        }
    }
    propose_all(director, bodies).await
}
