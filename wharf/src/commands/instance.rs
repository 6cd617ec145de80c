//! `wharf instance`: list, move, pause, resume, stop-routing, start-routing, set-aside. Not here: how
//! it looks (`fleet_tables.rs`), what a plan does (the director).

use wharf_proto::v1::{
    ListInstancesRequest, ListSetAsideCopiesRequest, MoveInstanceRequest, PauseInstanceRequest,
    PlacedInstance, ResumeInstanceRequest, SetInstanceRoutingRequest,
};

use super::{change, fleet_tables, listing::read_all};
use crate::{
    args::{InstanceCommand, ListArgs},
    client::{Client, mutation_as},
    failure::Failure,
    print,
};

/// Runs the command.
pub(crate) async fn run(client: &Client, command: &InstanceCommand) -> Result<u8, Failure> {
    match command {
        InstanceCommand::List {
            deployment,
            allocator,
            list,
        } => {
            let instances = read(client, deployment, allocator, list).await?;
            let json = print::json_list(&instances)?;
            print::result(client.output(), &json, || {
                fleet_tables::instances(&instances)
            });
            Ok(0)
        }
        InstanceCommand::Move {
            instance,
            to,
            change,
        } => {
            let request = MoveInstanceRequest {
                mutation: mutation_as(change.request.request_id.as_deref()),
                instance: instance.instance.clone(),
                to_allocator: to.clone(),
                dry_run: change.dry_run,
            };
            let answer = client.instances().move_instance(request).await?;
            let begun = answer.into_inner().into();
            change::finish(client, &change.wait, begun, "moves an instance of").await
        }
        InstanceCommand::Pause { instance, change } => {
            let request = PauseInstanceRequest {
                mutation: mutation_as(change.request.request_id.as_deref()),
                instance: instance.instance.clone(),
                dry_run: change.dry_run,
            };
            let answer = client.instances().pause_instance(request).await?;
            let begun = answer.into_inner().into();
            change::finish(client, &change.wait, begun, "pauses an instance of").await
        }
        InstanceCommand::Resume { instance, change } => {
            let request = ResumeInstanceRequest {
                mutation: mutation_as(change.request.request_id.as_deref()),
                instance: instance.instance.clone(),
                dry_run: change.dry_run,
            };
            let answer = client.instances().resume_instance(request).await?;
            let begun = answer.into_inner().into();
            change::finish(client, &change.wait, begun, "resumes an instance of").await
        }
        InstanceCommand::StopRouting { instance, request } => {
            route(
                client,
                &instance.instance,
                request.request_id.as_deref(),
                false,
            )
            .await
        }
        InstanceCommand::StartRouting { instance, request } => {
            route(
                client,
                &instance.instance,
                request.request_id.as_deref(),
                true,
            )
            .await
        }
        InstanceCommand::SetAside(list) => {
            let copies = read_all(list, |options| async {
                let request = ListSetAsideCopiesRequest {
                    options: Some(options),
                };
                let answer = client.instances().list_set_aside_copies(request).await?;
                let page = answer.into_inner();
                Ok((page.copies, page.info))
            })
            .await?;
            let json = print::json_list(&copies)?;
            print::result(client.output(), &json, || {
                fleet_tables::set_aside(&copies, client.now_ms())
            });
            Ok(0)
        }
    }
}

/// Instances as a list asks for them.
pub(crate) async fn read(
    client: &Client,
    deployment: &str,
    allocator: &str,
    list: &ListArgs,
) -> Result<Vec<PlacedInstance>, Failure> {
    read_all(list, |options| async {
        let request = ListInstancesRequest {
            deployment: deployment.to_owned(),
            allocator: allocator.to_owned(),
            options: Some(options),
        };
        let page = client
            .instances()
            .list_instances(request)
            .await?
            .into_inner();
        Ok((page.instances, page.info))
    })
    .await
}

async fn route(
    client: &Client,
    instance: &str,
    request_id: Option<&str>,
    routed: bool,
) -> Result<u8, Failure> {
    let request = SetInstanceRoutingRequest {
        mutation: mutation_as(request_id),
        instance: instance.to_owned(),
        routed,
    };
    let answer = client.instances().set_instance_routing(request).await?;
    let answer = answer.into_inner();
    let json = print::json(&answer)?;
    print::result(client.output(), &json, || {
        fleet_tables::instances(answer.instance.as_slice())
    });
    Ok(0)
}
