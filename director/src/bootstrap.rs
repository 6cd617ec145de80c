//! The first commands of a fresh log: the platform with its admin, then the deployment `system`.
//! Done by each new leader, level-triggered: what is there already is left alone. Not here: making
//! the files that this reads (`wharf up`), creating deployments for users (`api/deployments`).

use tokio::sync::Semaphore;
use wharf_director_core::{
    apply::deployment::credentials_secret,
    command::{Body, BootstrapPlatform, CreateDeployment, RaiseFeatureLevel},
    deployment::{
        expand::{DeploymentRequest, expand},
        validate::SYSTEM_ALIAS,
    },
    refusal::{Refusal, RefusalKind},
    state::{DeploymentUser, FEATURE_LEVEL, State},
};
use wharf_proto::ids::DeploymentId;
use wharf_runtime::{random, task};

use crate::{
    director::Director,
    propose::ProposalError,
    secrets::{self, DeploymentCredentials, SecretError},
};

/// Each hash takes a core and 19 MiB.
static HASHERS: Semaphore = Semaphore::const_new(2);

/// Why the first commands could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// A command failed.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// The credentials could not be made.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// Sees to it that the platform and its own deployment are there.
///
/// # Errors
/// When a command is refused or leadership is lost; try again while leading.
pub async fn ensure(director: &Director) -> Result<(), BootstrapError> {
    let config = &director.config;
    // Who joined a platform never sets one up.
    let Some(first) = &config.bootstrap else {
        return Ok(());
    };
    if director.published.state().platform.is_none() {
        let body = Body::BootstrapPlatform(BootstrapPlatform {
            platform_id: config.platform_id.clone(),
            name: config.platform.name.clone(),
            domain: config.platform.domain.clone(),
            proxy_https_port: config.platform.ports.proxy_https,
            director_id: config.director_id.clone(),
            admin_username: first.admin_username.clone(),
            admin_password_hash: first.admin_password_hash.clone(),
        });
        director.proposer.own(body).await?;
        tracing::info!(platform = %config.platform_id, "the platform was set up");
    }
    // Every member must know what the level brings; a sole one does.
    let alone = director.raft.status().borrow().membership.all().len() == 1;
    let level = director.published.state().feature_level;
    if alone && level < FEATURE_LEVEL {
        let body = Body::RaiseFeatureLevel(RaiseFeatureLevel {
            level: FEATURE_LEVEL,
        });
        director.proposer.own(body).await?;
        tracing::info!(from = level, to = FEATURE_LEVEL, "the feature level rose");
    }
    if director.published.state().system_deployment().is_none() {
        let fresh = FreshCredentials::generate().await?;
        let request = DeploymentRequest {
            name: SYSTEM_ALIAS.to_owned(),
            alias: SYSTEM_ALIAS.to_owned(),
            template_id: first.system_template.clone(),
            system_owned: true,
            ..DeploymentRequest::default()
        };
        let state = director.published.state();
        let body =
            create_body(director, &state, &request, &fresh).map_err(ProposalError::Refused)?;
        director
            .proposer
            .own(Body::CreateDeployment(Box::new(body)))
            .await?;
        tracing::info!("the deployment `system` was asked for");
    }
    Ok(())
}

/// Credentials of a deployment to be, with the hash that its instances get.
pub struct FreshCredentials {
    credentials: DeploymentCredentials,
    hash: String,
}

impl FreshCredentials {
    /// Makes them; hashing is done beside the async threads.
    ///
    /// # Errors
    /// When hashing fails.
    pub async fn generate() -> Result<Self, SecretError> {
        // The semaphore is never closed; whoever waits is bounded by the gate's deadline.
        let _turn = HASHERS.acquire().await;
        let credentials = DeploymentCredentials::generate();
        let password = credentials.password.clone();
        let hash = task::spawn_blocking("password", move || secrets::hash_password(&password))
            .await
            .unwrap_or_else(|_| Err(SecretError::Sealed("a new password".to_owned())))?;
        Ok(Self { credentials, hash })
    }
}

impl FreshCredentials {
    /// The user that a deployment's instances are to accept.
    #[must_use]
    pub fn user(&self) -> DeploymentUser {
        DeploymentUser {
            username: self.credentials.username.clone(),
            password_hash: self.hash.clone(),
            roles: vec!["superuser".to_owned()],
        }
    }

    /// The credentials, sealed as those of a deployment.
    ///
    /// # Errors
    /// When they cannot be sealed.
    pub fn sealed(&self, director: &Director, id: &DeploymentId) -> Result<String, Refusal> {
        let name = credentials_secret(id);
        self.credentials
            .seal(&director.key, &name)
            .map_err(|error| {
                Refusal::new(
                    RefusalKind::FailedPrecondition,
                    crate::codes::SEALED,
                    error.to_string(),
                )
            })
    }
}

/// The command for a request, its credentials sealed under the deployment's own name.
///
/// # Errors
/// What is wrong with the request.
pub fn create_body(
    director: &Director,
    state: &State,
    request: &DeploymentRequest,
    fresh: &FreshCredentials,
) -> Result<CreateDeployment, Refusal> {
    let mut body = expand(
        state,
        &director.catalog,
        request,
        vec![fresh.user()],
        String::new(),
        &mut random::bytes::<16>,
    )?;
    body.sealed_credentials = fresh.sealed(director, &body.deployment_id)?;
    Ok(body)
}
