//! Plans, read, followed, compared, cancelled and applied again. Not here: making new ones
//! (deployments' mutations, the leader).

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use wharf_director_core::{
    command::{Body, CancelPlan, ChangeDeployment, DeploymentChange},
    messages,
    plan::diff,
    refusal::Refusal,
    state::{PlanRecord, State},
};
use wharf_proto::{ids::PlanId, v1};
use wharf_runtime::{random, task};
use wharf_services::v1::plans_server::Plans;

use super::{asked, expected, info, not_found, opened, page, wish::Wish};
use crate::{
    answer::{not_leading, refused},
    director::Director,
};

const FIELDS: [&str; 7] = [
    "created",
    "id",
    "deployment",
    "kind",
    "status",
    "ended",
    "code",
];
/// Changes that a follower has not read yet; beyond them it sees only the newest.
const QUEUE: usize = 4;

/// The service.
#[derive(Clone, Debug)]
pub struct PlansApi(pub Arc<Director>);

fn plan_of<'a>(state: &'a State, id: &str) -> Result<&'a Arc<PlanRecord>, Refusal> {
    state
        .plans
        .get(id)
        .ok_or_else(|| Refusal::not_found("plan", id))
}

impl PlansApi {
    fn find(&self, id: &str) -> Option<Arc<PlanRecord>> {
        self.0.published.state().plans.get(id).cloned()
    }
}

#[tonic::async_trait]
impl Plans for PlansApi {
    type FollowPlanStream = ReceiverStream<Result<v1::Plan, Status>>;

    async fn get_plan(
        &self,
        request: Request<v1::GetPlanRequest>,
    ) -> Result<Response<v1::Plan>, Status> {
        let id = request.into_inner().plan_id;
        let record = self.find(&id).ok_or_else(|| not_found("plan", &id))?;
        Ok(Response::new(messages::plan(
            &self.0.published.state(),
            &record,
        )))
    }

    async fn list_plans(
        &self,
        request: Request<v1::ListPlansRequest>,
    ) -> Result<Response<v1::ListPlansResponse>, Status> {
        let message = request.into_inner();
        let state = self.0.published.state();
        let only = if message.deployment.is_empty() {
            None
        } else {
            // Plans of a deployment that is gone are found by its id.
            let id = state
                .find_deployment(&message.deployment)
                .map_or(message.deployment.as_str(), |found| found.id.as_str());
            if !state
                .plans
                .values()
                .any(|plan| plan.deployment_id.as_str() == id)
            {
                return Err(not_found("deployment", &message.deployment));
            }
            Some(id.to_owned())
        };
        let rows = state.plans.values().filter(|plan| {
            only.as_ref()
                .is_none_or(|id| plan.deployment_id.as_str() == id)
                && (message.host.is_empty() || plan.hosts.contains(&message.host))
        });
        let page = page(
            message.options.as_ref(),
            &FIELDS,
            rows,
            |row, field| match field {
                "id" => row.id.as_str().into(),
                "deployment" => row.deployment_name.as_str().into(),
                "kind" => word(v1::PlanKind::from(row.kind).as_str_name(), "PLAN_KIND_"),
                "status" => word(
                    v1::PlanStatus::from(row.status).as_str_name(),
                    "PLAN_STATUS_",
                ),
                "ended" => row.ended_ms.into(),
                "code" => row.error_code.as_str().into(),
                _ => row.created_ms.into(),
            },
            |row| row.id.to_string(),
        )?;
        Ok(Response::new(v1::ListPlansResponse {
            info: Some(info(&page)),
            plans: page
                .rows
                .iter()
                .map(|plan| messages::plan(&state, plan))
                .collect(),
        }))
    }

    async fn cancel_plan(
        &self,
        request: Request<v1::CancelPlanRequest>,
    ) -> Result<Response<v1::Plan>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let expected_version = expected(message.mutation.as_ref());
        self.0
            .proposer
            .once(&asked, |state| {
                let record = plan_of(state, &message.plan_id)?;
                if expected_version != 0 && expected_version != record.version {
                    return Err(Refusal::version("plan", expected_version, record.version));
                }
                Ok(Body::CancelPlan(CancelPlan {
                    reason: String::new(),
                    plan_id: record.id.clone(),
                }))
            })
            .await?;
        let state = self.0.published.state();
        let record = plan_of(&state, &message.plan_id).map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(messages::plan(&state, record)))
    }

    async fn reapply_plan(
        &self,
        request: Request<v1::ReapplyPlanRequest>,
    ) -> Result<Response<v1::ReapplyPlanResponse>, Status> {
        let (principal, message) = opened(request)?;
        let wish = Wish::of(
            &principal,
            message.mutation.as_ref(),
            &message,
            message.dry_run,
        );
        let body = |state: &State| {
            let record = plan_of(state, &message.plan_id)?;
            Ok(Body::ChangeDeployment(Box::new(ChangeDeployment {
                deployment_id: record.deployment_id.clone(),
                plan_id: PlanId::from_bytes(random::bytes()),
                expected_version: wish.expected_version,
                change: DeploymentChange::Reapply {
                    of_plan: record.id.clone(),
                },
            })))
        };
        let (deployment_id, plan_id, preview) = wish.carry_out(&self.0, body).await?.into_parts();
        Ok(Response::new(v1::ReapplyPlanResponse {
            deployment_id,
            plan_id,
            preview,
        }))
    }

    async fn diff_plans(
        &self,
        request: Request<v1::DiffPlansRequest>,
    ) -> Result<Response<v1::DiffPlansResponse>, Status> {
        let message = request.into_inner();
        let state = self.0.published.state();
        let changes = diff::of_ids(&state, &message.from_plan_id, &message.to_plan_id)
            .map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(v1::DiffPlansResponse { changes }))
    }

    async fn follow_plan(
        &self,
        request: Request<v1::FollowPlanRequest>,
    ) -> Result<Response<Self::FollowPlanStream>, Status> {
        let id = request.into_inner().plan_id;
        if self.find(&id).is_none() {
            return Err(not_found("plan", &id));
        }
        let (plans, stream) = mpsc::channel(QUEUE);
        let api = self.clone();
        drop(task::spawn("follow plan", async move {
            tokio::select! {
                () = api.follow(&id, &plans) => {}
                () = api.0.leadership_lost() => { let _ = plans.try_send(Err(not_leading())); }
                () = api.0.shutdown.triggered() => { let _ = plans.try_send(Err(not_leading())); }
                () = plans.closed() => {}
            }
        }));
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl PlansApi {
    /// A slow reader misses versions, never the last one.
    async fn follow(&self, id: &str, plans: &mpsc::Sender<Result<v1::Plan, Status>>) {
        let mut changes = self.0.published.changes();
        let mut sent = None;
        loop {
            changes.borrow_and_update();
            let Some(record) = self.find(id) else {
                let _ = plans.send(Err(not_found("plan", id))).await;
                return;
            };
            if sent != Some(record.version) {
                sent = Some(record.version);
                if plans
                    .send(Ok(messages::plan(&self.0.published.state(), &record)))
                    .await
                    .is_err()
                    || record.status.ended()
                {
                    return;
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

fn word(name: &str, prefix: &str) -> wharf_proto::listing::Value {
    name.trim_start_matches(prefix).to_lowercase().into()
}
