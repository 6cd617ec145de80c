//! `wharf token`: secrets that stand for oneself in programs. Invariant: a secret is printed or
//! written once, by the command that made it.

use wharf_proto::v1::{CreateTokenRequest, ListTokensRequest, RevokeTokenRequest, Token};

use super::listing::read_all;
use crate::{
    args::TokenCommand,
    client::{Client, mutation},
    failure::Failure,
    given,
    print::{self, Table},
    times,
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &TokenCommand) -> Result<u8, Failure> {
    match command {
        TokenCommand::Create {
            name,
            roles,
            lifetime,
            secret_file,
        } => {
            let lifetime_ms = lifetime.as_deref().map(times::age).transpose()?;
            // Before there is a secret that could be lost.
            let file = secret_file
                .as_deref()
                .map(given::SecretFile::create)
                .transpose()?;
            let request = CreateTokenRequest {
                mutation: mutation(),
                name: name.clone(),
                roles: roles.clone(),
                lifetime_seconds: lifetime_ms.unwrap_or(0) / 1000,
            };
            let made = match client.tokens().create_token(request).await {
                Ok(answer) => answer.into_inner(),
                Err(status) => {
                    if let Some(file) = file {
                        file.remove();
                    }
                    return Err(status.into());
                }
            };
            let token = made.token.unwrap_or_default();
            let mut json = print::json(&token)?;
            match file {
                Some(file) => file.write(&made.secret)?,
                None => json["secret"] = made.secret.clone().into(),
            }
            print::result(client.output(), &json, || {
                let mut text = render(&token, client.now_ms());
                if secret_file.is_none() {
                    text.push_str(&format!("secret      {}\n", made.secret));
                }
                text
            });
        }
        TokenCommand::List(args) => {
            let tokens = read_all(args, |options| async {
                let request = ListTokensRequest {
                    options: Some(options),
                };
                let page = client.tokens().list_tokens(request).await?.into_inner();
                Ok((page.tokens, page.info))
            })
            .await?;
            let json = print::json_list(&tokens)?;
            print::result(client.output(), &json, || table(&tokens, client.now_ms()));
        }
        TokenCommand::Revoke { token_id } => {
            let request = RevokeTokenRequest {
                mutation: mutation(),
                id: token_id.clone(),
            };
            let answer = client.tokens().revoke_token(request).await?.into_inner();
            let json = print::json(&answer)?;
            print::result(client.output(), &json, || {
                format!("token {} revoked\n", print::printable(token_id))
            });
        }
    }
    Ok(0)
}

/// When it ends, for people.
fn end(token: &Token) -> String {
    if token.expired {
        return "expired".to_owned();
    }
    token.expires_at.as_ref().map_or_else(
        || "-".to_owned(),
        |at| wharf_proto::times::rfc3339(wharf_proto::times::millis(at)),
    )
}

fn table(tokens: &[Token], now_ms: u64) -> String {
    let mut table = Table::new(&["TOKEN", "USER", "NAME", "ROLES", "AGE", "EXPIRES"]);
    for token in tokens {
        table.row([
            token.id.clone(),
            token.username.clone(),
            token.name.clone(),
            token.roles.join(", "),
            print::age(now_ms, token.created_at.as_ref()),
            end(token),
        ]);
    }
    table.render()
}

fn render(token: &Token, now_ms: u64) -> String {
    format!(
        "token       {}\nuser        {}\nname        {}\nroles       {}\ncreated     {} ago\nexpires     {}\n",
        token.id,
        print::printable(&token.username),
        print::printable(&token.name),
        token.roles.join(", "),
        print::age(now_ms, token.created_at.as_ref()),
        end(token),
    )
}
