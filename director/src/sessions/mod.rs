//! The streams of roles on the internal port: what they report goes to the leader's memory, what
//! they are to do is sent when it changed. Invariants: a session belongs to the identity of its
//! certificate; silence ends it; a slow reader ends it; it is served by the leader, other directors
//! pass it on (`relay`). Not here: what is decided from reports (`leader/`).

pub mod allocators;
mod leases;
pub mod proxies;

use std::time::Duration;

use tokio::sync::mpsc;
use tonic::{Code, Request, Status};
use wharf_director_core::state::State;
use wharf_proto::{coded, v1};
use wharf_runtime::tls::Identity;

use crate::{
    answer::{coded_status, internal},
    auth::Principal,
    codes,
};

/// Version of the sessions' protocol.
pub const SESSION_VERSION: u32 = 1;
/// What roles are asked for.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// Silence that ends a session.
pub const SILENCE: Duration = Duration::from_secs(15);
/// Orders that wait for a reader.
const QUEUE: usize = 16;
/// Changes that come together are sent together.
const GATHER: Duration = Duration::from_millis(20);
/// Largest report that is taken: thousands of containers with samples.
pub const MAX_REPORT: usize = 16 << 20;

fn refuse(message: impl Into<String>, hint: &str) -> Status {
    coded_status(Code::InvalidArgument, codes::SESSION, message, hint)
}

fn silent() -> Status {
    coded_status(
        Code::DeadlineExceeded,
        codes::SESSION,
        format!("nothing was heard for {} s", SILENCE.as_secs()),
        "connect again",
    )
}

fn superseded() -> Status {
    coded_status(
        Code::Aborted,
        codes::SESSION,
        "a newer session of the same identity is open",
        "run one process of each identity",
    )
}

/// Whom the caller's certificate names.
fn certified<T>(request: &Request<T>) -> Result<Identity, Status> {
    request
        .extensions()
        .get::<Principal>()
        .and_then(|principal| principal.identity.clone())
        .ok_or_else(|| internal("a session came past the gate"))
}

/// Whether a session ended because somebody else holds its identity, claims another, or is no member
/// any more: the audit log hears of it. Others end by silence, a goodbye or a change of leadership.
fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::InvalidArgument | Code::Aborted | Code::PermissionDenied | Code::FailedPrecondition
    ) && coded::decode(status.details()).is_some()
}

/// Where all directors are, for roles that lose this one.
fn director_addresses(state: &State) -> Vec<String> {
    let directors = state.directors.values();
    directors
        .map(|record| record.facts.internal_address.clone())
        .collect()
}

/// Which authorities a role is to follow; none before the first change of them.
fn authority_order(state: &State) -> Option<v1::AuthorityOrder> {
    let record = state.authority.as_ref()?;
    Some(v1::AuthorityOrder {
        generation: record.generation,
        ca_pem: record.bundle_pem(),
        issuer: record.issuing.sha256.clone(),
    })
}

/// Sends one order; a reader that does not take it in time ends the session.
async fn send<T>(orders: &mpsc::Sender<Result<T, Status>>, order: T) -> Result<(), Status> {
    match tokio::time::timeout(SILENCE, orders.send(Ok(order))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Status::cancelled("the other end is gone")),
        Err(_) => Err(silent()),
    }
}
