//! Allocators, read only. Not here: their sessions (`sessions/allocators`).

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_proto::v1;
use wharf_services::v1::allocators_server::Allocators;

use super::{info, not_found, page, views::View};
use crate::director::Director;

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
            .ok_or_else(|| not_found("allocator", &text))?;
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
}
