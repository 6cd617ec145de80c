//! Users of the platform: made, changed, disabled, removed; one's own password. Passwords are hashed
//! here and travel no further. Not here: checking a login (`logins`), that an admin remains (the
//! core).

use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

use tonic::{Code, Request, Response, Status};
use wharf_director_core::{
    command::{self, Body},
    refusal::{codes as refusals, cut},
    state::{Role, State, UserRecord},
};
use wharf_proto::{times::timestamp, v1};
use wharf_runtime::task;
use wharf_services::v1::users_server::Users;

use super::{asked, expected, info, not_found, opened, page, principal};
use crate::{
    answer::{coded_status, field_status, internal},
    auth::{self, Login, Principal},
    codes,
    director::Director,
    propose::Asked,
    secrets,
};

const FIELDS: [&str; 5] = ["username", "roles", "disabled", "created", "changed"];
/// Bytes of a password.
const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 8..=1_024;

/// The service.
#[derive(Clone, Debug)]
pub struct UsersApi(pub Arc<Director>);

/// Roles by their names.
///
/// # Errors
/// Names the one that there is not.
pub fn roles(names: &[String]) -> Result<BTreeSet<Role>, Status> {
    let all: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
    let parse = |name: &String| {
        Role::parse(name).ok_or_else(|| {
            field_status(
                refusals::USER,
                "roles",
                format!("there is no role `{}`", cut(name, 64)),
                &format!("there are: {}", all.join(", ")),
            )
        })
    };
    names.iter().map(parse).collect()
}

/// Names of roles, least first.
#[must_use]
pub fn role_names(roles: &BTreeSet<Role>) -> Vec<String> {
    roles.iter().map(|role| role.as_str().to_owned()).collect()
}

/// The login behind a call: people only reach these methods.
///
/// # Errors
/// When it is none.
pub fn login(principal: &Principal) -> Result<&Login, Status> {
    principal
        .login
        .as_ref()
        .ok_or_else(|| internal("a role called a method of people"))
}

/// Refuses what a token must not do: what it could do would outlive it.
///
/// # Errors
/// When the call was made with a token.
pub fn not_with_a_token(login: &Login) -> Result<(), Status> {
    if login.token_id.is_none() {
        return Ok(());
    }
    Err(coded_status(
        Code::PermissionDenied,
        codes::FORBIDDEN,
        "this cannot be done with a token",
        "log in with user name and password",
    ))
}

fn message(state: &State, record: &UserRecord) -> v1::User {
    let tokens = state.tokens.values();
    let own = tokens.filter(|token| token.username == record.username);
    v1::User {
        username: record.username.clone(),
        roles: role_names(&record.roles),
        disabled: record.disabled,
        created_at: Some(timestamp(record.created_ms)),
        changed_at: Some(timestamp(record.changed_ms)),
        version: record.version,
        tokens: u32::try_from(own.count()).unwrap_or(u32::MAX),
    }
}

fn find<'a>(state: &'a State, username: &str) -> Result<&'a UserRecord, Status> {
    state
        .users
        .get(username)
        .ok_or_else(|| not_found("user", username))
}

async fn hashed(username: &str, password: String) -> Result<String, Status> {
    let guessable = !username.is_empty() && password.eq_ignore_ascii_case(username);
    if !PASSWORD_BYTES.contains(&password.len()) || guessable {
        return Err(field_status(
            refusals::USER,
            "password",
            "the password cannot be used",
            &format!(
                "{} to {} bytes, and not the user's name",
                PASSWORD_BYTES.start(),
                PASSWORD_BYTES.end()
            ),
        ));
    }
    task::spawn_blocking("password", move || secrets::hash_password(&password))
        .await
        .map_err(internal)?
        .map_err(internal)
}

impl UsersApi {
    /// What stands for a password in a request's digest, which stays in the state.
    fn stand_in(&self, password: &str) -> String {
        hex::encode(self.0.key.digest("request", password.as_bytes()))
    }

    async fn change(
        &self,
        asked: &Asked,
        body: command::UpdateUser,
    ) -> Result<Response<v1::User>, Status> {
        let username = body.username.clone();
        self.0
            .proposer
            .once(asked, |_| Ok(Body::UpdateUser(body)))
            .await?;
        self.shown(&username)
    }

    fn shown(&self, username: &str) -> Result<Response<v1::User>, Status> {
        let state = self.0.published.state();
        Ok(Response::new(message(&state, find(&state, username)?)))
    }
}

