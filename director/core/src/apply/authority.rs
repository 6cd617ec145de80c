//! Applying changes of the platform's authorities. Invariants: the one that issues is trusted; one that
//! was trusted while certificates of it may be in use stays trusted; a phase ends only by name of its
//! generation, so that what was seen of one phase never ends another. Not here: what was seen
//! (`crate::authority`).

use crate::{
    command::ChangeAuthority,
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes},
    state::{AUTHORITY_LEVEL, AuthorityPhase, AuthorityRecord, CaRecord, State},
};

/// Bytes of a certificate, and of a sealed key, at most.
const TEXT_BYTES: usize = 8 * 1024;
/// Longest least time of the phase `trust`: thirty days.
pub const TRUST_FOR_MS: u64 = 30 * 24 * 3_600_000;

fn refuse(kind: RefusalKind, field: &str, message: impl Into<String>, hint: &str) -> Refusal {
    Refusal::new(kind, codes::AUTHORITY, message)
        .field(field)
        .hint(hint)
}

/// Checks whether a change may begin.
///
/// # Errors
/// When one is under way, or a member does not know how.
pub fn check_begin(state: &State, trust_for_ms: u64) -> Result<(), Refusal> {
    if state.feature_level < AUTHORITY_LEVEL {
        return Err(Refusal::new(
            RefusalKind::FailedPrecondition,
            codes::FEATURE_LEVEL,
            format!(
                "the feature level is {}; the authority is rotated from {AUTHORITY_LEVEL} on",
                state.feature_level
            ),
        )
        .hint("upgrade every director first"));
    }
    if trust_for_ms > TRUST_FOR_MS {
        return Err(refuse(
            RefusalKind::InvalidArgument,
            "trust_seconds",
            "the new authority would be trusted for more than thirty days before it issues",
            "choose at most 2592000 seconds",
        ));
    }
    match &state.authority {
        Some(record) if record.phase != AuthorityPhase::Rest => Err(refuse(
            RefusalKind::FailedPrecondition,
            "",
            format!(
                "a change of the authority is under way, in the phase `{}`",
                record.phase.as_str()
            ),
            "`wharf authority show` says what it waits for; `wharf authority cancel` takes it back",
        )),
        _ => Ok(()),
    }
}

/// Checks whether the change that is under way may be taken back.
///
/// # Errors
/// When there is none, or the old authority is gone.
pub fn check_cancel(state: &State) -> Result<&AuthorityRecord, Refusal> {
    let no = |message: &str| {
        refuse(
            RefusalKind::FailedPrecondition,
            "",
            message,
            "`wharf authority show` says how far it has come; another rotation can follow",
        )
    };
    match &state.authority {
        Some(record) if record.cancelled && record.phase != AuthorityPhase::Rest => {
            Err(no("the change is being taken back already"))
        }
        Some(record) => match record.phase {
            AuthorityPhase::Trust | AuthorityPhase::Issue => Ok(record),
            AuthorityPhase::Retire => Err(no("the old authority is trusted no more")),
            AuthorityPhase::Rest => Err(no("no change of the authority is under way")),
        },
        None => Err(no("no change of the authority is under way")),
    }
}

fn check_ca(field: &str, ca: &CaRecord) -> Result<(), Refusal> {
    let named = ca.sha256.len() == 64
        && ca
            .sha256
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let texts = [&ca.certificate_pem, &ca.sealed];
    if named
        && texts
            .iter()
            .all(|text| (1..=TEXT_BYTES).contains(&text.len()))
    {
        return Ok(());
    }
    Err(refuse(
        RefusalKind::InvalidArgument,
        field,
        format!("the {field} authority has no SHA-256, or a text that is empty or too large"),
        "this is an error of the director, report it",
    ))
}

pub(super) fn change(
    state: &mut State,
    body: &ChangeAuthority,
    actor: &str,
) -> Result<Outcome, Refusal> {
    let now_ms = state.now_ms;
    let record = match body {
        ChangeAuthority::Begin {
            current,
            next,
            trust_for_ms,
        } => begin(state, current, next, *trust_for_ms, actor)?,
        ChangeAuthority::Advance { generation } => advance(state, *generation)?,
        ChangeAuthority::Cancel => cancel(check_cancel(state)?.clone()),
    };
    let generation = state
        .authority
        .as_ref()
        .map_or(0, |record| record.generation)
        .saturating_add(1);
    state.authority = Some(AuthorityRecord {
        generation,
        since_ms: now_ms,
        ..record
    });
    Ok(Outcome::Version {
        version: generation,
    })
}

fn begin(
    state: &State,
    current: &CaRecord,
    next: &CaRecord,
    trust_for_ms: u64,
    actor: &str,
) -> Result<AuthorityRecord, Refusal> {
    check_begin(state, trust_for_ms)?;
    check_ca("current", current)?;
    check_ca("next", next)?;
    let known = state.authority.as_ref();
    if current.sha256 == next.sha256
        || known.is_some_and(|known| known.issuing.sha256 != current.sha256)
    {
        return Err(refuse(
            RefusalKind::Aborted,
            "current",
            "another authority issues now",
            "read it again and repeat the change",
        ));
    }
    Ok(AuthorityRecord {
        generation: 0,
        phase: AuthorityPhase::Trust,
        issuing: known.map_or_else(|| current.clone(), |known| known.issuing.clone()),
        other: Some(next.clone()),
        cancelled: false,
        trust_until_ms: state.now_ms.saturating_add(trust_for_ms),
        actor: actor.to_owned(),
        begun_ms: state.now_ms,
        since_ms: state.now_ms,
    })
}

fn advance(state: &State, generation: u64) -> Result<AuthorityRecord, Refusal> {
    let overtaken = || {
        refuse(
            RefusalKind::Aborted,
            "generation",
            "the change of the authority is in another phase",
            "look again",
        )
    };
    let record = state
        .authority
        .as_ref()
        .filter(|record| record.generation == generation)
        .ok_or_else(overtaken)?
        .clone();
    match (record.phase, &record.other) {
        (AuthorityPhase::Trust, Some(next)) if state.now_ms >= record.trust_until_ms => {
            Ok(AuthorityRecord {
                phase: AuthorityPhase::Issue,
                other: Some(record.issuing.clone()),
                issuing: next.clone(),
                ..record
            })
        }
        (AuthorityPhase::Issue, _) => Ok(AuthorityRecord {
            phase: AuthorityPhase::Retire,
            other: None,
            ..record
        }),
        (AuthorityPhase::Retire, _) => Ok(AuthorityRecord {
            phase: AuthorityPhase::Rest,
            ..record
        }),
        _ => Err(overtaken()),
    }
}

/// Nobody has a certificate of the new one in the phase `trust`: it is dropped. In the phase `issue`
/// some have: the old one issues again, and the new one is dropped when nobody has.
fn cancel(record: AuthorityRecord) -> AuthorityRecord {
    match (record.phase, &record.other) {
        (AuthorityPhase::Issue, Some(old)) => AuthorityRecord {
            issuing: old.clone(),
            other: Some(record.issuing.clone()),
            cancelled: true,
            ..record
        },
        _ => AuthorityRecord {
            phase: AuthorityPhase::Retire,
            other: None,
            cancelled: true,
            ..record
        },
    }
}
