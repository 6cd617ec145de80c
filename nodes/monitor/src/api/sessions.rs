//! Sessions of browsers at this node: begun by the deployment's credentials, shown, ended. Not here: the check of
//! a call with one (`credentials`), when they end by themselves (`sessions`).

use std::sync::Arc;

use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Response, Status};
use wharf_admin_ui::browser::{giving, taking};
use wharf_proto::monitor::v1;
use wharf_proto::times::timestamp;
use wharf_services::monitor::v1::sessions_server::Sessions;

use crate::codes;
use crate::credentials::{Credentials, Principal, Proof, ended};
use crate::monitor::Monitor;
use crate::sessions::Session;
use crate::status::{coded_status, internal};

/// The service.
#[derive(Clone)]
pub(crate) struct SessionsApi {
    pub(crate) monitor: Arc<Monitor>,
    pub(crate) credentials: Arc<Credentials>,
}

fn principal<T>(request: &Request<T>) -> Result<&Principal, Status> {
    let principal = request.extensions().get::<Principal>();
    principal.ok_or_else(|| internal("a request came past the gate"))
}

fn made_otherwise(message: &str, hint: &str) -> Status {
    coded_status(Code::FailedPrecondition, codes::FORBIDDEN, message, hint)
}

fn no_session() -> Status {
    made_otherwise(
        "this call was made with user and password, not with a session",
        "log in first, and call with the cookie",
    )
}

fn with_cookie<T>(message: T, cookie: &str) -> Result<Response<T>, Status> {
    let mut response = Response::new(message);
    let cookie = MetadataValue::try_from(cookie).map_err(internal)?;
    response.metadata_mut().insert("set-cookie", cookie);
    Ok(response)
}

impl SessionsApi {
    fn message(&self, session: &Session) -> v1::Session {
        // Sessions go by a clock of their own; people by the one on the wall.
        let (now_ms, shown_ms) = (self.credentials.now_ms(), self.monitor.now_ms());
        let shown = |ms: u64| timestamp((shown_ms + ms).saturating_sub(now_ms));
        v1::Session {
            username: session.username.clone(),
            deployment: self.monitor.config.deployment_name.clone(),
            created_at: Some(shown(session.begun_ms)),
            expires_at: Some(shown(session.expires_ms())),
            idle_at: Some(shown(session.idle_ms())),
        }
    }
}

#[tonic::async_trait]
impl Sessions for SessionsApi {
    async fn log_in(
        &self,
        request: Request<v1::LogInRequest>,
    ) -> Result<Response<v1::LogInResponse>, Status> {
        let principal = principal(&request)?;
        let Proof::Credentials(authorization) = &principal.proof else {
            return Err(made_otherwise(
                "this call was made with a session",
                "give user and password in the header `authorization`",
            ));
        };
        let begun = self.credentials.begin(authorization);
        let (session, secret) = begun.ok_or_else(|| internal("credentials without a user"))?;
        tracing::info!(user = session.username, "a browser logged in");
        let answer = v1::LogInResponse {
            session: Some(self.message(&session)),
        };
        let deployment_id = &self.monitor.config.deployment_id;
        with_cookie(answer, &giving(deployment_id, &secret))
    }

    async fn log_out(
        &self,
        request: Request<v1::LogOutRequest>,
    ) -> Result<Response<v1::LogOutResponse>, Status> {
        let Proof::Session(id) = principal(&request)?.proof else {
            return Err(no_session());
        };
        self.credentials.end(id);
        let deployment_id = &self.monitor.config.deployment_id;
        with_cookie(v1::LogOutResponse {}, &taking(deployment_id))
    }

    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::Session>, Status> {
        let Proof::Session(id) = principal(&request)?.proof else {
            return Err(no_session());
        };
        let session = self.credentials.session(id);
        // It may have been ended since the gate let it in.
        let session = session.ok_or_else(ended)?;
        Ok(Response::new(self.message(&session)))
    }
}
