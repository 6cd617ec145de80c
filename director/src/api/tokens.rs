//! Tokens that stand for users in programs: made by their user, shown once, taken back. Not here:
//! their text and hash (`tokens`), how long and how many (the core).

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_director_core::{
    command::{self, Body},
    settings,
    state::{Role, TokenRecord},
};
use wharf_proto::{times::timestamp, v1};
use wharf_services::v1::tokens_server::Tokens;

use super::{
    asked, info, not_found, page, principal,
    users::{login, not_with_a_token, role_names, roles},
};
use crate::{auth::Login, director::Director, tokens};

const FIELDS: [&str; 7] = [
    "id", "username", "name", "roles", "created", "expires", "expired",
];
/// Life of a token when none is asked for.
const LIFETIME_MS: u64 = 90 * 24 * 60 * 60 * 1_000;

/// The service.
#[derive(Clone, Debug)]
pub struct TokensApi(pub Arc<Director>);

fn message(record: &TokenRecord, now_ms: u64) -> v1::Token {
    v1::Token {
        id: record.id.clone(),
        username: record.username.clone(),
        name: record.name.clone(),
        roles: role_names(&record.roles),
        created_at: Some(timestamp(record.created_ms)),
        expires_at: Some(timestamp(record.expires_ms)),
        expired: record.expires_ms <= now_ms,
    }
}

fn has(login: &Login, role: Role) -> bool {
    login.roles.iter().any(|own| own.covers(role))
}

#[tonic::async_trait]
impl Tokens for TokensApi {
    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        let principal = principal(&request)?;
        let login = login(&principal)?;
        not_with_a_token(login)?;
        let message_in = request.into_inner();
        let asked = asked(&principal, message_in.mutation.as_ref(), &message_in)?;
        let minted = tokens::mint(&self.0.key, &principal.name, asked.request_id.as_str());
        let wanted = roles(&message_in.roles)?;
        let state = self.0.published.state();
        let longest_ms = settings::duration_ms(&state, "tokens.max_lifetime_seconds");
        let body = Body::CreateToken(command::CreateToken {
            id: minted.id.clone(),
            username: login.username.clone(),
            name: message_in.name,
            hash: minted.hash,
            roles: if wanted.is_empty() {
                login.roles.clone()
            } else {
                wanted
            },
            lifetime_ms: match message_in.lifetime_seconds {
                0 => LIFETIME_MS.min(longest_ms),
                seconds => seconds.saturating_mul(1_000),
            },
        });
        self.0.proposer.once(&asked, |_| Ok(body)).await?;
        let state = self.0.published.state();
        let record = state
            .tokens
            .get(&minted.id)
            .ok_or_else(|| not_found("token", &minted.id))?;
        Ok(Response::new(v1::CreateTokenResponse {
            token: Some(message(record, self.0.now_ms())),
            secret: minted.text,
        }))
    }

    async fn list_tokens(
        &self,
        request: Request<v1::ListTokensRequest>,
    ) -> Result<Response<v1::ListTokensResponse>, Status> {
        let principal = principal(&request)?;
        let login = login(&principal)?;
        let everybodys = has(login, Role::PlatformViewer);
        let state = self.0.published.state();
        let now_ms = self.0.now_ms();
        let page = page(
            request.get_ref().options.as_ref(),
            &FIELDS,
            state
                .tokens
                .values()
                .filter(|token| everybodys || token.username == login.username),
            |row, field| match field {
                "username" => row.username.as_str().into(),
                "name" => row.name.as_str().into(),
                "roles" => role_names(&row.roles).join(",").into(),
                "created" => row.created_ms.into(),
                "expires" => row.expires_ms.into(),
                "expired" => (row.expires_ms <= now_ms).into(),
                _ => row.id.as_str().into(),
            },
            |row| row.id.clone(),
        )?;
        Ok(Response::new(v1::ListTokensResponse {
            info: Some(info(&page)),
            tokens: page.rows.iter().map(|row| message(row, now_ms)).collect(),
        }))
    }

    async fn revoke_token(
        &self,
        request: Request<v1::RevokeTokenRequest>,
    ) -> Result<Response<v1::RevokeTokenResponse>, Status> {
        let principal = principal(&request)?;
        let login = login(&principal)?;
        let message = request.into_inner();
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let anybodys = has(login, Role::PlatformAdmin);
        let body = Body::RevokeToken(command::RevokeToken {
            id: message.id.clone(),
            owner: (!anybodys).then(|| login.username.clone()),
        });
        self.0.proposer.once(&asked, |_| Ok(body)).await?;
        Ok(Response::new(v1::RevokeTokenResponse {}))
    }
}
