//! Applying commands about users of the platform. Passwords arrive as argon2 hashes; one platform
//! admin always remains.

use crate::{
    apply::check_version,
    command::{CreateUser, DeleteUser, UpdateUser},
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{Role, State, UserRecord},
};

/// Bytes of a login name at most.
pub const USERNAME_BYTES: usize = 64;

/// Checks a login name.
///
/// # Errors
/// When it is empty, too long or has other characters.
pub fn check_username(username: &str) -> Result<(), Refusal> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'@');
    if username.is_empty() || username.len() > USERNAME_BYTES || !username.bytes().all(good) {
        return Err(Refusal::new(
            RefusalKind::InvalidArgument,
            codes::USER,
            format!("`{}` is no user name", cut(username, 80)),
        )
        .field("username")
        .hint(format!(
            "1 to {USERNAME_BYTES} letters, digits, dots, hyphens, underscores or @"
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

pub(super) fn create(state: &mut State, body: &CreateUser) -> Result<Outcome, Refusal> {
    check_username(&body.username)?;
    check_hash(&body.password_hash)?;
    if state.users.contains_key(&body.username) {
        return Err(Refusal::new(
            RefusalKind::AlreadyExists,
            codes::USER_EXISTS,
            format!("the user `{}` exists", body.username),
        )
        .field("username")
        .hint("choose another name"));
    }
    state.users.insert(
        body.username.clone(),
        UserRecord {
            username: body.username.clone(),
            password_hash: body.password_hash.clone(),
            role: body.role,
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
        .any(|user| user.role == Role::PlatformAdmin && user.username != without);
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
    if user.role == Role::PlatformAdmin && body.role.is_some_and(|role| role != Role::PlatformAdmin)
    {
        keeps_an_admin(state, &body.username)?;
    }
    let now_ms = state.now_ms;
    let Some(user) = state.users.get_mut(&body.username) else {
        return Err(Refusal::not_found("user", &body.username));
    };
    if let Some(hash) = &body.password_hash {
        user.password_hash.clone_from(hash);
    }
    if let Some(role) = body.role {
        user.role = role;
    }
    user.changed_ms = now_ms;
    user.version = user.version.saturating_add(1);
    Ok(Outcome::Version {
        version: user.version,
    })
}

pub(super) fn delete(state: &mut State, body: &DeleteUser) -> Result<Outcome, Refusal> {
    let user = find(state, &body.username)?;
    check_version("user", body.expected_version, user.version)?;
    if user.role == Role::PlatformAdmin {
        keeps_an_admin(state, &body.username)?;
    }
    state.users.remove(&body.username);
    Ok(Outcome::Done)
}
