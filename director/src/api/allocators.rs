//! Allocators: read, and changed while they run. Not here: their sessions (`sessions/allocators`), how
//! they are emptied (`vacates`), zones (`zones`), what a change is refused for (the core).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tonic::{Request, Response, Status};
use wharf_director_core::{
    apply::{engineless, enrollment::role_names},
    command::{Body, UpdateAllocator},
    messages,
    refusal::{codes, cut},
    state::{AllocatorRecord, HostRole},
};
use wharf_proto::{listing::Value, v1};
use wharf_services::v1::allocators_server::Allocators;

use super::{
    asked, expected, info, not_found, opened, page, principal, vacates, views::View, zones,
};
use crate::{
    answer::{field_status, refused},
    director::Director,
    observations::{HostSeen, Observatory},
};

const FIELDS: [&str; 11] = [
    "host",
    "id",
    "zone",
    "connected",
    "maintenance",
    "instances",
    "containers",
    "memory_given",
    "memory_in_use",
    "cpu",
    "disk_in_use",
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
            view.state.allocators.values(),
            |row, name| field(&view, &self.0.seen, row, name),
            |row| row.id.to_string(),
        )?;
        let rows = page.rows.iter();
        Ok(Response::new(v1::ListAllocatorsResponse {
            info: Some(info(&page)),
            allocators: rows
                .map(|record| view.allocator(&self.0.seen, record))
                .collect(),
        }))
    }

    async fn list_zones(
        &self,
        request: Request<v1::ListZonesRequest>,
    ) -> Result<Response<v1::ListZonesResponse>, Status> {
        zones::list(&self.0, &request.into_inner()).map(Response::new)
    }

    async fn set_zone_location(
        &self,
        request: Request<v1::SetZoneLocationRequest>,
    ) -> Result<Response<v1::Zone>, Status> {
        let (principal, message) = opened(request)?;
        let zone = zones::set_location(&self.0, &principal, &message).await?;
        Ok(Response::new(zone))
    }

    async fn clear_zone_location(
        &self,
        request: Request<v1::ClearZoneLocationRequest>,
    ) -> Result<Response<v1::ClearZoneLocationResponse>, Status> {
        let (principal, message) = opened(request)?;
        zones::clear_location(&self.0, &principal, &message).await?;
        Ok(Response::new(v1::ClearZoneLocationResponse {}))
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

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    part as f64 / whole as f64 * 100.0
}

/// What a host has in a field. What it uses is in percent of what there is, as people compare hosts.
fn field(view: &View, seen: &Observatory, row: &AllocatorRecord, field: &str) -> Value {
    let told = |of: fn(&HostSeen, &v1::HostFacts) -> f64| -> Value {
        let of_host = |host: &HostSeen| host.facts.as_ref().map_or(0.0, |facts| of(host, facts));
        seen.of_host(&row.id, of_host).unwrap_or(0.0).into()
    };
    match field {
        "id" => row.id.as_str().into(),
        "zone" => row.zone.as_str().into(),
        "connected" => view.seen.connected(&row.id).into(),
        "maintenance" => row.maintenance.into(),
        "instances" => messages::instances_on(&view.state, row).into(),
        "containers" => told(|host, _| f64::from(host.running)),
        "memory_given" => {
            let used = view.state.used(&row.id).memory_bytes;
            percent(used, row.capacity.memory_bytes).into()
        }
        "memory_in_use" => told(|_, facts| percent(facts.memory_used_bytes, facts.memory_bytes)),
        "cpu" => told(|_, facts| facts.cpu_percent),
        "disk_in_use" => told(|_, facts| {
            let used = facts.disk_bytes.saturating_sub(facts.disk_free_bytes);
            percent(used, facts.disk_bytes)
        }),
        _ => row.host.as_str().into(),
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
