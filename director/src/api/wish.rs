//! A change that is carried out by a plan, asked for or only looked at: the same command either way,
//! proposed or applied to a copy. Not here: making the command (`deployments`, `plans`), what a
//! preview holds (`wharf_director_core::plan::preview`).

use prost::Message;
use tonic::Status;
use wharf_director_core::{
    command::{Body, Command},
    outcome::Outcome,
    plan::preview,
    refusal::Refusal,
    state::State,
};
use wharf_proto::v1;

use super::{asked, expected};
use crate::{
    answer::{internal, refused},
    auth::Principal,
    director::Director,
    propose::Asked,
};

/// What a caller wants.
pub struct Wish {
    actor: String,
    asked: Result<Asked, Status>,
    dry_run: bool,
    /// The version that the deployment must have; zero does not check.
    pub expected_version: u64,
}

/// What a dry run found.
pub struct Looked {
    /// The deployment that there is; empty when it is not there yet.
    pub deployment_id: String,
    /// The deployment as it would be at first.
    pub deployment: v1::Deployment,
    /// What the plan would do.
    pub plan: v1::PlanPreview,
}

/// What became of it.
pub enum Done {
    /// The ids of the deployment and of the plan that carries it out.
    Asked(String, String),
    /// Nothing was changed.
    Seen(Box<Looked>),
}

impl Done {
    /// The deployment, the plan (empty when nothing was changed), and what the plan would do.
    pub fn into_parts(self) -> (String, String, Option<v1::PlanPreview>) {
        match self {
            Self::Asked(deployment_id, plan_id) => (deployment_id, plan_id, None),
            Self::Seen(seen) => (seen.deployment_id, String::new(), Some(seen.plan)),
        }
    }
}

impl Wish {
    /// The wish in a request; `content` is what makes it recognisable when it is repeated. A dry run
    /// changes nothing and needs no request id.
    pub fn of<T: Message>(
        principal: &Principal,
        mutation: Option<&v1::Mutation>,
        content: &T,
        dry_run: bool,
    ) -> Self {
        Self {
            actor: principal.name.clone(),
            asked: asked(principal, mutation, content),
            dry_run,
            expected_version: expected(mutation),
        }
    }

    /// Carries it out once, or looks at what it would do.
    ///
    /// # Errors
    /// What the command is refused for, or why it could not be proposed.
    pub async fn carry_out(
        &self,
        director: &Director,
        body: impl FnOnce(&State) -> Result<Body, Refusal>,
    ) -> Result<Done, Status> {
        if self.dry_run {
            return self.look(director, body);
        }
        let outcome = director
            .proposer
            .once(self.asked.as_ref().map_err(Clone::clone)?, body)
            .await?;
        match outcome {
            Outcome::Deployment {
                deployment_id,
                plan_id,
            } => Ok(Done::Asked(deployment_id.to_string(), plan_id.to_string())),
            other => Err(internal(format!("an unexpected outcome: {other:?}"))),
        }
    }

    fn look(
        &self,
        director: &Director,
        body: impl FnOnce(&State) -> Result<Body, Refusal>,
    ) -> Result<Done, Status> {
        let (state, seen, now_ms) = (
            director.published.state(),
            director.seen.core(),
            director.now_ms(),
        );
        let body = body(&state).map_err(|refusal| refused(&refusal))?;
        let deployment_id = match &body {
            Body::ChangeDeployment(body) => body.deployment_id.to_string(),
            Body::DeleteDeployment(body) => body.deployment_id.to_string(),
            _ => String::new(),
        };
        let command = Command::new(now_ms, self.actor.as_str(), None, body);
        let found = preview::preview(&state, &seen, &command, now_ms)
            .map_err(|refusal| refused(&refusal))?;
        Ok(Done::Seen(Box::new(Looked {
            deployment_id,
            deployment: found.deployment,
            plan: found.plan,
        })))
    }
}
