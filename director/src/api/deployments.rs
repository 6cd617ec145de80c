//! Deployments: made, read, deleted; their credentials shown to admins. Ids, time and secrets are
//! stamped here, once. Not here: what a deployment becomes (`wharf_director_core::deployment`).

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use tonic::{Request, Response, Status};
use wharf_director_core::{
    apply::deployment::credentials_secret,
    command::{
        Body, ChangeDeployment, DeleteDeployment, DeploymentChange, NoteAudit, SetHostLossPolicy,
    },
    deployment::{expand::DeploymentRequest, resize},
    refusal::{Refusal, codes as refusal_codes},
    size::Size,
    state::{DeploymentRecord, HostLoss, State},
};
use wharf_proto::{ids::PlanId, listing::Value, v1};
use wharf_runtime::random;
use wharf_services::v1::deployments_server::Deployments;

use super::{
    asked, expected, info, not_found, opened, page, snapshots,
    views::View,
    wish::{Done, Wish},
};
use crate::{
    answer::{coded_status, field_status, internal, refused},
    bootstrap::{FreshCredentials, create_body},
    codes,
    director::Director,
    secrets::DeploymentCredentials,
};

const FIELDS: [&str; 7] = [
    "name", "id", "alias", "template", "health", "created", "system",
];

/// The service.
#[derive(Clone, Debug)]
pub struct DeploymentsApi(pub Arc<Director>);

