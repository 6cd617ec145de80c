//! Proxies, read only. Not here: their sessions (`sessions/proxies`).

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_proto::v1;
use wharf_services::v1::proxies_server::Proxies;

use super::{info, page, views::View};
use crate::director::Director;

const FIELDS: [&str; 5] = ["host", "id", "zone", "connected", "generation"];

/// The service.
#[derive(Clone, Debug)]
pub struct ProxiesApi(pub Arc<Director>);

#[tonic::async_trait]
impl Proxies for ProxiesApi {
    async fn list_proxies(
        &self,
        request: Request<v1::ListProxiesRequest>,
    ) -> Result<Response<v1::ListProxiesResponse>, Status> {
        let message = request.into_inner();
        let view = View::of(&self.0);
        let page = page(
            message.options.as_ref(),
            &FIELDS,
            view.state
                .proxies
                .values()
                .map(|record| view.proxy(&self.0.seen, record)),
            |row, field| match field {
                "id" => row.id.as_str().into(),
                "zone" => row.zone.as_str().into(),
                "connected" => row.connected.into(),
                "generation" => row.table_generation.into(),
                _ => row.host.as_str().into(),
            },
            |row| row.id.clone(),
        )?;
        Ok(Response::new(v1::ListProxiesResponse {
            info: Some(info(&page)),
            proxies: page.rows,
        }))
    }
}
