//! `wharf user`: people who may use the platform.

use wharf_proto::v1::{
    ChangeOwnPasswordRequest, CreateUserRequest, DeleteUserRequest, GetUserRequest,
    ListUsersRequest, SetDisabledRequest, SetPasswordRequest, SetRolesRequest, User, WhoAmIRequest,
};

use super::listing::read_all;
use crate::{
    args::UserCommand,
    client::{Client, mutation},
    failure::Failure,
    given,
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &UserCommand) -> Result<u8, Failure> {
    let user = match command {
        UserCommand::List(args) => {
            let users = read_all(args, |options| async {
                let request = ListUsersRequest {
                    options: Some(options),
                };
                let page = client.users().list_users(request).await?.into_inner();
                Ok((page.users, page.info))
            })
            .await?;
            let json = print::json_list(&users)?;
            print::result(client.output(), &json, || table(&users, client.now_ms()));
            return Ok(0);
        }
        UserCommand::Show { username: None } => return who_am_i(client).await,
        UserCommand::Delete { username, yes } => return delete(client, username, *yes).await,
        UserCommand::Show {
            username: Some(username),
        } => {
            let request = GetUserRequest {
                username: username.clone(),
            };
            client.users().get_user(request).await?
        }
        UserCommand::Create {
            username,
            roles,
            password,
        } => {
            let request = CreateUserRequest {
                mutation: mutation(),
                username: username.clone(),
                password: given::new_password(password.new_password_file.as_deref(), username)?,
                roles: roles.roles.clone(),
            };
            client.users().create_user(request).await?
        }
        UserCommand::SetPassword { username, password } => {
            let file = password.new_password_file.as_deref();
            match username {
                Some(username) => {
                    let request = SetPasswordRequest {
                        mutation: mutation(),
                        username: username.clone(),
                        password: given::new_password(file, username)?,
                    };
                    client.users().set_password(request).await?
                }
                None => {
                    let (username, current_password) = client.login()?;
                    let request = ChangeOwnPasswordRequest {
                        mutation: mutation(),
                        current_password: current_password.to_owned(),
                        password: given::new_password(file, username)?,
                    };
                    client.users().change_own_password(request).await?
                }
            }
        }
        UserCommand::SetRoles { username, roles } => {
            let request = SetRolesRequest {
                mutation: mutation(),
                username: username.clone(),
                roles: roles.roles.clone(),
            };
            client.users().set_roles(request).await?
        }
        UserCommand::Disable { username } => {
            let request = set_disabled(username, true);
            client.users().set_disabled(request).await?
        }
        UserCommand::Enable { username } => {
            let request = set_disabled(username, false);
            client.users().set_disabled(request).await?
        }
    }
    .into_inner();
    let json = print::json(&user)?;
    print::result(client.output(), &json, || render(&user, client.now_ms()));
    Ok(0)
}

fn set_disabled(username: &str, disabled: bool) -> SetDisabledRequest {
    SetDisabledRequest {
        mutation: mutation(),
        username: username.to_owned(),
        disabled,
    }
}

async fn who_am_i(client: &Client) -> Result<u8, Failure> {
    let me = client
        .users()
        .who_am_i(WhoAmIRequest {})
        .await?
        .into_inner();
    let json = print::json(&me)?;
    print::result(client.output(), &json, || {
        let by = if me.token_id.is_empty() {
            "a password".to_owned()
        } else {
            format!("the token {}", me.token_id)
        };
        format!(
            "user        {}\nroles       {}\nlogged in   with {by}\n",
            print::printable(&me.username),
            me.roles.join(", ")
        )
    });
    Ok(0)
}

async fn delete(client: &Client, username: &str, yes: bool) -> Result<u8, Failure> {
    let shown = print::printable(username);
    let what = format!("This deletes the user `{shown}` with all tokens");
    given::confirm(yes, &what, username)?;
    let request = DeleteUserRequest {
        mutation: mutation(),
        username: username.to_owned(),
    };
    let answer = client.users().delete_user(request).await?.into_inner();
    let json = print::json(&answer)?;
    print::result(client.output(), &json, || {
        format!("user `{shown}` deleted\n")
    });
    Ok(0)
}

fn state(user: &User) -> &'static str {
    if user.disabled { "disabled" } else { "enabled" }
}

fn table(users: &[User], now_ms: u64) -> String {
    let mut table = Table::new(&["USER", "ROLES", "STATE", ">TOKENS", "AGE"]);
    for user in users {
        table.row([
            user.username.clone(),
            user.roles.join(", "),
            state(user).to_owned(),
            user.tokens.to_string(),
            print::age(now_ms, user.created_at.as_ref()),
        ]);
    }
    table.render()
}

fn render(user: &User, now_ms: u64) -> String {
    format!(
        "user        {}\nroles       {}\nstate       {}\ntokens      {}\ncreated     {} ago\nchanged     {} ago\nversion     {}\n",
        print::printable(&user.username),
        user.roles.join(", "),
        state(user),
        user.tokens,
        print::age(now_ms, user.created_at.as_ref()),
        print::age(now_ms, user.changed_at.as_ref()),
        user.version,
    )
}
