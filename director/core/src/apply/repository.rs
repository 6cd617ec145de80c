//! Applying commands about repositories and snapshots. Invariants: a repository that a deployment uses
//! stays where it is; a deployment whose lost host is answered by a restore has a snapshot policy; the
//! last snapshot of an instance is one of the repository that its deployment names, and never an older
//! one than was known. Not here: what a repository is made of (the shell checks and seals it).

use wharf_proto::ids::DeploymentId;

use super::check_version;
use crate::{
    apply::platform::SECRET_BYTES,
    command::{DeleteRepository, NoteSnapshot, PutRepository, RequestSnapshot, SetSnapshotPolicy},
    outcome::Outcome,
    reconcile::assignment,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{
        DeploymentRecord, HostLoss, REPOSITORIES_KEPT, RepositoryRecord, SnapshotPolicy, State,
    },
};

/// Bytes of a repository's name at most.
pub const REPOSITORY_NAME_BYTES: usize = 64;
/// Bytes of a snapshot's name at most.
pub const SNAPSHOT_NAME_BYTES: usize = 64;
/// Seconds between two snapshots.
pub const INTERVAL_SECONDS: std::ops::RangeInclusive<u64> = 60..=7 * 24 * 3600;
/// Snapshots that are kept.
pub const KEEP: std::ops::RangeInclusive<u32> = 1..=1_000;
/// Bytes of where a repository is.
const LOCATION_BYTES: usize = 2_048;

fn refuse(kind: RefusalKind, code: &str, field: &str, message: String) -> Refusal {
    Refusal::new(kind, code, message).field(field)
}

/// Checks a repository's name.
///
/// # Errors
/// When it is empty, too long or has other characters.
pub fn check_repository_name(name: &str) -> Result<(), Refusal> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !name.is_empty() && name.len() <= REPOSITORY_NAME_BYTES && name.bytes().all(good) {
        return Ok(());
    }
    Err(refuse(
        RefusalKind::InvalidArgument,
        codes::REPOSITORY,
        "repository.name",
        format!("`{}` is no name of a repository", cut(name, 80)),
    )
    .hint(format!(
        "1 to {REPOSITORY_NAME_BYTES} lower-case letters, digits or hyphens"
    )))
}

