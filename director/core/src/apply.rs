//! Applying a command: deterministic, no clock, no randomness. A refusal changes nothing but the
//! audit log and the memory of requests. The same request id gets the first answer for 24 hours.
//! Not here: what may be proposed (the API's checks come before, and again here where two
//! proposals can race).

pub mod allocator;
mod allocator_change;
pub mod authority;
mod berth;
mod cancel;
mod change;
pub mod channel;
pub mod deployment;
pub mod director;
pub mod engineless;
pub mod enrollment;
mod finish;
mod instance;
pub mod level;
mod lost_host;
mod moving;
mod operation;
pub mod plan;
pub mod platform;
pub(crate) mod relocation;
pub mod repository;
pub mod session;
pub mod user;
pub mod vacate;
pub mod zone;

use std::sync::Arc;

use wharf_proto::ids::RequestId;

use crate::{
    command::{ACTOR_BYTES, Body, Command},
    outcome::Outcome,
    refusal::{Refusal, RefusalKind, codes, cut},
    state::{
        AUDIT_KEPT, AuditEntry, AuditPlace, HOSTS_NOTED_LEVEL, REQUEST_MEMORY_MS, REQUESTS_KEPT,
        RememberedRequest, RequestAge, State,
    },
};

/// Bytes kept of the detail of an audit line.
pub const DETAIL_BYTES: usize = 300;
/// Bytes of a host's name or a deployment's id in it.
const PLACE_BYTES: usize = 255;

/// Applies a command and answers it.
pub fn apply(state: &mut State, command: &Command) -> Outcome {
    state.revision = state.revision.saturating_add(1);
    state.now_ms = state.now_ms.max(command.at_ms);
    forget_requests(state);
    let digest = command.request_id.as_ref().map(|_| match &command.asked {
        Some(asked) => cut(asked, 64).to_owned(),
        None => command.body.digest(),
    });
    if let (Some(id), Some(digest)) = (&command.request_id, &digest)
        && let Some(remembered) = state.requests.get(id)
    {
        if remembered.digest == *digest {
            return remembered.outcome.clone();
        }
        return reused(id).into();
    }
    let outcome = dispatch(state, &command.body, &command.actor).unwrap_or_else(Outcome::Refused);
    if command.body.audited() && outcome != Outcome::Unchanged {
        audit(state, command, &outcome);
    }
    if let (Some(id), Some(digest)) = (&command.request_id, digest) {
        remember(state, id, digest, &outcome);
    }
    outcome
}

/// The answer that a request got before, so that the API need not propose it again. `None`: not
/// seen in the last 24 hours.
#[must_use]
pub fn remembered<'a>(state: &'a State, id: &RequestId) -> Option<&'a RememberedRequest> {
    state.requests.get(id).map(Arc::as_ref)
}

fn dispatch(state: &mut State, body: &Body, actor: &str) -> Result<Outcome, Refusal> {
    level::check(state, body)?;
    match body {
        Body::BootstrapPlatform(body) => platform::bootstrap(state, body),
        Body::RaiseFeatureLevel(body) => platform::raise_feature_level(state, body),
        Body::AdmitDirector(body) => director::admit(state, body),
        Body::DescribeDirector(body) => director::describe(state, body),
        Body::RemoveDirector(body) => director::remove(state, body),
        Body::CreateDeployment(body) => deployment::create(state, body, actor),
        Body::DeleteDeployment(body) => deployment::delete(state, body, actor),
        Body::UpgradeDeployment(body) => deployment::upgrade(state, body, actor),
        Body::ExtendDeployment(body) => deployment::extend(state, body, actor),
        Body::ChangeDeployment(body) => operation::change(state, body, actor),
        Body::SetInstanceRouting(body) => instance::set_routing(state, body),
        Body::SetHostLossPolicy(body) => instance::set_host_loss(state, body),
        Body::NoteLeased(body) => instance::note_leased(state, body),
        Body::NoteSetAside(body) => instance::note_set_aside(state, body),
        Body::BeginVacate(body) => vacate::begin(state, body, actor),
        Body::VacateInstance(body) => vacate::begin_move(state, body, actor),
        Body::SettleVacate(body) => vacate::settle(state, body),
        Body::CancelVacate(body) => vacate::cancel(state, body),
        Body::CancelPlan(body) => cancel::cancel(state, body),
        Body::AdoptPlan(body) => plan::adopt(state, body),
        Body::SupersedePlan(body) => plan::supersede(state, body),
        Body::NotePlan(body) => plan::note(state, body),
        Body::StartAttempt(body) => plan::start_attempt(state, body),
        Body::StepTransition(body) => plan::step(state, body),
        Body::PlanEnded(body) => plan::ended(state, body),
        Body::RegisterAllocator(body) => allocator::register(state, body),
        Body::UpdateAllocator(body) => allocator_change::update(state, body),
        Body::ForgetAllocator(body) => allocator::forget(state, body),
        Body::SetZoneLocation(body) => zone::set_location(state, body),
        Body::ClearZoneLocation(body) => zone::clear_location(state, body),
        Body::RegisterProxy(body) => allocator::register_proxy(state, body),
        Body::ForgetProxy(body) => allocator::forget_proxy(state, body),
        Body::PublishRoutes(body) => platform::publish_routes(state, body),
        Body::SetSetting(body) => platform::set_setting(state, body),
        Body::CreateUser(body) => user::create(state, body),
        Body::UpdateUser(body) => user::update(state, body),
        Body::DeleteUser(body) => user::delete(state, body),
        Body::CreateToken(body) => user::create_token(state, body),
        Body::RevokeToken(body) => user::revoke_token(state, body),
        Body::BeginSession(body) => session::begin(state, body),
        Body::EndSession(body) => session::end(state, body),
        Body::NoteSessionUsed(body) => session::note_used(state, body),
        Body::CreateEnrollmentToken(body) => enrollment::create_token(state, body),
        Body::RevokeEnrollmentToken(body) => enrollment::revoke_token(state, body),
        Body::EnrollHost(body) => enrollment::enroll(state, body),
        Body::ForgetHost(body) => enrollment::forget(state, body),
        Body::PutChannel(body) => channel::put(state, body),
        Body::DeleteChannel(body) => channel::delete(state, body),
        Body::PutRepository(body) => repository::put(state, body),
        Body::DeleteRepository(body) => repository::delete(state, body),
        Body::SetSnapshotPolicy(body) => repository::set_policy(state, body),
        Body::RequestSnapshot(body) => repository::request(state, body),
        Body::NoteSnapshot(body) => repository::note(state, body),
        Body::RecordAlerts(body) => channel::record(state, body),
        Body::SettleAlert(body) => channel::settle(state, body),
        Body::PutSecret(body) => platform::put_secret(state, body),
        Body::RemoveSecret(body) => platform::remove_secret(state, body),
        Body::ReportHealthTransition(body) => platform::report_health(state, body),
        Body::ReportHealthTransitions(body) => platform::report_healths(state, body),
        Body::ChangeAuthority(body) => authority::change(state, body, actor),
        Body::NoteAudit(_) => Ok(Outcome::Done),
    }
}

