//! The platform's certificate authorities for people: shown, changed, taken back. Invariants: a key is
//! made here, once, and leaves sealed; what is shown is public. Not here: how a change goes on
//! (`leader/authority_task`), who signs (`certificates`).

use tonic::{Request, Response, Status};
use wharf_director_core::{
    apply::authority::{check_begin, check_cancel},
    authority::{self, Wait},
    command::{Body, ChangeAuthority},
    state::{State, TokenWorth},
};
use wharf_proto::{times::timestamp, v1};
use wharf_runtime::tls::Authority;

use super::{asked, opened};
use crate::{
    answer::{internal, refused},
    director::Director,
};

/// What there is.
pub(super) fn shown(director: &Director) -> Result<Response<v1::Authority>, Status> {
    let state = director.published.state();
    let waits = authority::waits(&state, &director.seen.authorities(), director.now_ms());
    answer(director, &state, waits)
}

fn answer(
    director: &Director,
    state: &State,
    waits: Vec<Wait>,
) -> Result<Response<v1::Authority>, Status> {
    let now_ms = director.now_ms();
    let usable = |worth| worth == TokenWorth::Usable;
    let tokens = state.enrollment_tokens.values();
    let tokens = tokens.filter(|token| usable(token.worth(now_ms))).count();
    let mut shown = v1::Authority {
        ca_pem: director.certificates.ca_pem(state),
        phase: "rest".to_owned(),
        waits: waits
            .into_iter()
            .map(|wait| v1::AuthorityWait {
                who: wait.who,
                reason: wait.reason,
            })
            .collect(),
        usable_tokens: u32::try_from(tokens).unwrap_or(u32::MAX),
        ..v1::Authority::default()
    };
    match &state.authority {
        None => {
            let signer = director.certificates.signer(state).map_err(internal)?;
            shown.issuing = signer.fingerprint_hex();
        }
        Some(record) => {
            shown.issuing.clone_from(&record.issuing.sha256);
            let other = record.other.as_ref();
            shown.other = other.map_or_else(String::new, |other| other.sha256.clone());
            record.phase.as_str().clone_into(&mut shown.phase);
            shown.cancelled = record.cancelled;
            shown.since = Some(timestamp(record.since_ms));
            shown.begun_at = Some(timestamp(record.begun_ms));
            shown.trust_until = Some(timestamp(record.trust_until_ms));
            shown.actor.clone_from(&record.actor);
            shown.generation = record.generation;
        }
    }
    Ok(Response::new(shown))
}

/// Begins a change, or says whom it would wait for.
pub(super) async fn rotate(
    director: &Director,
    request: Request<v1::RotateAuthorityRequest>,
) -> Result<Response<v1::Authority>, Status> {
    let (principal, message) = opened(request)?;
    let trust_for_ms = message.trust_seconds.saturating_mul(1_000);
    let state = director.published.state();
    if message.dry_run {
        check_begin(&state, trust_for_ms).map_err(|refusal| refused(&refusal))?;
        return answer(
            director,
            &state,
            authority::away(&state, &director.seen.core()),
        );
    }
    let asked = asked(&principal, message.mutation.as_ref(), &message)?;
    let certificates = &director.certificates;
    let current = certificates.signer(&state).map_err(internal)?;
    let next = Authority::create(
        director.config.platform_id.as_str(),
        director.clock.now_ms(),
    )
    .map_err(internal)?;
    let change = ChangeAuthority::Begin {
        current: certificates.sealed(&current).map_err(internal)?,
        next: certificates.sealed(&next).map_err(internal)?,
        trust_for_ms,
    };
    director
        .proposer
        .once(&asked, |state| {
            check_begin(state, trust_for_ms)?;
            Ok(Body::ChangeAuthority(Box::new(change)))
        })
        .await?;
    shown(director)
}

/// Takes a change back.
pub(super) async fn cancel(
    director: &Director,
    request: Request<v1::CancelAuthorityRotationRequest>,
) -> Result<Response<v1::Authority>, Status> {
    let (principal, message) = opened(request)?;
    let asked = asked(&principal, message.mutation.as_ref(), &message)?;
    director
        .proposer
        .once(&asked, |state| {
            check_cancel(state)?;
            Ok(Body::ChangeAuthority(Box::new(ChangeAuthority::Cancel)))
        })
        .await?;
    shown(director)
}
