//! The gRPC API, one file a noun. Each request passed the gate (`auth`); here it is checked, turned
//! into one command or answered from state and memory. Not here: the meaning of commands (the core),
//! how records look to people (`views`).

pub mod allocators;
mod authority;
pub mod channels;
pub mod containers;
pub mod deployments;
pub mod directors;
pub mod enrollment;
pub mod events;
pub mod instances;
pub mod placement;
pub mod plans;
pub mod platform;
pub mod proxies;
pub mod raft_transport;
mod rebalancing;
pub mod repositories;
pub mod sessions;
pub mod settings;
mod snapshots;
pub mod streams;
pub mod templates;
pub mod tokens;
pub mod users;
mod vacates;
pub mod views;
pub mod wish;
mod zones;

use prost::Message;
use tonic::{Request, Status};
use wharf_director_core::refusal::Refusal;
use wharf_proto::{
    ids::RequestId,
    listing::{Ask, ListQuery, Page, Value},
    v1,
};

use crate::{
    answer::{field_status, internal, refused},
    auth::Principal,
    codes,
    propose::Asked,
    secrets::PlatformKey,
};

/// Largest message that is taken from clients.
pub const MAX_MESSAGE: usize = 4 << 20;

/// Who made the request.
fn principal<T>(request: &Request<T>) -> Result<Principal, Status> {
    request
        .extensions()
        .get::<Principal>()
        .cloned()
        .ok_or_else(|| internal("a request came past the gate"))
}

/// Who made the request, and what it asks for.
fn opened<T>(request: Request<T>) -> Result<(Principal, T), Status> {
    Ok((principal(&request)?, request.into_inner()))
}

/// What makes a mutation recognisable when it is repeated.
fn asked<T: Message>(
    principal: &Principal,
    mutation: Option<&v1::Mutation>,
    message: &T,
) -> Result<Asked, Status> {
    let request_id: RequestId = mutation
        .map(|mutation| mutation.request_id.as_str())
        .unwrap_or_default()
        .parse()
        .map_err(|error: wharf_proto::ids::IdError| {
            field_status(
                codes::REQUEST_ID,
                "mutation.request_id",
                error.to_string(),
                "make 16 random bytes for each change and send them in lower-case hex",
            )
        })?;
    Ok(Asked::new(
        &principal.name,
        request_id,
        &message.encode_to_vec(),
    ))
}

/// The same of a request with a secret: a digest under the platform key, because what stays in the state must
/// not help to guess it.
fn asked_secretly<T: Message>(
    key: &PlatformKey,
    principal: &Principal,
    mutation: Option<&v1::Mutation>,
    message: &T,
) -> Result<Asked, Status> {
    let digest = key.digest("request", &message.encode_to_vec());
    asked(principal, mutation, &hex::encode(digest))
}

/// The version that a mutation expects; zero does not check.
fn expected(mutation: Option<&v1::Mutation>) -> u64 {
    mutation.map_or(0, |mutation| mutation.expected_version)
}

/// One page of rows as asked for.
fn page<T>(
    options: Option<&v1::ListOptions>,
    fields: &[&str],
    rows: impl IntoIterator<Item = T>,
    field: impl Fn(&T, &str) -> Value,
    id: impl Fn(&T) -> String,
) -> Result<Page<T>, Status> {
    Ok(query(options, fields)?.page(rows, field, id))
}

/// A list as asked for, of rows with these fields.
fn query(options: Option<&v1::ListOptions>, fields: &[&str]) -> Result<ListQuery, Status> {
    let ask = options.map_or_else(Ask::default, Ask::from);
    ListQuery::parse(&ask, fields).map_err(|error| refused(&error.into()))
}

/// A filter that stands in a field of its own, of rows with these fields.
fn filter_in(field: &str, filter: &str, fields: &[&str]) -> Result<ListQuery, Status> {
    let ask = Ask {
        filter,
        ..Ask::default()
    };
    ListQuery::parse(&ask, fields).map_err(|error| refused(&Refusal::from(error).field(field)))
}

fn info<T>(page: &Page<T>) -> v1::ListInfo {
    page.info()
}

fn not_found(noun: &str, id: &str) -> Status {
    refused(&Refusal::not_found(noun, id))
}