fn reused(id: &RequestId) -> Refusal {
    Refusal::new(
        RefusalKind::InvalidArgument,
        codes::REQUEST_REUSED,
        format!("the request id {id} was used for another request"),
    )
    .field("mutation.request_id")
    .hint("make a new request id for each request")
}

fn audit(state: &mut State, command: &Command, outcome: &Outcome) {
    let action = match &command.body {
        Body::NoteAudit(note) => note.action.as_str(),
        body => body.name(),
    };
    let result = match outcome {
        Outcome::Refused(refusal) => refusal.code.as_str(),
        _ => "done",
    };
    let place = match &command.body {
        // A refused command is written down, too, and may be one that older members cannot read.
        Body::NoteAudit(note) if state.feature_level >= HOSTS_NOTED_LEVEL => note.place.as_ref(),
        _ => None,
    };
    let line = AuditLine {
        actor: &command.actor,
        action,
        subject: &command.body.subject(),
        result,
        detail: &command.body.detail(),
        place,
    };
    write(state, &line);
}

/// A line for the audit log, not yet cut to what is kept of it.
struct AuditLine<'a> {
    actor: &'a str,
    action: &'a str,
    subject: &'a str,
    result: &'a str,
    detail: &'a str,
    place: Option<&'a AuditPlace>,
}

/// Writes a line of the audit log.
fn write(state: &mut State, line: &AuditLine<'_>) {
    let entry = AuditEntry {
        number: state.audit_next,
        at_ms: state.now_ms,
        actor: cut(line.actor, ACTOR_BYTES).to_owned(),
        action: cut(line.action, 64).to_owned(),
        subject: cut(line.subject, 256).to_owned(),
        result: line.result.to_owned(),
        detail: cut(line.detail, DETAIL_BYTES).to_owned(),
        place: line.place.map(|place| AuditPlace {
            host: cut(&place.host, PLACE_BYTES).to_owned(),
            deployment_id: cut(&place.deployment_id, PLACE_BYTES).to_owned(),
        }),
    };
    state.audit_next = state.audit_next.saturating_add(1);
    state.audit.push_back(Arc::new(entry));
    while state.audit.len() > AUDIT_KEPT {
        state.audit.pop_front();
    }
}

fn remember(state: &mut State, id: &RequestId, digest: String, outcome: &Outcome) {
    let remembered = RememberedRequest {
        at_ms: state.now_ms,
        digest,
        outcome: outcome.clone(),
    };
    state.requests.insert(id.clone(), Arc::new(remembered));
    state.request_ages.push_back(RequestAge {
        at_ms: state.now_ms,
        id: id.clone(),
    });
}

fn forget_requests(state: &mut State) {
    while let Some(oldest) = state.request_ages.front() {
        let age = state.now_ms.saturating_sub(oldest.at_ms);
        if age <= REQUEST_MEMORY_MS && state.request_ages.len() <= REQUESTS_KEPT {
            break;
        }
        if let Some(oldest) = state.request_ages.pop_front() {
            state.requests.remove(&oldest.id);
        }
    }
}

/// Checks a client's expected version; zero does not check.
fn check_version(noun: &str, expected: u64, found: u64) -> Result<(), Refusal> {
    if expected == 0 || expected == found {
        Ok(())
    } else {
        Err(Refusal::version(noun, expected, found))
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