impl DeploymentsApi {
    /// Changes a deployment that is there, or says what would be done.
    async fn change(
        &self,
        wish: &Wish,
        deployment: &str,
        change: impl FnOnce(&State, &DeploymentRecord) -> Result<DeploymentChange, Refusal>,
    ) -> Result<Response<v1::ChangeDeploymentResponse>, Status> {
        let body = |state: &State| {
            let record = state
                .find_deployment(deployment)
                .ok_or_else(|| Refusal::not_found("deployment", deployment))?;
            Ok(Body::ChangeDeployment(Box::new(ChangeDeployment {
                deployment_id: record.id.clone(),
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
}

#[tonic::async_trait]
impl Deployments for DeploymentsApi {
    async fn create_deployment(
        &self,
        request: Request<v1::CreateDeploymentRequest>,
    ) -> Result<Response<v1::CreateDeploymentResponse>, Status> {
        let (principal, message) = opened(request)?;
        let dry_run = message.dry_run;
        let wish = Wish::of(
            &principal,
            message.mutation.as_ref(),
            &canonical(&message),
            dry_run,
        );
        let fresh = FreshCredentials::generate().await.map_err(internal)?;
        let wanted = DeploymentRequest {
            name: message.name,
            alias: message.alias,
            template_id: message.template_id,
            sizes: message
                .sizes
                .iter()
                .map(|(kind, size)| (kind.clone(), size.into()))
                .collect(),
            zone_counts: message.zone_counts.into_iter().collect(),
            system_owned: false,
        };
        let body = |state: &State| {
            create_body(&self.0, state, &wanted, &fresh)
                .map(|body| Body::CreateDeployment(Box::new(body)))
        };
        let (deployment_id, plan_id) = match wish.carry_out(&self.0, body).await? {
            Done::Asked(deployment_id, plan_id) => (deployment_id, plan_id),
            Done::Seen(seen) => {
                return Ok(Response::new(v1::CreateDeploymentResponse {
                    deployment: Some(seen.deployment),
                    plan_id: String::new(),
                    preview: Some(seen.plan),
                }));
            }
        };
        let view = View::of(&self.0);
        let deployment = view
            .state
            .deployments
            .get(deployment_id.as_str())
            .map(|record| view.deployment(record));
        Ok(Response::new(v1::CreateDeploymentResponse {
            deployment,
            plan_id,
            preview: None,
        }))
    }

    async fn get_deployment(
        &self,
        request: Request<v1::GetDeploymentRequest>,
    ) -> Result<Response<v1::Deployment>, Status> {
        let message = request.into_inner();
        let view = View::of(&self.0);
        let record = view
            .state
            .find_deployment(&message.deployment)
            .ok_or_else(|| not_found("deployment", &message.deployment))?;
        Ok(Response::new(view.deployment(record)))
    }

    async fn list_deployments(
        &self,
        request: Request<v1::ListDeploymentsRequest>,
    ) -> Result<Response<v1::ListDeploymentsResponse>, Status> {
        let message = request.into_inner();
        let view = View::of(&self.0);
        let page = page(
            message.options.as_ref(),
            &FIELDS,
            view.state.deployments.values(),
            |row, field| match field {
                "id" => row.id.as_str().into(),
                "alias" => row.alias.as_str().into(),
                "template" => row.template_id.as_str().into(),
                "health" => health_word(view.deployment_health(row)),
                "created" => row.created_ms.into(),
                "system" => row.system_owned.into(),
                _ => row.name.as_str().into(),
            },
            |row| row.id.to_string(),
        )?;
        let rows = page.rows.iter();
        Ok(Response::new(v1::ListDeploymentsResponse {
            info: Some(info(&page)),
            deployments: rows.map(|record| view.deployment(record)).collect(),
        }))
    }

    async fn delete_deployment(
        &self,
        request: Request<v1::DeleteDeploymentRequest>,
    ) -> Result<Response<v1::DeleteDeploymentResponse>, Status> {
        let (principal, message) = opened(request)?;
        let wish = Wish::of(
            &principal,
            message.mutation.as_ref(),
            &message,
            message.dry_run,
        );
        let body = |state: &State| {
            let record = state
                .find_deployment(&message.deployment)
                .ok_or_else(|| Refusal::not_found("deployment", &message.deployment))?;
            Ok(Body::DeleteDeployment(DeleteDeployment {
                deployment_id: record.id.clone(),
                plan_id: PlanId::from_bytes(random::bytes()),
                expected_version: wish.expected_version,
            }))
        };
        let (deployment_id, plan_id, preview) = wish.carry_out(&self.0, body).await?.into_parts();
        Ok(Response::new(v1::DeleteDeploymentResponse {
            deployment_id,
            plan_id,
            preview,
        }))
    }

    async fn resize_deployment(
        &self,
        request: Request<v1::ResizeDeploymentRequest>,
    ) -> Result<Response<v1::ChangeDeploymentResponse>, Status> {
        let (principal, message) = opened(request)?;
        let mut flat = v1::ResizeDeploymentRequest {
            sizes: HashMap::new(),
            ..message.clone()
        };
        // Only digested: the map is appended as text, in one order.
        let sizes: BTreeMap<String, Size> = message
            .sizes
            .iter()
            .map(|(kind, size)| (kind.clone(), size.into()))
            .collect();
        flat.deployment = format!("{}\0{sizes:?}", flat.deployment);
        let wish = Wish::of(
            &principal,
            message.mutation.as_ref(),
            &flat,
            message.dry_run,
        );
        self.change(&wish, &message.deployment, |state, deployment| {
            let sizes = resize::complete(state, &self.0.catalog, deployment, &sizes)?;
            Ok(DeploymentChange::Resize { sizes })
        })
        .await
    }

    async fn restart_deployment(
        &self,
        request: Request<v1::RestartDeploymentRequest>,
    ) -> Result<Response<v1::ChangeDeploymentResponse>, Status> {
        let (principal, message) = opened(request)?;
        let wish = Wish::of(
            &principal,
            message.mutation.as_ref(),
            &message,
            message.dry_run,
        );
        self.change(&wish, &message.deployment, |_, _| {
            let instances = message.instances.clone();
            Ok(DeploymentChange::Restart { instances })
        })
        .await
    }

    async fn terminate_deployment(
        &self,
        request: Request<v1::TerminateDeploymentRequest>,
    ) -> Result<Response<v1::ChangeDeploymentResponse>, Status> {
        let (principal, message) = opened(request)?;
        let wish = Wish::of(
            &principal,
            message.mutation.as_ref(),
            &message,
            message.dry_run,
        );
        self.change(&wish, &message.deployment, |_, _| {
            Ok(DeploymentChange::Terminate)
        })
        .await
    }

    async fn restore_deployment(
        &self,
        request: Request<v1::RestoreDeploymentRequest>,
    ) -> Result<Response<v1::ChangeDeploymentResponse>, Status> {
        let (principal, message) = opened(request)?;
        let wish = Wish::of(
            &principal,
            message.mutation.as_ref(),
            &message,
            message.dry_run,
        );
        self.change(&wish, &message.deployment, |_, _| {
            Ok(DeploymentChange::Restore)
        })
        .await
    }

    async fn reset_password(
        &self,
        request: Request<v1::ResetPasswordRequest>,
    ) -> Result<Response<v1::ChangeDeploymentResponse>, Status> {
        let (principal, message) = opened(request)?;
        let fresh = FreshCredentials::generate().await.map_err(internal)?;
        let wish = Wish::of(&principal, message.mutation.as_ref(), &message, false);
        self.change(&wish, &message.deployment, |_, deployment| {
            Ok(DeploymentChange::ResetPassword {
                user: fresh.user(),
                sealed_credentials: fresh.sealed(&self.0, &deployment.id)?,
            })
        })
        .await
    }

    async fn set_host_loss_policy(
        &self,
        request: Request<v1::SetHostLossPolicyRequest>,
    ) -> Result<Response<v1::Deployment>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let expected_version = expected(message.mutation.as_ref());
        let Some(on_host_loss) = HostLoss::parse(&message.on_host_loss) else {
            return Err(field_status(
                refusal_codes::HOST_LOSS,
                "on_host_loss",
                "what becomes of a storage node whose host is lost is `wait`, `restore` or `empty`",
                "choose one of them",
            ));
        };
        let find = |state: &State| {
            state
                .find_deployment(&message.deployment)
                .cloned()
                .ok_or_else(|| Refusal::not_found("deployment", &message.deployment))
        };
        self.0
            .proposer
            .once(&asked, |state| {
                Ok(Body::SetHostLossPolicy(SetHostLossPolicy {
                    deployment_id: find(state)?.id,
                    expected_version,
                    on_host_loss,
                }))
            })
            .await?;
        let view = View::of(&self.0);
        let record = find(&view.state).map_err(|refusal| refused(&refusal))?;
        Ok(Response::new(view.deployment(&record)))
    }

    async fn set_snapshot_policy(
        &self,
        request: Request<v1::SetSnapshotPolicyRequest>,
    ) -> Result<Response<v1::Deployment>, Status> {
        snapshots::set_policy(&self.0, request).await
    }

    async fn take_snapshot(
        &self,
        request: Request<v1::TakeSnapshotRequest>,
    ) -> Result<Response<v1::TakeSnapshotResponse>, Status> {
        snapshots::take(&self.0, request).await
    }

    async fn get_credentials(
        &self,
        request: Request<v1::GetCredentialsRequest>,
    ) -> Result<Response<v1::Credentials>, Status> {
        let (principal, message) = opened(request)?;
        let view = View::of(&self.0);
        let record = view
            .state
            .find_deployment(&message.deployment)
            .ok_or_else(|| not_found("deployment", &message.deployment))?;
        let name = credentials_secret(&record.id);
        let sealed = view
            .state
            .secrets
            .get(&name)
            .ok_or_else(|| not_found("credentials", record.id.as_str()))?;
        let credentials =
            DeploymentCredentials::open(&self.0.key, &name, &sealed.sealed).map_err(|error| {
                coded_status(
                    tonic::Code::FailedPrecondition,
                    codes::SEALED,
                    error.to_string(),
                    "restore the platform key that sealed it",
                )
            })?;
        // What cannot be audited is not shown.
        let note = Body::NoteAudit(NoteAudit {
            action: "get_credentials".to_owned(),
            subject: format!("deployment/{}", record.id),
            detail: String::new(),
            place: None,
        });
        self.0.proposer.of(&principal.name, note).await?;
        Ok(Response::new(v1::Credentials {
            deployment_id: record.id.to_string(),
            alias: record.alias.clone(),
            url: view.endpoint(record),
            username: credentials.username,
            password: credentials.password,
            ca_pem: self.0.certificates.ca_pem(&self.0.published.state()),
        }))
    }
}

/// The request with its maps in one order: the bytes of the same request are then the same.
fn canonical(message: &v1::CreateDeploymentRequest) -> v1::CreateDeploymentRequest {
    let mut flat = message.clone();
    let mut sizes: Vec<_> = flat.sizes.drain().collect();
    sizes.sort_by(|a, b| a.0.cmp(&b.0));
    let mut zones: Vec<_> = flat.zone_counts.drain().collect();
    zones.sort();
    // Only digested: the maps are appended to the name as text.
    flat.name = format!("{}\0{sizes:?}\0{zones:?}", flat.name);
    flat
}

fn health_word(health: v1::Health) -> Value {
    let word = health.as_str_name().trim_start_matches("HEALTH_");
    Value::Text(word.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn the_same_request_has_the_same_bytes_whatever_the_order_of_its_maps() {
        let request = |kinds: [&str; 3]| v1::CreateDeploymentRequest {
            name: "a".into(),
            zone_counts: kinds.map(|kind| (kind.to_owned(), 1)).into(),
            ..Default::default()
        };
        let one = canonical(&request(["a", "b", "c"])).encode_to_vec();
        for _ in 0..20 {
            assert_eq!(canonical(&request(["c", "a", "b"])).encode_to_vec(), one);
        }
        assert_ne!(canonical(&request(["c", "a", "d"])).encode_to_vec(), one);
    }
}
