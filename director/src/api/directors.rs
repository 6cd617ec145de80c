//! Directors and their Raft group: who is in it, who joins, leaves, leads. Answered by the leader.
//! Invariants: one change at a time; the records change in the log entry that changes the group; the
//! last voter stays; keys go to holders of a director's certificate alone. Not here: votes for
//! learners (`leader/directors_task`), joining from the other side (`join`).

use std::{sync::Arc, time::Duration};

use tonic::{Code, Request, Response, Status};
use wharf_director_core::{
    apply::director::{check_admission, check_facts},
    command::{self, Body},
    refusal::{Refusal, RefusalKind, codes as core_codes},
    state::{DirectorRecord, State},
};
use wharf_proto::{ids::DirectorId, times::timestamp, v1};
use wharf_runtime::{
    data_dir::read_limited,
    role_files::{INCARNATIONS, is_member_of, member_after},
    task,
};
use wharf_services::v1::directors_server::Directors;

use super::{asked, info, not_found, opened, page, principal, raft_transport::log_facts};
use crate::{
    answer::{coded_status, internal, not_leading, refused},
    codes,
    describe_task::{self, facts},
    director::Director,
    leader::directors_task::waits_for,
    propose::Asked,
    raft::{self, MemberChange},
};

const FIELDS: [&str; 8] = [
    "id",
    "host",
    "zone",
    "role",
    "connected",
    "lag",
    "version",
    "member_id",
];
/// How long another voter may take to lead.
const TAKES_OVER: Duration = Duration::from_secs(8);
/// Keys and certificates are not larger.
const FILE_BYTES: u64 = 64 * 1024;

/// The service.
#[derive(Clone, Debug)]
pub struct DirectorsApi(pub Arc<Director>);

/// A director as the leader sees it.
pub(super) fn row(
    director: &Director,
    status: &raft::Status,
    record: &DirectorRecord,
) -> v1::Director {
    let own = record.member == status.member;
    let peer = status
        .peers
        .iter()
        .find(|peer| peer.member == record.member);
    let log_index = match peer {
        _ if own => status.last_index,
        Some(peer) => peer.matched,
        None => 0,
    };
    let role = if status.leader == Some(record.member) {
        v1::DirectorRole::Leader
    } else if status.membership.voters.contains(&record.member) {
        v1::DirectorRole::Follower
    } else {
        v1::DirectorRole::Learner
    };
    let heard_ms = if own {
        Some(director.clock_ms())
    } else {
        director.peers.heard_ms(record.member)
    };
    v1::Director {
        id: record.id.to_string(),
        member_id: record.member,
        host: record.facts.host.clone(),
        zone: record.facts.zone.clone(),
        internal_address: record.facts.internal_address.clone(),
        admin_address: record.facts.admin_address.clone(),
        role: role.into(),
        term: status.term,
        log_index,
        lag: status.last_index.saturating_sub(log_index),
        last_contact: heard_ms.map(timestamp),
        feature_level: record.facts.feature_level,
        version: record.facts.build.clone(),
        connected: own || peer.is_some_and(|peer| peer.active),
        waits_for: waits_for(status, record.member),
        incarnation: u32::from(record.incarnation),
        log: log(director, status, record.member),
    }
}

/// What a director keeps of the log, as it told.
fn log(director: &Director, status: &raft::Status, member: u64) -> Option<v1::DirectorLog> {
    let facts = if member == status.member {
        Some(log_facts(status))
    } else {
        director.peers.log(member)
    }?;
    Some(v1::DirectorLog {
        snapshot_index: facts.snapshot_index,
        snapshot_at: (facts.snapshot_at_ms > 0).then(|| timestamp(facts.snapshot_at_ms)),
        entries: facts.entries,
    })
}

/// The id in the caller's certificate.
fn caller<T>(request: &Request<T>) -> Result<DirectorId, Status> {
    principal(request)?
        .identity
        .and_then(|identity| identity.id.parse().ok())
        .ok_or_else(|| internal("a director without an id"))
}

fn last_voter(record: &DirectorRecord) -> Status {
    coded_status(
        Code::FailedPrecondition,
        codes::LAST_VOTER,
        format!(
            "the director on {} is the only one with a vote",
            record.facts.host
        ),
        "add another director and wait until it votes",
    )
}

fn no_transfer(message: impl Into<String>) -> Status {
    coded_status(
        Code::FailedPrecondition,
        codes::TRANSFER,
        message,
        "name a director that votes, is connected and has no lag",
    )
}

