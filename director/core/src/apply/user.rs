//! Applying commands about users and their tokens. Passwords arrive as argon2 hashes, tokens as
//! SHA-256; one platform admin who can log in always remains; no token may more than its user.

use std::collections::BTreeSet;

use wharf_proto::ids::is_id;

use crate::{
    apply::{check_version, session},
    command::{CreateToken, CreateUser, DeleteUser, RevokeToken, UpdateUser},
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    settings,
    state::{Role, State, TOKENS_OF_USER, TokenRecord, USERS_KEPT, UserRecord},
};

/// Bytes of a login name at most.
pub const USERNAME_BYTES: usize = 64;
/// Bytes of a token's name at most.
pub const TOKEN_NAME_BYTES: usize = 64;
/// Names of the audit log that nobody may have.
const RESERVED: [&str; 3] = ["system", "anyone", "starter"];

/// Checks a login name.
///
/// # Errors
/// When it is empty, too long, reserved or has other characters.
pub fn check_username(username: &str) -> Result<(), Refusal> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@');
    let shaped =
        !username.is_empty() && username.len() <= USERNAME_BYTES && username.bytes().all(good);
    if !shaped || RESERVED.contains(&username) {
        return Err(Refusal::new(
            RefusalKind::InvalidArgument,
            codes::USER,
            format!("`{}` is no user name", cut(username, 80)),
        )
        .field("username")
        .hint(format!(
            "1 to {USERNAME_BYTES} letters, digits, dots, hyphens, underscores or @; not {}",
            RESERVED.join(", ")
        )));
    }
    Ok(())
}

fn check_hash(hash: &str) -> Result<(), Refusal> {
    if hash.starts_with("$argon2") && hash.len() <= 256 && hash.is_ascii() {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::InvalidArgument,
        codes::USER,
        "the password did not arrive as an argon2 hash",
    )
    .field("password_hash")
    .hint("this is an error of the director, report it"))
}

fn check_roles(roles: &BTreeSet<Role>) -> Result<(), Refusal> {
    if !roles.is_empty() {
        return Ok(());
    }
    let all: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
    Err(Refusal::new(
        RefusalKind::InvalidArgument,
        codes::USER,
        "a user without a role could do nothing",
    )
    .field("roles")
    .hint(format!("there are: {}", all.join(", "))))
}

pub(super) fn create(state: &mut State, body: &CreateUser) -> Result<Outcome, Refusal> {
    check_username(&body.username)?;
    check_hash(&body.password_hash)?;
    check_roles(&body.roles)?;
    if state.users.contains_key(&body.username) {
        return Err(Refusal::new(
            RefusalKind::AlreadyExists,
            codes::USER_EXISTS,
            format!("the user `{}` exists", body.username),
        )
        .field("username")
        .hint("choose another name"));
    }
    if state.users.len() >= USERS_KEPT {
        return Err(Refusal::new(
            RefusalKind::ResourceExhausted,
            codes::CAPACITY,
            format!("there are {USERS_KEPT} users already"),
        )
        .hint("delete users that are no longer needed"));
    }
    state.users.insert(
        body.username.clone(),
        UserRecord {
            username: body.username.clone(),
            password_hash: body.password_hash.clone(),
            roles: body.roles.clone(),
            disabled: false,
            created_ms: state.now_ms,
            changed_ms: state.now_ms,
            version: 1,
        },
    );
    Ok(Outcome::Version { version: 1 })
}

fn find<'a>(state: &'a State, username: &str) -> Result<&'a UserRecord, Refusal> {
    state
        .users
        .get(username)
        .ok_or_else(|| Refusal::not_found("user", username))
}

fn keeps_an_admin(state: &State, without: &str) -> Result<(), Refusal> {
    let others = state
        .users
        .values()
        .any(|user| user.administers() && user.username != without);
    if others {
        return Ok(());
    }
    Err(Refusal::new(
        RefusalKind::FailedPrecondition,
        codes::LAST_ADMIN,
        format!(
            "`{}` is the last platform admin",
            cut(without, USERNAME_BYTES)
        ),
    )
    .field("username")
    .hint("make another platform admin first"))
}

