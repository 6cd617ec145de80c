//! Instances wherever they lie: listed, moved, paused, taken out of the routes; data that replacements
//! left behind. Not here: what a move does, what is refused (the core).

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_director_core::{
    command::{Body, ChangeDeployment, DeploymentChange, SetInstanceRouting},
    messages,
    refusal::{Refusal, cut},
    state::{InstanceRecord, MoveCause, MoveWish, State},
};
use wharf_proto::{
    ids::PlanId,
    listing::Value,
    v1::{self, ListOptions},
};
use wharf_runtime::random;
use wharf_services::v1::instances_server::Instances;

use super::{asked, expected, info, not_found, opened, page, views::View, wish::Wish};
use crate::director::Director;

const FIELDS: [&str; 11] = [
    "name",
    "id",
    "deployment",
    "kind",
    "host",
    "zone",
    "state",
    "health",
    "paused",
    "memory",
    "plan",
];
const COPY_FIELDS: [&str; 6] = [
    "set_aside",
    "instance",
    "name",
    "deployment",
    "host",
    "bytes",
];
/// Bytes of a user's name in the reason of a move.
const NAME_BYTES: usize = 128;

/// The service.
#[derive(Clone, Debug)]
pub struct InstancesApi(pub Arc<Director>);

fn find<'a>(state: &'a State, text: &str) -> Result<&'a InstanceRecord, Refusal> {
    state
        .find_instance(text)
        .ok_or_else(|| Refusal::not_found("instance", text))
}

impl InstancesApi {
    /// Changes an instance by a plan of its deployment, or says what would be done.
    async fn change(
        &self,
        wish: &Wish,
        instance: &str,
        change: impl FnOnce(&State, &InstanceRecord) -> Result<DeploymentChange, Refusal>,
    ) -> Result<Response<v1::ChangeDeploymentResponse>, Status> {
        let body = |state: &State| {
            let record = find(state, instance)?;
            Ok(Body::ChangeDeployment(Box::new(ChangeDeployment {
                deployment_id: record.deployment_id.clone(),
                plan_id: PlanId::from_bytes(random::bytes()),
                expected_version: wish.expected_version,
                change: change(state, record)?,
            })))
        };
        let (deployment_id, plan_id, preview) = wish.carry_out(&self.0, body).await?.into_parts();
        Ok(Response::new(v1::ChangeDeploymentResponse {
            deployment_id,
            plan_id,
            preview,
        }))
    }

    fn list(
        &self,
        deployment: &str,
        allocator: &str,
        options: Option<&ListOptions>,
    ) -> Result<v1::ListInstancesResponse, Status> {
        let view = View::of(&self.0);
        let state = &view.state;
        let of = match deployment {
            "" => None,
            text => Some(
                state
                    .find_deployment(text)
                    .ok_or_else(|| not_found("deployment", text))?
                    .id
                    .clone(),
            ),
        };
        let on = match allocator {
            "" => None,
            text => Some(
                state
                    .find_allocator(text)
                    .ok_or_else(|| not_found("allocator", text))?
                    .id
                    .clone(),
            ),
        };
        let rows = state
            .instances
            .values()
            .filter(|one| of.as_ref().is_none_or(|id| one.deployment_id == *id))
            .filter(|one| {
                // One that is on its way lies at both places.
                let claimed = one.claim.as_ref().and_then(|claim| claim.berth.as_ref());
                let mut places = one.berth.iter().chain(claimed);
                on.as_ref()
                    .is_none_or(|id| places.any(|berth| berth.allocator_id == *id))
            });
        let page = page(
            options,
            &FIELDS,
            rows,
            |row, name| field(&view, row, name),
            |row| row.id.to_string(),
        )?;
        let rows = page.rows.iter();
        Ok(v1::ListInstancesResponse {
            info: Some(info(&page)),
            instances: rows.map(|record| view.instance(record)).collect(),
        })
    }
}

fn field(view: &View, row: &InstanceRecord, field: &str) -> Value {
    let word = |name: &str, prefix: &str| name.trim_start_matches(prefix).to_lowercase().into();
    let state = &view.state;
    match field {
        "deployment" => {
            let deployment = state.deployments.get(&row.deployment_id);
            deployment.map_or("", |known| known.name.as_str()).into()
        }
        "kind" => {
            let resource = state.resources.get(&row.resource_id);
            resource.map_or("", |known| known.kind.as_str()).into()
        }
        "host" => messages::host_of(state, row).into(),
        "paused" => row.paused.into(),
        "plan" => messages::plan_of(state, row)
            .map_or("", PlanId::as_str)
            .into(),
        "id" => row.id.as_str().into(),
        "zone" => {
            let berth = row.berth.as_ref();
            berth.map_or("", |berth| berth.zone.as_str()).into()
        }
        "memory" => row.size.memory_bytes.into(),
        "state" => word(view.instance_health(row).0.as_str_name(), "INSTANCE_STATE_"),
        "health" => word(view.instance_health(row).1.as_str_name(), "HEALTH_"),
        _ => row.name.as_str().into(),
    }
}

