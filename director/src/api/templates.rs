//! Templates, read only.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_proto::v1;
use wharf_services::v1::templates_server::Templates;

use super::{info, not_found, page};
use crate::director::Director;

const FIELDS: [&str; 2] = ["id", "name"];

/// The service.
#[derive(Clone, Debug)]
pub struct TemplatesApi(pub Arc<Director>);

#[tonic::async_trait]
impl Templates for TemplatesApi {
    async fn get_template(
        &self,
        request: Request<v1::GetTemplateRequest>,
    ) -> Result<Response<v1::Template>, Status> {
        let id = request.into_inner().template_id;
        let found = self
            .0
            .catalog
            .get(&id)
            .ok_or_else(|| not_found("template", &id))?;
        Ok(Response::new(found.into()))
    }

    async fn list_templates(
        &self,
        request: Request<v1::ListTemplatesRequest>,
    ) -> Result<Response<v1::ListTemplatesResponse>, Status> {
        let message = request.into_inner();
        let page = page(
            message.options.as_ref(),
            &FIELDS,
            self.0.catalog.iter(),
            |row, field| match field {
                "name" => row.name.as_str().into(),
                _ => row.id.as_str().into(),
            },
            |row| row.id.clone(),
        )?;
        Ok(Response::new(v1::ListTemplatesResponse {
            info: Some(info(&page)),
            templates: page.rows.into_iter().map(Into::into).collect(),
        }))
    }
}
