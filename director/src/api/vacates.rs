//! Emptying hosts: asked for, previewed, watched and cancelled. Not here: which moves begin and when
//! (`wharf_director_core::vacate`, `leader/relief_task`).

use tonic::Status;
use wharf_director_core::{
    command::{BeginVacate, Body, CancelVacate, Command},
    refusal::{Refusal, RefusalKind, codes},
    state::{State, VacateRecord},
    vacate::{message, preview},
};
use wharf_proto::{
    ids::{AllocatorId, PlanId},
    times::millis,
    v1,
};
use wharf_runtime::random;

use super::{asked, expected, info, not_found, page, views::View};
use crate::{answer::refused, auth::Principal, director::Director};

const FIELDS: [&str; 5] = ["created", "id", "host", "status", "actor"];

fn shown(view: &View, record: &VacateRecord) -> v1::Vacate {
    message::vacate(&view.state, &view.seen, record)
}

fn find<'a>(state: &'a State, id: &str) -> Result<&'a VacateRecord, Status> {
    state.vacates.get(id).ok_or_else(|| not_found("vacate", id))
}

/// Refuses what is for a host that is gone while its allocator is connected.
///
/// # Errors
/// When it is.
pub(super) fn not_connected(
    director: &Director,
    state: &State,
    id: &AllocatorId,
) -> Result<(), Refusal> {
    if !director.seen.core().connected(id) {
        return Ok(());
    }
    let host = state
        .allocators
        .get(id)
        .map_or("", |known| known.host.as_str());
    Err(Refusal::new(
        RefusalKind::FailedPrecondition,
        codes::VACATE,
        format!("{host} is connected: it is not lost"),
    )
    .field("allocator")
    .hint("`wharf allocator vacate` moves what lies there with its data"))
}

fn wish(
    director: &Director,
    state: &State,
    message: &v1::VacateAllocatorRequest,
    vacate_id: &str,
) -> Result<Body, Refusal> {
    let known = |text: &String, field: &str| {
        state
            .find_allocator(text)
            .map(|found| found.id.clone())
            .ok_or_else(|| Refusal::not_found("allocator", text).field(field))
    };
    let allocator_id = known(&message.allocator, "allocator")?;
    if message.host_down {
        not_connected(director, state, &allocator_id)?;
    }
    Ok(Body::BeginVacate(BeginVacate {
        vacate_id: vacate_id.to_owned(),
        allocator_id,
        expected_version: expected(message.mutation.as_ref()),
        to: message
            .to_allocators
            .iter()
            .map(|text| known(text, "to_allocators"))
            .collect::<Result<_, _>>()?,
        parallelism: message.parallelism,
        host_down: message.host_down,
    }))
}

pub(super) async fn vacate(
    director: &Director,
    principal: &Principal,
    message: &v1::VacateAllocatorRequest,
) -> Result<v1::Vacate, Status> {
    if message.dry_run {
        let view = View::of(director);
        let body = wish(director, &view.state, message, &random::new_id())
            .map_err(|refusal| refused(&refusal))?;
        let command = Command::new(view.now_ms, principal.name.as_str(), None, body);
        let mut plan_id = || PlanId::from_bytes(random::bytes());
        return preview::preview(&view.state, &view.seen, &command, view.now_ms, &mut plan_id)
            .map_err(|refusal| refused(&refusal));
    }
    let asked = asked(principal, message.mutation.as_ref(), message)?;
    let vacate_id = asked.request_id.to_string();
    director
        .proposer
        .once(&asked, |state| wish(director, state, message, &vacate_id))
        .await?;
    tracing::info!(
        vacate = vacate_id,
        host = message.allocator,
        "a host is emptied"
    );
    let view = View::of(director);
    Ok(shown(&view, find(&view.state, &vacate_id)?))
}

pub(super) fn get(director: &Director, id: &str) -> Result<v1::Vacate, Status> {
    let view = View::of(director);
    Ok(shown(&view, find(&view.state, id)?))
}

pub(super) fn list(
    director: &Director,
    message: &v1::ListVacatesRequest,
) -> Result<v1::ListVacatesResponse, Status> {
    let view = View::of(director);
    let of = &message.allocator;
    // A host that was forgotten is known by its name still.
    let id = view.state.find_allocator(of).map(|found| found.id.clone());
    let page = page(
        message.options.as_ref(),
        &FIELDS,
        view.state
            .vacates
            .values()
            .filter(|one| {
                of.is_empty() || Some(&one.allocator_id) == id.as_ref() || one.host == *of
            })
            .map(|one| shown(&view, one)),
        |row, field| match field {
            "id" => row.id.as_str().into(),
            "host" => row.host.as_str().into(),
            "status" => status_word(row.status()).into(),
            "actor" => row.actor.as_str().into(),
            _ => row.created_at.as_ref().map_or(0, millis).into(),
        },
        |row| row.id.clone(),
    )?;
    Ok(v1::ListVacatesResponse {
        info: Some(info(&page)),
        vacates: page.rows,
    })
}

fn status_word(status: v1::VacateStatus) -> String {
    let word = status.as_str_name().trim_start_matches("VACATE_STATUS_");
    word.to_lowercase()
}

pub(super) async fn cancel(
    director: &Director,
    principal: &Principal,
    message: &v1::CancelVacateRequest,
) -> Result<v1::Vacate, Status> {
    let asked = asked(principal, message.mutation.as_ref(), message)?;
    director
        .proposer
        .once(&asked, |_| {
            Ok(Body::CancelVacate(CancelVacate {
                vacate_id: message.vacate_id.clone(),
                expected_version: expected(message.mutation.as_ref()),
            }))
        })
        .await?;
    get(director, &message.vacate_id)
}
