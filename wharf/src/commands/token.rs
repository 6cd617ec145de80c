//! `wharf token`: secrets that stand for oneself in programs, and those by which hosts join. Invariant: a secret is printed or
//! written once, by the command that made it.

use wharf_proto::v1::{
    CreateEnrollmentTokenRequest, CreateTokenRequest, EnrollmentToken, ListEnrollmentTokensRequest,
    ListTokensRequest, RevokeEnrollmentTokenRequest, RevokeTokenRequest, Token,
};

use super::listing::read_all;
use crate::{
    args::{ListArgs, TokenCommand, TokenCreateArgs},
    client::{Client, mutation},
    failure::Failure,
    given,
    print::{self, Table},
    times,
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &TokenCommand) -> Result<u8, Failure> {
    match command {
        TokenCommand::Create(args) if !args.host_roles.is_empty() => {
            create_enrollment(client, args).await?;
        }
        TokenCommand::Create(args) => {
            let TokenCreateArgs {
                roles,
                lifetime,
                secret_file,
                ..
            } = args.as_ref();
            let lifetime_ms = lifetime.as_deref().map(times::age).transpose()?;
            // Before there is a secret that could be lost.
            let file = secret_file
                .as_deref()
                .map(given::SecretFile::create)
                .transpose()?;
            let request = CreateTokenRequest {
                mutation: mutation(),
                name: args.name.clone().unwrap_or_default(),
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
        TokenCommand::List {
            enrollment: true,
            list,
        } => list_enrollment(client, list).await?,
        TokenCommand::List { list, .. } => {
            let tokens = read_all(list, |options| async {
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
            let json = match client.tokens().revoke_token(request).await {
                Ok(answer) => print::json(&answer.into_inner())?,
                // It may be one by which hosts join.
                Err(status) if status.code() == tonic::Code::NotFound => {
                    let request = RevokeEnrollmentTokenRequest {
                        mutation: mutation(),
                        id: token_id.clone(),
                    };
                    match client.enrollment().revoke_enrollment_token(request).await {
                        Ok(answer) => print::json(&answer.into_inner())?,
                        Err(_) => return Err(status.into()),
                    }
                }
                Err(status) => return Err(status.into()),
            };
            print::result(client.output(), &json, || {
                format!("token {} revoked\n", print::printable(token_id))
            });
        }
    }
    Ok(0)
}

/// Makes a token by which hosts join. What follows `wharf install --join` is printed once, or written.
async fn create_enrollment(client: &Client, args: &TokenCreateArgs) -> Result<(), Failure> {
    let lifetime_ms = args.ttl.as_deref().map(times::age).transpose()?;
    let file = args
        .secret_file
        .as_deref()
        .map(given::SecretFile::create)
        .transpose()?;
    let request = CreateEnrollmentTokenRequest {
        mutation: mutation(),
        roles: args.host_roles.clone(),
        zone: args.zone.clone(),
        lifetime_seconds: lifetime_ms.unwrap_or(0) / 1000,
        uses: args.uses,
    };
    let made = match client.enrollment().create_enrollment_token(request).await {
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
        Some(file) => file.write(&made.join)?,
        None => json["join"] = made.join.clone().into(),
    }
    print::result(client.output(), &json, || {
        let mut text = format!(
            "token       {}\nroles       {}\nzone        {}\nhosts       {}\nexpires     {}\n",
            token.id,
            token.roles.join(", "),
            print::printable(&token.zone),
            token.uses,
            until(token.expires_at.as_ref()),
        );
        if args.secret_file.is_none() {
            text.push_str(&format!(
                "join        {join}\n\nOn the host that joins:\n  wharf install --join {join}\n",
                join = made.join
            ));
        }
        text
    });
    Ok(())
}

async fn list_enrollment(client: &Client, list: &ListArgs) -> Result<(), Failure> {
    let tokens = read_all(list, |options| async {
        let request = ListEnrollmentTokensRequest {
            options: Some(options),
        };
        let answer = client.enrollment().list_enrollment_tokens(request).await?;
        let page = answer.into_inner();
        Ok((page.tokens, page.info))
    })
    .await?;
    let json = print::json_list(&tokens)?;
    print::result(client.output(), &json, || {
        let mut table = Table::new(&[
            "TOKEN", "ROLES", "ZONE", "STATE", ">USED", "BY", "AGE", "EXPIRES",
        ]);
        for token in &tokens {
            let EnrollmentToken { used, uses, .. } = token;
            table.row([
                token.id.clone(),
                token.roles.join(", "),
                token.zone.clone(),
                token.state.clone(),
                format!("{used}/{uses}"),
                token.created_by.clone(),
                print::age(client.now_ms(), token.created_at.as_ref()),
                until(token.expires_at.as_ref()),
            ]);
        }
        table.render()
    });
    Ok(())
}

/// When it ends, for people.
fn end(token: &Token) -> String {
    if token.expired {
        return "expired".to_owned();
    }
    until(token.expires_at.as_ref())
}

fn until(at: Option<&prost_types::Timestamp>) -> String {
    at.map_or_else(
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