pub(super) fn update(state: &mut State, body: &UpdateUser) -> Result<Outcome, Refusal> {
    let user = find(state, &body.username)?;
    check_version("user", body.expected_version, user.version)?;
    if let Some(hash) = &body.password_hash {
        check_hash(hash)?;
    }
    if let Some(roles) = &body.roles {
        check_roles(roles)?;
    }
    let mut changed = user.clone();
    if let Some(hash) = &body.password_hash {
        changed.password_hash.clone_from(hash);
    }
    if let Some(roles) = &body.roles {
        changed.roles.clone_from(roles);
    }
    if let Some(disabled) = body.disabled {
        changed.disabled = disabled;
    }
    if user.administers() && !changed.administers() {
        keeps_an_admin(state, &body.username)?;
    }
    if changed == *user {
        return Ok(Outcome::Version {
            version: user.version,
        });
    }
    changed.changed_ms = state.now_ms;
    changed.version = changed.version.saturating_add(1);
    let version = changed.version;
    if changed.disabled || changed.password_hash != user.password_hash {
        session::end_all(state, &body.username);
    }
    state.users.insert(body.username.clone(), changed);
    Ok(Outcome::Version { version })
}

pub(super) fn delete(state: &mut State, body: &DeleteUser) -> Result<Outcome, Refusal> {
    let user = find(state, &body.username)?;
    check_version("user", body.expected_version, user.version)?;
    if user.administers() {
        keeps_an_admin(state, &body.username)?;
    }
    state.users.remove(&body.username);
    session::end_all(state, &body.username);
    state
        .tokens
        .retain(|_, token| token.username != body.username);
    Ok(Outcome::Done)
}

fn token_refusal(field: &str, message: String, hint: String) -> Refusal {
    Refusal::new(RefusalKind::InvalidArgument, codes::TOKEN, message)
        .field(field)
        .hint(hint)
}

pub(super) fn create_token(state: &mut State, body: &CreateToken) -> Result<Outcome, Refusal> {
    let user = find(state, &body.username)?;
    let name = body.name.as_str();
    if name.is_empty() || name.len() > TOKEN_NAME_BYTES || name.contains(char::is_control) {
        return Err(token_refusal(
            "name",
            "a token needs a name that says what it is for".to_owned(),
            format!("1 to {TOKEN_NAME_BYTES} bytes"),
        ));
    }
    let hashed = body.hash.len() == 64 && body.hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id(&body.id) || !hashed || state.tokens.contains_key(&body.id) {
        return Err(token_refusal(
            "mutation.request_id",
            "the token's id is taken or wrong".to_owned(),
            "make a new request id for each request".to_owned(),
        ));
    }
    if body.roles.is_empty() {
        return Err(token_refusal(
            "roles",
            "a token without a role could do nothing".to_owned(),
            "leave the roles out for the caller's own".to_owned(),
        ));
    }
    if let Some(role) = body.roles.iter().find(|role| !user.covers(**role)) {
        return Err(token_refusal(
            "roles",
            format!("`{}` is not {}", body.username, role.as_str()),
            "a token has no more than the roles of its user".to_owned(),
        ));
    }
    let longest_ms = settings::duration_ms(state, "tokens.max_lifetime_seconds");
    if body.lifetime_ms == 0 || body.lifetime_ms > longest_ms {
        return Err(token_refusal(
            "lifetime_seconds",
            format!("a token lives from 1 to {} seconds", longest_ms / 1000),
            "the setting `tokens.max_lifetime_seconds` names the most".to_owned(),
        ));
    }
    let now_ms = state.now_ms;
    let stale = |token: &TokenRecord| token.username == body.username && token.expires_ms <= now_ms;
    state.tokens.retain(|_, token| !stale(token));
    let own = state.tokens.values();
    if own.filter(|token| token.username == body.username).count() >= TOKENS_OF_USER {
        return Err(Refusal::new(
            RefusalKind::ResourceExhausted,
            codes::TOKEN,
            format!("`{}` has {TOKENS_OF_USER} tokens", body.username),
        )
        .hint("revoke those that are no longer used"));
    }
    state.tokens.insert(
        body.id.clone(),
        TokenRecord {
            id: body.id.clone(),
            username: body.username.clone(),
            name: body.name.clone(),
            hash: body.hash.clone(),
            roles: body.roles.clone(),
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(body.lifetime_ms),
        },
    );
    Ok(Outcome::Version { version: 1 })
}

pub(super) fn revoke_token(state: &mut State, body: &RevokeToken) -> Result<Outcome, Refusal> {
    let found = state
        .tokens
        .get(&body.id)
        .filter(|token| body.owner.as_ref().is_none_or(|own| *own == token.username));
    if found.is_none() {
        return Err(Refusal::not_found("token", &body.id));
    }
    state.tokens.remove(&body.id);
    Ok(Outcome::Done)
}