/// Whether a text is the name of a snapshot that an instance took in that life of it: the life in ten
/// digits, the moment in thirteen.
#[must_use]
pub fn is_snapshot_of(name: &str, incarnation: u64) -> bool {
    let taken = name.strip_prefix(&format!("{incarnation:010}-"));
    taken.is_some_and(|taken| taken.len() == 13 && taken.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The deployments whose snapshots go to a repository.
pub fn users_of<'a>(state: &'a State, name: &'a str) -> impl Iterator<Item = &'a DeploymentRecord> {
    state.deployments.values().filter(move |deployment| {
        deployment
            .snapshot_policy
            .as_ref()
            .is_some_and(|policy| policy.repository == name)
    })
}

fn used(state: &State, name: &str, what: &str, hint: &str) -> Result<(), Refusal> {
    let users: Vec<&str> = users_of(state, name)
        .take(8)
        .map(|deployment| deployment.name.as_str())
        .collect();
    if users.is_empty() {
        return Ok(());
    }
    Err(refuse(
        RefusalKind::FailedPrecondition,
        codes::REPOSITORY_USED,
        "name",
        format!(
            "the repository `{name}` {what}: the snapshots of {} are there",
            users.join(", ")
        ),
    )
    .hint(hint))
}

pub(super) fn put(state: &mut State, body: &PutRepository) -> Result<Outcome, Refusal> {
    check_repository_name(&body.name)?;
    let large = body.sealed.len() > SECRET_BYTES
        || body.location.len() > LOCATION_BYTES
        || body.path.len() > LOCATION_BYTES
        || body.prefix.len() > LOCATION_BYTES
        || body.kind.len() > 32;
    if large {
        return Err(refuse(
            RefusalKind::InvalidArgument,
            codes::REPOSITORY,
            "repository",
            format!("the repository is larger than {SECRET_BYTES} bytes"),
        )
        .hint("leave certificates out that are not needed"));
    }
    let (created_ms, version) = match (state.repositories.get(&body.name), body.create) {
        (Some(_), true) => {
            return Err(refuse(
                RefusalKind::AlreadyExists,
                codes::REPOSITORY,
                "repository.name",
                format!("the repository `{}` exists", body.name),
            )
            .hint("choose another name, or update it"));
        }
        (None, false) => return Err(Refusal::not_found("repository", &body.name)),
        (Some(known), false) => {
            check_version("repository", body.expected_version, known.version)?;
            let moved = known.kind != body.kind
                || known.location != body.location
                || known.prefix != body.prefix;
            if moved {
                used(
                    state,
                    &body.name,
                    "cannot be another place",
                    "make another repository and give it to the deployments: `wharf deployment set --snapshot-repository`",
                )?;
            }
            (known.created_ms, known.version)
        }
        (None, true) if state.repositories.len() >= REPOSITORIES_KEPT => {
            return Err(Refusal::new(
                RefusalKind::ResourceExhausted,
                codes::CAPACITY,
                format!("there are {REPOSITORIES_KEPT} repositories already"),
            )
            .hint("delete repositories that are no longer needed"));
        }
        (None, true) => (state.now_ms, 0),
    };
    let version = version.saturating_add(1);
    let record = RepositoryRecord {
        name: body.name.clone(),
        kind: body.kind.clone(),
        location: body.location.clone(),
        prefix: body.prefix.clone(),
        path: body.path.clone(),
        sealed: body.sealed.clone(),
        created_ms,
        changed_ms: state.now_ms,
        version,
    };
    state.repositories.insert(body.name.clone(), record);
    Ok(Outcome::Version { version })
}

pub(super) fn delete(state: &mut State, body: &DeleteRepository) -> Result<Outcome, Refusal> {
    let known = state
        .repositories
        .get(&body.name)
        .ok_or_else(|| Refusal::not_found("repository", &body.name))?;
    check_version("repository", body.expected_version, known.version)?;
    used(
        state,
        &body.name,
        "cannot be deleted",
        "give the deployments another one, or none: `wharf deployment set --no-snapshots`",
    )?;
    state.repositories.remove(&body.name);
    Ok(Outcome::Done)
}

fn check_policy(state: &State, policy: &SnapshotPolicy) -> Result<(), Refusal> {
    if !state.repositories.contains_key(&policy.repository) {
        return Err(Refusal::not_found("repository", &policy.repository));
    }
    let bad = |field: &str, message: String, hint: String| {
        Err(refuse(
            RefusalKind::InvalidArgument,
            codes::SNAPSHOT_POLICY,
            field,
            message,
        )
        .hint(hint))
    };
    if !INTERVAL_SECONDS.contains(&policy.interval_seconds) {
        return bad(
            "interval_seconds",
            format!(
                "{} s is no time between two snapshots",
                policy.interval_seconds
            ),
            format!(
                "{} s to {} s",
                INTERVAL_SECONDS.start(),
                INTERVAL_SECONDS.end()
            ),
        );
    }
    if !KEEP.contains(&policy.keep) {
        return bad(
            "keep",
            format!("{} snapshots cannot be kept", policy.keep),
            format!("{} to {}", KEEP.start(), KEEP.end()),
        );
    }
    Ok(())
}

fn deployment<'a>(state: &'a State, id: &DeploymentId) -> Result<&'a DeploymentRecord, Refusal> {
    state
        .deployments
        .get(id)
        .ok_or_else(|| Refusal::not_found("deployment", id))
}

