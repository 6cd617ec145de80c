//! Sessions of people in browsers: begun by a password, shown, ended. Not here: their cookies
//! (`browser`), the check of a call with one (`auth`), how long they last (the core).

use std::sync::Arc;

use tonic::{Code, Request, Response, Status, metadata::MetadataValue};
use wharf_admin_ui::browser::{giving, taking};
use wharf_director_core::{
    apply::session::idle_ms,
    command::{self, Body},
    refusal::cut,
    state::{Role, SessionRecord, State},
};
use wharf_proto::{times::timestamp, v1};
use wharf_runtime::random;
use wharf_services::v1::sessions_server::Sessions;

use super::{
    asked_secretly, info, opened, page, principal,
    users::{login, role_names},
};
use crate::{
    answer::{coded_status, internal, not_leading},
    auth::{self, Login, Principal},
    browser, codes,
    director::Director,
    propose::Asked,
};

const FIELDS: [&str; 6] = ["id", "username", "created", "used", "expires", "via"];
/// Bytes kept of what a browser calls itself.
const AGENT_BYTES: usize = 200;

/// The service.
#[derive(Clone, Debug)]
pub struct SessionsApi(pub Arc<Director>);

/// The session that a call is made with.
fn own(login: &Login) -> Result<&str, Status> {
    login.session_id.as_deref().ok_or_else(|| {
        coded_status(
            Code::FailedPrecondition,
            codes::FORBIDDEN,
            "this call was made with a password or a token, not with a session",
            "log in first, and call with the cookie",
        )
    })
}

fn administers(login: &Login) -> bool {
    login.roles.contains(&Role::PlatformAdmin)
}

/// Where a log-in comes from, for people.
fn via<T>(request: &Request<T>) -> String {
    let address = auth::address(request.extensions());
    let agent = request.metadata().get("user-agent");
    match agent.and_then(|agent| agent.to_str().ok()) {
        Some(agent) => format!("{address}, {}", cut(agent, AGENT_BYTES)),
        None => address.to_string(),
    }
}

fn with_cookie<T>(message: T, cookie: &str) -> Result<Response<T>, Status> {
    let mut response = Response::new(message);
    let cookie = MetadataValue::try_from(cookie).map_err(internal)?;
    response.metadata_mut().insert("set-cookie", cookie);
    Ok(response)
}

impl SessionsApi {
    fn message(&self, state: &State, record: &SessionRecord, login: &Login) -> v1::Session {
        let user = state.users.get(&record.username);
        v1::Session {
            id: record.id.clone(),
            username: record.username.clone(),
            roles: user.map_or_else(Vec::new, |user| role_names(&user.roles)),
            platform: self.0.config.platform.name.clone(),
            created_at: Some(timestamp(record.created_ms)),
            expires_at: Some(timestamp(record.expires_ms)),
            via: record.via.clone(),
            used_at: Some(timestamp(record.used_ms)),
            idle_at: Some(timestamp(record.ends_ms(idle_ms(state)))),
            current: login.session_id.as_ref() == Some(&record.id),
        }
    }

    fn shown(&self, login: &Login, id: &str) -> Result<v1::Session, Status> {
        let state = self.0.published.state();
        let record = state.sessions.get(id);
        let record = record.ok_or_else(|| auth::wrong("the session has ended"))?;
        Ok(self.message(&state, record, login))
    }

    async fn end(&self, asked: &Asked, id: &str, owner: Option<String>) -> Result<(), Status> {
        let body = Body::EndSession(command::EndSession {
            id: id.to_owned(),
            owner,
        });
        self.0.proposer.once(asked, |_| Ok(body)).await?;
        Ok(())
    }
}

#[tonic::async_trait]
impl Sessions for SessionsApi {
    async fn log_in(
        &self,
        request: Request<v1::LogInRequest>,
    ) -> Result<Response<v1::LogInResponse>, Status> {
        if !self.0.leads() {
            return Err(not_leading());
        }
        let (via, address) = (via(&request), auth::address(request.extensions()));
        let message = request.into_inner();
        let (name, password) = (&message.username, &message.password);
        let mut login = auth::check_password(&self.0, name, password, address).await?;
        let mutation = message.mutation.clone().unwrap_or_else(|| v1::Mutation {
            request_id: random::new_id(),
            expected_version: 0,
        });
        let principal = Principal {
            name: login.username.clone(),
            callers: Vec::new(),
            identity: None,
            login: None,
        };
        let asked = asked_secretly(&self.0.key, &principal, Some(&mutation), &message)?;
        let minted = browser::mint(&self.0.key, &login.username, asked.request_id.as_str());
        let body = Body::BeginSession(command::BeginSession {
            id: minted.id.clone(),
            username: login.username.clone(),
            user_version: login.user_version,
            hash: minted.hash,
            via,
        });
        self.0.proposer.once(&asked, |_| Ok(body)).await?;
        login.session_id = Some(minted.id.clone());
        let answer = v1::LogInResponse {
            session: Some(self.shown(&login, &minted.id)?),
        };
        let platform_id = self.0.config.platform_id.as_str();
        with_cookie(answer, &giving(platform_id, &minted.cookie))
    }

    async fn log_out(
        &self,
        request: Request<v1::LogOutRequest>,
    ) -> Result<Response<v1::LogOutResponse>, Status> {
        let (principal, message) = opened(request)?;
        let id = own(login(&principal)?)?;
        let mutation = v1::Mutation {
            request_id: random::new_id(),
            expected_version: 0,
        };
        let asked = asked_secretly(&self.0.key, &principal, Some(&mutation), &message)?;
        self.end(&asked, id, None).await?;
        let platform_id = self.0.config.platform_id.as_str();
        with_cookie(v1::LogOutResponse {}, &taking(platform_id))
    }

    async fn get_session(
        &self,
        request: Request<v1::GetSessionRequest>,
    ) -> Result<Response<v1::Session>, Status> {
        let principal = principal(&request)?;
        let login = login(&principal)?;
        Ok(Response::new(self.shown(login, own(login)?)?))
    }

    async fn list_sessions(
        &self,
        request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsResponse>, Status> {
        let principal = principal(&request)?;
        let login = login(&principal)?;
        let everybodys = administers(login);
        let state = self.0.published.state();
        let (now_ms, idle_ms) = (self.0.now_ms(), idle_ms(&state));
        let page = page(
            request.get_ref().options.as_ref(),
            &FIELDS,
            state.sessions.values().filter(|session| {
                now_ms < session.ends_ms(idle_ms)
                    && (everybodys || session.username == login.username)
            }),
            |row, field| match field {
                "username" => row.username.as_str().into(),
                "created" => row.created_ms.into(),
                "used" => row.used_ms.into(),
                "expires" => row.expires_ms.into(),
                "via" => row.via.as_str().into(),
                _ => row.id.as_str().into(),
            },
            |row| row.id.clone(),
        )?;
        let rows = page.rows.iter();
        Ok(Response::new(v1::ListSessionsResponse {
            info: Some(info(&page)),
            sessions: rows.map(|row| self.message(&state, row, login)).collect(),
        }))
    }

    async fn end_session(
        &self,
        request: Request<v1::EndSessionRequest>,
    ) -> Result<Response<v1::EndSessionResponse>, Status> {
        let (principal, message) = opened(request)?;
        let login = login(&principal)?;
        let asked = super::asked(&principal, message.mutation.as_ref(), &message)?;
        let owner = (!administers(login)).then(|| login.username.clone());
        self.end(&asked, &message.id, owner).await?;
        Ok(Response::new(v1::EndSessionResponse {}))
    }
}
