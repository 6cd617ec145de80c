//! Applying commands about the platform itself: setting up, feature level, settings, sealed
//! secrets, routes' generation, health transitions.

use std::collections::BTreeSet;

use crate::{
    apply::{check_version, user},
    command::{
        BootstrapPlatform, CreateUser, PublishRoutes, PutSecret, RaiseFeatureLevel, RemoveSecret,
        ReportHealthTransition, ReportHealthTransitions, SetSetting,
    },
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    settings,
    state::{
        AUTHORITY_LEVEL, FEATURE_LEVEL, HEALTH_KEPT, HealthRecord, PlatformRecord, Role,
        SecretRecord, SettingRecord, State,
    },
};

/// Bytes of a sealed secret at most.
pub const SECRET_BYTES: usize = 32 * 1024;
/// Bytes kept of what is wrong with a subject.
pub const PROBLEM_BYTES: usize = 500;
/// Bytes of a secret's name at most.
pub const SECRET_NAME_BYTES: usize = 128;

pub(super) fn bootstrap(state: &mut State, body: &BootstrapPlatform) -> Result<Outcome, Refusal> {
    if let Some(platform) = &state.platform {
        if platform.id == body.platform_id {
            return Ok(Outcome::Unchanged);
        }
        return Err(Refusal::new(
            RefusalKind::AlreadyExists,
            codes::BOOTSTRAPPED,
            format!("this is the platform {} already", platform.id),
        )
        .hint("use another data directory for another platform"));
    }
    user::create(
        state,
        &CreateUser {
            username: body.admin_username.clone(),
            password_hash: body.admin_password_hash.clone(),
            roles: BTreeSet::from([Role::PlatformAdmin]),
        },
    )?;
    state.platform = Some(PlatformRecord {
        id: body.platform_id.clone(),
        name: body.name.clone(),
        domain: body.domain.clone(),
        proxy_https_port: body.proxy_https_port,
        first_director: body.director_id.clone(),
        created_ms: state.now_ms,
        first_director_removed_ms: 0,
    });
    state.feature_level = state.feature_level.max(1);
    Ok(Outcome::Done)
}

pub(super) fn raise_feature_level(
    state: &mut State,
    body: &RaiseFeatureLevel,
) -> Result<Outcome, Refusal> {
    if body.level == state.feature_level {
        return Ok(Outcome::Unchanged);
    }
    // A level that this code does not know never reaches it: proposers ask every member first. It
    // is refused alike on every member of this version.
    if body.level < state.feature_level || body.level > FEATURE_LEVEL {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::FEATURE_LEVEL,
            format!(
                "the feature level is {}, it cannot become {}; this version supports {FEATURE_LEVEL}",
                state.feature_level, body.level
            ),
        )
        .field("level")
        .hint("upgrade every director first"));
    }
    state.feature_level = body.level;
    Ok(Outcome::Done)
}

pub(super) fn set_setting(state: &mut State, body: &SetSetting) -> Result<Outcome, Refusal> {
    let version = state
        .settings
        .get(&body.key)
        .map_or(0, |setting| setting.version);
    check_version("setting", body.expected_version, version)?;
    match &body.value {
        None => {
            settings::check(
                &body.key,
                settings::known(&body.key).map_or("", |known| known.default),
            )?;
            state.settings.remove(&body.key);
            Ok(Outcome::Version { version: 0 })
        }
        Some(value) => {
            settings::check(&body.key, value)?;
            if body.key == settings::NOTIFIED {
                settings::check_channels(state, value)?;
            }
            let version = version.saturating_add(1);
            state.settings.insert(
                body.key.clone(),
                SettingRecord {
                    value: value.clone(),
                    changed_ms: state.now_ms,
                    version,
                },
            );
            Ok(Outcome::Version { version })
        }
    }
}

pub(super) fn check_secret(name: &str, sealed: &str) -> Result<(), Refusal> {
    let refuse = |field: &str, message: String| {
        Err(
            Refusal::new(RefusalKind::InvalidArgument, codes::SECRET, message)
                .field(field)
                .hint("this is an error of the director, report it"),
        )
    };
    if name.is_empty()
        || name.len() > SECRET_NAME_BYTES
        || !name.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return refuse(
            "name",
            format!("`{}` is no name of a secret", cut(name, 64)),
        );
    }
    if sealed.len() > SECRET_BYTES {
        return refuse(
            "sealed",
            format!("a secret of {} bytes is too large", sealed.len()),
        );
    }
    Ok(())
}