fn unchanged(username: &str, mutation: Option<&v1::Mutation>) -> command::UpdateUser {
    command::UpdateUser {
        username: username.to_owned(),
        password_hash: None,
        roles: None,
        disabled: None,
        expected_version: expected(mutation),
    }
}

#[tonic::async_trait]
impl Users for UsersApi {
    async fn create_user(
        &self,
        request: Request<v1::CreateUserRequest>,
    ) -> Result<Response<v1::User>, Status> {
        let principal = principal(&request)?;
        let mut message = request.into_inner();
        let password = std::mem::take(&mut message.password);
        message.password = self.stand_in(&password);
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let body = Body::CreateUser(command::CreateUser {
            username: message.username.clone(),
            roles: roles(&message.roles)?,
            password_hash: hashed(&message.username, password).await?,
        });
        self.0.proposer.once(&asked, |_| Ok(body)).await?;
        self.shown(&message.username)
    }

    async fn get_user(
        &self,
        request: Request<v1::GetUserRequest>,
    ) -> Result<Response<v1::User>, Status> {
        self.shown(&request.get_ref().username)
    }

    async fn list_users(
        &self,
        request: Request<v1::ListUsersRequest>,
    ) -> Result<Response<v1::ListUsersResponse>, Status> {
        let state = self.0.published.state();
        let page = page(
            request.get_ref().options.as_ref(),
            &FIELDS,
            state.users.values(),
            |row, field| match field {
                "roles" => role_names(&row.roles).join(",").into(),
                "disabled" => row.disabled.into(),
                "created" => row.created_ms.into(),
                "changed" => row.changed_ms.into(),
                _ => row.username.as_str().into(),
            },
            |row| row.username.clone(),
        )?;
        Ok(Response::new(v1::ListUsersResponse {
            info: Some(info(&page)),
            users: page.rows.iter().map(|row| message(&state, row)).collect(),
        }))
    }

    async fn who_am_i(
        &self,
        request: Request<v1::WhoAmIRequest>,
    ) -> Result<Response<v1::WhoAmIResponse>, Status> {
        let principal = principal(&request)?;
        let login = login(&principal)?;
        Ok(Response::new(v1::WhoAmIResponse {
            username: login.username.clone(),
            roles: role_names(&login.roles),
            token_id: login.token_id.clone().unwrap_or_default(),
        }))
    }

    async fn set_password(
        &self,
        request: Request<v1::SetPasswordRequest>,
    ) -> Result<Response<v1::User>, Status> {
        let principal = principal(&request)?;
        not_with_a_token(login(&principal)?)?;
        let mut message = request.into_inner();
        let password = std::mem::take(&mut message.password);
        message.password = self.stand_in(&password);
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let mut body = unchanged(&message.username, message.mutation.as_ref());
        body.password_hash = Some(hashed(&message.username, password).await?);
        self.change(&asked, body).await
    }

    async fn change_own_password(
        &self,
        request: Request<v1::ChangeOwnPasswordRequest>,
    ) -> Result<Response<v1::User>, Status> {
        let principal = principal(&request)?;
        let login = login(&principal)?;
        not_with_a_token(login)?;
        let address: IpAddr = auth::address(request.extensions());
        let mut message = request.into_inner();
        let current = std::mem::take(&mut message.current_password);
        let password = std::mem::take(&mut message.password);
        auth::check_password(&self.0, &login.username, &current, address).await?;
        message.password = self.stand_in(&password);
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let mut body = unchanged(&login.username, message.mutation.as_ref());
        body.password_hash = Some(hashed(&login.username, password).await?);
        self.change(&asked, body).await
    }

    async fn set_roles(
        &self,
        request: Request<v1::SetRolesRequest>,
    ) -> Result<Response<v1::User>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let mut body = unchanged(&message.username, message.mutation.as_ref());
        body.roles = Some(roles(&message.roles)?);
        self.change(&asked, body).await
    }

    async fn set_disabled(
        &self,
        request: Request<v1::SetDisabledRequest>,
    ) -> Result<Response<v1::User>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let mut body = unchanged(&message.username, message.mutation.as_ref());
        body.disabled = Some(message.disabled);
        self.change(&asked, body).await
    }

    async fn delete_user(
        &self,
        request: Request<v1::DeleteUserRequest>,
    ) -> Result<Response<v1::DeleteUserResponse>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let body = Body::DeleteUser(command::DeleteUser {
            username: message.username.clone(),
            expected_version: expected(message.mutation.as_ref()),
        });
        self.0.proposer.once(&asked, |_| Ok(body)).await?;
        Ok(Response::new(v1::DeleteUserResponse {}))
    }
}
