//! Containers of every host with their last sample, and groups of them summed up, from the leader's
//! memory. Not here: their history, which the store has.

use std::{collections::BTreeMap, sync::Arc};

use tonic::{Code, Request, Response, Status};
use wharf_director_core::refusal::{codes as core_codes, cut};
use wharf_proto::listing::Value;
use wharf_proto::v1;
use wharf_services::v1::containers_server::Containers;

use super::{filter_in, info, not_found, page, query};
use crate::{
    answer::{coded_status, field_status},
    codes,
    director::Director,
};

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
/// Fields by which containers are grouped.
const GROUPED_BY: [&str; 7] = [
    "application",
    "deployment",
    "host",
    "zone",
    "service",
    "image",
    "state",
];
/// Fields of a group.
const GROUP_FIELDS: [&str; 7] = [
    "key",
    "containers",
    "running",
    "cpu",
    "memory",
    "restarts",
    "out_of_memory",
];
/// A shorter prefix of an id names nothing.
const PREFIX_CHARS: usize = 6;
/// Docker's word for a container whose processes run.
const RUNNING: &str = "running";

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

fn group_value(row: &v1::ContainerGroup, field: &str) -> Value {
    let sum = row.sum.unwrap_or_default();
    match field {
        "containers" => sum.containers.into(),
        "running" => sum.running.into(),
        "cpu" => sum.cpu_percent.into(),
        "memory" => sum.memory_bytes.into(),
        "restarts" => sum.restarts.into(),
        "out_of_memory" => sum.out_of_memory.into(),
        _ => row.key.as_str().into(),
    }
}

/// What these use together. One that does not run uses nothing, whatever its last sample says.
fn sum<'a>(containers: impl IntoIterator<Item = &'a Arc<v1::Container>>) -> v1::ContainerUse {
    let mut sum = v1::ContainerUse::default();
    for container in containers {
        sum.containers += 1;
        sum.restarts = sum.restarts.saturating_add(container.restarts);
        sum.out_of_memory += u32::from(container.out_of_memory);
        if container.state != RUNNING {
            continue;
        }
        sum.running += 1;
        match &container.sample {
            Some(sample) => {
                sum.cpu_percent += sample.cpu_percent;
                sum.memory_bytes = sum.memory_bytes.saturating_add(sample.memory_bytes);
            }
            None => sum.without_sample += 1,
        }
    }
    sum
}

/// The containers by what they have in a field.
fn groups(containers: Vec<Arc<v1::Container>>, by: &str) -> Vec<v1::ContainerGroup> {
    let mut members: BTreeMap<String, Vec<Arc<v1::Container>>> = BTreeMap::new();
    for container in containers {
        let key = value(&container, by).text();
        members.entry(key).or_default().push(container);
    }
    let groups = members.into_iter();
    groups
        .map(|(key, members)| v1::ContainerGroup {
            key,
            sum: Some(sum(&members)),
        })
        .collect()
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
            core_codes::NOT_FOUND,
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
        let query = query(message.options.as_ref(), &FIELDS)?;
        let matching = query.matching(self.0.seen.containers(), |row, field| value(row, field));
        let sum = sum(&matching);
        let page = query.page(
            matching,
            |row, field| value(row, field),
            |row| format!("{}/{}", row.allocator_id, row.id),
        );
        Ok(Response::new(v1::ListContainersResponse {
            sum: Some(sum),
            info: Some(info(&page)),
            containers: page
                .rows
                .iter()
                .map(|row| v1::Container::clone(row))
                .collect(),
        }))
    }

    async fn list_container_groups(
        &self,
        request: Request<v1::ListContainerGroupsRequest>,
    ) -> Result<Response<v1::ListContainerGroupsResponse>, Status> {
        let message = request.into_inner();
        let by = match message.group_by.as_str() {
            "" => GROUPED_BY[0],
            by => by,
        };
        if !GROUPED_BY.contains(&by) {
            return Err(field_status(
                codes::SUMMED_UP,
                "group_by",
                format!(
                    "containers are not grouped by `{}`",
                    cut(&message.group_by, 60)
                ),
                &format!("group them by one of: {}", GROUPED_BY.join(", ")),
            ));
        }
        let which = filter_in("container_filter", &message.container_filter, &FIELDS)?;
        let matching = which.matching(self.0.seen.containers(), |row, field| value(row, field));
        let page = page(
            message.options.as_ref(),
            &GROUP_FIELDS,
            groups(matching, by),
            group_value,
            |row| row.key.clone(),
        )?;
        Ok(Response::new(v1::ListContainerGroupsResponse {
            info: Some(info(&page)),
            groups: page.rows,
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

    fn running(name: &str, host: &str, memory_bytes: u64) -> Arc<v1::Container> {
        Arc::new(v1::Container {
            id: name.into(),
            name: name.into(),
            host: host.into(),
            state: RUNNING.into(),
            restarts: 2,
            sample: Some(v1::ContainerSample {
                cpu_percent: 1.5,
                memory_bytes,
                ..Default::default()
            }),
            ..Default::default()
        })
    }

    #[test]
    fn a_group_sums_up_what_runs_and_says_what_has_no_sample() {
        let stopped = v1::Container {
            state: "exited".into(),
            out_of_memory: true,
            ..v1::Container::clone(&running("c", "b", 4_000))
        };
        let silent = v1::Container {
            sample: None,
            ..v1::Container::clone(&running("d", "b", 0))
        };
        let all = vec![
            running("a", "a", 100),
            running("b", "b", 20),
            Arc::new(stopped),
            Arc::new(silent),
        ];
        let groups = groups(all, "host");
        let keys: Vec<&str> = groups.iter().map(|group| group.key.as_str()).collect();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(
            groups[1].sum,
            Some(v1::ContainerUse {
                containers: 3,
                running: 2,
                cpu_percent: 1.5,
                memory_bytes: 20,
                restarts: 6,
                out_of_memory: 1,
                without_sample: 1,
            })
        );
    }

    #[test]
    fn every_field_by_which_containers_are_grouped_is_one_of_theirs() {
        for by in GROUPED_BY {
            assert!(FIELDS.contains(&by), "{by}");
        }
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