pub(super) fn put_secret(state: &mut State, body: &PutSecret) -> Result<Outcome, Refusal> {
    check_secret(&body.name, &body.sealed)?;
    // The secret of a deployment or an instance that is gone in the meantime would stay for ever.
    let orphan = body.name.split_once('/').is_some_and(|(noun, rest)| {
        let id = rest.split('/').next().unwrap_or_default();
        match noun {
            "deployment" => !state.deployments.contains_key(id),
            "instance" => !state.instances.contains_key(id),
            "resource" => !state.resources.contains_key(id),
            _ => false,
        }
    });
    if orphan {
        return Err(Refusal::new(
            RefusalKind::NotFound,
            codes::NOT_FOUND,
            format!("the secret {} belongs to something that is gone", body.name),
        )
        .field("name"));
    }
    let known = state.secrets.get(&body.name);
    let version = known.map_or(0, |secret| secret.version).saturating_add(1);
    // A table of routes has their certificates in it: with another one it is another table, and needs a
    // generation of its own, whoever leads by the time that it is sent.
    let route = body.name.starts_with("resource/") && body.name.ends_with("/identity");
    if route && known.is_some() && state.feature_level >= AUTHORITY_LEVEL {
        state.routes.digest.clear();
    }
    state.secrets.insert(
        body.name.clone(),
        SecretRecord {
            sealed: body.sealed.clone(),
            changed_ms: state.now_ms,
            version,
        },
    );
    Ok(Outcome::Version { version })
}

pub(super) fn remove_secret(state: &mut State, body: &RemoveSecret) -> Result<Outcome, Refusal> {
    Ok(match state.secrets.remove(&body.name) {
        Some(_) => Outcome::Done,
        None => Outcome::Unchanged,
    })
}

pub(super) fn publish_routes(state: &mut State, body: &PublishRoutes) -> Result<Outcome, Refusal> {
    if state.routes.digest == body.digest {
        return Ok(Outcome::Routes {
            generation: state.routes.generation,
        });
    }
    if state.routes.generation != body.from_generation {
        return Err(Refusal::version(
            "route table",
            body.from_generation,
            state.routes.generation,
        ));
    }
    state.routes.generation = state.routes.generation.saturating_add(1);
    state.routes.digest = cut(&body.digest, 64).to_owned();
    Ok(Outcome::Routes {
        generation: state.routes.generation,
    })
}

/// What there is no room for is left out, and refused when nothing else is there.
pub(super) fn report_healths(
    state: &mut State,
    body: &ReportHealthTransitions,
) -> Result<Outcome, Refusal> {
    let mut outcome = Ok(Outcome::Unchanged);
    for transition in &body.transitions {
        match report_health(state, transition) {
            Ok(Outcome::Unchanged) => {}
            Ok(done) => outcome = Ok(done),
            Err(refusal) if outcome == Ok(Outcome::Unchanged) => outcome = Err(refusal),
            Err(_) => {}
        }
    }
    outcome
}

pub(super) fn report_health(
    state: &mut State,
    body: &ReportHealthTransition,
) -> Result<Outcome, Refusal> {
    let key = format!(
        "{}/{}",
        cut(&body.subject_kind, 32),
        cut(&body.subject, 128)
    );
    if body.code.is_empty() {
        return Ok(match state.health.remove(&key) {
            Some(_) => Outcome::Done,
            None => Outcome::Unchanged,
        });
    }
    let since_ms = match state.health.get(&key) {
        Some(known) if known.code == body.code => known.since_ms,
        Some(_) => state.now_ms,
        None if state.health.len() >= HEALTH_KEPT => {
            return Err(Refusal::new(
                RefusalKind::ResourceExhausted,
                codes::CAPACITY,
                format!("{HEALTH_KEPT} problems are kept already"),
            ));
        }
        None => state.now_ms,
    };
    let record = HealthRecord {
        code: cut(&body.code, 16).to_owned(),
        message: cut(&body.message, PROBLEM_BYTES).to_owned(),
        since_ms,
    };
    state.health.insert(key, record);
    Ok(Outcome::Done)
}
