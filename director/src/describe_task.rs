//! Tells the platform where this director is and what it runs, whenever its record says otherwise.
//! Level-triggered; the leader proposes it, the others ask the leader to. Not here: what follows from
//! it (`leader/directors_task`).

use std::{sync::Arc, time::Duration};

use tonic::Status;
use wharf_director_core::{
    authority::AuthorityReport,
    command::{self, Body},
    state::{DIRECTORS_LEVEL, DirectorFacts, State},
};
use wharf_proto::v1;
use wharf_runtime::{backoff::Backoff, random};
use wharf_services::v1::directors_client::DirectorsClient;

use crate::{answer::not_leading, director::Director};

/// An answer takes no longer.
const DEADLINE: Duration = Duration::from_secs(10);

/// The facts as they are sent.
#[must_use]
pub fn message(facts: &DirectorFacts) -> v1::DirectorFacts {
    v1::DirectorFacts {
        host: facts.host.clone(),
        zone: facts.zone.clone(),
        internal_address: facts.internal_address.clone(),
        admin_address: facts.admin_address.clone(),
        version: facts.build.clone(),
        feature_level: facts.feature_level,
        authority: facts.authority.as_ref().map(|report| v1::AuthorityReport {
            generation: report.generation,
            trusted: report.trusted.iter().cloned().collect(),
            issuer: report.issuer.clone(),
            uses: Vec::new(),
        }),
    }
}

/// The facts that were sent.
#[must_use]
pub fn facts(message: v1::DirectorFacts) -> DirectorFacts {
    DirectorFacts {
        host: message.host,
        zone: message.zone,
        internal_address: message.internal_address,
        admin_address: message.admin_address,
        build: message.version,
        feature_level: message.feature_level,
        authority: message.authority.as_ref().map(AuthorityReport::from),
    }
}

/// Runs until the director ends.
pub async fn run(director: Arc<Director>) {
    let mut changes = director.published.changes();
    let mut backoff = Backoff::new(200, 5_000);
    loop {
        changes.borrow_and_update();
        if due(&director) {
            let told = director.shutdown.run_until(tell(&director)).await;
            match told {
                None => return,
                Some(Ok(())) => backoff.reset(),
                Some(Err(status)) => {
                    tracing::debug!(
                        reason = status.message(),
                        "this director is not described yet"
                    );
                }
            }
            let pause = tokio::time::sleep(backoff.next(random::next_u64()));
            if director.shutdown.run_until(pause).await.is_none() {
                return;
            }
            continue;
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            () = director.restated.notified() => {}
            () = director.shutdown.triggered() => return,
        }
    }
}

/// Where this director is and what it runs, and once authorities change, which of them it follows.
fn facts_now(director: &Director, state: &State) -> DirectorFacts {
    let authority = state.authority.is_some().then(|| {
        let followed = director.authority.report();
        AuthorityReport {
            generation: followed.generation,
            trusted: followed.trusted.into_iter().collect(),
            issuer: followed.issuer,
            uses: Vec::new(),
        }
    });
    DirectorFacts {
        authority,
        ..director.facts.clone()
    }
}

/// Whether the record of this director is missing or says otherwise.
pub(crate) fn due(director: &Director) -> bool {
    let state = director.published.state();
    let id = director.config.director_id.as_str();
    state.platform.is_some()
        && state.feature_level >= DIRECTORS_LEVEL
        && !state.removed_directors.contains(id)
        && state
            .directors
            .get(id)
            .is_none_or(|record| record.facts != facts_now(director, &state))
}

/// Tells the leader, or as the leader the log.
///
/// # Errors
/// When nobody leads or the change is refused.
pub(crate) async fn tell(director: &Director) -> Result<(), Status> {
    let (member, leader) = {
        let status = director.raft.status();
        let status = status.borrow();
        (status.member, status.leader)
    };
    let facts = facts_now(director, &director.published.state());
    if director.leads() {
        let body = Body::DescribeDirector(command::DescribeDirector {
            director_id: director.config.director_id.clone(),
            member,
            facts,
        });
        let actor = format!("director/{}", director.config.director_id);
        director.proposer.of(&actor, body).await?;
        return Ok(());
    }
    let channel = leader
        .filter(|leader| *leader != member)
        .and_then(|leader| director.peers.channel(leader))
        .ok_or_else(not_leading)?;
    let request = v1::DescribeDirectorRequest {
        member_id: member,
        facts: Some(message(&facts)),
    };
    let mut client = DirectorsClient::new(channel);
    tokio::time::timeout(DEADLINE, client.describe_director(request))
        .await
        .map_err(|_| Status::deadline_exceeded("the leader does not answer"))??;
    Ok(())
}
