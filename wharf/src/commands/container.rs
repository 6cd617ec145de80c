//! `wharf container`: list, sum up and show the containers of every host, with their last sample.

use wharf_proto::v1::{
    Container, ContainerGroup, ContainerSample, GetContainerRequest, ListContainerGroupsRequest,
    ListContainersRequest,
};

use super::listing::read_all;
use crate::{
    args::{ContainerCommand, ListArgs},
    client::Client,
    failure::Failure,
    print::{self, Table},
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &ContainerCommand) -> Result<u8, Failure> {
    match command {
        ContainerCommand::List(args) => {
            let containers = all(client, args).await?;
            let json = print::json_list(&containers)?;
            print::result(client.output(), &json, || {
                table(&containers, client.now_ms())
            });
        }
        ContainerCommand::Groups { by, of, list } => {
            let groups = groups(client, by, of, list).await?;
            let json = print::json_list(&groups)?;
            print::result(client.output(), &json, || group_table(by, &groups));
        }
        ContainerCommand::Show { container } => {
            let found = get(client, container).await?;
            let json = print::json(&found)?;
            print::result(client.output(), &json, || render(&found, client.now_ms()));
        }
    }
    Ok(0)
}

/// Every container that the arguments keep.
pub(crate) async fn all(client: &Client, args: &ListArgs) -> Result<Vec<Container>, Failure> {
    read_all(args, |options| async {
        let request = ListContainersRequest {
            options: Some(options),
        };
        let page = client
            .containers()
            .list_containers(request)
            .await?
            .into_inner();
        Ok((page.containers, page.info))
    })
    .await
}

/// Containers summed up; the group that uses most memory first when no other order is asked for.
async fn groups(
    client: &Client,
    by: &str,
    of: &str,
    list: &ListArgs,
) -> Result<Vec<ContainerGroup>, Failure> {
    let mut list = list.clone();
    if list.sort.is_empty() {
        "memory desc".clone_into(&mut list.sort);
    }
    read_all(&list, |options| async {
        let request = ListContainerGroupsRequest {
            group_by: by.to_owned(),
            container_filter: of.to_owned(),
            options: Some(options),
        };
        let page = client
            .containers()
            .list_container_groups(request)
            .await?
            .into_inner();
        Ok((page.groups, page.info))
    })
    .await
}

fn group_table(by: &str, groups: &[ContainerGroup]) -> String {
    let head = by.to_uppercase();
    let mut table = Table::new(&[
        &head,
        ">CONTAINERS",
        ">RUNNING",
        ">CPU %",
        ">MEMORY",
        ">RESTARTS",
        ">OUT OF MEMORY",
        ">NOT MEASURED",
    ]);
    for group in groups {
        let sum = group.sum.unwrap_or_default();
        let key = if group.key.is_empty() {
            "-".to_owned()
        } else {
            group.key.clone()
        };
        table.row([
            key,
            sum.containers.to_string(),
            sum.running.to_string(),
            format!("{:.1}", sum.cpu_percent),
            print::bytes(sum.memory_bytes),
            sum.restarts.to_string(),
            sum.out_of_memory.to_string(),
            sum.without_sample.to_string(),
        ]);
    }
    table.render()
}

/// One container by id, beginning of it, or name.
pub(crate) async fn get(client: &Client, container: &str) -> Result<Container, Failure> {
    let request = GetContainerRequest {
        container: container.to_owned(),
    };
    Ok(client
        .containers()
        .get_container(request)
        .await?
        .into_inner())
}

/// The sample's figures as cells: CPU, memory, limit, network in and out, block read and written.
pub(crate) fn figures(sample: Option<&ContainerSample>) -> [String; 7] {
    let Some(sample) = sample else {
        return std::array::from_fn(|_| "-".to_owned());
    };
    [
        format!("{:.1}", sample.cpu_percent),
        print::bytes(sample.memory_bytes),
        print::bytes(sample.memory_limit_bytes),
        print::bytes(sample.network_in_bytes),
        print::bytes(sample.network_out_bytes),
        print::bytes(sample.block_read_bytes),
        print::bytes(sample.block_write_bytes),
    ]
}

fn table(containers: &[Container], now_ms: u64) -> String {
    let mut table = Table::new(&[
        "NAME",
        "STATE",
        ">CPU %",
        ">MEMORY",
        ">LIMIT",
        ">NET IN",
        ">NET OUT",
        ">READ",
        ">WRITTEN",
        "APPLICATION",
        "DEPLOYMENT",
        "HOST",
        "AGE",
        "IMAGE",
        "ID",
    ]);
    for container in containers {
        let mut row = vec![container.name.clone(), container.state.clone()];
        row.extend(figures(container.sample.as_ref()));
        row.extend([
            container.application.clone(),
            or_dash(&container.deployment_name),
            container.host.clone(),
            print::age(now_ms, container.created_at.as_ref()),
            container.image.clone(),
            container.id.chars().take(12).collect(),
        ]);
        table.row(row);
    }
    table.render()
}

fn or_dash(text: &str) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text.to_owned()
    }
}

fn render(container: &Container, now_ms: u64) -> String {
    let [cpu, memory, limit, net_in, net_out, read, written] = figures(container.sample.as_ref());
    let lines = [
        ("container", container.name.clone()),
        ("id", container.id.clone()),
        ("image", container.image.clone()),
        ("state", container.state.clone()),
        ("health", or_dash(&container.health)),
        ("application", or_dash(&container.application)),
        ("service", or_dash(&container.service)),
        ("role", or_dash(&container.role)),
        ("deployment", or_dash(&container.deployment_name)),
        ("host", format!("{} in {}", container.host, container.zone)),
        (
            "started",
            format!("{} ago", print::age(now_ms, container.started_at.as_ref())),
        ),
        ("cpu", format!("{cpu} %")),
        ("memory", format!("{memory} of {limit}")),
        ("network", format!("{net_in} in, {net_out} out")),
        ("block", format!("{read} read, {written} written")),
    ];
    lines
        .iter()
        .map(|(name, value)| format!("{name:<12}{}\n", print::printable(value)))
        .collect()
}
