//! Allocators: read, and changed while they run. Not here: their sessions (`sessions/allocators`), how
//! they are emptied (`vacates`), what a change is refused for (the core).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tonic::{Request, Response, Status};
use wharf_director_core::{
    apply::{engineless, enrollment::role_names},
    command::{Body, UpdateAllocator},
    refusal::{codes, cut},
    state::HostRole,
};
use wharf_proto::v1;
use wharf_services::v1::allocators_server::Allocators;

use super::{asked, expected, info, not_found, opened, page, principal, vacates, views::View};
use crate::{
    answer::{field_status, refused},
    director::Director,
};

const FIELDS: [&str; 6] = [
    "host",
    "id",
    "zone",
    "connected",
    "maintenance",
    "instances",
];

/// The service.
#[derive(Clone, Debug)]
pub struct AllocatorsApi(pub Arc<Director>);

#[tonic::async_trait]
impl Allocators for AllocatorsApi {
    async fn get_allocator(
        &self,
        request: Request<v1::GetAllocatorRequest>,
    ) -> Result<Response<v1::Allocator>, Status> {
        let text = request.into_inner().allocator;
        let view = View::of(&self.0);
        let record = view
            .state
            .find_allocator(&text)
            .ok_or_else(|| refused(&engineless::no_allocator(&view.state, &text)))?;
        Ok(Response::new(view.allocator(&self.0.seen, record)))
    }

    async fn list_allocators(
        &self,
        request: Request<v1::ListAllocatorsRequest>,
    ) -> Result<Response<v1::ListAllocatorsResponse>, Status> {
        let message = request.into_inner();
        let view = View::of(&self.0);
        let page = page(
            message.options.as_ref(),
            &FIELDS,
            view.state
                .allocators
                .values()
                .map(|record| view.allocator(&self.0.seen, record)),
            |row, field| match field {
                "id" => row.id.as_str().into(),
                "zone" => row.zone.as_str().into(),
                "connected" => row.connected.into(),
                "maintenance" => row.maintenance.into(),
                "instances" => row.instances.into(),
                _ => row.host.as_str().into(),
            },
            |row| row.id.clone(),
        )?;
        Ok(Response::new(v1::ListAllocatorsResponse {
            info: Some(info(&page)),
            allocators: page.rows,
        }))
    }

    async fn update_allocator(
        &self,
        request: Request<v1::UpdateAllocatorRequest>,
    ) -> Result<Response<v1::Allocator>, Status> {
        let (principal, message) = opened(request)?;
        let asked = asked(&principal, message.mutation.as_ref(), &canonical(&message))?;
        let roles = message.roles.as_ref().map(roles).transpose()?;
        let named = &message.allocator;
        let outcome = self
            .0
            .proposer
            .once(&asked, |state| {
                let found = state
                    .find_allocator(named)
                    .ok_or_else(|| engineless::no_allocator(state, named))?;
                let body = UpdateAllocator {
                    maintenance: message.maintenance,
                    zone: message.zone.clone(),
                    tags: message.tags.as_ref().map(tags),
                    capacity: message.capacity.as_ref().map(Into::into),
                    roles: roles.clone(),
                    ..UpdateAllocator::of(found.id.clone(), expected(message.mutation.as_ref()))
                };
                Ok(Body::UpdateAllocator(body))
            })
            .await?;
        tracing::info!(allocator = named, ?outcome, "an allocator was changed");
        let view = View::of(&self.0);
        let record = view
            .state
            .find_allocator(named)
            .ok_or_else(|| not_found("allocator", named))?;
        Ok(Response::new(view.allocator(&self.0.seen, record)))
    }

    async fn vacate_allocator(
        &self,
        request: Request<v1::VacateAllocatorRequest>,
    ) -> Result<Response<v1::VacateAllocatorResponse>, Status> {
        let principal = principal(&request)?;
        let vacate = vacates::vacate(&self.0, &principal, &request.into_inner()).await?;
        Ok(Response::new(v1::VacateAllocatorResponse {
            vacate: Some(vacate),
        }))
    }

    async fn get_vacate(
        &self,
        request: Request<v1::GetVacateRequest>,
    ) -> Result<Response<v1::Vacate>, Status> {
        vacates::get(&self.0, &request.into_inner().vacate_id).map(Response::new)
    }

    async fn list_vacates(
        &self,
        request: Request<v1::ListVacatesRequest>,
    ) -> Result<Response<v1::ListVacatesResponse>, Status> {
        vacates::list(&self.0, &request.into_inner()).map(Response::new)
    }

    async fn cancel_vacate(
        &self,
        request: Request<v1::CancelVacateRequest>,
    ) -> Result<Response<v1::Vacate>, Status> {
        let principal = principal(&request)?;
        let vacate = vacates::cancel(&self.0, &principal, &request.into_inner()).await?;
        Ok(Response::new(vacate))
    }
}

fn tags(set: &v1::TagSet) -> BTreeMap<String, String> {
    set.tags
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn roles(set: &v1::RoleSet) -> Result<BTreeSet<HostRole>, Status> {
    let parse = |text: &String| {
        HostRole::parse(text).ok_or_else(|| {
            field_status(
                codes::ALLOCATOR_CHANGE,
                "roles",
                format!("there is no role `{}` of hosts", cut(text, 64)),
                &format!("there are: {}", role_names(&HostRole::ALL.into())),
            )
        })
    };
    set.roles.iter().map(parse).collect()
}

/// The request with its tags in one order: the bytes of the same request are then the same.
fn canonical(message: &v1::UpdateAllocatorRequest) -> v1::UpdateAllocatorRequest {
    let mut flat = message.clone();
    if let Some(set) = flat.tags.take() {
        // Only digested: the tags are appended to the name as text.
        flat.allocator = format!("{}\0{:?}", flat.allocator, tags(&set));
    }
    flat
}