#[tonic::async_trait]
impl Instances for InstancesApi {
    async fn list_instances(
        &self,
        request: Request<v1::ListInstancesRequest>,
    ) -> Result<Response<v1::ListInstancesResponse>, Status> {
        let message = request.into_inner();
        self.list(
            &message.deployment,
            &message.allocator,
            message.options.as_ref(),
        )
        .map(Response::new)
    }

    async fn move_instance(
        &self,
        request: Request<v1::MoveInstanceRequest>,
    ) -> Result<Response<v1::ChangeDeploymentResponse>, Status> {
        let (principal, message) = opened(request)?;
        let wish = Wish::of(
            &principal,
            message.mutation.as_ref(),
            &message,
            message.dry_run,
        );
        let to = message.to_allocator.as_str();
        self.change(&wish, &message.instance, |state, instance| {
            let to = match to {
                "" => Vec::new(),
                text => vec![
                    state
                        .find_allocator(text)
                        .ok_or_else(|| Refusal::not_found("allocator", text).field("to_allocator"))?
                        .id
                        .clone(),
                ],
            };
            Ok(DeploymentChange::Move {
                moves: vec![MoveWish {
                    instance_id: instance.id.clone(),
                    from: None,
                    to,
                    lost: false,
                    cause: MoveCause::Request,
                    reason: format!("asked for by {}", cut(&principal.name, NAME_BYTES)),
                }],
            })
        })
        .await
    }

    async fn pause_instance(
        &self,
        request: Request<v1::PauseInstanceRequest>,
    ) -> Result<Response<v1::ChangeDeploymentResponse>, Status> {
        let (principal, message) = opened(request)?;
        let wish = Wish::of(
            &principal,
            message.mutation.as_ref(),
            &message,
            message.dry_run,
        );
        self.change(&wish, &message.instance, |_, instance| {
            Ok(DeploymentChange::Pause {
                instance_id: instance.id.clone(),
            })
        })
        .await
    }

    async fn resume_instance(
        &self,
        request: Request<v1::ResumeInstanceRequest>,
    ) -> Result<Response<v1::ChangeDeploymentResponse>, Status> {
        let (principal, message) = opened(request)?;
        let wish = Wish::of(
            &principal,
            message.mutation.as_ref(),
            &message,
            message.dry_run,
        );
        self.change(&wish, &message.instance, |_, instance| {
            Ok(DeploymentChange::Resume {
                instance_id: instance.id.clone(),
            })
        })
        .await
    }

    async fn set_instance_routing(
        &self,
        request: Request<v1::SetInstanceRoutingRequest>,
    ) -> Result<Response<v1::SetInstanceRoutingResponse>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let expected_version = expected(message.mutation.as_ref());
        self.0
            .proposer
            .once(&asked, |state| {
                let record = find(state, &message.instance)?;
                let version = state
                    .deployments
                    .get(&record.deployment_id)
                    .map_or(0, |known| known.version);
                if expected_version != 0 && expected_version != version {
                    return Err(Refusal::version("deployment", expected_version, version));
                }
                Ok(Body::SetInstanceRouting(SetInstanceRouting {
                    instance_id: record.id.clone(),
                    stopped: !message.routed,
                }))
            })
            .await?;
        let view = View::of(&self.0);
        let instance = view
            .state
            .find_instance(&message.instance)
            .map(|record| view.instance(record));
        Ok(Response::new(v1::SetInstanceRoutingResponse { instance }))
    }

    async fn list_set_aside_copies(
        &self,
        request: Request<v1::ListSetAsideCopiesRequest>,
    ) -> Result<Response<v1::ListSetAsideCopiesResponse>, Status> {
        let message = request.into_inner();
        let view = View::of(&self.0);
        let page = page(
            message.options.as_ref(),
            &COPY_FIELDS,
            view.set_aside(),
            |row, field| match field {
                "instance" => row.instance_id.as_str().into(),
                "name" => row.instance_name.as_str().into(),
                "deployment" => row.deployment_name.as_str().into(),
                "host" => row.host.as_str().into(),
                "bytes" => row.bytes.into(),
                _ => row
                    .set_aside_at
                    .as_ref()
                    .map_or(0, wharf_proto::times::millis)
                    .into(),
            },
            // A host can have set aside data of an instance more than once.
            |row| format!("{}/{}/{}", row.instance_id, row.allocator_id, row.path),
        )?;
        Ok(Response::new(v1::ListSetAsideCopiesResponse {
            info: Some(info(&page)),
            copies: page.rows,
        }))
    }
}
