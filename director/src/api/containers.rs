//! Containers of every host with their last sample, from the leader's memory. Not here: their
//! history, which the store has.

use std::sync::Arc;

use tonic::{Code, Request, Response, Status};
use wharf_director_core::refusal::codes;
use wharf_proto::listing::Value;
use wharf_proto::v1;
use wharf_services::v1::containers_server::Containers;

use super::{info, not_found, page};
use crate::{answer::coded_status, director::Director};

const FIELDS: [&str; 20] = [
    "name",
    "id",
    "image",
    "host",
    "zone",
    "application",
    "service",
    "role",
    "deployment",
    "deployment_id",
    "instance_id",
    "allocator_id",
    "state",
    "health",
    "cpu",
    "memory",
    "created",
    "throttled",
    "restarts",
    "out_of_memory",
];
/// A shorter prefix of an id names nothing.
const PREFIX_CHARS: usize = 6;

/// The service.
#[derive(Clone, Debug)]
pub struct ContainersApi(pub Arc<Director>);

fn value(row: &v1::Container, field: &str) -> Value {
    let sample = row.sample.as_ref();
    match field {
        "id" => row.id.as_str().into(),
        "image" => row.image.as_str().into(),
        "host" => row.host.as_str().into(),
        "zone" => row.zone.as_str().into(),
        "application" => row.application.as_str().into(),
        "service" => row.service.as_str().into(),
        "role" => row.role.as_str().into(),
        "deployment" => row.deployment_name.as_str().into(),
        "deployment_id" => row.deployment_id.as_str().into(),
        "instance_id" => row.instance_id.as_str().into(),
        "allocator_id" => row.allocator_id.as_str().into(),
        "state" => row.state.as_str().into(),
        "health" => row.health.as_str().into(),
        "cpu" => sample.map_or(0.0, |sample| sample.cpu_percent).into(),
        "memory" => sample.map_or(0, |sample| sample.memory_bytes).into(),
        "throttled" => sample.map_or(0.0, |sample| sample.throttled_percent).into(),
        "restarts" => u64::from(row.restarts).into(),
        "out_of_memory" => row.out_of_memory.into(),
        "created" => row
            .created_at
            .as_ref()
            .map_or(0, wharf_proto::times::millis)
            .into(),
        _ => row.name.as_str().into(),
    }
}

/// The one container of that id, prefix of an id, or name.
fn find<'a>(all: &'a [Arc<v1::Container>], text: &str) -> Result<&'a Arc<v1::Container>, Status> {
    if let Some(exact) = all.iter().find(|container| container.id == text) {
        return Ok(exact);
    }
    let prefix = text.len() >= PREFIX_CHARS;
    let mut matching = all
        .iter()
        .filter(|container| container.name == text || (prefix && container.id.starts_with(text)));
    let first = matching
        .next()
        .ok_or_else(|| not_found("container", text))?;
    match matching.next() {
        None => Ok(first),
        Some(second) => Err(coded_status(
            Code::FailedPrecondition,
            codes::NOT_FOUND,
            format!(
                "`{text}` names several containers, on {} and on {}",
                first.host, second.host
            ),
            "give the whole id",
        )),
    }
}

#[tonic::async_trait]
impl Containers for ContainersApi {
    async fn get_container(
        &self,
        request: Request<v1::GetContainerRequest>,
    ) -> Result<Response<v1::Container>, Status> {
        let text = request.into_inner().container;
        let all = self.0.seen.containers();
        let found = find(&all, &text)?;
        Ok(Response::new(v1::Container::clone(found)))
    }

    async fn list_containers(
        &self,
        request: Request<v1::ListContainersRequest>,
    ) -> Result<Response<v1::ListContainersResponse>, Status> {
        let message = request.into_inner();
        let page = page(
            message.options.as_ref(),
            &FIELDS,
            self.0.seen.containers(),
            |row, field| value(row, field),
            |row| format!("{}/{}", row.allocator_id, row.id),
        )?;
        Ok(Response::new(v1::ListContainersResponse {
            info: Some(info(&page)),
            containers: page
                .rows
                .iter()
                .map(|row| v1::Container::clone(row))
                .collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(id: &str, name: &str) -> Arc<v1::Container> {
        Arc::new(v1::Container {
            id: id.into(),
            name: name.into(),
            ..Default::default()
        })
    }

    #[test]
    fn a_container_is_found_by_id_prefix_or_name_when_only_one_is_meant() {
        let all = [container("aaaaaaaa1", "web"), container("aaaaaaaa2", "db")];
        assert_eq!(find(&all, "db").unwrap().id, "aaaaaaaa2");
        assert_eq!(find(&all, "aaaaaaaa1").unwrap().name, "web");
        assert_eq!(
            find(&all, "aaaaaa").unwrap_err().code(),
            Code::FailedPrecondition
        );
        assert_eq!(find(&all, "aaaa").unwrap_err().code(), Code::NotFound);
    }
}