/// The changes of the group with which an empty disk of a director becomes a learner.
fn admission(
    state: &State,
    status: &raft::Status,
    id: &DirectorId,
) -> Result<(u64, u8, Vec<MemberChange>), Status> {
    let known = state.directors.get(id);
    let all = status.membership.all();
    let first = known.map_or(0, |known| u16::from(known.incarnation) + 1);
    let free = |member: &u64| {
        let mut records = state.directors.values();
        !all.contains(member) && !records.any(|record| record.member == *member)
    };
    let (incarnation, member) = (first..INCARNATIONS)
        .filter_map(|incarnation| {
            let incarnation = u8::try_from(incarnation).ok()?;
            Some((incarnation, member_after(id.as_str(), incarnation)?))
        })
        .find(|(_, member)| free(member))
        .ok_or_else(|| {
            refused(
                &Refusal::new(
                    RefusalKind::ResourceExhausted,
                    core_codes::DIRECTOR,
                    format!("the director {id} has lost its disk {first} times"),
                )
                .hint("install it anew with a token: it gets another id"),
            )
        })?;
    let mut changes = Vec::new();
    if let Some(known) = known.filter(|known| all.contains(&known.member)) {
        if status.membership.voters == [known.member] {
            return Err(last_voter(known));
        }
        changes.push(MemberChange::Remove(known.member));
    }
    changes.push(MemberChange::AddLearner(member));
    Ok((member, incarnation, changes))
}

impl DirectorsApi {
    fn status(&self) -> raft::Status {
        self.0.raft.status().borrow().clone()
    }

    /// Hands leadership over and waits until it is.
    async fn hand_over(&self, to: u64) -> Result<(), Status> {
        self.0.raft.transfer_leader(to);
        let mut status = self.0.raft.status();
        let over = status.wait_for(|now| now.leader.is_some_and(|leader| leader != now.member));
        match tokio::time::timeout(TAKES_OVER, over).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(no_transfer("the other director did not take over in time")),
        }
    }

    /// Takes a director out because its host leaves the platform; one that is in no more is out.
    pub(super) async fn leave(&self, id: &DirectorId, actor: &str) -> Result<(), Status> {
        let _turn = self.0.changing.lock().await;
        match self.0.published.state().directors.get(id) {
            Some(record) => self.take_out(record, actor, None).await,
            None => Ok(()),
        }
    }

    /// Takes a director out of the group, whose changes the caller holds back.
    async fn take_out(
        &self,
        record: &DirectorRecord,
        actor: &str,
        asked: Option<&Asked>,
    ) -> Result<(), Status> {
        let status = self.status();
        if status.membership.voters == [record.member] {
            return Err(last_voter(record));
        }
        if record.member == status.member {
            let to = self
                .successor()
                .ok_or_else(|| no_transfer("no other director with a vote answers"))?;
            self.hand_over(to).await?;
            // The new leader is asked again.
            return Err(not_leading());
        }
        let member = status.membership.all().contains(&record.member);
        let changes = member.then_some(MemberChange::Remove(record.member));
        let body = Body::RemoveDirector(command::RemoveDirector {
            director_id: record.id.clone(),
        });
        self.0
            .proposer
            .change_group(actor, asked, changes.into_iter().collect(), body)
            .await?;
        tracing::warn!(director = %record.id, member = record.member, "a director was removed");
        Ok(())
    }

    /// The voter beside this director that is furthest.
    fn successor(&self) -> Option<u64> {
        successor(&self.status())
    }

    /// The platform key, and what a director's authority file holds.
    async fn key_files(&self) -> Result<(String, String), Status> {
        let path = self.0.config.own("platform.key");
        let read = task::spawn_blocking("platform key", move || {
            let bytes = read_limited(&path, FILE_BYTES).ok().flatten()?;
            String::from_utf8(bytes).ok()
        });
        let authority = self.0.certificates.file(&self.0.published.state());
        match (read.await, authority) {
            (Ok(Some(key)), Ok(authority)) => Ok((key.trim().to_owned(), authority)),
            _ => Err(internal("this director's own keys cannot be read")),
        }
    }
}

/// The voter beside this director that is furthest and answers.
#[must_use]
pub fn successor(status: &raft::Status) -> Option<u64> {
    status
        .peers
        .iter()
        .filter(|peer| {
            peer.active
                && peer.member != status.member
                && status.membership.voters.contains(&peer.member)
        })
        .max_by_key(|peer| peer.matched)
        .map(|peer| peer.member)
}

#[tonic::async_trait]
impl Directors for DirectorsApi {
    async fn list_directors(
        &self,
        request: Request<v1::ListDirectorsRequest>,
    ) -> Result<Response<v1::ListDirectorsResponse>, Status> {
        let message = request.into_inner();
        let state = self.0.published.state();
        let status = self.status();
        let page = page(
            message.options.as_ref(),
            &FIELDS,
            state
                .directors
                .values()
                .map(|record| row(&self.0, &status, record)),
            |row, field| match field {
                "host" => row.host.as_str().into(),
                "zone" => row.zone.as_str().into(),
                "role" => role_name(row).into(),
                "connected" => row.connected.into(),
                "lag" => row.lag.into(),
                "version" => row.version.as_str().into(),
                "member_id" => row.member_id.into(),
                _ => row.id.as_str().into(),
            },
            |row| row.id.clone(),
        )?;
        Ok(Response::new(v1::ListDirectorsResponse {
            info: Some(info(&page)),
            directors: page.rows,
        }))
    }

