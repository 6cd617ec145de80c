//! Snapshots of deployments: where they go and how often, one now. Not here: repositories
//! (`api/repositories`), listing what is in one (the storage node's own API).

use tonic::{Request, Response, Status};
use wharf_director_core::{
    command::{Body, RequestSnapshot, SetSnapshotPolicy},
    outcome::Outcome,
    refusal::Refusal,
    state::{DeploymentRecord, SnapshotPolicy, State},
};
use wharf_proto::v1;

use super::{asked, expected, opened, views::View};
use crate::{answer::refused, director::Director};

/// Seconds between two snapshots when nothing else is said.
const INTERVAL_SECONDS: u64 = 30 * 60;
/// Snapshots that are kept when nothing else is said.
const KEEP: u32 = 100;

fn find<'a>(state: &'a State, text: &str) -> Result<&'a DeploymentRecord, Refusal> {
    state
        .find_deployment(text)
        .ok_or_else(|| Refusal::not_found("deployment", text))
}

/// What is not given stays as it is.
fn policy(
    known: Option<&SnapshotPolicy>,
    message: &v1::SetSnapshotPolicyRequest,
) -> Option<SnapshotPolicy> {
    if message.repository.is_empty() {
        return None;
    }
    let interval_seconds = match message.interval_seconds {
        0 => known.map_or(INTERVAL_SECONDS, |known| known.interval_seconds),
        given => given,
    };
    let keep = match message.keep {
        0 => known.map_or(KEEP, |known| known.keep),
        given => given,
    };
    Some(SnapshotPolicy {
        repository: message.repository.clone(),
        interval_seconds,
        keep,
    })
}

pub(super) async fn set_policy(
    director: &Director,
    request: Request<v1::SetSnapshotPolicyRequest>,
) -> Result<Response<v1::Deployment>, Status> {
    let (principal, message) = opened(request)?;
    let asked = asked(&principal, message.mutation.as_ref(), &message)?;
    let expected_version = expected(message.mutation.as_ref());
    director
        .proposer
        .once(&asked, |state| {
            let known = find(state, &message.deployment)?;
            Ok(Body::SetSnapshotPolicy(SetSnapshotPolicy {
                deployment_id: known.id.clone(),
                expected_version,
                policy: policy(known.snapshot_policy.as_ref(), &message),
            }))
        })
        .await?;
    let view = View::of(director);
    let record = find(&view.state, &message.deployment).map_err(|refusal| refused(&refusal))?;
    Ok(Response::new(view.deployment(record)))
}

pub(super) async fn take(
    director: &Director,
    request: Request<v1::TakeSnapshotRequest>,
) -> Result<Response<v1::TakeSnapshotResponse>, Status> {
    let (principal, message) = opened(request)?;
    let asked = asked(&principal, message.mutation.as_ref(), &message)?;
    let outcome = director
        .proposer
        .once(&asked, |state| {
            Ok(Body::RequestSnapshot(RequestSnapshot {
                deployment_id: find(state, &message.deployment)?.id.clone(),
            }))
        })
        .await?;
    let state = director.published.state();
    let record = find(&state, &message.deployment).map_err(|refusal| refused(&refusal))?;
    let requested = match outcome {
        Outcome::Version { version } => version,
        _ => record.snapshot_requested,
    };
    Ok(Response::new(v1::TakeSnapshotResponse {
        deployment_id: record.id.to_string(),
        requested,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays_as_it_is_and_no_repository_means_none() {
        let asked = |repository: &str, interval_seconds, keep| v1::SetSnapshotPolicyRequest {
            repository: repository.into(),
            interval_seconds,
            keep,
            ..Default::default()
        };
        let first = policy(None, &asked("a", 0, 0)).unwrap();
        assert_eq!((first.interval_seconds, first.keep), (1_800, 100));
        let often = policy(Some(&first), &asked("a", 300, 0)).unwrap();
        assert_eq!((often.interval_seconds, often.keep), (300, 100));
        let few = policy(Some(&often), &asked("b", 0, 7)).unwrap();
        assert_eq!((few.interval_seconds, few.keep), (300, 7));
        assert_eq!(policy(Some(&few), &asked("", 60, 1)), None);
    }
}