pub(super) fn set_policy(state: &mut State, body: &SetSnapshotPolicy) -> Result<Outcome, Refusal> {
    let id = &body.deployment_id;
    let known = deployment(state, id)?;
    check_version("deployment", body.expected_version, known.version)?;
    match &body.policy {
        Some(policy) => check_policy(state, policy)?,
        None if known.on_host_loss == HostLoss::Restore => {
            return Err(refuse(
                RefusalKind::FailedPrecondition,
                codes::SNAPSHOT_POLICY,
                "repository",
                format!(
                    "a lost host of `{}` is to be answered by a restore, which needs snapshots",
                    known.name
                ),
            )
            .hint("first say what else is to become of it: `wharf deployment set --on-host-loss wait`"));
        }
        None => {}
    }
    if known.snapshot_policy == body.policy {
        return Ok(Outcome::Unchanged);
    }
    let repository =
        |policy: &Option<SnapshotPolicy>| policy.as_ref().map(|policy| policy.repository.clone());
    let elsewhere = repository(&known.snapshot_policy) != repository(&body.policy);
    let restored = state
        .deployment_instances(known)
        .find(|instance| instance.claim.as_ref().is_some_and(|claim| claim.restore));
    if let Some(instance) = restored.filter(|_| elsewhere) {
        return Err(refuse(
            RefusalKind::FailedPrecondition,
            codes::SNAPSHOT_POLICY,
            "repository",
            format!(
                "{} is being restored from the one that is set",
                instance.name
            ),
        )
        .hint("wait until it serves, or cancel its plan: `wharf plan list`"));
    }
    let instances: Vec<_> = state
        .deployment_instances(known)
        .map(|instance| instance.id.clone())
        .collect();
    let now_ms = state.now_ms;
    let mut version = 0;
    if let Some(known) = state.deployments.get_mut(id) {
        known.snapshot_policy.clone_from(&body.policy);
        known.changed_ms = now_ms;
        known.version = known.version.saturating_add(1);
        version = known.version;
    }
    for instance_id in instances.iter().filter(|_| elsewhere) {
        if let Some(instance) = state.instances.get_mut(instance_id) {
            // It is not in the other repository.
            instance.last_snapshot = None;
        }
    }
    assignment::settle_hosts_of(state, &instances);
    Ok(Outcome::Version { version })
}

pub(super) fn request(state: &mut State, body: &RequestSnapshot) -> Result<Outcome, Refusal> {
    let known = deployment(state, &body.deployment_id)?;
    let stand = |message: String, hint: &str| {
        Err(refuse(
            RefusalKind::FailedPrecondition,
            codes::SNAPSHOT_POLICY,
            "deployment",
            message,
        )
        .hint(hint))
    };
    if known.snapshot_policy.is_none() {
        return stand(
            format!("`{}` keeps no snapshots", known.name),
            "say where first: `wharf deployment set --snapshot-repository`",
        );
    }
    if known.terminated || known.deleting {
        return stand(
            format!("no storage node of `{}` runs", known.name),
            "restore it first: `wharf deployment restore`",
        );
    }
    let requested = known.snapshot_requested.saturating_add(1);
    if let Some(known) = state.deployments.get_mut(&body.deployment_id) {
        known.snapshot_requested = requested;
    }
    Ok(Outcome::Version { version: requested })
}

pub(super) fn note(state: &mut State, body: &NoteSnapshot) -> Result<Outcome, Refusal> {
    let Some(instance) = state.instances.get(&body.instance_id) else {
        return Ok(Outcome::Unchanged);
    };
    let here = instance
        .berth
        .as_ref()
        .is_some_and(|berth| berth.allocator_id == body.allocator_id);
    let named = state
        .deployments
        .get(&instance.deployment_id)
        .and_then(|deployment| deployment.snapshot_policy.as_ref())
        .is_some_and(|policy| policy.repository == body.repository);
    let newer = instance
        .last_snapshot
        .as_ref()
        .is_none_or(|last| last.name < body.snapshot.name);
    let own = is_snapshot_of(&body.snapshot.name, instance.incarnation);
    if !here || !named || !newer || !own {
        return Ok(Outcome::Unchanged);
    }
    if let Some(instance) = state.instances.get_mut(&body.instance_id) {
        instance.last_snapshot = Some(body.snapshot.clone());
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests;
