//! Placement explained, and moves that would spread the load better. Not here: the decision (the core),
//! how a rebalance is begun (`rebalancing`).

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_director_core::{
    placement::{
        Candidate, CapacityIndex, Explanation, Strategy,
        explain::{explain, need_of_kind, of_instance},
        solve::strategy_of,
    },
    size::Size,
};
use wharf_proto::v1;
use wharf_services::v1::placement_server::Placement;

use super::{asked, not_found, opened, rebalancing, views::View};
use crate::{answer::refused, director::Director};

/// Moves of a rebalance that names no number.
const MOVES: usize = 10;
/// Moves of a rebalance at most.
pub(super) const MAX_MOVES: usize = 100;

/// The service.
#[derive(Clone, Debug)]
pub struct PlacementApi(pub Arc<Director>);

#[tonic::async_trait]
impl Placement for PlacementApi {
    async fn explain_placement(
        &self,
        request: Request<v1::ExplainPlacementRequest>,
    ) -> Result<Response<v1::ExplainPlacementResponse>, Status> {
        let message = request.into_inner();
        let View { state, seen, .. } = View::of(&self.0);
        let index = CapacityIndex::build(&state, |id| seen.connected(id));
        let strategy = strategy_of(&state);
        let (found, allocator_id, last_move) = if message.instance.is_empty() {
            let size = message.size.as_ref().map(Size::from).unwrap_or_default();
            let need = need_of_kind(&self.0.catalog, &message.kind, size)
                .map_err(|refusal| refused(&refusal))?;
            let found = explain(&index, &need, strategy);
            (found, String::new(), String::new())
        } else {
            let missing = || not_found("instance", &message.instance);
            let instance = state.find_instance(&message.instance).ok_or_else(missing)?;
            let resource = state
                .resources
                .get(&instance.resource_id)
                .ok_or_else(missing)?;
            let own = instance.berth.as_ref();
            (
                of_instance(index, instance, resource, strategy),
                own.map_or_else(String::new, |berth| berth.allocator_id.to_string()),
                rebalancing::last_move_of(&state, instance),
            )
        };
        Ok(Response::new(v1::ExplainPlacementResponse {
            last_move,
            ..explained(found, strategy, allocator_id)
        }))
    }

    async fn get_rebalancing(
        &self,
        _request: Request<v1::GetRebalancingRequest>,
    ) -> Result<Response<v1::Rebalancing>, Status> {
        Ok(Response::new(rebalancing::policy(&self.0)))
    }

    async fn rebalance(
        &self,
        request: Request<v1::RebalanceRequest>,
    ) -> Result<Response<v1::RebalanceResponse>, Status> {
        let (principal, message) = opened(request)?;
        let moves = match message.moves {
            0 => MOVES,
            asked => usize::try_from(asked).unwrap_or(MAX_MOVES).min(MAX_MOVES),
        };
        let answer = if message.dry_run {
            rebalancing::preview(&self.0, moves)
        } else {
            let asked = asked(&principal, message.mutation.as_ref(), &message)?;
            rebalancing::carry_out(&self.0, &asked, moves).await?
        };
        Ok(Response::new(answer))
    }
}

fn explained(
    found: Explanation,
    strategy: Strategy,
    allocator_id: String,
) -> v1::ExplainPlacementResponse {
    v1::ExplainPlacementResponse {
        candidates: found
            .candidates
            .into_iter()
            .map(|candidate| seen_as(candidate, strategy))
            .collect(),
        strategy: strategy.as_str().to_owned(),
        allocator_id,
        refusal: found
            .no_room
            .map(|no_room| no_room.explain())
            .unwrap_or_default(),
        last_move: String::new(),
    }
}

fn seen_as(candidate: Candidate, strategy: Strategy) -> v1::PlacementCandidate {
    let (score, refusals) = match candidate.verdict {
        Ok(score) => (score.parts(strategy), Vec::new()),
        Err(refusals) => {
            let details = refusals.into_iter().map(|refusal| refusal.detail);
            (Vec::new(), details.collect())
        }
    };
    v1::PlacementCandidate {
        allocator_id: candidate.allocator_id.to_string(),
        host: candidate.host,
        zone: candidate.zone,
        admitted: refusals.is_empty(),
        refusals,
        score,
        free: Some(candidate.free.into()),
    }
}