    async fn remove_director(
        &self,
        request: Request<v1::RemoveDirectorRequest>,
    ) -> Result<Response<v1::RemoveDirectorResponse>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let _turn = self.0.changing.lock().await;
        let state = self.0.published.state();
        let done = Response::new(v1::RemoveDirectorResponse {});
        let Some(record) = state.find_director(&message.director) else {
            // Repeated after it was done.
            return match wharf_director_core::apply::remembered(&state, &asked.request_id) {
                Some(first) if first.digest == asked.digest => Ok(done),
                _ => Err(not_found("director", &message.director)),
            };
        };
        self.take_out(record, &principal.name, Some(&asked)).await?;
        Ok(done)
    }

    async fn transfer_leadership(
        &self,
        request: Request<v1::TransferLeadershipRequest>,
    ) -> Result<Response<v1::TransferLeadershipResponse>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &message)?;
        let answer =
            |leader_id: String| Ok(Response::new(v1::TransferLeadershipResponse { leader_id }));
        let _turn = self.0.changing.lock().await;
        let state = self.0.published.state();
        if wharf_director_core::apply::remembered(&state, &asked.request_id)
            .is_some_and(|first| first.digest == asked.digest)
        {
            return answer(self.0.config.director_id.to_string());
        }
        let status = self.status();
        let target = if message.director.is_empty() {
            self.successor()
                .ok_or_else(|| no_transfer("no other director with a vote answers"))?
        } else {
            let record = state
                .find_director(&message.director)
                .ok_or_else(|| not_found("director", &message.director))?;
            record.member
        };
        if target == status.member {
            return answer(self.0.config.director_id.to_string());
        }
        if !status.membership.voters.contains(&target) {
            return Err(no_transfer("the director has no vote"));
        }
        let note = Body::NoteAudit(command::NoteAudit {
            action: "transfer_leadership".to_owned(),
            subject: "platform".to_owned(),
            detail: format!("to member {target}"),
            place: None,
        });
        self.0.proposer.once(&asked, |_| Ok(note)).await?;
        self.hand_over(target).await?;
        let leader = self.status().leader;
        let directors = state.directors.values();
        let leader_id = directors
            .filter(|record| Some(record.member) == leader)
            .map(|record| record.id.to_string())
            .next()
            .unwrap_or_default();
        answer(leader_id)
    }

    async fn add_director(
        &self,
        request: Request<v1::AddDirectorRequest>,
    ) -> Result<Response<v1::AddDirectorResponse>, Status> {
        let id = caller(&request)?;
        let message = request.into_inner();
        let facts = facts(message.facts.unwrap_or_default());
        let _turn = self.0.changing.lock().await;
        if describe_task::due(&self.0) {
            // Whoever joins must find the leader.
            describe_task::tell(&self.0).await?;
        }
        let state = self.0.published.state();
        let known = check_admission(&state, id.as_str(), &message.join_id, &facts)
            .map_err(|refusal| refused(&refusal))?;
        let member_id = match known {
            Some(known) => known.member,
            None => {
                let (member, incarnation, changes) = admission(&state, &self.status(), &id)?;
                let body = Body::AdmitDirector(command::AdmitDirector {
                    director_id: id.clone(),
                    member,
                    incarnation,
                    join_id: message.join_id,
                    facts,
                });
                self.0
                    .proposer
                    .change_group(&format!("director/{id}"), None, changes, body)
                    .await?;
                tracing::warn!(director = %id, member, incarnation, "a director was admitted as a learner");
                member
            }
        };
        let (platform_key, authority_pem) = self.key_files().await?;
        let state = self.0.published.state();
        Ok(Response::new(v1::AddDirectorResponse {
            member_id,
            platform_key,
            authority_pem,
            directors: state
                .directors
                .values()
                .map(|record| v1::DirectorAddress {
                    id: record.id.to_string(),
                    member_id: record.member,
                    internal_address: record.facts.internal_address.clone(),
                    admin_address: record.facts.admin_address.clone(),
                })
                .collect(),
        }))
    }

    async fn describe_director(
        &self,
        request: Request<v1::DescribeDirectorRequest>,
    ) -> Result<Response<v1::DescribeDirectorResponse>, Status> {
        let director_id = caller(&request)?;
        let message = request.into_inner();
        let member = message.member_id;
        let facts = facts(message.facts.unwrap_or_default());
        check_facts(&facts).map_err(|refusal| refused(&refusal))?;
        if !is_member_of(director_id.as_str(), member) {
            return Err(coded_status(
                Code::PermissionDenied,
                codes::SESSION,
                format!("director {director_id} is not member {member}"),
                "use the certificate of that director",
            ));
        }
        let actor = format!("director/{director_id}");
        let body = Body::DescribeDirector(command::DescribeDirector {
            director_id,
            member,
            facts,
        });
        self.0.proposer.of(&actor, body).await?;
        Ok(Response::new(v1::DescribeDirectorResponse {}))
    }
}

fn role_name(row: &v1::Director) -> &'static str {
    match row.role() {
        v1::DirectorRole::Leader => "leader",
        v1::DirectorRole::Follower => "follower",
        v1::DirectorRole::Learner => "learner",
        v1::DirectorRole::Unspecified => "",
    }
}
